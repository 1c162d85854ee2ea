"""Whether a policy allows a request, as IAM decides it, with conditions, which moto leaves out.

It knows what this project's policies use, and refuses the rest. The rules are those of AWS's page
"Policy evaluation logic": https://docs.aws.amazon.com/IAM/latest/UserGuide/
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

ELEMENTS = {"Sid", "Effect", "Principal", "Action", "Resource", "Condition"}


@dataclass(frozen=True)
class Request:
    """A request to AWS; `context` holds the values of condition keys."""

    action: str
    resource: str
    context: dict[str, str] = field(default_factory=dict, hash=False)


def allows(statements: list[dict], request: Request) -> bool:
    """Whether some statement allows the request and none denies it."""
    effects = {each["Effect"] for each in statements if _applies(each, request)}
    return effects == {"Allow"}


def reductions(statements: list[dict]) -> Iterator[tuple[str, list[dict]]]:
    """The statements with one right less: without one action, one resource, or one value of a
    condition. Each with a name for what is gone."""
    for number, statement in enumerate(statements):
        for path in _lists(statement):
            values = _as_list(_at(statement, path))
            for value in values:
                rest = [each for each in values if each != value]
                reduced = [_with(statement, path, rest)] if rest else []
                name = f"{number}: {'/'.join(path)} {value}"
                yield name, [*statements[:number], *reduced, *statements[number + 1 :]]


def _applies(statement: dict, request: Request) -> bool:
    unknown = statement.keys() - ELEMENTS
    if unknown:
        raise NotImplementedError(f"{unknown} of {statement}")
    return (
        any(_like(each.lower(), request.action.lower()) for each in _as_list(statement["Action"]))
        and any(_like(each, request.resource) for each in _as_list(statement["Resource"]))
        and all(
            key in request.context and _OPERATORS[operator](values, request.context[key])
            for operator, keys in statement.get("Condition", {}).items()
            for key, values in keys.items()
        )
    )


def _like(pattern: str, text: str) -> bool:
    parts = re.split(r"([*?])", pattern)
    expression = "".join({"*": ".*", "?": "."}.get(part, re.escape(part)) for part in parts)
    return re.fullmatch(expression, text, re.DOTALL) is not None


def _any_like(patterns: str | list[str], text: str) -> bool:
    return any(_like(each, text) for each in _as_list(patterns))


def _any_equal(values: str | list[str], text: str) -> bool:
    return text in _as_list(values)


# AWS compares ARNs alike with ArnEquals and ArnLike.
_OPERATORS: dict[str, Callable[[str | list[str], str], bool]] = {
    "StringEquals": _any_equal,
    "StringLike": _any_like,
    "ArnEquals": _any_like,
    "ArnLike": _any_like,
    "Bool": _any_equal,
}


def _as_list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def _lists(statement: dict) -> list[tuple[str, ...]]:
    """Where a statement has lists of alternatives."""
    conditions = statement.get("Condition", {})
    return [("Action",), ("Resource",)] + [
        ("Condition", operator, key) for operator, keys in conditions.items() for key in keys
    ]


def _at(value: dict, path: tuple[str, ...]) -> str | list[str]:
    for name in path:
        value = value[name]
    return value  # type: ignore[return-value]


def _with(value: dict, path: tuple[str, ...], leaf: list[str]) -> dict:
    """A copy of nested dictionaries with another leaf."""
    name, *rest = path
    return value | {name: _with(value[name], tuple(rest), leaf) if rest else leaf}
