"""Tables and views: types, lengths in bytes, names, keys, attributes, what is refused."""

from decimal import Decimal

import pytest


def test_varchar_counts_bytes(db):
    """[guide:r_Character_types]"""
    db.run("create table t (a varchar(4))")
    db.run("insert into t values ('éé')")
    db.refused("insert into t values ('ééé')", "value too long for type character varying(4)")
    db.refused("update t set a = 'abcde'", "value too long for type character varying(4)")
    db.run("insert into t values ('ab' || '  ' || '   ')")
    assert db.value("select count(*) from t where len(a) = 4") == 1


def test_bound_parameters_count_bytes_too(db):
    db.run("create table t (a varchar(4))")
    with pytest.raises(Exception, match="value too long"):
        db.run("insert into t values (%s)", "ééé")


def test_cast_cuts_to_bytes(db):
    """An explicit cast cuts without an error. [guide:r_Character_types]"""
    assert db.run("select 'aéé'::varchar(4), cast('abc' as varchar(2)), 'xyz'::char(2)") == [
        ("aé", "ab", "xy")
    ]


def test_char_is_padded_and_surplus_blanks_are_cut(db):
    """The padding counts neither for the length nor in a cast to another type.
    [guide:r_Character_types]"""
    db.run("create table t (a char(5))")
    db.run("insert into t values ('abcde   '), ('ab')")
    db.run("insert into t select 'x      '::varchar(20)")
    assert db.run("select a, len(a), a || '.' from t") == [
        ("abcde", 5, "abcde."),
        ("ab   ", 2, "ab."),
        ("x    ", 1, "x."),
    ]
    db.refused("insert into t values ('abcdef')", "value too long for type character(5)")


@pytest.mark.parametrize("kind", ["varchar", "text", "character varying", "nvarchar"])
def test_bare_varchar_column_is_256(db, kind):
    """[guide:r_Character_types]"""
    db.run(f"create table t (a int, b {kind})")
    db.run("insert into t values (1, repeat('x', 256))")
    db.refused(
        "insert into t values (1, repeat('x', 257))",
        "value too long for type character varying(256)",
    )
    db.run(f"alter table t add column c {kind}")
    db.refused("update t set c = repeat('x', 257)", "character varying(256)")


def test_bare_varchar_in_an_expression_has_no_limit(db):
    """[guide:r_Character_types]: it is 256 only in DDL."""
    assert db.value("select len(repeat('x', 1000)::varchar)") == 1000
    assert db.value("select len(cast(repeat('x', 1000) as text))") == 1000


def test_varchar_max(db):
    db.run("create table t (a varchar(max))")
    db.run("insert into t values (repeat('x', 65535))")
    db.refused("create table u (a varchar(65536))", "cannot exceed 65535")


def test_bare_decimal_is_18_0(db):
    """218.93179 becomes 219 (INSERT rounds). [guide:r_Numeric_types201]"""
    db.run("create table t (a decimal, b numeric)")
    db.run("insert into t values (218.93179, 1.2)")
    assert db.run("select a, b, 1.9::decimal from t") == [(Decimal(219), Decimal(1), Decimal(2))]


def test_quoted_names_fold_to_lower_case(db):
    """[guide:r_names]"""
    db.run('create table "MixedCase" ("A" int)')
    assert db.run('select "a", MIXEDCASE."A" as "B" from mixedcase') == []
    cursor = db.connection.cursor()
    cursor.execute('select 1 as "Upper"')
    assert cursor.description[0][0] == "upper"


def test_keys_are_recorded_and_not_enforced(db):
    """[guide:t_Defining_constraints]"""
    db.run("create table parent (id int primary key, name varchar unique)")
    db.run(
        "create table child (id int, parent_id int references parent (id), "
        "constraint child_key primary key (id), foreign key (parent_id) references parent (id))"
    )
    db.run("insert into parent values (1, 'a'), (1, 'a')")
    db.run("insert into child values (1, 99)")
    db.run("alter table parent add constraint named unique (id, name)")
    kinds = db.run(
        "select table_name, constraint_name, constraint_type "
        f"from information_schema.table_constraints where table_schema = '{db.schema}'"
    )
    assert ("child", "child_key", "PRIMARY KEY") in kinds
    assert ("parent", "named", "UNIQUE") in kinds
    assert len([k for k in kinds if k[2] == "FOREIGN KEY"]) == 2
    columns = "select column_name from information_schema.key_column_usage "
    assert db.run(f"{columns} where constraint_name = 'named' order by ordinal_position") == [
        ("id",),
        ("name",),
    ]
    assert db.value("select contype from pg_constraint where conname = 'child_key'") == "p"
    db.run("alter table parent drop constraint named")
    assert db.run(f"{columns} where constraint_name = 'named'") == []


