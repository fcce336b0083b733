"""Silent repetition: hidden commits, aborts on knowledge, back-dated and hidden cosignatures, split views (draw-protocol 3.4, 6, 8)."""

from __future__ import annotations

import random
from dataclasses import replace
from hashlib import sha256
from itertools import combinations
from pathlib import Path

import pytest
from nacl.signing import SigningKey

from drawing import map as sparse
from drawing import merkle, vrf
from drawing.beacon import MARGIN
from drawing.draw import Phase, step
from drawing.errors import Refused
from drawing.events import Abandoned, Contributed, Event, Opened, Stopped
from drawing.keys import keys_bytes
from drawing.note import COSIGNATURE, ED25519, Checkpoint, Policy, VKey, cosign, sign_note
from drawing.proof import map_value, proof_bytes
from drawing.verify import Files, verify
from server.keyfiles import count_contribution
from tests.conftest import counts
from tests.fairness.coalition import NotKnown, Ring, View, record
from tests.lies import without_checkpoint
from tests.scenario import World, swap

# Hidden commits -------------------------------------------------------------------------------------------------------------------------------


def repeated(kept: int, commits: int, seed: int) -> World:
    """An operator who lets the same project be committed several times and abandons what he does not like, until the attempt number `kept`."""

    world = World(seed=seed)
    for number in range(1, commits + 1):
        world.open(), world.commit()
        if number == kept:
            world.contribute(), world.result(), world.finish()
            break
        world.contribute(("notary/c",))
        world.abandon()
    return world


def hide(world: World, drop: frozenset[int], *, forge_map: bool) -> Files:
    """The operator's proof without the events of some attempts; with `forge_map` the map says so too, and the log's key signs all of it."""
    proof = world.proof()
    kept = tuple(logged for logged in proof.events if logged.event.head.attempt not in drop)
    if not forge_map:
        return Files(proof_bytes(replace(proof, events=kept)), world.keys())
    items = {world.tag: map_value(len({logged.event.head.attempt for logged in kept}), kept[-1].event.leaf_hash)}
    leaf = replace(proof.map.leaf, root=sparse.root(items), sigs=())
    operator = world.holders["centre/operator"]
    leaf = replace(leaf, sigs=(replace(proof.map.leaf.sigs[0], sig=operator.sign(leaf.payload)),))
    forged = replace(proof.map, leaf=leaf, siblings=tuple(sparse.prove(items, world.tag)))
    return Files(proof_bytes(replace(proof, events=kept, map=forged)), world.keys())


@pytest.mark.parametrize("forge_map", [False, True])
def test_dropping_attempts_from_a_proof_is_seen_by_every_independent_trace(forge_map):
    """Chain, contributors' counts, map, inclusion: whatever the operator leaves out, at least two of them say so."""
    trials = counts(f"attempts dropped, whole proofs: {forge_map}", 6, 60)
    unseen = 0
    for number in range(trials):
        commits = 2 + number % 3
        world = repeated(commits, commits, number + 1)
        drop = frozenset(random.Random(number).sample(range(1, commits), 1 + number % (commits - 1)))
        failed = set(verify(hide(world, drop, forge_map=forge_map)).failed)
        unseen += not failed
        assert {"C2", "C5"} <= failed
        assert "C3" in failed, failed  # the map knows of more attempts, or the monitor of another map
    assert record(f"attempts dropped and not seen{' with a forged map' if forge_map else ''}", trials, unseen) == 0


def test_with_all_attempts_shown_the_number_stands_in_the_report():
    report = repeated(3, 3, 1).verify()
    assert not report.failed and report.facts["attempts"] == 3
    assert sum(flag.code == "abandoned_incomplete" for outcome in report.outcomes for flag in outcome.flags) == 2


