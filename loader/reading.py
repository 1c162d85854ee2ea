"""Reading local files and S3 objects, always in the version that was listed.

Files that the engine reads by itself are only inspected. Small objects are joined, since an
engine takes an hour for hundreds of thousands of them: processes, each with many threads, write
their JSON objects, one per line, into a few parts. The objects of files that are read to the end
are counted, and the batch must have as many rows.
"""

import bz2
import gzip
import multiprocessing
import os
import signal
import threading
import zlib
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Set
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from botocore.response import StreamingBody
from click import ClickException

from loader import RUN_AGAIN, BadRows, Unreadable, note, pluralize, progress
from loader.files import SUFFIXES, File, compression_by_name, detect_compression
from loader.rows import Column, describe, read_rows, refuse_other_formats
from loader.s3 import THREADS, get_object, is_s3

CHUNK_BYTES = 64 * 1024
READ_AHEAD = 4 * THREADS  # files
GZIP = partial(zlib.decompressobj, zlib.MAX_WBITS | 16)
DECOMPRESSORS: dict[str, Callable[[], Any]] = {"gzip": GZIP, "bzip2": bz2.BZ2Decompressor}
DECOMPRESS: dict[str, Callable] = {"gzip": gzip.decompress, "bzip2": bz2.decompress}
HEAD_BYTES = 512  # enough to detect the format of a file
SAMPLE_FILES = 1_000  # S3 objects in which keys are looked for
MAX_SAMPLE_BYTES, MIN_SAMPLE_BYTES = 64 * 1024, 4 * 1024  # of a file
ALL_SAMPLES_BYTES = 16 * 1024**2
MAX_PARTS = 32  # most clusters' number of slices divides it
PART_BYTES = 8 * 1024**2  # compressed, about the least that is worth a file to Redshift
ONE_PROCESS_FILES = 1_000  # up to so many are joined before another process would have started


@dataclass
class PreparedFiles:
    """Files that the engine can read, rejected rows as in the table rejected_rows, and the keys
    of the objects, each with a file that has it."""

    files: list[File]
    rejects: list[dict] = field(default_factory=list)
    keys: dict[str, str] = field(default_factory=dict)


def prefetch(function: Callable, arguments: Iterable) -> Iterator:
    """The results of a function for some arguments, in order; threads work a little ahead."""
    pending: deque = deque()
    with ThreadPoolExecutor(THREADS) as pool:
        try:
            for argument in arguments:
                pending.append(pool.submit(function, argument))
                if len(pending) > READ_AHEAD:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def read(file: File, size: int | None = None) -> bytes:
    """The content of a file, or its first `size` bytes. Raises Unreadable."""
    if size and not file.file_size:
        return b""  # S3 refuses a range of an empty object
    if is_s3(file.path):
        request = {"Range": f"bytes=0-{size - 1}"} if size else {}
        return get_object(file.path, file.fingerprint, StreamingBody.read, **request)
    try:
        with Path(file.path).open("rb") as stream:
            return stream.read(size)
    except OSError as error:
        raise Unreadable(f"cannot read {file.file_name}: {error}") from error


