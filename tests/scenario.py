"""A small world for tests: people, keys, a log with witnesses, and an operator who may be honest or not.

`World` plays a whole draw with drawing's own functions. A test that wants a lie gives `tamper`: it gets each body before it is signed and
returns what the liar writes instead; everything after is signed, logged and proved rightly, so that a mutation fails exactly where it lies.
"""

from __future__ import annotations

import hmac
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey
from nacl.public import PrivateKey
from nacl.signing import SigningKey
from py_arkworks_bls12381 import G1Point, G2Point, Scalar

from drawing import map as sparse
from drawing import merkle, randomness, vrf
from drawing.beacon import DST, SCHEME, Drand, Local, Network, Node, chain_hash, group_seed, message
from drawing.canonical import TH, dumps
from drawing.certificate import Table, read_table, table_bytes
from drawing.conflict import Case
from drawing.draw import Draw, Project, states_bytes, step
from drawing.errors import Refused
from drawing.events import (
    FAIR,
    Abandoned,
    Answer,
    Answers,
    Appointed,
    Attested,
    Beacon,
    Body,
    Chances,
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
    Placed,
    Plan,
    Predecessor,
    Replaced,
    Result,
    Resumed,
    RoundContributed,
    RuleSet,
    Screened,
    Seat,
    Signature,
    Site,
    Snapshot,
    SteppedIn,
    Stopped,
    Terms,
    Unsealed,
    Unsealing,
    draft_digest,
    project_tag,
)  # fmt: skip
from drawing.fair import SAMPLER_VERSION, Need, count, numerators, sampler_for
from drawing.keys import Entry as KeyEntry
from drawing.keys import KeyList, keys_bytes
from drawing.lots import Lots, first, first_need, rest_need, step_in, successors
from drawing.note import COSIGNATURE, ED25519, MLDSA_COSIGNATURE, Checkpoint, Policy, VKey, cosign, sign_note
from drawing.openings import Bidders, Changes, Openings, Private, write_openings
from drawing.pool import Entry, Pool, assemble, blind, decoys_needed, histogram_digest
from drawing.proof import Logged, Mapped, MapProof, Monitored, Proof, map_value, proof_bytes
from drawing.roll import Removed, Roll, chance_leaf, make_roll, roll_file, small_pool
from drawing.verify import Files, verify
from drawing.verify_private import question_of, removed_tags

START = 1_790_000_000  # 2026-09-21
FITTED: list[Callable[[Roll, Need], bytes | None]] = []  # where tables are kept already, so that no solver is asked
RULES = dumps(
    {
        "conflict": [
            {"code": c, "parameters": {"years": 3} if c in ("A5", "A6", "A7") else {}}
            for c in ("A3", "A4", "A5", "A10", "C9", "H1", "H2", "H3", "H5")
        ]
    },
    text=True,
)
PLAN = Plan(
    90, 2, (), 2,
    (Seat(2, False, ("A0801",), 1, ""), Seat(1, False, ("A0601", "C0304"), 1, "")),
    (Site(("11",), "home", True), Site(("12",), "guest", False)),
)  # fmt: skip


def person(number: int, chance: random.Random, **values: object) -> bytes:
    """A record of a fictional expert."""
    employer = chance.choice("abcdefghijklmnop")
    record: dict[str, object] = {
        "area": chance.choice(("110108", "110105", "120101")), "avoid": [], "birthday": "1970-01-31", "directorships": [],
        "draws": ["2026-09-01"] if chance.random() < 0.15 else [], "duty": "", "education": "", "email": "",
        "employer": {"code": f"UNIT-{employer}", "name": f"单位{employer}"}, "engagements": [], "entered": "2018-05-01", "fictional": True,
        "gender": 1, "id_number": f"ID{number:010d}", "id_type": "9", "industry": "", "leave": [], "library": "测试库", "name": f"专家{number}号",
        "on_work": True, "phone": f"138{number:08d}", "professions": chance.sample(["A080104", "A0601", "C0304", "B0132"], 2), "punished": [],
        "regions": ["110000"], "relatives": [], "shareholdings": [], "status": "active", "supervisor_of": [], "suspensions": [],
        "title": "高级工程师", "title_level": "senior", "weight": 1, "work": [], "work_years": 20,
    }  # fmt: skip
    record.update(values)
    return dumps(record, text=True)


