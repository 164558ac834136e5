"""Texts in functions in Python, against CPython: methods, indexes, slices, formats, f-strings."""

from __future__ import annotations

import operator
from collections.abc import Callable

import pytest

from eau2.errors import FunctionFailedError
from eau2.operators.expr import ColumnRef, Expr, Literal
from eau2.python import vocabulary
from eau2.python.methods import METHODS
from eau2.types import BIGINT, BOOLEAN, DATE, DOUBLE, TIMESTAMP, VARCHAR, SqlType
from tests.unit.python_oracle import POOLS, SMALL, TEXT_LIST, TEXTS, WHERE, check, frame_of, run

PARTS = ("", "a", "b", "B", "ß", "l", "ab", ".", " ", ",", "\n", "İ", "x", "日本", "abc")
FEW = TEXTS[::2]
BOUNDS = (0, 1, -1, 2, -2, 5, -5, 40, -40, 2**62, -(2**63))


def method(name: str, *others: object) -> Callable[..., Expr]:
    constants = [vocabulary.literal(other) for other in others]
    return lambda x, *args: vocabulary.method(name, x, [*args, *constants], WHERE)


def call(name: str) -> Callable[..., Expr]:
    return lambda *args: vocabulary.call(name, args, WHERE)


def without_arguments() -> list[str]:
    return [name for name, word in METHODS["str"].items() if word.needed == 0]


@pytest.mark.parametrize("name", without_arguments())
def test_methods_without_arguments(name: str) -> None:
    check(method(name), getattr(str, name), VARCHAR)
    ascii_alone = tuple(text for text in TEXTS if text.isascii())
    check(method(name), getattr(str, name), VARCHAR, pools=(ascii_alone,))


@pytest.mark.parametrize("name", ["strip", "lstrip", "rstrip"])
def test_stripping(name: str) -> None:
    check(method(name), getattr(str, name), VARCHAR, VARCHAR, pools=(None, PARTS))


@pytest.mark.parametrize(
    "name",
    ["count", "find", "index", "rfind", "rindex", "startswith", "endswith", "removeprefix",
     "removesuffix", "split", "rsplit"],
)  # fmt: skip
def test_methods_of_two_texts(name: str) -> None:
    check(method(name), getattr(str, name), VARCHAR, VARCHAR, pools=(None, PARTS))
    pools = (tuple(text for text in TEXTS if text.isascii()), PARTS)
    check(method(name), getattr(str, name), VARCHAR, VARCHAR, pools=pools)


@pytest.mark.parametrize("name", ["count", "find", "index", "rfind", "startswith", "endswith"])
def test_methods_with_bounds(name: str) -> None:
    pools = (FEW, ("a", "", "l"), BOUNDS, BOUNDS)
    check(method(name), getattr(str, name), VARCHAR, VARCHAR, BIGINT, pools=pools, constants=False)
    check(
        method(name), getattr(str, name), VARCHAR, VARCHAR, BIGINT, BIGINT, pools=pools,
        constants=False,
    )  # fmt: skip


@pytest.mark.parametrize("name", ["startswith", "endswith"])
def test_any_of_several_parts(name: str) -> None:
    check(method(name, ("a", "x")), lambda x: getattr(x, name)(("a", "x")), VARCHAR)
    with pytest.raises(vocabulary.Refusal, match="none at all"):
        method(name, ())(ColumnRef(VARCHAR, 0))


@pytest.mark.parametrize("name", ["center", "ljust", "rjust"])
def test_padding(name: str) -> None:
    check(method(name), getattr(str, name), VARCHAR, BIGINT, pools=(None, SMALL))
    pools = (FEW, SMALL, ("*", "ß", "", "ab"))
    check(method(name), getattr(str, name), VARCHAR, BIGINT, VARCHAR, pools=pools)


def test_zeros_and_tabs() -> None:
    check(method("zfill"), str.zfill, VARCHAR, BIGINT, pools=(None, SMALL))
    check(method("expandtabs"), str.expandtabs, VARCHAR, BIGINT, pools=(None, SMALL))
    check(method("splitlines"), str.splitlines, VARCHAR, BOOLEAN)


def test_replacing() -> None:
    pools = (FEW, PARTS, ("", "-", "aa", "ß"), SMALL)
    check(method("replace"), str.replace, VARCHAR, VARCHAR, VARCHAR, pools=pools)
    check(method("replace"), str.replace, *(VARCHAR,) * 3, BIGINT, pools=pools, constants=False)
    for old in PARTS:
        check(method("replace", old, "-"), lambda x, o=old: x.replace(o, "-"), VARCHAR)


@pytest.mark.parametrize("separator", [None, ",", "a", "", ".."])
@pytest.mark.parametrize("name", ["split", "rsplit"])
def test_splitting(name: str, separator: str | None) -> None:
    check(method(name, separator), lambda x: getattr(x, name)(separator), VARCHAR)
    for most in (-1, 0, 1, 2):
        build = method(name, separator, most)
        check(build, lambda x, m=most: getattr(x, name)(separator, m), VARCHAR, constants=False)


def test_joining() -> None:
    check(method("join"), str.join, VARCHAR, TEXT_LIST, pools=(PARTS, None))
    check(lambda a, b: vocabulary.binary("+", a, b, WHERE), operator.add, VARCHAR, VARCHAR)
    times = lambda a, b: vocabulary.binary("*", a, b, WHERE)  # noqa: E731
    check(times, operator.mul, VARCHAR, BIGINT, pools=(None, SMALL))
    check(times, operator.mul, BIGINT, VARCHAR, pools=(SMALL, FEW))
    check(times, operator.mul, VARCHAR, BOOLEAN)


