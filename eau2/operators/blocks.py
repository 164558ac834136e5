"""Whole numbers computed over blocks of rows, in doubles that hold them exactly.

Owns: which bound expressions are such arithmetic, the steps that compute them, and comparisons of
whole columns. Comes in: expressions, the ranges of the columns that they read; arrays. Goes out:
steps, and their results in rows of a table. Does not know: groups, frames, where ranges come from.

A block stays in the processor's cache from its first step to its last, and doubles, unlike 64-bit
integers, have vector instructions for all steps. They are right because every value on the way is
proven to be a whole number below 2**53.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from eau2.operators.expr import Call, Cast, ColumnRef, Expr, Literal, conjuncts
from eau2.operators.facts import FLIPPED
from eau2.operators.formed import keeps_integers
from eau2.operators.functions.casts import may_fail
from eau2.records import Record, Struct, field
from eau2.types import Kind, SqlType

EXACT = 1 << 53
"""Whole numbers below are exact as doubles."""
_TABLE_ROWS = 16
"""So many values of a block at once leave it in the processor's cache."""

Numbers = npt.NDArray[np.generic]
Doubles = npt.NDArray[np.float64]
Range = tuple[int, int]
RangeOf = Callable[[ColumnRef], Range | None]
"""The least and the greatest value of a column; None where it is no column of whole numbers, or
holds NULL."""
Operand = int | float
"""A row of the table (int), or a constant (float)."""

_UFUNCS: dict[str, np.ufunc] = {"+": np.add, "-": np.subtract, "*": np.multiply}
_COMPARED: dict[str, np.ufunc] = {
    "=": np.equal,
    "<>": np.not_equal,
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
}


class Program(Record, frozen=True):
    """How to compute some values of each row.

    loads: columns, and the row of the table that takes each. steps: (function, operand, operand,
    row). rows: how many there are. results: the row of each value; these are the first rows, and
    values that are the same share one. bound: no result has a larger magnitude.
    """

    loads: tuple[tuple[str, int], ...]
    steps: tuple[tuple[np.ufunc, Operand, Operand, int], ...]
    rows: int
    results: tuple[int, ...]
    bound: int

    @property
    def width(self) -> int:
        """How many rows are results."""
        return len(set(self.results))

    def run(self, columns: Mapping[str, Numbers], rows: slice, table: Doubles) -> None:
        """Compute the values of some rows of the columns into the table, which is as long."""
        for label, row in self.loads:
            np.copyto(table[row], columns[label][rows], casting="unsafe")
        for function, one, other, row in self.steps:
            left = table[one] if isinstance(one, int) else one
            right = table[other] if isinstance(other, int) else other
            function(left, right, out=table[row])


def program(values: Sequence[Expr], range_of: RangeOf) -> Program | None:
    """How to compute `values`; None where one is not of this kind, or might not be exact."""
    book = _Book(range_of)
    nodes = [book.node(value) for value in values]
    numbers = [node for node in nodes if isinstance(node, int)]
    if len(numbers) < len(nodes) or len(book.ranges) > _TABLE_ROWS:
        return None
    order = list(dict.fromkeys(numbers))
    order += [number for number in range(len(book.ranges)) if number not in set(order)]
    row_of = {number: row for row, number in enumerate(order)}

    def placed(operand: Operand) -> Operand:
        return row_of[operand] if isinstance(operand, int) else operand

    return Program(
        tuple((label, row_of[number]) for label, number in book.loads),
        tuple((f, placed(one), placed(other), row_of[n]) for f, one, other, n in book.steps),
        len(order),
        tuple(row_of[number] for number in numbers),
        max((_magnitude(book.ranges[number]) for number in numbers), default=0),
    )


def _magnitude(range_: Range) -> int:
    return max(abs(range_[0]), abs(range_[1]))


