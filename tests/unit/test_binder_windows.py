"""Plans of windows, QUALIFY, DISTINCT ON and percentages of rows; errors with their places."""

from __future__ import annotations

import pytest

from eau2.errors import NotSupportedError, ProgrammingError, StatementError, UnknownNameError
from eau2.operators.expr import ColumnRef
from eau2.sql.logical import Aggregate, Filter, Limit, Logical, Project, Sort, Window
from tests.unit.binder_tables import bound, failure, place
from tests.unit.plans import nodes


def windows(text: str) -> list[Window]:
    """The Window nodes of a statement, top down."""
    return [node for node in nodes(bound(text).plan, Window) if isinstance(node, Window)]


def names(window: Window) -> tuple[list[str], list[str], list[str]]:
    """What it partitions by, orders by, and breaks ties with."""
    called = {column.id: column.name for column in window.input.output}

    def of(exprs: list[object]) -> list[str]:
        return [called[expr.id] for expr in exprs if isinstance(expr, ColumnRef)]

    return (
        of(list(window.partition)),
        of([key.expr for key in window.order]),
        of([key.expr for key in window.ties]),
    )


def kinds(plan: Logical) -> list[str]:
    """The nodes down the first inputs."""
    found = [type(plan).__name__]
    while plan.inputs:
        plan = plan.inputs[0]
        found.append(type(plan).__name__)
    return found


def test_calls_of_one_window_share_a_node_and_equal_calls_a_column() -> None:
    found = windows(
        "select rank() over w, sum(b) over w, rank() over (partition by a order by b) + 1,"
        " count(*) over (partition by a), rank() over (partition by a order by b desc)"
        " from t window w as (partition by a order by b)"
    )
    assert [len(window.calls) for window in found] == [1, 1, 2]
    assert [names(window)[:2] for window in found] == [
        (["a"], ["b"]),
        (["a"], []),
        (["a"], ["b"]),
    ]


def test_the_order_of_a_frame_breaks_ties() -> None:
    (window,) = windows("select row_number() over (order by a) from t")
    assert names(window) == ([], ["a"], [])


def test_without_an_order_every_column_that_is_read_breaks_ties() -> None:
    text = (
        "select {} over (order by t.b), t.s from t join u on t.a = u.a"
        " qualify max(u.c) over () > 1 order by t.d"
    )
    first, other = windows(text.format("row_number()"))[::-1]
    assert names(first) == ([], ["b"], ["s", "d", "c"])
    assert names(other) == ([], [], [])
    assert names(windows(text.format("rank()"))[-1]) == ([], ["b"], [])


def test_windows_over_groups_read_the_groups() -> None:
    plan = bound(
        "select s, sum(sum(a)) over (order by s rows 1 preceding) from t group by s"
        " having count(*) > 1 qualify row_number() over (order by count(*)) = 1 order by s"
    ).plan
    assert kinds(plan) == [
        "Sort",
        "Project",
        "Filter",
        "Window",
        "Window",
        "Filter",
        "Aggregate",
        "Scan",
    ]
    one, two = (node for node in nodes(plan, Window) if isinstance(node, Window))
    assert isinstance(two.input, Filter)
    assert isinstance(two.input.input, Aggregate)
    assert names(two) == ([], ["s"], ["count_star()", "sum(a)"]) or names(two)[1] == ["s"]
    assert names(one)[1] == ["count_star()"]
    assert "s" in names(one)[2]


def test_constants_are_no_keys() -> None:
    (window,) = windows("select rank() over (partition by 1 order by 2, 'x', a) from t")
    assert names(window) == ([], ["a"], [])


def test_distinct_on_takes_the_first_row_of_each() -> None:
    plan = bound("select distinct on (a, 1) a, b, s from t order by a, s desc").plan
    assert kinds(plan) == ["Sort", "Project", "Filter", "Window", "Scan"]
    (window,) = windows("select distinct on (a) a, b, s from t order by a, s desc")
    assert names(window) == (["a"], ["a", "s"], [])
    (joined,) = windows("select distinct on (t.a) t.a, c from t join u on t.a = u.a order by t.a")
    assert names(joined) == (["a"], ["a"], ["c"])


def test_distinct_ordered_by_what_it_selects_is_grouping() -> None:
    assert not windows("select distinct a + 1, s from t order by (a + 1) * 2, upper(s)")
    (window,) = windows("select distinct a, s from t order by b")
    assert names(window) == (["a", "s"], [], [])


