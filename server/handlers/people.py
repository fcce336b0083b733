"""People and roles, for administrators."""

from __future__ import annotations

from typing import Annotated, Any

from aiohttp import web as aioweb
from pydantic import Field, StringConstraints

from drawing.errors import Refused
from server.auth.model import EVERYWHERE, NEVER_GRANTED, Role
from server.auth.people import AccountState, Change
from server.handlers import forms
from server.handlers.ask import Access, Ask
from server.handlers.i18n import N_
from server.handlers.render import page, see_other
from server.handlers.views import Badge, FormPage, LinkPage, PeoplePage, PersonPage, PersonRow, Tone
from server.handlers.words import role_choices, role_label
from server.services import people, single_sign_on

STATES = {
    AccountState.INVITED: (N_("invited"), Tone.WARN),
    AccountState.ACTIVE: (N_("active"), Tone.GOOD),
    AccountState.SUSPENDED: (N_("suspended"), Tone.BAD),
    AccountState.CLOSED: (N_("closed"), Tone.QUIET),
}


class Filter(forms.Fields):
    """Of the list."""

    q: forms.Line = ""
    role: forms.Line = ""
    page: int = Field(default=1, ge=1, le=1_000)


class Invitation(forms.Fields):
    """Whom to invite."""

    name: Annotated[forms.Line, StringConstraints(min_length=1, max_length=64)]
    new_account: Annotated[forms.Line, StringConstraints(min_length=2, max_length=64)]
    centre: forms.Line = EVERYWHERE


class RoleWish(forms.Fields):
    """One more role."""

    role: Role
    reason: Annotated[forms.Lines, StringConstraints(min_length=1, max_length=500)]


async def show(ask: Ask) -> aioweb.StreamResponse:
    """The list."""
    return await _list(ask, forms.query(ask, Filter).value or Filter(), forms.empty())


async def invite(ask: Ask) -> aioweb.StreamResponse:
    """Somebody new; the answer shows the link, once."""
    found = forms.form(ask, Invitation)
    if found.value is None:
        return await _list(ask, Filter(), found, 422)
    try:
        _, code = await people.invite(ask.desk, found.value.name, found.value.new_account, found.value.centre, ask.caller)
    except Refused as why:
        return await _list(ask, Filter(), forms.refused(ask, found, why, account="new_account", otherwise="new_account", name="name"), 422)
    link = ask.settings.origin + ask.site.renderer.url("invitation", code=code)
    return page(ask, "link.html", LinkPage(found.value.new_account, link))


async def person(ask: Ask) -> aioweb.StreamResponse:
    """One of them."""
    return await _one(ask, forms.empty())


async def ask_for_role(ask: Ask) -> aioweb.StreamResponse:
    """A role for somebody: two others vote on it."""
    found = forms.form(ask, RoleWish)
    if found.value is None:
        return await _one(ask, found, 422)
    try:
        await people.ask_for_role(ask.desk, ask.path["id"], found.value.role, found.value.reason, ask.caller)
    except Refused as why:
        return await _one(ask, forms.refused(ask, found, why, otherwise="role"), 422)
    return see_other(ask, "person", flash="proposed", id=ask.path["id"])


class Reason(forms.Fields):
    """Why."""

    reason: Annotated[forms.Lines, StringConstraints(min_length=1, max_length=400)]


class Binding(forms.Fields):
    """Whom the organisation's own sign-in means."""

    subject: Annotated[forms.Line, StringConstraints(min_length=1, max_length=255)]
    reason: Annotated[forms.Lines, StringConstraints(min_length=1, max_length=400)]


class StandIn(forms.Fields):
    """Whom a host lets in."""

    account: Annotated[forms.Line, StringConstraints(min_length=1, max_length=64)]
    reason: Annotated[forms.Lines, StringConstraints(min_length=1, max_length=400)]


async def ask_to_revoke(ask: Ask) -> aioweb.StreamResponse:
    """A role less: two others vote on it."""
    found = forms.form(ask, RoleWish)
    if found.value is None:
        return await _one(ask, found, 422)
    try:
        await people.ask_to_revoke(ask.desk, ask.path["id"], found.value.role, found.value.reason, ask.caller)
    except Refused as why:
        return await _one(ask, forms.refused(ask, found, why, otherwise="role"), 422)
    return see_other(ask, "person", flash="proposed", id=ask.path["id"])


async def ask_to_resume(ask: Ask) -> aioweb.StreamResponse:
    """Back to work: two others vote on it."""
    found = forms.form(ask, Reason)
    if found.value is None:
        return await _one(ask, found, 422)
    try:
        await people.ask_to_resume(ask.desk, ask.path["id"], found.value.reason, ask.caller)
    except Refused as why:
        return await _one(ask, forms.refused(ask, found, why, otherwise="reason"), 422)
    return see_other(ask, "person", flash="proposed", id=ask.path["id"])


async def ask_to_bind(ask: Ask) -> aioweb.StreamResponse:
    """A subject of the organisation's own sign-in for this person: two others vote on it."""
    found = forms.form(ask, Binding)
    if found.value is None:
        return await _one(ask, found, 422)
    try:
        await single_sign_on.ask_to_bind(ask.desk, ask.path["id"], found.value.subject, found.value.reason, ask.caller)
    except Refused as why:
        return await _one(ask, forms.refused(ask, found, why, otherwise="subject"), 422)
    return see_other(ask, "person", flash="proposed", id=ask.path["id"])


