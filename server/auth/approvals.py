"""The one way in which two people allow something: a proposal, votes, and what they come to.

A proposal is about one action on one version of one thing: its subject is a digest, and a new digest voids it. Different persons of different
roles vote, each with a passkey over `to_sign`; neither whoever asked nor whom it concerns is among them. What the votes come to is computed
whenever it is asked (`decide`), against the roles that voters still hold then: a delegation that ended takes its vote with it.
Granted is not yet done: `use` turns it into the value that `permissions.require` wants, once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import permutations
from typing import NewType

from drawing.canonical import TH, dumps
from drawing.errors import Refused
from server.auth.model import EVERYWHERE, AccountId, Actor, CentreId, Grant, PersonId, Role, Thing
from server.auth.permissions import Granted, reaches, require, require_to_ask

ProposalId = NewType("ProposalId", str)

# security.md 2.7, in its order; the permission table says who approves each.
CRITICAL: Mapping[str, str] = {
    "pool edit": "pool.edit",
    "rule edit": "rules.edit",
    "draw start": "draw.start",
    "cancel": "draw.cancel",
    "release": "draw.release",
    "early release": "draw.release_early",
    "reset MFA": "people.reset_factor",
    "role grant": "people.grant_role",
    "retention change": "retention.change",
    "legal hold lift": "hold.lift",
    "export evidence": "evidence.export",
    "restore": "backup.restore",
}

DEFAULT_LIFE, LONGEST_LIFE = 3 * 86_400, 14 * 86_400
MOST_VOTES = 16
MOST_REASON = 500  # characters


class Outcome(StrEnum):
    OPEN = "open"
    GRANTED = "granted"
    REFUSED = "refused"
    EXPIRED = "expired"
    VOID = "void"
    USED = "used"


@dataclass(frozen=True, slots=True)
class Vote:
    """`roles`: those the voter held for this when voting; `evidence`: digest of the passkey's assertion, which the keeper verified."""

    person: PersonId
    account: AccountId
    roles: frozenset[Role]
    agrees: bool
    at: int
    evidence: bytes
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Proposal:
    id: ProposalId
    action: str  # a permission's name
    subject: bytes  # 32 bytes
    centre: CentreId
    asked_by: PersonId
    concerns: frozenset[PersonId]  # who gains or loses by it: does not vote
    needed: tuple[frozenset[Role], ...]
    asked_at: int
    expires: int
    votes: tuple[Vote, ...] = ()
    void_at: int = 0
    used_at: int = 0
    version: int = 1


