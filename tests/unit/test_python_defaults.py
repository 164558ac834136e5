"""Defaults of parameters: what they may be, who may leave one out, and where they are kept."""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pytest

import eau2
from eau2.backup import backup, checked, restore
from eau2.backup_ends import StoreEnd
from eau2.errors import (
    FunctionDefinitionError,
    ProgrammingError,
    TypeMismatchError,
    UnknownColumnError,
    UsageError,
)
from eau2.kv.store import Store
from eau2.math import count, sum
from eau2.operators.codec import FragmentError
from eau2.operators.expr import ColumnRef, Expr, Literal
from eau2.operators.function_form import decode, encode
from eau2.operators.user_functions import OptionalParameter, Parameter, UserFunction
from eau2.types import BIGINT, DATE, DOUBLE, VARCHAR, list_of
from tests.cluster.nodes import in_process

BASE = 10


@eau2.function
def plus(x: int, k: int = BASE * 2, sign: str = "+") -> str:
    return f"{x}{sign}{k}"


@eau2.function
def several(x: int) -> list[str]:
    return [plus(x), plus(x, 1), plus(x, sign="-"), plus(sign="*", x=x, k=2)]


@eau2.function
def kinds(
    a: float = 3,
    b: bool = True,
    c: datetime.date = datetime.date(2020, 2, 29),
    d: list[int] = [1, 2],  # noqa: B006
    e: str | None = None,
    f: float = -math.inf,
) -> str:
    return f"{a} {b} {c} {d} {e} {f}"


@eau2.table_function
def copies(x: int, times: int = 2) -> list[int]:
    return [x] * times


@eau2.aggregate
def weighed(x: float, w: float = 2, base: float = 0.5) -> float:
    return sum(x * w) / count(x) + sum(base * w)


@pytest.fixture(params=["embedded", "nodes"])
def connection(request: pytest.FixtureRequest) -> Iterator[eau2.Connection]:
    if request.param == "embedded":
        with eau2.connect() as opened:
            yield opened
    else:
        with in_process(2) as nodes, eau2.connect(nodes.urls[-1]) as opened:
            yield opened


def test_plain_python() -> None:
    assert (plus(1), plus(1, 2), plus(1, sign="-")) == ("1+20", "1+2", "1-20")
    assert several(1) == ["1+20", "1+1", "1-20", "1*2"]
    assert weighed([1, 3]) == 6.0
    assert weighed([1, 3], [1, 1]) == 3.0
    assert weighed([1, 3], [1, 1], [1, 2]) == 5.0


def test_in_sql(connection: eau2.Connection) -> None:
    for function in (plus, several, kinds, copies, weighed):
        connection.register_function(function)

    def asked(text: str) -> list[tuple[object, ...]]:
        return connection.sql(text).fetchall()

    calls = "plus(1), plus(1, 2), plus(1, sign := '-'), plus(sign => '*', x => 1), plus(1, 2, '/')"
    assert asked(f"SELECT {calls}") == [("1+20", "1+2", "1-20", "1*20", "1/2")]
    assert asked("SELECT several(x) FROM range(1, 2) AS t(x)") == [(several(1),)]
    assert asked("SELECT kinds()") == [(kinds().replace("3 ", "3.0 ", 1),)]
    assert asked("SELECT kinds(f := 1, a := 2)") == [("2.0 True 2020-02-29 [1, 2] None 1.0",)]
    assert asked("SELECT * FROM copies(7)") == [(7,), (7,)]
    assert asked("SELECT * FROM copies(7, times := 1)") == [(7,)]
    rows = "(VALUES (1.0::DOUBLE), (3.0)) AS t(x)"
    plain = (weighed([1.0, 3.0]), weighed([1.0, 3.0], [1.0, 1.0]))
    assert asked(f"SELECT weighed(x), weighed(x, 1) FROM {rows}") == [plain]
    assert asked(f"SELECT weighed(x, base := 1) FROM {rows}") == [(8.0,)]
    assert asked(f"SELECT weighed(x, base := x, w := x) FROM {rows}") == [(15.0,)]
    assert asked(f"SELECT weighed(x, base := 1) OVER () FROM {rows}") == [(8.0,), (8.0,)]
    assert asked(f"SELECT weighed(x) FILTER (WHERE x > 1) FROM {rows}") == [(7.0,)]
    shown = {row[0]: str(row[1]) for row in asked("SHOW FUNCTIONS")}
    assert shown["plus"] == "plus(x BIGINT, k BIGINT = 20, sign VARCHAR = '+') -> VARCHAR"
    assert "c DATE = DATE '2020-02-29', d BIGINT[] = [1, 2], e VARCHAR = NULL" in shown["kinds"]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        ("plus()", TypeMismatchError, "plus takes 1 to 3 arguments, not 0"),
        ("plus(1, 2, '+', 4)", TypeMismatchError, "plus takes 1 to 3 arguments, not 4"),
        ("plus(k := 1)", ProgrammingError, 'the argument "x" of plus is missing'),
        ("plus(1, x := 1)", ProgrammingError, 'plus has two arguments for "x"'),
        ("plus(1, nothing := 1)", ProgrammingError, 'plus has no parameter "nothing"'),
        ("plus(1, sign := 2)", TypeMismatchError, "argument 3 of plus is INTEGER, not VARCHAR"),
    ],
)
def test_calls_that_are_refused(call: str, error: type[Exception], message: str) -> None:
    with eau2.connect() as connection:
        connection.register_function(plus)
        with pytest.raises(error, match="plus") as caught:
            connection.sql(f"SELECT {call}")
        assert message in str(caught.value)
        assert "k BIGINT = 20, sign VARCHAR = '+'" in str(caught.value)


