"""What waits for approval, and what was approved. A vote is a row of its own; a proposal's row changes with it, so that of two votes at once the
second is Stale and looks again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drawing.canonical import dumps, loads
from server.auth.approvals import Proposal, ProposalId, Vote
from server.auth.model import EVERYWHERE, AccountId, CentreId, PersonId, Role
from server.storage.tx import Row, Tx

MOST_LISTED = 200


async def proposal(tx: Tx, id: str) -> Proposal | None:  # noqa: A002 (the field's name)
    """With its votes, in their order."""
    row = await tx.one("approval", id=id)
    return await _proposal(tx, row) if row else None


async def about(tx: Tx, id: str) -> Mapping[str, Any]:  # noqa: A002
    """What the page shows of it besides the proposal: `object`, `why`, and the facts that the digest covers."""
    row = await tx.get("approval", id)
    return {**loads(row["terms"].encode(), place="approval", text=True)["about"], "object": row["subject"], "why": row["why"] or ""}


async def add(tx: Tx, made: Proposal, thing: str, why: str, facts: Mapping[str, Any]) -> None:
    """A new one about `thing`. The facts are canonical JSON."""
    terms = {"about": dict(facts), "concerns": sorted(made.concerns)}
    row = {
        "id": made.id,
        "centre": None if made.centre == EVERYWHERE else made.centre,
        "action": made.action,
        "subject": thing,
        "digest": made.subject,
        "terms": dumps(terms, text=True).decode(),
        "needs": dumps([sorted(role.value for role in one) for one in made.needed]).decode(),
        "state": "open",
        "asked_by": made.asked_by,
        "why": why,
        "asked_at": made.asked_at,
        "expires_at": made.expires,
    }
    await tx.insert("approval", row, made.asked_by, "proposed")


async def write(tx: Tx, made: Proposal, by: str) -> None:
    """Over the row whose version is one less, with the votes that are new. Raises Stale."""
    known = await tx.count("approval_vote", approval=made.id)
    for each in made.votes[known:]:
        row = {
            "approval": made.id,
            "person": each.person,
            "account": each.account,
            "role": " ".join(sorted(each.roles)),
            "word": "agrees" if each.agrees else "refuses",
            "assertion": each.evidence,
            "reason": each.reason or None,
            "at": each.at,
        }
        await tx.insert("approval_vote", row, each.person, "vote")
    over = made.used_at or made.void_at or (made.votes[-1].at if made.votes and not made.votes[-1].agrees else 0)
    state = "used" if made.used_at else "void" if made.void_at else "refused" if over else "open"
    values = {"state": state, "decided_at": over or None, "used_at": made.used_at or None}
    await tx.change("approval", made.id, values, by, made.version - 1)


async def recent(tx: Tx, *, is_open: bool, limit: int = MOST_LISTED) -> list[Proposal]:
    """The newest first; `is_open`: those that wait, else those that came to something."""
    where: dict[str, Any] = {"state": "open"} if is_open else {"state !=": "open"}
    return [await _proposal(tx, row) for row in await tx.all("approval", where, order=["-asked_at", "id"], limit=limit)]


async def _proposal(tx: Tx, row: Row) -> Proposal:
    votes = await tx.all("approval_vote", approval=row["id"], order=["at", "id"])
    concerns = loads(row["terms"].encode(), place="approval", text=True)["concerns"]
    over = row["decided_at"] or 0
    return Proposal(
        ProposalId(row["id"]),
        row["action"],
        bytes(row["digest"]),
        CentreId(row["centre"] or EVERYWHERE),
        PersonId(row["asked_by"]),
        frozenset(PersonId(each) for each in concerns),
        tuple(frozenset(Role(role) for role in one) for one in loads(row["needs"].encode(), place="approval")),
        row["asked_at"],
        row["expires_at"],
        tuple(_vote(each) for each in votes),
        over if row["state"] == "void" else 0,
        row["used_at"] or 0,
        row["version"],
    )


def _vote(row: Row) -> Vote:
    roles = frozenset(Role(each) for each in row["role"].split())
    agrees = row["word"] == "agrees"
    return Vote(PersonId(row["person"]), AccountId(row["account"]), roles, agrees, row["at"], bytes(row["assertion"]), row["reason"] or "")
