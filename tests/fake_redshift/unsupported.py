"""What PostgreSQL would run and Redshift refuses: one function per rule.

The facts come from the Amazon Redshift Database Developer Guide; the tests name the pages.
"""

from collections.abc import Callable

from . import leader_node
from .errors import UNDEFINED_FUNCTION, RedshiftError, not_supported, syntax_error
from .leader_node import calls
from .relations import Relations, relations
from .tokens import Statement
from .type_names import LEADER_TYPES, MISSING_TYPES, is_cast_target

_MISSING_FUNCTIONS = {
    *("string_agg", "array_agg", "json_agg", "jsonb_agg", "json_object_agg", "row_to_json"),
    *("to_json", "to_jsonb", "json_build_object", "jsonb_build_object", "unnest", "pg_sleep"),
    *("encode", "format", "regexp_matches", "regexp_split_to_table", "regexp_split_to_array"),
    *("string_to_array", "nextval", "currval", "setval", "lastval", "gen_random_uuid"),
    *("concat_ws", "make_date", "make_timestamp", "make_interval", "width_bucket", "digest"),
    *("clock_timestamp", "statement_timestamp", "transaction_timestamp", "sha256", "sha512"),
    *("starts_with", "num_nulls", "num_nonnulls", "mode", "every", "xmlagg", "any_value_agg"),
    *("jsonb_array_elements", "json_array_elements", "jsonb_each", "json_each"),
    *("generate_subscripts", "unistr", "overlay", "quote_nullable", "to_timestamp_tz"),
}
_REFUSED_OBJECTS = {
    *("index", "sequence", "trigger", "rule", "extension", "domain", "type", "aggregate"),
    *("operator", "cast", "conversion", "tablespace", "collation", "publication", "subscription"),
    *("policy", "statistics", "server", "foreign", "unlogged"),
}
_FRAMELESS = {
    *("row_number", "rank", "dense_rank", "ntile", "percent_rank", "cume_dist", "lag", "lead"),
    *("ratio_to_report", "listagg", "median", "percentile_cont", "percentile_disc"),
}
_FRAME_WORDS = {"rows", "range", "groups"}

_RESERVED = {
    *("raw", "tag", "system", "snapshot", "delta", "percent", "respect", "identity", "explicit"),
    *("open", "timestamp"),
}
_BEFORE_NAMES = {"from", "join", "into", "table", "schema", "update", "select", "by", "column"}

Rule = Callable[[Statement, Relations], None]


def check(statement: Statement) -> None:
    """Raise the RedshiftError of the first rule that the statement breaks."""
    named = relations(statement)
    for rule in _RULES:
        rule(statement, named)


def check_reserved(statement: Statement) -> None:
    """Refuse names that Redshift, unlike PostgreSQL, accepts only in quotes."""
    for i, token in enumerate(statement.tokens):
        if token.word not in _RESERVED or i == 0:
            continue
        is_name = statement.word(i - 1) in _BEFORE_NAMES or statement.text(i - 1) in ("(", ",")
        following = statement.tokens[i + 1 : i + 2]
        is_type = token.word == "timestamp" and following and following[0].kind == "string"
        if is_name and not is_type and statement.text(i + 1) != "(":
            raise syntax_error(token.word)


def _missing_functions(statement: Statement, named: Relations) -> None:
    for name in calls(statement, _MISSING_FUNCTIONS):
        raise RedshiftError(
            f"function {name}() does not exist",
            UNDEFINED_FUNCTION,
            hint="No function matches the given name and argument types.",
        )


def _types(statement: Statement, named: Relations) -> None:
    on_leader = not named.user and not named.compute and not leader_node.creates_table(statement)
    for i, token in enumerate(statement.tokens):
        if token.word in MISSING_TYPES and is_cast_target(statement, i):
            raise RedshiftError(f'type "{token.word}" does not exist', "42704")
        if token.word in LEADER_TYPES and not on_leader and is_cast_target(statement, i):
            raise leader_node.leader_only(f"The type {token.word} is on the leader node only.")


