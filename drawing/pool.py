"""The pool of a draw: snapshot, decisions and roll, made by the keeper and made again by whoever checks (docs/spec/draw.md 2).

Snapshot: one leaf per expert under a random key `k`, sorted by label, padded with decoys to a power of two. Decisions: one leaf per snapshot
leaf, which says the type an expert is eligible as or the rules that exclude. Roll: one nameless row per eligible expert, all that counting and
drawing need. The same two functions serve both sides: `blind` works through entries in any order and in chunks (so that a caller may
spread them over processes), `assemble` joins the chunks.
"""

from __future__ import annotations

import hmac
import json
from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Any

from drawing import merkle
from drawing.canonical import TH, dumps
from drawing.conflict import Case, screen
from drawing.errors import Refused
from drawing.events import MAX_TREE, Plan, RuleCount
from drawing.fair import Type

DECOY = dumps({"decoy": True})
DECOY_RULE = "decoy"
NO_SEAT = "P1"  # holds no profession that a seat asks for, or at no site that has one
NO_REGION = "P2"  # serves none of the regions
ROW = 58  # tag(16) || type(u16be) || employer(8) || TH("draw/v1/row", opening, label)(32)


# One expert -----------------------------------------------------------------------------------------------------------------------------


def label_of(key: bytes, snapshot_id: str) -> bytes:
    """The public name of a leaf: it says nothing without the expert's key, and differs from snapshot to snapshot."""
    return hmac.digest(key, b"draw/v1/label\0" + snapshot_id.encode(), "sha256")


def opening_of(key: bytes, snapshot_id: str) -> bytes:
    """The salt of an expert's commitment, decision and row."""
    return hmac.digest(key, b"draw/v1/open\0" + snapshot_id.encode(), "sha256")


def commitment_of(opening: bytes, record: bytes) -> bytes:
    return TH("draw/v1/record", opening, record)


def snapshot_leaf(label: bytes, commitment: bytes) -> bytes:
    """The leaf hash of one expert in the snapshot tree."""
    return merkle.leaf_hash(b"\x01" + label + commitment)


def tag_of(draw_secret: bytes, label: bytes) -> bytes:
    """An expert's name on the roll of one attempt."""
    return hmac.digest(draw_secret, b"draw/v1/tag\0" + label, "sha256")[:16]


def employer_tag(draw_secret: bytes, employer: str) -> bytes:
    """An employer's name on the roll of one attempt."""
    return hmac.digest(draw_secret, b"draw/v1/employer\0" + employer.encode(), "sha256")[:8]


def row_hash(opening: bytes, label: bytes) -> bytes:
    return TH("draw/v1/row", opening, label)


def decision_leaf(opening: bytes, decision: bytes) -> bytes:
    """The leaf hash of one expert in the decisions tree; `decision` is canonical JSON, see `decision_json`."""
    return merkle.leaf_hash(TH("draw/v1/decision", opening, decision))


def decision_json(type_number: int | None, rules: Sequence[str]) -> bytes:
    """`{"type":n}` for an eligible expert, `{"rules":[…]}` for an excluded one."""
    return dumps({"rules": list(rules)} if type_number is None else {"type": type_number})


def employer_of(record: dict[str, Any]) -> str:
    """What counts as one employer: the credit code, else the normalised name, else the person alone."""
    employer = record["employer"]
    return employer["code"] or employer["name"] or f"\x01{record['id_type']}\x01{record['id_number']}"


@dataclass(frozen=True, slots=True)
class Question:
    """What every expert is asked: the plan, the date of the evaluation and of the look-back for "recent", ISO dates; whether weights count."""

    plan: Plan
    evaluation_date: str
    recent_from: str
    weighted: bool

    def type_of(self, record: dict[str, Any]) -> Type | tuple[str, ...]:
        """The type an expert could be drawn as, or the codes of what the plan lacks for him."""
        plan = self.plan
        missing = []
        if plan.regions and not any(_serves(region, wanted) for region in record["regions"] for wanted in plan.regions):
            missing.append(NO_REGION)
        site = next((n for n, each in enumerate(plan.sites) if record["area"].startswith(each.areas)), -1)
        site_id = plan.sites[site].id if site >= 0 else None
        professions = record["professions"]
        seats = tuple(
            n
            for n, seat in enumerate(plan.seats)
            if (not seat.site or seat.site == site_id)
            and any(code.startswith(seat.professions) for code in (professions[:1] if seat.main_only else professions))
        )
        if not seats:
            missing.append(NO_SEAT)
        if missing:
            return tuple(missing)
        recent = any(self.recent_from <= day <= self.evaluation_date for day in record["draws"])
        return Type(seats, site, recent, record["weight"] if self.weighted else 1)


