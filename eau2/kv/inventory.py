"""What lies in a node's chunk folder, told by the names of the files.

Owns: the names of files in it, and ranges of chunk numbers; pure. Comes in: paths and sizes; goes
out: chunks, manifests, and what should not be there. Does not know: which of it is wanted.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence

from eau2.catalog import ChunkKey
from eau2.errors import ProtocolError
from eau2.kv.shelf import MANIFEST
from eau2.records import Record

CHUNKS = "chunks"
TEMPORARY = ".tmp"
_DF_ID = re.compile(r"[0-9a-z]{1,64}")
_CHUNK = re.compile(r"(0|[1-9][0-9]{0,18})\.arrow")


class Inventory(Record, frozen=True):
    """chunks and manifests: their bytes. temporaries: files that were never complete.

    strange: paths that eau2 does not make.
    """

    chunks: Mapping[ChunkKey, int]
    manifests: Mapping[str, int]
    temporaries: tuple[str, ...] = ()
    strange: tuple[str, ...] = ()

    @property
    def bytes(self) -> int:
        """Of all chunks and manifests."""
        return sum(self.chunks.values()) + sum(self.manifests.values())


def inventory(files: Iterable[tuple[str, int]]) -> Inventory:
    """What files are, given their paths below the chunk folder and their bytes."""
    chunks: dict[ChunkKey, int] = {}
    manifests: dict[str, int] = {}
    temporaries: list[str] = []
    strange: list[str] = []
    known = ""
    for path, size in files:
        df_id, _, name = path.partition("/")
        number = number_of(name)
        # The files of a write follow one another.
        if df_id == known or is_df_id(df_id):
            known = df_id
        else:
            strange.append(path)
            continue
        if number is not None:
            chunks[ChunkKey(df_id, number)] = size
        elif name == MANIFEST:
            manifests[df_id] = size
        elif name.endswith(TEMPORARY) and "/" not in name:
            temporaries.append(path)
        else:
            strange.append(path)
    return Inventory(chunks, manifests, tuple(temporaries), tuple(strange))


def together(parts: Sequence[Inventory]) -> Inventory:
    """What several parts of a folder hold."""
    chunks: dict[ChunkKey, int] = {}
    manifests: dict[str, int] = {}
    for part in parts:
        chunks.update(part.chunks)
        manifests.update(part.manifests)
    return Inventory(
        chunks,
        manifests,
        tuple([path for part in parts for path in part.temporaries]),
        tuple([path for part in parts for path in part.strange]),
    )


def file_name(number: int | None) -> str:
    """The name of a chunk's file in its write's folder; None is the manifest."""
    return MANIFEST if number is None else f"{number}.arrow"


def number_of(name: str) -> int | None:
    """The number of the chunk in a file of that name; None if it is no chunk."""
    found = _CHUNK.fullmatch(name)
    return None if found is None else int(found[1])


def is_df_id(text: str) -> bool:
    """Whether `text` can be the id of a write; files that are read in place have other ids."""
    return _DF_ID.fullmatch(text) is not None


def check_df_id(df_id: str) -> None:
    """Refuse what is no df_id, with a ProtocolError: it becomes part of a path."""
    if not is_df_id(df_id):
        raise ProtocolError(f"{df_id[:80]!r} is not the id of a write")


def ranges(numbers: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """Numbers, which are sorted, as (first, how many follow one another)."""
    found: list[tuple[int, int]] = []
    for number in numbers:
        if found and number == sum(found[-1]):
            found[-1] = (found[-1][0], found[-1][1] + 1)
        else:
            found.append((number, 1))
    return tuple(found)


def covers(found: Sequence[tuple[int, int]], number: int) -> bool:
    """Whether a number is in one of the ranges, which are sorted."""
    place = bisect_right(found, (number, 2**63)) - 1
    return place >= 0 and found[place][0] <= number < sum(found[place])
