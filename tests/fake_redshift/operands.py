"""Finds the operands of divisions and averages among a statement's tokens."""

from .tokens import Statement

_AFTER_CALL = {"over", "filter"}
_LONGER_TYPES = {"double": ("precision",), "character": ("varying",), "char": ("varying",)}
_TIMES = ("time", "timestamp")
_TIME_ZONE = ("without", "with", "time", "zone")
_NO_OPERANDS = {"select", "from", "where", "as", "and", "or", "not", "in", "is", "null", "array"}


def divisor(statement: Statement, index: int, last: int) -> int | None:
    """The index after the divisor of the `/` at `index`; None if it does not end by `last`, or if
    its type may depend on the dividend."""
    at = index + 1
    while statement.text(at) in ("+", "-"):
        at += 1
    if at >= last or statement.tokens[at].kind in ("string", "dollar", "parameter"):
        return None
    end = _primary(statement, at)
    while end is not None and statement.text(end) == "::":
        end = _type(statement, end + 1)
    if end is None or end > last or statement.text(end) == "[":
        return None
    return end


def division_key(statement: Statement, index: int, end: int) -> str:
    """A key that is the same for equal divisions in one SELECT, and different otherwise. It
    contains only the last operand of the dividend."""
    at = index - 1
    if statement.text(at) == ")":
        at = statement.partner[at] - 1
    while statement.text(at - 1) in (".", "::"):
        at -= 2
    return _key(statement, max(at, 0), end)


def average_key(statement: Statement, first: int, last: int) -> str:
    """Such a key for the average of the tokens first..last-1."""
    return f"avg {_key(statement, first, last)}"


def _key(statement: Statement, first: int, last: int) -> str:
    texts = [token.word or token.text for token in statement.tokens[first:last]]
    return f"{_select(statement, first)} {' '.join(texts)}"


def _select(statement: Statement, index: int) -> int:
    """The index of the SELECT to which a token belongs; -1 if there is none."""
    while index >= 0 and statement.word(index) != "select":
        index = statement.partner[index] - 1 if statement.text(index) == ")" else index - 1
    return index


def _primary(statement: Statement, at: int) -> int | None:
    token = statement.tokens[at]
    if token.text == "(":
        return statement.partner[at] + 1
    if token.kind == "number":
        return at + 1
    if token.word == "case":
        return _case(statement, at)
    if not token.is_identifier or token.word in _NO_OPERANDS:
        return None
    _, end = statement.dotted_name(at)
    if end < len(statement) and statement.tokens[end].kind == "string":
        return end + 1  # a literal preceded by its type
    if statement.text(end) == "(":
        end = statement.partner[end] + 1
        if statement.words(end, 2) == ("within", "group"):
            end = statement.partner[end + 2] + 1
        while statement.word(end) in _AFTER_CALL and statement.text(end + 1) == "(":
            end = statement.partner[end + 1] + 1
    return end


def _case(statement: Statement, at: int) -> int | None:
    depth = 0
    for i in range(at, len(statement)):
        if statement.word(i) == "case":
            depth += 1
        elif statement.word(i) == "end":
            depth -= 1
        if depth == 0:
            return i + 1
    return None


def _type(statement: Statement, at: int) -> int | None:
    word = statement.word(at)
    names, end = statement.dotted_name(at)
    if not names:
        return None
    if statement.word(end) in _LONGER_TYPES.get(word, ()):
        end += 1
    if statement.text(end) == "(":
        end = statement.partner[end] + 1
    if word in _TIMES and statement.word(end) in ("with", "without"):
        while statement.word(end) in _TIME_ZONE:
            end += 1
    return end
