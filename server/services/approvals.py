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
from server.auth import approvals, sign_in
from server.auth.approvals import Outcome, Proposal
from server.auth.model import AccountId, CentreId, Grant, PersonId, Role
from server.auth.permissions import Granted, reaches
from server.keeper import rules as keeper
from server.keeper.verbs import Approvals
from server.services.desk import Caller, Desk, answered, challenge_of, hand_out, keeper_centre
from server.storage import accounts
from server.storage import proposals as stored
from server.storage.tx import Tx

NOTHING = bytes(32)  # the subject of what is no longer there


@dataclass(frozen=True, slots=True)
class Card:
    """A proposal as an inbox shows it. `names`: account names of whoever asked or voted; `why_not`: the code of what keeps the caller from voting."""

    proposal: Proposal
    about: Mapping[str, Any]
    outcome: Outcome
    names: Mapping[PersonId, str]
    why_not: str


@dataclass(frozen=True, slots=True)
class _Matter:
    """A proposal with its subject as it is now; `grants` of the person whom a role is for, the new one among them."""

    proposal: Proposal
    about: Mapping[str, Any]
    subject_now: bytes
    grants: keeper.Grants | None

    @property
    def thing(self) -> str:
        return str(self.about["object"]).partition("/")[2]

    @property
    def subject(self) -> keeper.Subject:
        action = _KEEPER[self.proposal.action]
        return keeper.Subject(action, keeper_centre(self.proposal.centre), self.proposal.subject, self.proposal.expires, self.thing)


_KEEPER = {"people.grant_role": "grant", "account.enrol_passkey": "enrol"}
_ROLES = {Role.WITNESS_ON_SITE: "site_witness"}


def keeper_grants(grants: frozenset[Grant]) -> keeper.Grants:
    """Roles in the keeper's words, in one order."""
    found = {keeper.Grant(keeper_centre(each.centre), _ROLES.get(each.role, each.role.value)) for each in grants}
    return keeper.Grants(tuple(sorted(found, key=lambda each: (each.centre, each.role))))


def grant_subject(person: PersonId, grants: frozenset[Grant]) -> bytes:
    """What an approval of a role covers: all roles that the person has from then on."""
    return keeper.grant_digest(person, keeper_grants(grants))


async def inbox(desk: Desk, caller: Caller) -> tuple[tuple[Card, ...], tuple[Card, ...]]:
    """What waits, and what was decided, as far as the caller's roles reach."""
    desk.require("approvals.inbox", caller)
    now = caller.request.now
    async with desk.store.reading() as tx:
        found = [*await stored.recent(tx, is_open=True), *await stored.recent(tx, is_open=False, limit=30)]
        reached = [each for each in found if any(one.holds(now) and reaches(one, each.centre) for one in caller.actor.grants)]
        cards = [await _card(tx, each, caller) for each in reached]
    waiting = tuple(each for each in cards if each.outcome in (Outcome.OPEN, Outcome.GRANTED))
    return waiting, tuple(each for each in cards if each not in waiting)


async def vote_options(desk: Desk, id: str, caller: Caller) -> str:  # noqa: A002 (the field's name)
    """What the browser needs for the passkey that signs this. Raises Refused where the caller may not vote."""
    async with desk.store.reading() as tx:
        matter = await _matter(tx, id)
    _may_vote(matter, caller)
    challenge = await desk.keeper.approval_challenge(caller.person, matter.subject, matter.grants)
    return await hand_out(desk, challenge, f"approve:{id}", caller.account, caller.request.now)


async def approve(desk: Desk, id: str, answer: str, caller: Caller) -> Outcome:  # noqa: A002
    """One vote for it; where it was the last one needed, what was asked for is done. Raises Refused."""
    now = caller.request.now
    async with desk.store.reading() as tx:
        matter = await _matter(tx, id)
    _may_vote(matter, caller)
    challenge = challenge_of(answer.encode())
    await answered(desk.house, challenge, f"approve:{id}", now, caller.account)
    told = await _told(desk, matter, challenge, answer)
    evidence = sha256(answer.encode()).digest()

    async def work(tx: Tx) -> Outcome:
        # If we crash before this commits, the keeper has counted; the person votes again and is let through (`_told`).
        again = await _matter(tx, id)
        made = approvals.vote(again.proposal, caller.actor, True, again.subject_now, now, evidence)
        await stored.write(tx, made, caller.person)
        if told.used:
            await _carry_out(tx, replace(again, proposal=made), caller.person)
        return Outcome.USED if told.used else Outcome.OPEN

    outcome = await desk.store.write(work, now)
    if outcome is Outcome.USED and matter.grants is not None:
        async with desk.store.reading() as tx:
            held = [AccountId(row["id"]) for row in await tx.all("account", person=matter.thing)]
        await sign_in.roles_changed(desk.house, held, now)
    return outcome


