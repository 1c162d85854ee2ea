"""Joining as if there were any number of cores."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import loader.joining
from loader.files import File
from loader.joining import Provided, join, join_shares


def write(folder: Path, name: str, content: str | bytes) -> File:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return File(name, path.stat().st_size, "tag", str(path))


@pytest.fixture
def with_cores(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Has joining work as if there were so many cores, in this process."""

    def ask(orders: list[dict]) -> list[dict]:
        """What processes would answer, through JSON as theirs, the last one first."""
        told = [join_shares(**json.loads(json.dumps(order))) for order in orders]
        return json.loads(json.dumps([answer for each in told[::-1] for answer in each]))

    monkeypatch.setattr(loader.joining, "FILES_ALONE", 0)
    monkeypatch.setattr(loader.joining, "ask_workers", ask)
    return lambda cores: monkeypatch.setattr("os.cpu_count", lambda: cores)


def joined_cases(
    folder: Path, with_cores: Callable[[int], None], is_gzip: bool, every: tuple[int, ...]
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
            joined = join(files, case, is_gzip, ["n"], 0)
            assert [file.object_count for file in joined.files] == [
                int(n % 3 != 1) for n in range(count)
            ]
            cases.append((count, joined))
    return cases
