"""What the supervisor with the roll attests, and what not."""

from __future__ import annotations

import pytest

from drawing.errors import Refused
from drawing.events import Committed
from drawing.lots import first_need
from drawing.pool import histogram_digest
from server.material import attest_roll
from tests.scenario import PLAN, World


def offered(**more: object) -> tuple[World, Committed]:
    world = World(**more)  # type: ignore[arg-type]
    world.open()
    return world, world.commit_body()


def test_honest_terms_are_attested_by_the_histogram_of_their_roll():
    world, body = offered()
    assert attest_roll(world.roll, body.terms, first_need(world.roll, PLAN)) == histogram_digest(world.roll.salt, world.roll.histogram())


def test_new_terms_with_a_sampler_of_version_1_are_not_attested():  # spec: sel-3
    world, body = offered(sampler_version=1)
    with pytest.raises(Refused) as refused:
        attest_roll(world.roll, body.terms, first_need(world.roll, PLAN))
    assert (refused.value.place, refused.value.params["why"]) == ("D2", "other_sampler")
