"""Random functions in the subset of Python, and random rows to run them on.

Owns: `Program`, and `make`, which writes one. Comes in: a source of chance. Goes out: source text
that compiles unless the subset refuses it, typed parameters, rows. Does not know: how it is run.

What is written is typed as it is made: an expression is asked for by its type, over the locals that
surely have a value of it.
"""

from __future__ import annotations

import datetime
import math
import random
import re
from collections.abc import Callable
from typing import Any

from eau2.records import Record, Struct, field
from tests.python.forms import FORMS

Value = Any
Row = tuple[Value, ...]

TYPES = ("int", "float", "bool", "str", "list[int]", "list[str]", "datetime.date")
_SCALARS = ("int", "float", "bool", "str")
_TEXTS = ("", "a", "Ab", " x ", "12", "-7", "3.5", "ß", "İi", "naïve", "a,b,,c", "😀z", "é", "0")
_INTS = (0, 1, -1, 2, 3, 5, 7, -4, 10, 63, 100, 2**31, -(2**31), 2**53 + 1, 2**63 - 1, -(2**63))
_FLOATS = (
    0.0,
    -0.0,
    1.0,
    -1.5,
    0.1,
    2.5,
    3.5,
    1e300,
    -1e300,
    5e-324,
    math.inf,
    -math.inf,
    math.nan,
)


class Program(Record, frozen=True):
    """A function: its text, the types of its parameters and of its result, and rows for it."""

    text: str
    parameters: tuple[tuple[str, str], ...]
    result: str
    rows: tuple[Row, ...]

    @property
    def calls(self) -> str:
        """What it looks like, for a message."""
        return f"{self.text}\nrows = {list(self.rows)!r}"


def make(chance: random.Random) -> Program:
    """A random program."""
    return _Writer(chance).program()


