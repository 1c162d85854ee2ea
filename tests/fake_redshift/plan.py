"""What to do with one statement of a client."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from . import ddl, materialized_views, type_marks, unsupported
from .copy_command import CopyCommand, parse_copy
from .errors import RedshiftError, not_supported, syntax_error
from .relations import relations
from .rewrite import OWN_SCHEMA, REDSHIFT_SETTINGS, Rewriter, rewrite, setting
from .schema_names import schemas
from .token_reader import TokenReader
from .tokens import Statement, literal, quoted, split, unquote

PLACEHOLDER = f"set {OWN_SCHEMA}.placeholder = ''"
_QUERIES = {"select", "with", "insert", "update", "delete", "merge", "values", "explain"}


@dataclass
class Plan:
    """What PostgreSQL runs for one statement, and what the proxy does besides.

    statement: as the client sent it. body: without the comments around it.
    sql: the text for PostgreSQL. marked: sql with its marks (see type_marks), None without any.
    tag: the command tag for the client, if it is not PostgreSQL's.
    copy: a COPY from S3, which the proxy runs itself; sql then does nothing.
    commits_first: TRUNCATE, which ends the open transaction.
    outside_transaction: the command's name if it is refused inside a transaction block.
    merge_source: a relation that must be a table.
    inserts_into: the target of an INSERT, recorded for sys_query_detail.
    reads: whether it may read tables. reads_history: whether it names sys_query_history.
    query_group: the value to which it sets query_group.
    """

    statement: str
    sql: str
    tag: str | None = None
    copy: CopyCommand | None = None
    commits_first: bool = False
    outside_transaction: str | None = None
    merge_source: str | None = None
    inserts_into: str | None = None
    reads: bool = False
    reads_history: bool = False
    query_group: str | None = None
    body: str = ""
    marked: str | None = None

    @property
    def is_served_by_proxy(self) -> bool:
        return self.copy is not None or self.commits_first


@lru_cache(maxsize=4096)  # dbt sends most texts again in its next run
def make_plan(sql: str) -> Plan | None:
    """The plan for the statement in `sql`; None if there is none. Raises RedshiftError for several
    statements, and for one that Redshift refuses."""
    statements = split(sql)
    if len(statements) > 1:
        raise RedshiftError("cannot insert multiple commands into a prepared statement", "42601")
    if not statements:
        return None
    (statement,) = statements
    try:
        plan = _plan(statement)
    except (LookupError, StopIteration, ValueError) as error:
        raise syntax_error("end of input") from error
    if type_marks.is_marked(plan.sql):
        plan.sql, plan.marked = type_marks.plain(plan.sql), plan.sql
    plan.body = statement.source(0, len(statement))
    plan.reads = statement.word(0) in _QUERIES | {"create"}
    plan.reads_history = any(token.word == "sys_query_history" for token in statement.tokens)
    return plan


def _plan(statement: Statement) -> Plan:
    unsupported.check_reserved(statement)
    first = statement.word(0)
    builder = _BUILDERS.get(first)
    if builder is not None:
        return builder(statement)
    if first in _QUERIES or statement.text(0) == "(":
        unsupported.check(statement)
    return Plan(statement.sql, rewrite(statement))


def _copy(statement: Statement) -> Plan:
    return Plan(statement.sql, PLACEHOLDER, tag="COPY", copy=parse_copy(statement))


def _insert(statement: Statement) -> Plan:
    unsupported.check(statement)
    target = quoted(statement.dotted_name(2)[0])
    return Plan(statement.sql, rewrite(statement), inserts_into=target)


def _merge(statement: Statement) -> Plan:
    unsupported.check(statement)
    target, index = statement.dotted_name(2 if statement.word(1) == "into" else 1)
    source, after = statement.dotted_name(index + 1)
    end = len(statement)
    if statement.words(end - 2, 2) == ("remove", "duplicates"):
        return Plan(
            statement.sql,
            _merge_duplicates(statement, target, source, after),
            tag="MERGE",
            merge_source=quoted(source),
        )
    return Plan(statement.sql, rewrite(statement), merge_source=quoted(source))


def _merge_duplicates(
    statement: Statement, target: list[str], source: list[str], after: int
) -> str:
    on = next(i for i in range(after, len(statement)) if statement.word(i) == "on")
    alias = statement.tokens[on - 1].name if on > after else source[-1]
    condition = Rewriter(statement).render(on + 1, len(statement) - 2)
    return (
        f'with gone as (delete from {quoted(target)} using {quoted(source)} as "{alias}" '
        f"where {condition}) insert into {quoted(target)} "
        f"select distinct * from {quoted(source)}"
    )


def _create(statement: Statement) -> Plan:
    words = statement.words(1, 4)
    if "table" in words[:3] and words[0] in ("table", "temp", "temporary", "local"):
        unsupported.check(statement)
        return Plan(statement.sql, ddl.create_table(statement))
    if words[0] in ("view", "or") and "view" in words[:3]:
        unsupported.check(statement)
        return _create_view(statement)
    if words[0] == "materialized":
        return _materialized(statement, materialized_views.create)
    if words[0] in ("external", "library", "model", "datashare", "masking", "rls"):
        raise not_supported(f"CREATE {words[0].upper()} in this stand-in")
    if words[0] == "user":
        return Plan(statement.sql, _user(statement))
    if words[0] == "schema":
        return Plan(statement.sql, _create_schema(statement))
    if words[0] == "database":
        return Plan(statement.sql, rewrite(statement), outside_transaction="CREATE DATABASE")
    unsupported.check(statement)
    return Plan(statement.sql, rewrite(statement))


def _create_schema(statement: Statement) -> str:
    reader = TokenReader(statement, 2)
    condition = "if not exists " if reader.skip("if", "not", "exists") else ""
    name, owner = "", ""
    if reader.word != "authorization":
        name, reader.at = schemas(statement, reader.at)
    if reader.skip("authorization"):
        owner = f" authorization {quoted(reader.name())}"
    if reader.skip("quota") and not reader.skip("unlimited"):
        reader.at += 1
        if not reader.one_of("mb", "gb", "tb"):
            raise syntax_error(reader.text or "end of input")
    reader.expect_end()
    return f"create schema {condition}{name}{owner}"


def _drop_schema(statement: Statement) -> str:
    reader = TokenReader(statement, 2)
    condition = "if exists " if reader.skip("if", "exists") else ""
    names, reader.at = schemas(statement, reader.at)
    behavior = reader.one_of("restrict", "cascade")
    reader.expect_end()
    return f"{ddl.cascade_mark(statement)}drop schema {condition}{names} {behavior}"


def _create_view(statement: Statement) -> Plan:
    end = len(statement)
    is_late_binding = statement.words(end - 4, 4) == ("with", "no", "schema", "binding")
    replace = statement.word(1) == "or"
    names, at = statement.dotted_name(statement.tokens.index(_first(statement, "view")) + 1)
    columns = []
    if statement.text(at) == "(":
        columns = [statement.tokens[a].name for a, _ in statement.arguments(at)]
        at = statement.partner[at] + 1
    if statement.word(at) != "as":
        raise syntax_error(statement.text(at))
    rewriter = Rewriter(statement)
    if not is_late_binding:
        leading = statement.sql[: statement.tokens[0].start]
        head, query = rewriter.render(0, at + 1), rewriter.render(at + 1, end)
        return Plan(statement.sql, f"{leading}{head} {type_marks.query(query)}")
    for name in relations(statement).user:
        if len(name) == 1:
            raise RedshiftError(
                f'relation "{name[0]}" must be qualified with a schema in a late-binding view',
                "0A000",
            )
    query = rewriter.render(at + 1, end - 4)
    listed = "array[" + ", ".join(literal(c) for c in columns) + "]::text[]"
    return Plan(
        statement.sql,
        f"call {OWN_SCHEMA}.create_late_binding_view({literal(quoted(names))}, "
        f"{type_marks.query_literal(query)}, {listed}, {str(replace).lower()})",
        tag="CREATE VIEW",
    )


def _first(statement: Statement, word: str):
    return next(t for t in statement.tokens if t.word == word)


def _materialized(statement: Statement, text: Callable[[Statement], str]) -> Plan:
    unsupported.check(statement)
    tag = f"{statement.word(0)} MATERIALIZED VIEW".upper()
    return Plan(statement.sql, text(statement), tag=tag)


def _refresh(statement: Statement) -> Plan:
    return _materialized(statement, materialized_views.refresh)


def _user(statement: Statement) -> str:
    name = quoted(statement.dotted_name(2)[0])
    options = ["login"]
    for i, token in enumerate(statement.tokens):
        if token.word == "password":
            disabled = statement.word(i + 1) == "disable"
            options.append("password " + ("null" if disabled else statement.text(i + 1)))
        elif token.word in ("createdb", "nocreatedb"):
            options.append(token.word)
        elif token.word == "group":
            options.append("in role " + quoted(statement.dotted_name(i + 1)[0]))
    return f"{statement.word(0)} role {name} {' '.join(options)}"


def _alter(statement: Statement) -> Plan:
    if statement.word(1) == "table":
        unsupported.check(statement)
        sql, outside = ddl.alter_table(statement)
        return Plan(
            statement.sql,
            sql,
            tag="ALTER TABLE",
            outside_transaction="ALTER TABLE ALTER COLUMN" if outside else None,
        )
    if statement.word(1) == "materialized":
        return _materialized(statement, materialized_views.alter)
    if statement.word(1) == "user" and "password" in [t.word for t in statement.tokens]:
        return Plan(statement.sql, _user(statement))
    unsupported.check(statement)
    return Plan(statement.sql, rewrite(statement))


def _drop(statement: Statement) -> Plan:
    if statement.word(1) == "materialized":
        return _materialized(statement, materialized_views.drop)
    unsupported.check(statement)
    if statement.word(1) == "schema":
        return Plan(statement.sql, _drop_schema(statement))
    outside = "DROP DATABASE" if statement.word(1) == "database" else None
    sql = ddl.cascade_mark(statement) + rewrite(statement)
    return Plan(statement.sql, sql, outside_transaction=outside)


def _truncate(statement: Statement) -> Plan:
    at = 2 if statement.word(1) == "table" else 1
    names, end = statement.dotted_name(at)
    if not names or end != len(statement):
        raise syntax_error(statement.text(end) or "truncate")
    return Plan(statement.sql, f"truncate table {quoted(names)}", commits_first=True)


def _vacuum(statement: Statement) -> Plan:
    at = 1
    while statement.word(at) in ("full", "sort", "delete", "only", "reindex", "recluster"):
        at += 1
    names, at = statement.dotted_name(at)
    rest = [t.word or t.text for t in statement.tokens[at:]]
    if not re.fullmatch(r"(to \d+ percent)? ?(boost)?", " ".join(rest)):
        raise syntax_error(statement.text(at))
    return Plan(
        statement.sql,
        f"vacuum {quoted(names)}".strip(),
    )


def _analyze(statement: Statement) -> Plan:
    at = 1
    if statement.word(1) == "compression":
        raise not_supported("ANALYZE COMPRESSION in this stand-in")
    if statement.word(at) == "verbose":
        at += 1
    names, _ = statement.dotted_name(at)
    return Plan(statement.sql, f"analyze {quoted(names)}".strip(), tag="ANALYZE")


def _begin(statement: Statement) -> Plan:
    return Plan(statement.sql, "begin")


def _grant(statement: Statement) -> Plan:
    unsupported.check(statement)
    sql, tokens = statement.sql, statement.tokens
    last = max(i for i, t in enumerate(tokens) if t.word in ("to", "from"))
    out, position = [], 0
    for i, token in enumerate(tokens):
        is_grantee = i > last and (i == last + 1 or statement.text(i - 1) == ",")
        if token.word == "role" and (is_grantee or i == 1 or statement.text(i - 1) == ","):
            out.append(sql[position : token.start])
            position = token.end
        elif token.kind == "quoted":
            out.append(sql[position : token.start] + quoted([token.name]))
            position = token.end
    return Plan(statement.sql, "".join(out) + sql[position:])


def _set(statement: Statement) -> Plan:
    at = 1
    while statement.word(at) in ("session", "local") and statement.word(at + 1) != "authorization":
        at += 1
    name = statement.word(at)
    if name == "enable_case_sensitive_identifier" and statement.word(at + 2) in ("true", "on"):
        raise not_supported("enable_case_sensitive_identifier in this stand-in")
    if name in REDSHIFT_SETTINGS:
        sql, token = statement.sql, statement.tokens[at]
        plan = Plan(sql, f"{sql[: token.start]}{OWN_SCHEMA}.{name}{sql[token.end :]}")
        if name == "query_group":
            plan.query_group = _set_value(statement, at + 2)
        return plan
    return Plan(statement.sql, rewrite(statement))


def _set_value(statement: Statement, at: int) -> str:
    """The value in SET; 'default' for RESET."""
    if at >= len(statement):
        return "default"
    token = statement.tokens[at]
    return unquote(token) if token.kind == "string" else token.name


def _use(statement: Statement) -> Plan:
    return Plan(statement.sql, PLACEHOLDER, tag="USE")


def _reset(statement: Statement) -> Plan:
    if statement.word(1) == "use":
        return Plan(statement.sql, PLACEHOLDER, tag="RESET")
    return _set(statement)


def _show(statement: Statement) -> Plan:
    words = statement.words(1, 4)
    if words[0] in REDSHIFT_SETTINGS:
        sql = f"select {setting(words[0])} as {words[0]}"
        return Plan(statement.sql, sql, tag="SHOW")
    kinds = {
        ("schemas", "from", "database"): "show_schemas",
        ("tables", "from", "schema"): "show_tables",
        ("columns", "from", "table"): "show_columns",
        ("grants", "on", "table"): "show_grants",
    }
    function = kinds.get(words[:3])
    if function is None:
        return Plan(statement.sql, rewrite(statement))
    names, at = statement.dotted_name(4)
    values = [literal(n) for n in names]
    like = "'%'"
    if statement.word(at) == "like":
        like, at = statement.text(at + 1), at + 2
    if at != len(statement):
        raise syntax_error(statement.text(at))
    filters = f" where schema_name like {like}" if function == "show_schemas" else ""
    sql = f"select * from {OWN_SCHEMA}.{function}({', '.join(values)}){filters}"
    return Plan(statement.sql, sql, tag="SHOW")


def _refused(statement: Statement) -> Plan:
    raise not_supported(f"{statement.word(0).upper()} in this stand-in")


_BUILDERS = {
    "copy": _copy,
    "insert": _insert,
    "merge": _merge,
    "create": _create,
    "alter": _alter,
    "drop": _drop,
    "truncate": _truncate,
    "vacuum": _vacuum,
    "analyze": _analyze,
    "analyse": _analyze,
    "begin": _begin,
    "start": _begin,
    "grant": _grant,
    "revoke": _grant,
    "set": _set,
    "reset": _reset,
    "use": _use,
    "show": _show,
    "refresh": _refresh,
    "unload": _refused,
    "listen": _refused,
    "notify": _refused,
    "reindex": _refused,
    "cluster": _refused,
}
