"""A whole stand-in: PostgreSQL, the proxy and an S3 endpoint, started and stopped together."""

import asyncio
import logging
import os
import secrets
import shutil
import socket
import ssl
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3
import psycopg
from moto.server import ThreadedMotoServer
from psycopg import sql

from . import environment
from .backend_pool import BackendPool
from .constants import BUCKET, DATABASE, USER
from .copy_runner import ERROR_STYLES
from .derived_types import FUNCTIONS
from .faults import Faults
from .long_names import LongNames
from .postgres import PostgresServer, is_open_to_all
from .proxy import Proxy
from .shared_state import SharedState
from .statement_log import LoggedStatement
from .system_log import SystemLog

_SQL = Path(__file__).parent / "sql"
_SCRIPTS = (
    *("functions", "semantics", "decimals", "keys"),
    *("materialized_views", "catalog", "system_tables"),
)
_ISOLATION = {"snapshot": "repeatable read", "serializable": "serializable"}
_POWERS = "pg_read_all_data, pg_write_all_data, pg_monitor, pg_signal_backend"
_DATABASE_SETTINGS = {
    "standard_conforming_strings": "off",
    "escape_string_warning": "off",
    "backslash_quote": "on",
    "timezone": "UTC",
    "datestyle": "ISO, MDY",
    "client_min_messages": "notice",
}


class PortTakenError(Exception):
    """The stand-in cannot listen on the port that it was given."""

    def __init__(self, port: int, reason: str) -> None:
        super().__init__(f"port {port} cannot be used: {reason}")
        self.port = port


