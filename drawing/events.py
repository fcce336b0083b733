"""The events of a draw: frozen values, one class per event, each field with its shape (docs/spec/draw.md 3).

An event is what anyone may see. It has no field that `drawing.draw` neither uses nor checks; names, reasons and evidence are private and
appear here only as salted digests. The leaf of the log is the canonical JSON of an event with its signatures; a signature covers the
DSSE pre-authentication encoding of the same JSON without `sigs`. What may follow what is in `drawing.draw`, not here.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Annotated, Any

from drawing.beacon import round_number
from drawing.canonical import EVENT_TYPE, TH, dumps, loads, pae
from drawing.errors import Refused
from drawing.merkle import leaf_hash
from drawing.model import big, choice, digest, flag, hexes, many, name, nested, optional, shape_of, tagged, text, time, whole, word

VERSION = "draw/v1"
CONTRIBUTION_TYPE = "application/vnd.lotroom.contribution.v1+json"
NO_PREVIOUS = bytes(32)

MAX_SEATS = 40
MAX_SLOTS = 400  # panel and reserve slots together
MAX_TREE = 1 << 20  # leaves of a snapshot: a million experts
UNIFORM, FAIR = METHODS = ("uniform/1", "fair/1")
SAMPLERS = tuple(f"{name}/{version}" for version in (1, 2) for name in ("cells-reject", "picks-reject", "cells-dp"))

_slot = whole(0, MAX_SLOTS - 1)
_slots = many(_slot, 1, MAX_SLOTS)
_value = hexes(80, 48)  # a draw key's ECVRF proof, or a beacon's signature
_lots = optional(round_number)  # the beacon's round for the next lots


@dataclass(frozen=True, slots=True)
class Site:
    """A place of the evaluation: experts whose area starts with one of `areas` (GB/T 2260 prefixes) belong to it."""

    areas: Annotated[tuple[str, ...], many(text(6, r"[0-9]{2,6}"), 1, 40)]
    id: Annotated[str, word]
    required: Annotated[bool, flag]


@dataclass(frozen=True, slots=True)
class Seat:
    """`count` places (and `reserves`) for people who hold one of `professions` (code prefixes), at `site` or, if "", anywhere."""

    count: Annotated[int, whole(1, MAX_SEATS)]
    main_only: Annotated[bool, flag]
    professions: Annotated[tuple[str, ...], many(text(7, r"[A-C]([0-9]{2}){0,3}"), 1, 40)]
    reserves: Annotated[int, whole(0, MAX_SEATS)]
    site: Annotated[str, text(64, r"|[A-Za-z0-9][A-Za-z0-9._:/-]*")]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked for. At most one person per employer always; at most `recent_max` people drawn within `recent_days`."""

    recent_days: Annotated[int, whole(0, 3650)]
    recent_max: Annotated[int, whole(0, MAX_SEATS)]
    regions: Annotated[tuple[str, ...], many(text(6, r"[0-9]{6}"), 0, 40)]
    representatives: Annotated[int, whole(0, MAX_SEATS)]
    seats: Annotated[tuple[Seat, ...], many(nested(Seat), 1, MAX_SEATS)]
    sites: Annotated[tuple[Site, ...], many(nested(Site), 0, 8)]


@dataclass(frozen=True, slots=True)
class Predecessor:
    """The snapshot before this one and the salted digest of the difference."""

    changes: Annotated[bytes, digest]
    root: Annotated[bytes, digest]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The committed library: `size` leaves (experts and decoys, a power of two) under an RFC 6962 root."""

    id: Annotated[str, word]
    previous: Annotated[tuple[Predecessor, ...], many(nested(Predecessor), 0, 1)]
    root: Annotated[bytes, digest]
    size: Annotated[int, whole(1, MAX_TREE)]


@dataclass(frozen=True, slots=True)
class RollDigest:
    """SHA-256 of the roll's head and the RFC 6962 root over its rows."""

    head: Annotated[bytes, digest]
    root: Annotated[bytes, digest]


@dataclass(frozen=True, slots=True)
class Chances:
    """Numerators over the exact total: the smallest, the largest, and the RFC 6962 root over `tag || decimal` of every row."""

    largest: Annotated[int, big]
    root: Annotated[bytes, digest]
    smallest: Annotated[int, big]


@dataclass(frozen=True, slots=True)
class RuleSet:
    """Which rules screened: identifier, version, SHA-256 of their canonical JSON."""

    digest: Annotated[bytes, digest]
    id: Annotated[str, word]
    version: Annotated[str, word]


@dataclass(frozen=True, slots=True)
class RuleCount:
    """How many people a rule excluded; only counts of ten and more are public."""

    count: Annotated[int, whole(10, MAX_TREE)]
    rule: Annotated[str, word]


