"""Loading what is new, batch by batch, and where the engine reads it."""

import contextlib
import json
import os
import re
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError
from click import ClickException

from loader import Refused, Unreadable, in_words, note, progress, s3
from loader.files import File
from loader.plan import Options, Source, Step, batches, steps, to_join
from loader.reading import Provided, join, look_at
from loader.warehouse import Conflict, Dbt

ATTEMPTS = 4  # at a load that others come in between
JUDGED_BYTES = 1024**3  # up to which a refused batch is read again only to say why
PREFIX = "load_staging_"
LEFT_AFTER = 24 * 60 * 60  # seconds, longer than any batch takes


class Stage:
    """A temporary folder that the engine reads; Redshift reads copies of its files, under a
    prefix of their own in DBT_STAGE_LOCATION. Raises ClickException if they cannot be written."""

    def __init__(self, is_redshift: bool):
        self.location = os.environ["DBT_STAGE_LOCATION"] if is_redshift else ""
        self.suffix = ".json.gz" if is_redshift else ".json"
        self.left = f"{self.location.rstrip('/')}/{PREFIX}"
        self.prefix = f"{self.left}{uuid.uuid4().hex}/"
        self.given: list[str] = []

    def __enter__(self):
        self.temporary = tempfile.TemporaryDirectory(prefix=PREFIX)
        self.folder = Path(self.temporary.name)
        return self

    def __exit__(self, _: object, error: BaseException | None, *__: object) -> None:
        self.temporary.cleanup()
        self._delete(self.given)
        if isinstance(error, OSError) and not isinstance(error, BrokenPipeError):
            raise ClickException(
                f"cannot write to the temporary folder {self.folder}, which TMPDIR may set: {error}"
            ) from error

    def write(self, name: str, rows: Iterable[dict]) -> str:
        """Writes rows as JSON lines into a file; where the engine reads it."""
        encode = json.JSONEncoder(ensure_ascii=False).encode
        path = self.folder / name
        with path.open("w", encoding="utf-8") as stream:
            stream.writelines(encode(row) + "\n" for row in rows)
        return self.give(str(path))

    def give(self, path: str) -> str:
        """Where the engine reads a file of the folder."""
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
        self.given.append(url)
        return url

    def clear_left(self) -> None:
        """Removes what was left by loads that were killed."""
        before = time.time() - LEFT_AFTER
        for folder in self.folder.parent.glob(f"{PREFIX}*"):
            with contextlib.suppress(FileNotFoundError):  # another load ends
                if folder.stat().st_mtime < before:
                    shutil.rmtree(folder, ignore_errors=True)  # it may be another user's
        if self.location:
            listed = s3.list_objects(self.left)
            self._delete(url for url, entry in listed if entry["LastModified"].timestamp() < before)

    def _delete(self, urls: Iterable[str]) -> None:
        try:
            for url in urls:
                s3.client().delete_object(**s3.bucket_and_key(url))
        except (BotoCoreError, ClientError) as error:
            note(
                f"{self.location}, set by DBT_STAGE_LOCATION, could not be cleared of what loads"
                f" have left under {self.left}, which nothing reads again: {error}"
            )


