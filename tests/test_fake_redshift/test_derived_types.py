"""Computed DECIMALs, and the types that a query gives a new table or view."""

from datetime import timedelta
from decimal import Decimal

import pytest

from tests.fake_redshift.derived_types import Numeric, common, computed

_KINDS = {
    "table": "create table made as {query}",
    "view": "create view made as {query}",
    "late-binding view": "create view {schema}.made as {query} with no schema binding",
    "materialized view": "create materialized view made as {query}",
}


@pytest.fixture
def sales(db):
    """The tables of AWS's examples."""
    db.run("create table sales (id int, qty smallint, paid decimal(8,2), fee decimal(8,2))")
    db.run("insert into sales values (1, 3, 2.00, 7), (2, 2, 5.50, 3), (3, 6, -4, 1), (4, 1, 0, 2)")
    db.run("create table texts (code char(2), name varchar(20), n bigint, x float)")
    db.run("insert into texts values ('ab', 'name', 1, 0.5)")
    return db


def columns(db, query, kind="table"):
    """The column types of what `query` makes; for a DECIMAL its precision and scale, '8,2'."""
    if kind == "late-binding view":
        query = query.replace(" from ", f" from {db.schema}.")
    db.run(_KINDS[kind].format(schema=db.schema, query=query))
    if kind == "late-binding view":
        found = db.run(
            "select column_type from pg_get_late_binding_view_cols() as l (view_schema name, "
            "view_name name, column_name name, column_type varchar, column_number int) "
            f"where view_schema = '{db.schema}' order by column_number"
        )
    else:
        found = db.run(
            f"select data_type from svv_redshift_columns where schema_name = '{db.schema}' "
            "and table_name = 'made' order by ordinal_position"
        )
    types = [name.replace("character varying", "varchar") for (name,) in found]
    return [name[8:-1] if name.startswith("numeric(") else name for name in types]


@pytest.mark.parametrize("kind", _KINDS)
def test_literals(sales, kind):
    """They have as many digits or bytes as are written; integers are not DECIMALs.
    [public: dbt-redshift, test_columns_in_relation.py]"""
    query = (
        "select 1.23 as a, 'it''s' as b, -10.0 as c, 5 as d, 'é' as e, 9000000000 as f from texts"
    )
    assert columns(sales, query, kind) == [
        *("3,2", "varchar(4)", "3,1", "integer", "varchar(2)", "bigint"),
    ]
    assert sales.run("select * from made") == [
        (Decimal("1.23"), "it's", Decimal("-10.0"), 5, "é", 9000000000)
    ]


@pytest.mark.standin("it computes in Python")
def test_formulas():
    """[guide:r_numeric_computations201; public: wrschneider, on nested divisions]"""
    for function, a, b, expected in (
        ("numeric_add", (8, 2), (10, 0), (13, 2)),
        ("numeric_sub", (38, 2), (5, 4), (38, 4)),
        ("numeric_mul", (8, 2), (5, 0), (14, 2)),
        ("numeric_mul", (19, 2), (38, 19), (38, 21)),
        ("numeric_div", (8, 2), (8, 2), (17, 9)),
        ("numeric_div", (19, 0), (19, 0), (38, 19)),
        ("numeric_div", (19, 2), (38, 19), (38, 4)),
    ):
        assert computed(function, Numeric(*a), Numeric(*b)) == expected
    assert common([Numeric(7, 2), Numeric(15, 3)]) == (15, 3)
    assert common([Numeric(19, 2), Numeric(15, 4)]) == (19, 4)
    assert common([Numeric(38, 2), Numeric(10, 0)]) == (38, 2)


@pytest.mark.parametrize("kind", _KINDS)
def test_computed_decimals_have_precision_and_scale(sales, kind):
    """[guide:r_numeric_computations201]"""
    query = (
        "select paid + fee as a, paid - 1 as b, paid * qty as c, paid / fee as d, paid / qty as e, "
        "-paid as f, paid + 0.5 as g, abs(paid) as h, sign(paid) as i from sales"
    )
    assert columns(sales, query, kind) == [
        *("9,2", "13,2", "14,2", "17,9", "14,8", "8,2", "9,2", "8,2", "1,0"),
    ]


def test_aggregates(sales):
    """[guide:r_SUM, r_AVG, r_MAX]"""
    query = (
        "select sum(paid) as a, avg(paid) as b, min(paid) as c, sum(qty) as d, avg(qty) as e, "
        "sum(paid) / count(*) as f, avg(paid / qty) as g from sales"
    )
    assert columns(sales, query) == ["38,2", "38,2", "8,2", "bigint", "bigint", "38,4", "38,8"]


def test_windows(sales):
    query = (
        "select sum(paid) over (partition by id) as a, avg(paid) over (partition by qty) as b, "
        "lag(paid) over (order by id) as c, lag(paid, 1, 0.125) over (order by id) as d, "
        "first_value(paid) over (order by id rows unbounded preceding) as e from sales"
    )
    assert columns(sales, query) == ["38,2", "38,2", "8,2", "9,3", "8,2"]


