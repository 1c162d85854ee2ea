"""What makes the commands of the tests faster leaves what they do as it is."""

import pytest
import sqlparse

from .warm import statements


@pytest.mark.parametrize(
    "sql",
    [
        "select 1",
        " select ';' as one;\n",
        "\n-- a; b\nselect 1\n;\n",
        "begin; select 1; commit",
        "select 1;;",
        "",
        " ; ",
    ],
)
def test_statements_are_split_as_sqlparse_does(sql: str) -> None:
    assert statements(sql, sqlparse.split) == sqlparse.split(sql)
