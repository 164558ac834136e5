"""Stars and COLUMNS: which columns they stand for, and the select list with them written out.

Owns: EXCLUDE, REPLACE, RENAME and LIKE of a star, COLUMNS in expressions, the entries of a select
list with their names and aliases. Comes in: ast expressions, the scope. Goes out: expressions
without stars, in which a column that was chosen is a `Chosen`.
Does not know: what an expression means, clauses.
"""

from __future__ import annotations

from collections.abc import Iterable

from eau2.errors import DataError, NotSupportedError, ProgrammingError, Span, UnknownColumnError
from eau2.operators.constants import over_texts
from eau2.operators.expr import Expr, Literal
from eau2.operators.functions import table
from eau2.records import Record, replace
from eau2.sql import ast
from eau2.sql.depth import check_written
from eau2.sql.environment import Alias
from eau2.sql.naming import expression_text
from eau2.sql.scope import Scope, VisibleColumn, VisibleTable, suggestion
from eau2.sql.spans import at
from eau2.sql.syntax_walk import parts, rewritten
from eau2.types import VARCHAR

_PATTERNS = {"like": "like", "ilike": "ilike", "glob": "glob", "similar": "regexp_full_match"}


class Chosen(ast.Name, frozen=True):
    """A column that a star or COLUMNS stands for; `parts` are for texts."""

    column: VisibleColumn


class Entry(Record, frozen=True):
    """One column of the select list: its name and what it computes.

    A name that has to be made from the expression is made when the expression has been bound,
    and is empty until then.
    """

    name: str
    node: ast.Expression

    @property
    def is_renamed(self) -> bool:
        """Whether this is another column, or has another name, than the star alone would give."""
        return not isinstance(self.node, Chosen) or self.node.column.name != self.name


def entries(
    items: tuple[ast.SelectItem, ...], scope: Scope
) -> tuple[tuple[Entry, ...], dict[str, Alias]]:
    """The result's columns, stars written out, and the aliases; of equal ones the last counts.

    What REPLACE, RENAME and COLUMNS call a column is an alias, as if it had been written.
    """
    result: list[Entry] = []
    aliases: dict[str, Alias] = {}
    for item in items:
        if isinstance(item.expression, ast.Star):
            found = star_entries(item.expression, scope)
            named = [entry.is_renamed for entry in found]
        elif (copies := written_out(item.expression, scope)) is not None:
            found = [Entry(copy.named(item.alias), copy.node) for copy in copies]
            named = [True for _ in found]
        else:
            found = [Entry(item.alias or "", item.expression)]
            named = [item.alias is not None]
        for position, (entry, is_alias) in enumerate(zip(found, named, strict=True), len(result)):
            if is_alias:
                aliases[entry.name.casefold()] = Alias(position, entry.name, entry.node)
        result += found
    return tuple(result), aliases


def star_entries(star: ast.Star, scope: Scope) -> list[Entry]:
    """The columns of a star in order, as its modifiers leave them."""
    tables = _tables(star, scope)
    _check_lists(star, tables)
    columns = _included(star, scope, tables)
    if star.like is not None:
        columns = _liked(columns, star.like, star.span)
    replaced = {name.casefold(): Entry(name, node) for node, name in star.replace}
    renamed = {name.casefold(): new for name, new in star.rename}
    result: list[Entry] = []
    done: set[str] = set()
    for column in columns:
        name = column.name.casefold()
        if name not in replaced:
            node = Chosen(star.span, (column.name,), column)
            result.append(Entry(renamed.get(name, column.name), node))
        elif name not in done:
            done.add(name)
            result.append(replaced[name])
    if not result:
        raise ProgrammingError("this * stands for no column", span=star.span)
    return result


def _tables(star: ast.Star, scope: Scope) -> tuple[VisibleTable, ...]:
    if star.qualifier is not None:
        return (scope.table(star.qualifier, star.span),)
    if not scope.tables:
        raise ProgrammingError("* needs a FROM clause", span=star.span)
    return scope.tables


