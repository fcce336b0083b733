"""The keeper's end of the child process: one task at a time, a time limit, a fresh process after many tasks or a failure."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from typing import Any

from drawing.errors import Refused
from server.keeper.keys import Secret
from server.keeper.work import MAX_TASK

SECONDS = 60  # the longest task, a batch of 2,000 rows, takes less than one
MAX_WAITING = 200
_TASKS_EACH = 2_000
_DRAWER = "server.drawer.tasks"


class Child:
    """Started when first needed. A task that dies with its process is refused; nothing that it does is durable before the keeper writes it."""

    def __init__(self, module: str = "server.keeper.work", seconds: float = SECONDS) -> None:
        self._module, self._seconds = module, seconds
        self._lock = asyncio.Lock()
        self._process: asyncio.subprocess.Process | None = None
        self._done = 0
        self._waiting = 0

    @property
    def waiting(self) -> int:
        return self._waiting

    async def run(self, work: str, **task: Any) -> dict[str, Any]:
        """The answer of a task; a Secret among its values travels as hex. Raises what the task refused, or Refused("keeper_busy"), ("keeper_failed")."""
        if self._waiting >= MAX_WAITING:
            raise Refused("keeper_busy", work)
        data = Secret(json.dumps({"work": work, **task}, default=_secret).encode())
        if len(data.raw) > MAX_TASK:
            raise Refused("too_long", work, most=MAX_TASK)
        self._waiting += 1
        try:
            async with self._lock:
                answer = await self._ask(work, data)
        finally:
            self._waiting -= 1
        if "refused" in answer:
            raise Refused(answer["refused"][0], answer["refused"][1])
        if "failed" in answer:
            raise Refused("keeper_failed", work)
        got: dict[str, Any] = answer["ok"]
        return got

    async def _ask(self, work: str, data: Secret) -> dict[str, Any]:
        if self._done >= _TASKS_EACH:
            await self.close()
        if self._process is None or self._process.returncode is not None:
            self._done = 0
            pipe = asyncio.subprocess.PIPE
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", self._module, stdin=pipe, stdout=pipe, limit=MAX_TASK
            )
        process = self._process
        if process.stdin is None or process.stdout is None:
            raise Refused("keeper_failed", work)
        self._done += 1
        try:
            async with asyncio.timeout(self._seconds):
                process.stdin.write(len(data.raw).to_bytes(4, "big") + data.raw)
                await process.stdin.drain()
                length = int.from_bytes(await process.stdout.readexactly(4), "big")
                answer: dict[str, Any] = json.loads(await process.stdout.readexactly(length))
                return answer
        except (OSError, EOFError, TimeoutError, ValueError):
            await self.close()
            raise Refused("keeper_failed", work) from None
        except asyncio.CancelledError:
            await self.close()  # its answer would be taken for the next task's
            raise

    async def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


LONG_TASKS = frozenset({"add_records", "feasible", "prepare", "seal_out", "tally"})  # seconds, with a large library


class Drawer:
    """The drawing's tasks (`server.drawer.tasks`) in two processes: those that read a whole library wait for each other, and a draw that goes on, or a page
    that shows one, waits for none of them. What a draw keeps lies in its files, so that either process finds it.
    """

    def __init__(self, seconds: float = SECONDS) -> None:
        self._long, self._short = Child(_DRAWER, seconds), Child(_DRAWER, seconds)

    async def run(self, work: str, **task: Any) -> dict[str, Any]:
        """See `Child.run`."""
        return await (self._long if work in LONG_TASKS else self._short).run(work, **task)

    async def close(self) -> None:
        """End both."""
        await self._long.close()
        await self._short.close()


def _secret(value: object) -> str:
    if isinstance(value, Secret):
        return value.raw.hex()
    raise TypeError(type(value).__name__)
