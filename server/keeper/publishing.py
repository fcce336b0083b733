"""New leaves get a signed checkpoint about each second, by the keeper's own watch: nobody has to ask, and nobody who was taken can stop it."""

from __future__ import annotations

import asyncio
import logging
from typing import Protocol

from drawing.errors import Refused
from server.keeper.core import Core
from server.keeper.signing import sign_checkpoint
from server.keeper.verbs import SignCheckpoint

log = logging.getLogger("lotroom.keeper")
EACH_SECONDS = 1.0


class Headed(Protocol):
    """A store that knows where its log stands."""

    async def head(self) -> tuple[int, bytes]:
        """Size and root."""


async def publish(core: Core, store: Headed) -> None:
    """Until it is cancelled. A log that does not extend what was signed is not signed, and said so once."""
    said = ""
    while True:
        try:
            if core.kept_vault is not None:
                size, root = await store.head()
                if size > core.last_signed:
                    await sign_checkpoint(core, SignCheckpoint(root, size))
            said = ""
        except Refused as wrong:
            if wrong.code not in (said, "service_sealed"):
                log.error("no checkpoint: %s", wrong.code)
            said = wrong.code
        except Exception as wrong:  # whatever it is, the next second may be better
            log.error("no checkpoint: %s", type(wrong).__name__)
        await asyncio.sleep(EACH_SECONDS)
