"""A draw in the keeper: its request and library, what is kept of it, and the long work, which a child process does (`server.drawer.tasks`).

A draw has a data key of its own for its sealed files and another from which everything random of it follows; both are made with it. What is known
of a draw here is one sealed state: its centre, project, when it began, how far its preparation is. Whatever is asked of the drawing goes with the
key list that the keeper trusts and with the events that it read from the log itself and found to be rightly signed.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

from drawing.canonical import TH
from drawing.draw import Draw, Fault, Project, step
from drawing.errors import Refused
from drawing.events import Event, Opened, parse_event
from drawing.keys import KeyChain, KeyList, keys_bytes, parse_keys
from drawing.model import choice, digest, flag, many, nested, text, time, unicode_text, whole, word
from drawing.verify import signature_faults
from server.keeper.approvals import use
from server.keeper.approved import draw_object
from server.keeper.asking import Done
from server.keeper.core import Core, Reading, leaf, log_name
from server.keeper.draw_verbs import (
    FEWEST,
    MOST_GROUPS,
    STAGES,
    AskDrawState,
    ChanceGroup,
    DrawBegin,
    DrawFeasible,
    DrawPrepare,
    DrawState,
    Feasible,
    TrustKeys,
)
from server.keeper.keys import Secret
from server.keeper.library import read_library
from server.keeper.signing import LOG, OPERATOR, STAFF, signer
from server.keeper.store import NEW, Change
from server.keeper.vault import Kept

log = logging.getLogger("lotroom.keeper")
_PAGE = 2_000
MOST_HOLDS = 100
MOST_TERMS = 64  # draws whose terms are kept in memory
DESTROYED = "destroyed"


@dataclass(frozen=True, slots=True)
class TrustedKeys:
    """The key list that rules, with all its versions."""

    file: Annotated[str, unicode_text(1 << 20)]


@dataclass(frozen=True, slots=True)
class Hold:
    """A complaint that freezes the draw's files: its id, the digest of what it says, and the supervisor who placed it."""

    at: Annotated[int, time]
    complaint: Annotated[str, text(32, r"[0-9a-f]{32}")]
    digest: Annotated[bytes, digest]
    person: Annotated[str, word]


@dataclass(frozen=True, slots=True)
class DrawKept:
    """One draw. While it has `holds` nothing of it is destroyed: they stand in the one row that a destruction must change."""

    centre: Annotated[str, word]
    done: Annotated[int, whole(0, 1 << 24)]
    dry_run: Annotated[bool, flag]
    fault: Annotated[str, text(64)]
    holds: Annotated[tuple[Hold, ...], many(nested(Hold), 0, MOST_HOLDS)]
    leave_hours: Annotated[int, whole(0, 720)]  # before the evaluation: whoever accepted may leave until then
    notice: Annotated[bytes, digest]  # of the attempt that is opened of this request, once it is prepared (draw.md 3.3 `opened`)
    project: Annotated[bytes, digest]
    stage: Annotated[str, choice(*STAGES)]
    started_at: Annotated[int, time]
    where: Annotated[str, text(200)]


_NO_DRAW = DrawKept("none", 0, False, "", (), 0, bytes(32), bytes(32), "begun", 0, "")


# Whom the keeper believes ---------------------------------------------------------------------------------------------------------------------


async def trust_keys(core: Core, ask: TrustKeys) -> Done:
    """Raises Refused: a list that is none, that does not go on from the one before, that names another log or operator; not_approved."""
    chain = parse_keys(ask.keys)
    newest = chain.newest
    for role, kind in ((OPERATOR, "operator"), (STAFF, "staff")):
        own = (await signer(core, role)).vkey
        if newest.publics.get(own.name) != own.public or newest.by_name[own.name].role != kind:
            raise Refused("list_without_own_keys", "keys", role=kind)
    if newest.log_policy.log != (await signer(core, LOG)).vkey:
        raise Refused("list_of_another_log", "keys")
    kept = await core.vault.state(TrustedKeys, "key-list", TrustedKeys(""))
    if kept.version != NEW:
        before = parse_keys(kept.value.file.encode()).lists
        if chain.lists[: len(before)] != before:
            raise Refused("list_goes_not_on", "keys")
    used = await use(core, ask.approved, "key_list", f"keys:{newest.digest.hex()}", None)
    told = leaf("key_list_trusted", core.clock(), digest=newest.digest.hex(), number=newest.version)
    await core.vault.write([used, told, core.vault.put_state("key-list", TrustedKeys(ask.keys.decode()), kept.version)])
    return Done()


