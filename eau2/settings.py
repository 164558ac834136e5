"""What SET can change, for one connection.

Owns: the names, their defaults and what values they take. Does not know: who obeys them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from eau2.config import DEFAULT_CHUNK_ROWS, LIMITS
from eau2.errors import ProgrammingError, UnknownSettingError

OPTIMIZER = "optimizer."
"""SET optimizer.<rule> = off leaves one rule of the optimiser out."""

ZONES = "zones"
"""SET optimizer.zones = off: chunks are read whole. It is no rule of the optimiser."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of a connection. Changing one gives a new object.

    chunk_rows: rows of a chunk written from now on. threads: of the kernels, fixed at the first
    use. optimizer: rules that are switched on or off by name.
    """

    chunk_rows: int = DEFAULT_CHUNK_ROWS
    threads: int | None = None
    optimizer: Mapping[str, bool] = field(default_factory=dict)

    def values(self) -> dict[str, str]:
        """All settings as text, for SHOW."""
        shown = {
            "chunk_rows": str(self.chunk_rows),
            "threads": "all" if self.threads is None else str(self.threads),
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
        if name.startswith(OPTIMIZER) and name.removeprefix(OPTIMIZER) in rules:
            rule = name.removeprefix(OPTIMIZER)
            switches = {k: v for k, v in self.optimizer.items() if k != rule}
            if text is not None:
                switches[rule] = _switch(name, text)
            return replace(self, optimizer=switches)
        raise unknown(name, rules)


def unknown(name: str, rules: tuple[str, ...]) -> UnknownSettingError:
    """The error for a setting that does not exist."""
    known = ", ".join(["chunk_rows", "threads", *(OPTIMIZER + rule for rule in rules)])
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
