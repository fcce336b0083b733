"""Rules of a draw: what may follow what, and what each event makes of it. No clock, no chance, no keys, no storage.

A draw is its events. `NEXT` is the whole table of what may follow; `step` takes a draw one event further and names every rule that the event breaks,
each under the check of docs/spec/draw.md 8 that fails by it. The service calls `apply`, which refuses an event with any fault before it is
written; the verifier calls `step` and goes on after a fault, so that one report names all of them. There is no second rule book.

A draw has slots: first the panel's, seat by seat, then the reserves'. A slot knows everybody who ever sat in it; "left" is a state of the slot,
and successors are drawn from the states alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Protocol, assert_never

from drawing import randomness
from drawing.errors import Refused
from drawing.events import (
    NO_PREVIOUS,
    UNIFORM,
    Abandoned,
    Answers,
    Appointed,
    Attested,
    Beacon,
    Body,
    Checked,
    Closed,
    Committed,
    Contributed,
    Erased,
    Event,
    Extended,
    NoBeacon,
    Notified,
    Opened,
    Placed,
    Plan,
    Replaced,
    Result,
    Resumed,
    RoundContributed,
    Screened,
    SteppedIn,
    Stopped,
    Terms,
    Unsealed,
    draft_digest,
)
from drawing.vrf import proof_to_hash
from drawing.vrf import verify as verify_vrf


class Phase(StrEnum):
    """Where a draw stands."""

    NEW = "new"
    OPENED = "opened"
    ATTESTED = "attested"
    COMMITTED = "committed"
    READY = "ready"  # all contributions are in
    SEATED = "seated"  # nobody's slot is open
    OPEN = "open"  # somebody left: a reserve, a round, wider terms or a direct choice is due
    DRAWING = "drawing"  # round contributions are coming in
    REDRAW = "redraw"  # all of them are in
    WIDENING = "widening"  # wider terms are being attested
    WIDENED = "widened"  # and committed; new contributions are due
    STOPPED = "stopped"
    CLOSED = "closed"
    ABANDONED = "abandoned"


ENDED = frozenset({Phase.CLOSED, Phase.ABANDONED})

# The whole machine: an event that is not listed is refused. docs/spec/draw.md 4 holds the same table; a test compares them.
NEXT: Mapping[Phase, frozenset[str]] = {
    Phase.NEW: frozenset({"opened"}),
    Phase.OPENED: frozenset({"attested", "abandoned"}),
    Phase.ATTESTED: frozenset({"attested", "committed", "abandoned"}),
    Phase.COMMITTED: frozenset({"contributed", "screened", "abandoned", "stopped"}),
    Phase.READY: frozenset({"result", "stopped"}),  # once every contribution is in, the result is logged first
    Phase.SEATED: frozenset({"notified", "answers", "screened", "checked", "unsealed", "appointed", "closed", "abandoned", "stopped"}),
    Phase.OPEN: frozenset({"stepped_in", "round_contributed", "replaced", "screened", "attested", "appointed", "abandoned", "stopped"}),
    Phase.DRAWING: frozenset({"round_contributed", "abandoned", "stopped"}),
    Phase.REDRAW: frozenset({"replaced", "abandoned", "stopped"}),
    Phase.WIDENING: frozenset({"attested", "extended", "abandoned", "stopped"}),
    Phase.WIDENED: frozenset({"contributed", "abandoned", "stopped"}),
    Phase.STOPPED: frozenset({"resumed", "abandoned"}),
    Phase.CLOSED: frozenset({"erased", "opened"}),
    Phase.ABANDONED: frozenset({"erased", "opened"}),
}

STATE_CODES = {"pending": 0, "accepted": 1, "left": 2, "used": 3, "appointed": 4}


@dataclass(frozen=True, slots=True)
class Fault:
    """A rule that an event breaks: the check of draw.md 8, a stable code, where, and values for the text."""

    check: str
    code: str
    place: str = ""
    params: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Slot:
    """One place of the committee (or of the reserve) and everybody who was ever drawn into it, in order."""

    seat: int
    reserve: bool
    tags: tuple[bytes, ...] = ()
    state: str = "pending"
    notified: bool = False
    unsealed: bool = False

    @property
    def open(self) -> bool:
        return not self.reserve and self.state == "left"

    @property
    def tag(self) -> bytes:
        """Who sits there now: b"" where nobody does or a person was appointed."""
        return self.tags[-1] if self.tags and self.state in ("pending", "accepted") else b""


@dataclass(frozen=True, slots=True)
class Stage:
    """One drawing of lots: the panel, a replacement round, or the round after an extension."""

    kind: str  # panel | round | extension
    leaf: bytes  # leaf hash of the commit or extension it rests on
    seq: int  # the event that made the stage due
    expected: tuple[str, ...]
    given: tuple[tuple[str, bytes, bytes, int], ...] = ()  # (key name, pk, pi, seq)
    number: int = 0  # the round's
    states: bytes = b""
    outcome: Event | None = None
    before: tuple[Slot, ...] = ()  # the slots when the lots were drawn
    gone: frozenset[bytes] = frozenset()  # the tags that had left or were removed by then
    lots: int = 0  # the beacon's round; 0 with beacon `none`, and where none was named

    @property
    def complete(self) -> bool:
        return len(self.given) >= len(self.expected)

    def alpha(self) -> bytes:
        if self.kind == "round":
            return randomness.round_alpha(self.leaf, self.number, self.states)
        return randomness.contribution_alpha(self.leaf)


@dataclass(frozen=True, slots=True)
class Named:
    """The beacon's round for the next lots, with the event that named it and the states of the slots, which are fixed by then."""

    lots: int
    seq: int
    states: bytes


