"""Random typed expressions over given leaves.

Owns: `Expressions`, which draws an expression of a wanted family. Does not know: FROM, GROUP BY.
Most draws cannot fail; a few may overflow or divide by zero, since both engines must then raise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Protocol

from tests.oracle.query import Expr
from tests.oracle.tables import STRINGS, Family
from tests.oracle.vocabulary import (
    CALLS,
    COMPARISONS,
    FAMILIES,
    FAMILY_NAMES,
    INT_TYPES,
    INTERVALS,
    NUMBERS,
    PARTS,
    PATTERNS,
    TIME_PARTS,
    parameter_names,
    text_literal,
)


class Subqueries(Protocol):
    """Where subqueries come from; None when it is enough of them."""

    def scalar(self, family: Family, outer: Sequence[Expr]) -> Expr | None:
        """A subquery that is a value of a family."""

    def predicate(self, outer: Sequence[Expr]) -> Expr | None:
        """EXISTS, IN, ANY, ALL."""


class Expressions:
    """Draws expressions whose columns come from `leaves`.

    samples: constants that occur in the tables. daring: the share of arithmetic that may overflow.
    subqueries: where they may stand.
    """

    def __init__(
        self,
        random: Random,
        leaves: Sequence[Expr],
        samples: Mapping[Family, Sequence[str]] | None = None,
        daring: float = 0.06,
        subqueries: Subqueries | None = None,
    ) -> None:
        self.random = random
        self.exact = [leaf for leaf in leaves if leaf.exact]
        self.samples = samples or {}
        self.daring = daring
        self.subqueries = subqueries

    def any_family(self) -> Family:
        """A family, mostly one that a leaf has."""
        if self.random.random() < 0.85:
            return self.random.choice([leaf.family for leaf in self.exact] or ["int"])
        return self.random.choice(FAMILIES)

    def pick(self, *families: Family) -> Family:
        """One of the families."""
        return self.random.choice(families)

    def leaf(self, family: Family, tame: bool = False) -> Expr:
        """A column of the family, or a constant when there is none."""
        fitting = [leaf for leaf in self.exact if leaf.family == family]
        if tame and self.random.random() > self.daring:
            fitting = [leaf for leaf in fitting if leaf.tame]
        if fitting and self.random.random() < 0.88:
            return self.random.choice(fitting)
        return self.constant(family)

    def constant(self, family: Family) -> Expr:
        """A literal."""
        draw = self.random.choice
        if self.random.random() < 0.04:
            types = {"bool": "BOOLEAN", "int": "INTEGER", "dec": "DECIMAL(9,2)", "float": "DOUBLE"}
            types |= {"str": "VARCHAR", "date": "DATE", "ts": "TIMESTAMP"}
            return Expr(family, (f"CAST(NULL AS {types[family]})",))
        if self.random.random() < 0.02:
            text = f"${draw(parameter_names(family))}"
            return Expr(family, (text,), tame=text != "$i3", narrow=family == "int")
        known = self.samples.get(family)
        if known and self.random.random() < 0.6:
            return Expr(family, (draw(known),), narrow=family == "int")
        match family:
            case "bool":
                text = draw(("true", "false"))
            case "int":
                text = draw(("0", "1", "2", "3", "-1", "-2", "7", "10", "100", "1000"))
            case "dec":
                text = draw(("0.5", "1.5", "2.25", "-0.75", "10.0", "0.01", "3.333", "1.", ".5"))
            case "float":
                text = draw(("1e0", "0.5e0", "-2.5e0", "1e2", "0e0", "25e-1"))
            case "str":
                text = text_literal(draw(STRINGS))
            case "date":
                text = f"DATE '{draw(('2020-01-01', '2020-02-29', '2019-12-31', '1999-07-04'))}'"
            case "ts":
                day = draw(("2020-01-01 00:00:00", "2020-02-29 12:30:59", "2020-01-15"))
                text = f"TIMESTAMP '{day}'"
        return Expr(family, (text,), narrow=family == "int")

    def expr(self, family: Family, depth: int, tame: bool = False) -> Expr:
        """An expression of a family, at most `depth` calls deep."""
        if depth <= 0 or self.random.random() < 0.25:
            return self.leaf(family, tame)
        if self.subqueries is not None and self.random.random() < 0.12:
            found = self.subqueries.scalar(family, self.exact)
            if found is not None:
                return found
        if self.random.random() < 0.2:
            return self.conditional(family, depth, tame)
        if self.random.random() < 0.15:
            return self.called(family)
        if family == "int" and self.random.random() < 0.15:
            return self.risky() if self.random.random() < self.daring else self.guarded()
        match family:
            case "bool":
                return self.condition(depth)
            case "int":
                return self.integer(depth)
            case "dec":
                return self.decimal(depth)
            case "float":
                return self.double(depth)
            case "str":
                return self.string(depth)
            case "date":
                return self.date(depth)
            case "ts":
                return self.timestamp(depth)

    def conditional(self, family: Family, depth: int, tame: bool) -> Expr:
        """CASE, COALESCE, NULLIF and their like, of any family."""
        a = self.expr(family, depth - 1, tame)
        b = self.expr(family, depth - 1, tame)
        if family in ("dec", "float") and self.random.random() < 0.25:
            b = self.expr(
                self.pick("int", "dec") if family == "dec" else self.pick(*NUMBERS), 1, tame
            )
        flags = {"tame": a.tame and b.tame, "narrow": a.narrow or b.narrow}
        match self.random.randrange(7):
            case 0:
                test = self.condition(depth - 1)
                return Expr(family, ("CASE WHEN ", test, " THEN ", a, " ELSE ", b, " END"), **flags)
            case 1:
                first, second = self.condition(depth - 1), self.condition(depth - 1)
                parts = ("CASE WHEN ", first, " THEN ", a, " WHEN ", second, " THEN ", b, " END")
                return Expr(family, parts, **flags)
            case 2:
                of = self.any_family()
                subject, value = self.leaf(of), self.constant(of)
                parts = ("CASE ", subject, " WHEN ", value, " THEN ", a, " ELSE ", b, " END")
                return Expr(family, parts, **flags)
            case 3:
                return Expr(family, ("NULLIF(", a, ", ", b, ")"), **flags)
            case 4 if family not in ("bool", "str"):
                word = self.random.choice(("greatest", "least"))
                return Expr(family, (f"{word}(", a, ", ", b, ")"), **flags)
            case _:
                return Expr(family, ("COALESCE(", a, ", ", b, ")"), **flags)

    def called(self, family: Family) -> Expr:
        """A call from the vocabulary, over leaves."""
        written = self.random.choice(CALLS[family])
        parts = [self.leaf(FAMILY_NAMES[p]) if p in FAMILY_NAMES else p for p in written]
        return Expr(family, tuple(parts), tame=False, narrow=family == "int")

    def guarded(self) -> Expr:
        """A CASE that keeps its branch from failing."""
        parts: tuple[str | Expr, ...]
        match self.random.randrange(4):
            case 0:
                a, b = self.leaf("int"), self.leaf("int", tame=True)
                word = self.random.choice((" // ", " % "))
                parts = ("CASE WHEN ", b, " > 0 THEN ", a, word, b, " ELSE 0 END")
            case 1:
                a = self.leaf("int")
                parts = ("CASE WHEN ", a, " BETWEEN 0 AND 100 THEN CAST(", a, " AS TINYINT) END")
            case 2:
                a = self.leaf("str")
                parts = (
                    "CASE WHEN ",
                    a,
                    " IN ('10', '-3') THEN CAST(",
                    a,
                    " AS INTEGER) ELSE 0 END",
                )
            case _:
                a = self.leaf("int")
                parts = (
                    "CASE WHEN ",
                    a,
                    " > 5 THEN 0 WHEN ",
                    a,
                    " >= 0 THEN ",
                    a,
                    " * ",
                    a,
                    " END",
                )
        return Expr("int", parts, narrow=True)

    def risky(self) -> Expr:
        """Arithmetic over extreme values, where there are some: it may overflow."""
        wild = [leaf for leaf in self.exact if leaf.family == "int" and not leaf.tame]
        a = self.random.choice(wild) if wild else self.leaf("int")
        b = Expr("int", (self.random.choice(("1", "2", "-1", "10")),))
        b = self.leaf("int") if self.random.random() < 0.3 else b
        return Expr(
            "int", ("(", a, self.random.choice((" + ", " + ", " - ", " * ")), b, ")"), tame=False
        )

    def steady(self, expr: Expr) -> Expr:
        """An integer that arithmetic will not overflow: narrow types are mostly widened."""
        if expr.narrow and self.random.random() > self.daring:
            return Expr("int", ("CAST(", expr, " AS BIGINT)"), tame=expr.tame)
        return expr

    def integer(self, depth: int) -> Expr:
        """Arithmetic and functions that give integers."""
        choice = self.random.randrange(14)
        if choice <= 4:
            a = self.steady(self.expr("int", depth - 1, tame=True))
            b = self.steady(self.expr("int", depth - 1, tame=True))
            word = self.random.choice((" + ", " - ", " * "))
            return Expr("int", ("(", a, word, b, ")"), tame=a.tame and b.tame and word != " * ")
        if choice <= 6:
            a = self.expr("int", depth - 1)
            divisor = self.random.choice(("2", "3", "-2", "7", "-5", "10"))
            if self.random.random() < 0.4:
                b = self.leaf("int")
                b = Expr("int", ("NULLIF(", b, ", 0)")) if self.random.random() > 0.1 else b
            else:
                b = Expr("int", (divisor,))
            a = self.steady(a)
            return Expr("int", ("(", a, self.random.choice((" // ", " % ")), b, ")"), tame=a.tame)
        match choice:
            case 7:
                return Expr("int", ("(- ", self.steady(self.leaf("int", tame=True)), ")"))
            case 8:
                return Expr("int", ("abs(", self.leaf("int", tame=True), ")"), narrow=True)
            case 9:
                part = self.random.choice(PARTS)
                of = self.leaf(self.pick("date", "ts"))
                if self.random.random() < 0.3:
                    part = self.random.choice(TIME_PARTS)
                    of = self.leaf("ts")
                if "NULL" in of.sql:
                    return self.leaf("int")
                form = self.random.choice((f"EXTRACT({part} FROM ", f"date_part('{part}', "))
                return Expr("int", (form, of, ")"), tame=False)
            case 10:
                a = self.expr("str", depth - 1)
                if self.random.random() < 0.3:
                    return Expr("int", ("strpos(", a, ", ", self.leaf("str"), ")"))
                return Expr("int", ("length(", a, ")"))
            case 11:
                a, b = self.expr("date", depth - 1), self.leaf("date")
                return Expr("int", ("(", a, " - ", b, ")"), tame=False)
            case 12:
                return Expr("int", ("sign(", self.leaf("int", tame=True), ")"), narrow=True)
            case _:
                return self.cast_to_integer(depth)

    def cast_to_integer(self, depth: int) -> Expr:
        """CAST and TRY_CAST to an integer type."""
        type_ = self.random.choice(INT_TYPES)
        family = self.pick("int", "dec", "float", "str", "bool")
        arg = self.expr(family, depth - 1, tame=True)
        word = "TRY_CAST" if family == "str" or self.random.random() < 0.5 else "CAST"
        if word == "CAST" and self.random.random() > self.daring:
            type_ = "BIGINT"
        narrow = type_ != "BIGINT"
        return Expr("int", (f"{word}(", arg, f" AS {type_})"), tame=arg.tame, narrow=narrow)

    def decimal(self, depth: int) -> Expr:
        """Arithmetic and functions that give decimals."""
        a = self.expr("dec", depth - 1, tame=True)
        match self.random.randrange(9):
            case 0 | 1 | 2:
                b = self.expr(self.pick("dec", "dec", "int"), depth - 1, tame=True)
                word = self.random.choice((" + ", " - "))
                return Expr("dec", ("(", a, word, b, ")"), tame=a.tame and b.tame)
            case 3:
                b = self.leaf(self.pick("dec", "int"), tame=True)
                return Expr("dec", ("(", self.leaf("dec", tame=True), " * ", b, ")"), tame=False)
            case 4:
                return Expr("dec", ("(- ", self.leaf("dec"), ")"))
            case 5:
                return Expr("dec", ("abs(", a, ")"), tame=a.tame)
            case 6:
                digits = self.random.choice(("", ", 0", ", 1", ", 2"))
                return Expr("dec", ("round(", a, f"{digits})"), tame=a.tame)
            case 7:
                word = self.random.choice(("floor", "ceil"))
                return Expr("dec", (f"{word}(", a, ")"), tame=a.tame)
            case _:
                family = self.pick("int", "dec", "float", "str")
                arg = self.expr(family, depth - 1, tame=True)
                word = "TRY_CAST" if family == "str" or self.random.random() < 0.3 else "CAST"
                type_ = self.random.choice(("DECIMAL(9,2)", "DECIMAL(18,4)", "DECIMAL(38,6)"))
                return Expr("dec", (f"{word}(", arg, f" AS {type_})"), tame=arg.tame)

    def double(self, depth: int) -> Expr:
        """Arithmetic and functions that give doubles, exact in both engines."""
        numeric: tuple[Family, ...] = ("float", "float", "int", "dec")
        match self.random.randrange(10):
            case 0 | 1 | 2:
                a = self.expr("float", depth - 1, tame=True)
                b = self.expr(self.random.choice(numeric), depth - 1, tame=True)
                word = self.random.choice((" + ", " - ", " * "))
                tame = a.tame and b.tame and word != " * "
                return Expr("float", ("(", a, word, b, ")"), tame=tame)
            case 3 | 4:
                a = self.expr(self.random.choice(numeric), depth - 1)
                b = self.leaf(self.random.choice(numeric))
                if "::FLOAT" in b.sql:
                    # DuckDB multiplies by the reciprocal of a FLOAT constant, which is less exact.
                    b = Expr("float", ("4e0",))
                return Expr("float", ("(", a, " / ", b, ")"), tame=False)
            case 5:
                of = self.random.choice(numeric)
                return Expr("float", ("sqrt(abs(", self.leaf(of, tame=True), "))"), tame=False)
            case 6:
                return Expr("float", ("(- ", self.leaf("float"), ")"))
            case 7:
                word = self.random.choice(("floor", "ceil", "round", "abs"))
                return Expr("float", (f"{word}(", self.leaf("float"), ")"), tame=False)
            case 8:
                arg = self.expr("str", depth - 1)
                return Expr("float", ("TRY_CAST(", arg, " AS DOUBLE)"), tame=False)
            case _:
                arg = self.expr(self.pick("int", "dec", "float"), depth - 1, tame=True)
                type_ = self.random.choice(("DOUBLE", "DOUBLE", "FLOAT"))
                return Expr("float", ("CAST(", arg, f" AS {type_})"), tame=arg.tame)

    def string(self, depth: int) -> Expr:
        """Functions that give strings."""
        a = self.expr("str", depth - 1)
        draw = self.random.choice
        match self.random.randrange(13):
            case 0 | 1:
                b = self.expr(self.pick("str", "str", "int"), depth - 1)
                return Expr("str", ("(", a, " || ", b, ")"))
            case 2:
                return Expr("str", (f"{draw(('upper', 'lower'))}(", a, ")"))
            case 3:
                start, count = draw((1, 2, 0, -2, 5)), draw(("", ", 1", ", 2", ", 0"))
                return Expr("str", ("substring(", a, f", {start}{count})"))
            case 4:
                return Expr("str", (f"{draw(('trim', 'ltrim', 'rtrim'))}(", a, ")"))
            case 5:
                old = text_literal(draw(STRINGS[1:8]))
                return Expr("str", ("replace(", a, f", {old}, {text_literal(draw(STRINGS[:8]))})"))
            case 6:
                return Expr("str", (f"{draw(('left', 'right'))}(", a, f", {draw((0, 1, 2, 9))})"))
            case 7:
                return Expr("str", ("concat(", a, ", ", self.leaf(self.pick("str", "int")), ")"))
            case 8 if self.random.random() < 0.5:
                fill = text_literal(draw(("x", "ab", "é")))
                return Expr(
                    "str", (f"{draw(('lpad', 'rpad'))}(", a, f", {draw((0, 1, 3))}, {fill})")
                )
            case 8:
                return Expr("str", ("reverse(", self.leaf("str"), ")"))
            case _:
                family = self.pick("int", "dec", "bool", "date", "ts", "float", "str")
                return Expr("str", ("CAST(", self.expr(family, depth - 1), " AS VARCHAR)"))

    def date(self, depth: int) -> Expr:
        """Date arithmetic and conversions."""
        a = self.expr("date", depth - 1, tame=True)
        match self.random.randrange(5):
            case 0:
                days, sign = self.random.choice(("1", "30", "-400")), self.random.choice("+-")
                return Expr("date", ("(", a, f" {sign} {days})"), tame=a.tame)
            case 1:
                return Expr("date", ("CAST(", self.expr("ts", depth - 1), " AS DATE)"))
            case 2:
                return Expr("date", ("TRY_CAST(", self.expr("str", depth - 1), " AS DATE)"))
            case 3:
                return Expr("date", ("last_day(", a, ")"), tame=a.tame)
            case _:
                b = self.leaf("date")
                return Expr("date", ("COALESCE(", a, ", ", b, ")"), tame=a.tame and b.tame)

    def timestamp(self, depth: int) -> Expr:
        """Timestamp arithmetic and conversions."""
        a = self.expr(self.pick("date", "ts"), depth - 1, tame=True)
        match self.random.randrange(4):
            case 0 | 1:
                sign = self.random.choice("+-")
                amount, unit = self.random.choice(INTERVALS).split()
                interval = self.random.choice((f"'{amount} {unit.lower()}'", f"'{amount}' {unit}"))
                return Expr("ts", ("(", a, f" {sign} INTERVAL {interval})"), tame=a.tame)
            case 2:
                part = self.random.choice(("year", "quarter", "month", "week", "day", "hour"))
                if part == "hour":
                    a = self.leaf("ts", tame=True)
                return Expr("ts", (f"CAST(date_trunc('{part}', ", a, ") AS TIMESTAMP)"))
            case _:
                return Expr("ts", ("CAST(", a, " AS TIMESTAMP)"), tame=a.tame)

    def condition(self, depth: int) -> Expr:
        """A predicate."""
        if self.subqueries is not None and self.random.random() < 0.3:
            found = self.subqueries.predicate(self.exact)
            if found is not None:
                return found
        choice = self.random.randrange(16)
        family = self.any_family()
        negation = self.random.choice(("", "", "NOT "))
        if depth > 1 and choice < 4:
            a, b = self.condition(depth - 1), self.condition(depth - 1)
            return Expr("bool", ("(", a, self.random.choice((" AND ", " OR ")), b, ")"))
        if choice == 4:
            return Expr("bool", ("(NOT ", self.condition(depth - 1), ")"))
        a = self.expr(family, depth - 1)
        if choice <= 8:
            other = family
            if family in ("int", "dec", "float") and self.random.random() < 0.3:
                other = self.pick("int", "dec", "float")
            if family in ("date", "ts") and self.random.random() < 0.2:
                other = self.pick("date", "ts")
            b = self.expr(other, depth - 1)
            if family in ("int", "dec", "float", "date", "ts") and self.random.random() < 0.1:
                # A bare string literal takes the type of the other side.
                pieces = self.constant(family).sql.split("'")
                plain = pieces[1] if len(pieces) > 1 else pieces[0]
                if plain.strip("$ ") == plain and "NULL" not in plain and family != "int":
                    b = Expr(family, (text_literal(plain),))
            return Expr("bool", ("(", a, f" {self.random.choice(COMPARISONS)} ", b, ")"))
        match choice:
            case 9:
                low, high = self.leaf(family), self.expr(family, depth - 1)
                return Expr("bool", ("(", a, f" {negation}BETWEEN ", low, " AND ", high, ")"))
            case 10 | 11:
                return self.membership(a, family, negation)
            case 12:
                word = self.random.choice(("LIKE", "LIKE", "ILIKE"))
                pattern = text_literal(self.random.choice(PATTERNS))
                if "\\" in pattern:
                    pattern += " ESCAPE '\\'"
                text = self.expr("str", depth - 1)
                if self.random.random() < 0.02:
                    return Expr("bool", ("(", text, f" {negation}{word} ", self.leaf("str"), ")"))
                return Expr("bool", ("(", text, f" {negation}{word} {pattern})"))
            case 13:
                return Expr("bool", ("(", a, f" IS {negation}NULL)"))
            case 14:
                b = self.leaf(family)
                return Expr("bool", ("(", a, f" IS {negation}DISTINCT FROM ", b, ")"))
            case _:
                if self.random.random() < 0.5:
                    word = self.random.choice(("starts_with", "contains"))
                    return Expr("bool", (f"{word}(", self.leaf("str"), ", ", self.leaf("str"), ")"))
                word = self.random.choice(("TRUE", "FALSE"))
                return Expr("bool", ("(", self.leaf("bool"), f" IS {negation}{word})"))

    def membership(self, subject: Expr, family: Family, negation: str) -> Expr:
        """[NOT] IN a list of constants, sometimes with a NULL in it."""
        parts: list[str | Expr] = ["(", subject, f" {negation}IN ("]
        for index in range(self.random.randint(1, 4)):
            parts.append(", " if index else "")
            if self.random.random() < 0.15:
                parts.append("NULL")
            elif self.random.random() < 0.15:
                parts.append(self.leaf(family))
            elif family in ("dec", "float") and self.random.random() < 0.3:
                parts.append(self.constant(self.pick("int", "dec")))
            else:
                parts.append(self.constant(family))
        return Expr("bool", (*parts, "))"))
