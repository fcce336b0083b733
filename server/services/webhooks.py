"""Webhooks: endpoints of other systems that are told what happens in draws, without names. docs/webhooks.md is their description.

The secret is shown once and sealed to the courier's key: neither the database nor the web process can sign a message afterwards. An endpoint that two
others have not approved is told nothing. What is to be told is written in the transaction of the event, and sent by the courier.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from nacl.public import PublicKey, SealedBox

from drawing.canonical import TH, dumps
from drawing.draw import Draw
from drawing.errors import Refused
from drawing.events import Event
from server.auth import approvals
from server.auth.approvals import ProposalId
from server.auth.model import CentreId, Thing
from server.services.desk import Caller, Desk
from server.storage import proposals as stored
from server.storage.tx import Row, Tx
from server.webhook_address import Reach, check_address

SEND = "webhook.send"  # the courier's job
PREFIX = "whsec_"
MOST_ENDPOINTS = 20  # of a centre
MOST_NAME = 80
SHOWN = 50  # deliveries on the page
KEPT_SECONDS = 30 * 86_400
GIVE_UP_SECONDS = 86_400
NOTHING = bytes(32)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One row, and how its last deliveries are."""

    row: Row
    deliveries: tuple[Row, ...]


async def make(
    desk: Desk, box: bytes, reach: Reach, centre: CentreId, name: str, address: str, why: str, caller: Caller
) -> tuple[str, str]:
    """The endpoint's id and its secret, shown once; nothing is sent before two others have approved it. `box`: the courier's public key.

    Raises Refused: webhook_address, webhook_not_https, webhook_private, webhook_name, webhooks_many, no_courier_key.
    """
    desk.require_to_ask("webhooks.make", caller, Thing(centre))
    check_address(address, reach)
    if not name.strip() or len(name) > MOST_NAME or not name.isprintable():
        raise Refused("webhook_name", "name", most=MOST_NAME)
    if not box:
        raise Refused("no_courier_key", "courier")
    now = caller.request.now
    secret = PREFIX + base64.b64encode(desk.chance(32)).decode()
    sealed = SealedBox(PublicKey(box)).encrypt(secret.encode())

    async def work(tx: Tx) -> str:
        if await tx.one("centre", id=centre) is None:
            raise Refused("not_found", "centre")
        if len(await tx.all("webhook", centre=centre, ended_at=None)) >= MOST_ENDPOINTS:
            raise Refused("webhooks_many", "address", most=MOST_ENDPOINTS)
        values = {
            "centre": centre,
            "name": name.strip(),
            "address": address,
            "sealed": sealed,
            "created_by": caller.person,
            "created_at": now,
        }
        made = await tx.insert("webhook", values, caller.person)
        thing = Thing(centre, caller.person, digest_of(await tx.get("webhook", made)))
        proposal = approvals.propose(ProposalId(tx.new_id()), "webhooks.make", caller.actor, thing, now)
        await stored.add(tx, proposal, f"webhook/{made}", why, {"name": name.strip(), "address": address})
        return made

    return await desk.store.write(work, now), secret


def digest_of(row: Row) -> bytes:
    """What an approval covers: where it goes, for which centre, under which secret."""
    value = {"address": row["address"], "centre": row["centre"], "id": row["id"], "sealed": bytes(row["sealed"]).hex()}
    return TH("lotroom/v1/webhook", dumps(value))


async def waiting_for(tx: Tx, id: str) -> bytes:  # noqa: A002 (the field's name)
    """The digest of an endpoint that may still be let in; zeros where there is none."""
    row = await tx.one("webhook", id=id, ended_at=None, approval=None)
    return digest_of(row) if row else NOTHING


async def let_in(tx: Tx, id: str, approval: str, by: str) -> None:  # noqa: A002
    """From now on it is told."""
    row = await tx.get("webhook", id)
    await tx.change("webhook", id, {"approval": approval}, by, row["version"], "approved")


