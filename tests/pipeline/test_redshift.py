"""What exists only on Redshift: COPY, the reload without Python, keys, grants, refusals."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.fake_redshift import (
    BUCKET,
    DEADLOCK,
    NOT_IN_SNAPSHOT,
    SERIALIZABLE_VIOLATION,
    RedshiftError,
)

from .conftest import MARTS, NO_UNIT_TESTS, RedshiftProject, event, song, table_at_the_end
from .test_kill import with_small_batches

EVENT_COUNT = "select count(*) from sparkify_raw.staging_events"
LEDGER = "select load_id, source_table, file_count, row_count from sparkify_raw.loads order by 1"
# Only incremental marts have keys.
TRUE_KEYS = [
    "dim_time_start_hour_pkey",
    "dim_user_levels_user_id_fkey",
    "dim_user_levels_user_level_id_pkey",
    "dim_users_user_id_pkey",
    "fct_sessions_user_id_fkey",
    "fct_sessions_user_session_id_pkey",
    "fct_songplays_songplay_id_pkey",
    "fct_songplays_start_hour_fkey",
    "fct_songplays_user_id_fkey",
]
IN_BETWEEN = "no_other_load_came_in_between_else_run_again"
CREATED_AT_ONCE = RedshiftError(
    'duplicate key violates unique constraint "pg_class_relname_nsp_index"'
    " (possibly caused by concurrent transaction conflict)",
    "23505",
)
KEYS = "select conname from pg_constraint where contype in ('p', 'f') order by 1"


def statements(project: RedshiftProject, start: str) -> list[str]:
    """The statements sent to the cluster that begin with a word, without comments."""
    sent = [re.sub(r"^\s*/\*.*?\*/\s*", "", each.sql) for each in project.cluster.statements]
    return [sql for sql in sent if sql.lower().startswith(start)]


def refused(
    project: RedshiftProject, *said: str, options: tuple[str, ...] = (), **environment: str
) -> None:
    """The load of the events fails with one message that says all of this, and leaves nothing."""
    run = project.load("--select", "staging_events", *options, fails=True, **environment)
    (message,) = [line for line in run.errors.splitlines() if line.startswith("Error: ")]
    for part in said:
        assert part in message
    tables = "select count(*) from information_schema.tables where table_schema = 'sparkify_raw'"
    if project.query(tables) != [(0,)]:
        assert project.query(EVENT_COUNT) == [(0,)]
        assert project.query(LEDGER) == []


# --- loading -------------------------------------------------------------------


def test_each_batch_is_one_copy_in_one_transaction(redshift_project: RedshiftProject) -> None:
    project = redshift_project
    project.write_events("zipped.json", event(4))
    project.cluster.statements.clear()
    project.load("--select", "staging_events")
    (copy,) = [sql for sql in statements(project, "copy") if '"staging_events"' in sql]
    columns = re.search(r"\((.*?)\)\s*from", copy, re.DOTALL)
    assert columns and "firstname" in columns[1] and "loaded_at" not in columns[1]
    for part in ("manifest", "iam_role default", "json 'auto ignorecase'"):
        assert part in copy
    # dbt writes its own in upper case.
    sent = statements(project, "begin") + statements(project, "commit")
    assert [sql for sql in sent if sql.islower()] == ["begin", "commit"]
    assert project.query(LEDGER) == [(1, "staging_events", 3, 4)]

    fingerprints = project.query(
        "select file_name, fingerprint, file_size from sparkify_raw.loaded_files order by 1"
    )
    listed = project.cluster.s3.list_objects_v2(Bucket=BUCKET, Prefix="log_data/")["Contents"]
    assert fingerprints == [
        (f"s3://{BUCKET}/{entry['Key']}", entry["ETag"].strip('"'), entry["Size"])
        for entry in listed
    ]
    # Nothing is left behind.
    assert "Contents" not in project.cluster.s3.list_objects_v2(Bucket=BUCKET, Prefix="stage/")


def test_lists_of_files_and_rejects_are_copied_without_analysis(
    redshift_project: RedshiftProject,
) -> None:
    """COPY would otherwise sample them to choose encodings, and gather statistics on tables that
    are dropped at once."""
    project = redshift_project
    (project.events / "bad.json").write_text(json.dumps(event(9)) + "\n{")
    project.write_events("worse.json", event(10, ts="x"))
    project.cluster.statements.clear()
    project.load("--max-errors", "2")
    created = statements(project, "create temporary table")
    copied = set()
    for sql in statements(project, "copy"):
        table = sql.split()[1]
        if "sparkify_raw" not in table:
            copied.add(table)
            assert {"compupdate off", "statupdate off"} < set(sql.split("\n"))
            (made,) = {each for each in created if each.split()[3] == table}
            assert made.endswith(")\ndiststyle even")
    assert copied == {
        "files_of_staging_events",
        "files_of_staging_songs",
        "rejects_of_staging_events",
    }


def test_a_load_whose_rows_have_two_times(redshift_project: RedshiftProject) -> None:
    """Redshift documents only for some functions that a default has one value per COPY. With two
    values, a build in between would never see the rows of the earlier one."""
    project = redshift_project
    project.load()
    for name in ("later.json", "late.json"):
        project.write_events(name, event(9))
    before = project.query(LEDGER)
    assert len(before) == 2
    with changing_times(project):
        run = project.load(fails=True)
        assert run.errors.count("Trying again.") == 3
        assert "different values of loaded_at" in run.errors.splitlines()[-1]
        assert project.query(LEDGER) == before
        run = project.run("dbt", "run-operation", "load_staging", "--target", "redshift")
        assert run.code != 0
        assert "NULL value into column loaded_at_if_one_value" in " ".join(run.text.split())
    assert project.query(EVENT_COUNT) == [(3,)]
    assert project.query(LEDGER) == before
    project.load()
    assert project.query(EVENT_COUNT) == [(5,)]


@contextmanager
def changing_times(project: RedshiftProject) -> Iterator[None]:
    """Makes every second row of the events a second later."""
    with project.cluster.admin() as connection:
        connection.execute(
            """
            create sequence public.row_numbers;
            grant usage on sequence public.row_numbers to public;
            create function public.one_second_later() returns trigger language plpgsql as $$
            begin
                new.loaded_at = new.loaded_at + nextval('public.row_numbers') % 2
                    * interval '1 second';
                return new;
            end $$;
            create trigger later before insert on sparkify_raw.staging_events
                for each row execute function public.one_second_later();
            """
        )
    yield
    with project.cluster.admin() as connection:
        connection.execute(
            "drop function public.one_second_later cascade; drop sequence public.row_numbers"
        )


def test_zipped_and_plain_files_are_loaded_apart(redshift_project: RedshiftProject) -> None:
    import gzip

    project = redshift_project
    (project.events / "zipped.json.gz").write_bytes(gzip.compress(json.dumps(event(9)).encode()))
    # A dry run reads no data and goes by the names.
    assert project.load("--select", "staging_events", "--dry-run").output.count("\ngzip") == 1
    project.load("--select", "staging_events")
    assert project.query(LEDGER) == [
        (1, "staging_events", 2, 3),
        (2, "staging_events", 1, 1),
    ]
    times = "select count(distinct loaded_at), count(*) from sparkify_raw.loads"
    assert project.query(times) == [(2, 2)]
    project.dbt("test", "--select", "assert_ledger_counts_the_raw_rows")


@pytest.mark.standin("it names a role that does not exist")
def test_role_and_region_are_variables(redshift_project: RedshiftProject) -> None:
    role = "arn:aws:iam::123456789012:role/sparkify-copy"
    run = redshift_project.load("--dry-run", DBT_COPY_IAM_ROLE=role, DBT_COPY_REGION="us-west-2")
    assert f"iam_role '{role}'\nregion 'us-west-2'" in run.output


def test_keys_of_any_name_are_data(redshift_project: RedshiftProject) -> None:
    project = redshift_project
    names = ["it's.json", 'a "quote"; drop table x.json', "50% [1] *?.json", "naïve ♥.json"]
    for number, name in enumerate(names, start=10):
        project.write_events(f"strange/{name}", event(number))
    project.load()
    assert project.query(EVENT_COUNT) == [(3 + len(names),)]
    loaded = {name for (name,) in project.query("select file_name from sparkify_raw.loaded_files")}
    assert {f"s3://{BUCKET}/log_data/strange/{name}" for name in names} < loaded
    assert "Nothing new." in project.load().output


def test_a_dry_run_changes_nothing(redshift_project: RedshiftProject) -> None:
    project = redshift_project
    run = project.load("--dry-run")
    assert run.output.count("lock table") == 2
    schemas = "select count(*) from pg_namespace where nspname = 'sparkify_raw'"
    assert project.query(schemas) == [(0,)]


def test_a_load_that_was_planned_before_another_is_refused(
    redshift_project: RedshiftProject,
) -> None:
    """The check under the lock: of two loads that planned the same files, one loads them."""
    project = redshift_project
    project.load("--select", "staging_events")
    s3 = project.cluster.s3
    listed = s3.list_objects_v2(Bucket=BUCKET, Prefix="log_data/")["Contents"]
    urls = [f"s3://{BUCKET}/{entry['Key']}" for entry in listed]
    lists = {
        "m.json": json.dumps({"entries": [{"url": url, "mandatory": True} for url in urls]}),
        "l.json": "\n".join(json.dumps({"file_number": 0, "file_name": url}) for url in urls),
    }
    for key, body in lists.items():
        s3.put_object(Bucket=BUCKET, Key=key, Body=body.encode())
    batch = {
        "source_table": "staging_events",
        "file_list": f"s3://{BUCKET}/l.json",
        "manifest": f"s3://{BUCKET}/m.json",
        "last_load": {"load_id": 0, "loaded_at": "1970-01-01"},
        "replaces": None,
        "object_count": 0,
        "is_counted": False,
        "max_errors": 0,
        "reject_count": 0,
    }
    command = ["dbt", "run-operation", "load_batch", "--target", "redshift", "--args"]
    run = project.run(*command, json.dumps({"batch": batch}))
    assert run.code != 0
    assert f"NULL value into column {IN_BETWEEN}" in " ".join(run.text.split())
    assert project.query(EVENT_COUNT) == [(3,)]


# --- the reload without Python -------------------------------------------------


def test_the_reload_without_python(redshift_project: RedshiftProject) -> None:
    project = redshift_project
    project.load()
    project.write_events("late.json", event(9))
    project.upload()
    # A name that shares the prefix is not under it.
    project.cluster.s3.put_object(Bucket=BUCKET, Key="song_data_old/x.json", Body=b"no JSON")
    run = project.dbt("run-operation", "load_staging")
    assert "staging_events: 4 rows" in run.output
    assert project.query(EVENT_COUNT) == [(4,)]
    assert project.query(LEDGER) == [
        (3, "staging_events", None, 4),
        (4, "staging_songs", None, 2),
    ]
    assert project.query("select count(*) from sparkify_raw.loaded_files") == [(0,)]
    project.dbt("build", *NO_UNIT_TESTS)

    refusal = project.load(fails=True)
    assert "dbt run-operation load_staging" in refusal.errors
    assert "--full-refresh" in refusal.errors
    project.load("--full-refresh")
    assert project.query(EVENT_COUNT) == [(4,)]
    assert "Nothing new." in project.load().output


def is_to_come(project: RedshiftProject, table: str) -> None:
    """Moves the load of a table a second into the future, so that the next one is not later."""
    with project.cluster.admin() as connection:
        for each in ("loads", table):
            connection.execute(
                f"update sparkify_raw.{each} set loaded_at = getdate() + interval '1 second'"
            )


def test_loads_within_a_second(redshift_project: RedshiftProject) -> None:
    """The second one is tried again, as after any load that came in between."""
    project = redshift_project
    project.load("--select", "staging_songs")
    is_to_come(project, "staging_songs")
    project.write_songs("late.json", song(3))
    run = project.load("--select", "staging_songs")
    assert "Another load came in between." in run.errors
    assert "Trying again." in run.errors
    assert project.query(LEDGER) == [(1, "staging_songs", 2, 2), (2, "staging_songs", 1, 1)]
    ((times,),) = project.query("select count(distinct loaded_at) from sparkify_raw.staging_songs")
    assert times == 2


def test_reloads_without_python_within_a_second(redshift_project: RedshiftProject) -> None:
    """loaded_at is in whole seconds, and each load of a table has a later one."""
    project = redshift_project
    project.upload()
    command = ("run-operation", "load_staging", "--args", "{select: [staging_songs]}")
    project.dbt(*command)
    is_to_come(project, "staging_songs")
    ((before,),) = project.query("select loaded_at from sparkify_raw.loads")
    project.dbt(*command)
    ((after,),) = project.query("select loaded_at from sparkify_raw.loads")
    assert 0 < (after - before).total_seconds() < 10


def test_a_load_that_comes_before_a_reload_without_python(
    redshift_project: RedshiftProject,
) -> None:
    """In the second in which the reload begins, whose time is then not later."""
    project = redshift_project
    project.load()
    before = project.query(LEDGER)

    def come_in_between(sql: str) -> bool:
        if "lock table" in sql:
            with project.cluster.admin() as connection:
                connection.execute(
                    "update sparkify_raw.loads set loaded_at = getdate() + interval '9 s'"
                )
        return False

    project.cluster.faults.decide(come_in_between)
    run = project.run("dbt", "run-operation", "load_staging", "--target", "redshift")
    assert run.code != 0
    assert f"NULL value into column {IN_BETWEEN}" in " ".join(run.text.split())
    project.cluster.faults.clear()
    assert project.query(LEDGER) == before
    assert project.query(EVENT_COUNT) == [(3,)]


def test_the_reload_without_python_selects(redshift_project: RedshiftProject) -> None:
    project = redshift_project
    project.upload()
    project.dbt("run-operation", "load_staging", "--args", "{select: [staging_songs]}")
    assert project.query(EVENT_COUNT) == [(0,)]
    assert project.query("select count(*) from sparkify_raw.staging_songs") == [(2,)]
    command = ["dbt", "run-operation", "load_staging", "--target", "redshift", "--args"]
    run = project.run(*command, "{select: [staging_song]}")
    assert run.code != 0
    assert "no source table is called staging_song" in run.text


def test_the_reload_without_python_refuses_objects_with_other_keys(
    redshift_project: RedshiftProject,
) -> None:
    """COPY would make them rows of nulls."""
    project = redshift_project
    project.load()
    (project.songs / "catalog.json").write_text(json.dumps({"songs": [song(3)]}))
    project.upload()
    run = project.run("dbt", "run-operation", "load_staging", "--target", "redshift")
    assert run.code != 0
    assert "NULL value into column row_count_if_all_fill_a_column" in " ".join(run.text.split())
    assert project.query("select count(*) from sparkify_raw.staging_songs") == [(2,)]


def test_a_reload_that_fails_leaves_the_table_as_it_was(redshift_project: RedshiftProject) -> None:
    project = redshift_project
    project.load()
    project.write_events("bad.json", event(9, ts="x"))
    project.upload()
    run = project.run("dbt", "run-operation", "load_staging", "--target", "redshift")
    assert run.code != 0
    assert project.query(EVENT_COUNT) == [(3,)]
    assert len(project.query(LEDGER)) == 2


# --- what Redshift knows about the marts ----------------------------------------


def declared_keys(project: RedshiftProject) -> list[str]:
    return [name for (name,) in project.query(KEYS)]


def test_keys_are_declared_once(redshift_project: RedshiftProject) -> None:
    """Only for tables that stay; a dimension that every build remakes has none."""
    project = redshift_project
    project.load()
    project.dbt("build", *NO_UNIT_TESTS)
    assert declared_keys(project) == TRUE_KEYS
    project.write_events("new.json", event(20))
    project.load()
    project.cluster.statements.clear()
    project.dbt("build", *NO_UNIT_TESTS)
    altered = statements(project, "alter table")
    assert altered
    assert all("rename to" in sql for sql in altered), altered
    assert declared_keys(project) == TRUE_KEYS


def test_a_rebuilt_table_gets_its_keys_again(redshift_project: RedshiftProject) -> None:
    """Foreign keys to it went with the old table."""
    project = redshift_project
    project.load()
    project.dbt("build", *NO_UNIT_TESTS)
    project.dbt("run", "--full-refresh", "--select", "dim_users")
    assert declared_keys(project) == [key for key in TRUE_KEYS if "user_id" not in key]
    # A foreign key waits for the primary key that it refers to.
    project.dbt("test", "--select", "test_name:relationships")
    assert declared_keys(project) == [key for key in TRUE_KEYS if "user_id" not in key]
    project.dbt("test", *NO_UNIT_TESTS)
    assert declared_keys(project) == TRUE_KEYS


def test_a_key_whose_test_fails_is_dropped(redshift_project: RedshiftProject) -> None:
    """Otherwise the planner would go on trusting it. Foreign keys to it are dropped, too."""
    project = redshift_project
    project.load()
    project.dbt("build", *NO_UNIT_TESTS)
    project.execute("insert into sparkify.dim_users select * from sparkify.dim_users")
    run = project.run("dbt", "test", "--select", "unique_dim_users_user_id", "--target", "redshift")
    assert run.code == 1
    assert declared_keys(project) == [key for key in TRUE_KEYS if "user_id" not in key]

    project.execute("update sparkify.fct_songplays set start_hour = '2001-01-01'")
    run = project.run("dbt", "test", *NO_UNIT_TESTS, "--target", "redshift")
    assert run.code == 1
    assert declared_keys(project) == [
        "dim_time_start_hour_pkey",
        "dim_user_levels_user_level_id_pkey",
        "fct_sessions_user_session_id_pkey",
        "fct_songplays_songplay_id_pkey",
    ]

    project.dbt("run", "--full-refresh")
    project.dbt("test", *NO_UNIT_TESTS)
    assert declared_keys(project) == TRUE_KEYS


def test_no_key_is_declared_if_its_test_did_not_run(redshift_project: RedshiftProject) -> None:
    project = redshift_project
    project.load()
    project.dbt("build", "--selector", "nightly")
    keys = declared_keys(project)
    assert "dim_users_user_id_pkey" in keys
    assert not [key for key in keys if key.startswith("fct_")]


def test_names_in_any_case(redshift_project: RedshiftProject) -> None:
    """Redshift folds them to lower case, and the next run finds its tables again."""
    project = redshift_project
    project.environment |= {"DBT_REDSHIFT_SCHEMA": "Sparkify", "DBT_RAW_SCHEMA": "Sparkify_RAW"}
    for number in range(2):
        project.write_events(f"{number}.json", event(30 + number))
        project.load()
        project.dbt("build", *NO_UNIT_TESTS)
        assert declared_keys(project) == TRUE_KEYS
    assert project.query("select count(*) from sparkify.fct_songplays") == [(5,)]


def test_readers_are_granted_the_marts_alone(redshift_project: RedshiftProject) -> None:
    project = redshift_project
    with project.cluster.admin() as connection:
        connection.execute("drop role if exists listeners")
        connection.execute("create role listeners")
    project.load()
    project.environment["DBT_READER_ROLE"] = "listeners"
    project.dbt("run")
    with project.cluster.admin() as connection:
        granted = connection.execute(
            """
            select table_schema, table_name, privilege_type
            from information_schema.role_table_grants where grantee = 'listeners'
            order by 2
            """
        ).fetchall()
        usage = connection.execute(
            "select has_schema_privilege('listeners', 'sparkify', 'usage'),"
            " has_schema_privilege('listeners', 'sparkify_raw', 'usage')"
        ).fetchone()
        connection.execute("drop owned by listeners")
    assert granted == [("sparkify", table, "SELECT") for table in sorted(MARTS)]
    assert usage == (True, False)


def test_every_dbt_command_works(redshift_project: RedshiftProject) -> None:
    project = redshift_project
    project.with_artifacts()
    project.load()
    project.dbt("build")
    project.dbt("build", "--full-refresh", *NO_UNIT_TESTS)
    project.cluster.faults.fail(SERIALIZABLE_VIOLATION, r'create\s+table\s+.*"dim_songs__dbt_tmp"')
    run = project.run("dbt", "run", "--target", "redshift")
    assert "Failure in model dim_songs" in run.output
    project.dbt("retry")
    assert "PASS freshness of sparkify.staging_events" in project.dbt("source", "freshness").output
    project.dbt("docs", "generate")
    catalog = project.artifact("catalog.json")
    fact = catalog["nodes"]["model.sparkify.fct_songplays"]
    assert fact["stats"]["sortkey1"]["value"] == "start_time"
    assert "song_id" in fact["stats"]["diststyle"]["value"]
    assert fact["columns"]["start_hour"]["comment"].startswith("The hour in which the play")
    view = catalog["nodes"]["model.sparkify.stg_events"]
    assert view["metadata"]["type"] == "LATE BINDING VIEW"
    state = project.folder / "state"
    (project.folder / "target").rename(state)
    project.dbt("clone", "--state", "state")


# --- bad input -----------------------------------------------------------------


def test_a_folder_as_location(redshift_project: RedshiftProject) -> None:
    refused(
        redshift_project,
        "Redshift can only read S3",
        "input/log_data/",
        DBT_EVENTS_LOCATION="input/log_data/",
    )


def test_no_stage_location(redshift_project: RedshiftProject) -> None:
    del redshift_project.environment["DBT_STAGE_LOCATION"]
    refused(redshift_project, "DBT_STAGE_LOCATION must be s3://bucket/prefix/")


@pytest.mark.parametrize(
    ("stage", "data"),
    [("log_data/stage/", "log_data/"), ("stage", "stage/load_staging_old"), ("x/", "")],
)
def test_a_stage_location_that_overlaps_the_data(
    redshift_project: RedshiftProject, stage: str, data: str
) -> None:
    stage, data = f"s3://{BUCKET}/{stage}", f"s3://{BUCKET}/{data}"
    message = f"DBT_STAGE_LOCATION is {stage}, whose files would be mixed with the data in {data}"
    variables = {"DBT_STAGE_LOCATION": stage, "DBT_EVENTS_LOCATION": data}
    refused(redshift_project, f"{message}, set by DBT_EVENTS_LOCATION", **variables)


def test_a_stage_location_that_cannot_be_written(redshift_project: RedshiftProject) -> None:
    refused(
        redshift_project,
        "cannot write to s3://no-such-bucket-of-sparkify/x/, set by DBT_STAGE_LOCATION",
        "NoSuchBucket",
        DBT_STAGE_LOCATION="s3://no-such-bucket-of-sparkify/x/",
    )


def test_a_missing_bucket(redshift_project: RedshiftProject) -> None:
    said = ("s3://no-such-bucket-of-sparkify/a/, set by DBT_EVENTS_LOCATION", "NoSuchBucket")
    refused(redshift_project, *said, DBT_EVENTS_LOCATION="s3://no-such-bucket-of-sparkify/a/")


def test_a_wrong_region(redshift_project: RedshiftProject) -> None:
    refused(redshift_project, "S3ServiceException", "endpoint", DBT_COPY_REGION="af-south-1")


def test_a_value_that_copy_alone_refuses(redshift_project: RedshiftProject) -> None:
    """The loader does not check this type: the message has COPY's own words and the row."""
    path = redshift_project.folder / "models/staging/_sparkify__sources.yml"
    status = "          - name: status\n            data_type: "
    text = path.read_text()
    assert text.count(f"{status}double precision\n") == 1
    path.write_text(text.replace(f"{status}double precision\n", f"{status}integer\n"))
    redshift_project.write_events("bad file.json", event(9), event(10, status="OK"))
    where = f"In s3://{BUCKET}/log_data/bad file.json, line 2, column status (int4)"
    for options in ((), ("--max-errors", "5")):
        refused(
            redshift_project,
            *("COPY refused what it read.", where, 'value "OK"', "Invalid digit"),
            options=options,
        )


