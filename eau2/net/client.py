"""Connecting to a node.

Owns: finding the address, the connection and its hello, and saying plainly why there is none.
Comes in: an address; goes out: a `Connection` to ask on. Does not know: what is asked.
"""

from __future__ import annotations

import asyncio
import errno
import socket

from eau2.config import WIRE, WireLimits
from eau2.errors import Error, HandshakeError, UnreachableError
from eau2.net.address import SCHEME, Address
from eau2.net.channel import Channel
from eau2.net.connection import Connection, Handler, no_requests
from eau2.net.header import VERSION
from eau2.net.message import Hello

_TICK_S = 0.5


async def connect(
    address: Address,
    *,
    role: str = "client",
    name: str = "",
    store_id: str = "",
    token: str = "",
    handler: Handler = no_requests,
    limits: WireLimits = WIRE,
) -> Connection:
    """A connection that may be asked on, hello done, within WIRE.connect_s.

    store_id: the store it must lead to, if that matters. Raises UnreachableError when nobody
    listens or answers, HandshakeError when it is not an eau2 node, or not one of this version or
    store; BusyError when the node takes no more.
    """
    hello = Hello((VERSION, VERSION), role, store_id, name, token)
    try:
        async with asyncio.timeout(limits.connect_s):
            connection = await _connected(address, hello, handler, limits)
            try:
                await connection.ready()
            except BaseException:
                connection.close()
                raise
    except TimeoutError:
        raise UnreachableError(f"{address} did not answer within {limits.connect_s:g} s") from None
    welcome = connection.welcome
    assert welcome is not None
    if store_id and welcome.store_id != store_id:
        connection.close()
        raise HandshakeError(
            f"the node at {address} belongs to the store {welcome.store_id}, not to {store_id}"
        )
    _keep_ticking(connection)
    return connection


async def _connected(
    address: Address, hello: Hello, handler: Handler, limits: WireLimits
) -> Connection:
    loop = asyncio.get_running_loop()
    try:
        family, kind, protocol, _, target = (
            await loop.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
        )[0]
    except socket.gaierror as error:
        raise UnreachableError(f"there is no host called {address.host}") from error
    sock = socket.socket(family, kind, protocol)
    sock.setblocking(False)
    try:
        await loop.sock_connect(sock, target)
    except OSError as error:
        sock.close()
        raise unreachable(address, error) from error
    except BaseException:
        sock.close()
        raise
    return Connection(Channel(sock, str(address), limits), handler, hello=hello, limits=limits)


def unreachable(address: Address, error: OSError) -> Error:
    """Why a connection could not be made."""
    if error.errno == errno.ECONNREFUSED:
        return UnreachableError(
            f"nobody listens at {SCHEME}{address}",
            hint=f"Start a node with: eau2 node --listen {address}",
        )
    return UnreachableError(f"cannot connect to {SCHEME}{address}: {error.strerror or error}")


def _keep_ticking(connection: Connection) -> None:
    """Let the connection look after its peer until it ends."""
    if not connection.closed:
        loop = asyncio.get_running_loop()
        connection.tick(loop.time())
        loop.call_later(_TICK_S, _keep_ticking, connection)
