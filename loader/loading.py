"""Loading what is new, batch by batch, through a stage that the engine can read."""

import contextlib
import json
import os
import re
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from click import ClickException

from loader import BadRows, Unreadable, note, pluralize, progress, s3
from loader.files import File
from loader.plan import Options, Source, Task, batches, plan_tasks, split_off_small
from loader.reading import PreparedFiles, inspect_files, join
from loader.warehouse import Conflict, Dbt

ATTEMPTS = 4  # to load while other transactions interfere
DIAGNOSED_BYTES = 1024**3  # larger batches that fail are only read again with --max-errors
STAGE_NAME = "load_staging_"  # what the names of temporary folders and of uploads begin with
STALE_SECONDS = 24 * 60 * 60  # no batch takes that long


@dataclass
class LoadResult:
    """What a run has loaded into a source table."""

    files: int = 0
    rows: int = 0
    rejected: int = 0
    bytes: int = 0
    seconds: float = 0.0
    has_replaced: bool = False


def stage_prefix(location: str) -> str:
    """What the addresses of all uploads to a stage location begin with."""
    return f"{location.rstrip('/')}/{STAGE_NAME}"


class Stage:
    """A temporary folder that the engine reads; for Redshift its files are uploaded to a prefix
    of their own under DBT_STAGE_LOCATION. Raises ClickException if they cannot be written."""

    def __init__(self, is_redshift: bool):
        self.location = os.environ["DBT_STAGE_LOCATION"] if is_redshift else ""
        self.prefix = f"{stage_prefix(self.location)}{uuid.uuid4().hex}/"
        self.uploaded: list[str] = []

    def __enter__(self):
        self.temporary = tempfile.TemporaryDirectory(prefix=STAGE_NAME)
        self.folder = Path(self.temporary.name)
        return self

    def __exit__(self, _: object, error: BaseException | None, *__: object) -> None:
        self.temporary.cleanup()
        self._delete(self.uploaded)
        if isinstance(error, OSError) and not isinstance(error, BrokenPipeError):
            raise ClickException(
                f"cannot write to the temporary folder {self.folder}, set by TMPDIR: {error}"
            ) from error

    def write(self, name: str, rows: Iterable[dict]) -> str:
        """Writes rows as JSON lines into a file; returns where the engine reads it."""
        encode = json.JSONEncoder(ensure_ascii=False).encode
        path = self.folder / name
        with path.open("w", encoding="utf-8") as stream:
            stream.writelines(encode(row) + "\n" for row in rows)
        return self.publish(str(path))

    def publish(self, path: str) -> str:
        """Uploads a file of the folder for Redshift; returns where the engine reads it."""
        if not self.location:
            return path
        url = self.prefix + Path(path).name
        try:
            with Path(path).open("rb") as body:
                s3.client().put_object(**s3.bucket_and_key(url), Body=body)
        except (BotoCoreError, ClientError) as error:
            raise ClickException(
                f"cannot write to {self.location}, set by DBT_STAGE_LOCATION: {error}"
            ) from error
        self.uploaded.append(url)
        return url

    def remove_stale(self) -> None:
        """Removes what loads that were killed have left behind."""
        before = time.time() - STALE_SECONDS
        for folder in self.folder.parent.glob(f"{STAGE_NAME}*"):
            with contextlib.suppress(FileNotFoundError):  # another load ends
                if folder.stat().st_mtime < before:
                    shutil.rmtree(folder, ignore_errors=True)  # it may be another user's
        if self.location:
            listed = s3.list_objects(stage_prefix(self.location))
            self._delete(url for url, entry in listed if entry["LastModified"].timestamp() < before)

    def _delete(self, urls: Iterable[str]) -> None:
        try:
            for url in urls:
                s3.client().delete_object(**s3.bucket_and_key(url))
        except (BotoCoreError, ClientError) as error:
            note(f"{self.location}, set by DBT_STAGE_LOCATION, could not be cleaned up: {error}")


