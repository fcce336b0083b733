"""What people do about a draw: ask for one, look at it, sign, contribute. What follows by itself is `drawing`'s; names never come through here before
the keeper gives them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

from drawing.canonical import dumps, loads
from drawing.draw import ENDED, Draw, Phase, Project, states_bytes
from drawing.errors import Refused
from drawing.events import Attested, Body, Checked, Event, Signature, Stopped, Terms, parse_event, project_tag
from drawing.keys import KeyChain, keys_bytes, parse_keys
from drawing.model import shape_of
from drawing.proof import proof_bytes
from server.auth.model import CentreId, Thing
from server.contribute import Order, RoundAsked
from server.errors import Stale
from server.keeper.draw_verbs import (
    AskDrawState,
    AskReplies,
    DrawBegin,
    DrawContributed,
    DrawFeasible,
    DrawFile,
    DrawPrepare,
    DrawState,
    Feasible,
    Replies,
    SealedFile,
)
from server.request import Failure, Request, parse_request
from server.services import draw_approvals, drawing, proofs
from server.services.desk import Caller, Desk
from server.services.draw_approvals import Asked
from server.services.draw_stand import Due, Waiting, due
from server.services.drawing import Stand
from server.storage import repeats
from server.storage.tx import Row, Tx

SUPERVISED = {"stopped", "resumed"}


@dataclass(frozen=True, slots=True)
class Drafted:
    """An event that waits to be signed: who signed, and what is missing as (roles, how many)."""

    type: str
    event: Event
    missing: tuple[tuple[tuple[str, ...], int], ...]
    asked: Asked


@dataclass(frozen=True, slots=True)
class DrawPage:
    """A draw as those who may look at it see it; nobody's name, and no slot's person."""

    id: str
    row: Row
    number: str  # of the project
    draw: Draw
    events: tuple[tuple[int, Event], ...]  # log index and event, of this attempt
    keeper: DrawState
    replies: Replies | None
    due: Due
    drafts: tuple[Drafted, ...]
    newest: bool  # of its project; no other goes on
    log: str  # its name
    complaints: tuple[Row, ...] = ()  # for those who may see them
    fault: str = ""  # why it does not go on by itself, where something failed
    mark: str = ""  # changes with anything that the page shows


@dataclass(frozen=True, slots=True)
class Listed:
    """A draw in the list."""

    row: Row
    number: str
    phase: Phase


async def check_request(desk: Desk, text: bytes, caller: Caller) -> tuple[Request, Sequence[Failure]]:
    """The request as it reads, and every rule that it breaks. Raises Refused where it cannot be read."""
    desk.require("draw.request", caller)
    found = parse_request(text, "request", caller.request.now)
    return found, found.check(caller.request.now)


def readable(text: bytes, now: int) -> Request:
    """Raises Refused with the first place that cannot be read."""
    return parse_request(text, "request", now)


async def feasible(desk: Desk, centre: CentreId, text: bytes, caller: Caller) -> Feasible:
    """Whether the library has enough people for the request; counts of few people are withheld. Raises Refused."""
    desk.require("draw.request", caller, Thing(centre))
    parse_request(text, "request", caller.request.now)
    return await desk.keeper.ask(DrawFeasible(centre, text))


async def begin(desk: Desk, centre: CentreId, text: bytes, caller: Caller, *, dry_run: bool = False) -> str:
    """A draw with its own id, begun and being prepared. Raises Refused: request_unlawful where a rule is broken."""
    desk.require("draw.request", caller, Thing(centre))
    now = caller.request.now
    found, failures = await check_request(desk, text, caller)
    if failures:
        raise Refused("request_unlawful", "request", count=len(failures), first=failures[0].rule.code)
    tag = project_tag(found.number)
    await _check_free(desk, tag)

    async def work(tx: Tx) -> str:
        project = await tx.one("project", tag=tag)
        if project is not None and project["centre"] != centre:
            raise Refused("not_found", "project")
        values = {"centre": centre, "tag": tag, "title": found.number, "kind": "draw", "created_by": caller.person, "created_at": now}
        owner = project["id"] if project else await tx.insert("project", values, caller.person)
        row = {
            "centre": centre,
            "project": owner,
            "section": found.section,
            "regime": found.regime,
            "dry_run": int(dry_run),
            "request_digest": sha256(text).digest(),
            "evaluation_at": found.evaluation_at,
            "created_by": caller.person,
            "created_at": now,
        }
        made = await tx.insert("draw", row, caller.person)
        await tx.outbox(drawing.ADVANCE, f"{made} begun", now + 1, made.encode())
        return made

    made = await desk.store.write(work, now)
    # If we crash here there is a draw that was never begun: its page says so, and the clerk asks again.
    await desk.keeper.ask(DrawBegin(centre, made, dry_run, tag, text, now))
    await desk.keeper.ask(DrawPrepare(made))
    return made


async def begin_once(desk: Desk, centre: CentreId, text: bytes, caller: Caller, once: str, *, dry_run: bool) -> str:
    """`begin` for a form that may be sent twice: the second sending is the first one's draw. `once`: what the form carries."""
    now, who = caller.request.now, str(caller.person)
    digest = sha256(b"draw" + bytes([dry_run]) + text).digest()
    before = await desk.store.write(lambda tx: repeats.begin(tx, who, once, digest), now)
    if before is not None:
        return before.decode()
    try:
        made = await begin(desk, centre, text, caller, dry_run=dry_run)
    except Refused:
        await desk.store.write(lambda tx: repeats.free(tx, who, once), now)
        raise
    await desk.store.write(lambda tx: repeats.end(tx, who, once, made.encode()), now)
    return made


