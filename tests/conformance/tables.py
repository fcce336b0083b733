"""The tables of `fair/1` that the suite's draws rest on, kept in `tables/fitted.json`: a solver's last digit may differ between machines, and
whoever makes the cases needs none. `python -m tests.conformance tables` fits those that are missing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from hashlib import sha256
from pathlib import Path

from drawing.certificate import table_bytes
from drawing.fair import Need
from drawing.roll import Roll
from tests import scenario

FILE = Path(__file__).parent / "tables" / "fitted.json"


class NoTable(Exception):
    """A draw under `fair/1` whose table is not kept."""


def key_of(roll: Roll, need: Need) -> str:
    """What a table was fitted for: these rows and this need, with the salt left out."""
    wanted = [
        list(need.counts),
        need.recent_left,
        sorted(need.sites),
        sorted(need.barred_rows),
        sorted(e.hex() for e in need.barred_employers),
    ]
    types = [[list(t.seats), t.site, t.recent, t.weight] for t in roll.types]
    return sha256(json.dumps([wanted, types, roll.rows.hex()]).encode()).hexdigest()[:24]


@cache
def tables() -> dict[str, str]:
    found: dict[str, str] = json.loads(FILE.read_text("utf-8")) if FILE.exists() else {}
    return found


def kept(roll: Roll, need: Need) -> bytes:
    """The table kept for this roll. Raises NoTable."""
    key = key_of(roll, need)
    if key not in tables():
        raise NoTable(key)
    return tables()[key].encode()


def fitted(roll: Roll, need: Need) -> bytes:
    """The table kept, or a new one, which is then kept."""
    from server.fit import fit

    key = key_of(roll, need)
    if key not in tables():
        tables()[key] = table_bytes(fit(roll.field, need)).decode()
    return tables()[key].encode()


def save(used: set[str]) -> None:
    """Write those that were used."""
    FILE.parent.mkdir(exist_ok=True)
    lines = ",\n".join(f"{json.dumps(key)}:{json.dumps(tables()[key])}" for key in sorted(used))
    FILE.write_text("{\n" + lines + "\n}\n", "utf-8")


used: set[str] = set()


@contextmanager
def without_solver(*, fitting: bool = False) -> Iterator[None]:
    """Draws made inside take their tables from here."""

    def ask(roll: Roll, need: Need) -> bytes:
        data = (fitted if fitting else kept)(roll, need)
        used.add(key_of(roll, need))
        return data

    scenario.FITTED.append(ask)
    try:
        yield
    finally:
        scenario.FITTED.remove(ask)
