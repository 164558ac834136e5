"""One statement or more for every alternative of the grammar; each line is one.

Owns: the statements, by the grammar's sections. They are written for the tables t (a, b, s, d, e)
and u (a, c), and each is answered or refused by name.
"""

from __future__ import annotations

from eau2.sql.tables import tables

STATEMENTS = """
SELECT 1; ; SELECT 2;
;
EXPLAIN SELECT 1
EXPLAIN ANALYZE SELECT 1
EXPLAIN (FORMAT json) SELECT 1
EXPLAIN DELETE FROM t
EXPLAIN CREATE TABLE n (a INT)
EXPLAIN DROP TABLE t
EXPLAIN EXECUTE p
EXPLAIN INSERT INTO t VALUES (1)
EXPLAIN PREPARE p AS SELECT 1
SET chunk_rows = 1000
SET chunk_rows TO 1000
SET chunk_rows = -1
SET a.b.c = word
SET threads = ON
SET LOCAL chunk_rows = 1
RESET chunk_rows
SHOW chunk_rows
SHOW ALL
SHOW NODES
SHOW CHUNKS
SHOW CHUNKS FROM t
SHOW TABLES FROM t
SHOW ALL TABLES
SHOW tables x y
DESCRIBE t
DESCRIBE 'no/such/file.parquet'
DESCRIBE SELECT a FROM t
DESC t
PREPARE p AS SELECT a + $1 FROM t
PREPARE p AS INSERT INTO u VALUES (1, 2)
PREPARE p(int) AS SELECT $1
EXECUTE p
EXECUTE p(1, x := 2)
DEALLOCATE p
DEALLOCATE PREPARE p
DEALLOCATE ALL
CREATE TABLE n (a INT, b VARCHAR NOT NULL, c DOUBLE NULL,)
CREATE OR REPLACE TEMP TABLE IF NOT EXISTS n (a INT)
CREATE OR REPLACE TEMPORARY TABLE IF NOT EXISTS n (x, y) AS SELECT a, b FROM t WITH NO DATA
CREATE TABLE n (a INT CHECK (a > 1))
CREATE TABLE n (a VARCHAR COLLATE nocase)
CREATE TABLE n (a INT CONSTRAINT x UNIQUE)
CREATE TABLE n (a INT DEFAULT 1)
CREATE TABLE n (a INT, FOREIGN KEY (a) REFERENCES t (a))
CREATE TABLE n (a INT GENERATED ALWAYS AS (b))
CREATE TABLE n (a INT NOT NULL PRIMARY KEY)
CREATE TABLE n (a INT REFERENCES t (a))
CREATE TABLE n (a INT UNIQUE)
CREATE TABLE n (a INT USING COMPRESSION x)
CREATE OR REPLACE TEMP VIEW IF NOT EXISTS v (x) AS SELECT a FROM t
CREATE OR REPLACE TEMP MACRO m(a) AS a
CREATE INDEX i ON t (a)
CREATE INDEX IF NOT EXISTS i ON t (a, b,)
CREATE OR REPLACE INDEX i ON t (a)
CREATE OR REPLACE TEMP INDEX i ON t (a)
CREATE TEMP INDEX i ON t (a)
CREATE SECRET x
CREATE RECURSIVE VIEW v (x) AS SELECT 1
CREATE UNIQUE INDEX i ON t (a)
INSERT INTO u VALUES (1, 2), (DEFAULT, 3)
INSERT INTO u (c, a) BY POSITION SELECT 1, 2
INSERT INTO u BY NAME SELECT 1 AS c
INSERT INTO u DEFAULT VALUES
INSERT INTO u (a, c) DEFAULT VALUES
INSERT INTO u AS x VALUES (1, 2)
INSERT INTO u VALUES (1, 2) ON CONFLICT DO NOTHING
INSERT INTO u VALUES (1, 2) RETURNING a
INSERT OR REPLACE INTO u VALUES (1, 2)
DROP TABLE IF EXISTS n
DROP VIEW IF EXISTS v
DROP TABLE t, u
DROP VIEW v CASCADE
DROP TABLE IF EXISTS n RESTRICT
DROP INDEX i
DROP INDEX IF EXISTS i
DROP INDEX i CASCADE
DROP INDEX IF EXISTS i, j
DROP SEQUENCE i
SUMMARIZE t
EXPLAIN SUMMARIZE SELECT a FROM t
UPDATE t SET a = 1
"""

