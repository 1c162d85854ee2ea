"""The project with the rights and the variables of the AWS stack, on the stand-in for Redshift.

moto's S3 refuses what the policies of the stack's roles do not allow. Of a policy it checks actions
and resources; tests/infra/policy.py adds the conditions.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from unittest.mock import patch
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
from moto.core.authorization import ActionAuthenticatorMixin, enable_iam_authentication
from moto.iam.access_control import AssumedRoleAccessKey, S3IAMRequest

from tests.fake_redshift import FakeRedshift
from tests.infra.night import run_night
from tests.infra.policy import Request, allows, reductions
from tests.infra.stack import REGION, WAREHOUSES, Stack, client, deployed, in_account

from .conftest import Project, RedshiftProject, event, song
from .warm import Run

ROLES = {"sparkify-loader": "LoaderRole", "sparkify-copy": "CopyRole"}
# Variables of the stack's task that say where things are here, too. The others are about the
# connection, which is the stand-in's, and about the container.
KEPT = ("DBT_EVENTS_LOCATION", "DBT_SONGS_LOCATION", "DBT_STAGE_LOCATION", "DBT_COPY_IAM_ROLE")
OTHER_SERVICES = "_authenticate_and_authorize_normal_action"  # moto's check of rights outside S3
pytestmark = pytest.mark.standin("its roles and its stack are in moto")
LOAD = ("load_staging.py", "--target", "redshift", "--select", "staging_events")
RELOAD = ("dbt", "run-operation", "load_staging", "--target", "redshift")


class CopyClient:
    """S3 as COPY reads it, with the credentials of its role. The stand-in asks where a bucket is,
    which takes a right; Redshift need not ask, since S3 redirects it."""

    def __init__(self, s3: Any) -> None:
        self._s3 = s3

    def get_bucket_location(self, **_: str) -> dict:
        return {"LocationConstraint": REGION}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._s3, name)


@dataclass
class DeployedProject:
    """The project on the stand-in, with its input in the stack's bucket."""

    project: Project
    cluster: FakeRedshift
    stack: Stack
    credentials: dict[str, dict[str, str]]  # of each role, as boto3's arguments
    requests: dict[str, list[Request]]  # to S3, of each role

    def put(self, key: str, *rows: dict) -> None:
        """Writes an object of the data bucket."""
        body = "".join(json.dumps(row) + "\n" for row in rows)
        self.cluster.s3.put_object(
            Bucket=self.stack.outputs["DataBucket"], Key=key, Body=body.encode()
        )

    def run(self, *command: str) -> Run:
        """Runs a command while each request to S3 needs a right of the role that sends it."""
        with self._enforced():
            return self.project.run(*command)

    @contextmanager
    def _enforced(self) -> Iterator[None]:
        permitted = S3IAMRequest.check_action_permitted

        def check(request: S3IAMRequest, resource: str) -> None:
            assert isinstance(request._access_key, AssumedRoleAccessKey)
            role = ROLES[request._access_key._owner_role_name]
            query = parse_qs(urlsplit(request._path).query)
            context = {"s3:prefix": query["prefix"][0]} if "prefix" in query else {}
            seen = Request(request._action, resource, context)
            self.requests[role].append(seen)
            permitted(request, resource)
            if not allows(self.stack.statements(role), seen):
                request._raise_access_denied()

        s3 = boto3.client(
            "s3",
            endpoint_url=self.cluster.s3_endpoint,
            region_name=REGION,
            **self.credentials["CopyRole"],
        )
        with (
            patch.object(S3IAMRequest, "check_action_permitted", check),
            patch.object(ActionAuthenticatorMixin, OTHER_SERVICES, lambda *_, **__: None),
            self.cluster.copying_with(CopyClient(s3)),
            enable_iam_authentication(),
        ):
            yield

    @contextmanager
    def without(self, role: str, action: str, bucket: str) -> Iterator[None]:
        """A role lacks an action on one of the stack's buckets."""
        arn = "arn:aws:s3:::" + self.stack.outputs[bucket]
        documents = {
            name: {**document, "Statement": [*_without(document["Statement"], action, arn)]}
            for name, text in self.stack.resources[role].policies.items()
            for document in [json.loads(text)]
        }
        changed = {name: json.dumps(each) for name, each in documents.items()}
        assert changed != self.stack.resources[role].policies
        with patch.dict(self.stack.resources[role].policies, changed):
            yield


