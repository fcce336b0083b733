"""The whole service of a test, as real processes over SQLite or PostgreSQL: started, asked, killed, checked. What the tests of this folder act with."""

import asyncio
import http.client
import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import asyncpg

from drawing.errors import Refused
from server.adapters.clock import SystemClock
from server.config import Settings
from server.keeper.client import Keeper
from server.places import database_of, places_of
from server.setting_up import set_up
from server.storage.store import Store
from server.storage.versions import migrate
from server.supervisor import ROLES

LONG = os.environ.get("LONG") == "1"
RECOVERY_SECONDS = 5.0 if LONG else 15.0  # on a machine that is shared: the long run holds the promise
SUPERVISE = """
import asyncio
from server.logs import configure
from server.supervisor import supervise
configure("info")
asyncio.run(supervise("tests.server.service.run"))
"""
PROBLEM = re.compile(r'class="problem-code">.*?<code>(\w+)</code>', re.DOTALL)


def children(pid):
    """Process ids; none of a process that is gone."""
    with suppress(OSError):
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def free_port():
    """Of those that the system gives to nobody by itself: a service that is started again finds it free."""
    while True:
        port = 20_000 + secrets.randbelow(12_000)
        with suppress(OSError), socket.socket() as end:
            end.bind(("127.0.0.1", port))
            return port


class Service:
    """`database`: of tests.service, on PostgreSQL; None: SQLite in the folder. `real`: `lotroom serve` itself, without the tests' page."""

    def __init__(self, folder: Path, database=None, *, demo=True, real=False):
        self.folder, self.port, self.real, self.database = folder, free_port(), real, database
        self.settings = Settings(
            insecure_demo=demo, data_folder=str(folder), listen_port=self.port,
            origin=f"http://localhost:{self.port}" if demo else "https://draw.example.cn",
            database=database.web if database else "", keeper_database=database.keeper if database else "",
        )  # fmt: skip
        self.process = None
        self.log_key = self.console = ""

    @property
    def owner(self):
        """The database's address for whoever owns it: for `lotroom check` and backups."""
        return self.database.owner if self.database else database_of(self.settings)

    @property
    def owners(self):
        """The settings with that address."""
        return self.settings.model_copy(update={"database": self.owner}) if self.database else self.settings

    def set_up(self, custodians=(), needed=2):
        self.folder.mkdir(mode=0o700, exist_ok=True)
        self.folder.chmod(0o700)
        return asyncio.run(set_up(self.settings, custodians, needed, 1, SystemClock().now(), demo=not custodians))

    def environment(self, **more):
        env = {key: value for key, value in os.environ.items() if not key.startswith("LOTROOM_")}
        given = {name: getattr(self.settings, name) for name in ("data_folder", "listen_port", "origin", "database", "keeper_database")}
        given["insecure_demo"] = str(self.settings.insecure_demo).lower()
        return env | {f"LOTROOM_{name.upper()}": str(value) for name, value in given.items() if value != ""} | more

    def start(self, wait=True, **more):
        words = ["-m", "server", "serve"] if self.real else ["-c", SUPERVISE]
        said = len(self.log()) if (self.folder.parent / f"{self.folder.name}.log").exists() else 0
        with self.out.open("ab") as out:  # beside the folder: where that is full, what is said is still read
            self.process = subprocess.Popen([sys.executable, *words], env=self.environment(**more), stdout=out, stderr=out)
        if wait:
            ready = re.compile(r'^\{"event": "ready", "level": "info", "timestamp"', re.MULTILINE)
            self.until(lambda: ready.search(self.log()[said:]), 40)
            with suppress(Refused):  # sealed
                self.log_key = self.keeper(lambda keeper: keeper.key_status()).log

    def keeper(self, call):
        """`call(keeper)`, with a client of its own."""

        async def called():
            async with Keeper(places_of(self.settings).socket) as keeper:
                return await call(keeper)

        return asyncio.run(called())

    @property
    def out(self):
        return self.folder.parent / f"{self.folder.name}.log"

    def log(self):
        return self.out.read_text(errors="replace")

    def until(self, wanted, seconds):
        begun = time.monotonic()
        while time.monotonic() < begun + seconds:
            with suppress(OSError, http.client.HTTPException):
                if wanted():
                    return time.monotonic() - begun
            time.sleep(0.05)
        raise AssertionError(self.log()[-3000:])

    def get(self, path, seconds=5, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=seconds)
        try:
            connection.request("GET", path, headers={"Host": self.settings.origin.partition("://")[2], **headers})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def pids(self):
        """Role -> process id, of this supervisor's processes and of those that its nursery forked."""
        found = {}
        for each in children(self.process.pid):
            for pid in (each, *children(each)):
                with suppress(OSError):
                    role = Path(f"/proc/{pid}/comm").read_text().strip().removeprefix("lotroom-")
                    if role in ROLES:  # just after the fork it has the name of its parent
                        found[role] = pid
        return found

    def ready(self):
        return self.get("/health/ready")[0] == 200

    def kill(self, *roles):
        """SIGKILL; when their successors are there and the service is ready, how many seconds that took."""
        old = self.pids()
        gone = {old[role] for role in roles}
        for pid in gone:
            os.kill(pid, signal.SIGKILL)
        begun = time.monotonic()
        self.until(lambda: len(now := self.pids()) == 3 and not gone & set(now.values()), 20)
        self.until(self.ready, 40)
        return time.monotonic() - begun

    def stop(self):
        begun = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)
        return time.monotonic() - begun

    def end(self):
        if self.process is not None and self.process.poll() is None:
            self.stop()

    def command(self, *words, database=None, shares="", **more):
        """A `lotroom` command in this service's settings: its exit code, what it said, and what it complained of. `shares`: what it is told."""
        env = self.environment(**more) | ({"LOTROOM_DATABASE": database} if database else {})
        done = subprocess.run(
            [sys.executable, "-m", "server", *words], env=env, input=shares, capture_output=True, text=True, check=False, timeout=120
        )
        return done.returncode, done.stdout, done.stderr

    def checked(self):
        """What `lotroom check --json` says, which must be that nothing differs."""
        code, out, err = self.command("check", "--json", "--key", self.log_key, database=self.owner if self.database else None)
        report = json.loads(out or "{}")
        assert code == 0 and not report["differences"], (code, out[-2000:], err[-2000:])
        return report

    def look(self, work):
        """`work(tx)` in a reading transaction of the database's owner."""

        async def asked():
            store = await Store.open(self.owner)
            try:
                async with store.reading() as tx:
                    return await work(tx)
            finally:
                await store.close()

        return asyncio.run(asked())


