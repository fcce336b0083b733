"""The certificate of fairness: its bounds hold against every lottery there is, its checks see favours and idle prices, and fits reach it."""

from __future__ import annotations

import itertools
import json
import random
import re
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import highspy
import numpy as np
import pytest

from bench.pools import LARGE, synthetic
from drawing.certificate import (
    UNIT,
    ClassPrice,
    Level,
    Table,
    certify,
    check_fairness,
    crowds,
    employers_of,
    read_table,
    table_bytes,
    table_digest,
)
from drawing.errors import Refused
from drawing.fair import Field, Need, Type, count, numerators, sampler_for, work
from server.fit import fit, with_table
from tests.conftest import LONG, counts
from tests.drawing.test_selection import brute, tiny

SPEC = Path(__file__).resolve().parents[2] / "docs" / "spec" / "fairness.md"


def gini(values: list[int]) -> float:
    """Half the mean difference over the mean."""
    ordered = sorted(values)
    n, whole = len(ordered), sum(ordered)
    return float(Fraction(2 * sum((i + 1) * v for i, v in enumerate(ordered)), n * whole) - Fraction(n + 1, n))


def example() -> tuple[Field, Need]:
    kinds = (Type((0,), -1, False, 1), Type((0, 1), -1, False, 1), Type((1,), -1, False, 1))
    employers = [(1).to_bytes(8, "big")] * 4 + [n.to_bytes(8, "big") for n in range(2, 8)]
    return Field(kinds, [0] * 4 + [1] * 3 + [2] * 3, employers), Need((2, 1), 3)


def test_the_example_of_the_page():  # spec: fair-1, fair-3
    page = SPEC.read_text("utf-8")
    data = re.search(r"\{\"levels\".*\}", page)
    assert data
    field, need = example()
    table = read_table(data[0].encode(), field, "table")
    assert table_bytes(table) == data[0].encode()
    assert table_digest(table_bytes(table)).hex() in page
    weighed = with_table(field, table)
    found = numerators(weighed, need)
    assert [str(n) in page for n in (count(weighed, need), *found)] == [True] * 11
    assert numerators(field, need) == [15] * 4 + [37] * 3 + [15] * 3
    assert count(field, need) == 72
    assert sampler_for(weighed, need) == "cells-dp/2"
    doing = work(weighed, need)
    certified = certify(crowds(doing, table.priced), table.levels, need, employers_of(doing))
    assert certified.bounds == (Fraction(1, 4), Fraction(1, 3), Fraction(18446744073709551617, 55340232221128654848))
    assert all(str(target) in page for target in certified.targets.values())
    assert check_fairness(weighed, need, table).faults == ()


@pytest.mark.parametrize(
    "change",
    [
        lambda v: v.update(v="lotroom-fair/2"),
        lambda v: v.pop("weights"),
        lambda v: v["weights"].pop(),
        lambda v: v["weights"][0].append([1]),
        lambda v: v["weights"][1][0].append(1),
        lambda v: v["weights"][1][0].__setitem__(0, 0),
        lambda v: v["weights"][1][0].__setitem__(0, (1 << 40) + 1),
        lambda v: v["weights"][1][0].__setitem__(0, True),
        lambda v: v["levels"].clear(),
        lambda v: v["levels"][0].update(recent=-1),
        lambda v: v["levels"][0].update(sites=[-1]),
        lambda v: v["levels"][0]["employers"][0].update(number=3),
        lambda v: v["levels"][0]["employers"].append(v["levels"][0]["employers"][0]),
        lambda v: v["levels"][0]["employers"][0].update(price=0),
    ],
)
def test_a_table_of_another_shape_is_refused(change):  # spec: fair-1
    field, need = example()
    value = json.loads(table_bytes(fit(field, need)))
    change(value)
    with pytest.raises(Refused):
        read_table(json.dumps(value, sort_keys=True, separators=(",", ":")).encode(), field, "table")


