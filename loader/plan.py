"""What there is to load, in which steps and batches."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass, field

from click import ClickException

from loader import note
from loader.files import File, is_s3
from loader.rows import Column

BATCH_FILES = 100_000
DUCKDB_FILES = 5_000  # each that it reads at once takes it some 100 KB of memory
BATCH_BYTES = 4 * 1024**3  # also the disk that objects fetched from S3 take at most
SMALL_BYTES = 64 * 1024  # up to which an object of S3 may be joined with others
GONE = ("gone", "elsewhere")


@dataclass
class Step:
    """Files to load, and what they replace: "all" that the table holds, one load by its load_id,
    or nothing."""

    files: list[File]
    replaces: str | int | None = None
    is_new_type: bool = False


@dataclass
class Source:
    """A source table, the files under its location and what becomes of them."""

    table: str
    location: str
    variable: str  # of the environment, which sets the location
    pattern: str  # of the names of its files
    columns: list[Column]
    files: list[File] = field(default_factory=list)
    full_prefix: str = ""
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
    join_from: int
    keep_gone: bool


@dataclass
class Batch:
    """Files that are loaded in one transaction."""

    files: list[File]
    compression: str = ""  # Redshift: of all of them, or of what the loader makes of them
    is_joined: bool = False  # the loader reads the objects and writes them into parts
    refusal: str = ""  # what the engine said of them: the loader then compares rows with columns


def steps(source: Source, told: dict, options: Options) -> list[Step]:
    """What to load into a source table, by what plan_load told of it."""
    if options.full_refresh:
        return [Step(source.files, "all", told["is_new_type"])]
    if told["is_whole_prefix"]:
        raise ClickException(
            f"{source.table} was loaded by `dbt run-operation load_staging`, which leaves no"
            " record of the files: go on with --full-refresh."
        )
    check_location_covers(source, told, options)
    runs = told["files"]
    changed = [run for run in runs if run["state"] == "changed"]
    gone = [run for run in runs if run["state"] in GONE]
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
        if lost := [run for run in members if run["state"] in GONE]:
            raise ClickException(
                f"{source.table}: {changed[0]['file_name']} cannot be reloaded, since"
                f" {lost[0]['file_name']} was loaded with it and is gone: put that back, or go on"
                " with --full-refresh, which drops its rows."
            )
        planned.append(Step(files_in(source, members), replaces=load_id))
    if changed:
        note(
            f"{source.table}: reloading {count(changed)} changed files and those loaded with them,"
            f" {sum(len(step.files) for step in planned)} in all"
        )
    return [*planned, Step(files_in(source, [r for r in runs if r["state"] == "new"]))]


def check_location_covers(source: Source, told: dict, options: Options) -> None:
    """Raises ClickException if the files loaded last are not under the location, or if none that
    is loaded is there any more: the location is another than it was, perhaps by mistake."""
    runs = told["files"]
    gone = [run for run in runs if run["state"] in GONE]
    is_any_left = any(run["state"] in ("loaded", "changed") for run in runs)
    newest = told["last_load"]["load_id"]
    elsewhere = [run for run in gone if run["state"] == "elsewhere" and run["load_id"] == newest]
    if options.keep_gone or not gone or (is_any_left and not elsewhere):
        return
    lost = elsewhere or gone
    names = [run[name] for run in lost for name in ("file_name", "last_file_name")]
    folders = zip(*(name.split("/")[:-1] for name in names), strict=False)
    shared = itertools.takewhile(lambda parts: len(set(parts)) == 1, folders)
    folder = "/".join(parts[0] for parts in shared)
    is_set = source.variable in os.environ
    raise ClickException(
        f"{source.table} holds the rows of {count(lost):,} files of {folder}/, such as {names[0]},"
        f" which are not under {source.location},"
        f" {'set by' if is_set else 'the sample, for want of'} {source.variable}. Nothing was"
        " loaded. To keep the two apart, load into another database (DBT_DUCKDB_PATH, on Redshift"
        " DBT_REDSHIFT_DATABASE); to have the one replace the other, go on with --full-refresh; if"
        " it is right that they come together, with --keep-gone, which leaves those rows."
    )


def files_in(source: Source, runs: list[dict]) -> list[File]:
    """The files in runs of consecutive numbers, in the order of the listing."""
    runs = sorted(runs, key=lambda run: run["first"])
    return [file for run in runs for file in source.files[run["first"] : run["last"] + 1]]


def count(runs: list[dict]) -> int:
    """How many files the runs have."""
    return sum(run["file_count"] for run in runs)


def to_join(files: list[File], options: Options) -> tuple[list[File], list[File]]:
    """The files to join with others, and the rest."""
    small = [file for file in files if is_s3(file.path) and file.file_size <= SMALL_BYTES]
    if not options.join_from or len(small) < options.join_from:
        return [], files
    return small, [f for f in files if not is_s3(f.path) or f.file_size > SMALL_BYTES]


def batches(small: list[File], rest: list[File], engine: str) -> Iterator[Batch]:
    """Files, as many as one transaction takes; on Redshift of one compression each."""
    by_compression: dict[str, list[File]] = {}
    for file in rest:
        kind = file.compression if engine == "redshift" else ""
        by_compression.setdefault(kind, []).append(file)
    most = BATCH_FILES if engine == "redshift" else min(BATCH_FILES, DUCKDB_FILES)
    for compression, files in sorted(by_compression.items()):
        yield from (Batch(each, compression) for each in split(files, most))
    part = "gzip" if engine == "redshift" else ""
    yield from (Batch(each, part, is_joined=True) for each in split(small, BATCH_FILES))


def split(files: list[File], most: int) -> Iterator[list[File]]:
    """Files, as many as one transaction takes."""
    batch: list[File] = []
    size = 0
    for file in files:
        if batch and (len(batch) == most or size + file.file_size > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(file)
        size += file.file_size
    if batch:
        yield batch
