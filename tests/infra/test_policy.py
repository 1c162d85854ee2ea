"""The evaluator of policies decides as AWS documents it."""

from __future__ import annotations

from typing import Any

import pytest

from .policy import Request, allows, reductions

LOGS = "arn:aws:s3:::data/log_data/x"


def statement(**elements: Any) -> dict:
    """A statement that allows to read the logs, with some elements changed."""
    return {"Effect": "Allow", "Action": "s3:GetObject", "Resource": LOGS, **elements}


def on_prefix(operator: str, prefix: str | list[str]) -> dict:
    """A condition on the prefix of a listing."""
    return {operator: {"s3:prefix": prefix}}


@pytest.mark.parametrize(
    ("statements", "is_allowed"),
    [
        ([], False),
        ([statement()], True),
        ([statement(Action=["s3:PutObject", "s3:getobject"])], True),
        ([statement(Action="s3:Get*")], True),
        ([statement(Action="s3:Get")], False),
        ([statement(Resource="arn:aws:s3:::data/log_data/?")], True),
        ([statement(Resource="arn:aws:s3:::data/*/x")], True),
        ([statement(Resource="arn:aws:s3:::data/log.data/x")], False),
        ([statement(Resource=["arn:aws:s3:::data", LOGS + "/y"])], False),
        ([statement(), statement(Effect="Deny", Resource="*")], False),
        ([statement(), statement(Effect="Deny", Action="s3:PutObject")], True),
        ([statement(Condition=on_prefix("StringLike", "log_data/*"))], True),
        ([statement(Condition=on_prefix("StringLike", ["a/*", "log_data/*"]))], True),
        ([statement(Condition=on_prefix("StringEquals", "log_data/*"))], False),
        ([statement(Condition={"StringLike": {"s3:delimiter": "*"}})], False),
        (
            [statement(Condition={**on_prefix("StringLike", "*"), "Bool": {"is_tls": "true"}})],
            False,
        ),
    ],
)
def test_decisions(statements: list[dict], is_allowed: bool) -> None:
    request = Request("s3:GetObject", LOGS, {"s3:prefix": "log_data/2018/", "is_tls": "false"})
    assert allows(statements, request) == is_allowed


def test_what_it_does_not_know_is_refused() -> None:
    request = Request("s3:GetObject", LOGS, {"s3:prefix": ""})
    with pytest.raises(NotImplementedError):
        allows([statement(NotAction="s3:PutObject")], request)
    with pytest.raises(KeyError):
        allows([statement(Condition=on_prefix("StringNotLike", "x"))], request)


def test_each_reduction_lacks_one_value() -> None:
    one = statement(Action=["a:1", "a:2"], Condition=on_prefix("StringLike", ["x", "y"]))
    two = statement(Resource="*")
    reduced = dict(reductions([one, two]))
    assert len(reduced) == 7
    assert reduced["0: Action a:1"] == [{**one, "Action": ["a:2"]}, two]
    assert reduced[f"0: Resource {LOGS}"] == [two]
    assert reduced["0: Condition/StringLike/s3:prefix x"] == [
        {**one, "Condition": on_prefix("StringLike", ["y"])},
        two,
    ]
    assert reduced["1: Action s3:GetObject"] == reduced["1: Resource *"] == [one]
