"""Exactly once, whatever is killed: SIGKILL at some moment, then the same commands again."""

from __future__ import annotations

import bisect
import json
import os
import random
import re
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from .conftest import (
    NO_UNIT_TESTS,
    Project,
    RedshiftProject,
    clear,
    event,
    input_files,
    soak_factor,
    song,
)
from .expected_star import Load
from .test_star import assert_star
from .warm import Command

LOAD = ("load_staging.py",)
RUN = ("dbt", "--warn-error", "run")
BUILD = ("dbt", "--warn-error", "build", *NO_UNIT_TESTS)


# --- input and commands --------------------------------------------------------


def with_small_batches(project: Project) -> Project:
    """Makes a project load its files in several batches."""
    path = project.folder / "loader" / "plan.py"
    code = path.read_text()
    assert "\nBATCH_FILES = 100_000\n" in code
    path.write_text(code.replace("\nBATCH_FILES = 100_000\n", "\nBATCH_FILES = 2\n"))
    return project


def write_first_days(project: Project) -> None:
    """Writes four files of each source. Song 9 is heard but not in the catalog; later days do not
    change the plays of song 4."""
    for number in range(1, 5):
        item = 10 * number
        heard = {"song": "Title 9", "artist": "Artist 9", "userId": str(number)}
        events = [event(item), event(item + 1, **heard), event(item + 2, page="Home", song=None)]
        events.append(event(item + 3, song="Title 4", artist="Artist 4"))
        project.write_events(f"2018/11/2018-11-0{number}-events.json", *events)
        project.write_songs(f"A/TRAAA{number}.json", song(number))


def write_more_days(project: Project) -> None:
    """Writes more days, the late song, a corrected event and a renamed song."""
    project.write_events("2018/11/2018-11-05-events.json", event(50), event(51, level="paid"))
    project.write_events("2018/11/2018-11-06-events.json", event(60, song="Never heard before"))
    project.write_events("2018/11/2018-11-07-events.json", event(20, song="Title 3", level="paid"))
    project.write_songs("B/TRBBB1.json", song(9))
    project.write_songs("B/TRBBB2.json", song(1, title="Renamed"), song(5, artist_id=f"AR{1:016}"))
    project.write_songs("B/TRBBB3.json", song(6))


def with_more_days(project: Project) -> list[Load]:
    """Loads and builds the first days and loads the others; returns the files of each load."""
    write_first_days(project)
    first = Load(input_files(project.events), input_files(project.songs))
    project.load()
    project.dbt("run")
    write_more_days(project)
    project.load()
    events = [path for path in input_files(project.events) if path not in first.events]
    songs = [path for path in input_files(project.songs) if path not in first.songs]
    return [first, Load(events, songs)]


STAGES = ((write_first_days, (LOAD, RUN)), (write_more_days, (LOAD, BUILD)))


class Log:
    """dbt's log from now on. dbt logs each statement just before it sends it."""

    def __init__(self, project: Project):
        self.path = project.with_log()
        self.read_to = self.path.stat().st_size if self.path.exists() else 0
        self.text = b""
        self.statements = 0

    def read(self) -> str:
        """The whole text."""
        self._read_on()
        return self.text.decode("utf-8", "replace")

    def count(self) -> int:
        """The number of statements sent."""
        self._read_on()
        return self.statements

    def _read_on(self) -> None:
        if self.path.exists() and self.path.stat().st_size > self.read_to:
            with self.path.open("rb") as log:
                log.seek(self.read_to)
                lines, end, _ = log.read().rpartition(b"\n")
            self.read_to += len(lines + end)
            self.text += lines + end
            self.statements += lines.count(b"]: On ")


def begin(project: Project, command: tuple[str, ...]) -> Command:
    """Starts a command on the project's target."""
    if isinstance(project, RedshiftProject):
        project.upload()
    return project.start(*command, "--target", project.target)


