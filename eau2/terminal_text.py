"""Text as a terminal may see it: without what steers it, and with carets under a place in a line.

Owns: which characters steer a terminal, what is written instead, and `caret`. Comes in: any text.
Goes out: text. Does not know: errors, colours, how wide the terminal is.
"""

from __future__ import annotations

from typing import Final

STEERING: Final = (
    *(code for code in range(0x20) if code != 0x0A),
    *range(0x7F, 0xA0),
    *range(0x2028, 0x202F),
    *range(0x2066, 0x206A),
)
"""Characters but the line feed that steer a terminal: C0, DEL, C1, line breaks, bidi controls."""

ESCAPES: Final = {
    **{code: f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" for code in STEERING},
    0x09: "\\t",
    0x0D: "\\r",
}
"""For `str.translate`: what is written in their place."""


def caret(text: str, start: int, end: int) -> str:
    """The line of `text` at offset `start`, and below it carets under what lies before `end`.

    A long line is cut around them, so that what is printed fits 100 columns. What would steer
    the terminal is written as escapes here already, which the caret has to know.
    """
    start = min(start, len(text))
    line_start = text.rfind("\n", 0, start) + 1
    line_end = text.find("\n", start)
    line_end = len(text) if line_end < 0 else line_end
    line_number = text.count("\n", 0, start) + 1
    width = max(1, min(end, line_end) - start)
    shift = max(0, start - line_start - 60)
    shown = text[line_start + shift : line_end][:100].replace("\t", " ")
    before = start - line_start - shift
    lead = "..." if shift else ""
    prefix = f"line {line_number}: {lead}"
    column = len(prefix) + len(shown[:before].translate(ESCAPES))
    carets = min(width, max(1, 100 - before))
    carets += sum(len(ESCAPES[ord(c)]) - 1 for c in shown[before:][:width] if ord(c) in ESCAPES)
    return f"{prefix}{shown.translate(ESCAPES)}\n{' ' * column}{'^' * carets}"
