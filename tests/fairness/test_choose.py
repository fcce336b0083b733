"""Choosing and predicting a panel: grinding commits for a friend, guessing before the randomness exists (draw-protocol 4, "choose")."""

from __future__ import annotations

import random
from dataclasses import replace
from hashlib import sha256

import pytest

from drawing import randomness, vrf
from drawing.errors import Refused
from drawing.events import Committed, Contributed
from drawing.lots import first
from tests.conftest import counts
from tests.fairness.coalition import (
    CONTRIBUTORS,
    FRIEND,
    FRIENDS_CHANCE,
    ROLL,
    NotKnown,
    Panel,
    Power,
    Sitting,
    View,
    far_from,
    foresee,
    panel_of,
    record,
)
from tests.scenario import World

ALL = frozenset(CONTRIBUTORS)
BUT_ONE = ALL - {"notary"}
NODES = {"none": frozenset(), "local": frozenset(range(1, 6)), "drand": frozenset(range(1, 8))}
T = {"none": 0, "local": 3, "drand": 4}


def some(beacon: str, number: int) -> frozenset[int]:
    return frozenset(list(NODES[beacon])[:number])


BELOW = {
    ("none", "keeper and all contributors but one"): Power(draw_key=True, contributors=BUT_ONE),
    ("none", "all contributors, one share of the draw key"): Power(contributors=ALL, escrow=frozenset({1})),
    ("local", "t-1 nodes and all contributors"): Power(contributors=ALL, nodes=some("local", 2)),
    ("local", "all nodes and all contributors but one"): Power(contributors=BUT_ONE, nodes=NODES["local"]),
    ("drand", "t-1 nodes and all contributors"): Power(contributors=ALL, nodes=some("drand", 3)),
    ("drand", "all nodes and all contributors but one"): Power(contributors=BUT_ONE, nodes=NODES["drand"]),
}
ABOVE = {
    ("none", "keeper and all contributors"): Power(draw_key=True, contributors=ALL),
    ("none", "all contributors, two shares of the draw key"): Power(contributors=ALL, escrow=frozenset({1, 3})),
    ("local", "t nodes and all contributors"): Power(contributors=ALL, nodes=some("local", 3)),
    ("drand", "t nodes and all contributors"): Power(contributors=ALL, nodes=some("drand", 4)),
}
MOST = 60  # commits that a coalition tries
LIKELY = frozenset(tag for tag, kind in zip(ROLL.tags, ROLL.type_numbers, strict=True) if kind == 0)  # whose chance is the largest


def test_a_view_gives_nothing_that_its_coalition_does_not_hold():
    view = Sitting(0, "local").view(Power(contributors=frozenset({"notary"}), nodes=frozenset({2})))
    assert view.keys["notary"] and view.shares[2]
    for ask in (
        lambda: view.draw_key,
        lambda: view.keys["bureau"],
        lambda: view.shares[1],
        lambda: view.seen["bureau"],
        lambda: view.secret,
    ):
        with pytest.raises(NotKnown):
            ask()
    with pytest.raises(NotKnown):
        view.draw_key = b""


# Choose -----------------------------------------------------------------------------------------------------------------------------------


def grind(view: View, commits) -> tuple[int, Panel]:
    """The adversary: writes commits until one of them, as far as it can tell, brings the friend; announces the panel."""
    panel: Panel = frozenset()
    number = 0
    for number in range(MOST):
        panel = panel_of(foresee(view, commits(number)))
        if FRIEND in panel:
            break
    return number, panel


def ground(beacon: str, power: Power, trials: int) -> tuple[int, int, int]:
    """(seeds foreseen, panels foreseen, friends drawn) when the commit that was ground is drawn on."""
    seeds = panels = friends = 0
    for number in range(trials):
        sitting = Sitting(number, beacon)
        view = sitting.view(power)
        chosen, announced = grind(view, sitting.commit)
        seed = sitting.seed(sitting.commit(chosen))
        drawn = panel_of(seed)
        seeds += seed == foresee(view, sitting.commit(chosen))
        panels += drawn == announced
        friends += FRIEND in drawn
    return seeds, panels, friends


@pytest.mark.parametrize(("beacon", "who"), BELOW, ids=str)
def test_one_who_is_missing_makes_grinding_worthless(beacon, who):
    trials = counts(f"choose: {beacon}, {who}", 60, 10_000)
    seeds, panels, friends = ground(beacon, BELOW[beacon, who], trials)
    assert record(f"choose below the bound: {beacon}, {who}", trials, seeds + panels) == 0
    assert far_from(FRIENDS_CHANCE, trials, friends) < 4.5, friends


