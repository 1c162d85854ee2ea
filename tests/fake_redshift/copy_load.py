"""One COPY: reads the files, converts every row, and collects the errors."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from .copy_command import CopyCommand
from .copy_json import Root, RootReader, follow, parse_paths
from .copy_source import Source, SourceFile
from .copy_values import Column, ValueRefused, json_text, make_converter
from .errors import RedshiftError

_CHUNK_BYTES = 256 * 1024
_ESCAPES = str.maketrans({"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"})


@dataclass
class LoadError:
    """One row of STL_LOAD_ERRORS."""

    file: str
    line: int
    code: int
    reason: str
    raw_line: str
    column: Column | None = None
    raw_value: str = ""
    position: int = 0


@dataclass
class FileLoaded:
    """One row of SYS_LOAD_DETAIL."""

    file: SourceFile
    lines: int
    errors: int
    started: datetime
    ended: datetime


@dataclass
class Load:
    """The progress of one COPY.

    columns: the columns that the JSON fills, in the order of the column list.
    constants: the evaluated DEFAULTs of the other columns, as text; None for NULL.
    """

    command: CopyCommand
    source: Source
    columns: list[Column]
    constants: list[str | None] = field(default_factory=list)
    rows: int = 0
    loaded_bytes: int = 0
    errors: list[LoadError] = field(default_factory=list)
    files: list[FileLoaded] = field(default_factory=list)
    failed: bool = False

    def prepare(self) -> None:
        """Look up the files and the jsonpaths; raises RedshiftError before anything is loaded."""
        self.found = self.source.files()
        expressions = self.source.json_paths()
        self._paths = None if expressions is None else parse_paths(expressions)
        if self._paths is not None and len(self._paths) != len(self.columns):
            raise RedshiftError(
                "Number of jsonpaths and the number of columns should match. "
                f"JSONPath size: {len(self._paths)}, Number of columns in table or column list: "
                f"{len(self.columns)}"
            )
        self._converters = [make_converter(column, self.command) for column in self.columns]
        self._names = [column.name for column in self.columns]
        self._required = any(column.not_null for column in self.columns)
        self._strings = [
            column.type in ("character varying", "character", "super", "jsonb")
            for column in self.columns
        ]
        constants = [_escape(c) if c is not None else "\\N" for c in self.constants]
        self._suffix = "".join("\t" + c for c in constants)
        if not self.columns:
            self._suffix = self._suffix[1:]

    def chunks(self) -> Iterator[bytes]:
        """The rows in the text format of PostgreSQL's COPY; ends early once `failed` is set."""
        for file in self.found:
            started, before = _now(), len(self.errors)
            reader = RootReader(self.source.text(file), self.command.ignore_header)
            yield from self._file(file, reader)
            self.files.append(
                FileLoaded(file, reader.lines, len(self.errors) - before, started, _now())
            )
            if self.failed:
                return

    def _file(self, file: SourceFile, reader: RootReader) -> Iterator[bytes]:
        rows: list[bytes] = []
        size = 0
        for root in reader:
            row = self._row(file, reader, root)
            if row is not None:
                rows.append(row)
                size += len(row)
            elif self.failed:
                return
            if size >= _CHUNK_BYTES:
                yield self._flush(rows)
                size = 0
        if rows:
            yield self._flush(rows)

    def _flush(self, rows: list[bytes]) -> bytes:
        chunk = b"".join(rows)
        self.rows += len(rows)
        self.loaded_bytes += len(chunk)
        rows.clear()
        return chunk

    def _row(self, file: SourceFile, reader: RootReader, root: Root) -> bytes | None:
        if root.problem is not None:
            self._refuse(file, root.line, root.raw, 1216, root.problem)
            return None
        try:
            values = self._values(root.value)
        except ValueRefused as error:
            raw, line = reader.locate()
            self._refuse(file, line, raw, error.code, error.reason)
            return None
        texts: list[str] = []
        for place, value in enumerate(values):
            try:
                texts.append(self._text(place, value))
            except ValueRefused as error:
                raw, line = reader.locate()
                self._refuse(
                    file, line, raw, error.code, error.reason, self.columns[place], value, error
                )
                return None
        return ("\t".join(texts) + self._suffix + "\n").encode()

    def _values(self, root: object) -> list[object]:
        """The JSON values for the columns, in order."""
        if self._paths is not None:
            return [follow(root, steps) for steps in self._paths]
        if self.command.json == "noshred":
            return [root]
        if not isinstance(root, dict):
            raise ValueRefused(1216, "Invalid JSON format: a top-level array needs jsonpaths.")
        if self.command.json == "auto ignorecase":
            root = {key.lower(): value for key, value in root.items()}
        return [root.get(name) for name in self._names]

    def _text(self, place: int, value: object) -> str:
        text = self._converters[place](value)
        if text is None:
            if self.columns[place].not_null:
                raise ValueRefused(1213, "Missing data for not-null field")
            return "\\N"
        if self._strings[place]:
            if not text.isascii():
                text = self._clean(place, text)
            return _escape(text)
        return text

    def _clean(self, place: int, text: str) -> str:
        """A string in valid UTF-8; invalid bytes are replaced if the command allows it."""
        try:
            text.encode()
        except UnicodeEncodeError as error:
            replacement = self.command.invalid_character
            if replacement is None or self.columns[place].type != "character varying":
                bad = text[error.start].encode("utf-16-be", "surrogatepass")
                code = bad[1:].hex() if bad[0] == 0xDC else bad.hex()
                raise ValueRefused(
                    1220,
                    "String contains invalid or unsupported UTF-8 codepoints. "
                    f"Bad UTF-8 hex sequence: {code} (error 3)",
                    error.start,
                ) from None
            text = "".join(replacement if "\ud800" <= c <= "\udfff" else c for c in text)
        return text

    def _refuse(
        self,
        file: SourceFile,
        line: int,
        raw: str,
        code: int,
        reason: str,
        column: Column | None = None,
        value: object = None,
        error: ValueRefused | None = None,
    ) -> None:
        shown = value if isinstance(value, str) else json_text(value)
        self.errors.append(
            LoadError(
                file.url,
                line,
                code,
                reason,
                _storable(raw),
                column,
                "" if value is None else _storable(shown),
                error.position if error else 0,
            )
        )
        limit = max(self.command.max_error, 1)
        if "ignoreallerrors" not in self.command.flags and len(self.errors) >= limit:
            self.failed = True


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)


def _escape(text: str) -> str:
    if "\\" in text or "\n" in text or "\t" in text or "\r" in text:
        return text.translate(_ESCAPES)
    return text


def _storable(text: str) -> str:
    """The first 1024 characters, without those that PostgreSQL cannot store."""
    return text[:1024].encode("utf-8", "replace").decode().replace("\0", "?")
