"""Faults to order: cut connections, refused logins, failing statements."""

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
# What to do with a statement, which is given as it was sent: fail with the error, cut the
# connection (True), or let it run (False).
Decision = Callable[[str], RedshiftError | bool]


@dataclass
class _Fault:
    point: str
    pattern: re.Pattern
    error: RedshiftError | None
    times: int


class Faults:
    """The armed faults of a cluster. Each occurs `times` times and is then disarmed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[_Fault] = []
        self._decide: Decision | None = None
        self._refused_logins = 0

    def cut(self, point: str, statement: str, times: int = 1) -> None:
        """Cut the connection at a statement that matches the regular expression `statement`.

        Comments before the first word of the statement are not matched.

        point: 'before' the statement runs, 'during' it (COPY only: some rows are on their way), or
        'after' it has run but its answer is not sent, so `cut("after", "^commit")` does commit.
        """
        if point not in POINTS:
            raise ValueError(f"point must be one of {POINTS}")
        self._arm(_Fault(point, re.compile(statement, re.IGNORECASE), None, times))

    def fail(self, error: RedshiftError, statement: str = "", times: int = 1) -> None:
        """Fail with `error` instead of running a statement that matches `statement`."""
        self._arm(_Fault("before", re.compile(statement, re.IGNORECASE), error, times))

    def decide(self, decision: Decision) -> None:
        """Let a function decide before each statement, until `clear` is called."""
        with self._lock:
            self._decide = decision

    def refuse_logins(self, times: int = 1) -> None:
        """Refuse the next logins, as a cluster does while it restarts."""
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
        """What to do at this point: see Decision."""
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
