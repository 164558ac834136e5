"""Loops and comprehensions over several lists, unpacking, append, guards: as CPython does them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import eau2
from eau2.config import LIMITS
from eau2.errors import FunctionDefinitionError, FunctionFailedError
from tests.python.comparing import defined, difference
from tests.python.programs import Program

INTS, TEXTS = [3, 1, 0, 4], ["a", "b=1", ""]
HEAD = "def f(xs: list[int], ys: list[str], n: int, s: str)"
PARAMETERS = (("xs", "list[int]"), ("ys", "list[str]"), ("n", "int"), ("s", "str"))
ROWS: tuple[tuple[Any, ...], ...] = (
    (INTS, TEXTS, 2, "a,b,c"),
    ([], [], 0, ""),
    ([5], ["x", "y"], -7, "a,b"),
    ([1, None, 2], ["u", None], 3, "xy"),
    (None, ["u"], None, "u,v"),
    ([1, 2], None, 1, None),
    (None, None, 50, "ab"),
)


@pytest.fixture(scope="module")
def connection() -> Iterator[eau2.Connection]:
    with eau2.connect() as made:
        made.execute("SET chunk_rows = 2")
        yield made


def text_of(result: str, *lines: str) -> str:
    return "\n    ".join([f"{HEAD} -> {result}:", *lines]) + "\n"


EQUAL: dict[str, tuple[str, tuple[str, ...]]] = {
    # Loops
    "enumerate": ("int", ("t = 0", "for i, x in enumerate(xs):", "    t += i * x", "return t")),
    "a start": ("int", ("t = 0", "for i, x in enumerate(xs, 5):", "    t += i * x", "return t")),
    "a start by name": (
        "str",
        ("t = ''", "for i, y in enumerate(s, start=n):", "    t += f'{i}{y}'", "return t"),
    ),
    "zip": ("str", ("t = ''", "for x, y in zip(xs, ys):", "    t += f'{x}{y}'", "return t")),
    "zip of three": (
        "str",
        ("t = ''", "for x, y, z in zip(xs, s, range(n)):", "    t += f'{x}{y}{z}'", "return t"),
    ),
    "enumerate of zip": (
        "str",
        ("t = ''", "for i, (x, y) in enumerate(zip(xs, ys), 1):", "    t += f'{i}{x}{y}'",
         "return t"),
    ),
    "a name twice": (
        "str", ("t = ''", "for y, y in zip(xs, ys):", "    t += f'{y}'", "return t"),
    ),
    "zip left early": (
        "int",
        ("for i, (x, y) in enumerate(zip(xs, ys)):", "    if x == 1:", "        return i",
         "return -1"),
    ),
    "zip of written lists": (
        "int", ("t = 0", "for x, y in zip([1, 2], [n, n]):", "    t += x * y", "return t"),
    ),
    "a list changed by the loop itself": (
        "int", ("t = 0", "for x, y in zip(xs, xs):", "    xs = [1]", "    t += x + y", "return t"),
    ),
    "pairs": (
        "str",
        ("t = ''", "for k, v in [[y, s] for y in ys]:", "    t += f'{k}{v}'", "return t"),
    ),
    # Comprehensions
    "enumerate inside": ("list[int]", ("return [i * x for i, x in enumerate(xs, n) if x if i]",)),
    "places stay": ("list[int]", ("return [i for i, x in enumerate(xs) if x < 4 if 5 // x > 1]",)),
    "zip inside": ("list[str]", ("return [f'{x}{y}' for x, y in zip(xs, ys) if x or y]",)),
    "zip of a list and its rest": ("list[int]", ("return [b - a for a, b in zip(xs, xs[1:])]",)),
    "zip in a generator": ("int", ("return sum(x * n for x, _ in zip(xs, ys))",)),
    "two lists": ("list[str]", ("return [f'{x}{y}' for x in xs for y in ys]",)),
    "two lists and conditions": (
        "list[int]", ("return [x * y for x in xs if x for y in range(3) if y != x if 6 // x]",),
    ),
    "the inner depends": ("list[int]", ("return [y for x in xs for y in range(x) if y != 1]",)),
    "three lists": (
        "list[str]", ("return [f'{x}{y}{z}' for x in range(2) for y in ys for z in y.split('=')]",),
    ),
    "zip in zip": (
        "list[int]",
        ("return [x * b for x, y in zip(xs, ys) for a, b in enumerate(range(x)) if a]",),
    ),
    "none inside": (
        "list[str]", ("return [z for y in ys for z in y.split('=') if z]",),
    ),
    "a local of the same name": ("int", ("x = 7", "t = sum([x for x in xs for _ in xs])",
                                         "return x + t")),
    # Unpacking
    "split": ("str", ("a, b = s.split(',', 1)", "return b + a")),
    "exactly": ("str", ("a, b, c = ys", "return f'{a}{b}{c}'")),
    "letters": ("str", ("a, b = s", "return b + a")),
    "a range": ("int", ("a, b = range(n)", "return a - b")),
    "brackets": ("str", ("[a, b] = ys", "return f'{a}{b}'")),
    "a rest": ("list[int]", ("a, *r = xs", "return r + [a]")),
    "a rest in between": ("list[int]", ("a, *r, b = xs", "return [b] + r + [a]")),
    "a rest at first": ("list[int]", ("*r, a, b = xs", "return [b, a] + r")),
    "a rest of a display": ("list[int]", ("a, *r, b = n, 2, 3, n", "return r + [a, b]")),
    "an empty rest": ("list[int]", ("a, *r = [n]", "return [1, 2, a]")),
    "swapped": ("int", ("a, b = n, 1", "a, b = b, a", "return a * 2 + b % 7 if n else 0")),
    "only where it is reached": (
        "str", ("if len(ys) != 2:", "    return s", "a, b = ys", "return f'{a}{b}'"),
    ),
    "unread": ("int", ("a, b = ys", "return 1")),
    "divmod": ("int", ("q, r = divmod(n, 7)", "return q % 100 * 10 + r")),
    "divmod by a name": ("int", ("q, r = divmod(100, n)", "return q - r")),
    "divmod of floats": ("float", ("q, r = divmod(n / 2, 0.7)", "return q - r")),
    "divmod by a float": ("float", ("q, r = divmod(7.5, n * 1.0)", "return q - r")),
    "divmod indexed": ("int", ("return divmod(n, 5)[0] % 9 + divmod(-100, n)[1]",)),
    # Changing lists
    "append": ("list[int]", ("out = []", "for x in xs:", "    out.append(x)", "return out")),
    "append in a branch": (
        "list[int]",
        ("out = []", "for x in xs:", "    if x > 1:", "        out.append(x * 2)", "return out"),
    ),
    "append without a loop": ("list[int]", ("out = [n]", "out.append(1)", "return out")),
    "append in two loops": (
        "list[int]",
        ("out = []", "for i in range(2):", "    for x in xs:", "        out.append(x + i)",
         "return out"),
    ),
    "what is seen already": (
        "list[int]",
        ("seen = []", "for x in xs + xs:", "    if x not in seen:", "        seen.append(x)",
         "return seen"),
    ),
    "extend": ("list[str]", ("out = ['a']", "out.extend(ys)", "out.extend(s)", "return out")),
    "extend by itself": ("list[int]", ("out = [n]", "out.extend(out)", "return out + out")),
    "plus": ("list[int]", ("out = []", "for x in xs:", "    out += [x, n]", "return out")),
    "times": ("list[int]", ("out = sorted(xs[:2])", "out *= 2", "return out")),
    "a slice may be changed": ("int", ("out = xs[:]", "out.append(1)", "return len(xs)")),
    "what is read is counted": (
        "list[int]",
        ("out = [0]", "for i, x in enumerate(xs):", "    out.append(len(out) + out[i])",
         "return out if n else out[:1]"),
    ),
    "lists of lists": (
        "int",
        ("rows = []", "for x in xs:", "    rows.append([x, n])",
         "return len(rows) + sum([len(row) for row in rows])"),
    ),
    "left early": (
        "list[int]",
        ("out = []", "for x in xs:", "    if x == 0:", "        break", "    out.append(6 // x)",
         "return out"),
    ),
    # Patterns
    "a guard": (
        "str",
        ("match n:", "    case 2:", "        return 'two'", "    case m if m < 0:",
         "        return f'-{m}'", "    case _:", "        return f'{n}'"),
    ),
    "the name stays": (
        "str",
        ("m = 5", "match n:", "    case 2:", "        return f'{m}'", "    case m if m < 0:",
         "        return f'-{m}'", "    case 0:", "        return f'zero {m}'", "return f'{m}'"),
    ),
    "a name that a pattern gives in a loop": (
        "int",
        ("m = 0", "for x in xs:", "    match x:", "        case 1:", "            pass",
         "        case m if m < 4:", "            pass", "return m"),
    ),
    "a guard after a guard": (
        "int",
        ("match n:", "    case a if a < 0:", "        r = a", "    case b if 10 // b > 3:",
         "        r = b * 2", "    case c:", "        r = 1", "return r"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", EQUAL)
def test_it_is_as_in_cpython(name: str, connection: eau2.Connection) -> None:
    result, lines = EQUAL[name]
    program = Program(text_of(result, *lines), PARAMETERS, result, ROWS)
    assert difference(program, connection) is None


BY_ZERO = "ZeroDivisionError: integer division or modulo by zero"
RAISED: dict[str, tuple[tuple[str, ...], str]] = {
    "few": (
        ("a, b = s.split(',')", "return a"),
        "ValueError: not enough values to unpack (expected 2, got 1)",
    ),
    "many": (
        ("a, b = s + 'xyz'", "return a"),
        "ValueError: too many values to unpack (expected 2)",
    ),
    "few for a rest": (
        ("a, b, *c = ys", "return a"),
        "ValueError: not enough values to unpack (expected at least 2, got 1)",
    ),
    "divmod": (("q, r = divmod(n, n - 1)", "return str(r)"), BY_ZERO),
    "the rest": (("return str(divmod(n, n - 1)[1])",), BY_ZERO),
    "floats": (
        ("q, r = divmod(n / 1, n - 1)", "return str(q)"),
        "ZeroDivisionError: float divmod()",
    ),
    "counting from none": (
        ("k = len(xs)", "for i, x in enumerate(s, k):", "    s = x", "return s"),
        "TypeError: 'NoneType' object cannot be interpreted as an integer",
    ),
    "none in zip": (
        ("for x, z in zip(s, xs):", "    s = z", "return s"),
        "TypeError: 'NoneType' object is not iterable",
    ),
}


@pytest.mark.parametrize("name", RAISED)
def test_it_raises_what_cpython_raises(name: str, connection: eau2.Connection) -> None:
    lines, message = RAISED[name]
    text = text_of("str", *lines).replace("xs: list[int]", "xs: list[str]")
    connection.register_function(defined(text))
    with pytest.raises(FunctionFailedError) as caught:
        connection.sql("SELECT f(NULL, ['u'], 1, 'u')").fetchall()
    assert caught.value.message.startswith(f"{message}, in f, line ")


REFUSED: dict[str, tuple[tuple[str, ...], str, str]] = {
    # name: (statements, reason, hint)
    "a parameter": (("xs.append(1)", "return 1"), "a list of the caller's", "xs = xs + [x]"),
    "a parameter by plus": (("xs += [1]", "return 1"), "a list of the caller's", "xs = xs + [x]"),
    "another name before": (
        ("out = xs", "out.append(1)", "return len(xs)"), "line 2 it may be another", "out + [x]"),
    "another name after": (
        ("out = [n]", "two = out", "out.append(1)", "return len(two)"), "line 3 keeps it", "out"),
    "another name in a later round": (
        ("out = [n]", "two = [n]", "for x in xs:", "    out.append(x)", "    two = out",
         "return len(two)"), "line 6 keeps it", "out"),
    "two names at once": (
        ("out = two = []", "out.append(1)", "return len(two)"), "may be another", "out"),
    "within a list": (
        ("out = [n]", "rows = [out]", "out.append(1)", "return len(rows[0])"), "keeps it", "out"),
    "put into a list": (
        ("out = [n]", "rows = [[1]]", "rows.append(out)", "out.append(1)", "return len(rows[1])"),
        "keeps it", "out"),
    "an element": (
        ("rows = [[1]]", "row = rows[0]", "row.append(1)", "return len(rows[0])"),
        "may be another", "row"),
    "an element of a loop": (
        ("rows = [[1]]", "for row in rows:", "    row.append(1)", "return len(rows[0])"),
        "may be another", "row"),
    "an or": (("out = xs or [1]", "out.append(1)", "return len(xs)"), "may be another", "out"),
    "kept by an or": (
        ("out = [n]", "two = out or xs", "out.append(1)", "return len(two)"), "keeps it", "out"),
    "kept by a branch": (
        ("out = [n]", "two = out if n else xs", "out.append(1)", "return len(two)"),
        "keeps it", "out"),
    "a branch": (
        ("out = [1] if n else xs", "out.append(1)", "return len(xs)"), "may be another", "out"),
    "a rest": (
        ("a, *out = xs", "out.append(1)", "return len(out)"), "may be another", "out"),
    "unpacked": (
        ("out, two = xs, xs", "out.append(1)", "return len(two)"), "may be another", "out"),
    "a pattern": (
        ("out = [n]", "match out:", "    case two:", "        out.append(1)", "return len(two)"),
        "keeps it", "out"),
    "the list gone over": (
        ("out = [n]", "for x in out:", "    out.append(x)", "return 1"), "loop over it", "out"),
    "the list gone over by zip": (
        ("out = [n]", "for x, y in zip(xs, out):", "    out += [x]", "return 1"), "over", "out"),
    "a generator": (
        ("out = [n]", "out.extend(x for x in out)", "return 1"), "a generator", "comprehension"),
    "strict": (("return [x for x, y in zip(xs, ys, strict=True)][0]",), "zip with strict", "short"),
    "one list": (("return [x for x in zip(xs)][0]",), "several lists", "zip(xs, ys)"),
    "names for zip": (("return [x for x, y, z in zip(xs, ys)][0]",), "2 values for 3", "Name"),
    "one name for enumerate": (("return [x for x in enumerate(xs)][0]",), "two values", "for i, x"),
    "enumerate of enumerate": (
        ("return [i for i, (j, x) in enumerate(enumerate(xs))][0]",), "inside of another", ""),
    "a start that is computed": (
        ("return [i for i, x in enumerate(xs, n + 1)][0]",), "a constant or a name", "Name it"),
    "a start of no int": (("return [i for i, x in enumerate(xs, 1.5)][0]",), "an int", "1"),
    "enumerate as a value": (("xs = enumerate(xs)", "return 1"), "enumerate is not", "compre"),
    "zip as a value": (("xs = zip(xs, ys)", "return 1"), "zip is not there", "comprehension"),
    "divmod as a value": (("a = divmod(n, 2)", "return 1"), "divmod is not there", "q, r ="),
    "divmod by a name's index": (("return divmod(n, 2)[n]",), "gives two values", "[0]"),
    "divmod of texts": (("q, r = divmod(s, 2)", "return 1"), "divmod is not defined", "numbers"),
    "an int unpacked": (("a, b = n", "return 1"), "is not a list", ""),
    "a wrong number": (("a, b = 1, 2, 3", "return 1"), "3 values for 2 names", ""),
    "a part of a list": (("xs[0], b = 1, 2", "return 1"), "values never change", "new list"),
    "too many rounds": (
        ("t = 0", "for i in range(5_000):", "    for j in range(5_000):", "        t += j",
         "return t"), "25,000,000 rounds", "Join"),
    "a list that becomes another": (
        ("out = []", "for x in xs:", "    out.append(x)", "    out.append(s)", "return 1"),
        "one type", ""),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused(name: str) -> None:
    lines, reason, hint = REFUSED[name]
    with pytest.raises(FunctionDefinitionError) as caught:
        defined(text_of("int", *lines))
    assert reason in caught.value.message
    assert hint in (caught.value.hint or "")


SQUARED = ("t = 0", "for i in range(n):", "    for j in range(n):", "        t += 1", "return t")
PAIRS = ("return len([x for x in range(n) for y in range(n)])",)
DEPENDENT = ("return len([x for x in range(n) for y in range(n * x // x)])",)


@pytest.mark.parametrize("lines", [SQUARED, PAIRS, DEPENDENT], ids=["loops", "pairs", "dependent"])
def test_loops_inside_of_loops_are_bounded(
    lines: tuple[str, ...], connection: eau2.Connection
) -> None:
    connection.register_function(defined(text_of("int", *lines).replace("// x", "// (x + 1)")))
    ((found,),) = connection.sql("SELECT f([], [], 12, '')").fetchall()
    assert found in (144, sum(12 * x // (x + 1) for x in range(12)))
    with pytest.raises(FunctionFailedError, match=r"at most .* are supported, in f, line \d") as e:
        connection.sql("SELECT f([], [], 5000, '')").fetchall()
    assert e.value.code == "E2007"


def test_three_loops_are_bounded_together(connection: eau2.Connection) -> None:
    lines = ("t = 0", "for i in range(n):", "    for j in range(n):", "        for k in range(n):",
             "            t += 1", "return t")  # fmt: skip
    connection.register_function(defined(text_of("int", *lines)))
    count = round(LIMITS.function_nested_rounds ** (1 / 3)) + 1
    assert connection.sql("SELECT f([], [], 4, '')").fetchall() == [(64,)]
    with pytest.raises(FunctionFailedError, match="loops inside of one another"):
        connection.sql(f"SELECT f([], [], {count}, '')").fetchall()


@eau2.function
def total(n: int) -> int:
    t = 0
    for i in range(n):
        t += i
    return t


@eau2.function
def totals(n: int) -> int:
    t = 0
    for _ in range(n):
        t += total(n)
    return t


@eau2.function
def kept(n: int, xs: list[int]) -> list[int]:
    return xs


def test_the_loops_of_a_function_that_is_called_count(connection: eau2.Connection) -> None:
    connection.register_function(totals)
    assert connection.sql("SELECT totals(10)").fetchall() == [(450,)]
    with pytest.raises(FunctionFailedError, match=r"25,000,000 rounds.* in totals"):
        connection.sql("SELECT totals(5000)").fetchall()


def test_a_function_may_give_back_the_list_that_it_got() -> None:
    with pytest.raises(FunctionDefinitionError, match="may be another list"):

        @eau2.function
        def given(xs: list[int]) -> int:
            out = kept(1, xs)
            out.append(1)
            return len(xs)

    with pytest.raises(FunctionDefinitionError, match="keeps it"):

        @eau2.function
        def handed(xs: list[int]) -> int:
            out = [1]
            two = kept(1, out)
            out.append(1)
            return len(two)