def test_lengths_and_codes() -> None:
    check(call("len"), len, VARCHAR)
    check(call("ord"), ord, VARCHAR)
    check(call("list"), list, VARCHAR)
    for name, compute in (("repr", repr), ("ascii", ascii), ("str", str)):
        check(call(name), compute, VARCHAR)


def index(text: Expr, place: Expr) -> Expr:
    return vocabulary.index(text, place, WHERE)


def test_indexes() -> None:
    check(index, operator.getitem, VARCHAR, BIGINT, pools=(None, BOUNDS))
    check(index, operator.getitem, VARCHAR, BOOLEAN)


def test_slices() -> None:
    cut = lambda x, a, b: vocabulary.slice_(x, a, b, None, WHERE)  # noqa: E731
    check(cut, lambda x, a, b: x[a:b], VARCHAR, BIGINT, BIGINT, pools=(FEW, BOUNDS, BOUNDS))
    check(
        lambda x, a: vocabulary.slice_(x, a, None, None, WHERE),
        lambda x, a: x[a:], VARCHAR, BIGINT, pools=(None, BOUNDS),
    )  # fmt: skip
    for start in (None, 0, 1, 3, -2):
        for stop in (None, 0, 1, 2, 5, -1, 2**62):
            one, two = (None if b is None else vocabulary.literal(b) for b in (start, stop))
            build = lambda x, a=one, b=two: vocabulary.slice_(x, a, b, None, WHERE)  # noqa: E731
            check(build, lambda x, a=start, b=stop: x[a:b], VARCHAR, constants=False)


def test_steps() -> None:
    cut = lambda x, a, b, c: vocabulary.slice_(x, a, b, c, WHERE)  # noqa: E731
    pools = (FEW, BOUNDS, BOUNDS, (1, -1, 2, -3, 0))
    check(cut, lambda x, a, b, c: x[a:b:c], VARCHAR, *(BIGINT,) * 3, pools=pools)
    back = vocabulary.literal(-1)
    check(lambda x: vocabulary.slice_(x, None, None, back, WHERE), lambda x: x[::-1], VARCHAR)


FORMATS: dict[SqlType, tuple[str, ...]] = {
    BIGINT: ("d", "5", "05d", "x", "#X", "b", ",", "_", "+", "e", ".2f", "%", "^10", "*<8", "c"),
    DOUBLE: (".2f", "e", "g", ".3g", "10.1f", "+", ",.2f", "%", "08.3f", "G", "#.0f"),
    VARCHAR: (">10", "^10", "*<6", ".2", "s"),
    BOOLEAN: ("d", ">6"),
    DATE: ("%Y-%m-%d", "%d.%m.%y", "%A %j", "%%"),
    TIMESTAMP: ("%H:%M:%S.%f", "%I %p"),
}


@pytest.mark.parametrize("type_", FORMATS, ids=str)
def test_formats(type_: SqlType) -> None:
    for spec in FORMATS[type_]:
        check(
            lambda x, s=spec: vocabulary.formatted(x, s, "", WHERE),
            lambda x, s=spec: format(x, s),
            type_,
            constants=spec == FORMATS[type_][0],
        )
        check(
            lambda x, s=spec: vocabulary.call("format", [x, vocabulary.literal(s)], WHERE),
            lambda x, s=spec: format(x, s),
            type_,
            constants=False,
        )


@pytest.mark.parametrize("type_", list(POOLS), ids=str)
def test_plain_fields_are_never_null(type_: SqlType) -> None:
    for conversion, compute in (("", str), ("s", str), ("r", repr), ("a", ascii)):
        check(lambda x, c=conversion: vocabulary.formatted(x, "", c, WHERE), compute, type_)
    check(lambda x: vocabulary.formatted(x, ">12", "r", WHERE), lambda x: f"{x!r:>12}", type_)


def test_f_strings() -> None:
    def build(a: Expr, b: Expr) -> Expr:
        parts = [vocabulary.formatted(a, "", "", WHERE), Literal(VARCHAR, "/")]
        return vocabulary.joined([*parts, vocabulary.formatted(b, ".1f", "", WHERE)], WHERE)

    check(build, lambda a, b: f"{a}/{b:.1f}", BIGINT, DOUBLE)


@pytest.mark.parametrize(
    ("type_", "spec"),
    [(DOUBLE, "d"), (VARCHAR, "d"), (BIGINT, "n"), (BIGINT, "q"), (DATE, "%c"), (DATE, "%"),
     (BIGINT, "99999999d"), (TEXT_LIST, ">5"), (VARCHAR, "=5")],
    ids=str,
)  # fmt: skip
def test_formats_that_are_refused(type_: SqlType, spec: str) -> None:
    with pytest.raises(vocabulary.Refusal):
        vocabulary.formatted(ColumnRef(type_, 0), spec, "", WHERE)


def test_texts_that_would_be_too_long_are_errors() -> None:
    huge = vocabulary.literal(10**9)
    builds: list[Callable[[Expr], Expr]] = [
        lambda x: vocabulary.binary("*", x, huge, WHERE),
        lambda x: vocabulary.method("ljust", x, [huge], WHERE),
        lambda x: vocabulary.method("zfill", x, [huge], WHERE),
    ]
    for build in builds:
        with pytest.raises(FunctionFailedError, match="MemoryError: a text would have more"):
            run(build(ColumnRef(VARCHAR, 0)), frame_of([VARCHAR], [["a"]]))
