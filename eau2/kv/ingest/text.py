"""What all text readers share: opening a file that may be gzipped, and errors that name it.

Owns: the byte stream of a text file, and the message that says what is wrong with a file.
Does not know: any format.
"""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import pyarrow as pa

from eau2.errors import InputFileError
from eau2.kv.ingest.position import Position

DAMAGE = (OSError, pa.ArrowException, EOFError, zlib.error, UnicodeDecodeError)
"""What reading a damaged file raises, in any of the libraries that read."""


def check_readable(path: str) -> None:
    """Raise InputFileError when `path` is missing, a directory, unreadable or empty."""
    if os.path.isdir(path):
        raise InputFileError(
            f"{path} is a directory", hint=f"Name its files with a pattern: {path}/*.csv"
        )
    try:
        with open(path, "rb") as file:
            first = file.read(1)
    except FileNotFoundError as error:
        raise InputFileError(f"there is no file {path}", hint="Check the path.") from error
    except OSError as error:
        raise InputFileError(f"{path} cannot be read: {error.strerror}") from error
    if not first:
        raise InputFileError(f"{path} is empty", hint="Check how it was written.")


def damaged(path: str, what: str, error: Exception | str) -> InputFileError:
    """The error for a file that is not a proper `what`."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return InputFileError(
        f"{path} cannot be read as {what}: {lines[0].rstrip('.')}",
        hint="The file is damaged, cut short or of another format; get it again.",
    )


def line_blocks(
    path: str, what: str, size: int, position: Position | None = None
) -> Iterator[tuple[int, bytes]]:
    """Runs of whole lines of about `size` bytes, each with the number of its first line.

    Blocks of nothing but blanks are left out, and so is a byte order mark. Raises InputFileError.
    """
    line, parts = 1, [b""]
    try:
        with open_bytes(path) as file:
            if file.read(3) != b"\xef\xbb\xbf":
                file.seek(0)
            while data := file.read(size):
                if position is not None:
                    # Of a file that is unpacked the packed bytes count.
                    position.at(getattr(file, "fileobj", file).tell())
                head, found, tail = data.rpartition(b"\n")
                if not found:
                    parts.append(data)
                    continue
                block = b"".join([*parts, head, found])
                parts = [tail]
                if not block.isspace():
                    yield line, block
                line += block.count(b"\n")
    except DAMAGE as error:
        raise damaged(path, what, error) from error
    rest = b"".join(parts)
    if rest and not rest.isspace():
        yield line, rest
    if position is not None:
        position.end(path)


@contextmanager
def open_bytes(path: str) -> Iterator[IO[bytes]]:
    """The bytes of a text file, unpacked when its name ends in .gz."""
    if path.lower().endswith(".gz"):
        with gzip.open(path, "rb") as packed:
            yield packed  # type: ignore[misc]
    else:
        with open(path, "rb") as plain:
            yield plain
