"""The switches of ways to compute: SET optimizer.<name> = off reaches the operators."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import eau2
from eau2.operators.base import Operator
from eau2.operators.group import PartialAggregate
from eau2.operators.join import Join
from eau2.operators.scan import ScanChunks
from eau2.planner.optimizer import PHYSICAL
from eau2.sql.parser import parse

TEXT = "SELECT t.a, sum(u.b) FROM t JOIN u ON t.a = u.a GROUP BY t.a"


def flags(connection: eau2.Connection) -> dict[str, set[bool]]:
    """What the operators of a plan say about each way to compute."""
    backend: Any = connection._backend
    (query,) = parse(TEXT)
    found: dict[str, set[bool]] = {name: set() for name in (*PHYSICAL, "auto_index")}
    for stage in backend.engine.plan(query).stages:
        for operator in below(stage.root):
            match operator:
                case Join(lookups=on):
                    found["direct_joins"].add(on)
                case PartialAggregate(runs=on):
                    found["runs"].add(on)
                case ScanChunks(indexes=on, automatic=automatic, zones=zones):
                    found["zones"].add(zones)
                    found["indexes"].add(on)
                    found["auto_index"].add(automatic)
    return found


def below(root: Operator) -> Iterator[Operator]:
    yield root
    for node in root.inputs:
        yield from below(node)


@pytest.mark.parametrize("name", [None, *PHYSICAL, "auto_index"])
def test_a_switch_reaches_the_operators(name: str | None) -> None:
    with eau2.connect() as connection:
        connection.execute("CREATE TABLE t AS SELECT range AS a FROM range(9)")
        connection.execute("CREATE TABLE u AS SELECT range AS a, range AS b FROM range(9)")
        if name is not None:
            setting = name if name == "auto_index" else f"optimizer.{name}"
            before = connection.sql(TEXT).to_arrow()
            connection.execute(f"SET {setting} = off")
            assert connection.sql(TEXT).to_arrow() == before
        expected = {each: {each != name} for each in (*PHYSICAL, "auto_index")}
        assert flags(connection) == expected
        connection.execute("RESET auto_index")
        for each in PHYSICAL:
            connection.execute(f"RESET optimizer.{each}")
        assert all(found == {True} for found in flags(connection).values())
