"""The page behind the link of a message: one question, three taps. Every state of it has the same form and length, so that whoever sees sizes pass
by learns nothing; opening it answers nothing, for programs that preview links open it too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from aiohttp import web as aioweb

from drawing.errors import Refused
from server.handlers import forms
from server.handlers.ask import Ask
from server.handlers.i18n import N_
from server.handlers.render import page
from server.handlers.views import ReplyPage
from server.handlers.words import refusal
from server.services import replies
from server.services.replies import Link

SIZE = 24_576  # bytes of each such page
REASONS: Mapping[str, str] = {
    "busy": N_("I have another engagement"),
    "ill": N_("I am ill"),
    "away": N_("I am out of town"),
    "conflict": N_("I think I have a conflict of interest"),
    "other": N_("Another reason"),
}
assert tuple(REASONS) == replies.REASONS


class Reply(forms.Fields):
    """What is sent with one of the buttons."""

    state: Literal["accepted", "left"]
    reason: Literal["busy", "ill", "away", "conflict", "other"] | None = None


async def show(ask: Ask) -> aioweb.StreamResponse:
    """How it stands."""
    return _page(ask, await replies.look(ask.desk, ask.path["code"]))


async def send(ask: Ask) -> aioweb.StreamResponse:
    """An answer; the page that follows says what counts."""
    found = forms.form(ask, Reply)
    code = ask.path["code"]
    given = found.value
    if given is not None and given.state == "left" and given.reason is None:
        found = found.with_fault("reason", "missing", ask.language.say(forms.FAULTS["missing"]))
    elif given is not None:
        try:
            await replies.reply(ask.desk, code, given.state, given.reason or "", ask.now)
            return aioweb.Response(status=303, headers={"Location": f"/r/{code}"})
        except Refused as why:
            if why.code not in ("reply_refused", "reply_too_late", "leave_too_late", "nobody_to_answer"):
                raise
            return _page(ask, await replies.look(ask.desk, code), problem=refusal(ask, why.code), status=422)
    return _page(ask, await replies.look(ask.desk, code), found, status=422)


def _page(ask: Ask, link: Link, form: forms.Form[Reply] | None = None, problem: str = "", status: int = 200) -> aioweb.Response:
    state = link.state
    stage = "unknown" if state is None else state.answered or state.stage
    if state is not None and state.stage == "cancelled":
        stage = "cancelled"
    reasons = tuple((value, ask.language.say(text)) for value, text in REASONS.items())
    view = ReplyPage(
        stage,
        state.evaluation_at if state else 0,
        state.until if state else 0,
        link.code,
        form or forms.empty(),
        reasons,
        bool(state and stage == "accepted" and ask.now < state.leave_until),
        state.leave_until if state else 0,
        problem,
    )
    made = page(ask, "reply.html", view, 404 if stage == "unknown" and status == 200 else status)
    body = bytes(made.body)  # type: ignore[arg-type]  # `page` makes bytes
    assert len(body) < SIZE - 8, len(body)
    made.body = body + b"\n<!--" + b"." * (SIZE - len(body) - 8) + b"-->"
    return made
