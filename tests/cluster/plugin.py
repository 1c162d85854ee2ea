"""What pytest does differently with `--cluster NAME`: chooses the tests that say something about
Redshift, names the ones that cannot run there, and writes the table."""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from .real_cluster import RealCluster
from .report import DIFFERENT, LEFT_OUT, Row, described, markdown, short, summary

RULES, PIPELINE = "tests/test_fake_redshift/", "tests/pipeline/"
# What only the stand-in has, by what a test's code says.
ONLY_THE_STAND_IN = {
    r"faults\b": "it orders faults",
    r"cluster\.statements\b|\bstatements\(": "it reads the statements sent",
    r"\.restart\(": "it restarts the cluster",
    r"\.admin\(|\bheld\(|\bsessions_waiting\(|\bis_to_come\(|\bchanging_times\(": (
        "it goes past the cluster to PostgreSQL"
    ),
    r"\bFakeRedshift\(": "it starts a stand-in of its own",
    r"\bpsycopg\b": "it is about clients other than dbt's",
}


class ClusterPlugin:
    """The hooks of one run."""

    def __init__(self, name: str, report: Path) -> None:
        self.cluster, self.path, self.parent = RealCluster(name), report, os.getppid()
        self.facts: dict[str, str] = {}
        self.rows: dict[str, Row] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        """Keeps the tests of a cluster, and marks those of them that cannot run as skipped."""
        if missing := without_a_reason(items):
            raise pytest.UsageError(
                "these tests of the stand-in do not run on a cluster; give them the fixture db, or"
                f" mark them @pytest.mark.standin(why): {', '.join(missing)}"
            )
        kept = [item for item in items if is_about_redshift(item)]
        config.hook.pytest_deselected(items=[item for item in items if item not in set(kept)])
        items[:] = kept
        for item in kept:
            if reason := why_left_out(item):
                item.add_marker(pytest.mark.skip(reason=reason))

    def pytest_runtestloop(self, session: pytest.Session) -> None:
        """Asks the cluster what it is, while it answers."""
        if not session.config.option.collectonly:
            self.facts = self.cluster.facts()

    def pytest_runtest_setup(self) -> None:
        """Ends the run if the command that would remove what it creates has been killed."""
        if os.getppid() != self.parent:
            pytest.exit("the command that started this has ended")

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo
    ) -> Iterator[pytest.TestReport]:
        report = yield
        if call.when == "setup" and report.passed:
            return report  # it may still be interrupted
        row = self.rows.get(item.nodeid)
        if row is None:
            row = self.rows[item.nodeid] = described(
                item.nodeid, item.name, inspect.getdoc(item.function)
            )
            row.assumed = ", ".join(mark.args[0] for mark in item.iter_markers("assumed"))
        if report.skipped and call.excinfo:
            row.outcome, row.happened = LEFT_OUT, str(call.excinfo.value)
        elif report.failed and call.excinfo and row.outcome != DIFFERENT:
            row.outcome = DIFFERENT
            row.expected = short(_failed_line(item, call.excinfo))
            row.happened = short(self.cluster.names.back(call.excinfo.exconly()))
        return report

    def pytest_sessionfinish(self) -> None:
        if self.rows:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            text = markdown(self.facts, list(self.rows.values()))
            self.path.write_text(text, encoding="utf-8")

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for line in summary(list(self.rows.values()), self.path):
            terminalreporter.write_line(line)


def without_a_reason(items: Iterable[pytest.Item]) -> list[str]:
    """The rules of the stand-in that neither run on a cluster nor say why not."""
    return sorted(
        {
            item.nodeid.partition("[")[0]
            for item in items
            if item.nodeid.startswith(RULES)
            and item.get_closest_marker("standin") is None
            and ("cluster" not in item.fixturenames or _uses_the_stand_in(item))
        }
    )


def is_about_redshift(item: pytest.Item) -> bool:
    """Whether a test is a rule of the stand-in, or runs the pipeline on Redshift."""
    if item.nodeid.startswith(RULES):
        return True
    if not item.nodeid.startswith(PIPELINE):
        return False
    engine = getattr(item, "callspec", None) and item.callspec.params.get("engine")
    return (
        engine == "redshift"
        or not {"cluster", "redshift_project"}.isdisjoint(item.fixturenames)
        or (engine is None and 'new_project("redshift"' in inspect.getsource(item.function))
    )


def why_left_out(item: pytest.Item) -> str | None:
    """The reason why a test cannot run on a cluster, or None."""
    if mark := item.get_closest_marker("standin"):
        return mark.args[0]
    return _uses_the_stand_in(item)


def _uses_the_stand_in(item: pytest.Item) -> str | None:
    source = inspect.getsource(item.function)
    used = [why for pattern, why in ONLY_THE_STAND_IN.items() if re.search(pattern, source)]
    return used[0] if used else None


def _failed_line(item: pytest.Item, error: pytest.ExceptionInfo) -> str:
    """The statement of the test's file that failed."""
    frames = [entry for entry in error.traceback if Path(entry.path) == item.path]
    return str(frames[-1].statement) if frames else "runs"