async def trusted(core: Core) -> KeyChain:
    """Raises Refused("no_key_list")."""
    kept = await core.vault.state(TrustedKeys, "key-list", TrustedKeys(""))
    if kept.version == NEW:
        raise Refused("no_key_list", "keys")
    return _chain(kept.value.file)


@lru_cache(4)
def _chain(file: str) -> KeyChain:
    return parse_keys(file.encode())


# The state of a draw --------------------------------------------------------------------------------------------------------------------------


async def draw_kept(core: Core, draw: str) -> Kept[DrawKept]:
    """Raises Refused: no_such_draw, files_destroyed."""
    kept = await core.vault.state(DrawKept, f"draw/{draw}", _NO_DRAW)
    if kept.version == NEW:
        raise Refused("no_such_draw", "draw")
    _check_there(kept)
    return kept


def _check_there(kept: Kept[DrawKept]) -> None:
    if kept.value.stage == DESTROYED:
        raise Refused("files_destroyed", "draw")


async def begin(core: Core, ask: DrawBegin) -> DrawState:
    """Raises Refused where the request cannot be read, or the draw was begun otherwise."""
    kept = await core.vault.state(DrawKept, f"draw/{ask.draw}", _NO_DRAW)
    _check_there(kept)
    known = (kept.value.centre, kept.value.project, kept.value.started_at, kept.value.dry_run)
    if kept.version != NEW and known != (ask.centre, ask.project, ask.started_at, ask.dry_run):
        raise Refused("other_draw", "draw")
    for part in ("files", "secret"):
        await core.vault.make_data_key(f"draw-{part}:{ask.draw}")
    got = await core.drawer.run(
        "begin", **await files_of(core, ask.draw), request=ask.request.decode("utf-8", "replace"), started_at=ask.started_at
    )
    if kept.version == NEW:
        made = DrawKept(ask.centre, 0, ask.dry_run, "", (), got["leave_hours"], bytes(32), ask.project, "begun", ask.started_at, "")
        await core.vault.write([core.vault.put_state(f"draw/{ask.draw}", made, NEW)])
    return await state(core, AskDrawState(ask.draw))


async def prepare(core: Core, ask: DrawPrepare) -> DrawState:
    """Starts the work where it is not done and does not run."""
    kept = await draw_kept(core, ask.draw)
    await trusted(core)
    if kept.value.stage != "ready" and ask.draw not in core.preparing:
        core.preparing[ask.draw] = asyncio.create_task(_prepare(core, ask.draw))
    return await state(core, AskDrawState(ask.draw))


async def state(core: Core, ask: AskDrawState) -> DrawState:
    kept = (await draw_kept(core, ask.draw)).value
    terms = await _terms(core, ask.draw) if kept.stage == "ready" else b""
    running = ask.draw in core.preparing
    stage = kept.stage if running or kept.stage in ("ready", "failed") else "begun"
    return DrawState(kept.done, kept.fault, stage, terms, core.expected.get(ask.draw, 0), kept.where)


async def _terms(core: Core, draw: str) -> bytes:
    """Of a draw that is ready: they never change, and every page of it asks for them."""
    found = core.terms.get(draw)
    if found is None:
        got = await core.drawer.run("terms", **await files_of(core, draw))
        found = core.terms[draw] = got["terms"].encode()
        while len(core.terms) > MOST_TERMS:
            core.terms.pop(next(iter(core.terms)))
    return found


async def _prepare(core: Core, draw: str) -> None:
    """Reads the library into the draw's own files, then screens it. If we crash, the next `draw_prepare` begins again."""
    try:
        kept = (await draw_kept(core, draw)).value
        await _note(core, draw, stage="reading", fault="", where="", done=0)
        await _read_library(core, draw, kept.centre)
        await _note(core, draw, stage="screening")
        got = await core.drawer.run("prepare", **await task_of(core, await standing(core, draw)))
        await _note(core, draw, stage="ready", notice=bytes.fromhex(got["notice"]))
    except Refused as refused:
        with contextlib.suppress(Refused):
            await _note(core, draw, stage="failed", fault=refused.code, where=refused.place.encode("ascii", "replace").decode()[:200])
    finally:
        core.preparing.pop(draw, None)


