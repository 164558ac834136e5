"""Records: plain data that never changes, in fields with types.

Owns: the one base of such classes, and how a record is made of another. Does not know: any of them.

They are msgspec's structs and not frozen dataclasses, which take twelve times as long to make,
seventeen to be replaced, and over a hundred to be defined: statements are planned in records, and a
process that runs one statement defines four hundred classes first.
"""

from __future__ import annotations

from msgspec import Struct, field
from msgspec.structs import replace

__all__ = ["Record", "Struct", "field", "names", "replace"]


class Record(Struct, frozen=True):
    """The base of records: compared and hashed by their fields, and by their class."""


def names(class_: type[Record]) -> tuple[str, ...]:
    """The names of the fields, in order."""
    return class_.__struct_fields__
