"""What is answered when something does not go: one table of codes with status, title and what to do, as a page or as application/problem+json.

Nothing of an exception but its code and its declared values is ever shown; the request id leads an operator to the log.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web as aioweb

from drawing.errors import Refused
from server.errors import Failure, NotReady
from server.handlers.i18n import N_, Language
from server.refusals import text_of

PROBLEM_TYPE = "application/problem+json"  # RFC 9457


@dataclass(frozen=True, slots=True)
class Kind:
    """A row of the table. `advice` says what to do next."""

    status: int
    title: str
    advice: str


PROBLEMS: Mapping[str, Kind] = {
    "bad_request": Kind(
        400, N_("This request cannot be read"), N_("Go back and try again. If it happens again, tell the centre the request number below.")
    ),
    "bad_host": Kind(
        400, N_("This address is not ours"), N_("Open the service under the address that the centre gave you, not under another name.")
    ),
    "not_utf8": Kind(400, N_("The text is not in UTF-8"), N_("Send the request again in UTF-8.")),
    "not_json": Kind(400, N_("The body is not JSON"), N_("Correct the body; the documentation of the interface shows its form.")),
    "duplicate_key": Kind(400, N_("A name stands twice in the body"), N_("Send every name once.")),
    "unknown_field": Kind(400, N_("The request has a field that is not known here"), N_("Reload the page and fill in the form again.")),
    "sign_in": Kind(401, N_("Please sign in"), N_("This page is for people who are signed in. You come back here afterwards.")),
    "bad_signature": Kind(
        401,
        N_("The request is not signed as agreed"),
        N_("Sign the time and the exact body with the secret that both sides have, and check the clock."),
    ),
    "second_factor": Kind(401, N_("Please finish signing in"), N_("The password was right; the second factor is still missing.")),
    "passkey_first": Kind(
        403, N_("Please sign in with your passkey"), N_("Your role counts only in a login that was made with a passkey, not with a code.")
    ),
    "enrol_passkey": Kind(
        403,
        N_("Please register a passkey first"),
        N_("Your role needs one. Register it on the page of your account; an administrator lets it in."),
    ),
    "change_password": Kind(
        403,
        N_("Please change your password first"),
        N_("It is ninety days old. Change it on the page of your account, or register a passkey."),
    ),
    "forbidden": Kind(
        403, N_("You may not see this"), N_("Your roles do not cover it. If they should, ask your centre's security administrator.")
    ),
    "step_up": Kind(
        403, N_("Please confirm that it is you"), N_("This needs a confirmation with your passkey within the last five minutes.")
    ),
    "csrf": Kind(
        403, N_("The form is too old or came from elsewhere"), N_("Nothing was changed. Go back, reload the page and send the form again.")
    ),
    "not_found": Kind(404, N_("There is nothing here"), N_("Check the address, or go to the start page and look from there.")),
    "method": Kind(405, N_("This address does not do that"), N_("Go back and use the buttons on the page.")),
    "slow_body": Kind(408, N_("The request took too long"), N_("Nothing was changed. Check your connection and send it again.")),
    "stale": Kind(
        409, N_("Somebody else changed this meanwhile"), N_("Nothing of yours was written. Reload the page, compare, and do it again.")
    ),
    "repeat": Kind(
        409,
        N_("This very request came before and has no answer yet"),
        N_("It is under way, or nobody knows how it ended. Look whether it was done before you send it with another key."),
    ),
    "length_required": Kind(411, N_("The request does not say how long it is"), N_("Send it with a Content-Length, not in chunks.")),
    "too_large": Kind(413, N_("Too much at once"), N_("Send less than %(most)s bytes.")),
    "uri_too_long": Kind(414, N_("The address is too long"), N_("Shorten the search, or start again from the page before.")),
    "media_type": Kind(415, N_("This kind of content is not accepted here"), N_("Send it as %(expected)s, without compression.")),
    "bad_range": Kind(416, N_("There is no such part"), N_("Ask for the whole.")),
    "expectation": Kind(417, N_("An expectation that is not known here"), N_("Send the request without it.")),
    "unprocessable": Kind(422, N_("Something in what was sent is not right"), N_("Correct what is named below and send it again.")),
    "header_too_large": Kind(431, N_("The request's headers are too large"), N_("Delete this site's cookies and try again.")),
    "too_many": Kind(429, N_("Too many attempts"), N_("Wait %(seconds)s seconds and try again. Nothing is locked for good.")),
    "internal": Kind(
        500,
        N_("Something went wrong on our side"),
        N_("What you did may not be done. Look before you repeat it, and tell the centre the number below."),
    ),
    "sealed": Kind(
        503,
        N_("The service is sealed"),
        N_("After a start, key custodians must come together before anything secret can be read. Nothing is lost; draws go on afterwards."),
    ),
    "keeper_missing": Kind(
        503,
        N_("The key keeper does not answer"),
        N_("Reading goes on; drawing, signing and opening names wait. The operator has been told by the alarm; try again in a minute."),
    ),
    "read_only": Kind(
        503,
        N_("The service is read-only"),
        N_(
            "A witness of the log has seen more than this database holds: an old backup was restored, or a copy is written elsewhere. "
            "Nothing was changed. Reading goes on; the administrators have to put the newer log back or begin a new epoch."
        ),
    ),
    "not_ready": Kind(503, N_("The service is not ready yet"), N_("A part of it is starting or restarting. Try again in a minute.")),
    "disk_full": Kind(
        507,
        N_("The disk is full"),
        N_("Nothing of this was written; what was there before is kept. Tell the operator to make room, then send it again."),
    ),
    "too_many_streams": Kind(
        503, N_("Too many live pages are open"), N_("The page works without live updates; reload it to see what is new.")
    ),
}
BY_STATUS = {
    400: "bad_request",
    403: "forbidden",
    404: "not_found",
    405: "method",
    408: "slow_body",
    411: "length_required",
    413: "too_large",
    414: "uri_too_long",
    415: "media_type",
    416: "bad_range",
    417: "expectation",
    431: "header_too_large",
}


# Refusals of rules and of the keeper that are no matter of one form.
OF_REFUSALS: Mapping[str, str] = {
    "sign_in": "sign_in",
    "second_factor_first": "second_factor",
    "step_up": "step_up",
    "step_up_passkey": "step_up",
    "pass_refused": "step_up",
    "passkey_first": "passkey_first",
    "enrol_passkey": "enrol_passkey",
    "change_password": "change_password",
    "account_not_active": "sign_in",
    "not_your_role": "forbidden",
    "not_found": "not_found",
    "no_such_row": "not_found",
    "stale": "stale",
    "login_stale": "stale",
    "key_pending": "repeat",
    "too_many": "too_many",
    "too_often": "too_many",
    "busy": "not_ready",
    "keeper_busy": "not_ready",
    "keeper_missing": "keeper_missing",
    "log_behind_witness": "read_only",
    "log_differs_from_witness": "read_only",
    "service_sealed": "sealed",
    "store_unavailable": "not_ready",  # the keeper's database is away
}


@dataclass(frozen=True, slots=True)
class FieldFault:
    """What is wrong with one field, in words."""

    field: str
    code: str
    text: str


class Stop(Exception):
    """Ends a request with a row of the table."""

    def __init__(self, code: str, *, faults: Sequence[FieldFault] = (), headers: Mapping[str, str] | None = None, **params: object) -> None:
        assert code in PROBLEMS, code
        self.code = code
        self.faults = tuple(faults)
        self.headers = dict(headers or {})
        self.params = params
        super().__init__(code)


@dataclass(frozen=True, slots=True)
class Problem:
    """What is shown: all words are in the reader's language."""

    code: str
    status: int
    title: str
    advice: str
    request: str
    detail: str = ""
    faults: tuple[FieldFault, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    back: str = ""  # where to go on once what is wanting is there


def problem_of(raised: BaseException, language: Language, request: str) -> Problem:
    """An exception as a problem. Whatever is not known is `internal`, without details."""
    code, params, faults, detail = "internal", dict[str, Any](), tuple[FieldFault, ...](), ""
    headers: dict[str, str] = {}
    match raised:
        case Stop():
            code, params, faults, headers = raised.code, raised.params, raised.faults, raised.headers
        case NotReady(params={"why": "database_full"}) | Refused(code="store_unavailable", place="database_full"):
            code = "disk_full"
        case Failure():
            code, params = raised.code, raised.params
            headers = {"Retry-After": str(params["seconds"])} if "seconds" in params else {}
        case Refused(code=known) if known in OF_REFUSALS:
            code = OF_REFUSALS[known]
            params = {"seconds": raised.params.get("retry_after", raised.params.get("seconds", 60))}
            headers = {"Retry-After": str(params["seconds"])} if code in ("too_many", "not_ready") else {}
        case Refused():
            code, detail = "unprocessable", text_of(raised.code, raised.params, "zh" if language.name == "zh_CN" else "en")
            faults = (FieldFault(raised.place, raised.code, detail),) if raised.place else ()
        case aioweb.HTTPRequestEntityTooLarge():
            code, params = "too_large", {"most": "?"}
        case aioweb.HTTPException():
            code = BY_STATUS.get(raised.status, "internal" if raised.status >= 500 else "bad_request")
            headers = {"Allow": raised.headers["Allow"]} if "Allow" in raised.headers else {}
        case _:
            pass
    row = PROBLEMS[code]
    if row.status == 503:
        headers.setdefault("Retry-After", "60")
    return Problem(code, row.status, language.say(row.title), _filled(language, row.advice, params), request, detail, faults, headers)


def _filled(language: Language, text: str, params: Mapping[str, Any]) -> str:
    try:
        return language.say(text) % dict(params)
    except (KeyError, ValueError):  # a value that nobody gave must not make a second fault of the first
        return language.say(text).partition("%(")[0]


def problem_json(problem: Problem) -> aioweb.Response:
    """RFC 9457; `type` is a name, the documentation of the interface lists them."""
    body: dict[str, object] = {
        "type": f"urn:lotroom:problem:{problem.code}",
        "title": problem.title,
        "status": problem.status,
        "detail": problem.detail or problem.advice,
        "code": problem.code,
        "request": problem.request,
    }
    if problem.faults:
        body["faults"] = [{"field": each.field, "code": each.code, "text": each.text} for each in problem.faults]
    data = json.dumps(body, ensure_ascii=False).encode()
    return aioweb.Response(body=data, status=problem.status, headers={**problem.headers, "Content-Type": PROBLEM_TYPE})