async def feasible(core: Core, ask: DrawFeasible) -> Feasible:
    """Raises Refused where the request cannot be read, library_empty."""
    found = (await read_library(core, ask.centre)).records
    if not found:
        raise Refused("library_empty", "library")
    name, got = f"feasible-{secrets.token_hex(8)}", {}
    text = ask.request.decode("utf-8", "replace")
    for page, start in enumerate(range(0, len(found), _PAGE)):
        got = await core.drawer.run(
            "feasible",
            draw=name,
            last=start + _PAGE >= len(found),
            now=core.clock(),
            page=page,
            records=[record.hex() for _, record in found[start : start + _PAGE]],
            request=text if start + _PAGE >= len(found) else "",
        )
    seats = tuple(each if each >= FEWEST else 0 for each in got["seats"])
    eligible = got["eligible"] if got["eligible"] >= FEWEST else 0
    groups = without_few([ChanceGroup(**each) for each in got["groups"]])
    return Feasible(got["bound"], eligible, got["enough"], groups, seats, got["small_pool"])


def without_few(groups: Sequence[ChanceGroup]) -> tuple[ChanceGroup, ...]:
    """Kinds of fewer than FEWEST people become one group without a name, last; so many others with them that it does not tell a small number by what is
    left of all. The same with what is more than MOST_GROUPS.
    """
    by_size = sorted(range(len(groups)), key=lambda n: groups[n].people)
    few = [n for n in by_size if groups[n].people < FEWEST]
    few += by_size[len(few) : max(len(few), len(groups) - (MOST_GROUPS - 1))] if len(groups) > MOST_GROUPS else []
    while few and len(few) < len(groups) and sum(groups[n].people for n in few) < FEWEST:
        few.append(by_size[len(few)])
    if not few:
        return tuple(groups)
    others = [groups[n] for n in few]
    people = sum(each.people for each in others)
    least, most, target = min(each.least for each in others), max(each.most for each in others), min(each.target for each in others)
    told = [each for n, each in enumerate(groups) if n not in few]
    return (*told, ChanceGroup("", least, most, people if people >= FEWEST else 0, target, ""))


async def _note(core: Core, draw: str, **changed: Any) -> None:
    await changing(core, draw, lambda kept: ([], replace(kept, **changed)))


async def changing(core: Core, draw: str, change: Callable[[DrawKept], tuple[Sequence[Change], DrawKept]]) -> None:
    """What is kept of a draw, changed, with other changes in the same transaction; again where somebody else was faster. Raises Refused."""
    for _ in range(10):
        kept = await draw_kept(core, draw)
        more, new = change(kept.value)
        try:
            await core.vault.write([*more, core.vault.put_state(f"draw/{draw}", new, kept.version)])
        except Refused as lost:
            if lost.code != "stale":
                raise
            continue
        return
    raise Refused("keeper_busy", "draw")


async def _read_library(core: Core, draw: str, centre: str) -> None:
    """The library as it is now, into the draw's own files. Draws that wait for it at the same time share one reading, which begins after all of them."""
    mine = core.readings.setdefault(centre, Reading())
    mine.draws.append(draw)
    async with core.reading:
        if not mine.over:
            core.readings.pop(centre)  # whoever asks from now on waits for the next one
            mine.over, mine.failed = True, Refused("keeper_failed", "library")
            try:
                await _read_for(core, mine.draws, centre)
                mine.failed = None
            except Refused as refused:
                mine.failed = refused
    if mine.failed is not None:
        raise mine.failed


async def _read_for(core: Core, draws: Sequence[str], centre: str) -> None:
    files = [await files_of(core, draw) for draw in draws]
    found = (await read_library(core, centre)).records
    if not found:
        raise Refused("library_empty", "library")
    core.expected.update(dict.fromkeys(draws, len(found)))
    for page, start in enumerate(range(0, len(found), _PAGE)):
        records = [(expert, record.hex()) for expert, record in found[start : start + _PAGE]]
        got = await core.drawer.run("add_records", draws=files, page=page, last=start + _PAGE >= len(found), records=records)
        if got["done"]:
            return


