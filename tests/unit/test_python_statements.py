"""Functions in Python, by CREATE FUNCTION and by the decorators: from a connection to an answer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import eau2
from eau2 import math
from eau2.config import LIMITS
from eau2.connection import Connection
from eau2.errors import (
    FunctionDefinitionError,
    FunctionFailedError,
    NameTakenError,
    NotSupportedError,
    report,
)
from tests.cluster.nodes import InProcess

SETUP = """
    SET chunk_rows = 3;
    CREATE TABLE t AS
    SELECT range AS n, range % 3 AS g, range / 4 AS x, 'line ' || range AS s,
        CASE WHEN range % 5 = 0 THEN NULL ELSE range END AS m
    FROM range(10);
"""
RATIO = """
    CREATE FUNCTION ratio(a BIGINT, b BIGINT) RETURNS DOUBLE LANGUAGE python AS $$
        def ratio(a, b):
            if b == 0:
                return None
            return a / b
    $$
"""


@pytest.fixture(params=["embedded", "node"])
def connection(request: pytest.FixtureRequest, three_in_process: InProcess) -> Iterator[Connection]:
    where = None if request.param == "embedded" else three_in_process.urls[2]
    with eau2.connect(where) as made:
        made.sql(SETUP)
        yield made
        for name in made.functions():
            made.sql(f"DROP FUNCTION {name}")
        made.sql("DROP TABLE t")


@eau2.function
def band(x: float, top: float) -> str:
    if x > top:
        return "high"
    return "low"


@eau2.function(name="of_band")
def banded(x: float) -> str:
    return f"it is {band(x, 1.0)}"


@eau2.table_function
def words(line: str) -> list[str]:
    return line.split()


@eau2.aggregate
def geometric(x: float) -> float:
    return math.exp(math.sum(math.log(x)) / math.count(x))


@eau2.aggregate
class Middle:
    count: int
    total: float

    def init(self) -> None:
        self.count = 0
        self.total = 0.0

    def step(self, x: float) -> None:
        self.count += 1
        self.total += x

    def merge(self, other: Middle) -> None:
        self.count += other.count
        self.total += other.total

    def finish(self) -> float:
        return self.total / self.count


def test_a_function_in_python_is_defined_and_called(connection: Connection) -> None:
    connection.sql(RATIO)
    rows = connection.sql("SELECT n, ratio(n, g) FROM t WHERE ratio(n, g) > 2 ORDER BY n")
    assert rows.fetchall() == [(4, 4.0), (5, 2.5), (7, 7.0), (8, 4.0)]
    assert connection.sql("SELECT ratio(m, 2) FROM t WHERE n = 5").fetchall() == [(None,)]
    ((name, signature, kind, source),) = connection.sql("SHOW FUNCTIONS").fetchall()
    assert (name, kind) == ("ratio", "scalar")
    assert signature == "ratio(a BIGINT, b BIGINT) -> DOUBLE"
    assert source.startswith("def ratio(a, b):\n    if b == 0:\n")
    with pytest.raises(NameTakenError):
        connection.sql(RATIO)


def test_a_function_in_python_calls_others(connection: Connection) -> None:
    connection.sql(RATIO)
    connection.sql("CREATE FUNCTION halved(a BIGINT) RETURNS DOUBLE AS (ratio(a, 2))")
    connection.sql("""
        CREATE FUNCTION summed(a BIGINT) RETURNS DOUBLE LANGUAGE python AS $$
        def summed(a):
            total = 0.0
            for k in range(1, 4):
                total += ratio(a, k) + halved(a)
            return total
        $$
    """)
    connection.sql("DROP FUNCTION ratio")
    assert connection.sql("SELECT summed(6)").fetchall() == [(6 + 3 + 2 + 9.0,)]


def test_a_row_on_which_python_raises_ends_the_query(connection: Connection) -> None:
    connection.sql("""
        CREATE FUNCTION over(a BIGINT, b BIGINT) RETURNS DOUBLE LANGUAGE python AS $$
        def over(a, b):
            return a / b
        $$
    """)
    kept = connection.sql("SELECT over(n, g) FROM t WHERE g > 0 AND n < 3 ORDER BY n")
    assert kept.fetchall() == [(1.0,), (1.0,)]
    with pytest.raises(FunctionFailedError, match="ZeroDivisionError: division by zero, in over"):
        connection.sql("SELECT over(n, g) FROM t")


@pytest.mark.parametrize(
    ("body", "said", "line"),
    [
        ("def f(a):\n    import os\n    return 1", "imports stand outside", 2),
        ("def f(a):\n    return open(a)", "open", 2),
        ("def f(a):\n    return __import__('os')", "__import__", 2),
        ("def f(a):\n    return a.__class__", "__class__", 2),
        ("def f(a:\n    return 1", "not Python", 1),
        ("x = 1", "there is not one function", None),
        ("", "there is not one function", None),
        ("def f(a): return a\ndef g(a): return a", "there is not one function", 2),
        ("def f(b):\n    return b", "its parameters are not those of f", 1),
        ("def f(a, b):\n    return b", "its parameters are not those of f", 1),
        ("def f(a):\n    return unknown(a)", "unknown", 2),
        ("def f(a):\n    return f(a)", "f", 2),
        ("def f(a):\n    return 'a text'", "declared int", 2),
    ],
)
def test_what_is_refused_is_shown_with_its_line(
    connection: Connection, body: str, said: str, line: int | None
) -> None:
    indented = body.replace("\n", "\n  ")
    text = f"""
        CREATE FUNCTION f(a BIGINT) RETURNS BIGINT LANGUAGE python AS $code$
  {indented}$code$
    """
    with pytest.raises(FunctionDefinitionError) as caught:
        connection.sql(text)
    message = report(caught.value)
    assert said in message
    if line is not None:
        assert f"line {line + 2}:   {body.splitlines()[line - 1]}" in message
    assert connection.functions() == ()


def test_what_doubles_at_every_line_stays_small(connection: Connection) -> None:
    lines = "    a = a + a - a\n" * 60
    connection.sql(
        "CREATE FUNCTION same(a BIGINT) RETURNS BIGINT LANGUAGE python AS "
        f"$$def same(a):\n{lines}    return a$$"
    )
    assert connection.sql("SELECT sum(same(n)) FROM t").fetchall() == [(45,)]


def test_a_text_that_is_too_long(connection: Connection) -> None:
    comment = "#" * LIMITS.function_chars
    text = "CREATE FUNCTION f(a BIGINT) RETURNS BIGINT LANGUAGE python AS $$def f(a): return a "
    with pytest.raises(NotSupportedError, match="characters is not supported") as caught:
        connection.sql(f"{text}{comment}$$")
    assert caught.value.span is not None


def test_decorated_functions_are_registered(connection: Connection) -> None:
    for compiled in (band, banded, words, geometric, Middle):
        connection.register_function(compiled)
    assert connection.functions() == ("Middle", "band", "geometric", "of_band", "words")

    def one(text: str) -> list[tuple[object, ...]]:
        return connection.sql(text).fetchall()

    assert one("SELECT band(x, 2), of_band(x) FROM t WHERE n = 9") == [("high", "it is high")]
    assert one("SELECT n, w.word FROM t, words(s) AS w(word) WHERE n < 2") == [
        (0, "0"),
        (0, "line"),
        (1, "1"),
        (1, "line"),
    ]
    ((mine, own),) = one("SELECT geometric(n + 1), geomean(n + 1) FROM t")
    assert mine == pytest.approx(own, rel=1e-15)
    assert one("SELECT g, middle(x) FROM t GROUP BY g ORDER BY g") == one(
        "SELECT g, avg(x) FROM t GROUP BY g ORDER BY g"
    )
    assert one("SELECT n, middle(x) OVER (ORDER BY n) FROM t ORDER BY n LIMIT 3") == one(
        "SELECT n, avg(x) OVER (ORDER BY n) FROM t ORDER BY n LIMIT 3"
    )
    assert one("SELECT middle(m) FILTER (WHERE n > 2) FROM t") == one(
        "SELECT avg(m) FROM t WHERE n > 2"
    )
    assert one("SELECT middle(DISTINCT g) FROM t") == [(1.0,)]
    with pytest.raises(NotSupportedError, match="DISTINCT of geometric"):
        connection.sql("SELECT geometric(DISTINCT g + 1) FROM t")
