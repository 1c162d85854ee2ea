"""Runs the project's commands in forks of a process that has already imported dbt.

Importing dbt takes longer than most commands of the tests. `python -m tests.pipeline.warm`
reads requests from its standard input and forks for each; the fork takes the environment, the
folder and the arguments of the command and runs it. With `pytest --plain`, PlainRunner starts
each command as an ordinary process instead.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import hashlib
import inspect
import json
import os
import resource
import runpy
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache, partial, partialmethod
from pathlib import Path

ROOT = Path(__file__).parents[2]
# A cluster for parsing alone.
NOWHERE = {
    "DBT_REDSHIFT_HOST": "none",
    "DBT_REDSHIFT_DATABASE": "none",
    "DBT_REDSHIFT_USER": "none",
    "DBT_ENV_SECRET_REDSHIFT_PASSWORD": "none",
}
TARGETS = ("local", "redshift", "redshift_iam_user", "redshift_iam_role")
COMPILED: dict[tuple, object] = {}


@dataclass
class Run:
    """What a command printed, and its exit code, which is negative if a signal ended it."""

    code: int
    output: str
    errors: str
    cpu_seconds: float = 0.0

    @property
    def text(self) -> str:
        return self.output + self.errors


class Command:
    """A running command."""

    def __init__(self, runner: Runner, request: dict):
        self.runner = runner
        self.folder = Path(request["printed"])
        self.pid: int = runner.ask(request)

    def poll(self) -> int | None:
        """Its exit code, or None while it runs."""
        return self.runner.code_of(self.pid, timeout=0)

    def kill(self) -> None:
        """Sends SIGKILL to the command and its children."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):  # it has just ended
                os.killpg(self.pid, signal.SIGKILL)

    def wait(self, timeout: float | None = None) -> Run:
        """Waits for the command to end, by default as long as the runner does. Raises
        TimeoutError."""
        timeout = timeout or self.runner.patience
        code = self.runner.code_of(self.pid, timeout)
        if code is None:
            raise TimeoutError(f"still running after {timeout} seconds: {self.errors}")
        return Run(code, self.output, self.errors, self.runner.cpu_seconds[self.pid])

    @property
    def output(self) -> str:
        """What the command has printed so far."""
        return (self.folder / "stdout").read_text()

    @property
    def errors(self) -> str:
        """What it has printed to standard error so far."""
        return (self.folder / "stderr").read_text()


class Runner:
    """The process that forks, as seen from the tests."""

    patience = 300.0  # seconds that a command may take

    def __init__(self) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="warm_")
        self.codes: dict[int, int] = {}
        self.cpu_seconds: dict[int, float] = {}
        self.started = 0
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.pipeline.warm"],
            cwd=ROOT,
            env={k: v for k, v in os.environ.items() if not k.startswith(("DBT_", "AWS_"))}
            # Killed forks leave semaphores behind.
            | {"PYTHONWARNINGS": "ignore:resource_tracker"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
        )

    def close(self) -> None:
        """Ends the process."""
        self.process.stdin.close()
        self.process.wait(60)
        self.process.stdout.close()
        self.folder.cleanup()

    def start(
        self,
        arguments: list[str],
        cwd: Path,
        environment: dict[str, str],
        file_size: int | None = None,
    ) -> Command:
        """Starts `python load_staging.py ...` or `dbt ...`, whichever the arguments begin with.

        With `file_size`, it cannot write files of more bytes, as if the disk were full.
        """
        self.started += 1
        printed = Path(self.folder.name, str(self.started))
        printed.mkdir()
        for name in ("stdout", "stderr"):
            (printed / name).touch()
        return Command(
            self,
            {
                "arguments": arguments,
                "cwd": str(cwd),
                "environment": environment,
                "file_size": file_size,
                "printed": str(printed),
            },
        )

    def ask(self, request: dict) -> int:
        """Sends a request; returns the pid of the fork."""
        self.process.stdin.write(json.dumps(request).encode() + b"\n")
        while "started" not in (message := self._receive()):
            self._note(message)
        self.codes.pop(message["started"], None)  # of an earlier process with this pid
        return message["started"]

    def code_of(self, pid: int, timeout: float) -> int | None:
        """The exit code of a fork, or None if it is still running after `timeout` seconds."""
        end = time.monotonic() + timeout
        while pid not in self.codes:
            left = max(0, end - time.monotonic())
            if not select.select([self.process.stdout], [], [], left)[0]:
                return None
            self._note(self._receive())
        return self.codes[pid]

    def _note(self, message: dict) -> None:
        self.codes[message["ended"]] = message["code"]
        self.cpu_seconds[message["ended"]] = message["cpu_seconds"]

    def _receive(self) -> dict:
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("the process that forks has ended")
        return json.loads(line)


