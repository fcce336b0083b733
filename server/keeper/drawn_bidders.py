"""Sealed bidder lists: the box that they are sealed to, and their coming in. The drawing opens them; nobody else ever reads them.

A list waits until the draw may compare it (docs/spec/draw.md 4.3): then `draw_next` gives the event `screened`, which a supervisor signs as well.
"""

from __future__ import annotations

from drawing.draw import ENDED
from drawing.errors import Refused
from server.bidders import MOST_PLAIN
from server.keeper.core import Core
from server.keeper.draw_verbs import Box, DrawBidders, DrawBox, Received
from server.keeper.draws import Standing, standing, task_of


async def box(core: Core, ask: DrawBox) -> Box:
    """Raises Refused: no_such_draw, no_key_list."""
    now = await standing(core, ask.draw)
    got = await core.drawer.run("box", **await task_of(core, now))
    return Box(bytes.fromhex(got["key"]), _late(core, now), got["lists"])


async def receive(core: Core, ask: DrawBidders) -> Received:
    """Raises Refused: what the list breaks, bidders_not_for_this_box, bidders_too_late, other_bidder_list_there, bidder_list_missing."""
    now = await standing(core, ask.draw)
    late = _late(core, now)
    try:
        got = await core.drawer.run("take_bidders", **await task_of(core, now), late=late, number=ask.number, sealed=ask.sealed.hex())
    except Refused as refused:  # a child says codes and places only
        number = ask.number - (refused.code == "bidder_list_missing")
        raise Refused(refused.code, refused.place, most=MOST_PLAIN, number=number) from None
    return Received(bytes.fromhex(got["digest"]), got["new"])


def _late(core: Core, now: Standing) -> bool:
    """Whether nobody could be replaced any more: the attempt has ended, or the evaluation has begun."""
    commit = now.own.commit
    return now.own.phase in ENDED or (commit is not None and core.clock() >= commit.evaluation_at)
