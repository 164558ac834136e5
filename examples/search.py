"""Search in a set: which rows have a key that is in a set, small or large."""

from __future__ import annotations

import pyarrow as pa

import eau2

WANTED = (3, 77, 1024, 99_999, 500_000)

SQL = """
SELECT id, author
FROM commits
WHERE id IN (SELECT id FROM wanted)
ORDER BY id
"""


@eau2.function
def author(id: int) -> str:
    """Who made a commit."""
    return f"author-{id * 7919 % 1000:03d}"


@eau2.function
def is_wanted(id: int) -> bool:
    """A small set is part of the function: chunks that have none of it are skipped."""
    return id in WANTED


class Search(eau2.Application):
    """Stores commits, and under `found` those that are searched for."""

    def run(self, kv: eau2.KeyValueStore) -> None:
        """Find them by a function, and once more by a frame, as a large set would be."""
        ids = kv.query("SELECT range AS id FROM range(100000)")
        commits = kv.compute("commits", ids.with_columns(author), replace=True)
        wanted = kv.put("wanted", pa.table({"id": WANTED}), replace=True)
        found = kv.compute("found", commits.filter(is_wanted).sort("id"), replace=True)
        found.show()
        same = commits.join(wanted, on="id", how="semi").sort("id").rows()
        print("The same by a frame:", same == found.rows())
