"""The checks of the roll level: with the nameless roll the whole selection is done again (docs/spec/draw.md 8, D and F)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from drawing import merkle
from drawing.certificate import Fairness, Table, check_fairness
from drawing.draw import Draw, Slot, Stage
from drawing.errors import Refused
from drawing.events import FAIR, UNIFORM, Attested, Event, Extended, Replaced, Result, Screened, SteppedIn, Terms
from drawing.fair import Need, count, numerators, sampler_for
from drawing.lots import Lots, candidates, cap_faults, completions, first, first_need, may_step_in, rest_need, step_in, stepped, successors
from drawing.pool import histogram_digest
from drawing.report import Tally
from drawing.roll import Removed, Roll, chance_leaf, parse_roll_file, small_pool

ROLL_CHECKS = ("D1", "D2", "D3", "D6", "F1", "F2", "F3", "F4")
T = TypeVar("T")


@dataclass(frozen=True)
class Rolls:
    """The sections of a roll file beside the events they belong to."""

    rolls: tuple[tuple[Event, Roll], ...]  # the commit's and each extension's
    removed: tuple[tuple[Event, Removed], ...]
    fairness: Fairness | None = None  # of the commit, where its method has a certificate

    def at(self, seq: int) -> tuple[Terms, Roll]:
        """The terms and the roll in force for the event number `seq`."""
        event, roll = next((event, roll) for event, roll in reversed(self.rolls) if event.head.seq < seq or event is self.rolls[0][0])
        body = event.body
        assert not isinstance(body, Screened)
        return body.terms, roll  # type: ignore[union-attr]  # only commits and extensions are in `rolls`

    def removed_before(self, seq: int) -> frozenset[bytes]:
        return frozenset(tag for event, removed in self.removed if event.head.seq < seq for tag in removed.tags)


def check_roll(data: bytes | None, draw: Draw, tally: Tally) -> Rolls | None:
    """All checks of the roll level over the last attempt. Returns the rolls where they are what was committed."""
    if draw.commit is None:
        tally.skip("nothing_committed", *ROLL_CHECKS)
        return None
    if data is None:
        tally.skip("no_roll", *ROLL_CHECKS)
        return None
    rolls = _sections(data, draw, tally)
    if rolls is None:
        tally.skip("roll_unreadable", *ROLL_CHECKS)
        return None
    if not _committed(rolls, draw, tally):
        tally.skip("roll_not_the_committed", "D2", "D3", "D6", "F1", "F2", "F3", "F4")
        return None
    rolls = replace(rolls, fairness=_chances(rolls, draw, tally))
    _selection(rolls, draw, tally)
    _panel(rolls, draw, tally)
    _dead_ends(rolls, draw, tally)
    if not any(stage.outcome for stage in draw.stages):
        tally.skip("no_result_yet", "D2", "D3", "D6")
    return rolls


def _sections(data: bytes, draw: Draw, tally: Tally) -> Rolls | None:
    """I5: the file has exactly the sections that the events call for, in their order."""
    try:
        sections = parse_roll_file(data)
    except Refused as wrong:
        tally.fail("D1", wrong.code, wrong.place, **wrong.params)
        return None
    owners = sorted((*draw.commits, *draw.screened), key=lambda event: event.head.seq)
    kinds = [isinstance(owner.body, Screened) for owner in owners]
    if kinds != [isinstance(section, Removed) for section in sections]:
        tally.fail("I5", "other_sections", "roll", expected=len(owners), got=len(sections))
        return None
    pairs = list(zip(owners, sections, strict=True))
    return Rolls(
        tuple((owner, section) for owner, section in pairs if isinstance(section, Roll)),
        tuple((owner, section) for owner, section in pairs if isinstance(section, Removed)),
    )


def _committed(rolls: Rolls, draw: Draw, tally: Tally) -> bool:
    """D1: roll and type table are the committed ones, well formed, and of the attested histogram."""
    good = True
    for number, (event, roll) in enumerate(rolls.rolls):
        terms = rolls.at(event.head.seq + 1)[0]
        place = f"roll of event {event.head.seq}"
        faults = [code for code, _ in roll.faults()][:1]
        if roll.digest != terms.roll:
            faults.append("other_roll")
        if any(s >= len(terms.plan.seats) for kind in roll.types for s in kind.seats) or any(
            kind.site >= len(terms.plan.sites) for kind in roll.types
        ):
            faults.append("unknown_type")
        if terms.method == UNIFORM and any(kind.weight != 1 for kind in roll.types):
            faults.append("weight_under_uniform")
        if (terms.method == FAIR) != bool(roll.table_bytes):
            faults.append("other_table")
        for code in faults:
            tally.fail("D1", code, place)
        if faults:
            good = False
            continue
        if small_pool(roll, terms.plan) != terms.small_pool:
            tally.fail("D1", "small_pool_flag_wrong", place)
        attested = draw.attestations[number] if number < len(draw.attestations) else ()
        found = histogram_digest(roll.salt, roll.histogram())
        if any(isinstance(each.body, Attested) and each.body.histogram != found for each in attested):
            tally.fail("D1", "other_histogram", place)
    return good


def _need(rolls: Rolls, draw: Draw, event: Event, roll: Roll, terms: Terms) -> Need:
    """What was to be drawn when the terms of a commit or an extension were fixed."""
    if isinstance(event.body, Extended):
        slots, gone = next((slots, gone) for each, slots, gone in draw.choices if each is event)
        return rest_need(roll, terms.plan, slots, gone | rolls.removed_before(event.head.seq))
    return first_need(roll, terms.plan)


def _chances(rolls: Rolls, draw: Draw, tally: Tally) -> Fairness | None:
    """F1: the exact total and every chance, as committed before any randomness. D2: the sampler is the one that the exact rule names.

    Returns how fair the commit's chances are, where that is certified.
    """
    of_commit = None
    for event, roll in rolls.rolls:
        terms = rolls.at(event.head.seq + 1)[0]
        place = f"event {event.head.seq} ({event.type})"
        try:
            need = _need(rolls, draw, event, roll, terms)
            if count(roll.field, need) != terms.total:
                tally.fail("F1", "other_total", place)
            chances = numerators(roll.field, need)
            sampler = sampler_for(roll.field, need, terms.sampler_version)
        except Refused as wrong:
            tally.fail("F1", wrong.code, place, **wrong.params)
            continue
        root = merkle.root([chance_leaf(tag, number) for tag, number in zip(roll.tags, chances, strict=True)])
        if root != terms.chances.root:
            tally.fail("F1", "other_chances", place)
        if (min(chances, default=0), max(chances, default=0)) != (terms.chances.smallest, terms.chances.largest):
            tally.fail("F1", "other_extremes", place)
        if sampler != terms.sampler:
            tally.fail("D2", "other_sampler", place, named=terms.sampler)
        if roll.table is not None:
            fairness = _fairness(roll, roll.table, need, place, tally)
            if event is rolls.rolls[0][0]:
                of_commit = fairness
    return of_commit


def _fairness(roll: Roll, table: Table, need: Need, place: str, tally: Tally) -> Fairness | None:
    """F2: the prices are valid and the smallest chance comes near their bound. F3: every chance is near its target, no price is idle."""
    try:
        fairness = check_fairness(roll.field, need, table)
    except Refused as wrong:
        tally.fail("F2", wrong.code, f"{place} {wrong.place}", **wrong.params)
        return None
    for check, code, where, params in fairness.faults:
        tally.fail(check, code, f"{place} {where}".rstrip(), **params)
    return fairness


def _selection(rolls: Rolls, draw: Draw, tally: Tally) -> None:
    """D2: from the seed, everybody's place follows."""
    for stage in draw.stages:
        event = stage.outcome
        if event is None or not isinstance(event.body, Result | Replaced):
            continue
        place = f"event {event.head.seq} ({event.type})"
        try:
            expected = _lots_of(rolls, stage, event, event.body)
        except Refused as wrong:
            tally.fail("D2", wrong.code, place, **wrong.params)
            continue
        if expected.placed != event.body.placed:
            tally.fail("D2", "others_were_drawn", place)
        if expected.trace != event.body.trace:
            tally.fail("D2", "other_trace", place)


