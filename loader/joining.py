"""Joining objects of S3, or files, into a few files that the engine reads in a moment.

For an engine each object is a request of its own: it takes an hour to read hundreds of
thousands of them. Here processes, as Python fetches on one core alone, with threads fetch them
and write their JSON objects, one a line, into parts. What is read here is counted, and the batch
must have as many rows.
"""

from __future__ import annotations

import gzip
import multiprocessing
import os
import signal
import threading
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from click import ClickException

from loader import Refused, in_words, progress
from loader.files import File
from loader.reading import ahead, client_for, content_of
from loader.rows import Column, read_rows, told

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


def join(
    files: list[File],
    folder: Path,
    suffix: str,
    columns: list[Column],
    is_judged: bool = False,
    max_rejects: int = 0,
) -> Provided:
    """Writes the files' objects into parts in a folder, zipped if the suffix says so.

    is_judged:   whether rows are compared with the columns, see read_rows.
    max_rejects: how many pieces of the files may be no rows.

    Raises Refused if there are more, and ClickException if an object cannot be read or is not the
    version that was listed, or if what is zipped is damaged.
    """
    size = sum(file.file_size for file in files)
    shares = split_evenly(len(files), part_count(size))
    parts = [files[first:end] for first, end in shares]
    paths = [folder / f"part_{first:07}{suffix}" for first, _ in shares]
    join_one = partial(join_part, columns=columns, is_judged=is_judged, max_rejects=max_rejects)
    joined = Provided([])
    is_alone = len(files) <= FILES_ALONE and size <= PART_BYTES
    make = map if is_alone else in_processes
    with progress("joining files", len(files)) as advance:
        for part in make(join_one, parts, paths):
            joined.files += part.files
            joined.rejects += part.rejects
            joined.keys = part.keys | joined.keys
            if len(joined.rejects) > max_rejects:
                raise Refused(too_many(joined.rejects, max_rejects))
            advance(len(part.files), sum(file.file_size for file in part.files))
    return joined


def split_evenly(count: int, share_count: int) -> list[tuple[int, int]]:
    """The first number, and the one after the last, of so many shares, none of them empty."""
    share_count = min(count, share_count)
    return [(n * count // share_count, (n + 1) * count // share_count) for n in range(share_count)]


def too_many(rejects: list[dict], max_rejects: int) -> str:
    """Why a batch is refused in which pieces are no rows."""
    shown = " ".join(map(told, rejects[:10]))
    if not max_rejects:
        return shown
    count = in_words(len(rejects), "bad row")
    return f"There are {count} at least, and --max-errors allows {max_rejects}. {shown}"


def part_count(size: int) -> int:
    """How many parts so many bytes are to have: a power of two, and one for each core."""
    count = 1
    while count < PARTS_AT_MOST and (count < (os.cpu_count() or 1) or size > count * PART_BYTES):
        count *= 2
    return count


def in_processes(make, *each):
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
    files: list[File], path: Path, columns: list[Column], is_judged: bool, max_rejects: int
) -> Provided:
    """Writes the objects of files into one part. Raises what join does."""
    joined = Provided([])
    client = client_for(files)
    contents = ahead(lambda file: content_of(client, file), files)
    try:
        # Level 1 takes a third of the time of level 9, for a file a tenth larger.
        with gzip.open(path, "wb", 1) if path.suffix == ".gz" else path.open("wb") as part:
            for file, content in zip(files, contents, strict=True):
                count = 0
                for count, piece in enumerate(read_rows(content, columns, is_judged), start=1):
                    if piece.reason:
                        joined.rejects.append(piece.as_reject(file.file_name, count))
                        if len(joined.rejects) > max_rejects:
                            raise Refused(too_many(joined.rejects, max_rejects))
                        continue
                    for key in piece.keys - joined.keys.keys():
                        joined.keys[key] = file.file_name
                    part.write(piece.line.encode() + b"\n")
                joined.files.append(replace(file, path=str(path), object_count=count))
    except OSError as error:
        raise ClickException(
            f"cannot write to the temporary folder, which TMPDIR may set: {error}"
        ) from error
    return joined
