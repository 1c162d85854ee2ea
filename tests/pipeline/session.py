"""Runs commands of a project one after another in one process, which parses the project once.

What the tests run to its end goes there, unless the test has changed the project, its environment
or the target; see Session.takes. What they start, to kill it or beside another, is a process of
its own.
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

from tests.pipeline.warm import Run, Runner

# Commands of dbt that do as they would if they parsed the project by themselves, and options that
# ask for a process of its own.
COMMANDS = {"build", "compile", "ls", "run-operation", "test"}
NOT_TAKEN = {"--vars", "--project-dir", "--profiles-dir", "--state", "--dry-run"}


class Session:
    """The process, as the tests see it; it begins with the first command."""

    def __init__(
        self, runner: Runner, folder: Path, environment: dict[str, str], target: str
    ) -> None:
        self.runner, self.folder, self.target = runner, folder, target
        self.environment = dict(environment)
        self.stream: io.TextIOWrapper | None = None

    def takes(self, arguments: list[str], cwd: Path, environment: dict[str, str]) -> bool:
        """Whether it does what a process of its own would, if the project is as it was."""
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
    """Runs the commands that are asked for, in the current folder."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(address)
        stream = connection.makefile("rw")
        sys.path.insert(0, str(Path.cwd()))
        del sys.modules["__main__"].__file__  # which processes that are started need not import
        import loader.command

        dbt = loader.command.Dbt(Path.cwd(), None, target, "{}")
        loader.command.Dbt = lambda *_: dbt
        gc.freeze()
        for number, line in enumerate(stream):
            if number % 20 == 19:  # 20 MB each
                gc.collect()
            answer = run(json.loads(line), loader.command.main, dbt.manifest)
            stream.write(json.dumps(asdict(answer)) + "\n")
            stream.flush()


def run(arguments: list[str], load, manifest) -> Run:
    """Runs a command, as a process of its own would."""
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager
    from dbt.adapters.factory import reset_adapters
    from dbt.cli.main import dbtRunner

    code, began, environment = 1, cpu_seconds(), dict(os.environ)
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
    os.environ.clear()
    os.environ.update(environment)
    return Run(code, output.getvalue(), errors.getvalue(), cpu_seconds() - began)


def cpu_seconds() -> float:
    """What this process has used so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    serve(*sys.argv[1:])
