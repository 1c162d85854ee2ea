"""Names of types: PostgreSQL's spelling of Redshift's, and the types that only PostgreSQL has."""

from .errors import RedshiftError
from .tokens import Statement

# Redshift has these on the leader node only, inherited from PostgreSQL.
LEADER_TYPES = {
    *("bytea", "money", "inet", "cidr", "macaddr", "bit", "oid", "name", "xid", "cid", "tid"),
    *("point", "line", "lseg", "box", "path", "polygon", "circle"),
    *("regproc", "regprocedure", "regoper", "regoperator", "regclass", "regtype"),
}
# PostgreSQL got these after Redshift had branched off.
MISSING_TYPES = {
    *("serial", "bigserial", "smallserial", "serial2", "serial4", "serial8", "uuid", "json"),
    *("jsonb", "jsonpath", "xml", "hstore", "tsvector", "tsquery", "macaddr8", "pg_lsn", "citext"),
    *("int4range", "int8range", "numrange", "tsrange", "tstzrange", "daterange"),
    *("int4multirange", "int8multirange", "nummultirange", "tsmultirange", "datemultirange"),
    *("txid_snapshot", "pg_snapshot", "xid8", "regnamespace", "regrole", "regcollation"),
    *("regconfig", "regdictionary", "void", "anyelement", "record"),
}


def is_cast_target(statement: Statement, index: int) -> bool:
    """Whether the token at `index` is the type in `x::type` or `cast(x as type)`."""
    if statement.text(index - 1) == "::":
        return True
    opening = statement.opener[index]
    return (
        statement.word(index - 1) == "as"
        and opening > 0
        and statement.word(opening - 1) in ("cast", "try_cast")
    )


def type_name(statement: Statement, index: int, is_column: bool) -> tuple[str, int] | None:
    """PostgreSQL's spelling of the type at `index`, and the index after it; None if it is the same.

    In a column definition a bare VARCHAR or TEXT is VARCHAR(256); in an expression it has no
    limit. A bare DECIMAL is DECIMAL(18,0) everywhere.
    """
    word, end = statement.word(index), index + 1
    if word in ("character", "char") and statement.word(end) == "varying":
        word, end = "varchar", end + 1
    size = ""
    if statement.text(end) == "(":
        closing = statement.partner[end]
        size = statement.source(end + 1, closing).lower()
        end = closing + 1
    if word in ("decimal", "numeric", "dec"):
        return f"numeric({size or '18,0'})", end
    if word in ("varchar", "nvarchar", "text", "bpchar"):
        size = "" if word == "text" else size
        size = "65535" if size == "max" else size
        if word == "bpchar":
            return f"char({size or 256})", end
        if size.isdigit() and not 1 <= int(size) <= 65535:
            raise RedshiftError("length for type varchar cannot exceed 65535", "22023")
        if not size and not is_column:
            return ("varchar" if word != "text" else "text"), end
        return f"varchar({size or 256})", end
    if word in ("nchar", "datetime"):
        return ("char" if word == "nchar" else "timestamp") + (f"({size})" if size else ""), end
    return None
