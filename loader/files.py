"""The files of a source table, in S3 or a folder, and the lists of them."""

from __future__ import annotations

import functools
import itertools
import json
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase as fnmatch
from pathlib import Path

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.utils import parse_timestamp
from click import ClickException

S3_SCHEMES = ("s3", "s3a", "s3n")  # the others are what Hadoop calls it
COMPRESSED = {"gzip": b"\x1f\x8b", "bzip2": b"BZh", "zstd": b"\x28\xb5\x2f\xfd"}
SUFFIXES = {"": "", "gzip": ".gz", "bzip2": ".bz2", "zstd": ".zst"}
HEAD_BYTES = 512  # that tell what a file is
THREADS = 32
ATTEMPTS = 6  # at each request to S3, unless AWS_MAX_ATTEMPTS says otherwise
CONNECT_SECONDS = 10
SILENT_SECONDS = 30  # that S3 may let pass without a byte


@dataclass(frozen=True, slots=True)
class File:
    """A file to load; `file_name` is what the ledger knows it by, `file_size` is in bytes.

    `path` is where the engine reads it, alone or joined with others, `compression` how it is
    compressed there, if at all, and `object_count` how many objects it holds, if the loader has
    read all of it.
    """

    file_name: str
    file_size: int
    fingerprint: str
    path: str
    object_count: int | None = None
    compression: str = ""


@functools.cache
def s3_session() -> boto3.Session:
    """boto3's own configuration says where S3 is and as whom it is reached."""
    session = botocore.session.get_session()
    session.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=as_time)
    return boto3.Session(botocore_session=session)


def as_time(value: str) -> datetime:
    """A point in time as S3 tells it. What boto3 uses otherwise knows every form of it, but
    takes most of the time that a listing takes."""
    try:
        return datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return parse_timestamp(value)


def s3_client():
    """The one seam to S3."""
    attempts = int(os.environ.get("AWS_MAX_ATTEMPTS") or ATTEMPTS)
    config = Config(
        max_pool_connections=THREADS,
        retries={"mode": "standard", "total_max_attempts": attempts},
        connect_timeout=CONNECT_SECONDS,
        read_timeout=SILENT_SECONDS,
    )
    client = s3_session().client("s3", config=config)
    client.meta.events.register("before-parse.s3.ListObjectsV2", refuse_empty_page)
    return client


def refuse_empty_page(response_dict: dict, **_: object) -> None:
    """Has boto3 ask again for a page of a listing that broke off before its first byte, as it
    does for one that broke off later; it would take it for the last one."""
    if response_dict["status_code"] == 200 and not response_dict["body"]:
        response_dict["status_code"] = 500


def bucket_and_key(url: str) -> tuple[str, str]:
    """The parts of an s3:// address."""
    bucket, _, key = url.removeprefix("s3://").partition("/")
    return bucket, key


def is_s3(location: str) -> bool:
    """Whether a location is in S3; otherwise it is a folder or a file."""
    return location.startswith("s3://")


def as_location(text: str, variable: str) -> str:
    """A location as a user writes it: ~ and the names that Hadoop has for s3 are replaced.

    Raises ClickException if it is neither in S3 nor a path.
    """
    scheme, colon, rest = text.strip().partition("://")
    if not colon:
        return str(Path(text).expanduser()) if text.startswith("~") else text
    if scheme.lower() in S3_SCHEMES:
        return f"s3://{rest}"
    raise ClickException(
        f"{variable} is {text}, but files are read from s3://bucket/prefix/ or a folder alone."
    )


def s3_prefix(location: str) -> str:
    """What all s3:// addresses under a location begin with, and those beside it do not."""
    bucket, key = bucket_and_key(location)
    return f"s3://{bucket}/" + (key.rstrip("/") + "/" if key.strip("/") else "")


@dataclass
class Found:
    """The files of a location, what all their full names begin with, and what was left out, by
    why: hidden, a link to nothing ..."""

    files: list[File]
    full_prefix: str
    left_out: dict[str, list[str]]


