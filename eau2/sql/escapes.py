"""E'...': a string in which a backslash and what follows stand for a character.

Owns: the escapes, which are DuckDB's: b f n r t, a byte in octal or as x with two hexadecimal
digits; any other character stands for itself. Comes in: the text of a token. Goes out: the string.
Does not know: other strings.
"""

from __future__ import annotations

import re

from eau2.errors import Span, SqlSyntaxError

_ESCAPE = re.compile(
    rb"''|\\(?:(?P<octal>[0-7]{1,3})|x(?P<hex>[0-9a-fA-F]{1,2})|(?P<other>.))", re.DOTALL
)
_CONTROLS = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t"}


def unescaped(text: str, span: Span) -> str:
    """What E'...' says. Raises SqlSyntaxError when its bytes are no text."""
    said = _ESCAPE.sub(_byte, text[2:-1].encode())
    if b"\0" in said:
        raise SqlSyntaxError("A string cannot hold a zero byte", span=span)
    try:
        return said.decode()
    except UnicodeDecodeError:
        raise SqlSyntaxError("The bytes of this string are no UTF-8", span=span) from None


def _byte(found: re.Match[bytes]) -> bytes:
    if found["octal"] is not None:
        return bytes((int(found["octal"], 8) & 0xFF,))
    if found["hex"] is not None:
        return bytes((int(found["hex"], 16),))
    other = found["other"]
    return b"'" if other is None else _CONTROLS.get(other, other)
