"""The lottery file, its certificate and its draw: small enough to list everything."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from fractions import Fraction
from itertools import product
from math import comb, prod, sqrt

import pytest

from drawing.errors import Refused
from drawing.lottery import Kind, Lottery, Prices, Quota, Task, Ticket, certify, draw, draw_by, gini, lottery_bytes, parse_lottery
from tests.conftest import counts

# The example of docs/spec/leximin.md: two women and four men, half of each from the north; one woman and one man, one from each side.
TASK = Task(
    2,
    ("sex", "side"),
    (Quota(0, 1, 1, "woman"), Quota(0, 1, 1, "man"), Quota(1, 1, 1, "north"), Quota(1, 1, 1, "south")),
    (Kind(1, (0, 2)), Kind(1, (0, 3)), Kind(2, (1, 2)), Kind(2, (1, 3))),
)
EXAMPLE = Lottery(
    TASK,
    tickets=(Ticket(1, ((0, 1), (3, 1))), Ticket(1, ((1, 1), (2, 1)))),
    levels=(Prices(0, (0, 1, 0, 0)), Prices(1, (0, 0, 0, 0))),
    out=(),
    respondents=bytes(32),
    categories=bytes(32),
)


class Walk:
    """Integers that go through all outcomes, each with its probability."""

    def __init__(self) -> None:
        self.path: list[tuple[int, int]] = []
        self.at = 0

    def below(self, bound: int) -> int:
        if self.at == len(self.path):
            self.path.append((0, bound))
        value, known = self.path[self.at]
        assert known == bound
        self.at += 1
        return value

    def next(self) -> bool:
        while self.path and self.path[-1][0] + 1 == self.path[-1][1]:
            self.path.pop()
        if self.path:
            value, bound = self.path[-1]
            self.path[-1] = (value + 1, bound)
        self.at = 0
        return bool(self.path)


def all_draws(lottery: Lottery):  # type: ignore[no-untyped-def]
    walk = Walk()
    while True:
        drawn = draw_by(lottery, walk)
        yield drawn, Fraction(1, prod(bound for _, bound in walk.path))
        if not walk.next():
            return


def test_the_example_of_the_spec():  # spec: leximin-3, leximin-4
    assert EXAMPLE.chances == (Fraction(1, 2), Fraction(1, 2), Fraction(1, 4), Fraction(1, 4))
    assert EXAMPLE.certified.bounds == (Fraction(1, 4), Fraction(1, 2))
    assert EXAMPLE.is_best
    assert EXAMPLE.smallest == EXAMPLE.bound == Fraction(1, 4)
    assert draw(EXAMPLE, bytes(32)).people == draw(parse_lottery(lottery_bytes(EXAMPLE)), bytes(32)).people
    assert draw(EXAMPLE, bytes(32)) == (1, ((1, 0), (2, 0)))
    assert draw(EXAMPLE, bytes(31) + b"\x01") == (1, ((1, 0), (2, 1)))


def test_every_copy_and_every_set_inside_a_type_are_equally_likely():  # spec: leximin-5
    task = Task(4, ("side",), (Quota(0, 1, 3, "north"), Quota(0, 1, 3, "south")), (Kind(5, (0,)), Kind(4, (1,))))
    lottery = Lottery(task, (Ticket(3, ((0, 1), (1, 3))), Ticket(2, ((0, 2), (1, 2)))), (), (), bytes(32), bytes(32))
    found: Counter[tuple[int, tuple[tuple[int, int], ...]]] = Counter()
    for drawn, probability in all_draws(lottery):
        found[drawn] += probability  # type: ignore[assignment]
    sets = [comb(5, 1) * comb(4, 3), comb(5, 2) * comb(4, 2)]
    assert len(found) == sum(sets)
    for (ticket, _), probability in found.items():
        assert probability == Fraction((3, 2)[ticket], 5) / sets[ticket]
    for number, kind in enumerate(task.kinds):
        for person in range(kind.people):
            assert sum(p for (_, people), p in found.items() if (number, person) in people) == lottery.chances[number]


def test_many_draws_agree_with_the_exact_chances():  # spec: leximin-5
    task = Task(5, ("side",), (Quota(0, 1, 4, "north"), Quota(0, 1, 4, "south")), (Kind(7, (0,)), Kind(9, (1,))))
    lottery = Lottery(task, (Ticket(7, ((0, 1), (1, 4))), Ticket(5, ((0, 4), (1, 1)))), (), (), bytes(32), bytes(32))
    draws = counts("draws from a lottery", 3_000, 30_000)
    seen: Counter[tuple[int, int]] = Counter()
    for n in range(draws):
        seen.update(draw(lottery, n.to_bytes(32, "big")).people)
    for number, kind in enumerate(task.kinds):
        chance = float(lottery.chances[number])
        for person in range(kind.people):
            assert abs(seen[number, person] - draws * chance) / sqrt(draws * chance * (1 - chance)) < 4.5


def test_no_prices_show_less_than_a_lottery_reaches():  # spec: leximin-3
    chance = random.Random(3)
    for _ in range(counts("random prices against the best lottery", 3_000, 30_000)):
        prices = Prices(chance.randint(-5, 5), tuple(chance.randint(-5, 5) for _ in TASK.quotas))
        try:
            certified = certify(TASK, [prices])
        except Refused as refused:
            assert refused.code == "bad_certificate"
            continue
        fixed = [n for n, target in enumerate(certified.targets) if target is not None]
        assert min(EXAMPLE.chances) <= certified.bounds[0]
        assert fixed


def test_a_certificate_that_lacks_a_term_would_pass_where_it_must_not():  # spec: leximin-3
    """Costs below 0 give back: without that term these prices would "show" 0 where 1/4 is reached."""
    task = replace(TASK, quotas=tuple(replace(quota, least=0, most=2) for quota in TASK.quotas))
    certified = certify(task, [Prices(1, (-2, 0, 0, 0))])
    assert certified.bounds == (Fraction(2 - 0 + 2, 4),)


def test_a_ticket_that_is_not_lawful_is_refused():  # spec: leximin-2
    for counted in (
        ((0, 1), (1, 1)),  # two women
        ((0, 1), (3, 2)),  # three people
        ((2, 1), (3, 1)),  # no woman
        ((3, 1), (0, 1)),  # not in order
        ((0, 1), (9, 1)),  # no such type
        ((0, 2),),  # more than there are
    ):
        with pytest.raises(Refused) as refused:
            parse_lottery(lottery_bytes(replace(EXAMPLE, tickets=(Ticket(1, counted),))))
        assert refused.value.code == "ticket_unlawful"
    with pytest.raises(Refused):
        parse_lottery(lottery_bytes(replace(EXAMPLE, tickets=(Ticket(0, ((0, 1), (3, 1))),))))


def test_a_file_that_is_not_canonical_or_not_one_is_refused():  # spec: leximin-6
    data = lottery_bytes(EXAMPLE)
    assert parse_lottery(data) == EXAMPLE
    for bad in (
        data + b"\n",
        data.replace(b'"v"', b'"w"'),
        data.replace(b"lotroom-lottery/1", b"lotroom-lottery/9"),
        data.replace(b'"copies":"1"', b'"copies":"01"', 1),
        data.replace(b'"copies":"1"', b'"copies":1', 1),
        data.replace(b'"man"', b'"woman"'),
        data.replace(b'"values":[0,2]', b'"values":[2,0]'),
        data.replace(b'"values":[0,2]', b'"values":[0,3]'),
        data.replace(b'"values":[0,2]', b'"values":[0]'),
        data.replace(b'"out":[]', b'"out":[4]'),
        data.replace(b'"panel":0', b'"panel":-9'),
    ):
        assert bad != data
        with pytest.raises(Refused):
            parse_lottery(bad)


def test_the_gini_coefficient_is_that_of_its_definition():
    chance = random.Random(4)
    for _ in range(100):
        shares = [Fraction(chance.randint(0, 9), 10) for _ in range(chance.randint(1, 8))]
        mean = sum(shares) / len(shares)
        if mean:
            spread = sum((abs(a - b) for a, b in product(shares, repeat=2)), Fraction(0))
            assert gini((each, 1) for each in shares) == spread / (2 * len(shares) ** 2 * mean)
    assert gini([(Fraction(1, 2), 3), (Fraction(1, 4), 2)]) == gini([(Fraction(1, 2), 1)] * 3 + [(Fraction(1, 4), 1)] * 2)