def _syntax(statement: Statement, named: Relations) -> None:
    for i, token in enumerate(statement.tokens):
        if statement.text(i - 1) == ".":
            continue
        word, following = token.word, statement.word(i + 1)
        if word == "distinct" and following == "on" and statement.text(i + 2) == "(":
            raise not_supported("SELECT DISTINCT ON")
        if word == "distinct" and following == "from" and "is" in statement.words(i - 2, 2):
            raise syntax_error("distinct")
        if word == "filter" and statement.text(i - 1) == ")" and statement.text(i + 1) == "(":
            raise syntax_error("filter")
        if word == "on" and following == "conflict":
            raise syntax_error("on")
        if word == "lateral" and statement.text(i - 1) != "as":
            raise syntax_error("lateral")
        if word == "returning" and statement.word(0) in ("insert", "update", "delete", "merge"):
            raise syntax_error("returning")
        if word == "values" and not _is_insert_values(statement, i):
            raise syntax_error("values")
        if word == "array" and statement.text(i + 1) == "[":
            raise not_supported("ARRAY[...]")
        if word == "grouping" and following == "sets" and statement.text(i + 2) != "(":
            raise syntax_error("sets")
        if word == "collate" and statement.text(i + 1) == "(":
            raise not_supported("COLLATE() in this stand-in")
        if word == "collate" and statement.word(0) not in ("create", "alter"):
            raise syntax_error("collate")
        if word in ("tablesample", "materialized") and statement.text(i + 1) == "(":
            raise syntax_error(word)


def _is_insert_values(statement: Statement, index: int) -> bool:
    """Whether VALUES is allowed here: in INSERT or MERGE, or as a name."""
    if statement.text(index + 1) != "(":
        return not (index == 0 or statement.text(index - 1) == "(")
    return statement.word(0) in ("insert", "merge") and statement.opener[index] == -1


def _objects(statement: Statement, named: Relations) -> None:
    if statement.word(0) not in ("create", "alter", "drop"):
        return
    index = 1
    while statement.word(index) in ("or", "replace", "unique", "constraint", "event"):
        index += 1
    word = statement.word(index)
    if word in _REFUSED_OBJECTS:
        raise not_supported(f"{statement.word(0).upper()} {word.upper()}")


def _windows(statement: Statement, named: Relations) -> None:
    for i, token in enumerate(statement.tokens):
        if token.word != "over" or statement.text(i - 1) != ")":
            continue
        if statement.text(i + 1) != "(":
            raise syntax_error(statement.text(i + 1) or "over")
        opening, closing = i + 1, statement.partner[i + 1]
        called = statement.partner[i - 1]
        if statement.words(called - 2, 2) == ("within", "group"):
            called = statement.partner[called - 3]
        _window(statement, statement.word(called - 1), called, opening, closing)


def _window(statement: Statement, function: str, call: int, opening: int, closing: int) -> None:
    inside = [k for k in range(opening + 1, closing) if statement.opener[k] == opening]
    words = [statement.word(k) for k in inside]
    frame = next((w for w in words if w in _FRAME_WORDS), None)
    if statement.word(call + 1) == "distinct":
        raise RedshiftError("DISTINCT is not supported for window functions", "0A000")
    if frame in ("range", "groups"):
        raise RedshiftError(
            f"{frame.upper()} frames are not supported in window functions", "0A000"
        )
    if frame and function in _FRAMELESS:
        raise RedshiftError(f"{function} cannot have a frame clause", "0A000")
    if "order" in words and not frame and function not in _FRAMELESS:
        raise RedshiftError(
            "Aggregate window functions with an ORDER BY clause require a frame clause", "0A000"
        )
    for k in inside:
        alone = statement.text(k - 1) in ("(", ",") or statement.word(k - 1) == "by"
        ends = statement.text(k + 1) in (",", ")") or statement.word(k + 1) in ("order", "rows")
        if statement.tokens[k].kind == "string" and alone and ends:
            raise RedshiftError("constant expressions are not supported in window clauses", "0A000")


def _recursive(statement: Statement, named: Relations) -> None:
    for i, token in enumerate(statement.tokens):
        if token.word != "recursive" or statement.word(i - 1) != "with":
            continue
        if not _wraps_whole_query(statement, statement.opener[i]):
            raise RedshiftError("Recursive CTE in subquery are not supported.", "0A000")
        _, after = statement.dotted_name(i + 1)
        if statement.text(after) != "(":
            raise RedshiftError("Recursive CTE must have a column name list", "42601")
        body = statement.partner[after] + 2
        if statement.text(body) == "(":
            _recursive_step(statement, body)


