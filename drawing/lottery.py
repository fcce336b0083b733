"""The lottery of `leximin/1`: numbered panels, the chance of everybody, prices that show it could not be more equal, and the draw.

For assemblies: a panel of exactly so many people, and for each value of each feature (women, under 30, from the north) a smallest and a largest
number of them. People with the same values are one type. The lottery is a list of tickets; a ticket says how many people of each type sit. A seed
picks one ticket, each copy equally likely, then inside each type people, each equally likely (docs/spec/leximin.md).

Chances are as equal as the quotas allow when nobody's can be raised without lowering one that is not larger. A solver found the tickets; here
integers alone decide whether each is lawful, what everybody's chance is, and by the prices of each level that it is the best one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Annotated, NamedTuple, Protocol

from drawing.canonical import dumps, loads
from drawing.errors import Refused
from drawing.model import Shape, hexes, many, natural, nested, read_object, whole
from drawing.seed import Dice

VERSION = "lotroom-lottery/1"
METHOD = "leximin/1"
MAX_FILE = 32 << 20
MAX_PEOPLE = 1 << 30
MAX_PRICE = 1 << 50
STAGE = 0  # the stage byte of each integer's label

people = whole(0, MAX_PEOPLE)


def _read_words(value: object, place: str) -> str:
    if not isinstance(value, str):
        raise Refused("not_text", place)
    if not 0 < len(value) <= 200:
        raise Refused("wrong_length", place, least=1, most=200)
    return value


words: Shape[str] = Shape(_read_words, str)


@dataclass(frozen=True, slots=True)
class Quota:
    """How many people of one value of one feature sit."""

    feature: Annotated[int, whole(0, 99)]
    least: Annotated[int, people]
    most: Annotated[int, people]
    value: Annotated[str, words]


@dataclass(frozen=True, slots=True)
class Kind:
    """A type: so many people that have these values, one quota number for each feature in order."""

    people: Annotated[int, whole(1, MAX_PEOPLE)]
    values: Annotated[tuple[int, ...], many(whole(0, 9_999), 1, 100)]


@dataclass(frozen=True, slots=True)
class Prices:
    """What one place costs at a level, and one person of each quota: above 0 what its maximum is worth, below 0 its minimum."""

    panel: Annotated[int, whole(-MAX_PRICE, MAX_PRICE)]
    quotas: Annotated[tuple[int, ...], many(whole(-MAX_PRICE, MAX_PRICE), 1, 10_000)]


@dataclass(frozen=True, slots=True)
class Ticket:
    """A panel as pairs (type, people above 0), by type; and how many copies of the ticket there are."""

    copies: Annotated[int, natural(4_000)]
    counts: Annotated[tuple[tuple[int, int], ...], many(many(whole(0, MAX_PEOPLE), 2, 2), 1, 100_000)]


_quotas: Shape[tuple[Quota, ...]] = many(nested(Quota), 1, 10_000)
_kinds: Shape[tuple[Kind, ...]] = many(nested(Kind), 1, 100_000)
_levels: Shape[tuple[Prices, ...]] = many(nested(Prices), 0, 100_000)
_tickets: Shape[tuple[Ticket, ...]] = many(nested(Ticket), 1, 200_000)
_features: Shape[tuple[str, ...]] = many(words, 1, 100)
_numbers: Shape[tuple[int, ...]] = many(whole(0, 100_000), 0, 100_000)


@dataclass(frozen=True)
class Task:
    """What is asked: the size of the panel, the quotas, who there is."""

    panel: int
    features: tuple[str, ...]
    quotas: tuple[Quota, ...]
    kinds: tuple[Kind, ...]

    @property
    def size(self) -> int:
        """How many people there are."""
        return sum(kind.people for kind in self.kinds)

    def named(self, quota: int) -> str:
        """A quota as people say it."""
        return f"{self.features[self.quotas[quota].feature]}={self.quotas[quota].value}"

    def lawful(self, counts: Sequence[tuple[int, int]]) -> bool:
        """Whether a panel has the right size, nobody twice, and keeps all quotas."""
        numbers = [number for number, _ in counts]
        if numbers != sorted(set(numbers)) or any(number >= len(self.kinds) for number in numbers):
            return False
        if any(not 0 < seated <= self.kinds[number].people for number, seated in counts):
            return False
        per_quota = [0] * len(self.quotas)
        for number, seated in counts:
            for value in self.kinds[number].values:
                per_quota[value] += seated
        return sum(seated for _, seated in counts) == self.panel and all(
            quota.least <= seated <= quota.most for quota, seated in zip(self.quotas, per_quota, strict=True)
        )


class Certified(NamedTuple):
    """What the prices show: the best possible chance at each level, and for each type the chance of its level (None: fixed by none)."""

    bounds: tuple[Fraction, ...]
    targets: tuple[Fraction | None, ...]


@dataclass(frozen=True)
class Lottery:
    """A task, its tickets, the prices of each level, and the types that no lawful panel can hold although no price shows it."""

    task: Task
    tickets: tuple[Ticket, ...]
    levels: tuple[Prices, ...]
    out: tuple[int, ...]
    respondents: bytes  # SHA-256 of the file that names the people
    categories: bytes  # SHA-256 of the file of quotas

    @cached_property
    def size(self) -> int:
        """How many tickets there are, copies counted."""
        return sum(ticket.copies for ticket in self.tickets)

    @cached_property
    def chances(self) -> tuple[Fraction, ...]:
        """The chance of a person of each type: exact."""
        mass = [0] * len(self.task.kinds)
        for ticket in self.tickets:
            for number, seated in ticket.counts:
                mass[number] += seated * ticket.copies
        return tuple(Fraction(each, kind.people * self.size) for each, kind in zip(mass, self.task.kinds, strict=True))

    @cached_property
    def certified(self) -> Certified:
        """Raises Refused `bad_certificate` where a level shows nothing."""
        return certify(self.task, self.levels, self.out)

    @property
    def smallest(self) -> Fraction:
        """The smallest chance of all who can be drawn at all."""
        return min((chance for chance in self.chances if chance), default=Fraction(0))

    @property
    def bound(self) -> Fraction:
        """No lottery gives all who can be drawn more than this: what the first level shows at which anybody can be drawn."""
        return next((bound for bound in self.certified.bounds if bound), Fraction(0))

    @property
    def is_best(self) -> bool:
        """Whether the prices show that no chance at all could be more equal."""
        return all(chance == target for chance, target in zip(self.chances, self.certified.targets, strict=True))


def certify(task: Task, levels: Sequence[Prices], out: Iterable[int] = ()) -> Certified:
    """The chances that follow from prices.

    A person costs the price of a place and of his values. A panel cannot spend more than `worth`: each quota at its maximum where the price is
    above 0, at its minimum where it is below. Types that an earlier level fixed spend what they have; the rest, at the same chance v each,
    spend at least v times the costs above 0, less what costs below 0 give back when all of them sit. So v is at most their quotient.
    """
    targets: list[Fraction | None] = [None] * len(task.kinds)
    for number in out:
        targets[number] = Fraction(0)
    bounds: list[Fraction] = []
    for number, level in enumerate(levels):
        place = f"level {number}"
        if len(level.quotas) != len(task.quotas):
            raise Refused("bad_certificate", place)
        costs = [level.panel + sum(level.quotas[value] for value in kind.values) for kind in task.kinds]
        free = [n for n, target in enumerate(targets) if target is None]
        worth = Fraction(level.panel * task.panel)
        worth += sum(price * (quota.most if price > 0 else quota.least) for price, quota in zip(level.quotas, task.quotas, strict=True))
        worth -= sum((target * task.kinds[n].people * costs[n] for n, target in enumerate(targets) if target), Fraction(0))
        worth += sum(task.kinds[n].people * max(0, -costs[n]) for n in free)
        shares = sum(task.kinds[n].people * max(0, costs[n]) for n in free)
        if shares <= 0 or worth < 0:
            raise Refused("bad_certificate", place)
        bounds.append(min(Fraction(1), worth / shares))
        for n in free:
            if costs[n] > 0:
                targets[n] = bounds[-1]
    return Certified(tuple(bounds), tuple(targets))


def gini(shares: Iterable[tuple[Fraction, int]]) -> Fraction:
    """The Gini coefficient of chances, given as (chance, people): 0 where all are equal. Exact."""
    before, spread, whole_sum = 0, Fraction(0), Fraction(0)
    ordered = sorted(shares)
    everybody = sum(number for _, number in ordered)
    for chance, number in ordered:
        spread += chance * number * (2 * before + number - everybody)
        whole_sum += chance * number
        before += number
    return spread / (everybody * whole_sum) if whole_sum else Fraction(0)


# The file ----------------------------------------------------------------------------------------------------------------------------------

_digest = hexes(32)
_FIELDS = frozenset({"categories", "features", "levels", "out", "panel", "quotas", "respondents", "tickets", "types", "v"})


def lottery_bytes(lottery: Lottery) -> bytes:
    """The canonical bytes of a lottery file."""
    task = lottery.task
    return dumps(
        {
            "categories": lottery.categories.hex(),
            "features": list(task.features),
            "levels": _levels.write(lottery.levels),
            "out": list(lottery.out),
            "panel": task.panel,
            "quotas": _quotas.write(task.quotas),
            "respondents": lottery.respondents.hex(),
            "tickets": _tickets.write(lottery.tickets),
            "types": _kinds.write(task.kinds),
            "v": VERSION,
        },
        text=True,
    )


def parse_lottery(data: bytes) -> Lottery:
    """The lottery of a file, with every ticket lawful and every price of the right shape. Raises Refused where anything is not."""
    place = "lottery"
    value = read_object(loads(data, place=place, max_bytes=MAX_FILE, text=True), place, _FIELDS)
    if value["v"] != VERSION:
        raise Refused("unknown_version", f"{place}.v", known=VERSION)
    task = Task(
        panel=whole(1, MAX_PEOPLE).read(value["panel"], f"{place}.panel"),
        features=_features.read(value["features"], f"{place}.features"),
        quotas=_quotas.read(value["quotas"], f"{place}.quotas"),
        kinds=_kinds.read(value["types"], f"{place}.types"),
    )
    lottery = Lottery(
        task,
        tickets=_tickets.read(value["tickets"], f"{place}.tickets"),
        levels=_levels.read(value["levels"], f"{place}.levels"),
        out=_numbers.read(value["out"], f"{place}.out"),
        respondents=_digest.read(value["respondents"], f"{place}.respondents"),
        categories=_digest.read(value["categories"], f"{place}.categories"),
    )
    _check(lottery)
    return lottery


def _check(lottery: Lottery) -> None:
    task = lottery.task
    if len({(quota.feature, quota.value) for quota in task.quotas}) != len(task.quotas):
        raise Refused("quota_twice", "lottery.quotas", name="")
    if [kind.values for kind in task.kinds] != sorted({kind.values for kind in task.kinds}):
        raise Refused("not_sorted", "lottery.types")
    for number, kind in enumerate(task.kinds):
        known = [task.quotas[value].feature if value < len(task.quotas) else -1 for value in kind.values]
        if known != list(range(len(task.features))):
            raise Refused("out_of_range", f"lottery.types[{number}].values", least=0, most=len(task.quotas) - 1)
    if list(lottery.out) != sorted(set(lottery.out)) or any(number >= len(task.kinds) for number in lottery.out):
        raise Refused("not_sorted", "lottery.out")
    for number, ticket in enumerate(lottery.tickets):
        if not ticket.copies or not task.lawful(ticket.counts):
            raise Refused("ticket_unlawful", f"lottery.tickets[{number}]")
    certify(task, lottery.levels, lottery.out)


# The draw ----------------------------------------------------------------------------------------------------------------------------------


class Drawn(NamedTuple):
    """The ticket's place in the file, and who sits: (type, number within the type in the order of the respondents), from 0, sorted."""

    ticket: int
    people: tuple[tuple[int, int], ...]


class Integers(Protocol):
    """Where integers come from: `Dice`, or in a test whatever walks through all outcomes."""

    def below(self, bound: int) -> int: ...


def draw(lottery: Lottery, seed: bytes) -> Drawn:
    """The panel of a seed. The same file and seed give the same people on any machine."""
    return draw_by(lottery, Dice(seed, STAGE))


def draw_by(lottery: Lottery, dice: Integers) -> Drawn:
    """One ticket, then people inside each of its types, type by type."""
    left = dice.below(lottery.size)
    place = 0
    while left >= lottery.tickets[place].copies:
        left -= lottery.tickets[place].copies
        place += 1
    seated = []
    for number, wanted in lottery.tickets[place].counts:
        order: dict[int, int] = {}  # only the positions that were exchanged: a type may have a hundred thousand people
        everybody = lottery.task.kinds[number].people
        for taken in range(wanted):
            other = taken + dice.below(everybody - taken)
            order[taken], order[other] = order.get(other, other), order.get(taken, taken)
            seated.append((number, order[taken]))
    return Drawn(place, tuple(sorted(seated)))
