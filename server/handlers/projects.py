"""Projects of the centre: the list, one with its sections and their draws, the form by which a clerk registers one, and the request that begins with it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from aiohttp import web as aioweb
from pydantic import Field as Limits
from pydantic import StringConstraints, create_model

from drawing.errors import Refused
from server import exchange
from server.handlers import draw_request, forms
from server.handlers.ask import Ask
from server.handlers.draw_request import centre_of_clerk, field_boxes, rows_box
from server.handlers.draw_views import FieldBox, RowsBox
from server.handlers.draw_words import PHASES
from server.handlers.draws import may
from server.handlers.i18n import N_
from server.handlers.problems import FieldFault, Stop
from server.handlers.render import page, see_other
from server.handlers.request_steps import PARTIES, Field, Rows, StepOf, shown, taken
from server.handlers.views import Badge, Tone
from server.services import projects
from server.services.projects import Kept, Project, Section, Sets, State

STATES: Mapping[State, tuple[str, Tone]] = {
    State.RECEIVED: (N_("received"), Tone.WARN),
    State.BEGUN: (N_("request begun"), Tone.PART),
    State.DRAWN: (N_("drawn"), Tone.GOOD),
    State.CLOSED: (N_("closed"), Tone.GOOD),
}
SOURCES: Mapping[str, str] = {"api": N_("received"), "form": N_("typed in")}
LAWS = (("", N_("not said")), ("ZTB", N_("Tendering and bidding")), ("ZFCG", N_("Government procurement")))
KINDS = (("", N_("not said")), ("A", N_("Works")), ("B", N_("Goods")), ("C", N_("Services")))
ROLES = tuple((code, PARTIES[role]) for code, role in exchange.PARTIES.items())
STEP = StepOf(
    "project",
    N_("Project"),
    (
        Field("number", "TENDER_PROJECT", "TENDER_PROJECT_CODE", "text", N_("Project number")),
        Field("name", "TENDER_PROJECT", "TENDER_PROJECT_NAME", "text", N_("Project name")),
        Field("regime", "TENDER_PROJECT", "REGIME", "choice", N_("Law"), choices=LAWS),
        Field("kind", "TENDER_PROJECT", "TENDER_PROJECT_TYPE", "choice", N_("What is procured"), choices=KINDS),
        Field("budget", "TENDER_PROJECT", "BUDGET", "text", N_("Budget in yuan"), needed=False),
        Field("deal", "TENDER_PROJECT", "UNIFIED_DEAL_CODE", "text", N_("Unified deal code"), needed=False),
        Field("region", "TENDER_PROJECT", "REGION_CODE", "text", N_("Region"), N_("Six digits, such as 110105."), needed=False),
        Field("responsible", "TENDER_PROJECT", "RESPONSIBLE_PERSON", "text", N_("Responsible person"), needed=False),
        Field("address", "TENDER_PROJECT", "ADDRESS", "text", N_("Address"), needed=False),
    ),
    rows=(
        Rows(
            "BID_SECTION",
            N_("Sections"),
            (
                Field("section_code", "", "BID_SECTION_CODE", "text", N_("Section")),
                Field("section_name", "", "BID_SECTION_NAME", "text", N_("Section name")),
            ),
            N_("None: the project has one section, 1."),
        ),
        Rows(
            "AVOID_ENTERPRISE_LIST",
            N_("Parties"),
            (
                Field("party_role", "", "ENTERPRISE_ROLE", "choice", N_("Part"), choices=ROLES),
                Field("party_name", "", "ENTERPRISE_NAME", "text", N_("Name")),
                Field("party_code", "", "ENTERPRISE_CODE", "text", N_("Credit code")),
            ),
            N_("Never bidders: they come sealed, by the bidder box of a draw."),
        ),
    ),
)
_names: dict[str, Any] = {each.name: (forms.Line, "") for each in STEP.fields}
_lists: dict[str, Any] = {each.name: (tuple[forms.Line, ...], ()) for rows in STEP.rows for each in rows.columns}
_ways: dict[str, Any] = {"go": (Literal["save", "more"], "save"), "version": (Annotated[int, Limits(ge=1, le=exchange.MOST_VERSION)], 1)}
Sent: type[forms.Fields] = create_model("Sent", __base__=forms.Fields, **_names, **_lists, **_ways)


class Filter(forms.Fields):
    """Which projects."""

    search: Annotated[forms.Line, Limits(max_length=100)] = ""
    state: Literal["", "received", "begun", "drawn", "closed"] = ""


class Chosen(forms.Fields):
    """The section that a request begins for."""

    section: Annotated[forms.Line, StringConstraints(min_length=1, max_length=64)]


class Reason(forms.Fields):
    """Why a sealed field is looked at."""

    reason: Annotated[forms.Line, StringConstraints(min_length=2, max_length=200)]


@dataclass(frozen=True, slots=True)
class ProjectRow:
    """A project in the list."""

    id: str
    number: str
    name: str
    version: int
    received_at: int
    state: Badge
    sections: int


@dataclass(frozen=True, slots=True)
class ProjectsPage:
    """The list, with its filter. `most`: how many it shows at most."""

    rows: tuple[ProjectRow, ...]
    total: int
    most: int
    search: str
    state: str
    states: tuple[tuple[str, str], ...]
    may_register: bool


@dataclass(frozen=True, slots=True)
class DrawLine:
    """A draw of a section."""

    id: str
    phase: Badge
    asked_at: int
    dry_run: bool
    older: bool


@dataclass(frozen=True, slots=True)
class SectionRow:
    """A section; `may_begin`: a request may be begun for it now."""

    code: str
    name: str
    state: Badge
    draws: tuple[DrawLine, ...]
    there: bool
    may_begin: bool


@dataclass(frozen=True, slots=True)
class VersionRow:
    """A version of what the project says."""

    number: int
    source: str
    by: str
    received_at: int


@dataclass(frozen=True, slots=True)
class ProjectPage:
    """One project. `sealed`: the responsible person is kept sealed; `opened`: as the keeper gave it, to be shown once."""

    id: str
    number: str
    name: str
    state: Badge
    facts: tuple[tuple[str, str], ...]
    sections: tuple[SectionRow, ...]
    parties: tuple[tuple[str, str, str], ...]
    versions: tuple[VersionRow, ...]
    sealed: bool
    opened: tuple[tuple[str, str], ...]
    running: bool
    form: forms.Form[Any]
    may_change: bool
    may_open: bool


@dataclass(frozen=True, slots=True)
class ProjectForm:
    """A project being registered, or another version of the one with this id. `sealed`: what is left out of the person and address is as before."""

    id: str
    version: int
    sealed: bool
    form: forms.Form[Any]
    fields: tuple[FieldBox, ...]
    rows: tuple[RowsBox, ...]


async def listed(ask: Ask) -> aioweb.StreamResponse:
    """The list."""
    wanted, say = forms.query(ask, Filter).value or Filter(), ask.language.say
    found, total = await projects.listed(ask.desk, ask.caller, wanted.search, wanted.state)
    rows = tuple(
        ProjectRow(each.id, each.number, each.name, each.version, each.received_at, _badge(ask, each.state), len(each.sections))
        for each in found
    )
    states = (("", say(N_("All"))), *((code.value, say(text)) for code, (text, _) in STATES.items()))
    most, register = projects.MOST_LISTED, may(ask, "projects.register")
    return page(ask, "projects.html", ProjectsPage(rows, total, most, wanted.search, wanted.state, states, register))


async def show(ask: Ask) -> aioweb.StreamResponse:
    """One project."""
    return await _show(ask, forms.empty())


async def contact(ask: Ask) -> aioweb.StreamResponse:
    """The same with its responsible person, for a reason that is written down."""
    found = forms.form(ask, Reason)
    if found.value is None:
        return await _show(ask, found, 422)
    given = await projects.contact(ask.desk, ask.path["id"], found.value.reason, ask.caller)
    return await _show(ask, forms.empty(), opened=given)


async def begin(ask: Ask) -> aioweb.StreamResponse:
    """A request begun for one of its sections, in the step bar."""
    found = forms.form(ask, Chosen)
    if found.value is None:
        raise Stop("unprocessable", faults=found.faults)
    return draw_request.begun(ask, await projects.begun(ask.desk, ask.path["id"], found.value.section, ask.caller))


async def new(ask: Ask) -> aioweb.StreamResponse:
    """The form, empty."""
    return _form(ask, "", 1, {}, forms.empty())


async def changing(ask: Ask) -> aioweb.StreamResponse:
    """The form with what the newest version says."""
    found = await projects.show(ask.desk, ask.path["id"], ask.caller)
    return _form(ask, found.id, found.version + 1, _sections_of(found.sets), forms.empty(), sealed=found.contact)


async def register(ask: Ask) -> aioweb.StreamResponse:
    """A project that was typed in."""

    async def keep(sets: Sets) -> Kept:
        return await projects.receive(ask.desk, centre_of_clerk(ask), sets, "form", ask.caller)

    return await _save(ask, "", keep)


async def change(ask: Ask) -> aioweb.StreamResponse:
    """Another version of one."""
    found = await projects.show(ask.desk, ask.path["id"], ask.caller)

    async def keep(sets: Sets) -> Kept:
        return await projects.change(ask.desk, found.id, sets, ask.caller)

    return await _save(ask, found.number, keep, found)


# The form ---------------------------------------------------------------------------------------------------------------------------------------


async def _save(ask: Ask, number: str, keep: Callable[[Sets], Awaitable[Kept]], before: Project | None = None) -> aioweb.StreamResponse:
    """What was typed, kept; or the form again. `number`: the project's, where it has one."""
    form = forms.form(ask, Sent)
    project, sealed = (before.id, before.contact) if before else ("", False)
    if form.value is None:
        raise Stop("unprocessable", faults=form.faults)
    sent = {**form.value.model_dump(), **({"number": number} if number else {})}
    given = {name: (value,) if isinstance(value, str) else value for name, value in sent.items() if name not in _ways}
    sections, wrong = taken(STEP, {}, given)
    if sent["go"] == "more":
        return _form(ask, project, sent["version"], sections, forms.empty(), sealed=sealed)
    sets = _sets_of(sections, sent["version"])
    faults = [FieldFault(each.field, each.code, ask.language.say(forms.FAULTS[each.code])) for each in wrong]
    faults += [_fault(ask, each) for each in exchange.faults(sets) if _field_of(each.place) not in [one.field for one in wrong]]
    try:
        kept = None if faults else await keep(exchange.plain(sets))
    except Refused as refused:
        kept, faults = None, [_refused(ask, refused)]
    if kept is None:
        return _form(ask, project, sent["version"], sections, forms.Form({}, None, tuple(faults)), 422, sealed=sealed)
    return see_other(ask, "project", flash="saved", id=kept.id)


