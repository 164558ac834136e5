"""What Arrow's writers have written, to be handed on piece by piece.

Owns: joining small buffers. Comes in: buffers from a writer. Goes out: pieces. Does not know: which
format the writer writes.
"""

from __future__ import annotations

from typing import Final

from eau2.formats.parts import Piece
from eau2.sink import Sink

_LARGE_BYTES: Final = 4096
"""Smaller buffers of Arrow's are joined."""


class Collected(Sink):
    """What Arrow has written and nobody has taken."""

    def __init__(self) -> None:
        super().__init__()
        self._held: list[Piece] = []

    def take(self, view: memoryview) -> None:
        self._held.append(view if len(view) >= _LARGE_BYTES else bytes(view))

    def taken(self) -> list[Piece]:
        """All of it, small buffers joined."""
        held, self._held = self._held, []
        pieces: list[Piece] = []
        small = b""
        for piece in held:
            if len(piece) < _LARGE_BYTES:
                small += piece
                continue
            pieces += [small, piece] if small else [piece]
            small = b""
        return [*pieces, small] if small else pieces