class FakeRedshift:
    """A local stand-in for one Amazon Redshift cluster and its S3.

    Use it as a context manager, or call start and stop. A port of 0 means any free port.

    port, s3_port: where the proxy and the S3 endpoint listen, on `host`.
    data_dir: a folder to keep the database in; without one it is removed at the end.
    s3_endpoint: an S3 endpoint that already runs; without one, moto's server is started.
    isolation: 'snapshot' or 'serializable', the database's isolation level.
    error_style: 'provisioned' or 'serverless', the wording of a failed COPY.
    tls: a server-side SSLContext; without one, requests for TLS are declined.
    on_statement: called with every LoggedStatement as it ends.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        s3_port: int = 0,
        data_dir: Path | str | None = None,
        s3_endpoint: str | None = None,
        region: str = "us-west-2",
        password: str | None = None,
        isolation: str = "snapshot",
        error_style: str = "provisioned",
        tls: ssl.SSLContext | None = None,
        on_statement: Callable[[LoggedStatement], None] | None = None,
    ) -> None:
        if error_style not in ERROR_STYLES:
            raise ValueError(f"error_style must be one of {ERROR_STYLES}")
        if isolation not in _ISOLATION:
            raise ValueError(f"isolation must be one of {tuple(_ISOLATION)}")
        self.host, self.port, self.s3_port = host, port, s3_port
        self.region, self.isolation, self.error_style = region, isolation, error_style
        self.password = password or "Fake" + secrets.token_hex(8) + "1"
        self.faults = Faults()
        self.statements: list[LoggedStatement] = []
        self._data_dir = Path(data_dir).absolute() if data_dir else None
        self._s3_endpoint = s3_endpoint
        self._tls = tls
        self._on_statement = on_statement
        self._moto: ThreadedMotoServer | None = None
        self._folder: Path | None = None

    def __enter__(self) -> "FakeRedshift":
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start PostgreSQL, S3 and the proxy; returns when clients can connect.

        Raises PortTakenError.
        """
        self._check_ports()
        try:
            self._folder = Path(tempfile.mkdtemp(prefix="redshift-", dir=_temporary_folder()))
            self._postgres = PostgresServer(self._folder, self._data_dir)
            self._postgres.start()
            self._create_database()
            self._start_s3()
            self._threads = ThreadPoolExecutor(32, thread_name_prefix="fake-redshift")
            self._start_proxy()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop everything and remove the temporary folder."""
        self._stop_proxy()
        if self._moto is not None:
            self._moto.stop()
            self._moto = None
        if self._folder is not None:
            self._postgres.stop()
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def restart(self) -> None:
        """Restart the database on the same port: every session ends, the data stays."""
        self._stop_proxy()
        self._postgres.stop()
        self._postgres.start()
        self._threads = ThreadPoolExecutor(32, thread_name_prefix="fake-redshift")
        self._start_proxy()

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which dbt's profile and boto3 find this cluster."""
        return environment.connection(self)

    @property
    def shell_exports(self) -> dict[str, str]:
        """What the command prints: also dbt's target and the locations of the input."""
        return environment.shell_exports(self)

    @property
    def s3_endpoint(self) -> str:
        """The URL of the S3 endpoint that COPY reads from."""
        return self._s3_endpoint or f"http://{self.host}:{self.s3_port}"

    @cached_property
    def s3(self) -> Any:
        """A boto3 client of that endpoint, safe to share between threads. BUCKET exists."""
        return boto3.session.Session().client(
            "s3",
            endpoint_url=self.s3_endpoint,
            region_name=self.region,
            aws_access_key_id=os.environ.get("AWS_ACCESS_KEY_ID", "fake"),
            aws_secret_access_key=os.environ.get("AWS_SECRET_ACCESS_KEY", "fake"),
        )

    def connect(self, user: str = USER, password: str | None = None) -> Any:
        """A connection of redshift_connector in which each statement is a transaction."""
        import redshift_connector  # Only this method needs it.

        connection = redshift_connector.connect(
            host=self.host,
            port=self.port,
            database=DATABASE,
            user=user,
            password=password or self.password,
            ssl=False,
        )
        connection.autocommit = True
        return connection

    def admin(self) -> psycopg.Connection:
        """A connection to PostgreSQL itself, past the proxy, as its superuser."""
        return self._postgres.connect(DATABASE)

    @contextmanager
    def copying_with(self, s3: Any) -> Iterator[None]:
        """COPY reads S3 with another client meanwhile, such as one with a role's credentials."""
        shared = self._proxy.shared
        own, shared.s3 = shared.s3, s3
        try:
            yield
        finally:
            shared.s3 = own

    def upload(self, folder: Path) -> None:
        """Copy a folder's files into the bucket, with their paths in the folder as keys."""
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                self.s3.upload_file(str(path), BUCKET, path.relative_to(folder).as_posix())

    def _check_ports(self) -> None:
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        for port in (self.port, 0 if self._s3_endpoint else self.s3_port):
            with socket.socket(family) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind((self.host, port))
                except OSError as error:
                    raise PortTakenError(port, error.strerror or str(error)) from error

    def _create_database(self) -> None:
        with self._postgres.connect() as connection:
            names = connection.execute("select datname from pg_database").fetchall()
            is_new = (DATABASE,) not in names
            if is_new:
                connection.execute(f"create role {USER} login createdb createrole")
                connection.execute(f"grant {_POWERS} to {USER}")
                connection.execute(f"create database {DATABASE} owner {USER}")
            connection.execute(
                sql.SQL("alter role {} password {}").format(sql.Identifier(USER), self.password)
            )
            isolation = {"default_transaction_isolation": _ISOLATION[self.isolation]}
            for name, value in (_DATABASE_SETTINGS | isolation).items():
                connection.execute(f"alter database {DATABASE} set {name} = '{value}'")
        if not is_new:
            return
        with self._postgres.connect(DATABASE, options="-callow_system_table_mods=on") as connection:
            connection.execute("grant create on schema public to public")
            connection.execute(f"grant all on database {DATABASE} to public")
            for name in _SCRIPTS:
                connection.execute((_SQL / f"{name}.sql").read_text())

    def _start_s3(self) -> None:
        if self._s3_endpoint is None:
            logging.getLogger("werkzeug").setLevel(logging.ERROR)
            self._moto = ThreadedMotoServer(self.host, self.s3_port, verbose=False)
            self._moto.start()
            _, self.s3_port = self._moto.get_host_and_port()
        s3 = self.s3
        if BUCKET not in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]:
            location = {"LocationConstraint": self.region}
            extra = {} if self.region == "us-east-1" else {"CreateBucketConfiguration": location}
            s3.create_bucket(Bucket=BUCKET, **extra)

    def _start_proxy(self) -> None:
        self._log = SystemLog(self.admin())
        with self.admin() as connection:
            functions = dict(connection.execute(FUNCTIONS).fetchall())
        shared = SharedState(
            backends=BackendPool(self._postgres.socket),
            database=DATABASE,
            region=self.region,
            error_style=self.error_style,
            s3=self.s3,
            log=self._log,
            faults=self.faults,
            statements=self.statements,
            names=LongNames(self._folder / "long_names.json"),
            functions=functions,
            threads=self._threads,
            on_statement=self._on_statement,
            tls=self._tls,
        )
        self._proxy = Proxy(shared, self.host, self.port)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._proxy.start(), self._loop).result(30)
        self.port = self._proxy.port

    def _stop_proxy(self) -> None:
        if getattr(self, "_thread", None) is None:
            return
        asyncio.run_coroutine_threadsafe(self._proxy.stop(), self._loop).result(30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)
        self._loop.close()
        self._threads.shutdown(wait=True, cancel_futures=True)
        self._log.close()
        self._thread = None


def _temporary_folder() -> str | None:
    """Where to make the temporary folder; None for the usual place. In it a socket's path must not
    be too long, and the user that PostgreSQL runs as must be able to enter it."""
    usual = Path(tempfile.gettempdir())
    fits = len(str(usual)) < 60 and (os.geteuid() != 0 or is_open_to_all(usual))
    return None if fits else "/tmp"
