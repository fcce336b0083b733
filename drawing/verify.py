"""Verification: a proof, a key list from elsewhere and, level by level, the roll, the openings, a receipt. Never raises; reports.

The checks are those of docs/spec/draw.md 8 in its numbering. Rules of the draw itself are not written here again: the events are
replayed with `drawing.draw.step`, and every fault it names fails the check it belongs to. What a level cannot see is skipped, never green.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import dropwhile
from typing import Any

from drawing import map as sparse
from drawing.beacon import MARGIN, Local, Network, verify_round
from drawing.certificate import percent
from drawing.draw import Draw, Phase, Project, Stage, Tell, step
from drawing.errors import Refused
from drawing.events import (
    UNIFORM,
    Abandoned,
    Attested,
    Beacon,
    Checked,
    Committed,
    Contributed,
    Event,
    Extended,
    RoundContributed,
    Signature,
    Terms,
    Unsealed,
)
from drawing.keys import KeyChain, KeyList, parse_keys
from drawing.merkle import check_consistency, check_inclusion
from drawing.note import Checked as CheckedNote
from drawing.proof import Logged, Proof, map_value, mapped_hash, parse_proof
from drawing.report import CHECKS, Report, Tally
from drawing.signers import bodies_with_both, roll_attester, signers_of
from drawing.verify_private import check_openings, check_receipt
from drawing.verify_roll import Rolls, check_roll


@dataclass(frozen=True, slots=True)
class Files:
    """What the verifier was given. `openings` is the content, unsealed; `openings_fault` says why it could not be unsealed."""

    proof: bytes
    keys: bytes
    roll: bytes | None = None
    openings: bytes | None = None
    openings_fault: Refused | None = None
    receipt: bytes | None = None


def verify(files: Files) -> Report:
    """All checks over what was given. Never raises: whatever is wrong with a file is a fault in the report."""
    tally = Tally()
    chain = _keys(files.keys, tally)
    proof = _proof(files.proof, tally)
    if proof is None:
        tally.skip("proof_unreadable", *(check for check, _ in CHECKS if check not in ("I6", "A4")))
        return Report(tally.outcomes(), ("proof_unreadable",))
    project, draws = _replay(proof, tally)
    draw = project.draw
    rulers = _rulers(project, chain, tally)
    notes = _checkpoints(proof, chain, rulers, tally)
    _inclusion(proof, notes, tally)
    _signatures(proof, draws, rulers, tally)
    _bodies(draw, proof, rulers, tally)
    _timing(proof, project, notes, rulers, tally)
    _beacons(proof, project, notes, rulers, tally)
    _second_quorum(proof, project, notes, rulers, tally)
    monitored = _map(proof, project, notes, rulers, tally)
    _applicable(project, tally)
    roll = check_roll(files.roll, draw, tally)
    if files.openings_fault is not None:
        tally.fail("S1", files.openings_fault.code, files.openings_fault.place, **files.openings_fault.params)
    names = check_openings(files.openings, draw, roll, tally)
    check_receipt(files.receipt, draw, proof, roll, tally)
    return Report(tally.outcomes(), _headlines(draw, chain, rulers, monitored), _facts(draw, project, chain, rulers, proof, roll), names)


# Reading --------------------------------------------------------------------------------------------------------------------------------


def _keys(data: bytes, tally: Tally) -> KeyChain | None:
    try:
        return parse_keys(data)
    except Refused as wrong:
        tally.fail("A4", wrong.code, wrong.place, **wrong.params)
        return None


def _proof(data: bytes, tally: Tally) -> Proof | None:
    try:
        return parse_proof(data)
    except Refused as wrong:
        tally.fail("I6", wrong.code, wrong.place, **wrong.params)
        return None


def _replay(proof: Proof, tally: Tally) -> tuple[Project, tuple[Draw, ...]]:
    """The state after all events, and the draw before each of them."""
    project = Project()
    before = []
    for logged in proof.events:
        before.append(project.draw)
        project, faults = step(project, logged.event)
        for fault in faults:
            tally.add(fault)
    for attempt in project.attempts:
        for flag in attempt.flags:
            tally.flag(flag)
    if project.attempts and any(each.phase not in (Phase.CLOSED, Phase.ABANDONED) for each in project.attempts[:-1]):
        tally.fail("C1", "attempt_not_ended")
    return project, tuple(before)


@dataclass(frozen=True, slots=True)
class Rulers:
    """The key list that rules each attempt (None where it could not be found), the last attempt's, and the newest."""

    by_attempt: Mapping[int, KeyList | None]
    last: KeyList | None
    newest: KeyList | None

    def of(self, attempt: int) -> KeyList | None:
        """By the number that an event bears; one that is no attempt's with a commit is judged, too: by the newest (keylist.md 6)."""
        return self.by_attempt.get(attempt, self.newest)