@dataclass(frozen=True, slots=True)
class Draw:
    """One attempt, as its events so far made it."""

    attempt: int = 0
    phase: Phase = Phase.NEW
    paused: Phase | None = None  # the phase that a stop interrupted
    opened: Event | None = None
    attested: tuple[Event, ...] = ()  # for the next commit or extension
    attestations: tuple[tuple[Event, ...], ...] = ()  # those that a commit or extension rested on
    commits: tuple[Event, ...] = ()  # the commit, then each extension
    stages: tuple[Stage, ...] = ()
    slots: tuple[Slot, ...] = ()
    gone: frozenset[bytes] = frozenset()  # tags of people who left or are known removed
    representatives: tuple[int, ...] = ()
    screened: tuple[Event, ...] = ()
    round: int = 1
    named: Named | None = None  # with a beacon, from the event that left a slot open until the lots fall
    seed: bytes = b""
    checked: bool = False  # the roll level was re-run after the last lots
    unsealed: bool = False
    stepped: tuple[tuple[Event, tuple[Slot, ...], frozenset[bytes]], ...] = ()  # each step-in with the slots before it
    answered: tuple[tuple[Event, tuple[Slot, ...]], ...] = ()  # each batch of answers with the slots before it
    choices: tuple[tuple[Event, tuple[Slot, ...], frozenset[bytes]], ...] = ()  # each direct choice likewise
    hits: tuple[tuple[Event, tuple[Slot, ...]], ...] = ()  # each screening after the result with the slots before it
    flags: tuple[Fault, ...] = ()  # what is printed but is no failure (late steps)
    last_at: int = 0

    @property
    def commit(self) -> Committed | None:
        return self.commits[0].body if self.commits and isinstance(self.commits[0].body, Committed) else None

    @property
    def beacon(self) -> Beacon | None:
        """The commit's beacon; None with `none`, and before a commit."""
        commit = self.commit
        return commit.beacon if commit is not None and isinstance(commit.beacon, Beacon) else None

    @property
    def terms(self) -> Terms | None:
        """The terms in force: the commit's, or those of the latest extension."""
        body = self.commits[-1].body if self.commits else None
        return body.terms if isinstance(body, Committed | Extended) else None

    @property
    def open_slots(self) -> tuple[int, ...]:
        return tuple(n for n, slot in enumerate(self.slots) if slot.open)

    @property
    def panel(self) -> tuple[int, ...]:
        return tuple(n for n, slot in enumerate(self.slots) if not slot.reserve)

    @property
    def dry_run(self) -> bool:
        return self.opened is not None and self.opened.head.dry_run


@dataclass(frozen=True, slots=True)
class Project:
    """All attempts of a project in the order of its events; the last one may still run."""

    attempts: tuple[Draw, ...] = ()
    events: int = 0
    head: bytes = NO_PREVIOUS
    tag: bytes = b""
    contributions: Mapping[str, int] = field(default_factory=dict)  # commits ever answered, per contributor

    @property
    def draw(self) -> Draw:
        return self.attempts[-1] if self.attempts else Draw()


def states_bytes(slots: Iterable[Slot]) -> bytes:
    """`u16 slot || u16 occupant number || u8 state` per slot in order: all that a round's randomness sees (draw.md 5.2)."""
    return b"".join(
        number.to_bytes(2, "big") + len(slot.tags).to_bytes(2, "big") + bytes([STATE_CODES[slot.state]])
        for number, slot in enumerate(slots)
    )


