"""What whoever runs a store on several nodes asks of it: how it is, and that a node leaves.

Owns: the steps of `eau2 cluster status` and `eau2 node drain`, `undrain` and `remove`. Comes in: a
connection to any node, names; goes out: lines on stdout, an exit code. Does not know: options, what
the sentences say (outlook.py), how a node hands over. It goes the thin way, which loads little.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Collection

from eau2.errors import Error, OperationalError, UnknownNameError, UsageError
from eau2.net.address import Address
from eau2.net.thin import ThinClient
from eau2.outlook import (
    LEAVING,
    LEFT,
    STAYS,
    Row,
    changes,
    held,
    named,
    promises,
    read,
    stopping,
    table,
    troubles,
)

_ASK_S = 30.0
"""For one answer: the ring may have to be asked of voters that are away."""
_LOOK_S = 1.0
"""How often a drain is looked at."""

IN_ORDER, WRONG = 0, 1


def status(client: ThinClient) -> int:
    """Print how the store is: WRONG when something is to be done about it, else IN_ORDER."""
    rows = _rows(client)
    wrong = troubles(rows)
    _say(*table(rows), "", *promises(rows), *changes(rows), *wrong)
    if not wrong:
        _say("All is in order.")
    return WRONG if wrong else IN_ORDER


def drain(client: ThinClient, name: str, timeout_s: float) -> int:
    """Have a node hand over what it holds, and wait until it has; WRONG when time is up before.

    Raises UnknownNameError, OperationalError for one that is down, UsageError for the last one.
    """
    row = _row(client, name)
    if row.health == "down":
        raise OperationalError(
            f"{name} is down: it cannot hand over what it holds",
            hint=f"Start it again. If it will not come back: eau2 node remove {name}",
        )
    if row.state != LEFT:
        client.leave_ring(name, LEAVING, deadline_s=_ASK_S)
    try:
        return _wait(client, name, timeout_s)
    except KeyboardInterrupt:
        _say(f"{name} goes on handing over. To take it back: eau2 node undrain {name}")
        raise


def undrain(client: ThinClient, name: str) -> int:
    """Take a node back that is leaving or has left."""
    row = _row(client, name)
    if row.state == STAYS:
        _say(f"{name} holds chunks: there is nothing to take back.")
        return IN_ORDER
    client.leave_ring(name, STAYS, deadline_s=_ASK_S)
    _say(f"{name} holds chunks again; it fetches those that it is to have.")
    if not row.is_up:
        _say(f"{name} is {row.health}: start it again with its directory.")
    return IN_ORDER


def remove(client: ThinClient, name: str, *, sure: bool) -> int:
    """Do without a node that will not come back. sure: also of one that is up."""
    row = _row(client, name)
    if row.health != "down" and not sure:
        raise UsageError(
            f"{name} is {row.health}, and what it holds would have to be fetched at once",
            hint=f"Have it hand over: eau2 node drain {name}. To remove it all the same: --yes.",
        )
    if row.state != LEFT:
        client.leave_ring(name, LEFT, deadline_s=_ASK_S)
    _say(f"{name} has left: the other nodes make copies of what it held.")
    if row.voter:
        _say(
            f"{name} is a voter. Its vote stays with its directory: start it again from there if"
            " you can; no other node can vote in its place."
        )
    _say("To see how far they are: eau2 cluster status")
    return IN_ORDER


def after_end(address: Address, gone: Collection[str]) -> str:
    """What the others still do when some nodes have ended just now; "" when nobody can be asked."""
    try:
        client = ThinClient(address)
        try:
            return " ".join(promises(_rows(client), gone))
        finally:
            client.close()
    except Error:
        return ""


def _wait(client: ThinClient, name: str, timeout_s: float) -> int:
    end = time.monotonic() + timeout_s
    said = ""
    while True:
        rows = _rows(client)
        row = named(rows, name)
        if row is None:
            raise OperationalError(f"{name} is not in the ring any more")
        if row.state == LEFT:
            _say(stopping(rows, row))
            return IN_ORDER
        if row.state == STAYS:
            raise OperationalError(f"{name} was taken back meanwhile")
        line = f"{name}: {held(row)}" if row.is_up else f"{name} is {row.health}"
        if line != said:
            _say(line)
            said = line
        left = end - time.monotonic()
        if left <= 0:
            _say(
                f"{name} has not handed over all within {timeout_s:g} s. It goes on; to take it"
                f" back: eau2 node undrain {name}",
                *troubles(rows),
            )
            return WRONG
        time.sleep(min(_LOOK_S, left))


def _rows(client: ThinClient) -> tuple[Row, ...]:
    parts: list[bytes] = []
    client.statement(
        "SHOW NODES",
        lambda part: parts.append(bytes(part)),
        format="json",
        deadline_s=_ASK_S,
    )
    return read(b"".join(parts))


def _row(client: ThinClient, name: str) -> Row:
    rows = _rows(client)
    row = named(rows, name)
    if row is None:
        known = ", ".join(row.name for row in rows)
        raise UnknownNameError(f'there is no node "{name}"', hint=f"The nodes are {known}.")
    return row


def _say(*lines: str) -> None:
    for line in lines:
        sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
