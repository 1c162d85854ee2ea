"""Reading files and objects of S3, each in the version that was listed.

At what an engine reads by itself the loader only looks. Small objects it joins, for to an engine
each is a request of its own, and it takes an hour to read hundreds of thousands: processes, as
Python fetches on one core alone, with threads fetch them and write their JSON objects, one a line,
into a few parts. What is read to its end is counted, and the batch must have as many rows.
"""

import bz2
import gzip
import multiprocessing
import os
import signal
import threading
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Set
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from botocore.response import StreamingBody
from click import ClickException

from loader import Refused, Unreadable, in_words, note, progress
from loader.files import SUFFIXES, File, compression_of, named_compression
from loader.rows import Column, read_rows, refuse_foreign, told
from loader.s3 import THREADS, get_object, is_s3

CHUNK_BYTES = 64 * 1024
READ_AHEAD = 4 * THREADS  # files
UNPACK = {"gzip": lambda: zlib.decompressobj(zlib.MAX_WBITS | 16), "bzip2": bz2.BZ2Decompressor}
DECOMPRESS = {"gzip": gzip.decompress, "bzip2": bz2.decompress}
HEAD_BYTES = 512  # that tell what a file is
FILES_AT_MOST = 1_000  # of S3, in which keys are looked for
LARGEST_BYTES, SMALLEST_BYTES = 64 * 1024, 4 * 1024  # of a file that are looked at
ALL_BYTES = 16 * 1024**2  # of all files that are looked at, about
PARTS_AT_MOST = 32  # what most clusters' number of slices divides
PART_BYTES = 8 * 1024**2  # zipped, about the least that is worth a file to Redshift
FILES_ALONE = 1_000  # which are joined before a process has started, unless they are large


@dataclass
class Provided:
    """Files where the engine can read them, the pieces that are no rows, as rejected_rows has
    them, and keys of the objects, each with a file that has it."""

    files: list[File]
    rejects: list[dict] = field(default_factory=list)
    keys: dict[str, str] = field(default_factory=dict)


def ahead(make: Callable, each: Iterable) -> Iterator:
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


def read(file: File, size: int | None = None) -> bytes:
    """What is in a file, or in its first `size` bytes. Raises Unreadable."""
    if size and not file.file_size:
        return b""  # S3 refuses to give a range of nothing
    if is_s3(file.path):
        only = {"Range": f"bytes=0-{size - 1}"} if size else {}
        return get_object(file.path, file.fingerprint, StreamingBody.read, **only)
    try:
        with Path(file.path).open("rb") as stream:
            return stream.read(size)
    except OSError as error:
        raise Unreadable(f"cannot read {file.file_name}: {error}") from error


