"""Data sets of the exchange in and out: a project with its sections comes in, the state of a draw goes out, without names."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from drawing.events import Result
from server import exchange
from server.auth.model import CentreId
from server.request_text import request_text
from server.services import draws, projects
from server.services.desk import Caller, Desk
from server.workdays import SHANGHAI


@dataclass(frozen=True, slots=True)
class Taken:
    """A project that came: its id, number and version, whether it is new, and a request begun for each section (TOML, docs/request.md)."""

    id: str
    number: str
    version: int
    new: bool
    requests: tuple[str, ...]


async def receive(desk: Desk, centre: CentreId, text: str, form: str, caller: Caller) -> Taken:
    """Keeps the project. Raises Refused: what `exchange.read` and `projects.receive` refuse."""
    sets = exchange.read(text, form)
    kept = await projects.receive(desk, centre, sets, "api", caller)
    found = exchange.request_sections(sets)
    return Taken(kept.id, found[0]["project"]["number"], kept.version, kept.new, tuple(request_text(each) for each in found))


async def give(desk: Desk, draw: str, form: str, caller: Caller) -> str:
    """The sets of a draw as it stands. No name and no one's answer: numbers of each seat."""
    found = await draws.show(desk, draw, caller)
    state, row, terms = found.draw, found.row, draws.terms_of(found)
    keys = {"TENDER_PROJECT_CODE": found.number, "BID_SECTION_CODE": row["section"]}
    panel = [state.slots[n] for n in state.panel] if state.slots else []
    apply = {**keys, "EXTRACT_RULE": terms.method if terms else "-", "APPLY_TIME": _time(row["created_at"])}
    drawn = [event.head.at for _, event in found.events if isinstance(event.body, Result)]
    made = {
        **keys,
        "EXTRACT_MODE": exchange.RANDOM,
        "EXPERT_NUMBER": str(len(panel)),
        "ACCEPTED_NUMBER": str(sum(slot.state in ("accepted", "appointed") for slot in panel)),
        "RESULT": state.phase.value,
        **({"LOG_DIGEST": found.events[-1][1].leaf_hash.hex()} if found.events else {}),
    }
    seats = terms.plan.seats if terms else ()
    majors = [
        {"SEAT": str(n), "MAJOR_CODE": code, "EXPERT_NUMBER": str(seat.count)}
        for n, seat in enumerate(seats, 1)
        for code in seat.professions
    ]
    return exchange.write(
        {
            "EVALUATION_BUILD_APPLY": [{**apply, **({"EXTRACT_TIME": _time(drawn[0])} if drawn else {}), "DECIDE_MODE": exchange.RANDOM}],
            "T_EXPERT_EXTRACTION": [made],
            "EXPERT_MAJOR": majors,
        },
        form,
    )


def _time(at: int) -> str:
    return datetime.fromtimestamp(at, SHANGHAI).strftime("%Y-%m-%dT%H:%M:%S+08:00")
