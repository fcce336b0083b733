"""Pages without a login: start, verification, language and colours."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Literal

from aiohttp import web as aioweb

from server.handlers import forms
from server.handlers.ask import Ask
from server.handlers.headers import csp
from server.handlers.problems import Stop
from server.handlers.render import HTML, page
from server.handlers.views import HomePage, VerifyPage

INLINE = re.compile(r'http-equiv="Content-Security-Policy" content="([^"]*)"')
FILE_NAME = "lotroom-verify.html"


class Preferences(forms.Fields):
    """What a browser is to remember; `back` is where the form stood."""

    language: Literal["zh_CN", "en"] | None = None
    theme: Literal["light", "dark", "system"] | None = None
    back: str = "/"


async def home(ask: Ask) -> aioweb.StreamResponse:
    """The public page: services, flows, norms, complaints, the newest checkpoint."""
    return page(ask, "home.html", HomePage(await ask.site.checkpoints.latest(), ask.settings.complaints, await ask.site.proofs.shown()))


async def verify(ask: Ask) -> aioweb.StreamResponse:
    """What verification is, the page for it, and the same as a file to keep."""
    whole = ask.site.verifier.encode()
    return page(ask, "verify.html", VerifyPage(sha256(whole).hexdigest(), len(whole) // 1024))


async def verifier(ask: Ask) -> aioweb.StreamResponse:
    """The verification page itself: one file with its program inside, allowed by digest; its worker is made of that program."""
    return aioweb.Response(
        text=ask.site.verifier, headers={"Content-Type": HTML, "Content-Security-Policy": verifier_csp(ask.site.verifier)}
    )


async def verifier_file(ask: Ask) -> aioweb.StreamResponse:
    """The same to keep on a disk."""
    headers = {"Content-Type": HTML, "Content-Disposition": f'attachment; filename="{FILE_NAME}"'}
    return aioweb.Response(text=ask.site.verifier, headers=headers)


async def preferences(ask: Ask) -> aioweb.StreamResponse:
    """Remember language or colours in cookies and go back."""
    given = forms.form(ask, Preferences).value
    if given is None or not forms.BACK.fullmatch(given.back):
        raise Stop("bad_request")
    if given.language:
        ask.cookies["language"] = given.language
    if given.theme:
        ask.cookies["theme"] = given.theme
    return aioweb.Response(status=303, headers={"Location": given.back})


def verifier_csp(text: str) -> str:
    """The page names the digests of its script and style itself; everything else stays forbidden."""
    found = INLINE.search(text)
    assert found
    own = dict(each.strip().split(" ", 1) for each in found[1].split(";"))
    return csp(
        script_src=own["script-src"],
        style_src=own["style-src"],
        worker_src="blob:",
        img_src="",
        connect_src="",
        form_action="'none'",
        trusted_types="lotroom-verify",
    )
