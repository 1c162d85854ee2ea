"""The connection to a client: what it is sent."""

import asyncio
import ssl

from . import wire
from .errors import RedshiftError
from .long_names import LongNames
from .wire import FromServer, Message


class ConnectionCut(Exception):
    """The connection was closed on purpose, without another word."""


class ClientConnection:
    """One client's connection, whose messages show names in full."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, names: LongNames
    ) -> None:
        self.reader = reader
        self._writer = writer
        self._names = names
        self._is_cut = False

    async def read(self) -> Message:
        return await wire.read_message(self.reader)

    def send(self, message: Message) -> None:
        self.send_bytes(self._names.lengthened(message).encode())

    def send_bytes(self, data: bytes) -> None:
        if not self._is_cut:
            self._writer.write(data)

    def send_error(self, error: RedshiftError, severity: str = "ERROR") -> None:
        self.send(wire.fields(FromServer.ERROR_RESPONSE, error.fields() | {"S": severity}))

    def send_info(self, text: str) -> None:
        """Send an INFO message."""
        fields = {"S": "INFO", "C": "00000", "M": text}
        self.send(wire.fields(FromServer.NOTICE_RESPONSE, fields))

    async def drain(self) -> None:
        """Wait until the client has taken most of what it was sent."""
        await self._writer.drain()

    async def start_tls(self, context: ssl.SSLContext) -> None:
        await self._writer.start_tls(context)

    def cut(self) -> None:
        """Close the connection at once, as a broken network does; raises ConnectionCut."""
        self._is_cut = True
        self._writer.transport.abort()
        raise ConnectionCut
