"""Joining objects of S3, or files, into a few files that the engine reads in a moment.

For an engine each object is a request of its own: it takes an hour to read hundreds of
thousands of them. Here processes, as Python fetches on one core alone, with threads fetch
them and write their JSON objects, one a line, into parts. What is read here is counted, and the
batch must have as many rows.
"""

from __future__ import annotations

import bz2
import gzip
import json
import os
import re
import subprocess
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import IO

from botocore.response import StreamingBody
from click import ClickException

from loader import Refused, in_words
from loader.fetching import ahead, get_object
from loader.files import File, compression_of, is_s3, s3_client
from loader.objects import SHOWN_CHARACTERS, Piece, refuse_packed, split_objects

PARTS_AT_MOST = 32  # what most clusters' number of slices divides
PART_BYTES = 8 * 1024**2  # zipped, about the least that is worth a file to Redshift
FILES_ALONE = 1_000  # which are joined before a process has started, unless they are large
DECOMPRESS = {"gzip": gzip.decompress, "bzip2": bz2.decompress}
REFUSED = 3  # how a process ends that found what the table does not take


@dataclass(frozen=True, slots=True)
class Place:
    """From which line of what the engine reads a file's objects are, and the number that the
    first of them has in the file."""

    path: str
    first_line: int
    file_name: str
    first_number: int = 1


@dataclass
class Provided:
    """A batch's files where the engine can read them, what is where in there, the pieces that are
    no row, as rejected_rows has them, and keys of the objects, each with a file that has it."""

    files: list[File]
    places: list[Place] = field(default_factory=list)
    rejects: list[dict] = field(default_factory=list)
    keys: dict[str, str] = field(default_factory=dict)

    def with_names(self, message: str) -> str:
        """A message with the names that the user knows, instead of paths and lines of parts."""
        names: dict[str, dict[str, None]] = {}
        for place in self.places:
            names.setdefault(place.path, {})[place.file_name] = None
        for path, (first, *others) in names.items():
            if path in message:
                line = rf"{re.escape(path)}, line (\d+)"
                message = re.sub(line, lambda found, path=path: self._name(path, found), message)
                more = f" or one of the {len(others)} files after it" if others else ""
                message = message.replace(path, first + more)
        return message

    def with_file(self, row: dict) -> dict:
        """A row that COPY rejected, with the file and the line that the user knows. The system
        views have the first 256 bytes of a path."""
        for path in {place.path for place in self.places}:
            if path.encode()[:256] == row["file_name"].encode():
                file_name, number = self._locate(path, row["line_number"])
                return row | {"file_name": file_name, "line_number": number}
        return row

    def _name(self, path: str, found: re.Match) -> str:
        return "{}, line {}".format(*self._locate(path, int(found[1])))

    def _locate(self, path: str, line: int) -> tuple[str, int]:
        begun = [p for p in self.places if p.path == path and p.first_line <= line]
        place = max(begun, key=lambda place: place.first_line)
        return place.file_name, line - place.first_line + place.first_number


def join(
    files: list[File], folder: Path, is_gzip: bool, columns: list[str], max_rejects: int
) -> Provided:
    """Writes the files' objects into parts in a folder, zipped or not.

    max_rejects: how many pieces of the files may be no objects that fill a column.

    Raises Refused if there are more, and ClickException if an object cannot be read or is not the
    version that was listed, or if what is zipped is damaged.
    """
    size = sum(file.file_size for file in files)
    shares = split_evenly(len(files), part_count(size))
    is_alone = len(files) <= FILES_ALONE and size <= PART_BYTES
    workers = 1 if is_alone else min(os.cpu_count() or 1, len(shares))
    orders = [
        {
            "folder": str(folder),
            "is_gzip": is_gzip,
            "columns": [column.lower() for column in columns],
            "max_rejects": max_rejects,
            "shares": [
                {"first": first, "files": [asdict(file) for file in files[first:end]]}
                for first, end in shares[worker::workers]
            ],
        }
        for worker in range(workers)
    ]
    answers = join_shares(**orders[0]) if is_alone else ask_workers(orders)
    answers.sort(key=lambda answer: answer["first"])
    read = [one for answer in answers for one in answer["read"]]
    provided = Provided(
        [replace(file, **one) for file, one in zip(files, read, strict=True)],
        [Place(*place) for answer in answers for place in answer["places"]],
        [reject for answer in answers for reject in answer["rejects"]],
        {key: name for answer in reversed(answers) for key, name in answer["keys"].items()},
    )
    if len(provided.rejects) > max_rejects:
        raise Refused(too_many(provided.rejects, max_rejects))
    return provided


