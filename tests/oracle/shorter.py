"""Stories made shorter while they end in the same difference, and shown to people.

Owns: `minimised`, `shown`. Comes in: a story, the number of the step that differs. Goes out: a
story that ends with such a step, or text. Does not know: how stories are drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, replace

from tests.oracle.fuzz import Verdict, show_answer, weight
from tests.oracle.shrink import smaller
from tests.oracle.sides import Setup
from tests.oracle.stories import Story, verdicts
from tests.oracle.told import DuckTold, EauTold


def minimised(
    story: Story, number: int, verdict: Verdict, steps: int = 300, urls: Sequence[str] = ()
) -> Story:
    """A smaller story whose last step differs in the same way as step `number` of this one."""

    def still(candidate: Story) -> bool:
        nonlocal steps
        steps -= 1
        found = [v for n, v in verdicts(candidate, True, urls) if n == len(candidate.told) - 1]
        return bool(found) and (found[0].outcome, found[0].kind) == (
            verdict.outcome,
            verdict.kind,
        )

    small = replace(story, told=story.told[: number + 1])
    if not still(small):
        return small
    size = len(small.told) // 2
    while size and steps > 0:
        start = 0
        while start < len(small.told) - 1 and steps > 0:
            rest = small.told[:start] + small.told[min(start + size, len(small.told) - 1) :]
            candidate = replace(small, told=rest)
            if still(candidate):
                small = candidate
            else:
                start += size
        size //= 2
    for setup in simpler(small.setup):
        candidate = replace(small, setup=setup)
        if steps > 0 and still(candidate):
            small = candidate
    small = with_smaller_query(small, still, lambda: steps > 0)
    for at in range(len(small.tables)):
        small = with_fewer_rows(small, at, still, lambda: steps > 0)
    return small


def simpler(setup: Setup) -> Iterator[Setup]:
    """The setup with one thing as it is usually, each in turn."""
    usual = Setup()
    for field in fields(Setup):
        yield replace(setup, **{field.name: getattr(usual, field.name)})


def with_smaller_query(
    story: Story, still: Callable[[Story], bool], more: Callable[[], bool]
) -> Story:
    """The story with a simpler query at its end, wherever else it is asked too."""
    improved = True
    while improved and more():
        improved = False
        query = story.told[-1]
        if isinstance(query, str):
            return story
        for candidate in smaller(query):
            if not more():
                break
            if weight(candidate) >= weight(query):
                continue
            told = tuple(candidate if step is query else step for step in story.told)
            if still(replace(story, told=told)):
                story, improved = replace(story, told=told), True
                break
    return story


def with_fewer_rows(
    story: Story, at: int, still: Callable[[Story], bool], more: Callable[[], bool]
) -> Story:
    """The story with fewer rows in one of its first tables."""
    size = len(story.tables[at].rows)
    while size >= 1:
        start = 0
        while start < len(story.tables[at].rows) and more():
            table = story.tables[at]
            fewer = replace(table, rows=table.rows[:start] + table.rows[start + size :])
            tables = (*story.tables[:at], fewer, *story.tables[at + 1 :])
            if still(replace(story, tables=tables)):
                story = replace(story, tables=tables)
            else:
                start += size
        size //= 2
    return story


def shown(story: Story, urls: Sequence[str] = ()) -> str:
    """A story for people: its tables as SQL, each step, both answers to the last one."""
    parts = [f"-- {story.place}, {story.setup}", *(table.sql() for table in story.tables)]
    parts += [f"{step if isinstance(step, str) else step.sql};" for step in story.told]
    duck, other = DuckTold(story.tables), EauTold(story.tables, story.setup, story.place, urls)
    for name, side in (("DuckDB", duck), ("eau2", other)):
        for step in story.told[:-1]:
            side.tell(step) if isinstance(step, str) else side.run(step.sql)
        last = story.told[-1]
        if isinstance(last, str):
            parts.append(f"-- {name}: {side.tell(last)}")
        else:
            parts.append(f"-- {name}: {show_answer(side.run(last.sql))}")
        side.close()
    return "\n".join(parts)
