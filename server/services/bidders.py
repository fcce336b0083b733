"""Sealed bidder lists: the box of a draw, a list on its way to the keeper, and what is known of those that came. Never what stands in them.

An agency's people see the draws of projects that a clerk gave to them; a machine with a service token those of its centre.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from drawing.draw import ENDED, Phase
from drawing.errors import Refused
from server import bidders
from server.auth.model import PersonId, Role
from server.auth.permissions import reaches
from server.keeper.draw_verbs import Box, DrawBidders, DrawBox, Received
from server.services import drawing, draws
from server.services.desk import Caller, Desk
from server.storage import accounts
from server.storage.tx import Row, Tx


@dataclass(frozen=True, slots=True)
class Receipt:
    """A list that came. `compared`: the log says so."""

    number: int
    sender: str
    at: int
    digest: bytes
    compared: bool


@dataclass(frozen=True, slots=True)
class OwnDraw:
    """A draw for which the caller may hand in lists. `project` is its number."""

    id: str
    project: str
    section: str
    evaluation_at: int
    over: bool
    lists: int


@dataclass(frozen=True, slots=True)
class BoxPage:
    """What a sender needs: the draw, its box, and the lists that came."""

    draw: OwnDraw
    box: Box
    receipts: tuple[Receipt, ...]


async def mine(desk: Desk, caller: Caller, limit: int = 100) -> tuple[OwnDraw, ...]:
    """Draws of the projects that are given to the caller, the newest first."""
    desk.require("bidders.send", caller)
    async with desk.store.reading() as tx:
        given = [row["project"] for row in await tx.all("project_agency", person=caller.person)]
        rows = await tx.all("draw", {"project in": given}, order=["-created_at", "id"], limit=limit) if given else []
        return tuple([await _own(tx, row) for row in rows])


async def _own(tx: Tx, row: Row) -> OwnDraw:
    project = await tx.get("project", row["project"])
    phase = (await draws.state_of(tx, row)).phase
    lists = len(await tx.all("bidder_list", draw=row["id"]))
    return OwnDraw(row["id"], str(project["title"]), row["section"], row["evaluation_at"], phase in ENDED, lists)


async def box(desk: Desk, draw: str, caller: Caller) -> BoxPage:
    """Raises Refused: not_found where the draw is not of the caller's project, draw_not_ready before it is begun."""
    row = await _reach(desk, draw, caller)
    found = await desk.keeper.ask(DrawBox(draw))
    async with desk.store.reading() as tx:
        return BoxPage(await _own(tx, row), found, await _receipts(tx, row))


async def _reach(desk: Desk, draw: str, caller: Caller) -> Row:
    """The draw's row. Raises Refused("not_found") for a draw that is not of this agency's project."""
    desk.require("bidders.send", caller, await draws.centre_of(desk, draw))
    async with desk.store.reading() as tx:
        row = await tx.get("draw", draw)
        machine = caller.actor.scopes is not None
        if not machine and await tx.one("project_agency", project=row["project"], person=caller.person) is None:
            raise Refused("not_found", "draw")
        return row


async def receive(desk: Desk, draw: str, number: int, sealed: bytes, sender: str, caller: Caller) -> Received:
    """A sealed list for the keeper. `sender`: how the account or the token is called.

    Raises Refused: bidders_not_for_this_box, bidders_too_late, bidders_too_large, other_bidder_list_there, bidder_list_missing, and what the list breaks.
    """
    await _reach(desk, draw, caller)
    got = await desk.keeper.ask(DrawBidders(draw, number, sealed))
    now = caller.request.now
    # If we crash here the keeper has the list; it is sent again, is the same, and is written down then.

    async def work(tx: Tx) -> None:
        if await tx.one("bidder_list", draw=draw, number=number) is None:
            row = {"draw": draw, "number": number, "sender": sender, "digest": got.digest, "received_at": now}
            await tx.insert("bidder_list", row, caller.actor.person or "token")
            await tx.outbox(drawing.ADVANCE, f"{draw} bidders {number}", now, draw.encode())
            tx.wake(f"draw-{draw}")

    await desk.store.write(work, now)
    return got


async def seal_here(desk: Desk, draw: str, number: int, plain: bytes, sender: str, caller: Caller) -> Received:
    """The way for browsers that cannot seal: the list is sealed in this process, which holds it until then. Raises Refused as `receive`."""
    found = await box(desk, draw, caller)
    return await receive(desk, draw, number, bidders.seal(plain, found.box.key, draw), sender, caller)


# For the centre ---------------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ListsPage:
    """What the centre sees: that lists came, and who may hand them in."""

    draw: str
    project: str
    receipts: tuple[Receipt, ...]
    agencies: tuple[str, ...]  # account names


async def lists(desk: Desk, draw: str, caller: Caller) -> ListsPage:
    """Raises Refused("not_found")."""
    desk.require("draw.read", caller, await draws.centre_of(desk, draw))
    async with desk.store.reading() as tx:
        row = await tx.get("draw", draw)
        project = await tx.get("project", row["project"])
        given = [each["person"] for each in await tx.all("project_agency", project=row["project"])]
        names = sorted(each["name"] for each in await tx.all("account", {"person in": given})) if given else []
        return ListsPage(draw, str(project["title"]), await _receipts(tx, row), tuple(names))


async def give(desk: Desk, draw: str, account: str, caller: Caller) -> None:
    """Let an agency's account hand in lists for the draw's project. Raises Refused("no_such_agency") for an account that has no such role here."""
    thing = await draws.centre_of(desk, draw)
    desk.require("draw.request", caller, thing)

    async def work(tx: Tx) -> None:
        row = await tx.get("draw", draw)
        found = await tx.one("account", name=account.strip())
        held = await accounts.grants_of(tx, PersonId(found["person"])) if found else frozenset()
        if found is None or not any(each.role is Role.AGENCY and reaches(each, thing.centre) and each.holds(tx.now) for each in held):
            raise Refused("no_such_agency", "account")
        if await tx.one("project_agency", project=row["project"], person=found["person"]) is None:
            values = {"project": row["project"], "person": found["person"], "created_at": tx.now}
            await tx.insert("project_agency", values, caller.person)

    await desk.store.write(work, caller.request.now)


async def _receipts(tx: Tx, row: Row) -> tuple[Receipt, ...]:
    state = await draws.state_of(tx, row)
    compared = len(state.screened) if state.phase is not Phase.NEW else 0
    rows: Sequence[Row] = await tx.all("bidder_list", draw=row["id"], order=["number"])
    return tuple(
        Receipt(each["number"], each["sender"], each["received_at"], bytes(each["digest"]), each["number"] <= compared) for each in rows
    )
