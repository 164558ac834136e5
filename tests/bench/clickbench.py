"""The 43 queries of ClickBench over a made table of page views (hits.py).

The texts are ClickBench's for DuckDB; the counter, the hashes and the groups that HAVING keeps are
those of the made table, and what is sorted by has a name. Where a LIMIT leaves open which of equal
rows are given, only the columns of `DETERMINED` are compared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pyarrow as pa

from tests.bench import agree, hits
from tests.bench.contest import Contest, Options, loaded
from tests.bench.report import DUCKDB, EAU2, Run, Workload
from tests.bench.sides import DuckDb, Eau2, Polars, Side

DETERMINED = {"c", "u", "l", "page_views"}
"""What the answers with a LIMIT are sorted by; the rest of a row depends on which equals come."""

MONTH = (
    f"CounterID = {hits.COUNTER} AND EventDate >= DATE '2013-07-01' "
    "AND EventDate <= DATE '2013-07-31'"
)
SEEN = f"{MONTH} AND IsRefresh = 0"
URL_HASH = hits.hash_of(1)
REFERER_HASH = hits.hash_of(2)

STATEMENTS = (
    "SELECT count(*) FROM hits",
    "SELECT count(*) FROM hits WHERE AdvEngineID <> 0",
    "SELECT sum(AdvEngineID), count(*), avg(ResolutionWidth) FROM hits",
    "SELECT avg(UserID) FROM hits",
    "SELECT count(DISTINCT UserID) FROM hits",
    "SELECT count(DISTINCT SearchPhrase) FROM hits",
    "SELECT min(EventDate), max(EventDate) FROM hits",
    "SELECT AdvEngineID, count(*) AS c FROM hits WHERE AdvEngineID <> 0 GROUP BY AdvEngineID "
    "ORDER BY c DESC",
    "SELECT RegionID, count(DISTINCT UserID) AS u FROM hits GROUP BY RegionID "
    "ORDER BY u DESC LIMIT 10",
    "SELECT RegionID, sum(AdvEngineID), count(*) AS c, avg(ResolutionWidth), "
    "count(DISTINCT UserID) FROM hits GROUP BY RegionID ORDER BY c DESC LIMIT 10",
    "SELECT MobilePhoneModel, count(DISTINCT UserID) AS u FROM hits WHERE MobilePhoneModel <> '' "
    "GROUP BY MobilePhoneModel ORDER BY u DESC LIMIT 10",
    "SELECT MobilePhone, MobilePhoneModel, count(DISTINCT UserID) AS u FROM hits "
    "WHERE MobilePhoneModel <> '' GROUP BY MobilePhone, MobilePhoneModel ORDER BY u DESC LIMIT 10",
    "SELECT SearchPhrase, count(*) AS c FROM hits WHERE SearchPhrase <> '' GROUP BY SearchPhrase "
    "ORDER BY c DESC LIMIT 10",
    "SELECT SearchPhrase, count(DISTINCT UserID) AS u FROM hits WHERE SearchPhrase <> '' "
    "GROUP BY SearchPhrase ORDER BY u DESC LIMIT 10",
    "SELECT SearchEngineID, SearchPhrase, count(*) AS c FROM hits WHERE SearchPhrase <> '' "
    "GROUP BY SearchEngineID, SearchPhrase ORDER BY c DESC LIMIT 10",
    "SELECT UserID, count(*) AS c FROM hits GROUP BY UserID ORDER BY c DESC LIMIT 10",
    "SELECT UserID, SearchPhrase, count(*) AS c FROM hits GROUP BY UserID, SearchPhrase "
    "ORDER BY c DESC LIMIT 10",
    "SELECT UserID, SearchPhrase, count(*) FROM hits GROUP BY UserID, SearchPhrase LIMIT 10",
    "SELECT UserID, extract(minute FROM EventTime) AS m, SearchPhrase, count(*) AS c FROM hits "
    "GROUP BY UserID, m, SearchPhrase ORDER BY c DESC LIMIT 10",
    f"SELECT UserID FROM hits WHERE UserID = {URL_HASH}",
    "SELECT count(*) FROM hits WHERE URL LIKE '%google%'",
    "SELECT SearchPhrase, min(URL), count(*) AS c FROM hits WHERE URL LIKE '%google%' "
    "AND SearchPhrase <> '' GROUP BY SearchPhrase ORDER BY c DESC LIMIT 10",
    "SELECT SearchPhrase, min(URL), min(Title), count(*) AS c, count(DISTINCT UserID) FROM hits "
    "WHERE Title LIKE '%Google%' AND URL NOT LIKE '%.google.%' AND SearchPhrase <> '' "
    "GROUP BY SearchPhrase ORDER BY c DESC LIMIT 10",
    "SELECT * FROM hits WHERE URL LIKE '%google%' ORDER BY EventTime LIMIT 10",
    "SELECT SearchPhrase FROM hits WHERE SearchPhrase <> '' ORDER BY EventTime LIMIT 10",
    "SELECT SearchPhrase FROM hits WHERE SearchPhrase <> '' ORDER BY SearchPhrase LIMIT 10",
    "SELECT SearchPhrase FROM hits WHERE SearchPhrase <> '' ORDER BY EventTime, SearchPhrase "
    "LIMIT 10",
    "SELECT CounterID, avg(length(URL)) AS l, count(*) AS c FROM hits WHERE URL <> '' "
    "GROUP BY CounterID HAVING count(*) > 1000 ORDER BY l DESC LIMIT 25",
    "SELECT regexp_replace(Referer, '^https?://(?:www\\.)?([^/]+)/.*$', '\\1') AS k, "
    "avg(length(Referer)) AS l, count(*) AS c, min(Referer) FROM hits WHERE Referer <> '' "
    "GROUP BY k HAVING count(*) > 1000 ORDER BY l DESC LIMIT 25",
    "SELECT " + ", ".join(f"sum(ResolutionWidth + {n})" for n in range(90)) + " FROM hits",
    "SELECT SearchEngineID, ClientIP, count(*) AS c, sum(IsRefresh), avg(ResolutionWidth) "
    "FROM hits WHERE SearchPhrase <> '' GROUP BY SearchEngineID, ClientIP "
    "ORDER BY c DESC LIMIT 10",
    "SELECT WatchID, ClientIP, count(*) AS c, sum(IsRefresh), avg(ResolutionWidth) FROM hits "
    "WHERE SearchPhrase <> '' GROUP BY WatchID, ClientIP ORDER BY c DESC LIMIT 10",
    "SELECT WatchID, ClientIP, count(*) AS c, sum(IsRefresh), avg(ResolutionWidth) FROM hits "
    "GROUP BY WatchID, ClientIP ORDER BY c DESC LIMIT 10",
    "SELECT URL, count(*) AS c FROM hits GROUP BY URL ORDER BY c DESC LIMIT 10",
    "SELECT 1, URL, count(*) AS c FROM hits GROUP BY 1, URL ORDER BY c DESC LIMIT 10",
    "SELECT ClientIP, ClientIP - 1, ClientIP - 2, ClientIP - 3, count(*) AS c FROM hits "
    "GROUP BY ClientIP, ClientIP - 1, ClientIP - 2, ClientIP - 3 ORDER BY c DESC LIMIT 10",
    f"SELECT URL, count(*) AS page_views FROM hits WHERE {SEEN} AND DontCountHits = 0 "
    "AND URL <> '' GROUP BY URL ORDER BY page_views DESC LIMIT 10",
    f"SELECT Title, count(*) AS page_views FROM hits WHERE {SEEN} AND DontCountHits = 0 "
    "AND Title <> '' GROUP BY Title ORDER BY page_views DESC LIMIT 10",
    f"SELECT URL, count(*) AS page_views FROM hits WHERE {SEEN} AND IsLink <> 0 "
    "AND IsDownload = 0 GROUP BY URL ORDER BY page_views DESC LIMIT 10 OFFSET 1000",
    "SELECT TraficSourceID, SearchEngineID, AdvEngineID, CASE WHEN (SearchEngineID = 0 "
    "AND AdvEngineID = 0) THEN Referer ELSE '' END AS src, URL AS dst, count(*) AS page_views "
    f"FROM hits WHERE {SEEN} GROUP BY TraficSourceID, SearchEngineID, AdvEngineID, src, dst "
    "ORDER BY page_views DESC LIMIT 10 OFFSET 1000",
    f"SELECT URLHash, EventDate, count(*) AS page_views FROM hits WHERE {SEEN} "
    f"AND TraficSourceID IN (-1, 6) AND RefererHash = {REFERER_HASH} "
    "GROUP BY URLHash, EventDate ORDER BY page_views DESC LIMIT 10 OFFSET 100",
    "SELECT WindowClientWidth, WindowClientHeight, count(*) AS page_views FROM hits "
    f"WHERE {SEEN} AND DontCountHits = 0 AND URLHash = {URL_HASH} GROUP BY WindowClientWidth, "
    "WindowClientHeight ORDER BY page_views DESC LIMIT 10 OFFSET 10000",
    "SELECT date_trunc('minute', EventTime) AS m, count(*) AS page_views FROM hits "
    f"WHERE CounterID = {hits.COUNTER} AND EventDate >= DATE '2013-07-14' "
    "AND EventDate <= DATE '2013-07-15' AND IsRefresh = 0 AND DontCountHits = 0 "
    "GROUP BY m ORDER BY m LIMIT 10 OFFSET 1000",
)

QUERIES = {f"c{number:02d}": sql for number, sql in enumerate(STATEMENTS)}


def agreed(side: str, query: str, wanted: pa.Table, actual: pa.Table) -> str | None:
    """The columns that are determined: all where there is no LIMIT."""
    only = None
    if " LIMIT " in QUERIES[query]:
        only = [n for n, name in enumerate(wanted.column_names) if name in DETERMINED]
    return agree.disagreement(wanted, actual, only)


def run(options: Options, into: Run) -> Iterator[Workload]:
    """All queries."""
    with ExitStack() as stack:
        sides: dict[str, Callable[[], Side]] = {
            EAU2: lambda: Eau2(options.threads, None, options.off),
            DUCKDB: lambda: DuckDb(options.threads),
        }
        sides |= {"Polars": Polars} if options.wants("Polars") else {}
        notes: list[str] = []
        ready = loaded(stack, sides, {"hits": hits.path(options.hits_rows)}, notes)
        name = f"clickbench-{options.hits_rows}"
        workload = Contest(name, ready, agreed, notes).run(QUERIES, options.rounds)
    into.add(workload, {name: workload.ratio(), f"{name}-mean": workload.mean()})
    yield workload
