"""All ports in memory, and a keeper that knows what a test tells it. For tests only."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace
from hashlib import sha256

from server.auth.logins import Event, Kind, Login
from server.auth.model import AccountId, CentreId, Grant, PersonId, Role
from server.auth.passwords import Cost, Hasher, hash_password
from server.auth.people import Account, AccountState, Reset
from server.auth.sign_in import Entered, House, Passkey, Request
from server.auth.throttle import account_name
from server.auth.tickets import Purpose, Ticket
from tests.server.auth.test_logins import Memory as LoginsInMemory
from tests.server.auth.test_throttle import Memory as ThrottleInMemory

HERE = CentreId("1" * 32)
CHEAP = Cost(8 << 10, 1)
PASSWORD = "Rosin-tulip-43-kelp"


class Accounts:
    def __init__(self) -> None:
        self.rows: dict[AccountId, Account] = {}
        self.held: dict[PersonId, frozenset[Grant]] = {}

    async def by_name(self, name: str) -> Account | None:
        return next((each for each in self.rows.values() if each.name == name), None)

    async def get(self, account: AccountId) -> Account | None:
        return self.rows.get(account)

    async def swap(self, account: Account) -> bool:
        await asyncio.sleep(0)
        if self.rows[account.id].version != account.version - 1:
            return False
        self.rows[account.id] = account
        return True

    async def grants(self, person: PersonId) -> frozenset[Grant]:
        return self.held.get(person, frozenset())


class TicketsInMemory:
    def __init__(self) -> None:
        self.rows: dict[bytes, Ticket] = {}

    async def add(self, ticket: Ticket) -> None:
        self.rows[ticket.hash] = ticket

    async def get(self, hashed: bytes) -> Ticket | None:
        await asyncio.sleep(0)
        return self.rows.get(hashed)

    async def take(self, hashed: bytes) -> bool:
        await asyncio.sleep(0)
        return self.rows.pop(hashed, None) is not None

    async def revoke(self, purpose: Purpose, what: str) -> int:
        gone = [hashed for hashed, each in self.rows.items() if each.purpose is purpose and each.object == what]
        for hashed in gone:
            del self.rows[hashed]
        return len(gone)


class Codes:
    def __init__(self) -> None:
        self.rows: dict[AccountId, set[bytes]] = {}

    async def replace(self, account: AccountId, digests: frozenset[bytes]) -> None:
        self.rows[account] = set(digests)

    async def take(self, account: AccountId, digest: bytes) -> bool:
        await asyncio.sleep(0)
        held = self.rows.get(account, set())
        if digest not in held:
            return False
        held.discard(digest)
        return True

    async def left(self, account: AccountId) -> int:
        return len(self.rows.get(account, ()))


class ResetsInMemory:
    def __init__(self) -> None:
        self.rows: dict[AccountId, Reset] = {}

    async def add(self, made: Reset) -> None:
        self.rows[made.account] = made

    async def of(self, account: AccountId) -> Reset | None:
        return self.rows.get(account)

    async def withdraw(self, account: AccountId) -> bool:
        return self.rows.pop(account, None) is not None


class DevicesInMemory:
    def __init__(self, accounts: Accounts) -> None:
        self.accounts, self.rows = accounts, set()

    async def knows(self, account_name: str, device: bytes) -> bool:
        account = await self.accounts.by_name(account_name)
        return account is not None and (account.id, device) in self.rows

    async def add(self, account: AccountId, device: bytes, now: int) -> None:
        self.rows.add((account, device))


class Keeper:
    """Right codes are right once; passkeys are "who:verified:purpose"."""

    def __init__(self) -> None:
        self.codes: dict[AccountId, set[str]] = {}
        self.asked = 0

    async def totp(self, account: AccountId, code: str, now: int) -> bool:
        self.asked += 1
        await asyncio.sleep(0)
        right = code in self.codes.get(account, ())
        self.codes.get(account, set()).discard(code)
        return right

    async def passkey(self, assertion: bytes, purpose: str, now: int) -> Passkey | None:
        who, verified, what = assertion.decode().split(":")
        return Passkey(AccountId(who), verified == "yes") if what == purpose else None


def key(account: Account, login: Login | None = None, verified: str = "yes") -> bytes:
    return f"{account.id}:{verified}:{login.id if login else 'sign-in'}".encode()


class EntranceInMemory:
    def __init__(self, accounts: Accounts, logins: LoginsInMemory) -> None:
        self.accounts, self.logins = accounts, logins

    async def entered(self, token_hash: bytes) -> Entered | None:
        login = await self.logins.by_token(token_hash)
        if login is None:
            return None
        account = await self.accounts.get(login.account)
        return Entered(login, account, await self.accounts.grants(account.person) if account else frozenset())


def house() -> House:
    chance = itertools.count(1)

    def draw(size: int) -> bytes:
        return sha256(next(chance).to_bytes(8, "big")).digest()[:size]

    accounts, logins = Accounts(), LoginsInMemory()
    return House(
        EntranceInMemory(accounts, logins),
        accounts,
        logins,
        ThrottleInMemory(),
        TicketsInMemory(),
        Codes(),
        ResetsInMemory(),
        DevicesInMemory(accounts),
        Keeper(),
        Hasher(2, cost=CHEAP),
        draw,
    )


def settle(of: House, name: str = "zhang.wei", *roles: Role, **more) -> Account:
    """An account that is at work, with password and authenticator."""
    account = AccountId(sha256(name.encode()).hexdigest()[:32])
    made = Account(
        account,
        PersonId("p" + account[1:]),
        HERE,
        account_name(name),
        Kind.STAFF,
        AccountState.ACTIVE,
        hash_password(PASSWORD, bytes(16), CHEAP),
        totp=True,
    )
    made = replace(made, **more)
    of.accounts.rows[account] = made
    of.accounts.held[made.person] = frozenset(Grant(role, HERE) for role in roles)
    of.factors.codes[account] = {f"{n:06}" for n in range(100)}
    return made


def at(now: int, **more) -> Request:
    return Request(now, more.pop("address", "192.0.2.1"), more.pop("place", b"home"), **more)


__all__ = ["PASSWORD", "Event", "at", "house", "key", "settle"]
