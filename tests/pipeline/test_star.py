"""The marts, row for row, against a computation that shares no code with the project."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import MARTS, NO_UNIT_TESTS, ROOT, Project, event, input_files, song
from .expected_marts import expected_marts
from .expected_star import Load, expected_star


def assert_star(project: Project, *loads: Load) -> None:
    """The marts are what the files of these loads must result in."""
    expected_tables = expected_star(list(loads)) | expected_marts(list(loads))
    assert set(expected_tables) == set(MARTS)
    columns = {
        table: list(rows[0]) if rows else [MARTS[table]] for table, rows in expected_tables.items()
    }
    for table, found in project.rows(columns).items():
        assert found == [tuple(row.values()) for row in expected_tables[table]], table


def test_the_star_is_the_expected_one(
    new_project: Callable[..., Project], engine: str, data: Path
) -> None:
    """After a load and, for the sample, after another with nothing new and after a full refresh."""
    project = new_project(engine, source=data)
    project.load()
    project.dbt("build", *NO_UNIT_TESTS)
    assert_star(project, Load(input_files(data / "log_data"), input_files(data / "song_data")))
    if data != ROOT / "sample_data":
        return
    everything = [f"select * from {table} order by {key}" for table, key in MARTS.items()]
    first = project.query_all(everything)

    again = project.load()
    assert "Nothing new." in again.output
    project.dbt("run")
    assert project.query_all(everything) == first

    marts = project.marts()
    project.load("--full-refresh")
    project.dbt("run", "--full-refresh")
    assert project.marts() == marts


@pytest.mark.parametrize(
    ("engine", "data"),
    [("local", "sample"), ("local", "real")],
    indirect=True,
)
def test_the_order_of_loads_does_not_matter(
    new_project: Callable[..., Project], engine: str, data: Path
) -> None:
    """Late days, late songs and duplicate files, with builds in between; see test_order."""
    project = new_project(engine)
    events, songs = input_files(data / "log_data"), input_files(data / "song_data")
    batches = [
        Load(events[5:], songs[: len(songs) // 3]),
        Load(events[:2], []),
        Load(events[2:5], songs[len(songs) // 3 : -5]),
        Load([], songs[-5:]),
    ]
    for number, batch in enumerate(batches):
        for kind, folder, files in (
            ("log_data", project.events, batch.events),
            ("song_data", project.songs, batch.songs),
        ):
            for path in files:
                copy = folder / path.relative_to(data / kind)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, copy)
        if number == 2:
            shutil.copy(events[0], project.events / f"doubled-{events[0].name}")
            shutil.copy(songs[0], project.songs / f"doubled-{songs[0].name}")
        project.load()
        project.dbt("run")
    project.dbt("test", *NO_UNIT_TESTS)
    assert_star(project, *batches)

    marts = project.marts()
    project.dbt("run", "--full-refresh")
    assert project.marts() == marts


def test_a_late_song_takes_over_its_plays(project: Project) -> None:
    project.write_events("a.json", event(11), event(12, song="Title 9", artist="Artist 9"))
    project.write_events("b.json", event(13, song="Other", artist="Artist 9"))
    project.load()
    project.dbt("run")
    assert project.query("select count(*) from dim_songs where not is_in_catalog") == [(2,)]
    rewritten = "select songplay_id from fct_songplays where matched_at = ("
    rewritten += "select max(loaded_at) from sparkify_raw.staging_songs)"

    project.write_songs("late.json", song(9))
    project.load()
    project.dbt("run")
    assert project.query("select song_id, title from dim_songs where artist_id like 'AR%9'") == [
        ("SO0000000000000009", "Title 9"),
        *project.query("select song_id, title from dim_songs where title = 'Other'"),
    ]
    assert project.query("select count(*) from dim_artists where not is_in_catalog") == [(0,)]
    # Only the plays of that song and that artist were written again.
    assert len(project.query(rewritten)) == 2


def test_a_corrected_event_replaces_the_first(project: Project) -> None:
    """The same event, loaded again with another song, leaves no trace of the first."""
    first = project.write_events("z1.json", event(8, song="Wrong", artist="Nobody"), event(9))
    project.load()
    project.dbt("run")
    assert project.query("select count(*) from dim_songs where title = 'Wrong'") == [(1,)]

    corrected = project.write_events(
        "z2.json",
        event(8, song="right", artist="Somebody", length=100.5),
        event(9, song="TITLE 1", level="paid"),
    )
    project.load()
    project.dbt("run")
    events = [path for path in input_files(project.events) if path not in (first, corrected)]
    assert_star(
        project,
        Load([*events, first], input_files(project.songs)),
        Load([corrected], []),
    )
    assert project.query("select count(*) from dim_artists where name = 'Nobody'") == [(0,)]


def test_a_table_of_another_version(project: Project) -> None:
    """It stays as it is, and one line says what to do."""
    project.load()
    project.dbt("run")
    project.execute(f"alter table {project.schema}.fct_songplays add column song_key varchar(32)")
    project.write_events("new.json", event(11))
    project.load()
    for command in ("build", "run"):
        run = project.run("dbt", "--no-use-colors", command, "--target", project.target)
        assert run.code != 0
        lines = [line for line in run.output.splitlines() if "has other columns than" in line]
        assert len(lines) == 1, run.text
        assert "fct_songplays has" in lines[0]
        assert "dbt build --full-refresh" in lines[0]
        assert project.query("select count(*) from dim_users") == [(1,)]
    project.dbt("build", "--full-refresh", *NO_UNIT_TESTS)
    project.dbt("run")
    assert project.query("select count(*) from fct_songplays") == [(4,)]


def test_an_event_that_is_no_longer_a_play(project: Project) -> None:
    """Loaded again on another page, it takes along its play, its song and the hours that have no
    other play. Another event becomes a play."""
    day = 24 * 60 * 60 * 1000
    no_play = {"page": "Home", "song": None, "artist": None, "length": None}
    ends = [event(8, ts=event(8)["ts"] - day), event(9, ts=event(9)["ts"] + day)]
    gone = [{**end, "song": "Gone"} for end in ends]
    first = project.write_events("z1.json", *gone, event(10, **no_play))
    project.load()
    project.dbt("run")
    assert project.query("select count(*) from dim_time") == [(2 * 24 + 1,)]
    assert project.query("select count(*) from dim_songs where title = 'Gone'") == [(1,)]

    corrected = project.write_events("z2.json", *({**end, **no_play} for end in ends), event(10))
    project.load()
    project.dbt("build", *NO_UNIT_TESTS)
    events = [path for path in input_files(project.events) if path not in (first, corrected)]
    assert_star(
        project,
        Load([*events, first], input_files(project.songs)),
        Load([corrected], []),
    )
    assert project.query("select count(*) from dim_time") == [(1,)]
    assert project.query("select item_in_session from fct_songplays order by 1")[-1] == (10,)


def test_late_events_split_a_level_and_lengthen_a_session(project: Project) -> None:
    """They change only rows of their own user and session."""
    project.write_events("other.json", event(1, userId="8"), event(5, sessionId=71))
    first = input_files(project.events)
    project.load()
    project.dbt("run")
    assert project.query("select level from dim_user_levels") == [("free",), ("free",)]

    late = project.write_events(
        "late.json",
        event(0, page="Home"),
        event(20, ts=event(2)["ts"] + 1, level="paid"),
    )
    project.load()
    project.dbt("run")
    levels = "select level from dim_user_levels where user_id = 7 order by valid_from"
    assert project.query(levels) == [("free",), ("paid",), ("free",)]
    assert_star(project, Load(first, input_files(project.songs)), Load([late], []))
    for table, columns, touched in (
        ("dim_user_levels", "user_id", [(7,)]),
        ("fct_sessions", "user_id, session_id", [(7, 70)]),
    ):
        newest = f"(select max(loaded_at) from {table})"
        written = f"select distinct {columns} from {table} where loaded_at = {newest}"
        assert project.query(written) == touched


def test_a_changed_catalog_row_takes_its_plays_along(project: Project) -> None:
    """A song with a new title loses its plays, and its artist gets the new name."""
    first = input_files(project.songs)
    project.load()
    project.dbt("run")
    changed = project.write_songs("changed.json", song(1, title="Renamed", artist_name="New Name"))
    project.load()
    project.dbt("run")
    assert_star(project, Load(input_files(project.events), first), Load([], [changed]))


def test_a_catalog_that_another_build_updates(project: Project) -> None:
    """One build has made some of its models when another one makes them again from more songs. A
    play that was matched with the old names is matched again."""
    project.load()
    project.dbt("run")
    project.write_events("a.json", event(11, song="Other", artist="Artist 9"))
    project.load()
    project.dbt("run", "--select", "int_songs")
    project.write_songs("late.json", song(9))
    project.load()
    project.dbt("run", "--select", "int_songs")
    project.dbt("run", "--select", "+fct_songplays", "--exclude", "int_songs")
    project.dbt("run")
    assert_star(project, Load(input_files(project.events), input_files(project.songs)))


def test_time_grows_at_both_ends(project: Project) -> None:
    """By days before the first play, by days after the last, and not in between; events that are
    no plays do not count."""
    day = 24 * 60 * 60 * 1000
    at = event(0)["ts"]
    silent = {"page": "Home", "song": None, "artist": None, "length": None}
    for number, days in enumerate((0, 3, -2, 1)):
        project.write_events(
            f"{number}.json",
            event(20 + number, ts=at + days * day),
            event(30 + number, ts=at - 5 * day, **silent),
            event(40 + number, ts=at + 5 * day, **silent),
        )
        project.load()
        project.dbt("run")
        assert_star(project, Load(input_files(project.events), input_files(project.songs)))
    assert project.query("select count(*) from dim_time") == [(5 * 24 + 1,)]


def test_without_a_catalog_no_play_is_written_again(local_project: Project) -> None:
    project = local_project
    for path in input_files(project.songs):
        path.unlink()
    project.write_songs("songs.json", song(1, song_id=None))
    project.load()
    project.dbt("run")
    compiled = ("--quiet", "compile", "--select", "fct_songplays")
    assert "match_key in" not in project.dbt(*compiled).output
    project.write_songs("late.json", song(1))
    project.load()
    project.dbt("run", "--select", "int_songs", "int_song_matches")
    assert "match_key in" in project.dbt(*compiled).output


def test_a_build_with_an_older_catalog_is_corrected(project: Project) -> None:
    """A build that began earlier may match plays with older songs than a build before it. The next
    build matches them again."""
    project.load()
    project.dbt("run")
    songs = f"{project.schema}_intermediate.int_songs"
    project.execute(f"create table {songs}_before as select * from {songs}")
    project.write_songs("late.json", song(9))
    project.load()
    project.dbt("run")

    project.execute(f"delete from {songs}")
    project.execute(f"insert into {songs} select * from {songs}_before")
    project.write_events("a.json", event(11, song="Title 9", artist="Artist 9"))
    project.load()
    project.dbt("run", "--select", "+fct_songplays", "--exclude", "int_songs")
    assert project.query("select song_id like 'XS%' from fct_songplays order by start_time")[
        -1
    ] == (True,)

    project.dbt("run")
    assert_star(project, Load(input_files(project.events), input_files(project.songs)))
    not_matched = "select count(*) from fct_songplays where matched_at is null"
    assert project.query(not_matched) == [(0,)]


def test_the_first_plays_after_an_empty_first_build(project: Project) -> None:
    project.load("--select", "staging_songs")
    project.dbt("run")
    assert project.query("select count(*) from fct_songplays") == [(0,)]
    project.load()
    project.dbt("run")
    assert project.query("select count(*), count(distinct song_id) from fct_songplays") == [(3, 1)]


def test_nulls_are_refused(project: Project) -> None:
    """So columns that must not be null need no test."""
    project.load()
    project.dbt("run")
    project.with_artifacts()
    project.dbt("parse", "--no-partial-parse")
    refused = 0
    for model in project.artifact("manifest.json")["nodes"].values():
        if model["resource_type"] != "model" or not model["contract"]["enforced"]:
            continue
        table = f"{model['schema']}.{model['name']}"
        for column in model["columns"].values():
            if any(each["type"] == "not_null" for each in column["constraints"]):
                columns = ", ".join(
                    "null" if name == column["name"] else name for name in model["columns"]
                )
                with pytest.raises(Exception, match=r"(?i)null"):
                    project.execute(f"insert into {table} select {columns} from {table} limit 1")
                refused += 1
    assert refused > 40


def test_a_build_before_the_first_load(project: Project) -> None:
    """One line says that nothing was loaded, instead of one error per model."""
    for command in ("build", "run", "test"):
        run = project.run("dbt", "--no-use-colors", command, "--target", project.target)
        assert run.code != 0
        lines = [line for line in run.output.splitlines() if "Nothing was loaded yet" in line]
        assert len(lines) == 1, run.text
        assert "python load_staging.py" in lines[0]
        assert "Database Error" not in run.text
    assert project.run("dbt", "seed", "--target", project.target).code == 0
    project.load()
    project.dbt("run")