def test_broken_json_that_copy_refuses(redshift_project: RedshiftProject) -> None:
    path = redshift_project.write_events("broken.json", event(9))
    path.write_text(path.read_text() + '{"ts": 1')
    refused(redshift_project, f"In s3://{BUCKET}/log_data/broken.json, line 2")


def test_a_refused_login(redshift_project: RedshiftProject) -> None:
    wrong = "Wrong-Password-1"
    run = redshift_project.load(fails=True, DBT_ENV_SECRET_REDSHIFT_PASSWORD=wrong)
    assert "password authentication failed" in run.errors
    cluster = redshift_project.cluster
    assert f"This was the login to {cluster.host}:{cluster.port}: DBT_REDSHIFT_USER" in run.errors
    assert "Trying again." not in run.errors
    assert wrong not in run.text


def test_a_refused_connection_is_tried_again(redshift_project: RedshiftProject) -> None:
    """Unlike a wrong password. dbt itself tries nothing again; see check_retries."""
    project = redshift_project
    project.cluster.faults.refuse_logins(2)
    run = project.load()
    assert run.errors.count("Trying again.") == 2
    assert project.query(EVENT_COUNT) == [(3,)]
    with socket.socket() as taken:
        taken.bind((project.cluster.host, 0))  # nobody listens
        port = str(taken.getsockname()[1])
        run = project.load(fails=True, DBT_REDSHIFT_PORT=port)
    assert run.errors.count("Connection refused') Trying again.") == 0
    assert run.errors.count("Connection refused") == 4
    where = f"Check that {project.cluster.host}:{port}, set by DBT_REDSHIFT_HOST and DBT_REDSHIFT_P"
    assert where in run.errors


