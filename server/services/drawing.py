"""A draw goes on by itself: the keeper says what follows, and what nobody else must sign goes into the log with the map's new root.

For the web process and the courier alike, with no person in it. Whoever comes second finds the log longer than expected and asks the keeper again.
An event that people sign waits as a draft; one that is overtaken by another event is forgotten, for it no longer follows.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

from drawing.canonical import dumps, loads
from drawing.draw import Project, apply, replay
from drawing.errors import Refused
from drawing.events import Event, Head, Signature, parse_event
from drawing.keys import KeyChain, parse_keys
from drawing.proof import Mapped
from drawing.signers import signers_of
from drawing.verify import signature_faults
from server.auth.model import CentreId, Thing
from server.errors import Stale
from server.keeper.client import Keeper
from server.keeper.draw_verbs import BeaconValue, DrawNext, DrawSign, MapSign, NextEvent
from server.keeper.rules import STAFF_SIGNS
from server.services import webhooks
from server.storage.store import Store
from server.storage.tx import Row, Tx

KEYS = "key_list"  # the setting with the key list's file
ADVANCE, NOTICES = "draw.advance", "draw.notices"  # the courier's jobs
TELLS = frozenset({"notified", "screened", "abandoned"})  # somebody is to be told
BY_STAFF = frozenset({"opened"})  # events that need nobody else
UNDER_COMMIT = frozenset({"closed"})  # the commit's approval is good for it
STAFF_ALONE = ("staff",)
MOST_STEPS = 200
Missing = list[tuple[tuple[str, ...], int]]
Approval = Callable[[Tx, Event], Awaitable[bytes | None]]


@dataclass(frozen=True, slots=True)
class Stand:
    """Where a draw stands: what it waits for ("" where a draft waits to be signed), and until when at the latest (0: for a person)."""

    waiting: str
    until: int
    draft: str = ""  # the type of the event that people sign
    body: bytes = b""  # what is to be attested


def stream(tag: bytes) -> str:
    """A project's stream in the log."""
    return f"draw:{tag.hex()}"


async def project_of(tx: Tx, tag: bytes) -> Project:
    """The project, replayed from the log."""
    return replay(parse_event(leaf) for leaf in await tx.events(stream(tag)))


async def key_chain(tx: Tx) -> KeyChain:
    """The key list that is published. Raises Refused("no_key_list")."""
    row = await tx.one("setting", scope="service", name=KEYS)
    if row is None:
        raise Refused("no_key_list", "keys")
    return parse_keys(loads(row["value"].encode(), place=KEYS, text=True)["file"].encode())


async def tag_of(tx: Tx, draw: str) -> bytes:
    """The tag of a draw's project. Raises Refused."""
    row = await tx.get("draw", draw)
    return bytes((await tx.get("project", row["project"]))["tag"])


async def thing_of(store: Store, draw: str) -> Thing:
    """What permissions look at of a draw. Raises Refused("not_found")."""
    async with store.reading() as tx:
        row = await tx.one("draw", id=draw)
    if row is None:
        raise Refused("not_found", "draw")
    return Thing(CentreId(row["centre"]))


def next_head(project: Project, tag: bytes, now: int) -> Head:
    """What an event of the attempt that runs begins with, where it comes next."""
    state = project.draw
    return Head(max(now, state.last_at), state.attempt, state.dry_run, project.head, tag, project.events)


async def advance(store: Store, keeper: Keeper, draw: str, now: int, values: tuple[BeaconValue, ...] = ()) -> Stand:
    """Everything that follows without a person. Raises Refused where the draw cannot go on."""
    for _ in range(MOST_STEPS):
        found = await waits_for(store, keeper, draw, values)
        if found.waiting:
            return Stand(found.waiting, found.until, body=found.event)
        event = parse_event(found.event)
        if event.type in BY_STAFF:
            try:
                made = await keeper.ask(DrawSign(None, draw, event.leaf))
            except Refused as refused:
                if refused.code != "event_not_signed_here":
                    raise
                continue  # another process was faster, and this no longer follows
            event = signed_by(event, Signature(made.key, made.signature))
        elif found.signers:
            await keep_draft(store, draw, event, now)
            return Stand("", 0, event.type)
        try:
            await append(store, keeper, draw, event, now)
        except Stale:
            continue  # another process was faster
    raise Refused("draw_goes_round", "draw")


async def waits_for(store: Store, keeper: Keeper, draw: str, values: tuple[BeaconValue, ...] = ()) -> NextEvent:
    """What the keeper says now; nothing is done about it. Raises Refused where the draw cannot go on."""
    async with store.reading() as tx:
        cosigned_at = await _cosigned_at(tx)
    return await keeper.ask(DrawNext(cosigned_at, draw, values))


