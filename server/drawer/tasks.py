"""The drawing's child process: one task at a time, values in, values out, over standard input and output as `server.keeper.work`.

The keeper gives each task the draw's key and what it reads from the log; what is private is read from sealed files and goes back into them. Draws
that were worked on last stay in memory, so that a task after another need not read a large library again. A task that is killed is done again:
all it writes is what it would write again.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from heapq import nsmallest
from pathlib import Path
from typing import Any

from drawing.beacon import Network
from drawing.canonical import dumps, loads
from drawing.draw import ENDED, Draw, Phase, Project, replay
from drawing.errors import Refused
from drawing.events import TYPE_OF, parse_event
from drawing.fair import count, numerators
from drawing.keys import KeyList, parse_keys
from drawing.lots import first_need
from drawing.model import shape_of
from drawing.note import VKey
from drawing.roll import roll_file
from server import bidders
from server.chances import of_pool, pool_of
from server.conduct import Reply
from server.control import count_limits, poisson_tails
from server.drawer.blobs import Blobs
from server.drawer.kept import KeptConduct, Records, pack_record
from server.files import write_whole
from server.folder import Keys
from server.keeper.keys import Secret as Key
from server.keeper.keys import suite_of
from server.keeper.library_work import Json
from server.keeper.shield import shield
from server.keeper.work import serve
from server.keyfiles import KeyFile
from server.material import Secret
from server.request import Request, parse_request
from server.waiting import Waiting
from server.why import why

MOST_KEPT = 3  # draws in memory
RARE = 0.01  # the chance that anybody at all lies outside the limits where nothing is wrong
BOX = "bidders-box"  # whose private key follows from the draw's secret
KEPT_SECONDS = 6 * 3600  # a sealed file that leaves: it is made anew whenever somebody asks
_held: OrderedDict[str, KeptConduct] = OrderedDict()


def blobs_of(task: Json) -> Blobs:
    """The draw's sealed files."""
    key = Key(bytes.fromhex(task["key"]))
    return Blobs(Path(task["folder"]), task["draw"], suite_of(task["suite"]), key, bytes.fromhex(task["key_id"]))


def begin(task: Json) -> Json:
    """The request, as it was asked for. Raises Refused where it cannot be read, or another one is there."""
    blobs, text = blobs_of(task), task["request"].encode()
    request = parse_request(text, "request", task["started_at"])
    kept = dumps({"request": text.decode(), "started_at": task["started_at"]}, text=True)
    there = blobs.read("request")
    if there is not None and there != kept:
        raise Refused("other_request", "draw")
    if there is None:
        blobs.write("request", kept)
    return {"leave_hours": request.leave_hours}


def add_records(task: Json) -> Json:
    """A page of the library (expert id, record) for these draws; the last page makes their files. A draw that has its file keeps it."""
    wanting = [blobs for blobs in map(blobs_of, task["draws"]) if not blobs.there("records")]
    if not wanting:
        return {"done": True}
    parts = _pages.setdefault(READ, [])
    if task["page"] == 0:
        parts.clear()
    if task["page"] != len(parts):
        raise Refused("page_missing", "records", expected=len(parts))
    parts.append(b"".join(pack_record(bytes.fromhex(expert), bytes.fromhex(record)) for expert, record in task["records"]))
    if task["last"]:
        whole = b"".join(_pages.pop(READ))
        for blobs in wanting:
            blobs.write("records", whole)
    return {"done": task["last"]}


READ = "library"
_pages: dict[str, list[bytes]] = {}


# The draw -------------------------------------------------------------------------------------------------------------------------------------


