"""What a program writes: @eau2.function, @eau2.aggregate, @eau2.table_function, and explain.

Owns: the decorated objects. Called, they run plain Python; `definition` is what they were compiled
into, when they were defined. Comes in: functions and classes. Goes out: objects that a connection
registers. Does not know: connections.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any, Generic, ParamSpec, TypeVar, overload

from eau2.errors import UsageError
from eau2.operators.text import aggregate_text, expr_text
from eau2.operators.user_functions import UserFunction
from eau2.python import aggregate_classes, aggregates, definitions
from eau2.python.columns import over_columns

P = ParamSpec("P")
R = TypeVar("R")


class Function(Generic[P, R]):
    """A function that was compiled. Called, it runs as the Python that it is written in.

    definition: its operators. source: its text, kept as a comment.
    """

    __name__: str

    def __init__(self, function: Callable[P, R], definition: UserFunction, source: str) -> None:
        functools.update_wrapper(self, function)
        self._function = function
        self.definition = definition
        self.source = source

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return self._function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<{self.definition.signature}>"


class Aggregate:
    """An aggregate function that was compiled. Called, it gathers its arguments in Python.

    The arguments are iterables of values, one for each parameter. definition, source: as above.
    """

    __name__: str

    def __init__(
        self, gather: Callable[..., Any], definition: UserFunction, source: str, written: Any
    ) -> None:
        functools.update_wrapper(self, written, updated=())
        self._gather = gather
        self.definition = definition
        self.source = source

    def __call__(self, *columns: Iterable[Any]) -> Any:
        return self._gather(*columns)

    def __repr__(self) -> str:
        return f"<{self.definition.signature}>"


class TableFunction(Function[P, R]):
    """A function of which each element of its result is a row."""


@overload
def function(written: Callable[P, R], /) -> Function[P, R]: ...
@overload
def function(*, name: str) -> Callable[[Callable[P, R]], Function[P, R]]: ...
def function(written: Callable[..., Any] | None = None, /, *, name: str | None = None) -> Any:
    """Compile a typed Python function into operators, for SQL and for other such functions.

    name: what SQL calls it, if not as it is. Raises FunctionDefinitionError, with the line and what
    to write instead, where it lies outside the subset (docs/functions-in-python.md).
    """
    if written is None:
        return functools.partial(_function, name)
    return _function(name, written)


def _function(name: str | None, written: Callable[..., Any]) -> Function[..., Any]:
    definition, source = definitions.from_function(written, name)
    return Function(written, definition, source)


@overload
def table_function(written: Callable[P, R], /) -> TableFunction[P, R]: ...
@overload
def table_function(*, name: str) -> Callable[[Callable[P, R]], TableFunction[P, R]]: ...
def table_function(written: Callable[..., Any] | None = None, /, *, name: str | None = None) -> Any:
    """As `function`, for one that returns a list: in FROM each element of it is a row."""
    if written is None:
        return functools.partial(_table_function, name)
    return _table_function(name, written)


def _table_function(name: str | None, written: Callable[..., Any]) -> TableFunction[..., Any]:
    definition, source = definitions.from_function(written, name, table=True)
    return TableFunction(written, definition, source)


@overload
def aggregate(written: Callable[..., Any], /) -> Aggregate: ...
@overload
def aggregate(*, name: str) -> Callable[[Callable[..., Any]], Aggregate]: ...
def aggregate(written: Callable[..., Any] | None = None, /, *, name: str | None = None) -> Any:
    """Compile an aggregate function: an expression over aggregates of eau2.math, or a class.

    A class has the state as annotated attributes, and the methods init, step, merge and finish.
    Raises FunctionDefinitionError, also when random states show that merging is not associative.
    """
    if written is None:
        return functools.partial(_aggregate, name)
    return _aggregate(name, written)


def _aggregate(name: str | None, written: Callable[..., Any]) -> Aggregate:
    if isinstance(written, type):
        definition, source = aggregate_classes.from_class(written, name)
        return Aggregate(functools.partial(_gathered, written), definition, source, written)
    definition, source = aggregates.from_function(written, name)
    return Aggregate(over_columns(written), definition, source, written)


def _gathered(kind: type, *columns: Iterable[Any]) -> Any:
    """What a class gathers from columns of values; rows with a None among them are passed over."""
    state: Any = kind()
    state.init()
    for row in zip(*columns, strict=True):
        if None not in row:
            state.step(*row)
    return state.finish()


def explain(compiled: object) -> str:
    """What a function was compiled into, as text. Raises UsageError for anything else."""
    definition = getattr(compiled, "definition", compiled)
    if not isinstance(definition, UserFunction):
        raise UsageError(
            f"{type(compiled).__name__} is no compiled function",
            hint="explain takes what @eau2.function, @eau2.aggregate or @eau2.table_function made.",
        )
    names = {number: parameter.name for number, parameter in enumerate(definition.parameters)}
    lines = [definition.signature]
    for number, call in enumerate(definition.aggregates):
        column = len(definition.parameters) + number
        lines.append(f"  a{number + 1} = {aggregate_text(call, names)}")
        names[column] = f"a{number + 1}"
    lines.append(f"  {expr_text(definition.body, names)}")
    return "\n".join(lines)
