"""Transactions, locks, sessions, and faults to order."""

import socket
import threading
import time

import pytest
import redshift_connector

from tests.fake_redshift import DEADLOCK, SERIALIZABLE_VIOLATION, RedshiftError


def test_truncate_commits(db, connect):
    """[guide:c_serial_isolation, r_TRUNCATE]"""
    db.run("create table t (a int)")
    db.run("create table other (a int)")
    db.run("insert into t values (1)")
    db.run("begin")
    db.run("insert into other values (1)")
    db.run("truncate t")
    db.run("rollback")
    assert connect().value("select count(*) from other") == 1
    assert db.value("select count(*) from t") == 0


@pytest.mark.assumed("of two sessions that create the same object at once, one gets error 23505")
@pytest.mark.parametrize(
    ("create", "index"),
    [
        ("create table {} (a int)", "pg_class_relname_nsp_index"),
        ("create table if not exists {} (a int)", "pg_class_relname_nsp_index"),
        ("create table {} as select 1 as a", "pg_class_relname_nsp_index"),
        ("create view {} as select 1 as a", "pg_class_relname_nsp_index"),
        ("create schema {}", "pg_namespace_nspname_index"),
        ("create schema if not exists {}", "pg_namespace_nspname_index"),
    ],
)
def test_two_sessions_create_the_same_object(db, connect, create, index):
    """[public: embulk-output-jdbc#243, terraform-provider-redshift#139]"""
    other, create = connect(), create.format(f"{db.schema}_twice")
    db.run("begin")
    db.run(create)
    refused = []
    waiting = threading.Thread(target=lambda: refused.append(other.error(create)))
    waiting.start()
    time.sleep(0.2)
    db.run("commit")
    waiting.join()
    assert (refused[0]["C"], refused[0]["M"]) == (
        "23505",
        f'duplicate key violates unique constraint "{index}" '
        "(possibly caused by concurrent transaction conflict)",
    )


def test_creating_an_existing_relation(db):
    """An existing table, whether committed or created in the same transaction."""
    db.run("create table t (a int)")
    for again in (
        "create table t (a int)",
        "create table t as select 1 as a",
        "create view t as select 1 as a",
    ):
        error = db.error(again)
        assert (error["C"], error["M"]) == ("42P07", 'Relation "t" already exists')
    db.run("begin")
    db.run("create table u (a int)")
    db.refused("create table u (a int)", 'Relation "u" already exists')
    db.run("rollback")


def test_vacuum_is_refused_in_a_transaction(db):
    """[guide:r_VACUUM_command]"""
    db.run("create table t (a int)")
    db.run("vacuum full t to 99 percent")
    db.run("vacuum delete only t boost")
    db.run("begin")
    db.refused("vacuum t", "VACUUM cannot run inside a transaction block")
    db.run("rollback")


def test_analyze_runs_in_a_transaction(db):
    """[guide:r_Serializable_isolation_example]"""
    db.run("create table t (a int)")
    db.run("begin")
    db.run("analyze t (a)")
    db.run("end")


def test_refused_statement_aborts_the_transaction(db):
    db.run("create table t (a int)")
    db.run("begin")
    db.run("insert into t values (1)")
    db.error("select string_agg(a, ',') from t")
    assert db.error("select 1")["C"] == "25P02"
    db.run("commit")
    assert db.value("select count(*) from t") == 0


def test_ddl_is_transactional(db):
    """[dbt-redshift:table.sql]"""
    db.run("begin")
    db.run("create table t (a int)")
    db.run("alter table t rename to u")
    db.run("rollback")
    db.refused("select * from u", "does not exist")


def test_isolation_level_of_begin_is_ignored(db):
    """[guide:r_BEGIN]"""
    db.run("begin isolation level read uncommitted")
    db.run("create table t (a int)")
    db.run("commit")
    assert db.value("select trim(isolation_level) from stv_db_isolation_level") == (
        "Snapshot Isolation"
    )


def test_snapshot_is_taken_at_the_first_statement(db, connect):
    """Neither BEGIN nor LOCK takes it. [guide:c_serial_isolation]"""
    other = connect()
    db.run("create table t (a int)")
    db.run("begin")
    db.run("lock t")
    db.run("commit")
    db.run("begin")
    other.run("insert into t values (1)")
    db.run("lock t")
    assert db.value("select count(*) from t") == 1
    db.run("commit")
    db.run("begin")
    db.run("select * from t")
    other.run("insert into t values (2)")
    assert db.value("select count(*) from t") == 1
    db.run("commit")


