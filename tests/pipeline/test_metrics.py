"""The metrics: MetricFlow finds them valid and answers, on both engines, as plain Python does."""

from __future__ import annotations

import csv
import json
import re
import shlex
import subprocess
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from pathlib import Path
from statistics import mean
from typing import Any

import pytest
import yaml

from .conftest import ROOT, Project, clean_environment, event, input_files
from .expected_answers import Star, by, week_of
from .expected_marts import expected_marts
from .expected_star import Load, Row, expected_star, md5, one_per_event, plays_among, read_events
from .test_analyses import answers

PYTHON = ROOT / ".venv" / "metrics" / "bin" / "python"
# Runs commands of mf in one process: it takes longer to start than to answer.
MF = """
import json, sys
from dbt_metricflow.cli.cli_configuration import CLIConfiguration
from dbt_metricflow.cli.main import cli
configuration = CLIConfiguration()
for arguments in json.load(sys.stdin):
    cli.main(arguments, obj=configuration, standalone_mode=False)
"""
PAGE = ROOT / "docs" / "metrics.md"
METRICS = ROOT / "models" / "marts" / "_metrics.yml"

# The dimensions and metrics of each query.
LISTENING = ("plays", "listeners", "plays_per_listener", "paid_play_share", "minutes_heard")
SAVED_QUERIES = {
    "listening_by_day": (["metric_time__day"], LISTENING),
    "listening_by_region": (["location__region"], LISTENING),
    "listening_by_device": (
        ["user_agent__device", "user_agent__operating_system", "user_agent__browser"],
        ["plays", "listeners"],
    ),
    "listening_by_artist": (["artist__name"], ["plays", "listeners"]),
    "listening_by_song": (["song__title", "artist__name"], ["plays", "listeners"]),
    "sessions_by_level": (["session__level"], ["sessions", "session_length"]),
    "upgrades_by_week": (["metric_time__week"], ["upgrades", "downgrades"]),
    "audience_by_week": (
        ["metric_time__week"],
        ["weekly_active_users", "weekly_retention", "plays", "catalog_coverage"],
    ),
}
OTHER_QUERIES = {
    "plays_by_hour": (["metric_time__hour"], ["plays"]),
    "plays_by_day": (["metric_time__day"], ["listeners", "plays", "paid_plays"]),
    "plays_by_week": (["metric_time__week"], ["listeners", "plays", "paid_plays"]),
    "listening_by_gender_and_level": (["user__gender", "songplay__level"], LISTENING),
    "listening_by_state": (["location__state_code"], LISTENING),
    "active_users_by_day": (["metric_time__day"], ["weekly_active_users"]),
    "catalog_by_week": (["metric_time__week"], ["plays", "plays_in_catalog"]),
    "upgrades_by_gender": (["user__gender"], ["upgrades", "downgrades"]),
}
QUERIES = SAVED_QUERIES | OTHER_QUERIES
TOP_20 = {
    "listening_by_artist": ["--order", "-plays,-listeners,artist", "--limit", "20"],
    "listening_by_song": ["--order", "-plays,-listeners,song", "--limit", "20"],
}
# The analyses whose numbers are metrics: the query and those columns that it has too.
ANALYSES = {
    "catalog_coverage_by_week": ("catalog_by_week", [0, 1, 2]),
    "level_changes_by_week": ("upgrades_by_week", [0, 1, 2]),
    "listeners_by_day": ("plays_by_day", [0, 1, 2, 3]),
    "most_played_artists": ("listening_by_artist", [0, 1, 3]),
    "most_played_songs": ("listening_by_song", [0, 1, 2, 3]),
    "overview_by_week": ("plays_by_week", [0, 2, 5, 6]),
    "plays_by_device": ("listening_by_device", [0, 1, 2, 3, 4]),
    "session_length_by_level": ("sessions_by_level", [0, 1, 2]),
}

Rows = list[tuple[Any, ...]]
DAY = timedelta(days=1)


