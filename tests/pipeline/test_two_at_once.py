"""Two commands at once, builds and loads: each succeeds or says to try again, and when they have
run again, all is as if one had followed the other."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.fake_redshift import FakeRedshift

from .conftest import Project, RedshiftProject, event, input_files, song
from .expected_star import Load
from .test_star import assert_star
from .warm import Command, Run

EVENT_COUNT = "select count(*) from sparkify_raw.staging_events"
INCREMENTAL_MODELS = {
    "int_events": ("sparkify_intermediate.int_events", "event_id"),
    "int_heard_songs": ("sparkify_intermediate.int_heard_songs", "match_key"),
    "int_song_matches": ("sparkify_intermediate.int_song_matches", "match_key"),
    "fct_songplays": ("sparkify.fct_songplays", "songplay_id"),
    "dim_users": ("sparkify.dim_users", "user_id"),
    "fct_sessions": ("sparkify.fct_sessions", "user_session_id"),
    "dim_user_levels": ("sparkify.dim_user_levels", "user_level_id"),
}
TRY_AGAIN = (
    "run load_staging.py again",  # what the loader says
    "1018",  # Redshift: not in the snapshot; `dbt retry` is the remedy, as it is of the next
    "1023",  # Redshift: serializable isolation violation
    "deadlock detected",
    'duplicate key violates unique constraint "pg_',  # both create the same table
    "already exists",
    "does not exist",
)
LOCK_IS_HELD = "Could not set lock on file"


def start_dbt(project: Project, *arguments: str, number: int = 1) -> Command:
    """Starts dbt as if on another machine: only the database is shared."""
    own = {"DBT_TARGET_PATH": f"target/{number}", "DBT_LOG_PATH": f"logs/{number}"}
    return project.start("dbt", "--no-use-colors", *arguments, "--target", project.target, **own)


def start_load(project: Project, *arguments: str) -> Command:
    """Starts load_staging.py."""
    return project.start("load_staging.py", "--target", project.target, *arguments)


def until(condition: Callable[[], bool], *commands: Command) -> None:
    """Waits for something to become true while commands run."""
    end = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end
        for command in commands:
            assert command.poll() is None, command.wait().text
        time.sleep(0.05)


def assert_ends_well_or_says_to_try_again(*runs: Run) -> None:
    for run in runs:
        assert "Traceback" not in run.text
        assert run.code == 0 or any(part in run.text for part in TRY_AGAIN), run.text


def assert_nothing_is_doubled(project: RedshiftProject) -> None:
    for table, key in INCREMENTAL_MODELS.values():
        ((rows, keys),) = project.query(f"select count(*), count(distinct {key}) from {table}")
        assert rows == keys, table


def assert_as_if_in_sequence(project: Project) -> None:
    """The commands, run again, make the marts what the files must give."""
    project.load()
    project.dbt("run")
    assert_star(project, Load(input_files(project.events), input_files(project.songs)))


# --- on Redshift, where each transaction sees a snapshot of its own ------------------


@contextmanager
def held(cluster: FakeRedshift, table: str, mode: str = "share") -> Iterator[None]:
    """Keeps a table locked; in mode share, writers wait."""
    with cluster.admin() as connection, connection.transaction():
        connection.execute(f"lock table {table} in {mode} mode")
        yield


def sessions_waiting(cluster: FakeRedshift) -> int:
    """How many sessions wait for a lock."""
    with cluster.admin() as connection:
        sql = "select count(distinct pid) from pg_locks where not granted"
        return connection.execute(sql).fetchone()[0]


@pytest.fixture
def built_project(redshift_project: RedshiftProject) -> RedshiftProject:
    """A project that is built, and then gets a play of a new song by a new user."""
    redshift_project.load()
    redshift_project.dbt("run")
    redshift_project.write_events("new.json", event(10, userId="8", song="New"), event(11))
    return redshift_project


def test_two_builds_of_an_incremental_model(built_project: RedshiftProject) -> None:
    """Both find the same new rows before either has written them; they are not doubled."""
    project = built_project
    project.load()
    for model, (table, _) in INCREMENTAL_MODELS.items():
        with held(project.cluster, table):
            builds = [start_dbt(project, "run", "--select", model, number=n) for n in (1, 2)]
            until(lambda: sessions_waiting(project.cluster) == 2, *builds)
        runs = [build.wait() for build in builds]
        assert_nothing_is_doubled(project)
        assert [run.code for run in runs] == [0, 0], runs
    assert_as_if_in_sequence(project)


def test_models_of_one_build_do_not_wait_for_each_other(built_project: RedshiftProject) -> None:
    """Of two independent models one ends while the other still waits."""
    project = built_project
    project.load()
    newest = "select max(loaded_at) from sparkify_intermediate.int_user_agents"
    before = project.query(newest)
    with held(project.cluster, "sparkify_intermediate.int_locations"):
        build = start_dbt(project, "run", "--select", "int_locations", "int_user_agents")
        until(lambda: project.query(newest) > before, build)
        assert sessions_waiting(project.cluster) == 1
    assert build.wait().code == 0


def test_two_builds_of_the_seeds(built_project: RedshiftProject) -> None:
    """Each drops and creates them; neither may find them missing, or existing again."""
    project = built_project
    project.load()
    before = project.marts()["dim_locations"]
    with held(project.cluster, "sparkify_intermediate.build_lock_us_states"):
        builds = [start_dbt(project, "seed", number=n) for n in (1, 2)]
        until(lambda: sessions_waiting(project.cluster) >= 2, *builds)
    runs = [build.wait() for build in builds]
    assert [run.code for run in runs] == [0, 0], runs
    project.dbt("run", "--select", "dim_locations")
    assert project.marts()["dim_locations"] == before


def test_two_first_builds(redshift_project: RedshiftProject) -> None:
    project = redshift_project
    project.load()
    with held(project.cluster, "sparkify_raw.staging_songs", "access exclusive"):
        builds = [start_dbt(project, "run", number=1)]
        until(lambda: sessions_waiting(project.cluster) >= 1, *builds)
        builds.append(start_dbt(project, "run", number=2))
        until(lambda: sessions_waiting(project.cluster) >= 2, *builds)
    assert_ends_well_or_says_to_try_again(*(build.wait() for build in builds))
    assert_as_if_in_sequence(project)


@pytest.mark.parametrize("arguments", [(), ("--full-refresh",)], ids=["", "full refresh"])
def test_two_later_builds(built_project: RedshiftProject, arguments: tuple[str, ...]) -> None:
    project = built_project
    project.load()
    with held(project.cluster, "sparkify_raw.staging_songs", "access exclusive"):
        builds = [start_dbt(project, "run", *arguments, number=n) for n in (1, 2)]
        until(lambda: sessions_waiting(project.cluster) >= 2, *builds)
    assert_ends_well_or_says_to_try_again(*(build.wait() for build in builds))
    assert_nothing_is_doubled(project)
    assert_as_if_in_sequence(project)


def test_two_loads(built_project: RedshiftProject) -> None:
    """Both plan to load the same file and wait for the ledger's lock."""
    project = built_project
    project.upload()
    with held(project.cluster, "sparkify_raw.loads"):
        loads = [start_load(project) for _ in range(2)]
        until(lambda: sessions_waiting(project.cluster) == 2, *loads)
    runs = [load.wait() for load in loads]
    assert 0 in [run.code for run in runs]
    assert_ends_well_or_says_to_try_again(*runs)
    project.load()
    assert project.query(EVENT_COUNT) == [(5,)]
    assert_as_if_in_sequence(project)


