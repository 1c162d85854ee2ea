"""The descriptions that repeat what SQL files say: of the analyses and the singular data tests."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from .conftest import ROOT

ANALYSES = sorted((ROOT / "analyses").glob("*.sql"))
QUERYING = ROOT / "docs" / "querying.md"
QUESTION = re.compile(r"-- Question: ([^?]+\?)\n-- One row per ")
LAST_SELECT = re.compile(r"^select\n(.*?)\nfrom ", re.DOTALL | re.MULTILINE)


def described(path: str, key: str) -> dict[str, dict]:
    """What a YAML file describes under a key, by name."""
    return {each["name"]: each for each in yaml.safe_load((ROOT / path).read_text())[key]}


def question(sql: str) -> str:
    """The question of an analysis, as a sentence."""
    header = QUESTION.match(sql)
    assert header
    text = header[1].replace("\n-- ", " ")
    return text[0].upper() + text[1:]


def column_names(sql: str) -> list[str]:
    """The columns of the last select, each of which ends with its name."""
    columns = LAST_SELECT.search(sql)
    assert columns
    return [re.findall(r"\w+", each)[-1] for each in re.split(r",\n(?=    \S)", columns[1])]


@pytest.mark.parametrize("path", ANALYSES, ids=lambda path: path.stem)
def test_an_analysis_is_described_by_its_question(path: Path) -> None:
    sql = path.read_text()
    analysis = described("analyses/_analyses.yml", "analyses")[path.stem]
    assert analysis["description"] == question(sql)
    assert [column["name"] for column in analysis["columns"]] == column_names(sql)
    assert all(column["description"] for column in analysis["columns"])
    assert f"| {question(sql)} | [{path.stem}]" in QUERYING.read_text()


def test_every_singular_test_is_described() -> None:
    tests = described("tests/data_tests/_data_tests.yml", "data_tests")
    assert sorted(tests) == sorted(path.stem for path in (ROOT / "tests/data_tests").glob("*.sql"))
    assert all(test["description"] for test in tests.values())
