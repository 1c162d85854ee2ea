"""Nights of the stack, whose state machine runs in moto; night.py says what is in their place."""

from __future__ import annotations

import json
import re

import pytest

from .night import run_night
from .stack import ROOT, Stack

LOAD = ["python", "load_staging.py"]
FRESHNESS = ["dbt", "source", "freshness"]
BUILD = ["dbt", "build", "--selector", "nightly"]
COMMANDS = [LOAD, FRESHNESS, BUILD]


def test_the_night_is_that_of_every_scheduler() -> None:
    """The commands are those of the cron script in docs/operations.md."""
    operations = (ROOT / "docs" / "operations.md").read_text()
    script = re.search(r"^exec 9>.*?^```", operations, re.MULTILINE | re.DOTALL)
    assert script
    commands = [line.split() for line in script[0].splitlines()]
    assert [each for each in commands if each[0] in ("python", "dbt")] == COMMANDS


class Failing:
    """Runs commands, of which one fails a number of times."""

    def __init__(self, command: list[str], times: int) -> None:
        self.command, self.times = command, times

    def __call__(self, command: list[str]) -> int:
        fails = command == self.command and self.times > 0
        self.times -= fails
        return int(fails)


def test_a_good_night_is_silent(stack: Stack) -> None:
    night = run_night(stack, lambda command: 0)
    assert night.status == "SUCCEEDED"
    assert night.commands == COMMANDS
    assert night.messages == night.pauses == []


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_step_that_fails_once_is_tried_again(stack: Stack, command: list[str]) -> None:
    night = run_night(stack, Failing(command, times=1))
    assert night.status == "SUCCEEDED"
    position = COMMANDS.index(command)
    assert night.commands == COMMANDS[: position + 1] + COMMANDS[position:]
    assert night.pauses == [300]
    assert night.messages == []


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_step_that_fails_twice_is_reported(stack: Stack, command: list[str]) -> None:
    """One message names the command and where to look; what comes after it does not run."""
    night = run_night(stack, Failing(command, times=2))
    assert night.status == "FAILED"
    assert night.commands == [*COMMANDS[: COMMANDS.index(command)], command, command]
    ((subject, text),) = night.messages
    assert subject == "sparkify: the nightly run failed"
    assert text.startswith(" ".join(command) + " failed twice with States.TaskFailed, ")
    assert f"aws logs tail {stack.outputs['LogGroup']} " in text
    assert "docs/operations.md, When a night fails" in text
    assert re.search(r"/v2/executions/details/arn:aws:states:us-west-2:.*:night$", text)


def test_a_message_that_cannot_be_sent_does_not_hide_the_failure(stack: Stack) -> None:
    definition = stack.resources["Nightly"].definition
    elsewhere = definition.replace(stack.outputs["TopicArn"], stack.outputs["TopicArn"] + "-gone")
    night = run_night(stack, Failing(LOAD, times=2), elsewhere)
    assert night.status == "FAILED"
    assert night.pauses == [300, 30, 60, 120]
    assert night.messages == []


def test_no_timeout_is_silent(stack: Stack) -> None:
    """An execution that exceeds its own time ends without a message, so all tries of all states
    end before. The schedule does not start a night before the last one must have ended."""
    states = [each for each in stack.definition["States"].values() if each["Type"] == "Task"]
    steps = [each for each in states if "ecs:runTask" in each["Resource"]]
    assert len(steps) == len(COMMANDS)
    longest = 0
    for step in steps:
        (retry,) = step["Retry"]
        (catch,) = step["Catch"]
        assert retry["ErrorEquals"] == catch["ErrorEquals"] == ["States.ALL"]
        longest += step["TimeoutSeconds"] * (1 + retry["MaxAttempts"]) + retry["IntervalSeconds"]
    hour = 3600
    assert longest + hour < stack.definition["TimeoutSeconds"] < 24 * hour


def test_the_execution_ends_with_the_cause(stack: Stack) -> None:
    failed = stack.definition["States"]["Failed"]
    assert failed == {
        "Type": "Fail",
        "Error": "NightlyRunFailed",
        "CausePath": "$.failure.Cause",
    }
    assert json.dumps(stack.definition).count('"Next": "Notify"') == len(COMMANDS)
