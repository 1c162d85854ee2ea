"""The roles that run the nights may do what they do, and nothing else.

What the loader and COPY may do is in tests/pipeline/test_aws_stack.py, which runs them.
"""

from __future__ import annotations

import pytest

from .night import run_night
from .policy import Request, allows, reductions
from .stack import REGION, Stack

ALL = {"Effect": "Allow", "Action": "*", "Resource": "*"}


def requests(stack: Stack, role: str) -> list[Request]:
    """The requests of a role: those seen in moto, and those that AWS's documentation says the
    service sends, where moto has no such service."""
    arn = f"arn:aws:{{}}:{REGION}:{stack.account}:{{}}".format
    if role == "NightlyRole":
        night = run_night(stack, lambda command: 1)
        to_ecs = {"iam:PassedToService": "ecs-tasks.amazonaws.com"}
        rule = arn("events", "rule/StepFunctionsGetEventsForECSTaskRule")
        return [
            *night.requests,
            # Running a task passes its roles on; one that exceeds its time is stopped.
            *(
                Request("iam:PassRole", stack.resources[passed].arn, to_ecs)
                for passed in ("LoaderRole", "ExecutionRole")
            ),
            Request("ecs:StopTask", arn("ecs", "task/sparkify/1")),
            *(
                Request(f"events:{action}", rule)
                for action in ("DescribeRule", "PutRule", "PutTargets")
            ),
        ]
    if role == "ScheduleRole":
        target = stack.declared("EveryNight")["Target"]
        return [Request("states:StartExecution", target["Arn"])]
    repository = arn("ecr", "repository/sparkify")
    stream = arn("logs", "log-group:/sparkify/nightly:log-stream:run/sparkify/1")
    return [
        Request("ecr:GetAuthorizationToken", "*"),
        Request("ecr:BatchCheckLayerAvailability", repository),
        Request("ecr:BatchGetImage", repository),
        Request("ecr:GetDownloadUrlForLayer", repository),
        Request("logs:CreateLogStream", stream),
        Request("logs:PutLogEvents", stream),
    ]


@pytest.mark.parametrize("role", ["NightlyRole", "ScheduleRole", "ExecutionRole"])
def test_every_right_is_enough_and_needed(stack: Stack, role: str) -> None:
    statements, sent = stack.statements(role), requests(stack, role)
    refused = [each for each in sent if not allows(statements, each)]
    assert refused == []
    unused = [
        name
        for name, fewer in reductions(statements)
        if all(allows(fewer, request) for request in sent)
    ]
    assert unused == []


@pytest.mark.parametrize(
    ("role", "request_"),
    [
        ("LoaderRole", Request("s3:GetObject", "arn:aws:s3:::{stage}/redshift/load_staging_1/x")),
        ("LoaderRole", Request("s3:PutObject", "arn:aws:s3:::{data}/log_data/x")),
        ("LoaderRole", Request("s3:DeleteObject", "arn:aws:s3:::{data}/log_data/x")),
        ("LoaderRole", Request("s3:GetObject", "arn:aws:s3:::{data}/other/x")),
        ("LoaderRole", Request("s3:ListBucket", "arn:aws:s3:::{data}", {"s3:prefix": "other/"})),
        ("LoaderRole", Request("s3:ListBucket", "arn:aws:s3:::{data}")),
        ("CopyRole", Request("s3:PutObject", "arn:aws:s3:::{stage}/redshift/load_staging_1/x")),
        ("CopyRole", Request("s3:GetObject", "arn:aws:s3:::{data}/other/x")),
    ],
    ids=str,
)
def test_what_is_not_allowed(stack: Stack, role: str, request_: Request) -> None:
    buckets = {"data": stack.outputs["DataBucket"], "stage": stack.outputs["StageBucket"]}
    request = Request(request_.action, request_.resource.format(**buckets), request_.context)
    assert not allows(stack.statements(role), request)


@pytest.mark.parametrize("bucket", ["Data", "Stage"])
def test_a_bucket_takes_requests_over_tls_alone(stack: Stack, bucket: str) -> None:
    policy = stack.declared(f"{bucket}BucketPolicy")
    assert policy["Bucket"] == stack.outputs[f"{bucket}Bucket"]
    statements = [ALL, *policy["PolicyDocument"]["Statement"]]
    arn = f"arn:aws:s3:::{policy['Bucket']}"
    for resource in (arn, f"{arn}/log_data/x"):
        for is_tls in ("true", "false"):
            request = Request("s3:GetObject", resource, {"aws:SecureTransport": is_tls})
            assert allows(statements, request) == (is_tls == "true")


def test_who_may_publish(stack: Stack) -> None:
    """The alarm, of this account alone; the state machine may by its own role."""
    (statement,) = stack.declared("TopicPolicy")["PolicyDocument"]["Statement"]
    assert statement["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    for account, is_allowed in {stack.account: True, "999999999999": False}.items():
        request = Request("sns:Publish", stack.outputs["TopicArn"], {"aws:SourceAccount": account})
        assert allows([statement], request) == is_allowed


@pytest.mark.parametrize(
    ("role", "service"),
    [
        ("LoaderRole", "ecs-tasks"),
        ("ExecutionRole", "ecs-tasks"),
        ("NightlyRole", "states"),
        ("ScheduleRole", "scheduler"),
    ],
)
def test_a_service_assumes_a_role_for_this_account_alone(
    stack: Stack, role: str, service: str
) -> None:
    (statement,) = stack.trust(role)
    assert statement["Principal"] == {"Service": f"{service}.amazonaws.com"}
    assert statement["Condition"]["StringEquals"]["aws:SourceAccount"] == stack.account