def test_common_type_of_branches(sales):
    """[guide:r_numeric_computations201]"""
    query = (
        "select case when qty > 1 then paid else 0.125 end as a, coalesce(paid, 0) as b, "
        "nvl(sum(fee) over (), 0) as c, decode(id, 1, 'one', 2, 'two', 'several') as d, "
        "case qty when 1 then 'x' end as e, nullif(paid, 0) as f, greatest(paid, 1.5) as g, "
        "nvl2(id, 1.5, null) as h from sales"
    )
    assert columns(sales, query) == [
        *("9,3", "12,2", "38,2", "varchar(7)", "varchar(1)", "8,2", "8,2", "2,1"),
    ]
    assert str(sales.value("select a::varchar from made where a = 2")) == "2.000"


def test_set_operators(sales):
    """[guide:r_numeric_computations201]"""
    query = (
        "select paid as a, 'x' as b, null as c from sales union select 0.125, 'long', 'y' "
        "union all (select qty, name, 'zz' from sales, texts limit 1)"
    )
    assert columns(sales, query) == ["9,3", "varchar(20)", "varchar(2)"]


def test_through_subqueries(sales):
    """Types pass through common tables, subqueries and joins."""
    query = (
        "with a as (select id, paid / qty as each, 'name' as kind from sales), "
        "b as (select kind, sum(each) as total, count(*) as n from a group by kind), "
        "c as (select q.kind, total / n as mean from (select * from b) as q join a using (kind)) "
        "select kind, mean, (select max(each) from a) as most from c group by kind, mean"
    )
    assert columns(sales, query) == ["varchar(4)", "38,8", "14,8"]
    sales.run("create view above as select mean / 3 as third from made")
    kind = "select data_type from svv_redshift_columns where table_name = 'above'"
    assert sales.value(kind) == "numeric(38,8)"


def test_casts_and_functions_without_a_rule(sales):
    """A cast has its own type; strings returned by functions are VARCHAR(65535)."""
    query = (
        "select 'abc'::varchar as a, 'abc'::varchar(7) as b, 1.55::decimal as c, "
        "paid::dec(9,4) as d, lower('Y') as e, code as f, x * 2 as g, "
        "cast('1.5' as numeric(5,3)) / 2 as h, null as i from texts, sales"
    )
    assert columns(sales, query) == [
        *("varchar(3)", "varchar(7)", "18,0", "9,4", "varchar(65535)", "character(2)"),
        *("double precision", "16,14", "varchar(65535)"),
    ]


def test_rounding(sales):
    """As many places as requested, as AWS's examples show. [guide:r_ROUND, r_TRUNC,
    r_CEILING_FLOOR]"""
    query = (
        "select round(paid, 1) as a, round(paid) as b, trunc(paid / qty, 2) as c, ceil(paid) as d, "
        "round(paid, -1) as e, round(paid, 4) as f from sales"
    )
    assert columns(sales, query) == ["8,1", "8,0", "14,2", "8,0", "8,0", "10,4"]


@pytest.mark.assumed("a quotient of DECIMALs is cut at its scale, not rounded")
@pytest.mark.parametrize(
    ("expression", "value"),
    [
        # AWS shows `pricepaid/qtysold` with eight places. [guide:declare, r_WHERE_clause]
        ("paid / qty", "0.66666666"),
        ("-paid / qty", "-0.66666666"),
        ("paid / -qty", "-0.66666666"),
        ("paid / fee", "0.285714285"),
        ("2.0 / 3", "0.666666666666"),
        ("2 / 3.0", "0.6666"),
        ("paid / (qty)", "0.66666666"),
        ("paid / qty::bigint", "0.6666666666666666666666"),
        ("paid / cast(qty as decimal(5, 2))", "0.666666"),
        ("paid / case when id > 0 then qty end", "0.66666666"),
        ("paid / nullif(qty, 0)", "0.66666666"),
        ("1.00 / qty * qty", "0.99999999"),
        ("1.00 / (paid / qty)", "1.500000015"),
        ("round(paid / qty, 2)", "0.67"),
        ("sum(paid) over (partition by id) / sum(qty) over (partition by id)", "0.6666"),
        ("(select sum(paid) / count(*) from sales)", "0.8750"),
    ],
)
def test_quotients_are_cut_at_their_scale(sales, expression, value):
    """[guide:r_numeric_computations201; public: wrschneider, who reports that they are cut]"""
    for query in (expression, f"x from (select id, {expression} as x from sales) as t"):
        query = f"select {query}" + (" from sales" if query == expression else "")
        (found,) = sales.run(f"{query} where id = 1")[0]
        assert str(found) == value


