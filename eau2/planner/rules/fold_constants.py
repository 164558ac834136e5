"""Fold constants: placeholder."""

from __future__ import annotations
from eau2.sql.logical import Logical


def fold_constants(plan: Logical) -> Logical:
    """The rule."""
    return plan
