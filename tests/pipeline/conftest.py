"""Temporary copies of the project, to run its real commands in."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pytest
import redshift_connector

from tests.cluster.real_cluster import PATIENCE, RealCluster
from tests.fake_redshift import BUCKET, FakeRedshift, fixtures

from .session import Session
from .warm import Command, PlainRunner, Run, Runner, show_frames_alone

ROOT = Path(__file__).parents[2]
PARTS = (
    "analyses",
    "dbt_project.yml",
    "load_staging.py",
    "loader",
    "macros",
    "models",
    "profiles.yml.example",
    "seeds",
    "selectors.yml",
    "tests/data_tests",
)
MARTS = {
    "fct_songplays": "songplay_id",
    "fct_sessions": "user_session_id",
    "dim_users": "user_id",
    "dim_user_levels": "user_level_id",
    "dim_songs": "song_id",
    "dim_artists": "artist_id",
    "dim_time": "start_hour",
    "dim_locations": "location",
    "dim_user_agents": "user_agent",
}
NO_UNIT_TESTS = ("--exclude-resource-type", "unit_test")  # they do not depend on the input
# `dbt build` without tests. `dbt run` would leave out the seeds.
RUN = ("build", "--resource-type", "seed", "--resource-type", "model")
Cluster = FakeRedshift | RealCluster
BOOKKEEPING = {"loaded_at", "matched_at", "match_key"}


show_frames_alone()


@dataclass
class Project:
    """A copy of the project with an input of its own, on DuckDB."""

    folder: Path
    runner: Runner
    session: Session | None  # none with --plain
    environment: dict[str, str] = field(default_factory=dict)
    target = "local"

    @property
    def schema(self) -> str:
        """The schema of the marts."""
        return "main"

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
        """Writes a file of events as JSON lines."""
        return write_objects(self.events / name, events)

    def write_songs(self, name: str, *songs: dict) -> Path:
        """Writes a file of songs as JSON lines."""
        return write_objects(self.songs / name, songs)

    def run(self, *command: str, cwd: Path | None = None, **environment: str) -> Run:
        """Runs `dbt ...` or `load_staging.py ...` in the project's folder, whatever its exit code.
        `dbt run` includes the seeds."""
        request = self._request(command, cwd, environment)
        session = self.session
        if session and session.takes(*request) and is_as_copied(self.folder):
            return session.run(request[0])
        return self.runner.start(*request).wait()

    def start(
        self,
        *command: str,
        cwd: Path | None = None,
        file_size: int | None = None,
        **environment: str,
    ) -> Command:
        """Starts a command as `run` does; `file_size` limits the files that it writes, in bytes."""
        return self.runner.start(*self._request(command, cwd, environment), file_size)

    def _request(
        self, command: tuple[str, ...], cwd: Path | None, environment: dict[str, str]
    ) -> tuple[list[str], Path, dict[str, str]]:
        """The arguments, the folder and the environment of a command."""
        if command[0] == "dbt" and "run" in command:
            number = command.index("run")
            command = (*command[:number], *RUN, *command[number + 1 :])
        environment = {**clean_environment(), **self.environment, **environment}
        return list(command), cwd or self.folder, environment

    def load(self, *arguments: str, fails: bool = False, **environment: str) -> Run:
        """Runs load_staging.py, which must succeed, or fail without a traceback if `fails`."""
        run = self.run("load_staging.py", "--target", self.target, *arguments, **environment)
        assert (run.code != 0) == fails, run.text
        assert "Traceback" not in run.text, run.text
        return run

    def dbt(self, *arguments: str) -> Run:
        """Runs dbt with warnings as errors; it must succeed."""
        options = ["--warn-error", "--no-use-colors"]
        run = self.run("dbt", *options, *arguments, "--target", self.target)
        assert run.code == 0, run.text
        return run

    def artifact(self, name: str) -> dict:
        """The content of one of dbt's artifacts; call with_artifacts first."""
        return json.loads((self.folder / "target" / name).read_text())

    def with_artifacts(self) -> None:
        """Makes dbt write its artifacts from now on."""
        self.environment["DBT_WRITE_JSON"] = "true"

    def with_log(self) -> Path:
        """Makes dbt write its log from now on."""
        self.environment["DBT_LOG_LEVEL_FILE"] = "debug"
        return self.folder / "logs" / "dbt.log"

    def query(self, sql: str) -> list[tuple]:
        """The rows of a query."""
        (rows,) = self.query_all([sql])
        return rows

    def query_all(self, queries: list[str]) -> list[list[tuple]]:
        """The rows of each query, over one connection."""
        with duckdb.connect(str(self.database), read_only=True) as connection:
            return [connection.execute(sql).fetchall() for sql in queries]

    def execute(self, sql: str) -> None:
        """Runs a statement that returns no rows."""
        with duckdb.connect(str(self.database)) as connection:
            connection.execute(sql)

    def rows(self, columns: dict[str, list[str]]) -> dict[str, list[tuple]]:
        """The rows of some marts, ordered by key, with the given columns of each."""
        queries = [
            f"select {', '.join(names)} from {table} order by {MARTS[table]}"
            for table, names in columns.items()
        ]
        return dict(zip(columns, self.query_all(queries), strict=True))

    def marts(self) -> dict[str, list[tuple]]:
        """The rows of all marts without the bookkeeping columns."""
        columns: dict[str, list[str]] = {table: [] for table in MARTS}
        for table, name in self.query(
            "select table_name, column_name from information_schema.columns"
            f" where table_schema = '{self.schema}' order by ordinal_position"
        ):
            if table in MARTS and name not in BOOKKEEPING:
                columns[table].append(name)
        return self.rows(columns)


