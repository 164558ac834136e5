"""Push limits: below projections and into one another, so that a limit meets its sort.

Owns: where limits stand. Comes in: any plan. Goes out: the same rows; Limit stands right above Sort
(the physical plan makes that a top-k) or above what gives rows in frame order.
Does not know: how a top-k is computed.
"""

from __future__ import annotations

from eau2.records import replace
from eau2.sql.logical import Limit, Logical, Nothing, Project, Series, Union, transform


def push_limits(plan: Logical) -> Logical:
    """The rule."""
    return transform(plan, _visit)


def _visit(node: Logical) -> Logical:
    match node:
        case Limit(count=0):
            return Nothing(node.output)
        case Limit(input=below, count=None, offset=0):
            return below
        case Limit(input=Project(input=below, items=items), count=count, offset=offset):
            return Project(_visit(Limit(below, count, offset)), items)
        case Limit(input=Union() as union, count=count, offset=offset) if count is not None:
            parts = (_visit(Limit(part, count + offset)) for part in union.parts)
            return Limit(union.with_inputs(tuple(parts)), count, offset)
        case Limit(input=Series() as series, count=count, offset=offset):
            start = series.start + offset * series.step
            stop = series.stop if count is None else start + count * series.step
            nearer = min(stop, series.stop) if series.step > 0 else max(stop, series.stop)
            return replace(series, start=start, stop=nearer)
        case Limit(input=Limit() as inner, count=count, offset=offset):
            return _visit(_merged(inner, count, offset))
    return node


def _merged(inner: Limit, count: int | None, offset: int) -> Limit:
    """The limit that does what `count` and `offset` do on top of `inner`."""
    left = None if inner.count is None else max(0, inner.count - offset)
    counts = [c for c in (left, count) if c is not None]
    return Limit(inner.input, min(counts) if counts else None, inner.offset + offset)
