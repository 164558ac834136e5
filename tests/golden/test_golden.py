"""Every golden script prints what it printed before; `python -m tests.golden.rewrite` rewrites."""

from __future__ import annotations

import difflib
from pathlib import Path

import pytest

from tests.cluster.nodes import Nodes
from tests.golden.script import read, run, spread
from tests.slt.sessions import Spread

SCRIPTS = sorted(Path(__file__).parent.glob("*.golden"))
WHERE = ("here", "three_in_process", "three_processes")
"""In this process, or the fixture that starts nodes."""


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_script(path: Path, where: str, request: pytest.FixtureRequest) -> None:
    wanted = path.read_text(encoding="utf-8")
    if where == "here":
        actual = run(path)
    else:
        nodes: Nodes = request.getfixturevalue(where)
        # Messages list the tables; a file of tests that ran before may have left some of its own.
        Spread(nodes.urls).close()
        actual = run(path, spread(nodes.urls))
    changes = difflib.unified_diff(wanted.splitlines(), actual.splitlines(), "file", "now", n=3)
    assert actual == wanted, "\n".join(changes)


def test_a_change_shows(tmp_path: Path) -> None:
    path = tmp_path / "one.golden"
    path.write_text("# A comment.\n[result]\nSELECT 1 AS a\n---\nresult:\n  old\n")
    assert [block.sql for block in read(path)] == ["SELECT 1 AS a"]
    assert run(path) == "# A comment.\n[result]\nSELECT 1 AS a\n---\nresult:\n  a\n  INTEGER\n  1\n"