def test_an_unknown_host_or_database(redshift_project: RedshiftProject) -> None:
    run = redshift_project.load(fails=True, DBT_REDSHIFT_HOST="no-such-host.invalid")
    port = redshift_project.cluster.port
    assert f"Check that no-such-host.invalid:{port}, set by DBT_REDSHIFT_HOST and" in run.errors
    run = redshift_project.load(fails=True, DBT_REDSHIFT_DATABASE="no_such_database")
    assert "DBT_REDSHIFT_DATABASE sets the database" in run.errors


CONNECTION = """
import json
import socket
import sys
from pathlib import Path

import redshift_connector
from dbt.adapters.factory import get_adapter_by_type

from loader.warehouse import Dbt

OPTIONS = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT),
)
connect = redshift_connector.connect


def connect_and_print(**options):
    print(json.dumps([options.get(f"tcp_keepalive{name}") for name in sys.argv[2:]]))
    if sys.argv[1] != "redshift":
        sys.exit()  # the others would ask AWS for a password
    return connect(**options)


redshift_connector.connect = connect_and_print
Dbt(Path.cwd(), None, sys.argv[1], "{}")
adapter = get_adapter_by_type("redshift")
with adapter.connection_named("test"):
    open_socket = adapter.connections.get_thread_connection().handle._usock
    print(json.dumps([open_socket.getsockopt(*option) for option in OPTIONS]))
"""


