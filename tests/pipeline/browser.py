"""The browser that the machine has, if any."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@contextlib.contextmanager
def browser() -> Iterator[Browser]:
    """A headless browser; a test is skipped if the machine has none."""
    browsers = [path for name in BROWSERS if (path := shutil.which(name))]
    if not browsers:
        pytest.skip(f"no browser is installed: none of {', '.join(BROWSERS)}")
    with sync_playwright() as playwright:
        # As root, and in most containers, Chromium only runs without its sandbox.
        arguments = ["--no-sandbox"]
        browser = playwright.chromium.launch(executable_path=browsers[0], args=arguments)
        yield browser
        browser.close()
