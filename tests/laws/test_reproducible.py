"""The same query gives the same bits: any chunking, any rule left out, in memory or on disk."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pyarrow as pa
import pytest

from eau2.engine import rule_names
from tests.oracle.compare import plain_type, plain_values
from tests.oracle.fuzz import Case, cases
from tests.oracle.sides import Answer, EauSide, Refusal, Setup

CHUNKINGS = (1, 2, 7, 1000)
BATCHES = range(10)
QUERIES = 14


def digest(answer: Answer) -> str:
    """A digest of types, values to the last bit, and row order; of an error, that it is one."""
    if isinstance(answer, Refusal):
        return answer.fault
    table: pa.Table = answer
    types = [str(plain_type(arrow)) for arrow in table.schema.types]
    values = [plain_values(column) for column in table.columns]
    return hashlib.sha256(f"{table.column_names}{types}{values!r}".encode()).hexdigest()


def sides(batch: list[Case], store: Path) -> dict[str, EauSide]:
    """The ways to run one batch, the plain one first."""
    tables = batch[0].tables
    found = {"default": EauSide(tables, Setup())}
    found |= {f"chunk_rows {rows}": EauSide(tables, Setup(rows, 1)) for rows in CHUNKINGS}
    found["streaming"] = EauSide(tables, Setup(3, 6, streaming=True))
    found["on disk"] = EauSide(tables, Setup(3), store=str(store))
    return found


@pytest.mark.parametrize("batch", BATCHES)
def test_chunks_and_disk_do_not_show(batch: int, tmp_path: Path) -> None:
    drawn = list(cases("laws", batch, QUERIES))
    engines = sides(drawn, tmp_path / "store")
    for case in drawn:
        found = {name: digest(side.run(case.query.sql)) for name, side in engines.items()}
        assert len(set(found.values())) == 1, f"{found}\n{case.query.sql}"
    for side in engines.values():
        side.close()


@pytest.mark.parametrize("batch", BATCHES)
def test_rules_do_not_show(batch: int) -> None:
    drawn = list(cases("rules", batch, QUERIES))
    names = rule_names()
    plain = EauSide(drawn[0].tables, Setup(3, 6))
    without = EauSide(drawn[0].tables, Setup(3, 6, without=names))
    one_off = EauSide(drawn[0].tables, Setup(3, 6, without=(names[batch % len(names)],)))
    for case in drawn:
        wanted = plain.run(case.query.sql)
        for side in (without, one_off):
            answer = side.run(case.query.sql)
            if isinstance(wanted, Refusal) or isinstance(answer, Refusal):
                faults = {a.fault for a in (wanted, answer) if isinstance(a, Refusal)}
                assert "bug" not in faults, case.query.sql
            else:
                assert digest(answer) == digest(wanted), case.query.sql
    for side in (plain, without, one_off):
        side.close()
