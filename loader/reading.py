"""Reading files and objects of S3, each in the version that was listed."""

from __future__ import annotations

import bz2
import gzip
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

from loader import Refused, Unreadable, note, progress
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
from loader.rows import Column, read_rows, refuse_foreign, told

CHUNK_BYTES = 64 * 1024
READ_AHEAD = 4 * THREADS  # files
UNPACK = {"gzip": lambda: zlib.decompressobj(zlib.MAX_WBITS | 16), "bzip2": bz2.BZ2Decompressor}
DECOMPRESS = {"gzip": gzip.decompress, "bzip2": bz2.decompress}
FILES_AT_MOST = 1_000  # of S3, that are looked into
LARGEST_BYTES, SMALLEST_BYTES = 64 * 1024, 4 * 1024  # of a file that are looked at
ALL_BYTES = 16 * 1024**2  # of all files that are looked at, about
DENIED = (
    " It was deleted after it was listed, or these credentials have no right to s3:GetObject on"
    " it, or to kms:Decrypt on its key."
)
Made = TypeVar("Made")


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


def client_for(files: Iterable[File]):
    """A client if any of the files is in S3."""
    return s3_client() if any(is_s3(file.path) for file in files) else None


def get_object(client, file: File, take: Callable[[StreamingBody], Made], **request) -> Made:
    """What `take` makes of an object's content, taken again if it breaks off: boto3 tries
    requests again, but not to read what answers them. Raises Unreadable if it cannot."""
    bucket, key = bucket_and_key(file.path)
    request |= {"Bucket": bucket, "Key": key, "IfMatch": f'"{file.fingerprint}"'}
    attempts = client.meta.config.retries["total_max_attempts"]
    for attempt in itertools.count(1):
        try:
            answer = client.get_object(**request)
        except (BotoCoreError, ClientError) as error:
            raise Unreadable(unreadable(file, error)) from error
        try:
            return take(answer["Body"])
        except BotoCoreError as error:
            if attempt == attempts:
                raise Unreadable(unreadable(file, error)) from error
            time.sleep(random.uniform(0, 2 ** (attempt - 1)))


def unreadable(file: File, error: Exception) -> str:
    """Why an object cannot be read, and what to do about it. S3 does not tell those who may list
    parts of a bucket alone that an object is gone: it denies access to it."""
    code = error.response["Error"]["Code"] if isinstance(error, ClientError) else ""
    if code in ("NoSuchKey", "PreconditionFailed"):
        happened = "deleted" if code == "NoSuchKey" else "replaced"
        return (
            f"{file.file_name} was {happened} after it was listed. Nothing of this batch was"
            " loaded; run load_staging.py again."
        )
    return f"cannot read {file.file_name}: {error}{DENIED if code == 'AccessDenied' else ''}"


def content_of(client, file: File) -> bytes:
    """What is in a file, unpacked. Raises ClickException if it cannot be read."""
    try:
        if is_s3(file.path):
            content = get_object(client, file, StreamingBody.read)
        else:
            content = Path(file.path).read_bytes()
        if (compression := compression_of(content)) in DECOMPRESS:
            content = DECOMPRESS[compression](content)
    except (EOFError, OSError, ValueError, zlib.error) as error:
        raise Unreadable(f"cannot read {file.file_name}: {error}") from error
    refuse_foreign(file.file_name, content)
    return content


