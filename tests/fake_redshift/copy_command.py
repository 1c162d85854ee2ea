"""Reads a COPY statement and checks it before anything is fetched."""

from dataclasses import dataclass, field

from .errors import RedshiftError, syntax_error
from .tokens import Statement, quoted, unquote

_NOT_WITH_JSON = {
    *("csv", "delimiter", "escape", "fillrecord", "fixedwidth", "ignoreblanklines", "null"),
    *("readratio", "removequotes"),
}
_COMPRESSIONS = {"gzip", "bzip2", "lzop", "zstd"}
_OTHER_FORMATS = {"avro", "parquet", "orc", "shapefile"}
_FLAGS = {
    *("manifest", "truncatecolumns", "emptyasnull", "blanksasnull", "noload", "ignoreallerrors"),
    *("roundec", "explicit_ids", "trimblanks", "escape", "removequotes", "fillrecord"),
    *("ignoreblanklines",),
}
MAX_ERROR_LIMIT = 100000


@dataclass
class CopyCommand:
    """A COPY of JSON from S3: the table, its columns, the source and the options."""

    table: list[str]
    columns: list[str] | None
    bucket: str
    key: str
    role: str
    json: str = "auto"
    region: str | None = None
    compression: str | None = None
    max_error: int = 0
    time_format: str | None = None
    date_format: str | None = None
    invalid_character: str | None = None
    ignore_header: int = 0
    flags: set[str] = field(default_factory=set)

    @property
    def source(self) -> str:
        return f"s3://{self.bucket}/{self.key}"

    @property
    def table_name(self) -> str:
        """The table's name without its schema, as messages show it."""
        return self.table[-1]

    @property
    def quoted_table(self) -> str:
        return quoted(self.table)


def parse_copy(statement: Statement) -> CopyCommand:
    """Read COPY; raises RedshiftError for what Redshift refuses before it loads anything."""
    return _CopyParser(statement).parse()


def split_s3_url(url: str) -> tuple[str, str]:
    """The bucket and the key of an s3:// URL."""
    scheme, _, rest = url.partition("://")
    bucket, _, key = rest.partition("/")
    if scheme != "s3" or not bucket:
        raise RedshiftError(f"Invalid S3 path '{url}'", "XX000")
    return bucket, key


