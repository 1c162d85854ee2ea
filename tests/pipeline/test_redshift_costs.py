"""What loads and builds cost on Redshift, as far as it can be counted without a cluster.

Each statement is a round trip to the cluster, and each file of a COPY a request to S3. Raise a
bound below only for a reason, and change docs/design.md with it.
"""

from __future__ import annotations

import re
import time

from .conftest import NO_UNIT_TESTS, RedshiftProject, event, song

DAY = 24 * 60 * 60 * 1000  # milliseconds


def statement_count(project: RedshiftProject, *command: str) -> int:
    """Uploads the input and runs a command; returns how many statements it sends."""
    project.upload()
    project.cluster.statements.clear()
    run = project.run(*command, "--target", "redshift")
    assert run.code == 0, run.text
    return len(project.cluster.statements)


def test_statements(redshift_project: RedshiftProject) -> None:
    """Their number grows neither with the files nor with the days."""
    project = redshift_project
    assert statement_count(project, "load_staging.py") <= 54
    assert statement_count(project, "dbt", "run") <= 380

    assert statement_count(project, "load_staging.py") <= 14
    for day in range(1, 3):
        for part in range(day * 5):
            at = event(1)["ts"] + day * DAY
            project.write_events(f"{day}-{part}.json", event(part, ts=at, sessionId=day))
        time.sleep(1)  # a load within a second of another one would be tried again
        assert statement_count(project, "load_staging.py") <= 30
    assert statement_count(project, "dbt", "run") <= 360
    project.write_songs("late.json", song(9))
    assert statement_count(project, "load_staging.py") <= 30
    assert statement_count(project, "dbt", "run") <= 360


def test_a_night(redshift_project: RedshiftProject) -> None:
    """The statements and connections of a build with one new day."""
    project = redshift_project
    project.load()
    project.dbt("build", *NO_UNIT_TESTS)
    for day, (options, statements, connections) in enumerate(
        [((), 675, 84), (("--selector", "nightly"), 515, 56)]
    ):
        at = event(1)["ts"] + (day + 1) * DAY
        project.write_events(f"{day}.json", event(day, ts=at, sessionId=day))
        project.load()
        assert statement_count(project, "dbt", "build", *options) <= statements
        sent = [each.sql.lower() for each in project.cluster.statements]
        assert sum("select pg_backend_pid()" in sql for sql in sent) <= connections
        # Only those of the dimensions that each build remakes.
        commented = {
            name for sql in sent for name in re.findall(r'comment on .*"sparkify"."(\w+)"', sql)
        }
        assert commented == {"dim_artists", "dim_locations", "dim_songs", "dim_user_agents"}
        # dim_time generates only the days that it lacks.
        (hours,) = [sql for sql in sent if re.search(r'insert into\s+"dim_time', sql)]
        assert hours.count("cross join") < 10


def test_a_comment_that_changed(redshift_project: RedshiftProject) -> None:
    """Only the changed comment is written."""
    project = redshift_project
    project.load()
    project.dbt("run")
    path = project.folder / "models" / "marts" / "fct_songplays.yml"
    text = path.read_text()
    path.write_text(text.replace("When the play started (UTC, milliseconds).", "It's ''new''."))
    project.cluster.statements.clear()
    project.dbt("run", "--select", "fct_songplays")
    sent = [each.sql for each in project.cluster.statements if "comment on" in each.sql]
    assert len(sent) == 1
    with project.cluster.admin() as connection:
        written = "select col_description('sparkify.fct_songplays'::regclass, 2)"
        assert connection.execute(written).fetchone() == ("It's ''new''.",)


def test_objects_of_a_copy(redshift_project: RedshiftProject) -> None:
    """A batch is one COPY of its files or, if they are joined, of a few parts."""
    project = redshift_project
    for number in range(40):
        project.write_songs(f"{number}.json", song(number))

    def copied(*options: str) -> list[tuple]:
        project.cluster.statements.clear()
        project.load("--select", "staging_songs", "--full-refresh", *options)
        (copy,) = [
            each.sql
            for each in project.cluster.statements
            if re.search(r'copy\s+"sparkify_raw"."staging_songs"', each.sql)
        ]
        assert "manifest" in copy
        return project.query(
            "select source_file_count, source_file_bytes > 0, loaded_rows from sys_load_history"
            " where table_name = 'staging_songs' order by start_time desc limit 1"
        )

    ((files, _, rows),) = copied()
    assert (files, rows) == (42, 42)
    ((files, has_bytes, rows),) = copied("--join-from", "40")
    assert files <= 32
    assert files < 42
    assert (has_bytes, rows) == (True, 42)
