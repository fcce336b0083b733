"""A library imported into the service, end to end: file checked, staged, put in, on SQLite and on PostgreSQL; and read whole for a draw.

`python -m bench.library [--sizes 20000] [--engines sqlite,postgresql]`. A real keeper process over a real database; PostgreSQL is asked for at
LOTROOM_TEST_POSTGRES, as the tests do. The floor of an import is the same number of leaves and rows inserted by the Store alone.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import secrets
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import asyncpg

from server.auth.passwords import Hasher
from server.keeper import sealed
from server.keeper.child import Child, Drawer
from server.keeper.client import Keeper
from server.keeper.core import Core, Settings
from server.keeper.database import DatabaseStore
from server.keeper.keeper import Keeper as KeeperProcess
from server.keeper.library import read_library
from server.keeper.passkeys import Site
from server.library.demo import make_library
from server.services import imports
from server.services.desk import furnished
from server.storage.store import Store
from server.storage.versions import migrate
from tests.server.service.machine import children

POSTGRES = os.environ.get("LOTROOM_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432")
CENTRE = "c" * 32


def now() -> int:
    return int(time.time())  # noqa: TID251  a measurement has the wall clock


@asynccontextmanager
async def database(engine: str, folder: Path) -> AsyncIterator[tuple[str, str]]:
    """Addresses for the web process and for the keeper."""
    if engine == "sqlite":
        url = f"sqlite+aiosqlite:///{folder / 'lotroom.db'}"
        await migrate(url)
        yield url, url
        return
    name = f"lotroom_bench_{uuid4().hex[:8]}"
    at = POSTGRES.rpartition("@")[2].rstrip("/")
    connection = await asyncpg.connect(f"{POSTGRES}/postgres")
    await connection.execute(f"CREATE DATABASE {name}")
    try:
        await migrate(f"postgresql+asyncpg://postgres@{at}/{name}")
        yield f"postgresql+asyncpg://lotroom_web@{at}/{name}", f"postgresql+asyncpg://lotroom_keeper@{at}/{name}"
    finally:
        await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await connection.close()


def cpu_seconds(keeper: int) -> float:
    """Of this process and what it ran, of the keeper and its child."""
    mine = sum(resource.getrusage(who)[at] for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN) for at in (0, 1))
    return mine + sum(_ticks(each) for each in (keeper, *children(keeper)))


def _ticks(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def measure(engine: str, size: int, folder: Path) -> list[tuple[str, float]]:
    """Seconds of each part."""
    file = folder / "library.csv"
    make_library(size, 1, file)
    root = sealed.make_root((), 2, 1, now(), secrets.token_bytes, demo=True)
    sealed.write_sealed(root.file, folder / "sealed", new=True)
    (folder / "s").mkdir(mode=0o700)
    out: list[tuple[str, float]] = []
    async with database(engine, folder) as (web, of_keeper):
        words = ["--socket", str(folder / "s" / "keeper.sock"), "--database", of_keeper, "--sealed", str(folder / "sealed")]
        words += ["--rp-id", "localhost", "--origin", "http://localhost", "--log-origin", "bench/log", "--insecure-demo"]
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "server.keeper.process", *words, stdout=asyncio.subprocess.PIPE
        )
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
        store = await Store.open(web)
        hasher = Hasher(1)
        try:
            async with Keeper(folder / "s" / "keeper.sock") as keeper:
                desk = furnished(store, keeper, hasher, secrets.token_bytes, now)
                await store.write(
                    lambda tx: tx.insert("centre", {"id": CENTRE, "code": "c", "name": "c", "created_at": now()}, "bench"), now()
                )
                begun, busy = time.perf_counter(), cpu_seconds(process.pid)
                count = await imports.fill(desk, CENTRE, "csv", file.read_bytes())
                out.append(("import", time.perf_counter() - begun))
                out.append(("import, processor time of all", cpu_seconds(process.pid) - busy))
                assert count == size
                async with store.reading() as tx:
                    leaves = (await tx.head()).size
                begun = time.perf_counter()
                rows = [{"scope": "bench", "name": str(n), "value": "v" * 100, "changed_at": now()} for n in range(leaves)]
                for start in range(0, len(rows), 500):
                    batch = rows[start : start + 500]
                    await store.write(lambda tx, batch=batch: tx.insert_all("setting", batch, "bench"), now())  # type: ignore[misc]
                out.append((f"floor: {leaves} rows and leaves", time.perf_counter() - begun))
        finally:
            process.terminate()
            await process.wait()
            await store.close()
            hasher.close()
        out += await whole(of_keeper, folder, size)
    return out


async def whole(url: str, folder: Path, size: int) -> list[tuple[str, float]]:
    """The library as a draw reads it, in a keeper of this process."""
    file = sealed.read_sealed(folder / "sealed")
    settings = Settings(folder / "sealed", Site("localhost", ("http://localhost",)), "bench/log", {}, insecure_demo=True)
    store = await DatabaseStore.open(url, now)
    core = Core(settings, store, now, secrets.token_bytes, Child(), Drawer(), file, sealed.Shares(file), False)
    keeper = KeeperProcess(core, time.monotonic)
    try:
        begun = time.perf_counter()
        await keeper.unseal(sealed.open_demo(file))
        unsealed = time.perf_counter() - begun
        begun = time.perf_counter()
        found = await read_library(core, CENTRE)
        assert len(found.records) == size
        return [("unsealing", unsealed), ("read whole", time.perf_counter() - begun)]
    finally:
        await keeper.close()
        await store.close()


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="bench.library")
    parser.add_argument("--sizes", default="20000")
    parser.add_argument("--engines", default="sqlite,postgresql")
    given = parser.parse_args()
    for engine in given.engines.split(","):
        for size in map(int, given.sizes.split(",")):
            with tempfile.TemporaryDirectory() as folder:
                for what, seconds in asyncio.run(measure(engine, size, Path(folder))):
                    print(f"{engine:10} {size:7} {what:32} {seconds:7.2f} s  (load {os.getloadavg()[0]:.1f})", flush=True)


if __name__ == "__main__":
    main()
