"""Constant dicts and sets: what they may hold, d[k], d.get(k, default), k in d.

Owns: what a constant dict or set may hold, and what its uses become. Comes in: syntax and a Reader.
Goes out: bound expressions (an entry of operators/functions/python_mappings.py, which looks all
keys up at once, or SQL's IN), and the elements of one as a list.
Does not know: statements, where a list of them is taken (mapping_lists.py).

They are no values of columns: a name of one stands only where one of these uses is made of it.
"""

from __future__ import annotations

import ast
import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from eau2.config import LIMITS
from eau2.operators.coercion import coerce
from eau2.operators.expr import Call, Expr, Literal
from eau2.operators.functions.python_mappings import GET, ITEM, written
from eau2.python import vocabulary
from eau2.python.annotations import named
from eau2.python.iteration import Read
from eau2.python.kinds import typed
from eau2.python.names import Constant, Meaning, Names, Type
from eau2.python.operators import failing
from eau2.python.program import chosen, shared
from eau2.python.reader import Reader
from eau2.python.vocabulary import Refusal
from eau2.records import Record
from eau2.types import BIGINT, BOOLEAN, NULL, VARCHAR, SqlType

Held = dict[Any, Any] | set[Any] | frozenset[Any]
"""A constant that is looked into."""

_KINDS = (dict, set, frozenset)
_KEYS = (bool, int, str, dt.date, dt.datetime)
_VALUES = (*_KEYS, float)
USES = (
    "Of a constant dict there are d[k], d.get(k, default), k in d, for k in d, len(d), sorted(d), "
    "d.values(); of a set x in S, len(S), sorted(S)."
)


class NotConstantError(Exception):
    """Syntax whose value is not known when the function is defined."""


class _Table(Record, frozen=True):
    """A dict in physical values, and the types of its keys and values."""

    keys: tuple[Any, ...]
    values: tuple[Any, ...]
    key: SqlType
    value: SqlType

    @property
    def text(self) -> Literal:
        """The argument that it is."""
        return Literal(VARCHAR, written(self.keys, self.values))


def held(node: ast.expr, reader: Reader) -> Held | None:
    """The constant dict or set that the syntax is; None for anything else."""
    match node:
        case ast.Name(id=name) if name not in reader.env:
            return _constant_of(reader.names(name))
        case ast.Dict() | ast.Set():
            return displayed(node, reader)
    return None


def _constant_of(meaning: Meaning | None) -> Held | None:
    found = meaning.value if isinstance(meaning, Constant) else None
    return found if isinstance(found, _KINDS) else None


def displayed(node: ast.Dict | ast.Set, reader: Reader) -> Held | None:
    """The dict or set that is written there; None where a part of it is no constant."""
    try:
        found: Held = value_of(node, lambda n: None if n in reader.env else reader.names(n))
    except NotConstantError:
        return None
    except TypeError as error:
        raise reader.refuse(node, str(error)) from None
    return found


def value_of(node: ast.expr | None, names: Names) -> Any:
    """The value of constant syntax, as Python has it. Raises NotConstantError, TypeError."""
    match node:
        case ast.Constant(value=value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)) if (
            type(value) is not bool
        ):
            return -value
        case ast.Name(id=name):
            meaning = names(name)
            if isinstance(meaning, Constant):
                return meaning.value
        case ast.List(elts=items):
            return [value_of(item, names) for item in items]
        case ast.Set(elts=items):
            return {value_of(item, names) for item in items}
        case ast.Dict(keys=keys, values=values):
            pairs = zip(keys, values, strict=True)
            return {value_of(key, names): value_of(value, names) for key, value in pairs}
        case ast.Call(func=function, args=args, keywords=[]):
            return _date_of(named(function, names), [value_of(arg, names) for arg in args])
    raise NotConstantError


def _date_of(meaning: Meaning | None, args: list[Any]) -> dt.date:
    """datetime.date(2020, 2, 29), and datetime.datetime."""
    dates = isinstance(meaning, Type) and meaning.type in (dt.date, dt.datetime)
    if not dates or not all(type(arg) is int for arg in args):
        raise NotConstantError
    assert isinstance(meaning, Type)
    try:
        made: dt.date = meaning.type(*args)
    except (TypeError, ValueError, OverflowError) as error:
        raise NotConstantError from error
    return made


