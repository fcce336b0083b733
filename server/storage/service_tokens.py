"""Service tokens as rows. Making, letting in and ending one is a leaf each; when one was last used is transient and right to five minutes."""

from __future__ import annotations

from sqlalchemy import select

from server.auth.model import EVERYWHERE, CentreId, PersonId, Role
from server.auth.service_tokens import ServiceToken, TokenId
from server.storage import tables
from server.storage.tx import Row, Tx

USE_SECONDS = 300
MOST_LISTED = 500


def token_of(row: Row) -> ServiceToken:
    """The value of a row of `service_token`."""
    return ServiceToken(
        TokenId(row["id"]),
        bytes(row["token_hash"]),
        row["shown"],
        row["name"],
        Role(row["role"]),
        CentreId(row["centre"] or EVERYWHERE),
        frozenset(row["scopes"].split()),
        PersonId(row["created_by"]),
        row["created_at"],
        row["expires_at"],
        row["revoked_at"] or 0,
        row["approval"] is not None,
    )


async def by_hash(tx: Tx, hashed: bytes) -> tuple[ServiceToken | None, int]:
    """The token and when it was last used (0: never)."""
    mine, use = tables.service_token, tables.token_use
    query = select(mine, use.c.at.label("used_at")).join_from(mine, use, use.c.token == mine.c.id, isouter=True)
    found = await tx.rows(query.where(mine.c.token_hash == hashed))
    return (token_of(found[0]), found[0]["used_at"] or 0) if found else (None, 0)


async def used(tx: Tx, id: TokenId) -> None:  # noqa: A002 (the field's name)
    """It was shown now."""
    if not await tx.set("token_use", {"at": tx.now}, token=id):
        await tx.put("token_use", {"token": id, "at": tx.now})


async def add(tx: Tx, made: ServiceToken) -> None:
    """A new one, which waits."""
    row = {
        "id": made.id,
        "centre": None if made.centre == EVERYWHERE else made.centre,
        "name": made.name,
        "shown": made.shown,
        "token_hash": made.hash,
        "role": made.role.value,
        "scopes": " ".join(sorted(made.scopes)),
        "created_by": made.made_by,
        "created_at": made.made_at,
        "expires_at": made.expires,
    }
    await tx.insert("service_token", row, made.made_by, "made")


async def one(tx: Tx, id: str) -> ServiceToken | None:  # noqa: A002
    """By its id."""
    row = await tx.one("service_token", id=id)
    return token_of(row) if row else None


async def let_in(tx: Tx, id: str, approval: str, by: str) -> None:  # noqa: A002
    """From now on it counts."""
    row = await tx.get("service_token", id)
    await tx.change("service_token", id, {"approval": approval}, by, row["version"], "approved")


async def revoke(tx: Tx, id: str, by: str) -> bool:  # noqa: A002
    """It is over; False where there is none that was not over."""
    row = await tx.one("service_token", id=id, revoked_at=None)
    if row is None:
        return False
    await tx.change("service_token", id, {"revoked_at": tx.now}, by, row["version"], "revoked")
    return True


async def listed(tx: Tx) -> list[tuple[ServiceToken, int]]:
    """The newest first, each with its last use."""
    rows = await tx.all("service_token", order=["-created_at", "id"], limit=MOST_LISTED)
    uses = {row["token"]: row["at"] for row in await tx.all("token_use", {"token in": [row["id"] for row in rows]})}
    return [(token_of(row), uses.get(row["id"], 0)) for row in rows]
