"""Equal chances after declines, and dead ends (fair-selection.md "Declines"; draw.md 6).

In every committee three in ten of the eligible decline, others each time. Their slots are drawn again from what the request then needs, until
willing people sit everywhere. A willing person's chance is the sum of the exact conditional chances of every round along the simulated
histories: nothing is estimated but which histories come. What still scatters is mostly how many places each seat opens again and whether the
employer sits already; how often that is to be expected is known exactly, so the differences, whose mean is 0, are taken out by regression.
Exchangeable people share their mean.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import permutations, repeat

import numpy as np
import pytest

from bench.pools import synthetic
from drawing.certificate import certify, crowds, employers_of
from drawing.draw import Slot
from drawing.errors import Refused
from drawing.events import Plan, Seat, Site
from drawing.fair import Field, Need, Type, count, sampler_for, work
from drawing.lots import cap_faults, completions, first, successors
from drawing.roll import Roll, make_roll
from drawing.seed import Dice
from drawing.select import SAMPLERS, draw
from server.fit import find_targets, fit, with_table
from tests.conftest import LONG, counts
from tests.fairness.coalition import record
from tests.scenario import PLAN, World

MOST_ROUNDS = 60


@dataclass
class Declines:
    """What a run of committees showed: each eligible person's chance when willing, the mean bound of the willing, dead ends, rounds drawn."""

    chances: np.ndarray
    bound: float
    dead_ends: int
    rounds: int
    largest_error: float  # the largest standard error of a chance, as a share of the bound

    @property
    def ratio(self) -> float:
        return float(self.chances.min()) / self.bound


def by_seat(field: Field, need: Need) -> np.ndarray:
    """For each row and seat the exact chance of being drawn there."""
    doing = work(field, need)
    total = doing.total
    out = np.zeros((len(field.employers), len(need.counts)))
    table = {}
    for cell in doing.cells:
        for kind, _ in cell.kinds:
            table[cell, kind] = [each / total for each in doing.numerators_of(cell, kind)]
    cells = {employer: doing.cell_of(employer) for employer in field.groups}
    for row, (employer, kind) in enumerate(zip(field.employers, field.type_numbers, strict=True)):
        found = table.get((cells[employer], kind))
        if found is not None and row not in need.barred_rows:
            out[row, list(field.types[kind].seats)] = found
    return out


def willing_bound(field: Field, need: Need, willing: list[int]) -> float:
    """The certified bound of a pool of the willing alone."""
    some = Field(field.types, [field.type_numbers[n] for n in willing], [field.employers[n] for n in willing])
    targets = find_targets(some, need)
    plain = work(some, need)
    priced = frozenset(each.number for level in targets.levels for each in level.employers)
    return float(certify(crowds(plain, priced), targets.levels, need, employers_of(plain)).bounds[0])


def after(field: Field, need: Need, ever: set[int], sitting: dict[int, int]) -> Need:
    """What is still needed beside those who accepted (row -> seat): draw.md 6, 4."""
    kinds = [field.types[field.type_numbers[row]] for row in sitting]
    open_counts = list(need.counts)
    for seat in sitting.values():
        open_counts[seat] -= 1
    return Need(
        tuple(open_counts),
        max(0, need.recent_left - sum(kind.recent for kind in kinds)),
        need.sites - {kind.site for kind in kinds},
        frozenset(ever),
        frozenset(field.employers[row] for row in sitting),
    )


def alike(field: Field) -> list[list[int]]:
    """The eligible in groups of people whom nothing distinguishes: type and what the employer holds."""
    groups: dict[tuple[int, int], list[int]] = {}
    for row, (kind, employer) in enumerate(zip(field.type_numbers, field.employers, strict=True)):
        groups.setdefault((kind, field.class_of[employer]), []).append(row)
    return list(groups.values())


def declining(field: Field, name: str) -> Iterator[set[int]]:
    """For each committee the three in ten who decline."""
    chance = random.Random(f"declines {name}")
    people = len(field.employers)
    while True:
        yield set(chance.sample(range(people), round(0.3 * people)))


