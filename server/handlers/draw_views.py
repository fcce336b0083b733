"""What the pages of draws show, as values. No name of a person of the library, no tag of a slot: counters and digests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from server.handlers.forms import Form
from server.handlers.views import Badge, Step


@dataclass(frozen=True, slots=True)
class DrawRow:
    """A draw in the list."""

    id: str
    number: str
    section: str
    phase: Badge
    asked_at: int
    evaluation_at: int
    dry_run: bool


@dataclass(frozen=True, slots=True)
class DrawsPage:
    """The list, with its filter."""

    rows: tuple[DrawRow, ...]
    total: int
    search: str
    state: str
    states: tuple[tuple[str, str], ...]
    may_request: bool


@dataclass(frozen=True, slots=True)
class Picture:
    """A QR code: one path over a square of `size`."""

    path: str
    size: int


@dataclass(frozen=True, slots=True)
class EventRow:
    """An event in the log."""

    seq: int
    index: int
    what: str
    at: int
    digest: str
    qr: Picture


@dataclass(frozen=True, slots=True)
class SeatRow:
    """A seat of the plan."""

    number: int
    professions: tuple[tuple[str, str], ...]
    count: int
    reserves: int
    site: str


@dataclass(frozen=True, slots=True)
class TermsBox:
    """What the lot falls on, in plain words."""

    method: str
    seats: tuple[SeatRow, ...]
    sites: tuple[tuple[str, str], ...]
    representatives: int
    total: str
    smallest: str
    largest: str
    excluded: tuple[tuple[str, str, int], ...]  # rule, its text, how many people
    small_pool: bool
    digest: str


@dataclass(frozen=True, slots=True)
class DraftBox:
    """A draft that waits: who approved and signed, what is missing. `ask`: the address of the form that asks for approval, "" where none is due."""

    title: str
    asked: Badge
    by: tuple[str, ...]
    signed: tuple[str, ...]
    missing: tuple[str, ...]
    digest: str
    ask: str
    sign: str = ""  # the type, for whoever may sign it with a key of their own


@dataclass(frozen=True, slots=True)
class LivePage:
    """One draw, for the room."""

    id: str
    number: str
    section: str
    dry_run: bool
    phase: Badge
    steps: tuple[Step, ...]
    now_title: str
    now_text: str
    who: str
    until: int
    preparing: bool
    failed: str
    mark: str
    asked_at: int
    evaluation_at: int
    events: tuple[EventRow, ...]
    seats: int
    filled: int
    notified: int
    answered: int
    terms: TermsBox | None
    drafts: tuple[DraftBox, ...]
    form: Form[Any]
    reasons: tuple[tuple[str, str], ...]
    may_go_on: bool
    may_ask: bool
    may_cancel: bool
    proof: bool
    newest: bool
    held: int  # complaints that freeze the evidence, for those who may read them
    complaints: bool  # whether the reader may
    closed: bool
    contributing: bool  # contributors act now: their page is named
    may_stop: bool
    destroyed_at: int  # of its sealed files


@dataclass(frozen=True, slots=True)
class FailureRow:
    """What is wrong with a request: the rule (or nothing), what it says, its article, what was found, and the step where it is put right (as `to-STEP`)."""

    code: str
    text: str
    article: str
    found: str
    step: str


@dataclass(frozen=True, slots=True)
class FeasibleBox:
    """Whether the library has enough people; counts below ten are withheld."""

    enough: bool
    small_pool: bool
    eligible: int
    seats: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class RowsBox:
    """A list in a step: columns as (name, label, hint, kind, choices), and what stands in each row."""

    section: str
    title: str
    hint: str
    columns: tuple[tuple[str, str, str, str, tuple[tuple[str, str], ...]], ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class FieldBox:
    """A field in a step."""

    name: str
    label: str
    hint: str
    kind: str
    choices: tuple[tuple[str, str], ...]
    needed: bool


@dataclass(frozen=True, slots=True)
class RequestPage:
    """One step of a request; `text` is the request so far."""

    form: Form[Any]
    step: str
    title: str
    steps: tuple[Step, ...]
    fields: tuple[FieldBox, ...]
    rows: tuple[RowsBox, ...]
    text: str
    once: str
    codes: tuple[tuple[str, str, int], ...]  # code, name, depth
    failures: tuple[FailureRow, ...] = ()
    readable: bool = False
    facts: tuple[tuple[str, str], ...] = ()
    feasible: FeasibleBox | None = None
    first: bool = False
