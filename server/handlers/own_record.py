"""An expert's own page: the record, employers to avoid, leave, the file of everything; and how draws went, once their notices are out."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, Any, Literal

from aiohttp import web as aioweb
from pydantic import Field, StringConstraints

from drawing.errors import Refused
from server.handlers import forms, records
from server.handlers.ask import Ask
from server.handlers.draws import rule_text, share
from server.handlers.i18n import N_
from server.handlers.library import Day
from server.handlers.render import page, see_other
from server.handlers.views import Badge, Tone
from server.library.codes import professions
from server.rules import rules_of
from server.services import own_record
from server.services.own_record import CONNECT, Published

__all__ = ["CONNECT", "avoid", "data", "draw", "leave", "remove", "show"]

Unit = Annotated[forms.Line, StringConstraints(min_length=2, max_length=120, pattern=r"^[^;；|｜]*$")]
Code = Annotated[forms.Line, StringConstraints(pattern=r"^([0-9A-Z]{18})?$")]
FACTS = (
    ("name", N_("Name")), ("id_number", N_("ID number")), ("phone", N_("Mobile phone")), ("email", N_("E-mail")), ("title", N_("Professional title")),
    ("duty", N_("Post")),
)  # fmt: skip
STATES: Mapping[str, tuple[str, Tone]] = {
    "accepted": (N_("You were drawn and took part"), Tone.GOOD),
    "appointed": (N_("You were chosen without a draw"), Tone.GOOD),
    "barred": (N_("A bidder list that came sealed excluded you"), Tone.WARN),
    "left": (N_("You were drawn and did not take part"), Tone.QUIET),
    "pending": (N_("You were drawn and the draw ended before you answered"), Tone.QUIET),
    "used": (N_("You were drawn as a reserve and stepped in elsewhere"), Tone.QUIET),
    "": (N_("You were not drawn"), Tone.QUIET),
}


class Avoided(forms.Fields):
    """An employer to avoid."""

    name: Unit
    code: Code = ""


class Away(forms.Fields):
    """A leave, by days."""

    since: Day
    until: Day | Literal[""] = ""


class Removed(forms.Fields):
    """An entry of a list, and what it said."""

    kind: Literal["avoid", "leave"]
    number: Annotated[int, Field(ge=0, le=1_000)]
    entry: Annotated[forms.Line, StringConstraints(max_length=400)]


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a list of one's own: what it says, and what its form sends back."""

    text: str
    sent: str


@dataclass(frozen=True, slots=True)
class OwnPage:
    """The record; `connected` is False where the account has none."""

    connected: bool
    facts: tuple[tuple[str, str], ...]
    employer: str
    professions: tuple[tuple[str, str], ...]
    state: Badge
    avoid: tuple[Entry, ...]
    leave: tuple[Entry, ...]
    draws: tuple[Published, ...]
    form: forms.Form[Any]


@dataclass(frozen=True, slots=True)
class OwnDrawPage:
    """How one draw went. `reasons` kept one out: (words, article, what was found)."""

    draw: Published
    there: bool
    reasons: tuple[tuple[str, str, str], ...]
    chance: str
    exact: str
    state: Badge


async def show(ask: Ask) -> aioweb.StreamResponse:
    """The page."""
    return await _show(ask, forms.empty())


async def avoid(ask: Ask) -> aioweb.StreamResponse:
    """An employer more to avoid."""
    form = forms.form(ask, Avoided)
    if form.value is None:
        return await _show(ask, form, 422)
    entry = {"name": form.value.name, "code": form.value.code}
    return await _done(ask, form, own_record.add(ask.desk, "avoid", entry, ask.caller), "name")


async def leave(ask: Ask) -> aioweb.StreamResponse:
    """A leave more."""
    form = forms.form(ask, Away)
    if form.value is None:
        return await _show(ask, form, 422)
    entry = {"from": form.value.since, "to": form.value.until}
    return await _done(ask, form, own_record.add(ask.desk, "leave", entry, ask.caller), "since")


async def remove(ask: Ask) -> aioweb.StreamResponse:
    """An entry less."""
    form = forms.form(ask, Removed)
    if form.value is None:
        return await _show(ask, form, 422)
    asked = form.value
    return await _done(ask, form, own_record.remove(ask.desk, asked.kind, asked.number, asked.entry, ask.caller), "name")


async def draw(ask: Ask) -> aioweb.StreamResponse:
    """How one draw went."""
    published, regime, found = await own_record.in_draw(ask.desk, ask.path["id"], ask.caller)
    rules, say = rules_of(regime).conflict, ask.language.say
    reasons = tuple(
        (rule_text(ask, regime, each.code), rules[each.code].article if each.code in rules else "", each.evidence) for each in found.kept
    )
    part, whole = int(found.part), int(found.whole)
    words, tone = STATES[found.state]
    chance = Fraction(part, whole) if whole else Fraction(0)
    view = OwnDrawPage(published, found.there, reasons, share(part, whole), str(chance), Badge(say(words), tone))
    return page(ask, "own_draw.html", view)


async def data(ask: Ask) -> aioweb.StreamResponse:
    """Everything that is kept, as a file."""
    text = json.dumps(await own_record.everything(ask.desk, ask.caller), ensure_ascii=False, indent=2)
    headers = {"Content-Type": "application/json", "Content-Disposition": 'attachment; filename="my-data.json"'}
    return aioweb.Response(body=text.encode(), headers=headers)


async def _done(ask: Ask, form: forms.Form[Any], work: Awaitable[Any], field: str) -> aioweb.StreamResponse:
    try:
        faults = await work
    except Refused as why:
        return await _show(ask, forms.refused(ask, form, why, otherwise=field), 422)
    if faults:
        return await _show(ask, form.with_fault(field, faults[0].code, records.fault_text(ask, faults[0])), 422)
    return see_other(ask, "own", flash="saved")


async def _show(ask: Ask, form: forms.Form[Any], status: int = 200) -> aioweb.StreamResponse:
    found, say, known = await own_record.show(ask.desk, ask.caller), ask.language.say, professions()
    record = found.record if found else {}
    view = OwnPage(
        found is not None,
        tuple((say(label), str(record[name])) for name, label in FACTS if record.get(name)),
        str(record.get("employer", {}).get("name", "")),
        tuple((code, known.get(code, "")) for code in record.get("professions", ())),
        records.state_badge(ask, str(record.get("status", "inactive"))),
        tuple(
            Entry(" · ".join(filter(None, (each["name"], each["code"]))), own_record.shown("avoid", each))
            for each in record.get("avoid", ())
        ),
        tuple(Entry(f"{each['from']} – {each['to'] or '…'}", own_record.shown("leave", each)) for each in record.get("leave", ())),
        found.draws if found else (),
        form,
    )
    return page(ask, "own.html", view, status)
