"""The proxy: listens for clients and starts a session for each."""

import asyncio

from .client_connection import ClientConnection
from .session import Session
from .shared_state import SharedState


class Proxy:
    """Listens for clients; runs in the event loop of the thread that starts it."""

    def __init__(self, shared: SharedState, host: str, port: int) -> None:
        self.host, self.port = host, port
        self.shared = shared
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
        self.shared.backends.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        self._sessions.add(task)
        try:
            client = ClientConnection(reader, writer, self.shared.names)
            session = await Session.open(self.shared, client)
            if session is not None:
                await session.run()
        except (EOFError, OSError, asyncio.CancelledError):
            pass
        finally:
            self._sessions.discard(task)
            writer.close()
