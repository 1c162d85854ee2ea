"""The stand-in as a program and as a Python object."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from tests.fake_redshift import DATABASE, USER, FakeRedshift

from .conftest import Client

_ROOT = Path(__file__).parents[2]


def test_command_line(tmp_path):
    """Prints what dbt and boto3 need, serves, and cleans up after Ctrl-C."""
    log = tmp_path / "statements.jsonl"
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.fake_redshift", "--port", "0", "--statement-log", str(log)],
        cwd=_ROOT,
        env=os.environ | {"TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        text=True,
    )
    environment = {}
    for line in process.stdout:
        if line.startswith("#"):
            break
        name, _, value = line.removeprefix("export ").strip().partition("=")
        environment[name] = value
    assert set(environment) == {
        *("DBT_REDSHIFT_HOST", "DBT_REDSHIFT_PORT", "DBT_REDSHIFT_DATABASE", "DBT_REDSHIFT_USER"),
        *("DBT_REDSHIFT_SCHEMA", "DBT_ENV_SECRET_REDSHIFT_PASSWORD", "DBT_REDSHIFT_SSLMODE"),
        *("AWS_ENDPOINT_URL_S3", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
        *("AWS_DEFAULT_REGION", "DBT_COPY_IAM_ROLE", "DBT_STAGE_LOCATION"),
    }
    dsn = (
        f"host={environment['DBT_REDSHIFT_HOST']} port={environment['DBT_REDSHIFT_PORT']} "
        f"user={USER} dbname={DATABASE} password={environment['DBT_ENV_SECRET_REDSHIFT_PASSWORD']}"
    )
    with psycopg.connect(dsn) as connection:
        assert connection.execute("select len('abc')").fetchone() == (3,)
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0
    process.stdout.close()
    assert [json.loads(line)["sql"] for line in log.open()][0:1] == ["BEGIN"]
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith("redshift-")] == []


def test_data_outlives_a_restart_and_a_data_folder_the_cluster(tmp_path):
    tmp_path.chmod(0o755)
    for parent in list(tmp_path.parents)[:3]:
        if parent.owner() == tmp_path.owner() and parent != Path("/tmp"):
            parent.chmod(0o755)
    folder = tmp_path / "data"
    with FakeRedshift(data_dir=folder, password="Known123") as cluster:
        db = Client(cluster)
        db.run("create table t (a int)")
        db.run("insert into t values (1)")
        cluster.restart()
        with pytest.raises(Exception):  # noqa: B017
            db.run("select 1")
        assert Client(cluster).value("select a from t") == 1
    with FakeRedshift(data_dir=folder, password="Other123", isolation="serializable") as cluster:
        db = Client(cluster)
        assert db.value("select a from t") == 1
        level = db.value("select trim(isolation_level) from stv_db_isolation_level")
        assert level == "Serializable"


def test_simple_protocol(cluster):
    """psql and the like send several statements in one message."""
    db = Client(cluster)
    cluster.s3.put_object(Bucket="fake-redshift", Key="simple", Body=b'{"a":1}')
    with psycopg.connect(
        host=cluster.host, port=cluster.port, user=USER, dbname=DATABASE,
        password=cluster.password, autocommit=True,
    ) as connection:  # fmt: skip
        connection.execute(
            "create table simple (a int); begin; copy simple from 's3://fake-redshift/simple' "
            "iam_role default json 'auto'; insert into simple values (2); commit; "
            "select count(*) from simple",
        )
        with pytest.raises(psycopg.errors.Error, match="string_agg"):
            connection.execute("select 1; select string_agg('a', 'b'); drop table simple")
        assert connection.execute("select count(*) from simple").fetchone() == (2,)
    db.run("drop table simple")
    db.close()


def test_admin_sees_the_same_data(db, cluster):
    db.run("create table seen (a int)")
    with cluster.admin() as admin:
        assert admin.execute(f"select count(*) from {db.schema}.seen").fetchone() == (0,)