async def listed(desk: Desk, caller: Caller, limit: int = 100) -> list[Listed]:
    """Draws of the centres that the caller's roles reach, the newest first."""
    desk.require("draw.list", caller)
    centres = sorted({str(each.centre) for each in caller.actor.grants if each.holds(caller.request.now)})
    where = {} if "*" in centres else {"centre in": centres}
    async with desk.store.reading() as tx:
        rows = await tx.all("draw", where, order=["-created_at", "id"], limit=limit)
        found = []
        for row in rows:
            project = await tx.get("project", row["project"])
            found.append(Listed(row, str(project["title"]), (await state_of(tx, row)).phase))
    return found


async def state_of(tx: Tx, row: Row) -> Draw:
    """The state of the draw that this row is of."""
    return attempt_of(await drawing.project_of(tx, await drawing.tag_of(tx, row["id"])), row, await later(tx, row))


def attempt_of(project: Project, row: Row, after: int) -> Draw:
    """The attempt that was opened of this request: no other of the project goes on until the next one was asked for."""
    for each in reversed(project.attempts):
        if each.opened is not None and row["created_at"] <= each.opened.head.at and not 0 < after <= each.opened.head.at:
            return each
    return Draw()


async def later(tx: Tx, row: Row) -> int:
    """When the next draw of the project was asked for; 0 where this is the newest."""
    found = await tx.all("draw", {"created_at >=": row["created_at"]}, project=row["project"], order=["created_at", "id"])
    after = [int(each["created_at"]) for each in found if (each["created_at"], each["id"]) > (row["created_at"], row["id"])]
    return after[0] if after else 0


async def centre_of(desk: Desk, draw: str) -> Thing:
    """What permissions look at. Raises Refused("not_found")."""
    return await drawing.thing_of(desk.store, draw)


async def show(desk: Desk, draw: str, caller: Caller) -> DrawPage:
    """Everything that a page of it shows. Nothing goes on because somebody looks."""
    desk.require("draw.read", caller, await centre_of(desk, draw))
    return await look(desk, draw, terms=True)


def terms_of(found: DrawPage) -> Terms | None:
    """The terms in force, or those that the commit will have; None before they are known."""
    if found.draw.terms is None and found.keeper.terms:
        return shape_of(Terms).read(loads(found.keeper.terms, place="terms"), "terms")
    return found.draw.terms


