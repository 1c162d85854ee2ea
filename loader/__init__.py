"""What load_staging.py is made of."""

import click


def note(message: str) -> None:
    """Says something beside the result: progress, warnings."""
    click.echo(message, err=True)