@contextmanager
def running(folder, database=None, **more):
    service = Service(folder, database, **more)
    service.console = service.set_up().console
    try:
        service.start()
        service.until(lambda: service.get("/checkpoint")[0] == 200, 20)  # the first one is signed just after the start
        yield service
    finally:
        service.end()


class Load:
    """What writers tried and heard. A key is tried again until it is acknowledged: so none stays uncertain."""

    def __init__(self):
        self.tried, self.done, self.moments = [], [], []
        self.said = {}  # status and code -> how often
        self.slowest = 0.0


@contextmanager
def writes(service, writers=2):
    """Writers until the block ends; then each key that was tried is acknowledged."""
    load, over = Load(), threading.Event()

    def writer(name):
        number = 0
        while not over.is_set():
            key = f"{name}-{number}"
            number += 1
            load.tried.append(key)
            deadline = None
            while deadline is None or time.monotonic() < deadline:
                deadline = deadline or (time.monotonic() + 60 if over.is_set() else None)
                begun = time.monotonic()
                try:
                    status, text = service.get(f"/write/{key}", 40)
                except (OSError, http.client.HTTPException):
                    time.sleep(0.05)
                    continue
                load.slowest = max(load.slowest, time.monotonic() - begun)
                if status == 200:
                    load.done.append(key)
                    load.moments.append(time.monotonic())
                    break
                found = PROBLEM.search(text)
                load.said[status, found[1] if found else ""] = load.said.get((status, found[1] if found else ""), 0) + 1
                time.sleep(0.05)

    threads = [threading.Thread(target=writer, args=(f"w{number}",)) for number in range(writers)]
    for each in threads:
        each.start()
    try:
        yield load
    finally:
        over.set()
        for each in threads:
            each.join()


def each_once(service, load):
    """Every tried key was acknowledged, and is in the database once: neither lost nor doubled."""

    async def names(tx):
        rows = await tx.all("site", limit=1_000_000)
        return [row["name"] for row in rows]

    found = service.look(names)
    assert set(load.tried) == set(load.done)
    lost, doubled = set(load.done) - set(found), len(found) - len(set(found))
    assert not lost and not doubled, (lost, doubled)
    assert set(found) == set(load.tried)
    return len(found)


# PostgreSQL -----------------------------------------------------------------------------------------------------------------------------


class Cluster:
    """A PostgreSQL of a test's own, which may be stopped and killed."""

    def __init__(self, folder=None, *, small=False):
        """`small`: for a small disk."""
        self.programs = max(Path("/usr/lib/postgresql").glob("*/bin"))
        self.folder = folder or Path(tempfile.mkdtemp(prefix="lotroom-postgres-"))
        self.log = self.folder.with_name(self.folder.name + ".log")  # where it is not full
        self.log.touch(mode=0o666)
        self.log.chmod(0o666)
        self.more = " -c min_wal_size=2MB -c max_wal_size=8MB" if small else ""
        shutil.chown(self.folder, "postgres", "postgres")
        self.port, self.data = free_port(), self.folder / "data"
        self._run("initdb", "-D", str(self.data), "-A", "trust", "-U", "postgres", *(("--wal-segsize=1",) if small else ()))
        self.start()
        asyncio.run(self._make())
        asyncio.run(migrate(self.url("postgres")))

    async def _make(self):
        connection = await asyncpg.connect(f"postgresql://postgres@127.0.0.1:{self.port}/postgres")
        await connection.execute("CREATE DATABASE lotroom")
        await connection.close()

    def _run(self, program, *words):
        command = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", str(self.programs / program), *words]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/")

    def url(self, role):
        return f"postgresql+asyncpg://{role}@127.0.0.1:{self.port}/lotroom"

    def start(self):
        """Again at once, or as soon as the children of a killed postmaster have noticed."""
        words = ("-D", str(self.data), "-w", "-l", str(self.log), "-o", f"-p {self.port} -k {self.folder} -h 127.0.0.1{self.more}", "start")
        for _ in range(100):
            with suppress(subprocess.CalledProcessError):
                self._run("pg_ctl", *words)
                return
            time.sleep(0.05)
        raise AssertionError(self.log.read_text()[-2000:])

    def runs(self):
        with suppress(subprocess.CalledProcessError):
            self._run("pg_ctl", "-D", str(self.data), "status")
            return True
        return False

    def stop(self):
        self._run("pg_ctl", "-D", str(self.data), "-m", "immediate", "stop")

    def kill(self):
        os.kill(int((self.data / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)

    def end(self):
        with suppress(subprocess.CalledProcessError):
            self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
        self.log.unlink()