def _sets_of(sections: Mapping[str, Any], version: int) -> dict[str, list[dict[str, Any]]]:
    """What was typed, as data sets."""
    project = sections.get("TENDER_PROJECT", {})
    number = project.get("TENDER_PROJECT_CODE", "")
    return {
        "TENDER_PROJECT": [{**project, "VERSION": str(version)}],
        "BID_SECTION": [{"TENDER_PROJECT_CODE": number, **each} for each in sections.get("BID_SECTION", [])],
        "AVOID_ENTERPRISE_LIST": list(sections.get("AVOID_ENTERPRISE_LIST", [])),
    }


def _sections_of(sets: Sets) -> dict[str, Any]:
    """The inverse."""
    return {**{name: [dict(each) for each in rows] for name, rows in sets.items()}, "TENDER_PROJECT": dict(sets["TENDER_PROJECT"][0])}


def _refused(ask: Ask, refused: Refused) -> FieldFault:
    """What the service refused, at its field. Raises it again where it is no matter of a form."""
    if refused.code == "exchange_value":
        return _fault(ask, refused)
    field = _field_of(refused.place)
    empty: forms.Form[Any] = forms.empty()
    return forms.refused(ask, empty, refused, otherwise=field, **{refused.place.replace(".", "_"): field}).faults[0]