@pytest.mark.assumed("DROP TABLE CASCADE drops the foreign keys to the table")
def test_keys_are_dropped_with_their_table_or_transaction(db):
    """A rebuilt parent loses the foreign keys that refer to it. [inferred from
    dbt-redshift:table.sql]"""
    count = (
        "select count(*) from information_schema.table_constraints "
        f"where table_schema = '{db.schema}'"
    )
    db.run("begin")
    db.run("create table p (id int primary key)")
    db.run("rollback")
    assert db.value(count) == 0
    db.run("create table p (id int primary key)")
    db.run("create table c (id int references p)")
    assert db.value(count) == 2
    db.run("drop table p cascade")
    assert db.value(count) == 0


def test_key_of_a_missing_column(db):
    db.refused("create table t (a int, primary key (b))", 'column "b"')
    db.refused("create table t (a int) distkey (b)", 'column "b"')


def test_not_null_is_enforced(db):
    """[guide:t_Defining_constraints]"""
    db.run("create table t (a int not null, b int)")
    db.refused("insert into t (b) values (1)", "Cannot insert a NULL value into column a")


@pytest.mark.parametrize(
    ("attributes", "diststyle", "sortkey"),
    [
        ("", "AUTO(ALL)", "AUTO(SORTKEY)"),
        ("diststyle all", "ALL", "AUTO(SORTKEY)"),
        ("diststyle even compound sortkey (b, a)", "EVEN", "b"),
        ("diststyle key distkey (a) sortkey(a)", "KEY(a)", "a"),
        ("distkey(b) interleaved sortkey (a, b)", "KEY(b)", "INTERLEAVED"),
        ("backup no sortkey auto", "AUTO(ALL)", "AUTO(SORTKEY)"),
    ],
)
def test_attributes_show_in_svv_table_info(db, attributes, diststyle, sortkey):
    """[guide:r_CREATE_TABLE_NEW, r_SVV_TABLE_INFO]"""
    info = (
        "select diststyle, sortkey1 from svv_table_info where \"table\" = '{}' "
        f"and \"schema\" = '{db.schema}'"
    )
    db.run(f"create table plain (a int, b int) {attributes}")
    db.run(f"create table made {attributes} as select 1 as a, 2 as b")
    assert db.run(info.format("plain")) == []  # empty tables are omitted
    db.run("insert into plain values (1, 2)")
    for name in ("plain", "made"):
        assert db.run(info.format(name)) == [(diststyle, sortkey)]


def test_column_attributes(db):
    """[guide:r_CREATE_TABLE_NEW]"""
    db.run(
        "create table t (a bigint identity(10, 5) distkey, b varchar(9) encode zstd sortkey, "
        "c int default 3 encode az64 not null, d bigint generated by default as identity(1,1))"
    )
    db.run("insert into t (b) values ('x')")
    db.run("insert into t (b, d) values ('y', 77)")
    assert db.run("select a, c, d from t order by a") == [(10, 3, 1), (15, 3, 77)]
    db.run("alter table t alter distkey b")
    encodings = (
        "select column_name, encoding from svv_redshift_columns "
        f"where table_name = 't' and schema_name = '{db.schema}'"
    )
    assert ("b", "zstd") in db.run(encodings)


def test_alter_table_adds_one_column_at_a_time(db):
    """[toolkit:redshift-sql-ddl-copy]"""
    db.run("create table t (a int)")
    db.refused("alter table t add column b int, add column c int", "syntax error")
    db.run("alter table t add column b int default 4 encode raw")
    db.run("alter table t rename column b to c")
    db.run("alter table t drop column c cascade")