def simulate(field: Field, need: Need, committees: int, name: str, refusals: Iterator[set[int]]) -> Declines:
    people = len(field.employers)
    start = by_seat(field, need)
    panel = SAMPLERS[sampler_for(field, need)](field, need)
    kept = dict(field.memo)
    later = np.zeros((committees, people))
    willing = np.ones((committees, people), bool)
    surprise = np.zeros((committees, len(need.counts)))  # places opened again beyond what was to be expected
    employers = sorted(field.groups)
    number_of = {employer: n for n, employer in enumerate(employers)}
    employer = np.array([number_of[each] for each in field.employers])
    sits = np.zeros((committees, len(employers)))  # whose employer sits after the first answers, beyond what was to be expected
    bounds: dict[frozenset[int], float] = {}
    dead_ends = rounds = 0
    for number, refusing in zip(range(committees), refusals, strict=False):
        willing[number, sorted(refusing)] = False
        away = (~willing[number]).astype(float)
        sits[number] -= np.bincount(employer, weights=(1 - away) * start.sum(axis=1), minlength=len(employers))
        if len(bounds) < BOUNDS and frozenset(refusing) not in bounds:
            bounds[frozenset(refusing)] = willing_bound(field, need, np.flatnonzero(willing[number]).tolist())
        field.memo.clear()
        field.memo.update(kept)
        seed = sha256(f"{name} {number}".encode()).digest()
        seats, _ = panel.seat(Dice(seed, 0))
        expected = away @ start
        sitting: dict[int, int] = {}
        ever: set[int] = set()
        for step in range(1, MOST_ROUNDS):
            ever |= {row for seat in seats for row in seat}
            sitting |= {row: n for n, seat in enumerate(seats) for row in seat if row not in refusing}
            if step == 1:
                sits[number, employer[list(sitting)]] += 1
            now = after(field, need, ever, sitting)
            surprise[number] += np.array(now.counts) - expected
            if not any(now.counts):
                break
            rounds += 1
            if count(field, now) == 0:
                dead_ends += 1
                break
            chances = by_seat(field, now)
            later[number] += chances.sum(axis=1)
            expected = away @ chances
            seats = draw(field, now, sha256(seed + bytes([step])).digest(), 0).seats
        else:
            pytest.fail("a committee was not filled")
    found = np.full(people, np.inf)  # where nobody was ever willing or can be drawn
    errors = np.zeros(people)
    for group in alike(field):
        here = willing[:, group].any(axis=1)
        if not here.any() or not start[group].any():
            continue
        share = willing[np.ix_(here, group)]
        mine = (later[np.ix_(here, group)] * share).sum(axis=1) / share.sum(axis=1)
        heft = share.sum(axis=1) / share.sum()
        known = np.column_stack([surprise[here], (sits[np.ix_(here, employer[group])] * share).sum(axis=1) / share.sum(axis=1)])
        root = np.sqrt(heft)[:, None]
        slopes = np.linalg.lstsq(np.column_stack([known, np.ones(len(mine))]) * root, mine * root[:, 0], rcond=None)[0][:-1]
        steady = mine - known @ slopes
        found[group] = start[group].sum(axis=1).mean() + heft @ steady
        errors[group] = np.sqrt((heft**2) @ (steady - heft @ steady) ** 2)
    bound = float(np.mean(list(bounds.values())))
    return Declines(found, bound, dead_ends, rounds, float(errors.max()) / bound)


BOUNDS = 400  # sets of willing people whose bound is found; their mean stands for all
POOLS = [
    (300, 300, 10_000),
    (600, 0, 10_000),
    (1000, 300, 10_000),
    (5000, 0, 10_000),
]  # people, committees in `make test`, in `make test-long`


