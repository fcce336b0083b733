"""Exact counting of lawful seatings (docs/spec/selection.md 3). Integers only: with few employers floats cancel catastrophically.

A lawful seating fills each seat with a set of people who can take it, nobody twice, at most one per employer, at most `recent_left` recent
people, and somebody from each required site. Its weight is the product of its people's weights, all 1 under `uniform/1`. With u_e = sum of
(weights of employer e's people for seat s, recent r) x_s z^r the total weight is a coefficient of prod (1 + u_e), and what a person adds to it
one of prod / (1 + u_e). Required sites go by inclusion and exclusion.

`Field` is the roll as columns, `Need` is what is still to be filled. People of one type in one employer are exchangeable, employers with
equal type counts form one class; everything is computed per class.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from math import factorial, prod
from typing import Any, NamedTuple

from drawing.errors import Refused
from drawing.packed import Lattice, Terms

MAX_STATES = 100_000
MAX_PAIRS = 8_000_000  # of exponents one below the other


@dataclass(frozen=True, slots=True)
class Type:
    """What matters about a person: the seats he can fill (indexes, increasing), his site (-1: none), drawn recently, weight."""

    seats: tuple[int, ...]
    site: int
    recent: bool
    weight: int


Class = tuple[tuple[int, int], ...]  # (type number, people) of one employer, sorted
Weights = Sequence[Mapping[int, Sequence[int]]]  # per class: type number -> weight for each of the type's seats


@dataclass(frozen=True)
class Field:
    """The people in roll order: type number and employer tag of each row; weights per class of employer, or None where all are 1."""

    types: tuple[Type, ...]
    type_numbers: Sequence[int]
    employers: Sequence[bytes]
    weights: Weights | None = None

    @cached_property
    def memo(self) -> dict[tuple[str, Need], Any]:
        """What was already made over these people: a draw, its check and its record ask for the same."""
        return {}

    @cached_property
    def groups(self) -> Mapping[bytes, Mapping[int, int]]:
        """Employer -> type number -> people."""
        groups: dict[bytes, dict[int, int]] = {}
        for (employer, kind), people in Counter(zip(self.employers, self.type_numbers, strict=True)).items():
            groups.setdefault(employer, {})[kind] = people
        return groups

    @cached_property
    def classes(self) -> tuple[Class, ...]:
        """The distinct type counts of employers, sorted; a class is named by its place here."""
        return tuple(sorted({tuple(sorted(kinds.items())) for kinds in self.groups.values()}))

    @cached_property
    def class_of(self) -> Mapping[bytes, int]:
        """Employer -> number of its class."""
        number = {kinds: n for n, kinds in enumerate(self.classes)}
        return {employer: number[tuple(sorted(kinds.items()))] for employer, kinds in self.groups.items()}

    @cached_property
    def members(self) -> Mapping[bytes, array[int]]:
        """Employer -> its rows in roll order."""
        members: dict[bytes, array[int]] = {}
        for row, employer in enumerate(self.employers):
            if employer not in members:
                members[employer] = array("I")
            members[employer].append(row)
        return members

    @cached_property
    def rows_of_type(self) -> Sequence[array[int]]:
        """The rows of each type in roll order."""
        rows = [array("I") for _ in self.types]
        for row, kind in enumerate(self.type_numbers):
            rows[kind].append(row)
        return rows

    def weighed(self, weights: Weights | None) -> Field:
        """The same people with other weights. What was already grouped is kept, for it does not depend on them."""
        other = replace(self, weights=weights)
        other.__dict__.update({name: self.__dict__[name] for name in _GROUPED if name in self.__dict__})
        return other

    def weights_of(self, number: int, kind: int) -> Sequence[int]:
        """The weights of a type's people in a class of employers, one for each of the type's seats."""
        return self.weights[number][kind] if self.weights is not None else (1,) * len(self.types[kind].seats)


_GROUPED = ("groups", "classes", "class_of", "members", "rows_of_type")


@dataclass(frozen=True, slots=True)
class Need:
    """What is to be filled: people per seat, recent people still allowed, sites that still need somebody, who is out."""

    counts: tuple[int, ...]
    recent_left: int
    sites: frozenset[int] = frozenset()
    barred_rows: frozenset[int] = frozenset()
    barred_employers: frozenset[bytes] = frozenset()


class Cell(NamedTuple):
    """Employers that count alike: the number of their class and who of them is not barred."""

    number: int
    kinds: Class


Load = tuple[tuple[int, int, int, int], ...]  # (seat, exponent of z, site or -1, weight) of one employer, sorted


class Work:
    """One need over one field: the cells of employers, the polynomials of inclusion and exclusion."""

    def __init__(self, field: Field, need: Need) -> None:
        _check(field, need)
        self.field, self.need = field, need
        # With a cap that cannot bind, recent people are people like all others: z stays at 0.
        self.capped = any(kind.recent for kind in field.types) and need.recent_left < sum(need.counts)
        self.recents = max(0, need.recent_left) if self.capped else 0
        _check_size(need, self.recents)
        missing: dict[bytes, Counter[int]] = {}
        for row in need.barred_rows:
            missing.setdefault(field.employers[row], Counter())[field.type_numbers[row]] += 1
        self.special = {employer: Cell(field.class_of[employer], self._left(employer, gone)) for employer, gone in missing.items()}
        self.special |= {employer: Cell(field.class_of[employer], ()) for employer in need.barred_employers if employer in field.class_of}
        self.cells: Counter[Cell] = Counter()
        for number, employers in sorted(Counter(field.class_of.values()).items()):  # in one order, whatever order the rows have
            self.cells[Cell(number, field.classes[number])] = employers
        for employer, cell in self.special.items():
            number = field.class_of[employer]
            self.cells[Cell(number, field.classes[number])] -= 1
            self.cells[cell] += 1
        self.cells = +self.cells
        self.loads = {cell: self._load(cell) for cell in self.cells}

    def _left(self, employer: bytes, gone: Mapping[int, int]) -> Class:
        kinds = self.field.groups[employer]
        return tuple(sorted((kind, people - gone.get(kind, 0)) for kind, people in kinds.items() if people > gone.get(kind, 0)))

    def cell_of(self, employer: bytes) -> Cell:
        """The cell of an employer."""
        if employer in self.special:
            return self.special[employer]
        number = self.field.class_of[employer]
        return Cell(number, self.field.classes[number])

    def place(self, kind: Type) -> tuple[int, int]:
        """(exponent of z, site) of a type: -1 for a site that nobody asks for."""
        return int(kind.recent and self.capped), kind.site if kind.site in self.need.sites else -1

    def _load(self, cell: Cell) -> Load:
        weight: Counter[tuple[int, int, int]] = Counter()
        for number, people in cell.kinds:
            kind = self.field.types[number]
            recent, site = self.place(kind)
            if recent <= self.recents:
                for seat, each in zip(kind.seats, self.field.weights_of(cell.number, number), strict=True):
                    if self.need.counts[seat]:
                        weight[seat, recent, site] += each * people
        return tuple((*at, total) for at, total in sorted(weight.items()))

    @cached_property
    def lattice(self) -> Lattice:
        """Wide enough for every coefficient: none exceeds the product of each seat's whole weight to the power of its people."""
        whole = [0] * len(self.need.counts)
        for cell, employers in self.cells.items():
            for seat, _, _, weight in self.loads[cell]:
                whole[seat] += weight * employers
        bits = sum(count * total.bit_length() for count, total in zip(self.need.counts, whole, strict=True))
        return Lattice(self.need.counts, self.recents, bits + 16)

    @cached_property
    def factors(self) -> Sequence[tuple[int, frozenset[int], Mapping[Terms, int]]]:
        """(sign, sites left out, how many employers have each u) of inclusion and exclusion."""
        out = []
        for sign, sites in _subsets(self.need.sites):
            factors: Counter[Terms] = Counter()
            for cell, employers in self.cells.items():
                terms = terms_without(self.loads[cell], sites)
                if terms:
                    factors[terms] += employers
            out.append((sign, sites, factors))
        return out

    @cached_property
    def products(self) -> Sequence[int]:
        """Prod (1 + u) for each of `factors`."""
        return [self.lattice.product(factors.items()) for _, _, factors in self.factors]

    @property
    def total(self) -> int:
        """The weight of all lawful seatings."""
        if self.need.recent_left < 0:
            return 0
        lattice = self.lattice
        signs = (sign for sign, _, _ in self.factors)
        return sum(sign * lattice.capped(poly, lattice.top, self.recents) for sign, poly in zip(signs, self.products, strict=True))

    @cached_property
    def shares(self) -> Mapping[Load, Mapping[tuple[int, int, int], int]]:
        """For each load and each (seat, exponent of z, site) in it: the weight of all ways to complete one person of it there."""
        out: dict[Load, Counter[tuple[int, int, int]]] = {load: Counter() for load in self.loads.values()}
        if self.need.recent_left < 0:
            return out
        for (sign, sites, factors), poly in zip(self.factors, self.products, strict=True):
            sums = self.lattice.sums(poly)
            found = {terms: self.lattice.shares(sums, terms) for terms in factors}
            for load, total in out.items():
                terms = terms_without(load, sites)
                if terms:
                    share = found[terms]
                    for seat, recent, site, _ in load:
                        if site not in sites:
                            total[seat, recent, site] += sign * share[seat, recent]
        return out

    def numerators_of(self, cell: Cell, number: int) -> tuple[int, ...]:
        """For a person of a type in a cell: the weight of all lawful seatings with this person in each of the type's seats."""
        kind = self.field.types[number]
        share, at = self.shares[self.loads[cell]], self.place(kind)
        return tuple(
            weight * share.get((seat, *at), 0) for seat, weight in zip(kind.seats, self.field.weights_of(cell.number, number), strict=True)
        )


