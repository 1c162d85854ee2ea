"""Redshift's own functions."""

from datetime import date, datetime
from decimal import Decimal

import pytest


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        # [guide:r_DATEADD_function]
        ("dateadd(day, 1, '2020-02-28'::date)", datetime(2020, 2, 29)),
        ("dateadd(ms, 796, timestamp '2020-01-01')", datetime(2020, 1, 1, 0, 0, 0, 796000)),
        ("dateadd(m, 5, timestamp '2020-01-01')", datetime(2020, 1, 1, 0, 5)),
        ("dateadd('month', 1, timestamp '2020-01-31')", datetime(2020, 2, 29)),
        (
            "dateadd(ms, 1541105830796 % 1000, dateadd(s, 1541105830796 / 1000, "
            "timestamp '1970-01-01'))",
            datetime(2018, 11, 1, 20, 57, 10, 796000),
        ),
        # datediff counts boundaries [guide]
        ("datediff(day, '2020-01-01 23:59', '2020-01-02 00:01')", 1),
        ("datediff(year, '2019-12-31', '2020-01-01')", 1),
        ("datediff(qtr, '2019-12-31', '2020-04-01')", 2),
        ("datediff(hour, '2020-01-01 00:59', '2020-01-01 01:00')", 1),
        ("datediff(minute, '2020-01-01 01:00', '2020-01-01 00:59:59')", -1),
        ("datediff(ms, '2020-01-01', '2020-01-01 00:00:01.5')", 1500),
        # [guide:r_EXTRACT_function, r_DATE_PART_function; guide:r_Dateparts]
        ("extract(hour from timestamp '2020-01-01 13:45')", 13),
        ("extract(dow from date '2020-01-05')", 0),
        ("extract(weekday from date '2020-01-05')", 0),
        ("extract(week from timestamp '2021-01-01')", 53),
        ("extract(epoch from timestamp '1970-01-02')", 86400),
        ("extract(ms from timestamp '2009-09-09 12:08:43.101')", 101),
        ("extract(sec from timestamp '2009-09-21 11:10:03.189717')", 3),
        ("extract(us from timestamp '2009-09-21 11:10:03.189717')", 717),
        ("extract(ms from timestamptz '2009-09-21 11:10:03.189717')", 189.0),
        ("extract(ms from time '11:10:03.189')", 189),
        ("date_part(sec, timestamp '2009-09-21 11:10:03.189717')", 3.189717),
        ("date_part(ms, timestamp '2009-09-21 11:10:03.189717')", 3189.717),
        ("date_part(hour, timestamp '2020-01-01 13:45')", 13.0),
        ("date_part('dayofyear', timestamp '2020-02-01')", 32.0),
        ("date_trunc('week', date '2020-01-01')", datetime(2019, 12, 30)),
        ("to_char(timestamp '2020-01-05', 'D')", "1"),
        ("to_char(timestamp '2021-01-01', 'IYYY')", "2020"),
        ("trunc(timestamp '2020-01-01 13:45')", date(2020, 1, 1)),
        ("last_day(date '2020-02-03')", date(2020, 2, 29)),
        (
            "convert_timezone('UTC', 'America/New_York', timestamp '2020-01-01 12:00')",
            datetime(2020, 1, 1, 7),
        ),
        ("timestamp 'epoch' + 1 * interval '1 second'", datetime(1970, 1, 1, 0, 0, 1)),
        # strings and NULL
        ("len('añb')", 3),
        ("octet_length('añb')", 4),
        ("charindex('b', 'abc')", 2),
        ("chr(65)", "A"),
        ("nvl(null, null, 3)", 3),
        ("nvl2(null, 1, 2)", 2),
        ("decode(null, null, 'n', 'x')", "n"),
        ("decode(2, 1, 'a', 2, 'b', 'z')", "b"),
        ("decode(5, 1, 'a')", None),
        # hashes [guide:r_MD5, SHA2, r_STRTOL]
        ("md5('a')", "0cc175b9c0f1b6a831c399e269772661"),
        ("len(sha2('a', 256))", 64),
        ("strtol('ff', 16)", 255),
        ("strtol('', 16)", 0),
        ("strtol(substring(md5('a'), 1, 15), 16)", 0x0CC175B9C0F1B6A),
        ("fnv_hash('a') = fnv_hash('a')", True),
        ("fnv_hash(1::int) = fnv_hash(1::bigint)", False),
        pytest.param(
            *("regexp_substr('abc', '[0-9]')", ""),
            marks=pytest.mark.assumed("REGEXP_SUBSTR without a match is an empty string, not NULL"),
        ),
        # every match is replaced
        ("regexp_substr('a1b22', '[0-9]+', 1, 2)", "22"),
        ("regexp_replace('a1b2', '[0-9]')", "ab"),
        ("regexp_count('a1b2', '[0-9]')", 2),
        ("regexp_instr('ab1', '[0-9]')", 3),
        # JSON
        ("json_extract_path_text('{\"a\":{\"b\":\"x\"}}', 'a', 'b')", "x"),
        ("json_extract_path_text('{\"a\":1}', 'z')", ""),
        ("json_extract_path_text('nonsense', 'a', true)", None),
        # SUPER [guide:r_array, r_array_concat, get_array_length]
        ("json_serialize(array_concat(array(1, 'a'), array()))", '[1, "a"]'),
        ("get_array_length(array(1, 2))", 2),
        ("is_valid_json('{\"a\":1}')", True),
        ("is_valid_json('[1]')", False),
        ("can_json_parse('[1]')", True),
        ("json_serialize(json_parse('{\"a\":1}'))", '{"a": 1}'),
        pytest.param(
            *("7 / 2", 3), marks=pytest.mark.assumed("a quotient of integers has no fraction")
        ),
        ("round(2.5::float, 0)", 3.0),
    ],
)  # fmt: skip
def test_value(db, expression, value):
    assert db.value(f"select {expression}") == value


