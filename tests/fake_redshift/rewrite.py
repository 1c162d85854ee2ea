"""Turns Redshift's SQL into PostgreSQL's by replacing tokens; all other text stays."""

from collections.abc import Callable

from . import operands, qualify, type_marks
from .errors import RedshiftError, syntax_error
from .tokens import Statement, literal, unquote
from .type_names import is_cast_target, type_name

OWN_SCHEMA = "pg_redshift"
# Settings that PostgreSQL lacks; they become custom settings with this prefix.
REDSHIFT_SETTINGS = {
    *("query_group", "enable_result_cache_for_session", "enable_case_sensitive_identifier"),
    *("wlm_query_slot_count", "describe_field_name_in_uppercase", "analyze_threshold_percent"),
    *("enable_case_sensitive_super_attribute", "downcase_delimited_identifier"),
    *("error_on_nondeterministic_update", "json_serialization_enable"),
    *("cast_super_null_on_error", "navigate_super_null_on_error", "parse_super_downcase_delimited"),
    *("mv_enable_aqmv_for_session", "use_fips_ssl", "max_cursor_result_set_size"),
    "stored_proc_log_min_messages",
}
_PART_FUNCTIONS = {"dateadd", "datediff", "date_add", "date_diff", "date_part", "date_trunc"}
_PART_NAMES = {"date_add": "dateadd", "date_diff": "datediff"}
_PARTS = {
    "year": "y yr yrs years",
    "quarter": "qtr qtrs quarters",
    "month": "mon mons months",
    "week": "w weeks",
    "day": "d days",
    "hour": "h hr hrs hours",
    "minute": "m min mins minutes",
    "second": "s sec secs seconds",
    "milliseconds": "ms msec msecs msecond mseconds millisec millisecs millisecon millisecond",
    "microseconds": "us usec usecs usecond useconds microsec microsecs microsecon microsecond",
    "dow": "dayofweek dw weekday",
    "doy": "dayofyear dy yearday",
    "century": "c cent cents centuries",
    "decade": "dec decs decades",
    "millennium": "mil mils millennia",
}
_PART_OF = {alias: part for part, aliases in _PARTS.items() for alias in aliases.split()}
_BEFORE_NAMES = {"table", "exists", "view", "into", "from", "join", "with", "recursive"}
_OVERRIDDEN = {
    "concat",
    "regexp_replace",
    "regexp_substr",
    "regexp_count",
    "regexp_instr",
    "json_extract_path_text",
    "json_serialize",
}
_IDENTIFIER_LIMIT = 63
_REDSHIFT_IDENTIFIER_LIMIT = 127

Rule = Callable[["Rewriter", int], tuple[str, int] | None]


class Rewriter:
    """Renders ranges of a statement's tokens for PostgreSQL."""

    def __init__(self, statement: Statement) -> None:
        self.statement = statement

    def render(self, first: int, last: int) -> str:
        """The tokens first..last-1 for PostgreSQL."""
        qualified = qualify.find(self.statement, first, last)
        if qualified is not None:
            return qualify.render(self, qualified, first, last)
        return self.render_plain(first, last)

    def render_plain(self, first: int, last: int) -> str:
        """Like render, for tokens without QUALIFY on their own level."""
        tokens, sql = self.statement.tokens, self.statement.sql
        out, index, tail = [], first, ""
        while index < last:
            if index > first:
                out.append(sql[tokens[index - 1].end : tokens[index].start])
            token = tokens[index]
            if token.text == "(" and index in self.statement.partner:
                closing = self.statement.partner[index]
                inner = self.render(index + 1, closing)
                left = sql[token.end : tokens[index + 1].start]
                right = sql[tokens[closing - 1].end : tokens[closing].start]
                out.append(f"({left}{inner}{right if closing > index + 1 else ''})")
                index = closing + 1
                continue
            if token.word == "top" and self._is_top(index):
                tail = f" limit {self.statement.text(index + 1)}"
                index += 2
                continue
            replaced = self._division(index, last) if token.text == "/" else self._replace(index)
            if replaced is None:
                out.append(token.text)
                index += 1
            else:
                out.append(replaced[0])
                index = replaced[1]
        return "".join(out) + tail

    def _is_top(self, index: int) -> bool:
        before = self.statement.word(index - 1)
        after = self.statement.tokens[index + 1 : index + 2]
        return before in ("select", "distinct", "all") and after and after[0].kind == "number"

    def _division(self, index: int, last: int) -> tuple[str, int] | None:
        end = operands.divisor(self.statement, index, last)
        if end is None:
            return None
        gap = self.statement.source(index, index + 2)[1 : -len(self.statement.text(index + 1))]
        key = operands.division_key(self.statement, index, end)
        return f"/{gap}{type_marks.operand(key, self.render_plain(index + 1, end))}", end

    def _replace(self, index: int) -> tuple[str, int] | None:
        token = self.statement.tokens[index]
        if token.is_identifier:
            check_identifier(token.name)
        if token.kind == "quoted":
            return '"' + token.name.replace('"', '""') + '"', index + 1
        if token.kind != "word":
            return None
        rule = _RULES.get(token.word)
        if rule and self.statement.text(index - 1) != ".":
            return rule(self, index)
        return None


