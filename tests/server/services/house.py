"""A desk over a real database, with a real keeper process over the same one."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import subprocess
import sys
import time
from contextlib import asynccontextmanager
from pathlib import Path

from server.auth.passwords import Cost, Hasher
from server.keeper import sealed
from server.keeper.child import Child, Drawer
from server.keeper.client import Keeper
from server.keeper.core import Core, Settings
from server.keeper.database import DatabaseStore
from server.keeper.keeper import Keeper as Inside
from server.keeper.passkeys import Site
from server.services import imports
from server.services.desk import furnished
from server.storage.store import Store

CENTRE = "c" * 32


def now():
    return int(time.time())  # noqa: TID251  the wall clock of a real service


class Service:
    """The keeper's process and where everything lies."""

    def __init__(self, database, folder):
        self.database, self.folder = database, folder
        self.socket = folder / "s" / "keeper.sock"
        self.socket.parent.mkdir(mode=0o700)
        self.root = sealed.make_root((), 2, 1, now(), secrets.token_bytes, demo=True)
        sealed.write_sealed(self.root.file, folder / "sealed", new=True)
        self.process = None

    def start(self):
        words = ["--socket", str(self.socket), "--database", self.database.keeper, "--sealed", str(self.folder / "sealed")]
        words += ["--rp-id", "localhost", "--origin", "http://localhost", "--log-origin", "lotroom.example/log", "--insecure-demo"]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen([sys.executable, "-m", "server.keeper.process", *words], stdout=subprocess.PIPE, stderr=log)
        assert self.process.stdout.readline() == b"ready\n", (self.folder / "log").read_text()

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        self.process.wait(20)
        self.process.stdout.close()

    @asynccontextmanager
    async def desk(self):
        """What use cases stand on, as the web process has it."""
        store = await Store.open(self.database.web)
        hasher = Hasher(1, cost=Cost(8 << 10, 1))
        try:
            async with Keeper(self.socket) as keeper:
                yield furnished(store, keeper, hasher, os.urandom, now)
        finally:
            hasher.close()
            await store.close()

    @asynccontextmanager
    async def inside(self):
        """A keeper of the test's own over the same rows, once the process has stopped."""
        file = sealed.read_sealed(self.folder / "sealed")
        settings = Settings(self.folder / "sealed", Site("localhost", ("http://localhost",)), "lotroom.example/log", {}, insecure_demo=True)
        store = await DatabaseStore.open(self.database.keeper, now)
        core = Core(settings, store, now, secrets.token_bytes, Child(), Drawer(), file, sealed.Shares(file), False)
        keeper = Inside(core, time.monotonic)
        try:
            await keeper.unseal(sealed.open_demo(file))
            yield core
        finally:
            await keeper.close()
            await store.close()


async def centre(desk):
    row = {"id": CENTRE, "code": "cs", "name": "中心", "created_at": now()}
    await desk.store.write(lambda tx: tx.insert("centre", row, "test"), now())


async def fill(url, socket, data):
    """What a killed process was doing."""
    store = await Store.open(url)
    async with Keeper(Path(socket)) as keeper:
        desk = furnished(store, keeper, Hasher(1), os.urandom, now)
        print("begun", flush=True)
        await imports.fill(desk, CENTRE, "csv", data)
    print("done", flush=True)


if __name__ == "__main__":
    asyncio.run(fill(sys.argv[1], sys.argv[2], Path(sys.argv[3]).read_bytes()))
