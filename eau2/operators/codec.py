"""Operators as plain values and back: what a fragment is on the wire.

Owns: the closed table of classes with their tags, and how each field is checked on the way in.
Comes in: an operator tree, or what a peer sent. Goes out: nested lists of None, bool, int, float,
str and bytes, which msgpack can carry, or an operator tree. Does not know: msgpack, sockets.

A node is a list: its tag, then its fields in their order. Tuples are lists. An
integer outside 64 bits is ["int", digits]. The values of a long IN list travel as one Arrow IPC
stream. The decoder of a field comes from its annotation, so a wrong type, tag or number of fields
is refused before any object is made of it; so is what is deeper or larger than config.LIMITS says.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import StrEnum
from functools import partial
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import pyarrow as pa

from eau2.config import LIMITS
from eau2.errors import InternalError
from eau2.operators import expr as expressions
from eau2.operators.base import Operator
from eau2.operators.expand import Expand
from eau2.operators.expr import (
    AggregateCall,
    Column,
    Expr,
    FrameBound,
    SortKey,
    WindowCall,
    WindowFrame,
)
from eau2.operators.filter import Filter
from eau2.operators.group import FinalAggregate, PartialAggregate
from eau2.operators.indexing import IndexWork
from eau2.operators.join import Join
from eau2.operators.partition_top import PartitionTop
from eau2.operators.project import Project
from eau2.operators.sample import Sample
from eau2.operators.scan import ScanChunks, StageInput
from eau2.operators.series import Series
from eau2.operators.sort import Limit, Sort, TopK
from eau2.operators.union import Union as UnionAll
from eau2.operators.unnest import Unnest
from eau2.operators.user_functions import OptionalParameter, Parameter, UserFunction
from eau2.operators.values import NoRows, OneRow, Rows
from eau2.operators.window import Window
from eau2.records import Struct, names
from eau2.types import SqlType

VERSION = 2
"""The format of plain values. A peer with another one is refused."""

Plain = Any
"""None, bool, int, float, str, bytes, or a list of these."""

_LONG_LIST = 1_000
_BIG_DIGITS = re.compile(r"-?[1-9][0-9]{18,38}", re.ASCII)
_ARROW_VALUES = (pa.bool_(), pa.int64(), pa.float64(), pa.string())

TAGS: dict[str, type[Any]] = {
    "scan": ScanChunks,
    "stage": StageInput,
    "one": OneRow,
    "none": NoRows,
    "rows": Rows,
    "series": Series,
    "sample": Sample,
    "union": UnionAll,
    "filter": Filter,
    "project": Project,
    "expand": Expand,
    "unnest": Unnest,
    "partial": PartialAggregate,
    "final": FinalAggregate,
    "join": Join,
    "sort": Sort,
    "limit": Limit,
    "topk": TopK,
    "partition_top": PartitionTop,
    "window": Window,
    "index": IndexWork,
    "ref": expressions.ColumnRef,
    "lit": expressions.Literal,
    "call": expressions.Call,
    "cast": expressions.Cast,
    "case": expressions.Case,
    "in": expressions.InList,
    "lambda": expressions.Lambda,
    "parameter": expressions.LambdaParameter,
    "column": Column,
    "agg": AggregateCall,
    "key": SortKey,
    "over": WindowCall,
    "frame": WindowFrame,
    "end": FrameBound,
    "type": SqlType,
    "argument": Parameter,
    "optional": OptionalParameter,
    "function": UserFunction,
}
_TAG_OF = {class_: tag for tag, class_ in TAGS.items()}
_AS_THEY_ARE = frozenset({type(None), bool, float, str})


class FragmentError(InternalError):
    """What was received is no fragment of this version, or a fragment exceeds the limits."""


class _Budget(Struct):
    """How many nodes may still come."""

    nodes: int = LIMITS.fragment_nodes

    def spend(self, depth: int) -> None:
        self.nodes -= 1
        if self.nodes < 0:
            raise FragmentError(f"a fragment has more than {LIMITS.fragment_nodes} nodes")
        if depth > LIMITS.fragment_depth:
            raise FragmentError(f"a fragment is nested deeper than {LIMITS.fragment_depth} levels")


def to_plain(operator: Operator) -> Plain:
    """The tree as plain values. Raises FragmentError when it exceeds the limits."""
    return _versioned(operator)


def from_plain(plain: Plain) -> Operator:
    """The tree that `to_plain` made into `plain`.

    Raises FragmentError for anything else: another version, unknown tags, fields missing, left
    over or of a wrong type, too deep, too large. Takes nothing on trust.
    """
    operator = _checked(Operator, plain)
    assert isinstance(operator, Operator)
    return operator


def function_to_plain(function: UserFunction) -> Plain:
    """A user's function as plain values. Raises FragmentError when it exceeds the limits."""
    return _versioned(function)


