"""Pairs: the same draw twice, once just inside a rule and once just outside. The first fails nothing, the second one check."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import date, timedelta
from functools import cache

from drawing import merkle, vrf
from drawing.draw import Phase
from drawing.events import FAIR, Abandoned, Body, Committed, NoBeacon, Placed, Result, Seat, Signature, Site, Unsealed
from drawing.note import Checkpoint, cosign, sign_note
from drawing.proof import Monitored, Proof
from drawing.verify import Files
from tests.conformance.cases import Case, Planned
from tests.conformance.histories import BARE, Setting, dried, to_the_result
from tests.lies import weigh, with_openings, with_proof
from tests.scenario import PLAN, START, World, person, swap

Pair = Callable[[int], Files]  # 0: lawful, 1: not
PAIRS: dict[str, Pair] = {}


def pair(check: str) -> Callable[[Pair], Pair]:
    def keep(make: Pair) -> Pair:
        PAIRS[f"{check}-{make.__name__}"] = make
        return make

    return keep


def renoted(world: World, size: int, times: Mapping[str, int] | int) -> None:
    """The checkpoint of a size, cosigned by each witness at its own time (or by all at one)."""
    hashes = [merkle.leaf_hash(leaf) for leaf in world.leaves[:size]]
    note = sign_note(Checkpoint(world.log_name, size, merkle.root(hashes)).text(), world.log_key.vkey, world.log_key.sign)
    for number, key in enumerate(world.witness_keys):
        note = cosign(note, key.vkey, times if isinstance(times, int) else times[f"w{number}"], key.sign)
    world.notes[size] = note


def shown(world: World, change: Callable[[set[int]], set[int]]) -> Files:
    """The files with other checkpoints in the proof; those that nobody has yet are made now."""

    def sizes(found: set[int]) -> set[int]:
        found = change(found)
        for size in found - set(world.notes):
            renoted(world, size, world.clock)
        return found

    world.proof_sizes = sizes  # type: ignore[method-assign]
    return world.files(openings=False)


def committed(world: World, change: Callable[[Committed], Committed]) -> World:
    """A world whose commit says something else from the beginning."""
    body_of = world.commit_body
    world.commit_body = lambda: change(body_of())  # type: ignore[method-assign]
    return world


# Times of events --------------------------------------------------------------------------------------------------------------------------


@pair("C4")
def an_event_at_the_time_of_the_one_before(wrong: int) -> Files:
    world = to_the_result(World())
    world.clock -= 10 + wrong
    world.answer()
    world.clock += 20
    world.finish()
    return world.files(openings=False)


@pair("C4")
def contributions_due_when_the_commit_is_written(wrong: int) -> Files:
    world = World()
    committed(world, lambda body: replace(body, deadlines=replace(body.deadlines, contributions=world.clock + 30 - wrong)))
    return world.whole().files(openings=False)


@pair("C4")
def a_result_due_when_the_contributions_are(wrong: int) -> Files:
    world = committed(World(), lambda body: replace(body, deadlines=replace(body.deadlines, result=body.deadlines.contributions - wrong)))
    return world.whole().files(openings=False)


@pair("C4")
def names_opened_at_the_first_moment(wrong: int) -> Files:
    world = to_the_result(World(unsealing_delay=1_000))
    world.answer(), world.check()
    commit = world.project.draw.commit
    assert commit is not None
    world.note(time=commit.unsealing.not_before)
    seen = max(world.notes)
    world.unsealing_delay = 0
    world.clock = commit.unsealing.not_before - 10 - wrong
    world.unseal(), world.close()
    world.quiet = seen
    return world.files(openings=False)


def unsealing(times: Callable[[int], Mapping[str, int] | int], positions: int = 0, quorum: int = 3) -> Files:
    """Names opened late, the checkpoint before it cosigned at times that depend on `not_before`."""
    world = to_the_result(World(unsealing_delay=1_000, quorum=quorum))
    world.answer(), world.check()
    commit = world.project.draw.commit
    assert commit is not None
    world.unseal(), world.close()
    size = world.index_of[len(world.events) - 2] + positions
    world.quiet = size
    renoted(world, size, times(commit.unsealing.not_before))
    return world.files(openings=False)


@pair("T5")
def cosigned_when_names_may_be_opened(wrong: int) -> Files:
    return unsealing(lambda moment: moment - wrong)


@pair("T5")
def two_of_three_cosigned_when_names_may_be_opened(wrong: int) -> Files:
    return unsealing(lambda moment: {"w0": moment, "w1": moment - 1, "w2": moment - wrong}, quorum=2)


@pair("T5")
def a_checkpoint_up_to_the_opening_of_names(wrong: int) -> Files:
    return unsealing(lambda moment: moment + 5_000, wrong)


# Places in the log ------------------------------------------------------------------------------------------------------------------------


def placed_in_log(dropped: str, added: Callable[[World], int], second: str = "other/c") -> Files:
    """A whole draw whose proof holds another checkpoint instead of the one after the commit or after the contributions."""
    world = World().whole()
    stage = world.project.draw.stages[0]
    gone = world.index_of[stage.seq if dropped == "commit" else stage.given[-1][3]] + 2
    return shown(world, lambda sizes: sizes - {gone} | {added(world)})


@pair("A1")
def a_checkpoint_that_just_holds_the_commit(wrong: int) -> Files:
    return placed_in_log("commit", lambda world: world.index_of[world.project.draw.stages[0].seq] + 1 - wrong)


@pair("A1")
def a_checkpoint_up_to_the_first_contribution(wrong: int) -> Files:
    return placed_in_log("commit", lambda world: world.index_of[world.project.draw.stages[0].given[0][3]] + wrong)


@pair("T3")
def a_checkpoint_that_just_holds_the_contributions(wrong: int) -> Files:
    return placed_in_log("contributions", lambda world: world.index_of[world.project.draw.stages[0].given[-1][3]] + 1 - wrong)


@pair("T4")
def a_checkpoint_up_to_the_result(wrong: int) -> Files:
    return placed_in_log("contributions", lambda world: world.index_of[world.project.draw.stages[0].given[-1][3] + 1] + wrong)


# Rounds of a beacon -----------------------------------------------------------------------------------------------------------------------


def due(world: World, number: int = 0) -> int:
    return world.toy.network.time_of(world.project.draw.stages[number].lots)


@pair("T1")
def a_round_just_after_the_contributions_are_due(wrong: int) -> Files:
    world = World(beacon="drand")

    def change(body: Committed) -> Committed:
        moment = world.toy.network.time_of(body.beacon.round)  # type: ignore[union-attr]
        return replace(body, deadlines=replace(body.deadlines, contributions=moment - 1 + wrong))

    return committed(world, change).whole().files(openings=False)


@pair("T1")
def a_round_when_the_result_is_due(wrong: int) -> Files:
    world = World(beacon="local")

    def change(body: Committed) -> Committed:
        moment = world.toy.network.time_of(body.beacon.round)  # type: ignore[union-attr]
        return replace(body, deadlines=replace(body.deadlines, result=moment - wrong))

    return committed(world, change).whole().files(openings=False)


@pair("T1")
def a_round_just_after_it_is_named(wrong: int) -> Files:
    world = to_the_result(World(beacon="local", plan=BARE))
    world.notify()
    number = world.toy.network.first_from(world.clock + 500)
    moment = world.toy.network.time_of(number)
    world.lots_in = lambda seconds: number  # type: ignore[method-assign]
    world.clock = moment - 11 + wrong
    world.answer(left=(0,))
    world.replace(), world.finish()
    renoted(world, world.index_of[world.project.draw.stages[1].seq] + 2, moment - 60)
    return world.files(openings=False)


def witnessed(world: World, stage: int, seconds: Mapping[str, int] | int) -> Files:
    """What a stage rests on was cosigned so many seconds before its round."""
    fixed = world.project.draw.stages[stage]
    size = world.index_of[fixed.given[-1][3] if fixed.given else fixed.seq] + 2
    moment = due(world, stage)
    renoted(world, size, moment - seconds if isinstance(seconds, int) else {name: moment - each for name, each in seconds.items()})
    return world.files(openings=False)


@pair("T2")
def contributions_cosigned_a_minute_before(wrong: int) -> Files:
    return witnessed(World(beacon="drand").whole(), 0, 60 - wrong)


@pair("T2")
def two_of_three_cosigned_a_minute_before(wrong: int) -> Files:
    return witnessed(World(beacon="local", quorum=2).whole(), 0, {"w0": 60, "w1": 60 - wrong, "w2": 5})


@pair("T2")
def a_leaver_cosigned_a_minute_before(wrong: int) -> Files:
    return witnessed(World(beacon="local", plan=BARE).whole(left=(0,)), 1, 60 - wrong)


@pair("T2")
def an_extension_cosigned_a_minute_before(wrong: int) -> Files:
    world = dried(Setting(115, "uniform/1", "local"))
    world.extend(replace(world.plan, seats=(world.plan.seats[0], replace(world.plan.seats[1], professions=("A06",)))))
    world.finish()
    return witnessed(world, len(world.project.draw.stages) - 1, 60 - wrong)


@pair("T2")
def a_checkpoint_over_the_last_contribution_and_no_further(wrong: int) -> Files:
    world = World(beacon="drand").whole()
    stage = world.project.draw.stages[0]
    index = world.index_of[stage.given[-1][3]]
    renoted(world, index + 1 - wrong, due(world) - 100)
    renoted(world, index + 2, due(world) - 1)
    return shown(world, lambda sizes: sizes | {index + 1 - wrong})


@pair("T4")
def a_result_when_its_round_is_due(wrong: int) -> Files:
    world = World(beacon="drand")

    def wait(number: int) -> None:
        world.clock = world.toy.network.time_of(number) - 10 - wrong

    world.wait_for = wait  # type: ignore[method-assign]
    return world.whole().files(openings=False)


@pair("T4")
def successors_when_their_round_is_due(wrong: int) -> Files:
    world = World(beacon="local", plan=BARE)
    wait_for = world.wait_for

    def wait(number: int) -> None:
        if world.project.draw.round == 1 and world.project.draw.stages[0].outcome:
            world.clock = world.toy.network.time_of(number) - 10 - wrong
        else:
            wait_for(number)

    world.wait_for = wait  # type: ignore[method-assign]
    return world.whole(left=(0,)).files(openings=False)


@pair("T4")
def a_checkpoint_over_the_result_when_its_round_is_due(wrong: int) -> Files:
    world = World(beacon="drand", quorum=2).whole()
    outcome = world.project.draw.stages[0].outcome
    assert outcome is not None
    size = world.index_of[outcome.head.seq] + 1
    renoted(world, size, {"w0": due(world) - 1, "w1": due(world) - wrong, "w2": due(world)})
    return shown(world, lambda sizes: sizes | {size})


@pair("T4")
def a_checkpoint_between_a_named_round_and_its_outcome(wrong: int) -> Files:
    world = World(beacon="local", plan=BARE, quorum=2).whole(left=(0,))
    stage = world.project.draw.stages[1]
    assert stage.outcome is not None
    fixed, fell = world.index_of[stage.seq], world.index_of[stage.outcome.head.seq]
    moment = due(world, 1)
    if wrong:  # one that holds the outcome as well, and whose witnesses had a slow clock
        renoted(world, fell + 1, {"w0": moment - 60, "w1": moment - 61, "w2": moment})
    renoted(world, fixed + 1, moment - 60)
    return shown(world, lambda sizes: sizes - {fixed + 2} | {fell + 1 if wrong else fixed + 1})


# The map ----------------------------------------------------------------------------------------------------------------------------------


@pair("C3")
def a_map_as_old_as_the_last_event(wrong: int) -> Files:
    world = to_the_result(World())
    world.answer(), world.check(), world.unseal()
    log_map = world.log_map

    def earlier() -> None:
        world.clock -= wrong
        log_map()
        world.clock += wrong

    world.log_map = earlier  # type: ignore[method-assign]
    world.close()
    return world.files(openings=False)


def monitored(change: Callable[[Monitored, Proof], Monitored]) -> Files:
    world = World().whole()

    def restated(proof: Proof) -> Proof:
        holder = world.holders["bureau/monitor"]
        seen = change(proof.monitors[0], proof)
        return replace(proof, monitors=(replace(seen, sigs=(Signature(holder.name, holder.sign(seen.payload)),)),))

    return with_proof(world.files(openings=False), restated)


@pair("C3")
def a_monitor_that_replayed_just_so_far(wrong: int) -> Files:
    return monitored(lambda seen, proof: replace(seen, size=proof.map.index + 1 - wrong))


@pair("C3")
def a_monitor_at_the_time_of_the_map(wrong: int) -> Files:
    return monitored(lambda seen, proof: replace(seen, at=proof.map.leaf.at - wrong))


# Who and how many -------------------------------------------------------------------------------------------------------------------------


@pair("A3")
def names_opened_by_just_enough(wrong: int) -> Files:
    world = World()
    log = world.log
    world.log = lambda body, *names, **more: log(body, *(names[wrong:] if isinstance(body, Unsealed) else names), **more)  # type: ignore[method-assign]
    return world.whole().files(openings=False)


@pair("C1")
def just_enough_contributors(wrong: int) -> Files:
    names = ("notary/c", "other/c")[: 2 - wrong]
    world = committed(World(), lambda body: replace(body, contributors=names, round_contributors=names))
    world.open(), world.commit(), world.contribute(names), world.result(), world.finish()
    return world.files(openings=False)


@pair("R2")
def as_many_points_as_holders(wrong: int) -> Files:
    def change(body: Committed) -> Committed:
        assert isinstance(body.beacon, NoBeacon)
        escrow = body.beacon.escrow
        more = tuple(vrf.public_key(bytes([n]) * 32) for n in range(wrong))
        return replace(body, beacon=replace(body.beacon, escrow=replace(escrow, points=escrow.points + more)))

    return committed(World(), change).whole().files(openings=False)


@pair("C1")
def given_up_while_contributions_are_missing(wrong: int) -> Files:
    world = World()
    world.open(), world.commit(), world.contribute(("notary/c", "other/c")[: 1 + wrong])
    world.stop_and_resume() if not wrong else world.log(*_stop())
    world.log(Abandoned(bytes(32), "order"), "bureau/one", "centre/staff", "ministry/order")
    return world.files(openings=False)


def _stop() -> tuple[Body, str]:
    from drawing.events import Stopped

    return Stopped(bytes(32)), "bureau/two"


@pair("C1")
def an_attempt_after_an_order_but_not_after_a_cancelled_notice(wrong: int) -> Files:
    world = World()
    world.open(), world.commit(), world.abandon("cancelled" if wrong else "order")
    return world.whole().files(openings=False)


@pair("C1")
def slots_up_to_400(wrong: int) -> Files:
    chance = random.Random(3)
    records = [person(n, chance, employer={"code": f"E{n}", "name": "x"}) for n in range(60)]
    seats = (*(Seat(1, False, ("A",), 39, "") for _ in range(9)), Seat(1, False, ("C",), 39 + wrong, ""))
    world = World(records=records, plan=replace(PLAN, seats=seats, recent_max=40))
    world.open(), world.commit()
    return world.files(openings=False)


@pair("C1")
def different_sites(wrong: int) -> Files:
    sites = (Site(("11",), "home", True), Site(("12",), "home" if wrong else "homf", False))
    world = World(plan=replace(PLAN, sites=sites))
    return world.whole().files(openings=False)


@pair("C1")
def a_seat_of_a_known_site(wrong: int) -> Files:
    """The liar's roll is that of a plan without the word; only the plan that is written names a site that is none."""
    world = World(people=200, plan=replace(PLAN, seats=(PLAN.seats[0], replace(PLAN.seats[1], site="home"))))
    if wrong:

        def change(body: Committed) -> Committed:
            seats = (body.terms.plan.seats[0], replace(body.terms.plan.seats[1], site="elsewhere"))
            return replace(body, terms=replace(body.terms, plan=replace(body.terms.plan, seats=seats)))

        committed(world, change)
    return world.whole().files(openings=False)


