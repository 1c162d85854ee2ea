"""COPY, run by the proxy in a client's session and transaction."""

import asyncio
import contextlib
from datetime import UTC, datetime

from . import system_log
from .client_connection import ClientConnection
from .copy_command import CopyCommand
from .copy_load import Load
from .copy_source import Source
from .copy_values import Column
from .errors import RedshiftError
from .shared_state import SharedState
from .tokens import literal, quoted
from .upstream import Upstream

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
    """The table of a COPY, and the columns that the JSON and the DEFAULTs fill."""

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


class CopyRunner:
    """Runs the COPYs of one session."""

    def __init__(
        self, shared: SharedState, postgres: Upstream, client: ClientConnection, user: str
    ) -> None:
        self._shared, self._postgres, self._client, self._user = shared, postgres, client, user
        self._failed_id: int | None = None

    async def run(self, command: CopyCommand, statement: str) -> int:
        """Run a COPY and return the number of rows loaded; raises RedshiftError.

        After an error the caller aborts the session's transaction.
        """
        started = datetime.now(UTC).replace(tzinfo=None)
        shared, postgres = self._shared, self._postgres
        target = await self._target(command)
        load = Load(command, Source(command, shared.s3, shared.region), target.columns)
        if target.defaults:
            listed = ", ".join(f"({expression})::text" for expression in target.defaults)
            load.constants = (await postgres.query(f"select {listed}"))[0]
        await shared.in_thread(load.prepare)
        query_id = await shared.in_thread(shared.log.next_query_id)
        identity = {
            "query": query_id,
            "transaction": query_id,
            "session": postgres.pid,
            "user": self._user,
            "database": shared.database,
            "table": command.table_name,
            "table_id": target.oid,
            "started": started,
        }
        try:
            await self._load(load, target, statement, query_id)
        except RedshiftError:
            await shared.in_thread(shared.log.record, load, "aborted", identity)
            self._failed_id = query_id
            raise
        await postgres.query(system_log.set_last_copy(query_id, load.rows))
        await postgres.query(system_log.note_insert(command.quoted_table))
        await shared.in_thread(shared.log.record, load, "completed", identity)
        table = command.table_name
        self._client.send_info(
            f"Load into table '{table}' completed, {load.rows} record(s) loaded successfully."
        )
        if load.errors:
            self._client.send_info(
                f"Load into table '{table}' completed, {len(load.errors)} record(s) could not be "
                "loaded.  Check 'stl_load_errors' system table for details."
            )
        return load.rows

    async def set_last_id(self) -> None:
        """Have pg_last_copy_id() return a COPY that failed on its data, once it is rolled back."""
        if self._failed_id is None or not self._postgres.is_outside_transaction:
            return
        copy_id, self._failed_id = self._failed_id, None
        await self._postgres.query(system_log.set_last_copy(copy_id, 0))

    async def _target(self, command: CopyCommand) -> _Target:
        rows = await self._postgres.query(_COLUMNS.format(table=literal(command.quoted_table)))
        if not rows:
            raise RedshiftError(f"Cannot COPY into nonexistent table {command.table_name}", "42P01")
        if rows[0][7] != "r":
            raise RedshiftError(f'cannot copy to view "{command.table_name}"', "42809")
        if rows[0][8] != "t":
            raise RedshiftError(f"permission denied for relation {command.table_name}", "42501")
        return _Target(command, rows)

    async def _load(self, load: Load, target: _Target, statement: str, query_id: int) -> None:
        """Load the rows; raises RedshiftError if too many are bad or PostgreSQL refuses them."""
        command, postgres = load.command, self._postgres
        loop = asyncio.get_running_loop()
        exchange = None
        if "noload" not in command.flags:
            names = [c.name for c in load.columns] + target.default_names
            listed = ", ".join(quoted([name]) for name in names)
            exchange = await postgres.start_copy(
                f"copy {command.quoted_table} ({listed}) from stdin"
            )

        def pump() -> None:
            for number, chunk in enumerate(load.chunks()):
                if exchange is None:
                    continue
                if exchange.done.done():
                    return
                asyncio.run_coroutine_threadsafe(postgres.copy_data(chunk), loop).result()
                if number == 0 and self._shared.faults.take("during", statement):
                    raise ConnectionResetError

        async def give_up(reason: str) -> None:
            if exchange is not None:
                with contextlib.suppress(RedshiftError):
                    await postgres.end_copy(exchange, reason)

        try:
            await self._shared.in_thread(pump)
        except ConnectionResetError:
            self._client.cut()
        except RedshiftError:
            await give_up("the source cannot be read")
            raise
        if load.failed:
            await give_up("the load failed")
            text = _FAILED[self._shared.error_style]
            raise RedshiftError(text.format(table=command.table_name, query=query_id))
        if exchange is None:
            load.rows = 0
        else:
            await postgres.end_copy(exchange)