def inspect_files(
    files: list[File], columns: list[Column], folder: Path | None = None
) -> PreparedFiles:
    """The files with their compression, their object counts if the sample is all of a file, and
    the keys in the samples, each with the newest file that has it. With a folder, the files are
    made ready in it for DuckDB. Raises ClickException for other formats than JSON; with a folder
    also Unreadable, and BadRows if text is not JSON or fills no column: DuckDB accepts more as
    JSON than COPY does."""
    step = 1 if folder else max(1, -(-len(files) // SAMPLE_FILES))
    size = min(MAX_SAMPLE_BYTES, max(MIN_SAMPLE_BYTES, ALL_SAMPLES_BYTES // max(1, len(files))))

    def inspect(numbered_file: tuple[int, File]) -> tuple[File, Set[str]]:
        number, file = numbered_file
        if folder and is_s3(file.path):
            file = download(file, folder / f"{number:07}")
        is_sampled = (len(files) - 1 - number) % step == 0
        data = read(file, size if is_sampled else HEAD_BYTES)
        is_whole = len(data) == file.file_size
        file = file._replace(compression=detect_compression(data))
        if folder:
            file = name_for_duckdb(file, folder / f"{number:07}.json{SUFFIXES[file.compression]}")
        if file.compression:
            try:
                decompressor = DECOMPRESSORS[file.compression]()
                data = decompressor.decompress(data)
            except (KeyError, OSError, zlib.error):  # left to the engine
                return file, set()
            is_whole = is_whole and decompressor.eof and not decompressor.unused_data
        refuse_other_formats(file.file_name, data)
        count, keys = 0, set[str]()
        for count, piece in enumerate(read_rows(data, columns), start=1):
            if piece.reason and folder and (is_whole or piece.is_json):
                raise BadRows(describe(piece.as_reject(file.file_name, count)))
            if piece.reason:
                return file, keys
            keys |= piece.keys
        return file._replace(object_count=count if is_whole else None), keys

    inspected = PreparedFiles([])
    try:
        with progress("reading files", len(files)) as advance:
            for file, keys in prefetch(inspect, enumerate(files)):
                inspected.files.append(file)
                inspected.keys |= dict.fromkeys(keys, file.file_name)  # the newest come last
                advance(1, file.file_size if folder and is_s3(file.file_name) else 0)
    except Unreadable as error:
        if folder:
            raise
        note(f"cannot look for keys that no column takes: {error.message}")
        return PreparedFiles(files)
    return inspected


def download(file: File, path: Path) -> File:
    """Copies an S3 object into a file. Raises Unreadable, or OSError if it cannot be written."""

    def write(body: StreamingBody) -> None:
        with path.open("wb") as stream:
            stream.writelines(body.iter_chunks(CHUNK_BYTES))

    get_object(file.path, file.fingerprint, write)
    return file._replace(path=str(path))


def name_for_duckdb(file: File, link: Path) -> File:
    """A file, or a link to it, whose name shows DuckDB its compression. Raises ClickException if
    DuckDB cannot unpack it, and Unreadable if it is damaged, which DuckDB may not notice."""
    path = Path(file.path)
    if file.compression == "bzip2":
        raise ClickException(
            f"{file.file_name} is compressed with bzip2, which DuckDB does not read: unpack it."
        )
    if file.compression == "gzip":
        try:
            check_gzip(path)
        except (EOFError, OSError, zlib.error) as error:
            raise Unreadable(f"cannot unzip {file.file_name}: {error}") from error
    if {*map(compression_by_name, (path.name, path.name.lower()))} == {file.compression}:
        return file
    link.symlink_to(path)
    return file._replace(path=str(link))


def check_gzip(path: Path) -> None:
    """Raises EOFError, OSError or zlib.error if a gzip file is damaged."""
    decompressor = GZIP()
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            while chunk:
                decompressor = GZIP() if decompressor.eof else decompressor
                decompressor.decompress(chunk)
                chunk = decompressor.unused_data
    if not decompressor.eof:
        raise EOFError("it ends too early")


def join(
    files: list[File], folder: Path, suffix: str, columns: list[Column], max_bad: int | None = None
) -> PreparedFiles:
    """Writes the files' objects into parts in a folder, compressed if the suffix says so. With
    `max_bad`, rows are compared with the columns, and up to so many bad ones are left out. Raises
    BadRows if there are more, Unreadable, or OSError if a part cannot be written."""
    size = sum(file.file_size for file in files)
    share = -(-len(files) // part_count(size)) or 1
    parts = {
        folder / f"part_{first:07}{suffix}": files[first : first + share]
        for first in range(0, len(files), share)
    }
    run: Callable = map if len(files) <= ONE_PROCESS_FILES and size <= PART_BYTES else in_processes
    joined = PreparedFiles([])
    with progress("joining files", len(files)) as advance:
        for part in run(partial(join_part, columns=columns, max_bad=max_bad), parts.items()):
            joined.files += part.files
            joined.rejects += part.rejects
            joined.keys = part.keys | joined.keys
            if len(joined.rejects) > (max_bad or 0):
                count = pluralize(len(joined.rejects), "bad row")
                many = f"At least {count}, and --max-errors allows {max_bad}. " if max_bad else ""
                raise BadRows(many + " ".join(map(describe, joined.rejects[:10])))
            advance(len(part.files), sum(file.file_size for file in part.files))
    return joined


def part_count(size: int) -> int:
    """The number of parts for so many bytes: a power of two, and at least one for each core."""
    wanted = max(os.cpu_count() or 1, -(-size // PART_BYTES))
    return min(MAX_PARTS, 1 << (wanted - 1).bit_length())


def in_processes(function: Callable, arguments: Collection) -> Iterator:
    """The results of a function for some arguments, in order, by a process for each core."""
    context = multiprocessing.get_context("spawn")
    workers = min(os.cpu_count() or 1, len(arguments))
    with ProcessPoolExecutor(workers, context, initializer=end_with_parent) as pool:
        handler = signal.signal(signal.SIGINT, signal.SIG_IGN)  # in the processes
        results = [pool.submit(function, argument) for argument in arguments]
        signal.signal(signal.SIGINT, handler)
        try:
            for result in results:
                yield result.result()
        except BrokenProcessPool as error:
            reason = "A process that joins files died, perhaps for lack of memory."
            raise ClickException(f"{reason} {RUN_AGAIN}") from error
        except BaseException:
            for process in multiprocessing.active_children():
                process.kill()
            raise


def end_with_parent() -> None:
    """Makes a process end with its parent, even if that is killed."""
    if parent := multiprocessing.parent_process():
        threading.Thread(target=lambda: (wait([parent.sentinel]), os._exit(1)), daemon=True).start()


def join_part(
    part: tuple[Path, list[File]], columns: list[Column], max_bad: int | None
) -> PreparedFiles:
    """Writes the objects of some files into one part; stops at more than `max_bad` bad rows."""
    path, files = part
    joined = PreparedFiles([])
    # Level 1 takes a third of the time of level 9, for a file a tenth larger.
    with gzip.open(path, "wb", 1) if path.suffix == ".gz" else path.open("wb") as stream:
        for file, content in zip(files, prefetch(read_unpacked, files), strict=True):
            count, pieces = 0, read_rows(content, columns, check_values=max_bad is not None)
            for count, piece in enumerate(pieces, start=1):
                if piece.reason:
                    joined.rejects.append(piece.as_reject(file.file_name, count))
                    if len(joined.rejects) > (max_bad or 0):
                        return joined
                    continue
                for key in piece.keys - joined.keys.keys():
                    joined.keys[key] = file.file_name
                stream.write(piece.line.encode() + b"\n")
            joined.files.append(file._replace(path=str(path), object_count=count))
    return joined


def read_unpacked(file: File) -> bytes:
    """The uncompressed content of a file. Raises Unreadable, ClickException for other formats."""
    content = read(file)
    compression = detect_compression(content)
    if compression == "zstd":
        raise Unreadable(
            f"{file.file_name} is compressed with zstd, which only the engine can unpack: use gzip,"
            " or load with --join-from 0 and without --max-errors."
        )
    try:
        content = DECOMPRESS[compression](content) if compression else content
    except (EOFError, OSError, ValueError, zlib.error) as error:
        raise Unreadable(f"cannot read {file.file_name}: {error}") from error
    refuse_other_formats(file.file_name, content)
    return content
