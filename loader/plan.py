"""What there is to load, in which steps and batches."""

import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass, field

from click import ClickException

from loader import in_words, note
from loader.files import File
from loader.rows import Column
from loader.s3 import is_s3

BATCH_FILES = 100_000
DUCKDB_FILES = 5_000  # each that it reads at once takes it some 100 KB of memory
BATCH_BYTES = 4 * 1024**3  # also the disk that objects fetched from S3 take at most
SMALL_BYTES = 64 * 1024  # up to which an object of S3 may be joined with others


@dataclass
class Step:
    """Files to load, and what they replace: "all", one load by its load_id, or nothing."""

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
    join_from: int
    keep_gone: bool
    dry_run: bool


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
    gone, changed = of_state(told, "gone", "elsewhere"), of_state(told, "changed")
    if gone and options.dry_run:
        note(
            f"{source.table}: {in_words(count(gone), 'loaded file')} gone, such as"
            f" {gone[0]['file_name']}; the rows stay, until --full-refresh."
        )
    if changed and not options.reload:
        note(
            f"{source.table}: {in_words(count(changed), 'file')} changed since the load, such as"
            f" {changed[0]['file_name']}; their rows are as they were, until --reload."
        )
        changed = []
    planned = []
    for load_id in sorted({run["load_id"] for run in changed}):
        if lost := [run for run in gone if run["load_id"] == load_id]:
            raise ClickException(
                f"{source.table}: {changed[0]['file_name']} cannot be reloaded, since"
                f" {lost[0]['file_name']} was loaded with it and is gone: put that back, or go on"
                " with --full-refresh, which drops its rows."
            )
        members = [run for run in told["files"] if run["load_id"] == load_id]
        planned.append(Step(files_in(source, members), replaces=load_id))
    if changed:
        note(
            f"{source.table}: reloading {in_words(count(changed), 'changed file')} and those loaded"
            f" with them, {sum(len(step.files) for step in planned)} in all"
        )
    return [*planned, Step(files_in(source, of_state(told, "new")))]


def check_location_covers(source: Source, told: dict, options: Options) -> None:
    """Raises ClickException if the location is another, perhaps by mistake: the files loaded last
    are not under it, or none that is loaded is there any more."""
    gone = of_state(told, "gone", "elsewhere")
    newest = told["last_load"]["load_id"]
    elsewhere = [run for run in of_state(told, "elsewhere") if run["load_id"] == newest]
    is_any_left = of_state(told, "loaded", "changed")
    if options.keep_gone or not gone or (is_any_left and not elsewhere):
        return
    lost = elsewhere or gone
    names = [run[name] for run in lost for name in ("file_name", "last_file_name")]
    folders = zip(*(name.split("/")[:-1] for name in names), strict=False)
    shared = itertools.takewhile(lambda parts: len(set(parts)) == 1, folders)
    folder = "/".join(parts[0] for parts in shared)
    set_by = "set by" if source.variable in os.environ else "the sample, for want of"
    raise ClickException(
        f"{source.table} holds the rows of {in_words(count(lost), 'file')} of {folder}/, such as"
        f" {names[0]}, which are not under {source.location}, {set_by} {source.variable}. Nothing"
        " was loaded. To keep the two apart, load into another database (DBT_DUCKDB_PATH, on"
        " Redshift DBT_REDSHIFT_DATABASE); to have the one replace the other, go on with"
        " --full-refresh; if it is right that they come together, with --keep-gone, which leaves"
        " those rows."
    )


def of_state(told: dict, *states: str) -> list[dict]:
    """The runs of files in one of these states."""
    return [run for run in told["files"] if run["state"] in states]


def count(runs: list[dict]) -> int:
    """How many files the runs have."""
    return sum(run["file_count"] for run in runs)


def files_in(source: Source, runs: list[dict]) -> list[File]:
    """The files in runs of consecutive numbers, in the order of the listing."""
    runs = sorted(runs, key=lambda run: run["first"])
    return [file for run in runs for file in source.files[run["first"] : run["last"] + 1]]


def to_join(files: list[File], join_from: int) -> tuple[list[File], list[File]]:
    """The small objects of S3, if they are so many that they are joined, and the rest."""
    groups: dict[bool, list[File]] = {True: [], False: []}
    for file in files:
        groups[is_s3(file.path) and file.file_size <= SMALL_BYTES].append(file)
    return (groups[True], groups[False]) if 0 < join_from <= len(groups[True]) else ([], files)


def batches(
    small: list[File], rest: list[File], is_redshift: bool
) -> Iterator[tuple[list[File], bool]]:
    """What one transaction takes each, to COPY of one compression, and whether it is joined."""
    by_kind: dict[str, list[File]] = {}
    for file in rest:
        by_kind.setdefault(file.compression if is_redshift else "", []).append(file)
    for _, files in sorted(by_kind.items()):
        most = BATCH_FILES if is_redshift else min(BATCH_FILES, DUCKDB_FILES)
        yield from ((each, False) for each in split(files, most))
    yield from ((each, True) for each in split(small, BATCH_FILES))


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
