"""Primary, unique and foreign keys: declaring and dropping them."""

import threading

import pytest

_NO_KEY = "there is no unique constraint matching given keys for referenced table"


@pytest.fixture
def parent(db):
    db.run("create table parent (id int primary key, code int, name varchar, unique (code, name))")
    db.run("create table child (id int, parent_id int, code int, name varchar)")
    return db


def _keys(db, table: str = "child") -> list[str]:
    return [
        name
        for (name,) in db.run(
            "select conname from pg_constraint join pg_class as t on t.oid = conrelid "
            f"join pg_namespace as n on n.oid = t.relnamespace where t.relname = '{table}' "
            f"and n.nspname = '{db.schema}' order by conname"
        )
    ]


@pytest.mark.parametrize(
    "reference", ["(parent_id) references parent (code)", "(name) references parent (name)"]
)
def test_foreign_key_must_refer_to_a_key(parent, reference):
    """[guide:r_CREATE_TABLE_NEW, References]"""
    error = parent.error(f"alter table child add foreign key {reference}")
    assert (error["C"], error["M"]) == ("42830", f'{_NO_KEY} "parent"')
    parent.refused(
        f"create table c (parent_id int, name varchar, foreign key {reference})", _NO_KEY
    )
    parent.refused("create table c (a int references parent (code))", _NO_KEY)


@pytest.mark.parametrize(
    "reference",
    [
        "(parent_id) references parent (id)",
        "(parent_id) references parent",
        "(code, name) references parent (code, name)",
        "(name, code) references parent (name, code)",
    ],
)
def test_foreign_key_refers_to_a_key(parent, reference):
    """[guide:r_CREATE_TABLE_NEW, References]"""
    parent.run(f"alter table child add constraint up foreign key {reference}")
    assert _keys(parent) == ["up"]


def test_refused_foreign_keys(parent):
    """[guide:r_CREATE_TABLE_NEW]"""
    parent.run("create table bare (id int)")
    parent.refused("alter table child add foreign key (id) references bare", "no primary key")
    parent.refused(
        "alter table child add foreign key (id, code) references parent (id)", "disagree"
    )
    parent.refused("alter table child add foreign key (id) references missing (id)", "not exist")
    parent.run("create view v as select id from parent")
    parent.refused("alter table child add foreign key (id) references v (id)", "not a table")
    parent.refused("alter table child add foreign key (id) references parent deferrable", "syntax")


def test_table_that_refers_to_itself(db):
    db.run("create table t (up int references t (id), id int primary key)")
    db.run("drop table t")


def test_dropping_a_referenced_table_needs_cascade(parent):
    """[guide:r_DROP_TABLE; t_Defining_constraints]"""
    parent.run("alter table child add constraint up foreign key (parent_id) references parent")
    error = parent.error("drop table parent")
    assert (error["C"], error["M"]) == (
        "2BP01",
        "cannot drop table parent because other objects depend on it",
    )
    assert parent.value("select count(*) from parent") == 0
    parent.run("drop table parent cascade")
    assert _keys(parent) == []
    parent.run("drop table child")


def test_dropping_both_tables_of_a_foreign_key_at_once(parent):
    parent.run("alter table child add foreign key (parent_id) references parent")
    parent.run("drop table parent, child")


def test_dropping_a_referenced_key(parent):
    """RESTRICT is the default. [guide:r_ALTER_TABLE]"""
    parent.run("alter table child add constraint up foreign key (parent_id) references parent")
    for tail in ("", " restrict"):
        error = parent.error(f"alter table parent drop constraint parent_pkey{tail}")
        assert (error["C"], error["M"]) == (
            "2BP01",
            "cannot drop constraint parent_pkey on table parent because other objects depend on it",
        )
    parent.run("alter table parent drop constraint parent_code_name_key")
    parent.run("alter table parent drop constraint parent_pkey cascade")
    assert _keys(parent) == _keys(parent, "parent") == []
    parent.refused("alter table parent drop constraint parent_pkey", "does not exist")
    parent.refused("alter table parent drop constraint parent_pkey then", "syntax error")


