"""QUALIFY, which PostgreSQL lacks, turned into a condition on a subquery.

`select a, t.* from t qualify c` becomes `select q1 as a, (q2).* from (select a as q1, t as q2,
(c) as q0 from t) where q0`. Whole rows replace stars, so no column has to be known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .errors import RedshiftError, syntax_error
from .relations import from_items
from .tokens import Statement

if TYPE_CHECKING:
    from .rewrite import Rewriter

_AFTER_QUALIFY = {"order", "limit", "offset", "union", "except", "intersect", "minus"}


class Qualified(NamedTuple):
    """The indexes of the tokens at which the parts of a SELECT begin."""

    select: int
    first_item: int
    source: int
    qualify: int
    end: int


def find(statement: Statement, first: int, last: int) -> Qualified | None:
    """The first SELECT with QUALIFY on the level of the tokens first..last-1."""
    level = [i for i in range(first, last) if statement.opener[i] == statement.opener[first]]
    at = next((i for i in level if statement.word(i) == "qualify"), None)
    if at is None or statement.text(at - 1) in (",", ".") or statement.word(at - 1) == "as":
        return None
    before = [i for i in level if i < at]
    select = next((i for i in reversed(before) if statement.word(i) == "select"), None)
    if select is None:
        return None
    source = next((i for i in before if i > select and statement.word(i) == "from"), None)
    if source is None:
        raise syntax_error("qualify")
    end = next((i for i in level if i > at and statement.word(i) in _AFTER_QUALIFY), last)
    return Qualified(select, select + 1, source, at, end)


def render(rewriter: Rewriter, parts: Qualified, first: int, last: int) -> str:
    """The tokens first..last-1, with the QUALIFY of `parts`, for PostgreSQL."""
    statement = rewriter.statement
    _check_alias(statement, parts)
    distinct = ""
    first_item = parts.first_item
    if statement.word(first_item) in ("distinct", "all"):
        distinct, first_item = statement.word(first_item) + " ", first_item + 1
    inner, outer, names = [], [], {}
    for item_first, item_last in _items(statement, first_item, parts.source):
        for value, name in _columns(rewriter, statement, item_first, item_last, parts):
            column = f"q{len(inner) + 1}"
            inner.append(f"{value} as {column}")
            outer.append(f"(q.{column}).*" if name is None else f'q.{column} as "{name}"')
            if name is not None:
                names[name] = value
    condition = _condition(rewriter, statement, parts, names)
    source = rewriter.render_plain(parts.source, parts.qualify)
    body = (
        f"select {distinct}{', '.join(outer)} from "
        f"(select {', '.join(inner)}, ({condition}) as q0 {source}) as q where q.q0"
    )
    head = rewriter.render_plain(first, parts.select)
    tail = rewriter.render(parts.end, last) if parts.end < last else ""
    return f"{head} {body} {tail}".strip()


def _check_alias(statement: Statement, parts: Qualified) -> None:
    """A relation directly before QUALIFY needs an alias."""
    tokens = statement.tokens
    names, after = statement.dotted_name(parts.source + 1)
    if names and after == parts.qualify:
        raise RedshiftError(
            'syntax error at or near "qualify"', "42601", hint="Give the relation an alias."
        )
    if tokens[parts.qualify - 1].text == ")" and not names:
        raise RedshiftError("subquery in FROM must have an alias", "42601")


def _items(statement: Statement, first: int, last: int) -> list[tuple[int, int]]:
    level, ranges, start = statement.opener[first], [], first
    for i in range(first, last):
        if statement.text(i) == "," and statement.opener[i] == level:
            ranges.append((start, i))
            start = i + 1
    return [*ranges, (start, last)]


def _columns(
    rewriter: Rewriter, statement: Statement, first: int, last: int, parts: Qualified
) -> list[tuple[str, str | None]]:
    """The values and names of one item of the select list; a whole row has no name."""
    if statement.text(last - 1) == "*" and last - first == 1:
        aliases = [item.alias for item in from_items(statement, parts.source, parts.qualify)]
        return [(f'"{alias}"', None) for alias in aliases]
    if statement.text(last - 1) == "*" and statement.text(last - 2) == ".":
        return [(rewriter.render(first, last - 2), None)]
    token = statement.tokens[last - 1]
    if last - first >= 2 and token.is_identifier:
        if statement.word(last - 2) == "as":
            return [(rewriter.render(first, last - 2), token.name)]
        before = statement.tokens[last - 2]
        if before.text != "." and (before.kind != "operator" or before.text == ")"):
            if token.word not in ("end", "null", "true", "false"):
                return [(rewriter.render(first, last - 1), token.name)]
            return [(rewriter.render(first, last), "case" if token.word == "end" else "?column?")]
    if token.is_identifier:
        return [(rewriter.render(first, last), token.name)]
    called = statement.tokens[first]
    name = called.name if called.is_identifier and statement.text(first + 1) == "(" else "?column?"
    return [(rewriter.render(first, last), name)]


def _condition(
    rewriter: Rewriter, statement: Statement, parts: Qualified, names: dict[str, str]
) -> str:
    """The condition, with the names of the select list replaced by their expressions."""
    aliased = {name: value for name, value in names.items() if value.lower() != name}
    text, index = [], parts.qualify + 1
    while index < parts.end:
        token = statement.tokens[index]
        gap = statement.sql[statement.tokens[index - 1].end : token.start]
        text.append(gap)
        is_column = statement.text(index + 1) not in ("(", ".") and statement.text(index - 1) != "."
        if token.is_identifier and is_column and token.name in aliased:
            text.append(f"({aliased[token.name]})")
            index += 1
        elif token.text == "(":
            closing = statement.partner[index]
            text.append(rewriter.render_plain(index, closing + 1))
            index = closing + 1
        else:
            end = index + 1
            while end < parts.end and statement.tokens[end].text == "(":
                end = statement.partner[end] + 1
            text.append(rewriter.render_plain(index, end))
            index = end
    return "".join(text).strip()
