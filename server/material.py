"""Everything private that a draw rests on, derived from one secret, the library and the request: pool, roll, openings, terms.

Nothing here reads a clock or asks for chance: after a crash the same folder gives the same bytes, so the draw goes on and no second one
begins. The work is spread over processes where the library is large.
"""

from __future__ import annotations

import hmac
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256

from drawing import merkle
from drawing.canonical import TH, dumps, loads
from drawing.certificate import check_fairness
from drawing.conflict import Case
from drawing.days import date_of
from drawing.draw import Slot
from drawing.errors import Refused
from drawing.events import FAIR, UNIFORM, Chances, Plan, RuleSet, Snapshot, Terms
from drawing.fair import Need, count, numerators, sampler_for
from drawing.lots import first_need, rest_need
from drawing.model import shape_of
from drawing.openings import Openings, Private
from drawing.pool import Blinded, Entry, Pool, Question, assemble, blind, decoys_needed, histogram_digest
from drawing.roll import Roll, chance_leaf, make_roll, small_pool
from drawing.verify_private import question_of
from server.request import Request
from server.spread import spread

CHUNK = 5_000
PARALLEL_FROM = 20_000


class Secret:
    """The draw's one secret of 32 random bytes; everything else that is random follows from it by name."""

    def __init__(self, value: bytes) -> None:
        self._value = value

    def of(self, name: str, *parts: bytes) -> bytes:
        """32 bytes for one purpose."""
        return hmac.digest(self._value, TH(f"lotroom/{name}", *parts), "sha256")


def blind_many(entries: Sequence[Entry], snapshot_id: str, case: Case, question: Question) -> Iterator[Blinded]:
    """`drawing.pool.blind` over chunks, in worker processes where it pays. The order of the chunks is that of the entries."""
    if len(entries) < PARALLEL_FROM:
        yield blind(entries, snapshot_id, case, question)
        return
    global _shared
    _shared = (entries, snapshot_id, case, question)  # inherited by the forked workers: half a million records are not copied
    yield from (blinded for _, blinded in spread(_blind_chunk, range(0, len(entries), CHUNK)))
    _shared = None


_shared: tuple[Sequence[Entry], str, Case, Question] | None = None


def _blind_chunk(start: int) -> Blinded:
    assert _shared is not None
    entries, snapshot_id, case, question = _shared
    return blind(entries[start : start + CHUNK], snapshot_id, case, question)


@dataclass(frozen=True)
class Material:
    """The pool of one commit (or extension) with its roll; `entries` in the order the library gave them."""

    request: Request
    secret: Secret
    entries: Sequence[Entry]
    snapshot_id: str
    plan: Plan
    pool: Pool
    roll: Roll

    @property
    def declarations(self) -> bytes:
        return self.request.declarations()

    @cached_property
    def sorted_entries(self) -> list[Entry]:
        """The entries in snapshot order."""
        return [self.entries[n] for n in self.pool.order]

    def terms(self, need: Need) -> Terms:
        """The public terms for what is to be drawn. Raises Refused `no_lawful_panel` where nobody can."""
        total = count(self.roll.field, need)
        if total == 0:
            raise Refused("no_lawful_panel", "request")
        chances = numerators(self.roll.field, need)
        leaves = [chance_leaf(tag, number) for tag, number in zip(self.roll.tags, chances, strict=True)]
        rules_id, version, rule_set = self.request.rule_set()
        return Terms(
            chances=Chances(max(chances), merkle.root(leaves), min(chances)),
            counts=self.pool.rule_counts(),
            decisions=self.pool.decisions_root,
            declarations=TH("draw/v1/declarations", self.secret.of("declarations-salt"), self.declarations),
            groups_checked=Case.parse(rule_set, self.declarations).groups_checked,
            method=FAIR if self.roll.table_bytes else UNIFORM,
            plan=self.plan,
            roll=self.roll.digest,
            rule_set=RuleSet(sha256(rule_set).digest(), rules_id, version),
            sampler=sampler_for(self.roll.field, need),
            small_pool=small_pool(self.roll, self.plan),
            snapshot=Snapshot(self.snapshot_id, (), self.pool.snapshot_root, len(self.pool.labels)),
            total=total,
        )

    def with_table(self, table: bytes) -> Material:
        """The same pool whose roll has the table of `fair/1`."""
        roll = self.roll
        return replace(self, roll=make_roll(roll.types, roll.salt, roll.rows, table))

    def first_terms(self) -> Terms:
        """The terms of the commit."""
        return self.terms(first_need(self.roll, self.plan))

    def later_terms(self, slots: Sequence[Slot], gone: Iterable[bytes]) -> Terms:
        """The terms of an extension for the open slots."""
        return self.terms(rest_need(self.roll, self.plan, slots, gone))

    def openings(self, project: bytes, attempt: int, *, with_draw_secret: bool = False, private: tuple[Private, ...] = ()) -> Openings:
        """What a checking supervisor gets; the draw's secret only after `closed`."""
        return Openings(
            project=project,
            attempt=attempt,
            snapshot_id=self.snapshot_id,
            rule_set=self.request.rule_set()[2],
            declarations=self.declarations,
            declarations_salt=self.secret.of("declarations-salt"),
            histogram_salt=self.roll.salt,
            entries=self.sorted_entries,
            draw_secret=self.secret.of("draw-secret") if with_draw_secret else b"",
            private=private,
        )


