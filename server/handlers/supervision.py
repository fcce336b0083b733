"""The supervisor's own desk as a page and for programs."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web as aioweb

from server.handlers.approvals import title
from server.handlers.ask import Ask
from server.handlers.draw_words import DUE, PHASES, REASONS, WHO
from server.handlers.forms import Shape
from server.handlers.i18n import N_
from server.handlers.render import page
from server.handlers.status import as_json
from server.handlers.views import Badge, Tone
from server.services import oversight
from server.services.oversight import Attempt, Complained, Oversight

ORDER = N_("By order of an authority")


@dataclass(frozen=True, slots=True)
class WaitingRow:
    """An approval that waits for the reader."""

    id: str
    title: str
    by: str
    asked_at: int
    until: int


@dataclass(frozen=True, slots=True)
class LiveRow:
    """A draw that runs."""

    id: str
    number: str
    section: str
    phase: Badge
    waits: str
    who: str
    until: int
    dry_run: bool
    stoppable: bool


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """One try at a project."""

    draw: str
    number: int
    phase: Badge
    by: str
    asked_at: int
    ended_at: int
    reason: str
    why: str


@dataclass(frozen=True, slots=True)
class HistoryBox:
    """A project with all its tries."""

    number: str
    attempts: tuple[AttemptRow, ...]


@dataclass(frozen=True, slots=True)
class EpochRow:
    """A new name of the log."""

    origin: str
    before: str
    at: int
    index: int
    size: int
    seen: int
    approved: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ClosedRow:
    """A draw that is over."""

    draw: str
    number: str
    section: str
    attempts: int
    closed_at: int
    dry_run: bool


@dataclass(frozen=True, slots=True)
class SupervisionPage:
    """The desk."""

    waiting: tuple[WaitingRow, ...]
    live: tuple[LiveRow, ...]
    histories: tuple[HistoryBox, ...]
    epochs: tuple[EpochRow, ...]
    closed: tuple[ClosedRow, ...]
    complaints: tuple[Complained, ...]


async def desk(ask: Ask) -> aioweb.StreamResponse:
    """The page."""
    return page(ask, "supervision.html", _view(ask, await oversight.desk(ask.desk, ask.caller)))


def _view(ask: Ask, found: Oversight) -> SupervisionPage:
    say = ask.language.say
    waiting = tuple(
        WaitingRow(
            each.proposal.id, title(ask, each), each.names.get(each.proposal.asked_by, "–"), each.proposal.asked_at, each.proposal.expires
        )
        for each in found.waiting
    )
    live = tuple(
        LiveRow(
            each.draw,
            each.number,
            each.section,
            Badge(say(PHASES[each.phase][0]), PHASES[each.phase][1]),
            say(DUE[each.due.code][0]),
            say(WHO[each.due.who]),
            each.due.until,
            each.dry_run,
            each.stoppable,
        )
        for each in found.live
    )
    histories = tuple(HistoryBox(each.number, tuple(_attempt(ask, one) for one in each.attempts)) for each in found.histories)
    epochs = tuple(
        EpochRow(
            each.origin, each.before, each.at, each.index, each.size, each.seen, tuple(found.names.get(one, one) for one in each.approved)
        )
        for each in found.epochs
    )
    closed = tuple(ClosedRow(each.draw, each.number, each.section, each.attempts, each.closed_at, each.dry_run) for each in found.closed)
    return SupervisionPage(waiting, live, histories, epochs, closed, found.complaints)


def _attempt(ask: Ask, each: Attempt) -> AttemptRow:
    say = ask.language.say
    phase = (say(N_("never opened")), Tone.WARN) if not each.number else (say(PHASES[each.phase][0]), PHASES[each.phase][1])
    reason = say({**REASONS, "order": ORDER}[each.reason]) if each.reason else ""
    return AttemptRow(each.draw, each.number, Badge(*phase), each.by, each.asked_at, each.ended_at, reason, each.why)


# For programs -----------------------------------------------------------------------------------------------------------------------------------


class WaitingJson(Shape):
    """An approval that waits for a supervisor."""

    id: str
    action: str
    asked_at: int
    until: int


class LiveJson(Shape):
    """A draw that runs: what it waits for, who acts next, until when at the latest (0: no such moment)."""

    draw: str
    project: str
    section: str
    phase: str
    waiting: str
    who: str
    until: int
    dry_run: bool
    stoppable: bool


class AttemptJson(Shape):
    """One try at a project: `attempt` is the log's number, 0 for a request that was never opened; `reason` is the log's code."""

    attempt: int
    draw: str
    phase: str
    by: str
    asked_at: int
    opened_at: int
    ended_at: int
    reason: str
    why: str


class HistoryJson(Shape):
    """A project with more than one try, or one that was given up."""

    project: str
    attempts: tuple[AttemptJson, ...]


class EpochJson(Shape):
    """A new name of the log: its leaf, what the log held and what a witness had seen, and the two accounts that approved it."""

    origin: str
    before: str
    at: int
    index: int
    size: int
    seen: int
    approved: tuple[str, ...]


class ClosedJson(Shape):
    """A draw that is over."""

    draw: str
    project: str
    section: str
    attempts: int
    closed_at: int
    dry_run: bool


class ComplaintJson(Shape):
    """A complaint that freezes a draw's evidence: when it was filed and until when it is to be decided (0: not known yet)."""

    draw: str
    project: str
    filed_at: int
    decide_by: int


