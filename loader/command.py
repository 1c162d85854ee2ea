"""The command line: finds the files of each source, loads what is new, prints a summary."""

import json
import os
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import click
from click import ClickException
from dbt.cli.options import MultiOption

from loader import note, pluralize
from loader.files import find_files, skip_reason
from loader.loading import Load, LoadResult, stage_prefix
from loader.plan import Options, Source
from loader.s3 import is_s3
from loader.warehouse import Dbt

LIST: dict[str, Any] = {"cls": MultiOption, "multiple": True, "type": tuple}  # as dbt's --select
FOLDER = click.Path(path_type=Path, resolve_path=True)
ROOT = Path(__file__).parents[1]


def find_sources(dbt: Dbt, select: tuple[str, ...]) -> list[Source]:
    """The selected source tables, with the files at their locations. Raises ClickException if a
    location is missing, or is one that the engine cannot read."""
    sources = dbt.sources()
    variables = {source.variable for source in sources} & os.environ.keys()
    tables = [source.table for source in sources]
    if unknown := sorted(set(select) - set(tables)):
        raise ClickException(
            f"--select: no source table is called {' or '.join(unknown)}; there are"
            f" {' and '.join(tables)}."
        )
    stage = os.environ.get("DBT_STAGE_LOCATION", "")
    if dbt.is_redshift and not is_s3(stage):
        raise ClickException(
            "DBT_STAGE_LOCATION must be s3://bucket/prefix/, to write manifests to."
        )
    sources = [source for source in sources if not select or source.table in select]
    for source in sources:
        source.location = checked_location(source, variables, dbt.is_redshift)
        if dbt.is_redshift:
            check_stage(stage, source)
    if not variables:
        note(
            f"Loading the sample: {' and '.join(source.location for source in sources)}. To load"
            f" your own files, set {' and '.join(source.variable for source in sources)}."
        )
    for source in sources:
        source.files, source.prefix, skipped = find_files(
            source.location, source.variable, source.pattern, dbt.project_dir
        )
        for reason, names in skipped.items():
            count = pluralize(len(names), "file")
            note(f"{source.table}: {count} left out, {reason}: {min(names)}")
            source.left_out[reason] = len(names)
    return sources


def checked_location(source: Source, variables: set[str], is_redshift: bool) -> str:
    """A source's location with ~ expanded and s3a:// and s3n:// replaced by s3://. `variables`
    are the location variables that are set: with any, no sample is loaded. Raises ClickException
    if the engine cannot read the location."""
    table, variable, location = source.table, source.variable, source.location.strip()
    scheme, is_url, rest = location.partition("://")
    problem = ""
    if not location:
        problem = "empty" if variable in variables else "not set"
    elif is_url and scheme.lower() not in ("s3", "s3a", "s3n"):
        problem = location
    elif is_redshift and not is_url:
        problem = f"the folder {location}, but Redshift can only read S3"
    elif variables and variable not in variables:
        problem = f"not set, but {min(variables)} is"
    if problem:
        raise ClickException(
            f"{variable} is {problem}: set it to where the files of {table} are, s3://bucket/prefix/"
            f"{'' if is_redshift else ' or a folder'}, or leave {table} out with --select."
        )
    if is_url:
        return f"s3://{rest}"
    return str(Path(location).expanduser()) if location.startswith("~") else source.location


def check_stage(stage: str, source: Source) -> None:
    """Raises ClickException if the stage's files would be listed as data of a source, or the
    source's files removed as stale files of the stage."""
    staged, data = stage_prefix(stage), f"{source.location.rstrip('/')}/"
    if (staged.startswith(data) and not skip_reason(staged, data)) or data.startswith(staged):
        raise ClickException(
            f"DBT_STAGE_LOCATION is {stage}, whose files would be mixed with the data in"
            f" {source.location}, set by {source.variable}: use a prefix outside of it."
        )


def summary(sources: list[Source], results: dict[str, LoadResult]) -> dict[str, dict]:
    """What a load found and did, by source table."""
    return {
        source.table: {
            "found": len(source.files),
            "loaded": results[source.table].files,
            "rows": results[source.table].rows,
            "rejected": results[source.table].rejected,
            "bytes": results[source.table].bytes,
            "seconds": round(results[source.table].seconds, 1),
        }
        for source in sources
    }


def as_table(tables: dict[str, dict]) -> str:
    """The summary as text."""
    rows = [["source table", *next(iter(tables.values()))]]
    rows += [[table, *(f"{n:,}" for n in counts.values())] for table, counts in tables.items()]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows
    )


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    *("--select", "-s"), metavar="SOURCE_TABLE...", help="Load only these source tables.", **LIST
)
@click.option("--full-refresh", "-f", is_flag=True, help="Empty the tables and load every file.")
@click.option("--reload", is_flag=True, help="Reload changed files and those loaded with them.")
@click.option(
    "--max-errors",
    type=click.IntRange(0, 99_999),
    default=0,
    metavar="N",
    help="Put up to N bad rows into table rejected_rows instead of failing.",
)
@click.option(
    "--join-from",
    type=click.IntRange(0),
    default=1_000,
    metavar="N",
    show_default=True,
    help="Join S3 objects of up to 64 KB before loading if there are N or more; 0: never.",
)
@click.option("--keep-gone", is_flag=True, help="Go on if loaded files are gone; keep their rows.")
@click.option("--dry-run", is_flag=True, help="Print the SQL without running it.")
@click.option(
    *("--output", "-o"),
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Form of the summary at the end.",
)
@click.option("--target", "-t", help="Target of the profile, as for dbt.")
@click.option("--profiles-dir", help="Folder of profiles.yml; the project's if it has one.")
@click.option("--project-dir", type=FOLDER, default=ROOT, help="Folder of dbt_project.yml.")
@click.option("--vars", default="{}", help="Variables for dbt, as YAML.")
def main(select, project_dir, profiles_dir, target, vars, output, **settings) -> None:
    """Load the files that are not loaded yet into the raw tables."""
    options = Options(**settings)
    results: dict[str, LoadResult] = defaultdict(LoadResult)
    try:
        dbt = Dbt(project_dir, profiles_dir, target, vars)
        sources = find_sources(dbt, select)
        if options.dry_run and not dbt.is_redshift:
            dbt.use_scratch_database()
        Load(dbt, options, results).run(sources)
    except KeyboardInterrupt:
        loaded = pluralize(sum(result.files for result in results.values()), "file")
        note(
            f"Stopped. This run loaded {loaded}; the batch under way was undone. Run"
            " load_staging.py again to load the rest."
        )
        sys.exit(130)
    if options.dry_run:
        return
    has_replaced = any(result.has_replaced for result in results.values())
    tables = summary(sources, results)
    if output == "json":
        for source in sources:
            tables[source.table]["left_out"] = source.left_out
        click.echo(json.dumps({"tables": tables, "has_replaced": has_replaced}))
        return
    click.echo(as_table(tables))
    if rejected := sum(result.rejected for result in results.values()):
        note(f"Rejected {pluralize(rejected, 'row')}: see table rejected_rows.")
    if not any(result.files for result in results.values()):
        click.echo("Nothing new.")
    elif has_replaced:
        click.echo("Rows were replaced: run `dbt build --full-refresh` now.")