def betrayed(view: View, world: World, hidden: int, number: int, client: Path) -> set[str]:
    """Which traces betray the commit that is kept when so many others before it are hidden. `view`: who of the traces' makers is in it."""
    name, project = "notary/c", world.project
    holder = world.holders[name]
    for n in range(hidden):
        count_contribution(client, world.tag, sha256(b"hidden %d %d" % (number, n)).digest())
    honest = count_contribution(client, world.tag, project.draw.stages[-1].leaf)
    client.with_name(client.name + ".count").unlink()
    pi = view.pi
    body = Contributed(name, 1 if view.contributor_lies else honest, pi, vrf.public_key(holder.secret("vrf")), bytes(64))
    head = replace(world.events[-1].head, seq=project.events, prev=project.head)
    _, faults = step(project, Event(head, body, ()))
    traces = {fault.code for fault in faults}
    last = sha256(b"head %d" % number).digest()
    others = {sha256(b"other %d %d" % (number, n)).digest(): b"x" * 36 for n in range(3)}
    true, forged = {**others, world.tag: map_value(hidden + 1, last)}, {**others, world.tag: map_value(1, last)}
    written = forged if view.map_forged else true
    try:
        sparse.check_presence(sparse.root(written), world.tag, map_value(1, last), sparse.prove(written, world.tag))
    except Refused:
        traces.add("not_in_the_map")
    replayed = written if view.monitor_lies else true
    if sparse.root(replayed) != sparse.root(written):
        traces.add("monitor_of_another_log")
    return traces


HIDING = {
    "the operator": ((False, False, False), {"hidden_contribution", "not_in_the_map"}),
    "the operator, who forges the map": ((False, True, False), {"hidden_contribution", "monitor_of_another_log"}),
    "operator and contributors": ((True, True, False), {"monitor_of_another_log"}),
    "operator and monitor": ((False, True, True), {"hidden_contribution"}),
    "operator, contributors and monitor": ((True, True, True), set()),
}


@pytest.mark.parametrize("who", HIDING)
def test_hidden_commits_are_betrayed_while_one_trace_has_an_honest_maker(who, tmp_path, monkeypatch):
    """Many commits, the best one kept. The contributor's client, the rule book's count, the map and the monitor's replay are the real ones."""
    (lies, forges, monitor), expected = HIDING[who]
    monkeypatch.setattr("os.fsync", lambda _: None)  # ten thousand small files
    trials = counts(f"hidden commits by {who}", 60, 10_000 if expected else 50)
    chance = random.Random(who)
    world = World()
    world.open(), world.commit()
    pi = vrf.prove(world.holders["notary/c"].secret("vrf"), world.project.draw.stages[-1].alpha())
    view = View(contributor_lies=lies, map_forged=forges, monitor_lies=monitor, pi=pi)
    unseen = 0
    for number in range(trials):
        found = betrayed(view, world, chance.randint(1, 5), number, tmp_path / "key")
        assert found == expected
        unseen += not found
    name = f"hidden commits not betrayed{'' if expected else ' ABOVE'}: {who}"
    assert record(name, trials, unseen) == (0 if expected else trials)


def test_with_contributors_log_and_monitor_in_one_hand_a_commit_stays_hidden_and_the_headline_warns():
    """The twin: a log of one machine, all keys on it. The first log is thrown away, the second verifies; the first line says what it is worth."""
    first, second = World(seed=1, witnesses=0), World(seed=1, witnesses=0, number="P-1")
    first.open(), first.commit(), first.contribute()
    second.clock += 777  # the second try, as if the first had never been
    entries = tuple(replace(entry, held="operator") for entry in second.key_list.entries)
    second.key_list = replace(second.key_list, entries=entries)
    second.whole()
    report = second.verify()
    assert not report.failed
    assert {"all_keys_held_by_operator", "private_log"} <= set(report.headlines)
    unwatched = World(monitored=False).whole().verify()
    assert "not_shown_to_be_the_only_draw" in unwatched.headlines


def test_a_commit_that_no_quorum_fixed_before_the_contributions_fails():
    world = World().whole()
    report = verify(without_checkpoint(world, lambda size: size == world.index_of[3] + 2))
    assert "A1" in report.failed


# Aborts -----------------------------------------------------------------------------------------------------------------------------------------