def run_through(project: Project, command: tuple[str, ...]) -> list[float]:
    """Runs a command to its end; returns the seconds from its start to each statement."""
    log, began, sent = Log(project), time.monotonic(), []
    running = begin(project, command)
    while running.poll() is None:
        sent += [time.monotonic() - began] * (log.count() - len(sent))
        time.sleep(0.002)
    run = running.wait()
    assert run.code == 0, run.text
    return sent


def kill_when(running: Command, is_time: Callable[[], Any], delay: float = 0) -> bool:
    """Kills a command some seconds after a condition holds; returns whether it still ran."""
    while not is_time():
        if running.poll() is not None:
            break
        time.sleep(0.001)
    time.sleep(delay)
    running.kill()
    run = running.wait()
    assert run.code in (0, -signal.SIGKILL), run.text
    return run.code != 0


# --- what must hold ------------------------------------------------------------


def assert_consistent(project: Project) -> None:
    """True at any moment: the ledger counts the raw rows, and no play counts twice."""
    if not isinstance(project, RedshiftProject) and not project.database.exists():
        return
    tables = {
        name
        for (name,) in project.query(
            "select table_name from information_schema.tables"
            f" where table_schema in ('sparkify_raw', '{project.schema}')"
        )
    }
    for table in {"staging_events", "staging_songs"} & tables:
        if "loads" in tables:
            ((rows, counted),) = project.query(
                f"select (select count(*) from sparkify_raw.{table}), (select coalesce(sum("
                f"row_count), 0) from sparkify_raw.loads where source_table = '{table}')"
            )
            assert rows == counted, table
    if "fct_songplays" in tables:
        plays = "select count(*), count(distinct songplay_id) from fct_songplays"
        ((rows, ids),) = project.query(plays)
        assert rows == ids


def assert_loaded_once(project: Project) -> None:
    """Each file's rows are in the raw table once, and the file is in the ledger once."""
    for table, folder, columns in (
        ("staging_events", project.events, ["itemInSession", "song", "level"]),
        ("staging_songs", project.songs, ["song_id", "title", "artist_name"]),
    ):
        in_files, names = Counter(), []
        for path in input_files(folder):
            rows = [json.loads(line) for line in path.read_text().splitlines()]
            in_files.update(tuple(row[column] for column in columns) for row in rows)
            names.append(path.relative_to(folder).as_posix())
        raw = project.query(f"select {', '.join(columns)} from sparkify_raw.{table}")
        assert Counter(raw) == in_files
        ledger = project.query(
            "select file_name from sparkify_raw.loaded_files inner join sparkify_raw.loads"
            " on loaded_files.load_id = loads.load_id"
            f" where loads.source_table = '{table}' order by 1"
        )
        listed = [name.partition(f"{folder.name}/")[2] for (name,) in ledger]
        assert listed == names
    assert_consistent(project)


# --- random moments ------------------------------------------------------------


@dataclass
class Undisturbed:
    """A run of all stages without kills: when each command sent its statements, and the marts at
    the end of each stage."""

    sent: dict[tuple[int, tuple[str, ...]], list[float]] = field(default_factory=dict)
    marts: list[dict[str, list[tuple]]] = field(default_factory=list)


def run_undisturbed(project: Project) -> Undisturbed:
    """Runs all stages to their ends."""
    found = Undisturbed()
    for stage, (write, commands) in enumerate(STAGES):
        write(project)
        for command in commands:
            found.sent[stage, command] = run_through(project, command)
        found.marts.append(project.marts())
    assert_loaded_once(project)
    return found


@pytest.mark.soak
def test_a_kill_at_any_moment(
    new_project: Callable[..., Project], engine: str, tried: Callable[..., None]
) -> None:
    """In each trial each command of each stage is killed up to twice, then runs to its end.

    SPARKIFY_KILL_SEED repeats the moments of a run, as far as processes can be timed.
    """
    seed = os.environ.get("SPARKIFY_KILL_SEED") or f"{random.getrandbits(32):08x}"
    print(f"SPARKIFY_KILL_SEED={seed}")
    undisturbed = run_undisturbed(with_small_batches(new_project(engine)))
    for trial in range(soak_factor()):
        print(f"trial {trial}")
        project = with_small_batches(new_project(engine))
        if isinstance(project, RedshiftProject):
            clear(project.cluster)
        chance = random.Random(f"{seed} {engine} {trial}")
        for stage, (write, commands) in enumerate(STAGES):
            write(project)
            for command in commands:
                kills = run_and_kill(project, command, undisturbed.sent[stage, command], chance)
                tried("kills", kills)
                run_through(project, command)
            assert project.marts() == undisturbed.marts[stage]
            assert_loaded_once(project)


