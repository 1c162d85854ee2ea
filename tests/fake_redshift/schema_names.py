"""Names of schemas, which the name of the database may precede."""

from .constants import DATABASE
from .errors import RedshiftError
from .token_reader import TokenReader
from .tokens import Statement, quoted


def schemas(statement: Statement, at: int) -> tuple[str, int]:
    """The list of schemas that begins at `at`, without their database, and the index after it."""
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