def read_plan(value: object) -> Plan:
    """A plan from a request's JSON form."""
    return shape_of(Plan).read(value, "plan")


def make_entries(records: Collection[bytes], secret: Secret) -> list[Entry]:
    """One entry per expert, keyed by identity (the order of the file is irrelevant), and decoys up to a power of two."""
    entries = []
    for record in records:
        identity = identity_of(record)
        entries.append(Entry(secret.of("expert", identity), record))
    entries += [Entry(secret.of("decoy", number.to_bytes(4, "big"))) for number in range(decoys_needed(len(records)))]
    return entries


def identity_of(record: bytes) -> bytes:
    """What makes an expert one person: kind and number of the identity document, as they stand in the record's canonical bytes."""
    start = record.index(b'"id_number":')
    return record[start : record.index(b',"industry"', start)]


def make_material(
    request: Request, records: Collection[bytes], secret: Secret, snapshot_id: str, plan: Plan, evaluation_at: int
) -> Material:
    """Screen everybody and build the pool of a commit."""
    weighted = request.method == FAIR
    return rebuild(request, make_entries(records, secret), secret, snapshot_id, plan, evaluation_at, weighted=weighted)


def rebuild(
    request: Request, entries: Sequence[Entry], secret: Secret, snapshot_id: str, plan: Plan, evaluation_at: int, *, weighted: bool
) -> Material:
    """The same for entries that exist: an extension screens the same snapshot under a wider plan. `weighted`: the records' weights count."""
    _, _, rule_set = request.rule_set()
    case = Case.parse(rule_set, request.declarations())
    question = Question(plan, date_of(evaluation_at), date_of(evaluation_at, plan.recent_days), weighted)
    chunks = list(blind_many(entries, snapshot_id, case, question))
    pool = assemble(chunks, draw_secret=secret.of("draw-secret"))
    if pool.faults:
        raise Refused("bad_record", f"library record {pool.faults[0][0]}")
    roll = make_roll(pool.types, secret.of("histogram-salt"), pool.rows)
    return Material(request, secret, entries, snapshot_id, plan, pool, roll)


# What the two supervisors do before they attest --------------------------------------------------------------------------------------------


def attest_openings(openings: Openings, terms: Terms, evaluation_at: int) -> bytes:
    """S0–S3 (but rows) over the openings; the digest of the histogram found. Raises Refused where anything differs from the terms."""
    case = Case.parse(openings.rule_set, openings.declarations)
    if sha256(openings.rule_set).digest() != terms.rule_set.digest or openings.declarations_digest != terms.declarations:
        raise Refused("attestation_refused", "S3", why="other_declarations")
    chunks = list(blind_many(openings.entries, openings.snapshot_id, case, question_of(terms, evaluation_at)))
    pool = assemble(chunks, in_order=True)
    if pool.snapshot_root != terms.snapshot.root or any(a >= b for a, b in zip(pool.labels, pool.labels[1:], strict=False)):
        raise Refused("attestation_refused", "S0", why="other_snapshot")
    if pool.faults or pool.twice():
        raise Refused("attestation_refused", "S2", why="person_twice")
    if pool.decisions_root != terms.decisions or pool.rule_counts() != terms.counts:
        raise Refused("attestation_refused", "S3", why="other_decisions")
    return histogram_digest(openings.histogram_salt, pool.histogram())


def attest_roll(roll: Roll, terms: Terms, need: Need) -> bytes:
    """D1 and F1 to F3 over the roll; the digest of the histogram found. Raises Refused where anything differs from the terms."""
    if roll.digest != terms.roll or list(roll.faults()) or small_pool(roll, terms.plan) != terms.small_pool:
        raise Refused("attestation_refused", "D1", why="other_roll")
    chances = numerators(roll.field, need)
    root = merkle.root([chance_leaf(tag, number) for tag, number in zip(roll.tags, chances, strict=True)])
    if count(roll.field, need) != terms.total or root != terms.chances.root:
        raise Refused("attestation_refused", "F1", why="other_chances")
    if sampler_for(roll.field, need) != terms.sampler:  # also one of an older version: new terms name the present one
        raise Refused("attestation_refused", "D2", why="other_sampler")
    if (terms.method == FAIR) != (roll.table is not None):
        raise Refused("attestation_refused", "D1", why="other_table")
    if roll.table is not None:
        for check, code, place, _ in check_fairness(roll.field, need, roll.table).faults:
            raise Refused("attestation_refused", f"{check} {place}", why=code)
    return histogram_digest(roll.salt, roll.histogram())


def answer_content(slot: int, occupant: int, state: str, reason: str) -> bytes:
    """The private text of an answer, behind its salted digest."""
    return dumps({"occupant": occupant, "reason": reason, "slot": slot, "state": state}, text=True)


def parse_answer(content: bytes) -> dict[str, object]:
    """The inverse of `answer_content`."""
    value: dict[str, object] = loads(content, place="answer", text=True)
    return value