def _rulers(project: Project, chain: KeyChain | None, tally: Tally) -> Rulers:
    """A4: the version named in the commit rules the whole attempt, and it is in the list that the verifier trusts."""
    newest = chain.newest if chain else None
    last = newest
    by_attempt: dict[int, KeyList | None] = {}
    for draw in project.attempts:
        last = newest
        if chain is not None and draw.commit is not None:
            named = draw.commit.keys
            last = chain.find(named.version, named.digest)
            if last is None:
                tally.fail("A4", "other_key_list", f"attempt {draw.attempt}", version=named.version)
            by_attempt.setdefault(draw.attempt, last)
    if last is None:
        tally.skip("no_key_list", "A1", "A2", "A3", "A5", "A6", "C3", "T5")
    return Rulers(by_attempt, last, newest)


# Checkpoints and inclusion ----------------------------------------------------------------------------------------------------------------


def _checkpoints(proof: Proof, chain: KeyChain | None, rulers: Rulers, tally: Tally) -> tuple[CheckedNote, ...]:
    """A1, A2: every checkpoint is the log's own, holds no line of an unknown key, and has the quorum of the last attempt's policy."""
    keys = rulers.last or (chain.newest if chain else None)
    if keys is None:
        return ()
    policy = keys.log_policy
    notes: list[CheckedNote] = []
    for number, text in enumerate(proof.checkpoints):
        check = "A2" if number == len(proof.checkpoints) - 1 else "A1"
        place = f"checkpoint {number}"
        try:
            note = policy.check(text.encode(), place, second=keys.second is not None)
        except Refused as wrong:
            tally.fail(check, wrong.code, wrong.place, **wrong.params)
            tally.skip("no_checkpoint", "A2")  # where an earlier one is invalid the last was not looked at
            return ()
        if note.checkpoint.origin != proof.origin:
            tally.fail(check, "other_origin", place)
        if policy.has_quorum and not note.quorum:
            tally.fail(check, "no_quorum", place)
        notes.append(note)
    if not policy.has_quorum:
        tally.skip("no_witnesses", "A1", "A2")
    return tuple(notes)


def _inclusion(proof: Proof, notes: tuple[CheckedNote, ...], tally: Tally) -> None:
    """I1, I2, I5: events lie in the last checkpoint, in order; checkpoints extend each other."""
    if len(proof.consistency) != len(proof.checkpoints) - 1:
        tally.fail("I5", "consistency_paths_missing", "proof.consistency")
    indexes = [logged.index for logged in proof.events] + [proof.map.index]
    if indexes != sorted(set(indexes)):
        tally.fail("I5", "events_disordered", "proof.events")
    if not notes:
        tally.skip("no_checkpoint", "I1", "I2")
        return
    last = notes[-1].checkpoint
    leaves = [(logged.event.leaf_hash, logged.index, logged.path, f"event {logged.event.head.seq}") for logged in proof.events]
    leaves.append((mapped_hash(proof.map.leaf), proof.map.index, proof.map.path, "map"))
    for leaf, index, path, place in leaves:
        try:
            check_inclusion(leaf, index, last.size, path, last.root)
        except Refused as wrong:
            tally.fail("I1", wrong.code, place)
    for number, (old, new) in enumerate(zip(notes, notes[1:], strict=False)):
        place = f"checkpoint {number} to {number + 1}"
        if old.checkpoint.size >= new.checkpoint.size:
            tally.fail("I5", "checkpoints_disordered", place)
            continue
        path = proof.consistency[number] if number < len(proof.consistency) else ()
        try:
            check_consistency(old.checkpoint.size, new.checkpoint.size, path, old.checkpoint.root, new.checkpoint.root)
        except Refused as wrong:
            tally.fail("I2", wrong.code, place)


