"""The table of `fair/1`: weights, and the prices that show how equal chances could be at best (docs/spec/fairness.md).

Chances are as equal as the request allows when nobody's chance can be raised without lowering one that is not larger. That is reached level by
level: at each level all who are not yet fixed get the same, until some of them can get no more; those are fixed there. A level is certified
by prices on what is scarce: seats, required sites, the cap on recent people, an employer's one place. Whoever uses scarce things costs
`lowest price of a seat he can fill - site + recent + employer`; no lottery can spend more than there is, so no smallest chance can exceed
`bound`. Solvers propose prices; this module only adds and compares integers.

A group is the people of one type, those in employers of a priced class apart. Groups are what targets are equal in.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, Any

from drawing.canonical import TH, dumps, loads
from drawing.errors import Refused
from drawing.fair import Field, Need, Work, work
from drawing.model import Shape, many, nested, read_object, whole

VERSION = "lotroom-fair/1"
MAX_TABLE = 8 << 20
MAX_PRICE = 1 << 50
MAX_WEIGHT = 1 << 40
UNIT = 1 << 64  # targets are whole multiples of 1/UNIT
ALLOWED = Fraction(1, 100)  # how far chances may lie from what the prices promise: a part of what `fair/1` means
Group = tuple[int, int]  # (type, class of employer if priced, else -1)

price = whole(0, MAX_PRICE)


@dataclass(frozen=True, slots=True)
class ClassPrice:
    """The price of the one place that each employer of a class has."""

    number: Annotated[int, whole(0, 1 << 20)]
    price: Annotated[int, whole(1, MAX_PRICE)]


@dataclass(frozen=True, slots=True)
class Level:
    """The prices of one level, all in one arbitrary unit."""

    employers: Annotated[tuple[ClassPrice, ...], many(nested(ClassPrice), 0, 100_000)]
    recent: Annotated[int, price]
    seats: Annotated[tuple[int, ...], many(whole(-MAX_PRICE, MAX_PRICE), 1, 40)]
    sites: Annotated[tuple[int, ...], many(price, 0, 8)]  # of the required sites, increasing

    @property
    def idle(self) -> bool:
        """Whether nothing has a price."""
        return not (self.employers or self.recent or any(self.seats) or any(self.sites))


_levels: Shape[tuple[Level, ...]] = many(nested(Level), 1, 5_000)


@dataclass(frozen=True)
class Table:
    """Levels, and one weight for each class of employer, each of its types, each seat of the type."""

    levels: tuple[Level, ...]
    weights: tuple[Mapping[int, tuple[int, ...]], ...]

    @property
    def priced(self) -> frozenset[int]:
        return frozenset(each.number for level in self.levels for each in level.employers)


def table_bytes(table: Table) -> bytes:
    """The canonical JSON of a table."""
    weights = [[list(seats) for _, seats in sorted(kinds.items())] for kinds in table.weights]
    return dumps({"levels": _levels.write(table.levels), "v": VERSION, "weights": weights})


def table_digest(data: bytes) -> bytes:
    return TH("draw/v1/table", data)


def read_table(data: bytes, field: Field, place: str) -> Table:
    """The table of these people. Raises Refused where it is not one, or not for these classes and types."""
    value = read_object(loads(data, place=place, max_bytes=MAX_TABLE), place, {"levels", "v", "weights"})
    if value["v"] != VERSION:
        raise Refused("unknown_version", f"{place}.v", known=VERSION)
    levels = _levels.read(value["levels"], f"{place}.levels")
    listed = value["weights"]
    if not isinstance(listed, list) or len(listed) != len(field.classes):
        raise Refused("wrong_length", f"{place}.weights", least=len(field.classes), most=len(field.classes))
    weights = tuple(
        _class_weights(each, [(kind, len(field.types[kind].seats)) for kind, _ in kinds], f"{place}.weights[{n}]")
        for n, (each, kinds) in enumerate(zip(listed, field.classes, strict=True))
    )
    for number, level in enumerate(levels):
        numbers = [each.number for each in level.employers]
        if numbers != sorted(set(numbers)) or any(n >= len(field.classes) for n in numbers):
            raise Refused("not_sorted", f"{place}.levels[{number}].employers")
    return Table(levels, weights)


def _class_weights(value: Any, shape: Sequence[tuple[int, int]], place: str) -> Mapping[int, tuple[int, ...]]:
    if not isinstance(value, list) or len(value) != len(shape):
        raise Refused("wrong_length", place, least=len(shape), most=len(shape))
    for each, (_, seats) in zip(value, shape, strict=True):
        if not isinstance(each, list) or len(each) != seats:
            raise Refused("wrong_length", place, least=seats, most=seats)
        if not all(type(weight) is int and 0 < weight <= MAX_WEIGHT for weight in each):
            raise Refused("out_of_range", place, least=1, most=MAX_WEIGHT)
    return {kind: tuple(each) for (kind, _), each in zip(shape, value, strict=True)}


# What the people are ---------------------------------------------------------------------------------------------------------------------


@dataclass
class Crowd:
    """A group with all that a certificate reads of it."""

    seats: tuple[int, ...]
    site: int
    recent: bool
    weight: int
    number: int = -1  # the class of employer if it is priced
    people: int = 0
    mass: int = 0  # the sum of the people's numerators
    least: int = -1  # the smallest numerator
    most: int = 0
    at: tuple[int, ...] = ()  # mass per seat


def crowds(doing: Work, priced: frozenset[int]) -> dict[Group, Crowd]:
    """The groups of everybody who can be drawn at all: whose numerator is not 0."""
    out: dict[Group, Crowd] = {}
    for cell, employers in doing.cells.items():
        for kind, people in cell.kinds:
            shares = doing.numerators_of(cell, kind)
            own = sum(shares)
            if not own:
                continue
            of = doing.field.types[kind]
            group = (kind, cell.number if cell.number in priced else -1)
            if group not in out:
                out[group] = Crowd(of.seats, of.site, of.recent, of.weight, group[1], at=(0,) * len(of.seats))
            crowd = out[group]
            number = people * employers
            crowd.people += number
            crowd.mass += own * number
            crowd.least = own if crowd.least < 0 else min(crowd.least, own)
            crowd.most = max(crowd.most, own)
            crowd.at = tuple(old + share * number for old, share in zip(crowd.at, shares, strict=True))
    return out


def employers_of(doing: Work) -> dict[int, int]:
    """How many employers of each class still have anybody who is not barred."""
    employers: dict[int, int] = {}
    for cell, number in doing.cells.items():
        if cell.kinds:
            employers[cell.number] = employers.get(cell.number, 0) + number
    return employers


# Targets -----------------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Certified:
    """What the prices show: the bound of each level, and for each group its target in 1/UNIT and the level that fixed it."""

    bounds: tuple[Fraction, ...]
    targets: Mapping[Group, int]
    level: Mapping[Group, int]


def cost_of(crowd: Crowd, level: Level, sites: Sequence[int]) -> int:
    """What a person of a group costs at the prices of a level."""
    cost = min(level.seats[seat] for seat in crowd.seats) + level.recent * crowd.recent
    if crowd.site in sites:
        cost -= level.sites[sites.index(crowd.site)]
    return cost + next((each.price for each in level.employers if each.number == crowd.number), 0)


def certify(
    groups: Mapping[Group, Crowd], levels: Sequence[Level], need: Need, employers: Mapping[int, int], *, finished: bool = True
) -> Certified:
    """The targets that follow from the prices. `employers` says how many there are of each priced class.

    Raises Refused `bad_certificate` where a level fixes nobody or has the wrong shape, or (`finished`) somebody is fixed by no level.
    """
    sites = sorted(need.sites)
    targets: dict[Group, int] = {}
    fixed_at: dict[Group, int] = {}
    bounds: list[Fraction] = []
    for number, level in enumerate(levels):
        place = f"level {number}"
        if len(level.seats) != len(need.counts) or len(level.sites) != len(sites):
            raise Refused("bad_certificate", place)
        costs = {group: cost_of(crowd, level, sites) for group, crowd in groups.items()}
        free = [group for group in groups if group not in targets]
        worth = sum(c * q for c, q in zip(level.seats, need.counts, strict=True)) - sum(level.sites) + level.recent * need.recent_left
        worth += sum(each.price * employers.get(each.number, 0) for each in level.employers)
        worth += sum(groups[group].people * max(0, -costs[group]) for group in free)
        spent = worth * UNIT - sum(targets[group] * groups[group].people * costs[group] for group in targets)
        shares = sum(groups[group].people * groups[group].weight * max(0, costs[group]) for group in free)
        heaviest = max((groups[group].weight for group in free), default=0)
        if level.idle and free:  # nothing is scarce but that nobody is drawn twice: whoever weighs most is always drawn
            bounds.append(Fraction(1, heaviest))
            fixed = {group: UNIT for group in free if groups[group].weight == heaviest}
        elif shares <= 0 or spent < 0:
            raise Refused("bad_certificate", place)
        else:
            bounds.append(Fraction(spent, shares * UNIT))
            fixed = {group: min(UNIT, spent * groups[group].weight // shares) for group in free if costs[group] > 0}
        targets |= fixed
        fixed_at |= dict.fromkeys(fixed, number)
    if finished and len(targets) != len(groups):
        raise Refused("bad_certificate", "levels")
    return Certified(tuple(bounds), targets, fixed_at)


# The check ---------------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Fairness:
    """What the certificate says of the chances: all for F2 and F3 and for people to read."""

    bound: Fraction
    smallest: Fraction  # by weight of the type, of those who can be drawn at all
    faults: tuple[tuple[str, str, str, dict[str, Any]], ...]  # (check, code, place, params)
    groups: Mapping[Group, Crowd]
    targets: Mapping[Group, int]


def check_fairness(field: Field, need: Need, table: Table) -> Fairness:
    """F2 and F3 over the exact chances. Raises Refused where prices show nothing."""
    doing = work(field, need)
    total = doing.total
    groups = crowds(doing, table.priced)
    employers = employers_of(doing)
    certified = certify(groups, table.levels, need, employers)
    share = {group: Fraction(crowd.least, total * crowd.weight) for group, crowd in groups.items()}
    faults: list[tuple[str, str, str, dict[str, Any]]] = []
    for number, bound in enumerate(certified.bounds):
        least = min((share[group] for group, at in certified.level.items() if at >= number), default=bound)
        if least < (1 - ALLOWED) * bound:
            reached = {"reached": percent(least, bound), "least": percent(1 - ALLOWED, Fraction(1))}
            faults.append(("F2", "bound_not_reached", f"level {number}", reached))
    for (kind, number), crowd in groups.items():
        target = certified.targets[kind, number]
        low, high = Fraction(crowd.least * UNIT, total * target), Fraction(crowd.most * UNIT, total * target)
        if (low < 1 - ALLOWED and number < 0) or high > 1 + ALLOWED:
            off = high if high > 1 + ALLOWED else low
            faults.append(("F3", "chance_off_target", f"type {kind}", {"share": percent(off, Fraction(1))}))
    for number, level in enumerate(table.levels):
        wasted = _wasted(groups, level, need, employers, total)
        faults += [("F3", "price_without_scarcity", f"level {number}", {"what": what}) for what in wasted]
    return Fairness(certified.bounds[0], min(share.values()), tuple(faults), groups, certified.targets)


def _wasted(groups: Mapping[Group, Crowd], level: Level, need: Need, employers: Mapping[int, int], total: int) -> Iterator[str]:
    """What a level prices although it is not used up by those who pay for it: such prices fix people too low. Masses are in 1/total."""
    allowed = ALLOWED * total
    dearest = max(abs(cost) for cost in level.seats)
    for seat, (cost, count) in enumerate(zip(level.seats, need.counts, strict=True)):
        waste = 0
        for crowd in groups.values():
            if seat in crowd.seats:
                lowest = min(level.seats[each] for each in crowd.seats)
                waste += crowd.at[crowd.seats.index(seat)] * (cost - lowest)
        if waste > allowed * count * dearest:
            yield f"seat {seat}"
    for site, cost in zip(sorted(need.sites), level.sites, strict=True):
        if cost and sum(crowd.mass for crowd in groups.values() if crowd.site == site) > total + allowed:
            yield f"site {site}"
    if level.recent and sum(crowd.mass for crowd in groups.values() if crowd.recent) < (total - allowed) * need.recent_left:
        yield "recent"
    for each in level.employers:
        mass = sum(crowd.mass for crowd in groups.values() if crowd.number == each.number)
        if mass < (total - allowed) * employers.get(each.number, 0):
            yield f"employers of class {each.number}"


def percent(part: Fraction, whole_of: Fraction, places: int = 2) -> str:
    """A share in percent with so many decimals, cut off, as text without floats."""
    unit = 10**places
    units = part * 100 * unit // whole_of if whole_of else 0
    return f"{units // unit}.{units % unit:0{places}d} %"
