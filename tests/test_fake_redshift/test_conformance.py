"""How `python -m tests.conformance.run` reports the outcome of dbt-redshift's tests."""

import json

import pytest

from tests.conformance import run

pytestmark = pytest.mark.standin("it is about the report on dbt-redshift's own tests")


@pytest.fixture(autouse=True)
def listed(monkeypatch):
    monkeypatch.setattr(run, "EXPECTED_FAILURES", {"a.py::Known": "a known gap"})


@pytest.mark.parametrize(
    ("outcomes", "is_good", "text"),
    [
        ({"a.py::T::x": "passed", "a.py::Known::x": "failed"}, True, "1 of 2 applicable"),
        ({"a.py::T::x": "failed"}, False, "FAILS: a.py::T::x"),
        ({"a.py::Known::x": "passed"}, False, "PASSES, but is listed"),
        ({"a.py::T::x": "passed", "a.py::T::y": "skipped"}, True, "(100.0%); 1 are skipped"),
    ],
)
def test_listed_tests_and_no_others_must_fail(capsys, outcomes, is_good, text):
    assert run.report(outcomes, {}) is is_good
    assert text in capsys.readouterr().out


def test_the_worst_phase_of_a_test_counts(tmp_path):
    """A test has three phases: setup, call, teardown."""
    phases = [("x", "passed"), ("x", "failed"), ("x", "passed"), ("y", "passed"), ("y", "skipped")]
    lines = [
        json.dumps({"test": f"tests/functional/{test}", "outcome": outcome, "text": "why"})
        for test, outcome in phases
    ]
    (tmp_path / "results").write_text("\n".join(lines))
    assert run.read(tmp_path / "results") == ({"x": "failed", "y": "skipped"}, {"x": "why"})