def last_contributor_aborts(world: World) -> None:
    world.open(), world.commit(), world.contribute(("notary/c",))
    world.abandon()


def last_contributor_is_silent(world: World) -> None:
    world.open(), world.commit(), world.contribute(("notary/c",))


def keeper_and_supervisors_withhold(world: World) -> None:
    """Or, with a beacon, n-t+1 nodes keep their shares back: everything is in and no result comes."""
    world.open(), world.commit(), world.contribute()


def result_known_then_cancelled(world: World) -> None:
    world.open(), world.commit(), world.contribute(), world.result()
    world.abandon("cancelled")


def round_withheld(world: World) -> None:
    world.open(), world.commit(), world.contribute(), world.result()
    world.answer(left=(0, 1, 2))
    if world.project.draw.open_slots:
        world.clock += 10


ABORTS = (last_contributor_aborts, last_contributor_is_silent, keeper_and_supervisors_withhold, result_known_then_cancelled, round_withheld)


@pytest.mark.parametrize("beacon", ["none", "local", "drand"])
@pytest.mark.parametrize("abort", ABORTS, ids=lambda each: each.__name__)
def test_an_abort_on_knowledge_is_always_visible(abort, beacon):
    trials = counts(f"aborts, whole proofs: {abort.__name__} {beacon}", 1, 20)
    for seed in range(1, trials + 1):
        world = World(seed=seed, beacon=beacon)
        abort(world)
        report = world.verify()
        assert set(report.headlines) & {"abandoned", "open"}
        assert report.exit_code != 0
        if world.project.draw.phase is Phase.ABANDONED:
            assert any(flag.code.startswith("abandoned_") for outcome in report.outcomes for flag in outcome.flags)
        if abort is keeper_and_supervisors_withhold:
            assert report.outcome("R4").status == "skipped" and report.outcome("D4").status == "skipped"


@pytest.mark.parametrize("beacon", ["none", "local"])
def test_a_new_attempt_before_the_old_one_ended_is_refused(beacon):
    for abort in (last_contributor_is_silent, keeper_and_supervisors_withhold, round_withheld):
        world = World(beacon=beacon)
        abort(world)
        world.open()
        assert "not_next" in {fault.code for fault in world.faults}
        assert {"C1", "C2"} & set(world.verify().failed)


def test_when_everything_is_in_the_result_comes_first_whatever_the_reason():
    for reason in ("incomplete", "order", "cancelled"):
        world = World()
        world.open(), world.commit(), world.contribute()
        world.abandon(reason)
        assert "not_next" in {fault.code for fault in world.faults}
        stopped = World()
        stopped.open(), stopped.commit(), stopped.contribute()
        stopped.log(Stopped(sha256(b"order").digest()), "bureau/two")
        stopped.abandon(reason)
        assert "result_comes_first" in {fault.code for fault in stopped.faults}
        assert "C1" in stopped.verify().failed


def test_after_the_result_a_re_roll_needs_an_order_of_the_authority():
    """`incomplete` is refused, `cancelled` ends the notice, `order` without the authority's signature fails; with it the draw is repeated and says so."""
    world = World()
    world.open(), world.commit(), world.contribute(), world.result()
    world.abandon("incomplete")
    assert "abandoned_after_contributions" in {fault.code for fault in world.faults}

    world = World()
    world.open(), world.commit(), world.contribute(), world.result(), world.abandon("cancelled")
    world.open()
    assert "cancelled_notice" in {fault.code for fault in world.faults}

    world = World()
    world.open(), world.commit(), world.contribute(), world.result()
    world.log(Abandoned(sha256(b"paper").digest(), "order"), "centre/staff", "bureau/one")
    assert "A3" in world.verify().failed

    world = World()
    world.open(), world.commit(), world.contribute(), world.result()
    world.abandon("order")
    world.whole()
    report = world.verify()
    assert not report.failed
    assert report.facts["attempts"] == 2
    assert any(flag.code == "abandoned_order" for outcome in report.outcomes for flag in outcome.flags)