@pytest.mark.standin("it is about the options that the driver gets")
@pytest.mark.parametrize("target", ["redshift", "redshift_iam_user", "redshift_iam_role"])
def test_a_silent_connection_is_kept_alive(redshift_project: RedshiftProject, target: str) -> None:
    """Nothing is sent while a COPY runs, and a network may drop a connection that idles: the loader
    would wait for an answer that never comes, and the session would keep its lock."""
    project = redshift_project
    (project.folder / "connection.py").write_text(CONNECTION)
    command = ("connection.py", target, "", "_idle", "_interval", "_count")
    run = project.run(*command, DBT_REDSHIFT_CLUSTER_ID="sparkify-cluster")
    printed = [json.loads(line) for line in run.output.splitlines()]
    assert printed[0] == [True, 60, 30, 4], run.text
    if target == "redshift":
        assert printed[1] == [1, 60, 30, 4]


@pytest.mark.standin("a cluster offers TLS")
def test_refused_tls(redshift_project: RedshiftProject) -> None:
    run = redshift_project.load(fails=True, DBT_REDSHIFT_SSLMODE="verify-full")
    assert "SSL" in run.errors


@pytest.mark.parametrize("point", ["before", "during", "after"])
def test_a_connection_that_is_cut_at_copy(redshift_project: RedshiftProject, point: str) -> None:
    project = redshift_project
    project.cluster.faults.cut(point, r'copy "sparkify_raw"."staging_events"')
    refused(project, "The connection to the database was lost")
    project.load()
    assert project.query(EVENT_COUNT) == [(3,)]