def function_from_plain(plain: Plain) -> UserFunction:
    """The function that `function_to_plain` made into `plain`. Raises as `from_plain`."""
    function = _checked(UserFunction, plain)
    assert isinstance(function, UserFunction)
    return function


def _versioned(root: object) -> Plain:
    try:
        return [VERSION, _encode(root, _Budget(), 1)]
    except RecursionError as error:
        raise FragmentError("a fragment is nested too deep") from error


def _checked(base: type[Any], plain: Plain) -> object:
    """What plain values of this version describe: a node of class `base`."""
    match plain:
        case [int() as version, root] if type(version) is int and version == VERSION:
            pass
        case [int() as version, *_]:
            raise FragmentError(f"fragment format {version}, not {VERSION}")
        case _:
            raise FragmentError("not a fragment")
    try:
        node: object = _node(base, root, _Budget(), 1)
    except RecursionError as error:
        raise FragmentError("a fragment is nested too deep") from error
    return node


def _encode(value: Any, budget: _Budget, depth: int) -> Plain:
    tag = _TAG_OF.get(type(value))
    if tag is not None:
        budget.spend(depth)
        if isinstance(value, expressions.InList) and len(value.values) > _LONG_LIST:
            packed = _to_arrow(value.values)
            if packed is not None:
                arg = _encode(value.arg, budget, depth + 1)
                type_ = _encode(value.type, budget, depth + 1)
                return [tag, type_, arg, packed, value.has_null]
        plain: list[Plain] = [tag]
        for name in _FIELD_NAMES[type(value)]:
            plain.append(_encode(getattr(value, name), budget, depth + 1))
        return plain
    if isinstance(value, tuple):
        items: list[Plain] = []
        for item in value:
            items.append(_encode(item, budget, depth))
        return items
    budget.spend(depth)
    if type(value) in _AS_THEY_ARE:
        return value
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**64 else ["int", str(value)]
    raise FragmentError(f"a {type(value).__name__} cannot be part of a fragment")


def _to_arrow(values: tuple[bool | int | float | str, ...]) -> bytes | None:
    """The values as an Arrow IPC stream; None when they are not of one Arrow type of ours."""
    if len({type(value) for value in values}) != 1:
        return None
    try:
        array = pa.array(values)
    except (pa.ArrowInvalid, OverflowError):
        return None
    if array.type not in _ARROW_VALUES:
        return None
    batch = pa.record_batch([array], names=["value"])
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as stream:
        stream.write_batch(batch)
    packed: bytes = sink.getvalue().to_pybytes()
    return packed


def _from_arrow(packed: bytes) -> tuple[bool | int | float | str, ...]:
    try:
        with pa.ipc.open_stream(pa.py_buffer(packed)) as stream:
            table = stream.read_all()
        table.validate(full=True)
    except (pa.ArrowException, OSError, ValueError, OverflowError, MemoryError) as error:
        raise FragmentError("the values of an IN list are no Arrow stream") from error
    if table.num_columns != 1 or table.column(0).type not in _ARROW_VALUES:
        raise FragmentError("the values of an IN list are not one column of a known type")
    if table.column(0).null_count:
        raise FragmentError("an IN list holds a NULL among its values")
    return tuple(table.column(0).to_pylist())


_Decoder = Callable[[Plain, _Budget, int], Any]


def _node(base: type[Any], plain: Plain, budget: _Budget, depth: int) -> Any:
    """A node whose class is `base` or below it."""
    if not isinstance(plain, list) or not plain or not isinstance(plain[0], str):
        raise FragmentError(f"not a {base.__name__}")
    class_ = TAGS.get(plain[0])
    if class_ is None or not issubclass(class_, base):
        raise FragmentError(f'"{plain[0][:40]}" is no {base.__name__} of format {VERSION}')
    decoders = _DECODERS[class_]
    if len(plain) != len(decoders) + 1:
        raise FragmentError(f'"{plain[0]}" has {len(decoders)} fields, not {len(plain) - 1}')
    budget.spend(depth)
    values: list[Any] = []
    for decoder, item in zip(decoders, plain[1:], strict=True):
        values.append(decoder(item, budget, depth + 1))
    try:
        return class_(*values)
    except (ValueError, AssertionError) as error:
        raise FragmentError(f'"{plain[0]}" cannot be made of its fields: {error}') from error


