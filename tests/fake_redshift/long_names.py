"""Names of 64 to 127 bytes, which PostgreSQL would cut.

In PostgreSQL each has a shorter name that ends in a hash of the long one. Names in the client's
statements are shortened before anything else; names in the answers are lengthened again.
"""

import hashlib
import json
import re
import struct
from pathlib import Path

from .tokens import fold, tokenize, unquote
from .wire import FromServer, Message

POSTGRES_BYTES, REDSHIFT_BYTES = 63, 127
_LONG_WORD = re.compile(r"[\w$]{40}")
_HASH_DIGITS = 16
_WITH_NAMES = (
    FromServer.ROW_DESCRIPTION,
    FromServer.ERROR_RESPONSE,
    FromServer.NOTICE_RESPONSE,
    FromServer.COMMAND_COMPLETE,
)


class LongNames:
    """The long names seen so far, kept in a file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._long: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
        self._find()

    def shorten(self, sql: str) -> str:
        """A statement with short names; in string literals only known names are shortened."""
        if not _LONG_WORD.search(sql):
            return sql
        parts, at = [], 0
        for token in tokenize(sql):
            if token.kind not in ("word", "quoted", "string"):
                continue
            name = fold(unquote(token)) if token.kind == "string" else token.name
            if not POSTGRES_BYTES < len(name.encode()) <= REDSHIFT_BYTES:
                continue
            short = _short(name)
            if token.kind != "string":
                self._keep(short, name)
            elif short not in self._long:
                continue
            quote = "" if token.kind == "word" else token.text[-1]
            parts += [sql[at : token.start], quote, short, quote]
            at = token.end
        return "".join(parts) + sql[at:]

    def lengthen(self, text: str) -> str:
        """A text with the client's names."""
        return self._short.sub(lambda found: self._long[found[0]], text) if self._long else text

    def lengthened(self, message: Message) -> Message:
        """A message with the client's names."""
        if not self._long or not self._short_bytes.search(message.body):
            return message
        if message.kind == FromServer.DATA_ROW:
            return Message(message.kind, self._row(message.body))
        if message.kind in _WITH_NAMES:
            return Message(message.kind, self._bytes(message.body))
        return message

    def _row(self, body: bytes) -> bytes:
        parts, at = [body[:2]], 2
        while at < len(body):
            (length,) = struct.unpack_from("!i", body, at)
            value = body[at + 4 : at + 4 + max(length, 0)]
            at += 4 + len(value)
            value = self._bytes(value)
            parts += [struct.pack("!i", len(value) if length >= 0 else length), value]
        return b"".join(parts)

    def _bytes(self, value: bytes) -> bytes:
        return self._short_bytes.sub(lambda found: self._long[found[0].decode()].encode(), value)

    def _keep(self, short: str, name: str) -> None:
        if short not in self._long:
            self._long[short] = name
            self._path.write_text(json.dumps(self._long))
            self._find()

    def _find(self) -> None:
        pattern = "|".join(map(re.escape, self._long))
        self._short, self._short_bytes = re.compile(pattern), re.compile(pattern.encode())


def _short(name: str) -> str:
    hashed = hashlib.md5(name.encode()).hexdigest()[:_HASH_DIGITS]
    begins = name.encode()[: POSTGRES_BYTES - _HASH_DIGITS - 1].decode(errors="ignore")
    return f"{begins}_{hashed}"
