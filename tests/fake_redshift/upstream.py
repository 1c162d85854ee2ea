"""The PostgreSQL session behind a client: what it is sent, and who gets its answers."""

import asyncio
import contextlib
from collections import deque

from . import wire
from .backend_pool import Backend
from .errors import RedshiftError
from .wire import FromServer, Message, TransactionStatus


class Exchange:
    """Something sent to PostgreSQL, and the answers up to the next ReadyForQuery.

    for_client: the answers go to the client; otherwise they are collected in `messages`.
    sends_ready: the ReadyForQuery goes to the client, too.
    done: set to `messages` at the end. copying: set when PostgreSQL waits for the rows of a COPY.
    """

    def __init__(self, for_client: bool, sends_ready: bool = False) -> None:
        self.for_client, self.sends_ready = for_client, sends_ready
        self.messages: list[Message] = []
        self.done: asyncio.Future = asyncio.get_running_loop().create_future()
        self.copying: asyncio.Future = asyncio.get_running_loop().create_future()


class Upstream:
    """The PostgreSQL session of one client."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self._exchanges: deque[Exchange] = deque()
        self.status = TransactionStatus.NONE

    @property
    def pid(self) -> int:
        return self.backend.pid

    @property
    def is_outside_transaction(self) -> bool:
        return self.status == TransactionStatus.NONE

    @property
    def is_in_transaction(self) -> bool:
        """Whether a transaction is open that has not failed."""
        return self.status == TransactionStatus.OPEN

    @property
    def has_failed_transaction(self) -> bool:
        return self.status == TransactionStatus.FAILED

    @property
    def is_idle(self) -> bool:
        """Whether it is outside a transaction and has answered everything."""
        return self.is_outside_transaction and not self._exchanges

    async def receive(self) -> Message | None:
        """Read one message; None if it is not for the client."""
        message = await wire.read_message(self.backend.reader)
        if message.kind == FromServer.READY_FOR_QUERY:
            self.status = message.body
            exchange = self._exchanges.popleft()
            if not exchange.done.done():
                exchange.done.set_result(exchange.messages)
            return message if exchange.sends_ready else None
        if message.kind == FromServer.PARAMETER_STATUS:
            return message
        if not self._exchanges or self._exchanges[0].for_client:
            return message
        self._exchanges[0].messages.append(message)
        if message.kind == FromServer.COPY_IN_RESPONSE:
            self._exchanges[0].copying.set_result(True)
        return None

    def send(self, message: Message) -> None:
        self.backend.writer.write(message.encode())

    async def drain(self) -> None:
        """Wait until PostgreSQL has taken most of what it was sent."""
        await self.backend.writer.drain()

    def forward_sync(self) -> None:
        """Send the client's Sync, whose answers are all for the client."""
        self._begin(Exchange(for_client=True, sends_ready=True), wire.SYNC)

    async def forward_query(self, sql: str) -> None:
        """Run SQL; the client gets all answers but the last, the ReadyForQuery."""
        await self._begin(Exchange(for_client=True), wire.query(sql)).done

    async def settle(self) -> None:
        """Have PostgreSQL answer everything it was sent, so that it is idle."""
        await self._begin(Exchange(for_client=True), wire.SYNC).done

    async def query(self, sql: str) -> list[list[str | None]]:
        """Run SQL without the client's knowledge; its rows. Raises RedshiftError."""
        await self.settle()
        return await self._result(self._begin(Exchange(for_client=False), wire.query(sql)))

    async def abort(self) -> None:
        """Have an open transaction fail, as after any error."""
        if self.is_in_transaction:
            with contextlib.suppress(RedshiftError):
                await self.query("abort the transaction")  # a syntax error

    async def start_copy(self, sql: str) -> Exchange:
        """Begin a COPY FROM STDIN; raises RedshiftError."""
        exchange = self._begin(Exchange(for_client=False), wire.query(sql))
        await asyncio.wait({exchange.done, exchange.copying}, return_when=asyncio.FIRST_COMPLETED)
        if exchange.done.done():
            await self._result(exchange)
        return exchange

    async def copy_data(self, chunk: bytes) -> None:
        self.send(wire.copy_data(chunk))
        await self.drain()

    async def end_copy(self, exchange: Exchange, failure: str | None = None) -> None:
        """Finish a COPY; raises RedshiftError if it fails, as it does if given a `failure`."""
        self.send(wire.COPY_DONE if failure is None else wire.copy_fail(failure))
        await self._result(exchange)

    def _begin(self, exchange: Exchange, message: Message) -> Exchange:
        self._exchanges.append(exchange)
        self.send(message)
        return exchange

    async def _result(self, exchange: Exchange) -> list[list[str | None]]:
        messages = await exchange.done
        for message in messages:
            if message.kind == FromServer.ERROR_RESPONSE:
                fields = wire.read_fields(message.body)
                raise RedshiftError(fields["M"], fields["C"], fields.get("D"), fields.get("H"))
        return [wire.data_row(m.body) for m in messages if m.kind == FromServer.DATA_ROW]