def test_a_commit_whose_answer_is_lost(redshift_project: RedshiftProject) -> None:
    """The files are loaded although this load failed; the next one knows."""
    project = redshift_project
    project.cluster.faults.cut("after", "^(?-i:commit)")  # dbt writes its own in upper case
    project.load("--select", "staging_events", fails=True)
    assert "Nothing new." in project.load("--select", "staging_events").output
    assert project.query(EVENT_COUNT) == [(3,)]


def test_no_secret_is_printed(redshift_project: RedshiftProject) -> None:
    project = redshift_project
    secrets = {
        "AWS_SECRET_ACCESS_KEY": "Secret-Key-0123456789",
        "AWS_SESSION_TOKEN": "Token-0123456789",
    }
    project.environment |= secrets
    project.with_log()
    project.with_artifacts()
    project.cluster.statements.clear()
    output = project.load().text
    project.write_events("bad.json", event(9, ts="x"))
    output += project.load(fails=True).text
    output += project.dbt("--debug", "run").text
    output += project.dbt("docs", "generate").text
    texts = [output, *(each.sql for each in project.cluster.statements)]
    for folder in ("logs", "target"):
        for path in Path(project.folder / folder).rglob("*"):
            if path.is_file():
                texts.append(path.read_bytes().decode("utf-8", "replace"))
    assert len(texts) > 20
    for secret in (*secrets.values(), project.cluster.password):
        assert not any(secret in text for text in texts)


