"""A pool made to measure: tailored requests, small pools, people added or left out (draw-protocol 8)."""

from __future__ import annotations

import json
import random
from dataclasses import replace

from drawing.canonical import dumps
from drawing.events import Committed, Seat
from drawing.roll import small_pool
from tests.conftest import counts
from tests.drawing.test_histories import small_pool_world
from tests.fairness.coalition import record
from tests.scenario import PLAN, World, person


def tailored(seed: int, able: int) -> World:
    """A request that only so many people can fill: a staff member asks for what the friends have."""
    chance = random.Random(f"tailored {seed}")
    records = []
    for n in range(60):
        record_of = json.loads(person(n, chance))
        record_of["professions"] = ["B0132"] if n >= able else ["A080104", "B0132"]
        record_of["employer"] = {"code": f"UNIT-{100 + n}", "name": f"单位{n}"}
        record_of["area"], record_of["draws"] = "110108", []
        records.append(dumps(record_of, text=True))
    plan = replace(PLAN, seats=(Seat(3, False, ("A0801",), 0, ""),), sites=())
    return World(seed=seed, records=records, plan=plan)


def test_a_tailored_request_is_flagged_below_three_people_a_place_and_the_flag_cannot_be_left_out():
    trials = counts("tailored requests", 6, 60)
    hidden = 0
    for seed in range(trials):
        able = 3 + seed % 10
        world = tailored(seed, able).whole()
        report = world.verify()
        assert not report.failed
        assert ("small_pool" in report.headlines) == (world.roll.size < 9) == small_pool(world.roll, world.plan)

        def turn(body):
            if isinstance(body, Committed):
                return replace(body, terms=replace(body.terms, small_pool=not body.terms.small_pool))
            return body

        liar = tailored(seed, able)
        liar.tamper = turn
        hidden += liar.whole().verify().failed != ("D1",)
    assert record("small-pool flag turned and not seen", trials, hidden) == 0
    assert "small_pool" in small_pool_world().whole().verify().headlines


def test_whoever_guesses_the_panel_of_a_flagged_pool_is_right_as_often_as_it_is_small():
    """What the flag warns of: with four people for three places anybody names the panel one time in four. Nothing but the flag stops this."""
    draws = counts("panels of a small pool guessed", 40, 400)
    right = 0
    for seed in range(draws):
        world = tailored(seed, 4)
        world.open(), world.commit(), world.contribute(), world.result()
        guess = frozenset(world.roll.tags[:3])
        right += guess == {slot.tag for slot in world.project.draw.slots if slot.tag}
        assert world.roll.size in (3, 4)
    record("panels of four for three guessed, one in four is chance", draws, right)
    assert right >= draws // 10


def test_people_left_out_or_added_after_the_attestation_show_at_every_level_that_sees_them():
    """The operator draws from another pool than was attested: the draft differs (V1); whoever holds the roll or the openings sees which."""

    def other_pool(body):
        if isinstance(body, Committed):
            return replace(body, terms=replace(body.terms, decisions=body.terms.snapshot.root))
        return body

    liar = World()
    liar.open()
    body = liar.commit_body()
    liar.attest(body)
    liar.log(other_pool(body), "centre/staff", "bureau/one")
    liar.contribute(), liar.result(), liar.finish()
    report = liar.verify()
    assert {"V1", "S3"} <= set(report.failed)
    assert "V1" in liar.verify(roll=False, openings=False).failed
