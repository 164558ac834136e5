"""EXPLAIN ANALYZE: what a query's stages did, as a tree; and how far they are meanwhile.

Owns: the figures of each stage and node, and their text. Comes in: a prepared plan and the reports
of its tasks. Goes out: lines. Does not know: how tasks are run or timed.

The root is the stage that gives the result; below a stage stand its operators, its nodes, and the
stages that it reads. "2 again after n3" are tasks that the node took over when n3 had failed them.
Skew is the slowest task's time by the mean of all: 1.0 is even.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from eau2.execution import Prepared
from eau2.operators.text import column_names, columns_in, to_text
from eau2.planner.physical import Plan, Stage
from eau2.progress import StageTally, Watch
from eau2.records import Record
from eau2.travel import TaskReport


class _Figures(Record, frozen=True):
    """Sums over some tasks."""

    tasks: int
    chunks: int
    rows_read: int
    rows_held: int
    bytes_read: int
    rows: int
    bytes: int
    seconds: float
    slowest: float

    @property
    def skew(self) -> float:
        """The slowest task's time by the mean of all."""
        mean = self.seconds / self.tasks if self.tasks else 0.0
        return self.slowest / mean if mean else 1.0


def analyzed(plan: Plan, reports: Sequence[TaskReport], seconds: float) -> str:
    """The tree of a run that took `seconds` in all."""
    names = column_names(column for stage in plan.stages for column in columns_in(stage.root))
    stages = {stage.id: stage for stage in plan.stages}
    told: dict[int, list[TaskReport]] = {number: [] for number in stages}
    for report in reports:
        told.setdefault(report.stage, []).append(report)
    seen: set[int] = set()
    lines = [f"total: {_time(seconds)}"]

    def show(number: int, margin: str, branch: str) -> None:
        stage = stages[number]
        below = margin + ("" if not branch else "   " if branch == "└─ " else "│  ")
        if number in seen:
            lines.append(f"{margin}{branch}stage {number}: as above")
            return
        seen.add(number)
        lines.append(f"{margin}{branch}stage {number}: {_head(stage, told[number])}")
        inner = below + ("│  " if stage.inputs else "   ")
        lines.extend(f"{inner}{line}" for line in to_text(stage.root, names).splitlines())
        lines.extend(f"{inner}{line}" for line in _by_node(told[number]))
        for position, input_ in enumerate(stage.inputs):
            last = position == len(stage.inputs) - 1
            show(input_, below, "└─ " if last else "├─ ")

    show(plan.stages[-1].id, "", "")
    return "\n".join(lines)


def watched(prepared: Prepared, watch: Watch) -> Callable[[TaskReport], None]:
    """An observer of tasks that tells `watch` how far the stages are, now and after each task."""
    tallies = {
        stage.id: StageTally(stage.id, 0, sum(len(t.chunks) for t in prepared.tasks[stage.id]), 0)
        for stage in prepared.plan.stages
    }

    def observe(report: TaskReport) -> None:
        known = tallies[report.stage]
        # The body of a loop runs again and again.
        done = min(known.done + report.chunks, known.chunks)
        tallies[report.stage] = known._replace(done=done, rows=known.rows + report.rows_held)
        watch(tuple(tallies.values()))

    watch(tuple(tallies.values()))
    return observe


def _head(stage: Stage, reports: Sequence[TaskReport]) -> str:
    figures = _sum(reports)
    text = "once"
    if stage.source is not None:
        count = len(stage.source.frame.chunks)
        noun = "chunk" if count == 1 else "chunks"
        text = f"at {figures.chunks} of {count} {noun} of {stage.source.frame.name}"
        if figures.chunks < count:
            text += f" ({count - figures.chunks} pruned or not needed)"
    text += f": {figures.rows:,} rows, {_bytes(figures.bytes)}, {_time(figures.seconds)}"
    return f"{text}, skew {figures.skew:.1f}" if figures.tasks > 1 else text


def _by_node(reports: Sequence[TaskReport]) -> list[str]:
    """A line for each node that ran tasks, in the order of their names."""
    nodes: dict[str, list[TaskReport]] = {}
    for report in reports:
        nodes.setdefault(report.node, []).append(report)
    lines = []
    for node in sorted(nodes):
        figures = _sum(nodes[node])
        tasks = "1 task" if figures.tasks == 1 else f"{figures.tasks} tasks"
        again = [report for report in nodes[node] if report.failed_at]
        if again:
            before = sorted({failed for report in again for failed in report.failed_at})
            tasks += f" ({len(again)} again after {', '.join(before)})"
        read = ""
        if figures.chunks:
            held = ""
            if figures.rows_read < figures.rows_held:
                held = f" of {figures.rows_held:,}"
            read = f" read {figures.rows_read:,}{held} rows in {_bytes(figures.bytes_read)},"
        lines.append(
            f"[{node}: {tasks},{read} gave {figures.rows:,} rows in {_time(figures.seconds)}]"
        )
    return lines


def _sum(reports: Sequence[TaskReport]) -> _Figures:
    return _Figures(
        len(reports),
        sum(report.chunks for report in reports),
        sum(report.rows_read for report in reports),
        sum(report.rows_held for report in reports),
        sum(report.bytes_read for report in reports),
        sum(report.rows for report in reports),
        sum(report.bytes for report in reports),
        sum(report.seconds for report in reports),
        max((report.seconds for report in reports), default=0.0),
    )


def _time(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.2f} ms"


def _bytes(count: int) -> str:
    """A number of bytes with a unit, in powers of 1,024."""
    size = float(count)
    for unit in ("B", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"
