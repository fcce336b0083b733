"""Signing in, step by step, over the ports: count the guess, look at the secret, apply the event, write. The order is the security.

Whoever is refused learns one thing only: that it was not right. Unknown names, suspended accounts, accounts without a password and wrong
passwords give the same answer after the same work. Codes of authenticators and passkeys are judged by the keeper, which holds their secrets.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from drawing.errors import Refused
from server.auth import logins, recovery, tickets
from server.auth.logins import Event, Login, LoginId, Logins, State
from server.auth.model import AccountId, Actor, Grant, Level
from server.auth.passwords import SALT_BYTES, Hasher, needs_rehash
from server.auth.people import Account, Accounts, AccountState, Resets, actor, undoes
from server.auth.recovery import RecoveryCodes
from server.auth.throttle import Key, Throttle, account_name, ip_key, keys_of_guess
from server.auth.tickets import Purpose, Tickets

Chance = Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class Passkey:
    """What the keeper says about an assertion that is right."""

    account: AccountId
    user_verified: bool


class Factors(Protocol):
    """The keeper. A code or an assertion is right once: the keeper moves the time step and the counter with it."""

    async def totp(self, account: AccountId, code: str, now: int) -> bool: ...

    async def passkey(self, assertion: bytes, purpose: str, now: int) -> Passkey | None:
        """`assertion`: the browser's JSON over a challenge that was handed out for this purpose (login id, or "sign-in")."""
        ...


class Devices(Protocol):
    """The port: browsers that signed in fully before, by the hash of their cookie. Kept half a year; lost with "sign out everywhere"."""

    async def knows(self, account_name: str, device: bytes) -> bool: ...

    async def add(self, account: AccountId, device: bytes, now: int) -> None: ...


@dataclass(frozen=True, slots=True)
class Entered:
    """A login with its account and all roles of its person, of one moment."""

    login: Login
    account: Account | None
    grants: frozenset[Grant]


class Entrance(Protocol):
    """The port: what every request asks first, as one look-up."""

    async def entered(self, token_hash: bytes) -> Entered | None: ...


@dataclass(frozen=True, slots=True)
class House:
    """What signing in needs, put together in one place."""

    entrance: Entrance
    accounts: Accounts
    logins: Logins
    throttle: Throttle
    tickets: Tickets
    codes: RecoveryCodes
    resets: Resets
    devices: Devices
    factors: Factors
    hasher: Hasher
    chance: Chance


@dataclass(frozen=True, slots=True)
class Request:
    """What a request says about itself. `place`: digest of network and browser; `device`: hash of the device cookie or b""."""

    now: int
    address: str
    place: bytes = b""
    label: str = ""
    device: bytes = b""


async def with_password(house: House, typed: str, password: str, request: Request) -> tuple[str, Login]:
    """A login that waits for its second factor, and its token. Raises Refused: busy, too_many, or sign_in_wrong for everything else."""
    name = account_name(typed)
    house.hasher.check_room()
    await take(house, await _keys(house, name, request), request.now)
    account = await house.accounts.by_name(name)
    stored = account.password if account is not None and account.state is AccountState.ACTIVE else None
    if not await house.hasher.verify(password, stored) or account is None:
        raise Refused("sign_in_wrong", "login")
    if stored is not None and needs_rehash(stored, house.hasher.cost):
        again = await house.hasher.hash(password, house.chance(SALT_BYTES))
        await house.accounts.swap(replace(account, password=again, version=account.version + 1))  # where somebody was first, next time
    # Not cleared here: who knows a password does not get five codes for each time of typing it.
    return await _begin(house, account, Event.PASSWORD_RIGHT, request)


async def with_provider(house: House, account: Account | None, request: Request) -> tuple[str, Login]:
    """As `with_password`, after `oidc.finish` found the account. Raises Refused."""
    if account is None or account.state is not AccountState.ACTIVE:
        raise Refused("sign_in_wrong", "login")
    return await _begin(house, account, Event.PROVIDER_VOUCHED, request)


async def with_passkey(house: House, assertion: bytes, request: Request) -> tuple[str, Login]:
    """A full login by a passkey with user verification. Raises Refused. There is nothing to guess: no account is counted."""
    await take(house, (Key("all"), ip_key(request.address)), request.now)
    shown = await house.factors.passkey(assertion, "sign-in", request.now)
    account = await house.accounts.get(shown.account) if shown is not None else None
    if shown is None or account is None or account.state is not AccountState.ACTIVE:
        raise Refused("sign_in_wrong", "login")
    event = Event.PASSKEY_RIGHT if shown.user_verified else Event.PASSKEY_UNVERIFIED
    made = await _begin(house, account, event, request)
    await _arrived(house, account, made[1], request)
    return made


