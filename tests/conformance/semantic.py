"""Lies rightly signed and logged: those of tests/lies.py, at the level of the roll and with the openings."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import replace

from drawing.errors import Refused
from drawing.events import FAIR, UNIFORM, Body, Contributed, Event, Head, RoundContributed, Signature, body_json
from drawing.model import shape_of
from drawing.verify import Files
from tests.conformance.cases import Case, Planned
from tests.conformance.changes import changed, nudged
from tests.conformance.histories import HISTORIES, Setting, built
from tests.conformance.tables import NoTable
from tests.lies import LIES
from tests.scenario import World

# What only the equation of the beacon's value shows.
CURVE = {"a_beacon_value_of_another_round", "a_beacon_value_of_another_round_in_a_replacement"}


def cases() -> Iterator[Planned]:
    for name, make in LIES.items():
        check = name.partition("_")[0]
        needs = ("curve",) if make.__name__ in CURVE else ("mldsa",) if check == "A6" else ()

        def told(make=make, check=check, needs=needs, *, openings: bool) -> Case:  # type: ignore[no-untyped-def]
            files: Files = make()
            return Case(files if openings else replace(files, openings=None), (check,), needs)

        if not check.startswith("S"):
            yield Planned(f"lie/{check}-{make.__name__}", "lie", lambda chance, told=told: told(openings=False))  # type: ignore[misc]
        yield Planned(f"lie/{check}-{make.__name__}+openings", "lie-openings", lambda chance, told=told: told(openings=True))  # type: ignore[misc]


# Lies by chance ---------------------------------------------------------------------------------------------------------------------------

BASES: tuple[tuple[str, Setting], ...] = (
    ("two_reserves_and_lots", Setting(3)), ("one_round", Setting(4)), ("one_round", Setting(4, UNIFORM, "local")),
    ("screened_after", Setting(5)), ("screened_after", Setting(5, UNIFORM, "drand")), ("extension_and_round", Setting(116)),
    ("extension", Setting(115, UNIFORM, "local")), ("direct_choice", Setting(111)), ("stopped_and_resumed", Setting(6, UNIFORM, "drand")),
    ("representatives", Setting(8)), ("a_second_attempt", Setting(9)), ("an_ordered_end_and_a_second_attempt", Setting(9, UNIFORM, "local")),
    ("all_accept", Setting(10, FAIR)), ("one_round", Setting(12, FAIR, "drand")), ("rounds_on_the_draw_key", Setting(13)),
    ("wide_plan", Setting(14)), ("screened_before", Setting(15)),
)  # fmt: skip
BODY_LIES, EVENT_LIES = 520, 260


def played(name: str, setting: Setting, bribe: Callable[[World], None]) -> Files | None:
    """What a liar's proof is, as far as the history came. None where it came to nothing."""
    worlds: list[World] = []

    def remembered(world: World) -> None:
        worlds.append(world)
        bribe(world)

    try:
        HISTORIES[name](replace(setting, bribe=remembered))
    except NoTable:
        raise
    except Exception:  # a lie may make the rest of the history impossible; what was logged is the case
        pass
    try:
        return worlds[-1].files(openings=False)
    except Exception:
        return None


def body_lie(name: str, setting: Setting, chance: random.Random) -> Case:
    """One field of one body is another, everything after rightly signed; a contribution is signed again by its contributor or not."""
    honest = built(name, setting).world.events
    for _ in range(40):
        target = chance.choice([n for n, event in enumerate(honest) if event.type not in ("checked", "closed")])
        body = honest[target].body
        again = chance.random() < 0.7
        try:
            lie = shape_of(type(body)).read(changed(body_json(body), chance), "lie")
        except Refused:
            continue

        def bribe(world: World, body: Body = body, lie: Body = lie, again: bool = again) -> None:
            def tamper(told: Body) -> Body:
                if told != body:
                    return told
                if again and isinstance(lie, Contributed | RoundContributed) and lie.key in world.holders:
                    draw = world.project.draw
                    leaf = draw.stages[-1].leaf if isinstance(lie, Contributed) else draw.commits[-1].leaf_hash
                    return replace(lie, sig=world.holders[lie.key].sign(lie.statement(leaf)))
                return lie

            world.tamper = tamper

        files = played(name, setting, bribe)
        if files is not None and files.proof != built(name, setting).files.proof:
            return Case(files)
    raise AssertionError(f"no lie in {name}")


def event_lie(name: str, setting: Setting, chance: random.Random) -> Case:
    """The head of one event, or who signed it, is another; signed again by whoever signs."""
    honest = built(name, setting).world.events
    for _ in range(40):
        target = chance.randrange(len(honest))
        how = chance.choice(("head", "head", "one_less", "one_more", "another", "twice", "turned", "not_again", "nobody"))
        seed = chance.random()

        def bribe(world: World, target: int = target, how: str = how, seed: float = seed) -> None:
            def retell(event: Event) -> Event:
                return retold(world, event, how, random.Random(str(seed))) if len(world.events) == target else event

            world.retell = retell

        files = played(name, setting, bribe)
        if files is not None and files.proof != built(name, setting).files.proof:
            return Case(files)
    raise AssertionError(f"no lie in {name}")


def retold(world: World, event: Event, how: str, chance: random.Random) -> Event:
    """The event as the liar has it signed."""
    names = [each.key for each in event.sigs]
    others = [name for name in sorted(world.holders) if name not in names]
    if how in ("head", "not_again"):
        value = shape_of(Head).write(event.head)
        field = chance.choice(sorted(value))
        value[field] = nudged(value[field], field, chance)
        event = replace(event, head=shape_of(Head).read(value, "head"))
    elif how == "one_less":
        names.remove(chance.choice(names))
    elif how == "one_more":
        names = sorted([*names, chance.choice(others)])
    elif how == "another":
        names[chance.randrange(len(names))] = chance.choice(others)
        names.sort()
    elif how == "twice":
        names = sorted([*names, names[0]])
    elif how == "turned":
        names = names[::-1]
    elif how == "nobody":
        names = []
    if how == "not_again":
        return Event(event.head, event.body, event.sigs)
    unsigned = Event(event.head, event.body, ())
    return Event(event.head, event.body, tuple(Signature(name, world.holders[name].sign(unsigned.payload)) for name in names))


def by_chance() -> Iterator[Planned]:
    """Hundreds of lies about which the verifiers must agree."""
    for number in range(BODY_LIES):
        name, setting = BASES[number % len(BASES)]
        yield Planned(f"body/{number:04}-{name}-{setting.name}", "body-lie", lambda chance, n=name, s=setting: body_lie(n, s, chance))  # type: ignore[misc]
    for number in range(EVENT_LIES):
        name, setting = BASES[number % len(BASES)]
        yield Planned(f"event/{number:04}-{name}-{setting.name}", "event-lie", lambda chance, n=name, s=setting: event_lie(n, s, chance))  # type: ignore[misc]