def test_conflict_is_error_1023(db, connect):
    """The message is just 1023. [public; guide:c_serial_isolation]"""
    other = connect()
    db.run("create table t (a int)")
    db.run("insert into t values (1)")
    db.run("begin")
    db.run("select * from t")
    other.run("update t set a = 2")
    error = db.error("update t set a = 3")
    assert (error["C"], error["M"]) == ("XX000", "1023")
    assert "Serializable isolation violation" in error["D"]
    db.run("rollback")


def test_table_not_in_the_snapshot_is_error_1018(db, connect):
    """A table that was replaced after the first statement, or while a statement waited for it.
    Tables that the transaction itself replaced are fine. [guide:c_serial_isolation]"""
    other = connect()
    db.run("create table t as select 1 as a")
    db.run("begin")
    db.run("select * from t")
    other.run("create table u as select 2 as a")
    error = db.error("create table v as select * from u")
    assert (error["C"], error["M"], error["D"]) == ("XX000", "1018", "Relation does not exist.")
    assert db.error("select 1")["C"] == "25P02"
    db.run("rollback")

    db.run("create table w (a int)")
    other.run("begin")
    other.run("create table new as select 2 as a")
    other.run("alter table t rename to old")
    other.run("alter table new rename to t")
    db.run("begin")
    refused = []
    waiting = threading.Thread(
        target=lambda: refused.append(db.error("insert into w select * from t"))
    )
    waiting.start()
    time.sleep(0.2)
    other.run("commit")
    waiting.join()
    assert refused[0]["M"] == "1018"
    db.run("rollback")

    db.run("begin")
    db.run("create table x as select * from t")
    db.run("insert into w select * from x")
    db.run("drop table x")
    db.run("insert into w select a from t")
    db.run("commit")
    assert db.run("select * from w") == [(2,), (2,)]


def test_catalog_queries_survive_concurrent_drops(db, connect):
    """dbt queries columns and sizes while other sessions drop tables.
    [dbt-redshift:adapters.sql]"""
    other = connect()
    db.run("create table t as select 1 as a")
    db.run(f"create view v as select a from {db.schema}.t with no schema binding")
    db.run("begin")
    db.run("select 1")
    other.run("drop table t")
    where = f"table_schema = '{db.schema}'"
    db.run(f"select column_name from information_schema.columns where {where}")
    db.run(f'select "table" from svv_table_info where "schema" = \'{db.schema}\'')
    db.run("commit")


def test_lock_waits_for_the_other_transaction(db, connect):
    """[guide:r_LOCK]: it blocks readers, too, until the transaction ends."""
    other = connect()
    db.run("create table t (a int)")
    db.run("begin")
    db.run("lock table t")
    done = threading.Event()
    reader = threading.Thread(target=lambda: (other.run("select * from t"), done.set()))
    reader.start()
    assert not done.wait(0.5)
    db.run("commit")
    assert done.wait(5)
    reader.join()


@pytest.mark.assumed("a lock ends at once when its client's connection breaks")
def test_lock_ends_with_its_client(db, connect):
    """The loader may be killed while it holds the ledger's lock."""
    other = connect()
    db.run("create table t (a int)")
    other.run("begin")
    other.run("lock table t")
    other.connection._usock.shutdown(socket.SHUT_RDWR)
    started = time.monotonic()
    assert db.value("select count(*) from t") == 0
    assert time.monotonic() - started < 10


@pytest.mark.assumed(
    "a reader that waits while a table is dropped and created anew reads the new table"
)
def test_reader_of_a_table_that_is_made_anew(db, connect):
    """So does dbt's reader of a seed: the build drops and creates it in one transaction."""
    other = connect()
    db.run("create table t as select 1 as a")
    db.run("begin")
    db.run("drop table t")
    db.run("create table t (a int)")
    db.run("insert into t values (2)")
    read = []
    reader = threading.Thread(target=lambda: read.extend(other.run("select a from t")))
    reader.start()
    reader.join(0.3)
    assert reader.is_alive()
    db.run("commit")
    reader.join(10)
    assert read == [(2,)]


def test_terminate_backend_ends_the_session(db, connect):
    """How dbt cancels. [dbt-redshift:connections.py]"""
    other = connect()
    pid = other.value("select pg_backend_pid()")
    db.run(f"select pg_terminate_backend({pid})")
    with pytest.raises(Exception):  # noqa: B017
        other.run("select 1")


