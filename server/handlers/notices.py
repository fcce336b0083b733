"""Messages of a draw for whoever runs it: counters, a countdown, how far each slot's messages are, what is needed where nothing goes on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from aiohttp import web as aioweb
from pydantic import Field, StringConstraints

from drawing.errors import Refused
from server.handlers import forms
from server.handlers.ask import Ask
from server.handlers.i18n import N_
from server.handlers.render import page, see_other
from server.handlers.sse import Topic
from server.handlers.views import Badge, NoticesView, SlotRow, SlotState, Tone
from server.handlers.words import refusal
from server.services import notice_page, replies
from server.services.notice_page import NoticesPage

LOOK_SECONDS = 1.0
STATES: Mapping[str, tuple[str, Tone]] = {
    "due": (N_("to be sent"), Tone.QUIET),
    "sending": (N_("being sent"), Tone.PART),
    "sent": (N_("sent"), Tone.PART),
    "delivered": (N_("delivered"), Tone.GOOD),
    "failed": (N_("failed"), Tone.BAD),
    "uncertain": (N_("uncertain"), Tone.WARN),
    "settled": (N_("settled by hand"), Tone.GOOD),
    "dropped": (N_("not needed"), Tone.QUIET),
}
KINDS = {"call": N_("invitation"), "cancel": N_("cancellation")}
CHANNELS = {"sms": N_("text message"), "voice": N_("call"), "mail": N_("mail")}
FAULTS: Mapping[str, str] = {  # why a message is where it is
    "bad_address": N_("the gateway does not take this number"),
    "gateway_busy": N_("the gateway is busy; it is tried again"),
    "gateway_down": N_("the gateway is not reached; it is tried again"),
    "gateway_failed": N_("the gateway failed; it is asked for the same message again"),
    "gateway_refused": N_("the gateway refused the message"),
    "gateway_refuses_us": N_("the gateway does not know our signature; the operator has to compare the secrets"),
    "gateway_silent": N_("the gateway does not answer; it is asked for the same message again"),
    "interrupted": N_("it may have been sent when the courier was interrupted"),
    "mail_busy": N_("the mail server is busy; it is tried again"),
    "mail_down": N_("the mail server is not reached; it is tried again"),
    "mail_refused": N_("the mail server refused the message"),
    "mail_silent": N_("the mail server fell silent; it may have been sent"),
    "no_gateway": N_("there is no gateway for it any more"),
    "not_delivered": N_("the gateway could not deliver it"),
    "not_due": N_("an answer came, or the time was over"),
}
WAITS: Mapping[str, str] = {  # what a draw waits for -> what is needed
    "attestation": N_("Two supervisors have to check the draft and attest it, each on their own page."),
    "contribution": N_("The contributors have to make their contributions."),
    "answers": N_("Experts are being asked. When everybody has answered, or the time is over, it goes on by itself."),
    "beacon": N_("The beacon's round is not due yet; its value is fetched by itself."),
    "check": N_("The roll's supervisor has to draw again and confirm that it comes out the same."),
    "sealed": N_("All seats are filled. Names stay sealed until the time that was fixed."),
    "witnesses": N_("Witnesses of the log have to cosign it; they are asked by themselves."),
    "stopped": N_("A supervisor has stopped the draw. It goes on when a supervisor ends the stop."),
    "ended": N_("The draw has ended."),
    "": N_("Somebody has to sign what is drafted."),
}


class Resolution(forms.Fields):
    """What a person says about one message."""

    slot: int = Field(ge=1, le=400)
    channel: Literal["sms", "voice", "mail"]
    state: Literal["due", "settled"]


class ByHand(forms.Fields):
    """An answer that somebody gave on the telephone."""

    code: Annotated[forms.Line, StringConstraints(min_length=6, max_length=6)]
    state: Literal["accepted", "left"]
    reason: Annotated[forms.Line, StringConstraints(min_length=1, max_length=200)]


async def show(ask: Ask) -> aioweb.StreamResponse:
    """The page."""
    return await _shown(ask, forms.empty())


async def resolve(ask: Ask) -> aioweb.StreamResponse:
    """One message that failed or is uncertain."""
    found = forms.form(ask, Resolution)
    if found.value is None:
        return await _shown(ask, forms.Form({}, None, found.faults), 422)
    given = found.value
    try:
        await notice_page.resolve(ask.desk, ask.path["id"], given.slot - 1, given.channel, given.state, ask.caller)
    except Refused as why:
        return await _shown(ask, forms.refused(ask, forms.empty(), why, otherwise="slots"), 422)
    return see_other(ask, "draw_notices", flash="saved", id=ask.path["id"])


async def by_hand(ask: Ask) -> aioweb.StreamResponse:
    """An answer is proposed; two others approve it."""
    found = forms.form(ask, ByHand)
    if found.value is None:
        return await _shown(ask, found, 422)
    given = found.value
    try:
        await replies.ask_for_answer(ask.desk, ask.path["id"], given.code, given.state, given.reason, ask.caller)
    except Refused as why:
        return await _shown(ask, forms.refused(ask, forms.Form(found.given), why, otherwise="code"), 422)
    return see_other(ask, "draw_notices", flash="proposed", id=ask.path["id"])


async def updates(ask: Ask) -> aioweb.StreamResponse:
    """Tells that a counter changed; the page is fetched again by whoever wants it."""
    draw = ask.path["id"]
    await notice_page.show(ask.desk, draw, ask.caller)  # may they?
    before = None

    async def look(topic: Topic) -> None:
        nonlocal before
        now = await notice_page.counters(ask.desk, draw)
        if before is not None and now != before:
            topic.publish("changed", {"draw": draw})
        before = now

    return await ask.site.streams.watched(ask, look, LOOK_SECONDS)


async def _shown(ask: Ask, form: forms.Form[ByHand], status: int = 200) -> aioweb.Response:
    found = await notice_page.show(ask.desk, ask.path["id"], ask.caller)
    return page(ask, "notices.html", _view(ask, found, form), status)


def _view(ask: Ask, found: NoticesPage, form: forms.Form[ByHand]) -> NoticesView:
    say = ask.language.say
    stand = found.stand
    fault = refusal(ask, stand["fault"]) if stand and stand["fault"] else ""
    needed = say(WAITS.get(stand["waiting"] if stand else "ended", WAITS["ended"])) if stand else ""
    if stand and stand["fault"] == "dead_end":
        needed = say(
            N_(
                "No lawful panel is left, and the request has no further step to widen it. The attempt is abandoned with two approvals, and a new request widens the terms; or a direct choice is approved where the law allows one."
            )
        )
    elif found.ladder and stand and stand["waiting"] == "attestation":
        needed = say(
            N_(
                "Nobody is left who can lawfully take the open seats. The request's next step of widening is drafted: two supervisors attest it, a clerk and a supervisor approve it."
            )
        )
    return NoticesView(
        found.draw,
        found.number,
        found.round,
        found.notified,
        found.answered,
        found.until,
        found.open,
        found.accepted,
        tuple((say(STATES[each][0]), count) for each in STATES if (count := found.counts.get(each, 0))),
        tuple(SlotRow(slot.number, tuple(_state(ask, each) for each in slot.messages)) for slot in found.slots),
        needed,
        fault,
        form,
    )


def _state(ask: Ask, message: tuple[str, str, str, str]) -> SlotState:
    kind, channel, state, fault = message
    text, tone = STATES[state]
    say = ask.language.say
    return SlotState(
        say(KINDS[kind]),
        channel,
        say(CHANNELS[channel]),
        Badge(say(text), tone),
        say(FAULTS.get(fault, "")),
        state in ("failed", "uncertain"),
    )
