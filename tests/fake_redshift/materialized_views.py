"""CREATE, ALTER, REFRESH and DROP MATERIALIZED VIEW, each turned into a procedure call."""

import json

from . import type_marks
from .ddl import Attributes, table_attributes
from .errors import RedshiftError, not_supported, syntax_error
from .relations import relations
from .rewrite import OWN_SCHEMA, Rewriter, check_identifier
from .token_reader import TokenReader
from .tokens import Statement, literal, quoted

_REFUSED_CLAUSES = {"order", "limit", "offset"}


def create(statement: Statement) -> str:
    """CREATE MATERIALIZED VIEW for PostgreSQL."""
    reader = TokenReader(statement, 3)
    names = reader.name()[-2:]
    check_identifier(f"mv_tbl__{names[-1]}__0")
    attributes = Attributes()
    refreshes = False
    while reader.word and reader.word != "as":
        if reader.one_of("auto"):
            reader.expect("refresh")
            refreshes = _yes_or_no(reader)
        else:
            table_attributes(reader, attributes, until=("as", "auto"))
    reader.expect("as")
    _check_query(statement, reader.at)
    if attributes.distkey and attributes.diststyle == "auto":
        attributes.diststyle = "key"
    query = Rewriter(statement).render(reader.at, len(statement))
    listed = ", ".join(literal(name) for name in names)
    document = json.dumps(vars(attributes) | {"autorefresh": refreshes})
    texts = [literal(statement.source(0, len(statement))), literal(document)]
    arguments = ", ".join([f"array[{listed}]::text[]", type_marks.query_literal(query), *texts])
    return f"call {OWN_SCHEMA}.create_materialized_view({arguments})"


def _check_query(statement: Statement, start: int) -> None:
    level = statement.opener[start] if statement.text(start) != "(" else start
    for i in range(start, len(statement)):
        if statement.opener[i] == level and statement.word(i) in _REFUSED_CLAUSES:
            word = statement.word(i).upper()
            raise RedshiftError(f"{word} is not supported in a materialized view", "0A000")
    named = relations(statement)
    if named.compute or named.catalog:
        raise RedshiftError("Materialized views cannot be defined on system tables", "0A000")


def _yes_or_no(reader: TokenReader) -> bool:
    word = reader.one_of("yes", "no")
    if not word:
        raise syntax_error(reader.text or "end of input")
    return word == "yes"


def refresh(statement: Statement) -> str:
    """REFRESH MATERIALIZED VIEW for PostgreSQL."""
    reader = TokenReader(statement, 1)
    reader.expect("materialized")
    reader.expect("view")
    name = quoted(reader.name()[-2:])
    reader.one_of("restrict", "cascade")
    reader.expect_end()
    return f"call {OWN_SCHEMA}.refresh_materialized_view({literal(name)})"


def drop(statement: Statement) -> str:
    """DROP MATERIALIZED VIEW for PostgreSQL."""
    reader = TokenReader(statement, 3)
    if_exists = reader.skip("if", "exists")
    name = quoted(reader.name()[-2:])
    cascades = reader.one_of("restrict", "cascade") == "cascade"
    reader.expect_end()
    flags = f"{str(if_exists).lower()}, {str(cascades).lower()}"
    return f"call {OWN_SCHEMA}.drop_materialized_view({literal(name)}, {flags})"


def alter(statement: Statement) -> str:
    """ALTER MATERIALIZED VIEW ... AUTO REFRESH for PostgreSQL."""
    reader = TokenReader(statement, 3)
    name = quoted(reader.name()[-2:])
    if reader.word != "auto":
        raise not_supported("ALTER MATERIALIZED VIEW without AUTO REFRESH in this stand-in")
    reader.expect("auto")
    reader.expect("refresh")
    refreshes = str(_yes_or_no(reader)).lower()
    reader.expect_end()
    return f"call {OWN_SCHEMA}.alter_materialized_view({literal(name)}, {refreshes})"
