"""The verbs of the drawing: what they take and give. A draw is known by 32 hex digits, which say nothing; its project by the tag in the log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from drawing.canonical import unhex
from drawing.errors import Refused
from drawing.model import Shape, choice, digest, flag, hexes, many, name, nested, optional, text, time, unicode_text, whole, word
from server.bidders import MOST_LISTS
from server.keeper.asking import ALL, WEB, Ask, Done, Rate, Verb

STAGES = ("begun", "reading", "screening", "ready", "failed", "destroyed")
MOST_SLOTS = 400
MOST_GROUPS = 40
BILLION = 10**9
MOST_TALLIED = 100  # draws
MOST_RARE = 20
_draw = text(32, r"[0-9a-f]{32}")
_token = text(400)
_slot = whole(0, MOST_SLOTS - 1)
_occupant = whole(1, 100_000)


def _up_to(most: int) -> Shape[bytes]:
    """Any bytes, at most so many, as hex."""

    def read(value: Any, place: str) -> bytes:
        if not isinstance(value, str) or len(value) > 2 * most:
            raise Refused("too_long", place, most=most)
        return unhex(value, len(value) // 2, place)

    return Shape(read, bytes.hex)


_content = _up_to(30_100)  # a request's file or a list of keys or of bidders, which come in one frame
_leaf = _up_to(65_535)
_maybe = Shape(lambda value, place: unicode_text(400).read(value, place) if value != "" else "", lambda value: value)


@dataclass(frozen=True, slots=True)
class TrustKeys(Ask[Done]):
    """A key list's file with all its versions: from then on the newest rules. `approved`: the subject of `key_list` over the newest's digest."""

    approved: Annotated[bytes, digest]
    keys: Annotated[bytes, _content]


@dataclass(frozen=True, slots=True)
class DrawBegin(Ask["DrawState"]):
    """A draw by its request (the file's bytes), of a project, over the library of a centre. The same again is the same draw."""

    centre: Annotated[str, word]
    draw: Annotated[str, _draw]
    dry_run: Annotated[bool, flag]
    project: Annotated[bytes, digest]
    request: Annotated[bytes, _content] = field(repr=False)
    started_at: Annotated[int, time]


@dataclass(frozen=True, slots=True)
class DrawPrepare(Ask["DrawState"]):
    """Begin to read the library, to screen it and to fit the chances; `draw_state` says how far it is. Twice is as good as once."""

    draw: Annotated[str, _draw]


@dataclass(frozen=True, slots=True)
class AskDrawState(Ask["DrawState"]):
    draw: Annotated[str, _draw]


@dataclass(frozen=True, slots=True)
class DrawState:
    """`done` of `total` records are read; `fault` and `where` say why it failed; `terms` is the JSON of what the commit will commit to."""

    done: Annotated[int, whole(0, 1 << 24)]
    fault: Annotated[str, text(64)]
    stage: Annotated[str, choice(*STAGES)]
    terms: Annotated[bytes, _leaf]
    total: Annotated[int, whole(0, 1 << 24)]
    where: Annotated[str, _maybe]


@dataclass(frozen=True, slots=True)
class BeaconValue:
    number: Annotated[int, whole(1, 1 << 36)]
    value: Annotated[bytes, hexes(48)]


@dataclass(frozen=True, slots=True)
class DrawNext(Ask["NextEvent"]):
    """`values`: of the beacon, as fetched. `cosigned_at`: when a quorum last cosigned the log's head, 0 for never."""

    cosigned_at: Annotated[int, time]
    draw: Annotated[str, _draw]
    values: Annotated[tuple[BeaconValue, ...], many(nested(BeaconValue), 0, 20)]


@dataclass(frozen=True, slots=True)
class NextEvent:
    """What follows. `event`: its leaf with all signatures that the keeper may give; `signers`: keys that have to sign besides, none where it may go in.
    Or `waiting` for what, until when at the latest (0: for a person); where somebody is to attest, `event` is the body that they attest.
    """

    event: Annotated[bytes, _leaf]
    signers: Annotated[tuple[str, ...], many(name, 0, 60)]
    until: Annotated[int, time]
    waiting: Annotated[str, text(32)]


@dataclass(frozen=True, slots=True)
class DrawContributed(Ask[NextEvent]):
    """What a contributor sent (the JSON of a body `contributed` or `round_contributed`), to be filed under the operator's signature."""

    contribution: Annotated[bytes, _content]
    draw: Annotated[str, _draw]


@dataclass(frozen=True, slots=True)
class DrawSign(Ask["EventSignature"]):
    """The staff's signature over an event (a leaf without signatures); `approved`: the subject that its kind needs."""

    approved: Annotated[bytes | None, optional(digest)]
    draw: Annotated[str, _draw]
    event: Annotated[bytes, _leaf]


@dataclass(frozen=True, slots=True)
class EventSignature:
    key: Annotated[str, name]
    signature: Annotated[bytes, hexes(64)]


@dataclass(frozen=True, slots=True)
class MapSign(Ask[EventSignature]):
    """The operator's signature over the root of the map of attempts, which goes into the log at this very index (docs/spec/log.md 4)."""

    at: Annotated[int, time]
    index: Annotated[int, whole(0, (1 << 53) - 1)]
    root: Annotated[bytes, digest]


@dataclass(frozen=True, slots=True)
class DrawFile(Ask["SealedFile"]):
    """The openings or the roll, sealed to the supervisors who may have them now, written into the folder of what leaves. `roll_closed`: the nameless
    roll as everybody may have it after the end.
    """

    draw: Annotated[str, _draw]
    what: Annotated[str, choice("openings", "roll", "roll_closed")]


@dataclass(frozen=True, slots=True)
class SealedFile:
    name: Annotated[str, text(120)]
    readers: Annotated[tuple[str, ...], many(name, 0, 60)]
    size: Annotated[int, whole(0, 1 << 32)]


@dataclass(frozen=True, slots=True)
class DrawReply(Ask["Replied"]):
    """What somebody in a slot said. `token` is their own link's; "" where two people enter it by hand, under the subject `answer`.

    `through`: whether the link was used itself, or a gateway heard it and says so under its signature.
    """

    approved: Annotated[bytes | None, optional(digest)]
    draw: Annotated[str, _draw]
    occupant: Annotated[int, _occupant]
    reason: Annotated[str, _maybe] = field(repr=False)
    slot: Annotated[int, _slot]
    state: Annotated[str, choice("accepted", "left")]
    through: Annotated[str, choice("gateway", "link")]
    token: Annotated[str, _token] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Replied:
    """Whether it counts: the first answer stays, but whoever accepted may leave as long as the request lets them. `state` is the one that counts.
    `everybody`: with it everybody has answered who was asked.
    """

    everybody: Annotated[bool, flag]
    first: Annotated[bool, flag]
    state: Annotated[str, choice("accepted", "left")]


@dataclass(frozen=True, slots=True)
class DrawLink(Ask["LinkState"]):
    """How the link of somebody in a slot stands; the token is what lets them know."""

    draw: Annotated[str, _draw]
    occupant: Annotated[int, _occupant]
    slot: Annotated[int, _slot]
    token: Annotated[str, _token] = field(repr=False)


@dataclass(frozen=True, slots=True)
class LinkState:
    """`answered`: what counts of them, "" where they said nothing. `stage`: an answer is waited for, time is over, or nobody is needed any more.
    `until`: of the window; `leave_until`: whoever accepted may leave until then.
    """

    answered: Annotated[str, choice("", "accepted", "left")]
    evaluation_at: Annotated[int, time]
    leave_until: Annotated[int, time]
    stage: Annotated[str, choice("cancelled", "open", "over")]
    until: Annotated[int, time]


@dataclass(frozen=True, slots=True)
class AskReplies(Ask["Replies"]):
    draw: Annotated[str, _draw]


@dataclass(frozen=True, slots=True)
class Replies:
    """Counters of this round, and when its window ends (0: none is open)."""

    answered: Annotated[int, whole(0, MOST_SLOTS)]
    notified: Annotated[int, whole(0, MOST_SLOTS)]
    until: Annotated[int, time]


@dataclass(frozen=True, slots=True)
class DrawNotices(Ask["Notices"]):
    """Messages that are due now, all or those of one slot: calls to people who were drawn, are named in the log as notified, and have not answered;
    cancellations to those who were called and are not needed any more.
    """

    draw: Annotated[str, _draw]
    slot: Annotated[int | None, optional(_slot)] = None


@dataclass(frozen=True, slots=True)
class NoticeOut:
    kind: Annotated[str, choice("call", "cancel")]
    occupant: Annotated[int, _occupant]
    sealed: Annotated[bytes, _up_to(4096)]
    slot: Annotated[int, _slot]
    token_hash: Annotated[bytes, digest]


@dataclass(frozen=True, slots=True)
class Notices:
    """`sealed` (drawing.sealed's form) opens with the courier's key: JSON {area, email, evaluation_at, phone, token, until}."""

    items: Annotated[tuple[NoticeOut, ...], many(nested(NoticeOut), 0, MOST_SLOTS)]


@dataclass(frozen=True, slots=True)
class DrawNames(Ask["Names"]):
    """The people of the slots that were opened. `approved`: the subject of `unseal`."""

    approved: Annotated[bytes, digest]
    draw: Annotated[str, _draw]
    login: Annotated[bytes, digest]
    reason: Annotated[str, unicode_text(400)]
    token: Annotated[str, _token] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Named:
    employer: Annotated[str, _maybe] = field(repr=False)
    expert: Annotated[str, text(32, r"[0-9a-f]{32}")]
    name: Annotated[str, _maybe] = field(repr=False)
    phone: Annotated[str, _maybe] = field(repr=False)
    reserve: Annotated[bool, flag]
    seat: Annotated[int, _slot]
    slot: Annotated[int, _slot]
    state: Annotated[str, text(16)]
    title: Annotated[str, _maybe] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Names:
    people: Annotated[tuple[Named, ...], many(nested(Named), 0, MOST_SLOTS)]


@dataclass(frozen=True, slots=True)
class DrawOwn(Ask["OwnDraw"]):
    """How a draw that has ended went for the expert whose pass this is."""

    draw: Annotated[str, _draw]
    login: Annotated[bytes, digest]
    token: Annotated[str, _token] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Kept:
    """A rule that kept somebody out, and what it found."""

    code: Annotated[str, text(40)]
    evidence: Annotated[str, _maybe] = field(repr=False)


@dataclass(frozen=True, slots=True)
class OwnDraw:
    """`there`: the library had them. `kept`: why they were kept out of the roll. On the roll their chance was `part` / `whole`, exact, in digits.
    `state`: "" for who was not drawn; a slot's state; `barred` where a sealed bidder list had them.
    """

    there: Annotated[bool, flag]
    kept: Annotated[tuple[Kept, ...], many(nested(Kept), 0, 200)]
    part: Annotated[str, text(100_000)]
    state: Annotated[str, choice("", "accepted", "appointed", "barred", "left", "pending", "used")]
    whole: Annotated[str, text(100_000)]


@dataclass(frozen=True, slots=True)
class DrawFeasible(Ask["Feasible"]):
    """Whether a request (the file's bytes) can be fulfilled from a centre's library as it is now; nothing is kept of it."""

    centre: Annotated[str, word]
    request: Annotated[bytes, _content] = field(repr=False)


@dataclass(frozen=True, slots=True)
class ChanceGroup:
    """People of one kind: from the `least` to the `most` chance, and what it should be (`target`), in billionths. `people`: 0 where they are few."""

    en: Annotated[str, _maybe]
    least: Annotated[int, whole(0, BILLION)]
    most: Annotated[int, whole(0, BILLION)]
    people: Annotated[int, whole(0, 1 << 24)]
    target: Annotated[int, whole(0, BILLION)]
    zh: Annotated[str, _maybe]


@dataclass(frozen=True, slots=True)
class Feasible:
    """Counts below FEWEST are withheld, as 0: a number of few people says who they are. `seats`: how many could take each. `groups`: the chances, where
    there are enough; kinds of few people are one group without a name. `bound`: what the smallest chance can be at most, in billionths.
    """

    bound: Annotated[int, whole(0, BILLION)]
    eligible: Annotated[int, whole(0, 1 << 24)]
    enough: Annotated[bool, flag]
    groups: Annotated[tuple[ChanceGroup, ...], many(nested(ChanceGroup), 0, MOST_GROUPS)]
    seats: Annotated[tuple[int, ...], many(whole(0, 1 << 24), 0, 40)]
    small_pool: Annotated[bool, flag]


@dataclass(frozen=True, slots=True)
class DrawRecord(Ask["RecordText"]):
    """What the printed record needs: the request, and the people with what they said. `approved`: the subject of `unseal`."""

    approved: Annotated[bytes, digest]
    draw: Annotated[str, _draw]
    login: Annotated[bytes, digest]
    reason: Annotated[str, unicode_text(400)]
    token: Annotated[str, _token] = field(repr=False)


@dataclass(frozen=True, slots=True)
class RecordText:
    """JSON {people: [{slot, occupant, name, id_number, employer, title, duty, phone, professions, reason}], request, started_at}."""

    text: Annotated[str, unicode_text(1 << 20)] = field(repr=False)


@dataclass(frozen=True, slots=True)
class DrawBox(Ask["Box"]):
    """The public key to which bidder lists of a draw are sealed (server/bidders.py)."""

    draw: Annotated[str, _draw]


@dataclass(frozen=True, slots=True)
class Box:
    """`key`: X25519. `lists`: how many have come; the next one has the number after it. `late`: no further one is taken."""

    key: Annotated[bytes, digest]
    late: Annotated[bool, flag]
    lists: Annotated[int, whole(0, MOST_LISTS)]


@dataclass(frozen=True, slots=True)
class DrawBidders(Ask["Received"]):
    """A sealed bidder list, the `number`-th of the draw. The same again is the same; another content under this number is refused."""

    draw: Annotated[str, _draw]
    number: Annotated[int, whole(1, MOST_LISTS)]
    sealed: Annotated[bytes, _content] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Received:
    """`digest`: the salted one that the event `screened` will carry; it tells nothing of the content. `new`: whether it came the first time."""

    digest: Annotated[bytes, digest]
    new: Annotated[bool, flag]


@dataclass(frozen=True, slots=True)
class DrawHold(Ask[Done]):
    """A complaint of the supervisor whose pass this is: from now on nothing of the draw is destroyed. Twice is as good as once."""

    complaint: Annotated[str, _draw]
    digest: Annotated[bytes, digest]
    draw: Annotated[str, _draw]
    login: Annotated[bytes, digest]
    token: Annotated[str, _token] = field(repr=False)


@dataclass(frozen=True, slots=True)
class DrawLift(Ask[Done]):
    """The complaint no longer holds the draw's files. `approved`: the subject of `lift` over `hold:<draw>:<complaint>` and the complaint's digest."""

    approved: Annotated[bytes, digest]
    complaint: Annotated[str, _draw]
    draw: Annotated[str, _draw]


@dataclass(frozen=True, slots=True)
class DrawDestroy(Ask[Done]):
    """The files of a draw that is over are destroyed, keys first. `approved`: the subject of `retention` over `files:<draw>`."""

    approved: Annotated[bytes, digest]
    draw: Annotated[str, _draw]


@dataclass(frozen=True, slots=True)
class DrawTally(Ask["Tallied"]):
    """How often people were drawn in closed draws, beside what their chances say, for a supervisor of their centre. The reading is in the log."""

    draws: Annotated[tuple[str, ...], many(_draw, 1, MOST_TALLIED)]
    login: Annotated[bytes, digest]
    token: Annotated[str, _token] = field(repr=False)


@dataclass(frozen=True, slots=True)
class TallyRow:
    """Somebody of the library: how often they were drawn, what was to be expected (in millionths), and between which counts chance explains it."""

    drawn: Annotated[int, whole(0, MOST_TALLIED)]
    expected: Annotated[int, whole(0, MOST_TALLIED * 10**6)]
    expert: Annotated[str, _draw]
    high: Annotated[int, whole(0, 1000)]
    low: Annotated[int, whole(0, 1000)]


@dataclass(frozen=True, slots=True)
class Tallied:
    """While it is counted `counted` says how many draws are done, and nothing else is there. `people`: with a chance in some draw; `drawn`: of them, drawn
    at least once. `rows`: those whose count is least likely, the rarest first.
    """

    counted: Annotated[int, whole(0, MOST_TALLIED)]
    draws: Annotated[int, whole(0, MOST_TALLIED)]
    drawn: Annotated[int, whole(0, 1 << 24)]
    people: Annotated[int, whole(0, 1 << 24)]
    rows: Annotated[tuple[TallyRow, ...], many(nested(TallyRow), 0, MOST_RARE)]


@dataclass(frozen=True, slots=True)
class DrawSaid(Ask["Said"]):
    """How those who were called answered in draws that are over, for a supervisor of their centre: places, never people. The reading is in the log."""

    draws: Annotated[tuple[str, ...], many(_draw, 1, 500)]
    login: Annotated[bytes, digest]
    token: Annotated[str, _token] = field(repr=False)


@dataclass(frozen=True, slots=True)
class SaidRow:
    """Of the draw with this place in the question: seat `slot`, and what its occupant said last."""

    draw: Annotated[int, whole(0, 500)]
    said: Annotated[str, choice("accepted", "left", "no_answer")]
    slot: Annotated[int, _slot]


@dataclass(frozen=True, slots=True)
class Said:
    rows: Annotated[tuple[SaidRow, ...], many(nested(SaidRow), 0, 500 * MOST_SLOTS)]


FEWEST = 10
_COURIER = frozenset({"courier"})
_BOTH = frozenset({"courier", "web"})

DRAW_VERBS: Mapping[str, Verb] = {
    "trust_keys": Verb(TrustKeys, Done, Rate(0.5, 5), WEB),
    "draw_begin": Verb(DrawBegin, DrawState, Rate(2, 50), WEB),
    "draw_prepare": Verb(DrawPrepare, DrawState, Rate(2, 50), _BOTH),
    "draw_state": Verb(AskDrawState, DrawState, Rate(50, 400), _BOTH),
    "draw_feasible": Verb(DrawFeasible, Feasible, Rate(0.2, 10), WEB),
    "draw_next": Verb(DrawNext, NextEvent, Rate(20, 200), _BOTH),
    "draw_contributed": Verb(DrawContributed, NextEvent, Rate(5, 100), WEB),
    "draw_sign": Verb(DrawSign, EventSignature, Rate(5, 100), WEB),
    "map_sign": Verb(MapSign, EventSignature, Rate(50, 400), _BOTH),
    "draw_file": Verb(DrawFile, SealedFile, Rate(1, 20), WEB),
    "draw_reply": Verb(DrawReply, Replied, Rate(50, 400), _BOTH),
    "draw_link": Verb(DrawLink, LinkState, Rate(100, 1_000), WEB),
    "draw_replies": Verb(AskReplies, Replies, Rate(50, 400), ALL),
    "draw_record": Verb(DrawRecord, RecordText, Rate(1, 20), WEB),
    "draw_notices": Verb(DrawNotices, Notices, Rate(50, 1_000), _COURIER),
    "draw_box": Verb(DrawBox, Box, Rate(20, 200), WEB),
    "draw_bidders": Verb(DrawBidders, Received, Rate(2, 50), WEB),
    "draw_names": Verb(DrawNames, Names, Rate(2, 50), WEB),
    "draw_own": Verb(DrawOwn, OwnDraw, Rate(5, 100), WEB),
    "draw_said": Verb(DrawSaid, Said, Rate(0.5, 20), WEB),
    "draw_tally": Verb(DrawTally, Tallied, Rate(1, 20), WEB),
    "draw_hold": Verb(DrawHold, Done, Rate(1, 20), WEB),
    "draw_lift": Verb(DrawLift, Done, Rate(1, 20), WEB),
    "draw_destroy": Verb(DrawDestroy, Done, Rate(0.2, 5), WEB),
}
