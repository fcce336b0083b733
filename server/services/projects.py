"""Projects as the service keeps them: received from a trading system or typed in by a clerk, version by version, and how far the draw of each section is.

What a project says are the data sets of the exchange (server/exchange.py). A version is a row that nobody changes: the same again is the same, another
content under its number is refused, and a draw that was asked for keeps what its request said. The responsible person and their address are the keeper's.
Bidders are no part of a project; they come sealed (server/bidders.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from drawing.canonical import dumps, loads
from drawing.draw import ENDED, Draw, Phase
from drawing.errors import Refused
from drawing.events import project_tag
from server import exchange
from server.auth.model import EVERYWHERE, CentreId, Role, Thing
from server.auth.permissions import reaches
from server.errors import Stale
from server.keeper.verbs import At, Field
from server.services import drawing, draws
from server.services.desk import Caller, Desk, keeper_centre, pass_of
from server.storage.tx import Row, Tx

MOST_LISTED = 200
PERMISSIONS = {"api": "exchange.send", "form": "projects.register"}  # source -> who may
TABLE, CONTACT = "project_version", "contact"
MOST_TRIES = 5

Sets = Mapping[str, Sequence[Mapping[str, str]]]


class State(StrEnum):
    """How far a section is, and a project as its section that is least far."""

    RECEIVED = "received"  # no draw was asked for, or the last one was given up
    BEGUN = "begun"
    DRAWN = "drawn"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of sets that came: the project's row, its version, and whether it is new."""

    id: str
    version: int
    new: bool


@dataclass(frozen=True, slots=True)
class SectionDraw:
    """A draw of a section. `older`: the project has another version since it was asked for."""

    id: str
    phase: Phase
    asked_at: int
    dry_run: bool
    older: bool


@dataclass(frozen=True, slots=True)
class Section:
    """`there`: the newest version has it; without that it is known from its draws alone."""

    code: str
    name: str
    state: State
    draws: tuple[SectionDraw, ...]
    there: bool


@dataclass(frozen=True, slots=True)
class Version:
    """`by`: the account that sent or typed it; "" for a service token."""

    number: int
    source: str
    by: str
    received_at: int


@dataclass(frozen=True, slots=True)
class Project:
    """A project as its page shows it: the sets of its newest version. `contact`: a responsible person is sealed with it; `running`: a draw has not ended."""

    id: str
    number: str
    sets: Sets
    versions: tuple[Version, ...]  # the newest first
    sections: tuple[Section, ...]
    contact: bool
    running: bool

    @property
    def version(self) -> int:
        return self.versions[0].number

    @property
    def state(self) -> State:
        return state_of(self.sections)


@dataclass(frozen=True, slots=True)
class Listed:
    """A project in the list."""

    id: str
    number: str
    name: str
    version: int
    received_at: int
    sets: Sets
    sections: tuple[Section, ...]

    @property
    def state(self) -> State:
        return state_of(self.sections)


def state_of(sections: Sequence[Section]) -> State:
    """The state of the section that is least far; what the newest version has no more does not hold a project up."""
    order = list(State)
    there = [each.state for each in sections if each.there]
    return min(there, key=order.index, default=State.RECEIVED)


# Coming in --------------------------------------------------------------------------------------------------------------------------------------


async def receive(desk: Desk, centre: CentreId, sets: Sets, source: str, caller: Caller) -> Kept:
    """Keeps a version of a project. Without VERSION it is the next one, unless it says the same as the newest.

    Raises Refused: not_found for another centre's project or another agency's, project_version_differs, project_version_old, and what
    `exchange.request_sections` refuses.
    """
    desk.require(PERMISSIONS[source], caller, Thing(centre))
    exchange.request_sections(sets)
    asked, content, secret = _taken_apart(sets)
    tag = project_tag(_project(sets)["TENDER_PROJECT_CODE"])
    for _ in range(MOST_TRIES):
        async with desk.store.reading() as tx:
            row, known = await _known(tx, centre, tag, caller)
        newest = known[-1]["number"] if known else 0
        there = next((each for each in known if each["number"] == (asked or newest)), None)
        if row is not None and there is not None and await _same(desk, there, content, secret):
            return Kept(row["id"], there["number"], new=False)
        if asked and there is not None:
            raise Refused("project_version_differs", _place("VERSION"), version=asked, next=newest + 1)
        if asked and asked < newest:
            raise Refused("project_version_old", _place("VERSION"), version=asked, newest=newest)
        made = await _keep(desk, centre, sets, _New(source, asked or newest + 1, content, secret, [each["id"] for each in known]), caller)
        if made is not None:
            return made
    raise Stale(place="project")  # others send the same project all the while