@pytest.mark.standin("a cluster does not reuse sessions")
def test_reused_sessions_are_reset(connect):
    """Although PostgreSQL's session is reused."""
    first = connect()
    pid = first.value("select pg_backend_pid()")
    first.run("create temp table kept (a int)")
    first.run("set query_group to 'kept'")
    first.run("set search_path to pg_catalog")
    first.close()
    end = time.monotonic() + 10
    while (client := connect()).value("select pg_backend_pid()") != pid:
        assert time.monotonic() < end
        time.sleep(0.05)
    client.refused("select * from kept", "does not exist")
    assert client.run("show query_group") != [("kept",)]
    assert client.value("select pg_last_copy_id()") == -1


def test_session_settings(db):
    """[dbt-redshift:connections.py]"""
    shown = "select current_setting('query_group')"
    assert (db.value("show query_group"), db.value(shown)) == ("default", "default")
    db.run("set query_group to 'loads'")
    assert db.run("show query_group") == [("loads",)]
    assert db.value("select current_setting('query_group')") == "loads"
    db.run("set statement_timeout to 0")
    db.run("reset query_group")


@pytest.mark.standin("a gap of the stand-in")
def test_case_sensitive_names(db):
    db.refused("set enable_case_sensitive_identifier to true", "not supported")


def test_login(cluster, connect, db):
    with pytest.raises(redshift_connector.error.InterfaceError):
        connect("awsuser", "wrong")
    db.run(f"create user {db.schema} password 'Secret123'")
    assert connect(db.schema, "Secret123").value("select current_user") == db.schema
    with pytest.raises(redshift_connector.error.InterfaceError):
        connect(db.schema, "secret123")


def test_server_identifies_as_redshift(db):
    """With server_version 8.0.2, the driver reads row counts as Redshift's. [driver:core.py]"""
    statuses = dict(db.connection.parameter_statuses)
    assert statuses[b"server_version"] == b"8.0.2"
    cursor = db.connection.cursor()
    cursor.execute("create table t as select 1 as a")
    assert cursor.rowcount == -1
    cursor.execute("insert into t values (1), (2)")
    assert cursor.rowcount == 2


@pytest.mark.standin("a cluster may offer newer protocols")
def test_protocol_is_the_oldest(db):
    assert b"server_protocol_version" not in dict(db.connection.parameter_statuses)


@pytest.mark.parametrize(
    "sql", ["copy t from", "create table t (a int identity)", "select (", "grant"]
)
def test_broken_statements_are_syntax_errors(db, sql):
    """They do not end the session."""
    assert db.error(sql)["C"] == "42601"
    assert db.value("select 1") == 1


def test_prepared_statements_hold_one_command(db):
    db.refused("select 1; select 2", "multiple commands")


@pytest.mark.standin("it reads the statements sent")
def test_statement_log(db, cluster):
    db.run("create table t (a int)")
    db.run("insert into t values (1), (2)")
    db.error("select * from missing")
    pid = db.value("select pg_backend_pid()")
    mine = [s for s in list(cluster.statements) if s.session == pid]
    insert, failed = mine[-3:-1]
    assert (insert.sql, insert.tag, insert.rows) == (
        "insert into t values (1), (2)",
        "INSERT 0 2",
        2,
    )
    assert 'relation "missing" does not exist' in failed.error
    assert insert.duration >= 0


def test_query_history(db):
    """[guide:SYS_QUERY_HISTORY]"""
    db.run("set query_group to 'nightly'")
    db.run("/* a comment */ create table t as select 1 as a")
    db.run("insert into t values (2), (3)")
    db.error("select b from t")
    db.run("reset query_group")
    db.run("select a from t")
    mine = (
        "select trim(query_type), trim(status), trim(query_label), returned_rows, "
        "trim(query_text) from sys_query_history where session_id = "
        f"{db.value('select pg_backend_pid()')} order by query_id"
    )
    rows = db.run(mine)
    assert rows[-6:-1] == [
        ("CTAS", "success", "nightly", 1, "/* a comment */ create table t as select 1 as a"),
        ("INSERT", "success", "nightly", 2, "insert into t values (2), (3)"),
        ("SELECT", "failed", "nightly", 0, "select b from t"),
        ("UTILITY", "success", "nightly", 0, "reset query_group"),
        ("SELECT", "success", "default", 3, "select a from t"),
    ]
    assert db.run(mine)[: len(rows)] == rows


