"""Loading one batch: its files where the engine can read them, the macro, and what it said."""

from __future__ import annotations

import os
import re
import time
from dataclasses import replace

import click

from loader import Refused, note, progress
from loader.files import file_list, json_lines, manifest
from loader.joining import Provided, join
from loader.plan import Batch, Source
from loader.reading import fetch, for_duckdb, look_at
from loader.stages import FolderStage, S3Stage
from loader.warehouse import Dbt


def open_stage(dbt: Dbt) -> FolderStage | S3Stage:
    """Where the engine reads what the loader writes for it."""
    if dbt.engine == "duckdb":
        return FolderStage()
    return S3Stage(os.environ["DBT_STAGE_LOCATION"])


def load_batch(
    dbt: Dbt,
    source: Source,
    batch: Batch,
    request: dict,
    max_errors: int = 0,
    dry_run: bool = False,
) -> dict:
    """Loads a batch; what the macro load_batch reported. Raises Refused if more of its rows are
    bad than may be."""
    started = time.monotonic()
    with open_stage(dbt) as stage:
        provided = Provided(batch.files)
        if not dry_run:
            provided = provide(dbt, stage, source, batch, max_errors)
        request = request | {
            "file_list": stage.write("files.json", file_list(provided.files)),
            "object_count": sum(file.object_count or 0 for file in provided.files),
            "is_counted": None not in [file.object_count for file in provided.files],
            "reject_count": len(provided.rejects),
        }
        if provided.rejects:
            request["rejects"] = stage.write("rejects.json", json_lines(provided.rejects))
        if dbt.engine == "redshift":
            request["manifest"] = stage.write("manifest.json", manifest(provided.files))
            request["compression"] = batch.compression
        else:
            request["is_folded"] = is_folded(source, provided.keys)
        try:
            with progress(f"{source.table}: loading"):
                (result,) = dbt.run_operation("load_batch", batch=request, dry_run=dry_run)
        except Refused as error:
            raise Refused(refusal(dbt, error.message, provided, started)) from None
        if dry_run:
            click.echo(result["sql"] + ";\n")
    return result


def provide(
    dbt: Dbt, stage: FolderStage, source: Source, batch: Batch, max_errors: int
) -> Provided:
    """A batch's files where the engine can read them. Notes the keys that no column takes."""
    if batch.is_joined:
        is_judged = bool(batch.refusal)
        provided = join(
            batch.files, stage.folder, stage.part_suffix, source.columns, is_judged, max_errors
        )
        if is_judged and not provided.rejects:
            raise Refused(batch.refusal)
        parts = {path: stage.give(path) for path in {file.path for file in provided.files}}
        provided.files = [replace(file, path=parts[file.path]) for file in provided.files]
    elif dbt.engine == "duckdb":
        files, keys = look_at(fetch(batch.files, stage.folder), source.columns, is_strict=True)
        provided = Provided(for_duckdb(files, stage.folder), keys=keys)
    else:
        return Provided(batch.files)  # which have been looked at
    note_keys(source, provided.keys)
    return provided


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


def refusal(dbt: Dbt, message: str, provided: Provided, started: float) -> str:
    """Why the engine refused a batch, in names that the user knows."""
    if view := re.search(r"Load into table '.*'(stl_load_errors|sys_load_error_detail)'", message):
        for _ in range(5):  # the view may lag behind the COPY
            seconds = int(time.monotonic() - started) + 60
            (report,) = dbt.run_operation("report_load_errors", view=view[1], seconds=seconds)
            if report["errors"]:
                message = " ".join(["COPY refused what it read.", *report["errors"]])
                break
            time.sleep(1)
    names: dict[str, list[str]] = {}
    for file in provided.files:
        names.setdefault(file.path, []).append(file.file_name)
    for path, (first, *others) in names.items():
        joined = f"what was joined of {first} and {len(others)} files after it" if others else first
        message = message.replace(path, joined)
    return message
