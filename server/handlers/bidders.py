"""Sealed bidder lists: an agency's page, where a list is sealed in the browser, and the centre's, which sees that one came."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Annotated

from aiohttp import web as aioweb
from pydantic import Field, StringConstraints

from drawing.errors import Refused
from server import bidders
from server.handlers import forms, multipart
from server.handlers.ask import Ask
from server.handlers.draws import may
from server.handlers.i18n import N_
from server.handlers.render import page, see_other
from server.handlers.views import AgencyListsPage, AgencyPage, Badge, ListRow, ListsPage, OwnDrawRow, Tone
from server.handlers.words import refusal
from server.library import bidder_sheet
from server.services import bidders as services
from server.services.bidders import Receipt

MOST_BODY = bidder_sheet.MOST_BYTES + 200_000
MOST_TEXT = 200_000
# A list as base64. Its length is not in the pattern: a repetition that is counted costs the service megabytes.
SealedText = Annotated[
    str,
    StringConstraints(
        min_length=4,
        max_length=4 * -(-bidders.MOST_SEALED // 3),
        pattern=r"^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$",
    ),
]
IN_BROWSER = ("bidders_too_large", "bidders_empty", "bidder_without_name", "not_a_table", "too_many_columns", "unknown_encoding")
SENDING = N_("Sealed here. It is being sent.")


class Sealed(forms.Fields):
    """A list as the browser sealed it, in base64."""

    number: int = Field(ge=1, le=bidders.MOST_LISTS)
    sealed: SealedText


class Plain(forms.Fields):
    """A list that is not sealed yet. `plain`: the sender knows that the service seals it."""

    number: int = Field(ge=1, le=bidders.MOST_LISTS)
    plain: str = ""


class Agency(forms.Fields):
    """Who may hand lists in."""

    account: Annotated[forms.Line, StringConstraints(min_length=2, max_length=64)]


def unbase64(text: str) -> bytes:
    """Raises Refused("bidders_not_for_this_box") where it is none."""
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise Refused("bidders_not_for_this_box", "sealed") from None


# An agency --------------------------------------------------------------------------------------------------------------------------------------


async def listed(ask: Ask) -> aioweb.StreamResponse:
    """Draws of one's own projects."""
    found = await services.mine(ask.desk, ask.caller)
    rows = tuple(OwnDrawRow(each.id, each.project, each.section, each.evaluation_at, each.lists, each.over) for each in found)
    return page(ask, "bidders.html", AgencyListsPage(rows))


async def show(ask: Ask) -> aioweb.StreamResponse:
    """One draw's box."""
    return await _shown(ask, forms.empty())


async def send(ask: Ask) -> aioweb.StreamResponse:
    """A list that the browser sealed."""
    found = forms.form(ask, Sealed)
    if found.value is None:
        return await _shown(ask, forms.Form({}, None, found.faults), 422)
    try:
        sealed = unbase64(found.value.sealed)
        await services.receive(ask.desk, ask.path["id"], found.value.number, sealed, ask.viewer.name, ask.caller)
    except Refused as why:
        return await _shown(ask, forms.refused(ask, forms.empty(), why, otherwise="list"), 422)
    return see_other(ask, "bidder_box", flash="received", id=ask.path["id"])


async def bring(ask: Ask) -> aioweb.StreamResponse:
    """A list that the service seals: no JavaScript, or a workbook."""
    await services.box(ask.desk, ask.path["id"], ask.caller)  # may they?
    parts = multipart.parts(ask)
    given = tuple((name, multipart.text_of(parts, name)) for name in ("number", "plain") if name in parts)
    found = forms.checked(given, Plain, ask.language)
    text = multipart.text_of(parts, "list")
    if found.value is None:
        return await _shown(ask, forms.Form({"list": text}, None, found.faults), 422)
    if found.value.plain != "yes":
        said = refusal(ask, "bidders_not_sealed")
        return await _shown(ask, forms.Form({"list": text}).with_fault("plain", "bidders_not_sealed", said), 422)
    try:
        plain = await _plain(parts, text)
        await services.seal_here(ask.desk, ask.path["id"], found.value.number, plain, ask.viewer.name, ask.caller)
    except Refused as why:
        return await _shown(ask, forms.refused(ask, forms.Form({"list": text}), why, otherwise="list"), 422)
    return see_other(ask, "bidder_box", flash="received", id=ask.path["id"])


async def _plain(parts: Mapping[str, multipart.Part], text: str) -> bytes:
    file = parts.get("file")
    if file is not None and file.data:
        kind = file.file.rpartition(".")[2].lower()
        return await bidder_sheet.plain("csv" if kind == "txt" else kind, file.data)
    if len(text) > MOST_TEXT:
        raise Refused("bidders_too_large", "list", most=bidders.MOST_PLAIN)
    return bidders.plain_of(bidders.rows_of_text(text))


async def _shown(ask: Ask, form: forms.Form[Sealed] | forms.Form[Plain], status: int = 200) -> aioweb.Response:
    found = await services.box(ask.desk, ask.path["id"], ask.caller)
    said = {code: refusal(ask, code, most="{most}", place="{place}") for code in IN_BROWSER}
    texts = {**said, "not_sent": refusal(ask, "not_sent"), "sending": ask.language.say(SENDING)}
    view = AgencyPage(
        form,
        ask.path["id"],
        found.draw.project,
        found.draw.section,
        found.draw.evaluation_at,
        found.box.key.hex(),
        found.box.lists + 1,
        bidders.MOST_PLAIN,
        found.box.late or found.box.lists >= bidders.MOST_LISTS,
        _rows(ask, found.receipts),
        json.dumps(texts, ensure_ascii=False),
    )
    return page(ask, "bidder_box.html", view, status)


def _rows(ask: Ask, receipts: tuple[Receipt, ...]) -> tuple[ListRow, ...]:
    say = ask.language.say
    good, part = Badge(say(N_("compared")), Tone.GOOD), Badge(say(N_("waits")), Tone.PART)
    return tuple(ListRow(each.number, each.sender, each.at, each.digest.hex(), good if each.compared else part) for each in receipts)


# The centre -------------------------------------------------------------------------------------------------------------------------------------


async def centre(ask: Ask) -> aioweb.StreamResponse:
    """That lists came, and who may hand them in."""
    return await _centre(ask, forms.empty())


async def give(ask: Ask) -> aioweb.StreamResponse:
    """One more account."""
    found = forms.form(ask, Agency)
    if found.value is None:
        return await _centre(ask, found, 422)
    try:
        await services.give(ask.desk, ask.path["id"], found.value.account, ask.caller)
    except Refused as why:
        return await _centre(ask, forms.refused(ask, forms.Form(found.given), why, otherwise="account"), 422)
    return see_other(ask, "draw_bidders", flash="saved", id=ask.path["id"])


async def _centre(ask: Ask, form: forms.Form[Agency], status: int = 200) -> aioweb.Response:
    found = await services.lists(ask.desk, ask.path["id"], ask.caller)
    view = ListsPage(form, found.draw, found.project, _rows(ask, found.receipts), found.agencies, may(ask, "draw.request"))
    return page(ask, "draw_bidders.html", view, status)
