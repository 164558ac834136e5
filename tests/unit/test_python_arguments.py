"""How the arguments of Python's words are given: the table of names, against CPython itself."""

from __future__ import annotations

import ast
import datetime
import inspect
import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import eau2
from eau2.errors import FunctionDefinitionError
from eau2.operators.expr import Expr
from eau2.python import vocabulary
from eau2.python.arguments import SIGNATURES
from eau2.types import BIGINT, BOOLEAN, DATE, DOUBLE, TIMESTAMP, VARCHAR, SqlType
from tests.python.comparing import defined, difference
from tests.python.lifted import Outcome, compiled, plain, run
from tests.python.programs import Program
from tests.unit.python_oracle import BOOL_LIST, FLOAT_LIST, INT_LIST, TEXT_LIST, WHERE, check

FITTING: dict[str, Any] = {
    "number": 2.5, "ndigits": 1, "x": "11", "base": 8, "object": 3, "exp": 2, "iterable": [1, 2],
    "start": 3, "reverse": True, "default": 4, "a": 1.0, "b": 1.5, "rel_tol": 0.1, "abs_tol": 0.2,
    "year": 2020, "month": 2, "day": 3, "hour": 4, "minute": 5, "second": 6, "microsecond": 7,
    "sep": "x", "maxsplit": 1, "keepends": True, "tabsize": 4, "format": "%Y", "timespec": "hours",
}  # fmt: skip
RECEIVERS: dict[str, Any] = {
    "str": "axbx\tc\nd",
    "datetime.date": datetime.date(2021, 5, 6),
    "datetime.datetime": datetime.datetime(2021, 5, 6, 7, 8, 9, 10),
}


def python_word(word: str) -> Callable[..., Any]:
    """CPython's function, or its method of a receiver."""
    type_, _, name = word.rpartition(".")
    if type_ in RECEIVERS:
        method: Callable[..., Any] = getattr(RECEIVERS[type_], name)
        return method
    found: Callable[..., Any] = eval(word, {"math": math, "datetime": datetime})
    return found


def parameters(word: str) -> ast.arguments:
    (function,) = ast.parse(f"def word({SIGNATURES[word]}): ...").body
    assert isinstance(function, ast.FunctionDef)
    return function.args


def value(word: str, name: str) -> Any:
    return 3 if (word, name) == ("pow", "base") else FITTING[name]


@pytest.mark.parametrize("word", sorted(SIGNATURES))
def test_cpython_takes_every_name_and_no_other(word: str) -> None:
    call, found = python_word(word), parameters(word)
    first = [value(word, parameter.arg) for parameter in found.posonlyargs]
    if found.vararg is not None:
        first = [FITTING["iterable"]]
    names = {p.arg: value(word, p.arg) for p in (*found.args, *found.kwonlyargs)}
    assert names
    call(*first, **names)
    for number, parameter in enumerate(found.posonlyargs):
        given = {**names, parameter.arg: first[number]}
        with pytest.raises(TypeError):
            call(*first[:number], *first[number + 1 :], **given)
    if found.kwonlyargs and found.vararg is None:
        places = [*first, *(value(word, p.arg) for p in (*found.args, *found.kwonlyargs))]
        with pytest.raises(TypeError):
            call(*places)
    if found.args and not found.kwonlyargs:
        assert call(*first, *names.values()) == call(*first, **names)


@pytest.mark.parametrize("word", sorted(SIGNATURES))
def test_what_may_be_left_out_has_the_default_of_cpython(word: str) -> None:
    call, found = python_word(word), parameters(word)
    listed = [*found.posonlyargs, *found.args]
    texts = dict(zip([p.arg for p in listed[::-1]], found.defaults[::-1], strict=False))
    texts |= {
        p.arg: text for p, text in zip(found.kwonlyargs, found.kw_defaults, strict=True) if text
    }
    defaults = {name: ast.literal_eval(text) for name, text in texts.items()}
    needed = [value(word, p.arg) for p in listed if p.arg not in defaults]
    needed = [FITTING["iterable"]] if found.vararg is not None else needed
    if all(default is not ... for default in defaults.values()) and word not in ("int", "str"):
        assert call(*needed, **defaults) == call(*needed)
    assert int("11", base=defaults.get("base", 10)) == 11
    try:
        shown = inspect.signature(call)
    except ValueError:
        # CPython does not tell of every function; what it takes is tried above.
        return
    for name, default in defaults.items():
        assert shown.parameters[name].default == default
    missing = set(shown.parameters) - {p.arg for p in (*listed, *found.kwonlyargs)}
    assert missing <= {"key", "mod", "self", "tzinfo", "fold", "encoding", "errors"}


def by_name(name: str, **fixed: object) -> Callable[..., Expr]:
    """A function, of which the last arguments have names; those that are fixed are constants."""
    named = {key: vocabulary.literal(given) for key, given in fixed.items()}
    return lambda *args: vocabulary.call(name, args, WHERE, named)


