"""Approvals: assertions that the keeper verified itself, over the digest of what is approved. No row of anybody else's makes one.

A person asks for a challenge over a subject, their authenticator signs it, the keeper checks the answer and writes the approval with the
passkey's new count and a leaf of the log in one transaction. Roles count as they are when approvals are counted, so that a role taken away
takes its approvals along. What the keeper does itself (enrol, grant, revoke, reset) happens in the transaction of the last approval needed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Annotated, Any

from drawing.errors import Refused
from drawing.model import digest, hexes, nested, optional, text, time, whole, word
from server.keeper import passkeys
from server.keeper.core import Core, Open, leaf
from server.keeper.keys import ID
from server.keeper.passkeys import ACTIVE, REVOKED, WAITING
from server.keeper.people import NO_TOTP, Totp, asserted, grants_of, passkeys_of
from server.keeper.rules import (
    APPROVALS,
    MAX_APPROVAL_SECONDS,
    Grants,
    Subject,
    approval_challenge,
    check_grants,
    enough,
    grant_digest,
    reset_digest,
)
from server.keeper.store import NEW, Change
from server.keeper.vault import Vault
from server.keeper.verbs import ApprovalChallenge, Approvals, ApprovalsOf, Approve, Challenge

_EXPERTS = frozenset({"contributor", "expert"})


@dataclass(frozen=True, slots=True)
class Approval:
    """One person's approval, with all that shows it: the nonce and the assertion's digest are also in the log."""

    assertion: Annotated[bytes, digest]
    at: Annotated[int, time]
    credential: Annotated[str, text(64, r"[0-9a-f]{64}")]
    grants: Annotated[Grants | None, optional(nested(Grants))]
    nonce: Annotated[bytes, hexes(ID)]
    person: Annotated[str, word]
    subject: Annotated[Subject, nested(Subject)]


@dataclass(frozen=True, slots=True)
class Tally:
    """How many approvals a subject has."""

    count: Annotated[int, whole(0, 200)]


@dataclass(frozen=True, slots=True)
class Used:
    """An approved subject that was carried out: it is good for one time."""

    at: Annotated[int, time]


async def challenge_for(core: Core, ask: ApprovalChallenge) -> Challenge:
    """The challenge of a subject for one person who may approve it."""
    vault, now, subject = core.vault, core.clock(), ask.subject
    if not now < subject.expires <= now + MAX_APPROVAL_SECONDS:
        raise Refused("approval_expired", "subject.expires")
    if (subject.action == "grant") != (ask.grants is not None):
        raise Refused("grants_only_for_grant", "grants")
    await _may_approve(vault, subject, ask.person, ask.grants)
    nonce = vault.chance(ID)
    challenge = approval_challenge(subject, ask.person, nonce)
    core.challenges.add(challenge, "approve", ask.person, now, (subject, nonce, ask.grants))
    known = tuple(each.id for each in await passkeys_of(vault, ask.person) if each.status == ACTIVE)
    return Challenge(challenge, json.dumps(passkeys.request_options(core.settings.site, challenge, known)))


async def approve(core: Core, ask: Approve) -> Approvals:
    """Verifies and counts an approval, and carries out what the keeper does itself. Raises Refused; then nothing has changed."""
    asked = core.challenges.take(ask.challenge, "approve", core.clock())
    for _ in range(10):
        try:
            return await _approve_once(core, ask, asked)
        except Refused as lost:
            if lost.code != "stale":
                raise
    raise Refused("keeper_busy", "approve")


async def _approve_once(core: Core, ask: Approve, asked: Open) -> Approvals:
    vault, now = core.vault, core.clock()
    subject, nonce, grants = asked.about
    if subject.expires <= now:
        raise Refused("approval_expired", "subject.expires")
    credential, count = await asserted(core, ask.answer, ask.challenge, asked.person)
    await _may_approve(vault, subject, asked.person, grants)
    # Two approvals at once would each not see the other: the second to write loses this row and begins again.
    tally = await vault.state(Tally, f"tally/{subject.id.hex()}", Tally(0))
    before = await _so_far(vault, subject.id)
    if asked.person in before:
        raise Refused("approved_already", "subject")
    if await _used(vault, subject.id):
        raise Refused("approval_used", "subject")
    assertion = sha256(ask.answer.encode()).digest()
    made = Approval(assertion, now, credential.key, grants, nonce, asked.person, subject)
    shown = {"action": subject.action, "object": subject.object, "person": asked.person, "subject": subject.id.hex()}
    changes: list[Change] = [
        count,
        vault.put_state(f"tally/{subject.id.hex()}", Tally(tally.value.count + 1), tally.version),
        vault.put_state(f"approval/{subject.id.hex()}/{asked.person}", made, NEW),
        leaf("approved", now, **shown, assertion=assertion.hex(), credential=credential.key, nonce=nonce.hex()),
    ]
    by = {person: (await grants_of(vault, person)).value for person in (*before, asked.person)}
    complete = enough(subject.action, subject.centre, by)
    if complete:
        changes += await _carry_out(vault, subject, grants, now)
    # If we crash before this returns, there is no approval; after it, there is, with all that follows from it.
    await vault.write(changes)
    return Approvals(tuple(sorted(by)), complete, subject.id, complete and subject.action in _DOES)


async def approvals_of(core: Core, ask: ApprovalsOf) -> Approvals:
    """Who approved a subject, and whether that is enough now."""
    vault = core.vault
    found = await _so_far(vault, ask.subject)
    used = await _used(vault, ask.subject)
    ok = False
    if found:
        ok = await _enough_now(core, found)
    return Approvals(tuple(sorted(found)), ok, ask.subject, used)


async def approved(core: Core, subject_id: bytes, action: str, about: str, least: int = 0) -> Subject:
    """The subject, if it is of this action and object and approved now by the people it needs, `least` in number. Raises Refused("not_approved")."""
    found = await _so_far(core.vault, subject_id)
    subject = next(iter(found.values())).subject if found else None
    if subject is None or subject.action != action or subject.object != about or not await _enough_now(core, found, least):
        raise Refused("not_approved", "approved", action=action)
    return subject


async def use(core: Core, subject_id: bytes, action: str, about: str) -> Change:
    """As `approved`, for one time: the change that uses the approval up. Raises Refused also where it was used."""
    await approved(core, subject_id, action, about)
    if await _used(core.vault, subject_id):
        raise Refused("approval_used", "approved")
    return core.vault.put_state(f"used/{subject_id.hex()}", Used(core.clock()), NEW)


async def _enough_now(core: Core, found: dict[str, Approval], least: int = 0) -> bool:
    subject = next(iter(found.values())).subject
    by = {person: (await grants_of(core.vault, person)).value for person in found}
    able = [person for person, grants in by.items() if grants.holds(frozenset().union(*APPROVALS[subject.action]), subject.centre)]
    return len(able) >= least and core.clock() < subject.expires and enough(subject.action, subject.centre, by)


async def _so_far(vault: Vault, subject_id: bytes) -> dict[str, Approval]:
    found = await vault.states(Approval, f"approval/{subject_id.hex()}/")
    return {person: each for person, each in found.items() if each.person == person and each.subject.id == subject_id}


async def _used(vault: Vault, subject_id: bytes) -> bool:
    return (await vault.state(Used, f"used/{subject_id.hex()}", Used(0))).version != NEW


async def _may_approve(vault: Vault, subject: Subject, person: str, grants: Grants | None) -> None:
    roles = frozenset().union(*APPROVALS[subject.action])
    if not (await grants_of(vault, person)).value.holds(roles, subject.centre):
        raise Refused("approver_role", "person", action=subject.action)
    if person == await _affected(vault, subject):
        raise Refused("approver_is_affected", "person")
    if grants is not None:
        check_grants(grants)
        if grant_digest(subject.object, grants) != subject.digest:
            raise Refused("subject_differs", "subject.digest")


async def _affected(vault: Vault, subject: Subject) -> str:
    """The person whom an action of the keeper is about; nobody approves for themselves."""
    if subject.action in ("enrol", "revoke"):
        kept = await vault.credential(subject.object)
        if kept is None or kept.value.digest != subject.digest:
            raise Refused("subject_differs", "subject.digest")
        return kept.value.person
    if subject.action in ("reset_totp", "reset_totp_expert"):
        if reset_digest(subject.object) != subject.digest:
            raise Refused("subject_differs", "subject.digest")
        return subject.object
    return subject.object if subject.action == "grant" else ""


# What the keeper does itself ------------------------------------------------------------------------------------------------------------


async def _carry_out(vault: Vault, subject: Subject, grants: Grants | None, now: int) -> list[Change]:
    if subject.action not in _DOES:
        return []
    return [*await _DOES[subject.action](vault, subject, grants), vault.put_state(f"used/{subject.id.hex()}", Used(now), NEW)]


async def _set_status(vault: Vault, subject: Subject, needed: tuple[str, ...], status: str) -> list[Change]:
    kept = await vault.credential(subject.object)
    if kept is None or kept.value.status not in needed:
        raise Refused("subject_differs", "subject.object")
    return [vault.put_credential(replace(kept.value, status=status), kept.version)]


async def _enrol(vault: Vault, subject: Subject, _: Grants | None) -> list[Change]:
    return await _set_status(vault, subject, (WAITING,), ACTIVE)


async def _revoke(vault: Vault, subject: Subject, _: Grants | None) -> list[Change]:
    return await _set_status(vault, subject, (WAITING, ACTIVE), REVOKED)


async def _grant(vault: Vault, subject: Subject, grants: Grants | None) -> list[Change]:
    if grants is None:
        raise Refused("grants_only_for_grant", "grants")
    kept = await grants_of(vault, subject.object)
    return [vault.put_state(f"grants/{subject.object}", grants, kept.version)]


async def _reset(vault: Vault, subject: Subject, _: Grants | None) -> list[Change]:
    """The person enrols anew. Host and supervisor do this for experts only, staff need the administrators (issue: logins)."""
    held = {each.role for each in (await grants_of(vault, subject.object)).value.grants}
    if subject.action == "reset_totp_expert" and not held <= _EXPERTS:
        raise Refused("approver_role", "subject.object", action=subject.action)
    kept = await vault.state(Totp, f"totp/{subject.object}", NO_TOTP)
    if kept.version == NEW:
        raise Refused("totp_not_enrolled", "subject.object")
    # The secret of nobody: no code fits until the person enrols, and the last step stays so that an old code is not accepted again.
    return [vault.put_state(f"totp/{subject.object}", replace(kept.value, confirmed=False, secret=vault.chance(20)), kept.version)]


_DOES: dict[str, Any] = {"enrol": _enrol, "grant": _grant, "reset_totp": _reset, "reset_totp_expert": _reset, "revoke": _revoke}