def _without(statements: list[dict], action: str, arn: str) -> Iterator[dict]:
    """The statements without an action on whatever begins with an ARN."""
    for each in statements:
        actions = [each["Action"]] if isinstance(each["Action"], str) else each["Action"]
        resources = [each["Resource"]] if isinstance(each["Resource"], str) else each["Resource"]
        others = [resource for resource in resources if not resource.startswith(arn)]
        if action not in actions or others == resources:
            yield each
            continue
        if others:
            yield {**each, "Resource": others}
        if rest := [other for other in actions if other != action]:
            yield {**each, "Action": rest}


@pytest.fixture(scope="module")
def stack() -> Stack:
    """The stack in moto; in_account takes a test to it."""
    with deployed() as stack:
        return stack


@pytest.fixture(scope="module")
def credentials(stack: Stack) -> dict[str, dict[str, str]]:
    """Credentials of the stack's roles, as boto3's arguments."""
    given = {}
    with in_account(stack.account):
        for role in ROLES.values():
            arn = stack.resources[role].arn
            keys = client("sts").assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]
            given[role] = {
                "aws_access_key_id": keys["AccessKeyId"],
                "aws_secret_access_key": keys["SecretAccessKey"],
                "aws_session_token": keys["SessionToken"],
            }
    return given


@pytest.fixture
def project(
    new_project: Callable[..., Project],
    cluster: FakeRedshift,
    stack: Stack,
    credentials: dict[str, dict[str, str]],
) -> Iterator[DeployedProject]:
    """The project with an event and a song in the stack's bucket."""
    variables = {name: stack.environment[name] for name in KEPT}
    keys = {name.upper(): value for name, value in credentials["LoaderRole"].items()}
    project = new_project("redshift", **variables, **keys, DBT_TARGET="redshift")
    requests: dict[str, list[Request]] = {role: [] for role in ROLES.values()}
    deployed_project = DeployedProject(project, cluster, stack, credentials, requests)
    deployed_project.put("log_data/1.json", event(1))
    deployed_project.put("song_data/A/1.json", song(1))
    yield deployed_project
    for bucket in (stack.outputs["DataBucket"], stack.outputs["StageBucket"]):
        for entry in cluster.s3.list_objects_v2(Bucket=bucket).get("Contents", []):
            cluster.s3.delete_object(Bucket=bucket, Key=entry["Key"])


# --- rights -------------------------------------------------------------------


def test_every_right_is_enough_and_needed(project: DeployedProject) -> None:
    """A load, one that joins files, and the reload without Python need all that is granted: with
    any action, resource or prefix less, one of their requests would be refused."""
    for command in [LOAD[:3], RELOAD]:
        run = project.run(*command)
        assert run.code == 0, run.text
    for role, requests in project.requests.items():
        statements = [
            each for each in project.stack.statements(role) if "redshift" not in str(each["Action"])
        ]
        assert requests
        unused = [
            name
            for name, fewer in reductions(statements)
            if all(allows(fewer, request) for request in requests)
        ]
        assert unused == []


@pytest.mark.parametrize(
    ("role", "action", "bucket", "command", "said"),
    [
        ("LoaderRole", "s3:ListBucket", "DataBucket", LOAD, "cannot be listed"),
        ("LoaderRole", "s3:GetObject", "DataBucket", (*LOAD, "--join-from", "1"), "s3:GetObject"),
        ("LoaderRole", "s3:PutObject", "StageBucket", LOAD, "cannot write to"),
        ("CopyRole", "s3:GetObject", "DataBucket", LOAD, "AccessDenied"),
        ("CopyRole", "s3:GetObject", "StageBucket", LOAD, "AccessDenied"),
        ("CopyRole", "s3:ListBucket", "DataBucket", RELOAD, "AccessDenied"),
        ("CopyRole", "s3:ListBucket", "StageBucket", LOAD, "AccessDenied"),
    ],
)
def test_without_a_right(
    project: DeployedProject,
    role: str,
    action: str,
    bucket: str,
    command: tuple[str, ...],
    said: str,
) -> None:
    with project.without(role, action, bucket):
        run = project.run(*command)
    assert run.code == 1
    assert said in run.text


