"""Listening: accepts connections, keeps them within bounds, stops in good order.

Owns: the listening socket, the open connections, the clock that ticks for them. Comes in: an
address and a handler; goes out: requests, to the handler. Does not know: what a request means.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from collections.abc import Callable

from eau2.config import WIRE, WireLimits
from eau2.errors import BusyError, Error, HandshakeError, OperationalError, PeerLostError
from eau2.net.address import Address, require_loopback
from eau2.net.channel import Channel
from eau2.net.connection import Connection, Handler
from eau2.net.header import VERSION
from eau2.net.message import Hello, Welcome
from eau2.records import replace

_log = logging.getLogger("eau2.net")

_BACKLOG = 1024
_ACCEPTS_PER_TURN = 64
_TICK_S = 0.5
_RETRY_ACCEPT_S = 0.1
_NODE = "node"
_HANDLERS_S = 3.0
"""How long cancelled handlers may take to end when the server stops."""
_REFUSED_AT_ONCE = 64
"""Connections beyond the limit that are told so; further ones are just closed."""


class Server:
    """Answers requests on one address. `start` it, and `stop` it."""

    def __init__(
        self,
        handler: Handler,
        *,
        store_id: str,
        name: str,
        software: str = "",
        admit: Callable[[Hello], None] | None = None,
        on_closed: Callable[[int], None] | None = None,
        limits: WireLimits = WIRE,
    ) -> None:
        """admit: may refuse a peer by what its hello says, by raising an Error.

        on_closed: is told the number of each connection that has ended (Stream.connection).
        """
        self._handler = handler
        self._welcome = Welcome(VERSION, store_id, name, software)
        self._admit = admit
        self._on_closed = on_closed
        self._limits = limits
        self._listening: socket.socket | None = None
        self._connections: set[Connection] = set()
        self._stopping = False
        self._ticking: asyncio.Task[None] | None = None
        self.address = Address("", 0)

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._connections)

    async def start(self, address: Address) -> Address:
        """Listen; the address with the port that was chosen.

        Raises UsageError unless the address is of this machine only, OperationalError when the
        port is taken.
        """
        require_loopback(address)
        self._listening = _listen(address)
        host, port = self._listening.getsockname()[:2]
        self.address = Address(host, port)
        self._accept_on()
        self._ticking = asyncio.create_task(self._tick())
        return self.address

    def known_as(self, store_id: str, name: str) -> None:
        """Say from here on that this is the node `name` of that store."""
        self._welcome = replace(self._welcome, store_id=store_id, name=name)

    async def stop(self, drain_s: float | None = None) -> None:
        """Take nothing new, let what runs end within `drain_s`, then close every connection.

        Nodes are answered until no client is: what still runs for a client, here or at another
        node, may need this one to the end.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + (self._limits.drain_s if drain_s is None else drain_s)
        self._stopping = True
        for nodes_too in (False, True):
            if nodes_too:
                self._close_listening()
            asked = [c for c in self._connections if nodes_too or c.role != _NODE]
            for connection in asked:
                connection.draining = True
            while not all(c.idle for c in asked) and loop.time() < until:
                await asyncio.sleep(0.02)
        handlers = [task for c in self._connections for task in c.answering]
        for connection in list(self._connections):
            connection.close(PeerLostError("the node has stopped", hint="Ask another node."))
        if handlers:
            await asyncio.wait(handlers, timeout=_HANDLERS_S)
        until = loop.time() + self._limits.linger_s
        while self._connections and loop.time() < until:
            await asyncio.sleep(0.02)
        for connection in list(self._connections):
            connection.close()
        if self._ticking is not None:
            self._ticking.cancel()

    def _close_listening(self) -> None:
        self._accept_off()
        if self._listening is not None:
            self._listening.close()
            self._listening = None

    def _accept_on(self) -> None:
        if self._listening is not None:
            loop = asyncio.get_running_loop()
            loop.add_reader(self._listening.fileno(), self._accept)

    def _accept_off(self) -> None:
        if self._listening is not None:
            asyncio.get_running_loop().remove_reader(self._listening.fileno())

    def _accept(self) -> None:
        for _ in range(_ACCEPTS_PER_TURN):
            if self._listening is None:
                return
            try:
                sock, peer = self._listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                # No descriptors or memory left: those who wait may be served a little later.
                _log.warning("cannot accept a connection: %s", error.strerror)
                self._accept_off()
                asyncio.get_running_loop().call_later(_RETRY_ACCEPT_S, self._accept_on)
                return
            self._accepted(sock, str(Address(peer[0], peer[1])))

    def _accepted(self, sock: socket.socket, peer: str) -> None:
        count, limit = len(self._connections), self._limits.connections
        if count >= limit + _REFUSED_AT_ONCE:
            sock.close()
            return
        sock.setblocking(False)
        connection = Connection(
            Channel(sock, peer, self._limits),
            self._handler,
            greet=self._greet,
            limits=self._limits,
            on_closed=self._closed,
        )
        self._connections.add(connection)
        if count >= limit:
            connection.close(BusyError(f"{count} connections are open; no more are taken"))

    def _greet(self, hello: Hello) -> Welcome:
        wanted, held = hello.store_id, self._welcome.store_id
        if wanted and wanted != held:
            raise HandshakeError(
                f"this node belongs to the store {held}, not to {wanted}",
                hint="Each store has nodes of its own: check the address.",
            )
        if self._stopping and hello.role != _NODE:
            raise BusyError("the node is stopping", hint="Ask another node.")
        if self._admit is not None:
            self._admit(hello)
        return self._welcome

    def _closed(self, connection: Connection, reason: Error | None) -> None:
        self._connections.discard(connection)
        if self._on_closed is not None:
            self._on_closed(connection.number)
        if reason is not None and connection.welcome is None:
            _log.info("connection of %s ended: %s", connection.peer, reason.message)

    async def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_TICK_S)
            now = loop.time()
            for connection in list(self._connections):
                connection.tick(now)


def _listen(address: Address) -> socket.socket:
    try:
        family, kind, protocol, _, target = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICSERV
        )[0]
    except socket.gaierror as error:
        raise OperationalError(f"{address.host} is no address here: {error.strerror}") from error
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setblocking(False)
        sock.bind(target)
        sock.listen(_BACKLOG)
    except OSError as error:
        sock.close()
        if error.errno == errno.EADDRINUSE:
            raise OperationalError(
                f"{address} is in use by another program",
                hint="Choose another port, or port 0 for any free one.",
            ) from error
        raise OperationalError(f"cannot listen on {address}: {error.strerror}") from error
    return sock