def check_identifier(name: str) -> None:
    """Refuse a name that Redshift, or PostgreSQL in its place, would cut."""
    size = len(name.encode())
    if size > _REDSHIFT_IDENTIFIER_LIMIT:
        raise RedshiftError(f'identifier "{name}" is longer than 127 bytes', "42622")
    if size > _IDENTIFIER_LIMIT:
        raise RedshiftError(
            f'identifier "{name}" is longer than 63 bytes, and not of word characters alone',
            "42622",
        )


def rewrite(statement: Statement) -> str:
    """The whole statement for PostgreSQL, comments included."""
    sql, tokens = statement.sql, statement.tokens
    middle = Rewriter(statement).render(0, len(tokens))
    return sql[: tokens[0].start] + middle + sql[tokens[-1].end :]


def _renamed(name: str) -> Rule:
    def rule(rewriter: Rewriter, index: int) -> tuple[str, int] | None:
        return (name, index + 1) if rewriter.statement.is_call(index) else None

    return rule


def _date_part_function(rewriter: Rewriter, index: int) -> tuple[str, int] | None:
    statement = rewriter.statement
    if not statement.is_call(index):
        return None
    arguments = statement.arguments(index + 1)
    name = _PART_NAMES.get(statement.word(index), statement.text(index))
    if not arguments or arguments[0][1] - arguments[0][0] != 1:
        return None
    part = statement.tokens[arguments[0][0]]
    if part.kind == "string":
        part_name = unquote(part).lower()
    elif part.is_identifier and name != "date_trunc":
        part_name = part.name
    else:
        return None
    part_name = _PART_OF.get(part_name, part_name)
    rest = [rewriter.render(*argument) for argument in arguments[1:]]
    closing = statement.partner[index + 1]
    return f"{name}({', '.join([literal(part_name), *rest])})", closing + 1


def _extract(rewriter: Rewriter, index: int) -> tuple[str, int] | None:
    statement = rewriter.statement
    if not statement.is_call(index) or statement.word(index + 3) != "from":
        return None
    part, closing = statement.tokens[index + 2], statement.partner[index + 1]
    name = part.name if part.is_identifier else unquote(part).lower()
    value = rewriter.render(index + 4, closing)
    return f"{OWN_SCHEMA}.date_part({literal(_PART_OF.get(name, name))}, {value})", closing + 1


def _overridden(rewriter: Rewriter, index: int) -> tuple[str, int] | None:
    if not rewriter.statement.is_call(index):
        return None
    return f"{OWN_SCHEMA}.{rewriter.statement.word(index)}", index + 1


def _nvl2(rewriter: Rewriter, index: int) -> tuple[str, int] | None:
    statement = rewriter.statement
    if not statement.is_call(index):
        return None
    values = [rewriter.render(*argument) for argument in statement.arguments(index + 1)]
    if len(values) != 3:
        raise syntax_error("nvl2")
    return (
        f"(case when ({values[0]}) is not null then {values[1]} else {values[2]} end)",
        statement.partner[index + 1] + 1,
    )


def _decode(rewriter: Rewriter, index: int) -> tuple[str, int] | None:
    statement = rewriter.statement
    if not statement.is_call(index):
        return None
    values = [rewriter.render(*argument) for argument in statement.arguments(index + 1)]
    if len(values) < 3:
        raise RedshiftError("decode must have at least 3 arguments", "42883")
    expression, rest = values[0], values[1:]
    branches = "".join(
        f" when ({expression}) is not distinct from ({search}) then {result}"
        for search, result in zip(rest[::2], rest[1::2], strict=False)
    )
    default = f" else {rest[-1]}" if len(rest) % 2 else ""
    return f"(case{branches}{default} end)", statement.partner[index + 1] + 1


def _listagg(rewriter: Rewriter, index: int) -> tuple[str, int] | None:
    statement = rewriter.statement
    if not statement.is_call(index):
        return None
    closing = statement.partner[index + 1]
    arguments = statement.arguments(index + 1)
    first, last = arguments[0]
    distinct = ""
    if statement.word(first) in ("distinct", "all"):
        distinct, first = statement.word(first) + " ", first + 1
    value = f"nullif(({rewriter.render(first, last)})::text, '')"
    delimiter = rewriter.render(*arguments[1]) if len(arguments) > 1 else "''"
    order, end = "", closing + 1
    if statement.words(end, 2) == ("within", "group"):
        group_end = statement.partner[end + 2]
        order = " " + rewriter.render(end + 3, group_end)
        if distinct == "distinct ":
            order = f" order by {value}" + (" desc" if order.rstrip().endswith("desc") else "")
        end = group_end + 1
    aggregate = f"string_agg({distinct}{value}, {delimiter}{order})"
    return f"{OWN_SCHEMA}.listagg({aggregate})", end


