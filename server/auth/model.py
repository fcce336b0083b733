"""The words of this package: roles, levels of a login, who acts on what. Values only.

A *person* is a human being, an *account* is a way in. Whatever counts people (approvals, administrators, own things) counts persons, so that a
second account gains nothing. A role is held at a centre and may end (a delegation).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import NewType

from drawing.errors import Refused

PersonId = NewType("PersonId", str)
AccountId = NewType("AccountId", str)
CentreId = NewType("CentreId", str)

EVERYWHERE = CentreId("*")  # of grants that an installation has once: its administrators


class Role(StrEnum):
    DRAW_CLERK = "draw_clerk"
    APPROVER = "approver"
    AGENCY = "agency"
    SUPERVISOR = "supervisor"
    CONTRIBUTOR = "contributor"
    EXPERT = "expert"
    SITE_HOST = "site_host"
    TECHNICIAN = "technician"
    ARCHIVIST = "archivist"
    KEY_CUSTODIAN = "key_custodian"
    WITNESS_ON_SITE = "witness_on_site"  # 见证人
    BIDDER_GUEST = "bidder_guest"
    SYSTEM_ADMIN = "system_admin"
    SECURITY_ADMIN = "security_admin"
    AUDIT_ADMIN = "audit_admin"
    VISITOR = "visitor"  # anybody, signed in or not


ADMINISTRATORS = frozenset({Role.SYSTEM_ADMIN, Role.SECURITY_ADMIN, Role.AUDIT_ADMIN})
# security.md 2.3: phishing-resistant for those who release, watch or administer. Their roles count only in a login made with a passkey.
PASSKEY_ROLES = ADMINISTRATORS | {Role.SUPERVISOR, Role.APPROVER, Role.KEY_CUSTODIAN}
# Never from a group of an identity provider: whoever runs the provider would name the people who check on the centre.
NEVER_AUTOMATIC = PASSKEY_ROLES
NEVER_GRANTED = frozenset({Role.VISITOR, Role.BIDDER_GUEST})  # nobody holds these: they come with no login or with a guest link
EVERYBODY = frozenset(Role)
ANY_ACCOUNT = EVERYBODY - {Role.BIDDER_GUEST}  # in a permission: with `visitor` among the roles none need be held
SIGNED_IN = EVERYBODY - NEVER_GRANTED
STAFF = SIGNED_IN - {Role.EXPERT}


class Level(IntEnum):
    """How much a login has shown, in order."""

    NONE = 0
    PASSWORD = 1
    FULL = 2
    STEPPED_UP = 3


@dataclass(frozen=True, slots=True)
class Grant:
    """A role at a centre, from `since` to before `until` (0: no end)."""

    role: Role
    centre: CentreId
    since: int = 0
    until: int = 0

    def holds(self, now: int) -> bool:
        return self.since <= now and (self.until == 0 or now < self.until)


@dataclass(frozen=True, slots=True)
class Actor:
    """Whoever asks, read afresh from the database for each request: a revoked role is gone at once."""

    person: PersonId | None = None
    account: AccountId | None = None
    grants: frozenset[Grant] = frozenset()
    level: Level = Level.NONE
    passkey: bool = False  # the login, or at STEPPED_UP the step-up, was made with a passkey
    active: bool = True  # the account's state
    duty: str = ""  # what must be done first: change_password or enrol_passkey
    scopes: frozenset[str] | None = None  # of a service token; None for people


VISITOR = Actor()


@dataclass(frozen=True, slots=True)
class Thing:
    """What is acted on, as far as permissions look at it: its centre, whose it is, and the digest of its present version."""

    centre: CentreId | None = None
    owner: PersonId | None = None
    digest: bytes = b""


def check_grants(roles: Iterable[Role], place: str = "roles") -> None:
    """Raises Refused unless one person (all accounts together, grants to come too) may hold these roles."""
    held = frozenset(roles)
    if held & NEVER_GRANTED:
        raise Refused("role_not_granted", place, role=min(held & NEVER_GRANTED))
    check_exclusive(held, place)


def check_exclusive(roles: Iterable[Role], place: str) -> None:
    """三员互斥: an administrator holds no second role at any centre, not even one that begins later. The database has the rule as an index.

    Raises Refused.
    """
    held = frozenset(roles)
    if held & ADMINISTRATORS and len(held) > 1:
        raise Refused("roles_exclusive", place, roles=", ".join(sorted(held)))
