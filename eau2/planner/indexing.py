"""The plan of work on row lists: one stage, at the chunks of one frame.

Owns: that plan. Comes in: a frame, columns, what is to be done; goes out: a plan, whose rows are
what operators/indexing.py says. Does not know: statements, nodes.
"""

from __future__ import annotations

from collections.abc import Sequence

from eau2.catalog import Frame
from eau2.operators.expr import Column
from eau2.operators.indexing import REPORT, IndexAction, IndexWork
from eau2.operators.scan import ScanChunks
from eau2.planner.physical import Plan, Source, Stage


def index_work(frame: Frame, names: Sequence[str], action: IndexAction) -> Plan:
    """Do something about the row lists of the columns `names`, at all chunks of the frame."""
    stored = frame.schema.columns
    positions = tuple(n for n, column in enumerate(stored) if column.name in names)
    columns = tuple(Column(n, stored[n].name, stored[n].type) for n in positions)
    scan = ScanChunks(columns, tuple(column.name for column in columns))
    first = len(stored)
    report = tuple(Column(first + n, name, type_) for n, (name, type_) in enumerate(REPORT))
    source = Source(frame, columns, positions)
    stage = Stage(0, IndexWork(scan, action, report), source, ())
    return Plan((stage,), report, tuple(name for name, _ in REPORT))
