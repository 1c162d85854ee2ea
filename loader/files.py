"""The files of a source table, in S3 or a folder."""

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

COMPRESSED = {"gzip": b"\x1f\x8b", "bzip2": b"BZh", "zstd": b"\x28\xb5\x2f\xfd"}
SUFFIXES = {"": "", "gzip": ".gz", "bzip2": ".bz2", "zstd": ".zst"}


class File(NamedTuple):
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


def compression_of(head: bytes) -> str:
    """How a file is compressed that begins so; '' if it is not, or in a way that no engine reads.
    Names do not tell: some services write .json or nothing at all for what is zipped."""
    return next((kind for kind, begins in COMPRESSED.items() if head.startswith(begins)), "")


def named_compression(file_name: str) -> str:
    """How a file is compressed by its name, where nobody has looked into it."""
    return next((k for k, suffix in SUFFIXES.items() if k and file_name.endswith(suffix)), "")


def find_files(
    location: str, variable: str, pattern: str, project_dir: Path
) -> tuple[list[File], str, dict[str, list[str]]]:
    """All files under a location but hidden ones, as Spark, Hive and Athena take them, or the one
    file that it is; what all their full names begin with; and the names left out, by why.

    Raises ClickException if there is no file, or if the location cannot be listed.
    """
    where = f"the location {location}" + f", set by {variable}," * (variable in os.environ)
    path = (project_dir / location).resolve()
    prefix = (location if is_s3(location) else path.as_posix()).rstrip("/") + "/"
    left_out: dict[str, list[str]] = {}

    def is_taken(name: str, pattern: str = pattern) -> bool:
        if reason := why_not(name, prefix, pattern):
            shown = os.fsencode(name).decode(errors="backslashreplace")
            left_out.setdefault(reason, []).append(shown)
        return not reason

    def shown(files: Iterator[File]) -> Iterator[File]:
        with progress(f"listing {location}") as advance:
            for file in files:
                advance(1, file.file_size)
                yield file

    try:
        if is_s3(location):
            files = [file for file in shown(list_s3(prefix)) if is_taken(file.file_name)]
            if not files and not left_out and not location.endswith("/"):
                first = itertools.islice(list_s3(location), 1)  # itself, if there is such an object
                files, prefix = [file for file in first if file.file_name == location], location
        elif path.is_dir():
            names = list_folder(path, is_taken)
            files = sorted(
                shown(local_file(name, project_dir) for name in names), key=lambda file: file.path
            )
        elif path.is_file():
            files, prefix = [local_file(path, project_dir)], path.as_posix()
        else:
            raise ClickException(f"{where} is not a folder, nor a file.")
    except (OSError, BotoCoreError, ClientError) as error:
        raise ClickException(f"{where} cannot be listed: {error}") from error
    if not files:
        others = [f", but {len(n):,} left out, {why}: {min(n)}" for why, n in left_out.items()]
        raise ClickException(f"{where} holds no file to load{''.join(others)}.")
    return files, prefix, left_out


def why_not(name: str, prefix: str, pattern: str) -> str | None:
    """Why a file under a location is left out, or a folder not looked into, if it is."""
    parts = name.removeprefix(prefix).split("/")
    if re.search("[\ud800-\udfff]", name):
        return "with a name that is not UTF-8"
    if any(part.startswith((".", "_")) for part in parts):
        return "hidden by a name that begins with . or _"
    if not fnmatchcase(parts[-1], pattern):
        return f"not named like {pattern}"
    if not is_s3(name) and Path(name).is_symlink() and not Path(name).exists():
        return "a link to nothing"
    return None


def list_folder(folder: Path, is_taken: Callable[..., bool]) -> Iterator[str]:
    """The paths of all files under a folder that are taken."""

    def fail(error: OSError) -> None:
        raise error

    for path, folders, names in os.walk(folder, onerror=fail, followlinks=True):
        folders[:] = [name for name in folders if is_taken(os.path.join(path, name), "*")]
        yield from filter(is_taken, (os.path.join(path, name) for name in names))


def local_file(path: str | Path, project_dir: Path) -> File:
    """A file, named relative to the project's folder if it lies in there."""
    path = Path(path)
    name = path.relative_to(project_dir) if path.is_relative_to(project_dir) else path
    stat = path.stat()
    fingerprint = f"{stat.st_size:x}-{stat.st_mtime_ns:x}"
    return File(name.as_posix(), stat.st_size, fingerprint, str(path))


def list_s3(prefix: str) -> Iterator[File]:
    """Every object whose address begins so, but the markers of folders."""
    for url, entry in list_objects(prefix):
        if not url.endswith("/"):
            tag = entry["ETag"].strip('"')
            yield File(url, entry["Size"], tag, url, compression=named_compression(url))
