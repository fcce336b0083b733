"""`draw run`: the whole ceremony of one attempt over files, one event at a time.

The log decides where we stand: each turn replays the project, decides the one next event, and appends it together with the map's new
root. Everything private follows from one secret in the folder, so after a crash the same command goes on with the same draw. An event
is written beside the log before it goes in (`pending`): if we crash between the two, the very same bytes go in on the next run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from drawing.canonical import TH
from drawing.certificate import MAX_TABLE
from drawing.draw import ENDED, Draw, Fault, Phase, Project, apply
from drawing.errors import Refused
from drawing.events import (
    Abandoned,
    Attested,
    Body,
    Committed,
    Contributed,
    Event,
    Extended,
    Head,
    Opened,
    RoundContributed,
    Signature,
    draft_digest,
)
from drawing.keys import KeyChain
from drawing.lots import first_need, rest_need
from drawing.note import LogProof
from drawing.verify import signature_faults
from server.book import Book
from server.conduct import Conduct, Reply, Say
from server.contribute import Order, RoundAsked, contribute, read_contribution
from server.files import read_bounded, write_whole
from server.folder import Keys, State
from server.keyfiles import KeyFile
from server.material import Secret, attest_openings, attest_roll
from server.request import Request
from server.waiting import Waiting

Ask = Callable[[int, int], tuple[str, str]]  # (slot, occupant) -> (accepted | left, reason)


@dataclass(frozen=True, slots=True)
class FolderShelf:
    """Files of a folder, for its owner alone."""

    folder: Path

    def read(self, name: str) -> bytes | None:
        path = self.folder / name
        return read_bounded(path, MAX_TABLE) if path.exists() else None

    def write(self, name: str, data: bytes) -> None:
        write_whole(self.folder / name, data, mode=0o600)


def _nobody(slot: int, occupant: int) -> tuple[str, str]:
    raise Refused("nobody_to_answer", "draw", slot=slot)


@dataclass
class Ceremony(Conduct):
    """One attempt in one folder. `run` goes on until nothing is left to do."""

    folder: Path = field(kw_only=True)
    state: State = field(kw_only=True)
    chain: KeyChain = field(kw_only=True)
    book: Book = field(kw_only=True)
    ask: Ask = field(kw_only=True, default=_nobody)

    @classmethod
    def of(
        cls,
        folder: Path,
        state: State,
        request: Request,
        records: Sequence[bytes],
        keys: Keys,
        chain: KeyChain,
        book: Book,
        now: Callable[[], int],
        ask: Ask,
        say: Say,
    ) -> Ceremony:
        """The attempt of a folder."""
        return cls(
            request=request,
            secret=Secret(state.secret),
            records=records,
            keys=keys,
            key_list=chain.newest,
            tag=book.tag,
            origin=book.log.origin,
            started=state.request,
            shelf=FolderShelf(folder),
            now=now,
            say=say,
            folder=folder,
            state=state,
            chain=chain,
            book=book,
            ask=ask,
        )

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
            ended = next((each for each in project.attempts if self.mine(each) and each.phase in ENDED), None)
            if ended is not None:
                return ended
            if not self.mine(draw) and draw.phase not in ENDED | {Phase.NEW}:
                raise Refused("other_attempt_runs", "log", attempt=draw.attempt)
            body, signers = self.next_event(draw, project.events)
            self._log(project, body, signers)

    def _log(self, project: Project, body: Body, signers: Sequence[KeyFile]) -> None:
        draw = project.draw
        attempt = draw.attempt + 1 if isinstance(body, Opened) else draw.attempt
        at = max(self.now(), draw.last_at)
        head = Head(at, attempt, self.state.dry_run, project.head, self.tag, project.events)
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

    def abandon(self, reason: str, paper: str) -> Draw:
        """End this folder's attempt before its end. Raises Refused where the rules forbid it, or nothing runs."""
        self.book.settle(self.pending)
        project = self.book.project()
        if not self.mine(project.draw):
            raise Refused("nothing_to_abandon", "draw")
        digest = TH("draw/v1/private", self.secret.of("abandon-salt"), paper.encode())
        signers = [self.keys.one("staff"), self.keys.of("supervisor")[0]]
        if reason == "order":
            signers += self.keys.of("authority")
        self._log(project, Abandoned(digest, reason), signers)
        self.witness(0)
        return self.book.project().draw

    def attest(self, draw: Draw, body: Committed | Extended) -> tuple[Body, Sequence[KeyFile]]:
        """One supervisor with the openings, another with the roll."""
        material = self.material if isinstance(body, Committed) else self._wider_material(draw)
        supervisors = self.keys.of("supervisor")
        if len(draw.attested) == 0:
            if self.network is None:
                self.write_escrow()
            found = attest_openings(material.openings(self.tag, draw.attempt), body.terms, self.request.evaluation_at)
            return Attested(draft_digest(body), found, "openings"), [supervisors[0]]
        need = (
            first_need(material.roll, material.plan)
            if isinstance(body, Committed)
            else rest_need(material.roll, material.plan, draw.slots, draw.gone)
        )
        found = attest_roll(material.roll, body.terms, need)
        return Attested(draft_digest(body), found, "roll"), [self.roll_supervisor(draw)]

    def contribution(self, draw: Draw, name: str, asked: RoundAsked | None) -> Contributed | RoundContributed:
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

    def reply(self, slot: int, occupant: int) -> Reply:
        """From the file of answers, or the terminal."""
        return Reply(*self.ask(slot, occupant))
