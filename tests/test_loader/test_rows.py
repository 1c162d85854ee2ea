"""Files that the loader reads itself: each object is found, counted and written once."""

from __future__ import annotations

import bz2
import gzip
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from click import ClickException

import loader.reading
from loader import BadRows
from loader.files import File
from loader.reading import HEAD_BYTES, inspect_files, join, part_count
from loader.rows import Column, Piece, read_rows

from .joined import COLUMNS, joined_cases, with_cores, write

__all__ = ["with_cores"]  # a fixture

CORES = (1, 2, 3, 8, 64)
ROOT = Path(__file__).parents[2]


def pieces(text: str | bytes) -> list[Piece]:
    content = text if isinstance(text, bytes) else text.encode()
    return list(read_rows(content, COLUMNS))


def shown(text: str | bytes) -> list[str]:
    """The pieces of a text, bad ones in brackets."""
    return [f"<{piece.line}>" if piece.reason else piece.line for piece in pieces(text)]


# --- cutting a text ------------------------------------------------------------

GOOD = '{"n": 1}'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" \r\n\t", []),
        (GOOD, [GOOD]),
        (GOOD + GOOD + "\n\n" + GOOD, [GOOD] * 3),
        ('{\n "n":\r\n 1}', ['{  "n":   1}']),
        ('\ufeff{"n": 1}', [GOOD]),
        ('{"n": 1', ['<{"n": 1>']),
        ('"n": 1}', ['<"n": 1}>']),
        ("null", ["<null>"]),
        ("[]", ["<[]>"]),
        ("[1, 2]", ["<[1, 2]>"]),
        ('[{"n": 1}, {"n": 2}]', ['<{"n": 1}>', '<{"n": 2}>']),
        ('{"all": [{"n": 1}, {"x": {"n": 2}}]}', ['<{"n": 1}>', '<{"n": 2}>']),
        ('{"other": 1}', ['<{"other": 1}>']),
        ('{"n": null}', ['<{"n": null}>']),
        ("{}", ["<{}>"]),
        ('{"n": NaN}', ['<{"n": NaN}>']),
        ('{"n": 1,}', ['<{"n": 1,}>']),
        ('{"text": "a\n"}', ['<{"text": "a>', '<"}>']),
        ('{"N": 1}', ['{"N": 1}']),
        # A bad piece ends where the next object or line begins.
        (GOOD + '{"n": ' + GOOD, [GOOD, '<{"n": >', GOOD]),
        (GOOD + '{"text": "cut' + GOOD + GOOD, [GOOD, '<{"text": "cut>', GOOD, GOOD]),
        ('{"n" 1}{"n" 2}' + GOOD, ['<{"n" 1}>', '<{"n" 2}>', GOOD]),
        ("what\never\n" + GOOD, ["<what>", "<ever>", GOOD]),
        ('{"n": x, "in": {"n": 2}}\n' + GOOD, ['<{"n": x, "in": {"n": 2}}>', GOOD]),
        ('{"n": x, "in": [{"n": 2}, {"n": 3}]}', ['<{"n": x, "in": [{"n": 2}, {"n": 3}]}>']),
        (", " + GOOD, ["<, >", GOOD]),
        ('{"text": "cut { ' + GOOD, ['<{"text": "cut { >', GOOD]),
        ("{" * 500, ["<" + "{" * 500 + ">"]),
    ],
)
def test_a_text_is_cut_into_objects_and_bad_pieces(text: str, expected: list[str]) -> None:
    assert [each.replace(" >", ">") for each in shown(text)] == [
        each.replace(" >", ">") for each in expected
    ]


