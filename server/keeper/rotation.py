"""Rotation: a new root, all wrapped keys, states, credentials and blind indexes carried over to it while the service runs.

    asked     the approval is used up and the state says which generation begins          (crash: resumed at the next unsealing)
    two roots the sealed file holds the old and the new root; new rows use the new one    (crash: two roots mean that a rotation runs)
    carried   rows of the old generation, page by page, each changed only as it was read  (crash: rows of both generations open)
    checked   nothing of the old generation is left, also by verbs that ran at the change
    one root  the sealed file holds the new root alone

Every step may be done twice. What data keys seal is not touched: a rotation of 100,000 objects moves 100,000 wrapped keys.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated

from drawing.errors import Refused
from drawing.model import text, whole
from server.keeper import anchor, keys, sealed
from server.keeper.approvals import use
from server.keeper.core import Core, leaf
from server.keeper.keys import KEY, Keyring, Secret, suite_of
from server.keeper.library_work import ring_to_json
from server.keeper.rules import EVERYWHERE
from server.keeper.signing import LOG, OPERATOR, STAFF, last_tree, signer
from server.keeper.store import Change, Row
from server.keeper.verbs import KeyStatus, Rotate

PAGE = 500
ROOT = "root"  # the object of an approval to rotate
_WRAPPED = (("key", "kek", "wrapped_key"), ("state", "state", "keeper_state"), ("credential", "state", "keeper_credential"))
step: Callable[[str], None] = lambda _: None  # noqa: E731 - where the tests kill the process, by name


@dataclass(frozen=True, slots=True)
class Rotation:
    """What runs: `to` is the generation that begins; `stage` is "" when nothing does."""

    rotated: Annotated[int, whole(0, (1 << 53) - 1)]
    stage: Annotated[str, text(16)]
    to: Annotated[int, whole(0, (1 << 31) - 1)]


NONE = Rotation(0, "", 0)


async def begin(core: Core, ask: Rotate) -> None:
    """Uses the approval up and notes what begins. Raises Refused("rotation_runs")."""
    vault = core.vault
    kept = await vault.state(Rotation, "rotation", NONE)
    if kept.value.stage or len(core.root.roots) > 1:
        raise Refused("rotation_runs", "rotate")
    used = await use(core, ask.approved, "rotate", ROOT, EVERYWHERE)
    to = vault.ring.newest + 1
    await vault.write([used, vault.put_state("rotation", Rotation(0, "asked", to), kept.version), leaf("rotating", core.clock(), to=to)])
    step("asked")


async def unfinished(core: Core) -> bool:
    """Whether a rotation runs or was cut off."""
    return len(core.root.roots) > 1 or bool((await core.vault.state(Rotation, "rotation", NONE)).value.stage)


async def run(core: Core, running: Callable[[], Sequence[asyncio.Task[None]]]) -> None:
    """Begins or goes on, to the end. `running`: the verbs that run now, which may still write with the old root."""
    if len(core.root.roots) == 1 and (await core.vault.state(Rotation, "rotation", NONE)).value.to > core.vault.ring.newest:
        _two_roots(core)
    others = [each for each in running() if each is not asyncio.current_task()]
    moved = 0
    while True:
        carried = 0
        for kind, purpose, table in _WRAPPED:
            carried += await _carry_wrapped(core, kind, purpose, table, moved + carried)
        carried += await _carry_blind(core, moved + carried)
        moved += carried
        if not carried and all(each.done() for each in others):
            break
        if not carried:
            await asyncio.wait(others, timeout=1)
    step("carried")
    kept = await core.vault.state(Rotation, "rotation", NONE)
    await core.vault.write(
        [
            core.vault.put_state("rotation", replace(kept.value, stage="", rotated=moved), kept.version),
            leaf("rotated", core.clock(), rows=moved),
        ]
    )
    step("checked")
    _set_roots(core, {core.vault.ring.newest: core.root.roots[core.vault.ring.newest]})
    step("one_root")


async def key_status(core: Core) -> KeyStatus:
    """Public keys, the generation, how far a rotation is, and the size of the last signed tree."""
    kept = (await core.vault.state(Rotation, "rotation", NONE)).value
    log, operator, staff = [(await signer(core, each)).vkey for each in (LOG, OPERATOR, STAFF)]
    stage = kept.stage or ("finishing" if len(core.root.roots) > 1 else "")
    tree, _ = await last_tree(core.vault)
    ring = core.vault.ring
    return KeyStatus(ring.generations, str(log), str(operator), kept.rotated, tree.size, str(staff), stage, ring.suite.id)


def _two_roots(core: Core) -> None:
    newest = core.vault.ring.newest
    _set_roots(core, {newest: core.root.roots[newest], newest + 1: Secret(core.vault.chance(KEY))})
    step("two_roots")


def _set_roots(core: Core, roots: dict[int, Secret]) -> None:
    """First the file, then the memory: a row is never sealed with a root that is not on the disk."""
    opened = sealed.reseal(core.root, roots, core.vault.chance)
    sealed.write_sealed(opened.file, core.settings.sealed_root, new=False)
    core.opened, core.file = opened, opened.file
    core.vault.ring = Keyring(roots, suite_of(opened.file.suite))


async def _carry_wrapped(core: Core, kind: str, purpose: str, table: str, moved: int) -> int:
    done = 0
    after: tuple[str, ...] = ()
    while rows := await core.vault.scan(kind, (), after, PAGE):
        after = rows[-1].key
        ring = core.vault.ring
        # The sum of all rows is sealed anew with every write, also with this page's.
        old = [row for row in rows if row.key != (anchor.NAME,) and keys.key_id_of(row.value) != keys.purpose_key_id(purpose, ring.newest)]
        if old:
            places = [[table, row.key[0], "value"] for row in old]
            task = await core.child.run(
                "rewrap", ring=ring_to_json(ring), purpose=purpose, places=places, envelopes=[row.value.hex() for row in old]
            )
            fresh = [bytes.fromhex(each) for each in task["envelopes"]]
            changes = [Change(kind, row.key, value, row.version) for row, value in zip(old, fresh, strict=True) if value]
            done += await _write(core, changes, kind, moved + done)
    return done


async def _carry_blind(core: Core, moved: int) -> int:
    done = 0
    after: tuple[str, ...] = ()
    while rows := await core.vault.store.scan("blind", (), after, PAGE):
        after = rows[-1].key
        newest = core.vault.ring.newest.to_bytes(4, "big")
        old = [row for row in rows if row.value[:4] != newest]
        if old:
            done += await _write(core, await _blind_anew(core, old), "blind", moved + done)
    return done


async def _blind_anew(core: Core, old: list[Row]) -> list[Change]:
    values = await core.vault.store.read("annex", [row.key for row in old])
    there = [(row, value) for row, value in zip(old, values, strict=True) if value is not None]
    held = {key_id: await core.vault.data_key(key_id) for key_id in {keys.key_id_of(value.value) for _, value in there}}
    task = await core.child.run(
        "reblind",
        ring=ring_to_json(core.vault.ring),
        keys={key_id.hex(): each.key for key_id, each in held.items()},
        places=[list(row.key) for row, _ in there],
        envelopes=[value.value.hex() for _, value in there],
    )
    fresh = {row.key: bytes.fromhex(each) for (row, _), each in zip(there, task["values"], strict=True)}
    return [Change("blind", row.key, fresh.get(row.key), row.version) for row in old]  # an index whose value is gone goes too


async def _write(core: Core, changes: list[Change], stage: str, moved: int) -> int:
    """One page with the note of how far it is. A page that lost to a verb is looked at again in the next round."""
    if not changes:
        return 0
    kept = await core.vault.state(Rotation, "rotation", NONE)
    note = core.vault.put_state("rotation", Rotation(moved + len(changes), stage, core.vault.ring.newest), kept.version)
    mine = ("rotation",)
    try:
        await core.vault.write([*(each for each in changes if each.key != mine or each.kind != "state"), note])
    except Refused as lost:
        if lost.code != "stale":
            raise
        return 1  # something is still to be done
    step(stage)
    return len(changes)
