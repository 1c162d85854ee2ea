"""The command: what there is to load, batch by batch, and what to say of it."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

import click
from click import ClickException
from dbt.cli.options import MultiOption

from loader import Refused, Unreadable, in_words, note
from loader.files import as_location, file_list, find_files, is_s3
from loader.loading import load_batch, note_keys, open_stage
from loader.plan import Batch, Options, Source, Step, batches, steps, to_join
from loader.reading import look_at
from loader.warehouse import Conflict, Dbt

ATTEMPTS = 4  # at a load that others come in between
JUDGED_BYTES = 1024**3  # up to which a refused batch is read again only to say why


def load_all(dbt: Dbt, sources: list[Source], options: Options) -> None:
    """Loads what is new, and goes on where other transactions came in between."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            pending = [source for source in sources if not source.is_done]
            plan(dbt, pending, options)
            for source in pending:
                for step in source.steps:
                    load(dbt, source, step, options)
                source.is_done = True
            return
        except Conflict as conflict:
            if attempt == ATTEMPTS:
                raise
            note(f"{conflict.message} Trying again.")
            time.sleep(2 ** (attempt - 1))


def plan(dbt: Dbt, sources: list[Source], options: Options) -> None:
    """Has the warehouse tell which files it lacks, and plans the sources' steps by that."""
    by_table = {source.table: source for source in sources}
    with open_stage(dbt) as stage:
        if not options.dry_run:
            stage.clear_left()
        listings = {
            source.table: stage.write(f"{source.table}.json", file_list(source.files))
            for source in sources
        }
        told = dbt.run_operation(
            "plan_load",
            listings=listings,
            prefixes={source.table: source.full_prefix for source in sources},
            project_dir=f"{dbt.project_dir.as_posix()}/",
            full_refresh=options.full_refresh,
            dry_run=options.dry_run,
        )
    for part in told:
        if "sql" in part:
            click.echo(part["sql"] + ";\n")
            continue
        source = by_table[part["source_table"]]
        source.last_load = part["last_load"]
        source.steps = steps(source, part, options)


def load(dbt: Dbt, source: Source, step: Step, options: Options) -> None:
    """Loads files batch by batch, each in one transaction."""
    replaces = step.replaces
    small, rest = to_join(step.files, options)
    is_redshift = dbt.engine == "redshift"
    if is_redshift and not options.dry_run:
        rest, keys = look_at(rest, source.columns)
        note_keys(source, keys)
    for batch in batches(small, rest, dbt.engine):
        if source.loaded and is_redshift:
            time.sleep(1)  # loads are told apart by the second there
        started = time.monotonic()
        size = sum(file.file_size for file in batch.files)
        request = {
            "source_table": source.table,
            "last_load": source.last_load,
            "replaces": replaces,
            "is_new_type": step.is_new_type,
        }
        if options.dry_run:
            load_batch(dbt, source, batch, request, dry_run=True)
            continue
        note(f"{source.table}: loading {in_words(len(batch.files), 'file')}, {size:,} bytes")
        try:
            result = load_batch(dbt, source, batch, request)
        except Refused as error:
            if size > JUDGED_BYTES and not options.max_errors:
                raise
            note(f"{source.table}: reading these files object by object, to find bad rows")
            batch = Batch(batch.files, "gzip" * is_redshift, True, refusal=error.message)
            try:
                result = load_batch(dbt, source, batch, request, options.max_errors)
            except Unreadable:
                if options.max_errors:
                    raise
                raise error from None
        source.is_replaced |= replaces is not None
        source.last_load, replaces = result["load"], None
        source.loaded += len(batch.files)
        source.rows += result["row_count"]
        source.rejected += result["rejected_count"]
        source.bytes += size
        source.seconds += time.monotonic() - started
        options.max_errors -= result["rejected_count"]


