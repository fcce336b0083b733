"""The samplers (docs/spec/selection.md 4 to 6): each lawful seating exactly as likely as its weight says, from integers of a key alone.

`cells-reject` ignores employers at first: how many people of each type take each seat comes from exact counts, the people inside a type
from a shuffle, and the whole attempt is rejected on an employer clash. `picks-reject` does the same with weights, picking one person after
the other. `cells-dp` goes employer by employer with the exact weight of all completions. Which one is used follows from the exact acceptance
probability, never from taste: two samplers on one key are two results. Their versions differ in the key alone (drawing/lots.py).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, product
from math import comb, factorial, isqrt
from typing import NamedTuple, Protocol

from drawing.canonical import TH
from drawing.errors import Refused
from drawing.fair import SAMPLER_VERSION, Field, Group, Need, Type, count, picks, sampler_for, work
from drawing.seed import Dice

MAX_ATTEMPTS = 1 << 20  # unreachable where one attempt in eight succeeds


class Integers(Protocol):
    """Where integers come from: `Dice`, or in a test whatever walks through all outcomes."""

    def attempt(self, number: int) -> None: ...

    def below(self, bound: int) -> int: ...


@dataclass(frozen=True, slots=True)
class Drawn:
    """Rows per seat, increasing; which sampler; the number of the attempt that succeeded; the digest of all this."""

    seats: tuple[tuple[int, ...], ...]
    sampler: str
    attempts: int
    trace: bytes


def draw(field: Field, need: Need, key: bytes, stage: int, version: int = SAMPLER_VERSION) -> Drawn:
    """A lawful seating from the key of the integers. Raises Refused `no_lawful_panel` where there is none."""
    total = count(field, need)
    if total == 0:
        raise Refused("no_lawful_panel", "")
    sampler = sampler_for(field, need, version)
    seats, attempts = SAMPLERS[sampler](field, need).seat(Dice(key, stage))
    rows = [b"".join(row.to_bytes(4, "big") for row in seat) for seat in seats]
    trace = TH("draw/v1/trace", sampler.encode(), attempts.to_bytes(4, "big"), str(total).encode(), *rows)
    return Drawn(seats, sampler, attempts, trace)


class _State(NamedTuple):
    """What is still to be filled: people per seat, recent people allowed (a cap that cannot bind stays at the number of people), sites."""

    counts: tuple[int, ...]
    recent_left: int
    sites: frozenset[int]


def _begin(need: Need) -> _State:
    return _State(need.counts, min(need.recent_left, sum(need.counts)), need.sites)


def _states(start: _State) -> list[_State]:
    """Every state that can be reached, in any order."""
    counts = product(*(range(most + 1) for most in start.counts))
    sites = sorted(start.sites)
    masks = [frozenset(site for site, kept in zip(sites, mask, strict=True) if kept) for mask in product((False, True), repeat=len(sites))]
    return [_State(c, r, m) for c in counts for r in range(start.recent_left + 1) for m in masks]


# cells-reject -------------------------------------------------------------------------------------------------------------------------------


class CellsReject:
    """The sampler over one pool and need: tables are made once, seatings drawn any number of times."""

    def __init__(self, field: Field, need: Need) -> None:
        barred, employers = need.barred_rows, need.barred_employers
        self._field = field
        self._start = _begin(need)
        self._rows = [[row for row in rows if row not in barred and field.employers[row] not in employers] for rows in field.rows_of_type]
        self._people = [len(rows) for rows in self._rows]
        self._table = _cell_counts(field.types, self._people, self._start)

    def seat(self, dice: Integers) -> tuple[tuple[tuple[int, ...], ...], int]:
        """(rows per seat, attempt). One integer per type for the composition, then one per person; rejected as a whole on an employer clash."""
        for attempt in range(MAX_ATTEMPTS):
            dice.attempt(attempt)
            cells = _composition(self._field.types, self._people, self._start, self._table, dice)
            seats: list[list[int]] = [[] for _ in self._start.counts]
            for rows, cell in zip(self._rows, cells, strict=True):
                _pick(rows, cell, seats, dice)
            employers = [self._field.employers[row] for seat in seats for row in seat]
            if len(set(employers)) == len(employers):
                return tuple(tuple(sorted(seat)) for seat in seats), attempt
        raise Refused("too_many_attempts", "")


Cell = tuple[int, ...]  # people of one type per seat


def _options(kind: Type, people: int, state: _State) -> list[tuple[Cell, int, _State]]:
    """The cells that a type can take in a state, in lexicographic order: (cell, ways, state after)."""
    ranges = [range(min(most, people) + 1) if seat in kind.seats else range(1) for seat, most in enumerate(state.counts)]
    out = []
    for cell in product(*ranges):
        taken = sum(cell)
        recent = taken if kind.recent else 0
        if taken > people or recent > state.recent_left:
            continue
        ways = comb(people, taken) * factorial(taken)
        for each in cell:
            ways //= factorial(each)
        after = _State(
            tuple(most - each for most, each in zip(state.counts, cell, strict=True)),
            state.recent_left - recent,
            state.sites - {kind.site} if taken else state.sites,
        )
        out.append((cell, ways, after))
    return out


def _cell_counts(types: Sequence[Type], people: Sequence[int], start: _State) -> list[dict[_State, int]]:
    """For each type on, the number of ways in which it and the types after it complete a state, employers ignored."""
    done = {_State((0,) * len(start.counts), left, frozenset()): 1 for left in range(start.recent_left + 1)}
    table = [done]
    for kind, number in zip(reversed(types), reversed(people), strict=True):
        after = table[-1]
        here: dict[_State, int] = {}
        for state in _states(start):
            total = sum(ways * after.get(rest, 0) for _, ways, rest in _options(kind, number, state))
            if total:
                here[state] = total
        table.append(here)
    return table[::-1]


def _composition(
    types: Sequence[Type], people: Sequence[int], state: _State, table: Sequence[Mapping[_State, int]], dice: Integers
) -> list[Cell]:
    cells = []
    for number, kind in enumerate(types):
        value = dice.below(table[number][state])
        for cell, ways, rest in _options(kind, people[number], state):
            value -= ways * table[number + 1].get(rest, 0)
            if value < 0:
                cells.append(cell)
                state = rest
                break
    return cells


def _pick(rows: Sequence[int], cell: Cell, seats: list[list[int]], dice: Integers) -> None:
    """Fisher–Yates over the type's rows in roll order: seat by seat, each pick one integer below what is left."""
    moved: dict[int, int] = {}  # positions whose row is no longer their own
    at = 0
    for seat, number in enumerate(cell):
        for _ in range(number):
            chosen = at + dice.below(len(rows) - at)
            seats[seat].append(rows[moved.get(chosen, chosen)])
            moved[chosen] = moved.get(at, at)
            at += 1


