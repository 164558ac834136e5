"""What the functions of Python take and give, in the words of Python's types.

Owns: the notation of signatures, and the `bind` that holds calls to them. Comes in: texts such as
"list[T], T, int? -> int". Goes out: functions from a name and arguments to a Call.
Does not know: the functions.

The binder of Python functions writes calls that fit already; a form that comes from elsewhere is
held to the same signatures. `?` stands behind what may be left out, `...` behind what may repeat,
T is any type but the same wherever it stands, as is U; V is a T that is no list, `list` is any
list, `any` is any type, and `number` an int or a float.
Alternatives are separated by `;`.
"""

from __future__ import annotations

from functools import cache

from eau2.operators.expr import Call, Expr, Literal
from eau2.operators.functions.function import mismatch
from eau2.records import Record
from eau2.types import (
    BIGINT,
    BOOLEAN,
    DATE,
    DOUBLE,
    HUGEINT,
    NULL,
    TIMESTAMP,
    VARCHAR,
    SqlType,
    list_of,
)

_TYPES = {
    "bool": BOOLEAN,
    "int": BIGINT,
    "float": DOUBLE,
    "str": VARCHAR,
    "date": DATE,
    "datetime": TIMESTAMP,
    "timedelta": HUGEINT,
    "None": NULL,
}
_VALUES = frozenset(_TYPES.values()) - {HUGEINT}
_LIST = "list["
_SAFE_DIVISORS = "a constant divisor that is neither 0 nor -1"


class _Shape(Record, frozen=True):
    """One signature: what it takes, how many of these are needed, whether the last may repeat."""

    parameters: tuple[str, ...]
    needed: int
    repeats: bool
    result: str

    def result_of(self, types: tuple[SqlType, ...]) -> SqlType | None:
        """The type that a call with arguments of these types has; None if they do not fit."""
        known: dict[str, SqlType] = {}
        if len(types) < self.needed or (len(types) > len(self.parameters) and not self.repeats):
            return None
        for number, type_ in enumerate(types):
            if not _fits(self.parameters[min(number, len(self.parameters) - 1)], type_, known):
                return None
        return _named(self.result, known)


class PythonSignature(Record, frozen=True):
    """The `bind` of an entry that takes and gives what the text says.

    fails: a last argument more is a constant text. constants: the places of arguments that must be
    constants too, and neither NULL nor 0 nor -1.
    """

    takes: str
    fails: bool
    constants: tuple[int, ...] = ()

    def __call__(self, name: str, args: tuple[Expr, ...]) -> Expr:
        """The call. Raises TypeMismatchError for arguments of other types."""
        given = args[:-1] if self.fails else args
        if self.fails and not (args and _is_text(args[-1])):
            raise mismatch(name, args, "Its last argument says where it stands.")
        for place in self.constants:
            value = given[place] if place < len(given) else None
            if not isinstance(value, Literal) or value.value in (None, 0, -1):
                raise mismatch(name, args, f"It takes {_SAFE_DIVISORS}.")
        for shape in _shapes(self.takes):
            result = shape.result_of(tuple(arg.type for arg in given))
            if result is not None:
                return Call(result, name, args)
        raise mismatch(name, args, f"It takes {self.takes}.")


def _is_text(arg: Expr) -> bool:
    return isinstance(arg, Literal) and isinstance(arg.value, str)


@cache
def _shapes(takes: str) -> tuple[_Shape, ...]:
    return tuple(_shape(text.strip()) for text in takes.split(";"))


def _shape(text: str) -> _Shape:
    left, _, result = text.partition("->")
    parts = [part.strip() for part in left.split(",") if part.strip()]
    needed = sum(not part.endswith("?") for part in parts)
    names = tuple(part.rstrip("?.") for part in parts)
    return _Shape(names, needed, bool(parts) and parts[-1].endswith("..."), result.strip())


def _fits(name: str, type_: SqlType, known: dict[str, SqlType]) -> bool:
    """Whether a value of the type may stand here. T is known from its first place on."""
    if type_.innermost not in _VALUES and type_ != _TYPES.get(name):
        return False
    if name == "any":
        return True
    if name == "number":
        return type_ in (BIGINT, DOUBLE)
    if name == "V" and type_.is_list:
        return False
    if name == "list":
        return type_.is_list
    if name in ("T", "V", "U"):
        return known.setdefault("U" if name == "U" else "T", type_) == type_
    if name.startswith(_LIST):
        element = type_.element
        return element is not None and _fits(name[len(_LIST) : -1], element, known)
    return type_ == _TYPES[name]


def _named(name: str, known: dict[str, SqlType]) -> SqlType:
    if name.startswith(_LIST):
        return list_of(_named(name[len(_LIST) : -1], known))
    if name == "U":
        return known["U"]
    return known["T"] if name in ("T", "V") else _TYPES[name]