def _decoder_of(annotation: Any) -> _Decoder:
    """How a field of this annotation is read and checked."""
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is tuple:
        return _tuple_decoder(args)
    if origin in (Union, UnionType):
        return _union_decoder(args)
    if origin is Literal:
        return _choice_decoder(frozenset(args), {choice: choice for choice in args})
    if isinstance(annotation, type):
        if issubclass(annotation, StrEnum):
            members = {member.value: member for member in annotation}
            return _choice_decoder(frozenset(members), members)
        if annotation in _TAG_OF or annotation in (Expr, Operator):
            return partial(_node, annotation)
    return _union_decoder((annotation,))


def _tuple_decoder(args: tuple[Any, ...]) -> _Decoder:
    if len(args) == 2 and args[1] is Ellipsis:
        decode_item = _decoder_of(args[0])

        def decode_all(plain: Plain, budget: _Budget, depth: int) -> Any:
            if not isinstance(plain, list):
                raise FragmentError("a list is missing")
            items: list[Any] = []
            for item in plain:
                items.append(decode_item(item, budget, depth))
            return tuple(items)

        return decode_all
    decoders = tuple(_decoder_of(arg) for arg in args)

    def decode_each(plain: Plain, budget: _Budget, depth: int) -> Any:
        if not isinstance(plain, list) or len(plain) != len(decoders):
            raise FragmentError(f"a list of {len(decoders)} is missing")
        items: list[Any] = []
        for decoder, item in zip(decoders, plain, strict=True):
            items.append(decoder(item, budget, depth))
        return tuple(items)

    return decode_each


def _choice_decoder(allowed: frozenset[str], values: dict[str, Any]) -> _Decoder:
    def decode(plain: Plain, budget: _Budget, depth: int) -> Any:
        budget.spend(depth)
        if not isinstance(plain, str) or plain not in allowed:
            raise FragmentError(f"{str(plain)[:40]!r} is none of {', '.join(sorted(allowed))}")
        return values[plain]

    return decode


def _union_decoder(args: tuple[Any, ...]) -> _Decoder:
    """A union of scalars, or of None and one composite."""
    composite = [arg for arg in args if arg not in (bool, int, float, str, NoneType)]
    if composite:
        (only,) = composite
        decode_composite = _decoder_of(only)

        def decode_optional(plain: Plain, budget: _Budget, depth: int) -> Any:
            if plain is None and NoneType in args:
                budget.spend(depth)
                return None
            return decode_composite(plain, budget, depth)

        return decode_optional
    scalars = frozenset(args)

    def decode_scalar(plain: Plain, budget: _Budget, depth: int) -> Any:
        budget.spend(depth)
        if int in scalars and isinstance(plain, list):
            return _big_integer(plain)
        if type(plain) not in scalars:
            wanted = " or ".join(sorted(scalar.__name__ for scalar in scalars))
            raise FragmentError(f"a {type(plain).__name__} where {wanted} belongs")
        return plain

    return decode_scalar


def _big_integer(plain: list[Plain]) -> int:
    match plain:
        case ["int", str() as digits] if _BIG_DIGITS.fullmatch(digits):
            value = int(digits)
            if not -(2**63) <= value < 2**64:
                return value
    raise FragmentError("not an integer")


def _values_decoder(plain_list: _Decoder) -> _Decoder:
    """The values of an IN list: a list, or an Arrow stream, which counts as one node."""

    def decode(plain: Plain, budget: _Budget, depth: int) -> Any:
        if isinstance(plain, bytes):
            budget.spend(depth)
            return _from_arrow(plain)
        return plain_list(plain, budget, depth)

    return decode


def _decoders_of(class_: type[Any]) -> tuple[_Decoder, ...]:
    hints = get_type_hints(class_)
    decoders = {name: _decoder_of(hints[name]) for name in _FIELD_NAMES[class_]}
    if class_ is expressions.InList:
        decoders["values"] = _values_decoder(decoders["values"])
    return tuple(decoders.values())


_FIELD_NAMES: dict[type[Any], tuple[str, ...]] = {class_: names(class_) for class_ in TAGS.values()}
_DECODERS: dict[type[Any], tuple[_Decoder, ...]] = {
    class_: _decoders_of(class_) for class_ in TAGS.values()
}
