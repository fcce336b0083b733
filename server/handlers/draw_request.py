"""The request for a draw as a step bar. Its text travels in the form from step to step: nothing of it is kept before it is asked for, and a page that
is loaded again sends the same again. Files are brought and taken along as TOML (docs/request.md).
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from typing import Annotated, Any

from aiohttp import web as aioweb
from pydantic import AfterValidator, StringConstraints, create_model

from drawing.errors import Refused
from server.auth.model import EVERYWHERE, CentreId, Role
from server.handlers import forms, multipart
from server.handlers.ask import Ask
from server.handlers.draw_views import FailureRow, FeasibleBox, FieldBox, RequestPage, RowsBox
from server.handlers.i18n import N_, china_time
from server.handlers.problems import FieldFault, Stop
from server.handlers.render import page, see_other
from server.handlers.request_steps import AT, STEPS, Rows, StepOf, Wrong, shown, shown_rows, step_of, taken
from server.handlers.views import Step
from server.handlers.words import refusal
from server.library.codes import professions
from server.request import Failure, Request
from server.request_text import request_text
from server.services import draws

MOST_TEXT = 30_000  # bytes: what goes to the keeper in one frame
MOST_BODY = 200_000  # the same in a form, where a character may take nine
Text = Annotated[str, StringConstraints(max_length=MOST_TEXT), AfterValidator(forms.clean_lines)]
START: Mapping[str, Any] = {
    "regime": "ZTB",
    "project": {"section": "1", "procedure": "open", "kind": "works"},
    "evaluation": {"days": 1},
    "replies": {"window_minutes": 15},
    "unsealing": {"minutes_before": 60, "supervisors": 2},
    "lot": {"method": "fair/1"},
    "limits": {"recent_days": 90, "recent_max": 40},
}
_names: dict[str, Any] = {each.name: (forms.Line, "") for step in STEPS for each in step.fields}
_lists: dict[str, Any] = {each.name: (tuple[forms.Line, ...], ()) for step in STEPS for rows in step.rows for each in rows.columns}
_ways: dict[str, Any] = {"text": (Text, ""), "step": (forms.Line, "project"), "go": (forms.Line, "next"), "once": (forms.Line, "")}
Sent: type[forms.Fields] = create_model("Sent", __base__=forms.Fields, **_names, **_lists, **_ways)


async def begin(ask: Ask) -> aioweb.StreamResponse:
    """The first step of an empty request."""
    return begun(ask, {})


def begun(ask: Ask, sections: Mapping[str, Any]) -> aioweb.StreamResponse:
    """The first step of a request of which a project says some sections already."""
    both = {name: {**START[name], **each} if name in START and isinstance(each, dict) else each for name, each in sections.items()}
    return _page(ask, STEPS[0], {**START, **both}, forms.empty())


async def step(ask: Ask) -> aioweb.StreamResponse:
    """What was typed into a step, and on to another one."""
    form = forms.form(ask, Sent)
    if form.value is None:
        raise Stop("unprocessable", faults=form.faults)
    sent = form.value.model_dump()
    here, go = STEPS[AT.get(sent["step"], 0)], sent["go"]
    sections = _sections(sent["text"])
    given = {name: (value,) if isinstance(value, str) else value for name, value in sent.items()}
    sections, wrong = taken(here, sections, given) if here.name != "review" else (sections, ())
    back = go == "back" or go.startswith("to-")
    faults = tuple(_fault(ask, each) for each in wrong) or (() if back or go == "more" else _at_once(ask, here, sections))
    if faults and not back:
        return _page(ask, here, sections, forms.Form({**shown(here, sections), **form.given}, None, faults), 422)
    if here.name == "review" and go in ("feasible", "begin", "dry", "take"):
        return await _review(ask, sections, go, sent["once"])
    at = AT[here.name] + (-1 if go == "back" else 0 if go == "more" else 1)
    at = AT.get(go.removeprefix("to-"), at) if go.startswith("to-") else at
    return await _show(ask, STEPS[min(max(at, 0), len(STEPS) - 1)], sections)


async def bring(ask: Ask) -> aioweb.StreamResponse:
    """A request's file; its review is shown."""
    part = multipart.parts(ask).get("file")
    try:
        if part is None or not part.data or len(part.data) > MOST_TEXT:
            raise Refused("no_request_file", "file", most=MOST_TEXT)
        sections = _sections(part.data.decode("utf-8"))
    except UnicodeDecodeError:
        raise Stop("not_utf8") from None
    except Refused as refused:
        return _page(ask, STEPS[0], dict(START), forms.refused(ask, forms.empty(), refused, file="file", otherwise="file"), 422)
    return await _show(ask, STEPS[-1], sections)


