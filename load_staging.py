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
    sample_keys,
)

BATCH_FILES = 100_000
BATCH_BYTES = 4 * 1024**3  # also the disk that objects fetched from S3 take at most
ATTEMPTS = 4  # at a load that others come in between
QUIETLY = ("--log-level", "none", "--log-level-file", "debug")
REPORT = "load_staging: "  # how the macros mark what they tell
NO_PROFILE = "Copy profiles.yml.example to profiles.yml, or see --profiles-dir."
LOST = (
    "The connection to the database was lost; what was under way is undone, unless it had just"
    " ended. Run load_staging.py again, it goes on with what is not loaded."
)
AGAIN = "Nothing of this batch was loaded; run load_staging.py again."
CONFLICT = re.compile(
    "^1023|deadlock detected|conflict with concurrent transaction|[Aa]nother load .*came in between"
)
HINTS = {
    "Could not find profile": NO_PROFILE,
    r"/\.dbt' does not exist": NO_PROFILE,
    "Could not set lock on file": "Another process has the database open; try again once it ends.",
    "Broken ?[Pp]ipe|Connection reset": LOST,
    "^1023$": f"(Redshift's serializable isolation violation.) {AGAIN}",
    "deadlock detected|conflict with concurrent transaction|another load": AGAIN,
    "Error NoSuchKey": f"An object is gone since it was listed. {AGAIN}",
    "NULL value into column load_id": f"Another load came in between. {AGAIN}",
}


@dataclass
class Step:
    """Files to load, and what they take the place of: "all" that the table holds, one load
    by its load_id, or nothing."""

    files: list[File]
    undo: str | int | None = None
    is_new_type: bool = False


@dataclass
class Source:
    """A source table, the files under its location and what becomes of them."""

    table: str
    location: str
    columns: list[str]
    files: list[File] = field(default_factory=list)
    last_load: dict = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    is_done: bool = False
    is_replaced: bool = False
    loaded: int = 0
    rows: int = 0
    rejected: int = 0
    bytes: int = 0
    seconds: float = 0.0


@dataclass
class Options:
    """How to load, as the command line says it."""

    full_refresh: bool
    reload: bool
    max_errors: int
    dry_run: bool


class Conflict(ClickException):
    """Another transaction came in between; trying again may help."""


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
            Source(node.name, node.external.location, list(node.columns))
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
            message = explain(str(outcome.exception or "\n".join(errors)))
            raise (Conflict if CONFLICT.search(message) else ClickException)(message)
        return outcome.result


def explain(message: str) -> str:
    """What went wrong, as one paragraph: dbt's and DuckDB's decoration left out."""
    message = re.sub(r"\n\nLINE \d+:.*", "", message, flags=re.DOTALL)
    message = re.sub(r"\n?Try (setting|auto-detecting|increasing) .*", "", message)
    message = re.sub(r"Encountered an error while running operation:|\w+ Error\n", "", message)
    message = " ".join(message.split())
    return " ".join([message, *{hint for said, hint in HINTS.items() if re.search(said, message)}])


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
        listings = {
            source.table: stage.write(f"{source.table}.json", file_list(source.files))
            for source in sources
        }
        told = dbt.run_operation(
            "plan_load",
            listings=listings,
            full_refresh=options.full_refresh,
            dry_run=options.dry_run,
        )
    for statement in [part["sql"] for part in told if "sql" in part]:
        click.echo(statement + ";\n")
    parts = [part for part in told if "sql" not in part]
    if any(part["untold_count"] for part in parts) and not options.dry_run:
        collect_rejected_rows(dbt)
    for part in parts:
        source = by_table[part["source_table"]]
        source.last_load = part["last_load"]
        source.steps = steps(source, part, options)


def steps(source: Source, told: dict, options: Options) -> list[Step]:
    """What to load into a source table, by what plan_load told of it."""
    if options.full_refresh:
        return [Step(source.files, "all", told["is_new_type"])]
    if told["is_whole_prefix"]:
        raise ClickException(
            f"{source.table} was loaded by `dbt run-operation load_staging`, which leaves no"
            " record of the files: go on with --full-refresh."
        )
    runs = told["files"]
    changed = [run for run in runs if run["state"] == "changed"]
    gone = [run for run in runs if run["state"] == "gone"]
    if gone and options.dry_run:
        note(
            f"{source.table}: {count(gone)} loaded files are gone, such as {gone[0]['file_name']};"
            " their rows stay, until --full-refresh."
        )
    if changed and not options.reload:
        note(
            f"{source.table}: {count(changed)} files changed since they were loaded, such as"
            f" {changed[0]['file_name']}; their rows are as they were, until --reload."
        )
        changed = []
    planned = []
    for load_id in sorted({run["load_id"] for run in changed}):
        members = [run for run in runs if run["load_id"] == load_id]
        if lost := [run for run in members if run["state"] == "gone"]:
            raise ClickException(
                f"{source.table}: {changed[0]['file_name']} cannot be reloaded, since"
                f" {lost[0]['file_name']} was loaded with it and is gone: put that back, or go on"
                " with --full-refresh, which drops its rows."
            )
        planned.append(Step(files_in(source, members), undo=load_id))
    if changed:
        note(
            f"{source.table}: reloading {count(changed)} changed files and those loaded with them,"
            f" {sum(len(step.files) for step in planned)} in all"
        )
    return [*planned, Step(files_in(source, [r for r in runs if r["state"] == "new"]))]


