"""The stand-in as a program, a Python object and a pytest plugin."""

import ast
import json
import os
import shlex
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import boto3
import psycopg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests import fake_redshift
from tests.fake_redshift import BUCKET, DATABASE, USER, FakeRedshift, PortTakenError

from .conftest import Client

_ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.standin("it is about the stand-in as a program")


@pytest.fixture
def folder():
    """A folder that PostgreSQL's user can enter."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        os.chmod(name, 0o777)
        yield Path(name)


def test_command_line(folder):
    """It prints what dbt, the loader and boto3 need, serves, and cleans up after Ctrl-C."""
    log = folder / "statements.jsonl"
    (folder / "input" / "a").mkdir(parents=True)
    (folder / "input" / "a" / "1.json").write_text('{"a": 1}')
    options = ["--port", "0", "--statement-log", str(log), "--upload", str(folder / "input")]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.fake_redshift", *options],
        cwd=_ROOT,
        env=os.environ | {"TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        text=True,
    )
    environment = {}
    for line in process.stdout:
        if line.startswith("#"):
            break
        command, assignment = shlex.split(line)
        assert command == "export"
        name, _, environment[name] = assignment.partition("=")
    assert set(environment) == {
        *("DBT_TARGET", "DBT_EVENTS_LOCATION", "DBT_SONGS_LOCATION"),
        *("DBT_REDSHIFT_HOST", "DBT_REDSHIFT_PORT", "DBT_REDSHIFT_DATABASE", "DBT_REDSHIFT_USER"),
        *("DBT_REDSHIFT_SCHEMA", "DBT_ENV_SECRET_REDSHIFT_PASSWORD", "DBT_REDSHIFT_SSLMODE"),
        *("AWS_ENDPOINT_URL_S3", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
        *("AWS_DEFAULT_REGION", "DBT_COPY_IAM_ROLE", "DBT_STAGE_LOCATION"),
    }
    assert environment["DBT_REDSHIFT_SCHEMA"] == "sparkify"
    dsn = (
        f"host={environment['DBT_REDSHIFT_HOST']} port={environment['DBT_REDSHIFT_PORT']} "
        f"user={USER} dbname={DATABASE} password={environment['DBT_ENV_SECRET_REDSHIFT_PASSWORD']}"
    )
    with psycopg.connect(dsn) as connection:
        assert connection.execute("select len('abc')").fetchone() == (3,)
    s3 = boto3.client(
        "s3",
        endpoint_url=environment["AWS_ENDPOINT_URL_S3"],
        region_name=environment["AWS_DEFAULT_REGION"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
    )
    assert s3.get_object(Bucket=BUCKET, Key="a/1.json")["Body"].read() == b'{"a": 1}'
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0
    process.stdout.close()
    assert [json.loads(line)["sql"] for line in log.open()][0:1] == ["BEGIN"]
    assert [p.name for p in folder.iterdir() if p.name.startswith("redshift-")] == []


def test_taken_port():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-m", "tests.fake_redshift", "--port", str(port)],
            cwd=_ROOT,
            capture_output=True,
            text=True,
        )
        with pytest.raises(PortTakenError, match=f"port {port} cannot be used"):
            FakeRedshift(s3_port=port).start()
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"Error: port {port} cannot be used: Address already in use; choose another with --port, "
        "or PORT= for make.\n"
    )


def test_a_copy_works_outside_the_project(tmp_path):
    """The package imports nothing but the packages that its README names."""
    package = Path(fake_redshift.__file__).parent
    imports = {
        name.partition(".")[0]
        for path in package.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module]
            if isinstance(node, ast.ImportFrom) and not node.level
            else []
        )
    }
    assert imports - sys.stdlib_module_names == {
        *("boto3", "botocore", "click", "moto", "psycopg", "pytest", "redshift_connector"),
    }
    shutil.copytree(package, tmp_path / "elsewhere")
    command = [sys.executable, "-m", "elsewhere", "--help"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Usage: python -m elsewhere")


def test_fixtures(redshift_cluster, redshift_environment, redshift_faults):
    assert os.environ["AWS_ENDPOINT_URL_S3"] == redshift_cluster.s3_endpoint
    assert os.environ["DBT_REDSHIFT_PORT"] == redshift_environment["DBT_REDSHIFT_PORT"]
    assert redshift_faults is redshift_cluster.faults


def test_postgres_ends_with_a_killed_process(folder):
    """No server is left behind, however its owner ends."""
    code = (
        "import time; from tests.fake_redshift import FakeRedshift; c = FakeRedshift(); c.start(); "
        "print('ready', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=_ROOT,
        env=os.environ | {"TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
    )
    assert process.stdout.readline() == b"ready\n"
    (data,) = folder.glob("redshift-*/data/postmaster.pid")
    server = int(data.read_text().split()[0])
    process.kill()
    process.wait()
    process.stdout.close()
    deadline = time.monotonic() + 10
    while Path(f"/proc/{server}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not Path(f"/proc/{server}").exists()


def test_data_survives_a_restart_and_a_data_folder_the_cluster(folder):
    data = folder / "data"
    with FakeRedshift(data_dir=data, password="Known123") as cluster:
        db = Client(cluster)
        db.run("create table t (a int)")
        db.run("insert into t values (1)")
        cluster.restart()
        with pytest.raises(Exception):  # noqa: B017
            db.run("select 1")
        assert Client(cluster).value("select a from t") == 1
    with FakeRedshift(data_dir=data, password="Other123", isolation="serializable") as cluster:
        db = Client(cluster)
        assert db.value("select a from t") == 1
        level = db.value("select trim(isolation_level) from stv_db_isolation_level")
        assert level == "Serializable"


def test_simple_protocol(cluster):
    """psql and other clients send several statements in one message."""
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


def test_tls(tmp_path):
    """With a certificate the proxy accepts TLS; without one it declines."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    _make_certificate(key, certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with FakeRedshift(tls=context) as cluster:
        dsn = f"host=127.0.0.1 port={cluster.port} user={USER} dbname={DATABASE}"
        with psycopg.connect(f"{dsn} sslmode=require", password=cluster.password) as connection:
            assert connection.execute("select 1").fetchone() == (1,)
            assert connection.pgconn.ssl_in_use


def test_no_tls(cluster):
    dsn = f"host=127.0.0.1 port={cluster.port} user={USER} dbname={DATABASE} sslmode=require"
    with pytest.raises(psycopg.OperationalError, match="SSL"):
        psycopg.connect(dsn, password=cluster.password)


def _make_certificate(key_file: Path, certificate_file: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
