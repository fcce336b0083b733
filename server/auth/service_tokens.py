"""Service tokens: how other systems read. A prefix that secret scanners know, a hash in the database, scopes, one centre, an end.

A token carries permissions that the table allows to machines, under one role at one centre. It approves nothing and steps up to nothing.
Whoever runs the service makes it, and reads nothing by it that others have not allowed: until it is approved it opens nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NewType

from drawing.canonical import TH, dumps
from drawing.errors import Refused
from server.auth.logins import token, token_hash
from server.auth.model import Actor, CentreId, Grant, Level, PersonId, Role
from server.auth.permissions import TABLE

TokenId = NewType("TokenId", str)
PREFIX = "lotroom_"
LONGEST_LIFE = 366 * 86_400
MOST_NAME = 80


@dataclass(frozen=True, slots=True)
class ServiceToken:
    """One row. `shown` are the first letters, by which its owner knows it again."""

    id: TokenId
    hash: bytes
    shown: str
    name: str
    role: Role
    centre: CentreId
    scopes: frozenset[str]
    made_by: PersonId
    made_at: int
    expires: int
    revoked_at: int = 0
    approved: bool = False

    @property
    def digest(self) -> bytes:
        """What an approval covers: who made it, what it opens, where and until when; its secret's hash makes it this very token."""
        value = {
            "centre": self.centre,
            "expires": self.expires,
            "hash": self.hash.hex(),
            "id": self.id,
            "made_by": self.made_by,
            "role": self.role.value,
            "scopes": sorted(self.scopes),
        }
        return TH("lotroom/v1/service-token", dumps(value))


def make(
    id: TokenId,  # noqa: A002 (the field's name)
    name: str,
    role: Role,
    centre: CentreId,
    scopes: Iterable[str],
    by: PersonId,
    chance: bytes,
    now: int,
    life: int,
) -> tuple[str, ServiceToken]:
    """The secret, shown once, and the row. Raises Refused for scopes that machines do not get or the role does not have."""
    wanted = frozenset(scopes)
    if not wanted:
        raise Refused("token_scope", "scopes")
    for scope in sorted(wanted):
        row = TABLE.get(scope)
        if row is None or not row.by_token or role not in row.roles:
            raise Refused("token_scope", scope)
    if not 0 < life <= LONGEST_LIFE:
        raise Refused("token_life", "expires", most=LONGEST_LIFE // 86_400)
    if not name.strip() or len(name) > MOST_NAME or not name.isprintable():
        raise Refused("token_name", "name", most=MOST_NAME)
    secret, hashed = token(chance)
    text = PREFIX + secret
    return text, ServiceToken(id, hashed, text[: len(PREFIX) + 4], name.strip(), role, centre, wanted, by, now, now + life)


def hash_of(text: str) -> bytes | None:
    """What to look up for the text of an Authorization header; None where it is no token of ours."""
    return token_hash(text.removeprefix(PREFIX)) if text.startswith(PREFIX) else None


def actor(found: ServiceToken | None, now: int) -> Actor:
    """Whom `require` sees. Raises Refused: unknown, waiting, revoked and expired are one."""
    if found is None or not found.approved or found.revoked_at or now >= found.expires:
        raise Refused("token_not_valid", "authorization")
    return Actor(None, None, frozenset({Grant(found.role, found.centre)}), Level.FULL, scopes=found.scopes)
