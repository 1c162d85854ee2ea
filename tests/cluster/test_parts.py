"""The comparison with a cluster: names, secrets, the choice of tests, the list of facts."""

from __future__ import annotations

import ast
import json
import os
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from click import ClickException

from tests.cluster import plugin, report
from tests.cluster.names import Names, is_name, new_name
from tests.cluster.real_cluster import Objects, RealCluster
from tests.infra import stack

ROOT = Path(__file__).parents[2]
NAMES = Names(
    name="sparkify_test_0a1b2c3d",
    location="s3://mine/x/sparkify_test_0a1b2c3d/",
    database="warehouse",
    user="IAMR:ci",
    role="'arn:aws:iam::210987654321:role/copy'",
    region="eu-west-1",
)


def test_names_of_runs() -> None:
    first, second = new_name(), new_name()
    assert first != second
    assert is_name(first)
    assert not is_name(f"{first}_raw")


@pytest.mark.parametrize(
    ("said", "sent"),
    [
        ('"sparkify_raw"."loads"', '"sparkify_test_0a1b2c3d_raw"."loads"'),
        ("Sparkify.t, sparkify_pr.t", "sparkify_test_0a1b2c3d.t, sparkify_test_0a1b2c3d_pr.t"),
        ("like 'sparkify%'", "like 'sparkify_test_0a1b2c3d%'"),
        ("sparkify_test_0a1b2c3d_rules_1.t", "sparkify_test_0a1b2c3d_rules_1.t"),
        ("my_sparkify, sparkify_rawest", "my_sparkify, sparkify_rawest"),
        ('"dev"."s"."t", dev.s.t', '"warehouse"."s"."t", warehouse.s.t'),
        ("select dev from t", "select dev from t"),
        ("schema s authorization awsuser", 'schema s authorization "IAMR:ci"'),
        (
            "from 's3://fake-redshift/a' iam_role default region 'us-west-2'",
            "from 's3://mine/x/sparkify_test_0a1b2c3d/a'"
            " iam_role 'arn:aws:iam::210987654321:role/copy' region 'eu-west-1'",
        ),
        (
            "IAM_ROLE 'arn:aws:iam::123456789012:role/copy'",
            "iam_role 'arn:aws:iam::210987654321:role/copy'",
        ),
    ],
)
def test_names_in_statements(said: str, sent: str) -> None:
    assert NAMES.sql(said) == sent


def test_the_whole_bucket_is_the_prefix() -> None:
    assert NAMES.urls("s3://fake-redshift") == "s3://mine/x/sparkify_test_0a1b2c3d"
    assert NAMES.urls("s3://fake-redshift-2/a") == "s3://fake-redshift-2/a"


def test_urls_are_translated_once() -> None:
    """Whatever the bucket is called."""
    names = replace(NAMES, location=f"s3://fake-redshift/x/{NAMES.name}/")
    there = names.urls("'s3://fake-redshift/a'")
    assert there == f"'s3://fake-redshift/x/{NAMES.name}/a'"
    assert names.urls(there) == there
    assert names.back(there) == "'s3://fake-redshift/a'"


@pytest.mark.parametrize(
    ("answered", "read"),
    [
        ("sparkify_test_0a1b2c3d_raw.loads", "sparkify_raw.loads"),
        ('"sparkify_test_0a1b2c3d"', '"sparkify"'),
        ("sparkify_test_0a1b2c3d_rules_1", "sparkify_test_0a1b2c3d_rules_1"),
        ("s3://mine/x/sparkify_test_0a1b2c3d/a", "s3://fake-redshift/a"),
        (
            "The specified S3 prefix 'x/sparkify_test_0a1b2c3d/none/'",
            "The specified S3 prefix 'none/'",
        ),
    ],
)
def test_names_in_answers(answered: str, read: str) -> None:
    assert NAMES.back(answered) == read


