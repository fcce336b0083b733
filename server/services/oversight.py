"""The supervisor's own desk: what waits for them, draws that run, attempts that were given up or begun again, epochs of the log, and closed draws.

Only of the centres where the caller is a supervisor. Attempts and epochs are read from the log itself: an attempt that was given up, a request that was
made again and a backup that was put back stay here whatever anybody does later. Nobody's name is here, and no slot's person.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from drawing.draw import ENDED, NEXT, Draw, Phase
from drawing.events import Abandoned
from server.auth.approvals import Outcome
from server.auth.model import EVERYWHERE, Role
from server.services import approvals, draw_approvals, drawing, draws
from server.services.approvals import Card
from server.services.desk import Caller, Desk
from server.services.draw_stand import Due
from server.storage import journal
from server.storage import proposals as stored
from server.storage.journal import Epoch
from server.storage.tx import Row, Tx

MOST_DRAWS = 500  # the newest; older ones are in the list of draws
DESK = "supervision.desk"


@dataclass(frozen=True, slots=True)
class Live:
    """A draw that is not over: what it waits for, whom and until when. `stoppable`: an order to stop would count now."""

    draw: str
    number: str  # of the project
    section: str
    phase: Phase
    due: Due
    dry_run: bool
    stoppable: bool


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at a project. `number` is that of the log, 0 for a request that was never opened; `reason` the code that the log has, `why` the paper's
    words where they are the ones whose digest the log holds; `by` the account that asked for the draw.
    """

    number: int
    draw: str
    phase: Phase
    by: str
    asked_at: int
    opened_at: int
    ended_at: int
    reason: str
    why: str


@dataclass(frozen=True, slots=True)
class History:
    """A project that was tried more than once, or given up: all its tries, the first one first."""

    number: str
    attempts: tuple[Attempt, ...]


@dataclass(frozen=True, slots=True)
class Closed:
    """A draw that is over, with its proof."""

    draw: str
    number: str
    section: str
    attempts: int  # of the project
    closed_at: int
    dry_run: bool


@dataclass(frozen=True, slots=True)
class Complained:
    """A complaint that freezes a draw's evidence. `decide_by`: 0 where the calendar does not say yet."""

    draw: str
    number: str
    filed_at: int
    decide_by: int
    by: str


@dataclass(frozen=True, slots=True)
class Oversight:
    """The whole desk. `names`: account names of people in cards and epochs."""

    waiting: tuple[Card, ...]
    live: tuple[Live, ...]
    histories: tuple[History, ...]
    epochs: tuple[Epoch, ...]
    closed: tuple[Closed, ...]
    complaints: tuple[Complained, ...]
    names: Mapping[str, str]


def supervised(caller: Caller) -> frozenset[str]:
    """The centres that the caller supervises now; EVERYWHERE for all."""
    held = caller.actor.grants
    return frozenset(str(each.centre) for each in held if each.role is Role.SUPERVISOR and each.holds(caller.request.now))


def of_centres(caller: Caller) -> dict[str, object]:
    """The condition on rows with a centre."""
    centres = supervised(caller)
    return {} if EVERYWHERE in centres else {"centre in": sorted(centres)}