def seat_slots(plan: Plan) -> tuple[Slot, ...]:
    """The empty slots of a plan: the panel's seat by seat, then the reserves' seat by seat."""
    panel = [Slot(number, False) for number, seat in enumerate(plan.seats) for _ in range(seat.count)]
    reserves = [Slot(number, True) for number, seat in enumerate(plan.seats) for _ in range(seat.reserves)]
    return tuple(panel + reserves)


def apply(project: Project, event: Event) -> Project:
    """The project one event later. Raises Refused with the first rule that the event breaks; nothing is changed then."""
    after, faults = step(project, event)
    for fault in faults:
        raise Refused(fault.code, fault.place, check=fault.check, **dict(fault.params))
    return after


def replay(events: Iterable[Event]) -> Project:
    """The state of a project from its events. Raises Refused at the first event that breaks a rule."""
    project = Project()
    for event in events:
        project = apply(project, event)
    return project


def step(project: Project, event: Event) -> tuple[Project, tuple[Fault, ...]]:
    """The project one event later, and every rule that the event breaks. Never raises for an event that was parsed."""
    faults: list[Fault] = []
    place = f"event {event.head.seq} ({event.type})"

    def fault(check: str, code: str, **params: Any) -> None:
        faults.append(Fault(check, code, place, tuple(params.items())))

    head = event.head
    if head.seq != project.events or head.prev != project.head:
        fault("C2", "chain_broken", expected=project.events)
    if project.tag and head.project != project.tag:
        fault("C2", "other_project")
    draw = project.draw
    if isinstance(event.body, Opened) and draw.phase in ENDED | {Phase.NEW}:
        if head.attempt != draw.attempt + 1:
            fault("C2", "attempt_not_counted", expected=draw.attempt + 1)
        if draw.phase is Phase.ABANDONED and _cancelled(draw):
            fault("C1", "cancelled_notice")
        last_at = draw.last_at
        draw = Draw(attempt=head.attempt, last_at=last_at)
        attempts = (*project.attempts, draw)
    else:
        attempts = project.attempts or (draw,)
        if head.attempt != draw.attempt:
            fault("C2", "attempt_not_counted", expected=draw.attempt)
        if draw.opened is not None and head.dry_run != draw.dry_run:
            fault("C1", "dry_run_mixed")
    if head.at < draw.last_at:
        fault("C4", "time_goes_back", before=draw.last_at)
    if event.type not in NEXT[draw.phase]:
        fault("C1", "not_next", phase=draw.phase.value, type=event.type)
    else:
        draw = _advance(project, draw, event, fault)
    counted = dict(project.contributions)
    if isinstance(event.body, Contributed):
        name = event.body.key
        counted[name] = counted.get(name, 0) + 1
        if event.body.nth != counted[name]:
            fault("C5", "hidden_contribution", key=name, nth=event.body.nth, seen=counted[name])
    draw = replace(draw, last_at=max(draw.last_at, head.at))
    after = Project((*attempts[:-1], draw), project.events + 1, event.leaf_hash, project.tag or head.project, counted)
    return after, tuple(faults)


def _cancelled(draw: Draw) -> bool:
    return any(flag.code == "abandoned_cancelled" for flag in draw.flags)


class Tell(Protocol):
    """How a rule reports a fault: the check that fails by it, a stable code, values for the text."""

    def __call__(self, check: str, code: str, **params: Any) -> None: ...


def _advance(project: Project, draw: Draw, event: Event, fault: Tell) -> Draw:
    body: Body = event.body
    match body:
        case Opened():
            return replace(draw, phase=Phase.OPENED, opened=event)
        case Attested():
            return _attested(draw, event, body, fault)
        case Committed():
            return _committed(draw, event, body, fault)
        case Contributed():
            return _contributed(draw, event, body, fault)
        case RoundContributed():
            return _round_contributed(draw, event, body, fault)
        case Result() | Replaced():
            return _lots_fell(draw, event, body, fault)
        case Checked():
            return replace(draw, checked=True)
        case Notified():
            return _notified(draw, body, fault)
        case Answers():
            return _answers(draw, event, body, fault)
        case SteppedIn():
            return _stepped_in(draw, event, body, fault)
        case Screened():
            return _screened(draw, event, body, fault)
        case Extended():
            return _extended(draw, event, body, fault)
        case Appointed():
            return _appointed(draw, event, body, fault)
        case Unsealed():
            return _unsealed(draw, event, body, fault)
        case Closed():
            return _closed(draw, fault)
        case Abandoned():
            return _abandoned(draw, event, body, fault)
        case Stopped():
            return replace(draw, phase=Phase.STOPPED, paused=draw.phase)
        case Resumed():
            return replace(draw, phase=draw.paused or Phase.OPENED, paused=None)
        case Erased():
            return draw  # concerns the library; the verifier's supervisor level counts the erased leaves
        case _:
            assert_never(body)