def look_at(files: list[File], columns: list[Column], folder: Path | None = None) -> Provided:
    """The files with what their beginnings tell, how they are compressed and, if that is all of
    them, how many objects they have; of each key the newest file that has it. With a folder they
    are made ready for DuckDB in there.

    Raises ClickException if a file holds something else than text, and with a folder Unreadable,
    and Refused if it is no JSON or fills no column: DuckDB takes more for JSON than COPY does.
    """
    step = 1 if folder else max(1, -(-len(files) // FILES_AT_MOST))
    size = min(LARGEST_BYTES, max(SMALLEST_BYTES, ALL_BYTES // max(1, len(files))))

    def look(numbered: tuple[int, File]) -> tuple[File, Set[str]]:
        number, file = numbered
        if folder and is_s3(file.path):
            file = fetch(file, folder / f"{number:07}")
        is_sample = (len(files) - 1 - number) % step == 0
        data = read(file, size if is_sample else HEAD_BYTES)
        is_whole = len(data) == file.file_size
        file = file._replace(compression=compression_of(data))
        if folder:
            file = for_duckdb(file, folder / f"{number:07}.json{SUFFIXES[file.compression]}")
        if file.compression:
            unpack = UNPACK[file.compression]() if file.compression in UNPACK else None
            try:
                data = unpack.decompress(data) if unpack else b""
            except (OSError, zlib.error):
                return file, set()
            is_whole = is_whole and bool(unpack) and unpack.eof and not unpack.unused_data
        refuse_foreign(file.file_name, data)
        count, keys = 0, set()
        for count, piece in enumerate(read_rows(data, columns), start=1):
            if piece.reason and folder and (is_whole or piece.is_json):
                raise Refused(told(piece.as_reject(file.file_name, count)))
            if piece.reason:
                return file, keys
            keys |= piece.keys
        return file._replace(object_count=count if is_whole else None), keys

    looked = Provided([])
    try:
        with progress("reading files", len(files)) as advance:
            for file, keys in ahead(look, enumerate(files)):
                looked.files.append(file)
                looked.keys |= dict.fromkeys(keys, file.file_name)  # the newest files come last
                advance(1, file.file_size if folder and is_s3(file.file_name) else 0)
    except Unreadable as error:
        if folder:
            raise
        note(f"cannot look for keys that no column takes: {error.message}")
        return Provided(files)
    return looked


def fetch(file: File, path: Path) -> File:
    """An object of S3 as a file. Raises Unreadable, or OSError if it cannot be written."""

    def write(body: StreamingBody) -> None:
        with path.open("wb") as stream:
            stream.writelines(body.iter_chunks(CHUNK_BYTES))

    get_object(file.path, file.fingerprint, write)
    return file._replace(path=str(path))


def for_duckdb(file: File, link: Path) -> File:
    """A file, perhaps by a link, where DuckDB takes it for what it is, which it tells by the name.
    Raises ClickException if DuckDB cannot unpack it, Unreadable if it does not see the damage."""
    path = Path(file.path)
    if file.compression == "bzip2":
        raise ClickException(
            f"{file.file_name} is compressed with bzip2, which DuckDB does not read: unpack it, or"
            " compress it with gzip or zstd."
        )
    if file.compression == "gzip":
        try:
            unpack_all(path)
        except (EOFError, OSError, zlib.error) as error:
            raise Unreadable(f"cannot unzip {file.file_name}: {error}") from error
    if {*map(named_compression, (path.name, path.name.lower()))} == {file.compression}:
        return file
    link.symlink_to(path)
    return file._replace(path=str(link))


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


def join(
    files: list[File], folder: Path, suffix: str, columns: list[Column], max_bad: int | None = None
) -> Provided:
    """Writes the files' objects into parts in a folder, zipped if the suffix says so. If a number
    of bad rows is given, up to which they are left out, rows are compared with the columns.

    Raises Refused if there are more, or any, Unreadable, and OSError if a part cannot be written.
    """
    size = sum(file.file_size for file in files)
    share = -(-len(files) // part_count(size)) or 1
    parts = {
        folder / f"part_{first:07}{suffix}": files[first : first + share]
        for first in range(0, len(files), share)
    }
    make = map if len(files) <= FILES_ALONE and size <= PART_BYTES else in_processes
    join_one = partial(join_part, columns=columns, max_bad=max_bad)
    joined = Provided([])
    with progress("joining files", len(files)) as advance:
        for part in make(join_one, parts, parts.values()):
            joined.files += part.files
            joined.rejects += part.rejects
            joined.keys = part.keys | joined.keys
            if len(joined.rejects) > (max_bad or 0):
                count = in_words(len(joined.rejects), "bad row")
                many = f"There are {count} at least, and --max-errors allows {max_bad}. "
                shown = " ".join(map(told, joined.rejects[:10]))
                raise Refused(many + shown if max_bad else shown)
            advance(len(part.files), sum(file.file_size for file in part.files))
    return joined


def part_count(size: int) -> int:
    """How many parts so many bytes are to have: a power of two, and one for each core."""
    wanted = max(os.cpu_count() or 1, -(-size // PART_BYTES))
    return min(PARTS_AT_MOST, 1 << (wanted - 1).bit_length())


def in_processes(make: Callable, *each) -> Iterator:
    """What `make` makes of each, in their order, by a process for each core."""
    context = multiprocessing.get_context("spawn")
    workers = min(os.cpu_count() or 1, len(each[0]))
    with ProcessPoolExecutor(workers, context, initializer=end_with_parent) as pool:
        handler = signal.signal(signal.SIGINT, signal.SIG_IGN)  # in the processes
        answers = [pool.submit(make, *one) for one in zip(*each, strict=True)]
        signal.signal(signal.SIGINT, handler)
        try:
            for answer in answers:
                yield answer.result()
        except BrokenProcessPool as error:
            raise ClickException(
                "A process that joins files died, perhaps for want of memory. Nothing of this"
                " batch was loaded; run load_staging.py again."
            ) from error
        except BaseException:
            for process in multiprocessing.active_children():
                process.kill()
            raise


def end_with_parent() -> None:
    """Has a process end with the one that started it, even if that is killed."""
    parent = multiprocessing.parent_process()
    threading.Thread(target=lambda: (parent.join(), os._exit(1)), daemon=True).start()


def join_part(
    path: Path, files: list[File], columns: list[Column], max_bad: int | None
) -> Provided:
    """Writes the objects of files into one part, until more rows are bad than may be."""
    joined = Provided([])
    # Level 1 takes a third of the time of level 9, for a file a tenth larger.
    with gzip.open(path, "wb", 1) if path.suffix == ".gz" else path.open("wb") as part:
        for file, content in zip(files, ahead(content_of, files), strict=True):
            count, pieces = 0, read_rows(content, columns, is_judged=max_bad is not None)
            for count, piece in enumerate(pieces, start=1):
                if piece.reason:
                    joined.rejects.append(piece.as_reject(file.file_name, count))
                    if len(joined.rejects) > (max_bad or 0):
                        return joined
                    continue
                for key in piece.keys - joined.keys.keys():
                    joined.keys[key] = file.file_name
                part.write(piece.line.encode() + b"\n")
            joined.files.append(file._replace(path=str(path), object_count=count))
    return joined


def content_of(file: File) -> bytes:
    """What is in a file, unpacked. Raises ClickException if it cannot be read."""
    content = read(file)
    if compression_of(content) == "zstd":
        raise Unreadable(
            f"{file.file_name} is compressed with zstd, which the engine can unpack and the loader"
            " cannot: use gzip, or load with --join-from 0 and without --max-errors."
        )
    try:
        if (compression := compression_of(content)) in DECOMPRESS:
            content = DECOMPRESS[compression](content)
    except (EOFError, OSError, ValueError, zlib.error) as error:
        raise Unreadable(f"cannot read {file.file_name}: {error}") from error
    refuse_foreign(file.file_name, content)
    return content
