"""Rows of one frame: plans that only filter and project what they read of it.

Owns: `FrameRows` and `frame_rows`. Comes in: plans. Goes out: the frame, what the plan's columns
are over it, and what its rows fulfil; None where a plan does more, or may raise.
Does not know: why two reads of one frame are compared.
"""

from __future__ import annotations

from eau2.catalog import Frame
from eau2.operators.expr import ColumnRef, Expr, conjuncts, substitute
from eau2.operators.facts import can_raise
from eau2.records import Record, field
from eau2.sql.logical import Filter, Logical, Project, Scan


class FrameRows(Record, frozen=True):
    """Some rows of a frame.

    scan: the read of it. positions: of the scan's columns in the frame, by id. conditions: over the
    scan's columns, all true of the rows. given: what projected columns are over the scan's.
    """

    scan: Scan
    positions: dict[int, int]
    conditions: tuple[Expr, ...] = ()
    given: dict[int, Expr] = field(default_factory=dict)

    @property
    def frame(self) -> Frame:
        """The frame."""
        return self.scan.frame

    def position(self, expr: Expr) -> int | None:
        """Which column of the frame an expression over the plan's output is, if it is bare."""
        expr = substitute(expr, self.given)
        return self.positions.get(expr.id) if isinstance(expr, ColumnRef) else None


def frame_rows(plan: Logical) -> FrameRows | None:
    """What a plan gives, if it is rows of one frame."""
    match plan:
        case Scan(columns=columns, positions=positions):
            pairs = zip(columns, positions, strict=True)
            return FrameRows(plan, {column.id: position for column, position in pairs})
        case Filter(input=below, condition=condition) if not can_raise(condition):
            inner = frame_rows(below)
            if inner is None:
                return None
            own = tuple(substitute(part, inner.given) for part in conjuncts(condition))
            return FrameRows(inner.scan, inner.positions, inner.conditions + own, inner.given)
        case Project(input=below, items=items) if not any(can_raise(e) for _, e in items):
            inner = frame_rows(below)
            if inner is None:
                return None
            given = {column.id: substitute(expr, inner.given) for column, expr in items}
            return FrameRows(inner.scan, inner.positions, inner.conditions, given)
    return None
