"""dbt and dbt-redshift on the stand-in."""

import json
import os
import shutil
from pathlib import Path
from unittest import mock

import pytest
from dbt.cli.main import dbtRunner

from .conftest import Client

_PROJECT = Path(__file__).parent / "dbt_project"

# Its schemas, users and groups have fixed names.
pytestmark = pytest.mark.standin("the pipeline's tests run dbt on the cluster")


class Dbt:
    """Runs dbt in this process, which saves its start-up time."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder, self.environment = folder, environment

    def __call__(self, *arguments: str) -> list[str]:
        """Run one dbt command, which must succeed; the messages it logs."""
        messages: list[str] = []
        runner = dbtRunner(callbacks=[lambda event: messages.append(event.info.msg)])
        folders = ["--project-dir", str(self.folder), "--profiles-dir", str(self.folder)]
        with mock.patch.dict(os.environ, self.environment):
            done = runner.invoke(["--quiet", *arguments, *folders])
        assert done.success, "\n".join(messages)[-4000:] + str(done.exception)
        return messages

    def artifact(self, name: str) -> dict:
        return json.loads((self.folder / "target" / name).read_text())


@pytest.fixture(scope="module")
def dbt(cluster, tmp_path_factory):
    folder = tmp_path_factory.mktemp("dbt") / "project"
    shutil.copytree(_PROJECT, folder)
    return Dbt(folder, cluster.environment | {"DBT_REDSHIFT_SCHEMA": "stand_in"})


@pytest.fixture(scope="module")
def built(dbt, cluster):
    """The project after a load, a build, a second load and a second build."""
    client = Client(cluster)
    client.run("create group readers")
    client.run("create user reader password disable")
    client.put("dbt/1.json", _event(1, "free", 0) + _event(2, "paid", 1))
    client.put("dbt/2.json", _event(1, "paid", 2))
    dbt("run-operation", "load", "--args", "{key: dbt/1.json}")
    dbt("build")
    dbt("run-operation", "load", "--args", "{key: dbt/2.json}")
    dbt("build")
    yield client
    client.close()


def _event(user: int, level: str, second: int) -> str:
    return json.dumps({"user_id": user, "level": level, "played_at": 1541000000000 + second * 1000})


def test_load_in_one_run_query_is_one_transaction(built):
    """begin; lock; copy; insert; commit in one run_query. [dbt-core:macros/etc/statement.sql]"""
    assert built.value("select count(*) from stand_in_raw.ledger") == 2
    sent = [
        s.sql.split()[-1] if s.sql.startswith("/*") else s.sql for s in built.cluster.statements
    ]
    assert any(sql.endswith("commit") for sql in sent)


def test_incremental_model_with_a_contract(built):
    """delete+insert is the default with a unique_key. [dbt-redshift:impl.py]"""
    assert built.run("select user_id, level from stand_in.plays order by played_at") == [
        (1, "free"),
        (2, "paid"),
        (1, "paid"),
    ]


def test_merge_model(built):
    """[dbt-redshift:incremental_merge.sql]"""
    assert built.value("select count(*) from stand_in.merged") == 2


def test_snapshot_keeps_the_previous_row(built):
    """Snapshots are UPDATE ... FROM and INSERT. [dbt-redshift:snapshot_merge.sql]"""
    rows = built.run(
        "select levels, dbt_valid_to is null from stand_in.users_snapshot where user_id = 1 "
        "order by dbt_valid_from"
    )
    assert rows == [("free", False), ("free,paid", True)]


def test_late_binding_view_survives_its_source(built):
    """with no schema binding. [guide:r_CREATE_VIEW]"""
    assert built.value("select count(*) from stand_in.stg_events") == 3


def test_grants(built):
    """[dbt-redshift:apply_grants.sql]"""
    assert built.value("select has_table_privilege('reader', 'stand_in.users', 'select')") is True


def test_docs_describe_every_relation_once(built, dbt):
    """Columns, comments and svv_table_info reach the catalog. [dbt-redshift:catalog.sql]"""
    dbt("docs", "generate")
    catalog = dbt.artifact("catalog.json")["nodes"]
    users = catalog["model.stand_in.users"]
    assert users["stats"]["diststyle"]["value"] == "ALL"
    assert users["stats"]["sortkey1"]["value"] == "user_id"
    assert users["columns"]["levels"]["comment"] == "All levels."
    view = catalog["model.stand_in.stg_events"]
    assert view["metadata"]["type"] == "LATE BINDING VIEW"
    assert [c["index"] for c in view["columns"].values()] == [1, 2, 3, 4]


def test_source_freshness(built, dbt):
    """select max(loaded_at), getdate(). [dbt-core:freshness.sql]"""
    assert any("PASS freshness of raw.events" in m for m in dbt("source", "freshness"))


def test_full_refresh_and_single_commands(built, dbt):
    dbt("run", "--full-refresh", "--select", "plays+")
    assert any("All checks passed" in m for m in dbt("debug"))
    assert any("paid" in m for m in dbt("show", "--select", "levels_played"))


def test_datasharing_profile_uses_show_commands(built, dbt):
    """SHOW SCHEMAS, TABLES, COLUMNS, GRANTS and USE. [dbt-redshift:impl.py]"""
    dbt.environment["DBT_REDSHIFT_DATASHARING"] = "True"
    try:
        dbt("run")
    finally:
        del dbt.environment["DBT_REDSHIFT_DATASHARING"]
    assert any("SHOW TABLES FROM SCHEMA" in s.sql for s in built.cluster.statements)
