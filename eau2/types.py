"""SQL types: their names, their Arrow forms at the edges and at rest, and how they combine.

Owns: `SqlType`, the numeric and decimal rules of DuckDB 2.0, the map to and from Arrow.
Does not know: expressions, Polars, SQL text. A *logical* Arrow type is what users see in results
and hand in; a *stored* one is what a chunk holds (a decimal of up to 18 digits is its scaled
int64; wider ones and HUGEINT are unscaled decimal128(38, 0); a time of day is its microseconds, an
interval a struct of its parts).
"""

from __future__ import annotations

from enum import StrEnum

import pyarrow as pa

from eau2.config import LIMITS
from eau2.errors import NotSupportedError
from eau2.records import Record


class Kind(StrEnum):
    """The family of a type; DECIMAL and LIST alone have parameters."""

    NULL = "NULL"
    BOOLEAN = "BOOLEAN"
    TINYINT = "TINYINT"
    SMALLINT = "SMALLINT"
    INTEGER = "INTEGER"
    BIGINT = "BIGINT"
    HUGEINT = "HUGEINT"
    UTINYINT = "UTINYINT"
    USMALLINT = "USMALLINT"
    UINTEGER = "UINTEGER"
    UBIGINT = "UBIGINT"
    FLOAT = "FLOAT"
    DOUBLE = "DOUBLE"
    DECIMAL = "DECIMAL"
    VARCHAR = "VARCHAR"
    DATE = "DATE"
    TIMESTAMP = "TIMESTAMP"
    TIME = "TIME"
    INTERVAL = "INTERVAL"
    LIST = "LIST"

    # That of enumerations is written in Python, and no hash is asked for more often.
    __hash__ = str.__hash__


MAX_DECIMAL_DIGITS = 38
NARROW_DECIMAL_DIGITS = 18
"""Decimals of up to this many digits are scaled int64 values; wider ones are scaled int128."""

INTEGER_RANGES: dict[Kind, tuple[int, int]] = {
    Kind.TINYINT: (-(2**7), 2**7 - 1),
    Kind.SMALLINT: (-(2**15), 2**15 - 1),
    Kind.INTEGER: (-(2**31), 2**31 - 1),
    Kind.BIGINT: (-(2**63), 2**63 - 1),
    Kind.HUGEINT: (-(2**127), 2**127 - 1),
    Kind.UTINYINT: (0, 2**8 - 1),
    Kind.USMALLINT: (0, 2**16 - 1),
    Kind.UINTEGER: (0, 2**32 - 1),
    Kind.UBIGINT: (0, 2**64 - 1),
}