@dataclass
class RedshiftProject(Project):
    """A copy of the project on the stand-in for Redshift, or on the cluster of --cluster; its input
    is copied to S3."""

    cluster: Cluster = None  # type: ignore[assignment]

    @property
    def target(self) -> str:  # type: ignore[override]
        return self.cluster.target if isinstance(self.cluster, RealCluster) else "redshift"

    @property
    def schema(self) -> str:
        return "sparkify"

    def run(self, *command: str, cwd: Path | None = None, **environment: str) -> Run:
        run = super().run(*command, cwd=cwd, **environment)
        if not isinstance(self.cluster, RealCluster):
            return run
        back = self.cluster.names.back
        return replace(run, output=back(run.output), errors=back(run.errors))

    def _request(
        self, command: tuple[str, ...], cwd: Path | None, environment: dict[str, str]
    ) -> tuple[list[str], Path, dict[str, str]]:
        arguments, cwd, environment = super()._request(command, cwd, environment)
        if isinstance(self.cluster, RealCluster):
            arguments = self.cluster.arguments(arguments)
            environment = self.cluster.variables(environment)
        return arguments, cwd, environment

    def load(self, *arguments: str, fails: bool = False, **environment: str) -> Run:
        self.upload()
        return super().load(*arguments, fails=fails, **environment)

    def upload(self) -> None:
        """Makes S3 hold exactly the files of the input's folders."""
        s3, folder = self.cluster.s3, self.folder / "input"
        present = {path.relative_to(folder).as_posix(): path for path in input_files(folder)}
        tags = {
            entry["Key"]: entry["ETag"].strip('"')
            for entry in listed_objects(self.cluster)
            if entry["Key"].startswith(("log_data", "song_data"))
        }
        delete_objects(self.cluster, *(tags.keys() - present.keys()))
        for key, path in present.items():
            content = path.read_bytes()
            if tags.get(key) != hashlib.md5(content).hexdigest():
                s3.put_object(Bucket=BUCKET, Key=key, Body=content)

    def query_all(self, queries: list[str]) -> list[list[tuple]]:
        with self.connect() as connection:
            cursor = connection.cursor()
            cursor.execute(f"set search_path to {self.schema}")
            found = []
            for sql in queries:
                cursor.execute(sql)
                found.append([tuple(row) for row in cursor.fetchall()])
            return found

    def execute(self, sql: str) -> None:
        with self.connect() as connection:
            connection.cursor().execute(sql)

    def connect(self) -> redshift_connector.Connection:
        """A connection in which each statement is a transaction."""
        return self.cluster.connect()


def write_objects(path: Path, objects: tuple[dict, ...]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(each) + "\n" for each in objects), encoding="utf-8")
    return path


