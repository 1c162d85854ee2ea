"""Load what is new under each source's location into the raw staging tables.

The sources' YAML says where the files of a table lie; the ledger, in the warehouse,
says which of them are loaded. This script lists the files, has the warehouse tell
which are new and has dbt run the macro that loads them, batch by batch, each in one
transaction with its rows of the ledger. All SQL is in macros/loading/.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import boto3
import click
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from dbt.adapters.factory import get_adapter_by_type
from dbt.cli.main import dbtRunner
from dbt.cli.options import MultiOption

SUFFIXES = (".json", ".json.gz")
BATCH_FILES = 100_000
BATCH_BYTES = 4 * 1024**3  # also the disk that files fetched from S3 take at most
FETCH_THREADS = 32
QUIETLY = ("--log-level", "none", "--log-level-file", "debug")
REPORT = "load_staging: "  # how the macros mark what they tell


@dataclass(frozen=True)
class File:
    """A file to load; `name` is what the ledger knows it by, `size` is in bytes."""

    name: str
    size: int
    fingerprint: str
    path: str


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


# --- listing -----------------------------------------------------------------


def list_folder(folder: Path, project_dir: Path) -> Iterator[File]:
    """Every file under a folder, in the order of their names."""

    def scan(path: str) -> Iterator[os.DirEntry]:
        with os.scandir(path) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                if entry.is_dir():
                    yield from scan(entry.path)
                else:
                    yield entry

    for entry in scan(str(folder)):
        path = Path(entry.path)
        name = path.relative_to(project_dir) if path.is_relative_to(project_dir) else path
        stat = entry.stat()
        yield File(
            name.as_posix(), stat.st_size, f"{stat.st_size:x}-{stat.st_mtime_ns:x}", str(path)
        )


def list_s3(location: str) -> Iterator[File]:
    """Every object under an s3:// location, in the order of their keys."""
    bucket, _, prefix = location.removeprefix("s3://").partition("/")
    prefix = prefix.rstrip("/") + "/" if prefix.strip("/") else ""
    for page in s3_client().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for entry in page.get("Contents", []):
            if not entry["Key"].endswith("/"):  # a folder marker
                name = f"s3://{bucket}/{entry['Key']}"
                yield File(name, entry["Size"], entry["ETag"].strip('"'), name)


def find_files(source: Source, project_dir: Path) -> list[File]:
    """The JSON files under a source's location; an error if there are none."""
    variables = [name for name, value in os.environ.items() if value == source.location]
    where = f"the location of {source.table}, {source.location}"
    if variables:
        where += f" (set by {variables[0]})"
    try:
        if source.location.startswith("s3://"):
            found = list(list_s3(source.location))
        else:
            folder = (project_dir / source.location).resolve()
            if not folder.is_dir():
                raise click.ClickException(f"{where}, is not a folder.")
            found = list(list_folder(folder, project_dir))
    except (OSError, BotoCoreError, ClientError) as error:
        raise click.ClickException(f"{where}, cannot be listed: {error}") from error

    files = [file for file in found if file.name.endswith(SUFFIXES)]
    if not files:
        raise click.ClickException(f"{where}, holds no file that ends in {' or '.join(SUFFIXES)}.")
    if len(files) < len(found):
        ignored = next(file.name for file in found if not file.name.endswith(SUFFIXES))
        warn(
            f"{source.table}: {len(found) - len(files)} files ignored that do not end in"
            f" {' or '.join(SUFFIXES)}, such as {ignored}"
        )
    return files


# --- S3 ----------------------------------------------------------------------


def s3_client():
    """The one seam to S3; boto3's own configuration says where and as whom."""
    return boto3.client(
        "s3",
        config=Config(
            max_pool_connections=FETCH_THREADS, retries={"mode": "standard", "max_attempts": 6}
        ),
    )


