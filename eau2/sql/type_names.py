"""Type names as they are written in SQL, and the types they mean.

Owns: the list of names. Comes in: ast.TypeName. Goes out: SqlType.
Does not know: values, expressions.
"""

from __future__ import annotations

from difflib import get_close_matches

from eau2 import types
from eau2.config import LIMITS
from eau2.errors import NotSupportedError, ProgrammingError, UnknownNameError
from eau2.records import replace
from eau2.sql import ast
from eau2.types import MAX_DECIMAL_DIGITS, WITHOUT_LISTS, SqlType, list_of

_NAMES: dict[str, SqlType] = {
    name: type_
    for type_, names in (
        (types.BOOLEAN, "bool boolean logical"),
        (types.TINYINT, "tinyint int1"),
        (types.SMALLINT, "smallint int2 short int16"),
        (types.INTEGER, "integer int int4 signed int32"),
        (types.BIGINT, "bigint int8 long int64 oid"),
        (types.HUGEINT, "hugeint int128"),
        (types.UTINYINT, "utinyint uint8"),
        (types.USMALLINT, "usmallint uint16"),
        (types.UINTEGER, "uinteger uint32"),
        (types.UBIGINT, "ubigint uint64"),
        (types.FLOAT, "float float4 real"),
        (types.DOUBLE, "double float8"),
        (types.VARCHAR, "varchar text string char character bpchar nvarchar"),
        (types.DATE, "date"),
        (types.TIMESTAMP, "timestamp datetime timestamp_us"),
        (types.TIME, "time"),
        (types.INTERVAL, "interval"),
    )
    for name in names.split()
} | {"double precision": types.DOUBLE, "character varying": types.VARCHAR}

_DECIMALS = ("decimal", "numeric", "dec")
_DEFAULT_DECIMAL = (18, 3)

_REFUSED_TEXT = """
array bignum binary bit bitstring blob bytea enum geometry guid json list map null row
struct timestamp_ms timestamp_ns timestamp_s timestamptz timetz uhugeint uint128 union uuid
varbinary varint variant
"""
_REFUSED = frozenset(_REFUSED_TEXT.split()) | {
    "time with time zone",
    "timestamp with time zone",
    "timestamp without time zone",
    "time without time zone",
}
"""Types of DuckDB that eau2 has not."""


def resolve(name: ast.TypeName) -> SqlType:
    """The type that `name` means.

    Raises UnknownNameError for a name that is no type, NotSupportedError for a type of DuckDB's
    that eau2 has not, ProgrammingError for parameters out of range.
    """
    if name.lists:
        if name.lists > LIMITS.list_levels:
            raise NotSupportedError(
                f"lists nested in more than {LIMITS.list_levels} levels are not supported",
                span=name.span,
            )
        element = resolve(replace(name, lists=name.lists - 1))
        if element.kind in WITHOUT_LISTS:
            raise NotSupportedError(f"lists of {element} are not supported", span=name.span)
        return list_of(element)
    if name.name in _DECIMALS:
        return _decimal(name)
    type_ = _NAMES.get(name.name)
    if type_ is None:
        if name.name in _REFUSED:
            raise NotSupportedError(
                f"the type {name.name.upper()} is not supported", span=name.span
            )
        near = get_close_matches(name.name, (*_NAMES, *_DECIMALS), 1)
        hint = f'Did you mean "{near[0]}"?' if near else None
        raise UnknownNameError(f'there is no type "{name.name}"', span=name.span, hint=hint)
    if name.parameters and type_ == types.FLOAT and len(name.parameters) == 1:
        return types.FLOAT if name.parameters[0] <= 24 else types.DOUBLE
    if name.parameters and type_ != types.VARCHAR:
        raise NotSupportedError(f"the type {name.name.upper()} takes no parameters", span=name.span)
    return type_


def _decimal(name: ast.TypeName) -> SqlType:
    parameters = name.parameters
    if len(parameters) > 2:
        raise ProgrammingError("DECIMAL takes a width and a scale", span=name.span)
    width, scale = (*parameters, 0)[:2] if parameters else _DEFAULT_DECIMAL
    if not 1 <= width <= MAX_DECIMAL_DIGITS:
        raise ProgrammingError(
            f"a DECIMAL's width must be between 1 and {MAX_DECIMAL_DIGITS}", span=name.span
        )
    if not 0 <= scale <= width:
        raise ProgrammingError("a DECIMAL's scale cannot exceed its width", span=name.span)
    return types.decimal(width, scale)


def names() -> tuple[str, ...]:
    """All type names, sorted, those of several words left out."""
    return tuple(sorted(name for name in (*_NAMES, *_DECIMALS) if " " not in name))