def _bounded(count: int, what: str) -> None:
    if not count:
        raise Refusal(f"an empty {what} has no types", "Leave it out: nothing is ever in it.")
    if count > LIMITS.mapping_entries:
        raise Refusal(
            f"a {what} of more than {LIMITS.mapping_entries:,} entries",
            "Put it into a frame, and join with that.",
        )


def _table(found: dict[Any, Any]) -> _Table:
    """The dict in physical values. Raises Refusal for what it may not hold."""
    _bounded(len(found), "dict")
    key = _one_type(list(found), _KEYS, "the keys of a dict", "Keys are str, int, bool or dates.")
    hint = "Values are of one type: int, float, bool, str, dates, or lists of one of them."
    value = _one_type(list(found.values()), _VALUES, "the values of a dict", hint)
    if value.innermost == NULL:
        raise Refusal("a dict of nothing but None has no types", hint)
    keys, values = map(_physical, found), map(_physical, found.values())
    return _Table(tuple(keys), tuple(values), key, value)


def _one_type(items: Sequence[Any], allowed: tuple[type, ...], what: str, hint: str) -> SqlType:
    """The type of the items, None apart; NULL if there is none. Raises Refusal for several."""
    keys = allowed is _KEYS
    if keys and None in items:
        raise Refusal(f"None is among {what}", "Test for it before: if k is None.")
    lists = [item for item in items if type(item) is list]
    if lists and not keys:
        if any(item is not None and type(item) is not list for item in items):
            raise Refusal(f"{what} are lists and others", hint)
        inner = [part for item in lists for part in item]
        _one_type(inner, allowed, f"the elements of {what}", hint)
        longest = [vocabulary.literal(item).type for item in lists]
        return next((type_ for type_ in longest if type_.innermost != NULL), longest[0])
    kinds = {type(item): item for item in items if item is not None}
    for kind in kinds:
        if kind not in allowed:
            raise Refusal(f"a {kind.__name__} is among {what}", hint)
    if len(kinds) > 1:
        listed = " and ".join(sorted(kind.__name__ for kind in kinds))
        raise Refusal(f"{what} are {listed}", f"Make them of one type. {hint}")
    types = [vocabulary.literal(item).type for item in items if item is not None]
    return types[0] if types else NULL


def _physical(value: Any) -> Any:
    """A value of Python as columns have it."""
    if isinstance(value, list):
        return [_physical(item) for item in value]
    found = vocabulary.literal(value)
    assert isinstance(found, Literal)
    return found.value


def _elements(found: set[Any] | frozenset[Any]) -> list[Any]:
    """The elements of a set in an order of their own: Python's differs from run to run."""
    _bounded(len(found), "set")
    present = [item for item in found if item is not None]
    _one_type(present, _VALUES, "the elements of a set", "They are of one type.")
    _no_nan(present)
    return sorted(found, key=repr)


def _no_nan(items: Sequence[Any]) -> None:
    if any(item != item for item in items):
        raise Refusal("NaN is in it, which is equal to nothing", "Write math.isnan(x).")


def item(found: Held, key: Expr, reader: Reader, where: str) -> Expr:
    """found[key]. Raises Refusal."""
    if not isinstance(found, dict):
        raise Refusal("a set has no index", "Write x in S.")
    table, fitted = _fitted(_table(found), key)
    if isinstance(fitted, Literal) and fitted.value in table.keys:
        value = table.values[table.keys.index(fitted.value)]
        if not isinstance(value, list):
            return Literal(table.value, value)

    def looked_up(value: Expr) -> Expr:
        nothing = Literal(table.value, None)
        entry = failing(table.value, ITEM, (value, table.text, nothing), where)
        missing = vocabulary.failure("KeyError: None", table.value, where)
        return chosen(Call(BOOLEAN, "is_null", (value,)), missing, entry)

    return shared(fitted, reader.scopes, looked_up)


