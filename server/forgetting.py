"""Nothing of a request that is over stays in the memory of the web process.

What is freed is written over by the allocator (`supervisor.MEMORY`). Here goes what would not be freed: caches of libraries whose keys are
addresses and headers, exceptions that hold their frames in a circle, the last parameters in idle connections of the database.
"""

from __future__ import annotations

import asyncio
import functools
import gc
import sys
from typing import Any

from server.storage.store import Store

FORGET_SECONDS = 10.0
_LIBRARIES = frozenset({"aiohttp", "urllib", "yarl"})


async def keep_forgetting(store: Store) -> None:
    """Until it is cancelled."""
    while True:
        await asyncio.sleep(FORGET_SECONDS)
        for each in _caches():
            each.cache_clear()
        await store.forget()
        gc.collect()


@functools.cache
def _caches() -> tuple[functools._lru_cache_wrapper[Any], ...]:
    """The caches of the libraries that read requests: addresses hold what was searched for."""
    modules = [module for name, module in sys.modules.items() if name.partition(".")[0] in _LIBRARIES]
    found = {id(each): each for module in modules for each in vars(module).values() if isinstance(each, functools._lru_cache_wrapper)}
    return tuple(each for each in found.values() if each.__name__ != "_cached_build_middleware")
