"""The entry of a register as bytes, and back."""

from __future__ import annotations

import pytest

from eau2.errors import (
    ProtocolError,
)
from eau2.kv.registers import _decoded, _encoded
from eau2.kv.registry import Entry, State

ENTRY = Entry("T", State.LIVE, "d" * 32, 3, "m", "p", 7, "op", "pop")


def test_entries_are_bytes_and_back() -> None:
    for entry in (None, ENTRY, Entry("t", State.PENDING, "d", 1)):
        assert _decoded(_encoded(entry)) == entry
    assert _encoded(None) == b""
    with pytest.raises(ProtocolError, match="in the format 2"):
        _decoded(b"\x02" + _encoded(ENTRY)[1:])
    for wrong in (b"\x01", b"\x01\x00", b"\x01\xc1", _encoded(ENTRY)[:-1]):
        with pytest.raises(ProtocolError):
            _decoded(wrong)
    with pytest.raises(ProtocolError, match="SLEEPING"):
        _decoded(_encoded(ENTRY).replace(b"\xa4LIVE", b"\xa8SLEEPING"))
