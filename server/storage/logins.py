"""The ports of logins, counters of guesses and tickets over the store. All of it is transient: none is in the log."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Select, bindparam, select

from server.auth.logins import Event, Kind, Login, LoginId, State
from server.auth.model import AccountId, CentreId, Grant, Role
from server.auth.sign_in import Entered
from server.auth.throttle import Counter, Key, Verdict, decide
from server.auth.tickets import Purpose, Ticket
from server.storage import tables
from server.storage.accounts import account_of
from server.storage.store import Store
from server.storage.tx import Row, Tx

Now = Callable[[], int]
OLDEST_LOGIN = 2 * 86_400  # seconds after the last request: longer than any login lives


def login_of(row: Row) -> Login:
    """The value of a row of `login`."""
    return Login(
        LoginId(row["id"]),
        AccountId(row["account"]),
        Kind(row["kind"]),
        bytes(row["token_hash"]),
        row["generation"],
        row["began"],
        row["seen"],
        State(row["state"]),
        tuple(Event(each) for each in row["shown"].split()),
        bytes(row["place"]),
        row["label"],
        row["stepped_up_at"],
        Event(row["stepped_up_by"]) if row["stepped_up_by"] else None,
        row["not_after"],
        bool(row["renew_token"]),
        row["version"],
    )


def _values(login: Login) -> dict[str, Any]:
    return {
        "version": login.version,
        "account": login.account,
        "kind": login.kind.value,
        "token_hash": login.token_hash,
        "generation": login.generation,
        "began": login.began,
        "seen": login.seen,
        "state": login.state.value,
        "shown": " ".join(each.value for each in login.shown),
        "place": login.place,
        "label": login.label,
        "stepped_up_at": login.stepped_up_at,
        "stepped_up_by": login.stepped_up_by.value if login.stepped_up_by else None,
        "not_after": login.not_after,
        "renew_token": int(login.renew_token),
    }


class StoredLogins:
    """The port `logins.Logins`."""

    def __init__(self, store: Store, now: Now) -> None:
        self._store, self._now = store, now

    async def by_token(self, token_hash: bytes) -> Login | None:
        async with self._store.reading() as tx:
            row = await tx.one("login", token_hash=token_hash)
        return login_of(row) if row else None

    async def of(self, account: AccountId) -> Sequence[Login]:
        async with self._store.reading() as tx:
            return tuple(login_of(row) for row in await tx.all("login", account=account, order=["-seen"], limit=200))

    async def add(self, login: Login) -> None:
        async def work(tx: Tx) -> None:
            await tx.remove("login", {"account": login.account, "seen <": tx.now - OLDEST_LOGIN})
            await tx.put("login", {"id": login.id, **_values(login)})

        await self._store.write(work, self._now())

    async def swap(self, login: Login) -> bool:
        async def work(tx: Tx) -> bool:
            if login.state is State.ENDED:
                return await tx.remove("login", id=login.id, version=login.version - 1) > 0
            return await tx.set("login", _values(login), id=login.id, version=login.version - 1) > 0

        return await self._store.write(work, self._now())


class StoredThrottle:
    """The port `throttle.Throttle`. Writers are one at a time, so that a counter that is not there yet is locked as well."""

    def __init__(self, store: Store, now: Now) -> None:
        self._store, self._now = store, now

    async def take(self, keys: Sequence[Key], now: int) -> Verdict:
        async def work(tx: Tx) -> Verdict:
            rows = await tx.all("throttle", {"name in": [str(each) for each in keys]})
            stored = {row["name"]: Counter.load(row["value"]) for row in rows}
            verdict = decide({each: stored.get(str(each), Counter()) for each in keys}, now)
            for key, counter in verdict.counters.items():
                values = {"value": counter.dump(), "updated_at": now}
                if str(key) in stored:
                    await tx.set("throttle", values, name=str(key))
                else:
                    await tx.put("throttle", {"name": str(key), **values})
            return verdict

        return await self._store.write(work, now)

    async def clear(self, keys: Sequence[Key]) -> None:
        await self._store.write(lambda tx: tx.remove("throttle", {"name in": [str(each) for each in keys]}), self._now())


class StoredTickets:
    """The port `tickets.Tickets`. `created_at` of a row is the moment from which the ticket opens."""

    def __init__(self, store: Store, now: Now) -> None:
        self._store, self._now = store, now

    async def add(self, ticket: Ticket) -> None:
        await self._store.write(lambda tx: add_ticket(tx, ticket), self._now())

    async def get(self, hash: bytes) -> Ticket | None:  # noqa: A002
        async with self._store.reading() as tx:
            row = await tx.one("ticket", {"kind in": [each.value for each in Purpose]}, token_hash=hash)
        return _ticket(row) if row else None

    async def take(self, hash: bytes) -> bool:  # noqa: A002
        return await self._store.write(lambda tx: tx.remove("ticket", token_hash=hash), self._now()) > 0

    async def revoke(self, purpose: Purpose, object: str) -> int:  # noqa: A002
        return await self._store.write(lambda tx: tx.remove("ticket", kind=purpose.value, subject=object), self._now())


async def add_ticket(tx: Tx, ticket: Ticket) -> None:
    """A new row; with it go those of the same kind whose time is over."""
    await tx.remove("ticket", {"kind": ticket.purpose.value, "expires_at <": tx.now})
    row = {
        "id": tx.new_id(),
        "token_hash": ticket.hash,
        "kind": ticket.purpose.value,
        "account": ticket.holder,
        "centre": ticket.centre,
        "subject": ticket.object,
        "role": ticket.bound.hex() or None,
        "created_at": ticket.not_before,
        "expires_at": ticket.expires,
    }
    await tx.put("ticket", row)


def _ticket(row: Row) -> Ticket:
    holder = AccountId(row["account"]) if row["account"] else None
    made = Ticket(
        bytes(row["token_hash"]),
        Purpose(row["kind"]),
        row["subject"],
        CentreId(row["centre"]),
        holder,
        row["created_at"],
        row["expires_at"],
    )
    return replace(made, bound=bytes.fromhex(row["role"] or ""))


def _both() -> Select[Any]:
    """A login, its account and all roles of its person: one row a role, one at least."""
    login, account, grant = tables.login, tables.account, tables.role_grant
    joined = login.outerjoin(account, account.c.id == login.c.account).outerjoin(grant, grant.c.person == account.c.person)
    columns = [
        *(column.label(f"login_{column.name}") for column in login.c),
        *(column.label(f"account_{column.name}") for column in account.c),
        *(grant.c[name].label(f"grant_{name}") for name in ("role", "centre", "since", "until")),
    ]
    return select(*columns).select_from(joined).where(login.c.token_hash == bindparam("token_hash"))


_ENTERED = _both()


async def entered(tx: Tx, token_hash: bytes) -> Entered | None:
    """Who is behind a token's hash, in one look-up of one snapshot."""
    rows = await tx.rows(_ENTERED, {"token_hash": token_hash})
    if not rows:
        return None
    first = rows[0]
    login = login_of({name.removeprefix("login_"): value for name, value in first.items() if name.startswith("login_")})
    if first["account_id"] is None:
        return Entered(login, None, frozenset())
    account = account_of({name.removeprefix("account_"): value for name, value in first.items() if name.startswith("account_")})
    grants = frozenset(
        Grant(Role(row["grant_role"]), CentreId(row["grant_centre"]), row["grant_since"], row["grant_until"])
        for row in rows
        if row["grant_role"] is not None
    )
    return Entered(login, account, grants)


class StoredEntrance:
    """The port `sign_in.Entrance`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def entered(self, token_hash: bytes) -> Entered | None:
        async with self._store.reading() as tx:
            return await entered(tx, token_hash)