def _got(table: _Table, key: Expr, default: Expr | None) -> Expr:
    """found.get(key, default): the default is computed whether it is needed or not."""
    table, key = _fitted(table, key)
    other = typed(Literal(NULL, None) if default is None else default, table.value)
    if other.type.element == NULL and table.value.is_list:
        other = coerce(other, table.value)
    if other.type != table.value:
        names = f"{vocabulary.name_of(table.value)} and {vocabulary.name_of(other.type)}"
        raise Refusal(
            f"the values and the default must have one type, not {names}",
            f"Give a default that is {vocabulary.name_of(table.value)}, or None.",
        )
    return Call(table.value, GET, (key, table.text, other))


def contains(op: str, key: Expr, found: Held, where: str) -> Expr:
    """`key in found`, and `not in`. Raises Refusal."""
    if not isinstance(found, dict):
        items = [vocabulary.literal(item) for item in _elements(found)]
        return vocabulary.compare(op, key, vocabulary.make_list(items, where), where)
    table, fitted = _fitted(_table(found), key)
    if isinstance(fitted, Literal) and fitted.value is None:
        return Literal(BOOLEAN, op == "not in")
    keys = [Literal(table.key, key) for key in table.keys]
    return vocabulary.compare(op, fitted, vocabulary.make_list(keys, where), where)


def _fitted(table: _Table, key: Expr) -> tuple[_Table, Expr]:
    """The dict and a key of one type. True and 1 are one key. Raises Refusal."""
    key = typed(key, table.key)
    if key.type == table.key:
        return table, key
    if {key.type, table.key} == {BOOLEAN, BIGINT}:
        as_key: Callable[[Any], Any] = bool if key.type == BOOLEAN else int
        kept = [place for place, own in enumerate(table.keys) if own in (0, 1)]
        if not kept:
            raise Refusal("no key of the dict is True or False", "Write int(...) around the key.")
        keys = tuple(as_key(table.keys[place]) for place in kept)
        return _Table(keys, tuple(table.values[p] for p in kept), key.type, table.value), key
    raise Refusal(
        f"the keys of the dict are {vocabulary.name_of(table.key)}, not "
        f"{vocabulary.name_of(key.type)}",
        "Make the key of their type.",
    )


def read_method(node: ast.Call, reader: Reader, read: Read) -> Expr | None:
    """A method of a constant dict or set; None for any other call. Raises Refusal."""
    function = node.func
    found = held(function.value, reader) if isinstance(function, ast.Attribute) else None
    if found is None or not isinstance(function, ast.Attribute):
        return None
    if isinstance(found, dict) and function.attr == "get":
        if node.keywords or not 1 <= len(node.args) <= 2:
            raise reader.refuse(node, "get takes a key and a default", "Write d.get(k, default).")
        key, *default = [read(arg, reader) for arg in node.args]
        return _got(_table(found), key, default[0] if default else None)
    raise no_method(node, function, found, reader)


def no_method(node: ast.Call, function: ast.Attribute, found: Held, reader: Reader) -> Exception:
    """The error that refuses any other method than get."""
    shown = f"{ast.unparse(function)[:80]}()"
    match found, function.attr:
        case dict(), "items":
            hint = "Pairs are no values: write for k in d: v = d[k]."
            return reader.refuse(node, f"{shown} is not there", hint)
        case dict(), "keys" | "values":
            hint = "It stands in list(...), sorted(...), sum(...), for, and behind in."
            return reader.refuse(node, f"{shown} is no value by itself", hint)
    what = "dict" if isinstance(found, dict) else "set"
    hint = USES if what == "dict" else "Of a set there are x in S, len(S), sorted(S)."
    return reader.refuse(function, f"{shown} of a constant {what} is not there", hint)


def taken(found: Held, called: str, use: str) -> Iterator[Any]:
    """The elements in the order of Python, if it has one. Raises Refusal."""
    if isinstance(found, dict):
        _table(found)
        values = found.values() if called == "values" else found
        if called == "values" and use == "in":
            _no_nan(list(values))
        yield from values
        return
    if use in ("for", "list", "math.prod"):
        raise Refusal("a set has no order", "Write sorted(S).")
    elements = _elements(found)
    if use != "len" and None in elements:
        raise Refusal("None is in the set", "Only `in` and len take it then.")
    yield from elements
