"""A local stand-in for Amazon Redshift and the S3 that it loads from. See README.md."""

from .cluster import FakeRedshift, PortTakenError
from .constants import BUCKET, DATABASE, USER
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
    "PortTakenError",
    "RedshiftError",
]
