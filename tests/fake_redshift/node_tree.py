"""PostgreSQL's text of a parsed query, `({QUERY :commandType 1 ...})`, as dicts and lists."""

import re
from collections.abc import Iterator
from typing import Any

Node = dict[str, Any]

_WORDS = r"(?:\\.|[^{}\\])*"
# Much of the text, but irrelevant to types.
_DROPPED = re.compile(
    rf" :(?:eref|alias) \{{{_WORDS}\}}"
    rf"| :rteperminfos \((?:\{{{_WORDS}\}} ?)*\)"
    r"| :(?!resname|ctename)\w+ (?:<>|false|-1|0)(?=[ }])"
)
_TOKEN = re.compile(r"[(){}\[\]]|(?:\\.|[^\s(){}\[\]\\])+")
_ESCAPE = re.compile(r"\\(.)")


def read(text: str) -> list:
    """The list that `text` describes. A node's name is its 'kind'. Most fields that are empty,
    false, 0 or -1 are left out; numbers and names are text, and bytes are bytes."""
    tokens = iter(_TOKEN.findall(_DROPPED.sub("", text)))
    next(tokens)
    return _list(tokens)


def _list(tokens: Iterator[str]) -> list:
    values: list = []
    for token in tokens:
        if token == ")":
            break
        if token == "{":
            values.append(_node(tokens))
        else:
            values.append(_list(tokens) if token == "(" else token)
    return values


def _node(tokens: Iterator[str]) -> Node:
    node: Node = {"kind": next(tokens)}
    field = ""
    for token in tokens:
        if token == "}":
            break
        if token == "{":
            node[field] = _node(tokens)
        elif token == "(":
            node[field] = _list(tokens)
        elif token == "[":
            node[field] = bytes(int(byte) & 255 for byte in iter(lambda: next(tokens), "]"))
        elif token[0] == ":":
            field = token[1:]
        else:
            node[field] = token
    return node


def unescape(name: str) -> str:
    """A name without the backslashes that escape it in the text."""
    return _ESCAPE.sub(r"\1", name)