# picks-reject/1 -----------------------------------------------------------------------------------------------------------------------------


class PicksReject:
    """Seat by seat, person by person, with replacement: first the group (recent, site), then the person, by weight. Anybody's employer twice, and
    the whole attempt is rejected; a seating comes in as many orders as any other, so what remains has exactly its weight.
    """

    def __init__(self, field: Field, need: Need) -> None:
        doing = work(field, need)
        self._field, self._sites, self._recents = field, need.sites, doing.recents
        self._counts = need.counts
        self._picks = picks(field, need)
        barred = need.barred_rows
        self._rows: list[dict[Group, list[int]]] = [{} for _ in need.counts]
        weights: list[dict[Group, list[int]]] = [{} for _ in need.counts]
        for row, (employer, number) in enumerate(zip(field.employers, field.type_numbers, strict=True)):
            if row in barred or employer in need.barred_employers:
                continue
            kind = field.types[number]
            group = doing.place(kind)
            for seat, weight in zip(kind.seats, field.weights_of(field.class_of[employer], number), strict=True):
                if group in self._picks.seats[seat]:
                    self._rows[seat].setdefault(group, []).append(row)
                    weights[seat].setdefault(group, []).append(weight)
        self._sums = [{group: list(accumulate(each)) for group, each in groups.items()} for groups in weights]

    def seat(self, dice: Integers) -> tuple[tuple[tuple[int, ...], ...], int]:
        """(rows per seat, attempt). Two integers a person: one for the group, one below the group's whole weight."""
        for attempt in range(MAX_ATTEMPTS):
            dice.attempt(attempt)
            seats: list[list[int]] = [[] for _ in self._counts]
            state = (0, self._recents, self._sites)
            for seat in self._picks.order:
                group, state = self._group(seat, state, dice)
                sums = self._sums[seat][group]
                seats[seat].append(self._rows[seat][group][bisect_right(sums, dice.below(sums[-1]))])
            employers = [self._field.employers[row] for rows in seats for row in rows]
            if len(set(employers)) == len(employers):
                return tuple(tuple(sorted(rows)) for rows in seats), attempt
        raise Refused("too_many_attempts", "")

    def _group(self, seat: int, state: tuple[int, int, frozenset[int]], dice: Integers) -> tuple[Group, tuple[int, int, frozenset[int]]]:
        made, left, sites = state
        value = dice.below(self._picks.ways[state])
        for group, weight in self._picks.seats[seat].items():
            recent, site = group
            after = (made + 1, left - recent, sites - {site})
            if recent <= left:
                value -= weight * self._picks.after(after)
            if value < 0:
                return group, after
        raise AssertionError("the weights of the groups do not add up")


