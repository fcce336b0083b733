"""Events of a draw: which one follows, and what the keeper signs of it.

The keeper replays the log's events, each with its signatures by keys of the list it trusts, and lets the drawing decide what follows. The operator's
key signs that and nothing else: whoever took the web process cannot have a result, a replacement or an answer of their own signed. For one place in
a project's chain it signs one event; the same is given out again, so that a crash between signing and writing leads to no second one. The staff's
key signs what people have approved, over exactly the body that they saw.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Annotated, Any

from drawing.canonical import dumps, loads
from drawing.draw import Phase, Project
from drawing.errors import Refused
from drawing.events import (
    BODIES,
    TYPE_OF,
    Contributed,
    Event,
    Head,
    Opened,
    RoundContributed,
    Signature,
    parse_event,
)
from drawing.model import digest, shape_of, unicode_text, whole
from drawing.proof import Mapped
from server.keeper.approvals import approved
from server.keeper.approved import body_digest, draw_object
from server.keeper.core import Core, log_name
from server.keeper.draw_verbs import DrawContributed, DrawFile, DrawNext, DrawSign, EventSignature, MapSign, NextEvent, SealedFile
from server.keeper.drawn_people import leaves_for, replies_for, window_end
from server.keeper.draws import Standing, draws_folder, first_fault, ruling, standing, task_of
from server.keeper.rules import STAFF_SIGNS
from server.keeper.signing import OPERATOR, STAFF, Signer, signer
from server.keeper.store import NEW
from server.readers import readers_of

MOST_TRIES = 5


@dataclass(frozen=True, slots=True)
class SignedLast:
    """The last event that the operator's key signed in a project: its place, and the leaf."""

    leaf: Annotated[str, unicode_text(65_535)]
    prev: Annotated[bytes, digest]
    seq: Annotated[int, whole(0, 1 << 31)]


@dataclass(frozen=True, slots=True)
class StaffSigned:
    """Under which approval an attempt was committed: it stays good for the attempt."""

    approved: Annotated[bytes, digest]


async def next_event(core: Core, ask: DrawNext) -> NextEvent:
    """What follows now. Raises Refused where nothing can, and what the log's events break."""
    return await _unless_late(lambda: _next_event(core, ask))


async def _unless_late(step: Callable[[], Awaitable[NextEvent]]) -> NextEvent:
    """Again where another task signed for the same place meanwhile: then that event is found. Raises what the step raises, keeper_busy."""
    for _ in range(MOST_TRIES):
        try:
            return await step()
        except Refused as lost:
            if lost.code != "stale":
                raise
    raise Refused("keeper_busy", "draw")


async def _next_event(core: Core, ask: DrawNext) -> NextEvent:
    now = await standing(core, ask.draw)
    again = await _signed_here(core, now.project)
    if again is not None:
        return NextEvent(again.leaf, (), 0, "")
    got = await core.drawer.run(
        "next",
        **await task_of(core, now),
        cosigned_at=ask.cosigned_at,
        leaves=await leaves_for(core, now),
        replies=await replies_for(core, now),
        values={str(each.number): each.value.hex() for each in ask.values},
    )
    if "waiting" in got:
        body = dumps({"body": got["body"], "type": got["type"]}) if "body" in got else b""
        until = int(got["params"].get("until", 0))
        if got["waiting"] == "answers":
            until = window_end(now)
        return NextEvent(body, (), until, got["waiting"])
    return await _signed(core, now.project, _headed(core, now, _body_of(got["type"], got["body"])), tuple(got["signers"]))


def _body_of(kind: str, value: Any) -> Any:
    return shape_of(BODIES[kind]).read(value, "body")


def _headed(core: Core, now: Standing, body: Any) -> Event:
    project, draw = now.project, now.draw
    attempt = draw.attempt + 1 if isinstance(body, Opened) else draw.attempt
    at = max(core.clock(), draw.last_at)
    return Event(Head(at, attempt, now.kept.dry_run, project.head, now.kept.project, project.events), body, ())


async def _signed_here(core: Core, project: Project) -> Event | None:
    """The event that the operator's key signed for this very place, if it did. Raises Refused where the log lost what it signed before."""
    kept = await core.vault.state(SignedLast, _place(project), SignedLast("-", bytes(32), 0))
    if kept.version == NEW or kept.value.seq < project.events:
        return None
    if kept.value.seq > project.events or kept.value.prev != project.head:
        raise Refused("log_too_short", "draw", size=project.events, wanted=kept.value.seq)
    return parse_event(kept.value.leaf.encode(), "event")


def _place(project: Project) -> str:
    return f"operator/{project.tag.hex()}"


async def _signed(core: Core, project: Project, event: Event, signers: tuple[str, ...]) -> NextEvent:
    """With the operator's signature where it is among the signers, kept before it leaves."""
    key = await signer(core, OPERATOR)
    if key.vkey.name not in signers:
        return NextEvent(event.leaf, signers, 0, "")
    made = _by(key, event)
    others = tuple(name for name in signers if name != key.vkey.name)
    if others:  # it is theirs as much, and a later draft may take its place
        return NextEvent(made.leaf, others, 0, "")
    return await _given_out(core, project, made)


def _by(key: Signer, event: Event) -> Event:
    return replace(event, sigs=(Signature(key.vkey.name, key.sign(event.payload)),))