# Fixing what the lot falls on ---------------------------------------------------------------------------------------------------------


def _attested(draw: Draw, event: Event, body: Attested, fault: Tell) -> Draw:
    if any(isinstance(each.body, Attested) and each.body.scope == body.scope for each in draw.attested):
        fault("V1", "attested_twice", scope=body.scope)
    phase = Phase.WIDENING if draw.commits else Phase.ATTESTED
    return replace(draw, phase=phase, attested=(*draw.attested, event))


def _attestation_faults(draw: Draw, body: Committed | Extended, fault: Tell) -> None:
    """V1: two different supervisors, one with the openings and one with the roll, attested exactly this draft and one histogram."""
    by_scope: dict[str, tuple[Event, Attested]] = {
        each.body.scope: (each, each.body) for each in draw.attested if isinstance(each.body, Attested)
    }
    for scope in ("openings", "roll"):
        if scope not in by_scope:
            fault("V1", "not_attested", scope=scope)
        elif by_scope[scope][1].draft != draft_digest(body):
            fault("V1", "other_draft_attested", scope=scope)
    if len(by_scope) == 2:
        (one, first), (two, second) = by_scope.values()
        if first.histogram != second.histogram:
            fault("V1", "histograms_differ")
        if {each.key for each in one.sigs} & {each.key for each in two.sigs}:
            fault("V1", "attested_by_one")


def _plan_faults(terms: Terms, fault: Tell) -> None:
    plan = terms.plan
    ids = [site.id for site in plan.sites]
    if len(set(ids)) != len(ids):
        fault("C1", "site_twice")
    for number, seat in enumerate(plan.seats):
        if seat.site and seat.site not in ids:
            fault("C1", "unknown_site", seat=number, site=seat.site)
    if len(seat_slots(plan)) > 400:
        fault("C1", "too_many_slots")
    if terms.total < 1:
        fault("C1", "no_lawful_panel")


def _committed(draw: Draw, event: Event, body: Committed, fault: Tell) -> Draw:
    _attestation_faults(draw, body, fault)
    _plan_faults(body.terms, fault)
    if len(set(body.contributors)) != len(body.contributors) or list(body.contributors) != sorted(body.contributors):
        fault("C1", "contributors_not_sorted")
    if len(body.contributors) < 2:
        fault("C1", "too_few_contributors")
    if not set(body.round_contributors) <= set(body.contributors) or list(body.round_contributors) != sorted(set(body.round_contributors)):
        fault("C1", "unknown_contributor", key="")
    if isinstance(body.beacon, NoBeacon):
        _escrow_faults(body.beacon, fault)
    elif body.round_contributors:
        fault("C1", "round_contributors_with_beacon")
    if not event.head.at <= body.deadlines.contributions <= body.deadlines.result:
        fault("C4", "deadlines_disordered")
    lots = body.beacon.round if isinstance(body.beacon, Beacon) else 0
    stage = Stage("panel", event.leaf_hash, event.head.seq, body.contributors, lots=lots)
    return replace(
        draw,
        phase=Phase.COMMITTED,
        attestations=(*draw.attestations, draw.attested),
        attested=(),
        commits=(event,),
        stages=(stage,),
        slots=seat_slots(body.terms.plan),
    )


def _escrow_faults(beacon: NoBeacon, fault: Tell) -> None:
    escrow = beacon.escrow
    if escrow.points[0] != beacon.draw_key:
        fault("R2", "escrow_of_another_key")
    if len(escrow.points) > len(escrow.holders) or list(escrow.holders) != sorted(set(escrow.holders)):
        fault("R2", "escrow_without_holders")


# Contributions and lots -----------------------------------------------------------------------------------------------------------------


def _contribute(draw: Draw, event: Event, body: Contributed | RoundContributed, fault: Tell) -> Draw:
    stage = draw.stages[-1]
    if body.key not in stage.expected:
        fault("C1", "unknown_contributor", key=body.key)
    if any(name == body.key or pk == body.pk for name, pk, _, _ in stage.given):
        fault("C1", "contributed_twice", key=body.key)
    try:
        verify_vrf(body.pk, stage.alpha(), body.pi)
    except Refused as wrong:
        fault("R3", "bad_contribution", key=body.key, why=wrong.code)
    stage = replace(stage, given=(*stage.given, (body.key, body.pk, body.pi, event.head.seq)))
    return replace(draw, stages=(*draw.stages[:-1], stage))