def run_and_kill(
    project: Project, command: tuple[str, ...], sent: list[float], chance: random.Random
) -> int:
    """Kills a command up to twice, at random moments, given when it sends its statements; returns
    how often it was killed before its end."""
    sent = [0, *sent]
    for kills in range(2):
        # Uniform over the time that the command spends in the database. Counting statements
        # makes up for a machine whose speed varies.
        moment = chance.uniform(0.9 * sent[1], sent[-1] + 0.1)
        number = bisect.bisect(sent, moment) - 1
        log = Log(project)
        running = begin(project, command)
        was_killed = kill_when(running, lambda: log.count() >= number, moment - sent[number])  # noqa: B023
        print(
            f"{' '.join(command[:3])}: {'killed' if was_killed else 'ended'} after"
            f" {log.count()} of {len(sent) - 1} statements"
        )
        assert_consistent(project)
        if not was_killed:
            return kills
    return 2


# --- chosen moments ------------------------------------------------------------


def test_a_build_killed_at_what_it_writes(project: Project, tried: Callable[..., None]) -> None:
    loads = with_more_days(project)
    for said in (
        r'delete from "\w+"."\w+"."fct_songplays"',
        r'insert into "\w+"."\w+"."fct_songplays" ',
        r"On model.sparkify.fct_songplays: COMMIT",
        r'delete from "\w+"."\w+"."int_heard_songs"',
        r"On model.sparkify.int_heard_songs: COMMIT",
        r'insert into "\w+"."\w+"."dim_users" ',
        r'"dim_songs" rename to "dim_songs__dbt_backup"',
        r"On model.sparkify.dim_songs: COMMIT",
    ):
        log = Log(project)
        assert kill_when(begin(project, RUN), lambda: re.search(said, log.read())), said  # noqa: B023
        tried("kills")
        assert_consistent(project)
        project.marts()  # all of them exist
    project.dbt("run")
    assert_star(project, *loads)


def test_a_load_killed_as_it_writes(
    new_project: Callable[..., Project], tried: Callable[..., None]
) -> None:
    """DuckDB's files change as a transaction ends, and as it recovers from the previous kill."""
    project = with_small_batches(new_project("local"))
    write_first_days(project)
    project.load("--select", "staging_songs")
    write_more_days(project)

    def size() -> int:
        return sum(path.stat().st_size for path in project.folder.glob("sparkify.duckdb*"))

    for _ in range(3):
        before = size()
        assert kill_when(begin(project, LOAD), lambda: size() != before)  # noqa: B023
        tried("kills")
        assert_consistent(project)
    run_through(project, LOAD)
    assert_loaded_once(project)


def test_a_load_killed_at_what_it_sends(
    redshift_project: RedshiftProject, tried: Callable[..., None]
) -> None:
    """dbt sends a batch as one string, but the cluster runs it statement by statement."""
    project = redshift_project
    with_small_batches(project)
    write_first_days(project)
    for statement in (
        r"^lock table",
        r'^copy "\w+"."staging_events"',
        r'^insert into "\w+"."loads"',
        r'^insert into "\w+"."loaded_files"',
        r"^commit",  # dbt writes its own in upper case
        r'^copy "\w+"."staging_songs"',
    ):
        project.cluster.statements.clear()

        def is_sent(statement: str = statement) -> bool:
            sent = [each.sql for each in project.cluster.statements]
            return any(re.search(statement, sql) for sql in sent)

        assert kill_when(begin(project, LOAD), is_sent), statement
        tried("kills")
        assert_consistent(project)
    run_through(project, LOAD)
    assert_loaded_once(project)
