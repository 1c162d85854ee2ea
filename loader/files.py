"""The files of a source table, in S3 or a folder, and the lists of them."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.utils import parse_timestamp
from click import ClickException

SUFFIXES = (".json", ".json.gz")
THREADS = 32
ATTEMPTS = 6  # at each request to S3, unless AWS_MAX_ATTEMPTS says otherwise
CONNECT_SECONDS = 10
SILENT_SECONDS = 30  # that S3 may let pass without a byte


@dataclass(frozen=True, slots=True)
class File:
    """A file to load; `file_name` is what the ledger knows it by, `file_size` is in bytes.

    `path` is where the engine reads it, alone or joined with others, and `object_count` how many
    objects it holds, if the loader has read all of it.
    """

    file_name: str
    file_size: int
    fingerprint: str
    path: str
    object_count: int | None = None


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
    """Whether a location is in S3; otherwise it is a folder."""
    return location.startswith("s3://")


def s3_prefix(location: str) -> str:
    """What all s3:// addresses under a location begin with, and those beside it do not."""
    bucket, key = bucket_and_key(location)
    return f"s3://{bucket}/" + (key.rstrip("/") + "/" if key.strip("/") else "")


def full_prefix(location: str, project_dir: Path) -> str:
    """What the names of all files under a location begin with, once those that are relative are
    taken from the project's folder."""
    if is_s3(location):
        return s3_prefix(location)
    return (project_dir / location).resolve().as_posix().rstrip("/") + "/"


def find_files(location: str, project_dir: Path) -> tuple[list[File], list[File]]:
    """The JSON files under a location, and the other files there, by name.

    Raises ClickException if there is no JSON file or the location cannot be listed.
    """
    variables = [name for name, value in os.environ.items() if value == location]
    where = f"the location {location}" + (f", set by {variables[0]}," if variables else "")
    folder = (project_dir / location).resolve()
    if not is_s3(location) and not folder.is_dir():
        raise ClickException(f"{where} is not a folder.")
    try:
        found = list(list_s3(location) if is_s3(location) else list_folder(folder, project_dir))
    except (OSError, BotoCoreError, ClientError) as error:
        raise ClickException(f"{where} cannot be listed: {error}") from error
    files = [file for file in found if file.file_name.endswith(SUFFIXES)]
    if not files:
        raise ClickException(f"{where} holds no file that ends in {' or '.join(SUFFIXES)}.")
    return files, [file for file in found if not file.file_name.endswith(SUFFIXES)]


def list_folder(folder: Path, project_dir: Path) -> Iterator[File]:
    """Every file under a folder."""

    def scan(path: str) -> Iterator[os.DirEntry]:
        with os.scandir(path) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                if entry.is_dir():
                    yield from scan(entry.path)
                else:
                    yield entry

    for entry in scan(str(folder)):
        path = Path(entry.path)
        name = path.relative_to(project_dir) if path.is_relative_to(project_dir) else path
        stat = entry.stat()
        fingerprint = f"{stat.st_size:x}-{stat.st_mtime_ns:x}"
        yield File(name.as_posix(), stat.st_size, fingerprint, str(path))


def list_s3(location: str) -> Iterator[File]:
    """Every object under an s3:// location."""
    bucket, prefix = bucket_and_key(s3_prefix(location))
    for page in s3_client().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for entry in page.get("Contents", []):
            if not entry["Key"].endswith("/"):  # a folder marker
                name = f"s3://{bucket}/{entry['Key']}"
                yield File(name, entry["Size"], entry["ETag"].strip('"'), name)


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
