"""Draws as staff see them: the list, the live page for the room and its big-screen view, and what people press there.

Nothing here says who was drawn: a page counts answers and shows digests. Updates carry one value, the page's mark; a browser whose page has another
one loads it again, so that a second tab, a sleeping laptop and a lost network all come to the same.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

import segno
from aiohttp import web as aioweb
from pydantic import Field, StringConstraints

from drawing.draw import ENDED, Phase
from drawing.errors import Refused
from drawing.events import Terms
from server.handlers import forms
from server.handlers.ask import Access, Ask
from server.handlers.draw_views import DraftBox, DrawRow, DrawsPage, EventRow, LivePage, Picture, SeatRow, TermsBox
from server.handlers.draw_words import ASKED, DRAFTS, DUE, EVENTS, METHODS, PHASES, POOL, REASONS, SCOPES, STATES, STEPS, WHO
from server.handlers.i18n import N_
from server.handlers.render import page, see_other
from server.handlers.sse import Topic
from server.handlers.views import Badge, Step
from server.handlers.words import refusal
from server.library.codes import professions
from server.rules import rules_of
from server.services import draw_approvals, draws
from server.services.draw_approvals import TYPES
from server.services.draw_stand import STEPS as ORDER
from server.services.draws import Drafted, DrawPage

WATCH_SECONDS = 1.0
MANY = 10**9


class Filter(forms.Fields):
    """Which draws."""

    search: Annotated[forms.Line, Field(max_length=100)] = ""
    state: Literal["", "running", "closed", "abandoned"] = ""


class Why(forms.Fields):
    """A reason that stands in the log."""

    reason: Annotated[forms.Lines, StringConstraints(min_length=1, max_length=500)]


class Cancelled(forms.Fields):
    """Why an attempt is given up."""

    kind: Literal["incomplete", "cancelled"]
    why: Annotated[forms.Lines, StringConstraints(min_length=1, max_length=500)]


async def listed(ask: Ask) -> aioweb.StreamResponse:
    """The list."""
    wanted = forms.query(ask, Filter).value or Filter()
    found = await draws.listed(ask.desk, ask.caller)
    say = ask.language.say
    chosen = [
        each
        for each in found
        if wanted.search.casefold() in each.number.casefold() and (not wanted.state or each.phase in STATES[wanted.state][1])
    ]
    rows = tuple(
        DrawRow(
            each.row["id"],
            each.number,
            each.row["section"],
            Badge(say(PHASES[each.phase][0]), PHASES[each.phase][1]),
            each.row["created_at"],
            each.row["evaluation_at"],
            bool(each.row["dry_run"]),
        )
        for each in chosen
    )
    states = (("", say(N_("All"))), *((code, say(text)) for code, (text, _) in STATES.items()))
    return page(ask, "draws.html", DrawsPage(rows, len(found), wanted.search, wanted.state, states, may(ask, "draw.request")))


async def show(ask: Ask) -> aioweb.StreamResponse:
    """One draw."""
    return await _show(ask, forms.empty())


async def screen(ask: Ask) -> aioweb.StreamResponse:
    """The same for a big screen: no controls."""
    return page(ask, "draw_screen.html", live(ask, await draws.show(ask.desk, ask.path["id"], ask.caller), forms.empty()))


async def updates(ask: Ask) -> aioweb.StreamResponse:
    """The page's mark, now and whenever it changes; any process may be the one that changed it."""
    seen, first = "", await draws.mark(ask.desk, ask.path["id"], ask.caller)

    async def look(topic: Topic) -> None:
        nonlocal seen
        mark = await draws.mark(ask.desk, ask.path["id"], ask.caller) if seen else first
        if mark != seen:
            topic.publish("mark", {"mark": mark})
            seen = mark

    return await ask.site.streams.watched(ask, look, WATCH_SECONDS)


async def proceed(ask: Ask) -> aioweb.StreamResponse:
    """Go on as far as nobody is needed."""
    found = forms.form(ask, forms.Fields)
    try:
        await draws.proceed(ask.desk, ask.path["id"], ask.caller)
    except Refused as refused:
        return await _show(ask, forms.refused(ask, found, refused, otherwise="now"), 422)
    return see_other(ask, "draw", flash="went_on", id=ask.path["id"])


