"""What the words of functions in Python promise to planners and compilers, and what they refuse."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from eau2.config import LIMITS
from eau2.errors import FunctionFailedError, TypeMismatchError, UnknownFunctionError
from eau2.operators.expr import Call, Case, ColumnRef, Expr, InList, Literal
from eau2.operators.functions import table
from eau2.operators.lowering import can_fail, lower_expr
from eau2.operators.well_formed import check_bound
from eau2.planner.simplify import as_filter, simplified
from eau2.python import vocabulary
from eau2.python.builtin_functions import REFUSED, WORDS
from eau2.python.kinds import TurnedInt
from eau2.python.mathematics import WORDS as MATH_WORDS
from eau2.python.methods import METHODS, REFUSED_METHODS
from eau2.types import (
    BIGINT,
    BOOLEAN,
    DATE,
    DOUBLE,
    INTEGER,
    NULL,
    TIMESTAMP,
    VARCHAR,
    SqlType,
    list_of,
)
from tests.unit.python_oracle import POOLS, WHERE, frame_of, literal, run

A, B = ColumnRef(BIGINT, 0), ColumnRef(BIGINT, 1)
X, S = ColumnRef(DOUBLE, 2), ColumnRef(VARCHAR, 3)
FLAG, DAY = ColumnRef(BOOLEAN, 4), ColumnRef(DATE, 5)
ZERO = vocabulary.literal(0)


def test_a_branch_that_is_not_taken_does_not_fail() -> None:
    zero = vocabulary.compare("==", B, ZERO, WHERE)
    quotient = vocabulary.binary("//", A, B, WHERE)
    expr = Case(BIGINT, ((vocabulary.condition(zero), ZERO),), quotient)
    assert run(expr, frame_of([BIGINT, BIGINT], [[7, 0], [-7, 2], [None, 0]])) == [0, -4, 0]


def test_what_stands_behind_and_does_not_fail() -> None:
    divides = vocabulary.compare("!=", B, ZERO, WHERE)
    above = vocabulary.compare(">", vocabulary.binary("%", A, B, WHERE), ZERO, WHERE)
    both = Call(BOOLEAN, "and", (divides, vocabulary.truth(above)))
    assert run(both, frame_of([BIGINT, BIGINT], [[7, 0], [7, 2], [8, 2]])) == [False, True, False]


def test_an_error_says_what_and_where() -> None:
    expr = vocabulary.binary("//", A, B, WHERE)
    with pytest.raises(FunctionFailedError) as caught:
        run(expr, frame_of([BIGINT, BIGINT], [[1, 0]]))
    assert str(caught.value) == (
        "ZeroDivisionError: integer division or modulo by zero, in f (app.py, line 3)"
    )


@pytest.mark.parametrize("type_", [NULL, BIGINT, VARCHAR, DATE, list_of(BIGINT)], ids=str)
def test_a_failure_of_ones_own(type_: SqlType) -> None:
    expr = vocabulary.failure("ValueError: no such station", type_, WHERE)
    frame = frame_of([BIGINT], [[1], [2]])
    with pytest.raises(FunctionFailedError, match="no such station, in f"):
        run(expr, frame)
    never = vocabulary.compare("<", A, ZERO, WHERE)
    guarded = Case(type_, ((never, expr),), Literal(type_, None))
    assert run(guarded, frame) == [None, None]


def test_a_constant_divisor_cannot_fail() -> None:
    for value in (2, -3, 3600):
        for op in ("//", "%", "/"):
            assert not can_fail(vocabulary.binary(op, A, vocabulary.literal(value), WHERE)), op
            assert not can_fail(vocabulary.binary(op, X, vocabulary.literal(value), WHERE)), op
    for value in (0, -1):
        assert can_fail(vocabulary.binary("//", A, vocabulary.literal(value), WHERE))
    hour = vocabulary.binary("*", vocabulary.literal(60), vocabulary.literal(60), WHERE)
    assert not can_fail(vocabulary.binary("//", A, hour, WHERE))
    assert can_fail(vocabulary.binary("/", X, vocabulary.literal(0.0), WHERE))


PLAIN: tuple[tuple[Expr, Expr], ...] = (
    (vocabulary.compare(">", A, vocabulary.literal(3), WHERE),
     Call(BOOLEAN, ">", (A, Literal(BIGINT, 3)))),
    (vocabulary.compare("<", X, vocabulary.literal(3), WHERE),
     Call(BOOLEAN, "<", (X, Literal(DOUBLE, 3.0)))),
    (vocabulary.compare("<", A, vocabulary.literal(2.5), WHERE),
     Call(BOOLEAN, "<=", (A, Literal(BIGINT, 2)))),
    (vocabulary.compare("==", S, vocabulary.literal("a"), WHERE),
     Call(BOOLEAN, "is_not_distinct", (S, Literal(VARCHAR, "a")))),
    (vocabulary.compare("in", A, vocabulary.literal([1, 2]), WHERE), InList(BOOLEAN, A, (1, 2))),
    (vocabulary.method("startswith", S, [vocabulary.literal("a")], WHERE),
     Call(BOOLEAN, "starts_with", (S, Literal(VARCHAR, "a")))),
    (vocabulary.compare("is", S, vocabulary.literal(None), WHERE), Call(BOOLEAN, "is_null", (S,))),
    (vocabulary.truth(FLAG), FLAG),
)  # fmt: skip


@pytest.mark.parametrize(("found", "plain"), PLAIN)
def test_conditions_are_plain_for_the_planner(found: Expr, plain: Expr) -> None:
    assert vocabulary.condition(found) == plain
    assert as_filter(vocabulary.condition(found)) is not None


def test_the_words_are_no_names_of_sql() -> None:
    for function in table.PYTHON:
        assert function.operator
        assert function.name not in table.names()
        assert table.find(function.name) is None
        with pytest.raises(UnknownFunctionError):
            table.bind(function.name, (A,))


def test_every_word_has_an_entry() -> None:
    tables = (WORDS, MATH_WORDS, *METHODS.values())
    own = {"cast"}
    for word in (word for words in tables for word in words.values()):
        assert word.entry in own or table.lookup(word.entry).name == word.entry


@pytest.mark.parametrize("kind", METHODS)
def test_methods_of_none_are_none(kind: str) -> None:
    none = vocabulary.literal(None)
    for name in METHODS[kind]:
        assert vocabulary.method(name, none, [], WHERE) == none


def test_constants_fold_as_they_run() -> None:
    expr = vocabulary.method("upper", vocabulary.literal("straße"), [], WHERE)
    assert simplified(expr) == Literal(VARCHAR, "STRASSE")
    failing = vocabulary.binary("//", vocabulary.literal(1), ZERO, WHERE)
    assert simplified(failing) == failing


def test_what_stands_left_of_a_constant_still_fails() -> None:
    letter = vocabulary.index(S, vocabulary.literal(10), WHERE)
    for name, decides in (("or", True), ("and", False)):
        constant = Literal(BOOLEAN, decides)
        expr = Call(BOOLEAN, name, (vocabulary.truth(letter), constant))
        assert simplified(expr) != constant
        assert simplified(expr.with_children((constant, expr.args[0]))) == constant
        assert simplified(expr.with_children((FLAG, constant))) == constant


REFUSALS: tuple[tuple[str, str, Callable[[], Expr]], ...] = (
    ("not defined for int and str", "str(...)", lambda: vocabulary.binary("+", A, S, WHERE)),
    ("% on a str", "f-string", lambda: vocabulary.binary("%", S, A, WHERE)),
    ("no constant", "1 << n", lambda: vocabulary.binary("**", A, B, WHERE)),
    ("not defined for float", "int(x)", lambda: vocabulary.unary("~", X, WHERE)),
    ("- is not defined for str", "", lambda: vocabulary.unary("-", S, WHERE)),
    ("int does not fit", "9223372036854775807", lambda: vocabulary.literal(2**63)),
    ("complex", "", lambda: vocabulary.literal(1j)),
    ("surrogate", "", lambda: vocabulary.literal("\ud800")),
    ("hash()", "process", lambda: vocabulary.call("hash", [S], WHERE)),
    ("nothing() is not supported", "", lambda: vocabulary.call("nothing", [S], WHERE)),
    ("len() takes 1 argument, not 2", "", lambda: vocabulary.call("len", [S, S], WHERE)),
    ("an int has no method uper", "", lambda: vocabulary.method("uper", A, [], WHERE)),
    ("has no method uper()", "upper()", lambda: vocabulary.method("uper", S, [], WHERE)),
    ("format() of a str", "f-string", lambda: vocabulary.method("format", S, [], WHERE)),
    ("year of a datetime.date is no method", ".year",
     lambda: vocabulary.method("year", DAY, [], WHERE)),
    ("is a method", ".weekday()", lambda: vocabulary.attribute("weekday", DAY, WHERE)),
    ("no attribute yaer", ".year", lambda: vocabulary.attribute("yaer", DAY, WHERE)),
    ("int has no index", "", lambda: vocabulary.index(A, A, WHERE)),
    ("an index is an int", "int(...)", lambda: vocabulary.index(S, X, WHERE)),
    ("str() takes", "", lambda: vocabulary.call("str", [S, S], WHERE)),
    ("the result is declared int", "int(...)",
     lambda: vocabulary.converted(X, BIGINT, WHERE, "the result")),
    ("the result is declared datetime.date", "",
     lambda: vocabulary.converted(S, DATE, WHERE, "the result")),
    ("digits of round()", "", lambda: vocabulary.call("round", [X, A], WHERE)),
    ("sum() takes a list", "", lambda: vocabulary.call("sum", [A], WHERE)),
)  # fmt: skip


@pytest.mark.parametrize(
    ("message", "hint", "build"), REFUSALS, ids=[message[:30] for message, _, _ in REFUSALS]
)
def test_refusals(message: str, hint: str, build: Callable[[], Expr]) -> None:
    with pytest.raises(vocabulary.Refusal) as caught:
        build()
    assert message.removeprefix("an ") in caught.value.message
    assert hint in caught.value.hint


def test_what_is_refused_by_name_has_a_reason() -> None:
    for name in REFUSED:
        with pytest.raises(vocabulary.Refusal) as caught:
            vocabulary.call(name, [A], WHERE)
        assert caught.value.hint
    assert not set(REFUSED) & (vocabulary.BUILTINS | vocabulary.DATETIME)
    for kind, names in REFUSED_METHODS.items():
        assert not set(names) & set(METHODS[kind])


def test_branches_of_one_type() -> None:
    none, one = vocabulary.literal(None), vocabulary.literal(1)
    assert vocabulary.unified((none, A), WHERE, "the branches")[0] == Literal(BIGINT, None)
    turned = vocabulary.unified((X, one), WHERE, "the branches")[1]
    assert turned == TurnedInt(DOUBLE, 1.0, WHERE)
    assert vocabulary.unified((none, none), WHERE, "the branches") == (none, none)
    empty = vocabulary.unified((vocabulary.literal([]), ColumnRef(list_of(VARCHAR), 0)), "", "")[0]
    assert empty.type == list_of(VARCHAR)
    for left, right, hint in ((X, A, "float(...)"), (FLAG, A, "int(...)"), (S, A, "one type")):
        with pytest.raises(vocabulary.Refusal, match="the branches") as caught:
            vocabulary.unified((left, right), WHERE, "the branches")
        assert hint in caught.value.hint
    with pytest.raises(vocabulary.Refusal):
        vocabulary.unified((X, vocabulary.literal(2**53 + 1)), WHERE, "the branches")


@pytest.mark.parametrize("type_", list(POOLS), ids=str)
def test_declared_types(type_: SqlType) -> None:
    column = ColumnRef(type_, 0)
    assert vocabulary.converted(column, type_, WHERE, "the result") is column
    none = vocabulary.converted(vocabulary.literal(None), type_, WHERE, "the result")
    assert none == Literal(type_, None)
    assert literal(None, type_) == none


def test_declared_numbers() -> None:
    frame = frame_of([BIGINT, BIGINT, DOUBLE, VARCHAR, BOOLEAN], [[7, 2, 0.5, "a", True]])
    assert run(vocabulary.converted(A, DOUBLE, WHERE, "the result"), frame) == [7.0]
    assert run(vocabulary.converted(FLAG, DOUBLE, WHERE, "the result"), frame) == [1.0]
    assert run(vocabulary.converted(FLAG, BIGINT, WHERE, "the result"), frame) == [1]
    one = vocabulary.converted(vocabulary.literal(1), DOUBLE, WHERE, "the result")
    assert one == Literal(DOUBLE, 1.0)
    listed = vocabulary.make_list([A, B], WHERE)
    floats = vocabulary.converted(listed, list_of(DOUBLE), WHERE, "the result")
    assert run(floats, frame) == [[7.0, 2.0]]


def test_the_documentation_names_every_word() -> None:
    rows = vocabulary.documentation()
    written = {syntax.partition("(")[0] for _, syntax, _ in rows}
    assert written >= vocabulary.BUILTINS
    assert {f"math.{name}" for name in vocabulary.MATH} <= written
    assert {f".{name}" for names in METHODS.values() for name in names} <= written
    assert len(rows) == len(set(rows))


@pytest.mark.parametrize("rows", [[[1]], [[1], [2]], [[0], [1]], []], ids=str)
def test_a_constant_that_fails_is_not_tried_behind_a_guard(
    rows: list[list[int]],
) -> None:
    never = vocabulary.call("int", [vocabulary.literal("x")], WHERE)
    product = vocabulary.binary("*", vocabulary.binary("**", never, ZERO, WHERE), A, WHERE)
    taken = vocabulary.condition(vocabulary.compare(">=", A, ZERO, WHERE))
    expr = Case(BIGINT, ((taken, A),), product)
    frame = frame_of([BIGINT], rows)
    for diagnose in (False, True):
        for engine in ("in-memory", "streaming"):
            lazy = frame.lazy().select(x=lower_expr(expr, diagnose))
            found = lazy.collect(engine=engine).to_series().to_list()
            assert found == [a for (a,) in rows]


def test_a_value_that_is_there_for_none_is_not_tried_behind_a_guard() -> None:
    """On a row of NULLs str(x) is 'None', of which int() is an error."""
    number = vocabulary.call("int", [vocabulary.call("str", [S], WHERE)], WHERE)
    taken = vocabulary.condition(S)
    expr = Case(BIGINT, ((taken, Literal(BIGINT, 5)),), number)
    frame = frame_of([BIGINT, BIGINT, DOUBLE, VARCHAR], [[0, 0, 0.0, "Ab"]])
    assert run(expr, frame) == [5]
    assert frame.lazy().select(lower_expr(expr)).collect().to_series().to_list() == [5]


def test_what_grows_without_bound_is_an_error() -> None:
    texts = frame_of([VARCHAR], [["x" * (LIMITS.made_text_chars // 2 + 1)]])
    text = ColumnRef(VARCHAR, 0)
    field = vocabulary.formatted(text, "", "", WHERE)
    for expr in (
        vocabulary.binary("+", text, text, WHERE),
        vocabulary.joined([field, field], WHERE),
    ):
        with pytest.raises(FunctionFailedError, match="MemoryError: a text would have more"):
            run(expr, texts)
    type_ = list_of(BIGINT)
    lists = frame_of([type_], [[[1] * (LIMITS.made_text_chars // 2 + 1)]])
    with pytest.raises(FunctionFailedError, match="MemoryError: a list"):
        run(vocabulary.binary("+", ColumnRef(type_, 0), ColumnRef(type_, 0), WHERE), lists)


TEXTS = ColumnRef(list_of(VARCHAR), 6)
PLACE = Literal(VARCHAR, WHERE)
UNLIKE: tuple[tuple[str, tuple[Expr, ...]], ...] = (
    ("list.in", (A, TEXTS)),
    ("list.+", (TEXTS, ColumnRef(list_of(BIGINT), 7))),
    ("python.max", (A, X)),
    ("python.max", (A,)),
    ("int.//", (A, B)),
    ("int.//", (A, B, S)),
    ("int.//", (A, X, PLACE)),
    ("int.// constant", (A, B)),
    ("int.// constant", (A, ZERO)),
    ("int./ constant", (A, vocabulary.literal(-1))),
    ("str.upper", (S, S)),
    ("str.upper", ()),
    ("str.upper", (A,)),
    ("str.find", (S, S, A, B, A)),
    ("__str__", (ColumnRef(INTEGER, 8),)),
    ("math.hypot", (PLACE,)),
    ("date.weekday", (S,)),
)


@pytest.mark.parametrize(("name", "args"), UNLIKE, ids=str)
def test_forms_from_elsewhere_are_held_to_signatures(name: str, args: tuple[Expr, ...]) -> None:
    with pytest.raises(TypeMismatchError):
        table.lookup(name).bind(name, args)
    with pytest.raises(ValueError, match="takes no such arguments"):
        check_bound(Call(BIGINT, name, args), [BIGINT, BIGINT, DOUBLE, VARCHAR, BOOLEAN, DATE])


def test_a_call_has_the_type_of_its_signature() -> None:
    lists = ColumnRef(list_of(VARCHAR), 0)
    for name, args, type_ in (
        ("list.[]", (lists, ZERO, PLACE), VARCHAR),
        ("list.sorted", (lists,), list_of(VARCHAR)),
        ("date.weekday", (ColumnRef(TIMESTAMP, 0),), BIGINT),
    ):
        assert table.lookup(name).bind(name, args) == Call(type_, name, args)
        check_bound(Call(type_, name, args), [args[0].type])
        with pytest.raises(ValueError, match="as it is bound"):
            check_bound(Call(DOUBLE, name, args), [args[0].type])


def test_a_form_of_a_giant_text_is_an_error() -> None:
    """Such a form comes from elsewhere alone: the vocabulary refuses it."""
    form = Literal(VARCHAR, "%999999999d")
    days = frame_of([BIGINT] * 5 + [DATE], [[0] * 5 + [POOLS[DATE][0]]])
    for name in ("date.strftime", "__format__"):
        with pytest.raises(FunctionFailedError, match="MemoryError"):
            run(Call(VARCHAR, name, (DAY, form, PLACE)), days)
    lists = ColumnRef(list_of(BIGINT), 0)
    with pytest.raises(TypeMismatchError):
        table.lookup("python.max").bind("python.max", (lists, lists))
