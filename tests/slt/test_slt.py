"""Every .slt file, on every kind of session."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.nodes import Nodes
from tests.slt.check import failures
from tests.slt.records import expand
from tests.slt.sessions import ON_NODES, SESSIONS, Session, Spread

FILES = sorted(Path(__file__).parent.glob("*.slt"))


@pytest.fixture(params=[*SESSIONS, *ON_NODES])
def session(request: pytest.FixtureRequest) -> Iterator[Session]:
    """A session of each kind."""
    if request.param in SESSIONS:
        made = SESSIONS[request.param]()
    else:
        nodes: Nodes = request.getfixturevalue(ON_NODES[request.param])
        made = Spread(nodes.urls, 2)
    yield made
    made.close()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_file(path: Path, session: Session) -> None:
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
