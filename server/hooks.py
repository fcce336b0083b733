"""The courier's errand for webhooks: one delivery, tried again with longer and longer waits for a day, then given up until a person sends it once more."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, SealedBox

from server.courier import Later, Work
from server.ports import Clock
from server.services import webhooks
from server.storage.outbox import Job
from server.storage.store import Store
from server.storage.tx import Tx

Send = Callable[[str, str, str, int, bytes], Awaitable[str]]  # (address, secret, id, time, body) -> "" or a code
FIRST_WAIT, LONGEST_WAIT = 5, 3_600


@dataclass(frozen=True, slots=True)
class Hooks:
    """`secret`: the courier's own key, to which the endpoints' secrets are sealed."""

    store: Store
    clock: Clock
    secret: bytes
    send: Send

    async def deliver(self, job: Job) -> Work | None:
        """Raises Later where it was not taken. Killed in between, the same message goes out again under the same id."""
        made = job.payload.decode()
        async with self.store.reading() as tx:
            row = await tx.one("delivery", id=made)
            hook = await tx.one("webhook", id=row["webhook"]) if row else None
        if row is None or hook is None or row["state"] != "due" or job.key != f"{made} {row['turn']}":
            return None
        if hook["ended_at"] is not None:
            return _ends(made, "dropped", "")
        now = self.clock.now()
        fault = await self._sent(bytes(hook["sealed"]), hook["address"], made, now, bytes(row["body"]))
        if not fault:
            return _ends(made, "delivered", "")
        wait = min(FIRST_WAIT << min(job.attempts - 1, 12), LONGEST_WAIT)
        if fault == "status_410" or now + wait > row["since"] + webhooks.GIVE_UP_SECONDS:
            return _ends(made, "failed", fault)
        await self.store.write(lambda tx: _note(tx, made, fault), now)
        raise Later(fault, wait)

    async def _sent(self, sealed: bytes, address: str, made: str, now: int, body: bytes) -> str:
        try:
            secret = SealedBox(PrivateKey(self.secret)).decrypt(sealed).decode()
        except (CryptoError, ValueError):
            return "secret_lost"  # the courier's key was made anew: the endpoint is registered once more
        return await self.send(address, secret, made, now, body)


async def _note(tx: Tx, made: str, fault: str) -> None:
    row = await tx.one("delivery", id=made)
    if row is not None:
        await tx.set("delivery", {"attempts": row["attempts"] + 1, "fault": fault, "changed_at": tx.now}, id=made)


def _ends(made: str, state: str, fault: str) -> Work:
    async def work(tx: Tx) -> None:
        await _note(tx, made, fault)
        await tx.set("delivery", {"state": state}, id=made)

    return work
