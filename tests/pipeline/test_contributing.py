"""The steps of CONTRIBUTING.md, followed as they stand there."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from .conftest import NO_UNIT_TESTS, ROOT, Project, event


def blocks(language: str) -> list[str]:
    """The blocks of a language in CONTRIBUTING.md."""
    text = (ROOT / "CONTRIBUTING.md").read_text()
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def add_the_column(folder: Path) -> None:
    """Applies the diff."""
    (diff,) = blocks("diff")
    subprocess.run(["git", "apply", "-"], cwd=folder, input=diff, text=True, check=True)


def test_a_key_becomes_a_column(project: Project) -> None:
    """With a table of a former version in place, which is refused until it has the column too."""
    devices = "select item_in_session, device_id from {}.fct_songplays order by 1"
    project.load()
    project.dbt("run")
    earlier = project.query(f"select count(*) from {project.schema}.fct_songplays")[0][0]

    add_the_column(project.folder)
    project.write_events("devices.json", event(8, deviceId="phone"), event(9, deviceId=""))
    assert "deviceId" not in project.load().errors
    refused = project.run("dbt", "run", "--target", project.target)
    assert refused.code != 0
    assert "has other columns than its model" in refused.text

    (statements,) = blocks("sql")
    for statement in statements.split(";\n")[:-1]:
        project.execute(re.sub(r"\bmain\b|\bmain(?=_)", project.schema, statement))
    project.dbt("run")
    rows = project.query(devices.format(project.schema))
    assert len(rows) == earlier + 2
    assert {item: device for item, device in rows if device} == {8: "phone"}

    marts = project.marts()
    project.dbt("build", "--full-refresh", *NO_UNIT_TESTS)
    assert project.marts() == marts


def test_the_unit_tests_know_the_column(local_project: Project) -> None:
    add_the_column(local_project.folder)
    local_project.load()
    built = local_project.run("dbt", "build")
    assert built.code == 0, built.text
    assert "an_event_is_identified_by" in built.text