class PlainRunner(Runner):
    """Starts each command as a process of its own, as a user does."""

    def __init__(self) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="plain_")
        self.codes: dict[int, int] = {}
        self.cpu_seconds: dict[int, float] = {}
        self.started = 0
        self.processes: dict[int, subprocess.Popen] = {}

    def close(self) -> None:
        self.folder.cleanup()

    def ask(self, request: dict) -> int:
        program, *arguments = request["arguments"]
        python = Path(sys.executable)
        command = [python.with_name("dbt")] if program == "dbt" else [python, program]
        printed = Path(request["printed"])
        with (printed / "stdout").open("w") as output, (printed / "stderr").open("w") as errors:
            process = subprocess.Popen(
                [*command, *arguments],
                cwd=request["cwd"],
                env=request["environment"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                start_new_session=True,
            )
        if size := request["file_size"]:
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (size, size))
        self.codes.pop(process.pid, None)
        self.processes[process.pid] = process
        return process.pid

    def code_of(self, pid: int, timeout: float) -> int | None:
        if pid not in self.codes:
            before = cpu_seconds(resource.RUSAGE_CHILDREN)
            try:
                self.codes[pid] = self.processes[pid].wait(timeout)
            except subprocess.TimeoutExpired:
                return None
            self.cpu_seconds[pid] = cpu_seconds(resource.RUSAGE_CHILDREN) - before
        return self.codes[pid]


def cpu_seconds(who: int) -> float:
    """The CPU time that this process, or its children, have used so far."""
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


def serve() -> dict:
    """Forks for each request. In a fork, returns the request."""
    woken, waking = os.pipe()
    os.set_blocking(waking, False)
    signal.set_wakeup_fd(waking)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    running: set[int] = set()
    while True:
        ready, _, _ = select.select([sys.stdin, woken], [], [])
        if woken in ready:
            os.read(woken, 4096)
        for pid in list(running):
            ended, status, usage = os.wait4(pid, os.WNOHANG)
            if ended:
                running.remove(pid)
                code, seconds = os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime
                send({"ended": pid, "code": code, "cpu_seconds": seconds})
        if sys.stdin in ready:
            line = sys.stdin.readline()
            if not line:
                for pid in running:
                    os.killpg(pid, signal.SIGKILL)
                os._exit(0)
            pid = os.fork()
            os.setpgid(pid, pid or 0)
            if not pid:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                os.close(woken)
                os.close(waking)
                return json.loads(line)
            running.add(pid)
            send({"started": pid})


def send(message: dict) -> None:
    """Sends a message to the tests."""
    os.write(1, json.dumps(message).encode() + b"\n")


def warm_up() -> None:
    """Imports what the commands import and has dbt parse the project: the first time is slow."""
    import dbt.adapters.duckdb
    import dbt.adapters.redshift
    import dbt.cli.main
    import dbt.task.build
    import dbt.task.docs.generate
    import dbt.task.freshness
    import dbt.task.retry
    import parsedatetime
    import sqlparse
    from dbt_common.behavior_flags import BehaviorFlagRendered
    from dbt_common.clients.jinja import template_cache
    from dbt_common.events.event_manager import EventManager
    from jinja2 import Environment

    EventManager.fire_event = partialmethod(fire_event, EventManager.fire_event)
    parsedatetime.Constants = cache(parsedatetime.Constants)  # made for each column of each result
    Environment.compile = partialmethod(compiled, Environment.compile)
    # Each start would search all modules, for the text of a message about each flag.
    BehaviorFlagRendered._default_source = staticmethod(lambda: "an adapter")
    show_frames_alone()
    sqlparse.split = partial(statements, split=lru_cache(1000)(sqlparse.split))
    os.environ.update(NOWHERE)
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(ROOT / "profiles.yml.example", Path(folder, "profiles.yml"))
        options = ["--project-dir", str(ROOT), "--profiles-dir", folder, "--target-path", folder]
        options.append("--no-static-parser")  # it starts threads, which forks do not inherit
        for target in ("redshift", "local", "local"):  # the last from the saved manifest
            done = dbt.cli.main.dbtRunner().invoke(
                ["--quiet", "parse", "--target", target, *options]
            )
            assert done.success, done.exception
            for macro in done.result.macros.values():
                template_cache.get_node_template(macro)


