"""The log of the statements that clients send."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from .long_names import LongNames
from .plan import Plan


@dataclass
class LoggedStatement:
    """One statement as the client sent it. rows and tag are None unless it has succeeded."""

    session: int
    sql: str
    tag: str | None = None
    rows: int | None = None
    error: str | None = None
    duration: float | None = None
    started: float = field(default_factory=time.time)
    user: str = ""
    query_group: str = "default"


@dataclass
class _Running:
    plan: Plan
    entry: LoggedStatement
    clock: float = field(default_factory=time.monotonic)


class StatementLog:
    """Logs the statements of one session.

    entries: the log of the whole cluster. on_statement: called with each entry as it ends.
    """

    def __init__(
        self,
        entries: list[LoggedStatement],
        on_statement: Callable[[LoggedStatement], None] | None,
        names: LongNames,
        pid: int,
        user: str,
    ) -> None:
        self._entries, self._on_statement, self._names = entries, on_statement, names
        self._pid, self._user = pid, user
        self._query_group = "default"
        self._running: deque[_Running] = deque()

    @property
    def running(self) -> Plan | None:
        """The plan of the statement that runs; the first one if several were sent at once."""
        return self._running[0].plan if self._running else None

    def begin(self, plan: Plan) -> None:
        """Log a statement that is about to run."""
        running = _Running(plan, self._entry(plan.statement))
        self._entries.append(running.entry)
        self._running.append(running)

    def end(
        self, tag: str | None = None, rows: int | None = None, error: str | None = None
    ) -> None:
        """Note how the running statement, if there is one, has ended."""
        if not self._running:
            return
        running = self._running.popleft()
        entry = running.entry
        entry.tag, entry.rows, entry.error = tag, rows, error
        entry.duration = time.monotonic() - running.clock
        if tag and running.plan.query_group is not None:
            self._query_group = running.plan.query_group
        self._notify(entry)

    def fail(self, error: str, parsed: str) -> None:
        """Note an error of PostgreSQL, after which nothing runs any more. If nothing ran, the
        statement `parsed` has failed."""
        if self._running:
            self.end(error=error)
            self._running.clear()
        else:
            self.refuse(parsed, error)

    def refuse(self, sql: str, error: str) -> None:
        """Log a statement that fails without running."""
        entry = self._entry(sql)
        entry.error, entry.duration = error, 0.0
        self._entries.append(entry)
        self._notify(entry)

    def _entry(self, sql: str) -> LoggedStatement:
        sql = self._names.lengthen(sql.strip())
        return LoggedStatement(self._pid, sql, user=self._user, query_group=self._query_group)

    def _notify(self, entry: LoggedStatement) -> None:
        if self._on_statement:
            self._on_statement(entry)