def _median(rewriter: Rewriter, index: int) -> tuple[str, int] | None:
    statement = rewriter.statement
    if not statement.is_call(index):
        return None
    closing = statement.partner[index + 1]
    value = rewriter.render(index + 2, closing)
    return f"percentile_cont(0.5) within group (order by {value})", closing + 1


def _average(rewriter: Rewriter, index: int) -> tuple[str, int] | None:
    statement = rewriter.statement
    if not statement.is_call(index) or statement.word(index - 1) in _BEFORE_NAMES:
        return None
    closing = statement.partner[index + 1]
    first = index + 2
    if statement.word(first) in ("all", "distinct"):
        first += 1
    key = operands.average_key(statement, first, closing)
    value = type_marks.operand(key, rewriter.render(first, closing))
    return f"{statement.source(index, first)} {value})", closing + 1


def _sysdate(rewriter: Rewriter, index: int) -> tuple[str, int] | None:
    statement = rewriter.statement
    if statement.text(index + 1) in ("(", ".") or statement.word(index - 1) == "as":
        return None
    return f"{OWN_SCHEMA}.sysdate()", index + 1


def _current_setting(rewriter: Rewriter, index: int) -> tuple[str, int] | None:
    statement = rewriter.statement
    name = statement.tokens[index + 2] if statement.is_call(index) else None
    if name is None or name.kind != "string" or unquote(name).lower() not in REDSHIFT_SETTINGS:
        return None
    return setting(unquote(name).lower()), statement.partner[index + 1] + 1


def setting(name: str) -> str:
    """An expression for the value of one of REDSHIFT_SETTINGS."""
    value = f"current_setting('{OWN_SCHEMA}.{name}', true)"
    return f"coalesce(nullif({value}, ''), 'default')" if name == "query_group" else value


def _array(rewriter: Rewriter, index: int) -> tuple[str, int] | None:
    """ARRAY(1, 2) makes a SUPER value."""
    statement = rewriter.statement
    if not statement.is_call(index) or statement.word(index + 2) == "select":
        return None
    closing = statement.partner[index + 1]
    values = rewriter.render(index + 2, closing) if closing > index + 2 else ""
    return f"jsonb_build_array({values})::super", closing + 1


def _minus(rewriter: Rewriter, index: int) -> tuple[str, int] | None:
    following = rewriter.statement.tokens[index + 1 : index + 2]
    if following and (following[0].word in ("select", "all") or following[0].text == "("):
        return "except", index + 1
    return None


def _approximate(rewriter: Rewriter, index: int) -> tuple[str, int] | None:
    following = rewriter.statement.word(index + 1)
    return ("", index + 1) if following in ("count", "percentile_disc") else None


def _cast_type(rewriter: Rewriter, index: int) -> tuple[str, int] | None:
    statement = rewriter.statement
    if not is_cast_target(statement, index):
        return None
    return type_name(statement, index, is_column=False)


_OWN_CATALOGS = ("pg_attribute", "pg_constraint")


def _own_catalog(rewriter: Rewriter, index: int) -> tuple[str, int] | None:
    return f"{OWN_SCHEMA}.{rewriter.statement.word(index)}", index + 1


def _pg_catalog(rewriter: Rewriter, index: int) -> tuple[str, int] | None:
    if rewriter.statement.text(index + 1) == "." and rewriter.statement.word(index + 2) in (
        *_OWN_CATALOGS,
        *_OVERRIDDEN,
    ):
        return f"{OWN_SCHEMA}.{rewriter.statement.word(index + 2)}", index + 3
    return None


_RULES: dict[str, Rule] = {
    "nvl": _renamed("coalesce"),
    "nvl2": _nvl2,
    "decode": _decode,
    "extract": _extract,
    "listagg": _listagg,
    "median": _median,
    "sysdate": _sysdate,
    "avg": _average,
    "current_setting": _current_setting,
    "array": _array,
    "minus": _minus,
    "approximate": _approximate,
    "pg_catalog": _pg_catalog,
    **{name: _date_part_function for name in _PART_FUNCTIONS},
    **{name: _own_catalog for name in _OWN_CATALOGS},
    **{name: _overridden for name in _OVERRIDDEN},
    **{
        name: _cast_type
        for name in (
            *("decimal", "numeric", "dec", "varchar", "nvarchar", "character", "char"),
            *("text", "bpchar", "nchar", "datetime"),
        )
    },
}
