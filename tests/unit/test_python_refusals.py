"""What is outside the subset of Python is refused: with place, reason, and what to write."""

from __future__ import annotations

import importlib.util
import textwrap
from pathlib import Path

import pytest

from eau2.errors import FunctionDefinitionError, ProgrammingError

HEAD = "import datetime\nimport math\nimport eau2\nfrom eau2.math import count, max, sum\n"
FIRST_LINE = 5


def defined(text: str, folder: Path) -> None:
    """Run a program with the text in it, as a user would."""
    path = folder / "app.py"
    path.write_text(HEAD + textwrap.dedent(text).lstrip("\n"))
    spec = importlib.util.spec_from_file_location("app", path)
    assert spec is not None
    assert spec.loader is not None
    spec.loader.exec_module(importlib.util.module_from_spec(spec))


def function(body: str, signature: str = "x: int) -> int") -> str:
    """A function of one body."""
    lines = textwrap.indent(textwrap.dedent(body).strip("\n"), "    ")
    return f"@eau2.function\ndef f({signature}:\n{lines}\n"


CASES: dict[str, tuple[str, str, str, str]] = {
    # name: (program, line, what is underlined, part of the hint)
    "while": (
        function("while x > 0:\n    x -= 1\nreturn x"),
        "a while loop",
        "while",
        "range(100)",
    ),
    "try": (
        function("try:\n    return x\nexcept ValueError:\n    return 0"),
        "caught",
        "try",
        "b == 0",
    ),
    "print": (
        function("print(x)\nreturn x"),
        "print is not there",
        "print",
        "return what you want",
    ),
    "lambda": (function("return (lambda y: y)(x)"), "called", "lambda y: y", ""),
    "nested": (
        function("def g(y):\n    return y\nreturn g(x)"),
        "inside a function",
        "def g",
        "outside",
    ),
    "a constant whose text shows": (
        function("y = 0 if x > 2 else 2.5\nreturn len(str(y))"),
        "0 stands beside floats",
        "def f",
        "Write 0.0 in f (app.py, line 7)",
    ),
    "a constant whose text shows in a list": (
        function("return len(f'{[1, 2.5]}')"),
        "write 1 and not 1.0",
        "def f",
        "Write 1.0",
    ),
    "unbound": (function("if x > 3:\n    y = 1\nreturn y"), "one branch only", "y", "y = None"),
    "untyped": ("@eau2.function\ndef f(x):\n    return x\n", "has no type", "x", "x: int"),
    "unreturned": (
        "@eau2.function\ndef f(x: int):\n    return x\n",
        "what it returns",
        "def f",
        "-> float",
    ),
    "default": (
        function("return x", "x: int = datetime.date(2020, 1, 1)) -> int"),
        "the default of x is declared int, but it is datetime.date",
        "datetime.date(2020, 1, 1)",
        "declare datetime.date",
    ),
    "default object": (
        function("return x", "x: int = eau2) -> int"),
        "of type module",
        "eau2",
        "None, bool, int",
    ),
    "default dict": (
        function("return x", "x: int = {1: 2}) -> int"),
        "of type dict",
        "{1: 2}",
        "None, bool",
    ),
    "starred": (function("return 1", "*x: int) -> int"), "simply named", "x: int", "by position"),
    "complex": (function("return 1", "x: complex) -> int"), "no type", "complex", "Types are int"),
    "result": (function("return x", "x: int) -> str"), "declared str", "x", "str(...)"),
    "branches": (
        function("return x if x > 3 else 2.5", "x: int) -> float"),
        "int and float",
        "x if",
        "float(...)",
    ),
    "recursion": (function("return f(x - 1)"), "calls itself", "f", "WITH RECURSIVE"),
    "dict": (function("return {1: x}[x]"), "a dict", "{1: x}", "constant"),
    "format": (
        function("return s.format(1)", "s: str) -> str"),
        "format()",
        "s.format(1)",
        "f-string",
    ),
    "percent": (function("return '%d' % x", "x: int) -> str"), "%", "'%d' % x", "f-string"),
    "mixed": (function("return s + 1", "s: str) -> str"), "str and int", "s + 1", "str(...)"),
    "state": (
        function("t = 0\nfor y in xs:\n    t += y\nreturn t", "xs: list[float]) -> float"),
        "t is int before the loop and float in it",
        "for y in xs:",
        "t = 0.0",
    ),
    "today": (
        function("return datetime.date.today().year"),
        "today is not there",
        "datetime.date.today",
        "argument",
    ),
    "isinstance": (
        function("return isinstance(x, int)", "x: int) -> bool"),
        "isinstance",
        "isinstance",
        "is None",
    ),
    "global": (function("global y\nreturn x"), "change nothing outside", "global y", "argument"),
    "store": (
        function("xs[0] = 1\nreturn 1", "xs: list[int]) -> int"),
        "never change",
        "xs[0]",
        "new list",
    ),
    "walrus": (
        function("return (y := x) + y"),
        "inside an expression",
        "y := x",
        "line of its own",
    ),
    "aggregate": (function("return sum(x)"), "aggregate function", "sum(x)", "@eau2.aggregate"),
    "module": (
        function("return os.getpid()").replace("@eau2", "import os\n@eau2", 1),
        "os",
        "os.getpid",
        "math",
    ),
    "plain": (
        "def g(x):\n    return x\n" + function("return g(x)"),
        "not compiled",
        "g",
        "@eau2.function",
    ),
}


