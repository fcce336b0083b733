"""Any legal history verifies, at every level, and its replay is its state."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from drawing.canonical import dumps
from drawing.draw import NEXT, Phase, apply, replay
from drawing.errors import Refused
from drawing.events import FAIR, parse_event
from drawing.proof import parse_proof, proof_bytes
from tests.conftest import counts
from tests.scenario import PLAN, World, person

EXPERT = ("E1", "E2", "E3", "E4")


def good(world: World) -> None:
    """Everything given verifies and nothing but the receipt is skipped; the proof reads back as it was written."""
    report = world.verify()
    assert report.failed == (), [fault for outcome in report.outcomes for fault in outcome.faults]
    expected = set(EXPERT)
    assert set(report.skipped) == expected
    data = world.files().proof
    assert proof_bytes(parse_proof(data)) == data
    assert replay(world.events) == world.project


def test_a_draw_where_all_accept_verifies_at_every_level():
    world = World().whole()
    good(world)
    assert [slot for slot, _ in world.verify().names] == [0, 1, 2]


def test_a_reserve_steps_in_before_lots_fall_again():
    world = World().whole(left=(0,))
    assert "stepped_in" in [event.type for event in world.events]
    assert "replaced" not in [event.type for event in world.events]
    good(world)


def test_when_no_reserve_is_left_all_open_slots_are_drawn_together():
    world = World(plan=replace(PLAN, seats=tuple(replace(seat, reserves=0) for seat in PLAN.seats))).whole(left=(0, 2))
    assert [event.type for event in world.events].count("replaced") == 1
    good(world)


def test_a_replacement_of_a_replacement_is_drawn_in_the_next_round():
    world = World(seed=5, plan=replace(PLAN, seats=tuple(replace(seat, reserves=0) for seat in PLAN.seats)))
    world.open(), world.commit(), world.contribute(), world.result()
    for _ in range(3):
        world.answer(left=(1,))
        world.replace()
    world.finish()
    assert world.project.draw.round == 4
    assert len(world.project.draw.slots[1].tags) == 4
    good(world)


def test_rounds_may_rest_on_the_draw_key_alone_and_the_report_says_so():
    world = World(rounds_by_draw_key=True, plan=replace(PLAN, seats=tuple(replace(seat, reserves=0) for seat in PLAN.seats))).whole(
        left=(0,)
    )
    good(world)
    assert "rounds_by_draw_key_alone" in world.verify().headlines


def test_a_bidder_list_before_the_contributions_only_removes():
    world = World()
    world.open(), world.commit()
    world.screen(("UNIT-c", "UNIT-d"))
    world.contribute(), world.result(), world.finish()
    assert not world.removed & {slot.tag for slot in world.project.draw.slots}
    good(world)


def test_a_bidder_list_after_the_result_replaces_whom_it_hits():
    world = World(seed=3)
    world.open(), world.commit(), world.contribute(), world.result(), world.answer()
    hit = {world.roll.employers[world.roll.place_of[world.project.draw.slots[0].tag]]}
    code = next(e for e in "cdefghijklmnop" if world.pool.rows and _employer(world, e) in hit)
    world.screen((f"UNIT-{code}",))
    assert 0 in world.project.draw.open_slots
    world.replace()
    world.finish()
    good(world)


def _employer(world: World, letter: str) -> bytes:
    from drawing.pool import employer_tag

    return employer_tag(world.secret("draw"), f"UNIT-{letter}")


def small_pool_world(seed: int = 1) -> World:
    """Three people for the second seat, so that it soon runs dry; others are a profession apart."""
    chance = random.Random(seed)
    records = [
        person(n, chance, professions=["A080104"], area="110108", employer={"code": f"UNIT-x{n}", "name": "x"}, draws=[]) for n in range(12)
    ]
    records += [
        person(20 + n, chance, professions=["A0601"], area="110105", employer={"code": f"UNIT-y{n}", "name": "y"}, draws=[])
        for n in range(2)
    ]
    records += [
        person(30 + n, chance, professions=["A0602"], area="110105", employer={"code": f"UNIT-z{n}", "name": "z"}, draws=[])
        for n in range(4)
    ]
    seats = (PLAN.seats[0], replace(PLAN.seats[1], professions=("A0601",), reserves=0))
    return World(seed=seed, records=records, plan=replace(PLAN, seats=seats))


def dry(world: World) -> World:
    """Both people for the second seat decline: a dead end."""
    world.open(), world.commit(), world.contribute(), world.result()
    world.answer(left=(2,))
    world.replace()
    world.answer(left=(2,))
    return world


def test_what_a_report_says_of_fairness_is_of_the_commit_alone():
    """Where the commit's certificate shows nothing, that of an extension must not stand in its place."""

    def played(retable):  # type: ignore[no-untyped-def]
        world = small_pool_world()
        world.method, world.retable = FAIR, retable
        dry(world)
        world.retable = lambda table: table
        world.extend(replace(world.plan, seats=(world.plan.seats[0], replace(world.plan.seats[1], professions=("A06",)))))
        world.finish()
        return world.verify()

    honest = played(lambda table: table)
    assert honest.failed == ()
    assert set(honest.facts["fairness"]) == {"bound", "reached"}
    lie = played(lambda table: replace(table, levels=(replace(table.levels[0], seats=(0,)), *table.levels[1:])))
    assert (lie.failed, lie.facts["fairness"]) == (("F2",), {})


