"""Polynomials in the seats' variables x_s and the recents' z, cut off at a need's limits, packed into one integer each.

A coefficient takes a fixed number of bits at a place given by its exponents, so that multiplying by an employer's `1 + u` is a few shifts and
additions of long integers. Exact by construction: the places are as wide as the largest coefficient can be.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product

Terms = tuple[tuple[int, int, int], ...]  # u: (seat, exponent of z, weight), sorted, each (seat, exponent) once


class Lattice:
    """The places of exponents (x_s up to counts, z up to `recents`), for coefficients below 2^bits."""

    def __init__(self, counts: Sequence[int], recents: int, bits: int) -> None:
        self.counts = tuple(counts)
        self.recents = recents
        self.bytes = bits // 8 + 1
        self.width = 8 * self.bytes
        self.strides = []
        self.size = recents + 1  # z runs fastest, then the first seat
        for count in counts:
            self.strides.append(self.size)
            self.size *= count + 1
        self.top = sum(count * stride for count, stride in zip(counts, self.strides, strict=True))
        self._room = {(seat, recent): self._mask(seat, recent) for seat in range(len(counts)) for recent in range(min(recents, 1) + 1)}

    def _mask(self, seat: int, recent: int) -> int:
        """All bits of the places that can grow by x_seat z^recent."""
        full, empty = b"\xff" * self.bytes, bytes(self.bytes)
        run = full * (self.recents + 1 - recent) + empty * recent
        for number, count in enumerate(self.counts):
            run = run * count + (bytes(len(run)) if number == seat else run)
        return int.from_bytes(run, "little")

    def times(self, poly: int, terms: Terms) -> int:
        """Poly * u, cut off."""
        total = 0
        for seat, recent, weight in terms:
            total += ((poly & self._room[seat, recent]) * weight) << ((self.strides[seat] + recent) * self.width)
        return total

    def product(self, factors: Iterable[tuple[Terms, int]]) -> int:
        """The product of all (1 + u)^multiplicity. Those of the first seats alone come first, while the integer is still short."""
        poly, people = 1, sum(self.counts)
        for terms, multiplicity in sorted(factors, key=lambda factor: max(seat for seat, _, _ in factor[0])):
            if multiplicity <= people:
                for _ in range(multiplicity):
                    poly += self.times(poly, terms)
                continue
            power = poly  # by the binomial theorem: comb(multiplicity, n) u^n poly, each from the one before
            for n in range(1, people + 1):
                power = self.times(power, terms) * (multiplicity - n + 1) // n  # every coefficient is divisible, so the whole is
                poly += power
        return poly

    def at(self, poly: int, place: int) -> int:
        """One coefficient."""
        return (poly >> (place * self.width)) & ((1 << self.width) - 1)

    def capped(self, poly: int, place: int, recent_left: int) -> int:
        """The sum of the coefficients at `place` with z up to `recent_left`."""
        return sum(self.at(poly, place + z) for z in range(min(recent_left, self.recents) + 1))

    def sums(self, poly: int) -> list[int]:
        """All coefficients, each with those of the lower powers of z added: what a cap of so many recent people leaves."""
        data = poly.to_bytes(self.size * self.bytes, "little")
        out = [int.from_bytes(data[n : n + self.bytes], "little") for n in range(0, len(data), self.bytes)]
        for place in range(self.size):
            if place % (self.recents + 1):
                out[place] += out[place - 1]
        return out

    def shares(self, sums: Sequence[int], terms: Terms) -> dict[tuple[int, int], int]:
        """For each (seat, z) of u the coefficient of F / (1 + u) that completes one person there; `sums` are those of F.

        G = F / (1 + u) obeys G = F - u G; below the top it is needed only where the exponents of other seats stay at the top.
        """
        seats = sorted({seat for seat, _, _ in terms})
        steps = [(seats.index(seat), recent, self.strides[seat] + recent, weight) for seat, recent, weight in terms]
        base = self.top - sum(self.counts[seat] * self.strides[seat] for seat in seats)
        found: dict[int, int] = {}
        for point in product(*(range(self.counts[seat] + 1) for seat in reversed(seats))):
            exponents = point[::-1]
            place = base + sum(exponent * self.strides[seat] for exponent, seat in zip(exponents, seats, strict=True))
            for z in range(self.recents + 1):
                value = sums[place + z]
                for at, recent, back, weight in steps:
                    if exponents[at] and z >= recent:
                        value -= weight * found[place + z - back]
                found[place + z] = value
        return {(seat, recent): found[self.top - self.strides[seat] + self.recents - recent] for seat, recent, _ in terms}
