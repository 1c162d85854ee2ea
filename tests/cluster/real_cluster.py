"""A cluster that exists, with what tests use of FakeRedshift."""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import boto3
import click
import pytest
import redshift_connector
from botocore.exceptions import BotoCoreError, ClientError

from tests.fake_redshift import BUCKET, USER

from .names import START, Names

if TYPE_CHECKING:
    from dbt.adapters.redshift.connections import RedshiftCredentials

# dbt is imported where it is used: it takes seconds, and most runs of the tests need none of this.
ROOT = Path(__file__).parents[2]
TARGETS = ("redshift", "redshift_iam_user", "redshift_iam_role")
# Seconds that one command of the pipeline may take.
PATIENCE = 3600
_PASSED_ON = ("AWS_", "DBT_COPY_", "DBT_ENV_SECRET_REDSHIFT_", "DBT_REDSHIFT_")
_PASSWORD = "DBT_ENV_SECRET_REDSHIFT_PASSWORD"
_FORBIDDEN = "42501"


class RealCluster:
    """The cluster of the variables DBT_REDSHIFT_*, and a prefix in a bucket.

    All that a run creates begins with its name: schemas, users, groups, roles and the prefix.
    Tests go on saying `sparkify_raw` and s3://fake-redshift/; `names` translates.
    """

    def __init__(self, name: str) -> None:
        """Raises ClickException if variables are missing or wrong; connects to nothing."""
        self.target = os.environ.get("DBT_TARGET", "").strip() or TARGETS[0]
        if self.target not in TARGETS:
            raise click.ClickException(f"DBT_TARGET is {self.target}, not one of {TARGETS}.")
        self.credentials = _credentials(self.target)
        role = os.environ.get("DBT_COPY_IAM_ROLE", "").strip() or "default"
        self.names = Names(
            name=name,
            location=f"{_location()}{name}/",
            database=self.credentials.database,
            user=self.credentials.user or "",
            role=role if role == "default" else f"'{role}'",
            region=os.environ.get("DBT_COPY_REGION", "").strip() or _region(),
        )
        self._bucket, _, self._prefix = self.names.location.removeprefix("s3://").partition("/")

    # --- what FakeRedshift has, too ---------------------------------------------

    @property
    def host(self) -> str:
        return self.credentials.host

    @property
    def port(self) -> int:
        return int(self.credentials.port)

    @property
    def environment(self) -> dict[str, str]:
        """The variables of the commands."""
        passed_on = {k: v for k, v in os.environ.items() if k.startswith(_PASSED_ON)}
        if self.target != TARGETS[0]:
            passed_on.pop(_PASSWORD, None)
        own = {
            "DBT_REDSHIFT_SCHEMA": "sparkify",
            "DBT_RAW_SCHEMA": "sparkify_raw",
            "DBT_STAGE_LOCATION": f"s3://{BUCKET}/stage/",
        }
        return self.variables(passed_on | own)

    def connect(self, user: str = USER, password: str | None = None) -> Connection:
        """A connection in which each statement is a transaction; by default as DBT_REDSHIFT_USER,
        or as IAM says."""
        from dbt.adapters.redshift.connections import get_connection_method

        credentials = replace(self.credentials, query_group=None)
        if user != USER or password:
            if self.target != TARGETS[0] and user == USER:
                pytest.skip("the login is by IAM, which knows no password")
            user = self.credentials.user if user == USER else user
            credentials = replace(credentials, method="database", user=user, password=password)
        connection = Connection(get_connection_method(credentials)(), self.names)
        if not self.names.user:
            self.names = replace(self.names, user=_first(connection, "select current_user"))
        return connection

    @cached_property
    def s3(self) -> Objects:
        """A client of S3 whose bucket is the run's prefix."""
        return Objects(boto3.client("s3"), self._bucket, self._prefix)

    def upload(self, folder: Path) -> None:
        """Copies a folder's files into the prefix."""
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                key = path.relative_to(folder).as_posix()
                self.s3.put_object(Bucket=BUCKET, Key=key, Body=path.read_bytes())

    @property
    def faults(self) -> NoReturn:
        pytest.skip("it orders faults, which only the stand-in can do")

    @property
    def statements(self) -> NoReturn:
        pytest.skip("it reads the statements sent, which only the stand-in lists")

    def restart(self) -> NoReturn:
        pytest.skip("it restarts the cluster, which only the stand-in lets it do")

    def admin(self) -> NoReturn:
        pytest.skip("it goes past the cluster to PostgreSQL, which only the stand-in has")

    @property
    def password(self) -> NoReturn:
        pytest.skip("it uses the cluster's password")

    @property
    def s3_endpoint(self) -> NoReturn:
        pytest.skip("it uses the stand-in's S3 endpoint")

    # --- commands ----------------------------------------------------------------

    def arguments(self, command: list[str]) -> list[str]:
        """A command's arguments with the run's names and target."""
        words = [self.names.urls(word) for word in command]
        for number, word in enumerate(words[:-1]):
            if word == "--target" and words[number + 1] == TARGETS[0]:
                words[number + 1] = self.target
        return words

    def variables(self, environment: dict[str, str]) -> dict[str, str]:
        """A command's environment with the run's names. No command may use other schemas."""
        if _PASSWORD in environment and self.target != TARGETS[0]:
            pytest.skip("the login is by IAM, which knows no password")
        translated = {name: self.names.urls(value) for name, value in environment.items()}
        for name in ("DBT_REDSHIFT_SCHEMA", "DBT_RAW_SCHEMA"):
            translated[name] = self.names.schemas(translated.get(name, ""))
            if not translated[name].lower().startswith(self.names.name):
                pytest.skip(f"it sets {name} to a schema that is not the run's")
        return translated

    # --- before and after --------------------------------------------------------

    def schema(self, number: int) -> str:
        """A schema for a test of the stand-in's rules."""
        return f"{self.names.name}_rules_{number}"

    def facts(self) -> dict[str, str]:
        """The version and the isolation level; raises ClickException if nothing answers."""
        try:
            with self.connect() as connection:
                version = _first(connection, "select version()")
                for sql in (
                    "select trim(isolation_level) from stv_db_isolation_level"
                    f" where trim(db_name) = '{self.names.database}'",
                    "select database_isolation_level from svv_redshift_databases"
                    f" where database_name = '{self.names.database}'",
                ):
                    try:
                        return {"version": version, "isolation level": _first(connection, sql)}
                    except (redshift_connector.error.Error, IndexError):
                        continue
                return {"version": version, "isolation level": "not shown to this user"}
        except (redshift_connector.error.Error, OSError) as error:
            raise click.ClickException(f"no connection to the cluster: {error}") from error

    def check_s3(self) -> None:
        """Raises ClickException if objects cannot be written and deleted."""
        try:
            self.s3.put_object(Bucket=BUCKET, Key="check", Body=b"")
            self.s3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": "check"}]})
        except (BotoCoreError, ClientError) as error:
            raise click.ClickException(f"no access to {self.names.location}: {error}") from error

    def drop_schemas(self, start: str = "") -> None:
        """Drops the run's schemas, or those of them that begin with a further text."""
        start = start or self.names.name
        assert start.startswith(self.names.name)
        self._drop("schema", "select nspname from pg_namespace", start, " cascade")

    def delete_objects(self) -> None:
        """Deletes all objects under the prefix. Raises ClickException if one stays."""
        while entries := self.s3.list_objects_v2(Bucket=BUCKET).get("Contents"):
            keys = [{"Key": entry["Key"]} for entry in entries]
            answer = self.s3.delete_objects(Bucket=BUCKET, Delete={"Objects": keys})
            if errors := answer.get("Errors"):
                raise click.ClickException(f"an object cannot be deleted: {errors[0]['Code']}")

    def clear(self) -> None:
        """Removes what a test of the pipeline left."""
        self.drop_schemas()
        self.delete_objects()

    def remove(self) -> list[str]:
        """Removes everything that the run has created; what could not be removed."""
        self.drop_schemas()
        start = self.names.name
        self._drop("user", "select usename from pg_user", start)
        self._drop("group", "select groname from pg_group", start)
        self._drop("role", "select role_name from svv_roles", start)
        self.delete_objects()
        return self.left()

    def left(self) -> list[str]:
        """What exists under the run's name."""
        objects = self.s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])
        with self.connect() as connection:
            return [
                *(f"object {entry['Key']}" for entry in objects),
                *(
                    f"{kind} {name}"
                    for kind, sql in (
                        ("schema", "select nspname from pg_namespace"),
                        ("user", "select usename from pg_user"),
                        ("group", "select groname from pg_group"),
                    )
                    for name in _beginning(connection, sql, self.names.name)
                ),
            ]

    def _drop(self, kind: str, listing: str, start: str, end: str = "") -> None:
        with self.connect() as connection:
            try:
                found = list(_beginning(connection, listing, start))
            except redshift_connector.error.Error:
                return  # this user may not see them, or the stand-in has no such view
            for name in found:
                try:
                    connection.run(f'drop {kind} "{name}"{end}')
                except redshift_connector.error.Error as error:  # go on with the rest
                    click.echo(f"cannot drop {kind} {name}: {error}", err=True)


