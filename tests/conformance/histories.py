"""Valid histories: each a whole draw, honest at every level, for every method, beacon and seed that it can be played with."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import sha256

from drawing.draw import Phase
from drawing.errors import Refused
from drawing.events import FAIR, UNIFORM, Body, Committed, Erased, Extended, Plan, Seat, Signature, Site
from drawing.fair import SAMPLER_VERSION
from drawing.keys import KeyList
from drawing.lots import completions
from drawing.openings import parse_openings, write_openings
from drawing.pool import Entry, commitment_of, decision_json, decision_leaf, employer_tag, label_of, opening_of
from drawing.receipt import receipt_bytes
from drawing.verify import Files
from server.receipts import make_receipt
from tests.conformance.cases import Case, Planned
from tests.drawing.test_histories import small_pool_world
from tests.scenario import PLAN, World, person

BARE = replace(PLAN, seats=tuple(replace(seat, reserves=0) for seat in PLAN.seats))
BEACONS = ("none", "local", "drand")


@dataclass(frozen=True, slots=True)
class Setting:
    """What one history is played with."""

    seed: int
    method: str = UNIFORM
    beacon: str = "none"
    bribe: Callable[[World], None] = lambda world: None  # what makes a liar of the operator before anything is played

    @property
    def name(self) -> str:
        return f"{self.method.partition('/')[0]}-{self.beacon}-{self.seed}"

    def world(self, **more: object) -> World:
        world = World(**{"seed": self.seed, "method": self.method, "beacon": self.beacon, **more})  # type: ignore[arg-type]
        self.bribe(world)
        return world


Play = Callable[[Setting], World]
HISTORIES: dict[str, Play] = {}
ONLY_NONE = {"rounds_on_the_draw_key", "late_steps"}
UNTABLED = {"a_draw_of_before_extended_now", "extension", "extension_and_round"}  # too small a pool for a certificate


def history(play: Play) -> Play:
    HISTORIES[play.__name__] = play
    return play


def to_the_result(world: World) -> World:
    world.open(), world.commit(), world.contribute(), world.result()
    return world


@history
def all_accept(setting: Setting) -> World:
    return setting.world().whole()


@history
def a_reserve_steps_in(setting: Setting) -> World:
    return setting.world().whole(left=(0,))


@history
def two_reserves_and_lots(setting: Setting) -> World:
    world = to_the_result(setting.world())
    world.answer(left=(0, 1)), world.replace(), world.finish()
    return world


@history
def one_round(setting: Setting) -> World:
    return setting.world(plan=BARE).whole(left=(0, 2))


@history
def three_rounds(setting: Setting) -> World:
    world = to_the_result(setting.world(plan=BARE))
    for _ in range(3):
        world.answer(left=(1,)), world.replace()
    world.finish()
    return world


@history
def rounds_on_the_draw_key(setting: Setting) -> World:
    return setting.world(rounds_by_draw_key=True, plan=BARE).whole(left=(0,))


@history
def screened_before(setting: Setting) -> World:
    world = setting.world()
    world.open(), world.commit()
    world.screen(("UNIT-c", "UNIT-d"))
    world.contribute(), world.result(), world.finish()
    return world


@history
def screened_after(setting: Setting) -> World:
    world = to_the_result(setting.world())
    world.answer()
    hit = world.roll.employers[world.roll.place_of[world.project.draw.slots[0].tag]]
    code = next(e for e in "cdefghijklmnop" if employer_tag(world.secret("draw"), f"UNIT-{e}") == hit)
    world.screen((f"UNIT-{code}",))
    world.replace(), world.finish()
    return world


def dried(setting: Setting) -> World:
    """Both people for the second seat declined: nobody else can be drawn for it."""
    for seed in range(setting.seed, setting.seed + 50_000, 1_000):
        world = to_the_result(small(replace(setting, seed=seed)))
        world.answer(left=(2,))
        draw = world.project.draw
        if completions(world.roll, world.plan, draw.slots, draw.gone):
            world.replace()
            world.answer(left=(2,))
            return world
    raise AssertionError("no such world")


def widened(world: World) -> World:
    world.extend(replace(world.plan, seats=(world.plan.seats[0], replace(world.plan.seats[1], professions=("A06",)))))
    return world


def small(setting: Setting) -> World:
    world = small_pool_world(setting.seed)
    world.beacon, world.method = setting.beacon, setting.method
    world.__post_init__()
    setting.bribe(world)
    return world


@history
def extension(setting: Setting) -> World:
    world = widened(dried(setting))
    world.finish()
    return world


@history
def extension_and_round(setting: Setting) -> World:
    world = widened(dried(setting))
    world.answer(left=(2,)), world.replace(), world.finish()
    return world


def before(setting: Setting) -> Setting:
    """The same with a sampler of version 1, as draws before 0.2.0 had it."""

    def bribe(world: World) -> None:
        setting.bribe(world)
        world.sampler_version = 1

    return replace(setting, bribe=bribe)


@history
def a_draw_of_before(setting: Setting) -> World:
    return before(setting).world().whole(left=(0,))


@history
def rounds_of_a_draw_of_before(setting: Setting) -> World:
    return before(setting).world(plan=BARE).whole(left=(0, 2))


@history
def a_draw_of_before_extended_now(setting: Setting) -> World:
    world = dried(before(setting))
    world.sampler_version = SAMPLER_VERSION
    widened(world)
    world.answer(left=(2,)), world.replace(), world.finish()
    return world


@history
def small_pool(setting: Setting) -> World:
    return small(setting).whole()


@history
def representatives(setting: Setting) -> World:
    world = to_the_result(setting.world())
    world.answer()
    world.appoint("representative", 1), world.appoint("representative", 0)
    world.finish()
    return world


@history
def direct_choice(setting: Setting) -> World:
    world = dried(setting)
    world.appoint("direct_choice", 2), world.appoint("representative", 0)
    world.finish()
    return world


@history
def stopped_and_resumed(setting: Setting) -> World:
    world = setting.world(plan=BARE)
    world.open(), world.commit(), world.stop_and_resume(), world.contribute(), world.stop_and_resume(), world.result()
    world.stop_and_resume(), world.answer(left=(0,)), world.stop_and_resume(), world.replace(), world.finish()
    return world


@history
def a_second_attempt(setting: Setting) -> World:
    world = setting.world()
    world.open(), world.commit(), world.contribute(("notary/c",)), world.abandon("incomplete")
    return world.whole()


@history
def an_ordered_end_and_a_second_attempt(setting: Setting) -> World:
    world = to_the_result(setting.world())
    world.abandon("order")
    return world.whole(left=(1,))


@history
def cancelled(setting: Setting) -> World:
    world = setting.world()
    world.open(), world.commit(), world.abandon("cancelled")
    return world


@history
def three_attempts(setting: Setting) -> World:
    world = setting.world()
    world.open(), world.abandon()
    world.open(), world.commit(), world.stop_and_resume(), world.abandon()
    return world.whole()


@history
def dry_run(setting: Setting) -> World:
    return setting.world(dry_run=True).whole()


@history
def no_witnesses(setting: Setting) -> World:
    return setting.world(witnesses=0, monitored=False).whole(left=(0,))


@history
def two_quorums(setting: Setting) -> World:
    """Witnesses of a second policy cosign with ML-DSA-44 beside the first."""
    return setting.world(second_quorum=True).whole(left=(0,))


@history
def no_monitor(setting: Setting) -> World:
    return setting.world(monitored=False).whole()


def successor(world: World, **changes: object) -> KeyList:
    """The next version of a key list, signed by both supervisors."""
    changes = {"version": world.key_list.version + 1, "previous": world.key_list.digest, "sigs": (), **changes}
    after = replace(world.key_list, **changes)  # type: ignore[arg-type]
    names = ("bureau/one", "bureau/two")
    return replace(after, sigs=tuple(Signature(name, world.holders[name].sign(after.payload)) for name in names))


def listed(world: World, *lists: KeyList) -> World:
    from drawing.keys import keys_bytes

    world.keys = lambda: keys_bytes(lists)  # type: ignore[method-assign]
    return world


@history
def a_key_list_with_a_successor(setting: Setting) -> World:
    world = setting.world()
    return listed(world, world.key_list, successor(world)).whole()


@history
def a_draw_under_a_successor(setting: Setting) -> World:
    world = setting.world()
    first, second = world.key_list, successor(world)
    world.key_list = second
    return listed(world, first, second).whole(left=(0,))


@history
def two_attempts_under_two_key_lists(setting: Setting) -> World:
    world = setting.world()
    first, second = world.key_list, successor(world)
    listed(world, first, second)
    world.open(), world.commit(), world.contribute(), world.result(), world.abandon("order")
    world.key_list = second
    return world.whole()


@history
def all_keys_at_the_operator(setting: Setting) -> World:
    world = setting.world()
    world.key_list = replace(world.key_list, entries=tuple(replace(each, held="operator") for each in world.key_list.entries))
    return world.whole()


@history
def erased_later(setting: Setting) -> World:
    world = setting.world().whole()
    world.log(Erased(3, sha256(b"people").digest()), "centre/staff", "bureau/one")
    return world


@history
def opened_only(setting: Setting) -> World:
    world = setting.world()
    world.open()
    return world


@history
def attested_only(setting: Setting) -> World:
    world = setting.world()
    world.open()
    world.attest(world.commit_body())
    world.sections = []
    return world


@history
def committed_only(setting: Setting) -> World:
    world = setting.world()
    world.open(), world.commit()
    return world


@history
def half_contributed(setting: Setting) -> World:
    world = setting.world()
    world.open(), world.commit(), world.contribute(("notary/c",))
    return world


@history
def ready(setting: Setting) -> World:
    world = setting.world()
    world.open(), world.commit(), world.contribute()
    return world


@history
def drawn_only(setting: Setting) -> World:
    return to_the_result(setting.world())


@history
def open_slots(setting: Setting) -> World:
    world = to_the_result(setting.world(plan=BARE))
    world.answer(left=(0,))
    return world


@history
def unsealed_only(setting: Setting) -> World:
    world = to_the_result(setting.world())
    world.answer(), world.check(), world.unseal()
    return world


@history
def late_steps(setting: Setting) -> World:
    """Late contributions and a late result are printed and fail nothing."""
    world = setting.world()
    world.open(), world.commit()
    world.clock += 10_000
    world.contribute()
    world.clock += 10_000
    world.result(), world.finish()
    return world


@history
def a_snapshot_with_a_predecessor(setting: Setting) -> World:
    return setting.world(previous=True).whole(left=(0,))


@history
def few_employers(setting: Setting) -> World:
    """So few employers that the sampler goes employer by employer."""
    chance = random.Random(setting.seed)
    records = [person(n, chance, employer={"code": f"UNIT-{'cdef'[n % 4]}", "name": "x"}, draws=[]) for n in range(40)]
    plan = replace(BARE, seats=tuple(replace(seat, count=2) for seat in BARE.seats), sites=())
    return setting.world(records=records, plan=plan).whole()


@history
def wide_plan(setting: Setting) -> World:
    """Four seats, three sites, one of them unknown to most, regions, a seat of one site, first professions alone."""
    chance = random.Random(setting.seed)
    kinds = ["A080104", "A0601", "C0304", "B0132", "A010203", "C02"]
    records = [
        person(
            n, chance, professions=chance.sample(kinds, 3), area=chance.choice(("110108", "120101", "130102", "310101")),
            employer={"code": f"UNIT-{n % 47}", "name": f"单位{n % 47}"}, regions=[chance.choice(("110000", "120000", "000000"))],
        )
        for n in range(130)
    ]  # fmt: skip
    plan = Plan(
        30, 1, ("110000", "120000"), 0,
        (
            Seat(1, True, ("A08", "A06"), 1, ""), Seat(2, False, ("A", "C"), 0, "home"), Seat(1, False, ("B0132",), 2, ""),
            Seat(1, False, ("C02", "C0304"), 0, ""),
        ),
        (Site(("11",), "home", True), Site(("12",), "guest", True), Site(("13", "31"), "far", False)),
    )  # fmt: skip
    return setting.world(records=records, plan=plan).whole(left=(1, 3))


@history
def groups_not_checked(setting: Setting) -> World:
    world = setting.world()
    world.decl = world.decl.replace(b'"groups_checked":true', b'"groups_checked":false')

    def honest(body: Body) -> Body:
        return replace(body, terms=replace(body.terms, groups_checked=False)) if isinstance(body, Committed | Extended) else body

    world.tamper = honest
    return world.whole()


def random_history(setting: Setting) -> World:
    """Whatever may follow what, by chance."""
    chance = random.Random(f"history {setting.seed}")
    plan = replace(PLAN, seats=tuple(replace(seat, reserves=chance.randrange(3)) for seat in PLAN.seats), recent_max=chance.randrange(1, 4))
    world = setting.world(people=chance.choice((40, 60, 100)), plan=plan, previous=chance.random() < 0.2)
    while chance.random() < 0.15:
        world.open(), world.commit(), world.abandon("incomplete")
    world.open(), world.commit()
    if chance.random() < 0.3:
        world.screen((f"UNIT-{chance.choice('cdefg')}",))
    world.contribute(), world.result()
    for _ in range(chance.randrange(5)):
        act = chance.random()
        if act < 0.5:
            panel = [n for n in world.project.draw.panel if world.project.draw.slots[n].tag]
            world.answer(
                left=chance.sample(panel, chance.randrange(len(panel))), evidence=chance.choice(("link", "two_persons", "gateway"))
            )
        elif act < 0.75:
            world.answer()
            world.screen((f"UNIT-{chance.choice('cdefghij')}",))
        else:
            world.stop_and_resume()
        if world.project.draw.open_slots:
            try:
                world.replace()
            except Refused:  # a dead end: no further lots can fall
                world.abandon("order")
                return world
    world.finish()
    return world


HISTORIES["random"] = random_history

# Built ------------------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Built:
    """A history with all its files."""

    world: World
    files: Files


@lru_cache(maxsize=256)
def built(name: str, setting: Setting) -> Built:
    """A history played once, with a receipt where one can be cut."""
    world = HISTORIES[name](setting)
    files = world.files()
    return Built(world, replace(files, receipt=receipt_for(world, files, setting.seed)))


def receipt_for(world: World, files: Files, which: int) -> bytes | None:
    """The receipt of somebody drawn, or of anybody else."""
    draw = world.project.draw
    if draw.phase is not Phase.CLOSED or len(draw.commits) != 1 or files.roll is None:
        return None
    people = [json.loads(entry.record)["id_number"] for entry in world.ordered if entry.record]
    drawn = [f"ID{int(name.strip('专家号')):010d}" for _, name in sorted(world.verify().names)]
    number = drawn[which // 2 % len(drawn)] if which % 2 and drawn else people[which * 7 % len(people)]
    return receipt_bytes(make_receipt(world.proof(), world.openings(), files.roll, number))


def with_somebody_erased(base: Built) -> bytes:
    """The openings with the entry of somebody excluded replaced by what remains after an erasure."""
    world = base.world
    opened = parse_openings(b"".join(write_openings(world.openings())))
    at, entry = next((n, e) for n, e in enumerate(opened.entries) if e.record and world.pool.fates[n].__class__ is tuple)
    label, opening = label_of(entry.key, world.snapshot_id), opening_of(entry.key, world.snapshot_id)
    decision = decision_leaf(opening, decision_json(None, world.pool.fates[at]))  # type: ignore[arg-type]
    gone = Entry(erased=label + commitment_of(opening, entry.record) + decision)
    return b"".join(write_openings(replace(opened, entries=[*opened.entries[:at], gone, *opened.entries[at + 1 :]])))


def settings() -> Iterator[tuple[str, Setting]]:
    """Every history with every method and beacon it can be played with, and the random ones."""
    for name in sorted(set(HISTORIES) - {"random"}):
        seed = 100 + int.from_bytes(sha256(name.encode()).digest()[:2], "big") % 900  # another history changes nothing of the others
        for beacon in BEACONS:
            if beacon != "none" and name in ONLY_NONE:
                continue
            yield name, Setting(seed, UNIFORM, beacon)
            if name not in UNTABLED:
                yield name, Setting(seed, FAIR, beacon)
    for seed in range(36):
        yield "random", Setting(seed, UNIFORM, BEACONS[seed % 3])
    for seed in range(12):
        yield "random", Setting(500 + seed, FAIR, BEACONS[seed % 3])


def valid() -> Iterator[Planned]:
    """The valid cases: all files but the openings; again with them where supervisors have something of their own to see."""
    for name, setting in settings():
        identifier = f"valid/{name}-{setting.name}"
        yield Planned(identifier, "valid", lambda chance, n=name, s=setting: Case(replace(built(n, s).files, openings=None), ()))  # type: ignore[misc]
        if setting.beacon == "none" and name not in ("opened_only", "attested_only"):
            yield Planned(f"{identifier}+openings", "valid-openings", lambda chance, n=name, s=setting: Case(built(n, s).files, ()))  # type: ignore[misc]
    for name in ("all_accept", "one_round", "screened_after"):
        setting = Setting(7, UNIFORM, "none")
        yield Planned(f"valid/{name}-public", "valid", lambda chance, n=name, s=setting: Case(public(built(n, s).files), ()))  # type: ignore[misc]
        yield Planned(
            f"valid/{name}-erased-person", "valid-openings",
            lambda chance, n=name, s=setting: Case(replace(built(n, s).files, openings=with_somebody_erased(built(n, s))), ()),  # type: ignore[misc]
        )  # fmt: skip


def public(files: Files) -> Files:
    """The proof and the key list alone."""
    return Files(files.proof, files.keys)
