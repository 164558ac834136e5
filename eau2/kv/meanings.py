"""What names mean, told apart by kind: frames, views, functions.

Owns: `Meanings`, which stores of every sort are. Comes in: what a register means; goes out: frames,
views and functions by their names. Does not know: where registers and manifests are kept.

A frame and a view share the space of names; functions have their own, in registers whose names
no frame can have.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from eau2.catalog import (
    Frame,
    Function,
    Named,
    View,
    function_of_register,
    register_of_function,
)


class Meanings(ABC):
    """What names mean in a store."""

    @abstractmethod
    def means(self, register: str) -> Named | None:
        """What the register of that name means now, or None.

        Raises CorruptChunkError when its manifest is damaged, OperationalError when it cannot be
        asked for.
        """

    @abstractmethod
    def registers(self) -> tuple[str, ...]:
        """The names of all registers that mean something, sorted, in their letter case."""

    def get(self, name: str) -> Frame | None:
        """The current frame of `name`, or None. Raises as `means` does.

        From then on its chunks stay readable here, whatever other processes drop or replace.
        """
        named = self.means(name)
        return named if isinstance(named, Frame) else None

    def view(self, name: str) -> View | None:
        """The view under `name`, or None. Raises as `means` does."""
        named = self.means(name)
        return named if isinstance(named, View) else None

    def function(self, name: str) -> Function | None:
        """The function under `name`, or None. Raises as `means` does."""
        named = self.means(register_of_function(name))
        return named if isinstance(named, Function) else None

    def names(self) -> tuple[str, ...]:
        """The names of all frames and views, sorted, in the letter case they were put with."""
        return tuple(name for name in self.registers() if function_of_register(name) is None)

    def functions(self) -> tuple[str, ...]:
        """The names of all functions, sorted, in the letter case they were put with."""
        found = map(function_of_register, self.registers())
        return tuple(name for name in found if name is not None)
