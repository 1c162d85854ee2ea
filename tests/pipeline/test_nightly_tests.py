"""The nightly data tests read only what is new, and find what is wrong in it."""

from __future__ import annotations

import re
import shutil

import pytest

from .conftest import NO_UNIT_TESTS, Project, event, song

NIGHTLY = ("--selector", "nightly")
GROWING = {
    "model.sparkify.fct_sessions",
    "model.sparkify.fct_songplays",
    "model.sparkify.int_events",
    "model.sparkify.stg_events",
    "source.sparkify.ledger.loaded_files",
    "source.sparkify.sparkify.staging_events",
}


def test_nightly_tests_read_only_what_is_new(local_project: Project) -> None:
    """From tables that grow with history, they read what was loaded since a literal time."""
    project = local_project
    project.load()
    project.dbt("run")
    project.with_artifacts()
    project.dbt("compile", "--selector", "nightly")
    manifest = project.artifact("manifest.json")
    tests = {
        node["name"]: node
        for node in manifest["nodes"].values()
        if node["resource_type"] == "test" and GROWING & set(node["depends_on"]["nodes"])
    }
    nightly = {name for name, node in tests.items() if "weekly" not in node["tags"]}
    nightly.remove("assert_events_have_a_time")  # reads no block whose times are right
    assert nightly == {
        "assert_new_days_are_complete",
        "assert_new_levels_and_genders_are_known",
        "assert_new_loads_count_the_raw_rows",
        "assert_new_plays_are_complete",
        "assert_new_plays_are_in_the_fact",
        "assert_new_plays_are_not_left_out",
        "assert_new_plays_find_their_dimensions",
        "assert_new_user_agents_are_recognized",
    }
    for name in nightly:
        assert "loaded_at > cast('20" in " ".join(tests[name]["compiled_code"].split())
    assert {
        "unique_fct_songplays_songplay_id",
        "relationships_fct_songplays_song_id__song_id__ref_dim_songs_",
        "assert_days_are_complete",
        "assert_every_play_is_in_the_fact",
        "assert_ledger_counts_the_raw_rows",
        "assert_no_play_is_left_out",
    } <= tests.keys() - nightly


# A fault to cause in a sound warehouse, and the one test that finds it.
NEW_PLAY = "where session_id = 71"
OLD_PLAY = "where session_id = 70 and item_in_session = 1"
FAULTS = {
    "a play is lost": (
        f"delete from fct_songplays {NEW_PLAY}",
        "assert_new_plays_are_in_the_fact",
    ),
    "a play counts twice": (
        f"insert into fct_songplays select * from fct_songplays {NEW_PLAY}",
        "assert_new_plays_are_in_the_fact",
    ),
    "a correction is lost": (
        f"update fct_songplays set loaded_at = loaded_at - interval 1 minute {NEW_PLAY}",
        "assert_new_plays_are_in_the_fact",
    ),
    "a song is lost": (
        "delete from dim_songs where title = 'Heard'",
        "assert_new_plays_find_their_dimensions",
    ),
    "an artist is lost": (
        "delete from dim_artists where name = 'Nobody'",
        "assert_new_plays_find_their_dimensions",
    ),
    "song and play differ in the artist": (
        "update dim_songs set artist_id = 'AR' where title = 'Heard'",
        "assert_new_plays_find_their_dimensions",
    ),
    "a user is lost": (
        "delete from dim_users where user_id = 8",
        "assert_new_plays_find_their_dimensions",
    ),
    "an hour is lost": (
        "delete from dim_time where start_hour = (select max(start_hour) from dim_time)",
        "assert_new_plays_find_their_dimensions",
    ),
    "a session is lost": (
        "delete from fct_sessions where session_id = 71",
        "assert_new_plays_find_their_dimensions",
    ),
    "a session ends too early": (
        "update fct_sessions set end_time = start_time - interval 1 minute where session_id = 71",
        "assert_new_plays_find_their_dimensions",
    ),
    "a period of a level is lost": (
        "delete from dim_user_levels where user_id = 8",
        "assert_new_plays_find_their_dimensions",
    ),
    "a location is lost": (
        "delete from dim_locations",
        "assert_new_plays_find_their_dimensions",
    ),
    "a user agent is lost": (
        "delete from dim_user_agents where browser = 'Chrome'",
        "assert_new_plays_find_their_dimensions",
    ),
    "a raw row is lost": (
        "delete from sparkify_raw.staging_events where sessionid = 71",
        "assert_new_loads_count_the_raw_rows",
    ),
    "a raw row was inserted by hand": (
        "insert into sparkify_raw.staging_songs (loaded_at) select max(loaded_at) + interval 1 hour"
        " from sparkify_raw.loads",
        "assert_new_loads_count_the_raw_rows",
    ),
}


