"""Messages to people who were drawn: which there are, and how far each is.

A row is known by the hash of its link's token, its kind and its channel, and holds a slot's number and a state. To whom it goes and what it says
the keeper gives at the moment of sending, to the courier alone. A row is `sending` before the message leaves: a courier that is killed in between
leaves it so, and whoever takes up the job asks a gateway that knows the message's id once more, or, where it has none (mail), says `uncertain`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from random import Random

from drawing.canonical import TH, dumps, loads
from drawing.errors import Refused
from server.keeper.draw_verbs import NoticeOut
from server.storage.store import Store
from server.storage.tx import Row, Tx

SEND, ANSWER = "notice.send", "draw.answer"  # the courier's jobs
CHANNELS = ("sms", "voice", "mail")

# What may follow what. A receipt may come late, twice, or in the wrong order: what does not follow changes nothing.
NEXT: Mapping[str, frozenset[str]] = {
    "due": frozenset({"sending", "dropped"}),
    "sending": frozenset({"due", "sent", "delivered", "failed", "uncertain"}),
    "sent": frozenset({"delivered", "failed"}),
    "failed": frozenset({"delivered", "due", "settled"}),
    "uncertain": frozenset({"sent", "delivered", "failed", "due", "settled"}),
    "delivered": frozenset(),
    "settled": frozenset({"delivered"}),  # a person knows what became of it
    "dropped": frozenset(),  # nobody had to be told any more
}


def message_id(row: Row) -> str:
    """The same message has the same id, also after a crash; it leads back to nobody."""
    parts = (row["kind"].encode(), row["channel"].encode(), int(row["turn"]).to_bytes(4, "big"))
    return TH("lotroom/v1/message", bytes(row["token_hash"]), *parts)[:16].hex()


def code_of(token_hash: bytes) -> str:
    """What somebody reads out on the telephone, so that a clerk finds their place without a name: six signs that cannot be taken for one another."""
    signs = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
    made = TH("lotroom/v1/notice-code", token_hash)
    return "".join(signs[each % 32] for each in made[:6])


async def register(tx: Tx, draw: str, items: Sequence[NoticeOut], channels: Sequence[str]) -> None:
    """A row and a job for each message that has none. Their order says nothing about who sits where."""
    found = [(item, channel) for item in items for channel in channels]
    Random(int.from_bytes(tx.chance(8), "big")).shuffle(found)
    for item, channel in found:
        key = {"token_hash": item.token_hash, "kind": item.kind, "channel": channel}
        if await tx.count("notice", key):
            continue
        row = {**key, "draw": draw, "slot": item.slot, "occupant": item.occupant, "state": "due", "turn": 0, "changed_at": tx.now}
        await tx.put("notice", row)
        await queue(tx, row)
    tx.wake(f"draw-{draw}")


async def queue(tx: Tx, row: Row) -> None:
    payload = {"channel": row["channel"], "hash": bytes(row["token_hash"]).hex(), "kind": row["kind"]}
    await tx.outbox(SEND, f"{message_id(row)}", tx.now, dumps(payload))


async def of_job(tx: Tx, payload: bytes) -> Row | None:
    """The row that a job is about."""
    value = loads(payload, place="notice")
    return await tx.one("notice", token_hash=bytes.fromhex(value["hash"]), kind=value["kind"], channel=value["channel"])


async def move(tx: Tx, row: Row, state: str, fault: str = "") -> bool:
    """To another state, where it may follow and the row is still as it was seen. Whether it did."""
    if state not in NEXT[row["state"]]:
        return False
    key = {name: row[name] for name in ("token_hash", "kind", "channel", "state", "turn")}
    done = await tx.set("notice", {"state": state, "changed_at": tx.now, "fault": fault or None}, **key)
    if done:
        tx.wake(f"draw-{row['draw']}")
    return bool(done)


async def receive(store: Store, token: str, kind: str, channel: str, state: str, now: int) -> str:
    """What a gateway says later; the state that the message is in now. Raises Refused("unknown_message")."""

    async def work(tx: Tx) -> str:
        row = await tx.one("notice", token_hash=sha256(token.encode()).digest(), kind=kind, channel=channel)
        if row is None:
            raise Refused("unknown_message", "token")
        moved = await move(tx, row, state, "" if state == "delivered" else "not_delivered")
        return state if moved else str(row["state"])

    return await store.write(work, now)