def _included(
    star: ast.Star, scope: Scope, tables: tuple[VisibleTable, ...]
) -> list[VisibleColumn]:
    """The star's columns without those of EXCLUDE."""
    names = {entry[-1].casefold() for entry in star.exclude if len(entry) == 1}
    qualified = frozenset(
        (entry[-2].casefold(), entry[-1].casefold()) for entry in star.exclude if len(entry) > 1
    )
    if star.qualifier is None:
        columns = scope.star(qualified)
    else:
        (held,) = tables
        columns = tuple(
            column
            for column in held.columns
            if (held.name.casefold(), column.name.casefold()) not in qualified
        )
    return [column for column in columns if column.name.casefold() not in names]


def _check_lists(star: ast.Star, tables: tuple[VisibleTable, ...]) -> None:
    """Refuse names that occur twice or that mean nothing. (RENAME may name what is not there.)"""
    excluded = [".".join(entry).casefold() for entry in star.exclude]
    replaced = [name.casefold() for _, name in star.replace]
    renamed = list(dict.fromkeys(name.casefold() for name, _ in star.rename))
    known = [column.name for held in tables for column in held.columns]
    seen: dict[str, str] = {}
    for clause, names in (("EXCLUDE", excluded), ("REPLACE", replaced), ("RENAME", renamed)):
        for name in names:
            if name in seen:
                where = clause if seen[name] == clause else f"{seen[name]} and in {clause}"
                raise ProgrammingError(f'"{name}" occurs twice in {where}', span=star.span)
            seen[name] = clause
    for entry in star.exclude:
        holders = [
            t for t in tables if len(entry) == 1 or t.name.casefold() == entry[-2].casefold()
        ]
        if not any(held.find(entry[-1]) for held in holders):
            raise _unknown(".".join(entry), "EXCLUDE", known, star.span)
    for name in replaced:
        if not any(held.find(name) for held in tables):
            raise _unknown(name, "REPLACE", known, star.span)


def _unknown(name: str, clause: str, known: list[str], span: Span) -> UnknownColumnError:
    return UnknownColumnError(
        f'there is no column "{name}", which {clause} names',
        span=span,
        hint=suggestion(name, list(dict.fromkeys(known)), "Columns"),
    )


def _liked(columns: list[VisibleColumn], like: tuple[str, str], span: Span) -> list[VisibleColumn]:
    operator, pattern = like
    negated = operator.startswith("not ")
    function = _PATTERNS[operator.removeprefix("not ")]
    matching = _matching([c.name for c in columns], function, pattern, span)
    return [c for c, found in zip(columns, matching, strict=True) if found is not negated]


def _matching(names: list[str], function: str, pattern: str, span: Span) -> list[bool]:
    if table.find(function) is None:
        raise NotSupportedError(f"{function.upper()} after * is not supported", span=span)

    def test(name: Expr) -> Expr:
        return table.bind(function, (name, Literal(VARCHAR, pattern)))

    try:
        return [value is True for value in at(span, over_texts, names, test)]
    except DataError as error:
        raise ProgrammingError(f"'{pattern}' is no pattern: {error.message}", span=span) from error


class Copy(Record, frozen=True):
    """An expression around COLUMNS, for one of the columns: column None when all went into it."""

    node: ast.Expression
    text: str
    column: VisibleColumn | None
    pattern: str | None
    span: Span

    def named(self, alias: str | None) -> str:
        """The name of the result: a backslash and a digit in an alias is a group of the pattern."""
        if self.column is None:
            return self.text if alias is None else alias
        if alias is None:
            return self.column.name
        if "\\" not in alias:
            return alias
        own = self.pattern or ".*"

        def filled(name: Expr) -> Expr:
            found = table.bind("regexp_extract", (name, Literal(VARCHAR, own)))
            template = Literal(VARCHAR, alias)
            return table.bind("regexp_replace", (found, Literal(VARCHAR, own), template))

        (name,) = at(self.span, over_texts, [self.column.name], filled)
        return str(name)


