"""The messages of PostgreSQL's wire protocol, version 3: framing, building and reading them."""

import asyncio
import struct
from typing import NamedTuple

SSL_REQUEST = 80877103
GSS_REQUEST = 80877104
CANCEL_REQUEST = 80877102
PROTOCOL_VERSION = 196608


class Message(NamedTuple):
    """One message: its type byte and what follows the length."""

    kind: bytes
    body: bytes

    def encode(self) -> bytes:
        return self.kind + struct.pack("!I", len(self.body) + 4) + self.body


async def read_message(reader: asyncio.StreamReader) -> Message:
    """Read one message; raises asyncio.IncompleteReadError at the end of the stream."""
    kind = await reader.readexactly(1)
    (length,) = struct.unpack("!I", await reader.readexactly(4))
    return Message(kind, await reader.readexactly(length - 4))


async def read_startup(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Read a message that has no type byte: its code and the rest."""
    (length,) = struct.unpack("!I", await reader.readexactly(4))
    body = await reader.readexactly(length - 4)
    return struct.unpack("!I", body[:4])[0], body[4:]


def cstring(text: str) -> bytes:
    return text.encode() + b"\0"


def split_cstring(body: bytes, start: int = 0) -> tuple[str, int]:
    """The string that begins at `start`, and the offset after its terminator."""
    end = body.index(b"\0", start)
    return body[start:end].decode(), end + 1


def startup(parameters: dict[str, str]) -> bytes:
    pairs = b"".join(cstring(name) + cstring(value) for name, value in parameters.items())
    body = struct.pack("!I", PROTOCOL_VERSION) + pairs + b"\0"
    return struct.pack("!I", len(body) + 4) + body


def startup_parameters(body: bytes) -> dict[str, str]:
    words = body.rstrip(b"\0").split(b"\0")
    return {k.decode(): v.decode() for k, v in zip(words[::2], words[1::2], strict=False)}


def query(sql: str) -> Message:
    return Message(b"Q", cstring(sql))


def parse(name: str, sql: str, rest: bytes) -> Message:
    """Parse: `rest` is the count and the types of the parameters, as the client sent them."""
    return Message(b"P", cstring(name) + cstring(sql) + rest)


SYNC = Message(b"S", b"")
COPY_DONE = Message(b"c", b"")


def copy_fail(reason: str) -> Message:
    return Message(b"f", cstring(reason))


def fields(kind: bytes, values: dict[str, str]) -> Message:
    """An ErrorResponse (E) or NoticeResponse (N)."""
    return Message(kind, b"".join(k.encode() + cstring(v) for k, v in values.items()) + b"\0")


def read_fields(body: bytes) -> dict[str, str]:
    """The fields of an ErrorResponse or NoticeResponse."""
    return {part[:1].decode(): part[1:].decode() for part in body.split(b"\0") if part}


def parameter_status(name: str, value: str) -> Message:
    return Message(b"S", cstring(name) + cstring(value))


def command_complete(tag: str) -> Message:
    return Message(b"C", cstring(tag))


def ready(status: bytes) -> Message:
    return Message(b"Z", status)


def data_row(body: bytes) -> list[str | None]:
    """The values of a DataRow in text format."""
    (count,) = struct.unpack_from("!H", body)
    values: list[str | None] = []
    offset = 2
    for _ in range(count):
        (length,) = struct.unpack_from("!i", body, offset)
        offset += 4
        if length < 0:
            values.append(None)
            continue
        values.append(body[offset : offset + length].decode())
        offset += length
    return values


def replace_types(body: bytes, types: dict[int, int]) -> bytes:
    """A RowDescription's body with some type ids replaced by others."""
    out = bytearray(body)
    (count,) = struct.unpack_from("!H", body)
    offset = 2
    for _ in range(count):
        offset = body.index(b"\0", offset) + 1 + 6
        (oid,) = struct.unpack_from("!I", body, offset)
        if oid in types:
            struct.pack_into("!I", out, offset, types[oid])
        offset += 12
    return bytes(out)
