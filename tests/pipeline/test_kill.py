"""Exactly once, whatever is killed: SIGKILL, then the same commands again."""

from __future__ import annotations

import bisect
import json
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from .conftest import Project, RedshiftProject, clear, event, input_files, soak_factor, song
from .warm import Command

LOAD = ("load_staging.py",)
RUN = ("dbt", "--warn-error", "run")
BUILD = ("dbt", "--warn-error", "build", "--exclude-resource-type", "unit_test")


# --- input and commands --------------------------------------------------------


def write_first_days(project: Project) -> None:
    """Several batches of each source; song 9 is heard and not in the catalogue."""
    path = project.folder / "load_staging.py"
    code = path.read_text()
    assert "\nBATCH_FILES = 100_000\n" in code
    path.write_text(code.replace("\nBATCH_FILES = 100_000\n", "\nBATCH_FILES = 2\n"))
    for number in range(1, 5):
        item = 10 * number
        heard = {"song": "Title 9", "artist": "Artist 9", "userId": str(number)}
        plays = [event(item), event(item + 1, **heard), event(item + 2, page="Home", song=None)]
        project.write_events(f"2018/11/2018-11-0{number}-events.json", *plays)
        project.write_songs(f"A/TRAAA{number}.json", song(number))


def write_more_days(project: Project) -> None:
    """Another day, the late song, an event that is corrected and a song that is renamed."""
    project.write_events("2018/11/2018-11-05-events.json", event(50), event(51, level="paid"))
    project.write_events("2018/11/2018-11-06-events.json", event(60, song="Never heard before"))
    project.write_events("2018/11/2018-11-07-events.json", event(20, song="Title 3", level="paid"))
    project.write_songs("B/TRBBB1.json", song(9))
    project.write_songs("B/TRBBB2.json", song(1, title="Renamed"), song(5, artist_id=f"AR{1:016}"))
    project.write_songs("B/TRBBB3.json", song(6))


STAGES = ((write_first_days, (LOAD, RUN)), (write_more_days, (LOAD, BUILD)))


class Log:
    """What dbt's log says from now on; dbt logs a statement just before it sends it."""

    def __init__(self, project: Project):
        self.path = project.folder / "logs" / "dbt.log"
        self.read_to = self.path.stat().st_size if self.path.exists() else 0
        self.text = b""

    def read(self) -> str:
        """All that it says."""
        if self.path.exists():
            with self.path.open("rb") as log:
                log.seek(self.read_to)
                self.text += log.read()
                self.read_to = log.tell()
        return self.text.decode("utf-8", "replace")

    def count(self) -> int:
        """How many statements were sent."""
        return self.read().count("]: On ")


def begin(project: Project, command: tuple[str, ...]) -> Command:
    """Starts a command on the project's target."""
    if isinstance(project, RedshiftProject):
        project.upload()
    return project.start(*command, "--target", project.target)


def run_through(project: Project, command: tuple[str, ...]) -> list[float]:
    """Runs a command to its end; the seconds from its start to each statement."""
    log, began, sent = Log(project), time.monotonic(), []
    running = begin(project, command)
    while running.poll() is None:
        sent += [time.monotonic() - began] * (log.count() - len(sent))
        time.sleep(0.002)
    run = running.wait()
    assert run.code == 0, run.text
    return sent


def kill_when(running: Command, is_time: Callable[[], Any], delay: float = 0) -> bool:
    """Kills a command some seconds after a condition holds; whether it still ran."""
    while not is_time():
        if running.poll() is not None:
            break
        time.sleep(0.002)
    time.sleep(delay)
    running.kill()
    run = running.wait()
    assert run.code in (0, -signal.SIGKILL), run.text
    return run.code != 0


# --- what must hold ------------------------------------------------------------


def assert_consistent(project: Project) -> None:
    """What holds at any moment: the ledger counts the raw rows, and no play counts twice."""
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
        ((rows, plays_told),) = project.query(plays)
        assert rows == plays_told


def assert_loaded_once(project: Project) -> None:
    """Each file's rows are in raw once and the file in the ledger once, with its load."""
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
    """A run of all stages that nothing killed: when each command sent its statements, and
    the marts at the end of each stage."""

    sent: dict[tuple[int, tuple[str, ...]], list[float]] = field(default_factory=dict)
    marts: list[dict[str, list[tuple]]] = field(default_factory=list)


UNDISTURBED: dict[str, Undisturbed] = {}


@pytest.fixture
def undisturbed(new_project: Callable[..., Project], engine: str) -> Undisturbed:
    """One for each engine and worker."""
    if engine not in UNDISTURBED:
        project, found = new_project(engine), Undisturbed()
        for stage, (write, commands) in enumerate(STAGES):
            write(project)
            for command in commands:
                found.sent[stage, command] = run_through(project, command)
            found.marts.append(project.marts())
        assert_loaded_once(project)
        if isinstance(project, RedshiftProject):
            clear(project.cluster)
        UNDISTURBED[engine] = found
    return UNDISTURBED[engine]


def trials(**counts: int) -> list[tuple[str, int]]:
    """Engines, each with numbers of trials."""
    return [(engine, n) for engine in counts for n in range(counts[engine] * soak_factor())]


@pytest.mark.soak
@pytest.mark.parametrize(("engine", "trial"), trials(local=3, redshift=1), indirect=["engine"])
def test_a_kill_at_any_moment(
    new_project: Callable[..., Project], engine: str, trial: int, undisturbed: Undisturbed
) -> None:
    """Each command of each stage is killed twice, then runs through.

    SPARKIFY_KILL_SEED repeats the moments of a trial, as far as processes can be timed.
    """
    seed = os.environ.get("SPARKIFY_KILL_SEED") or f"{random.getrandbits(32):08x}"
    print(f"SPARKIFY_KILL_SEED={seed}")
    chance = random.Random(f"{seed} {engine} {trial}")
    project = new_project(engine)
    for stage, (write, commands) in enumerate(STAGES):
        write(project)
        for command in commands:
            sent = [0, *undisturbed.sent[stage, command]]
            for _ in range(2):
                # Uniform in the time in which the command is at the database. To count
                # statements makes up for a machine that is now faster, now slower.
                moment = chance.uniform(0.9 * sent[1], sent[-1] + 0.1)
                number = bisect.bisect(sent, moment) - 1
                log = Log(project)
                running = begin(project, command)
                delay = moment - sent[number]
                was_killed = kill_when(running, lambda: log.count() >= number, delay)  # noqa: B023
                print(
                    f"{' '.join(command[:3])}: {'killed' if was_killed else 'ended'} after"
                    f" {log.count()} of {len(sent) - 1} statements"
                )
                assert_consistent(project)
            run_through(project, command)
        assert project.marts() == undisturbed.marts[stage]
        assert_loaded_once(project)
