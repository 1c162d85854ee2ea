"""The database, and names that it may stand in front of."""

from .errors import RedshiftError
from .token_reader import TokenReader
from .tokens import Statement, quoted

DATABASE = "dev"


def schemas(statement: Statement, at: int) -> tuple[str, int]:
    """The schemas that are listed at `at`, without their database, and the index after them."""
    reader, names = TokenReader(statement, at), []
    while True:
        *database, schema = reader.name()
        if database not in ([], [DATABASE]):
            raise RedshiftError(
                f'cross-database reference to schema "{schema}" is not supported', "0A000"
            )
        names.append(quoted([schema]))
        if reader.text != ",":
            return ", ".join(names), reader.at
        reader.at += 1
