"""The files of a source table, in S3 or in a folder."""

import itertools
import os
import re
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from botocore.exceptions import BotoCoreError, ClientError
from click import ClickException

from loader import progress
from loader.s3 import is_s3, list_objects

MAGIC_BYTES = {"gzip": b"\x1f\x8b", "bzip2": b"BZh", "zstd": b"\x28\xb5\x2f\xfd"}
SUFFIXES = {"": "", "gzip": ".gz", "bzip2": ".bz2", "zstd": ".zst"}


class File(NamedTuple):
    """A file to load, which the ledger identifies by name. `path` is where the engine reads it,
    alone or joined with others, `compression` its compression there. `object_count` is None unless
    the loader has read the whole file."""

    file_name: str
    file_size: int
    fingerprint: str
    path: str
    object_count: int | None = None
    compression: str = ""


def detect_compression(head: bytes) -> str:
    """The compression of a file by its first bytes; '' if there is none that an engine reads.
    Names are no guide: some services write .json or no suffix for compressed files."""
    return next((kind for kind, magic in MAGIC_BYTES.items() if head.startswith(magic)), "")


def compression_by_name(file_name: str) -> str:
    """The compression that a file's suffix stands for."""
    return next((k for k, suffix in SUFFIXES.items() if k and file_name.endswith(suffix)), "")


def find_files(
    location: str, variable: str, pattern: str, project_dir: Path
) -> tuple[list[File], str, dict[str, list[str]]]:
    """The files under a location, or the single file that it is, but no hidden files, as in Spark,
    Hive and Athena; the prefix of all their full names; and the names left out, by reason. Raises
    ClickException if there is no file, or if the location cannot be listed."""
    where = f"the location {location}" + f", set by {variable}," * (variable in os.environ)
    path = (project_dir / location).resolve()
    prefix = (location if is_s3(location) else path.as_posix()).rstrip("/") + "/"
    skipped: dict[str, list[str]] = {}

    def is_data(name: str, pattern: str = pattern) -> bool:
        if reason := skip_reason(name, prefix, pattern):
            printable = os.fsencode(name).decode(errors="backslashreplace")
            skipped.setdefault(reason, []).append(printable)
        return not reason

    def with_progress(files: Iterator[File]) -> Iterator[File]:
        with progress(f"listing {location}") as advance:
            for file in files:
                advance(1, file.file_size)
                yield file

    try:
        if is_s3(location):
            files = [file for file in with_progress(list_s3(prefix)) if is_data(file.file_name)]
            if not files and not skipped and not location.endswith("/"):
                first = itertools.islice(list_s3(location), 1)  # the object of this very name
                files, prefix = [file for file in first if file.file_name == location], location
        elif path.is_dir():
            local_files = (local_file(name, project_dir) for name in list_folder(path, is_data))
            files = sorted(with_progress(local_files), key=lambda file: file.path)
        elif path.is_file():
            files, prefix = [local_file(path, project_dir)], path.as_posix()
        else:
            raise ClickException(
                f"{where} is neither a folder nor a file, nor s3://bucket/prefix/."
            )
    except (OSError, BotoCoreError, ClientError) as error:
        raise ClickException(f"{where} cannot be listed: {error}") from error
    if not files:
        others = [f"; {len(n):,} left out, {reason}: {min(n)}" for reason, n in skipped.items()]
        raise ClickException(f"{where} holds no file to load{''.join(others)}.")
    return files, prefix, skipped


def skip_reason(name: str, prefix: str, pattern: str = "*") -> str | None:
    """Why a file or folder under a location is left out; None if it is not."""
    parts = name.removeprefix(prefix).split("/")
    if re.search("[\ud800-\udfff]", name):
        return "with a name that is not UTF-8"
    if any(part.startswith((".", "_")) for part in parts):
        return "hidden by a name that begins with . or _"
    if not fnmatchcase(parts[-1], pattern):
        return f"not named like {pattern}"
    if not is_s3(name) and Path(name).is_symlink() and not Path(name).exists():
        return "a broken link"
    return None


def list_folder(folder: Path, is_data: Callable[..., bool]) -> Iterator[str]:
    """The paths of all files under a folder that are data."""

    def fail(error: OSError) -> None:
        raise error

    for path, folders, names in os.walk(folder, onerror=fail, followlinks=True):
        folders[:] = [name for name in folders if is_data(os.path.join(path, name), "*")]
        yield from filter(is_data, (os.path.join(path, name) for name in names))


def local_file(path: str | Path, project_dir: Path) -> File:
    """A local file, named relative to the project's folder if it lies in it."""
    path = Path(path)
    name = path.relative_to(project_dir) if path.is_relative_to(project_dir) else path
    stat = path.stat()
    fingerprint = f"{stat.st_size:x}-{stat.st_mtime_ns:x}"
    return File(name.as_posix(), stat.st_size, fingerprint, str(path))


def list_s3(prefix: str) -> Iterator[File]:
    """The objects whose address begins with the prefix, without folder markers."""
    for url, entry in list_objects(prefix):
        if not url.endswith("/"):
            tag = entry["ETag"].strip('"')
            yield File(url, entry["Size"], tag, url, compression=compression_by_name(url))
