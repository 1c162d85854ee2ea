"""An S3 that misbehaves on demand: a proxy in front of a moto server."""

from __future__ import annotations

import http.client
import logging
import re
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

import boto3
from moto.server import ThreadedMotoServer

BUCKET = "unreliable-music"
REGION = "us-west-2"
OF_THE_CONNECTION = {"connection", "transfer-encoding"}


class MisbehavingS3:
    """An S3 endpoint at `url` that behaves well except as ordered with `on`.

    client: a boto3 client that bypasses the proxy.
    requests: the requests to the proxy, such as "GET /bucket/key".
    """

    def __init__(self) -> None:
        self.requests: list[str] = []
        self._orders: list[_Order] = []
        self._lock = threading.Lock()
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self._moto = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Exchange)
        self._server.s3 = self  # type: ignore[attr-defined]
        self._server.daemon_threads = True

    def __enter__(self) -> MisbehavingS3:
        self._moto.start()
        self.upstream = self._moto.get_host_and_port()
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        host, port = self.upstream
        self.client = boto3.client(
            "s3",
            endpoint_url=f"http://{host}:{port}",
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )
        self.client.create_bucket(
            Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION}
        )
        return self

    def __exit__(self, *raised: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        # All moto servers of a process have the same buckets.
        for entry in self.client.list_objects_v2(Bucket=BUCKET).get("Contents", []):
            self.client.delete_object(Bucket=BUCKET, Key=entry["Key"])
        self.client.delete_bucket(Bucket=BUCKET)
        self._moto.stop()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables that lead boto3 to it."""
        return {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL_S3": self.url,
        }

    def on(self, request: str, do: Misbehavior, times: int = 1_000_000) -> None:
        """Makes the next requests that match a regular expression go wrong, once earlier orders are
        used up. The expression is matched against method and path, such as "GET /bucket/key".
        """
        with self._lock:
            self._orders.append(_Order(re.compile(request), do, times))

    def take(self, request: str) -> Misbehavior:
        """What shall happen to a request."""
        with self._lock:
            self.requests.append(request)
            for order in self._orders:
                if order.times and order.request.search(request):
                    order.times -= 1
                    return order.do
        return well

    def count(self, request: str) -> int:
        """How many requests matched a regular expression."""
        return sum(bool(re.search(request, each)) for each in self.requests)

    def behave(self) -> None:
        """Forgets all orders and requests."""
        with self._lock:
            self._orders.clear()
            self.requests.clear()

    def clear(self) -> None:
        """Behaves again, and deletes all objects."""
        self.behave()
        for page in self.client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET):
            for entry in page.get("Contents", []):
                self.client.delete_object(Bucket=BUCKET, Key=entry["Key"])


# What happens to a request.


def well(exchange: _Exchange) -> None:
    """The right answer."""
    exchange.send(*exchange.forward())


def answer(status: int, code: str) -> Misbehavior:
    """An error in S3's form."""
    error = f"<Error><Code>{code}</Code><Message>An error of the test.</Message></Error>"

    def do(exchange: _Exchange) -> None:
        exchange.send(status, {"Content-Type": "application/xml"}, error.encode())

    return do


def answer_with(body: bytes) -> Misbehavior:
    """A successful answer with this body."""

    def do(exchange: _Exchange) -> None:
        exchange.send(200, {"Content-Type": "application/xml"}, body)

    return do


def cut(size: int, resets: bool = False) -> Misbehavior:
    """The right answer, but the connection is closed or reset after this many bytes."""

    def do(exchange: _Exchange) -> None:
        status, headers, body = exchange.forward()
        exchange.send(status, {**headers, "Content-Length": str(len(body))}, body[:size])
        exchange.hang_up(resets)

    return do


def after(change: Callable[[], Any]) -> Misbehavior:
    """Changes something, then gives the right answer."""

    def do(exchange: _Exchange) -> None:
        change()
        well(exchange)

    return do


def before(change: Callable[[], Any]) -> Misbehavior:
    """Gets the right answer, then changes something before the client has it."""

    def do(exchange: _Exchange) -> None:
        answered = exchange.forward()
        change()
        exchange.send(*answered)

    return do


def hang(exchange: _Exchange) -> None:
    """No answer until the client gives up."""
    exchange.connection.recv(1)
    exchange.hang_up()


def reset(exchange: _Exchange) -> None:
    """The connection is reset."""
    exchange.hang_up(resets=True)


class _Exchange(BaseHTTPRequestHandler):
    """One request and its answer."""

    protocol_version = "HTTP/1.1"

    def serve(self) -> None:
        self.body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = unquote(urlsplit(self.path).path)
        self.server.s3.take(f"{self.command} {path}")(self)

    do_DELETE = do_GET = do_HEAD = do_POST = do_PUT = serve

    def forward(self) -> tuple[int, dict[str, str], bytes]:
        """The answer of the moto server: status, headers and body."""
        upstream = http.client.HTTPConnection(*self.server.s3.upstream)
        upstream.request(self.command, self.path, self.body, dict(self.headers))
        answered = upstream.getresponse()
        headers = {
            name: value
            for name, value in answered.getheaders()
            if name.lower() not in OF_THE_CONNECTION
        }
        body = answered.read()
        upstream.close()
        return answered.status, headers, body

    def send(self, status: int, headers: dict[str, str], body: bytes) -> None:
        """Answers the client."""
        self.send_response_only(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def hang_up(self, resets: bool = False) -> None:
        """Closes the connection, or resets it."""
        self.wfile.flush()
        if resets:
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.connection.close()
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Prints nothing."""


Misbehavior = Callable[[_Exchange], None]


@dataclass
class _Order:
    request: re.Pattern
    do: Misbehavior
    times: int
