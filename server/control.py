"""Control limits for proportions (p chart): which groups decline or do not answer more, or less, often than chance explains.

With p the share over all groups, a group of n has the limits p ± 3 √(p (1 − p) / n), cut off at 0 and 1: Shewhart's three standard deviations, as in NIST/SEMATECH
e-Handbook of Statistical Methods 6.3.3.2 and Montgomery, Introduction to Statistical Quality Control, chapter 7. Counts in, exact decisions out: a group is
outside by integers alone; the limits are floats for people to read.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

SIGMAS = 3


@dataclass(frozen=True, slots=True)
class Point:
    """A group: `count` of `size`, the limits of a group of its size, and on which side of them it is: "", "above" or "below"."""

    count: int
    size: int
    lower: float
    upper: float
    side: str

    @property
    def share(self) -> float:
        return self.count / self.size


@dataclass(frozen=True, slots=True)
class Chart:
    """All groups around their common share."""

    mean: float
    points: tuple[Point, ...]


def p_chart(groups: Sequence[tuple[int, int]]) -> Chart:
    """From (count, size) of each group, 0 <= count <= size, size > 0. No group gives an empty chart."""
    assert all(0 <= count <= size > 0 for count, size in groups), groups
    count, size = sum(each for each, _ in groups), sum(each for _, each in groups)
    return Chart(count / size if size else 0.0, tuple(_point(*each, count, size) for each in groups))


def _point(count: int, size: int, all_count: int, all_size: int) -> Point:
    mean = all_count / all_size
    width = SIGMAS * math.sqrt(mean * (1 - mean) / size)
    # (count/size - c/s)² > 9 c/s (1 - c/s) / size, times size² s²: no rounding decides about a person.
    gap = count * all_size - all_count * size
    outside = gap * gap > SIGMAS * SIGMAS * all_count * (all_size - all_count) * size
    side = ("above" if gap > 0 else "below") if outside else ""
    return Point(count, size, max(0.0, mean - width), min(1.0, mean + width), side)