async def ask_for(ask: Ask) -> aioweb.StreamResponse:
    """Ask for approval of the draft that waits; the route's permission says of which kind."""
    found = forms.form(ask, Why)
    if found.value is None:
        return await _show(ask, found, 422)
    try:
        await draw_approvals.propose(ask.desk, ask.path["id"], TYPES[ask.route.permission], found.value.reason, ask.caller)
    except Refused as refused:
        return await _show(ask, forms.refused(ask, found, refused, draft="now", otherwise="now"), 422)
    return see_other(ask, "draw", flash="proposed", id=ask.path["id"])


async def cancel(ask: Ask) -> aioweb.StreamResponse:
    """Ask for the attempt's end."""
    found = forms.form(ask, Cancelled)
    if found.value is None:
        return await _show(ask, found, 422)
    try:
        await draw_approvals.ask_to_cancel(ask.desk, ask.path["id"], found.value.kind, found.value.why, ask.caller)
    except Refused as refused:
        return await _show(ask, forms.refused(ask, found, refused, draft="now", draw="now", otherwise="why"), 422)
    return see_other(ask, "draw", flash="proposed", id=ask.path["id"])


async def proof(ask: Ask) -> aioweb.StreamResponse:
    """The proof of the project so far, as a file."""
    number, data = await draws.proof(ask.desk, ask.path["id"], ask.caller)
    name = re.sub(r"[^A-Za-z0-9-]", "-", number)[:60] or "draw"
    headers = {"Content-Type": "application/json", "Content-Disposition": f'attachment; filename="proof-{name}.json"'}
    return aioweb.Response(body=data, headers=headers)


def may(ask: Ask, permission: str) -> bool:
    """Whether a control of this permission is shown; a step-up may still be asked for when it is pressed."""
    return ask.site.permissions.access(ask.viewer, permission, ask.now) in (Access.YES, Access.STEP_UP, Access.PASSKEY)


async def _show(ask: Ask, form: forms.Form[Any], status: int = 200) -> aioweb.StreamResponse:
    return page(ask, "draw.html", live(ask, await draws.show(ask.desk, ask.path["id"], ask.caller), form), status)


# Views ------------------------------------------------------------------------------------------------------------------------------------------


def live(ask: Ask, found: DrawPage, form: forms.Form[Any]) -> LivePage:
    """The draw as a page shows it."""
    say, coming, state = ask.language.say, found.due, found.draw
    title, text = DUE[coming.code]
    names = say(N_(", ")).join(_missing_names(ask, found))
    steps = tuple(Step(say(STEPS[each]), _at(n, coming.step)) for n, each in enumerate(ORDER))
    phase, tone = PHASES[state.phase]
    panel = [state.slots[n] for n in state.panel]
    fault = refusal(ask, found.keeper.fault, place=found.keeper.where) if found.keeper.stage == "failed" else ""
    return LivePage(
        id=found.id,
        number=found.number,
        section=found.row["section"],
        dry_run=bool(found.row["dry_run"]),
        phase=Badge(say(phase), tone),
        steps=steps,
        now_title=say(title),
        now_text=say(text) % {"names": names or "–"},
        who=say(WHO[coming.who]),
        until=coming.until,
        preparing=coming.code == "preparing",
        failed=fault if coming.code == "failed" else refusal(ask, found.fault) if found.fault else "",
        mark=found.mark,
        asked_at=found.row["created_at"],
        evaluation_at=found.row["evaluation_at"],
        events=tuple(_event(ask, found, index, n) for n, (index, _) in enumerate(found.events)),
        seats=len(panel),
        filled=sum(slot.state in ("accepted", "appointed") for slot in panel),
        notified=found.replies.notified if found.replies else 0,
        answered=found.replies.answered if found.replies else 0,
        terms=_terms(ask, found),
        drafts=tuple(_draft(ask, found, each) for each in found.drafts),
        form=form,
        reasons=tuple((code, say(words)) for code, words in REASONS.items()),
        may_go_on=found.newest
        and coming.code in ("to_open", "go_on", "failed", "lots", "notify", "answers", "sealed")
        and may(ask, "draw.proceed"),
        may_ask=found.newest and may(ask, "draw.start"),
        may_cancel=found.newest
        and coming.code not in ("preparing", "failed", "to_open", "closed", "abandoned")
        and may(ask, "draw.cancel"),
        proof=bool(found.events),
        newest=found.newest,
        held=sum(not each["lifted_at"] for each in found.complaints) if may(ask, "complaint.read") else 0,
        complaints=may(ask, "complaint.read"),
        closed=state.phase is Phase.CLOSED,
        contributing=coming.code == "contribute",
        may_stop=found.newest and state.phase not in (Phase.NEW, *ENDED) and may(ask, "draw.sign"),
        destroyed_at=found.row["destroyed_at"] or 0,
    )


