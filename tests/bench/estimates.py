"""How well rows are estimated: `python -m tests.bench.estimates [--scale 1] [--query q21]`.

For each TPC-H query every operator of the optimised plan is run for its number of rows, which is
compared with the estimate. The q-error is the factor between the two, whichever is larger; 0 rows
count as one. Prints median, 90th percentile and maximum per query, and the operator of the maximum;
with `--query` every operator. Estimates are made as they are for a choice: of a plan as it stands.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

from eau2.embedded import EmbeddedBackend
from eau2.operators.expr import AggregateCall, Column
from eau2.planner.estimate import rows
from eau2.planner.optimizer import optimize
from eau2.planner.physical import plan as cut
from eau2.planner.rules.prune_columns import prune_columns
from eau2.sql import ast
from eau2.sql.binder import bind
from eau2.sql.copies import highest_id
from eau2.sql.logical import Aggregate, Filter, Join, Limit, Logical
from eau2.sql.parser import parse_one
from eau2.sql.plan_text import to_text
from eau2.sql.sharing import Definition, With
from eau2.types import BIGINT
from tests.bench.front_end import NOW
from tests.tpch import data

WIDTH = 90
"""So many characters of an operator's text are shown."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """An operator with its estimated and its actual rows."""

    operator: str
    estimated: float
    actual: int

    @property
    def error(self) -> float:
        """The q-error, at least 1."""
        a, b = max(1.0, self.estimated), max(1.0, float(self.actual))
        return max(a / b, b / a)


def operators(
    plan: Logical, definitions: tuple[Definition, ...] = ()
) -> Iterator[tuple[Logical, tuple[Definition, ...]]]:
    """What chooses rows in a plan, each with the definitions that it may read."""
    if isinstance(plan, With):
        for at, definition in enumerate(plan.definitions):
            yield from operators(definition.plan, definitions + plan.definitions[:at])
        yield from operators(plan.input, definitions + plan.definitions)
        return
    for below in plan.inputs:
        yield from operators(below, definitions)
    if isinstance(plan, Filter | Join | Aggregate | Limit):
        yield plan, definitions


def counted(backend: EmbeddedBackend, plan: Logical, definitions: tuple[Definition, ...]) -> int:
    """The number of rows that a part of a plan gives."""
    whole = With(definitions, plan) if definitions else plan
    number = Column(next(count(highest_id(whole) + 1)), "rows", BIGINT)
    counting: Logical = Aggregate(plan, (), ((number, AggregateCall("count_star", (), BIGINT)),))
    counting = prune_columns(With(definitions, counting) if definitions else counting)
    prepared = backend.cluster.prepare(cut(counting, ("rows",)))
    return sum(int(frame.item(0, 0)) for frame in backend.cluster.stream(prepared) if len(frame))


def estimates(backend: EmbeddedBackend, sql: str) -> list[Estimate]:
    """Every operator of a query."""
    query = parse_one(sql)
    assert isinstance(query, ast.Query)
    plan = optimize(bind(query, backend.frames, None, NOW).plan)
    return [
        Estimate(to_text(part).splitlines()[0], rows(part), counted(backend, part, definitions))
        for part, definitions in operators(plan)
    ]


def main(arguments: list[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", default="1")
    parser.add_argument("--query", choices=data.QUERIES)
    options = parser.parse_args(arguments)
    backend = EmbeddedBackend(None, None, None)
    for name in data.TABLES:
        table = data.table(options.scale, name)
        backend.register(name, table.schema, iter(table.to_batches()))
    errors: list[float] = []
    for query in [options.query] if options.query else data.QUERIES:
        found = estimates(backend, data.text(query))
        mine = sorted(estimate.error for estimate in found)
        errors += mine
        worst = max(found, key=lambda estimate: estimate.error)
        if options.query:
            for each in found:
                print(f"{each.error:9.1f} {each.estimated:12.0f} {each.actual:12} {each.operator}")
        print(f"{query} {summary(mine)}  {worst.operator[:WIDTH]}", flush=True)
    print(f"all {summary(sorted(errors))}")
    backend.close()


def summary(errors: list[float]) -> str:
    """Median, 90th percentile and maximum of sorted q-errors."""
    high = errors[min(len(errors) - 1, int(0.9 * len(errors)))]
    return f"{statistics.median(errors):8.2f} {high:10.1f} {errors[-1]:10.1f}"


if __name__ == "__main__":
    main()
