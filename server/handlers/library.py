"""The expert library: the list, one expert, a record opened with a reason, changes one at a time."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from aiohttp import web as aioweb
from pydantic import Field, StringConstraints

from drawing.errors import Refused
from server.handlers import forms, records
from server.handlers.ask import Access, Ask
from server.handlers.draws import may
from server.handlers.i18n import N_
from server.handlers.render import page, see_other
from server.handlers.views import CellField, ExpertPage, ExpertRow, HistoryRow, LibraryPage, RecordPage
from server.services import library, own_record
from server.services.library import Listed, Wanted

Code = Annotated[str, StringConstraints(pattern=r"^([A-C]([0-9]{2}){0,3})?$")]
Area = Annotated[str, StringConstraints(pattern=r"^([0-9]{6})?$")]
Day = Annotated[str, StringConstraints(pattern=r"^20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$")]
DoneWhat = {
    "import": N_("by an import"),
    "add": N_("added by hand"),
    "change": N_("changed by hand"),
    "leave": N_("leave entered"),
    "suspend": N_("suspended"),
    "own": N_("changed by the expert"),
    "connect": N_("connected with an account"),
}
SHUT = (("leave", N_("Leave")), ("suspensions", N_("Suspension")))


class Filter(forms.Fields):
    """Of the list."""

    q: Annotated[forms.Line, StringConstraints(max_length=64)] = ""
    profession: Code = ""
    area: Area = ""
    state: Literal["", "active", "inactive", "leave", "suspended", "left"] = ""
    page: int = Field(default=1, ge=1, le=100_000)


class Reason(forms.Fields):
    """Why somebody reads a record."""

    reason: Annotated[forms.Line, StringConstraints(min_length=2, max_length=200)]


class Connected(forms.Fields):
    """Whose own record it is, by the account's name."""

    account: Annotated[forms.Line, StringConstraints(min_length=1, max_length=100)]


class Shut(forms.Fields):
    """A time in which somebody is not drawn."""

    kind: Literal["leave", "suspensions"]
    since: Day
    until: Day | Literal[""] = ""
    why: Annotated[forms.Line, StringConstraints(min_length=2, max_length=100)]


async def show(ask: Ask) -> aioweb.StreamResponse:
    """The list, masked."""
    form = forms.query(ask, Filter)
    wanted = form.value or Filter()
    centre = await library.centre_of(ask.desk, ask.caller, "library.read")
    asked = Wanted(wanted.q, wanted.profession, wanted.area, wanted.state, wanted.page)
    confirm = False
    found: tuple[Listed, ...] = ()
    total = 0
    try:
        if form.value:
            found, total = await library.browse(ask.desk, centre, asked, ask.caller)
    except Refused as why:
        if why.code not in ("step_up", "pass_refused"):
            raise
        confirm = True  # the keeper shows nobody anything without a pass, and the browser has none any more
    kept = {name: value for name in ("q", "profession", "area", "state") if (value := getattr(wanted, name))}
    last = min(total, library.MOST_FOUND) if asked.searches else total
    say = ask.language.say
    view = LibraryPage(
        form,
        tuple(_row(ask, each) for each in found),
        total,
        bool(kept),
        records.profession_list(),
        records.area_list(),
        (("", say(N_("all"))), *((name, say(text)) for name, (text, _) in records.STATES.items())),
        _may(ask, "library.import"),
        _may(ask, "library.edit"),
        "?" + urlencode({**kept, "page": wanted.page + 1}) if last > wanted.page * library.PAGE else "",
        "?" + urlencode({**kept, "page": wanted.page - 1}) if wanted.page > 1 else "",
        confirm,
    )
    return page(ask, "library.html", view, 200 if form.value else 422)


async def one(ask: Ask) -> aioweb.StreamResponse:
    """One expert, masked."""
    return await _one(ask, forms.empty())


async def open_record(ask: Ask) -> aioweb.StreamResponse:
    """The whole record, once a reason is given."""
    form = forms.form(ask, Reason)
    if form.value is None:
        return await _one(ask, form, 422)
    found = await library.unmask(ask.desk, ask.path["id"], form.value.reason, ask.caller)
    return _record(ask, found.id, found.version, records.fields_of(ask, found.cells), forms.empty())


