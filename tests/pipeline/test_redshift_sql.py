"""The SQL that dbt and the loader send to Redshift, read as Redshift's.

What only PostgreSQL or DuckDB knows could slip through a stand-in. So all of it must parse in
the dialect of Redshift and call only functions that Redshift documents.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from sqlfluff.core import FluffConfig, Linter

from .conftest import NO_UNIT_TESTS, RedshiftProject, song

LINTER = Linter(
    config=FluffConfig(overrides={"dialect": "redshift", "large_file_skip_byte_limit": 0})
)
DOCUMENTED = {
    name
    for line in Path(__file__).with_name("redshift_functions.txt").read_text().splitlines()
    if not line.startswith("#")
    for name in line.split()
}


def faults(sql: str) -> list[str]:
    """What of a statement does not parse, and which functions Redshift does not document."""
    parsed = LINTER.parse_string(sql)
    assert parsed.tree is not None
    found = [violation.desc() for violation in parsed.violations]
    names = {name.raw.lower() for name in parsed.tree.recursive_crawl("function_name")}
    return found + sorted(names - DOCUMENTED)


@pytest.mark.parametrize(
    ("sql", "fault"),
    [
        ("select epoch_ms(ts) from t", "epoch_ms"),
        ("select string_agg(a, ',') from t", "string_agg"),
        ("select substr(a, 1, 2) from t", "substr"),
        ("select now() from t", "now"),
        ("select * from generate_series(1, 2)", "generate_series"),
        ("select * from read_json('x', format = 'auto')", "read_json"),
        ("select a from t group by all having", "unparsable"),
    ],
)
def test_the_check_finds_faults(sql: str, fault: str) -> None:
    assert any(fault in found for found in faults(sql))


def compiled_sql(project: RedshiftProject, state: str) -> dict[str, str]:
    """What dbt compiled, by file."""
    folder = project.folder / "target" / "compiled" / "sparkify"
    return {
        f"{path.relative_to(folder)}, {state}": path.read_text()
        for path in folder.rglob("*.sql")
        if path.is_file()
    }


def test_compiled_sql_is_redshifts(redshift_project: RedshiftProject) -> None:
    project = redshift_project
    statements = {
        f"load_staging.py, statement {number}": sql
        for number, sql in enumerate(
            re.split(r";\n\n", project.load("--dry-run", "--full-refresh").output)
        )
        if sql.strip()
    }
    assert len(statements) > 20
    project.load()
    project.dbt("build", *NO_UNIT_TESTS)
    project.dbt("compile", "--select", "resource_type:analysis")
    statements |= compiled_sql(project, "first build")
    assert any(name.startswith("analyses/") for name in statements)
    assert len(statements) > 100
    # What a build after the first one sends is another text in these, and more if the catalogue
    # has changed.
    project.write_songs("late.json", song(9))
    project.load()
    project.dbt("run", "--select", "int_songs")
    shutil.rmtree(project.folder / "target" / "compiled")
    project.dbt("compile", "--select", "config.materialized:incremental")
    incremental = {
        name: sql
        for name, sql in compiled_sql(project, "incremental build").items()
        if name.startswith("models/") and ".yml/" not in name
    }
    assert len(incremental) == 8
    assert "changed_artists" in "".join(incremental.values())
    assert all("1970" not in sql for sql in incremental.values())
    statements |= incremental
    found = {name: faults(sql) for name, sql in statements.items()}
    assert {name: each for name, each in found.items() if each} == {}
