"""Loading one batch: its files where the engine can read them, the macro, and what it said."""

from __future__ import annotations

import os
import re
import time
from dataclasses import asdict

import click
from click import ClickException

from loader import Refused, in_words, note
from loader.files import (
    File,
    file_list,
    is_s3,
    json_lines,
    manifest,
    s3_client,
)
from loader.joining import Provided, content_of
from loader.objects import split_objects
from loader.plan import Batch, Source
from loader.sampling import CannotSample, sample
from loader.stages import FolderStage, S3Stage
from loader.warehouse import Dbt

DETAIL_SECONDS = 15  # that Redshift's system views may lag behind a COPY
SEARCHED_BYTES = 1024**3  # of a refused batch, for the object that was refused


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
            provided = stage.provide(batch, source.columns, max_errors)
            if batch.is_joined:
                note_keys(source, provided.keys)
            elif dbt.engine == "duckdb":
                provided.files, provided.keys = look_at(source, provided.files)
        request = request | {
            "file_list": stage.write("files.json", file_list(provided.files)),
            "object_count": sum(file.object_count or 0 for file in provided.files),
            "is_counted": None not in [file.object_count for file in provided.files],
            "is_joined": batch.is_joined,
            "max_errors": max_errors,
            "reject_count": len(provided.rejects),
        }
        if provided.rejects:
            request["rejects"] = stage.write("rejects.json", json_lines(provided.rejects))
        if dbt.engine == "redshift":
            request["manifest"] = stage.write("manifest.json", manifest(provided.files))
            request["compression"] = batch.compression
        else:
            request["is_folded"] = is_folded(source, provided)
            if batch.is_joined:
                places = json_lines(map(asdict, provided.places))
                request["places"] = stage.write("places.json", places)
        try:
            (result,) = dbt.run_operation("load_batch", batch=request, dry_run=dry_run)
        except Refused as error:
            if not recount(dbt, source, request, provided, error.message):
                message = refusal(dbt, source, error.message, provided, started)
                raise Refused(message) from None
            (result,) = dbt.run_operation("load_batch", batch=request)
        if dry_run:
            click.echo(result["sql"] + ";\n")
        elif dbt.engine == "redshift" and result["rejected_count"] > len(provided.rejects):
            explain_rejects(dbt, stage, request | result, provided)
    return result


def look_at(
    source: Source, files: list[File], is_strict: bool = True
) -> tuple[list[File], dict[str, str]]:
    """The files, with what their beginnings tell, see sample; notes the keys that no column
    takes."""
    try:
        files, keys = sample(files, source.columns, is_strict)
    except CannotSample as error:
        note(f"{source.table}: cannot look for keys that no column takes: {error.message}")
        return files, {}
    note_keys(source, keys)
    return files, keys


def note_keys(source: Source, keys: dict[str, str]) -> None:
    """Notes the keys that no column takes."""
    for key, name in keys.items():
        if key.lower() not in source.column_names:
            note(f"{source.table}: no column takes the key {key}, seen in {name}")


def is_folded(source: Source, provided: Provided) -> bool:
    """Whether a key is a column's only if case does not count, as it does not on Redshift."""
    others = {key.lower() for key in provided.keys.keys() - source.columns}
    return any(column.lower() in others for column in source.columns)


def recount(dbt: Dbt, source: Source, request: dict, provided: Provided, message: str) -> bool:
    """Counts objects one by one if DuckDB loaded another number than was counted by their
    boundaries; whether that was wrong."""
    if dbt.engine != "duckdb" or "objects were counted" not in message or request["is_joined"]:
        return False
    count, counted = 0, [file for file in provided.files if file.object_count is not None]
    for file in counted:
        count += sum(1 for _ in split_objects(content_of(None, file), source.column_names))
    is_wrong = count != request["object_count"]
    request["object_count"] = count
    return is_wrong


def explain_rejects(dbt: Dbt, stage: S3Stage, batch: dict, provided: Provided) -> None:
    """Keeps which rows COPY rejected, as far as Redshift tells in a while. The load is done, and
    rejected_rows says how many there are."""
    count = batch["rejected_count"] - len(provided.rejects)
    told: list[dict] = []
    try:
        for _ in range(DETAIL_SECONDS):
            (report,) = dbt.run_operation("report_rejected_rows", batch=batch)
            told = report["rows"][:count]
            if len(told) == count:
                break
            time.sleep(1)
        rejects = [provided.with_file(row) for row in told]
        if len(told) < count:
            rejects.append({"reason": f"{in_words(count - len(told), 'row')} that COPY rejected"})
        batch["rejects"] = stage.write("explained.json", json_lines(rejects))
        dbt.run_operation("keep_rejected_rows", batch=batch)
    except ClickException as error:
        note(f"cannot keep which rows COPY rejected: {error.message}")
    if len(told) < count:
        note(
            f"Redshift does not say which {in_words(count - len(told), 'row')} COPY rejected:"
            " rejected_rows has no more than their number."
        )


def refusal(dbt: Dbt, source: Source, message: str, provided: Provided, started: float) -> str:
    """Why a batch was refused, in names that the user knows."""
    if re.search("fills a column|if_all_fill_a_column", message):
        return found_object(source, message, provided.files) or provided.with_names(message)
    message = provided.with_names(message)
    view = re.search(r"Load into table '.*'(stl_load_errors|sys_load_error_detail)'", message)
    if not view:
        return message
    for _ in range(5):  # the view may lag behind the COPY
        seconds = int(time.monotonic() - started) + 60
        (report,) = dbt.run_operation("report_load_errors", view=view[1], seconds=seconds)
        if report["errors"]:
            return provided.with_names(" ".join(["COPY refused what it read.", *report["errors"]]))
        time.sleep(1)
    return message


def found_object(source: Source, message: str, files: list[File]) -> str | None:
    """Where an object is that fills no column, and what its keys are; None if that would take
    long to find, or cannot be read."""
    named = [file for file in files if f'"{file.path}"' in message] or files
    if sum(file.file_size for file in named) > SEARCHED_BYTES:
        return None
    client = s3_client() if any(is_s3(file.path) for file in named) else None
    for file in named:
        try:
            content = content_of(client, file)
        except ClickException:
            return None  # what the engine says is enough
        for number, piece in enumerate(split_objects(content, source.column_names), start=1):
            if piece.reason and piece.reason.startswith("none of its keys"):
                return f"In {file.file_name}, line {number}: {piece.reason}."
    return None
