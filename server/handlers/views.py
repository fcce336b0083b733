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
    step_up: bool = False  # signed in already: this only confirms it


@dataclass(frozen=True, slots=True)
class SsoPage:
    """Back from the organisation's own sign-in: on to the second factor, or what is wanting."""

    go_on: str = ""
    subject: str = ""
    fault: str = ""


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
    waiting: bool = False  # for a security administrator


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
    centres: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class PersonPage:
    """One person: roles, authenticators, and the form that asks for one more role."""

    id: str
    account: str
    state: Badge
    roles: tuple[str, ...]
    passkeys: int
    waiting_passkeys: int
    totp: bool
    choices: tuple[RoleChoice, ...]
    form: Form[Any]
    may_grant: bool
    held: tuple[tuple[str, str], ...] = ()  # role and its name
    name: str = ""  # the sealed one, where it was asked for
    state_code: str = ""
    may: frozenset[str] = frozenset()
    oneself: bool = False
    sso: str = ""  # the organisation's own sign-in, where there is one


@dataclass(frozen=True, slots=True)
class FormPage:
    """A page that is one form."""

    form: Form[Any]


@dataclass(frozen=True, slots=True)
class TokenRow:
    """A service token in the list; `state` says whether it opens anything."""

    id: str
    name: str
    shown: str
    role: str
    scopes: tuple[str, ...]
    by: str
    made: int
    ends: int
    used: int
    state: Badge
    over: bool


@dataclass(frozen=True, slots=True)
class TokensPage:
    """Service tokens, and the form that makes one. `secret`: the one that was just made, shown once."""

    tokens: tuple[TokenRow, ...]
    form: Form[Any]
    roles: tuple[tuple[str, str], ...]
    centres: tuple[tuple[str, str], ...]
    scopes: tuple[tuple[str, str, str], ...]  # name, what it opens, for which roles
    may_make: bool
    secret: str = ""


@dataclass(frozen=True, slots=True)
class CodePage:
    """A one-time code that its holder is given now, shown once."""

    account: str
    code: str


@dataclass(frozen=True, slots=True)
class LinkPage:
    """An invitation, shown once."""

    account: str
    link: str


@dataclass(frozen=True, slots=True)
class TotpPage:
    """A new authenticator: the secret as text and as a picture (a path over a square of `size`). `action` takes the first code."""

    account: str
    secret: str
    path: str
    size: int
    form: Form[Any]
    action: str


@dataclass(frozen=True, slots=True)
class CodesPage:
    """Recovery codes, shown once."""

    codes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class InvitedPage:
    """Whoever is invited sets a password."""

    account: str
    form: Form[Any]


@dataclass(frozen=True, slots=True)
class FirstDayPage:
    """The three administrators, one after the other. `role` is empty while the console's secret is asked for; steps then have nobody yet."""

    form: Form[Any]
    steps: tuple[Step, ...]
    role: str = ""
    label: str = ""
    says: str = ""


@dataclass(frozen=True, slots=True)
class DemoRow:
    """Somebody of the demonstration."""

    account: str
    name: str
    role: str
    centre: str
    code: str
    passkey: bool


@dataclass(frozen=True, slots=True)
class DemoPage:
    """Who can sign in to the demonstration; codes are those of now, good for `seconds` more."""

    password: str
    invitation: str
    rows: tuple[DemoRow, ...]
    seconds: int


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
    own: bool = False  # this person asked, and may take it back
    ready: bool = False  # this person may come for its code


@dataclass(frozen=True, slots=True)
class DecidedRow:
    """Something that was decided."""

    id: str
    title: str
    badge: Badge
    at: int
    signatures: tuple[Signature, ...]


@dataclass(frozen=True, slots=True)
class EpochBox:
    """A witness has seen more than the log: what is so in words, and for a system administrator the way out."""

    text: str
    next: str
    asked: bool
    may_ask: bool


@dataclass(frozen=True, slots=True)
class ApprovalsPage:
    """The inbox of approvals."""

    waiting: tuple[ApprovalCard, ...]
    decided: tuple[DecidedRow, ...]
    epoch: EpochBox | None = None


@dataclass(frozen=True, slots=True)
class ReplyPage:
    """Behind the link of a message. `stage`: open, accepted, left, over, cancelled, unknown."""

    stage: str
    evaluation_at: int
    until: int
    code: str
    form: Form[Any]
    reasons: tuple[tuple[str, str], ...]
    may_leave: bool
    leave_until: int
    problem: str = ""


@dataclass(frozen=True, slots=True)
class SlotState:
    """One message to whoever is in a slot; `open` where a person has to say what becomes of it."""

    kind: str
    channel: str
    channel_name: str
    badge: Badge
    fault: str
    open: bool


