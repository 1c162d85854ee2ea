"""A day costs a day: one more day takes no longer after two years than after a month."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from loader.files import find_files
from loader.loading import file_list

from .conftest import Project, RedshiftProject, event, song, table_at_the_end
from .test_nightly_tests import NIGHTLY

MONTH, TWO_YEARS = 30, 720  # days of history
EVENTS_A_DAY = 20_000
FIRST_DAY = 16_000  # days since 1970
SLOWER_AT_MOST = 1.2
# CPU time, since other processes hardly affect it, and the least of several days, taken in turns.
# If it was affected all the same, more days are tried.
DAYS_AT_LEAST, DAYS_AT_MOST = 2, 12

# Half of the 8,000 songs heard are in the catalog, and so are most of the artists.
SONGS = [song(n, title=f"Title {n}", artist_name=f"Artist {n % 2000}") for n in range(4_000)]
# A quarter are plays; the others are of logged-out users, of whom no mart has a row.
EVENTS = f"""
    select
        case when is_play then 'Artist ' || song % 2000 end as artist,
        case when is_play then 'Logged In' else 'Logged Out' end as auth,
        case when is_play then 'First ' || user % 100 end as "firstName",
        case when is_play then case when user % 2 = 0 then 'F' else 'M' end end as gender,
        item as "itemInSession",
        case when is_play then 'Last ' || user % 500 end as "lastName",
        case when is_play then 200.5 + song % 100 end as length,
        case when user % 3 = 0 then 'paid' else 'free' end as level,
        case when is_play then 'Place ' || user % 300 || ', MI' end as location,
        'PUT' as method,
        case when is_play then 'NextSong' else 'Home' end as page,
        case when is_play then 1540919166796.0 end as registration,
        day * 500 + user as "sessionId",
        case when is_play then 'Title ' || song end as song,
        200 as status,
        day * 86400000 + item * (86400000 // {EVENTS_A_DAY}) as ts,
        case when is_play then 'Mozilla/5.0 (Windows NT 6.1) Firefox/' || user % 50 end
            as "userAgent",
        case when is_play then cast(user as varchar) end as "userId"
    from (
        select
            day,
            item,
            hash(day, item) % 500 as user,
            hash(item, day) % 8000 as song,
            item % 4 = 0 as is_play
        from
            range({FIRST_DAY} + {{first}}, {FIRST_DAY} + {{last}} + 1) as days (day),
            range({EVENTS_A_DAY}) as items (item)
    )
"""


def log_day(project: Project, day: int) -> None:
    """Writes the file of a day's events."""
    events, path = EVENTS.format(first=day, last=day), project.events / f"{day:05}-events.json"
    duckdb.sql(f"copy ({events}) to '{path}' (format json)")


def with_history(project: Project, days: int) -> Project:
    """Gives a project this many days, as if each had been loaded in the following night.

    The ledger has a file for each day. Those files are only listed, never read, so they hold one
    event each.
    """
    for day in range(days):
        project.write_events(f"{day:05}-events.json", event(day))
    location = project.environment["DBT_EVENTS_LOCATION"]
    files, _, _ = find_files(location, "DBT_EVENTS_LOCATION", "*", project.folder)
    listing = project.folder / "listing.json"
    listing.write_text("".join(json.dumps(file) + "\n" for file in file_list(files)))
    with duckdb.connect(str(project.database)) as connection:
        connection.execute(
            f"""
            insert into sparkify_raw.staging_events by name
            select *, make_timestamp((ts // 86400000 + 1) * 86400000000) as loaded_at
            from ({EVENTS.format(first=0, last=days - 1)});

            insert into sparkify_raw.loads by name
            select
                1 + row_number() over (order by loaded_at) as load_id,
                'staging_events' as source_table,
                1 as file_count,
                count(*) as row_count,
                0 as rejected_count,
                loaded_at
            from sparkify_raw.staging_events
            group by loaded_at;

            insert into sparkify_raw.loaded_files by name
            select source_table, file_name, file_size, fingerprint, load_id, loaded_at
            from read_json('{listing}')
            inner join sparkify_raw.loads on load_id = file_number + 2;
            """
        )
    project.dbt("run", "--full-refresh")
    return project


@pytest.fixture
def histories(new_project: Callable[..., Project], tmp_path: Path) -> Iterator[dict[int, Project]]:
    """A project with a month of history and one with two years, by the number of days."""
    project = new_project("local")
    project.environment["DBT_DUCKDB_MEMORY"] = "8GB"  # for building two years at once
    project.write_songs("songs.json", *SONGS)
    project.load("--select", "staging_songs")
    copies = {
        days: replace(project, folder=shutil.copytree(project.folder, tmp_path / str(days)))
        for days in (MONTH, TWO_YEARS)
    }
    yield {days: with_history(copy, days) for days, copy in copies.items()}
    for copy in copies.values():
        shutil.rmtree(copy.folder)


def run_results(project: Project) -> list[dict]:
    """dbt's results of its last run, by node."""
    return project.artifact("run_results.json")["results"]


def run_day(project: Project, day: int) -> dict[str, float]:
    """Loads, builds and tests one more day; returns the CPU seconds of each part."""
    log_day(project, day)
    load = project.load()
    assert table_at_the_end(load.output)["staging_events"][1:3] == ["1", f"{EVENTS_A_DAY:,}"]
    models = project.dbt("run")
    tests = project.dbt("test", *NIGHTLY)
    return {
        "load and models": load.cpu_seconds + models.cpu_seconds,
        "tests": tests.cpu_seconds,
    }


def test_a_day_costs_a_day(histories: dict[int, Project]) -> None:
    """Making the marts and the nightly tests are measured separately."""
    least: dict[int, dict[str, float]] = {days: {} for days in histories}
    for number in range(DAYS_AT_MOST):
        for days, project in histories.items():
            for part, seconds in run_day(project, days + number).items():
                least[days][part] = min(seconds, least[days].get(part, seconds))
        slower = {part: least[TWO_YEARS][part] / s for part, s in least[MONTH].items()}
        if number + 1 >= DAYS_AT_LEAST and max(slower.values()) <= SLOWER_AT_MOST:
            break
    assert max(slower.values()) <= SLOWER_AT_MOST, least


def test_a_day_writes_a_days_rows(redshift_project: RedshiftProject) -> None:
    """Each table gets as many after eight days as after one, and only new ones are deleted."""
    project = redshift_project
    project.with_artifacts()

    def log(*days: int) -> None:
        for day in days:
            start = event(0)["ts"] + day * 24 * 60 * 60 * 1000
            events = [event(item, ts=start + item, sessionId=day) for item in range(5)]
            project.write_events(f"{day}.json", *events)
        project.load()
        project.cluster.statements.clear()
        project.dbt("run")

    def rows_written() -> dict[str, int]:
        return {
            result["unique_id"].split(".")[2]: result["adapter_response"]["rows_affected"]
            for result in run_results(project)
            if "rows_affected" in result["adapter_response"]
        }

    log(1)
    log(2)
    after_one_day = rows_written()
    log(3, 4, 5, 6, 7, 8)
    log(9)
    assert rows_written() == after_one_day
    assert after_one_day["fct_songplays"] == 5
    assert after_one_day["dim_time"] == 24
    # No column is rewritten either, as dbt does to widen one.
    assert not [each for each in project.cluster.statements if "__dbt_alter" in each.sql]
    for fact in ("fct_songplays", "fct_sessions"):
        (delete,) = [
            each.sql
            for each in project.cluster.statements
            if f'"{fact}"' in each.sql and "delete from" in each.sql
        ]
        assert re.findall(r"'(\d{4}-\d\d-\d\d) [^']*'", delete) == ["2018-11-10"] * 2, fact
