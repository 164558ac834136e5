"""k-means: the centres of clusters of points, moved until they stand still."""

from __future__ import annotations

import math

import eau2

START = "SELECT [0.0, 5.0, 9.0]::DOUBLE[] AS xs, [0.0, 5.0, 0.0]::DOUBLE[] AS ys"


@eau2.function
def x_of(n: int) -> float:
    """A point in one of three clouds, by its number."""
    return float(n % 3 * 4) + math.sin(float(n)) * 1.5


@eau2.function
def y_of(n: int) -> float:
    """The other coordinate of it."""
    return float(n % 3 % 2 * 6) + math.cos(float(n * n)) * 1.5


@eau2.function
def nearest(x: float, y: float, xs: list[float], ys: list[float]) -> int:
    """Which centre is nearest to a point, from 0."""
    best, least = 0, math.inf
    for number, centre in enumerate(xs):
        distance = (x - centre) ** 2 + (y - ys[number]) ** 2
        if distance < least:
            best, least = number, distance
    return best


class KMeans(eau2.Application):
    """Stores points, and under `centres` the centres of their clusters, as one row of two lists."""

    def run(self, kv: eau2.KeyValueStore) -> None:
        """Show the centres, and how many points are in each cluster."""
        numbers = kv.query("SELECT range AS n FROM range(30000)")
        points = kv.compute("points", numbers.map(x=x_of, y=y_of), replace=True)

        def clusters(centres: eau2.Pipeline) -> eau2.Pipeline:
            seen = points.join(centres, how="cross").with_columns(cluster=nearest)
            means = seen.group_by("cluster").reduce(x="avg(x)", y="avg(y)", points="count(*)")
            return means.sort("cluster")

        def move(centres: eau2.Pipeline) -> eau2.Pipeline:
            lists = {"xs": "list(x ORDER BY cluster)", "ys": "list(y ORDER BY cluster)"}
            return clusters(centres).reduce(**lists)

        def still(before: eau2.Pipeline, after: eau2.Pipeline) -> bool:
            return before.rows() == after.rows()

        found = kv.query(START).iterate(move, until=still, rounds_max=100)
        kv.compute("centres", found, replace=True)
        clusters(found).show()
