"""Accounts of people: what may be a name, the states of an account, what somebody owes before working, and the two ways out of a lost factor.

Nobody of the staff helps themselves to a new factor: two administrators allow it (`people.reset_factor`), it waits a day, the person hears of it
at once, and signing in fully meanwhile undoes it, because then the factor is not lost. An expert who stands at the site in the morning without
the phone is let in for this day and this session by the host who looks at the identity document and by a supervisor.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

from drawing.errors import Refused
from server.auth.logins import Kind
from server.auth.model import PASSKEY_ROLES, AccountId, Actor, CentreId, Grant, Level, PersonId, Role
from server.auth.permissions import Granted
from server.auth.tickets import KINDS, Purpose, Ticket, make

DAY = 86_400
SHANGHAI = 8 * 3600  # legal days are counted there; no summer time since 1991


class AccountState(StrEnum):
    INVITED = "invited"  # has a ticket, no factors yet
    ACTIVE = "active"
    SUSPENDED = "suspended"
    CLOSED = "closed"


class Change(StrEnum):
    ENROLLED = "enrolled"
    SUSPENDED = "suspended"
    RESUMED = "resumed"  # two administrators
    CLOSED = "closed"


A, C = AccountState, Change
NEXT: Mapping[AccountState, Mapping[Change, AccountState]] = {
    A.INVITED: {C.ENROLLED: A.ACTIVE, C.CLOSED: A.CLOSED},
    A.ACTIVE: {C.SUSPENDED: A.SUSPENDED, C.CLOSED: A.CLOSED},
    A.SUSPENDED: {C.RESUMED: A.ACTIVE, C.CLOSED: A.CLOSED},
    A.CLOSED: {},
}


@dataclass(frozen=True, slots=True)
class Account:
    """One row, without personal data: names and numbers are in the annex, secrets of factors with the keeper."""

    id: AccountId
    person: PersonId
    centre: CentreId
    name: str  # as `throttle.account_name` writes it; unique
    kind: Kind
    state: AccountState = AccountState.INVITED
    password: str | None = None  # argon2id
    password_at: int = 0
    totp: bool = False
    passkeys: int = 0
    generation: int = 0
    version: int = 1


def change(account: Account, what: Change) -> Account:
    """The account after it. Ending its logins is the new generation. Raises Refused where NEXT has no entry."""
    state = NEXT[account.state].get(what)
    if state is None:
        raise Refused("account_step", "account", state=account.state.value, change=what.value)
    if what is Change.ENROLLED and not (account.passkeys or (account.password and account.totp)):
        raise Refused("factors_missing", "account")
    ended = state in (AccountState.SUSPENDED, AccountState.CLOSED)
    return replace(account, state=state, generation=account.generation + ended, version=account.version + 1)


def sign_out_everywhere(account: Account) -> Account:
    """The account under its next generation: all its logins are over."""
    return replace(account, generation=account.generation + 1, version=account.version + 1)


# GB/T 22239 8.1.4.1 wants passwords changed; NIST SP 800-63B-4 does not, where a passkey is there.
PASSWORD_DAYS, WARN_DAYS = 90, 14


def password_days_left(account: Account, now: int) -> int | None:
    """Days until the password must be changed, 0 or less when it must; None where it need not: experts, and whoever has a passkey."""
    if account.kind is not Kind.STAFF or account.passkeys or account.password is None:
        return None
    return PASSWORD_DAYS - (now - account.password_at) // DAY


def duty(account: Account, roles: Iterable[Role], now: int) -> str:
    """What comes before any work, as `Actor.duty`: enrol_passkey, change_password or nothing."""
    if frozenset(roles) & PASSKEY_ROLES and not account.passkeys:
        return "enrol_passkey"
    left = password_days_left(account, now)
    return "change_password" if left is not None and left <= 0 else ""


def actor(account: Account, grants: Iterable[Grant], level: Level, passkey: bool, now: int) -> Actor:
    """Whom `require` sees. `grants` are those of the person, whichever account they were given to."""
    held = frozenset(grants)
    return Actor(
        account.person,
        account.id,
        held,
        level,
        passkey,
        account.state is AccountState.ACTIVE,
        duty(account, (each.role for each in held if each.holds(now)), now),
    )


LONGEST_NAME = 64


def check_display(name: str, place: str = "name") -> str:
    """The name as it is kept and shown: NFC, single spaces, nothing invisible and nothing that turns the line around. Raises Refused."""
    plain = " ".join(unicodedata.normalize("NFC", name).split()) if len(name) <= 4 * LONGEST_NAME else ""
    if not 0 < len(plain) <= LONGEST_NAME or not any(each.isalnum() for each in plain):
        raise Refused("display_name", place, most=LONGEST_NAME)
    if any(unicodedata.category(each)[0] == "C" for each in plain):
        raise Refused("display_characters", place)
    return plain


# Lost factors.

RESET_DELAY = DAY
RESET_LIFE = KINDS[Purpose.RESET].longest


@dataclass(frozen=True, slots=True)
class Reset:
    """A new start for an account's factors, allowed and waiting. The person is told when it is made, and what undoes it."""

    account: AccountId
    person: PersonId
    approved_by: tuple[PersonId, ...]
    made_at: int
    usable_from: int
    expires: int
    ticket: bytes  # the hash of its one-time code