class DeskJson(Shape):
    """The desk of the centres that the caller supervises."""

    waiting: tuple[WaitingJson, ...]
    live: tuple[LiveJson, ...]
    histories: tuple[HistoryJson, ...]
    epochs: tuple[EpochJson, ...]
    closed: tuple[ClosedJson, ...]
    complaints: tuple[ComplaintJson, ...]


async def desk_json(ask: Ask) -> aioweb.StreamResponse:
    """The same for programs, in codes."""
    found = await oversight.desk(ask.desk, ask.caller)
    return as_json(
        DeskJson(
            waiting=tuple(
                WaitingJson(id=each.proposal.id, action=each.proposal.action, asked_at=each.proposal.asked_at, until=each.proposal.expires)
                for each in found.waiting
            ),
            live=tuple(
                LiveJson(
                    draw=each.draw,
                    project=each.number,
                    section=each.section,
                    phase=each.phase.value,
                    waiting=each.due.code,
                    who=each.due.who,
                    until=each.due.until,
                    dry_run=each.dry_run,
                    stoppable=each.stoppable,
                )
                for each in found.live
            ),
            histories=tuple(
                HistoryJson(project=each.number, attempts=tuple(_attempt_json(one) for one in each.attempts)) for each in found.histories
            ),
            epochs=tuple(
                EpochJson(
                    origin=each.origin,
                    before=each.before,
                    at=each.at,
                    index=each.index,
                    size=each.size,
                    seen=each.seen,
                    approved=tuple(found.names.get(one, one) for one in each.approved),
                )
                for each in found.epochs
            ),
            closed=tuple(
                ClosedJson(
                    draw=each.draw,
                    project=each.number,
                    section=each.section,
                    attempts=each.attempts,
                    closed_at=each.closed_at,
                    dry_run=each.dry_run,
                )
                for each in found.closed
            ),
            complaints=tuple(
                ComplaintJson(draw=each.draw, project=each.number, filed_at=each.filed_at, decide_by=each.decide_by)
                for each in found.complaints
            ),
        )
    )


def _attempt_json(each: Attempt) -> AttemptJson:
    return AttemptJson(
        attempt=each.number,
        draw=each.draw,
        phase=each.phase.value,
        by=each.by,
        asked_at=each.asked_at,
        opened_at=each.opened_at,
        ended_at=each.ended_at,
        reason=each.reason,
        why=each.why,
    )
