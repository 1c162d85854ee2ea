"""The rows of a file, JSON objects one after another, and what is wrong with them."""

import contextlib
import json
import math
import re
from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass

from click import ClickException

FLOATS = {"double precision", "float8", "float", "real", "float4"}
BLANKS = re.compile(r"[ \t\r\n]*")
OBJECT_BYTES = 4 * 1024**2  # COPY's limit for an object, which DuckDB is given too
SHOWN_CHARACTERS = 1_000  # of a bad piece
REASON_BYTES = 1024
SHOWN_KEYS, SHOWN_KEY = 16, 16  # keys of an object, characters of a key
# Files that hold no rows, by how they begin: what they are, and what to do.
OTHER_FORMATS = {
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
    rb"\xff\xfe|\xfe\xff|.?\0": ("UTF-16 or UTF-32", "convert it to UTF-8, for example with iconv"),
    rb"[^\n]*\0": ("binary data", "write it as JSON, an object per line"),
}
# The end of a bad piece of text, unless a good object begins before it.
_END = re.compile(r"\n|\}[ \t\r]*(?=\{)")
_BRACE = re.compile(r"\{")
_BEFORE_AN_OBJECT = re.compile(r"[ \t\r]*(?:\n|\{|\Z)")


@dataclass(frozen=True)
class Column:
    """A column of a raw table, named as the JSON spells its key. Both engines take the values
    that it takes."""

    name: str
    data_type: str
    is_required: bool = False
    max_integer: int | None = None  # None: numbers need not be whole

    def fault_of(self, value: object) -> str | None:
        """Why the column does not take a value; None if it does."""
        is_text = self.data_type.startswith("varchar")
        if value is None or (value == "" and not is_text):
            return "empty, but a value is required" if self.is_required else None
        if is_text:
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            max_bytes = int(self.data_type[8:-1])
            if len(text.encode(errors="replace")) > max_bytes:
                return f"longer than {max_bytes:,} bytes"
            return "a text with a NUL" if "\0" in text else None
        if self.data_type not in FLOATS:
            return None  # left to the engine
        text = str(value)
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not math.isfinite(number) or "_" in text or not text.isascii():
            return "not a number"
        if self.max_integer and not (number.is_integer() and abs(number) <= self.max_integer):
            return f"not a whole number of at most {self.max_integer:,}"
        return None


@dataclass
class Piece:
    """An object as one line, or a piece of text that is not a row and the reason why."""

    line: str
    keys: Set[str] = frozenset()
    reason: str | None = None
    column_name: str | None = None
    value: object = None
    is_json: bool = True

    def as_reject(self, file_name: str, number: int) -> dict:
        """A row of the table rejected_rows, in text that any engine takes."""
        value = self.value if self.column_name else self.line
        value = value if isinstance(value, str | None) else json.dumps(value, ensure_ascii=False)
        return {
            "file_name": file_name,
            "line_number": number,
            "column_name": self.column_name,
            "value": value and _storable(value[:SHOWN_CHARACTERS], 4 * SHOWN_CHARACTERS),
            "reason": _storable(self.reason or "", REASON_BYTES),
        }


def _storable(text: str, size: int) -> str:
    """A text of at most `size` bytes, without what an engine would refuse."""
    return text.replace("\0", "\ufffd").encode(errors="replace")[:size].decode(errors="ignore")


def describe(reject: dict) -> str:
    """A rejected row in a message."""
    place = f"{reject['file_name']}, line {reject['line_number']}"
    place += f", column {reject['column_name']}" if reject["column_name"] else ""
    place += f', value "{reject["value"][:80]}"' if reject["value"] else ""
    return f"In {place}: {reject['reason']}."


def refuse_constant(constant: str) -> None:
    """Refuses NaN and Infinity, which Python accepts as JSON."""
    raise ValueError(f"{constant} is not a JSON value")


_DECODER = json.JSONDecoder(parse_constant=refuse_constant)


