"""An aggregate function of a user's gives what its body gives where it is written out by hand."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import eau2
from eau2.connection import Connection
from eau2.errors import StatementError
from eau2.operators import aggregates

COLUMNS = {"i": "BIGINT", "x": "DOUBLE", "s": "VARCHAR", "t": "TIMESTAMP", "b": "BOOLEAN"}
ROWS = """
    CREATE TABLE r AS
    SELECT range % 3 AS g, (range * 7) % 5 AS i, ((range * 7) % 5) / 4 AS x,
        CASE WHEN range % 4 = 0 THEN NULL ELSE 'text ' || range END AS s,
        TIMESTAMP '2026-01-01' + INTERVAL 1 HOUR * (range * range % 11) AS t, range % 2 = 0 AS b
    FROM range(20)
"""
OVER = " OVER (PARTITION BY g ORDER BY i, x, s, t, b)"
ENDINGS = ("", " FILTER (WHERE i > 1)", OVER, f" FILTER (WHERE i > 1){OVER}")
FITS = 3
"""How many lists of arguments that fit are looked at for each function."""


@pytest.fixture(scope="module")
def connection() -> Iterator[Connection]:
    with eau2.connect() as made:
        made.sql(ROWS)
        yield made


def answered(connection: Connection, call: str) -> list[tuple[object, ...]] | None:
    """What a call gives; None where it is refused."""
    grouped = "ORDER BY i, x, s, t, b" if "OVER" in call else "GROUP BY g ORDER BY g"
    try:
        return connection.sql(f"SELECT {call}, g FROM r {grouped}").fetchall()
    except StatementError:
        return None


def arguments() -> Iterator[str]:
    """Lists of arguments to try."""
    yield ""
    yield from ("t", "DISTINCT i", "x", "s", "b", "i")
    for name in ("x", "s", "t", "i", "b"):
        for other in ("x", "i", "s", "0.5"):
            yield f"{name}, {other}"


@pytest.mark.parametrize("function", [name for name in aggregates.names() if name.isidentifier()])
def test_a_body_of_one_aggregate_is_that_aggregate(connection: Connection, function: str) -> None:
    tried = 0
    parameters = ", ".join(f"{name} {type_}" for name, type_ in COLUMNS.items())
    for given in arguments():
        plain = answered(connection, f"{function}({given})")
        if plain is None:
            continue
        described = connection.sql(f"DESCRIBE SELECT {function}({given}) AS v FROM r").fetchall()
        returns = described[0][1]
        connection.sql(
            f"CREATE OR REPLACE FUNCTION mine({parameters}) RETURNS {returns} AS "
            f"({function}({given}))"
        )
        tried += 1
        if tried > FITS:
            break
        for ending in ENDINGS:
            wanted = answered(connection, f"{function}({given}){ending}")
            found = answered(connection, f"mine({', '.join(COLUMNS)}){ending}")
            # A window refuses DISTINCT of the first row, where a definition has dropped it.
            if wanted is not None or "DISTINCT" not in given:
                assert repr(found) == repr(wanted), (given, ending)
    assert tried, "no arguments fit"