def propose(
    id: ProposalId,  # noqa: A002 (the field's name)
    action: str,
    actor: Actor,
    thing: Thing,
    now: int,
    concerns: Iterable[PersonId] = (),
    life: int = DEFAULT_LIFE,
) -> Proposal:
    """Ask for approval. Raises Refused where the actor may not do this even when approved, and for a thing without a digest."""
    row = require_to_ask(action, actor, thing, now)
    if not row.approvals:
        raise Refused("approval_not_needed", action)
    if len(thing.digest) != 32 or actor.person is None:
        raise Refused("approval_of_nothing", action)
    if not 0 < life <= LONGEST_LIFE:
        raise Refused("approval_life", action, most=LONGEST_LIFE // 86_400)
    return Proposal(id, action, thing.digest, thing.centre or EVERYWHERE, actor.person, frozenset(concerns), row.approvals, now, now + life)


def to_sign(proposal: Proposal, person: PersonId, agrees: bool) -> bytes:
    """The challenge of the voter's passkey: everything that the vote means, and nothing that another vote changes."""
    value = {
        "action": proposal.action,
        "agrees": agrees,
        "asked_at": proposal.asked_at,
        "asked_by": proposal.asked_by,
        "centre": proposal.centre,
        "concerns": sorted(proposal.concerns),
        "expires": proposal.expires,
        "id": proposal.id,
        "needed": [sorted(role.value for role in one) for one in proposal.needed],
        "person": person,
        "subject": proposal.subject.hex(),
    }
    return TH("lotroom/v1/approval", dumps(value))


def vote(proposal: Proposal, actor: Actor, agrees: bool, subject_now: bytes, now: int, evidence: bytes, reason: str = "") -> Proposal:
    """The proposal with one more vote. Raises Refused.

    `subject_now`: the digest of the thing as it is; `evidence`: 32 bytes that the keeper gave for a passkey over `to_sign`.
    """
    require("approvals.vote", actor, Thing(centre=proposal.centre), now)
    if actor.person is None or actor.account is None:
        raise Refused("sign_in", proposal.action)
    if actor.person == proposal.asked_by or actor.person in proposal.concerns:
        raise Refused("own_approval", proposal.action)
    if actor.person in {each.person for each in proposal.votes}:
        raise Refused("voted_already", proposal.action)
    roles = roles_for(proposal, actor.grants, now)
    if not roles:
        raise Refused("not_your_role", proposal.action)
    if len(evidence) != 32:
        raise Refused("step_up_passkey", proposal.action)
    if len(reason) > MOST_REASON or (not agrees and not reason.strip()):
        raise Refused("reason_missing", proposal.action, most=MOST_REASON)
    outcome = _before_votes(proposal, subject_now, now)
    if outcome is Outcome.OPEN and (not all(each.agrees for each in proposal.votes) or len(proposal.votes) >= MOST_VOTES):
        outcome = Outcome.REFUSED
    if outcome is not Outcome.OPEN:
        raise _not(outcome, proposal)
    made = Vote(actor.person, actor.account, roles, agrees, now, evidence, reason)
    return replace(proposal, votes=(*proposal.votes, made), version=proposal.version + 1)


def roles_for(proposal: Proposal, grants: Iterable[Grant], now: int) -> frozenset[Role]:
    """Which of the needed roles these grants give for the proposal now."""
    wanted = frozenset().union(*proposal.needed)
    return frozenset(each.role for each in grants if each.role in wanted and each.holds(now) and reaches(each, proposal.centre))


def decide(proposal: Proposal, subject_now: bytes, now: int, roles_now: Mapping[PersonId, frozenset[Role]]) -> Outcome:
    """What it has come to. Until it is used, one who disagrees stops it, even after enough have agreed. `roles_now`: `roles_for` each voter as of now, for accounts that are active; who is missing there holds none."""
    outcome = _before_votes(proposal, subject_now, now)
    if outcome is not Outcome.OPEN:
        return outcome
    if not all(each.agrees for each in proposal.votes):
        return Outcome.REFUSED
    return Outcome.GRANTED if _filled(proposal, roles_now) else Outcome.OPEN


def _before_votes(proposal: Proposal, subject_now: bytes, now: int) -> Outcome:
    if proposal.used_at:
        return Outcome.USED
    if proposal.void_at or subject_now != proposal.subject:
        return Outcome.VOID
    return Outcome.EXPIRED if now >= proposal.expires else Outcome.OPEN


def _filled(proposal: Proposal, roles_now: Mapping[PersonId, frozenset[Role]]) -> tuple[PersonId, ...]:
    """One person per needed approval, all persons and all roles different; () where there is no such choice. Three of sixteen at most."""
    held = {each.person: each.roles & roles_now.get(each.person, frozenset()) for each in proposal.votes}
    for asker in (proposal.asked_by, *proposal.concerns):
        held.pop(asker, None)  # such a vote is refused; one that got in otherwise counts for nothing
    for persons in permutations(sorted(held), len(proposal.needed)):
        choices: set[frozenset[Role]] = {frozenset()}
        for wanted, person in zip(proposal.needed, persons, strict=True):
            choices = {taken | {role} for taken in choices for role in wanted & held[person] if role not in taken}
        if choices:
            return persons  # none where none is needed: the empty set refuses
    return ()


def use(proposal: Proposal, subject_now: bytes, now: int, roles_now: Mapping[PersonId, frozenset[Role]]) -> tuple[Proposal, Granted]:
    """The proposal as used up, and what `require` wants. Written in the transaction of the action itself: of two that try, one is Stale.

    Raises Refused where it is not granted (any more).
    """
    outcome = decide(proposal, subject_now, now, roles_now)
    if outcome is not Outcome.GRANTED:
        raise _not(outcome, proposal)
    persons = _filled(proposal, roles_now)
    granted = Granted(proposal.action, proposal.subject, proposal.centre, proposal.asked_by, persons, proposal.expires)
    return replace(proposal, used_at=now, version=proposal.version + 1), granted


def void(proposal: Proposal, now: int) -> Proposal:
    """For ever: the thing changed, or who asked takes it back. Raises Refused where it was used already."""
    if proposal.used_at:
        raise _not(Outcome.USED, proposal)
    return replace(proposal, void_at=proposal.void_at or now, version=proposal.version + 1)


def _not(outcome: Outcome, proposal: Proposal) -> Refused:
    match outcome:
        case Outcome.OPEN:
            return Refused("approval_first", proposal.action)
        case Outcome.GRANTED:
            return Refused("approval_complete", proposal.action)
        case Outcome.REFUSED:
            return Refused("approval_refused", proposal.action)
        case Outcome.EXPIRED:
            return Refused("approval_expired", proposal.action)
        case Outcome.VOID:
            return Refused("approval_void", proposal.action)
        case Outcome.USED:
            return Refused("approval_used", proposal.action)
