"""The audit log: leaves, the newest first, by object, action and day; and the check against the newest checkpoint."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated
from urllib.parse import urlencode

from aiohttp import web as aioweb
from pydantic import Field, StringConstraints

from server.handlers import forms
from server.handlers.ask import Ask
from server.handlers.audit_words import CHANGES, EVENTS, TABLES
from server.handlers.i18n import N_
from server.handlers.render import page
from server.handlers.views import AuditPage, AuditRow, Badge, Tone
from server.services import audit
from server.storage.journal import Entry
from server.workdays import SHANGHAI

Day = Annotated[str, StringConstraints(pattern=r"^(20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01]))?$")]


class Filter(forms.Fields):
    """What to show; an object is an id or a part of the log that has one."""

    object: Annotated[forms.Line, StringConstraints(max_length=96)] = ""
    action: Annotated[forms.Line, StringConstraints(max_length=32)] = ""
    since: Day = ""
    until: Day = ""
    before: int | None = Field(default=None, ge=0, le=2**53 - 1)


async def show(ask: Ask) -> aioweb.StreamResponse:
    """A page of it."""
    return await _shown(ask, None)


async def verify(ask: Ask) -> aioweb.StreamResponse:
    """The same after the check."""
    found = await audit.verify(ask.desk, ask.caller)
    say = ask.language.say
    if found is None:
        return await _shown(ask, Badge(say(N_("Nothing is signed yet: there is no checkpoint to verify against.")), Tone.WARN))
    size, right = found
    good = say(N_("%(size)s entries have the root of the newest checkpoint.")) % {"size": f"{size:,}"}
    bad = say(N_("The entries do not have the root of the newest checkpoint. Stop work and tell the supervisors."))
    return await _shown(ask, Badge(good, Tone.GOOD) if right else Badge(bad, Tone.BAD))


async def _shown(ask: Ask, verified: Badge | None) -> aioweb.Response:
    form = forms.query(ask, Filter)
    wanted, say = form.value or Filter(), ask.language.say
    until = start_of(wanted.until) + 86_400 if wanted.until else 0
    found, names = await audit.read(
        ask.desk,
        ask.caller,
        thing=wanted.object,
        table=wanted.action,
        since=start_of(wanted.since) if wanted.since else 0,
        until=until,
        before=wanted.before,
    )
    newest = await ask.site.checkpoints.latest()
    rows = tuple(
        AuditRow(
            each.index,
            each.at,
            _action(ask, each),
            names.get(each.thing, each.thing[:12] or "–"),
            each.thing,
            names.get(each.by, each.by[:12] or "–"),
            each.digest,
            newest is not None and each.index < newest.size and bool(newest.witnesses),
        )
        for each in found.entries
    )
    kept = {name: value for name in ("object", "action", "since", "until") if (value := getattr(wanted, name))}
    earlier = "?" + urlencode({**kept, "before": found.earlier}) if found.earlier else ""
    later = "?" + urlencode(kept) if wanted.before is not None else ""
    actions = (("", say(N_("all"))), *((table, say(label)) for table, label in TABLES.items()))
    view = AuditPage(form, actions, rows, found.size, newest, verified, earlier, later)
    return page(ask, "audit.html", view, 422 if form.value is None else 200)


def _action(ask: Ask, entry: Entry) -> str:
    """What happened; a word that we do not know is shown as it stands in the log."""
    say = ask.language.say
    if entry.table and not entry.form:
        what = CHANGES.get(entry.what, entry.what)
    else:
        what = EVENTS.get((entry.form, entry.what), entry.what)
    return " · ".join(say(text) for text in (TABLES.get(entry.table, entry.table), what) if text)


def start_of(day: str) -> int:
    """When a day begins in Shanghai; of one that is not in the calendar, the next that is."""
    year, month, number = map(int, day.split("-"))
    return int((datetime(year, month, 1, tzinfo=SHANGHAI) + timedelta(days=number - 1)).astimezone(UTC).timestamp())
