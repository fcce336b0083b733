"""What a supervisor's statistics need and the log does not tell: how people who were called answered, counted by place, and how often everybody was drawn.

The log says that a place was left; that nobody answered is known here alone. Only draws that are over, only of a centre where the reader is a
supervisor, no reason, and nobody's name: of the library's people those whose count is the least likely are told, by their entry. The reading is in the
log before anything is told.
"""

from __future__ import annotations

import asyncio
from typing import Any

from drawing.canonical import TH
from drawing.draw import ENDED, Draw, Phase
from drawing.errors import Refused
from drawing.events import Answers
from server.keeper.core import Core, Tallying, leaf
from server.keeper.draw_verbs import MOST_RARE, DrawSaid, DrawTally, Said, SaidRow, Tallied, TallyRow
from server.keeper.drawn_people import answered_nothing
from server.keeper.draws import draw_kept, standing, task_of
from server.keeper.people import grants_of, person_of_pass

MOST_TALLIES = 4  # lists of draws whose counts are kept in memory


async def said(core: Core, ask: DrawSaid) -> Said:
    """Draws whose files were destroyed, or that run on, have no rows. Raises Refused("not_entitled")."""
    person, there = await _entitled(core, ask)
    rows: list[SaidRow] = []
    for place, draw in there:
        found = (await standing(core, draw)).own
        for slot, occupant, state in answers_of(found) if found.phase in ENDED else ():
            silent = state == "left" and await answered_nothing(core, draw, slot, occupant)
            rows.append(SaidRow(place, "no_answer" if silent else state, slot))
    digest = TH("lotroom/v1/figures", *(each.encode() for each in ask.draws))
    told = leaf("read_figures", core.clock(), digest=digest.hex(), draws=len(ask.draws), person=person)
    await core.vault.write([told])  # if we crash before this returns, nothing was told
    return Said(tuple(rows))


async def _entitled(core: Core, ask: DrawSaid | DrawTally) -> tuple[str, list[tuple[int, str]]]:
    """Who asks, and (place in the question, draw) of those whose files are there. Raises Refused("not_entitled")."""
    person = await person_of_pass(core, ask.token, ask.login)
    grants = (await grants_of(core.vault, person)).value
    there = []
    for place, draw in enumerate(ask.draws):
        try:
            centre = (await draw_kept(core, draw)).value.centre
        except Refused as refused:
            if refused.code not in ("files_destroyed", "no_such_draw"):
                raise
            continue
        if not grants.holds(("supervisor",), centre):
            raise Refused("not_entitled", "person")
        there.append((place, draw))
    return person, there


async def tally(core: Core, ask: DrawTally) -> Tallied:
    """Starts counting where these draws were not counted yet, and says how far it is. Raises Refused("not_entitled")."""
    person, there = await _entitled(core, ask)
    draws = tuple([draw for _, draw in there if (await standing(core, draw)).own.phase is Phase.CLOSED])
    if not draws:
        return Tallied(0, 0, 0, 0, ())
    held = core.tallies.get(draws)
    if held is None or (held.task.done() and held.task.exception() is not None):
        held = core.tallies[draws] = Tallying(draws)
        held.task = asyncio.create_task(_tally(core, held))
        while len(core.tallies) > MOST_TALLIES:
            core.tallies.pop(next(iter(core.tallies))).task.cancel()
    if not held.task.done():
        return Tallied(held.counted, len(draws), 0, 0, ())
    got = held.task.result()
    digest = TH("lotroom/v1/tally", *(each.encode() for each in draws))
    told = leaf("read_tally", core.clock(), digest=digest.hex(), draws=len(draws), person=person)
    await core.vault.write([told])  # if we crash before this returns, nothing was told
    return Tallied(len(draws), len(draws), got["drawn"], got["people"], tuple(TallyRow(**each) for each in got["rows"]))


async def _tally(core: Core, held: Tallying) -> dict[str, Any]:
    got: dict[str, Any] = {}
    name = core.chance(8).hex()
    for n, draw in enumerate(held.draws):
        about = {"first": n == 0, "last": n + 1 == len(held.draws), "most": MOST_RARE, "name": name}
        got = await core.drawer.run("tally", **await task_of(core, await standing(core, draw)), **about)
        held.counted = n + 1
    return got


def answers_of(draw: Draw) -> list[tuple[int, int, str]]:
    """(slot, occupant, state) of everybody whose answer is in the log; what they said last counts."""
    last: dict[tuple[int, int], str] = {}
    for event, before in draw.answered:
        assert isinstance(event.body, Answers)
        for each in event.body.answers:
            last[each.slot, len(before[each.slot].tags)] = each.state
    return [(slot, occupant, state) for (slot, occupant), state in sorted(last.items())]
