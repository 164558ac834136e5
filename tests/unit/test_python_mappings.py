"""Constant dicts and sets in functions: what is looked up, what rows raise, and what is refused."""

from __future__ import annotations

import ast
import datetime
import math
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest

import eau2
from eau2.config import LIMITS
from eau2.errors import Error, FunctionDefinitionError, FunctionFailedError
from eau2.math import count
from eau2.math import sum as total
from eau2.operators.expr import Call, InList, size_of, walk
from eau2.operators.function_form import decode, encode
from eau2.operators.user_functions import UserFunction
from eau2.python import definitions, names
from eau2.python.source import Source
from tests.cluster.nodes import in_process

CODES = {"a": 1, "b": 2, "é": -3}
NAMES = {1: "one", 2: None, 0: "none"}
FLAGS = {True: "yes", False: "no"}
DAYS = {datetime.date(2020, 2, 29): 1, datetime.date(2021, 1, 1): 2}
MOMENTS = {datetime.datetime(2020, 1, 1, 12, 30): "noon"}
PARTS: dict[str, list[int | None] | None] = {"a": [1, 2], "b": [], "c": [None], "d": None}
RATES = {"a": 0.5, "b": -0.0, "c": math.inf, "d": math.nan}
STARTS = {"a": datetime.date(2020, 2, 29), "b": datetime.date(1, 1, 1)}
LARGE = {f"key {n}": n * n for n in range(LIMITS.mapping_entries)}
LETTERS = frozenset({"a", "b", "é"})
SOME = {1, 2, None}


@eau2.function
def code(s: str) -> int:
    return CODES[s]


@eau2.function
def large(s: str) -> int | None:
    return LARGE.get(s) if s in LARGE else LARGE.get(s, -1)


@pytest.fixture(scope="module")
def connection() -> Iterator[eau2.Connection]:
    with eau2.connect() as opened:
        opened.execute("SET chunk_rows = 2")
        yield opened


def around() -> dict[str, Any]:
    return {name: value for name, value in globals().items() if name.isupper()}


def defined(text: str, **more: Any) -> UserFunction:
    """The function of a text, with what stands around it."""
    (node,) = ast.parse(text).body
    assert isinstance(node, ast.FunctionDef)
    known = {"datetime": datetime, "math": math, **around(), **more}
    return definitions.defined(node, names.within(known), Source("f", text))


def plainly(plain: Any, value: Any) -> tuple[Any, str | None]:
    """What Python gives for the value, or the end of its traceback."""
    try:
        return plain(value), None
    except KeyError as error:
        return None, f"KeyError: {error}"


def both(
    connection: eau2.Connection, signature: str, body: str, values: list[Any], type_: pa.DataType
) -> None:
    """Hold the function against CPython for values of one column, each alone and all together."""
    text = f"def f({signature}:\n    {body}\n"
    space = {"datetime": datetime, "math": math, **around()}
    exec(text, space)
    plain = space["f"]
    function = decode(encode(defined(text)))
    connection.register_function(function)
    good: list[tuple[Any, Any]] = []
    for value in values:
        connection.register("given", pa.table({"x": pa.array([value], type_)}))
        expected, raised = plainly(plain, value)
        if raised is not None:
            with pytest.raises(FunctionFailedError) as caught:
                connection.sql("SELECT f(x) FROM given").fetchall()
            assert caught.value.message == f"{raised}, in f, line 2"
            continue
        good.append((value, expected))
        found = connection.sql("SELECT f(x) FROM given").fetchall()
        assert repr(found) == repr([(expected,)])
    if not good:
        return
    table = pa.table({"n": range(len(good)), "x": pa.array([value for value, _ in good], type_)})
    connection.register("given", table)
    found = connection.sql("SELECT f(x) FROM given ORDER BY n").fetchall()
    assert repr(found) == repr([(expected,) for _, expected in good])