def _serves(region: str, wanted: str) -> bool:
    """Whether serving `region` includes `wanted`, or lies in it: codes of GB/T 2260, a province ends in 0000, a city in 00."""
    one, two = region.rstrip("0"), wanted.rstrip("0")
    one, two = one + "0" * (len(one) % 2), two + "0" * (len(two) % 2)
    return two.startswith(one) or one.startswith(two)


# Many experts ---------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Entry:
    """One leaf as the openings hold it: a person (`key`, `record`), a decoy (`key` alone), or the remains of an erased one."""

    key: bytes = b""
    record: bytes = b""
    erased: bytes = b""  # label(32) || commitment(32) || decision leaf(32) || row(58) or nothing

    @property
    def label(self) -> bytes:
        return self.erased[:32]


Fate = Type | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Blinded:
    """What `blind` made of one chunk, entry by entry: packed bytes, cheap to send between processes."""

    labels: bytes  # 32 each
    openings: bytes  # 32 each
    leaves: bytes  # 32 each
    people: bytes  # 16 each: digest of the person's identity, zero for decoys and erased
    fates: tuple[Fate, ...]  # the distinct ones
    fate: array[int]  # index into fates per entry, -1 for a decoy, -2 for an erased one
    employers: tuple[str, ...]  # per entry, "" where not eligible
    faults: tuple[tuple[int, str], ...]  # (entry, code): records that are not what a library may hold


def blind(entries: Iterable[Entry], snapshot_id: str, case: Case, question: Question) -> Blinded:
    """Labels, leaves and fates of some entries. Never raises for a bad record: the fault is listed."""
    labels, openings, leaves, people = bytearray(), bytearray(), bytearray(), bytearray()
    fates: dict[Fate, int] = {}
    fate: array[int] = array("i")
    employers: list[str] = []
    faults: list[tuple[int, str]] = []
    for number, entry in enumerate(entries):
        if entry.erased:
            label, commitment = entry.erased[:32], entry.erased[32:64]
            opening = bytes(32)
        else:
            label, opening = label_of(entry.key, snapshot_id), opening_of(entry.key, snapshot_id)
            commitment = commitment_of(opening, entry.record or DECOY)
        labels += label
        openings += opening
        leaves += snapshot_leaf(label, commitment)
        employer, person, kind = "", bytes(16), -2 if entry.erased else -1
        if entry.record:
            try:
                record = json.loads(entry.record)
                outcome = fate_of(record, case, question)
                person = sha256(f"{record['id_type']}\0{record['id_number']}".encode()).digest()[:16]
                if isinstance(outcome, Type):
                    employer = employer_of(record)
            except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError):
                faults.append((number, "bad_record"))
                outcome = ("bad_record",)
            kind = fates.setdefault(outcome, len(fates))
        people += person
        fate.append(kind)
        employers.append(employer)
    return Blinded(bytes(labels), bytes(openings), bytes(leaves), bytes(people), tuple(fates), fate, tuple(employers), tuple(faults))


def fate_of(record: dict[str, Any], case: Case, question: Question) -> Fate:
    """The type that an expert is eligible as, or the sorted codes of all rules that exclude."""
    found = {finding.code for finding in screen(record, case)}
    kind = question.type_of(record)
    if not isinstance(kind, Type):
        found.update(kind)
    elif not found:
        return kind
    return tuple(sorted(found))


@dataclass(frozen=True)
class Pool:
    """A whole pool: trees, type table and, where the draw's secret was given, the roll. All sequences in snapshot order."""

    labels: Sequence[bytes]
    leaves: Sequence[bytes]
    decisions: Sequence[bytes]  # leaf hashes
    types: tuple[Type, ...]
    fates: Sequence[Fate | None]  # None for decoys and erased
    employers: Sequence[str]
    order: Sequence[int]  # snapshot position -> number of the entry as it was given
    openings: Sequence[bytes]
    rows: bytes  # sorted rows of ROW bytes; empty without the draw's secret
    people: bytes
    erased: int
    faults: tuple[tuple[int, str], ...]

    @cached_property
    def snapshot_root(self) -> bytes:
        return merkle.root(self.leaves)

    @cached_property
    def decisions_root(self) -> bytes:
        return merkle.root(self.decisions)

    @property
    def eligible(self) -> int:
        return sum(isinstance(fate, Type) for fate in self.fates)

    def rule_counts(self) -> tuple[RuleCount, ...]:
        """How many people each rule excluded; smaller numbers than ten could name somebody."""
        counts: Counter[str] = Counter()
        for fate, number in Counter(fate for fate in self.fates if isinstance(fate, tuple)).items():
            for code in fate:
                counts[code] += number
        return tuple(RuleCount(number, code) for code, number in sorted(counts.items()) if number >= 10)

    def histogram(self) -> bytes:
        """Type counts per employer, sorted: what both attesting supervisors must find alike."""
        numbers = {kind: n for n, kind in enumerate(self.types)}
        return histogram_bytes(
            (employer, numbers[fate]) for employer, fate in zip(self.employers, self.fates, strict=True) if isinstance(fate, Type)
        )

    def twice(self) -> tuple[int, ...]:
        """Snapshot positions of people who are there more than once."""
        seen: set[bytes] = set()
        found = []
        for place in range(len(self.labels)):
            person = self.people[16 * place : 16 * place + 16]
            if person != bytes(16) and person in seen:
                found.append(place)
            seen.add(person)
        return tuple(found)


