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

_MOMENTS = ("datetime.date", "datetime.datetime")
_PLAIN = ("int", "float", "bool", "str", "list[int]", "list[str]", *_MOMENTS)
_RESULTS = ("int", "float", "bool", "str", "list[int]", *_MOMENTS)
TYPES = (*_PLAIN, "datetime.timedelta")
"""A timedelta is neither a parameter nor a result."""

_SCALARS = ("int", "float", "bool", "str")
_CHANGED = {
    "int": (("+", "-", "*"), "int"),
    "float": (("+", "-", "*"), "float"),
    "str": (("+",), "str"),
    "datetime.date": (("+", "-"), "datetime.timedelta"),
    "datetime.datetime": (("+", "-"), "datetime.timedelta"),
    "datetime.timedelta": (("+", "-", "%"), "datetime.timedelta"),
}
"""What a local of a type may be changed by."""

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


_CUTS = ("',', 1", "'a', 1", "','", "None, 1")
_OWN = "own "
"""Begins the types of lists that are changed where they are, followed by that of the elements."""


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
        parameters = tuple((f"p{n}", chance.choice(_PLAIN)) for n in range(count))
        self.known = dict(parameters)
        result = chance.choice(_RESULTS)
        written = [f"{name}: {type_}" for name, type_ in parameters]
        for _ in range(chance.choice((0, 0, 0, 0, 1, 2))):
            # What has a default is left out of every call.
            name, type_ = f"q{len(self.known)}", chance.choice(_PLAIN)
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
        days = datetime.timedelta(chance.randrange(-400, 9000))
        if chance.random() < 0.1:
            days = datetime.timedelta(chance.choice((-730_119, 2_921_939)))
        if type_ == "datetime.date":
            return datetime.date(2000, 1, 1) + days
        micros = chance.choice(
            (0, 1, 999_999, 500_000, 3_600_000_000, chance.randrange(86 * 10**9))
        )
        return datetime.datetime(2000, 1, 1) + days + datetime.timedelta(microseconds=micros)

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
            self.unpack,
            self.change,
        ]
        if indent < 4:
            kinds += [self.branch, self.early, self.match]
            if not self.loops or (self.loops == 1 and self.chance.random() < 0.2):
                kinds += [self.over_range, self.over_list, self.over_several, self.gather]
        if self.loops and indent > 2:
            kinds += [self.jump]
        self.chance.choice(kinds)(indent, result)

    def fresh(self) -> str:
        """A new name."""
        self.names += 1
        return f"v{self.names}"

    def assign(self, indent: int, result: str) -> None:
        """A local gets a value."""
        locals_ = [n for n, type_ in self.known.items() if n.startswith("v") and type_ in TYPES]
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
        locals_ = [n for n, t in self.known.items() if n.startswith("v") and t in _CHANGED]
        if not locals_:
            return self.assign(indent, result)
        name = self.chance.choice(locals_)
        type_ = self.known[name]
        signs, other = _CHANGED[type_]
        self.line(indent, f"{name} {self.chance.choice(signs)}= {self.expression(other, 1)}")
        return None

    def unpack(self, indent: int, result: str) -> None:
        """Several locals get a value each."""
        chance = self.chance
        one, two, rest = self.fresh(), self.fresh(), self.fresh()
        type_ = chance.choice(("int", "str"))
        match chance.randrange(5):
            case 0:
                count, targets = 2, f"{one}, {two}"
            case 1:
                count, targets = 1, f"{one}, *{rest}"
            case 2:
                count, targets = 2, f"{one}, *{rest}, {two}"
            case 3:
                type_, count = "str", 2
                text = self.expression("str", 1)
                self.line(indent, f"{one}, {two} = {text}.split({chance.choice(_CUTS)})")
            case _:
                type_, count = "int", 2
                divided = f"divmod({self.expression('int', 1)}, {self.expression('int', 1)})"
                self.line(indent, f"{one}, {two} = {divided}")
        if one not in self.lines[-1]:
            items = ", ".join(self.expression(type_, 1) for _ in range(chance.randrange(1, 4)))
            lists = f"list[{type_}]"
            value = self.expression(lists, 2) if chance.random() < 0.4 else f"([{items}] or [])"
            self.line(indent, f"{targets} = {value}")
        if f"*{rest}" in self.lines[-1]:
            self.known[rest] = f"list[{type_}]"
        self.known[one] = type_
        if count == 2:
            self.known[two] = type_

    def own(self) -> list[str]:
        """The lists that are changed where they are; nothing but `reading` says how they look."""
        return [name for name, type_ in self.known.items() if type_.startswith(_OWN)]

    def change(self, indent: int, result: str) -> None:
        """A list is made that will change, or one is changed."""
        chance = self.chance
        lists = self.own()
        if not lists or chance.random() < 0.3:
            type_ = chance.choice(("int", "str"))
            name = self.fresh()
            made = self.expression(f"list[{type_}]", 1)
            begin = chance.choice(("[]", f"[{self.expression(type_, 1)}]", f"{made}[:]"))
            self.line(indent, f"{name}: list[{type_}] = {begin}")
            self.known[name] = f"{_OWN}{type_}"
            return
        name = chance.choice(lists)
        type_ = self.known[name].removeprefix(_OWN)
        item, items = self.expression(type_, 1), self.expression(f"list[{type_}]", 1)
        changes = (f"append({item})", f"append({item})", f"extend({items})")
        forms = [f"{name}.{change}" for change in changes]
        forms += [f"{name} += [{item}]", f"{name} += {items}"]
        # Now and then another name may see it: that is refused, or nobody looks.
        forms += [f"{self.fresh()} = {name}"] if chance.random() < 0.1 else []
        self.line(indent, chance.choice(forms))

    def gather(self, indent: int, result: str) -> None:
        """A list is made in a loop."""
        name, type_ = self.fresh(), self.chance.choice(("int", "str"))
        self.line(indent, f"{name} = []")
        self.known[name] = f"{_OWN}{type_}"
        self.chance.choice((self.over_range, self.over_list, self.over_several))(indent, result)
        deep = self.lines[-1][: len(self.lines[-1]) - len(self.lines[-1].lstrip())]
        if deep == "    " * (indent + 1):
            self.line(indent + 1, f"{name}.append({self.expression(type_, 1)})")
        self.line(indent, f"{name}.append({self.expression(type_, 1)})")

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
        if self.chance.random() < 0.4:
            name, before = self.fresh(), dict(self.known)
            self.known[name] = type_
            self.line(indent + 1, f"case {name} if {self.test()}:")
            self.inner(indent + 2, result, 1)
            self.known = before
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

    def over_several(self, indent: int, result: str) -> None:
        """A loop over lists at once, or one that counts."""
        chance = self.chance
        types = [chance.choice(("int", "str")) for _ in range(chance.choice((1, 2, 2, 3)))]
        names = [self.fresh() for _ in types]
        lists = [self.expression(f"list[{type_}]", 1) for type_ in types]
        lists = [f"({one} or [])" if chance.random() < 0.5 else one for one in lists]
        target, over = ", ".join(names), f"zip({', '.join(lists)})"
        if len(names) == 1:
            target, over = names[0], lists[0]
        known = dict(zip(names, types, strict=True))
        if len(names) == 1 or chance.random() < 0.3:
            place = self.fresh()
            known[place] = "int"
            target = f"({target})" if len(names) > 1 else target
            begin = chance.choice(("", "", ", 1", ", start=-3", f", {self.literal('int')}"))
            target, over = f"{place}, {target}", f"enumerate({over}{begin})"
        self.rounds(indent, result, target, over, known)

    def loop(self, indent: int, result: str, type_: str, over: str) -> None:
        """A loop; its variable is known inside."""
        name = self.fresh()
        self.rounds(indent, result, name, over, {name: type_})

    def rounds(
        self, indent: int, result: str, target: str, over: str, known: dict[str, str]
    ) -> None:
        """A loop with all that is inside."""
        self.line(indent, f"for {target} in {over}:")
        before = dict(self.known)
        self.known = {**before, **known}
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
            case "datetime.timedelta":
                days, seconds = (
                    chance.choice((0, 1, -1, 7, 400)),
                    chance.choice((0, 0, 1, 3600, -90)),
                )
                return f"datetime.timedelta({days}, {seconds})"
        day = f"2020, {chance.randrange(1, 13)}, {chance.randrange(1, 29)}"
        if type_ == "datetime.date":
            return f"datetime.date({day})"
        return f"datetime.datetime({day}, {chance.randrange(24)}, {chance.choice((0, 30))})"

    def expression(self, type_: str, depth: int) -> str:
        """An expression of the type."""
        named = [name for name, known in self.known.items() if known == type_]
        named += [text for name in self.own() for text in self.reading(name, type_)]
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

    def reading(self, name: str, type_: str) -> list[str]:
        """What can be said with a list that changes, of a type."""
        element = self.known[name].removeprefix(_OWN)
        texts = {
            "int": [f"len({name})", f"{name}.count({self.literal(element)})"],
            "bool": [f"({self.literal(element)} in {name})"],
            f"list[{element}]": [f"{name}[:]", f"{name}[::-1]", f"({name} + {name})"],
        }
        return texts.get(type_, [])

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
        *given, last = hole.split(",")
        *pair, wanted = last.split(":")
        before = dict(self.known)
        for name, type_ in [*(part.split(":") for part in given), pair]:
            self.known[name] = type_
        text = self.expression(wanted, depth)
        self.known = before
        return text
