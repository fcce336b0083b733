"""A contributor's part, on whatever machine the contributor's key is: an order in, a contribution out.

The order is `commit.json`: the committed leaf, its proof to the checkpoint CP0, the log's key and, in a replacement round, the states of the
slots. A contributor answers only a leaf that is proved in a checkpoint with the quorum of the contributor's own key list (which came from
elsewhere, not with the order), and counts the commits of each project it ever answered.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drawing import merkle, randomness, vrf
from drawing.canonical import dumps, loads, unhex
from drawing.errors import Refused
from drawing.events import Committed, Contributed, Event, Extended, RoundContributed, parse_event
from drawing.keys import KeyChain
from drawing.model import read_object, shape_of, whole
from drawing.note import LogProof, VKey
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
        """Raises Refused where the file is malformed. Nothing is proved yet: `check` does that."""
        value = read_object(loads(data, place="commit", max_bytes=MAX_FILE, text=True), "commit", {"leaf", "log", "proof", "round", "v"})
        if value["v"] != ORDER_VERSION or not all(isinstance(value[name], str) for name in ("leaf", "log", "proof")):
            raise Refused("unknown_version", "commit", known=ORDER_VERSION)
        return cls(
            value["leaf"].encode(),
            VKey.parse(value["log"], "commit.log"),
            LogProof.parse(value["proof"], "commit.proof"),
            _round(value["round"]),
        )

    def check(self, keys: KeyChain) -> Event:
        """The event that is to be answered. Raises Refused unless the leaf is a commit or an extension, proved in a checkpoint that is cosigned by the quorum
        of the key list that the commit names (for an extension, which names none, of the newest), and by its second quorum where it has one.

        Under `quorum none` there is nothing to reach: the log's own signature is all that there is, and whoever answers is told so.
        """
        event = parse_event(self.leaf, "commit.leaf")
        body = event.body
        if not isinstance(body, Committed | Extended):
            raise Refused("not_a_commit", "commit.leaf")
        ruling = keys.find(body.keys.version, body.keys.digest) if isinstance(body, Committed) else keys.newest
        if ruling is None:
            assert isinstance(body, Committed)
            raise Refused("other_key_list", "commit.leaf", version=body.keys.version)
        if self.log != ruling.log_policy.log:
            raise Refused("line_of_unknown_key", "commit.log", key=self.log.name)
        checked = ruling.log_policy.check(self.proof.checkpoint, "commit.proof", second=ruling.second is not None)
        merkle.check_inclusion(self.leaf_hash, self.proof.index, checked.checkpoint.size, self.proof.path, checked.checkpoint.root)
        if ruling.log_policy.has_quorum and not checked.quorum:
            raise Refused("commit_without_quorum", "commit.proof", got=len(checked.cosigned))
        if ruling.second is not None:
            second = ruling.second.check_rest(checked, "commit.proof")
            if not second.quorum:
                raise Refused("commit_without_quorum", "commit.proof", got=len(second.cosigned))
        return event


def _round(value: Any) -> RoundAsked | None:
    if value == []:
        return None
    if not isinstance(value, list) or len(value) != 1:
        raise Refused("not_a_list", "commit.round")
    got = read_object(value[0], "commit.round", {"number", "states"})
    states = got["states"] if isinstance(got["states"], str) else ""
    return RoundAsked(whole(1, 10_000).read(got["number"], "commit.round"), unhex(states, len(states) // 2, "commit.round"))


def contribute(order: Order, key: KeyFile, path: Path, keys: KeyChain) -> Contributed | RoundContributed:
    """The contribution of a key (its file at `path`) to an order. Raises Refused, before anything is counted or made, where the order does
    not hold under the key list or its commit does not name the key.
    """
    event = order.check(keys)
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