@dataclass(frozen=True, slots=True)
class Terms:
    """What the lot falls on: pool, screening, plan, method. Fixed before any randomness; the same for `committed` and `extended`."""

    chances: Annotated[Chances, nested(Chances)]
    counts: Annotated[tuple[RuleCount, ...], many(nested(RuleCount), 0, 100)]
    decisions: Annotated[bytes, digest]
    declarations: Annotated[bytes, digest]
    groups_checked: Annotated[bool, flag]
    method: Annotated[str, choice(*METHODS)]
    plan: Annotated[Plan, nested(Plan)]
    roll: Annotated[RollDigest, nested(RollDigest)]
    rule_set: Annotated[RuleSet, nested(RuleSet)]
    sampler: Annotated[str, choice(*SAMPLERS)]
    small_pool: Annotated[bool, flag]
    snapshot: Annotated[Snapshot, nested(Snapshot)]
    total: Annotated[int, big]

    @property
    def sampler_version(self) -> int:
        """What keys the dice: 1 the seed alone, 2 the seed and the roll."""
        return int(self.sampler.rpartition("/")[2])


@dataclass(frozen=True, slots=True)
class Escrow:
    """Feldman sharing of the draw key: `points[0]` is the key, one point per coefficient, one holder per share number 1, 2, …"""

    holders: Annotated[tuple[str, ...], many(name, 1, 40)]
    points: Annotated[tuple[bytes, ...], many(hexes(32), 1, 40)]


@dataclass(frozen=True, slots=True)
class NoBeacon:
    """Beacon `none`: a one-time draw key instead of public randomness."""

    draw_key: Annotated[bytes, digest]
    escrow: Annotated[Escrow, nested(Escrow)]
    kind: Annotated[str, choice("none")]


