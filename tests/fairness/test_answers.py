"""False answers, false bidder lists, reasons and times: what a keeper could gain by what he writes after the result."""

from __future__ import annotations

import random
from dataclasses import replace
from functools import cache
from hashlib import sha256
from itertools import combinations

import pytest

from drawing import randomness, vrf
from drawing.draw import Slot, states_bytes
from drawing.events import Answers, Replaced, Screened
from drawing.lots import candidates, may_step_in, successors
from drawing.verify_private import removed_tags
from tests.conftest import counts
from tests.fairness.coalition import (
    CONTRIBUTORS,
    SIZES,
    NotKnown,
    Power,
    Sitting,
    View,
    draw_scalar_proof,
    far_from,
    first,
    flat_roll,
    network_key,
    record,
    signature,
)
from tests.scenario import PLAN, World, swap

SEVEN, SEATS = flat_roll("seven seats", 60, (7,))
FRIEND = SEVEN.tags[11]
SUBSETS = [frozenset(each) for size in range(1, 8) for each in combinations(range(7), size)]  # 2^7 - 1
random.Random("the order in which they are tried").shuffle(SUBSETS)
NO_RESERVES = replace(PLAN, seats=tuple(replace(seat, reserves=0) for seat in PLAN.seats))
LEAF = sha256(b"a commit").digest()


def seated(sitting: Sitting) -> tuple[tuple[Slot, ...], bytes]:
    """The panel of a sitting, everybody asked; FRIEND is not on it."""
    for variant in range(100):
        seed = sitting.secret("base", variant)
        placed = first(SEVEN, SEATS, (), seed).placed
        if FRIEND not in {each.tag for each in placed}:
            return tuple(Slot(0, False, (each.tag,), "accepted", True) for each in placed), seed
    raise AssertionError


def leaving(slots: tuple[Slot, ...], left: frozenset[int]) -> tuple[Slot, ...]:
    return tuple(replace(slot, state="left") if n in left else slot for n, slot in enumerate(slots))


def round_seed(view: View, base: bytes, states: bytes, named: tuple[str, ...], chance: random.Random) -> bytes:
    """The seed of round 1 as far as a view can tell; what it does not know it guesses. `named`: the round contributors."""
    if view.beacon != "none":
        try:
            value = signature(network_key(view.shares, SIZES[view.beacon][1]), view.lots)
        except NotKnown:
            value = chance.randbytes(48)
        return randomness.beacon_round_seed(base, 1, states, view.network, view.lots, value)
    pairs = []
    for name in named:
        try:
            beta = vrf.proof_to_hash(vrf.prove(view.keys[name], randomness.round_alpha(LEAF, 1, states)))
        except NotKnown:
            beta = chance.randbytes(64)
        pairs.append((view.public[name], beta))
    sorted_pairs = tuple(sorted(pairs))
    try:
        beta = vrf.proof_to_hash(draw_scalar_proof(view, randomness.round_last_alpha(LEAF, 1, states, sorted_pairs)))
    except NotKnown:
        beta = chance.randbytes(64)
    return randomness.round_seed(base, 1, states, view.draw_public, beta, sorted_pairs)


def comes(slots: tuple[Slot, ...], left: frozenset[int], seed: bytes) -> frozenset[bytes]:
    """Who succeeds those who left."""
    after = leaving(slots, left)
    return frozenset(each.tag for each in successors(SEVEN, SEATS, after, {slots[n].tag for n in left}, seed).placed)


def forge(
    view: View, slots: tuple[Slot, ...], base: bytes, named: tuple[str, ...], subsets
) -> tuple[frozenset[int], bytes, frozenset[bytes]]:
    """The adversary: tries set after set of false declines and takes one that, as far as it can tell, brings the friend. (who, seed, successors)"""
    chance = random.Random(view.guess)
    best = (subsets[0], b"", frozenset())
    for left in subsets:
        seed = round_seed(view, base, states_bytes(leaving(slots, left)), named, chance)
        best = (left, seed, comes(slots, left, seed))
        if FRIEND in best[2]:
            break
    return best


ALL = frozenset(CONTRIBUTORS)
WHO = {
    ("none", "the draw key alone, no round contributors named"): (Power(draw_key=True), (), True),
    ("none", "the draw key and all round contributors"): (Power(draw_key=True, contributors=ALL), CONTRIBUTORS, True),
    ("none", "the draw key, one round contributor honest"): (Power(draw_key=True, contributors=ALL - {"bureau"}), CONTRIBUTORS, False),
    ("none", "all round contributors without the draw key"): (Power(contributors=ALL), CONTRIBUTORS, False),
    ("local", "t nodes"): (Power(nodes=frozenset({1, 3, 4})), (), True),
    ("local", "t-1 nodes"): (Power(nodes=frozenset({1, 3})), (), False),
    ("drand", "t-1 nodes"): (Power(nodes=frozenset({1, 2, 7})), (), False),
}


