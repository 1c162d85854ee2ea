"""COPY, served by the proxy in a client's session and transaction."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from .copy_command import CopyCommand
from .copy_load import Load
from .copy_source import Source
from .copy_values import Column
from .errors import RedshiftError
from .tokens import literal

if TYPE_CHECKING:
    from .server import Session

_COLUMNS = """
select
    a.attname, format_type(coalesce(nullif(t.typbasetype, 0), t.oid), null),
    a.atttypmod, a.attnotnull, a.attidentity, pg_get_expr(d.adbin, d.adrelid), c.oid, c.relkind,
    has_table_privilege(c.oid, 'INSERT')
from pg_class as c
join pg_catalog.pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
join pg_type as t on t.oid = a.atttypid
left join pg_attrdef as d on d.adrelid = c.oid and d.adnum = a.attnum
where c.oid = to_regclass({table})
order by a.attnum
"""
_FAILED = {
    "provisioned": "Load into table '{table}' failed.  Check 'stl_load_errors' system table for "
    "details.",
    "serverless": "Load into table '{table}' failed. Check 'sys_load_error_detail' system table "
    "for details. [ErrorId: 1-00000000-{query:024x}]",
}
ERROR_STYLES = tuple(_FAILED)


class _Target:
    """The table of a COPY, and which of its columns the JSON and the defaults fill."""

    def __init__(self, command: CopyCommand, rows: list[list[str | None]]) -> None:
        self.oid = int(rows[0][6])
        known = {row[0]: row for row in rows}
        identities = [row[0] for row in rows if row[4]]
        explicit = "explicit_ids" in command.flags
        if command.columns is None:
            names = [row[0] for row in rows if not row[4] or explicit]
        else:
            names = command.columns
        for name in names:
            if name not in known:
                raise RedshiftError(
                    f'column "{name}" of relation "{command.table_name}" does not exist', "42703"
                )
        if len(set(names)) != len(names):
            raise RedshiftError("a column is listed more than once", "42701")
        loads_identity = any(known[name][4] == "a" for name in names)
        if loads_identity and not explicit:
            raise RedshiftError("cannot set an identity column to a value without EXPLICIT_IDS")
        if explicit and identities and not set(identities) <= set(names):
            raise RedshiftError("EXPLICIT_IDS needs the identity column in the column list")
        self.columns = [_column(known[name]) for name in names]
        rest = [row for row in rows if row[0] not in names and not row[4] and row[5]]
        self.default_names = [row[0] for row in rest]
        self.defaults = [row[5] for row in rest]


def _column(row: list[str | None]) -> Column:
    name, kind, modifier = row[0], row[1], int(row[2])
    length = precision = scale = None
    if kind == "jsonb":
        kind = "super"
    if kind in ("character varying", "character"):
        length = modifier - 4 if modifier > 0 else None
    if kind == "numeric" and modifier > 0:
        precision, scale = (modifier - 4) >> 16 & 0xFFFF, (modifier - 4) & 0x7FF
    return Column(name, kind, length, precision, scale, row[3] == "t")


async def serve(session: Session, command: CopyCommand, statement: str) -> int:
    """Run a COPY and return the number of rows loaded; raises RedshiftError.

    On an error the session's transaction is aborted by the caller.
    """
    started = datetime.now(UTC).replace(tzinfo=None)
    target = await _target(session, command)
    settings = session.settings
    source = Source(command, settings.s3, settings.region)
    load = Load(command, source, target.columns)
    if target.defaults:
        listed = ", ".join(f"({expression})::text" for expression in target.defaults)
        load.constants = (await session.query(f"select {listed}"))[0]
    await session.in_thread(load.prepare)
    query_id = await session.in_thread(settings.log.next_query_id)
    identity = {
        "query": query_id,
        "transaction": query_id,
        "session": session.pid,
        "user": session.user,
        "database": settings.database,
        "table": command.table_name,
        "table_id": target.oid,
        "started": started,
    }
    try:
        await _run(session, load, target, statement, query_id)
    except RedshiftError:
        await session.in_thread(settings.log.record, load, "aborted", identity)
        session.pending_copy_id = query_id
        raise
    await session.query(last_copy(query_id, load.rows))
    await session.note_insert(command.quoted_table)
    await session.in_thread(settings.log.record, load, "completed", identity)
    table = command.table_name
    session.notify(
        f"Load into table '{table}' completed, {load.rows} record(s) loaded successfully."
    )
    if load.errors:
        session.notify(
            f"Load into table '{table}' completed, {len(load.errors)} record(s) could not be "
            "loaded.  Check 'stl_load_errors' system table for details."
        )
    return load.rows


async def _target(session: Session, command: CopyCommand) -> _Target:
    rows = await session.query(_COLUMNS.format(table=literal(command.quoted_table)))
    if not rows:
        raise RedshiftError(f"Cannot COPY into nonexistent table {command.table_name}", "42P01")
    if rows[0][7] != "r":
        raise RedshiftError(f'cannot copy to view "{command.table_name}"', "42809")
    if rows[0][8] != "t":
        raise RedshiftError(f"permission denied for relation {command.table_name}", "42501")
    return _Target(command, rows)


def last_copy(query_id: int, rows: int) -> str:
    """SQL that sets what pg_last_copy_id() and pg_last_copy_count() return."""
    return (
        f"select set_config('pg_redshift.last_copy_id', '{query_id}', false), "
        f"set_config('pg_redshift.last_copy_count', '{rows}', false)"
    )


async def _run(
    session: Session, load: Load, target: _Target, statement: str, query_id: int
) -> None:
    """Load the rows; raises RedshiftError if too many are bad or PostgreSQL refuses them."""
    command = load.command
    loop = asyncio.get_running_loop()
    answers = None
    if "noload" not in command.flags:
        names = [c.name for c in load.columns] + target.default_names
        listed = ", ".join('"' + name.replace('"', '""') + '"' for name in names)
        answers = await session.start_copy(f"copy {command.quoted_table} ({listed}) from stdin")

    def pump() -> None:
        for number, chunk in enumerate(load.chunks()):
            if answers is None:
                continue
            if answers.done.done():
                return
            asyncio.run_coroutine_threadsafe(session.copy_data(chunk), loop).result()
            if number == 0 and session.settings.faults.take("during", statement):
                raise ConnectionResetError

    try:
        await session.in_thread(pump)
    except ConnectionResetError:
        session.cut()
    except RedshiftError:
        if answers is not None:
            with contextlib.suppress(RedshiftError):
                await session.end_copy(answers, "the source cannot be read")
        raise
    if load.failed:
        if answers is not None:
            with contextlib.suppress(RedshiftError):
                await session.end_copy(answers, "the load failed")
        text = _FAILED[session.settings.error_style]
        raise RedshiftError(text.format(table=command.table_name, query=query_id))
    if answers is not None:
        await session.end_copy(answers)
    else:
        load.rows = 0
