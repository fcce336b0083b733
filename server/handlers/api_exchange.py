"""The API of exchange data sets (docs/exchange.md): a project in, a draw's state out, each as the text of a JSON or XML file."""

from __future__ import annotations

from typing import Annotated, Literal

from aiohttp import web as aioweb
from pydantic import StringConstraints

from server import exchange
from server.auth.model import CentreId
from server.handlers import forms
from server.handlers.ask import Ask
from server.handlers.forms import Fields, Shape
from server.handlers.status import as_json
from server.services import exchange as services

MOST_BODY = 4 * exchange.MOST_BYTES
Form = Literal["json", "xml"]


class SetsJson(Shape):
    """The sets TENDER_PROJECT, BID_SECTION and AVOID_ENTERPRISE_LIST of one project, as the text of a file."""

    centre: forms.Id
    form: Form
    text: Annotated[str, StringConstraints(min_length=2, max_length=exchange.MOST_BYTES)]


class TakenJson(Shape):
    """The project's id, number and version, whether it is new, and a request begun for each section, as the text of its file (docs/request.md)."""

    id: str
    number: str
    version: int
    new: bool
    requests: tuple[str, ...]


class WhichForm(Fields):
    """How the sets are written."""

    form: Form = "json"


class GivenJson(Shape):
    """The sets of a draw as it stands, without names, as the text of a file."""

    form: Form
    text: str


async def take(ask: Ask) -> aioweb.StreamResponse:
    """A project comes in."""
    given = forms.json_body(ask, SetsJson)
    got = await services.receive(ask.desk, CentreId(given.centre), given.text, given.form, ask.caller)
    return as_json(TakenJson(id=got.id, number=got.number, version=got.version, new=got.new, requests=got.requests))


async def give(ask: Ask) -> aioweb.StreamResponse:
    """A draw's sets."""
    form = forms.api_query(ask, WhichForm).form
    return as_json(GivenJson(form=form, text=await services.give(ask.desk, ask.path["id"], form, ask.caller)))
