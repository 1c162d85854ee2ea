"""Reads the tokens of a statement from left to right."""

from .errors import syntax_error
from .tokens import Statement


class TokenReader:
    """A position in a statement's tokens."""

    def __init__(self, statement: Statement, at: int = 0, end: int | None = None) -> None:
        self.statement, self.at = statement, at
        self.end = len(statement) if end is None else end

    @property
    def word(self) -> str:
        return self.statement.word(self.at) if self.at < self.end else ""

    @property
    def text(self) -> str:
        return self.statement.text(self.at) if self.at < self.end else ""

    def skip(self, *words: str) -> bool:
        """Skip any of these words; whether there was one."""
        start = self.at
        while self.word and self.word in words:
            self.at += 1
        return self.at > start

    def one_of(self, *words: str) -> str:
        """Skip one of these words and return it; '' if there is none."""
        word = self.word if self.word in words else ""
        self.at += bool(word)
        return word

    def expect(self, word: str) -> None:
        if self.word != word:
            raise syntax_error(self.text or "end of input")
        self.at += 1

    def expect_end(self) -> None:
        if self.at < self.end:
            raise syntax_error(self.text)

    def name(self) -> list[str]:
        """Read a name, which must be there; its parts."""
        names, self.at = self.statement.dotted_name(self.at)
        if not names:
            raise syntax_error(self.text or "end of input")
        return names

    def names(self) -> list[str]:
        """Read a list of names in parentheses."""
        if self.text != "(":
            raise syntax_error(self.text or "end of input")
        ranges = self.statement.arguments(self.at)
        self.at = self.statement.partner[self.at] + 1
        return [self.statement.tokens[first].name for first, _ in ranges]