async def refuse(desk: Desk, id: str, reason: str, caller: Caller) -> None:  # noqa: A002
    """One vote against it ends it. Raises Refused."""
    now = caller.request.now

    async def work(tx: Tx) -> None:
        matter = await _matter(tx, id)
        # The keeper counts approvals only; that a passkey was shown within five minutes is what `approvals.vote` requires.
        evidence = TH("lotroom/v1/refusal", approvals.to_sign(matter.proposal, caller.person, False), caller.held.id.encode())
        made = approvals.vote(matter.proposal, caller.actor, False, matter.subject_now, now, evidence, reason)
        await stored.write(tx, made, caller.person)

    desk.require("approvals.vote", caller)
    await desk.store.write(work, now)


async def _told(desk: Desk, matter: _Matter, challenge: bytes, answer: str) -> Approvals:
    try:
        told = await desk.keeper.approve(challenge, answer)
    except Refused as refused:
        if refused.code != "approved_already":
            raise
        told = await desk.keeper.approvals_of(matter.subject.id)
    if told.subject != matter.subject.id:
        raise Refused("subject_differs", matter.proposal.action)
    return told


def _may_vote(matter: _Matter, caller: Caller) -> None:
    if matter.proposal.action not in _KEEPER:
        raise Refused("approval_of_nothing", matter.proposal.action)
    approvals.vote(matter.proposal, caller.actor, True, matter.subject_now, caller.request.now, NOTHING)


async def _card(tx: Tx, proposal: Proposal, caller: Caller) -> Card:
    matter = await _matter_of(tx, proposal)
    now = caller.request.now
    people = {proposal.asked_by, *(each.person for each in proposal.votes)}
    names = {PersonId(row["person"]): row["name"] for row in await tx.all("account", {"person in": sorted(people)})}
    outcome = approvals.decide(proposal, matter.subject_now, now, await _roles_now(tx, proposal, now))
    why_not = ""
    try:
        _may_vote(matter, caller)
    except Refused as refused:
        # A confirmation that is asked for when the button is pressed keeps nobody from pressing it.
        why_not = "" if refused.code in ("step_up", "step_up_passkey") else refused.code
    return Card(proposal, matter.about, outcome, names, why_not)


async def _matter(tx: Tx, id: str) -> _Matter:  # noqa: A002
    """Raises Refused("not_found")."""
    proposal = await stored.proposal(tx, id)
    if proposal is None:
        raise Refused("not_found", "approval")
    return await _matter_of(tx, proposal)


async def _matter_of(tx: Tx, proposal: Proposal) -> _Matter:
    about = await stored.about(tx, proposal.id)
    thing = str(about["object"]).partition("/")[2]
    if proposal.action == "people.grant_role":
        grants = await accounts.grants_of(tx, PersonId(thing)) | {Grant(Role(about["role"]), CentreId(about["centre"]))}
        return _Matter(proposal, about, grant_subject(PersonId(thing), grants), keeper_grants(grants))
    if proposal.action == "account.enrol_passkey":
        row = await tx.one("passkey", credential=bytes.fromhex(thing), revoked_at=None)
        return _Matter(proposal, about, bytes(row["public_key"]) if row else NOTHING, None)
    return _Matter(proposal, about, proposal.subject, None)


async def _roles_now(tx: Tx, proposal: Proposal, now: int) -> dict[PersonId, frozenset[Role]]:
    return {each.person: approvals.roles_for(proposal, await accounts.grants_of(tx, each.person), now) for each in proposal.votes}


async def _carry_out(tx: Tx, matter: _Matter, by: PersonId) -> None:
    """What was asked for, in the transaction that uses the approval up. Raises Refused where it is not enough here."""
    used, granted = approvals.use(matter.proposal, matter.subject_now, tx.now, await _roles_now(tx, matter.proposal, tx.now))
    await stored.write(tx, used, by)
    if granted.action == "people.grant_role":
        grant = Grant(Role(matter.about["role"]), CentreId(matter.about["centre"]))
        await accounts.give_role(tx, PersonId(matter.thing), grant, matter.proposal.id, by)
    else:
        await _let_in(tx, matter, granted, by)


async def _let_in(tx: Tx, matter: _Matter, granted: Granted, by: PersonId) -> None:
    row = await tx.one("passkey", credential=bytes.fromhex(matter.thing))
    assert row is not None
    await tx.change("passkey", row["id"], {"approval": matter.proposal.id}, by, row["version"], "approved")
    before = await accounts.account(tx, AccountId(row["account"]))
    assert before is not None
    await accounts.write_account(tx, replace(before, passkeys=before.passkeys + 1, version=before.version + 1), by, "passkey")