def conduct_of(task: Json) -> KeptConduct:
    """The draw with what it needs now: the time, the key list, the beacon's values, the replies."""
    blobs = blobs_of(task)
    made = _held.get(task["draw"])
    key_list = parse_keys(task["keys"].encode()).newest
    if made is None or made.key_list.digest != key_list.digest:
        data = blobs.read("request")
        if data is None:
            raise Refused("draw_not_begun", "draw")
        value = loads(data, place="request", text=True)
        text = value["request"].encode()
        request = parse_request(text, "request", value["started_at"])
        made = KeptConduct(
            request=request,
            secret=Secret(bytes.fromhex(task["secret"])),
            records=Records(blobs),
            keys=keys_of(key_list),
            key_list=key_list,
            tag=bytes.fromhex(task["project"]),
            origin=task["origin"],
            started=request.digest,
            shelf=blobs,
            now=int,
            say=_silent,
            blobs=blobs,
        )
        _held[task["draw"]] = made
    _held.move_to_end(task["draw"])
    while len(_held) > MOST_KEPT:
        _held.popitem(last=False)
    made.now = lambda: int(task["now"])
    made.replies = _replies(task.get("replies"))
    made.leaves = _replies(task.get("leaves")) or {}
    values = {int(number): bytes.fromhex(value) for number, value in task.get("values", {}).items()}

    def beacon(network: Network, number: int) -> bytes:
        if number not in values:
            raise Waiting("beacon", network=network.name, round=number, until=network.time_of(number))
        return values[number]

    def witness(since: int) -> None:
        if since and key_list.log_policy.has_quorum and task.get("cosigned_at", 0) < since:
            raise Waiting("witnesses", since=since)

    made.beacon, made.witness = beacon, witness
    return made


def keys_of(key_list: KeyList) -> Keys:
    """The public parts of a list's keys, those of other bodies than the operator's first (check A5)."""
    own = {entry.body for entry in key_list.entries if entry.role == "operator"}
    files = []
    for entry in sorted(key_list.entries, key=lambda entry: (entry.body in own, entry.vkey)):
        key = VKey.parse(entry.vkey)
        files.append(KeyFile(key.name, entry.role, entry.body, key.public, entry.vrf, entry.box))
    log = key_list.log_policy.log
    return Keys(Path(), KeyFile(log.name, "log", "", log.public, b"", b""), tuple(files))


def _silent(code: str, **params: object) -> None:
    """Progress is told by the keeper."""


def _replies(value: Any) -> Mapping[tuple[int, int], Reply] | None:
    if value is None:
        return None
    return {(each["slot"], each["occupant"]): Reply(each["state"], each["reason"], each["evidence"]) for each in value}


def project_of(task: Json) -> Project:
    """The project from its events, which the keeper has found to be rightly signed."""
    return replay(parse_event(bytes.fromhex(each), f"event {number}") for number, each in enumerate(task["events"]))


def terms(task: Json) -> Json:
    """What the commit will commit to, as JSON; "" before it is known."""
    return {"terms": (blobs_of(task).read("terms-0") or b"").decode()}


def prepare(task: Json) -> Json:
    """Screen, roll, fit; what comes of it is kept."""
    made = conduct_of(task)
    made.prepare()
    return {"notice": made.notice.hex(), "people": len(made.records)}


def next_event(task: Json) -> Json:
    """What follows: `body`, `type` and the names of the keys that sign; or `waiting` with its code, values and (for an attestation) the body."""
    made, project = conduct_of(task), project_of(task)
    draw = project.draw
    if any(made.mine(each) and each.phase in ENDED for each in project.attempts):
        return {"waiting": "ended", "params": {}}
    try:
        body, signers = made.next_event(draw, project.events)
    except Waiting as wait:
        about = wait.params.pop("body", None)
        return {"waiting": wait.code, "params": wait.params, **(_body(about) if about is not None else {})}
    return {**_body(body), "signers": [key.name for key in signers]}


def _body(body: Any) -> Json:
    return {"type": TYPE_OF[type(body)], "body": shape_of(type(body)).write(body)}


