"""A query of 300 lines over TPC-H tables: common tables, unions, subqueries, many columns.

Owns: `text`. Reports of this kind are written by programs: the same parts, again and again.
"""

from __future__ import annotations

REGIONS = ("AFRICA", "AMERICA", "ASIA", "EUROPE")
YEARS = (1994, 1995, 1996)
STATUSES = ("F", "O", "P")


def _sales(region: str) -> str:
    """One region's lines, with what belongs to them."""
    return f"""
sales_{region.lower()} AS (
    SELECT
        l_orderkey,
        l_partkey,
        l_suppkey,
        l_quantity,
        l_extendedprice * (1 - l_discount) AS revenue,
        l_extendedprice * (1 - l_discount) * (1 + l_tax) AS charge,
        extract(year FROM o_orderdate) AS ordered,
        date_diff('day', o_orderdate, l_shipdate) AS waited,
        n_name AS nation,
        c_mktsegment AS segment
    FROM lineitem
    JOIN orders ON l_orderkey = o_orderkey
    JOIN customer ON o_custkey = c_custkey
    JOIN nation ON c_nationkey = n_nationkey
    JOIN region ON n_regionkey = r_regionkey
    WHERE r_name = '{region}'
        AND l_shipdate >= DATE '1994-01-01'
        AND l_shipdate < DATE '1994-01-01' + INTERVAL 3 YEAR
        AND l_quantity BETWEEN 1 AND 45
        AND o_orderstatus IN ('F', 'O')
)"""


def _summary(region: str) -> str:
    """One region's sums by year."""
    sums = ",\n".join(
        f"    sum(CASE WHEN ordered = {year} THEN revenue ELSE 0 END) AS revenue_{year},\n"
        f"    count(*) FILTER (WHERE ordered = {year}) AS lines_{year},\n"
        f"    avg(CASE WHEN ordered = {year} AND waited > 30 THEN charge END) AS late_{year}"
        for year in YEARS
    )
    return f"""
SELECT
    '{region}' AS region,
    nation,
    segment,
    sum(revenue) AS revenue,
    sum(charge) AS charge,
    avg(waited) AS waited,
    count(DISTINCT l_partkey) AS parts,
{sums}
FROM sales_{region.lower()}
WHERE l_partkey IN (
    SELECT p_partkey
    FROM part
    WHERE p_size > 10
        AND p_type LIKE '%BRASS'
)
    AND EXISTS (
        SELECT 1
        FROM partsupp
        WHERE ps_partkey = l_partkey
            AND ps_suppkey = l_suppkey
            AND ps_availqty > 100
    )
GROUP BY nation, segment
HAVING sum(revenue) > (
    SELECT avg(revenue)
    FROM sales_{region.lower()}
    WHERE ordered = 1995
)"""


def _orders(status: str) -> str:
    return f"""
    SELECT
        o_custkey AS customer,
        '{status}' AS status,
        count(*) AS orders,
        sum(o_totalprice) AS spent
    FROM orders
    WHERE o_orderstatus = '{status}'
        AND o_orderdate BETWEEN DATE '1994-01-01' AND DATE '1996-12-31'
    GROUP BY o_custkey"""


def text() -> str:
    """The query."""
    tables = ",".join(map(_sales, REGIONS))
    orders = "\n    UNION ALL".join(map(_orders, STATUSES))
    united = "\nUNION ALL".join(map(_summary, REGIONS))
    return f"""WITH {tables.strip()},
buyers AS ({orders}
),
united AS ({united}
)
SELECT
    u.region,
    u.nation,
    u.segment,
    u.revenue,
    u.charge,
    round(u.waited, 1) AS waited,
    u.parts,
    u.revenue_1994,
    u.revenue_1995,
    u.revenue_1996,
    u.revenue_1996 - u.revenue_1995 AS growth,
    u.lines_1994 + u.lines_1995 + u.lines_1996 AS lines,
    rank() OVER (PARTITION BY u.region ORDER BY u.revenue DESC) AS place,
    (SELECT count(*) FROM buyers b JOIN customer c ON b.customer = c.c_custkey
        WHERE c.c_mktsegment = u.segment AND b.spent > 1000) AS buyers
FROM united u
WHERE u.parts > 3
ORDER BY u.region, place, u.nation
LIMIT 100
"""
