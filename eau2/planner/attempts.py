"""Attempts: at which node a task runs, and at which one again when a node has failed it.

Owns: which errors another node can help with, the nodes that a query has lost, the choice of the
next node, and the words for a task that no node could run. Comes in: tasks, and how they failed;
goes out: the same tasks at other nodes, or the error that ends the query. Does not know: stages,
the clock, whether a node lives: it goes by how tasks failed and by the order of the candidates.

Every attempt of a task is at another node, so there is nothing to wait for between two of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from eau2.config import LIMITS
from eau2.errors import (
    BusyError,
    CancelledError,
    CorruptChunkError,
    Error,
    KernelLostError,
    MissingError,
    PeerLostError,
    ProtocolError,
    UnreachableError,
)
from eau2.planner.placement import Candidates, Task, recorded
from eau2.records import replace

_LOSSES = (PeerLostError, UnreachableError)
"""After these the node is asked for nothing more by this query."""

_ELSEWHERE = (
    *_LOSSES,
    BusyError,
    CancelledError,
    CorruptChunkError,
    KernelLostError,
    MissingError,
    ProtocolError,
)
"""What is the node's own trouble. A deadline is not: it is the query's, and the same everywhere.
Nor is a lack of memory that the node has measured, nor any error of the statement or its data."""

_KERNELS = 2
"""Kernel processes that one task may bring down. The first may have been ended by something else;
a task that ends a second one is the cause itself, and would do the same at every node."""


def helps_elsewhere(error: Exception) -> bool:
    """Whether a task that failed so may do better at another node."""
    return isinstance(error, _ELSEWHERE)


class Attempts:
    """What one query knows of its nodes and of the tasks that have failed."""

    def __init__(self, here: Sequence[str] = (), candidates: Candidates = recorded) -> None:
        """here: the names of the node that leads the query; it takes what no other node can run."""
        self._here = tuple(here)
        self._candidates = candidates
        self._lost: dict[str, None] = {}
        self._failures: dict[tuple[int, int], list[tuple[str, Exception]]] = {}

    def first(self, task: Task) -> Task:
        """The task where it runs first: as placed, unless a better node is known by now."""
        if not task.chunks or task.node in self._here:
            return task
        # All its chunks were placed at its node; what is said of one holds for the node.
        if task.node not in self._lost and self._candidates(task.chunks[0])[:1] == (task.node,):
            return task
        node = self._choice(task, ())
        return task if node is None else replace(task, node=node)

    def loses(self, task: Task, error: Exception) -> bool:
        """Whether the task's node is lost with this error: then all that runs there has failed."""
        if task.node in self._here or not isinstance(error, _LOSSES):
            return False
        self._lost[task.node] = None
        return True

    def again(self, task: Task, error: Exception) -> Task | Exception:
        """The task at another node after it failed so, or the error that the query ends with."""
        failures = self._failures.setdefault((task.stage, task.number), [])
        failures.append((task.node, error))
        if not helps_elsewhere(error):
            return error
        kernels = sum(isinstance(failure, KernelLostError) for _, failure in failures)
        if len(failures) >= LIMITS.task_attempts or kernels >= _KERNELS:
            return _given_up(failures)
        node = self._choice(task, [failed for failed, _ in failures])
        if node is None or self._out_of_reach(task):
            return _given_up(failures)
        return replace(task, node=node, failed_at=(*task.failed_at, task.node))

    def forget(self, stages: Iterable[int]) -> None:
        """The tasks of these stages begin anew, over other rows."""
        wanted = set(stages)
        for key in [key for key in self._failures if key[0] in wanted]:
            del self._failures[key]

    def _out_of_reach(self, task: Task) -> bool:
        """Whether a chunk of the task was on lost nodes alone: nobody can fetch it from there."""
        return any(
            all(node in self._lost for node in self._candidates(chunk)) for chunk in task.chunks
        )

    def _choice(self, task: Task, failed: Sequence[str]) -> str | None:
        """The node that holds most of the task's chunks, of several the best; else the leading one.

        None when that has failed too. Whoever takes the task fetches the chunks that it has not.
        """
        held: dict[str, int] = {}
        places: dict[str, int] = {}
        for chunk in task.chunks:
            for place, node in enumerate(self._candidates(chunk)):
                held[node] = held.get(node, 0) + 1
                places[node] = places.get(node, 0) + place
        here_failed = any(node in self._here for node in failed)
        possible = [
            node
            for node in held
            if node not in self._lost
            and node not in failed
            and not (here_failed and node in self._here)
        ]
        if possible:
            return min(possible, key=lambda node: (-held[node], places[node]))
        return self._here[0] if self._here and not here_failed else None


def _given_up(failures: Sequence[tuple[str, Exception]]) -> Exception:
    """One error for all of them: that a node was not heard says more than that others lack it."""
    told = next((e for _, e in failures if not isinstance(e, MissingError)), failures[-1][1])
    if len(failures) == 1 or not isinstance(told, Error):
        return told
    words = "; ".join(
        text if node in (text := str(getattr(error, "message", error))) else f"node {node}: {text}"
        for node, error in failures
    )
    whole = type(told)(f"a task failed at {len(failures)} nodes: {words}", hint=told.hint)
    whole.__cause__ = told
    return whole
