"""The proof of a project's draws out of the database: what the newest checkpoint speaks of, and nothing that it does not.

Where witnesses cosign, the checkpoints in between are ones that a quorum cosigned: the first after the commit, the first after the last contribution,
the last before the unsealing (as `book.build_proof` for a log in files).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import func, select

from drawing import map as sparse
from drawing.canonical import loads
from drawing.draw import replay
from drawing.errors import Refused
from drawing.events import Unsealed, parse_event
from drawing.keys import KeyList
from drawing.model import shape_of
from drawing.note import Checkpoint, LogProof, Note
from drawing.proof import Logged, Mapped, MapProof, Proof, map_value
from server.services.drawing import key_chain, stream
from server.storage import tables
from server.storage.log import Log
from server.storage.tx import Tx


@dataclass(frozen=True, slots=True)
class Sizes:
    """Sizes that have a signed checkpoint, in order, and those of them that a quorum of the key list cosigned."""

    signed: tuple[int, ...]
    cosigned: tuple[int, ...]

    def first(self, least: int, most: int) -> int | None:
        """The smallest cosigned size in a range, else the smallest that is signed."""
        for known in (self.cosigned, self.signed):
            at = bisect_left(known, least)
            if at < len(known) and known[at] <= most:
                return known[at]
        return None


MOST_SHOWN = 20


def public_name(tag: bytes) -> str:
    """The name under which everybody takes a project's proof."""
    return f"draw-{tag[:8].hex()}"


async def closed(tx: Tx) -> list[tuple[str, int, bytes]]:
    """The proofs that everybody may take: name, since when, project, of those whose draw is closed, the newest first; never of a dry run."""
    found = await tx.all("project", {"closed_at >": 0}, order=["-closed_at", "id"], limit=MOST_SHOWN)
    return [(public_name(bytes(each["tag"])), int(each["closed_at"]), bytes(each["tag"])) for each in found]


async def build(tx: Tx, tag: bytes) -> Proof:
    """Raises Refused("no_checkpoint_yet") where the newest checkpoint knows nothing of the project."""
    log = Log(tx)
    chain = await key_chain(tx)
    sizes = await _sizes(tx, log, chain.newest)
    size = sizes.signed[-1] if sizes.signed else 0
    rows = await tx.rows(
        select(tables.log_leaf.c.leaf, tables.event.c.leaf_index)
        .join_from(tables.event, tables.log_leaf, tables.event.c.leaf_index == tables.log_leaf.c.leaf_index)
        .where(tables.event.c.stream == stream(tag), tables.event.c.leaf_index < size - 1)  # the map's root stands behind each event
        .order_by(tables.event.c.seq)
    )
    if not rows:
        raise Refused("no_checkpoint_yet", "log")
    events = [(int(row["leaf_index"]), parse_event(bytes(row["leaf"]))) for row in rows]
    project = replay(event for _, event in events)
    index = {event.head.seq: at for at, event in events}
    wanted: set[int] = {size}
    for draw in project.attempts:
        for stage in draw.stages:
            if stage.kind != "round" or stage.lots:
                given = [index[each[3]] for each in stage.given]
                ends = [(index[stage.seq] + 2, given[0] if given else size)]
                if given and stage.complete:
                    outcome = index[stage.outcome.head.seq] if stage.outcome else size
                    ends.append((given[-1] + 2, outcome))
                wanted |= {found for each in ends if (found := sizes.first(*each)) is not None}
        opened = next((at for at, event in events if event.head.attempt == draw.attempt and isinstance(event.body, Unsealed)), 0)
        before = [each for each in sizes.cosigned if each <= opened]
        if before:
            wanted.add(before[-1])
    ordered = sorted(wanted)
    return Proof(
        origin=(await tx.head()).origin,
        events=tuple([Logged(event, at, tuple(await log.inclusion(at, size))) for at, event in events]),
        checkpoints=tuple([(await log.cosigned(each, None)).decode() for each in ordered]),
        consistency=tuple([tuple(await log.consistency(old, new)) for old, new in zip(ordered, ordered[1:], strict=False)]),
        map=await _map(tx, log, tag, size),
        monitors=(),
    )


async def _sizes(tx: Tx, log: Log, key_list: KeyList) -> Sizes:
    origin = (await tx.head()).origin
    column = tables.checkpoint.c.size
    signed = [int(row["size"]) for row in await tx.rows(select(column).where(tables.checkpoint.c.origin == origin).order_by(column))]
    lines = select(tables.witness_note.c.size).where(tables.witness_note.c.origin == origin).distinct().order_by(tables.witness_note.c.size)
    policy = key_list.log_policy
    cosigned = []
    for row in await tx.rows(lines):
        note = await log.cosigned(int(row["size"]), None)
        if policy.has_quorum and policy.check(note, "log").quorum:
            cosigned.append(int(row["size"]))
    return Sizes(tuple(signed), tuple(cosigned))


async def _map(tx: Tx, log: Log, tag: bytes, size: int) -> MapProof:
    """The newest root of the map that the checkpoint speaks of, and the project's place in it."""
    events = tables.event
    last = (
        select(events.c.stream, func.max(events.c.leaf_index).label("leaf_index"))
        .where(events.c.stream.like("draw:%"), events.c.leaf_index < size - 1)
        .group_by(events.c.stream)
        .subquery()
    )
    rows = await tx.rows(
        select(tables.log_leaf.c.leaf, last.c.leaf_index).join_from(
            last, tables.log_leaf, last.c.leaf_index == tables.log_leaf.c.leaf_index
        )
    )
    heads: Mapping[bytes, bytes] = {
        event.head.project: map_value(event.head.attempt, event.leaf_hash) for event in (parse_event(bytes(row["leaf"])) for row in rows)
    }
    at = max(int(row["leaf_index"]) for row in rows) + 1
    (leaf,) = await log.entries(at, at + 1)
    mapped = shape_of(Mapped).read(loads(leaf, place="log"), "log")
    return MapProof(at, mapped, tuple(await log.inclusion(at, size)), tuple(sparse.prove(heads, tag)))


async def log_proof(tx: Tx, index: int) -> LogProof:
    """That a leaf is in a checkpoint that the witnesses of the key list have seen, or where there are none in a signed one. Raises Refused."""
    log = Log(tx)
    sizes = await _sizes(tx, log, (await key_chain(tx)).newest)
    size = sizes.first(index + 2, (await tx.head()).size)
    if size is None:
        raise Refused("no_checkpoint_yet", "log")
    note = await log.cosigned(size, None)
    assert Checkpoint.parse(Note.parse(note, "log").text, "log").size == size
    return LogProof(index, tuple(await log.inclusion(index, size)), note)
