"""The front end gives a plan or an `eau2.Error`, whatever it is handed: the fuzzer's short form."""

from __future__ import annotations

import time
from collections import Counter

import pytest

from tests.limits import fuzz

SECONDS = 10.0
MOST = 3000


def test_random_statements_are_planned_or_refused() -> None:
    outcomes: Counter[str] = Counter()
    end = time.monotonic() + SECONDS
    for number in range(MOST):
        found = fuzz.fault(fuzz.statement("0", number), outcomes)
        assert found is None, found
        if time.monotonic() > end:
            break
    assert outcomes["planned"] > outcomes.total() // 50


def test_the_fuzzer_sees_what_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(node: object, env: object) -> None:
        raise KeyError("x")

    monkeypatch.setattr("eau2.sql.bind_expr._case", broken)
    faults = [fuzz.fault(f"SELECT CASE WHEN a = {n} THEN 1 END FROM t") for n in range(2)]
    assert all(found is not None and found.what.startswith("TypeError") for found in faults)


def test_a_statement_is_the_same_for_its_seed_and_number() -> None:
    assert fuzz.statement("7", 3) == fuzz.statement("7", 3)
    assert len({fuzz.statement("7", number) for number in range(50)}) > 45
