"""Service tokens: making one, seeing and ending them, and who shows one. The secret is given once; what counts is let in by two others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from drawing.errors import Refused
from server.auth import approvals, service_tokens
from server.auth.approvals import ProposalId
from server.auth.model import EVERYWHERE, Actor, CentreId, Role, Thing
from server.auth.permissions import TABLE
from server.auth.service_tokens import ServiceToken, TokenId
from server.services.desk import Caller, Desk
from server.storage import proposals as stored
from server.storage import service_tokens as rows
from server.storage.tx import Tx

DAY = 86_400


@dataclass(frozen=True, slots=True)
class Listed:
    """A token in the list; `used`: when it was last shown, 0 for never; `by`: the account name of whoever made it."""

    token: ServiceToken
    used: int
    by: str


def scopes() -> Mapping[str, tuple[Role, ...]]:
    """What a token may carry, and for which roles."""
    return {row.name: tuple(sorted(row.roles)) for row in TABLE.values() if row.by_token}


async def listed(desk: Desk, caller: Caller) -> tuple[Listed, ...]:
    """All of them, the newest first."""
    desk.require("tokens.list", caller)
    async with desk.store.reading() as tx:
        found = await rows.listed(tx)
        names = {row["person"]: row["name"] for row in await tx.all("account", {"person in": sorted({each.made_by for each, _ in found})})}
    return tuple(Listed(each, used, names.get(each.made_by, "")) for each, used in found)


async def make(
    desk: Desk, name: str, role: Role, centre: str, wanted: Iterable[str], days: int, why: str, caller: Caller
) -> tuple[str, ServiceToken]:
    """The secret, shown once, and the token, which opens nothing until two others have approved it. Raises Refused."""
    desk.require_to_ask("tokens.make", caller)
    now = caller.request.now
    place = CentreId(centre or EVERYWHERE)
    secret, made = service_tokens.make(
        TokenId(desk.chance(16).hex()), name, role, place, wanted, caller.person, desk.chance(32), now, days * DAY
    )
    thing = Thing(place, caller.person, made.digest)
    proposal = approvals.propose(ProposalId(desk.chance(16).hex()), "tokens.make", caller.actor, thing, now)

    async def work(tx: Tx) -> None:
        if place != EVERYWHERE and await tx.one("centre", id=place) is None:
            raise Refused("not_found", "centre")
        await rows.add(tx, made)
        facts = {"name": made.name, "role": role.value, "centre": place, "scopes": " ".join(sorted(made.scopes)), "until": made.expires}
        await stored.add(tx, proposal, f"service_token/{made.id}", why, facts)

    await desk.store.write(work, now)
    return secret, made


async def revoke(desk: Desk, id: str, caller: Caller) -> None:  # noqa: A002 (the field's name)
    """At once. Raises Refused."""
    desk.require("tokens.revoke", caller)

    async def work(tx: Tx) -> None:
        if not await rows.revoke(tx, id, caller.person):
            raise Refused("not_found", "token")

    await desk.store.write(work, caller.request.now)


async def who(desk: Desk, text: str, now: int) -> tuple[ServiceToken, Actor]:
    """Who shows this token. Raises Refused("token_not_valid")."""
    hashed = service_tokens.hash_of(text)
    found, used = None, 0
    if hashed is not None:
        async with desk.store.reading() as tx:
            found, used = await rows.by_hash(tx, hashed)
    actor = service_tokens.actor(found, now)
    assert found is not None
    if now - used >= rows.USE_SECONDS:
        await desk.store.write(lambda tx: rows.used(tx, found.id), now)
    return found, actor


async def waiting_for(tx: Tx, id: str) -> bytes:  # noqa: A002
    """The digest of a token that may still be let in; zeros where there is none."""
    found = await rows.one(tx, id)
    return found.digest if found is not None and not found.revoked_at and not found.approved else bytes(32)
