"""What is done for a draw with a key in one's own browser: a contributor's part, a supervisor's signature, an order to stop."""

from __future__ import annotations

import json
from typing import Annotated

from aiohttp import web as aioweb
from pydantic import StringConstraints

from drawing.errors import Refused
from server.handlers import forms
from server.handlers.ask import Ask
from server.handlers.i18n import N_
from server.handlers.keys import KEY_ROLES, opens_keys, texts
from server.handlers.picture import picture
from server.handlers.render import page, see_other
from server.handlers.views import ContributePage, DraftPage, GivenRow, StopPage
from server.handlers.words import refusal
from server.services import contributing as services
from server.services import draws

EVENTS = {
    "committed": N_("Commit of the draw"),
    "extended": N_("Extension of the draw"),
    "unsealed": N_("Opening of the names"),
    "closed": N_("End of the draw"),
    "abandoned": N_("Abandonment of the attempt"),
    "appointed": N_("Direct appointment"),
    "answers": N_("Answers entered by hand"),
    "screened": N_("Comparison with a sealed bidder list"),
    "stopped": N_("Order to stop"),
    "resumed": N_("End of the stop"),
}
# The parts of an event in words, for the page's program that decodes it.
FIELDS = {
    "f_type": N_("What is signed"),
    "f_project": N_("Project (digest)"),
    "f_attempt": N_("Attempt"),
    "f_seq": N_("Step"),
    "f_at": N_("Time"),
    "f_prev": N_("Digest of the step before"),
    "f_dry_run": N_("Dry run"),
    "f_regime": N_("Regime"),
    "f_method": N_("Method"),
    "f_sampler": N_("Sampler"),
    "f_total": N_("Lawful panels"),
    "f_seats": N_("Seats"),
    "f_sites": N_("Sites"),
    "f_representatives": N_("Representatives of the buyer"),
    "f_regions": N_("Regions"),
    "f_recent": N_("Limit on recent draws"),
    "f_pool": N_("Small pool"),
    "f_snapshot": N_("Library (digest)"),
    "f_roll": N_("Roll (digest)"),
    "f_decisions": N_("Screening decisions (digest)"),
    "f_declarations": N_("Declarations (digest)"),
    "f_rules": N_("Rules"),
    "f_counts": N_("Removed by rule"),
    "f_chances": N_("Chances (digest)"),
    "f_contributors": N_("Contributors"),
    "f_round_contributors": N_("Contributors of replacement rounds"),
    "f_beacon": N_("Beacon"),
    "f_keys": N_("Key list"),
    "f_until": N_("Contributions until"),
    "f_result": N_("Result until"),
    "f_evaluation": N_("Evaluation"),
    "f_window": N_("Time to answer"),
    "f_unsealing": N_("Names open from"),
    "f_threshold": N_("Supervisors who open"),
    "f_open": N_("Seats to be drawn again"),
    "f_slots": N_("Places"),
    "f_reason": N_("Reason"),
    "f_paper": N_("Paper (digest)"),
    "f_leaf": N_("Digest of what is signed"),
    "f_place": N_("Place in the log"),
    "f_cosigned": N_("Witnesses that signed"),
    "yes": N_("yes"),
    "no": N_("no"),
    "minutes": N_("minutes"),
    "days": N_("days"),
    "none_said": N_("none"),
    "any_site": N_("any site"),
    "experts": N_("experts"),
    "reserves": N_("reserves"),
    "before": N_("Before"),
    "no_witnesses": N_("This log has no witnesses: its own signature is all there is."),
    "round_of": N_("Replacement round"),
    "left": N_("Time left"),
    "over": N_("The time is over"),
    "first_answer": N_("This is the first commit of this project that your key answers."),
    "again_answer": N_("Your key has answered other commits of this project before; the count will be public."),
}  # fmt: skip
WHY = {
    "nothing_to_contribute": N_("Nothing is to be contributed now. Load this page again when the centre tells you."),
    "no_checkpoint_yet": N_("The commit is not yet in a checkpoint that others have seen. Load this page again in a minute."),
}


class Contribution(forms.Fields):
    """What the contributor's browser made."""

    contribution: Annotated[str, StringConstraints(min_length=2, max_length=4_096)]


class DraftSignature(forms.Fields):
    """A supervisor's signature; `leaf` is the hash of what they saw."""

    key: Annotated[str, StringConstraints(min_length=1, max_length=128)]
    leaf: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    signature: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{128}$")]


class SignedEvent(forms.Fields):
    """A whole event that supervisors alone sign."""

    event: Annotated[str, StringConstraints(min_length=2, max_length=20_000)]