def test_alter_column_type_is_for_varchar_outside_transactions(db):
    """[guide:r_ALTER_TABLE]"""
    db.run("create table t (a varchar(2), b int)")
    db.run("alter table t alter column a type varchar(5)")
    db.refused("alter table t alter column b type bigint", "cannot alter type")
    db.run("begin")
    db.refused(
        "alter table t alter column a type varchar(6)",
        "ALTER TABLE ALTER COLUMN cannot run inside a transaction block",
    )
    db.run("rollback")


@pytest.mark.parametrize(
    "sql",
    [
        "create index i on t (a)",
        "create unique index i on t (a)",
        "create sequence s",
        "create trigger x before insert on t for each row execute function f()",
        "create type x as enum ('a')",
        "create extension pgcrypto",
        "create table t2 (a int check (a > 0))",
        "create table t2 (a int, constraint c check (a > 0))",
        "create table t2 (a serial)",
        "create table t2 (a uuid)",
        "create table t2 (a jsonb)",
        "create table t2 (a bytea)",
        "create table t2 (a oid)",
        "create table t2 (a regclass)",
        "create table t2 (a int4range)",
        "create table t2 (a macaddr)",
        "create table t2 (a inet)",
        "create table t2 (a money)",
        "create table t2 (a bit(3))",
        "create table t2 (a bit varying(3))",
        "create table t2 (a xml)",
        "create table t2 (a point)",
        "create table t2 (a name)",
        'create table t2 (a "char")',
        "create table t2 (a txid_snapshot)",
        "create table t2 as select int4range(1, 2) as a",
        "create table t2 as select current_user as a",
        "alter table t add column b uuid",
        "create table t2 (a int[])",
        "create table t2 (a int) partition by range (a)",
        "create table t2 (a int) with (fillfactor = 70)",
        "create unlogged table t2 (a int)",
        "create table t2 (ctid int)",
        "create table t2 (a int default (select 1))",
        "alter table t add check (a > 0)",
    ],
)
def test_unsupported_objects_and_types(db, sql):
    """[guide:c_unsupported-postgresql-features, c_unsupported-postgresql-datatypes]"""
    db.run("create table t (a int)")
    assert db.error(sql)["C"] in ("0A000", "42601", "42701")


def test_collation(db):
    """CASE_SENSITIVE is the default. [guide:r_CREATE_TABLE_NEW]"""
    db.run("create table t (a varchar(9) collate case_sensitive encode raw)")
    db.refused('create table u (a varchar(9) collate "C")', "syntax error")
    db.refused('select a from t order by a collate "C"', "syntax error")


@pytest.mark.standin("a gap of the stand-in")
def test_collation_that_ignores_case(db):
    db.refused("select collate('a', 'case_insensitive')", "COLLATE()")
    db.refused("create table t (a varchar(9) collate case_insensitive)", "")


def test_names_are_limited(db):
    """To 127 bytes. [guide:r_names]"""
    db.refused(f"create table {'x' * 128} (a int)", "127 bytes")


@pytest.mark.standin("a gap of the stand-in")
def test_long_names_that_need_quotes(db):
    db.refused(f'create table "{"x y" * 22}" (a int)', "63 bytes")


@pytest.mark.parametrize("size", [63, 64, 127])
def test_long_names(db, size):
    """All bytes distinguish; the catalog and messages show names in full. [guide:r_names]"""
    table, other = "x" * (size - 1) + "1", "X" * (size - 1) + "2"
    column = "c" * size
    db.run(f"create table {table} ({column} int)")
    db.run(f'create table "{other}" as select 7 as {column}')
    db.run(f"insert into {table} select 2 * {column} from {other}")
    assert db.run(f"select {column} from {table}") == [(14,)]
    found = "select table_name from information_schema.tables where table_name"
    assert db.run(f"{found} in ('{table}', '{other.lower()}') order by 1") == [
        (table,),
        (other.lower(),),
    ]
    assert db.run(f"{found} = '{table[:63]}'") == ([(table,)] if size == 63 else [])
    assert db.run(
        f"select attname, 'a {table}' from pg_attribute as a, pg_class as c"
        f" where a.attrelid = c.oid and c.relname = '{table}' and a.attnum > 0"
    ) == [(column, f"a {table}")]
    db.refused(f"drop view {table}", table)
    db.run(f"drop table {table}")
    db.run(f"drop table {other}")


