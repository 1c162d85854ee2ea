"""The error that the stand-in raises when Redshift would refuse a statement."""

SYNTAX_ERROR = "42601"
FEATURE_NOT_SUPPORTED = "0A000"
INTERNAL_ERROR = "XX000"
UNDEFINED_FUNCTION = "42883"


class RedshiftError(Exception):
    """An error as a client of Redshift sees it.

    message, detail and hint become the fields M, D and H of the ErrorResponse, sqlstate its C.
    """

    def __init__(
        self,
        message: str,
        sqlstate: str = INTERNAL_ERROR,
        detail: str | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.sqlstate = sqlstate
        self.detail = detail
        self.hint = hint

    def fields(self) -> dict[str, str]:
        """The fields of the ErrorResponse."""
        fields = {"S": "ERROR", "C": self.sqlstate, "M": self.message}
        if self.detail:
            fields["D"] = self.detail
        if self.hint:
            fields["H"] = self.hint
        return fields


def syntax_error(near: str) -> RedshiftError:
    """The parser's complaint about the token `near`."""
    return RedshiftError(f'syntax error at or near "{near}"', SYNTAX_ERROR)


def not_supported(what: str) -> RedshiftError:
    """The error for something that Redshift, or the stand-in, knows and does not support."""
    return RedshiftError(f"{what} is not supported", FEATURE_NOT_SUPPORTED)
