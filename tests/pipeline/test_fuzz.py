"""Input that no one expects: each object is loaded as documented, or kept aside with a reason.

What a value becomes in a column of a type is computed here anew, after what COPY on Redshift is
documented to do; both engines must agree with it, and so with each other.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from .conftest import ROOT, Project, RedshiftProject, clear, event, soak_factor, song
from .session import Session
from .test_schema_drift import SOURCES
from .warm import Runner

SOURCE_TABLES = {
    table["name"]: {
        column["name"]: (column["data_type"], "constraints" in column)
        for column in table["columns"]
        if column["name"] != "loaded_at"
    }
    for table in yaml.safe_load((ROOT / SOURCES).read_text())["sources"][0]["tables"]
    if "external" in table
}
RANGES = {"smallint": 15, "integer": 31, "bigint": 63}
INJECTIONS = (
    "'; drop table sparkify_raw.staging_events; --",
    '"); drop schema sparkify_raw cascade; --',
    "{{ 1 / 0 }}",
    "{% do exceptions.raise_compiler_error('no') %}",
    "$$; select 1; $$",
    "%s %(x)s {0} \\' \\",
)


class Refused(Exception):
    """A value that does not fit its column."""


def in_column(value: Any, data_type: str, is_required: bool) -> Any:
    """What a value of the JSON becomes in a column. Raises Refused."""
    if value is not None and not isinstance(value, str):
        value = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    if data_type.startswith("varchar"):
        if value is None and is_required:
            raise Refused
        if value is not None and len(value.encode()) > int(data_type[8:-1]):
            raise Refused
        return value
    if value is None or value == "":
        if is_required:
            raise Refused
        return None
    if data_type in RANGES:
        bits = RANGES[data_type]
        if not re.fullmatch(r"-?[0-9]+(\.0*)?", value, re.ASCII):
            raise Refused
        number = int(value.partition(".")[0])
        if not -(2**bits) <= number < 2**bits:
            raise Refused
        return number
    if not re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", value, re.ASCII) or math.isinf(float(value)):
        raise Refused
    return float(value)


# --- values --------------------------------------------------------------------

# What has a form in JSON, and arrives as text as it is. NUL is left to a test of its own.
TEXTS = st.one_of(
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20),
    st.sampled_from(("", " ", "true", "null", "1", "-0", "1.0", "1.50", "1e3", "0x10", "Infinity")),
    st.sampled_from(
        ("12 ", "\uff11\uff12", "🎵" * 16, "🎵" * 17, "é" * 32, "é" * 33, "e\u0301", "\u202e")
    ),
    st.sampled_from(("x" * 4096, "x" * 4097, "é" * 2049, "x" * 65_535, "x" * 65_536)),
    st.sampled_from(INJECTIONS),
)
NUMBERS = st.one_of(
    st.integers(-(2**63) - 2, 2**63 + 1),
    st.sampled_from((0, -1, 2**15, 2**31 - 1, 2**31, -(2**31) - 1, 2**63 - 1, 2**63, 10**30)),
    st.integers(-(10**6), 10**6).map(lambda number: number / 4),
)
VALUES = st.one_of(
    st.none(),
    TEXTS,
    NUMBERS,
    NUMBERS.map(str),
    st.booleans(),
    st.sampled_from(([], {}, [1, "a"], {"a": {"b": [None]}})),
)
MISSING = object()


def objects(table: str, usual: dict) -> st.SearchStrategy[dict]:
    """Objects that are as usual but for a few keys."""
    changes = st.dictionaries(
        st.sampled_from(sorted(SOURCE_TABLES[table])), VALUES | st.just(MISSING), max_size=3
    )
    unknown = st.dictionaries(st.sampled_from(("device", "a b", INJECTIONS[0], "")), VALUES)
    return st.builds(
        lambda changes, unknown: {
            key: value
            for key, value in ({**unknown, **usual, **changes}).items()
            if value is not MISSING
        },
        changes,
        unknown,
    )


FILES = st.fixed_dictionaries(
    {
        "staging_events": st.lists(objects("staging_events", event(1)), max_size=12),
        "staging_songs": st.lists(objects("staging_songs", song(1)), max_size=12),
    }
)


def expected_rows(table: str, rows: list[dict]) -> tuple[list[tuple], list[int]]:
    """The rows that fit, and the lines of those that do not."""
    good, bad = [], []
    for line, row in enumerate(rows, start=1):
        try:
            good.append(
                tuple(
                    in_column(row.get(name), *column)
                    for name, column in SOURCE_TABLES[table].items()
                )
            )
        except Refused:
            bad.append(line)
    return good, bad


# --- the property --------------------------------------------------------------


@pytest.fixture
def resident(new_project: Callable[..., Project], engine: str, runner: Runner) -> Iterator[Project]:
    """A project whose commands run in one process."""
    project = new_project(engine)
    project.runner = Session(runner)
    yield project
    project.runner.close()


def start_anew(project: Project) -> None:
    """Empties the warehouse."""
    if isinstance(project, RedshiftProject):
        clear(project.cluster)
    else:
        project.database.unlink(missing_ok=True)


def in_order(rows: list[tuple]) -> list[tuple]:
    return sorted(rows, key=repr)


@pytest.mark.soak
@pytest.mark.parametrize(
    ("engine", "examples"), [("local", 40), ("redshift", 12)], indirect=["engine"]
)
def test_any_object_is_loaded_or_kept_aside(resident: Project, examples: int) -> None:
    project = resident

    @settings(
        max_examples=examples * soak_factor(),
        deadline=None,
        phases=[Phase.explicit, Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )
    @given(FILES, st.booleans())
    def check(files: dict[str, list[dict]], as_ascii: bool) -> None:
        start_anew(project)
        for table, folder in (("staging_events", project.events), ("staging_songs", project.songs)):
            lines = [json.dumps(row, ensure_ascii=as_ascii) + "\n" for row in files[table]]
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "fuzz.json").write_text("".join(lines), encoding="utf-8")
        expected = {table: expected_rows(table, rows) for table, rows in files.items()}
        bad_count = sum(len(bad) for _, bad in expected.values())
        if bad_count:  # strictly, nothing of the table is loaded
            project.load("--max-errors", str(bad_count - 1), fails=True)
            project.load(fails=True)
        project.load("--max-errors", str(bad_count))
        for table, (good, bad) in expected.items():
            columns = ", ".join(SOURCE_TABLES[table])
            raw = project.query(f"select {columns} from sparkify_raw.{table}")
            assert in_order(raw) == in_order(good)
            rejected = project.query(
                "select line_number from sparkify_raw.rejected_rows"
                f" where source_table = '{table}' order by 1"
            )
            assert [line for (line,) in rejected] == bad
        project.dbt("run")

    check()