@dataclass(frozen=True, slots=True)
class SlotRow:
    """A slot, by its number."""

    number: int
    states: tuple[SlotState, ...]


@dataclass(frozen=True, slots=True)
class NoticesView:
    """Messages of a draw: numbers, and nobody."""

    draw: str
    number: str
    round: int
    notified: int
    answered: int
    until: int
    open: int
    accepted: int
    counts: tuple[tuple[str, int], ...]
    slots: tuple[SlotRow, ...]
    needed: str
    fault: str
    form: Form[Any]


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


@dataclass(frozen=True, slots=True)
class HandedRow:
    """A public key that was handed in."""

    id: str
    name: str
    role: str
    body: str
    by: str
    at: int
    badge: Badge
    state: str


@dataclass(frozen=True, slots=True)
class MyKeyPage:
    """Keys in this browser. `roles`: which may be made here; `texts`: JSON for the page's program; `place`: how names begin."""

    form: Form[Any]
    roles: tuple[tuple[str, str], ...]
    may_hand_in: bool
    handed: tuple[HandedRow, ...]
    texts: str
    place: str


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A line of a key list."""

    name: str
    role: str
    body: str
    public: str
    here: bool  # held by the service itself


@dataclass(frozen=True, slots=True)
class KeyListPage:
    """The list in force; `digest` is "" before the first."""

    digest: str
    version: int
    versions: int
    rows: tuple[KeyRow, ...]
    policy: str


@dataclass(frozen=True, slots=True)
class NextListPage:
    """Keys that wait, and the version that is being made (0: none). `contents`: what supervisors sign; `digest`: what is approved, once it is signed."""

    form: Form[Any]
    before: int
    handed: tuple[HandedRow, ...]
    version: int
    rows: tuple[KeyRow, ...]
    policy: str
    added: tuple[str, ...]
    gone: tuple[str, ...]
    contents: str
    digest: str
    list: str
    signed: tuple[str, ...]
    missing: int
    proposed: bool
    may: frozenset[str]
    centres: tuple[tuple[str, str], ...]
    texts: str


@dataclass(frozen=True, slots=True)
class GivenRow:
    """A contributor, and the place in the log of what they gave."""

    key: str
    index: int | None


@dataclass(frozen=True, slots=True)
class ContributePage:
    """A draw as contributors see it; `order` and `texts` are for the page's program, `path` is the picture of the commit's place."""

    form: Form[Any]
    id: str
    number: str
    dry_run: bool
    order: str
    why: str
    leaf: str
    index: int
    until: int
    origin: str
    parts: tuple[GivenRow, ...]
    path: str
    size: int
    texts: str


@dataclass(frozen=True, slots=True)
class OwnDrawRow:
    """A draw for which an agency hands in lists."""

    id: str
    number: str
    section: str
    evaluation_at: int
    lists: int
    over: bool


@dataclass(frozen=True, slots=True)
class AgencyListsPage:
    """An agency's draws."""

    rows: tuple[OwnDrawRow, ...]


@dataclass(frozen=True, slots=True)
class ListRow:
    """A sealed bidder list that came."""

    number: int
    sender: str
    at: int
    digest: str
    badge: Badge


@dataclass(frozen=True, slots=True)
class AgencyPage:
    """The box of one draw; `key`, `most` and `texts` are for the page's program."""

    form: Form[Any]
    id: str
    project: str
    section: str
    evaluation_at: int
    key: str
    next: int
    most: int
    closed: bool
    rows: tuple[ListRow, ...]
    texts: str


@dataclass(frozen=True, slots=True)
class ListsPage:
    """What the centre sees of a draw's bidder lists."""

    form: Form[Any]
    id: str
    project: str
    rows: tuple[ListRow, ...]
    agencies: tuple[str, ...]
    may_give: bool


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """What an endpoint was told of one event."""

    id: str
    event: str
    at: int
    state: Badge
    tries: int
    fault: str
    again: bool


@dataclass(frozen=True, slots=True)
class WebhookRow:
    """An endpoint with its last deliveries."""

    id: str
    name: str
    address: str
    state: Badge
    at: int
    over: bool
    deliveries: tuple[DeliveryRow, ...]


@dataclass(frozen=True, slots=True)
class WebhooksPage:
    """All endpoints; `secret` is shown once, with the answer to whoever made one."""

    rows: tuple[WebhookRow, ...]
    form: Form[Any]
    centres: tuple[tuple[str, str], ...]
    may_make: bool
    may_end: bool
    may_send: bool
    secret: str


