"""The template, and its stack in moto."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any
from unittest.mock import patch

import boto3
import yaml
from moto import mock_aws
from moto.cloudformation import cloudformation_backends, parsing
from moto.core.common_models import CloudFormationModel
from moto.iam.models import Role

ROOT = Path(__file__).parents[2]
TEMPLATE = ROOT / "infra" / "sparkify.yml"
# The region of the stand-in for Redshift, too.
NAME, REGION, EMAIL = "sparkify", "us-west-2", "nights@example.com"
# The parameters for each kind of warehouse, without its network.
WAREHOUSES: dict[str, dict[str, str]] = {
    "new": {},
    "cluster": {
        "ExistingHost": "sparkify-cluster.abc123.eu-west-1.redshift.amazonaws.com",
        "ExistingClusterId": "sparkify-cluster",
    },
    "workgroup": {
        "ExistingHost": "other.123456789012.eu-west-1.redshift-serverless.amazonaws.com",
        "ExistingWorkgroupName": "other",
        "ExistingWorkgroupId": "WORKGROUP_ID",
    },
}
_accounts = count(100_000_000_000)


class _Loader(yaml.SafeLoader):
    """Reads the short forms of CloudFormation's functions, such as !Ref, as their long ones."""


def _function(loader: yaml.SafeLoader, name: str, node: yaml.Node) -> dict:
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    if name == "GetAtt":
        value = value.split(".", 1)
    return {name if name in ("Ref", "Condition") else f"Fn::{name}": value}


_Loader.add_multi_constructor("!", _function)


@cache
def template() -> dict[str, Any]:
    """The template; not to be changed."""
    return yaml.load(TEMPLATE.read_text(), _Loader)  # a SafeLoader


class Declared(CloudFormationModel):
    """A resource of a type that moto does not create: its properties, with references resolved."""

    def __init__(self, logical_id: str, properties: dict, account: str) -> None:
        self.logical_id, self.properties, self.account = logical_id, properties, account

    @classmethod
    def create_from_cloudformation_json(
        cls,
        resource_name: str,
        cloudformation_json: Any,
        account_id: str,
        region_name: str,
        **known: Any,
    ) -> Declared:
        return cls(known["LogicalId"], cloudformation_json["Properties"], account_id)

    @property
    def physical_resource_id(self) -> str:
        return self.properties.get(f"{self.logical_id}Name", self.logical_id)

    def get_cfn_attribute(self, name: str) -> str:
        return {
            "Workgroup.WorkgroupArn": f"arn:aws:redshift-serverless:{REGION}:{self.account}"
            ":workgroup/WORKGROUP_ID",
            "Workgroup.Endpoint.Address": f"{NAME}.{self.account}.{REGION}"
            ".redshift-serverless.amazonaws.com",
        }[name]


@dataclass
class Stack:
    """A stack in moto."""

    account: str
    outputs: dict[str, str]
    resources: dict[str, Any]  # moto's own objects, or Declared, by logical id

    def declared(self, logical_id: str) -> dict[str, Any]:
        """The properties of a resource that moto does not create."""
        return self.resources[logical_id].properties

    def statements(self, role: str) -> list[dict]:
        """The statements of a role's policies, by its logical id."""
        documents = self.resources[role].policies.values()
        return [statement for text in documents for statement in json.loads(text)["Statement"]]

    def trust(self, role: str) -> list[dict]:
        """The statements that say who may assume a role."""
        return json.loads(self.resources[role].assume_role_policy_document)["Statement"]

    @property
    def container(self) -> dict[str, Any]:
        """The definition of the task's one container."""
        (container,) = self.resources["TaskDefinition"].container_definitions
        return container

    @property
    def environment(self) -> dict[str, str]:
        """The variables of the task's container."""
        return {each["name"]: each["value"] for each in self.container["environment"]}

    @property
    def definition(self) -> dict[str, Any]:
        """The definition of the state machine."""
        return json.loads(self.resources["Nightly"].definition)


def client(service: str) -> Any:
    """A boto3 client of moto."""
    return boto3.client(
        service, region_name=REGION, aws_access_key_id="none", aws_secret_access_key="none"
    )


@contextmanager
def in_account(account: str) -> Iterator[None]:
    """moto answers boto3, in an account of its own. What the account holds is kept, and other
    accounts, one of which a stand-in of this process may use, are left alone."""
    moto = mock_aws(config={"stepfunctions": {"execute_state_machine": True}})
    with patch.dict(os.environ, MOTO_ACCOUNT_ID=account):
        moto.start(reset=False)
        try:
            yield
        finally:
            moto.stop(remove_data=False)


@contextmanager
def deployed(warehouse: str = "new", **parameters: str) -> Iterator[Stack]:
    """The stack in moto, in a new account."""
    account = str(next(_accounts))
    with in_account(account):
        network = {} if warehouse == "new" else _network()
        yield _create(account, WAREHOUSES[warehouse] | network | parameters)


def _network() -> dict[str, str]:
    """Creates the network of an existing warehouse; the parameters that name it."""
    ec2 = client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{each}.0/24")["Subnet"]["SubnetId"]
        for each in range(2)
    ]
    group = ec2.create_security_group(VpcId=vpc, GroupName="warehouse", Description="warehouse")
    return {
        "VpcId": vpc,
        "SubnetIds": ",".join(subnets),
        "ExistingSecurityGroupId": group["GroupId"],
    }


def _create(account: str, parameters: dict[str, str]) -> Stack:
    known = parsing.resource_class_from_type
    cloudformation = client("cloudformation")
    with patch.object(parsing, "resource_class_from_type", lambda name: known(name) or Declared):
        cloudformation.create_stack(
            StackName=NAME,
            # moto's Fn::Sub takes $$ for $.
            TemplateBody=json.dumps(template()).replace("$$.", "$$$$."),
            Parameters=[
                {"ParameterKey": key, "ParameterValue": value}
                for key, value in {"NotificationEmail": EMAIL, **parameters}.items()
            ],
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )
    (found,) = cloudformation.describe_stacks(StackName=NAME)["Stacks"]
    assert found["StackStatus"] == "CREATE_COMPLETE"
    outputs = {each["OutputKey"]: each["OutputValue"] for each in found["Outputs"]}
    (stack,) = cloudformation_backends[account][REGION].stacks.values()
    resources = {each.logical_resource_id: each for each in stack.stack_resources if each}
    for role in resources.values():
        if isinstance(role, Role):  # moto keeps a template's policies as objects, not as text
            role.policies = {name: json.dumps(each) for name, each in role.policies.items()}
    return Stack(account, outputs, resources)
