"""What waits for a second person, and voting on it. A vote is a passkey's answer over the subject, which the keeper verifies and counts itself; the
database has the same votes for pages and for the rules of `auth.approvals`. What comes of it is written when both say that it is enough.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

from drawing.canonical import TH
from drawing.errors import Refused
from server.auth import approvals, people, sign_in
from server.auth.approvals import Outcome, Proposal
from server.auth.model import AccountId, PersonId, Role, Thing
from server.auth.permissions import Granted, reaches, require
from server.errors import Stale
from server.keeper.verbs import Approvals
from server.services.desk import Caller, Desk, answered, challenge_of, hand_out
from server.services.matters import (
    BY_KEEPER,
    MATTERS,
    NEW_EPOCH,
    NOTHING,
    Matter,
    account_of,
    grant_subject,
    keeper_grants,
    matter,
    matter_of,
    session_of,
)
from server.storage import accounts
from server.storage import proposals as stored
from server.storage.logins import add_ticket
from server.storage.tx import Tx

__all__ = [
    "NEW_EPOCH",
    "Card",
    "approve",
    "card",
    "card_of",
    "collect",
    "grant_subject",
    "inbox",
    "keeper_grants",
    "refuse",
    "vote_options",
    "withdraw",
]


@dataclass(frozen=True, slots=True)
class Card:
    """A proposal as an inbox shows it. `names`: account names of whoever asked or voted; `why_not`: the code of what keeps the caller from voting;
    `mine`: the caller asked for it; `ready`: the caller may come for its code.
    """

    proposal: Proposal
    about: Mapping[str, Any]
    outcome: Outcome
    names: Mapping[PersonId, str]
    why_not: str
    mine: bool = False
    ready: bool = False


async def inbox(desk: Desk, caller: Caller) -> tuple[tuple[Card, ...], tuple[Card, ...]]:
    """What waits, and what was decided, as far as the caller's roles reach."""
    desk.require("approvals.inbox", caller)
    async with desk.store.reading() as tx:
        found = [*await stored.recent(tx, is_open=True), *await stored.recent(tx, is_open=False, limit=30)]
        cards = [await card_of(tx, each, caller) for each in found if _reached(each, caller)]
    waiting = tuple(each for each in cards if each.outcome in (Outcome.OPEN, Outcome.GRANTED))
    return waiting, tuple(each for each in cards if each not in waiting)


async def card(desk: Desk, id: str, caller: Caller) -> Card:  # noqa: A002 (the field's name)
    """One of them. Raises Refused: what the caller's roles do not reach is not there."""
    async with desk.store.reading() as tx:
        found = await matter(tx, id, caller.request.now)
        desk.require("approvals.read", caller, Thing(found.proposal.centre))
        return await card_of(tx, found.proposal, caller)


async def vote_options(desk: Desk, id: str, caller: Caller) -> str:  # noqa: A002
    """What the browser needs for the passkey that signs this. Raises Refused where the caller may not vote."""
    async with desk.store.reading() as tx:
        found = await matter(tx, id, caller.request.now)
    _may_vote(found, caller)
    challenge = await desk.keeper.approval_challenge(caller.person, found.subject, found.grants)
    return await hand_out(desk, challenge, f"approve:{id}", caller.account, caller.request.now)


async def approve(desk: Desk, id: str, answer: str, caller: Caller) -> Outcome:  # noqa: A002
    """One vote for it; where it was the last one needed, what was asked for is done. Raises Refused."""
    now = caller.request.now
    async with desk.store.reading() as tx:
        found = await matter(tx, id, caller.request.now)
    _may_vote(found, caller)
    challenge = challenge_of(answer.encode())
    await answered(desk.house, challenge, f"approve:{id}", now, caller.account)
    told = await _told(desk, found, challenge, answer)
    evidence = sha256(answer.encode()).digest()
    enough = told.used if found.action in BY_KEEPER else told.enough
    first = MATTERS[found.proposal.action].first
    if enough and first is not None:
        await first(desk, found)

    async def work(tx: Tx) -> Outcome:
        # If we crash before this commits, the keeper has counted; the person votes again and is let through (`_told`).
        again = await matter(tx, id, caller.request.now)
        made = approvals.vote(again.proposal, caller.actor, True, again.subject_now, now, evidence)
        await stored.write(tx, made, caller.person)
        if not enough or MATTERS[made.action].collects:
            return Outcome.GRANTED if enough else Outcome.OPEN
        await _carry_out(tx, replace(again, proposal=made), caller.person)
        return Outcome.USED

    outcome = await desk.store.write(work, now, for_epoch=found.for_epoch)
    after = MATTERS[found.proposal.action].after
    if outcome is Outcome.USED and after is not None:
        await after(desk, found, now)
    if outcome is Outcome.USED and found.grants is not None:
        async with desk.store.reading() as tx:
            held = [AccountId(row["id"]) for row in await tx.all("account", person=found.thing)]
        await sign_in.roles_changed(desk.house, held, now)
    return outcome


