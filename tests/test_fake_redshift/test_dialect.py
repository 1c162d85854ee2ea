"""Queries: what Redshift refuses, and what PostgreSQL lacks."""

import pytest

_LEADER = "Specified types or functions (one per INFO message) not supported on Redshift tables."


@pytest.fixture
def t(db):
    db.run("create table t (a int, b varchar(20), at timestamp)")
    db.run("insert into t values (1, 'x', '2018-11-01'), (2, 'y', '2018-11-02'), (3, 'y', null)")
    return db


@pytest.mark.parametrize(
    "expression",
    ["current_schema()", "now()", "current_timestamp", "age(at)", "current_time", "localtime",
     "has_table_privilege('t', 'select')", "generate_series(1, 3)", "isfinite(at)",
     "current_schemas(true)"],
)  # fmt: skip
def test_leader_node_functions(t, expression):
    """They work only without a table. [guide:c_SQL_functions_leader_node_only]"""
    t.refused(f"select {expression} from t", _LEADER)
    t.refused(f"with c as (select * from t) select {expression} from c", _LEADER)
    if "(" in expression:
        t.refused(f"create table u as select {expression} as x", _LEADER)
    if "at)" not in expression:
        t.run(f"select {expression}")


def test_table_may_be_created_from_the_current_time(t):
    """Without a table, the leader node evaluates CURRENT_TIMESTAMP. [public: digdag,
    RedshiftPersistentTransactionHelper]"""
    t.run("create table u as select 1 as a, current_timestamp as at")
    t.refused("create table v as select current_timestamp as at from t", _LEADER)


def test_leader_node_functions_and_system_tables(db):
    """[guide:c_sql-functions-leader-node]"""
    db.refused("select now() from stl_load_errors", _LEADER)
    db.run("select now() from pg_class limit 1")


@pytest.mark.assumed("pg_last_copy_id() and its like are refused in a query on user tables")
@pytest.mark.parametrize(
    "function", ["pg_last_copy_id", "pg_last_copy_count", "pg_last_query_id", "pg_backend_pid"]
)
def test_session_functions(t, function):
    """AWS shows them alone and with system tables. [guide:PG_LAST_COPY_ID, PG_BACKEND_PID]"""
    t.run(f"select {function}()")
    t.run(f"select count(*) from stl_load_errors where query = {function}()")
    t.refused(f"select a, {function}() from t", _LEADER)
    t.refused(f"insert into t (a) select {function}()", _LEADER)
    t.refused(f"create table u as select {function}() as id", _LEADER)


@pytest.mark.assumed("no table can be filled from SYS and SVV views")
def test_tables_cannot_be_filled_from_system_views(t):
    """Unlike them, STL views may be copied into tables. [guide:cm_chap_system-tables]"""
    for source in ("sys_load_history", "sys_load_error_detail", "svv_table_info"):
        t.refused(f"insert into t (a) select count(*) from {source}", _LEADER)
        t.refused(f"create table u as select count(*) as n from {source}", _LEADER)
        t.run(f"select count(*) from {source}")
    t.run("insert into t (a) select query from stl_load_errors")
    t.run("create table u as select query from stl_load_errors")


def test_leader_node_functions_as_column_names(t):
    t.run("select a as now, b as age from t")
    t.run("with now (age) as (select 1) select age from now")


def test_substr(t):
    """[toolkit:redshift-sql-extensions-semantics]"""
    t.refused("select substr(b, 1, 1) from t", "use SUBSTRING instead")
    assert t.run("select substring(b, 1, 1) from t where a = 1") == [("x",)]
    assert t.run("select substr('abc', 2)") == [("bc",)]


def test_tables_cannot_be_filled_from_generate_series(t):
    """[guide:c_unsupported-postgresql-functions]"""
    t.refused("insert into t (a) select * from generate_series(1, 3)", _LEADER)
    t.run("select * from generate_series(1, 3)")


def test_catalog_tables_do_not_mix_with_user_tables(t):
    """[guide:c_sql-functions-leader-node]"""
    t.refused("select * from t join pg_class on relname = b", _LEADER)
    t.refused("create table u as select relname from pg_class", _LEADER)
    t.refused("insert into t (b) select table_name from information_schema.tables", _LEADER)