async def mark(desk: Desk, draw: str, caller: Caller) -> str:
    """The mark of its page alone, for whoever watches: costs the drawing nothing while it works on another draw."""
    desk.require("draw.read", caller, await centre_of(desk, draw))
    return (await look(desk, draw, terms=False)).mark


async def look(desk: Desk, draw: str, *, terms: bool) -> DrawPage:
    """The same for whoever may: asking for permission is the caller's. Without `terms` it costs the drawing nothing."""
    async with desk.store.reading() as tx:
        row = await tx.get("draw", draw)
        project = await tx.get("project", row["project"])
        tag, after = bytes(project["tag"]), await later(tx, row)
        replayed = await drawing.project_of(tx, tag)
        state = attempt_of(replayed, row, after)
        events = [(index, each) for index, each in await indexed(tx, tag) if each.head.attempt == state.attempt]
        waiting = await drawing.drafts_of(tx, draw)
        chain = await drawing.key_chain(tx) if waiting else None
        drafts = [await _drafted(tx, replayed, each, chain) for each in waiting if chain]
        log = (await tx.head()).origin
        complaints = tuple(await tx.all("complaint", draw=draw, order=["filed_at", "id"]))
        stand = await tx.one("stand", draw=draw)
    fault = str(stand["fault"]) if stand is not None and state.phase not in ENDED else ""
    needed = state.phase is Phase.NEW or (terms and state.terms is None)
    keeper = await _prepared(desk, draw) if needed else DrawState(0, "", "ready", b"", 0, "")
    replies: Replies | None = None
    if state.slots and state.phase not in ENDED:
        replies = await desk.keeper.ask(AskReplies(draw))
    coming = due(state, keeper, replies, [Waiting(each.type, each.missing, each.asked) for each in drafts])
    found = DrawPage(
        draw, row, str(project["title"]), state, tuple(events), keeper, replies, coming, tuple(drafts), not after, log, complaints, fault
    )
    return replace(found, mark=_mark(found))


async def _prepared(desk: Desk, draw: str) -> DrawState:
    try:
        return await desk.keeper.ask(AskDrawState(draw))
    except Refused as refused:
        if refused.code == "files_destroyed":
            return DrawState(0, "", "destroyed", b"", 0, "")
        if refused.code != "no_such_draw":
            raise
        return DrawState(0, "draw_not_begun", "failed", b"", 0, "")  # we crashed between the row and the keeper: it is asked for again


def _mark(found: DrawPage) -> str:
    """Sixteen hex digits over what the page shows; a browser that has another one loads the page again."""
    parts = [
        *(event.leaf_hash.hex() for _, event in found.events[-1:]),
        found.keeper.stage if found.draw.phase is Phase.NEW else "",
        f"{found.replies.answered} {found.replies.until}" if found.replies else "",
        *(f"{each.type} {len(each.event.sigs)} {each.asked.state} {each.asked.given} {each.event.head.seq}" for each in found.drafts),
        str(found.newest),
        found.fault,
    ]
    return sha256("\n".join(parts).encode()).hexdigest()[:16]


async def events_of(tx: Tx, row: Row, state: Draw) -> list[Event]:
    """The events of one attempt."""
    tag = await drawing.tag_of(tx, row["id"])
    return [each for _, each in await indexed(tx, tag) if each.head.attempt == state.attempt]


async def indexed(tx: Tx, tag: bytes) -> list[tuple[int, Event]]:
    """A project's events with their places in the log."""
    rows = await tx.all("event", stream=drawing.stream(tag), order=["seq"])
    leaves = await tx.events(drawing.stream(tag))
    return [(int(row["leaf_index"]), parse_event(leaf)) for row, leaf in zip(rows, leaves, strict=True)]


async def _drafted(tx: Tx, project: Project, event: Event, chain: KeyChain) -> Drafted:
    return Drafted(event.type, event, tuple(drawing.missing(project, event, chain)), await draw_approvals.asked(tx, event, tx.now))


