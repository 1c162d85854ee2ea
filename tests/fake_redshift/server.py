"""The proxy: speaks the wire protocol with clients on one side and PostgreSQL on the other."""

import asyncio
import contextlib
import hashlib
import secrets
import ssl
import struct
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from . import copy_runner, type_marks, wire
from .backend_pool import Backend, BackendPool
from .derived_types import DerivedTypes
from .errors import RedshiftError
from .faults import NOT_IN_SNAPSHOT, Faults
from .long_names import LongNames
from .plan import Plan, make_plan
from .postgres import PORT
from .system_log import SystemLog
from .tokens import literal, split
from .translate_answers import client_tag, translate_error
from .wire import Message

_KEPT_PARAMETERS = ("user", "database", "application_name", "client_encoding", "options")
_REPORTED = {"server_version": "8.0.2"}
# A relation that was created after the transaction's snapshot is empty to PostgreSQL. Those that
# the transaction drops itself are no longer in the catalog either.
_READ_BUT_NOT_IN_SNAPSHOT = """
    select relation from pg_locks
    where pid = pg_backend_pid() and locktype = 'relation'
        and database = (select oid from pg_database where datname = current_database())
    group by relation
    having bool_and(mode <> 'AccessExclusiveLock')
        and not exists (select from pg_class where oid = relation)
"""
_ENDS = ("rollback", "commit", "end", "abort")
_TEXT, _VARCHAR = 25, 1043
_SHOWN_TYPES = {_TEXT: _VARCHAR}


@dataclass
class LoggedStatement:
    """One statement as the client sent it. rows and tag are None until it has ended well."""

    session: int
    sql: str
    tag: str | None = None
    rows: int | None = None
    error: str | None = None
    duration: float | None = None
    started: float = field(default_factory=time.time)
    user: str = ""
    query_group: str = "default"


@dataclass
class Settings:
    """What the sessions of one cluster share.

    error_style is 'provisioned' or 'serverless', see copy_runner. s3 is a boto3 client. functions
    are those whose types can be derived, by oid.
    """

    socket: Path
    backends: BackendPool
    database: str
    region: str
    error_style: str
    s3: Any
    log: SystemLog
    faults: Faults
    statements: list[LoggedStatement]
    names: LongNames
    functions: dict[str, str]
    threads: ThreadPoolExecutor
    on_statement: Callable[[LoggedStatement], None] | None = None
    tls: ssl.SSLContext | None = None


class ConnectionCut(Exception):
    """The connection is to be closed without another word."""


class _Answers:
    """Where the messages of PostgreSQL go until its next ReadyForQuery."""

    def __init__(self, forwards: bool, sends_ready: bool) -> None:
        self.forwards, self.sends_ready = forwards, sends_ready
        self.messages: list[Message] = []
        self.done: asyncio.Future = asyncio.get_running_loop().create_future()
        self.copying: asyncio.Future = asyncio.get_running_loop().create_future()


@dataclass
class _Running:
    plan: Plan
    entry: LoggedStatement
    clock: float = field(default_factory=time.monotonic)


