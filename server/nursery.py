"""A process that has the modules of some roles loaded and forks a role when it is told to: `python -m server.processes nursery ROLE...`.

A role that ended is there again in the time that it takes to open its files, and what its modules take in memory is there once for all of them.
Nothing is opened, read or decided here, so nothing is shared but modules. The keeper is never forked: forks of one process have one layout of memory
and one seed of hashes, and the web process must not know the keeper's.

Reads a role a line; at the end of its input it ends. Its output is the roles' output too, a line at a time:
`<role> started <pid>`, then what the role says (`<role> ready`, `<role> alive`), at its end `<role> ended <status>` (a signal is below 0).
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import selectors
import signal
import sys
import traceback
from collections.abc import Callable
from importlib import import_module

LOADED = {  # what is large; the pages' own modules each web process loads itself: half a second, and ten MiB less that are there twice
    "web": ("server.live", "server.services.desk", "server.handlers.render"),
    "courier": ("server.courier", "server.errands", "server.witness.courier", "server.adapters.gateways", "server.adapters.webhooks"),
    "gateway": ("server.demo.gateway",),
}
_PR_SET_PDEATHSIG, _PR_SET_NAME = 1, 15


def end_with(parent: int) -> None:
    """The kernel kills this process when its parent ends; one that is gone already is noticed here."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        raise SystemExit(1)


def be_called(name: str) -> None:
    """In lists of processes, such as top's: forks of one process have its command line."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_NAME, f"lotroom-{name}".encode(), 0, 0, 0)


def give_back() -> None:
    """To the system: the memory that starting up took for a while. A C library that keeps it keeps it."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


_words = 1  # where the supervisor listens


def speak_apart() -> None:
    """From now on words have a descriptor of their own: whatever else is printed goes where errors go, and is taken for none of them."""
    global _words
    _words = os.dup(1)
    os.dup2(2, 1)


def say(line: str) -> None:
    """To the supervisor, if it still reads: one write for a line, so that those of several processes do not mix."""
    with contextlib.suppress(OSError):
        os.write(_words, f"{line}\n".encode())


def nurse(roles: list[str], run: Callable[[str], int]) -> int:
    """Fork `run(role)` for every line of the standard input, until it ends. `roles`: those whose modules are loaded."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a terminal: the supervisor ends its processes itself, in order
    be_called("nursery")
    gc.disable()
    for role in roles:
        for module in LOADED.get(role, ()):
            import_module(module)
    gc.collect()
    gc.freeze()  # what is there is for good: no fork goes through it, so that its pages stay shared
    give_back()
    with selectors.DefaultSelector() as waiting:
        waiting.register(0, selectors.EVENT_READ)
        while True:
            for key, _ in waiting.select():
                if key.fd == 0:
                    told = os.read(0, 4096).decode().split()
                    if not told:
                        return 0
                    for role in told:
                        waiting.register(_fork(role, run, waiting), selectors.EVENT_READ, role)
                else:
                    waiting.unregister(key.fd)
                    _bury(key.fd, str(key.data))


def _fork(role: str, run: Callable[[str], int], waiting: selectors.BaseSelector) -> int:
    """A descriptor of the new process."""
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            for each in [key.fd for key in waiting.get_map().values()]:
                os.close(each)
            waiting.close()
            os.open(os.devnull, os.O_RDONLY)  # the lowest that is free: 0
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            end_with(parent)
            code = run(role)
        except BaseException:  # of this process nobody is above this
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    say(f"{role} started {pid}")
    return os.pidfd_open(pid)


def _bury(process: int, role: str) -> None:
    found = os.waitid(os.P_PIDFD, process, os.WEXITED)
    os.close(process)
    assert found is not None
    say(f"{role} ended {found.si_status if found.si_code == os.CLD_EXITED else -found.si_status}")
