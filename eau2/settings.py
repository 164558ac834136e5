"""What SET can change, for one connection.

Owns: the names, their defaults and what values they take. Does not know: who obeys them.
"""

from __future__ import annotations

from collections.abc import Mapping

from eau2.config import DEFAULT_CHUNK_ROWS, LIMITS, byte_count
from eau2.errors import ProgrammingError, UnknownSettingError, UsageError
from eau2.records import Record, field, replace

OPTIMIZER = "optimizer."
"""SET optimizer.<rule> = off leaves one rule of the optimiser out."""
AUTO_INDEX, INDEX_MEMORY = "auto_index", "index_memory"


class Settings(Record, frozen=True):
    """The settings of a connection. Changing one gives a new object.

    chunk_rows: rows of a chunk written from now on. threads: of the kernels, fixed at the first
    use. optimizer: rules that are switched on or off by name. auto_index: whether columns that are
    asked for few rows get row lists unasked. index_memory: the bytes that all row lists, and what
    joins keep, may take at the process that is asked, None for what it says itself.
    """

    chunk_rows: int = DEFAULT_CHUNK_ROWS
    threads: int | None = None
    optimizer: Mapping[str, bool] = field(default_factory=dict)
    auto_index: bool = True
    index_memory: int | None = None

    def switches(self) -> dict[str, bool]:
        """What is switched on or off of how statements are computed, by its name in SET."""
        switches = {OPTIMIZER + name: on for name, on in self.optimizer.items()}
        return switches if self.auto_index else {**switches, AUTO_INDEX: False}

    def values(self) -> dict[str, str]:
        """All settings as text, for SHOW."""
        shown = {
            "chunk_rows": str(self.chunk_rows),
            "threads": "all" if self.threads is None else str(self.threads),
            AUTO_INDEX: "on" if self.auto_index else "off",
            INDEX_MEMORY: "auto" if self.index_memory is None else f"{self.index_memory}B",
        }
        switches = {OPTIMIZER + k: "on" if v else "off" for k, v in self.optimizer.items()}
        return shown | switches

    def changed(self, name: str, text: str | None, rules: tuple[str, ...]) -> Settings:
        """With `name` set to `text` (None: its default). Raises ProgrammingError.

        `rules` are the names of the optimiser's rules.
        """
        name = name.lower()
        if name == "chunk_rows":
            rows = DEFAULT_CHUNK_ROWS if text is None else _whole(name, text)
            if not 1 <= rows <= LIMITS.chunk_rows_max:
                raise ProgrammingError(
                    f"chunk_rows must be from 1 to {LIMITS.chunk_rows_max}, not {rows}"
                )
            return replace(self, chunk_rows=rows)
        if name == "threads":
            if text is not None and _whole(name, text) == self.threads:
                return self
            raise ProgrammingError(
                "threads cannot be changed any more: kernels have fixed their thread pool",
                hint="Connect with eau2.connect(threads=n), or `eau2 --threads n`.",
            )
        if name == AUTO_INDEX:
            return replace(self, auto_index=text is None or _switch(name, text))
        if name == INDEX_MEMORY:
            return replace(self, index_memory=None if text is None else _size(name, text))
        if name.startswith(OPTIMIZER) and name.removeprefix(OPTIMIZER) in rules:
            rule = name.removeprefix(OPTIMIZER)
            switches = {k: v for k, v in self.optimizer.items() if k != rule}
            if text is not None:
                switches[rule] = _switch(name, text)
            return replace(self, optimizer=switches)
        raise unknown(name, rules)


def unknown(name: str, rules: tuple[str, ...]) -> UnknownSettingError:
    """The error for a setting that does not exist."""
    known = ", ".join(
        ["chunk_rows", "threads", AUTO_INDEX, INDEX_MEMORY, *(OPTIMIZER + rule for rule in rules)]
    )
    return UnknownSettingError(f'there is no setting "{name}"', hint=f"The settings are: {known}.")


def _whole(name: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ProgrammingError(f"{name} takes a whole number, not '{text}'") from None


def _switch(name: str, text: str) -> bool:
    if text.lower() in ("on", "true", "1"):
        return True
    if text.lower() in ("off", "false", "0"):
        return False
    raise ProgrammingError(f"{name} takes on or off, not '{text}'")


def _size(name: str, text: str) -> int:
    if text.strip() == "0":
        return 0
    try:
        return byte_count(text)
    except UsageError as error:
        raise ProgrammingError(f"{name} takes a size: {error.message}", hint=error.hint) from None
