"""Pipelines: what each operation gives, what is refused, and what a connection keeps for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa
import pytest

import eau2
from eau2.errors import DataError, NameTakenError, UnknownColumnError, UsageError
from eau2.operators.expr import AggregateCall, Call, ColumnRef, Expr, Literal
from eau2.operators.user_functions import Parameter, UserFunction
from eau2.pipelines import calls, queries
from eau2.pipelines.calls import Named
from eau2.pipelines.pipeline import Pipeline
from eau2.pipelines.workplace import Workplace
from eau2.result import Batches, Result
from eau2.types import BIGINT, BOOLEAN, SqlType, list_of

PEOPLE = pa.table({"name": ["Ada", "Bo", "Cy"], "age": [36, None, 7], "town": ["x", "y", "x"]})


@pytest.fixture
def connection() -> Iterator[eau2.Connection]:
    with eau2.connect() as opened:
        opened.put("people", PEOPLE)
        yield opened


@pytest.fixture
def people(connection: eau2.Connection) -> Pipeline:
    return connection.frame("people")


def function(
    name: str, type_: SqlType, *parameters: str, body: Expr | None = None, gathers: bool = False
) -> UserFunction:
    """A function over BIGINT that gives its first argument, or its greatest one of all rows."""
    column = ColumnRef(BIGINT, 0)
    gathered = (AggregateCall("max", (column,), BIGINT),) if gathers else ()
    result = ColumnRef(BIGINT, len(parameters)) if gathers else body or column
    taken = tuple(Parameter(parameter, BIGINT) for parameter in parameters)
    return UserFunction(name, taken, type_, result, gathered)


POSITIVE = Call(BOOLEAN, ">", (ColumnRef(BIGINT, 0), Literal(BIGINT, 0)))
GROWN = function("grown", BOOLEAN, "age", body=POSITIVE)


def test_nothing_runs_before_rows_are_asked_for(people: Pipeline) -> None:
    wrong = people.map(x="name + 1")
    assert wrong.columns == ("x",)
    with pytest.raises(eau2.ProgrammingError):
        wrong.collect()


def test_a_pipeline_never_changes(people: Pipeline) -> None:
    before = people.text
    assert people.filter("age > 8").count() == 1
    assert (people.text, people.count()) == (before, 3)


def test_map_gives_the_computed_columns_alone(people: Pipeline) -> None:
    assert people.map(next="age + 1", up="upper(name)").rows() == [
        (37, "ADA"),
        (None, "BO"),
        (8, "CY"),
    ]


def test_map_keeps_what_it_is_told(people: Pipeline) -> None:
    assert people.map(next="age + 1", keep=True).columns == ("name", "age", "town", "next")
    assert people.map(next="age + 1", keep=["town"]).columns == ("town", "next")
    assert people.map(next="age + 1", keep="town").columns == ("town", "next")


def test_a_column_takes_the_place_of_one_of_its_name(people: Pipeline) -> None:
    older = people.with_columns(AGE="age + 1", town="town || age")
    assert older.columns == ("name", "AGE", "town")
    # What is computed reads the columns as they were before.
    assert older.rows()[0] == ("Ada", 37, "x36")


def test_filter_takes_null_for_false(people: Pipeline) -> None:
    assert people.filter("age > 8").rows() == [("Ada", 36, "x")]
    assert people.filter("NOT age > 8").rows() == [("Cy", 7, "x")]


def test_a_filter_is_planned_into_the_scan(people: Pipeline) -> None:
    planned = people.map(next="age + 1", keep=["name"]).filter("next > 8").explain()
    assert "Filter age + 1 > 8\n      Scan" in planned


def test_a_comment_ends_with_its_expression(people: Pipeline) -> None:
    assert people.filter("age > 8 -- a child").map(n="age -- years").rows() == [(36,)]


def test_reduce_gives_one_row(people: Pipeline) -> None:
    assert people.reduce(oldest="max(age)", n="count(*)").rows() == [(36, 3)]
    with pytest.raises(eau2.ProgrammingError, match="GROUP BY"):
        people.reduce(age="age").collect()


def test_groups_give_a_row_each(people: Pipeline) -> None:
    assert people.group_by("TOWN").reduce(sum="sum(age)").rows() == [("x", 43), ("y", None)]
    assert people.group_by("town").count().rows() == [("x", 2), ("y", 1)]
    with pytest.raises(UsageError, match='two columns would be called "Town"'):
        people.group_by("town").reduce(Town="count(*)")


def test_flat_map_gives_a_row_for_each_element(connection: eau2.Connection) -> None:
    lines = pa.table({"number": [1, 2, 3], "line": ["a b", None, "c"]})
    connection.put("lines", lines)
    frame = connection.frame("lines")
    words = "string_split(line, ' ')"
    assert frame.flat_map(word=words).rows() == [("a",), ("b",), ("c",)]
    assert frame.flat_map(word=words, keep=["number"]).rows() == [(1, "a"), (1, "b"), (3, "c")]
    assert frame.flat_map(line=words, keep=True).rows() == [(1, "a"), (1, "b"), (3, "c")]


@pytest.mark.parametrize(
    ("how", "rows"),
    [
        ("inner", [(2, "b", "B")]),
        ("left", [(1, "a", None), (2, "b", "B")]),
        ("right", [(2, "b", "B"), (3, None, "C")]),
        ("full", [(1, "a", None), (2, "b", "B"), (3, None, "C")]),
        ("semi", [(2, "b")]),
        ("anti", [(1, "a")]),
    ],
)
def test_joins(connection: eau2.Connection, how: queries.How, rows: list[object]) -> None:
    here = connection.query("SELECT * FROM (VALUES (1, 'a'), (2, 'b')) v(k, here)")
    there = connection.query("SELECT * FROM (VALUES (2, 'B'), (3, 'C')) v(i, there)")
    assert here.join(there, on={"k": "i"}, how=how).rows() == rows
    assert here.join(there.rename(k="i"), on="k", how=how).rows() == rows


def test_a_cross_join_takes_each_row_with_each(people: Pipeline) -> None:
    numbers = people.reduce(oldest="max(age)")
    assert people.select("name").join(numbers, how="cross").rows()[1] == ("Bo", 36)


def test_a_join_tells_columns_that_both_have(people: Pipeline) -> None:
    with pytest.raises(UsageError, match='both sides of the join have a column "age"'):
        people.join(people, on="name")
    assert people.join(people.select("name"), on=("name",)).count() == 3


def test_union_goes_by_names_and_keeps_every_row(people: Pipeline) -> None:
    swapped = people.select("town", "age", "name")
    assert people.union(swapped).rows() == [*people.rows(), *people.rows()]
    with pytest.raises(UsageError, match="name, age, town here and name there"):
        people.union(people.select("name"))


def test_union_does_not_mix_columns_of_a_frame_that_was_replaced(
    connection: eau2.Connection, people: Pipeline
) -> None:
    both = people.select("name", "town").union(people.select("town", "name"))
    whole = people.union(people)
    connection.put("people", PEOPLE.select(["town", "age", "name"]), replace=True)
    assert both.rows()[0] == ("Ada", "x")
    assert whole.rows() == [("Ada", 36, "x"), ("Bo", None, "y"), ("Cy", 7, "x")] * 2


def test_rows_stay_in_the_order_they_were_sorted_in(people: Pipeline) -> None:
    sorted_ = people.sort("town", "age", descending=["age"])
    assert [row[0] for row in sorted_] == ["Ada", "Cy", "Bo"]
    assert sorted_.filter("town = 'x'").map(n="name").rows() == [("Ada",), ("Cy",)]
    assert [row[0] for row in people.sort("age", descending=True).limit(1, offset=1)] == ["Cy"]


def test_distinct_select_rename(people: Pipeline) -> None:
    assert sorted(people.select("town").distinct()) == [("x",), ("y",)]
    assert people.rename(who="name").columns == ("who", "age", "town")
    with pytest.raises(UsageError, match='two columns would be called "age"'):
        people.rename(age="name")


def test_what_asks_for_rows(people: Pipeline, capsys: pytest.CaptureFixture[str]) -> None:
    one = people.filter("age > 8").select("name")
    assert one.to_arrow().to_pydict() == {"name": ["Ada"]}
    assert one.to_polars().rows() == [("Ada",)]
    assert pa.table(one).num_rows == 1
    assert one.stream().read_all().num_rows == 1
    one.show()
    assert "Ada" in capsys.readouterr().out
    assert "Ada" in one._repr_html_()
    assert ("Ada" in str(one), repr(one)) == (True, "<Pipeline of name>")
    with pytest.raises(UsageError, match="not known before it runs"):
        bool(one)


def test_put_stores_what_is_computed(connection: eau2.Connection, people: Pipeline) -> None:
    stored = people.filter("age > 8").put("old")
    assert stored.rows() == connection.get("old").fetchall() == [("Ada", 36, "x")]
    with pytest.raises(NameTakenError):
        people.put("old")
    assert people.put("old", replace=True).count() == 3


def test_a_query_is_a_beginning(connection: eau2.Connection) -> None:
    query = connection.query("WITH q AS (SELECT 1 AS a) SELECT a, a FROM q; -- all")
    assert query.columns == ("a", "a_1")
    assert query.map(b="a + a_1").rows() == [(2,)]
    with pytest.raises(UsageError, match="one query"):
        connection.query("SELECT 1; SELECT 2")
    with pytest.raises(eau2.ProgrammingError, match='no table "nothing"'):
        connection.query("SELECT * FROM nothing")


@pytest.mark.parametrize("text", ["FROM people", "VALUES ('Ada', 36, 'x')", "TABLE people"])
def test_every_form_of_a_query_is_a_beginning(connection: eau2.Connection, text: str) -> None:
    begun = connection.query(text)
    assert begun.rows()[0] == begun.put("first").rows()[0] == ("Ada", 36, "x")
    assert list(begun.types().values()) == ["VARCHAR", "BIGINT", "VARCHAR"] or "VALUES" in text


def test_columns_of_a_query_are_called_as_they_are_given(connection: eau2.Connection) -> None:
    begun = connection.query("SELECT 1 AS a, 2 AS a")
    assert begun.columns == begun.collect().names == ("a", "a_1")


@pytest.mark.parametrize("name", ['a "b"', "t", "e", "o", "select", "ä b"])
def test_names_may_be_any(connection: eau2.Connection, name: str) -> None:
    connection.put("odd", pa.table({name: [[1, 2], [3]], "k": [1, 2]}))
    odd, quoted = connection.frame("odd"), calls.quoted(name)
    assert odd.flat_map(x=quoted).rows() == [(1,), (2,), (3,)]
    assert odd.flat_map(**{name: quoted}, keep=True).rows() == [(1, 1), (1, 2), (2, 3)]
    renamed = odd.rename(**{f"{name}2": name})
    assert odd.join(renamed, on="k").select(name, f"{name}2").rows()[1] == ([3], [3])
    assert odd.map(**{name: f"len({quoted})"}).sort(name).rows() == [(1,), (2,)]


def test_what_is_computed_reads_columns_and_not_what_is_beside_it(people: Pipeline) -> None:
    assert people.map(age="age + 1", twice="age * 2").rows()[0] == (37, 72)
    assert people.reduce(age="sum(age)", oldest="max(age)").rows() == [(43, 36)]
    grouped = people.group_by("town").reduce(name="max(age)", age="max(name)")
    assert grouped.rows() == [("x", 36, "Cy"), ("y", None, "Bo")]


def test_a_frame_may_take_its_own_place(people: Pipeline) -> None:
    assert people.filter("age > 8").put("people", replace=True).count() == people.count() == 1


def test_a_view_is_a_beginning(connection: eau2.Connection) -> None:
    connection.sql("CREATE VIEW old AS SELECT name FROM people WHERE age > 8")
    assert connection.frame("OLD").rows() == [("Ada",)]
    with pytest.raises(eau2.ProgrammingError, match='no table "older"'):
        connection.frame("older")


def test_pipelines_of_two_connections_do_not_meet(people: Pipeline) -> None:
    with eau2.connect() as other:
        other.put("people", PEOPLE)
        with pytest.raises(UsageError, match="two connections"):
            people.union(other.frame("people"))


def growing(pipeline: Pipeline) -> Pipeline:
    return pipeline.map(n="n + 1", s="s + n")


def beginning(connection: eau2.Connection) -> Pipeline:
    return connection.query("SELECT 1::BIGINT AS n, 0::BIGINT AS s")


def test_rounds_are_counted(connection: eau2.Connection) -> None:
    assert beginning(connection).iterate(growing, rounds_max=10).rows() == [(11, 55)]


def test_rounds_end_when_until_is_true(connection: eau2.Connection) -> None:
    begun = beginning(connection)
    by_query = begun.iterate(growing, until=lambda _, a: a.map(d="n > 50"), rounds_max=100)
    assert by_query.rows() == [(51, 1275)]
    by_bool = begun.iterate(growing, until=lambda b, _: b.rows()[0][0] == 4, rounds_max=100)
    assert by_bool.rows() == [(5, 10)]


def test_rounds_keep_two_frames_at_most(connection: eau2.Connection) -> None:
    seen = []

    def looking(pipeline: Pipeline) -> Pipeline:
        seen.append(len(connection.tables()) - 1)
        return growing(pipeline)

    last = beginning(connection).iterate(looking, rounds_max=6)
    assert max(seen) <= 2
    assert last.rows() == [(7, 21)]
    del last
    assert connection.frame("people").count() == 3
    assert connection.tables() == ("people",)


def test_what_pipelines_read_is_kept(connection: eau2.Connection, people: Pipeline) -> None:
    mapped = people.cached().map(n="name")
    joined = people.join(people.select("name").cached(), on="name", how="semi")
    other = people.map(n="name || '!'").cached()
    united = mapped.union(other)
    del other
    assert connection.frame("people").count() == joined.count() == mapped.count() == 3
    assert united.count() == 6
    del mapped, joined, united
    people.count()
    assert connection.tables() == ("people",)


def test_a_round_may_give_columns_in_another_order(connection: eau2.Connection) -> None:
    swapped = beginning(connection).iterate(lambda p: p.map(s="s + n", n="n + 1"), rounds_max=10)
    assert (swapped.columns, swapped.rows()) == (("n", "s"), [(11, 55)])


def test_whole_numbers_stay_of_their_type(connection: eau2.Connection) -> None:
    summed = beginning(connection).iterate(lambda p: p.reduce(n="sum(n)", s="sum(s)"), rounds_max=2)
    assert summed.types() == {"n": "BIGINT", "s": "BIGINT"}


@pytest.mark.parametrize(
    ("step", "until", "bound", "error"),
    [
        (growing, None, None, "needs a bound"),
        (growing, None, 0, "a number from 1 on"),
        (growing, lambda _, __: False, 3, "after 3 rounds"),
        (growing, lambda _, a: a, 3, "`until` gave 2 values"),
        (growing, lambda _, __: 1, 3, "`until` gave int"),
        (lambda p: p.map(n="n"), None, 3, "begins with the columns n, s and ends with n"),
        (lambda p: p.map(n="n / 2", s="s"), None, 3, '"n" is BIGINT before a round and DOUBLE'),
        (lambda _: None, None, 3, "gave NoneType, not a pipeline"),
    ],
)
def test_rounds_that_are_wrong(
    connection: eau2.Connection,
    step: Callable[[Pipeline], Pipeline],
    until: Callable[[Pipeline, Pipeline], bool] | None,
    bound: int | None,
    error: str,
) -> None:
    with pytest.raises((UsageError, DataError), match=error):
        beginning(connection).iterate(step, until=until, rounds_max=bound)


WRONG: dict[str, Any] = {"plain": len, "number": 3, "names": (1,), "how": "outer"}
"""What type checkers would refuse already."""


def test_a_function_reads_the_columns_of_its_parameters() -> None:
    call = calls.scalar(function("f", BIGINT, "age", "YEAR"), ("age", "year"))
    assert call.function is not None
    assert call.text == f'"{call.function.definition.name}"("age", "year")'
    given = calls.scalar((function("f", BIGINT, "x"), "AGE"), ("age", "year"))
    assert given.text.endswith('("age")')


def test_functions_of_one_name_are_told_apart() -> None:
    one, other = function("f", BIGINT, "a"), function("f", BIGINT, "a", body=Literal(BIGINT, 1))
    names = [calls.scalar(f, ("a",)).text for f in (one, other, one)]
    assert names[0] == names[2] != names[1]


@pytest.mark.parametrize(
    ("made", "error"),
    [
        (lambda q: queries.mapped(q, {"x": function("f", BIGINT, "b")}), 'f reads "b"'),
        (lambda q: queries.mapped(q, {"x": (GROWN, "a", "a")}), "grown takes 1 column, not 2"),
        (lambda q: queries.mapped(q, {"x": (GROWN, "b")}), 'no column "b"'),
        (lambda q: queries.mapped(q, {"x": WRONG["plain"]}), "len is a plain Python function"),
        (
            lambda q: queries.mapped(q, {"x": WRONG["number"]}),
            "int is nothing that a pipeline computes with",
        ),
        (lambda q: queries.mapped(q, {"x": function("f", BIGINT, "a", gathers=True)}), "gathers"),
        (lambda q: queries.mapped(q, {}), "map needs something"),
        (lambda q: queries.filtered(q, function("f", BIGINT, "a")), "f gives BIGINT"),
        (lambda q: queries.reduced(q, (), {"x": function("f", BIGINT, "a")}), "reduces nothing"),
        (lambda q: queries.flattened(q, "x", function("f", BIGINT, "a")), "that gives a list"),
        (lambda q: queries.sorted_(q, (), False), "sort needs a column"),
        (lambda q: queries.sorted_(q, ("a",), ("age",)), '"age" is no column that rows are sorted'),
        (lambda q: queries.limited(q, -1, 0), "limit is a number from 0 on"),
        (lambda q: queries.selected(q, WRONG["names"]), "named by a text, not by int"),
        (lambda q: queries.joined(q, q, {}, "inner"), "a join needs columns"),
        (lambda q: queries.joined(q, q, {"a": "a"}, "cross"), "a cross join takes no columns"),
        (lambda q: queries.joined(q, q, {"a": "a"}, WRONG["how"]), "there is no join 'outer'"),
        (lambda _: calls.name_of("a + 1"), "has no name"),
    ],
)
def test_what_is_refused_says_why(made: Callable[[Any], object], error: str) -> None:
    with pytest.raises((UsageError, UnknownColumnError), match=error) as raised:
        made(queries.of_name("t", ("a", "age")))
    assert raised.value.message


class Recorded:
    """A connection that runs nothing, and remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def sql(self, text: str) -> Result:
        self.told.append(text)
        if "boom" in text:
            raise eau2.DataError(f"in {self.told[0]}", hint=f"See {self.told[0]}.")
        return Result((), (), 0, pa.table({}))

    def stream(self, text: str) -> Batches:
        raise NotImplementedError

    def register_function(self, function: Named) -> None:
        self.told.append(function.definition.name)


