"""What outsiders with a link see of a draw that waits for their parts, and what supervisors see of a draft before they sign it.

Everything here is in the public log; nothing of the keeper's is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass

from drawing.draw import Phase
from drawing.errors import Refused
from drawing.events import Event, Head
from drawing.merkle import leaf_hash
from server.services import drawing, draws
from server.services.desk import Caller, Desk


@dataclass(frozen=True, slots=True)
class Part:
    """A contributor that the commit names; `index` in the log of what they gave, None where nothing has come."""

    key: str
    index: int | None


@dataclass(frozen=True, slots=True)
class Asked:
    """A draw as contributors see it. `order`: the file that is answered, b"" where `why` says what keeps it back."""

    number: str  # of the project
    dry_run: bool
    origin: str
    order: bytes
    why: str
    leaf: str  # hex of the leaf hash of what is answered
    index: int  # its place in the log
    until: int  # the deadline, 0 where none runs
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Draft:
    """An event that waits for supervisors. `before`: the commit or extension before it, where it changes one."""

    number: str
    event: Event
    before: bytes
    signed: tuple[str, ...]
    missing: tuple[tuple[tuple[str, ...], int], ...]


async def asked(desk: Desk, draw: str) -> Asked:
    """Raises Refused("not_found")."""
    async with desk.store.reading() as tx:
        row = await tx.one("draw", id=draw)
        if row is None:
            raise Refused("not_found", "draw")
        project = await tx.get("project", row["project"])
        tag = bytes(project["tag"])
        state = (await drawing.project_of(tx, tag)).draw
        events = await draws.indexed(tx, tag)
        origin = (await tx.head()).origin
    commit = state.commits[-1] if state.commits else None
    order, why = b"", ""
    try:
        order = (await draws.order(desk, draw)).to_bytes()
    except Refused as refused:
        why = refused.code
    stage = state.stages[-1] if state.stages else None
    expected = stage.expected if stage is not None else ()
    at = {event.head.seq: index for index, event in events}
    given = {key: at[seq] for key, _, _, seq in stage.given} if stage is not None else {}
    first = state.commit
    until = first.deadlines.contributions if first is not None and len(state.commits) == 1 and state.phase is Phase.COMMITTED else 0
    return Asked(
        str(project["title"]),
        bool(row["dry_run"]),
        origin,
        order,
        why,
        commit.leaf_hash.hex() if commit else "",
        next((index for index, event in events if commit and event.leaf_hash == commit.leaf_hash), 0),
        until,
        tuple(Part(key, given.get(key)) for key in expected),
    )


async def draft(desk: Desk, draw: str, type_: str, caller: Caller) -> Draft:
    """Raises Refused: no_such_draft."""
    desk.require("draw.sign", caller, await draws.centre_of(desk, draw))
    async with desk.store.reading() as tx:
        event = await drawing.draft_of(tx, draw, type_)
        if event is None:
            raise Refused("no_such_draft", "draft")
        project = await tx.get("project", (await tx.get("draw", draw))["project"])
        replayed = await drawing.project_of(tx, bytes(project["tag"]))
        chain = await drawing.key_chain(tx)
    before = replayed.draw.commits[-1].leaf if type_ == "extended" and replayed.draw.commits else b""
    signed = tuple(each.key for each in event.sigs)
    return Draft(str(project["title"]), event, before, signed, tuple(drawing.missing(replayed, event, chain)))


async def sign(desk: Desk, draw: str, type_: str, leaf: bytes, key: str, signature: bytes, caller: Caller) -> bool:
    """A supervisor's signature of the draft that they saw (its leaf hash). Whether the event is in the log now. Raises Refused.

    Where the staff's key must sign too and nobody has approved yet, the supervisor's signature waits with the draft.
    """
    found = await draft(desk, draw, type_, caller)
    if leaf_hash(bare(found.event)) != leaf:
        raise Refused("other_draft_now", "draft")
    stand = await draws.sign(desk, draw, type_, key, signature, None, caller)
    return stand.draft != type_


def bare(event: Event) -> bytes:
    """The leaf that signatures cover: without them."""
    return Event(event.head, event.body, ()).leaf


async def head_now(desk: Desk, draw: str, caller: Caller) -> tuple[Head, str]:
    """What an event that a supervisor makes now begins with, and what it would be: `stopped`, or `resumed` where the draw stands still."""
    desk.require("draw.sign", caller, await draws.centre_of(desk, draw))
    async with desk.store.reading() as tx:
        tag = await drawing.tag_of(tx, draw)
        project = await drawing.project_of(tx, tag)
    return drawing.next_head(project, tag, caller.request.now), "resumed" if project.draw.phase is Phase.STOPPED else "stopped"
