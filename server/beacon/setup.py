"""How nodes make a key that none of them knows: joint-Feldman with complaints, as messages on a board and one pure evaluation of it.

Each node deals a random polynomial: commitments in the clear, one sealed share per node. Who gets a share that does not fit complains; the dealer
answers by showing that share to all; who does not deal, deals twice, has an unanswered complaint or t complaints is out. The key is the sum over
those who are left. Every message is signed and names the digest of the group file; a node reads the boards of the others and keeps what it saw
first and in time. At the end those who saw the same as t - 1 others sign one transcript digest; fewer than t signatures are nothing (docs/beacon.md).

No clock, no chance, no sockets here: the caller brings them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Annotated, Any

from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, PublicKey, SealedBox

from drawing.beacon import MAX_NODES
from drawing.canonical import TH, dumps, loads, pae
from drawing.errors import Refused
from drawing.model import choice, digest, hexes, many, nested, shape_of, tagged, whole
from drawing.note import verify_ed25519
from server.beacon.group import PHASES, Group
from server.beacon.shares import ORDER, commitments, evaluate, public_share, read_point, share_fits

VERSION = "lotroom-beacon/1"
MESSAGE_TYPE = "application/vnd.lotroom.beacon.v1+json"
MAX_MESSAGE = 32 << 10
SEALED = 80  # 32 bytes in a libsodium sealed box
_node = whole(1, MAX_NODES)


@dataclass(frozen=True, slots=True)
class Deal:
    """A dealer's commitments, constant term first, and the sealed shares of nodes 1, 2, …"""

    commitments: Annotated[tuple[bytes, ...], many(hexes(96), 1, MAX_NODES)]
    kind: Annotated[str, choice("deal")]
    shares: Annotated[tuple[bytes, ...], many(hexes(SEALED), 1, MAX_NODES)]


@dataclass(frozen=True, slots=True)
class Complaint:
    """The dealers whose share for this node does not fit. An empty list says: I was there and have nothing to say."""

    against: Annotated[tuple[int, ...], many(_node, 0, MAX_NODES)]
    kind: Annotated[str, choice("complain")]


@dataclass(frozen=True, slots=True)
class Shown:
    """A share shown to all, since its owner complained."""

    share: Annotated[bytes, hexes(32)]
    to: Annotated[int, _node]


@dataclass(frozen=True, slots=True)
class Justification:
    kind: Annotated[str, choice("justify")]
    shares: Annotated[tuple[Shown, ...], many(nested(Shown), 0, MAX_NODES)]


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What this node found: the key, and the digest of all that it rests on."""

    kind: Annotated[str, choice("confirm")]
    public_key: Annotated[bytes, hexes(96)]
    transcript: Annotated[bytes, digest]


Content = Deal | Complaint | Justification | Confirmation
_CONTENT = tagged("kind", {"deal": Deal, "complain": Complaint, "justify": Justification, "confirm": Confirmation})


@dataclass(frozen=True)
class Message:
    """One signed statement of one node in one set-up (`session` is the digest of the group file)."""

    content: Annotated[Content, _CONTENT]
    sender: Annotated[int, _node]
    session: Annotated[bytes, digest]
    sig: Annotated[bytes, hexes(64)]
    v: Annotated[str, choice(VERSION)]

    @cached_property
    def data(self) -> bytes:
        return dumps(shape_of(Message).write(self))

    @cached_property
    def payload(self) -> bytes:
        value = shape_of(Message).write(self)
        del value["sig"]
        return pae(MESSAGE_TYPE, dumps(value))

    @cached_property
    def digest(self) -> bytes:
        """Of what is said, without the signature: signing the same twice is no second statement."""
        return TH("lotroom/v1/beacon-message", self.payload)


def read_message(value: Any, group: Group) -> Message:
    """A message from JSON, of this set-up, signed by the node that it names. Raises Refused."""
    message = shape_of(Message).read(value, "message")
    if message.session != group.digest:
        raise Refused("other_session", "message")
    if message.sender > len(group.members):
        raise Refused("unknown_node", "message", node=message.sender)
    verify_ed25519(group.member(message.sender).key, message.payload, message.sig)
    return message


def parse_message(data: bytes, group: Group) -> Message:
    """A message from its canonical bytes. Raises Refused."""
    return read_message(loads(data, place="message", max_bytes=MAX_MESSAGE), group)


@dataclass
class Board:
    """What a node has seen, each sender's statements of each kind in order of arrival. Two different deals of one node are kept: they prove it."""

    group: Group
    messages: dict[tuple[int, str], list[Message]] = field(default_factory=dict)

    def add(self, message: Message) -> bool:
        """Keep a message. False where it is known, or a third one of the same kind."""
        known = self.messages.setdefault((message.sender, message.content.kind), [])
        if len(known) >= 2 or any(each.digest == message.digest for each in known):
            return False
        known.append(message)
        return True

    def of(self, sender: int, kind: str) -> tuple[Content, ...]:
        return tuple(each.content for each in self.messages.get((sender, kind), ()))

    @property
    def view(self) -> frozenset[bytes]:
        """All that a transcript rests on. Two nodes with one view find the same."""
        return frozenset(each.digest for each in self.all() if each.content.kind != "confirm")

    def all(self) -> Iterator[Message]:
        for key in sorted(self.messages):
            yield from self.messages[key]


