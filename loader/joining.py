"""Joining many small objects of S3 into a few files, which the engine reads in a moment.

For an engine each object is a request of its own: it takes an hour to read hundreds of
thousands of them. Here processes, as Python fetches on one core alone, with threads fetch
them and write their JSON objects, one a line, into parts.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, replace
from pathlib import Path
from typing import IO

from botocore.response import StreamingBody
from click import ClickException

from loader.fetching import ahead, get_object
from loader.files import File, s3_client

PARTS_AT_MOST = 32  # what most clusters' number of slices divides
PART_BYTES = 8 * 1024**2  # zipped, about the least that is worth a file to Redshift
BLANK = re.compile(r"[ \t\r\n]*")


def join(files: list[File], folder: Path, is_gzip: bool) -> list[File]:
    """Writes the files' objects into parts in a folder, zipped or not; the files with their
    path in there.

    Files that are no JSON objects throughout become parts of their own, as they are, for
    the engine to judge. Raises ClickException if an object cannot be read or is not the
    version that was listed, or if what is zipped is damaged.
    """
    count = part_count(sum(file.file_size for file in files))
    bounds = [(n * len(files) // count, (n + 1) * len(files) // count) for n in range(count)]
    workers = min(os.cpu_count() or 1, count)
    orders = [
        {
            "folder": str(folder),
            "is_gzip": is_gzip,
            "shares": [
                {"number": first, "files": [asdict(file) for file in files[first:end]]}
                for first, end in bounds[worker::workers]
            ],
        }
        for worker in range(workers)
    ]
    processes = [start_worker() for _ in orders]
    with ThreadPoolExecutor(workers) as pool:
        asked = [pool.submit(ask_worker, *each) for each in zip(processes, orders, strict=True)]
        try:
            shares = [share for each in as_completed(asked) for share in each.result()]
        finally:
            for process in processes:
                process.kill()
    shares.sort(key=lambda share: share["number"])
    places = [place for share in shares for place in share["places"]]
    return [
        replace(file, path=path, first_line=line)
        for file, (path, line) in zip(files, places, strict=True)
    ]


def named(message: str, files: list[File]) -> str:
    """A message with the names that the user knows, instead of paths and lines of parts."""
    members: dict[str, list[File]] = {}
    for file in files:
        if file.path != file.file_name:
            members.setdefault(file.path, []).append(file)
    for path, joined in members.items():
        if path not in message:
            continue
        begun = [file for file in joined if file.first_line]

        def place(found: re.Match, begun: list[File] = begun) -> str:
            line = int(found[1])
            file = max(
                (file for file in begun if file.first_line <= line), key=lambda f: f.first_line
            )
            return f"{file.file_name}, line {line - file.first_line + 1}"

        message = re.sub(rf"{re.escape(path)}, line (\d+)", place, message)
        more = f" or one of the {len(joined) - 1} files after it" if joined[1:] else ""
        message = message.replace(path, joined[0].file_name + more)
    return message


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
    )


def ask_worker(process: subprocess.Popen, order: dict) -> list[dict]:
    """The shares that a worker joined. Raises ClickException, with what it said if it failed."""
    output, errors = process.communicate(json.dumps(order))
    if process.returncode:
        raise ClickException(errors.strip() or f"a process that joins files ended with {output}")
    return json.loads(output)


def work() -> None:
    """Joins what standard input says, and tells on standard output what is where."""
    order = json.load(sys.stdin)
    client = s3_client()
    try:
        shares = [join_share(client, order, **share) for share in order["shares"]]
    except ClickException as error:
        sys.exit(error.message)
    except OSError as error:
        sys.exit(f"cannot write to the temporary folder, which TMPDIR may set: {error}")
    json.dump(shares, sys.stdout)


def join_share(client, order: dict, number: int, files: list[dict]) -> dict:
    """Writes a part, named by a number, and one for each file that cannot be joined: the
    places, path and first line, of the files."""
    folder, suffix = Path(order["folder"]), ".json.gz" if order["is_gzip"] else ".json"
    places: list[tuple[str, int | None]] = []
    path, line_count = folder / f"part_{number:07}{suffix}", 0
    with open_part(path) as part:
        for content in ahead(lambda file: content_of(client, File(**file)), files):
            try:
                lines = objects_in(content)
            except (ValueError, RecursionError):
                odd = folder / f"odd_{number + len(places):07}{suffix}"
                with open_part(odd) as stream:
                    stream.write(content)
                places.append((str(odd), 1))
                continue
            part.writelines(line + b"\n" for line in lines)
            places.append((str(path), line_count + 1 if lines else None))
            line_count += len(lines)
    return {"number": number, "places": places}


def open_part(path: Path) -> IO[bytes]:
    """A part to write, zipped if its name says so."""
    # Level 1 takes a third of the time of level 9, for a file a tenth larger.
    return gzip.open(path, "wb", 1) if path.suffix == ".gz" else path.open("wb")


def content_of(client, file: File) -> bytes:
    """What is in an object, unzipped."""
    content = get_object(client, file, StreamingBody.read)
    if not file.file_name.endswith(".gz"):
        return content
    try:
        return gzip.decompress(content)
    except (EOFError, OSError, zlib.error) as error:
        raise ClickException(f"cannot unzip {file.file_name}: {error}") from error


def objects_in(content: bytes) -> list[bytes]:
    """JSON objects that follow one another, each as one line.

    Raises ValueError or RecursionError if it is anything else.
    """
    text, end, lines = content.decode(), 0, []
    while (start := BLANK.match(text, end).end()) < len(text):
        value, end = DECODER.raw_decode(text, start)
        if not isinstance(value, dict):
            raise ValueError("not an object")
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode()  # fails at half a surrogate pair
        # Within a JSON text an end of line is a blank, since strings have it escaped.
        lines.append(text[start:end].replace("\n", " ").replace("\r", " ").encode())
    return lines


def refuse(constant: str) -> None:
    """Refuses NaN and Infinity, which Python takes for JSON."""
    raise ValueError(f"{constant} is no JSON")


DECODER = json.JSONDecoder(parse_constant=refuse)

if __name__ == "__main__":
    work()