# What the log says of a draw --------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Standing:
    """A draw as the log has it, every event of its project found to be rightly signed by keys of the list that is trusted."""

    id: str
    kept: DrawKept
    chain: KeyChain
    leaves: tuple[bytes, ...]
    project: Project
    events: tuple[Event, ...]

    @property
    def draw(self) -> Draw:
        """The project's last attempt, whoever's it is: what comes next goes on from there."""
        return self.project.draw

    @property
    def own(self) -> Draw:
        """The attempt that was opened of this draw's request; an empty one before that."""
        for each in reversed(self.project.attempts):
            body = each.opened.body if each.opened is not None else None
            if isinstance(body, Opened) and body.notice == self.kept.notice:
                return each
        return Draw()

    @property
    def object(self) -> str:
        """The object of approvals about its attempt."""
        return draw_object(self.kept.project, self.own.attempt)


async def standing(core: Core, draw: str) -> Standing:
    """Raises Refused: no_such_draw, no_key_list, and what the log's events break."""
    kept = (await draw_kept(core, draw)).value
    chain = await trusted(core)
    leaves = tuple(await core.vault.store.events(kept.project))
    project, events = replay_signed(leaves, chain)
    return Standing(draw, kept, chain, leaves, project, events)


# What the drawing is given ------------------------------------------------------------------------------------------------------------------------


async def files_of(core: Core, draw: str) -> dict[str, Any]:
    """Where the sealed files of a draw lie, and their key."""
    key = await core.vault.make_data_key(f"draw-files:{draw}")
    return {"draw": draw, "folder": str(draws_folder(core)), "key": key.key, "key_id": key.id.hex(), "suite": core.vault.ring.suite.id}


def draws_folder(core: Core) -> Path:
    """Beside the sealed root: of the keeper alone."""
    return core.settings.sealed_root.parent / "draws"


async def task_of(core: Core, now: Standing) -> dict[str, Any]:
    """All that the drawing knows of a draw, its events with it."""
    secret = await core.vault.make_data_key(f"draw-secret:{now.id}")
    return {
        **await files_of(core, now.id),
        "events": [each.hex() for each in now.leaves],
        "keys": keys_bytes(now.chain.lists).decode(),
        "now": core.clock(),
        "origin": (await log_name(core)).value.origin,
        "project": now.kept.project.hex(),
        "secret": Secret(secret.key.raw),
    }


def replay_signed(leaves: Sequence[bytes], chain: KeyChain) -> tuple[Project, tuple[Event, ...]]:
    """The project, where every event follows and is signed by those whose keys the list holds. Raises Refused: nothing else is believed.

    What was found good once is found again by its digest, so that a long draw costs no more with every step.
    """
    marks = [chain.newest.digest]  # of the list and the first n leaves
    for each in leaves:
        marks.append(TH("lotroom/v1/replayed", marks[-1], each))
    start = next((number for number in range(len(leaves), 0, -1) if marks[number] in _good), 0)
    project, known = _good[marks[start]] if start else (Project(), ())
    events = list(known)
    for number, each in enumerate(leaves[start:], start):
        event = parse_event(each, f"event {number}")
        fault = first_fault(project, event, ruling(project, event, chain))
        if fault is not None:
            raise Refused(fault.code, fault.place, check=fault.check, **dict(fault.params))
        project, _ = step(project, event)
        events.append(event)
    if start < len(leaves):
        _good[marks[-1]] = (project, tuple(events))
        while len(_good) > _MOST_GOOD:
            _good.popitem(last=False)
    return project, tuple(events)


_good: OrderedDict[bytes, tuple[Project, tuple[Event, ...]]] = OrderedDict()
_MOST_GOOD = 100  # draws that run at a time, a few states each


def ruling(project: Project, event: Event, chain: KeyChain) -> KeyList:
    """The version that the attempt's commit names, else the newest (keylist.md 6)."""
    commit = project.draw.commit if project.draw.attempt == event.head.attempt else None
    if commit is None:
        return chain.newest
    found = chain.find(commit.keys.version, commit.keys.digest)
    if found is None:
        raise Refused("other_key_list", f"event {event.head.seq}", version=commit.keys.version)
    return found


def first_fault(project: Project, event: Event, key_list: KeyList) -> Fault | None:
    """The first rule that an event breaks, its signatures among them."""
    after, faults = step(project, event)
    found = list(faults)

    def tell(check: str, code: str, **params: object) -> None:
        found.append(Fault(check, code, f"event {event.head.seq}", tuple(params.items())))

    before = project.draw if project.draw.attempt == after.draw.attempt else after.attempts[-1]
    signature_faults(before, event, key_list, tell)
    return found[0] if found else None
