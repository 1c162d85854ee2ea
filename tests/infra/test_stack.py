"""What the template says, and that AWS's APIs take it as far as moto knows them."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from .stack import EMAIL, REGION, ROOT, TEMPLATE, WAREHOUSES, Stack, client, deployed, template

DOCUMENTATION = (ROOT / "docs" / "redshift.md").read_text()
HOUR = 3600
CLOUDFORMATION_BYTES = 51_200  # of a template that is not uploaded to a bucket first


def as_documented(stack: Stack, value: Any) -> Any:
    """A value with the names that docs/redshift.md uses."""
    text = json.dumps(value)
    for name, documented in {
        stack.outputs["DataBucket"]: "sparkify-data",
        stack.outputs["StageBucket"]: "sparkify-stage",
        stack.account: "123456789012",
        REGION: "eu-west-1",
    }.items():
        text = text.replace(name, documented)
    return json.loads(text)


def properties(logical_id: str) -> dict[str, Any]:
    """The properties of a resource as the template has them: moto does not take all of them."""
    return template()["Resources"][logical_id]["Properties"]


def documented_policies() -> list[list[dict]]:
    """The statements of the policies in docs/redshift.md."""
    blocks = re.findall(r"^```json\n(.*?)^```", DOCUMENTATION, re.MULTILINE | re.DOTALL)
    return [json.loads(block)["Statement"] for block in blocks]


def test_the_policies_are_those_of_the_documentation(stack: Stack) -> None:
    copy, trust, loader = documented_policies()
    assert as_documented(stack, stack.statements("CopyRole")) == copy
    assert as_documented(stack, stack.trust("CopyRole")) == trust
    *load, _ = stack.statements("LoaderRole")
    assert as_documented(stack, load) == loader


@pytest.mark.parametrize("warehouse", WAREHOUSES)
def test_the_right_to_connect_is_the_one_of_the_documentation(warehouse: str) -> None:
    kind = "provisioned" if warehouse == "cluster" else "Serverless"
    found = re.search(
        rf"^\| `redshift_iam_role`, {kind} \| `(.*?)` \| `(.*?)` \|", DOCUMENTATION, re.M
    )
    assert found
    with deployed(warehouse) as stack:
        *_, connect = as_documented(stack, stack.statements("LoaderRole"))
    assert (connect["Action"], connect["Resource"]) == found.groups()


def test_the_stage_is_cleaned_up_as_documented() -> None:
    (documented,) = re.findall(r"--lifecycle-configuration '(.*?)'", DOCUMENTATION, re.DOTALL)
    (rule,) = properties("StageBucket")["LifecycleConfiguration"]["Rules"]
    assert json.loads(documented)["Rules"] == [
        {
            "ID": rule["Id"],
            "Status": rule["Status"],
            "Expiration": {"Days": rule["ExpirationInDays"]},
            "Filter": {"Prefix": rule["Prefix"]},
        }
    ]


def test_everything_is_explained() -> None:
    for part in ("Parameters", "Outputs"):
        for name, each in template()[part].items():
            assert each["Description"].endswith("."), name
    groups = template()["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    grouped = [name for group in groups for name in group["Parameters"]]
    assert sorted(grouped) == sorted(template()["Parameters"])


def test_one_command_deploys_it() -> None:
    """The template fits into a request, and only the address has no default."""
    assert len(TEMPLATE.read_bytes()) <= CLOUDFORMATION_BYTES
    parameters = template()["Parameters"]
    assert [name for name, each in parameters.items() if "Default" not in each] == [
        "NotificationEmail"
    ]


def test_deleting_the_stack_keeps_the_data() -> None:
    kept = {
        name
        for name, each in template()["Resources"].items()
        if each.get("DeletionPolicy") == "RetainExceptOnCreate"
        and each.get("UpdateReplacePolicy") == "Retain"
    }
    assert kept == {"DataBucket", "DataBucketPolicy", "Namespace"}


def test_there_is_no_password(stack: Stack) -> None:
    namespace = stack.declared("Namespace")
    assert namespace["ManageAdminPassword"] is True
    assert "AdminUserPassword" not in namespace
    assert "password" not in TEMPLATE.read_text().replace(
        "ManageAdminPassword", ""
    ).lower().replace("redshift makes the password", "")
    assert stack.environment["DBT_TARGET"] == "redshift_iam_role"


# --- the warehouse and the network ----------------------------------------------


def test_nothing_is_public(stack: Stack) -> None:
    assert stack.declared("Workgroup")["PubliclyAccessible"] is False
    for name in ("DataBucket", "StageBucket"):
        bucket = properties(name)
        (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        assert rule == {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
        blocked = bucket["PublicAccessBlockConfiguration"]
        assert len(blocked) == 4 and set(blocked.values()) == {True}


@pytest.mark.parametrize("warehouse", WAREHOUSES)
def test_only_the_loader_is_let_in(warehouse: str) -> None:
    with deployed(warehouse) as stack:
        loader = stack.resources["LoaderSecurityGroup"].physical_resource_id
        groups = {
            group["GroupId"]: group
            for group in client("ec2").describe_security_groups()["SecurityGroups"]
        }
        assert groups[loader]["IpPermissions"] == []
        let_in = [
            (
                rule["FromPort"],
                rule["ToPort"],
                [pair["GroupId"] for pair in rule["UserIdGroupPairs"]],
            )
            for group in groups.values()
            if group["GroupName"] != "default"
            for rule in group["IpPermissions"]
        ]
        assert let_in == [(5439, 5439, [loader])]
    ports = {rule["FromPort"] for rule in properties("LoaderSecurityGroup")["SecurityGroupEgress"]}
    assert ports == {443, 5439}
    (nothing,) = properties("WarehouseSecurityGroup")["SecurityGroupEgress"]
    assert nothing["CidrIp"] == "127.0.0.1/32"


@pytest.mark.parametrize("warehouse", WAREHOUSES)
def test_the_task_knows_where_everything_is(warehouse: str) -> None:
    with deployed(warehouse) as stack:
        pass
    variables, parameters = stack.environment, WAREHOUSES[warehouse]
    data = stack.outputs["DataBucket"]
    expected = {
        "DBT_REDSHIFT_CLUSTER_ID": parameters.get("ExistingClusterId", ""),
        "DBT_EVENTS_LOCATION": f"s3://{data}/log_data/",
        "DBT_SONGS_LOCATION": f"s3://{data}/song_data/",
        "DBT_STAGE_LOCATION": f"s3://{stack.outputs['StageBucket']}/redshift/",
    }
    if warehouse == "new":
        host = f"sparkify.{stack.account}.{REGION}.redshift-serverless.amazonaws.com"
        expected |= {"DBT_REDSHIFT_HOST": host, "DBT_REDSHIFT_WORKGROUP": "sparkify"}
        expected |= {"DBT_COPY_IAM_ROLE": "default"}
        namespace = stack.declared("Namespace")
        assert namespace["DefaultIamRoleArn"] == stack.outputs["CopyRoleArn"]
        assert namespace["IamRoles"] == [stack.outputs["CopyRoleArn"]]
        assert namespace["DbName"] == variables["DBT_REDSHIFT_DATABASE"]
    else:
        expected |= {
            "DBT_REDSHIFT_HOST": parameters["ExistingHost"],
            "DBT_REDSHIFT_WORKGROUP": parameters.get("ExistingWorkgroupName", ""),
            "DBT_COPY_IAM_ROLE": stack.outputs["CopyRoleArn"],
        }
    assert expected.items() <= variables.items()
    documented = set(re.findall(r"`(DBT_\w+)`", DOCUMENTATION))
    dbt_own = {"DBT_TARGET_PATH", "DBT_LOG_PATH"}
    assert {name for name in variables if name.startswith("DBT_")} - dbt_own <= documented


def test_the_data_may_be_elsewhere() -> None:
    given = {"ExistingDataBucket": "company-data", "EventsPrefix": "logs/", "SongsPrefix": "a/b/"}
    with deployed(**given) as stack:
        assert "DataBucket" not in stack.resources
        assert stack.environment["DBT_EVENTS_LOCATION"] == "s3://company-data/logs/"
        listing = {
            "Effect": "Allow",
            "Action": "s3:ListBucket",
            "Resource": "arn:aws:s3:::company-data",
            "Condition": {"StringLike": {"s3:prefix": ["logs/*", "a/b/*"]}},
        }
        for role in ("LoaderRole", "CopyRole"):
            assert listing in stack.statements(role)


def test_the_task_can_write_in_one_place(stack: Stack) -> None:
    container = stack.container
    assert container["readonlyRootFilesystem"] is True
    (mount,) = container["mountPoints"]
    assert mount["containerPath"] == "/tmp"
    for name in ("TMPDIR", "DBT_TARGET_PATH", "DBT_LOG_PATH"):
        assert stack.environment[name].startswith("/tmp")
    assert container["image"] == stack.outputs["RepositoryUri"] + ":v1"


# --- the night and its messages ---------------------------------------------------


def test_a_missing_night_is_noticed(stack: Stack) -> None:
    """After 36 hours without a success, whether there was a failure or nothing at all."""
    alarm = stack.declared("NoSuccess")
    client("cloudwatch").put_metric_alarm(**alarm)
    assert (alarm["Namespace"], alarm["MetricName"]) == ("AWS/States", "ExecutionsSucceeded")
    (dimension,) = alarm["Dimensions"]
    assert dimension == {"Name": "StateMachineArn", "Value": stack.outputs["StateMachineArn"]}
    assert (alarm["Statistic"], alarm["ComparisonOperator"], alarm["Threshold"]) == (
        "Sum",
        "LessThanThreshold",
        1,
    )
    assert alarm["TreatMissingData"] == "breaching"
    assert alarm["DatapointsToAlarm"] == alarm["EvaluationPeriods"]
    assert alarm["Period"] * alarm["EvaluationPeriods"] == 36 * HOUR
    # CloudWatch looks back a day at most, or a week if periods are an hour or longer.
    assert alarm["Period"] >= HOUR
    assert alarm["AlarmActions"] == alarm["OKActions"] == [stack.outputs["TopicArn"]]


def test_the_schedule_starts_the_night(stack: Stack) -> None:
    schedule = stack.declared("EveryNight")
    client("scheduler").create_schedule(**schedule)
    assert schedule["Target"]["Arn"] == stack.outputs["StateMachineArn"]
    assert schedule["Target"]["RoleArn"] == stack.resources["ScheduleRole"].arn
    assert schedule["State"] == "ENABLED"
    json.loads(schedule["Target"]["Input"])


def test_the_address_gets_the_messages(stack: Stack) -> None:
    """About nights from the topic, about money from the budget itself."""
    subscription = stack.declared("EmailSubscription")
    client("sns").subscribe(**subscription)
    assert subscription["TopicArn"] == stack.outputs["TopicArn"]
    assert (subscription["Protocol"], subscription["Endpoint"]) == ("email", EMAIL)
    budget = stack.declared("Budget")
    client("budgets").create_budget(
        AccountId=stack.account,
        Budget={"BudgetName": "sparkify", **as_strings(budget["Budget"])},
        NotificationsWithSubscribers=budget["NotificationsWithSubscribers"],
    )
    addresses = [
        subscriber["Address"]
        for each in budget["NotificationsWithSubscribers"]
        for subscriber in each["Subscribers"]
    ]
    assert addresses == [EMAIL, EMAIL]


def as_strings(budget: dict) -> dict:
    """A budget as its API takes it: with the amount as a text."""
    limit = budget["BudgetLimit"]
    return {**budget, "BudgetLimit": {**limit, "Amount": str(limit["Amount"])}}
