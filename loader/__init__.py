"""What load_staging.py is made of, from command.py on."""

import contextlib
import itertools
import sys
import threading
import time
from collections.abc import Callable, Iterator

import click

LINE_SECONDS = 30  # between the lines that say that work goes on, where there is no terminal


def note(message: str) -> None:
    """Says something beside the result: progress, warnings."""
    click.echo(message, err=True)


def in_words(count: int, singular: str) -> str:
    """A number of things: "1 row", "2 rows"."""
    return f"{count:,} {singular}" if count == 1 else f"{count:,} {singular}s"


class Refused(click.ClickException):
    """A file holds what its table does not take; with --max-errors it may be kept aside."""


class Unreadable(click.ClickException):
    """A file cannot be read."""


@contextlib.contextmanager
def progress(label: str, total: int | None = None) -> Iterator[Callable[[int, int], None]]:
    """Shows that work goes on: a bar on a terminal, elsewhere a line now and then. Yields what is
    to be told how many more files are done, of so many bytes."""
    began, files, size = time.monotonic(), 0, 0
    ended = threading.Event()

    def advance(count: int, byte_count: int) -> None:
        nonlocal files, size
        files, size = files + count, size + byte_count

    def state(_: object = None) -> str:
        seconds = max(1, int(time.monotonic() - began))
        if not files:
            return f"{seconds} s"
        of_all = f" of {total:,}" if total else ""
        rate = f"{files / seconds:,.0f} files/s, {size / seconds / 1e6:,.1f} MB/s"
        left = f", {(total - files) * seconds / files:,.0f} s left" if total else ""
        return f"{files:,}{of_all} files, {size / 1e6:,.1f} MB in {seconds} s, {rate}{left}"

    def show() -> None:
        if not sys.stderr.isatty():
            while not ended.wait(LINE_SECONDS):
                note(f"{label}: {state()}")
        elif not ended.wait(0.5):  # what is done by then needs no bar
            shown = {"item_show_func": state, "show_eta": False, "update_min_steps": 0}
            steps = None if total else itertools.count()
            with click.progressbar(steps, total, label, file=sys.stderr, **shown) as bar:
                while not ended.wait(0.2):
                    bar.update(files - bar.pos, files)

    shown = threading.Thread(target=show, daemon=True)
    shown.start()
    try:
        yield advance
    finally:
        ended.set()
        shown.join()
