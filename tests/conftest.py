"""Options and markers of the tests, and what a run reports at its end."""

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

# What `pytest -m quick` runs, by the beginnings of test ids: under two minutes, from each area.
QUICK = (
    "tests/cluster/test_parts.py",
    "tests/infra/",
    "tests/mutants/",
    "tests/test_loader/",
    "tests/test_fake_redshift/test_copy.py",
    "tests/test_fake_redshift/test_derived_types.py",
    "tests/test_fake_redshift/test_dialect.py",
    "tests/test_fake_redshift/test_functions.py",
    "tests/pipeline/test_analyses.py::test_an_analysis_opens_with_its_question",
    "tests/pipeline/test_descriptions.py",
    "tests/pipeline/test_jobs.py::test_a_workflow_says_what_why_and_when",
    "tests/pipeline/test_jobs.py::test_every_night_is_the_same",
    "tests/pipeline/test_layers.py",
    "tests/pipeline/test_loader.py::test_every_option_is_documented",
    "tests/pipeline/test_loader.py::test_every_variable_is_documented",
    "tests/pipeline/test_loader.py::test_only_what_is_new_is_loaded",
    "tests/pipeline/test_project.py",
    "tests/pipeline/test_sample.py",
    "tests/pipeline/test_star.py::test_a_late_song_takes_over_its_plays",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--plain",
        action="store_true",
        help="run the project's commands as ordinary processes, without tests/pipeline/warm.py",
    )
    parser.addoption(
        "--image",
        action="store_true",
        help="also run tests/image, which builds the container image; fail if nothing can build it",
    )
    parser.addoption(
        "--cluster",
        metavar="NAME",
        help="run on the cluster of DBT_REDSHIFT_*; `make test-cluster` chooses the name of the run"
        " and removes what it leaves",
    )
    parser.addoption(
        "--cluster-report",
        metavar="FILE",
        default="target/cluster.md",
        help="where --cluster writes its table",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "quick: a test from each area, under two minutes in all")
    config.addinivalue_line("markers", "standin(why): not with --cluster, and the reason")
    config.addinivalue_line("markers", "assumed(fact): what AWS does not document; docs/cluster.md")
    if name := config.getoption("--cluster"):
        if config.getoption("numprocesses", None):
            raise pytest.UsageError("--cluster runs without --numprocesses")
        from tests.cluster.plugin import ClusterPlugin

        report = Path(config.getoption("--cluster-report"))
        config.pluginmanager.register(ClusterPlugin(name, report), "cluster")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the quick tests and puts them first, since they say most plainly what is wrong."""
    for item in items:
        if item.nodeid.startswith(QUICK):
            item.add_marker("quick")
    items.sort(key=lambda item: item.get_closest_marker("quick") is None)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """What `--numprocesses auto` means: three workers for two cores, since a test spends much of
    its time waiting for the processes that it started."""
    return (os.cpu_count() or 2) * 3 // 2


@pytest.fixture(scope="session")
def real_cluster(request: pytest.FixtureRequest) -> Any:
    """The cluster of `--cluster`, or None: the stand-in."""
    plugin = request.config.pluginmanager.get_plugin("cluster")
    return plugin and plugin.cluster


@pytest.fixture
def tried(request: pytest.FixtureRequest) -> Callable[[str, int], None]:
    """Counts random or repeated trials, as in `tried("kills", 3)`. The run ends with the totals."""

    def count(what: str, number: int = 1) -> None:
        request.node.user_properties.append(("tried", (what, number)))

    return count


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints the totals of all workers."""
    total: Counter[str] = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", None) == "call":
                for name, value in report.user_properties:
                    if name == "tried":
                        what, number = value
                        total[what] += number
    if total:
        trials = ", ".join(f"{number:,} {what}" for what, number in sorted(total.items()))
        terminalreporter.write_line(f"tried: {trials}")
