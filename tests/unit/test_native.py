"""Native functions: declared, loaded, called here and in kernel processes, and what goes wrong."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest

import eau2
from eau2.errors import (
    FunctionFailedError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
    TypeMismatchError,
    UnknownFunctionError,
    UsageError,
)
from eau2.kernels.mixed import is_harmless
from eau2.kernels.subprocess import SubprocessHost
from eau2.native import NativeModules, load
from eau2.operators.codec import FragmentError
from eau2.operators.expr import Call, Column, ColumnRef, Expr, Literal
from eau2.operators.function_form import decode, encode
from eau2.operators.functions import native
from eau2.operators.project import Project
from eau2.operators.scan import StageInput
from eau2.operators.user_functions import Parameter, UserFunction
from eau2.planner.simplify import simplified
from eau2.records import replace
from eau2.types import BIGINT, DOUBLE, VARCHAR
from tests.processes import ROOT, environment

MODULE = '''
import os
from datetime import date, datetime

import eau2
import pyarrow as pa
import pyarrow.compute as pc

print("a word at the import")
SEEN = []


@eau2.native_function("DOUBLE", "DOUBLE", returns="DOUBLE")
def far(x, y):
    return pc.sqrt(pc.add(pc.multiply(x, x), pc.multiply(y, y)))


@eau2.native_function("BIGINT", returns="BIGINT", name="Positive")
def checked(number):
    SEEN.append(number.to_pylist())
    if pc.any(pc.less(number, 0)).as_py():
        raise ValueError(f"{pc.min(number)} is negative")
    return number


@eau2.native_function("BIGINT", returns="BIGINT")
def process(x):
    return pa.array([os.getpid()] * len(x), pa.int64())


@eau2.native_function("VARCHAR", "BIGINT", returns="VARCHAR")
def wrong(how, x):
    """What is wrong is the first value of its first argument."""
    match how[0].as_py():
        case "short":
            return pa.array(["a"] * (len(x) + 1))
        case "type":
            return pa.array([1] * len(x))
        case "list":
            return ["a"] * len(x)
        case "none":
            return None
        case "exit":
            raise SystemExit(3)
        case "bytes":
            offsets = pa.array([*range(len(x) + 1)], pa.int32()).buffers()[1]
            return pa.StringArray.from_buffers(len(x), offsets, pa.py_buffer(b"\\xff" * len(x)))
        case "long":
            raise ValueError("x" * 100_000)
        case "marks":
            raise ValueError("a \\u241f\\n\\nThis error occurred in the following expression: b")
    return pa.chunked_array([how.slice(0, 1), how.slice(1)])


def of_type(sql):
    @eau2.native_function(sql, returns=sql, name="same_" + sql.lower().replace("[]", "s"))
    def same(x):
        assert x.type == EXPECTED[sql], x.type
        return x

    return same


EXPECTED = {
    "BOOLEAN": pa.bool_(), "TINYINT": pa.int8(), "UBIGINT": pa.uint64(), "FLOAT": pa.float32(),
    "VARCHAR": pa.string(), "DATE": pa.date32(), "TIMESTAMP": pa.timestamp("us"),
    "VARCHAR[]": pa.list_(pa.string()), "DOUBLE[][]": pa.list_(pa.list_(pa.float64())),
}
same_0, same_1, same_2, same_3, same_4, same_5, same_6, same_7, same_8 = map(of_type, EXPECTED)
'''
NAME = "natives_of_a_test"
A = Column(1, "a", BIGINT)

Sql = Callable[[str], list[tuple[object, ...]]]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of modules; what is loaded of them is forgotten again."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(native, "_here", native._Here())
    (tmp_path / f"{NAME}.py").write_text(MODULE)
    yield tmp_path
    for module in set(sys.modules) - before:
        if getattr(sys.modules[module], "__file__", None) is None:
            continue
        if str(sys.modules[module].__file__).startswith(str(tmp_path)):
            del sys.modules[module]


@pytest.fixture
def sql(folder: Path) -> Iterator[Sql]:
    with eau2.connect(native_functions=[NAME]) as connection:
        yield lambda text: connection.sql(text).fetchall()


def test_there_are_none_unless_they_are_allowed(folder: Path) -> None:
    with eau2.connect() as connection, pytest.raises(UnknownFunctionError, match='"far"'):
        connection.sql("SELECT far(3, 4)")


def test_a_call_computes_whole_columns(sql: Sql) -> None:
    assert sql("SELECT far(3, 4), Far(y := 12, x := 5)") == [(5.0, 13.0)]
    rows = sql("SELECT a, far(a, 4) FROM (VALUES (3), (NULL), (0)) t(a) WHERE far(a, 0) IS NULL")
    assert rows == [(None, None)]
    grouped = "SELECT sum(far(a, 0)) FROM range(4) t(a) GROUP BY far(a % 2, 0) ORDER BY 1"
    assert sql(grouped) == [(2.0,), (4.0,)]
    assert sql("SELECT list_transform([3, 5], lambda x: far(x, 0))") == [([3.0, 5.0],)]
    assert sql("SELECT far(a, 0) FROM range(0) t(a)") == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("same_boolean", "true"),
        ("same_tinyint", "(-7)::TINYINT"),
        ("same_ubigint", "18446744073709551615::UBIGINT"),
        ("same_float", "1.5::FLOAT"),
        ("same_varchar", "'fjord'"),
        ("same_date", "DATE '2024-02-29'"),
        ("same_timestamp", "TIMESTAMP '2024-02-29 01:02:03.000004'"),
        ("same_varchars", "['a', NULL, '']"),
        ("same_doubless", "[[1.5], NULL, []]"),
    ],
)
def test_values_of_any_type_come_and_go_as_results_have_them(
    sql: Sql, name: str, value: str
) -> None:
    rows = f"SELECT CASE WHEN n <> 1 THEN {value} END AS x FROM range(3) t(n)"
    ((same,),) = sql(f"SELECT bool_and({name}(x) IS NOT DISTINCT FROM x) FROM ({rows})")
    assert same is True


def test_only_rows_that_count_are_seen(sql: Sql) -> None:
    seen = sys.modules[NAME].SEEN
    query = "SELECT CASE WHEN a > 1 THEN positive(a - 2) ELSE -1 END FROM range(5) t(a)"
    assert sql(query) == [(-1,), (-1,), (0,), (1,), (2,)]
    assert (
        sql("SELECT CASE WHEN a > 9 THEN positive(a - 9) END FROM range(2) t(a)") == [(None,)] * 2
    )
    assert sql("SELECT a FROM range(-3, 3) t(a) WHERE a >= 1 AND positive(a) = 2") == [(2,)]
    assert {value for values in seen for value in values} == {0, 1, 2}
    assert sql("SELECT positive(a) FROM range(0) t(a)") == []
    assert sql("SELECT positive(a) FROM range(9) t(a) WHERE a > 9") == []
    assert [] not in seen


def test_an_exception_fails_the_query_and_says_which(sql: Sql) -> None:
    with pytest.raises(FunctionFailedError) as caught:
        sql("SELECT positive(a - 2) FROM range(5) t(a)")
    said = "ValueError: -2 is negative, in the native function positive"
    assert caught.value.message == said


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("short", r"^it gave 4 values for 3 rows, in the native function wrong$"),
        ("type", r"^it gave values of type int64, not string, in"),
        ("list", r"^it gave a list, not a pyarrow Array, in"),
        ("none", r"^it gave a NoneType, not a pyarrow Array, in"),
        ("exit", r"^SystemExit: 3, in"),
        ("bytes", r"^it gave an array that is none: Invalid UTF8"),
        ("long", r"^ValueError: x{488}\.\.\., in the native function wrong$"),
        ("marks", r"^ValueError: a \n\nThis error occurred in the expression: b, in the native"),
    ],
)
def test_what_is_no_result_is_an_error(sql: Sql, how: str, said: str) -> None:
    with pytest.raises(FunctionFailedError) as caught:
        sql(f"SELECT wrong('{how}', a) FROM range(3) t(a)")
    assert re.search(said, caught.value.message)


def test_chunks_of_a_result_are_one_column(sql: Sql) -> None:
    assert sql("SELECT wrong('fine', a) FROM range(3) t(a)") == [("fine",)] * 3


def test_a_call_is_shown_as_written_and_computed_with_the_rows(sql: Sql) -> None:
    (plan,) = zip(*sql("EXPLAIN SELECT positive(-1), far(a, 3) FROM range(3) t(a)"), strict=True)
    assert "positive(-1)" in str(plan)
    assert "far(CAST(range AS DOUBLE), 3.0)" in str(plan)
    assert sys.modules[NAME].SEEN == []
    call = native.call_of(_known("far"), (Literal(DOUBLE, 3.0), Literal(DOUBLE, 4.0)))
    assert simplified(call) is call
    with pytest.raises(ProgrammingError, match="cannot call a native function"):
        sql("SELECT * FROM range(3) LIMIT positive(1)")


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        ("far(1)", TypeMismatchError, "far takes 2 arguments, not 1"),
        ("far(1, true)", TypeMismatchError, "argument 2 of far is BOOLEAN, not DOUBLE"),
        ("far(1, z := 2)", ProgrammingError, 'far has no parameter "z"'),
        ("far(DISTINCT 1, 2)", ProgrammingError, "DISTINCT is for aggregate functions"),
        ("far(1, 2) OVER ()", ProgrammingError, "OVER is for aggregate functions"),
        ("fare(1, 2)", UnknownFunctionError, 'there is no function "fare"'),
    ],
)
def test_wrong_calls(sql: Sql, text: str, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=re.escape(said)):
        sql(f"SELECT {text}")


def test_functions_of_users_hide_it_and_call_it(sql: Sql) -> None:
    listed = {row[0]: row[1:] for row in sql("SHOW FUNCTIONS")}
    signature = "far(x DOUBLE, y DOUBLE) -> DOUBLE"
    assert listed["far"] == (signature, "native", f"{NAME}.far")
    assert listed["positive"][2] == f"{NAME}.checked"
    sql("CREATE FUNCTION further(x DOUBLE) RETURNS DOUBLE AS far(x, x + 1) + 1")
    assert sql("SELECT further(3)") == [(6.0,)]
    sql("CREATE FUNCTION far(x DOUBLE) RETURNS DOUBLE AS x")
    assert sql("SELECT far(3), further(3)") == [(3.0, 6.0)]
    assert [row[2] for row in sql("SHOW FUNCTIONS") if row[0] == "far"] == ["scalar"]
    sql("DROP FUNCTION far")
    with pytest.raises(UnknownFunctionError) as caught:
        sql("DROP FUNCTION far")
    assert "native function" in str(caught.value.hint)


def _known(name: str) -> native.NativeFunction:
    found = native.known(name)
    assert found is not None
    return found


def test_a_function_that_calls_one_is_read_where_there_is_none(sql: Sql) -> None:
    far = _known("far")
    columns = (ColumnRef(DOUBLE, 0), ColumnRef(DOUBLE, 0))
    made = UserFunction("f", (Parameter("x", DOUBLE),), DOUBLE, native.call_of(far, columns))
    native._here.functions.clear()
    assert decode(encode(made)) == made
    nameless = Call(DOUBLE, native.NATIVE, columns)
    for wrong in (nameless, Call(DOUBLE, native.NATIVE, (Literal(VARCHAR, "far"),))):
        with pytest.raises(FragmentError, match="native takes no such arguments"):
            decode(encode(replace(made, body=wrong)))


# In kernel processes.

NUMBERS = pl.DataFrame({A.label: [1, 2, 3]})


def _over_a(expr: Expr) -> Project:
    return Project(StageInput(0, (A,)), ((Column(2, "x", expr.type), expr),))


def _calls(name: str) -> Project:
    return _over_a(native.call_of(_known(name), (ColumnRef(BIGINT, A.id),)))


def test_in_a_node_it_runs_in_kernel_processes_alone(folder: Path) -> None:
    load(NativeModules((NAME,)), runs=False)
    calls = _calls("process")
    assert not is_harmless(calls)
    with eau2.connect() as connection, pytest.raises(NotSupportedError, match="computed over rows"):
        connection.sql("SELECT process(1)")
    host = SubprocessHost(threads=1, natives=NativeModules((NAME,), "node n7"))
    try:
        ran = set(host.run(calls, None, {0: NUMBERS}).to_series().to_list())
        assert ran == set(host.process_ids())
        with pytest.raises(FunctionFailedError, match="-2 is negative, in the native function"):
            host.run(_calls("positive"), None, {0: NUMBERS - 3})
        assert set(host.run(calls, None, {0: NUMBERS}).to_series().to_list()) == ran
        other = replace(_known("process"), type=VARCHAR)
        called = _over_a(native.call_of(other, (ColumnRef(BIGINT, A.id),)))
        with pytest.raises(OperationalError, match="at node n7 the native function is process"):
            host.run(called, None, {0: NUMBERS})
    finally:
        host.close()


@pytest.mark.parametrize("loads", [False, True], ids=["not told", "broken since"])
def test_a_process_without_it_says_so(folder: Path, loads: bool) -> None:
    load(NativeModules((NAME,)), runs=False)
    (folder / f"{NAME}.py").write_text("1 / 0")
    host = SubprocessHost(threads=1, natives=NativeModules((NAME,) if loads else (), "node n7"))
    try:
        with pytest.raises(OperationalError) as caught:
            host.run(_calls("process"), None, {0: NUMBERS})
        why = f": the module {NAME} cannot be imported: ZeroDivisionError: division by zero"
        said = 'node n7 has no native function "process"' + (why if loads else "")
        assert caught.value.message == said
        assert "--allow-native-functions MODULE" in str(caught.value.hint)
    finally:
        host.close()


def test_where_kernels_can_be_interrupted_it_runs_in_a_process(folder: Path) -> None:
    with eau2.connect(native_functions=NAME) as connection:
        here = connection.sql("SELECT process(1)").fetchall()
        connection.interruptible()
        elsewhere = connection.sql("SELECT process(1)").fetchall()
    assert here == [(os.getpid(),)] != elsewhere


def test_the_module_of_the_documents(folder: Path) -> None:
    page = (ROOT / "docs" / "functions-native.md").read_text(encoding="utf-8")
    (module,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (folder / "geometry.py").write_text(module)
    with eau2.connect(native_functions=["geometry"]) as connection:
        rows = connection.sql("SELECT distance(3, y := 4), vowels('fjord and fjell')").fetchall()
    assert rows == [(5.0, 3)]


# What cannot be declared or loaded.


def _any(*args: object) -> object:
    raise AssertionError("it is not called")


def _none() -> object:
    raise AssertionError("it is not called")


@pytest.mark.parametrize(
    ("types", "options", "function", "said"),
    [
        ((_any,), {}, _any, "declared with its types"),
        (("DOUBLE",), {}, _any, "declared with its types"),
        ((), {"returns": "DOUBLE"}, _any, "has no parameter"),
        (("DOUBLE",), {"returns": "DOUBLE"}, _none, "does not take 1 arrays"),
        (("DOUBLE",), {"returns": "DOUBLE", "name": "a b"}, _any, "cannot be called 'a b'"),
        (("DOUBL",), {"returns": "DOUBLE"}, _any, "the type of x1 is 'DOUBL', which is none"),
        (("DECIMAL(9,2)",), {"returns": "DOUBLE"}, _any, "is DECIMAL(9,2), which is not supported"),
        (("BIGINT",), {"returns": "HUGEINT"}, _any, "its result is HUGEINT, which is not supp"),
        (("BIGINT",), {"returns": "INTERVAL"}, _any, "its result is INTERVAL, which is not supp"),
        (("BIGINT",), {"returns": "BIGINT"}, len, "a builtin_function_or_method cannot be"),
    ],
)
def test_wrong_declarations(
    types: tuple[str, ...], options: dict[str, str], function: Callable[..., object], said: str
) -> None:
    with pytest.raises(UsageError, match=re.escape(said)):
        eau2.native_function(*types, **options)(function)


def _declares(name: str) -> str:
    declared = f'@eau2.native_function("DOUBLE", returns="DOUBLE", name="{name}")'
    return f"import eau2\n\n{declared}\ndef f(x):\n    return x\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1", "the module wrong declares no native function"),
        ("1 / 0", "the module wrong cannot be imported: ZeroDivisionError: division by zero"),
        ("import sys; sys.exit(0)", "the module wrong cannot be imported: SystemExit: 0"),
        ("import absent_one", "cannot be imported: ModuleNotFoundError: No module named"),
        (_declares("sqrt"), "wrong.f is called sqrt, which is a function that eau2 has"),
        (_declares("RANGE"), "wrong.f is called range, which is a function that eau2 has"),
        (_declares("far"), f"wrong.f and {NAME}.far are both called far"),
    ],
)
def test_wrong_modules(folder: Path, text: str, said: str) -> None:
    (folder / "wrong.py").write_text(text)
    with pytest.raises(UsageError, match=re.escape(said)):
        eau2.connect(native_functions=[NAME, "wrong"])
    assert native.names() == ()


@pytest.mark.parametrize("name", ["", ".x", "a b", "x.py"])
def test_what_is_no_name_of_a_module(name: str) -> None:
    with pytest.raises(UsageError, match="is not the name of a module"):
        eau2.connect(native_functions=[name])


def test_a_module_that_is_not_there() -> None:
    for name in ("absent_module", "json.absent_module"):
        with pytest.raises(UsageError, match=f"there is no module {name}"):
            eau2.connect(native_functions=name)


def test_a_node_has_its_own() -> None:
    with pytest.raises(UsageError, match="the node's own"):
        eau2.connect("eau2://127.0.0.1:1", native_functions=["json"])


@pytest.mark.parametrize("module", ["absent_module", "json"])
def test_a_node_does_not_start_with_a_wrong_module(tmp_path: Path, module: str) -> None:
    arguments = ["node", "--data", str(tmp_path / "n1"), "--listen", "127.0.0.1:0"]
    done = subprocess.run(
        [sys.executable, "-m", "eau2", *arguments, "--allow-native-functions", module],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert re.match(rf"Error E6001: (there is no|the) module {module}", done.stderr)
    assert not (tmp_path / "n1").exists()
