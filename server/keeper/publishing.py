"""New leaves get a signed checkpoint about each second, by the keeper's own watch: nobody has to ask, and nobody who was taken can stop it."""

from __future__ import annotations

import asyncio
import logging
from typing import Protocol

from drawing.errors import Refused
from server.keeper.core import Core
from server.keeper.signing import sign_checkpoint
from server.keeper.verbs import SignCheckpoint
from server.storage.tx import Head

log = logging.getLogger("lotroom.keeper")
EACH_SECONDS = 1.0


class Headed(Protocol):
    """A store that knows where its log stands."""

    async def head(self) -> Head:
        """Size and root, and whether it may grow."""


async def publish(core: Core, store: Headed) -> None:
    """Until it is cancelled. A log that does not extend what was signed is not signed, nor one of which a witness has seen more; said so once."""
    said = ""
    while True:
        try:
            if core.kept_vault is not None:
                head = await store.head()
                if head.frozen is not None:
                    raise head.frozen.refusal
                if head.size > core.last_signed:
                    await sign_checkpoint(core, SignCheckpoint(head.root, head.size))
            said = ""
        except Refused as wrong:
            if wrong.code not in (said, "service_sealed"):
                log.error("no checkpoint: %s", wrong.code)
            said = wrong.code
        except Exception as wrong:  # whatever it is, the next second may be better
            log.error("no checkpoint: %s", type(wrong).__name__)
        await asyncio.sleep(EACH_SECONDS)
