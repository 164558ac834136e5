"""The types of Python's words: what the compiler writes is taken, and anything else is refused."""

from __future__ import annotations

import datetime
import random
from collections.abc import Iterator, Sequence

import pytest

from eau2.config import LIMITS
from eau2.errors import FunctionDefinitionError
from eau2.operators import function_form
from eau2.operators.expr import (
    Call,
    Cast,
    ColumnRef,
    Expr,
    Lambda,
    LambdaParameter,
    Literal,
    walk,
)
from eau2.operators.functions import table
from eau2.operators.functions.python_mappings import written
from eau2.operators.well_formed import check_bound
from eau2.python import vocabulary
from eau2.python.builtin_functions import WORDS
from eau2.python.mathematics import WORDS as MATH_WORDS
from eau2.python.methods import Word
from eau2.records import replace
from eau2.types import (
    BIGINT,
    BOOLEAN,
    DATE,
    DOUBLE,
    HUGEINT,
    INTEGER,
    INTERVAL,
    NULL,
    TIMESTAMP,
    VARCHAR,
    SqlType,
    decimal,
    list_of,
)
from tests.python.comparing import defined
from tests.python.programs import make

WHERE = "f (app.py, line 3)"
TYPES: tuple[SqlType, ...] = (
    BIGINT, DOUBLE, VARCHAR, BOOLEAN, DATE, TIMESTAMP, list_of(BIGINT), list_of(VARCHAR),
    list_of(DOUBLE), list_of(BOOLEAN), list_of(list_of(BIGINT)), INTEGER, HUGEINT, decimal(10, 2),
    INTERVAL,
)  # fmt: skip
PLAIN = TYPES[:10]
COLUMNS = [ColumnRef(type_, number) for number, type_ in enumerate(TYPES)]
AT = Literal(VARCHAR, WHERE)
FORM, SPEC = Literal(VARCHAR, "%Y-%m"), Literal(VARCHAR, "")


def column(type_: SqlType) -> Expr:
    return COLUMNS[TYPES.index(type_)]


def of_words(words: Sequence[tuple[str, Word]], receiver: Expr | None) -> Iterator[Expr]:
    """Every word with every number of arguments that it takes."""
    for name, word in words:
        for count in range(word.needed, len(word.parameters) + 1):
            args = [column(type_) for type_ in word.parameters[:count]]
            if name in ("strftime", "datetime.datetime.strptime"):
                args[-1] = FORM
            try:
                if receiver is None:
                    yield vocabulary.call(name, args, WHERE)
                else:
                    yield vocabulary.method(name, receiver, args, WHERE)
            except vocabulary.Refusal:
                continue


def builtins() -> Iterator[Expr]:
    """Every builtin of one value, of two, and of a value and a constant."""
    for name in sorted(vocabulary.BUILTINS):
        for type_ in PLAIN:
            value = column(type_)
            for args in ([value], [value, value], [value, Literal(BIGINT, 2)], [value, SPEC]):
                try:
                    yield vocabulary.call(name, args, WHERE)
                except vocabulary.Refusal:
                    continue


def operators() -> Iterator[Expr]:
    """Every operator between values of all types."""
    numbers = [Literal(BIGINT, 2), Literal(BIGINT, 0), Literal(DOUBLE, 0.5)]
    values = [column(type_) for type_ in PLAIN]
    for left in values:
        for right in [*values, *numbers, vocabulary.literal(None)]:
            for op in ("+", "-", "*", "/", "//", "%", "**", "<<", ">>", "&", "|", "^"):
                yield from attempt(vocabulary.binary, op, left, right, WHERE)
            for op in ("==", "!=", "<", "<=", ">", ">=", "in", "not in"):
                yield from attempt(vocabulary.compare, op, left, right, WHERE)
        for op in ("+", "-", "~", "not"):
            yield from attempt(vocabulary.unary, op, left, WHERE)
        place, step = column(BIGINT), Literal(BIGINT, -1)
        yield from attempt(vocabulary.index, left, place, WHERE)
        for stride in (None, place, step):
            yield from attempt(vocabulary.slice_, left, place, place, stride, WHERE)
        for spec in ("", ">9", "%Y", "d"):
            for conversion in ("", "s", "r", "a"):
                yield from attempt(vocabulary.formatted, left, spec, conversion, WHERE)
        yield from attempt(vocabulary.truth, left)
    yield vocabulary.joined([column(VARCHAR)] * 3, WHERE)
    for type_ in (*PLAIN, NULL):
        yield vocabulary.failure("ValueError: no", type_, WHERE)