async def listed(desk: Desk, caller: Caller) -> tuple[Endpoint, ...]:
    """All that have not ended long ago, the newest first, with their last deliveries."""
    desk.require("webhooks.read", caller)
    async with desk.store.reading() as tx:
        rows = await tx.all("webhook", order=["-created_at", "id"], limit=100)
        return tuple(
            [Endpoint(row, tuple(await tx.all("delivery", webhook=row["id"], order=["-created_at", "-id"], limit=SHOWN))) for row in rows]
        )


async def end(desk: Desk, id: str, caller: Caller) -> None:  # noqa: A002
    """At once. Raises Refused("not_found")."""
    desk.require("webhooks.end", caller)

    async def work(tx: Tx) -> None:
        row = await tx.one("webhook", id=id, ended_at=None)
        if row is None:
            raise Refused("not_found", "webhook")
        await tx.change("webhook", id, {"ended_at": tx.now}, caller.person, row["version"], "ended")
        await tx.set("delivery", {"state": "dropped", "changed_at": tx.now}, webhook=id, state="due")

    await desk.store.write(work, caller.request.now)


async def again(desk: Desk, id: str, caller: Caller) -> None:  # noqa: A002
    """Send a delivery once more, under its own id. Raises Refused: not_found, webhook_ended."""
    desk.require("webhooks.send", caller)

    async def work(tx: Tx) -> None:
        row = await tx.one("delivery", id=id)
        if row is None:
            raise Refused("not_found", "delivery")
        if (await tx.get("webhook", row["webhook"]))["ended_at"] is not None:
            raise Refused("webhook_ended", "delivery")
        if row["state"] != "due":
            await _queue(tx, id, row["turn"] + 1)

    await desk.store.write(work, caller.request.now)


async def _queue(tx: Tx, id: str, turn: int) -> None:  # noqa: A002
    await tx.set("delivery", {"state": "due", "turn": turn, "fault": None, "since": tx.now, "changed_at": tx.now}, id=id)
    await tx.outbox(SEND, f"{id} {turn}", tx.now, id.encode())


# What is told -----------------------------------------------------------------------------------------------------------------------------------


async def register(tx: Tx, draw: Row, project: str, event: Event, state: Draw) -> None:
    """A delivery for each endpoint of the draw's centre, in the transaction of the event."""
    rows = await tx.all("webhook", {"approval !=": None}, centre=draw["centre"], ended_at=None)
    if not rows:
        return
    await tx.remove("delivery", {"created_at <": tx.now - KEPT_SECONDS})
    body = json.dumps(body_of(draw, project, event, state), ensure_ascii=False, sort_keys=True).encode()
    for row in rows:
        made = tx.new_id()
        values = {"id": made, "webhook": row["id"], "draw": draw["id"], "event": event.type, "body": body, "state": "due", "turn": 0}
        await tx.put("delivery", {**values, "created_at": tx.now, "since": tx.now, "changed_at": tx.now, "attempts": 0, "fault": None})
        await _queue(tx, made, 0)


def body_of(draw: Row, project: str, event: Event, state: Draw) -> Mapping[str, object]:
    """State of a draw after an event: no name, no tag of anybody, no digest that would tell two people apart."""
    panel = [state.slots[n] for n in state.panel] if state.slots else []
    data = {
        "accepted": sum(slot.state in ("accepted", "appointed") for slot in panel),
        "attempt": state.attempt,
        "digest": event.leaf_hash.hex(),
        "draw": draw["id"],
        "dry_run": bool(draw["dry_run"]),
        "event": event.type,
        "phase": state.phase.value,
        "project": project,
        "seats": len(panel),
        "section": draw["section"],
        "seq": event.head.seq,
    }
    at = datetime.fromtimestamp(event.head.at, UTC).isoformat().replace("+00:00", "Z")
    return {"data": data, "timestamp": at, "type": "draw.event"}