async def suspend(ask: Ask) -> aioweb.StreamResponse:
    """At once."""
    return await _ended(ask, Change.SUSPENDED)


async def close(ask: Ask) -> aioweb.StreamResponse:
    """At once and for ever."""
    return await _ended(ask, Change.CLOSED)


async def _ended(ask: Ask, change: Change) -> aioweb.StreamResponse:
    try:
        await people.end(ask.desk, ask.path["id"], change, ask.caller)
    except Refused as why:
        return await _one(ask, forms.refused(ask, forms.empty(), why, otherwise="state"), 422)
    return see_other(ask, "person", flash="saved", id=ask.path["id"])


async def end_logins(ask: Ask) -> aioweb.StreamResponse:
    """Signed out everywhere."""
    await people.end_logins(ask.desk, ask.path["id"], ask.caller)
    return see_other(ask, "person", flash="saved", id=ask.path["id"])


async def name(ask: Ask) -> aioweb.StreamResponse:
    """The sealed name, once, for a reason that is written down."""
    found = forms.form(ask, Reason)
    if found.value is None:
        return await _one(ask, found, 422)
    shown = await people.name_of(ask.desk, ask.path["id"], found.value.reason, ask.caller)
    return await _one(ask, forms.empty(), name=shown or ask.language.say(N_("no name is kept")))


async def stand_in_page(ask: Ask) -> aioweb.StreamResponse:
    """An expert without the second factor stands before the host."""
    return page(ask, "stand_in.html", FormPage(forms.empty()))


async def stand_in(ask: Ask) -> aioweb.StreamResponse:
    """A supervisor is asked."""
    found = forms.form(ask, StandIn)
    if found.value is None:
        return page(ask, "stand_in.html", FormPage(found), 422)
    try:
        await people.ask_to_stand_in(ask.desk, found.value.account, found.value.reason, ask.caller)
    except Refused as why:
        if why.code == "not_found":
            why = Refused("no_such_account", "account")
        return page(ask, "stand_in.html", FormPage(forms.refused(ask, found, why, otherwise="account")), 422)
    return see_other(ask, "approvals", flash="proposed")


async def _list(ask: Ask, wanted: Filter, form: forms.Form[Invitation], status: int = 200) -> aioweb.Response:
    say = ask.language.say
    found, total = await people.everybody(ask.desk, wanted.q, wanted.role, wanted.page, ask.caller)
    rows = []
    for each in found:
        has = each.account
        factor = (
            Badge(say(N_("passkey")), Tone.GOOD)
            if has.passkeys
            else Badge(say(N_("code app")), Tone.PART)
            if has.totp
            else Badge(say(N_("none")), Tone.WARN)
        )
        state = Badge(say(N_("waits for approval")), Tone.WARN) if each.waiting else _state(ask, has.state)
        rows.append(
            PersonRow(has.person, has.name, has.name, tuple(role_label(ask, role) for role in each.roles), factor, state, each.seen)
        )
    more = f"?q={wanted.q}&role={wanted.role}&page={wanted.page + 1}" if total > wanted.page * people.PAGE else ""
    view = PeoplePage(
        wanted.q,
        wanted.role,
        tuple(rows),
        total,
        role_choices(ask),
        form,
        _may(ask, "people.invite"),
        more,
        (*await people.centres(ask.desk, ask.caller), (EVERYWHERE, say(N_("the whole installation")))),
    )
    return page(ask, "people.html", view, status)


async def _one(ask: Ask, form: forms.Form[Any], status: int = 200, name: str = "") -> aioweb.Response:
    found = await people.one(ask.desk, ask.path["id"], ask.caller)
    states = [each.status for each in found.keys.passkeys]
    view = PersonPage(
        found.account.person,
        found.account.name,
        _state(ask, found.account.state),
        tuple(role_label(ask, each.role) for each in found.grants),
        states.count("active"),
        states.count("waiting"),
        found.keys.totp,
        tuple(each for each in role_choices(ask) if Role(each.value) not in NEVER_GRANTED),
        form,
        _may(ask, "people.grant_role"),
        tuple((each.role.value, role_label(ask, each.role)) for each in found.grants),
        name,
        found.account.state.value,
        frozenset(
            each
            for each in ("suspend", "close", "resume", "end_logins", "revoke_role", "name", "bind_identity")
            if _may(ask, f"people.{each}")
        ),
        found.account.person == ask.viewer.person,
        (ask.settings.sso_name or "SSO") if ask.desk.provider else "",
    )
    return page(ask, "person.html", view, status)


def _state(ask: Ask, state: AccountState) -> Badge:
    text, tone = STATES[state]
    return Badge(ask.language.say(text), tone)


def _may(ask: Ask, permission: str) -> bool:
    """Whether to show a form: also to whoever has to confirm it first."""
    return ask.site.permissions.access(ask.viewer, permission, ask.now) in (Access.YES, Access.STEP_UP)