def _fault(ask: Ask, refused: Refused) -> FieldFault:
    """What is wrong with what was typed, at its field."""
    if refused.code == "exchange_missing":
        return FieldFault(_field_of(refused.place), "missing", ask.language.say(forms.FAULTS["missing"]))
    return FieldFault(
        _field_of(refused.place), refused.code, ask.language.say(WRONG.get(refused.place.rpartition(".")[2], forms.FAULTS["wrong"]))
    )


WRONG: Mapping[str, str] = {
    "BUDGET": N_("Please give a whole number in digits."),
    "REGION_CODE": N_("This is no region code; six digits of GB/T 2260, such as 110105."),
    "ENTERPRISE_CODE": N_("This is no credit code; 18 characters of GB 32100, the last one checks the others."),
    "BID_SECTION_CODE": N_("Letters, digits and . _ : / - only, at most 64, each section once."),
}


def _field_of(place: str) -> str:
    """The field of the form behind a place such as `BID_SECTION[2].BID_SECTION_NAME`."""
    head, _, key = place.partition(".")
    name, _, number = head.rstrip("]").partition("[")
    for rows in STEP.rows:
        if rows.section == name:
            return f"{next((each.name for each in rows.columns if each.key == key), rows.columns[0].name)}-{number or 0}"
    return next((each.name for each in STEP.fields if each.key == key), "number")


