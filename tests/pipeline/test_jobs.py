"""The jobs of dbt Cloud and GitHub are valid, and their commands do what they should."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from .conftest import ROOT, RedshiftProject, event

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
