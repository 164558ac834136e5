"""Result columns of statements with windows, grouping sets and stars are called as in DuckDB."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest

from tests.unit.binder_tables import bound, empty_duckdb

STATEMENTS = """
select sum(sum(a)) over () from t

select row_number() over (), rank() over (order by a), dense_rank() over (order by a desc nulls
    first), percent_rank() over (partition by a, b order by s), cume_dist() over (order by a)
    from t

select ntile(4) over (order by a), lag(a) over (order by b), lead(m, 2) over (order by b),
    lag(s, 1, 'x') over (order by b), first_value(d) over (order by ts), last_value(p) over (),
    nth_value(f, 2) over (order by f) from t

select sum(a) over (order by b rows between 1 preceding and current row), sum(m) over (order by
    a range between unbounded preceding and unbounded following), avg(x) over (order by a rows 2
    preceding) from t

select count(*) over (), count(a) over (partition by s), count(distinct a) over (partition by
    s), min(s) over (), max(ts) over (), sum(f) over (), avg(m) over (), bool_and(p) over ()
    from t

select sum(a) filter (where b > 1) over (order by b) from t

select mode(a) from t

select mode(a) over (order by b) from t

select rank() over w from t window w as (partition by a order by b)

select sum(a) over (w rows between current row and unbounded following) from t window w as
    (order by b)

select row_number() over (order by a) + 1 as q, q * 2 from t

select a, count(*) from t group by rollup(a)

select grouping(a), grouping(a, b), grouping_id(a) from t group by cube(a, b)

select a + 1, count(*) from t group by all

select * exclude (a, b, h) from t

select t.* exclude (a) from t join u on true

select * replace (a::varchar as a, 1 as B) from t

select * rename (a as zz) from t

select * like '%a%' from t

select columns('^[ab]$'), columns('^[ab]$') + 1 from t

select min(columns(*)) from u

select columns('a') as q, columns('s') as "x_\\0" from u

select columns('(.)') as "x_\\1" from u

select coalesce(*columns('a|c')) as k from u

select sum(columns('a|c')) over (partition by s) from u

select distinct on (a) a, b from t order by a, b

select distinct on (1) a as z, b + 1 from t

select year, "Big Col" from t qualify row_number() over (partition by year order by "Big Col") =
    1

select a from t limit 10%

select first_value(a) over (order by b), first_value(a ignore nulls) over (order by b) from t

select lag(a ignore nulls) over (order by b), nth_value(a, 2 ignore nulls) over (order by b),
    last_value(a respect nulls) over (order by b) from t

select sum(a) over (order by b groups between 1 preceding and 1 following exclude ties) from t

select sum(a) over (order by b rows between 1 preceding and 1 following exclude current row)
    from t

select sum(a) over (order by b rows between unbounded preceding and 1 following exclude group)
    from t

select sum(a) over (order by d range between interval 1 month preceding and interval 2 days
    following) from t

select sum(a) over (order by d range between '1 day'::interval preceding and current row) from t

select a as b, row_number() over (order by b) from t

select u.*, t.a from t join u using (a)

select * from t join u using (a)

select * exclude (t.a) from t join u using (a)

select * exclude (u.a) from t join u using (a)

select count(*) over (partition by a + 1, upper(s) order by a * 2 desc, s nulls first) from t

select max(a) - min(a) over () from t group by a

select a, sum(sum(b)) over (partition by a % 2 order by a) from t group by a

select row_number() over (order by a nulls last) from t

select row_number() over (order by a desc nulls last) from t

select "first_value"(a) over (order by b) from t

select case when row_number() over (order by a) = 1 then 'x' end from t

select (row_number() over (order by a))::varchar || 'a' from t

select sum(1) over (), sum(1.5) over (), sum(1e0) over () from t

select sum(tiny) over (), sum(u) over (), sum(h) over (), avg(tiny) over (), sum(r) over () from
    t

select lag(tiny, 1, 0) over (order by a), lag(m, 1, 0) over (order by a), lead(a, 1, null) over
    (order by a) from t

select lag(a, 1, 1.5) over (order by a) from t

select lag(d, 1, '2020-01-01') over (order by a) from t

select count(*) filter (where a > 1) over () from t

select sum(distinct a) over (partition by b) from t

from t select a, b

from u

select a from t where columns('^a$|^b$') > 1

select distinct a from t order by b

select a, b from t order by all desc limit 5

select * exclude a from u

select *, row_number() over () as n from u

select u.* replace (a * 2 as a) from u

select * rename (a as b, c as d) from u

select * exclude (a) rename (c as d) from u

select * replace (a + 1 as a) rename (s as q) from u

select columns(* exclude (s)) + 1 from u

select columns(['c','a']) from u

select columns(u.*) from u

select grouping(a) as g, a from u group by rollup(a) having g = 0

select s, grouping(s), sum(c) from u group by grouping sets ((s), ()) order by all

select sum(a) over (order by b rows between a preceding and current row) from t

select sum(a) over (order by b rows between 1.5 preceding and current row) from t

select sum(a) over (order by m range between 1.25 preceding and current row) from t

select sum(a) over (order by f range between 1 preceding and 1 following) from t

select sum(a) over (order by d range between 1 preceding and current row) from t

select row_number() over w, sum(a) over w from t window w as ()

select count(*), row_number() over (order by count(*)) from t

select a from t group by a order by row_number() over (order by a)

select a, a from t order by all

select a as x, b as x from t order by x

select t.a from t group by t.a having t.a > 1
"""


@pytest.fixture(scope="module")
def oracle() -> Iterator[duckdb.DuckDBPyConnection]:
    connection = empty_duckdb()
    yield connection
    connection.close()


@pytest.mark.parametrize("text", [" ".join(s.split()) for s in STATEMENTS.strip().split("\n\n")])
def test_names_and_types_are_duckdbs(text: str, oracle: duckdb.DuckDBPyConnection) -> None:
    result = bound(text)
    relation = oracle.sql(text)
    assert list(result.names) == relation.columns
    types = [str(column.type) for column in result.plan.output]
    assert types == [str(type_) for type_ in relation.types]
