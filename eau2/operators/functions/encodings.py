"""Texts in other writings: digests, digits in other bases, URL encoding, normal forms of Unicode.

Owns: md5, sha1, sha256, hex, bin, to_base, url_encode, url_decode, strip_accents, nfc_normalize,
regexp_escape. Comes in: texts and integers. Goes out: texts.
Does not know: BLOBs, which eau2 has not; what would give one is refused by its name (refused.py).
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import polars as pl

from eau2.operators.expr import Call, Expr
from eau2.operators.functions.checks import Scope
from eau2.operators.functions.distinct import Refusal, for_distinct, for_distinct_checked
from eau2.operators.functions.function import Function, Signature, overloads, text_function
from eau2.types import (
    BIGINT,
    HUGEINT,
    INTEGER,
    INTEGER_RANGES,
    UBIGINT,
    VARCHAR,
    SqlType,
)

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_LONGEST = 64
_MARKS = frozenset({"Mn", "Mc", "Me"})
_ESCAPED = re.compile("%[0-9A-Fa-f]{2}")
_PLAIN = re.compile("[A-Za-z0-9_\\x80-\U0010ffff]")


def _digest(name: str) -> Callable[[str], str]:
    make = getattr(hashlib, name)
    return lambda text: str(make(text.encode(), usedforsecurity=False).hexdigest())


def _unsigned(value: int, type_: SqlType) -> int:
    """A negative number as the bits that it has in its type."""
    low, high = INTEGER_RANGES[type_.kind]
    return value if value >= 0 else value + high - low + 1


def _lower_digits(base: int) -> Callable[[Call, Scope], pl.Expr]:
    """Digits of a number (hex, bin), or of the bytes of a text."""
    letter, each = ("X", 2) if base == 16 else ("b", 8)

    def lower(call: Call, scope: Scope) -> pl.Expr:
        type_ = call.args[0].type

        def of_text(text: str) -> str:
            return "".join(format(byte, f"0{each}{letter}") for byte in text.encode())

        def of_number(value: int) -> str:
            return format(_unsigned(value, type_), letter)

        compute = of_text if type_ == VARCHAR else of_number
        return for_distinct(pl.String(), compute)(call, scope)

    return lower


_DIGIT_SIGNATURES = tuple(
    Signature((type_,), VARCHAR) for type_ in (VARCHAR, BIGINT, UBIGINT, HUGEINT)
)


def _bind_digits(name: str, args: tuple[Expr, ...]) -> Expr:
    return overloads(f"{name}(x)", *_DIGIT_SIGNATURES)(name, args)


def _to_base(number: int, base: int, least: int = 0) -> str | Refusal:
    if number < 0:
        return Refusal("to_base: the number must not be negative")
    if not 2 <= base <= len(_DIGITS):
        return Refusal(f"to_base: the base must be from 2 to {len(_DIGITS)}, not {base}")
    if not 0 <= least <= _LONGEST:
        return Refusal(f"to_base: the length must be from 0 to {_LONGEST}, not {least}")
    digits = ""
    while number:
        number, digit = divmod(number, base)
        digits = _DIGITS[digit] + digits
    return (digits or "0").rjust(least, "0")


def _url_decode(text: str) -> str | Refusal:
    """Escapes that are none stay as they are; + is no space."""
    plain = _ESCAPED.sub(lambda found: chr(int(found[0][1:], 16)), _as_bytes(text))
    try:
        return plain.encode("latin-1").decode()
    except UnicodeDecodeError:
        return Refusal(f"url_decode: what {text!r} stands for is no UTF-8")


def _as_bytes(text: str) -> str:
    """The bytes of the text in UTF-8, each as one character."""
    return text.encode().decode("latin-1")


def _strip_accents(text: str) -> str:
    if text.isascii():
        return text
    # What follows a zero byte is lost, as in DuckDB.
    parts = unicodedata.normalize("NFD", text.split("\0")[0])
    kept = "".join(char for char in parts if unicodedata.category(char) not in _MARKS)
    return unicodedata.normalize("NFC", kept)


def _nfc(text: str) -> str:
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def _regexp_escape(text: str) -> str:
    return "".join(char if _PLAIN.match(char) else f"\\{char}" for char in text)


def _of_text(
    name: str,
    summary: str,
    example: str,
    compute: Callable[[str], Any],
    *,
    aliases: tuple[str, ...] = (),
    fails: bool = False,
) -> Function:
    if fails:
        lower = for_distinct_checked(pl.String(), compute, "conversion")
    else:
        lower = for_distinct(pl.String(), compute)
    return text_function(
        name,
        f"{name}(text)",
        summary,
        example,
        (VARCHAR,),
        VARCHAR,
        lower,
        aliases=aliases,
        fails=fails,
    )


def _digits(name: str, base: int, what: str, example: str, alias: str) -> Function:
    summary = f"The {what} digits of an integer (of a negative one its bits), or of a text's bytes."
    return Function(
        name,
        "text",
        f"{name}(x)",
        summary,
        example,
        _bind_digits,
        _lower_digits(base),
        aliases=(alias,),
    )


FUNCTIONS = (
    _of_text(
        "md5",
        "The MD5 digest in hexadecimal digits.",
        "md5('a') = '0cc175b9c0f1b6a831c399e269772661'",
        _digest("md5"),
    ),
    _of_text(
        "sha1",
        "The SHA-1 digest in hexadecimal digits.",
        "sha1('a') = '86f7e437faa5a7fce15d1ddcb9eaeaea377667b8'",
        _digest("sha1"),
    ),
    _of_text(
        "sha256",
        "The SHA-256 digest in hexadecimal digits.",
        "left(sha256('a'), 8) = 'ca978112'",
        _digest("sha256"),
    ),
    _digits("hex", 16, "hexadecimal", "hex(255) = 'FF'", "to_hex"),
    _digits("bin", 2, "binary", "bin(5) = '101'", "to_binary"),
    Function(
        "to_base",
        "text",
        "to_base(number, base[, length])",
        "The digits of a number in a base from 2 to 36, with zeros before them up to a length.",
        "to_base(255, 16) = 'FF'",
        overloads(
            "to_base(number, base[, length])",
            Signature((BIGINT, INTEGER), VARCHAR),
            Signature((BIGINT, INTEGER, INTEGER), VARCHAR),
        ),
        for_distinct_checked(pl.String(), _to_base),
        fails=True,
    ),
    _of_text(
        "url_encode",
        "With everything but letters, digits, - _ . ~ as % and two hexadecimal digits.",
        "url_encode('a b') = 'a%20b'",
        lambda text: quote(text, safe=""),
    ),
    _of_text(
        "url_decode",
        "With % and two hexadecimal digits as what they stand for.",
        "url_decode('a%20b') = 'a b'",
        _url_decode,
        fails=True,
    ),
    _of_text(
        "strip_accents",
        "Without accents and other marks.",
        "strip_accents('água') = 'agua'",
        _strip_accents,
    ),
    _of_text(
        "nfc_normalize",
        "With letters and their marks composed (Unicode normal form C).",
        "length(nfc_normalize('e' || chr(769))) = 1",
        _nfc,
    ),
    _of_text(
        "regexp_escape",
        "With a backslash before everything that could mean something in a regular expression.",
        "regexp_escape('a.b') = 'a\\.b'",
        _regexp_escape,
    ),
)