def _at(n: int, now: int) -> str:
    return "done" if n < now else "now" if n == now else "later"


def _missing_names(ask: Ask, found: DrawPage) -> list[str]:
    say, coming = ask.language.say, found.due
    if coming.code == "attest":
        return [say(SCOPES[each]) for each in coming.names]
    if coming.code == "sign":
        waiting = next(each for each in found.drafts if each.type == coming.draft)
        return [f"{say(WHO['supervisor'])} × {least}" for roles, least in waiting.missing if "supervisor" in roles]
    return list(coming.names)


def _event(ask: Ask, found: DrawPage, index: int, n: int) -> EventRow:
    event = found.events[n][1]
    digest = event.leaf_hash.hex()
    return EventRow(
        event.head.seq, index, ask.language.say(EVENTS[event.type]), event.head.at, digest, picture(f"{found.log}#{index} {digest}")
    )


def picture(text: str) -> Picture:
    """A QR code drawn as one path, a run of dark squares at a time."""
    rows = tuple(segno.make(text, error="m", micro=False).matrix_iter(border=4))
    runs = (
        f"M{match.start()} {y}h{match.end() - match.start()}v1h-{match.end() - match.start()}z"
        for y, row in enumerate(rows)
        for match in re.finditer("1+", "".join("1" if dark else "0" for dark in row))
    )
    return Picture("".join(runs), len(rows))


def _draft(ask: Ask, found: DrawPage, each: Drafted) -> DraftBox:
    say = ask.language.say
    about = draw_approvals.WAITING.get(each.type)
    text, tone = ASKED[each.asked.state] if about else (N_("covered by the commitment's approval"), ASKED["given"][1])
    needs = tuple(f"{say(WHO[roles[0]])} × {least}" for roles, least in each.missing)
    due = about is not None and each.asked.state == "none" and found.newest and may(ask, about.permission)
    return DraftBox(
        say(DRAFTS.get(each.type, EVENTS[each.type])),
        Badge(say(text), tone),
        each.asked.by,
        tuple(sig.key for sig in each.event.sigs),
        needs,
        draw_approvals.digest_of(each.event).hex(),
        about.permission.partition(".")[2] if due and about else "",
        each.type if each.missing and may(ask, "draw.sign") else "",
    )


def _terms(ask: Ask, found: DrawPage) -> TermsBox | None:
    terms = draws.terms_of(found)
    return terms_box(ask, terms, found.row["regime"]) if terms is not None else None


def terms_box(ask: Ask, terms: Terms, regime: str) -> TermsBox:
    """Terms in plain words; only counts of ten and more are in them."""
    known = professions()
    excluded = tuple((each.rule, rule_text(ask, regime, each.rule), each.count) for each in terms.counts)
    seats = tuple(
        SeatRow(n + 1, tuple((code, known.get(code, "")) for code in seat.professions), seat.count, seat.reserves, seat.site)
        for n, seat in enumerate(terms.plan.seats)
    )
    sites = tuple((each.id, ", ".join(each.areas)) for each in terms.plan.sites)
    return TermsBox(
        ask.language.say(METHODS.get(terms.method, terms.method)),
        seats,
        sites,
        terms.plan.representatives,
        many(terms.total),
        share(terms.chances.smallest, terms.total),
        share(terms.chances.largest, terms.total),
        excluded,
        terms.small_pool,
        terms.roll.root.hex(),
    )


def rule_text(ask: Ask, regime: str, rule: str) -> str:
    """Why a rule keeps somebody out, in words."""
    if rule in POOL:
        return ask.language.say(POOL[rule])
    text = rules_of(regime).conflict.get(rule)
    return rule if text is None else text.zh if ask.language.name == "zh_CN" else text.en


def many(value: int) -> str:
    """A count that may have hundreds of digits."""
    return f"{value:,}" if value < MANY else f"≈ {str(value)[0]}.{str(value)[1:3]} × 10^{len(str(value)) - 1}"


def share(part: int, whole: int) -> str:
    """A chance in hundredths of a per cent, rounded down."""
    hundredths = part * 10_000 // whole if whole else 0
    return f"{hundredths // 100}.{hundredths % 100:02d} %"
