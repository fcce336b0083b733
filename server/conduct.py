"""What follows in a draw, decided from the replayed draw: one body at a time, and who signs it. For files (`ceremony`) and for the keeper alike.

Everything private follows from one secret, the library and the request, so that a decision that is made again after a crash is the same decision.
What lies beside them (the fitted table, the beacon's round that was chosen) is written to a shelf before anything rests on it. Who attests,
contributes and answers, and where, is the matter of those who derive from here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

from drawing import randomness, vrf
from drawing.beacon import MARGIN, Network, chain_hash
from drawing.canonical import TH, dumps, loads
from drawing.certificate import table_bytes
from drawing.draw import Draw, Phase, Slot, states_bytes
from drawing.errors import Refused
from drawing.events import (
    FAIR,
    Answer,
    Answers,
    Beacon,
    Body,
    Checked,
    Closed,
    Committed,
    Contributed,
    Deadlines,
    Escrow,
    Extended,
    KeyListRef,
    NoBeacon,
    Notice,
    Notified,
    Opened,
    Plan,
    Replaced,
    Result,
    RoundContributed,
    Screened,
    SteppedIn,
    Terms,
    Unsealed,
    Unsealing,
)
from drawing.fair import Need, count
from drawing.keys import KeyList
from drawing.lots import completions, first, first_need, rest_need, step_in, successors
from drawing.openings import Private
from drawing.report import Tally
from drawing.roll import Roll, roll_file
from drawing.sealed import seal
from drawing.signers import roll_attester
from drawing.verify_roll import check_roll
from server.contribute import RoundAsked
from server.fit import fit
from server.folder import Keys
from server.keyfiles import KeyFile
from server.material import Material, Secret, answer_content, make_material, read_plan, rebuild
from server.request import Request
from server.waiting import Waiting

_DAY = 86_400
NEVER = 1 << 53  # later than any event's number
CLOSING = 60  # seconds between the last contribution and the margin before the beacon's round: for the witnesses
LOTS_SECONDS = 120  # from the event that leaves a slot open to its round: the margin, and as long for the witnesses
SIGNED_LOTS_SECONDS = 900  # the same where a supervisor has yet to sign the event

Say = Callable[..., None]  # say(code, **params): progress for people
Fetch = Callable[[Network, int], bytes]  # (network, round) -> its value; raises Waiting
Witness = Callable[[int], None]  # makes sure that a quorum cosigned the log's head at or after a time; raises Waiting


def no_relays(network: Network, number: int) -> bytes:
    """A draw that was given nobody to ask."""
    raise Refused("no_relays", network.name, round=number)


def no_witnesses(since: int) -> None:
    """A draw whose log nobody watches."""


class Shelf(Protocol):
    """Where small files of one draw lie, private and whole or not at all."""

    def read(self, name: str) -> bytes | None:
        """None where there is none. Raises Refused."""

    def write(self, name: str, data: bytes) -> None:
        """Durable when it returns. Raises Refused."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What the person in a slot said: accepted or left, the private reason, and what shows it (draw.md 3.3 `evidence`)."""

    state: str
    reason: str
    evidence: str = "two_persons"


