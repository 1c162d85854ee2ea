"""Finds the relations that a statement names."""

from typing import NamedTuple

from .tokens import Statement

_CLAUSES = {
    *("where", "group", "order", "having", "limit", "union", "except", "intersect", "minus"),
    *("qualify", "offset", "when", "set", "window", "values", "select", "with", "remove"),
}
_JOIN_WORDS = {"join", "inner", "left", "right", "full", "cross", "natural", "outer", "on", "using"}
_FROM_ARGUMENTS = {"extract", "trim", "substring", "overlay", "position"}
_COMPUTE_PREFIXES = ("stl_", "stv_", "svl_", "svv_", "svcs_", "sys_")


class FromItem(NamedTuple):
    """One entry of a FROM clause. name: of the relation; empty for a subquery or a call."""

    name: tuple[str, ...]
    alias: str


class Relations(NamedTuple):
    """The relations that a statement reads or writes: user tables, the leader node's catalog,
    and the compute nodes' system tables."""

    user: set[tuple[str, ...]]
    catalog: set[tuple[str, ...]]
    compute: set[tuple[str, ...]]


def from_items(statement: Statement, source: int, end: int) -> list[FromItem]:
    """The entries of the FROM clause at `source`, up to the token `end`."""
    level, items, index, expected = statement.opener[source], [], source + 1, True
    while index < end:
        token = statement.tokens[index]
        if statement.opener[index] != level or token.word in _CLAUSES:
            break
        if token.text == "," or token.word == "join":
            expected = True
            index += 1
        elif expected and token.word not in ("only", "lateral"):
            item, index = _item(statement, index)
            items.append(item)
            expected = False
        elif token.text == "(":
            index = statement.partner[index] + 1
        else:
            index += 1
    return items


def _item(statement: Statement, index: int) -> tuple[FromItem, int]:
    if statement.text(index) == "(":
        name, after = [], statement.partner[index] + 1
    else:
        name, after = statement.dotted_name(index)
        if not name:
            return FromItem((), ""), index + 1
        if statement.text(after) == "(":
            alias = name[-1]
            name, after = [], statement.partner[after] + 1
            return FromItem((), _alias(statement, after) or alias), after
    alias = _alias(statement, after) or (name[-1] if name else "")
    return FromItem(tuple(name), alias), after


def _alias(statement: Statement, index: int) -> str:
    if statement.word(index) == "as":
        index += 1
    if index >= len(statement) or not statement.tokens[index].is_identifier:
        return ""
    token = statement.tokens[index]
    return "" if token.word in _CLAUSES | _JOIN_WORDS | {"from"} else token.name


def common_tables(statement: Statement) -> set[str]:
    """The names that WITH clauses define."""
    names = set()
    for i, token in enumerate(statement.tokens):
        if not token.is_identifier or statement.word(i - 1) not in ("with", "recursive", ""):
            continue
        if statement.word(i - 1) == "" and statement.text(i - 1) != ",":
            continue
        after = i + 1
        if statement.text(after) == "(":
            after = statement.partner[after] + 1
        if statement.word(after) == "as" and statement.text(after + 1) == "(":
            names.add(token.name)
    return names


def relations(statement: Statement) -> Relations:
    """Every relation after FROM, JOIN, INTO, UPDATE or USING that is not a common table."""
    names: set[tuple[str, ...]] = set()
    for i, token in enumerate(statement.tokens):
        if token.word == "from" and not _is_argument(statement, i):
            names.update(item.name for item in from_items(statement, i, len(statement)))
        elif token.word in ("into", "update") or (
            token.word == "using" and _names_table(statement)
        ):
            names.add(tuple(statement.dotted_name(i + 1)[0]))
    hidden = common_tables(statement)
    names = {n for n in names if n and not (len(n) == 1 and n[0] in hidden)}
    catalog = {n for n in names if _is_catalog(n)}
    compute = {n for n in names - catalog if n[-1].startswith(_COMPUTE_PREFIXES)}
    return Relations(names - catalog - compute, catalog, compute)


def _names_table(statement: Statement) -> bool:
    return statement.word(0) in ("merge", "delete")


def _is_argument(statement: Statement, index: int) -> bool:
    opening = statement.opener[index]
    if statement.word(index - 1) == "distinct" and statement.word(index - 2) in ("is", "not"):
        return True
    return opening > 0 and statement.word(opening - 1) in _FROM_ARGUMENTS


def _is_catalog(name: tuple[str, ...]) -> bool:
    if name[-1].startswith(_COMPUTE_PREFIXES):
        return False
    if len(name) > 1:
        return name[-2] in ("pg_catalog", "information_schema")
    return name[0].startswith("pg_")