def show_frames_alone() -> None:
    """Makes inspect.stack return frames without source lines. redshift_connector calls it for each
    connection and needs only the frames; the lines take a search through all modules."""
    inspect.stack = lambda: [(frame,) for frame, _ in traceback.walk_stack(sys._getframe(1))]


def fire_event(manager, fire: Callable, event, level=None, *rest, **options) -> None:
    """Fires an event of dbt, but no debug event that nobody logs: building their messages takes a
    quarter of a run. Those of macros stay, since load_staging.py reads them."""
    if (
        (level or event.level_tag()) != "debug"
        or type(event).__name__ == "JinjaLogDebug"
        or any(logger.level == "debug" for logger in manager.loggers)
    ):
        fire(manager, event, level, *rest, **options)


def compiled(environment, compile: Callable, source, *rest, **options):
    """The code of a template, compiled once per kind of environment."""
    key = (type(environment), source, *rest, *options.items())
    if key not in COMPILED:
        COMPILED[key] = compile(environment, source, *rest, **options)
    return COMPILED[key]


def statements(sql: str, split: Callable[[str], list[str]]) -> list[str]:
    """The statements of a text, which mostly has one. dbt-redshift splits all that it sends, and
    sqlparse takes a quarter of a run for it."""
    one = sql.strip()
    return split(sql) if not one or ";" in one[:-1] else [one]


def become(request: dict) -> None:
    """Runs the command in this process and ends it."""
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["environment"])
    if size := request["file_size"]:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    printed = Path(request["printed"])
    for number, path, flags in (
        (0, Path(os.devnull), os.O_RDONLY),
        (1, printed / "stdout", os.O_WRONLY),
        (2, printed / "stderr", os.O_WRONLY),
    ):
        descriptor = os.open(path, flags)
        os.dup2(descriptor, number)
        os.close(descriptor)
    code = 0
    try:
        with keep_parsed(request):
            run(request["arguments"])
    except SystemExit as ended:
        code = ended.code or 0
    except BaseException:
        traceback.print_exc()
        code = 1
    # sys.exit() would tear the interpreter down, which takes as long as some commands.
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


@contextlib.contextmanager
def keep_parsed(request: dict) -> Iterator[None]:
    """Keeps dbt's saved manifest for each target and environment. dbt has one in all, and parses
    the project again whenever a variable differs from the last run's."""
    variables = [item for item in request["environment"].items() if item[0].startswith("DBT_")]
    targets = [word for word in request["arguments"] if word in TARGETS]
    key = hashlib.md5(json.dumps([targets, sorted(variables)]).encode()).hexdigest()
    saved, kept = Path("target/partial_parse.msgpack"), Path("target/parsed", key).resolve()
    if kept.exists():
        os.environ["DBT_PARTIAL_PARSE_FILE_PATH"] = str(kept)
    before = saved.stat().st_mtime_ns if saved.exists() else 0
    try:
        yield
    finally:
        if saved.exists() and saved.stat().st_mtime_ns != before:
            kept.parent.mkdir(exist_ok=True)
            new = kept.with_suffix(f".{os.getpid()}")
            shutil.copyfile(saved, new)
            new.replace(kept)


def run(arguments: list[str]) -> None:
    """Runs `dbt ...` or a script."""
    program, *_ = sys.argv = arguments
    if program == "dbt":
        from dbt.cli.main import cli

        cli()
    else:
        sys.path[0] = str(Path(program).resolve().parent)
        # Processes that it spawns import this first.
        main = sys.modules["__main__"]
        main.__spec__, main.__file__ = None, str(Path(program).resolve())
        runpy.run_path(program, run_name="__main__")


if __name__ == "__main__":
    warm_up()
    gc.disable()  # commands are short
    become(serve())
