"""Runs a project's commands one after another in one process, which parses the project once.

Project.run sends commands here unless the test has changed the project, its environment or the
target; see Session.takes. Commands that a test starts, to kill them or to run two at once, are
processes of their own.
"""

from __future__ import annotations

import contextlib
import gc
import io
import json
import os
import resource
import socket
import sys
import tempfile
import traceback
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path

from tests.pipeline.warm import Run, Runner, cpu_seconds

# The dbt commands that work with a manifest from outside, and the options that need a process of
# their own.
COMMANDS = {"build", "compile", "ls", "run-operation", "test"}
NOT_TAKEN = {"--vars", "--project-dir", "--profiles-dir", "--state", "--dry-run"}


class Session:
    """The process, as seen from the tests. The first command starts it."""

    def __init__(
        self, runner: Runner, folder: Path, environment: dict[str, str], target: str
    ) -> None:
        self.runner, self.folder, self.target = runner, folder, target
        self.environment = dict(environment)
        self.stream: io.TextIOWrapper | None = None

    def takes(self, arguments: list[str], cwd: Path, environment: dict[str, str]) -> bool:
        """Whether a command can run here, if the project is unchanged."""
        program, *options = arguments
        targets = [value for option, value in pairwise(options) if option == "--target"]
        return (
            (cwd, environment) == (self.folder, self.environment)
            and set(targets or ["local"]) == {self.target}
            and (program == "load_staging.py" or not COMMANDS.isdisjoint(options))
            and NOT_TAKEN.isdisjoint(options)
        )

    def run(self, arguments: list[str]) -> Run:
        """Runs `load_staging.py ...` or `dbt ...`. Raises RuntimeError if the process ends."""
        if self.stream is None:
            self._begin()
        self.stream.write(json.dumps(arguments) + "\n")
        self.stream.flush()
        answer = self.stream.readline()
        if not answer:
            self.stream = None
            raise RuntimeError(f"the session has ended: {self.process.wait().text}")
        return Run(**json.loads(answer))

    def close(self) -> None:
        """Ends the process."""
        if self.stream is not None:
            self.stream.close()
            self.process.wait()

    def _begin(self) -> None:
        with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as server:
            address = str(Path(folder, "socket"))
            server.bind(address)
            server.listen()
            server.settimeout(60)
            self.process = self.runner.start(
                [__file__, address, self.target], self.folder, self.environment
            )
            connection, _ = server.accept()
        with connection:
            self.stream = connection.makefile("rw")


def serve(address: str, target: str) -> None:
    """Runs the requested commands, in the current folder."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(address)
        stream = connection.makefile("rw")
        sys.path.insert(0, str(Path.cwd()))
        del sys.modules["__main__"].__file__  # so that spawned processes do not import it
        import loader.command

        dbt = loader.command.Dbt(Path.cwd(), None, target, "{}")
        loader.command.Dbt = lambda *_: dbt
        gc.freeze()
        for number, line in enumerate(stream):
            if number % 20 == 19:  # each leaves 20 MB
                gc.collect()
            answer = run(json.loads(line), loader.command.main, dbt.manifest)
            stream.write(json.dumps(asdict(answer)) + "\n")
            stream.flush()


def run(arguments: list[str], load, manifest) -> Run:
    """Runs a command with the result that a process of its own would have."""
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager
    from dbt.adapters.factory import reset_adapters
    from dbt.cli.main import dbtRunner

    code, environment = 1, dict(os.environ)
    began = cpu_seconds(resource.RUSAGE_SELF)
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
    # As at the end of a process: other processes may now open the database.
    reset_adapters()
    DuckDBConnectionManager.close_all_connections()
    os.environ.clear()
    os.environ.update(environment)
    seconds = cpu_seconds(resource.RUSAGE_SELF) - began
    return Run(code, output.getvalue(), errors.getvalue(), seconds)


if __name__ == "__main__":
    serve(*sys.argv[1:])