async def refuse(desk: Desk, id: str, reason: str, caller: Caller) -> None:  # noqa: A002
    """One vote against it ends it. Raises Refused."""
    now = caller.request.now

    async def work(tx: Tx) -> None:
        found = await matter(tx, id, caller.request.now)
        # The keeper counts approvals only; that a passkey was shown within five minutes is what `approvals.vote` requires.
        evidence = TH("lotroom/v1/refusal", approvals.to_sign(found.proposal, caller.person, False), caller.held.id.encode())
        made = approvals.vote(found.proposal, caller.actor, False, found.subject_now, now, evidence, reason)
        await stored.write(tx, made, caller.person)

    desk.require("approvals.vote", caller)
    async with desk.store.reading() as tx:
        first = await matter(tx, id, now)
    await desk.store.write(work, now, for_epoch=first.for_epoch)


async def withdraw(desk: Desk, id: str, caller: Caller) -> None:  # noqa: A002
    """Whoever asked takes it back; votes on it come to nothing. Raises Refused; Stale where it was carried out meanwhile."""
    now = caller.request.now

    async def work(tx: Tx) -> None:
        found = await matter(tx, id, caller.request.now)
        desk.require("approvals.withdraw", caller, Thing(found.proposal.centre, found.proposal.asked_by))
        if found.proposal.used_at:
            raise Stale(place="approval")
        await stored.write(tx, approvals.void(found.proposal, now), caller.person)

    await desk.store.write(work, now)


async def collect(desk: Desk, id: str, caller: Caller) -> tuple[str, str]:  # noqa: A002
    """Whoever asked comes for the code: the account that it is for and the code, shown once. Raises Refused."""
    now = caller.request.now
    chance = desk.chance(32)

    async def work(tx: Tx) -> tuple[str, str]:
        found = await matter(tx, id, caller.request.now)
        desk.require("approvals.withdraw", caller, Thing(found.proposal.centre, found.proposal.asked_by))  # one's own, or not there
        kind = MATTERS.get(found.proposal.action)
        if kind is None or not kind.collects:
            raise Refused("approval_of_nothing", found.proposal.action)
        account = await account_of(tx, found.thing)
        used, granted = approvals.use(found.proposal, found.subject_now, now, await _roles_now(tx, found.proposal, now))
        require(found.proposal.action, caller.actor, Thing(found.proposal.centre, digest=found.subject_now), now, granted)
        code, ticket = people.stand_in(account, session_of(now), granted, found.subject_now, chance, now)
        await stored.write(tx, used, caller.person)
        await add_ticket(tx, ticket)
        return account.name, code

    return await desk.store.write(work, now)


def _reached(proposal: Proposal, caller: Caller) -> bool:
    return any(each.holds(caller.request.now) and reaches(each, proposal.centre) for each in caller.actor.grants)


async def _told(desk: Desk, found: Matter, challenge: bytes, answer: str) -> Approvals:
    try:
        told = await desk.keeper.approve(challenge, answer)
    except Refused as refused:
        if refused.code != "approved_already":
            raise
        told = await desk.keeper.approvals_of(found.subject.id)
    if told.subject != found.subject.id:
        raise Refused("subject_differs", found.proposal.action)
    return told


def _may_vote(found: Matter, caller: Caller) -> None:
    assert found.action
    approvals.vote(found.proposal, caller.actor, True, found.subject_now, caller.request.now, NOTHING)


async def card_of(tx: Tx, proposal: Proposal, caller: Caller) -> Card:
    """As the caller sees it; whether they may is for who calls this to say."""
    now = caller.request.now
    found = await matter_of(tx, proposal, now)
    voters = {proposal.asked_by, *(each.person for each in proposal.votes)}
    names = {PersonId(row["person"]): row["name"] for row in await tx.all("account", {"person in": sorted(voters)})}
    outcome = approvals.decide(proposal, found.subject_now, now, await _roles_now(tx, proposal, now))
    why_not = ""
    try:
        _may_vote(found, caller)
    except Refused as refused:
        # A confirmation that is asked for when the button is pressed keeps nobody from pressing it.
        why_not = "" if refused.code in ("step_up", "step_up_passkey") else refused.code
    mine = caller.actor.person is not None and caller.actor.person == proposal.asked_by
    kind = MATTERS.get(proposal.action)
    ready = mine and outcome is Outcome.GRANTED and kind is not None and kind.collects
    return Card(proposal, found.about, outcome, names, why_not, mine, ready)


async def _roles_now(tx: Tx, proposal: Proposal, now: int) -> dict[PersonId, frozenset[Role]]:
    return {each.person: approvals.roles_for(proposal, await accounts.grants_of(tx, each.person), now) for each in proposal.votes}


async def _carry_out(tx: Tx, found: Matter, by: PersonId) -> Granted:
    """What was asked for, in the transaction that uses the approval up. Raises Refused where it is not enough here."""
    used, granted = approvals.use(found.proposal, found.subject_now, tx.now, await _roles_now(tx, found.proposal, tx.now))
    do = MATTERS[granted.action].do
    assert do is not None
    await stored.write(tx, used, by)
    await do(tx, replace(found, proposal=used), by)
    return granted
