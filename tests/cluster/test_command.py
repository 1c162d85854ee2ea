"""`make test-cluster`, with a stand-in in another process as the cluster. It runs a part of the
tests, of each kind: all of them run on the stand-in anyway."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3
import psycopg
import pytest
from click.testing import CliRunner

from tests.cluster.__main__ import main
from tests.fake_redshift import DATABASE, USER

ROOT = Path(__file__).parents[2]
# A role, a region, manifests, users, groups, a wrong password, two sessions, system tables.
RULES = (
    "test_copy.py::test_options_in_any_order",
    "test_copy.py::test_insert_privilege_is_needed",
    "test_copy.py::test_prefix_that_matches_nothing",
    "test_copy_errors.py::test_strings_of_system_tables_are_padded",
    "test_copy_errors.py::test_data_source_of_a_load",
    "test_ddl.py::test_grants_to_users_groups_and_roles",
    "test_dialect.py::test_schemas_of_the_database",
    "test_transactions.py::test_login",
    "test_transactions.py::test_lock_waits_for_the_other_transaction",
    "test_transactions.py::test_statement_log",
)
# Names in SQL, in arguments and in files.
LOAD = "tests/pipeline/test_redshift.py::test_a_load_that_was_planned_before_another_is_refused"
NEXT = "tests/pipeline/test_redshift.py::test_keys_of_any_name_are_data"
COUNTED = "tests/pipeline/test_redshift.py::test_each_batch_is_one_copy_in_one_transaction"
# A stand-in that breaks two rules and has the other isolation level.
BROKEN = """
from tests.fake_redshift import FakeRedshift, __main__, unsupported
unsupported._RULES = tuple(
    rule for rule in unsupported._RULES if rule.__name__ not in ("_windows", "_merge")
)
FakeRedshift.__init__.__kwdefaults__["isolation"] = "serializable"
__main__.main()
"""
OTHERS = ("sparkify_raw", "sparkify_test_other123")
BUCKET = "bucket-of-a-user"
# The beginnings of the variables that say where a cluster is.
OWN = ("AWS_", "DBT_", "SPARKIFY_TEST_")


@dataclass
class Standin:
    """A stand-in in another process, as its user sees it."""

    environment: dict[str, str]

    @cached_property
    def s3(self) -> Any:
        return boto3.client(
            "s3",
            endpoint_url=self.environment["AWS_ENDPOINT_URL_S3"],
            region_name=self.environment["AWS_DEFAULT_REGION"],
            aws_access_key_id=self.environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.environment["AWS_SECRET_ACCESS_KEY"],
        )

    def connect(self) -> psycopg.Connection:
        return psycopg.connect(
            host=self.environment["DBT_REDSHIFT_HOST"],
            port=self.environment["DBT_REDSHIFT_PORT"],
            user=USER,
            dbname=DATABASE,
            password=self.environment["DBT_ENV_SECRET_REDSHIFT_PASSWORD"],
            autocommit=True,
        )

    def schemas(self) -> set[str]:
        with self.connect() as connection:
            return {name for (name,) in connection.execute("select nspname from pg_namespace")}

    def made(self) -> list[str]:
        """The schemas, users, groups and objects that somebody has made."""
        with self.connect() as connection:
            rows = connection.execute(
                "select nspname from pg_namespace where nspname not like 'pg_%'"
                " union all select usename from pg_user"
                " union all select groname from pg_group where groname not like 'pg_%'"
            ).fetchall()
        objects = self.s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])
        known = {"information_schema", "public", "postgres", "rdsdb", USER}
        return sorted({*(name for (name,) in rows), *(entry["Key"] for entry in objects)} - known)

    def start(self, report: Path, *arguments: str) -> subprocess.Popen[str]:
        """Starts `python -m tests.cluster --yes`."""
        return subprocess.Popen(
            [sys.executable, "-m", "tests.cluster", "--yes", f"--report={report}", *arguments],
            cwd=ROOT,
            env={k: v for k, v in os.environ.items() if not k.startswith(OWN)} | self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


@contextmanager
def running(*command: str) -> Iterator[Standin]:
    """A stand-in in another process, while the block lasts."""
    options = ("--port", "0", "--s3-port", "0")
    process = subprocess.Popen(
        [sys.executable, *command, *options], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    environment = {}
    for line in process.stdout:
        if line.startswith("#"):
            break
        name, _, environment[name] = shlex.split(line)[1].partition("=")
    for name in ("DBT_EVENTS_LOCATION", "DBT_SONGS_LOCATION"):
        del environment[name]
    environment["DBT_STAGE_LOCATION"] = f"s3://{BUCKET}/stage/"
    standin = Standin(environment)
    region = {"LocationConstraint": environment["AWS_DEFAULT_REGION"]}
    standin.s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration=region)
    try:
        yield standin
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)
        process.stdout.close()


@pytest.fixture(scope="module")
def standin() -> Iterator[Standin]:
    with running("-m", "tests.fake_redshift") as standin:
        yield standin


@pytest.fixture
def here(standin: Standin, monkeypatch: pytest.MonkeyPatch) -> Standin:
    """The stand-in, with its variables, and no others, set in this process."""
    for name in [name for name in os.environ if name.startswith(OWN)]:
        monkeypatch.delenv(name)
    for name, value in standin.environment.items():
        monkeypatch.setenv(name, value)
    return standin


def section(report: Path, title: str) -> str:
    """A part of the table."""
    return report.read_text().partition(f"## {title}\n")[2].partition("\n## ")[0]


def test_a_stand_in_equals_itself(standin: Standin, tmp_path: Path) -> None:
    """It is reached by variables alone. Whatever its tests create is removed, and nothing else."""
    with standin.connect() as connection:
        for name in OTHERS:
            connection.execute(f"create schema {name}")
    standin.s3.put_object(Bucket=BUCKET, Key="stage/kept", Body=b"")
    before, report = standin.made(), tmp_path / "cluster.md"
    tests = [f"tests/test_fake_redshift/{test}" for test in RULES]
    process = standin.start(report, *tests, COUNTED)
    said, _ = process.communicate(timeout=600)
    assert process.returncode == 0, said + report.read_text()
    assert said.endswith("Nothing is left.\n")
    assert standin.made() == before
    text = report.read_text()
    assert "isolation level: Snapshot Isolation" in text
    assert "- 0 different" in text
    assert "## Different" not in text
    left_out = section(report, "Left out")
    for test in ("test_transactions.py::test_statement_log", COUNTED):
        assert f"{test} | it reads the statements sent |" in left_out
    assert "::test_login |" in section(report, "Equal")
    assert "| data_source in SYS_LOAD_HISTORY" in section(report, "Assumed facts")
    for name in ("DBT_ENV_SECRET_REDSHIFT_PASSWORD", "DBT_REDSHIFT_HOST", "DBT_REDSHIFT_USER"):
        assert standin.environment[name] not in text
    assert BUCKET not in text


def test_differences_are_told(tmp_path: Path) -> None:
    """With the line of the test that failed and with what the cluster did."""
    report = tmp_path / "cluster.md"
    tests = [
        f"tests/test_fake_redshift/{test}"
        for test in (
            "test_dialect.py::test_window_rules",
            "test_dialect.py::test_merge",
            "test_dialect.py::test_listagg",
            "test_transactions.py::test_isolation_level_of_begin_is_ignored",
        )
    ]
    with running("-c", BROKEN) as broken:
        process = broken.start(report, *tests)
        said, _ = process.communicate(timeout=600)
        assert broken.made() == []
    assert process.returncode == 1, said
    assert "isolation level: Serializable" in report.read_text()
    different = section(report, "Different")
    for test, source, expected, happened in (
        (
            "test_window_rules[sum(a) over (order by a)-require a frame clause]",
            "guide:c_Window_functions",
            "t.refused(",
            "DID NOT RAISE",
        ),
        ("test_merge", "guide:r_MERGE", "t.refused(", ""),
        ("test_isolation_level_of_begin_is_ignored", "guide:r_BEGIN", "assert ", "'Serializable'"),
    ):
        (row,) = [line for line in different.splitlines() if f"::{test} |" in line]
        assert all(part in row for part in (source, expected, happened)), row
        assert f"::{test}: " in said
    assert "test_listagg" in section(report, "Equal")


def until(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Waits for something that the process will do."""
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.1)


