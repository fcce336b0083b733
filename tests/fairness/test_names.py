"""One supervisor reading names between `result` and `closed` (draw-protocol 2): what openings, roll and draw secret tell alone and together.

Tags are outputs of a keyed hash under k_d, fresh per draw: without k_d they are exchangeable. What the roll tells of a drawn person is what
selection itself needs: the type, and which employers are alike. The best guess is then right as often as that class is small, no more. Without
the roll even the type is unknown, since the dice are keyed with the roll; the seed is public.
"""

from __future__ import annotations

import hmac
import random
from collections import Counter
from dataclasses import dataclass
from math import sqrt

import pytest

from drawing.events import Plan, Seat
from drawing.fair import Type, work
from drawing.lots import first, first_need
from drawing.pool import employer_tag, label_of, opening_of, row_hash, tag_of
from drawing.roll import Roll, make_roll
from tests.conftest import counts
from tests.fairness.coalition import NotKnown, View, record

SNAPSHOT = "snap-1"
TYPES = (Type((0,), -1, False, 1), Type((0, 1), -1, False, 1), Type((1,), -1, False, 1))
PLAN = Plan(0, 0, (), 0, (Seat(2, False, ("A",), 0, ""), Seat(1, False, ("B",), 0, "")), ())


@dataclass(frozen=True, slots=True)
class Person:
    """A record as the openings hold it, as far as it matters here."""

    name: int
    key: bytes
    kind: int
    employer: str


@dataclass(frozen=True)
class Reading:
    """One draw with everything about it; supervisors get views."""

    number: int
    employers: tuple[tuple[int, ...], ...] = ((0, 0, 1), (0, 2), (0, 2), (1, 1), (2,), (2,), (2,), (0,), (0,), (0, 1, 2), (1,), (1,))

    @property
    def secret(self) -> bytes:
        return hmac.digest(b"k_d", b"%d" % self.number, "sha256")

    def people(self) -> tuple[Person, ...]:
        out = []
        for number, kinds in enumerate(self.employers):
            for kind in kinds:
                out.append(Person(len(out), hmac.digest(b"expert", b"%d %d" % (self.number, len(out)), "sha256"), kind, f"UNIT-{number}"))
        return tuple(out)

    def roll_under(self, secret: bytes, people: tuple[Person, ...]) -> Roll:
        rows = []
        for each in people:
            label = label_of(each.key, SNAPSHOT)
            row = tag_of(secret, label) + each.kind.to_bytes(2, "big") + employer_tag(secret, each.employer)
            rows.append(row + row_hash(opening_of(each.key, SNAPSHOT), label))
        return make_roll(TYPES, bytes(32), b"".join(sorted(rows)))

    def seed(self) -> bytes:
        return hmac.digest(b"seed", b"%d" % self.number, "sha256")

    def view(self, *, openings: bool = False, roll: bool = False, secret: bool = False) -> View:
        """`result` is public: seed and tags per slot. Employers and types of everybody are taken as known to all: the library is no secret here."""
        made = self.roll_under(self.secret, self.people())
        held = {
            "seed": self.seed(), "placed": first(made, PLAN, (), self.seed()).placed,
            "known": tuple((each.name, each.kind, each.employer) for each in self.people()), "guess": b"%d" % self.number,
        }  # fmt: skip
        if openings:
            held["openings"] = self.people()
        if roll:
            held["roll"] = made
        if secret:
            held["draw_secret"] = self.secret
        return View(**held)

    def truth(self) -> dict[int, int]:
        """Slot -> name."""
        of = {tag_of(self.secret, label_of(each.key, SNAPSHOT)): each.name for each in self.people()}
        return {each.slot: of[each.tag] for each in self.view().placed}


def linked(view: View) -> dict[bytes, int]:
    """Tag -> name, where a view links them: by k_d and the labels, or by the row's digest, which openings recompute."""
    try:
        return {tag_of(view.draw_secret, label_of(each.key, SNAPSHOT)): each.name for each in view.openings}
    except NotKnown:
        pass
    rows = {row_hash(opening_of(each.key, SNAPSHOT), label_of(each.key, SNAPSHOT)): each.name for each in view.openings}
    roll = view.roll
    return {roll.tags[n]: rows[roll.rows[58 * n + 26 : 58 * n + 58]] for n in range(roll.size)}


