"""What reaches a terminal cannot steer it, whatever the data hold; pipes get data as they are."""

from __future__ import annotations

import io
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eau2.formats.objects import json as as_json
from eau2.formats.objects import ndjson
from eau2.sink import Screen, harmless
from eau2.terminal_text import ESCAPES
from tests.processes import environment
from tests.unit.front_door import NUMBERS, door, fill

EVIL = "chr(27) || ']0;t' || chr(7) || chr(155) || '2J' || chr(8238) || chr(127) || 'ä…'"
TEXT = "\x1b]0;t\x07\x9b2J\u202e\x7fä…"


def shown(folder: Path, *arguments: str) -> str:
    """What `eau2 query` with these arguments writes to a terminal."""
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "eau2", "query", *arguments]
    with subprocess.Popen(command, cwd=folder, env=environment(), stdout=follower) as process:
        os.close(follower)
        text = b""
        try:
            while piece := os.read(leader, 65536):
                text += piece
        except OSError:
            pass  # Linux says so when the other end is closed
        os.close(leader)
        assert process.wait(60) == 0
    return text.decode().replace("\r\n", "\n")


@pytest.mark.timeout(120)
@pytest.mark.parametrize("form", ["csv", "tsv", "markdown", "json"])
def test_no_result_steers_the_terminal(tmp_path: Path, form: str) -> None:
    statement = f"SELECT {EVIL} AS a"
    with door() as opened:
        fill(opened.store, "t", NUMBERS)
        for at in ((), ("--connect", f"eau2://{opened.address}")):
            text = shown(tmp_path, *at, "--format", form, statement)
            assert text.replace("\n", "").isprintable()
            assert "2J" in text
            assert "ä…" in text
            command = [sys.executable, "-m", "eau2", "query", *at, "--format", form, statement]
            done = subprocess.run(
                command, cwd=tmp_path, env=environment(), capture_output=True, timeout=60
            )
            if form == "json":
                assert text.encode() == done.stdout
                assert json.loads(done.stdout) == [{"a": TEXT}]
            else:
                assert TEXT in done.stdout.decode()


def test_json_holds_no_control_character() -> None:
    names = "".join(map(chr, ESCAPES)) + "é°–…"
    table = pa.table({names: [names, "plain", None]})
    for writer in (as_json, ndjson):
        text = b"".join(bytes(piece) for piece in writer([table], ())).decode()
        assert text.replace("\n", "").isprintable()
        rows = json.loads(text) if writer is as_json else list(map(json.loads, text.splitlines()))
        assert rows == [{names: value} for value in (names, "plain", None)]


CHARACTERS = st.one_of(st.sampled_from([*map(chr, ESCAPES), *"\n\t°–…⁠‐漢"]), st.characters())


@settings(max_examples=200, deadline=None)
@given(text=st.text(CHARACTERS.filter(lambda c: not 0xD800 <= ord(c) < 0xE000)), data=st.data())
def test_pieces_may_cut_a_character(text: str, data: st.DataObject) -> None:
    encoded = text.encode()
    expected = text.translate({**ESCAPES, 9: "\t"}).encode()
    assert harmless(encoded) == expected
    sink = io.BytesIO()
    screen = Screen(sink)
    places = data.draw(st.lists(st.integers(0, len(encoded))).map(sorted))
    for start, end in zip([0, *places], [*places, len(encoded)], strict=True):
        screen.write(memoryview(encoded)[start:end])
    assert sink.getvalue() == expected
