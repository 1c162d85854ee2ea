"""Reading objects: loader/reading.py and s3.py; pipeline/test_s3_faults.py has more."""

from __future__ import annotations

import gzip
import random
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import duckdb
import pytest
from botocore.exceptions import ReadTimeoutError
from click import ClickException

from loader import Unreadable, s3
from loader.files import File
from loader.reading import CHUNK_BYTES, inspect_files, prefetch
from loader.rows import Column
from loader.s3 import get_object

COLUMNS = [Column("n", "double precision")]
OBJECT = ("s3://bucket/log_data/a.json", "1a2b")
READ_AHEAD = 128  # files
ZSTD = bytes.fromhex("28b52ffd00584100007b226e223a317d0a")  # {"n": 1}
BROKEN = ReadTimeoutError(endpoint_url="http://s3")


class Client:
    """An S3 client with a number of attempts, which records its requests."""

    def __init__(self, attempts: int):
        self.meta = SimpleNamespace(
            config=SimpleNamespace(retries={"total_max_attempts": attempts})
        )
        self.asked: list[dict] = []

    def get_object(self, **request) -> dict:
        self.asked.append(request)
        return {"Body": len(self.asked)}


class Bucket(Client):
    """An S3 client that has objects, by key."""

    def __init__(self, contents: dict[str, bytes]):
        super().__init__(attempts=1)
        self.contents = contents

    def get_object(self, Key: str, **_) -> dict:
        return {"Body": SimpleNamespace(iter_chunks=lambda size: [self.contents[Key]])}


def with_client(monkeypatch: pytest.MonkeyPatch, client: Client) -> Client:
    """Makes the loader use a client."""
    monkeypatch.setattr(s3, "client", lambda: client)
    return client


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The longest time of each wait; nothing waits."""
    longest: list[float] = []
    monkeypatch.setattr(s3.random, "uniform", lambda _, most: longest.append(most) or 0)
    return longest


def test_an_object_is_asked_for_in_the_version_that_was_listed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client = with_client(monkeypatch, Client(attempts=3))
    assert get_object(*OBJECT, lambda body: body) == 1
    assert client.asked == [{"Bucket": "bucket", "Key": "log_data/a.json", "IfMatch": '"1a2b"'}]


def test_an_object_that_breaks_off_is_read_again(
    waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As often as a request is tried; the longest wait doubles each time."""

    def take(body: int) -> str:
        if body < 4:
            raise BROKEN
        return f"attempt {body}"

    with_client(monkeypatch, Client(attempts=4))
    assert get_object(*OBJECT, take) == "attempt 4"
    assert waits == [1, 2, 4]
    client = with_client(monkeypatch, Client(attempts=3))
    with pytest.raises(ClickException, match=r"cannot read s3://bucket/log_data/a\.json: Read"):
        get_object(*OBJECT, take)
    assert len(client.asked) == 3


def test_each_object_is_a_file_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    contents = {f"{number}.json": b'{"n": %d}' % number for number in range(200)}
    with_client(monkeypatch, Bucket(contents))
    files = [
        File(f"s3://bucket/{key}", len(content), "", f"s3://bucket/{key}")
        for key, content in contents.items()
    ]
    fetched = inspect_files(files, COLUMNS, tmp_path).files
    assert {file.object_count for file in fetched} == {1}
    assert [file.file_name for file in fetched] == [file.file_name for file in files]
    assert [Path(file.path).read_bytes() for file in fetched] == list(contents.values())


@pytest.mark.parametrize("name", ["a.json", "a", "a.GZ", "a.json.gz", "a.zst", "a.json.ZST"])
@pytest.mark.parametrize("compression", ["", "gzip", "zstd"])
def test_duckdb_gets_names_that_say_what_is_in_a_file(
    tmp_path: Path, name: str, compression: str
) -> None:
    content = b'{"n": 1}'
    packed = {"": content, "gzip": gzip.compress(content), "zstd": ZSTD}[compression]
    path = tmp_path / name
    path.write_bytes(packed)
    (tmp_path / "stage").mkdir()
    given = File(name, len(packed), "", str(path))
    (file,) = inspect_files([given], COLUMNS, tmp_path / "stage").files
    assert file.compression == compression
    read = "select n from read_json(?, format='unstructured', columns={'n': 'int'})"
    assert duckdb.execute(read, [file.path]).fetchall() == [(1,)]
    assert (file.path == str(path)) == (
        {"a.json": "", "a": "", "a.json.gz": "gzip", "a.zst": "zstd"}.get(name) == compression
    )


def test_damaged_gzip_is_detected(tmp_path: Path) -> None:
    """Several members, and a file that is read in several chunks, are no damage."""
    digits = random.Random(1).randbytes(3 * CHUNK_BYTES).hex().encode()
    one = gzip.compress(b'{"n": "' + digits + b'"}')
    assert len(one) > 3 * CHUNK_BYTES
    for content, is_sound in (
        (gzip.compress(b""), True),
        (one, True),
        (gzip.compress(b'{"n": 1}') + one, True),
        (one[:-1], False),
        (one[:-8] + bytes(4) + one[-4:], False),
        (one + b"{}", False),
    ):
        path = tmp_path / "a.json.gz"
        path.write_bytes(content)
        files = [File(path.name, len(content), "", str(path), compression="gzip")]
        if is_sound:
            assert [file.path for file in inspect_files(files, COLUMNS, tmp_path).files] == [
                str(path)
            ]
        else:
            with pytest.raises(Unreadable, match=r"cannot unzip a\.json\.gz"):
                inspect_files(files, COLUMNS, tmp_path)


def test_prefetched_results_keep_their_order() -> None:
    """Many are computed at once, but only a limited number ahead."""
    begun: list[int] = []
    second = threading.Event()

    def negate(number: int) -> int:
        begun.append(number)
        if number == 1:
            second.set()
        assert second.wait(10)  # the first ends after the second has begun
        return -number

    results = prefetch(negate, range(1_000))
    assert [next(results) for _ in range(3)] == [0, -1, -2]
    assert len(begun) <= 3 + READ_AHEAD
    assert list(results) == [-number for number in range(3, 1_000)]


def test_an_error_stops_prefetching() -> None:
    """Also of what is queued already."""
    begun: list[int] = []

    def fail(number: int) -> int:
        begun.append(number)
        if number == 0:
            raise ClickException("the first")
        time.sleep(0.5)
        return number

    with pytest.raises(ClickException, match="the first"):
        list(prefetch(fail, range(10_000)))
    assert len(begun) < READ_AHEAD