TEXTS = ["a", "b", "é", "", "zz", "c", "d", None]
INTS = [0, 1, 2, -1, 7, 2**63 - 1, None]
DATES = [*DAYS, datetime.date(1, 1, 1), datetime.date(9999, 12, 31), None]
OF_TEXTS = [
    "-> int|return CODES[x]",
    "-> int|return CODES.get(x)",
    "-> int|return CODES.get(x, 7)",
    "-> int|return CODES.get(x, None)",
    "-> bool|return x in CODES",
    "-> bool|return x not in CODES.keys()",
    "-> bool|return x in LETTERS",
    "-> bool|return x not in {'a', 'zz'}",
    "-> float|return RATES[x]",
    "-> float|return RATES.get(x, 2.5)",
    "-> list[int]|return PARTS[x]",
    "-> list[int]|return PARTS.get(x, [])",
    "-> list[int]|return PARTS.get(x, [3])",
    "-> datetime.date|return STARTS[x]",
    "-> datetime.date|return STARTS.get(x, datetime.date(2000, 1, 2))",
    "-> int|return {'a': 1, 'a': 2, 'b': -3}[x]",
    "-> int|return {'a': 1}.get(x, len(CODES))",
    "-> int|return LARGE.get(x, 0)",
    "-> str|d = {'a': 'A', 'b': 'B'}; return d.get(x, '') + d['a']",
    "-> list[str]|return [k for k in CODES if k != x]",
    "-> list[int]|return [CODES[k] for k in CODES]",
    "-> list[str]|return sorted(LETTERS)",
    "-> list[str]|return list(CODES.keys())",
    "-> list[int]|return list(CODES.values())",
    "-> int|return sum(CODES.values()) + max(CODES.values()) + len(CODES) + len(SOME)",
    "-> str|return ','.join(CODES) + max(LETTERS) + min(CODES)",
    "-> int|return [i for i in range(9)][CODES['b']]",
]
OF_INTS = [
    "-> str|return NAMES[x]",
    "-> str|return NAMES.get(x, 'other')",
    "-> str|return FLAGS.get(x)",
    "-> str|return FLAGS[x]",
    "-> bool|return x in FLAGS",
    "-> bool|return x in CODES.values()",
    "-> bool|return x in SOME",
    "-> bool|return None in NAMES",
    "-> str|return NAMES[None]",
    "-> str|return NAMES.get(None, 'nothing')",
    "-> str|return NAMES[7]",
]


@pytest.mark.parametrize("case", OF_TEXTS)
def test_by_texts(case: str, connection: eau2.Connection) -> None:
    result, body = case.split("|")
    both(connection, f"x: str) {result}", body, TEXTS, pa.string())


@pytest.mark.parametrize("case", OF_INTS)
def test_by_ints(case: str, connection: eau2.Connection) -> None:
    result, body = case.split("|")
    both(connection, f"x: int) {result}", body, INTS, pa.int64())


def test_by_bools_dates_and_datetimes(connection: eau2.Connection) -> None:
    bools = [True, False, None]
    both(connection, "x: bool) -> str", "return FLAGS[x]", bools, pa.bool_())
    both(connection, "x: bool) -> str", "return NAMES[x]", bools, pa.bool_())
    both(connection, "x: bool) -> str", "return {1: 'a'}[x]", bools, pa.bool_())
    both(connection, "x: bool) -> bool", "return x in {7: 'a', 1: 'b'}", bools, pa.bool_())
    both(connection, "x: datetime.date) -> int", "return DAYS[x]", DATES, pa.date32())
    both(connection, "x: datetime.date) -> bool", "return x in DAYS", DATES, pa.date32())
    here = "{datetime.date(2020, 2, 29): 5}"
    both(connection, "x: datetime.date) -> int", f"return {here}.get(x, 0)", DATES, pa.date32())
    moments = [*MOMENTS, datetime.datetime(2020, 1, 1), None]
    body = "return MOMENTS[x]"
    both(connection, "x: datetime.datetime) -> str", body, moments, pa.timestamp("us"))


def test_a_default_is_computed_whether_it_is_needed_or_not(connection: eau2.Connection) -> None:
    function = defined("def f(s: str, n: int) -> int:\n    return CODES.get(s, 1 // n)\n")
    connection.register_function(function)
    assert connection.sql("SELECT f('zz', 1)").fetchall() == [(1,)]
    with pytest.raises(FunctionFailedError, match="ZeroDivisionError"):
        connection.sql("SELECT f('a', 0)")


