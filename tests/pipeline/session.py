"""Runs commands of a project one after another in one process, which parses the project once.

A test that runs many commands on an unchanged project takes a Session as its runner. It shall
not be used where starting, parsing or killing a command is what is tested.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import io
import json
import socket
import sys
import tempfile
import traceback
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.pipeline.warm import Run, Runner

UNRECORDED = {"DBT_LOG_LEVEL_FILE": "none", "DBT_WRITE_JSON": "false", "DBT_QUIET": "true"}


@dataclass
class Ended:
    """A command that has run."""

    run: Run

    def wait(self) -> Run:
        """What it printed and how it ended."""
        return self.run


class Session:
    """The process, as the tests see it; it begins with the first command, in its environment."""

    def __init__(self, runner: Runner) -> None:
        self.runner = runner
        self.stream: io.TextIOWrapper | None = None

    def start(
        self, arguments: list[str], cwd: Path, environment: dict[str, str], _: None = None
    ) -> Ended:
        """Runs `load_staging.py ...` or `dbt ...`; as Runner.start, but waits for its end."""
        if self.stream is None:
            self._begin(arguments, cwd, environment)
        self.stream.write(json.dumps(arguments) + "\n")
        self.stream.flush()
        answer = self.stream.readline()
        if not answer:
            raise RuntimeError(f"the session has ended: {self.process.wait().text}")
        return Ended(Run(**json.loads(answer)))

    def close(self) -> None:
        """Ends the process."""
        if self.stream is not None:
            self.stream.close()
            self.process.wait()

    def _begin(self, arguments: list[str], cwd: Path, environment: dict[str, str]) -> None:
        target = arguments[arguments.index("--target") + 1]
        with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as server:
            address = str(Path(folder, "socket"))
            server.bind(address)
            server.listen()
            server.settimeout(60)
            self.process = self.runner.start(
                [__file__, address, target], cwd, environment | UNRECORDED
            )
            connection, _ = server.accept()
        with connection:
            self.stream = connection.makefile("rw")


def serve(address: str, target: str) -> None:
    """Runs the commands that are asked for, in the current folder."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(address)
        stream = connection.makefile("rw")
        sys.path.insert(0, str(Path.cwd()))
        import load_staging
        import loader.files
        import loader.stages

        # To make a client takes longer than what it is used for here.
        loader.files.s3_client = functools.cache(loader.files.s3_client)
        loader.stages.s3_client = loader.files.s3_client
        dbt = load_staging.Dbt(Path.cwd(), None, target, "{}")
        load_staging.Dbt = lambda *_: dbt
        gc.freeze()
        for line in stream:
            answer = run(json.loads(line), load_staging.main, dbt.manifest)
            stream.write(json.dumps(asdict(answer)) + "\n")
            stream.flush()


def run(arguments: list[str], load, manifest) -> Run:
    """Runs a command, as a process of its own would."""
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager
    from dbt.adapters.factory import reset_adapters
    from dbt.cli.main import dbtRunner

    code = 1
    with (
        contextlib.redirect_stdout(io.StringIO()) as output,
        contextlib.redirect_stderr(io.StringIO()) as errors,
    ):
        program, *options = arguments
        try:
            if program == "dbt":
                code = 0 if dbtRunner(manifest).invoke(options).success else 1
            else:
                load(options)
        except SystemExit as end:
            code = end.code or 0
        except Exception:
            traceback.print_exc()
    # What else the end of a process does: other processes may open the database.
    reset_adapters()
    DuckDBConnectionManager.close_all_connections()
    return Run(code, output.getvalue(), errors.getvalue())


if __name__ == "__main__":
    serve(*sys.argv[1:])
