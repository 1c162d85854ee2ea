"""COPY of bad data: codes and reasons, MAXERROR, rows of the system tables."""

import json

import pytest

from tests.fake_redshift import FakeRedshift

from .conftest import Client

_OPTIONS = "iam_role default format as json 'auto'"
_FAILED = "Load into table 't' failed."


# The code for numbers in the digits of another script.
_DIGITS = {"int": 1207, "float": 1208, "decimal(4,2)": 1207}


def _copy(db, body: str | bytes, options: str = "") -> str:
    url = db.put(f"{db.schema}/bad.json", body)
    return f"copy t from '{url}' {_OPTIONS} {options}"


def _last_error(db) -> tuple:
    """Code, message, column and line of the last COPY's error."""
    return db.run(
        "select error_code, trim(error_message), trim(column_name), line_number "
        f"from sys_load_error_detail where query_id = {_last_query_id(db)}"
    )[0]


def _error_count(db) -> int:
    """The errors of the last COPY."""
    return db.value(
        f"select count(*) from sys_load_error_detail where query_id = {_last_query_id(db)}"
    )


def _last_query_id(db) -> int:
    """The SYS views' id of the session's last COPY."""
    pid = db.value("select pg_backend_pid()")
    return db.value(f"select max(query_id) from sys_load_history where session_id = {pid}")


@pytest.mark.parametrize(
    ("column", "value", "code", "reason"),
    [
        # [public]: 1204 and its wording; n counts bytes [guide:r_Character_types]
        ("varchar(3)", '"abcd"', 1204, "String length exceeds DDL length"),
        ("varchar(3)", '"éé"', 1204, "String length exceeds DDL length"),
        ("char(3)", '"abcd"', 1204, "Char length exceeds DDL length"),
        # [guide:SYS_LOAD_ERROR_DETAIL]
        ("int", '"a"', 1207, "Invalid digit, Value 'a', Pos 0, Type: Integer"),
        ("bigint", '"12x"', 1207, "Invalid digit, Value 'x', Pos 2, Type: Long"),
        ("smallint", '"a"', 1207, "Invalid digit, Value 'a', Pos 0, Type: Short"),
        # As in CSV [public]
        pytest.param(
            *("bigint", "1540919166796.0", 1207),
            "Invalid digit, Value '.', Pos 13, Type: Long",
            marks=pytest.mark.assumed(
                "COPY refuses a number with a fraction, even .0, for a BIGINT"
            ),
        ),
        pytest.param(
            *("bigint", '"1540919166796.0"', 1207),
            "Invalid digit, Value '.', Pos 13, Type: Long",
            marks=pytest.mark.assumed(
                "COPY refuses a string with a fraction, even .0, for a BIGINT"
            ),
        ),
        # [guide:r_Load_Error_Reference]
        ("int", "2147483648", 1222, "Overflow for Type: Integer"),
        ("smallint", "32768", 1222, "Overflow for Type: Short"),
        ("bigint", "9223372036854775808", 1222, "Overflow for Type: Long"),
        ("int", '"1\\u0000"', 1207, None),
        *((kind, '"\uff11\uff12"', code, None) for kind, code in _DIGITS.items()),
        ("date", '"x"', 1205, "Invalid Date Format - must be YYYY-MM-DD"),
        ("date", '"2018-02-30"', 1205, "Invalid date"),
        (
            "timestamp",
            '"01.02.2018"',
            1206,
            "Invalid timestamp format or value [YYYY-MM-DD HH24:MI:SS]",
        ),
        ("timestamp", "1541105830796", 1206, None),
        ("float", '"x"', 1208, None),
        ("decimal(4,2)", "123", 1209, "Overflow for NUMERIC(4,2)"),
        ("decimal(4,2)", '"x"', 1207, None),
        ("boolean", '"maybe"', 1210, None),
        ("int not null", "null", 1213, "Missing data for not-null field"),
        ("int not null", '""', 1213, "Missing data for not-null field"),
        pytest.param(
            *("varchar(9)", '"a\\u0000b"', 1218, None),
            marks=pytest.mark.assumed(r"COPY refuses \u0000 in a string"),
        ),
        # [guide:multi-byte-character-load-errors]
        (
            "varchar(9)",
            b'"\xa4"',
            1220,
            "String contains invalid or unsupported UTF-8 codepoints. Bad UTF-8 hex sequence: a4 "
            "(error 3)",
        ),
        (
            "char(9)",
            '"é"',
            1220,
            "Multibyte character not supported for CHAR (Hint: Try using VARCHAR)",
        ),
    ],
)
def test_value_errors(db, column, value, code, reason):
    db.run(f"create table t (a {column})")
    value = value if isinstance(value, bytes) else value.encode()
    db.refused(_copy(db, b'{"a":' + value + b"}"), _FAILED)
    found = _last_error(db)
    assert found[0] == code
    if reason is not None:
        assert found[1] == reason