@pytest.mark.parametrize(("beacon", "who"), ABOVE, ids=str)
def test_the_whole_coalition_seats_its_friend(beacon, who):
    trials = counts(f"choose above the bound: {beacon}, {who}", 10, 200)
    seeds, panels, friends = ground(beacon, ABOVE[beacon, who], trials)
    assert (seeds, panels, friends) == (trials,) * 3
    record(f"choose ABOVE the bound: {beacon}, {who}", trials, friends)


@pytest.mark.parametrize("beacon", ["none", "local", "drand"])
def test_above_the_bound_a_friend_is_steered_into_a_panel_that_verifies(beacon):
    """What the bound means: with all keys in one hand the proof is right in every check. Only who holds the keys protects."""
    tried = 0
    for tried in range(200):

        def other(body, tried=tried):  # a deadline that nobody looks at
            if isinstance(body, Committed):
                return replace(body, deadlines=replace(body.deadlines, result=body.deadlines.result + tried))
            return body

        world = World(beacon=beacon, tamper=other)
        world.open(), world.commit()
        stage = world.project.draw.stages[-1]
        contributors = [world.holders[name].secret("vrf") for name in ("notary/c", "other/c")]
        pairs = randomness.betas((vrf.public_key(key), vrf.prove(key, stage.alpha())) for key in contributors)
        if beacon == "none":
            key = world.secret("draw key")
            beta = vrf.proof_to_hash(vrf.prove(key, randomness.last_alpha(stage.leaf, pairs)))
            seed = randomness.seed(stage.leaf, vrf.public_key(key), beta, pairs)
        else:
            named = world.project.draw.beacon
            seed = randomness.beacon_seed(stage.leaf, named.network, named.round, world.sign_round(named.round), pairs)
        friend = world.roll.tags[0]
        if friend in {each.tag for each in first(world.roll, world.plan, (), seed).placed[:3]}:
            break
    world.contribute(), world.result(), world.finish()
    assert friend in {slot.tag for slot in world.project.draw.slots if not slot.reserve}
    assert not world.verify().failed


# Predict -------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("beacon", "who"), BELOW, ids=str)
def test_before_the_randomness_a_guess_is_no_better_than_chance(beacon, who):
    """The commit is fixed, all others' contributions lie in the log where the coalition has not all of them."""
    trials = counts(f"predict: {beacon}, {who}", 100, 10_000)
    power = BELOW[beacon, who]
    seeds = panels = people = 0
    for number in range(trials):
        sitting = Sitting(number, beacon)
        leaf = sitting.commit(0)
        guessed = foresee(sitting.view(power), leaf)
        panel = panel_of(guessed)
        seed = sitting.seed(leaf)
        drawn = panel_of(seed)
        seeds += guessed == seed
        panels += panel == drawn
        people += next(tag for tag in sorted(panel) if tag in LIKELY) in drawn  # one person, whom it holds for drawn
    assert record(f"predict below the bound: {beacon}, {who}", trials, seeds + panels) == 0
    assert far_from(FRIENDS_CHANCE, trials, people) < 4.5, people


# Rush ----------------------------------------------------------------------------------------------------------------------------------------


def spellings(pi: bytes, secret: bytes, alpha: bytes, chance: random.Random):
    """Other proofs of one's own value: other nonces, other points, scalars above the order, bits turned."""
    yield vrf.prove_with_scalar(vrf._secret_scalar(secret)[0], alpha)
    gamma, challenge, response = pi[:32], pi[32:48], int.from_bytes(pi[48:], "little")
    if response + vrf.ORDER < 1 << 256:
        yield gamma + challenge + (response + vrf.ORDER).to_bytes(32, "little")
    for small in vrf._ZERO_X:
        try:
            yield vrf.sodium.crypto_core_ed25519_add(gamma, small) + pi[32:]
        except RuntimeError:
            continue
    point = vrf._encode_to_curve(vrf.public_key(secret), alpha + b"x")
    yield vrf._prove(vrf._secret_scalar(secret)[0], vrf.public_key(secret), point, vrf._reduce(chance.randbytes(64)))
    while True:
        at = chance.randrange(80)
        yield pi[:at] + bytes([pi[at] ^ 1 << chance.randrange(8)]) + pi[at + 1 :]


