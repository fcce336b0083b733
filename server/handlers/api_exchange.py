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
from server.services import projects
from server.services.projects import Listed, Project

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


class WhichProjects(WhichForm):
    """Which projects, and how their sets are written."""

    search: Annotated[forms.Line, StringConstraints(max_length=100)] = ""
    state: Literal["", "received", "begun", "drawn", "closed"] = ""


class SectionJson(Shape):
    """A section, its state and its draws, the oldest first. `there`: the newest version has it."""

    code: str
    name: str
    state: str
    draws: tuple[str, ...]
    there: bool


class ProjectLine(Shape):
    """A project that is kept: its newest version, and how far it is (received, begun, drawn, closed)."""

    id: str
    number: str
    version: int
    state: str
    received_at: int
    sections: tuple[SectionJson, ...]


class ProjectsJson(Shape):
    """The projects, and the sets TENDER_PROJECT and BID_SECTION of all of them as the text of a file."""

    form: Form
    text: str
    total: int
    projects: tuple[ProjectLine, ...]


class ProjectJson(Shape):
    """A project, and its sets as they came, as the text of a file; without the responsible person and address, which are sealed."""

    form: Form
    text: str
    project: ProjectLine


async def take(ask: Ask) -> aioweb.StreamResponse:
    """A project comes in."""
    given = forms.json_body(ask, SetsJson)
    got = await services.receive(ask.desk, CentreId(given.centre), given.text, given.form, ask.caller)
    return as_json(TakenJson(id=got.id, number=got.number, version=got.version, new=got.new, requests=got.requests))


async def give(ask: Ask) -> aioweb.StreamResponse:
    """A draw's sets."""
    form = forms.api_query(ask, WhichForm).form
    return as_json(GivenJson(form=form, text=await services.give(ask.desk, ask.path["id"], form, ask.caller)))


async def listed(ask: Ask) -> aioweb.StreamResponse:
    """The projects of the caller's centres, the newest first."""
    wanted = forms.api_query(ask, WhichProjects)
    found, total = await projects.listed(ask.desk, ask.caller, wanted.search, wanted.state)
    sets = {name: [row for each in found for row in each.sets.get(name, ())] for name in ("TENDER_PROJECT", "BID_SECTION")}
    lines = tuple(_line(each, each.received_at) for each in found)
    return as_json(ProjectsJson(form=wanted.form, text=exchange.write(sets, wanted.form), total=total, projects=lines))


async def one(ask: Ask) -> aioweb.StreamResponse:
    """A project's sets."""
    form = forms.api_query(ask, WhichForm).form
    found = await projects.show(ask.desk, ask.path["id"], ask.caller)
    line = _line(found, found.versions[0].received_at)
    return as_json(ProjectJson(form=form, text=exchange.write(found.sets, form), project=line))


def _line(each: Listed | Project, received_at: int) -> ProjectLine:
    sections = tuple(
        SectionJson(code=one.code, name=one.name, state=one.state.value, draws=tuple(draw.id for draw in one.draws), there=one.there)
        for one in each.sections
    )
    return ProjectLine(
        id=each.id, number=each.number, version=each.version, state=each.state.value, received_at=received_at, sections=sections
    )