def test_a_call_in_python_that_lacks_an_argument() -> None:
    with pytest.raises(FunctionDefinitionError, match="plus takes 1 to 3 arguments, not 1"):

        @eau2.function
        def wrong(x: int) -> str:
            return plus(k=x)  # type: ignore[call-arg]


def test_in_pipelines(connection: eau2.Connection) -> None:
    frame = connection.query("SELECT 1 AS x, '#' AS sign")
    assert frame.map(plus).rows() == [("1#20",)]
    assert frame.map((plus, "x")).rows() == [("1+20",)]
    assert frame.map((plus, "x", "x", "sign")).rows() == [("1#1",)]
    assert frame.flat_map((copies, "x")).rows() == [(1,), (1,)]
    assert frame.reduce(weighed).rows() == [(3.0,)]
    with pytest.raises(UnknownColumnError, match='plus reads "x"'):
        connection.query("SELECT 1 AS k").map(plus).rows()
    with pytest.raises(UsageError, match="plus takes 1 to 3 columns, not 4"):
        frame.map((plus, "x", "x", "sign", "x")).rows()


FARE = """
    CREATE FUNCTION fare(minutes BIGINT, rate INTEGER, name VARCHAR, extra DOUBLE)
    RETURNS VARCHAR LANGUAGE python AS $$
    START = 5

    def fare(minutes, rate=3, name="x", extra=START):
        return f"{name}{minutes * rate + extra}"
    $$"""
SHOWN = "fare(minutes BIGINT, rate INTEGER = 3, name VARCHAR = 'x', extra DOUBLE = 5.0) -> VARCHAR"


def test_in_a_statement(connection: eau2.Connection) -> None:
    connection.execute(FARE)
    found = connection.sql("SELECT fare(2), fare(2, 1), fare(2, extra := 0), fare(1, name := 'y')")
    assert found.fetchall() == [("x11.0", "x7.0", "x6.0", "y8.0")]
    assert connection.sql("SHOW FUNCTIONS").fetchall()[0][1] == SHOWN
    connection.execute("""
        CREATE FUNCTION total(x DOUBLE, w DOUBLE) RETURNS DOUBLE LANGUAGE python AS $$
        from eau2.math import sum
        def total(x, w=2):
            return sum(x * w)
        $$""")
    rows = "(VALUES (1.0::DOUBLE), (3.0)) AS t(x)"
    assert connection.sql(f"SELECT total(x), total(x, 1) FROM {rows}").fetchall() == [(8.0, 4.0)]
    # Another function of a statement calls it, and leaves out what it may.
    connection.execute("""
        CREATE FUNCTION fares(minutes BIGINT) RETURNS VARCHAR LANGUAGE python AS $$
        def fares(minutes):
            return fare(minutes, name="z")
        $$""")
    assert connection.sql("SELECT fares(2)").fetchall() == [("z11.0",)]
    connection.execute("CREATE FUNCTION twice(a BIGINT) RETURNS VARCHAR AS fare(a) || fare(a, 1)")
    assert connection.sql("SELECT twice(1)").fetchall() == [("x8.0x6.0",)]


def test_in_a_store_and_in_a_backup(tmp_path: Path) -> None:
    with eau2.connect(str(tmp_path / "store")) as connection:
        connection.execute(FARE)
    with eau2.connect(str(tmp_path / "store")) as connection:
        assert connection.sql("SELECT fare(2)").fetchall() == [("x11.0",)]
    folder = str(tmp_path / "kept")
    with closing(Store.open(tmp_path / "store")) as store:
        backup(StoreEnd(store), folder, lambda _: None)
    with closing(Store.open(tmp_path / "other")) as store:
        restore(StoreEnd(store), checked(folder, []), replace=False, said=lambda _: None)
    with eau2.connect(str(tmp_path / "other")) as connection:
        assert connection.sql("SHOW FUNCTIONS").fetchall()[0][1] == SHOWN
        assert connection.sql("SELECT fare(2)").fetchall() == [("x11.0",)]


