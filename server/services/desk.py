"""What use cases stand on: the store, the keeper, the ports of signing in made of them, and who asks.

Codes and passkeys are judged by the keeper. A challenge is handed out for one purpose and one account as a one-use ticket under its hash, so
that any web process takes the answer and an answer given for one purpose serves no other. With each factor the keeper gives a pass, bound to
32 random bytes that only the person's browser keeps: it opens names later, and a stolen database holds neither.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any

from drawing.errors import Refused
from server.auth import permissions, tickets
from server.auth.logins import Login
from server.auth.model import EVERYWHERE, VISITOR, AccountId, Actor, CentreId, PersonId, Thing
from server.auth.oidc import Provider
from server.auth.passwords import Hasher
from server.auth.sign_in import House, Passkey, Request
from server.auth.tickets import Purpose, Ticket
from server.keeper import rules
from server.keeper.client import Keeper
from server.keeper.verbs import Challenge
from server.services.tasks import Tasks
from server.storage.accounts import StoredAccounts, StoredCodes, StoredDevices, StoredResets
from server.storage.logins import StoredEntrance, StoredLogins, StoredThrottle, StoredTickets
from server.storage.store import Store

CHALLENGE_SECONDS = 300
WRONG = frozenset({
    "totp_wrong", "totp_used", "totp_wait", "totp_not_enrolled", "passkey_refused", "challenge_unknown",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: the actor as the database has it now, the login, what the request says of itself, and the pass of the browser's cookie."""

    actor: Actor = VISITOR
    login: Login | None = None
    request: Request = field(default_factory=lambda: Request(0, ""))
    shown: str = ""  # the pass

    @property
    def account(self) -> AccountId:
        """The account. Raises Refused where there is none."""
        if self.actor.account is None:
            raise Refused("sign_in", "login")
        return self.actor.account

    @property
    def person(self) -> PersonId:
        """The person. Raises Refused where there is none."""
        if self.actor.person is None:
            raise Refused("sign_in", "login")
        return self.actor.person

    @property
    def held(self) -> Login:
        """The login. Raises Refused where there is none."""
        if self.login is None:
            raise Refused("sign_in", "login")
        return self.login


@dataclass(frozen=True, slots=True)
class Desk:
    """Made once, in `server.app`."""

    store: Store
    keeper: Keeper
    house: House
    chance: Callable[[int], bytes]
    now: Callable[[], int]  # of work that outlasts its request
    tasks: Tasks = field(default_factory=Tasks)
    provider: Provider | None = None  # the organisation's own sign-in

    def require(self, permission: str, caller: Caller, thing: Thing | None = None) -> None:
        """As `permissions.require`; without a thing it is the caller's own. What needs approval is asked with `require_to_ask`."""
        permissions.require(permission, caller.actor, thing or Thing(EVERYWHERE, caller.actor.person), caller.request.now)

    def require_to_ask(self, permission: str, caller: Caller, thing: Thing | None = None) -> None:
        """As `permissions.require_to_ask`: first of all, before anything is looked up of what is asked for."""
        permissions.require_to_ask(permission, caller.actor, thing or Thing(EVERYWHERE, caller.actor.person), caller.request.now)


class Factors:
    """The port `sign_in.Factors` over the keeper. One per request: `made` is the pass that came of it, for the browser."""

    def __init__(self, desk_keeper: Keeper, house: House, chance: Callable[[int], bytes]) -> None:
        self._keeper, self._house, self._chance = desk_keeper, house, chance
        self.made = ""

    async def totp(self, account: AccountId, code: str, now: int) -> bool:
        found = await self._house.accounts.get(account)
        handle = self._chance(32)
        if found is None:
            return False
        try:
            given = await self._keeper.check_totp(found.person, code, sha256(handle).digest())
        except Refused as refused:
            return _wrong(refused)
        self.made = pass_text(handle, given)
        return True

    async def passkey(self, assertion: bytes, purpose: str, now: int) -> Passkey | None:
        challenge, handle = challenge_of(assertion), self._chance(32)
        try:
            ticket = await answered(self._house, challenge, purpose, now)
            given = await self._keeper.check_passkey(challenge, assertion.decode(), sha256(handle).digest())
        except Refused as refused:
            _wrong(refused)
            return None
        self.made = pass_text(handle, given)
        return Passkey(ticket.holder, user_verified=True) if ticket.holder else None  # the keeper takes no other