def test_nothing_is_left_by_an_interrupted_run(standin: Standin, tmp_path: Path) -> None:
    """Here Ctrl-C comes in the second test of the pipeline. The table has the first one."""
    before, report = standin.made(), tmp_path / "cluster.md"
    process = standin.start(report, LOAD, NEXT)

    def is_loading() -> bool:
        return any(name.endswith("_raw") for name in standin.schemas() - set(before))

    for condition in (is_loading, lambda: not is_loading(), is_loading):
        until(condition, process)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=180)
    assert process.returncode != 0
    assert said.endswith("Nothing is left.\n"), said
    assert standin.made() == before
    assert LOAD in section(report, "Equal")
    assert NEXT not in report.read_text().replace(LOAD, "")


def test_nothing_is_left_by_a_terminated_run(standin: Standin, tmp_path: Path) -> None:
    before = standin.made()
    process = standin.start(tmp_path / "cluster.md", "tests/test_fake_redshift")
    until(lambda: any("_rules_" in name for name in standin.schemas()), process)
    process.terminate()
    said, _ = process.communicate(timeout=180)
    assert process.returncode != 0
    assert said.endswith("Nothing is left.\n"), said
    assert standin.made() == before


def test_what_a_killed_run_leaves_can_be_removed(here: Standin) -> None:
    """The command that the run prints at its start removes what has the run's name, only that."""
    name, before = "sparkify_test_0a1b2c3d", here.made()
    with here.connect() as connection:
        for schema in (name, f"{name}_raw", f"{name}_rules_1"):
            connection.execute(f"create schema {schema}")
            connection.execute(f"create table {schema}.t (a int)")
        connection.execute(f"create user {name}_rules_1 password 'Secret123'")
        connection.execute(f"grant select on {name}.t to {name}_rules_1")
        connection.execute(f"create group {name}_rules_1_g")
    for key in (f"stage/{name}/a", f"stage/{name}/b/c"):
        here.s3.put_object(Bucket=BUCKET, Key=key, Body=b"")
    done = CliRunner().invoke(main, ["--clean", name])
    assert (done.exit_code, done.output) == (0, f"Removing {name}\nNothing is left.\n")
    assert here.made() == before