def classes(known) -> dict[int, tuple]:
    """Name -> (type, type counts of the employer): what a row tells."""
    counts_of: dict[str, Counter[int]] = {}
    for _, kind, employer in known:
        counts_of.setdefault(employer, Counter())[kind] += 1
    return {name: (kind, tuple(sorted(counts_of[employer].items()))) for name, kind, employer in known}


def posterior(view: View) -> dict[int, dict[int, float]]:
    """For each slot the chance of each name, as the view has it: all that is not linked is exchangeable."""
    try:
        names = linked(view)
        return {each.slot: {names[each.tag]: 1.0} for each in view.placed}
    except NotKnown:
        pass
    of = classes(view.known)
    try:
        roll = view.roll
    except NotKnown:
        return by_selection(view)
    employers = {name: employer for name, _, employer in view.known}
    like: dict[bytes, Counter[int]] = {}
    for kind, employer in zip(roll.type_numbers, roll.employers, strict=True):
        like.setdefault(employer, Counter())[kind] += 1
    out = {}
    for each in view.placed:
        row = roll.place_of[each.tag]
        wanted = (roll.type_numbers[row], tuple(sorted(like[roll.employers[row]].items())))
        able = [name for name in employers if of[name] == wanted]
        out[each.slot] = dict.fromkeys(able, 1 / len(able))
    return out


def by_selection(view: View) -> dict[int, dict[int, float]]:
    """Without the roll: whoever knows the type counts draws again with the public seed, over rolls of his own making. If the dice were keyed
    with the seed alone, this average over orders of tags would be the posterior, types and all; now it is what everybody knew before.
    """
    chance = random.Random(view.guess)
    out: dict[int, Counter[int]] = {}
    for _ in range(REDRAWS):
        order = chance.sample(range(len(view.known)), len(view.known))
        renamed = {employer: chance.randbytes(8) for employer in {each[2] for each in view.known}}
        rows = [
            (2 * place).to_bytes(16, "big") + view.known[n][1].to_bytes(2, "big") + renamed[view.known[n][2]] + bytes(32)
            for place, n in enumerate(order)
        ]
        roll = make_roll(TYPES, bytes(32), b"".join(rows))
        for each in first(roll, PLAN, (), view.seed).placed:
            out.setdefault(each.slot, Counter())[view.known[order[roll.place_of[each.tag]]][0]] += 1
    return {slot: {name: number / REDRAWS for name, number in names.items()} for slot, names in out.items()}


REDRAWS = 12


def read(trials: int, *, employers=None, **held: bool) -> tuple[int, int, float, float]:
    """(slots, names guessed right, what the class allows, its variance) over many draws; the best guess of each slot."""
    slots = right = 0
    allowed = variance = 0.0
    for number in range(trials):
        reading = Reading(number, employers) if employers else Reading(number)
        guesses = posterior(reading.view(**held))
        truth = reading.truth()
        bounds = class_bounds(reading) if "roll" in held else chance_bounds(reading)
        for slot, name in truth.items():
            best = max(sorted(guesses[slot]), key=lambda each: guesses[slot][each])
            slots += 1
            right += best == name
            allowed += bounds[slot]
            variance += bounds[slot] * (1 - bounds[slot])
    return slots, right, allowed, variance


def class_bounds(reading: Reading) -> dict[int, float]:
    """The exact chance of the best guess of each slot for whoever is told the drawn person's type and what the employer holds."""
    of = classes(reading.view().known)
    sizes = Counter(of.values())
    return {slot: 1 / sizes[of[name]] for slot, name in reading.truth().items()}


def chance_bounds(reading: Reading) -> dict[int, float]:
    """The same for whoever is told nothing: the largest chance that anybody has of the slot. People of a seat come into its slots by tag."""
    roll = reading.roll_under(reading.secret, reading.people())
    doing = work(roll.field, first_need(roll, PLAN))
    most = [0] * len(PLAN.seats)
    for cell in doing.cells:
        for kind, _ in cell.kinds:
            for seat, share in zip(roll.types[kind].seats, doing.numerators_of(cell, kind), strict=True):
                most[seat] = max(most[seat], share)
    seats = [n for n, seat in enumerate(PLAN.seats) for _ in range(seat.count)]
    return {slot: most[seat] / doing.total / PLAN.seats[seat].count for slot, seat in enumerate(seats)}


def test_the_roll_alone_names_nobody_beyond_type_and_employer_class():
    trials = counts("reading names with the roll alone", 150, 10_000)
    slots, right, allowed, variance = read(trials, roll=True)
    record(f"names read with the roll alone, class allows {allowed:.0f}", slots, right)
    assert abs(right - allowed) < 4.5 * sqrt(variance)


