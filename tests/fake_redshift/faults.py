"""Faults that a test can arm: cut connections, refused logins, statements that fail."""

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass

from .errors import RedshiftError

SERIALIZABLE_VIOLATION = RedshiftError(
    "1023",
    detail="Serializable isolation violation on table - 100001, transactions forming the cycle "
    "are: 1001, 1002 (pid:1)",
)
NOT_IN_SNAPSHOT = RedshiftError("1018", detail="Relation does not exist.")
DEADLOCK = RedshiftError(
    "deadlock detected", "40P01", detail="Process 1 waits for AccessExclusiveLock on relation."
)
POINTS = ("before", "during", "after")
# What to do at a statement, given as it was sent: the error to fail with, True to cut the
# connection, False to let it run.
Decision = Callable[[str], RedshiftError | bool]


@dataclass
class _Fault:
    point: str
    pattern: re.Pattern
    error: RedshiftError | None
    times: int


class Faults:
    """The armed faults of a cluster. Each goes off `times` times, then is gone."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[_Fault] = []
        self._decide: Decision | None = None
        self._refused_logins = 0

    def cut(self, point: str, statement: str, times: int = 1) -> None:
        """Cut the connection at a statement that matches the regular expression `statement`.

        The text that is matched has no comments before its first word.

        point: 'before' the statement runs, 'during' (COPY only: some rows are on their way), or
        'after' it ran, its answer not sent. `cut("after", "^commit")` commits and does not say so.
        """
        if point not in POINTS:
            raise ValueError(f"point must be one of {POINTS}")
        self._arm(_Fault(point, re.compile(statement, re.IGNORECASE), None, times))

    def fail(self, error: RedshiftError, statement: str = "", times: int = 1) -> None:
        """Have a statement that matches `statement` fail with `error` instead of running."""
        self._arm(_Fault("before", re.compile(statement, re.IGNORECASE), error, times))

    def decide(self, decision: Decision) -> None:
        """Have a function decide at each statement, before it runs, until `clear` is called."""
        with self._lock:
            self._decide = decision

    def refuse_logins(self, times: int = 1) -> None:
        """Refuse the next logins as a cluster that is restarting does."""
        with self._lock:
            self._refused_logins = times

    def clear(self) -> None:
        """Disarm everything."""
        with self._lock:
            self._faults.clear()
            self._decide = None
            self._refused_logins = 0

    def take_login(self) -> bool:
        """Whether this login is to be refused."""
        with self._lock:
            if not self._refused_logins:
                return False
            self._refused_logins -= 1
            return True

    def take(self, point: str, statement: str, as_sent: str = "") -> RedshiftError | bool:
        """The error to raise, True to cut the connection, False for no fault."""
        with self._lock:
            if point == "before" and self._decide and (fault := self._decide(as_sent)):
                return fault
            for fault in self._faults:
                if fault.point == point and fault.pattern.search(statement):
                    fault.times -= 1
                    if not fault.times:
                        self._faults.remove(fault)
                    return fault.error or True
        return False

    def _arm(self, fault: _Fault) -> None:
        with self._lock:
            self._faults.append(fault)
