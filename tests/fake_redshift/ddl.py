"""CREATE TABLE and ALTER TABLE: the parts that PostgreSQL lacks are taken out and recorded.

They travel as JSON in a comment at the head of the rewritten statement. An event trigger reads it
and records them, in the client's own transaction, in the tables pg_redshift.table_attributes and
pg_redshift.constraints.
"""

import json
from dataclasses import dataclass, field

from . import type_marks
from .errors import FEATURE_NOT_SUPPORTED, RedshiftError, not_supported, syntax_error
from .rewrite import OWN_SCHEMA, Rewriter
from .token_reader import TokenReader
from .tokens import Statement, literal
from .type_names import LEADER_TYPES, MISSING_TYPES, type_name

_SYSTEM_COLUMNS = {"oid", "tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"}
_CONSTRAINT_STARTS = {"constraint", "primary", "unique", "foreign"}


@dataclass
class Attributes:
    """The parts of a CREATE TABLE that PostgreSQL does not store."""

    diststyle: str = "auto"
    distkey: str | None = None
    sorttype: str = "compound"
    sortkey: list[str] = field(default_factory=list)
    encodings: dict[str, str] = field(default_factory=dict)
    backup: bool = True
    constraints: list[dict] = field(default_factory=list)

    def comment(self) -> str:
        """The comment for the event trigger."""
        return f"/*redshift:{json.dumps(vars(self)).replace('/', chr(92) + 'u002f')}*/ "


def create_table(statement: Statement) -> str:
    """CREATE TABLE [AS] for PostgreSQL."""
    reader = TokenReader(statement)
    reader.skip("create", "local", "temp", "temporary")
    reader.expect("table")
    reader.skip("if", "not", "exists")
    reader.name()
    attributes = Attributes()
    columns = None
    head_end = reader.at
    if reader.text == "(":
        columns = reader.at
        reader.at = statement.partner[columns] + 1
    table_attributes(reader, attributes)
    tail_start = reader.at
    if tail_start < len(statement) and reader.word != "as":
        raise syntax_error(reader.text)
    rewriter = Rewriter(statement)
    out = rewriter.render(0, head_end)
    if columns is not None:
        body = statement.source(columns, statement.partner[columns] + 1)
        if tail_start == len(statement):
            body = f"({_columns(rewriter, columns, attributes)})"
        out += f" {body}"
    if tail_start < len(statement):
        query = rewriter.render(tail_start + 1, len(statement))
        out += f" as {type_marks.query(query)}"
    if attributes.distkey and attributes.diststyle == "auto":
        attributes.diststyle = "key"
    leading = statement.sql[: statement.tokens[0].start]
    return f"{attributes.comment()}{leading}{out}"


def alter_table(statement: Statement) -> tuple[str, bool]:
    """ALTER TABLE for PostgreSQL, and whether it is refused in a transaction block."""
    reader = TokenReader(statement)
    reader.expect("alter")
    reader.expect("table")
    reader.skip("if", "exists")
    names = reader.name()
    action = reader.at
    target = literal(".".join(f'"{n}"' for n in names))
    rewriter = Rewriter(statement)
    words = statement.words(action, 4)
    if words[0] == "append":
        raise not_supported("ALTER TABLE APPEND in this stand-in")
    if words[0] == "add" and words[1] in _CONSTRAINT_STARTS:
        reader = TokenReader(statement, action + 1)
        constraint = _table_constraint(reader)
        reader.expect_end()
        value = literal(json.dumps(constraint))
        return f"call {OWN_SCHEMA}.add_constraint({target}, {value})", False
    if words[0] == "add" and words[1] == "check":
        raise not_supported("CHECK constraint")
    if words[:2] == ("drop", "constraint"):
        reader = TokenReader(statement, action + 2)
        name = literal(reader.name()[0])
        cascades = str(reader.one_of("cascade", "restrict") == "cascade").lower()
        reader.expect_end()
        return f"call {OWN_SCHEMA}.drop_constraint({target}, {name}, {cascades})", False
    if words[0] == "add":
        start = action + (2 if words[1] == "column" else 1)
        if any(t.text == "," and statement.opener[i] == -1 for i, t in _rest(statement, start)):
            raise syntax_error(",")
        return f"{rewriter.render(0, action)} add column {_added_column(rewriter, start)}", False
    if words[0] == "alter" and words[1] in ("diststyle", "distkey", "compound", "sortkey"):
        attributes = Attributes()
        table_attributes(TokenReader(statement, action + 1), attributes)
        value = literal(json.dumps(vars(attributes)))
        return f"call {OWN_SCHEMA}.alter_attributes({target}, {value})", False
    if words[0] == "alter" and words[1] in ("column", "encode"):
        return _alter_column(rewriter, statement, action, target), words[3] == "type"
    if words[0] == "alter":
        raise syntax_error(statement.text(action + 1))
    return cascade_mark(statement) + rewriter.render(0, len(statement)), False


