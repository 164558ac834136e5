"""The values of a statement's parameters, in Python and on the wire.

Owns: both forms, and the way between them. Comes in: what a program hands to `sql`; goes out: the
triples of a Statement message, and the reverse. Does not know: which values a statement takes: that
is the binder's to say, so a value it refuses arrives there as it was given.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation

from eau2.errors import InterfaceError, NotSupportedError, ProtocolError

Parameters = Mapping[int | str, object]
"""Values by position, from 1, or by name."""

Scalar = None | bool | int | float | str | bytes
WireParameters = tuple[tuple[int | str, str, Scalar], ...]
"""Position or name, SQL type, and value each; the type is "" where the value says it itself.

A list is the JSON of its elements' types and values.
"""

PASSED = (
    "Pass None, bool, int, float, str, Decimal, date, time, timedelta, a datetime without time"
    " zone, or a list."
)
"""What to say about a value that is none of those."""

_INT64, _UINT64 = -(2**63), 2**64
_POSITIONS = 1 << 31
_NAME_CHARS = 200
_INTERVAL_CHARS = 24
_NO_INTEGER = 2**128
"""Larger numbers are told as this one, which is no integer of SQL either."""


def numbered(params: Parameters | Sequence[object] | None) -> Parameters | None:
    """Parameters as a program gives them; positions are numbered from 1, as in `$1`.

    Raises InterfaceError.
    """
    if params is None or isinstance(params, Mapping):
        return params
    if isinstance(params, str | bytes):
        raise InterfaceError(f"parameters are a sequence or a mapping, not {_named(params)}")
    return dict(enumerate(params, start=1))


def to_wire(params: Parameters | None) -> WireParameters:
    """Parameters for a Statement message. Raises NotSupportedError, InterfaceError."""
    return tuple(_told(name, value) for name, value in (params or {}).items())


def check_texts(params: Parameters | None) -> None:
    """Refuse texts that UTF-8 has not, which no kernel is told of. Raises NotSupportedError."""
    for name, value in (params or {}).items():
        _check_texts(name, value)


def _check_texts(name: object, value: object) -> None:
    if isinstance(value, str) and not _is_text(value):
        raise NotSupportedError(
            f"the parameter ${name} is not valid text: it has half a surrogate pair"
        )
    if isinstance(value, list | tuple):
        for item in value:
            _check_texts(name, item)


def from_wire(parameters: Iterable[tuple[int | str, str, Scalar]]) -> Parameters:
    """The parameters that `to_wire` told of. Raises ProtocolError for any others."""
    values: dict[int | str, object] = {}
    for name, type_, value in parameters:
        try:
            values[name] = _heard(type_, value)
        except (ValueError, TypeError, OverflowError, InvalidOperation, RecursionError) as error:
            raise ProtocolError(f"the parameter ${name} is not a value of type {type_}") from error
    return values


def _told(name: object, value: object) -> tuple[int | str, str, Scalar]:
    if not isinstance(name, int | str):
        raise InterfaceError(f"a parameter is called by its name or position, not {_named(name)}")
    if not (0 <= name < _POSITIONS if isinstance(name, int) else len(name) <= _NAME_CHARS):
        raise InterfaceError(f"no parameter can be called {str(name)[:_NAME_CHARS]}")
    match value:
        case None | bool() | float():
            return name, "", value
        case int():
            if _INT64 <= value < _UINT64:
                return name, "", int(value)
            return name, "HUGEINT", str(max(-_NO_INTEGER, min(_NO_INTEGER, value)))
        case str():
            _check_texts(name, value)
            return name, "", str(value)
        case Decimal():
            return name, "DECIMAL", str(value)
        case datetime():
            return name, "TIMESTAMP", value.isoformat()
        case date():
            return name, "DATE", value.isoformat()
        case time():
            return name, "TIME", value.isoformat()
        case timedelta():
            return name, "INTERVAL", str(value // timedelta(microseconds=1))
        case bytes():
            return name, "", value
        case list() | tuple():
            items = [_told(name, item)[1:] for item in value]
            if any(isinstance(item, bytes) for _, item in items):
                raise NotSupportedError(f"the parameter ${name} is a list of bytes")
            return name, "LIST", json.dumps(items)
    raise NotSupportedError(
        f"the parameter ${name} is of type {type(value).__name__}, which is not supported",
        hint=PASSED,
    )


def _heard(type_: str, value: Scalar) -> object:
    match type_, value:
        case "", _:
            return value
        case "HUGEINT", str() if len(value) <= len(str(-_NO_INTEGER)):
            return int(value)
        case "DECIMAL", str():
            return Decimal(value)
        case "TIMESTAMP", str():
            return datetime.fromisoformat(value)
        case "DATE", str():
            return date.fromisoformat(value)
        case "TIME", str():
            return time.fromisoformat(value)
        case "INTERVAL", str() if len(value) <= _INTERVAL_CHARS:
            return timedelta(microseconds=int(value))
        case "LIST", str():
            return [_heard(str(kind), item) for kind, item in json.loads(value)]
    raise ValueError


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _named(value: object) -> str:
    return f"a {type(value).__name__}"
