"""Signing in and out. Every way ends in a token for the cookie and, from the keeper, a pass for another."""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256

from drawing.errors import Refused
from server.auth import sign_in
from server.auth.logins import Event, Login
from server.auth.people import Account, AccountState
from server.auth.throttle import Key, account_name, ip_key
from server.services.desk import Caller, Desk, at_keeper, hand_out
from server.services.matters import session_of

AT_THE_DOOR = "sign-in"  # the purpose of a passkey's challenge before there is a login


@dataclass(frozen=True, slots=True)
class Arrived:
    """What the browser is given: the login's token and the keeper's pass, each for a cookie."""

    token: str
    login: Login
    shown: str = ""


async def who(desk: Desk, token: str, caller: Caller) -> tuple[Caller, Account, str]:
    """The caller of a cookie, the account, and the token to go on with where the login needs a new one. Raises Refused("sign_in")."""
    login, actor, account = await sign_in.authenticate(desk.house, token, caller.request)
    fresh = ""
    if login.renew_token:
        try:
            fresh, login = await sign_in.renew(desk.house, login)
        except Refused as lost:
            if lost.code != "login_stale":  # another request of the same browser was first
                raise
    return Caller(actor, login, caller.request, caller.shown), account, fresh


async def with_password(desk: Desk, typed: str, password: str, caller: Caller) -> Arrived:
    """A login that waits for its second factor. Raises Refused."""
    desk.require("login.begin", caller)
    return Arrived(*await sign_in.with_password(desk.house, typed, password, caller.request))


async def passkey_options(desk: Desk, typed: str, caller: Caller) -> str:
    """What the browser needs to sign in with a passkey. Says nothing of whether there is such an account, nor of its passkeys."""
    desk.require("login.begin", caller)
    await sign_in.take(desk.house, (Key("all"), ip_key(caller.request.address)), caller.request.now)
    account = await desk.house.accounts.by_name(account_name(typed))
    if account is None or account.state is not AccountState.ACTIVE:
        options = (await desk.keeper.login_challenge("nobody")).options
    else:
        challenge = await desk.keeper.login_challenge(account.person)
        options = await hand_out(desk, challenge, AT_THE_DOOR, account.id, caller.request.now)
    return json.dumps({**json.loads(options), "allowCredentials": []})  # the browser offers what it has for this site


async def with_passkey(desk: Desk, answer: str, caller: Caller) -> Arrived:
    """A full login. Raises Refused."""
    desk.require("login.begin", caller)
    house, factors = at_keeper(desk)
    token, login = await sign_in.with_passkey(house, answer.encode(), caller.request)
    return Arrived(token, login, factors.made)


async def second_options(desk: Desk, caller: Caller) -> str:
    """What the browser needs for a passkey as the second factor or the step-up of this login."""
    desk.require("login.second_factor", caller)
    challenge = await desk.keeper.login_challenge(caller.person)
    return await hand_out(desk, challenge, caller.held.id, caller.account, caller.request.now)


async def with_second(desk: Desk, factor: Event, shown: str, caller: Caller) -> Arrived:
    """The login raised: full, or stepped up where it was full. Raises Refused."""
    desk.require("login.second_factor", caller)
    house, factors = at_keeper(desk)
    given = shown.encode() if factor is Event.PASSKEY_RIGHT else shown
    session = session_of(caller.request.now) if factor is Event.STAND_IN_USED else ""
    token, login = await sign_in.with_second(house, caller.held, factor, given, caller.request, session)
    return Arrived(token, login, factors.made)


async def sign_out(desk: Desk, caller: Caller) -> None:
    """Out, whatever state the login is in."""
    if caller.login is not None:
        await sign_in.end(desk.house, caller.login, caller.request.now)


def device_hash(cookie: str) -> bytes:
    """What is kept of a browser's cookie."""
    return sha256(b"lotroom/device/" + cookie.encode()).digest() if cookie else b""
