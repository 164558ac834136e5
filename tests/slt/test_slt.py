"""Every .slt file: embedded, in chunks of 2 rows, and on one kind of nodes.

    EAU2_TEST_ALL=1 python -m tests.check tests/slt

runs all of them on both kinds of nodes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.nodes import Nodes
from tests.slt.check import failures
from tests.slt.records import expand
from tests.slt.sessions import ON_NODES, SESSIONS, Session, Spread

FILES = sorted(Path(__file__).parent.glob("*.slt"))


def kinds(place: int) -> list[str]:
    """What the file at a place of FILES runs on: one kind of nodes, or all with EAU2_TEST_ALL=1."""
    nodes = list(ON_NODES)
    everywhere = os.environ.get("EAU2_TEST_ALL") == "1"
    return [*SESSIONS, *(nodes if everywhere else [nodes[place % len(nodes)]])]


CASES = [(path, kind) for place, path in enumerate(FILES) for kind in kinds(place)]


@pytest.fixture
def session(request: pytest.FixtureRequest, kind: str) -> Iterator[Session]:
    """A session of that kind."""
    if kind in SESSIONS:
        made = SESSIONS[kind]()
    else:
        nodes: Nodes = request.getfixturevalue(ON_NODES[kind])
        made = Spread(nodes.urls, 2)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("path", "kind"), CASES, ids=[f"{path.stem}-{kind}" for path, kind in CASES]
)
def test_file(path: Path, kind: str, session: Session) -> None:
    found = failures(expand(path), session)
    assert not found, "\n\n".join(found)


def test_tables_are_spread_over_nodes(three_in_process: Nodes) -> None:
    records = [record for record in expand(FILES[0]) if record.head[0] == "table"]
    session = Spread(three_in_process.urls, 2)
    assert not failures(records, session)
    chunks = session.connection.describe("emp").chunks
    assert [chunk.rows for chunk in chunks] == [2, 2, 2, 1]
    assert {node for chunk in chunks for node in chunk.locations} == {"n1", "n2", "n3"}
    session.close()


def test_a_wrong_answer_fails(tmp_path: Path) -> None:
    path = tmp_path / "wrong.slt"
    path.write_text(
        "query INTEGER\nSELECT 1\n----\n2\n\nstatement error nonsense\nSELECT nope\n\n"
        "query BIGINT\nSELECT 1\n----\n1\n"
    )
    session = SESSIONS["embedded"]()
    try:
        found = failures(expand(path), session)
    finally:
        session.close()
    assert [message.split(":")[1] for message in found] == ["1", "6", "9"]
