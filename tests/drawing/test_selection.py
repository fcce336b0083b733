"""Counting and sampling are exact: against brute force, by walking through every outcome of the integers, and by drawing many times."""

from __future__ import annotations

import itertools
import os
import random
import shutil
import subprocess
import sys
from collections import Counter, defaultdict
from dataclasses import replace
from fractions import Fraction
from hashlib import sha256
from math import factorial, prod
from pathlib import Path

import pytest

from drawing.errors import Refused
from drawing.fair import Field, Need, Type, count, numerators, picks, sampler_for, unconstrained, work
from drawing.seed import Dice, below
from drawing.select import SAMPLERS, CellsDp, CellsReject, PicksReject, draw
from tests.conftest import counts


def brute(field: Field, need: Need) -> tuple[set[tuple[tuple[int, ...], ...]], list[int]]:
    """Every lawful seating, and in how many of them each person sits."""
    rows = [n for n in range(len(field.employers)) if n not in need.barred_rows and field.employers[n] not in need.barred_employers]
    kinds = [field.types[field.type_numbers[n]] for n in range(len(field.employers))]
    found = set()

    def fill(seat: int, chosen: tuple[tuple[int, ...], ...]) -> None:
        people = [n for taken in chosen for n in taken]
        if len({field.employers[n] for n in people}) < len(people) or sum(kinds[n].recent for n in people) > need.recent_left:
            return
        if seat == len(need.counts):
            if need.sites <= {kinds[n].site for n in people}:
                found.add(chosen)
            return
        able = [n for n in rows if seat in kinds[n].seats and n not in people]
        for taken in itertools.combinations(able, need.counts[seat]):
            fill(seat + 1, (*chosen, taken))

    fill(0, ())
    sits = Counter(n for seating in found for seat in seating for n in seat)
    return found, [sits[n] for n in range(len(field.employers))]


def tiny(chance: random.Random, people: int = 8) -> tuple[Field, Need]:
    seats = chance.randint(1, 3)
    kinds = {
        (tuple(sorted(chance.sample(range(seats), chance.randint(1, seats)))), chance.randint(-1, 1), chance.random() < 0.4)
        for _ in range(chance.randint(1, 5))
    }
    types = tuple(Type(able, site, recent, 1) for able, site, recent in sorted(kinds))
    size = chance.randint(2, people)
    field = Field(types, [chance.randrange(len(types)) for _ in range(size)], [bytes([chance.randrange(5)] * 8) for _ in range(size)])
    need = Need(
        tuple(chance.randint(0, 2) for _ in range(seats)),
        chance.randint(0, 4),
        frozenset(site for site in (0, 1) if chance.random() < 0.4),
        frozenset(n for n in range(size) if chance.random() < 0.1),
        frozenset([bytes(8)] if chance.random() < 0.2 else []),
    )
    return field, need


def test_counts_and_chances_equal_brute_force():  # spec: sel-2
    chance = random.Random(1)
    for _ in range(counts("tiny instances counted", 300, 1_000)):
        field, need = tiny(chance)
        found, sits = brute(field, need)
        assert (count(field, need), numerators(field, need)) == (len(found), sits), (field, need)


def weighed(field: Field, chance: random.Random, most: int) -> Field:
    """The same people with weights per class, type and seat."""
    weights = [{kind: [chance.randint(1, most) for _ in field.types[kind].seats] for kind, _ in kinds} for kinds in field.classes]
    return replace(field, weights=weights)


def weight_of(field: Field, seating: tuple[tuple[int, ...], ...]) -> int:
    """The product of the weights of everybody in a seating."""
    product = 1
    for seat, rows in enumerate(seating):
        for row in rows:
            kind = field.type_numbers[row]
            product *= field.weights_of(field.class_of[field.employers[row]], kind)[field.types[kind].seats.index(seat)]
    return product


def test_weighted_counts_and_chances_equal_brute_force():
    chance = random.Random(3)
    for _ in range(counts("tiny weighted instances counted", 300, 1_000)):
        field, need = tiny(chance)
        field = weighed(field, chance, 6)
        found, _ = brute(field, need)
        weights = {seating: weight_of(field, seating) for seating in found}
        sits = [
            sum(weight for seating, weight in weights.items() if any(n in seat for seat in seating)) for n in range(len(field.employers))
        ]
        assert (count(field, need), numerators(field, need)) == (sum(weights.values()), sits), (field, need)


