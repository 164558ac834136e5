"""The window functions: which there are, their types, and what their frames mean.

Owns: `bind` and the bounds of frames. Comes in: a name, bound arguments, what the OVER clause says.
Goes out: a WindowCall. Does not know: rows, how a call is computed (window.py does), SQL text.

The bounds of a RANGE frame are kept as the value of the order key at which the frame begins or
ends, for each row: a key plus or minus the offset that was written. So a date moved by an interval
and a number moved by a number are the same to whoever evaluates it.
"""

from __future__ import annotations

from typing import Literal as OneOf

from eau2.errors import NotSupportedError, ProgrammingError, SqlSyntaxError, TypeMismatchError
from eau2.operators import aggregates
from eau2.operators.coercion import cast, coerce, coercion_cost, is_null
from eau2.operators.expr import (
    AggregateCall,
    Expr,
    FrameBound,
    Literal,
    SortKey,
    WindowCall,
    WindowFrame,
)
from eau2.operators.functions import table
from eau2.types import BIGINT, DOUBLE, SqlType

Unit = OneOf["rows", "range", "groups"]
BoundKind = OneOf[
    "unbounded_preceding", "preceding", "current_row", "following", "unbounded_following"
]

_FIRST = FrameBound("unbounded_preceding")
_LAST = FrameBound("unbounded_following")
WHOLE_PARTITION = WindowFrame("range", _FIRST, _LAST)
"""The frame of every row when the window has no ORDER BY."""
UP_TO_PEERS = WindowFrame("range", _FIRST, FrameBound("current_row"))
"""The frame when the window has an ORDER BY and no frame is written."""

_SYNONYMS = {
    "rank_dense": "dense_rank",
    "arbitrary": "first_value",
    "first": "first_value",
    "last": "last_value",
}
_RANKS: dict[str, SqlType] = {
    "row_number": BIGINT,
    "rank": BIGINT,
    "dense_rank": BIGINT,
    "percent_rank": DOUBLE,
    "cume_dist": DOUBLE,
}
_SHIFTS = frozenset({"lag", "lead"})
_PICKS = frozenset({"first_value", "last_value", "nth_value"})
_CHOOSING = frozenset({"row_number", "ntile"}) | _SHIFTS | _PICKS
"""Functions that tell rows apart which are equal in the order's keys."""
_OF_A_PARTITION = frozenset({*_RANKS, "ntile"}) | _SHIFTS
"""Functions that look at the whole partition: a frame makes no difference to them."""
_ORDER = {
    "unbounded_preceding": 0,
    "preceding": 1,
    "current_row": 2,
    "following": 3,
    "unbounded_following": 4,
}
_WORDS = {kind: kind.replace("_", " ").upper() for kind in _ORDER}


def names() -> tuple[str, ...]:
    """The names of all functions that are window functions by themselves, sorted."""
    return tuple(sorted({*_CHOOSING, *_RANKS, *_SYNONYMS}))


def is_window_function(name: str) -> bool:
    """Whether `name` (letter case ignored) is a function that only exists with OVER.

    `first`, `arbitrary` and `last` are aggregates as well, so they are not among these.
    """
    lowered = name.lower()
    return lowered not in ("arbitrary", "first", "last") and lowered in names()


def bind(
    name: str,
    args: tuple[Expr, ...],
    *,
    frame: WindowFrame | None,
    distinct: bool = False,
    where: Expr | None = None,
    ignore_nulls: bool = False,
    ordered: bool,
    order: tuple[SortKey, ...] = (),
) -> WindowCall:
    """The call of window function or aggregate `name` with DuckDB's result type.

    frame: as written, of bounds that `bound` made; None when none is. ordered: whether the window
    has an ORDER BY. order: ORDER BY among the arguments. Raises UnknownNameError,
    TypeMismatchError, ProgrammingError or NotSupportedError without a span; the caller adds it.
    """
    function = _SYNONYMS.get(name.lower(), name.lower())
    if frame is not None:
        _check_frame(frame)
    if function not in names():
        return _aggregate(name, args, frame, distinct, where, ignore_nulls, ordered, order)
    for given, clause in ((distinct, "DISTINCT"), (where is not None, "FILTER")):
        if given:
            raise TypeMismatchError(f"{clause} is not applicable to the window function {name}")
    if order:
        raise NotSupportedError(
            f"ORDER BY among the arguments of {name} is not supported",
            hint="Write it into the OVER clause.",
        )
    if function in _RANKS:
        _take(name, args, 0, 0)
        return WindowCall(function, (), _RANKS[function])
    if function == "ntile":
        _take(name, args, 1, 1)
        return WindowCall(function, (_count_argument(name, args[0]),), BIGINT)
    if function in _SHIFTS:
        _take(name, args, 1, 3)
        return WindowCall(
            function, _shift_arguments(name, args), args[0].type, ignore_nulls=ignore_nulls
        )
    if function == "nth_value":
        _take(name, args, 2, 2)
        args = (args[0], _count_argument(name, args[1]))
    else:
        _take(name, args, 1, 1)
    return WindowCall(
        function, args, args[0].type, _completed(frame, ordered), ignore_nulls=ignore_nulls
    )


def needs_ties(call: WindowCall) -> bool:
    """Whether the call's value depends on which of several peers comes first."""
    if call.function in _CHOOSING or call.order:
        return True
    if call.function in _OF_A_PARTITION:
        return False
    frame = call.frame
    by_rows = frame is not None and frame.unit == "rows" and not is_whole(frame)
    return by_rows or is_order_sensitive(call.function)


