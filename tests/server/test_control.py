"""Control limits against the numbers of a published example."""

from __future__ import annotations

import random

import pytest

from server.control import count_limits, p_chart, poisson_tails

# NIST/SEMATECH e-Handbook 6.3.3.2: misregistered chips on 30 wafers of 50 chips each (fractions × 50); the page gives mean 0.2313, limits 0.0524 and 0.4102.
WAFERS = (12, 15, 8, 10, 4, 7, 16, 9, 14, 10, 5, 6, 17, 12, 22, 8, 10, 5, 13, 11, 20, 18, 24, 15, 9, 12, 7, 13, 9, 6)


def test_the_limits_are_those_of_the_published_example():
    found = p_chart([(each, 50) for each in WAFERS])
    assert sum(WAFERS) == 347
    assert found.mean == pytest.approx(0.2313, abs=5e-5)
    assert {round(each.lower, 4) for each in found.points} == {0.0524}
    assert {round(each.upper, 4) for each in found.points} == {0.4102}
    assert [n + 1 for n, each in enumerate(found.points) if each.side] == [15, 23]


def test_a_small_group_has_wide_limits_and_an_edge_counts_as_inside():
    small, large = p_chart([(2, 4), (50, 400)]).points
    assert small.upper - small.lower > large.upper - large.lower
    # Half of 36 is the mean: three standard deviations are exactly 9, so 27 lies on the limit and 28 beyond it.
    assert [each.side for each in p_chart([(27, 36), (9, 36)]).points] == ["", ""]
    assert [each.side for each in p_chart([(28, 36), (8, 36)]).points] == ["above", "below"]


def test_nothing_and_everything_have_no_outside():
    assert p_chart([]).points == ()
    for count in (0, 5):
        assert [each.side for each in p_chart([(count, 5), (count, 5)]).points] == ["", ""]


@pytest.mark.parametrize(
    ("times", "mean", "at_most", "at_least"),
    [(0, 2, 0.135335, 1), (1, 2, 0.406006, 0.864665), (2, 5, 0.124652, 0.959572), (5, 1, 0.999406, 0.003660), (40, 1, 1, 4.54e-49)],
)
def test_tails_are_those_of_the_tables(times, mean, at_most, at_least):
    found = poisson_tails(times, mean)
    assert found[0] == pytest.approx(at_most, rel=1e-4)
    assert found[1] == pytest.approx(at_least, rel=1e-3)


def test_limits_of_counts():
    assert count_limits(0.05, 0.001) == (0, 2)  # two at 1.2 in a thousand, three at 2 in a hundred thousand
    assert count_limits(20, 0.001) == (8, 35)  # seven or fewer: 0.00078, eight: 0.0021; 36 or more: 0.00080, 35: 0.0014


def test_whoever_was_drawn_by_chance_alone_is_outside_no_more_often_than_the_level_says():
    """The exact distribution of a sum of unlike chances, beside limits of its mean."""
    random_of = random.Random(4)
    for _ in range(200):
        chances = [random_of.random() ** 3 for _ in range(random_of.randint(1, 60))]
        exact = [1.0]
        for chance in chances:
            exact = [a * (1 - chance) + b * chance for a, b in zip([*exact, 0.0], [0.0, *exact], strict=True)]
        level = 10 ** -random_of.uniform(2, 6)
        low, high = count_limits(sum(chances), level)
        assert sum(exact[:low]) <= level
        assert sum(exact[high + 1 :]) <= level