def clean_environment() -> dict[str, str]:
    """The environment without variables that configure dbt or S3. Artifacts and the log are off:
    writing them takes a third of a run."""
    dropped = ("DBT_", "AWS_", "PYTEST_CURRENT_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    return kept | {"DBT_WRITE_JSON": "false", "DBT_LOG_LEVEL_FILE": "none"}


def input_files(folder: Path) -> list[Path]:
    """The data files under a folder: all but hidden ones."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file()
        and not any(part.startswith((".", "_")) for part in path.relative_to(folder).parts)
    )


def copy_project(folder: Path) -> None:
    """Makes a folder a fresh copy of the project; dbt's saved manifest stays in target/."""
    for left in folder.glob("*"):
        if left.is_dir() and left.name != "target":
            shutil.rmtree(left)
        elif left.is_file():
            left.unlink()
    for part in PARTS:
        if (ROOT / part).is_dir():
            # With new times: dbt takes a YAML file with the time of the saved one for unchanged.
            shutil.copytree(ROOT / part, folder / part, copy_function=shutil.copyfile)
        elif (ROOT / part).exists():
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / part, folder / part)
    shutil.copy(ROOT / "profiles.yml.example", folder / "profiles.yml")


def is_as_copied(folder: Path) -> bool:
    """Whether a test has changed nothing in its copy of the project but the input."""
    original = original_files()
    return (
        project_files(folder) == original
        and (folder / "profiles.yml").read_bytes() == original["profiles.yml.example"]
    )


@cache
def original_files() -> dict[str, bytes]:
    return project_files(ROOT)


def project_files(folder: Path) -> dict[str, bytes]:
    """The contents of the project's files, by path."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for part in PARTS
        for path in [folder / part, *(folder / part).rglob("*")]
        if path.is_file() and path.suffix != ".pyc"
    }


def table_at_the_end(output: str) -> dict[str, list[str]]:
    """The figures of the table that a load prints at its end, by source table."""
    lines = [line.split() for line in output.splitlines()]
    heading = ["source", "table", "found", "loaded", "rows", "rejected", "bytes", "seconds"]
    assert heading in lines, output
    return {line[0]: line[1:6] for line in lines if line and line[0].startswith("staging_")}


def soak_factor() -> int:
    """The factor by which tests marked `soak` multiply their trials: 1 except in `make soak`."""
    return int(os.environ.get("SPARKIFY_SOAK", "1"))


@pytest.fixture(scope="session")
def is_plain(request: pytest.FixtureRequest) -> bool:
    """Whether commands run without the shortcuts of warm.py and session.py."""
    return request.config.getoption("--plain")


@pytest.fixture(scope="session")
def runner(is_plain: bool, real_cluster: RealCluster | None) -> Iterator[Runner]:
    """Runs the project's commands; one for each worker."""
    runner = PlainRunner() if is_plain else Runner()
    if real_cluster:
        runner.patience = PATIENCE
    yield runner
    runner.close()


@pytest.fixture(scope="session")
def sessions() -> Iterator[dict[tuple, Session]]:
    """The sessions of a worker, by the folder and the environment of their projects."""
    sessions: dict[tuple, Session] = {}
    yield sessions
    for session in sessions.values():
        session.close()


redshift_cluster = fixtures.redshift_cluster


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest, real_cluster: RealCluster | None) -> Cluster:
    """The stand-in, or the cluster of --cluster."""
    return real_cluster or request.getfixturevalue("redshift_cluster")


@pytest.fixture(params=["local", "redshift"])
def engine(request: pytest.FixtureRequest) -> str:
    """The target. Tests that use it, or `project`, run on both engines."""
    return request.param


