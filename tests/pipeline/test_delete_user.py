"""run-operation delete_user: afterwards all is as if the user had never been there."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from .conftest import Project, RedshiftProject, clear, event, song
from .test_two_at_once import held, sessions_waiting, start_dbt, until

USER = 26
OTHERS = {
    "2018-11-01.json": [event(1), event(2, page="Home", song=None, artist=None, length=None)],
    "2018-11-02.json": [event(30, song="Heard by both", artist="Nobody")],
}


def of_user(item: int, **changes) -> dict:
    """An event of the user, with a name, a place and a browser that nobody else has."""
    only = {
        "userId": str(USER),
        "sessionId": 26,
        "firstName": "Erased",
        "lastName": "Completely",
        "location": "Nowhere Else, VT",
        "userAgent": "Mozilla/5.0 (Windows NT 6.1; rv:31.0) Gecko/20100101 Firefox/31.0",
    }
    return event(item, **(only | changes))


# The first and the last play, a song of their own, and the smallest spelling of another.
OF_USER = {
    "2018-11-01.json": [
        of_user(-600, song="Theirs alone", artist="Theirs"),
        of_user(3, level="paid"),
    ],
    "2018-11-02.json": [
        of_user(40, song="HEARD BY BOTH", artist="Nobody", length=100.5),
        of_user(41, page="Logout", song=None, artist=None, length=None),
        of_user(900, song="Theirs alone", artist="Theirs"),
        of_user(901, ts=-1),
    ],
}


def write(project: Project, *inputs: dict[str, list[dict]]) -> None:
    """The files of a day each, and a catalogue."""
    for name in OTHERS:
        project.write_events(name, *[each for files in inputs for each in files[name]])
    project.write_songs("A/A/A/TRAAA1.json", song(1))


def delete(project: Project, user_id: object = USER) -> list[str]:
    """What delete_user says."""
    arguments = json.dumps({"user_id": user_id})
    run = project.dbt("run-operation", "delete_user", "--args", arguments)
    return [line.split("  ", 1)[1] for line in run.output.splitlines() if " rows" in line.lower()]


def raw_rows(project: Project) -> int:
    """How many raw rows are of the user."""
    sql = f"select count(*) from sparkify_raw.staging_events where userid = {USER}"
    return project.query(sql)[0][0]


@pytest.fixture
def built_project(new_project: Callable[..., Project], engine: str) -> Project:
    """A project into which the user came in two loads, with a build after each."""
    project = new_project(engine)
    write(project, OTHERS, OF_USER)
    second = project.events / "2018-11-02.json"
    kept = second.rename(project.folder / "later")
    project.load()
    project.dbt("run")
    kept.rename(second)
    project.load()
    project.dbt("run")
    return project


def test_all_is_as_if_the_user_had_never_been(
    new_project: Callable[..., Project], engine: str, request: pytest.FixtureRequest
) -> None:
    project = new_project(engine)
    write(project, OTHERS)
    project.load()
    project.dbt("run")
    without_user = project.marts()
    if isinstance(project, RedshiftProject):
        clear(project.cluster)

    project = request.getfixturevalue("built_project")
    assert raw_rows(project) == 6
    assert project.marts() != without_user
    assert delete(project) == [
        f"{project.schema}.dim_user_levels: 3 rows deleted",
        f"{project.schema}.dim_users: 1 rows deleted",
        f"{project.schema}.fct_sessions: 1 rows deleted",
        f"{project.schema}.fct_songplays: 4 rows deleted",
        "sparkify_raw.staging_events: 6 rows deleted",
    ]
    assert raw_rows(project) == 0
    for table in ("fct_songplays", "fct_sessions", "dim_users", "dim_user_levels"):
        assert project.query(f"select count(*) from {table} where user_id = {USER}") == [(0,)]

    # With the tests of the ledger, and the one that warned of the event without a time.
    project.dbt("build", "--exclude-resource-type", "unit_test")
    assert project.marts() == without_user
    assert "Nothing new." in project.load().output


def test_an_unknown_user(built_project: Project) -> None:
    marts = built_project.marts()
    assert delete(built_project, 99) == ["No rows of user 99 were found."]
    assert built_project.marts() == marts


@pytest.mark.parametrize("user_id", ["26 or true", "26", 26.5, True, None, [26]])
def test_a_user_is_known_by_an_integer(local_project: Project, user_id: object) -> None:
    project = local_project
    project.load()
    arguments = json.dumps({"user_id": user_id})
    run = project.run("dbt", "run-operation", "delete_user", "--args", arguments)
    assert run.code != 0
    assert "user_id must be an integer" in run.text
    assert project.query("select count(*) from sparkify_raw.staging_events") == [(3,)]


def test_before_the_first_build(project: Project) -> None:
    """And before the first load."""
    write(project, OTHERS, OF_USER)
    run = project.run(
        "dbt", "run-operation", "delete_user", "--args", "{user_id: 26}", "--target", project.target
    )
    assert run.code != 0
    assert "Nothing has been loaded yet." in run.text
    project.load()
    assert delete(project) == ["sparkify_raw.staging_events: 6 rows deleted"]
    project.dbt("build", "--exclude-resource-type", "unit_test")


def test_what_is_loaded_again_is_back(project: Project) -> None:
    """New events of the user, and files that hold the old ones; not before."""
    write(project, OTHERS, OF_USER)
    project.load()
    delete(project)
    project.load()
    assert raw_rows(project) == 0
    project.write_events("2018-11-03.json", of_user(1000))
    project.load()
    project.dbt("build", "--exclude-resource-type", "unit_test")
    assert raw_rows(project) == 1
    assert project.query(f"select level from dim_users where user_id = {USER}") == [("free",)]

    # A file without the user, in place of one that had them.
    delete(project)
    project.write_events("2018-11-03.json", event(1000))
    project.load("--reload")
    assert raw_rows(project) == 0
    project.load("--full-refresh")
    assert raw_rows(project) == 6
    write(project, OTHERS)
    project.load("--reload")
    assert raw_rows(project) == 0
    project.dbt("run", "--full-refresh")
    project.dbt("test", "--exclude-resource-type", "unit_test")


def test_values_of_rejected_events_are_gone(local_project: Project) -> None:
    """It is not known whose they are; where they are in the files still is."""
    project = local_project
    project.write_events("bad.json", of_user(5, gender="Erased " * 20))
    project.write_songs("bad.json", song(3, year="late"))
    project.load("--max-errors", "2")
    delete(project)
    assert project.query(
        "select column_name, value, line_number from sparkify_raw.rejected_rows order by 1"
    ) == [("gender", None, 1), ("year", "late", 1)]


def test_it_waits_for_builds_and_loads(redshift_project: RedshiftProject) -> None:
    """What they write of the user it then finds; alone, each snapshot would lack the other's."""
    project = redshift_project
    project.load()
    project.dbt("run")
    for table in ("sparkify_raw.loads", "sparkify_intermediate.build_lock"):
        project.write_events(f"{table}.json", of_user(1, sessionId=len(table)))
        project.load()
        with held(project.cluster, table, "access exclusive"):
            deletion = start_dbt(project, "run-operation", "delete_user", "--args", "{user_id: 26}")
            until(lambda: sessions_waiting(project.cluster) == 1, deletion)
            assert raw_rows(project) == 1
        assert deletion.wait().code == 0
        assert raw_rows(project) == 0
