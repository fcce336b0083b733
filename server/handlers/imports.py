"""Sheets on their way into the library: bring one, see what it would change, mend it cell by cell, have it approved, watch it go in."""

from __future__ import annotations

import csv
import io
from typing import Annotated, Literal

from aiohttp import web as aioweb
from pydantic import Field, StringConstraints

from drawing.errors import Refused
from server.handlers import forms, multipart, records
from server.handlers.ask import Access, Ask
from server.handlers.i18n import N_
from server.handlers.problems import Stop
from server.handlers.render import page, see_other
from server.handlers.sse import Topic
from server.handlers.views import Badge, ImportPage, ImportRow, ImportsPage, Step, Tone, WrongRow, WrongRowsPage
from server.handlers.words import refusal
from server.library import upload
from server.library.columns import COLUMNS, REJECT_COLUMNS
from server.library.write_sheet import TITLES, harmless
from server.services import imports, library
from server.services.imports import Found, Wrong
from server.storage.tx import Row

MOST_BODY = upload.MOST_BYTES + 16_384
WATCH_SECONDS = 0.3
STATES = {
    "staging": (N_("is being checked"), Tone.PART),
    "ready": (N_("waits for you"), Tone.WARN),
    "waiting": (N_("waits for approval"), Tone.WARN),
    "approved": (N_("approved"), Tone.GOOD),
    "applying": (N_("goes into the library"), Tone.PART),
    "done": (N_("in the library"), Tone.GOOD),
    "dropped": (N_("dropped"), Tone.QUIET),
    "failed": (N_("could not be read"), Tone.BAD),
}
STEPS = (N_("File"), N_("Corrections"), N_("Approval"), N_("Library"))
AT = {"staging": 0, "ready": 1, "waiting": 2, "approved": 3, "applying": 3, "done": 4, "dropped": 4, "failed": 0}
MODES = (
    ("part", N_("The file adds people and changes records; nobody leaves")),
    ("whole", N_("The file is the whole library; who is not in it leaves")),
)


class Brought(forms.Fields):
    """What comes with a file."""

    mode: Literal["part", "whole"]


class Which(forms.Fields):
    """A page of wrong rows."""

    page: int = Field(default=1, ge=1, le=1_000)


class LeftOut(forms.Fields):
    """Rows to leave out: one, or all that are open."""

    row: int = Field(default=0, ge=0)
    page: int = Field(default=1, ge=1, le=1_000)


class Finish(forms.Fields):
    """Why, for those who approve."""

    reason: Annotated[forms.Lines, StringConstraints(max_length=500)] = ""


async def recent(ask: Ask) -> aioweb.StreamResponse:
    """The latest imports, and the form for a file."""
    return await _recent(ask, forms.empty(mode="part"))


async def bring(ask: Ask) -> aioweb.StreamResponse:
    """A file."""
    parts = multipart.parts(ask)
    found = forms.checked((("mode", multipart.text_of(parts, "mode")),), Brought, ask.language)
    file = parts.get("file")
    kind = file.file.rpartition(".")[2].lower() if file else ""
    if file is None or not file.data or kind not in upload.KINDS:
        text = refusal(ask, "unknown_file_kind")
        return await _recent(ask, found.with_fault("file", "unknown_file_kind", text), 422)
    if found.value is None:
        return await _recent(ask, found, 422)
    try:
        centre = await library.centre_of(ask.desk, ask.caller, "library.import")
        made = await imports.bring(ask.desk, centre, kind, file.data, found.value.mode, ask.caller)
    except Refused as why:
        return await _recent(ask, forms.refused(ask, found, why, otherwise="file"), 422)
    return see_other(ask, "import", id=made)


async def template(ask: Ask) -> aioweb.StreamResponse:
    """An empty file with one example."""
    return as_csv(ask, "library-template", TITLES, [[each.example for each in COLUMNS]])


async def show(ask: Ask) -> aioweb.StreamResponse:
    """One import."""
    return await _show(ask, forms.empty())


