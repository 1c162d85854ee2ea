"""A pytest plugin.

Name this module in the `pytest_plugins` of the topmost conftest.py to have all its fixtures, or
assign single ones in any conftest.py: `redshift_cluster = fixtures.redshift_cluster`.
"""

from collections.abc import Iterator

import pytest

from .cluster import FakeRedshift
from .faults import Faults


@pytest.fixture(scope="session")
def redshift_cluster() -> Iterator[FakeRedshift]:
    """A stand-in for the whole run, or for each worker of pytest-xdist."""
    with FakeRedshift() as cluster:
        yield cluster


@pytest.fixture
def redshift_environment(
    redshift_cluster: FakeRedshift, monkeypatch: pytest.MonkeyPatch
) -> dict[str, str]:
    """Sets the variables by which dbt and boto3 find the cluster, for one test."""
    for name, value in redshift_cluster.environment.items():
        monkeypatch.setenv(name, value)
    return redshift_cluster.environment


@pytest.fixture
def redshift_faults(redshift_cluster: FakeRedshift) -> Iterator[Faults]:
    """The faults of the cluster, disarmed after the test."""
    yield redshift_cluster.faults
    redshift_cluster.faults.clear()
