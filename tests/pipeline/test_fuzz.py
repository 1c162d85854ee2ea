"""Unexpected input: each object is loaded as documented, or rejected with a reason.

What a value becomes in a column is computed here a second time, as COPY on Redshift is documented.
Both engines must agree with it, and so with each other.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from .conftest import NO_UNIT_TESTS, ROOT, Project, RedshiftProject, clear, event, soak_factor, song
from .test_schema_drift import SOURCES

SOURCE_TABLES = {
    table["name"]: {
        column["name"]: (
            column["data_type"],
            "constraints" in column,
            column.get("config", {}).get("meta", {}).get("cast_as"),
        )
        for column in table["columns"]
        if column["name"] != "loaded_at"
    }
    for table in yaml.safe_load((ROOT / SOURCES).read_text())["sources"][0]["tables"]
    if "external" in table
}
LARGEST = {"integer": 2**31 - 1, "bigint": 2**53 - 1}
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


def in_column(value: Any, data_type: str, is_required: bool, cast_as: str | None) -> Any:
    """What a value of the JSON becomes in a column. Raises Refused."""
    if value is not None and not isinstance(value, str):
        value = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    if data_type.startswith("varchar"):
        if value is None and is_required:
            raise Refused
        if value is not None and (len(value.encode()) > int(data_type[8:-1]) or "\0" in value):
            raise Refused
        return value
    if value is None or value == "":
        if is_required:
            raise Refused
        return None
    if not re.fullmatch(r"-?[0-9]+(\.[0-9]+)?(e\+?[0-9]+)?", value) or math.isinf(float(value)):
        raise Refused
    number = float(value)
    if cast_as and (number % 1 or abs(number) > LARGEST[cast_as]):
        raise Refused
    return number


# --- values --------------------------------------------------------------------

ODD_TEXTS = (
    *("", " ", "true", "null", "1", "-0", "1.0", "1.50", "1e3", "1_0", "0x10"),
    *("\uff11\uff12", "e\u0301", "\u202e", "a\0b", "\0"),
    *("🎵" * 16, "🎵" * 17, "é" * 32, "é" * 33),
    *("x" * 4096, "x" * 4097, "é" * 2049, "x" * 65_535, "x" * 65_536),
    *INJECTIONS,
)
ODD_NUMBERS = (0, -1, 2**15, 2**31 - 1, 2**31, -(2**31) - 1, 2**63 - 1, 2**63, 10**30)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.sampled_from(ODD_TEXTS)
NUMBERS = st.one_of(
    st.integers(-(2**63) - 2, 2**63 + 1),
    st.sampled_from(ODD_NUMBERS),
    st.integers(-(10**6), 10**6).map(lambda number: number / 4),
)
ODD_VALUES = (None, True, [], {}, [1, "a"], {"a": {"b": [None]}})
OTHERS = st.booleans() | st.sampled_from(ODD_VALUES)
# Blanks around a number are not documented either; DuckDB refuses them.
ANY_TEXT = TEXTS | NUMBERS | NUMBERS.map(str) | OTHERS
ANY_NUMBER = TEXTS.map(str.strip) | NUMBERS | NUMBERS.map(str) | OTHERS
MISSING = object()


def objects(table: str, usual: dict) -> st.SearchStrategy[dict]:
    """Objects that are usual except for a few keys."""
    change = st.sampled_from(sorted(SOURCE_TABLES[table].items())).flatmap(
        lambda column: st.tuples(
            st.just(column[0]),
            (ANY_TEXT if column[1][0].startswith("varchar") else ANY_NUMBER) | st.just(MISSING),
        )
    )
    unknown = st.tuples(st.sampled_from(("device", "a b", INJECTIONS[0])), ANY_TEXT)
    return st.lists(change | unknown, max_size=3).map(
        lambda changes: {
            key: value for key, value in {**usual, **dict(changes)}.items() if value is not MISSING
        }
    )


FILES = st.fixed_dictionaries(
    {
        "staging_events": st.lists(objects("staging_events", event(1)), max_size=12),
        "staging_songs": st.lists(objects("staging_songs", song(1)), max_size=12),
    }
)


# Each odd value in a column of each type.
ODD_FILES = {
    "staging_events": [
        event(1, **{column: value})
        for column in ("gender", "length", "status", "ts", "userId")
        for value in (*ODD_TEXTS, *ODD_NUMBERS, *ODD_VALUES)
        if column == "gender" or not isinstance(value, str) or value == value.strip()
    ],
    "staging_songs": [
        song(1, **{column: value})
        for column in ("title", "year")
        for value in (*ODD_TEXTS, *ODD_NUMBERS, *ODD_VALUES)
        if column == "title" or not isinstance(value, str) or value == value.strip()
    ],
}


def expected_rows(table: str, rows: list[dict]) -> tuple[list[tuple], list[int]]:
    """The rows that fit, and the line numbers of the others."""
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


def start_over(project: Project) -> None:
    """Empties the warehouse."""
    if isinstance(project, RedshiftProject):
        clear(project.cluster)
    else:
        project.database.unlink(missing_ok=True)


def in_order(rows: list[tuple]) -> list[tuple]:
    return sorted(rows, key=repr)


def test_an_impossible_timestamp(local_project: Project) -> None:
    """It stays in the raw table but not in the star, and each build warns about it, as about an
    impossible registration."""
    project = local_project
    wild = (946_684_799_999, 1 - 2**53, 2**53 - 1, 5_662_310_400_000)
    project.write_events("wild.json", *(event(10 + n, ts=ts) for n, ts in enumerate(wild)))
    last = {"ts": 5_662_310_399_999, "registration": 1e300, "length": -1.0}
    project.write_events("edge.json", event(20, ts=946_684_800_000, length=0.0), event(21, **last))
    project.load()
    project.dbt("run")
    selected = ["assert_events_have_a_time", "assert_new_plays_are_complete"]
    run = project.run("dbt", "test", "--select", *selected, "--target", project.target)
    assert "WARN 5 assert_events_have_a_time" in run.output
    items = """
        select item_in_session, song_length from main_intermediate.int_events
        where is_play order by 1
    """
    assert project.query(items)[-2:] == [(20, 0.0), (21, -1.0)]
    assert project.query("select min(year), max(year) from dim_time") == [(2000, 2149)]
    project.dbt("build", *NO_UNIT_TESTS, "--exclude", *selected)


@pytest.mark.soak
@pytest.mark.parametrize(
    ("engine", "examples"), [("local", 5), ("redshift", 1)], indirect=["engine"]
)
def test_any_object_is_loaded_or_rejected(
    new_project: Callable[..., Project], engine: str, examples: int
) -> None:
    project = new_project(engine)

    @settings(
        max_examples=examples * soak_factor(),
        deadline=None,
        phases=[Phase.explicit, Phase.generate],  # shrinking takes many minutes
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )
    @given(FILES, st.booleans())
    @example(ODD_FILES, False)
    def check(files: dict[str, list[dict]], as_ascii: bool) -> None:
        start_over(project)
        for table, folder in (("staging_events", project.events), ("staging_songs", project.songs)):
            lines = [json.dumps(row, ensure_ascii=as_ascii) + "\n" for row in files[table]]
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "fuzz.json").write_text("".join(lines), encoding="utf-8")
        expected = {table: expected_rows(table, rows) for table, rows in files.items()}
        bad_count = sum(len(bad) for _, bad in expected.values())
        if bad_count:  # with one error too many nothing is loaded
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
