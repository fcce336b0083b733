"""The lottery of `leximin/1`: found here with floats and a solver, judged by `drawing.lottery` with integers alone.

First the chances. A small linear programme over types, without integers, raises the smallest chance; its prices are snapped to whole numbers,
and from them follow exact rational targets, level by level. They are what any lottery could reach at best. Then the tickets: panels are added
until some mixture of them has those targets, new ones by single exchanges that pay at the mixture's prices, by an integer programme where no
exchange pays. The mixture is made whole: each panel gets the whole number of copies below its share, the few tickets that are left over
are mended by exchanges of people until all sums are exact. Where quotas interlock so that no mixture of whole panels has the targets, the
levels are found again over panels; they are then exact as well, but the prices of quotas show only a bound for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from math import lcm
from random import Random
from typing import Any, NamedTuple

import highspy
import numpy as np
from numpy.typing import NDArray

from drawing.errors import Refused
from drawing.lottery import Lottery, Prices, Task, Ticket, certify

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
SNAP = 1e-8  # prices below this share of the largest are the solver's noise
FINEST = 2_000  # prices are ratios of small integers: largest denominator tried
NEAR = 1e-9
MANY_TICKETS = 1_000_000  # where nothing exact is found
SOLVED_TO = 300  # types: fractions of larger systems take minutes
REMEMBERED = 2_000  # panels whose exchanges are kept: some kilobytes each
STARTS = 40  # panels of the mixture from which exchanges begin
MAX_ROUNDS = 2_000
TIMES = 13  # multiples of the common denominator that are tried: some cannot be had with whole panels
SHAKES, SHAKEN = 25, 30  # how often tickets are shaken where nothing else helps, and by how many exchanges
TOGETHER = (2, 4, 6, 9, 14)  # how many tickets are chosen anew at once
INF = highspy.kHighsInf


def make_lottery(task: Task, respondents: bytes = bytes(32), categories: bytes = bytes(32)) -> Lottery:
    """The lottery with the most equal chances. Raises Refused `quotas_conflict` naming quotas that no panel can keep together."""
    _check(task)
    panels = _Panels(task)
    levels = _levels(task, frozenset())
    targets = certify(task, levels).targets
    tickets = _reach(panels, targets)
    out: tuple[int, ...] = ()
    if tickets is None:
        out = tuple(n for n, kind in enumerate(task.kinds) if targets[n] and not panels.can_seat(n))
        found = _levels_over_panels(panels, frozenset(out) | {n for n, target in enumerate(targets) if target == 0})
        tickets = _reach(panels, found.targets) or found.rounded
        levels = _levels(task, frozenset(out))
    return Lottery(task, tuple(tickets), levels, out, respondents, categories)


# Quotas that cannot be kept together -------------------------------------------------------------------------------------------------------


def _check(task: Task) -> None:
    if task.panel > task.size:
        raise Refused("panel_too_large", "respondents", panel=task.panel, people=task.size)
    for number, quota in enumerate(task.quotas):
        if quota.least > quota.most:
            raise Refused("least_above_most", "categories", name=task.named(number), least=quota.least, most=quota.most)
    there = [0] * len(task.quotas)
    for kind in task.kinds:
        for value in kind.values:
            there[value] += kind.people
    for number, quota in enumerate(task.quotas):
        if quota.least > there[number]:
            raise Refused("too_few_people", "respondents", name=task.named(number), least=quota.least, people=there[number])
    for feature, name in enumerate(task.features):
        of = [quota for quota in task.quotas if quota.feature == feature]
        least, most = sum(quota.least for quota in of), sum(quota.most for quota in of)
        if not least <= task.panel <= most:
            raise Refused("feature_off_panel", "categories", name=name, least=least, most=most, panel=task.panel)
    if not _possible(task, range(len(task.quotas))):
        kept = list(range(len(task.quotas)))
        for number in range(len(task.quotas)):  # whatever can be left out without ending the conflict has no part in it
            fewer = [each for each in kept if each != number]
            if not _possible(task, fewer):
                kept = fewer
        named = "; ".join(f"{task.named(n)} {task.quotas[n].least}–{task.quotas[n].most}" for n in kept)
        raise Refused("quotas_conflict", "categories", names=named, panel=task.panel)


def _possible(task: Task, quotas: Iterable[int]) -> bool:
    solver = _model(task, frozenset(quotas), integers=True)
    solver.run()
    return bool(solver.getModelStatus() == highspy.HighsModelStatus.kOptimal)


class _Solver(highspy.Highs):
    """HiGHS that prints nothing: it greets as soon as its callbacks are enabled, which is part of making one."""

    def enableCallbacks(self) -> None:
        self.setOptionValue("output_flag", False)
        super().enableCallbacks()  # type: ignore[no-untyped-call]

    def row(
        self, low: float, high: float, columns: Sequence[int] | NDArray[np.signedinteger[Any]], values: Sequence[float] | Floats
    ) -> None:
        """Add a row."""
        self.addRow(low, high, len(columns), np.asarray(columns, np.int32), np.asarray(values, float))


def _model(task: Task, kept: frozenset[int], *, integers: bool) -> _Solver:
    """People per type within the panel's size and the quotas that are kept: quotas first, the size last."""
    solver = _Solver()  # type: ignore[no-untyped-call]
    kinds = len(task.kinds)
    solver.addVars(kinds, np.zeros(kinds), np.array([float(kind.people) for kind in task.kinds]))
    if integers:
        solver.changeColsIntegrality(kinds, np.arange(kinds, dtype=np.int32), np.ones(kinds, np.uint8))
        solver.setOptionValue("mip_rel_gap", 0.0)
        solver.setOptionValue("mip_abs_gap", 1e-7)
    members = _members(task)
    for number, quota in enumerate(task.quotas):
        if number in kept:
            solver.row(quota.least, quota.most, members[number], np.ones(len(members[number])))
    solver.row(task.panel, task.panel, np.arange(kinds), np.ones(kinds))
    return solver


