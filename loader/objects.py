"""JSON objects that follow one another in a text, as COPY and DuckDB read them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass

from click import ClickException

BLANKS = re.compile(r"[ \t\r\n]*")
BOUNDARY = re.compile(rb"\}[ \t\r\n]*\{")
LARGEST_BYTES = 4 * 1024**2  # of an object, for COPY and for DuckDB as it is told
SHOWN_CHARACTERS = 1_000  # of a bad piece
SHOWN_KEYS, SHOWN_KEY = 6, 30  # of an object, characters of a key
PACKED = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"PK\x03\x04": "zip",
    b"\xfd7zXZ": "xz",
}
# What ends a bad piece of a text, unless a good object begins before that.
_END = re.compile(r"\n|\}[ \t\r]*(?=\{)")
_BEFORE_AN_OBJECT = re.compile(r"[ \t\r]*(?:\n|\{|\Z)")


@dataclass
class Piece:
    """An object as one line, or a piece of text that is none, with what is wrong with it."""

    line: str
    keys: Set[str] = frozenset()
    reason: str | None = None


def refuse_constant(constant: str) -> None:
    """Refuses NaN and Infinity, which Python takes for JSON."""
    raise ValueError(f"{constant} is no JSON")


_decode = json.JSONDecoder(parse_constant=refuse_constant).raw_decode


def split_objects(content: bytes, columns: frozenset[str]) -> Iterator[Piece]:
    """The objects of a file, and what else is in it.

    Whatever cannot be read ends with its line, or where the next object begins, so that as
    little as can be is lost with it; what would be many rows, such as an array of objects, is
    as many pieces.

    columns: names of the table's columns, in lower case; an object that fills none is bad.
    """
    text = content.decode(errors="surrogateescape").removeprefix("\ufeff")
    end = 0
    while (start := BLANKS.match(text, end).end()) < len(text):
        try:
            value, end = _decode(text, start)
        except (ValueError, RecursionError):
            value, end = None, _end_of_bad_piece(text, start)
        piece = text[start:end]
        if isinstance(value, dict) and fills_a_column(value, columns):
            # Within a JSON text an end of line is a blank, since strings have it escaped.
            line = piece.replace("\n", " ").replace("\r", " ")
            yield Piece(line, value.keys(), _unfit(piece, value))
        elif isinstance(value, dict | list):
            yield from _rows_within(value, columns)
        else:
            # A text or a number by itself says nothing of where the bad piece ends.
            end = _end_of_bad_piece(text, start)
            yield Piece(text[start:end].rstrip(), reason="not a JSON object")


def fills_a_column(value: dict, columns: frozenset[str]) -> bool:
    """Whether an object has anything for one of the columns."""
    return any(each is not None and key.lower() in columns for key, each in value.items())


def no_column(value: dict) -> str:
    """Why an object that fills no column is bad."""
    keys = ", ".join(key[:SHOWN_KEY] for key in list(value)[:SHOWN_KEYS])
    return f"none of its keys fills a column: {keys or 'it has none'}"


def refuse_packed(file_name: str, content: bytes) -> None:
    """Raises ClickException if a file's content, once unpacked where an engine can do that, is
    packed still: all of it would count as one bad row."""
    for begins, kind in PACKED.items():
        if content.startswith(begins):
            raise ClickException(
                f"{file_name} holds {kind}, which cannot be read: unpack it once. No part of it is"
                " a row, so --max-errors does not apply."
            )


def count_boundaries(chunks: Iterable[bytes]) -> int:
    """How many objects a file seems to have, at a fraction of what it takes to read them: too
    many if a text in them looks like the end of one and the beginning of another."""
    count, kept = 0, b""
    is_empty = True
    for chunk in chunks:
        chunk = kept + chunk
        count += len(BOUNDARY.findall(chunk))
        is_empty = is_empty and not chunk.strip()
        kept = b"}" if chunk.rstrip().endswith(b"}") else b""
    return 0 if is_empty else count + 1


def _end_of_bad_piece(text: str, start: int) -> int:
    found = _END.search(text, start + 1)
    end = found.end() if found else len(text)
    at = text.find("{", start + 1, end)
    while at >= 0 and not _begins_an_object(text, at):
        at = text.find("{", at + 1, end)
    return at if at >= 0 else end


def _begins_an_object(text: str, at: int) -> bool:
    try:
        _, end = _decode(text, at)
    except (ValueError, RecursionError):
        return False
    return _BEFORE_AN_OBJECT.match(text, end) is not None


def _unfit(piece: str, value: dict) -> str | None:
    """What an engine has against an object that Python can read."""
    if len(piece) > LARGEST_BYTES // 4 and len(piece.encode(errors="replace")) > LARGEST_BYTES:
        return "an object of more than 4 MB"
    try:
        piece.encode()
        if "\\u" in piece:
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return "not valid Unicode"
    return None


def _rows_within(value: dict | list, columns: frozenset[str]) -> Iterator[Piece]:
    """What is lost with an array, or with an object that fills no column: a piece for each row."""
    rows = list(_rows_of(value, columns))
    if isinstance(value, dict):
        reason = no_column(value)
    else:
        reason = "in an array, not an object of its own" if rows else "not a JSON object"
    for row in rows or [value]:
        yield Piece(json.dumps(row, ensure_ascii=False), reason=reason)


def _rows_of(value: dict | list, columns: frozenset[str]) -> Iterator[dict]:
    """The objects in a value that would be rows by themselves, in any depth."""
    for each in value if isinstance(value, list) else value.values():
        if isinstance(each, dict) and fills_a_column(each, columns):
            yield each
        elif isinstance(each, dict | list):
            yield from _rows_of(each, columns)
