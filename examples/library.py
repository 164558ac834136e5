"""eau2 inside a program: put a frame, query it, hand the result on. Needs no server."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

import eau2

HERE = Path(__file__).resolve().parent


def main() -> None:
    """Print three results."""
    with eau2.connect() as connection:  # in memory; eau2.connect("folder") keeps it on disk
        connection.put("df", HERE / "df.csv")
        connection.register("opened", pa.table({"station": ["Market"], "year": [2019]}))

        result = connection.sql("SELECT station, sum(a) AS arrived FROM df GROUP BY station")
        print(result)

        rows = connection.sql("SELECT year FROM opened WHERE station = ?", ["Market"]).fetchall()
        print("opened in", rows[0][0])

        frame = connection.sql("SELECT day, a FROM df WHERE rain > 5 ORDER BY day").to_polars()
        print(frame.height, "station days with more than 5 mm of rain")


if __name__ == "__main__":
    main()