def _contributed(draw: Draw, event: Event, body: Contributed, fault: Tell) -> Draw:
    draw = _contribute(draw, event, body, fault)
    commit = draw.commit
    if commit is not None and draw.phase is Phase.COMMITTED and event.head.at > commit.deadlines.contributions:
        draw = _flag(draw, "C4", "late_contribution", event, key=body.key)
    if not draw.stages[-1].complete:
        return draw
    return replace(draw, phase=Phase.READY if draw.phase is Phase.COMMITTED else Phase.REDRAW)


def _round_contributed(draw: Draw, event: Event, body: RoundContributed, fault: Tell) -> Draw:
    if draw.beacon is not None:  # a round rests on the beacon alone, and its states were fixed when its round was named
        fault("C1", "round_contributors_with_beacon")
        return draw
    if draw.phase is Phase.OPEN:
        draw = _begin_round(draw, event.head.seq)
    if body.round != draw.round:
        fault("C1", "other_round", expected=draw.round)
    draw = _contribute(draw, event, body, fault)
    return replace(draw, phase=Phase.REDRAW if draw.stages[-1].complete else Phase.DRAWING)


def _begin_round(draw: Draw, seq: int) -> Draw:
    if draw.beacon is not None:
        named = draw.named or Named(0, seq, states_bytes(draw.slots))  # unnamed: reported under T1 where a name was due
        stage = Stage("round", draw.commits[-1].leaf_hash, named.seq, (), (), draw.round, named.states, lots=named.lots)
        return replace(draw, stages=(*draw.stages, stage), named=None)
    commit = draw.commit
    expected = commit.round_contributors if commit else ()
    stage = Stage("round", draw.commits[-1].leaf_hash, seq, expected, (), draw.round, states_bytes(draw.slots))
    return replace(draw, stages=(*draw.stages, stage))


def _lots_fell(draw: Draw, event: Event, body: Result | Replaced, fault: Tell) -> Draw:
    if draw.phase is Phase.OPEN:  # with a beacon always; else no round contributor is named: the draw key alone (the proof says so)
        draw = _begin_round(draw, event.head.seq)
        if not draw.stages[-1].complete:
            fault("C1", "contributions_missing")
    stage = replace(draw.stages[-1], outcome=event, before=draw.slots, gone=draw.gone)
    seed = _seed_faults(draw, stage, body, fault)
    draw = replace(draw, stages=(*draw.stages[:-1], stage), checked=False)
    commit = draw.commit
    if isinstance(body, Result):
        if commit is not None and event.head.at > commit.deadlines.result:
            draw = _flag(draw, "C4", "late_result", event)
        draw = replace(draw, slots=_fill_first(draw, body.placed, fault), seed=seed, round=1)
    else:
        if body.round != draw.round:
            fault("C1", "other_round", expected=draw.round)
        slots = _fill_open(draw, body.placed, fault)
        draw = replace(draw, slots=slots, round=draw.round + 1, seed=seed if stage.kind == "extension" else draw.seed)
    return replace(draw, phase=_phase_of(draw))


def _name_lots(draw: Draw, event: Event, lots: int | None, fault: Tell) -> Draw:
    """With a beacon the event that leaves a slot open names the round for the next lots, and fixes the states (draw.md 5.3)."""
    due = draw.beacon is not None and bool(draw.open_slots)
    if due and lots is None:
        fault("T1", "round_not_named")
    if lots is not None and not due:
        fault("C1", "round_named_without_need")
    return replace(draw, named=Named(lots, event.head.seq, states_bytes(draw.slots)) if due and lots is not None else None)


