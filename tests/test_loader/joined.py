"""Joining as if there were any number of cores."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest

import loader.reading
from loader.files import File
from loader.reading import Provided, join
from loader.rows import Column


def write(folder: Path, name: str, content: str | bytes) -> File:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return File(name, path.stat().st_size, "tag", str(path))


COLUMNS = [Column("n", "double precision"), Column("text", "varchar(5000000)")]


@pytest.fixture
def with_cores(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Has joining work as if there were so many cores, in this process."""

    def make_here(make: Callable, *each: list) -> list:
        """What processes would answer, pickled as theirs is, the last one first."""
        answers = [pickle.dumps(make(*one)) for one in list(zip(*each, strict=True))[::-1]]
        return [pickle.loads(answer) for answer in answers[::-1]]

    monkeypatch.setattr(loader.reading, "FILES_ALONE", 0)
    monkeypatch.setattr(loader.reading, "in_processes", make_here)
    return lambda cores: monkeypatch.setattr("os.cpu_count", lambda: cores)


def joined_cases(
    folder: Path, with_cores: Callable[[int], None], suffix: str, every: tuple[int, ...]
) -> list[tuple[int, Provided]]:
    """Every number of objects, one a file, on every number of cores: how many, and the parts."""
    cases = []
    for cores in every:
        with_cores(cores)
        for count in range(41):
            case = folder / f"{cores}_{count}"
            case.mkdir()
            texts = [json.dumps({"n": n}) * (n % 3 != 1) for n in range(count)]
            files = [write(case, f"{n}.in", text) for n, text in enumerate(texts)]
            joined = join(files, case, suffix, COLUMNS)
            assert [file.object_count for file in joined.files] == [
                int(n % 3 != 1) for n in range(count)
            ]
            cases.append((count, joined))
    return cases