def in_time(message: Message, phase: int) -> bool:
    """Whether a message may still count in a phase of the set-up: it belongs to this one. Confirmations have no end."""
    wanted = PHASES.index(message.content.kind)
    return phase >= wanted if message.content.kind == "confirm" else phase == wanted


@dataclass(frozen=True)
class Outcome:
    """What a board says: who is in, who is out and why, the key, and the digest that everybody signs."""

    qualified: tuple[int, ...]
    out: Mapping[int, str]
    present: frozenset[int]  # the nodes that spoke when complaints were due
    public_key: bytes
    public_shares: tuple[bytes, ...]  # of nodes 1, 2, …
    transcript: bytes


def evaluate_board(group: Group, board: Board) -> Outcome:
    """The same for everybody who saw the same messages. Raises Refused where fewer than t dealers are left."""
    count = len(group.members)
    out: dict[int, str] = {}
    deals: dict[int, Deal] = {}
    for sender in range(1, count + 1):
        said = [each for each in board.of(sender, "deal") if isinstance(each, Deal)]
        if not said:
            out[sender] = "silent"
        elif len(said) > 1:
            out[sender] = "two_deals"
        elif not _well_formed(said[0], group):
            out[sender] = "bad_deal"
        else:
            deals[sender] = said[0]
    accusers: dict[int, set[int]] = {dealer: set() for dealer in deals}
    present = set()
    for sender in range(1, count + 1):
        for each in board.of(sender, "complain"):
            present.add(sender)
            for dealer in each.against if isinstance(each, Complaint) else ():
                if dealer in accusers:
                    accusers[dealer].add(sender)
    for dealer, who in accusers.items():
        if len(who) >= group.threshold:
            out[dealer] = "too_many_complaints"
        elif any(_shown(board, dealer, accuser, deals[dealer]) is None for accuser in who):
            out[dealer] = "bad_share"
    qualified = tuple(dealer for dealer in sorted(deals) if dealer not in out)
    if len(qualified) < group.threshold:
        raise Refused("too_few_dealers", "setup", qualified=len(qualified), threshold=group.threshold, out=_out_text(out))
    dealt = [deals[dealer].commitments for dealer in qualified]
    public_key = public_share(dealt, 0)
    value = {
        "messages": sorted(each.hex() for each in board.view),
        "public_key": public_key.hex(),
        "qualified": list(qualified),
    }
    return Outcome(
        qualified=qualified,
        out=out,
        present=frozenset(present),
        public_key=public_key,
        public_shares=tuple(public_share(dealt, x) for x in range(1, count + 1)),
        transcript=TH("lotroom/v1/beacon-transcript", group.digest, dumps(value)),
    )


def _out_text(out: Mapping[int, str]) -> str:
    return ", ".join(f"{node} {why}" for node, why in sorted(out.items()))


def _well_formed(deal: Deal, group: Group) -> bool:
    return (
        len(deal.commitments) == group.threshold
        and len(deal.shares) == len(group.members)
        and all(read_point(each) is not None for each in deal.commitments)
    )


def _shown(board: Board, dealer: int, accuser: int, deal: Deal) -> int | None:
    """The share that a dealer showed for an accuser, where one fits."""
    for each in board.of(dealer, "justify"):
        for shown in each.shares if isinstance(each, Justification) else ():
            share = int.from_bytes(shown.share, "big")
            if shown.to == accuser and share_fits(deal.commitments, accuser, share):
                return share
    return None