@pytest.mark.parametrize("name", ["", "sparkify", "sparkify_test_", "sparkify_test_0A1B2C3D", "%"])
def test_other_names_are_not_removed(name: str) -> None:
    done = CliRunner().invoke(main, ["--clean", name])
    assert done.exit_code == 2
    assert "is not the name of a run" in done.output


def test_it_asks_before_it_starts(here: Standin) -> None:
    """It says what it will create, how long it takes and what it may cost."""
    before = here.made()
    for answer in ("n\n", ""):
        done = CliRunner().invoke(main, [], input=answer)
        assert done.exit_code == 1
        for part in (
            "isolation level: Snapshot",
            "It creates schemas",
            "hours",
            "dollars",
            "CLEAN=",
        ):
            assert part in done.output
        assert "Start? [y/N]" in done.output
    assert here.made() == before


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("DBT_REDSHIFT_HOST", "", "DBT_REDSHIFT_HOST"),
        ("DBT_STAGE_LOCATION", "", "set SPARKIFY_TEST_LOCATION, or DBT_STAGE_LOCATION"),
        ("SPARKIFY_TEST_LOCATION", "bucket/prefix", "SPARKIFY_TEST_LOCATION must be s3://"),
        ("DBT_TARGET", "local", "DBT_TARGET is local"),
        ("AWS_PROFILE", "missing", "The config profile (missing) could not be found"),
        ("DBT_ENV_SECRET_REDSHIFT_PASSWORD", "Wrong-1", "no connection to the cluster"),
        ("DBT_STAGE_LOCATION", "s3://no-such-bucket/x/", "no access to s3://no-such-bucket/x/"),
    ],
)
def test_what_is_missing_or_wrong_is_named(
    here: Standin, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, said: str
) -> None:
    monkeypatch.setenv(variable, value)
    done = CliRunner().invoke(main, ["--yes"])
    assert done.exit_code == 1
    assert said in done.output
    assert "Wrong-1" not in done.output
