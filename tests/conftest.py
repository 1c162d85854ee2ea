"""How the tests are spread over the machine, and what they say at the end."""

import os
from collections import Counter
from collections.abc import Callable

import pytest


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """What `--numprocesses auto` means: half as many again as there are cores. Much of what a test
    does is to wait for the processes that it started."""
    return (os.cpu_count() or 2) * 3 // 2


@pytest.fixture
def tried(request: pytest.FixtureRequest) -> Callable[[str, int], None]:
    """Counts what a test tries by chance or in great number, as in `tried("kills", 3)`. The run
    ends by saying how many of each all tests have tried."""

    def count(what: str, number: int = 1) -> None:
        request.node.user_properties.append(("tried", (what, number)))

    return count


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says what was tried, whichever worker did it."""
    total: Counter[str] = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", None) == "call":
                for name, value in report.user_properties:
                    if name == "tried":
                        what, number = value
                        total[what] += number
    if total:
        told = ", ".join(f"{number:,} {what}" for what, number in sorted(total.items()))
        terminalreporter.write_line(f"tried: {told}")
