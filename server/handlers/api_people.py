"""The API of accounts, people and service tokens: what their pages do, for programs. Who signs in uses the login's cookie and the page's token."""

from __future__ import annotations

from typing import Annotated

from aiohttp import web as aioweb
from pydantic import Field, StringConstraints

from server.auth.model import EVERYWHERE, Role
from server.auth.people import Change
from server.handlers import forms
from server.handlers.ask import Ask
from server.handlers.forms import Shape
from server.handlers.people import Filter
from server.handlers.status import as_json
from server.services import account, people, tokens

Reason = Annotated[forms.Lines, StringConstraints(min_length=1, max_length=400, pattern=r"\S")]
Whole = Annotated[int, Field(ge=0, le=2**53 - 1)]


class DoneJson(Shape):
    """It is done."""

    done: bool = True


class AskedJson(Shape):
    """It was asked for; others approve it under this id."""

    approval: str


class GrantJson(Shape):
    """A role at a centre, from `since` to before `until` (0: no end); times are Unix seconds."""

    role: Role
    centre: str
    since: int
    until: int


class AccountJson(Shape):
    """One's own account. `csrf` goes into the header X-CSRF-Token of whatever changes something."""

    id: str
    account: str
    person: str
    roles: tuple[GrantJson, ...]
    totp: bool
    passkeys: int
    recovery_codes: int
    csrf: str


class LoginJson(Shape):
    """One of one's own logins."""

    id: str
    device: str
    began: int
    seen: int
    ends: int
    this: bool


class LoginsJson(Shape):
    """All that live."""

    logins: tuple[LoginJson, ...]


class PersonJson(Shape):
    """One account in the list. Names are sealed: there are none here."""

    id: str
    account: str
    centre: str
    state: str
    roles: tuple[Role, ...]
    passkeys: int
    totp: bool
    waiting: bool
    seen: int | None


class PeopleJson(Shape):
    """A page of the list."""

    people: tuple[PersonJson, ...]
    total: int


class OneJson(Shape):
    """One person; authenticators as the keeper has them."""

    id: str
    account: str
    centre: str
    state: str
    grants: tuple[GrantJson, ...]
    passkeys: int
    waiting_passkeys: int
    totp: bool


class InviteJson(Shape):
    """Whom to invite; `name` is sealed at once."""

    name: Annotated[forms.Line, StringConstraints(min_length=1, max_length=64)]
    account: Annotated[forms.Line, StringConstraints(min_length=2, max_length=64)]
    centre: Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{32}|\*)$")] = EVERYWHERE


class InvitedJson(Shape):
    """The invitation's link, which is given once."""

    id: str
    link: str


class RoleJson(Shape):
    """A role that is wanted, or is to end."""

    role: Role = Field(strict=False)
    reason: Reason


class WhyJson(Shape):
    """Why."""

    reason: Reason


class TokenJson(Shape):
    """A service token, without its secret."""

    id: str
    name: str
    shown: str
    role: Role
    centre: str
    scopes: tuple[str, ...]
    approved: bool
    made: int
    ends: int
    ended: int
    used: int


class TokensJson(Shape):
    """All of them, the newest first."""

    tokens: tuple[TokenJson, ...]


async def own(ask: Ask) -> aioweb.StreamResponse:
    """Oneself."""
    found = await account.own(ask.desk, ask.caller)
    roles = tuple(
        GrantJson(role=each.role, centre=each.centre, since=each.since, until=each.until) for each in sorted(found.grants, key=str)
    )
    has = found.account
    return as_json(
        AccountJson(
            id=has.id,
            account=has.name,
            person=has.person,
            roles=roles,
            totp=has.totp,
            passkeys=has.passkeys,
            recovery_codes=found.codes_left,
            csrf=ask.csrf(),
        )
    )


async def logins(ask: Ask) -> aioweb.StreamResponse:
    """Where one is signed in."""
    found = await account.own(ask.desk, ask.caller)
    return as_json(
        LoginsJson(
            logins=tuple(
                LoginJson(id=each.id, device=each.label, began=each.began, seen=each.seen, ends=each.ends_at, this=each.this_one)
                for each in found.logins
            )
        )
    )


