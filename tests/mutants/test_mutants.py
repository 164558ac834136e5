"""Each planted bug is found by the query on record, and without the bug that query agrees.

`python -m tests.mutants.search` searches anew and rewrites the record: after a change of the
generator that is how to see that it still finds them all.
"""

from __future__ import annotations

import pytest

from tests.mutants.bugs import MUTANTS
from tests.mutants.search import differs, read

WITHIN_QUERIES = 2000
"""A bug must show in the test run's own number of random queries."""


def test_all_are_on_record() -> None:
    assert set(read()) == set(MUTANTS)
    assert len(MUTANTS) >= 30


@pytest.mark.parametrize("name", MUTANTS)
def test_found(name: str) -> None:
    finding = read()[name]
    assert finding.queries <= WITHIN_QUERIES
    assert not differs(finding), finding.sql
    with MUTANTS[name]():
        assert differs(finding), finding.sql