def test_a_song_that_redshift_compares_as_duckdb_does(redshift_project: RedshiftProject) -> None:
    """Letters beyond ASCII have a lower case, too."""
    project = redshift_project
    project.write_songs("c.json", song(3, title="ÉTÉ Ñandú", artist_name="ØRE"))
    project.write_events("e.json", event(20, song="été ÑANDÚ ", artist=" øre"))
    project.load()
    project.dbt("run")
    assert project.query("select song_id from fct_songplays where item_in_session = 20") == [
        ("SO0000000000000003",)
    ]


# --- conflicts with others ----------------------------------------------------


@pytest.mark.parametrize(
    ("error", "statement"),
    [
        (SERIALIZABLE_VIOLATION, r'copy "sparkify_raw"."staging_songs"'),
        (DEADLOCK, r'copy "sparkify_raw"."staging_songs"'),
        (NOT_IN_SNAPSHOT, r'insert into "sparkify_raw"."loads"'),
        (CREATED_AT_ONCE, r"create table if not exists"),
        (CREATED_AT_ONCE, r"create schema if not exists"),
        (RedshiftError('Relation "loads" already exists', "42P07"), r"create table if not exists"),
    ],
)
def test_a_conflict_is_tried_again(
    redshift_project: RedshiftProject, error: RedshiftError, statement: str
) -> None:
    project = redshift_project
    project.cluster.faults.fail(error, statement)
    run = project.load()
    assert "Trying again." in run.errors
    assert project.query(EVENT_COUNT) == [(3,)]
    assert project.query(LEDGER) == [(1, "staging_events", 2, 3), (2, "staging_songs", 2, 2)]