def test_only_rows_that_reach_it_raise(connection: eau2.Connection) -> None:
    text = "def f(s: str, n: int) -> int:\n    if n < 2:\n        return 0\n    return CODES[s]\n"
    connection.register_function(defined(text))
    rows = "(VALUES ('zz', 0), (NULL, 1), ('a', 2), ('b', 3)) AS t(s, n)"
    found = connection.sql(f"SELECT f(s, n) FROM {rows} ORDER BY n").fetchall()
    assert found == [(0,), (0,), (1,), (2,)]
    with pytest.raises(FunctionFailedError, match=r"KeyError: ('zz'|None), in f, line 4"):
        connection.sql(f"SELECT f(s, n + 2) FROM {rows}")
    with pytest.raises(FunctionFailedError, match="KeyError: None, in f, line 4"):
        connection.sql(f"SELECT f(s, n + 1) FROM {rows}")
    # In SQL a condition may stand before it as well.
    connection.register_function(code)
    assert connection.sql(f"SELECT code(s) FROM {rows} WHERE s = 'b'").fetchall() == [(2,)]
    none = connection.sql(f"SELECT code(s) FROM {rows} WHERE n > 9")
    assert none.fetchall() == []


def test_a_year_that_python_has_not_is_no_key(connection: eau2.Connection) -> None:
    connection.register_function(
        defined("def f(d: datetime.date) -> int:\n    return DAYS.get(d, 0)\n")
    )
    beyond = "(VALUES ((DATE '9999-12-31' + INTERVAL 1 DAY)::DATE)) AS t(d)"
    assert connection.sql(f"SELECT f(d) FROM {beyond}").fetchall() == [(0,)]
    connection.register_function(defined("def f(d: datetime.date) -> int:\n    return DAYS[d]\n"))
    with pytest.raises(FunctionFailedError, match="OverflowError"):
        connection.sql(f"SELECT f(d) FROM {beyond}")


def test_a_large_dict_is_few_operators(connection: eau2.Connection) -> None:
    assert size_of(large.definition.body) < 30
    assert decode(encode(large.definition)) == large.definition
    keys = [f"key {n}" for n in range(0, 20_000, 3)]
    connection.register("given", pa.table({"n": range(len(keys)), "s": keys}))
    connection.register_function(large)
    found = connection.sql("SELECT large(s) FROM given ORDER BY n").fetchall()
    assert found == [(large(key),) for key in keys]
    assert len(eau2.explain(large)) < 2_000


def test_what_is_in_a_dict_is_an_in_of_sql() -> None:
    function = defined("def f(s: str) -> bool:\n    return s in CODES\n")
    assert any(isinstance(node, InList) for node in walk(function.body))


def test_a_known_key_is_its_value() -> None:
    function = defined("def f(s: str) -> int:\n    return CODES['b']\n")
    assert not any(isinstance(node, Call) for node in walk(function.body))


def test_it_stays_as_it_was_when_the_function_was_defined(connection: eau2.Connection) -> None:
    own = {"a": 1}
    function = defined("def f(s: str) -> int:\n    return OWN[s]\n", OWN=own)
    own["a"] = 2
    connection.register_function(function)
    assert connection.sql("SELECT f('a')").fetchall() == [(1,)]


def test_in_aggregates_in_sql_and_on_nodes(connection: eau2.Connection) -> None:
    @eau2.aggregate
    def weighed(s: str, x: float) -> float:
        return total(RATES.get(s, 1.0) * x) / count(x)

    created = """
        CREATE OR REPLACE FUNCTION fee(zone VARCHAR) RETURNS INTEGER LANGUAGE python AS $$
        FEES = {"a": 3, "b": 4}

        def fee(zone):
            return FEES.get(zone, sum(FEES.values()))
        $$"""
    with in_process(2) as nodes, eau2.connect(nodes.urls[-1]) as far:
        for asked in (connection, far):
            asked.register_function(weighed)
            asked.register_function(code)
            asked.execute(created)
            rows = "(VALUES ('a', 2.0::DOUBLE), ('zz', 3.0)) AS t(s, x)"
            assert asked.sql(f"SELECT weighed(s, x) FROM {rows}").fetchall() == [(2.0,)]
            fees = asked.sql(f"SELECT fee(s) FROM {rows} ORDER BY x").fetchall()
            assert fees == [(3,), (7,)]
            with pytest.raises(Error, match="KeyError: 'zz', in code"):
                asked.sql(f"SELECT code(s) FROM {rows}").fetchall()


