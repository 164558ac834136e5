"""What is said on the wire, as bytes: the only room that knows msgpack.

Owns: `encode` and `decode` of plain values with bounds on size, and fragments as bytes. Comes in:
operator trees, or nested lists of None, bool, int, float, str and bytes. Goes out: bytes, and the
reverse. Does not know: sockets, what an operator computes.
"""

from __future__ import annotations

from typing import Any

import msgpack

from eau2.config import LIMITS
from eau2.errors import InternalError
from eau2.operators.base import Operator
from eau2.operators.codec import from_plain, to_plain


class MessageError(InternalError):
    """Bytes that are no message, or a message that is too large."""


def encode(plain: Any) -> bytes:
    """The values as msgpack. Raises MessageError above LIMITS.fragment_bytes."""
    packed: bytes = msgpack.packb(plain, use_bin_type=True)
    _check_size(packed)
    return packed


def decode(packed: bytes) -> Any:
    """The values `encode` made into `packed`. Raises MessageError for any other bytes.

    The size is checked first, so no length inside can ask for more than was sent.
    """
    _check_size(packed)
    try:
        return msgpack.unpackb(packed, raw=False, strict_map_key=True)
    except (ValueError, TypeError, msgpack.UnpackException, RecursionError) as error:
        raise MessageError("bytes that are no message") from error


def encode_fragment(root: Operator) -> bytes:
    """A fragment as bytes. Raises FragmentError or MessageError when it exceeds the limits."""
    return encode(to_plain(root))


def decode_fragment(packed: bytes) -> Operator:
    """The fragment in `packed`. Raises FragmentError or MessageError for any other bytes."""
    return from_plain(decode(packed))


def _check_size(packed: bytes) -> None:
    if len(packed) > LIMITS.fragment_bytes:
        raise MessageError(f"a message of {len(packed)} bytes exceeds {LIMITS.fragment_bytes}")