def _members(task: Task) -> list[list[int]]:
    members: list[list[int]] = [[] for _ in task.quotas]
    for number, kind in enumerate(task.kinds):
        for value in kind.values:
            members[value].append(number)
    return members


# Levels without integers -------------------------------------------------------------------------------------------------------------------


def _levels(task: Task, out: frozenset[int]) -> tuple[Prices, ...]:
    """Prices of all levels: of "raise the smallest chance of all who are not fixed", until everybody is. Warm from level to level."""
    kinds = len(task.kinds)
    solver = _model(task, frozenset(range(len(task.quotas))), integers=False)
    solver.setOptionValue("primal_feasibility_tolerance", 1e-10)
    solver.setOptionValue("dual_feasibility_tolerance", 1e-10)
    unit = task.panel / task.size  # chances are about this
    solver.addVar(0.0, 1 / unit)
    solver.changeColCost(kinds, -1.0)
    shared = len(task.quotas) + 1
    for number, kind in enumerate(task.kinds):
        if number in out:
            solver.changeColBounds(number, 0.0, 0.0)
            solver.row(0.0, INF, [], [])
        else:
            solver.row(0.0, INF, [number, kinds], [1.0, -unit * kind.people])
    levels: list[Prices] = []
    fixed: set[int] = set(out)
    while len(fixed) < kinds:
        solver.run()
        if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            raise Refused("fit_not_reached", "categories", what="no_optimum")
        solution = solver.getSolution()
        reached = solution.col_value[kinds] * unit
        dual = [-value for value in solution.row_dual[:shared]]
        level, certified = _snapped(task, levels, out, dual, reached)
        levels.append(level)
        new = [n for n, target in enumerate(certified) if target is not None and n not in fixed]
        if not new:
            raise Refused("fit_not_reached", "categories", what="levels")
        for number in new:
            target = certified[number]
            assert target is not None
            mass = float(target * task.kinds[number].people)
            solver.changeRowBounds(shared + number, -INF, INF)
            solver.changeColBounds(number, mass, mass)
        fixed.update(new)
    return tuple(levels)