def test_in_an_aggregate_class(connection: eau2.Connection) -> None:
    @eau2.aggregate
    class Fees:
        """What all letters cost."""

        total: int

        def init(self) -> None:
            self.total = 0

        def step(self, s: str) -> None:
            self.total = self.total + CODES.get(s, sum(CODES.values()) + len(LETTERS))

        def merge(self, other: Fees) -> None:
            self.total = self.total + other.total

        def finish(self) -> int:
            names = {0: 7}
            return names.get(self.total, self.total)

    connection.register_function(Fees)
    rows = "(VALUES ('a'), ('b'), ('zz')) AS t(s)"
    assert connection.sql(f"SELECT Fees(s) FROM {rows}").fetchall() == [(6,)]
    assert connection.sql(f"SELECT Fees(s) FROM {rows} WHERE s > 'zz'").fetchall() == [(7,)]


def test_a_local_hides_what_is_around(connection: eau2.Connection) -> None:
    text = "def f(x: int) -> list[int]:\n    return [CODES + x for CODES in [1, 2]]\n"
    connection.register_function(defined(text))
    assert connection.sql("SELECT f(1)").fetchall() == [([2, 3],)]
    text = "def f(x: int) -> list[int]:\n    return [sum(CODES) + x for CODES in [[1], [x]]]\n"
    connection.register_function(defined(text))
    assert connection.sql("SELECT f(4)").fetchall() == [([5, 8],)]
    text = "def f(sum: int) -> int:\n    return sum + len(CODES)\n"
    connection.register_function(defined(text))
    assert connection.sql("SELECT f(4)").fetchall() == [(7,)]
    text = "def f(CODES: list[int]) -> int:\n    return CODES[0] + len(CODES) + sum(CODES)\n"
    connection.register_function(defined(text))
    assert connection.sql("SELECT f([5, 6])").fetchall() == [(18,)]
    text = "def f(x: int) -> int:\n    CODES = [x]\n    return CODES[0] + len(CODES)\n"
    connection.register_function(defined(text))
    assert connection.sql("SELECT f(5)").fetchall() == [(6,)]


