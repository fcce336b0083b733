"""The inbox of approvals: what waits for a second person, and their vote."""

from __future__ import annotations

from typing import Annotated

from aiohttp import web as aioweb
from pydantic import StringConstraints

from server.auth.approvals import Outcome, Vote
from server.auth.model import Role
from server.handlers import forms
from server.handlers.ask import Ask
from server.handlers.i18n import N_
from server.handlers.problems import Stop
from server.handlers.render import for_script, page, see_other
from server.handlers.views import ApprovalCard, ApprovalsPage, Badge, DecidedRow, Signature, Step, Tone
from server.handlers.words import refusal, role_label
from server.services import approvals
from server.services.approvals import Card

OUTCOMES = {
    Outcome.OPEN: (N_("waits"), Tone.PART),
    Outcome.GRANTED: (N_("approved"), Tone.GOOD),
    Outcome.USED: (N_("approved"), Tone.GOOD),
    Outcome.REFUSED: (N_("refused"), Tone.BAD),
    Outcome.EXPIRED: (N_("expired"), Tone.QUIET),
    Outcome.VOID: (N_("void: changed"), Tone.QUIET),
}


class Assertion(forms.Fields):
    """The passkey's answer."""

    assertion: forms.Answer


class Refusal(forms.Fields):
    """Why not."""

    reason: Annotated[forms.Lines, StringConstraints(min_length=1, max_length=500)]


async def inbox(ask: Ask) -> aioweb.StreamResponse:
    """What waits and what was decided."""
    waiting, decided = await approvals.inbox(ask.desk, ask.caller)
    return page(
        ask, "approvals.html", ApprovalsPage(tuple(_card(ask, each) for each in waiting), tuple(_row(ask, each) for each in decided))
    )


async def options(ask: Ask) -> aioweb.StreamResponse:
    """For the browser, when the button is pressed."""
    return for_script(await approvals.vote_options(ask.desk, ask.path["id"], ask.caller))


async def approve(ask: Ask) -> aioweb.StreamResponse:
    """One vote for it."""
    found = forms.form(ask, Assertion)
    if found.value is None:
        raise Stop("unprocessable", faults=found.faults)
    await approvals.approve(ask.desk, ask.path["id"], found.value.assertion, ask.caller)
    return see_other(ask, "approvals", flash="approved")


async def refuse(ask: Ask) -> aioweb.StreamResponse:
    """One vote against it."""
    found = forms.form(ask, Refusal)
    if found.value is None:
        raise Stop("unprocessable", faults=found.faults)
    await approvals.refuse(ask.desk, ask.path["id"], found.value.reason, ask.caller)
    return see_other(ask, "approvals", flash="refused")


def _title(ask: Ask, card: Card) -> str:
    about = card.about
    if card.proposal.action == "people.grant_role":
        text = ask.language.say(N_("Grant the role %(role)s to %(name)s"))
        return text % {"role": role_label(ask, Role(about["role"])), "name": about["account"]}
    if card.proposal.action == "account.enrol_passkey":
        return ask.language.say(N_("Let in a passkey of %(name)s")) % {"name": about["account"]}
    return card.proposal.action


def _card(ask: Ask, card: Card) -> ApprovalCard:
    of, say = card.proposal, ask.language.say
    facts = ((say(N_("Browser")), str(card.about["label"])),) if card.about.get("label") else ()
    agreed = sum(each.agrees for each in of.votes)
    asked = Step(say(N_("Asked")), "done")
    steps = (
        asked,
        *(Step(say(N_("Approval")), "done" if n < agreed else "now" if n == agreed else "later") for n in range(len(of.needed))),
    )
    return ApprovalCard(
        of.id,
        _title(ask, card),
        str(card.about["why"]) or "–",
        card.names.get(of.asked_by, "–"),
        of.asked_at,
        of.expires,
        of.subject.hex(),
        facts,
        _signatures(ask, card),
        len(of.needed),
        steps,
        not card.why_not,
        refusal(ask, card.why_not) if card.why_not else "",
    )


def _row(ask: Ask, card: Card) -> DecidedRow:
    text, tone = OUTCOMES[card.outcome]
    at = card.proposal.used_at or (card.proposal.votes[-1].at if card.proposal.votes else card.proposal.asked_at)
    return DecidedRow(card.proposal.id, _title(ask, card), Badge(ask.language.say(text), tone), at, _signatures(ask, card))


def _signatures(ask: Ask, card: Card) -> tuple[Signature, ...]:
    def of(vote: Vote) -> Signature:
        roles = ", ".join(role_label(ask, role) for role in sorted(vote.roles))
        return Signature(card.names.get(vote.person, "–"), roles, vote.at)

    return tuple(of(each) for each in card.proposal.votes if each.agrees)
