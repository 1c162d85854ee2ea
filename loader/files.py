"""The files of a source table: finding them, and fetching those that DuckDB is to read.

DuckDB reads files in folders, so objects in S3 are fetched into a temporary one. Redshift
reads S3.
"""

from __future__ import annotations

import json
import os
import random
import time
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from click import ClickException

SUFFIXES = (".json", ".json.gz")
THREADS = 32
ATTEMPTS = 6  # at each request to S3, unless AWS_MAX_ATTEMPTS says otherwise
CONNECT_SECONDS = 10
SILENT_SECONDS = 30  # that S3 may let pass without a byte
CHUNK_BYTES = 64 * 1024
SAMPLE_FILES = 8
SAMPLE_BYTES = 64 * 1024


@dataclass(frozen=True)
class File:
    """A file to load; `file_name` is what the ledger knows it by, `file_size` is in bytes."""

    file_name: str
    file_size: int
    fingerprint: str
    path: str


def s3_client():
    """The one seam to S3; boto3's own configuration says where and as whom."""
    attempts = int(os.environ.get("AWS_MAX_ATTEMPTS", ATTEMPTS))
    config = Config(
        max_pool_connections=THREADS,
        retries={"mode": "standard", "total_max_attempts": attempts},
        connect_timeout=CONNECT_SECONDS,
        read_timeout=SILENT_SECONDS,
    )
    client = boto3.client("s3", config=config)
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
    bucket, key = bucket_and_key(location)
    prefix = key.rstrip("/") + "/" if key.strip("/") else ""
    for page in s3_client().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for entry in page.get("Contents", []):
            if not entry["Key"].endswith("/"):  # a folder marker
                name = f"s3://{bucket}/{entry['Key']}"
                yield File(name, entry["Size"], entry["ETag"].strip('"'), name)


def fetch(files: list[File], folder: Path) -> list[File]:
    """The files where DuckDB can read them: objects of S3 as copies in a folder.

    Raises ClickException if an object cannot be read or is not the version that was listed,
    or if what is zipped is damaged.
    """
    client = s3_client() if any(is_s3(file.path) for file in files) else None

    def fetch_one(numbered: tuple[int, File]) -> File:
        number, file = numbered
        if is_s3(file.path):
            suffix = ".json.gz" if file.file_name.endswith(".gz") else ".json"
            path = folder / f"{number:07}{suffix}"
            fetch_object(client, file, path)
            file = replace(file, path=str(path))
        if file.file_name.endswith(".gz"):
            check_gzip(file)
        return file

    with ThreadPoolExecutor(THREADS) as pool:
        try:
            return list(pool.map(fetch_one, enumerate(files)))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def fetch_object(client, file: File, path: Path) -> None:
    """Copies an object to a path, again if it breaks off: boto3 tries requests again, but
    not to read what answers them. Raises ClickException if it cannot."""
    bucket, key = bucket_and_key(file.file_name)
    attempts = client.meta.config.retries["total_max_attempts"]
    for attempt in range(1, attempts + 1):
        try:
            answer = client.get_object(Bucket=bucket, Key=key, IfMatch=file.fingerprint)
        except (BotoCoreError, ClientError) as error:
            raise ClickException(unreadable(file, error)) from error
        try:
            with path.open("wb") as copy:
                for chunk in answer["Body"].iter_chunks(CHUNK_BYTES):
                    copy.write(chunk)
            return
        except OSError as error:
            raise ClickException(f"cannot copy {file.file_name} to {path}: {error}") from error
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
    return f"cannot read {file.file_name}: {error}"


def check_gzip(file: File) -> None:
    """Raises ClickException if a file is no sound gzip: DuckDB does not look at checksums."""
    unzip = None
    try:
        with Path(file.path).open("rb") as stream:
            while chunk := stream.read(CHUNK_BYTES):
                while chunk:
                    if unzip is None or unzip.eof:
                        unzip = zlib.decompressobj(zlib.MAX_WBITS | 16)
                    unzip.decompress(chunk)
                    chunk = unzip.unused_data
    except (OSError, zlib.error) as error:
        raise ClickException(f"cannot unzip {file.file_name}: {error}") from error
    if unzip is None or not unzip.eof:
        raise ClickException(f"cannot unzip {file.file_name}: it ends too early")


def sample_keys(files: list[File]) -> dict[str, str]:
    """Keys of the objects at the beginning of some of the files, each with a file that has it.

    Raises ClickException if a file cannot be read; what is no JSON is left to the engine.
    """
    keys: dict[str, str] = {}
    client = s3_client() if any(is_s3(file.path) for file in files) else None
    for file in files[:: -max(1, len(files) // SAMPLE_FILES)][:SAMPLE_FILES]:
        text, decoder = beginning(client, file), json.JSONDecoder()
        while text := text.lstrip():
            try:
                value, end = decoder.raw_decode(text)
            except (ValueError, RecursionError):
                break
            for key in value if isinstance(value, dict) else ():
                keys.setdefault(key, file.file_name)
            text = text[end:]
    return keys


def beginning(client, file: File) -> str:
    """The first SAMPLE_BYTES of a file, unzipped.

    Raises ClickException if it cannot be read.
    """
    try:
        if not file.file_size:
            return ""  # S3 refuses to give a range of nothing
        if is_s3(file.path):
            bucket, key = bucket_and_key(file.path)
            first_bytes = f"bytes=0-{SAMPLE_BYTES - 1}"
            content = client.get_object(Bucket=bucket, Key=key, Range=first_bytes)
            data = content["Body"].read()
        else:
            with Path(file.path).open("rb") as stream:
                data = stream.read(SAMPLE_BYTES)
    except (OSError, BotoCoreError, ClientError) as error:
        raise ClickException(f"cannot read {file.file_name}: {error}") from error
    if file.file_name.endswith(".gz"):
        try:
            data = zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(data)
        except zlib.error:
            return ""
    return data.decode("utf-8", "ignore")


def file_list(files: list[File]) -> str:
    """Files as JSON lines, each with its number in the list."""
    lines = [{"file_number": number, **asdict(file)} for number, file in enumerate(files)]
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)


def manifest(files: list[File]) -> str:
    """Files as a manifest for COPY: all of them, or the COPY fails.

    https://docs.aws.amazon.com/redshift/latest/dg/loading-data-files-using-manifest.html
    """
    entries = [{"url": file.file_name, "mandatory": True} for file in files]
    return json.dumps({"entries": entries}, ensure_ascii=False)
