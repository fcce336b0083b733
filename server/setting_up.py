"""The first day of an installation: folders, tables, the log's name, the root keys. Each step is done once, and refused where it was done."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from drawing.errors import Refused
from server.box import make_box
from server.config import Settings
from server.keeper.sealed import Ceremony, make_root, write_sealed
from server.places import database_of, places_of
from server.storage.store import Store
from server.storage.tx import Tx
from server.storage.versions import migrate


async def set_up(settings: Settings, custodians: Sequence[str], needed: int, suite: int, now: int, *, demo: bool = False) -> Ceremony:
    """A service that can be started. What the ceremony shows is shown once and kept nowhere.

    Raises Refused: already_initialised, bad_custodians, and what migrations refuse (on PostgreSQL they are run before, by the tables' owner).
    """
    places = places_of(settings)
    if places.sealed.exists():
        raise Refused("already_initialised", str(places.folder))
    ceremony = make_root(tuple(custodians), needed, suite, now, secrets.token_bytes, demo=demo)  # first: it refuses before anything is made
    places.make()
    make_box(places)
    if not settings.database:
        await migrate(database_of(settings))
    store = await Store.open(database_of(settings))
    try:

        async def begin(tx: Tx) -> None:
            found = (await tx.head()).origin
            if not found:
                await tx.begin_log(settings.log_name, "console")
            elif found != settings.log_name:
                raise Refused("log_of_another_name", "log_origin", found=found, set=settings.log_name)

        await store.write(begin, now)
    finally:
        await store.close()
    # Last: with this file there is a service. A crash before it leaves nothing that a second `init` would not take up.
    write_sealed(ceremony.file, places.sealed, new=True)
    return ceremony