@dataclass(frozen=True, slots=True)
class DraftPage:
    """An event that waits for supervisors' signatures; `leaf` is what they cover, `before` what it changes."""

    form: Form[Any]
    id: str
    type: str
    title: str
    number: str
    leaf: str
    before: str
    signed: tuple[str, ...]
    missing: tuple[tuple[str, int], ...]
    texts: str


@dataclass(frozen=True, slots=True)
class StopPage:
    """An order to stop or its end; `start` is the head of the event."""

    form: Form[Any]
    id: str
    title: str
    kind: str
    start: str
    texts: str


@dataclass(frozen=True, slots=True)
class ExpertRow:
    """An expert in the list, masked."""

    id: str
    name: str
    number: str
    phone: str
    title: str
    professions: tuple[str, ...]
    area: str
    state: Badge


@dataclass(frozen=True, slots=True)
class ImportRow:
    """An import in the list."""

    id: str
    at: int
    rows: int
    joins: int
    changes: int
    leaves: int
    state: Badge


@dataclass(frozen=True, slots=True)
class LibraryPage:
    """The expert library. `professions` and `areas`: what the filters offer, code and name."""

    form: Form[Any]
    rows: tuple[ExpertRow, ...]
    total: int
    searches: bool
    professions: tuple[tuple[str, str], ...]
    areas: tuple[tuple[str, str], ...]
    states: tuple[tuple[str, str], ...]
    may_import: bool
    may_edit: bool
    next: str = ""
    before: str = ""
    confirm: bool = False  # the keeper wants to see who asks first


@dataclass(frozen=True, slots=True)
class ImportsPage:
    """Imports, and the form that brings a file."""

    form: Form[Any]
    rows: tuple[ImportRow, ...]
    modes: tuple[tuple[str, str], ...]
    may_import: bool
    most_mb: int


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """One entry of somebody's history."""

    at: int
    what: str
    by: str
    digest: str


@dataclass(frozen=True, slots=True)
class ExpertPage:
    """One expert: masked, and what may be done."""

    row: ExpertRow
    added_at: int
    removed_at: int | None
    history: tuple[HistoryRow, ...]
    form: Form[Any]
    kinds: tuple[tuple[str, str], ...]
    may_open: bool
    may_edit: bool
    may_connect: bool
    connected: bool  # with an account


@dataclass(frozen=True, slots=True)
class CellField:
    """One column of a record as a field of a form."""

    name: str
    label: str
    value: str
    fault: str
    needed: bool
    hint: str = ""
    listed: str = ""  # the id of a list of what is offered


@dataclass(frozen=True, slots=True)
class RecordPage:
    """A whole record, opened: to read, and to change where that may be. `id` is empty for somebody new."""

    id: str
    version: int
    cells: tuple[CellField, ...]
    form: Form[Any]
    may_edit: bool
    professions: tuple[tuple[str, str], ...]
    areas: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class ImportPage:
    """One import: how far, what it would change, what is next."""

    id: str
    state: str
    badge: Badge
    steps: tuple[Step, ...]
    mode: str
    rows: int
    bad: int
    joins: int
    changes: int
    moves: int
    leaves: int
    done: int
    total: int
    running: bool
    stalled: bool
    failed: str
    needs_approval: bool
    may_import: bool
    form: Form[Any]
    digest: str = ""


@dataclass(frozen=True, slots=True)
class WrongRow:
    """A row that is not right: its wrong cells as fields, the other cells to know it by."""

    row: int
    title: str
    cells: tuple[CellField, ...]
    others: tuple[tuple[str, str], ...]
    twice: int  # the row of the same person, 0 where there is none


@dataclass(frozen=True, slots=True)
class WrongRowsPage:
    """The rows of an import that are not right yet."""

    id: str
    left: int
    rows: tuple[WrongRow, ...]
    form: Form[Any]
    page: int
    more: bool
    professions: tuple[tuple[str, str], ...]
    areas: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class NameRow:
    """Somebody of an opened slot."""

    slot: int
    seat: int
    reserve: bool
    name: str
    employer: str
    title: str
    phone: str
    state: str


@dataclass(frozen=True, slots=True)
class UnsealingPage:
    """When a draw may be opened, who has signed, and the names that were just read. `minutes`: until then; `waits`: supervisors sign now."""

    id: str
    number: str
    section: str
    dry_run: bool
    opened: bool
    not_before: int
    minutes: int
    threshold: int
    waits: bool
    signed: tuple[str, ...]
    form: Form[Any]
    rows: tuple[NameRow, ...]
    papers: tuple[tuple[str, str], ...]
    files: bool