class Load:
    """One run of load_staging.py."""

    def __init__(self, dbt: Dbt, options: Options, results: dict[str, LoadResult]):
        self.dbt, self.options, self.results = dbt, options, results
        self.errors_left = options.max_errors
        self.last_loads: dict[str, dict] = {}  # by source table; a newer one is a conflict

    def run(self, sources: list[Source]) -> None:
        """Loads what is new, and tries again if other transactions come in between."""
        pending = list(sources)
        for attempt in range(1, ATTEMPTS + 1):
            try:
                tasks = self.plan(pending)
                while pending:
                    for task in tasks[pending[0].table]:
                        self.load(pending[0], task)
                    pending.pop(0)
                return
            except Conflict as conflict:
                if attempt == ATTEMPTS:
                    raise
                note(f"{conflict.message} Trying again.")
                time.sleep(2 ** (attempt - 1))

    def plan(self, sources: list[Source]) -> dict[str, list[Task]]:
        """The tasks for each source table, once the warehouse has compared its files."""
        with Stage(self.dbt.is_redshift) as stage:
            if not self.options.dry_run:
                stage.remove_stale()
            comparisons = self.dbt.run_operation(
                "plan_load",
                listings={
                    source.table: stage.write(f"{source.table}.json", file_list(source.files))
                    for source in sources
                },
                prefixes={source.table: source.prefix for source in sources},
                project_dir=f"{self.dbt.project_dir.as_posix()}/",
                full_refresh=self.options.full_refresh,
                dry_run=self.options.dry_run,
            )
        by_table = {each["source_table"]: each for each in comparisons}
        self.last_loads = {table: each["last_load"] for table, each in by_table.items()}
        return {
            source.table: plan_tasks(source, by_table[source.table], self.options)
            for source in sources
        }

    def load(self, source: Source, task: Task) -> None:
        """Loads a task's files batch by batch, each in one transaction."""
        small, rest = split_off_small(task.files, self.options.join_from)
        if self.dbt.is_redshift and not self.options.dry_run:
            inspected = inspect_files(rest, source.columns)
            rest = inspected.files
            note_unknown_keys(source, inspected.keys)
        result = self.results[source.table]
        for files, is_joined in batches(small, rest, self.dbt.is_redshift):
            if self.options.dry_run:
                self.load_batch(source, task, files, is_joined)
                continue
            if result.files and self.dbt.is_redshift:
                time.sleep(1)  # Redshift's loaded_at, one for each load, has whole seconds
            started, size = time.monotonic(), sum(file.file_size for file in files)
            note(f"{source.table}: loading {pluralize(len(files), 'file')}, {size:,} bytes")
            try:
                loaded = self.load_batch(source, task, files, is_joined)
            except BadRows as error:
                if size > DIAGNOSED_BYTES and not self.errors_left:
                    raise
                note(f"{source.table}: reading these files object by object to find bad rows")
                loaded = self.load_batch(source, task, files, True, error)
            if task.replaces == "all":  # including what this run has loaded before a conflict
                self.errors_left += result.rejected
                result.files = result.rows = result.rejected = result.bytes = 0
            result.has_replaced |= task.replaces is not None
            self.last_loads[source.table], task.replaces = loaded["load"], None
            result.files += len(files)
            result.rows += loaded["row_count"]
            result.rejected += loaded["rejected_count"]
            result.bytes += size
            result.seconds += time.monotonic() - started
            self.errors_left -= loaded["rejected_count"]

    def load_batch(
        self, source: Source, task: Task, files: list[File], is_joined: bool, refusal=None
    ) -> dict:
        """Loads files in one transaction; returns what the macro load_batch reports. `refusal` is
        the BadRows of a first attempt. Raises BadRows if there are more bad rows than allowed."""
        started, dry_run = time.monotonic(), self.options.dry_run
        with Stage(self.dbt.is_redshift) as stage:
            if dry_run or (self.dbt.is_redshift and not is_joined):
                prepared = PreparedFiles(files)  # on Redshift, load has inspected them
            elif is_joined:
                prepared = self.join(stage, source, files, refusal)
            else:
                prepared = inspect_files(files, source.columns, stage.folder)
            note_unknown_keys(source, prepared.keys)
            counts = [file.object_count for file in prepared.files]
            batch: dict[str, Any] = {
                "source_table": source.table,
                "last_load": self.last_loads[source.table],
                "replaces": task.replaces,
                "has_new_types": task.has_new_types,
                "file_list": stage.write("files.json", file_list(prepared.files)),
                "object_count": sum(count or 0 for count in counts),
                "is_counted": None not in counts,
                "reject_count": len(prepared.rejects),
            }
            if prepared.rejects:
                batch["rejects"] = stage.write("rejects.json", prepared.rejects)
            if self.dbt.is_redshift:
                # https://docs.aws.amazon.com/redshift/latest/dg/loading-data-files-using-manifest.html
                paths = dict.fromkeys(file.path for file in prepared.files)
                entries = [{"url": path, "mandatory": True} for path in paths]
                batch["manifest"] = stage.write("manifest.json", [{"entries": entries}])
                batch["compression"] = "gzip" if is_joined else files[0].compression
            else:
                batch["ignore_case"] = has_keys_in_other_case(source, prepared.keys)
            try:
                with progress(f"{source.table}: loading"):
                    reports = self.dbt.run_operation("load_batch", batch=batch, dry_run=dry_run)
            except BadRows as error:
                raise self.explained(error, prepared.files, started) from None
        return {} if dry_run else reports[0]

    def join(
        self, stage: Stage, source: Source, files: list[File], refusal: BadRows | None
    ) -> PreparedFiles:
        """Files joined where the engine can read them; after a refusal without their bad rows."""
        max_bad = self.errors_left if refusal else None
        suffix = ".json.gz" if self.dbt.is_redshift else ".json"
        try:
            joined = join(files, stage.folder, suffix, source.columns, max_bad)
        except Unreadable as error:
            raise (refusal if refusal and not max_bad else error) from None
        if refusal and not joined.rejects:
            raise refusal
        parts = {path: stage.publish(path) for path in {file.path for file in joined.files}}
        joined.files = [file._replace(path=parts[file.path]) for file in joined.files]
        return joined

    def explained(self, error: BadRows, files: list[File], started: float) -> BadRows:
        """The engine's error with the reasons of COPY, and with the names of the user's files."""
        message = error.message
        view = re.search(r"Load into table '.*'(stl_load_errors|sys_load_error_detail)'", message)
        for name in [view[1]] * 5 if view else []:  # the view may lag behind the COPY
            seconds = int(time.monotonic() - started) + 60
            (report,) = self.dbt.run_operation("report_load_errors", view=name, seconds=seconds)
            if report["errors"]:
                message = " ".join(["COPY refused what it read.", *report["errors"]])
                break
            time.sleep(1)
        names: dict[str, list[str]] = {}
        for file in files:
            names.setdefault(file.path, []).append(file.file_name)
        for path, (first, *others) in names.items():
            joined = f"the part joined from {first} and {len(others)} files after it"
            message = message.replace(path, joined if others else first)
        return BadRows(message)


def note_unknown_keys(source: Source, keys: dict[str, str]) -> None:
    """Notes the keys that have no column."""
    known = {column.name.lower() for column in source.columns}
    for key, name in keys.items():
        if key.lower() not in known:
            note(f"{source.table}: no column takes the key {key}, seen in {name}")


def has_keys_in_other_case(source: Source, keys: dict[str, str]) -> bool:
    """Whether a key differs from its column's name in case, which Redshift ignores."""
    names = {column.name.lower(): column.name for column in source.columns}
    return any(names.get(key.lower(), key) != key for key in keys)


def file_list(files: list[File]) -> Iterator[dict]:
    """Files with their number in the list, as rows for the macros."""
    return ({"file_number": number} | file._asdict() for number, file in enumerate(files))