class SqlType(Record, frozen=True):
    """One SQL type. `precision` and `scale` are digits, and zero unless the kind is DECIMAL.

    element: the type of a LIST's elements, and None for every other kind.
    """

    kind: Kind
    precision: int = 0
    scale: int = 0
    element: SqlType | None = None

    def __post_init__(self) -> None:
        if (self.kind is Kind.LIST) != (self.element is not None):
            raise ValueError("a LIST, and no other type, has elements")
        if self.levels > LIMITS.list_levels:
            raise ValueError(f"lists nested in more than {LIMITS.list_levels} levels")
        if self.kind is Kind.DECIMAL:
            if (
                not 1 <= self.precision <= MAX_DECIMAL_DIGITS
                or not 0 <= self.scale <= self.precision
            ):
                raise ValueError(f"DECIMAL({self.precision},{self.scale}) is not a type")
        elif self.precision or self.scale:
            raise ValueError(f"{self.kind} takes no parameters")

    def __str__(self) -> str:
        if self.kind is Kind.DECIMAL:
            return f"DECIMAL({self.precision},{self.scale})"
        if self.element is not None:
            return f"{_QUOTED_NULL if self.element.kind is Kind.NULL else self.element}[]"
        return self.kind.value

    @property
    def levels(self) -> int:
        """How many lists lie in one another: 2 for INTEGER[][], 0 for what is no list."""
        return 0 if self.element is None else 1 + self.element.levels

    @property
    def is_list(self) -> bool:
        """A list, of elements of any type."""
        return self.element is not None

    @property
    def innermost(self) -> SqlType:
        """The type of what lies in the lists of all levels; a type that is no list itself."""
        return self if self.element is None else self.element.innermost

    @property
    def is_integer(self) -> bool:
        """A signed or unsigned integer, HUGEINT included."""
        return self.kind in INTEGER_RANGES

    @property
    def is_float(self) -> bool:
        """FLOAT or DOUBLE."""
        return self.kind in (Kind.FLOAT, Kind.DOUBLE)

    @property
    def is_decimal(self) -> bool:
        """DECIMAL of any precision."""
        return self.kind is Kind.DECIMAL

    @property
    def is_numeric(self) -> bool:
        """Integer, decimal or float (not BOOLEAN)."""
        return self.is_integer or self.is_decimal or self.is_float

    @property
    def is_temporal(self) -> bool:
        """DATE or TIMESTAMP."""
        return self.kind in (Kind.DATE, Kind.TIMESTAMP)

    @property
    def has_equal_forms(self) -> bool:
        """Different values can be equal: 0.0 and -0.0, 1 month and 30 days."""
        return self.innermost.is_float or self.innermost.kind is Kind.INTERVAL

    @property
    def is_wide(self) -> bool:
        """Computed in 128 bits: HUGEINT and decimals of more than 18 digits."""
        return self.kind is Kind.HUGEINT or (
            self.is_decimal and self.precision > NARROW_DECIMAL_DIGITS
        )


_QUOTED_NULL = '"NULL"'
"""What the element of `[]` is called, as in DuckDB."""

NULL = SqlType(Kind.NULL)
BOOLEAN = SqlType(Kind.BOOLEAN)
TINYINT = SqlType(Kind.TINYINT)
SMALLINT = SqlType(Kind.SMALLINT)
INTEGER = SqlType(Kind.INTEGER)
BIGINT = SqlType(Kind.BIGINT)
HUGEINT = SqlType(Kind.HUGEINT)
UTINYINT = SqlType(Kind.UTINYINT)
USMALLINT = SqlType(Kind.USMALLINT)
UINTEGER = SqlType(Kind.UINTEGER)
UBIGINT = SqlType(Kind.UBIGINT)
FLOAT = SqlType(Kind.FLOAT)
DOUBLE = SqlType(Kind.DOUBLE)
VARCHAR = SqlType(Kind.VARCHAR)
DATE = SqlType(Kind.DATE)
TIMESTAMP = SqlType(Kind.TIMESTAMP)
TIME = SqlType(Kind.TIME)
INTERVAL = SqlType(Kind.INTERVAL)


def decimal(precision: int, scale: int) -> SqlType:
    """DECIMAL(precision, scale)."""
    return SqlType(Kind.DECIMAL, precision, scale)


WITHOUT_LISTS = frozenset({Kind.INTERVAL, Kind.TIME})
"""Types of which there are no lists."""


def list_of(element: SqlType) -> SqlType:
    """The type of lists of `element`. Raises ValueError when they are nested too deep."""
    return SqlType(Kind.LIST, element=element)


def parse_type(text: str) -> SqlType:
    """The type that `str` of a SqlType names. Raises ValueError."""
    if text.endswith("[]"):
        if len(text) > 2 * LIMITS.list_levels + len("DECIMAL(38,38)"):
            raise ValueError("no such type")
        return list_of(parse_type(text[:-2]))
    if text == _QUOTED_NULL:
        return NULL
    if text.startswith("DECIMAL(") and text.endswith(")"):
        precision, _, scale = text[8:-1].partition(",")
        return decimal(int(precision), int(scale))
    return SqlType(Kind(text))


INTEGER_DIGITS: dict[Kind, int] = {
    Kind.TINYINT: 3,
    Kind.SMALLINT: 5,
    Kind.INTEGER: 10,
    Kind.BIGINT: 19,
    Kind.HUGEINT: 38,
    Kind.UTINYINT: 3,
    Kind.USMALLINT: 5,
    Kind.UINTEGER: 10,
    Kind.UBIGINT: 20,
}
"""Decimal digits that an integer type counts for beside a decimal."""


