"""The checks of the supervisor level (openings) and of the expert level (a receipt), docs/spec/draw.md 8, S and E."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import sha256
from typing import Any

from drawing.canonical import TH, loads
from drawing.conflict import Case, screen
from drawing.days import date_of
from drawing.draw import Draw, Fault, Phase
from drawing.errors import Refused
from drawing.events import FAIR, Answers, Attested, Committed, Event, Extended, Screened, Terms
from drawing.merkle import check_inclusion, leaf_hash
from drawing.openings import Openings, parse_openings
from drawing.pool import (
    Blinded,
    Entry,
    Pool,
    Question,
    assemble,
    blind,
    commitment_of,
    decision_leaf,
    histogram_digest,
    label_of,
    opening_of,
    row_hash,
    snapshot_leaf,
    tag_of,
)
from drawing.proof import Proof
from drawing.receipt import Receipt, parse_receipt
from drawing.report import Tally
from drawing.roll import chance_leaf, read_roll_head
from drawing.verify_roll import Rolls

SUPERVISOR = ("S0", "S1", "S2", "S3", "S4", "S5")
EXPERT = ("E1", "E2", "E3", "E4")

Blinder = Callable[[Sequence[Entry], str, Case, Question], Iterable[Blinded]]


def question_of(terms: Terms, evaluation_at: int) -> Question:
    """What the plan asks of every expert, with its dates."""
    return Question(terms.plan, date_of(evaluation_at), date_of(evaluation_at, terms.plan.recent_days), terms.method == FAIR)


def blind_whole(entries: Sequence[Entry], snapshot_id: str, case: Case, question: Question) -> Iterator[Blinded]:
    """All entries as one chunk."""
    yield blind(entries, snapshot_id, case, question)


def check_openings(
    data: bytes | None, draw: Draw, rolls: Rolls | None, tally: Tally, *, blinder: Blinder = blind_whole
) -> tuple[tuple[int, str], ...]:
    """S0–S5 over the last attempt. Returns the names of the final panel (slot, name) where they may be known."""
    commit = draw.commit
    if commit is None:
        tally.skip("nothing_committed", *SUPERVISOR)
        return ()
    if data is None:
        tally.skip("no_openings", *SUPERVISOR)
        return ()
    try:
        openings = parse_openings(data)
        case = Case.parse(openings.rule_set, openings.declarations)
    except Refused as wrong:
        tally.fail("S1", wrong.code, wrong.place, **wrong.params)
        tally.skip("openings_unreadable", *SUPERVISOR)
        return ()
    _declared(openings, draw, case, tally)
    _contents(openings, draw, tally)
    for event in draw.commits:
        _pool_of(openings, draw, event, case, rolls, tally, blinder)
    _screened(openings, draw, case, rolls, tally)
    return _names(openings, draw, tally)


def _declared(openings: Openings, draw: Draw, case: Case, tally: Tally) -> None:
    """S3: rules and declarations are the committed ones and say the same as the commit."""
    commit = draw.commit
    assert commit is not None
    terms = commit.terms
    if sha256(openings.rule_set).digest() != terms.rule_set.digest:
        tally.fail("S3", "other_rule_set", "openings")
    if openings.declarations_digest != terms.declarations:
        tally.fail("S3", "other_declarations", "openings")
    project = draw.opened.head.project if draw.opened is not None else b""
    if (openings.snapshot_id, openings.attempt, openings.project) != (terms.snapshot.id, draw.attempt, project):
        tally.fail("S0", "openings_of_another_draw", "openings")
    if case.groups_checked != terms.groups_checked:
        tally.fail("S3", "groups_flag_wrong", "openings")
    if case.evaluation_from != date_of(commit.evaluation_at) or case.regime != commit.regime:
        tally.fail("S3", "other_evaluation_date", "openings")


def _contents(openings: Openings, draw: Draw, tally: Tally) -> None:
    """S1: every private text opens the digest that stands in an answer."""
    recorded = {
        (event.head.seq, answer.slot): answer.receipt
        for event, _ in draw.answered
        if isinstance(event.body, Answers)
        for answer in event.body.answers
    }
    for number, each in enumerate(openings.private):
        if recorded.get((each.seq, each.slot)) != each.digest:
            tally.fail("S1", "other_answer", f"openings.private[{number}]")


def _pool_of(openings: Openings, draw: Draw, event: Event, case: Case, rolls: Rolls | None, tally: Tally, blinder: Blinder) -> None:
    """S0–S3 and S4 for the commit or one extension."""
    commit, body = draw.commit, event.body
    assert commit is not None
    assert isinstance(body, Committed | Extended)
    terms = body.terms
    place = f"event {event.head.seq} ({event.type})"
    erased = [entry.erased for entry in openings.entries if entry.erased]
    chunks = list(blinder(openings.entries, terms.snapshot.id, case, question_of(terms, commit.evaluation_at)))
    pool = assemble(chunks, draw_secret=openings.draw_secret, erased=erased, in_order=True)
    if pool.snapshot_root != terms.snapshot.root or len(pool.labels) != terms.snapshot.size:
        tally.fail("S0", "other_snapshot", place)
    if any(one >= two for one, two in zip(pool.labels, pool.labels[1:], strict=False)):
        tally.fail("S0", "labels_not_increasing", place)
    for number, code in pool.faults[:20]:
        tally.fail("S1", code, f"leaf {number}")
    for number in pool.twice()[:20]:
        tally.fail("S2", "person_twice", f"leaf {number}")
    if pool.erased:  # draw.md 7.3: what was erased rests on the attestation; everybody else's decision is still in the tree
        for check in ("S1", "S2", "S3"):
            tally.flag(Fault(check, "erased", place, (("count", pool.erased),)))
    if pool.decisions_root != terms.decisions and not (pool.erased and _lost_a_type(pool, rolls, event)):
        tally.fail("S3", "other_decisions", place)
    if not pool.erased:
        if pool.rule_counts() != terms.counts:
            tally.fail("S3", "other_counts", place)
        _histogram(openings, draw, event, pool, place, tally)
        if rolls is not None and openings.draw_secret and rolls.at(event.head.seq + 1)[1].rows != pool.rows:
            tally.fail("S3", "other_roll_than_recomputed", place)
    if isinstance(body, Committed) and terms.snapshot.previous:
        _changes(openings, pool, terms, tally)


def _lost_a_type(pool: Pool, rolls: Rolls | None, event: Event) -> bool:
    """Whether an erased person may have been the only one of a type: then the numbers of the other types cannot be made again."""
    return rolls is None or rolls.at(event.head.seq + 1)[1].types != pool.types


def _histogram(openings: Openings, draw: Draw, event: Event, pool: Pool, place: str, tally: Tally) -> None:
    number = draw.commits.index(event)
    attested = draw.attestations[number] if number < len(draw.attestations) else ()
    found = histogram_digest(openings.histogram_salt, pool.histogram())
    if any(isinstance(each.body, Attested) and each.body.histogram != found for each in attested):
        tally.fail("S3", "other_histogram", place)


def _changes(openings: Openings, pool: Pool, terms: Terms, tally: Tally) -> None:
    """S4: the stated difference to the snapshot before is the committed one and leads to these people."""
    changes = openings.changes
    if changes is None or changes.digest != terms.snapshot.previous[0].changes:
        tally.fail("S4", "other_changes", "openings")
        return
    people = {pool.people[n : n + 16] for n in range(0, len(pool.people), 16)} - {bytes(16)}
    if not {*changes.joined, *changes.changed} <= people or people & set(changes.left):
        tally.fail("S4", "changes_do_not_lead_here", "openings")
    if changes.previous_people - len(changes.left) + len(changes.joined) != len(people):
        tally.fail("S4", "changes_do_not_count", "openings")


def _screened(openings: Openings, draw: Draw, case: Case, rolls: Rolls | None, tally: Tally) -> None:
    """S3 for later bidder lists: the list is the committed one, and it removes exactly the rows it should."""
    if len(openings.bidders) != len(draw.screened):
        tally.fail("S3", "bidder_lists_missing", "openings")
        return
    for event, bidders in zip(draw.screened, openings.bidders, strict=True):
        place = f"event {event.head.seq} (screened)"
        body = event.body
        if not isinstance(body, Screened) or bidders.digest != body.bidders:
            tally.fail("S3", "other_bidder_list", place)
            continue
        if rolls is None or not openings.draw_secret:
            continue
        removed = next((each for owner, each in rolls.removed if owner is event), None)
        _, roll = rolls.at(event.head.seq)
        try:
            expected = removed_tags(openings, draw, case, bidders.content, event.head.seq)
        except Refused as wrong:
            tally.fail("S3", wrong.code, place, **wrong.params)
            continue
        if removed is None or set(removed.tags) != expected & set(roll.tags):
            tally.fail("S3", "other_rows_removed", place)


def removed_tags(openings: Openings, draw: Draw, case: Case, bidders: bytes, seq: int) -> set[bytes]:
    """The tags of everybody whom a bidder list bars. Needs the draw's secret."""
    wider = case.with_bidders(loads(bidders, place="bidders", max_bytes=1 << 20, text=True))
    commit = draw.commit
    assert commit is not None
    out = set()
    for entry, record in _records(openings):
        try:
            barred = bool(screen(record, wider))
        except (KeyError, TypeError, AttributeError, ValueError):
            continue  # no expert record: S1 has said so
        if barred:
            out.add(tag_of(openings.draw_secret, label_of(entry.key, openings.snapshot_id)))
    return out


