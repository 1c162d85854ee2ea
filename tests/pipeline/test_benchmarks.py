"""The benchmarks run, and both sides make the same star."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from .conftest import MARTS, ROOT, Project, clean_environment

BENCHMARKS = ROOT / "benchmarks"


def start(*command: str) -> subprocess.CompletedProcess[str]:
    """Runs a script of the benchmarks to its end."""
    return subprocess.run(
        [sys.executable, *command],
        cwd=BENCHMARKS,
        env=clean_environment(),
        capture_output=True,
        text=True,
    )


def run(*command: str) -> str:
    """Runs a script of the benchmarks; returns what it prints."""
    done = start(*command)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def compared(project: Project, limit: Path) -> dict[str, int]:
    """Builds the project, runs the limit on the same input and compares; rows by mart."""
    project.load()
    project.dbt("run")
    run("limit.py", str(project.folder / "input"), str(limit))
    lines = run("compare.py", str(project.database), str(limit)).replace(",", "").splitlines()
    return {mart: int(rows) for mart, rows in (line.split() for line in lines)}


def test_the_limit_makes_the_same_marts(
    new_project: Callable[..., Project], tmp_path: Path
) -> None:
    """And one more row or column is noticed."""
    project, limit = new_project("local"), tmp_path / "limit.duckdb"
    sizes = ("--events", "3000", "--songs", "50", "--days", "3", "--song-files", "2")
    run("generate.py", str(project.folder / "input"), *sizes)
    rows = compared(project, limit)
    assert rows.keys() == MARTS.keys()
    assert rows["fct_songplays"] == 2580
    assert all(rows.values())

    compare = ("compare.py", str(project.database), str(limit))
    for mart in reversed(rows):  # only the first difference is reported
        project.execute(f"insert into {mart} select * from {mart} limit 1")
        done = start(*compare)
        assert done.returncode == 1
        assert f"{mart}: rows that only the project has: 1" in done.stderr
    project.execute("alter table fct_songplays add column more integer")
    assert "fct_songplays has different columns" in start(*compare).stderr


def test_the_limit_follows_the_rules(new_project: Callable[..., Project], tmp_path: Path) -> None:
    """On the sample, which has the oddities of real input."""
    project = new_project("local", ROOT / "sample_data")
    assert all(compared(project, tmp_path / "limit.duckdb").values())


def test_a_small_run(tmp_path: Path) -> None:
    sizes = ("--tiny-files", "20", "--repeat", "1", "--work-dir", str(tmp_path))
    assert "20 files of one object" in run("run.py", "--case", "tiny", *sizes)
    assert list(tmp_path.iterdir()) == []