async def proceed(desk: Desk, draw: str, caller: Caller) -> Stand:
    """Go on as far as nobody is needed: what is signed and approved goes in, a preparation that failed begins again."""
    desk.require("draw.proceed", caller, await centre_of(desk, draw))
    async with desk.store.reading() as tx:
        if await later(tx, await tx.get("draw", draw)):
            raise Refused("draw_superseded", "draw")
    prepared = await desk.keeper.ask(AskDrawState(draw))
    if prepared.stage in ("begun", "failed"):
        await desk.keeper.ask(DrawPrepare(draw))
    if prepared.stage != "ready":
        return Stand("preparing", 0)
    async with desk.store.reading() as tx:
        drafts = [each.type for each in await drawing.drafts_of(tx, draw)]
    for kind in drafts:
        stand = await drawing.complete(desk.store, desk.keeper, draw, kind, caller.request.now, draw_approvals.approval_of)
        if stand is not None:
            return stand
    return await drawing.go_on(desk.store, desk.keeper, draw, caller.request.now)


async def _check_free(desk: Desk, tag: bytes) -> None:
    """Raises Refused("draw_runs") where the project has a draw that has not ended: there is never a second one by accident."""
    async with desk.store.reading() as tx:
        project = await tx.one("project", tag=tag)
        if project is None:
            return
        rows = await tx.all("draw", project=project["id"], order=["-created_at", "-id"], limit=1)
        state = attempt_of(await drawing.project_of(tx, tag), rows[0], 0) if rows else Draw()
    if not rows or state.phase in ENDED:
        return
    if state.phase is Phase.NEW:
        try:
            if (await desk.keeper.ask(AskDrawState(rows[0]["id"]))).stage == "failed":
                return
        except Refused as refused:
            if refused.code == "no_such_draw":
                return
            raise
    raise Refused("draw_runs", "draw", number=str(project["title"]))


async def proof(desk: Desk, draw: str, caller: Caller) -> tuple[str, bytes]:
    """The project's number and its proof so far. Raises Refused("no_checkpoint_yet")."""
    desk.require("draw.read", caller, await centre_of(desk, draw))
    async with desk.store.reading() as tx:
        tag = await drawing.tag_of(tx, draw)
        project = await tx.one("project", tag=tag)
        return str(project["title"] if project else ""), proof_bytes(await proofs.build(tx, tag))


# Signing ----------------------------------------------------------------------------------------------------------------------------------------


async def sign(desk: Desk, draw: str, type_: str, key: str, signature: bytes, approved: bytes | None, caller: Caller) -> Stand:
    """A supervisor's signature of a draft, made where their key is. The signature itself is what counts; the login says only who handed it in.

    `approved`: the keeper's subject; None: that of the approval which people gave in the inbox, and where there is none yet the draft waits for it.
    """
    desk.require("draw.sign", caller, await centre_of(desk, draw))
    if approved is None:
        async with desk.store.reading() as tx:
            event = await drawing.draft_of(tx, draw, type_)
            approved = await draw_approvals.approval_of(tx, event) if event else None
    return await drawing.add_signature(desk.store, desk.keeper, draw, type_, Signature(key, signature), approved, caller.request.now)


async def unsigned(desk: Desk, draw: str, body: Body, now: int) -> Event:
    """An event with this body as it would come next: what a supervisor's client signs (an attestation, a check, a stop)."""
    async with desk.store.reading() as tx:
        tag = await drawing.tag_of(tx, draw)
        project = await drawing.project_of(tx, tag)
    return Event(drawing.next_head(project, tag, now), body, ())


async def file_signed(desk: Desk, draw: str, leaf: bytes, caller: Caller) -> Stand:
    """An event that supervisors alone sign, whole: an attestation, a check, a stop or its end. Raises Refused where it does not follow."""
    desk.require("draw.sign", caller, await centre_of(desk, draw))
    event = parse_event(leaf)
    if not isinstance(event.body, Attested | Checked) and event.type not in SUPERVISED:
        raise Refused("not_their_event", "event", key=event.sigs[0].key if event.sigs else "-")
    now = caller.request.now
    async with desk.store.reading() as tx:
        tag = await drawing.tag_of(tx, draw)
        project = await drawing.project_of(tx, tag)
        chain = await drawing.key_chain(tx)
    if event.head.project != tag:
        raise Refused("other_project", "event")
    if event.head.at > now + 60:
        raise Refused("time_ahead", "event", at=event.head.at)
    drawing.check_signatures(project, event, chain)
    await drawing.append(desk.store, desk.keeper, draw, event, now)
    if isinstance(event.body, Stopped):
        return Stand("stopped", 0)
    return await drawing.go_on(desk.store, desk.keeper, draw, now)