class Session:
    """One client's connection and the PostgreSQL session behind it."""

    def __init__(
        self, settings: Settings, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.settings = settings
        self._reader, self._writer = reader, writer
        self._answers: deque[_Answers] = deque()
        self._running: deque[_Running] = deque()
        self._statements: dict[str, Plan | None] = {}
        self._portals: dict[str, Plan | None] = {}
        self._parsed = ""
        self._skipping = False
        self._failed = False
        self._silent = False
        self._backend: Backend | None = None
        self._ends = False
        self._query_group = "default"
        self.status = b"I"
        self.pid = 0
        self.user = ""
        self.pending_copy_id: int | None = None

    async def run(self) -> None:
        """Serve the client until one side closes."""
        if not await self._start():
            return
        backend = asyncio.create_task(self._read_backend())
        client = asyncio.create_task(self._read_client())
        try:
            done, _ = await asyncio.wait({backend, client}, return_when=asyncio.FIRST_COMPLETED)
            if backend in done and client not in done:
                client.cancel()
            for task in done:
                error = task.exception()
                if error and not isinstance(error, (EOFError, OSError, ConnectionCut)):
                    raise error
        finally:
            for task in (backend, client):
                task.cancel()
            await asyncio.gather(backend, client, return_exceptions=True)
            if self._ends and self.status == b"I" and not self._answers:
                await self.settings.backends.give_back(self._backend)
            else:
                self._backend.writer.close()

    # Connecting

    async def _start(self) -> bool:
        code, body = await wire.read_startup(self._reader)
        while code in (wire.SSL_REQUEST, wire.GSS_REQUEST):
            use_tls = code == wire.SSL_REQUEST and self.settings.tls is not None
            self._writer.write(b"S" if use_tls else b"N")
            await self._writer.drain()
            if use_tls:
                await self._writer.start_tls(self.settings.tls)
            code, body = await wire.read_startup(self._reader)
        if code == wire.CANCEL_REQUEST:
            await self._cancel(body)
            return False
        parameters = wire.startup_parameters(body)
        self.user = parameters.get("user", "")
        if not await self._authenticate(parameters):
            return False
        return await self._connect_backend(parameters)

    async def _authenticate(self, parameters: dict[str, str]) -> bool:
        if self.settings.faults.take_login():
            self._send_error(RedshiftError("The cluster is not available", "57P03"), "FATAL")
            return False
        database = parameters.get("database", self.user)
        salt = secrets.token_bytes(4)
        self._writer.write(Message(b"R", struct.pack("!I", 5) + salt).encode())
        await self._writer.drain()
        answer = (await wire.read_message(self._reader)).body.rstrip(b"\0").decode()
        stored = await self.in_thread(self.settings.log.stored_password, self.user)
        expected = hashlib.md5((stored or "")[3:].encode() + salt).hexdigest()
        if stored is None or not secrets.compare_digest(answer, "md5" + expected):
            self._send_error(
                RedshiftError(f'password authentication failed for user "{self.user}"', "28000"),
                "FATAL",
            )
            return False
        if database != self.settings.database:
            self._send_error(
                RedshiftError(f'database "{database}" does not exist', "3D000"), "FATAL"
            )
            return False
        return True

    async def _connect_backend(self, parameters: dict[str, str]) -> bool:
        kept = {k: v for k, v in parameters.items() if k in _KEPT_PARAMETERS}
        self._backend = await self.settings.backends.take(kept)
        for message in self._backend.greeting:
            if message.kind == b"K":
                (self.pid,) = struct.unpack_from("!I", message.body)
            self._writer.write(_as_reported(message).encode())
        if self._backend.greeting[-1].kind == b"E":
            self._backend.writer.close()
            return False
        return True

    async def _cancel(self, body: bytes) -> None:
        _, writer = await asyncio.open_unix_connection(str(self.settings.socket))
        writer.write(struct.pack("!II", len(body) + 8, wire.CANCEL_REQUEST) + body)
        await writer.drain()
        writer.close()

    # From PostgreSQL to the client

    async def _read_backend(self) -> None:
        while True:
            message = await wire.read_message(self._backend.reader)
            if message.kind == b"Z":
                self.status = message.body
                answers = self._answers.popleft()
                if answers.sends_ready and not self._silent:
                    self._writer.write(message.encode())
                if not answers.done.done():
                    answers.done.set_result(answers.messages)
            elif message.kind == b"S":
                self._writer.write(_as_reported(message).encode())
            elif self._answers and not self._answers[0].forwards:
                self._answers[0].messages.append(message)
                if message.kind == b"G":
                    self._answers[0].copying.set_result(True)
            else:
                await self._forward(message)
            await self._writer.drain()

    async def _forward(self, message: Message) -> None:
        if message.kind == b"T":
            message = Message(b"T", wire.replace_types(message.body, _SHOWN_TYPES))
        elif message.kind == b"E":
            fields = wire.read_fields(message.body)
            translated = await self.in_thread(translate_error, fields, self.settings.log, self.pid)
            message = wire.fields(b"E", translated)
            self._failed = True
            if not self._running:
                self._log_refused(self._parsed, translated["M"])
            self._end_statement(error=translated["M"])
            self._running.clear()
        elif message.kind in (b"C", b"I", b"s"):
            message = self._complete(message)
        if not self._silent:
            self._writer.write(self.settings.names.lengthened(message).encode())

    def _complete(self, message: Message) -> Message:
        if message.kind != b"C":
            self._end_statement()
            return message
        tag, _ = wire.split_cstring(message.body)
        plan = self._running[0].plan if self._running else None
        shown = client_tag(tag, plan.tag if plan else None)
        last = tag.split()[-1]
        self._end_statement(tag=shown, rows=int(last) if last.isdigit() else None)
        if plan and self.settings.faults.take("after", plan.body):
            self._silent = True
            self._writer.transport.abort()
            raise ConnectionCut
        return wire.command_complete(shown)

    def _entry(self, sql: str) -> LoggedStatement:
        sql = self.settings.names.lengthen(sql.strip())
        return LoggedStatement(self.pid, sql, user=self.user, query_group=self._query_group)

    def begin_statement(self, plan: Plan) -> _Running:
        """Write a statement that is about to run to the log."""
        running = _Running(plan, self._entry(plan.statement))
        self.settings.statements.append(running.entry)
        self._running.append(running)
        return running

    def _end_statement(
        self, tag: str | None = None, rows: int | None = None, error: str | None = None
    ) -> None:
        if not self._running:
            return
        running = self._running.popleft()
        entry = running.entry
        entry.tag, entry.rows, entry.error = tag, rows, error
        entry.duration = time.monotonic() - running.clock
        if tag and running.plan.query_group is not None:
            self._query_group = running.plan.query_group
        if self.settings.on_statement:
            self.settings.on_statement(entry)

    # From the client to PostgreSQL

    async def _read_client(self) -> None:
        handlers = {
            b"P": self._on_parse,
            b"B": self._on_bind,
            b"E": self._on_execute,
            b"S": self._on_sync,
            b"Q": self._on_query,
        }
        while True:
            message = await wire.read_message(self._reader)
            if message.kind == b"X":
                self._ends = True
                raise ConnectionCut
            if self._skipping and message.kind != b"S":
                continue
            handler = handlers.get(message.kind)
            if handler is None:
                self._backend.writer.write(message.encode())
            else:
                await handler(message)
            await self._backend.writer.drain()

    async def _on_parse(self, message: Message) -> None:
        name, at = wire.split_cstring(message.body)
        sql, at = wire.split_cstring(message.body, at)
        try:
            sql = self.settings.names.shorten(sql)
            plan = await self._plan_one(sql)
        except RedshiftError as error:
            await self._refuse(error, sql)
            return
        self._statements[name], self._parsed = plan, sql
        text = plan.sql if plan else sql
        self._backend.writer.write(wire.parse(name, text, message.body[at:]).encode())

    async def _plan_one(self, sql: str) -> Plan | None:
        if self.status == b"E" and (found := split(sql)) and found[0].word(0) not in _ENDS:
            return Plan(sql, "select 1")
        plan = make_plan(sql)
        if plan is None:
            return None
        await self._check_plan(plan)
        return await self._with_types(plan) if plan.marked else plan

    async def _with_types(self, plan: Plan) -> Plan:
        """The plan with the types that PostgreSQL does not derive."""
        described = literal(type_marks.to_describe(plan.marked))
        ((tree,),) = await self.query(f"select pg_redshift.describe({described})")
        if tree is None:  # The statement fails, or has parameters.
            return plan
        types = DerivedTypes(tree, self.settings.functions)
        return replace(plan, sql=type_marks.filled(plan.marked, types))

    async def _check_plan(self, plan: Plan) -> None:
        """The rules that depend on the session or on the catalog."""
        if plan.reads_history:
            await self.in_thread(self.settings.log.record_history, self.settings.statements)
        if plan.outside_transaction and self.status == b"T":
            raise RedshiftError(
                f"{plan.outside_transaction} cannot run inside a transaction block", "25001"
            )
        if plan.merge_source:
            sql = f"select relkind from pg_class where oid = to_regclass($x${plan.merge_source}$x$)"
            rows = await self.query(sql)
            if rows and rows[0][0] != "r":
                raise RedshiftError("MERGE source must be a table, not a view", "0A000")

    async def _on_bind(self, message: Message) -> None:
        portal, at = wire.split_cstring(message.body)
        statement, _ = wire.split_cstring(message.body, at)
        self._portals[portal] = self._statements.get(statement)
        self._backend.writer.write(message.encode())

    async def _on_execute(self, message: Message) -> None:
        portal, _ = wire.split_cstring(message.body)
        plan = self._portals.get(portal)
        if plan is None:
            self._backend.writer.write(message.encode())
            return
        try:
            self._take_fault(plan)
            if plan.is_served_by_proxy and self.status != b"E":
                await self._settle()
                await self._serve(plan)
                return
        except RedshiftError as error:
            await self._refuse(error, plan.statement)
            return
        self.begin_statement(plan)
        self._backend.writer.write(message.encode())
        if plan.inserts_into or self._has_snapshot_for(plan):
            await self._settle()
            if self._failed:
                self._skipping = True
                return
            try:
                await self._end_with(plan)
            except RedshiftError as error:
                await self._refuse(error, plan.statement)

    async def _on_sync(self, message: Message) -> None:
        self._skipping = self._failed = False
        await self._set_pending_copy_id()
        self._answers.append(_Answers(forwards=True, sends_ready=True))
        self._backend.writer.write(message.encode())

    async def _on_query(self, message: Message) -> None:
        sql, _ = wire.split_cstring(message.body)
        self._failed = False
        try:
            statements = split(self.settings.names.shorten(sql))
            if not statements:
                self._writer.write(Message(b"I", b"").encode())
            for statement in statements:
                plan = await self._plan_one(statement.sql)
                await self._run_simple(plan)
                if self._failed:
                    break
        except RedshiftError as error:
            await self._refuse(error, sql)
            self._skipping = False
        self._failed = False
        await self._set_pending_copy_id()
        self._writer.write(wire.ready(self.status).encode())
        await self._writer.drain()

    async def _run_simple(self, plan: Plan) -> None:
        self._take_fault(plan)
        if plan.is_served_by_proxy and self.status != b"E":
            await self._serve(plan)
            return
        self.begin_statement(plan)
        answers = self._expect(forwards=True)
        self._backend.writer.write(wire.query(plan.sql).encode())
        await answers.done
        if not self._failed:
            await self._end_with(plan)

    def _has_snapshot_for(self, plan: Plan) -> bool:
        return plan.reads and self.status == b"T"

    async def _end_with(self, plan: Plan) -> None:
        """What follows a statement that PostgreSQL has run; raises RedshiftError."""
        if self._has_snapshot_for(plan) and await self.query(_READ_BUT_NOT_IN_SNAPSHOT):
            raise NOT_IN_SNAPSHOT
        if plan.inserts_into:
            await self.note_insert(plan.inserts_into)

    async def note_insert(self, table: str) -> None:
        """Keep for sys_query_detail that rows went into a table."""
        await self.query(f"select pg_redshift.note_insert({literal(table)})")

    def _take_fault(self, plan: Plan) -> None:
        fault = self.settings.faults.take("before", plan.body, plan.statement)
        if isinstance(fault, RedshiftError):
            raise fault
        if fault:
            self.cut()

    def cut(self) -> None:
        """Close both connections at once, as a broken network does."""
        self._silent = True
        self._writer.transport.abort()
        raise ConnectionCut

    # Statements that the proxy serves

    async def _serve(self, plan: Plan) -> None:
        self.begin_statement(plan)
        try:
            if plan.commits_first:
                await self._truncate(plan)
                rows = None
            else:
                rows = await copy_runner.serve(self, plan.copy, plan.body)
        except RedshiftError as error:
            self._end_statement(error=error.message)
            self._failed = True
            raise
        tag = plan.tag or "TRUNCATE TABLE"
        self._end_statement(tag=tag, rows=rows)
        if self.settings.faults.take("after", plan.body):
            self.cut()
        self._writer.write(wire.command_complete(tag).encode())

    async def _truncate(self, plan: Plan) -> None:
        if self.status == b"T":
            await self.query("commit")
        await self.query(plan.sql)

    async def query(self, sql: str) -> list[list[str | None]]:
        """Run SQL in the client's own PostgreSQL session; raises RedshiftError."""
        await self._settle()
        answers = self._expect(forwards=False)
        self._backend.writer.write(wire.query(sql).encode())
        return await self._result(answers)

    async def _result(self, answers: _Answers) -> list[list[str | None]]:
        messages = await answers.done
        for message in messages:
            if message.kind == b"E":
                fields = wire.read_fields(message.body)
                raise RedshiftError(fields["M"], fields["C"], fields.get("D"), fields.get("H"))
        return [wire.data_row(m.body) for m in messages if m.kind == b"D"]

    async def start_copy(self, sql: str) -> _Answers:
        """Begin a COPY FROM STDIN in the client's session; raises RedshiftError."""
        answers = self._expect(forwards=False)
        self._backend.writer.write(wire.query(sql).encode())
        await asyncio.wait({answers.done, answers.copying}, return_when=asyncio.FIRST_COMPLETED)
        if answers.done.done():
            await self._result(answers)
        return answers

    async def copy_data(self, chunk: bytes) -> None:
        self._backend.writer.write(Message(b"d", chunk).encode())
        await self._backend.writer.drain()

    async def end_copy(self, answers: _Answers, failure: str | None = None) -> None:
        """Finish a COPY; raises RedshiftError if it failed, which it does with a `failure`."""
        message = wire.COPY_DONE if failure is None else wire.copy_fail(failure)
        self._backend.writer.write(message.encode())
        await self._result(answers)

    def notify(self, text: str) -> None:
        """Send an INFO message to the client."""
        fields = {"S": "INFO", "C": "00000", "M": text}
        self._writer.write(wire.fields(b"N", fields).encode())

    async def in_thread(self, function: Callable, *arguments: object) -> Any:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.settings.threads, function, *arguments)

    def _expect(self, forwards: bool) -> _Answers:
        answers = _Answers(forwards=forwards, sends_ready=False)
        self._answers.append(answers)
        return answers

    async def _settle(self) -> None:
        """Have PostgreSQL answer all that it was sent, so that it is idle."""
        answers = self._expect(forwards=True)
        self._backend.writer.write(wire.SYNC.encode())
        await answers.done

    async def _refuse(self, error: RedshiftError, sql: str) -> None:
        """Fail a statement in PostgreSQL's stead: abort the transaction, tell the client."""
        await self._settle()
        if self.status == b"T":
            with contextlib.suppress(RedshiftError):
                await self.query("abort the transaction")
        if not self._failed:
            self._log_refused(sql, error.message)
        self._skipping = self._failed = True
        self._send_error(error)
        await self._writer.drain()

    def _log_refused(self, sql: str, error: str) -> None:
        entry = self._entry(sql)
        entry.error, entry.duration = error, 0.0
        self.settings.statements.append(entry)
        if self.settings.on_statement:
            self.settings.on_statement(entry)

    def _send_error(self, error: RedshiftError, severity: str = "ERROR") -> None:
        fields = error.fields() | {"S": severity}
        message = self.settings.names.lengthened(wire.fields(b"E", fields))
        self._writer.write(message.encode())

    async def _set_pending_copy_id(self) -> None:
        """A load that failed on its data is the session's last one even after its rollback."""
        if self.pending_copy_id is None or self.status != b"I":
            return
        copy_id, self.pending_copy_id = self.pending_copy_id, None
        await self.query(copy_runner.last_copy(copy_id, 0))


class Proxy:
    """Listens for clients; runs in the event loop of the thread that starts it."""

    def __init__(self, settings: Settings, host: str, port: int) -> None:
        self.settings, self.host, self.port = settings, host, port
        self._sessions: set[asyncio.Task] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, self.host, self.port, limit=1 << 20)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening and cut every session."""
        self._server.close()
        for task in list(self._sessions):
            task.cancel()
        await asyncio.gather(*self._sessions, return_exceptions=True)
        self.settings.backends.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        self._sessions.add(task)
        try:
            await Session(self.settings, reader, writer).run()
        except (EOFError, OSError, asyncio.CancelledError):
            pass
        finally:
            self._sessions.discard(task)
            writer.close()


def _as_reported(message: Message) -> Message:
    """A message in which PostgreSQL tells of itself, as Redshift would."""
    if message.kind == b"S":
        name, _ = wire.split_cstring(message.body)
        if name in _REPORTED:
            return wire.parameter_status(name, _REPORTED[name])
    return message


def socket_path(folder: Path) -> Path:
    """The socket of the PostgreSQL that runs in `folder`."""
    return folder / f".s.PGSQL.{PORT}"