@pytest.mark.parametrize(
    ("types", "defaults", "message"),
    [
        ("x BIGINT, k TINYINT", "x, k=300", "the default of k is no TINYINT"),
        ("x BIGINT, k BIGINT", "x, k=1.5", "the default of k is declared int, but it is float"),
        ("x BIGINT, k BIGINT", "x, k=len('a')", "the default is no constant"),
        ("x BIGINT, k BIGINT", "x, k={1: 2}", "of type dict"),
        ("x BIGINT, k BIGINT", "x, k=x", "the default is no constant"),
        ("x BIGINT, k BIGINT", "x=1, k", "it is not Python"),
        ("x BIGINT, k BIGINT", "x, *, k=1", "not simply named"),
        ("x BIGINT, k BIGINT", f"x, k={2**63}", "does not fit 64 bits"),
    ],
)
def test_defaults_that_are_refused(types: str, defaults: str, message: str) -> None:
    with eau2.connect() as connection, pytest.raises(FunctionDefinitionError, match=message):
        connection.execute(
            f"CREATE FUNCTION f({types}) RETURNS BIGINT LANGUAGE python AS $$\n"
            f"def f({defaults}):\n    return x + k\n$$"
        )


def test_a_class_takes_none() -> None:
    with pytest.raises(FunctionDefinitionError, match="a parameter of step with a default"):

        @eau2.aggregate
        class Total:
            total: int

            def init(self) -> None:
                self.total = 0

            def step(self, x: int, k: int = 1) -> None:
                self.total = self.total + x * k

            def merge(self, other: Total) -> None:
                self.total = self.total + other.total

            def finish(self) -> int:
                return self.total


def test_the_value_is_that_of_the_definition() -> None:
    made = []
    for number in (1, 2):

        @eau2.function
        def own(x: int, k: int = number) -> int:
            return x + k

        made.append(own)
    with eau2.connect() as connection:
        for function, expected in zip(made, (11, 12), strict=True):
            connection.register_function(function)
            assert connection.sql("SELECT own(10)").fetchall() == [(expected,)]
            assert function(10) == expected


def form(*parameters: Parameter) -> bytes:
    """The bytes of a function of these parameters, which gives its first."""
    return encode(UserFunction("f", parameters, BIGINT, ColumnRef(BIGINT, 0)))


X = Parameter("x", BIGINT)


def test_forms_without_defaults_are_what_they_were() -> None:
    without = form(X)
    assert b"optional" not in without
    assert decode(without).parameters == (X,)
    optional = OptionalParameter("k", VARCHAR, Literal(VARCHAR, "a"))
    assert decode(form(X, optional)).parameters == (X, optional)
    assert decode(encode(kinds.definition)) == kinds.definition


WRONG: dict[str, tuple[Parameter, Expr]] = {
    "another type": (X, Literal(VARCHAR, "a")),
    "a value of another type": (X, Literal(BIGINT, "a")),
    "a value beyond its type": (X, Literal(BIGINT, 2**63)),
    "a date beyond its type": (Parameter("x", DATE), Literal(DATE, 2**40)),
    "a column": (X, ColumnRef(BIGINT, 0)),
    "a list of another type": (Parameter("x", list_of(DOUBLE)), Literal(list_of(DOUBLE), 1.0)),
}


@pytest.mark.parametrize("name", WRONG)
def test_defaults_of_forms_are_looked_at(name: str) -> None:
    parameter, default = WRONG[name]
    wrong = OptionalParameter(parameter.name, parameter.type, default)
    with pytest.raises(FragmentError):
        decode(encode(UserFunction("f", (wrong,), BIGINT, Literal(BIGINT, 1))))


def test_what_has_no_default_stands_before_what_has_one() -> None:
    optional = OptionalParameter("k", BIGINT, Literal(BIGINT, 1))
    with pytest.raises(ValueError, match="stands behind one with a default"):
        form(optional, X)
    right = form(X, optional)
    argument, with_default = (
        encode(UserFunction("f", (p,), BIGINT, Literal(BIGINT, 1))) for p in (X, optional)
    )
    assert argument != with_default
    both = decode(right)
    assert [type(p) for p in both.parameters] == [Parameter, OptionalParameter]


def test_columns_are_read_where_they_are_called_as_an_optional_parameter() -> None:
    with eau2.connect() as connection:
        connection.register("given", pa.table({"x": [1, 2], "k": [5, 6]}))
        assert connection.query("FROM given").map(plus).rows() == [("1+5",), ("2+6",)]
