"""Breakdowns while a command runs: of the cluster, the connection, the disk, memory. The command
fails and says why, and the same command continues once all is well."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import pytest

from .conftest import Project, RedshiftProject, event, input_files
from .expected_star import Load
from .test_kill import (
    LOAD,
    RUN,
    assert_consistent,
    assert_loaded_once,
    begin,
    with_more_days,
    with_small_batches,
    write_first_days,
)
from .test_star import assert_star
from .warm import Command, Run

LOST = "The connection to the database was lost; what was under way is undone"


def until(condition: Callable[[], bool], running: Command) -> None:
    """Waits for a condition while a command runs."""
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        assert running.poll() is None, running.wait().text
        time.sleep(0.002)


def assert_says(run: Run, *said: str) -> None:
    """A load fails with one message that says this."""
    assert run.code == 1
    assert "Traceback" not in run.text
    (message,) = [line for line in run.errors.splitlines() if line.startswith("Error: ")]
    for part in said:
        assert part in message


# --- the cluster and the connection --------------------------------------------


def test_a_cluster_that_restarts_during_a_load(redshift_project: RedshiftProject) -> None:
    project = redshift_project
    write_first_days(project)
    project.load("--select", "staging_songs")
    with project.connect() as other:
        # COPY waits for the lock.
        other.autocommit = False
        other.cursor().execute('lock table "sparkify_raw"."staging_events"')
        project.cluster.statements.clear()
        running = begin(project, LOAD)
        copy = 'copy "sparkify_raw"."staging_events"'
        until(lambda: any(copy in sent.sql for sent in project.cluster.statements), running)
        project.cluster.restart()
        assert_says(running.wait(), LOST)
    assert_consistent(project)
    project.load()
    assert_loaded_once(project)


def test_a_load_whose_connection_is_cut(redshift_project: RedshiftProject) -> None:
    """At each statement of a batch; the next load continues."""
    project = redshift_project
    with_small_batches(project)
    write_first_days(project)
    for point, statement in (
        ("before", r"^(?-i:begin)"),  # dbt writes its own in upper case
        ("after", r"^lock table"),
        ("after", r'^copy "\w+"."staging_events"'),
        ("before", r'^insert into "\w+"."loads"'),
        ("after", r'^insert into "\w+"."loaded_files"'),
        ("before", r"^(?-i:commit)"),
        ("after", r"^(?-i:commit)"),
    ):
        project.cluster.faults.cut(point, statement)
        assert_says(begin(project, LOAD).wait(), LOST)
        assert_consistent(project)
    project.load()
    assert_loaded_once(project)


def test_a_load_that_gets_no_answer(redshift_project: RedshiftProject) -> None:
    """As when a network drops the connection; keepalive ends the same way, see profiles.yml."""
    project = redshift_project
    write_first_days(project)
    project.load("--select", "staging_songs")
    profiles = project.folder / "profiles.yml"
    text = profiles.read_text()
    assert text.count("connect_timeout: 7200") == 1
    profiles.write_text(text.replace("connect_timeout: 7200", "connect_timeout: 2"))
    with project.connect() as other:
        other.autocommit = False
        other.cursor().execute('lock table "sparkify_raw"."staging_events"')
        assert_says(begin(project, LOAD).wait(), "timed out", LOST)
    assert_consistent(project)
    profiles.write_text(text)
    project.load()
    assert_loaded_once(project)


def test_a_build_whose_connection_is_cut(redshift_project: RedshiftProject) -> None:
    """At each statement with which a model replaces plays; the next build continues."""
    project = redshift_project
    loads = with_more_days(project)
    for point, statement, model in (
        ("before", 'delete from "dev"."sparkify"."fct_songplays"', "fct_songplays"),
        ("after", 'delete from "dev"."sparkify"."fct_songplays"', "fct_songplays"),
        ("after", 'insert into "dev"."sparkify"."fct_songplays"', "fct_songplays"),
        ("after", 'delete from "dev"."sparkify_intermediate"."int_heard_songs"', "int_heard_songs"),
        ("after", 'alter table "dev"."sparkify"."dim_songs" rename', "dim_songs"),
    ):
        project.cluster.faults.cut(point, f"^{statement}")
        run = project.run(*RUN, "--select", f"+{model}", "--target", project.target)
        assert run.code == 1
        assert "Failure in model" in run.output
        assert_consistent(project)
        project.marts()  # all of them exist
    project.dbt("run")
    assert_star(project, *loads)


@pytest.mark.parametrize("point", ["before", "after"])
def test_a_build_cut_at_the_commit_of_its_plays(
    redshift_project: RedshiftProject, point: str
) -> None:
    """Whether they were committed or not, the next build completes the work."""
    project = redshift_project
    loads = with_more_days(project)
    plays = "select count(*) from fct_songplays where item_in_session >= 50"
    project.cluster.statements.clear()
    running = begin(project, (*RUN, "--select", "+fct_songplays"))
    insert = 'insert into "dev"."sparkify"."fct_songplays"'
    until(lambda: any(insert in sent.sql for sent in project.cluster.statements), running)
    project.cluster.faults.cut(point, "^commit")
    assert running.wait().code == 1
    assert project.query(plays) == [(3 if point == "after" else 0,)]
    project.dbt("run")
    assert_star(project, *loads)


# --- the disk and memory -------------------------------------------------------


def write_a_large_day(project: Project) -> None:
    """Writes events that take some megabytes in a database."""
    plays = (event(n, userAgent=os.urandom(150).hex()) for n in range(1000, 11_000))
    project.write_events("2018/11/2018-11-08-events.json", *plays)


def test_a_load_on_a_full_disk(local_project: Project) -> None:
    project = local_project
    project.load()
    write_a_large_day(project)
    run = project.start(*LOAD, file_size=2_000_000).wait()
    assert_says(run, "Could not write file", "sparkify.duckdb.wal", "File too large")
    assert_consistent(project)
    project.load()
    assert_loaded_once(project)


def test_a_build_on_a_full_disk(local_project: Project) -> None:
    project = local_project
    write_first_days(project)
    write_a_large_day(project)
    project.load()
    run = project.start(*RUN, file_size=2_000_000).wait()
    assert run.code == 1
    assert "Failure in model" in run.output
    assert "Could not write file" in run.output
    assert_consistent(project)
    project.dbt("run")
    assert_star(project, Load(input_files(project.events), input_files(project.songs)))


def test_a_load_without_memory(local_project: Project) -> None:
    project = local_project
    project.load()
    write_a_large_day(project)
    project.environment["DBT_DUCKDB_MEMORY"] = "20MB"
    said = ("Out of Memory Error", "memory limit", "DBT_DUCKDB_MEMORY")
    assert_says(begin(project, LOAD).wait(), *said)
    del project.environment["DBT_DUCKDB_MEMORY"]
    assert_consistent(project)
    project.load()
    assert_loaded_once(project)
