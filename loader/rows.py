"""The rows of a file, JSON objects that follow one another, and what is bad about them."""

import contextlib
import json
import math
import re
from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass

from click import ClickException

FLOATS = {"double precision", "float8", "float", "real", "float4"}
BLANKS = re.compile(r"[ \t\r\n]*")
LARGEST_BYTES = 4 * 1024**2  # of an object, for COPY and for DuckDB as it is told
SHOWN_CHARACTERS = 1_000  # of a bad piece
REASON_BYTES = 1024
SHOWN_KEYS, SHOWN_KEY = 16, 16  # of an object, characters of a key
# What files begin with that hold no rows: what that is, and what to do.
FOREIGN = {
    rb"\x1f\x8b": ("gzip", "unpack it once"),
    rb"BZh": ("bzip2", "unpack it once"),
    rb"\x28\xb5\x2f\xfd": ("zstd", "unpack it once, or compress it with gzip"),
    rb"PK\x03\x04": ("zip", "unpack it once"),
    rb"\xfd7zXZ|7z\xbc\xaf|LZIP": ("xz or 7z", "unpack it once"),
    rb"PAR1|Obj\x01|ORC": ("Parquet, Avro or ORC", "write it as JSON, an object per line"),
    rb"version https://git-lfs": ("a Git LFS pointer", "run git lfs pull"),
    rb"\s*<(!doctype\s+)?html": ("an HTML page", "get the file itself, not the page about it"),
    rb"\s*(<\?xml.*?>\s*)?<Error>": ("an error of S3 as XML", "download the file again"),
    rb"\s*<[?!a-z]": ("XML", "write it as JSON, an object per line"),
    rb"\xff\xfe|\xfe\xff|.?\0": ("UTF-16 or UTF-32", "convert it to UTF-8, with iconv perhaps"),
    rb"[^\n]*\0": ("binary data", "write it as JSON, an object per line"),
}
# What ends a bad piece of a text, unless a good object begins before that.
_END = re.compile(r"\n|\}[ \t\r]*(?=\{)")
_BRACE = re.compile(r"\{")
_BEFORE_AN_OBJECT = re.compile(r"[ \t\r]*(?:\n|\{|\Z)")


@dataclass(frozen=True)
class Column:
    """A column of a raw table, named as its key is spelled. What it takes is the same on both
    engines, or what both take."""

    name: str
    data_type: str
    is_required: bool = False
    largest_whole: int | None = None  # of a number that must be whole

    def fault_of(self, value: object) -> str | None:
        """Why the column does not take a value of its key, if it does not."""
        is_text = self.data_type.startswith("varchar")
        if value is None or (value == "" and not is_text):
            return "empty, which it must not be" if self.is_required else None
        if is_text:
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            most = int(self.data_type[8:-1])
            if len(text.encode(errors="replace")) > most:
                return f"longer than {most:,} bytes"
            return "a text with a NUL" if "\0" in text else None
        if self.data_type not in FLOATS:
            return None  # the engine tells
        written = str(value)
        try:
            number = float(written)
        except ValueError:
            return "not a number"
        if not math.isfinite(number) or "_" in written or not written.isascii():
            return "not a number"
        if self.largest_whole and not (number.is_integer() and abs(number) <= self.largest_whole):
            return f"not a whole number of at most {self.largest_whole:,}"
        return None


@dataclass
class Piece:
    """An object as one line, or a piece of text that is no row, with what is wrong with it."""

    line: str
    keys: Set[str] = frozenset()
    reason: str | None = None
    column_name: str | None = None
    value: object = None
    is_json: bool = True

    def as_reject(self, file_name: str, number: int) -> dict:
        """It as rejected_rows has it, in texts that any engine takes."""
        value = self.value if self.column_name else self.line
        value = value if isinstance(value, str | None) else json.dumps(value, ensure_ascii=False)
        return {
            "file_name": file_name,
            "line_number": number,
            "column_name": self.column_name,
            "value": value and _storable(value[:SHOWN_CHARACTERS], 4 * SHOWN_CHARACTERS),
            "reason": _storable(self.reason, REASON_BYTES),
        }


def _storable(text: str, most: int) -> str:
    """A text that any engine takes, of so many bytes at most."""
    return text.replace("\0", "\ufffd").encode(errors="replace")[:most].decode(errors="ignore")


def told(reject: dict) -> str:
    """A bad row in a message."""
    column = f", column {reject['column_name']}" if reject["column_name"] else ""
    value = f', value "{reject["value"][:80]}"' if reject["value"] else ""
    return f"In {reject['file_name']}, line {reject['line_number']}{column}{value}: " + (
        f"{reject['reason']}."
    )


def refuse_constant(constant: str) -> None:
    """Refuses NaN and Infinity, which Python takes for JSON."""
    raise ValueError(f"{constant} is no JSON")


_DECODER = json.JSONDecoder(parse_constant=refuse_constant)