def _sections(text: str) -> dict[str, Any]:
    """Raises Refused("not_toml")."""
    if not text.strip():
        return dict(START)
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as wrong:
        raise Refused("not_toml", "file", why=str(wrong)[:200]) from None


def _fault(ask: Ask, wrong: Wrong) -> FieldFault:
    return FieldFault(wrong.field, wrong.code, ask.language.say(forms.FAULTS[wrong.code]))


def _at_once(ask: Ask, here: StepOf, sections: Mapping[str, Any]) -> tuple[FieldFault, ...]:
    """What cannot be read of this very step; later steps are not there yet."""
    try:
        draws.readable(request_text(sections).encode(), ask.now)
    except Refused as refused:
        if step_of(refused.place) == here.name and refused.place.startswith("request."):
            return (FieldFault(_field_of(here, refused.place), refused.code, _says(ask, refused)),)
    return ()


def _field_of(here: StepOf, place: str) -> str:
    """The field behind a place such as `request.seats[0].count`."""
    head, _, key = place.removeprefix("request.").partition(".")
    name, _, number = head.rstrip("]").partition("[")
    for rows in here.rows:
        if rows.section == name:
            column = next((each.name for each in rows.columns if each.key == key.partition("[")[0]), rows.columns[0].name)
            return f"{column}-{number or 0}"
    return next((each.name for each in here.fields if (each.section, each.key) == (name if key else "", key or name)), "step")


def _says(ask: Ask, refused: Refused) -> str:
    return refusal(ask, refused.code, **{"place": refused.place, **refused.params})


# The review -------------------------------------------------------------------------------------------------------------------------------------


async def _review(ask: Ask, sections: Mapping[str, Any], go: str, once: str) -> aioweb.StreamResponse:
    text = request_text(sections)
    if go == "take":
        headers = {"Content-Type": "application/toml", "Content-Disposition": 'attachment; filename="request.toml"'}
        return aioweb.Response(body=text.encode(), headers=headers)
    centre = centre_of_clerk(ask)
    try:
        if go == "feasible":
            found = await draws.feasible(ask.desk, centre, text.encode(), ask.caller)
            return await _show(ask, STEPS[-1], sections, FeasibleBox(found.enough, found.small_pool, found.eligible, found.seats))
        made = await draws.begin_once(ask.desk, centre, text.encode(), ask.caller, once or "-" * 22, dry_run=go == "dry")
    except Refused as refused:
        form = forms.refused(ask, forms.empty(), refused, otherwise="review")
        return await _show(ask, STEPS[-1], sections, form=form, status=422)
    return see_other(ask, "draw", flash="requested", id=made)


def centre_of_clerk(ask: Ask) -> CentreId:
    """Where the clerk is a clerk."""
    held = sorted(each.centre for each in ask.caller.actor.grants if each.role is Role.DRAW_CLERK and each.holds(ask.now))
    found = next((each for each in held if each != EVERYWHERE), None)
    if found is None:
        raise Refused("not_your_role", "draw.request")
    return found


