"""Tasks that run again: whatever nodes do, the rows of each count once, after few attempts."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eau2.catalog import ChunkKey, ChunkRef
from eau2.config import LIMITS
from eau2.errors import (
    BusyError,
    CorruptChunkError,
    DataError,
    DeadlineError,
    Error,
    InternalError,
    KernelLostError,
    MissingError,
    NotSupportedError,
    OperationalError,
    OutOfRangeError,
    PeerLostError,
    ProgrammingError,
    UnreachableError,
)
from eau2.planner.attempts import Attempts, helps_elsewhere
from eau2.planner.placement import Task, recorded
from eau2.planner.schedule import (
    Failed,
    Finished,
    Instruction,
    RunTask,
    Schedule,
    StageComplete,
    TaskDone,
    TaskFailed,
)
from tests.unit.test_schedule import plan_of

HOME, OTHERS = "n1", ("n2", "n3", "n4", "n5", "n6")
NODES = (HOME, *OTHERS)
TROUBLE = (BusyError, CorruptChunkError, MissingError)
USER_ERRORS = (DataError, OutOfRangeError, ProgrammingError, NotSupportedError)


def chunk(number: int, *locations: str) -> ChunkRef:
    return ChunkRef(ChunkKey("w", number), 1, 1, "", (), locations)


def task(number: int, *chunks: ChunkRef, stage: int = 0) -> Task:
    return Task(stage, number, chunks, len(chunks), chunks[0].locations[0] if chunks else HOME)


@dataclass
class Run:
    """What a coordinator does with a schedule, over nodes that live or do not."""

    schedule: Schedule
    pending: dict[tuple[int, int], Task] = field(default_factory=dict)
    old: list[Task] = field(default_factory=list)
    sent: list[Task] = field(default_factory=list)
    rows: dict[tuple[int, int], Task] = field(default_factory=dict)
    ends: list[Instruction] = field(default_factory=list)

    def obey(self, instructions: list[Instruction]) -> None:
        for instruction in instructions:
            assert not self.ends, "something follows the end"
            match instruction:
                case RunTask(task):
                    key = (task.stage, task.number)
                    assert key not in self.rows, "a task that has ended runs again"
                    if key in self.pending:
                        self.old.append(self.pending[key])
                    self.pending[key] = task
                    self.sent.append(task)
                case StageComplete(stage, _):
                    assert not any(key[0] == stage for key in self.pending)
                case Finished() | Failed():
                    self.ends.append(instruction)

    def done(self, task: Task) -> None:
        del self.pending[task.stage, task.number]
        self.rows[task.stage, task.number] = task
        self.obey(self.schedule.handle(TaskDone(task, task.rows)))

    def failed(self, task: Task, error: Exception) -> None:
        self.obey(self.schedule.handle(TaskFailed(task, error)))


@st.composite
def stages(draw: st.DrawFn) -> dict[int, tuple[Task, ...]]:
    """Tasks of two stages over chunks of which each lies on one node or several."""
    holders = st.lists(st.sampled_from(NODES), min_size=1, max_size=6, unique=True)
    placed = {}
    for stage in (0, 1):
        tasks = []
        for number in range(draw(st.integers(1, 5))):
            first, *rest = draw(holders)
            chunks = [chunk(n, first, *rest) for n in range(draw(st.integers(1, 3)))]
            tasks.append(task(number, *chunks, stage=stage))
        placed[stage] = tuple(tasks)
    return placed


def run_of(placed: dict[int, tuple[Task, ...]], window: int) -> Run:
    made = Run(Schedule(plan_of([(), (0,)]), placed, window, Attempts((HOME,), recorded)))
    made.obey(made.schedule.start())
    return made


@settings(max_examples=300, deadline=None)
@given(stages(), st.data())
def test_any_nodes_may_be_lost_and_the_rows_are_the_same(
    placed: dict[int, tuple[Task, ...]], data: st.DataObject
) -> None:
    run = run_of(placed, data.draw(st.integers(1, 6)))
    dead: list[str] = []
    known: dict[str, int] = {}
    while not run.ends:
        assert run.pending, "nothing runs and the query is not over"
        for node in dead:
            # Of what is sent after a loss was told, nothing goes there.
            later = run.sent[known[node] :] if node in known else []
            assert not any(task.node == node for task in later)
        left = [node for node in OTHERS if node not in dead]
        if left and data.draw(st.integers(0, 3)) == 0:
            dead.append(data.draw(st.sampled_from(left)))
        one = data.draw(st.sampled_from(sorted(run.pending.values(), key=repr)))
        if one.node in dead:
            error = data.draw(st.sampled_from([PeerLostError, UnreachableError]))
            run.failed(one, error(f"{one.node} is gone"))
            known.setdefault(one.node, len(run.sent))
        elif one.node != HOME and data.draw(st.integers(0, 5)) == 0:
            run.failed(one, data.draw(st.sampled_from(TROUBLE))("no"))
        else:
            run.done(one)
        for stale in run.old:
            assert run.schedule.handle(TaskDone(stale, 1)) == []
            assert run.schedule.handle(TaskFailed(stale, PeerLostError("late"))) == []
    every = [chunk for tasks in placed.values() for task in tasks for chunk in task.chunks]
    (end,) = run.ends
    tries = [len(task.failed_at) + 1 for task in run.sent]
    assert max(tries) <= LIMITS.task_attempts
    if isinstance(end, Failed) and one.node != HOME and max(tries) == LIMITS.task_attempts:
        # A node too many has failed.
        return
    if any(set(chunk.locations) <= set(dead) for chunk in every) and isinstance(end, Failed):
        assert isinstance(end.error, PeerLostError | UnreachableError)
        return
    assert isinstance(end, Finished)
    wanted = {(t.stage, t.number): t.chunks for tasks in placed.values() for t in tasks}
    assert {key: task.chunks for key, task in run.rows.items()} == wanted
    for key in wanted:
        tried = [t.node for t in run.sent if (t.stage, t.number) == key]
        assert len(tried) <= LIMITS.task_attempts
        assert len(set(tried)) == len(tried), "twice at the same node"


@settings(max_examples=200, deadline=None)
@given(stages(), st.data())
def test_errors_of_the_statement_end_it_at_once(
    placed: dict[int, tuple[Task, ...]], data: st.DataObject
) -> None:
    run = run_of(placed, data.draw(st.integers(1, 6)))
    while not run.ends:
        one = data.draw(st.sampled_from(sorted(run.pending.values(), key=repr)))
        if data.draw(st.integers(0, 3)) == 0:
            error = data.draw(st.sampled_from(USER_ERRORS))("the data")
            before = len(run.sent)
            run.failed(one, error)
            assert run.ends == [Failed(error)]
            assert len(run.sent) == before
        else:
            run.done(one)


@settings(max_examples=200, deadline=None)
@given(stages(), st.data())
def test_where_every_node_fails_the_error_names_them_all(
    placed: dict[int, tuple[Task, ...]], data: st.DataObject
) -> None:
    run = run_of(placed, data.draw(st.integers(1, 6)))
    while not run.ends:
        one = data.draw(st.sampled_from(sorted(run.pending.values(), key=repr)))
        kind = MissingError if one.node == HOME else data.draw(st.sampled_from(TROUBLE))
        run.failed(one, kind(f"chunk 3 is not on {one.node}"))
    (end,) = run.ends
    assert isinstance(end, Failed)
    tried = (*one.failed_at, one.node)
    assert len(tried) <= LIMITS.task_attempts
    assert HOME in tried or len(tried) == LIMITS.task_attempts
    for node in tried:
        assert f"chunk 3 is not on {node}" in str(end.error)


def test_all_that_runs_at_a_lost_node_moves_at_once() -> None:
    chunks = [chunk(n, "n2", "n3") for n in range(4)]
    run = run_of({0: tuple(task(n, c) for n, c in enumerate(chunks)), 1: (task(0, stage=1),)}, 3)
    assert [t.node for t in run.sent] == ["n2", "n2", "n2"]
    run.failed(run.sent[1], PeerLostError("n2 is gone"))
    assert [(t.number, t.node, t.failed_at) for t in run.sent[3:]] == [
        (n, "n3", ("n2",)) for n in range(3)
    ]
    run.done(run.pending[0, 0])
    assert (run.sent[-1].number, run.sent[-1].node, run.sent[-1].failed_at) == (3, "n3", ())


def test_a_missing_chunk_moves_its_task_alone() -> None:
    chunks = [chunk(n, "n2", "n3") for n in range(2)]
    run = run_of({0: tuple(task(n, c) for n, c in enumerate(chunks)), 1: (task(0, stage=1),)}, 3)
    run.failed(run.sent[0], MissingError("n2 has it not"))
    assert [(t.number, t.node) for t in run.sent[2:]] == [(0, "n3")]
    run.failed(run.sent[2], CorruptChunkError("n3 has it damaged"))
    assert [(t.number, t.node) for t in run.sent[3:]] == [(0, HOME)]
    run.failed(run.sent[3], MissingError("not here"))
    (end,) = run.ends
    assert isinstance(end, Failed)
    assert isinstance(end.error, CorruptChunkError)
    assert "failed at 3 nodes" in str(end.error)


def test_the_leading_nodes_own_trouble_moves_its_task_too() -> None:
    run = run_of({0: (task(0, chunk(0, HOME, "n2")),), 1: (task(0, stage=1),)}, 1)
    run.failed(run.sent[0], MissingError("not here"))
    assert run.sent[-1].node == "n2"
    run.failed(run.sent[-1], PeerLostError("n2 is gone"))
    (end,) = run.ends
    assert isinstance(end, Failed)
    assert isinstance(end.error, PeerLostError)


def test_a_chunk_that_only_lost_nodes_have_ends_the_query_at_once() -> None:
    run = run_of({0: (task(0, chunk(0, "n2", "n3")),), 1: (task(0, stage=1),)}, 1)
    run.failed(run.sent[0], PeerLostError("n2 is gone"))
    run.failed(run.sent[1], UnreachableError("n3 is gone"))
    (end,) = run.ends
    assert isinstance(end, Failed)
    assert "n2 is gone" in str(end.error)
    assert "n3 is gone" in str(end.error)


def test_the_node_with_most_of_the_chunks_takes_over() -> None:
    chunks = (chunk(0, "n2", "n4", "n3"), chunk(1, "n2", "n3"), chunk(2, "n2", "n3", "n4"))
    attempts = Attempts((HOME,), recorded)
    one = task(0, *chunks)
    moved = attempts.again(one, MissingError("x"))
    assert isinstance(moved, Task)
    assert moved.node == "n3"
    further = attempts.again(moved, MissingError("x"))
    assert isinstance(further, Task)
    assert further.node == "n4"
    assert further.failed_at == ("n2", "n3")


def test_candidates_that_have_changed_since_placing_are_followed() -> None:
    """A suspect node comes last, however the task was placed."""
    one = task(0, chunk(0, "n2", "n3"))
    assert Attempts((HOME,), recorded).first(one) == one
    assert Attempts((HOME,), lambda _: ("n3", "n2")).first(one).node == "n3"
    assert Attempts((HOME,), lambda _: (HOME,)).first(one).node == HOME


def test_chunks_of_this_process_go_nowhere_else() -> None:
    attempts = Attempts((HOME, "local"), recorded)
    error = MissingError("gone")
    assert attempts.again(task(0, chunk(0, "local")), error) is error


def test_a_task_brings_down_two_kernel_processes_and_no_more() -> None:
    attempts = Attempts((HOME,), recorded)
    moved = attempts.again(task(0, chunk(0, "n2", "n3", "n4")), KernelLostError("SIGKILL"))
    assert isinstance(moved, Task)
    assert isinstance(attempts.again(moved, KernelLostError("SIGKILL")), KernelLostError)


@pytest.mark.parametrize(
    "error",
    [*USER_ERRORS, DeadlineError, InternalError, OperationalError],
)
def test_what_would_fail_everywhere_is_not_tried_again(error: type[Error]) -> None:
    assert not helps_elsewhere(error("x"))
    found = Attempts((HOME,), recorded).again(task(0, chunk(0, "n2", "n3")), error("x"))
    assert isinstance(found, error)