def _records(openings: Openings) -> Iterator[tuple[Entry, dict[str, Any]]]:
    """Every entry whose record can be read at all; the others are S1's."""
    for entry in openings.entries:
        try:
            record = json.loads(entry.record) if entry.record else None
        except (ValueError, RecursionError):
            continue
        if isinstance(record, dict):
            yield entry, record


def _names(openings: Openings, draw: Draw, tally: Tally) -> tuple[tuple[int, str], ...]:
    """S5: everybody on the final panel is a person of the snapshot; the names, for those who may read them."""
    if not openings.draw_secret:
        tally.skip("no_draw_secret_before_closed", "S5")
        return ()
    if draw.phase is not Phase.CLOSED:
        tally.fail("S5", "draw_secret_before_closed", "openings")
        return ()
    wanted = {slot.tag: number for number, slot in enumerate(draw.slots) if slot.tag and not slot.reserve}
    found = []
    for entry, record in _records(openings):
        number = wanted.pop(tag_of(openings.draw_secret, label_of(entry.key, openings.snapshot_id)), None)
        if number is not None:
            found.append((number, str(record.get("name", ""))))
    for number in wanted.values():
        tally.fail("S5", "nobody_for_slot", f"slot {number}")
    return tuple(sorted(found))


# One expert -----------------------------------------------------------------------------------------------------------------------------