def as_decimal(type_: SqlType) -> SqlType:
    """The decimal type that an integer or decimal counts as beside a decimal."""
    return type_ if type_.is_decimal else decimal(INTEGER_DIGITS[type_.kind], 0)


def contains(outer: SqlType, inner: SqlType) -> bool:
    """Whether every value of the integer type `inner` is one of the integer type `outer`."""
    low, high = INTEGER_RANGES[outer.kind]
    inner_low, inner_high = INTEGER_RANGES[inner.kind]
    return low <= inner_low and inner_high <= high


def common_integer(left: SqlType, right: SqlType) -> SqlType:
    """The smallest integer type that holds the values of both."""
    if contains(left, right):
        return left
    if contains(right, left):
        return right
    for wider in (SMALLINT, INTEGER, BIGINT):
        if contains(wider, left) and contains(wider, right):
            return wider
    return HUGEINT


def common_numeric(left: SqlType, right: SqlType) -> SqlType:
    """The type in which two numbers meet in CASE, UNION and comparisons."""
    if left.is_float or right.is_float:
        return DOUBLE if DOUBLE in (left, right) else FLOAT
    if left.is_integer and right.is_integer:
        return common_integer(left, right)
    one, two = as_decimal(left), as_decimal(right)
    scale = max(one.scale, two.scale)
    whole = max(one.precision - one.scale, two.precision - two.scale)
    return decimal(min(whole + scale, MAX_DECIMAL_DIGITS), scale)


def union_decimal(left: SqlType, right: SqlType) -> SqlType:
    """The type in which two decimals meet in CASE, COALESCE and UNION.

    Where 38 digits are too few, digits after the point are given up, never those before it.
    """
    scale = max(left.scale, right.scale)
    whole = max(left.precision - left.scale, right.precision - right.scale)
    scale = min(scale, MAX_DECIMAL_DIGITS - whole)
    return decimal(whole + scale, scale)


def arithmetic_integer(left: SqlType, right: SqlType) -> SqlType:
    """The type in which two integers are added, multiplied or divided."""
    if contains(left, right):
        return left
    if contains(right, left):
        return right
    return HUGEINT if UBIGINT in (left, right) else BIGINT


def sum_decimal(left: SqlType, right: SqlType) -> SqlType:
    """The type of the sum or difference of two decimals: a digit more than their common type."""
    common = common_numeric(left, right)
    return decimal(min(common.precision + 1, MAX_DECIMAL_DIGITS), common.scale)


def product_decimal(left: SqlType, right: SqlType) -> SqlType | None:
    """The type of the product of two decimals; None if its scale would exceed 38 digits.

    A product of two narrow decimals stays narrow (and may overflow) while its scale leaves a digit.
    """
    precision, scale = left.precision + right.precision, left.scale + right.scale
    if scale > MAX_DECIMAL_DIGITS:
        return None
    narrow = scale < NARROW_DECIMAL_DIGITS and not (left.is_wide or right.is_wide)
    if precision > NARROW_DECIMAL_DIGITS and narrow:
        precision = NARROW_DECIMAL_DIGITS
    return decimal(min(precision, MAX_DECIMAL_DIGITS), scale)


_ARROW: dict[Kind, pa.DataType] = {
    Kind.NULL: pa.int32(),
    Kind.BOOLEAN: pa.bool_(),
    Kind.TINYINT: pa.int8(),
    Kind.SMALLINT: pa.int16(),
    Kind.INTEGER: pa.int32(),
    Kind.BIGINT: pa.int64(),
    Kind.HUGEINT: pa.decimal128(38, 0),
    Kind.UTINYINT: pa.uint8(),
    Kind.USMALLINT: pa.uint16(),
    Kind.UINTEGER: pa.uint32(),
    Kind.UBIGINT: pa.uint64(),
    Kind.FLOAT: pa.float32(),
    Kind.DOUBLE: pa.float64(),
    Kind.VARCHAR: pa.string_view(),
    Kind.DATE: pa.date32(),
    Kind.TIMESTAMP: pa.timestamp("us"),
    Kind.TIME: pa.time64("us"),
    Kind.INTERVAL: pa.month_day_nano_interval(),
}
_STORED_INTERVAL = pa.struct([("months", pa.int32()), ("days", pa.int32()), ("micros", pa.int64())])