def declarations(bidders: Sequence[str] = ("UNIT-a",)) -> bytes:
    return dumps(
        {
            "bidders": [{"code": code, "name": code, "persons": []} for code in bidders], "declared": [],
            "evaluation_from": "2026-09-22", "evaluation_to": "2026-09-22", "groups": [], "groups_checked": True,
            "parties": [{"code": "UNIT-b", "name": "单位b", "role": "tenderer"}], "regime": "ZTB",
        },
        text=True,
    )  # fmt: skip


@dataclass
class Holder:
    name: str
    role: str
    body: str
    seed: bytes

    def sign(self, message: bytes) -> bytes:
        return bytes(SigningKey(self.secret("sign")).sign(message).signature)

    def secret(self, use: str) -> bytes:
        return sha256(self.seed + use.encode() + self.name.encode()).digest()

    @property
    def public(self) -> bytes:
        return bytes(SigningKey(self.secret("sign")).verify_key)

    @property
    def vkey(self) -> VKey:
        return VKey(self.name, COSIGNATURE if self.role == "witness" else ED25519, self.public)

    @property
    def entry(self) -> KeyEntry:
        box = bytes(PrivateKey(self.secret("box")).public_key) if self.role == "supervisor" else b""
        vrf_key = vrf.public_key(self.secret("vrf")) if self.role == "contributor" else b""
        return KeyEntry(self.body, box, "body", self.role, str(self.vkey), vrf_key)


@dataclass
class SecondKey:
    """The ML-DSA-44 key of a witness. Its signatures are no function of key and message, so a world that uses it differs from run to run."""

    name: str
    seed: bytes

    def __post_init__(self) -> None:
        self.secret = MLDSA44PrivateKey.from_seed_bytes(sha256(self.seed + b"mldsa" + self.name.encode()).digest())
        self.vkey = VKey(self.name, MLDSA_COSIGNATURE, self.secret.public_key().public_bytes_raw())

    def sign(self, message: bytes) -> bytes:
        return self.secret.sign(message)


CAST = (
    ("centre/operator", "operator", "centre"), ("centre/staff", "staff", "centre"), ("bureau/one", "supervisor", "bureau"),
    ("bureau/two", "supervisor", "discipline"), ("notary/c", "contributor", "notary"), ("other/c", "contributor", "other centre"),
    ("bureau/monitor", "monitor", "bureau"), ("ministry/order", "authority", "ministry"), ("gateway/g", "gateway", "carrier"),
)  # fmt: skip
Tamper = Callable[[Body], Body]


@dataclass(frozen=True)
class ToyNetwork:
    """A beacon network whose secret a test knows: rounds are signed at once. `kind` local has three nodes of three bodies."""

    kind: str
    period: int = 3
    genesis: int = START - 30_000

    @property
    def secret(self) -> Scalar:
        return Scalar(int.from_bytes(sha256(f"toy network {self.kind}".encode()).digest(), "big") >> 3)

    @property
    def network(self) -> Network:
        key = (G2Point() * self.secret).to_compressed_bytes()
        if self.kind == "drand":
            return Drand(sha256(b"toy group").digest(), self.genesis, "drand", "toy-drand", self.period, key, SCHEME)
        named = [(f"node body {n}", bytes(SigningKey(sha256(f"toy node {n}".encode()).digest()).verify_key)) for n in range(3)]
        nodes = tuple(sorted(named, key=lambda each: each[1]))
        seed = group_seed(self.genesis, "toy-local", nodes, self.period, 2)
        return Local(seed, self.genesis, "local", "toy-local", tuple(Node(b, "body", k) for b, k in nodes), self.period, key, SCHEME, 2)

    def sign(self, number: int) -> bytes:
        return bytes((G1Point.hash_to_curve(message(number), DST) * self.secret).to_compressed_bytes())