def is_whole(frame: WindowFrame) -> bool:
    """Whether the frame is the whole partition for every row."""
    unbounded = frame.start.kind == "unbounded_preceding" and frame.end.kind == _LAST.kind
    return unbounded and frame.exclude == "no_others"


def is_order_sensitive(function: str) -> bool:
    """Whether an aggregate's result can depend on the order of its rows."""
    return aggregates.is_aggregate(function) and function not in _WITHOUT_ORDER


_WITHOUT_ORDER = frozenset(
    {"any_value", "avg", "bool_and", "bool_or", "count", "count_if", "count_star"}
    | {"max", "min", "sum"}
)


def bound(
    unit: Unit, kind: BoundKind, offset: Expr | None, order: tuple[SortKey, ...]
) -> FrameBound:
    """The end of a frame, from the offset as written (None for bounds that have none).

    order: the keys of the window. In ROWS and GROUPS frames the offset becomes a BIGINT, in RANGE
    frames the value of the key at the frame's end. Raises TypeMismatchError or ProgrammingError.
    """
    if offset is None:
        return FrameBound(kind)
    if unit != "range":
        return FrameBound(kind, cast(offset, BIGINT))
    key = _only_key(order)
    if is_null(offset) or (isinstance(offset, Literal) and offset.value is None):
        raise ProgrammingError("the offset of a RANGE frame cannot be NULL")
    operator = "+" if _moves_up(kind, key) else "-"
    return FrameBound(kind, table.bind(operator, (key.expr, offset)))


def _moves_up(kind: BoundKind, key: SortKey) -> bool:
    """Whether the frame's end lies at a greater key than the row's."""
    return (kind == "following") != key.descending


def _only_key(order: tuple[SortKey, ...]) -> SortKey:
    if len(order) != 1:
        raise ProgrammingError(
            "a RANGE frame with an offset needs exactly one ORDER BY key in its window",
            hint="Count rows with ROWS, or groups of equal rows with GROUPS.",
        )
    return order[0]


def _check_frame(frame: WindowFrame) -> None:
    """Refuse ends in the wrong order, as the syntax of other systems does."""
    start, end = frame.start.kind, frame.end.kind
    if start == "unbounded_following":
        raise SqlSyntaxError("a frame cannot start at UNBOUNDED FOLLOWING")
    if end == "unbounded_preceding":
        raise SqlSyntaxError("a frame cannot end at UNBOUNDED PRECEDING")
    if start in ("current_row", "following") and _ORDER[end] < _ORDER[start]:
        raise SqlSyntaxError(
            f"a frame that starts at {_WORDS[start]} cannot end at {_WORDS[end]}",
            hint="Write BETWEEN ... AND ... with the earlier end first.",
        )


def _completed(frame: WindowFrame | None, ordered: bool) -> WindowFrame:
    if frame is None:
        return UP_TO_PEERS if ordered else WHOLE_PARTITION
    if not ordered and frame.unit == "range" and frame.exclude == "no_others":
        # Without an order all rows are peers, and offsets have been refused.
        return WHOLE_PARTITION
    return WHOLE_PARTITION if is_whole(frame) else frame


def _aggregate(
    name: str,
    args: tuple[Expr, ...],
    frame: WindowFrame | None,
    distinct: bool,
    where: Expr | None,
    ignore_nulls: bool,
    ordered: bool,
    order: tuple[SortKey, ...],
) -> WindowCall:
    if not aggregates.is_aggregate(name):
        kind = "a scalar function" if table.find(name) is not None else "no function"
        raise TypeMismatchError(
            f"{name} is {kind}: it has no OVER",
            hint="OVER follows window functions and aggregates.",
        )
    if ignore_nulls:
        raise TypeMismatchError(
            f"IGNORE NULLS is not applicable to the aggregate {name}",
            hint="Write FILTER (WHERE ... IS NOT NULL).",
        )
    call = aggregates.bind(name, args, distinct, None, order)
    return of_aggregate(call, name, frame, where, ordered, order)


def of_aggregate(
    call: AggregateCall,
    name: str,
    frame: WindowFrame | None,
    where: Expr | None,
    ordered: bool,
    order: tuple[SortKey, ...],
) -> WindowCall:
    """An aggregate over the rows of a frame. name: as it was written, for messages.

    The others are as of `bind`. Raises NotSupportedError without a span.
    """
    if order and aggregates.takes_order(name) and call.function not in ("list", "string_agg"):
        raise NotSupportedError(f"ORDER BY among the arguments of {name} OVER is not supported")
    return WindowCall(
        call.function,
        call.args,
        call.type,
        _completed(frame, ordered),
        call.distinct,
        where,
        order=call.order or order,
    )


def _take(name: str, args: tuple[Expr, ...], fewest: int, most: int) -> None:
    if fewest <= len(args) <= most:
        return
    wanted = str(fewest) if fewest == most else f"{fewest} to {most}"
    plural = "" if wanted == "1" else "s"
    raise TypeMismatchError(f"{name} takes {wanted} argument{plural}, not {len(args)}")


def _count_argument(name: str, arg: Expr) -> Expr:
    """A number of rows: any integer that is a BIGINT without loss."""
    if arg.type.is_float or arg.type.is_decimal or coercion_cost(arg, BIGINT) is None:
        raise TypeMismatchError(f"{name} counts with a BIGINT, not with {arg.type}")
    return coerce(arg, BIGINT)


def _shift_arguments(name: str, args: tuple[Expr, ...]) -> tuple[Expr, ...]:
    """The value, how many rows away, and what stands beyond the partition's ends."""
    value, *others = args
    completed: list[Expr] = [value]
    if others:
        completed.append(_count_argument(name, others[0]))
    if len(others) > 1:
        completed.append(cast(others[1], value.type))
    return tuple(completed)
