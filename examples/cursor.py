"""eau2 through the interface that Python's database modules share (PEP 249)."""

from __future__ import annotations

from pathlib import Path

import eau2

HERE = Path(__file__).resolve().parent


def main() -> None:
    """Print the busiest days of a station, then an error."""
    connection = eau2.connect()
    connection.put("df", HERE / "df.csv")
    with connection.cursor() as cursor:
        cursor.execute("SELECT day, a FROM df WHERE station = ? ORDER BY a DESC", ["Market"])
        for day, arrived in cursor.fetchmany(3):
            print(day, arrived)
        try:
            cursor.execute("SELECT arrived FROM df")
        except eau2.ProgrammingError as error:
            print(error)
    connection.close()


if __name__ == "__main__":
    main()
