"""Pages of the unsealing: when it may be, who has signed; then the names with a reason, the papers, the record and the evidence."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from aiohttp import web as aioweb
from pydantic import StringConstraints

from drawing.errors import Refused
from server.handlers import forms
from server.handlers.ask import Access, Ask
from server.handlers.i18n import N_
from server.handlers.render import page
from server.handlers.views import NameRow, UnsealingPage
from server.keeper.draw_verbs import Named
from server.places import places_of
from server.services import papers, unsealing
from server.services.publication import RULES

STATES = {
    "accepted": N_("comes"),
    "left": N_("does not come"),
    "pending": N_("no answer yet"),
    "used": N_("stepped in elsewhere"),
    "appointed": N_("direct choice"),
}
PAPERS = (
    ("record", N_("Record of the draw")),
    ("sign_in", N_("Sign-in sheet")),
    ("pledge", N_("Pledge form")),
    ("result", N_("Notice of the result")),
    ("publication", N_("Names for the published notice")),
)
Reason = Annotated[forms.Line, StringConstraints(min_length=2, max_length=200)]


class Why(forms.Fields):
    """Why somebody reads the names."""

    reason: Reason


class Wanted(forms.Fields):
    """A paper with the names, in a language."""

    kind: Literal["record", "sign_in", "pledge", "result", "publication"]
    lang: Literal["zh", "en"]
    reason: Reason
    code: Annotated[str, StringConstraints(pattern=r"^([!-~]{12,64})?$")] = ""


async def show(ask: Ask) -> aioweb.StreamResponse:
    """How the unsealing stands."""
    return await _page(ask, forms.empty())


async def names(ask: Ask) -> aioweb.StreamResponse:
    """The names, this once."""
    form = forms.form(ask, Why)
    if form.value is None:
        return await _page(ask, form, status=422)
    try:
        found = await unsealing.names(ask.desk, ask.path["id"], form.value.reason, ask.caller)
    except Refused as why:
        return await _page(ask, forms.refused(ask, form, why, otherwise="reason"), status=422)
    return await _page(ask, form, found)


async def paper(ask: Ask) -> aioweb.StreamResponse:
    """A paper with the names."""
    form = forms.form(ask, Wanted)
    wanted = form.value
    if wanted is None:
        return await _page(ask, form, status=422)
    try:
        data = await papers.named_paper(
            ask.desk, ask.path["id"], wanted.kind, wanted.lang, ask.settings.origin, wanted.reason, ask.caller, wanted.code
        )
    except Refused as why:
        return await _page(ask, forms.refused(ask, form, why, otherwise="reason"), status=422)
    return _file(data, "application/pdf", f"{'letter' if wanted.code else wanted.kind}-{wanted.lang}.pdf")


async def record(ask: Ask) -> aioweb.StreamResponse:
    """The record without names, in the reader's language."""
    lang = "zh" if ask.language.name == "zh_CN" else "en"
    data = await papers.public_record(ask.desk, ask.path["id"], lang, ask.settings.origin, ask.caller)
    return _file(data, "application/pdf", f"record-{lang}.pdf")


async def archive(ask: Ask) -> aioweb.StreamResponse:
    """The evidence as one file."""
    out = places_of(ask.settings).out
    data = await papers.archive(ask.desk, ask.path["id"], ask.site.verifier, ask.settings.origin, out, ask.caller)
    return _file(data, "application/zip", "evidence.zip")


async def proof(ask: Ask) -> aioweb.StreamResponse:
    """The proof of a draw that has ended, for everybody: the address that is printed on its papers."""
    return _file(await papers.public_proof(ask.desk, ask.path["id"], ask.now), "application/json", "proof.json")


def _file(data: bytes, kind: str, name: str) -> aioweb.StreamResponse:
    return aioweb.Response(body=data, headers={"Content-Type": kind, "Content-Disposition": f'attachment; filename="{name}"'})


async def _page(ask: Ask, form: Any, people: tuple[Named, ...] = (), status: int = 200) -> aioweb.StreamResponse:
    found = await unsealing.stand(ask.desk, ask.path["id"], ask.caller)
    commit, say = found.draw.commit, ask.language.say
    rows = tuple(
        NameRow(each.slot + 1, each.seat + 1, each.reserve, each.name, each.employer, each.title, each.phone, say(STATES[each.state]))
        for each in people
    )
    may = ask.site.permissions.access(ask.viewer, "draw.read", ask.now) is Access.YES
    view = UnsealingPage(
        id=ask.path["id"],
        number=found.number,
        section=found.section,
        dry_run=found.draw.dry_run,
        opened=found.draw.unsealed,
        not_before=commit.unsealing.not_before if commit else 0,
        minutes=max(0, -(-(commit.unsealing.not_before - ask.now) // 60)) if commit else 0,
        threshold=commit.unsealing.threshold if commit else 0,
        waits=found.draft is not None,
        signed=found.signed,
        form=form,
        rows=rows,
        papers=tuple((kind, say(label)) for kind, label in PAPERS if kind != "publication" or RULES[found.regime].names) if may else (),
        files=may,
    )
    return page(ask, "unsealing.html", view, status)
