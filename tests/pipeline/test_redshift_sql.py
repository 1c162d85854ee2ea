"""The SQL that dbt and the loader send to Redshift is in its dialect.

The stand-in might accept what only PostgreSQL or DuckDB know. So all SQL must parse as Redshift's
and call only functions that Redshift documents.
"""

from __future__ import annotations

import re
import shutil
from functools import cache
from pathlib import Path

import pytest
from sqlfluff.core import FluffConfig, Linter
from sqlfluff.core.linter import ParsedString
from sqlfluff.core.parser import BaseSegment

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


@cache
def parsed_string(sql: str) -> ParsedString:
    parsed = LINTER.parse_string(sql)
    assert parsed.tree is not None
    return parsed


def faults(sql: str) -> list[str]:
    """What of a statement does not parse, and which functions Redshift does not document."""
    parsed = parsed_string(sql)
    found = [violation.desc() for violation in parsed.violations]
    names = {name.raw.lower() for name in parsed.tree.recursive_crawl("function_name")}
    return found + sorted(names - DOCUMENTED)


def untyped_columns(sql: str) -> list[str]:
    """The named columns of a statement that are a quoted text, or one of several. Their type is
    unknown, so comparing, joining or uniting them depends on what Redshift makes of it."""
    found = []
    for element in parsed_string(sql).tree.recursive_crawl("select_clause_element"):
        value = next(each for each in element.segments if each.is_code)
        while value.is_type("expression") and len(value.segments) == 1:
            (value,) = value.segments
        if value.is_type("case_expression"):
            results = [
                [each for each in clause.segments if each.is_code][-1]
                for clause in value.recursive_crawl("when_clause", "else_clause")
            ]
            is_untyped = all(set(raw_types(each)) == {"quoted_literal"} for each in results)
        else:
            is_untyped = value.is_type("quoted_literal")
        if is_untyped and element.get_child("alias_expression"):
            found.append(element.raw)
    return found


def raw_types(segment: BaseSegment) -> list[str]:
    """The types of what a segment consists of."""
    return [each.get_type() for each in segment.raw_segments if each.is_code]


@pytest.mark.parametrize(
    ("sql", "columns"),
    [
        ("select 'a' as b, c from t", ["'a' as b"]),
        ("select c from (select c, 'a' as b from t)", ["'a' as b"]),
        ("select case when c then 'a' else 'b' end as d from t", ["case"]),
        ("select case when c then 'a' else b end as d from t", []),
        ("select cast('a' as varchar(1)) as b, coalesce(c, 'a') as c from t", []),
        ("select cast(case when c then 'a' else 'b' end as varchar(1)) as d from t", []),
    ],
)
def test_the_check_finds_untyped_columns(sql: str, columns: list[str]) -> None:
    found = untyped_columns(sql)
    assert len(found) == len(columns)
    assert all(column in each for column, each in zip(columns, found, strict=True))


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
    """The SQL that dbt compiled, by file."""
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
    # A later build sends other SQL for these, and more of it if the catalog has changed.
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
    assert len(incremental) == 10
    assert "former_keys" in "".join(incremental.values())
    assert all("1970" not in sql for sql in incremental.values())
    statements |= incremental
    found = {name: faults(sql) for name, sql in statements.items()}
    assert {name: each for name, each in found.items() if each} == {}
    untyped = {name: untyped_columns(sql) for name, sql in statements.items()}
    assert {name: each for name, each in untyped.items() if each} == {}
