"""Sign-ins at the organisation's provider that are under way (transient), and which of the provider's subjects is which person (in the log)."""

from __future__ import annotations

from collections.abc import Callable

from server.auth.oidc import Pending
from server.auth.people import Account, AccountState
from server.storage.accounts import account_of
from server.storage.store import Store
from server.storage.tx import Tx

Now = Callable[[], int]


class StoredPendings:
    """The port `oidc.Pendings`."""

    def __init__(self, store: Store, now: Now) -> None:
        self._store, self._now = store, now

    async def add(self, pending: Pending) -> None:
        async def work(tx: Tx) -> None:
            await tx.remove("oidc_flow", {"expires_at <": tx.now})
            row = {"state_hash": pending.state, "issuer": "", "verifier": pending.verifier, "nonce": pending.nonce, "back": pending.then}
            await tx.put("oidc_flow", {**row, "data": pending.browser.hex(), "created_at": tx.now, "expires_at": pending.expires})

        await self._store.write(work, self._now())

    async def take(self, state: bytes) -> Pending | None:
        async def work(tx: Tx) -> Pending | None:
            row = await tx.one("oidc_flow", state_hash=state)
            if row is None or not await tx.remove("oidc_flow", state_hash=state):
                return None
            return Pending(state, bytes.fromhex(row["data"]), row["nonce"], row["verifier"], row["back"], row["expires_at"])

        return await self._store.write(work, self._now())


class StoredSubjects:
    """The port `oidc.Subjects`. A subject is a person's; the account is the one at work, the oldest where there are several."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def account(self, issuer: str, subject: str) -> Account | None:
        async with self._store.reading() as tx:
            row = await tx.one("identity", issuer=issuer, subject=subject)
            rows = await tx.all("account", person=row["person"], order=["created_at", "id"]) if row else []
        return next((each for each in map(account_of, rows) if each.state is AccountState.ACTIVE), None)


async def bind(tx: Tx, person: str, issuer: str, subject: str, by: str) -> None:
    """This subject is this person from now on. Raises Refused("row_conflicts") where it is somebody's."""
    await tx.insert("identity", {"person": person, "issuer": issuer, "subject": subject, "created_at": tx.now}, by, "bound")
