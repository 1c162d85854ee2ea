"""Materialized views, and how the catalog shows them."""

import pytest

_OPTIONS = "backup no diststyle key distkey (a) sortkey (b, a) auto refresh yes"


@pytest.fixture
def mv(db):
    db.run("create table src (a int, b varchar(20))")
    db.run("insert into src values (1, 'x')")
    db.run(f"create materialized view mv {_OPTIONS} as (select a, b from src)")
    return db


def test_rows_stay_until_refresh(mv):
    """[guide:materialized-view-refresh-sql-command]"""
    mv.run("insert into src values (2, 'y')")
    assert mv.run("select * from mv") == [(1, "x")]
    mv.run("refresh materialized view mv")
    assert mv.run("select * from mv order by a") == [(1, "x"), (2, "y")]
    mv.refused("refresh materialized view src", "is not a materialized view")


def test_in_the_catalog(mv):
    """It is listed with its text as a view, with its attributes as a table.
    [dbt-redshift:materialized_view/describe.sql; guide:r_SVV_MV_INFO, r_STV_MV_INFO]"""
    schema = mv.schema
    for text in ("view_definition from information_schema.views where table_name",
                 "definition from pg_views where viewname"):  # fmt: skip
        assert mv.value(f"select {text} = 'mv'").startswith("create materialized view")
    assert mv.run(
        "select tb.diststyle, tb.sortkey1, mv.autorefresh from svv_table_info as tb "
        "left join svv_mv_info as mv on mv.database_name = tb.database "
        "and mv.schema_name = tb.schema and mv.name = tb.table "
        f"where tb.table ilike 'mv' and tb.schema = '{schema}'"
    ) == [("KEY(a)", "b", "t")]
    assert mv.run(
        "select a.attname, a.attisdistkey, a.attsortkeyord from pg_class as c "
        "join pg_namespace as n on n.oid = c.relnamespace "
        "join pg_attribute as a on a.attrelid = c.oid "
        f"where n.nspname = '{schema}' and c.relname like 'mv_tbl__mv__%' and a.attnum > 0"
    ) == [("a", True, 2), ("b", False, 1)]
    mv.run("alter materialized view mv auto refresh no")
    state = f"select autorefresh from stv_mv_info where trim(schema) = '{schema}'"
    assert mv.run(state) == [("f",)]


def test_options(mv):
    """In any order, each once. [guide:materialized-view-create-sql-command]"""
    for options in ("backup yes diststyle even auto refresh no", "auto refresh yes sortkey auto"):
        mv.run(f"create materialized view other {options} as select a from src")
        mv.run("drop materialized view other")
    mv.refused("create materialized view other auto as select a from src", "syntax error")
    mv.refused("create materialized view other backup as select a from src", "syntax error")


def test_drop(mv):
    """[guide:materialized-view-drop-sql-command]"""
    mv.run("create view above as select a from mv")
    mv.refused("drop view mv cascade", "DROP MATERIALIZED VIEW")
    mv.refused("drop materialized view src", "is not a materialized view")
    mv.refused("drop materialized view mv", "other objects depend on it")
    mv.refused("drop table src", "other objects depend on it")
    mv.run("drop materialized view mv cascade")
    mv.refused("select * from above", "does not exist")
    mv.refused("drop materialized view mv", "does not exist")
    mv.run("drop materialized view if exists mv")
    mv.run(f"create materialized view {mv.schema}.mv as select a from src")
    mv.run("drop table src cascade")
    mv.refused("select * from mv", "does not exist")


@pytest.mark.parametrize(
    "query",
    ["select a from src order by a", "select a from src limit 1", "select a from v",
     "select query from stl_load_errors"],
)  # fmt: skip
def test_refused_queries(mv, query):
    """No views, system tables, ORDER BY or LIMIT. [guide:materialized-view-create-sql-command]"""
    mv.run("create view v as select a from src")
    assert mv.error(f"create materialized view other as {query}")["C"] == "0A000"
    mv.refused("create materialized view mv as select a from src", "already exists")
    mv.run("create materialized view other as select sum(a) as a from mv")
