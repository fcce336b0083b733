"""Unsealing: what is opened and when, for those who may open it; the names, once the log says so, each reading with its reason."""

from __future__ import annotations

from dataclasses import dataclass

from drawing.draw import Draw
from drawing.errors import Refused
from drawing.events import Event, Unsealed
from server.keeper.draw_verbs import DrawNames, Named
from server.services import drawing, draws
from server.services.desk import Caller, Desk, pass_of
from server.services.supervision import approval_over


@dataclass(frozen=True, slots=True)
class Unsealing:
    """Where a draw's unsealing stands. `signed`: keys that have signed the draft, where there is one."""

    number: str
    section: str
    regime: str
    draw: Draw
    draft: Event | None
    signed: tuple[str, ...]


async def stand(desk: Desk, draw: str, caller: Caller) -> Unsealing:
    """Raises Refused("not_found")."""
    desk.require("draw.unsealing", caller, await draws.centre_of(desk, draw))
    async with desk.store.reading() as tx:
        row = await tx.get("draw", draw)
        project = await tx.get("project", row["project"])
        state = (await drawing.project_of(tx, bytes(project["tag"]))).draw
        draft = await drawing.draft_of(tx, draw, "unsealed")
    signed = tuple(each.key for each in draft.sigs) if draft else ()
    return Unsealing(str(project["title"]), str(row["section"]), str(row["regime"]), state, draft, signed)


async def names(desk: Desk, draw: str, reason: str, caller: Caller, approved: bytes | None = None) -> tuple[Named, ...]:
    """The people of the opened slots. `approved`: the subject of `unseal`, looked up without it. Raises Refused: not_yet, not_approved, not_entitled."""
    desk.require("draw.names", caller, await draws.centre_of(desk, draw))
    token, login = pass_of(caller.shown)
    return await read_names(desk, draw, reason, token, login, caller.request.now, approved)


async def read_names(
    desk: Desk, draw: str, reason: str, token: str, login: bytes, now: int, approved: bytes | None = None
) -> tuple[Named, ...]:
    """The same with a pass; the keeper judges it, and writes the reading down before it answers."""
    async with desk.store.reading() as tx:
        tag = await drawing.tag_of(tx, draw)
        events = await draws.indexed(tx, tag)
        last = events[-1][1].head.attempt if events else 0
        opened = [event for _, event in events if isinstance(event.body, Unsealed) and event.head.attempt == last]
        if not opened:
            raise Refused("not_yet", "draw", until=0)
        approved = approved or await approval_over(tx, opened[-1], now)
    if approved is None:
        raise Refused("not_approved", "approved", action="unseal")
    return (await desk.keeper.ask(DrawNames(approved, draw, login, reason, token))).people