async def _given_out(core: Core, project: Project, made: Event) -> NextEvent:
    """An event that the operator's key alone signs, kept before it leaves. Raises Refused("stale") where this place has one."""
    kept = await core.vault.state(SignedLast, _place(project), SignedLast("-", bytes(32), 0))
    if kept.version != NEW and kept.value.seq >= project.events:
        raise Refused("stale", "event")
    signed = SignedLast(made.leaf.decode(), project.head, project.events)
    # If we crash before this returns, nobody has the signature; after it, the same is given out again.
    await core.vault.write([core.vault.put_state(_place(project), signed, kept.version)])
    return NextEvent(made.leaf, (), 0, "")


async def contributed(core: Core, ask: DrawContributed) -> NextEvent:
    """A contribution under the operator's signature, where it is this contributor's to this commit and due. Raises Refused."""
    return await _unless_late(lambda: _contributed(core, ask))


async def _contributed(core: Core, ask: DrawContributed) -> NextEvent:
    now = await standing(core, ask.draw)
    again = await _signed_here(core, now.project)
    value = loads(ask.contribution, place="contribution")
    kind = value.pop("type", "") if isinstance(value, dict) else ""
    if kind not in (TYPE_OF[Contributed], TYPE_OF[RoundContributed]):
        raise Refused("not_a_contribution", "contribution")
    body = _body_of(kind, value)
    if again is not None:
        if again.body != body:
            raise Refused("event_signed_otherwise", "event", seq=again.head.seq)
        return NextEvent(again.leaf, (), 0, "")
    event = _by(await signer(core, OPERATOR), _headed(core, now, body))
    fault = first_fault(now.project, event, ruling(now.project, event, now.chain))
    if fault is not None:
        raise Refused(fault.code, "contribution", check=fault.check, **dict(fault.params))
    return await _given_out(core, now.project, event)


async def sign(core: Core, ask: DrawSign) -> EventSignature:
    """The staff's signature over an event that follows, under the approval of its body. Raises Refused."""
    now = await standing(core, ask.draw)
    event = parse_event(ask.event, "event")
    if event.sigs or event.type not in STAFF_SIGNS or (event.head.project, event.head.prev) != (now.kept.project, now.project.head):
        raise Refused("event_not_signed_here", "event", type=event.type)
    fault = first_fault(now.project, event, ruling(now.project, event, now.chain))
    if fault is not None and fault.check != "A3":  # signatures are still to come
        raise Refused(fault.code, "event", check=fault.check, **dict(fault.params))
    action = STAFF_SIGNS[event.type]
    if action:
        await _approved(core, ask.approved, action, event, now.kept.centre)
    key = await signer(core, STAFF)
    return EventSignature(key.vkey.name, key.sign(event.payload))


async def _approved(core: Core, subject: bytes | None, action: str, event: Event, centre: str) -> None:
    """Approved by those whom the action needs, over this body. A commit's approval is remembered: it is good for the end of the attempt, too."""
    about = draw_object(event.head.project, event.head.attempt)
    name = f"committed/{about}"
    if event.type == "closed":
        if (await core.vault.state(StaffSigned, name, StaffSigned(bytes(32)))).version == NEW:
            raise Refused("not_approved", "approved", action=action)
        return
    if subject is None:
        raise Refused("not_approved", "approved", action=action)
    found = await approved(core, subject, action, about, centre)
    if found.digest != body_digest(event):
        raise Refused("subject_differs", "subject.digest")
    if event.type == "committed":
        kept = await core.vault.state(StaffSigned, name, StaffSigned(bytes(32)))
        await core.vault.write([core.vault.put_state(name, StaffSigned(subject), kept.version)])


async def sign_map(core: Core, ask: MapSign) -> EventSignature:
    """What a monitor judges by replaying the log: the root that is claimed for this index. The keeper writes nothing here: its caller holds a lock."""
    key = await signer(core, OPERATOR)
    origin = (await log_name(core)).value.origin
    unsigned = Mapped(ask.at, origin, ask.root, (), ask.index, "mapped", "draw/v1")
    return EventSignature(key.vkey.name, key.sign(unsigned.payload))


async def file(core: Core, ask: DrawFile) -> SealedFile:
    """Openings for the one who attests with them, the roll for the one who attests with it; after the end both for every supervisor (draw.md 7.3)."""
    now = await standing(core, ask.draw)
    draw, entries = now.draw, now.chain.newest.by_name
    plain = ask.what == "roll_closed"
    if plain and draw.phase is not Phase.CLOSED:
        raise Refused("not_closed", "draw")  # draw.md 7.4
    readers = () if plain else readers_of(draw, now.chain.newest, ask.what)
    if not readers and not plain:
        raise Refused("nobody_to_seal_to", "keys", what=ask.what)
    name = f"{ask.draw}-{ask.what}-{len(now.leaves)}.{'bin' if plain else 'sealed'}"
    folder = core.settings.out or draws_folder(core)
    got = await core.drawer.run(
        "seal_out",
        **await task_of(core, now),
        closed=draw.phase is Phase.CLOSED,
        leaves=await leaves_for(core, now),
        out=str(folder / name),
        readers={each: entries[each].box.hex() for each in readers},
        replies=await replies_for(core, now),
        what=ask.what,
    )
    return SealedFile(name, tuple(sorted(readers)), got["bytes"])
