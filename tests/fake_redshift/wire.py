"""The messages of PostgreSQL's wire protocol, version 3: their kinds, building, reading.

https://www.postgresql.org/docs/current/protocol-message-formats.html describes each.
"""

import asyncio
import struct
from typing import NamedTuple

# The codes of the messages that may open a connection, which have no kind.
SSL_REQUEST = 80877103
GSS_REQUEST = 80877104
CANCEL_REQUEST = 80877102
PROTOCOL_VERSION = 196608
# The answers to SSL_REQUEST and GSS_REQUEST.
ENCRYPTION_ACCEPTED, ENCRYPTION_REFUSED = b"S", b"N"


class FromClient:
    """Kinds of the messages that a client sends."""

    BIND = b"B"
    COPY_DATA = b"d"
    COPY_DONE = b"c"
    COPY_FAIL = b"f"
    EXECUTE = b"E"
    PARSE = b"P"
    QUERY = b"Q"
    SYNC = b"S"
    TERMINATE = b"X"


class FromServer:
    """Kinds of the messages that a server sends."""

    AUTHENTICATION = b"R"
    BACKEND_KEY_DATA = b"K"
    COMMAND_COMPLETE = b"C"
    COPY_IN_RESPONSE = b"G"
    DATA_ROW = b"D"
    EMPTY_QUERY_RESPONSE = b"I"
    ERROR_RESPONSE = b"E"
    NOTICE_RESPONSE = b"N"
    PARAMETER_STATUS = b"S"
    PORTAL_SUSPENDED = b"s"
    READY_FOR_QUERY = b"Z"
    ROW_DESCRIPTION = b"T"


class TransactionStatus:
    """What ReadyForQuery says about the session's transaction."""

    NONE = b"I"
    OPEN = b"T"
    FAILED = b"E"


class Message(NamedTuple):
    """One message: its kind, a single byte, and what follows its length."""

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
    """Read a message that opens a connection: its code and the rest."""
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


def cancel_request(body: bytes) -> bytes:
    return struct.pack("!II", len(body) + 8, CANCEL_REQUEST) + body


def md5_password_request(salt: bytes) -> Message:
    return Message(FromServer.AUTHENTICATION, struct.pack("!I", 5) + salt)


def query(sql: str) -> Message:
    return Message(FromClient.QUERY, cstring(sql))


def parse(name: str, sql: str, rest: bytes) -> Message:
    """Parse: `rest` is the count and the types of the parameters, as the client sent them."""
    return Message(FromClient.PARSE, cstring(name) + cstring(sql) + rest)


SYNC = Message(FromClient.SYNC, b"")
COPY_DONE = Message(FromClient.COPY_DONE, b"")
EMPTY_QUERY_RESPONSE = Message(FromServer.EMPTY_QUERY_RESPONSE, b"")


def copy_data(chunk: bytes) -> Message:
    return Message(FromClient.COPY_DATA, chunk)


def copy_fail(reason: str) -> Message:
    return Message(FromClient.COPY_FAIL, cstring(reason))


def fields(kind: bytes, values: dict[str, str]) -> Message:
    """An ErrorResponse or NoticeResponse, its fields by their letters."""
    return Message(kind, b"".join(k.encode() + cstring(v) for k, v in values.items()) + b"\0")


def read_fields(body: bytes) -> dict[str, str]:
    """The fields of an ErrorResponse or NoticeResponse."""
    return {part[:1].decode(): part[1:].decode() for part in body.split(b"\0") if part}


def parameter_status(name: str, value: str) -> Message:
    return Message(FromServer.PARAMETER_STATUS, cstring(name) + cstring(value))


def command_complete(tag: str) -> Message:
    return Message(FromServer.COMMAND_COMPLETE, cstring(tag))


def ready(status: bytes) -> Message:
    return Message(FromServer.READY_FOR_QUERY, status)


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


def process_id(key_data: bytes) -> int:
    """The process id in a BackendKeyData."""
    return struct.unpack_from("!I", key_data)[0]


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