def check_locations(dbt: Dbt, sources: list[Source], given: set[str]) -> None:
    """Raises ClickException if it is not said where the files of the sources are, or where the
    engine cannot read them. `given` are the variables that are set, for these sources or others:
    the sample is loaded only if there are none."""
    if dbt.engine == "redshift" and not is_s3(os.environ.get("DBT_STAGE_LOCATION", "")):
        raise ClickException(
            "DBT_STAGE_LOCATION must be s3://bucket/prefix/, where the lists of files to COPY may"
            " be written for Redshift to read."
        )
    where = "s3://bucket/prefix/" + ("" if dbt.engine == "redshift" else " or a folder")
    for source in sources:
        source.location = as_location(source.location, source.variable)
        if not source.location.strip():
            raise ClickException(
                f"{source.variable} is {'empty' if source.variable in given else 'not set'}: set it"
                f" to where the files of {source.table} are, {where}."
            )
        if dbt.engine == "redshift" and not is_s3(source.location):
            raise ClickException(
                f"Redshift reads files in S3 alone, but the location of {source.table} is the"
                f" folder {source.location}: set {source.variable} to {where}."
            )
        if given and source.variable not in given:
            raise ClickException(
                f"{source.variable} is not set, but {min(given)} is: set both, or leave"
                f" {source.table} out with --select."
            )
    if not given:
        note(
            f"This is the sample, {' and '.join(source.location for source in sources)}. For files"
            f" of your own set {' and '.join(source.variable for source in sources)}."
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
    "--select",
    "-s",
    cls=MultiOption,
    multiple=True,
    type=tuple,
    metavar="SOURCE_TABLE...",
    help="Only these source tables.",
)
@click.option("--full-refresh", "-f", is_flag=True, help="Empty the tables and load every file.")
@click.option(
    "--reload", is_flag=True, help="Load changed files again, and those loaded with them."
)
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
@click.option(
    "--keep-gone",
    is_flag=True,
    help="Keep the rows of files that are loaded and not under the location, and go on.",
)
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
    full_refresh: bool,
    reload: bool,
    max_errors: int,
    join_from: int,
    keep_gone: bool,
    dry_run: bool,
    target: str | None,
    profiles_dir: str | None,
    project_dir: Path,
    vars: str,
) -> None:
    """Load the files that are not loaded yet into the raw staging tables."""
    sources: list[Source] = []
    try:
        dbt = Dbt(project_dir, profiles_dir, target, vars)
        sources = dbt.sources()
        known = [source.table for source in sources]
        if unknown := sorted(set(select) - set(known)):
            raise ClickException(
                f"--select: no source table is called {' or '.join(unknown)}; there are"
                f" {' and '.join(known)}."
            )
        given = {source.variable for source in sources} & os.environ.keys()
        sources = [source for source in sources if not select or source.table in select]
        check_locations(dbt, sources, given)
        for source in sources:
            found = find_files(source.location, source.variable, source.pattern, project_dir)
            source.files, source.full_prefix = found.files, found.full_prefix
            for reason, names in found.left_out.items():
                note(
                    f"{source.table}: {in_words(len(names), 'file')} left out, {reason}: {names[0]}"
                )

        options = Options(full_refresh, reload, max_errors, dry_run, join_from, keep_gone)
        with tempfile.TemporaryDirectory() as folder:
            if dry_run and dbt.engine == "duckdb":
                dbt.spare_database(Path(folder))
            load_all(dbt, sources, options)
    except KeyboardInterrupt:
        kept = sum(source.loaded for source in sources)
        note(
            f"Stopped. {in_words(kept, 'file')} of this run are loaded and stay so, what was under"
            " way is undone. Run load_staging.py again, it goes on with the rest."
        )
        sys.exit(130)
    if dry_run:
        return
    click.echo(summary(sources))
    if rejected := sum(source.rejected for source in sources):
        were = "was" if rejected == 1 else "were"
        note(f"{in_words(rejected, 'row')} {were} rejected: see table rejected_rows.")
    if not any(source.loaded for source in sources):
        click.echo("Nothing new.")
    elif any(source.is_replaced for source in sources):
        click.echo("Rows were replaced: run `dbt build --full-refresh` now.")