@pytest.mark.standin("it reads the statements sent")
def test_long_names_in_the_statement_log(db, cluster):
    table = "x" * 127
    db.run(f"create table {table} (a int)")
    assert any(table in statement.sql for statement in cluster.statements)


def test_types_in_the_catalog(db):
    """No column is TEXT, and SUPER is shown as such. [guide:r_Character_types, r_SUPER_type]"""
    db.run("create view v as select lower('X') as a, 'z'::varchar(7) as b, 5::varchar as c")
    db.run("create table t (d super)")
    columns = db.run(
        "select data_type, character_maximum_length from information_schema.columns "
        f"where table_schema = '{db.schema}' order by table_name desc, ordinal_position"
    )
    assert columns == [*(("character varying", n) for n in (65535, 7, 65535)), ("super", None)]


def test_create_table_as_copies_no_constraints(db):
    """[guide:r_CTAS_usage_notes]"""
    db.run("create table t (a int primary key)")
    db.run("insert into t values (1)")
    db.run("create table u as select * from t")
    db.run("insert into u values (null)")


def test_late_binding_view(db):
    """It survives its source and needs qualified names. [guide:r_CREATE_VIEW]"""
    schema = db.schema
    db.run("create table src (a int, b varchar(20))")
    db.refused("create view v as select a from src with no schema binding", "must be qualified")
    db.run(f"create view v as select a, b from {schema}.src with no schema binding")
    db.run("insert into src values (1, 'x')")
    assert db.run("select * from v") == [(1, "x")]
    db.run("drop table src")
    db.refused("select * from v", "does not exist")
    db.run("create table src (b varchar(20), a int)")
    db.run("insert into src values ('y', 2)")
    assert db.run("select * from v") == [(2, "y")]
    db.run(f"create or replace view v as select b from {schema}.src with no schema binding")
    assert db.run("select * from v") == [("y",)]
    columns = (
        "select col_name, col_type from pg_get_late_binding_view_cols() cols(view_schema name, "
        "view_name name, col_name name, col_type varchar, ordinal_position int) "
        f"where view_schema = '{schema}'"
    )
    assert db.run(columns) == [("b", "character varying(20)")]
    listed = (
        "select count(*) from information_schema.columns where table_name = 'v' and table_schema = "
    )
    assert db.value(f"{listed}'{schema}'") == 0
    db.run("drop view v")
    assert db.run(columns) == []


def test_bound_view_is_dropped_with_its_table(db):
    """[guide:r_CREATE_VIEW]"""
    db.run("create table src (a int)")
    db.run("create view v as select a from src")
    db.refused("drop table src", "depend on it")
    db.run("drop table src cascade")
    db.refused("select * from v", "does not exist")


def test_comments_with_dollar_quotes(db):
    """[dbt-redshift:adapters.sql]"""
    db.run("create table t (a int)")
    db.run('comment on table t is $x$it\'s; "quoted" \\ $x$')
    assert db.value("select obj_description('t'::regclass, 'pg_class')") == 'it\'s; "quoted" \\ '
    db.run("comment on column t.a is $x$the column$x$")


def test_grants_to_users_groups_and_roles(db):
    """[dbt-redshift:apply_grants.sql]"""
    name = db.schema
    db.run("create table t (a int)")
    db.run(f"create user {name}_u password 'Secret123'")
    db.run(f"create group {name}_g")
    db.run(f"create role {name}_r")
    db.run(f"alter group {name}_g add user {name}_u")
    db.run(f"grant role {name}_r to {name}_u")
    db.run(f"grant select on t to {name}_u, group {name}_g, role {name}_r")
    found = db.run(
        "select identity_name, identity_type, privilege_type from svv_relation_privileges "
        f"where relation_name = 't' and namespace_name = '{name}' order by identity_name"
    )
    assert (f"{name}_u", "user", "select") in found and len(found) == 3
    db.run(f"revoke select on t from role {name}_r")
    db.run(f"grant usage on schema {name} to role {name}_r")
