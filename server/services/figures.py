"""Figures for a supervisor: who declines and who does not answer, by the clerk who asked for the draw and by profession; conflicts found late; who was
drawn more or less often than chance explains.

From draws that are over and count, of the centres that the caller supervises. People are counted, never named; what the log does not tell (that nobody
answered) the keeper counts, and writes the reading down.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from drawing.draw import ENDED, Draw, Phase
from drawing.events import Screened
from server.control import Point, p_chart
from server.keeper.draw_verbs import MOST_TALLIED, DrawSaid, DrawTally, SaidRow, Tallied
from server.services import drawing, draws
from server.services.desk import Caller, Desk, pass_of
from server.services.oversight import names_of, of_centres
from server.storage.tx import Row

PERMISSION = "supervision.figures"
KINDS = ("left", "no_answer")
GROUPS = ("clerk", "profession")
MOST_DRAWS = 500  # the newest
NOT_COUNTED = Tallied(0, 0, 0, 0, ())


@dataclass(frozen=True, slots=True)
class Figure:
    """One group of one chart: `name` is an account or the codes of a seat's professions."""

    name: str
    point: Point


@dataclass(frozen=True, slots=True)
class Chart:
    """`kind` of answer by `group`, around the `mean` of all."""

    kind: str
    group: str
    mean: float
    figures: tuple[Figure, ...]


@dataclass(frozen=True, slots=True)
class Late:
    """People in seats that a conflict took away after the lots fell."""

    draw: str
    number: str
    found: int


@dataclass(frozen=True, slots=True)
class Figures:
    """`draws`: how many were looked at; `asked`: people whose answer is in the log; `tallied`: of the draws that were closed, the newest."""

    draws: int
    asked: int
    charts: tuple[Chart, ...]
    late: tuple[Late, ...]
    tallied: Tallied


async def figures(desk: Desk, caller: Caller) -> Figures:
    """Raises Refused: not_your_role, step_up where the browser has no pass of the keeper."""
    desk.require(PERMISSION, caller)
    async with desk.store.reading() as tx:
        rows = await tx.all("draw", of_centres(caller), dry_run=0, order=["-created_at", "id"], limit=MOST_DRAWS)
        over: list[tuple[Row, Draw, str]] = []
        for row in rows:
            project = await tx.get("project", row["project"])
            replayed = await drawing.project_of(tx, bytes(project["tag"]))
            state = draws.attempt_of(replayed, row, await draws.later(tx, row))
            if state.phase in ENDED and state.slots:
                over.append((row, state, str(project["title"])))
        clerks = await names_of(tx, {str(row["created_by"]) for row, _, _ in over})
    if not over:
        return Figures(0, 0, (), (), NOT_COUNTED)
    token, login = pass_of(caller.shown)
    said = (await desk.keeper.ask(DrawSaid(tuple(row["id"] for row, _, _ in over), login, token))).rows
    named = {
        "clerk": [clerks.get(str(over[each.draw][0]["created_by"]), "–") for each in said],
        "profession": [_professions(over[each.draw][1], each.slot) for each in said],
    }
    charts = tuple(chart_of(kind, group, named[group], said) for kind in KINDS for group in GROUPS)
    late = tuple(Late(row["id"], number, found) for row, state, number in over if (found := late_hits(state)))
    closed = tuple(row["id"] for row, state, _ in over if state.phase is Phase.CLOSED)[:MOST_TALLIED]
    tallied = await desk.keeper.ask(DrawTally(closed, login, token)) if closed else NOT_COUNTED
    return Figures(len(over), len(said), charts, late, tallied)


def chart_of(kind: str, group: str, names: Sequence[str], said: Sequence[SaidRow]) -> Chart:
    """The share of one kind of answer in each group, the groups in order of their names."""
    counts: Mapping[str, list[int]] = defaultdict(lambda: [0, 0])
    for name, each in zip(names, said, strict=True):
        counts[name][0] += each.said == kind
        counts[name][1] += 1
    ordered = sorted(counts)
    made = p_chart([(counts[name][0], counts[name][1]) for name in ordered])
    return Chart(kind, group, made.mean, tuple(Figure(name, point) for name, point in zip(ordered, made.points, strict=True)))


def late_hits(state: Draw) -> int:
    """Seats that a screening emptied after the lots fell (drawing.draw: hits)."""
    return sum(len(event.body.slots) for event, _ in state.hits if isinstance(event.body, Screened))


def _professions(state: Draw, slot: int) -> str:
    assert state.terms is not None
    return " ".join(state.terms.plan.seats[state.slots[slot].seat].professions)
