"""One client's session: each message goes to PostgreSQL, or is answered in its stead."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Self

from . import system_log, translate_answers, wire
from .backend_pool import Backend
from .client_connection import ClientConnection, ConnectionCut
from .copy_runner import CopyRunner
from .errors import RedshiftError
from .faults import NOT_IN_SNAPSHOT
from .login import log_in
from .plan import Plan
from .planner import Planner
from .shared_state import SharedState
from .statement_log import StatementLog
from .tokens import split
from .upstream import Upstream
from .wire import FromClient, FromServer, Message

_KEPT_PARAMETERS = ("user", "database", "application_name", "client_encoding", "options")
# To PostgreSQL a relation that was created after the transaction's snapshot is empty. Relations
# that the transaction has dropped itself are no longer in the catalog either.
_READ_BUT_NOT_IN_SNAPSHOT = """
    select relation from pg_locks
    where pid = pg_backend_pid() and locktype = 'relation'
        and database = (select oid from pg_database where datname = current_database())
    group by relation
    having bool_and(mode <> 'AccessExclusiveLock')
        and not exists (select from pg_class where oid = relation)
"""


class Session:
    """One client's session and the PostgreSQL session behind it.

    In the extended protocol a statement is parsed, bound and executed by one message each, and
    after an error all messages up to the next Sync are skipped.
    """

    def __init__(
        self, shared: SharedState, client: ClientConnection, backend: Backend, user: str
    ) -> None:
        self._shared, self._client = shared, client
        self._postgres = Upstream(backend)
        self._planner = Planner(shared, self._postgres)
        self._copies = CopyRunner(shared, self._postgres, client, user)
        self._log = StatementLog(
            shared.statements, shared.on_statement, shared.names, backend.pid, user
        )
        self._statements: dict[str, Plan | None] = {}
        self._portals: dict[str, Plan | None] = {}
        self._parsed = ""
        self._has_failed = False
        self._skips_to_sync = False
        self._handlers: dict[bytes, Callable[[Message], Awaitable[None]]] = {
            FromClient.PARSE: self._on_parse,
            FromClient.BIND: self._on_bind,
            FromClient.EXECUTE: self._on_execute,
            FromClient.SYNC: self._on_sync,
            FromClient.QUERY: self._on_query,
        }

    @classmethod
    async def open(cls, shared: SharedState, client: ClientConnection) -> Self | None:
        """The session of a new connection; None if it does not log in."""
        parameters = await log_in(client, shared)
        if parameters is None:
            return None
        kept = {k: v for k, v in parameters.items() if k in _KEPT_PARAMETERS}
        backend = await shared.backends.take(kept)
        for message in backend.greeting:
            client.send(translate_answers.parameter_status(message))
        if backend.is_refused:
            backend.close()
            return None
        return cls(shared, client, backend, parameters.get("user", ""))

    async def run(self) -> None:
        """Serve the client until one side closes."""
        postgres = asyncio.create_task(self._read_postgres())
        client = asyncio.create_task(self._read_client())
        try:
            done, _ = await asyncio.wait({postgres, client}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                error = task.exception()
                if error and not isinstance(error, (EOFError, OSError, ConnectionCut)):
                    raise error
        finally:
            for task in (postgres, client):
                task.cancel()
            _, failure = await asyncio.gather(postgres, client, return_exceptions=True)
            if failure is None and self._postgres.is_idle:
                await self._shared.backends.give_back(self._postgres.backend)
            else:
                self._postgres.backend.close()

    # From PostgreSQL to the client

    async def _read_postgres(self) -> None:
        while True:
            message = await self._postgres.receive()
            if message is not None:
                self._client.send(await self._translated(message))
            await self._client.drain()

    async def _translated(self, message: Message) -> Message:
        """A message as Redshift would send it; the outcome of a statement is logged."""
        if message.kind == FromServer.PARAMETER_STATUS:
            return translate_answers.parameter_status(message)
        if message.kind == FromServer.ROW_DESCRIPTION:
            return translate_answers.row_description(message)
        if message.kind == FromServer.ERROR_RESPONSE:
            fields = await self._shared.in_thread(
                translate_answers.translate_error,
                wire.read_fields(message.body),
                self._shared.log,
                self._postgres.pid,
            )
            self._has_failed = True
            self._log.fail(fields["M"], self._parsed)
            return wire.fields(FromServer.ERROR_RESPONSE, fields)
        if message.kind == FromServer.COMMAND_COMPLETE:
            return self._complete(message)
        if message.kind in (FromServer.EMPTY_QUERY_RESPONSE, FromServer.PORTAL_SUSPENDED):
            self._log.end()
        return message

    def _complete(self, message: Message) -> Message:
        tag, _ = wire.split_cstring(message.body)
        plan = self._log.running
        shown = translate_answers.client_tag(tag, plan.tag if plan else None)
        last = tag.split()[-1]
        self._log.end(tag=shown, rows=int(last) if last.isdigit() else None)
        if plan and self._shared.faults.take("after", plan.body):
            self._client.cut()
        return wire.command_complete(shown)

    # From the client to PostgreSQL

    async def _read_client(self) -> None:
        while (message := await self._client.read()).kind != FromClient.TERMINATE:
            if self._skips_to_sync and message.kind != FromClient.SYNC:
                continue
            handler = self._handlers.get(message.kind)
            if handler is None:
                self._postgres.send(message)
            else:
                await handler(message)
            await self._postgres.drain()

    async def _on_parse(self, message: Message) -> None:
        name, at = wire.split_cstring(message.body)
        sql, at = wire.split_cstring(message.body, at)
        try:
            sql = self._shared.names.shorten(sql)
            plan = await self._planner.plan(sql)
        except RedshiftError as error:
            await self._refuse(error, sql)
            return
        self._statements[name], self._parsed = plan, sql
        self._postgres.send(wire.parse(name, plan.sql if plan else sql, message.body[at:]))

    async def _on_bind(self, message: Message) -> None:
        portal, at = wire.split_cstring(message.body)
        statement, _ = wire.split_cstring(message.body, at)
        self._portals[portal] = self._statements.get(statement)
        self._postgres.send(message)

    async def _on_execute(self, message: Message) -> None:
        portal, _ = wire.split_cstring(message.body)
        plan = self._portals.get(portal)
        if plan is None:
            self._postgres.send(message)
            return
        try:
            self._take_fault(plan)
            if self._is_served_here(plan):
                await self._postgres.settle()
                await self._serve(plan)
                return
            self._log.begin(plan)
            self._postgres.send(message)
            if plan.inserts_into or self._takes_snapshot(plan):
                await self._postgres.settle()
                if self._has_failed:
                    self._skips_to_sync = True
                else:
                    await self._finish(plan)
        except RedshiftError as error:
            await self._refuse(error, plan.statement)

    async def _on_sync(self, message: Message) -> None:
        self._skips_to_sync = self._has_failed = False
        await self._copies.set_last_id()
        self._postgres.forward_sync()

    async def _on_query(self, message: Message) -> None:
        """The simple protocol: one message holds any number of statements."""
        sql, _ = wire.split_cstring(message.body)
        self._has_failed = False
        try:
            statements = split(self._shared.names.shorten(sql))
            if not statements:
                self._client.send(wire.EMPTY_QUERY_RESPONSE)
            for statement in statements:
                await self._run_simple(await self._planner.plan(statement.sql))
                if self._has_failed:
                    break
        except RedshiftError as error:
            await self._refuse(error, sql)
            self._skips_to_sync = False
        self._has_failed = False
        await self._copies.set_last_id()
        self._client.send(wire.ready(self._postgres.status))
        await self._client.drain()

    async def _run_simple(self, plan: Plan) -> None:
        self._take_fault(plan)
        if self._is_served_here(plan):
            await self._serve(plan)
            return
        self._log.begin(plan)
        await self._postgres.forward_query(plan.sql)
        if not self._has_failed:
            await self._finish(plan)

    # Beside PostgreSQL, or in its stead

    def _take_fault(self, plan: Plan) -> None:
        fault = self._shared.faults.take("before", plan.body, plan.statement)
        if isinstance(fault, RedshiftError):
            raise fault
        if fault:
            self._client.cut()

    def _takes_snapshot(self, plan: Plan) -> bool:
        """Whether the statement reads in a transaction, whose snapshot may lack a relation."""
        return plan.reads and self._postgres.is_in_transaction

    async def _finish(self, plan: Plan) -> None:
        """What follows a statement that PostgreSQL has run; raises RedshiftError."""
        if self._takes_snapshot(plan) and await self._postgres.query(_READ_BUT_NOT_IN_SNAPSHOT):
            raise NOT_IN_SNAPSHOT
        if plan.inserts_into:
            await self._postgres.query(system_log.note_insert(plan.inserts_into))

    def _is_served_here(self, plan: Plan) -> bool:
        return plan.is_served_by_proxy and not self._postgres.has_failed_transaction

    async def _serve(self, plan: Plan) -> None:
        """Run COPY or TRUNCATE; raises RedshiftError."""
        self._log.begin(plan)
        try:
            if plan.commits_first:
                if self._postgres.is_in_transaction:
                    await self._postgres.query("commit")
                await self._postgres.query(plan.sql)
                rows = None
            else:
                rows = await self._copies.run(plan.copy, plan.body)
        except RedshiftError as error:
            self._log.end(error=error.message)
            self._has_failed = True
            raise
        tag = plan.tag or "TRUNCATE TABLE"
        self._log.end(tag=tag, rows=rows)
        if self._shared.faults.take("after", plan.body):
            self._client.cut()
        self._client.send(wire.command_complete(tag))

    async def _refuse(self, error: RedshiftError, sql: str) -> None:
        """Fail a statement in PostgreSQL's stead: abort the transaction, tell the client."""
        await self._postgres.settle()
        await self._postgres.abort()
        if not self._has_failed:
            self._log.refuse(sql, error.message)
        self._skips_to_sync = self._has_failed = True
        self._client.send_error(error)
        await self._client.drain()