# One node's part ------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Party:
    """One node in a set-up: its number, how it signs, its box secret."""

    group: Group
    number: int
    sign: Callable[[bytes], bytes]
    box_secret: bytes

    def say(self, content: Content) -> Message:
        unsigned = Message(content, self.number, self.group.digest, bytes(64), VERSION)
        return replace(unsigned, sig=self.sign(unsigned.payload))

    def deal(self, coefficients: Iterable[int]) -> Message:
        """Commitments and sealed shares of a polynomial of t coefficients."""
        polynomial = tuple(coefficients)
        shares = tuple(
            bytes(SealedBox(PublicKey(member.box)).encrypt(evaluate(polynomial, x).to_bytes(32, "big")))
            for x, member in enumerate(self.group.members, 1)
        )
        return self.say(Deal(commitments(polynomial), "deal", shares))

    def complain(self, board: Board) -> Message:
        """Every dealer whose share for this node does not open or does not fit. Deals that everybody can see are wrong need no complaint."""
        against = []
        for dealer in range(1, len(self.group.members) + 1):
            said = [each for each in board.of(dealer, "deal") if isinstance(each, Deal)]
            if len(said) == 1 and _well_formed(said[0], self.group) and self._sealed_share(said[0]) is None:
                against.append(dealer)
        return self.say(Complaint(tuple(against), "complain"))

    def justify(self, board: Board, coefficients: Iterable[int]) -> Message | None:
        """The shares that others complained about, shown to all; None where nobody did."""
        polynomial = tuple(coefficients)
        who = [
            sender
            for sender in range(1, len(self.group.members) + 1)
            if any(self.number in each.against for each in board.of(sender, "complain") if isinstance(each, Complaint))
        ]
        if not who:
            return None
        return self.say(Justification("justify", tuple(Shown(evaluate(polynomial, x).to_bytes(32, "big"), x) for x in who)))

    def confirm(self, outcome: Outcome) -> Message:
        return self.say(Confirmation("confirm", outcome.public_key, outcome.transcript))

    def _sealed_share(self, deal: Deal) -> int | None:
        try:
            plain = SealedBox(PrivateKey(self.box_secret)).decrypt(deal.shares[self.number - 1])
        except CryptoError:
            return None
        share = int.from_bytes(plain, "big")
        return share if len(plain) == 32 and share_fits(deal.commitments, self.number, share) else None

    def share(self, board: Board, outcome: Outcome) -> int:
        """This node's share of the key. Raises Refused where a qualified dealer's share is missing: the node was away when it could complain."""
        total = 0
        for dealer in outcome.qualified:
            deal = next(each for each in board.of(dealer, "deal") if isinstance(each, Deal))
            part = self._sealed_share(deal)
            if part is None:
                part = _shown(board, dealer, self.number, deal)
            if part is None:
                raise Refused("share_unusable", "setup", node=dealer)
            total = (total + part) % ORDER
        return total


# The end --------------------------------------------------------------------------------------------------------------------------------


def agreement(group: Group, board: Board, outcome: Outcome, phase: int) -> bool:
    """Whether the set-up is done: everybody who was there signed this transcript, or, two phases later, t nodes did. Nobody signed another.

    Raises Refused `transcripts_differ` naming who signed something else.
    """
    signed: dict[int, set[bytes]] = {}
    for sender in range(1, len(group.members) + 1):
        for each in board.of(sender, "confirm"):
            if isinstance(each, Confirmation):
                signed.setdefault(sender, set()).add(each.transcript)
    others = sorted(sender for sender, found in signed.items() if found != {outcome.transcript})
    if others:
        raise Refused("transcripts_differ", "setup", nodes=", ".join(map(str, others)))
    mine = set(signed)
    return len(mine) >= group.threshold and (outcome.present <= mine or phase >= len(PHASES) + 1)


def followed(group: Group, board: Board) -> Outcome | None:
    """For a node that was away: what its board says with everything it could still read, if at least t nodes signed exactly that. Else None."""
    try:
        outcome = evaluate_board(group, board)
    except Refused:
        return None
    same = [
        sender
        for sender in range(1, len(group.members) + 1)
        if any(isinstance(each, Confirmation) and each.transcript == outcome.transcript for each in board.of(sender, "confirm"))
    ]
    return outcome if len(same) >= group.threshold else None
