"""How a planted bug gets into the running engine, and out again.

Owns: `replaced`. Does not know: what is planted.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from eau2.operators import aggregates


@contextmanager
def replaced(owner: object, name: str, new: object) -> Iterator[None]:
    """`owner.name` is `new`; plans of aggregates made before or meanwhile are forgotten."""
    aggregates.plan_states.cache_clear()
    with patch.object(owner, name, new):
        yield
    aggregates.plan_states.cache_clear()