def test_wording_of_a_failed_copy(db):
    """On a provisioned cluster. [guide:r_COPY_command_examples]"""
    db.run("create table t (a int)")
    assert db.error(_copy(db, '{"a":"x"}'))["M"] == (
        "Load into table 't' failed.  Check 'stl_load_errors' system table for details."
    )


def test_row_of_stl_load_errors(db):
    """line_number is the last line of the failing object. [guide:copy-parameters-data-format]"""
    db.run("create table t (a int, b int)")
    db.error(_copy(db, '{"a":1,\n"b":1}\n{"a":2,\n"b":"x"\n}\n{"a":3}'))
    assert _last_error(db)[2:] == ("b", 5)
    row = db.run(
        "select trim(colname), line_number, trim(raw_field_value), trim(type), trim(col_length), "
        "position, trim(filename) from stl_load_errors where query = pg_last_copy_id()"
    )[0]
    assert row[:6] == ("b", 5, "x", "int4", "0", 0)
    assert row[6].endswith("/bad.json")


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ('{"a":1},{"a":2}', 1),
        ('{"a":1} junk {"a":2}', 1),
        ('x{"a":1},{"a":2};', 3),
        ('[{"a":1},{"a":2}]', 1),
        ('{"a":1\n{"a":2}', 1),
        ('{"a":1}\n{"a":', 1),
    ],
)
def test_each_piece_of_junk_is_one_error(db, body, errors):
    """Commas, junk, a top-level array without jsonpaths. [guide:copy-parameters-data-format]"""
    db.run("create table t (a int)")
    db.error(_copy(db, body))
    db.run(_copy(db, body, "maxerror 100"))
    assert _error_count(db) == errors


def test_object_larger_than_4_mb(db):
    """[guide:copy-parameters-data-format]"""
    db.run("create table t (a int)")
    large = '{"a":1,"b":"%s"}' % ("x" * (4 * 1024 * 1024))
    db.refused(_copy(db, '{"a":0}\n' + large + '\n{"a":2}'), _FAILED)
    assert "4 MB" in _last_error(db)[1]
    fits = '{"a":1,"b":"%s"}' % ("x" * (4 * 1024 * 1024 - 20))
    db.run(_copy(db, fits * 3))
    assert db.value("select count(*) from t") == 3


@pytest.mark.parametrize(
    ("option", "loads"),
    [("", False), ("maxerror 0", False), ("maxerror 1", False), ("maxerror 2", False),
     ("maxerror 3", True), ("ignoreallerrors", True)],
)  # fmt: skip
def test_maxerror_fails_when_reached(db, option, loads):
    """[guide:copy-parameters-data-load]: fails when errors >= n; 0 and 1 mean the first."""
    db.run("create table t (a int)")
    copy = _copy(db, '{"a":1}{"a":"x"}{"a":2}{"a":"y"}{"a":3}', option)
    if not loads:
        db.refused(copy, _FAILED)
        assert db.value("select count(*) from t") == 0
        return
    db.run(copy)
    assert db.run("select a from t order by a") == [(1,), (2,), (3,)]
    assert _error_count(db) == 2


def test_failed_copy_aborts_the_transaction_and_errors_stay(db):
    """[guide:copy-usage_notes-multiple-files]; sqlstate XX000. [public]"""
    db.run("create table t (a int)")
    db.run("begin")
    db.run("insert into t values (1)")
    before = db.value("select count(*) from sys_load_error_detail")
    assert db.error(_copy(db, '{"a":"x"}'))["C"] == "XX000"
    db.refused("select 1", "current transaction is aborted")
    db.run("rollback")
    assert db.value("select count(*) from t") == 0
    assert db.value("select count(*) from sys_load_error_detail") == before + 1


def test_refused_copy_aborts_the_transaction(db):
    db.run("create table t (a int)")
    db.run("begin")
    db.refused(f"copy t from 's3://fake-redshift/none/' {_OPTIONS}", "does not exist")
    db.refused("select 1", "current transaction is aborted")
    db.run("rollback")


def test_query_ids_differ_between_views(db):
    """query_id (SYS) and query (STL) are not the same. [guide:SYS_QUERY_HISTORY, r_STL_QUERY]"""
    db.run("create table t (a int)")
    db.error(_copy(db, '{"a":"x"}'))
    number = db.value("select pg_last_copy_id()")
    assert db.value(f"select count(*) from stl_load_errors where query = {number}") == 1
    for view in ("sys_load_history", "sys_load_error_detail"):
        assert db.value(f"select count(*) from {view} where query_id = {number}") == 0
        same = f"select count(*) from {view} where query_id = {_last_query_id(db)}"
        assert db.value(same) == 1