def weighted(number: int) -> list[tuple[Field, Need]]:
    """So many instances with weights whose seatings can all be walked through."""
    chance, found = random.Random(4), []
    while len(found) < number:
        field, need = tiny(chance, people=5)
        field = weighed(field, chance, 3)
        if 0 < count(field, need) < 60 and sum(need.counts) <= 3:
            found.append((field, need))
    return found


def gives_each_seating_its_weight(field: Field, need: Need) -> None:
    weights = {seating: weight_of(field, seating) for seating in brute(field, need)[0]}
    for sampler in (PicksReject, CellsDp):
        shares = distribution(sampler(field, need))
        accepted = Fraction(1) - shares.pop(None, Fraction(0))
        total = sum(weights.values())
        assert shares == {seating: accepted * weight / total for seating, weight in weights.items()}
        if sampler is PicksReject:
            proposed = picks(field, need).ways.get((0, work(field, need).recents, need.sites), 1)
            assert accepted == Fraction(total * prod(map(factorial, need.counts)), proposed)
        else:
            assert accepted == 1


def test_weighted_samplers_give_each_lawful_seating_exactly_its_weight():
    for field, need in weighted(counts("tiny weighted instances sampled in full", 40, 1_000)):
        gives_each_seating_its_weight(field, need)


class Clash(Exception):
    """An attempt was rejected; the walk counts it and goes on."""


class Walk:
    """Integers that walk through all outcomes, one path at a time."""

    def __init__(self, path: list[int]) -> None:
        self.path = path
        self.bounds: list[int] = []

    def attempt(self, number: int) -> None:
        if number:
            raise Clash

    def below(self, bound: int) -> int:
        self.bounds.append(bound)
        if len(self.bounds) > len(self.path):
            self.path.append(0)
        return self.path[len(self.bounds) - 1]


def distribution(sampler):  # type: ignore[no-untyped-def]
    """The exact probability of each outcome (None: rejected)."""
    shares: dict[object, Fraction] = defaultdict(Fraction)
    path: list[int] = []
    while True:
        walk = Walk(path)
        try:
            outcome = sampler.seat(walk)
            outcome = outcome[0]
        except Clash:
            outcome = None
        share = Fraction(1)
        for bound in walk.bounds:
            share /= bound
        shares[outcome] += share
        path = walk.path[: len(walk.bounds)]
        while path and path[-1] == walk.bounds[len(path) - 1] - 1:
            path.pop()
        if not path:
            return shares
        path[-1] += 1


def unweighted(number: int) -> list[tuple[Field, Need]]:
    """So many instances without weights whose seatings can all be walked through."""
    chance, found = random.Random(2), []
    while len(found) < number:
        field, need = tiny(chance, people=6)
        if 0 < count(field, need) < 200 and sum(need.counts) <= 4:
            found.append((field, need))
    return found


def gives_each_seating_equally(field: Field, need: Need) -> None:
    found, _ = brute(field, need)
    for sampler in (CellsReject, CellsDp):
        shares = distribution(sampler(field, need))
        accepted = Fraction(1) - shares.pop(None, Fraction(0))
        assert set(shares) == found
        assert set(shares.values()) == {accepted / len(found)}
        assert accepted == (Fraction(len(found), unconstrained(field, need)) if sampler is CellsReject else 1)


def test_both_samplers_give_each_lawful_seating_exactly_equally():  # spec: sel-5
    for field, need in unweighted(counts("tiny instances sampled in full", 60, 1_000)):
        gives_each_seating_equally(field, need)


def pool(size: int, employers: int, seed: int = 1) -> Field:
    chance = random.Random(seed)
    kinds = [((0,), -1), ((1,), 0), ((0, 1), 1), ((1, 2), 0), ((2,), 1), ((0, 2), -1)]
    types = tuple(Type(seats, site, recent, 1) for seats, site in sorted(kinds) for recent in (False, True))
    return Field(
        types,
        [chance.randrange(len(types)) for _ in range(size)],
        [sha256(bytes([chance.randrange(employers)])).digest()[:8] for _ in range(size)],
    )


CASES = [(60, 40, 0, "cells-reject/2"), (40, 6, 0, "cells-dp/2"), (60, 40, 9, "picks-reject/2"), (40, 6, 9, "cells-dp/2")]


