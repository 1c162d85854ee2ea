"""A look at the beginning of files before they are loaded: which keys their objects have."""

from __future__ import annotations

import functools
import json
import zlib
from dataclasses import replace
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError
from click import ClickException

from loader import Refused
from loader.fetching import ahead, cannot_read
from loader.files import File, bucket_and_key, is_s3, s3_client
from loader.objects import fills_a_column, no_column, refuse_compressed

FILES_AT_MOST = 1_000  # of S3, where each is a request
LARGEST_BYTES, SMALLEST_BYTES = 64 * 1024, 4 * 1024  # of a file
ALL_BYTES = 16 * 1024**2  # of all files, about
DECODER = json.JSONDecoder()


class CannotSample(ClickException):
    """The beginning of a file cannot be read, which need not keep it from being loaded."""


def sample(files: list[File], columns: list[str]) -> tuple[list[File], dict[str, str]]:
    """The files, those that were read to their end with their number of objects, and keys of the
    objects that they begin with, each with a file that has it.

    Raises CannotSample if a file cannot be read, Refused if one of these objects fills no column,
    and ClickException if a file is compressed without its name saying so. What is no JSON is left
    to the engine.
    """
    client = s3_client() if any(is_s3(file.path) for file in files) else None
    step = max(1, -(-len(files) // FILES_AT_MOST)) if client else 1
    size = min(LARGEST_BYTES, max(SMALLEST_BYTES, ALL_BYTES // max(1, len(files))))
    known = frozenset(column.lower() for column in columns)
    keys: dict[str, str] = {}
    counted = list(files)
    numbers = range(len(files))[::-step]  # the newest ones come last
    begin = functools.partial(beginning, client, size=size)
    texts = (ahead if client else map)(begin, [files[number] for number in numbers])
    for number, (text, is_whole) in zip(numbers, texts, strict=True):
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
            if not fills_a_column(value, known):
                raise Refused(f"In {file.file_name}, line {count}: {no_column(value)}.")
            for key in value.keys() - keys.keys():
                keys[key] = file.file_name
            rest = rest[end:].lstrip()
        if is_whole and not rest:
            counted[number] = replace(file, object_count=count)
    return counted, keys


def beginning(client, file: File, size: int) -> tuple[str, bool]:
    """What a file begins with, unzipped, and whether that is all of it.

    Raises CannotSample if it cannot be read, ClickException if it is compressed in a way that its
    name does not say.
    """
    try:
        if not file.file_size:
            return "", True  # S3 refuses to give a range of nothing
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
    if file.file_name.endswith(".gz"):
        unzip = zlib.decompressobj(zlib.MAX_WBITS | 16)
        try:
            data = unzip.decompress(data)
        except zlib.error:
            return "", False
        is_whole = is_whole and unzip.eof and not unzip.unused_data
    refuse_compressed(file.file_name, data)
    return data.decode(errors="ignore"), is_whole