def _said(ask: Ask) -> str:
    more = {name: ask.language.say(text) for name, text in {**FIELDS, **{f"e_{name}": text for name, text in EVENTS.items()}}.items()}
    return texts(ask, **more)


# Contributors -------------------------------------------------------------------------------------------------------------------------------


async def contributing(ask: Ask) -> aioweb.StreamResponse:
    """What is asked, decoded in the browser."""
    return await _contributing(ask, forms.empty())


async def contribute(ask: Ask) -> aioweb.StreamResponse:
    """File it."""
    found = forms.form(ask, Contribution)
    if found.value is None:
        return await _contributing(ask, found, 422)
    try:
        await draws.contribute(ask.desk, ask.path["id"], found.value.contribution.encode(), ask.now)
    except Refused as why:
        return await _contributing(ask, forms.refused(ask, forms.empty(), why, otherwise="contribution"), 422)
    return see_other(ask, "contribute", flash="contributed", id=ask.path["id"])


async def _contributing(ask: Ask, form: forms.Form[Contribution], status: int = 200) -> aioweb.Response:
    found = await services.asked(ask.desk, ask.path["id"])
    why = ask.language.say(WHY[found.why]) if found.why in WHY else refusal(ask, found.why) if found.why else ""
    shown = picture(f"{found.origin} {found.index} {found.leaf}") if found.leaf else None
    view = ContributePage(
        form, ask.path["id"], found.number, found.dry_run, found.order.decode(), why, found.leaf, found.index, found.until, found.origin,
        tuple(GivenRow(each.key, each.index) for each in found.parts), shown.path if shown else "", shown.size if shown else 0, _said(ask),
    )  # fmt: skip
    return opens_keys(page(ask, "contribute.html", view, status))


# Supervisors --------------------------------------------------------------------------------------------------------------------------------


async def draft(ask: Ask) -> aioweb.StreamResponse:
    """What waits to be signed."""
    return await _draft(ask, forms.empty())


async def sign(ask: Ask) -> aioweb.StreamResponse:
    """One more signature."""
    found = forms.form(ask, DraftSignature)
    if found.value is None:
        return await _draft(ask, found, 422)
    given = found.value
    try:
        done = await services.sign(
            ask.desk, ask.path["id"], ask.path["type"], bytes.fromhex(given.leaf), given.key, bytes.fromhex(given.signature), ask.caller
        )
    except Refused as why:
        return await _draft(ask, forms.refused(ask, forms.empty(), why, otherwise="signature"), 422)
    if done:
        return see_other(ask, "draw", flash="signed", id=ask.path["id"])
    return see_other(ask, "draft", flash="signed_waits", id=ask.path["id"], type=ask.path["type"])


async def _draft(ask: Ask, form: forms.Form[DraftSignature], status: int = 200) -> aioweb.Response:
    found = await services.draft(ask.desk, ask.path["id"], ask.path["type"], ask.caller)
    say = ask.language.say
    roles = tuple((say(N_(" or ")).join(say(KEY_ROLES[role]) for role in roles), count) for roles, count in found.missing)
    view = DraftPage(
        form, ask.path["id"], ask.path["type"], ask.language.say(EVENTS.get(ask.path["type"], N_("Step of the draw"))), found.number,
        services.bare(found.event).decode(), found.before.decode(), found.signed, roles, _said(ask),
    )  # fmt: skip
    return opens_keys(page(ask, "sign_draft.html", view, status))


async def stopping(ask: Ask) -> aioweb.StreamResponse:
    """An order to stop, or its end."""
    return await _stopping(ask, forms.empty())


async def stop(ask: Ask) -> aioweb.StreamResponse:
    """File it."""
    found = forms.form(ask, SignedEvent)
    if found.value is None:
        return await _stopping(ask, found, 422)
    try:
        await draws.file_signed(ask.desk, ask.path["id"], found.value.event.encode(), ask.caller)
    except Refused as why:
        return await _stopping(ask, forms.refused(ask, forms.empty(), why, otherwise="event"), 422)
    return see_other(ask, "stop", flash="signed", id=ask.path["id"])


async def _stopping(ask: Ask, form: forms.Form[SignedEvent], status: int = 200) -> aioweb.Response:
    head, kind = await services.head_now(ask.desk, ask.path["id"], ask.caller)
    start = json.dumps({
        "at": head.at, "attempt": head.attempt, "dry_run": head.dry_run, "prev": head.prev.hex(), "project": head.project.hex(), "seq": head.seq,
        "type": kind, "v": "draw/v1",
    })  # fmt: skip
    view = StopPage(form, ask.path["id"], ask.language.say(EVENTS[kind]), kind, start, _said(ask))
    return opens_keys(page(ask, "stop.html", view, status))
