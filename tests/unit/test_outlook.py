"""What people are told of a store's nodes."""

from __future__ import annotations

import json

import pytest

from eau2.errors import ProtocolError
from eau2.outlook import (
    Row,
    changes,
    duration,
    promises,
    read,
    size,
    stopping,
    table,
    troubles,
)

GOOD = Row("n1", "eau2://127.0.0.1:1", "in", "up", True, True, 2, 2_500_000, 0, 0, 0, 65.0, "eau2")


def rows(**changed: Row) -> list[Row]:
    """Three nodes, all of them voters and in order, but for those that are given."""
    return [changed.get(name, GOOD._replace(name=name)) for name in ("n1", "n2", "n3")]


def node(name: str, **fields: object) -> Row:
    return GOOD._replace(name=name, **fields)  # type: ignore[arg-type]


def away(name: str, **fields: object) -> Row:
    """A node that cannot be asked."""
    unknown = dict.fromkeys(
        ("chunks", "bytes", "missing", "quarantined", "running", "uptime_s", "software")
    )
    return node(name, **{"health": "down", **unknown, **fields})


ALL_WELL = "Any one node may fail: all can be read, and puts go on."


@pytest.mark.parametrize(
    ("seen", "last"),
    [
        (rows(), ALL_WELL),
        (rows(n3=away("n3")), "No node may fail now."),
        (rows(n3=node("n3", missing=2)), "n3 may fail, n1 and n2 must not."),
        (rows(n3=node("n3", missing=None)), "n3 may fail, n1 and n2 must not."),
        (rows(n3=node("n3", state="left")), "n3 may fail, n1 and n2 must not."),
        (
            rows(n2=node("n2", voter=False), n3=node("n3", voter=False)),
            "n2 or n3 may fail, n1 must not.",
        ),
        (rows()[:1], "No node may fail now."),
        (
            rows(n2=away("n2"), n3=away("n3")),
            "1 of 3 voters is there: names can be neither read nor changed.",
        ),
        (
            [node(f"n{i}", voter=i < 4) for i in range(1, 6)],
            ALL_WELL,
        ),
        (
            [node(f"n{i}") for i in range(1, 6)],
            "Any 2 nodes may fail: all can be read, and puts go on.",
        ),
        (
            rows(n2=away("n2", voter=False), n3=away("n3", voter=False), n1=node("n1")),
            "Nothing can be put now: 2 nodes must be there for a chunk.",
        ),
        (
            [node(f"n{i}", voter=False) for i in range(1, 3)],
            "The store is being formed: it takes data when all its voters have joined.",
        ),
    ],
)
def test_what_is_promised(seen: list[Row], last: str) -> None:
    assert promises(seen)[-1] == last


def test_nodes_that_have_just_ended_are_not_counted_on() -> None:
    assert promises(rows(), ["n2"]) == ["Each chunk is on 2 nodes.", "No node may fail now."]


def test_nothing_is_wrong() -> None:
    assert troubles(rows()) == []
    assert troubles(rows(n3=away("n3", state="left", voter=False))) == []
    assert changes(rows()) == []


@pytest.mark.parametrize(
    ("row", "part"),
    [
        (away("n3"), "n3 is down: start it again with its directory"),
        (away("n3"), "eau2 node remove n3"),
        (away("n3", state="leaving"), "cannot hand over"),
        (away("n3", state="left"), "is a voter, which is needed"),
        (away("n3", health="suspect"), "was not heard for some seconds"),
        (away("n3", health="up"), "does not answer"),
        (node("n3", missing=1), "1 file that it has not"),
        (node("n3", missing=None), "ask again in some seconds"),
    ],
)
def test_what_is_wrong_is_said(row: Row, part: str) -> None:
    (said,) = troubles(rows(n3=row))
    assert part in said


def test_what_is_on_its_way() -> None:
    leaving = node("n3", state="leaving")
    (said,) = changes(rows(n3=leaving))
    assert "n3 is handing over: 2 chunks, 2.5 MB, left there." in said
    (said,) = changes(rows(n3=node("n3", quarantined=1)))
    assert said.startswith("1 damaged file is kept on n3")


def test_whether_a_process_can_be_stopped() -> None:
    gone = {"state": "left", "chunks": 0, "bytes": 0}
    plain = node("n3", voter=False, **gone)
    assert stopping(rows(n3=plain), plain).endswith("its process can be stopped.")
    voter = node("n3", **gone)
    said = stopping(rows(n3=voter), voter)
    assert "stopping it leaves 2 of 3, and no other may fail then" in said
    assert "too few" in stopping(rows(n3=voter, n2=away("n2")), voter)
    five = [node(f"n{i}") for i in range(1, 5)]
    said = stopping([*five, node("n5", **gone)], node("n5", **gone))
    assert "leaves 4 of 5, and 1 more may fail then" in said
    early = node("n3", state="left")
    assert "2 chunks, 2.5 MB, left there" in stopping(rows(n3=early), early)


def test_the_table() -> None:
    lines = table(rows(n3=away("n3", address=None)))
    assert lines == [
        "name  state  health  voter  may fail  chunks    size  missing     up for  address",
        "n1    in     up      yes    yes            2  2.5 MB        0  1 min 5 s  eau2://127.0.0.1:1",
        "n2    in     up      yes    yes            2  2.5 MB        0  1 min 5 s  eau2://127.0.0.1:1",
        "n3    in     down    yes    yes            ?       ?        ?          ?  unknown",
    ]


def test_rows_come_as_json() -> None:
    assert read(json.dumps([GOOD._asdict()]).encode()) == (GOOD,)
    for wrong in (b"", b"[1]", b'[{"name": "n1"}]', b'[{"nmae": 1}]', b"\xff"):
        with pytest.raises(ProtocolError, match="SHOW NODES"):
            read(wrong)


def test_sizes_and_times() -> None:
    sizes = [0, 999, 1000, 2_550_000, 10**9, 10**12, 10**16]
    assert [size(count) for count in sizes] == [
        *("0 B", "999 B", "1.0 kB", "2.5 MB", "1.0 GB", "1.0 TB", "10000.0 TB")
    ]
    times = [0.5, 61, 3600, 90_000]
    assert [duration(s) for s in times] == ["0 s", "1 min 1 s", "1 h 0 min", "1 d 1 h"]
