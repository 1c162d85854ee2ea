"""PostgreSQL's answers in Redshift's words."""

import re

from . import wire
from .system_log import SystemLog
from .wire import FromServer, Message

_MISSING_RELATION = re.compile(r'relation "(?:[^".]+\.)?([^".]+)\.[^".]+" does not exist')
# Parameters for which the client gets other values than PostgreSQL's.
_REPORTED = {"server_version": "8.0.2"}
_TEXT, _VARCHAR = 25, 1043
_SHOWN_TYPES = {_TEXT: _VARCHAR}
# Redshift reports the name of a table where PostgreSQL reports the table's row type.
_INDEXES = {"pg_type_typname_nsp_index": "pg_class_relname_nsp_index"}
_BOOLEAN_CAST = "permission denied for function boolean_to_varchar"


def translate_error(fields: dict[str, str], log: SystemLog, pid: int) -> dict[str, str]:
    """The fields of an ErrorResponse as Redshift would send them."""
    code, message = fields.get("C", ""), fields.get("M", "")
    out = {k: v for k, v in fields.items() if k in "SCMDHP"}
    if code == "23502":
        out["M"] = f"Cannot insert a NULL value into column {fields.get('c', '')}"
        out.pop("D", None)
    elif code == "23505" and fields.get("n", "").startswith("pg_"):
        # Two transactions create it at once, with or without IF NOT EXISTS.
        index = _INDEXES.get(fields["n"], fields["n"])
        out["M"] = (
            f'duplicate key violates unique constraint "{index}" '
            "(possibly caused by concurrent transaction conflict)"
        )
        out.pop("D", None)
    elif code == "42P07":
        out["M"] = message[0].upper() + message[1:]
    elif code == "40001":
        out |= {
            "C": "XX000",
            "M": "1023",
            "D": "Serializable isolation violation on table - 0, transactions forming the cycle "
            f"are: 0 (pid:{pid})",
        }
    elif message.startswith("MERGE command cannot affect row a second time"):
        out |= {"C": "XX000", "M": "Found multiple matches to update the same tuple."}
        out.pop("H", None)
    elif message == _BOOLEAN_CAST:
        out |= {"C": "42846", "M": "cannot cast type boolean to character varying"}
    elif code == "42P01":
        match = _MISSING_RELATION.match(message)
        if match and not log.schema_exists(match[1]):
            out |= {"C": "3F000", "M": f'schema "{match[1]}" does not exist'}
    return out


def parameter_status(message: Message) -> Message:
    """A ParameterStatus as Redshift would send it; any other message as it is."""
    if message.kind == FromServer.PARAMETER_STATUS:
        name, _ = wire.split_cstring(message.body)
        if name in _REPORTED:
            return wire.parameter_status(name, _REPORTED[name])
    return message


def row_description(message: Message) -> Message:
    """A RowDescription with the types that Redshift has."""
    return Message(message.kind, wire.replace_types(message.body, _SHOWN_TYPES))


def client_tag(tag: str, own: str | None) -> str:
    """The command tag for the client: Redshift's has no row count for SELECT and MERGE."""
    if own is not None:
        return own
    if tag.startswith(("SELECT ", "MERGE ")):
        return tag.split()[0]
    return tag