class _Writer(Struct):
    """A function while it is written. known: names that have a value, with their types."""

    chance: random.Random
    known: dict[str, str] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    names: int = 0
    loops: int = 0
    dicts: tuple[str, ...] = ("CODES",)

    def program(self) -> Program:
        """The whole of it."""
        chance = self.chance
        count = chance.choice((1, 1, 2, 2, 3))
        parameters = tuple((f"p{n}", chance.choice(TYPES)) for n in range(count))
        self.known = dict(parameters)
        result = chance.choice(TYPES[:5])
        written = [f"{name}: {type_}" for name, type_ in parameters]
        for _ in range(chance.choice((0, 0, 0, 0, 1, 2))):
            # What has a default is left out of every call.
            name, type_ = f"q{len(self.known)}", chance.choice(TYPES)
            written.append(f"{name}: {type_} = {self.literal(type_)}")
            self.known[name] = type_
        self.lines = [f"def f({', '.join(written)}) -> {result}:"]
        if chance.random() > 0.7:
            self.line(1, f"codes = {self.display()}")
            self.dicts = ("codes", *self.dicts)
        self.block(1, result, chance.randrange(1, 4), True)
        rows = tuple(
            tuple(self.value(type_) for _, type_ in parameters)
            for _ in range(chance.choice((1, 4, 9)))
        )
        return Program("\n".join(self.lines) + "\n", parameters, result, rows)

    # Values

    def value(self, type_: str) -> Value:
        """A value of a column; now and then there is none."""
        chance = self.chance
        if chance.random() < 0.15:
            return None
        match type_:
            case "int":
                return chance.choice(_INTS) if chance.random() < 0.4 else chance.randrange(-20, 21)
            case "float":
                small = chance.randrange(-80, 81) / chance.choice((1, 4, 10))
                return chance.choice(_FLOATS) if chance.random() < 0.4 else small
            case "bool":
                return chance.random() < 0.5
            case "str":
                return chance.choice(_TEXTS)
            case "list[int]" | "list[str]":
                element = type_[5:-1]
                return [self.value(element) for _ in range(chance.randrange(4))]
        return datetime.date(2000, 1, 1) + datetime.timedelta(chance.randrange(-400, 9000))

    # Statements

    def block(self, indent: int, result: str, count: int, last: bool) -> None:
        """Some statements; the last block of the function may end it."""
        for _ in range(count):
            self.statement(indent, result)
        if last and self.chance.random() < 0.95:
            self.line(indent, f"return {self.expression(result, 3)}")
        elif not last and not self.lines[-1].startswith("    " * indent):
            self.line(indent, "pass")

    def line(self, indent: int, text: str) -> None:
        """Write one line."""
        self.lines.append("    " * indent + text)

    def statement(self, indent: int, result: str) -> None:
        """One statement, with what is inside it."""
        kinds: list[Callable[[int, str], None]] = [
            self.assign,
            self.assign,
            self.augment,
            self.branch,
        ]
        if indent < 4:
            kinds += [self.branch, self.early, self.match]
            if not self.loops or (self.loops == 1 and self.chance.random() < 0.2):
                kinds += [self.over_range, self.over_list]
        if self.loops and indent > 2:
            kinds += [self.jump]
        self.chance.choice(kinds)(indent, result)

    def fresh(self) -> str:
        """A new name."""
        self.names += 1
        return f"v{self.names}"

    def assign(self, indent: int, result: str) -> None:
        """A local gets a value."""
        locals_ = [name for name in self.known if name.startswith("v")]
        if locals_ and self.chance.random() < 0.4:
            name = self.chance.choice(locals_)
            self.line(indent, f"{name} = {self.expression(self.known[name], 2)}")
            return
        type_ = self.chance.choice(TYPES)
        name = self.fresh()
        self.line(indent, f"{name} = {self.expression(type_, 2)}")
        self.known[name] = type_

    def augment(self, indent: int, result: str) -> None:
        """A local is changed by an operator."""
        locals_ = [
            n for n, t in self.known.items() if n.startswith("v") and t in ("int", "float", "str")
        ]
        if not locals_:
            return self.assign(indent, result)
        name = self.chance.choice(locals_)
        type_ = self.known[name]
        sign = "+" if type_ == "str" else self.chance.choice(("+", "-", "*"))
        self.line(indent, f"{name} {sign}= {self.expression(type_, 1)}")
        return None

    def inner(self, indent: int, result: str, count: int) -> None:
        """A block after which no name is known that was not before."""
        before = dict(self.known)
        self.block(indent, result, count, False)
        self.known = before

    def branch(self, indent: int, result: str) -> None:
        """If, perhaps with elif and else."""
        if indent >= 4:
            return self.assign(indent, result)
        self.line(indent, f"if {self.test()}:")
        self.inner(indent + 1, result, self.chance.randrange(1, 3))
        if self.chance.random() < 0.3:
            self.line(indent, f"elif {self.test()}:")
            self.inner(indent + 1, result, 1)
        if self.chance.random() < 0.5:
            self.line(indent, "else:")
            self.inner(indent + 1, result, 1)
        return None

    def early(self, indent: int, result: str) -> None:
        """A way out of the function."""
        self.line(indent, f"if {self.test()}:")
        exits = [f"return {self.expression(result, 2)}"] * 4 + [
            "return None",
            "raise ValueError('no')",
        ]
        self.line(indent + 1, self.chance.choice(exits))

    def jump(self, indent: int, result: str) -> None:
        """A way out of a loop's round."""
        self.line(indent, f"if {self.test()}:")
        self.line(indent + 1, self.chance.choice(("break", "continue")))

    def match(self, indent: int, result: str) -> None:
        """A match on literals."""
        type_ = self.chance.choice(("int", "str"))
        self.line(indent, f"match {self.expression(type_, 1)}:")
        for _ in range(self.chance.randrange(1, 3)):
            patterns = " | ".join({self.literal(type_) for _ in range(self.chance.randrange(1, 3))})
            self.line(indent + 1, f"case {patterns}:")
            self.inner(indent + 2, result, 1)
        self.line(indent + 1, "case _:")
        self.inner(indent + 2, result, 1)

    def over_range(self, indent: int, result: str) -> None:
        """A loop over a range, of which the rounds are written out or not."""
        long = () if self.loops else ("70",)
        bound = self.chance.choice(("3", "5", "1, 4", "6, 0, -2", *long))
        self.loop(indent, result, "int", f"range({bound})")

    def over_list(self, indent: int, result: str) -> None:
        """A loop over the elements of a list."""
        type_ = self.chance.choice(("int", "str"))
        if self.chance.random() < 0.2:
            over = self.chance.choice((*self.dicts, *self.dicts, self.display()))
            over = over if type_ == "str" else f"{over}.values()"
            return self.loop(indent, result, type_, over)
        over = self.expression(f"list[{type_}]", 1)
        if self.chance.random() < 0.5:
            over = f"({over} or [])"
        return self.loop(indent, result, type_, over)

    def loop(self, indent: int, result: str, type_: str, over: str) -> None:
        """A loop; its variable is known inside."""
        name = self.fresh()
        self.line(indent, f"for {name} in {over}:")
        before = dict(self.known)
        self.known = {**before, name: type_}
        self.loops += 1
        self.block(indent + 1, result, self.chance.randrange(1, 3), False)
        self.loops -= 1
        self.known = before

    # Expressions

    def test(self) -> str:
        """A condition, of any type."""
        return self.expression(self.chance.choice(("bool", "bool", "bool", "int", "str")), 2)

    def literal(self, type_: str) -> str:
        """A constant, as it is written."""
        chance = self.chance
        match type_:
            case "int":
                return str(chance.choice((0, 1, 2, 3, -1, 7, 10, chance.randrange(-50, 50))))
            case "float":
                return repr(chance.choice((0.0, 1.0, 0.5, 2.25, -3.5, 10.0, 1e10)))
            case "bool":
                return repr(chance.random() < 0.5)
            case "str":
                return repr(chance.choice(_TEXTS))
            case "list[int]" | "list[str]":
                items = [self.literal(type_[5:-1]) for _ in range(chance.randrange(1, 4))]
                return f"[{', '.join(items)}]"
        return f"datetime.date(2020, {chance.randrange(1, 13)}, {chance.randrange(1, 29)})"

    def expression(self, type_: str, depth: int) -> str:
        """An expression of the type."""
        named = [name for name, known in self.known.items() if known == type_]
        if depth <= 0 or self.chance.random() < 0.2:
            return (
                self.chance.choice(named)
                if named and self.chance.random() < 0.8
                else self.literal(type_)
            )
        if self.chance.random() < 0.12:
            then, other = (self.expression(type_, depth - 1) for _ in range(2))
            return f"({then} if {self.expression('bool', depth - 1)} else {other})"
        if self.chance.random() < 0.06:
            sign = self.chance.choice(("and", "or"))
            return (
                f"({self.expression(type_, depth - 1)} {sign} {self.expression(type_, depth - 1)})"
            )
        form = self.chance.choice(FORMS[type_])
        return self.filled(form, depth - 1)

    def filled(self, form: str, depth: int) -> str:
        """A form with expressions in its holes: «int», «str» and so on; «#int» is a literal."""
        parts = re.split("«(.*?)»", form)
        parts[1::2] = [self.hole(hole, depth) for hole in parts[1::2]]
        return "".join(parts)

    def hole(self, hole: str, depth: int) -> str:
        """What stands in one hole."""
        chance = self.chance
        match hole:
            case "num":
                return self.expression(chance.choice(("int", "float")), depth)
            case "plain" | "whole" | "real":
                # Quotes cannot be nested before Python 3.12.
                fit = {"whole": ("int",), "real": ("float",)}.get(hole, _SCALARS)
                named = [name for name, type_ in self.known.items() if type_ in fit]
                return (
                    chance.choice(named)
                    if named
                    else self.literal(fit[0] if hole == "real" else "int")
                )
            case "any":
                return self.expression(chance.choice(_SCALARS), depth)
            case "dict":
                return chance.choice((*self.dicts, self.display()))
            case "set":
                items = [self.literal("str") for _ in range(chance.randrange(1, 4))]
                return f"{{{', '.join(items)}}}"
            case "cmp":
                return chance.choice(("<", ">", "<=", ">=", "==", "!="))
        if hole.startswith("#"):
            return self.literal(hole[1:])
        return self.expression(hole, depth) if hole in TYPES else self.element(hole, depth)

    def display(self) -> str:
        """A dict from str to int, as it is written."""
        entries = [
            f"{self.literal('str')}: {self.literal('int')}"
            for _ in range(self.chance.randrange(1, 5))
        ]
        return f"{{{', '.join(entries)}}}"

    def element(self, hole: str, depth: int) -> str:
        """A hole `x:int:bool`: an expression in which a fresh x of a type is known."""
        name, type_, wanted = hole.split(":")
        before = dict(self.known)
        self.known[name] = type_
        text = self.expression(wanted, depth)
        self.known = before
        return text