def fetch(files: list[File], folder: Path) -> list[File]:
    """Copies of S3 objects in a folder, for an engine that reads no S3 itself."""
    client = s3_client()

    def fetch_one(numbered: tuple[int, File]) -> File:
        number, file = numbered
        path = folder / f"{number:07}{'.json.gz' if file.name.endswith('.gz') else '.json'}"
        bucket, _, key = file.name.removeprefix("s3://").partition("/")
        try:
            # IfMatch: the version that was listed, or none.
            body = client.get_object(Bucket=bucket, Key=key, IfMatch=file.fingerprint)["Body"]
            with path.open("wb") as copy:
                for chunk in body.iter_chunks(1024 * 1024):
                    copy.write(chunk)
        except (BotoCoreError, ClientError) as error:
            raise click.ClickException(f"cannot read {file.name}: {error}") from error
        return File(file.name, file.size, file.fingerprint, str(path))

    with ThreadPoolExecutor(FETCH_THREADS) as pool:
        try:
            return list(pool.map(fetch_one, enumerate(files)))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


# --- dbt ---------------------------------------------------------------------


class Dbt:
    """The one seam to dbt: the same project, profile and connection as `dbt build`."""

    def __init__(self, project_dir: Path, profiles_dir: str | None, target: str | None, vars: str):
        if not (project_dir / "dbt_project.yml").exists():
            raise click.ClickException(f"{project_dir} holds no dbt_project.yml: --project-dir?")
        if not profiles_dir and (project_dir / "profiles.yml").exists():
            profiles_dir = str(project_dir)
        self.options = ["--project-dir", str(project_dir), "--vars", vars]
        self.options += ["--profiles-dir", profiles_dir] if profiles_dir else []
        self.options += ["--target", target] if target else []
        self.events: list = []
        self.runner = dbtRunner(callbacks=[self.events.append])
        self.manifest = self._invoke("parse")
        self.runner = dbtRunner(manifest=self.manifest, callbacks=[self.events.append])

    def sources(self) -> list[Source]:
        """The source tables that have a location."""
        return [
            Source(node.name, node.external.location)
            for node in self.manifest.sources.values()
            if node.external and node.external.location
        ]

    def spare_database(self, folder: Path) -> None:
        """Keeps a dry run from creating the DuckDB file, which connecting does."""
        credentials = get_adapter_by_type(self.manifest.metadata.adapter_type).config.credentials
        path = getattr(credentials, "path", None)
        if path and not Path(path).exists():
            os.environ["DBT_DUCKDB_PATH"] = str(folder / Path(path).name)

    def run_operation(self, macro: str, **arguments) -> list[dict]:
        """Runs a macro; what it reported."""
        self._invoke("run-operation", macro, "--args", json.dumps(arguments))
        messages = [event.info.msg for event in self.events if event.info.name == "JinjaLogDebug"]
        return [json.loads(m.removeprefix(REPORT)) for m in messages if m.startswith(REPORT)]

    def _invoke(self, *command: str):
        self.events.clear()
        outcome = self.runner.invoke([*QUIETLY, *command, *self.options])
        if not outcome.success:
            errors = [event.info.msg for event in self.events if event.info.level == "error"]
            raise click.ClickException(explain(str(outcome.exception or "\n".join(errors))))
        return outcome.result


HINTS = {
    "Could not find profile": "Copy profiles.yml.example to profiles.yml, or see --profiles-dir.",
    "/.dbt' does not exist": "Copy profiles.yml.example to profiles.yml, or see --profiles-dir.",
    "Could not set lock on file": "Another process has the database open; try again once it ends.",
    "another load of": "Nothing of this batch was loaded; run load_staging.py again.",
}


def explain(message: str) -> str:
    """What went wrong, as one paragraph: dbt's and DuckDB's decoration left out."""
    message = re.sub(r"\n\nLINE \d+:.*", "", message, flags=re.DOTALL)
    message = re.sub(r"\n?Try (setting|auto-detecting|increasing) .*", "", message)
    message = re.sub(r"Encountered an error while running operation:|Runtime Error", "", message)
    hints = [hint for start, hint in HINTS.items() if start in message]
    return " ".join(" ".join([message, *hints]).split())


# --- loading -----------------------------------------------------------------


def write_file_list(path: Path, files: list[File]) -> str:
    """Writes files as JSON lines for the engine to read; the path, as text."""
    with path.open("w", encoding="utf-8") as lines:
        for position, file in enumerate(files):
            line = {
                "position": position,
                "file_name": file.name,
                "file_size": file.size,
                "fingerprint": file.fingerprint,
                "path": file.path,
            }
            lines.write(json.dumps(line) + "\n")
    return str(path)


