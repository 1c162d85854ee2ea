"""The command: where the files are, and what to say of the load."""

import os
import sys
from pathlib import Path

import click
from click import ClickException
from dbt.cli.options import MultiOption

from loader import in_words, note
from loader.files import find_files
from loader.loading import Load
from loader.plan import Options, Source
from loader.s3 import is_s3
from loader.warehouse import Dbt


def find_sources(dbt: Dbt, select: tuple[str, ...]) -> list[Source]:
    """The source tables to load, with the files at their locations.

    Raises ClickException if it is not said where they are, or where the engine cannot read them.
    """
    sources = dbt.sources()
    given = {source.variable for source in sources} & os.environ.keys()
    known = [source.table for source in sources]
    if unknown := sorted(set(select) - set(known)):
        raise ClickException(
            f"--select: no source table is called {' or '.join(unknown)}; there are"
            f" {' and '.join(known)}."
        )
    if dbt.is_redshift and not is_s3(os.environ.get("DBT_STAGE_LOCATION", "")):
        raise ClickException(
            "DBT_STAGE_LOCATION must be s3://bucket/prefix/, where the lists of files to COPY may"
            " be written for Redshift to read."
        )
    sources = [source for source in sources if not select or source.table in select]
    for source in sources:
        check_location(source, given, dbt.is_redshift)
    if not given:
        note(
            f"This is the sample, {' and '.join(source.location for source in sources)}. For files"
            f" of your own set {' and '.join(source.variable for source in sources)}."
        )
    for source in sources:
        source.files, source.full_prefix, left_out = find_files(
            source.location, source.variable, source.pattern, dbt.project_dir
        )
        for reason, names in left_out.items():
            count = in_words(len(names), "file")
            note(f"{source.table}: {count} left out, {reason}: {min(names)}")
    return sources


def check_location(source: Source, given: set[str], is_redshift: bool) -> None:
    """Writes a location as the others are written: with ~ and the names that Hadoop has for s3
    replaced. `given` are the variables that are set, for this source or others: the sample is
    loaded only if there are none. Raises ClickException if it is none for the engine."""
    where = "s3://bucket/prefix/" if is_redshift else "s3://bucket/prefix/ or a folder"
    variable, location = source.variable, source.location.strip()
    if not location:
        raise ClickException(
            f"{variable} is {'empty' if variable in given else 'not set'}: set it to where the"
            f" files of {source.table} are, {where}."
        )
    if location.startswith("~"):
        source.location = location = str(Path(location).expanduser())
    scheme, colon, rest = location.partition("://")
    if colon and scheme.lower() not in ("s3", "s3a", "s3n"):
        raise ClickException(f"{variable} is {location}, but files are read from {where} alone.")
    if colon:
        source.location = f"s3://{rest}"
    if is_redshift and not colon:
        raise ClickException(
            f"Redshift reads files in S3 alone, but the location of {source.table} is the folder"
            f" {location}: set {variable} to {where}."
        )
    if given and variable not in given:
        raise ClickException(
            f"{variable} is not set, but {min(given)} is: set both, or leave {source.table} out"
            " with --select."
        )


def summary(sources: list[Source]) -> str:
    """The table at the end of a load."""
    rows = [("source table", "found", "loaded", "rows", "rejected", "bytes", "seconds")]
    for source in sources:
        counts = (len(source.files), source.loaded, source.rows, source.rejected, source.bytes)
        rows.append((source.table, *(f"{count:,}" for count in counts), f"{source.seconds:.1f}"))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows
    )


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    *("--select", "-s"),
    cls=MultiOption,
    multiple=True,
    type=tuple,
    metavar="SOURCE_TABLE...",
    help="Only these source tables.",
)
@click.option("--full-refresh", "-f", is_flag=True, help="Empty the tables and load every file.")
@click.option("--reload", is_flag=True, help="Load changed files again, with others of their load.")
@click.option(
    "--max-errors",
    type=click.IntRange(0, 99_999),
    default=0,
    metavar="N",
    help="Keep up to N bad rows aside in table rejected_rows, instead of refusing their files.",
)
@click.option(
    "--join-from",
    type=click.IntRange(0),
    default=1_000,
    metavar="N",
    show_default=True,
    help="Join objects of up to 64 KB before loading them, if there are so many; 0: never.",
)
@click.option("--keep-gone", is_flag=True, help="Go on if loaded files are gone; their rows stay.")
@click.option("--dry-run", is_flag=True, help="Print the SQL that would be run; change nothing.")
@click.option("--target", "-t", help="Target of the profile, as for dbt.")
@click.option("--profiles-dir", help="Folder of profiles.yml; the project's, if it has one.")
@click.option(
    "--project-dir",
    type=click.Path(path_type=Path, resolve_path=True),
    default=Path(__file__).parents[1],
    help="Folder of dbt_project.yml; this script's.",
)
@click.option("--vars", default="{}", help="Variables for dbt, as YAML.")
def main(
    select: tuple[str, ...],
    project_dir: Path,
    profiles_dir: str | None,
    target: str | None,
    vars: str,
    **how: bool | int,
) -> None:
    """Load the files that are not loaded yet into the raw staging tables."""
    options, sources = Options(**how), []
    try:
        dbt = Dbt(project_dir, profiles_dir, target, vars)
        sources = find_sources(dbt, select)
        if options.dry_run and not dbt.is_redshift:
            dbt.spare_database()
        Load(dbt, options).load_all(sources)
    except KeyboardInterrupt:
        kept = sum(source.loaded for source in sources)
        note(
            f"Stopped. {in_words(kept, 'file')} of this run are loaded and stay so, what was under"
            " way is undone. Run load_staging.py again, it goes on with the rest."
        )
        sys.exit(130)
    if options.dry_run:
        return
    click.echo(summary(sources))
    if rejected := sum(source.rejected for source in sources):
        were = "was" if rejected == 1 else "were"
        note(f"{in_words(rejected, 'row')} {were} rejected: see table rejected_rows.")
    if not any(source.loaded for source in sources):
        click.echo("Nothing new.")
    elif any(source.is_replaced for source in sources):
        click.echo("Rows were replaced: run `dbt build --full-refresh` now.")
