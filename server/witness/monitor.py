"""The monitor: replays a whole log, makes the map of attempts anew, compares every root that the log says, and signs what it found.

Nobody else reads everything. A witness compares trees, not what they hold; a proof shows one project. That the map's roots leave nobody out is
what a monitor alone can say (docs/spec/log.md 4, draw.md check C3). It signs nothing while anything differs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from drawing import merkle
from drawing.canonical import loads
from drawing.draw import Project, apply
from drawing.errors import Refused
from drawing.events import Signature, parse_event
from drawing.keys import KeyList
from drawing.model import shape_of
from drawing.note import Checkpoint
from drawing.proof import Mapped, Monitored, map_value
from server.keyfiles import KeyFile
from server.storage.attempts import AttemptMap
from server.storage.leaves import stream_of

MOST = 1_000


@dataclass(frozen=True, slots=True)
class Difference:
    """Something in the log that does not follow: at which leaf, what (a code), and a detail."""

    index: int
    what: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Notice:
    """A new epoch: at which leaf, what the log was named before, how long it was then, and how long a witness had seen it."""

    index: int
    origin: str
    size: int
    seen: int


@dataclass
class Replay:
    """What follows from the leaves read so far."""

    origin: str
    keys: KeyList | None = None
    projects: dict[bytes, Project] = field(default_factory=dict)
    attempts: AttemptMap = field(default_factory=AttemptMap)
    notices: list[Notice] = field(default_factory=list)
    unsaid: int = -1  # the last event whose map root the log has not said yet

    def read(self, index: int, leaf: bytes) -> Iterator[Difference]:
        """One more leaf; yields what is wrong with it."""
        try:
            value = loads(leaf, place=f"leaf {index}", text=True)
        except Refused as wrong:
            yield Difference(index, "not_a_leaf", wrong.code)
            return
        if isinstance(value, dict) and value.get("type") == "mapped" and value.get("v") == "draw/v1":
            yield from self._mapped(index, value)
        elif (stream_of(value) or "").startswith("draw:"):
            yield from self._event(index, leaf)
        elif isinstance(value, dict) and value.get("event") == "log_begun":
            self.origin = str(value.get("origin"))
        elif isinstance(value, dict) and value.get("event") == "epoch_begun":
            yield from self._epoch(index, value)
        elif not isinstance(value, dict) or not isinstance(value.get("event", value.get("stream")), str):
            yield Difference(index, "not_a_leaf")

    def _epoch(self, index: int, value: Mapping[str, object]) -> Iterator[Difference]:
        match value:
            case {"origin": str(origin), "size": int(size), "seen": [{"size": int(seen)}, *_]}:
                self.notices.append(Notice(index, origin, size, seen))
            case _:
                yield Difference(index, "not_a_leaf")

    def _event(self, index: int, leaf: bytes) -> Iterator[Difference]:
        if self.unsaid >= 0:
            yield Difference(self.unsaid, "map_root_missing")
        self.unsaid = index
        try:
            event = parse_event(leaf, f"leaf {index}")
        except Refused as wrong:
            yield Difference(index, "not_an_event", wrong.code)
            return
        tag = event.head.project
        try:
            self.projects[tag] = apply(self.projects.get(tag, Project()), event)
        except Refused as wrong:
            yield Difference(index, "does_not_follow", wrong.code)
        self.attempts.put(tag, map_value(event.head.attempt, event.leaf_hash))

    def _mapped(self, index: int, value: object) -> Iterator[Difference]:
        self.unsaid = -1
        try:
            said = shape_of(Mapped).read(value, f"leaf {index}")
        except Refused as wrong:
            yield Difference(index, "not_a_leaf", wrong.code)
            return
        if said.size != index:
            yield Difference(index, "map_of_other_size", str(said.size))
        if said.origin != self.origin:
            yield Difference(index, "map_of_other_log", said.origin)
        if said.root != self.attempts.root:
            yield Difference(index, "wrong_map_root", f"{said.root.hex()} / {self.attempts.root.hex()}")
        if self.keys is not None:
            operators = self.keys.named("operator")
            if len(said.sigs) != 1 or said.sigs[0].key not in operators or self.keys.signer_fault(said.payload, said.sigs[0]):
                yield Difference(index, "map_signature")


@dataclass(frozen=True, slots=True)
class Found:
    """What a replay found: `size` leaves under `tree`, the map's root, and everything that differs."""

    origin: str
    size: int
    tree: bytes
    root: bytes
    projects: int
    differences: tuple[Difference, ...]
    notices: tuple[Notice, ...] = ()


def replay(checkpoint: Checkpoint, entries: Sequence[bytes], keys: KeyList | None, before: Mapping[str, object] | None = None) -> Found:
    """Replay a log that `server.witness.tiles.read_log` read. `before` is what an earlier replay found: {size, tree in hex}."""
    begun = next((value for value in map(_begun, entries) if value), checkpoint.origin)
    state = Replay(begun, keys)
    found: list[Difference] = []
    if before is not None:
        size, tree = int(str(before["size"])), str(before["tree"])
        if size > len(entries):
            found.append(Difference(len(entries), "log_shrank", f"{size}"))
        elif merkle.root([merkle.leaf_hash(each) for each in entries[:size]]).hex() != tree:
            found.append(Difference(size, "log_rewritten"))
    for index, leaf in enumerate(entries):
        found += state.read(index, leaf)
        if len(found) > MOST:
            break
    if state.unsaid >= 0:
        found.append(Difference(state.unsaid, "map_root_missing"))
    if state.origin != checkpoint.origin:
        found.append(Difference(len(entries), "map_of_other_log", state.origin))
    ordered, notices = tuple(sorted(found, key=_place)), tuple(state.notices)
    return Found(checkpoint.origin, len(entries), checkpoint.root, state.attempts.root, len(state.projects), ordered, notices)


def _place(difference: Difference) -> tuple[int, str]:
    return difference.index, difference.what


def _begun(leaf: bytes) -> str:
    """The log's first name: what a service's first `log_begun` says."""
    if b'"log_begun"' not in leaf:
        return ""
    try:
        value = loads(leaf, place="leaf", text=True)
    except Refused:
        return ""
    return str(value.get("origin")) if isinstance(value, dict) and value.get("event") == "log_begun" else ""


def statement(found: Found, key: KeyFile, at: int) -> Monitored:
    """The signed word of a monitor. Raises Refused where anything differs, and for a key that is no monitor's."""
    if found.differences:
        first = found.differences[0]
        raise Refused("log_differs", f"leaf {first.index}", what=first.what, count=len(found.differences))
    if key.role != "monitor":
        raise Refused("not_a_monitor_key", key.name)
    unsigned = Monitored(at, found.origin, found.root, (Signature(key.name, bytes(64)),), found.size)
    return Monitored(at, found.origin, found.root, (Signature(key.name, key.sign(unsigned.payload)),), found.size)
