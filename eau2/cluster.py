"""The coordinator's hands: where the tasks of a plan go, and the plan ready to run.

Owns: the leading node, the way to the others, and how a plan is placed on them. Comes in: a plan;
goes out: the same with its tasks and fragments, or the rows that running it gives. Does not
know: SQL, what a fragment computes, how a query under way goes on (execution.py).
"""

from __future__ import annotations

from collections.abc import Callable, Generator

import polars as pl

from eau2.config import LIMITS
from eau2.execution import Execution, Prepared
from eau2.kernels.host import Cancel
from eau2.kv.chunk import LOCAL
from eau2.node import Node
from eau2.operators.forms import plain_result
from eau2.planner.closed_groups import with_closed_groups
from eau2.planner.fusion import Placed, fused
from eau2.planner.physical import Plan, Stage
from eau2.planner.placement import Candidates, Task, fragment, recorded, tasks
from eau2.travel import Fragment, Remote, TaskReport


class Cluster:
    """Where queries run: the home node, and the other ones if there are any."""

    def __init__(
        self,
        home: Node,
        peers: Remote | None = None,
        run_rows: int = LIMITS.kernel_call_rows,
        candidates: Candidates = recorded,
    ) -> None:
        """candidates: the nodes that may hold a chunk now, best first."""
        self.home = home
        self.peers = peers
        self.candidates = candidates
        self._run_rows = run_rows

    def prepare(self, plan: Plan) -> Prepared:
        """Place the plan's tasks and make its fragments. Raises NotSupportedError."""
        last = plan.stages[-1].id
        # Rows that go to the user as they are come in runs that can be held.
        shown_rows = min(self._run_rows, LIMITS.result_run_rows)

        def place(stage: Stage) -> tuple[Task, ...]:
            rows = shown_rows if stage.id == last else self._run_rows
            return tasks(stage, rows, self.home.name, self.candidates)

        placed: Placed = {stage.id: place(stage) for stage in plan.stages}
        plan, placed = with_closed_groups(plan, placed, place)
        plan, placed = fused(plan, placed, (self.home.name, LOCAL))
        fragments = {stage.id: Fragment(fragment(stage, placed)) for stage in plan.stages}
        read = (chunk for stage in placed.values() for task in stage for chunk in task.chunks)
        return Prepared(plan, placed, fragments, frozenset(chunk.key.df_id for chunk in read))

    def stream(
        self,
        prepared: Prepared,
        cancel: Cancel | None = None,
        query: str = "",
        observe: Callable[[TaskReport], None] | None = None,
    ) -> Generator[pl.DataFrame, None, None]:
        """The rows of the result in order, one frame at least; closing it ends the query.

        observe: is told of every task that has ended. Raises what the failing task raised,
        CancelledError, DeadlineError.
        """
        run = Execution(
            self.home, self.peers, self.candidates, prepared, cancel or Cancel(), query, observe
        )
        # What a statement reads stays as it is until the statement ends, whatever is inserted.
        with self.home.pinned(prepared.df_ids):
            try:
                for rows in run.rows():
                    yield plain_result(rows, prepared.plan.columns)
            finally:
                run.end()