# Signatures and bodies --------------------------------------------------------------------------------------------------------------------


def signature_faults(draw: Draw, event: Event, keys: KeyList, tell: Tell) -> None:
    """A3: the right keys of the ruling list signed, each once, nobody else. `draw` is the state before the event."""
    names = [each.key for each in event.sigs]
    if names != sorted(set(names)):
        tell("A3", "signatures_disordered")
    needs = signers_of(draw, event.body)
    allowed = frozenset(role for need in needs for role in need.roles)
    roles: dict[str, str] = {}
    for each in event.sigs:
        entry = keys.by_name.get(each.key)
        wrong = keys.signer_fault(event.payload, each)
        if wrong or entry is None:
            tell("A3", wrong, key=each.key)
        elif entry.role not in allowed:
            tell("A3", "not_their_event", key=each.key, role=entry.role)
        else:
            roles[each.key] = entry.role
    for need in needs:
        got = sum(role in need.roles for role in roles.values())
        if got < need.least:
            tell("A3", "signature_missing", roles=", ".join(sorted(need.roles)), least=need.least, got=got)
    body = event.body
    if isinstance(body, Contributed | RoundContributed):
        entry = keys.by_name.get(body.key)
        if entry is None or entry.role != "contributor" or entry.vrf != body.pk:
            tell("A3", "contribution_of_another", key=body.key)
        elif keys.signer_fault(body.statement(draw.commits[-1].leaf_hash if draw.commits else b""), Signature(body.key, body.sig)):
            tell("A3", "bad_signature", key=body.key)
    if isinstance(body, Attested) and len(names) != 1:
        tell("A3", "one_signature_each")
    if isinstance(body, Checked) and not set(names) <= roll_attester(draw):
        tell("A3", "checked_by_another")
    if isinstance(body, Abandoned):
        staff = {keys.by_name[name].body for name, role in roles.items() if role == "staff"}
        if staff.issuperset(keys.by_name[name].body for name in roles):
            tell("A3", "one_body_only")


def _signatures(proof: Proof, draws: tuple[Draw, ...], rulers: Rulers, tally: Tally) -> None:
    for logged, before in zip(proof.events, draws, strict=True):
        event = logged.event
        keys = rulers.of(event.head.attempt)
        if keys is None:
            continue
        place = f"event {event.head.seq} ({event.type})"

        def tell(check: str, code: str, *, _place: str = place, **params: Any) -> None:
            tally.fail(check, code, _place, **params)

        signature_faults(before, event, keys, tell)
    keys = rulers.last
    if keys is None:
        return
    mapped = proof.map.leaf
    names = [each.key for each in mapped.sigs]
    if len(names) != 1 or names[0] not in keys.named("operator"):
        tally.fail("A3", "signature_missing", "map", roles="operator", least=1, got=0)
    for each in mapped.sigs:
        if keys.signer_fault(mapped.payload, each):
            tally.fail("A3", "bad_signature", "map", key=each.key)


def _bodies(draw: Draw, proof: Proof, rulers: Rulers, tally: Tally) -> None:
    """A5: the supervisors who committed and one contributor belong to other bodies than the operator."""
    keys, commit = rulers.last, draw.commit
    if draw.opened is not None and getattr(draw.opened.body, "origin", "") != proof.origin:
        tally.fail("I1", "other_origin", "event opened")
    if keys is None or commit is None:
        tally.skip("nothing_committed", "A5")
        return
    operators = {entry.body for entry in keys.entries if entry.role == "operator"}
    signers = [keys.by_name[each.key] for each in draw.commits[0].sigs if each.key in keys.by_name]
    if all(entry.body in operators for entry in signers if entry.role == "supervisor"):
        tally.fail("A5", "supervisor_of_operators_body")
    contributors = [keys.by_name[name] for name in commit.contributors if name in keys.by_name]
    if all(entry.body in operators for entry in contributors):
        tally.fail("A5", "contributors_of_operators_body")


