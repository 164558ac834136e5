"""The first rows of every group, where a plan says LIMIT for one of them.

Owns: `first_rows`. Comes in: a plan and what its rows are grouped by. Goes out: a plan of the same
columns. Does not know: why the groups are there.
"""

from __future__ import annotations

from collections.abc import Iterator

from eau2.operators.expr import (
    Call,
    Column,
    Expr,
    Literal,
    SortKey,
    WindowCall,
    conjunction,
    ref,
)
from eau2.sql.logical import Filter, Logical, Project, Sort, Window
from eau2.types import BIGINT, BOOLEAN


def first_rows(
    plan: Logical,
    partition: tuple[Expr, ...],
    count: int | None,
    offset: int,
    ids: Iterator[int],
) -> Logical:
    """Of each group the rows that a limit leaves, in the order of the sort on top of `plan`.

    Without a sort it is the order of all columns, so that the choice depends on values alone.
    """
    below, order = plan, tuple(SortKey(ref(column)) for column in plan.output)
    if isinstance(plan, Sort):
        below, order = plan.input, plan.keys
    number = Column(next(ids), "row_number", BIGINT)
    call = WindowCall("row_number", (), BIGINT)
    numbered = Window(below, partition, order, (), ((number, call),))
    parts: list[Expr] = []
    if offset:
        parts.append(Call(BOOLEAN, ">", (ref(number), Literal(BIGINT, offset))))
    if count is not None:
        parts.append(Call(BOOLEAN, "<=", (ref(number), Literal(BIGINT, offset + count))))
    kept = Filter(numbered, conjunction(tuple(parts)))
    return Project(kept, tuple((column, ref(column)) for column in plan.output))