def test_text_that_no_engine_takes_is_bad() -> None:
    assert [piece.reason for piece in pieces(b'{"text": "\xff"}{"n": 1}')] == [
        "not valid Unicode",
        None,
    ]
    assert pieces('{"text": "\\ud83d"}')[0].reason == "not valid Unicode"
    assert pieces('{"text": "\\ud83d\\ude00"}')[0].reason is None
    most = 4 * 1024**2 - len('{"text": ""}')
    assert pieces('{"text": "' + "x" * most + '"}')[0].reason is None
    assert pieces('{"text": "' + "é" * (most // 2 + 1) + '"}')[0].reason == (
        "an object of more than 4 MB"
    )


@pytest.mark.parametrize("seed", range(20))
def test_a_cut_object_loses_no_other(seed: int) -> None:
    """One of many objects is cut at a random place; all others are found."""
    rng = random.Random(seed)
    texts = [json.dumps({"n": n, "text": rng.choice(["a", "}{", '"', "é\n"])}) for n in range(30)]
    spoilt = rng.randrange(30)
    cut = texts[spoilt][: rng.randrange(2, len(texts[spoilt]) - 1)]
    separator = rng.choice(["", "\n", " "])
    found = [
        json.loads(piece.line)["n"]
        for piece in pieces(separator.join([*texts[:spoilt], cut, *texts[spoilt + 1 :]]))
        if not piece.reason
    ]
    assert found == [n for n in range(30) if n != spoilt]


# --- inspecting the beginnings of files ------------------------------------------


def test_small_files_are_counted_when_inspected(tmp_path: Path) -> None:
    small = write(tmp_path, "a.json", GOOD * 3)
    exactly = write(tmp_path, "b.json", GOOD + " " * (64 * 1024 - len(GOOD)))
    large = write(tmp_path, "c.json", '{"n": 1, "other": 2}' + " " * 64 * 1024 + GOOD)
    broken = write(tmp_path, "d.json", GOOD + '{"n"')
    empty = write(tmp_path, "e.json", "")
    inspected = inspect_files([small, exactly, large, broken, empty], COLUMNS)
    assert [file.object_count for file in inspected.files] == [3, 1, None, None, 0]
    assert inspected.keys.keys() == {"n", "other"}
    assert inspected.keys["other"] == "c.json"


def test_a_compressed_file_is_counted_if_the_sample_is_all_of_it(tmp_path: Path) -> None:
    one = gzip.compress((GOOD * 2).encode())
    files = [write(tmp_path, "a.json.gz", one), write(tmp_path, "b.json.gz", one + one)]
    assert [file.object_count for file in inspect_files(files, COLUMNS).files] == [2, None]


def test_a_key_is_named_by_the_newest_file_that_has_it(tmp_path: Path) -> None:
    """But joined files by the first of a part."""
    files = [write(tmp_path, f"{n}.json", '{"n": 1, "other": 2}') for n in range(3)]
    assert inspect_files(files, COLUMNS).keys == {"n": "2.json", "other": "2.json"}
    assert join(files, tmp_path, ".json", COLUMNS).keys == {"n": "0.json", "other": "0.json"}


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.json", gzip.compress(gzip.compress(b"{}")), "holds gzip, .* unpack it once"),
        ("a.gz", bz2.compress(gzip.compress(b"{}")), "holds gzip, .* unpack it once"),
        ("a.json", b"PK\x03\x04", "holds zip, .* unpack it once"),
    ],
    ids=["gzip twice", "gzip in bzip2", "zip"],
)
def test_a_compressed_file_is_not_a_bad_row(
    tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    """Which --max-errors would put aside."""
    for read in (inspect_files, lambda files, _: join(files, tmp_path, ".json", COLUMNS, 99)):
        with pytest.raises(ClickException, match=said) as raised:
            read([write(tmp_path, name, content)], COLUMNS)
        assert not isinstance(raised.value, BadRows)


def test_a_rejected_value_fits_its_column(tmp_path: Path) -> None:
    """It is cut to 1,000 characters, and characters that no database takes are replaced."""
    bad = write(tmp_path, "a.json", b'{"n": 1}\na\0b\xff' + "é".encode() * 2_000)
    (kept,) = join([bad], tmp_path, ".json", COLUMNS, max_bad=1).rejects
    assert kept["value"] == "a\ufffdb?" + "é" * 996
    assert kept["reason"] == "not JSON: Expecting value"
    keys = {chr(0x1F600 + n) * 40: 1 for n in range(20)}
    (kept,) = join(
        [write(tmp_path, "a.json", json.dumps(keys))], tmp_path, ".json", COLUMNS, max_bad=1
    ).rejects
    assert 1000 < len(kept["reason"].encode()) <= 1024


@pytest.mark.parametrize(
    ("data_type", "is_required", "fault"),
    [
        ("double precision", False, None),
        ("double precision", True, "empty, but a value is required"),
        ("varchar(64)", True, None),
    ],
)
def test_an_empty_text_is_no_number_and_no_fault(
    data_type: str, is_required: bool, fault: str | None
) -> None:
    """The logs have it as the user of those who are logged out."""
    assert Column("userId", data_type, is_required).fault_of("") == fault


def test_values_are_only_checked_if_some_bad_rows_are_allowed(tmp_path: Path) -> None:
    files = [write(tmp_path, "a.json", GOOD + '{"n": "x"}')]
    assert join(files, tmp_path, ".json", COLUMNS).rejects == []
    (kept,) = join(files, tmp_path, ".json", COLUMNS, max_bad=1).rejects
    assert (kept["line_number"], kept["reason"]) == (2, "not a number")
    with pytest.raises(BadRows, match="line 2, column n"):
        join(files, tmp_path, ".json", COLUMNS, max_bad=0)


def test_the_beginning_of_every_file_is_inspected(tmp_path: Path) -> None:
    objects = [{"n": n, "text": "x" * HEAD_BYTES, f"key{n}": 1} for n in range(2000)]
    files = [write(tmp_path, f"{n}.json", json.dumps(each)) for n, each in enumerate(objects)]
    keys = inspect_files(files, COLUMNS, tmp_path).keys
    assert keys.keys() == {"n", "text", *(f"key{n}" for n in range(2000))}


def test_a_thousand_s3_objects_are_inspected(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of more than a thousand every second, third and so on, and the newest. Of the others only
    the bytes that show the compression are read."""
    seen: list[tuple[str, int]] = []

    def read(file: File, size: int) -> bytes:
        if size == HEAD_BYTES:
            return b"\x28\xb5\x2f\xfd"
        seen.append((file.file_name, size))
        return GOOD.encode()

    monkeypatch.setattr(loader.reading, "read", read)
    for count, step, size in (
        (1, 1, 65_536),
        (1000, 1, 16_777),
        (1001, 2, 16_760),
        (9999, 10, 4096),
    ):
        files = [File(f"s3://b/{n:05}", 8, "tag", f"s3://b/{n:05}") for n in range(count)]
        seen.clear()
        counted = inspect_files(files, COLUMNS).files
        looked_at = sorted(int(name[-5:]) for name, _ in seen)
        assert looked_at == list(range(count))[::-step][::-1]
        assert looked_at[-1] == count - 1
        assert {of_each for _, of_each in seen} == {size}
        assert [n for n, file in enumerate(counted) if file.object_count == 1] == looked_at
        assert [n for n, file in enumerate(counted) if not file.compression] == looked_at


def test_an_object_that_fills_no_column_is_named(tmp_path: Path) -> None:
    bad = write(tmp_path, "bad.json", GOOD + '{"Records": [1]}')
    with pytest.raises(BadRows, match=r"bad\.json, line 2, value .* fills a column: Records"):
        inspect_files([bad], COLUMNS, tmp_path)


# --- joining, over any number of objects and cores -----------------------------


@pytest.mark.parametrize("cores", CORES)
def test_no_part_is_empty(tmp_path: Path, with_cores: Callable[[int], None], cores: int) -> None:
    """And the largest is as small as possible."""
    for count, joined in joined_cases(tmp_path, with_cores, ".json", (cores,)):
        sizes = Counter(file.path for file in joined.files).values()
        most = min(part_count(0), 32)
        assert sum(sizes) == count
        assert len(sizes) <= most
        assert max(sizes, default=0) == -(-count // most)
        assert len(list((tmp_path / f"{cores}_{count}").glob("part_*"))) == len(sizes)


def test_there_are_as_many_parts_as_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    for cores, least in ((1, 1), (2, 2), (3, 4), (8, 8), (32, 32), (64, 32)):
        monkeypatch.setattr("os.cpu_count", lambda cores=cores: cores)
        assert part_count(0) == least
    monkeypatch.setattr("os.cpu_count", lambda: None)
    assert [part_count(n * 8 * 1024**2) for n in (0, 1, 2, 3, 1000)] == [1, 1, 2, 4, 32]
    assert part_count(8 * 1024**2 + 1) == 2


def test_duckdb_reads_each_joined_object_once(
    tmp_path: Path, with_cores: Callable[[int], None], tried: Callable[[str, int], None]
) -> None:
    connection = duckdb.connect()
    for count, joined in joined_cases(tmp_path, with_cores, ".json", CORES):
        paths = sorted({file.path for file in joined.files})
        read = "select n from read_json(?, format='unstructured', columns={'n': 'int'}) order by 1"
        rows = connection.execute(read, [paths]).fetchall() if paths else []
        assert rows == [(n,) for n in range(count) if n % 3 != 1]
        tried("joined objects", len(rows))


@pytest.mark.parametrize("cores", CORES)
def test_bad_pieces_keep_their_place_among_good_ones(
    tmp_path: Path, with_cores: Callable[[int], None], cores: int
) -> None:
    """Their number counts the objects of their file, in whichever part it is."""
    with_cores(cores)
    good, bad = '{"n": %d}', '{"n" %d}'
    texts = ["".join((bad if (n + f) % 4 == 2 else good) % n for n in range(f)) for f in range(9)]
    files = [write(tmp_path, f"{f}.in", text) for f, text in enumerate(texts)]
    joined = join(files, tmp_path, ".json", COLUMNS, max_bad=100)
    lines = [
        line
        for path in dict.fromkeys(file.path for file in joined.files)
        for line in Path(path).read_text().splitlines()
    ]
    assert lines == [good % n for f in range(9) for n in range(f) if (n + f) % 4 != 2]
    assert [(r["file_name"], r["line_number"], r["value"]) for r in joined.rejects] == [
        (f"{f}.in", n + 1, bad % n) for f in range(9) for n in range(f) if (n + f) % 4 == 2
    ]
    assert [file.object_count for file in joined.files] == list(range(9))
    with pytest.raises(BadRows, match=f"--max-errors allows {len(joined.rejects) - 1}"):
        join(files, tmp_path, ".json", COLUMNS, max_bad=len(joined.rejects) - 1)


def test_a_damaged_gzip_among_joined_files_is_named(
    tmp_path: Path, with_cores: Callable[[int], None]
) -> None:
    with_cores(2)
    zipped = gzip.compress(GOOD.encode())
    for damaged in (zipped[:-5], zipped[:-8] + bytes(4) + zipped[-4:], b""):
        files = [write(tmp_path, "a.json.gz", zipped), write(tmp_path, "b.json.gz", damaged)]
        if not damaged:
            assert join(files, tmp_path, ".json", COLUMNS).files[1].object_count == 0
            continue
        with pytest.raises(Exception, match=r"cannot read b\.json\.gz"):
            join(files, tmp_path, ".json", COLUMNS)


def test_an_error_in_a_process_is_raised_unchanged(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(loader.reading, "ONE_PROCESS_FILES", 0)
    good, bad = write(tmp_path, "é.json", GOOD), write(tmp_path, "ü.json", "ä")
    assert join([good, good], tmp_path, ".json", COLUMNS).files[1].object_count == 1
    joined = join([good, bad], tmp_path, ".json.gz", COLUMNS, max_bad=1)
    assert joined.rejects[0]["value"] == "ä"
    with pytest.raises(BadRows, match=r'In ü\.json, line 1, value "ä": not JSON'):
        join([good, bad], tmp_path, ".json", COLUMNS)
    with pytest.raises(ClickException, match=r"cannot read gone\.json") as raised:
        join([File("gone.json", 1, "tag", str(tmp_path / "gone"))], tmp_path, ".json", COLUMNS)
    assert not isinstance(raised.value, BadRows)


def test_a_process_that_dies_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(loader.reading, "ONE_PROCESS_FILES", 0)
    monkeypatch.setattr(loader.reading, "end_with_parent", die)
    with pytest.raises(ClickException, match="process that joins files died"):
        join([write(tmp_path, "a.json", GOOD)], tmp_path, ".json", COLUMNS)


def die() -> None:
    """Ends the process, as if memory had run out."""
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_process_ends_with_the_one_that_started_it(tmp_path: Path) -> None:
    """Even if that is killed: otherwise it would run forever."""
    script = """
import os, sys, time
from loader.reading import in_processes

def pid(_):
    return os.getpid()

if __name__ == "__main__":
    answers = in_processes(pid, [1])
    print(next(answers), flush=True)
    time.sleep(60)
"""
    (tmp_path / "script.py").write_text(script)
    with subprocess.Popen(
        [sys.executable, str(tmp_path / "script.py")],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        child = int(parent.stdout.readline())
        os.kill(child, 0)
        parent.kill()
        parent.wait()
    deadline = time.monotonic() + 10
    with pytest.raises(ProcessLookupError):
        while time.monotonic() < deadline:
            os.kill(child, 0)
            time.sleep(0.05)