def look_at(
    files: list[File], columns: list[Column], is_strict: bool = False
) -> tuple[list[File], dict[str, str]]:
    """The files with what their beginnings tell, and keys of their objects, each with the newest
    file that has it: how they are compressed, and of those read to their end how many objects
    they have.

    Raises ClickException if a file holds something else than text. If strict, as for DuckDB,
    which takes more for JSON than COPY does, raises Refused if it is no JSON, or fills no column.
    """
    client = client_for(files)
    step = max(1, -(-len(files) // FILES_AT_MOST)) if client else 1
    size = min(LARGEST_BYTES, max(SMALLEST_BYTES, ALL_BYTES // max(1, len(files))))

    def look(numbered: tuple[int, File]) -> tuple[File, Iterable[str]]:
        number, file = numbered
        compression, data, is_whole = head(client, file, HEAD_BYTES if number % step else size)
        refuse_foreign(file.file_name, data)
        file, count, keys = replace(file, compression=compression), 0, {}
        for count, piece in enumerate(read_rows(data, columns), start=1):
            if piece.reason and (not is_strict or not (is_whole or piece.is_json)):
                return file, keys
            if piece.reason:
                raise Refused(told(piece.as_reject(file.file_name, count)))
            keys |= dict.fromkeys(piece.keys)
        return (replace(file, object_count=count) if is_whole else file), keys

    keys: dict[str, str] = {}
    looked: list[File] = []
    try:
        with progress("looking at files", len(files)) as advance:
            # The newest ones come last.
            for file, its_keys in (ahead if client else map)(look, enumerate(reversed(files))):
                looked.append(file)
                keys = dict.fromkeys(its_keys, file.file_name) | keys
                advance(1, 0)
    except Unreadable as error:
        if not client:
            raise
        note(f"cannot look for keys that no column takes: {error.message}")
        return files, {}
    return looked[::-1], keys


def head(client, file: File, size: int) -> tuple[str, bytes, bool]:
    """How a file is compressed, what it begins with, and whether that is all of it."""
    try:
        if not file.file_size:
            data = b""  # S3 refuses to give a range of nothing
        elif is_s3(file.path):
            data = get_object(client, file, StreamingBody.read, Range=f"bytes=0-{size - 1}")
        else:
            with Path(file.path).open("rb") as stream:
                data = stream.read(size)
    except OSError as error:
        raise Unreadable(f"cannot read {file.file_name}: {error}") from error
    is_whole = len(data) == file.file_size
    compression = compression_of(data)
    if compression:
        unpack = UNPACK[compression]() if compression in UNPACK else None
        try:
            data = unpack.decompress(data) if unpack else b""
        except (OSError, zlib.error):
            return compression, b"", False
        is_whole = is_whole and bool(unpack) and unpack.eof and not unpack.unused_data
    return compression, data, is_whole


def fetch(files: list[File], folder: Path) -> list[File]:
    """The files, objects of S3 as copies in a folder. Raises Unreadable if one cannot be read."""
    client = client_for(files)
    if not client:
        return files

    def fetch_one(numbered: tuple[int, File]) -> File:
        number, file = numbered
        path = folder / f"{number:07}"

        def copy(body: StreamingBody) -> None:
            try:
                with path.open("wb") as stream:
                    for chunk in body.iter_chunks(CHUNK_BYTES):
                        stream.write(chunk)
            except OSError as error:
                raise ClickException(f"cannot copy {file.file_name} to {path}: {error}") from error

        if is_s3(file.path):
            get_object(client, file, copy)
            return replace(file, path=str(path))
        return file

    fetched = []
    with progress("fetching files", len(files)) as advance:
        for file in ahead(fetch_one, enumerate(files)):
            fetched.append(file)
            advance(1, file.file_size)
    return fetched


def unpack_all(path: Path) -> None:
    """Raises EOFError, OSError or zlib.error if a zipped file is damaged."""
    unpack = UNPACK["gzip"]()
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            while chunk:
                unpack = UNPACK["gzip"]() if unpack.eof else unpack
                unpack.decompress(chunk)
                chunk = unpack.unused_data
    if not unpack.eof:
        raise EOFError("it ends too early")


def for_duckdb(files: list[File], folder: Path) -> list[File]:
    """The files where DuckDB takes them for what they are, which it tells by their names.

    Raises ClickException if it cannot unpack one, and Unreadable if what is zipped is damaged,
    as DuckDB does not look at checksums.
    """

    def link(numbered: tuple[int, File]) -> File:
        number, file = numbered
        path = Path(file.path)
        if file.compression == "bzip2":
            raise ClickException(
                f"{file.file_name} is compressed with bzip2, which DuckDB does not read: unpack"
                " it, or compress it with gzip or zstd."
            )
        if file.compression == "gzip":
            try:
                unpack_all(path)
            except (EOFError, OSError, zlib.error) as error:
                raise Unreadable(f"cannot unzip {file.file_name}: {error}") from error
        if [*map(named_compression, (path.name, path.name.lower()))] == [file.compression] * 2:
            return file
        named = folder / f"{number:07}.json{SUFFIXES[file.compression]}"
        named.symlink_to(path)
        return replace(file, path=str(named))

    return list(ahead(link, enumerate(files)))
