"""The LALR parser: tokens and tables in, the values that the rules' actions make out.

Owns: the loop over the automaton, spans, and the bound on depth. Comes in: tokens, and an action
for each name in the tables. Goes out: the value of the start rule. Does not know: SQL.

The loop holds its own stack, so a statement may nest as deep as the limit allows, whatever
Python's recursion limit is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from eau2.errors import Span
from eau2.sql.lexer import UNREADABLE, Tokens
from eau2.sql.tables import ACCEPT, LIST, LIST_MORE, PASS, Rule, Tables

Action = Callable[..., Any]
"""Called with the span of what was read and the values of its parts."""


class UnexpectedTokenError(Exception):
    """The token at `index` may not stand there."""

    def __init__(self, index: int) -> None:
        super().__init__(index)
        self.index = index


class TooDeepError(Exception):
    """What stands at `span` is nested deeper than allowed."""

    def __init__(self, span: Span) -> None:
        super().__init__(span)
        self.span = span


def parse(
    tokens: Tokens,
    tables: Tables,
    actions: Mapping[str, Action],
    deepens: Callable[[str, Sequence[Any]], int],
    depth_limit: int,
) -> Any:
    """The value of the start rule.

    `deepens(action, arguments)` says how many levels an action with them adds to the tree. Raises
    UnexpectedTokenError and TooDeepError.
    """
    text, kinds, starts, ends = tokens.text, tokens.kinds, tokens.starts, tokens.ends
    steps, gotos, rules = tables.actions, tables.gotos, tables.rules
    passed = tables.passed
    states = [0]
    values: list[Any] = [None]
    places = [0]
    depths = [0]
    index = 0
    kind = kinds[0]
    while True:
        state = states[-1]
        step: Any = steps[state]
        if step.__class__ is dict:
            step = step.get(kind)
            if step is None:
                if tables.skipped not in steps[state]:  # type: ignore[operator]
                    raise UnexpectedTokenError(index)
                skip(tokens, index, tables)
                kind = kinds[index]
                continue
        if step >= 0:
            states.append(step)
            start = starts[index]
            values.append(text[start : ends[index]])
            places.append(start)
            depths.append(0)
            index += 1
            kind = kinds[index]
            continue
        if step == ACCEPT:
            return values[-1]
        rule = rules[-2 - step]
        size = rule.size
        if size == 1 and rule.action == PASS:
            states[-1] = pass_on(states[-2], state, kind, tables, passed)
            continue
        if size == 0:
            parts: list[Any] = []
            start, depth = ends[index - 1] if index else 0, 0
        else:
            parts = values[-size:]
            start = places[-size]
            depth = max(depths[-size:])
            del states[-size:], values[-size:], places[-size:], depths[-size:]
        if rule.action == PASS:
            value = parts[rule.arguments[0]]
        elif rule.action == LIST:
            value = _arguments(rule.arguments, parts)
        elif rule.action == LIST_MORE:
            value = parts[0]
            value += _arguments(rule.arguments, parts)
        else:
            given = _arguments(rule.arguments, parts)
            span = Span(start, ends[index - 1] if index else 0)
            value = actions[rule.action](span, *given)
            depth += deepens(rule.action, given)
            if depth > depth_limit:
                raise TooDeepError(span)
        states.append(gotos[states[-1]][rule.lhs])
        values.append(value)
        places.append(start)
        depths.append(depth)


def pass_on(below: int, state: int, kind: int, tables: Tables, passed: dict[int, int]) -> int:
    """The state after all the reductions that only pass a value on, remembered for the next time.

    An expression of one name climbs a dozen levels of precedence: this makes it one step.
    """
    key = (below * len(tables.gotos) + state) * len(tables.terminals) + kind
    known = passed.get(key)
    if known is not None:
        return known
    while True:
        step = tables.actions[state]
        if not isinstance(step, int):
            step = step.get(kind, ACCEPT)
        if step >= ACCEPT:
            break
        rule = tables.rules[-2 - step]
        if rule.size != 1 or rule.action != PASS:
            break
        state = tables.gotos[below][rule.lhs]
    passed[key] = state
    return state


def _arguments(positions: Sequence[int], parts: list[Any]) -> list[Any]:
    """The arguments of an action, from the values of a rule's symbols."""
    given: list[Any] = []
    for position in positions:
        if position >= 0:
            given.append(parts[position])
        elif position == -1:
            given.append(None)
        else:
            given += parts[-2 - position]
    return given


def skip(tokens: Tokens, index: int, tables: Tables) -> None:
    """Make one SKIPPED token of what stands up to the closing bracket or the statement's end."""
    opening = {tables.signs[sign] for sign in "([{"}
    closing = {tables.signs[sign] for sign in ")]}"}
    depth = 0
    kinds = tokens.kinds
    after = index
    while kinds[after] not in (tables.end, tables.signs[";"], UNREADABLE):
        if kinds[after] in closing:
            if depth == 0:
                break
            depth -= 1
        depth += kinds[after] in opening
        after += 1
    if kinds[after] == UNREADABLE:
        raise UnexpectedTokenError(after)
    if after == index:
        start = end = tokens.ends[index - 1]
    else:
        start, end = tokens.starts[index], tokens.ends[after - 1]
    tokens.kinds[index:after] = [tables.skipped]
    tokens.starts[index:after] = [start]
    tokens.ends[index:after] = [end]


def states_before(tokens: Tokens, index: int, tables: Tables) -> list[int]:
    """The stack of states right after the token before `index` was taken."""
    states = [0]
    for kind in tokens.kinds[:index]:
        if not _take(states, kind, tables):
            break
    return states


def accepts(states: list[int], kinds: Sequence[int], tables: Tables) -> bool:
    """Whether these tokens may follow in turn."""
    copy = list(states)
    return all(_take(copy, kind, tables) for kind in kinds)


def _take(states: list[int], kind: int, tables: Tables) -> bool:
    """Reduce, then shift `kind`; False if it may not stand here."""
    while True:
        step: Any = tables.actions[states[-1]]
        if step.__class__ is dict:
            step = step.get(kind, step.get(tables.skipped))
        if step is None:
            return False
        if step == ACCEPT:
            return True
        if step >= 0:
            states.append(step)
            return True
        rule: Rule = tables.rules[-2 - step]
        if rule.size:
            del states[-rule.size :]
        states.append(tables.gotos[states[-1]][rule.lhs])