FLAGS = (True, False)


@pytest.mark.parametrize("type_", [INT_LIST, FLOAT_LIST, TEXT_LIST, BOOL_LIST], ids=str)
def test_sorting_backwards_keeps_equal_elements_in_their_order(type_: SqlType) -> None:
    for down in FLAGS:
        check(by_name("sorted", reverse=down), lambda xs, d=down: sorted(xs, reverse=d), type_)
    turned = lambda xs, d: vocabulary.call("sorted", [xs], WHERE, {"reverse": d})  # noqa: E731
    check(turned, lambda xs, d: sorted(xs, reverse=d), type_, BOOLEAN)


def test_the_zeros_of_a_float_stay_in_their_order() -> None:
    zeros = ([0.0, -0.0, 1.0], [-0.0, 0.0], [1.0, -0.0, 0.0, -0.0])
    backwards = lambda xs: sorted(xs, reverse=True)  # noqa: E731
    check(by_name("sorted", reverse=True), backwards, FLOAT_LIST, pools=(zeros,))


@pytest.mark.parametrize("name", ["min", "max"])
def test_extremes_of_lists_that_may_be_empty(name: str) -> None:
    extreme = {"min": min, "max": max}[name]
    build = lambda xs, d: vocabulary.call(name, [xs], WHERE, {"default": d})  # noqa: E731
    compute = lambda xs, d: extreme(xs, default=d)  # noqa: E731
    for type_, element in ((INT_LIST, BIGINT), (FLOAT_LIST, DOUBLE), (TEXT_LIST, VARCHAR)):
        check(build, compute, type_, element)
        check(by_name(name, default=None), lambda xs: extreme(xs, default=None), type_)
    check(build, compute, BOOL_LIST, BOOLEAN)
    full: tuple[list[int], ...] = ([], [3, 1, 2], [5], [-1, 0])
    check(build, compute, INT_LIST, BIGINT, pools=(full, (7, -7)), constants=False)


def test_sums_and_products_with_a_start() -> None:
    sums = lambda xs, s: vocabulary.call("sum", [xs], WHERE, {"start": s})  # noqa: E731
    products = lambda xs, s: vocabulary.call("math.prod", [xs], WHERE, {"start": s})  # noqa: E731
    least, greatest = -(2**63), 2**63 - 1
    starts = (0, 1, -5, least, greatest)
    for type_ in (INT_LIST, BOOL_LIST):
        check(sums, lambda xs, s: sum(xs, start=s), type_, BIGINT, pools=(None, starts))
        small: tuple[Any, ...] = ([], [2, 3], [0, 7], [None], [True])
        pools = (small if type_ == INT_LIST else None, (0, 1, -5))
        check(products, lambda xs, s: math.prod(xs, start=s), type_, BIGINT, pools=pools)
    # What is added to the start is no number of its own that could be too large.
    check(sums, lambda xs, s: sum(xs, start=s), INT_LIST, BIGINT, pools=(([greatest, 1],), (-1, 0)))
    for type_ in (FLOAT_LIST, INT_LIST, BOOL_LIST):
        check(products, lambda xs, s: math.prod(xs, start=s), type_, DOUBLE)


def test_nearness() -> None:
    def build(a: Expr, b: Expr, one: Expr, two: Expr) -> Expr:
        return vocabulary.call("math.isclose", [a, b], WHERE, {"abs_tol": two, "rel_tol": one})

    pool, tolerances = (0.0, 1.0, 1.05, -1.0, math.inf, math.nan), (0.0, 0.1, 2.0, -1.0, math.nan)
    pools = (pool, pool, tolerances, tolerances)
    compute = lambda a, b, one, two: math.isclose(a, b, rel_tol=one, abs_tol=two)  # noqa: E731
    check(build, compute, *(DOUBLE,) * 4, pools=pools)
    for fixed in ({"rel_tol": 0.1}, {"abs_tol": 0.1}, {"abs_tol": 1}):
        build_one = lambda a, b, f=fixed: by_name("math.isclose", **f)(a, b)  # noqa: E731
        check(build_one, lambda a, b, f=fixed: math.isclose(a, b, **f), DOUBLE, DOUBLE)


@pytest.mark.parametrize(("type_", "names"), [
    (DATE, ("year",)), (DATE, ("day",)), (DATE, ("day", "month")),
    (TIMESTAMP, ("month",)), (TIMESTAMP, ("microsecond",)), (TIMESTAMP, ("second", "year")),
], ids=str)  # fmt: skip
def test_replacing_parts_of_a_date(type_: SqlType, names: tuple[str, ...]) -> None:
    def build(value: Expr, *parts: Expr) -> Expr:
        named = dict(zip(names, parts, strict=True))
        return vocabulary.method("replace", value, [], WHERE, named)

    def compute(value: Any, *parts: int) -> Any:
        return value.replace(**dict(zip(names, parts, strict=True)))

    numbers = (0, 1, 2, 12, 29, 31, 2024, 10_000, 2**40)
    pools = (None, *(numbers,) * len(names))
    check(build, compute, type_, *(BIGINT,) * len(names), pools=pools, none_wins=True)