def assemble(chunks: Sequence[Blinded], *, draw_secret: bytes = b"", erased: Sequence[bytes] = (), in_order: bool = False) -> Pool:
    """Join chunks into a pool. `in_order` keeps the given order (a checker wants to see it), else entries are sorted by label.

    `erased` holds the remains of the erased entries in the order given, `draw_secret` is k_d (32 bytes) where the roll is wanted.
    """
    labels = cut(b"".join(chunk.labels for chunk in chunks), 32)
    leaves = cut(b"".join(chunk.leaves for chunk in chunks), 32)
    openings = cut(b"".join(chunk.openings for chunk in chunks), 32)
    people = b"".join(chunk.people for chunk in chunks)
    raw: list[Fate | None] = []
    gone: list[bool] = []
    interned: dict[Fate, Fate] = {}
    for chunk in chunks:
        shared = [interned.setdefault(fate, fate) for fate in chunk.fates]
        raw.extend(shared[n] if n >= 0 else None for n in chunk.fate)
        gone.extend(n == -2 for n in chunk.fate)
    employers = [employer for chunk in chunks for employer in chunk.employers]
    faults, base = [], 0
    for chunk in chunks:
        faults += [(base + number, code) for number, code in chunk.faults]
        base += len(chunk.fate)
    order = range(len(labels)) if in_order else sorted(range(len(labels)), key=labels.__getitem__)
    fates = [raw[n] for n in order]
    types = tuple(sorted({fate for fate in interned if isinstance(fate, Type)}, key=type_key))
    numbers = {kind: n for n, kind in enumerate(types)}
    sayings = {fate: _saying(fate, numbers) for fate in interned}
    sayings_decoy = decision_json(None, [DECOY_RULE])
    remains = iter(erased)
    erased_at = {n: next(remains, b"") for n, is_gone in enumerate(gone) if is_gone}
    decisions = []
    for n, fate in zip(order, fates, strict=True):
        if gone[n]:
            decisions.append(erased_at[n][64:96])
        else:
            decisions.append(decision_leaf(openings[n], sayings_decoy if fate is None else sayings[fate]))
    rows: list[bytes] = []
    if draw_secret:
        known: dict[str, bytes] = {}
        for n, fate in zip(order, fates, strict=True):
            if gone[n] and erased_at[n][96:]:
                rows.append(erased_at[n][96:])
            if not isinstance(fate, Type):
                continue
            employer = employers[n]
            if employer not in known:
                known[employer] = employer_tag(draw_secret, employer)
            label = labels[n]
            rows.append(tag_of(draw_secret, label) + numbers[fate].to_bytes(2, "big") + known[employer] + row_hash(openings[n], label))
        rows.sort()
    return Pool(
        labels=[labels[n] for n in order],
        leaves=[leaves[n] for n in order],
        decisions=decisions,
        types=types,
        fates=fates,
        employers=[employers[n] for n in order],
        order=order,
        openings=[openings[n] for n in order],
        rows=b"".join(rows),
        people=b"".join(people[16 * n : 16 * n + 16] for n in order),
        erased=sum(gone),
        faults=tuple(faults),
    )


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[n : n + size] for n in range(0, len(data), size)]


def type_key(kind: Type) -> tuple[tuple[int, ...], int, bool, int]:
    return (kind.seats, kind.site, kind.recent, kind.weight)


def _saying(fate: Fate, numbers: dict[Type, int]) -> bytes:
    return decision_json(numbers[fate], ()) if isinstance(fate, Type) else decision_json(None, fate)


def decoys_needed(people: int) -> int:
    """How many decoys pad the snapshot to the next power of two. Raises Refused where the library is too large."""
    if people > MAX_TREE:
        raise Refused("library_too_large", "library", most=MAX_TREE)
    return (1 << max(people - 1, 0).bit_length()) - people if people else 1


def histogram_bytes(people: Iterable[tuple[Any, int]]) -> bytes:
    """Canonical JSON of the sorted type counts per employer, from pairs (employer, type number)."""
    per_employer: dict[Any, Counter[int]] = {}
    for (employer, kind), number in Counter(people).items():
        per_employer.setdefault(employer, Counter())[kind] = number
    return dumps(sorted(sorted([kind, number] for kind, number in counts.items()) for counts in per_employer.values()))


def histogram_digest(salt: bytes, histogram: bytes) -> bytes:
    return TH("draw/v1/histogram", salt, histogram)
