"""The nodes of a store in words: what may fail, what is wrong, what to do about it.

Owns: the table and the sentences. Comes in: rows of SHOW NODES as they come in JSON; goes out: text
for people. Does not know: how the rows came, when they are printed. It loads next to nothing.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from eau2.errors import ProtocolError
from eau2.kv.tolerance import Seen, may_fail, puts, reads, spare_voters, wanted_copies

STAYS, LEAVING, LEFT = "in", "leaving", "left"
"""The states of a node, as in kv/ringsteps.py."""

_UNITS = ("B", "kB", "MB", "GB", "TB")


class Row(NamedTuple):
    """A row of SHOW NODES; see kv.status.NodeStatus."""

    name: str
    address: str | None
    state: str
    health: str
    voter: bool
    may_fail: bool
    chunks: int | None
    bytes: int | None
    missing: int | None
    quarantined: int | None
    running: int | None
    uptime_s: float | None
    software: str | None

    @property
    def is_up(self) -> bool:
        """Whether it is heard."""
        return self.health == "up"


def read(answer: bytes) -> tuple[Row, ...]:
    """The rows of SHOW NODES. Raises ProtocolError for what is none."""
    try:
        plain: list[dict[str, Any]] = json.loads(answer)
        return tuple(Row(**row) for row in plain)
    except (ValueError, TypeError) as error:
        raise ProtocolError("the node answered SHOW NODES in a form that is not known here") from (
            error
        )


def named(rows: Sequence[Row], name: str) -> Row | None:
    """The row of a node."""
    return next((row for row in rows if row.name == name), None)


def table(rows: Sequence[Row]) -> list[str]:
    """The nodes as lines of columns."""
    head = ("name", "state", "health", "voter", "may fail", "chunks", "size", "missing", "up for")
    lines = [(*head, "address"), *map(_cells, rows)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(lines[0]))]
    numbers = range(head.index("chunks"), len(head))
    return [
        "  ".join(
            cell.rjust(width) if place in numbers else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]


def _cells(row: Row) -> tuple[str, ...]:
    return (
        *(row.name, row.state, row.health, _yes(row.voter), _yes(row.may_fail)),
        "?" if row.chunks is None else f"{row.chunks:,}",
        "?" if row.bytes is None else size(row.bytes),
        "?" if row.missing is None else f"{row.missing:,}",
        "?" if row.uptime_s is None else duration(row.uptime_s),
        row.address or "unknown",
    )


def promises(rows: Sequence[Row], gone: Collection[str] = ()) -> list[str]:
    """What the store does when nodes fail. gone: nodes that are known not to be there any more."""
    seen = _seen(rows, gone)
    if not any(node.voter for node in seen):
        return ["The store is being formed: it takes data when all its voters have joined."]
    copies = wanted_copies(seen)
    said = [f"Each chunk is on {_count(copies, 'node')}."]
    if spare_voters(seen) < 0:
        there = sum(node.voter and node.up for node in seen)
        every = sum(node.voter for node in seen)
        return [
            *said,
            f"{there} of {_count(every, 'voter')} {_is(there)} there: names can be neither read nor"
            " changed.",
        ]
    able, taking = reads(seen), puts(seen)
    if able < 0:
        said.append("Perhaps not all can be read now: too many copies are out of reach.")
    if taking < 0:
        said.append(f"Nothing can be put now: {_count(copies, 'node')} must be there for a chunk.")
    single = [node.name for node in seen if node.up and may_fail(seen, node.name)]
    others = [node.name for node in seen if node.up and node.name not in single]
    if min(able, taking) > 0:
        if able == taking:
            which = "one node" if able == 1 else f"{able} nodes"
            said.append(f"Any {which} may fail: all can be read, and puts go on.")
        else:
            said.append(f"Any {_count(able, 'node')} may fail for reads, {taking} for puts.")
    elif single:
        but = f", {_list(others, 'and')} must not" if others else ""
        said.append(f"{_list(single, 'or')} may fail{but}.")
    elif able > 0:
        said.append(
            f"For reads any {_count(able, 'node')} may fail; then nothing can be put until it is"
            " back."
        )
    elif able == 0:
        said.append("No node may fail now.")
    return said


def changes(rows: Sequence[Row]) -> list[str]:
    """What is on its way and is no reason to worry."""
    said = []
    for row in rows:
        if row.state == LEAVING and row.is_up:
            said.append(
                f"{row.name} is handing over: {held(row)}. `eau2 node undrain {row.name}` takes it"
                " back."
            )
        if row.state == LEFT and row.is_up and row.chunks is not None:
            said.append(stopping(rows, row))
        if row.quarantined:
            said.append(
                f"{_count(row.quarantined, 'damaged file')} {_is(row.quarantined)} kept on"
                f" {row.name} in the folder quarantine of its data, to be looked at."
            )
    return said


def troubles(rows: Sequence[Row]) -> list[str]:
    """What is wrong, and what to do about it."""
    said = []
    for row in rows:
        needed = row.state != LEFT or row.voter
        if needed and not row.is_up:
            said.append(_away(row))
        elif row.health == "up" and row.chunks is None:
            said.append(f"{row.name} does not answer. If it goes on so, look at its log.")
        elif row.missing:
            said.append(
                f"{row.name} is to hold {_count(row.missing, 'file')} that it has not: it fetches"
                " copies, as long as another node has one and there is room on its disk."
            )
        elif needed and row.missing is None:
            said.append(
                f"{row.name} has not looked yet whether it has what it is to hold: ask again in"
                " some seconds."
            )
    return said


def _away(row: Row) -> str:
    if row.health == "suspect":
        return f"{row.name} was not heard for some seconds: it may be busy or cut off."
    start = f"{row.name} is down: start it again with its directory (eau2 node --data DIR)."
    if row.state == LEFT:
        return f"{start} It holds nothing and is a voter, which is needed."
    handing = " It cannot hand over what it has." if row.state == LEAVING else ""
    removing = f" If it will not come back: eau2 node remove {row.name}."
    return f"{start}{handing}{removing}"


def stopping(rows: Sequence[Row], row: Row) -> str:
    """Whether the process of a node that has left can be stopped, and what follows."""
    if row.chunks:
        return f"{row.name} has left, and the others get copies of what it has: {held(row)}."
    done = f"{row.name} has handed over all it had"
    if not row.voter:
        return f"{done}: its process can be stopped."
    seen = _seen(rows, ())
    voters = [node for node in seen if node.voter]
    there = sum(node.up and node.name != row.name for node in voters)
    left = f"stopping it leaves {there} of {len(voters)}"
    spare = spare_voters(seen, (row.name,))
    if spare < 0:
        return (
            f"{done}, but it is a voter and goes on voting: {left}, which is too few to read or"
            " change a name. Keep its process running."
        )
    more = "no other may fail then" if spare == 0 else f"{spare} more may fail then"
    return (
        f"{done}. It is a voter and goes on voting: {left}, and {more}. Keep its process running"
        " if you can."
    )


def held(row: Row) -> str:
    """What a node has on its disk."""
    if row.chunks is None or row.bytes is None:
        return "what it still has is not known"
    return f"{_count(row.chunks, 'chunk')}, {size(row.bytes)}, left there"


def size(count: int) -> str:
    """Bytes for people."""
    power = max(0, min(4, (len(str(count)) - 1) // 3))
    return f"{count / 1000**power:.1f} {_UNITS[power]}" if power else f"{count} B"


def duration(seconds: float) -> str:
    """A time for people, by its two largest units."""
    whole = int(seconds)
    days, hours, minutes = whole // 86_400, whole // 3600 % 24, whole // 60 % 60
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {whole % 60} s" if minutes else f"{whole} s"


def _seen(rows: Sequence[Row], gone: Collection[str]) -> list[Seen]:
    return [
        Seen(
            row.name,
            row.state,
            row.is_up and row.chunks is not None and row.name not in gone,
            row.voter,
            row.missing == 0,
        )
        for row in rows
    ]


def _count(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def _is(count: int) -> str:
    return "is" if count == 1 else "are"


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _list(names: Sequence[str], word: str) -> str:
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} {word} {names[-1]}"