class _Book(Struct):
    """What has been found to be computed, each value once. ranges: by the values' numbers."""

    range_of: RangeOf
    ranges: list[Range] = field(default_factory=list)
    loads: list[tuple[str, int]] = field(default_factory=list)
    steps: list[tuple[np.ufunc, Operand, Operand, int]] = field(default_factory=list)
    known: dict[object, int] = field(default_factory=dict)

    def node(self, expr: Expr) -> Operand | None:
        """The number of a value, or a constant; None for what cannot be computed so."""
        if not (expr.type.is_integer or expr.type.is_decimal):
            return None
        match expr:
            case ColumnRef():
                return self._loaded(expr)
            case Literal(value=int(value)) if not isinstance(value, bool):
                return float(value) if abs(value) < EXACT else None
            case Cast(arg=arg) if keeps_integers(expr):
                return self.node(arg)
            case Cast(arg=arg, type=type_) if type_.is_decimal and not expr.safe:
                power = type_.scale - (arg.type.scale if arg.type.is_decimal else 0)
                if power < 0 or (expr.checked and may_fail(arg.type, type_)):
                    return None
                return self._applied("*", self.node(arg), float(10**power))
            case Call(function="+" | "-" | "*" as name, args=(one, other)) if _is_plain(expr):
                return self._applied(name, self.node(one), self.node(other))
        return None

    def _loaded(self, column: ColumnRef) -> int | None:
        found = self.range_of(column)
        if found is None or _magnitude(found) >= EXACT:
            return None
        number = self.known.get(column.label)
        if number is None:
            number = self.known[column.label] = len(self.ranges)
            self.ranges.append(found)
            self.loads.append((column.label, number))
        return number

    def _applied(self, name: str, one: Operand | None, other: Operand | None) -> Operand | None:
        if one is None or other is None:
            return None
        range_ = _outcome(name, self._range(one), self._range(other))
        if _magnitude(range_) >= EXACT:
            return None
        if isinstance(one, float) and isinstance(other, float):
            return float(range_[0])
        key = (name, one, other, isinstance(one, int), isinstance(other, int))
        number = self.known.get(key)
        if number is None:
            number = self.known[key] = len(self.ranges)
            self.ranges.append(range_)
            self.steps.append((_UFUNCS[name], one, other, number))
        return number

    def _range(self, operand: Operand) -> Range:
        if isinstance(operand, int):
            return self.ranges[operand]
        return (int(operand), int(operand))


def _is_plain(call: Call) -> bool:
    """Whether the physical integer of the result is that of its operands', taken as they are."""
    if call.checked:
        return False
    scales = [arg.type.scale if arg.type.is_decimal else 0 for arg in call.args]
    scale = call.type.scale if call.type.is_decimal else 0
    if call.function == "*":
        return scale == sum(scales)
    return all(each == scale for each in scales)


def _outcome(name: str, one: Range, other: Range) -> Range:
    if name == "+":
        return (one[0] + other[0], one[1] + other[1])
    if name == "-":
        return (one[0] - other[1], one[1] - other[0])
    corners = [a * b for a in one for b in other]
    return (min(corners), max(corners))


class Comparison(Record, frozen=True):
    """A comparison of a column's whole numbers with a constant, or with those of another one."""

    function: np.ufunc
    label: str
    other: str | int

    def run(self, columns: Mapping[str, Numbers], rows: slice, out: npt.NDArray[np.bool_]) -> None:
        """Whether it is true of some rows."""
        other = self.other if isinstance(self.other, int) else columns[self.other][rows]
        self.function(columns[self.label][rows], other, out=out)


def comparisons(condition: Expr, range_of: RangeOf) -> tuple[Comparison, ...] | None:
    """What must all be true for the condition to be; None where it is more than that."""
    found = []
    for part in conjuncts(condition):
        match part:
            case Call(function=name, args=(one, other)) if name in _COMPARED and _unit(
                one.type
            ) == _unit(other.type):
                left, right = _bare(one), _bare(other)
            case _:
                return None
        if isinstance(left, Literal):
            left, right, name = right, left, FLIPPED[name]
        if not isinstance(left, ColumnRef) or range_of(left) is None:
            return None
        if isinstance(right, ColumnRef) and range_of(right) is not None:
            found.append(Comparison(_COMPARED[name], left.label, right.label))
        elif isinstance(right, Literal) and isinstance(right.value, int):
            found.append(Comparison(_COMPARED[name], left.label, int(right.value)))
        else:
            return None
    return tuple(found)


def _unit(type_: SqlType) -> object:
    """What one is in the physical integers of a type; None for types that have no such."""
    if type_.is_integer or type_.is_decimal:
        return type_.scale if type_.is_decimal else 0
    return Kind.DATE if type_.kind is Kind.DATE else None


def _bare(expr: Expr) -> Expr:
    """The column or constant whose physical integer is the value's; a NULL for other types."""
    while isinstance(expr, Cast) and keeps_integers(expr):
        expr = expr.arg
    return expr if _unit(expr.type) is not None else Literal(expr.type, None)
