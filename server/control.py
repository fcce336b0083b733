"""Control limits: which groups decline or do not answer more, or less, often than chance explains (p chart), and who was drawn more, or less, often.

With p the share over all groups, a group of n has the limits p ± 3 √(p (1 − p) / n), cut off at 0 and 1: Shewhart's three standard deviations, as in NIST/SEMATECH
e-Handbook of Statistical Methods 6.3.3.2 and Montgomery, Introduction to Statistical Quality Control, chapter 7. Counts in, exact decisions out: a group is
outside by integers alone; the limits are floats for people to read.

How often somebody was drawn in several draws is a sum of independent yes and no with chances that are known. Beyond one from its mean such a sum is never
more likely than a Poisson number of the same mean (T. W. Anderson, S. M. Samuels, Some inequalities among binomial and Poisson probabilities, 1967), so that
Poisson limits err on the side of silence.
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


def poisson_tails(times: int, mean: float) -> tuple[float, float]:
    """The chances that a Poisson number of this mean is at most `times`, and at least `times`."""
    assert min(times, mean) >= 0, (times, mean)
    below, term = 0.0, math.exp(-mean)
    for n in range(times):
        below += term
        term *= mean / (n + 1)
    above = max(0.0, 1 - below)
    if times > mean:  # what is left of one says nothing about a small tail
        above, n, each = 0.0, times, term
        while each > above * 1e-12:
            above += each
            n += 1
            each *= mean / n
    return min(1.0, below + term), above


def count_limits(mean: float, level: float) -> tuple[int, int]:
    """The smallest and the largest count that are not as rare as `level`: below them, and above them, is at most so likely."""
    low = 0
    while poisson_tails(low, mean)[0] <= level:
        low += 1
    high = max(low, math.ceil(mean))
    while poisson_tails(high + 1, mean)[1] > level:
        high += 1
    return low, high