async def updates(ask: Ask) -> aioweb.StreamResponse:
    """How far it is, while somebody watches; any web process may be the one that works on it."""
    last = await imports.progress(ask.desk, ask.path["id"], ask.caller)

    async def look(topic: Topic) -> None:
        nonlocal last
        now = await imports.progress(ask.desk, ask.path["id"], ask.caller)
        if now[0] != last[0]:
            topic.publish("over", {"state": now[0]})
        elif now != last:
            topic.publish("progress", {"done": now[1], "total": now[2]})
        last = now

    return await ask.site.streams.watched(ask, look, WATCH_SECONDS)


async def rows(ask: Ask) -> aioweb.StreamResponse:
    """Rows that are not right."""
    return await _rows(ask, (forms.query(ask, Which).value or Which()).page, None)


async def mend(ask: Ask) -> aioweb.StreamResponse:
    """Other cells for one row."""
    found = forms.form(ask, records.Mended)
    if found.value is None:
        raise Stop("unprocessable", faults=found.faults)
    value = found.value
    wrong = await imports.mend(ask.desk, ask.path["id"], value.row, records.typed_of(value), ask.caller, instead=bool(value.instead))
    if wrong is None:
        return see_other(ask, "import_rows", flash="mended", id=ask.path["id"])
    return await _rows(ask, value.page, wrong, 422)


async def leave_out(ask: Ask) -> aioweb.StreamResponse:
    """One row, or all that are open."""
    found = forms.form(ask, LeftOut)
    if found.value is None:
        raise Stop("unprocessable", faults=found.faults)
    await imports.leave_out(ask.desk, ask.path["id"], [found.value.row] if found.value.row else [], ask.caller)
    return see_other(ask, "import_rows" if found.value.row else "import", flash="left_out", id=ask.path["id"])


async def rejects(ask: Ask) -> aioweb.StreamResponse:
    """The wrong rows as a file of the same form, with what is wrong behind: mended, it can be brought again."""
    found = await imports.wrong_rows(ask.desk, ask.path["id"], 1, ask.caller, upload.MOST_BAD)
    table = [[*(each.cells.get(column.alias, "") for column in COLUMNS), *_reasons(ask, each)] for each in found]
    return as_csv(ask, "rejected-rows", (*TITLES, *REJECT_COLUMNS), table)


async def finish(ask: Ask) -> aioweb.StreamResponse:
    """Into the library, or to those who approve."""
    found = forms.form(ask, Finish)
    if found.value is None:
        return await _show(ask, found, 422)
    try:
        state = await imports.finish(ask.desk, ask.path["id"], found.value.reason, ask.caller)
    except Refused as why:
        return await _show(ask, forms.refused(ask, found, why, otherwise="reason"), 422)
    return see_other(ask, "import", flash="proposed" if state == "waiting" else "put_in", id=ask.path["id"])


async def go_on(ask: Ask) -> aioweb.StreamResponse:
    """Where it stopped."""
    await imports.go_on(ask.desk, ask.path["id"], ask.caller)
    return see_other(ask, "import", flash="put_in", id=ask.path["id"])


async def drop(ask: Ask) -> aioweb.StreamResponse:
    """Not this file."""
    await imports.drop(ask.desk, ask.path["id"], ask.caller)
    return see_other(ask, "imports", flash="dropped")


# Views --------------------------------------------------------------------------------------------------------------------------------------


async def _recent(ask: Ask, form: forms.Form[Brought], status: int = 200) -> aioweb.Response:
    centre = await library.centre_of(ask.desk, ask.caller, "library.read")
    found = await imports.recent(ask.desk, centre, ask.caller)
    modes = tuple((value, ask.language.say(text)) for value, text in MODES)
    view = ImportsPage(form, tuple(_row(ask, each) for each in found), modes, _may(ask), upload.MOST_BYTES >> 20)
    return page(ask, "imports.html", view, status)


