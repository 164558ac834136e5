"""Are expressions that come from elsewhere such as binding makes them?

Owns: `check_bound`. Comes in: expressions whose classes and fields the codec has checked. Goes out:
nothing, or ValueError. Does not know: bytes, how an expression is computed.

A kernel relies upon what the binder has seen to: that a function is there, that its arguments have
the types which it takes, that constants are values of their type, that parameters stand inside of
their lambdas. So every call is bound once more, and must come out as it went in. A few calls are
written otherwise than they are bound; their forms are listed here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from eau2.config import LIMITS
from eau2.errors import Error
from eau2.operators.coercion import LIST_VALUE, cast
from eau2.operators.expr import (
    Call,
    Case,
    Cast,
    ColumnRef,
    Expr,
    InList,
    Lambda,
    LambdaParameter,
    Literal,
    Value,
)
from eau2.operators.functions.let import FOLD, LET
from eau2.operators.functions.native import NATIVE, is_formed
from eau2.operators.functions.python_mappings import GET, ITEM, entries_of
from eau2.operators.functions.python_sequences import EACH
from eau2.operators.functions.table import lookup
from eau2.types import (
    BIGINT,
    BOOLEAN,
    DATE,
    INTEGER_RANGES,
    NULL,
    TIMESTAMP,
    VARCHAR,
    Kind,
    SqlType,
    list_of,
)

_DAYS, _MICROSECONDS = INTEGER_RANGES[Kind.INTEGER], INTEGER_RANGES[Kind.BIGINT]
_RANGES: dict[Kind, tuple[int, int]] = INTEGER_RANGES | {
    Kind.DATE: _DAYS,
    Kind.TIMESTAMP: _MICROSECONDS,
    Kind.TIME: (0, 86_400_000_000),
    Kind.INTERVAL: INTEGER_RANGES[Kind.HUGEINT],
}
_SORTS = frozenset({"list_sort", "list_reverse_sort", "list_grade_up"})
_FIXED: dict[str, tuple[SqlType, tuple[SqlType, ...]]] = {
    "regexp_matches": (BOOLEAN, (VARCHAR,)),
    "regexp_full_match": (BOOLEAN, (VARCHAR,)),
    "regexp_extract": (VARCHAR, (VARCHAR, BIGINT)),
    "regexp_extract_all": (list_of(VARCHAR), (VARCHAR, BIGINT)),
    "string_split_regex": (list_of(VARCHAR), (VARCHAR,)),
    "parse_dirname": (VARCHAR, (BOOLEAN, VARCHAR)),
    "parse_dirpath": (VARCHAR, (BOOLEAN, VARCHAR)),
}
"""Functions of a text and of constants, and the types of these."""
_KEYS = (BOOLEAN, BIGINT, VARCHAR, DATE, TIMESTAMP)
"""The types of keys in a dict of Python. Of a float there would be NaN, and -0.0 beside 0.0."""
_NANOSECOND = Literal(VARCHAR, "nanosecond")
_ANY_FAILURE = (
    Error,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    ArithmeticError,
    AssertionError,
)
"""A binder is written for what a statement can say, and may trip over anything else."""

_Known = frozenset[LambdaParameter]
_Waiting = list[tuple[Expr, int, _Known]]


def check_bound(expr: Expr, types: Sequence[SqlType]) -> None:
    """Raise ValueError unless `expr` is such as binding makes it over numbered columns.

    types: those of the columns, by their ids from 0.
    """
    waiting: _Waiting = [(expr, 0, frozenset())]
    while waiting:
        node, depth, known = waiting.pop()
        match node:
            case ColumnRef(id=id_):
                _require(0 <= id_ < len(types) and types[id_] == node.type, "a column of it")
            case Literal(value=value):
                _require(is_value(value, node.type), "a constant of its type")
            case LambdaParameter():
                _require(node in known, "a parameter of a lambda around it")
            case Call():
                _require(node.checked, "a call that is checked")
                _check_call(node, depth, known, waiting)
                continue
            case Cast():
                _check_cast(node)
            case Case(branches=branches):
                _require(bool(branches), "a CASE with branches")
                _require(all(test.type == BOOLEAN for test, _ in branches), "a condition")
                results = (*(value for _, value in branches), node.otherwise)
                _require(all(value.type == node.type for value in results), "one type of a CASE")
            case InList(arg=arg, values=values):
                plain = node.type == BOOLEAN and not arg.type.is_list
                _require(plain and all(is_value(v, arg.type) for v in values), "a list of values")
            case _:
                raise ValueError(f"a {type(node).__name__} where a value belongs")
        waiting += [(child, depth, known) for child in node.children]


def is_value(value: Value, type_: SqlType) -> bool:
    """Whether a physical value, or NULL, is one of a type."""
    if value is None:
        return True
    match value:
        case bool():
            return type_.kind is Kind.BOOLEAN
        case str():
            return type_.kind is Kind.VARCHAR
        case float():
            single = type_.kind is Kind.FLOAT and (not math.isfinite(value) or abs(value) < 3.5e38)
            return type_.kind is Kind.DOUBLE or single
        case int():
            if type_.is_decimal:
                return bool(abs(value) < 10**type_.precision)
            low, high = _RANGES.get(type_.kind, (1, 0))
            return low <= value <= high


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise ValueError(f"an expression has not {what} where one belongs")


def _check_cast(node: Cast) -> None:
    _require(node.checked, "a cast that is checked")
    try:
        made = cast(node.arg, node.type, node.safe)
    except _ANY_FAILURE as error:
        raise ValueError(f"there is no cast from {node.arg.type} to {node.type}") from error
    _require(made.type == node.type, "a cast")


def _check_call(call: Call, depth: int, known: _Known, waiting: _Waiting) -> None:
    """The call itself; what it stands upon waits to be looked at."""
    special = _WITH_LAMBDAS.get(call.function)
    if special is not None:
        special(call, depth)
        for number, arg in enumerate(call.args):
            if call.function == LET and isinstance(call.args[-1], Lambda):
                own = call.args[-1].parameters[:number]
                waiting.append((arg.children[0], depth + 1, known.union(own)))
            elif isinstance(arg, Lambda):
                waiting.append((arg.body, depth + 1, known.union(arg.parameters)))
            else:
                waiting.append((arg, depth, known))
        return
    _require(not any(isinstance(arg, Lambda) for arg in call.args), "a value")
    if call.function in (ITEM, GET):
        _check_mapping(call)
    if not _is_written_otherwise(call):
        _check_by_binding(call)
    waiting += [(arg, depth, known) for arg in call.args]


def _check_mapping(call: Call) -> None:
    """A dict of Python is a constant: distinct keys of one type, and as many values of one."""
    _require(len(call.args) > 2 and call.args[0].type in _KEYS, "a key of a dict")
    key, text, given = call.args[:3]
    _require(_constants((text,), (VARCHAR,)), "a constant dict")
    _require(call.function == GET or given == Literal(given.type, None), "the type of values")
    assert isinstance(text, Literal)
    keys, values = entries_of(str(text.value))
    _require(0 < len(keys) <= LIMITS.mapping_entries, "a dict of so many entries")
    _require(all(k is not None and _is_held(k, key.type) for k in keys), "keys of their type")
    _require(len(set(keys)) == len(keys), "distinct keys")
    _require(all(_is_held(value, given.type) for value in values), "values of their type")


def _is_held(value: object, type_: SqlType) -> bool:
    """Whether it is a physical value of the type, or a list of such, or NULL."""
    if isinstance(value, list):
        element = type_.element
        return element is not None and all(_is_held(item, element) for item in value)
    if value is None or isinstance(value, bool | int | float | str):
        return is_value(value, type_)
    return False


def _check_by_binding(call: Call) -> None:
    """Binding gives the call itself, of its arguments or of columns instead of constants.

    Binding may write a call of a constant otherwise, as -5 is a constant; but where a function is
    written out the constant has taken the place of a parameter, and the call stays what it was.
    """
    try:
        if _is_bound(call, call.args):
            return
    except _ANY_FAILURE as error:
        raise ValueError(f"{call.function[:40]} takes no such arguments") from error
    varying = tuple(_varying(arg) for arg in call.args)
    try:
        same = varying != call.args and _is_bound(call, varying)
    except _ANY_FAILURE:
        same = False
    _require(same, f"a call of {call.function[:40]} as it is bound")


def _varying(arg: Expr) -> Expr:
    known = isinstance(arg, Literal) and arg.type != NULL
    return ColumnRef(arg.type, 0) if known else arg


def _is_bound(call: Call, args: tuple[Expr, ...]) -> bool:
    made = lookup(call.function).bind(call.function, args)
    return (
        isinstance(made, Call)
        and made.function == call.function
        and made.type == call.type
        and len(made.args) == len(args)
        and all(new is old or new == old for new, old in zip(made.args, args, strict=True))
    )


def _is_written_otherwise(call: Call) -> bool:
    """Whether it is one of the calls that binding makes of other arguments than these."""
    args = call.args
    if call.function in ("+", "-") and call.type.is_decimal:
        # Binding has brought both sides into the type of the result, of which a sum is wider.
        return len(args) == 2 and all(arg.type == call.type for arg in args)
    if call.function in ("and", "or"):
        return call.type == BOOLEAN and len(args) > 1 and all(a.type == BOOLEAN for a in args)
    if call.function == NATIVE:
        return is_formed(call)
    if call.function == LIST_VALUE and call.type.element is not None:
        return all(arg.type == call.type.element for arg in args)
    if call.function == "python.raise":
        return _constants(args, (VARCHAR,))
    if call.function == "error":
        return len(args) == 1 and args[0].type == VARCHAR
    if call.function == "date_part" and args[:1] == (_NANOSECOND,):
        return len(args) == 2 and args[1].type.is_temporal and call.type == BIGINT
    if call.function in _SORTS:
        if len(args) != 3 or not args[0].type.is_list:
            return False
        result = list_of(BIGINT) if call.function == "list_grade_up" else args[0].type
        return call.type == result and _constants(args[1:], (BOOLEAN, BOOLEAN))
    if call.function == "regexp_replace" and len(args) == 4:
        texts = args[0].type == call.type == VARCHAR
        return texts and _constants(args[1:], (VARCHAR, VARCHAR, BOOLEAN))
    if call.function in _FIXED and args and args[0].type == VARCHAR:
        result, constants = _FIXED[call.function]
        return call.type == result and _constants(args[1:], constants)
    return False


def _constants(args: Sequence[Expr], types: Sequence[SqlType]) -> bool:
    """Whether these are constants of these types, and none is NULL."""
    return len(args) == len(types) and all(
        isinstance(arg, Literal) and arg.type == type_ and arg.value is not None
        for arg, type_ in zip(args, types, strict=True)
    )


def _check_lambda(arg: Expr, depth: int, types: Sequence[SqlType], fewest: int) -> SqlType:
    """The type of a lambda of this depth, over the first of parameters of these types."""
    if not isinstance(arg, Lambda) or not fewest <= len(arg.parameters) <= len(types):
        raise ValueError("a lambda of so many parameters is missing")
    for index, (parameter, type_) in enumerate(zip(arg.parameters, types, strict=False)):
        _require(parameter == LambdaParameter(type_, depth, index), "a parameter of its place")
    _require(arg.type == arg.body.type, "the type of its body")
    return arg.type


def _element(call: Call) -> SqlType:
    element = call.args[0].type.element if call.args else None
    if element is None:
        raise ValueError(f"{call.function} takes a list")
    return element


def _check_transform(call: Call, depth: int) -> None:
    parameters = (_element(call), BIGINT)
    _require(2 <= len(call.args) <= 3, "as many arguments as it takes")
    result = _check_lambda(call.args[1], depth, parameters, 0)
    _require(call.type.element == result, "a list of what the lambda gives")
    for chosen in call.args[2:]:
        _require(_check_lambda(chosen, depth, parameters, 0) == BOOLEAN, "a condition")


def _check_filter(call: Call, depth: int) -> None:
    parameters = (_element(call), BIGINT)
    _require(len(call.args) == 2 and call.type == call.args[0].type, "a list and a lambda")
    _require(_check_lambda(call.args[1], depth, parameters, 0) == BOOLEAN, "a condition")


def _check_reduce(call: Call, depth: int) -> None:
    element = _element(call)
    _require(len(call.args) == 4, "as many arguments as it takes")
    result = _check_lambda(call.args[1], depth, (call.type, element, BIGINT), 2)
    _require(result == call.type == call.args[2].type, "one type of what is gathered")
    begins = (Literal(BIGINT, 0), Literal(BIGINT, 1))
    _require(call.args[3] in begins, "the number of its first element")


def _check_let(call: Call, depth: int) -> None:
    """Each value may list the parameters of those before it; the result lists all."""
    *values, _ = call.args or (None,)
    types = [value.type for value in values if value is not None]
    for index, arg in enumerate(call.args):
        last = index == len(types)
        _check_lambda(arg, depth, types[:index], index if last else 0)
    _require(bool(call.args) and call.args[-1].type == call.type, "the type of its result")


def _check_fold(call: Call, depth: int) -> None:
    element = _element(call)
    count, odd = divmod(len(call.args) - 2, 2)
    _require(count > 0 and not odd, "a step for every state")
    types = [state.type for state in call.args[1 : 1 + count]]
    for number, step in enumerate(call.args[1 + count : -1]):
        result = _check_lambda(step, depth, (*types, element, BIGINT), count + 2)
        _require(result == types[number], "the type of its state")
    last = call.args[-1]
    which = last.value if isinstance(last, Literal) and last.type == BIGINT else None
    number = which if type(which) is int else -1
    _require(0 <= number < count and types[number] == call.type, "the number of a state")


def _check_each(call: Call, depth: int) -> None:
    """Lists, maybe a condition, and what is gathered, both over an element of each and a place."""
    count = sum(not isinstance(arg, Lambda) for arg in call.args)
    types: list[SqlType] = []
    for arg in call.args[:count]:
        _require(arg.type.element is not None, "lists")
        types += [arg.type.element] if arg.type.element is not None else []
    lambdas = call.args[count:]
    _require(count > 0 and 1 <= len(lambdas) <= 2, "lists and lambdas")
    found = [_check_lambda(arg, depth, (*types, BIGINT), count + 1) for arg in lambdas]
    _require(call.type.element == found[-1], "a list of what the lambda gives")
    _require(all(type_ == BOOLEAN for type_ in found[:-1]), "a condition")


_WITH_LAMBDAS: dict[str, Callable[[Call, int], None]] = {
    "list_transform": _check_transform,
    "list_filter": _check_filter,
    "list_reduce": _check_reduce,
    LET: _check_let,
    FOLD: _check_fold,
    EACH: _check_each,
}