# Timing -----------------------------------------------------------------------------------------------------------------------------------


def _timing(proof: Proof, project: Project, notes: tuple[CheckedNote, ...], rulers: Rulers, tally: Tally) -> None:
    """A1 (CP0), T3, T4 for every commit and extension, by positions in the log; T5 for the unsealing."""
    index = _indexes(proof)
    if not notes:
        tally.skip("no_checkpoint", "T3", "T4", "T5")
        return
    sizes = [note.checkpoint.size for note in notes]
    for draw in project.attempts:
        for stage in draw.stages:
            if stage.kind != "round" and stage.given:
                _stage_timing(stage, index, sizes, tally)
    unsealed = _first_unsealed(proof, project.draw)
    if project.draw.commit is None or unsealed is None:
        tally.skip("not_unsealed", "T5")
    elif rulers.last is None or not rulers.last.log_policy.has_quorum:
        tally.skip("no_witnesses", "T5")
    elif not _time_passed(project.draw.commit, unsealed, notes):
        tally.fail("T5", "unsealing_time_not_witnessed", f"event {unsealed.event.head.seq} (unsealed)")


def _first_unsealed(proof: Proof, draw: Draw) -> Logged | None:
    """The last attempt's first `unsealed`."""
    of_attempt = dropwhile(lambda each: each.event is not draw.opened, proof.events)
    return next((each for each in of_attempt if isinstance(each.event.body, Unsealed)), None)


def _time_passed(commit: Committed, unsealed: Logged, notes: tuple[CheckedNote, ...]) -> bool:
    """Whether a quorum cosigned at or after the earliest unsealing a checkpoint that does not hold the unsealing."""
    return any(note.quorum_since(commit.unsealing.not_before) and note.checkpoint.size <= unsealed.index for note in notes)


def _stage_timing(stage: Stage, index: dict[int, int], sizes: list[int], tally: Tally) -> None:
    """CP0 lies between the commit and its first contribution; CP1 is the last checkpoint before the lots fell."""
    place = f"event {stage.seq}"
    fixed = index[stage.seq]
    given = [index[seq] for _, _, _, seq in stage.given]
    if not any(fixed < size <= min(given) for size in sizes):
        tally.fail("A1", "commit_not_fixed_before_contributions", place)
    if stage.outcome is None:
        return
    before = [size for size in sizes if min(given) < size <= index[stage.outcome.head.seq]]
    if not before:
        tally.fail("T4", "value_before_checkpoint", place)
    elif max(before) <= max(given):
        tally.fail("T3", "contributions_not_covered", place)


# Beacon -----------------------------------------------------------------------------------------------------------------------------------


def _beacons(proof: Proof, project: Project, notes: tuple[CheckedNote, ...], rulers: Rulers, tally: Tally) -> None:
    """R1, R2, T1, T2 and T4 of every attempt that rests on a beacon, under the key list that rules the attempt."""
    index = _indexes(proof)
    for draw in project.attempts:
        if draw.beacon is None:
            continue
        keys = rulers.of(draw.attempt)
        if keys is None:
            tally.skip("no_key_list", "R1", "R2", "T1", "T2")
            continue
        place = f"event {draw.commits[0].head.seq} (committed)"
        network = _network(draw, keys)
        if network is None:
            tally.fail("R1", "unknown_network", place)
            tally.skip("network_not_pinned", "R2", "T1", "T2")
            continue
        if network.kind != draw.beacon.kind:
            tally.fail("R1", "other_network_kind", place, pinned=network.kind)
        _round_times(draw, draw.beacon, network, proof, tally)
        for stage in draw.stages:
            if stage.outcome is not None and stage.lots:
                _beacon_stage(stage, network, index, notes, tally)


def _network(draw: Draw, keys: KeyList | None) -> Network | None:
    """The network that a draw rests on, where it has a beacon and the list pins it."""
    return keys.by_chain.get(draw.beacon.network) if keys is not None and draw.beacon is not None else None


