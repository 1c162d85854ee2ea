"""run-operation delete_user: afterwards all is as if the user had never existed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest

from .conftest import NO_UNIT_TESTS, Project, RedshiftProject, event, song
from .test_two_at_once import held, sessions_waiting, start_dbt, start_load, until
from .warm import Command, Run

USER = 26
OTHERS = {
    "2018-11-01.json": [event(1), event(2, page="Home", song=None, artist=None, length=None)],
    "2018-11-02.json": [event(30, song="Heard by both", artist="Nobody")],
}


def of_user(item: int, **changes) -> dict:
    """An event of the user, with a name, a location and a browser that nobody else has."""
    only = {
        "userId": str(USER),
        "sessionId": 26,
        "firstName": "Erased",
        "lastName": "Completely",
        "location": "Nowhere Else, VT",
        "userAgent": "Mozilla/5.0 (Windows NT 6.1; rv:31.0) Gecko/20100101 Firefox/31.0",
    }
    return event(item, **(only | changes))


# The first and the last play, a song that nobody else heard, and the smallest spelling of another.
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
    """Writes a file for each day, and a catalog."""
    for name in OTHERS:
        project.write_events(name, *[each for files in inputs for each in files[name]])
    project.write_songs("A/A/A/TRAAA1.json", song(1))


def delete(project: Project, user_id: object = USER) -> Run:
    """Runs delete_user, whatever its exit code."""
    arguments = json.dumps({"user_id": user_id})
    command = ["dbt", "--no-quiet", "run-operation", "delete_user", "--args", arguments]
    return project.run(*command, "--target", project.target)


def deleted(project: Project, user_id: int = USER) -> list[str]:
    """Runs delete_user, which must succeed; returns what it says."""
    run = delete(project, user_id)
    assert run.code == 0, run.text
    return re.findall(r"  (.* deleted|No rows .*)$", run.output, re.MULTILINE)


def raw_rows(project: Project) -> int:
    """The number of raw rows of the user."""
    sql = f"select count(*) from sparkify_raw.staging_events where userid = {USER}"
    return project.query(sql)[0][0]


def run_tests(project: Project) -> None:
    """Builds what is new and runs all data tests, with warnings as errors."""
    project.dbt("build", *NO_UNIT_TESTS)


@pytest.fixture
def project(new_project: Callable[..., Project], engine: str) -> Project:
    """A project with the user, on each engine."""
    project = new_project(engine)
    write(project, OTHERS, OF_USER)
    return project


def test_all_is_as_if_the_user_had_never_existed(project: Project) -> None:
    write(project, OTHERS)
    project.load()
    project.dbt("run")
    without_user = project.marts()

    # The user comes in two loads, with a build after each.
    write(project, OTHERS, OF_USER)
    second = project.events / "2018-11-02.json"
    second.rename(project.folder / "later")
    project.load("--full-refresh")
    project.dbt("run", "--full-refresh")
    (project.folder / "later").rename(second)
    project.load()
    project.dbt("run")
    with_user = project.marts()
    assert raw_rows(project) == 6
    assert with_user != without_user

    assert deleted(project, 99) == ["No rows of user 99 were found."]
    assert deleted(project) == [
        f"{project.schema}.dim_user_levels: 3 rows deleted",
        f"{project.schema}.dim_users: 1 row deleted",
        f"{project.schema}.fct_sessions: 1 row deleted",
        f"{project.schema}.fct_songplays: 4 rows deleted",
        f"{project.schema}_intermediate.int_events: 5 rows deleted",
        "sparkify_raw.staging_events: 6 rows deleted",
    ]
    assert raw_rows(project) == 0
    for table in ("fct_songplays", "fct_sessions", "dim_users", "dim_user_levels"):
        assert project.query(f"select count(*) from {table} where user_id = {USER}") == [(0,)]

    # Among them the tests of the ledger, and the one that warned about the impossible timestamp.
    run_tests(project)
    assert project.marts() == without_user
    assert "Nothing new." in project.load().output


def test_before_the_first_build(project: Project) -> None:
    run = delete(project)
    assert run.code != 0
    assert "Nothing has been loaded yet." in run.text
    project.load()
    assert deleted(project) == ["sparkify_raw.staging_events: 6 rows deleted"]
    project.dbt("test", "--select", "assert_ledger_counts_the_raw_rows")


def test_a_user_who_is_loaded_again_is_back(project: Project) -> None:
    """With new events, and after a full refresh with the old ones that files still hold."""
    project.load()
    deleted(project)
    project.load()
    assert raw_rows(project) == 0
    project.write_events("2018-11-03.json", of_user(1000))
    project.load()
    assert raw_rows(project) == 1

    deleted(project)
    project.load("--full-refresh")
    assert raw_rows(project) == 7
    # The files again, now without the user.
    write(project, OTHERS)
    project.write_events("2018-11-03.json", event(1000))
    project.load("--reload")
    assert raw_rows(project) == 0


def test_a_user_is_identified_by_an_integer(local_project: Project) -> None:
    project = local_project
    project.load()
    for user_id in ("7 or true", "7", 7.5, True, None, [7]):
        run = delete(project, user_id)
        assert run.code != 0
        assert "user_id must be an integer" in run.text
    assert project.query("select count(*) from sparkify_raw.staging_events") == [(3,)]


def test_values_of_rejected_events_are_gone(local_project: Project) -> None:
    """They may be of any user; the files and lines of rejected rows stay."""
    project = local_project
    project.write_events("bad.json", of_user(5, gender="Erased " * 20))
    project.write_songs("bad.json", song(3, year="late"))
    project.load("--max-errors", "2")
    deleted(project)
    assert project.query(
        "select column_name, value, line_number from sparkify_raw.rejected_rows order by 1"
    ) == [("gender", None, 1), ("year", "late", 1)]


def start_deletion(project: Project) -> Command:
    """Starts delete_user, while other commands run."""
    return start_dbt(
        project, "run-operation", "delete_user", "--args", f"{{user_id: {USER}}}", number=2
    )


@pytest.fixture
def shared_project(redshift_project: RedshiftProject) -> RedshiftProject:
    """A project that is built, and then gets a file with the user."""
    redshift_project.load()
    redshift_project.dbt("run", "--select", "+fct_songplays")
    redshift_project.write_events("of_user.json", of_user(1), event(9))
    redshift_project.upload()
    return redshift_project


def test_during_a_load(shared_project: RedshiftProject) -> None:
    """It waits for the load, deletes what that added, and corrects the ledger."""
    project = shared_project
    with held(project.cluster, "sparkify_raw.staging_events"):
        load = start_load(project)
        until(lambda: sessions_waiting(project.cluster) == 1, load)
        deletion = start_deletion(project)
        until(lambda: sessions_waiting(project.cluster) == 2, load, deletion)
    assert load.wait().code == 0
    assert "staging_events: 1 row deleted" in deletion.wait().output
    counts = "select row_count from sparkify_raw.loads where source_table = 'staging_events'"
    assert project.query(f"{counts} order by load_id") == [(3,), (1,)]


def test_during_a_build(shared_project: RedshiftProject) -> None:
    """It waits for the model that has read the events; the next models find none."""
    project = shared_project
    project.load()
    models = ("--select", "+fct_songplays", "fct_sessions", "dim_user_levels", "dim_users")
    with held(project.cluster, "sparkify.fct_songplays"):
        build = start_dbt(project, "run", *models, number=1)
        until(lambda: sessions_waiting(project.cluster) == 1, build)
        deletion = start_deletion(project)
        until(lambda: sessions_waiting(project.cluster) == 2, build, deletion)
    assert "fct_songplays: 1 row deleted" in deletion.wait().output
    assert build.wait().code == 0
    events = f"{project.schema}_intermediate.int_events"
    for table in ("fct_songplays", "fct_sessions", "dim_user_levels", "dim_users", events):
        assert project.query(f"select distinct user_id from {table}") == [(7,)]