def _snapped(
    task: Task, levels: Sequence[Prices], out: Iterable[int], dual: Sequence[float], reached: float
) -> tuple[Prices, tuple[Fraction | None, ...]]:
    """A level's prices as small integers that show just what was reached, and the targets that follow."""
    place = Prices(1, (0,) * len(task.quotas))  # a level where everybody left sits for certain is scarce of nothing
    if reached > 1 - NEAR:
        return place, certify(task, [*levels, place], out).targets
    for finest in (12, FINEST, FINEST * FINEST):
        *quotas, panel = _whole(dual, finest)
        level = Prices(panel, tuple(quotas))
        try:
            certified = certify(task, [*levels, level], out)
        except Refused:
            continue
        if abs(float(certified.bounds[-1]) - reached) <= NEAR * max(1, len(levels)):
            return level, certified.targets
    raise Refused("fit_not_reached", "categories", what="prices")


def _whole(values: Sequence[float], finest: int) -> list[int]:
    """Numbers in the ratios of `values`, as fractions of the largest with denominators up to `finest`, made whole."""
    largest = max(map(abs, values)) or 1.0
    parts = [Fraction(value / largest).limit_denominator(finest) if abs(value) > SNAP * largest else Fraction(0) for value in values]
    common = lcm(*(part.denominator for part in parts))
    return [int(part * common) for part in parts]


# Panels ------------------------------------------------------------------------------------------------------------------------------------


