"""Integers of a seed: those of the specification, block by block, and nothing at or above the last whole multiple."""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from hashlib import sha256
from itertools import count, islice
from unittest import mock

import pytest

from drawing import seed
from drawing.errors import Refused
from drawing.seed import Dice, below

SEED = sha256(b"a seed").digest()


def as_specified(key: bytes, label: bytes, bound: int) -> int:
    """selection.md 2, word by word: blocks one after the other, values skipped."""
    if bound == 1:
        return 0
    blocks = (hmac.new(key, b"draw/v1/int\0" + label + c.to_bytes(4, "big"), sha256).digest() for c in count())
    b = (bound.bit_length() + 64 + 255) // 256
    while True:
        value = int.from_bytes(b"".join(islice(blocks, b)), "big")
        if value < 2 ** (256 * b) // bound * bound:
            return value % bound


BOUNDS = (1, 2, 3, 1000, 2**64, 2**191, 2**192 - 1, 2**192, 2**255 + 1, 2**447 + 3, 2**448, 10**200)


def test_integers_are_those_of_the_specification_at_every_size():  # spec: sel-1
    for bound in BOUNDS:
        for label in (b"", b"ab", bytes(9)):
            assert below(SEED, label, bound) == as_specified(SEED, label, bound)


def test_the_first_integers_of_the_specification_s_example():
    dice = Dice(bytes(32), 0)
    assert [dice.below(1000) for _ in range(3)] == [69, 366, 652]


def asked(bound: int, *blocks: int) -> tuple[int, list[bytes]]:
    """(integer, what was hashed) where the blocks are these numbers instead of those of the seed."""
    numbers = iter(blocks)
    messages: list[bytes] = []

    def digest(key: bytes, message: bytes, name: str) -> bytes:
        assert (key, name) == (SEED, "sha256")
        messages.append(message)
        return next(numbers).to_bytes(32, "big")

    with mock.patch.object(seed.hmac, "digest", digest):
        return below(SEED, b"L", bound), messages


def hashed(blocks: Iterable[int]) -> list[bytes]:
    return [b"draw/v1/int\0L" + bytes([0, 0, 0, each]) for each in blocks]


def test_a_value_at_the_last_whole_multiple_is_thrown_away_and_the_blocks_go_on():
    top = 2**256
    assert asked(3, top - 2) == ((top - 2) % 3, hashed(range(1)))
    assert asked(3, top - 1, 7) == (1, hashed(range(2)))  # three times a third of 2^256 is 2^256 - 1
    assert asked(10, top - 7, 23) == (9, hashed(range(1)))  # 2^256 ends with the digit 6
    assert asked(10, top - 6, top - 1, 23) == (3, hashed(range(3)))
    assert asked(2**64, top - 1) == (2**64 - 1, hashed(range(1)))  # a power of two wastes nothing
    long = 2**200 + 1
    last = top * top // long * long
    assert asked(long, *divmod(last - 1, top)) == (long - 1, hashed(range(2)))
    assert asked(long, *divmod(last, top), 1, 2) == ((top + 2) % long, hashed(range(4)))


def test_sixty_four_bits_more_than_the_bound_has_are_hashed():
    assert asked(1) == (0, [])
    for bits, blocks in ((2, 1), (192, 1), (193, 2), (448, 2), (449, 3)):
        for bound in (2 ** (bits - 1), 2**bits - 1):
            assert asked(bound, *[0] * (blocks - 1), 5)[1] == hashed(range(blocks))


def test_an_empty_range_is_refused():
    for bound in (0, -1):
        with pytest.raises(Refused) as refused:
            below(SEED, b"", bound)
        assert refused.value.code == "bound_below_one"


def test_dice_count_every_integer_and_each_attempt_begins_anew():
    def label(stage: int, attempt: int, step: int) -> bytes:
        return bytes([stage]) + attempt.to_bytes(4, "big") + step.to_bytes(4, "big")

    dice = Dice(SEED, 7)
    assert [dice.below(bound) for bound in (10**9, 1, 10**9)] == [
        below(SEED, label(7, 0, 0), 10**9), 0, below(SEED, label(7, 0, 2), 10**9)
    ]  # fmt: skip
    dice.attempt(258)
    assert [dice.below(10**9) for _ in range(300)] == [below(SEED, label(7, 258, step), 10**9) for step in range(300)]
    assert Dice(SEED, 7).below(10**9) != Dice(SEED, 8).below(10**9)
