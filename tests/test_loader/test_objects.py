"""What the loader reads by itself: each object is found, counted, and written once."""

from __future__ import annotations

import bz2
import gzip
import json
import random
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
from click import ClickException

import loader.joining
import loader.sampling
from loader import Refused
from loader.fetching import contents
from loader.files import HEAD_BYTES, File
from loader.joining import Place, Provided, join, part_count, split_evenly
from loader.objects import Piece, count_boundaries, split_objects
from loader.sampling import sample

from .joined import joined_cases, with_cores, write

__all__ = ["with_cores"]  # a fixture

COLUMNS = frozenset({"n", "text"})
CORES = (1, 2, 3, 8, 64)


def pieces(text: str | bytes) -> list[Piece]:
    content = text if isinstance(text, bytes) else text.encode()
    return list(split_objects(content, COLUMNS))


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
        # Where a bad piece ends: as early as an object or another line begins.
        (GOOD + '{"n": ' + GOOD, [GOOD, '<{"n": >', GOOD]),
        (GOOD + '{"text": "cut' + GOOD + GOOD, [GOOD, '<{"text": "cut>', GOOD, GOOD]),
        ('{"n" 1}{"n" 2}' + GOOD, ['<{"n" 1}>', '<{"n" 2}>', GOOD]),
        ("what\never\n" + GOOD, ["<what>", "<ever>", GOOD]),
        ('{"n": x, "in": {"n": 2}}\n' + GOOD, ['<{"n": x, "in": {"n": 2}}>', GOOD]),
        ('{"n": x, "in": [{"n": 2}, {"n": 3}]}', ['<{"n": x, "in": [{"n": 2}, {"n": 3}]}>']),
        (", " + GOOD, ["<, >", GOOD]),
        ("{" * 500, ["<" + "{" * 500 + ">"]),
    ],
)
def test_a_text_is_cut_into_objects_and_what_is_between(text: str, expected: list[str]) -> None:
    assert [each.replace(" >", ">") for each in shown(text)] == [
        each.replace(" >", ">") for each in expected
    ]


def test_what_no_engine_takes_is_bad() -> None:
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
def test_what_is_cut_out_of_good_objects_loses_no_other(seed: int) -> None:
    """One of them is cut off anywhere; all the others are found, wherever they stand."""
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


# --- counting ------------------------------------------------------------------


@pytest.mark.parametrize("separator", ["", "\n", " \r\n\n"])
@pytest.mark.parametrize("size", [1, 2, 7, 64 * 1024])
def test_objects_are_counted_by_their_boundaries(separator: str, size: int) -> None:
    """However the chunks fall, and with blanks around."""
    for count in range(5):
        text = separator.join(['{"n": {"m": [{}, {"o": 1}]}}'] * count) + separator
        chunks = [text[at : at + size].encode() for at in range(0, len(text), size)]
        assert count_boundaries(chunks) == count == len(pieces(text.replace("n", "text")))


def test_a_count_by_boundaries_may_be_too_large() -> None:
    """Never too small: then DuckDB's number differs, and objects are counted one by one."""
    assert count_boundaries([b'{"text": "a} {b"}']) == 2
    assert count_boundaries([b"no object", b"\n"]) == 1
    assert count_boundaries([b" ", b"\n"]) == 0


def test_small_files_are_counted_as_their_keys_are_looked_at(tmp_path: Path) -> None:
    small = write(tmp_path, "a.json", GOOD * 3)
    exactly = write(tmp_path, "b.json", GOOD + " " * (64 * 1024 - len(GOOD)))
    large = write(tmp_path, "c.json", '{"n": 1, "other": 2}' + " " * 64 * 1024 + GOOD)
    broken = write(tmp_path, "d.json", GOOD + '{"n"')
    empty = write(tmp_path, "e.json", "")
    files, keys = sample([small, exactly, large, broken, empty], ["n"])
    assert [file.object_count for file in files] == [3, 1, None, None, 0]
    assert keys.keys() == {"n", "other"}
    assert keys["other"] == "c.json"


def test_a_zipped_file_is_counted_if_all_of_it_was_seen(tmp_path: Path) -> None:
    one = gzip.compress((GOOD * 2).encode())
    files = [write(tmp_path, "a.json.gz", one), write(tmp_path, "b.json.gz", one + one)]
    counted, _ = sample(files, ["n"])
    assert [file.object_count for file in counted] == [2, None]