def test_a_percentage_counts_the_rows() -> None:
    plan = bound("select a from t order by b limit 10% offset 2").plan
    assert kinds(plan) == ["Project", "Sort", "Filter", "Window", "Window", "Project", "Scan"]
    assert isinstance(bound("select a from t limit 1 + 1").plan, Limit)
    assert isinstance(bound("select a from t order by a limit null").plan, Sort)
    assert kinds(bound("select a from t limit 10%").plan)[:2] == ["Project", "Filter"]


def test_stars_stand_for_columns() -> None:
    assert bound("select * exclude (a) rename (c as d) from u").names == ("d", "s")
    assert bound("select * replace (a + 1 as A) from u").names == ("A", "c", "s")
    assert bound("select columns('a|c') + 1, columns('s') as 'x_\\0' from u").names == (
        "a",
        "c",
        "x_s",
    )
    assert bound("select greatest(*columns('a|c')) from u").names == ("greatest(a, c)",)
    assert bound("select * from t join u using (a)").names[-2:] == ("c", "s")
    plan = bound("select a from u where columns('a|c') > 1").plan
    assert isinstance(plan, Project)
    assert isinstance(plan.input, Filter)


ERRORS: list[tuple[str, type[StatementError], str, str]] = [
    ("select a from t where rank() over () > 1", ProgrammingError, "rank() over ()", "WHERE"),
    ("select 1 from t group by rank() over ()", ProgrammingError, "rank() over ()", "GROUP BY"),
    (
        "select a from t group by a having rank() over () > 1",
        ProgrammingError,
        "rank() over ()",
        "HAVING",
    ),
    ("select sum(rank() over ()) from t", ProgrammingError, "rank() over ()", "inside aggregate"),
    ("select sum(rank() over ()) over () from t", ProgrammingError, "rank() over ()", "nested"),
    ("select rank() over nope from t", UnknownNameError, "rank() over nope", "no window"),
    ("select rank() from t", ProgrammingError, "rank()", "needs OVER"),
    ("select a from t qualify a > 1", ProgrammingError, "a > 1", "QUALIFY needs"),
    (
        "select sum(a) over (order by b) from t group by a",
        ProgrammingError,
        "b",
        "must appear in the GROUP BY",
    ),
    ("select a from t group by rollup(a, sum(b))", ProgrammingError, "sum(b)", "GROUP BY"),
    ("select grouping(b) from t group by a", ProgrammingError, "b", "no key"),
    ("select grouping(a) from t where grouping(a) = 1", ProgrammingError, "grouping(a)", "here"),
    ("select a from t order by sum(a) over (order by all)", ProgrammingError, "all", "ALL"),
    ("select * exclude (zz) from t", UnknownNameError, "* exclude (zz)", "EXCLUDE"),
    ("select columns('zz') from t", UnknownNameError, "columns('zz')", "no column matches"),
    (
        "select columns('a') + columns('b') from t",
        NotSupportedError,
        "columns('a')",
        "several different",
    ),
    ("select a from t limit b", ProgrammingError, "b", "only a constant"),
    ("select a from t limit 101%", ProgrammingError, "101", "percent"),
    ("select distinct on (7) a from t", ProgrammingError, "7", "DISTINCT ON 7"),
    (
        "select sum(a) over (order by b rows -1 preceding) from t",
        ProgrammingError,
        "-1",
        "negative",
    ),
    (
        "select sum(a) over (order by b rows interval 1 day preceding) from t",
        ProgrammingError,
        "interval 1 day",
        "RANGE",
    ),
]


@pytest.mark.parametrize(("text", "kind", "where", "message"), ERRORS)
def test_an_error_says_what_and_where(
    text: str, kind: type[StatementError], where: str, message: str
) -> None:
    error = failure(text)
    assert isinstance(error, kind)
    assert place(text, error) == where
    assert message in error.message


def test_very_many_grouping_sets_are_refused() -> None:
    keys = ", ".join(f"a + {n}" for n in range(13))
    assert "grouping sets" in failure(f"select 1 from t group by cube({keys})").message
    assert (
        "grouping sets"
        in failure(f"select 1 from t group by cube({', '.join([keys] * 6)})").message
    )
