"""Rows for the system tables.

They are written on a connection of their own, so that they stay when the client's transaction is
rolled back, as on Redshift.
"""

import threading

import psycopg

from .copy_load import Load
from .statement_log import LoggedStatement
from .tokens import literal, split

_COMMANDS = {"select", "insert", "update", "delete", "merge", "copy", "unload"}
_DDL = {"create", "alter", "drop", "grant", "revoke", "comment"}


class SystemLog:
    """Writes the system tables behind STL_LOAD_ERRORS, SYS_LOAD_HISTORY and the like."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        self._recorded: dict[int, LoggedStatement] = {}

    def close(self) -> None:
        self._connection.close()

    def execute(self, sql: str, *arguments: object) -> list[tuple]:
        """Run one statement and return its rows, if it has any."""
        with self._lock:
            cursor = self._connection.execute(sql, arguments)
            return cursor.fetchall() if cursor.description else []

    def next_query_id(self) -> int:
        return self.execute("select nextval('pg_redshift.query_ids')")[0][0]

    def stored_password(self, user: str) -> str | None:
        """The md5 hash of a user's password; None if the user or the password is missing."""
        rows = self.execute(
            "select rolpassword from pg_authid where rolname = %s and rolcanlogin", user
        )
        return rows[0][0] if rows else None

    def schema_exists(self, name: str) -> bool:
        return bool(self.execute("select 1 from pg_namespace where nspname = %s", name))

    def record_history(self, statements: list[LoggedStatement]) -> None:
        """Add the finished statements to sys_query_history, each once."""
        with self._lock:
            ended = [
                s
                for s in list(statements)
                if s.duration is not None and id(s) not in self._recorded
            ]
            self._recorded |= {id(s): s for s in ended}
            rows = [
                (
                    *(s.user, s.query_group, s.session, _query_type(s), s.started, s.duration),
                    *(s.error, s.rows, s.sql[:4000]),
                )
                for s in ended
            ]
            self._connection.cursor().executemany(
                "select pg_redshift.keep_query(%s, %s, %s, %s, %s, %s, %s, %s, %s)", rows
            )

    def record(self, load: Load, status: str, identity: dict) -> None:
        """Record one load. identity: query, transaction, session, user, database, table,
        table_id, started."""
        command = load.command
        with self._lock, self._connection.transaction():
            run = self._connection.cursor()
            user = "(select usesysid::integer from pg_user where usename = %(user)s)"
            run.execute(
                f"insert into pg_redshift.loads values ({user}, %(query)s, %(transaction)s, "
                "%(session)s, %(database)s, %(status)s, %(table)s, %(started)s, "
                "clock_timestamp()::timestamp, %(source)s, 'JSON', %(rows)s, %(bytes)s, %(files)s, "
                "%(file_bytes)s, %(errors)s)",
                {
                    **identity,
                    "status": status,
                    "source": command.source,
                    "rows": load.rows if status == "completed" else 0,
                    "bytes": load.loaded_bytes,
                    "files": len(load.found),
                    "file_bytes": sum(file.size for file in load.found),
                    "errors": len(load.errors),
                },
            )
            run.executemany(
                f"insert into pg_redshift.loaded_files values ({user}, %(query)s, %(file)s, "
                "%(bytes)s, %(lines)s, %(errors)s, %(began)s, %(ended)s, %(etag)s, %(modified)s)",
                [
                    {
                        **identity,
                        "file": done.file.url,
                        "bytes": done.file.size,
                        "lines": done.lines,
                        "errors": done.errors,
                        "began": done.started,
                        "ended": done.ended,
                        "etag": done.file.etag,
                        "modified": done.file.modified.replace(tzinfo=None),
                    }
                    for done in (load.files if status == "completed" else [])
                ],
            )
            run.executemany(
                f"insert into pg_redshift.load_errors values ({user}, %(query)s, "
                "%(transaction)s, %(session)s, %(database)s, %(table_id)s, %(started)s, %(file)s, "
                "%(line)s, %(column)s, %(type)s, %(length)s, %(position)s, %(raw_line)s, "
                "%(raw_value)s, %(code)s, %(reason)s)",
                [
                    {
                        **identity,
                        "file": error.file,
                        "line": error.line,
                        "column": error.column.name if error.column else "",
                        "type": error.column.type_label if error.column else "",
                        "length": error.column.length_label if error.column else "",
                        "position": error.position,
                        "raw_line": error.raw_line.partition("\0")[0],
                        # PostgreSQL cannot store NUL.
                        "raw_value": error.raw_value.partition("\0")[0],
                        "code": error.code,
                        "reason": error.reason.partition("\0")[0],
                    }
                    for error in load.errors
                ],
            )


def _query_type(statement: LoggedStatement) -> str:
    found = split(statement.sql)
    word = found[0].word(0) if found else ""
    if (statement.tag or "").startswith("SELECT") and word == "create":
        return "CTAS"
    if word == "with":
        return "SELECT"
    if word in _COMMANDS:
        return word.upper()
    return "DDL" if word in _DDL else "UTILITY"


def note_insert(table: str) -> str:
    """SQL for a client's session: rows went into this table, which sys_query_detail shows."""
    return f"select pg_redshift.note_insert({literal(table)})"


def set_last_copy(query_id: int, rows: int) -> str:
    """SQL for a client's session: what pg_last_copy_id() and pg_last_copy_count() return."""
    return (
        f"select set_config('pg_redshift.last_copy_id', '{query_id}', false), "
        f"set_config('pg_redshift.last_copy_count', '{rows}', false)"
    )
