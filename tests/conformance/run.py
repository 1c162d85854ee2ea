"""Run dbt-redshift's functional tests against the stand-in: `python -m tests.conformance.run`.

They were written for Redshift itself, so they judge the stand-in independently. Their source comes
from PyPI; they run in a virtual environment of their own.

Exits with 1 if a test fails that is not in EXPECTED_FAILURES, or if one of these passes.
"""

import json
import os
import shutil
import subprocess
import sys
import tarfile
import time
import venv
from collections import Counter
from pathlib import Path

import click

from tests.fake_redshift import DATABASE, USER, FakeRedshift

from .expectations import EXPECTED_FAILURES, NEEDS, NOT_APPLICABLE, PACKAGE

_FOLDER = Path(__file__).parents[2] / "target" / "conformance"
_TESTS = "tests/functional/"
_NAMES = [(kind, f"dbt_test_{kind}_{n}") for kind in ("user", "group") for n in (1, 2, 3)]
# One test creates this database and expects to be told that it exists.
_OTHER_DATABASE = "db_for_test__do_delete_if_you_see_this"
_RANK = {"passed": 0, "skipped": 1, "failed": 2}


@click.command()
@click.option("--folder", type=click.Path(path_type=Path), default=_FOLDER, help="Work here.")
@click.option("--processes", default=2, show_default=True, help="Tests at the same time.")
@click.option("--show", is_flag=True, help="Print the end of each unexpected failure.")
@click.argument("tests", nargs=-1)
def main(folder: Path, processes: int, show: bool, tests: tuple[str, ...]) -> None:
    """Run dbt-redshift's functional tests, or only TESTS, against the stand-in.

    TESTS are paths below tests/functional, such as adapter/test_basic.py::TestEmptyRedshift.
    """
    started = time.monotonic()
    python = prepare(folder)
    outcomes, texts = run(python, folder, processes, tests)
    is_good = report(outcomes, texts if show else {})
    click.echo(f"{time.monotonic() - started:.0f} s")
    sys.exit(0 if is_good else 1)


def prepare(folder: Path) -> Path:
    """Fetch the source and the packages unless they are there; the Python that has them."""
    python = folder / "venv" / "bin" / "python"
    pip = [python, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    if not (folder / "source" / "tests").exists():
        shutil.rmtree(folder, ignore_errors=True)
        venv.create(folder / "venv", with_pip=True)
        subprocess.run([*pip, "install", PACKAGE, *NEEDS], check=True)
        sdist = ["download", "--no-deps", "--no-binary", ":all:", "--dest", folder, PACKAGE]
        subprocess.run([*pip, *sdist], check=True)
        (archive,) = folder.glob("*.tar.gz")
        with tarfile.open(archive) as packed:
            packed.extractall(folder, filter="data")
        (folder / archive.name.removesuffix(".tar.gz")).rename(folder / "source")
    shutil.copy(
        Path(__file__).with_name("functional_conftest.py"),
        folder / "source" / _TESTS / "conftest.py",
    )
    return python


def run(
    python: Path, folder: Path, processes: int, tests: tuple[str, ...]
) -> tuple[dict[str, str], dict[str, str]]:
    """The outcome of each test, and the output of those that failed."""
    results = folder / "results.jsonl"
    results.unlink(missing_ok=True)
    command = [
        *(python, "-m", "pytest", "--quiet", "--no-header", "--no-summary", "--tb=short"),
        *("--override-ini=addopts=", "-p", "no:cacheprovider", "-p", "no:warnings"),
        *("--numprocesses", str(processes), "--dist", "loadscope"),
        *(f"--deselect={_TESTS}{test}" for test in NOT_APPLICABLE),
        *(_TESTS + test for test in tests or [""]),
    ]
    with FakeRedshift() as cluster, cluster.admin() as admin:
        for kind, name in _NAMES:
            admin.execute(f"create {kind} {name}")
        admin.execute(f"create database {_OTHER_DATABASE}")
        environment = {
            "REDSHIFT_TEST_HOST": cluster.host,
            "REDSHIFT_TEST_PORT": str(cluster.port),
            "REDSHIFT_TEST_DBNAME": DATABASE,
            "REDSHIFT_TEST_USER": USER,
            "REDSHIFT_TEST_PASS": cluster.password,
            "CONFORMANCE_RESULTS": str(results),
            **{name.upper(): name for _, name in _NAMES},
        }
        subprocess.run(command, cwd=folder / "source", env=os.environ | environment)
    return read(results)


def read(results: Path) -> tuple[dict[str, str], dict[str, str]]:
    """The worst outcome of each test's phases, and the output of those that failed."""
    outcomes: dict[str, str] = {}
    texts: dict[str, str] = {}
    for line in results.read_text().splitlines():
        phase = json.loads(line)
        test, outcome = phase["test"].removeprefix(_TESTS), phase["outcome"]
        outcomes[test] = max(outcomes.get(test, "passed"), outcome, key=_RANK.get)
        if outcome == "failed":
            texts.setdefault(test, phase["text"])
    return outcomes, texts


def report(outcomes: dict[str, str], texts: dict[str, str]) -> bool:
    """Print the figures and all unexpected outcomes; whether there are none."""
    count = Counter(outcomes.values())
    applicable = count["passed"] + count["failed"]
    click.echo(
        f"\n{count['passed']} of {applicable} applicable tests pass "
        f"({100 * count['passed'] / max(applicable, 1):.1f}%); "
        f"{count['skipped']} are skipped by dbt-redshift itself"
    )
    listed = {test for test in outcomes if _reason(test)}
    surprises = sorted(t for t, o in outcomes.items() if o == "failed" and t not in listed)
    wrongly_listed = sorted(t for t in listed if outcomes[t] == "passed")
    for test in sorted(t for t in listed if outcomes[t] == "failed"):
        click.echo(f"fails as expected: {test}: {_reason(test)}")
    for test in surprises:
        click.echo(f"FAILS: {test}")
        if test in texts:
            click.echo("    " + "\n    ".join(texts[test].splitlines()[-25:]))
    for test in wrongly_listed:
        click.echo(f"PASSES, but is listed as an expected failure: {test}")
    return not surprises and not wrongly_listed


def _reason(test: str) -> str | None:
    return next((why for start, why in EXPECTED_FAILURES.items() if test.startswith(start)), None)


if __name__ == "__main__":
    main(prog_name="python -m tests.conformance.run")