def logical_arrow(type_: SqlType) -> pa.DataType:
    """The Arrow type of a result column. HUGEINT leaves as decimal128(38, 0), as from DuckDB."""
    if type_.is_decimal:
        return pa.decimal128(type_.precision, type_.scale)
    if type_.kind is Kind.VARCHAR:
        return pa.string()
    if type_.element is not None:
        return pa.list_(logical_arrow(type_.element))
    return _ARROW[type_.kind]


def stored_arrow(type_: SqlType) -> pa.DataType:
    """The Arrow type of a column inside a chunk.

    A list has 64-bit offsets; text in it has offsets too, so that joining lists copies only the
    text that they refer to.
    """
    if type_.element is not None:
        text = type_.element.kind is Kind.VARCHAR
        return pa.large_list(pa.large_string() if text else stored_arrow(type_.element))
    if type_.is_decimal:
        return pa.int64() if not type_.is_wide else pa.decimal128(38, 0)
    if type_.kind is Kind.INTERVAL:
        return _STORED_INTERVAL
    if type_.kind is Kind.TIME:
        return pa.int64()
    return _ARROW[type_.kind]


def is_arrow_list(arrow: pa.DataType) -> bool:
    """Whether an Arrow type is a list in one of the forms that are read."""
    return bool(
        pa.types.is_list(arrow)
        or pa.types.is_large_list(arrow)
        or pa.types.is_fixed_size_list(arrow)
    )


def from_arrow(arrow: pa.DataType, column: str) -> SqlType:
    """The SQL type of a column of Arrow type `arrow`; dictionaries count as their values.

    Raises NotSupportedError, naming `column`, for types that eau2 has not (structs, maps, time
    zones, binary, ...).
    """
    if pa.types.is_dictionary(arrow):
        return from_arrow(arrow.value_type, column)
    if is_arrow_list(arrow):
        element = from_arrow(arrow.value_type, column)
        if element.levels == LIMITS.list_levels:
            raise NotSupportedError(f'column "{column}" has lists nested too deep')
        if element.kind in WITHOUT_LISTS:
            raise NotSupportedError(f'column "{column}" has lists of {element}')
        return list_of(element)
    if pa.types.is_decimal(arrow) and arrow.precision <= MAX_DECIMAL_DIGITS and arrow.scale >= 0:
        return decimal(max(arrow.precision, arrow.scale), arrow.scale)
    if (
        pa.types.is_string(arrow)
        or pa.types.is_large_string(arrow)
        or pa.types.is_string_view(arrow)
    ):
        return VARCHAR
    if pa.types.is_date(arrow):
        return DATE
    if pa.types.is_timestamp(arrow) and arrow.tz is None:
        return TIMESTAMP
    if pa.types.is_time(arrow):
        return TIME
    if pa.types.is_duration(arrow):
        return INTERVAL
    if pa.types.is_null(arrow):
        return INTEGER
    if pa.types.is_float16(arrow):
        return FLOAT
    for kind, candidate in _ARROW.items():
        if arrow == candidate and kind not in (Kind.NULL, Kind.HUGEINT):
            return SqlType(kind)
    raise NotSupportedError(
        f'column "{column}" has the type {arrow}, which eau2 does not support',
        hint="Leave the column out, or cast it to a number, VARCHAR, DATE or TIMESTAMP first.",
    )


def described(type_: SqlType) -> str:
    """A type's name as DESCRIBE and typeof() give it: that of a bare NULL has quotes."""
    return '"NULL"' if type_ == NULL else str(type_)
