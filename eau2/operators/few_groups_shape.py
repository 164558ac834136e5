"""Whether a task's groups seem to be few, and what few_groups.py is to make of its rows.

Owns: the facts of stored columns that decide it. Comes in: an aggregate's input, keys and states,
and the task's chunks. Goes out: a `Shape`, and the columns that it reads. Does not know: how groups
are made.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from eau2.operators.aggregates import State, StatePlan
from eau2.operators.base import Lowering, Operator
from eau2.operators.blocks import EXACT, Program, Range, comparisons, program
from eau2.operators.expr import Column, ColumnRef, Expr
from eau2.operators.few_groups import (
    FEW_ROWS,
    LONG_BLOCK_ROWS,
    MOST_CODES,
    Key,
    Shape,
    look,
    may_pay,
    pays,
    sampled,
)
from eau2.operators.filter import Filter
from eau2.operators.forms import Coded, Forms, Narrow
from eau2.operators.runs import stored_name, whole_numbers
from eau2.operators.scan import ScanChunks
from eau2.records import Record, Struct, field, replace

_LONG = 1 << 16
_INT64_MAX = (1 << 63) - 1
_RANGES: dict[pl.DataType, Range] = {
    pl.Int8(): (-(1 << 7), (1 << 7) - 1),
    pl.Int16(): (-(1 << 15), (1 << 15) - 1),
    pl.Int32(): (-(1 << 31), (1 << 31) - 1),
    pl.Int64(): (-(1 << 63), (1 << 63) - 1),
    pl.UInt8(): (0, (1 << 8) - 1),
    pl.UInt16(): (0, (1 << 16) - 1),
    pl.UInt32(): (0, (1 << 32) - 1),
    pl.UInt64(): (0, (1 << 64) - 1),
}


class Found(Record, frozen=True):
    """What is to be made, and of which rows.

    below: the operator that gives them: the input, or what is below its condition.
    """

    shape: Shape
    below: Operator


def shape_of(
    source: Operator, keys: Sequence[tuple[Column, Expr]], plan: StatePlan, lowering: Lowering
) -> Found | None:
    """The shape of the groups, if there are few and their states are counts and exact sums."""
    chunks = lowering.chunk_rows
    if chunks is None or chunks.height <= FEW_ROWS or not keys or lowering.diagnose:
        return None
    if plan.bins or plan.prepared or not plan.states:
        return None
    sums = any(state.reduction and state.reduction[0] == "sum" for state in plan.states)
    if not may_pay(sums, pl.thread_pool_size()):
        return None
    facts = _Facts(source, chunks, lowering.forms)
    made = _program(plan, facts)
    codes = _codes(keys, facts)
    if made is None or codes is None:
        return None
    whole = Shape(codes, (), *made, ())
    if whole.codes > MOST_CODES or not whole.block_rows:
        return None
    if isinstance(source, Filter) and isinstance(source.input, ScanChunks):
        where = comparisons(source.condition, facts.range_of)
        if where is not None:
            shape = replace(whole, where=where, columns=facts.read)
            return Found(shape, source.input) if _pays(shape, facts) else None
    shape = replace(whole, columns=facts.read)
    return Found(shape, source) if _pays(shape, facts) else None


def _pays(shape: Shape, facts: _Facts) -> bool:
    return pays(shape, look(shape, facts.sample()), pl.thread_pool_size())


class _Facts(Struct):
    """What is certain about the columns of `source`, by the chunks that they are stored in.

    looks: whether ranges of columns in 32 bits and more are those of the values, which costs a look
    at all of them; else they are those of the bits. names: the columns that have been asked for.
    """

    source: Operator
    chunks: pl.DataFrame
    forms: Forms
    looks: bool = False
    names: dict[str, str] = field(default_factory=dict)
    looked: dict[str, Range | None] = field(default_factory=dict)

    @property
    def read(self) -> tuple[str, ...]:
        return tuple(self.names)

    def stored(self, column: ColumnRef) -> pl.Series | None:
        """The column as it is stored; None where it is none, or holds NULL."""
        name = stored_name(self.source, column.id)
        if name is None:
            return None
        found = self.chunks.get_column(name)
        return None if found.null_count() else found

    def range_of(self, column: ColumnRef) -> Range | None:
        """See blocks.RangeOf."""
        found = self.stored(column)
        form = self.forms.get(column.label)
        if found is None or isinstance(form, Coded):
            return None
        if column.type.is_wide and not isinstance(form, Narrow):
            return None
        found = whole_numbers(found)
        range_ = _RANGES.get(found.dtype)
        if range_ is not None and self.looks and range_[1] >= _LONG:
            range_ = self._values(column, found)
        if range_ is not None:
            self._asked(column)
        return range_

    def code_of(self, column: ColumnRef) -> Range | None:
        """The range of what tells the column's values apart, if it is short."""
        found = self.stored(column)
        if found is None:
            return None
        form = self.forms.get(column.label)
        if isinstance(form, Coded):
            self._asked(column)
            return (0, max(len(form.values) - 1, 0))
        if found.dtype == pl.Boolean():
            self._asked(column)
            return (0, 1)
        found = whole_numbers(found)
        if found.dtype not in _RANGES or (column.type.is_wide and not isinstance(form, Narrow)):
            return None
        # A few values show of most columns that their range is long.
        for values in (sampled(found.to_frame()).to_series(), found):
            range_ = _values(values)
            if range_ is None or range_[1] - range_[0] >= MOST_CODES or range_[1] > _INT64_MAX:
                return None
        self._asked(column)
        return range_

    def _values(self, column: ColumnRef, values: pl.Series) -> Range | None:
        if column.label not in self.looked:
            self.looked[column.label] = _values(values)
        return self.looked[column.label]

    def _asked(self, column: ColumnRef) -> None:
        name = stored_name(self.source, column.id)
        assert name is not None
        self.names[column.label] = name

    def sample(self) -> pl.DataFrame:
        """Some rows of the columns that have been asked for."""
        columns = [pl.col(name).alias(label) for label, name in self.names.items()]
        return sampled(self.chunks.lazy().select(columns).collect(engine="in-memory"))


