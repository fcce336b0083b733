"""`lotroom serve`: starts web, keeper and courier as processes of their own, starts again what ends, ends all of them together.

The keeper is an interpreter of its own; the others are forks of a nursery, which has their modules loaded (server.nursery). A role says `ready` once
and `alive` every two seconds; one that falls silent for a minute is killed and started again. The first start again follows at once, each further one of a role
that did not become ready waits twice as long. All processes are such that a kill at any point loses nothing that was acknowledged: so nobody here
hesitates to kill. When this process or a nursery is killed the kernel kills those that it started (PR_SET_PDEATHSIG).

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
from collections.abc import AsyncIterator, Iterable, Sequence
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
    """One role. `said`: what is said of it. `fails`: ends in a row without having been ready. `pid`: 0 while it does not run."""

    role: str
    said: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    pid: int = 0
    ending: bool = False
    fails: int = 0
    starts: int = 0

    def signal(self, which: signal.Signals) -> None:
        """To the process, where there is one."""
        if self.pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, which)


class Alone:
    """A role that is an interpreter of its own."""

    def __init__(self, module: str, child: Child, errors: int | None) -> None:
        self.children = {child.role: child}
        self._module, self._errors = module, errors
        self._reading: asyncio.Task[None] | None = None

    async def start(self, child: Child) -> None:
        """A process: what becomes of it is said to the child."""
        process = await _process(self._module, (child.role,), self._errors, asyncio.subprocess.DEVNULL)
        child.said.put_nowait(f"started {process.pid}")
        self._reading = asyncio.create_task(self._read(process, child))

    async def _read(self, process: asyncio.subprocess.Process, child: Child) -> None:
        async for _, word in _lines(process):
            child.said.put_nowait(word)
        child.said.put_nowait(f"ended {await process.wait()}")

    async def end(self) -> None:
        """When it has ended."""


class Nursery:
    """The process that forks `children`: started when the first of them is asked for, and again after it was killed. Then they are gone too."""

    def __init__(self, module: str, children: Sequence[Child], errors: int | None) -> None:
        self.children = {child.role: child for child in children}
        self._module, self._errors = module, errors
        self._asked: dict[str, Child] = {}  # those that it has been told to start and that have not ended
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._starting = asyncio.Lock()

    async def start(self, child: Child) -> None:
        """Ask for a process of this role: what becomes of it is said to the child."""
        async with self._starting:
            if self._process is None:
                self._process = await _process(self._module, ("nursery", *self.children), self._errors, asyncio.subprocess.PIPE)
                self._reading = asyncio.create_task(self._read(self._process))
        self._asked[child.role] = child
        assert self._process.stdin is not None
        self._process.stdin.write(f"{child.role}\n".encode())

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        async for role, word in _lines(process):
            if role in self._asked:
                self._asked[role].said.put_nowait(word)
                if word.startswith("ended "):
                    del self._asked[role]
        code = await process.wait()
        self._process = None
        for child in self._asked.values():  # the kernel has killed them, or they never were
            child.said.put_nowait(f"ended {code}")
        self._asked = {}

    async def end(self) -> None:
        """When its children have ended."""
        if self._process is not None and self._reading is not None:
            assert self._process.stdin is not None
            self._process.stdin.close()
            await self._reading


async def _process(module: str, words: Sequence[str], errors: int | None, given: int) -> asyncio.subprocess.Process:
    env = {**MEMORY, **{name: value for name, value in os.environ.items() if name != "NOTIFY_SOCKET"}}  # systemd hears us alone
    command = sys.executable, "-m", module, *words, "--parent", str(os.getpid())
    return await asyncio.create_subprocess_exec(*command, stdin=given, stdout=asyncio.subprocess.PIPE, stderr=errors, env=env)


async def _lines(process: asyncio.subprocess.Process) -> AsyncIterator[tuple[str, str]]:
    """What is said on its standard output, of which role, until it is closed."""
    assert process.stdout is not None
    while line := await process.stdout.readline():
        role, _, word = line.decode().strip().partition(" ")
        yield role, word


class Supervisor:
    """Runs `roles`, forked by `module`, until `stop` is called. `errors`: a file for what they log; None: our own standard error."""

    def __init__(self, roles: Iterable[str], module: str = MODULE, errors: int | None = None) -> None:
        self.all_ready = asyncio.Event()
        self.children = {role: Child(role) for role in roles}
        self._stopping = asyncio.Event()
        others = [child for role, child in self.children.items() if role != "keeper"]
        self._forked = Nursery(module, others, errors)
        alone = [Alone(module, child, errors) for role, child in self.children.items() if role == "keeper"]
        self._groups: list[Nursery | Alone] = [*([self._forked] if others else []), *alone]  # in the order in which they end

    def stop(self) -> None:
        """End all, in order."""
        self._stopping.set()

    async def run(self) -> None:
        """Until everything has ended."""
        tasks = {role: asyncio.create_task(self._keep(child, group)) for group in self._groups for role, child in group.children.items()}
        saying = asyncio.create_task(self._say_ready())
        await self._stopping.wait()
        notify("STOPPING=1")
        for group in self._groups:
            seconds = KEEPER_STOP_SECONDS if "keeper" in group.children else WEB_STOP_SECONDS
            await self._end(list(group.children.values()), {tasks[role] for role in group.children}, seconds)
            await group.end()
        saying.cancel()
        await asyncio.wait([saying])
        LOG.info("stopped")

    async def once(self, role: str) -> int:
        """Run this role before the others, to its end. Returns its exit code."""
        child = Child(role)
        await self._forked.start(child)
        code = await self._listen(child)
        if code:
            await self._forked.end()
        return code

    async def _keep(self, child: Child, group: Nursery | Alone) -> None:
        while not self._stopping.is_set():
            child.starts += 1
            await group.start(child)
            code = await self._listen(child)
            was_ready = child.ready.is_set()
            child.ready.clear()
            child.pid = 0
            if self._stopping.is_set():
                return
            child.fails = 0 if was_ready else child.fails + 1
            LOG.warning("ended", process=child.role, status=code, count=child.fails)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(FIRST_PAUSE * 2**child.fails, LONGEST_PAUSE)):
                    await self._stopping.wait()

    async def _listen(self, child: Child) -> int:
        """Until it has ended: with which status."""
        while True:
            try:
                async with asyncio.timeout(SILENT_SECONDS if child.ready.is_set() else None):
                    word, _, number = (await child.said.get()).partition(" ")
            except TimeoutError:
                LOG.error("silent", process=child.role)
                child.signal(signal.SIGKILL)
                continue
            match word:
                case "started":
                    child.pid = int(number)
                    LOG.info("started", process=child.role, count=child.starts, pid=child.pid)
                    if child.ending:  # it was asked for before the end was
                        child.signal(signal.SIGTERM)
                case "ready":
                    child.ready.set()
                    LOG.info("ready", process=child.role)
                case "ended":
                    return int(number)
                case _:  # alive
                    pass

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

    async def _end(self, children: Sequence[Child], tasks: set[asyncio.Task[None]], seconds: float) -> None:
        for child in children:
            child.ending = True
            child.signal(signal.SIGTERM)
        _, late = await asyncio.wait(tasks, timeout=seconds)
        if late:
            for child in children:
                if child.pid:
                    LOG.warning("killed", process=child.role)
                    child.signal(signal.SIGKILL)
            await asyncio.wait(late)


def notify(text: str) -> None:
    """To systemd, where it asked (sd_notify(3))."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
        end.sendto(text.encode(), "\0" + address[1:] if address.startswith("@") else address)


async def supervise(module: str = MODULE) -> int:
    """Until SIGTERM or SIGINT; not at all where tables or folders are not as they must be: then it was said what is to be done. The exit code."""
    made = Supervisor(ROLES, module)
    if code := await made.once("prepare"):
        return code
    loop = asyncio.get_running_loop()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, made.stop)
    await made.run()
    return 0


def main() -> int:
    """The service."""
    configure("info")
    return asyncio.run(supervise())


if __name__ == "__main__":
    raise SystemExit(main())
