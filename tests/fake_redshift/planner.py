"""The plan of a statement, as far as it depends on the session or on the catalog."""

from dataclasses import replace

from . import type_marks
from .derived_types import DerivedTypes
from .errors import RedshiftError
from .plan import Plan, make_plan
from .shared_state import SharedState
from .tokens import literal, split
from .upstream import Upstream

_RUN_IN_FAILED_TRANSACTIONS = ("rollback", "commit", "end", "abort")


class Planner:
    """Plans the statements of one session."""

    def __init__(self, shared: SharedState, postgres: Upstream) -> None:
        self._shared, self._postgres = shared, postgres

    async def plan(self, sql: str) -> Plan | None:
        """The plan of one statement, None for an empty text. Raises RedshiftError."""
        if self._postgres.has_failed_transaction:
            found = split(sql)
            if found and found[0].word(0) not in _RUN_IN_FAILED_TRANSACTIONS:
                return Plan(sql, "select 1")  # PostgreSQL refuses it, whatever it is.
        plan = make_plan(sql)
        if plan is None:
            return None
        await self._check(plan)
        return await self._with_types(plan) if plan.marked else plan

    async def _with_types(self, plan: Plan) -> Plan:
        """The plan with the types that PostgreSQL does not derive."""
        described = literal(type_marks.to_describe(plan.marked))
        ((tree,),) = await self._postgres.query(f"select pg_redshift.describe({described})")
        if tree is None:  # The statement fails, or has parameters.
            return plan
        types = DerivedTypes(tree, self._shared.functions)
        return replace(plan, sql=type_marks.filled(plan.marked, types))

    async def _check(self, plan: Plan) -> None:
        if plan.reads_history:
            await self._shared.in_thread(self._shared.log.record_history, self._shared.statements)
        if plan.outside_transaction and self._postgres.is_in_transaction:
            raise RedshiftError(
                f"{plan.outside_transaction} cannot run inside a transaction block", "25001"
            )
        if plan.merge_source:
            sql = f"select relkind from pg_class where oid = to_regclass($x${plan.merge_source}$x$)"
            rows = await self._postgres.query(sql)
            if rows and rows[0][0] != "r":
                raise RedshiftError("MERGE source must be a table, not a view", "0A000")