@dataclass(frozen=True, slots=True)
class Beacon:
    """Public randomness: one future round of one network that the key list pins, known by its chain hash."""

    kind: Annotated[str, choice("drand", "local")]
    network: Annotated[bytes, digest]
    round: Annotated[int, round_number]


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Until when contributions and the result are due, Unix seconds."""

    contributions: Annotated[int, time]
    result: Annotated[int, time]


@dataclass(frozen=True, slots=True)
class Unsealing:
    """Not before this time, and with the signatures of at least `threshold` supervisors."""

    not_before: Annotated[int, time]
    threshold: Annotated[int, whole(1, 40)]


@dataclass(frozen=True, slots=True)
class KeyListRef:
    """The version of the key list that rules the attempt, and its digest."""

    digest: Annotated[bytes, digest]
    version: Annotated[int, whole(1, 1_000_000)]


@dataclass(frozen=True, slots=True)
class Opened:
    origin: Annotated[str, name]
    notice: Annotated[bytes, digest]
    section: Annotated[str, word]


@dataclass(frozen=True, slots=True)
class Attested:
    draft: Annotated[bytes, digest]
    histogram: Annotated[bytes, digest]
    scope: Annotated[str, choice("openings", "roll")]


@dataclass(frozen=True, slots=True)
class Committed:
    beacon: Annotated[NoBeacon | Beacon, tagged("kind", {"none": NoBeacon, "drand": Beacon, "local": Beacon})]
    contributors: Annotated[tuple[str, ...], many(name, 1, 40)]
    deadlines: Annotated[Deadlines, nested(Deadlines)]
    evaluation_at: Annotated[int, time]
    keys: Annotated[KeyListRef, nested(KeyListRef)]
    regime: Annotated[str, choice("ZTB", "ZFCG")]
    reply_window: Annotated[int, whole(60, 86_400)]
    round_contributors: Annotated[tuple[str, ...], many(name, 0, 40)]
    terms: Annotated[Terms, nested(Terms)]
    unsealing: Annotated[Unsealing, nested(Unsealing)]


@dataclass(frozen=True, slots=True)
class Contributed:
    """A contribution to a seed; `nth` counts the commits of this project that the contributor ever answered.

    The contributor signs the statement, not the event: contributions come from elsewhere in any order, the operator only files them.
    """

    key: Annotated[str, name]
    nth: Annotated[int, whole(1, 10_000)]
    pi: Annotated[bytes, hexes(80)]
    pk: Annotated[bytes, digest]
    sig: Annotated[bytes, hexes(64)]

    def statement(self, leaf: bytes) -> bytes:
        """What `sig` covers: this contribution to the commit (or extension) with this leaf hash."""
        value = {"key": self.key, "leaf": leaf.hex(), "nth": self.nth, "pi": self.pi.hex(), "pk": self.pk.hex()}
        return pae(CONTRIBUTION_TYPE, dumps(value))


@dataclass(frozen=True, slots=True)
class RoundContributed:
    """A contribution to the randomness of replacement round `round`."""

    key: Annotated[str, name]
    pi: Annotated[bytes, hexes(80)]
    pk: Annotated[bytes, digest]
    round: Annotated[int, whole(1, 10_000)]
    sig: Annotated[bytes, hexes(64)]

    def statement(self, leaf: bytes) -> bytes:
        """What `sig` covers: this contribution to a round of the commit (or extension) with this leaf hash."""
        value = {"key": self.key, "leaf": leaf.hex(), "pi": self.pi.hex(), "pk": self.pk.hex(), "round": self.round}
        return pae(CONTRIBUTION_TYPE, dumps(value))


@dataclass(frozen=True, slots=True)
class Placed:
    """A person, known by the tag on the roll, comes into a slot."""

    slot: Annotated[int, _slot]
    tag: Annotated[bytes, hexes(16)]


@dataclass(frozen=True, slots=True)
class Result:
    placed: Annotated[tuple[Placed, ...], many(nested(Placed), 1, MAX_SLOTS)]
    seed: Annotated[bytes, digest]
    trace: Annotated[bytes, digest]
    value: Annotated[bytes, _value]


@dataclass(frozen=True, slots=True)
class Checked:
    pass


@dataclass(frozen=True, slots=True)
class Notice:
    receipt: Annotated[bytes, digest]
    slot: Annotated[int, _slot]


@dataclass(frozen=True, slots=True)
class Notified:
    notices: Annotated[tuple[Notice, ...], many(nested(Notice), 1, MAX_SLOTS)]
    round: Annotated[int, whole(1, 10_000)]


@dataclass(frozen=True, slots=True)
class Answer:
    evidence: Annotated[str, choice("gateway", "link", "two_persons")]
    receipt: Annotated[bytes, digest]
    slot: Annotated[int, _slot]
    state: Annotated[str, choice("accepted", "left")]


@dataclass(frozen=True, slots=True)
class Answers:
    answers: Annotated[tuple[Answer, ...], many(nested(Answer), 1, MAX_SLOTS)]
    round: Annotated[int, whole(1, 10_000)]
    lots: Annotated[int | None, _lots] = None


@dataclass(frozen=True, slots=True)
class Move:
    reserve: Annotated[int, _slot]
    slot: Annotated[int, _slot]


@dataclass(frozen=True, slots=True)
class SteppedIn:
    moves: Annotated[tuple[Move, ...], many(nested(Move), 1, MAX_SLOTS)]
    round: Annotated[int, whole(1, 10_000)]


@dataclass(frozen=True, slots=True)
class Replaced:
    placed: Annotated[tuple[Placed, ...], many(nested(Placed), 1, MAX_SLOTS)]
    round: Annotated[int, whole(1, 10_000)]
    seed: Annotated[bytes, digest]
    trace: Annotated[bytes, digest]
    value: Annotated[bytes, _value]


@dataclass(frozen=True, slots=True)
class Screened:
    """The sealed list of bidders was compared: `rows` people are removed, those sitting in `slots` leave."""

    bidders: Annotated[bytes, digest]
    rows: Annotated[bytes, digest]
    slots: Annotated[tuple[int, ...], many(_slot, 0, MAX_SLOTS)]
    lots: Annotated[int | None, _lots] = None


@dataclass(frozen=True, slots=True)
class Extended:
    """No lawful completion exists: wider terms for the open slots."""

    open: Annotated[tuple[int, ...], _slots]
    reason: Annotated[bytes, digest]
    terms: Annotated[Terms, nested(Terms)]
    lots: Annotated[int | None, _lots] = None


@dataclass(frozen=True, slots=True)
class Appointed:
    """A lawful direct choice for an open slot, or a purchaser's representative; `place` is the slot or the representative's number."""

    ground: Annotated[str, word]
    kind: Annotated[str, choice("direct_choice", "representative")]
    person: Annotated[bytes, digest]
    place: Annotated[int, _slot]
    lots: Annotated[int | None, _lots] = None


@dataclass(frozen=True, slots=True)
class Unsealed:
    slots: Annotated[tuple[int, ...], _slots]


@dataclass(frozen=True, slots=True)
class Closed:
    pass


@dataclass(frozen=True, slots=True)
class Abandoned:
    paper: Annotated[bytes, digest]
    reason: Annotated[str, choice("incomplete", "cancelled", "order")]


@dataclass(frozen=True, slots=True)
class Stopped:
    paper: Annotated[bytes, digest]


@dataclass(frozen=True, slots=True)
class Resumed:
    paper: Annotated[bytes, digest]


@dataclass(frozen=True, slots=True)
class Erased:
    count: Annotated[int, whole(1, MAX_TREE)]
    people: Annotated[bytes, digest]


Body = (
    Opened | Attested | Committed | Contributed | RoundContributed | Result | Checked | Notified | Answers | SteppedIn | Replaced
    | Screened | Extended | Appointed | Unsealed | Closed | Abandoned | Stopped | Resumed | Erased
)  # fmt: skip

BODIES: Mapping[str, type[Body]] = {
    "opened": Opened,
    "attested": Attested,
    "committed": Committed,
    "contributed": Contributed,
    "round_contributed": RoundContributed,
    "result": Result,
    "checked": Checked,
    "notified": Notified,
    "answers": Answers,
    "stepped_in": SteppedIn,
    "replaced": Replaced,
    "screened": Screened,
    "extended": Extended,
    "appointed": Appointed,
    "unsealed": Unsealed,
    "closed": Closed,
    "abandoned": Abandoned,
    "stopped": Stopped,
    "resumed": Resumed,
    "erased": Erased,
}
TYPE_OF: Mapping[type[Body], str] = {cls: kind for kind, cls in BODIES.items()}


@dataclass(frozen=True, slots=True)
class Signature:
    """Ed25519 by the named key of the key list over the event without `sigs`."""

    key: Annotated[str, name]
    sig: Annotated[bytes, hexes(64)]


@dataclass(frozen=True, slots=True)
class Head:
    """What every event carries. `seq` counts the events of a project from 0 over all attempts; `prev` is the leaf hash before."""

    at: Annotated[int, time]
    attempt: Annotated[int, whole(1, 10_000)]
    dry_run: Annotated[bool, flag]
    prev: Annotated[bytes, digest]
    project: Annotated[bytes, digest]
    seq: Annotated[int, whole(0, 1_000_000)]


_SIGS = many(nested(Signature), 0, 60)
_HEAD_NAMES = frozenset({"at", "attempt", "dry_run", "prev", "project", "seq"})
_OUTER = frozenset({"sigs", "type", "v"})


@dataclass(frozen=True)
class Event:
    """One event with its signatures. Not slotted: the leaf and its hash are computed once and kept."""

    head: Head
    body: Body
    sigs: tuple[Signature, ...]

    @property
    def type(self) -> str:
        return TYPE_OF[type(self.body)]

    @cached_property
    def leaf(self) -> bytes:
        """The bytes that the log holds."""
        return dumps(self.to_json())

    @cached_property
    def leaf_hash(self) -> bytes:
        return leaf_hash(self.leaf)

    @cached_property
    def payload(self) -> bytes:
        """What a signature covers: DSSE v1 PAE over the canonical JSON without `sigs`."""
        value = self.to_json()
        del value["sigs"]
        return pae(EVENT_TYPE, dumps(value))

    def to_json(self) -> dict[str, Any]:
        value: dict[str, Any] = body_json(self.body)
        value.update(shape_of(Head).write(self.head))
        value.update(type=self.type, v=VERSION, sigs=_SIGS.write(self.sigs))
        return value


def body_json(body: Body) -> dict[str, Any]:
    """The fields of a body alone, ready for `dumps`."""
    value: dict[str, Any] = shape_of(type(body)).write(body)
    return value


def read_event(value: Any, place: str) -> Event:
    """An event from parsed JSON. Raises Refused with the place of the first fault."""
    if not isinstance(value, dict):
        raise Refused("not_an_object", place)
    kind = value.get("type")
    if not isinstance(kind, str) or kind not in BODIES:
        raise Refused("unknown_event", place)
    if value.get("v") != VERSION:
        raise Refused("unknown_version", place, known=VERSION)
    if "sigs" not in value:
        raise Refused("missing_field", place, field="sigs")
    inner = {key: each for key, each in value.items() if key not in _HEAD_NAMES and key not in _OUTER}
    head = {key: value[key] for key in _HEAD_NAMES if key in value}
    return Event(
        shape_of(Head).read(head, place),
        shape_of(BODIES[kind]).read(inner, place),
        _SIGS.read(value["sigs"], f"{place}.sigs"),
    )


def parse_event(leaf: bytes, place: str = "event") -> Event:
    """An event from the bytes of its leaf, which must be canonical. Raises Refused."""
    return read_event(loads(leaf, place=place), place)


def project_tag(number: str) -> bytes:
    """The public tag of a project number: NFKC, upper case, letters and digits only, so that a space or a dash makes no new project."""
    kept = "".join(c for c in unicodedata.normalize("NFKC", number).upper() if c.isalnum())
    if not kept:
        raise Refused("empty_project_number", "project")
    return sha256(b"draw/v1/project\0" + kept.encode()).digest()


def draft_digest(body: Committed | Extended) -> bytes:
    """What supervisors attest before the event exists: the digest of its body, without head and signatures."""
    return TH("draw/v1/draft", dumps(body_json(body)))


def salted(tag: str, salt: bytes, content: bytes) -> bytes:
    """The public digest of something that is not public: guessing the content does not help without the 32-byte salt."""
    return TH(tag, salt, content)