def test_who_contributes_last_has_one_value_only():
    """Rushing: the last contributor has seen everything and looks for a second value of his own that is accepted. There is none."""
    tries = counts("rush: spellings of one's own contribution", 200, 10_000)
    chance = random.Random("rush")
    others = accepted = 0
    sitting = Sitting(1)
    for number in range(-(-tries // 25)):
        alpha = randomness.contribution_alpha(sitting.commit(number))
        secret = sitting.keys["notary"]
        pi = vrf.prove(secret, alpha)
        for _, other in zip(range(25), spellings(pi, secret, alpha, chance), strict=False):
            try:
                beta = vrf.verify(sitting.public["notary"], alpha, other)
            except Refused:
                continue
            accepted += other != pi
            others += beta != vrf.proof_to_hash(pi)
    assert accepted  # other proofs of the same value exist and are no use
    assert record("a second value of the last contributor", tries, others) == 0


def test_a_last_contributor_who_may_register_a_new_key_wins_and_that_is_refused():
    """The twin: one more power, the key list. Seeds then come as wished; the proof fails A3, for keys are pinned before."""
    sitting = Sitting(3)
    leaf = sitting.commit(0)
    others = tuple(sorted((sitting.public[n], foresee_beta(sitting, n, leaf)) for n in BUT_ONE))
    for number in range(MOST):
        key = sha256(b"new key %d" % number).digest()
        pair = (vrf.public_key(key), vrf.proof_to_hash(vrf.prove(key, randomness.contribution_alpha(leaf))))
        pairs = tuple(sorted((*others, pair)))
        beta = vrf.proof_to_hash(vrf.prove(sitting.draw_key, randomness.last_alpha(leaf, pairs)))
        if FRIEND in panel_of(randomness.seed(leaf, vrf.public_key(sitting.draw_key), beta, pairs)):
            break
    else:
        pytest.fail("no key brings the friend")
    world = World()
    world.open(), world.commit(), world.contribute(("notary/c",))
    stage, holder = world.project.draw.stages[-1], world.holders["other/c"]
    body = Contributed("other/c", 1, vrf.prove(key, stage.alpha()), vrf.public_key(key), bytes(64))
    world.log(replace(body, sig=holder.sign(body.statement(stage.leaf))), "centre/operator")
    world.result(), world.finish()
    assert world.verify().failed == ("A3",)


def foresee_beta(sitting: Sitting, name: str, leaf: bytes) -> bytes:
    return vrf.proof_to_hash(vrf.prove(sitting.keys[name], randomness.contribution_alpha(leaf)))


# Whoever knows before he gives: the last contributor with the threshold --------------------------------------------------------------------


KNOWS = {
    ("none", "keeper and the last contributor"): (Power(draw_key=True, contributors=frozenset({"notary"}), seen=BUT_ONE), True),
    ("none", "two supervisors and the last contributor"): (
        Power(escrow=frozenset({1, 2}), contributors=frozenset({"notary"}), seen=BUT_ONE), True,
    ),
    ("none", "one supervisor and the last contributor"): (
        Power(escrow=frozenset({2}), contributors=frozenset({"notary"}), seen=BUT_ONE), False,
    ),
    ("none", "the last contributor alone"): (Power(contributors=frozenset({"notary"}), seen=BUT_ONE), False),
    ("none", "the keeper alone, before the last contribution"): (Power(draw_key=True, seen=BUT_ONE), False),
    ("local", "t nodes and the last contributor"): (Power(nodes=some("local", 3), contributors=frozenset({"notary"}), seen=BUT_ONE), True),
    ("local", "t-1 nodes and the last contributor"): (
        Power(nodes=some("local", 2), contributors=frozenset({"notary"}), seen=BUT_ONE), False,
    ),
    ("local", "t nodes, before the last contribution"): (Power(nodes=some("local", 3), seen=BUT_ONE), False),
    ("drand", "t nodes and the last contributor"): (Power(nodes=some("drand", 4), contributors=frozenset({"notary"}), seen=BUT_ONE), True),
    ("drand", "t-1 nodes and the last contributor"): (
        Power(nodes=some("drand", 3), contributors=frozenset({"notary"}), seen=BUT_ONE), False,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("beacon", "who"), KNOWS, ids=str)
def test_who_can_know_the_panel_before_the_last_contribution(beacon, who):
    power, knows = KNOWS[beacon, who]
    trials = counts(f"know before giving: {beacon}, {who}", 40, 200 if knows else 10_000)
    known = 0
    for number in range(trials):
        sitting = Sitting(number, beacon)
        leaf = sitting.commit(0)
        known += foresee(sitting.view(power, leaf), leaf) == sitting.seed(leaf)
    assert record(f"know before giving{' ABOVE' if knows else ''}: {beacon}, {who}", trials, known) == (trials if knows else 0)


def test_each_power_counts():
    """The seed depends on every part: with any single one left out it is not foreseen (all subsets of a small coalition)."""
    sitting = Sitting(5)
    leaf = sitting.commit(0)
    whole = sitting.seed(leaf)
    for mask in range(16):
        held = frozenset(name for n, name in enumerate(CONTRIBUTORS) if mask >> n & 1)
        power = Power(draw_key=bool(mask & 8), contributors=held)
        assert (foresee(sitting.view(power), leaf) == whole) == (mask == 15)
