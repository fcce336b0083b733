"""Small pools of few employers, drawn, declined, screened, widened and appointed at random: where samplers and caps come to their edges."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

from drawing.errors import Refused
from drawing.events import Plan, Seat, Site
from tests.scenario import World, person

PROFESSIONS = ("A08", "A0601", "C03", "B01")


def small_plan(chance: random.Random) -> Plan:
    seats = tuple(
        Seat(
            chance.choice((1, 1, 2, 3)), chance.random() < 0.3, tuple(sorted(chance.sample(PROFESSIONS, chance.choice((1, 2))))),
            chance.choice((0, 1, 2)), chance.choice(("", "", "home")),
        )
        for _ in range(chance.choice((1, 2, 2, 3)))
    )  # fmt: skip
    sites = (Site(("11",), "home", chance.random() < 0.5), Site(("12",), "guest", chance.random() < 0.4))
    return Plan(90, chance.choice((0, 1, 2, 9)), (), 1, seats, sites)


def small_world(seed: int) -> World | None:
    """A history of such a pool; None where the pool allows no panel at all."""
    chance = random.Random(seed)
    employers = chance.sample("cdefghijklmnop", chance.choice((3, 4, 5, 6, 10)))
    records = [
        person(
            number, chance, employer={"code": f"UNIT-{chance.choice(employers)}", "name": "x"}, weight=chance.choice((1, 1, 2, 5)),
            professions=chance.sample(("A080104", "A0601", "C0304", "B0132"), chance.choice((1, 2, 3))),
        )
        for number in range(chance.choice((10, 14, 20, 30, 50)))
    ]  # fmt: skip
    plan = small_plan(chance)
    world = World(
        seed=seed, records=records, plan=plan, method=chance.choice(("uniform/1", "uniform/1", "fair/1")),
        beacon=chance.choice(("none", "none", "local")), rounds_by_draw_key=chance.random() < 0.2,
    )  # fmt: skip

    def act(*acts: Callable[[], None]) -> None:
        for each in acts:
            try:
                each()
            except Refused:
                return

    try:
        world.open(), world.commit(), world.contribute(), world.result()
    except Refused:
        return None
    wider = tuple(replace(seat, professions=tuple(sorted({code[:1] for code in seat.professions})), site="") for seat in plan.seats)
    for _ in range(chance.choice((0, 1, 2, 3))):
        panel = [number for number in world.project.draw.panel if world.project.draw.slots[number].tag]
        if chance.random() < 0.3:
            act(world.answer, lambda: world.screen((f"UNIT-{chance.choice(employers)}",)))
        else:
            left = chance.sample(panel, min(len(panel), chance.choice((1, 1, 2))))
            act(lambda left=left: world.answer(left=left))  # type: ignore[misc]
        if world.project.draw.open_slots:
            early = world.round if world.beacon == "none" else world.lots_again
            act(early if chance.random() < 0.3 else world.replace)
        if world.project.draw.open_slots and chance.random() < 0.5:
            act(lambda: world.extend(replace(plan, recent_max=plan.recent_max + 3, seats=wider)))
        if world.project.draw.open_slots and chance.random() < 0.5:
            act(lambda: world.appoint("direct_choice", world.project.draw.open_slots[0]))
    act(world.finish)
    return world