def attempt(make: object, *args: object) -> Iterator[Expr]:
    assert callable(make)
    try:
        yield make(*args)
    except vocabulary.Refusal:
        return


def moments() -> Iterator[Expr]:
    """Attributes, of differences too."""
    for kind, type_ in (("date", DATE), ("datetime", TIMESTAMP)):
        value = column(type_)
        difference = vocabulary.binary("-", value, value, WHERE)
        yield from (difference, vocabulary.contained("in", value, (value,), WHERE))
        for name in vocabulary.ATTRIBUTES[kind]:
            yield vocabulary.attribute(name, value, WHERE)
        for name in vocabulary.ATTRIBUTES["timedelta"]:
            yield vocabulary.attribute(name, difference, WHERE)
        yield vocabulary.method("total_seconds", difference, [], WHERE)


def differences() -> Iterator[Expr]:
    """What is done with a difference of which nothing is known."""
    value, number, ratio = column(vocabulary.TIMEDELTA), column(BIGINT), column(DOUBLE)
    day = vocabulary.literal(datetime.timedelta(days=1))
    for other in (value, day, number, ratio, column(DATE), column(TIMESTAMP), column(BOOLEAN)):
        for left, right in ((value, other), (other, value)):
            for op in ("+", "-", "*", "/", "//", "%"):
                yield from attempt(vocabulary.binary, op, left, right, WHERE)
            for op in ("==", "!=", "<", "<=", ">", ">="):
                yield from attempt(vocabulary.compare, op, left, right, WHERE)
            yield from attempt(vocabulary.contained, "in", left, (right, day), WHERE)
            yield from attempt(vocabulary.call, "max", [left, right, left], WHERE)
    for op in ("+", "-", "not"):
        yield vocabulary.unary(op, value, WHERE)
    for name in ("abs", "str", "repr", "ascii", "bool"):
        yield vocabulary.call(name, [value], WHERE)
    for name in vocabulary.ATTRIBUTES["timedelta"]:
        yield vocabulary.attribute(name, value, WHERE)
    yield vocabulary.timedelta({"days": number}, WHERE)
    yield vocabulary.timedelta({"hours": number, "minutes": ratio}, WHERE)
    yield vocabulary.timedelta({"hours": vocabulary.literal(None)}, WHERE)


def methods() -> Iterator[Expr]:
    receivers = {"str": VARCHAR, "int": BIGINT, "float": DOUBLE, "date": DATE,
                 "datetime": TIMESTAMP, "list": list_of(BIGINT)}  # fmt: skip
    for kind, type_ in receivers.items():
        yield from of_words(list(vocabulary.METHODS[kind].items()), column(type_))


def by_names() -> Iterator[Expr]:
    """What words become whose arguments were given by names, or left out between others."""
    number, real = column(BIGINT), column(DOUBLE)
    yield vocabulary.method("replace", column(DATE), [], WHERE, {"day": number})
    moment = {"minute": number, "year": number}
    yield vocabulary.method("replace", column(TIMESTAMP), [], WHERE, moment)
    for name in ("min", "max"):
        yield vocabulary.call(name, [column(list_of(BIGINT))], WHERE, {"default": number})
    yield vocabulary.call("math.isclose", [real, real], WHERE, {"abs_tol": real})
    for type_, start in ((BIGINT, number), (DOUBLE, real)):
        yield vocabulary.call("math.prod", [column(list_of(type_))], WHERE, {"start": start})
    yield vocabulary.call("sum", [column(list_of(BIGINT))], WHERE, {"start": number})
    flag = {"reverse": column(BOOLEAN)}
    yield vocabulary.call("sorted", [column(list_of(DOUBLE))], WHERE, flag)
    yield vocabulary.method("split", column(VARCHAR), [], WHERE, {"maxsplit": number})


