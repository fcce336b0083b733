"""The first day's page: the console's secret, then the three administrators, each with a password and a passkey. Afterwards there is nothing here."""

from __future__ import annotations

import re
from typing import Annotated

from aiohttp import web as aioweb
from pydantic import StringConstraints

from drawing.errors import Refused
from server.auth.model import Role
from server.handlers import forms
from server.handlers.ask import Ask
from server.handlers.i18n import N_
from server.handlers.problems import Stop
from server.handlers.render import for_script, page, see_other
from server.handlers.views import FirstDayPage, Step
from server.handlers.words import ROLES, role_label
from server.services import first_day
from server.services.first_day import ORDER, Wanted

COOKIE = "first_day"
GRANT = re.compile(r"[0-9a-f]{32}", re.ASCII)


class Secret(forms.Fields):
    """What `lotroom init` showed."""

    secret: Annotated[forms.Line, StringConstraints(min_length=1, max_length=100)]


class Administrator(forms.Fields):
    """One of the three; `attestation` is the new passkey, as the browser gives it."""

    role: Role
    name: Annotated[forms.Line, StringConstraints(min_length=1, max_length=64)]
    account: Annotated[forms.Line, StringConstraints(min_length=2, max_length=64)]
    password: forms.Exact
    attestation: str = ""

    @property
    def wanted(self) -> Wanted:
        """For the service."""
        return Wanted(self.role, self.name, self.account, self.password)


async def show(ask: Ask) -> aioweb.StreamResponse:
    """The next step."""
    return await _shown(ask, forms.empty())


async def begin(ask: Ask) -> aioweb.StreamResponse:
    """The console's secret: it works once."""
    found = forms.form(ask, Secret)
    if found.value is None:
        return await _shown(ask, found, 422)
    try:
        ask.cookies[COOKIE] = await first_day.begin(ask.desk, found.value.secret.lower(), ask.caller)
    except Refused as why:
        return await _shown(ask, forms.refused(ask, forms.empty(), why, otherwise="secret"), 422)
    return see_other(ask, "first_day")


async def options(ask: Ask) -> aioweb.StreamResponse:
    """For the browser, when the button is pressed."""
    await first_day.missing(ask.desk)
    found = forms.form(ask, Administrator)
    if found.value is None:
        raise Stop("unprocessable", faults=found.faults)
    return for_script(await first_day.options(ask.desk, _grant(ask), found.value.wanted, ask.caller))


async def enrol(ask: Ask) -> aioweb.StreamResponse:
    """One administrator."""
    found = forms.form(ask, Administrator)
    if found.value is None:
        return await _shown(ask, found, 422)
    given = found.value
    try:
        await first_day.enrol(ask.desk, _grant(ask), given.wanted, given.attestation, ask.caller)
    except Refused as why:
        if why.code == "bootstrap_refused":  # the half hour is over, or another browser has a newer secret
            ask.cookies[COOKIE] = ""
            return await _shown(ask, forms.refused(ask, forms.empty(), why, otherwise="secret"), 422, grant="")
        typed = forms.empty(name=given.name, account=given.account)
        places = {"name": "name", "account": "account", "password": "password"}
        return await _shown(ask, forms.refused(ask, typed, why, otherwise="passkey", **places), 422)
    try:
        await first_day.missing(ask.desk)
    except Refused:
        ask.cookies[COOKIE] = ""
        return see_other(ask, "sign_in", flash="first_day_over")
    return see_other(ask, "first_day", flash="enrolled")


async def _shown(
    ask: Ask, form: forms.Form[Secret] | forms.Form[Administrator], status: int = 200, grant: str | None = None
) -> aioweb.Response:
    grant = _kept(ask) if grant is None else grant
    left = await first_day.progress(ask.desk, grant, ask.caller) if grant else await first_day.missing(ask.desk)
    now = left[0] if grant else None
    secret = Step(ask.language.say(N_("Secret of the console")), "done" if grant else "now")
    steps = tuple(Step(role_label(ask, role), "now" if role is now else "later" if role in left else "done") for role in ORDER)
    says = ask.language.say(ROLES[now][1]) if now else ""
    return page(ask, "first_day.html", FirstDayPage(form, (secret, *steps), now or "", role_label(ask, now) if now else "", says), status)


def _grant(ask: Ask) -> str:
    """Of this browser. Raises Refused where it has none: the secret comes first."""
    if not _kept(ask):
        raise Refused("bootstrap_refused", "secret")
    return _kept(ask)


def _kept(ask: Ask) -> str:
    found = ask.jar.get(COOKIE, "")
    return found if GRANT.fullmatch(found) else ""
