"""Keys and columns that appear, disappear and change."""

from __future__ import annotations

import gzip
import json

import pytest

from .conftest import Project, event, song

SOURCES = "models/staging/_sparkify__sources.yml"


def edit_sources(project: Project, old: str, new: str) -> None:
    """Replaces a part of the sources' YAML."""
    path = project.folder / SOURCES
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))


def test_a_new_key_is_ignored_and_reported(project: Project) -> None:
    project.write_events("a.json", event(8, campaign={"id": 5}), event(9, device="phone"))
    zipped = json.dumps(song(3, label="x")).encode()
    (project.songs / "zipped.json.gz").write_bytes(gzip.compress(zipped))
    run = project.load()
    assert "staging_events: no column takes the key campaign, seen in" in run.errors
    assert "staging_events: no column takes the key device, seen in" in run.errors
    assert "staging_songs: no column takes the key label, seen in" in run.errors
    assert "zipped.json.gz" in run.errors
    assert project.query("select count(*) from sparkify_raw.staging_events") == [(5,)]


def test_keys_in_any_case(project: Project) -> None:
    """They fill the column, in any of twenty files, as with COPY."""
    for number in range(20):
        project.write_events(f"{number:02}.json", event(100 + number))
    other_case = {key.upper(): value for key, value in event(107).items()}
    project.write_events("07.json", other_case)
    project.write_events("12.json", {**event(112, gender=None), "GENDER": "M"})
    project.write_songs("a.json", {key.title(): value for key, value in song(7).items()})
    run = project.load()
    assert "no column takes" not in run.errors
    rows = project.query("select * from sparkify_raw.staging_events where iteminsession >= 100")
    by_item = {row[4]: row[:4] + row[5:-1] for row in rows}
    usual = by_item[107]
    assert usual[2:4] == ("Test", "F")
    assert all(row[:2] == usual[:2] for row in by_item.values())
    assert by_item[112][3] == "M"
    assert len(by_item) == 20
    assert None not in usual
    titles = project.query("select title from sparkify_raw.staging_songs order by 1")
    assert titles == [("Title 1",), ("Title 2",), ("Title 7",)]


@pytest.mark.parametrize("number", [0, 7, 18, 19])
def test_a_key_that_is_renamed_in_one_file_of_twenty(project: Project, number: int) -> None:
    for other in range(20):
        project.write_events(f"{other:02}.json", event(100 + other))
    renamed = event(100 + number)
    renamed["user_id"] = renamed.pop("userId")
    project.write_events(f"{number:02}.json", renamed)
    run = project.load("--select", "staging_events")
    (said,) = [line for line in run.errors.splitlines() if "no column takes" in line]
    assert "the key user_id" in said
    assert said.endswith(f"{number:02}.json")


def test_a_missing_key_is_null(project: Project) -> None:
    short = {key: event(8)[key] for key in ("ts", "page", "sessionId", "itemInSession", "userId")}
    project.write_events("a.json", short)
    project.load()
    columns = "artist, auth, firstname, length, level, location, registration, status, userid"
    sql = f"select {columns} from sparkify_raw.staging_events where iteminsession = 8"
    assert project.query(sql) == [(None,) * 8 + (7,)]


def test_a_column_added_to_the_yaml_is_filled_from_then_on(project: Project) -> None:
    project.load()
    added = "          - name: campaignId\n            data_type: bigint\n"
    edit_sources(project, "          - name: auth\n", added + "          - name: auth\n")
    project.write_events("a.json", event(8, campaignId=5), event(9, campaignId=""), event(10))
    project.load()
    sql = "select iteminsession, campaignid from sparkify_raw.staging_events order by 1"
    assert project.query(sql) == [(1, None), (2, None), (3, None), (8, 5), (9, None), (10, None)]


def test_a_changed_type_is_refused(project: Project) -> None:
    project.load()
    edit_sources(
        project,
        "          - name: status\n            data_type: double precision\n",
        "          - name: status\n            data_type: bigint\n",
    )
    project.write_events("a.json", event(8, status=599))
    run = project.load(fails=True)
    for said in (
        'Column status of "sparkify_raw"."staging_events" is double',
        "YAML now says bigint",
        "python load_staging.py --full-refresh --select staging_events",
        "dbt build --full-refresh",
    ):
        assert said in run.errors
    assert project.query("select count(*) from sparkify_raw.staging_events") == [(3,)]

    # Doing what it says.
    project.load("--full-refresh", "--select", "staging_events")
    sql = "select max(status) from sparkify_raw.staging_events"
    assert project.query(sql) == [(599,)]
    assert "Nothing new." in project.load().output
    project.dbt("run", "--full-refresh")


def test_a_changed_length_is_refused_where_the_table_has_one(project: Project) -> None:
    """DuckDB's tables have no lengths: there only the YAML counts."""
    project.load()
    edit_sources(
        project,
        "          - name: method\n            data_type: varchar(64)\n",
        "          - name: method\n            data_type: varchar(100)\n",
    )
    project.write_events("a.json", event(8, method="M" * 100))
    run = project.load(fails=project.target != "local")
    if project.target != "local":
        assert 'method of "sparkify_raw"."staging_events" is character varying(64)' in run.errors


@pytest.mark.parametrize(
    "spelling", ["float8", "DOUBLE PRECISION"], ids=["another_name", "another_case"]
)
def test_another_spelling_of_a_type_is_the_same_type(project: Project, spelling: str) -> None:
    project.load()
    edit_sources(
        project,
        "          - name: sessionId\n            data_type: double precision\n",
        f"          - name: sessionId\n            data_type: {spelling}\n",
    )
    project.write_events("a.json", event(8))
    project.load()
    project.write_events("b.json", event(9, sessionId=1.5))
    assert "not a whole number" in project.load(fails=True).errors


def test_a_changed_column_of_the_ledger_is_refused(local_project: Project) -> None:
    local_project.load()
    edit_sources(
        local_project,
        "          - name: row_count\n            data_type: bigint\n",
        "          - name: row_count\n            data_type: integer\n",
    )
    run = local_project.load("--full-refresh", fails=True)
    assert "Put the YAML back." in run.errors


def test_a_dropped_table_is_not_taken_for_loaded(project: Project) -> None:
    """The ledger still lists its files, so a new table would stay empty."""
    project.load()
    project.execute("drop table sparkify_raw.staging_songs")
    run = project.load(fails=True)
    assert 'The table "sparkify_raw"."staging_songs" is missing' in run.errors
    assert "--full-refresh --select staging_songs" in run.errors
    project.load("--full-refresh", "--select", "staging_songs")
    assert project.query("select count(*) from sparkify_raw.staging_songs") == [(2,)]
