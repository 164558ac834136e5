"""Addresses of nodes as people write them.

Owns: reading "eau2://127.0.0.1:7700" and "localhost:7700", several of them with commas between,
and what counts as this machine.
Comes in: text; goes out: host and port. Does not know: sockets. The thin client starts with it.
"""

from __future__ import annotations

from typing import NamedTuple

from eau2.errors import UsageError

SCHEME = "eau2://"
DEFAULT_PORT = 7700


class Address(NamedTuple):
    """Where a node listens. Port 0 lets the operating system choose."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def parse_address(text: str) -> Address:
    """The address in "HOST", "HOST:PORT" or "[IPV6]:PORT", with or without eau2:// before it.

    Raises UsageError.
    """
    rest = text.strip().removeprefix(SCHEME).rstrip("/")
    if rest.startswith("["):
        host, bracket, tail = rest[1:].partition("]")
        host = host if bracket else ""
    else:
        host, colon, digits = rest.partition(":")
        tail = colon + digits
    port = tail[1:] if tail.startswith(":") else ""
    if not host or "/" in host or (tail and not (port.isascii() and port.isdigit())):
        raise UsageError(
            f"'{text}' is not the address of a node",
            hint=f"Write it like {SCHEME}127.0.0.1:{DEFAULT_PORT}.",
        )
    number = int(port[:6]) if port else DEFAULT_PORT
    if number > 65535:
        raise UsageError(f"'{text}' has a port above 65535")
    return Address(host, number)


def parse_addresses(text: str) -> tuple[Address, ...]:
    """The addresses of several nodes of one store, with commas between them. Raises UsageError."""
    return tuple(parse_address(part) for part in text.split(","))


def require_loopback(address: Address) -> None:
    """Raise UsageError unless only this machine can reach what listens there."""
    host = address.host.lower()
    quads = host.split(".")
    local = len(quads) == 4 and quads[0] == "127" and all(q.isdecimal() for q in quads)
    if not local and host not in ("localhost", "::1"):
        raise UsageError(
            f"{address} can be reached from other machines, and connections are not encrypted yet",
            hint=f"Listen on 127.0.0.1, as in 127.0.0.1:{address.port}.",
        )