@pair("D1")
def a_small_pool_said_to_be_one(wrong: int) -> Files:
    world = committed(World(), lambda body: replace(body, terms=replace(body.terms, small_pool=body.terms.small_pool ^ bool(wrong))))
    return world.whole().files(openings=False)


def exactly(people: int) -> World:
    """So many people for one seat of two places; nobody is excluded."""
    chance = random.Random(5)
    records = [
        person(n, chance, professions=["A080104"], area="110108", employer={"code": f"F{n}", "name": "x"}, draws=[]) for n in range(people)
    ]
    return World(records=records, plan=replace(PLAN, seats=(Seat(2, False, ("A08",), 0, ""),), sites=()))


@pair("D1")
def six_for_two_places_are_enough(wrong: int) -> Files:
    world = exactly(6)
    return committed(world, lambda body: replace(body, terms=replace(body.terms, small_pool=bool(wrong)))).whole().files(openings=False)


@pair("D1")
def five_for_two_places_are_a_small_pool(wrong: int) -> Files:
    world = exactly(5)
    return committed(world, lambda body: replace(body, terms=replace(body.terms, small_pool=not wrong))).whole().files(openings=False)


@pair("D4")
def each_tag_once(wrong: int) -> Files:
    def change(body: Result) -> Result:
        return replace(body, placed=(*body.placed[:-1], Placed(body.placed[-1].slot, body.placed[0].tag))) if wrong else body

    return World(tamper=swap(Result, change)).whole().files(roll=False, openings=False)  # type: ignore[arg-type]


