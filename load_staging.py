"""Load what is new under each source's location into the raw staging tables.

The sources' YAML says where the files of a table lie; the ledger, in the warehouse, says
which of them are loaded. This script lists the files, has the warehouse tell which are new
and has dbt run the macro that loads them, batch by batch, each in one transaction with its
rows of the ledger. All SQL is in macros/loading/.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import click
from click import ClickException
from dbt.adapters.factory import get_adapter_by_type
from dbt.cli.main import dbtRunner
from dbt.cli.options import MultiOption

from staging_files import (
    File,
    FolderStage,
    S3Stage,
    fetch,
    file_list,
    find_files,
    is_s3,
    manifest,
)

BATCH_FILES = 100_000
BATCH_BYTES = 4 * 1024**3  # also the disk that objects fetched from S3 take at most
QUIETLY = ("--log-level", "none", "--log-level-file", "debug")
REPORT = "load_staging: "  # how the macros mark what they tell
NO_PROFILE = "Copy profiles.yml.example to profiles.yml, or see --profiles-dir."
LOST = (
    "The connection to the database was lost; what was under way is undone, unless it had just"
    " ended. Run load_staging.py again, it goes on with what is not loaded."
)
HINTS = {
    "Could not find profile": NO_PROFILE,
    "/.dbt' does not exist": NO_PROFILE,
    "Could not set lock on file": "Another process has the database open; try again once it ends.",
    "Broken pipe": LOST,
    "BrokenPipe": LOST,
    "Connection reset": LOST,
    "another load": "Nothing of this batch was loaded; run load_staging.py again.",
    "NULL value into column load_id": (
        "Another load came in between. Nothing of this batch was loaded; run load_staging.py again."
    ),
}


@dataclass
class Source:
    """A source table, the files under its location and what became of them."""

    table: str
    location: str
    files: list[File] = field(default_factory=list)
    loaded: int = 0
    rows: int = 0
    bytes: int = 0
    seconds: float = 0.0


@dataclass
class Plan:
    """What to load into a source table, and the newest load known of it."""

    source: Source
    files: list[File]
    last_load: dict
    replace: bool


class Dbt:
    """The one seam to dbt: the same project, profile and connection as `dbt build`."""

    def __init__(self, project_dir: Path, profiles_dir: str | None, target: str | None, vars: str):
        if not (project_dir / "dbt_project.yml").exists():
            raise ClickException(f"{project_dir} holds no dbt_project.yml; see --project-dir.")
        if not profiles_dir and (project_dir / "profiles.yml").exists():
            profiles_dir = str(project_dir)
        self.options = ["--project-dir", str(project_dir), "--vars", vars]
        self.options += ["--profiles-dir", profiles_dir] if profiles_dir else []
        self.options += ["--target", target] if target else []
        self.events: list = []
        self.manifest = None
        self.manifest = self._invoke("parse")
        self.engine: str = self.manifest.metadata.adapter_type

    def sources(self) -> list[Source]:
        """The source tables that have a location."""
        return [
            Source(node.name, node.external.location)
            for node in self.manifest.sources.values()
            if node.external and node.external.location
        ]

    def spare_database(self, folder: Path) -> None:
        """Keeps a dry run from creating the DuckDB file, which connecting does."""
        path = Path(get_adapter_by_type("duckdb").config.credentials.path)
        if not path.exists():
            os.environ["DBT_DUCKDB_PATH"] = str(folder / path.name)

    def run_operation(self, macro: str, **arguments) -> list[dict]:
        """Runs a macro; what it reported."""
        self._invoke("run-operation", macro, "--args", json.dumps(arguments))
        messages = [event.info.msg for event in self.events if event.info.name == "JinjaLogDebug"]
        return [json.loads(m.removeprefix(REPORT)) for m in messages if m.startswith(REPORT)]

    def _invoke(self, *command: str):
        self.events.clear()
        runner = dbtRunner(manifest=self.manifest, callbacks=[self.events.append])
        outcome = runner.invoke([*QUIETLY, *command, *self.options])
        if not outcome.success:
            errors = [event.info.msg for event in self.events if event.info.level == "error"]
            raise ClickException(explain(str(outcome.exception or "\n".join(errors))))
        return outcome.result


def explain(message: str) -> str:
    """What went wrong, as one paragraph: dbt's and DuckDB's decoration left out."""
    message = re.sub(r"\n\nLINE \d+:.*", "", message, flags=re.DOTALL)
    message = re.sub(r"\n?Try (setting|auto-detecting|increasing) .*", "", message)
    message = re.sub(r"Encountered an error while running operation:|\w+ Error\n", "", message)
    hints = {hint for said, hint in HINTS.items() if said in message}
    return " ".join(" ".join([message, *hints]).split())


def plan(dbt: Dbt, sources: list[Source], full_refresh: bool, dry_run: bool) -> Iterator[Plan]:
    """Has the warehouse tell which files it lacks."""
    by_table = {source.table: source for source in sources}
    with open_stage(dbt) as stage:
        listings = {
            source.table: stage.write(f"{source.table}.json", file_list(source.files))
            for source in sources
        }
        told = dbt.run_operation("plan_load", listings=listings, dry_run=dry_run)
    for part in told:
        if "sql" in part:
            click.echo(part["sql"] + ";\n")
            continue
        source = by_table[part["source_table"]]
        if full_refresh:
            yield Plan(source, source.files, part["last_load"], replace=True)
            continue
        if part["is_whole_prefix"]:
            raise ClickException(
                f"{source.table} was loaded by `dbt run-operation load_staging`, which leaves no"
                " record of the files: go on with --full-refresh."
            )
        if changed := files_at(source.files, part["changed"]):
            note(
                f"{source.table}: {len(changed)} files changed since they were loaded, such as"
                f" {changed[0].file_name}; their rows are as they were, until --full-refresh."
            )
        yield Plan(source, files_at(source.files, part["new"]), part["last_load"], replace=False)


def files_at(files: list[File], runs: list[list[int]]) -> list[File]:
    """The files in runs of consecutive numbers, [[first, last], ...]."""
    return [file for first, last in runs for file in files[first : last + 1]]


def load(dbt: Dbt, planned: Plan, dry_run: bool) -> None:
    """Loads the planned files batch by batch, each in one transaction."""
    source, last_load, replace = planned.source, planned.last_load, planned.replace
    for batch in batches(planned.files, dbt.engine):
        if source.loaded and dbt.engine == "redshift":
            time.sleep(1)  # loads are told apart by the second there
        started = time.monotonic()
        size = sum(file.file_size for file in batch)
        if not dry_run:
            note(f"{source.table}: loading {len(batch):,} files, {size:,} bytes")
        with open_stage(dbt) as stage:
            arguments = {"source_table": source.table, "last_load": last_load}
            if dbt.engine == "redshift":
                arguments["manifest"] = stage.write("manifest.json", manifest(batch))
                arguments["is_gzip"] = batch[0].file_name.endswith(".gz")
            elif not dry_run:
                batch = fetch(batch, stage.folder)
            try:
                (told,) = dbt.run_operation(
                    "load_batch",
                    **arguments,
                    file_list=stage.write("files.json", file_list(batch)),
                    replace=replace,
                    dry_run=dry_run,
                )
            except ClickException as error:
                raise ClickException(refusal(dbt, error.message, batch, started)) from None
        if dry_run:
            click.echo(told["sql"] + ";\n")
            continue
        last_load, replace = told["load"], False
        source.loaded += len(batch)
        source.rows += told["row_count"]
        source.bytes += size
        source.seconds += time.monotonic() - started


def batches(files: list[File], engine: str) -> Iterator[list[File]]:
    """Files, as many as one transaction takes; on Redshift either all zipped or none."""
    zipped = [file.file_name.endswith(".gz") and engine == "redshift" for file in files]
    for kind in (False, True):
        batch: list[File] = []
        size = 0
        for file in (
            file for file, is_zipped in zip(files, zipped, strict=True) if is_zipped is kind
        ):
            if batch and (len(batch) == BATCH_FILES or size + file.file_size > BATCH_BYTES):
                yield batch
                batch, size = [], 0
            batch.append(file)
            size += file.file_size
        if batch:
            yield batch


def refusal(dbt: Dbt, message: str, batch: list[File], started: float) -> str:
    """Why a batch was refused, in names that the user knows."""
    for file in batch:
        if file.path != file.file_name and file.path in message:
            message = message.replace(file.path, file.file_name)
    view = re.search(r"Load into table '.*'(stl_load_errors|sys_load_error_detail)'", message)
    if not view:
        return message
    for _ in range(5):  # the view may lag behind the COPY
        seconds = int(time.monotonic() - started) + 60
        (told,) = dbt.run_operation("report_load_errors", view=view[1], seconds=seconds)
        if told["errors"]:
            return " ".join(["COPY refused what it read.", *told["errors"]])
        time.sleep(1)
    return message


def open_stage(dbt: Dbt) -> FolderStage | S3Stage:
    """Where the engine reads what it is told."""
    if dbt.engine == "duckdb":
        return FolderStage()
    return S3Stage(os.environ["DBT_STAGE_LOCATION"])


def check_locations(sources: list[Source]) -> None:
    """Redshift reads S3 alone; an error if a location is elsewhere."""
    if not is_s3(os.environ.get("DBT_STAGE_LOCATION", "")):
        raise ClickException(
            "DBT_STAGE_LOCATION must be s3://bucket/prefix/, where the lists of files to COPY may"
            " be written for Redshift to read."
        )
    for source in sources:
        if not is_s3(source.location):
            raise ClickException(
                f"Redshift reads files in S3 alone, but the location of {source.table} is the"
                f" folder {source.location}: set it to s3://bucket/prefix/."
            )


def note(message: str) -> None:
    """Something said beside the result: progress, warnings."""
    click.echo(message, err=True)


def summary(sources: list[Source]) -> str:
    """The table at the end of a load."""
    rows = [("source table", "found", "loaded", "rows", "bytes", "seconds")]
    for source in sources:
        counts = (len(source.files), source.loaded, source.rows, source.bytes)
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
@click.option("--dry-run", is_flag=True, help="Print the SQL that would be run; change nothing.")
@click.option("--target", "-t", help="Target of the profile, as for dbt.")
@click.option("--profiles-dir", help="Folder of profiles.yml; the project's, if it has one.")
@click.option(
    "--project-dir",
    type=click.Path(path_type=Path, resolve_path=True),
    default=Path(__file__).parent,
    help="Folder of dbt_project.yml; this script's.",
)
@click.option("--vars", default="{}", help="Variables for dbt, as YAML.")
def main(
    select: tuple[str, ...],
    full_refresh: bool,
    dry_run: bool,
    target: str | None,
    profiles_dir: str | None,
    project_dir: Path,
    vars: str,
) -> None:
    """Load the files that are not loaded yet into the raw staging tables."""
    dbt = Dbt(project_dir, profiles_dir, target, vars)
    sources = dbt.sources()
    known = [source.table for source in sources]
    if unknown := sorted(set(select) - set(known)):
        raise ClickException(
            f"--select: no source table is called {' or '.join(unknown)}; there are"
            f" {' and '.join(known)}."
        )
    sources = [source for source in sources if not select or source.table in select]
    if dbt.engine == "redshift":
        check_locations(sources)
    for source in sources:
        source.files, ignored = find_files(source.location, project_dir)
        if ignored:
            note(
                f"{source.table}: {len(ignored)} files ignored that do not end in .json or"
                f" .json.gz, such as {ignored[0].file_name}"
            )

    with tempfile.TemporaryDirectory() as folder:
        if dry_run and dbt.engine == "duckdb":
            dbt.spare_database(Path(folder))
        for planned in list(plan(dbt, sources, full_refresh, dry_run)):
            load(dbt, planned, dry_run)

    if dry_run:
        return
    click.echo(summary(sources))
    if not any(source.loaded for source in sources):
        click.echo("Nothing new.")
    elif full_refresh:
        click.echo("The raw tables were replaced: run `dbt build --full-refresh` now.")


if __name__ == "__main__":
    main()