async def desk(parts: Desk, caller: Caller) -> Oversight:
    """Raises Refused: not_your_role; service_sealed while the keeper cannot say what waits."""
    parts.require(DESK, caller)
    async with parts.store.reading() as tx:
        rows = await tx.all("draw", of_centres(caller), order=["-created_at", "id"], limit=MOST_DRAWS)
        projects = {each["id"]: each for each in await tx.all("project", {"id in": sorted({row["project"] for row in rows})})}
        epochs = await journal.epochs(tx)
        names = await names_of(tx, {str(row["created_by"]) for row in rows} | {each for one in epochs for each in one.approved})
        held = await tx.all("complaint", of_centres(caller), lifted_at=None, order=["filed_at", "id"])
        names = {**names, **await names_of(tx, {each["filed_by"] for each in held})}
        titles = {row["id"]: projects[row["project"]]["title"] for row in rows}
        tries = [await _tries(tx, each, [row for row in rows if row["project"] == each["id"]], names) for each in projects.values()]
    numbers = {each["id"]: str(each["title"]) for each in projects.values()}
    states = {row["id"]: state for found in tries for row, state, _ in found}
    live = [await _live(parts, row, states[row["id"]], numbers[row["project"]]) for row in rows if _runs(row, states)]
    counted = {row["id"]: sum(each.number > 0 for _, _, each in found) for found in tries for row, _, _ in found}
    closed = tuple(
        Closed(row["id"], numbers[row["project"]], row["section"], counted[row["id"]], states[row["id"]].last_at, bool(row["dry_run"]))
        for row in rows
        if states[row["id"]].phase is Phase.CLOSED
    )
    histories = tuple(
        History(numbers[found[0][0]["project"]], tuple(each for _, _, each in found))
        for found in tries
        if len(found) > 1 or any(each.phase is Phase.ABANDONED for _, _, each in found)
    )
    complained = tuple(
        Complained(
            each["draw"], str(titles.get(each["draw"], "")), each["filed_at"], each["decide_by"] or 0, names.get(each["filed_by"], "")
        )
        for each in held
    )
    return Oversight(await _waiting(parts, caller), tuple(live), histories, epochs, closed, complained, names)


async def _waiting(parts: Desk, caller: Caller) -> tuple[Card, ...]:
    """What a supervisor's vote is asked for, that the caller neither asked for nor voted on."""
    centres = supervised(caller)
    found = []
    async with parts.store.reading() as tx:
        for each in await stored.recent(tx, is_open=True):
            involved = {each.asked_by, *(vote.person for vote in each.votes), *each.concerns}
            theirs = EVERYWHERE in centres or each.centre == EVERYWHERE or each.centre in centres
            if theirs and caller.actor.person not in involved and any(Role.SUPERVISOR in one for one in each.needed):
                card = await approvals.card_of(tx, each, caller)
                found += [card] if card.outcome is Outcome.OPEN else []
    return tuple(found)


def _runs(row: Row, states: Mapping[str, Draw]) -> bool:
    return states[row["id"]].phase not in ENDED


async def _live(parts: Desk, row: Row, state: Draw, number: str) -> Live:
    found = await draws.look(parts, row["id"], terms=False)
    return Live(row["id"], number, row["section"], state.phase, found.due, bool(row["dry_run"]), "stopped" in NEXT[state.phase])


async def _tries(tx: Tx, project: Row, rows: list[Row], names: Mapping[str, str]) -> list[tuple[Row, Draw, Attempt]]:
    """Each request of a project with the attempt that was opened of it, the first one first."""
    replayed = await drawing.project_of(tx, bytes(project["tag"]))
    found = []
    for row in sorted(rows, key=lambda each: (each["created_at"], each["id"])):
        state = draws.attempt_of(replayed, row, await draws.later(tx, row))
        found.append((row, state, await _attempt(tx, row, state, names)))
    return found


async def _attempt(tx: Tx, row: Row, state: Draw, names: Mapping[str, str]) -> Attempt:
    reason, why = "", ""
    if state.phase is Phase.ABANDONED:
        event = next(each for each in reversed(await draws.events_of(tx, row, state)) if isinstance(each.body, Abandoned))
        assert isinstance(event.body, Abandoned)
        reason = event.body.reason
        for each in await tx.all("approval", action=draw_approvals.CANCEL, subject=draw_approvals.object_of(event)):
            about = await stored.about(tx, each["id"])
            if draw_approvals.paper_digest(bytes.fromhex(str(about["salt"])), str(about["why"])) == event.body.paper:
                why = str(about["why"])
    opened = state.opened.head.at if state.opened else 0
    ended = state.last_at if state.phase in ENDED else 0
    by = names.get(str(row["created_by"]), "")
    return Attempt(state.attempt, row["id"], state.phase, by, row["created_at"], opened, ended, reason, why)


async def names_of(tx: Tx, people: set[str]) -> Mapping[str, str]:
    """Person -> account name."""
    return {row["person"]: str(row["name"]) for row in await tx.all("account", {"person in": sorted(people)})}