def cascade_mark(statement: Statement) -> str:
    """The comment by which the event trigger recognizes DROP ... CASCADE."""
    return "/*redshift:cascade*/ " if statement.word(len(statement) - 1) == "cascade" else ""


def _added_column(rewriter: Rewriter, first: int) -> str:
    """The column of ALTER TABLE ADD COLUMN, for PostgreSQL; it may have no key or identity."""
    attributes = Attributes()
    column = _column(rewriter, first, len(rewriter.statement), attributes)
    words = [token.word for token in rewriter.statement.tokens[first:]]
    for is_there, what in (
        (attributes.distkey, "a DISTKEY"),
        (attributes.sortkey, "a SORTKEY"),
        (attributes.constraints, "a key constraint"),
        ("identity" in words, "IDENTITY"),
    ):
        if is_there:
            raise not_supported(f"ALTER TABLE ADD COLUMN with {what}")
    if " not null" in column and "default" not in words:
        raise RedshiftError(
            "ALTER TABLE ADD COLUMN defined as NOT NULL must have a non-null default expression",
            FEATURE_NOT_SUPPORTED,
        )
    return column


def _rest(statement: Statement, start: int):
    return list(enumerate(statement.tokens))[start:]


def _alter_column(rewriter: Rewriter, statement: Statement, action: int, target: str) -> str:
    if statement.word(action + 1) == "encode" or statement.word(action + 3) == "encode":
        return f"call {OWN_SCHEMA}.alter_attributes({target}, '{{}}')"
    if statement.word(action + 3) != "type":
        raise syntax_error(statement.text(action + 3))
    kind = type_name(statement, action + 4, is_column=True)
    if kind is None or not kind[0].startswith("varchar"):
        column = statement.tokens[action + 2].name
        raise RedshiftError(
            f'cannot alter type of column "{column}": only the size of VARCHAR can be changed',
            FEATURE_NOT_SUPPORTED,
        )
    return f"{rewriter.render(0, action + 4)} {kind[0]}"


def table_attributes(
    reader: TokenReader, attributes: Attributes, until: tuple[str, ...] = ("as",)
) -> None:
    """Read the attributes after the name or the columns of a table into `attributes`."""
    while reader.word and reader.word not in until:
        word = reader.word
        reader.at += 1
        if word == "backup":
            attributes.backup = reader.word == "yes"
            if not reader.one_of("yes", "no"):
                raise syntax_error(reader.text)
        elif word == "diststyle":
            attributes.diststyle = reader.word
            if not reader.one_of("auto", "even", "all", "key"):
                raise syntax_error(reader.text)
        elif word == "distkey":
            attributes.distkey, *more = reader.names() if reader.text == "(" else reader.name()
            if more:
                raise RedshiftError("DISTKEY can have only one column", "42601")
        elif word in ("compound", "interleaved"):
            attributes.sorttype = word
        elif word == "sortkey":
            if not reader.one_of("auto", "none"):
                attributes.sortkey = reader.names()
        elif word == "encode":
            reader.one_of("auto")
        else:
            raise syntax_error(word)


def _columns(rewriter: Rewriter, opening: int, attributes: Attributes) -> str:
    statement = rewriter.statement
    parts, keys = [], set()
    for first, last in statement.arguments(opening):
        word = statement.word(first)
        if word == "check" or (word == "constraint" and statement.word(first + 2) == "check"):
            raise not_supported("CHECK constraint")
        if word == "exclude":
            raise not_supported("EXCLUDE constraint")
        if word in _CONSTRAINT_STARTS:
            reader = TokenReader(statement, first, last)
            constraint = _table_constraint(reader)
            reader.expect_end()
            attributes.constraints.append(constraint)
            if constraint["type"] == "p":
                keys.update(constraint["columns"])
        elif word == "like":
            parts.append(rewriter.render(first, last))
        else:
            parts.append((statement.tokens[first].name, _column(rewriter, first, last, attributes)))
    rendered = []
    for part in parts:
        if isinstance(part, str):
            rendered.append(part)
            continue
        name, text = part
        rendered.append(f"{text} not null" if name in keys and " not null" not in text else text)
    return ", ".join(rendered)


