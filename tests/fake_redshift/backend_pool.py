"""Sessions of PostgreSQL, kept for the next client.

To start one costs as much as some tens of small statements: it begins with empty caches.
"""

import asyncio
import contextlib
from pathlib import Path
from typing import Self

from . import wire
from .wire import Message


class Backend:
    """A session of PostgreSQL and what it said when it began, up to ReadyForQuery or an error."""

    def __init__(
        self,
        parameters: dict[str, str],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        greeting: list[Message],
    ) -> None:
        self.parameters, self.reader, self.writer = parameters, reader, writer
        self.greeting = greeting

    @classmethod
    async def start(cls, socket: Path, parameters: dict[str, str]) -> Self:
        """A new session."""
        reader, writer = await asyncio.open_unix_connection(str(socket), limit=1 << 20)
        writer.write(wire.startup(parameters))
        greeting = [await wire.read_message(reader)]
        while greeting[-1].kind not in (b"Z", b"E"):
            greeting.append(await wire.read_message(reader))
        return cls(parameters, reader, writer, greeting)

    async def answers(self, question: Message) -> bool:
        """Whether it answers a question, and without an error. It must be idle."""
        self.writer.write(question.encode())
        with contextlib.suppress(EOFError, OSError):
            while (message := await wire.read_message(self.reader)).kind != b"E":
                if message.kind == b"Z":
                    return True
        return False


class BackendPool:
    """The sessions that no client uses."""

    def __init__(self, socket: Path) -> None:
        self.socket = socket
        self._idle: list[Backend] = []

    async def take(self, parameters: dict[str, str]) -> Backend:
        """A session that began with these parameters and is as if it had just begun."""
        for backend in self._idle[:]:
            if backend.parameters == parameters and backend in self._idle:
                self._idle.remove(backend)
                if await backend.answers(wire.query("select current_user")):  # not dropped
                    return backend
                backend.writer.close()
        return await Backend.start(self.socket, parameters)

    async def give_back(self, backend: Backend) -> None:
        """Keep a session, which is idle and outside a transaction."""
        try:
            if await backend.answers(wire.query("discard all")):
                self._idle.append(backend)
        finally:
            if backend not in self._idle:
                backend.writer.close()

    def close(self) -> None:
        """End all sessions."""
        while self._idle:
            self._idle.pop().writer.close()