async def end_login(ask: Ask) -> aioweb.StreamResponse:
    """End one of them."""
    await account.end_login(ask.desk, ask.path["id"], ask.caller)
    return as_json(DoneJson())


async def listed(ask: Ask) -> aioweb.StreamResponse:
    """The list."""
    wanted = forms.api_query(ask, Filter)
    found, total = await people.everybody(ask.desk, wanted.q, wanted.role, wanted.page, ask.caller)
    rows = tuple(
        PersonJson(
            id=each.account.person,
            account=each.account.name,
            centre=each.account.centre,
            state=each.account.state.value,
            roles=each.roles,
            passkeys=each.account.passkeys,
            totp=each.account.totp,
            waiting=each.waiting,
            seen=each.seen,
        )
        for each in found
    )
    return as_json(PeopleJson(people=rows, total=total))


async def one(ask: Ask) -> aioweb.StreamResponse:
    """One person."""
    found = await people.one(ask.desk, ask.path["id"], ask.caller)
    states = [each.status for each in found.keys.passkeys]
    has = found.account
    return as_json(
        OneJson(
            id=has.person,
            account=has.name,
            centre=has.centre,
            state=has.state.value,
            grants=tuple(GrantJson(role=each.role, centre=each.centre, since=each.since, until=each.until) for each in found.grants),
            passkeys=states.count("active"),
            waiting_passkeys=states.count("waiting"),
            totp=found.keys.totp,
        )
    )


async def invite(ask: Ask) -> aioweb.StreamResponse:
    """Somebody new."""
    given = forms.json_body(ask, InviteJson)
    person, code = await people.invite(ask.desk, given.name, given.account, given.centre, ask.caller)
    return as_json(InvitedJson(id=person, link=ask.settings.origin + ask.site.renderer.url("invitation", code=code)))


async def ask_for_role(ask: Ask) -> aioweb.StreamResponse:
    """One role more."""
    given = forms.json_body(ask, RoleJson)
    return as_json(AskedJson(approval=await people.ask_for_role(ask.desk, ask.path["id"], given.role, given.reason, ask.caller)))


async def ask_to_revoke(ask: Ask) -> aioweb.StreamResponse:
    """One role less."""
    given = forms.json_body(ask, RoleJson)
    return as_json(AskedJson(approval=await people.ask_to_revoke(ask.desk, ask.path["id"], given.role, given.reason, ask.caller)))


async def ask_to_resume(ask: Ask) -> aioweb.StreamResponse:
    """Back to work."""
    given = forms.json_body(ask, WhyJson)
    return as_json(AskedJson(approval=await people.ask_to_resume(ask.desk, ask.path["id"], given.reason, ask.caller)))


async def suspend(ask: Ask) -> aioweb.StreamResponse:
    """At once."""
    await people.end(ask.desk, ask.path["id"], Change.SUSPENDED, ask.caller)
    return as_json(DoneJson())


async def close(ask: Ask) -> aioweb.StreamResponse:
    """At once and for ever."""
    await people.end(ask.desk, ask.path["id"], Change.CLOSED, ask.caller)
    return as_json(DoneJson())


async def end_logins(ask: Ask) -> aioweb.StreamResponse:
    """Signed out everywhere."""
    await people.end_logins(ask.desk, ask.path["id"], ask.caller)
    return as_json(DoneJson())


async def service_tokens(ask: Ask) -> aioweb.StreamResponse:
    """All of them."""
    rows = []
    for each in await tokens.listed(ask.desk, ask.caller):
        of = each.token
        rows.append(
            TokenJson(
                id=of.id,
                name=of.name,
                shown=of.shown,
                role=of.role,
                centre=of.centre,
                scopes=tuple(sorted(of.scopes)),
                approved=of.approved,
                made=of.made_at,
                ends=of.expires,
                ended=of.revoked_at,
                used=each.used,
            )
        )
    return as_json(TokensJson(tokens=tuple(rows)))


async def end_token(ask: Ask) -> aioweb.StreamResponse:
    """At once."""
    await tokens.revoke(ask.desk, ask.path["id"], ask.caller)
    return as_json(DoneJson())
