"""No byte that came from a wire is unpickled, whatever a conversation is about."""

from __future__ import annotations

import asyncio
import pickle

import polars as pl
import pytest

from eau2.net.arrow import decode_frame, encode_frame
from eau2.net.client import connect
from eau2.net.codec import decode_fragment, encode_fragment
from eau2.net.message import RunTask
from eau2.operators.values import OneRow
from tests.wire.echo import serving


def test_a_conversation_unpickles_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    def forbidden(*arguments: object, **named: object) -> object:
        calls.append("load")
        raise AssertionError("something was unpickled")

    for name in ("load", "loads", "Unpickler", "_load", "_loads", "_Unpickler"):
        monkeypatch.setattr(pickle, name, forbidden)
    with pytest.raises(AssertionError):
        pickle.loads(b"")
    calls.clear()

    async def main() -> None:
        frame = pl.DataFrame({"c1": [1, None], "c2": ["a", "b"]}).with_columns(
            pl.col("c1").cast(pl.Int128).alias("c3")
        )
        async with serving() as (server, _):
            connection = await connect(server.address)
            answer = await connection.call(RunTask(1, 1, 0, (), ()), encode_frame(frame))
            assert decode_frame(answer.payload, trusted=False).equals(frame)
            fragment = encode_fragment(OneRow())
            answer = await connection.call(RunTask(1, 1, 0, (), ()), [fragment])
            assert decode_fragment(bytes(answer.payload)) == OneRow()
            connection.close()

    asyncio.run(main())
    assert calls == []