def test_a_withheld_round_is_not_replaced_by_another_one():
    """n-t+1 nodes were silent; the operator takes the next round's value instead. It is not the named one: R2 (and R4 where it is written so)."""
    world = World(beacon="local")
    world.open(), world.commit(), world.contribute()
    sign = world.sign_round
    world.sign_round = lambda number: sign(number + 1)
    world.result(), world.finish()
    assert "R2" in world.verify().failed


def test_supervisors_can_finish_for_a_keeper_who_withholds_and_one_fewer_cannot():
    """m-k+1 of m must withhold together with the keeper: k others still join the draw key."""
    world = World()
    world.open(), world.commit(), world.contribute()
    holders = Ring({1: world.shares[0], 2: world.shares[1]})
    joined = vrf.join(dict(holders))
    stage = world.project.draw.stages[-1]
    beta = vrf.proof_to_hash(vrf.prove_with_scalar(joined, stage.alpha()))
    assert beta == vrf.proof_to_hash(vrf.prove(world.secret("draw key"), stage.alpha()))
    with pytest.raises(NotKnown):
        Ring({1: world.shares[0]})[2]
    assert vrf.proof_to_hash(vrf.prove_with_scalar(vrf.join({1: world.shares[0]}), stage.alpha())) != beta


# Cosignatures: back-dating, hiding, split views ---------------------------------------------------------------------------------------------------


QUORUMS = {4: 3, 5: 4, 7: 5}  # witnesses -> quorum: 1 + floor(2n/3)
DUE = 1_790_100_000


def witness(number: int) -> SigningKey:
    return SigningKey(sha256(b"witness %d" % number).digest())


LOG = SigningKey(sha256(b"the log").digest())
LOG_KEY = VKey("centre/log", ED25519, bytes(LOG.verify_key))
WITNESS_KEYS = [VKey(f"w{n}.example/w", COSIGNATURE, bytes(witness(n).verify_key)) for n in range(7)]


def policy(witnesses: int, quorum: int) -> Policy:
    names = tuple(f"w{n}" for n in range(witnesses))
    return Policy(LOG_KEY, dict(zip(names, WITNESS_KEYS, strict=False)), {"most": (quorum, names)}, "most")


def note_of(size: int, root: bytes, cosigned: dict[int, tuple[SigningKey, int]]) -> bytes:
    text = Checkpoint("centre/log", size, root).text()
    note = sign_note(text, LOG_KEY, lambda message: bytes(LOG.sign(message).signature))
    for n, (key, time) in sorted(cosigned.items()):
        note = cosign(note, WITNESS_KEYS[n], time, lambda message, key=key: bytes(key.sign(message).signature))
    return note


def back_date(view: View, rule: Policy, size: int, root: bytes) -> bool:
    """The round is out, the commit was ground to suit it: colluders cosign as of two minutes before; the honest add their true time."""
    cosigned = {n: (view.keys[n], DUE - 120) for n in view.keys}
    cosigned |= {n: (key, DUE + 30) for n, key in view.honest.items()}  # an honest witness cosigns what is new to it, now
    checked = rule.check(note_of(size, root, cosigned), "forged")
    return checked.quorum and checked.quorum_until(DUE - MARGIN)


def split(view: View, rule: Policy, number: int) -> bool:
    """Two different logs of one size, each with a quorum: honest witnesses cosign one of them, colluders both."""
    honest = list(view.honest.items())
    half = len(honest) // 2
    both = []
    for side, mine in enumerate((honest[:half], honest[half:])):
        cosigned = {n: (view.keys[n], DUE) for n in view.keys} | {n: (key, DUE) for n, key in mine}
        both.append(rule.check(note_of(100, sha256(b"root %d %d" % (number, side)).digest(), cosigned), "view").quorum)
    return all(both)


