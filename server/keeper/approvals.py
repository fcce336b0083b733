"""Approvals: assertions that the keeper verified itself, over the digest of what is approved. No row of anybody else's makes one.

A person asks for a challenge over a subject, their authenticator signs it, the keeper checks the answer and writes the approval with the
passkey's new count and a leaf of the log in one transaction. Roles count as they are when approvals are counted, so that a role taken away
takes its approvals along. What the keeper does itself (enrol, grant, revoke, reset) happens in the transaction of the last approval needed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Annotated, Any

from drawing.errors import Refused
from drawing.model import digest, hexes, nested, optional, text, time, whole, word
from server.keeper import passkeys
from server.keeper.core import Core, LogName, Open, leaf, log_name
from server.keeper.passkeys import ACTIVE, REVOKED, WAITING
from server.keeper.people import NO_TOTP, Totp, asserted, grants_of, passkeys_of
from server.keeper.rules import (
    APPROVALS,
    EVERYWHERE,
    ID,
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
from server.storage.frozen import Frozen, epoch_digest, next_epoch

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
    await _may_approve(core, subject, ask.person, ask.grants)
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
    await _may_approve(core, subject, asked.person, grants)
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
        _told(subject, leaf("approved", now, **shown, assertion=assertion.hex(), credential=credential.key, nonce=nonce.hex())),
    ]
    by = {person: (await grants_of(vault, person)).value for person in (*before, asked.person)}
    complete = enough(subject.action, subject.centre, by)
    if complete:
        changes += await _carry_out(core, subject, grants, now, sorted(by))
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


async def approved(core: Core, subject_id: bytes, action: str, about: str, centre: str | None, least: int = 0) -> Subject:
    """The subject, if it is of this action, object and centre and approved now by the people it needs, `least` in number. Raises Refused("not_approved").

    `centre` is of the thing itself: roles are counted in the centre that a subject names, and whoever asks for a challenge names it. None where
    the thing is of no centre, and people of any may approve it.
    """
    found = await _so_far(core.vault, subject_id)
    subject = next(iter(found.values())).subject if found else None
    if subject is None or (subject.action, subject.object, subject.centre) != (action, about, subject.centre if centre is None else centre):
        raise Refused("not_approved", "approved", action=action)
    if not await _enough_now(core, found, least):
        raise Refused("not_approved", "approved", action=action)
    return subject


async def use(core: Core, subject_id: bytes, action: str, about: str, centre: str | None) -> Change:
    """As `approved`, for one time: the change that uses the approval up. Raises Refused also where it was used."""
    await approved(core, subject_id, action, about, centre)
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


async def _may_approve(core: Core, subject: Subject, person: str, grants: Grants | None) -> None:
    vault = core.vault
    roles = frozenset().union(*APPROVALS[subject.action])
    if not (await grants_of(vault, person)).value.holds(roles, subject.centre):
        raise Refused("approver_role", "person", action=subject.action)
    if person == await _affected(vault, subject):
        raise Refused("approver_is_affected", "person")
    if subject.action in ("enrol", "enrol_security"):
        kept = await vault.credential(subject.object)
        of_security = kept is not None and (await grants_of(vault, kept.value.person)).value.somewhere(("security_admin",))
        if of_security != (subject.action == "enrol_security"):  # whose passkey it is says who lets it in
            raise Refused("approver_role", "subject.action", action=subject.action)
    if grants is not None:
        check_grants(grants)
        if grant_digest(subject.object, grants) != subject.digest:
            raise Refused("subject_differs", "subject.digest")
    if subject.action == "new_epoch":
        await _behind(core, subject)


async def _affected(vault: Vault, subject: Subject) -> str:
    """The person whom an action of the keeper is about; nobody approves for themselves."""
    if subject.action in ("enrol", "enrol_security", "revoke"):
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


def _told(subject: Subject, change: Change) -> Change:
    """The leaf of an approval; a new epoch's goes into a log that takes no others."""
    return replace(change, kind="epoch_leaf") if subject.action == "new_epoch" else change


async def _carry_out(core: Core, subject: Subject, grants: Grants | None, now: int, by: Sequence[str]) -> list[Change]:
    if subject.action not in _DOES:
        return []
    used = core.vault.put_state(f"used/{subject.id.hex()}", Used(now), NEW)
    if subject.action == "new_epoch":
        return [*await _new_epoch(core, subject, now, by), used]
    return [*await _DOES[subject.action](core.vault, subject, grants), used]


async def _behind(core: Core, subject: Subject) -> Frozen:
    """What a witness has seen beyond this log. Raises Refused where the log may grow, or the approval is of another state of things."""
    frozen, origin = await core.vault.store.frozen(), (await log_name(core)).value.origin
    if frozen is None:
        raise Refused("log_not_behind", "log")
    if subject.centre != EVERYWHERE or subject.object != next_epoch(origin) or subject.digest != epoch_digest(origin, frozen):
        raise Refused("subject_differs", "subject.digest")
    return frozen


async def _new_epoch(core: Core, subject: Subject, now: int, by: Sequence[str]) -> list[Change]:
    """The log goes on under its next name: a notice of what was seen beyond it and who approved, and from now on checkpoints of that name only."""
    frozen, name = await _behind(core, subject), await log_name(core)
    seen = [{"address": frozen.place, "size": frozen.seen}]
    said = {
        "approved": list(by),
        "origin": name.value.origin,
        "seen": seen,
        "size": frozen.size,
        "subject": subject.id.hex(),
        "why": frozen.code,
    }
    notice = replace(leaf("epoch_begun", now, **said), kind="epoch", key=(subject.object,))
    return [notice, core.vault.put_state("log_name", LogName(subject.object), name.version)]


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


_DOES: dict[str, Any] = {
    "enrol": _enrol,
    "enrol_security": _enrol,
    "grant": _grant,
    "new_epoch": _new_epoch,
    "reset_totp": _reset,
    "reset_totp_expert": _reset,
    "revoke": _revoke,
}