@pytest.fixture
def new_project(
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
    runner: Runner,
    sessions: dict[tuple, Session],
    is_plain: bool,
) -> Iterator[Callable[..., Project]]:
    """Makes a copy of the project for an engine, with the input of a folder, if any, and further
    environment variables."""
    clusters = []

    def make(engine: str, source: Path | None = None, **variables: str) -> Project:
        # The same folder for each test, so that dbt parses only what has changed.
        folder = tmp_path_factory.getbasetemp() / f"project_on_{engine}"
        copy_project(folder)
        if engine == "redshift":
            cluster = request.getfixturevalue("cluster")
            clusters.append(cluster)
            environment = cluster.environment | {
                "DBT_EVENTS_LOCATION": f"s3://{BUCKET}/log_data/",
                "DBT_SONGS_LOCATION": f"s3://{BUCKET}/song_data",
            }
        else:
            environment = {
                "DBT_EVENTS_LOCATION": "input/log_data/",
                "DBT_SONGS_LOCATION": "input/song_data",
            }
        environment |= variables
        target = engine
        if engine == "redshift" and isinstance(cluster, RealCluster):
            environment, target = cluster.variables(environment), cluster.target
        whole = clean_environment() | environment
        key, session = (folder, *sorted(whole.items())), None
        if not is_plain:
            session = sessions.setdefault(key, Session(runner, folder, whole, target))
        if engine == "redshift":
            project: Project = RedshiftProject(folder, runner, session, environment, cluster)
        else:
            project = Project(folder, runner, session, environment)
        if source:
            shutil.copytree(source / "log_data", project.events)
            shutil.copytree(source / "song_data", project.songs)
        return project

    yield make
    for cluster in clusters:
        clear(cluster)


def clear(cluster: Cluster) -> None:
    """Removes what a test left."""
    if isinstance(cluster, RealCluster):
        cluster.clear()
        return
    cluster.faults.clear()
    with cluster.admin() as connection:
        connection.execute(
            """
            do $$ declare each text; begin
                for each in select nspname from pg_namespace where nspname like 'sparkify%' loop
                    execute format('drop schema %I cascade', each);
                end loop;
            end $$
            """
        )
    delete_objects(cluster, *(entry["Key"] for entry in listed_objects(cluster)))


def listed_objects(cluster: Cluster) -> list[dict]:
    """The objects in the stand-in's bucket."""
    return cluster.s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])


def delete_objects(cluster: Cluster, *keys: str) -> None:
    """Deletes objects of the stand-in's bucket, all at once."""
    if keys:
        objects = {"Objects": [{"Key": key} for key in keys]}
        cluster.s3.delete_objects(Bucket=BUCKET, Delete=objects)


def with_small_input(project: Project) -> Project:
    """Gives a project a small input: two days and two songs."""
    project.write_events("2018/11/2018-11-01-events.json", event(1), event(2))
    project.write_events("2018/11/2018-11-02-events.json", event(3))
    project.write_songs("A/A/A/TRAAA1.json", song(1))
    project.write_songs("A/A/B/TRAAB1.json", song(2))
    return project


@pytest.fixture
def project(new_project: Callable[..., Project], engine: str) -> Project:
    """A copy of the project with a small input, on each engine."""
    return with_small_input(new_project(engine))


@pytest.fixture
def local_project(new_project: Callable[..., Project]) -> Project:
    """A copy of the project with a small input, on DuckDB."""
    return with_small_input(new_project("local"))


@pytest.fixture
def redshift_project(new_project: Callable[..., Project]) -> RedshiftProject:
    """A copy of the project with a small input, on the stand-in for Redshift."""
    project = with_small_input(new_project("redshift"))
    assert isinstance(project, RedshiftProject)
    return project


@pytest.fixture(params=["sample", "real"])
def data(request: pytest.FixtureRequest) -> Iterator[Path]:
    """A folder with log_data and song_data: the sample, and SPARKIFY_REAL_DATA if it is set."""
    if request.param == "sample":
        yield ROOT / "sample_data"
    elif "SPARKIFY_REAL_DATA" in os.environ:
        yield Path(os.environ["SPARKIFY_REAL_DATA"])
    else:
        pytest.skip("SPARKIFY_REAL_DATA names no folder with log_data and song_data")


def event(item: int, **changes: Any) -> dict:
    """An event as in the logs: user 7 plays song 1."""
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
        "userAgent": '"Mozilla/5.0 (X11; Linux x86_64) (KHTML, like Gecko) Chrome/36.0"',
        "userId": "7",
        **changes,
    }


def song(number: int, **changes: Any) -> dict:
    """A song as in the catalog."""
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
