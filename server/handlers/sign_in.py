"""Signing in and out: password, second factor, passkey, and the confirmation that critical actions ask for."""

from __future__ import annotations

from base64 import urlsafe_b64encode

from aiohttp import web as aioweb

from drawing.errors import Refused
from server.auth.logins import Event
from server.handlers import forms
from server.handlers.ask import Ask
from server.handlers.middleware import LOGIN_COOKIE
from server.handlers.render import for_script, page, see_other
from server.handlers.views import SecondFactorPage, SignInPage
from server.services import sign_in
from server.services.sign_in import Arrived


class SignIn(forms.Fields):
    """The first factor."""

    account: forms.Line
    password: forms.Exact


class Name(forms.Fields):
    """Whose passkey is wanted."""

    account: forms.Line


class Assertion(forms.Fields):
    """A passkey's answer; the field of the name comes along."""

    assertion: forms.Answer
    account: forms.Line = ""


class Second(forms.Fields):
    """One of the four."""

    code: forms.Line = ""
    recovery: forms.Line = ""
    stand_in: forms.Line = ""
    assertion: str = ""


class Back(forms.Fields):
    """Where to go afterwards."""

    back: str = ""


async def first_page(ask: Ask) -> aioweb.StreamResponse:
    """Account and password, or a passkey."""
    _back(ask)
    _know_browser(ask)
    return page(ask, "sign_in.html", SignInPage(forms.empty(), sso=_sso(ask)))


async def first(ask: Ask) -> aioweb.StreamResponse:
    """The password was sent."""
    found = forms.form(ask, SignIn)
    if found.value is None:
        return page(ask, "sign_in.html", SignInPage(found, sso=_sso(ask)), 422)
    try:
        arrived = await sign_in.with_password(ask.desk, found.value.account, found.value.password, ask.caller)
    except Refused as why:
        return _refused(ask, found, why)
    _keep(ask, arrived)
    return _go(ask, ask.site.renderer.url("second_factor") + _query(ask))


async def passkey_options(ask: Ask) -> aioweb.StreamResponse:
    """For the browser, when the button is pressed."""
    found = forms.form(ask, Name)
    name = found.value.account if found.value else ""
    return for_script(await sign_in.passkey_options(ask.desk, name or "-", ask.caller))


async def passkey(ask: Ask) -> aioweb.StreamResponse:
    """A passkey was shown: both factors at once."""
    found = forms.form(ask, Assertion)
    if found.value is None:
        return page(ask, "sign_in.html", SignInPage(found, sso=_sso(ask)), 422)
    try:
        arrived = await sign_in.with_passkey(ask.desk, found.value.assertion, ask.caller)
    except Refused as why:
        return _refused(ask, forms.empty(account=found.value.account), why)
    _keep(ask, arrived)
    return _go(ask, _back(ask) or ask.site.renderer.url("account"))


async def second_page(ask: Ask) -> aioweb.StreamResponse:
    """Passkey, code, or a code on paper."""
    return page(ask, "second_factor.html", SecondFactorPage(forms.empty(), passkey=True))


async def second_options(ask: Ask) -> aioweb.StreamResponse:
    """For the browser, when the button is pressed."""
    return for_script(await sign_in.second_options(ask.desk, ask.caller))


async def second(ask: Ask) -> aioweb.StreamResponse:
    """The second factor was sent."""
    return await _second(ask, step_up=False)


async def step_up_page(ask: Ask) -> aioweb.StreamResponse:
    """The same, of somebody who is signed in."""
    return page(ask, "second_factor.html", SecondFactorPage(forms.empty(), passkey=True, step_up=True))


async def step_up(ask: Ask) -> aioweb.StreamResponse:
    """A factor was shown again."""
    return await _second(ask, step_up=True)


async def sign_out(ask: Ask) -> aioweb.StreamResponse:
    """Out."""
    await sign_in.sign_out(ask.desk, ask.caller)
    ask.cookies |= {LOGIN_COOKIE: "", "pass": ""}
    return see_other(ask, "home", flash="signed_out")


async def _second(ask: Ask, *, step_up: bool) -> aioweb.StreamResponse:
    found = forms.form(ask, Second)
    given = found.value
    if given is None:
        return page(ask, "second_factor.html", SecondFactorPage(found, passkey=True, step_up=step_up), 422)
    factor, shown, field = (
        (Event.PASSKEY_RIGHT, given.assertion, "passkey")
        if given.assertion
        else (Event.RECOVERY_USED, given.recovery, "recovery")
        if given.recovery
        else (Event.STAND_IN_USED, given.stand_in, "stand_in")
        if given.stand_in
        else (Event.TOTP_RIGHT, given.code, "code")
    )
    try:
        arrived = await sign_in.with_second(ask.desk, factor, shown, ask.caller)
    except Refused as why:
        form = forms.refused(ask, forms.empty(), why, otherwise=field)
        status = 429 if why.code == "too_many" else 422
        return page(ask, "second_factor.html", SecondFactorPage(form, passkey=True, step_up=step_up), status)
    _keep(ask, arrived)
    if step_up:
        ask.cookies["flash"] = "confirmed"
    return _go(ask, _back(ask) or ask.site.renderer.url("account"))


def _refused(ask: Ask, form: forms.Form[SignIn] | forms.Form[Name], why: Refused) -> aioweb.StreamResponse:
    if why.code in ("too_many", "busy"):
        wait = int(why.params["retry_after"])
        made = page(ask, "sign_in.html", SignInPage(forms.empty(account=form.text("account")), _sso(ask), wait), 429)
        made.headers["Retry-After"] = str(wait)
        return made
    return page(ask, "sign_in.html", SignInPage(forms.refused(ask, form, why, otherwise="account"), _sso(ask)), 422)


def _sso(ask: Ask) -> str:
    return ask.settings.sso_name or "SSO" if ask.desk.provider else ""


def _keep(ask: Ask, arrived: Arrived) -> None:
    ask.cookies[LOGIN_COOKIE] = arrived.token
    if arrived.shown:
        ask.cookies["pass"] = arrived.shown


def _know_browser(ask: Ask) -> None:
    """So that strangers who guess cannot keep this browser waiting: what it is known by, once it has signed in."""
    if not ask.caller.request.device:
        ask.cookies["device"] = urlsafe_b64encode(ask.site.chance.token(32)).decode().rstrip("=")


def _back(ask: Ask) -> str:
    given = forms.query(ask, Back).value
    return given.back if given is not None and forms.BACK.fullmatch(given.back) else ""


def _query(ask: Ask) -> str:
    found = ask.request.rel_url.raw_query_string
    return "?" + found if _back(ask) else ""


def _go(ask: Ask, address: str) -> aioweb.Response:
    return aioweb.Response(status=303, headers={"Location": address})
