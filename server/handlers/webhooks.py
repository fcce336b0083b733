"""Webhooks, for the administrators who register endpoints and look how their deliveries are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from aiohttp import web as aioweb
from pydantic import StringConstraints

from drawing.errors import Refused
from server.auth.model import CentreId
from server.box import box_public
from server.handlers import forms
from server.handlers.ask import Ask
from server.handlers.draw_words import EVENTS
from server.handlers.draws import may
from server.handlers.i18n import N_
from server.handlers.render import page, see_other
from server.handlers.views import Badge, DeliveryRow, Tone, WebhookRow, WebhooksPage
from server.places import places_of
from server.services import people, webhooks
from server.services.webhooks import Endpoint
from server.storage.tx import Row

STATES: Mapping[str, tuple[str, Tone]] = {
    "due": (N_("to be sent"), Tone.PART),
    "delivered": (N_("delivered"), Tone.GOOD),
    "failed": (N_("given up"), Tone.BAD),
    "dropped": (N_("not needed"), Tone.QUIET),
}
FAULTS: Mapping[str, str] = {
    "address": N_("its address may not be reached any more"),
    "not_reached": N_("the endpoint is not reached"),
    "redirected": N_("the endpoint points elsewhere; webhooks follow nothing"),
    "secret_lost": N_("the courier's key was made anew; register the endpoint again"),
    "silent": N_("the endpoint does not answer"),
}


class Wish(forms.Fields):
    """An endpoint that is wanted."""

    name: Annotated[forms.Line, StringConstraints(min_length=1, max_length=80)]
    address: Annotated[forms.Line, StringConstraints(min_length=1, max_length=300)]
    centre: forms.Id
    reason: Annotated[forms.Lines, StringConstraints(min_length=1, max_length=500)]


async def show(ask: Ask) -> aioweb.StreamResponse:
    """The list."""
    return await _shown(ask, forms.empty())


async def make(ask: Ask) -> aioweb.StreamResponse:
    """A new one; the answer shows the secret, once."""
    found = forms.form(ask, Wish)
    wish = found.value
    if wish is None:
        return await _shown(ask, found, 422)
    box = box_public(places_of(ask.settings), ask.settings.courier_box)
    try:
        _, secret = await webhooks.make(
            ask.desk, box, ask.settings.webhook_reach, CentreId(wish.centre), wish.name, wish.address, wish.reason, ask.caller
        )
    except Refused as why:
        return await _shown(ask, forms.refused(ask, forms.Form(found.given), why, courier="address"), 422)
    return await _shown(ask, forms.empty(), secret=secret)


async def end(ask: Ask) -> aioweb.StreamResponse:
    """At once."""
    await webhooks.end(ask.desk, ask.path["id"], ask.caller)
    return see_other(ask, "webhooks", flash="removed")


async def again(ask: Ask) -> aioweb.StreamResponse:
    """One delivery once more."""
    await webhooks.again(ask.desk, ask.path["id"], ask.caller)
    return see_other(ask, "webhooks", flash="went_on")


async def _shown(ask: Ask, form: forms.Form[Wish], status: int = 200, secret: str = "") -> aioweb.Response:
    found = await webhooks.listed(ask.desk, ask.caller)
    may_make = may(ask, "webhooks.make")
    centres = await people.centres(ask.desk, ask.caller) if may_make else ()
    rows = tuple(_row(ask, each) for each in found)
    view = WebhooksPage(rows, form, centres, may_make, may(ask, "webhooks.end"), may(ask, "webhooks.send"), secret)
    return page(ask, "webhooks.html", view, status)


def _row(ask: Ask, each: Endpoint) -> WebhookRow:
    say, row = ask.language.say, each.row
    state = (
        Badge(say(N_("ended")), Tone.QUIET)
        if row["ended_at"] is not None
        else Badge(say(N_("active")), Tone.GOOD)
        if row["approval"]
        else Badge(say(N_("waits for approval")), Tone.WARN)
    )
    deliveries = tuple(_delivery(ask, one, over=row["ended_at"] is not None) for one in each.deliveries)
    return WebhookRow(row["id"], row["name"], row["address"], state, row["created_at"], row["ended_at"] is not None, deliveries)


def _delivery(ask: Ask, row: Row, *, over: bool) -> DeliveryRow:
    say, fault = ask.language.say, row["fault"] or ""
    text, tone = STATES[row["state"]]
    said = say(FAULTS[fault]) if fault in FAULTS else fault.replace("status_", "HTTP ")
    again = row["state"] != "due" and not over
    return DeliveryRow(row["id"], say(EVENTS[row["event"]]), row["changed_at"], Badge(say(text), tone), row["attempts"], said, again)