def test_a_key_is_named_by_the_newest_file_that_has_it(tmp_path: Path) -> None:
    """Of those joined together by the first of a share."""
    files = [write(tmp_path, f"{n}.json", '{"n": 1, "other": 2}') for n in range(3)]
    assert sample(files, ["n"])[1] == {"n": "2.json", "other": "2.json"}
    assert join(files, tmp_path, False, ["n"], 0).keys == {"n": "0.json", "other": "0.json"}


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.json", gzip.compress(gzip.compress(b"{}")), "holds gzip, .* unpack it once"),
        ("a.gz", bz2.compress(gzip.compress(b"{}")), "holds gzip, .* unpack it once"),
        ("a.json", b"PK\x03\x04", "holds zip, .* unpack it once"),
    ],
    ids=["gzip twice", "gzip in bzip2", "zip"],
)
def test_what_is_compressed_is_no_row(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    """Nor is it refused as one, which could be kept aside."""
    for read in (sample, lambda files, columns: join(files, tmp_path, False, columns, 99)):
        with pytest.raises(ClickException, match=said) as raised:
            read([write(tmp_path, name, content)], ["n"])
        assert not isinstance(raised.value, Refused)


def test_what_is_kept_of_a_bad_piece_fits_its_column(tmp_path: Path) -> None:
    """1,000 characters, and what no database takes is replaced."""
    bad = write(tmp_path, "a.json", b"a\0b\xff" + "é".encode() * 2_000)
    (kept,) = join([bad], tmp_path, False, ["n"], 1).rejects
    assert kept["value"] == "a\ufffdb?" + "é" * 996
    assert kept["reason"] == "not a JSON object"


def test_the_beginning_of_every_file_is_looked_at(tmp_path: Path) -> None:
    files = [write(tmp_path, f"{n}.json", json.dumps({"n": n, f"key{n}": 1})) for n in range(2000)]
    _, keys = sample(files, ["n"])
    assert keys.keys() == {"n", *(f"key{n}" for n in range(2000))}


def test_of_objects_in_s3_a_thousand_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of a thousand; of more every second, or third, and the newest. Of the others the bytes
    that tell how they are compressed."""
    seen: list[tuple[str, int]] = []

    def head(client: object, file: File, size: int) -> tuple[str, str, bool]:
        if size == HEAD_BYTES:
            return "zstd", "", False
        seen.append((file.file_name, size))
        return "", GOOD, True

    monkeypatch.setattr(loader.sampling, "s3_client", object)
    monkeypatch.setattr(loader.sampling, "head", head)
    for count, step, size in (
        (1, 1, 65_536),
        (1000, 1, 16_777),
        (1001, 2, 16_760),
        (9999, 10, 4096),
    ):
        files = [File(f"s3://b/{n:05}", 9, "tag", f"s3://b/{n:05}") for n in range(count)]
        seen.clear()
        counted, _ = sample(files, ["n"])
        looked_at = sorted(int(name[-5:]) for name, _ in seen)
        assert looked_at == list(range(count))[::-step][::-1]
        assert looked_at[-1] == count - 1
        assert {of_each for _, of_each in seen} == {size}
        assert [n for n, file in enumerate(counted) if file.object_count == 1] == looked_at
        assert [n for n, file in enumerate(counted) if not file.compression] == looked_at


def test_an_object_that_fills_no_column_is_named(tmp_path: Path) -> None:
    bad = write(tmp_path, "bad.json", GOOD + '{"Records": [1]}')
    with pytest.raises(Refused, match=r"bad\.json, line 2: .* fills a column: Records"):
        sample([bad], ["n"])


# --- joining, over any number of objects and cores -----------------------------


def test_no_share_is_empty() -> None:
    for count in range(41):
        for parts in (1, 2, 4, 8, 16, 32, 64):
            shares = split_evenly(count, parts)
            assert [n for first, end in shares for n in range(first, end)] == list(range(count))
            assert all(first < end for first, end in shares)
            assert len(shares) == min(count, parts)


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
    for count, joined in joined_cases(tmp_path, with_cores, False, CORES):
        paths = sorted({file.path for file in joined.files})
        read = "select n from read_json(?, format='unstructured', columns={'n': 'int'}) order by 1"
        rows = connection.execute(read, [paths]).fetchall() if paths else []
        assert rows == [(n,) for n in range(count) if n % 3 != 1]
        tried("joined objects", len(rows))


@pytest.mark.parametrize("cores", CORES)
def test_bad_pieces_keep_their_place_among_good_ones(
    tmp_path: Path, with_cores: Callable[[int], None], cores: int
) -> None:
    """What the engine says of a line of a part is of that object of its file."""
    with_cores(cores)
    good, bad = '{"n": %d}', '{"n" %d}'
    texts = ["".join((bad if (n + f) % 4 == 2 else good) % n for n in range(f)) for f in range(9)]
    files = [write(tmp_path, f"{f}.in", text) for f, text in enumerate(texts)]
    joined = join(files, tmp_path, False, ["n"], 100)
    found = set()
    for path in {file.path for file in joined.files}:
        for line, text in enumerate(Path(path).read_text().splitlines(), start=1):
            told = joined.with_file({"file_name": path, "line_number": line})
            file, number = int(told["file_name"].split(".")[0]), told["line_number"]
            assert text == good % (number - 1)
            assert f"{file}.in, line {number}!" in joined.with_names(f"{path}, line {line}!")
            found.add((file, number))
    bad_ones = {(int(r["file_name"].split(".")[0]), r["line_number"]) for r in joined.rejects}
    assert not found & bad_ones
    assert found | bad_ones == {(f, n + 1) for f in range(9) for n in range(f)}
    assert [file.object_count for file in joined.files] == list(range(9))
    with pytest.raises(Refused, match=f"--max-errors allows {len(bad_ones) - 1}"):
        join(files, tmp_path, False, ["n"], len(bad_ones) - 1)


def test_a_long_path_is_known_by_its_first_bytes() -> None:
    path = "s3://bucket/" + "é" * 200 + "/part_0000000.json.gz"
    provided = Provided([], [Place(path, 1, "a.json")])
    cut = path.encode()[:256].decode(errors="ignore")
    assert provided.with_file({"file_name": cut, "line_number": 3})["file_name"] == "a.json"
    assert provided.with_file({"file_name": "other", "line_number": 3})["file_name"] == "other"


def test_a_damaged_gzip_among_joined_files_is_named(
    tmp_path: Path, with_cores: Callable[[int], None]
) -> None:
    with_cores(2)
    zipped = gzip.compress(GOOD.encode())
    for damaged in (zipped[:-5], zipped[:-8] + bytes(4) + zipped[-4:], b""):
        files = [write(tmp_path, "a.json.gz", zipped), write(tmp_path, "b.json.gz", damaged)]
        if not damaged:
            assert join(files, tmp_path, False, ["n"], 0).files[1].object_count == 0
            continue
        with pytest.raises(Exception, match=r"cannot read b\.json\.gz"):
            join(files, tmp_path, False, ["n"], 0)


def test_what_a_process_says_is_what_is_raised(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(loader.joining, "FILES_ALONE", 0)
    good, bad = write(tmp_path, "é.json", GOOD), write(tmp_path, "ü.json", "ä")
    assert join([good, good], tmp_path, False, ["n"], 0).files[1].object_count == 1
    joined = join([good, bad], tmp_path, True, ["n"], 1)
    assert joined.rejects[0]["value"] == "ä"
    with pytest.raises(Refused, match=r"In ü\.json, line 1: not a JSON object"):
        join([good, bad], tmp_path, False, ["n"], 0)
    with pytest.raises(ClickException, match=r"cannot read gone\.json") as raised:
        join([File("gone.json", 1, "tag", str(tmp_path / "gone"))], tmp_path, False, ["n"], 0)
    assert not isinstance(raised.value, Refused)


def test_a_process_that_dies_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(loader.joining, "FILES_ALONE", 0)
    monkeypatch.setattr(
        loader.joining,
        "start_worker",
        lambda: subprocess.Popen(
            ["/bin/sh", "-c", "cat > /dev/null; kill -9 $$"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ),
    )
    with pytest.raises(Exception, match="ended with -9"):
        join([write(tmp_path, "a.json", GOOD)], tmp_path, False, ["n"], 0)


def test_contents_are_those_of_all_members(tmp_path: Path) -> None:
    members = b"".join(gzip.compress(text.encode()) for text in (GOOD, GOOD + GOOD))
    file = replace(write(tmp_path, "a.json.gz", members), compression="gzip")
    assert count_boundaries(contents(file)) == 3