def _seed_faults(draw: Draw, stage: Stage, body: Result | Replaced, fault: Tell) -> bytes:
    """R2: the draw key's own proof. R4: the seed is the one that follows from it. Returns the seed that the event states.

    A beacon's signature is judged in `drawing.verify`: its key is in the key list, which the rules of a draw do not see.
    """
    commit = draw.commit
    if commit is None:
        return body.seed
    if isinstance(commit.beacon, Beacon):
        return _beacon_seed_faults(draw, commit.beacon, stage, body, fault)
    key = commit.beacon.draw_key
    try:
        pairs = randomness.betas((pk, pi) for _, pk, pi, _ in stage.given)
    except Refused:
        return body.seed  # the contribution itself was reported under R3; without its beta no seed can be computed
    if stage.kind == "round":
        alpha = randomness.round_last_alpha(stage.leaf, stage.number, stage.states, pairs)
    else:
        alpha = randomness.last_alpha(stage.leaf, pairs)
    try:
        verify_vrf(key, alpha, body.value)
        beta = proof_to_hash(body.value)
    except Refused as wrong:
        fault("R2", "bad_draw_key_value", why=wrong.code)
        return body.seed
    if stage.kind == "round":
        expected = randomness.round_seed(draw.seed, stage.number, stage.states, key, beta, pairs)
    else:
        expected = randomness.seed(stage.leaf, key, beta, pairs)
    if body.seed != expected:
        fault("R4", "other_seed")
    return body.seed


def _beacon_seed_faults(draw: Draw, beacon: Beacon, stage: Stage, body: Result | Replaced, fault: Tell) -> bytes:
    if len(body.value) != 48:
        fault("R2", "bad_beacon_value")
        return body.seed
    try:
        pairs = randomness.betas((pk, pi) for _, pk, pi, _ in stage.given)
    except Refused:
        return body.seed
    if stage.lots == 0:
        return body.seed  # no round was named: reported under T1
    if stage.kind == "round":
        expected = randomness.beacon_round_seed(draw.seed, stage.number, stage.states, beacon.network, stage.lots, body.value)
    else:
        expected = randomness.beacon_seed(stage.leaf, beacon.network, stage.lots, body.value, pairs)
    if body.seed != expected:
        fault("R4", "other_seed")
    return body.seed


def _fill_first(draw: Draw, placed: tuple[Placed, ...], fault: Tell) -> tuple[Slot, ...]:
    """D4: every panel slot is filled, a seat's slots in tag order, reserves after, nobody twice."""
    slots = list(draw.slots)
    numbers = [each.slot for each in placed]
    if numbers != sorted(set(numbers)) or any(number >= len(slots) for number in numbers):
        fault("D4", "slots_disordered")
    for each in placed:
        if each.slot < len(slots):
            slots[each.slot] = replace(slots[each.slot], tags=(each.tag,))
    tags = [each.tag for each in placed]
    if len(set(tags)) != len(tags):
        fault("D4", "tag_twice")
    if any(not slot.tags and not slot.reserve for slot in slots):
        fault("D4", "slot_not_filled")
    for one, two in zip(slots, slots[1:], strict=False):
        if (one.seat, one.reserve) == (two.seat, two.reserve) and two.tags and one.tags >= two.tags:
            fault("D4", "not_in_tag_order", seat=one.seat)
            break
    # A reserve that could not be drawn stays empty and is never used.
    return tuple(replace(slot, state="left") if slot.reserve and not slot.tags else slot for slot in slots)


def _fill_open(draw: Draw, placed: tuple[Placed, ...], fault: Tell) -> tuple[Slot, ...]:
    """D5: each slot that was left gets exactly one successor; D4: who was ever drawn does not come again."""
    if tuple(each.slot for each in placed) != draw.open_slots:
        fault("D5", "wrong_successors", open=len(draw.open_slots))
    slots = list(draw.slots)
    known = {tag for slot in slots for tag in slot.tags} | draw.gone
    for each in placed:
        if each.tag in known:
            fault("D4", "tag_twice")
        known.add(each.tag)
        if each.slot < len(slots):
            before = slots[each.slot]
            slots[each.slot] = replace(before, tags=(*before.tags, each.tag), state="pending", notified=False, unsealed=False)
    return tuple(slots)


def _phase_of(draw: Draw) -> Phase:
    return Phase.OPEN if draw.open_slots else Phase.SEATED


# Answers and replacements ---------------------------------------------------------------------------------------------------------------


def _notified(draw: Draw, body: Notified, fault: Tell) -> Draw:
    slots = list(draw.slots)
    numbers = [each.slot for each in body.notices]
    if numbers != sorted(set(numbers)) or body.round != draw.round:
        fault("C1", "notices_disordered")
    for number in numbers:
        if number >= len(slots) or not slots[number].tag or slots[number].notified:
            fault("C1", "nobody_to_notify", slot=number)
            continue
        slots[number] = replace(slots[number], notified=True)
    return replace(draw, slots=tuple(slots))