async def go_on(store: Store, keeper: Keeper, draw: str, now: int, values: tuple[BeaconValue, ...] = ()) -> Stand:
    """`advance`, and a job for the moment at which it goes on without anybody."""
    stand = await advance(store, keeper, draw, now, values)
    await store.write(lambda tx: note_stand(tx, draw, stand), now)
    return stand


async def note_stand(tx: Tx, draw: str, stand: Stand, fault: str = "") -> None:
    """Where it stands now, for pages; and a job for the moment at which it goes on without anybody."""
    await tx.remove("stand", draw=draw)
    row = {"draw": draw, "waiting": stand.waiting, "until": stand.until, "draft": stand.draft, "fault": fault, "at": tx.now}
    await tx.put("stand", row)
    tx.wake(f"draw-{draw}")
    if stand.until > tx.now:
        await tx.outbox(ADVANCE, f"{draw} {stand.until}", stand.until, draw.encode())


async def append(store: Store, keeper: Keeper, draw: str, event: Event, now: int) -> int:
    """The event and the map's new root, or neither; with it a job that goes on from there, and one that sends the messages. Returns its index.

    Raises Refused where it does not follow, Stale where another came first.
    """

    async def work(tx: Tx) -> int:
        tag = await tag_of(tx, draw)
        project = await project_of(tx, tag)
        if event.head.seq != project.events:
            raise Stale(place=stream(tag), length=project.events)
        after = apply(project, event)
        index = await tx.append(stream(tag), project.events, [event.leaf])
        root, head = await tx.map_root(), await tx.head()
        at = event.head.at
        # The keeper writes nothing for this: it would wait for the lock that we hold.
        made = await keeper.ask(MapSign(at, head.size, root))
        mapped = Mapped(at, head.origin, root, (Signature(made.key, made.signature),), head.size, "mapped", "draw/v1")
        await tx.leaf(mapped.leaf)
        if event.type == "closed" and not event.head.dry_run:
            row = await tx.one("project", tag=tag)
            assert row is not None
            await tx.change("project", row["id"], {"closed_at": tx.now}, "draw", row["version"], "closed")
        await tx.remove("draft", {"draw in": await _draws_of(tx, tag)})  # what no longer follows
        # If we crash after this commits, the courier goes on.
        await tx.outbox(ADVANCE, f"{draw} after {event.head.seq}", now + 1, draw.encode())
        row = await tx.get("draw", draw)
        await webhooks.register(tx, row, str((await tx.get("project", row["project"]))["title"]), event, after.draw)
        if event.type in TELLS:
            await tx.outbox(NOTICES, f"{draw} {event.head.seq}", now, draw.encode())
        return index

    index = await store.write(work, now)
    await _checkpoint(store, keeper)
    return index


async def _checkpoint(store: Store, keeper: Keeper) -> None:
    """Signed at once, so that whoever acts next acts on a published state. Where it fails the keeper's own watch signs within a second or two."""
    async with store.reading() as tx:
        head = await tx.head()
    with contextlib.suppress(Refused):
        await keeper.sign_checkpoint(head.size, head.root)


async def _draws_of(tx: Tx, tag: bytes) -> list[str]:
    project = await tx.one("project", tag=tag)
    return [row["id"] for row in await tx.all("draw", project=project["id"])] if project else []


async def _cosigned_at(tx: Tx) -> int:
    """When the newest cosigned checkpoint was signed; the verifier counts what the cosignatures themselves say."""
    origin = (await tx.head()).origin
    found = await tx.all("witness_note", origin=origin, order=["-size"], limit=1)
    if not found:
        return 0
    at = await tx.one("checkpoint_time", origin=origin, size=found[0]["size"])
    return int(at["at"]) if at else 0


# Drafts -----------------------------------------------------------------------------------------------------------------------------------------


async def keep_draft(store: Store, draw: str, event: Event, now: int) -> None:
    """Remember an event that people sign. One that waits already and still follows stays: somebody may have signed it."""

    async def work(tx: Tx) -> None:
        there = await draft_of(tx, draw, event.type)
        if there is not None:
            if there.head.prev == event.head.prev:
                return
            await tx.remove("draft", draw=draw, type=event.type)
        bare = replace(event, sigs=())
        await tx.put("draft", {"draw": draw, "type": event.type, "leaf": bare.leaf, "sigs": _sigs_text(event), "created_at": now})

    await store.write(work, now)


