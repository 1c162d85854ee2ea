"""PostgreSQL sessions, kept for the next client.

Starting one costs as much as dozens of small statements, because its caches are empty.
"""

import asyncio
import contextlib
from pathlib import Path
from typing import Self

from . import wire
from .wire import FromServer, Message


class Backend:
    """A PostgreSQL session, and what it sent at its start, up to ReadyForQuery or an error."""

    def __init__(
        self,
        parameters: dict[str, str],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        greeting: list[Message],
    ) -> None:
        self.parameters, self.reader, self.writer = parameters, reader, writer
        self.greeting = greeting
        self.pid = next(
            (wire.process_id(m.body) for m in greeting if m.kind == FromServer.BACKEND_KEY_DATA), 0
        )

    @classmethod
    async def start(cls, socket: Path, parameters: dict[str, str]) -> Self:
        reader, writer = await asyncio.open_unix_connection(str(socket), limit=1 << 20)
        writer.write(wire.startup(parameters))
        greeting = [await wire.read_message(reader)]
        while greeting[-1].kind not in (
            FromServer.READY_FOR_QUERY,
            FromServer.ERROR_RESPONSE,
        ):
            greeting.append(await wire.read_message(reader))
        return cls(parameters, reader, writer, greeting)

    @property
    def is_refused(self) -> bool:
        """Whether PostgreSQL has refused to start the session."""
        return self.greeting[-1].kind == FromServer.ERROR_RESPONSE

    async def runs(self, sql: str) -> bool:
        """Run a statement in the session, which must be idle; whether it succeeds."""
        self.writer.write(wire.query(sql).encode())
        with contextlib.suppress(EOFError, OSError):
            message = await wire.read_message(self.reader)
            while message.kind != FromServer.ERROR_RESPONSE:
                if message.kind == FromServer.READY_FOR_QUERY:
                    return True
                message = await wire.read_message(self.reader)
        return False

    def close(self) -> None:
        self.writer.close()


class BackendPool:
    """The sessions that no client uses at the moment."""

    def __init__(self, socket: Path) -> None:
        self.socket = socket
        self._idle: list[Backend] = []

    async def take(self, parameters: dict[str, str]) -> Backend:
        """A session with these startup parameters, either new or reset to its initial state."""
        for backend in self._idle[:]:
            if backend.parameters == parameters and backend in self._idle:
                self._idle.remove(backend)
                if await backend.runs("select current_user"):  # fails if the user was dropped
                    return backend
                backend.close()
        return await Backend.start(self.socket, parameters)

    async def give_back(self, backend: Backend) -> None:
        """Keep a session that is idle and outside a transaction."""
        try:
            if await backend.runs("discard all"):
                self._idle.append(backend)
        finally:
            if backend not in self._idle:
                backend.close()

    def close(self) -> None:
        """End all sessions."""
        while self._idle:
            self._idle.pop().close()