async def sealed_file(desk: Desk, draw: str, what: str, caller: Caller) -> SealedFile:
    """The openings or the roll for the supervisor who may have it now: anybody may fetch it, one can read it."""
    desk.require("draw.sign", caller, await centre_of(desk, draw))
    return await desk.keeper.ask(DrawFile(draw, what))


# Contributing -----------------------------------------------------------------------------------------------------------------------------------


async def order(desk: Desk, draw: str) -> Order:
    """What contributors answer: the commit (or extension) with its proof in a checkpoint, and in a replacement round the states of the slots.

    Raises Refused: no_checkpoint_yet; nothing_to_contribute.
    """
    async with desk.store.reading() as tx:
        tag = await drawing.tag_of(tx, draw)
        project = await drawing.project_of(tx, tag)
        state = project.draw
        if state.phase not in (Phase.COMMITTED, Phase.WIDENED, Phase.OPEN, Phase.DRAWING) or not state.commits:
            raise Refused("nothing_to_contribute", "draw")
        asked = None
        if state.phase in (Phase.OPEN, Phase.DRAWING):
            if not (state.commit and state.commit.round_contributors):
                raise Refused("nothing_to_contribute", "draw")
            states = state.stages[-1].states if state.phase is Phase.DRAWING else states_bytes(state.slots)
            asked = RoundAsked(state.round, states)
        commit = state.commits[-1]
        index = next(index for index, each in await indexed(tx, tag) if each.leaf_hash == commit.leaf_hash)
        log = (await drawing.key_chain(tx)).newest.log_policy.log
        return Order(commit.leaf, log, await proofs.log_proof(tx, index), asked)


async def contribute(desk: Desk, draw: str, contribution: bytes, now: int) -> Stand:
    """File what a contributor made; their own signature is in it. Raises Refused."""
    await order(desk, draw)  # a contribution comes after a checkpoint that others have seen (check A1)
    for _ in range(5):
        try:
            found = await desk.keeper.ask(DrawContributed(contribution, draw))
            await drawing.append(desk.store, desk.keeper, draw, parse_event(found.event), now)
        except Stale:
            continue  # another contributor was faster: the keeper says where this one goes now
        except Refused as refused:
            if refused.code != "event_signed_otherwise":
                raise
            await drawing.go_on(desk.store, desk.keeper, draw, now)  # what is signed for this place goes in first
            continue
        return await drawing.go_on(desk.store, desk.keeper, draw, now)
    raise Refused("busy", "draw", retry_after=5)


# Keys -------------------------------------------------------------------------------------------------------------------------------------------


async def key_file(desk: Desk) -> bytes:
    """The key list with all versions, for everybody."""
    async with desk.store.reading() as tx:
        return keys_bytes((await drawing.key_chain(tx)).lists)


async def publish_keys(desk: Desk, file: bytes, by: str, now: int) -> None:
    """Keep a list that the keeper trusts, for pages and proofs."""
    parse_keys(file)
    value = dumps({"file": file.decode()}, text=True).decode()

    async def work(tx: Tx) -> None:
        row = await tx.one("setting", scope="service", name=drawing.KEYS)
        if row is None:
            await tx.insert("setting", {"scope": "service", "name": drawing.KEYS, "value": value, "changed_at": now}, by)
        elif loads(row["value"].encode(), place=drawing.KEYS, text=True)["file"] != file.decode():
            await tx.change("setting", row["id"], {"value": value, "changed_at": now}, by, row["version"])

    await desk.store.write(work, now)
