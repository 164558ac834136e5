"""What is wrong with a statement, and where it says so."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from eau2.config import LIMITS
from eau2.errors import (
    AmbiguousNameError,
    MisplacedCallError,
    NotGroupedError,
    NotSupportedError,
    ParameterError,
    ProgrammingError,
    StatementError,
    TypeMismatchError,
    UnknownColumnError,
    UnknownFunctionError,
    UnknownNameError,
    UnknownTableError,
)
from eau2.operators.expr import Cast, Literal
from eau2.sql.logical import Limit, Project
from tests.unit.binder_tables import bound, failure, place

ERRORS: list[tuple[str, type[StatementError], str, str, str]] = [
    (
        "select aa from t",
        UnknownColumnError,
        "aa",
        'there is no column "aa"',
        'Did you mean "a"?',
    ),
    ("select t.bb from t", UnknownColumnError, "t.bb", 'has no column "bb"', "Columns here: a, b,"),
    ("select z.a from t", UnknownTableError, "z.a", 'there is no table "z"', "Tables here: t."),
    ("select 1 from tt", UnknownTableError, "tt", 'there is no table "tt"', 'Did you mean "t"?'),
    ("select a from t, u", AmbiguousNameError, "a", "ambiguous", '"t.a", "u.a"'),
    (
        "select coalesc(a, 1) from t",
        UnknownFunctionError,
        "coalesc(a, 1)",
        'there is no function "coalesc"',
        'Did you mean "coalesce"?',
    ),
    (
        "select summ(a) from t",
        UnknownFunctionError,
        "summ(a)",
        'there is no function "summ"',
        'Did you mean "sum"?',
    ),
    ("select negate(a) from t", UnknownFunctionError, "negate(a)", "there is no function", ""),
    (
        "select a, b + 1 from t group by a",
        NotGroupedError,
        "b",
        'column "b" must appear in the GROUP BY clause or be used in an aggregate function',
        "any_value(b)",
    ),
    (
        "select a from t group by a order by t.b",
        NotGroupedError,
        "t.b",
        'column "t.b" must appear in the GROUP BY clause',
        "",
    ),
    ("select * from t group by a", NotGroupedError, "*", 'column "b" must appear', ""),
    ("select a from t where sum(a) > 1", MisplacedCallError, "sum(a)", "not allowed in WHERE", ""),
    ("select sum(max(a)) from t", MisplacedCallError, "max(a)", "cannot be nested", ""),
    (
        "select 1 from t join u on sum(c) > 1",
        MisplacedCallError,
        "sum(c)",
        "not allowed in ON",
        "",
    ),
    (
        "select 1 from t group by max(a)",
        MisplacedCallError,
        "max(a)",
        "not allowed in GROUP BY",
        "",
    ),
    ("select a from t order by 7", ProgrammingError, "7", "ORDER BY 7", "from 1 to 1"),
    ("select a from t limit 'x'", ProgrammingError, "'x'", "could not convert 'x'", ""),
    ("select a from t limit b", ProgrammingError, "b", "only a constant", ""),
    ("select a from t limit -1", ProgrammingError, "-1", "must not be negative", ""),
    ("select interval 1 day // 2", TypeMismatchError, "", "not defined", "divided by one"),
    ("select interval (d) day from t", TypeMismatchError, "interval (d) day", "cast", ""),
    ("select interval 1 day - ts from t", TypeMismatchError, "", "not defined", ""),
    ("select a + s from t", TypeMismatchError, "a + s", "", ""),
    ("select date '2023-02-29'", ProgrammingError, "date '2023-02-29'", "not a DATE", ""),
    ("select d = '2023-02-29' from t", ProgrammingError, "d = '2023-02-29'", "not a DATE", ""),
    ("select a::date from t", TypeMismatchError, "a::date", "INTEGER cannot be cast", ""),
    ("select s like 'a' escape 'xx' from t", TypeMismatchError, "", "escape", ""),
    ("select d + interval '1 foo' from t", ProgrammingError, "", "not an INTERVAL", ""),
    ("select cast(a as uuid) from t", NotSupportedError, "uuid", "UUID", ""),
    ("select cast(a as intger) from t", UnknownNameError, "intger", "", 'mean "integer"'),
    ("select t from t", NotSupportedError, "t", "a whole row", ""),
    ("select 1 from t, u, t", ProgrammingError, "t", "occurs twice", ""),
    ("select 1 from t join u using (b)", UnknownColumnError, "", "right side", ""),
    ("select q from t where q = 1 group by q", UnknownColumnError, "q", 'no column "q"', ""),
    ("select array(select 1)", NotSupportedError, "array(select 1)", "", ""),
    ("select $4", ParameterError, "$4", "no value was given for the parameter $4", ""),
    ("select a from t order by $1", NotSupportedError, "$1", "a parameter cannot", ""),
    ("select 170141183460469231731687303715884105728", NotSupportedError, "", "128 bits", ""),
]


@pytest.mark.parametrize(("text", "kind", "where", "message", "hint"), ERRORS)
def test_an_error_says_what_and_where(
    text: str, kind: type[StatementError], where: str, message: str, hint: str
) -> None:
    error = failure(text)
    assert type(error) is kind
    assert message in error.message
    assert hint in (error.hint or "")
    if where:
        assert place(text, error) == where
    assert "^" in error.with_text(text).render()


def test_a_missing_hint_is_no_text() -> None:
    error = failure("select 1 from t where zzzzzz > 1")
    assert "None" not in error.render()
    assert error.hint is not None
    assert "Did you mean" not in error.hint


PARAMETERS: list[tuple[object, str, object]] = [
    (None, "NULL", None),
    (True, "BOOLEAN", True),
    (7, "INTEGER", 7),
    (2**31, "BIGINT", 2**31),
    (2**63, "UBIGINT", 2**63),
    (-(2**70), "HUGEINT", -(2**70)),
    (1.5, "DOUBLE", 1.5),
    ("x", "VARCHAR", "x"),
    (Decimal("1.50"), "DECIMAL(3,2)", 150),
    (Decimal("-0.001"), "DECIMAL(4,3)", -1),
    (Decimal("0.10"), "DECIMAL(2,2)", 10),
    (Decimal("0E+5"), "DECIMAL(6,0)", 0),
    (Decimal("0.0"), "DECIMAL(1,1)", 0),
    (Decimal("1E+3"), "DECIMAL(4,0)", 1000),
    (date(1970, 1, 3), "DATE", 2),
    (datetime(1970, 1, 1, 0, 0, 1), "TIMESTAMP", 1_000_000),
]


@pytest.mark.parametrize(("value", "type_", "physical"), PARAMETERS)
def test_a_parameter_is_a_literal_of_its_values_type(
    value: object, type_: str, physical: object
) -> None:
    plan = bound("select $1", {1: value}).plan
    assert isinstance(plan, Project)
    expr = plan.items[0][1]
    inner = expr.arg if isinstance(expr, Cast) else expr
    assert isinstance(inner, Literal)
    assert (str(expr.type), inner.value) == (type_, physical)


@pytest.mark.parametrize(
    "value",
    [b"x", object(), Decimal("NaN"), datetime.now(UTC), 2**127, 10**40, Decimal("1E+9999")],
)
def test_other_parameters_are_refused(value: object) -> None:
    text = "select 1 + $1"
    error = failure(text, {1: value})
    assert isinstance(error, NotSupportedError)
    assert place(text, error) == "$1"


def test_parameters_by_name_and_position() -> None:
    assert bound("select ?, ?", {1: 1, 2: "x"}).names == ("$1", "$2")
    assert bound("select $one", {"one": 1}).names == ("$one",)
    plan = bound("select a from t limit ?", {1: 3}).plan
    assert isinstance(plan, Limit)
    assert plan.count == 3
    assert "could not convert" in failure("select a from t limit ?", {1: "x"}).message


def test_deep_expressions_bind_or_are_refused() -> None:
    depth = LIMITS.expression_depth - 10
    bound(f"select {'not ' * depth} p from t group by p having {'not ' * depth} p")
    bound("select a" + " + b" * depth + " from t group by a" + " + b" * depth)
    for text in (
        "select a" + " + b" * (LIMITS.expression_depth + 50) + " from t",
        "select " + "not " * (LIMITS.expression_depth + 50) + "p from t",
        "select " + "abs(" * (LIMITS.expression_depth + 50) + "a" + ")" * 300 + " from t",
        "select " + "m + 1.5 - " * (LIMITS.expression_depth - 60) + "a from t",
    ):
        assert "deep" in failure(text).message


HUGE = "9" * 5000


@pytest.mark.parametrize(
    "text",
    [
        f"select {HUGE}",
        f"select -{HUGE}",
        f"select a from t order by {HUGE}",
        f"select a from t limit {HUGE}",
        "select a from t limit 1e999999999",
        f"select d + interval '{HUGE} days' from t",
        f"select d + interval {HUGE} day from t",
        "select d + interval '1e999999999' day from t",
        f"select d + interval '{'1 foo ' * 50_000}' from t",
        f"select date '{HUGE}-01-01'",
    ],
    ids=range(10),
)
def test_constants_without_measure_are_refused_at_once(text: str) -> None:
    assert failure(text).message


def test_an_interval_of_many_parts_is_read_in_time() -> None:
    bound(f"select d + interval '{'1 day ' * 100_000}' from t")


def test_aliases_that_double_are_refused_in_time() -> None:
    items = ["a as x0", *(f"x{n} + x{n} as x{n + 1}" for n in range(60))]
    error = failure(f"select {', '.join(items)} from t")
    assert "expand too far" in error.message