QUERIES = """
(SELECT 1)
((SELECT 1) UNION SELECT 2) LIMIT 1
SELECT 1 UNION ALL BY NAME SELECT 2 EXCEPT DISTINCT SELECT 3 INTERSECT ALL (SELECT 4) ORDER BY 1
SELECT 1 EXCEPT BY NAME SELECT 1 LIMIT 2
SELECT * EXCEPT (a) FROM t
WITH q AS (SELECT 1 AS x), r (y) AS MATERIALIZED (SELECT x FROM q), s AS (SELECT 1) SELECT * FROM r
WITH RECURSIVE q (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM q WHERE n < 3), r AS (SELECT 1) FROM q
WITH RECURSIVE q (n) USING KEY (n) AS NOT MATERIALIZED (SELECT 1 UNION SELECT 2 FROM q) FROM q
SELECT a FROM t ORDER BY a ASC NULLS FIRST, b DESC NULLS LAST LIMIT 2 OFFSET 1 ROWS
SELECT a FROM t ORDER BY ALL OFFSET 1 ROW LIMIT 2
SELECT a FROM t ORDER BY a LIMIT 50%
SELECT a FROM t ORDER BY a LIMIT 50 PERCENT
SELECT a FROM t LIMIT ALL
SELECT a FROM t OFFSET 1
SELECT a FROM t FETCH FIRST ROW ONLY
SELECT a FROM t OFFSET 1 FETCH NEXT 2 ROWS ONLY
SELECT a FROM t FETCH FIRST ? ROWS ONLY
SELECT a FROM t FETCH FIRST (1 + 1) ROW ONLY
SELECT a FROM t FETCH FIRST 10 PERCENT ROWS ONLY
SELECT a FROM t FETCH NEXT 10 PERCENT ROW ONLY
SELECT a FROM t USING SAMPLE 10 PERCENT
SELECT a FROM t USING SAMPLE ?
VALUES (1, 'a'), (2, 'b',), (3, DEFAULT)
VALUES (1, 'a'), (2, 'b'), (3, 'c'),
TABLE t
FROM t
FROM t SELECT DISTINCT a WHERE a > 1
SELECT ALL a, b AS x, s y, d "z z", e AS 'q', first: a, b AS select, a interval, a drop, FROM t
SELECT DISTINCT ON (a, b) s FROM t
SELECT count(*) FROM t GROUP BY a, (b, s), ()
SELECT a, count(*) FROM t GROUP BY ALL
SELECT a FROM t GROUP BY a,
SELECT a FROM t GROUP BY a, b,
SELECT sum(a) OVER (PARTITION BY a, b) FROM t
SELECT a, grouping(a) FROM t GROUP BY GROUPING SETS ((a), ROLLUP (a, b), CUBE (s)), a
SELECT a FROM t GROUP BY a HAVING count(*) > 0
SELECT a FROM t QUALIFY row_number() OVER (ORDER BY a) = 1
SELECT sum(a) OVER w, sum(a) OVER (w ORDER BY a) FROM t WINDOW w AS (PARTITION BY b), v AS (),
SELECT a, sum(a) OVER w FROM t WINDOW w AS (ORDER BY a) QUALIFY sum(a) OVER w > 0
SELECT sum(a) OVER ("w" ROWS 1 PRECEDING) FROM t WINDOW w AS (ORDER BY a)
SELECT sum(a) OVER (first ORDER BY b) FROM t WINDOW first AS (PARTITION BY a)
SELECT sum(a) OVER (ORDER BY a RANGE BETWEEN a PRECEDING AND 1 FOLLOWING EXCLUDE NO OTHERS) FROM t
SELECT sum(a) OVER (ORDER BY a GROUPS BETWEEN CURRENT ROW AND 1 FOLLOWING EXCLUDE GROUP) FROM t
SELECT sum(a) OVER (ORDER BY a ROWS CURRENT ROW EXCLUDE CURRENT ROW) FROM t
SELECT sum(a) OVER (ORDER BY a ROWS 1 PRECEDING EXCLUDE TIES) FROM t
SELECT * EXCLUDE (a, t.b) REPLACE (s || 'x' AS s, a AS d) RENAME (e AS f, s AS g) FROM t
SELECT * EXCLUDE a REPLACE b + 1 AS b RENAME s AS z FROM t
SELECT t.* EXCLUDE (a,) REPLACE (b AS b,) RENAME (s AS x,) FROM t
SELECT * LIKE 'a%' FROM t
SELECT * NOT ILIKE 'a%' FROM t
SELECT * GLOB 'a*' FROM t
SELECT * SIMILAR TO 'a|b' FROM t
SELECT *COLUMNS('a') FROM t
SELECT COLUMNS(*), COLUMNS('a|b') + 1, COLUMNS(['a', 'b']), COLUMNS(* EXCLUDE (a)) FROM t
SELECT COLUMNS(LAMBDA c: c = 'a') FROM t
SELECT coalesce(*COLUMNS('a|b')) FROM t
"""