@pytest.mark.parametrize(
    "sql",
    [
        "select * from (values (1), (2)) as v (x)",
        "values (1)",
        "with v (x) as (values (1)) select x from v",
        "select distinct on (b) a, b from t",
        "select count(*) filter (where a > 1) from t",
        "select string_agg(b, ',') from t",
        "select array_agg(a) from t",
        "select array[1, 2]",
        "insert into t (a) values (1) on conflict do nothing",
        "insert into t (a) values (1) returning a",
        "delete from t where a = 1 returning a",
        "select * from t, lateral (select t.a) as l",
        "select * from t where a is distinct from 1",
        "select * from t where a is not distinct from 1",
        "select regexp_matches(b, 'x') from t",
        "select format('%s', 'x')",
        "select encode('x', 'hex')",
        "select pg_sleep(1)",
        "select nextval('s')",
        "select concat('a', 'b', 'c')",
        "select unnest(a) from t",
    ],
)
def test_unsupported_syntax(t, sql):
    """[guide:c_unsupported-postgresql-functions, c_unsupported-postgresql-features; toolkit]"""
    assert t.error(sql)["C"] in ("0A000", "42601", "42883")


def test_unsupported_words_as_names_or_strings(t):
    t.run("select 1 as values, 2 as filter")
    t.run("insert into t (a) select 5 union all select 6")
    t.run("select 'values (1) returning'")
    t.run("select count(distinct a) from t")


@pytest.mark.parametrize(
    ("window", "text"),
    [
        ("sum(a) over (order by a)", "require a frame clause"),
        ("first_value(b) over (partition by b order by a)", "require a frame clause"),
        ("sum(a) over (order by a range unbounded preceding)", "RANGE"),
        ("sum(a) over (order by a groups unbounded preceding)", "GROUPS"),
        ("count(distinct a) over (partition by b)", "DISTINCT"),
        ("row_number() over (order by a rows unbounded preceding)", "frame"),
        ("lag(a) over (order by a rows unbounded preceding)", "frame"),
        ("row_number() over (order by 'x')", "constant"),
        ("sum(a) over w", "syntax error"),
    ],
)
def test_window_rules(t, window, text):
    """[guide:c_Window_functions, r_WF_first_value, r_WF_COUNT]"""
    tail = " window w as (partition by b)" if window.endswith("w") else ""
    t.refused(f"select {window} from t{tail}", text)


def test_supported_windows(t):
    t.run("select sum(a) over (partition by b), row_number() over (order by 1) from t")
    t.run("select sum(a) over (order by a rows between unbounded preceding and current row) from t")
    t.run("select lag(a, 1) over (partition by b order by a), ntile(4) over (order by a) from t")


def test_recursive_common_tables(t):
    """[guide:r_WITH_clause; public: dbt-redshift #803]"""
    body = "select 1 union all select n + 1 from r where n < 3"
    assert t.value(f"with recursive r (n) as ({body}) select count(*) from r") == 3
    t.run(f"create table u as (with recursive r (n) as ({body}) select n from r)")
    t.refused(f"with recursive r as ({body}) select * from r", "column name list")
    t.refused(
        f"select * from (with recursive r (n) as ({body}) select n from r) as x where false",
        "Recursive CTE in subquery are not supported.",
    )
    t.refused(
        "with recursive r (n) as (select 1 union select n + 1 from r where n < 3) select n from r",
        "UNION ALL",
    )
    t.refused(f"with recursive r (n) as ({body} limit 2) select n from r", "LIMIT")
    t.error(
        "with recursive r (d) as (select '2020-01-01'::date union all "
        "select dateadd(day, 1, d) from r where d < '2020-01-03') select d from r"
    )


def test_merge(t):
    """[guide:r_MERGE]"""
    t.run("create table s (a int, b varchar(20))")
    t.run("insert into s values (1, 'new'), (9, 'nine')")
    matched = "when matched then update set b = {}s.b "
    rest = "when not matched then insert (a, b) values (s.a, s.b)"
    on = "on t.a = s.a "
    merge = "merge into t using s " + on + matched.format("") + rest
    t.run(merge)
    assert t.run("select b from t where a in (1, 9) order by a") == [("new",), ("nine",)]
    t.refused("merge into t as x using s on x.a = s.a " + matched.format("") + rest, "syntax error")
    t.refused(
        "merge into t using (select * from s) as s " + on + matched.format("") + rest, "table"
    )
    t.refused(
        "with c as (select 1) merge into t using c " + on + matched.format("") + rest, "syntax"
    )
    t.refused("merge into t using t " + matched.format("") + rest, "different tables")
    t.refused("merge into t using s on t.a > s.a " + matched.format("") + rest, "equality")
    t.refused("merge into t using s on t.a = s.a or true " + matched.format("") + rest, "OR")
    t.refused("merge into t using s " + on + rest, "WHEN MATCHED")
    t.refused(
        "merge into t using s " + on + "when matched then update set t.b = s.b " + rest, "syntax"
    )
    t.run("create view v as select * from s")
    t.refused(
        "merge into t using v on t.a = v.a when matched then delete "
        "when not matched then insert (a) values (v.a)",
        "not a view",
    )
    t.run("insert into s values (1, 'again')")
    t.refused(merge, "Found multiple matches to update the same tuple.")


