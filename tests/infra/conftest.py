"""The stack in moto, which tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .stack import Stack, deployed


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """The stack with a new warehouse. Tests of a module share it, and change nothing in it."""
    with deployed() as stack:
        yield stack
