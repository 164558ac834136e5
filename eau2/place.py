"""What a command line is about: the store in a folder, or the nodes of one.

Owns: --store, $EAU2_STORE, --connect and what does not go with it. Comes in: options; goes out: a
folder or addresses. Does not know: what is done there.
"""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

from eau2.errors import StoreError, UsageError

if TYPE_CHECKING:
    from eau2.net.address import Address

DEFAULT_STORE = ".eau2"


def addresses(options: argparse.Namespace) -> tuple[Address, ...] | None:
    """The nodes of this command line, of which any will do; None when it is about a store."""
    if options.connect is None:
        return None
    for name in ("store", "threads", "memory"):
        if vars(options).get(name) is not None:
            raise UsageError(
                f"--{name} does not go with --connect", hint="A node has its own, given to it."
            )
    from eau2.net.address import parse_addresses

    return parse_addresses(options.connect)


def folder(options: argparse.Namespace, *, make: bool) -> str | None:
    """The store's folder; None when none is named and there is none in the default place.

    make: it need not be there. Raises StoreError when a place that was named has no store.
    """
    named = options.store or os.environ.get("EAU2_STORE")
    path: str = named or DEFAULT_STORE
    if os.path.exists(path):
        if not os.path.isdir(path):
            raise StoreError(
                f"{path} is no folder, so it is no store", hint="A store is a folder of its own."
            )
        return path
    if not make and named:
        raise missing(path)
    return path if make else None


def missing(path: str = DEFAULT_STORE) -> StoreError:
    """The error for a store that is not there."""
    return StoreError(f"there is no store at {path}", hint="`eau2 load NAME FILE` makes a store.")


def told(options: argparse.Namespace) -> str:
    """What the shell's prompt says it is connected to."""
    if options.connect is not None:
        first, *others = str(options.connect).removeprefix("eau2://").split(",")
        return f"eau2://{first}" + (f" +{len(others)}" if others else "")
    path = options.store or os.environ.get("EAU2_STORE")
    if not path and not os.path.exists(DEFAULT_STORE):
        return "eau2:memory"
    return f"eau2:{path or DEFAULT_STORE}"