def find_files(location: str, variable: str, pattern: str, project_dir: Path) -> Found:
    """All files under a location but hidden ones, as Spark, Hive and Athena take them, or the one
    file that it is, by name.

    Raises ClickException if there is none, or if the location cannot be listed.
    """
    where = f"the location {location}" + f", set by {variable}," * (variable in os.environ)
    path = (project_dir / location).resolve()
    prefix = s3_prefix(location) if is_s3(location) else path.as_posix().rstrip("/") + "/"
    left_out: dict[str, list[str]] = {}

    def is_taken(name: str, reason: str | None = None) -> bool:
        parts = name.removeprefix(prefix).split("/")
        if reason is None and any(part.startswith((".", "_")) for part in parts):
            reason = "hidden by a name that begins with . or _"
        elif reason is None and not fnmatch(parts[-1], pattern):
            reason = f"not named like {pattern}"
        if reason:
            left_out.setdefault(reason, []).append(name)
        return not reason

    try:
        if is_s3(location):
            files = [file for file in list_s3(prefix) if is_taken(file.file_name)]
            if not files and not left_out and location.rstrip("/") == location:
                files, prefix = the_object(location), location
        elif path.is_file():
            files, prefix = [local_file(path, project_dir)], path.as_posix()
        elif path.is_dir():
            files = list(list_folder(path, project_dir, is_taken))
        else:
            raise ClickException(f"{where} is not a folder, nor a file.")
    except (OSError, BotoCoreError, ClientError) as error:
        raise ClickException(f"{where} cannot be listed: {error}") from error
    if not files:
        others = "".join(f", but {len(n):,} left out, {why}: {n[0]}" for why, n in left_out.items())
        raise ClickException(f"{where} holds no file to load{others}.")
    return Found(files, prefix, left_out)


def list_folder(folder: Path, project_dir: Path, is_taken: Callable[..., bool]) -> Iterator[File]:
    """Every file under a folder that is taken; folders that are hidden are not looked into."""
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            shown = os.fsencode(entry.path).decode(errors="backslashreplace")
            if shown != entry.path:
                is_taken(shown, "with a name that is not UTF-8")
            elif entry.is_dir():
                if not entry.name.startswith((".", "_")) or is_taken(entry.path):
                    yield from list_folder(Path(entry.path), project_dir, is_taken)
            elif is_taken(entry.path):
                if entry.is_symlink() and not Path(entry.path).exists():
                    is_taken(entry.path, "a link to nothing")
                else:
                    yield local_file(Path(entry.path), project_dir)


def local_file(path: Path, project_dir: Path) -> File:
    """A file, named relative to the project's folder if it lies in there."""
    name = path.relative_to(project_dir) if path.is_relative_to(project_dir) else path
    stat = path.stat()
    fingerprint = f"{stat.st_size:x}-{stat.st_mtime_ns:x}"
    return File(name.as_posix(), stat.st_size, fingerprint, str(path))


def list_s3(prefix: str) -> Iterator[File]:
    """Every object whose address begins with s3://bucket/prefix."""
    bucket, key = bucket_and_key(prefix)
    for page in s3_client().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=key):
        for entry in page.get("Contents", []):
            if not entry["Key"].endswith("/"):  # a folder marker
                name = f"s3://{bucket}/{entry['Key']}"
                tag, compression = entry["ETag"].strip('"'), named_compression(name)
                yield File(name, entry["Size"], tag, name, compression=compression)


def the_object(location: str) -> list[File]:
    """The object that a location is the address of, if there is one: the first in a listing."""
    return [file for file in itertools.islice(list_s3(location), 1) if file.file_name == location]


def compression_of(head: bytes) -> str:
    """How a file is compressed that begins so; '' if it is not, or in a way that no engine reads.
    Names do not tell: some services write .json or nothing at all for what is zipped."""
    return next((kind for kind, begins in COMPRESSED.items() if head.startswith(begins)), "")


def named_compression(file_name: str) -> str:
    """How a file is compressed by its name, where nobody has looked into it."""
    return next((k for k, suffix in SUFFIXES.items() if k and file_name.endswith(suffix)), "")


def json_lines(rows: Iterable[dict]) -> Iterator[str]:
    """Rows as JSON lines."""
    encode = json.JSONEncoder(ensure_ascii=False).encode
    for row in rows:
        yield encode(row) + "\n"


def file_list(files: list[File]) -> Iterator[str]:
    """Files as JSON lines, each with its number in the list."""
    return json_lines(
        {
            "file_number": number,
            "file_name": file.file_name,
            "file_size": file.file_size,
            "fingerprint": file.fingerprint,
            "path": file.path,
        }
        for number, file in enumerate(files)
    )


def manifest(files: list[File]) -> Iterator[str]:
    """Where files are read as a manifest for COPY: all of them, or the COPY fails.

    https://docs.aws.amazon.com/redshift/latest/dg/loading-data-files-using-manifest.html
    """
    paths = dict.fromkeys(file.path for file in files)
    entries = [{"url": path, "mandatory": True} for path in paths]
    yield json.dumps({"entries": entries}, ensure_ascii=False)
