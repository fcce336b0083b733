"""Keys of supervisors and contributors: the page that makes them in the browser, the key list for everybody, and the next version of it."""

from __future__ import annotations

import json
from typing import Annotated

from aiohttp import web as aioweb
from pydantic import StringConstraints

from drawing.canonical import dumps
from drawing.errors import Refused
from drawing.keys import KeyList, keys_bytes
from drawing.model import shape_of
from drawing.note import VKey
from server.auth.model import Role
from server.errors import NotFound
from server.handlers import forms
from server.handlers.ask import Access, Ask
from server.handlers.headers import csp
from server.handlers.i18n import N_
from server.handlers.problems import Stop
from server.handlers.render import page, see_other
from server.handlers.views import Badge, HandedRow, KeyListPage, KeyRow, MyKeyPage, NextListPage, Tone
from server.key_refusals import IN_BROWSER
from server.services import key_list
from server.services.key_list import Handed

STATES = {
    "waits": (N_("waits to be listed"), Tone.WARN),
    "listed": (N_("listed"), Tone.GOOD),
    "revoked": (N_("no longer listed"), Tone.BAD),
    "dropped": (N_("put aside"), Tone.QUIET),
}
KEY_ROLES = {
    "operator": N_("Service"),
    "staff": N_("Staff of the centre"),
    "supervisor": N_("Supervisor"),
    "contributor": N_("Contributor"),
    "gateway": N_("Gateway"),
    "monitor": N_("Monitor"),
    "authority": N_("Authority"),
}
# What the pages' programs say beside refusals.
SAID = {
    "by_password": N_("protected by a password"),
    "by_passkey": N_("protected by a passkey"),
    "supervisor": N_("Supervisor"),
    "contributor": N_("Contributor"),
    "working": N_("Making a key of the password. This takes some seconds."),
    "made": N_("The key is made and kept in this browser. Export a copy now; nobody can restore it for you."),
    "imported": N_("The key is imported and kept in this browser."),
    "exported": N_("Exported. Keep the file and its password apart."),
    "forgotten": N_("Removed from this browser."),
    "export": N_("Export"),
    "download": N_("Public file"),
    "hand_in": N_("Hand in"),
    "forget": N_("Remove"),
    "really": N_("Press again to remove"),
    "none": N_("No key is kept in this browser."),
    "first_list": N_("This browser meets this key list for the first time and trusts it from now on. Compare its digest with what you were told elsewhere."),
    "further_list": N_("The key list has changed since this browser last saw it; each change is signed by a majority of the supervisors before."),
    "new": N_("New"),
    "left_out": N_("Left out"),
    "policy": N_("Log and witnesses"),
    "same_list": N_("The key list is the one that this browser trusts."),
}  # fmt: skip
WORKER = csp(trusted_types="lotroom-worker")  # the pages that open keys: one policy, which lets through the address of one worker

KeyText = Annotated[str, StringConstraints(min_length=2, max_length=8_192)]


class Public(forms.Fields):
    """The public part of a key, as a file."""

    public: KeyText


class Chosen(forms.Fields):
    """The keys of the next version, by name."""

    names: tuple[forms.Line, ...] = ()


class ListSignature(forms.Fields):
    """A supervisor's signature over the next version."""

    key: Annotated[str, StringConstraints(min_length=1, max_length=128)]
    digest: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    signature: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{128}$")]


class Proposal(forms.Fields):
    """Why, and whose supervisor is asked."""

    reason: Annotated[forms.Lines, StringConstraints(min_length=1, max_length=400)]
    centre: forms.Id


def texts(ask: Ask, **more: str) -> str:
    """What a page's program may have to say, in the reader's language, as JSON."""
    which = 0 if ask.language.name == "zh_CN" else 1
    said = {name: ask.language.say(text) for name, text in SAID.items()}
    return json.dumps({**said, **more, **{code: pair[which] for code, pair in IN_BROWSER.items()}}, ensure_ascii=False)


def opens_keys(answer: aioweb.Response) -> aioweb.Response:
    """A page whose program opens keys."""
    answer.headers["Content-Security-Policy"] = WORKER
    return answer


# One's own ----------------------------------------------------------------------------------------------------------------------------------


async def mine(ask: Ask) -> aioweb.StreamResponse:
    """Make, keep, export and hand in."""
    return await _mine(ask, forms.empty())


async def hand_in(ask: Ask) -> aioweb.StreamResponse:
    """The public part."""
    found = forms.form(ask, Public)
    if found.value is None:
        return await _mine(ask, found, 422)
    try:
        await key_list.offer(ask.desk, _file(found.value.public), ask.caller)
    except Refused as why:
        return await _mine(ask, forms.refused(ask, forms.empty(), why, otherwise="public"), 422)
    return see_other(ask, "my_key", flash="key_waits")


async def _mine(ask: Ask, form: forms.Form[Public], status: int = 200) -> aioweb.Response:
    rows: tuple[Handed, ...] = ()
    roles = {role.value for role in (Role.SUPERVISOR, Role.CONTRIBUTOR) if role.value in ask.viewer.roles}
    if ask.viewer.signed_in and ask.site.permissions.access(ask.viewer, "keys.enrol", ask.now) is Access.YES:
        rows = await key_list.own(ask.desk, ask.caller)
    chosen = tuple((name, ask.language.say(KEY_ROLES[name])) for name in ("contributor", "supervisor") if not roles or name in roles)
    view = MyKeyPage(
        form, chosen, bool(roles), tuple(_handed(ask, each) for each in rows), texts(ask), ask.settings.origin.split("//")[1].split(":")[0]
    )
    return opens_keys(page(ask, "my_key.html", view, status))


