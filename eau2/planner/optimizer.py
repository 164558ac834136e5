"""The optimiser: rules over logical plans, in order, each checked.

Owns: the list of rules and the driver. Comes in: the plan the binder made. Goes out: a plan with
the same output columns and rows that reads and computes less. A function of the plan (and so of
statistics) and the settings: never of chunks, nodes, threads or time.
Does not know: stages, operators, how anything is computed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from eau2.errors import InternalError
from eau2.planner.rules.compare_extremes import compare_extremes
from eau2.planner.rules.fold_constants import fold_constants
from eau2.planner.rules.group_before_joins import group_before_joins
from eau2.planner.rules.inline_definitions import inline_definitions
from eau2.planner.rules.keep_first_rows import keep_first_rows
from eau2.planner.rules.merge_projections import merge_projections
from eau2.planner.rules.open_conditions import open_conditions
from eau2.planner.rules.order_joins import order_joins
from eau2.planner.rules.prove_presence import prove_presence
from eau2.planner.rules.prove_ranges import prove_ranges
from eau2.planner.rules.prune_columns import prune_columns
from eau2.planner.rules.push_filters import push_filters
from eau2.planner.rules.push_limits import push_limits
from eau2.planner.rules.reduce_inputs import reduce_inputs
from eau2.planner.rules.reduce_keys import reduce_keys
from eau2.planner.rules.share_filters import share_filters
from eau2.planner.rules.share_joins import share_joins
from eau2.planner.rules.share_rows import share_rows
from eau2.planner.rules.split_distinct import split_distinct
from eau2.planner.rules.trim_sorts import trim_sorts
from eau2.planner.rules.unnest import unnest
from eau2.records import Record
from eau2.sql.logical import Logical

Observer = Callable[[str, Logical], None]


class Rule(Record, frozen=True):
    """A rule: its name (as in SET optimizer.<name>), what it does, why it stands where it does.

    A rule that is not `optional` cannot be left out: what it rewrites has no physical form.
    """

    name: str
    apply: Callable[[Logical], Logical]
    reason: str
    optional: bool = True


RULES: tuple[Rule, ...] = (
    Rule(
        "fold_constants",
        fold_constants,
        "First: what is constant or bare after it is easier for every other rule to see.",
    ),
    Rule(
        "prove_ranges",
        prove_ranges,
        "Before filters move: what provably cannot overflow cannot raise, and may move further.",
    ),
    Rule(
        "open_conditions",
        open_conditions,
        "Before filters move, too: what is proven not to raise need not stay inside a CASE.",
    ),
    Rule(
        "unnest",
        unnest,
        "Other rules know joins alone; and it lifts further what is proven not to raise.",
        optional=False,
    ),
    Rule(
        "inline_definitions",
        inline_definitions,
        "Now all reads are there; and what is written out, filters and joins see through.",
    ),
    Rule(
        "push_filters",
        push_filters,
        "Before joins are ordered: sizes are estimated after the filters on each relation.",
    ),
    Rule(
        "group_before_joins",
        group_before_joins,
        "Needs filters at the relations; the joins that are left below and above are ordered then.",
    ),
    Rule(
        "order_joins",
        order_joins,
        "Needs filters at the relations and equalities at the joins.",
    ),
    Rule(
        "compare_extremes",
        compare_extremes,
        "Joins are ordered while these are still semi joins; their groups may be reduced then.",
    ),
    Rule(
        "reduce_inputs",
        reduce_inputs,
        "Only ordered joins show with how many rows an aggregate or a right side is joined.",
    ),
    Rule(
        "share_rows",
        share_rows,
        "Only reduced inputs show which few rows of a frame are asked for twice.",
    ),
    Rule(
        "share_joins",
        share_joins,
        "After the rules that reduce one of two equal joins further than the other.",
    ),
    Rule(
        "share_filters",
        share_filters,
        "What whole joins share is not filtered twice any more.",
    ),
    Rule(
        "split_distinct",
        split_distinct,
        "Repeats its input, which by now is filtered and ordered, so that is done once.",
        optional=False,
    ),
    Rule(
        "reduce_keys",
        reduce_keys,
        "Distinct aggregates have repeated their keys by now; it leaves projections to merge.",
    ),
    Rule(
        "push_limits",
        push_limits,
        "Brings limits to their sorts, where the physical plan makes a top-k of them.",
    ),
    Rule(
        "merge_projections",
        merge_projections,
        "After the rules that leave projections behind or move others next to them.",
    ),
    Rule(
        "keep_first_rows",
        keep_first_rows,
        "Once filters stay where they are: one over a row number is right above its window.",
    ),
    Rule(
        "trim_sorts",
        trim_sorts,
        "After limits have found their places: only then is it known which orders are seen.",
    ),
    Rule(
        "prove_presence",
        prove_presence,
        "When no join moves any more: an outer one makes NULLs where there were none.",
    ),
    Rule(
        "prune_columns",
        prune_columns,
        "Last: every rule before may make a column superfluous.",
    ),
)
"""The rules in order. Each runs once; each reaches its own fixpoint where that takes repetition."""

PHYSICAL = ("direct_joins", "runs", "indexes", "zones")
"""Ways to compute that are chosen where the rows are, and can be left out as rules can: joins by
arrays over whole-number keys, groups of rows that lie together, row lists, parts of chunks. They
are flags of the operators (planner/physical.py), so that every node obeys."""


def switch_names() -> tuple[str, ...]:
    """What SET optimizer.<name> can leave out."""
    return (*(rule.name for rule in RULES if rule.optional), *PHYSICAL)


def optimize(
    plan: Logical,
    settings: Mapping[str, object] | None = None,
    observe: Observer | None = None,
) -> Logical:
    """Apply the rules in order. `{"optimizer.<rule>": False}` in `settings` leaves a rule out.

    `observe` is called with the name of each rule that changed the plan, and the plan it made.
    Raises InternalError when a rule changes the output columns.
    """
    switches = settings or {}
    shape = _shape(plan)
    for rule in RULES:
        if rule.optional and switches.get(f"optimizer.{rule.name}", True) is False:
            continue
        changed = rule.apply(plan)
        if _shape(changed) != shape:
            raise InternalError(f"the rule {rule.name} changed the columns of the result")
        if observe is not None and changed != plan:
            observe(rule.name, changed)
        plan = changed
    return plan


def _shape(plan: Logical) -> tuple[tuple[int, object], ...]:
    return tuple((column.id, column.type) for column in plan.output)
