"""The benchmarks run, and what they compare is equal."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from .conftest import ROOT, Project, clean_environment

BENCHMARKS = ROOT / "benchmarks"


def run(*command: str) -> str:
    """What a script of the benchmarks prints."""
    done = subprocess.run(
        [sys.executable, *command],
        cwd=BENCHMARKS,
        env=clean_environment(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_limit_makes_the_same_star(new_project: Callable[..., Project], tmp_path: Path) -> None:
    """And a play more is noticed."""
    project, limit = new_project("local"), tmp_path / "limit.duckdb"
    sizes = ("--events", "3000", "--songs", "50", "--days", "3", "--song-files", "2")
    run("generate.py", str(project.folder / "input"), *sizes)
    project.load()
    project.dbt("run")
    run("limit.py", str(project.folder / "input"), str(limit))
    compare = ("compare.py", str(project.database), str(limit))
    assert "fct_songplays 2580" in run(*compare).replace(",", "")

    project.execute("insert into fct_songplays select * from fct_songplays limit 1")
    done = subprocess.run(
        [sys.executable, *compare], cwd=BENCHMARKS, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "1 rows of fct_songplays are in ours alone" in done.stderr


def test_a_small_run(tmp_path: Path) -> None:
    sizes = ("--tiny-files", "20", "--repeat", "1", "--work-dir", str(tmp_path))
    assert "20 files of one object" in run("run.py", "--case", "tiny", *sizes)
    assert list(tmp_path.iterdir()) == []