def test_a_function_is_registered_once() -> None:
    connection = Recorded()
    workplace = Workplace(connection)
    begun = Pipeline(workplace, queries.of_name("t", ("age",)))
    first, second = begun.filter(GROWN), begun.filter(GROWN).filter("age > 8")
    assert connection.told == []
    first.collect()
    second.collect()
    assert [text.startswith("grown_") for text in connection.told] == [True, False, False]


def test_functions_of_all_that_is_put_together_are_registered() -> None:
    connection = Recorded()
    begun = Pipeline(Workplace(connection), queries.of_name("t", ("age",)))
    other = begun.filter(function("other", BOOLEAN, "age", body=POSITIVE)).select("age")
    begun.filter(GROWN).filter("age > 8").union(other).collect()
    assert [told.partition("_")[0] for told in connection.told[:-1]] == ["grown", "other"]


@pytest.mark.parametrize("name", ["größer", "long" * 100])
def test_a_function_may_be_called_as_python_allows(people: Pipeline, name: str) -> None:
    named = function(name, BOOLEAN, "age", body=POSITIVE)
    assert people.filter(named).count() == 2
    with pytest.raises(eau2.ProgrammingError, match=f"argument 1 of {name[:9]}"):
        people.filter((named, "name")).collect()


def test_a_table_function_is_called_as_a_list() -> None:
    split = UserFunction(
        "split", (Parameter("a", list_of(BIGINT)),), list_of(BIGINT), ColumnRef(list_of(BIGINT), 0),
        table=True,
    )  # fmt: skip
    made = queries.flattened(queries.of_name("t", ("a",)), "e", split)
    assert not made.functions[0].definition.table
    assert f', unnest("{made.functions[0].definition.name}"("a")) AS e("e")' in made.text


def test_errors_call_functions_as_the_program_does() -> None:
    begun = Pipeline(Workplace(Recorded()), queries.of_name("boom", ("age",)))
    with pytest.raises(eau2.DataError) as raised:
        begun.filter(GROWN).collect()
    assert (raised.value.message, raised.value.hint) == ("in grown", "See grown.")
