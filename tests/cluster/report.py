"""What a run on a cluster found, as a table."""

from __future__ import annotations

import os
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

EQUAL, DIFFERENT, LEFT_OUT = "equal", "different", "left out"
_LONGEST = 300
_SECRET_VARIABLES = re.compile(
    r"AWS_(ACCESS_KEY_ID|SECRET_ACCESS_KEY|SESSION_TOKEN|PROFILE)"
    r"|DBT_REDSHIFT_(HOST|USER|CLUSTER_ID|WORKGROUP)|DBT_ENV_SECRET_\w+"
)
_LOCATIONS = ("SPARKIFY_TEST_LOCATION", "DBT_STAGE_LOCATION")


@dataclass
class Row:
    """The outcome of one test.

    rule: the first line of its docstring, or its name in words. source: what the docstring names in
    brackets. expected: the line of the test that failed. happened: what the cluster did instead, or
    why the test was left out. assumed: the fact of `@pytest.mark.assumed`, if it has one.
    """

    test: str
    rule: str
    source: str
    outcome: str = EQUAL
    expected: str = ""
    happened: str = ""
    assumed: str = ""


def described(test: str, name: str, docstring: str | None) -> Row:
    """A row for a test, with what its docstring says."""
    text = " ".join((docstring or "").split())
    source = ", ".join(re.findall(r"\[((?:[^][]|\[[^]]*\])+)\]", text))
    rule = re.sub(r"\s*\[(?:[^][]|\[[^]]*\])+\]:?\s*", " ", text).strip(" .:")
    first = re.split(r"(?<=\.)\s", rule)[0].strip(" .")
    words = name.removeprefix("test_").partition("[")[0].replace("_", " ")
    return Row(test, first or words, source)


def without_secrets(text: str) -> str:
    """A text without hosts, users, keys, buckets and account numbers."""
    for name, value in os.environ.items():
        if name in _LOCATIONS:
            value = value.strip().removeprefix("s3://").partition("/")[0]
        elif not _SECRET_VARIABLES.fullmatch(name):
            continue
        if value.strip():
            text = re.sub(rf"(?<!\w){re.escape(value.strip())}(?!\w)", "(removed)", text)
    text = re.sub(r"[\w.-]+\.redshift(-serverless)?\.amazonaws\.com(\.cn)?", "(removed)", text)
    return re.sub(r"(?<![\d.])\d{12}(?!\d)", "(removed)", text)


def markdown(facts: dict[str, str], rows: list[Row]) -> str:
    """The table: what differs and what was assumed first."""
    count = Counter(row.outcome for row in rows)
    different = [row for row in rows if row.outcome == DIFFERENT]
    lines = ["# The stand-in compared with a cluster", ""]
    lines += [f"- {name}: {value}" for name, value in facts.items()]
    lines += [f"- {count[outcome]} {outcome}" for outcome in (EQUAL, DIFFERENT, LEFT_OUT)]
    lines += _section(
        "Different",
        ("test", "rule", "source", "stand-in", "cluster"),
        [(r.test, r.rule, r.source, r.expected, r.happened) for r in different],
    )
    lines += _section(
        "Assumed facts",
        ("fact", "cluster"),
        _facts(rows),
    )
    lines += _section(
        "Left out",
        ("test", "why"),
        [(r.test, r.happened) for r in rows if r.outcome == LEFT_OUT],
    )
    lines += _section(
        "Equal",
        ("test", "rule", "source"),
        [(r.test, r.rule, r.source) for r in rows if r.outcome == EQUAL],
    )
    return without_secrets("\n".join(lines) + "\n")


def summary(rows: list[Row], path: Path) -> list[str]:
    """The lines to print at the end of a run."""
    count = Counter(row.outcome for row in rows)
    lines = [
        f"{count[EQUAL]} equal, {count[DIFFERENT]} different, {count[LEFT_OUT]} left out: {path}"
    ]
    lines += [
        without_secrets(f"DIFFERENT {row.test}: {row.happened}")
        for row in rows
        if row.outcome == DIFFERENT
    ]
    return lines


def short(text: str) -> str:
    """A text on one line, cut where it gets too long."""
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"


def _facts(rows: list[Row]) -> list[tuple[str, str]]:
    """Each assumed fact with the outcomes of its tests: "equal", or "4 equal, 1 different"."""
    facts: dict[str, Counter[str]] = {}
    for row in rows:
        if row.assumed:
            facts.setdefault(row.assumed, Counter())[row.outcome] += 1
    return [
        (
            fact,
            next(iter(count))
            if len(count) == 1
            else ", ".join(f"{number} {outcome}" for outcome, number in count.items()),
        )
        for fact, count in facts.items()
    ]


def _section(title: str, heading: tuple[str, ...], cells: list[tuple[str, ...]]) -> list[str]:
    if not cells:
        return []
    table = [heading, ("---",) * len(heading), *cells]
    written = ["| " + " | ".join(_cell(cell) for cell in row) + " |" for row in table]
    return ["", f"## {title}", "", *written]


def _cell(text: str) -> str:
    return short(text).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")