@dataclass
class World:
    """One centre with one log. Deterministic for a seed."""

    seed: int = 1
    people: int = 60
    witnesses: int = 3
    quorum: int = 3  # 1 + floor(2W/3)
    plan: Plan = PLAN
    records: list[bytes] | None = None
    tamper: Tamper = lambda body: body
    dry_run: bool = False
    rounds_by_draw_key: bool = False
    monitored: bool = True
    unsealing_delay: int = 100
    previous: bool = False
    number: str = "P-1"
    log_name: str = "centre/log"
    extra_employers: int = 0
    method: str = "uniform/1"
    retable: Callable[[Table], Table] = lambda table: table
    beacon: str = "none"
    second_quorum: bool = False
    sampler_version: int = SAMPLER_VERSION
    retell: Callable[[Event], Event] = lambda event: event

    leaves: list[bytes] = field(default_factory=list)
    index_of: dict[int, int] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    heads: dict[bytes, tuple[int, bytes]] = field(default_factory=dict)
    notes: dict[int, bytes] = field(default_factory=dict)
    clock: int = START
    project: Project = field(default_factory=Project)
    sections: list[Roll | Removed] = field(default_factory=list)
    private: list[Private] = field(default_factory=list)
    bidders: list[Bidders] = field(default_factory=list)
    mapped: tuple[int, Mapped] | None = None

    def __post_init__(self) -> None:
        self.root = sha256(f"world {self.seed}".encode()).digest()
        self.holders = {name: Holder(name, role, body, self.root) for name, role, body in CAST}
        self.log_key = Holder(self.log_name, "log", "centre", self.root)
        self.witness_keys = [Holder(f"w{n}.example/w", "witness", f"w{n}", self.root) for n in range(self.witnesses)]
        chance = random.Random(f"people {self.seed}")
        self.all_records = self.records if self.records is not None else [person(n, chance) for n in range(self.people)]
        policy = Policy(
            self.log_key.vkey,
            {f"w{n}": key.vkey for n, key in enumerate(self.witness_keys)},
            {"most": (self.quorum, ("w0", "w1", "w2"))} if self.witnesses == 3 else {},
            "most" if self.witnesses == 3 else "none",
        )
        entries = tuple(sorted((holder.entry for holder in self.holders.values()), key=lambda entry: entry.vkey.partition("+")[0]))
        self.toy = ToyNetwork(self.beacon)
        networks = () if self.beacon == "none" else (self.toy.network,)
        self.key_list = KeyList(1, entries, networks, policy.text(), bytes(32), ())
        self.second_keys: list[SecondKey] = []
        if self.second_quorum:
            self.second_keys = [SecondKey(key.name, self.root) for key in self.witness_keys]
            second = Policy(self.log_key.vkey, {f"w{n}": key.vkey for n, key in enumerate(self.second_keys)}, policy.groups, policy.quorum)
            self.key_list = replace(self.key_list, second_policy=second.text())
        self.tag = project_tag(self.number)
        self.decl = declarations()

    # Secrets and chance -------------------------------------------------------------------------------------------------------------

    def secret(self, name: str) -> bytes:
        return hmac.digest(self.root, f"{name} {self.project.draw.attempt}".encode(), "sha256")

    def keys(self) -> bytes:
        return keys_bytes([self.key_list])

    # The beacon ---------------------------------------------------------------------------------------------------------------------

    def sign_round(self, number: int) -> bytes:
        return self.toy.sign(number)

    def lots_in(self, seconds: int) -> int:
        """The first round that is due so many seconds after the next event."""
        return self.toy.network.first_from(self.clock + 10 + seconds)

    def next_lots(self, opened: Sequence[int]) -> int | None:
        """The round that an event names which leaves these slots open."""
        still = any(not self.project.draw.slots[number].reserve for number in opened)
        return self.lots_in(90) if self.beacon != "none" and still else None

    def wait_for(self, number: int) -> None:
        """The next event comes when the round is due."""
        self.clock = max(self.clock, self.toy.network.time_of(number) - 10)

    # The log ------------------------------------------------------------------------------------------------------------------------

    def log(self, body: Body, *signers: str, tag: bytes | None = None) -> Event:
        """Sign, step and append one event with the map's root. Faults are ignored: whoever lies does not ask his own rule book."""
        body = self.tamper(body)
        self.clock += 10
        draw = self.project.draw
        attempt = draw.attempt + 1 if isinstance(body, Opened) else draw.attempt
        head = Head(self.clock, attempt, self.dry_run, self.project.head, tag or self.tag, self.project.events)
        unsigned = Event(head, body, ())
        sigs = tuple(Signature(name, self.holders[name].sign(unsigned.payload)) for name in sorted(signers))
        event = self.retell(Event(head, body, sigs))
        self.project, self.faults = step(self.project, event)
        self.events.append(event)
        self.index_of[head.seq] = len(self.leaves)
        self.leaves.append(event.leaf)
        self.heads[head.project] = (attempt, event.leaf_hash)
        self.log_map()
        return event

    def log_map(self) -> None:
        root = sparse.root({tag: map_value(*each) for tag, each in self.heads.items()})
        unsigned = Mapped(self.clock, self.log_name, root, (), len(self.leaves), "mapped", "draw/v1")
        operator = self.holders["centre/operator"]
        mapped = replace(unsigned, sigs=(Signature(operator.name, operator.sign(unsigned.payload)),))
        self.mapped = (len(self.leaves), mapped)
        self.leaves.append(mapped.leaf)
        self.note()

    def note(self, time: int | None = None) -> None:
        """The checkpoint of the present size, cosigned by all witnesses."""
        hashes = [merkle.leaf_hash(leaf) for leaf in self.leaves]
        text = Checkpoint(self.log_name, len(hashes), merkle.root(hashes)).text()
        note = sign_note(text, self.log_key.vkey, self.log_key.sign)
        for key in (*self.witness_keys, *self.second_keys):
            note = cosign(note, key.vkey, time or self.clock, key.sign)
        self.notes[len(hashes)] = note

    # The pool -----------------------------------------------------------------------------------------------------------------------

    def entries(self) -> list[Entry]:
        made = [Entry(hmac.digest(self.secret("expert"), record, "sha256"), record) for record in self.all_records]
        return made + [
            Entry(hmac.digest(self.secret("decoy"), bytes([n & 255, n >> 8]), "sha256")) for n in range(decoys_needed(len(made)))
        ]

    def build(self, plan: Plan) -> tuple[Pool, Roll, list[Entry]]:
        entries = self.entries()
        case = Case.parse(RULES, self.decl)
        draft = question_of(replace(self._blank_terms(), plan=plan, method=self.method), self.evaluation_at)
        pool = assemble([blind(entries, self.snapshot_id, case, draft)], draw_secret=self.secret("draw"))
        roll = make_roll(pool.types, self.secret("histogram"), pool.rows)
        return pool, roll, [entries[n] for n in pool.order]

    def tabled(self, roll: Roll, need: Need) -> Roll:
        """With the table of `fair/1`, or whatever a liar makes of it."""
        if self.method != FAIR:
            return roll
        kept = next((data for data in (each(roll, need) for each in FITTED) if data is not None), None)
        if kept is None:
            from server.fit import fit

            table = fit(roll.field, need)
        else:
            table = read_table(kept, roll.field, "table")
        return make_roll(roll.types, roll.salt, roll.rows, table_bytes(self.retable(table)))

    @property
    def snapshot_id(self) -> str:
        return "snap-" + self.secret("snapshot").hex()[:8]

    @property
    def evaluation_at(self) -> int:
        return START + 86_400

    def _blank_terms(self) -> Terms:
        zero = bytes(32)
        from drawing.events import RollDigest

        return Terms(
            Chances(1, zero, 1), (), zero, zero, True, "uniform/1", self.plan, RollDigest(zero, zero), RuleSet(zero, "test", "1"),
            "cells-reject/2", False, Snapshot("s", (), zero, 1), 1,
        )  # fmt: skip

    @property
    def changes(self) -> Changes:
        people = [sha256(f"9\0ID{n:010d}".encode()).digest()[:16] for n in range(len(self.all_records))]
        return Changes(self.secret("changes"), len(people), (people[0],), (sha256(b"left").digest()[:16],), (people[1],))

    def terms(self, pool: Pool, roll: Roll, need: Need) -> Terms:
        chances = numerators(roll.field, need)
        previous = (Predecessor(self.changes.digest, sha256(b"before").digest()),) if self.previous else ()
        return Terms(
            chances=Chances(max(chances), merkle.root([chance_leaf(t, n) for t, n in zip(roll.tags, chances)]), min(chances)),
            counts=pool.rule_counts(), decisions=pool.decisions_root,
            declarations=TH("draw/v1/declarations", self.secret("decl"), self.decl), groups_checked=True, method=self.method,
            plan=self.current_plan, roll=roll.digest, rule_set=RuleSet(sha256(RULES).digest(), "test", "1"),
            sampler=sampler_for(roll.field, need, self.sampler_version), small_pool=small_pool(roll, self.current_plan),
            snapshot=Snapshot(self.snapshot_id, previous, pool.snapshot_root, len(pool.labels)), total=count(roll.field, need),
        )  # fmt: skip

    # The steps of a draw ------------------------------------------------------------------------------------------------------------

    def open(self) -> None:
        self.log(Opened(self.log_name, sha256(b"notice").digest(), "1"), "centre/staff")
        self.current_plan = self.plan

    def commit_body(self) -> Committed:
        self.pool, self.roll, self.ordered = self.build(self.plan)
        need = first_need(self.roll, self.plan)
        self.roll = self.tabled(self.roll, need)
        self.sections = [self.roll]
        terms = self.terms(self.pool, self.roll, need)
        points, self.shares = vrf.split(self.secret("draw key"), 2, 2, [self.secret("a") + self.secret("b")])
        contributors = ("notary/c", "other/c")
        beacon: NoBeacon | Beacon = NoBeacon(points[0], Escrow(("bureau/one", "bureau/two"), tuple(points)), "none")
        if self.beacon != "none":
            beacon = Beacon(self.beacon, chain_hash(self.toy.network), self.lots_in(300))
        return Committed(
            beacon=beacon, contributors=contributors,
            deadlines=Deadlines(self.clock + (10_000 if self.beacon == "none" else 250), self.clock + 20_000), evaluation_at=self.evaluation_at,
            keys=KeyListRef(self.key_list.digest, self.key_list.version), regime="ZTB", reply_window=900,
            round_contributors=() if self.rounds_by_draw_key or self.beacon != "none" else contributors, terms=terms,
            unsealing=Unsealing(self.clock + self.unsealing_delay, 2),
        )  # fmt: skip

    def attest(self, body: Committed | Extended) -> None:
        found = histogram_digest(self.roll.salt, self.roll.histogram())
        draft = draft_digest(self.tamper(body))  # type: ignore[arg-type]
        self.log(Attested(draft, found, "openings"), "bureau/one")
        self.log(Attested(draft, found, "roll"), "bureau/two")

    def commit(self) -> None:
        body = self.commit_body()
        self.attest(body)
        self.log(body, "centre/staff", "bureau/one")

    def contribute(self, names: Sequence[str] = ("notary/c", "other/c")) -> None:
        for name in names:
            stage = self.project.draw.stages[-1]
            holder = self.holders[name]
            nth = self.project.contributions.get(name, 0) + 1
            pi = vrf.prove(holder.secret("vrf"), stage.alpha())
            body = Contributed(name, nth, pi, vrf.public_key(holder.secret("vrf")), bytes(64))
            self.log(replace(body, sig=holder.sign(body.statement(stage.leaf))), "centre/operator")

    def lots(self) -> tuple[bytes, bytes]:
        """(value, seed) of the stage that is complete."""
        draw = self.project.draw
        stage = draw.stages[-1]
        if draw.beacon is not None:
            return self.beacon_lots(draw)
        pairs = randomness.betas((pk, pi) for _, pk, pi, _ in stage.given)
        key = self.secret("draw key")
        if stage.kind == "round":
            value = vrf.prove(key, randomness.round_last_alpha(stage.leaf, stage.number, stage.states, pairs))
            beta = vrf.proof_to_hash(value)
            return value, randomness.round_seed(draw.seed, stage.number, stage.states, vrf.public_key(key), beta, pairs)
        value = vrf.prove(key, randomness.last_alpha(stage.leaf, pairs))
        return value, randomness.seed(stage.leaf, vrf.public_key(key), vrf.proof_to_hash(value), pairs)

    def beacon_lots(self, draw: Draw) -> tuple[bytes, bytes]:
        """Waits for the round that is due, and takes its value."""
        stage, beacon = draw.stages[-1], draw.beacon
        assert beacon is not None
        if stage.outcome is not None:
            assert draw.named is not None
            self.wait_for(draw.named.lots)
            value = self.sign_round(draw.named.lots)
            states, lots = draw.named.states, draw.named.lots
            return value, randomness.beacon_round_seed(draw.seed, draw.round, states, beacon.network, lots, value)
        self.wait_for(stage.lots)
        value = self.sign_round(stage.lots)
        pairs = randomness.betas((pk, pi) for _, pk, pi, _ in stage.given)
        return value, randomness.beacon_seed(stage.leaf, beacon.network, stage.lots, value, pairs)

    def result(self) -> None:
        value, seed = self.lots()
        drawn = first(self.roll, self.current_plan, self.removed, seed, self.sampler_version)
        self.log(Result(drawn.placed, seed, drawn.trace, value), "centre/operator")

    @property
    def removed(self) -> frozenset[bytes]:
        return frozenset(tag for each in self.sections if isinstance(each, Removed) for tag in each.tags)

    def notify(self) -> None:
        draw = self.project.draw
        fresh = [n for n, slot in enumerate(draw.slots) if slot.tag and not slot.notified]
        if fresh:
            self.log(
                Notified(tuple(Notice(TH("draw/v1/private", self.secret("n"), bytes([n])), n) for n in fresh), draw.round), "gateway/g"
            )

    def answer(self, left: Sequence[int] = (), only: Sequence[int] | None = None, evidence: str = "two_persons") -> None:
        self.notify()
        draw = self.project.draw
        answers = []
        for number, slot in enumerate(draw.slots):
            if slot.tag and slot.notified and (slot.state == "pending" or number in left) and (only is None or number in only):
                state = "left" if number in left else "accepted"
                content = dumps({"occupant": len(slot.tags), "slot": number, "state": state})
                salt = hmac.digest(self.root, bytes([number, self.project.events & 255]), "sha256")
                self.private.append(Private(self.project.events, number, salt, content))
                answers.append(Answer(evidence, TH("draw/v1/private", salt, content), number, state))
        if not answers:
            return
        signers = ("centre/operator", "centre/staff", "bureau/one") if evidence == "two_persons" else ("centre/operator",)
        lots = self.next_lots([each.slot for each in answers if each.state == "left"])
        self.log(Answers(tuple(answers), draw.round, lots), *signers)

    def replace(self) -> None:
        """Reserves first, then a round for what is still open."""
        draw = self.project.draw
        moves = step_in(self.roll, self.current_plan, draw.slots, draw.gone | self.removed)
        if moves:
            self.log(SteppedIn(moves, draw.round), "centre/operator")
        if self.project.draw.open_slots:
            self.round()

    def round(self) -> None:
        draw = self.project.draw
        if not self.rounds_by_draw_key and self.beacon == "none":
            states, leaf = states_bytes(draw.slots), draw.commits[-1].leaf_hash
            for name in ("notary/c", "other/c"):
                holder = self.holders[name]
                pi = vrf.prove(holder.secret("vrf"), randomness.round_alpha(leaf, draw.round, states))
                body = RoundContributed(name, pi, vrf.public_key(holder.secret("vrf")), draw.round, bytes(64))
                self.log(replace(body, sig=holder.sign(body.statement(leaf))), "centre/operator")
        self.lots_again()

    def lots_again(self) -> None:
        draw = self.project.draw
        if self.rounds_by_draw_key and draw.stages[-1].outcome is not None:
            key, leaf = self.secret("draw key"), draw.commits[-1].leaf_hash
            states = states_bytes(draw.slots)
            value = vrf.prove(key, randomness.round_last_alpha(leaf, draw.round, states, ()))
            seed = randomness.round_seed(draw.seed, draw.round, states, vrf.public_key(key), vrf.proof_to_hash(value), ())
        else:
            value, seed = self.lots()
        drawn: Lots = successors(self.roll, self.current_plan, draw.slots, draw.gone | self.removed, seed, self.sampler_version)
        self.log(Replaced(drawn.placed, draw.round, seed, drawn.trace, value), "centre/operator")

    def screen(self, codes: Sequence[str]) -> None:
        """A sealed bidder list arrives."""
        content = dumps([{"code": code, "name": code, "persons": []} for code in codes], text=True)
        bidders = Bidders(sha256(b"b" + self.root + bytes([len(self.bidders)])).digest(), content)
        opened = self.openings(secret=True)
        tags = removed_tags(opened, self.project.draw, Case.parse(RULES, self.decl), content, 0) & set(self.roll.tags)
        removed = Removed(sha256(b"r" + self.root + bytes([len(self.bidders)])).digest(), tuple(sorted(tags)))
        self.bidders.append(bidders)
        self.sections.append(removed)
        hit = tuple(n for n, slot in enumerate(self.project.draw.slots) if slot.tag in tags)
        self.log(Screened(bidders.digest, removed.digest, hit, self.next_lots(hit)), "centre/operator", "bureau/one")

    def extend(self, plan: Plan) -> None:
        """Wider terms for the open slots, with new contributions and new lots."""
        draw = self.project.draw
        self.current_plan = plan
        self.pool, self.roll, self.ordered = self.build(plan)
        need = rest_need(self.roll, plan, draw.slots, draw.gone | self.removed)
        self.roll = self.tabled(self.roll, need)
        terms = self.terms(self.pool, self.roll, need)
        lots = None if self.beacon == "none" else self.lots_in(300)
        body = Extended(draw.open_slots, sha256(b"reason").digest(), terms, lots)
        self.attest(body)
        self.log(body, "centre/staff", "bureau/one")
        self.sections.append(self.roll)
        self.contribute()
        self.lots_again()

    def appoint(self, kind: str, place: int) -> None:
        still = [n for n in self.project.draw.open_slots if n != place] if kind == "direct_choice" else []
        self.log(Appointed("D2", kind, sha256(b"person").digest(), place, self.next_lots(still)), "centre/staff", "bureau/one")

    def stop_and_resume(self) -> None:
        self.log(Stopped(sha256(b"order").digest()), "bureau/two")
        self.log(Resumed(sha256(b"order").digest()), "bureau/two")

    def check(self) -> None:
        self.log(Checked(), "bureau/two")

    def unseal(self) -> None:
        self.clock += self.unsealing_delay
        self.log_map()  # a checkpoint that a quorum cosigned after the unsealing time and that does not hold the unsealing
        self.quiet = max(self.notes)
        slots = tuple(n for n, slot in enumerate(self.project.draw.slots) if slot.tag and not slot.reserve and not slot.unsealed)
        self.log(Unsealed(slots), "bureau/one", "bureau/two")

    def close(self) -> None:
        self.log(Closed(), "centre/staff", "bureau/one")

    def abandon(self, reason: str = "incomplete") -> None:
        extra = ("ministry/order",) if reason == "order" else ()
        self.log(Abandoned(sha256(b"paper").digest(), reason), "centre/staff", "bureau/one", *extra)

    def finish(self) -> None:
        """From the result to the end, everybody accepting."""
        if any(slot.tag and slot.state == "pending" for slot in self.project.draw.slots):
            self.answer()
        self.check()
        self.unseal()
        self.close()

    def whole(self, left: Sequence[int] = ()) -> World:
        """An ordinary draw; `left` decline."""
        self.open()
        self.commit()
        self.contribute()
        self.result()
        if left:
            self.answer(left=left)
            self.replace()
        self.finish()
        return self

    # What a verifier gets -----------------------------------------------------------------------------------------------------------

    def openings(self, secret: bool | None = None) -> Openings:
        closed = self.project.draw.phase.value == "closed" if secret is None else secret
        return Openings(
            project=self.tag, attempt=self.project.draw.attempt, snapshot_id=self.snapshot_id, rule_set=RULES, declarations=self.decl,
            declarations_salt=self.secret("decl"), histogram_salt=self.secret("histogram"), entries=self.ordered,
            draw_secret=self.secret("draw") if closed else b"", bidders=tuple(self.bidders),
            changes=self.changes if self.previous else None, private=tuple(self.private),
        )  # fmt: skip

    def proof(self) -> Proof:
        hashes = [merkle.leaf_hash(leaf) for leaf in self.leaves]
        tree = merkle.Tree(hashes)
        size = len(hashes)
        sizes = {size}
        for draw in self.project.attempts:
            for stage in draw.stages:
                if (stage.kind != "round" or stage.lots) and stage.seq in self.index_of:
                    sizes.add(self.index_of[stage.seq] + 2)
                    if stage.given and stage.complete:
                        sizes.add(self.index_of[stage.given[-1][3]] + 2)
        if hasattr(self, "quiet"):
            sizes.add(self.quiet)
        ordered = sorted(self.proof_sizes(sizes))
        assert self.mapped is not None
        at, mapped = self.mapped
        monitor = self.holders["bureau/monitor"]
        statement = Monitored(self.clock, self.log_name, mapped.root, (Signature(monitor.name, bytes(64)),), size)
        statement = replace(statement, sigs=(Signature(monitor.name, monitor.sign(statement.payload)),))
        items = {tag: map_value(*each) for tag, each in self.heads.items()}
        return Proof(
            origin=self.log_name,
            events=tuple(Logged(e, self.index_of[e.head.seq], tuple(tree.inclusion(self.index_of[e.head.seq]))) for e in self.events),
            checkpoints=tuple(self.notes[each].decode() for each in ordered),
            consistency=tuple(tuple(merkle.consistency_proof(hashes[:new], old)) for old, new in zip(ordered, ordered[1:])),
            map=MapProof(at, mapped, tuple(tree.inclusion(at)), tuple(sparse.prove(items, self.tag))),
            monitors=(statement,) if self.monitored else (),
        )

    def proof_sizes(self, sizes: set[int]) -> set[int]:
        """The sizes whose checkpoints go into the proof."""
        return sizes

    def files(self, *, roll: bool = True, openings: bool = True) -> Files:
        return Files(
            proof_bytes(self.proof()),
            self.keys(),
            roll_file(self.sections) if roll and self.sections else None,
            b"".join(write_openings(self.openings())) if openings and self.sections else None,
        )

    def verify(self, **levels: bool):  # type: ignore[no-untyped-def]
        return verify(self.files(**levels))


def swap(kind: type[Body], change: Callable[[Body], Body], nth: int = 0) -> Tamper:
    """A liar who changes the nth body of a kind."""
    seen = [0]

    def tamper(body: Body) -> Body:
        if isinstance(body, kind):
            seen[0] += 1
            if seen[0] == nth + 1:
                return change(body)
        return body

    return tamper


__all__ = ["PLAN", "Placed", "Refused", "World", "declarations", "person", "swap"]