VALUE = "is no value here"
REFUSED: dict[str, tuple[str, str, str, str]] = {
    # name: (signature, body, reason, hint)
    "a local": ("x: int) -> int", "d = CODES; return 1", VALUE, "d.get(k, default)"),
    "a result": ("x: int) -> int", "return CODES", VALUE, "k in d"),
    "an argument": ("x: int) -> str", "return str(CODES)", VALUE, "k in d"),
    "compared": ("x: int) -> bool", "return CODES == CODES", VALUE, "k in d"),
    "added": ("x: int) -> list[int]", "return CODES + [x]", VALUE, "k in d"),
    "a condition": ("x: int) -> int", "return 1 if CODES else 0", VALUE, "k in d"),
    "a slice": ("x: int) -> int", "return CODES['a':'b']", VALUE, "k in d"),
    "a display that varies": ("x: int) -> int", "return {1: x}[x]", VALUE, "constant"),
    "pairs": ("x: int) -> int", "return len(CODES.items())", "items() is not there", "for k in d"),
    "pairs alone": ("x: int) -> int", "return CODES.items()", "items() is not there", "for k in d"),
    "values alone": ("x: int) -> int", "return CODES.values()[0]", "no value by itself", "sum("),
    "another method": ("s: str) -> int", "return CODES.pop(s)", "pop() of a constant dict", "get"),
    "an entry": ("s: str) -> int", "CODES[s] = 1; return 1", "does not change", "defined"),
    "an entry more": ("s: str) -> int", "CODES[s] += 1; return 1", "does not change", "defined"),
    "a local's entry": ("s: str) -> int", "d = {'a': 1}; d[s] = 2; return 1", "not change", "def"),
    "two values": ("s: str) -> int", "d = {'a': 1}; d = {'a': 2}; return d[s]", VALUE, "once"),
    "read before": ("x: int) -> int", "y = d[x]; d = {1: 1}; return y", "not defined", "above"),
    "hidden": ("x: int) -> int", "y = CODES['a']; CODES = x; return y", "not defined", "above"),
    "keys of two types": ("x: int) -> int", "return {1: 1, 'a': 2}[x]", "int and str", "one type"),
    "keys of floats": ("x: int) -> int", "return {1: 1, 2.5: 2}[x]", "a float is among", "Keys"),
    "None as a key": ("x: int) -> int", "return {1: 1, None: 2}[x]", "None is among", "before"),
    "tuples as keys": (
        "x: int) -> int",
        "return PAIRS[x]",
        "a tuple is among the keys",
        "Keys are",
    ),
    "values of two types": ("x: int) -> float", "return {1: 1, 2: .5}[x]", "float and int", "one"),
    "lists of two types": ("x: int) -> int", "return {1: [1], 2: [.5]}[x]", "elements of", "one"),
    "lists and others": ("x: int) -> int", "return {1: [1], 2: 5}[x]", "lists and others", "one"),
    "a dict in it": ("x: int) -> int", "return {1: {1: 2}}[x]", "a dict is among", "of one type"),
    "a tuple in it": ("x: int) -> int", "return TUPLES[x]", "a tuple is among the values", "lists"),
    "nothing in it": ("x: int) -> int", "return {}.get(x)", "an empty dict", "Leave it out"),
    "None in it": ("x: int) -> int", "return {1: None}.get(x)", "nothing but None", "one type"),
    "another key": ("x: int) -> int", "return CODES[x]", "dict are str, not int", "Make the key"),
    "a float as key": ("x: float) -> str", "return NAMES[x]", "int, not float", "Make the key"),
    "a key of no bool": ("x: int) -> str", "return {7: 'a'}[x > 1]", "True or False", "int(...)"),
    "a list as key": (
        "x: list[int]) -> bool",
        "return x in NAMES",
        "not list[int]",
        "Make the key",
    ),
    "another default": ("s: str) -> int", "return CODES.get(s, .5)", "int and float", "is int"),
    "an int for a float": (
        "s: str) -> float",
        "return RATES.get(s, 0)",
        "float and int",
        "is float",
    ),
    "by name": ("s: str) -> int", "return CODES.get(key=s)", "a key and a default", "d.get"),
    "another dict": ("s: str) -> int", "return OTHER[s]", "OTHER is a defaultdict", "dicts"),
    "too many": ("x: int) -> int", "return MANY[x]", "more than 10,000 entries", "join"),
    "beyond 64 bits": ("x: int) -> int", f"return {{1: {2**64}}}[x]", "64 bits", "at most"),
    "the order of a set": (
        "x: int) -> list[str]",
        "return [s for s in LETTERS]",
        "order",
        "sorted",
    ),
    "a list of a set": ("x: int) -> list[str]", "return list(LETTERS)", "no order", "sorted(S)"),
    "a product of a set": ("x: int) -> int", "return math.prod({2, 3})", "no order", "sorted(S)"),
    "a set alone": ("x: int) -> list[str]", "return LETTERS", "a frozenset", "sorted(S)"),
    "an index of a set": ("x: int) -> str", "return LETTERS[x]", "no index", "x in S"),
    "NaN in a set": ("x: float) -> bool", "return x in {NAN, 1.0}", "NaN is in it", "isnan"),
    "NaN in values": ("x: float) -> bool", "return x in RATES.values()", "NaN is in it", "isnan"),
    "None in a set": ("x: int) -> list[int]", "return sorted(SOME)", "None is in the set", "len"),
    "a set of two types": ("s: str) -> bool", "return s in {'a', 1}", "int and str", "one type"),
    "an empty set": ("s: str) -> bool", "return s in EMPTY", "an empty set", "Leave it out"),
    "a key without hash": ("x: int) -> int", "return {[1]: 2}[x]", "unhashable", ""),
}
MORE = {
    "PAIRS": {(1, 2): 3}, "TUPLES": {1: (1, 2)}, "OTHER": defaultdict(int), "NAN": math.nan,
    "MANY": dict.fromkeys(range(LIMITS.mapping_entries + 1), 1), "EMPTY": frozenset[str](),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_is_refused(name: str) -> None:
    signature, body, reason, hint = REFUSED[name]
    with pytest.raises(FunctionDefinitionError) as caught:
        defined(f"def f({signature}:\n    {body}\n", **MORE)
    assert reason in caught.value.message
    assert hint in (caught.value.hint or "")
    assert caught.value.span is not None


def test_a_dict_of_a_branch_is_no_constant() -> None:
    text = "def f(x: int) -> int:\n    if x:\n        d = {1: 1}\n    return d[x]\n"
    with pytest.raises(FunctionDefinitionError, match="a dict is no value here"):
        defined(text)
    text = "def f(x: int) -> int:\n    for k, v in CODES.items():\n        x += v\n    return x\n"
    with pytest.raises(FunctionDefinitionError, match=r"CODES.items\(\) is not there"):
        defined(text)