def seal_out(task: Json) -> Json:
    """A file for those who may have it, written into the folder for leaving: `openings` or `roll`."""
    made, draw = conduct_of(task), project_of(task).draw
    readers = {name: bytes.fromhex(box) for name, box in task["readers"].items()}
    if task["what"] == "openings":
        data = made.openings_for(draw, readers, closed=task["closed"])
    elif task["what"] == "roll_closed":
        data = roll_file(made.sections(draw))
    else:
        data = made.roll_for(draw, readers)
    path = Path(task["out"])
    path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    write_whole(
        path, data, mode=path.parent.stat().st_mode & 0o640
    )  # as open as its folder: the web process may be another user of our group
    _sweep(path, f"{task['draw']}-{task['what']}-", int(task["now"]))
    return {"bytes": len(data)}


def _sweep(newest: Path, prefix: str, now: int) -> None:
    """Files that are stale leave: those of earlier states of this draw, and whatever nobody fetched for hours."""
    for each in newest.parent.glob("*-*.*"):
        with contextlib.suppress(OSError):  # somebody else was faster
            if each != newest and (each.name.startswith(prefix) or each.stat().st_mtime < now - KEPT_SECONDS):
                each.unlink()


def box(task: Json) -> Json:
    """The public key to which bidder lists of this draw are sealed, and how many have come."""
    made = conduct_of(task)
    return {"key": bidders.box_public(made.secret.of(BOX)).hex(), "lists": made.lists()}


def take_bidders(task: Json) -> Json:
    """Open a sealed bidder list and keep it: its salted digest, and whether it is new. Raises Refused."""
    made = conduct_of(task)
    plain = bidders.unseal(bytes.fromhex(task["sealed"]), made.secret.of(BOX), task["draw"])
    kept, new = made.take_bidders(task["number"], bidders.content_of(plain), late=task["late"])
    return {"digest": kept.digest.hex(), "new": new}


def who(task: Json) -> Json:
    """The records behind tags, and whose they are."""
    made = conduct_of(task)
    tags = [bytes.fromhex(each) for each in task["tags"]]
    found = zip(made.experts(tags), made.records_of(tags), strict=True)
    return {"people": [{"expert": expert.hex(), "record": record.decode()} for expert, record in found]}


def record(task: Json) -> Json:
    """The request as it was asked for, and the records behind tags."""
    made = conduct_of(task)
    tags = [bytes.fromhex(each) for each in task["tags"]]
    people = [{"record": each.decode()} for each in made.records_of(tags)]
    kept = loads(made.blobs.read("request") or b"", place="request", text=True)
    return {"people": people, "request": kept["request"], "started_at": kept["started_at"]}


def own(task: Json) -> Json:
    """How a draw that has ended went for one person of the library: what kept them out, the chance that the commit gave, whether they were drawn."""
    made, draw = conduct_of(task), project_of(task).draw
    tag, record = made.person(bytes.fromhex(task["expert"]))
    if record is None or draw.commit is None:
        return {"there": False, "kept": [], "part": "0", "whole": "0", "state": ""}
    kept = [{"code": each.code, "evidence": each.evidence} for each in why([record], made.request, loads(record, text=True)["id_number"])]
    roll = made.kept_roll(0)
    need, place = first_need(roll, draw.commit.terms.plan), roll.place_of.get(tag)
    part = 0 if place is None else numerators(roll.field, need)[place]
    states = [slot.state for slot in draw.slots if slot.tag == tag]
    state = "barred" if tag in made.removed(draw) else states[0] if states else "left" if tag in draw.gone else ""
    return {"there": True, "kept": kept, "part": str(part), "whole": str(count(roll.field, need)), "state": state}