def sequences() -> Iterator[Expr]:
    """What loops, comprehensions and assignments to several names become."""
    ints, texts, count = column(list_of(BIGINT)), column(list_of(VARCHAR)), column(BIGINT)
    yield Call(BIGINT, "list.at", (ints, count))
    yield Call(ints.type, "list.zip", (ints, texts, ints))
    for name in ("list.rounds", "list.within", "list.product", "list.unpack", "list.unpack*"):
        yield Call(ints.type, name, (ints, count, AT))
    yield Call(ints.type, "list.flat", (column(list_of(list_of(BIGINT))), AT))
    kinds = enumerate((BIGINT, VARCHAR, BIGINT))
    given = tuple(LambdaParameter(type_, 0, number) for number, type_ in kinds)
    value, kept = Lambda(BIGINT, given, given[0]), Lambda(BOOLEAN, given, column(BOOLEAN))
    yield Call(ints.type, "each", (ints, texts, kept, value))
    real = column(DOUBLE)
    yield Call(BIGINT, "int.divmod%", (count, count, AT))
    for sign in ("//", "%"):
        yield Call(DOUBLE, f"float.divmod{sign}", (real, real, AT))


def dicts() -> Iterator[Expr]:
    """Looking into dicts of all types of keys and values."""
    key = Literal(VARCHAR, '[["a","b"],[1,null]]')
    yield Call(BIGINT, "dict.[]", (column(VARCHAR), key, Literal(BIGINT, None), AT))
    yield Call(BIGINT, "dict.get", (column(VARCHAR), key, column(BIGINT)))
    keys = {VARCHAR: '"a"', BIGINT: "5", BOOLEAN: "true", DATE: "18262", TIMESTAMP: "0"}
    values = {**keys, DOUBLE: "NaN", list_of(BIGINT): "[1,null]", list_of(VARCHAR): "[]"}
    for type_, own in keys.items():
        for result, value in values.items():
            text = Literal(VARCHAR, f"[[{own}],[{value}]]")
            yield Call(result, "dict.[]", (column(type_), text, Literal(result, None), AT))
            yield Call(result, "dict.get", (column(type_), text, column(result)))


def everything() -> list[Expr]:
    """What the vocabulary makes of all that its documentation lists."""
    plain = [(name, word) for name, word in WORDS.items()]
    plain += [(f"math.{name}", word) for name, word in MATH_WORDS.items()]
    found = [
        *of_words(plain, None),
        *builtins(),
        *operators(),
        *moments(),
        *differences(),
        *methods(),
        *by_names(),
        *dicts(),
    ]
    ints = column(list_of(BIGINT))
    found += sequences()
    return [*found, vocabulary.call("math.prod", [ints], WHERE)]


EVERYTHING = everything()
CALLS: dict[str, Call] = {
    node.function: node
    for expr in EVERYTHING
    for node in walk(expr)
    if isinstance(node, Call) and node.function in {entry.name for entry in table.PYTHON}
}


def is_taken(expr: Expr) -> bool:
    try:
        check_bound(expr, TYPES)
    except ValueError:
        return False
    return True


def test_whatever_the_vocabulary_makes_is_taken() -> None:
    for expr in EVERYTHING:
        check_bound(expr, TYPES)
    assert len(EVERYTHING) > 900


def test_every_entry_is_among_it() -> None:
    reached = set(CALLS) | {"str.[::-1]", "list.[::-1]", "float./ constant"}
    assert reached == {entry.name for entry in table.PYTHON}


def test_whatever_programs_become_is_taken() -> None:
    taken = 0
    for number in range(150):
        try:
            function = defined(make(random.Random(f"typed:{number}")).text)
        except FunctionDefinitionError:
            continue
        form = function_form.encode(function)
        # A function that holds NaN is not equal to itself; its bytes are.
        assert function_form.encode(function_form.decode(form)) == form
        taken += 1
    assert taken > 100


FOREIGN = [COLUMNS[TYPES.index(type_)] for type_ in (INTEGER, HUGEINT, decimal(10, 2))]


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
def test_other_types_are_refused(call: Call) -> None:
    assert is_taken(call)
    for place in range(len(call.args)):
        for other in FOREIGN:
            if other.type == vocabulary.TIMEDELTA and call.args[place].type == other.type:
                continue
            args = (*call.args[:place], other, *call.args[place + 1 :])
            assert not is_taken(call.with_children(args)), other.type
    for type_ in TYPES:
        if type_ != call.type and call.function != "python.raise":
            assert not is_taken(replace(call, type=type_)), type_


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
def test_other_numbers_of_arguments_are_refused(call: Call) -> None:
    assert not is_taken(call.with_children(()))
    assert not is_taken(call.with_children((*call.args, column(INTERVAL))))


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
def test_the_place_is_a_constant(call: Call) -> None:
    if call.args[-1] == AT and call.function != "python.raise":
        for place in (column(VARCHAR), Literal(VARCHAR, None), Literal(BIGINT, 1)):
            assert not is_taken(call.with_children((*call.args[:-1], place)))


