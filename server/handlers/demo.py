"""The demonstration's own pages: who can sign in, and the software passkey that stands in for a reader's authenticator. Not there anywhere else."""

from __future__ import annotations

from aiohttp import web as aioweb

from server.auth.model import Role
from server.handlers import forms
from server.handlers.ask import Ask, DemoPeople
from server.handlers.problems import Stop
from server.handlers.render import for_script, page
from server.handlers.views import DemoPage, DemoRow
from server.handlers.words import role_label

CODE_SECONDS = 30


class Wanted(forms.Fields):
    """The browser's options, and the account that was typed where nobody is signed in."""

    options: forms.Answer
    account: forms.Line = ""


async def logins(ask: Ask) -> aioweb.StreamResponse:
    """Everybody, with the code of now."""
    demo = _demo(ask)
    rows = tuple(
        DemoRow(each.account, each.name, role_label(ask, Role(each.role)) if each.role else "", each.centre, each.code, each.passkey)
        for each in demo.logins(ask.now)
    )
    return page(ask, "demo.html", DemoPage(demo.password, demo.invitation, rows, CODE_SECONDS - ask.now % CODE_SECONDS))


async def passkey(ask: Ask) -> aioweb.StreamResponse:
    """What the authenticator of whoever is signing in would answer."""
    found = forms.form(ask, Wanted)
    if found.value is None:
        raise Stop("unprocessable", faults=found.faults)
    account = found.value.account
    if ask.caller.actor.account is not None:
        held = await ask.desk.house.accounts.get(ask.caller.actor.account)
        account = held.name if held else ""
    return for_script(_demo(ask).answer(account, found.value.options, ask.settings.origin))


def _demo(ask: Ask) -> DemoPeople:
    assert ask.site.demo is not None  # its rows of the table are there only then
    return ask.site.demo