TABLES = """
SELECT * FROM t,
SELECT * FROM t x, u AS y, t z (q, r), u AS 'v', u AS "w" (m, n,),
SELECT * FROM u AS 'v' (m)
SELECT * FROM t JOIN u ON t.a = u.a
SELECT * FROM t INNER JOIN u USING (a)
SELECT * FROM t LEFT JOIN u USING (a)
SELECT * FROM t LEFT OUTER JOIN u USING (a)
SELECT * FROM t RIGHT OUTER JOIN u USING (a)
SELECT * FROM t FULL OUTER JOIN u USING (a)
SELECT * FROM t NATURAL JOIN u
SELECT * FROM t NATURAL LEFT JOIN u
SELECT * FROM t CROSS JOIN u
SELECT * FROM t POSITIONAL JOIN u
SELECT * FROM t SEMI JOIN u USING (a)
SELECT * FROM t ANTI JOIN u ON t.a = u.a
SELECT * FROM t ASOF JOIN u ON t.a >= u.a
SELECT * FROM t ASOF INNER JOIN u USING (a)
SELECT * FROM t ASOF LEFT OUTER JOIN u ON t.b = u.c AND t.a >= u.a
SELECT * FROM t ASOF RIGHT OUTER JOIN u USING (a)
SELECT * FROM t ASOF FULL JOIN u USING (a)
SELECT * FROM t ASOF SEMI JOIN u USING (a)
SELECT * FROM t ASOF ANTI JOIN u USING (a)
SELECT * FROM 'no/such/file.parquet' x
SELECT * FROM x: t
SELECT * FROM (SELECT a FROM t) q
SELECT * FROM (t JOIN u USING (a)) x
SELECT * FROM ((SELECT 1) UNION SELECT 2) q
SELECT * FROM t, LATERAL (SELECT t.a + 1) x
SELECT * FROM t, LATERAL range(a) r
SELECT * FROM range(3) WITH ORDINALITY AS r (x, y)
SELECT * FROM range(start := 1, stop => 2)
SELECT * FROM current_tables()
SELECT * FROM VALUES (1), (2)
SELECT * FROM t AT (VERSION => 1)
SELECT * FROM x.t
SELECT * FROM x.y.t
SELECT * FROM (DESCRIBE t)
SELECT * FROM (SHOW tables)
SELECT * FROM (SUMMARIZE t)
SELECT * FROM t TABLESAMPLE 2
SELECT * FROM t TABLESAMPLE 2 ROWS
SELECT * FROM t TABLESAMPLE 10% (bernoulli, 3)
SELECT * FROM t TABLESAMPLE reservoir(2) REPEATABLE (3)
SELECT * FROM t TABLESAMPLE (10%) REPEATABLE (3)
SELECT * FROM t TABLESAMPLE (2 ROWS)
SELECT * FROM t PIVOT (sum(b) AS s FOR a IN (1, 2 AS two) e IN (true) GROUP BY s) p
SELECT * FROM t PIVOT (sum(b) FOR a IN an_enum)
SELECT * FROM t UNPIVOT (v FOR n IN (a, b AS c)) p
SELECT * FROM t UNPIVOT INCLUDE NULLS ((v, w) FOR n IN ((a, b)))
SELECT * FROM t UNPIVOT EXCLUDE NULLS (v FOR n IN (a))
PIVOT t ON a USING sum(b) GROUP BY s
PIVOT t ON a IN (1, 2 AS two), e, USING sum(b), count(*) AS n
PIVOT t ON a IN an_enum USING sum(b)
PIVOT t USING sum(b) GROUP BY a
PIVOT t GROUP BY a
PIVOT t ON a > 1
UNPIVOT t ON a, b
UNPIVOT t ON (a, b), (b, a) INTO NAME n VALUES v, w
UNPIVOT t ON a, b INTO NAME n VALUE v
"""