def best_smallest_chance(field: Field, need: Need, seatings: set, able: list[int]) -> float:
    """The largest smallest chance per weight over all lotteries on the lawful seatings, by a linear programme over every one of them."""
    solver = highspy.Highs()
    solver.setOptionValue("output_flag", False)
    solver.addVar(0, highspy.kHighsInf)
    solver.changeColCost(0, -1.0)
    ordered = sorted(seatings)
    for _ in ordered:
        solver.addVar(0, highspy.kHighsInf)
    every = np.arange(1, len(ordered) + 1, dtype=np.int32)
    solver.addRow(1, 1, len(ordered), every, np.ones(len(ordered)))
    for person in able:
        at = [n for n, seating in enumerate(ordered, 1) if any(person in seat for seat in seating)]
        weight = field.types[field.type_numbers[person]].weight
        solver.addRow(0, highspy.kHighsInf, len(at) + 1, np.array([0, *at], dtype=np.int32), np.array([-float(weight)] + [1.0] * len(at)))
    solver.run()
    return -solver.getInfo().objective_function_value


def test_no_lottery_beats_a_bound_whatever_the_prices_are():  # spec: fair-2
    """Random prices on random tiny pools: the bound is never below what the best of all lotteries reaches."""
    chance = random.Random(5)
    tried = 0
    for _ in range(counts("prices against all lotteries", 400, 3_000)):
        field, need = tiny(chance, 7)
        need = replace(need, barred_rows=frozenset(), barred_employers=frozenset())
        seatings, sits = brute(field, need)
        able = [n for n, number in enumerate(sits) if number]
        if not able:
            continue
        priced = [ClassPrice(n, chance.randint(1, 9)) for n in range(len(field.classes)) if chance.random() < 0.3]
        level = Level(
            tuple(priced),
            chance.choice((0, chance.randint(0, 9))),
            tuple(chance.randint(-3, 9) for _ in need.counts),
            tuple(chance.choice((0, chance.randint(0, 9))) for _ in need.sites),
        )
        doing = work(field, need)
        try:
            certified = certify(
                crowds(doing, frozenset(each.number for each in priced)), [level], need, employers_of(doing), finished=False
            )
        except Refused as wrong:
            assert wrong.code == "bad_certificate"
            continue
        tried += 1
        assert best_smallest_chance(field, need, seatings, able) <= float(certified.bounds[0]) + 1e-9, (field, need, level)
    assert tried > 75


def test_what_a_bad_certificate_is():  # spec: fair-2
    field, need = example()
    table = fit(field, need)
    for levels in (
        (replace(table.levels[0], seats=(0,)), *table.levels[1:]),
        (replace(table.levels[0], sites=(1,)), *table.levels[1:]),
        table.levels[:-1],
        (*table.levels, table.levels[-1]),
        (replace(table.levels[0], seats=(-9, -9), employers=()), *table.levels[1:]),
    ):
        with pytest.raises(Refused, match="bad_certificate"):
            check_fairness(with_table(field, table), need, Table(levels, table.weights))


# Fits ------------------------------------------------------------------------------------------------------------------------------------


def reach(field: Field, need: Need) -> tuple[Fraction, Fraction, Fraction, float]:
    """(smallest chance / bound, smallest and largest chance / target, Gini of the chances less that of the targets) of a fit."""
    table = fit(field, need)
    weighed = with_table(field, table)
    fairness = check_fairness(weighed, need, table)
    assert fairness.faults == ()
    total = count(weighed, need)
    groups = fairness.groups
    low = min(Fraction(crowd.least * UNIT, total * fairness.targets[at]) for at, crowd in groups.items() if at[1] < 0)
    high = max(Fraction(crowd.most * UNIT, total * fairness.targets[at]) for at, crowd in groups.items())
    targets = [fairness.targets[at] for at, crowd in groups.items() for _ in range(crowd.people)]
    chances = [n for n in numerators(weighed, need) if n]
    assert len(targets) == len(chances)
    return fairness.smallest / fairness.bound, low, high, abs(gini(chances) - gini(targets))


WIDE = [(200, 0), (250, 0), (300, 0), (1_000, 0), (5_000, 0), (20_000, 0)] + ([(100_000, 0), (500_000, 0)] if LONG else [])
FEW = [(300, 12), (1_000, 12), (1_000, 25), (2_000, 60), (5_000, 12), (20_000, 25)]


@pytest.mark.parametrize(("people", "employers"), WIDE + FEW)
def test_a_fit_is_near_the_bound_and_everybody_near_the_target(people, employers):
    for seed in range(counts(f"fits of {people} people, {employers or 'many'} employers", 2, 3 if people > 20_000 else 20)):
        smallest, low, high, uneven = reach(*synthetic(people, employers=employers, seed=seed))
        assert smallest >= Fraction(99, 100)
        assert (low, high) >= (Fraction(98, 100), Fraction(98, 100))
        assert high <= Fraction(102, 100)
        assert uneven < 0.01