# cells-dp -----------------------------------------------------------------------------------------------------------------------------------


Table = Mapping[frozenset[int], int]  # sites still needed -> polynomial of the completions by the later employers


class CellsDp:
    """Employer by employer in order of tag: one integer below the exact weight of all completions decides nobody or whom.

    The table of completions is kept for every block of about sqrt(employers) and made again inside a block, so memory stays small.
    """

    def __init__(self, field: Field, need: Need) -> None:
        self._field, self._need, self._work = field, need, work(field, need)
        self._lattice = self._work.lattice
        chosen = [employer for employer in sorted(field.members) if employer not in need.barred_employers]
        self._employers = chosen
        self._block = max(1, isqrt(len(chosen)))
        sites = sorted(need.sites)
        self._masks = [
            frozenset(site for site, kept in zip(sites, mask, strict=True) if kept) for mask in product((0, 1), repeat=len(sites))
        ]
        table: Table = {mask: int(not mask) for mask in self._masks}
        self._kept = {len(chosen): table}
        for at in range(len(chosen) - 1, -1, -1):
            table = self._before(at, table)
            if at % self._block == 0:
                self._kept[at] = table

    def _before(self, at: int, after: Table) -> Table:
        """The table one employer earlier."""
        by_site: dict[int, list[tuple[int, int, int]]] = {}
        for seat, recent, site, weight in self._work.loads[self._work.cell_of(self._employers[at])]:
            by_site.setdefault(site, []).append((seat, recent, weight))
        return {
            mask: poly + sum(self._lattice.times(after[mask - {site}], tuple(terms)) for site, terms in by_site.items())
            for mask, poly in after.items()
        }

    def _ways(self, table: Table, state: _State) -> int:
        place = sum(count * stride for count, stride in zip(state.counts, self._lattice.strides, strict=True))
        return self._lattice.capped(table[state.sites], place, state.recent_left) if state.recent_left >= 0 else 0

    def seat(self, dice: Integers) -> tuple[tuple[tuple[int, ...], ...], int]:
        """(rows per seat, 0)."""
        dice.attempt(0)
        seats: list[list[int]] = [[] for _ in self._need.counts]
        state = _State(self._need.counts, self._work.recents, self._need.sites)
        for first in range(0, len(self._employers), self._block):
            tables = self._tables(first)
            for at, (here, after) in enumerate(zip(tables, tables[1:], strict=False), first):
                if not any(state.counts):
                    return tuple(tuple(sorted(seat)) for seat in seats), 0
                value = dice.below(self._ways(here, state)) - self._ways(after, state)
                if value >= 0:
                    state = self._choose(at, state, after, value, seats)
        return tuple(tuple(sorted(seat)) for seat in seats), 0

    def _tables(self, first: int) -> list[Table]:
        """The tables of one block, from its first employer to the one after its last."""
        last = min(first + self._block, len(self._employers))
        tables = [self._kept[last]]
        for at in range(last - 1, first, -1):
            tables.append(self._before(at, tables[-1]))
        return [self._kept[first], *reversed(tables)]

    def _choose(self, at: int, state: _State, after: Table, value: int, seats: list[list[int]]) -> _State:
        """People of the employer in roll order, each one's seats in order, until the integer falls into one's share."""
        field, employer = self._field, self._employers[at]
        for row in field.members[employer]:
            if row in self._need.barred_rows:
                continue
            kind = field.types[field.type_numbers[row]]
            recent, site = self._work.place(kind)
            for seat, weight in zip(kind.seats, field.weights_of(field.class_of[employer], field.type_numbers[row]), strict=True):
                if not state.counts[seat]:
                    continue
                counts = (*state.counts[:seat], state.counts[seat] - 1, *state.counts[seat + 1 :])
                rest = _State(counts, state.recent_left - recent, state.sites - {site})
                value -= weight * self._ways(after, rest)
                if value < 0:
                    seats[seat].append(row)
                    return rest
        raise AssertionError("the counts of a block do not add up")


class Sampler(Protocol):
    """Tables made once, seatings drawn any number of times."""

    def __init__(self, field: Field, need: Need) -> None: ...

    def seat(self, dice: Integers) -> tuple[tuple[tuple[int, ...], ...], int]:
        """(rows per seat, attempt)."""
        ...


SAMPLERS: Mapping[str, type[Sampler]] = {
    f"{name}/{version}": sampler
    for name, sampler in (("cells-reject", CellsReject), ("picks-reject", PicksReject), ("cells-dp", CellsDp))
    for version in (1, SAMPLER_VERSION)
}