def feasible(task: Json) -> Json:
    """Whether a request has a lawful panel, and with what chances, without a draw: nothing is kept. The library comes in pages under a name of the
    question's own; the counts are the keeper's to round or withhold.
    """
    if task["page"] == 0:
        _pages[task["draw"]] = []
    parts = _pages.get(task["draw"])
    if parts is None or task["page"] != len(parts):
        raise Refused("page_missing", "records", expected=len(parts or ()))
    parts.append(dumps(task["records"]))
    if not task["last"]:
        return {}
    del _pages[task["draw"]]
    request: Request = parse_request(task["request"].encode(), "request", task["now"])
    records = [bytes.fromhex(record) for part in parts for record in loads(part, place="records", max_bytes=len(part))]
    made, need = pool_of(records, request, Secret(secrets.token_bytes(32)))
    seats = [sum(seat in made.roll.types[number].seats for number in made.roll.type_numbers) for seat in range(len(made.plan.seats))]
    found = {"eligible": made.roll.size, "seats": seats}
    if count(made.roll.field, need) == 0:
        return {**found, "enough": False, "small_pool": False, "bound": 0, "groups": []}
    report = of_pool(made, need, request).report
    groups = [
        {
            "zh": each.zh,
            "en": each.en,
            "people": each.people,
            **{name: _billionths(getattr(each, name)) for name in ("least", "most", "target")},
        }
        for each in report.groups
    ]
    return {**found, "enough": True, "small_pool": report.small_pool, "bound": _billionths(report.bound), "groups": groups}


def _billionths(chance: Fraction) -> int:
    return round(chance * 10**9)


# How often everybody was drawn ----------------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Tally:
    """Of one person, over the draws so far: what was to be expected, and how often it came."""

    expected: float = 0.0
    drawn: int = 0


_tallies: dict[str, dict[bytes, Tally]] = {}


def tally(task: Json) -> Json:
    """One draw more, into the count of this name. With the last one: the people whose count is least likely, by what chance says of it."""
    if task["first"]:
        _tallies[task["name"]] = {}
        while len(_tallies) > MOST_KEPT:
            _tallies.pop(next(iter(_tallies)))
    people = _tallies.get(task["name"])
    if people is None:
        raise Refused("page_missing", "draws", expected=0)
    made = conduct_of(task)
    for draw in project_of(task).attempts:
        if made.mine(draw) and draw.phase is Phase.CLOSED:
            _count(people, made, draw)
    return _rarest(_tallies.pop(task["name"]), task["most"]) if task["last"] else {}


def _count(people: dict[bytes, Tally], made: KeptConduct, draw: Draw) -> None:
    lots, commit, roll, owner = draw.stages[0].outcome, draw.commit, made.kept_roll(0), made.everybody()
    assert lots is not None
    assert commit is not None
    need = first_need(roll, commit.terms.plan, made.removed(draw, lots.head.seq))
    total, parts = count(roll.field, need), numerators(roll.field, need)
    chances = {part: part / total for part in set(parts)}
    for tag, part in zip(roll.tags, parts, strict=True):
        if part:
            people.setdefault(owner[tag], Tally()).expected += chances[part]
    for slot in draw.slots:
        if not slot.reserve and slot.tags:
            people.setdefault(owner[slot.tags[0]], Tally()).drawn += 1


def _rarest(people: Mapping[bytes, Tally], most: int) -> Json:
    level = RARE / 2 / max(1, len(people))

    def rare(expert: bytes) -> tuple[float, bytes]:
        return min(poisson_tails(people[expert].drawn, people[expert].expected)), expert

    rows = []
    for expert in nsmallest(most, people, key=rare):
        each = people[expert]
        low, high = count_limits(each.expected, level)
        rows.append({"drawn": each.drawn, "expected": round(each.expected * 10**6), "expert": expert.hex(), "high": high, "low": low})
    return {"drawn": sum(bool(each.drawn) for each in people.values()), "people": len(people), "rows": rows}


TASKS: Mapping[str, Callable[[Json], Json]] = {
    "add_records": add_records,
    "begin": begin,
    "box": box,
    "feasible": feasible,
    "next": next_event,
    "own": own,
    "prepare": prepare,
    "record": record,
    "seal_out": seal_out,
    "take_bidders": take_bidders,
    "tally": tally,
    "terms": terms,
    "who": who,
}


def main() -> None:
    """The process."""
    shield()
    os.nice(5)
    with contextlib.suppress(BrokenPipeError, KeyboardInterrupt):
        serve(sys.stdin.buffer, sys.stdout.buffer, TASKS)


if __name__ == "__main__":
    main()