UNROLLED = function(
    """
    t = 0
    for a in range(60):
        for b in range(60):
            for c in range(60):
                if t > a:
                    t += b
    return t
    """
)


@pytest.mark.parametrize("name", sorted(CASES))
def test_a_refusal_says_where_why_and_what_to_write(name: str, tmp_path: Path) -> None:
    program, reason, marked, hint = CASES[name]
    with pytest.raises(FunctionDefinitionError) as caught:
        defined(program, tmp_path)
    error = caught.value
    assert isinstance(error, ProgrammingError)
    assert reason in error.message
    assert hint in (error.hint or "")
    lines = error.render().splitlines()
    assert lines[0].startswith(f"{tmp_path / 'app.py'}: f cannot be compiled: ")
    shown = lines[1].partition(": ")[2]
    number = int(lines[1].removeprefix("line ").partition(":")[0])
    assert (HEAD + textwrap.dedent(program).lstrip("\n")).splitlines()[number - 1].rstrip() == shown
    start, stop = lines[2].index("^"), lines[2].rindex("^") + 1
    assert lines[1][start:stop].startswith(marked.splitlines()[0][: stop - start])


def test_a_large_loop_is_no_trap(tmp_path: Path) -> None:
    # It is compiled as loops inside of a loop, at once.
    defined(UNROLLED, tmp_path)


AGGREGATES: dict[str, tuple[str, str]] = {
    "gathers nothing": ("@eau2.aggregate\ndef g(x: float) -> float:\n    return x + 1\n", "sum(x)"),
    "mixes values of rows": (
        "@eau2.aggregate\ndef g(x: float) -> float:\n    return sum(x) + x\n",
        "inside an aggregate",
    ),
    "an aggregate of an aggregate": (
        "@eau2.aggregate\ndef g(x: float) -> float:\n    return max(sum(x))\n",
        "twice",
    ),
}


@pytest.mark.parametrize("reason", sorted(AGGREGATES))
def test_aggregates_that_are_refused(reason: str, tmp_path: Path) -> None:
    program, hint = AGGREGATES[reason]
    with pytest.raises(FunctionDefinitionError, match=reason) as caught:
        defined(program, tmp_path)
    assert hint in (caught.value.hint or "")


CLASS = """
@eau2.aggregate
class Gathered:
    t: float
    n: int
    def init(self):
        self.t = 0.0
        self.n = 0
    def step(self, x: float):
        self.t += x
        self.n += 1
    def merge(self, other):
        self.t += other.t
        self.n += other.n
    def finish(self) -> float:
        return self.t / self.n if self.n else None
"""

CLASSES: dict[str, tuple[str, str, str]] = {
    # what is changed, into what, and the reason
    "decaying": ("self.t += x", "self.t = self.t * 0.5 + x", "is no aggregate that merges"),
    "merge": ("self.t += other.t", "self.t -= other.t", "merging is not stepping on"),
    "forgotten": ("        self.n += other.n\n", "", "merging is not stepping on"),
    "begin": ("self.t = 0.0", "self.t = 1.0", "must begin with 0"),
    "init": ("        self.n = 0\n", "", "init gives self.n no value"),
    "untyped": ("    t: float\n    n: int\n", "", "it has no state"),
    "method": (
        "    def merge(self, other):",
        "    def join(self, other):",
        "it has no method merge",
    ),
    "finish": (
        " -> float:\n        return self.t /",
        ":\n        return self.t /",
        "what it returns",
    ),
    "raises": ("self.n += 1", "self.n += 1\n        assert x < 9", "it raises AssertionError"),
}


def test_the_class_that_is_changed_is_one(tmp_path: Path) -> None:
    defined(CLASS, tmp_path)


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_classes_that_are_refused(name: str, tmp_path: Path) -> None:
    old, new, reason = CLASSES[name]
    assert old in CLASS
    with pytest.raises(FunctionDefinitionError) as caught:
        defined(CLASS.replace(old, new, 1), tmp_path)
    assert reason in caught.value.message
    assert "app.py" in caught.value.render()
