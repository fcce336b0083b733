"""What the printed record of a draw needs and nobody but the keeper has: the request, and the people with what they said.

The record names people who did not come as well, with their reasons: it is as secret as the list. So it takes what the names take (an entitled person
with a pass, the approval of `unseal`, the log's `unsealed`), and before the end it names those of opened slots alone. The reading is in the log first.
"""

from __future__ import annotations

from typing import Any

from drawing.canonical import dumps, loads
from drawing.draw import ENDED, Draw
from server.keeper.core import Core
from server.keeper.draw_verbs import DrawRecord, RecordText
from server.keeper.drawn_people import said_by, unsealed_for, write_down
from server.keeper.draws import task_of
from server.keeper.rules import OBJECTS

SHOWN = ("name", "id_number", "title", "duty", "phone", "professions")


async def record(core: Core, ask: DrawRecord) -> RecordText:
    """Raises Refused: not_entitled, not_yet, not_approved."""
    stands, person = await unsealed_for(core, ask, OBJECTS["draw"].roles)
    places = _named(stands.own)
    tags = [stands.own.slots[slot].tags[occupant - 1].hex() for slot, occupant in places]
    got = await core.drawer.run("record", **await task_of(core, stands), tags=tags)
    await write_down(core, ask, person, "read_record")
    people: list[dict[str, Any]] = []
    for (slot, occupant), found in zip(places, got["people"], strict=True):
        value = loads(found["record"].encode(), place="record", text=True)
        shown = {name: value[name] for name in SHOWN}
        said = await said_by(core, ask.draw, slot, occupant)
        people.append({**shown, "employer": value["employer"]["name"], "occupant": occupant, "reason": said, "slot": slot})
    return RecordText(dumps({"people": people, "request": got["request"], "started_at": got["started_at"]}, text=True).decode())


def _named(draw: Draw) -> list[tuple[int, int]]:
    """(slot, occupant) of those whose names may be in the record now."""
    every = [(number, slot, occupant) for number, slot in enumerate(draw.slots) for occupant in range(1, len(slot.tags) + 1)]
    ended = draw.phase in ENDED
    return [(number, occupant) for number, slot, occupant in every if ended or (slot.unsealed and occupant == len(slot.tags))]