def terms_without(load: Load, sites: frozenset[int]) -> Terms:
    """The u of an employer whose people at some sites stay out."""
    terms: dict[tuple[int, int], int] = {}
    for seat, recent, site, weight in load:
        if site not in sites:
            terms[seat, recent] = terms.get((seat, recent), 0) + weight
    return tuple((*at, weight) for at, weight in terms.items())


def _subsets(sites: frozenset[int]) -> Iterator[tuple[int, frozenset[int]]]:
    """(sign, subset) of inclusion and exclusion."""
    for size in range(len(sites) + 1):
        for chosen in combinations(sorted(sites), size):
            yield (-1) ** size, frozenset(chosen)


def _check(field: Field, need: Need) -> None:
    if not need.counts or any(count < 0 for count in need.counts) or len(need.counts) > 64:
        raise Refused("bad_need", "plan")


def _check_size(need: Need, recents: int) -> None:
    limits = (*need.counts, recents)
    states = prod(limit + 1 for limit in limits) << len(need.sites)
    pairs = prod((limit + 1) * (limit + 2) // 2 for limit in limits) << len(need.sites)
    if states > MAX_STATES or pairs > MAX_PAIRS:
        raise Refused("too_many_states", "plan", states=states, most=MAX_STATES)


def work(field: Field, need: Need) -> Work:
    """The counting of a need, made once. Raises Refused for a shape that cannot be counted (`too_many_states`, `bad_need`)."""
    if ("work", need) not in field.memo:
        field.memo["work", need] = Work(field, need)
    made: Work = field.memo["work", need]
    return made


def count(field: Field, need: Need) -> int:
    """The weight of all lawful seatings, under `uniform/1` their number. Raises Refused as `work` does."""
    return work(field, need).total


def numerators(field: Field, need: Need) -> list[int]:
    """For each row the weight of all lawful seatings with this person; over `count` it is the exact chance. Their sum is count * seats."""
    doing = work(field, need)
    table = {(cell, kind): sum(doing.numerators_of(cell, kind)) for cell in doing.cells for kind, _ in cell.kinds}
    cells = {employer: doing.cell_of(employer) for employer in field.groups}
    out = [table.get((cells[employer], kind), 0) for employer, kind in zip(field.employers, field.type_numbers, strict=True)]
    for row in need.barred_rows:
        out[row] = 0
    return out


def unconstrained(field: Field, need: Need) -> int:
    """The number of seatings without the rule on employers: everybody is an employer of his own."""
    people: Counter[int] = Counter()
    for cell, employers in work(field, need).cells.items():
        for kind, number in cell.kinds:
            people[kind] += number * employers
    alone = [kind for kind, number in people.items() for _ in range(number)]
    return count(
        Field(field.types, alone, [n.to_bytes(8, "big") for n in range(len(alone))]), Need(need.counts, need.recent_left, need.sites)
    )


# Which sampler --------------------------------------------------------------------------------------------------------------------------


Group = tuple[int, int]  # (exponent of z, site): what matters of a person once the seat is known


class Picks(NamedTuple):
    """What `picks-reject/1` needs: the weight of each group per seat, the weight of all ways to go on from each state."""

    seats: Sequence[Mapping[Group, int]]
    ways: Mapping[tuple[int, int, frozenset[int]], int]  # (picks made, recent people allowed, sites needed)
    order: Sequence[int]  # the seat of each pick

    def after(self, state: tuple[int, int, frozenset[int]]) -> int:
        """The weight of all ways to go on from a state."""
        return self.ways[state] if state[0] < len(self.order) else int(not state[2])


def picks(field: Field, need: Need) -> Picks:
    """Ordered picks with replacement, employers ignored: the seat's people one after the other, seat by seat."""
    doing = work(field, need)
    seats: list[Counter[Group]] = [Counter() for _ in need.counts]
    for cell, employers in doing.cells.items():
        for seat, recent, site, weight in doing.loads[cell]:
            seats[seat][recent, site] += weight * employers
    order = [seat for seat, count in enumerate(need.counts) for _ in range(count)]
    ways: dict[tuple[int, int, frozenset[int]], int] = {}

    def go_on(made: int, left: int, sites: frozenset[int]) -> int:
        if made == len(order):
            return int(not sites)
        key = (made, left, sites)
        if key not in ways:
            ways[key] = sum(
                weight * go_on(made + 1, left - recent, sites - {site})
                for (recent, site), weight in seats[order[made]].items()
                if recent <= left
            )
        return ways[key]

    go_on(0, doing.recents, need.sites)
    return Picks([dict(sorted(groups.items())) for groups in seats], ways, order)


SAMPLER_VERSION = 2  # what new terms name; draws of before have 1


def sampler_for(field: Field, need: Need, version: int = SAMPLER_VERSION) -> str:
    """`cells-reject` (with weights `picks-reject`) where at least one attempt in eight is accepted, else `cells-dp`; with its version. Exact."""
    return f"{_sampler_for(field, need)}/{version}"


def _sampler_for(field: Field, need: Need) -> str:
    if field.weights is None:
        return "cells-reject" if 8 * count(field, need) >= unconstrained(field, need) else "cells-dp"
    doing = work(field, need)
    proposed = picks(field, need).ways.get((0, doing.recents, need.sites), 1)
    orders = prod(factorial(count) for count in need.counts)
    return "picks-reject" if 8 * doing.total * orders >= proposed else "cells-dp"
