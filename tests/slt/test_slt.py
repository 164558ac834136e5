"""Every .slt file, on every kind of session."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.slt.check import failures
from tests.slt.records import expand
from tests.slt.sessions import SESSIONS

FILES = sorted(Path(__file__).parent.glob("*.slt"))


@pytest.mark.parametrize("kind", SESSIONS)
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_file(path: Path, kind: str) -> None:
    session = SESSIONS[kind]()
    try:
        found = failures(expand(path), session)
    finally:
        session.close()
    assert not found, "\n\n".join(found)


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
