"""A draw's complaints: reading them, filing one, asking for the end of its hold; and its sealed files, which they hold and which go in the end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from aiohttp import web as aioweb
from pydantic import AfterValidator, StringConstraints

from drawing.errors import Refused
from server.handlers import forms
from server.handlers.ask import Ask
from server.handlers.draws import may
from server.handlers.render import page, see_other
from server.services import complaints, retention
from server.services.complaints import LIFT
from server.services.retention import DESTROY, Kept

__all__ = ["DESTROY", "LIFT", "destroy", "file", "lift", "show"]

Words = Annotated[forms.Lines, AfterValidator(str.strip), StringConstraints(min_length=1, max_length=500)]


class Filed(forms.Fields):
    """What is complained of."""

    reason: Words


class Lifted(forms.Fields):
    """Which complaint no longer holds, and why."""

    complaint: forms.Id
    why: Words


class Gone(forms.Fields):
    """Why the sealed files are not needed any more."""

    gone: Words


@dataclass(frozen=True, slots=True)
class ComplaintRow:
    """One complaint; `decide_by` is 0 where the calendar does not say yet."""

    id: str
    reason: str
    by: str
    filed_at: int
    decide_by: int
    digest: str
    index: int
    lifted_at: int


@dataclass(frozen=True, slots=True)
class ComplaintsPage:
    """All of a draw."""

    draw: str
    number: str
    law: str
    rows: tuple[ComplaintRow, ...]
    form: forms.Form[Any]
    may_file: bool
    may_lift: bool
    files: Kept
    may_destroy: bool


async def show(ask: Ask) -> aioweb.StreamResponse:
    """The page."""
    return await _show(ask, forms.empty())


async def file(ask: Ask) -> aioweb.StreamResponse:
    """A new one."""
    found = forms.form(ask, Filed)
    if found.value is None:
        return await _show(ask, found, 422)
    try:
        await complaints.file(ask.desk, ask.path["id"], found.value.reason, ask.caller)
    except Refused as refused:
        return await _show(ask, forms.refused(ask, found, refused, otherwise="reason"), 422)
    return see_other(ask, "complaints", flash="complained", id=ask.path["id"])


async def lift(ask: Ask) -> aioweb.StreamResponse:
    """Ask others to approve the end of a hold."""
    found = forms.form(ask, Lifted)
    if found.value is None:
        return await _show(ask, found, 422)
    try:
        await complaints.ask_to_lift(ask.desk, ask.path["id"], found.value.complaint, found.value.why, ask.caller)
    except Refused as refused:
        return await _show(ask, forms.refused(ask, found, refused, otherwise="why"), 422)
    return see_other(ask, "complaints", flash="proposed", id=ask.path["id"])


async def destroy(ask: Ask) -> aioweb.StreamResponse:
    """Ask others to approve that the sealed files go."""
    found = forms.form(ask, Gone)
    if found.value is None:
        return await _show(ask, found, 422)
    try:
        await retention.ask_to_destroy(ask.desk, ask.path["id"], found.value.gone, ask.caller)
    except Refused as refused:
        return await _show(ask, forms.refused(ask, found, refused, otherwise="gone"), 422)
    return see_other(ask, "complaints", flash="proposed", id=ask.path["id"])


async def _show(ask: Ask, form: forms.Form[Any], status: int = 200) -> aioweb.StreamResponse:
    found = await complaints.of_draw(ask.desk, ask.path["id"], ask.caller)
    rows = tuple(
        ComplaintRow(
            each["id"],
            each["reason"],
            found.names.get(each["filed_by"], ""),
            each["filed_at"],
            each["decide_by"] or 0,
            bytes(each["digest"]).hex(),
            each["leaf_index"],
            each["lifted_at"] or 0,
        )
        for each in found.rows
    )
    files = await retention.of_draw(ask.desk, ask.path["id"], ask.now)
    may_destroy = may(ask, DESTROY) and files.due and not (files.destroyed_at or files.asked or files.holds)
    may_file, may_lift = may(ask, "complaint.file") and not files.destroyed_at, may(ask, LIFT)
    view = ComplaintsPage(ask.path["id"], found.number, found.law, rows, form, may_file, may_lift, files, may_destroy)
    return page(ask, "complaints.html", view, status)
