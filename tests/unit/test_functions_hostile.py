"""Forms of functions that an enemy sends: refused or computed, and never run as a program."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from eau2.config import LIMITS
from eau2.kernels.inline import InlineHost
from eau2.kernels.mixed import is_harmless
from eau2.kernels.subprocess import SubprocessHost
from eau2.launch import NodeOptions, NodeProcess
from eau2.net.arrow import decode_frame
from eau2.net.client import connect
from eau2.net.codec import encode_fragment
from eau2.net.message import RunTask
from eau2.operators import function_form
from eau2.operators.base import Operator
from eau2.operators.codec import FragmentError
from eau2.operators.expr import (
    AggregateCall,
    Call,
    Case,
    Cast,
    Column,
    ColumnRef,
    Expr,
    InList,
    Lambda,
    LambdaParameter,
    Literal,
)
from eau2.operators.functions.table import bind
from eau2.operators.project import Project
from eau2.operators.user_functions import Parameter, UserFunction, written_out
from eau2.operators.values import OneRow
from eau2.records import replace
from eau2.types import (
    BIGINT,
    BOOLEAN,
    DATE,
    DOUBLE,
    INTEGER,
    TIMESTAMP,
    VARCHAR,
    SqlType,
    decimal,
    list_of,
)
from tests.cluster.nodes import ANY_PORT, kernels
from tests.processes import ROOT, environment
from tests.python.hostile import attack, nested, run
from tests.unit.random_lets import fold, let

X, TEXT = ColumnRef(BIGINT, 0), ColumnRef(VARCHAR, 1)
NUMBERS = ColumnRef(list_of(BIGINT), 2)
ONE = Literal(BIGINT, 1)
YES = Literal(BOOLEAN, True)
PARAMETERS = (
    Parameter("x", BIGINT),
    Parameter("t", VARCHAR),
    Parameter("l", list_of(BIGINT)),
)


def form(body: Expr, type_: SqlType | None = None) -> bytes:
    return function_form.encode(UserFunction("f", PARAMETERS, type_ or body.type, body))


def parameter(index: int, level: int = 0, type_: SqlType = BIGINT) -> LambdaParameter:
    return LambdaParameter(type_, level, index)


def transform(*lambdas: Expr, type_: SqlType = BIGINT) -> Expr:
    return Call(list_of(type_), "list_transform", (NUMBERS, *lambdas))


PLUS = Call(BIGINT, "+", (X, ONE))
STEP = Lambda(BIGINT, (parameter(0), parameter(1), parameter(2)), parameter(0))
WRONG: dict[str, Expr] = {
    "an unknown function": Call(BIGINT, "no such", (X,)),
    "the name of a module": Call(BIGINT, "__import__", (TEXT,)),
    "a function bound to CASE": Call(BIGINT, "if", (YES, X, X)),
    "no arguments": Call(BIGINT, "+", ()),
    "an argument too many": Call(BIGINT, "+", (X, X, X)),
    "an argument of another type": Call(BIGINT, "+", (X, TEXT)),
    "a result of another type": Call(VARCHAR, "+", (X, ONE)),
    "an argument without its cast": Call(DOUBLE, "sqrt", (X,)),
    "arithmetic that is not checked": Call(BIGINT, "+", (X, ONE), checked=False),
    "a cast that is not checked": Cast(INTEGER, X, checked=False),
    "a cast that there is not": Cast(DATE, X),
    "a text in a number": Literal(BIGINT, "1"),
    "a float in a whole number": Literal(BIGINT, 1.0),
    "NaN in a whole number": Literal(BIGINT, float("nan")),
    "a giant whole number": Literal(BIGINT, 2**80),
    "a truth in a number": Literal(BIGINT, True),
    "a whole number in a truth": Literal(BOOLEAN, 1),
    "a value in a list": Literal(list_of(BIGINT), 1),
    "a decimal of too many digits": Literal(decimal(3, 1), 1_000),
    "a day beyond all": Literal(DATE, 2**40),
    "a column out of range": ColumnRef(BIGINT, 3),
    "a column below": ColumnRef(BIGINT, -1_000_000),
    "a column of another type": ColumnRef(DOUBLE, 0),
    "a value beyond a list's type": InList(BOOLEAN, X, (2**70,)),
    "a text in a list of numbers": InList(BOOLEAN, X, ("a",)),
    "a condition that is none": Case(BIGINT, ((X, X),), X),
    "branches of two types": Case(BIGINT, ((YES, TEXT),), X),
    "a CASE without branches": Case(BIGINT, (), X),
    "a parameter of nobody": Call(BIGINT, "+", (X, parameter(0))),
    "a lambda as a value": Lambda(BIGINT, (), X),
    "a lambda where a number belongs": Call(BIGINT, "+", (X, Lambda(BIGINT, (), X))),
    "a parameter of a lambda beside": let(
        X, Call(BIGINT, "+", (let(X, parameter(0, 1), level=1), parameter(0, 1)))
    ),
    "a parameter of another type": transform(Lambda(VARCHAR, (parameter(0, 0, VARCHAR),), TEXT)),
    "a parameter of another level": transform(Lambda(BIGINT, (parameter(0, 7),), X)),
    "too many parameters": transform(Lambda(BIGINT, tuple(map(parameter, range(3))), X)),
    "a lambda of no list": Call(list_of(BIGINT), "list_transform", (X, Lambda(BIGINT, (), X))),
    "a transform without a lambda": transform(X),
    "a filter by a number": Call(
        list_of(BIGINT), "list_filter", (NUMBERS, Lambda(BIGINT, (parameter(0),), X))
    ),
    "a let of nothing": Call(BIGINT, "let", ()),
    "a let of a value": Call(BIGINT, "let", (X,)),
    "a value that reads itself": Call(
        BIGINT, "let", (Lambda(BIGINT, (), parameter(0)), Lambda(BIGINT, (parameter(0),), X))
    ),
    "a let whose result knows too little": Call(
        BIGINT, "let", (Lambda(BIGINT, (), X), Lambda(BIGINT, (), X))
    ),
    "a let of another type": replace(let(X, X), type=VARCHAR),
    "a fold of nothing": Call(BIGINT, "fold", ()),
    "a fold without a step": Call(BIGINT, "fold", (NUMBERS, X, Literal(BIGINT, 0))),
    "a fold of a number": Call(BIGINT, "fold", (X, X, STEP, Literal(BIGINT, 0))),
    "a state that there is not": Call(BIGINT, "fold", (NUMBERS, X, STEP, Literal(BIGINT, 1))),
    "a state below": Call(BIGINT, "fold", (NUMBERS, X, STEP, Literal(BIGINT, -1))),
    "a state that no constant says": Call(BIGINT, "fold", (NUMBERS, X, STEP, X)),
    "an interval of columns": Call(
        TIMESTAMP, "add_interval", (Literal(TIMESTAMP, 0), Cast(INTEGER, X), ONE, X)
    ),
    "a pattern that is no constant": Call(BOOLEAN, "regexp_matches", (TEXT, TEXT)),
    "an order that is no constant": Call(
        NUMBERS.type, "list_sort", (NUMBERS, bind("=", (X, X)), YES)
    ),
}


@pytest.mark.parametrize("body", WRONG.values(), ids=WRONG.keys())
def test_a_wrong_form_is_refused(body: Expr) -> None:
    with pytest.raises(FragmentError):
        function_form.decode(form(body))


RIGHT: dict[str, Expr] = {
    "arithmetic": PLUS,
    "infinity": bind("+", (Literal(DOUBLE, float("inf")), Literal(DOUBLE, -1e308))),
    "a let whose values list parameters": Call(
        BIGINT,
        "let",
        (
            Lambda(BIGINT, (), X),
            Lambda(BIGINT, (parameter(0),), bind("+", (parameter(0), ONE))),
            Lambda(BIGINT, (parameter(0), parameter(1)), bind("+", (parameter(0), parameter(1)))),
        ),
    ),
    "a let whose values list none": let(X, bind("+", (parameter(0), ONE)), parameter(1)),
    "a loop": fold(NUMBERS, (X,), (bind("+", (parameter(0), parameter(1))),)),
    "a sorted list": bind("list_sort", (NUMBERS,)),
    "a pattern": bind("regexp_matches", (TEXT, Literal(VARCHAR, "[a-z]+"))),
    "an error": Cast(BIGINT, bind("error", (TEXT,))),
}


@pytest.mark.parametrize("body", RIGHT.values(), ids=RIGHT.keys())
def test_a_right_form_is_taken(body: Expr) -> None:
    function = function_form.decode(form(body))
    assert function.body == body


def test_aggregates_are_bound_again() -> None:
    right = AggregateCall("max", (X,), BIGINT)
    for call, wrong in (
        (right, False),
        (replace(right, function="no such"), True),
        (replace(right, type=VARCHAR), True),
        (replace(right, args=(ColumnRef(BIGINT, 9),)), True),
        (replace(right, args=()), True),
        (replace(right, args=(ColumnRef(BIGINT, 3),)), True),
    ):
        made = UserFunction("f", PARAMETERS, call.type, ColumnRef(call.type, 3), (call,))
        encoded = function_form.encode(made)
        if wrong:
            with pytest.raises(FragmentError):
                function_form.decode(encoded)
        else:
            assert function_form.decode(encoded) == made


def test_a_function_gives_what_it_says() -> None:
    with pytest.raises(FragmentError, match="another type"):
        function_form.decode(form(X, VARCHAR))


def test_size_and_depth_are_bounded() -> None:
    """A form that is too large or too deep is refused at once, on either side."""
    begun = time.monotonic()
    for depth in (LIMITS.fragment_depth, 5_000, 100_000):
        with pytest.raises(FragmentError):
            form(nested(depth))
    with pytest.raises(FragmentError):
        function_form.decode(b"\x92" * 500_000)
    with pytest.raises(FragmentError):
        function_form.decode(bytes(LIMITS.function_bytes + 1))
    with pytest.raises(FragmentError):
        form(Literal(VARCHAR, "x" * LIMITS.function_bytes))
    assert time.monotonic() - begun < 20


def test_what_is_deep_but_allowed_is_computed_or_refused() -> None:
    host = InlineHost()
    cases: Expr = X
    lets: Expr = X
    for depth in range(60):
        cases = Case(BIGINT, ((bind(">", (bind("+", (X, ONE)), X)), cases),), X)
        lets = let(bind("+", (X, ONE)), lets, level=0) if depth == 0 else lets
    for body in (nested(120), cases, lets):
        assert run(form(body), host) in ("computed", "failed", "refused", "not called")


@pytest.fixture(scope="module")
def host() -> Iterator[SubprocessHost]:
    made = SubprocessHost(threads=1)
    yield made
    made.close()


def test_random_forms_end_here(tmp_path: Path) -> None:
    outcomes = attack(300, random.randrange(2**32), InlineHost())
    assert outcomes["computed"] > 50
    assert outcomes["refused"] > 50


def test_random_forms_end_in_a_kernel_process_that_survives(host: SubprocessHost) -> None:
    attack(3, 1, host)
    before = host.process_ids()
    outcomes = attack(150, random.randrange(2**32), host)
    assert outcomes["computed"] > 25
    assert host.process_ids() == before


def test_a_node_and_its_kernel_process_run_no_program(tmp_path: Path) -> None:
    """Neither compiles, runs, unpickles or unmarshals anything for a fragment with functions."""
    noted, armed = tmp_path / "noted", tmp_path / "noted.armed"
    variables = environment(EAU2_WATCHED=str(noted))
    variables |= {"PYTHONPATH": f"{ROOT / 'tests' / 'python' / 'watched'}:{ROOT}"}
    local = bind("+", (parameter(0), parameter(0)))
    small = let(bind("+", (X, ONE)), Case(BIGINT, ((bind(">", (X, ONE)), local),), X))
    total = bind("+", (parameter(0, 1), bind("*", (parameter(1, 1), ONE))))
    looped = let(fold(bind("list_value", (X, ONE)), (X,), (total,), level=1), parameter(0))
    functions = [function_form.decode(form(body)) for body in (small, looped)]
    assert [is_harmless(_asked(function, 5)) for function in functions] == [True, False]
    with (tmp_path / "log").open("wb") as log:
        node = NodeProcess(
            NodeOptions(ANY_PORT, str(tmp_path / "data")), variables=variables, log=log
        )
    try:
        node.ready()
        processes = {node.pid, *kernels(node)}
        asked = [_asked(function, 5) for function in functions]
        # What is loaded with the first fragments is loaded by others as well.
        assert asyncio.run(_answers(node, asked)) == [[12], [11]]
        armed.touch()
        others = [_asked(function, 7) for function in functions]
        assert asyncio.run(_answers(node, asked + others)) == [[12], [11], [16], [15]]
        assert {node.pid, *kernels(node)} == processes
        assert _noted(noted, processes) == []
    finally:
        node.kill()
    # Were it otherwise, it would be noted.
    program = "import os; print(os.getpid()); compile('1', 'x', 'eval'); import pickle"
    made = subprocess.run(
        [sys.executable, "-c", program], env=variables, capture_output=True, check=True
    )
    assert {line.split()[1] for line in _noted(noted, {int(made.stdout)})} >= {"compile", "import"}
    for process in processes:
        assert f"{process} watched" in noted.read_text()


def _asked(function: UserFunction, number: int) -> Operator:
    """A fragment of one row that calls the function."""
    args = (Literal(BIGINT, number), Literal(VARCHAR, "a"), Literal(NUMBERS.type, None))
    return Project(OneRow(), ((Column(1, "v", BIGINT), written_out(function, args)),))


async def _answers(node: NodeProcess, fragments: list[Operator]) -> list[list[object]]:
    connection = await connect(node.address, role="node", name="n9")
    try:
        found: list[list[object]] = []
        for fragment in fragments:
            answer = await connection.call(RunTask(1, 1, 0, (), ()), [encode_fragment(fragment)])
            rows: pl.DataFrame = decode_frame(answer.payload, trusted=False)
            found.append(rows.to_series().to_list())
        return found
    finally:
        connection.close()


def _noted(path: Path, processes: set[int]) -> list[str]:
    """What has been noted of these processes, but that they are watched."""
    lines = path.read_text().splitlines()
    own = tuple(f"{process} " for process in processes)
    return [line for line in lines if line.startswith(own) and not line.endswith(" watched")]