@pytest.mark.parametrize(
    "on", ["s.a = t.a and t.a > 1", "(t.a > 1) and (s.a = t.a)", "(s.a = t.a and t.a > 1)"]
)
def test_merge_with_further_predicates(t, on):
    """From dbt's incremental_predicates. [dbt-redshift:incremental_merge.sql]"""
    t.run("create table s (a int, b varchar(20))")
    t.run("insert into s values (1, 'new'), (2, 'two')")
    t.run(
        f"merge into t using s on {on} when matched then update set b = s.b "
        "when not matched then insert (a, b) values (s.a, s.b)"
    )
    assert t.run("select a, b from t where a < 3 order by a, b") == [
        *((1, "new"), (1, "x"), (2, "two")),
    ]


def test_merge_remove_duplicates(t):
    """[guide:r_MERGE]"""
    t.run("create table d (a int, b varchar(20))")
    t.run("create table s (a int, b varchar(20))")
    t.run("insert into d values (1, 'old'), (2, 'kept')")
    t.run("insert into s values (1, 'new'), (1, 'new')")
    t.run("merge into d using s on d.a = s.a remove duplicates")
    assert t.run("select * from d order by a") == [(1, "new"), (2, "kept")]


def test_boolean_is_not_cast_to_varchar(t):
    """[public: dbt-utils #1016]; even if no row is read."""
    text = "cannot cast type boolean to character varying"
    for kind in ("varchar", "text", "varchar(5)", "char(5)"):
        t.refused(f"select true::{kind}", text)
    t.refused("select (a = 1)::varchar from t where false", text)


def test_types_that_redshift_lacks(t):
    """Some exist on the leader node. [guide:c_unsupported-postgresql-datatypes]"""
    for kind in ("uuid", "json", "jsonb", "xml", "int4range", "tsvector"):
        t.refused(f"select null::{kind}", f'type "{kind}" does not exist')
        t.refused(f"select cast(b as {kind}) from t", "does not exist")
    for kind in ("oid", "regclass", "inet", "money", "name", "bytea", "point"):
        t.refused(f"select cast(null as {kind}) from t", _LEADER)
        t.refused(f"create table u as select null::{kind} as a", _LEADER)
    t.run("select relname as name, 1 as oid, 't'::regclass from pg_class limit 1")
    t.run("select a as name, a as point from t")


def test_trailing_blanks_do_not_count_in_comparisons(t):
    """They do count in the length. [guide:r_Character_types, r_FNV_HASH]"""
    t.run("insert into t (a, b) values (7, 'x  '), (8, 'x')")
    assert t.value("select count(*) from t where b = 'x '") == 3
    assert t.value("select count(distinct b) from t") == 2
    assert t.run("select count(*) from t group by b order by 1") == [(2,), (3,)]
    assert t.value("select count(*) from t as l join t as r on l.b = r.b where l.a = 7") == 3
    assert t.run("select b from t where b = 'x' order by b, a") == [("x",), ("x  ",), ("x",)]
    assert t.run("select 'a' < 'a ', 'a ' in ('a'), len('a '), 'a ' like 'a'") == [
        (False, True, 2, False)
    ]
    assert t.run("select md5('a ') = md5('a'), fnv_hash('a ') = fnv_hash('a')") == [(False, False)]


def test_null_concatenation(db):
    """[guide:r_CONCAT]"""
    assert db.run("select null || 'x', concat('x', null), concat('x', 'y')") == [(None, None, "xy")]


def test_listagg(t):
    """[guide:r_LISTAGG]: skips NULL and '', needs a table, has a limit."""
    t.run("insert into t values (4, '', null), (5, null, null)")
    ordered = "within group (order by a desc)"
    assert t.value(f"select listagg(b, '|') {ordered} from t") == "y|y|x"
    assert t.value("select listagg(distinct b, '|') within group (order by b) from t") == "x|y"
    t.refused("select listagg('x', ',')", "must be applied on at least one user created tables")
    t.refused("select listagg(repeat('x', 40000)) from t", "Result size exceeds LISTAGG limit")