async def change(ask: Ask) -> aioweb.StreamResponse:
    """Another record for somebody."""
    form = forms.form(ask, records.Record)
    if form.value is None:
        return _record(ask, ask.path["id"], 0, records.fields_of(ask, form.given), form, 422)
    cells = records.typed_of(form.value)
    try:
        faults = await library.change(ask.desk, ask.path["id"], form.value.version, cells, ask.caller)
    except Refused as why:
        told = forms.refused(ask, form, why, otherwise="id_number")
        return _record(ask, ask.path["id"], form.value.version, records.fields_of(ask, cells), told, 422)
    if faults:
        again: forms.Form[Any] = forms.Form(form.given, None, records.as_faults(ask, faults))
        return _record(ask, ask.path["id"], form.value.version, records.fields_of(ask, cells, faults), again, 422)
    return see_other(ask, "expert", flash="saved", id=ask.path["id"])


async def shut(ask: Ask) -> aioweb.StreamResponse:
    """A leave or a suspension."""
    form = forms.form(ask, Shut)
    if form.value is None:
        return await _one(ask, form, 422)
    value = form.value
    try:
        faults = await library.shut(ask.desk, ask.path["id"], value.kind, value.since, value.until, value.why, ask.caller)
    except Refused as why:
        return await _one(ask, forms.refused(ask, form, why, otherwise="since"), 422)
    if faults:
        return await _one(ask, form.with_fault("since", faults[0].code, records.fault_text(ask, faults[0])), 422)
    return see_other(ask, "expert", flash="saved", id=ask.path["id"])


async def connect(ask: Ask) -> aioweb.StreamResponse:
    """Ask that the record be an account's own."""
    form = forms.form(ask, Connected)
    if form.value is None:
        return await _one(ask, form, 422)
    try:
        await own_record.ask_to_connect(ask.desk, ask.path["id"], form.value.account, ask.caller)
    except Refused as why:
        return await _one(ask, forms.refused(ask, form, why, otherwise="account"), 422)
    return see_other(ask, "expert", flash="proposed", id=ask.path["id"])


async def add_page(ask: Ask) -> aioweb.StreamResponse:
    """An empty record."""
    return _record(ask, "", 0, records.fields_of(ask, {"status": "active", "on_work": "是", "id_type": "1"}), forms.empty())


async def add(ask: Ask) -> aioweb.StreamResponse:
    """Somebody new."""
    form = forms.form(ask, records.Record)
    if form.value is None:
        return _record(ask, "", 0, records.fields_of(ask, form.given), form, 422)
    cells = records.typed_of(form.value)
    try:
        centre = await library.centre_of(ask.desk, ask.caller, "library.edit")
        made, faults = await library.add(ask.desk, centre, cells, ask.caller)
    except Refused as why:
        return _record(ask, "", 0, records.fields_of(ask, cells), forms.refused(ask, form, why, otherwise="id_number"), 422)
    if faults:
        again: forms.Form[Any] = forms.Form(form.given, None, records.as_faults(ask, faults))
        return _record(ask, "", 0, records.fields_of(ask, cells, faults), again, 422)
    return see_other(ask, "expert", flash="saved", id=made)


# Views --------------------------------------------------------------------------------------------------------------------------------------


def _row(ask: Ask, each: Listed) -> ExpertRow:
    card = each.card
    state = records.state_badge(ask, "left" if each.left else card.state)
    return ExpertRow(card.row, card.name, card.number, card.phone, card.title, card.professions, card.area, state)


async def _one(ask: Ask, form: forms.Form[Any], status: int = 200) -> aioweb.Response:
    row, card, history, names = await library.one(ask.desk, ask.path["id"], ask.caller)
    say = ask.language.say
    view = ExpertPage(
        _row(ask, Listed(card, row["status"] == "left")),
        row["added_at"],
        row["removed_at"],
        tuple(
            HistoryRow(
                each.at, say(DoneWhat[each.what]) if each.what in DoneWhat else each.what, names.get(each.by, each.by[:12]), each.digest
            )
            for each in history
        ),
        form,
        tuple((value, say(text)) for value, text in SHUT),
        _may(ask, "library.unmask"),
        _may(ask, "library.edit") and row["status"] != "left",
        may(ask, own_record.CONNECT) and row["status"] != "left",
        row["person"] is not None,
    )
    return page(ask, "expert.html", view, status)


def _record(ask: Ask, expert: str, version: int, cells: tuple[CellField, ...], form: forms.Form[Any], status: int = 200) -> aioweb.Response:
    may = _may(ask, "library.edit")
    return page(ask, "record.html", RecordPage(expert, version, cells, form, may, records.profession_list(), records.area_list()), status)


def _may(ask: Ask, permission: str) -> bool:
    return ask.site.permissions.access(ask.viewer, permission, ask.now) in (Access.YES, Access.STEP_UP)
