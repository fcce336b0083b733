"""How people who were called answered, counted by place: what a supervisor's statistics need and the log does not tell.

The log says that a place was left; that nobody answered is known here alone. Only draws that are over, only of a centre where the reader is a
supervisor, no person and no reason. The reading is in the log before anything is told.
"""

from __future__ import annotations

from drawing.canonical import TH
from drawing.draw import ENDED, Draw
from drawing.errors import Refused
from drawing.events import Answers
from server.keeper.core import Core, leaf
from server.keeper.draw_verbs import DrawSaid, Said, SaidRow
from server.keeper.drawn_people import answered_nothing
from server.keeper.draws import draw_kept, standing
from server.keeper.people import grants_of, person_of_pass


async def said(core: Core, ask: DrawSaid) -> Said:
    """Draws whose files were destroyed, or that run on, have no rows. Raises Refused("not_entitled")."""
    person = await person_of_pass(core, ask.token, ask.login)
    grants = (await grants_of(core.vault, person)).value
    rows: list[SaidRow] = []
    for place, draw in enumerate(ask.draws):
        try:
            centre = (await draw_kept(core, draw)).value.centre
        except Refused as refused:
            if refused.code not in ("files_destroyed", "no_such_draw"):
                raise
            continue
        if not grants.holds(("supervisor",), centre):
            raise Refused("not_entitled", "person")
        found = (await standing(core, draw)).draw
        for slot, occupant, state in answers_of(found) if found.phase in ENDED else ():
            silent = state == "left" and await answered_nothing(core, draw, slot, occupant)
            rows.append(SaidRow(place, "no_answer" if silent else state, slot))
    digest = TH("lotroom/v1/figures", *(each.encode() for each in ask.draws))
    told = leaf("read_figures", core.clock(), digest=digest.hex(), draws=len(ask.draws), person=person)
    await core.vault.write([told])  # if we crash before this returns, nothing was told
    return Said(tuple(rows))


def answers_of(draw: Draw) -> list[tuple[int, int, str]]:
    """(slot, occupant, state) of everybody whose answer is in the log; what they said last counts."""
    last: dict[tuple[int, int], str] = {}
    for event, before in draw.answered:
        assert isinstance(event.body, Answers)
        for each in event.body.answers:
            last[each.slot, len(before[each.slot].tags)] = each.state
    return [(slot, occupant, state) for (slot, occupant), state in sorted(last.items())]