class _Panels:
    """All panels seen so far (people per type), and where more come from."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.kinds = len(task.kinds)
        self.people = np.array([kind.people for kind in task.kinds], np.int64)
        self._values = np.array([kind.values for kind in task.kinds], np.int64)
        self._least = np.array([quota.least for quota in task.quotas])
        self._most = np.array([quota.most for quota in task.quotas])
        self._solver = _model(task, frozenset(range(len(task.quotas))), integers=True)
        self._indexes = np.arange(self.kinds, dtype=np.int32)
        self.list: list[Ints] = []
        self._seen: set[bytes] = set()
        self._known: dict[bytes, tuple[Ints, NDArray[np.bool_]]] = {}

    def within(self, task: Task) -> _Panels:
        """The same list for a narrower task."""
        narrow = _Panels(task)
        narrow.list = self.list
        return narrow

    def add(self, panel: Ints) -> bool:
        """Whether the panel is a new one."""
        key = panel.tobytes()
        if key in self._seen:
            return False
        self._seen.add(key)
        self.list.append(panel)
        return True

    def best(self, worth: Floats) -> Ints:
        """The panel of the largest worth, by the integer programme."""
        self._solver.clearSolver()
        self._solver.changeColsCost(self.kinds, self._indexes, -worth)
        self._solver.run()
        if self._solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            raise Refused("fit_not_reached", "categories", what="no_optimum")
        return np.rint(self._solver.getSolution().col_value).astype(np.int64)

    def can_seat(self, number: int) -> bool:
        """Whether any lawful panel has somebody of a type."""
        if any(panel[number] for panel in self.list):
            return True
        worth = np.zeros(self.kinds)
        worth[number] = 1.0
        panel = self.best(worth)
        self.add(panel)
        return bool(panel[number])

    def split(self, sums: Ints, number: int) -> list[Ints] | None:
        """So many lawful panels that add up to `sums`, or None."""
        there = np.flatnonzero(sums)
        solver = _Solver()  # type: ignore[no-untyped-call]
        solver.setOptionValue("time_limit", 0.5)
        width = len(there)
        most = np.minimum(self.people[there], sums[there]).astype(float)
        solver.addVars(width * number, np.zeros(width * number), np.tile(most, number))
        columns = np.arange(width * number, dtype=np.int32)
        solver.changeColsIntegrality(len(columns), columns, np.ones(len(columns), np.uint8))
        for at, kind in enumerate(there):
            solver.row(sums[kind], sums[kind], columns[at::width], np.ones(number))
        members = [np.flatnonzero((self._values[there] == quota).any(axis=1)) for quota in range(len(self._least))]
        for n in range(number):
            solver.row(self.task.panel, self.task.panel, columns[n * width : (n + 1) * width], np.ones(width))
            for quota, of in enumerate(members):
                solver.row(self._least[quota], self._most[quota], (n * width + of).astype(np.int32), np.ones(len(of)))
        solver.run()
        if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            return None
        return list(
            np.rint(solver.getSolution().col_value).astype(np.int64).reshape(number, width) @ np.eye(self.kinds, dtype=np.int64)[there]
        )

    def exchanges(self, panel: Ints) -> tuple[Ints, NDArray[np.bool_]]:
        """The types that sit, and for each of them and every type whether one person may make way for one of the other."""
        key = panel.tobytes()
        if key in self._known:
            return self._known[key]
        sitting = np.flatnonzero(panel)
        seated = np.bincount(self._values.ravel(), weights=np.repeat(panel, self._values.shape[1]), minlength=len(self._least))
        free, room = seated > self._least + 0.5, seated < self._most - 0.5
        allowed = np.broadcast_to((panel < self.people)[None, :], (len(sitting), self.kinds)).copy()
        for values in self._values.T:
            mine = values[sitting]
            allowed &= (mine[:, None] == values[None, :]) | (free[mine][:, None] & room[values][None, :])
        if len(self._known) < REMEMBERED:
            self._known[key] = (sitting, allowed)
        return sitting, allowed

    def climb(self, panel: Ints, worth: Floats) -> Ints:
        """The panel after exchanges, each the best there is, until none is worth anything."""
        while True:
            sitting, allowed = self.exchanges(panel)
            gain = np.where(allowed, worth[None, :] - worth[sitting][:, None], 0.0)
            best = int(gain.argmax())
            leaves, enters = divmod(best, self.kinds)
            if gain[leaves, enters] <= NEAR:
                return panel
            panel = exchanged(panel, int(sitting[leaves]), enters)


def exchanged(panel: Ints, leaves: int, enters: int) -> Ints:
    """The panel after one person made way for another."""
    after = panel.copy()
    after[leaves] -= 1
    after[enters] += 1
    return after


# Tickets -----------------------------------------------------------------------------------------------------------------------------------


def _reach(panels: _Panels, targets: Sequence[Fraction | None]) -> list[Ticket] | None:
    """Tickets that give exactly these chances; None where no mixture of panels does."""
    mass = [(target or Fraction(0)) * kind.people for target, kind in zip(targets, panels.task.kinds, strict=True)]
    shares = _mixture(panels, np.array([float(each) for each in mass]))
    if shares is None:
        return None
    panels = panels.within(_tightened(panels.task, mass))
    common = lcm(*(each.denominator for each in mass))
    for times in range(1, TIMES if panels.kinds <= SOLVED_TO // 2 else 3):  # mending seldom helps where there are many types
        size = common * times
        found = _made_whole(panels, shares, [int(each * size) for each in mass], size)
        if found is not None:
            return found
    return (_solved(panels, shares, mass) if panels.kinds <= SOLVED_TO else None) or _rounded(panels, shares)


def _tightened(task: Task, mass: Sequence[Fraction]) -> Task:
    """The task for panels that can be part of such a mixture: what is used up on average is used up by each of them."""
    used = [sum((mass[n] for n, kind in enumerate(task.kinds) if number in kind.values), Fraction(0)) for number in range(len(task.quotas))]
    quotas = tuple(
        replace(quota, most=quota.least) if each == quota.least else replace(quota, least=quota.most) if each == quota.most else quota
        for quota, each in zip(task.quotas, used, strict=True)
    )
    return replace(task, quotas=quotas)


def _mixture(panels: _Panels, mass: Floats) -> Floats | None:
    """Shares of the panels in the list, which grows, so that everything adds up; None where it cannot."""
    kinds = panels.kinds
    master = _Solver()  # type: ignore[no-untyped-call]
    for each in mass:
        master.row(each, each, [], [])
    master.row(1.0, 1.0, [], [])
    for number in range(kinds):  # what a type has too little or too much
        column = np.array([number], np.int32)
        master.addCol(1.0, 0.0, INF, 1, column, np.array([1.0]))
        master.addCol(1.0, 0.0, INF, 1, column, np.array([-1.0]))
    if not panels.list:
        panels.add(panels.best(mass / panels.people))
    known = 0
    for _ in range(MAX_ROUNDS):
        for panel in panels.list[known:]:
            rows = np.flatnonzero(panel)
            master.addCol(0.0, 0.0, INF, len(rows) + 1, np.append(rows, kinds).astype(np.int32), np.append(panel[rows], 1).astype(float))
        known = len(panels.list)
        master.run()
        if master.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            raise Refused("fit_not_reached", "categories", what="no_optimum")
        solution = master.getSolution()
        shares = np.maximum(solution.col_value[2 * kinds :], 0)
        if master.getInfo().objective_function_value < NEAR:
            return shares
        worth, less = np.array(solution.row_dual[:kinds]), solution.row_dual[kinds]
        grew = False
        for start in np.argsort(-shares, kind="stable")[:STARTS]:
            if shares[start] > 0:
                panel = panels.climb(panels.list[start], worth)
                grew |= float(panel @ worth) + less > 1e-7 and panels.add(panel)
        if not grew:
            panel = panels.best(worth)
            if float(panel @ worth) + less <= 1e-7 or not panels.add(panel):
                return None
    return None


def _made_whole(panels: _Panels, shares: Floats, mass: Sequence[int], size: int) -> list[Ticket] | None:
    """`size` tickets near the shares whose sums are `mass` exactly; None where exchanges do not mend the rest."""
    used = [int(n) for n in np.flatnonzero(shares > NEAR)]
    exact = _refined(panels, {n: Fraction(float(shares[n])) for n in used}, mass, size)
    whole = sum(exact.values())
    copies = {n: int(exact[n] * size / whole) for n in used}
    rest = sorted(used, key=lambda n: (copies[n] - exact[n] * size / whole, n))
    for n in rest[: size - sum(copies.values())]:
        copies[n] += 1
    stock = _Stock(panels, {n: number for n, number in copies.items() if number}, mass)
    return stock.tickets() if stock.mend() else None


def _refined(panels: _Panels, shares: dict[int, Fraction], mass: Sequence[int], size: int) -> dict[int, Fraction]:
    """The shares more exactly than floats can say: what they miss is computed exactly and solved for in floats, twice where sizes are large."""
    if size <= MANY_TICKETS * 1_000:
        return shares
    columns = np.array([[*panels.list[n].tolist(), 1] for n in shares], float).T
    used = [(n, np.flatnonzero(panels.list[n])) for n in shares]
    for _ in range(1 + len(str(size)) // 9):
        missing = [Fraction(each, size) for each in mass] + [Fraction(1) - sum(shares.values(), Fraction(0))]
        for n, kinds in used:
            for kind in kinds:
                missing[kind] -= shares[n] * int(panels.list[n][kind])
        scale = max(map(abs, missing))
        if not scale:
            break
        step = np.linalg.lstsq(columns, np.array([float(each / scale) for each in missing]), rcond=None)[0]
        shares = {n: max(Fraction(0), share + Fraction(float(each)) * scale) for (n, share), each in zip(shares.items(), step, strict=True)}
        shares = {n: share.limit_denominator(1 << 160) for n, share in shares.items()}
    return shares


class _Stock:
    """Tickets whose sums are not yet right: one exchange after the other mends them."""

    def __init__(self, panels: _Panels, copies: dict[int, int], mass: Sequence[int]) -> None:
        self._panels = panels
        self._stock: dict[bytes, int] = {}  # panel -> copies
        self._lack = list(mass)
        for n, number in copies.items():
            panel = panels.list[n]
            self._stock[panel.tobytes()] = number
            for kind in np.flatnonzero(panel):
                self._lack[kind] -= int(panel[kind]) * number
        self._who: list[bytes] = []
        self._by = np.full((panels.kinds, panels.kinds), -1, np.int32)  # [leaves, enters] -> place in _who of a panel that allows it

    def tickets(self) -> list[Ticket]:
        """In order of what sits, so that the same task gives the same file."""
        made = []
        for key, number in self._stock.items():
            panel = np.frombuffer(key, np.int64)
            made.append(Ticket(number, tuple((int(kind), int(panel[kind])) for kind in np.flatnonzero(panel))))
        return sorted(made, key=lambda ticket: ticket.counts)

    def mend(self) -> bool:
        """Whether all sums are right in the end. Each step moves one place from a type that has too much towards one that has too little."""
        fresh, shaken = False, 0
        chance = Random(0)  # any would do; the same each time, so that the same task gives the same file
        for _ in range(20 * self._panels.kinds + 2_000):
            if not any(self._lack):
                return True
            path = self._path()
            if path is not None:
                fresh = False
                self._walk(path)
            elif not fresh:
                self._look()
                fresh = True
            elif shaken in {0, SHAKES} and any(self._together(number) for number in TOGETHER):
                return True
            elif shaken < SHAKES:
                shaken, fresh = shaken + 1, False
                self._shake(chance)
            else:
                return False
        return False

    def _shake(self, chance: Random) -> None:
        """Exchanges there and back on different tickets: no sum changes, but other exchanges become possible."""
        both = np.argwhere((self._by >= 0) & (self._by.T >= 0) & (self._by != self._by.T))
        for _ in range(min(SHAKEN, len(both))):
            leaves, enters = (int(each) for each in both[chance.randrange(len(both))])
            there, back = (self._who[n] if n >= 0 else b"" for n in (self._by[leaves, enters], self._by[enters, leaves]))
            if there != back and self._stock.get(there, 0) and self._stock.get(back, 0):
                self._exchange(there, leaves, enters, 1)
                self._exchange(back, enters, leaves, 1)

    def _together(self, number: int) -> bool:
        """Mend what single exchanges cannot: some tickets, those first that have what is too much, are all chosen anew at once."""
        chosen: list[bytes] = []
        lack = np.array(self._lack, np.int64)
        for _ in range(number):
            held = sum((np.frombuffer(key, np.int64) for key in chosen), np.zeros(len(lack), np.int64))
            missing = np.maximum(-(held + lack), 0)
            left = [key for key, copies in self._stock.items() if copies > chosen.count(key)]
            if not left:
                break
            chosen.append(max(left, key=lambda key: (int(np.minimum(np.frombuffer(key, np.int64), missing).sum()), self._stock[key], key)))
        sums = sum((np.frombuffer(key, np.int64) for key in chosen), lack)
        if (sums < 0).any():
            return False
        made = self._panels.split(sums, len(chosen))
        if made is None:
            return False
        for key in chosen:
            self._stock[key] -= 1
            if not self._stock[key]:
                del self._stock[key]
        for panel in made:
            self._stock[panel.tobytes()] = self._stock.get(panel.tobytes(), 0) + 1
        self._lack = [0] * len(lack)
        return True

    def _look(self) -> None:
        self._who, self._by[:] = [], -1
        for key in list(self._stock):
            self._learn(key)

    def _learn(self, key: bytes) -> None:
        sitting, allowed = self._panels.exchanges(np.frombuffer(key, np.int64))
        rows = self._by[sitting]
        rows[allowed] = len(self._who)
        self._by[sitting] = rows
        self._who.append(key)

    def _path(self) -> list[int] | None:
        """The shortest way of exchanges from a type with too much to one with too little."""
        came = {kind: -1 for kind, lack in enumerate(self._lack) if lack < 0}
        layer = list(came)
        while layer:
            after = []
            for kind in layer:
                for other in np.flatnonzero(self._by[kind] >= 0):
                    if int(other) not in came:
                        came[int(other)] = kind
                        if self._lack[other] > 0:
                            way = [int(other)]
                            while came[way[-1]] >= 0:
                                way.append(came[way[-1]])
                            return way[::-1]
                        after.append(int(other))
            layer = after
        return None

    def _walk(self, path: Sequence[int]) -> None:
        most = min(-self._lack[path[0]], self._lack[path[-1]])
        for leaves, enters in pairwise(path):
            key = self._who[self._by[leaves, enters]]
            number = min(most, self._stock.get(key, 0))
            if not number:  # an earlier step of this way used it up
                self._by[leaves, enters] = -1
                return
            most = number
            self._exchange(key, leaves, enters, number)

    def _exchange(self, key: bytes, leaves: int, enters: int, number: int) -> None:
        """So many copies of a ticket after one person made way for another."""
        self._stock[key] -= number
        if not self._stock[key]:
            del self._stock[key]
            self._by[self._by == self._who.index(key)] = -1
        after = exchanged(np.frombuffer(key, np.int64), leaves, enters).tobytes()
        if after not in self._stock:
            self._stock[after] = 0
            self._learn(after)
        self._stock[after] += number
        self._lack[leaves] += number
        self._lack[enters] -= number


def _solved(panels: _Panels, shares: Floats, mass: Sequence[Fraction]) -> list[Ticket] | None:
    """The mixture solved in fractions: always exact, with as many tickets as it takes."""
    used = [int(n) for n in np.flatnonzero(shares > NEAR)]
    rows = [[Fraction(int(panels.list[n][kind])) for n in used] + [mass[kind]] for kind in range(panels.kinds)]
    rows.append([Fraction(1)] * (len(used) + 1))
    for column in range(len(used)):
        pivot = next((n for n in range(column, len(rows)) if rows[n][column]), None)
        if pivot is None:
            return None
        rows[column], rows[pivot] = rows[pivot], rows[column]
        first = rows[column]
        lead = first[column]
        rows[column] = first = [each / lead if each else each for each in first]
        for n, row in enumerate(rows):
            if n != column and row[column]:
                factor = row[column]
                rows[n] = [each - factor * other if other else each for each, other in zip(row, first, strict=True)]
    found = [rows[n][-1] for n in range(len(used))]
    if any(each < 0 for each in found) or any(row[-1] for row in rows[len(used) :]):
        return None
    size = lcm(*(each.denominator for each in found))
    return list(_as_tickets(panels, {n: int(each * size) for n, each in zip(used, found, strict=True)}))


def _rounded(panels: _Panels, shares: Floats) -> list[Ticket]:
    """A million tickets as near to the shares as whole numbers come: what is left where nothing exact was found. It is not the best, and says so."""
    copies = {int(n): int(shares[n] * MANY_TICKETS) for n in np.flatnonzero(shares > NEAR)}
    most = max(copies, key=lambda n: (copies[n], -n))
    copies[most] += MANY_TICKETS - sum(copies.values())
    return list(_as_tickets(panels, copies))


def _as_tickets(panels: _Panels, copies: dict[int, int]) -> Iterator[Ticket]:
    made = []
    for n, number in copies.items():
        if number:
            panel = panels.list[n]
            made.append(Ticket(number, tuple((int(kind), int(panel[kind])) for kind in np.flatnonzero(panel))))
    yield from sorted(made, key=lambda ticket: ticket.counts)


# Levels over whole panels ------------------------------------------------------------------------------------------------------------------


class _Found(NamedTuple):
    """Targets by levels over panels, and the nearest tickets where fractions do not come out."""

    targets: tuple[Fraction | None, ...]
    rounded: list[Ticket]


@dataclass
class _Row:
    """A level's floats."""

    reached: float
    worth: Floats
    shares: Floats