def test_a_large_committee_is_fitted_exactly_too():
    smallest, low, high, _ = reach(*synthetic(2_000 if not LONG else 100_000, shape=LARGE))
    assert smallest >= Fraction(99, 100)
    assert low >= Fraction(98, 100)
    assert high <= Fraction(102, 100)


@pytest.mark.parametrize(("people", "employers"), [(300, 0), (1_000, 12), (5_000, 0)])
def test_ten_times_the_fair_chance_fails(people, employers):
    """Whichever class of employers is favoured, F3 sees it; so it does where the liar prices the class as well."""
    field, need = synthetic(people, employers=employers)
    table = fit(field, need)
    chance = random.Random(2)
    alone = [n for n, kinds in enumerate(field.classes) if employers or sum(number for _, number in kinds) == 1]
    for number in chance.sample(alone, min(len(alone), counts("favoured classes", 5, 20))):
        raised = {kind: tuple(10 * each for each in seats) for kind, seats in table.weights[number].items()}
        weights = (*table.weights[:number], raised, *table.weights[number + 1 :])
        dear = replace(
            table.levels[0], employers=tuple(sorted({*table.levels[0].employers, ClassPrice(number, 1)}, key=lambda e: e.number))
        )
        for levels in (table.levels, (dear, *table.levels[1:])):
            lie = Table(levels, weights)
            codes = {code for _, code, _, _ in check_fairness(with_table(field, lie), need, lie).faults}
            assert "chance_off_target" in codes


def test_an_idle_price_fails():
    field, need = synthetic(1_000)
    table = fit(field, need)
    first = table.levels[0]
    unit = max(map(abs, first.seats))
    seen = 0
    for level in (
        replace(first, recent=first.recent + unit),
        replace(first, seats=(first.seats[0] + unit, *first.seats[1:])),
        replace(first, employers=(ClassPrice(3, unit),)),
        replace(first, sites=tuple(each + unit for each in first.sites)),
    ):
        lie = Table((level, *table.levels[1:]), table.weights)
        try:
            faults = check_fairness(with_table(field, lie), need, lie).faults
        except Refused as wrong:
            assert wrong.code == "bad_certificate"
            continue
        assert faults
        seen += "price_without_scarcity" in {code for _, code, _, _ in faults}
    assert seen >= 2


def test_weights_of_a_regulation_multiply_into_the_targets():
    """Whoever a regulation gives twice the weight has twice the target of his like, and the chance follows."""
    field, need = synthetic(3_000)
    doubled = [replace(kind, weight=2) for kind in field.types[:4]]
    chance = random.Random(1)
    kinds = (*field.types, *doubled)
    order = sorted(range(len(kinds)), key=lambda n: (kinds[n].seats, kinds[n].site, kinds[n].recent, kinds[n].weight))
    place = {old: new for new, old in enumerate(order)}
    numbers = [place[len(field.types) + n] if n < 4 and chance.random() < 0.3 else place[n] for n in field.type_numbers]
    field = Field(tuple(kinds[n] for n in order), numbers, field.employers)
    table = fit(field, need)
    fairness = check_fairness(with_table(field, table), need, table)
    assert fairness.faults == ()
    pairs = 0
    for one, two in itertools.product(range(len(field.types)), repeat=2):
        if field.types[one].weight == 1 and field.types[two] == replace(field.types[one], weight=2):
            first, second = fairness.targets[one, -1], fairness.targets[two, -1]
            assert abs(Fraction(second, first) - 2) < Fraction(1, 10**6)
            pairs += 1
    assert pairs == 4


def test_tiny_pools_are_fitted_or_refused_by_name():
    chance = random.Random(9)
    done = refused = 0
    for _ in range(counts("tiny pools fitted", 150, 1_500)):
        field, need = tiny(chance, 20)
        if not sum(need.counts) or count(field, need) == 0:
            continue
        try:
            table = fit(field, need)
        except Refused as wrong:
            assert wrong.code == "fit_not_reached"
            refused += 1
            continue
        assert check_fairness(with_table(field, table), need, table).faults == ()
        done += 1
    assert done > 8 * refused
