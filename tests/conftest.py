"""How the tests are spread over the machine."""

import os

import pytest


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """What `--numprocesses auto` means: half as many again as there are cores. Much of what a test
    does is to wait for the processes that it started."""
    return (os.cpu_count() or 2) * 3 // 2