def _answers(draw: Draw, event: Event, body: Answers, fault: Tell) -> Draw:
    slots = list(draw.slots)
    numbers = [each.slot for each in body.answers]
    if numbers != sorted(set(numbers)) or body.round != draw.round:
        fault("C1", "answers_disordered")
    gone = set(draw.gone)
    draw = replace(draw, answered=(*draw.answered, (event, draw.slots)))
    for each in body.answers:
        slot = slots[each.slot] if each.slot < len(slots) else None
        # One who accepted may still leave: absence and conflicts found at check-in are answers too.
        if slot is None or not slot.tag or not slot.notified or (slot.state == "accepted" and each.state == "accepted"):
            fault("C1", "nobody_to_answer", slot=each.slot)
            continue
        if each.state == "left":
            gone.add(slot.tag)
        slots[each.slot] = replace(slot, state=each.state)
    draw = _name_lots(replace(draw, slots=tuple(slots), gone=frozenset(gone)), event, body.lots, fault)
    return replace(draw, phase=_phase_of(draw))


def _stepped_in(draw: Draw, event: Event, body: SteppedIn, fault: Tell) -> Draw:
    if body.round != draw.round:
        fault("C1", "other_round", expected=draw.round)
    draw = replace(draw, stepped=(*draw.stepped, (event, draw.slots, draw.gone)), checked=False)
    slots = list(draw.slots)
    numbers = [move.slot for move in body.moves]
    if numbers != sorted(set(numbers)):
        fault("D5", "moves_disordered")
    for move in body.moves:
        if move.slot >= len(slots) or move.reserve >= len(slots):
            fault("D5", "bad_move", slot=move.slot)
            continue
        target, source = slots[move.slot], slots[move.reserve]
        if not target.open or not source.reserve or not source.tag or source.seat != target.seat:
            fault("D5", "bad_move", slot=move.slot)
            continue
        slots[move.slot] = replace(
            target, tags=(*target.tags, source.tag), state=source.state, notified=source.notified, unsealed=source.unsealed
        )
        slots[move.reserve] = replace(source, state="used")
    draw = replace(draw, slots=tuple(slots))
    return replace(draw, phase=_phase_of(draw))


def _screened(draw: Draw, event: Event, body: Screened, fault: Tell) -> Draw:
    """Only removes. Before the result it comes before the first contribution: later the keeper could try lists until a friend comes."""
    if draw.phase is Phase.COMMITTED:
        if draw.stages[-1].given:
            fault("C1", "screened_after_contribution")
        if body.slots:
            fault("C1", "nobody_to_screen", slot=body.slots[0])
        if body.lots is not None:
            fault("C1", "round_named_without_need")
        return replace(draw, screened=(*draw.screened, event))
    too_early = draw.beacon is not None and draw.phase is Phase.OPEN
    if too_early:
        fault("C1", "screened_before_lots")  # a round is named already; another one could be waited for until a friend comes
    draw = replace(draw, hits=(*draw.hits, (event, draw.slots)))
    slots = list(draw.slots)
    gone = set(draw.gone)
    if list(body.slots) != sorted(set(body.slots)):
        fault("C1", "answers_disordered")
    for number in body.slots:
        if number >= len(slots) or not slots[number].tag:
            fault("C1", "nobody_to_screen", slot=number)
            continue
        gone.add(slots[number].tag)
        slots[number] = replace(slots[number], state="left")
    draw = replace(draw, slots=tuple(slots), gone=frozenset(gone), screened=(*draw.screened, event), checked=False)
    draw = draw if too_early else _name_lots(draw, event, body.lots, fault)
    return replace(draw, phase=_phase_of(draw))


def _extended(draw: Draw, event: Event, body: Extended, fault: Tell) -> Draw:
    """Wider terms for the open slots: the same seats and counts, wider professions, sites and regions; those seated stay."""
    _attestation_faults(draw, body, fault)
    _plan_faults(body.terms, fault)
    before = draw.terms
    if body.open != draw.open_slots:
        fault("D5", "wrong_successors", open=len(draw.open_slots))
    if before is not None and not _widens(before, body.terms):
        fault("C1", "not_wider")
    draw = _name_lots(draw, event, body.lots, fault)
    commit = draw.commit
    stage = Stage(
        kind="extension",
        leaf=event.leaf_hash,
        seq=event.head.seq,
        expected=commit.contributors if commit else (),
        number=draw.round,
        states=states_bytes(draw.slots),
        lots=draw.named.lots if draw.named else 0,
    )
    return replace(
        draw,
        named=None,
        phase=Phase.WIDENED,
        attestations=(*draw.attestations, draw.attested),
        attested=(),
        commits=(*draw.commits, event),
        stages=(*draw.stages, stage),
        choices=(*draw.choices, (event, draw.slots, draw.gone)),
    )