def _recursive_step(statement: Statement, opening: int) -> None:
    level = [
        k for k in range(opening + 1, statement.partner[opening]) if statement.opener[k] == opening
    ]
    union = next((k for k in level if statement.word(k) == "union"), None)
    if union is None:
        return
    if statement.word(union + 1) != "all":
        raise RedshiftError("Recursive CTE supports UNION ALL only", "0A000")
    for k in level:
        if k > union and statement.word(k) in ("order", "limit"):
            raise RedshiftError(
                f"{statement.word(k).upper()} is not supported in a recursive CTE", "0A000"
            )


def _wraps_whole_query(statement: Statement, opening: int) -> bool:
    """Whether the parentheses enclose the whole query of a CREATE ... AS or an INSERT."""
    if opening == -1:
        return True
    if statement.opener[opening] != -1 or statement.word(0) not in ("create", "insert"):
        return False
    is_last = statement.partner[opening] == len(statement) - 1
    before = statement.word(opening - 1)
    return before == "as" or (statement.word(0) == "insert" and is_last)


def _merge(statement: Statement, named: Relations) -> None:
    if statement.word(0) == "with" and _has_main_merge(statement):
        raise syntax_error("merge")
    if statement.word(0) != "merge":
        return
    index = 2 if statement.word(1) == "into" else 1
    target, index = statement.dotted_name(index)
    if statement.word(index) != "using":
        raise syntax_error(statement.text(index))
    if statement.text(index + 1) == "(":
        raise RedshiftError("MERGE source must be a table, not a subquery", "0A000")
    source, index = statement.dotted_name(index + 1)
    if source[-len(target) :] == target[-len(source) :]:
        raise RedshiftError("MERGE target and source must be different tables", "0A000")
    while index < len(statement) and statement.word(index) != "on":
        index += 1
    end = next(
        (
            k
            for k in range(index, len(statement))
            if statement.opener[k] == -1 and statement.word(k) in ("when", "remove")
        ),
        len(statement),
    )
    _merge_condition(statement, index + 1, end)
    _merge_clauses(statement, end)


def _has_main_merge(statement: Statement) -> bool:
    return any(
        t.word == "merge" and statement.word(i + 1) == "into" and statement.opener[i] == -1
        for i, t in enumerate(statement.tokens)
    )


def _merge_condition(statement: Statement, first: int, last: int) -> None:
    """Rows must be matched by an equality, which further predicates may restrict."""
    while statement.text(first) == "(" and statement.partner[first] == last - 1:
        first, last = first + 1, last - 1
    level = [k for k in range(first, last) if statement.opener[k] == statement.opener[first]]
    if any(statement.word(k) == "or" for k in level):
        raise RedshiftError("OR is not supported in the ON condition of MERGE", "0A000")
    ends = [k for k in level if statement.word(k) == "and"] + [last]
    for end in ends:
        if _has_equality(statement, first, end):
            return
        first = end + 1
    raise RedshiftError("MERGE needs an equality predicate in ON", "0A000")


def _has_equality(statement: Statement, first: int, last: int) -> bool:
    while statement.text(first) == "(" and statement.partner[first] == last - 1:
        first, last = first + 1, last - 1
    level = [k for k in range(first, last) if statement.opener[k] == statement.opener[first]]
    if any(statement.word(k) == "or" for k in level):
        return False
    return any(statement.text(k) == "=" for k in level)


def _merge_clauses(statement: Statement, index: int) -> None:
    if statement.word(index) == "remove":
        return
    level = [k for k in range(index, len(statement)) if statement.opener[k] == -1]
    clauses = [statement.words(k + 1, 2) for k in level if statement.word(k) == "when"]
    kinds = ["not matched" if c[0] == "not" else "matched" for c in clauses]
    if kinds != ["matched", "not matched"]:
        raise RedshiftError(
            "MERGE needs WHEN MATCHED followed by WHEN NOT MATCHED, each once", "42601"
        )
    for k in level:
        if statement.word(k) == "when" and "and" in (statement.word(k + 2), statement.word(k + 3)):
            raise syntax_error("and")
        assigns = statement.word(k - 1) == "set" or (
            statement.text(k - 1) == "," and statement.tokens[k].is_identifier
        )
        if assigns and statement.text(k + 1) == ".":
            raise syntax_error(".")


_RULES: tuple[Rule, ...] = (
    _objects,
    _syntax,
    _missing_functions,
    _types,
    *leader_node.RULES,
    _windows,
    _recursive,
    _merge,
)
