"""What pages show, as values. A handler fills one of these from a service; the template of the same name shows it and decides nothing.

Texts in a view are already in the reader's language or are data (names, codes); times are Unix seconds; digests are hex.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

from server.config import ComplaintBody
from server.handlers.ask import CheckpointView, PartState, ProofView
from server.handlers.forms import Form


class Tone(Enum):
    """How a badge or a notice is meant; it always has words and a sign as well."""

    GOOD = "good"
    PART = "part"
    WARN = "warn"
    BAD = "bad"
    QUIET = "quiet"


@dataclass(frozen=True, slots=True)
class Badge:
    """A state in words."""

    text: str
    tone: Tone


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a step bar."""

    label: str
    state: str  # done, now, later


@dataclass(frozen=True, slots=True)
class HomePage:
    """The public page."""

    checkpoint: CheckpointView | None
    complaints: tuple[ComplaintBody, ...]
    proofs: tuple[ProofView, ...] = ()


@dataclass(frozen=True, slots=True)
class PartRow:
    """A part on the status page."""

    name: str
    badge: Badge
    advice: str
    state: PartState


@dataclass(frozen=True, slots=True)
class StatusPage:
    """System status."""

    whole: Badge
    parts: tuple[PartRow, ...]
    version: str
    started_at: int
    checkpoint: CheckpointView | None


@dataclass(frozen=True, slots=True)
class VerifyPage:
    """What the verification page is and how to take it along."""

    digest: str
    size_kb: int


@dataclass(frozen=True, slots=True)
class SignInPage:
    """First factor. `sso` names the organisation's own sign-in where there is one."""

    form: Form[Any]
    sso: str = ""
    wait_seconds: int = 0


@dataclass(frozen=True, slots=True)
class SecondFactorPage:
    """Second factor: a code, a passkey or a recovery code; `options` is JSON for the browser's passkey call."""

    form: Form[Any]
    passkey: bool
    options: str = ""
    tries_left: int | None = None


@dataclass(frozen=True, slots=True)
class LoginRow:
    """One of the person's open logins."""

    id: str
    where: str
    device: str
    since: int
    seen: int
    this: bool


@dataclass(frozen=True, slots=True)
class PasskeyRow:
    """One of the person's passkeys."""

    id: str
    label: str
    added: int
    used: int | None


@dataclass(frozen=True, slots=True)
class AccountPage:
    """Account and security of the person who is signed in."""

    name: str
    account: str
    roles: tuple[str, ...]
    centre: str
    passkeys: tuple[PasskeyRow, ...]
    totp: bool
    recovery_left: int
    logins: tuple[LoginRow, ...]
    form: Form[Any]
    needs_passkey: bool = False


@dataclass(frozen=True, slots=True)
class PersonRow:
    """A person in the list."""

    id: str
    name: str
    account: str
    roles: tuple[str, ...]
    second_factor: Badge
    state: Badge
    seen: int | None


@dataclass(frozen=True, slots=True)
class RoleChoice:
    """A role that may be granted here; `excludes` says in words what it cannot be held with."""

    value: str
    label: str
    says: str
    excludes: str = ""


@dataclass(frozen=True, slots=True)
class PeoplePage:
    """People and roles of a centre."""

    search: str
    role: str
    people: tuple[PersonRow, ...]
    total: int
    roles: tuple[RoleChoice, ...]
    form: Form[Any]
    may_grant: bool = True
    next: str = ""


@dataclass(frozen=True, slots=True)
class Signature:
    """An approval that was given."""

    name: str
    role: str
    at: int


@dataclass(frozen=True, slots=True)
class ApprovalCard:
    """Something that waits for approvals; the passkey signs `digest`."""

    id: str
    title: str
    reason: str
    asked_by: str
    asked_at: int
    expires_at: int
    digest: str
    facts: tuple[tuple[str, str], ...]
    given: tuple[Signature, ...]
    needed: int
    steps: tuple[Step, ...]
    mine: bool  # this person may approve it now
    why_not: str = ""


@dataclass(frozen=True, slots=True)
class DecidedRow:
    """Something that was decided."""

    id: str
    title: str
    badge: Badge
    at: int
    signatures: tuple[Signature, ...]


@dataclass(frozen=True, slots=True)
class ApprovalsPage:
    """The inbox of approvals."""

    waiting: tuple[ApprovalCard, ...]
    decided: tuple[DecidedRow, ...]


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One leaf of the log."""

    index: int
    at: int
    action: str
    object: str
    object_id: str
    by: str
    digest: str
    witnessed: bool


@dataclass(frozen=True, slots=True)
class AuditPage:
    """The audit log."""

    form: Form[Any]
    actions: tuple[tuple[str, str], ...]
    rows: tuple[AuditRow, ...]
    total: int
    checkpoint: CheckpointView | None
    verified: Badge | None = None
    earlier: str = ""
    later: str = ""
