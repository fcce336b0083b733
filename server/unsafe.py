"""What is still unsafe about an installation: what `lotroom init` ends with, and part of what `lotroom doctor` looks at.

Each finding is a thing that works and should not stay so: plain http, a root that opens by itself, few custodians, no backup, no administrators.
"""

from __future__ import annotations

import resource
from collections.abc import Mapping
from dataclasses import dataclass, field

from drawing.errors import Refused
from server.auth.model import ADMINISTRATORS
from server.config import Settings
from server.keeper.sealed import read_sealed
from server.log_key import NAME, SCOPE
from server.places import Places, places_of
from server.storage.tx import Tx
from server.workdays import HOLIDAYS, local

LEAST_CUSTODIANS = 3  # two who know each other are soon of one mind
BACKUP_DAYS = 2
DAY = 86_400


@dataclass(frozen=True, slots=True)
class Finding:
    """`state`: good, mind, bad. `code` is a row of `server.texts`."""

    what: str
    state: str
    code: str
    params: Mapping[str, str | int] = field(default_factory=dict[str, str | int])


def of_settings(settings: Settings, now: int) -> list[Finding]:
    """What files and settings tell."""
    places = places_of(settings)
    found = []
    if not settings.encrypted:
        found.append(Finding("http", "mind", "doctor_http", {"origin": settings.origin}))
    found += _root(places)
    found.append(_backup(places, now))
    found += _holidays(now)
    if resource.getrlimit(resource.RLIMIT_CORE)[0]:
        found.append(Finding("core", "mind", "doctor_core_dumps"))
    return found


def _root(places: Places) -> list[Finding]:
    try:
        file = read_sealed(places.sealed)
    except Refused:
        return []  # the doctor has said already that there is no service
    if file.demo:
        return [Finding("root", "bad", "doctor_demo_root")]
    enough = file.needed >= LEAST_CUSTODIANS
    params = {"needed": file.needed, "count": len(file.custodians), "least": LEAST_CUSTODIANS}
    return [Finding("root", "good" if enough else "mind", "doctor_custodians" if enough else "doctor_few_custodians", params)]


def _backup(places: Places, now: int) -> Finding:
    try:
        age = max(0, now - int(places.backup_made.stat().st_mtime)) // DAY
    except OSError:
        return Finding("backup", "mind", "doctor_no_backup")
    return Finding("backup", "good" if age <= BACKUP_DAYS else "mind", "doctor_backup", {"days": age, "most": BACKUP_DAYS})


def _holidays(now: int) -> list[Finding]:
    today = local(now)
    missing = [year for year in (today.year, today.year + 1) if not (HOLIDAYS / f"{year}.json").is_file()]
    return [Finding("holidays", "bad" if year == today.year else "mind", "doctor_no_holidays", {"year": year}) for year in missing]


async def of_database(tx: Tx) -> list[Finding]:
    """What the tables tell: administrators, and the key of the log."""
    rows = await tx.all("role_grant", {"role in": sorted(each.value for each in ADMINISTRATORS)})
    held = {row["role"] for row in rows}
    count = len(held)
    enrolled = count == len(ADMINISTRATORS)
    key = await tx.one("setting", scope=SCOPE, name=NAME)
    return [
        Finding(
            "people", "good" if enrolled else "mind", "doctor_administrators" if enrolled else "doctor_no_administrators", {"count": count}
        ),
        Finding("log key", "good", "doctor_log_key", {"key": str(key["value"]).strip('"')})
        if key
        else Finding("log key", "mind", "doctor_no_log_key"),
    ]