class _CopyParser:
    def __init__(self, statement: Statement) -> None:
        self.statement = statement
        self.at = 1
        self.seen: set[str] = set()

    def parse(self) -> CopyCommand:
        table, self.at = self.statement.dotted_name(self.at)
        if not table:
            raise syntax_error(self.text())
        columns = None
        if self.text() == "(":
            ranges = self.statement.arguments(self.at)
            columns = [self.statement.tokens[first].name for first, _ in ranges]
            self.at = self.statement.partner[self.at] + 1
        self.expect("from")
        url = self.string()
        if not url.startswith("s3://"):
            raise RedshiftError(f"COPY from '{url}' is not supported by this stand-in", "0A000")
        bucket, key = split_s3_url(url)
        self.command = CopyCommand(table, columns, bucket, key, role="")
        self.has_format = False
        while self.at < len(self.statement):
            self.option()
        self.check()
        return self.command

    def text(self) -> str:
        return self.statement.text(self.at) or "end of input"

    def word(self) -> str:
        return self.statement.word(self.at)

    def expect(self, word: str) -> None:
        if self.word() != word:
            raise syntax_error(self.text())
        self.at += 1

    def skip(self, word: str) -> None:
        if self.word() == word:
            self.at += 1

    def string(self) -> str:
        tokens = self.statement.tokens
        if self.at >= len(tokens) or tokens[self.at].kind not in ("string", "dollar"):
            raise syntax_error(self.text())
        self.at += 1
        return unquote(tokens[self.at - 1])

    def number(self) -> int:
        self.skip("as")
        if not self.text().isdigit():
            raise syntax_error(self.text())
        self.at += 1
        return int(self.statement.text(self.at - 1))

    def option(self) -> None:
        word = self.word()
        if word == "format":
            self.at += 1
            self.skip("as")
            word = self.word()
            if word not in {"json", "csv", *_OTHER_FORMATS}:
                raise syntax_error(self.text())
        if word in self.seen:
            raise RedshiftError(f"conflicting or redundant options: {word.upper()}", "42601")
        self.seen.add(word)
        self.at += 1
        if word in _FLAGS or word == "csv":
            self.command.flags.add(word)
        elif word in _COMPRESSIONS:
            self.command.compression = word
        elif word in _OTHER_FORMATS:
            raise RedshiftError(
                f"COPY of {word.upper()} is not supported by this stand-in", "0A000"
            )
        else:
            reader = getattr(self, f"read_{word}", None)
            if reader is None:
                self.at -= 1
                raise syntax_error(self.text())
            reader()

    def read_json(self) -> None:
        self.skip("as")
        self.has_format = True
        is_string = self.statement.tokens[self.at : self.at + 1]
        if is_string and is_string[0].kind == "string":
            self.command.json = self.string()

    def read_iam_role(self) -> None:
        if self.word() == "default":
            self.at += 1
            self.command.role = "default"
            return
        self.command.role = self.string()
        if not all(r.strip().startswith("arn:aws") for r in self.command.role.split(",")):
            raise RedshiftError(
                "Invalid credentials. Must be of the format: credentials 'aws_iam_role=...' or "
                "'aws_access_key_id=...;aws_secret_access_key=...[;token=...]'"
            )

    def read_credentials(self) -> None:
        self.skip("as")
        self.command.role = self.string()

    def read_access_key_id(self) -> None:
        self.command.role = self.string()

    def read_secret_access_key(self) -> None:
        self.string()

    def read_session_token(self) -> None:
        self.string()

    def read_region(self) -> None:
        self.skip("as")
        self.command.region = self.string()

    def read_maxerror(self) -> None:
        self.command.max_error = self.number()
        if self.command.max_error > MAX_ERROR_LIMIT:
            raise RedshiftError(f"MAXERROR must be between 0 and {MAX_ERROR_LIMIT}", "22023")

    def read_timeformat(self) -> None:
        self.skip("as")
        self.command.time_format = self.string()

    def read_dateformat(self) -> None:
        self.skip("as")
        self.command.date_format = self.string()

    def read_ignoreheader(self) -> None:
        self.command.ignore_header = self.number()

    def read_acceptinvchars(self) -> None:
        self.skip("as")
        token = self.statement.tokens[self.at : self.at + 1]
        has_value = bool(token) and token[0].kind == "string"
        self.command.invalid_character = self.string() if has_value else "?"
        if len(self.command.invalid_character) != 1 or not self.command.invalid_character.isascii():
            raise RedshiftError("ACCEPTINVCHARS takes one ASCII character", "22023")

    def read_encoding(self) -> None:
        self.skip("as")
        if self.word() != "utf8":
            raise RedshiftError("ENCODING other than UTF8 is not supported by this stand-in")
        self.at += 1

    def read_compupdate(self) -> None:
        if self.word() in ("on", "off", "preset", "true", "false"):
            self.at += 1

    read_statupdate = read_compupdate

    def read_null(self) -> None:
        self.skip("as")
        self.string()

    def read_delimiter(self) -> None:
        self.skip("as")
        self.string()

    def read_fixedwidth(self) -> None:
        self.skip("as")
        self.string()

    def read_readratio(self) -> None:
        self.number()

    def read_comprows(self) -> None:
        self.number()

    def check(self) -> None:
        command = self.command
        if not command.role:
            raise RedshiftError(
                "Missing credentials: COPY needs IAM_ROLE, CREDENTIALS or ACCESS_KEY_ID",
                "42601",
            )
        if not self.has_format:
            raise RedshiftError("COPY of other formats than JSON is not supported by this stand-in")
        for option in sorted(self.seen & _NOT_WITH_JSON):
            raise RedshiftError(f"{option.upper()} option is not supported with JSON", "0A000")
        if "maxerror" in self.seen and "ignoreallerrors" in self.seen:
            raise RedshiftError("MAXERROR and IGNOREALLERRORS exclude each other", "42601")
        if "secret_access_key" in self.seen and "access_key_id" not in self.seen:
            raise RedshiftError("SECRET_ACCESS_KEY needs ACCESS_KEY_ID", "42601")
        auto = ("auto", "auto ignorecase", "noshred")
        if command.json not in auto and not command.json.startswith("s3://"):
            raise RedshiftError(
                "Invalid JSONPath: must be 'auto', 'auto ignorecase', 'noshred' or an S3 path",
                "22023",
            )
