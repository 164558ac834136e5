"""Plain values as msgpack, within bounds, and checked against declared types when they come back.

Owns: the only calls of msgpack's coder (but for the thin client's), and `Shape`, the typed form of
a record as an array of its fields. Comes in: plain values or records; goes out:
bytes, and the reverse, or an error. Does not know: which messages there are.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from functools import cache
from operator import attrgetter
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin, get_type_hints

import msgpack

from eau2.errors import InternalError, ProtocolError
from eau2.records import Record, names


class MessageError(InternalError):
    """Bytes that are no message, or a message that is too large."""


class Range(NamedTuple):
    """Bounds of a number, or of the length of a text, bytes or an array; both included."""

    low: float
    high: float


_ITEMS_MAX = 1 << 18
"""Elements of one array or map. Each takes a byte at least, so that memory stays near the size."""

_Check = Callable[[Any], Any]


class _Wrong(Exception):
    """A value is not of its declared type; the message says what was expected."""


def pack(plain: Any, limit_bytes: int) -> bytes:
    """The values as msgpack; records are arrays of their fields. Raises MessageError."""
    try:
        packed: bytes = msgpack.packb(plain, use_bin_type=True, default=_plain)
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise MessageError(f"a message that cannot be packed: {error}") from error
    if len(packed) > limit_bytes:
        raise MessageError(f"a message of {len(packed)} bytes exceeds {limit_bytes}")
    return packed


def unpack(packed: bytes, limit_bytes: int, arrays: type[list[Any]] | type[tuple[Any, ...]]) -> Any:
    """The values in `packed`, arrays as `arrays`. Raises MessageError for any other bytes.

    The size is checked first, so no length inside can ask for more than was sent.
    """
    if len(packed) > limit_bytes:
        raise MessageError(f"a message of {len(packed)} bytes exceeds {limit_bytes}")
    try:
        return msgpack.unpackb(
            packed,
            raw=False,
            use_list=arrays is list,
            strict_map_key=True,
            max_array_len=_ITEMS_MAX,
            max_map_len=_ITEMS_MAX,
            max_ext_len=0,
        )
    except (ValueError, TypeError, msgpack.UnpackException, RecursionError) as error:
        raise MessageError("bytes that are no message") from error


class Shape:
    """How the fields of one record are checked, worked out once from its annotations.

    Only the declared types pass (an int is no float and a bool no int), so a decoded message is
    never deeper than its declaration, whatever depth msgpack itself would take.
    """

    def __init__(self, cls: type[Any]) -> None:
        hints = get_type_hints(cls, include_extras=True)
        self._cls = cls
        self._names = names(cls)
        self._checks = tuple(_checker(hints[name]) for name in self._names)

    def build(self, values: Any) -> Any:
        """The record with these field values. Raises ProtocolError."""
        name = self._cls.__name__
        if type(values) is not tuple or len(values) != len(self._checks):
            raise ProtocolError(
                f"a {name} message has {len(self._checks)} fields, not {_of(values)}"
            )
        checked = []
        for check, value, field in zip(self._checks, values, self._names, strict=True):
            try:
                checked.append(check(value))
            except _Wrong as wrong:
                raise ProtocolError(f"{field} of a {name} message must be {wrong}") from wrong
        try:
            return self._cls(*checked)
        except ValueError as error:
            raise ProtocolError(f"a {name} message: {error}") from error


@cache
def shape(cls: Any) -> Shape:
    """The shape of a record."""
    return Shape(cls)


def _of(values: Any) -> str:
    return str(len(values)) if type(values) is tuple else type(values).__name__


def _plain(value: Any) -> Any:
    """What msgpack packs in place of a record or a mapping."""
    if isinstance(value, Record):
        return _values(type(value))(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is not plain data")


@cache
def _values(cls: Any) -> Callable[[Any], tuple[Any, ...]]:
    fields = names(cls)
    if len(fields) > 1:
        return attrgetter(*fields)
    return lambda value: tuple(getattr(value, name) for name in fields)


def _checker(hint: Any) -> _Check:
    """The check of one annotation: scalars, their unions, tuples, mappings, records."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _bounded(_checker(arguments[0]), arguments[1])
    if origin is tuple:
        return _array(arguments)
    if origin is Mapping:
        return _mapping(*arguments)
    if origin in (Union, types.UnionType):
        return _union(arguments)
    if isinstance(hint, type) and issubclass(hint, Record):
        return _record(shape(hint))
    if isinstance(hint, type) and hint in _SCALARS:
        return _scalar(hint)
    raise TypeError(f"a message field cannot be {hint}")


_SCALARS: dict[Any, str] = {
    type(None): "nothing",
    bool: "true or false",
    int: "a whole number",
    float: "a float",
    str: "a text",
    bytes: "bytes",
}


def _scalar(wanted: Any) -> _Check:
    name = _SCALARS[wanted]

    def check(value: Any) -> Any:
        if type(value) is not wanted:
            raise _Wrong(name)
        return value

    return check


def _bounded(inner: _Check, bounds: Range) -> _Check:
    low, high = bounds

    def check(value: Any) -> Any:
        checked = inner(value)
        measure = checked if isinstance(checked, int | float) else len(checked)
        if not low <= measure <= high:
            raise _Wrong(f"from {low:g} to {high:g} (or as many long)")
        return checked

    return check


def _array(arguments: tuple[Any, ...]) -> _Check:
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        item = _checker(arguments[0])

        def check_all(value: Any) -> Any:
            if type(value) is not tuple:
                raise _Wrong("an array")
            return tuple([item(element) for element in value])

        return check_all
    items = [_checker(argument) for argument in arguments]

    def check_each(value: Any) -> Any:
        if type(value) is not tuple or len(value) != len(items):
            raise _Wrong(f"an array of {len(items)}")
        return tuple([check(element) for check, element in zip(items, value, strict=True)])

    return check_each


def _mapping(key: Any, item: Any) -> _Check:
    check_key, check_item = _checker(key), _checker(item)

    def check(value: Any) -> Any:
        if type(value) is not dict:
            raise _Wrong("a map")
        return {check_key(name): check_item(element) for name, element in value.items()}

    return check


def _union(arguments: tuple[Any, ...]) -> _Check:
    checks = [_checker(argument) for argument in arguments]

    def check(value: Any) -> Any:
        expected = []
        for one in checks:
            try:
                return one(value)
            except _Wrong as wrong:
                expected.append(str(wrong))
        raise _Wrong(" or ".join(expected))

    return check


def _record(inner: Shape) -> _Check:
    def check(value: Any) -> Any:
        try:
            return inner.build(value)
        except ProtocolError as error:
            raise _Wrong(f"right inside ({error.message})") from error

    return check
