"""Work that outlasts its request: one task per thing, owned here, ended with the service. What a kill cuts off is in the database, to go on."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from drawing.errors import Refused
from server.logs import LOG, places

MOST = 8


class Tasks:
    """Of one web process."""

    def __init__(self) -> None:
        self._running: dict[str, asyncio.Task[None]] = {}

    def runs(self, name: str) -> bool:
        return name in self._running

    def start(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Raises Refused("library_busy") where this runs already, or too much does."""
        if name in self._running or len(self._running) >= MOST:
            work.close()
            raise Refused("library_busy", "import")
        task = asyncio.create_task(self._whole(name, work))
        self._running[name] = task
        task.add_done_callback(lambda _: self._running.pop(name, None))

    async def _whole(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception as wrong:  # its owner: nobody else waits for it
            code = wrong.code if isinstance(wrong, Refused) else type(wrong).__name__
            LOG.error("task_failed", task=name, error=code, places=places(wrong))

    async def close(self) -> None:
        """End them all."""
        tasks = list(self._running.values())
        for each in tasks:
            each.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=5)