def _levels_over_panels(panels: _Panels, never: frozenset[int]) -> _Found:
    """Leximin over lotteries of whole panels: prices per type, each level confirmed by the integer programme."""
    targets: list[Fraction | None] = [Fraction(0) if n in never else None for n in range(panels.kinds)]
    row: _Row | None = None
    while any(target is None for target in targets):
        row = _level_over_panels(panels, targets)
        free = [n for n, target in enumerate(targets) if target is None]
        largest = float(row.worth[free].max())
        paying = free if row.reached > 1 - NEAR else [n for n in free if row.worth[n] > 1e-7 * largest]
        if not paying:
            raise Refused("fit_not_reached", "categories", what="levels")
        exact = _exact_level(panels, targets, row, paying)
        for n in paying:
            targets[n] = exact
    assert row is not None
    return _Found(tuple(targets), _rounded(panels, row.shares))


def _level_over_panels(panels: _Panels, targets: Sequence[Fraction | None]) -> _Row:
    kinds = panels.kinds
    master = _Solver()  # type: ignore[no-untyped-call]
    master.setOptionValue("presolve", "off")  # it takes tight rows for infeasible ones
    master.setOptionValue("dual_feasibility_tolerance", 1e-10)
    unit = panels.task.panel / panels.task.size
    master.addVar(0.0, 1 / unit)
    master.changeColCost(0, -1.0)
    for n, target in enumerate(targets):
        if target is None:
            master.row(0.0, INF, [0], [-unit * float(panels.people[n])])
        else:
            master.row(float(target) * float(panels.people[n]) * (1 - 1e-10), INF, [], [])
    master.row(1.0, 1.0, [], [])
    known = 0
    while True:
        for panel in panels.list[known:]:
            rows = np.flatnonzero(panel)
            master.addCol(0.0, 0.0, INF, len(rows) + 1, np.append(rows, kinds).astype(np.int32), np.append(panel[rows], 1).astype(float))
        known = len(panels.list)
        master.run()
        status = master.getModelStatus()
        if status != highspy.HighsModelStatus.kOptimal:
            raise Refused("fit_not_reached", "categories", what="no_optimum")
        solution = master.getSolution()
        shares = np.maximum(solution.col_value[1:], 0)
        worth, less = np.maximum(solution.row_dual[:kinds], 0), solution.row_dual[kinds]
        scale = float(worth.max()) or 1.0
        grew = False
        for start in np.argsort(-shares, kind="stable")[:STARTS]:
            if shares[start] > 0:
                panel = panels.climb(panels.list[start], worth / scale)
                grew |= (float(panel @ worth) + less) / scale > 1e-7 and panels.add(panel)
        if not grew:
            panel = panels.best(worth / scale)
            if (float(panel @ worth) + less) / scale <= 1e-7 or not panels.add(panel):
                return _Row(solution.col_value[0] * unit, worth, shares)


def _exact_level(panels: _Panels, targets: Sequence[Fraction | None], row: _Row, paying: Sequence[int]) -> Fraction:
    """The level's chance from prices made whole: what the best panel is worth, less what the fixed have, over what the rest costs."""
    if row.reached > 1 - NEAR:
        return Fraction(1)
    for finest in (12, FINEST):
        prices = _whole([float(each) for each in row.worth], finest)
        top = max(int(panel @ np.array(prices)) for panel in (*panels.list, panels.best(np.array(prices, float) / max(prices))))
        spent = sum((target * int(panels.people[n]) * prices[n] for n, target in enumerate(targets) if target), Fraction(0))
        shares = sum(int(panels.people[n]) * prices[n] for n in paying)
        if shares and abs(float((top - spent) / shares) - row.reached) < 1e-8:
            return Fraction(top - spent) / shares
    return Fraction(row.reached).limit_denominator(FINEST * FINEST)
