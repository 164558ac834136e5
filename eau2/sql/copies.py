"""Copies of plans: the same rows in columns of other ids, so that a plan can be read twice.

Owns: `Copier`, and which columns a plan reads from outside (`free_columns`). Comes in: plans. Goes
out: plans. Does not know: why a copy is made.

A copy is made field by field, whatever the class of the node: every column is replaced by a new
one, every reference to a replaced column follows it, and a reference to a column from outside
stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from eau2.operators.expr import (
    AggregateCall,
    Column,
    Expr,
    SortKey,
    WindowCall,
    columns_of,
    ref,
    substitute,
)
from eau2.records import Struct, field, names, replace
from eau2.sql.logical import DependentJoin, Logical, Rows
from eau2.sql.plan_exprs import expressions
from eau2.sql.sharing import Recursive, SharedScan, With


class Copier(Struct):
    """Makes one copy. columns: what each column became, by its old id; it may be given some."""

    ids: Iterator[int]
    columns: dict[int, Column] = field(default_factory=dict)
    _numbers: dict[int, int] = field(default_factory=dict)

    def plan(self, plan: Logical) -> Logical:
        """The copy of a plan."""
        match plan:
            case Rows(columns=columns):
                return replace(plan, columns=tuple(map(self.column, columns)))
            case SharedScan(definition=number):
                made = self._fields(plan)
                assert isinstance(made, SharedScan)
                return replace(made, definition=self._numbers.get(number, number))
            case With(definitions=definitions, input=below):
                copied = []
                for definition in definitions:
                    new = replace(definition, plan=self.plan(definition.plan))
                    copied.append(replace(new, number=self._number(definition.number)))
                return With(tuple(copied), self.plan(below))
            case Recursive(number=number):
                new_number = self._number(number)
                made = self._fields(plan)
                assert isinstance(made, Recursive)
                return replace(made, number=new_number)
        return self._fields(plan)

    def column(self, column: Column) -> Column:
        """What a column becomes."""
        if column.id not in self.columns:
            self.columns[column.id] = replace(column, id=next(self.ids))
        return self.columns[column.id]

    def expr(self, expr: Expr) -> Expr:
        """An expression over the copy's columns."""
        read = {id_: self.columns[id_] for id_ in columns_of(expr) if id_ in self.columns}
        return substitute(expr, {id_: ref(column) for id_, column in read.items()})

    def _number(self, number: int) -> int:
        self._numbers[number] = next(self.ids)
        return self._numbers[number]

    def _fields(self, plan: Logical) -> Logical:
        # Inputs first: expressions refer to the columns that they have become.
        below = plan.with_inputs(tuple(map(self.plan, plan.inputs))) if plan.inputs else plan
        changed = {name: self._value(getattr(below, name)) for name in names(type(below))}
        return replace(below, **changed)

    def _value(self, value: Any) -> Any:
        match value:
            case Column():
                return self.column(value)
            case Expr():
                return self.expr(value)
            case AggregateCall() | WindowCall():
                return value.mapped(self.expr)
            case SortKey(expr=expr):
                return replace(value, expr=self.expr(expr))
            case tuple():
                return tuple(map(self._value, value))
        return value


def free_columns(plan: Logical) -> frozenset[int]:
    """The ids of the columns that the plan reads and does not make."""
    made = {column.id for below in plan.inputs for column in below.output}
    free = {id_ for expr in expressions(plan) for id_ in columns_of(expr)} - made
    for position, below in enumerate(plan.inputs):
        inner = free_columns(below)
        if isinstance(plan, DependentJoin) and position == 1:
            inner -= {column.id for column in plan.left.output}
        free |= inner
    return frozenset(free)


def highest_id(plan: Logical) -> int:
    """The highest column id, or number of a definition, in the plan."""
    own = [column.id for column in plan.output]
    match plan:
        case SharedScan(definition=number) | Recursive(number=number):
            own.append(number)
        case With(definitions=definitions):
            own += [definition.number for definition in definitions]
    return max([0, *own, *(highest_id(below) for below in plan.inputs)])