def batches(files: list[File]) -> Iterator[list[File]]:
    """Consecutive files, as many as one transaction takes."""
    batch: list[File] = []
    size = 0
    for file in files:
        if batch and (len(batch) == BATCH_FILES or size + file.size > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(file)
        size += file.size
    if batch:
        yield batch


def files_at(files: list[File], runs: list[list[int]]) -> list[File]:
    """The files at runs of consecutive positions."""
    return [file for first, last in runs for file in files[first : last + 1]]


def plan(
    dbt: Dbt, sources: list[Source], full_refresh: bool, dry_run: bool, folder: Path
) -> Iterator[tuple[Source, list[File], int]]:
    """What to load: each source, its files and the newest load known of it."""
    listings = {
        source.table: write_file_list(folder / f"{source.table}.json", source.files)
        for source in sources
    }
    by_table = {source.table: source for source in sources}
    for told in dbt.run_operation("plan_load", listings=listings, dry_run=dry_run):
        if "sql" in told:
            click.echo(told["sql"] + ";\n")
            continue
        source = by_table[told["source_table"]]
        changed = files_at(source.files, told["changed"])
        if full_refresh:
            files = source.files
        else:
            files = files_at(source.files, told["new"])
            if changed:
                warn(
                    f"{source.table}: {len(changed)} files changed since they were loaded, such"
                    f" as {changed[0].name}; their rows are as they were, until --full-refresh."
                )
        yield source, files, told["last_load_id"]


def load(
    dbt: Dbt, source: Source, files: list[File], last_load_id: int, replace: bool, dry_run: bool
) -> None:
    """Loads files batch by batch, each in one transaction."""
    for batch in batches(files):
        started = time.monotonic()
        size = sum(file.size for file in batch)
        if not dry_run:
            warn(f"{source.table}: loading {len(batch):,} files, {size:,} bytes")
        with tempfile.TemporaryDirectory(prefix="load_staging_") as folder:
            local = batch
            if source.location.startswith("s3://") and not dry_run:
                local = fetch(batch, Path(folder))
            try:
                (told,) = dbt.run_operation(
                    "load_batch",
                    source_table=source.table,
                    file_list=write_file_list(Path(folder, "files.json"), local),
                    last_load_id=last_load_id,
                    replace=replace,
                    dry_run=dry_run,
                )
            except click.ClickException as error:
                raise click.ClickException(named(error.message, local)) from None
        if dry_run:
            click.echo(told["sql"] + ";\n")
            continue
        last_load_id, replace = told["load_id"], False
        source.loaded += len(batch)
        source.rows += told["row_count"]
        source.bytes += size
        source.seconds += time.monotonic() - started


def named(message: str, files: list[File]) -> str:
    """A message in which files go by the names that the user knows."""
    names = {file.path: file.name for file in files}
    return re.sub(r"/[^\s\"']+", lambda path: names.get(path[0], path[0]), message)


def warn(message: str) -> None:
    """Something said beside the result: progress, warnings."""
    click.echo(message, err=True)


def summary(sources: list[Source]) -> str:
    """The table at the end of a load."""
    rows = [("source table", "found", "loaded", "rows", "bytes", "seconds")]
    rows += [
        (s.table, f"{len(s.files):,}", f"{s.loaded:,}", f"{s.rows:,}", f"{s.bytes:,}",
         f"{s.seconds:.1f}")
        for s in sources
    ]  # fmt: skip
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join(
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows
    )


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--select", "-s", cls=MultiOption, multiple=True, type=tuple, metavar="SOURCE_TABLE...",
    help="Only these source tables.",
)  # fmt: skip
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
        raise click.ClickException(
            f"--select: no source table is called {' or '.join(unknown)}; there are"
            f" {' and '.join(known)}."
        )
    sources = [source for source in sources if not select or source.table in select]
    for source in sources:
        source.files = find_files(source, project_dir)

    with tempfile.TemporaryDirectory(prefix="load_staging_") as folder:
        if dry_run:
            dbt.spare_database(Path(folder))
        for source, files, last_load_id in list(
            plan(dbt, sources, full_refresh, dry_run, Path(folder))
        ):
            load(dbt, source, files, last_load_id, full_refresh, dry_run)

    if dry_run:
        return
    click.echo(summary(sources))
    if not any(source.loaded for source in sources):
        click.echo("Nothing new.")
    elif full_refresh:
        click.echo("The raw tables were replaced: run `dbt build --full-refresh` now.")


if __name__ == "__main__":
    main()