def begin_reset(account: Account, granted: Granted, digest_now: bytes, chance: bytes, now: int) -> tuple[str, Ticket, Reset]:
    """The one-time code (handed over in person by an administrator), its ticket, and the row.

    `granted` of `people.reset_factor` over `digest_now`, the account's present digest. Raises Refused.
    """
    _granted_for(granted, "people.reset_factor", digest_now, now)
    if account.person in granted.approved_by or len(set(granted.approved_by)) < 2:
        raise Refused("own_approval", "people.reset_factor")
    if account.state is not AccountState.ACTIVE:
        raise Refused("account_not_active", "account")
    code, ticket = make(
        Purpose.RESET, account.id, account.centre, chance, now, not_before=now + RESET_DELAY, seconds=RESET_LIFE, holder=account.id
    )
    return code, ticket, Reset(account.id, account.person, granted.approved_by, now, ticket.not_before, ticket.expires, ticket.hash)


def undoes(reset: Reset, level: Level, at: int) -> bool:
    """Whether a login that reached `level` at this time shows that nothing is lost: the reset is withdrawn and its ticket deleted."""
    return level >= Level.FULL and reset.made_at <= at < reset.expires


def reset(account: Account) -> Account:
    """The account after a redeemed RESET ticket: no factors, no logins, the ticket's holder enrols anew. Raises Refused."""
    if account.state is not AccountState.ACTIVE:
        raise Refused("account_not_active", "account")
    return replace(
        account,
        state=AccountState.INVITED,
        password=None,
        password_at=0,
        totp=False,
        passkeys=0,
        generation=account.generation + 1,
        version=account.version + 1,
    )


def end_of_day(now: int) -> int:
    """The next midnight in Shanghai."""
    return ((now + SHANGHAI) // DAY + 1) * DAY - SHANGHAI


def stand_in(account: Account, session: str, granted: Granted, digest_now: bytes, chance: bytes, now: int) -> tuple[str, Ticket]:
    """A one-use ticket in place of an expert's second factor, for one session, until midnight.

    `granted` of `people.stand_in`: asked by the host who checked the identity document, approved by a supervisor, over the digest of account,
    session and day (`digest_now`). Raises Refused.
    """
    _granted_for(granted, "people.stand_in", digest_now, now)
    if account.person in (granted.asked_by, *granted.approved_by):
        raise Refused("own_approval", "people.stand_in")
    if not set(granted.approved_by) - {granted.asked_by}:
        raise Refused("approval_first", "people.stand_in")
    if account.kind is not Kind.EXPERT:
        raise Refused("stand_in_for_experts", "account")
    if account.state is not AccountState.ACTIVE:
        raise Refused("account_not_active", "account")
    return make(Purpose.STAND_IN, session, granted.centre, chance, now, seconds=end_of_day(now) - now, holder=account.id)


def _granted_for(granted: Granted, action: str, digest_now: bytes, now: int) -> None:
    if granted.action != action:
        raise Refused("approval_first", action)
    if granted.subject != digest_now:
        raise Refused("approval_void", action)
    if now >= granted.until:
        raise Refused("approval_expired", action)


class Accounts(Protocol):
    """The port. State rows: each change is a leaf."""

    async def by_name(self, name: str) -> Account | None:
        """`name` as `throttle.account_name` writes it."""
        ...

    async def get(self, id: AccountId) -> Account | None: ...  # noqa: A002

    async def swap(self, account: Account) -> bool:
        """Write over the row whose version is one less; False where somebody was first."""
        ...

    async def grants(self, person: PersonId) -> frozenset[Grant]:
        """All grants of the person, past and future ones too."""
        ...


class Resets(Protocol):
    """The port."""

    async def add(self, made: Reset) -> None: ...

    async def of(self, account: AccountId) -> Reset | None: ...

    async def withdraw(self, account: AccountId) -> bool:
        """With its ticket."""
        ...
