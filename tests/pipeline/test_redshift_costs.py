"""What loads and builds cost on Redshift, in what can be counted without one.

Each statement is a round trip to the cluster, each file of a COPY a request to S3. Who raises a
bound below knows why, and docs/production.md tells it.
"""

from __future__ import annotations

import re

from .conftest import RedshiftProject, event, song

DAY = 24 * 60 * 60 * 1000  # milliseconds


def statement_count(project: RedshiftProject, *command: str) -> int:
    """How many statements a command sends; files are uploaded before."""
    project.upload()
    project.cluster.statements.clear()
    run = project.run(*command, "--target", "redshift")
    assert run.code == 0, run.text
    return len(project.cluster.statements)


def test_statements(redshift_project: RedshiftProject) -> None:
    """They grow neither with the files nor with the days that are there."""
    project = redshift_project
    assert statement_count(project, "load_staging.py") <= 54
    assert statement_count(project, "dbt", "run") <= 420

    assert statement_count(project, "load_staging.py") <= 14
    for day in range(1, 3):
        for part in range(day * 5):
            at = event(1)["ts"] + day * DAY
            project.write_events(f"{day}-{part}.json", event(part, ts=at, sessionId=day))
        assert statement_count(project, "load_staging.py") <= 30
    assert statement_count(project, "dbt", "run") <= 450
    project.write_songs("late.json", song(9))
    assert statement_count(project, "load_staging.py") <= 30
    assert statement_count(project, "dbt", "run") <= 460


def test_objects_of_a_copy(redshift_project: RedshiftProject) -> None:
    """A batch is one COPY of its files, or of as many parts as there are cores, if joined."""
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