@pytest.mark.parametrize("action", ["s3:ListBucket", "s3:DeleteObject"])
def test_without_a_right_to_clean_up(project: DeployedProject, action: str) -> None:
    """The load succeeds, says so, and leaves the rest to the bucket's lifecycle."""
    with project.without("LoaderRole", action, "StageBucket"):
        run = project.run(*LOAD)
    assert run.code == 0
    assert "could not be cleaned up" in run.errors


# --- the connection -------------------------------------------------------------


class Credentials(BaseHTTPRequestHandler):
    """The API of Redshift, which records what it is asked and refuses it."""

    asked: list[dict[str, Any]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        name = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
        parameters = json.loads(body) if name else {k: v[0] for k, v in parse_qs(body).items()}
        self.asked.append({"Action": name, **parameters})
        self.send_response(400)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize("warehouse", WAREHOUSES)
def test_the_connection_needs_one_right(redshift_project: RedshiftProject, warehouse: str) -> None:
    """With the stack's variables, dbt asks for temporary credentials, and for nothing else."""
    with deployed(warehouse) as stack:
        pass
    handler = type("Handler", (Credentials,), {"asked": []})
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        api = f"http://127.0.0.1:{server.server_port}"
        connection = {
            name: value
            for name, value in stack.environment.items()
            if name.startswith(("DBT_REDSHIFT", "DBT_TARGET")) and name != "DBT_TARGET_PATH"
        }
        run = redshift_project.run(
            "dbt",
            "debug",
            "--connection",
            DBT_REDSHIFT_SSLMODE="",  # with TLS, as the profile has it
            AWS_ENDPOINT_URL_REDSHIFT=api,
            AWS_ENDPOINT_URL_REDSHIFT_SERVERLESS=api,
            **connection,
        )
        server.shutdown()
    assert run.code == 1, run.text
    assert handler.asked, run.text
    (asked,) = {json.dumps(each, sort_keys=True) for each in handler.asked}
    (statement,) = [
        each for each in stack.statements("LoaderRole") if "redshift" in str(each["Action"])
    ]
    service, name = statement["Action"].split(":")
    cluster = WAREHOUSES[warehouse].get("ExistingClusterId")
    assert service == ("redshift" if cluster else "redshift-serverless")
    asked = json.loads(asked)
    assert asked["Action"] == name
    if cluster:
        assert statement["Resource"].endswith(
            f":dbname:{asked['ClusterIdentifier']}/{asked['DbName']}"
        )
    else:
        assert asked["workgroupName"] == stack.environment["DBT_REDSHIFT_WORKGROUP"]
        assert statement["Resource"].endswith(":workgroup/WORKGROUP_ID")


# --- nights -------------------------------------------------------------------


def test_nights(project: DeployedProject) -> None:
    """Nights of the state machine, with the commands of its tasks run for real: one builds the
    star, and the next, after a bad file, tells somebody and builds nothing."""
    texts = []

    def run(command: list[str]) -> int:
        done = project.run(*(command[1:] if command[0] == "python" else command))
        texts.append(done.text)
        return done.code

    with in_account(project.stack.account):
        good = run_night(project.stack, run)
        assert good.status == "SUCCEEDED", texts
        assert project.project.query("select count(*) from fct_songplays") == [(1,)]

        project.put("log_data/2.json", event(2, ts="yesterday"))
        bad = run_night(project.stack, run)
    assert bad.status == "FAILED"
    assert bad.commands == [["python", "load_staging.py"]] * 2
    ((_, text),) = bad.messages
    assert text.startswith("python load_staging.py failed twice")
    assert "log_data/2.json, line 1" in texts[-1]