def _table_constraint(reader: TokenReader) -> dict:
    name = None
    if reader.skip("constraint"):
        name = reader.name()[0]
    word = reader.word
    if word == "check":
        raise not_supported("CHECK constraint")
    reader.skip("primary", "unique", "foreign", "key")
    constraint = {"name": name, "type": word[:1], "columns": reader.names()}
    if word == "foreign":
        reader.expect("references")
        constraint |= _reference(reader)
    return constraint


def _reference(reader: TokenReader) -> dict:
    table = ".".join(f'"{n}"' for n in reader.name()[-2:])
    return {"table": table, "references": reader.names() if reader.text == "(" else []}


def _column(rewriter: Rewriter, first: int, last: int, attributes: Attributes) -> str:
    """A column for PostgreSQL; what PostgreSQL does not store goes to `attributes`."""
    statement = rewriter.statement
    name = statement.tokens[first].name
    if name in _SYSTEM_COLUMNS:
        raise RedshiftError(f'column name "{name}" conflicts with a system column name', "42701")
    reader = TokenReader(statement, first + 1, last)
    is_char = reader.text.lower() == '"char"'
    if is_char or reader.word in LEADER_TYPES | MISSING_TYPES:
        kind = "char" if is_char else reader.word
        raise RedshiftError(f'Column "{name}" has unsupported type "{kind}".', "0A000")
    out = [rewriter.render(first, first + 1), _type(rewriter, reader)]
    while reader.at < last:
        word = reader.word
        if reader.text == "[":
            raise RedshiftError(f'Column "{name}" has unsupported type "array".', "0A000")
        reader.at += 1
        if word == "default":
            out.append(f"default {_default(rewriter, reader)}")
        elif word in ("identity", "generated"):
            out.append(_identity(reader, word))
        elif word == "encode":
            attributes.encodings[name] = reader.word
            reader.at += 1
        elif word == "collate":
            _collation(reader)
        elif word == "distkey":
            attributes.distkey = name
        elif word == "sortkey":
            attributes.sortkey.append(name)
        elif word == "not":
            reader.expect("null")
            out.append("not null")
        elif word == "null":
            continue
        elif word in ("primary", "unique"):
            reader.skip("key")
            attributes.constraints.append({"name": None, "type": word[:1], "columns": [name]})
            if word == "primary" and "not null" not in out:
                out.append("not null")
        elif word == "references":
            attributes.constraints.append(
                {"name": None, "type": "f", "columns": [name], **_reference(reader)}
            )
        elif word == "check":
            raise not_supported("CHECK constraint")
        else:
            raise syntax_error(word or statement.text(reader.at - 1))
    return " ".join(out)


def _collation(reader: TokenReader) -> None:
    if reader.word == "case_insensitive":
        raise not_supported("COLLATE CASE_INSENSITIVE in this stand-in")
    reader.expect("case_sensitive")


_TYPE_WORDS = {"precision", "varying", "with", "without", "time", "zone"}


def _type(rewriter: Rewriter, reader: TokenReader) -> str:
    statement, start = rewriter.statement, reader.at
    if start >= reader.end:
        raise syntax_error(statement.text(start))
    known = type_name(statement, start, is_column=True)
    if known is not None:
        reader.at = known[1]
        return known[0]
    reader.at += 1
    while reader.text == "(" or reader.word in _TYPE_WORDS:
        reader.at = statement.partner[reader.at] + 1 if reader.text == "(" else reader.at + 1
    return rewriter.render(start, reader.at)


_AFTER_DEFAULT = {
    *("not", "null", "encode", "distkey", "sortkey", "primary", "unique", "references"),
    *("identity", "collate", "check"),
}


def _default(rewriter: Rewriter, reader: TokenReader) -> str:
    statement, start = rewriter.statement, reader.at
    reader.at += 1
    while reader.at < reader.end and reader.word not in _AFTER_DEFAULT:
        reader.at = statement.partner[reader.at] + 1 if reader.text == "(" else reader.at + 1
    if any(statement.word(i) == "select" for i in range(start, reader.at)):
        raise RedshiftError("cannot use subquery in default expression", "0A000")
    return rewriter.render(start, reader.at)


def _identity(reader: TokenReader, word: str) -> str:
    kind = "always"
    if word == "generated":
        kind = "by default" if reader.skip("by", "default") else "always"
        reader.skip("always", "as", "identity")
    seed, step = [reader.statement.source(*r) for r in reader.statement.arguments(reader.at)]
    reader.at = reader.statement.partner[reader.at] + 1
    return f"generated {kind} as identity (start with {seed} increment by {step} minvalue {seed})"
