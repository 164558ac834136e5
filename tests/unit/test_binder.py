"""Names and types of result columns are DuckDB's."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest

from tests.unit.binder_tables import bound, empty_duckdb, failure

SELECT_LISTS = """
1, 2147483647, 2147483648, -2147483648, -2147483649, 9223372036854775807, 9223372036854775808
-9223372036854775808
-170141183460469231731687303715884105728, 170141183460469231731687303715884105727
1.5, 1.50, .5, 5., 00.50, 001.5, -1.5, 0.0, -0.0
1e3, 1.5e3, -1e10, 1.23456789012345678901234567890123456789
'abc', 'it''s', '', true, false, null
- -1, -(-1), -(1), -(1.5), 1 - -1, a - -1, -1 * 2, -(a), -(1 + 1), +a, +1, -(-a), -a + 1
A, T.a, t.A, a, "Big Col", "big col", t."Big Col", year, t.year
a + 1, a - 1, a * b + 1, (a + 1) * 2, a + (1 * 2)
a - b - 1, a % b, a // b, a / b, a ** b
T.a + 1, A + 1, "Big Col" + 1, t."Big Col" + 1, "year" + 1, t.year + 1
tiny + 1, tiny + 1000, small * 2, x + 1, h + 1, u + 1
r + 1, f + 1, tiny + small, a + x, a + f, r + f
m + 1, m * 2, m * m, m + 1.5, m * 1.5
m / 2, m - a, m * (1 - m), m * (1 - m) * (1 + m), -m, m + f
a = b, a == b, a <> b, a != b, a < b, a <= b, a > b, a >= b, d = '2020-01-01', m = 2.5, s = 'x'
ts > '2020-01-01', d < ts, a = 1.5, a = x, p = true
p and p, p and p and p, p or p and p, (p or p) and p
p and (p and p), not p, not (p and p), not p and p
a is null, a is not null, a is distinct from b, a is not distinct from b, (a is null) is null
p is true, p is not true, p is false, p is not false, p is unknown, p is not unknown
a between 1 and 2, a not between 1 and 2
m between 1 and 3, d between '2020-01-01' and '2020-02-01'
a in (1, 2), a not in (1, 2), s in ('x', null)
a in (b, 1), m in (2.5, 3), d in ('2020-01-01'), (a + 1) in (1)
s like 'a%', s not like 'a', s ilike 'a'
s not ilike 'b', s like 'a' escape 'x', s not like 'a' escape 'x'
case when a > 1 then 'x' else 'y' end
case a when 1 then 2 when 3 then 4 end, case when p then 1 end + 1
case when p then 1 else 2.5 end, case when p then a else x end, case when p then d else ts end
case when p then null else null end
case when p then tiny else 1 end, case when p then m else 1 end
cast(a as int), a::int, cast(a as bigint)
try_cast(a as bigint), cast(a as decimal(10, 2)), a::varchar(10)
cast(a as numeric), cast(a as numeric(5)), cast(a as real)
cast(a as float), cast(a as integer), cast(a as char(3))
cast(null as int), null::int, 1::int, (-1)::int, -1::int, '5'::int, cast(s as int)
coalesce(a, b), coalesce(a, 1), ifnull(a, 1), nullif(a, b)
greatest(a, b), least(a, 1), coalesce(a, x), coalesce(null, a)
extract(year from d), extract(doy from d), date_part('year', d)
year(d), extract(second from ts), extract(epoch from ts)
d + 1, d - 1, 1 + d, d - d, d + a
d + interval '1' day, d - interval 3 month
interval '1' year + d, ts + interval '90 minutes', d + interval (1 + 1) week
d + 2 * interval '1' day
d + (interval '1' day + interval '2' day), d - interval '1' month - interval 2 hours
a as q, a + 1 as "Q 1", q + 1, "q" as z, Q
s || s, s || s || 'x', 'a' || 'b'
$1, $1 + 1, a + $2, $3
tiny + 1::int, case when p then 1::int else tiny end, coalesce(tiny, 300), tiny + (1 + 1)
""".strip().splitlines()

AGGREGATES = """
sum(a), count(*), count(a), count(distinct a), avg(a + 1), SUM(A), Count(*), count()
count(*) + 1, sum(a * m) / sum(b), sum(m), sum(f)
sum(x), sum(h), sum(tiny), avg(m), avg(distinct a)
min(s), max(d), min(m), max(p), min(ts), min(distinct a), sum(m * (1 - m)), sum(p)
sum(a) as total, total + 1
100.00 * sum(case when s like 'P%' then m * (1 - m) else 0 end) / sum(m * (1 - m))
sum(null), count(null), min(null), 1, sum(1), avg(1.5), max('a')
""".strip().splitlines()


@pytest.fixture(scope="module")
def oracle() -> Iterator[duckdb.DuckDBPyConnection]:
    connection = empty_duckdb()
    yield connection
    connection.close()


VALUES: dict[int | str, object] = {1: 7, 2: 2**40, 3: "x"}


def described(
    connection: duckdb.DuckDBPyConnection, text: str, values: dict[int | str, object]
) -> list[tuple[str, str]]:
    connection.execute(text, {str(name): value for name, value in values.items()})
    return [(column[0], str(column[1]).strip('"')) for column in connection.description]


@pytest.mark.parametrize("listed", [*SELECT_LISTS, *AGGREGATES])
def test_names_and_types_are_duckdbs(oracle: duckdb.DuckDBPyConnection, listed: str) -> None:
    text = f"select {listed} from t"
    values = VALUES if "$" in listed else {}
    result = bound(text, values)
    ours = [(n, str(c.type)) for n, c in zip(result.names, result.plan.output, strict=True)]
    assert ours == described(oracle, text, values)


SOURCES = """
select * from t
select t.* from t
select x.* from t x
select *, a from t
select t.*, a + 1 as q from t
select * from t, u
select u.*, t.a from t, u
select * from t join u using (a)
select * from t join u using (s, a)
select * from t left join u using (a, s)
select * from t right join u using (s)
select * from t full join u using (s)
select * from u join t using (s)
select t.* from t full join u using (a)
select u.*, t.a, a from t full join u using (a)
select * from t natural join u
select * from u natural full join v
select * from t join v using (a)
select * from t right join v using (a)
select * from t full join v using (a)
select * from t join u using (a) join v using (a)
select a, t.a, u.a, v.a from t join u using (a) left join v using (a)
select * from t cross join u
select * from t join u on t.a = u.a
select q, r from (select a, b from t) v(q, r)
select * from (select a, a, b as a, a as a_1 from t)
select * from (select a, a_1, a from (select a, b as a_1 from t))
select * from (select a + 1, sum(b) from t group by a)
select "sum(a)" from (select sum(a) from t)
select unnamed_subquery.a from (select a from t)
select * from t as x (p1, p2)
select * from (select * from t) x join (select a from u) y on x.a = y.a
select a + 1 as k from t where k > 1
select a + 1 as b, b from t
select a from t group by t.a
select a + 1 from t group by a
select a + 1 + 1 from t group by a + 1
select a + 1 as q, count(*) from t group by q having q > 2
select a, count(*) as n from t group by 1 having n > 1 order by 2 desc, a
select distinct a + b as q from t order by q + 1
select a as z, sum(z) from t group by z
select 1, 'x'
select 1 where false
select count(*) where false
select 1 having count(*) > 0
select (a) from t limit 3
""".strip().splitlines()


@pytest.mark.parametrize("text", SOURCES)
def test_sources_give_duckdbs_columns(oracle: duckdb.DuckDBPyConnection, text: str) -> None:
    result = bound(text)
    ours = [(n, str(c.type)) for n, c in zip(result.names, result.plan.output, strict=True)]
    assert ours == described(oracle, text, {})


REFUSED = """
select a from t, u
select t.c from t, u
select a from t x, t y
select t.a from t x
select x.a from t x, u x
select * from t, t
select z from t
select zz.a from t
select a from tt
select foo(a) from t
select sum(a, b) from t
select t.t from t
select a from t join u using (zz)
select * from t join u using (b)
select * from (t cross join u) join v using (a)
select * from v natural join (select 1 zz) w
select * from (select a, b from t) v(q, r, s)
select a from t as x (p1, p2)
select *
select u.* from t
select * from t left join u on t.a = z.a
select * from t left join u on a = c
select b as a, count(*) from t group by a
select a, count(*) from t group by 2
select a, count(*) from t group by 3
select a, count(*) from t group by 0
select a, count(*) from t group by -1
select 1 + a from t group by a + 1
select a, b from t group by a
select * from t group by a
select a from t group by a order by b
select a from t order by sum(b)
select sum(a) from t order by a
select a from t having a > 1
select sum(sum(a)) from t
select a from t where sum(a) > 1
select sum(a) from t group by sum(a)
select sum(a) as z from t group by z
select sum(a) as z from t where z > 1
select sum(a) as q, sum(q) from t
select a as q, sum(b) from t group by a having sum(q) > 1
select a + 1 as q from t group by q + 0
select q + 1, a as q from t
select a from t order by 2
select a from t order by 0
select a from t order by -1
select a from t order by 'x'
select a from t order by 1.5
select a from t order by null
select a from t limit -1
select a from t limit a
select a from t limit 1 offset -1
select count(distinct *) from t
select upper(distinct s) from t
select sum(s) from t
select d + 1.5 from t
select ts + 1 from t
select interval '1' day - d from t
select '2020-01-01' + interval '1' day
select date '2020-02-30'
select date 'abc'
select date '2020-01-01abc'
select date '20200101'
select timestamp '2020-01-01 10:60:00'
select timestamp '2020-01-01 10'
select date '2020-01-01' = 'abc'
select date '2020-01-01' in ('2020-13-01')
select s between 1 and 2 from t
select case when p then s else 1 end from t
select s like 1 from t
select extract(foo from d) from t
select extract(year from s) from t
select cast(a as foo) from t
select cast(a as decimal(39, 2)) from t
select cast(a as decimal(5, 7)) from t
select 1::date
select -s from t
select a.b from t
""".strip().splitlines()


EARLIER = ("select a from t limit 'x'", "select a from t limit 99999999999999999999")
"""Mistakes that DuckDB sees when rows come, and eau2 at once."""


@pytest.mark.parametrize("text", EARLIER)
def test_mistakes_are_seen_before_rows_come(text: str) -> None:
    assert failure(text).message


@pytest.mark.parametrize("text", REFUSED)
def test_what_duckdb_refuses_is_refused_with_a_place(
    oracle: duckdb.DuckDBPyConnection, text: str
) -> None:
    with pytest.raises(duckdb.Error):
        oracle.execute(text)
    assert failure(text).message