def test_openings_alone_name_nobody_beyond_the_chances():
    """Nor do they tell a type: what they hold was known before the lots fell."""
    alone = tuple((kind,) for kind in (0,) * 9 + (1,) * 6 + (2,) * 8)
    trials = counts("reading names with the openings alone", 100, 3_000)
    slots, right, allowed, variance = read(trials, employers=alone, openings=True)
    record(f"names read with the openings alone, chances allow {allowed:.0f}", slots, right)
    assert right - allowed < 4.5 * sqrt(variance)


# Types ----------------------------------------------------------------------------------------------------------------------------------


MANY = tuple(Type(seats, -1, recent, 1) for seats in ((0,), (0, 1), (1,)) for recent in (False, True))
WIDE = Plan(90, 9, (), 0, (Seat(4, False, ("A",), 0, ""), Seat(4, False, ("B",), 0, "")), ())
DRAWS = 4  # read all right or not at all: by luck less than once in a billion trials


def mixed_roll(name: bytes) -> Roll:
    """Ten people of each type, each an employer alone; the rest of a row is whatever the name makes of it."""
    chance = random.Random(name)
    kinds = [kind for kind in range(len(MANY)) for _ in range(10)]
    rows = [chance.randbytes(16) + kind.to_bytes(2, "big") + chance.randbytes(8) + chance.randbytes(32) for kind in kinds]
    return make_roll(MANY, chance.randbytes(32), b"".join(sorted(rows)))


def types_of(roll: Roll, seed: bytes, version: int) -> list[int]:
    return sorted(roll.type_numbers[roll.place_of[each.tag]] for each in first(roll, WIDE, (), seed, version).placed)


def types_read(view: View) -> list[list[int]]:
    """Drawn again with the public seeds: over the roll, or else over one of his own making with as many people of each type."""
    try:
        roll = view.roll
    except NotKnown:
        roll = mixed_roll(view.guess)
    return [types_of(roll, seed, view.version) for seed in view.seeds]


def types_seen(number: int, *, roll: bool, version: int = 2) -> bool:
    """Whether somebody who knows the type counts reads the types of all people of some draws, without a tag's help."""
    real = mixed_roll(b"real %d" % number)
    seeds = tuple(hmac.digest(b"seed", b"%d %d" % (number, n), "sha256") for n in range(DRAWS))
    held = {"seeds": seeds, "version": version, "guess": b"guess %d" % number} | ({"roll": real} if roll else {})
    return types_read(View(**held)) == [types_of(real, seed, version) for seed in seeds]


def test_whoever_knows_the_type_counts_reads_no_types_from_the_public_seed():  # spec: sel-7
    trials = counts("types read from the public seed", 60, 10_000)
    seen = sum(types_seen(number, roll=False) for number in range(trials))
    assert record("drawn types read from the public seed by type counts alone", trials, seen) == 0


def test_with_the_roll_the_drawn_types_follow_from_the_public_seed():
    trials = counts("types read with the roll", 10, 200)
    assert record("drawn types read ABOVE with the roll", trials, sum(types_seen(n, roll=True) for n in range(trials))) == trials


def test_under_samplers_of_version_1_the_public_seed_tells_the_types():
    """Why there is a version 2. Draws of before are told in the threat model."""
    trials = counts("types read under version 1", 10, 200)
    seen = sum(types_seen(number, roll=False, version=1) for number in range(trials))
    assert record("drawn types read ABOVE by type counts alone, version 1", trials, seen) == trials


@pytest.mark.parametrize(("held", "why"), [
    ({"openings": True, "roll": True}, "the row's digest is made of opening and label"),
    ({"openings": True, "secret": True}, "tags are made of labels under k_d"),
    ({"openings": True, "roll": True, "secret": True}, "all of it"),
])  # fmt: skip
def test_openings_with_the_roll_or_with_the_secret_name_everybody(held, why):
    """The twin, and why two different supervisors attest: one with the openings, another with the roll. k_d is not even needed."""
    trials = counts(f"reading names with {' and '.join(held)}", 20, 200)
    slots, right, _, _ = read(trials, **held)
    assert record(f"names read ABOVE with {' and '.join(held)}", slots, right) == slots, why


def test_the_secret_or_the_roll_without_openings_links_nothing():
    for held in ({"roll": True}, {"secret": True}, {"roll": True, "secret": True}, {"openings": True}):
        with pytest.raises(NotKnown):
            linked(Reading(1).view(**held))
