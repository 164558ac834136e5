"""Tables under the names that columns are qualified by."""

from __future__ import annotations

from eau2.operators.expr import Literal
from eau2.records import replace
from eau2.sql.scope import VisibleColumn, VisibleTable
from eau2.types import BOOLEAN

TRUE = Literal(BOOLEAN, True)


def test_a_replaced_table_has_its_own_names() -> None:
    old = VisibleTable("t", (VisibleColumn("A", TRUE),))
    assert old.find("a") is old.columns[0]
    new = replace(old, columns=(VisibleColumn("b", TRUE),))
    assert new.find("B") is new.columns[0]
    assert new.find("a") is None
    assert old.find("b") is None
    assert hash(old) == hash(replace(new, columns=old.columns))