def _indexes(proof: Proof) -> dict[int, int]:
    """Where in the log each event is, by its number."""
    return {logged.event.head.seq: logged.index for logged in proof.events}


def _round_times(draw: Draw, beacon: Beacon, network: Network, proof: Proof, tally: Tally) -> None:
    """T1: the commit's round lies after the contributions and before the result are due; each other one after the event that names it."""
    commit = draw.commit
    place = f"event {draw.commits[0].head.seq} (committed)"
    due = network.time_of(beacon.round)
    if commit is not None and not commit.deadlines.contributions < due <= commit.deadlines.result:
        tally.fail("T1", "round_outside_deadlines", place, round=beacon.round)
    for logged in proof.events:
        head, lots = logged.event.head, getattr(logged.event.body, "lots", None)
        if head.attempt == draw.attempt and lots is not None and network.time_of(lots) <= head.at:
            tally.fail("T1", "round_not_in_future", f"event {head.seq} ({logged.event.type})", round=lots)


def _beacon_stage(stage: Stage, network: Network, index: dict[int, int], notes: tuple[CheckedNote, ...], tally: Tally) -> None:
    """T2: a quorum cosigned, at least a minute before the round, what the lots rest on. T4: the value came after. R2: it is the network's."""
    outcome = stage.outcome
    if outcome is None:
        return
    place = f"event {outcome.head.seq} ({outcome.type})"
    due = network.time_of(stage.lots)
    fixed = _fixed(stage, index)
    fell = index[outcome.head.seq]
    if not notes:
        tally.skip("no_checkpoint", "T2")
    elif not notes[0].policy.has_quorum:
        tally.skip("no_witnesses", "T2")
    elif not _in_time(fixed, due, notes):
        tally.fail("T2", "not_witnessed_before_round", place, round=stage.lots)
    if stage.kind == "round" and notes and not any(fixed < note.checkpoint.size <= fell for note in notes):
        tally.fail("T4", "value_before_checkpoint", place)
    if outcome.head.at < due or any(note.checkpoint.size > fell and note.quorum_until(due - 1) for note in notes):
        tally.fail("T4", "value_before_its_round", place, round=stage.lots)
    value = getattr(outcome.body, "value", b"")
    if len(value) != 48:
        return  # reported by the replay
    try:
        if not verify_round(network.public_key, stage.lots, value):
            tally.fail("R2", "bad_beacon_value", place)
    except Refused as wrong:
        tally.skip(wrong.code, "R2")


def _fixed(stage: Stage, index: dict[int, int]) -> int:
    """Where in the log the last of what a stage's lots rest on is."""
    return max((index[seq] for _, _, _, seq in stage.given), default=index[stage.seq])


def _in_time(fixed: int, due: int, notes: tuple[CheckedNote, ...]) -> bool:
    """Whether a quorum cosigned, at least a minute before the round, a checkpoint that holds what is fixed."""
    return any(note.checkpoint.size > fixed and note.quorum_until(due - MARGIN) for note in notes)


# The second quorum ------------------------------------------------------------------------------------------------------------------------


def _second_quorum(proof: Proof, project: Project, notes: tuple[CheckedNote, ...], rulers: Rulers, tally: Tally) -> None:
    """A6: every checkpoint has the second quorum too, and what T5 and T2 ask of a quorum's times holds by this one's as well.

    The times count because a proof that is judged when curves are broken could be made years after its rounds, with Ed25519 cosignatures
    of any date and witnesses of the second quorum who sign honestly what the log holds by then.
    """
    if rulers.last is None:
        return  # reported by _rulers
    policy = rulers.last.second
    if policy is None:
        tally.not_applicable("no_second_quorum", "A6")
        return
    if not notes:
        tally.skip("no_checkpoint", "A6")
        return
    second: list[CheckedNote] = []
    for number, note in enumerate(notes):
        place = f"checkpoint {number}"
        try:
            judged = policy.check_rest(note, place)
        except Refused as wrong:
            if wrong.code == "no_mldsa_library":
                tally.skip(wrong.code, "A6")
            else:
                tally.fail("A6", wrong.code, wrong.place, **wrong.params)
            continue
        if not judged.quorum:
            tally.fail("A6", "no_quorum", place)
        second.append(judged)
    if len(second) == len(notes):
        _second_times(proof, project, tuple(second), rulers, tally)