@pytest.fixture
def project_of_two_weeks(local_project: Project) -> Project:
    """A project with two loads, ten days apart."""
    project = local_project
    project.load()
    for table in ("staging_events", "staging_songs", "loads", "loaded_files"):
        project.execute(f"update sparkify_raw.{table} set loaded_at = loaded_at - interval 10 days")
    project.dbt("run")
    new = event(1, sessionId=71, userId="8", song="Heard", artist="Nobody", ts=1541206106796)
    project.write_events("2018/11/2018-11-03-events.json", new)
    project.write_songs("A/A/C/TRAAAC3.json", song(3))
    project.load()
    project.dbt("build", *NIGHTLY)
    return project


def failures(project: Project, *selection: str) -> set[str]:
    """The names of the data tests that fail."""
    run = project.run("dbt", "--no-use-colors", "test", *NO_UNIT_TESTS, *selection)
    failed = set(re.findall(r"(?:Failure|Error) in test (\w+) \(", run.output))
    assert (run.code == 0) == (not failed), run.text
    return failed


def test_nightly_tests_find_what_is_wrong_with_new_rows(project_of_two_weeks: Project) -> None:
    project = project_of_two_weeks
    sound = shutil.copy(project.database, project.folder / "sound.duckdb")
    found = {}
    for fault, (sql, _) in FAULTS.items():
        project.execute(sql)
        found[fault] = failures(project, "--select", "assert_new_*")
        shutil.copy(sound, project.database)
    assert found == {fault: {name} for fault, (_, name) in FAULTS.items()}


def test_weekly_tests_find_what_is_wrong_with_old_rows(project_of_two_weeks: Project) -> None:
    """The nightly ones do not look there, so that they do not get slower."""
    project = project_of_two_weeks
    project.execute(f"delete from fct_songplays {OLD_PLAY}")
    assert failures(project, *NIGHTLY[:2]) == set()
    assert failures(project) == {
        "assert_every_play_is_in_the_fact",
        "assert_sessions_count_their_plays",
    }


# A fault to cause in a sound warehouse, and the weekly test that finds it.
OLD_FAULTS = {
    "a session has a play too many": (
        "update fct_sessions set play_count = play_count + 1 where session_id = 70",
        "assert_sessions_count_their_plays",
    ),
    "a session is there without events": (
        "insert into fct_sessions by name"
        " select * replace (99 as session_id, md5('7|99') as user_session_id)"
        " from fct_sessions where session_id = 70",
        "assert_sessions_count_their_plays",
    ),
    "periods overlap": (
        "insert into dim_user_levels by name"
        " select * replace ('another' as user_level_id, false as is_current,"
        " valid_from + interval 1 hour as valid_to)"
        " from dim_user_levels where user_id = 7",
        "assert_every_play_has_one_level",
    ),
    "a current level is not the user's": (
        "update dim_user_levels set level = 'paid' where user_id = 7",
        "assert_users_have_their_current_level",
    ),
}


def test_weekly_tests_find_what_is_wrong_with_sessions_and_levels(
    project_of_two_weeks: Project,
) -> None:
    project = project_of_two_weeks
    sound = shutil.copy(project.database, project.folder / "sound.duckdb")
    found = {}
    for fault, (sql, _) in OLD_FAULTS.items():
        project.execute(sql)
        found[fault] = failures(project, "--select", "fct_sessions", "dim_user_levels")
        shutil.copy(sound, project.database)
    assert found == {fault: {name} for fault, (_, name) in OLD_FAULTS.items()}


def test_unknown_user_agents_are_a_warning(project_of_two_weeks: Project) -> None:
    """If more than one in twenty new events has one; missing user agents do not count."""
    project = project_of_two_weeks
    warned = {}
    for number, (unknown, known) in enumerate([(1, 19), (1, 0)]):
        logged = [event(n, userAgent="curl") for n in range(unknown)]
        logged += [event(n) for n in range(unknown, unknown + known)]
        logged += [event(90, userAgent=None), event(91, userAgent="")]
        project.execute(
            "update sparkify_raw.staging_events set loaded_at = loaded_at - interval 10 days"
        )
        project.write_events(f"agents{number}.json", *logged)
        project.load()
        project.dbt("run", "--full-refresh")
        run = project.run("dbt", "test", "--select", "assert_new_user_agents_are_recognized")
        assert run.code == 0
        warned[unknown, known] = "WARN=1" in run.output
    assert warned == {(1, 19): False, (1, 0): True}
