"""What load_staging.py is made of."""

import click


def note(message: str) -> None:
    """Says something beside the result: progress, warnings."""
    click.echo(message, err=True)


def in_words(count: int, singular: str) -> str:
    """A number of things: "1 row", "2 rows"."""
    return f"{count:,} {singular}" if count == 1 else f"{count:,} {singular}s"


class Refused(click.ClickException):
    """A file holds what its table does not take; with --max-errors it may be kept aside."""
