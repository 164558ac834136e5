"""Forms of functions as an enemy would send them: random, mutated, huge and deep ones.

    python -m tests.python.hostile --functions 100000 [--seed N] [--processes]

Every form must be refused with an error of eau2's, or be computed, in bounded time; with
--processes in a kernel process, which has to be the same one afterwards.
"""

from __future__ import annotations

import argparse
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import msgpack
import polars as pl

from eau2.errors import Error, FunctionDefinitionError, InternalError
from eau2.kernels.host import KernelHost
from eau2.kernels.inline import InlineHost
from eau2.kernels.subprocess import SubprocessHost
from eau2.operators import function_form
from eau2.operators.codec import TAGS, FragmentError
from eau2.operators.coercion import LIST_VALUE, cast
from eau2.operators.expr import (
    Call,
    Case,
    Column,
    ColumnRef,
    Expr,
    InList,
    Lambda,
    LambdaParameter,
    Literal,
    Value,
    ref,
    transform,
    walk,
)
from eau2.operators.functions import table
from eau2.operators.functions.python_sequences import EACH
from eau2.operators.functions.python_signatures import PythonSignature
from eau2.operators.physical import kernel_dtype
from eau2.operators.project import Project
from eau2.operators.scan import StageInput
from eau2.operators.user_functions import Parameter, UserFunction, written_out
from eau2.planner.simplify import as_filter, simplified
from eau2.records import replace
from eau2.types import (
    BIGINT,
    BOOLEAN,
    DATE,
    DOUBLE,
    HUGEINT,
    INTEGER,
    TIMESTAMP,
    VARCHAR,
    SqlType,
    decimal,
    list_of,
)
from tests.python.comparing import defined
from tests.python.programs import make
from tests.unit.random_lets import fold, let

FORM_S = 60.0
"""No form may take longer from its bytes to its rows, on a machine that others use as well."""

MONEY, NUMBERS, TEXTS = decimal(10, 2), list_of(BIGINT), list_of(VARCHAR)
TYPES: tuple[SqlType, ...] = (
    BIGINT,
    DOUBLE,
    VARCHAR,
    BOOLEAN,
    DATE,
    TIMESTAMP,
    NUMBERS,
    HUGEINT,
    MONEY,
    INTEGER,
    TEXTS,
)
COLUMNS = tuple(Column(1 + n, f"p{n}", type_) for n, type_ in enumerate(TYPES))
_NAN, _INFINITE = float("nan"), float("inf")
VALUES: dict[SqlType, list[Any]] = {
    BIGINT: [0, 1, -1, 7, 2**63 - 1, -(2**63)],
    DOUBLE: [0.0, -0.0, 1.5, _NAN, _INFINITE, -1e308],
    VARCHAR: ["", "a", "Aé\u0130", "0", "%_\\", "2020-01-31"],
    BOOLEAN: [True, False, True, False, True, False],
    DATE: [0, -1, 10_957, 2_932_896, -719_162, 59],
    TIMESTAMP: [0, -1, 951_782_400_000_000, 2**62, 1, 60_000_000],
    NUMBERS: [[], [1], [1, None, 3], [2**63 - 1, 1], [0, 0], [-5]],
    HUGEINT: [0, 1, -1, 2**127 - 1, -(2**127) + 1, 10**20],
    MONEY: [0, 1, -1, 10**10 - 1, 150, -150],
    INTEGER: [0, 1, -1, 2**31 - 1, -(2**31), 12],
    TEXTS: [[], ["a"], ["b", None], ["", "é"], ["12", "x"], ["%d"]],
}
ROWS = pl.DataFrame(
    {
        column.label: pl.Series([*VALUES[column.type], None], dtype=kernel_dtype(column.type))
        for column in COLUMNS
    }
)
"""One row for each value, and one of NULLs."""

_NONSENSE: list[Any] = [None, True, 0, 1, -1, 2**63, -(2**63), _INFINITE, _NAN, "", "x", b"x", []]