@pytest.mark.parametrize("fill", ["create table t (a int)", "create table t as select 1 as a"])
def test_inserts_are_in_sys_query_detail(db, fill):
    """dbt's metadata-based freshness reads them. [dbt-redshift:relation_last_modified.sql]"""
    db.run(fill)
    if " as " not in fill:
        db.run("insert into t values (1)")
    count = (
        "select count(*) from pg_class as c join pg_namespace as ns on ns.oid = c.relnamespace "
        "join sys_query_detail as qd on qd.table_id = c.oid where qd.step_name = 'insert' "
        f"and c.relname = 't' and ns.nspname = '{db.schema}'"
    )
    assert db.value(count) == 1


# Faults


@pytest.fixture
def faults(redshift_faults):
    return redshift_faults


def _cut(db, sql: str) -> None:
    with pytest.raises(Exception) as caught:
        db.run(sql)
    assert not isinstance(caught.value, redshift_connector.error.ProgrammingError), caught.value


def _copy(db, rows: int = 1) -> str:
    url = db.put(f"{db.schema}/rows", '{"a":1}' * rows)
    return f"copy {db.schema}.t from '{url}' iam_role default json 'auto'"


@pytest.mark.standin("it orders faults")
@pytest.mark.parametrize(
    ("point", "in_transaction", "rows"),
    [("before", False, 0), ("during", False, 0), ("after", False, 9), ("after", True, 0)],
)
def test_connection_cut_around_copy(db, connect, faults, point, in_transaction, rows):
    """In a transaction it is lost with the connection. [guide:copy-usage_notes-multiple-files]"""
    db.run("create table t (a int)")
    if in_transaction:
        db.run("begin")
    faults.cut(point, "^copy")
    _cut(db, _copy(db, 9))
    assert connect().value("select count(*) from t") == rows


def test_copy_outside_a_transaction_outlives_its_client(db, connect, cluster):
    """[guide:copy-usage_notes-multiple-files]"""
    db.run("create table t (a int)")
    copy = _copy(db, 100_000)
    sender = threading.Thread(target=lambda: _cut(db, copy))
    sender.start()
    time.sleep(0.15)
    db.connection._usock.shutdown(2)
    sender.join()
    other = connect()
    deadline = time.monotonic() + 20
    while not other.value("select count(*) from t") and time.monotonic() < deadline:
        time.sleep(0.1)
    assert other.value("select count(*) from t") == 100_000


@pytest.mark.standin("it orders faults")
def test_connection_cut_before_the_answer_to_commit(db, connect, faults):
    db.run("create table t (a int)")
    db.run("begin")
    db.run("insert into t values (1)")
    faults.cut("after", "^commit")
    _cut(db, "/* a comment, as dbt's */ commit")
    assert connect().value("select count(*) from t") == 1


@pytest.mark.standin("it orders faults")
def test_connection_cut_before_commit(db, connect, faults):
    db.run("create table t (a int)")
    db.run("begin")
    db.run("insert into t values (1)")
    faults.cut("before", "^commit")
    _cut(db, "commit")
    assert connect().value("select count(*) from t") == 0


@pytest.mark.standin("it orders faults")
@pytest.mark.parametrize("error", [SERIALIZABLE_VIOLATION, DEADLOCK])
def test_ordered_failure(db, faults, error):
    db.run("create table t (a int)")
    db.run("begin")
    faults.fail(error, "^insert")
    fields = db.error("insert into t values (1)")
    assert (fields["C"], fields["M"]) == (error.sqlstate, error.message)
    db.refused("select 1", "current transaction is aborted")
    db.run("rollback")
    db.run("insert into t values (1)")


@pytest.mark.standin("it orders faults")
def test_function_decides_faults(db, connect, faults):
    """It gets each statement as it was sent, until the faults are cleared."""
    seen = []

    def decide(sql: str) -> RedshiftError | bool:
        seen.append(sql)
        return {2: DEADLOCK, 4: True}.get(len(seen), False)

    faults.decide(decide)
    db.run("create table t (a int)")
    assert db.error("/* a comment */ insert into t values (1)")["M"] == DEADLOCK.message
    db.run("insert into t values (2)")
    _cut(db, "insert into t values (3)")
    assert seen[1:3] == ["/* a comment */ insert into t values (1)", "insert into t values (2)"]
    faults.clear()
    assert connect().run("select a from t") == [(2,)]


@pytest.mark.standin("it orders faults")
def test_refused_login(cluster, connect, faults):
    faults.refuse_logins(1)
    with pytest.raises(redshift_connector.error.Error):
        connect()
    assert connect().value("select 1") == 1
