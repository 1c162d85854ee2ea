"""JSON as COPY reads it: a file cut into root objects, and the values of an object."""

import json
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from .errors import RedshiftError

OBJECT_LIMIT = 4 * 1024 * 1024
_BLANK = re.compile(r"[ \t\r\n\f\v\ufeff]*")
_START = re.compile(r"[{\[]")
_NEXT_OBJECT = re.compile(r"\n\s*(?=[{\[])")
_STEP = re.compile(r"""\[\s*(?:'([^']*)'|"([^"]*)"|(\d+))\s*\]|\.([^.\[\]]+)|\[\s*([*?:].*)\]""")


class Number(str):
    """A JSON number as it was written."""

    __slots__ = ()


class Root(NamedTuple):
    """One root value of a file, or text that is found in its place.

    If it cannot be read, problem says why, raw is its text and line its last line. For a value
    that was read, RootReader.locate finds these two when they are needed.
    """

    value: object
    raw: str = ""
    line: int = 0
    problem: str | None = None


_DECODER = json.JSONDecoder(parse_float=Number, parse_int=Number, parse_constant=Number)


class RootReader:
    """Cuts the text of a file into its root values; `lines` counts the lines read so far."""

    def __init__(self, pieces: Iterable[str], skip_lines: int = 0) -> None:
        self._pieces = iter(pieces)
        self._text, self._start, self._at, self._counted = "", 0, 0, 0
        self._ended = False
        self.lines = 0
        self._skip_lines(skip_lines)

    def __iter__(self) -> Iterator[Root]:
        scan, blank = _DECODER.scan_once, _BLANK.match
        while True:
            start = blank(self._text, self._at).end()
            if len(self._text) - start <= OBJECT_LIMIT and not self._ended:
                self._at = start
                self._fill()
                continue
            if start >= len(self._text):
                break
            if self._text[start] not in "{[":
                yield self._junk(start)
                continue
            try:
                value, end = scan(self._text, start)
            except (StopIteration, ValueError) as error:
                yield self._broken(start, error)
                continue
            self._start, self._at = start, end
            if end - start > OBJECT_LIMIT // 4 and _size(self._text[start:end]) > OBJECT_LIMIT:
                yield self._problem(start, end, "JSON object exceeds the maximum size of 4 MB")
                continue
            yield Root(value)
        self._count(len(self._text))
        if self._text and not self._text.endswith("\n"):
            self.lines += 1

    def locate(self) -> tuple[str, int]:
        """The text and the last line of the root value that was read last."""
        root = self._problem(self._start, self._at, None)
        return root.raw, root.line

    def _fill(self) -> None:
        self._count(self._at)
        piece = next(self._pieces, None)
        if piece is None:
            self._ended = True
            return
        self._text = self._text[self._at :] + piece
        self._at = self._counted = 0

    def _count(self, end: int) -> None:
        self.lines += self._text.count("\n", self._counted, end)
        self._counted = max(end, self._counted)

    def _problem(self, start: int, end: int, problem: str | None, value: object = None) -> Root:
        self._count(end)
        return Root(value, self._text[start:end], self.lines + 1, problem)

    def _junk(self, start: int) -> Root:
        found = _START.search(self._text, start)
        self._at = found.start() if found else len(self._text)
        end = len(self._text[start : self._at].rstrip()) + start
        return self._problem(start, end, "Invalid value.")

    def _broken(self, start: int, error: Exception) -> Root:
        if len(self._text) - start > OBJECT_LIMIT and not self._closes(start):
            self._at = len(self._text)
            return self._problem(start, start, "JSON object exceeds the maximum size of 4 MB")
        failed = getattr(error, "pos", start + 1)
        found = _NEXT_OBJECT.search(self._text, max(failed, start + 1))
        self._at = found.end() if found else len(self._text)
        end = len(self._text[start : self._at].rstrip()) + start
        return self._problem(start, end, "Invalid JSON format.")

    def _closes(self, start: int) -> bool:
        found = _NEXT_OBJECT.search(self._text, start + 1)
        return found is not None and found.start() - start <= OBJECT_LIMIT

    def _skip_lines(self, count: int) -> None:
        for _ in range(count):
            while "\n" not in self._text[self._at :] and not self._ended:
                self._fill()
            newline = self._text.find("\n", self._at)
            self._at = newline + 1 if newline >= 0 else len(self._text)


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogateescape"))


def parse_paths(expressions: object) -> list[list[str | int]]:
    """The steps of each JSONPath expression; raises RedshiftError if it is not supported."""
    if not isinstance(expressions, list) or not all(isinstance(e, str) for e in expressions):
        raise RedshiftError("Invalid JSONPath format: jsonpaths must be an array of strings")
    return [_parse_path(expression) for expression in expressions]


def _parse_path(expression: str) -> list[str | int]:
    rest = expression.strip()
    if not rest.startswith("$"):
        raise RedshiftError(f"Invalid JSONPath format: {expression}")
    steps: list[str | int] = []
    notations = set()
    position = 1
    while position < len(rest):
        match = _STEP.match(rest, position)
        if match is None or match[5] or match[4] == "*" or (match[4] == "" and not match[3]):
            raise RedshiftError(f"Invalid JSONPath format: {expression}")
        if match[3] is not None:
            steps.append(int(match[3]))
        else:
            steps.append(next(g for g in (match[1], match[2], match[4]) if g is not None))
            notations.add("dot" if match[4] is not None else "bracket")
        position = match.end()
    if len(notations) > 1:
        raise RedshiftError(f"Invalid JSONPath format: mixed notations in {expression}")
    return steps


def follow(value: object, steps: list[str | int]) -> object:
    """The value at a path; None if an object lacks the key."""
    for step in steps:
        if isinstance(step, int):
            if not isinstance(value, list) or step >= len(value):
                raise RedshiftError("Invalid JSONPath format: Not an array or index out of range.")
            value = value[step]
        elif isinstance(value, dict):
            value = value.get(step)
        else:
            return None
    return value