@dataclass(frozen=True, slots=True)
class _New:
    source: str
    number: int
    content: str
    secret: bytes
    after: list[str]  # the versions that it comes behind


async def _keep(desk: Desk, centre: CentreId, sets: Sets, new: _New, caller: Caller) -> Kept | None:
    """None where another version came first: the caller looks again."""
    made, now, by = desk.chance(16).hex(), caller.request.now, caller.actor.person
    project = _project(sets)
    tag = project_tag(project["TENDER_PROJECT_CODE"])
    if new.secret:
        # If we crash here the keeper has words that no row names.
        await desk.keeper.seal_fields(_object(centre, made), [Field(CONTACT, "equal", made, TABLE, new.secret)])

    async def work(tx: Tx) -> Kept | None:
        row, known = await _known(tx, centre, tag, caller)
        if [each["id"] for each in known] != new.after:
            return None
        values = {"name": project["TENDER_PROJECT_NAME"], "newest": new.number, "received_at": now}
        if row is None:
            first = {
                "centre": centre,
                "tag": tag,
                "title": project["TENDER_PROJECT_CODE"],
                "kind": "draw",
                "created_by": by,
                "created_at": now,
            }
            owner = await tx.insert("project", {**first, **values}, by or "token")
        else:
            owner = row["id"]
            await tx.change("project", owner, values, by or "token", row["version"], "version")
        kept = {
            "id": made,
            "project": owner,
            "number": new.number,
            "source": new.source,
            "content": new.content,
            "contact": int(bool(new.secret)),
            "created_by": by,
            "received_at": now,
        }
        await tx.insert(TABLE, kept, by or "token")
        return Kept(owner, new.number, new=not known)

    return await desk.store.write(work, now)


async def _known(tx: Tx, centre: CentreId, tag: bytes, caller: Caller) -> tuple[Row | None, list[Row]]:
    """The project's row and its versions, the oldest first. Raises Refused("not_found") where it is not for this caller to send."""
    row = await tx.one("project", tag=tag)
    if row is None:
        return None, []
    if row["centre"] != centre or not await _theirs(tx, row, caller):
        raise Refused("not_found", "project")
    return row, await tx.all(TABLE, project=row["id"], order=["number"])


async def _theirs(tx: Tx, row: Row, caller: Caller) -> bool:
    """Whether it is the caller's to send: a clerk's or a machine's of the centre, an agency's own or given to it."""
    centre = CentreId(row["centre"])
    clerk = any(each.role is Role.DRAW_CLERK and each.holds(caller.request.now) and reaches(each, centre) for each in caller.actor.grants)
    if clerk or caller.actor.scopes is not None or row["created_by"] == caller.actor.person:
        return True
    return await tx.one("project_agency", project=row["id"], person=caller.person) is not None


async def _same(desk: Desk, row: Row, content: str, secret: bytes) -> bool:
    if row["content"] != content or bool(row["contact"]) != bool(secret):
        return False
    return not secret or row["id"] in await desk.keeper.blind_index(TABLE, CONTACT, secret)


def _taken_apart(sets: Sets) -> tuple[int, str, bytes]:
    """The version that is asked for (0: none), the content as it is stored, and what is sealed of it (b"": nothing)."""
    project = dict(_project(sets))
    asked = int(project.pop("VERSION", "0"))
    contact = {field: project.pop(field) for field in exchange.CONTACT if field in project}
    content = exchange.write({**sets, "TENDER_PROJECT": [project]}, "json")
    if not contact:
        return asked, content, b""
    # With the number, so that the same person elsewhere is another value to the index by which the keeper finds it again.
    return (
        asked,
        content,
        dumps({name.lower(): text for name, text in {**contact, "NUMBER": project["TENDER_PROJECT_CODE"]}.items()}, text=True),
    )


