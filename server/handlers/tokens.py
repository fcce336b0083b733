"""Service tokens, for the administrators who make and end them."""

from __future__ import annotations

from typing import Annotated

from aiohttp import web as aioweb
from pydantic import Field, StringConstraints

from drawing.errors import Refused
from server.auth.model import EVERYWHERE, Role
from server.handlers import forms
from server.handlers.ask import Access, Ask
from server.handlers.i18n import N_
from server.handlers.render import page
from server.handlers.views import Badge, TokenRow, TokensPage, Tone
from server.handlers.words import role_label
from server.services import people, tokens
from server.services.tokens import Listed

OPENS = {
    "approvals.inbox": N_("What waits for approval"),
    "approvals.read": N_("One request for approval"),
    "audit.read": N_("The audit log"),
    "audit.read_centre": N_("The audit log of its centre"),
    "bidders.send": N_("Sealed bidder lists: sending them, never reading"),
    "exchange.send": N_("Sending the data sets of a project"),
    "log.verify": N_("Verifying the log"),
    "people.list": N_("The list of people"),
    "people.read": N_("One person: account and roles, without the name"),
    "status.read": N_("System status"),
    "witness.read": N_("Witnesses of the log"),
}


class Wish(forms.Fields):
    """A token that is wanted."""

    name: Annotated[forms.Line, StringConstraints(min_length=1, max_length=80)]
    role: Role
    centre: forms.Line = EVERYWHERE
    scopes: Annotated[tuple[forms.Line, ...], Field(min_length=1, max_length=40)]
    days: int = Field(90, ge=1, le=366)
    reason: Annotated[forms.Lines, StringConstraints(min_length=1, max_length=500)]


async def show(ask: Ask) -> aioweb.StreamResponse:
    """The list."""
    return await _shown(ask, forms.empty(days="90"))


async def make(ask: Ask) -> aioweb.StreamResponse:
    """A new one; the answer shows the secret, once."""
    found = forms.form(ask, Wish)
    wish = found.value
    if wish is None:
        return await _shown(ask, found, 422)
    try:
        secret, _ = await tokens.make(ask.desk, wish.name, wish.role, wish.centre, wish.scopes, wish.days, wish.reason, ask.caller)
    except Refused as why:
        return await _shown(ask, forms.refused(ask, found, why, otherwise="scopes", name="name", centre="centre"), 422)
    return await _shown(ask, forms.empty(days="90"), secret=secret)


async def end(ask: Ask) -> aioweb.StreamResponse:
    """At once."""
    await tokens.revoke(ask.desk, ask.path["id"], ask.caller)
    return await _shown(ask, forms.empty(days="90"))


async def _shown(ask: Ask, form: forms.Form[Wish], status: int = 200, secret: str = "") -> aioweb.Response:
    say = ask.language.say
    roles = sorted({role for each in tokens.scopes().values() for role in each})
    may_make = ask.site.permissions.access(ask.viewer, "tokens.make", ask.now) in (Access.YES, Access.STEP_UP)
    centres = await people.centres(ask.desk, ask.caller) if may_make else ()
    view = TokensPage(
        tuple(_row(ask, each) for each in await tokens.listed(ask.desk, ask.caller)),
        form,
        tuple((role.value, role_label(ask, role)) for role in roles),
        (*centres, (EVERYWHERE, say(N_("the whole installation")))),
        tuple(
            (name, say(OPENS.get(name, name)), ", ".join(role_label(ask, one) for one in held)) for name, held in tokens.scopes().items()
        ),
        may_make,
        secret,
    )
    return page(ask, "tokens.html", view, status)


def _row(ask: Ask, each: Listed) -> TokenRow:
    token, say = each.token, ask.language.say
    over = bool(token.revoked_at) or ask.now >= token.expires
    state = (
        Badge(say(N_("ended")), Tone.QUIET)
        if token.revoked_at
        else Badge(say(N_("expired")), Tone.QUIET)
        if over
        else Badge(say(N_("active")), Tone.GOOD)
        if token.approved
        else Badge(say(N_("waits for approval")), Tone.WARN)
    )
    return TokenRow(
        token.id, token.name, token.shown, role_label(ask, token.role), tuple(sorted(token.scopes)), each.by,
        token.made_at, token.expires, each.used, state, over,
    )  # fmt: skip
