"""The log as a ceremony uses it: the events of one project, the map of all attempts, and the proof over what is there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from drawing import map as sparse
from drawing.canonical import loads
from drawing.draw import Project, apply
from drawing.events import Event, Signature, Unsealed, parse_event
from drawing.model import shape_of
from drawing.proof import Logged, Mapped, MapProof, Monitored, Proof, map_value
from server.files import read_bounded, write_whole
from server.folder import Keys
from server.tilelog import TileLog


@dataclass
class Book:
    """The log as the ceremony uses it: events of one project, the map of all, appends of an event with the map's new root."""

    log: TileLog
    tag: bytes
    keys: Keys
    events: list[tuple[int, Event]] = field(default_factory=list)
    heads: dict[bytes, tuple[int, bytes]] = field(default_factory=dict)

    def read(self) -> None:
        """Everything from the log. Raises Refused for a leaf that is neither an event nor a map root."""
        for index, leaf in enumerate(self.log.entries()):
            place = f"log entry {index}"
            value = loads(leaf, place=place)
            if isinstance(value, dict) and value.get("type") == "mapped":
                continue
            event = parse_event(leaf, place)
            self.heads[event.head.project] = (event.head.attempt, event.leaf_hash)
            if event.head.project == self.tag:
                self.events.append((index, event))

    def project(self) -> Project:
        project = Project()
        for _, event in self.events:
            project = apply(project, event)
        return project

    def mapped(self, size: int, at: int, heads: Mapping[bytes, tuple[int, bytes]]) -> Mapped:
        """The signed map-root leaf for the index `size`."""
        operator = self.keys.one("operator")
        root = sparse.root({tag: map_value(*each) for tag, each in heads.items()})
        unsigned = Mapped(at, self.log.origin, root, (), size, "mapped", "draw/v1")
        return Mapped(at, self.log.origin, root, (Signature(operator.name, operator.sign(unsigned.payload)),), size, "mapped", "draw/v1")

    def append(self, event: Event, pending: Path) -> None:
        """Event and map root as one batch. The leaf lies in `pending` before, so that a crash repeats it and nothing else."""
        write_whole(pending, event.leaf, mode=0o600)
        heads = {**self.heads, event.head.project: (event.head.attempt, event.leaf_hash)}
        mapped = self.mapped(self.log.size + 1, event.head.at, heads)
        index = self.log.append([event.leaf, mapped.leaf])
        self.heads = heads
        self.events.append((index, event))
        pending.unlink()

    def settle(self, pending: Path) -> None:
        """What a crash left in `pending`: in the log already, or still to go in, or (where the log went on without it) void."""
        if not pending.exists():
            return
        event = parse_event(read_bounded(pending, 65_535), "pending")
        head = self.events[-1][1].leaf_hash if self.events else bytes(32)
        if event.head.project == self.tag and event.head.prev == head and event.leaf_hash != head:
            self.append(event, pending)
        else:
            pending.unlink()


def build_proof(book: Book, monitors: Sequence[Monitored] = ()) -> Proof:
    """The proof over everything that the log holds of the project, to its latest checkpoint, with what monitors said of this state of the log.

    Where witnesses cosign, the checkpoints are ones that a quorum cosigned: the first after the commit, the first after the last contribution,
    the last before the unsealing.
    """
    log = book.log
    size = log.size
    tree = log.tree(size)
    mapped_index = size - 1
    value = loads(log.entries(mapped_index)[0], place="log")
    mapped = shape_of(Mapped).read(value, "log")
    sizes = {size}
    project = book.project()
    index = {event.head.seq: at for at, event in book.events}
    for draw in project.attempts:
        for stage in draw.stages:
            if stage.kind != "round" or stage.lots:
                first, last = index[stage.seq] + 2, index[stage.given[-1][3]] + 2 if stage.given else size
                sizes.add(log.cosigned_size(first, index[stage.given[0][3]] if stage.given else size))
                if stage.given and stage.complete:
                    sizes.add(log.cosigned_size(last, index[stage.outcome.head.seq] if stage.outcome else size))
        if draw.opened is not None:
            unsealed = next((at for at, event in book.events if event.head.attempt == draw.attempt and isinstance(event.body, Unsealed)), 0)
            if unsealed and log.is_cosigned(unsealed):
                sizes.add(unsealed)
    ordered = sorted(sizes)
    items = {tag: map_value(*each) for tag, each in book.heads.items()}
    return Proof(
        origin=log.origin,
        events=tuple(Logged(event, at, tuple(tree.inclusion(at))) for at, event in book.events),
        checkpoints=tuple(log.cosigned(each).decode() for each in ordered),
        consistency=tuple(tuple(log.consistency(old, new)) for old, new in zip(ordered, ordered[1:], strict=False)),
        map=MapProof(mapped_index, mapped, tuple(tree.inclusion(mapped_index)), tuple(sparse.prove(items, book.tag))),
        monitors=_current(monitors, mapped, log.origin),
    )


def _current(monitors: Sequence[Monitored], mapped: Mapped, origin: str) -> tuple[Monitored, ...]:
    """Of each monitor the latest statement about the map as it is now; those about earlier states say nothing of this proof."""
    good = {
        each.sigs[0].key: each
        for each in sorted(monitors, key=lambda each: each.at)
        if (each.root, each.origin) == (mapped.root, origin) and each.size > mapped.size and each.at >= mapped.at
    }
    return tuple(good[key] for key in sorted(good))
