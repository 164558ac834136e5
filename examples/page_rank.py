"""PageRank: how important pages are, by the pages that link to them and how important these are.

Page, Brin, Motwani, Winograd: The PageRank Citation Ranking, 1999.
"""

from __future__ import annotations

import eau2

PAGES, ROUNDS, DAMPING = 200, 20, 0.85

SQL = f"""
WITH RECURSIVE
    degrees AS (SELECT page, count(*) AS links FROM links GROUP BY page),
    ranked(round, page, rank) AS (
        SELECT 0, page, 1.0::DOUBLE / {PAGES} FROM degrees
        UNION ALL
        SELECT round + 1, degrees.page,
               {1 - DAMPING}::DOUBLE / {PAGES} + {DAMPING}::DOUBLE * coalesce(sum(share), 0)
        FROM degrees LEFT JOIN (
            SELECT round, links.target, ranked.rank / degrees.links AS share
            FROM ranked JOIN links ON links.page = ranked.page
            JOIN degrees ON degrees.page = ranked.page) AS given
        ON given.target = degrees.page
        WHERE round < {ROUNDS}
        GROUP BY round, degrees.page)
SELECT page, rank FROM ranked WHERE round = {ROUNDS}
"""


@eau2.table_function
def links_of(page: int) -> list[int]:
    """A made-up web: a page links to the front page, to the next page, and to one at its half."""
    return [target for target in [0, (page + 1) % PAGES, page // 2] if target != page]


@eau2.function
def share(rank: float, links: int) -> float:
    """What a page gives to each page that it links to."""
    return rank / links


@eau2.function
def damped(given: float) -> float:
    """The rank of a page that was given so much; None where no page links to it."""
    return (1 - DAMPING) / PAGES + DAMPING * (given or 0.0)


class PageRank(eau2.Application):
    """Stores links, and under `ranks` the rank of each page."""

    def run(self, kv: eau2.KeyValueStore) -> None:
        """Show the first pages."""
        pages = kv.query(f"SELECT range AS page FROM range({PAGES})")
        links = kv.compute("links", pages.flat_map(target=links_of, keep=True), replace=True)
        degrees = links.group_by("page").reduce(links="count(*)").cached()

        def vote(ranks: eau2.Pipeline) -> eau2.Pipeline:
            shares = ranks.join(degrees, on="page").with_columns(share).join(links, on="page")
            given = shares.group_by("target").reduce(given="sum(share)").rename(page="target")
            return degrees.join(given, on="page", how="left").map(rank=damped, keep=["page"])

        start = degrees.map(rank=f"1.0::DOUBLE / {PAGES}", keep=["page"])
        ranks = kv.compute("ranks", start.iterate(vote, rounds_max=ROUNDS), replace=True)
        ranks.sort("rank", "page", descending=["rank"]).limit(5).show()
