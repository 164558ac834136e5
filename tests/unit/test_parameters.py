"""Parameters on the wire: every value arrives as itself, and nothing else is taken for one."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eau2.errors import InterfaceError, NotSupportedError, ProtocolError
from eau2.net.codec import decode_request, encode_message, kind_of
from eau2.net.message import Request, Statement
from eau2.parameters import Scalar, from_wire, numbered, to_wire

VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**127), 2**127 - 1),
    st.floats(allow_nan=False),
    st.text(st.characters(codec="utf-8")),
    st.decimals(allow_nan=False),
    st.dates(),
    st.datetimes(),
)


@given(st.dictionaries(st.one_of(st.integers(1, 9), st.text("abc", min_size=1)), VALUES))
def test_values_arrive_as_themselves(values: dict[int | str, object]) -> None:
    statement = Statement("SELECT 1", to_wire(values))
    _, heard = decode_request(kind_of(statement), encode_message(statement, Request(1.0)))
    assert isinstance(heard, Statement)
    got = from_wire(heard.parameters)
    assert got == values
    assert [type(value) for value in got.values()] == [type(value) for value in values.values()]


def test_positions_are_numbered() -> None:
    assert numbered(["a", 2]) == {1: "a", 2: 2}
    assert numbered({"n": 1}) == {"n": 1}
    assert numbered(None) is None
    for wrong in ("abc", b"abc"):
        with pytest.raises(InterfaceError, match="sequence or a mapping"):
            numbered(wrong)


def test_numbers_too_large_for_sql_arrive_as_such() -> None:
    for sign in (1, -1):
        (got,) = from_wire(to_wire({1: sign * 10**5000})).values()
        assert got == sign * 2**128


@pytest.mark.parametrize(
    "value", [[{"a": 1}], [b"x"], {"a": 1}, object(), "half of a pair: \ud800"]
)
def test_other_values_are_refused(value: object) -> None:
    with pytest.raises(NotSupportedError, match=r"the parameter \$1 is") as refused:
        to_wire({1: value})
    assert " a object" not in str(refused.value)


@pytest.mark.parametrize("name", [1.5, None, -1, 2**40, "x" * 201])
def test_other_names_are_refused(name: object) -> None:
    with pytest.raises(InterfaceError):
        to_wire({cast(int, name): 1})


@pytest.mark.parametrize(
    "told",
    [
        ("BIGINT", 1),
        ("HUGEINT", 1),
        ("HUGEINT", "one"),
        ("HUGEINT", "1" * 5000),
        ("DECIMAL", "1,5"),
        ("DECIMAL", 1.5),
        ("DATE", "2020-13-01"),
        ("DATE", None),
        ("TIMESTAMP", "soon"),
    ],
)
def test_what_is_no_value_is_refused(told: tuple[str, Scalar]) -> None:
    with pytest.raises(ProtocolError, match=r"\$1"):
        from_wire([(1, *told)])


def test_dates_and_timestamps_are_told_apart() -> None:
    told = to_wire({1: date(2020, 1, 2), 2: datetime(2020, 1, 2), 3: Decimal("1.50")})
    assert [(type_, value) for _, type_, value in told] == [
        ("DATE", "2020-01-02"),
        ("TIMESTAMP", "2020-01-02T00:00:00"),
        ("DECIMAL", "1.50"),
    ]
