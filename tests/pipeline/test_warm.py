"""The shortcuts of warm.py and session.py do not change what the commands do."""

from collections.abc import Callable

import pytest
import sqlparse

from .conftest import Project, event
from .warm import Run, statements


@pytest.mark.parametrize(
    "sql",
    [
        "select 1",
        " select ';' as one;\n",
        "\n-- a; b\nselect 1\n;\n",
        "begin; select 1; commit",
        "select 1;;",
        "",
        " ; ",
    ],
)
def test_statements_are_split_as_sqlparse_does(sql: str) -> None:
    assert statements(sql, sqlparse.split) == sqlparse.split(sql)


def test_a_session_does_what_processes_do(local_project: Project, is_plain: bool) -> None:
    project = local_project
    if is_plain:
        pytest.skip("with --plain there are no sessions")
    commands = (
        ("load_staging.py",),
        ("dbt", "--quiet", "run"),
        ("load_staging.py", "--select", "no_such_table"),
        ("dbt", "--quiet", "run", "--select", "no_such_model"),
    )

    def outcome(run: Callable[..., Run]) -> tuple:
        project.database.unlink(missing_ok=True)
        runs = [run(*command) for command in commands]
        return [(each.code, each.errors) for each in runs], project.marts()

    in_session = outcome(project.run)
    assert project.session.process.poll() is None  # it ran them, and is ready for more
    assert in_session == outcome(lambda *command: project.start(*command).wait())
    codes = [code for code, _ in in_session[0]]
    assert codes == [0, 0, 1, 0]


def test_a_changed_project_is_parsed_again(local_project: Project) -> None:
    project = local_project
    project.write_events("new.json", event(9))
    project.load()
    project.dbt("run")
    assert project.query("select count(*) > 0 from dim_songs") == [(True,)]
    model = project.folder / "models" / "marts" / "dim_songs.sql"
    model.write_text(f"{model.read_text()}\nlimit 0\n")
    project.dbt("run", "--select", "dim_songs")
    assert project.query("select count(*) > 0 from dim_songs") == [(False,)]