async def _show(
    ask: Ask,
    target: StepOf,
    sections: Mapping[str, Any],
    feasible: FeasibleBox | None = None,
    form: forms.Form[Any] | None = None,
    status: int = 200,
) -> aioweb.StreamResponse:
    if target.name != "review":
        return _page(ask, target, sections, forms.Form(shown(target, sections)), status)
    text = request_text(sections)
    try:
        found, broken = await draws.check_request(ask.desk, text.encode(), ask.caller)
    except Refused as refused:
        if refused.place and not refused.place.startswith("request"):
            raise
        failures: tuple[FailureRow, ...] = (FailureRow("", _says(ask, refused), "", "", f"to-{step_of(refused.place)}"),)
        return _page(ask, target, sections, form or forms.empty(), status, failures=failures)
    failures = tuple(_failure(ask, each) for each in broken)
    more = {"failures": failures, "readable": not failures, "facts": _facts(ask, found), "feasible": feasible}
    return _page(ask, target, sections, form or forms.empty(), status, **more)


def _failure(ask: Ask, each: Failure) -> FailureRow:
    text = each.rule.zh if ask.language.name == "zh_CN" else each.rule.en
    found = ", ".join(f"{name} {value}" for name, value in each.found.items())
    return FailureRow(each.rule.code, text, each.rule.article, found, f"to-{_STEP_OF_RULE.get(each.rule.code[0], 'seats')}")


_STEP_OF_RULE = {"C": "seats", "D": "time", "H": "time"}


def _facts(ask: Ask, found: Request) -> tuple[tuple[str, str], ...]:
    say, values = ask.language.say, found.values
    people = sum(seat["count"] for seat in values["seats"])
    reserves = sum(seat["reserves"] for seat in values["seats"])
    return (
        (say(N_("Project")), f"{found.number} · {values['project']['name']}"),
        (say(N_("Evaluation")), china_time(found.evaluation_at)),
        (say(N_("Experts")), str(people)),
        (say(N_("Reserves")), str(reserves)),
        (say(N_("Representatives")), str(values["committee"]["representatives"])),
        (say(N_("Parties")), str(len(values["parties"]))),
        (say(N_("Steps of widening")), str(found.ladder_steps)),
    )


def _page(
    ask: Ask, here: StepOf, sections: Mapping[str, Any], form: forms.Form[Any], status: int = 200, **more: Any
) -> aioweb.StreamResponse:
    say, at = ask.language.say, AT[here.name]
    if not form.given:
        form = forms.Form(shown(here, sections), None, form.faults)
    view = RequestPage(
        form=form,
        step=here.name,
        title=say(here.label),
        steps=tuple(Step(say(each.label), "done" if n < at else "now" if n == at else "later") for n, each in enumerate(STEPS)),
        fields=field_boxes(ask, here),
        rows=tuple(rows_box(ask, each, sections) for each in here.rows),
        text=request_text(sections),
        once=ask.site.chance.token(16).hex(),
        codes=_codes() if here.name in ("seats", "widen") else (),
        first=at == 0,
        **more,
    )
    return page(ask, "draw_request.html", view, status)


def field_boxes(ask: Ask, here: StepOf) -> tuple[FieldBox, ...]:
    """The single fields of a step, in the reader's words."""
    say = ask.language.say
    return tuple(
        FieldBox(each.name, say(each.label), say(each.hint) if each.hint else "", each.kind, _choices(ask, each.choices), each.needed)
        for each in here.fields
    )


def rows_box(ask: Ask, rows: Rows, sections: Mapping[str, Any]) -> RowsBox:
    """One of its lists."""
    say = ask.language.say
    columns = tuple(
        (each.name, say(each.label), say(each.hint) if each.hint else "", each.kind, _choices(ask, each.choices)) for each in rows.columns
    )
    return RowsBox(rows.section, say(rows.title), say(rows.hint) if rows.hint else "", columns, shown_rows(rows, sections))


def _choices(ask: Ask, choices: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    return tuple((value, ask.language.say(text)) for value, text in choices)


def _codes() -> tuple[tuple[str, str, int], ...]:
    """The tree of professions, in its order; depth 0 to 3."""
    return tuple((code, name, (len(code) - 1) // 2) for code, name in sorted(professions().items()))