def test_same_expression_on_different_types(sales):
    """In two common tables, or on both sides of a UNION."""
    query = "select x / n as q, avg(x) as m from (select {} as x, qty as n from sales) as t {}"
    first = query.format("paid", "where n = 2 group by x, n")
    last = query.format("1.1275", "where n = 3 group by x / n")
    assert sales.run(
        f"with a as ({first}), b as ({last}) select q::varchar, m::varchar from a union all "
        f"select q::varchar, m::varchar from b order by 1"
    ) == [("0.3758333333", "1.1275"), ("2.75000000", "5.50")]


def test_other_divisions_are_unchanged(sales):
    assert sales.run("select 7 / 2, -7 / 2, 1::float / 8, paid / x from sales, texts limit 1") == [
        (3, -3, 0.125, 4.0)
    ]
    assert sales.value("select interval '1 day' / 2") == timedelta(hours=12)
    sales.refused("select paid / (qty - qty) from sales", "division by zero")
    assert sales.run("select paid / qty from sales where false") == []
    assert sales.value("select paid / nullif(qty, 3) from sales where id = 1") is None


def test_averages_are_cut_at_the_scale_of_their_argument(sales):
    """[guide:r_AVG]"""
    assert sales.run(
        "select avg(paid), avg(-paid), avg(fee), avg(distinct fee), avg(paid / qty) from sales "
        "where id <= 3"
    ) == [
        tuple(map(Decimal, ("1.16", "-1.16", "3.66", "3.66", "0.91666666"))),
    ]
    assert sales.run("select avg(paid) from sales where false") == [(None,)]
    assert sales.run(
        "select avg(fee) over (order by id rows unbounded preceding) from sales order by id"
    ) == [(Decimal(x),) for x in ("7.00", "5.00", "3.66", "3.25")]
    # The scale is that of the type, not of the values.
    assert sales.value(
        "select avg(case when id > 9 then 0.5 else qty end) from sales where id <> 3"
    ) == Decimal("2.0")


def test_divisions_in_every_clause(sales):
    sales.run("create table t (q decimal(20,10))")
    sales.run("insert into t select paid / qty from sales where id = 1")
    assert sales.value("select q from t") == Decimal("0.6666666600")
    sales.run("update t set q = 2.00 / 3 where q / 3 < 1")
    assert sales.value("select q from t") == Decimal("0.6666666667")
    sales.run("delete from t where q / 2.0 > 9")
    assert sales.run(
        "select paid / qty, count(*) from sales group by paid/Qty having sum(paid / qty) > 0 "
        "order by paid /qty"
    ) == [(Decimal("0.66666666"), 1), (Decimal("2.75000000"), 1)]
    assert sales.run(
        "select paid / qty as each from sales as s "
        "qualify row_number() over (order by paid / qty desc) = 1"
    ) == [(Decimal("2.75000000"),)]
    sales.run("begin")
    sales.run("create table u as select avg(paid) / 3 as x from sales")
    assert sales.value("select x / 2 from u") is not None
    sales.run("rollback")
    sales.refused("select paid / missing from sales", 'column "missing" does not exist')


def test_statement_with_parameters(sales):
    """The types of parameters are unknown, so PostgreSQL's types apply."""
    assert sales.run("select paid / qty from sales where id = %s", 2) == [(Decimal("2.75"),)]


def test_longer_literal_does_not_fit(sales):
    """A trap for an incremental model that was built from a literal."""
    sales.run("create table kinds as select 'paid' as kind")
    sales.refused("insert into kinds select 'unpaid'", "value too long for type character varying")


def test_table_named_avg(db):
    db.run("create table avg (a decimal(5, 2))")
    db.run("insert into avg (a) values (1.25), (1.30)")
    db.run("create table if not exists avg (a int)")
    assert db.run("with avg (b) as (select avg(a) from avg) select b from avg") == [
        (Decimal("1.27"),)
    ]


@pytest.mark.standin("it goes past the cluster to PostgreSQL")
def test_analysis_leaves_no_function_behind(sales, cluster):
    sales.run("select paid / qty from sales")
    with cluster.admin() as admin:
        named = "select count(*) from pg_proc where proname like 'described%'"
        assert admin.execute(named).fetchone() == (0,)


def test_strange_names(sales):
    """In the text of PostgreSQL's analysis some characters are escaped by a backslash."""
    names = ['"a b"', '"false"', '"(x"', '"{y}"', '"7"', '"<>"', '"a""b"', '"ü"']
    listed = ", ".join(f"{n / 4} as {name}" for n, name in enumerate(names, 1))
    assert columns(sales, f'select {listed} from (select 1.5 as "t }} x") as "q }} {{ x"') == [
        *("3,2", "2,1", "3,2", "2,1", "3,2", "2,1", "3,2", "2,1"),
    ]
    cursor = sales.connection.cursor()
    cursor.execute("select * from made")
    assert [c[0] for c in cursor.description] == [
        "a b",
        "false",
        "(x",
        "{y}",
        "7",
        "<>",
        'a"b',
        "ü",
    ]
