"""Programs that Hypothesis makes give what CPython gives, row by row: embedded and on nodes."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import eau2
from eau2.errors import FunctionDefinitionError
from tests.cluster.nodes import in_process
from tests.python import comparing
from tests.python.lifted import compiled, plain, run
from tests.python.programs import Program, make

_CHECKED = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@pytest.fixture(scope="module")
def embedded() -> Iterator[eau2.Connection]:
    with eau2.connect() as connection:
        connection.execute("SET chunk_rows = 2")
        yield connection


@pytest.fixture(scope="module")
def spread() -> Iterator[eau2.Connection]:
    with in_process(3) as nodes, eau2.connect(nodes.urls[-1]) as connection:
        connection.execute("SET chunk_rows = 2")
        yield connection


@_CHECKED
@given(chance=st.randoms(use_true_random=False))
def test_programs_give_what_cpython_gives(chance: random.Random, embedded: eau2.Connection) -> None:
    check(make(chance), embedded)


@_CHECKED
@given(chance=st.randoms(use_true_random=False))
def test_programs_give_it_on_three_nodes(chance: random.Random, spread: eau2.Connection) -> None:
    check(make(chance), spread)


def check(program: Program, connection: eau2.Connection) -> None:
    """No difference; a program that is refused is none."""
    try:
        assert comparing.difference(program, connection) is None
    except FunctionDefinitionError:
        return


def test_most_programs_are_in_the_subset() -> None:
    programs = [make(random.Random(f"subset:{number}")) for number in range(100)]
    refused = [program for program in programs if comparing.is_refused(program) is not None]
    assert len(refused) < 15


def test_without_none_the_rule_about_none_changes_nothing() -> None:
    for number in range(150):
        program = make(random.Random(f"rule:{number}"))
        lifted, native = compiled(program.text), plain(program.text)
        for row in program.rows:
            outcome = run(native, row)
            if outcome.raised not in (
                "TypeError",
                "AttributeError",
                "IntOutsideError",
                "ComplexError",
            ):
                own = run(lifted, row)
                outside = own.raised in ("IntOutsideError", "ComplexError")
                assert outside or repr(own) == repr(outcome), program.text


def test_a_difference_is_seen(embedded: eau2.Connection) -> None:
    text = "def f(p0: int) -> int:\n    return p0 // 2\n"
    program = Program(text, (("p0", "int"),), "int", ((-3,), (None,), (4,)))
    assert comparing.difference(program, embedded) is None
    wrong = Program(text.replace("// 2", "* 2"), (("p0", "int"),), "int", ((2**62,),))
    assert comparing.difference(wrong, embedded) is None
    assert not comparing.alike(0.0, -0.0, "float")
    assert not comparing.alike(1, True, "int")
    assert not comparing.alike(None, 0, "int")
    assert comparing.alike(float("nan"), float("nan"), "float")