def _form(
    ask: Ask, project: str, version: int, sections: Mapping[str, Any], form: forms.Form[Any], status: int = 200, *, sealed: bool = False
) -> aioweb.StreamResponse:
    given: forms.Form[Any] = forms.Form(shown(STEP, sections), None, form.faults)
    fields = tuple(each for each in field_boxes(ask, STEP) if not (project and each.name == "number"))
    rows = tuple(rows_box(ask, each, sections) for each in STEP.rows)
    return page(ask, "project_form.html", ProjectForm(project, version, sealed, given, fields, rows), status)


# The page ---------------------------------------------------------------------------------------------------------------------------------------


async def _show(ask: Ask, form: forms.Form[Any], status: int = 200, opened: Mapping[str, str] | None = None) -> aioweb.StreamResponse:
    found, say = await projects.show(ask.desk, ask.path["id"], ask.caller), ask.language.say
    view = ProjectPage(
        id=found.id,
        number=found.number,
        name=found.sets["TENDER_PROJECT"][0]["TENDER_PROJECT_NAME"],
        state=_badge(ask, found.state),
        facts=_facts(ask, found),
        sections=tuple(_section(ask, found, each) for each in found.sections),
        parties=_parties(ask, found.sets.get("AVOID_ENTERPRISE_LIST", ())),
        versions=tuple(VersionRow(each.number, say(SOURCES[each.source]), each.by, each.received_at) for each in found.versions),
        sealed=found.contact,
        opened=tuple((say(each.label), opened[each.key]) for each in STEP.fields if each.key in opened) if opened else (),
        running=found.running,
        form=form,
        may_change=may(ask, "projects.register"),
        may_open=may(ask, "projects.contact"),
    )
    return page(ask, "project.html", view, status)


def _facts(ask: Ask, found: Project) -> tuple[tuple[str, str], ...]:
    """The single fields that are said and shown to everybody here, choices in words."""
    project, say = found.sets["TENDER_PROJECT"][0], ask.language.say
    words = {each.key: dict(each.choices) for each in STEP.fields}
    said = [each for each in STEP.fields[2:] if each.key in project]
    return tuple(
        (say(each.label), say(words[each.key][project[each.key]]) if each.choices else _plain(each, project[each.key])) for each in said
    )


def _plain(field: Field, text: str) -> str:
    return f"{int(text):,}" if field.key == "BUDGET" else text


def _section(ask: Ask, found: Project, each: Section) -> SectionRow:
    say = ask.language.say
    lines = tuple(
        DrawLine(one.id, Badge(say(PHASES[one.phase][0]), PHASES[one.phase][1]), one.asked_at, one.dry_run, one.older) for one in each.draws
    )
    due = each.there and not found.running and each.state is State.RECEIVED and may(ask, "draw.request")
    return SectionRow(each.code, each.name, _badge(ask, each.state), lines, each.there, due)


def _parties(ask: Ask, rows: Sequence[Mapping[str, str]]) -> tuple[tuple[str, str, str], ...]:
    words = dict(ROLES)
    return tuple(
        (ask.language.say(words[each["ENTERPRISE_ROLE"]]), each["ENTERPRISE_NAME"], each.get("ENTERPRISE_CODE", "")) for each in rows
    )


def _badge(ask: Ask, state: State) -> Badge:
    text, tone = STATES[state]
    return Badge(ask.language.say(text), tone)