@dataclass
class Conduct(ABC):
    """One attempt. `next_event` decides from the replayed draw."""

    request: Request
    secret: Secret
    records: Collection[bytes]
    keys: Keys
    key_list: KeyList
    tag: bytes
    origin: str
    started: bytes  # digest of the request, which ties the attempt in the log to what is private of it
    shelf: Shelf
    now: Callable[[], int]
    say: Say
    beacon: Fetch = no_relays
    witness: Witness = no_witnesses
    _wider: dict[int, Material] = field(default_factory=dict)  # extensions by number

    # Of those who derive from here --------------------------------------------------------------------------------------------------------

    @abstractmethod
    def attest(self, draw: Draw, body: Committed | Extended) -> tuple[Body, Sequence[KeyFile]]:
        """The next attestation. Raises Waiting where a supervisor's own client makes it."""

    @abstractmethod
    def contribution(self, draw: Draw, name: str, asked: RoundAsked | None) -> Contributed | RoundContributed:
        """The next contribution, from this contributor. Raises Waiting."""

    @abstractmethod
    def reply(self, slot: int, occupant: int) -> Reply:
        """What the occupant of a slot said. Raises Waiting while the reply window is open."""

    def leave(self, slot: int, occupant: int) -> Reply | None:
        """What somebody who accepted said later, where they cannot come after all."""
        return None

    def screening(self, draw: Draw) -> Screened | None:
        """The next sealed bidder list compared with everybody, where one has come. Raises Refused where it leaves no lawful panel."""
        return None

    def removed(self, draw: Draw, before: int = NEVER) -> frozenset[bytes]:
        """Tags of the rows that bidder lists removed before the event of this number."""
        return frozenset()

    def recheck(self, draw: Draw) -> None:
        """The roll's supervisor draws everything again before anybody is named. Raises Refused where it does not come out the same, or Waiting."""
        tally = Tally()
        check_roll(self.roll_file(draw), draw, tally)
        for faults in tally.faults.values():
            raise Refused(faults[0].code, faults[0].place, check=faults[0].check)

    # ------------------------------------------------------------------------------------------------------------------------------------------

    @cached_property
    def notice(self) -> bytes:
        """Ties the attempt in the log to this draw: a salted digest of the request."""
        return TH("draw/v1/private", self.secret.of("notice-salt"), self.started)

    @cached_property
    def draw_key(self) -> bytes:
        return self.secret.of("draw-key")

    def mine(self, draw: Draw) -> bool:
        """Whether this attempt is the one that runs."""
        return draw.opened is not None and isinstance(draw.opened.body, Opened) and draw.opened.body.notice == self.notice

    # What comes next ------------------------------------------------------------------------------------------------------------------

    def next_event(self, draw: Draw, events: int) -> tuple[Body, Sequence[KeyFile]]:
        """The one event that follows as the `events`-th of its project, and who signs it. Raises Waiting, Refused."""
        one = self.keys.one
        supervisors = self.keys.of("supervisor")
        screened = self.screening(draw) if self.mine(draw) and _may_screen(draw) else None
        if screened is not None:
            return screened, [one("operator"), supervisors[0]]
        match draw.phase if self.mine(draw) else Phase.NEW:
            case Phase.NEW:
                if self.key_list.below_bound:  # before anything is begun
                    raise Refused("new_list_below_bound", "keys.json")
                return Opened(self.origin, self.notice, self.request.section), [one("staff")]
            case Phase.OPENED | Phase.ATTESTED if len(draw.attested) < 2:
                return self.attest(draw, self.commit_body(draw))
            case Phase.ATTESTED:
                body = self.commit_body(draw)
                if isinstance(body.beacon, Beacon) and self.now() > body.deadlines.contributions:
                    raise Refused("too_late_for_round", "draw", round=body.beacon.round)
                return body, [one("staff"), supervisors[0]]
            case Phase.COMMITTED | Phase.WIDENED:
                return self._contribute(draw)
            case Phase.READY:
                return self._result(draw), [one("operator")]
            case Phase.SEATED:
                return self._seated(draw, events)
            case Phase.OPEN | Phase.WIDENING:
                return self._open(draw)
            case Phase.DRAWING:
                return self._round_contribute(draw)
            case Phase.REDRAW:
                return self._replaced(draw), [one("operator")]
            case Phase.STOPPED:
                raise Waiting("stopped")
            case phase:
                raise Refused("nothing_follows", phase.value)

    # Fixing -----------------------------------------------------------------------------------------------------------------------------

    @property
    def snapshot_id(self) -> str:
        return "snapshot-" + self.secret.of("snapshot-id").hex()[:16]

    @cached_property
    def material(self) -> Material:
        """The pool under the request's own plan."""
        self.say("screening", people=len(self.records))
        plan = read_plan(self.request.plan())
        made = make_material(self.request, self.records, self.secret, self.snapshot_id, plan, self.request.evaluation_at)
        return self._tabled(made, first_need(made.roll, plan), 0)

    def roll_of(self, draw: Draw) -> tuple[Roll, Plan]:
        """The roll and the plan under the terms in force: all that lots fall on."""
        made = self.material_of(draw, len(draw.commits) - 1)
        return made.roll, made.plan

    def material_of(self, draw: Draw, number: int) -> Material:
        """The pool of the commit (0) or of an extension (1, 2, …)."""
        if number <= 0:
            return self.material
        if number not in self._wider:
            body = draw.commits[number].body
            assert isinstance(body, Extended)
            event, slots, gone = next(each for each in draw.choices if each[0] is draw.commits[number])
            self._wider[number] = self._widened(body.terms.plan, slots, gone | self.removed(draw, event.head.seq), number)
        return self._wider[number]

    def _widened(self, plan: Plan, slots: Sequence[Slot], gone: Iterable[bytes], number: int) -> Material:
        made = self._screened_again(plan, weighted=self.request.method == FAIR)
        need = rest_need(made.roll, plan, slots, gone)
        return self._tabled(made, need, number) if count(made.roll.field, need) else made

    def _screened_again(self, plan: Plan, *, weighted: bool) -> Material:
        entries, at = self.material.entries, self.request.evaluation_at
        return rebuild(self.request, entries, self.secret, self.snapshot_id, plan, at, weighted=weighted)

    def _tabled(self, made: Material, need: Need, number: int) -> Material:
        """With the table of `fair/1`, which is fitted once and kept: floats of another run could differ in the last place.

        A commit without a fair table is refused. An extension goes on under `uniform/1`, for the draw has begun; an empty file remembers it.
        """
        if self.request.method != FAIR:
            return made
        name = f"table-{number}.json"
        kept = self.shelf.read(name)
        if kept is None:
            self.say("fitting", people=made.roll.size)
            try:
                kept = table_bytes(fit(made.roll.field, need))
            except Refused as wrong:
                if wrong.code != "fit_not_reached" or not number:
                    raise
                self.say("uniform_instead")
                kept = b""
            self.shelf.write(name, kept)
        return made.with_table(kept) if kept else self._screened_again(made.plan, weighted=False)

    def commit_body(self, draw: Draw) -> Committed:
        """Everything fixed. Times count from the opening, so the body is the same on every run."""
        if self._commit is None:
            assert draw.opened is not None
            terms = self.first_terms()
            if terms.small_pool:
                self.say("small_pool")
            if not terms.groups_checked:
                self.say("groups_not_checked")
            opened_at = draw.opened.head.at
            network = self.network
            request = self.request
            names = tuple(sorted(key.name for key in self.keys.of("contributor")))
            holders = tuple(sorted(key.name for key in self.keys.of("supervisor")))
            beacon: NoBeacon | Beacon
            if network is None:
                points, _ = vrf.split(self.draw_key, self._escrow_threshold, len(holders), self._escrow_randomness)
                beacon = NoBeacon(points[0], Escrow(holders, tuple(points)), "none")
                deadlines = Deadlines(opened_at + 7 * _DAY, opened_at + 14 * _DAY)
            else:
                lots = self._future_round(draw, network)
                due = network.time_of(lots)
                beacon = Beacon(network.kind, chain_hash(network), lots)
                deadlines = Deadlines(due - MARGIN - CLOSING, due + 14 * _DAY)
            self._commit = Committed(
                beacon=beacon,
                contributors=names,
                deadlines=deadlines,
                evaluation_at=request.evaluation_at,
                keys=KeyListRef(self.key_list.digest, self.key_list.version),
                regime=request.regime,
                reply_window=request.reply_window,
                round_contributors=names if network is None else (),
                terms=terms,
                unsealing=Unsealing(request.unseal_not_before, request.unseal_threshold),
            )
        return self._commit

    _commit: Committed | None = None

    def first_terms(self) -> Terms:
        """What the commit commits to."""
        return self.material.first_terms()

    @cached_property
    def network(self) -> Network | None:
        """The beacon network that a new commit names; None with beacon `none`. Raises Refused where the one asked for is not pinned."""
        wanted = self.request.beacon
        pinned = [each for each in self.key_list.networks if each.kind == (wanted or "local")]
        if wanted == "none" or (not wanted and not pinned):
            return None
        if not pinned:
            raise Refused("no_network_pinned", "keys.json", kind=wanted)
        return max(pinned, key=lambda each: each.genesis_time)

    def _future_round(self, draw: Draw, network: Network) -> int:
        """The round for the next commit or extension, so many minutes ahead. It is part of what supervisors attest, so it is written down
        first; as long as nobody attested, a later run may choose a later one.
        """
        name = f"lots-{draw.attempt}-{len(draw.commits)}.json"
        closing = MARGIN + CLOSING
        kept = self.shelf.read(name)
        if kept is not None:
            lots = int(loads(kept, place=name)["round"])
            if draw.attested or network.time_of(lots) > self.now() + closing:
                return lots
        lots = network.first_from(self.now() + self.request.beacon_seconds)
        self.shelf.write(name, dumps({"round": lots}))
        return lots

    def _named_network(self, beacon: Beacon) -> Network:
        """The network that the commit names. Raises Refused where the key list lost it."""
        network = self.key_list.by_chain.get(beacon.network)
        if network is None:
            raise Refused("unknown_network", "keys.json")
        return network

    def _lots(self, draw: Draw, seconds: int = LOTS_SECONDS) -> int | None:
        """The round that an event names which leaves a slot open; None with beacon `none`."""
        if draw.beacon is None:
            return None
        return self._named_network(draw.beacon).first_from(max(self.now(), draw.last_at) + seconds)

    @property
    def _escrow_threshold(self) -> int:
        return min(2, len(self.keys.of("supervisor")))

    @property
    def _escrow_randomness(self) -> list[bytes]:
        return [self.secret.of("escrow", bytes([n])) + self.secret.of("escrow-2", bytes([n])) for n in range(1, self._escrow_threshold)]

    def write_escrow(self) -> None:
        """Each supervisor's share of the draw key, sealed to the supervisor and tested against the committed points before anybody signs."""
        holders = sorted(self.keys.of("supervisor"), key=lambda key: key.name)
        points, shares = vrf.split(self.draw_key, self._escrow_threshold, len(holders), self._escrow_randomness)
        for number, (holder, share) in enumerate(zip(holders, shares, strict=True), 1):
            vrf.check_share(points, number, share)
            content = dumps({"number": number, "points": [point.hex() for point in points], "share": share.hex(), "v": "lotroom-share/1"})
            key = self.secret.of("share-key", holder.public)
            short = holder.name.rpartition("/")[2]
            self.shelf.write(f"escrow-{short}.sealed", b"".join(seal([content], {holder.name: holder.box_public}, key)))

    def roll_supervisor(self, draw: Draw) -> KeyFile:
        """Who holds the roll until `closed`: whoever attested with it, else one of another body than the one with the openings, where there is one."""
        first, *others = self.keys.of("supervisor")
        attested = roll_attester(draw)
        known = [key for key in others if key.name in attested] or [key for key in others if key.body != first.body]
        return (known or others)[0]

    # Contributions ------------------------------------------------------------------------------------------------------------------------

    def _missing(self, draw: Draw) -> str:
        stage = draw.stages[-1]
        given = {name for name, _, _, _ in stage.given}
        return next(name for name in stage.expected if name not in given)

    def _contribute(self, draw: Draw) -> tuple[Body, Sequence[KeyFile]]:
        """The next contributor's contribution: made here where the key is here, else read from `contributions/`.

        Raises Refused where it would come too late for the beacon's round: no other round may be named.
        """
        stage = draw.stages[-1]
        if draw.beacon is not None and self.now() > self._named_network(draw.beacon).time_of(stage.lots) - MARGIN:
            raise Refused("too_late_for_round", "draw", round=stage.lots)
        return self.contribution(draw, self._missing(draw), None), [self.keys.one("operator")]

    def _round_contribute(self, draw: Draw) -> tuple[Body, Sequence[KeyFile]]:
        """A round contributor's part, over the states of the slots and nothing else."""
        running = draw.stages[-1] if draw.phase is Phase.DRAWING else None
        names = draw.commit.round_contributors if draw.commit else ()
        asked = RoundAsked(draw.round, running.states if running else states_bytes(draw.slots))
        return self.contribution(draw, self._missing(draw) if running else names[0], asked), [self.keys.one("operator")]

    # Lots ---------------------------------------------------------------------------------------------------------------------------------

    def _result(self, draw: Draw) -> Result:
        value, seed = self._value_and_seed(draw)
        roll, plan = self.roll_of(draw)
        lots = first(roll, plan, self.removed(draw), seed, self._sampler_version(draw))
        return Result(lots.placed, seed, lots.trace, value)

    def _sampler_version(self, draw: Draw) -> int:
        """Of the terms in force: a draw that an older release committed goes on as it was committed."""
        assert draw.terms is not None
        return draw.terms.sampler_version

    def _value_and_seed(self, draw: Draw) -> tuple[bytes, bytes]:
        """The beacon's value or the draw key's, and the seed that follows. Raises Waiting where the beacon's round is not there yet."""
        stage = draw.stages[-1]
        if draw.beacon is not None:
            return self._beacon_value_and_seed(draw, draw.beacon)
        pairs = randomness.betas((pk, pi) for _, pk, pi, _ in stage.given)
        if stage.kind == "round":
            value = vrf.prove(self.draw_key, randomness.round_last_alpha(stage.leaf, stage.number, stage.states, pairs))
            beta = vrf.proof_to_hash(value)
            return value, randomness.round_seed(draw.seed, stage.number, stage.states, self._draw_public, beta, pairs)
        value = vrf.prove(self.draw_key, randomness.last_alpha(stage.leaf, pairs))
        return value, randomness.seed(stage.leaf, self._draw_public, vrf.proof_to_hash(value), pairs)

    def _beacon_value_and_seed(self, draw: Draw, beacon: Beacon) -> tuple[bytes, bytes]:
        network = self._named_network(beacon)
        if draw.named is not None:
            value = self.beacon(network, draw.named.lots)
            return value, randomness.beacon_round_seed(draw.seed, draw.round, draw.named.states, beacon.network, draw.named.lots, value)
        stage = draw.stages[-1]
        value = self.beacon(network, stage.lots)
        pairs = randomness.betas((pk, pi) for _, pk, pi, _ in stage.given)
        return value, randomness.beacon_seed(stage.leaf, beacon.network, stage.lots, value, pairs)

    @property
    def _draw_public(self) -> bytes:
        return vrf.public_key(self.draw_key)

    def _gone(self, draw: Draw) -> frozenset[bytes]:
        """Everybody who cannot come in any more."""
        return draw.gone | self.removed(draw)

    def _replaced(self, draw: Draw) -> Replaced:
        value, seed = self._value_and_seed(draw)
        roll, plan = self.roll_of(draw)
        lots = successors(roll, plan, draw.slots, self._gone(draw), seed, self._sampler_version(draw))
        return Replaced(lots.placed, draw.round, seed, lots.trace, value)

    def _open(self, draw: Draw) -> tuple[Body, Sequence[KeyFile]]:
        """Somebody left: a reserve steps in, else lots fall again, else wider terms, as the request's ladder allows."""
        if not draw.attested:
            roll, plan = self.roll_of(draw)
            moves = step_in(roll, plan, draw.slots, self._gone(draw))
            if moves:
                return SteppedIn(moves, draw.round), [self.keys.one("operator")]
            if completions(roll, plan, draw.slots, self._gone(draw)):
                if draw.beacon is not None:
                    return self._replaced(draw), [self.keys.one("operator")]
                return self._round_contribute(draw)
        body = self.extension(draw)
        if len(draw.attested) < 2:
            return self.attest(draw, body)
        return body, [self.keys.one("staff"), self.keys.of("supervisor")[0]]

    def _wider_material(self, draw: Draw) -> Material:
        """The pool under the first step of the ladder that leads on. Raises Refused at a dead end."""
        number = len(draw.commits)
        current = draw.terms.plan if draw.terms else self.material.plan
        for step in range(self.request.ladder_steps):
            plan = read_plan(self.request.widened_plan(step))
            if plan == current:
                continue
            if number not in self._wider:
                wider = self._widened(plan, draw.slots, self._gone(draw), number)
                if not completions(wider.roll, plan, draw.slots, self._gone(draw)):
                    continue
                self._wider[number] = wider
            if self._wider[number].plan == plan:
                self._step = step
                return self._wider[number]
        raise Refused("dead_end", "draw", open=len(draw.open_slots))

    _step: int = 0

    def extension(self, draw: Draw) -> Extended:
        """The wider terms for the open slots. Raises Refused at a dead end."""
        wider = self._wider_material(draw)
        self.say("widened", step=self._step)
        reason = TH("draw/v1/private", self.secret.of("ladder-salt", bytes([self._step])), self.request.ladder_reason(self._step).encode())
        lots = self._future_round(draw, self._named_network(draw.beacon)) if draw.beacon is not None else None
        return Extended(draw.open_slots, reason, wider.later_terms(draw.slots, self._gone(draw)), lots)

    # Answers and end ------------------------------------------------------------------------------------------------------------------------

    def _salt(self, seq: int, slot: int) -> bytes:
        return self.secret.of("answer-salt", seq.to_bytes(4, "big"), slot.to_bytes(2, "big"))

    def _seated(self, draw: Draw, events: int) -> tuple[Body, Sequence[KeyFile]]:
        """Notify whoever was not told, collect answers, check the selection again, unseal, close."""
        one = self.keys.one
        supervisors = self.keys.of("supervisor")
        sitting = [(n, slot) for n, slot in enumerate(draw.slots) if slot.tag]
        fresh = [(n, slot) for n, slot in sitting if not slot.notified]
        if fresh:
            notices = tuple(Notice(TH("draw/v1/private", self._salt(events, n), slot.tag), n) for n, slot in fresh)
            return Notified(notices, draw.round), [one("operator")]
        waiting = [(n, slot, self.reply(n, len(slot.tags))) for n, slot in sitting if slot.state == "pending"]
        if not waiting:  # whoever leaves after all is in a batch of their own
            waiting = [(n, slot, left) for n, slot in sitting if slot.state == "accepted" and (left := self.leave(n, len(slot.tags)))]
        if waiting:
            seq = events
            answers = []
            for n, slot, said in waiting:
                content = answer_content(n, len(slot.tags), said.state, said.reason)
                answers.append(Answer(said.evidence, TH("draw/v1/private", self._salt(seq, n), content), n, said.state))
            opened = any(each.state == "left" and not draw.slots[each.slot].reserve for each in answers)
            by_hand = any(each.evidence == "two_persons" for each in answers)
            signers = [one("operator"), one("staff"), supervisors[0]] if by_hand else [one("operator")]
            return Answers(tuple(answers), draw.round, self._lots(draw) if opened else None), signers
        if not draw.checked:
            self.recheck(draw)
            return Checked(), [self.roll_supervisor(draw)]
        sealed = tuple(n for n, slot in enumerate(draw.slots) if slot.tag and not slot.unsealed and not slot.reserve)
        commit = draw.commit
        if sealed and commit is not None:
            if self.now() < commit.unsealing.not_before:
                raise Waiting("sealed", until=commit.unsealing.not_before)
            self.witness(commit.unsealing.not_before)  # check T5: others saw the time pass before the names were opened
            return Unsealed(sealed), supervisors[: max(commit.unsealing.threshold, 1)]
        return Closed(), [one("staff"), supervisors[0]]

    def roll_file(self, draw: Draw) -> bytes:
        """The roll file of the attempt."""
        return roll_file(self.material_of(draw, number).roll for number in range(len(draw.commits)))

    def private_answers(self, draw: Draw) -> Iterator[Private]:
        """The private text behind every answer of this attempt, found again through the replies that are kept."""
        for event, slots in draw.answered:
            body = event.body
            assert isinstance(body, Answers)
            for answer in body.answers:
                occupant = len(slots[answer.slot].tags)
                left = self.leave(answer.slot, occupant) if answer.state == "left" else None
                said = left or self.reply(answer.slot, occupant)
                content = answer_content(answer.slot, occupant, answer.state, said.reason)
                yield Private(event.head.seq, answer.slot, self._salt(event.head.seq, answer.slot), content)


def _may_screen(draw: Draw) -> bool:
    """Where a bidder list may be compared: not between the first contribution and the result, not while a beacon's round is waited for (draw.md 4.3)."""
    match draw.phase:
        case Phase.COMMITTED:
            return not draw.stages[-1].given
        case Phase.OPEN:
            return draw.beacon is None and not draw.attested
        case phase:
            return phase is Phase.SEATED