def test_qualify(t):
    """[guide:r_QUALIFY_clause]"""
    latest = "qualify row_number() over (partition by b order by a desc) = 1"
    assert t.run(f"select * from t as x where true {latest} order by a") == t.run(
        "select * from t where a in (1, 3) order by a"
    )
    assert t.run(
        "select x.b, row_number() over (order by x.a) as n, x.a + 1 as more from t as x "
        "qualify n = 2"
    ) == [("y", 2, 3)]
    assert t.run(
        f"with c as (select a, b from t x {latest}), d as (select c.*, 1 as one from c as c "
        "qualify row_number() over (order by a desc) = 1) select d.a, one from d"
    ) == [(3, 1)]
    assert t.run(
        "select b, count(*) as n from t where a > 0 group by b having count(*) > 0 "
        "qualify rank() over (order by count(*) desc) = 1"
    ) == [("y", 2)]
    assert t.run(
        "select * from t as x join t as y on x.a = y.a qualify row_number() over (order by x.a) = 1"
    )[0][:4:3] == (1, 1)


@pytest.mark.assumed("QUALIFY right after FROM is refused if the table has no alias")
def test_qualify_needs_an_alias(t):
    """[guide:r_QUALIFY_clause]"""
    t.refused("select * from t qualify row_number() over (order by a) = 1", "qualify")


@pytest.mark.assumed("a common table expression may hold a WITH clause of its own")
def test_nested_common_tables(t):
    """The guide says otherwise of WITH clause subqueries, but dbt nests them.
    [guide:r_WITH_clause]"""
    assert t.run(
        "with c as (with d as (select a from t) select a from d) select max(a) from c"
    ) == [(3,)]


@pytest.mark.assumed("LEVEL is a column name that needs no quotes")
def test_level_as_a_column_name(t):
    """In CONNECT BY it is a pseudo-column. [guide:r_CONNECT_BY_clause]"""
    t.run("create table plays (level varchar(9))")
    t.run("insert into plays (level) values ('paid')")
    assert t.run("select level, count(*) as n from plays group by level") == [("paid", 1)]


def test_top_minus_and_approximate(t):
    assert t.run("select top 1 a from t order by a desc") == [(3,)]
    assert t.run("select a from t minus select 1 order by 1") == [(2,), (3,)]
    assert t.run("select approximate count(distinct b) from t") == [(2,)]


def test_backslashes_in_strings(db):
    r"""Patterns double their backslashes; '\d' is 'd'. [guide:REGEXP_SUBSTR]"""
    assert db.run(
        r"select regexp_substr('ab12', '\\d+'), 'a\'b', len('\\'), "
        r"regexp_replace('a1b2', '\\d', 'x')"
    ) == [("12", "a'b", 1, "axbx")]
    assert db.value(r"select regexp_count('dd11', '\d')") == 2


def test_type_and_function_names_as_columns(db):
    """Words that are rewritten as types or functions may be names elsewhere."""
    db.run("create table names (dec int, text varchar, char int, decode int, nvl int, day int)")
    db.run("select dec, text, char, decode, nvl, day, 1 as numeric from names")


@pytest.mark.parametrize(
    "sql",
    [
        "create schema raw",
        "select * from raw.events",
        "create table names (tag int)",
        "create table names (a int, timestamp timestamp)",
        "select system from t",
        "select a from t order by snapshot",
    ],
)
def test_reserved_words_need_quotes(t, sql):
    """[guide:r_pg_keywords]"""
    t.refused(sql, "syntax error")


def test_reserved_words_in_quotes_or_after_as(t):
    t.run('create table names ("tag" int, "timestamp" timestamp encode raw)')
    t.run("select 1 as raw, names.tag, timestamp '2020-01-01', cast(null as timestamp) from names")


def test_missing_schema_and_relation(db):
    """dbt looks for 'schema ... does not exist'. [dbt-redshift:connections.py]"""
    db.refused("select * from no_such_schema.t", 'schema "no_such_schema" does not exist')
    db.refused("select * from no_such_table", 'relation "no_such_table" does not exist')


def test_three_part_names(t):
    t.run(f'select * from "dev"."{t.schema}"."t"')
    t.refused("select * from other.public.t", "cross-database")


def test_schemas_of_the_database(db):
    """The database's name may precede a schema's. [dbt-redshift:adapters.sql]"""
    name = f"{db.schema}_more"
    db.run(f'create schema if not exists "dev"."{name}"')
    db.run(f'create schema if not exists "dev"."{name}" quota 5 gb')
    db.run(f"create table dev.{name}.t (a int)")
    db.refused(f'drop schema "dev"."{name}"', "depend")
    db.run(f'drop schema if exists "dev"."{name}", "{name}_2" cascade')
    db.refused(f'create schema "other"."{name}"', "cross-database")
    db.refused(f"create schema {name} quota 5 pounds", "syntax error")
    db.run(f"create schema {name} authorization awsuser")


def test_strings_compare_by_byte(db):
    """Upper case sorts before lower case; lower() handles more than ASCII."""
    assert db.run("select 'B' < 'a', 'Z' < 'é', lower('ÀÉ'), upper('ß')")[0][:3] == (
        True, True, "àé",
    )  # fmt: skip
