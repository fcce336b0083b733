"""`draw run`: the whole ceremony of one attempt over files, one event at a time.

The log decides where we stand: each turn replays the project, decides the one next event, and appends it together with the map's new
root. Everything private follows from one secret in the folder, so after a crash the same command goes on with the same draw. An event
is written beside the log before it goes in (`pending`): if we crash between the two, the very same bytes go in on the next run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from drawing import randomness, vrf
from drawing.beacon import MARGIN, Network, chain_hash
from drawing.canonical import TH, dumps, loads
from drawing.certificate import MAX_TABLE, table_bytes
from drawing.draw import ENDED, Draw, Fault, Phase, Project, Slot, apply, states_bytes
from drawing.errors import Refused
from drawing.events import (
    FAIR,
    Abandoned,
    Answer,
    Answers,
    Attested,
    Beacon,
    Body,
    Checked,
    Closed,
    Committed,
    Contributed,
    Deadlines,
    Escrow,
    Event,
    Extended,
    Head,
    KeyListRef,
    NoBeacon,
    Notice,
    Notified,
    Opened,
    Plan,
    Replaced,
    Result,
    RoundContributed,
    Signature,
    SteppedIn,
    Unsealed,
    Unsealing,
    draft_digest,
)
from drawing.fair import Need, count
from drawing.keys import KeyChain, KeyList
from drawing.lots import completions, first, first_need, rest_need, step_in, successors
from drawing.note import LogProof
from drawing.openings import Private
from drawing.report import Tally
from drawing.roll import roll_file
from drawing.sealed import seal
from drawing.signers import roll_attester
from drawing.verify import signature_faults
from drawing.verify_roll import check_roll
from server.book import Book
from server.contribute import Order, RoundAsked, contribute, read_contribution
from server.files import read_bounded, write_whole
from server.fit import fit
from server.folder import Keys, State
from server.keyfiles import KeyFile
from server.material import Material, Secret, answer_content, attest_openings, attest_roll, make_material, read_plan, rebuild
from server.request import Request
from server.waiting import Waiting

_DAY = 86_400
CLOSING = 60  # seconds between the last contribution and the margin before the beacon's round: for the witnesses
LOTS_SECONDS = 120  # from the event that leaves a slot open to its round: the margin, and as long for the witnesses

Say = Callable[..., None]  # say(code, **params): progress for people
Ask = Callable[[int, int], tuple[str, str]]  # (slot, occupant) -> (accepted | left, reason)


Fetch = Callable[[Network, int], bytes]  # (network, round) -> its value; raises Waiting


def no_relays(network: Network, number: int) -> bytes:
    """A ceremony that was given nobody to ask."""
    raise Refused("no_relays", network.name, round=number)


Witness = Callable[[int], None]  # makes sure that a quorum cosigned the log's head at or after a time; raises Waiting


def no_witnesses(since: int) -> None:
    """A ceremony whose log nobody watches."""


@dataclass
class Ceremony:
    """One attempt in one folder. `next_event` decides from the replayed draw; `run` goes on until nothing is left to do."""

    folder: Path
    state: State
    request: Request
    records: Sequence[bytes]
    keys: Keys
    chain: KeyChain
    book: Book
    now: Callable[[], int]
    ask: Ask
    say: Say
    beacon: Fetch = no_relays
    witness: Witness = no_witnesses
    _wider: dict[int, Material] = field(default_factory=dict)  # extensions by number

    @property
    def key_list(self) -> KeyList:
        return self.chain.newest

    @cached_property
    def secret(self) -> Secret:
        return Secret(self.state.secret)

    @cached_property
    def notice(self) -> bytes:
        """Ties the attempt in the log to this folder: a salted digest of the request."""
        return TH("draw/v1/private", self.secret.of("notice-salt"), self.state.request)

    @cached_property
    def draw_key(self) -> bytes:
        return self.secret.of("draw-key")

    @property
    def pending(self) -> Path:
        return self.folder / "pending"

    def run(self) -> Draw:
        """Go on until closed. Raises Waiting where something must come from elsewhere, Refused where the draw cannot go on."""
        self.book.settle(self.pending)
        while True:
            if self.book.events:
                self.witness(0)  # every event rests on a state of the log that others have seen
            project = self.book.project()
            draw = project.draw
            ended = next((each for each in project.attempts if self._mine(each) and each.phase in ENDED), None)
            if ended is not None:
                return ended
            if not self._mine(draw) and draw.phase not in ENDED | {Phase.NEW}:
                raise Refused("other_attempt_runs", "log", attempt=draw.attempt)
            body, signers = self.next_event(draw)
            self._log(project, body, signers)

    def _mine(self, draw: Draw) -> bool:
        return draw.opened is not None and isinstance(draw.opened.body, Opened) and draw.opened.body.notice == self.notice

    def _log(self, project: Project, body: Body, signers: Sequence[KeyFile]) -> None:
        draw = project.draw
        attempt = draw.attempt + 1 if isinstance(body, Opened) else draw.attempt
        at = max(self.now(), draw.last_at)
        head = Head(at, attempt, self.state.dry_run, project.head, self.book.tag, project.events)
        unsigned = Event(head, body, ())
        sigs = tuple(Signature(key.name, key.sign(unsigned.payload)) for key in sorted(signers, key=lambda key: key.name))
        event = Event(head, body, sigs)
        apply(project, event)
        faults: list[Fault] = []

        def tell(check: str, code: str, **params: object) -> None:
            faults.append(Fault(check, code, event.type, tuple(params.items())))

        signature_faults(draw, event, self.key_list, tell)
        if faults:
            raise Refused(faults[0].code, event.type, **dict(faults[0].params))
        self.book.append(event, self.pending)
        self.say("event", seq=head.seq, type=event.type, index=self.book.events[-1][0])

    # What comes next ------------------------------------------------------------------------------------------------------------------

    def next_event(self, draw: Draw) -> tuple[Body, Sequence[KeyFile]]:
        """The one event that follows, and who signs it."""
        one = self.keys.one
        supervisors = self.keys.of("supervisor")
        match draw.phase if self._mine(draw) else Phase.NEW:
            case Phase.NEW:
                if self.key_list.below_bound:  # before anything is begun
                    raise Refused("new_list_below_bound", "keys.json")
                return Opened(self.book.log.origin, self.notice, self.request.section), [one("staff")]
            case Phase.OPENED | Phase.ATTESTED if len(draw.attested) < 2:
                return self._attest(draw, self.commit_body(draw))
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
                return self._seated(draw)
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

    def abandon(self, reason: str, paper: str) -> Draw:
        """End this folder's attempt before its end. Raises Refused where the rules forbid it, or nothing runs."""
        self.book.settle(self.pending)
        project = self.book.project()
        if not self._mine(project.draw):
            raise Refused("nothing_to_abandon", "draw")
        digest = TH("draw/v1/private", self.secret.of("abandon-salt"), paper.encode())
        signers = [self.keys.one("staff"), self.keys.of("supervisor")[0]]
        if reason == "order":
            signers += self.keys.of("authority")
        self._log(project, Abandoned(digest, reason), signers)
        self.witness(0)
        return self.book.project().draw

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

    def material_of(self, draw: Draw) -> Material:
        """The pool under the terms in force."""
        return self._material(draw, len(draw.commits) - 1)

    def _material(self, draw: Draw, number: int) -> Material:
        """The pool of the commit (0) or of an extension (1, 2, …)."""
        if number <= 0:
            return self.material
        if number not in self._wider:
            body = draw.commits[number].body
            assert isinstance(body, Extended)
            _, slots, gone = next(each for each in draw.choices if each[0] is draw.commits[number])
            self._wider[number] = self._widened(body.terms.plan, slots, gone, number)
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
        path = self.folder / f"table-{number}.json"
        if not path.exists():
            self.say("fitting", people=made.roll.size)
            try:
                table = table_bytes(fit(made.roll.field, need))
            except Refused as wrong:
                if wrong.code != "fit_not_reached" or not number:
                    raise
                self.say("uniform_instead")
                table = b""
            write_whole(path, table, mode=0o600)
        kept = read_bounded(path, MAX_TABLE)
        return made.with_table(kept) if kept else self._screened_again(made.plan, weighted=False)

    def commit_body(self, draw: Draw) -> Committed:
        """Everything fixed. Times count from the opening, so the body is the same on every run."""
        if self._commit is None:
            assert draw.opened is not None
            terms = self.material.first_terms()
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
        path = self.folder / f"lots-{draw.attempt}-{len(draw.commits)}.json"
        closing = MARGIN + CLOSING
        if path.exists():
            lots = int(loads(read_bounded(path, 4096), place=path.name)["round"])
            if draw.attested or network.time_of(lots) > self.now() + closing:
                return lots
        lots = network.first_from(self.now() + self.request.beacon_seconds)
        write_whole(path, dumps({"round": lots}), mode=0o600)
        return lots

    def _named_network(self, beacon: Beacon) -> Network:
        """The network that the commit names. Raises Refused where the key list lost it."""
        network = self.key_list.by_chain.get(beacon.network)
        if network is None:
            raise Refused("unknown_network", "keys.json")
        return network

    def _lots(self, draw: Draw) -> int | None:
        """The round that an event names which leaves a slot open; None with beacon `none`."""
        if draw.beacon is None:
            return None
        return self._named_network(draw.beacon).first_from(max(self.now(), draw.last_at) + LOTS_SECONDS)

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
            write_whole(self.folder / f"escrow-{short}.sealed", seal([content], {holder.name: holder.box_public}, key), mode=0o600)

    def _attest(self, draw: Draw, body: Committed | Extended) -> tuple[Body, Sequence[KeyFile]]:
        """One supervisor with the openings, another with the roll."""
        material = self.material if isinstance(body, Committed) else self._wider_material(draw)
        supervisors = self.keys.of("supervisor")
        if len(draw.attested) == 0:
            if self.network is None:
                self.write_escrow()
            found = attest_openings(material.openings(self.book.tag, draw.attempt), body.terms, self.request.evaluation_at)
            return Attested(draft_digest(body), found, "openings"), [supervisors[0]]
        need = (
            first_need(material.roll, material.plan)
            if isinstance(body, Committed)
            else rest_need(material.roll, material.plan, draw.slots, draw.gone)
        )
        found = attest_roll(material.roll, body.terms, need)
        return Attested(draft_digest(body), found, "roll"), [self._roll_supervisor(draw)]

    def _roll_supervisor(self, draw: Draw) -> KeyFile:
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
        return self._contribution(draw, self._missing(draw), None), [self.keys.one("operator")]

    def _round_contribute(self, draw: Draw) -> tuple[Body, Sequence[KeyFile]]:
        """A round contributor's part, over the states of the slots and nothing else."""
        running = draw.stages[-1] if draw.phase is Phase.DRAWING else None
        names = draw.commit.round_contributors if draw.commit else ()
        asked = RoundAsked(draw.round, running.states if running else states_bytes(draw.slots))
        return self._contribution(draw, self._missing(draw) if running else names[0], asked), [self.keys.one("operator")]

    def _contribution(self, draw: Draw, name: str, asked: RoundAsked | None) -> Contributed | RoundContributed:
        commit = draw.commits[-1]
        index = next(at for at, each in self.book.events if each.leaf_hash == commit.leaf_hash)
        size = self.book.log.cosigned_size(index + 2, self.book.log.size)
        proof = LogProof(index, tuple(self.book.log.inclusion(index, size)), self.book.log.cosigned(size))
        order = Order(commit.leaf, self.keys.log.vkey, proof, asked)
        write_whole(self.folder / "commit.json", order.to_bytes())
        key = self.keys.named(name)
        if key is not None and key.here:
            return contribute(order, key, self.keys.path_of(key), self.chain)
        for path in sorted((self.folder / "contributions").glob("*.json")):
            body = read_contribution(path, order, name)
            if body is not None:
                return body
        raise Waiting("contribution", key=name, commit=str(self.folder / "commit.json"), to=str(self.folder / "contributions"))

    # Lots ---------------------------------------------------------------------------------------------------------------------------------

    def _result(self, draw: Draw) -> Result:
        value, seed = self._value_and_seed(draw)
        material = self.material_of(draw)
        lots = first(material.roll, material.plan, (), seed, self._sampler_version(draw))
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

    def _replaced(self, draw: Draw) -> Replaced:
        value, seed = self._value_and_seed(draw)
        material = self.material_of(draw)
        lots = successors(material.roll, material.plan, draw.slots, draw.gone, seed, self._sampler_version(draw))
        return Replaced(lots.placed, draw.round, seed, lots.trace, value)

    def _open(self, draw: Draw) -> tuple[Body, Sequence[KeyFile]]:
        """Somebody left: a reserve steps in, else lots fall again, else wider terms, as the request's ladder allows."""
        material = self.material_of(draw)
        if not draw.attested:
            moves = step_in(material.roll, material.plan, draw.slots, draw.gone)
            if moves:
                return SteppedIn(moves, draw.round), [self.keys.one("operator")]
            if completions(material.roll, material.plan, draw.slots, draw.gone):
                if draw.beacon is not None:
                    return self._replaced(draw), [self.keys.one("operator")]
                return self._round_contribute(draw)
        body = self._extension(draw)
        if len(draw.attested) < 2:
            return self._attest(draw, body)
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
                wider = self._widened(plan, draw.slots, draw.gone, number)
                if not completions(wider.roll, plan, draw.slots, draw.gone):
                    continue
                self._wider[number] = wider
            if self._wider[number].plan == plan:
                self._step = step
                return self._wider[number]
        raise Refused("dead_end", "draw", open=len(draw.open_slots))

    _step: int = 0

    def _extension(self, draw: Draw) -> Extended:
        wider = self._wider_material(draw)
        self.say("widened", step=self._step)
        reason = TH("draw/v1/private", self.secret.of("ladder-salt", bytes([self._step])), self.request.ladder_reason(self._step).encode())
        lots = self._future_round(draw, self._named_network(draw.beacon)) if draw.beacon is not None else None
        return Extended(draw.open_slots, reason, wider.later_terms(draw.slots, draw.gone), lots)

    # Answers and end ------------------------------------------------------------------------------------------------------------------------

    def _salt(self, seq: int, slot: int) -> bytes:
        return self.secret.of("answer-salt", seq.to_bytes(4, "big"), slot.to_bytes(2, "big"))

    def _seated(self, draw: Draw) -> tuple[Body, Sequence[KeyFile]]:
        """Notify whoever was not told, collect answers, check the selection again, unseal, close."""
        one = self.keys.one
        supervisors = self.keys.of("supervisor")
        sitting = [(n, slot) for n, slot in enumerate(draw.slots) if slot.tag]
        fresh = [(n, slot) for n, slot in sitting if not slot.notified]
        if fresh:
            notices = tuple(Notice(TH("draw/v1/private", self._salt(self.book.project().events, n), slot.tag), n) for n, slot in fresh)
            return Notified(notices, draw.round), [one("operator")]
        waiting = [(n, slot) for n, slot in sitting if slot.state == "pending"]
        if waiting:
            seq = self.book.project().events
            answers = []
            for n, slot in waiting:
                state, reason = self.ask(n, len(slot.tags))
                content = answer_content(n, len(slot.tags), state, reason)
                answers.append(Answer("two_persons", TH("draw/v1/private", self._salt(seq, n), content), n, state))
            opened = any(each.state == "left" and not draw.slots[each.slot].reserve for each in answers)
            return Answers(tuple(answers), draw.round, self._lots(draw) if opened else None), [
                one("operator"),
                one("staff"),
                supervisors[0],
            ]
        if not draw.checked:
            self._recheck(draw)
            return Checked(), [self._roll_supervisor(draw)]
        sealed = tuple(n for n, slot in enumerate(draw.slots) if slot.tag and not slot.unsealed and not slot.reserve)
        commit = draw.commit
        if sealed and commit is not None:
            if self.now() < commit.unsealing.not_before:
                raise Waiting("sealed", until=commit.unsealing.not_before)
            self.witness(commit.unsealing.not_before)  # check T5: others saw the time pass before the names were opened
            return Unsealed(sealed), supervisors[: max(commit.unsealing.threshold, 1)]
        return Closed(), [one("staff"), supervisors[0]]

    def _recheck(self, draw: Draw) -> None:
        """The roll's supervisor draws everything again before anybody is named. Raises Refused where it does not come out the same."""
        tally = Tally()
        check_roll(self.roll_file(draw), draw, tally)
        for faults in tally.faults.values():
            raise Refused(faults[0].code, faults[0].place, check=faults[0].check)

    def roll_file(self, draw: Draw) -> bytes:
        """The roll file of the attempt."""
        return roll_file(self._material(draw, number).roll for number in range(len(draw.commits)))

    def private_answers(self, draw: Draw) -> Iterator[Private]:
        """The private text behind every answer of this attempt, found again through `ask`'s answers kept in the folder."""
        for event, slots in draw.answered:
            body = event.body
            assert isinstance(body, Answers)
            for answer in body.answers:
                occupant = len(slots[answer.slot].tags)
                _, reason = self.ask(answer.slot, occupant)
                content = answer_content(answer.slot, occupant, answer.state, reason)
                yield Private(event.head.seq, answer.slot, self._salt(event.head.seq, answer.slot), content)
