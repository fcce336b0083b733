"""What is kept of draws that are over, and asking for its destruction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from aiohttp import web as aioweb
from pydantic import AfterValidator, StringConstraints

from drawing.errors import Refused
from server.handlers import forms
from server.handlers.ask import Ask
from server.handlers.draws import may
from server.handlers.render import page, see_other
from server.retention import LAW
from server.services import retention
from server.services.retention import DESTROY, Item


class Asked(forms.Fields):
    """Why the files may go."""

    reason: Annotated[forms.Lines, AfterValidator(str.strip), StringConstraints(min_length=1, max_length=500)]


@dataclass(frozen=True, slots=True)
class RetentionPage:
    """All that is kept, in four lists. `of`: the draw whose form came back with faults."""

    due: Sequence[Item]
    frozen: Sequence[Item]
    later: Sequence[Item]
    destroyed: Sequence[Item]
    young: int
    years: int
    law: str
    form: forms.Form[Any]
    of: str
    may_ask: bool
    may_read_complaints: bool


async def show(ask: Ask) -> aioweb.StreamResponse:
    """The page."""
    return await _show(ask, forms.empty())


async def destroy(ask: Ask) -> aioweb.StreamResponse:
    """Ask others to approve the destruction."""
    found = forms.form(ask, Asked)
    if found.value is None:
        return await _show(ask, found, 422)
    try:
        await retention.ask(ask.desk, ask.path["id"], found.value.reason, ask.settings.retention_years, ask.caller)
    except Refused as refused:
        return await _show(ask, forms.refused(ask, found, refused, otherwise="reason"), 422)
    return see_other(ask, "retention", flash="proposed")


async def _show(ask: Ask, form: forms.Form[Any], status: int = 200) -> aioweb.StreamResponse:
    years = ask.settings.retention_years
    found = await retention.show(ask.desk, years, ask.caller)
    of = ask.path["id"] if form.faults else ""
    lists = (found.due, found.frozen, found.later, found.destroyed)
    view = RetentionPage(*lists, found.young, years, LAW, form, of, may(ask, DESTROY), may(ask, "complaint.read"))
    return page(ask, "retention.html", view, status)
