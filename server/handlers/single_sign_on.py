"""The organisation's own sign-in: to the provider, and back.

The answer comes from another site, and browsers send it without the cookies that are for this site alone. So what ties it to the browser is a
cookie of its own that such a navigation brings along, and what follows is a page of ours from which the browser goes on by itself.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from typing import Annotated

from aiohttp import web as aioweb
from pydantic import StringConstraints

from drawing.errors import Refused
from server.handlers import forms
from server.handlers.ask import Ask
from server.handlers.middleware import LOGIN_COOKIE, SSO_COOKIE
from server.handlers.render import page
from server.handlers.views import SsoPage
from server.handlers.words import refusal
from server.services import single_sign_on
from server.services.sign_in import Arrived

Part = Annotated[str, StringConstraints(max_length=4_096)]


class Answer(forms.Fields):
    """What a provider may send back; what else it adds is not looked at."""

    state: Part = ""
    code: Part = ""
    iss: Part = ""
    error: Part = ""
    error_description: Part = ""
    error_uri: Part = ""
    scope: Part = ""
    session_state: Part = ""


async def begin(ask: Ask) -> aioweb.StreamResponse:
    """To the provider."""
    secret = urlsafe_b64encode(ask.site.chance.token(32)).decode().rstrip("=")
    try:
        address = await single_sign_on.begin(ask.desk, secret, ask.caller)
    except Refused as why:
        return _refused(ask, why)
    ask.cookies[SSO_COOKIE] = secret
    return aioweb.Response(status=303, headers={"Location": address})


async def back(ask: Ask) -> aioweb.StreamResponse:
    """From the provider; a second factor comes next."""
    given = forms.query(ask, Answer).value or Answer()
    query = {name: value for name in ("state", "code", "iss", "error") if (value := getattr(given, name))}
    ask.cookies[SSO_COOKIE] = ""
    try:
        found = await single_sign_on.finish(ask.desk, query, ask.jar.get(SSO_COOKIE, ""), ask.caller)
    except Refused as why:
        return _refused(ask, why)
    if not isinstance(found, Arrived):
        return page(ask, "sso.html", SsoPage(subject=found.subject), 403)
    ask.cookies[LOGIN_COOKIE] = found.token
    made = page(ask, "sso.html", SsoPage(go_on=ask.site.renderer.url("second_factor")))
    made.headers["Refresh"] = f"0; url={ask.site.renderer.url('second_factor')}"
    return made


def _refused(ask: Ask, why: Refused) -> aioweb.StreamResponse:
    if not (why.code.startswith("provider_") or why.code == "sign_in_wrong"):
        raise why
    return page(ask, "sso.html", SsoPage(fault=refusal(ask, why.code, **{"place": why.place, **why.params})), 422)
