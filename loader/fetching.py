"""Fetching objects of S3, each in the version that was listed."""

from __future__ import annotations

import bz2
import itertools
import random
import time
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from botocore.exceptions import BotoCoreError, ClientError
from botocore.response import StreamingBody
from click import ClickException

from loader.files import (
    HEAD_BYTES,
    SUFFIXES,
    THREADS,
    File,
    bucket_and_key,
    compression_of,
    is_s3,
    named_compression,
    s3_client,
)
from loader.objects import count_boundaries

CHUNK_BYTES = 64 * 1024
READ_AHEAD = 4 * THREADS  # files
UNPACK = {
    "gzip": lambda: zlib.decompressobj(zlib.MAX_WBITS | 16),
    "bzip2": bz2.BZ2Decompressor,
}
DENIED = (
    " It was deleted after it was listed, or these credentials have no right to s3:GetObject on"
    " it, or to kms:Decrypt on its key."
)
Made = TypeVar("Made")


def fetch(files: list[File], folder: Path) -> list[File]:
    """The files where DuckDB can read them: objects of S3 as copies in a folder. What is read on
    the way is counted.

    Raises ClickException if an object cannot be read or is not the version that was listed,
    or if what is zipped is damaged.
    """
    client = s3_client() if any(is_s3(file.path) for file in files) else None

    def fetch_one(numbered: tuple[int, File]) -> File:
        number, file = numbered
        path = Path(file.path)
        if is_s3(file.path):
            path = folder / f"{number:07}"
            fetch_object(client, file, path)
        compression = local_compression(file, path)
        if is_s3(file.path) or not is_named(path.name, compression):
            # DuckDB goes by the name.
            named = folder / f"{number:07}.json{SUFFIXES[compression]}"
            path = path.rename(named) if is_s3(file.path) else link(path, named)
        elif not compression:
            return file
        read = replace(file, path=str(path), compression=compression)
        if compression == "zstd":
            return read
        return replace(read, object_count=count_boundaries(contents(read)))

    return list(ahead(fetch_one, enumerate(files)))


def local_compression(file: File, path: Path) -> str:
    """How a file for DuckDB is compressed. Raises ClickException if DuckDB cannot unpack it."""
    try:
        with path.open("rb") as stream:
            compression = compression_of(stream.read(HEAD_BYTES))
    except OSError as error:
        raise ClickException(f"cannot read {file.file_name}: {error}") from error
    if compression == "bzip2":
        raise ClickException(
            f"{file.file_name} is compressed with bzip2, which DuckDB does not read: unpack it, or"
            " compress it with gzip or zstd."
        )
    return compression


def is_named(name: str, compression: str) -> bool:
    """Whether DuckDB takes a file by its name for what it is."""
    return named_compression(name) == compression and (compression or not name.endswith(".GZ"))


def link(path: Path, named: Path) -> Path:
    """A link to a file, under another name."""
    named.symlink_to(path)
    return named


def ahead(make: Callable[..., Made], each: Iterable) -> Iterator[Made]:
    """What `make` makes of each, in their order, while threads go a little ahead."""
    waiting: deque = deque()
    with ThreadPoolExecutor(THREADS) as pool:
        try:
            for one in each:
                waiting.append(pool.submit(make, one))
                if len(waiting) > READ_AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def fetch_object(client, file: File, path: Path) -> None:
    """Copies an object to a path. Raises ClickException if it cannot."""

    def copy(body: StreamingBody) -> None:
        try:
            with path.open("wb") as stream:
                for chunk in body.iter_chunks(CHUNK_BYTES):
                    stream.write(chunk)
        except OSError as error:
            raise ClickException(f"cannot copy {file.file_name} to {path}: {error}") from error

    get_object(client, file, copy)


def get_object(client, file: File, take: Callable[[StreamingBody], Made]) -> Made:
    """What `take` makes of an object's content, taken again if it breaks off: boto3 tries
    requests again, but not to read what answers them. Raises ClickException if it cannot."""
    bucket, key = bucket_and_key(file.file_name)
    attempts = client.meta.config.retries["total_max_attempts"]
    for attempt in itertools.count(1):
        try:
            answer = client.get_object(Bucket=bucket, Key=key, IfMatch=f'"{file.fingerprint}"')
        except (BotoCoreError, ClientError) as error:
            raise ClickException(unreadable(file, error)) from error
        try:
            return take(answer["Body"])
        except BotoCoreError as error:
            if attempt == attempts:
                raise ClickException(unreadable(file, error)) from error
            time.sleep(random.uniform(0, 2 ** (attempt - 1)))


def unreadable(file: File, error: Exception) -> str:
    """Why an object cannot be read, and what to do about it."""
    code = error.response["Error"]["Code"] if isinstance(error, ClientError) else ""
    if code in ("NoSuchKey", "PreconditionFailed"):
        happened = "deleted" if code == "NoSuchKey" else "replaced"
        return (
            f"{file.file_name} was {happened} after it was listed. Nothing of this batch was"
            " loaded; run load_staging.py again."
        )
    return cannot_read(file, error)


def cannot_read(file: File, error: Exception) -> str:
    """What keeps a file from being read. S3 does not tell those who may list parts of a bucket
    alone that an object is gone: it denies access to it, as if there were no right to it."""
    is_denied = isinstance(error, ClientError) and error.response["Error"]["Code"] == "AccessDenied"
    return f"cannot read {file.file_name}: {error}{DENIED if is_denied else ''}"


def contents(file: File) -> Iterator[bytes]:
    """What is in a file, unpacked, in chunks. Raises ClickException if it is damaged: DuckDB does
    not look at checksums."""
    unpack = None
    try:
        with Path(file.path).open("rb") as stream:
            while chunk := stream.read(CHUNK_BYTES):
                if not file.compression:
                    yield chunk
                    continue
                while chunk:
                    if unpack is None or unpack.eof:
                        unpack = UNPACK[file.compression]()
                    yield unpack.decompress(chunk)
                    chunk = unpack.unused_data
    except (OSError, zlib.error) as error:
        raise ClickException(f"cannot unzip {file.file_name}: {error}") from error
    if file.compression and (unpack is None or not unpack.eof):
        raise ClickException(f"cannot unzip {file.file_name}: it ends too early")