def _decode(text: str, start: int = 0) -> tuple[object, int]:
    """The JSON value that begins at `start`, and its end. Raises ValueError if none does."""
    try:
        return _DECODER.raw_decode(text, start)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def read_rows(content: bytes, columns: list[Column], check_values: bool = False) -> Iterator[Piece]:
    """The objects of a file, and the pieces of text that are not rows. A bad piece ends with its
    line, or where the next object begins, so that as little as possible is lost with it. An array
    of objects counts as one piece per object. An object is bad if it fills no column and, with
    check_values, if a value does not fit its column."""
    text = content.decode(errors="surrogateescape").removeprefix("\ufeff")
    names = frozenset(column.name.lower() for column in columns)
    end = 0
    while (blanks := BLANKS.match(text, end)) and (start := blanks.end()) < len(text):
        try:
            value, end = _decode(text, start)
        except ValueError as error:
            end = _end_of_bad_piece(text, start)
            why = getattr(error, "msg", str(error))
            yield Piece(text[start:end].rstrip(), reason=f"not JSON: {why}", is_json=False)
            continue
        piece = text[start:end]
        if isinstance(value, dict) and fills_a_column(value, names):
            fault = _fault(piece, value, columns if check_values else ())
            # Outside of strings a line end is a blank in JSON, and in strings it is escaped.
            yield Piece(piece.replace("\n", " ").replace("\r", " "), value.keys(), *fault)
        elif isinstance(value, dict | list):
            yield from _rows_within(value, names)
        else:
            # A string or number does not show where the bad piece ends.
            end = _end_of_bad_piece(text, start)
            yield Piece(text[start:end].rstrip(), reason="not a JSON object")


def fills_a_column(value: object, names: frozenset[str]) -> bool:
    """Whether a value is an object with a value for at least one column."""
    return isinstance(value, dict) and any(
        each is not None and key.lower() in names for key, each in value.items()
    )


def refuse_other_formats(file_name: str, content: bytes) -> None:
    """Raises ClickException if a file's unpacked content is not text with JSON. Otherwise all of
    it would count as a few bad rows."""
    for beginning, (kind, remedy) in OTHER_FORMATS.items():
        if re.match(beginning, content[:512], re.I | re.S):
            raise ClickException(
                f"{file_name} holds {kind}, which cannot be read as JSON: {remedy}, or give it a"
                " name that begins with _ to leave it out. --max-errors does not apply."
            )


def _fault(
    piece: str, value: dict, columns: Iterable[Column]
) -> tuple[str | None, str | None, object]:
    """Why an object is not a row, in which column, and the value there: either no engine takes
    it, though Python can read it, or a column does not."""
    if len(piece) > OBJECT_BYTES // 4 and len(piece.encode(errors="replace")) > OBJECT_BYTES:
        return "an object of more than 4 MB", None, None
    try:
        piece.encode()
        if "\\u" in piece:
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return "not valid Unicode", None, None
    values = {key.lower(): each for key, each in value.items()}
    for column in columns:
        each = values.get(column.name.lower())
        if column.is_required and column.name.lower() not in values:
            return f"the key {column.name} is missing; there are {_keys(value)}", column.name, None
        if reason := column.fault_of(each):
            return reason, column.name, each
    return None, None, None


def _keys(value: dict) -> str:
    """The keys of an object, for a message."""
    keys = [key if len(key) <= SHOWN_KEY else f"{key[:SHOWN_KEY]}..." for key in value]
    return ", ".join(keys[:SHOWN_KEYS])


def _end_of_bad_piece(text: str, start: int) -> int:
    """Where its line ends, or where a good object begins before that."""
    match = _END.search(text, start + 1)
    end = match.end() if match else len(text)
    for brace in _BRACE.finditer(text, start + 1, end):
        with contextlib.suppress(ValueError):
            if _BEFORE_AN_OBJECT.match(text, _decode(text, brace.start())[1]):
                return brace.start()
    return end


def _rows_within(value: dict | list, names: frozenset[str]) -> Iterator[Piece]:
    """The rows in an array, or in an object that fills no column, each as a bad piece."""
    rows: list[dict | list] = list(_nested_rows(value, names))
    reason, jq = "not a JSON object", ""
    if isinstance(value, dict):
        reason = f"none of its keys fills a column: {_keys(value) or 'it has none'}"
        filters = (_jq_filter(key, value[key], names) for key in value if key.isidentifier())
        jq = next(filter(None, filters), "")
    elif rows:
        reason, jq = "in an array, not an object of its own", ".[]"
    if jq:
        reason += f"; write one object per line, for example with jq -c '{jq}'"
    for row in rows or [value]:
        yield Piece(json.dumps(row, ensure_ascii=False), reason=reason)


def _jq_filter(key: str, value: object, names: frozenset[str]) -> str:
    """The jq filter that takes the rows out of a key's value; '' if it has none."""
    rest = ""
    if isinstance(value, str):
        with contextlib.suppress(ValueError):
            value, rest = _decode(value)[0], " | fromjson"
    elif isinstance(value, list):
        value, rest = next((each for each in value if fills_a_column(each, names)), None), "[]"
    return f".{key}{rest}" if fills_a_column(value, names) else ""


def _nested_rows(value: dict | list, names: frozenset[str]) -> Iterator[dict]:
    """The objects at any depth of a value that would be rows by themselves."""
    for each in value if isinstance(value, list) else value.values():
        if fills_a_column(each, names):
            yield each
        elif isinstance(each, dict | list):
            yield from _nested_rows(each, names)
