"""A local stand-in for Amazon Redshift and the S3 it copies from. See README.md."""

from .cluster import BUCKET, DATABASE, USER, FakeRedshift
from .errors import RedshiftError
from .faults import DEADLOCK, NOT_IN_SNAPSHOT, SERIALIZABLE_VIOLATION, Faults
from .statement_log import LoggedStatement

__all__ = [
    "BUCKET",
    "DATABASE",
    "DEADLOCK",
    "NOT_IN_SNAPSHOT",
    "SERIALIZABLE_VIOLATION",
    "USER",
    "FakeRedshift",
    "Faults",
    "LoggedStatement",
    "RedshiftError",
]
