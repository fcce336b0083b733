"""Token buckets. Monotonic time comes as a function."""

from __future__ import annotations

import math
from collections.abc import Callable

from server.keeper.verbs import Rate


class Bucket:
    """`burst` calls at once, then `each` a second."""

    def __init__(self, rate: Rate, monotonic: Callable[[], float]) -> None:
        self._rate = rate
        self._clock = monotonic
        self._left = float(rate.burst)
        self._at = monotonic()

    def take(self) -> int:
        """0 where a call may go on, else the seconds after which it may."""
        now = self._clock()
        self._left = min(float(self._rate.burst), self._left + (now - self._at) * self._rate.each)
        self._at = now
        if self._left >= 1:
            self._left -= 1
            return 0
        return max(1, math.ceil((1 - self._left) / self._rate.each))
