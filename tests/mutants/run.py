"""Tries each mutation of mutations.py in a copy of the project, and checks that a test fails.

    python -m tests.mutants.run [TEXT...]

With TEXT, only mutations of files whose path contains it. For a model or a macro, dbt's unit tests
run on DuckDB; for the loader, its own tests; where these cannot notice, some pipeline tests. Exits
with 1 if a mutation survives, and raises if one cannot be tried.
"""

from __future__ import annotations

import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from .mutations import MORE_TESTS, MUTATIONS, ROOT, Mutation

LEFT_OUT = (".*", "target", "logs", "__pycache__", "*.duckdb*", "benchmarks")
LOADER_TESTS = "tests/test_loader"
MOST_BYTES = 8 * 1024**3  # of memory, for a mutation that never stops allocating
ENDLESS_SECONDS = 180  # ten times what the tests of a file take
UNNOTICED = ""

worker: Worker


@dataclass
class Worker:
    """A process with its own copy of the project."""

    folder: Path

    def try_out(self, mutation: Mutation) -> tuple[str, float]:
        """The test that notices a mutation, or UNNOTICED; and the seconds it took."""
        began, path = time.monotonic(), self.folder / mutation.file
        unchanged = path.read_text(encoding="utf-8")
        path.write_text(mutation.made_in(unchanged), encoding="utf-8")
        try:
            return self.noticed_by(mutation.file), time.monotonic() - began
        except RuntimeError as error:
            raise RuntimeError(f"{mutation} cannot be tried: {error}") from error
        finally:
            path.write_text(unchanged, encoding="utf-8")

    def noticed_by(self, file: str) -> str:
        """The first failing test of a file."""
        more = MORE_TESTS.get(file, [])
        if file.startswith("loader/"):
            own = f"{LOADER_TESTS}/test_{Path(file).stem}.py"
            rest = f"{LOADER_TESTS}/test_rows.py"
            return self.failing_pytest(own if Path(own).exists() else rest, *more)
        models = [Path(file).stem] if file.startswith("models/") else []
        if (models or not more) and (failing := self.failing_unit_test(*models)):
            return failing
        return self.failing_pytest(*more) if more else UNNOTICED

    def failing_unit_test(self, *models: str) -> str:
        """The name of a failing unit test, of some models or of all."""
        from dbt.cli.main import dbtRunner

        selected = ",".join([*models, "test_type:unit"])
        run = dbtRunner().invoke(["--log-level", "none", "test", "--select", selected])
        if run.exception:
            raise run.exception
        for result in run.result.results:
            if result.status not in ("success", "pass", "fail"):
                raise RuntimeError(f"{result.node.name}: {result.message}")
        return next((r.node.name for r in run.result.results if r.status == "fail"), UNNOTICED)

    def failing_pytest(self, *tests: str) -> str:
        """The first failing test of pytest."""
        command = [sys.executable, "-m", "pytest", "-q", "-x", "--no-header", "--tb=no", "-rf"]
        environment = {k: v for k, v in os.environ.items() if not k.startswith("DBT_")}
        try:
            run = subprocess.run(
                [*command, *tests],
                cwd=self.folder,
                env=environment,
                capture_output=True,
                text=True,
                timeout=ENDLESS_SECONDS,
            )
        except subprocess.TimeoutExpired:
            return "a test that does not end"
        failed = re.search(r"^FAILED \S+::(\S+)", run.stdout, re.MULTILINE)
        if run.returncode and not failed:
            raise RuntimeError(run.stdout + run.stderr)
        return failed[1] if failed else UNNOTICED


def start(original: Path) -> None:
    """Makes this process a worker."""
    global worker
    resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))
    folder = original.with_name(str(os.getpid()))
    shutil.copytree(original, folder)
    os.chdir(folder)
    worker = Worker(folder)


def try_out(mutation: Mutation) -> tuple[str, float]:
    return worker.try_out(mutation)


def without_mutation() -> str:
    """A test that fails without any mutation."""
    more = dict.fromkeys(test for tests in MORE_TESTS.values() for test in tests)
    return (
        worker.failing_unit_test()
        or worker.failing_pytest(LOADER_TESTS)
        or worker.failing_pytest(*more)
    )


def make_original(folder: Path) -> None:
    """Makes a copy of the project and loads and builds the sample in it."""
    shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(*LEFT_OUT))
    shutil.copy(ROOT / "profiles.yml.example", folder / "profiles.yml")
    dbt = str(Path(sys.executable).with_name("dbt"))
    build = [dbt, "--quiet", "build", "--resource-type", "seed", "--resource-type", "model"]
    for command in ([sys.executable, "load_staging.py"], build):
        subprocess.run(command, cwd=folder, check=True, stdout=sys.stderr)


def main(*texts: str) -> int:
    for name in [name for name in os.environ if name.startswith("DBT_")]:
        del os.environ[name]
    os.environ |= {"DBT_WRITE_JSON": "false", "DBT_LOG_LEVEL_FILE": "none"}
    chosen = [each for each in MUTATIONS if not texts or any(text in each.file for text in texts)]
    survivors = 0
    with tempfile.TemporaryDirectory(prefix="mutants_") as folder:
        original = Path(folder, "original")
        make_original(original)
        with ProcessPoolExecutor(os.cpu_count(), get_context("spawn"), start, (original,)) as pool:
            if failing := pool.submit(without_mutation).result():
                raise RuntimeError(f"{failing} fails without a mutation")
            found = pool.map(try_out, chosen)
            for mutation, (noticed_by, seconds) in zip(chosen, found, strict=True):
                survivors += noticed_by == UNNOTICED
                print(f"{noticed_by or 'SURVIVED':45} {seconds:4.1f}s  {mutation}", flush=True)
    print(f"{len(chosen)} mutations, {survivors} survived")
    return 1 if survivors or not chosen else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