def test_nullable_column_cannot_be_a_primary_key(db):
    """CREATE TABLE makes its columns NOT NULL; ALTER TABLE requires it.
    [guide:r_ALTER_TABLE; public: dbt_constraints#25]"""
    db.run("create table t (a int, b int not null)")
    text = "can not make a nullable column a primary key"
    db.refused("alter table t add primary key (a)", text)
    db.refused("alter table t add constraint both primary key (b, a)", text)
    db.run("alter table t add unique (a)")
    db.run("alter table t add primary key (b)")
    db.run("create table u as select 1 as a")
    db.refused("alter table u add primary key (a)", text)


def test_constraint_names_are_unique(parent):
    parent.run("alter table child add constraint taken unique (id)")
    parent.refused("alter table child add constraint taken unique (code)", "already exists")


def test_keys_follow_renamed_columns_and_tables(parent):
    parent.run("alter table parent rename column id to parent_id")
    parent.run("alter table parent rename to renamed")
    parent.run("alter table child add foreign key (parent_id) references renamed (parent_id)")
    assert parent.value(
        "select column_name from information_schema.key_column_usage "
        f"where constraint_name = 'parent_pkey' and table_schema = '{parent.schema}'"
    ) == "parent_id"  # fmt: skip


def test_dropping_a_column_of_a_key(parent):
    """The default is RESTRICT. [guide:r_ALTER_TABLE]"""
    parent.run("alter table child add constraint up foreign key (parent_id) references parent")
    parent.refused("alter table parent drop column id", "other objects depend on it")
    parent.refused("alter table parent drop column code", "other objects depend on it")
    parent.run("alter table parent drop column code cascade")
    assert _keys(parent, "parent") == ["parent_pkey"]
    parent.run("alter table child drop column name")
    assert _keys(parent) == ["up"]
    parent.run("alter table child drop column parent_id")
    assert _keys(parent) == []


def test_dropping_a_column_keeps_the_attributes_of_the_table(db):
    """The distribution key and the sort keys cannot be dropped. [guide:r_ALTER_TABLE]"""
    db.run("create table t (a int, b int, c int, d int) distkey (a) sortkey (b, c)")
    db.run("insert into t values (1, 2, 3, 4)")
    db.run("alter table t drop column d")
    db.refused("alter table t drop column a", 'cannot drop distkey column "a"')
    db.refused("alter table t drop column c cascade", 'cannot drop sortkey column "c"')
    style = 'select diststyle, sortkey_num from svv_table_info where "table" = '
    assert db.run(f"{style} 't' and \"schema\" = '{db.schema}'") == [("KEY(a)", 2)]


@pytest.mark.parametrize(
    "column",
    [
        "b int unique",
        "b int primary key",
        "b int references t",
        "b int distkey",
        "b int sortkey",
        "b int identity(1, 1)",
        "b int not null",
    ],
)
def test_refused_attributes_of_added_columns(db, column):
    """[guide:r_ALTER_TABLE]"""
    db.run("create table t (a int)")
    assert db.error(f"alter table t add column {column}")["C"] == "0A000"


def test_alter_table_locks_the_table(parent, connect):
    """Until the transaction ends. [guide:r_ALTER_TABLE]"""
    other = connect()
    parent.run("begin")
    parent.run("alter table child add unique (id)")
    done = threading.Event()
    reader = threading.Thread(target=lambda: (other.run("select * from child"), done.set()))
    reader.start()
    assert not done.wait(0.3)
    parent.run("commit")
    assert done.wait(5)
    reader.join()


@pytest.mark.assumed("dropping a referenced table waits for the readers of the referring one")
def test_dropping_a_referenced_table_locks_the_referring_one(parent, connect):
    """As in PostgreSQL, because that table loses its foreign key."""
    other = connect()
    parent.run("alter table child add foreign key (parent_id) references parent")
    other.run("begin")
    other.run("select * from child")
    done = threading.Event()
    dropper = threading.Thread(target=lambda: (parent.run("drop table parent cascade"), done.set()))
    dropper.start()
    assert not done.wait(0.3)
    other.run("commit")
    assert done.wait(5)
    dropper.join()