def split_evenly(count: int, share_count: int) -> list[tuple[int, int]]:
    """The first number, and the one after the last, of so many shares, none of them empty."""
    share_count = min(count, share_count)
    return [(n * count // share_count, (n + 1) * count // share_count) for n in range(share_count)]


def too_many(rejects: list[dict], max_rejects: int) -> str:
    """Why a batch is refused in which pieces are no rows."""
    shown = " ".join(
        f"In {each['file_name']}, line {each['line_number']}: {each['reason']}."
        for each in rejects[:10]
    )
    count = in_words(len(rejects), "bad row")
    return f"There are {count} at least, and --max-errors allows {max_rejects}. {shown}"


def part_count(size: int) -> int:
    """How many parts so many bytes are to have: a power of two, and one for each core."""
    count = 1
    while count < PARTS_AT_MOST and (count < (os.cpu_count() or 1) or size > count * PART_BYTES):
        count *= 2
    return count


def start_worker() -> subprocess.Popen:
    """A process that joins files when it is told which."""
    paths = [str(Path(__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "loader.joining"],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )


def ask_workers(orders: list[dict]) -> list[dict]:
    """What processes joined, one for each order. Raises what join does."""
    processes = [start_worker() for _ in orders]
    with ThreadPoolExecutor(len(orders)) as pool:
        asked = [pool.submit(ask_worker, *each) for each in zip(processes, orders, strict=True)]
        try:
            return [answer for each in as_completed(asked) for answer in each.result()]
        finally:
            for process in processes:
                process.kill()


def ask_worker(process: subprocess.Popen, order: dict) -> list[dict]:
    """What a worker joined of each share. Raises ClickException, with what it said if it failed."""
    output, errors = process.communicate(json.dumps(order))
    if process.returncode == REFUSED:
        raise Refused(errors.strip())
    if process.returncode:
        raise ClickException(
            errors.strip() or f"a process that joins files ended with {process.returncode}"
        )
    return json.loads(output)


def work() -> None:
    """Joins what standard input says, and tells on standard output what is where."""
    try:
        json.dump(join_shares(**json.load(sys.stdin)), sys.stdout)
    except ClickException as error:
        print(error.message, file=sys.stderr)
        sys.exit(REFUSED if isinstance(error, Refused) else 1)


def join_shares(shares: list[dict], **order) -> list[dict]:
    """What is where in the parts of some shares. Raises what join does."""
    try:
        return [Share(**order, **share).join() for share in shares]
    except OSError as error:
        raise ClickException(
            f"cannot write to the temporary folder, which TMPDIR may set: {error}"
        ) from error


class Share:
    """Files that become one part, named by the number of the first of them in the batch."""

    def __init__(
        self,
        folder: str,
        is_gzip: bool,
        columns: list[str],
        max_rejects: int,
        first: int,
        files: list[dict],
    ):
        self.folder, self.suffix = Path(folder), ".json.gz" if is_gzip else ".json"
        self.columns, self.max_rejects, self.first = frozenset(columns), max_rejects, first
        self.files = [File(**file) for file in files]
        self.path, self.line_count = self.folder / f"part_{first:07}{self.suffix}", 0
        self.places: list[tuple[str, int, str, int]] = []
        self.rejects: list[dict] = []
        self.keys: dict[str, str] = {}

    def join(self) -> dict:
        """Writes the part, and one for each file that cannot be joined; what is where."""
        client = s3_client() if any(is_s3(file.path) for file in self.files) else None
        contents = ahead(lambda file: content_of(client, file), self.files)
        with open_part(self.path) as part:
            read = [
                self._add(part, file, content)
                for file, content in zip(self.files, contents, strict=True)
            ]
        return {
            "first": self.first,
            "read": read,
            "places": self.places,
            "rejects": self.rejects,
            "keys": self.keys,
        }

    def _add(self, part: IO[bytes], file: File, content: bytes) -> dict:
        """Writes one file's objects; where they are, and how many pieces it has."""
        count, is_placed = 0, False
        for count, piece in enumerate(split_objects(content, self.columns), start=1):
            if piece.reason:
                is_placed = False
                self.rejects.append(reject(file, count, piece))
                if len(self.rejects) > self.max_rejects:
                    raise Refused(too_many(self.rejects, self.max_rejects))
                continue
            self.line_count += 1
            if not is_placed:
                self.places.append((str(self.path), self.line_count, file.file_name, count))
                is_placed = True
            for key in piece.keys - self.keys.keys():
                self.keys[key] = file.file_name
            part.write(piece.line.encode() + b"\n")
        return {"path": str(self.path), "object_count": count}


def reject(file: File, number: int, piece: Piece) -> dict:
    """A piece of a file that is no row, as rejected_rows has it."""
    return {
        "file_name": file.file_name,
        "line_number": number,
        "value": storable(piece.line[:SHOWN_CHARACTERS]),
        "reason": storable(piece.reason),
    }


def storable(text: str) -> str:
    """A text that any engine takes."""
    return text.replace("\0", "\ufffd").encode(errors="replace").decode()


def open_part(path: Path) -> IO[bytes]:
    """A part to write, zipped if its name says so."""
    # Level 1 takes a third of the time of level 9, for a file a tenth larger.
    return gzip.open(path, "wb", 1) if path.suffix == ".gz" else path.open("wb")


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
        raise ClickException(f"cannot read {file.file_name}: {error}") from error
    refuse_packed(file.file_name, content)
    return content


if __name__ == "__main__":
    work()
