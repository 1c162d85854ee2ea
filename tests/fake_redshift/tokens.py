"""Cuts SQL into tokens, each with its position in the text."""

import re
from dataclasses import dataclass, field
from functools import cached_property

from .errors import syntax_error

_TOKEN = re.compile(
    r"""
      (?P<space>\s+|--[^\n]*)
    | (?P<comment>/\*)
    | (?P<string>(?:[eEnN](?='))?'(?:[^'\\]|\\.|'')*')
    | (?P<quoted>"(?:[^"]|"")*")
    | (?P<dollar>\$(?P<delimiter>[A-Za-z_]\w*)?\$(?s:.*?)\$(?P=delimiter)\$
                |\$\$(?s:.*?)\$\$)
    | (?P<parameter>\$\d+)
    | (?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)
    | (?P<word>[A-Za-z_\u0080-\uffff\#][\w$\u0080-\uffff\#]*)
    | (?P<operator>::|\|\||<=|>=|<>|!=|:=|!~~?\*?|!~\*?|~~?\*?|[-+*/<>=~!@\#%^&|`?:;,.()\[\]{}\\])
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass(slots=True, frozen=True)
class Token:
    """A token.

    kind: word, quoted, string, dollar, parameter, number or operator.
    word: the lower-case text if the kind is word, otherwise ''.
    """

    kind: str
    text: str
    start: int
    end: int
    word: str

    @property
    def name(self) -> str:
        """The identifier that a word or a quoted word means, folded as Redshift does."""
        if self.kind == "quoted":
            return fold(self.text[1:-1].replace('""', '"'))
        return fold(self.text)

    @property
    def is_identifier(self) -> bool:
        return self.kind in ("word", "quoted")


def fold(identifier: str) -> str:
    """The identifier with its ASCII letters in lower case."""
    return "".join(c.lower() if "A" <= c <= "Z" else c for c in identifier)


def tokenize(sql: str) -> list[Token]:
    """The tokens of `sql`, without white space and comments."""
    tokens = []
    position = 0
    while position < len(sql):
        match = _TOKEN.match(sql, position)
        if match is None:
            raise syntax_error(sql[position])
        kind = match.lastgroup if match.lastgroup != "delimiter" else "dollar"
        end = match.end()
        if kind == "comment":
            end = _comment_end(sql, position)
        elif kind != "space":
            text = match.group()
            word = text.lower() if kind == "word" else ""
            tokens.append(Token(kind, text, position, end, word))
        position = end
    return tokens


def _comment_end(sql: str, start: int) -> int:
    depth = 0
    for mark in re.compile(r"/\*|\*/").finditer(sql, start):
        depth += 1 if mark.group() == "/*" else -1
        if depth == 0:
            return mark.end()
    raise syntax_error("/*")


def unquote(token: Token) -> str:
    """The value of a string literal."""
    if token.kind == "dollar":
        mark = token.text.index("$", 1) + 1
        return token.text[mark:-mark]
    body = token.text[token.text.index("'") + 1 : -1].replace("''", "'")
    escapes = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
    return re.sub(r"\\(.)", lambda m: escapes.get(m[1], m[1]), body, flags=re.DOTALL)


def literal(value: str) -> str:
    """`value` as a string literal, whatever standard_conforming_strings is."""
    return "E'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


def quoted(parts: list[str]) -> str:
    """The dotted name of these parts, in double quotes."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in parts)


@dataclass
class Statement:
    """One SQL statement: its text and its tokens, without a closing semicolon."""

    sql: str
    tokens: list[Token] = field(repr=False)

    def __len__(self) -> int:
        return len(self.tokens)

    def word(self, index: int) -> str:
        """The keyword at `index`, '' if there is none."""
        return self.tokens[index].word if 0 <= index < len(self.tokens) else ""

    def text(self, index: int) -> str:
        return self.tokens[index].text if 0 <= index < len(self.tokens) else ""

    def words(self, index: int, count: int) -> tuple[str, ...]:
        return tuple(self.word(i) for i in range(index, index + count))

    def source(self, first: int, last: int) -> str:
        """The text of the tokens first..last-1."""
        if first >= last:
            return ""
        return self.sql[self.tokens[first].start : self.tokens[last - 1].end]

    @cached_property
    def partner(self) -> dict[int, int]:
        """The index of the matching parenthesis, for each parenthesis."""
        partner, stack = {}, []
        for i, token in enumerate(self.tokens):
            if token.text == "(":
                stack.append(i)
            elif token.text == ")":
                if not stack:
                    raise syntax_error(")")
                partner[i] = stack.pop()
                partner[partner[i]] = i
        if stack:
            raise syntax_error("(")
        return partner

    @cached_property
    def opener(self) -> list[int]:
        """The index of the parenthesis that encloses each token; -1 if none does."""
        opener, stack = [], [-1]
        for token in self.tokens:
            if token.text == ")" and len(stack) > 1:
                stack.pop()
            opener.append(stack[-1])
            if token.text == "(":
                stack.append(len(opener) - 1)
        return opener

    def arguments(self, opening: int) -> list[tuple[int, int]]:
        """The ranges of tokens between the commas of the list that opens at `opening`."""
        closing = self.partner[opening]
        if closing == opening + 1:
            return []
        ranges, first = [], opening + 1
        for i in range(opening + 1, closing):
            if self.tokens[i].text == "," and self.opener[i] == opening:
                ranges.append((first, i))
                first = i + 1
        return [*ranges, (first, closing)]

    def is_call(self, index: int) -> bool:
        """Whether the word at `index` is the name of a function that is called."""
        return self.text(index + 1) == "(" and self.text(index - 1) != "."

    def dotted_name(self, index: int) -> tuple[list[str], int]:
        """The parts of the name at `index`, and the index after it."""
        if index >= len(self) or not self.tokens[index].is_identifier:
            return [], index
        parts = [self.tokens[index].name]
        index += 1
        while self.text(index) == "." and index + 1 < len(self):
            if not self.tokens[index + 1].is_identifier:
                break
            parts.append(self.tokens[index + 1].name)
            index += 2
        return parts, index


def split(sql: str) -> list[Statement]:
    """The statements of `sql`, separated by semicolons; empty ones are left out."""
    statements, current, start = [], [], 0
    for token in tokenize(sql):
        if token.text == ";" and token.kind == "operator":
            if current:
                statements.append(_statement(sql, start, token.start, current))
            current, start = [], token.end
        else:
            current.append(token)
    if current:
        statements.append(_statement(sql, start, len(sql), current))
    return statements


def _statement(sql: str, start: int, end: int, tokens: list[Token]) -> Statement:
    moved = [Token(t.kind, t.text, t.start - start, t.end - start, t.word) for t in tokens]
    return Statement(sql[start:end], moved)
