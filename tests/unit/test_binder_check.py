"""The check of logical plans finds what is malformed, and the binder's plans pass it."""

from __future__ import annotations

import pytest

from eau2.errors import InternalError
from eau2.operators.expr import (
    AggregateCall,
    Call,
    Case,
    Column,
    ColumnRef,
    InList,
    Literal,
    SortKey,
    ref,
)
from eau2.records import replace
from eau2.sql.check import check
from eau2.sql.logical import Aggregate, Filter, Join, Limit, Logical, Project, Scan, Sort
from eau2.types import BIGINT, BOOLEAN, INTEGER, VARCHAR
from tests.unit.binder_tables import bound, frame

A, S = Column(1, "a", INTEGER), Column(2, "s", VARCHAR)
SCAN = Scan(frame("t", {"a": INTEGER, "s": VARCHAR}), (A, S), (0, 1))
OTHER = Scan(SCAN.frame, (Column(3, "a", INTEGER), Column(4, "s", VARCHAR)), (0, 1))
TRUE = Literal(BOOLEAN, True)

GOOD: list[Logical] = [
    SCAN,
    Filter(SCAN, TRUE),
    Project(SCAN, ((A, ref(A)),)),
    Aggregate(SCAN, ((Column(9, "k", INTEGER), ref(A)),), ()),
    Join("inner", SCAN, OTHER, ((ref(A), ColumnRef(INTEGER, 3)),)),
    Limit(Sort(SCAN, (SortKey(ref(S)),)), 1),
]

BAD: list[Logical] = [
    replace(SCAN, positions=(0, 7)),
    replace(SCAN, positions=(1, 0)),
    replace(SCAN, columns=(A, A)),
    Filter(SCAN, ref(A)),
    Filter(SCAN, Call(BOOLEAN, "=", (ref(A), Literal(BIGINT, 1)))),
    Filter(SCAN, Call(BOOLEAN, "and", (TRUE, ref(A)))),
    Filter(SCAN, Call(BOOLEAN, "is_null", (ColumnRef(INTEGER, 99),))),
    Filter(SCAN, Call(BOOLEAN, "is_null", (ColumnRef(VARCHAR, 1),))),
    Filter(SCAN, InList(INTEGER, ref(A), (1,))),
    Project(SCAN, ((Column(9, "x", VARCHAR), ref(A)),)),
    Project(SCAN, ((Column(1, "a", VARCHAR), ref(S)),)),
    Project(SCAN, ((Column(9, "x", INTEGER), Case(INTEGER, ((ref(A), ref(A)),), ref(A))),)),
    Project(SCAN, ((Column(9, "x", INTEGER), Case(INTEGER, ((TRUE, ref(A)),), ref(S))),)),
    Aggregate(SCAN, (), ((Column(9, "n", INTEGER), AggregateCall("count_star", (), BIGINT)),)),
    Join("cross", SCAN, SCAN),
    Join("cross", SCAN, OTHER, (), TRUE),
    Join("inner", SCAN, OTHER, ((ColumnRef(INTEGER, 3), ref(A)),)),
    Join("inner", SCAN, OTHER, ((ref(A), ColumnRef(VARCHAR, 4)),)),
    Sort(Project(SCAN, ((A, ref(A)),)), (SortKey(ref(S)),)),
    Limit(SCAN, -1),
]


@pytest.mark.parametrize("plan", GOOD, ids=range(len(GOOD)))
def test_a_well_formed_plan_passes(plan: Logical) -> None:
    check(plan)


@pytest.mark.parametrize("plan", BAD, ids=range(len(BAD)))
def test_a_malformed_plan_is_found(plan: Logical) -> None:
    with pytest.raises(InternalError, match="malformed plan"):
        check(plan)


THREE_TABLES = """
select t.s, sum(m * (1 - m)) as revenue, d
from t, u, v
where t.a = u.a and v.k = u.c and d < date '1995-03-15'
group by t.s, d
order by revenue desc
limit 10
"""


def test_the_binders_plans_pass() -> None:
    assert bound(THREE_TABLES).names == ("s", "revenue", "d")