# Days, for those who read openings --------------------------------------------------------------------------------------------------------


class Dated(World):
    """A world whose evaluation is at a given moment."""

    moment = START + 86_400

    @property
    def evaluation_at(self) -> int:
        return self.moment


def evaluated(moment: int) -> Files:
    world = Dated()
    world.moment = moment
    return world.whole().files()


MIDNIGHT = 1_790_006_400  # 2026-09-22 00:00 in Asia/Shanghai


@pair("S3")
def the_first_second_of_the_evaluation_s_day(wrong: int) -> Files:
    return evaluated(MIDNIGHT - wrong)


@pair("S3")
def the_last_second_of_the_evaluation_s_day(wrong: int) -> Files:
    return evaluated(MIDNIGHT + 86_399 + wrong)


@pair("S3")
def the_first_and_the_last_day_that_make_recent(wrong: int) -> Files:
    """People drawn on the first day of the window, on its last, and just outside; the liar counts one day less."""
    chance = random.Random(8)
    days = [str(date(2026, 9, 22) - timedelta(days)) for days in (90, 91, 0, -1)]
    records = [person(n, chance, draws=[days[n % 4]] if n < 40 else []) for n in range(80)]
    world = World(records=records)
    if wrong:
        real = world.build

        def shorter(plan):  # type: ignore[no-untyped-def]
            return real(replace(plan, recent_days=89))

        world.build = shorter  # type: ignore[method-assign]
    return world.whole().files()