def written_out(node: ast.Expression, scope: Scope) -> tuple[Copy, ...] | None:
    """The expression once for each column that its COLUMNS stand for; None if it has none.

    COLUMNS with a star before it puts all columns among the arguments around it instead.
    """
    found = [part for part in parts(node) if isinstance(part, ast.Columns)]
    if not found:
        return None
    check_written(node)
    first = found[-1]
    if any(_bare(other) != _bare(first) for other in found):
        raise NotSupportedError(
            "several different COLUMNS in one expression are not supported", span=first.span
        )
    chosen = _chosen(first, scope)
    if any(part.unpacked for part in found):
        if not all(part.unpacked for part in found) or isinstance(node, ast.Columns):
            raise ProgrammingError(
                "*COLUMNS can only stand among the arguments of a function", span=first.span
            )
        copy = _filled(node, tuple(entry.node for entry in chosen))
        return (Copy(copy, expression_text(copy), None, first.pattern, node.span),)
    return tuple(
        Copy(
            _filled(node, (entry.node,)),
            entry.name,
            VisibleColumn(entry.name, Literal(VARCHAR, None)),
            first.pattern,
            node.span,
        )
        for entry in chosen
    )


def _bare(node: ast.Columns) -> ast.Columns:
    """What it chooses, without where it was written."""
    nowhere = Span(0, 0)
    star = None if node.star is None else replace(node.star, span=nowhere)
    return replace(node, span=nowhere, star=star, unpacked=False)


def _filled(node: ast.Expression, columns: tuple[ast.Expression, ...]) -> ast.Expression:
    return rewritten(node, lambda part: columns if isinstance(part, ast.Columns) else None)


def _chosen(node: ast.Columns, scope: Scope) -> list[Entry]:
    """The columns that COLUMNS stands for."""
    if not scope.tables:
        raise ProgrammingError("COLUMNS needs a FROM clause", span=node.span)
    star = node.star or ast.Star(node.span, node.qualifier)
    columns = star_entries(star, scope)
    names = [entry.name for entry in columns]
    if node.names:
        known = {name.casefold() for name in names}
        for name in node.names:
            if name.casefold() not in known:
                raise _unknown(name, "COLUMNS", names, node.span)
        wanted = {name.casefold() for name in node.names}
        return [entry for entry in columns if entry.name.casefold() in wanted]
    if node.pattern is None:
        return columns
    matching = _matching(names, "regexp_matches", node.pattern, node.span)
    kept = [entry for entry, found in zip(columns, matching, strict=True) if found]
    if not kept:
        raise UnknownColumnError(
            f"no column matches '{node.pattern}'",
            span=node.span,
            hint=suggestion(node.pattern, names, "Columns"),
        )
    return kept


def conjoined(node: ast.Expression, scope: Scope) -> ast.Expression:
    """A condition around COLUMNS: that it holds for each of the columns."""
    copies = written_out(node, scope)
    return node if copies is None else _all(tuple(copy.node for copy in copies))


def _all(nodes: tuple[ast.Expression, ...]) -> ast.Expression:
    if len(nodes) == 1:
        return nodes[0]
    middle = len(nodes) // 2
    return ast.Binary(nodes[0].span, "and", _all(nodes[:middle]), _all(nodes[middle:]))


def each(items: Iterable[ast.OrderItem], scope: Scope) -> tuple[ast.OrderItem, ...]:
    """ORDER BY entries, those around COLUMNS once for each of the columns."""
    result: list[ast.OrderItem] = []
    for item in items:
        copies = written_out(item.expression, scope)
        if copies is None:
            result.append(item)
        else:
            result += [replace(item, expression=copy.node) for copy in copies]
    return tuple(result)
