"""Control limits against the numbers of a published example."""

from __future__ import annotations

import pytest

from server.control import p_chart

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