async def with_second(
    house: House, login: Login, factor: Event, shown: str | bytes, request: Request, session: str = ""
) -> tuple[str, Login]:
    """The login raised by a second factor (full, or stepped up where it was full) and its new token. Raises Refused.

    `factor` says what was shown: TOTP_RIGHT a code, RECOVERY_USED a code on paper, STAND_IN_USED a ticket for `session`, PASSKEY_RIGHT the
    browser's JSON. `login` is what `authenticate` gave for this request.
    """
    account = await house.accounts.get(login.account)
    if account is None or account.state is not AccountState.ACTIVE:
        raise Refused("sign_in", "login")
    if logins.NEXT[login.state].get(factor) is None:
        raise Refused("login_step", "login", state=login.state.value, event=factor.value)
    keys = await _keys(house, account.name, request)
    guessed, others = keys[:1], keys[1:]
    # A passkey and a stand-in cannot be guessed: they count under no account.
    await take(house, others if factor in (Event.PASSKEY_RIGHT, Event.STAND_IN_USED) else keys, request.now)
    right, not_after = False, 0
    match factor, shown:
        case Event.TOTP_RIGHT, str():
            right = await house.factors.totp(account.id, shown, request.now)
        case Event.RECOVERY_USED, str():
            digest = recovery.digest(account.id, shown)
            right = digest is not None and await house.codes.take(account.id, digest)
        case Event.STAND_IN_USED, str():
            ticket = await tickets.redeem(house.tickets, shown, Purpose.STAND_IN, session, request.now, holder=account.id)
            right, not_after = ticket.holder == account.id, ticket.expires
        case Event.PASSKEY_RIGHT, bytes():
            passkey = await house.factors.passkey(shown, login.id, request.now)
            right = passkey is not None and passkey.account == account.id and passkey.user_verified
        case _:
            raise Refused("login_step", "login", state=login.state.value, event=factor.value)
    if not right:
        wrong = Event.PASSKEY_WRONG if factor is Event.PASSKEY_RIGHT else Event.TOTP_WRONG
        await house.logins.swap(logins.apply(login, wrong, request.now))
        raise Refused("second_factor_wrong", "login")
    secret, hashed = logins.token(house.chance(32))
    raised = logins.apply(login, factor, request.now, hashed, not_after)
    if not await house.logins.swap(raised):
        raise Refused("login_stale", "login")
    await house.throttle.clear(guessed)  # the password's guess too, whichever factor came after it
    await _arrived(house, account, raised, request)
    return secret, raised


async def authenticate(house: House, secret: str, request: Request) -> tuple[Login, Actor, Account]:
    """Who sends this request, as of now. Raises Refused "sign_in" where nobody does. Asked for every request and every message of a room."""
    hashed = logins.token_hash(secret)
    for _ in range(8):  # two requests at once may both write "seen"; whoever was second looks again
        entered = await house.entrance.entered(hashed) if hashed is not None else None
        if entered is None:
            break
        found, account = entered.login, entered.account
        login = logins.at(found, request.now, account.generation if account is not None else -1)
        if login.state is not State.ENDED:
            login = logins.seen(login, request.now, request.place)
        if login is not found:
            login = replace(login, version=found.version + 1)  # one write, however many steps
            if not await house.logins.swap(login):
                continue
        if account is None or login.state is State.ENDED or account.state is not AccountState.ACTIVE:
            break
        return login, actor(account, entered.grants, login.level, login.passkey, request.now), account
    raise Refused("sign_in", "login")


async def renew(house: House, login: Login) -> tuple[str, Login]:
    """A new token for a login whose roles changed (`renew_token`). Raises Refused where another request was first."""
    secret, hashed = logins.token(house.chance(32))
    made = logins.renewed(login, hashed)
    if not await house.logins.swap(made):
        raise Refused("login_stale", "login")
    return secret, made


async def end(house: House, login: Login, now: int) -> None:
    """Sign out. Nothing is refused: whoever wants to be out is out, whatever another request has done meanwhile."""
    while (held := await house.logins.by_token(login.token_hash)) is not None:
        if await house.logins.swap(logins.apply(held, Event.SIGNED_OUT, now)):
            return


async def revoke(house: House, account: AccountId, id: LoginId, now: int) -> None:  # noqa: A002 (the field's name)
    """End another of one's own logins. Raises Refused."""
    for _ in range(16):
        held = next((each for each in await house.logins.of(account) if each.id == id), None)
        if held is None:
            raise Refused("not_found", "login")
        if await house.logins.swap(logins.revoke(held, account, now)):
            return
    raise Refused("login_stale", "login")


async def roles_changed(house: House, accounts: Sequence[AccountId], now: int) -> None:
    """After a grant or its end: every login of these accounts loses its step-up and gets a new token at its next request."""
    for account in accounts:
        for each in await house.logins.of(account):
            held: Login | None = each
            while held is not None and not await house.logins.swap(logins.apply(held, Event.ROLES_CHANGED, now)):
                held = next((one for one in await house.logins.of(account) if one.id == each.id), None)


async def _keys(house: House, name: str, request: Request) -> tuple[Key, ...]:
    """Under what a guess counts, the account or the device first."""
    known = bool(request.device) and await house.devices.knows(name, request.device)
    return keys_of_guess(name, request.address, request.device if known else None)


async def take(house: House, keys: Sequence[Key], now: int, place: str = "login") -> None:
    """Count a guess under these keys. Raises Refused("too_many") with `retry_after` seconds."""
    verdict = await house.throttle.take(keys, now)
    if not verdict.passes:
        raise Refused("too_many", place, retry_after=verdict.wait_until - now)


async def _begin(house: House, account: Account, event: Event, request: Request) -> tuple[str, Login]:
    secret, hashed = logins.token(house.chance(32))
    login = logins.begin(
        event,
        id=LoginId(house.chance(16).hex()),
        account=account.id,
        kind=account.kind,
        generation=account.generation,
        fresh_hash=hashed,
        now=request.now,
        place=request.place,
        label=request.label,
    )
    await house.logins.add(login)
    return secret, login


async def _arrived(house: House, account: Account, login: Login, request: Request) -> None:
    """After a full login: a waiting reset is pointless, since nothing is lost. A code on paper or a stand-in does not show that."""
    waiting = await house.resets.of(account.id)
    strong = {Event.TOTP_RIGHT, Event.PASSKEY_RIGHT} & set(login.shown)
    if waiting is not None and strong and undoes(waiting, Level(login.level), request.now):
        await house.resets.withdraw(account.id)
    if request.device:
        await house.devices.add(account.id, request.device, request.now)