@pytest.fixture
def iam_cluster(monkeypatch: pytest.MonkeyPatch) -> RealCluster:
    """A cluster with a login by IAM. Nothing connects to it."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "DBT_"))]:
        monkeypatch.delenv(name)
    for name, value in {
        "DBT_TARGET": "redshift_iam_role",
        "DBT_REDSHIFT_HOST": "wg.123456789012.eu-west-1.redshift-serverless.amazonaws.com",
        "DBT_REDSHIFT_DATABASE": "warehouse",
        "DBT_REDSHIFT_WORKGROUP": "wg",
        "DBT_REDSHIFT_REGION": "eu-west-1",
        "DBT_ENV_SECRET_REDSHIFT_PASSWORD": "of-another-target",
        "DBT_EVENTS_LOCATION": "s3://production/log_data/",
        "SPARKIFY_TEST_LOCATION": "s3://mine/x",
        "AWS_MAX_ATTEMPTS": "9",
    }.items():
        monkeypatch.setenv(name, value)
    return RealCluster(NAMES.name)


def test_commands_log_in_by_iam(iam_cluster: RealCluster) -> None:
    command = ["dbt", "build", "--target", "redshift", "--select", "redshift"]
    assert iam_cluster.arguments(command)[3:] == ["redshift_iam_role", "--select", "redshift"]
    environment = iam_cluster.environment
    assert environment["AWS_MAX_ATTEMPTS"] == "9"
    assert "DBT_ENV_SECRET_REDSHIFT_PASSWORD" not in environment
    for ask in (
        lambda: iam_cluster.connect("awsuser", "wrong"),
        lambda: iam_cluster.variables({"DBT_ENV_SECRET_REDSHIFT_PASSWORD": "wrong"}),
    ):
        with pytest.raises(pytest.skip.Exception, match="the login is by IAM"):
            ask()


def test_commands_use_the_names_of_the_run_alone(iam_cluster: RealCluster) -> None:
    environment = iam_cluster.environment
    assert environment["DBT_REDSHIFT_SCHEMA"] == NAMES.name
    assert environment["DBT_RAW_SCHEMA"] == f"{NAMES.name}_raw"
    assert environment["DBT_STAGE_LOCATION"] == f"s3://mine/x/{NAMES.name}/stage/"
    assert "DBT_EVENTS_LOCATION" not in environment
    assert iam_cluster.variables(environment) == environment
    for name, value in (
        ("DBT_REDSHIFT_SCHEMA", "analytics"),
        ("DBT_REDSHIFT_SCHEMA", " "),
        ("DBT_RAW_SCHEMA", ""),
    ):
        with pytest.raises(pytest.skip.Exception, match=name):
            iam_cluster.variables(environment | {name: value})


def test_an_object_that_cannot_be_deleted(
    iam_cluster: RealCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S3 answers with a list of errors then, and the object is listed again."""
    client = SimpleNamespace(
        list_objects_v2=lambda **_: {"Contents": [{"Key": f"x/{NAMES.name}/a"}]},
        delete_objects=lambda **_: {"Errors": [{"Code": "AccessDenied"}]},
    )
    objects = Objects(client, "mine", f"x/{NAMES.name}/")
    monkeypatch.setitem(iam_cluster.__dict__, "s3", objects)
    with pytest.raises(ClickException, match="an object cannot be deleted: AccessDenied"):
        iam_cluster.delete_objects()


def test_secrets_are_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "AWS_SECRET_ACCESS_KEY": "wJalr/K7",
        "DBT_ENV_SECRET_REDSHIFT_PASSWORD": "Pass+1",
        "DBT_REDSHIFT_HOST": "db.example.com",
        "DBT_REDSHIFT_USER": "ci",
        "DBT_STAGE_LOCATION": "s3://my-bucket/stage/",
    }.items():
        monkeypatch.setenv(name, value)
    text = (
        "login of ci (wJalr/K7) to db.example.com with Pass+1, s3://my-bucket/x,"
        " w.123456789012.eu-west-1.redshift-serverless.amazonaws.com, role of 123456789012"
    )
    assert report.without_secrets(text) == (
        "login of (removed) ((removed)) to (removed) with (removed), s3://(removed)/x,"
        " (removed), role of (removed)"
    )
    for harmless in ("city 1541105830796", "0.666666666666"):
        assert report.without_secrets(harmless) == harmless


@pytest.mark.parametrize(
    ("docstring", "rule", "source"),
    [
        ("[guide:r_BEGIN]", "commit", "guide:r_BEGIN"),
        ("The message is 1023. [public; guide:x]", "The message is 1023", "public; guide:x"),
        ("[guide:r_LOCK]: it blocks readers, too.", "it blocks readers, too", "guide:r_LOCK"),
        ("First. Second.", "First", ""),
        (None, "commit", ""),
    ],
)
def test_rule_and_source_of_a_docstring(docstring: str | None, rule: str, source: str) -> None:
    row = report.described("a.py::test_commit[x]", "test_commit[x]", docstring)
    assert (row.rule, row.source) == (rule, source)


def test_a_table_keeps_its_shape() -> None:
    """Whatever a message holds."""
    row = report.Row("t", "r", "s", report.DIFFERENT, "assert a", "x | y\n" + "<b>" * 200)
    (line,) = [line for line in report.markdown({}, [row]).splitlines() if line.startswith("| t |")]
    assert len(re.findall(r"(?<!\\)\|", line)) == 6
    assert "x \\| y &lt;b>" in line
    assert line.endswith("… |")


def test_a_fact_is_listed_once() -> None:
    rows = [
        report.Row("a[1]", "", "", report.EQUAL, assumed="one"),
        report.Row("a[2]", "", "", report.EQUAL, assumed="one"),
        report.Row("b[1]", "", "", report.EQUAL, assumed="two"),
        report.Row("b[2]", "", "", report.DIFFERENT, assumed="two"),
    ]
    lines = report.markdown({}, rows).splitlines()
    assert {"| one | equal |", "| two | 1 equal, 1 different |"} <= set(lines)