def _project(sets: Sets) -> Mapping[str, str]:
    return sets["TENDER_PROJECT"][0]


def _place(field: str) -> str:
    return f"TENDER_PROJECT[0].{field}"


def _object(centre: str, version: str) -> str:
    return f"project:{keeper_centre(CentreId(centre))}:{version}"


# Looking --------------------------------------------------------------------------------------------------------------------------------------


async def listed(desk: Desk, caller: Caller, search: str = "", state: str = "") -> tuple[tuple[Listed, ...], int]:
    """Projects of the centres that the caller's roles reach, the newest first, and how many there are in all; `search`: a part of the number or name."""
    desk.require("projects.read", caller)
    centres = sorted({str(each.centre) for each in caller.actor.grants if each.holds(caller.request.now)})
    where: dict[str, Any] = {"newest >": 0, **({} if EVERYWHERE in centres else {"centre in": centres})}
    async with desk.store.reading() as tx:
        rows = await tx.all("project", where, order=["-received_at", "id"])
        wanted = [row for row in rows if search.casefold() in f"{row['title']}\n{row['name']}".casefold()][:MOST_LISTED]
        of = await _by_project(tx, wanted)
        found = [await _listed(tx, row, *of[row["id"]]) for row in wanted]
    return tuple(each for each in found if state in ("", each.state)), len(rows)


async def _listed(tx: Tx, row: Row, version: Row, held: Sequence[Row]) -> Listed:
    sections = await _sections(tx, row, version, held)
    return Listed(row["id"], str(row["title"]), str(row["name"]), row["newest"], row["received_at"], sets_of(version), sections)


async def _by_project(tx: Tx, rows: Sequence[Row]) -> dict[str, tuple[Row, list[Row]]]:
    """Of each project the newest version and its draws, the oldest first."""
    ids = [row["id"] for row in rows]
    numbers = {(row["id"], row["newest"]) for row in rows}
    versions = {
        each["project"]: each
        for each in await tx.all(TABLE, {"project in": ids}, limit=100_000)
        if (each["project"], each["number"]) in numbers
    }
    held = await tx.all("draw", {"project in": ids}, order=["created_at", "id"], limit=100_000)
    return {row["id"]: (versions[row["id"]], [each for each in held if each["project"] == row["id"]]) for row in rows}


async def show(desk: Desk, project: str, caller: Caller) -> Project:
    """Raises Refused("not_found")."""
    desk.require("projects.read", caller, await _thing(desk, project))
    async with desk.store.reading() as tx:
        row = await tx.get("project", project)
        versions = await tx.all(TABLE, project=project, order=["-number"])
        names = {
            each["person"]: str(each["name"])
            for each in await tx.all("account", {"person in": sorted({str(v["created_by"]) for v in versions})})
        }
        held = await tx.all("draw", project=project, order=["created_at", "id"])
        sections = await _sections(tx, row, versions[0], held)
    told = tuple(Version(each["number"], each["source"], names.get(each["created_by"], ""), each["received_at"]) for each in versions)
    running = any(each.phase not in ENDED for section in sections for each in section.draws[-1:])
    return Project(project, str(row["title"]), sets_of(versions[0]), told, sections, bool(versions[0]["contact"]), running)


def sets_of(row: Row) -> dict[str, list[dict[str, str]]]:
    """The data sets of a version, as they may go out: with its number, without whom it is about."""
    sets = exchange.read(str(row["content"]), "json")
    return {**sets, "TENDER_PROJECT": [{**sets["TENDER_PROJECT"][0], "VERSION": str(row["number"])}]}