@pytest.mark.parametrize(("people", "short", "long"), [each for each in POOLS if LONG or each[1]])
def test_after_three_in_ten_declined_the_smallest_chance_of_the_willing_is_near_their_bound(people, short, long):
    """Weights were fitted to the whole pool; nobody knew who would decline."""
    committees = counts(f"committees with 30 % declines: {people} people", short, long)
    field, need = synthetic(people)
    fair = simulate(with_table(field, fit(field, need)), need, committees, f"fair {people}", declining(field, f"{people}"))
    plain = simulate(field, need, max(60, committees // 10), f"uniform {people}", declining(field, f"{people}"))
    print(
        f"{people} people, {len(field.employers)} eligible, {committees} committees, {fair.rounds} rounds: fair/1 reaches {fair.ratio:.3f} "
        f"of the willing pool's bound (+- {fair.largest_error:.3f}), uniform/1 {plain.ratio:.3f}"
    )
    record(f"30 % declines, {people} people: thousandths of the bound under fair/1", 1000, round(1000 * fair.ratio))
    record(f"30 % declines, {people} people: thousandths of the bound under uniform/1", 1000, round(1000 * plain.ratio))
    assert fair.dead_ends == 0
    assert plain.ratio < fair.ratio
    assert fair.ratio + (0 if LONG else 2 * fair.largest_error) >= 0.95


@pytest.mark.skipif(not LONG, reason="long")
@pytest.mark.parametrize("people", [300, 1000])
def test_where_the_same_people_always_decline_most_of_the_willing_are_near_their_bound(people):
    """No draw can know that an employer's people are willier than others: where few of a large employer decline, the rest of them wait longer."""
    committees = counts(f"committees with the same 30 % declining: {people} people", 0, 3_000)
    field, need = synthetic(people)
    refusing = next(declining(field, f"same {people}"))
    same = simulate(with_table(field, fit(field, need)), need, committees, f"same {people}", repeat(refusing))
    willing = np.array([row not in refusing for row in range(len(field.employers))])
    near = float((same.chances[willing] >= 0.95 * same.bound).mean())
    record(f"the same 30 % decline, {people} people: thousandths of the willing at .95 of their bound", 1000, round(1000 * near))
    record(f"the same 30 % decline, {people} people: thousandths of the bound reached by all of them", 1000, round(1000 * same.ratio))
    assert near >= 0.97


def test_the_simulated_chances_add_up_to_the_seats():
    """Every committee is filled: the chances of the willing sum to the number of seats, whatever scatters."""
    field, need = synthetic(300)
    refusing = next(declining(field, "sum"))
    found = simulate(field, need, 60, "sum", repeat(refusing))
    assert abs(sum(found.chances[row] for row in range(len(field.employers)) if row not in refusing) - sum(need.counts)) < 0.02


# Dead ends ---------------------------------------------------------------------------------------------------------------------------------


TINY = Plan(
    0, 1, (), 0, (Seat(2, False, ("A",), 1, ""), Seat(1, False, ("B",), 0, "")), (Site(("1",), "home", True), Site(("2",), "away", False))
)


def tiny(chance: random.Random) -> Roll:
    """Few people of few employers: draws into it end where nobody is left."""
    people = chance.randint(5, 10)
    kinds = [Type(chance.choice(((0,), (1,), (0, 1))), chance.choice((0, 1, -1)), chance.random() < 0.25, 1) for _ in range(people)]
    types = tuple(sorted(set(kinds), key=lambda kind: (kind.seats, kind.site, kind.recent)))
    rows = sorted(
        chance.randbytes(16) + types.index(kind).to_bytes(2, "big") + chance.randrange(6).to_bytes(8, "big") + bytes(32) for kind in kinds
    )
    return make_roll(types, bytes(32), b"".join(rows))


def lawful_fillings(roll: Roll, slots: tuple[Slot, ...], gone: set[bytes]) -> int:
    """How many sets of people per seat fill the open slots lawfully: every order of everybody is tried, and the rule book asked."""
    ever = {tag for slot in slots for tag in slot.tags} | gone
    places = [n for n, slot in enumerate(slots) if slot.open]
    free = [tag for tag in roll.tags if tag not in ever]
    found = set()
    for chosen in permutations(free, len(places)):
        filled = list(slots)
        for place, tag in zip(places, chosen, strict=True):
            filled[place] = replace(slots[place], tags=(*slots[place].tags, tag), state="pending")
        if not cap_faults(roll, TINY, filled):
            found.add(tuple(sorted((slots[place].seat, tag) for place, tag in zip(places, chosen, strict=True))))
    return len(found)


def test_every_dead_end_is_one_and_nothing_else_is():
    """Draws in tiny pools, everybody declining at random, until the program says that nobody can follow: all fillings are then tried."""
    wanted = counts("dead ends confirmed by trying everything", 40, 1_000)
    chance = random.Random("dead ends")
    ends = states = 0
    while ends < wanted:
        roll = tiny(chance)
        try:
            placed = first(roll, TINY, (), chance.randbytes(32)).placed
        except Refused as wrong:
            assert wrong.code == "no_lawful_panel"
            empty = (Slot(0, False, (), "left"), Slot(0, False, (), "left"), Slot(1, False, (), "left"))
            assert lawful_fillings(roll, empty, set()) == 0
            continue
        tags = {each.slot: (each.tag,) for each in placed}
        slots = tuple(Slot(seat, n == 3, tags.get(n, ()), "accepted" if n in tags else "left") for n, seat in enumerate((0, 0, 1, 0)))
        gone: set[bytes] = set()
        for _ in range(12):
            left = chance.choice([n for n in range(3) if slots[n].tag])
            gone.add(slots[left].tag)
            slots = tuple(replace(slot, state="left") if n == left else slot for n, slot in enumerate(slots))
            ways = completions(roll, TINY, slots, gone)
            states += 1
            assert ways == lawful_fillings(roll, slots, gone)
            if ways == 0:
                ends += 1
                with pytest.raises(Refused, match="no_lawful_panel"):
                    successors(roll, TINY, slots, gone, chance.randbytes(32))
                break
            if chance.random() < 0.5:
                for each in successors(roll, TINY, slots, gone, chance.randbytes(32)).placed:
                    slots = tuple(
                        replace(slot, tags=(*slot.tags, each.tag), state="accepted") if n == each.slot else slot
                        for n, slot in enumerate(slots)
                    )
            if not any(slots[n].tag for n in range(3)):
                break
    assert states > ends


@pytest.mark.parametrize("how", ["extended", "appointed"])
def test_a_way_out_that_was_not_needed_fails(how):
    """Wider terms or a direct choice while a lawful completion exists: F4, and only F4, says so."""
    plan = replace(PLAN, seats=tuple(replace(seat, reserves=0) for seat in PLAN.seats))
    for seed in range(1, counts(f"needless ways out: {how}", 3, 60) + 1):
        world = World(seed=seed, plan=plan)
        world.open(), world.commit(), world.contribute(), world.result()
        world.answer(left=(0,))
        draw_now = world.project.draw
        assert completions(world.roll, plan, draw_now.slots, draw_now.gone) > 0
        if how == "extended":
            world.extend(replace(plan, seats=(replace(plan.seats[0], professions=("A08",)), plan.seats[1])))
        else:
            world.appoint("direct_choice", 0)
        world.finish()
        assert world.verify().failed == ("F4",)
