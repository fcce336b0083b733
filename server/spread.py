"""Work spread over processes: chunks in, results out in the same order, never many at once, and no worker outlives its parent."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from itertools import islice
from typing import TypeVar

A = TypeVar("A")
B = TypeVar("B")
WORKERS = min(4, os.cpu_count() or 1)
IN_FLIGHT = 3 * WORKERS  # bounds what waits in memory


def _end_with_parent() -> None:
    """A worker whose parent was killed is killed too: nobody would ever read what it makes (prctl PR_SET_PDEATHSIG)."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def chunks(items: Iterable[A], size: int) -> Iterator[list[A]]:
    """Lists of `size` items; the last may be shorter."""
    source = iter(items)
    while chunk := list(islice(source, size)):
        yield chunk


def spread(work: Callable[[A], B], items: Iterable[A]) -> Iterator[tuple[A, B]]:
    """(item, its result) in the order of the items; forked workers inherit what the parent holds."""
    if WORKERS < 2:
        yield from ((item, work(item)) for item in items)
        return
    waiting: deque[tuple[A, Future[B]]] = deque()
    with ProcessPoolExecutor(WORKERS, mp_context=multiprocessing.get_context("fork"), initializer=_end_with_parent) as pool:
        for item in items:
            waiting.append((item, pool.submit(work, item)))
            if len(waiting) >= IN_FLIGHT:
                first, future = waiting.popleft()
                yield first, future.result()
        for last, future in waiting:
            yield last, future.result()
