"""The inbox of approvals: what waits for a second person, and their vote."""

from __future__ import annotations

from typing import Annotated

from aiohttp import web as aioweb
from pydantic import StringConstraints

from server.auth.approvals import Outcome, Vote
from server.auth.model import Role
from server.handlers import forms
from server.handlers.ask import Ask
from server.handlers.draw_words import TITLES
from server.handlers.i18n import N_, china_time
from server.handlers.problems import Stop
from server.handlers.render import for_script, page, see_other
from server.handlers.views import ApprovalCard, ApprovalsPage, Badge, CodePage, DecidedRow, EpochBox, Signature, Step, Tone
from server.handlers.words import refusal, role_label
from server.services import approvals, epoch
from server.services.approvals import Card
from server.services.complaints import LIFT
from server.services.own_record import CONNECT
from server.services.retention import DESTROY

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
    cards, rows = tuple(_card(ask, each) for each in waiting), tuple(_row(ask, each) for each in decided)
    return page(ask, "approvals.html", ApprovalsPage(cards, rows, await _epoch(ask)))


async def new_epoch(ask: Ask) -> aioweb.StreamResponse:
    """Ask for a new epoch of the log."""
    found = forms.form(ask, Refusal)
    if found.value is None:
        raise Stop("unprocessable", faults=found.faults)
    await epoch.propose(ask.desk, found.value.reason, ask.caller)
    return see_other(ask, "approvals", flash="proposed")


async def _epoch(ask: Ask) -> EpochBox | None:
    found = await epoch.behind(ask.desk, ask.now)
    if found is None:
        return None
    frozen = found.frozen.refusal
    asks = any(each.role is Role.SYSTEM_ADMIN and each.holds(ask.now) for each in ask.caller.actor.grants)
    return EpochBox(refusal(ask, frozen.code, place=frozen.place, **frozen.params), found.next, found.asked, asks and not found.asked)


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


async def withdraw(ask: Ask) -> aioweb.StreamResponse:
    """Whoever asked takes it back."""
    await approvals.withdraw(ask.desk, ask.path["id"], ask.caller)
    return see_other(ask, "approvals", flash="removed")


async def collect(ask: Ask) -> aioweb.StreamResponse:
    """The code that was approved, shown once."""
    return page(ask, "code.html", CodePage(*await approvals.collect(ask.desk, ask.path["id"], ask.caller)))


ABOUT_ACCOUNTS = {
    "account.enrol_passkey": N_("Let in a passkey of %(name)s"),
    "account.enrol_passkey_of_security": N_("Let in a passkey of %(name)s"),
    "people.bind_identity": N_("Bind a sign-in of the organisation to the account of %(name)s"),
    "people.resume": N_("Bring back the account of %(name)s"),
    "people.stand_in": N_("Let %(name)s in today without a second factor"),
}


ANSWERS = {"accepted": N_("takes part"), "left": N_("cannot come")}


def title(ask: Ask, card: Card) -> str:
    """What is asked for, in words."""
    about = card.about
    if card.proposal.action == "people.grant_role":
        text = ask.language.say(N_("Grant the role %(role)s to %(name)s"))
        return text % {"role": role_label(ask, Role(about["role"])), "name": about["account"]}
    if card.proposal.action == "pool.edit":
        text = ask.language.say(N_("Change the expert library: %(joins)s join, %(changes)s change, %(leaves)s leave"))
        return text % {name: about[name] for name in ("joins", "changes", "leaves")}
    if card.proposal.action == "people.revoke_role":
        text = ask.language.say(N_("Take the role %(role)s from %(name)s"))
        return text % {"role": role_label(ask, Role(about["role"])), "name": about["account"]}
    if card.proposal.action == "keys.list":
        return ask.language.say(N_("Put version %(number)s of the key list in force")) % {"number": about["number"]}
    if card.proposal.action == "tokens.make":
        return ask.language.say(N_("Let in the service token %(name)s")) % {"name": about["name"]}
    if card.proposal.action == "webhooks.make":
        return ask.language.say(N_("Tell %(name)s what happens in draws")) % {"name": about["name"]}
    if card.proposal.action in ABOUT_ACCOUNTS:
        return ask.language.say(ABOUT_ACCOUNTS[card.proposal.action]) % {"name": about["account"]}
    if card.proposal.action == "draw.answer":
        return ask.language.say(N_("Enter an answer that was given on the telephone: slot %(slot)s %(answer)s")) % {
            "slot": about["slot"] + 1,
            "answer": ask.language.say(ANSWERS[about["state"]]),
        }
    if card.proposal.action == CONNECT:
        return ask.language.say(N_("Make a record of the expert library the own one of %(name)s")) % {"name": about["account"]}
    if card.proposal.action == LIFT:
        return ask.language.say(N_("Draw of project %(number)s: a complaint no longer freezes its evidence")) % {"number": about["number"]}
    if card.proposal.action == DESTROY:
        text = ask.language.say(N_("Draw of project %(number)s, section %(section)s: destroy its sealed files"))
        return text % {"number": about["number"], "section": about["section"]}
    if card.proposal.action in TITLES:
        return ask.language.say(TITLES[card.proposal.action]) % {"number": about["number"], "attempt": about["attempt"]}
    if card.proposal.action == "log.new_epoch":
        return ask.language.say(N_("Begin a new epoch of the log: %(name)s")) % {"name": about["next"]}
    return card.proposal.action


