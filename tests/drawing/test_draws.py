"""Draws step by step: which integers a sampler asks for, what a rejected attempt leaves behind, known draws and their traces."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from hashlib import sha256
from unittest import mock

import pytest

from drawing import select
from drawing.canonical import TH
from drawing.errors import Refused
from drawing.fair import Field, Need, Type
from drawing.seed import Dice
from drawing.select import SAMPLERS, CellsDp, CellsReject, PicksReject, draw


def employers(letters: str) -> list[bytes]:
    return [letter.encode() * 8 for letter in letters]


# The example at the head of selection.md: four people of one type, two places.
FOUR = Field((Type((0,), -1, False, 1),), [0] * 4, employers("AABC"))
PAIR = Need((2,), 2)


class Scripted:
    """Integers one after the other; remembers what was asked."""

    def __init__(self, integers: Iterable[int]) -> None:
        self.integers = iter(integers)
        self.asked: list[object] = []

    def attempt(self, number: int) -> None:
        self.asked.append(f"attempt {number}")

    def below(self, bound: int) -> int:
        self.asked.append(bound)
        return next(self.integers)


def test_the_example_of_the_specification():  # spec: sel-4
    drawn = draw(FOUR, PAIR, bytes(32), 0)
    assert (drawn.seats, drawn.sampler, drawn.attempts) == (((2, 3),), "cells-reject/2", 0)
    rows = (2).to_bytes(4, "big") + (3).to_bytes(4, "big")
    assert drawn.trace == TH("draw/v1/trace", b"cells-reject/2", bytes(4), b"5", rows)


def test_a_clash_rejects_the_whole_attempt_and_the_number_is_in_the_trace():
    dice = Scripted([0, 0, 0, 0, 3, 2])
    assert CellsReject(FOUR, PAIR).seat(dice) == (((0, 3),), 1)
    assert dice.asked == ["attempt 0", 6, 4, 3, "attempt 1", 6, 4, 3]
    seed = next(seed for seed in (bytes([n]) * 32 for n in range(100)) if CellsReject(FOUR, PAIR).seat(Dice(seed, 1))[1] == 1)
    drawn = draw(FOUR, PAIR, seed, 1)
    assert drawn.attempts == 1
    rows = b"".join(row.to_bytes(4, "big") for row in drawn.seats[0])
    assert drawn.trace == TH("draw/v1/trace", b"cells-reject/2", (1).to_bytes(4, "big"), b"5", rows)


def test_persons_are_exchanged_as_they_are_taken():
    three = Need((2, 1), 3)
    field = replace(FOUR, types=(Type((0, 1), -1, False, 1),), employers=employers("ABCD"))
    dice = Scripted([0, 3, 2, 1])
    assert CellsReject(field, three).seat(dice) == (((0, 3), (1,)), 0)  # whom 3 gave place to stands where 3 stood, and so on
    assert dice.asked == ["attempt 0", 12, 4, 3, 2]


def test_picks_ask_for_the_group_and_then_for_the_person():
    weighted = replace(FOUR, weights=[{0: [2]}, {0: [2]}])
    dice = Scripted([0, 0, 0, 3, 0, 4, 0, 7])
    assert PicksReject(weighted, PAIR).seat(dice) == (((2, 3),), 1)
    assert dice.asked == ["attempt 0", 64, 8, 8, 8, "attempt 1", 64, 8, 8, 8]


def test_employers_are_asked_one_after_the_other():
    dice = Scripted([4, 0, 0])
    assert CellsDp(FOUR, PAIR).seat(dice) == (((1, 3),), 0)
    assert dice.asked == ["attempt 0", 5, 2, 1]
    dice = Scripted([4, 1])
    assert CellsDp(FOUR, PAIR).seat(dice) == (((1, 2),), 0)
    assert dice.asked == ["attempt 0", 5, 2]  # C is not asked
    dice = Scripted([0, 0, 0])
    assert CellsDp(FOUR, PAIR).seat(dice) == (((2, 3),), 0)
    assert dice.asked == ["attempt 0", 5, 1, 1]


def test_nobody_is_asked_when_nobody_is_needed():
    for sampler in (CellsReject, PicksReject, CellsDp):
        assert sampler(FOUR, Need((0,), 0)).seat(Dice(bytes(32), 0)) == (((),), 0)
    assert CellsDp(replace(FOUR, type_numbers=[], employers=[]), Need((0,), 0)).seat(Scripted([])) == (((),), 0)


def test_attempts_have_an_end():
    class Clashing(Scripted):
        def below(self, bound: int) -> int:
            return 0

    for sampler in (CellsReject, PicksReject):
        with mock.patch.object(select, "MAX_ATTEMPTS", 3), pytest.raises(Refused) as refused:
            dice = Clashing([])
            sampler(FOUR, PAIR).seat(dice)
        assert refused.value.code == "too_many_attempts"
        assert dice.asked == ["attempt 0", "attempt 1", "attempt 2"]


def test_an_integer_out_of_its_range_is_our_own_mistake():
    for sampler in (PicksReject, CellsDp):
        with pytest.raises(AssertionError):
            sampler(FOUR, PAIR).seat(Scripted([10**6] * 9))


def test_a_need_that_nobody_fills_is_refused():
    with pytest.raises(Refused) as refused:
        draw(FOUR, Need((4,), 4), bytes(32), 0)
    assert refused.value.code == "no_lawful_panel"


TYPES = (
    Type((0,), -1, False, 1),
    Type((0, 1), 0, True, 1),
    Type((1,), 1, False, 1),
    Type((0, 1, 2), 1, True, 1),
    Type((1, 2), -1, False, 1),
)
NEED = Need((2, 1, 1), 2, frozenset({0, 1}), frozenset({5, 11}), frozenset({sha256(bytes([4])).digest()[:8]}))


def people(number: int, of: int, most: int = 0) -> Field:
    """So many people of so many employers; weights up to `most` where it is given."""
    field = Field(TYPES, [n * 7 % 5 for n in range(number)], [sha256(bytes([n * n % of])).digest()[:8] for n in range(number)])
    if not most:
        return field
    weights = [
        {kind: [1 + (3 * at + 5 * kind + seat) % most for seat in TYPES[kind].seats] for kind, _ in kinds}
        for at, kinds in enumerate(field.classes)
    ]
    return replace(field, weights=weights)


def digest(sampler: str, field: Field) -> str:
    made = SAMPLERS[sampler](field, NEED)
    drawn = [made.seat(Dice(bytes([n]) * 32, n)) for n in range(12)]
    return sha256(repr(drawn).encode()).hexdigest()[:16]


KNOWN = {
    ("cells-reject/1", 0): "bdbeeaa938f686be", ("cells-dp/1", 0): "e8e139894e1e4d3e", ("cells-dp/1", 7): "c12e4c123787f773",
    ("picks-reject/1", 7): "8fb240e5b3835899",
}  # fmt: skip


def test_known_draws():
    """They never change: whoever verifies an old draw draws it again."""
    assert {(sampler, most): digest(sampler, people(60, 23, most)) for sampler, most in KNOWN} == KNOWN


def test_which_sampler_draws_is_no_matter_of_taste():
    assert draw(people(60, 23), NEED, bytes(32), 0).sampler == "cells-reject/2"
    assert draw(people(60, 23, 7), NEED, bytes(32), 0).sampler == "picks-reject/2"
    assert draw(people(60, 7), replace(NEED, barred_employers=frozenset()), bytes(32), 0).sampler == "cells-dp/2"