def _lots_of(rolls: Rolls, stage: Stage, event: Event, body: Result | Replaced) -> Lots:
    terms, roll = rolls.at(event.head.seq)
    removed, version = rolls.removed_before(event.head.seq), terms.sampler_version
    if isinstance(body, Result):
        return first(roll, terms.plan, removed, body.seed, version)
    return successors(roll, terms.plan, stage.before, stage.gone | removed, body.seed, version)


def _panel(rolls: Rolls, draw: Draw, tally: Tally) -> None:
    """D3: nobody sits against a cap, at any time. D6: removed people are out, reserves step in by slot order before any lots fall."""
    for event, slots, gone in draw.stepped:
        if isinstance(event.body, SteppedIn):
            _stepped(rolls, event, event.body, slots, gone, tally)
    for stage in draw.stages:
        if stage.kind == "round" and stage.outcome is not None:
            seq = stage.outcome.head.seq
            _no_reserve_passed(rolls, seq, stage.before, stage.gone, f"event {seq} (replaced)", tally)
    for event, removed in rolls.removed:
        if isinstance(event.body, Screened) and removed.digest != event.body.rows:
            tally.fail("D6", "other_removed_rows", f"event {event.head.seq} (screened)")
    for event, slots in draw.hits:  # a list sends away exactly those whose rows it removes: nobody can be unseated without being on it
        tags = {tag for each, removed in rolls.removed if each is event for tag in removed.tags}
        if isinstance(event.body, Screened) and event.body.slots != tuple(n for n, slot in enumerate(slots) if slot.tag in tags):
            tally.fail("D6", "other_slots_left", f"event {event.head.seq} (screened)")
    sitting = {slot.tag for slot in draw.slots if slot.tag and not slot.reserve}
    if sitting & (rolls.removed_before(1 << 53) | draw.gone):
        tally.fail("D6", "removed_person_sits", "panel")
    seen: set[tuple[Slot, ...]] = set()
    for seq, slots in _moments(draw):
        if slots in seen or not slots:
            continue
        seen.add(slots)
        terms, roll = rolls.at(seq)
        for code in cap_faults(roll, terms.plan, slots):
            tally.fail("D3", code, f"before event {seq}" if seq < 1 << 53 else "panel")