def _second_times(proof: Proof, project: Project, notes: tuple[CheckedNote, ...], rulers: Rulers, tally: Tally) -> None:
    """The times of T5 and T2 by the cosignatures of the second quorum."""
    commit, unsealed = project.draw.commit, _first_unsealed(proof, project.draw)
    if commit is not None and unsealed is not None and not _time_passed(commit, unsealed, notes):
        tally.fail("A6", "unsealing_time_not_witnessed", f"event {unsealed.event.head.seq} (unsealed)")
    index = _indexes(proof)
    for draw in project.attempts:
        network = _network(draw, rulers.of(draw.attempt))
        if network is None:
            continue
        for stage in draw.stages:
            if stage.outcome is not None and stage.lots and not _in_time(_fixed(stage, index), network.time_of(stage.lots), notes):
                place = f"event {stage.outcome.head.seq} ({stage.outcome.type})"
                tally.fail("A6", "not_witnessed_before_round", place, round=stage.lots)


# No hidden draw ---------------------------------------------------------------------------------------------------------------------------


def _map(proof: Proof, project: Project, notes: tuple[CheckedNote, ...], rulers: Rulers, tally: Tally) -> bool:
    """C3: the map of the log knows exactly these attempts and this last event; a monitor replayed the log and found the same root."""
    mapped = proof.map.leaf
    try:
        sparse.check_presence(mapped.root, project.tag, map_value(len(project.attempts), project.head), proof.map.siblings)
    except Refused as wrong:
        tally.fail("C3", wrong.code, "map", attempts=len(project.attempts))
    if mapped.size != proof.map.index or mapped.origin != proof.origin:
        tally.fail("C3", "map_of_another_log", "map")
    if mapped.at < project.draw.last_at:
        tally.fail("C3", "map_older_than_events", "map")
    keys = rulers.last
    monitored = False
    names = [each.sigs[0].key for each in proof.monitors]
    if names != sorted(set(names)):
        tally.fail("C3", "monitors_disordered", "proof.monitors")
    if keys is not None:
        for number, each in enumerate(proof.monitors):
            place = f"monitor {number}"
            signer = each.sigs[0]
            if signer.key not in keys.named("monitor") or keys.signer_fault(each.payload, signer):
                tally.fail("C3", "bad_signature", place, key=signer.key)
            elif each.root != mapped.root or each.size <= mapped.size or each.origin != proof.origin or each.at < mapped.at:
                tally.fail("C3", "monitor_of_another_log", place)
            else:
                monitored = True
        if not keys.log_policy.has_quorum:
            tally.skip("no_witnesses", "C3")
    if not monitored:
        tally.skip("no_monitor", "C3")
    return monitored


def _applicable(project: Project, tally: Tally) -> None:
    """What the committed event alone takes out of the list, and what an attempt without commit cannot show."""
    draw = project.draw
    with_beacon = any(each.beacon is not None for each in project.attempts)
    if draw.commit is None:
        tally.skip("nothing_committed", "T1", "T2", "R1")
    elif not with_beacon:
        tally.not_applicable("beacon_none", "T1", "T2", "R1")
    if all(terms.method == UNIFORM for terms in _all_terms(draw)):
        tally.not_applicable("method_uniform", "F2", "F3")
    if draw.commit is None:
        tally.skip("nothing_committed", "R2", "R3", "R4", "V1", "D4", "D5", "T3", "T4", "C5")
        return
    if not any(stage.outcome for stage in draw.stages):
        tally.skip("no_result_yet", "R2", "R4", "D4", "D5", "T3", "T4", *(("T2",) if with_beacon else ()))
    if not draw.commit.terms.snapshot.previous:
        tally.not_applicable("no_predecessor", "S4")


def _all_terms(draw: Draw) -> Iterator[Terms]:
    """The terms of the commit and of every extension."""
    for event in draw.commits:
        if isinstance(event.body, Committed | Extended):
            yield event.body.terms