def test_a_quotient_of_constants_behind_a_guard(connection: eau2.Connection) -> None:
    text = """
def f(x: str) -> float:
    for y in ([x] or []):
        if 49 in (1, 2, 7):
            return math.dist([0.5, float(len(x))], [0.5, 1.0])
    return math.dist([0.5, math.log(0.5)], (z / 2 for z in sorted([0, -1]))) / 3
"""
    program = Program(text.lstrip(), (("x", "str"),), "float", (("a",), ("b",), ("c",), ("d",)))
    assert difference(program, connection) is None


XS: tuple[Any, ...] = (([],), ([3, 1, 2],), ([5],), ([1, None],), (None,))
TEXTS: tuple[Any, ...] = (("a b  c",), ("",), (None,), (" x\ty\nz",), ("12",), ("ff",))
DAYS: tuple[Any, ...] = ((datetime.date(2020, 1, 31),), (None,), (datetime.date(999, 2, 3),))
WRITTEN: dict[str, tuple[str, str, tuple[Any, ...]]] = {
    # what is returned: (the type of x, of the result, values of x)
    "' '.join(w.capitalize() for w in x.split())": ("str", "str", TEXTS),
    "','.join(str(y) for y in x if y)": ("list[int]", "str", XS),
    "','.join([None if y == 1 else str(y) for y in x])": ("list[int]", "str", XS),
    "math.fsum((y - 2) ** 2 / 3 for y in x)": ("list[int]", "float", XS),
    "math.fsum(1 / (y - 1) for y in x)": ("list[int]", "float", XS),
    "math.fsum(y for y in x)": ("list[int]", "float", XS),
    "math.prod(x, start=0.5)": ("list[int]", "float", XS),
    "math.prod([], start=3) + math.prod([None], start=0.5)": ("list[int]", "float", XS),
    "math.prod(y + 1 for y in x)": ("list[int]", "int", XS),
    "math.prod((y / 2 for y in x), start=0.5)": ("list[int]", "float", XS),
    "math.dist((y / 2 for y in x), (y / 3 for y in x))": ("list[int]", "float", XS),
    "sorted((y % 3 for y in x), reverse=len(x) > 2)": ("list[int]", "list[int]", XS),
    "max((y * 2 for y in x if y > 3), default=len(x))": ("list[int]", "int", XS),
    "min(x, default=None)": ("list[int]", "int", XS),
    "sum((y for y in range(4)), start=-7)": ("list[int]", "int", XS),
    "len(range(7)) + len(sorted(range(3)))": ("list[int]", "int", XS),
    "x.split(maxsplit=1)": ("str", "list[str]", TEXTS),
    "x.split(' ', maxsplit=1)": ("str", "list[str]", TEXTS),
    "x.rsplit(maxsplit=2, sep=None)": ("str", "list[str]", TEXTS),
    "x.rsplit(sep=x[:1], maxsplit=None)": ("str", "list[str]", TEXTS),
    "x.splitlines(keepends=True)": ("str", "list[str]", TEXTS),
    "x.expandtabs(tabsize=3)": ("str", "str", TEXTS),
    "int(x, base=16)": ("str", "int", TEXTS),
    "int(x, base=None)": ("str", "int", TEXTS),
    "round(number=len(x) / 7, ndigits=2)": ("str", "float", TEXTS),
    "round(len(x) / 7, ndigits=None)": ("str", "int", TEXTS),
    "pow(len(x), exp=2)": ("str", "int", TEXTS),
    "str(object=x)": ("str", "str", TEXTS),
    "x.replace(day=1)": ("datetime.date", "datetime.date", DAYS),
    "x.replace(2021, day=29)": ("datetime.date", "datetime.date", DAYS),
    "x.replace(month=None)": ("datetime.date", "datetime.date", DAYS),
    "x.strftime(format='%d.%m.%Y')": ("datetime.date", "str", DAYS),
    "datetime.date(day=1, month=2, year=x.year)": ("datetime.date", "datetime.date", DAYS),
    "datetime.datetime(x.year, 2, 3, minute=x.day).isoformat(timespec='minutes')": (
        "datetime.date", "str", DAYS
    ),
    "datetime.datetime(1, 2, 3).replace(hour=x.month).isoformat(sep=' ')": (
        "datetime.date", "str", DAYS
    ),
    "datetime.datetime(1, 2, 3).isoformat(timespec=str(x.day))": ("datetime.date", "str", DAYS),
}  # fmt: skip


