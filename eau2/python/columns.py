"""Columns in plain Python: what an aggregate function is given when it is called without a query.

Owns: `Column`, values on which operators and functions of math work one by one, and calling a
function with them. Comes in: iterables of values. Goes out: what the function gives.
Does not know: how it was compiled.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable, Iterable
from types import FunctionType, SimpleNamespace
from typing import Any, cast


class Column(tuple[Any, ...]):
    """The values of a column. With None an operation gives None, as in a query."""

    __slots__ = ()

    def _each(self, call: Callable[..., Any], *others: Any, turned: bool = False) -> Column:
        rows = zip(*(_as_column(part, len(self)) for part in (self, *others)), strict=True)
        return Column(
            None if None in row else call(*(reversed(row) if turned else row)) for row in rows
        )

    # A tuple's own + and * join and repeat; a column's compute.
    def __add__(self, other: Any) -> Column:
        return self._each(operator.add, other)

    def __mul__(self, other: Any) -> Column:
        return self._each(operator.mul, other)

    def __rmul__(self, other: Any) -> Column:
        return self._each(operator.mul, other, turned=True)

    def __radd__(self, other: Any) -> Column:
        return self._each(operator.add, other, turned=True)

    def __sub__(self, other: Any) -> Column:
        return self._each(operator.sub, other)

    def __rsub__(self, other: Any) -> Column:
        return self._each(operator.sub, other, turned=True)

    def __truediv__(self, other: Any) -> Column:
        return self._each(operator.truediv, other)

    def __rtruediv__(self, other: Any) -> Column:
        return self._each(operator.truediv, other, turned=True)

    def __floordiv__(self, other: Any) -> Column:
        return self._each(operator.floordiv, other)

    def __rfloordiv__(self, other: Any) -> Column:
        return self._each(operator.floordiv, other, turned=True)

    def __mod__(self, other: Any) -> Column:
        return self._each(operator.mod, other)

    def __rmod__(self, other: Any) -> Column:
        return self._each(operator.mod, other, turned=True)

    def __pow__(self, other: Any) -> Column:
        return self._each(operator.pow, other)

    def __rpow__(self, other: Any) -> Column:
        return self._each(operator.pow, other, turned=True)

    def __lt__(self, other: Any) -> Column:  # type: ignore[override]
        return self._each(operator.lt, other)

    def __le__(self, other: Any) -> Column:  # type: ignore[override]
        return self._each(operator.le, other)

    def __gt__(self, other: Any) -> Column:  # type: ignore[override]
        return self._each(operator.gt, other)

    def __ge__(self, other: Any) -> Column:  # type: ignore[override]
        return self._each(operator.ge, other)

    # Equality is never None, not even of None.
    def __eq__(self, other: Any) -> Column:  # type: ignore[override]
        pairs = zip(self, _as_column(other, len(self)), strict=True)
        return Column(one == two for one, two in pairs)

    def __ne__(self, other: Any) -> Column:  # type: ignore[override]
        pairs = zip(self, _as_column(other, len(self)), strict=True)
        return Column(one != two for one, two in pairs)

    def __hash__(self) -> int:
        return tuple.__hash__(self)

    def __neg__(self) -> Column:
        return self._each(operator.neg)

    def __abs__(self) -> Column:
        return self._each(operator.abs)


def _as_column(value: Any, height: int) -> Iterable[Any]:
    return value if isinstance(value, Column) else [value] * height


def over_columns(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function over iterables of values; functions of math in it work value by value."""
    if not isinstance(function, FunctionType):
        return function
    around = {name: _one_by_one(value) for name, value in function.__globals__.items()}
    inner = FunctionType(
        function.__code__, around, function.__name__, function.__defaults__, function.__closure__
    )

    defaults = function.__defaults__ or ()

    @functools.wraps(function)
    def call(*columns: Iterable[Any]) -> Any:
        given = [Column(column) for column in columns]
        missing = function.__code__.co_argcount - len(given)
        if given and 0 < missing <= len(defaults):
            # A default is a column too, in which all rows are alike.
            given += [Column([value] * len(given[0])) for value in defaults[-missing:]]
        return inner(*given)

    return call


def _one_by_one(value: Any) -> Any:
    """A function of math that takes columns too; the module with such functions; others as is."""
    if value is math:
        return SimpleNamespace(**{name: _one_by_one(part) for name, part in vars(math).items()})
    name = getattr(value, "__name__", "")
    if not callable(value) or vars(math).get(name) is not value:
        return value
    return _each(cast("Callable[..., Any]", value))


def _each(value: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(value)
    def each(*args: Any) -> Any:
        column = next((arg for arg in args if isinstance(arg, Column)), None)
        if column is None:
            return value(*args)
        rows = zip(*(_as_column(arg, len(column)) for arg in args), strict=True)
        return Column(None if None in row else value(*row) for row in rows)

    return each
