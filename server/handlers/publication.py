"""The result notice of a draw: what the regime says of names, and that it is out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from aiohttp import web as aioweb
from pydantic import StringConstraints

from drawing.errors import Refused
from server.handlers import forms
from server.handlers.ask import Ask
from server.handlers.draws import may
from server.handlers.forms import Shape
from server.handlers.render import page, see_other
from server.handlers.status import as_json
from server.services import publication
from server.services.publication import MOST_NOTICE

Notice = Annotated[forms.Line, StringConstraints(min_length=1, max_length=MOST_NOTICE)]


class Published(forms.Fields):
    """The notice's number or address."""

    notice: Notice


class PublishedJson(Shape):
    """The result notice is out: its number or address."""

    notice: Notice


class PublicationJson(Shape):
    """Since when it counts as published (Unix seconds)."""

    notice: str
    published_at: int


@dataclass(frozen=True, slots=True)
class PublicationPage:
    """A draw's result notice; `published_at` 0: not yet."""

    draw: str
    number: str
    section: str
    names: bool
    law: str
    notice: str
    published_at: int
    form: forms.Form[Any]
    may_record: bool


async def show(ask: Ask) -> aioweb.StreamResponse:
    """The page."""
    return await _show(ask, forms.empty())


async def record(ask: Ask) -> aioweb.StreamResponse:
    """It is out."""
    found = forms.form(ask, Published)
    if found.value is None:
        return await _show(ask, found, 422)
    try:
        await publication.record(ask.desk, ask.path["id"], found.value.notice, ask.caller)
    except Refused as refused:
        return await _show(ask, forms.refused(ask, found, refused, otherwise="notice"), 422)
    return see_other(ask, "publication", flash="published", id=ask.path["id"])


async def told(ask: Ask) -> aioweb.StreamResponse:
    """A trading system says so."""
    given = forms.json_body(ask, PublishedJson)
    at = await publication.record(ask.desk, ask.path["id"], given.notice, ask.caller)
    return as_json(PublicationJson(notice=given.notice, published_at=at))


async def _show(ask: Ask, form: forms.Form[Any], status: int = 200) -> aioweb.StreamResponse:
    found = await publication.of_draw(ask.desk, ask.path["id"], ask.caller)
    view = PublicationPage(
        ask.path["id"],
        found.number,
        found.section,
        found.rule.names,
        found.rule.law,
        found.notice,
        found.published_at,
        form,
        found.open and not found.published_at and may(ask, "draw.published"),
    )
    return page(ask, "publication.html", view, status)