async def _sections(tx: Tx, row: Row, version: Row, held: Sequence[Row]) -> tuple[Section, ...]:
    """Those of the newest version, then those that only draws name."""
    replayed = await drawing.project_of(tx, bytes(row["tag"])) if held else None
    of: dict[str, list[tuple[SectionDraw, Draw]]] = {}
    for n, each in enumerate(held):
        after = held[n + 1]["created_at"] if n + 1 < len(held) else 0
        state = draws.attempt_of(replayed, each, after) if replayed is not None else Draw()
        shown = SectionDraw(each["id"], state.phase, each["created_at"], bool(each["dry_run"]), version["received_at"] > each["created_at"])
        of.setdefault(each["section"], []).append((shown, state))
    rows = {each["BID_SECTION_CODE"]: each.get("BID_SECTION_NAME", "") for each in sets_of(version).get("BID_SECTION", [])} or {"1": ""}
    gone = {code: "" for code in of if code not in rows}
    return tuple(_section(code, name, of.get(code, []), code in rows) for code, name in {**rows, **gone}.items())


def _section(code: str, name: str, held: Sequence[tuple[SectionDraw, Draw]], there: bool) -> Section:
    counted = [state for shown, state in held if not shown.dry_run]
    return Section(code, name, _state(counted[-1]) if counted else State.RECEIVED, tuple(shown for shown, _ in held), there)


def _state(draw: Draw) -> State:
    if draw.phase is Phase.ABANDONED:
        return State.RECEIVED
    if draw.phase is Phase.CLOSED:
        return State.CLOSED
    return State.DRAWN if draw.seed else State.BEGUN  # with the first lots


async def _thing(desk: Desk, project: str) -> Thing:
    async with desk.store.reading() as tx:
        row = await tx.one("project", {"newest >": 0}, id=project)
    if row is None:
        raise Refused("not_found", "project")
    return Thing(CentreId(row["centre"]))


# What is done with one --------------------------------------------------------------------------------------------------------------------------


async def contact(desk: Desk, project: str, why: str, caller: Caller) -> Mapping[str, str]:
    """The responsible person and address of the newest version, as the keeper opens them and writes down. Raises Refused: not_found, step_up."""
    desk.require("projects.contact", caller, await _thing(desk, project))
    return await _opened(desk, await _newest(desk, project), why, caller)


async def begun(desk: Desk, project: str, section: str, caller: Caller) -> dict[str, Any]:
    """A request begun for a section, in the sections of docs/request.md. Raises Refused: not_found, step_up."""
    desk.require("draw.request", caller, await _thing(desk, project))
    row = await _newest(desk, project)
    sets = sets_of(row)
    known = [each.get("BID_SECTION_CODE") for each in sets.get("BID_SECTION", [])] or ["1"]
    if section not in known:
        raise Refused("not_found", "section")
    whole = {**sets["TENDER_PROJECT"][0], **await _opened(desk, row, "request", caller)}
    return exchange.request_sections({**sets, "TENDER_PROJECT": [whole]})[known.index(section)]


async def change(desk: Desk, project: str, sets: Sets, caller: Caller) -> Kept:
    """Another version, typed in: its number is the project's, and a responsible person or address that is left out is as before. Raises Refused as `receive`."""
    thing = await _thing(desk, project)
    desk.require(PERMISSIONS["form"], caller, thing)
    row = await _newest(desk, project)
    given = dict(_project(sets))
    if any(field not in given for field in exchange.CONTACT):
        given = {**await _opened(desk, row, "version", caller), **given}
    assert thing.centre is not None
    return await receive(desk, thing.centre, exchange.plain({**sets, "TENDER_PROJECT": [given]}), "form", caller)


async def _newest(desk: Desk, project: str) -> Row:
    async with desk.store.reading() as tx:
        row = await tx.get("project", project)
        found = await tx.one(TABLE, project=project, number=row["newest"])
    assert found is not None
    return {**found, "centre": row["centre"]}


async def _opened(desk: Desk, row: Row, why: str, caller: Caller) -> Mapping[str, str]:
    if not row["contact"]:
        return {}
    token, login = pass_of(caller.shown)
    (found,) = await desk.keeper.open_fields(token, login, why, [At(CONTACT, row["id"], TABLE)])
    value: dict[str, str] = loads(found, place=CONTACT, text=True) if found is not None else {}
    return {field: value[field.lower()] for field in exchange.CONTACT if field.lower() in value}
