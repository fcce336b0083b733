"""What whoever runs a draw sees of its messages, and what a person does about one that failed or whose fate nobody knows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from drawing.errors import Refused
from server.keeper.draw_verbs import AskReplies
from server.services import draws, notices
from server.services.desk import Caller, Desk
from server.storage.tx import Row, Tx

BY_HAND = frozenset({"due", "settled"})


@dataclass(frozen=True, slots=True)
class Slot:
    """How far the messages of a slot are: (kind, channel, state, fault) each; `number` as people count."""

    number: int
    messages: tuple[tuple[str, str, str, str], ...]


@dataclass(frozen=True, slots=True)
class NoticesPage:
    """What whoever runs a draw sees of its messages: numbers, and nobody."""

    draw: str
    number: str  # of the project
    phase: str
    notified: int
    answered: int
    until: int
    round: int
    open: int  # seats without anybody
    accepted: int
    counts: Mapping[str, int]
    slots: tuple[Slot, ...]
    stand: Row | None
    ladder: bool  # whether the request's wider terms are what is needed now


async def show(desk: Desk, draw: str, caller: Caller) -> NoticesPage:
    """Counters and delivery states. Nothing goes on because somebody looks."""
    found = await draws.show(desk, draw, caller)
    async with desk.store.reading() as tx:
        rows = await tx.all("notice", draw=draw, order=["slot", "occupant", "kind", "channel"])
        stand = await tx.one("stand", draw=draw)
    state = found.draw
    newest = {row["slot"]: row["occupant"] for row in rows}
    shown = [row for row in rows if row["occupant"] == newest[row["slot"]]]
    slots = tuple(
        Slot(number + 1, tuple((r["kind"], r["channel"], r["state"], r["fault"] or "") for r in shown if r["slot"] == number))
        for number in sorted(newest)
    )
    replies = found.replies
    return NoticesPage(
        draw,
        found.number,
        state.phase.value,
        replies.notified if replies else 0,
        replies.answered if replies else 0,
        replies.until if replies else 0,
        state.round,
        len(state.open_slots),
        sum(slot.state == "accepted" and not slot.reserve for slot in state.slots),
        Counter(row["state"] for row in rows),
        slots,
        stand,
        bool(state.commits) and state.phase.value in ("open", "widening"),
    )


async def counters(desk: Desk, draw: str) -> tuple[int, ...]:
    """What a live page compares, to know whether to tell of a change. Numbers only."""
    replies = await desk.keeper.ask(AskReplies(draw))
    async with desk.store.reading() as tx:
        rows = await tx.all("notice", draw=draw)
        stand = await tx.one("stand", draw=draw)
    states = Counter(row["state"] for row in rows)
    return (replies.notified, replies.answered, replies.until, *(states[each] for each in notices.NEXT), stand["at"] if stand else 0)


async def resolve(desk: Desk, draw: str, slot: int, channel: str, state: str, caller: Caller) -> None:
    """A person says what becomes of a message that failed or is uncertain: sent once more (`due`), or settled otherwise. Raises Refused."""
    desk.require("draw.proceed", caller, await draws.centre_of(desk, draw))
    if state not in BY_HAND:
        raise Refused("bad_resolution", "state")

    async def work(tx: Tx) -> None:
        rows = await tx.all("notice", draw=draw, slot=slot, channel=channel, order=["-occupant", "-kind"])
        row = next((each for each in rows if each["state"] in ("failed", "uncertain")), None)
        if row is None or not await notices.move(tx, row, state):
            raise Refused("nothing_to_resolve", "slot", slot=slot + 1)
        if state == "due":
            key = {name: row[name] for name in ("token_hash", "kind", "channel")}
            await tx.set("notice", {"turn": row["turn"] + 1}, **key)
            await notices.queue(tx, {**row, "turn": row["turn"] + 1})

    await desk.store.write(work, caller.request.now)
