"""Synthetic pools for measuring selection: people with skewed employers and professions, as the roll shows them.

Nothing here is a library: only types and employers, made the same way from the same seed at any size.
"""

from __future__ import annotations

import random
from collections import Counter
from itertools import accumulate

from drawing.fair import Field, Need, Type

SMALL = ((4, 2, 1), (0.16, 0.11, 0.09))  # seats of the usual committee, and which share of all people can fill each
LARGE = ((4, 3, 3, 2, 2, 1), (0.11, 0.09, 0.08, 0.06, 0.05, 0.04))


def synthetic(
    people: int, *, shape: tuple[tuple[int, ...], tuple[float, ...]] = SMALL, employers: int = 0, seed: int = 1, recent_max: int = 2
) -> tuple[Field, Need]:
    """A pool of so many registered people, of whom about a third can fill a seat; and the need: two sites, a cap on recent people.

    `employers` fixes how many there are (12, 25, 60: few employers hold everybody); by default one per five people, their sizes skewed.
    """
    chance = random.Random(f"{people} {employers} {seed} {shape}")
    counts, shares = shape
    number = employers or max(20, people // 5)
    sizes = list(accumulate(1 / (n + 1) ** (0.6 if not employers else 0.4) for n in range(number)))
    rows: list[tuple[Type, bytes]] = []
    for _ in range(people):
        seats = tuple(seat for seat, share in enumerate(shares) if chance.random() < share)
        employer = chance.choices(range(number), cum_weights=sizes)[0]
        draw = chance.random()
        site = 0 if draw < 0.55 else 1 if draw < 0.85 else -1
        recent = chance.random() < 0.12
        if seats:
            rows.append((Type(seats, site, recent, 1), employer.to_bytes(8, "big")))
    types = tuple(sorted({kind for kind, _ in rows}, key=lambda kind: (kind.seats, kind.site, kind.recent)))
    numbers = {kind: n for n, kind in enumerate(types)}
    field = Field(types, [numbers[kind] for kind, _ in rows], [employer for _, employer in rows])
    return field, Need(counts, recent_max, frozenset({0, 1}))


def describe(field: Field) -> str:
    """In one line: eligible people, types, employers, classes of employers."""
    classes = Counter(tuple(sorted(kinds.items())) for kinds in field.groups.values())
    return f"{len(field.employers)} eligible, {len(field.types)} types, {len(field.groups)} employers, {len(classes)} classes"