def test_two_first_loads(redshift_project: RedshiftProject) -> None:
    """Both find no raw tables and create them."""
    project = redshift_project
    project.upload()
    loads = [start_load(project) for _ in range(2)]
    for run in [load.wait() for load in loads]:
        assert run.code == 0, run.text
    assert project.query(EVENT_COUNT) == [(3,)]


def test_a_build_during_a_load(built_project: RedshiftProject) -> None:
    """The build does not wait; the next one builds what is being loaded."""
    project = built_project
    project.upload()
    with held(project.cluster, "sparkify_raw.staging_events"):
        load = start_load(project)
        until(lambda: sessions_waiting(project.cluster) == 1, load)
        project.dbt("run")
        assert len(project.marts()["fct_songplays"]) == 3
    assert load.wait().code == 0
    project.dbt("run")
    assert len(project.marts()["fct_songplays"]) == 5
    assert_as_if_in_sequence(project)


def test_a_load_during_a_build(built_project: RedshiftProject) -> None:
    """The load does not wait; the next build builds what was loaded."""
    project = built_project
    project.load()
    with held(project.cluster, "sparkify.fct_songplays"):
        build = start_dbt(project, "run")
        until(lambda: sessions_waiting(project.cluster) == 1, build)
        project.write_events("newer.json", event(12))
        project.write_songs("newer.json", song(3, title="New", artist_name="Artist 1"))
        project.load()
        assert project.query(EVENT_COUNT) == [(6,)]
    assert build.wait().code == 0
    project.dbt("run")
    assert len(project.marts()["fct_songplays"]) == 6
    assert_as_if_in_sequence(project)


# --- on DuckDB, where one process locks the database -------------------------------


def has_database(command: Command, database: Path) -> bool:
    """Whether a command has locked the database's file."""
    if not database.exists():
        return False
    holder, inode = f" {command.pid} ", f":{database.stat().st_ino} "
    locks = Path("/proc/locks").read_text().splitlines()
    return any(holder in lock and inode in lock for lock in locks)


@contextmanager
def stopped(command: Command, database: Path) -> Iterator[None]:
    """Pauses a command once it has locked the database."""
    until(lambda: has_database(command, database), command)
    os.kill(command.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(command.pid, signal.SIGCONT)


COMMANDS: dict[str, Callable[[Project], Command]] = {
    "load": start_load,
    "build": lambda project: start_dbt(project, "run"),
}


@pytest.mark.parametrize(
    ("first", "second"), [("load", "load"), ("load", "build"), ("build", "build")]
)
def test_the_second_is_told_who_has_the_database(
    local_project: Project, first: str, second: str
) -> None:
    project = local_project
    project.load()
    project.dbt("run")
    project.write_events("new.json", event(10, userId="8", song="New"))
    one = COMMANDS[first](project)
    with stopped(one, project.database):
        other = COMMANDS[second](project).wait()
    assert other.code != 0
    assert LOCK_IS_HELD in other.text
    assert f"(PID {one.pid})" in other.text
    run = one.wait()
    assert run.code == 0, run.text
    assert_as_if_in_sequence(project)