def test_a_full_refresh_that_begins_again_counts_each_file_once(
    redshift_project: RedshiftProject,
) -> None:
    """After a conflict at the second batch, the first one is replaced as well."""
    project = with_small_batches(redshift_project)
    for number in range(3):
        project.write_events(f"z{number}.json", event(20 + number))
    copies = iter([False, SERIALIZABLE_VIOLATION])
    project.cluster.faults.decide(
        lambda sql: 'copy "sparkify_raw"."staging_events"' in sql and next(copies, False)
    )
    run = project.load("--full-refresh")
    assert run.errors.count("Trying again.") == 1
    assert table_at_the_end(run.output)["staging_events"][:4] == ["5", "5", "6", "0"]
    assert project.query(EVENT_COUNT) == [(6,)]


def test_a_lasting_conflict_is_reported(redshift_project: RedshiftProject) -> None:
    project = redshift_project
    project.cluster.faults.fail(SERIALIZABLE_VIOLATION, r'copy "sparkify_raw"', times=9)
    run = project.load(fails=True)
    assert run.errors.count("Trying again.") == 3
    assert run.errors.count("serializable isolation violation") == 4
    assert run.errors.rstrip().endswith("run load_staging.py again.")
    assert project.query(EVENT_COUNT) == [(0,)]
    project.cluster.faults.clear()
    project.load()
    assert project.query(EVENT_COUNT) == [(3,)]