class Load:
    """One run of load_staging.py."""

    def __init__(self, dbt: Dbt, options: Options):
        self.dbt, self.options = dbt, options

    def load_all(self, sources: list[Source]) -> None:
        """Loads what is new, and goes on where other transactions came in between."""
        pending = list(sources)
        for attempt in range(1, ATTEMPTS + 1):
            try:
                self.plan(pending)
                while pending:
                    for step in pending[0].steps:
                        self.load(pending[0], step)
                    pending.pop(0)
                return
            except Conflict as conflict:
                if attempt == ATTEMPTS:
                    raise
                note(f"{conflict.message} Trying again.")
                time.sleep(2 ** (attempt - 1))

    def plan(self, sources: list[Source]) -> None:
        """Has the warehouse tell which files it lacks, and plans the sources' steps by that."""
        by_table = {source.table: source for source in sources}
        with Stage(self.dbt.is_redshift) as stage:
            if not self.options.dry_run:
                stage.clear_left()
            told = self.dbt.run_operation(
                "plan_load",
                listings={
                    table: stage.write(f"{table}.json", numbered(source.files))
                    for table, source in by_table.items()
                },
                prefixes={table: source.full_prefix for table, source in by_table.items()},
                project_dir=f"{self.dbt.project_dir.as_posix()}/",
                full_refresh=self.options.full_refresh,
                dry_run=self.options.dry_run,
            )
        for part in told:
            source = by_table[part["source_table"]]
            source.last_load = part["last_load"]
            source.steps = steps(source, part, self.options)

    def load(self, source: Source, step: Step) -> None:
        """Loads files batch by batch, each in one transaction."""
        small, rest = to_join(step.files, self.options.join_from)
        if self.dbt.is_redshift and not self.options.dry_run:
            looked = look_at(rest, source.columns)
            rest = looked.files
            note_keys(source, looked.keys)
        for files, is_joined in batches(small, rest, self.dbt.is_redshift):
            if self.options.dry_run:
                self.load_batch(source, step, files, is_joined)
                continue
            if source.loaded and self.dbt.is_redshift:
                time.sleep(1)  # loads are told apart by the second there
            started, size = time.monotonic(), sum(file.file_size for file in files)
            note(f"{source.table}: loading {in_words(len(files), 'file')}, {size:,} bytes")
            try:
                result = self.load_batch(source, step, files, is_joined)
            except Refused as error:
                if size > JUDGED_BYTES and not self.options.max_errors:
                    raise
                note(f"{source.table}: reading these files object by object, to find bad rows")
                result = self.load_batch(source, step, files, True, error)
            if step.replaces == "all":  # also what this run has loaded before a conflict
                self.options.max_errors += source.rejected
                source.loaded = source.rows = source.rejected = source.bytes = 0
            source.is_replaced |= step.replaces is not None
            source.last_load, step.replaces = result["load"], None
            source.loaded += len(files)
            source.rows += result["row_count"]
            source.rejected += result["rejected_count"]
            source.bytes += size
            source.seconds += time.monotonic() - started
            self.options.max_errors -= result["rejected_count"]

    def load_batch(
        self, source: Source, step: Step, files: list[File], is_joined: bool, refused=None
    ) -> dict | None:
        """Loads files in one transaction; what the macro load_batch reported. `refused` is the
        error of an attempt before. Raises Refused if more rows are bad than may be."""
        started, dry_run = time.monotonic(), self.options.dry_run
        with Stage(self.dbt.is_redshift) as stage:
            if dry_run or (self.dbt.is_redshift and not is_joined):
                provided = Provided(files)  # which have been looked at, on Redshift
            elif is_joined:
                provided = self.join(stage, source, files, refused)
            else:
                provided = look_at(files, source.columns, stage.folder)
            note_keys(source, provided.keys)
            counts = [file.object_count for file in provided.files]
            request = {
                "source_table": source.table,
                "last_load": source.last_load,
                "replaces": step.replaces,
                "is_new_type": step.is_new_type,
                "file_list": stage.write("files.json", numbered(provided.files)),
                "object_count": sum(count or 0 for count in counts),
                "is_counted": None not in counts,
                "reject_count": len(provided.rejects),
            }
            if provided.rejects:
                request["rejects"] = stage.write("rejects.json", provided.rejects)
            if self.dbt.is_redshift:
                # https://docs.aws.amazon.com/redshift/latest/dg/loading-data-files-using-manifest.html
                paths = dict.fromkeys(file.path for file in provided.files)
                entries = [{"url": path, "mandatory": True} for path in paths]
                request["manifest"] = stage.write("manifest.json", [{"entries": entries}])
                request["compression"] = "gzip" if is_joined else files[0].compression
            else:
                request["is_folded"] = is_folded(source, provided.keys)
            try:
                with progress(f"{source.table}: loading"):
                    told = self.dbt.run_operation("load_batch", batch=request, dry_run=dry_run)
            except Refused as error:
                raise Refused(self.refusal(error.message, provided.files, started)) from None
        return None if dry_run else told[0]

    def join(
        self, stage: Stage, source: Source, files: list[File], refused: Refused | None
    ) -> Provided:
        """Files joined where the engine can read them; those that were refused with their bad
        rows told from the good ones."""
        most = self.options.max_errors if refused else None
        try:
            joined = join(files, stage.folder, stage.suffix, source.columns, most)
        except Unreadable as error:
            raise (refused if most == 0 else error) from None
        if refused and not joined.rejects:
            raise refused
        parts = {path: stage.give(path) for path in {file.path for file in joined.files}}
        joined.files = [file._replace(path=parts[file.path]) for file in joined.files]
        return joined

    def refusal(self, message: str, files: list[File], started: float) -> str:
        """Why the engine refused a batch, in names that the user knows."""
        view = re.search(r"Load into table '.*'(stl_load_errors|sys_load_error_detail)'", message)
        for _ in range(5 if view else 0):  # the view may lag behind the COPY
            seconds = int(time.monotonic() - started) + 60
            (told,) = self.dbt.run_operation("report_load_errors", view=view[1], seconds=seconds)
            if told["errors"]:
                message = " ".join(["COPY refused what it read.", *told["errors"]])
                break
            time.sleep(1)
        names: dict[str, list[str]] = {}
        for file in files:
            names.setdefault(file.path, []).append(file.file_name)
        for path, (first, *others) in names.items():
            joined = f"what was joined of {first} and {len(others)} files after it"
            message = message.replace(path, joined if others else first)
        return message


def note_keys(source: Source, keys: dict[str, str]) -> None:
    """Notes the keys that no column takes."""
    known = {column.name.lower() for column in source.columns}
    for key, name in keys.items():
        if key.lower() not in known:
            note(f"{source.table}: no column takes the key {key}, seen in {name}")


def is_folded(source: Source, keys: dict[str, str]) -> bool:
    """Whether a key is a column's only if case does not count, as it does not on Redshift."""
    names = {column.name for column in source.columns}
    return bool({key.lower() for key in keys.keys() - names} & {name.lower() for name in names})


def numbered(files: list[File]) -> Iterator[dict]:
    """Files as the macros read them, each with its number in the list."""
    return ({"file_number": number} | file._asdict() for number, file in enumerate(files))