# What the reader must know first ------------------------------------------------------------------------------------------------------------


def _headlines(draw: Draw, chain: KeyChain | None, rulers: Rulers, monitored: bool) -> tuple[str, ...]:
    lines = []
    if draw.dry_run:
        lines.append("dry_run")
    keys = rulers.last
    if keys is None:
        lines.append("no_key_list")
    else:
        if keys.all_held_by_operator():
            lines.append("all_keys_held_by_operator")
        if not keys.log_policy.has_quorum:
            lines.append("private_log")
        elif not monitored:
            lines.append("not_shown_to_be_the_only_draw")
        if keys.below_bound:
            lines.append("quorum_below_bound")
        if chain is not None and chain.newest is not keys:
            lines.append("key_list_has_successors")
    if draw.phase is Phase.ABANDONED:
        lines.append("abandoned")
    elif draw.phase is not Phase.CLOSED:
        lines.append("open")
    terms = draw.terms
    network = _network(draw, keys)
    if isinstance(network, Local) and network.operator_can_sign:
        lines.append("beacon_held_by_operator")
    if draw.commit is not None and draw.beacon is None and not draw.commit.round_contributors:
        lines.append("rounds_by_draw_key_alone")
    if keys is not None and bodies_with_both(draw, {name: entry.body for name, entry in keys.by_name.items()}):
        lines.append("attested_by_one_body")
    if any(each.small_pool for each in _all_terms(draw)):
        lines.append("small_pool")
    if terms is not None and not terms.groups_checked:
        lines.append("groups_not_checked")
    return tuple(lines)


def _beacon_facts(draw: Draw, rulers: Rulers) -> dict[str, Any]:
    """Which randomness: kind, network, the rounds used so far with their times (0 where the network is not pinned)."""
    if draw.commit is None:
        return {}
    if draw.beacon is None:
        return {"kind": "none"}
    network = _network(draw, rulers.last)
    rounds = [draw.beacon.round, *(stage.lots for stage in draw.stages if stage.kind != "panel" and stage.lots)]
    return {
        "kind": draw.beacon.kind,
        "name": network.name if network else "",
        "network": draw.beacon.network.hex(),
        "rounds": [{"round": number, "time": network.time_of(number) if network else 0} for number in rounds],
    }


def _chance_facts(commit: Committed | None) -> dict[str, str]:
    """The smallest and the largest chance that the commit states, in percent."""
    if commit is None or not commit.terms.total:
        return {}
    chances, total = commit.terms.chances, Fraction(commit.terms.total)
    return {"largest": percent(Fraction(chances.largest), total, 4), "smallest": percent(Fraction(chances.smallest), total, 4)}


def _fairness_facts(rolls: Rolls | None) -> dict[str, str]:
    """How near the smallest chance comes to the most that any method could give everybody; known with the roll alone."""
    if rolls is None or rolls.fairness is None:
        return {}
    fairness = rolls.fairness
    return {"bound": percent(fairness.bound, Fraction(1), 4), "reached": percent(fairness.smallest, fairness.bound)}


def _facts(draw: Draw, project: Project, chain: KeyChain | None, rulers: Rulers, proof: Proof, rolls: Rolls | None) -> dict[str, Any]:
    commit = draw.commit
    return {
        "attempts": len(project.attempts),
        "beacon": _beacon_facts(draw, rulers),
        "chances": _chance_facts(commit),
        "dry_run": draw.dry_run,
        "events": project.events,
        "fairness": _fairness_facts(rolls),
        "key_list_digest": chain.newest.digest.hex() if chain else "",
        "key_list_version": chain.newest.version if chain else 0,
        "log_origin": proof.origin,
        "method": commit.terms.method if commit else "",
        "phase": draw.phase.value,
        "project_tag": project.tag.hex(),
        "replacement_rounds": sum(stage.kind != "panel" and stage.outcome is not None for stage in draw.stages),
        "replacements": "reserve/1" if commit and any(seat.reserves for seat in commit.terms.plan.seats) else "rounds/1",
        "seats": sum(seat.count for seat in commit.terms.plan.seats) if commit else 0,
        "total": str(commit.terms.total) if commit else "",
    }
