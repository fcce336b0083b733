"""`lotroom serve`: starts web, keeper and courier as processes of their own, starts again what ends, ends all of them together.

A process says `ready` once on its standard output and `alive` every two seconds; one that falls silent for a minute is killed and started again.
The first start again follows at once, each further one of a process that did not become ready waits twice as long. All processes are such that
a kill at any point loses nothing that was acknowledged: so nobody here hesitates to kill. When this process is killed the kernel kills the others
(PR_SET_PDEATHSIG, in `processes`).

At the end: web and courier first, for open requests may still need the keeper; then the keeper. Five seconds together, streams or not.
No settings, no database here: this process stays small and has no reason to fail.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from server.logs import LOG, configure

ROLES = ("keeper", "courier", "web")
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 10.0
SILENT_SECONDS = 60.0
ALIVE_SECONDS = 10.0
# Of the C library's allocator: one arena, for threads here wait for files and hashes, and an arena for each would keep what it once held. And
# what a request held is written over when it is freed (mallopt(3), M_PERTURB), so that a dump of a process's memory shows none that is over:
# Python's own allocator would keep it as it was, and so would the caches of threads; there are none.
MEMORY = {
    "GLIBC_TUNABLES": "glibc.malloc.tcache_count=0",
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_PERTURB_": "165",
    "PYTHONMALLOC": "malloc",
    "PYTHONNODEBUGRANGES": "1",  # columns in tracebacks: a megabyte in each process
}
WEB_STOP_SECONDS, KEEPER_STOP_SECONDS = 3.6, 0.9
MODULE = "server.processes"


@dataclass(slots=True)
class Child:
    """One role. `fails`: ends in a row without having been ready."""

    role: str
    command: Sequence[str]
    process: asyncio.subprocess.Process | None = None
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    fails: int = 0
    starts: int = 0


class Supervisor:
    """Runs `commands` (role -> command line) until `stop` is called. `errors`: a file for what they log; None: our own standard error."""

    def __init__(self, commands: Mapping[str, Sequence[str]], errors: int | None = None) -> None:
        self._errors = errors
        self.all_ready = asyncio.Event()
        self.children = {role: Child(role, command) for role, command in commands.items()}
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """End all, in order."""
        self._stopping.set()

    async def run(self) -> None:
        """Until everything has ended."""
        tasks = [asyncio.create_task(self._keep(child)) for child in self.children.values()]
        tasks.append(asyncio.create_task(self._say_ready()))
        await self._stopping.wait()
        notify("STOPPING=1")
        keeper = [child for child in self.children.values() if child.role == "keeper"]
        await self._end([child for child in self.children.values() if child.role != "keeper"], WEB_STOP_SECONDS)
        await self._end(keeper, KEEPER_STOP_SECONDS)
        for each in tasks:
            each.cancel()
        await asyncio.wait(tasks)
        LOG.info("stopped")

    async def _keep(self, child: Child) -> None:
        while not self._stopping.is_set():
            child.starts += 1
            child.process = await asyncio.create_subprocess_exec(
                *child.command,
                "--parent",
                str(os.getpid()),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=self._errors,
                env={**MEMORY, **{name: value for name, value in os.environ.items() if name != "NOTIFY_SOCKET"}},  # systemd hears us alone
            )
            LOG.info("started", process=child.role, count=child.starts)
            await self._listen(child)
            code = await child.process.wait()
            was_ready = child.ready.is_set()
            child.ready.clear()
            if self._stopping.is_set():
                return
            child.fails = 0 if was_ready else child.fails + 1
            LOG.warning("ended", process=child.role, status=code, count=child.fails)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(FIRST_PAUSE * 2**child.fails, LONGEST_PAUSE)):
                    await self._stopping.wait()

    async def _listen(self, child: Child) -> None:
        """What the process says, until it says nothing more."""
        process = child.process
        assert process is not None
        assert process.stdout is not None
        while True:
            try:
                async with asyncio.timeout(SILENT_SECONDS if child.ready.is_set() else None):
                    line = await process.stdout.readline()
            except (TimeoutError, ValueError):
                LOG.error("silent", process=child.role)
                _signal(process, signal.SIGKILL)
                return
            if not line:
                return
            if line == b"ready\n":
                child.ready.set()
                LOG.info("ready", process=child.role)

    async def _say_ready(self) -> None:
        """Once, when all are, and then that we run: whoever waits for us (systemd, a person) hears it."""
        for child in self.children.values():
            await child.ready.wait()
        self.all_ready.set()
        notify("READY=1")
        LOG.info("ready")
        while True:
            await asyncio.sleep(ALIVE_SECONDS)
            notify("WATCHDOG=1")

    async def _end(self, children: Sequence[Child], seconds: float) -> None:
        running = [child.process for child in children if child.process is not None and child.process.returncode is None]
        for each in running:
            _signal(each, signal.SIGTERM)
        waits = [asyncio.create_task(each.wait()) for each in running]
        if waits:
            _, late = await asyncio.wait(waits, timeout=seconds)
            for each in running:
                if each.returncode is None:
                    LOG.warning("killed", process=next(child.role for child in children if child.process is each))
                    _signal(each, signal.SIGKILL)
            if late:
                await asyncio.wait(late)


def _signal(process: asyncio.subprocess.Process, which: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(which)


def notify(text: str) -> None:
    """To systemd, where it asked (sd_notify(3))."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
        end.sendto(text.encode(), "\0" + address[1:] if address.startswith("@") else address)


async def supervise(commands: Mapping[str, Sequence[str]]) -> None:
    """Until SIGTERM or SIGINT."""
    made = Supervisor(commands)
    loop = asyncio.get_running_loop()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, made.stop)
    await made.run()


async def _prepared() -> int:
    """Tables and folders are as they must be, or it was said what is to be done."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", MODULE, "prepare")
    return await process.wait()


def main() -> int:
    """The service."""
    configure("info")
    code = asyncio.run(_prepared())
    if code:
        return code
    asyncio.run(supervise({role: (sys.executable, "-m", MODULE, role) for role in ROLES}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
