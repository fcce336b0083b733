"""What gateways tell us: what became of a message, and what somebody answered by text or key. Signed by the gateway, matched by the message's token."""

from __future__ import annotations

from typing import Annotated, Literal

from aiohttp import web as aioweb
from pydantic import StringConstraints

from drawing.errors import Refused
from server.handlers import forms
from server.handlers.ask import Ask
from server.handlers.problems import Stop
from server.handlers.status import as_json
from server.services import notices, replies
from server.signed import SIGNATURE, TIMESTAMP, fault_of

Token = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{16,64}$")]


class ReceiptIn(forms.Shape):
    """What became of a message."""

    token: Token
    channel: Literal["sms", "voice"]
    kind: Literal["call", "cancel"] = "call"
    state: Literal["delivered", "failed"]


class AnswerIn(forms.Shape):
    """What somebody answered."""

    token: Token
    channel: Literal["sms", "voice"]
    answer: Literal["accepted", "left"]
    reason: Annotated[str, StringConstraints(max_length=100)] = ""


class Heard(forms.Shape):
    """Ours: whether it was news, and what counts."""

    first: bool
    state: str


async def receipt(ask: Ask) -> aioweb.StreamResponse:
    """A receipt. Late, twice or in the wrong order it changes nothing that is known better."""
    given = _signed(ask, ReceiptIn)
    try:
        state = await notices.receive(ask.desk.store, given.token, given.kind, given.channel, given.state, ask.now)
    except Refused as why:
        raise _unknown(why) from None
    return as_json(Heard(first=state == given.state, state=state))


async def answer(ask: Ask) -> aioweb.StreamResponse:
    """An answer. The first one stays."""
    given = _signed(ask, AnswerIn)
    reason = forms.clean(given.reason) if given.answer == "left" else ""
    try:
        said = await replies.reply(ask.desk, given.token, given.answer, reason, ask.now, "gateway")
    except Refused as why:
        raise _unknown(why) from None
    return as_json(Heard(first=said.first, state=said.state))


def _signed(ask: Ask, model: type[forms.T]) -> forms.T:
    """The body, if the gateway made it now. Raises Stop."""
    headers = ask.request.headers
    fault = fault_of(ask.settings.callback_secret, headers.getall(TIMESTAMP, []), headers.getall(SIGNATURE, []), ask.body, ask.now)
    if fault:
        raise Stop("bad_signature")
    return forms.json_body(ask, model)


def _unknown(why: Refused) -> Exception:
    return Stop("not_found") if why.code in ("reply_refused", "unknown_message") else why
