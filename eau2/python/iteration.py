"""What loops and comprehensions go over: lists, texts, range(...), enumerate(...), zip(...).

Owns: `Walk`, and how it is read. Comes in: syntax, a Reader, and the way to read expressions. Goes
out: lists, and the names that each round gives values.
Does not know: what a round does.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable

from eau2.operators.expr import Call, Expr, Literal
from eau2.operators.functions import table
from eau2.python import vocabulary
from eau2.python.names import meaning_of
from eau2.python.program import is_simple
from eau2.python.reader import Reader
from eau2.records import Record
from eau2.types import BIGINT, NULL, VARCHAR

Read = Callable[[ast.expr, Reader], Expr]
_ZERO = Literal(BIGINT, 0)


class Walk(Record, frozen=True):
    """What is gone over: lists at once, to the end of the shortest, and what each gives values.

    targets: one for each list. position: the name that counts, beginning with start.
    """

    targets: tuple[ast.expr, ...]
    lists: tuple[Expr, ...]
    position: str | None = None
    start: Expr = _ZERO

    @property
    def is_plain(self) -> bool:
        """Whether there is one list, and nothing counts."""
        return len(self.lists) == 1 and self.position is None

    def counted(self, place: Expr) -> dict[str, Expr]:
        """The value of the name that counts, at a place from 0."""
        if self.position is None:
            return {}
        begun = self.start != _ZERO
        return {self.position: Call(BIGINT, "+", (self.start, place)) if begun else place}


def read_walk(target: ast.expr, over: ast.expr, reader: Reader, read: Read) -> Walk:
    """What a loop or a comprehension goes over. Raises FunctionDefinitionError."""
    match over:
        case ast.Call(func=ast.Name(id="enumerate")) if is_builtin("enumerate", reader):
            return _enumerated(target, over, reader, read)
        case ast.Call(func=ast.Name(id="zip")) if is_builtin("zip", reader):
            return _zipped(target, over, reader, read)
    return Walk((target,), (elements_of(over, reader, read),))


def _enumerated(target: ast.expr, over: ast.Call, reader: Reader, read: Read) -> Walk:
    named = [keyword.value for keyword in over.keywords if keyword.arg == "start"]
    given = [*over.args, *named]
    if not over.args or not 1 <= len(given) <= 2 or len(named) < len(over.keywords):
        raise reader.refuse(
            over, "enumerate takes a list and a start", "Write for i, x in enumerate(xs, 1)."
        )
    inner, *begin = given
    match target:
        case ast.Tuple(elts=[ast.Name(id=position), element]):
            pass
        case _:
            raise reader.refuse(target, "enumerate gives two values", "Write for i, x in ...")
    walk = read_walk(element, inner, reader, read)
    if walk.position is not None:
        raise reader.refuse(inner, "an enumerate inside of another", "Count with one of them.")
    start = read(begin[0], reader) if begin else _ZERO
    if start.type != BIGINT:
        raise reader.refuse(over, "enumerate begins with an int", "Write enumerate(xs, 1).")
    if not is_simple(start):
        raise reader.refuse(over, "enumerate begins with a constant or a name", "Name it before.")
    return Walk(walk.targets, walk.lists, position, start)


def _zipped(target: ast.expr, over: ast.Call, reader: Reader, read: Read) -> Walk:
    if over.keywords:
        raise reader.refuse(
            over.keywords[0].value,
            f"zip with {over.keywords[0].arg}",
            "Write zip(a, b): the shortest list ends it.",
        )
    if len(over.args) < 2 or not isinstance(target, ast.Tuple):
        raise reader.refuse(target, "zip takes several lists", "Write for x, y in zip(xs, ys).")
    if len(target.elts) != len(over.args):
        raise reader.refuse(
            target, f"{len(over.args)} values for {len(target.elts)} names", "Name each of them."
        )
    return Walk(tuple(target.elts), tuple(elements_of(arg, reader, read) for arg in over.args))


def elements_of(node: ast.expr, reader: Reader, read: Read) -> Expr:
    """What a loop goes over, as a list. Raises FunctionDefinitionError."""
    if is_range(node, reader):
        return read_range(node, reader, read)
    lists = read(node, reader)
    if lists.type == VARCHAR:
        lists = vocabulary.call("list", [lists], reader.where(node))
    if not lists.type.is_list:
        hint = "Loops go over lists, texts and range(...)."
        if lists.type == NULL:
            hint = "Where a list begins empty, say what it will hold: out: list[str] = []."
        raise reader.refuse(node, f"{vocabulary.name_of(lists.type)} is not a list", hint)
    return lists


def is_builtin(name: str, reader: Reader) -> bool:
    """Whether a name means the builtin of Python's."""
    if name in reader.env:
        return False
    meaning = reader.names(name)
    return meaning is None or meaning == meaning_of(getattr(builtins, name), name)


def is_range(node: ast.expr, reader: Reader) -> bool:
    """Whether it is a call of range."""
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "range"
        and is_builtin("range", reader)
    )


def range_ends(node: ast.expr, reader: Reader, read: Read) -> tuple[Expr, Expr, Expr]:
    """Start, stop and step of range(...)."""
    assert isinstance(node, ast.Call)
    if not 1 <= len(node.args) <= 3 or node.keywords:
        raise reader.refuse(node, "range takes one to three numbers", "Write range(start, stop).")
    args = [read(arg, reader) for arg in node.args]
    for arg, written in zip(args, node.args, strict=True):
        if arg.type != BIGINT:
            raise reader.refuse(written, f"range takes int, not {arg.type}")
    if len(args) == 1:
        args = [vocabulary.literal(0), *args]
    if len(args) == 2:
        args = [*args, vocabulary.literal(1)]
    return args[0], args[1], args[2]


def read_range(node: ast.expr, reader: Reader, read: Read) -> Expr:
    """range(...) as a list of int."""
    return table.bind("range", range_ends(node, reader, read))


def length_of(lists: Expr, where: str) -> Expr:
    """How many elements a list has: a constant where that is known."""
    match lists:
        case Call(function="range", args=args):
            ends = [end for end in map(number_of, args) if end is not None]
            if len(ends) == len(args) == 3 and ends[2]:
                return Literal(BIGINT, len(range(*ends)))
    return vocabulary.call("len", [lists], where)


def number_of(expr: Expr) -> int | None:
    """A constant whole number; None for anything else."""
    value = expr.value if isinstance(expr, Literal) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def times(one: Expr, other: Expr, where: str) -> Expr:
    """The product of two numbers of rounds."""
    return vocabulary.binary("*", one, other, where)
