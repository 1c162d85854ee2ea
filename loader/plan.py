"""What there is to load, and in which tasks and batches."""

import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass, field

from click import ClickException

from loader import note, pluralize
from loader.files import File
from loader.rows import Column
from loader.s3 import is_s3

BATCH_FILES = 100_000
DUCKDB_FILES = 5_000  # DuckDB takes about 100 KB of memory for each file that it reads at once
BATCH_BYTES = 4 * 1024**3  # also bounds the disk space of objects downloaded from S3
SMALL_BYTES = 64 * 1024  # S3 objects of up to this size may be joined


@dataclass
class Task:
    """Files to load, and what they replace: "all", one load by its load_id, or nothing."""

    files: list[File]
    replaces: str | int | None = None
    has_new_types: bool = False


@dataclass
class Source:
    """A source table, where its files are, and the files found there."""

    table: str
    location: str
    variable: str  # environment variable that sets the location
    pattern: str  # of file names
    columns: list[Column]
    files: list[File] = field(default_factory=list)
    prefix: str = ""  # of the full names of all files
    left_out: dict[str, int] = field(default_factory=dict)  # how many other files, by reason


@dataclass
class Options:
    """How to load, as asked for on the command line."""

    full_refresh: bool
    reload: bool
    max_errors: int
    join_from: int
    keep_gone: bool
    dry_run: bool


def plan_tasks(source: Source, comparison: dict, options: Options) -> list[Task]:
    """What to load into a source table, by the macro plan_load's comparison with the ledger."""
    if options.full_refresh:
        return [Task(source.files, "all", comparison["has_new_types"])]
    if comparison["is_whole_prefix"]:
        raise ClickException(
            f"{source.table} was loaded by `dbt run-operation load_staging`, which does not record"
            " its files: run load_staging.py with --full-refresh."
        )
    check_same_location(source, comparison, options)
    gone = ranges_in(comparison, "gone", "elsewhere")
    changed = ranges_in(comparison, "changed")
    if gone and options.dry_run:
        note(
            f"{source.table}: {pluralize(file_count(gone), 'loaded file')} gone, such as"
            f" {gone[0]['file_name']}; the rows stay until --full-refresh."
        )
    if changed and not options.reload:
        note(
            f"{source.table}: {pluralize(file_count(changed), 'file')} changed since the load, such"
            f" as {changed[0]['file_name']}; the rows stay as they were until --reload."
        )
        changed = []
    tasks = []
    for load_id in sorted({each["load_id"] for each in changed}):
        if lost := [each for each in gone if each["load_id"] == load_id]:
            raise ClickException(
                f"{source.table}: {changed[0]['file_name']} cannot be reloaded, since"
                f" {lost[0]['file_name']} was loaded with it and is gone: put it back, or use"
                " --full-refresh, which drops its rows."
            )
        members = [each for each in comparison["ranges"] if each["load_id"] == load_id]
        tasks.append(Task(files_in(source, members), replaces=load_id))
    if changed:
        note(
            f"{source.table}: reloading {pluralize(file_count(changed), 'changed file')} and those"
            f" loaded with them, {sum(len(task.files) for task in tasks)} in all"
        )
    return [*tasks, Task(files_in(source, ranges_in(comparison, "new")))]


def check_same_location(source: Source, comparison: dict, options: Options) -> None:
    """Raises ClickException if the location has changed, perhaps by mistake: the files of the
    newest load are not under it, or no loaded file is."""
    gone = ranges_in(comparison, "gone", "elsewhere")
    newest = comparison["last_load"]["load_id"]
    elsewhere = [each for each in ranges_in(comparison, "elsewhere") if each["load_id"] == newest]
    is_any_left = ranges_in(comparison, "loaded", "changed")
    if options.keep_gone or not gone or (is_any_left and not elsewhere):
        return
    lost = elsewhere or gone
    names = [each[name] for each in lost for name in ("file_name", "last_file_name")]
    folders = zip(*(name.split("/")[:-1] for name in names), strict=False)
    shared = itertools.takewhile(lambda parts: len(set(parts)) == 1, folders)
    folder = "/".join(parts[0] for parts in shared)
    set_by = "set by" if source.variable in os.environ else "the default of"
    raise ClickException(
        f"{source.table} holds the rows of {pluralize(file_count(lost), 'file')} of {folder}/, such"
        f" as {names[0]}, which are not under {source.location}, {set_by} {source.variable}."
        " Nothing was loaded. Use another database (DBT_DUCKDB_PATH, DBT_REDSHIFT_DATABASE) to keep"
        " the two apart, --full-refresh to replace the old rows, or --keep-gone to add to them."
    )


def ranges_in(comparison: dict, *states: str) -> list[dict]:
    """The ranges of files that are in one of these states."""
    return [each for each in comparison["ranges"] if each["state"] in states]


def file_count(ranges: list[dict]) -> int:
    """The number of files in some ranges."""
    return sum(each["file_count"] for each in ranges)


def files_in(source: Source, ranges: list[dict]) -> list[File]:
    """The files in some ranges, in the order of the listing."""
    ranges = sorted(ranges, key=lambda each: each["first"])
    return [file for each in ranges for file in source.files[each["first"] : each["last"] + 1]]


def split_off_small(files: list[File], join_from: int) -> tuple[list[File], list[File]]:
    """The small S3 objects, if there are enough of them to be joined, and the rest."""
    groups: dict[bool, list[File]] = {True: [], False: []}
    for file in files:
        groups[is_s3(file.path) and file.file_size <= SMALL_BYTES].append(file)
    return (groups[True], groups[False]) if 0 < join_from <= len(groups[True]) else ([], files)


def batches(
    small: list[File], rest: list[File], is_redshift: bool
) -> Iterator[tuple[list[File], bool]]:
    """The files of each transaction, and whether they are joined. A COPY takes one compression."""
    by_compression: dict[str, list[File]] = {}
    for file in rest:
        by_compression.setdefault(file.compression if is_redshift else "", []).append(file)
    max_files = BATCH_FILES if is_redshift else min(BATCH_FILES, DUCKDB_FILES)
    for _, files in sorted(by_compression.items()):
        yield from ((batch, False) for batch in split(files, max_files))
    yield from ((batch, True) for batch in split(small, BATCH_FILES))


def split(files: list[File], max_files: int) -> Iterator[list[File]]:
    """Files, as many at a time as one transaction takes."""
    batch: list[File] = []
    size = 0
    for file in files:
        if batch and (len(batch) == max_files or size + file.file_size > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(file)
        size += file.file_size
    if batch:
        yield batch
