"""Who can read the DuckDB file: readers lag behind the version that writes it."""

from __future__ import annotations

import json
import subprocess

import duckdb
import pytest

from .conftest import MARTS, ROOT, Project

OLD_PYTHON = ROOT / ".venv" / "jobs" / "bin" / "python"
READ = """
import json, sys, duckdb
with duckdb.connect(sys.argv[1], read_only=True) as connection:
    count = "select count(*) from main.{}"
    tables = {table: connection.sql(count.format(table)).fetchone()[0] for table in sys.argv[2:]}
print(json.dumps([duckdb.__version__, tables]))
"""


def test_an_older_duckdb_reads_the_star(local_project: Project) -> None:
    if not OLD_PYTHON.exists():
        pytest.skip("no older DuckDB is installed: make .venv/jobs")
    local_project.load()
    local_project.dbt("run")
    command = [OLD_PYTHON, "-c", READ, local_project.database, *MARTS]
    read = subprocess.run(command, capture_output=True, text=True)
    assert read.returncode == 0, read.stderr
    version, counts = json.loads(read.stdout)
    assert version.startswith("1.4.") and version != duckdb.__version__
    rows = local_project.marts()
    assert counts == {table: len(rows[table]) for table in MARTS}
    assert counts["fct_songplays"] == 3


def test_a_file_in_the_newest_format_stays_so(local_project: Project) -> None:
    """As a version of this project made it that set no format: it is loaded and built as before."""
    with duckdb.connect(str(local_project.database)) as connection:
        connection.execute("create schema sparkify_raw")
    local_project.load()
    local_project.dbt("run")
    assert local_project.query("select count(*) from fct_songplays") == [(3,)]