A, DAY, TEXT = column(BIGINT), column(DATE), column(VARCHAR)
INTS, TEXTS = column(list_of(BIGINT)), column(list_of(VARCHAR))


def entries(text: str) -> Expr:
    """Get of a dict from str to int."""
    return Call(BIGINT, "dict.get", (TEXT, Literal(VARCHAR, text), A))


WRONG: dict[str, Expr] = {
    "a list of other elements": Call(BOOLEAN, "list.in", (A, TEXTS)),
    "two lists unlike": Call(INTS.type, "list.+", (INTS, TEXTS)),
    "an element of another list": Call(VARCHAR, "list.[]", (INTS, A, AT)),
    "values of two types": Call(BIGINT, "python.min", (A, TEXT)),
    "one value alone": Call(BIGINT, "python.min", (A,)),
    "a sum of texts": Call(BIGINT, "list.sum", (TEXTS, AT)),
    "a text of a decimal": Call(VARCHAR, "__str__", (column(decimal(10, 2)),)),
    "a text of a difference": Call(VARCHAR, "__str__", (column(INTERVAL),)),
    "a message that varies": Call(BIGINT, "python.raise", (TEXT,)),
    "a division that is said not to fail": Call(BIGINT, "int.//", (A, A, AT), checked=False),
    "a division by zero": Call(BIGINT, "int.//", (A, Literal(BIGINT, 0), AT), checked=False),
    "steps of zero": Call(VARCHAR, "str.[::]", (TEXT, A, A, Literal(BIGINT, 0), AT), checked=False),
    "a place in another list": Call(VARCHAR, "list.at", (INTS, A)),
    "a comprehension without a list": Call(INTS.type, "each", (Lambda(BIGINT, (), A),)),
    "a comprehension of something else": Call(TEXTS.type, "each", (INTS, Lambda(BIGINT, (), A))),
    "a dict that varies": Call(BIGINT, "dict.get", (TEXT, TEXT, A)),
    "a dict that is no JSON": entries("no"),
    "a dict that is nested without end": entries("[" * 100_000),
    "a dict of a key without a value": entries('[["a","b"],[1]]'),
    "a dict of one key twice": entries('[["a","a"],[1,2]]'),
    "a dict with a key of another type": entries("[[1],[1]]"),
    "a dict with a value of another type": entries('[["a"],["b"]]'),
    "a dict with a value beyond its type": entries(f'[["a"],[{2**63}]]'),
    "a dict with a list among its values": entries('[["a"],[[1]]]'),
    "a dict with another dict in it": entries('[["a"],[{"b":1}]]'),
    "a dict with None as a key": entries("[[null],[1]]"),
    "a dict of nothing": entries("[[],[]]"),
    "a dict with half a character": entries('[["\\ud800"],[1]]'),
    "a dict with too many entries": entries(
        written(
            [str(n) for n in range(LIMITS.mapping_entries + 1)], [0] * (LIMITS.mapping_entries + 1)
        )
    ),
    "a dict with floats as keys": Call(
        BIGINT, "dict.get", (column(DOUBLE), Literal(VARCHAR, "[[1.5],[1]]"), A)
    ),
    "a dict whose values have a value": Call(
        BIGINT, "dict.[]", (TEXT, Literal(VARCHAR, '[["a"],[1]]'), Literal(BIGINT, 1), AT)
    ),
    "a negation as another type": Call(BIGINT, "negate", (Literal(DOUBLE, 1.0),)),
}
RIGHT: dict[str, Expr] = {
    "a constant where a parameter stood": Call(BIGINT, "negate", (Literal(BIGINT, 5),)),
    "a list of no elements": Call(INTS.type, "list_value", ()),
    "an error in place of a list": Call(INTS.type, "python.raise", (AT,)),
    "a dict with an empty key": entries('[["","é"],[1,-1]]'),
    "a cast that Python makes": Call(VARCHAR, "int.__str__", (Cast(BIGINT, column(BOOLEAN)),)),
}


@pytest.mark.parametrize("expr", WRONG.values(), ids=WRONG.keys())
def test_a_wrong_call_is_refused(expr: Expr) -> None:
    assert not is_taken(expr)


@pytest.mark.parametrize("expr", RIGHT.values(), ids=RIGHT.keys())
def test_a_right_call_is_taken(expr: Expr) -> None:
    assert is_taken(expr)
