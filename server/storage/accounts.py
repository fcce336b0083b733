"""People, their accounts and roles, and what an account has besides its password: recovery codes, known browsers, waiting resets.

Functions over a transaction, for use cases that write several things at once; and the ports of `server.auth` made of them, one transaction a
call. The order of writers is the store's: of any number at once that want to use one thing up, the second finds it used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from drawing.canonical import TH, dumps, loads
from drawing.errors import Refused
from server.auth.logins import Kind
from server.auth.model import ADMINISTRATORS, EVERYWHERE, AccountId, CentreId, Grant, PersonId, Role
from server.auth.people import Account, AccountState, Reset
from server.auth.tickets import Purpose
from server.errors import Stale
from server.storage.store import Store
from server.storage.tx import Row, Tx

Now = Callable[[], int]
DEVICE_SECONDS = 183 * 86_400
_DEVICE = "device"


def account_of(row: Row) -> Account:
    """The value of a row of `account`."""
    data = loads(row["data"].encode(), place="account")
    return Account(
        AccountId(row["id"]),
        PersonId(row["person"]),
        CentreId(data["centre"]),
        row["name"],
        Kind(row["kind"]),
        AccountState(data["state"]),
        row["password"],
        row["password_at"] or 0,
        bool(data["totp"]),
        data["passkeys"],
        row["generation"],
        row["version"],
    )


def _values(account: Account, now: int) -> dict[str, Any]:
    data = {"centre": account.centre, "passkeys": account.passkeys, "state": account.state.value, "totp": int(account.totp)}
    over = account.state in (AccountState.SUSPENDED, AccountState.CLOSED)
    return {
        "kind": account.kind.value,
        "name": account.name,
        "password": account.password,
        "password_at": account.password_at or None,
        "generation": account.generation,
        "disabled_at": now if over else None,
        "data": dumps(data).decode(),
    }


async def account(tx: Tx, id: AccountId) -> Account | None:  # noqa: A002 (the field's name)
    row = await tx.one("account", id=id)
    return account_of(row) if row else None


async def add_person(tx: Tx, made: Account, kind: str, by: str) -> None:
    """A new person with a first account. Raises Refused("row_conflicts") where the name is taken."""
    centre = None if made.centre == EVERYWHERE else made.centre
    person = {"id": made.person, "centre": centre, "kind": kind, "administers": "", "label": made.name, "created_at": tx.now}
    await tx.insert("person", person, by, "invited")
    await tx.insert("account", {"id": made.id, "person": made.person, "created_at": tx.now, **_values(made, tx.now)}, by, "invited")


async def write_account(tx: Tx, made: Account, by: str, why: str = "") -> None:
    """Over the row whose version is one less. Raises Stale."""
    await tx.change("account", made.id, _values(made, tx.now), by, made.version - 1, why)


async def grants_of(tx: Tx, person: PersonId) -> frozenset[Grant]:
    """All of a person, past and future ones too."""
    return frozenset(grant_of(row) for row in await tx.all("role_grant", person=person))


def grant_of(row: Row) -> Grant:
    return Grant(Role(row["role"]), CentreId(row["centre"]), row["since"], row["until"])


async def give_role(tx: Tx, person: PersonId, grant: Grant, approval: str | None, by: str) -> None:
    """One more role. The database refuses an administrator a second one."""
    found = await tx.get("person", person)
    administers = grant.role.value if grant.role in ADMINISTRATORS else ""
    if found["administers"] != administers and administers:
        await tx.change("person", person, {"administers": administers}, by, found["version"], "role")
    row = {
        "person": person,
        "administers": administers,
        "role": grant.role.value,
        "centre": grant.centre,
        "approval": approval,
        "granted_by": by,
        "granted_at": tx.now,
        "since": grant.since,
        "until": grant.until,
    }
    await tx.insert("role_grant", row, by, "role")


async def take_role(tx: Tx, person: PersonId, grant: Grant, by: str) -> None:
    """One role less. Raises Refused where it is not held."""
    row = await tx.one("role_grant", person=person, role=grant.role.value, centre=grant.centre)
    if row is None:
        raise Refused("not_found", "role")
    await tx.delete("role_grant", row["id"], by, row["version"], "role")
    found = await tx.get("person", person)
    if found["administers"]:
        await tx.change("person", person, {"administers": ""}, by, found["version"], "role")


async def forget_devices(tx: Tx, account: AccountId) -> None:
    """No browser is known any more."""
    await tx.remove("ticket", kind=_DEVICE, account=account)


class StoredAccounts:
    """The port `people.Accounts`."""

    def __init__(self, store: Store, now: Now) -> None:
        self._store, self._now = store, now

    async def by_name(self, name: str) -> Account | None:
        async with self._store.reading() as tx:
            row = await tx.one("account", name=name)
        return account_of(row) if row else None

    async def get(self, id: AccountId) -> Account | None:  # noqa: A002
        async with self._store.reading() as tx:
            return await account(tx, id)

    async def swap(self, account: Account) -> bool:
        try:
            await self._store.write(lambda tx: write_account(tx, account, account.person), self._now())
        except Stale:
            return False
        return True

    async def grants(self, person: PersonId) -> frozenset[Grant]:
        async with self._store.reading() as tx:
            return await grants_of(tx, person)


class StoredCodes:
    """The port `recovery.RecoveryCodes`. Which code was used stands in no leaf: a row's digest is salted."""

    def __init__(self, store: Store, now: Now) -> None:
        self._store, self._now = store, now

    async def replace(self, account: AccountId, digests: frozenset[bytes]) -> None:
        async def work(tx: Tx) -> None:
            person = (await tx.get("account", account))["person"]
            for old in await tx.all("recovery_code", account=account):
                await tx.delete("recovery_code", old["id"], person, old["version"])
            rows = [{"account": account, "person": person, "code_hash": each, "created_at": tx.now} for each in sorted(digests)]
            await tx.insert_all("recovery_code", rows, person)

        await self._store.write(work, self._now())

    async def take(self, account: AccountId, digest: bytes) -> bool:
        async def work(tx: Tx) -> bool:
            found = await tx.one("recovery_code", account=account, code_hash=digest, used_at=None)
            if found is None:
                return False
            await tx.change("recovery_code", found["id"], {"used_at": tx.now}, found["person"], found["version"])
            return True

        return await self._store.write(work, self._now())

    async def left(self, account: AccountId) -> int:
        async with self._store.reading() as tx:
            return await tx.count("recovery_code", account=account, used_at=None)


