"""Unnest: dependent joins become joins, so that no plan is evaluated row by row.

Owns: what each kind of dependent join becomes. Comes in: a plan as bound. Goes out: the same rows
and columns from a plan without DependentJoin, with all definitions that are left at the top.
Does not know: how conditions are lifted (lift), how a plan is evaluated for many outer rows at once
(domain), how NULL in a subquery predicate is told from false (marks).

Inner dependent joins are unnested before the ones they are in. First the correlated conditions are
lifted out of the right side; they become the join's. Where that cannot be, the right side is
evaluated for the distinct outer values that it reads. A dependent join inside the right side whose
own left side reads outer columns waits until those are there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count

from eau2.operators.expr import (
    Call,
    Case,
    Column,
    ColumnRef,
    Expr,
    Literal,
    columns_of,
    conjunction,
    conjuncts,
    ref,
)
from eau2.operators.facts import always_null, can_raise
from eau2.planner.domain import Domain, exactly
from eau2.planner.lift import Lifted, Lifter
from eau2.planner.marks import FALSE, TRUE, Correlation, Marks
from eau2.planner.nulls import is_never_null, never_null
from eau2.planner.pairs import join_on
from eau2.planner.rules.push_filters import equality_between
from eau2.planner.unique_keys import determined, unique_keys
from eau2.records import Struct, field, replace
from eau2.sql.copies import Copier, free_columns, highest_id
from eau2.sql.logical import (
    Aggregate,
    DependentJoin,
    Filter,
    Join,
    Limit,
    Logical,
    OneRow,
    Project,
    Scan,
    Sort,
    Unnest,
)
from eau2.sql.plan_exprs import expressions
from eau2.sql.sharing import Definition, Recursive, SharedScan, With
from eau2.types import BOOLEAN

Parts = tuple[Expr, ...]


def unnest(plan: Logical) -> Logical:
    """The rule. New columns and definitions are numbered from the highest id of the plan on."""
    if not _holds_any(plan):
        return plan
    return _Scope(count(highest_id(plan) + 1), _uses(plan)).whole(plan)


def _holds_any(plan: Logical) -> bool:
    return isinstance(plan, DependentJoin | With) or any(map(_holds_any, plan.inputs))


def _uses(plan: Logical) -> dict[int, int]:
    """How often each column is read, by expressions anywhere and by position."""
    found: dict[int, int] = {}

    def add(ids: Iterator[int]) -> None:
        for id_ in ids:
            found[id_] = found.get(id_, 0) + 1

    def visit(node: Logical) -> None:
        for expr in expressions(node):
            add(_references(expr))
        if not isinstance(node, Filter | Join | DependentJoin | Sort | Limit | Project | Aggregate):
            # These may pass columns on by position.
            for below in node.inputs:
                add(column.id for column in below.output)
        for below in node.inputs:
            visit(below)

    add(column.id for column in plan.output)
    visit(plan)
    return found


def _references(expr: Expr) -> Iterator[int]:
    if isinstance(expr, ColumnRef):
        yield expr.id
    for child in expr.children:
        yield from _references(child)


class _Scope(Struct):
    """A plan, or an input of a Recursive, under way: what is defined at its top.

    two_valued: marks of which NULL means the same as false. written_out: correlated definitions.
    """

    ids: Iterator[int]
    uses: dict[int, int]
    definitions: list[Definition] = field(default_factory=list)
    two_valued: set[int] = field(default_factory=set)
    written_out: dict[int, Logical] = field(default_factory=dict)

    def whole(self, plan: Logical) -> Logical:
        """The plan with what it defines on top."""
        changed = self.rewrite(plan)
        return With(tuple(self.definitions), changed) if self.definitions else changed

    def rewrite(self, plan: Logical) -> Logical:
        """The plan without dependent joins, but for those whose left side reads outer columns."""
        match plan:
            case With(definitions=definitions, input=below):
                for definition in definitions:
                    self._define(definition)
                return self.rewrite(below)
            case SharedScan(definition=number) if number in self.written_out:
                return self._written_out(plan)
            case Recursive():
                inner = (_Scope(self.ids, self.uses, [], set(), self.written_out) for _ in range(2))
                sides = zip(inner, plan.inputs, strict=True)
                return plan.with_inputs(tuple(scope.whole(below) for scope, below in sides))
            case Filter() if isinstance(plan.input, DependentJoin | Filter):
                plan = self._decided(plan)
        if plan.inputs:
            plan = plan.with_inputs(tuple(map(self.rewrite, plan.inputs)))
        return self._unnested(plan) if isinstance(plan, DependentJoin) else plan

    def _define(self, definition: Definition) -> None:
        plan = self.rewrite(definition.plan)
        if free_columns(plan):
            self.written_out[definition.number] = plan
        else:
            self.definitions.append(replace(definition, plan=plan))

    def _written_out(self, scan: SharedScan) -> Logical:
        original = self.written_out[scan.definition]
        copier = Copier(self.ids)
        plan = copier.plan(original)
        given = [ref(copier.column(original.output[p])) for p in scan.positions]
        return Project(plan, tuple(zip(scan.columns, given, strict=True)))

    def _decided(self, plan: Filter) -> Logical:
        """A filter over marks: those that decide alone become semi and anti joins."""
        alone: dict[int, bool] = {}
        rest: list[Expr] = []
        for part in conjuncts(plan.condition):
            match part:
                case ColumnRef(id=id_) if self.uses.get(id_) == 1:
                    alone[id_] = True
                case Call(function="not", args=(ColumnRef(id=id_),)) if self.uses.get(id_) == 1:
                    alone[id_] = False
            rest.append(part)
            for id_, seen in _positive(part).items():
                if self.uses.get(id_) == seen:
                    self.two_valued.add(id_)
        below, gone = self._alone(plan.input, alone)
        kept = tuple(part for part in rest if not columns_of(part) & gone)
        return Filter(below, conjunction(kept)) if kept else below

    def _alone(self, plan: Logical, alone: dict[int, bool]) -> tuple[Logical, set[int]]:
        """The chain of dependent joins with its marks decided, and the marks that are gone."""
        match plan:
            case Filter(input=below):
                changed, gone = self._alone(below, alone)
                return replace(plan, input=changed), gone
            case DependentJoin(left=left):
                changed, gone = self._alone(left, alone)
                plan = replace(plan, left=changed)
                wanted = None if plan.mark is None else alone.get(plan.mark.id)
                if plan.mark is None or wanted is None:
                    return plan, gone
                if not wanted and plan.condition is not None:
                    sure = never_null(plan.left) | never_null(plan.right)
                    if not is_never_null(plan.condition, sure):
                        return plan, gone
                kind = replace(plan, kind="semi" if wanted else "anti", mark=None)
                return kind, gone | {plan.mark.id}
        return plan, set()

    def _unnested(self, plan: DependentJoin) -> Logical:
        plan = replace(plan, right=_unordered(plan.right))
        if plan.kind in ("mark", "semi", "anti") and plan.condition is None:
            plan = replace(plan, right=_existence(plan.right))
        outer = frozenset(column.id for column in plan.left.output)
        chained = _over_left(plan)
        if chained is not None:
            return self.rewrite(chained)
        lifted = Lifter(outer, self.ids).lift(plan.right)
        if lifted is not None:
            return self._joined(plan, replace(lifted, plan=self.rewrite(lifted.plan)))
        if free_columns(plan.left):
            return plan
        return self._by_domain(plan)

    def _by_domain(self, plan: DependentJoin) -> Logical:
        """Evaluate the right side for the distinct outer values that it reads."""
        exact = exactly(plan, self.ids)
        if exact is not None:
            kept = tuple((column, ref(column)) for column in plan.output)
            return Project(self._by_domain(exact), kept)
        read = free_columns(plan.right)
        outer = tuple(column for column in plan.left.output if column.id in read)
        reads = self._shared(plan.left)
        left, _ = reads()
        copy, over_copy = reads()
        keys = tuple((replace(c, id=next(self.ids)), over_copy(ref(c))) for c in outer)
        number = next(self.ids)
        self.definitions.append(Definition(number, "outer values", Aggregate(copy, keys, ())))
        pushed = Domain(number, outer, self.ids).push(plan.right)
        conditions = tuple(
            Call(BOOLEAN, "is_not_distinct", (ref(c), ref(pushed.given[c.id]))) for c in outer
        )
        right = self.rewrite(pushed.plan)
        return self._joined(replace(plan, left=left), Lifted(right, conditions))

    def _shared(self, plan: Logical) -> Callable[[], tuple[Logical, Callable[[Expr], Expr]]]:
        """Reads of a plan: each gives its rows, and how to refer to the columns they are in.

        These are the plan's own for the first read, and new ones for each other.
        """
        number: int | None = None
        if not _is_cheap(plan) and not free_columns(plan):
            number = next(self.ids)
            self.definitions.append(Definition(number, "shared", Copier(self.ids).plan(plan)))
        fresh = False

        def read() -> tuple[Logical, Callable[[Expr], Expr]]:
            nonlocal fresh
            copier = Copier(self.ids)
            # The first read keeps the columns.
            columns = tuple(map(copier.column, plan.output)) if fresh else plan.output
            first, fresh = not fresh, True
            if number is not None:
                return SharedScan(number, columns, tuple(range(len(columns)))), copier.expr
            return (plan if first else copier.plan(plan)), copier.expr

        return read

    def _joined(self, plan: DependentJoin, lifted: Lifted) -> Logical:
        """The join of the left side with the right one, which no longer depends on it."""
        if lifted.padded:
            return self._padded(plan, lifted)
        condition = None if plan.condition is None else lifted.over(plan.condition)
        left, right = plan.left, lifted.plan
        by = _correlation(lifted.conditions, left, right)
        if plan.mark is not None:
            marks = Marks(self.ids, self._shared)
            two_valued = plan.mark.id in self.two_valued
            return marks.marked(left, right, by, condition, plan.mark, two_valued)
        if condition is not None:
            own = _correlation(conjuncts(condition), left, right)
            by = Correlation(by.strict + own.strict, by.safe + own.safe, by.rest + own.rest)
        if plan.kind in ("semi", "anti"):
            return join_on(plan.kind, left, right, by.strict, by.safe, by.rest)
        return self._with_columns(plan, right, by, dict(lifted.deferred))

    def _with_columns(
        self, plan: DependentJoin, right: Logical, by: Correlation, deferred: dict[int, Expr]
    ) -> Logical:
        """An inner, left or single join, whose deferred columns are computed after it."""
        kind = plan.kind
        if kind == "single" and _at_most_one(right, by):
            kind = "left"
        if kind == "left" and not (by.strict or by.safe or by.rest) and _exactly_one(right):
            kind = "inner"
        theirs = frozenset(column.id for column in right.output)
        if kind != "inner" and any(not always_null(e, theirs) for e in deferred.values()):
            found = Column(next(self.ids), "found", BOOLEAN)
            right = Project(right, (*((c, ref(c)) for c in right.output), (found, TRUE)))
            present = Call(BOOLEAN, "is_not_null", (ref(found),))
            deferred = {
                id_: Case(expr.type, ((present, expr),), Literal(expr.type, None))
                for id_, expr in deferred.items()
            }
        joined = join_on(kind, plan.left, right, by.strict, by.safe, by.rest)
        if joined.output == plan.output:
            return joined
        return Project(joined, tuple((c, deferred.get(c.id, ref(c))) for c in plan.output))

    def _padded(self, plan: DependentJoin, lifted: Lifted) -> Logical:
        """Every left row has exactly one row on the right, which counts if `post` is true."""
        by = _correlation(lifted.conditions, plan.left, lifted.plan)
        joined: Logical = join_on("left", plan.left, lifted.plan, by.strict, by.safe, by.rest)
        condition = None if plan.condition is None else lifted.over(plan.condition)
        own = () if condition is None else conjuncts(condition)
        holds = conjunction(lifted.post + own)
        always = not lifted.post + own
        left = tuple((c, ref(c)) for c in plan.left.output)
        right = tuple((c, lifted.over(ref(c))) for c in plan.right.output)
        match plan.kind:
            case "inner":
                joined = joined if always else Filter(joined, holds)
                return Project(joined, left + right)
            case "semi":
                return Project(joined if always else Filter(joined, holds), left)
            case "anti":
                fails = Call(BOOLEAN, "not", (Call(BOOLEAN, "coalesce", (holds, FALSE)),))
                return Project(Filter(joined, FALSE if always else fails), left)
            case "mark" if plan.mark is not None:
                value = TRUE if condition is None else condition
                if lifted.post:
                    value = Case(BOOLEAN, ((conjunction(lifted.post), value),), FALSE)
                return Project(joined, (*left, (plan.mark, value)))
        if not always:
            right = tuple((c, Case(c.type, ((holds, e),), Literal(c.type, None))) for c, e in right)
        return Project(joined, left + right)


def _positive(expr: Expr) -> dict[int, int]:
    """Columns that stand bare under AND and OR alone, with how often they do."""
    match expr:
        case ColumnRef(id=id_):
            return {id_: 1}
        case Call(function="and" | "or", args=args):
            found: dict[int, int] = {}
            for arg in args:
                for id_, seen in _positive(arg).items():
                    found[id_] = found.get(id_, 0) + seen
            return found
    return {}


def _unordered(plan: Logical) -> Logical:
    """The same rows, in an order that does not matter."""
    match plan:
        case Sort(input=below):
            return _unordered(below)
        case Project(input=below) | Filter(input=below):
            return plan.with_inputs((_unordered(below),))
    return plan


def _existence(plan: Logical) -> Logical:
    """A plan that has rows where `plan` has, though perhaps more of them."""
    match plan:
        case Limit(input=below, count=count_, offset=0) if count_ != 0:
            return _existence(_unordered(below))
    return plan


def _over_left(plan: DependentJoin) -> Logical | None:
    """A right side that only unnests, projects and filters one row does so to the left rows."""
    chain: list[Logical] = []
    node = plan.right
    while isinstance(node, Project | Filter | Unnest):
        chain.append(node)
        node = node.input
    if plan.kind == "left" and isinstance(plan.right, Unnest):
        return _outer_over_left(plan, plan.right)
    if plan.kind != "inner" or not isinstance(node, OneRow):
        return None
    result = plan.left
    for step in reversed(chain):
        if isinstance(step, Project):
            passed = tuple((c, ref(c)) for c in result.output)
            new = tuple(item for item in step.items if item[0] not in result.output)
            result = Project(result, passed + new)
        else:
            result = step.with_inputs((result,))
    if plan.condition is not None:
        result = Filter(result, plan.condition)
    return Project(result, tuple((c, ref(c)) for c in plan.output))


def _outer_over_left(plan: DependentJoin, right: Unnest) -> Logical | None:
    """A left join with the elements of a list of the left row, whatever they are."""
    always = plan.condition is None or plan.condition == TRUE
    if not always or right.ordinality is not None or not isinstance(right.input, OneRow):
        return None
    return replace(right, input=plan.left, outer=True)


def _is_cheap(plan: Logical) -> bool:
    """Whether reading it twice costs little more than keeping its rows would."""
    match plan:
        case Scan() | OneRow() | SharedScan():
            return True
        case Filter(input=below) | Project(input=below):
            return _is_cheap(below)
    return False


def _correlation(parts: Parts, left: Logical, right: Logical) -> Correlation:
    """Conditions as keys of a join between the sides, and the rest."""
    ours = frozenset(column.id for column in left.output)
    theirs = frozenset(column.id for column in right.output)
    strict: list[tuple[Expr, Expr]] = []
    safe: list[tuple[Expr, Expr]] = []
    rest: list[Expr] = []
    for part in parts:
        pair = equality_between(part, ours, theirs)
        if pair is not None:
            strict.append(pair)
        elif isinstance(part, Call) and part.function == "is_not_distinct":
            as_equal = Call(BOOLEAN, "=", part.args)
            pair = equality_between(as_equal, ours, theirs)
            (rest.append(part) if pair is None else safe.append(pair))
        else:
            rest.append(part)
    return Correlation(tuple(strict), tuple(safe), tuple(sorted(rest, key=can_raise)))


def _at_most_one(right: Logical, by: Correlation) -> bool:
    """Whether a left row certainly pairs with no more than one right row."""
    return determined(unique_keys(right), (b for _, b in by.strict + by.safe))


def _exactly_one(plan: Logical) -> bool:
    match plan:
        case OneRow():
            return True
        case Aggregate(keys=()):
            return True
        case Project(input=below):
            return _exactly_one(below)
    return False