NAMES = sorted(function.name for function in table.FUNCTIONS)
WORDS = sorted(function.name for function in table.PYTHON)
CONSTANTS: dict[SqlType, list[Value]] = {
    BIGINT: [0, 1, 2, 63, 64, 10**9, -1],
    VARCHAR: ["", "d", ">9", ".3f", "%Y-%m-%d", "%", "999999999", "%-9999999d", "ValueError: x"],
}
PLACE = Literal(VARCHAR, "f, line 1")


_NAMED: dict[str, SqlType] = {
    "bool": BOOLEAN,
    "int": BIGINT,
    "float": DOUBLE,
    "str": VARCHAR,
    "date": DATE,
    "datetime": TIMESTAMP,
}


def _type_of(word: str, own: SqlType) -> SqlType:
    """The type that a word of a signature stands for, where T and any are `own`."""
    if word == "list":
        return own if own.is_list else list_of(own)
    if word.startswith("list["):
        inner = _type_of(word[5:-1], own.element or own)
        return inner if inner.levels > 1 else list_of(inner)
    return _NAMED.get(word, own)


class Writer:
    """Random expressions that binding allows."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng

    def function(self) -> UserFunction:
        """A function of all the columns."""
        body = self.value(self.rng.choice(TYPES), self.rng.randrange(1, 5), (), 0)
        parameters = tuple(Parameter(column.name, column.type) for column in COLUMNS)
        return UserFunction("f", parameters, body.type, body)

    def value(
        self, type_: SqlType, depth: int, scope: tuple[LambdaParameter, ...], level: int
    ) -> Expr:
        """An expression of a type, as far as that is to be had."""
        if depth > 0:
            for _ in range(6):
                made = self._node(type_, depth, scope, level)
                if made is not None and made.type == type_:
                    return made
        if type_ not in TYPES:
            assert type_.element is not None
            items = [self.value(type_.element, 0, scope, level) for _ in range(2)]
            return Call(type_, LIST_VALUE, tuple(items[: self.rng.randrange(3)]))
        leaves: list[Expr] = [ColumnRef(type_, TYPES.index(type_))]
        leaves += [parameter for parameter in scope if parameter.type == type_]
        if not type_.is_list:
            leaves.append(Literal(type_, self.rng.choice([*VALUES[type_], None])))
        return self.rng.choice(leaves)

    def _node(
        self, type_: SqlType, depth: int, scope: tuple[LambdaParameter, ...], level: int
    ) -> Expr | None:
        def part(wanted: SqlType) -> Expr:
            return self.value(wanted, depth - 1, scope, level)

        rng = self.rng
        match rng.randrange(11):
            case 0:
                return Case(type_, ((part(BOOLEAN), part(type_)),), part(type_))
            case 1:
                values = rng.choices(VALUES[BIGINT], k=rng.randrange(3))
                return InList(BOOLEAN, part(BIGINT), tuple(values), rng.random() < 0.5)
            case 2:
                return self._let(type_, depth, scope, level)
            case 3:
                given = tuple(LambdaParameter(t, level, i) for i, t in enumerate([type_, BIGINT]))
                place = LambdaParameter(BIGINT, level, 2)
                step = self.value(type_, depth - 1, (*scope, *given, place), level + 1)
                return fold(part(NUMBERS), (part(type_),), (step,), level=level)
            case 4:
                element = LambdaParameter(BIGINT, level, 0)
                body = self.value(BIGINT, depth - 1, (*scope, element), level + 1)
                lambda_ = Lambda(BIGINT, (element,), body)
                if rng.random() < 0.5:
                    return Call(NUMBERS, "list_transform", (part(NUMBERS), lambda_))
                return self._each(depth, scope, level)
            case 5:
                return _caught(lambda: cast(part(rng.choice(TYPES)), type_, rng.random() < 0.5))
            case 6 | 7 | 8:
                return self._word(type_, part)
        name = rng.choice(NAMES)
        args = tuple(part(rng.choice(TYPES)) for _ in range(rng.choice((1, 1, 2, 2, 3))))
        return _caught(lambda: table.lookup(name).bind(name, args))

    def _each(self, depth: int, scope: tuple[LambdaParameter, ...], level: int) -> Expr:
        """A comprehension over two lists, with a condition."""
        kinds = enumerate((BIGINT, VARCHAR, BIGINT))
        given = tuple(LambdaParameter(type_, level, number) for number, type_ in kinds)
        inner = (*scope, *given)
        bodies = [self.value(type_, depth - 1, inner, level + 1) for type_ in (BOOLEAN, BIGINT)]
        lists = [self.value(type_, depth - 1, scope, level) for type_ in (NUMBERS, TEXTS)]
        lambdas = [Lambda(body.type, given, body) for body in bodies]
        return Call(NUMBERS, EACH, (*lists, *lambdas))

    def _word(self, type_: SqlType, part: Callable[[SqlType], Expr]) -> Expr | None:
        """A word of Python: as its signature says, and so as no compiler would write it."""
        name = self.rng.choice(WORDS)
        if name == "python.raise":
            return Call(type_, name, (PLACE,))
        if name == EACH:
            return None
        signature = table.lookup(name).bind
        assert isinstance(signature, PythonSignature)
        own = self.rng.choice(TYPES)
        shape = self.rng.choice(signature.takes.split(";")).partition("->")[0]
        args: list[Expr] = []
        for number, word in enumerate(w.strip() for w in shape.split(",") if w.strip()):
            if word.endswith("?") and self.rng.random() < 0.5:
                break
            wanted = _type_of(word.rstrip("?."), own)
            if self.rng.random() < 0.3 and wanted in CONSTANTS and number:
                args.append(Literal(wanted, self.rng.choice(CONSTANTS[wanted])))
            else:
                args.append(part(wanted))
        place = (PLACE,) if signature.fails else ()
        return _caught(lambda: signature(name, (*args, *place)))

    def _let(
        self, type_: SqlType, depth: int, scope: tuple[LambdaParameter, ...], level: int
    ) -> Expr:
        parts: list[Expr] = []
        for index in range(self.rng.randrange(4)):
            parts.append(self.value(self.rng.choice(TYPES), depth - 1, scope, level + 1))
            scope = (*scope, LambdaParameter(parts[-1].type, level, index))
        return let(*parts, self.value(type_, depth - 1, scope, level + 1), level=level)


def _caught(make: Callable[[], Expr]) -> Expr | None:
    try:
        return make()
    except (Error, ValueError, TypeError, AttributeError, LookupError, AssertionError):
        return None


def mutated(rng: random.Random, plain: Any, others: Sequence[Any]) -> Any:
    """Plain values with a few of their nodes exchanged, doubled, dropped or made nonsense."""
    plain = msgpack.unpackb(packed(plain))
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        node, parent = plain, None
        place = 0
        while isinstance(node, list) and node and rng.random() < 0.93:
            parent, place = node, rng.randrange(len(node))
            node = node[place]
        if parent is None:
            continue
        parent[place] = _nonsense(rng, node, others)
    return plain


def packed(plain: Any) -> bytes:
    """Plain values as bytes."""
    made: bytes = msgpack.packb(plain)
    return made


def _nonsense(rng: random.Random, node: Any, others: Sequence[Any]) -> Any:
    match rng.randrange(6):
        case 0:
            return rng.choice(
                [None, True, 0, 1, -1, 2**63, -(2**63), 1e400, _NAN, "", "x", b"x", []]
            )
        case 1:
            return rng.choice(NAMES if rng.random() < 0.5 else WORDS)
        case 2:
            return rng.choice(list(TAGS))
        case 3:
            return ["int", str(rng.choice([10**38, -(10**30), 2**64]))]
        case 4 if isinstance(node, int):
            return max(-(2**63), min(node + rng.choice((-1, 1, 1000)), 2**64 - 1))
    other = rng.choice(others)
    while isinstance(other, list) and other and rng.random() < 0.85:
        other = rng.choice(other)
    return other


def run(form: bytes, host: KernelHost) -> str:
    """What becomes of a form: "refused" when it is read, "failed" at a row, or "computed".

    Raises AssertionError when it takes too long, and whatever is not eau2's.
    """
    begun = time.monotonic()
    try:
        function = function_form.decode(form)
    except FragmentError:
        return "refused"
    outcome = _computed(function, host)
    taken = time.monotonic() - begun
    assert taken < FORM_S, f"a form of {len(form):,} bytes took {taken:.1f} s"
    return outcome


def _computed(function: UserFunction, host: KernelHost) -> str:
    columns = [column for p in function.parameters for column in COLUMNS if column.type == p.type]
    if len(columns) != len(function.parameters) or function.aggregates:
        return "not called"
    try:
        expr = written_out(function, [ref(column) for column in columns])
        exprs = [expr, simplified(expr)]
        if expr.type == BOOLEAN:
            exprs.append(as_filter(expr))
        items = tuple((Column(100 + n, f"v{n}", e.type), e) for n, e in enumerate(exprs))
        fragment = Project(StageInput(0, COLUMNS), items)
        found = host.run(fragment, None, {0: ROWS})
        assert found.height == ROWS.height
    except InternalError as error:
        raise AssertionError(f"an internal error: {error.message}") from error
    except Error:
        return "failed"
    return "computed"


def attack(count: int, seed: int, host: KernelHost) -> Counter[str]:
    """Run so many forms: a third are well formed, half of these are compiled programs."""
    rng = random.Random(seed)
    writer = Writer(rng)
    known: list[Any] = []
    outcomes: Counter[str] = Counter()
    for number in range(count):
        if number % 3 == 0 or not known:
            form = function_form.encode(_compiled(rng) if number % 2 else writer.function())
            known = [*known[-30:], msgpack.unpackb(form)]
        elif number % 6 == 4:
            try:
                form = function_form.encode(swapped(rng, _compiled(rng)))
            except FragmentError:
                outcomes["refused"] += 1
                continue
        else:
            form = packed(mutated(rng, rng.choice(known), known))
        try:
            outcome = run(form, host)
            assert outcome != "refused" or number % 3, "what binding makes is refused"
            outcomes[outcome] += 1
        except BaseException:
            print(f"form {number} of seed {seed}: {form.hex()}")
            raise
    return outcomes


def swapped(rng: random.Random, function: UserFunction) -> UserFunction:
    """A function with a part of it exchanged for another one of that type, or for a constant."""
    parts = [part for part in walk(function.body) if not isinstance(part, Lambda)]
    chosen = rng.choice(parts)
    others = [part for part in parts if part.type == chosen.type]
    if chosen.type in VALUES and not chosen.type.is_list:
        others += [Literal(chosen.type, value) for value in (*VALUES[chosen.type], None)]
    new = rng.choice(others)
    body = transform(function.body, lambda part: new if part is chosen else part)
    return replace(function, body=body)


def _compiled(rng: random.Random) -> UserFunction:
    """A function in Python that is in the subset."""
    while True:
        try:
            return defined(make(rng).text)
        except FunctionDefinitionError:
            continue


def nested(depth: int, value: Value = 1) -> Expr:
    """A sum of so many levels."""
    made: Expr = Literal(BIGINT, value)
    for _ in range(depth):
        made = Call(BIGINT, "+", (made, ColumnRef(BIGINT, 0)))
    return made


def main() -> None:
    """As a command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--functions", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", action="store_true")
    options = parser.parse_args()
    host = SubprocessHost(threads=1) if options.processes else InlineHost()
    # Kernel processes are started by the first forms.
    attack(3, options.seed, host)
    before = host.process_ids() if isinstance(host, SubprocessHost) else ()
    print(dict(attack(options.functions, options.seed, host)))
    if isinstance(host, SubprocessHost):
        assert host.process_ids() == before, "a kernel process has ended"
        host.close()


if __name__ == "__main__":
    main()
