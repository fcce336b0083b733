"""Unbiased integers from a seed (docs/spec/selection.md 2). Whoever has the seed gets the same integers, on any machine, for ever."""

from __future__ import annotations

import hmac

from drawing.errors import Refused


def below(seed: bytes, label: bytes, bound: int) -> int:
    """An integer from 0 to bound - 1, each equally likely, of any size: blocks of HMAC-SHA256 under `seed`, rejected above a whole multiple."""
    if bound < 1:
        raise Refused("bound_below_one", "", bound=bound)
    if bound == 1:
        return 0
    blocks = -(-(bound.bit_length() + 64) // 256)
    space = 1 << 256 * blocks
    limit = space - space % bound
    counter = 0
    while True:
        value = 0
        for _ in range(blocks):
            block = hmac.digest(seed, b"draw/v1/int\0" + label + counter.to_bytes(4, "big"), "sha256")
            value = value << 256 | int.from_bytes(block, "big")
            counter += 1
        if value < limit:
            return value % bound


class Dice:
    """Integers in a fixed order: label `u8 stage || u32be attempt || u32be step`, the step counting every integer that is asked for."""

    def __init__(self, seed: bytes, stage: int) -> None:
        self._seed = seed
        self._stage = stage
        self._attempt = 0
        self._step = 0

    def attempt(self, number: int) -> None:
        """Begin attempt `number`; steps count from 0 again."""
        self._attempt, self._step = number, 0

    def below(self, bound: int) -> int:
        """The next integer from 0 to bound - 1."""
        label = bytes([self._stage]) + self._attempt.to_bytes(4, "big") + self._step.to_bytes(4, "big")
        self._step += 1
        return below(self._seed, label, bound)