async def draft_of(tx: Tx, draw: str, kind: str) -> Event | None:
    """The draft of this kind with the signatures that came so far; None where none waits."""
    row = await tx.one("draft", draw=draw, type=kind)
    return draft_event(row) if row else None


async def drafts_of(tx: Tx, draw: str) -> list[Event]:
    """All that wait."""
    return [draft_event(row) for row in await tx.all("draft", draw=draw, order=["type"])]


def draft_event(row: Row) -> Event:
    """A draft with the signatures that came so far."""
    sigs = [Signature(each["key"], bytes.fromhex(each["sig"])) for each in loads(row["sigs"].encode(), place="draft")]
    return replace(parse_event(bytes(row["leaf"])), sigs=tuple(sorted(sigs, key=lambda each: each.key)))


def _sigs_text(event: Event) -> str:
    return dumps([{"key": each.key, "sig": each.sig.hex()} for each in event.sigs]).decode()


def signed_by(event: Event, signature: Signature) -> Event:
    """With one more signature, in the order of keys."""
    return replace(event, sigs=tuple(sorted((*event.sigs, signature), key=lambda each: each.key)))


def missing(project: Project, event: Event, chain: KeyChain) -> Missing:
    """The signatures that an event still needs: (roles, how many)."""
    entries = chain.newest.by_name
    roles = [entries[each.key].role for each in event.sigs if each.key in entries]
    found = []
    for need in signers_of(project.draw, event.body):
        left = need.least - sum(role in need.roles for role in roles)
        if left > 0:
            found.append((tuple(sorted(need.roles)), left))
    return found


async def add_signature(
    store: Store, keeper: Keeper, draw: str, type_: str, signature: Signature, approved: bytes | None, now: int
) -> Stand:
    """One more signature of a draft; with the last one the event goes in. `approved`: the keeper's subject, where the staff's key signs too.

    Raises Refused: no_such_draft, a signature that is not one of the keys that may sign.
    """

    async def work(tx: Tx) -> tuple[Event, Missing]:
        event = await draft_of(tx, draw, type_)
        if event is None:
            raise Refused("no_such_draft", "draft")
        tag, chain = await tag_of(tx, draw), await key_chain(tx)
        project = await project_of(tx, tag)
        fault = chain.newest.signer_fault(event.payload, signature)
        entry = chain.newest.by_name.get(signature.key)
        allowed = {role for need in signers_of(project.draw, event.body) for role in need.roles}
        if fault or entry is None or entry.role not in allowed:
            raise Refused(fault or "not_their_event", "draft", key=signature.key)
        if all(each.key != signature.key for each in event.sigs):
            event = signed_by(event, signature)
            await tx.set("draft", {"sigs": _sigs_text(event)}, draw=draw, type=type_)
        return event, missing(project, event, chain)

    event, left = await store.write(work, now)
    return await _signed(store, keeper, draw, event, left, approved, now)


async def complete(store: Store, keeper: Keeper, draw: str, type_: str, now: int, approval: Approval) -> Stand | None:
    """A draft that lacks nothing but the staff's signature gets it where people have approved it; None where something else is missing."""
    async with store.reading() as tx:
        event = await draft_of(tx, draw, type_)
        if event is None:
            return None
        left = missing(await project_of(tx, await tag_of(tx, draw)), event, await key_chain(tx))
        approved = await approval(tx, event)
    if [roles for roles, _ in left] != [STAFF_ALONE] or (approved is None and STAFF_SIGNS[type_] and type_ not in UNDER_COMMIT):
        return None
    return await _signed(store, keeper, draw, event, left, approved, now)


async def _signed(store: Store, keeper: Keeper, draw: str, event: Event, left: Missing, approved: bytes | None, now: int) -> Stand:
    """The staff's signature where it is the last, and the event into the log."""
    if [roles for roles, _ in left] == [STAFF_ALONE]:
        if approved is None and STAFF_SIGNS[event.type] and event.type not in UNDER_COMMIT:
            return Stand("approval", 0, event.type)  # `complete` comes back to it once it is approved
        made = await keeper.ask(DrawSign(approved, draw, replace(event, sigs=()).leaf))
        event = signed_by(event, Signature(made.key, made.signature))
        left = []
    if left:
        return Stand("", 0, event.type)
    await append(store, keeper, draw, event, now)
    return await go_on(store, keeper, draw, now)


def check_signatures(project: Project, event: Event, chain: KeyChain) -> None:
    """Raises Refused for the first signature that is wrong, missing or not theirs."""

    def tell(check: str, code: str, **params: Any) -> None:
        raise Refused(code, "event", check=check, **params)

    signature_faults(project.draw, event, chain.newest, tell)
