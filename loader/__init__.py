"""The parts of load_staging.py; command.py is the entry point."""

import contextlib
import itertools
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import click

LINE_SECONDS = 30  # between progress lines where there is no terminal
RUN_AGAIN = "Nothing of this batch was loaded; run load_staging.py again."


class BadRows(click.ClickException):
    """A file holds rows that its table does not take; --max-errors allows for some."""

    def format_message(self) -> str:
        return (
            f"{self.message} Nothing of this batch was loaded: correct the file, or set bad rows"
            " aside with --max-errors (docs/loading.md)."
        )


class Unreadable(click.ClickException):
    """A file cannot be read."""


def note(message: str) -> None:
    """Prints progress or a warning, to standard error."""
    click.echo(message, err=True)


def pluralize(count: int, noun: str) -> str:
    """A count with its noun: "1 row", "2 rows"."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


@contextlib.contextmanager
def progress(label: str, total: int | None = None) -> Iterator[Callable[[int, int], None]]:
    """Shows that work goes on: a bar on a terminal, elsewhere a line now and then. Yields a
    function to call with the numbers of files and bytes that were done since its last call."""
    started, files, size = time.monotonic(), 0, 0
    ended = threading.Event()

    def advance(file_count: int, byte_count: int) -> None:
        nonlocal files, size
        files, size = files + file_count, size + byte_count

    def status(_: object = None) -> str:
        seconds = max(1, int(time.monotonic() - started))
        if not files:
            return f"{seconds} s"
        of_total = f" of {total:,}" if total else ""
        rate = f"{files / seconds:,.0f} files/s, {size / seconds / 1e6:,.1f} MB/s"
        left = f", {(total - files) * seconds / files:,.0f} s left" if total else ""
        return f"{files:,}{of_total} files, {size / 1e6:,.1f} MB in {seconds} s, {rate}{left}"

    def show() -> None:
        if not sys.stderr.isatty():
            while not ended.wait(LINE_SECONDS):
                note(f"{label}: {status()}")
        elif not ended.wait(0.5):  # short work needs no bar
            shown: dict[str, Any] = {"item_show_func": status, "show_eta": False}
            steps = None if total else itertools.count()
            with click.progressbar(steps, total, label, file=sys.stderr, **shown) as bar:
                bar.update_min_steps = 0  # the time is shown even if no file was done
                while not ended.wait(0.2):
                    bar.update(files - bar.pos, files)

    display = threading.Thread(target=show, daemon=True)
    display.start()
    try:
        yield advance
    finally:
        ended.set()
        display.join()