class StoredDevices:
    """The port `sign_in.Devices`: transient rows of `ticket`, for half a year."""

    def __init__(self, store: Store, now: Now) -> None:
        self._store, self._now = store, now

    async def knows(self, account_name: str, device: bytes) -> bool:
        async with self._store.reading() as tx:
            found = await tx.one("account", name=account_name)
            key = None if found is None else _device(found["id"], device)
            return key is not None and await tx.count("ticket", {"expires_at >": self._now()}, token_hash=key, kind=_DEVICE) > 0

    async def add(self, account: AccountId, device: bytes, now: int) -> None:
        async def work(tx: Tx) -> None:
            key = _device(account, device)
            if not await tx.set("ticket", {"expires_at": now + DEVICE_SECONDS}, token_hash=key):
                row = {"id": tx.new_id(), "token_hash": key, "kind": _DEVICE, "account": account}
                await tx.put("ticket", {**row, "created_at": now, "expires_at": now + DEVICE_SECONDS})

        await self._store.write(work, now)


def _device(account: str, device: bytes) -> bytes:
    return TH("lotroom/v1/device", account.encode(), device)


class StoredResets:
    """The port `people.Resets`: a waiting reset stands with its ticket, and goes with it."""

    def __init__(self, store: Store, now: Now) -> None:
        self._store, self._now = store, now

    async def add(self, made: Reset) -> None:
        data = dumps({"approved_by": list(made.approved_by), "made_at": made.made_at, "person": made.person}).decode()
        await self._store.write(lambda tx: tx.set("ticket", {"data": data}, token_hash=made.ticket), self._now())

    async def of(self, account: AccountId) -> Reset | None:
        async with self._store.reading() as tx:
            found = await tx.all("ticket", {"data !=": None}, kind=Purpose.RESET.value, account=account, order=["-created_at"], limit=1)
        return _reset(account, found[0]) if found else None

    async def withdraw(self, account: AccountId) -> bool:
        done = await self._store.write(lambda tx: tx.remove("ticket", kind=Purpose.RESET.value, account=account), self._now())
        return done > 0


def _reset(account: AccountId, row: Mapping[str, Any]) -> Reset:
    data = loads(row["data"].encode(), place="ticket")
    people = tuple(PersonId(each) for each in data["approved_by"])
    return Reset(account, PersonId(data["person"]), people, data["made_at"], row["created_at"], row["expires_at"], bytes(row["token_hash"]))
