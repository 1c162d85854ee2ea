"""A look at the beginning of files before they are loaded: which keys their objects have."""

from __future__ import annotations

import json
import zlib
from dataclasses import replace
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError
from click import ClickException

from loader import Refused
from loader.fetching import UNPACK, ahead, cannot_read
from loader.files import HEAD_BYTES, File, bucket_and_key, compression_of, is_s3, s3_client
from loader.objects import fills_a_column, no_column, refuse_packed

FILES_AT_MOST = 1_000  # of S3, where each is a request
LARGEST_BYTES, SMALLEST_BYTES = 64 * 1024, 4 * 1024  # of a file
ALL_BYTES = 16 * 1024**2  # of all files, about
DECODER = json.JSONDecoder()


class CannotSample(ClickException):
    """The beginning of a file cannot be read, which need not keep it from being loaded."""


def sample(
    files: list[File], columns: list[str], is_strict: bool = True
) -> tuple[list[File], dict[str, str]]:
    """The files, with how they are compressed, those that were read to their end with their number
    of objects, and keys of the objects that they begin with, each with a file that has it.

    Raises CannotSample if a file cannot be read, if strict Refused if one of these objects fills
    no column, and ClickException if a file is compressed in a way that no engine reads. What is no
    JSON is left to the engine.
    """
    client = s3_client() if any(is_s3(file.path) for file in files) else None
    step = max(1, -(-len(files) // FILES_AT_MOST)) if client else 1
    size = min(LARGEST_BYTES, max(SMALLEST_BYTES, ALL_BYTES // max(1, len(files))))
    known = frozenset(column.lower() for column in columns)
    keys: dict[str, str] = {}
    counted = list(files)
    numbers = range(len(files))[::-1]  # the newest ones come last

    def read_head(number: int) -> tuple[str, str, bool]:
        is_sampled = (len(files) - 1 - number) % step == 0
        return head(client, files[number], size if is_sampled else HEAD_BYTES)

    heads = (ahead if client else map)(read_head, numbers)
    for number, (compression, text, is_whole) in zip(numbers, heads, strict=True):
        file = files[number]
        count, rest = 0, text.removeprefix("\ufeff").lstrip()
        while rest:
            try:
                value, end = DECODER.raw_decode(rest)
            except (ValueError, RecursionError):
                break
            count += 1
            if not isinstance(value, dict):
                break
            if is_strict and not fills_a_column(value, known):
                raise Refused(f"In {file.file_name}, line {count}: {no_column(value)}.")
            for key in value.keys() - keys.keys():
                keys[key] = file.file_name
            rest = rest[end:].lstrip()
        object_count = count if is_whole and not rest else file.object_count
        counted[number] = replace(file, compression=compression, object_count=object_count)
    return counted, keys


def head(client, file: File, size: int) -> tuple[str, str, bool]:
    """How a file is compressed, what it begins with, and whether that is all of it.

    Raises CannotSample if it cannot be read, ClickException if no engine reads it.
    """
    try:
        if not file.file_size:
            return "", "", True  # S3 refuses to give a range of nothing
        if is_s3(file.path):
            bucket, key = bucket_and_key(file.path)
            content = client.get_object(Bucket=bucket, Key=key, Range=f"bytes=0-{size - 1}")
            data = content["Body"].read()
        else:
            with Path(file.path).open("rb") as stream:
                data = stream.read(size)
    except (OSError, BotoCoreError, ClientError) as error:
        raise CannotSample(cannot_read(file, error)) from error
    is_whole = len(data) == file.file_size
    compression = compression_of(data)
    if compression:
        unpack = UNPACK[compression]() if compression in UNPACK and len(data) > HEAD_BYTES else None
        try:
            data = unpack.decompress(data) if unpack else b""
        except (OSError, zlib.error):
            return compression, "", False
        is_whole = is_whole and bool(unpack) and unpack.eof and not unpack.unused_data
    refuse_packed(file.file_name, data)
    return compression, data.decode(errors="ignore"), is_whole