def alike(without: Outcome, lifted: Outcome) -> bool:
    """What CPython gives is what the oracle gives, but for the rule about None."""
    return without == lifted or (without.raised == "TypeError" and lifted == Outcome(None))


@pytest.fixture(scope="module")
def connection() -> Iterator[eau2.Connection]:
    with eau2.connect() as found:
        yield found


@pytest.mark.parametrize("text", WRITTEN)
def test_what_is_written_means_what_it_does(text: str, connection: eau2.Connection) -> None:
    parameter, result, values = WRITTEN[text]
    function = f"def f(x: {parameter}) -> {result}:\n    return {text}\n"
    program = Program(function, (("x", parameter),), result, values)
    assert difference(program, connection) is None
    for row in values:
        if row != (None,) and None not in (row[0] if isinstance(row[0], list) else []):
            # The other side has lists in place of generators.
            assert alike(run(plain(function), row), run(compiled(function), row))


REFUSED: dict[str, tuple[str, str]] = {
    # what is returned: (part of the message, part of the hint)
    "len(y for y in xs)": ("a generator has no len()", "sum(1 for ...)"),
    "str(y for y in xs)": ("goes over a list", "list comprehension"),
    "min((y for y in xs), (y for y in xs))": ("goes over a list", "list comprehension"),
    "xs.index(y for y in xs)": ("goes over a list", "list comprehension"),
    "str(range(3))": ("range is not there", "in for"),
    "sorted(xs, key=len)": ("no argument key=", "ORDER BY"),
    "sorted(xs, key=lambda y: -y)": ("no argument key=", "ORDER BY"),
    "max(xs, key=abs)": ("no argument key=", "in a loop"),
    "max(1, 2, default=3)": ("only beside one list", "default="),
    "max(xs, default=0.5)": ("one type", "float(...)"),
    "min([], default=[1])": ("type is not known", ""),
    "sorted(xs, True)": ("takes only 1 by position", "reverse="),
    "sorted(xs, reverse=1)": ("takes a bool", ""),
    "sum(xs, start=True)": ("not with a bool", "start=int(...)"),
    "sum(xs, start=0.5)": ("not with a float", "start=int(...)"),
    "math.prod(xs, start=True)": ("not with a bool", "start=int(...)"),
    "math.prod([0.5], start=2)": ("not with a int", "start=float(...)"),
    "math.prod(xs, 2)": ("takes only 1 by position", "start="),
    "math.isclose(0.5, 0.5, 0.1)": ("takes only 2 by position", "rel_tol="),
    "math.sqrt(x=0.5)": ("by their positions only", "x="),
    "s.find(sub='a')": ("by their positions only", "sub="),
    "s.replace('a', 'b', count=1)": ("by their positions only", "count="),
    "s.splt(sep='a')": ("no method splt()", "split()"),
    "s.split('a', sep='b')": ("by its position and by its name", "sep="),
    "s.split(separator='b')": ("no argument separator=", "sep=None"),
    "xs.sort(key=len)": ("sort() of a list", "sorted(xs)"),
    "int(x=s)": ("x by its position only", "x="),
    "int(s, base=1)": (">= 2 and <= 36", ""),
    "int(base=3)": ("needs its argument x", "base=10"),
    "pow(2, 3, mod=5)": ("no argument mod=", "%"),
    "datetime.date(year=1, day=2)": ("needs its argument month", "year, month, day"),
    "datetime.datetime(1, 2, 3, tzinfo=None)": ("no argument tzinfo=", "UTC"),
    "datetime.date(1, 2, 3).replace(4, 5, 6, 7, day=8)": ("too many arguments", "year=..."),
    "datetime.date(1, 2, 3).replace(hour=8)": ("no argument hour=", "day=..."),
    "datetime.datetime(1, 2, 3).date(year=4)": ("by their positions only", "year="),
    "round(0.5, **{})": ("arguments are counted", "one by one"),
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_cpython_or_a_column_cannot_take_is_refused(text: str) -> None:
    message, hint = REFUSED[text]
    function = f"def f(xs: list[int], s: str) -> int:\n    return {text}\n"
    with pytest.raises(FunctionDefinitionError) as caught:
        defined(function)
    assert message in caught.value.message
    assert hint in (caught.value.hint or "")


def test_every_word_of_the_table_is_there() -> None:
    words = {*vocabulary.BUILTINS, *vocabulary.DATETIME}
    words |= {f"math.{name}" for name in vocabulary.MATH}
    words |= {
        vocabulary.word_of(kind, name)
        for kind, methods in vocabulary.METHODS.items()
        for name in methods
    }
    assert words >= {*SIGNATURES, *vocabulary.OVER_LISTS, *vocabulary.OF_RANGES}