def test_types_of_date_functions(db):
    """DATEDIFF is BIGINT, EXTRACT INTEGER, DATE_PART DOUBLE, DATEADD TIMESTAMP. [guide]"""
    db.run(
        "create table t as select datediff(day, getdate(), getdate()) as a, "
        "extract(hour from getdate()) as b, date_part(hour, getdate()) as c, "
        "dateadd(day, 1, '2020-01-01'::date) as d"
    )
    types = db.run(
        "select data_type from information_schema.columns "
        f"where table_schema = '{db.schema}' order by ordinal_position"
    )
    assert [t for (t,) in types] == [
        *("bigint", "integer", "double precision", "timestamp without time zone"),
    ]


def test_sum_and_average_of_integers_are_bigint(db):
    """An average of integers has no fraction. [guide:r_SUM, r_AVG]"""
    db.run("create table t (a smallint, b int, c bigint, d decimal(5, 2), e float)")
    db.run("insert into t values (1, 1, 1, 1.5, 1.5), (2, 2, 2, 2, 2), (null, null, null, 3, 3)")
    kinds = "avg(a), avg(b), avg(c), sum(a), sum(b), sum(c)"
    assert db.run(f"select {kinds} from t") == [(1, 1, 1, 3, 3, 3)]
    assert db.run(f"select {kinds} from t where false") == [(None,) * 6]
    assert db.run("select sum(d), sum(e), avg(e) from t") == [(Decimal("6.50"), 6.5, 6.5 / 3)]
    assert db.run(
        "select avg(c) over (order by b rows unbounded preceding), "
        "sum(c) over (order by b rows between 1 preceding and current row) from t where b > 0"
    ) == [(1, 1), (1, 3)]
    db.run("create table u as select sum(c) as s, avg(a) as a from t")
    types = db.run(
        "select data_type from information_schema.columns "
        f"where table_schema = '{db.schema}' and table_name = 'u'"
    )
    assert types == [("bigint",), ("bigint",)]
    db.run("insert into t (c) values (9223372036854775807)")
    db.refused("select sum(c) from t", "out of range")


def test_dateadd_takes_an_integer(db):
    """13-digit milliseconds do not fit. [guide:r_DATEADD_function]"""
    db.refused("select dateadd(ms, 1541105830796, timestamp '1970-01-01')", "out of range")


def test_strtol_must_fit(db):
    """[guide:r_STRTOL]"""
    db.refused("select strtol('ffffffffffffffff', 16)", "out of range")
    db.refused("select strtol('xyz', 16)", "not valid")


def test_getdate_and_sysdate(db):
    """Start of the statement, in whole seconds; of the transaction. [guide:r_GETDATE, r_SYSDATE]"""
    now = db.value("select getdate()")
    assert now.microsecond == 0 and now.tzinfo is None
    db.run("begin")
    first = db.value("select sysdate")
    assert db.value("select sysdate") == first
    db.run("rollback")
    db.run("create table t (a int, at timestamp default sysdate)")
    db.run("insert into t (a) values (1)")
    assert db.value("select at <= sysdate from t")


def test_median(db):
    db.run("create table t (a int)")
    db.run("insert into t values (1), (2), (4)")
    assert db.value("select median(a) from t") == Decimal(2)