def _decode(text: str, start: int = 0) -> tuple[object, int]:
    """The JSON value that begins there, and where it ends. Raises ValueError if none does."""
    try:
        return _DECODER.raw_decode(text, start)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def read_rows(content: bytes, columns: list[Column], is_judged: bool = False) -> Iterator[Piece]:
    """The objects of a file, and what else is in it.

    Whatever cannot be read ends with its line, or where the next object begins, so that as
    little as can be is lost with it; what would be many rows, such as an array of objects, is
    as many pieces. An object that fills none of the columns is bad, if judged also one that does
    not fit them.
    """
    text = content.decode(errors="surrogateescape").removeprefix("\ufeff")
    names = frozenset(column.name.lower() for column in columns)
    end = 0
    while (start := BLANKS.match(text, end).end()) < len(text):
        try:
            value, end = _decode(text, start)
        except ValueError as error:
            end = _end_of_bad_piece(text, start)
            why = getattr(error, "msg", str(error))
            yield Piece(text[start:end].rstrip(), reason=f"not JSON: {why}", is_json=False)
            continue
        piece = text[start:end]
        if isinstance(value, dict) and fills_a_column(value, names):
            fault = _fault(piece, value, columns if is_judged else ())
            # Within a JSON text an end of line is a blank, since strings have it escaped.
            yield Piece(piece.replace("\n", " ").replace("\r", " "), value.keys(), *fault)
        elif isinstance(value, dict | list):
            yield from _rows_within(value, names)
        else:
            # A text or a number by itself says nothing of where the bad piece ends.
            end = _end_of_bad_piece(text, start)
            yield Piece(text[start:end].rstrip(), reason="not a JSON object")


def fills_a_column(value: object, names: frozenset[str]) -> bool:
    """Whether a value is an object that has anything for one of the columns."""
    return isinstance(value, dict) and any(
        each is not None and key.lower() in names for key, each in value.items()
    )


def refuse_foreign(file_name: str, content: bytes) -> None:
    """Raises ClickException if a file's content, unpacked where an engine can do that, is
    something else than text with JSON: all of it would count as a few bad rows."""
    for begins, (kind, remedy) in FOREIGN.items():
        if re.match(begins, content[:512], re.I | re.S):
            raise ClickException(
                f"{file_name} holds {kind}, which cannot be read as JSON: {remedy}. No part of it"
                " is a row, so --max-errors does not apply; a name that begins with _ hides it."
            )


def _fault(
    piece: str, value: dict, columns: Iterable[Column]
) -> tuple[str | None, str | None, object]:
    """Why an object is no row, of which column, and the value there: no engine takes it, though
    Python can read it, or one of the columns does not."""
    if len(piece) > LARGEST_BYTES // 4 and len(piece.encode(errors="replace")) > LARGEST_BYTES:
        return "an object of more than 4 MB", None, None
    try:
        piece.encode()
        if "\\u" in piece:
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return "not valid Unicode", None, None
    found = {key.lower(): each for key, each in value.items()}
    for column in columns:
        each = found.get(column.name.lower())
        if column.is_required and column.name.lower() not in found:
            return f"the key {column.name} is missing; there are {_shown(value)}", column.name, None
        if reason := column.fault_of(each):
            return reason, column.name, each
    return None, None, None


def _shown(value: dict) -> str:
    """The keys of an object."""
    keys = [key if len(key) <= SHOWN_KEY else f"{key[:SHOWN_KEY]}..." for key in value]
    return ", ".join(keys[:SHOWN_KEYS])


def _end_of_bad_piece(text: str, start: int) -> int:
    """Where the line ends, or a good object begins before that."""
    found = _END.search(text, start + 1)
    end = found.end() if found else len(text)
    for brace in _BRACE.finditer(text, start + 1, end):
        with contextlib.suppress(ValueError):
            if _BEFORE_AN_OBJECT.match(text, _decode(text, brace.start())[1]):
                return brace.start()
    return end


def _rows_within(value: dict | list, names: frozenset[str]) -> Iterator[Piece]:
    """What is lost with an array, or with an object that fills no column: a piece for each row."""
    rows = list(_rows_of(value, names))
    reason, jq = "not a JSON object", None
    if isinstance(value, dict):
        reason = f"none of its keys fills a column: {_shown(value) or 'it has none'}"
        filters = (_filter(key, each, names) for key, each in value.items() if key.isidentifier())
        jq = next(filter(None, filters), None)
    elif rows:
        reason, jq = "in an array, not an object of its own", ".[]"
    if jq:
        reason += f"; one object per line is wanted, for example by jq -c '{jq}'"
    for row in rows or [value]:
        yield Piece(json.dumps(row, ensure_ascii=False), reason=reason)


def _filter(key: str, value: object, names: frozenset[str]) -> str | None:
    """What jq takes the rows out of a key with, if they are in there."""
    way = ""
    if isinstance(value, str):
        with contextlib.suppress(ValueError):
            value, way = _decode(value)[0], " | fromjson"
    elif isinstance(value, list):
        value, way = next((each for each in value if fills_a_column(each, names)), None), "[]"
    return f".{key}{way}" if fills_a_column(value, names) else None


def _rows_of(value: dict | list, names: frozenset[str]) -> Iterator[dict]:
    """The objects in a value that would be rows by themselves, in any depth."""
    for each in value if isinstance(value, list) else value.values():
        if fills_a_column(each, names):
            yield each
        elif isinstance(each, dict | list):
            yield from _rows_of(each, names)