@pair("S5")
def the_draw_s_secret_from_the_end_on(wrong: int) -> Files:
    world = World()
    if not wrong:
        return world.whole().files()
    to_the_result(world).answer()
    world.check(), world.unseal()
    assert world.project.draw.phase is Phase.SEATED
    return replace(world.files(), openings=with_openings(world, draw_secret=world.secret("draw")).openings)


@cache
def heaviest() -> int:
    """The largest weight, in hundred-thousandths of what is fair, that a friend may have and nothing fails."""
    low, high = 100_000, 110_000
    while high - low > 1:
        middle = (low + high) // 2
        fails = World(method=FAIR, people=200, retable=weigh(0, middle)).whole().verify(openings=False).failed
        low, high = (low, middle) if fails else (middle, high)
    return low


@pair("F3")
def the_most_that_a_friend_may_weigh(wrong: int) -> Files:
    return World(method=FAIR, people=200, retable=weigh(0, heaviest() + wrong)).whole().files(openings=False)


def cases() -> Iterator[Planned]:
    for name, make in PAIRS.items():
        for wrong, word in enumerate(("lawful", "not")):
            failed = (name.partition("-")[0],) if wrong else ()
            yield Planned(f"pair/{name}-{word}", "pair", lambda chance, m=make, w=wrong, f=failed: Case(m(w), f))  # type: ignore[misc]