def _widens(before: Terms, after: Terms) -> bool:
    one, two = before.plan, after.plan
    return (
        before.snapshot == after.snapshot
        and before.rule_set == after.rule_set
        and before.declarations == after.declarations
        and before.groups_checked == after.groups_checked
        and after.method in (before.method, UNIFORM)
        and before.sampler_version <= after.sampler_version
        and (one.recent_days, one.representatives) == (two.recent_days, two.representatives)
        and one.recent_max <= two.recent_max
        and (not two.regions or (bool(one.regions) and set(one.regions) <= set(two.regions)))
        and [(s.count, s.reserves) for s in one.seats] == [(s.count, s.reserves) for s in two.seats]
        and all(_covers(a.professions, b.professions) for a, b in zip(one.seats, two.seats, strict=True))
        and all(b.site in ("", a.site) and b.main_only <= a.main_only for a, b in zip(one.seats, two.seats, strict=True))
        and [site.id for site in one.sites] == [site.id for site in two.sites]
        and all(_covers(a.areas, b.areas) and b.required <= a.required for a, b in zip(one.sites, two.sites, strict=True))
    )


def _covers(narrow: tuple[str, ...], wide: tuple[str, ...]) -> bool:
    """Whether each prefix of the narrow list starts with one of the wide list."""
    return all(any(each.startswith(prefix) for prefix in wide) for each in narrow)


def _appointed(draw: Draw, event: Event, body: Appointed, fault: Tell) -> Draw:
    terms = draw.terms
    if body.kind == "representative":
        if terms is None or body.place >= terms.plan.representatives or body.place in draw.representatives:
            fault("C1", "no_such_representative", place=body.place)
        if body.lots is not None:
            fault("C1", "round_named_without_need")
        return replace(draw, representatives=(*draw.representatives, body.place))
    if body.place not in draw.open_slots:
        fault("D5", "slot_not_open", slot=body.place)
        return draw
    draw = replace(draw, choices=(*draw.choices, (event, draw.slots, draw.gone)))
    slots = list(draw.slots)
    slots[body.place] = replace(slots[body.place], state="appointed")
    draw = _name_lots(replace(draw, slots=tuple(slots)), event, body.lots, fault)
    return replace(draw, phase=_phase_of(draw))


# The end --------------------------------------------------------------------------------------------------------------------------------


def _unsealed(draw: Draw, event: Event, body: Unsealed, fault: Tell) -> Draw:
    commit = draw.commit
    if not draw.checked:
        fault("V1", "not_checked")
    if commit is not None and event.head.at < commit.unsealing.not_before:
        fault("C4", "unsealed_too_early", not_before=commit.unsealing.not_before)
    slots = list(draw.slots)
    if list(body.slots) != sorted(set(body.slots)):
        fault("C1", "answers_disordered")
    for number in body.slots:
        if number >= len(slots) or not slots[number].tag or slots[number].unsealed:
            fault("C1", "nothing_to_unseal", slot=number)
            continue
        slots[number] = replace(slots[number], unsealed=True)
    return replace(draw, slots=tuple(slots), unsealed=True)


def _closed(draw: Draw, fault: Tell) -> Draw:
    unanswered = [n for n, slot in enumerate(draw.slots) if not slot.reserve and slot.state not in ("accepted", "appointed")]
    if unanswered:
        fault("D4", "slot_not_accepted", slot=unanswered[0])
    sealed = [n for n in draw.panel if draw.slots[n].tag and not draw.slots[n].unsealed]
    if sealed:
        fault("C1", "closed_before_unsealing", slot=sealed[0])
    return replace(draw, phase=Phase.CLOSED)


def _abandoned(draw: Draw, event: Event, body: Abandoned, fault: Tell) -> Draw:
    inner = draw.paused or draw.phase
    before_result = inner in (Phase.OPENED, Phase.ATTESTED, Phase.COMMITTED)
    if body.reason == "incomplete" and not before_result:
        fault("C1", "abandoned_after_contributions")
    if inner is Phase.READY:  # reached through a stop
        fault("C1", "result_comes_first")
    return _flag(replace(draw, phase=Phase.ABANDONED, paused=None), "C1", f"abandoned_{body.reason}", event)


def _flag(draw: Draw, check: str, code: str, event: Event, **params: Any) -> Draw:
    fault = Fault(check, code, f"event {event.head.seq} ({event.type})", tuple(params.items()))
    return replace(draw, flags=(*draw.flags, fault))
