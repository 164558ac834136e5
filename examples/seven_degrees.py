"""Seven degrees: whom somebody reaches by at most seven steps from friend to friend."""

from __future__ import annotations

import eau2

START, STEPS = 1, 7

SQL = f"""
WITH RECURSIVE walked(person, steps) AS (
    SELECT {START}::BIGINT, 0::BIGINT
    UNION
    SELECT friends.friend, walked.steps + 1
    FROM walked JOIN friends ON friends.person = walked.person
    WHERE walked.steps < {STEPS})
SELECT person, min(steps) AS steps
FROM walked
GROUP BY person
"""


@eau2.table_function
def friends_of(person: int) -> list[int]:
    """A made-up circle of 2,000 people: each knows two neighbours and somebody far away."""
    return [(person + 1) % 2000, (person - 1) % 2000, person * 3 % 2000]


@eau2.function
def further(steps: int) -> int:
    """One step more."""
    return steps + 1


class SevenDegrees(eau2.Application):
    """Stores who knows whom, and under `reached` who is how many steps away."""

    def run(self, kv: eau2.KeyValueStore) -> None:
        """Show how many people are how far away."""
        people = kv.query("SELECT range AS person FROM range(2000)")
        friends = people.flat_map(friend=friends_of, keep=True)
        friends = kv.compute("friends", friends, replace=True)

        def step(reached: eau2.Pipeline) -> eau2.Pipeline:
            met = reached.join(friends, on="person").map(person="friend", steps=further)
            return reached.union(met).group_by("person").reduce(steps="min(steps)")

        start = kv.query(f"SELECT {START}::BIGINT AS person, 0::BIGINT AS steps")
        reached = kv.compute("reached", start.iterate(step, rounds_max=STEPS), replace=True)
        reached.group_by("steps").reduce(people="count(*)").sort("steps").show()
