"""Converts a JSON value, as Redshift does, into text for PostgreSQL's COPY."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal, InvalidOperation

from .copy_command import CopyCommand
from .copy_json import Number
from .errors import RedshiftError

_INTEGERS = {
    "smallint": (16, "Short"),
    "integer": (32, "Integer"),
    "bigint": (64, "Long"),
}
_TYPE_LABELS = {
    "character varying": "varchar",
    "character": "char",
    "smallint": "int2",
    "integer": "int4",
    "bigint": "int8",
    "double precision": "float8",
    "real": "float4",
    "boolean": "bool",
    "timestamp without time zone": "timestamp",
    "timestamp with time zone": "timestamptz",
}
_TRUE = {"t", "true", "y", "yes", "1"}
_FALSE = {"f", "false", "n", "no", "0"}
_EPOCH = datetime(1970, 1, 1)
# re.A: only ASCII digits count.
_INTEGER = re.compile(r"[+-]?\d+\Z", re.A)
_FLOAT = re.compile(
    r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\Z|[+-]?(nan|inf(inity)?)\Z", re.I | re.A
)
_DATE = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})", re.A)
_TIMESTAMP = re.compile(
    r"(\d{4})-(\d{1,2})-(\d{1,2})(?:[ T](\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,6})\d*)?)?)?\Z",
    re.A,
)
_TIMESTAMP_AUTO = re.compile(_TIMESTAMP.pattern[:-2] + r"\s*(Z|UTC|[+-]\d{2}(?::?\d{2})?)?\Z", re.A)
_AUTO_PATTERNS = (
    *("%m/%d/%Y %H:%M:%S", "%m/%d/%Y", "%Y%m%d %H%M%S", "%Y%m%d", "%d %B %Y", "%B %d, %Y"),
    *("%b %d %Y", "%d %b %Y", "%Y/%m/%d %H:%M:%S", "%Y/%m/%d", "%a, %d %b %Y %H:%M:%S"),
)
_FORMAT_PARTS = {
    "YYYY": "%Y",
    "YY": "%y",
    "MONTH": "%B",
    "MON": "%b",
    "MM": "%m",
    "DD": "%d",
    "HH24": "%H",
    "HH12": "%I",
    "HH": "%H",
    "MI": "%M",
    "SS": "%S",
    "AM": "%p",
    "PM": "%p",
    "OF": "%z",
}


class ValueRefused(Exception):
    """A value does not fit its column: the error code and reason for STL_LOAD_ERRORS."""

    def __init__(self, code: int, reason: str, position: int = 0) -> None:
        super().__init__(reason)
        self.code, self.reason, self.position = code, reason, position


@dataclass
class Column:
    """A column of the target table. length: of a string, in bytes."""

    name: str
    type: str
    length: int | None
    precision: int | None
    scale: int | None
    not_null: bool

    @property
    def type_label(self) -> str:
        return _TYPE_LABELS.get(self.type, self.type)

    @property
    def length_label(self) -> str:
        if self.type == "numeric":
            return f"{self.precision}, {self.scale}"
        return str(self.length or 0)


Converter = Callable[[object], str | None]


def make_converter(column: Column, command: CopyCommand) -> Converter:
    """A function that converts a JSON value to the column's text, None for NULL.

    It raises ValueRefused for a value that does not fit the column.
    """
    kind = column.type
    if kind in ("character varying", "character"):
        return _string(column, command)
    if kind in ("super", "jsonb"):
        return _super
    convert = _scalar(column, command)

    def converter(value: object) -> str | None:
        if value is None:
            return None
        if isinstance(value, (dict, list)):
            raise _invalid_for(column, value)
        text = ("true" if value else "false") if isinstance(value, bool) else value.strip()
        if not text:
            return None
        return convert(text)

    return converter


def _invalid_for(column: Column, value: object) -> ValueRefused:
    first = "{" if isinstance(value, dict) else "["
    if column.type in _INTEGERS:
        return _invalid_digit(first, 0, _INTEGERS[column.type][1])
    return ValueRefused(1224, f"Invalid value for column of type {column.type_label}")


def _scalar(column: Column, command: CopyCommand) -> Callable[[str], str]:
    kind = column.type
    if kind in _INTEGERS:
        return _integer(*_INTEGERS[kind])
    if kind in ("double precision", "real"):
        return _float(kind)
    if kind == "numeric":
        rounding = ROUND_HALF_UP if "roundec" in command.flags else ROUND_DOWN
        return _decimal(column.precision or 18, column.scale or 0, rounding)
    if kind == "boolean":
        return _boolean
    if kind == "date":
        return _date(command.date_format)
    if kind.startswith("timestamp"):
        return _timestamp(command.time_format, with_zone=kind.endswith("with time zone"))
    if kind.startswith("time"):
        return lambda text: text
    raise RedshiftError(f"COPY into a column of type {kind} is not supported by this stand-in")


def json_text(value: object) -> str:
    """A JSON value as text, with numbers as they were written."""
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, dict):
        items = (f"{json.dumps(k, ensure_ascii=False)}:{json_text(v)}" for k, v in value.items())
        return "{" + ",".join(items) + "}"
    if isinstance(value, list):
        return "[" + ",".join(json_text(v) for v in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def _super(value: object) -> str | None:
    return None if value is None else json_text(value)


def _string(column: Column, command: CopyCommand) -> Converter:
    limit = column.length or 65535
    is_char = column.type == "character"
    reason = "Char length exceeds DDL length" if is_char else "String length exceeds DDL length"
    empty_is_null = "emptyasnull" in command.flags
    blank_is_null = "blanksasnull" in command.flags
    truncates = "truncatecolumns" in command.flags
    trims = "trimblanks" in command.flags

    def converter(value: object) -> str | None:
        if value is None:
            return None
        if isinstance(value, bool):
            value = "true" if value else "false"
        elif not isinstance(value, str):
            value = json_text(value)
        if not value:
            return None if empty_is_null else value
        if blank_is_null and value.isspace():
            return None
        if trims and not is_char:
            value = value.rstrip(" ")
        if "\0" in value:
            raise ValueRefused(1218, "Missing newline: unexpected character 0x00 found")
        if is_char and not value.isascii():
            raise ValueRefused(
                1220, "Multibyte character not supported for CHAR (Hint: Try using VARCHAR)"
            )
        if len(value) * 4 > limit:
            data = value.encode(
                "utf-8", "surrogateescape" if _has_bytes(value) else "surrogatepass"
            )
            if len(data) > limit:
                if truncates:
                    return data[:limit].decode("utf-8", "ignore")
                if is_char and len(value.rstrip(" ")) <= limit:
                    return value[:limit]
                raise ValueRefused(1204, reason)
        return value

    return converter


def _has_bytes(value: str) -> bool:
    return any("\udc80" <= c <= "\udcff" for c in value)


def _invalid_digit(digit: str, position: int, label: str) -> ValueRefused:
    return ValueRefused(
        1207, f"Invalid digit, Value '{digit}', Pos {position}, Type: {label}", position
    )


def _integer(bits: int, label: str) -> Callable[[str], str]:
    low, high = -(1 << bits - 1), (1 << bits - 1) - 1

    def convert(text: str) -> str:
        if not _INTEGER.match(text):
            start = 1 if text[0] in "+-" else 0
            for position in range(start, len(text)):
                if not text[position].isascii() or not text[position].isdigit():
                    raise _invalid_digit(text[position], position, label)
            raise _invalid_digit(text[0], 0, label)
        if not low <= int(text) <= high:
            raise ValueRefused(1222, f"Overflow for Type: {label}")
        return text

    return convert


def _float(kind: str) -> Callable[[str], str]:
    limit = 3.4028235e38 if kind == "real" else float("inf")

    def convert(text: str) -> str:
        if not _FLOAT.match(text):
            raise ValueRefused(1208, f"Invalid digit, Value '{text[0]}', Pos 0, Type: Double")
        value = float(text)
        if abs(value) >= limit and "inf" not in text.lower():
            raise ValueRefused(1204, "Overflow for Type: Double")
        return text

    return convert


def _decimal(precision: int, scale: int, rounding: str) -> Callable[[str], str]:
    step, limit = Decimal(1).scaleb(-scale), Decimal(10) ** (precision - scale)

    def convert(text: str) -> str:
        try:
            value = Decimal(text if text.isascii() else "nan")
        except InvalidOperation:
            value = Decimal("nan")
        if not value.is_finite():
            raise ValueRefused(1207, f"Invalid digit, Value '{text[0]}', Pos 0, Type: Decimal")
        if abs(value) >= limit:
            raise ValueRefused(1209, f"Overflow for NUMERIC({precision},{scale})")
        value = value.quantize(step, rounding=rounding)
        if abs(value) >= limit:
            raise ValueRefused(1209, f"Overflow for NUMERIC({precision},{scale})")
        return format(value, "f")

    return convert


def _boolean(text: str) -> str:
    if text.lower() in _TRUE:
        return "t"
    if text.lower() in _FALSE:
        return "f"
    raise ValueRefused(1210, "Unknown boolean format")


def _date(pattern: str | None) -> Callable[[str], str]:
    refused = ValueRefused(
        1205, f"Invalid Date Format - length must be 10 or more, {pattern or ''}"
    )
    if pattern is None or pattern == "YYYY-MM-DD":

        def default(text: str) -> str:
            match = _DATE.match(text)
            rest = text[match.end() :] if match else ""
            if not match or (rest and rest[0] not in " T"):
                raise ValueRefused(1205, "Invalid Date Format - must be YYYY-MM-DD")
            try:
                return date(*map(int, match.groups())).isoformat()
            except ValueError:
                raise ValueRefused(1205, "Invalid date") from None

        return default
    parse = _auto if pattern.lower() == "auto" else _by_format(pattern)

    def convert(text: str) -> str:
        value = parse(text)
        if value is None:
            raise refused
        return value.date().isoformat()

    return convert


def _timestamp(pattern: str | None, with_zone: bool) -> Callable[[str], str]:
    if pattern in ("epochsecs", "epochmillisecs"):
        return _epoch(1 if pattern == "epochsecs" else 1000)
    if pattern == "auto":
        parse = _auto
    elif pattern is None:
        parse = _default_with_zone if with_zone else _default
    else:
        parse = _by_format(pattern)

    def convert(text: str) -> str:
        value = parse(text)
        if value is None:
            raise ValueRefused(
                1206, f"Invalid timestamp format or value [{pattern or 'YYYY-MM-DD HH24:MI:SS'}]"
            )
        if with_zone:
            return (value if value.tzinfo else value.replace(tzinfo=UTC)).isoformat(" ")
        return value.replace(tzinfo=None).isoformat(" ")

    return convert


def _epoch(units: int) -> Callable[[str], str]:
    def convert(text: str) -> str:
        if not _INTEGER.match(text):
            raise ValueRefused(1206, "Invalid timestamp format or value [EPOCH]")
        try:
            moment = _EPOCH + timedelta(seconds=int(text) // units)
        except OverflowError:
            raise ValueRefused(1206, "Invalid timestamp format or value [EPOCH]") from None
        return (moment + timedelta(milliseconds=int(text) % units)).isoformat(" ")

    return convert


def _from_match(match: re.Match | None) -> datetime | None:
    if match is None:
        return None
    numbers = [int(g or 0) for g in match.groups()[:6]]
    try:
        return datetime(*numbers, int((match[7] or "").ljust(6, "0")))
    except ValueError:
        return None


def _default(text: str) -> datetime | None:
    return _from_match(_TIMESTAMP.match(text))


def _default_with_zone(text: str) -> datetime | None:
    match = _TIMESTAMP_AUTO.match(text)
    value = _from_match(match)
    if value is None or match[8] in (None, "Z", "UTC"):
        return value
    sign, digits = match[8][0], match[8][1:].replace(":", "").ljust(4, "0")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return (value - offset if sign == "+" else value + offset).replace(tzinfo=UTC)


def _auto(text: str) -> datetime | None:
    value = _default_with_zone(text)
    if value is not None:
        return value
    for pattern in _AUTO_PATTERNS:
        try:
            return datetime.strptime(text, pattern)
        except ValueError:
            continue
    return None


def _by_format(pattern: str) -> Callable[[str], datetime | None]:
    names = sorted(_FORMAT_PARTS, key=len, reverse=True)
    compiled = re.sub(
        "|".join(names), lambda m: _FORMAT_PARTS[m[0].upper()], pattern, flags=re.IGNORECASE
    )

    # The value may have a fraction of a second, which the pattern does not show.
    def parse(text: str) -> datetime | None:
        for candidate in (compiled, compiled.replace("%S", "%S.%f")):
            try:
                return datetime.strptime(text, candidate)
            except ValueError:
                continue
        return None

    return parse