def mf(project: Project, *commands: list[str]) -> str:
    """What these commands of mf print."""
    if not PYTHON.exists():
        pytest.skip("MetricFlow is not installed: make .venv/metrics")
    parse = project.run("dbt", "parse", "--target", project.target, DBT_WRITE_JSON="true")
    assert parse.code == 0, parse.text
    environment = clean_environment() | project.environment | {"DBT_TARGET": project.target}
    run = subprocess.run(
        [PYTHON, "-c", MF],
        cwd=project.folder,
        env=environment | {"HTTPS_PROXY": "localhost:9"},  # mf would look for its newest version
        input=json.dumps(commands),
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


def ask(project: Project) -> dict[str, Rows]:
    """Validates the metrics, then asks all queries: the rows of each, in their order."""
    commands = [["validate-configs"]]
    files = {name: project.folder / f"{name}.csv" for name in QUERIES}
    for name, (dimensions, metrics) in QUERIES.items():
        query = ["--metrics", ",".join(metrics), "--group-by", ",".join(dimensions)]
        if name in SAVED_QUERIES:
            query = ["--saved-query", name]
        commands.append(["query", *query, *TOP_20.get(name, []), "--csv", str(files[name])])
    printed = mf(project, *commands)
    assert printed.count("Successfully validated") == 6, printed
    assert printed.count("(ERRORS: 0, FUTURE_ERRORS: 0") == 6, printed
    return {name: read_rows(files[name], *QUERIES[name]) for name in QUERIES}


def read_rows(path: Path, dimensions: Iterable[str], metrics: Iterable[str]) -> Rows:
    with path.open(newline="") as file:
        return [
            (
                *(dimension(row[name]) for name in dimensions),
                *(float(row[name]) if row[name] else None for name in metrics),
            )
            for row in csv.DictReader(file)
        ]


def dimension(text: str) -> Any:
    """A value of a dimension, as the CSV file has it."""
    if re.fullmatch(r"\d{4}-\d\d-\d\d [\d:.]+", text):
        return datetime.fromisoformat(text)
    return {"": None, "True": True, "False": False}.get(text, text)


def write_odd_events(project: Project) -> None:
    """Users without a gender, a location, a user agent or a level, and a week without plays."""

    def later(days: float, **changes: Any) -> dict:
        ts = 1541900000000 + round(days * 86_400_000)  # 2018-11-11 01:33:20, a Sunday
        return event(0, **{"ts": ts, "gender": None, "location": None, "userAgent": None} | changes)

    project.write_events(
        "2018/11/2018-11-11-events.json",
        later(0.00, userId="901", level="free"),
        later(0.01, userId="901", level=None, location="Nowhere"),
        later(0.02, userId="901", level="paid", userAgent="curl"),
        later(1.00, userId="902", level="free", length=None),
        later(1.01, userId="902", level="paid", page="Submit Upgrade", song=None),
        later(1.02, userId="902", level="free"),
        later(1.03, userId="902", level="paid"),
        later(19.0, userId="902", level="paid"),
        later(19.5, userId="902", level=None),
    )


class Expected:
    """What the queries must answer, computed from the input's files."""

    def __init__(self, project: Project) -> None:
        loads = [Load(input_files(project.events), input_files(project.songs))]
        self.star = Star(expected_star(loads) | expected_marts(loads))
        plays = plays_among(one_per_event(read_events(loads)))
        self.lengths = {md5("|".join(map(str, play.key))): play.length or 0 for play in plays}
        self.plays_by_day = by(lambda play: midnight(play["start_time"]), self.star.plays)
        self.plays_by_week = by(lambda play: week(play["start_time"]), self.star.plays)
        first, last = min(self.plays_by_day), max(self.plays_by_day)
        self.days = [first + number * DAY for number in range((last - first).days + 1)]

    def answers(self) -> dict[str, Rows]:
        """The rows of the queries, in any order."""
        star = self.star
        levels = by(lambda row: row["start_level"], star.sessions)
        changes = [after for _, after in star.upgrades_and_downgrades()]
        return {
            "listening_by_day": self.listening(lambda play: midnight(play["start_time"])),
            "listening_by_region": self.listening(lambda play: self.place(play, "region")),
            "listening_by_state": self.listening(lambda play: self.place(play, "state_code")),
            "listening_by_gender_and_level": [
                (*key, *values)
                for key, *values in self.listening(lambda play: (self.gender(play), play["level"]))
            ],
            "plays_by_hour": [
                (hour, len(plays))
                for hour, plays in by(lambda play: play["start_hour"], star.plays).items()
            ],
            "audience_by_week": [
                self.audience(monday) for monday in {week(day) for day in self.days}
            ],
            "active_users_by_day": [(day, self.active_users(day)) for day in self.days],
            "sessions_by_level": [
                (level, len(rows), mean(row["duration_seconds"] for row in rows) / 60)
                for level, rows in levels.items()
            ],
            "upgrades_by_gender": [
                (
                    gender,
                    *(sum(row["level"] == level for row in rows) for level in ("paid", "free")),
                )
                for gender, rows in by(self.gender, changes).items()
            ],
        }

    def listening(self, key: Callable[[Row], Any]) -> Rows:
        rows = []
        for group, plays in by(key, self.star.plays).items():
            number, listeners = len(plays), self.star.listeners(plays)
            paid = sum(play["level"] == "paid" for play in plays)
            minutes = sum(self.lengths[play["songplay_id"]] for play in plays) / 60
            rows.append((group, number, listeners, number / listeners, paid / number, minutes))
        return rows

    def place(self, play: Row, name: str) -> str | None:
        return self.star.locations.get(play["location"], {}).get(name)

    def gender(self, row: Row) -> str | None:
        return self.star.users[row["user_id"]]["gender"]

    def active_users(self, last_day: datetime) -> int:
        days = [last_day - number * DAY for number in range(7)]
        return self.star.listeners(play for day in days for play in self.plays_by_day.get(day, []))

    def audience(self, monday: datetime) -> tuple:
        active = self.active_users(min(monday + 6 * DAY, self.days[-1]))
        if monday not in self.plays_by_week:
            return (monday, active, None, None, None)
        plays, later = self.plays_by_week[monday], self.plays_by_week.get(monday + 7 * DAY, [])
        listeners = {play["user_id"] for play in plays}
        retained = listeners & {play["user_id"] for play in later}
        in_catalog = sum(self.star.songs[play["song_id"]]["is_in_catalog"] for play in plays)
        retention = len(retained) / len(listeners)
        return (monday, active, retention, len(plays), in_catalog / len(plays))


def midnight(moment: datetime) -> datetime:
    return datetime.combine(moment.date(), datetime.min.time())


def week(moment: datetime) -> datetime:
    return datetime.combine(week_of(moment), datetime.min.time())


def in_order(rows: Rows) -> Rows:
    """The rows in the order of their dimensions."""
    return sorted(rows, key=lambda row: [(value is None, str(value)) for value in row[:3]])


def nearly(rows: Rows) -> Rows:
    """The rows, whose floats compare as nearly equal."""
    return [tuple(pytest.approx(v) if isinstance(v, float) else v for v in row) for row in rows]


def as_in_analyses(value: Any) -> Any:
    return value.date() if isinstance(value, datetime) else "Unknown" if value is None else value


@pytest.mark.parametrize("engine", ["local", "redshift"])
def test_metrics_are_as_expected(new_project: Callable[..., Project], engine: str) -> None:
    project = new_project(engine, source=ROOT / "sample_data")
    write_odd_events(project)
    project.load()
    project.dbt("run")
    found = ask(project)
    for name, rows in Expected(project).answers().items():
        assert in_order(found[name]) == nearly(in_order(rows)), name

    analyses = answers(project)
    for name, (query, columns) in ANALYSES.items():
        rows = [tuple(map(as_in_analyses, row)) for row in found[query]]
        expected = [tuple(row[column] for column in columns) for row in analyses[name]]
        expected = [row for row in expected if any(row[1:])]  # a metric has no row of zeros
        if query not in TOP_20:
            rows, expected = in_order(rows), in_order(expected)
        assert rows == expected, name
    # The listeners of a week are retained or lost.
    weeks = {row[0]: row for row in analyses["overview_by_week"]}
    for monday, _, retention, *_ in found["audience_by_week"]:
        if retention:
            lost = weeks[monday.date() + 7 * DAY][4]
            assert retention == pytest.approx(1 - lost / weeks[monday.date()][2])


def test_the_page_lists_all_metrics_and_saved_queries() -> None:
    defined = yaml.safe_load(METRICS.read_text())
    names = {each["name"] for kind in ("metrics", "saved_queries") for each in defined[kind]}
    listed = set(re.findall(r"^\| `(\w+)` \|", PAGE.read_text(), re.MULTILINE))
    assert {each for each in listed if "__" not in each} == names
    assert {each["name"] for each in defined["saved_queries"]} == set(SAVED_QUERIES)
    assert {each["name"] for each in defined["metrics"]} == {
        metric for _, metrics in QUERIES.values() for metric in metrics
    }


def test_the_page_shows_what_mf_prints(new_project: Callable[..., Project]) -> None:
    project = new_project("local", source=ROOT / "sample_data")
    project.load()
    project.dbt("run")
    examples = re.findall(r"```sh\nmf (.*?)\n```\n+```text\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(examples) >= 2
    commands = [shlex.split(command.replace("\\\n", "")) for command, _ in examples]
    assert mf(project, *commands) == "".join(text for _, text in examples)