def _file(text: str) -> bytes:
    return text.replace("\r\n", "\n").strip().encode()


def _handed(ask: Ask, each: Handed) -> HandedRow:
    text, tone = STATES[each.state]
    role = ask.language.say(KEY_ROLES[each.key.role])
    return HandedRow(each.id, each.key.vkey.name, role, each.key.body, each.by, each.at, Badge(ask.language.say(text), tone), each.state)


# For everybody ------------------------------------------------------------------------------------------------------------------------------


async def listed(ask: Ask) -> aioweb.StreamResponse:
    """The list in force."""
    chain = await key_list.published(ask.desk)
    if chain is None:
        return page(ask, "key_list.html", KeyListPage("", 0, 0, (), ""))
    newest = chain.newest
    view = KeyListPage(newest.digest.hex(), newest.version, len(chain.lists), _rows(ask, newest), newest.policy)
    return page(ask, "key_list.html", view)


async def file(ask: Ask) -> aioweb.StreamResponse:
    """The same as a file, with all versions."""
    chain = await key_list.published(ask.desk)
    if chain is None:
        raise NotFound
    headers = {"Content-Type": "application/json", "Content-Disposition": 'attachment; filename="keys.json"'}
    return aioweb.Response(body=keys_bytes(chain.lists), headers=headers)


def _rows(ask: Ask, of: KeyList) -> tuple[KeyRow, ...]:
    return tuple(
        KeyRow(
            VKey.parse(each.vkey).name,
            ask.language.say(KEY_ROLES[each.role]),
            each.body,
            VKey.parse(each.vkey).public.hex(),
            each.held == "operator",
        )
        for each in of.entries
    )


# The next version ---------------------------------------------------------------------------------------------------------------------------


async def coming(ask: Ask) -> aioweb.StreamResponse:
    """What waits and what is being made."""
    return await _coming(ask, forms.empty())


async def add(ask: Ask) -> aioweb.StreamResponse:
    """The public file of a holder without an account."""
    found = forms.form(ask, Public)
    if found.value is None:
        return await _coming(ask, found, 422)
    try:
        await key_list.add(ask.desk, _file(found.value.public), ask.caller)
    except Refused as why:
        return await _coming(ask, forms.refused(ask, found, why, otherwise="public"), 422)
    return see_other(ask, "next_list", flash="saved")


async def drop(ask: Ask) -> aioweb.StreamResponse:
    """A key that waits is put aside."""
    await key_list.drop(ask.desk, ask.path["id"], ask.caller)
    return see_other(ask, "next_list", flash="removed")


async def build(ask: Ask) -> aioweb.StreamResponse:
    """The next version over the keys that were ticked."""
    found = forms.form(ask, Chosen)
    if found.value is None:
        return await _coming(ask, found, 422)
    try:
        await key_list.build(ask.desk, found.value.names, ask.settings, ask.caller)
    except Refused as why:
        return await _coming(ask, forms.refused(ask, forms.empty(), why, otherwise="names"), 422)
    return see_other(ask, "next_list", flash="saved")


async def sign(ask: Ask) -> aioweb.StreamResponse:
    """A supervisor of the version before has signed."""
    found = forms.form(ask, ListSignature)
    if found.value is None:
        raise Stop("unprocessable", faults=found.faults)
    try:
        await key_list.sign(ask.desk, bytes.fromhex(found.value.digest), found.value.key, bytes.fromhex(found.value.signature), ask.caller)
    except Refused as why:
        return await _coming(ask, forms.refused(ask, forms.empty(), why, otherwise="signature"), 422)
    return see_other(ask, "next_list", flash="signed")


async def propose(ask: Ask) -> aioweb.StreamResponse:
    """Others approve it now."""
    found = forms.form(ask, Proposal)
    if found.value is None:
        return await _coming(ask, found, 422)
    try:
        await key_list.ask(ask.desk, found.value.reason, found.value.centre, ask.caller)
    except Refused as why:
        return await _coming(ask, forms.refused(ask, found, why, otherwise="reason"), 422)
    return see_other(ask, "approvals", flash="proposed")


async def _coming(ask: Ask, form: forms.Form[Public] | forms.Form[Chosen] | forms.Form[Proposal], status: int = 200) -> aioweb.Response:
    found = await key_list.overview(ask.desk, ask.caller)
    made, before = found.next, found.chain.newest if found.chain else None
    now = before.by_name if before else {}
    then = made.list.by_name if made else {}
    view = NextListPage(
        form,
        before.version if before else 0,
        tuple(_handed(ask, each) for each in found.handed),
        made.list.version if made else 0,
        _rows(ask, made.list) if made else (),
        made.list.policy if made else "",
        tuple(sorted(set(then) - set(now))) if made else (),
        tuple(sorted(set(now) - set(then))) if made else (),
        key_list.contents(made.list).hex() if made else "",
        made.list.digest.hex() if made and made.complete else "",
        dumps(shape_of(KeyList).write(made.list), text=True).decode() if made else "",
        tuple(each.key for each in made.list.sigs) if made else (),
        made.missing if made else 0,
        bool(made and made.proposal),
        frozenset(
            each
            for each in ("collect", "list", "sign")
            if ask.site.permissions.access(ask.viewer, f"keys.{each}", ask.now) in (Access.YES, Access.STEP_UP)
        ),
        found.centres,
        texts(ask),
    )
    return opens_keys(page(ask, "next_list.html", view, status))