def _wrong(refused: Refused) -> bool:
    """False where the person was wrong. Raises what else it is: a sealed service, a keeper that is away."""
    if refused.code in WRONG or refused.place == Purpose.PASSKEY.value:
        return False
    raise refused


def keeper_centre(centre: CentreId) -> str:
    """A centre as the keeper names it."""
    return rules.EVERYWHERE if centre == EVERYWHERE else centre


def at_keeper(desk: Desk) -> tuple[House, Factors]:
    """The house with factors of this request's own."""
    factors = Factors(desk.keeper, desk.house, desk.chance)
    return replace(desk.house, factors=factors), factors


async def hand_out(desk: Desk, challenge: Challenge, purpose: str, account: AccountId, now: int) -> str:
    """Remember what a challenge is for; the browser's options."""
    hashed = sha256(challenge.challenge).digest()
    await desk.house.tickets.add(Ticket(hashed, Purpose.PASSKEY, purpose, EVERYWHERE, account, now, now + CHALLENGE_SECONDS))
    return challenge.options


async def answered(house: House, challenge: bytes, purpose: str, now: int, holder: AccountId | None = None) -> Ticket:
    """The ticket of an answered challenge, used up. `holder`: who must have asked for it. Raises Refused."""
    found = await house.tickets.get(sha256(challenge).digest())
    ticket = tickets.check(found, Purpose.PASSKEY, purpose, now, holder or (found.holder if found else None))
    if not await house.tickets.take(ticket.hash):
        raise Refused("ticket_not_valid", Purpose.PASSKEY.value)
    return ticket


def challenge_of(answer: bytes) -> bytes:
    """What a browser's answer says it answers; nothing of it is believed but that. b"" where it says nothing."""
    try:
        client: Any = json.loads(answer)["response"]["clientDataJSON"]
        found: Any = json.loads(base64.urlsafe_b64decode(client + "=" * (-len(client) % 4)))["challenge"]
        return base64.urlsafe_b64decode(found + "=" * (-len(found) % 4))
    except (ValueError, KeyError, TypeError, RecursionError):
        return b""


def pass_text(handle: bytes, given: str) -> str:
    """What the browser keeps of a pass; nothing where the keeper gave none."""
    return base64.urlsafe_b64encode(handle + given.encode()).decode().rstrip("=") if given else ""


def pass_of(text: str) -> tuple[str, bytes]:
    """The pass and the digest that it is bound to. Raises Refused where the browser has none."""
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        given = data[32:].decode("ascii")
    except ValueError:
        data, given = b"", ""
    if not given:
        raise Refused("step_up", "pass")
    return given, sha256(data[:32]).digest()


class NoFactors:
    """Of a house outside a request: knows nobody."""

    async def totp(self, account: AccountId, code: str, now: int) -> bool:
        return False

    async def passkey(self, assertion: bytes, purpose: str, now: int) -> Passkey | None:
        return None


def furnished(store: Store, keeper: Keeper, hasher: Hasher, chance: Callable[[int], bytes], now: Callable[[], int]) -> Desk:
    """The desk over a store and a keeper."""
    house = House(
        StoredEntrance(store),
        StoredAccounts(store, now),
        StoredLogins(store, now),
        StoredThrottle(store, now),
        StoredTickets(store, now),
        StoredCodes(store, now),
        StoredResets(store, now),
        StoredDevices(store, now),
        NoFactors(),
        hasher,
        chance,
    )
    return Desk(store, keeper, house, chance, now)
