"""Data sets of the exchange in and out: a project with its sections comes in and waits for a clerk, the state of a draw goes out, without names."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import datetime

from drawing.errors import Refused
from drawing.events import Result, project_tag
from server import exchange
from server.auth.model import EVERYWHERE, CentreId, Role, Thing
from server.errors import NotFound
from server.request_text import request_text
from server.services import draws
from server.services.desk import Caller, Desk
from server.storage.tx import Tx
from server.workdays import SHANGHAI

MOST_WAITING = 200  # sections that are looked at, the newest


@dataclass(frozen=True, slots=True)
class Taken:
    """A project that came: its number, whether it is new, and a request begun for each section (TOML, docs/request.md)."""

    number: str
    new: bool
    requests: tuple[str, ...]


async def receive(desk: Desk, centre: CentreId, text: str, form: str, caller: Caller) -> Taken:
    """Registers the project, and keeps each section for a clerk; one that is sent again takes the place of what was sent before. Draws that were asked for
    keep the request that they have.

    Raises Refused: what `exchange.read` and `request_sections` refuse, not_found for a centre that is not there and for another centre's project.
    """
    desk.require("exchange.send", caller, Thing(centre))
    async with desk.store.reading() as tx:
        if await tx.one("centre", id=centre) is None:
            raise Refused("not_found", "centre")
    found = exchange.request_sections(exchange.read(text, form))
    number = found[0]["project"]["number"]
    tag, by = project_tag(number), caller.actor.person or "token"
    sections = {str(each["project"]["section"]): request_text(each) for each in found}

    async def work(tx: Tx) -> bool:
        row = await tx.one("project", tag=tag)
        if row is not None and row["centre"] != centre:
            raise Refused("not_found", "project")
        if row is None:
            values = {
                "centre": centre,
                "tag": tag,
                "title": number,
                "kind": "draw",
                "created_by": caller.actor.person,
                "created_at": tx.now,
            }
            project = await tx.insert("project", values, by)
        else:
            project = row["id"]
        for section, request in sections.items():
            await _keep(tx, project, section, request, by)
        return row is None

    new = await desk.store.write(work, caller.request.now)
    return Taken(number, new, tuple(sections.values()))


async def _keep(tx: Tx, project: str, section: str, request: str, by: str) -> None:
    row = await tx.one("project_section", project=project, section=section)
    if row is None:
        await tx.insert("project_section", {"project": project, "section": section, "request": request, "received_at": tx.now}, by)
    elif row["request"] != request:
        await tx.change("project_section", row["id"], {"request": request, "received_at": tx.now}, by, row["version"])


@dataclass(frozen=True, slots=True)
class Waiting:
    """A section that came in and of which no draw was asked for yet."""

    id: str
    number: str
    name: str
    section: str
    received_at: int


async def waiting(desk: Desk, caller: Caller) -> list[Waiting]:
    """Of the centres where the caller may ask for a draw, the newest first."""
    desk.require("draw.request", caller)
    centres = {each.centre for each in caller.actor.grants if each.role is Role.DRAW_CLERK and each.holds(caller.request.now)}
    found = []
    async with desk.store.reading() as tx:
        for row in await tx.all("project_section", order=["-received_at", "section"], limit=MOST_WAITING):
            project = await tx.get("project", row["project"])
            drawn = await tx.count("draw", project=row["project"], section=row["section"], dry_run=0)
            if not drawn and centres & {project["centre"], EVERYWHERE}:
                name = str(tomllib.loads(row["request"])["project"]["name"])
                found.append(Waiting(row["id"], str(project["title"]), name, row["section"], row["received_at"]))
    return found


async def request_begun(desk: Desk, section: str, caller: Caller) -> str:
    """The request begun of a section that came in (TOML). Raises Refused("not_found")."""
    async with desk.store.reading() as tx:
        row = await tx.one("project_section", id=section)
        project = await tx.get("project", row["project"]) if row else None
    if row is None or project is None:
        raise NotFound(place="section")
    desk.require("draw.request", caller, Thing(CentreId(project["centre"])))
    return str(row["request"])


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
