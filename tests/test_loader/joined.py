"""Joins files as on any number of cores, in this process."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Collection
from pathlib import Path

import pytest

import loader.reading
from loader.files import File
from loader.reading import PreparedFiles, join
from loader.rows import Column


def write(folder: Path, name: str, content: str | bytes) -> File:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return File(name, path.stat().st_size, "tag", str(path))


COLUMNS = [Column("n", "double precision"), Column("text", "varchar(5000000)")]


@pytest.fixture
def with_cores(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Sets the number of cores that joining sees, and joins without other processes."""

    def in_this_process(function: Callable, arguments: Collection) -> list:
        """The results of processes, pickled as theirs are, computed from the last to the first."""
        results = [pickle.dumps(function(argument)) for argument in list(arguments)[::-1]]
        return [pickle.loads(result) for result in results[::-1]]

    monkeypatch.setattr(loader.reading, "ONE_PROCESS_FILES", 0)
    monkeypatch.setattr(loader.reading, "in_processes", in_this_process)
    return lambda cores: monkeypatch.setattr("os.cpu_count", lambda: cores)


def joined_cases(
    folder: Path, with_cores: Callable[[int], None], suffix: str, every: tuple[int, ...]
) -> list[tuple[int, PreparedFiles]]:
    """For 0 to 40 objects, one per file, on each number of cores: their number, and the result."""
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
