"""Weights and prices for `fair/1`: proposed here with floats and a solver, judged by `drawing.certificate` with integers alone.

First the targets. A linear programme over groups of people finds the largest smallest chance and its prices; whoever pays is fixed there, and the
next level asks the same of the rest. Then the weights: each person's weight is multiplied by target / chance until all chances agree (iterative
proportional fitting). Nothing made here is trusted: a table that does not pass F2 and F3 is refused before anything is committed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

import highspy
import numpy as np
from numpy.typing import NDArray

from drawing.certificate import (
    MAX_WEIGHT,
    UNIT,
    ClassPrice,
    Crowd,
    Group,
    Level,
    Table,
    certify,
    check_fairness,
    crowds,
    employers_of,
)
from drawing.errors import Refused
from drawing.fair import Field, Need, Work, work

Floats = NDArray[np.float64]
Places = NDArray[np.intp]
SCALE = 1 << 34  # prices are whole multiples of 1/SCALE of the largest
SNAP = 1e-7  # prices and differences below this share of the largest are the solver's noise
MAX_LEVELS = 2_000


# Targets ----------------------------------------------------------------------------------------------------------------------------------


@dataclass
class Targets:
    """Groups with their people, the levels found, the target of each group, the seats each group pays the lowest price for at all levels."""

    groups: Mapping[Group, Crowd]
    levels: tuple[Level, ...]
    shares: Mapping[Group, float]
    seats: Mapping[Group, frozenset[int]]


def find_targets(field: Field, need: Need) -> Targets:
    """Leximin over groups, level by level. Employers get a price of their own only where somebody could want more than their one place."""
    plain = _unweighted(field, need)
    employers = employers_of(plain)
    priced: frozenset[int] = frozenset()
    for _ in range(50):
        groups = crowds(plain, priced)
        if not groups:
            raise Refused("no_lawful_panel", "request")
        found = _leximin(groups, need, {number: employers[number] for number in priced})
        crowded = _crowded(plain, groups, found.shares, priced)
        if not crowded:
            return found
        priced |= crowded
    raise Refused("fit_not_reached", "request", what="employers")


def _unweighted(field: Field, need: Need) -> Work:
    """The same people, all of weight 1: who can be drawn at all does not depend on weights."""
    ones = [{kind: (1,) * len(field.types[kind].seats) for kind, _ in kinds} for kinds in field.classes]
    return work(field.weighed(ones), need)


def _crowded(doing: Work, groups: Mapping[Group, Crowd], shares: Mapping[Group, float], priced: frozenset[int]) -> frozenset[int]:
    """Classes of employers whose people would be drawn more than once on average."""
    out = set()
    for cell in doing.cells:
        if cell.number not in priced:
            drawable = [(kind, people) for kind, people in cell.kinds if (kind, -1) in shares and any(doing.numerators_of(cell, kind))]
            mean = sum(people * shares[kind, -1] for kind, people in drawable)
            if mean > 1 + 1e-9:
                out.add(cell.number)
    return frozenset(out)


def _leximin(groups: Mapping[Group, Crowd], need: Need, employers: Mapping[int, int]) -> Targets:
    names = list(groups)
    sites = sorted(need.sites)
    levels: list[Level] = []
    fixed: dict[Group, float] = {}
    seats = {group: frozenset(seat for seat in groups[group].seats if need.counts[seat]) for group in names}
    while len(fixed) < len(names):
        if len(levels) >= MAX_LEVELS:
            raise Refused("fit_not_reached", "request", what="levels")
        level = _prices(groups, names, need, sites, employers, fixed)
        levels.append(level)
        certified = _so_far(groups, levels, need, employers)
        if len(certified) == len(fixed):
            raise Refused("fit_not_reached", "request", what="levels")
        fixed = certified
        largest = max(abs(each) for each in level.seats)
        for group in names:
            lowest = min(level.seats[seat] for seat in groups[group].seats if need.counts[seat])
            seats[group] = frozenset(seat for seat in seats[group] if level.seats[seat] - lowest <= largest * SNAP) or seats[group]
    return Targets(groups, tuple(levels), fixed, seats)


def _so_far(groups: Mapping[Group, Crowd], levels: Sequence[Level], need: Need, employers: Mapping[int, int]) -> dict[Group, float]:
    """The targets that the levels so far fix."""
    return {group: target / UNIT for group, target in certify(groups, levels, need, employers, finished=False).targets.items()}


class _Solver(highspy.Highs):
    """HiGHS that prints nothing: it greets as soon as its callbacks are enabled, which is part of making one."""

    def enableCallbacks(self) -> None:
        self.setOptionValue("output_flag", False)
        super().enableCallbacks()  # type: ignore[no-untyped-call]


def _prices(
    groups: Mapping[Group, Crowd],
    names: Sequence[Group],
    need: Need,
    sites: Sequence[int],
    employers: Mapping[int, int],
    fixed: Mapping[Group, float],
) -> Level:
    """The prices of one level: the dual of "raise the smallest chance of all who are not fixed"."""
    solver = _Solver()  # type: ignore[no-untyped-call]
    solver.setOptionValue("primal_feasibility_tolerance", 1e-10)
    solver.setOptionValue("dual_feasibility_tolerance", 1e-10)
    unit = sum(need.counts) / sum(crowd.people * crowd.weight for crowd in groups.values())  # chances are about this
    inf = highspy.kHighsInf
    columns: list[tuple[int, int]] = [(n, seat) for n, group in enumerate(names) for seat in groups[group].seats if need.counts[seat]]
    level_column = len(columns)
    rows: list[tuple[float, float, dict[int, float]]] = []
    by_group: list[dict[int, float]] = [{} for _ in names]
    for column, (n, _) in enumerate(columns):
        by_group[n][column] = 1.0
    open_seats = [seat for seat, count in enumerate(need.counts) if count]
    for seat in open_seats:
        count = need.counts[seat]
        rows.append((count, count, {column: 1.0 for column, (_, at) in enumerate(columns) if at == seat}))
    rows += [(1, inf, {column: 1.0 for column, (n, _) in enumerate(columns) if groups[names[n]].site == site}) for site in sites]
    rows.append((-inf, need.recent_left, {column: 1.0 for column, (n, _) in enumerate(columns) if groups[names[n]].recent}))
    numbers = sorted(employers)
    rows += [
        (-inf, employers[number], {column: 1.0 for column, (n, _) in enumerate(columns) if groups[names[n]].number == number})
        for number in numbers
    ]
    shared = len(rows)
    for n, group in enumerate(names):
        crowd = groups[group]
        if group in fixed:
            mass = fixed[group] * crowd.people
            rows.append((mass * (1 - 1e-9), mass * (1 + 1e-9), by_group[n]))
        else:
            rows.append((0, inf, {**by_group[n], level_column: -unit * crowd.people * crowd.weight}))
            rows.append((-inf, crowd.people, by_group[n]))
    for _ in columns:
        solver.addVar(0, inf)
    solver.addVar(0, inf)
    solver.changeColCost(level_column, -1.0)
    for low, high, terms in rows:
        solver.addRow(low, high, len(terms), np.array(list(terms), dtype=np.int32), np.array(list(terms.values())))
    solver.run()
    if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        raise Refused("fit_not_reached", "request", what="no_optimum")
    dual = [-value for value in solver.getSolution().row_dual[:shared]]  # of "minimise -level": prices are what one more unit would bring
    largest = max(map(abs, dual)) or 1.0

    def whole(value: float) -> int:
        return round(value / largest * SCALE) if abs(value) > SNAP * largest else 0

    prices = [whole(value) for value in dual]
    kept = iter(prices)
    by_seat = {seat: next(kept) for seat in open_seats}
    for seat, found in by_seat.items():  # prices that differ by noise are one price
        by_seat[seat] = next(other for other in sorted(by_seat.values()) if abs(other - found) <= SCALE * SNAP)
    dearest = max(by_seat.values())
    return Level(
        seats=tuple(by_seat.get(seat, dearest) for seat in range(len(need.counts))),
        sites=tuple(max(0, -next(kept)) for _ in sites),
        recent=max(0, next(kept)),
        employers=tuple(ClassPrice(number, value) for number in numbers if (value := next(kept)) > 0),
    )


# Weights ----------------------------------------------------------------------------------------------------------------------------------

Ways = NDArray[np.float64]  # over the exponents of the seats and of z


class Chances:
    """All chances in floats, and fast: the few large employers by products, all others by a short series in their small u.

    Every employer's share of what a seat takes is small but for the large ones, so log(1 + u) and 1 / (1 + u) are cut off at a low degree.
    """

    def __init__(self, doing: Work, seats: int) -> None:
        need = doing.need
        self._need, self._recents, self._seats = need, doing.recents, seats
        self._shape = (*(count + 1 for count in need.counts), doing.recents + 1)
        self.people = [(n, cell, kind, people) for n, cell in enumerate(doing.cells) for kind, people in cell.kinds]
        self._cells = len(doing.cells)
        self._copies = np.array(list(doing.cells.values()), float)
        entries = [
            (entry, n, seat, at, *doing.place(doing.field.types[kind]), people)
            for entry, (n, _, kind, people) in enumerate(self.people)
            for at, seat in enumerate(doing.field.types[kind].seats)
            if need.counts[seat] and doing.place(doing.field.types[kind])[0] <= doing.recents
        ]
        columns = np.array([each[:6] for each in entries], np.int64).reshape(-1, 6).T
        self.entry, self._cell, self.seat, self._at, recent, self._site = columns
        self._recent = recent
        self._number = np.array([each[6] for each in entries], float)
        self._variables = [(seat, recent) for seat, count in enumerate(need.counts) if count for recent in range(min(doing.recents, 1) + 1)]
        number = {variable: n for n, variable in enumerate(self._variables)}
        self._variable = np.array([number[each[2], each[4]] for each in entries], np.int64)
        self._subsets = [
            ((-1) ** sum(mask), frozenset(site for site, out in zip(sorted(need.sites), mask, strict=True) if out))
            for mask in product((0, 1), repeat=len(need.sites))
        ]
        degree = 4 if len(self._variables) <= 6 else 3
        self._monomials, self._parents, self._places, self._ways = _monomials(self._variables, need.counts, doing.recents, degree)
        self._degrees = np.array([sum(each) for each in self._monomials])
        self._order = _orders(self._shape, degree)

    def of(self, weights: Floats) -> Floats:
        """The chance of each entry (person of a cell, seat) for a weight of each."""
        whole = np.bincount(self.seat, weights=weights * self._number * self._copies[self._cell], minlength=self._seats)
        counts = np.array(self._need.counts, float)
        weights = weights * (counts / np.where(whole > 0, whole, 1))[self.seat]
        share = np.bincount(self._cell, weights=weights * self._number, minlength=self._cells)
        large = np.flatnonzero(share > 0.12)
        if self._copies.sum() <= 200 or len(large) > 200:
            large = np.arange(self._cells) if self._copies.sum() <= 200 else np.argsort(-share)[:200]
        total, found = 0.0, np.zeros(len(weights))
        for sign, sites in self._subsets:
            kept = ~np.isin(self._site, list(sites))
            u = np.bincount(
                self._cell * len(self._variables) + self._variable,
                weights=np.where(kept, weights * self._number, 0),
                minlength=self._cells * len(self._variables),
            ).reshape(self._cells, -1)
            whole_ways, shares = self._without_each(u.astype(float), large)
            total += sign * whole_ways
            found += sign * np.where(kept, weights * shares[self._cell, self._variable], 0)
        return found / total

    def _without_each(self, u: Floats, large: Places) -> tuple[float, Floats]:
        """(weight of all ways, for each cell and variable the ways to complete one person there) with all 1 + u."""
        small = np.ones(self._cells, bool)
        small[large] = False
        powers = np.ones((len(self._monomials), small.sum()))
        for n, (parent, variable) in enumerate(self._parents):
            if parent >= 0:
                powers[n] = powers[parent] * u[small, variable]
        signs = np.where(self._degrees % 2, -1.0, 1.0)
        sums = (powers @ self._copies[small]) * -signs * self._ways / np.maximum(self._degrees, 1)
        logs = np.bincount(self._places, weights=np.where(self._degrees > 0, sums, 0), minlength=prod(self._shape))
        ways = self._exponential(logs.astype(float))
        row = [n for n in large for _ in range(int(self._copies[n]))]
        prefixes = [ways]
        for n in row:
            prefixes.append(prefixes[-1] + self._times(prefixes[-1], u[n]))
        whole = prefixes[-1]
        shares = np.zeros((self._cells, len(self._variables)))
        capped = np.cumsum(whole, axis=-1)
        top = np.array([[self._value(capped, seat, recent, place) for seat, recent in self._variables] for place in self._monomials_at()])
        shares[small] = (powers * (signs * self._ways)[:, None]).T @ top
        suffix = np.zeros(self._shape)
        suffix[(0,) * len(self._shape)] = 1
        for n, before in zip(reversed(row), reversed(prefixes[:-1]), strict=True):
            shares[n] = [self._meet(before, np.cumsum(suffix, axis=-1), seat, recent) for seat, recent in self._variables]
            suffix = suffix + self._times(suffix, u[n])
        return float(capped[(*self._need.counts, -1)]), shares

    def _monomials_at(self) -> list[tuple[tuple[int, ...], int]]:
        """The exponents (of the seats, of z) of each monomial."""
        out = []
        for each in self._monomials:
            seats = [0] * len(self._need.counts)
            for (seat, _), power in zip(self._variables, each, strict=True):
                seats[seat] += power
            out.append((tuple(seats), sum(power for (_, recent), power in zip(self._variables, each, strict=True) if recent)))
        return out

    def _value(self, capped: Ways, seat: int, recent: int, place: tuple[tuple[int, ...], int]) -> float:
        """The capped ways at the top, less one person in a seat, less a monomial."""
        left = [count - used - (number == seat) for number, (count, used) in enumerate(zip(self._need.counts, place[0], strict=True))]
        z = self._recents - recent - place[1]
        return float(capped[(*left, z)]) if min(left) >= 0 and z >= 0 else 0.0

    def _times(self, ways: Ways, u: Floats) -> Ways:
        out = np.zeros(self._shape)
        for (seat, recent), weight in zip(self._variables, u, strict=True):
            if weight:
                to, of = [slice(None)] * len(self._shape), [slice(None)] * len(self._shape)
                to[seat], of[seat] = slice(1, None), slice(None, -1)
                if recent:
                    to[-1], of[-1] = slice(1, None), slice(None, -1)
                out[tuple(to)] += weight * ways[tuple(of)]
        return out

    def _meet(self, before: Ways, after: Ways, seat: int, recent: int) -> float:
        """The sum over v of before(v) * after(top - person - v)."""
        window = [slice(None)] * len(self._shape)
        window[seat] = slice(None, -1)
        if recent:
            window[-1] = slice(None, -1)
        part = before[tuple(window)]
        return float((part * np.flip(after[tuple(window)])).sum())

    def _exponential(self, logs: Floats) -> Ways:
        out = np.zeros(prod(self._shape))
        out[0] = 1
        for degree, (to, of, by, by_degree) in self._order:
            terms = logs[by] * by_degree * out[of]
            out += np.bincount(to, weights=terms, minlength=len(out)) / degree
        return out.reshape(self._shape)


def _monomials(
    variables: Sequence[tuple[int, int]], counts: Sequence[int], recents: int, degree: int
) -> tuple[list[tuple[int, ...]], list[tuple[int, int]], Places, Floats]:
    """All products of at most `degree` variables within the limits: (exponents, (parent, variable), place, multinomial number)."""
    none = (0,) * len(variables)
    found: dict[tuple[int, ...], int] = {none: 0}
    parents = [(-1, 0)]
    layer = [none]
    for _ in range(degree):
        above = []
        for each in layer:
            last = max((n for n, power in enumerate(each) if power), default=0)
            for n in range(last, len(variables)):
                more = (*each[:n], each[n] + 1, *each[n + 1 :])
                seat = variables[n][0]
                if sum(power for (at, _), power in zip(variables, more, strict=True) if at == seat) <= counts[seat] and (
                    sum(power for (_, recent), power in zip(variables, more, strict=True) if recent) <= recents
                ):
                    found[more] = len(parents)
                    parents.append((found[each], n))
                    above.append(more)
        layer = above
    strides = [prod([count + 1 for count in counts[seat + 1 :]]) * (recents + 1) for seat in range(len(counts))]
    places = [sum(power * (strides[seat] + recent) for (seat, recent), power in zip(variables, each, strict=True)) for each in found]
    ways = [_multinomial(each) for each in found]
    return list(found), parents, np.array(places, np.int64), np.array(ways)


def _multinomial(powers: Sequence[int]) -> float:
    ways, total = 1.0, 0
    for power in powers:
        for n in range(power):
            total += 1
            ways *= total / (n + 1)
    return ways


Layer = tuple[Places, Places, Places, Floats]


def _orders(shape: Sequence[int], degree: int) -> list[tuple[int, Layer]]:
    """For exp of a series up to `degree`: by degree of the result, all (place, place before, exponent between, its degree)."""
    points = np.indices(shape).reshape(len(shape), -1).T
    degrees = points[:, :-1].sum(axis=1)
    strides = np.array([prod(shape[n + 1 :]) for n in range(len(shape))])
    steps = np.flatnonzero((degrees > 0) & (degrees <= degree))
    out = []
    for wanted in range(1, int(degrees.max()) + 1):
        to = np.flatnonzero(degrees == wanted)
        parts = []
        for step in steps:
            fits = to[(points[to] >= points[step]).all(axis=1)]
            parts.append((fits, fits - points[step] @ strides, np.full(len(fits), step), np.full(len(fits), float(degrees[step]))))
        joined = tuple(np.concatenate(column) for column in zip(*parts, strict=True))
        out.append((wanted, joined))
    return out  # type: ignore[return-value]


UNUSED = 2.0**-11  # of the weight for seats that are too dear for a group
GOOD = 0.003  # how near all chances should come to their targets; a table may pass with less
MAX_STEPS = 400
MEMORY = 6  # steps that the acceleration looks back on


def fit(field: Field, need: Need) -> Table:
    """The table for these people and this need. Raises Refused `no_lawful_panel`, or `fit_not_reached` with what fails."""
    targets = find_targets(field, need)
    doing = _unweighted(field, need)
    chances = Chances(doing, len(need.counts))
    goal = np.zeros(len(chances.people))
    use = np.ones(len(chances.entry))
    priced = {number for _, number in targets.groups}
    for n, (_, cell, kind, _) in enumerate(chances.people):
        group = (kind, cell.number if cell.number in priced else -1)
        goal[n] = targets.shares.get(group, 0.0) if sum(doing.numerators_of(cell, kind)) else 0.0
    for n, (entry, seat) in enumerate(zip(chances.entry, chances.seat, strict=True)):
        _, cell, kind, _ = chances.people[entry]
        group = (kind, cell.number if cell.number in priced else -1)
        if seat not in targets.seats.get(group, frozenset([seat])):
            use[n] = UNUSED
    with np.errstate(all="ignore"):  # where a fit runs away, the check at the end says so
        weights = _proportional(chances, goal, use)
    table = Table(targets.levels, _integers(field, chances, weights * use, use))
    faults = check_fairness(with_table(field, table), need, table).faults
    if faults:
        check, code, place, params = faults[0]
        raise Refused("fit_not_reached", "request", what=f"{check} {code} {place} {params}")
    return table


def with_table(field: Field, table: Table) -> Field:
    """The same people with the weights of a table."""
    return field.weighed(table.weights)


def _proportional(chances: Chances, goal: Floats, use: Floats) -> Floats:
    """The weight of each entry before `use`: a fixed point of weight * target / chance, in logarithms, with Anderson's acceleration."""
    drawn = goal > 0
    log = np.log(np.where(drawn, goal, 1e-12))
    best, best_off = log, np.inf
    moved: list[Floats] = []  # how the logarithms changed from step to step, and
    eased: list[Floats] = []  # how the misses did
    before: tuple[Floats, Floats] | None = None
    for _ in range(MAX_STEPS):
        weights = np.exp(log - log.max())
        found = np.bincount(chances.entry, weights=chances.of(weights[chances.entry] * use), minlength=len(goal))
        miss = np.where(drawn, np.log(np.where(drawn, goal, 1) / np.maximum(found, 1e-300)), 0)
        off = float(np.abs(np.expm1(-miss)).max())
        if off < best_off:
            best, best_off = log, off
        if off < GOOD:
            break
        if not np.isfinite(off) or off > 4 * best_off:  # it leapt too far: begin again from the best
            log, moved, eased, before = best, [], [], None
            continue
        if before is not None:
            moved = [*moved[1 - MEMORY :], log - before[0]]
            eased = [*eased[1 - MEMORY :], miss - before[1]]
        before = log, miss
        log = log + miss
        if moved:
            slopes = np.column_stack(eased)
            share = np.linalg.lstsq(slopes, miss, rcond=1e-8)[0]
            log = log - (np.column_stack(moved) + slopes) @ share
    found = np.exp(best - best.max())
    return found[chances.entry]  # type: ignore[no-any-return]


def _integers(field: Field, chances: Chances, weights: Floats, use: Floats) -> tuple[Mapping[int, tuple[int, ...]], ...]:
    """Whole weights, seat by seat as small as keeps their ratios to a thousandth."""
    scaled = np.ones(len(weights))
    for seat in set(chances.seat.tolist()):
        here = chances.seat == seat
        used = weights[here & (use == 1)]
        least = used.min() if len(used) else weights[here].min()
        scale = min(2.0**11 / least, (MAX_WEIGHT - 1) / weights[here].max())
        scaled[here] = np.maximum(1, np.round(weights[here] * scale))
    found: list[dict[int, list[int]]] = [{kind: [1] * len(field.types[kind].seats) for kind, _ in kinds} for kinds in field.classes]
    for entry, seat, weight in zip(chances.entry, chances.seat, scaled, strict=True):
        _, cell, kind, _ = chances.people[entry]
        found[cell.number][kind][field.types[kind].seats.index(seat)] = int(weight)
    return tuple({kind: tuple(seats) for kind, seats in kinds.items()} for kinds in found)
