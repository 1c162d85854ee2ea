"""Marks in rewritten SQL, at the places that depend on the types of the query.

PostgreSQL gives a computed DECIMAL no precision and scale, and a literal no length. Redshift's are
derived from PostgreSQL's analysis of the statement (see derived_types.py). Until then marks enclose
the divisor of each division, the argument of each AVG, and the query of a new table or view.
"""

import re
import zlib

from .derived_types import DerivedTypes
from .tokens import literal, quoted

OWN = "pg_redshift"
_SIGN = "\x01"
_MARK = re.compile(rf"{_SIGN}(\w+)([()])")
_OPERAND = re.compile(rf"{_SIGN}\d")
_QUERY = re.compile(rf"{_SIGN}(query|escaped)\((.*){_SIGN}\1\)", re.DOTALL)


def operand(key: str, sql: str) -> str:
    """Mark the divisor of a division or the argument of an AVG. Equal ones have the same `key`."""
    number = zlib.crc32(key.encode()) >> 1
    return f"{_SIGN}{number}({sql}{_SIGN}{number})"


def query(sql: str) -> str:
    """Mark the query of a new table or view."""
    return f"{_SIGN}query({sql}{_SIGN}query)"


def query_literal(sql: str) -> str:
    """Mark such a query, and make it a string literal."""
    return literal(f"{_SIGN}escaped({sql}{_SIGN}escaped)")


def is_marked(sql: str) -> bool:
    return _SIGN in sql


def plain(sql: str) -> str:
    """The SQL without marks: PostgreSQL's own types apply."""
    return _MARK.sub("", sql)


def to_describe(sql: str) -> str:
    """The statement for PostgreSQL to analyze, in which each operand is identified."""
    found = _QUERY.search(sql)
    if found:
        sql = found[2]
        if found[1] == "escaped":
            sql = sql.replace("''", "'").replace("\\\\", "\\")
    return _MARK.sub(lambda m: f"{OWN}.operand({m[1]}, " if m[2] == "(" else ")", sql)


def filled(sql: str, types: DerivedTypes) -> str:
    """The SQL with scales in its divisions and averages and casts around its query's columns."""
    scales = types.scales() if _OPERAND.search(sql) else {}
    head, tail = _casts(types) if _QUERY.search(sql) else ("", "")

    def replacement(mark: re.Match) -> str:
        if mark[1] in ("query", "escaped"):
            before = head if mark[1] == "query" else literal(head)[2:-1]
            return before if mark[2] == "(" else tail
        scale = scales.get(int(mark[1]))
        if scale is None:
            return ""
        return f"{OWN}.scaled(" if mark[2] == "(" else f", 1e{scale}, 1e-{scale})"

    return _MARK.sub(replacement, sql)


def _casts(types: DerivedTypes) -> tuple[str, str]:
    """The text before and after a query that casts its columns; empty if none needs a cast."""
    columns = types.columns()
    if not any(column.type for column in columns):
        return "", ""
    names = [f"c{number}" for number in range(1, len(columns) + 1)]
    values = [
        f"q.{name}{f'::{column.type.sql}' if column.type else ''} as {quoted([column.name])}"
        for name, column in zip(names, columns, strict=True)
    ]
    return f"select {', '.join(values)} from (", f"\n) as q ({', '.join(names)})"
