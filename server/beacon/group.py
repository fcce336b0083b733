"""The group file: which nodes of which bodies set up one local network, and when. Everybody compares its digest by telephone or on paper.

What the network is for ever is in its seed (bodies and keys, period, genesis, threshold). Addresses, box keys and the times of the set-up are
bound by the digest of the whole file, which every message of the set-up names: a node with another file is not listened to.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any

from drawing.beacon import MAX_NODES, MAX_PERIOD, SCHEME, Local, Node, check_group, group_seed
from drawing.canonical import dumps, loads
from drawing.errors import Refused
from drawing.model import choice, hexes, many, nested, shape_of, text, time, unicode_text, whole, word
from server.files import read_bounded
from server.keyfiles import KeyFile

VERSION = "lotroom-beacon-group/1"
MAX_FILE = 256 << 10
PHASES = ("deal", "complain", "justify", "confirm")
_ADDRESS = r"https?://[A-Za-z0-9.\-\[\]:]{1,200}(/[A-Za-z0-9._\-/]{0,100})?"


@dataclass(frozen=True, slots=True)
class Member:
    """One node: body, base address, Ed25519 key, X25519 key that shares are sealed to."""

    address: Annotated[str, text(300, _ADDRESS)]
    body: Annotated[str, unicode_text(200)]
    box: Annotated[bytes, hexes(32)]
    key: Annotated[bytes, hexes(32)]


@dataclass(frozen=True)
class Group:
    """The file. Members are sorted by key; member n of the list is node n + 1. `setup_at` is when dealing begins, `phase` seconds per step."""

    genesis_time: Annotated[int, time]
    members: Annotated[tuple[Member, ...], many(nested(Member), 3, MAX_NODES)]
    name: Annotated[str, word]
    period: Annotated[int, whole(1, MAX_PERIOD)]
    phase: Annotated[int, whole(1, 3600)]
    setup_at: Annotated[int, time]
    v: Annotated[str, choice(VERSION)]

    @property
    def threshold(self) -> int:
        """How many nodes sign together: t of n = 2t - 1."""
        return (len(self.members) + 1) // 2

    @cached_property
    def data(self) -> bytes:
        return dumps(shape_of(Group).write(self), text=True)

    @cached_property
    def digest(self) -> bytes:
        return sha256(self.data).digest()

    @property
    def seed(self) -> bytes:
        """The network's genesis seed."""
        return group_seed(self.genesis_time, self.name, self._named, self.period, self.threshold)

    @property
    def _named(self) -> tuple[tuple[str, bytes], ...]:
        return tuple((each.body, each.key) for each in self.members)

    def number_of(self, key: bytes) -> int:
        """A node's number, from 1; 0 for a key that is not in the group."""
        return next((n for n, each in enumerate(self.members, 1) if each.key == key), 0)

    def member(self, number: int) -> Member:
        return self.members[number - 1]

    def phase_at(self, now: float) -> int:
        """-1 before the set-up, then 0 deal, 1 complain, 2 justify, 3 and more confirm."""
        return -1 if now < self.setup_at else int((now - self.setup_at) // self.phase)

    def network(self, public_key: bytes, held: str = "body") -> Local:
        """What goes into a key list once there is a key."""
        nodes = tuple(Node(each.body, held, each.key) for each in self.members)
        return Local(self.seed, self.genesis_time, "local", self.name, nodes, self.period, public_key, SCHEME, self.threshold)

    def check(self, place: str) -> None:
        """Raises Refused where the file cannot be a group's."""
        check_group(self.threshold, self._named, f"{place}.members")
        if len({each.box for each in self.members} | {each.key for each in self.members}) != 2 * len(self.members):
            raise Refused("key_twice", f"{place}.members", key="")
        if self.genesis_time < self.setup_at + len(PHASES) * self.phase:
            raise Refused("genesis_before_setup", place)


def make_group(
    members: list[tuple[KeyFile, str]], *, name: str, period: int, setup_at: int, phase: int, genesis_time: int | None = None
) -> Group:
    """A group of these public keys at these addresses. Raises Refused."""
    for key, address in members:
        if key.role != "node" or not key.box_public:
            raise Refused("not_a_node_key", key.name)
        if not re.fullmatch(_ADDRESS, address, re.ASCII):
            raise Refused("bad_address", address[:100])
    listed = sorted((Member(a.rstrip("/"), key.body, key.box_public, key.public) for key, a in members), key=lambda each: each.key)
    first = setup_at + len(PHASES) * phase
    value: dict[str, Any] = {
        "genesis_time": genesis_time if genesis_time is not None else first + (-first) % period,
        "members": [shape_of(Member).write(each) for each in listed],
        "name": name,
        "period": period,
        "phase": phase,
        "setup_at": setup_at,
        "v": VERSION,
    }
    group = shape_of(Group).read(value, "group")
    group.check("group")
    return group


def read_group(path: Path) -> Group:
    """A group file. Raises Refused."""
    data = read_bounded(path, MAX_FILE).removesuffix(b"\n")
    group = shape_of(Group).read(loads(data, place=path.name, max_bytes=MAX_FILE, text=True), path.name)
    group.check(path.name)
    return group