def check_receipt(data: bytes | None, draw: Draw, proof: Proof, rolls: Rolls | None, tally: Tally) -> None:
    """E1–E4 for the attempt that the receipt belongs to, which is the last."""
    commit = draw.commit
    if commit is None or data is None:
        tally.skip("no_receipt" if commit is not None else "nothing_committed", *EXPERT)
        return
    try:
        receipt = parse_receipt(data)
    except Refused as wrong:
        tally.fail("E1", wrong.code, wrong.place, **wrong.params)
        tally.skip("receipt_unreadable", *EXPERT)
        return
    if draw.phase is not Phase.CLOSED:
        tally.fail("E1", "receipt_before_closed", "receipt")
    if (receipt.project, receipt.attempt) != (proof.events[0].event.head.project, draw.attempt):
        tally.fail("E1", "receipt_of_another_draw", "receipt")
    terms = draw.terms
    assert terms is not None
    label = label_of(receipt.key, terms.snapshot.id)
    opening = opening_of(receipt.key, terms.snapshot.id)
    _own_leaf(receipt, label, opening, terms, tally)
    _own_decision(receipt, opening, terms, tally)
    _own_row(receipt, label, opening, terms, rolls, tally)
    _own_answers(receipt, draw, tally)


def _own_leaf(receipt: Receipt, label: bytes, opening: bytes, terms: Terms, tally: Tally) -> None:
    leaf = snapshot_leaf(label, commitment_of(opening, receipt.record))
    try:
        check_inclusion(leaf, receipt.index, terms.snapshot.size, receipt.snapshot_path, terms.snapshot.root)
    except Refused as wrong:
        tally.fail("E1", wrong.code, "receipt")


def _own_decision(receipt: Receipt, opening: bytes, terms: Terms, tally: Tally) -> None:
    try:
        leaf = decision_leaf(opening, receipt.decision)
        check_inclusion(leaf, receipt.index, terms.snapshot.size, receipt.decision_path, terms.decisions)
        value = loads(receipt.decision, place="receipt.decision")
    except Refused as wrong:
        tally.fail("E2", wrong.code, "receipt")
        return
    if (isinstance(value, dict) and "type" in value) != bool(receipt.row):
        tally.fail("E2", "row_and_decision_differ", "receipt")


def _own_row(receipt: Receipt, label: bytes, opening: bytes, terms: Terms, rolls: Rolls | None, tally: Tally) -> None:
    """E3: the own row and chance are the committed ones. Drawn or not: the row's tag in the slots, shown by the report."""
    if not receipt.row:
        return
    own = receipt.row[0]
    try:
        size, _, _, _ = read_roll_head(own.head, "receipt.row.head")
        if sha256(own.head).digest() != terms.roll.head:
            raise Refused("other_roll", "receipt.row.head")
        if own.row[26:] != row_hash(opening, label):
            raise Refused("row_of_another", "receipt.row")
        check_inclusion(leaf_hash(own.row), own.index, size, own.path, terms.roll.root)
        check_inclusion(chance_leaf(own.row[:16], own.chance), own.index, size, own.chance_path, terms.chances.root)
    except Refused as wrong:
        tally.fail("E3", wrong.code, wrong.place, **wrong.params)


def _own_answers(receipt: Receipt, draw: Draw, tally: Tally) -> None:
    """E4: each own answer is the one that the event holds, and no answer for the own slots is missing from the receipt."""
    own = receipt.row[0].row[:16] if receipt.row else b""
    recorded = {(event.head.seq, answer.slot): answer.receipt for event, answer in _answers_of(draw, own)}
    for number, each in enumerate(receipt.answers):
        if recorded.pop((each.seq, each.slot), b"") != TH("draw/v1/private", each.salt, each.content):
            tally.fail("E4", "other_answer", f"receipt.answers[{number}]")
    if recorded:
        tally.fail("E4", "answer_missing", "receipt.answers")


def _answers_of(draw: Draw, tag: bytes) -> Iterator[tuple[Event, Any]]:
    for event, slots in draw.answered:
        if isinstance(event.body, Answers):
            for answer in event.body.answers:
                if answer.slot < len(slots) and tag and slots[answer.slot].tag == tag:
                    yield event, answer
