"""Replaces tests/functional/conftest.py in the source of dbt-redshift.

The tests run in a virtual environment of their own, without this project. So this file imports
nothing from it, and reports the outcome of each test to run.py through a file.
"""

import json
import os
from pathlib import Path

import pytest


@pytest.fixture(scope="class")
def dbt_profile_target():
    return {
        "type": "redshift",
        "host": os.environ["REDSHIFT_TEST_HOST"],
        "port": int(os.environ["REDSHIFT_TEST_PORT"]),
        "dbname": os.environ["REDSHIFT_TEST_DBNAME"],
        "user": os.environ["REDSHIFT_TEST_USER"],
        "pass": os.environ["REDSHIFT_TEST_PASS"],
        "threads": 1,
        "retries": 6,
    }


@pytest.fixture(scope="class")
def dbt_profile_data(dbt_profile_data):
    """Profiles that tests write themselves set no sslmode; this stand-in has no TLS."""
    for output in dbt_profile_data["test"]["outputs"].values():
        output.setdefault("sslmode", "disable")
    return dbt_profile_data


def pytest_runtest_logreport(report):
    """Write a line for each phase of a test, in the process that collects all reports."""
    if os.environ.get("PYTEST_XDIST_WORKER"):
        return
    line = {"test": report.nodeid, "outcome": report.outcome, "text": ""}
    if report.failed:
        line["text"] = report.capstdout[-2000:] + report.longreprtext
    with Path(os.environ["CONFORMANCE_RESULTS"]).open("a") as results:
        results.write(json.dumps(line) + "\n")