@pytest.mark.parametrize(("size", "employers", "weight", "sampler"), CASES)
def test_many_draws_agree_with_the_exact_chances(size, employers, weight, sampler):  # spec: sel-3
    field = weighed(pool(size, employers), random.Random(5), weight) if weight else pool(size, employers)
    need = Need((2, 2, 1) if sampler != "cells-dp/2" else (2, 2, 2), 2, frozenset({0, 1}))
    assert sampler_for(field, need) == sampler
    total, chances = count(field, need), numerators(field, need)
    assert sum(chances) == total * sum(need.counts)
    draws = counts(f"draws against exact chances, {sampler}, weights to {weight}", 1_500, 30_000)
    seen: Counter[int] = Counter()
    made = SAMPLERS[sampler](field, need)
    for number in range(draws):
        dice = Dice(sha256(f"draw {number}".encode()).digest(), 0)
        seen.update(n for seat in made.seat(dice)[0] for n in seat)
    worst = 0.0
    for row, numerator in enumerate(chances):
        p = numerator / total
        if p == 0:
            assert seen[row] == 0
        else:
            worst = max(worst, abs(seen[row] - draws * p) / (draws * p * (1 - p)) ** 0.5)
    assert worst < 4.5


def test_a_dead_end_has_no_panel_and_says_so():
    field, need = pool(20, 2), Need((3, 0, 0), 5)
    assert count(field, need) == 0
    assert set(numerators(field, need)) == {0}
    with pytest.raises(Refused) as refused:
        draw(field, need, bytes(32), 0)
    assert refused.value.code == "no_lawful_panel"


def test_too_large_a_question_is_refused_and_a_large_one_is_counted():  # spec: sel-6
    with pytest.raises(Refused) as refused:
        count(pool(50, 20), Need((30, 30, 30), 40, frozenset({0, 1})))
    assert refused.value.code == "too_many_states"
    field = pool(400, 60)
    assert sum(numerators(field, Need((6, 5, 4), 3))) == 15 * count(field, Need((6, 5, 4), 3))


def test_integers_are_unbiased_at_any_size_and_refuse_an_empty_range():
    seed = bytes(32)
    for bound in (1, 2, 3, 6, 255, 256, 2**64 + 13, 2**256 - 1, 2**256 + 1, 10**200):
        values = [below(seed, bytes([n]), bound) for n in range(50)]
        assert all(0 <= value < bound for value in values)
        assert bound == 1 or len(set(values)) > 1
    tally = Counter(below(seed, n.to_bytes(4, "big"), 6) for n in range(6_000))
    assert max(abs(tally[face] - 1_000) / (1_000 * 5 / 6) ** 0.5 for face in range(6)) < 4.5
    with pytest.raises(Refused):
        below(seed, b"", 0)


SCRIPT = """
from hashlib import sha256
from math import factorial, prod
from drawing.fair import Field, Need, Type, count, numerators
from drawing.select import SAMPLERS, CellsDp, CellsReject, PicksReject, draw
from drawing.seed import Dice
types = (Type((0,), -1, False, 1), Type((0, 1), 0, True, 1), Type((1,), 1, False, 1))
field = Field(types, [n * 7 % 3 for n in range(60)], [sha256(bytes([n * n % 23])).digest()[:8] for n in range(60)])
need = Need((2, 2), 1, frozenset({0, 1}))
out = [count(field, need), numerators(field, need)]
out += [draw(field, need, bytes([n]) * 32, 0) for n in range(20)] + [CellsDp(field, need).seat(Dice(bytes([n]) * 32, 1)) for n in range(10)]
print(sha256(repr(out).encode()).hexdigest())
"""


def interpreters() -> list[str]:
    """This one and every other 3.11 to 3.14 that can be found."""
    found = {sys.executable: sys.version_info[:2]}
    folders = [Path(each) for each in os.environ.get("PYENV_ROOT", str(Path.home() / ".pyenv")).split()]
    names = [path for folder in folders for path in folder.glob("versions/3.1[1-4]*/bin/python3")]
    names += [Path(path) for minor in range(11, 15) if (path := shutil.which(f"python3.{minor}"))]
    for path in names:
        version = path.parent.parent.name if "versions" in path.parts else path.name.removeprefix("python")
        minor = tuple(int(part) for part in version.split(".")[:2])
        if minor not in found.values():
            found[str(path)] = minor
    return list(found)


def test_the_same_seed_gives_the_same_bytes_everywhere(capsys):
    answers = set()
    ran = []
    for python in interpreters():
        for hash_seed in ("0", "1", "4242"):
            done = subprocess.run(
                [python, "-c", SCRIPT], env={"PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(Path(__file__).parents[2])},
                capture_output=True, text=True, check=True,
            )  # fmt: skip
            answers.add(done.stdout)
        ran.append(python)
    with capsys.disabled():
        print(f"\nsame bytes under: {', '.join(ran)}")
    assert len(answers) == 1