def test_rolled_back_copy_stays_in_the_system_tables(db):
    """A row in SYS_LOAD_DETAIL does not imply a commit. [guide:SYS_LOAD_DETAIL]"""
    db.run("create table t (a int)")
    db.run("begin")
    db.run(_copy(db, '{"a":1}\n{"a":2}\n'))
    assert db.value("select pg_last_copy_id()") > 0
    db.run("rollback")
    query = _last_query_id(db)
    assert db.value("select count(*) from t") == 0
    detail = db.run(
        f"select trim(file_name), lines_scanned from sys_load_detail where query_id={query}"
    )
    assert detail[0][0].endswith("/bad.json") and detail[0][1] == 2
    # A rolled-back COPY does not count. [guide:PG_LAST_COPY_ID]
    assert db.value("select pg_last_copy_id()") == -1


def test_last_copy_functions(db):
    """[guide:PG_LAST_COPY_ID, PG_LAST_COPY_COUNT]"""
    db.run("create table t (a int)")
    assert db.run("select pg_last_copy_id(), pg_last_copy_count()") == [(-1, 0)]
    db.error(f"copy t from 's3://fake-redshift/none/' {_OPTIONS}")
    assert db.value("select pg_last_copy_id()") == -1
    db.run(_copy(db, '{"a":1}{"a":2}'))
    first = db.value("select pg_last_copy_id()")
    assert db.value("select pg_last_copy_count()") == 2
    db.error(_copy(db, '{"a":"x"}'))
    assert db.value("select pg_last_copy_id()") > first
    assert db.value("select pg_last_copy_count()") == 0


def test_load_history(db):
    """[guide:SYS_LOAD_HISTORY, r_STL_LOAD_COMMITS]"""
    db.run("create table t (a int)")
    db.run(_copy(db, '{"a":1}{"a":2}'))
    assert db.run(
        "select status, trim(table_name), loaded_rows, source_file_count, error_count "
        f"from sys_load_history where query_id = {_last_query_id(db)}"
    ) == [("completed", "t", 2, 1, 0)]
    assert db.value("select count(*) from stl_load_commits where query = pg_last_copy_id()") == 1
    db.error(_copy(db, '{"a":"x"}'))
    status = f"select status from sys_load_history where query_id = {_last_query_id(db)}"
    assert db.value(status) == "aborted"


@pytest.mark.assumed("data_source in SYS_LOAD_HISTORY is the URL after FROM, of a manifest too")
def test_data_source_of_a_load(db):
    """The S3 location of the input. [guide:SYS_LOAD_HISTORY]"""
    url = db.put(f"{db.schema}/1", '{"a":1}')
    entries = {"entries": [{"url": url, "mandatory": True}]}
    manifest = db.put(f"{db.schema}/m", json.dumps(entries))
    db.run("create table t (a int)")
    for source, options in ((url, ""), (manifest, "manifest")):
        db.run(f"copy t from '{source}' {_OPTIONS} {options}")
        found = (
            f"select trim(data_source) from sys_load_history where query_id={_last_query_id(db)}"
        )
        assert db.value(found) == source


@pytest.mark.assumed("the SYS views show a COPY as soon as it has ended")
def test_system_views_show_a_load_at_once(db):
    db.run("create table t (a int)")
    pid = db.value("select pg_backend_pid()")
    for view in ("sys_load_history", "sys_load_error_detail"):
        count = f"select count(*) from {view} where session_id = {pid}"
        before = db.value(count)
        db.error(_copy(db, '{"a":"x"}'))
        assert db.value(count) == before + 1


def test_strings_of_system_tables_are_padded(db):
    """char(n) columns are blank-padded. [guide:r_STL_LOAD_ERRORS, SYS_LOAD_ERROR_DETAIL]"""
    db.run("create table t (a int)")
    db.error(_copy(db, '{"a":"x"}'))
    row = db.run(
        "select filename, colname, raw_line, err_reason from stl_load_errors "
        "where query = pg_last_copy_id()"
    )[0]
    assert [len(value) for value in row] == [256, 127, 1024, 100]
    row = db.run(
        "select file_name, column_name, error_message from sys_load_error_detail "
        f"where query_id = {_last_query_id(db)}"
    )[0]
    assert [len(value) for value in row] == [256, 127, 512]


def test_users_see_only_their_own_rows(db, connect):
    """[guide: the pages of the views]"""
    db.run("create table t (a int)")
    db.error(_copy(db, '{"a":"x"}'))
    db.run(f"create user {db.schema} password 'Secret123'")
    assert connect(db.schema, "Secret123").value("select count(*) from stl_load_errors") == 0


@pytest.mark.standin("it starts a stand-in of that kind")
def test_serverless_wording():
    """[public]: one space, sys_load_error_detail, an ErrorId."""
    with FakeRedshift(error_style="serverless") as cluster:
        db = Client(cluster)
        db.schema = "public"
        db.run("create table t (a int)")
        message = db.error(_copy(db, '{"a":"x"}'))["M"]
        assert message.startswith(
            "Load into table 't' failed. Check 'sys_load_error_detail' system table for details. "
            "[ErrorId: 1-"
        )
        db.close()
