"""What runs only on Redshift's leader node, or only on its compute nodes: one function per rule.

A query on user tables runs on the compute nodes, which lack the catalog and the functions of the
leader node, and vice versa.
"""

from collections.abc import Iterator

from .errors import RedshiftError
from .relations import Relations, common_tables
from .tokens import Statement

LEADER_ONLY_TEXT = (
    "Specified types or functions (one per INFO message) not supported on Redshift tables."
)
_LEADER_FUNCTIONS = {
    *("current_schema", "current_schemas", "has_database_privilege", "has_schema_privilege"),
    *("has_table_privilege", "age", "now", "isfinite", "generate_series"),
}
_LEADER_WORDS = {"current_time", "current_timestamp", "localtime", "localtimestamp"}
# The leader node knows the session. AWS shows these without tables and with system tables.
_SESSION_FUNCTIONS = {
    *("pg_last_copy_id", "pg_last_copy_count", "pg_last_query_id", "pg_last_unload_id"),
    *("pg_last_unload_count", "pg_backend_pid"),
}
_COMPUTE_FUNCTIONS = {"listagg", "median"}
_VIEWS_TO_READ_ONLY = ("sys_", "svv_")


def calls(statement: Statement, names: set[str]) -> Iterator[str]:
    """The functions of `names` that the statement calls."""
    for i, token in enumerate(statement.tokens):
        if token.word in names and statement.is_call(i) and not _is_column_list(statement, i):
            yield token.word


def _is_column_list(statement: Statement, index: int) -> bool:
    """Whether the word before a parenthesis is the name of a common table or of a target."""
    if statement.word(index - 1) in ("into", "table", "recursive", "with"):
        return True
    return statement.tokens[index].name in common_tables(statement)


def leader_only(detail: str) -> RedshiftError:
    """The error for something that the compute nodes lack."""
    return RedshiftError(LEADER_ONLY_TEXT, "0A000", detail=detail)


def creates_table(statement: Statement) -> bool:
    """Whether the statement is CREATE TABLE, with or without a query."""
    return statement.word(0) == "create" and "table" in statement.words(1, 3)


def _writes(statement: Statement) -> bool:
    return creates_table(statement) or statement.word(0) == "insert"


def leader_functions(statement: Statement, named: Relations) -> None:
    """Leader-node functions in a query on tables."""
    if not named.user and not named.compute and not creates_table(statement):
        return
    for name in calls(statement, _LEADER_FUNCTIONS):
        raise leader_only(f"{name}() runs on the leader node.")
    for name in calls(statement, {"substr"}):
        raise RedshiftError(
            f"{name.upper()}() function is not supported (Hint: use SUBSTRING instead)"
        )
    if not named.user and not named.compute:
        return  # The leader node fills in the time before the compute nodes see the statement.
    for i, token in enumerate(statement.tokens):
        if token.word not in _LEADER_WORDS or statement.text(i - 1) == ".":
            continue
        if statement.word(i - 1) != "as":
            raise leader_only(f"{token.word} runs on the leader.")


def session_functions(statement: Statement, named: Relations) -> None:
    """Session functions in a query on user tables."""
    if not named.user and not creates_table(statement):
        return
    for name in calls(statement, _SESSION_FUNCTIONS):
        raise leader_only(f"{name}() runs on the leader node.")


def catalog_with_tables(statement: Statement, named: Relations) -> None:
    """Catalog tables joined to user tables, or as the source of one."""
    if named.catalog and (named.user or _writes(statement)):
        raise leader_only("Catalog tables are on the leader node only.")


def system_views_as_source(statement: Statement, named: Relations) -> None:
    """SYS and SVV views as the source of a table; AWS shows that for STL views only."""
    if not _writes(statement):
        return
    for name in named.compute:
        if name[-1].startswith(_VIEWS_TO_READ_ONLY):
            raise leader_only(f"{name[-1]} cannot be the source of a table.")


def compute_functions(statement: Statement, named: Relations) -> None:
    """Compute-node functions in a query without tables."""
    if named.user or named.compute:
        return
    for name in calls(statement, _COMPUTE_FUNCTIONS):
        raise RedshiftError(
            "One or more of the used functions must be applied on at least one user created "
            "tables. Examples of user table only functions are LISTAGG, MEDIAN, PERCENTILE_CONT, "
            "etc",
            "0A000",
            detail=f"{name}() runs on compute nodes only.",
        )


RULES = (
    leader_functions,
    session_functions,
    catalog_with_tables,
    system_views_as_source,
    compute_functions,
)
