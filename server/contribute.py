"""A contributor's part, on whatever machine the contributor's key is: an order in, a contribution out.

The order is `commit.json`: the committed leaf, its proof to the checkpoint CP0, the log's key and, in a replacement round, the states of the
slots. A contributor answers only a leaf that is proved in the log, and counts the commits of each project it ever answered.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drawing import merkle, randomness, vrf
from drawing.canonical import dumps, loads, unhex
from drawing.errors import Refused
from drawing.events import Committed, Contributed, Event, Extended, RoundContributed, parse_event
from drawing.model import read_object, shape_of, whole
from drawing.note import LogProof, Policy, VKey
from server.files import read_bounded
from server.keyfiles import KeyFile, count_contribution

ORDER_VERSION = "lotroom-commit/1"
CONTRIBUTION_VERSION = "lotroom-contribution/1"
MAX_FILE = 1 << 20


@dataclass(frozen=True, slots=True)
class RoundAsked:
    """A replacement round: its number and the states of the slots."""

    number: int
    states: bytes


@dataclass(frozen=True)
class Order:
    """What a contributor is asked to answer."""

    leaf: bytes
    log: VKey
    proof: LogProof
    round: RoundAsked | None

    @property
    def leaf_hash(self) -> bytes:
        return merkle.leaf_hash(self.leaf)

    def alpha(self) -> bytes:
        if self.round is None:
            return randomness.contribution_alpha(self.leaf_hash)
        return randomness.round_alpha(self.leaf_hash, self.round.number, self.round.states)

    def to_bytes(self) -> bytes:
        asked = [] if self.round is None else [{"number": self.round.number, "states": self.round.states.hex()}]
        value = {"leaf": self.leaf.decode(), "log": str(self.log), "proof": self.proof.text(), "round": asked, "v": ORDER_VERSION}
        return dumps(value, text=True)

    @classmethod
    def parse(cls, data: bytes) -> Order:
        """Raises Refused where the file is malformed or the leaf is not proved under the log's signed checkpoint."""
        value = read_object(loads(data, place="commit", max_bytes=MAX_FILE, text=True), "commit", {"leaf", "log", "proof", "round", "v"})
        if value["v"] != ORDER_VERSION or not all(isinstance(value[name], str) for name in ("leaf", "log", "proof")):
            raise Refused("unknown_version", "commit", known=ORDER_VERSION)
        order = cls(
            value["leaf"].encode(),
            VKey.parse(value["log"], "commit.log"),
            LogProof.parse(value["proof"], "commit.proof"),
            _round(value["round"]),
        )
        checked = Policy(order.log, {}).check(order.proof.checkpoint, "commit.proof")
        merkle.check_inclusion(order.leaf_hash, order.proof.index, checked.checkpoint.size, order.proof.path, checked.checkpoint.root)
        return order


def _round(value: Any) -> RoundAsked | None:
    if value == []:
        return None
    if not isinstance(value, list) or len(value) != 1:
        raise Refused("not_a_list", "commit.round")
    got = read_object(value[0], "commit.round", {"number", "states"})
    states = got["states"] if isinstance(got["states"], str) else ""
    return RoundAsked(whole(1, 10_000).read(got["number"], "commit.round"), unhex(states, len(states) // 2, "commit.round"))


def contribute(order: Order, key: KeyFile, path: Path) -> Contributed | RoundContributed:
    """The contribution of a key (its file at `path`) to an order. Raises Refused where the commit does not name the key."""
    event: Event = parse_event(order.leaf, "commit.leaf")
    if not isinstance(event.body, Committed | Extended):
        raise Refused("not_a_commit", "commit.leaf")
    if isinstance(event.body, Committed) and key.name not in event.body.contributors:
        raise Refused("not_a_contributor", "commit.leaf", key=key.name)
    if not key.vrf_secret:
        raise Refused("secret_elsewhere", key.name)
    pi = vrf.prove(key.vrf_secret, order.alpha())
    if order.round is not None:
        draft = RoundContributed(key.name, pi, key.vrf_public, order.round.number, bytes(64))
        return RoundContributed(draft.key, draft.pi, draft.pk, draft.round, key.sign(draft.statement(order.leaf_hash)))
    nth = count_contribution(path, event.head.project, order.leaf_hash)
    first = Contributed(key.name, nth, pi, key.vrf_public, bytes(64))
    return Contributed(first.key, first.nth, first.pi, first.pk, key.sign(first.statement(order.leaf_hash)))


def contribution_bytes(order: Order, body: Contributed | RoundContributed) -> bytes:
    """The file that a contributor sends back."""
    kind = "contributed" if isinstance(body, Contributed) else "round_contributed"
    value = {"contribution": shape_of(type(body)).write(body), "leaf": order.leaf_hash.hex(), "type": kind, "v": CONTRIBUTION_VERSION}
    return dumps(value) + b"\n"


def read_contribution(path: Path, order: Order, name: str) -> Contributed | RoundContributed | None:
    """The contribution in a file where it is this key's to this order, else None. Raises Refused where the file is malformed."""
    place = path.name
    value = read_object(loads(read_bounded(path, 65_535).removesuffix(b"\n"), place=place), place, {"contribution", "leaf", "type", "v"})
    if value["v"] != CONTRIBUTION_VERSION or value["type"] not in ("contributed", "round_contributed"):
        raise Refused("unknown_version", place, known=CONTRIBUTION_VERSION)
    kind: type[Contributed | RoundContributed] = Contributed if value["type"] == "contributed" else RoundContributed
    body = shape_of(kind).read(value["contribution"], place)
    if value["leaf"] != order.leaf_hash.hex() or body.key != name or (order.round is None) != isinstance(body, Contributed):
        return None
    if isinstance(body, RoundContributed) and order.round is not None and body.round != order.round.number:
        return None
    vrf.verify(body.pk, order.alpha(), body.pi)
    return body
