"""What a draw waits for, and who has to act next: read off the replayed draw, its drafts and its preparation. No clock, no storage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from drawing.draw import ENDED, Draw, Phase
from drawing.events import Attested, Committed
from server.keeper.draw_verbs import DrawState, Replies
from server.services.draw_approvals import WAITING, Asked

STEPS = ("preparing", "attestation", "commit", "contributions", "answers", "check", "unsealing", "closed")


@dataclass(frozen=True, slots=True)
class Due:
    """`code`: a row of the page's texts; `who` acts next (a role, `service`, `experts`, `time`, or "" at the end); `until` at the latest, 0 where
    there is no such moment; `names`: the keys that are still missing; `draft`: the type of the event that people sign; `step`: the place in STEPS.
    """

    code: str
    who: str
    step: int
    until: int = 0
    names: tuple[str, ...] = ()
    draft: str = ""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A draft as far as it matters here."""

    type: str
    missing: tuple[tuple[tuple[str, ...], int], ...]
    asked: Asked


def due(draw: Draw, keeper: DrawState, replies: Replies | None, drafts: Sequence[Waiting]) -> Due:
    """The one thing that comes next."""
    step = step_of(draw, keeper)
    cancelled = [each for each in drafts if each.type == "abandoned"]
    if draw.phase not in ENDED and cancelled and cancelled[0].asked.state != "none":
        return _of_draft(cancelled[0], step)
    if draw.phase is Phase.NEW:
        if keeper.stage == "failed":
            return Due("failed", "draw_clerk", step)
        return Due("to_open", "draw_clerk", step) if keeper.stage == "ready" else Due("preparing", "service", step)
    for each in drafts:
        if each.type != "abandoned":
            return _of_draft(each, step)
    return _of_phase(draw, replies, step)


def _of_draft(draft: Waiting, step: int) -> Due:
    if draft.type in WAITING and draft.asked.state == "none":
        return Due("ask", "draw_clerk", step, draft=draft.type)
    if draft.type in WAITING and draft.asked.state == "open":
        return Due("approve", "approver", step, draft=draft.type)
    if any("supervisor" in roles for roles, _ in draft.missing):
        return Due("sign", "supervisor", step, draft=draft.type)
    return Due("go_on", "draw_clerk", step, draft=draft.type)


def _of_phase(draw: Draw, replies: Replies | None, step: int) -> Due:
    match draw.phase:
        case Phase.OPENED | Phase.ATTESTED | Phase.WIDENING:
            done = {each.body.scope for each in draw.attested if isinstance(each.body, Attested)}
            missing = tuple(scope for scope in ("openings", "roll") if scope not in done)
            return Due("attest", "supervisor", step, names=missing) if missing else Due("go_on", "draw_clerk", step)
        case Phase.COMMITTED | Phase.WIDENED | Phase.DRAWING:
            return _contributions(draw, step)
        case Phase.READY | Phase.REDRAW:
            return Due("lots", "service", step)
        case Phase.OPEN:
            if draw.commit is not None and draw.commit.round_contributors:
                return Due("contribute", "contributor", step, names=draw.commit.round_contributors)
            return Due("lots", "service", step)
        case Phase.SEATED:
            return _seated(draw, replies, step)
        case Phase.STOPPED:
            return Due("stopped", "supervisor", step)
        case Phase.CLOSED:
            return Due("closed", "", step)
        case Phase.ABANDONED:
            return Due("abandoned", "", step)
        case Phase.NEW:
            raise AssertionError("a draft or the preparation speaks first")


def _contributions(draw: Draw, step: int) -> Due:
    given = {name for name, _, _, _ in draw.stages[-1].given} if draw.stages else set()
    missing = tuple(name for name in (draw.stages[-1].expected if draw.stages else ()) if name not in given)
    commit = draw.commit
    until = commit.deadlines.contributions if isinstance(commit, Committed) and not draw.round > 1 else 0
    return Due("contribute", "contributor", step, until, missing) if missing else Due("lots", "service", step)


def _seated(draw: Draw, replies: Replies | None, step: int) -> Due:
    sitting = [slot for slot in draw.slots if slot.tag]
    if any(not slot.notified for slot in sitting):
        return Due("notify", "service", step)
    if any(slot.state == "pending" for slot in sitting):
        return Due("answers", "experts", step, replies.until if replies else 0)
    if not draw.checked:
        return Due("check", "supervisor", step)
    if draw.commit is not None and not draw.unsealed:
        return Due("sealed", "time", step, draw.commit.unsealing.not_before)
    return Due("go_on", "draw_clerk", step)


def step_of(draw: Draw, keeper: DrawState) -> int:
    """The place in STEPS; one more than the last at the end."""
    phase = draw.paused or draw.phase
    if phase is Phase.NEW:
        return 0
    if phase in (Phase.OPENED, Phase.ATTESTED):
        return 1 if len(draw.attested) < 2 else 2
    if phase in (Phase.COMMITTED, Phase.READY):
        return 3
    if phase is Phase.CLOSED:
        return len(STEPS)
    if phase is Phase.SEATED and not any(slot.state == "pending" for slot in draw.slots if slot.tag):
        return 7 if draw.unsealed else 6 if draw.checked else 5
    if phase is Phase.ABANDONED:
        return 4 if draw.slots else 3 if draw.commits else 1
    return 4