def _values(column: pl.Series) -> Range | None:
    low, high = column.min(), column.max()
    return (low, high) if isinstance(low, int) and isinstance(high, int) else None


def _program(
    plan: StatePlan, facts: _Facts
) -> tuple[Program, tuple[State, ...], tuple[int | None, ...]] | None:
    """How to compute what is summed, the states, and which result each is the sum of."""
    arguments = dict(plan.arguments)
    named = [state.reduction for state in plan.states if state.reduction is not None]
    if len(named) < len(plan.states) or not {name for name, _ in named} <= {"rows", "count", "sum"}:
        return None
    summed = list(dict.fromkeys(label for name, label in named if name == "sum"))
    counted = [arguments[label] for name, label in named if name == "count" and label not in summed]
    if not all(isinstance(arg, ColumnRef) and facts.stored(arg) is not None for arg in counted):
        return None
    values = [arguments[label] for label in summed]
    made = program(values, facts.range_of)
    if made is None or made.bound * LONG_BLOCK_ROWS >= EXACT:
        facts.looks = True
        made = program(values, facts.range_of)
        facts.looks = False
    if made is None:
        return None
    sums = [made.results[summed.index(label)] if name == "sum" else None for name, label in named]
    return made, plan.states, tuple(sums)


def _codes(keys: Sequence[tuple[Column, Expr]], facts: _Facts) -> tuple[Key, ...] | None:
    found = []
    for column, expr in keys:
        range_ = facts.code_of(expr) if isinstance(expr, ColumnRef) else None
        if not isinstance(expr, ColumnRef) or range_ is None:
            return None
        found.append(Key(column.label, expr.label, range_[0], range_[1] - range_[0] + 1))
    return tuple(found)