@pytest.mark.parametrize(("beacon", "who"), WHO, ids=str)
def test_who_foresees_what_a_false_decline_does(beacon, who):
    """Each subset of the panel's seven is tried as a false decline. Success: the successors come exactly as announced."""
    power, named, wins = WHO[beacon, who]
    trials = counts(f"false declines: {beacon}, {who}", 8 if wins else 40, 50 if wins else 10_000)
    exact = steered = 0
    expected = 0.0
    for number in range(trials):
        sitting = Sitting(number, beacon)
        slots, base = seated(sitting)
        view = sitting.view(power)
        left, foreseen, announced = forge(view, slots, base, named, SUBSETS)
        honest = sitting.view(Power(draw_key=True, contributors=ALL, nodes=frozenset(sitting.shares if beacon != "none" else ())))
        seed = round_seed(honest, base, states_bytes(leaving(slots, left)), named, random.Random(0))
        drawn = comes(slots, left, seed)
        exact += seed == foreseen or (drawn == announced and len(left) > 3)  # who lets few go guesses their successors once in a while
        steered += FRIEND in drawn
        expected += len(left) / 53
        if wins:
            assert FRIEND in announced and drawn == announced
    if wins:
        record(f"false declines ABOVE: {beacon}, {who}", trials, steered)
        assert steered == trials
    else:
        assert record(f"false declines below: {beacon}, {who}", trials, exact) == 0
        assert far_from(expected / trials, trials, steered) < 4.5


def test_the_proof_says_where_the_keeper_foresees_all_subsets():
    world = World(plan=NO_RESERVES, rounds_by_draw_key=True).whole(left=(0,))
    assert "rounds_by_draw_key_alone" in world.verify().headlines
    assert "rounds_by_draw_key_alone" not in World(plan=NO_RESERVES).whole(left=(0,)).verify().headlines


# What has no influence ---------------------------------------------------------------------------------------------------------------------


@cache
def replaced_seed(beacon: str, evidence: str, salt: int, later: int, batches: tuple[tuple[int, ...], ...], asked: int = 1) -> bytes:
    """The seed of round 1 when slots 0 and 2 leave, written with this evidence, these salts, so many seconds later, in these batches."""

    def spell(body):
        if isinstance(body, Answers):
            answers = tuple(
                replace(each, evidence=evidence, receipt=sha256(b"%d %d" % (salt, each.slot)).digest()) for each in body.answers
            )
            return replace(body, answers=answers)
        return body

    world = World(plan=NO_RESERVES, beacon=beacon, tamper=spell)
    world.open(), world.commit(), world.contribute(), world.result()
    if beacon != "none":
        named = world.lots_in(2_000)
        world.next_lots = lambda opened: named if any(not world.project.draw.slots[n].reserve for n in opened) else None
    world.clock += later
    for batch in batches[:-1]:
        world.answer(only=batch)
    world.answer(left=(0, 2), only=batches[-1], evidence=evidence)
    assert world.project.draw.open_slots == (0, 2)
    world.round()
    return next(event.body.seed for event in world.events if isinstance(event.body, Replaced))


@pytest.mark.parametrize("beacon", ["none", "local"])
def test_evidence_reason_time_and_order_do_not_touch_the_seed_of_a_round(beacon):
    spellings = counts(f"spellings of one batch of answers: {beacon}", 24, 600)
    chance = random.Random(f"spellings {beacon}")
    whole = replaced_seed(beacon, "two_persons", 0, 0, ((0, 1, 2),))
    seeds = set()
    for _ in range(spellings):
        batches = chance.choice((((0, 1, 2),), ((1,), (0, 2))))
        seeds.add(
            replaced_seed(
                beacon, chance.choice(("two_persons", "gateway", "link")), chance.randrange(1 << 30), chance.randrange(1000), batches
            )
        )
    assert record(f"other seeds by other spellings of answers: {beacon}", spellings, len(seeds - {whole})) == 0


def test_if_one_byte_of_evidence_were_hashed_the_keeper_would_win():
    """The twin: the same search in a protocol whose states also hold the time of the answer. Even blind to nothing else it finds its friend."""
    sitting = Sitting(1)
    slots, base = seated(sitting)
    view = sitting.view(Power(draw_key=True))
    left = frozenset({3})
    for second in range(2_000):
        states = states_bytes(leaving(slots, left)) + second.to_bytes(4, "big")
        if FRIEND in comes(slots, left, round_seed(view, base, states, (), random.Random(0))):
            break
    else:
        pytest.fail("nothing to try is left")


# Late bidders -------------------------------------------------------------------------------------------------------------------------------


