"""A library record as fields of a form: the columns of a sheet with names, hints and lists in the reader's language."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, StringConstraints, create_model

from server.handlers import forms
from server.handlers.ask import Ask
from server.handlers.i18n import N_
from server.handlers.problems import FieldFault
from server.handlers.views import Badge, CellField, Tone
from server.library.codes import REGIONS, professions
from server.library.columns import COLUMNS, MAX_CELL
from server.library.upload import Fault
from server.refusals import text_of

Cell = Annotated[str, StringConstraints(max_length=MAX_CELL), AfterValidator(lambda text: forms.clean(text).strip())]
LABELS: Mapping[str, str] = {
    "name": N_("Name of the expert"),
    "id_type": N_("Kind of document"),
    "id_number": N_("ID number"),
    "gender": N_("Sex"),
    "birthday": N_("Birthday"),
    "education": N_("Education"),
    "title": N_("Professional title"),
    "title_level": N_("Level of the title"),
    "duty": N_("Position"),
    "on_work": N_("In work"),
    "employer_name": N_("Employer"),
    "employer_code": N_("Credit code of the employer"),
    "phone": N_("Mobile phone"),
    "email": N_("E-mail"),
    "industry": N_("Industry"),
    "area": N_("Region where the expert lives"),
    "work_years": N_("Years of work"),
    "entered": N_("In the library since"),
    "library": N_("Library of origin"),
    "status": N_("Status"),
    "professions": N_("Professions"),
    "regions": N_("Regions served"),
    "work": N_("Work history"),
    "directorships": N_("Directorships"),
    "shareholdings": N_("Shareholdings"),
    "relatives": N_("Relatives in office"),
    "avoid": N_("Employers to avoid"),
    "leave": N_("Leave"),
    "suspensions": N_("Suspensions"),
    "punished": N_("Penalties"),
    "weight": N_("Weight"),
    "draws": N_("Days drawn"),
    "engagements": N_("Evaluations agreed"),
    "supervisor_of": N_("Supervises"),
    "fictional": N_("Invented"),
}
HINTS: Mapping[str, str] = {
    "professions": N_("Codes with ; between, the main one first: A080104;A0401"),
    "regions": N_("Region codes with ; between."),
    "work": N_("employer|credit code|from|to, several with ; between; an empty end means until now."),
    "directorships": N_("company|credit code|role|from|to"),
    "shareholdings": N_("company|credit code|percent|controlling|from|to"),
    "relatives": N_("name|relation|employer|credit code|role"),
    "avoid": N_("employer|credit code"),
    "leave": N_("from|to, as 2026-05-01|2026-05-07"),
    "suspensions": N_("from|to|reason"),
    "punished": N_("day|reason"),
    "engagements": N_("from|to"),
}
LISTED = {"professions": "professions", "area": "areas"}
STATES: Mapping[str, tuple[str, Tone]] = {
    "active": (N_("can be drawn"), Tone.GOOD),
    "inactive": (N_("not in use"), Tone.QUIET),
    "leave": (N_("on leave"), Tone.WARN),
    "suspended": (N_("suspended"), Tone.BAD),
    "left": (N_("left"), Tone.QUIET),
}
BY_TITLE = {each.title: each.alias for each in COLUMNS}
_whole: dict[str, Any] = {"version": (int, 0), **{each.alias: (Cell, "") for each in COLUMNS}}
_some: dict[str, Any] = {
    "row": (int, ...),
    "page": (int, 1),
    "instead": (Cell, ""),
    **{each.alias: (Cell | None, None) for each in COLUMNS},
}
Record: Any = create_model("Record", __base__=forms.Fields, **_whole)  # a changed record, whole
Mended: Any = create_model("Mended", __base__=forms.Fields, **_some)  # the cells of one row that were typed anew


# Words of the sheet in the reader's language; both are read back to the same.
WORDS: Mapping[str, Mapping[str, Mapping[str, str]]] = {
    "zh_CN": {
        "gender": {"1": "男", "2": "女"},
        "status": {"active": "可用", "inactive": "停用"},
        "title_level": {"senior": "高级", "middle": "中级", "junior": "初级"},
    },
    "en": {"on_work": {"是": "yes", "否": "no"}, "fictional": {"是": "yes", "否": "no"}},
}


def typed_of(value: Any) -> dict[str, str]:
    """The columns that a form gave."""
    return {each.alias: text for each in COLUMNS if (text := getattr(value, each.alias)) is not None}


def label(ask: Ask, alias: str) -> str:
    return ask.language.say(LABELS[alias])


def state_badge(ask: Ask, state: str) -> Badge:
    text, tone = STATES[state]
    return Badge(ask.language.say(text), tone)


def fields_of(ask: Ask, cells: Mapping[str, str], faults: Iterable[Fault] = (), only: Sequence[str] = ()) -> tuple[CellField, ...]:
    """Columns as fields, in their order; `only` some of them."""
    words = WORDS.get(ask.language.name, {})
    wrong = {BY_TITLE.get(each.column, each.column): fault_text(ask, each) for each in reversed(tuple(faults))}
    return tuple(
        CellField(
            each.alias,
            label(ask, each.alias),
            words.get(each.alias, {}).get(cells.get(each.alias, ""), cells.get(each.alias, "")),
            wrong.get(each.alias, ""),
            each.required,
            ask.language.say(HINTS[each.alias]) if each.alias in HINTS else "",
            LISTED.get(each.alias, ""),
        )
        for each in COLUMNS
        if not only or each.alias in only
    )


def fault_text(ask: Ask, fault: Fault) -> str:
    """What is wrong in a cell, in words."""
    return text_of(fault.code, {"place": "", "value": "", **fault.params}, "zh" if ask.language.name == "zh_CN" else "en")


def as_faults(ask: Ask, faults: Iterable[Fault], prefix: str = "") -> tuple[FieldFault, ...]:
    """For the list above a form."""
    found = []
    for each in faults:
        alias = BY_TITLE.get(each.column, each.column)
        found.append(FieldFault(prefix + alias, each.code, f"{label(ask, alias)}: {fault_text(ask, each)}"))
    return tuple(found)


def profession_list() -> tuple[tuple[str, str], ...]:
    """Code and name, of all levels: what a field for professions offers while one types."""
    return tuple(sorted(professions().items()))


def area_list() -> tuple[tuple[str, str], ...]:
    return tuple(REGIONS.items())
