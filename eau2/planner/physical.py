"""Logical plan to stages: what runs at the chunks, and what after which exchange.

Owns: `Stage`, `Plan` and the cutting of a plan into fragments. Comes in: an optimised logical
plan. Goes out: stages as plain data, the last of which gives the result.
Does not know: which node holds a chunk, how tasks are sent, Polars.

A fragment is a tree of operators over at most one frame scan (its *source*; a task runs it over
some of the source's chunks) and any number of earlier stages, each read whole. The left side of
a join stays with its source (the probe side); the right side becomes a stage of its own, whose
result goes to every task. Where all rows must meet (final aggregation, order, windows, limits,
FULL joins) the fragment is cut: the tasks' results, joined in chunk order, are the next one's
input.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import count

from eau2.catalog import Frame
from eau2.errors import InternalError, NotSupportedError
from eau2.operators import sample, series, union, values
from eau2.operators.base import Operator
from eau2.operators.expand import Expand
from eau2.operators.expr import Column, ColumnRef, Expr, SortKey, conjunction, conjuncts, ref
from eau2.operators.filter import Filter
from eau2.operators.group import FinalAggregate, PartialAggregate
from eau2.operators.join import Join
from eau2.operators.partition_top import PartitionTop
from eau2.operators.project import Project
from eau2.operators.scan import ScanChunks, StageInput
from eau2.operators.sort import Limit, Sort, TopK
from eau2.operators.unnest import Unnest
from eau2.operators.values import NoRows, OneRow
from eau2.operators.whole_aggregates import is_whole
from eau2.operators.window import Window
from eau2.records import Record, Struct, field, replace
from eau2.sql import logical
from eau2.sql.sharing import Recursive, SharedScan, With


class Source(Record, frozen=True):
    """The frame whose chunks drive a stage's tasks.

    condition: what every row that matters fulfils, over the scan's columns; chunks whose statistics
    contradict it are not read. positions: where each scanned column stands in the frame's schema.
    """

    frame: Frame
    columns: tuple[Column, ...]
    positions: tuple[int, ...]
    condition: Expr | None = None


class Stage(Record, frozen=True):
    """One fragment and what it reads. A stage without a source runs once, where the query is led.

    inputs: ids of the stages read whole. enough_rows: once this many rows have come from the
    first chunks, the others need not be read. ordered: whether the order of its rows can show;
    otherwise its tasks may take the chunks in any order.
    """

    id: int
    root: Operator
    source: Source | None
    inputs: tuple[int, ...]
    enough_rows: int | None = None
    ordered: bool = False


class Loop(Record, frozen=True):
    """Stages that run in rounds, each over the rows of the round before, until one gives none.

    base: the stage that gives the first round. body: the stages of a round, in order; the last one
    gives the next round. `round` and `result` are ids that the body, and later stages, read as if
    they were stages: the rows of the round before, and those of all rounds so far.
    """

    name: str
    base: int
    body: tuple[int, ...]
    round: int
    result: int


class Plan(Record, frozen=True):
    """The stages in an order in which each comes after those it reads; the last is the result.

    columns and names are the result's, in order. loops: of recursive queries.
    """

    stages: tuple[Stage, ...]
    columns: tuple[Column, ...]
    names: tuple[str, ...]
    loops: tuple[Loop, ...] = ()


class _Pipe(Record, frozen=True):
    """A fragment under construction."""

    root: Operator
    source: Source | None = None
    inputs: tuple[int, ...] = ()
    enough_rows: int | None = None


class _Cutter(Struct):
    """Collects the stages that have been cut off so far."""

    stages: list[Stage] = field(default_factory=list)
    loops: list[Loop] = field(default_factory=list)
    definitions: dict[int, StageInput] = field(default_factory=dict)
    switches: Mapping[str, object] = field(default_factory=dict)
    ids: Iterator[int] = field(default_factory=count)

    def on(self, name: str) -> bool:
        """Whether a way to compute may be chosen."""
        return self.switches.get(f"optimizer.{name}", True) is not False

    def scan(self, frame: Frame, columns: tuple[Column, ...], names: tuple[str, ...]) -> ScanChunks:
        """The columns of a frame, called so in its chunks."""
        named = tuple(name for name in names if any(i.column == name for i in frame.indexes))
        unasked = self.switches.get("auto_index", True) is not False
        return ScanChunks(columns, names, self.on("indexes"), named, unasked, self.on("zones"))

    def cut(self, pipe: _Pipe, columns: tuple[Column, ...], ordered: bool = False) -> _Pipe:
        """End `pipe` as a stage; go on with a fragment that reads its gathered result."""
        if isinstance(pipe.root, StageInput):
            return pipe
        stage = self.end(pipe, ordered)
        return _Pipe(StageInput(stage, columns), None, (stage,))

    def end(self, pipe: _Pipe, ordered: bool = False) -> int:
        """End `pipe` as a stage, of this number."""
        enough = pipe.enough_rows
        ordered = ordered or enough is not None
        stage = Stage(next(self.ids), pipe.root, pipe.source, pipe.inputs, enough, ordered)
        self.stages.append(stage)
        return stage.id

    def define(self, number: int, plan: logical.Logical) -> None:
        """A stage for a definition; whatever reads it reads the stage."""
        gathered = self.cut(_build(plan, self), plan.output).root
        assert isinstance(gathered, StageInput)
        self.definitions[number] = gathered


def plan(
    root: logical.Logical, names: tuple[str, ...], switches: Mapping[str, object] | None = None
) -> Plan:
    """Cut an optimised logical plan into stages. Pure.

    `{"optimizer.<name>": False}` in `switches` leaves one of optimizer.PHYSICAL out.
    """
    cutter = _Cutter(switches=switches or {})
    pipe = _build(root, cutter)
    if not cutter.stages or pipe.root != StageInput(cutter.stages[-1].id, root.output):
        cutter.end(pipe, ordered=True)
    return Plan(tuple(cutter.stages), root.output, names, tuple(cutter.loops))


def _build(node: logical.Logical, cutter: _Cutter) -> _Pipe:
    match node:
        case logical.Scan(frame, columns, positions):
            names = tuple(frame.schema.columns[p].name for p in positions)
            return _Pipe(cutter.scan(frame, columns, names), Source(frame, columns, positions))
        case logical.OneRow():
            return _Pipe(OneRow())
        case logical.Nothing(columns):
            return _Pipe(NoRows(columns))
        case logical.Rows(columns, rows):
            return _Pipe(values.Rows(columns, tuple(zip(*rows, strict=True))))
        case logical.Series(column, start, stop, step):
            return _Pipe(series.Series(column, start, stop, step))
        case logical.Union(parts, columns):
            return _union(parts, columns, cutter)
        case logical.Sample(below, fraction, count, seed):
            pipe = _build(below, cutter)
            if pipe.source is not None:
                pipe = cutter.cut(pipe, below.output, ordered=True)
            chosen = sample.Sample(pipe.root, fraction, count, seed)
            return replace(pipe, root=chosen, enough_rows=None)
        case logical.Filter(below, condition):
            pipe = _build(below, cutter)
            source = pipe.source
            if source is not None and _only_filters(pipe.root):
                known = () if source.condition is None else conjuncts(source.condition)
                source = replace(source, condition=conjunction(known + conjuncts(condition)))
            return replace(pipe, root=Filter(pipe.root, condition), source=source, enough_rows=None)
        case logical.Project(below, items):
            pipe = _build(below, cutter)
            read = _renamed(pipe.root, items) if isinstance(pipe.root, StageInput) else None
            return replace(pipe, root=read or Project(pipe.root, items))
        case logical.Expand(below, expanded, sets, grouping):
            pipe = _build(below, cutter)
            root = Expand(pipe.root, expanded, sets, grouping)
            return replace(pipe, root=root, enough_rows=None)
        case logical.Unnest(below, items, ordinality, outer):
            pipe = _build(below, cutter)
            unnested = Unnest(pipe.root, items, ordinality, outer)
            return replace(pipe, root=unnested, enough_rows=None)
        case logical.Aggregate():
            return _aggregate(node, cutter)
        case logical.Join():
            return _join(node, cutter)
        case logical.Limit(logical.Sort(below, keys, None), count, offset) if count is not None:
            return _top_k(below, keys, count, offset, cutter)
        case logical.Sort(below, keys, at_most_rows):
            pipe = _build(below, cutter)
            if pipe.source is not None:
                pipe = cutter.cut(pipe, below.output)
            return replace(pipe, root=Sort(pipe.root, keys, at_most_rows))
        case logical.Window():
            return _window(node, cutter)
        case logical.Limit(below, count, offset):
            return _limit(below, count, offset, cutter)
        case With(definitions, below):
            for definition in definitions:
                cutter.define(definition.number, definition.plan)
            return _build(below, cutter)
        case SharedScan(number, columns, positions):
            return _shared(cutter.definitions[number], columns, positions)
        case Recursive():
            return _loop(node, cutter)
    raise InternalError(f"no physical form for {type(node).__name__}")


def _shared(given: StageInput, columns: tuple[Column, ...], positions: tuple[int, ...]) -> _Pipe:
    """The columns of a definition at `positions`, under new ids."""
    held = given.renamed or given.columns
    read = tuple(held[position] for position in positions)
    if not read:
        return _Pipe(Project(given, ()), None, (given.stage,))
    return _Pipe(StageInput(given.stage, columns, read), None, (given.stage,))


def _renamed(node: StageInput, items: tuple[tuple[Column, Expr], ...]) -> StageInput | None:
    """Those columns of an earlier stage under other names; None where one is computed."""
    held = dict(zip(node.columns, node.renamed or node.columns, strict=True))
    by_id = {column.id: old for column, old in held.items()}
    read = tuple(by_id[expr.id] for _, expr in items if isinstance(expr, ColumnRef))
    if not read or len(read) < len(items):
        return None
    return StageInput(node.stage, tuple(column for column, _ in items), read)


def _loop(node: Recursive, cutter: _Cutter) -> _Pipe:
    """Stages for the base, and for one round of the step; what no round changes runs once."""
    base = cutter.end(_build(_given(node, node.base), cutter))
    last, result = next(cutter.ids), next(cutter.ids)
    cutter.definitions[node.number] = StageInput(last, node.columns)
    before, loops = len(cutter.stages), len(cutter.loops)
    step = _build(_given(node, node.step), cutter)
    if node.distinct:
        step = _not_yet_given(cutter.cut(step, node.columns), node.columns, result)
    cutter.end(step)
    changing = {last, result}
    for number, stage in enumerate(cutter.stages[before:], before):
        if changing.intersection(stage.inputs) or stage is cutter.stages[-1]:
            changing.add(stage.id)
            # A later round's rows must not be taken for those of a task that was given up.
            cutter.stages[number] = replace(stage, enough_rows=None)
    if any(loop.base in changing or changing & set(loop.body) for loop in cutter.loops[loops:]):
        raise NotSupportedError(
            f'"{node.name}" is read by another recursive query inside its own recursive part'
        )
    body = tuple(s.id for s in cutter.stages[before:] if s.id in changing)
    cutter.loops.append(Loop(node.name, base, body, last, result))
    return _Pipe(StageInput(result, node.columns), None, (result,))


def _given(node: Recursive, part: logical.Logical) -> logical.Logical:
    """The rows of the base or the step in the columns of the whole."""
    items = tuple((new, ref(old)) for new, old in zip(node.columns, part.output, strict=True))
    return logical.Aggregate(part, items, ()) if node.distinct else logical.Project(part, items)


def _not_yet_given(pipe: _Pipe, columns: tuple[Column, ...], result: int) -> _Pipe:
    """The rows that no earlier round has given."""
    earlier = tuple(replace(column, id=-1 - column.id) for column in columns)
    # Under other names from the start: forms of columns go by their names.
    seen = StageInput(result, earlier, columns)
    pairs = tuple((ref(new), ref(old)) for new, old in zip(columns, earlier, strict=True))
    root = Join("anti", pipe.root, seen, pairs, None, null_safe=True)
    return _Pipe(root, None, (*pipe.inputs, result))


def _union(
    parts: tuple[logical.Logical, ...], columns: tuple[Column, ...], cutter: _Cutter
) -> _Pipe:
    """Inputs that read chunks become stages, whose order is kept."""
    pipes: list[_Pipe] = []
    for part in parts:
        pipe = _build(part, cutter)
        if pipe.source is not None:
            pipe = cutter.cut(pipe, part.output, ordered=True)
        pipes.append(pipe)
    inputs = dict.fromkeys(stage for pipe in pipes for stage in pipe.inputs)
    return _Pipe(union.Union(tuple(pipe.root for pipe in pipes), columns), None, tuple(inputs))


def _only_filters(root: Operator) -> bool:
    """Whether the fragment so far is a scan under nothing but filters."""
    while isinstance(root, Filter):
        root = root.input
    return isinstance(root, ScanChunks)


def _aggregate(node: logical.Aggregate, cutter: _Cutter) -> _Pipe:
    pipe = _build(node.input, cutter)
    if pipe.source is not None and any(is_whole(call) for _, call in node.aggregates):
        pipe = cutter.cut(pipe, node.input.output)
    partial = PartialAggregate(pipe.root, node.keys, node.aggregates, cutter.on("runs"))
    keys = tuple(column for column, _ in node.keys)
    pipe = replace(pipe, root=partial, enough_rows=None)
    if pipe.source is not None:
        pipe = cutter.cut(pipe, partial.output)
    return replace(pipe, root=FinalAggregate(pipe.root, keys, node.aggregates))


def _join(node: logical.Join, cutter: _Cutter) -> _Pipe:
    kind, left, right, equalities = node.kind, node.left, node.right, node.equalities
    if kind == "right":
        kind, left, right = "left", right, left
        equalities = tuple((b, a) for a, b in equalities)
    probe = _build(left, cutter)
    if kind == "full" or probe.enough_rows is not None:
        probe = cutter.cut(probe, left.output)
    build = cutter.cut(_build(right, cutter), right.output)
    root = Join(
        kind,
        probe.root,
        build.root,
        equalities,
        node.condition,
        node.null_safe,
        node.mark,
        cutter.on("direct_joins"),
    )
    return _Pipe(root, probe.source, tuple(dict.fromkeys(probe.inputs + build.inputs)))


def _window(node: logical.Window, cutter: _Cutter) -> _Pipe:
    """All rows meet, in their order: it shows where there are no keys to tell peers apart."""
    pipe = _build(node.input, cutter)
    if node.first is not None:
        top = PartitionTop(pipe.root, node.partition, node.order[0], node.first)
        pipe = replace(pipe, root=top, enough_rows=None)
    if pipe.source is not None:
        pipe = cutter.cut(pipe, node.input.output, ordered=True)
    root = Window(pipe.root, node.partition, node.order, node.ties, node.calls)
    return replace(pipe, root=root, enough_rows=None)


def _top_k(
    below: logical.Logical,
    keys: tuple[SortKey, ...],
    count: int,
    offset: int,
    cutter: _Cutter,
) -> _Pipe:
    pipe = _build(below, cutter)
    if pipe.source is not None:
        pipe = replace(pipe, root=TopK(pipe.root, keys, count + offset, 0), enough_rows=None)
        pipe = cutter.cut(pipe, below.output)
    return replace(pipe, root=TopK(pipe.root, keys, count, offset), enough_rows=None)


def _limit(below: logical.Logical, count: int | None, offset: int, cutter: _Cutter) -> _Pipe:
    pipe = _build(below, cutter)
    if pipe.source is not None:
        if count is not None:
            enough = count + offset
            pipe = replace(pipe, root=Limit(pipe.root, enough, 0), enough_rows=enough)
        pipe = cutter.cut(pipe, below.output, ordered=True)
    return replace(pipe, root=Limit(pipe.root, count, offset))