def test_a_dead_end_is_left_by_wider_terms_with_new_contributions():
    world = dry(small_pool_world())
    wider = replace(world.plan, seats=(world.plan.seats[0], replace(world.plan.seats[1], professions=("A06",))))
    world.extend(wider)
    world.finish()
    good(world)
    assert "small_pool" in world.verify().headlines


def test_after_an_extension_a_further_round_uses_the_wider_roll():
    world = dry(small_pool_world(2))
    world.extend(replace(world.plan, seats=(world.plan.seats[0], replace(world.plan.seats[1], professions=("A06",)))))
    world.answer(left=(2,))
    world.replace()
    world.finish()
    good(world)


def test_a_dead_end_is_left_by_a_lawful_direct_choice():
    world = dry(small_pool_world(3))
    world.appoint("direct_choice", 2)
    world.appoint("representative", 0)
    world.finish()
    good(world)


def test_a_supervisor_may_stop_a_draw_at_any_time_and_it_goes_on_as_it_would_have():
    world = World()
    world.open(), world.commit()
    world.stop_and_resume()
    world.contribute()
    world.stop_and_resume()
    world.result(), world.stop_and_resume(), world.finish()
    good(world)


def test_an_abandoned_attempt_is_part_of_every_later_proof():
    world = World()
    world.open(), world.commit(), world.contribute(("notary/c",)), world.abandon("incomplete")
    world.whole()
    good(world)
    assert world.verify().facts["attempts"] == 2
    assert any(flag.code == "abandoned_incomplete" for flag in world.verify().outcome("C1").flags)


def test_an_open_draw_verifies_as_open_and_its_openings_hold_no_draw_secret():
    world = World()
    world.open(), world.commit(), world.contribute(), world.result()
    report = world.verify()
    assert report.failed == ()
    assert "open" in report.headlines
    assert "S5" in report.skipped


def test_a_dry_run_says_so_first_and_is_never_simply_good():
    report = World(dry_run=True).whole().verify()
    assert report.failed == ()
    assert report.headlines[0] == "dry_run"
    assert report.exit_code == 3


def test_a_snapshot_with_a_predecessor_states_the_difference():
    world = World(previous=True).whole()
    good(world)
    assert world.verify().outcome("S4").status == "passed"


def test_every_phase_of_the_table_names_known_events_and_the_spec_has_the_same_table():
    from pathlib import Path

    from drawing.events import BODIES

    assert set(NEXT) == set(Phase)
    assert set().union(*NEXT.values()) == set(BODIES)
    spec = (Path(__file__).parents[2] / "docs" / "spec" / "draw.md").read_text("utf-8")
    rows = {
        cells[1].strip().strip("`"): frozenset(cells[2].replace("`", "").replace(",", " ").split())
        for cells in (line.split("|") for line in spec.splitlines())
        if len(cells) == 4 and cells[1].strip().strip("`") in set(Phase)
    }
    assert rows == {phase.value: events for phase, events in NEXT.items()}  # spec: draw-4.1


@pytest.mark.parametrize("beacon", ["none", "local", "drand"])
@pytest.mark.parametrize("seed", range(counts("random legal histories", 40, 1_000)))
def test_any_legal_history_verifies(seed, beacon):
    if beacon != "none" and seed % 2:
        return
    chance = random.Random(seed)
    plan = replace(PLAN, seats=tuple(replace(seat, reserves=chance.randrange(3)) for seat in PLAN.seats), recent_max=chance.randrange(1, 4))
    world = World(seed=seed, people=chance.choice((40, 60, 100)), plan=plan, previous=chance.random() < 0.2, beacon=beacon)
    try:
        while chance.random() < 0.15:
            world.open(), world.commit(), world.abandon("incomplete")
        world.open(), world.commit()
        if chance.random() < 0.2:
            world.screen((f"UNIT-{chance.choice('cdefg')}",))
        world.contribute(), world.result()
        for _ in range(chance.randrange(4)):
            act = chance.random()
            if act < 0.5:
                panel = [n for n in world.project.draw.panel if world.project.draw.slots[n].tag]
                world.answer(left=chance.sample(panel, chance.randrange(len(panel))), evidence=chance.choice(("link", "two_persons")))
            elif act < 0.75:
                world.answer()
                world.screen((f"UNIT-{chance.choice('cdefghij')}",))
            else:
                world.stop_and_resume()
            if world.project.draw.open_slots:
                world.replace()
        if world.project.draw.representatives == () and chance.random() < 0.5:
            world.appoint("representative", 0)
        world.finish()
    except Refused as dead_end:
        assert dead_end.code == "no_lawful_panel"
        return
    good(world)


def test_a_refused_event_changes_nothing():
    world = World()
    world.open()
    before = world.project
    wrong = parse_event(world.events[0].leaf)
    with pytest.raises(Refused) as refused:
        apply(before, wrong)
    assert refused.value.code
    assert world.project == before
    assert parse_event(dumps(wrong.to_json())) == wrong