def _moments(draw: Draw) -> Sequence[tuple[int, tuple[Slot, ...]]]:
    """The slots at each moment that decided something, and as they are now."""
    moments = [(stage.outcome.head.seq, stage.before) for stage in draw.stages if stage.outcome is not None and stage.kind != "panel"]
    moments += [(event.head.seq, slots) for event, slots, _ in (*draw.stepped, *draw.choices)]
    return [*moments, (1 << 53, draw.slots)] if any(slot.tags for slot in draw.slots) else moments


def _stepped(rolls: Rolls, event: Event, body: SteppedIn, slots: tuple[Slot, ...], gone: frozenset[bytes], tally: Tally) -> None:
    """All moves that the rule makes were made (draw.md 6, 3); moves that nobody can make are D5's."""
    terms, roll = rolls.at(event.head.seq)
    made, after = set(), slots
    for move in body.moves:
        if move.slot < len(after) and after[move.slot].open and move.reserve in candidates(after, move.slot):
            made.add(move)
            after = stepped(after, move.slot, move.reserve)
    for move in step_in(roll, terms.plan, slots, gone | rolls.removed_before(event.head.seq)):
        if move not in made:
            tally.fail("D6", "reserve_passed_over", f"event {event.head.seq} (stepped_in)", slot=move.slot)


def _no_reserve_passed(rolls: Rolls, seq: int, slots: tuple[Slot, ...], gone: frozenset[bytes], place: str, tally: Tally) -> None:
    terms, roll = rolls.at(seq)
    gone = gone | rolls.removed_before(seq)
    for number in [n for n, slot in enumerate(slots) if slot.open]:
        if any(may_step_in(roll, terms.plan, slots, gone, number, reserve) for reserve in candidates(slots, number)):
            tally.fail("D6", "reserve_passed_over", place, slot=number)


def _dead_ends(rolls: Rolls, draw: Draw, tally: Tally) -> None:
    """F4: where terms were widened or somebody was chosen directly, no lawful completion existed under the terms in force."""
    for event, slots, gone in draw.choices:
        terms, roll = rolls.at(event.head.seq)
        place = f"event {event.head.seq} ({event.type})"
        try:
            ways = completions(roll, terms.plan, slots, gone | rolls.removed_before(event.head.seq))
        except Refused as wrong:
            tally.fail("F4", wrong.code, place, **wrong.params)
            continue
        if ways:
            tally.fail("F4", "could_be_completed", place)
