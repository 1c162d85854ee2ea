"""The jobs of dbt Cloud and GitHub are valid, and their commands do what they should."""

from __future__ import annotations

import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
import yaml
from moto.core import DEFAULT_ACCOUNT_ID
from moto.server import ThreadedMotoServer
from moto.sns.models import sns_backends

from .conftest import ROOT, Project, RedshiftProject, clean_environment, event

JOBS_AS_CODE = ROOT / ".venv" / "jobs" / "bin" / "dbt-jobs-as-code"
WORKFLOWS = ROOT / ".github" / "workflows"


def cloud_jobs() -> dict[str, dict]:
    """The jobs of dbt Cloud, with their templates filled in."""
    numbers = yaml.safe_load((ROOT / "dbt_cloud" / "vars.yml").read_text())
    text = (ROOT / "dbt_cloud" / "jobs.yml").read_text()
    for name, number in numbers.items():
        text = text.replace(f"{{{{ {name} }}}}", str(number))
    return yaml.safe_load(text)["jobs"]


def workflow_commands(name: str) -> list[str]:
    """The commands of a workflow's one job."""
    (job,) = yaml.safe_load((WORKFLOWS / name).read_text())["jobs"].values()
    return [step["run"] for step in job["steps"] if "run" in step]


def test_the_jobs_of_dbt_cloud_are_valid() -> None:
    if not JOBS_AS_CODE.exists():
        pytest.skip("dbt-jobs-as-code is not installed: make .venv/jobs")
    arguments = ["validate", "dbt_cloud/jobs.yml", "--vars-yml", "dbt_cloud/vars.yml"]
    run = subprocess.run([JOBS_AS_CODE, *arguments], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr


def test_the_workflows_are_sound() -> None:
    """zizmor finds no unpinned action, excessive permission or injected text."""
    zizmor = Path(sys.executable).with_name("zizmor")
    command = [zizmor, "--offline", "--no-progress", "--persona", "pedantic", WORKFLOWS]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "No findings" in run.stdout + run.stderr


@pytest.mark.parametrize("path", sorted(WORKFLOWS.glob("*.yml")), ids=lambda path: path.stem)
def test_a_workflow_says_what_why_and_when(path: Path) -> None:
    text = path.read_text()
    assert re.match(
        r"# What: .+\n(#  .+\n)*# Why: .+\n(#  .+\n)*# When: .+\n(#  .+\n)*name: ", text
    )
    pins = re.findall(r"uses: (.*)", text)
    assert pins
    for pin in pins:
        assert re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", pin)


def test_every_night_is_the_same() -> None:
    """All schedulers run the same commands in the same order."""
    steps = cloud_jobs()["nightly"]["execute_steps"]
    commands = ["python load_staging.py", *steps]
    assert [each for each in workflow_commands("nightly.yml") if each in commands] == commands
    operations = (ROOT / "docs" / "operations.md").read_text()
    cron = re.search(r"^exec 9>.*?^```", operations, re.MULTILINE | re.DOTALL)
    assert cron
    assert [line for line in cron[0].splitlines() if line in commands] == commands
    airflow = re.findall(r'bash_command="\.venv/bin/([^"]*)"', operations)
    assert airflow == commands


def test_the_credentials_of_the_night_last() -> None:
    """For as long as the job may run, which is longer than one statement of Redshift may take."""
    (job,) = yaml.safe_load((WORKFLOWS / "nightly.yml").read_text())["jobs"].values()
    (assumed,) = [step["with"] for step in job["steps"] if "role-to-assume" in step.get("with", {})]
    seconds = job["timeout-minutes"] * 60
    assert assumed["role-duration-seconds"] == seconds
    profiles = yaml.safe_load((ROOT / "profiles.yml.example").read_text())
    assert seconds > profiles["sparkify"]["outputs"]["redshift_iam_role"]["connect_timeout"]
    operations = (ROOT / "docs" / "operations.md").read_text()
    assert f"--max-session-duration {seconds}\n" in operations


def test_ci_runs_what_developers_run() -> None:
    commands = (ROOT / ".ci" / "run").read_text().splitlines()
    for workflow, command in (("ci.yml", "make test"), ("image.yml", "make test-infra")):
        assert workflow_commands(workflow) == [command]
        assert command in commands


def test_each_job_is_started_in_one_way() -> None:
    started = {
        name: {trigger for trigger, is_on in job["triggers"].items() if is_on}
        for name, job in cloud_jobs().items()
    }
    assert started == {
        "nightly": set(),
        "pull_request": {"github_webhook", "git_provider_webhook"},
        "weekly": {"schedule"},
        "reload": set(),
    }


def test_the_jobs_run(redshift_project: RedshiftProject) -> None:
    """The nights, the weeks, and a pull request that changes a mart."""
    project = redshift_project
    project.write_events("new.json", event(9, userId="8"))
    jobs = {name: job["execute_steps"] for name, job in cloud_jobs().items()}
    project.load()
    for step in [*jobs["nightly"], *jobs["weekly"]]:
        project.dbt(*step.split()[1:])
    assert project.query("select user_id from dim_users order by 1") == [(7,), (8,)]

    project.with_artifacts()
    project.dbt("parse")
    state = shutil.copytree(project.folder / "target", project.folder / "production")
    model = project.folder / "models" / "marts" / "dim_users.sql"
    model.write_text(f"{model.read_text()}\n-- Changed.\n")
    project.environment["DBT_REDSHIFT_SCHEMA"] = "sparkify_pr"
    (step,) = jobs["pull_request"]
    project.dbt(*step.split()[1:], "--defer", "--state", str(state))
    tables = "select table_name from information_schema.tables where table_schema = 'sparkify_pr'"
    assert project.query(tables) == [("dim_users",)]
    run = {each["unique_id"] for each in project.artifact("run_results.json")["results"]}
    assert any("relationships_fct_songplays_user_id" in each for each in run)
    assert not any("dim_songs" in each for each in run)


def documented_scripts() -> list[str]:
    """The shell scripts of operations.md: the night, and the two versions of what tells of it."""
    operations = (ROOT / "docs" / "operations.md").read_text()
    blocks = re.findall(r"^```sh\n(.*?)^```", operations, re.MULTILINE | re.DOTALL)
    night, tell = (block for block in blocks if block.startswith("#!/usr/bin/env bash\n"))
    (function,) = (block for block in blocks if block.startswith("tell() {\n"))
    to_sns = re.sub(r"^tell\(\) \{\n.*?^\}\n", lambda _: function, tell, flags=re.M | re.S)
    assert to_sns != tell
    return [night, tell, to_sns]


@pytest.fixture
def scripts(tmp_path: Path) -> list[Path]:
    """The scripts of operations.md with other places for the environment file, the project and the
    virtual environment."""
    paths = []
    for name, text in zip(("night", "tell", "tell_sns"), documented_scripts(), strict=True):
        for place, other in {
            "/etc/sparkify.env": tmp_path / "sparkify.env",
            "/opt/sparkify": tmp_path / "opt",
            ".venv/bin/activate": f"{sys.prefix}/bin/activate",
        }.items():
            text = text.replace(place, str(other))
        paths.append(tmp_path / name)
        paths[-1].write_text(text)
        paths[-1].chmod(0o755)
    return paths


@pytest.fixture
def webhook() -> Iterator[tuple[str, list[dict]]]:
    """The URL of a webhook, and the messages posted to it."""
    messages: list[dict] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.headers["Content-Type"] == "application/json"
            messages.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/secret", messages
        server.shutdown()
        thread.join()


def run_script(folder: Path, *command: str | Path, **variables: str) -> subprocess.CompletedProcess:
    """Runs a script with these variables in its environment file, as cron would."""
    lines = [f"{name}='{value}'\n" for name, value in variables.items()]
    (folder / "sparkify.env").write_text("".join(lines))
    environment = clean_environment() | {"HOME": str(folder)}
    return subprocess.run(
        ["bash", *command], env=environment, cwd=folder, capture_output=True, text=True
    )


def test_a_night_that_fails_or_warns_is_told(
    local_project: Project, scripts: list[Path], webhook: tuple[str, list[dict]], tmp_path: Path
) -> None:
    """To the webhook, by the scripts as documented; a night that went well is silent."""
    night, tell, _ = scripts
    url, messages = webhook
    (tmp_path / "opt").symlink_to(local_project.folder)
    variables = local_project.environment | {"DBT_TARGET": "local", "SPARKIFY_WEBHOOK": url}

    missing = variables | {"DBT_EVENTS_LOCATION": "nowhere/"}
    failed = run_script(tmp_path, tell, night, **missing)
    assert failed.returncode == 1
    assert failed.stdout == failed.stderr == ""
    (message,) = messages
    assert f"{night} failed with exit code 1\n" in message["text"]
    assert "nowhere" in message["text"].splitlines()[-1]

    went_well = run_script(tmp_path, tell, night, **variables)
    log = (tmp_path / "sparkify-nightly.log").read_text()
    assert went_well.returncode == 0, log
    assert "WARN=0 ERROR=0" in log
    assert len(messages) == 1

    local_project.write_events("new.json", event(11, level="premium"))
    warned = run_script(tmp_path, tell, night, **variables)
    assert warned.returncode == 0
    lines = messages[1]["text"].splitlines()
    assert lines[0].endswith(f"{night} warned")
    assert "WARN 1 assert_new_levels_and_genders_are_known" in lines[1]
    assert "unknown_value: premium" in lines[2]
    assert len(lines) == 3


def test_the_url_of_the_webhook_is_on_no_command_line(
    scripts: list[Path], webhook: tuple[str, list[dict]], tmp_path: Path
) -> None:
    """And a webhook that does not answer makes curl say so."""
    url, messages = webhook
    curl = tmp_path / "bin" / "curl"
    curl.parent.mkdir()
    curl.write_text(f'#!/bin/sh\necho "$@" > "$HOME/arguments"\nexec {shutil.which("curl")} "$@"\n')
    curl.chmod(0o755)
    path = f"{curl.parent}:{os.environ['PATH']}"
    failing = ("sh", "-c", "echo 'a \"line\"'; exit 3")
    run = run_script(tmp_path, scripts[1], *failing, SPARKIFY_WEBHOOK=url, PATH=path)
    assert run.returncode == 3
    assert messages[0]["text"].endswith('failed with exit code 3\na "line"\n')
    assert "--config" in (tmp_path / "arguments").read_text()
    assert "secret" not in (tmp_path / "arguments").read_text()

    closed = {"SPARKIFY_WEBHOOK": "http://127.0.0.1:1/secret"}
    run = run_script(tmp_path, scripts[1], *failing, **closed)
    assert run.returncode == 3
    assert run.stderr.startswith("curl: ")


def test_a_failure_is_told_to_sns(scripts: list[Path], tmp_path: Path) -> None:
    if not shutil.which("aws"):
        pytest.skip("the AWS command line is not installed")
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        variables = {
            "AWS_ENDPOINT_URL": f"http://{host}:{port}",
            "AWS_DEFAULT_REGION": "eu-west-1",
            "AWS_ACCESS_KEY_ID": "any",
            "AWS_SECRET_ACCESS_KEY": "any",
        }
        client = boto3.client(
            "sns",
            endpoint_url=variables["AWS_ENDPOINT_URL"],
            region_name="eu-west-1",
            aws_access_key_id="any",
            aws_secret_access_key="any",
        )
        topic = client.create_topic(Name="sparkify")["TopicArn"]
        failing = ("sh", "-c", "echo lost; exit 3")
        run = run_script(tmp_path, scripts[2], *failing, SPARKIFY_TOPIC=topic, **variables)
        assert (run.returncode, run.stdout, run.stderr) == (3, "", "")
        sent = sns_backends[DEFAULT_ACCOUNT_ID]["eu-west-1"].topics[topic].sent_notifications
        ((_, message, subject, *_),) = sent
        assert message.endswith("failed with exit code 3\nlost\n")
        assert subject == "Sparkify warehouse"
    finally:
        server.stop()
