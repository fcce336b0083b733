"""The steps of a request's form as a table: which fields a page has, where each stands in the request's file, and how it is read and written back.

The request's own text is what travels from step to step; a step changes its sections and leaves all others as they are, so that a file that was
brought keeps what no field shows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from drawing.conflict import DECLARED_KINDS, PARTY_ROLES
from server.handlers.i18n import N_

MOST_ROWS = 40
_SPLIT = re.compile(r"[\s,，;；、]+")
YES_NO = (("no", N_("does not apply")), ("yes", N_("applies")))


@dataclass(frozen=True, slots=True)
class Field:
    """One field. `kind`: text, whole, flag, texts, time, choice, codes."""

    name: str
    section: str
    key: str
    kind: str
    label: str
    hint: str = ""
    choices: tuple[tuple[str, str], ...] = ()
    needed: bool = True


@dataclass(frozen=True, slots=True)
class Rows:
    """A list of sections; a row whose typed cells are all empty is none."""

    section: str
    title: str
    columns: tuple[Field, ...]
    hint: str = ""


@dataclass(frozen=True, slots=True)
class StepOf:
    """One page of the form."""

    name: str
    label: str
    fields: tuple[Field, ...] = ()
    rows: tuple[Rows, ...] = ()
    sections: frozenset[str] = frozenset()


_PARTIES: Mapping[str, str] = {
    "tenderer": N_("Tenderer"),
    "purchaser": N_("Purchaser"),
    "agency": N_("Agency"),
    "designer": N_("Designer"),
    "supervisor_of_works": N_("Supervisor of works"),
    "other": N_("Other helper"),
    "competent_department": N_("Competent department"),
    "supervision": N_("Supervising authority"),
}
_DECLARED: Mapping[str, str] = {
    "other_relation": N_("Other relation that may bias"),
    "supplier_application": N_("Named by a supplier with grounds"),
    "void_committee": N_("Sat in the committee whose result is void"),
    "chat_group": N_("In a chat group with a bidder"),
}
assert set(_PARTIES) == set(PARTY_ROLES)
assert set(_DECLARED) == set(DECLARED_KINDS)

STEPS: tuple[StepOf, ...] = (
    StepOf(
        "project",
        N_("Project"),
        (
            Field("regime", "", "regime", "choice", N_("Law"), choices=(("ZTB", N_("Tendering and bidding")), ("ZFCG", N_("Government procurement")))),
            Field("number", "project", "number", "text", N_("Project number")),
            Field("name", "project", "name", "text", N_("Project name")),
            Field("section", "project", "section", "text", N_("Section"), needed=False),
            Field(
                "procedure", "project", "procedure", "choice", N_("Procedure"),
                choices=(
                    ("open", N_("Open tendering")), ("invited", N_("By invitation")), ("prequalification", N_("Prequalification")),
                    ("negotiation", N_("Competitive negotiation")), ("inquiry", N_("Inquiry of prices")), ("consultation", N_("Competitive consultation")),
                ),
            ),
            Field(
                "kind", "project", "kind", "choice", N_("What is procured"),
                choices=(("works", N_("Works")), ("goods", N_("Goods")), ("services", N_("Services"))),
            ),
            Field("sector", "project", "sector", "choice", N_("Special rules"), choices=(("", N_("none")), ("water", N_("Water works")))),
            Field("budget_yuan", "project", "budget_yuan", "whole", N_("Budget in yuan")),
            Field("complex", "project", "complex", "flag", N_("Technically complex"), choices=YES_NO),
            Field("social_impact", "project", "social_impact", "flag", N_("Large social impact"), choices=YES_NO),
            Field("responsible", "project", "responsible", "text", N_("Responsible person")),
            Field("source", "pool", "source", "text", N_("Library")),
            Field("legal_ground", "pool", "legal_ground", "text", N_("Legal ground of the library")),
        ),
        sections=frozenset({"", "regime", "project", "pool", "state_secret"}),
    ),
    StepOf(
        "time",
        N_("Time and sites"),
        (
            Field("starts", "evaluation", "starts", "time", N_("Evaluation begins"), N_("Such as 2026-12-01 09:00, or +2 workdays 09:00.")),
            Field("days", "evaluation", "days", "whole", N_("Days"), needed=False),
            Field("remote", "evaluation", "remote", "flag", N_("Remote evaluation"), choices=YES_NO),
            Field("window_minutes", "replies", "window_minutes", "whole", N_("Minutes to answer"), needed=False),
            Field("minutes_before", "unsealing", "minutes_before", "whole", N_("Names may be opened so many minutes before"), needed=False),
            Field("supervisors", "unsealing", "supervisors", "whole", N_("Supervisors who open them together"), needed=False),
        ),
        (
            Rows(
                "sites",
                N_("Sites"),
                (
                    Field("site_id", "", "id", "text", N_("Short name"), N_("Latin letters and digits.")),
                    Field("site_areas", "", "areas", "texts", N_("Area codes"), N_("Two, four or six digits; several with spaces.")),
                    Field("site_required", "", "required", "flag", N_("Must have a member"), choices=YES_NO[::-1]),
                ),
                N_("Without sites everybody comes to one place."),
            ),
        ),
        frozenset({"evaluation", "replies", "unsealing", "sites"}),
    ),
    StepOf(
        "seats",
        N_("Seats"),
        (Field("representatives", "committee", "representatives", "whole", N_("Representatives of the tenderer or purchaser"), needed=False),),
        (
            Rows(
                "seats",
                N_("Seats by profession"),
                (
                    Field("seat_professions", "", "professions", "codes", N_("Profession codes"), N_("Any of these; several with spaces.")),
                    Field("seat_count", "", "count", "whole", N_("Number of people")),
                    Field("seat_reserves", "", "reserves", "whole", N_("Reserves")),
                    Field("seat_site", "", "site", "text", N_("Site"), N_("Empty: any.")),
                    Field("seat_main_only", "", "main_only", "flag", N_("Main profession only"), choices=YES_NO),
                ),
            ),
        ),
        frozenset({"committee", "seats"}),
    ),
    StepOf(
        "limits",
        N_("Limits and avoidance"),
        (
            Field(
                "method", "lot", "method", "choice", N_("Method"),
                choices=(("fair/1", N_("Chances of single people as even as the rules allow")), ("uniform/1", N_("Every lawful panel has the same chance"))),
            ),
            Field("recent_days", "limits", "recent_days", "whole", N_("Recently drawn: within days"), needed=False),
            Field("recent_max", "limits", "recent_max", "whole", N_("At most so many of them"), needed=False),
            Field("regions", "limits", "regions", "texts", N_("Only from these regions"), N_("Codes of six digits; empty: everywhere."), needed=False),
            Field("region_reason", "limits", "region_reason", "text", N_("Reason for the restriction"), needed=False),
        ),
        (
            Rows(
                "declared",
                N_("People who must stay away"),
                (
                    Field("declared_id", "", "id_number", "text", N_("ID number")),
                    Field("declared_kind", "", "kind", "choice", N_("Ground"), choices=tuple(_DECLARED.items())),
                    Field("declared_reason", "", "reason", "text", N_("Reason")),
                ),
                N_("Bidders are not named here: their list comes sealed and nobody at the desk reads it."),
            ),
        ),
        frozenset({"lot", "limits", "declared"}),
    ),
    StepOf(
        "parties",
        N_("Parties"),
        rows=(
            Rows(
                "parties",
                N_("Parties"),
                (
                    Field("party_role", "", "role", "choice", N_("Part"), choices=tuple(_PARTIES.items())),
                    Field("party_name", "", "name", "text", N_("Name")),
                    Field("party_code", "", "code", "text", N_("Credit code")),
                ),
                N_("Whoever works for one of them is not drawn."),
            ),
        ),
        sections=frozenset({"parties", "bidders"}),
    ),
    StepOf(
        "widen",
        N_("Widening"),
        rows=(
            Rows(
                "widen",
                N_("If too few people are left"),
                (
                    Field("widen_seat", "", "seat", "whole", N_("Seat number"), N_("Empty: all.")),
                    Field("widen_professions", "", "professions", "codes", N_("Also these professions")),
                    Field("widen_any_site", "", "any_site", "flag", N_("From any site"), choices=YES_NO),
                    Field("widen_any_region", "", "any_region", "flag", N_("From any region"), choices=YES_NO),
                    Field("widen_recent_max", "", "recent_max", "whole", N_("Recently drawn, at most")),
                    Field("widen_reason", "", "reason", "text", N_("Reason")),
                ),
                N_("Decided now, before anybody knows who is drawn; taken in this order, and only with approval."),
            ),
        ),
        sections=frozenset({"widen"}),
    ),
    StepOf("review", N_("Review")),
)  # fmt: skip
AT: Mapping[str, int] = {each.name: n for n, each in enumerate(STEPS)}


@dataclass(frozen=True, slots=True)
class Wrong:
    """A field that cannot be read; `code` is a row of `forms.FAULTS`."""

    field: str
    code: str


def taken(step: StepOf, sections: dict[str, Any], given: Mapping[str, Sequence[str]]) -> tuple[dict[str, Any], tuple[Wrong, ...]]:
    """The request with what was typed into this step."""
    out, wrong = {key: dict(value) if isinstance(value, dict) else value for key, value in sections.items()}, []
    for each in step.fields:
        text = (given.get(each.name) or [""])[0].strip()
        value, fault = _read(each, text)
        if fault or (value is None and each.needed and each.kind not in ("choice", "flag")):
            wrong.append(Wrong(each.name, fault or "missing"))
        target = out if not each.section else out.setdefault(each.section, {})
        if value is None:
            target.pop(each.key, None)
        else:
            target[each.key] = value
    for rows in step.rows:
        made, faults = _rows(rows, out.get(rows.section, []), given)
        wrong += faults
        if made:
            out[rows.section] = made
        else:
            out.pop(rows.section, None)
    return out, tuple(wrong)


def _rows(rows: Rows, before: Any, given: Mapping[str, Sequence[str]]) -> tuple[list[dict[str, Any]], list[Wrong]]:
    count = max((len(given.get(each.name, ())) for each in rows.columns), default=0)
    made: list[dict[str, Any]] = []
    wrong: list[Wrong] = []
    for n in range(min(count, MOST_ROWS)):
        cells = {each.key: (given.get(each.name, ())[n : n + 1] or [""])[0].strip() for each in rows.columns}
        if not any(cells[each.key] for each in rows.columns if each.kind not in ("flag", "choice")):
            continue
        row: dict[str, Any] = {}
        for each in rows.columns:
            value, fault = _read(each, cells[each.key])
            if each.name == "widen_seat" and value is not None:
                value -= 1
            if fault:
                wrong.append(Wrong(f"{each.name}-{len(made)}", fault))
            if value is not None and not (each.key == "code" and value == ""):
                row[each.key] = value
        if isinstance(before, list) and len(before) > n and isinstance(before[n], dict):
            known = {each.key for each in rows.columns}
            row.update({key: value for key, value in before[n].items() if key not in known})
        made.append(row)
    return made, wrong


def _read(field: Field, text: str) -> tuple[Any, str]:
    if not text and field.kind != "choice":
        return None, ""
    match field.kind:
        case "whole":
            if re.fullmatch(r"[0-9]{1,13}", text, re.ASCII) is None:
                return None, "number"
            return int(text), ""
        case "flag":
            return text == "yes", ""
        case "texts" | "codes":
            return [each for each in _SPLIT.split(text) if each], ""
        case "choice":
            known = [value for value, _ in field.choices]
            return (text, "") if text in known else (None, "" if not text else "choice")
        case _:
            return text, ""


def shown(step: StepOf, sections: Mapping[str, Any]) -> dict[str, str]:
    """The single fields of a step, as they are typed."""
    found = {}
    for each in step.fields:
        holder = sections if not each.section else sections.get(each.section, {})
        found[each.name] = _written(holder.get(each.key) if isinstance(holder, dict) else None, each)
    return found


def shown_rows(rows: Rows, sections: Mapping[str, Any]) -> tuple[tuple[str, ...], ...]:
    """Its rows, and one that is empty."""
    held = sections.get(rows.section, [])
    found = [tuple(_cell(each, row) for each in rows.columns) for row in (held if isinstance(held, list) else []) if isinstance(row, dict)]
    return (*found[:MOST_ROWS], tuple("" for _ in rows.columns))


def _cell(field: Field, row: Mapping[str, Any]) -> str:
    value = row.get(field.key)
    if field.name == "widen_seat":
        return str(value + 1) if isinstance(value, int) and value >= 0 else ""
    if field.name == "widen_recent_max":
        return str(value) if isinstance(value, int) and value >= 0 else ""
    if field.name == "site_required" and value is None:
        return "yes"
    return _written(value, field)


def _written(value: Any, field: Field) -> str:
    if value is None:
        return ""
    if field.kind == "flag":
        return "yes" if value is True else "no"
    if isinstance(value, list):
        return " ".join(map(str, value))
    return str(value)


def step_of(place: str) -> str:
    """The step that holds a place of the request, such as `request.seats[0].count`."""
    section = re.split(r"[.\[]", place.removeprefix("request."))[0]
    return next((each.name for each in STEPS if section in each.sections), "review")
