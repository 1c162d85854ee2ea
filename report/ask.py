"""The command: python -m report.ask. One answer, as text."""

import re
from pathlib import Path

import click

from report.answers import Answer, Warehouse, as_text

PROJECT = Path(__file__).parents[1]


@click.command()
@click.option("--target", help="The target of profiles.yml, such as redshift.")
@click.argument("analysis", required=False)
def main(target: str | None, analysis: str | None) -> None:
    """Print the answer to a question of analyses/, or the questions."""
    questions = {
        path.stem: re.sub(r"\s*\n-- ", " ", re.split(r"\n-- One row", path.read_text())[0])
        for path in sorted((PROJECT / "analyses").glob("*.sql"))
    }
    if analysis not in questions:
        width = max(map(len, questions))
        for name, question in questions.items():
            click.echo(f"{name:{width}}  {question.removeprefix('-- Question: ')}")
        click.echo("\nAsk one of them, as in: make ask ANALYSIS=listeners_lost")
        if analysis:
            raise click.ClickException(f"There is no analysis called {analysis}.")
        return
    warehouse = Warehouse(PROJECT, None, target, "{}")
    try:
        answer = warehouse.answer(analysis)
    except click.ClickException as error:
        if "does not exist" not in error.message:
            raise
        raise click.ClickException("Nothing is built yet: run `make run` first.") from error
    click.echo(as_page(answer))


def as_page(answer: Answer) -> str:
    """An answer as lines of text: numbers to the right, everything else to the left."""
    table = answer.table
    names = list(table.columns)
    rows = [[as_text(*cell) for cell in zip(row, names, strict=True)] for row in table.rows]
    columns = zip(names, *rows, strict=True) if rows else ([name] for name in names)
    padded = [
        [cell.rjust(width) if kind == "number" else cell.ljust(width) for cell in column]
        for column, kind in zip(map(list, columns), table.kinds().values(), strict=True)
        for width in (max(map(len, column)),)
    ]
    lines = ["  ".join(cells).rstrip() for cells in zip(*padded, strict=True)]
    return "\n".join([answer.question, "", answer.grain, f"Caveats: {answer.caveats}", "", *lines])


if __name__ == "__main__":
    main()
