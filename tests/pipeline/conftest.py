"""A temporary copy of the project to run its real commands in."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pytest

ROOT = Path(__file__).parents[2]
DBT = str(Path(sys.executable).with_name("dbt"))
PARTS = (
    "analyses",
    "dbt_project.yml",
    "load_staging.py",
    "macros",
    "models",
    "profiles.yml.example",
    "staging_files.py",
    "seeds",
    "staging_files.py",
    "tests/data_tests",
)
MARTS = {
    "fct_songplays": "songplay_id",
    "dim_users": "user_id",
    "dim_songs": "song_id",
    "dim_artists": "artist_id",
    "dim_time": "start_hour",
}
BOOKKEEPING = {"loaded_at", "catalog_loaded_at"}


@dataclass
class Run:
    """What a command printed and how it ended."""

    code: int
    output: str
    errors: str

    @property
    def text(self) -> str:
        return self.output + self.errors


@dataclass
class Project:
    """A copy of the project with an input of its own, on one engine."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def database(self) -> Path:
        return self.folder / "sparkify.duckdb"

    @property
    def events(self) -> Path:
        """The folder whose files are the events."""
        return self.folder / "input" / "log_data"

    @property
    def songs(self) -> Path:
        """The folder whose files are the songs."""
        return self.folder / "input" / "song_data"

    def write_events(self, name: str, *events: dict) -> Path:
        """A file of events, JSON lines."""
        return write_objects(self.events / name, events)

    def write_songs(self, name: str, *songs: dict) -> Path:
        """A file of songs, JSON lines."""
        return write_objects(self.songs / name, songs)

    def run(self, *command: str, cwd: Path | None = None, **environment: str) -> Run:
        """Runs a command in the project's folder; never raises."""
        done = subprocess.run(
            command,
            cwd=cwd or self.folder,
            env={**clean_environment(), **self.environment, **environment},
            capture_output=True,
            text=True,
        )
        return Run(done.returncode, done.stdout, done.stderr)

    def load(self, *arguments: str, fails: bool = False, **environment: str) -> Run:
        """Runs load_staging.py and expects it to succeed, or to fail as it should."""
        run = self.run(sys.executable, "load_staging.py", *arguments, **environment)
        assert (run.code != 0) == fails, run.text
        assert "Traceback" not in run.text, run.text
        return run

    def dbt(self, *arguments: str) -> Run:
        """Runs dbt, with warnings as errors, and expects it to succeed."""
        run = self.run(DBT, "--warn-error", "--no-use-colors", *arguments)
        assert run.code == 0, run.text
        return run

    def query(self, sql: str) -> list[tuple]:
        """The rows of a query."""
        with duckdb.connect(str(self.database), read_only=True) as connection:
            return connection.execute(sql).fetchall()

    def columns(self, table: str) -> list[str]:
        """The names of a mart's columns."""
        return [row[0] for row in self.query(f"describe {table}")]

    def mart(self, table: str, columns: list[str]) -> list[tuple]:
        """The rows of a mart, by its key."""
        return self.query(f"select {', '.join(columns)} from {table} order by {MARTS[table]}")

    def marts(self) -> dict[str, list[tuple]]:
        """All marts with all columns but bookkeeping."""
        return {
            table: self.mart(table, [c for c in self.columns(table) if c not in BOOKKEEPING])
            for table in MARTS
        }


def write_objects(path: Path, objects: tuple[dict, ...]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(each) + "\n" for each in objects), encoding="utf-8")
    return path


def clean_environment() -> dict[str, str]:
    """The environment without what would lead the project elsewhere."""
    led = ("DBT_", "AWS_")
    return {name: value for name, value in os.environ.items() if not name.startswith(led)}


def input_files(folder: Path) -> list[Path]:
    """The JSON files under a folder."""
    return sorted(
        path for path in folder.rglob("*.json*") if path.name.endswith((".json", ".json.gz"))
    )


@pytest.fixture
def new_project(tmp_path: Path) -> Callable[..., Project]:
    """Makes copies of the project, by name; their input is empty or copied from a folder."""

    def make(name: str = "project", source: Path | None = None) -> Project:
        folder = tmp_path / name
        for part in PARTS:
            if (ROOT / part).is_dir():
                shutil.copytree(ROOT / part, folder / part)
            elif (ROOT / part).exists():
                (folder / part).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / part, folder / part)
        shutil.copy(ROOT / "profiles.yml.example", folder / "profiles.yml")
        environment = {
            "DBT_EVENTS_LOCATION": "input/log_data/",
            "DBT_SONGS_LOCATION": "input/song_data",
        }
        project = Project(folder, environment)
        if source:
            shutil.copytree(source / "log_data", project.events)
            shutil.copytree(source / "song_data", project.songs)
        return project

    return make


@pytest.fixture
def project(new_project: Callable[..., Project]) -> Project:
    """A copy of the project with a small input: two days and two songs."""
    project = new_project()
    project.write_events("2018/11/2018-11-01-events.json", event(1), event(2))
    project.write_events("2018/11/2018-11-02-events.json", event(3))
    project.write_songs("A/A/A/TRAAA1.json", song(1))
    project.write_songs("A/A/B/TRAAB1.json", song(2))
    return project


@pytest.fixture(params=["sample", "real"])
def data(request: pytest.FixtureRequest) -> Iterator[Path]:
    """A folder with log_data and song_data: the sample's, and a real one's if there is one."""
    if request.param == "sample":
        yield ROOT / "sample_data"
    elif "SPARKIFY_REAL_DATA" in os.environ:
        yield Path(os.environ["SPARKIFY_REAL_DATA"])
    else:
        pytest.skip("SPARKIFY_REAL_DATA names no folder with log_data and song_data")


def event(item: int, **changes: Any) -> dict:
    """An event, as the logs have them: a play of user 7 of song 1."""
    return {
        "artist": "Artist 1",
        "auth": "Logged In",
        "firstName": "Test",
        "gender": "F",
        "itemInSession": item,
        "lastName": "Example",
        "length": 200.5,
        "level": "free",
        "location": "Lansing-East Lansing, MI",
        "method": "PUT",
        "page": "NextSong",
        "registration": 1540919166796.0,
        "sessionId": 70,
        "song": "Title 1",
        "status": 200,
        "ts": 1541106106796 + 60_000 * item,
        "userAgent": '"Mozilla/5.0 (X11)"',
        "userId": "7",
        **changes,
    }


def song(number: int, **changes: Any) -> dict:
    """A song, as the catalogue has them."""
    return {
        "num_songs": 1,
        "artist_id": f"AR{number:016}",
        "artist_latitude": None,
        "artist_longitude": None,
        "artist_location": "",
        "artist_name": f"Artist {number}",
        "song_id": f"SO{number:016}",
        "title": f"Title {number}",
        "duration": 200.5,
        "year": 0,
        **changes,
    }
