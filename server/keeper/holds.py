"""Complaints that freeze a draw's files, and their destruction, which a complaint stops.

A hold stands in the row that says what is kept of a draw (`DrawKept`). A destruction changes the same row, so that of a hold and a destruction at the
same moment the second one looks again: what is on hold is never destroyed, and nothing is put on hold that is gone. The web process cannot lift one.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Sequence
from dataclasses import replace

from drawing.draw import ENDED
from drawing.errors import Refused
from server.keeper.approvals import approved, use
from server.keeper.approved import destroy_digest, files_object, hold_object
from server.keeper.asking import Done
from server.keeper.core import Core, leaf
from server.keeper.draw_verbs import DrawDestroy, DrawHold, DrawLift
from server.keeper.draws import DESTROYED, MOST_HOLDS, DrawKept, Hold, changing, draw_kept, draws_folder, standing
from server.keeper.keys import object_key_id
from server.keeper.people import grants_of, person_of_pass
from server.keeper.store import Change
from server.retention import kept_until
from server.workdays import local

PARTS = ("files", "secret")  # of a draw's keys


async def hold(core: Core, ask: DrawHold) -> Done:
    """Raises Refused: not_entitled to anybody but a supervisor of the draw's centre, complaint_differs, too_many_complaints, files_destroyed."""
    person = await person_of_pass(core, ask.token, ask.login)
    centre = (await draw_kept(core, ask.draw)).value.centre
    if not (await grants_of(core.vault, person)).value.holds(("supervisor",), centre):
        raise Refused("not_entitled", "person")
    now = core.clock()
    told = leaf("draw_held", now, complaint=ask.complaint, digest=ask.digest.hex(), draw=ask.draw, person=person)

    def change(kept: DrawKept) -> tuple[Sequence[Change], DrawKept]:
        known = [each for each in kept.holds if each.complaint == ask.complaint]
        if known:
            if known[0].digest != ask.digest:
                raise Refused("complaint_differs", "complaint")
            return [], kept
        if len(kept.holds) >= MOST_HOLDS:
            raise Refused("too_many_complaints", "draw", most=MOST_HOLDS)
        return [told], replace(kept, holds=(*kept.holds, Hold(now, ask.complaint, ask.digest, person)))

    await changing(core, ask.draw, change)
    return Done()


async def lift(core: Core, ask: DrawLift) -> Done:
    """Where it was lifted already, nothing happens. Raises Refused: not_approved, subject_differs, approval_used."""
    about = hold_object(ask.draw, ask.complaint)
    kept = (await draw_kept(core, ask.draw)).value
    found = [each for each in kept.holds if each.complaint == ask.complaint]
    if not found:
        return Done()
    used = await _used_up(core, ask.approved, "lift", about, found[0].digest, kept.centre)
    told = leaf("draw_hold_lifted", core.clock(), complaint=ask.complaint, draw=ask.draw, subject=ask.approved.hex())

    def change(kept: DrawKept) -> tuple[Sequence[Change], DrawKept]:
        return [used, told], replace(kept, holds=tuple(each for each in kept.holds if each.complaint != ask.complaint))

    await changing(core, ask.draw, change)
    return Done()


async def destroy(core: Core, ask: DrawDestroy) -> Done:
    """Of one that was destroyed already what is left lying about is removed.

    Raises Refused: draw_on_hold while a complaint holds it, draw_not_over while its project has a draw that runs, retention_runs before the years are
    over, not_approved, subject_differs, approval_used.
    """
    about = files_object(ask.draw)
    try:
        there = (await draw_kept(core, ask.draw)).value
    except Refused as refused:
        if refused.code != "files_destroyed":
            raise
        await asyncio.to_thread(_remove, core, ask.draw)
        return Done()
    _check_free(there)
    state = (await standing(core, ask.draw)).project.draw
    if state.phase not in ENDED:
        raise Refused("draw_not_over", "draw")
    until = kept_until(state.last_at, dry_run=there.dry_run)
    if core.clock() < until:
        raise Refused("retention_runs", "draw", until=local(until).date().isoformat())
    used = await _used_up(core, ask.approved, "retention", about, destroy_digest(ask.draw), there.centre)
    keys = [object_key_id(f"draw-{part}:{ask.draw}") for part in PARTS]
    told = leaf("draw_files_destroyed", core.clock(), draw=ask.draw, subject=ask.approved.hex())

    def change(kept: DrawKept) -> tuple[Sequence[Change], DrawKept]:
        _check_free(kept)  # a complaint may have come meanwhile
        return [used, told, *(Change("key", (key.hex(),), None) for key in keys)], replace(kept, stage=DESTROYED)

    await changing(core, ask.draw, change)
    # If we crash here the files are still there and nobody can read them: their keys are gone.
    for key in keys:
        core.vault.forget(key)
    await asyncio.to_thread(_remove, core, ask.draw)
    return Done()


def _remove(core: Core, draw: str) -> None:
    folder = draws_folder(core)
    shutil.rmtree(folder / draw, ignore_errors=True)
    for each in (core.settings.out or folder).glob(f"{draw}-*"):  # what was sealed for supervisors
        each.unlink(missing_ok=True)


def _check_free(kept: DrawKept) -> None:
    if kept.holds:
        raise Refused("draw_on_hold", "draw", count=len(kept.holds))


async def _used_up(core: Core, subject: bytes, action: str, about: str, digest: bytes, centre: str) -> Change:
    """The change that uses an approval up, where it is of these contents and was given for the draw's own centre. Raises Refused."""
    found = await approved(core, subject, action, about, centre)
    if found.digest != digest:
        raise Refused("subject_differs", "subject")
    return await use(core, subject, action, about, centre)
