"""How objects are fetched: loader/fetching.py alone; pipeline/test_s3_faults.py has more."""

from __future__ import annotations

import gzip
import random
import threading
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from botocore.exceptions import ReadTimeoutError
from click import ClickException

from loader import fetching
from loader.fetching import ahead, fetch, get_object
from loader.files import File

OBJECT = File("s3://bucket/log_data/a.json", 2, "1a2b", "s3://bucket/log_data/a.json")
AHEAD = 128  # files
BROKEN = ReadTimeoutError(endpoint_url="http://s3")


class Client:
    """An S3 client that tries requests so often, and remembers what it was asked for."""

    def __init__(self, attempts: int):
        self.meta = SimpleNamespace(
            config=SimpleNamespace(retries={"total_max_attempts": attempts})
        )
        self.asked: list[dict] = []

    def get_object(self, **request) -> dict:
        self.asked.append(request)
        return {"Body": len(self.asked)}


class Bucket(Client):
    """One that has objects, by their keys."""

    def __init__(self, contents: dict[str, bytes]):
        super().__init__(attempts=1)
        self.contents = contents

    def get_object(self, Key: str, **_) -> dict:
        return {"Body": SimpleNamespace(iter_chunks=lambda size: [self.contents[Key]])}


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The longest that it may wait, each time; nothing waits."""
    longest: list[float] = []
    monkeypatch.setattr(fetching.random, "uniform", lambda _, most: longest.append(most) or 0)
    return longest


def test_an_object_is_asked_for_in_the_version_that_was_listed() -> None:
    client = Client(attempts=3)
    assert get_object(client, OBJECT, lambda body: body) == 1
    assert client.asked == [{"Bucket": "bucket", "Key": "log_data/a.json", "IfMatch": '"1a2b"'}]


def test_an_object_that_breaks_off_is_read_again(waits: list[float]) -> None:
    """As often as a request is tried, each time after up to twice the time."""

    def take(body: int) -> str:
        if body < 4:
            raise BROKEN
        return f"attempt {body}"

    assert get_object(Client(attempts=4), OBJECT, take) == "attempt 4"
    assert waits == [1, 2, 4]
    with pytest.raises(ClickException, match=r"cannot read s3://bucket/log_data/a\.json: Read"):
        get_object(client := Client(attempts=3), OBJECT, take)
    assert len(client.asked) == 3


def test_each_object_is_a_file_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a name that says to DuckDB how it is compressed."""
    contents = {f"{number}.json": b"%d" % number for number in range(200)}
    contents["zipped"] = gzip.compress(b"{}")
    monkeypatch.setattr(fetching, "s3_client", lambda: Bucket(contents))
    files = [File(f"s3://bucket/{key}", 1, "", f"s3://bucket/{key}") for key in contents]
    fetched = fetch(files, tmp_path)
    assert [file.file_name for file in fetched] == [file.file_name for file in files]
    assert [Path(file.path).read_bytes() for file in fetched] == list(contents.values())
    assert {Path(file.path).suffix for file in fetched[:-1]} == {".json"}
    assert fetched[-1].path.endswith(".json.gz")


def zipped(path: Path, content: bytes) -> File:
    path.write_bytes(content)
    return File(path.name, len(content), "", str(path), compression="gzip")


def test_a_sound_gzip_is_taken(tmp_path: Path) -> None:
    """Also one of several members, and one that is read in several pieces."""
    one = gzip.compress(random.Random(1).randbytes(200_000))
    assert len(one) > 3 * fetching.CHUNK_BYTES
    files = [
        zipped(tmp_path / name, content)
        for name, content in {
            "empty.json.gz": gzip.compress(b""),
            "one.json.gz": one,
            "two.json.gz": gzip.compress(b"{}") + one,
            "at_the_end_of_a_chunk.json.gz": at_the_end_of_a_chunk() + gzip.compress(b"{}"),
        }.items()
    ]
    fetched = fetch(files, tmp_path)
    assert [file.object_count for file in fetched[::3]] == [0, 2]
    assert [replace(file, object_count=None) for file in fetched] == files


def at_the_end_of_a_chunk() -> bytes:
    """A gzip that is as long as what is read at once."""
    name_length = fetching.CHUNK_BYTES - len(gzip.compress(b"{}"))
    made = bytearray(gzip.compress(b"{}"))
    made[3] = 8  # a file name follows the header, to a zero
    made[10:10] = b"n" * (name_length - 1) + b"\0"
    assert len(made) == fetching.CHUNK_BYTES
    return bytes(made)


def test_what_is_made_ahead_keeps_its_order() -> None:
    """Many at once, but only so many ahead of what is taken."""
    begun: list[int] = []
    second = threading.Event()

    def make(number: int) -> int:
        begun.append(number)
        if number == 1:
            second.set()
        assert second.wait(10)  # the first ends after the second has begun
        return -number

    made = ahead(make, range(1_000))
    assert [next(made) for _ in range(3)] == [0, -1, -2]
    assert len(begun) <= 3 + AHEAD
    assert list(made) == [-number for number in range(3, 1_000)]


def test_what_cannot_be_made_stops_the_rest() -> None:
    """Also what waits already."""
    begun: list[int] = []

    def make(number: int) -> int:
        begun.append(number)
        if number == 0:
            raise ClickException("the first")
        time.sleep(0.5)
        return number

    with pytest.raises(ClickException, match="the first"):
        list(ahead(make, range(10_000)))
    assert len(begun) < AHEAD