@pytest.mark.parametrize("witnesses", QUORUMS)
def test_back_dating_needs_a_whole_quorum(witnesses):
    quorum = QUORUMS[witnesses]
    assert quorum == 1 + 2 * witnesses // 3
    rule = policy(witnesses, quorum)
    for size, long in ((quorum - 1, 10_000), (quorum, 50)):
        trials = counts(f"back-dating by {size} of {witnesses} witnesses", 40, long)
        sets = list(combinations(range(witnesses), size))
        won = 0
        for number in range(trials):
            mine = sets[number % len(sets)]
            view = View(keys=Ring({n: witness(n) for n in mine}), honest={n: witness(n) for n in range(witnesses) if n not in mine})
            won += back_date(view, rule, 50 + number, sha256(b"%d" % number).digest())
        name = f"back-dating{' ABOVE' if size == quorum else ''}: {size} of {witnesses} witnesses"
        assert record(name, trials, won) == (trials if size == quorum else 0)


@pytest.mark.parametrize("witnesses", QUORUMS)
def test_a_split_view_needs_the_overlap_of_two_quorums(witnesses):
    quorum = QUORUMS[witnesses]
    rule = policy(witnesses, quorum)
    for size, long in ((2 * quorum - witnesses - 1, 10_000), (2 * quorum - witnesses, 50)):
        trials = counts(f"split views by {size} of {witnesses} witnesses", 40, long)
        sets = list(combinations(range(witnesses), size))
        won = 0
        for number in range(trials):
            mine = sets[number % len(sets)]
            view = View(keys=Ring({n: witness(n) for n in mine}), honest={n: witness(n) for n in range(witnesses) if n not in mine})
            won += split(view, rule, number)
        name = f"split view{' ABOVE' if size == 2 * quorum - witnesses else ''}: {size} of {witnesses} witnesses"
        assert record(name, trials, won) == (trials if size == 2 * quorum - witnesses else 0)


def renote(world: World, cosigning: dict[str, int]) -> None:
    """All checkpoints from the last contribution on, cosigned by each witness so many seconds later than it should."""
    last = max(event.head.seq for event in world.events if isinstance(event.body, Contributed))
    for size in [each for each in world.notes if each >= world.index_of[last] + 2]:
        hashes = [merkle.leaf_hash(leaf) for leaf in world.leaves[:size]]
        note = sign_note(Checkpoint(world.log_name, size, merkle.root(hashes)).text(), world.log_key.vkey, world.log_key.sign)
        for n, key in enumerate(world.witness_keys):
            note = cosign(note, key.vkey, world.events[-1].head.at + cosigning.get(f"w{n}", 0), key.sign)
        world.notes[size] = note


def test_a_commit_that_came_late_fails_and_hidden_cosignatures_buy_no_other_round():
    """The quorum cosigned after the round, or in time and the operator hides it: either way T2 fails, and no other round may be named."""
    world = World(beacon="local").whole()
    renote(world, {})
    assert "T2" in world.verify(openings=False).failed
    two_in_time = World(beacon="local").whole()  # 3 of 3 are needed; two that were in time do not do
    due = two_in_time.toy.network.time_of(two_in_time.project.draw.beacon.round)
    back = due - 100 - two_in_time.events[-1].head.at
    renote(two_in_time, {"w0": back, "w1": back})
    assert "T2" in two_in_time.verify(openings=False).failed
    colluding = World(beacon="local").whole()
    due = colluding.toy.network.time_of(colluding.project.draw.beacon.round)
    back = due - 100 - colluding.events[-1].head.at
    renote(colluding, {"w0": back, "w1": back, "w2": back})  # the twin: a quorum of witnesses lies about the time
    assert "T2" not in colluding.verify(openings=False).failed


def test_the_opening_of_another_log_is_no_way_out():
    """The same project in a second log: the proof is not of the log whose key the list pins."""
    world = World(log_name="centre/other-log").whole()
    pinned = World().keys()
    assert verify(replace(world.files(), keys=pinned)).failed
    moved = World(tamper=swap(Opened, lambda body: replace(body, origin="centre/other-log"))).whole()
    assert "I1" in moved.verify().failed
    assert keys_bytes([world.key_list]) != pinned