def test_a_bidder_list_between_contribution_and_result_is_refused():
    """The keeper alone, contributions in the log: he could try fake bidders until the friend comes. So the list is due before."""
    world = World()
    world.open(), world.commit(), world.contribute(("notary/c",))
    world.screen(("UNIT-c",))
    assert {fault.code for fault in world.faults} >= {"screened_after_contribution"}
    world.contribute(("other/c",)), world.result(), world.finish()
    assert world.verify().failed == ("C1",)
    late = World()
    late.open(), late.commit(), late.contribute()
    late.screen(("UNIT-c",))
    assert "not_next" in {fault.code for fault in late.faults}


def test_with_a_beacon_a_bidder_list_never_buys_another_round():
    world = World(plan=NO_RESERVES, beacon="local")
    world.open(), world.commit(), world.contribute(), world.result()
    world.answer(left=(0,))
    world.screen(("UNIT-c",))
    assert "screened_before_lots" in {fault.code for fault in world.faults}


@pytest.mark.parametrize(("beacon", "who"), [key for key in WHO if key[0] == "none"], ids=str)
def test_who_foresees_what_a_fake_bidder_does(beacon, who):
    """After the result a list only removes. Sixteen lists that each hit one, two or three of the panel are tried; the argument is that of declines."""
    power, named, wins = WHO[beacon, who]
    lists = [frozenset(each) for size in (1, 2, 3) for each in combinations(range(7), size)]
    lists = random.Random("lists").sample(lists, 16)
    trials = counts(f"fake bidders: {beacon}, {who}", 8 if wins else 40, 50 if wins else 10_000)
    exact = 0
    for number in range(trials):
        sitting = Sitting(10_000 + number, beacon)
        slots, base = seated(sitting)
        left, foreseen, _ = forge(sitting.view(power), slots, base, named, lists)
        honest = sitting.view(Power(draw_key=True, contributors=ALL))
        seed = round_seed(honest, base, states_bytes(leaving(slots, left)), named, random.Random(0))
        exact += seed == foreseen
    record(f"fake bidders {'ABOVE' if wins else 'below'}: {beacon}, {who}", trials, exact)
    assert exact == (trials if wins else 0)


def test_a_list_only_removes_and_what_it_removes_is_checked():
    """The roll shows who leaves without being on the list (D6), the openings who is on it without being barred (S3)."""
    world = World()
    world.open(), world.commit(), world.contribute(), world.result(), world.answer()
    world.screen(("UNIT-c", "UNIT-d"))
    world.replace(), world.finish()
    assert not world.verify().failed

    def more(body):
        return replace(body, slots=tuple(range(5)))

    liar = World(tamper=swap(Screened, more))
    liar.open(), liar.commit(), liar.contribute(), liar.result(), liar.answer()
    liar.screen(("UNIT-c", "UNIT-d"))
    liar.replace(), liar.finish()
    assert liar.verify().failed == ("D6",)

    def padded(openings, draw, case, content, seq):
        return removed_tags(openings, draw, case, content, seq) | {draw.slots[0].tag}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tests.scenario.removed_tags", padded)
        liar = World()
        liar.open(), liar.commit(), liar.contribute(), liar.result(), liar.answer()
        liar.screen(("UNIT-zz",))
        liar.replace(), liar.finish()
    assert liar.verify().failed == ("S3",)


# Reserves --------------------------------------------------------------------------------------------------------------------------------------


def test_reserves_out_of_order_fail_wherever_there_was_a_choice():
    """A keeper who steers the reserve: of two who could step in he takes the second, or none. D6 sees both."""
    plan = replace(PLAN, seats=(replace(PLAN.seats[0], reserves=3), PLAN.seats[1]))
    tries = counts("reserve steering", 6, 200)
    steered = caught = 0
    for number in range(tries):
        passing = number % 2

        def choose(body, passing=passing):
            if body.__class__.__name__ != "SteppedIn":
                return body
            draw = world.project.draw
            place = body.moves[0].slot
            able = [n for n in candidates(draw.slots, place) if may_step_in(world.roll, plan, draw.slots, draw.gone, place, n)]
            if len(able) < 2:
                return body
            chosen.append(able[1])
            return replace(body, moves=(replace(body.moves[0], reserve=able[1]),))

        chosen: list[int] = []
        world = World(seed=number + 1, plan=plan, tamper=choose if passing else lambda body: body)
        world.open(), world.commit(), world.contribute(), world.result()
        world.answer(left=(0,))
        if passing:
            world.replace()
        else:  # nobody steps in though somebody could
            chosen.append(0)
            world.round()
        world.finish()
        if chosen:
            steered += 1
            caught += "D6" in world.verify(openings=False).failed
    assert steered >= tries // 2
    assert record("reserves steered and not seen", steered, steered - caught) == 0
