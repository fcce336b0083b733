"""Tickets: opaque rights in a link or a hand-over, for one purpose and one object, for a while.

A ticket is 256 random bits of which the database holds the SHA-256. It opens what it was made for and nothing else: its purpose, its object and,
where it has one, its holder are compared. One-use tickets are deleted by whoever redeems them first; a guest link serves until its date or
until it is revoked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from drawing.errors import Refused
from server.auth.logins import token, token_hash
from server.auth.model import AccountId, Actor, CentreId, Grant, Level, PersonId, Role


class Purpose(StrEnum):
    JOIN_ROOM = "join_room"  # object: session and room
    WATCH = "watch"  # object: recording
    GUEST = "guest"  # object: session; a bidder's representative
    INVITE = "invite"  # object: account; sets password and second factor
    RESET = "reset"  # object: account; two administrators, after a day
    STAND_IN = "stand_in"  # object: session; in place of an expert's second factor
    PASSKEY = "passkey"  # object: what the challenge is for
    BOOTSTRAP = "bootstrap"  # object: the installation; enrols the three administrators and nothing else
    SINGLE_SIGN_ON = "single_sign_on"  # object: the browser that began it


@dataclass(frozen=True, slots=True)
class Kind:
    longest: int  # seconds
    one_use: bool


KINDS: Mapping[Purpose, Kind] = {
    Purpose.JOIN_ROOM: Kind(60, one_use=True),
    Purpose.WATCH: Kind(60, one_use=True),
    Purpose.GUEST: Kind(14 * 86_400, one_use=False),
    Purpose.INVITE: Kind(7 * 86_400, one_use=True),
    Purpose.RESET: Kind(72 * 3600, one_use=True),
    Purpose.STAND_IN: Kind(86_400, one_use=True),
    Purpose.PASSKEY: Kind(300, one_use=True),
    Purpose.BOOTSTRAP: Kind(15 * 60, one_use=True),
    Purpose.SINGLE_SIGN_ON: Kind(600, one_use=True),
}


@dataclass(frozen=True, slots=True)
class Ticket:
    """One row. `holder`: the account that alone may redeem it, or None; `bound`: bytes that must be shown with it (a fingerprint), or b""."""

    hash: bytes
    purpose: Purpose
    object: str
    centre: CentreId
    holder: AccountId | None
    not_before: int
    expires: int
    bound: bytes = b""

    @property
    def one_use(self) -> bool:
        return KINDS[self.purpose].one_use


def make(
    purpose: Purpose,
    object: str,  # noqa: A002 (the field's name)
    centre: CentreId,
    chance: bytes,
    now: int,
    *,
    seconds: int = 0,
    holder: AccountId | None = None,
    not_before: int = 0,
    bound: bytes = b"",
) -> tuple[str, Ticket]:
    """The secret, shown once, and the row. `seconds`: of life from `not_before` or now; 0 is the purpose's longest. Raises Refused."""
    longest = KINDS[purpose].longest
    if not 0 <= seconds <= longest or not object:
        raise Refused("ticket_life", purpose.value, most=longest)
    secret, hashed = token(chance)
    begins = max(now, not_before)
    return secret, Ticket(hashed, purpose, object, centre, holder, begins, begins + (seconds or longest), bound)


def check(ticket: Ticket | None, purpose: Purpose, object: str, now: int, holder: AccountId | None = None, bound: bytes = b"") -> Ticket:  # noqa: A002
    """The ticket, where it opens this now. Raises Refused with one code for all that a stranger could learn from."""
    if (
        ticket is None
        or ticket.purpose is not purpose
        or ticket.object != object
        or ticket.bound != bound
        or (ticket.holder is not None and ticket.holder != holder)
    ):
        raise Refused("ticket_not_valid", purpose.value)
    if now < ticket.not_before:
        raise Refused("ticket_too_early", purpose.value, seconds=ticket.not_before - now)
    if now >= ticket.expires:
        raise Refused("ticket_expired", purpose.value)
    return ticket


class Tickets(Protocol):
    """The port. Tickets are transient: not in the log, unlike what was done with them."""

    async def add(self, ticket: Ticket) -> None: ...

    async def get(self, hash: bytes) -> Ticket | None: ...  # noqa: A002

    async def take(self, hash: bytes) -> bool:  # noqa: A002
        """Delete it; True for exactly one caller of any number at once."""
        ...

    async def revoke(self, purpose: Purpose, object: str) -> int: ...  # noqa: A002


async def redeem(
    store: Tickets,
    secret: str,
    purpose: Purpose,
    object: str,  # noqa: A002
    now: int,
    *,
    holder: AccountId | None = None,
    bound: bytes = b"",
) -> Ticket:
    """The ticket; of a one-use one the first comer has it and nobody else. A refused try uses nothing up. Raises Refused."""
    hashed = token_hash(secret)
    found = await store.get(hashed) if hashed is not None else None
    ticket = check(found, purpose, object, now, holder, bound)
    if ticket.one_use and not await store.take(ticket.hash):
        raise Refused("ticket_not_valid", purpose.value)
    return ticket


def guest(ticket: Ticket, now: int) -> Actor:
    """Who comes by a guest link: nobody by name, one role, one object. Raises Refused."""
    check(ticket, Purpose.GUEST, ticket.object, now, ticket.holder, ticket.bound)
    grant = Grant(Role.BIDDER_GUEST, ticket.centre, ticket.not_before, ticket.expires)
    return Actor(PersonId(f"guest:{ticket.hash.hex()[:32]}"), None, frozenset({grant}), Level.PASSWORD)
