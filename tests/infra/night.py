"""A night: the state machine, run by moto, and the commands of its tasks.

moto interprets the definition as it stands, but cannot do ecs:runTask.sync: it passes the
parameters on under names that ECS does not know, and its ECS runs nothing. In its place a function
runs the command of the task and returns its exit code; another one than 0 fails the state with
States.TaskFailed, as in Step Functions. Pauses before another try are recorded, not waited for.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import boto3
from botocore.validate import validate_parameters
from moto.sns.models import sns_backends
from moto.stepfunctions.parser.api import HistoryEventType, TaskFailedEventDetails
from moto.stepfunctions.parser.asl.component.common.error_name import failure_event
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import (
    StatesErrorName,
)
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import (
    StatesErrorNameType,
)
from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service_ecs,
)
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails
from moto.stepfunctions.parser.asl.utils.encoding import to_json_str

from .policy import Request
from .stack import REGION, Stack, client

Ecs = state_task_service_ecs.StateTaskServiceEcs
RunCommand = Callable[[list[str]], int]


@dataclass
class Night:
    """An execution that has ended."""

    status: str
    commands: list[list[str]] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)  # seconds
    messages: list[tuple[str, str]] = field(default_factory=list)  # subject and text
    requests: list[Request] = field(default_factory=list)  # of the state machine's role


def run_night(stack: Stack, run: RunCommand, definition: str = "") -> Night:
    """One execution of the stack's state machine, or of another definition."""
    night = Night("RUNNING")
    topic = sns_backends[stack.account][REGION].topics[stack.outputs["TopicArn"]]
    topic.sent_notifications.clear()
    steps = client("stepfunctions")
    arn = steps.create_state_machine(
        name=f"night-{time.monotonic_ns()}",
        definition=definition or stack.resources["Nightly"].definition,
        roleArn=stack.resources["NightlyRole"].arn,
    )["stateMachineArn"]
    with _tasks_that_run(run, night):
        execution = steps.start_execution(stateMachineArn=arn, name="night", input="{}")[
            "executionArn"
        ]
        while night.status == "RUNNING":
            time.sleep(0.02)
            night.status = steps.describe_execution(executionArn=execution)["status"]
    for _, text, subject, *_ in topic.sent_notifications:
        night.messages.append((subject, text))
        night.requests.append(Request("sns:Publish", topic.arn))
    return night


@contextmanager
def _tasks_that_run(run: RunCommand, night: Night) -> Iterator[None]:
    def start(_: Any, env: Any, normalised_parameters: dict, **__: Any) -> None:
        env.stack.append(_run_task(_in_camel_case(normalised_parameters), run, night))

    def result(task_state: Any, env: Any, **_: Any) -> dict:
        task = env.stack.pop()
        if any(each["ExitCode"] for each in task["Containers"]):
            raise _failure(task_state, env, to_json_str(task))
        return task

    with (
        patch.object(Ecs, "_eval_service_task", start),
        patch.object(Ecs, "_build_sync_resolver", lambda *_, **__: None),
        patch.object(Ecs, "_eval_sync", result),
        patch.object(retrier_decl, "time", SimpleNamespace(sleep=night.pauses.append)),
    ):
        yield


def _run_task(parameters: dict, run: RunCommand, night: Night) -> dict:
    """Runs the command of a task's one container; the task as Step Functions describes it."""
    model = boto3.client("ecs", region_name=REGION).meta.service_model
    validate_parameters(parameters, model.operation_model("RunTask").input_shape)
    (container,) = parameters["overrides"]["containerOverrides"]
    cluster = parameters["cluster"]
    task = cluster.replace(":cluster/", ":task/") + f"/{len(night.commands)}"
    night.commands.append(container["command"])
    night.requests += [
        Request("ecs:RunTask", parameters["taskDefinition"], {"ecs:cluster": cluster}),
        Request("ecs:DescribeTasks", task),
    ]
    return {
        "TaskArn": task,
        "StoppedReason": "Essential container in task exited",
        "Containers": [{"Name": container["name"], "ExitCode": run(container["command"])}],
    }


def _failure(task_state: Any, env: Any, cause: str) -> failure_event.FailureEventException:
    """What a task's failure is to moto."""
    name = StatesErrorNameType.StatesTaskFailed
    details = TaskFailedEventDetails(
        resource=task_state._get_sfn_resource(),
        resourceType=task_state._get_sfn_resource_type(),
        error=name.to_name(),
        cause=cause,
    )
    return failure_event.FailureEventException(
        failure_event.FailureEvent(
            env=env,
            error_name=StatesErrorName(typ=name),
            event_type=HistoryEventType.TaskFailed,
            event_details=EventDetails(taskFailedEventDetails=details),
        )
    )


def _in_camel_case(value: Any) -> Any:
    """Parameters of Step Functions under the names of ECS: Cluster is cluster."""
    if isinstance(value, dict):
        return {name[0].lower() + name[1:]: _in_camel_case(each) for name, each in value.items()}
    return [_in_camel_case(each) for each in value] if isinstance(value, list) else value
