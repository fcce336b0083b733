"""What an operator should look at before trouble looks for them: each finding says what is so and, where it is not good, what to do."""

from __future__ import annotations

import os
import sqlite3
import stat
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from drawing.errors import Refused
from server.config import Settings
from server.errors import NotReady
from server.keeper.client import Keeper
from server.live import LEAST_FREE, SKEW_SECONDS, room
from server.places import Places, database_of, places_of
from server.storage.engines import check_postgres
from server.storage.store import Store
from server.unsafe import Finding, of_database, of_settings

MOST_WAL = 512  # MB


async def examine(settings: Settings) -> list[Finding]:
    """Everything, in order."""
    places = places_of(settings)
    found = [Finding("settings", "good", "doctor_settings_good", {"origin": settings.origin})]
    if settings.insecure_demo:
        found.append(Finding("settings", "mind", "doctor_demo"))
    found += _folders(places)
    found += _disk(places)
    found += await _database(settings)
    found += await _keeper(settings)
    found += _machine()
    found += of_settings(settings, int(_now()))
    return found


def still_unsafe(found: Sequence[Finding]) -> list[Finding]:
    """What the first day ends with: everything that should not stay so. That the service does not run yet is none of it."""
    return [each for each in found if each.state != "good" and each.what not in ("keeper", "log")]


def _folders(places: Places) -> list[Finding]:
    try:
        places.check()
    except Refused as wrong:
        return [Finding("folders", "bad", "doctor_" + wrong.code, {"path": wrong.place})]
    loose = [path for path in places.folder.rglob("*") if not path.is_symlink() and path.is_file() and _open_to_others(path)]
    if loose:
        return [Finding("files", "bad", "doctor_file_open", {"path": str(loose[0]), "count": len(loose)})]
    if not places.sealed.exists():
        return [Finding("files", "bad", "doctor_not_initialised", {"path": str(places.folder)})]
    return [Finding("files", "good", "doctor_files_good", {"path": str(places.folder)})]


def _open_to_others(path: Path) -> bool:
    found = path.stat()
    return bool(found.st_mode & stat.S_IWOTH or found.st_mode & stat.S_IROTH) or found.st_uid != os.geteuid()


def _disk(places: Places) -> list[Finding]:
    here = places.folder if places.folder.exists() else Path.cwd()
    free, scarce = room(here)
    return [Finding("disk", "bad" if free < LEAST_FREE // 4 else "mind" if scarce else "good", "doctor_disk", {"free": free >> 20})]


async def _database(settings: Settings) -> list[Finding]:
    try:
        store = await Store.open(database_of(settings))
    except Refused as wrong:
        return [Finding("database", "bad", "doctor_database_refused", {"why": wrong.code})]
    except NotReady as wrong:
        return [Finding("database", "bad", "doctor_database_away", {"why": str(wrong.params.get("why", ""))})]
    found = []
    try:
        async with store.reading() as tx:
            if store.dialect == "postgresql":
                await check_postgres(tx.connection)
            head = await tx.head()
            newest = await tx.all("checkpoint", origin=head.origin, order=["-size"], limit=1)
            witnesses = await tx.count("witness", removed_at=None)
            overdue = await tx.count("outbox", {"done_at": None, "due_at <=": int(_now()) - 600})
            more = await of_database(tx)
            last = await tx.all("checkpoint_time", origin=head.origin, order=["-at"], limit=1)
        unsigned = head.size - (newest[0]["size"] if newest else 0)
        found.append(Finding("database", "good", "doctor_database_good", {"engine": store.dialect, "size": head.size}))
        if store.dialect == "sqlite":
            found += _sqlite(places_of(settings).database_file)
        found.append(Finding("log", "mind" if unsigned else "good", "doctor_log", {"unsigned": unsigned}))
        if last and last[0]["at"] > _now() + SKEW_SECONDS:
            found.append(Finding("clock", "bad", "doctor_clock", {"seconds": last[0]["at"] - int(_now())}))
        if head.frozen is not None:
            found.append(Finding("log", "bad", "doctor_" + head.frozen.code, {"seen": head.frozen.seen, "place": head.frozen.place}))
        found.append(Finding("witnesses", "good" if witnesses else "mind", "doctor_witnesses", {"count": witnesses}))
        found += more
        found.append(Finding("jobs", "mind" if overdue else "good", "doctor_jobs", {"count": overdue}))
    finally:
        await store.close()
    return found


def _sqlite(path: Path) -> list[Finding]:
    """On a file system over a network SQLite's locks do not hold; a WAL that only grows says that nobody could check it in."""
    if not path.exists():
        return []
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        good = connection.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok"
        mode = connection.execute("PRAGMA journal_mode").fetchone()[0]
    wal = path.with_name(path.name + "-wal")
    megabytes = (wal.stat().st_size >> 20) if wal.exists() else 0
    state = "bad" if not good or mode != "wal" else "mind" if megabytes > MOST_WAL else "good"
    return [Finding("sqlite", state, "doctor_sqlite", {"check": "ok" if good else "-", "mode": mode, "wal": megabytes})]


async def _keeper(settings: Settings) -> list[Finding]:
    async with Keeper(places_of(settings).socket, seconds=3) as keeper:
        try:
            status = await keeper.status()
        except Refused:
            return [Finding("keeper", "mind", "doctor_keeper_missing")]
    if status.sealed:
        return [Finding("keeper", "mind", "doctor_keeper_sealed", {"given": len(status.given), "needed": status.needed})]
    if not status.shielded:
        return [Finding("keeper", "mind", "doctor_keeper_not_shielded")]
    return [Finding("keeper", "good", "doctor_keeper_good")]


def _machine(root: Path = Path("/")) -> list[Finding]:
    """Swap writes keys to a disk; a clock that nobody sets drifts."""
    found = []
    swaps = root / "proc" / "swaps"
    if swaps.exists() and len(swaps.read_text("ascii", "replace").splitlines()) > 1:
        found.append(Finding("swap", "mind", "doctor_swap"))
    synced = root / "run" / "systemd" / "timesync" / "synchronized"
    if synced.parent.exists() and not synced.exists():
        found.append(Finding("clock", "mind", "doctor_clock_unsynced"))
    return found


def _now() -> float:
    return time.clock_gettime(time.CLOCK_REALTIME)
