"""--max-errors: up to this many bad rows are rejected and kept aside, and nothing else is."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma

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
    assert "Rejected 2 rows" in run.errors
    assert project.query(EVENTS) == [(1,), (2,), (3,), (11,), (13,)]
    file = where(project, "bad.json")
    assert project.query(REJECTED) == [
        ("staging_events", file, 2, "ts"),
        ("staging_events", file, 4, "level"),
    ]
    assert project.query(COUNTS.format("staging_events")) == [(5, 2)]
    assert project.query(COUNTS.format("staging_songs")) == [(2, 0)]
    assert project.query("select reason, value from sparkify_raw.rejected_rows order by 1") == [
        ("longer than 64 bytes", "é" * 40),
        ("not a number", "yesterday"),
    ]
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


def test_the_limit_is_for_the_whole_run(project: Project) -> None:
    with_bad_rows(project)
    project.write_songs("bad.json", song(3, year="late"))
    run = project.load("--max-errors", "2", fails=True)
    assert "bad.json" in run.errors
    assert len(project.query(EVENTS)) == 5
    assert project.query("select count(*) from sparkify_raw.staging_songs") == [(0,)]


@pytest.mark.parametrize("name", ["broken.json", "broken.json.gz"])
def test_lines_that_are_not_json(project: Project, name: str) -> None:
    lines = [json.dumps(event(11)), '{"ts": 1, "page" "Home"}', json.dumps(event(13)), '{"ts": 1']
    text = "\n".join(lines).encode()
    (project.events / name).write_bytes(gzip.compress(text) if name.endswith("gz") else text)
    # An object may spread over several lines.
    (project.events / "pretty.json").write_text(json.dumps(event(15), indent=2))
    project.load("--max-errors", "2")
    assert project.query(EVENTS) == [(1,), (2,), (3,), (11,), (13,), (15,)]
    file = where(project, name)
    assert project.query(REJECTED) == [
        ("staging_events", file, 2, None),
        ("staging_events", file, 4, None),
    ]


def test_text_between_objects(project: Project) -> None:
    """Each line that is not an object is a row; a line may hold several objects."""
    project.load()
    lines = ["[1]", '"text"', json.dumps(event(12)), json.dumps(event(13)) + json.dumps(event(14))]
    (project.events / "broken.json").write_text("\n\n".join(lines))
    project.load("--max-errors", "2")
    rows = project.query("select line_number, value, reason from sparkify_raw.rejected_rows")
    assert sorted(rows) == [(1, "[1]", "not a JSON object"), (2, '"text"', "not a JSON object")]
    assert project.query(EVENTS) == [(1,), (2,), (3,), (12,), (13,), (14,)]


def test_one_bad_object_on_a_line_of_good_ones(project: Project) -> None:
    """Only this object is rejected, with its text: a line is not a row."""
    rejected = []
    for number, bad in enumerate(('{"artist": "cut', '{"a": "x" "y"}', "{'ts': 1}")):
        for at in (0, 30, 59):
            texts = [json.dumps(event(100 + n, sessionId=number, userId=at)) for n in range(60)]
            texts.insert(at, bad)
            name = f"{number}_{at}.json"
            (project.events / name).write_text("".join(texts))
            rejected.append((where(project, name), at + 1, bad))
    project.load("--select", "staging_events", "--max-errors", "9")
    assert project.query(COUNTS.format("staging_events")) == [(3 + 9 * 60, 9)]
    sql = "select file_name, line_number, value from sparkify_raw.rejected_rows order by 1"
    assert sorted(project.query(sql)) == sorted(rejected)


# Each counts as many rows as are lost with it.
WHOLE_FILES = {
    "an array": json.dumps([event(n) for n in range(20)]),
    "an array, indented": json.dumps([event(n) for n in range(20)], indent=2),
    "a wrapper": json.dumps({"Records": [event(n) for n in range(20)]}),
    "wrappers": json.dumps({"data": {"event": event(1)}}) * 20,
    "single quotes": "".join(str(event(n)) for n in range(20)),
    "another format": "ts,page\n" * 20,
}


def test_a_whole_file_is_not_one_bad_row(project: Project) -> None:
    for kind, text in WHOLE_FILES.items():
        path = project.events / f"{kind}.json"
        path.write_text(text)
        run = project.load("--select", "staging_events", "--max-errors", "19", fails=True)
        assert f"{kind}.json" in run.errors
        assert "--max-errors allows 19" in run.errors
        path.rename(path.with_name(f"_{path.name}"))
    assert project.query(EVENTS) == []
    for path in project.events.glob("_*"):
        path.rename(path.with_name(path.name.removeprefix("_")))
    project.load("--select", "staging_events", "--max-errors", "120")
    assert project.query(COUNTS.format("staging_events")) == [(3, 120)]


@pytest.mark.parametrize("options", [(), ("--max-errors", "1000")], ids=["", "bad rows allowed"])
def test_a_compressed_file_is_not_a_bad_row(project: Project, options: tuple[str, ...]) -> None:
    """Whatever its name, even if compressed twice."""
    content = json.dumps(event(11)).encode()
    for name, compressed in (
        ("a.json", lzma.compress(content)),
        ("a.json", bz2.compress(bz2.compress(content))),
        ("a.json.gz", gzip.compress(gzip.compress(content))),
    ):
        path = project.events / name
        path.write_bytes(compressed)
        run = project.load("--select", "staging_events", *options, fails=True)
        assert f"{name} holds " in run.errors or "DuckDB does not read" in run.errors
        assert "unpack it" in run.errors
        assert (11,) not in project.query(EVENTS)
        files = "select count(*) from sparkify_raw.loaded_files where file_name like '%a.json%'"
        assert project.query(files) == [(0,)]
        path.unlink()


def test_an_object_with_other_keys_is_not_a_row(project: Project) -> None:
    """A catalog in one object would be a row of nulls. Its keys are named, wherever it is."""
    wrapped = {"songs": [song(3), song(4)]}
    large = "".join(json.dumps(song(100 + n)) + "\n" for n in range(1000)) + json.dumps(wrapped)
    for text, line, keys in (
        (json.dumps(wrapped), 1, "songs"),
        (large, 1001, "songs"),
        ("{}", 1, "it has none"),
    ):
        path = project.songs / "catalog.json"
        path.write_text(text)
        run = project.load("--select", "staging_songs", fails=True)
        assert f"catalog.json, line {line}, value " in run.errors
        assert f": none of its keys fills a column: {keys}" in run.errors
        assert project.query("select count(*) from sparkify_raw.staging_songs") == [(0,)]
    path.write_text(json.dumps(wrapped))
    project.load("--select", "staging_songs", "--max-errors", "2")
    rejected = project.query(
        "select line_number, reason from sparkify_raw.rejected_rows order by 1"
    )
    reason = "none of its keys fills a column: songs; write one object per line, for example"
    assert rejected == [(n, f"{reason} with jq -c '.songs[]'") for n in (1, 2)]


def test_rejected_rows_warn_in_every_build(project: Project) -> None:
    with_bad_rows(project)
    project.load("--max-errors", "5")
    selected = ["--select", "assert_no_rows_were_rejected", "--target", project.target]
    run = project.run("dbt", "test", *selected)
    assert "Warning in test assert_no_rows_were_rejected" in run.output
    # There is no warning about rejected rows whose load is gone.
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
    """Rows are numbered in the order of the file, although several threads read it."""
    items = [event(n, ts="x") if n % 30_000 == 7 else event(n) for n in range(100_000)]
    local_project.write_events("large.json", *items)
    local_project.load("--select", "staging_events", "--max-errors", "4")
    lines = local_project.query("select line_number from sparkify_raw.rejected_rows order by 1")
    assert lines == [(8,), (30_008,), (60_008,), (90_008,)]


def test_redshift_gets_good_rows_alone(redshift_project: RedshiftProject) -> None:
    """The loader finds the bad rows, so COPY is never allowed to skip any."""
    project = with_bad_rows(redshift_project)
    project.cluster.statements.clear()
    project.load("--select", "staging_events", "--max-errors", "2")
    sent = "\n".join(each.sql for each in project.cluster.statements).lower()
    assert "maxerror" not in sent
    assert "sys_load_history" not in sent
    assert project.query(COUNTS.format("staging_events")) == [(5, 2)]


@pytest.mark.parametrize("number", ["-1", "100000", "many"])
def test_an_invalid_limit(local_project: Project, number: str) -> None:
    run = local_project.load("--max-errors", number, fails=True)
    assert "--max-errors" in run.errors