def _card(ask: Ask, card: Card) -> ApprovalCard:
    of, say = card.proposal, ask.language.say
    facts: tuple[tuple[str, str], ...] = ((say(N_("Browser")), str(card.about["label"])),) if card.about.get("label") else ()
    if of.action == "people.bind_identity":
        facts = ((say(N_("Provider")), str(card.about["issuer"])), (say(N_("Name at the organisation")), str(card.about["subject"])))
    if of.action == "tokens.make":
        facts = (
            (say(N_("Role")), role_label(ask, Role(card.about["role"]))),
            (say(N_("Opens")), str(card.about["scopes"])),
            (say(N_("Until")), china_time(card.about["until"])),
        )
    if of.action == "webhooks.make":
        facts = ((say(N_("Address")), str(card.about["address"])),)
    if of.action == LIFT:
        facts = ((say(N_("Project")), str(card.about["number"])), (say(N_("Complaint")), str(card.about["reason"])))
    if of.action == DESTROY:
        facts = ((say(N_("Project")), str(card.about["number"])), (say(N_("Draw")), str(card.about["draw"])[:8]))
        facts += ((say(N_("Dry run")), say(N_("Nothing of it counts."))),) if card.about["dry_run"] else ()
    if of.action == CONNECT:
        facts = ((say(N_("Account")), str(card.about["account"])), (say(N_("Expert")), str(card.about["expert"])))
    if of.action in TITLES:
        facts = ((say(N_("Project")), str(card.about["number"])), (say(N_("Attempt")), str(card.about["attempt"])))
        facts += ((say(N_("Dry run")), say(N_("Nothing of it counts."))),) if card.about["dry_run"] else ()
    if of.action == "log.new_epoch":
        seen = say(N_("%(seen)s entries at %(place)s, %(size)s here")) % dict(card.about)
        facts = ((say(N_("Log")), str(card.about["origin"])), (say(N_("Seen by the witness")), seen))
    agreed = sum(each.agrees for each in of.votes)
    asked = Step(say(N_("Asked")), "done")
    steps = (
        asked,
        *(Step(say(N_("Approval")), "done" if n < agreed else "now" if n == agreed else "later") for n in range(len(of.needed))),
    )
    return ApprovalCard(
        of.id,
        title(ask, card),
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
        card.mine,
        card.ready,
    )


def _row(ask: Ask, card: Card) -> DecidedRow:
    text, tone = OUTCOMES[card.outcome]
    at = card.proposal.used_at or (card.proposal.votes[-1].at if card.proposal.votes else card.proposal.asked_at)
    return DecidedRow(card.proposal.id, title(ask, card), Badge(ask.language.say(text), tone), at, _signatures(ask, card))


def _signatures(ask: Ask, card: Card) -> tuple[Signature, ...]:
    def of(vote: Vote) -> Signature:
        roles = ", ".join(role_label(ask, role) for role in sorted(vote.roles))
        return Signature(card.names.get(vote.person, "–"), roles, vote.at)

    return tuple(of(each) for each in card.proposal.votes if each.agrees)