def _row(ask: Ask, row: Row) -> ImportRow:
    return ImportRow(row["id"], row["created_at"], row["rows"], row["joins"], row["changes"], row["leaves"], _badge(ask, row["state"]))


def _badge(ask: Ask, state: str) -> Badge:
    text, tone = STATES[state]
    return Badge(ask.language.say(text), tone)


async def _show(ask: Ask, form: forms.Form[Finish], status: int = 200) -> aioweb.Response:
    found = await imports.one(ask.desk, ask.path["id"], ask.caller)
    return page(ask, "import.html", _import(ask, found, form), status)


def _import(ask: Ask, found: Found, form: forms.Form[Finish]) -> ImportPage:
    row, at = found.row, AT[found.state]
    steps = tuple(Step(ask.language.say(label), "done" if n < at else "now" if n == at else "later") for n, label in enumerate(STEPS))
    failed = ""
    if found.failed:
        failed = refusal(ask, found.failed, **found.params)
    return ImportPage(
        row["id"],
        found.state,
        _badge(ask, found.state),
        steps,
        ask.language.say(dict(MODES)[row["mode"]]),
        row["rows"],
        found.open_rows,
        row["joins"],
        row["changes"],
        row["moves"],
        row["leaves"],
        found.done,
        found.total,
        found.state in ("staging", "applying"),
        found.stalled,
        failed,
        found.needs_approval,
        _may(ask),
        form,
        bytes(row["digest"]).hex() if row["digest"] else "",
    )


async def _rows(ask: Ask, number: int, again: Wrong | None, status: int = 200) -> aioweb.Response:
    found = await imports.wrong_rows(ask.desk, ask.path["id"], number, ask.caller)
    left = (await imports.one(ask.desk, ask.path["id"], ask.caller)).open_rows
    if left and not found and number > 1:
        found = await imports.wrong_rows(ask.desk, ask.path["id"], 1, ask.caller)
        number = 1
    shown = [again if again is not None and each.row == again.row else each for each in found]
    form: forms.Form[Which] = forms.empty()
    if again is not None:
        form = forms.Form({}, None, records.as_faults(ask, again.faults, f"r{again.row}-"))
    view = WrongRowsPage(
        ask.path["id"],
        left,
        tuple(_wrong(ask, each) for each in shown),
        form,
        number,
        left > number * imports.PAGE,
        records.profession_list(),
        records.area_list(),
    )
    return page(ask, "import_rows.html", view, status)


def _wrong(ask: Ask, each: Wrong) -> WrongRow:
    wrong = [records.BY_TITLE.get(fault.column, fault.column) for fault in each.faults]
    known = [alias for alias in ("name", "employer_name", "title", "phone") if alias not in wrong and each.cells.get(alias)]
    twice = next((int(fault.params.get("first", 0)) for fault in each.faults if fault.code == "person_twice"), 0)
    return WrongRow(
        each.row,
        ask.language.say(N_("Row %(row)s")) % {"row": each.row},
        records.fields_of(ask, each.cells, each.faults, wrong),
        tuple((records.label(ask, alias), each.cells[alias]) for alias in known[:3]),
        twice,
    )


def _reasons(ask: Ask, each: Wrong) -> tuple[str, str]:
    codes = " ".join(f"{fault.column} [{fault.code}]" for fault in each.faults)
    return codes, " ".join(records.fault_text(ask, fault) for fault in each.faults)


def as_csv(ask: Ask, name: str, titles: tuple[str, ...], table: list[list[str]]) -> aioweb.Response:
    """A table as a file; no cell of it is a formula to a spreadsheet program."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(titles)
    writer.writerows([harmless(cell) for cell in row] for row in table)
    headers = {"Content-Type": "text/csv; charset=utf-8", "Content-Disposition": f'attachment; filename="{name}.csv"'}
    return aioweb.Response(body=b"\xef\xbb\xbf" + text.getvalue().encode(), headers=headers)


def _may(ask: Ask) -> bool:
    return ask.site.permissions.access(ask.viewer, "library.import", ask.now) in (Access.YES, Access.STEP_UP)
