"""Each analysis answers its question as plain Python does, on both engines."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from . import expected_answers
from .conftest import ROOT, Project, input_files
from .expected_marts import expected_marts
from .expected_star import Load, expected_star

QUERYING = ROOT / "docs" / "querying.md"
ANALYSES = sorted(path.stem for path in (ROOT / "analyses").glob("*.sql"))
HEADER = re.compile(
    r"-- Question: [^?]+\?\n-- One row per [^.]+\.\n-- Caveats: ([^\n]+\n-- )*[^\n]+\.\n\n"
)

# The analyses that docs/querying.md gives to start from, in its order.
FIRST_QUERIES = (
    "most_played_songs",
    "most_played_songs_of_paid_users_in_the_west",
    "listeners_by_day",
)


def plain(value: Any) -> Any:
    """A number of any type as one that compares equal to those close to it."""
    return pytest.approx(float(value)) if isinstance(value, (float, Decimal)) else value


def answer(project: Project, sql: str) -> list[tuple]:
    """The rows of a query."""
    return [tuple(plain(value) for value in row) for row in project.query(sql)]


def answers(project: Project) -> dict[str, list[tuple]]:
    """The rows of each analysis."""
    project.dbt("compile", "--select", "resource_type:analysis")
    folder = project.folder / "target" / "compiled" / "sparkify" / "analyses"
    return {name: answer(project, (folder / f"{name}.sql").read_text()) for name in ANALYSES}


@pytest.mark.parametrize(
    ("engine", "data"),
    [("local", "sample"), ("redshift", "sample"), ("local", "real")],
    indirect=["data"],
)
def test_analyses_answer_as_expected(
    new_project: Callable[..., Project], engine: str, data: Path
) -> None:
    project = new_project(engine, source=data)
    project.load()
    project.dbt("run")
    loads = [Load(input_files(data / "log_data"), input_files(data / "song_data"))]
    star = expected_answers.Star(expected_star(loads) | expected_marts(loads))
    for name, rows in answers(project).items():
        expected = getattr(expected_answers, name)(star)
        assert expected, name
        assert rows == expected, name
    queries = re.findall(r"```sql\n(.*?);\n```", QUERYING.read_text(), re.DOTALL)
    for name, query in zip(FIRST_QUERIES, queries, strict=True):
        assert answer(project, query) == getattr(expected_answers, name)(star), name


@pytest.mark.parametrize("name", ANALYSES)
def test_an_analysis_opens_with_its_question(name: str) -> None:
    """Then come its grain and its caveats. The documentation lists it."""
    assert HEADER.match((ROOT / "analyses" / f"{name}.sql").read_text())
    assert f"analyses/{name}.sql" in QUERYING.read_text()


def test_there_are_analyses() -> None:
    assert len(ANALYSES) >= 12


def test_the_readme_asks_questions_that_there_are() -> None:
    asked = re.findall(r"ANALYSIS=(\w+)", (ROOT / "README.md").read_text())
    assert asked
    assert set(asked) <= set(ANALYSES)
