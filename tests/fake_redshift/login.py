"""How a connection begins: encryption, cancel requests, the password."""

import asyncio
import hashlib
import secrets

from . import wire
from .client_connection import ClientConnection
from .errors import RedshiftError
from .shared_state import SharedState


async def log_in(client: ClientConnection, shared: SharedState) -> dict[str, str] | None:
    """The startup parameters of a client that has logged in; None if its connection is to end."""
    code, body = await wire.read_startup(client.reader)
    while code in (wire.SSL_REQUEST, wire.GSS_REQUEST):
        use_tls = code == wire.SSL_REQUEST and shared.tls is not None
        client.send_bytes(wire.ENCRYPTION_ACCEPTED if use_tls else wire.ENCRYPTION_REFUSED)
        await client.drain()
        if use_tls:
            await client.start_tls(shared.tls)
        code, body = await wire.read_startup(client.reader)
    if code == wire.CANCEL_REQUEST:
        await _cancel(body, shared)
        return None
    parameters = wire.startup_parameters(body)
    refusal = await _refusal(client, shared, parameters)
    if refusal is not None:
        client.send_error(refusal, "FATAL")
        return None
    return parameters


async def _refusal(
    client: ClientConnection, shared: SharedState, parameters: dict[str, str]
) -> RedshiftError | None:
    """Ask for the password; why the client may not log in, None if it may."""
    if shared.faults.take_login():
        return RedshiftError("The cluster is not available", "57P03")
    user = parameters.get("user", "")
    salt = secrets.token_bytes(4)
    client.send(wire.md5_password_request(salt))
    await client.drain()
    answer = (await client.read()).body.rstrip(b"\0").decode()
    stored = await shared.in_thread(shared.log.stored_password, user)
    expected = hashlib.md5((stored or "")[3:].encode() + salt).hexdigest()
    if stored is None or not secrets.compare_digest(answer, "md5" + expected):
        return RedshiftError(f'password authentication failed for user "{user}"', "28000")
    database = parameters.get("database", user)
    if database != shared.database:
        return RedshiftError(f'database "{database}" does not exist', "3D000")
    return None


async def _cancel(body: bytes, shared: SharedState) -> None:
    """Pass a cancel request on to PostgreSQL."""
    _, writer = await asyncio.open_unix_connection(str(shared.backends.socket))
    writer.write(wire.cancel_request(body))
    await writer.drain()
    writer.close()