class Connection:
    """A connection of redshift_connector that translates names."""

    def __init__(self, connection: redshift_connector.Connection, names: Names) -> None:
        self._connection, self._names = connection, names
        self.autocommit = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    @property
    def autocommit(self) -> bool:
        return self._connection.autocommit

    @autocommit.setter
    def autocommit(self, value: bool) -> None:
        self._connection.autocommit = value

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *exception: object) -> None:
        self._connection.close()

    def cursor(self) -> Cursor:
        return Cursor(self._connection.cursor(), self._names)

    def run(self, sql: str) -> None:
        """Runs a statement as it is written."""
        self._connection.cursor().execute(sql)

    def rows(self, sql: str) -> list[tuple]:
        """The rows of a query as it is written, with the cluster's own names."""
        cursor = self._connection.cursor()
        cursor.execute(sql)
        return [tuple(row) for row in cursor.fetchall()]


class Cursor:
    """A cursor that translates the names in statements, rows and errors."""

    def __init__(self, cursor: redshift_connector.Cursor, names: Names) -> None:
        self._cursor, self._names = cursor, names

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)

    def execute(self, sql: str, arguments: Any = None) -> Cursor:
        try:
            self._cursor.execute(self._names.sql(sql), arguments)
        except redshift_connector.error.Error as error:
            fields = error.args[0] if error.args else ""
            if isinstance(fields, dict):
                made = sql.split()[:2]
                if fields.get("C") == _FORBIDDEN and made[0] == "create" and made[1] in (
                    *("user", "group", "role"),
                ):  # fmt: skip
                    pytest.skip(f"the database user may not create a {made[1]}")
                back = {key: self._names.back(str(value)) for key, value in fields.items()}
                raise type(error)(back) from None
            raise
        return self

    def fetchall(self) -> list[list]:
        return [[self._back(value) for value in row] for row in self._cursor.fetchall()]

    def _back(self, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        back = self._names.back(value)
        return back.ljust(len(value)) if value.endswith(" ") else back  # a blank-padded CHAR


class Objects:
    """A client of S3 in which the stand-in's bucket is a prefix of a bucket. URLs in the objects,
    as in a manifest, are translated."""

    def __init__(self, client: Any, bucket: str, prefix: str) -> None:
        self._client, self._bucket, self._prefix = client, bucket, prefix

    def __getattr__(self, method: str) -> Any:
        def call(**arguments: Any) -> Any:
            return self._back(getattr(self._client, method)(**self._there(arguments)))

        return call

    def _there(self, arguments: dict[str, Any]) -> dict[str, Any]:
        if arguments.get("Bucket") != BUCKET:
            pytest.skip("it needs a bucket of its own")
        changed = arguments | {"Bucket": self._bucket}
        if "Key" in changed:
            changed["Key"] = self._prefix + changed["Key"]
        elif "Delete" in changed:
            keys = [self._prefix + each["Key"] for each in changed["Delete"]["Objects"]]
            changed["Delete"] = {"Objects": [{"Key": key} for key in keys]}
        else:
            changed["Prefix"] = self._prefix + changed.get("Prefix", "")
        if isinstance(changed.get("Body"), bytes):
            there = f"s3://{self._bucket}/{self._prefix}".encode()
            changed["Body"] = changed["Body"].replace(f"s3://{BUCKET}/".encode(), there)
        return changed

    def _back(self, answer: dict) -> dict:
        for entry in answer.get("Contents", []):
            entry["Key"] = entry["Key"].removeprefix(self._prefix)
        return answer


def _location() -> str:
    """The S3 prefix to work under."""
    for variable in ("SPARKIFY_TEST_LOCATION", "DBT_STAGE_LOCATION"):
        location = os.environ.get(variable, "").strip()
        if location:
            if not location.startswith("s3://") or not location[5:].strip("/"):
                raise click.ClickException(f"{variable} must be s3://bucket/prefix/")
            return location.rstrip("/") + "/"
    raise click.ClickException(
        "set SPARKIFY_TEST_LOCATION, or DBT_STAGE_LOCATION, to s3://bucket/prefix/"
    )


def _region() -> str:
    """The region that boto3 is configured for."""
    try:
        return boto3.session.Session().region_name or "us-east-1"
    except BotoCoreError as error:
        raise click.ClickException(str(error)) from error


def _credentials(target: str) -> RedshiftCredentials:
    """What profiles.yml.example makes of the variables, as dbt reads it."""
    from dbt.config.runtime import load_profile
    from dbt.exceptions import DbtRuntimeError
    from dbt.flags import set_from_args
    from dbt_common.context import set_invocation_context

    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(ROOT / "profiles.yml.example", Path(folder, "profiles.yml"))
        set_invocation_context(os.environ)
        set_from_args(argparse.Namespace(PROFILES_DIR=folder), {})
        try:
            return load_profile(str(ROOT), {}, target_override=target).credentials
        except DbtRuntimeError as error:
            raise click.ClickException(" ".join(str(error).split())) from error


def _first(connection: Connection, sql: str) -> str:
    return connection.rows(sql)[0][0]


def _beginning(connection: Connection, sql: str, start: str) -> Iterator[str]:
    """The names in the first column of a query that begin with a text."""
    assert start.startswith(START)
    for (name,) in connection.rows(sql):
        if name.startswith(start):
            yield name
