"""Tables that share keys, and queries that join, look up and group by them.

Owns: `keyed_tables`, `keys`, `keyed_query`. The keys are of all kinds that decide how a join or a
grouping is computed: dense or with gaps, negative or far apart, in order or not, unique or nearly,
NULL, or of rows that have no partner. Does not know: what is done with the tables, engines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random

from tests.oracle.query import Expr, Item, Joined, Named, Order, Query, Source
from tests.oracle.tables import (
    INTEGERS,
    Column,
    Family,
    Table,
    Value,
    literal,
    random_column,
    random_values,
)

KEY_TYPES = ("INTEGER", "INTEGER", "BIGINT", "BIGINT", "SMALLINT", "TINYINT", "UINTEGER", "UBIGINT")
SIZES = (1, 2, 5, 8, 13, 20, 40)
ROWS = (0, 1, 3, 8, 20, 40, 60, 90)
JOINS = (
    *(" JOIN ", " JOIN ", " JOIN ", " LEFT JOIN ", " LEFT JOIN ", " RIGHT JOIN ", " FULL JOIN "),
    *(" SEMI JOIN ", " ANTI JOIN "),
)
GAPS = (1, 1, 1, 2, 3, 7, 30)


def keys(random: Random, type_: str, count: int) -> list[int]:
    """So many different keys of an integer type, or fewer where it has no more."""
    low, high, _ = INTEGERS[type_]
    if random.random() < 0.15:
        ends = (low, low + 1, -(1 << 29), -1, 0, 1, 1 << 29, high - 1, high)
        return [key for key in dict.fromkeys(ends) if low <= key <= high][:count]
    gap = random.choice(GAPS)
    first = random.choice((0, 1, 1, -5, -count * gap, 1000, -100_000, low, high - count * gap))
    found = [first + n * gap for n in range(count)]
    return [key for key in found if low <= key <= high]


def _of_dimension(random: Random, known: Sequence[int]) -> list[Value]:
    """The keys of a table that has a row for each, or nearly."""
    found: list[Value] = list(known)
    match random.randrange(6):
        case 0 if found:
            found.append(random.choice(found))
        case 1:
            found.append(None)
        case 2 if len(found) > 1:
            found.remove(random.choice(found))
    match random.randrange(4):
        case 0:
            random.shuffle(found)
        case 1:
            found.reverse()
    return found


def _of_facts(random: Random, known: Sequence[int], type_: str, count: int) -> list[Value]:
    """So many keys that point to others, some of them to none."""
    low, high, _ = INTEGERS[type_]
    fitting = [key for key in known if low <= key <= high] or [0]
    missing = random.choice((0.0, 0.0, 0.1, 0.4))
    nulls = random.choice((0.0, 0.0, 0.1, 0.3))
    strays = [key for key in (min(fitting) - 1, max(fitting) + 1, 7, high) if low <= key <= high]
    drawn = [random.choice(strays if random.random() < missing else fitting) for _ in range(count)]
    if random.random() < 0.5:
        drawn.sort(reverse=random.random() < 0.2)
    return [None if random.random() < nulls else key for key in drawn]


def keyed_tables(random: Random) -> tuple[Table, ...]:
    """Two tables that have a row for each k, or nearly; and one of many rows, with k and a j."""
    type_ = random.choice(KEY_TYPES)
    known = keys(random, type_, random.choice(SIZES))
    small = all(abs(key) <= 1000 for key in known)
    tables = []
    for name in ("ta", "tb"):
        found = _of_dimension(random, known)
        columns = [Column("k", type_, "int", small), random_column(random, f"{name[1]}w", "str")]
        columns += [replace(random_column(random, f"{name[1]}n", "int"), tame=True)]
        columns += _further(random, name[1], 2)
        tables.append(_table(random, name, columns, {"k": found}, len(found)))
    other = random.choice((type_, type_, "BIGINT", "INTEGER"))
    count = random.choice(ROWS)
    columns = [Column("k", other, "int", small), Column("j", type_, "int", small)]
    columns += [replace(random_column(random, "cn", "int"), tame=True)]
    columns += [random_column(random, "cw", "str"), *_further(random, "c", 3)]
    given = {"k": _of_facts(random, known, other, count)}
    given["j"] = _of_facts(random, known, type_, count)
    if random.random() < 0.4:
        pairs = list(dict.fromkeys(zip(given["k"], given["j"], strict=True)))
        given = {name: [pair[n] for pair in pairs] for n, name in enumerate(given)}
        count = len(pairs)
    tables.append(_table(random, "tc", columns, given, count))
    return tuple(tables)


def _further(random: Random, letter: str, most: int) -> list[Column]:
    families: tuple[Family, ...] = ("dec", "float", "date", "int", "bool", "ts")
    chosen = random.sample(families, random.randint(0, most))
    return [random_column(random, f"{letter}{n}", family) for n, family in enumerate(chosen)]


def _table(
    random: Random, name: str, columns: list[Column], given: dict[str, list[Value]], count: int
) -> Table:
    values = [
        given[column.name] if column.name in given else random_values(random, column, count)
        for column in columns
    ]
    return Table(name, tuple(columns), tuple(zip(*values, strict=True)))


class _Aliased:
    """A table under an alias, and its columns by name."""

    def __init__(self, table: Table, alias: str) -> None:
        self.source = Named(table.name, alias)
        self.leaves = {
            column.name: Expr(column.family, (f"{alias}.{column.name}",), tame=column.tame)
            for column in table.columns
        }
        self._table = table

    def key(self, random: Random) -> Expr:
        """k, or another column of whole numbers."""
        whole = [leaf for name, leaf in self.leaves.items() if name in ("k", "j")]
        whole = whole or [leaf for leaf in self.leaves.values() if leaf.family == "int"]
        return random.choice(whole) if whole else Expr("int", ("1",))

    def of(self, *families: Family) -> list[Expr]:
        """The columns of some families."""
        return [leaf for leaf in self.leaves.values() if leaf.family in families]

    def constant(self, random: Random, leaf: Expr) -> str:
        """A value that a column has, or nearly."""
        at = [column.name for column in self._table.columns].index(leaf.name)
        found = [row[at] for row in self._table.rows if row[at] is not None]
        if not found:
            return "NULL"
        value = random.choice(found)
        if isinstance(value, int) and not isinstance(value, bool) and random.random() < 0.2:
            value += random.choice((-1, 1))
        return literal(value, self._table.columns[at])


def _equal(a: Expr, b: Expr) -> Expr:
    return Expr("bool", ("(", a, " = ", b, ")"))


def _both(first: Expr | None, second: Expr | None) -> Expr | None:
    if first is None or second is None:
        return first or second
    return Expr("bool", ("(", first, " AND ", second, ")"))


class _Keyed:
    """Draws queries over tables with keys."""

    def __init__(self, random: Random, tables: Sequence[Table]) -> None:
        self.random = random
        self.tables = tables
        self._count = 0

    def any(self) -> _Aliased:
        self._count += 1
        return _Aliased(self.random.choice(self.tables), f"x{self._count}")

    def pair(self, left: _Aliased, right: _Aliased) -> tuple[Expr, Expr]:
        """A key of each table, of one family; constants where they have none."""
        key = left.key(self.random)
        fitting = [leaf for leaf in right.of(key.family) if leaf.name in ("k", "j")]
        fitting = fitting or right.of(key.family)
        if fitting:
            return key, self.random.choice(fitting)
        return Expr("int", ("1",)), Expr("int", ("1",))

    def pairing(self, left: _Aliased, right: _Aliased) -> Expr:
        """A join condition: one key, sometimes two."""
        condition = _equal(*self.pair(left, right))
        if self.random.random() < 0.25:
            more = _equal(*self.pair(left, right))
            numbers = left.of("int"), right.of("int")
            if all(numbers) and self.random.random() < 0.3:
                a, b = (self.random.choice(some) for some in numbers)
                more = Expr("bool", ("(", a, self.random.choice((" <> ", " < ", " >= ")), b, ")"))
            if more.sql != condition.sql:
                return Expr("bool", ("(", condition, " AND ", more, ")"))
        return condition

    def filter(self, table: _Aliased) -> Expr:
        """A condition on one table: a point, a range, a few values, NULL or not."""
        leaf = table.key(self.random)
        if self.random.random() < 0.5:
            others = table.of("int", "str", "date", "dec")
            leaf = self.random.choice(others) if others else leaf
        one, other = (table.constant(self.random, leaf) for _ in range(2))
        match self.random.randrange(6):
            case 0 | 1:
                return Expr("bool", ("(", leaf, f" = {one})"))
            case 2:
                return Expr("bool", ("(", leaf, f" BETWEEN {one} AND {other})"))
            case 3:
                return Expr("bool", ("(", leaf, f" IN ({one}, {other}))"))
            case 4:
                return Expr("bool", ("(", leaf, self.random.choice((" < ", " >= ")), f"{one})"))
            case _:
                return Expr("bool", ("(", leaf, self.random.choice((" IS NULL)", " IS NOT NULL)"))))

    def among(self, outer: _Aliased) -> Expr:
        """Whether a row of another table has the key of an outer row."""
        inner = self.any()
        negation = self.random.choice(("", "NOT "))
        more = self.filter(inner) if self.random.random() < 0.5 else None
        if self.random.random() < 0.5:
            where = _both(self.pairing(inner, outer), more)
            query = Query((Item(Expr("int", ("1",)), "e"),), inner.source, where)
            return Expr("bool", (f"({negation}EXISTS (", query, "))"))
        key, other = self.pair(outer, inner)
        query = Query((Item(other, "e"),), inner.source, more)
        return Expr("bool", ("(", key, f" {negation}IN (", query, "))"))

    def aside(self, outer: _Aliased) -> Expr:
        """A comparison with an aggregate over the rows that share a key."""
        inner = self.any()
        one = Expr("int", ("1",))
        mine, theirs = (self.random.choice(side.of("int") or [one]) for side in (outer, inner))
        word = self.random.choice(("min(", "max(", "count(", "sum("))
        call = Expr("int", (word, theirs, ")"))
        where = _equal(*self.pair(inner, outer))
        query = Query((Item(call, "e"),), inner.source, where)
        sign = self.random.choice((" = ", " < ", " >= "))
        return Expr("bool", ("(", mine, sign, "(", query, "))"))

    def calls(self, leaves: Sequence[Expr]) -> list[Item]:
        """One to three aggregates of columns."""
        numbers = [leaf for leaf in leaves if leaf.family in ("int", "dec") and leaf.tame]
        items = []
        for n in range(self.random.randint(1, 3)):
            word = self.random.choice(("count(*)", "count(", "sum(", "sum(", "min(", "max("))
            if word == "count(*)":
                call = Expr("int", ("count(*)",))
            elif word == "sum(":
                call = Expr(
                    "int", ("sum(", self.random.choice(numbers or [Expr("int", ("1",))]), ")")
                )
            else:
                leaf = self.random.choice(leaves)
                distinct = "DISTINCT " if word == "count(" and self.random.random() < 0.4 else ""
                call = Expr(
                    "int" if word == "count(" else leaf.family, (word + distinct, leaf, ")")
                )
            items.append(Item(call, f"a{n}"))
        return items

    def query(self) -> Query:
        """One query."""
        shapes = (self.looked_up, self.by_partner, self.counted, self.by_two_keys)
        choice = self.random.randrange(10)
        return shapes[choice]() if choice < len(shapes) else self.joined()

    def looked_up(self) -> Query:
        """Each row with a value of the one row that has its key: an error where it is not one."""
        outer, inner = self.any(), self.any()
        key, other = self.pair(outer, inner)
        value = self.random.choice([leaf for leaf in inner.leaves.values() if leaf.exact])
        found = Query((Item(value, "e"),), inner.source, _equal(other, key))
        items = (Item(key, "r0"), Item(Expr(value.family, ("(", found, ")")), "r1"))
        where = self.filter(outer) if self.random.random() < 0.3 else None
        return Query(items, outer.source, where)

    def by_partner(self) -> Query:
        """Rows of one table grouped by the key of another one, which may have each key once."""
        group, rows = self.any(), self.any()
        key, other = self.pair(group, rows)
        on = _equal(key, other)
        kind = self.random.choice((" JOIN ", " LEFT JOIN "))
        source = Joined(group.source, kind, rows.source, on)
        keys = (
            key,
            *self.random.sample(list(group.leaves.values()), self.random.choice((0, 0, 1))),
        )
        keys = tuple(one for one in dict.fromkeys(keys) if one.family != "float")
        calls = self.calls(list(rows.leaves.values()))
        items = (*(Item(one, f"g{n}") for n, one in enumerate(keys)), *calls)
        where = (
            self.filter(self.random.choice((group, rows))) if self.random.random() < 0.3 else None
        )
        return self._cut(Query(items, source, where, group=keys))

    def counted(self) -> Query:
        """One table grouped by a key, with counts and sums alone."""
        table = self.any()
        key = table.key(self.random)
        items = [Item(key, "g0"), Item(Expr("int", ("count(*)",)), "a0")]
        for n in range(self.random.randint(0, 2)):
            numbers = table.of("int") or [Expr("int", ("1",))]
            named = [leaf for leaf in numbers if leaf.name in ("k", "j")]
            number = self.random.choice(named if named and self.random.random() < 0.5 else numbers)
            word = self.random.choice(("sum(", "sum(", "count("))
            items.append(Item(Expr("int", (word, number, ")")), f"a{n + 1}"))
        where = self.filter(table) if self.random.random() < 0.3 else None
        return self._cut(Query(tuple(items), table.source, where, group=(key,)))

    def by_two_keys(self) -> Query:
        """Two tables of which rows belong together by two pairs of columns."""
        left, right = self.any(), self.any()
        pairs = [self.pair(left, right) for _ in range(2)]
        both = [table.leaves for table in (left, right)]
        if all({"k", "j"} <= names.keys() for names in both):
            pairs = [(both[0][name], both[1][name]) for name in ("k", "j")]
        elif all(table.of("int") for table in (left, right)):
            a, b = (self.random.choice(table.of("int")) for table in (left, right))
            pairs[1] = (a, b)
        on = _both(*(_equal(a, b) for a, b in pairs))
        kind = self.random.choice(JOINS)
        source = Joined(left.source, kind, right.source, on)
        lone = kind in (" SEMI JOIN ", " ANTI JOIN ")
        leaves = [
            leaf for table in ((left,) if lone else (left, right)) for leaf in table.leaves.values()
        ]
        chosen = self.random.sample(leaves, min(len(leaves), 3))
        return self._cut(Query(tuple(Item(leaf, f"r{n}") for n, leaf in enumerate(chosen)), source))

    def joined(self) -> Query:
        """Up to three tables joined by keys, filtered, maybe grouped."""
        tables = [self.any()]
        source: Source = tables[0].source
        seen = list(tables)
        for _ in range(self.random.choice((0, 1, 1, 1, 2))):
            right, kind = self.any(), self.random.choice(JOINS)
            on = self.pairing(self.random.choice(seen), right)
            source = Joined(source, kind, right.source, on)
            if kind not in (" SEMI JOIN ", " ANTI JOIN "):
                seen.append(right)
        where: Expr | None = None
        if self.random.random() < 0.6:
            where = self.filter(self.random.choice(seen))
        if self.random.random() < 0.25:
            where = _both(where, self.among(self.random.choice(seen)))
        if self.random.random() < 0.1:
            where = _both(where, self.aside(self.random.choice(seen)))
        leaves = [leaf for table in seen for leaf in table.leaves.values()]
        if self.random.random() < 0.6:
            return self._grouped(source, where, leaves, seen)
        chosen = self.random.sample(leaves, min(len(leaves), self.random.randint(1, 4)))
        items = tuple(Item(leaf, f"r{n}") for n, leaf in enumerate(chosen))
        return self._cut(Query(items, source, where, distinct=self.random.random() < 0.15))

    def _grouped(
        self, source: Source, where: Expr | None, leaves: list[Expr], seen: list[_Aliased]
    ) -> Query:
        table = self.random.choice(seen)
        found = [table.key(self.random)] if self.random.random() < 0.6 else []
        if self.random.random() < 0.5:
            found.append(self.random.choice([leaf for leaf in leaves if leaf.family != "float"]))
        group = tuple(dict.fromkeys(found))
        calls = self.calls(leaves)
        items = (*(Item(key, f"g{n}") for n, key in enumerate(group)), *calls)
        having = None
        if group and self.random.random() < 0.2:
            having = Expr("bool", (f"(count(*) > {self.random.choice((1, 2))})",))
        return self._cut(Query(items, source, where, group=group, having=having))

    def _cut(self, query: Query) -> Query:
        """The query, sometimes in a total order, and then sometimes its first rows alone."""
        if self.random.random() < 0.6:
            return query
        places = list(range(len(query.items)))
        self.random.shuffle(places)
        suffixes = ("", "", " DESC", " NULLS FIRST")
        order = tuple(Order(str(n + 1), n, self.random.choice(suffixes)) for n in places)
        return replace(query, order=order, limit=self.random.choice((None, 1, 3, 5, 10)))


def keyed_query(random: Random, tables: Sequence[Table]) -> Query:
    """One query over tables, at least one of which has a column k."""
    return _Keyed(random, tables).query()