EXPRESSIONS = """
a = 1 OR a = 2 OR b = 3
a = 1 AND b = 2 AND e
NOT e
e = NOT e
a IS DISTINCT FROM b AND a IS NOT DISTINCT FROM b
e IS DISTINCT FROM NOT e
e IS NOT DISTINCT FROM a = NOT e
e IS DISTINCT FROM a = b
a IS NULL OR a IS NOT NULL OR a ISNULL OR a NOTNULL OR a NOT NULL
e IS TRUE OR e IS NOT TRUE OR e IS FALSE OR e IS NOT FALSE OR e IS UNKNOWN OR e IS NOT UNKNOWN
a == 1 OR a <> 1 OR a != 1 OR a < 1 OR a <= 1 OR a > 1 OR a >= 1
a IS NULL = e
a < b < 1
a = ANY (SELECT a FROM u)
a = SOME (SELECT a FROM u)
a <> ALL (SELECT a FROM u)
a = ANY ([1, 2])
a BETWEEN 1 AND 2 AND a NOT BETWEEN 1 AND 2
s LIKE 'a%' OR s LIKE 'a' ESCAPE 'x' OR s NOT LIKE 'b' OR s NOT LIKE 'b' ESCAPE 'x'
s ILIKE 'a%' OR s ILIKE 'a' ESCAPE 'x' OR s NOT ILIKE 'b' OR s NOT ILIKE 'b' ESCAPE 'x'
s GLOB 'a*'
s NOT GLOB 'a*'
s SIMILAR TO 'a'
s NOT SIMILAR TO 'a'
s SIMILAR TO 'a' ESCAPE 'x'
s NOT SIMILAR TO 'a' ESCAPE 'x'
s ~ 'a'
s !~ 'a'
s ~* 'a'
s !~* 'a'
s ~~ 'a' OR s !~~ 'a' OR s ~~* 'a' OR s !~~* 'a'
s ~~~ 'a'
a IN (1, 2,) AND a NOT IN (3)
a IN (SELECT a FROM u)
a NOT IN (SELECT a FROM u)
a IN ((SELECT 1) UNION SELECT 2)
a IN (1) IN (true) NOT IN (false)
1 IN [1, 2]
'a' IN s
'a' IN ?
'a' IN lower(s)
s || 'x'
s ^@ 'x'
[1] && [2]
[1] @> [2]
[1] <@ [2]
a ->> 'x'
a <<= b
a >>= b
a -> b
a & b
a | b
a << 1
a >> 1
a + b - 1
a * b / 2 // 3 % 4
a ^ 2 ** 2
- a
+ a
~ a
@ a
- ~ a
~ @ ~ a
~ a + 1
b + ~ a
b * ~ a
b ^ ~ a
2 * b - ~ a * 2 & 1
a::bigint
5!
s COLLATE nocase = 'a'
s COLLATE nocase
d AT TIME ZONE 'UTC'
[1, 2][1]
[1, 2][1:2]
[1, 2][:]
[1, 2][1:-:2]
[1, 2][1:2:]
[1, 2][::2]
('x').y
'x'.upper()
s.upper()
t.s
date '2020-01-01'
decimal(4, 2) '1.5'
d + INTERVAL '1 month'
d + INTERVAL '1' MONTH
d + INTERVAL 1 MONTH
d + INTERVAL (a) MONTH
(a)
(a, b) = (1, 2)
(1,)
row(1, 2)
(a, b,)
(SELECT max(a) FROM u)
((SELECT 1) UNION SELECT 1)
CASE WHEN a = 1 THEN 2 WHEN a = 2 THEN 3 ELSE 4 END
CASE a WHEN 1 THEN 2 END
CAST(a AS BIGINT)
TRY_CAST(s AS INT)
EXTRACT(year FROM d)
EXTRACT('year' FROM d)
POSITION('a' IN s)
SUBSTRING(s FROM 1)
SUBSTRING(s FROM 1 FOR 2)
SUBSTRING(s FOR 2)
SUBSTRING(s, 1, 2)
TRIM(s)
TRIM(BOTH FROM s)
TRIM(LEADING 'x' FROM s)
TRIM('x' FROM s)
TRIM(FROM s)
TRIM(TRAILING s, 'x')
EXISTS (SELECT 1)
NOT EXISTS (SELECT 1 FROM u WHERE u.a = t.a)
[]
[1, 2,]
ARRAY[]
ARRAY[1, 2]
ARRAY(SELECT a FROM u)
[x + 1 FOR x IN [1, 2] IF x > 1]
{'a': 1}
MAP {'a': 1}
#1
e'a'
x'ab'
12
'text'
true
false
NULL
?
a::decimal(10, 2)
a::double precision
s::character varying(10)
d::timestamp with time zone
d::timestamp without time zone
a::STRUCT(x INT)
NULL::int[]
NULL::int array
NULL::int[3]
count(*)
count(ALL a)
count(DISTINCT a)
string_agg(s, ',' ORDER BY a, b)
first(a IGNORE NULLS)
last(a RESPECT NULLS)
sum(*)
quantile_cont(0.5) WITHIN GROUP (ORDER BY a)
sum(a) FILTER (WHERE a > 1)
sum(a) FILTER (a > 1)
sum(a) OVER (PARTITION BY b ORDER BY a)
list_transform([1, 2], LAMBDA x: x + 1)
list_transform([1, 2], LAMBDA x, i: x + i)
f(x := LAMBDA x: x)
f(x := 1)
f(x => 1)
f(x => LAMBDA x: x)
overlay(s PLACING 'a' FROM 1)
overlay(s PLACING 'a' FROM 1 FOR 2)
main.abs(a)
left(s, 1)
"""


def examples() -> list[str]:
    """The statements above."""
    lines = [line for block in (STATEMENTS, QUERIES, TABLES) for line in block.splitlines()]
    lines += [f"SELECT {line} FROM t" for line in EXPRESSIONS.splitlines() if line]
    return [line for line in lines if line]


PLACES = ("SELECT 1 AS {}", "SELECT {} FROM t", "SELECT {}(a) FROM t", "SELECT a {} FROM t")


def examples_of_words() -> list[str]:
    """Every word of the grammar where a word may be a name. Some words may not stand everywhere."""
    words = sorted(word for word in tables().words if word.isidentifier())
    return [place.format(word) for word in words for place in PLACES]
