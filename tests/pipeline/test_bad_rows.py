"""--max-errors: bad rows are kept aside, up to a number, and nothing else is."""

from __future__ import annotations

import gzip
import json

import pytest

from tests.fake_redshift import BUCKET

from .conftest import Project, RedshiftProject, event, song, table_at_the_end

EVENTS = "select iteminsession from sparkify_raw.staging_events order by 1"
REJECTED = """
    select source_table, file_name, line_number, column_name
    from sparkify_raw.rejected_rows order by file_name, line_number
"""
COUNTS = "select row_count, rejected_count from sparkify_raw.loads where source_table = '{}'"


def where(project: Project, name: str) -> str:
    """A file of events, as the ledger names it."""
    root = f"s3://{BUCKET}" if isinstance(project, RedshiftProject) else "input"
    return f"{root}/log_data/{name}"


def with_bad_rows(project: Project) -> Project:
    """Two rows whose values do not fit, in a file of four."""
    project.write_events(
        "bad.json", event(11), event(12, ts="yesterday"), event(13), event(14, level="é" * 40)
    )
    return project


def test_good_rows_are_loaded_and_bad_ones_kept(project: Project) -> None:
    with_bad_rows(project)
    run = project.load("--max-errors", "2")
    assert table_at_the_end(run.output)["staging_events"][:4] == ["3", "3", "5", "2"]
    assert "2 rows were rejected" in run.errors
    assert project.query(EVENTS) == [(1,), (2,), (3,), (11,), (13,)]
    file = where(project, "bad.json")
    assert project.query(REJECTED) == [
        ("staging_events", file, 2, "ts"),
        ("staging_events", file, 4, "level"),
    ]
    assert project.query(COUNTS.format("staging_events")) == [(5, 2)]
    assert project.query(COUNTS.format("staging_songs")) == [(2, 0)]
    reasons = project.query("select reason, value from sparkify_raw.rejected_rows order by 1")
    if isinstance(project, RedshiftProject):
        assert [reason.split(",")[0] for reason, _ in reasons] == [
            "Invalid digit",
            "String length exceeds DDL length",
        ]
    else:
        assert reasons == [("not a bigint", "yesterday"), ("not a varchar(64)", "é" * 40)]
    # The file is loaded.
    assert "Nothing new." in project.load().output


def test_more_bad_rows_than_allowed_undo_the_load(project: Project) -> None:
    with_bad_rows(project)
    run = project.load("--max-errors", "1", fails=True)
    assert f"In {where(project, 'bad.json')}, line 2, column ts" in run.errors
    assert f"In {where(project, 'bad.json')}, line 4, column level" in run.errors
    assert project.query(EVENTS) == []
    assert project.query(REJECTED) == []
    assert project.query("select count(*) from sparkify_raw.loaded_files") == [(0,)]
    project.load("--max-errors", "2")
    assert len(project.query(EVENTS)) == 5


def test_the_number_is_for_all_of_the_run(project: Project) -> None:
    with_bad_rows(project)
    project.write_songs("bad.json", song(3, year="late"))
    run = project.load("--max-errors", "2", fails=True)
    assert "bad.json" in run.errors
    assert len(project.query(EVENTS)) == 5
    assert project.query("select count(*) from sparkify_raw.staging_songs") == [(0,)]


@pytest.mark.parametrize("name", ["broken.json", "broken.json.gz"])
def test_lines_that_are_no_json(project: Project, name: str) -> None:
    lines = [json.dumps(event(11)), '{"ts": 1, "page" "Home"}', json.dumps(event(13)), '{"ts": 1']
    text = "\n".join(lines).encode()
    (project.events / name).write_bytes(gzip.compress(text) if name.endswith("gz") else text)
    # What is spread over several lines is no less JSON for that.
    (project.events / "pretty.json").write_text(json.dumps(event(15), indent=2))
    project.load("--max-errors", "2")
    assert project.query(EVENTS) == [(1,), (2,), (3,), (11,), (13,), (15,)]
    file = where(project, name)
    assert project.query(REJECTED) == [
        ("staging_events", file, 2, None),
        ("staging_events", file, 4, None),
    ]


def test_lines_that_are_other_json(local_project: Project) -> None:
    """And a file of nothing else; on Redshift an array is a row of nulls."""
    local_project.load()
    lines = ["[1]", '"text"', json.dumps(event(12)), json.dumps(event(13)) * 2]
    (local_project.events / "broken.json").write_text("\n\n".join(lines))
    local_project.load("--max-errors", "3")
    rows = local_project.query("select line_number, reason from sparkify_raw.rejected_rows")
    assert sorted(rows) == [(n, "not a JSON object") for n in (1, 2, 4)]
    assert local_project.query(EVENTS) == [(1,), (2,), (3,), (12,)]


def test_rejected_rows_warn_in_every_build(project: Project) -> None:
    with_bad_rows(project)
    project.load("--max-errors", "5")
    selected = ["--select", "assert_no_rows_were_rejected", "--target", project.target]
    run = project.run("dbt", "test", *selected)
    assert "Warning in test assert_no_rows_were_rejected" in run.output
    # Rows that are gone with their load warn no more.
    project.write_events("bad.json", event(11))
    project.load("--reload")
    assert project.query(REJECTED) == []
    project.dbt("test", "--select", "assert_no_rows_were_rejected")


def test_all_rows_may_be_bad(project: Project) -> None:
    project.load("--select", "staging_songs")
    project.write_songs("bad.json", song(3, year="late"), song(4, year="later"))
    project.load("--select", "staging_songs", "--max-errors", "10")
    assert project.query(COUNTS.format("staging_songs") + " order by load_id") == [(2, 0), (0, 2)]


def test_line_numbers_in_a_large_file(local_project: Project) -> None:
    """The rows of a file that several threads read are counted in its order."""
    items = [event(n, ts="x") if n % 30_000 == 7 else event(n) for n in range(100_000)]
    local_project.write_events("large.json", *items)
    local_project.load("--select", "staging_events", "--max-errors", "4")
    lines = local_project.query("select line_number from sparkify_raw.rejected_rows order by 1")
    assert lines == [(8,), (30_008,), (60_008,), (90_008,)]


def test_rows_that_redshift_tells_of_late(redshift_project: RedshiftProject) -> None:
    """They are asked for again, and by the next load if this one is killed meanwhile."""
    project = with_bad_rows(redshift_project)
    project.cluster.faults.cut("before", "from sys_load_history")
    project.load("--max-errors", "2", fails=True)
    assert project.query(COUNTS.format("staging_events")) == [(5, None)]
    assert project.query(REJECTED) == []
    run = project.run(
        "dbt", "test", "--select", "assert_no_rows_were_rejected", "--target=redshift"
    )
    assert "Warning in test assert_no_rows_were_rejected" in run.output
    project.load()
    assert len(project.query(REJECTED)) == 2
    assert project.query(COUNTS.format("staging_events")) == [(5, 2)]


@pytest.mark.parametrize("number", ["-1", "100000", "many"])
def test_a_number_that_is_none(local_project: Project, number: str) -> None:
    run = local_project.load("--max-errors", number, fails=True)
    assert "--max-errors" in run.errors
