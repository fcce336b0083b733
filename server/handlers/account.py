"""One's own account, and the invitation with which it begins."""

from __future__ import annotations

import segno
from aiohttp import web as aioweb

from drawing.errors import Refused
from server.handlers import forms
from server.handlers.ask import Ask
from server.handlers.middleware import LOGIN_COOKIE
from server.handlers.render import for_script, page, see_other
from server.handlers.views import AccountPage, CodesPage, InvitedPage, LoginRow, PasskeyRow, TotpPage
from server.handlers.words import role_label
from server.services import account


class NewPassword(forms.Fields):
    """The present one and the next."""

    old: forms.Exact
    new: forms.Exact


class FirstPassword(forms.Fields):
    """Of whoever is invited."""

    new: forms.Exact


class Code(forms.Fields):
    """The first code of a new authenticator."""

    code: forms.Line


class Attestation(forms.Fields):
    """A new passkey, as the browser gives it."""

    attestation: forms.Answer


async def show(ask: Ask) -> aioweb.StreamResponse:
    """All of it."""
    return await _shown(ask, forms.empty())


async def password(ask: Ask) -> aioweb.StreamResponse:
    """Another password."""
    found = forms.form(ask, NewPassword)
    if found.value is None:
        return await _shown(ask, found, 422)
    try:
        await account.change_password(ask.desk, found.value.old, found.value.new, ask.caller)
    except Refused as why:
        return await _shown(ask, forms.refused(ask, forms.empty(), why, password="new"), 422)  # noqa: S106  a field's name
    return see_other(ask, "account", flash="saved")


async def totp(ask: Ask) -> aioweb.StreamResponse:
    """A new secret, shown once."""
    try:
        secret = await account.enrol_totp(ask.desk, ask.caller)
    except Refused as why:
        return await _shown(ask, forms.refused(ask, forms.empty(), why, otherwise="totp"), 422)
    return page(ask, "totp.html", _totp(ask.viewer.name, secret, forms.empty(), "/account/totp/confirm"))


async def totp_confirm(ask: Ask) -> aioweb.StreamResponse:
    """Its first code. A wrong one means the secret is made anew: it is shown once only."""
    found = forms.form(ask, Code)
    try:
        await account.confirm_totp(ask.desk, found.text("code"), ask.caller)
    except Refused as why:
        return await _shown(ask, forms.refused(ask, forms.empty(), why, otherwise="totp"), 422)
    return see_other(ask, "account", flash="saved")


async def passkey_options(ask: Ask) -> aioweb.StreamResponse:
    """For the browser, when the button is pressed."""
    return for_script(await account.passkey_options(ask.desk, ask.caller))


async def passkey(ask: Ask) -> aioweb.StreamResponse:
    """A new passkey; it waits."""
    found = forms.form(ask, Attestation)
    if found.value is None:
        return await _shown(ask, forms.Form({}, None, found.faults), 422)
    try:
        await account.enrol_passkey(ask.desk, found.value.attestation, ask.caller.request.label, ask.caller)
    except Refused as why:
        return await _shown(ask, forms.refused(ask, forms.empty(), why, otherwise="passkeys"), 422)
    return see_other(ask, "account", flash="passkey_waits")


async def remove_passkey(ask: Ask) -> aioweb.StreamResponse:
    """One passkey less."""
    try:
        await account.remove_passkey(ask.desk, ask.path["id"], ask.caller)
    except Refused as why:
        return await _shown(ask, forms.refused(ask, forms.empty(), why, otherwise="passkeys"), 422)
    return see_other(ask, "account", flash="removed")


async def recovery(ask: Ask) -> aioweb.StreamResponse:
    """Ten codes, shown once."""
    return page(ask, "codes.html", CodesPage(await account.new_codes(ask.desk, ask.caller)))


async def end_login(ask: Ask) -> aioweb.StreamResponse:
    """End one of one's own logins."""
    await account.end_login(ask.desk, ask.path["id"], ask.caller)
    return see_other(ask, "account", flash="saved")


async def sign_out_everywhere(ask: Ask) -> aioweb.StreamResponse:
    """All of them."""
    await account.sign_out_everywhere(ask.desk, ask.caller)
    ask.cookies |= {LOGIN_COOKIE: "", "pass": "", "device": ""}
    return see_other(ask, "home", flash="signed_out")


async def invited_page(ask: Ask) -> aioweb.StreamResponse:
    """Whoever has the link sets a password."""
    invited = await account.invited(ask.desk, ask.path["code"], ask.caller)
    return page(ask, "invited.html", InvitedPage(invited.account.name, forms.empty()))


async def invited(ask: Ask) -> aioweb.StreamResponse:
    """The password; the answer shows the authenticator's secret, once."""
    found = forms.form(ask, FirstPassword)
    code = ask.path["code"]
    try:
        begun = await account.begin_invited(ask.desk, code, found.value.new if found.value else "", ask.caller)
    except Refused as why:
        name = (await account.invited(ask.desk, code, ask.caller)).account.name
        form = forms.refused(ask, forms.empty(), why, password="new")  # noqa: S106  a field's name
        return page(ask, "invited.html", InvitedPage(name, form), 422)
    return page(ask, "totp.html", _totp(begun.account.name, begun.secret, forms.empty(), f"/invitation/{code}/confirm"))


async def invited_confirm(ask: Ask) -> aioweb.StreamResponse:
    """The first code: the account is at work."""
    found = forms.form(ask, Code)
    code = ask.path["code"]
    try:
        await account.end_invited(ask.desk, code, found.text("code"), ask.caller)
    except Refused as why:
        name = (await account.invited(ask.desk, code, ask.caller)).account.name
        return page(ask, "invited.html", InvitedPage(name, forms.refused(ask, forms.empty(), why, otherwise="new")), 422)
    return see_other(ask, "sign_in", flash="ready")


async def _shown(ask: Ask, form: forms.Form[NewPassword], status: int = 200) -> aioweb.Response:
    own = await account.own(ask.desk, ask.caller)
    roles = tuple(
        dict.fromkeys(role_label(ask, each.role) for each in sorted(own.grants, key=lambda each: each.role) if each.holds(ask.now))
    )
    active = {each.credential for each in own.status.passkeys if each.status == "active"} if own.status else set()
    keys = tuple(
        PasskeyRow(row["id"], row["name"] or "–", row["created_at"], None, bytes(row["credential"]).hex() not in active) for row in own.keys
    )
    logins = tuple(LoginRow(each.id, "", each.label or "–", each.began, each.seen, each.this_one) for each in own.logins)
    view = AccountPage(
        own.account.name, own.account.name, roles, "", keys, own.account.totp, own.codes_left, logins, form, own.needs_passkey
    )
    return page(ask, "account.html", view, status)


def _totp(name: str, secret: str, form: forms.Form[Code], action: str) -> TotpPage:
    """With the picture that authenticators read: otpauth as Google wrote it down, drawn as one path."""
    made = segno.make(f"otpauth://totp/Lotroom:{name}?secret={secret}&issuer=Lotroom", error="m", micro=False)
    rows = tuple(made.matrix_iter(border=4))
    path = "".join(f"M{x} {y}h1v1h-1z" for y, row in enumerate(rows) for x, dark in enumerate(row) if dark)
    return TotpPage(name, secret, path, len(rows), form, action)