def item(test: str, function: object, *fixtures: str, **markers: str) -> SimpleNamespace:
    """What the plugin reads of a test."""
    marks = {name: SimpleNamespace(args=(text,)) for name, text in markers.items()}
    return SimpleNamespace(
        nodeid=test,
        function=function,
        fixturenames=list(fixtures),
        get_closest_marker=marks.get,
    )


def test_a_rule_runs_on_a_cluster_or_says_why_not() -> None:
    """The plugin refuses to start otherwise; so each run of test_command.py shows that all do."""

    def plain(db):
        db.run("select 1")

    def faulty(db, redshift_faults):
        redshift_faults.fail("x")

    rules = plugin.RULES + "test_x.py::"
    assert plugin.without_a_reason(
        [
            item(rules + "good[1]", plain, "db", "cluster"),
            item(rules + "marked", faulty, "db", "cluster", standin="why"),
            item(rules + "other[1]", plain),
            item(rules + "other[2]", plain),
            item(rules + "faulty", faulty, "db", "cluster"),
            item("tests/pipeline/test_x.py::a", plain),
        ]
    ) == [rules + "faulty", rules + "other"]


def test_a_run_ends_with_its_command(iam_cluster: RealCluster, tmp_path: Path) -> None:
    """A killed command cannot remove what the tests would go on creating."""
    run = plugin.ClusterPlugin(NAMES.name, tmp_path / "cluster.md")
    run.pytest_runtest_setup()
    run.parent = -1
    with pytest.raises(pytest.exit.Exception, match="the command that started this has ended"):
        run.pytest_runtest_setup()


def test_assumed_facts_are_listed() -> None:
    """docs/cluster.md has the facts of the markers, each once."""
    table = (ROOT / "docs/cluster.md").read_text().partition("| fact |")[2].partition("\n\n")[0]
    listed = [line.split(" | ")[0].removeprefix("| ") for line in table.splitlines()[2:]]
    marked = {
        node.args[0].value
        for path in (ROOT / "tests/test_fake_redshift").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.assumed"
    }
    assert len(marked) > 20
    assert sorted(listed) == sorted(marked)


def workflow() -> dict[str, dict]:
    """The jobs of the workflow, by name."""
    return yaml.safe_load((ROOT / ".github/workflows/cluster.yml").read_text())["jobs"]


def scripts() -> str:
    """All commands of the workflow, each on one line."""
    steps = [step for job in workflow().values() for step in job["steps"]]
    return "\n".join(step.get("run", "") for step in steps).replace("\\\n", " ")


def test_the_workflow_fits_the_stack() -> None:
    """Its parameters and outputs exist."""
    template = stack.template()
    given = re.search(r"--parameter-overrides (.*)", scripts())[1]
    names = re.findall(r"(\w+)=", given)
    assert len(names) > 5
    required = {name for name, each in template["Parameters"].items() if "Default" not in each}
    assert required <= set(names) <= set(template["Parameters"])
    read = re.findall(r"OutputKey=='(\w+)'", scripts())
    assert read
    assert set(read) <= set(template["Outputs"])


def test_the_workflow_deletes_the_stack_whatever_happened() -> None:
    """Also if the first job is canceled or runs out of time; the credentials last as long."""
    compare, delete = workflow().values()
    assert delete["if"].startswith("always() ")
    assert "delete-stack" in delete["steps"][1]["run"]
    for job in (compare, delete):
        (login,) = [s["with"] for s in job["steps"] if "role-to-assume" in s.get("with", {})]
        assert login["role-duration-seconds"] == job["timeout-minutes"] * 60
    (tests,) = [s for s in compare["steps"] if "make test-cluster" in s.get("run", "")]
    assert tests["timeout-minutes"] < compare["timeout-minutes"]
    assert "create-usage-limit" in scripts()


def test_the_role_of_the_workflow_may_do_what_it_does() -> None:
    """The policy in docs/cluster.md allows each request, and nothing of other services."""
    page = (ROOT / "docs/cluster.md").read_text()
    policy = json.loads(re.search(r"```json\n(.*?)```", page, re.DOTALL)[1])
    allowed: set[str] = set()
    for statement in policy["Statement"]:
        actions = statement["Action"]
        allowed |= {actions} if isinstance(actions, str) else set(actions)
    sent = {
        f"{service}:{''.join(word.capitalize() for word in command.split('-'))}"
        for service, command in re.findall(r"\baws ([\w-]+) ([\w-]+)", scripts())
        if service not in ("sts", "s3") and command not in ("deploy", "wait")
    }
    assert len(sent) > 8
    assert sent <= allowed
    assert not [action for action in allowed if "*" in action]