def test_a_name_that_is_taken_is_reported(redshift_project: RedshiftProject) -> None:
    """Even by something that the loader may not see."""
    project = redshift_project
    taken = RedshiftError('Relation "loaded_files" already exists', "42P07")
    project.cluster.faults.fail(taken, r'create table if not exists "\w+"."loaded_files"', times=9)
    run = project.load(fails=True)
    last = run.errors.splitlines()[-1]
    for part in ('"loaded_files" already exists', "drop or rename it", "DBT_RAW_SCHEMA"):
        assert part in last


@pytest.mark.parametrize("end", ["", "with no schema binding"])
@pytest.mark.parametrize("table", ["staging_songs", "loads"])
def test_a_view_in_the_place_of_a_raw_table(
    redshift_project: RedshiftProject, table: str, end: str
) -> None:
    project = redshift_project
    project.load()
    project.execute(f"alter table sparkify_raw.{table} rename to kept")
    project.execute(f"create view sparkify_raw.{table} as select * from sparkify_raw.kept {end}")
    run = project.load("--full-refresh", fails=True)
    (said,) = [line for line in run.errors.splitlines() if line]
    for part in (f'"sparkify_raw"."{table}" is a view', "drop or rename it", "DBT_RAW_SCHEMA"):
        assert part in said
    project.execute(f"drop view sparkify_raw.{table}")
    project.execute(f"alter table sparkify_raw.kept rename to {table}")
    assert "Nothing new." in project.load().output


def test_a_full_refresh_goes_on_where_it_was(redshift_project: RedshiftProject) -> None:
    project = redshift_project
    project.load()
    project.cluster.faults.fail(SERIALIZABLE_VIOLATION, r'copy "sparkify_raw"."staging_songs"')
    project.load("--full-refresh")
    # The events were loaded only once.
    assert project.query(LEDGER) == [(3, "staging_events", 2, 3), (4, "staging_songs", 2, 2)]