def files_in(source: Source, runs: list[dict]) -> list[File]:
    """The files in runs of consecutive numbers, in the order of the listing."""
    runs = sorted(runs, key=lambda run: run["first"])
    return [file for run in runs for file in source.files[run["first"] : run["last"] + 1]]


def count(runs: list[dict]) -> int:
    """How many files the runs have."""
    return sum(run["file_count"] for run in runs)


def load(dbt: Dbt, source: Source, step: Step, options: Options) -> None:
    """Loads files batch by batch, each in one transaction."""
    undo = step.undo
    for files in batches(step.files, dbt.engine):
        if source.loaded and dbt.engine == "redshift":
            time.sleep(1)  # loads are told apart by the second there
        started = time.monotonic()
        size = sum(file.file_size for file in files)
        if not options.dry_run:
            note(f"{source.table}: loading {len(files):,} files, {size:,} bytes")
        with open_stage(dbt) as stage:
            batch = {
                "source_table": source.table,
                "last_load": source.last_load,
                "undo": undo,
                "is_new_type": step.is_new_type,
                "max_errors": options.max_errors,
            }
            if dbt.engine == "redshift":
                batch["manifest"] = stage.write("manifest.json", manifest(files))
                batch["is_gzip"] = files[0].file_name.endswith(".gz")
            elif not options.dry_run:
                files = fetch(files, stage.folder)
            batch["file_list"] = stage.write("files.json", file_list(files))
            unknown = {} if options.dry_run else unknown_keys(dbt, source, files)
            told = load_batch(dbt, batch, files, options.dry_run, started)
        if options.dry_run:
            click.echo(told["sql"] + ";\n")
            continue
        for key, where in unknown.items():
            note(f"{source.table}: no column takes the key {key}, seen in {where}")
        source.is_replaced |= undo is not None
        source.last_load, undo = told["load"], None
        source.loaded += len(files)
        source.rows += told["row_count"]
        source.bytes += size
        source.seconds += time.monotonic() - started
        if options.max_errors:
            rejected = told["rejected_count"]
            rejected = collect_rejected_rows(dbt) if rejected is None else rejected
            source.rejected += rejected
            options.max_errors -= rejected


def load_batch(dbt: Dbt, batch: dict, files: list[File], dry_run: bool, started: float) -> dict:
    """What the macro load_batch tells. Where rows may be rejected, DuckDB reads a file that
    turns out to be no JSON throughout line by line."""
    broken: list[int] = []
    while True:
        batch |= {"broken": broken, "is_all_broken": len(broken) == len(files)}
        try:
            (told,) = dbt.run_operation("load_batch", batch=batch, dry_run=dry_run)
            return told
        except Conflict:
            raise
        except ClickException as error:
            named = [n for n, file in enumerate(files) if f'"{file.path}"' in error.message]
            if len(broken) < batch["max_errors"] and set(named) - set(broken):
                broken = sorted({*broken, *named})
            else:
                raise ClickException(refusal(dbt, error.message, files, started)) from None


def collect_rejected_rows(dbt: Dbt) -> int:
    """Has the rows kept that Redshift rejected; how many. It may tell of them late."""
    rejected = 0
    for _ in range(60):
        (told,) = dbt.run_operation("collect_rejected_rows")
        rejected += told["rejected"]
        if not told["waiting"]:
            return rejected
        time.sleep(1)
    raise ClickException(
        "The good rows are loaded, but Redshift does not tell yet which rows it rejected: run"
        " load_staging.py again, it asks again."
    )


def unknown_keys(dbt: Dbt, source: Source, files: list[File]) -> dict[str, str]:
    """Keys that no column takes, at the beginning of some of the files, and in which."""
    fold = str.lower if dbt.engine == "redshift" else str
    known = {fold(column) for column in source.columns}
    try:
        return {key: name for key, name in sample_keys(files).items() if fold(key) not in known}
    except ClickException as error:
        note(f"{source.table}: cannot look for keys that no column takes: {error.message}")
        return {}


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
    reload: bool,
    max_errors: int,
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

    options = Options(full_refresh, reload, max_errors, dry_run)
    with tempfile.TemporaryDirectory() as folder:
        if dry_run and dbt.engine == "duckdb":
            dbt.spare_database(Path(folder))
        load_all(dbt, sources, options)
    if dry_run:
        return
    click.echo(summary(sources))
    if rejected := sum(source.rejected for source in sources):
        note(f"{rejected} rows were rejected: they are in table rejected_rows.")
    if not any(source.loaded for source in sources):
        click.echo("Nothing new.")
    elif any(source.is_replaced for source in sources):
        click.echo("Rows were replaced: run `dbt build --full-refresh` now.")


if __name__ == "__main__":
    main()
