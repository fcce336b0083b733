"""The whole service as real processes: killed at seeded points under writes, stopped with an open stream, backed up while it writes, restored elsewhere."""

import asyncio
import http.client
import json
import os
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from server.backup import backup, restore
from server.config import Settings
from server.keeper.client import Keeper
from server.places import places_of
from server.setting_up import set_up
from server.storage.check import check
from tests.conftest import counts

RECOVERY_SECONDS = 5.0 if os.environ.get("LONG") == "1" else 15.0  # on a machine that is shared: the long run holds the promise
SUPERVISE = """
import asyncio, sys
from server.logs import configure
from server.supervisor import supervise
configure("info")
asyncio.run(supervise({role: (sys.executable, "-m", "tests.server.service.run", role) for role in ("keeper", "courier", "web")}))
"""


def free_port():
    with socket.socket() as end:
        end.bind(("127.0.0.1", 0))
        return end.getsockname()[1]


class Service:
    def __init__(self, folder: Path, demo=True):
        self.folder, self.port = folder, free_port()
        self.settings = Settings(
            insecure_demo=demo, data_folder=str(folder), listen_port=self.port,
            origin=f"http://localhost:{self.port}" if demo else "https://draw.example.cn",
        )  # fmt: skip
        self.process = None

    def set_up(self, custodians=(), needed=2):
        return asyncio.run(set_up(self.settings, custodians, needed, 1, int(time.monotonic()) + 1_700_000_000, demo=not custodians))

    def start(self):
        env = {key: value for key, value in os.environ.items() if not key.startswith("LOTROOM_")}
        env |= {
            "LOTROOM_DATA_FOLDER": str(self.folder),
            "LOTROOM_LISTEN_PORT": str(self.port),
            "LOTROOM_ORIGIN": self.settings.origin,
            "LOTROOM_INSECURE_DEMO": str(self.settings.insecure_demo).lower(),
        }
        with (self.folder / "serve.log").open("ab") as out:
            self.process = subprocess.Popen([sys.executable, "-c", SUPERVISE], env=env, stdout=out, stderr=out)
        self.until(lambda: any('"event": "ready"' in line and '"process"' not in line for line in self.log().splitlines()), 40)

    def log(self):
        return (self.folder / "serve.log").read_text()

    def until(self, wanted, seconds):
        begun = time.monotonic()
        while time.monotonic() < begun + seconds:
            with suppress(OSError, http.client.HTTPException):
                if wanted():
                    return time.monotonic() - begun
            time.sleep(0.05)
        raise AssertionError(self.log()[-3000:])

    def get(self, path, seconds=5):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=seconds)
        try:
            connection.request("GET", path, headers={"Host": self.settings.origin.partition("://")[2]})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def pids(self):
        """Role -> process id, of this supervisor's children."""
        found = {}
        for pid in Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split():
            with suppress(OSError, IndexError):  # between fork and exec it has no role yet
                words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
                found[words[3].decode()] = int(pid)
        return found

    def ready(self):
        return self.get("/health/ready")[0] == 200

    def stop(self):
        begun = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)
        return time.monotonic() - begun


@contextmanager
def running(folder, **more):
    folder.mkdir(mode=0o700)
    service = Service(folder)
    service.set_up()
    service.start()
    try:
        yield service
    finally:
        if service.process.poll() is None:
            service.stop()


@contextmanager
def writes(service):
    """Writers until the block ends; gives the keys that were tried and those that were acknowledged."""
    tried, done, over = [], [], threading.Event()

    def writer(name):
        number = 0
        while not over.is_set():
            key = f"{name}-{number}"
            number += 1
            tried.append(key)
            try:
                if service.get(f"/write/{key}")[0] == 200:
                    done.append(key)
            except (OSError, http.client.HTTPException):
                time.sleep(0.05)

    threads = [threading.Thread(target=writer, args=(name,)) for name in "ab"]
    for each in threads:
        each.start()
    try:
        yield tried, done
    finally:
        over.set()
        for each in threads:
            each.join()


def rows(service, sql):
    with sqlite3.connect(service.folder / "lotroom.db") as db:
        return [each for (each,) in db.execute(sql)]


def same(service):
    report = asyncio.run(check(f"sqlite+aiosqlite:///{service.folder / 'lotroom.db'}"))
    assert not report.differences
    return report


def test_killed_at_any_point_nothing_acknowledged_is_lost_or_doubled(tmp_path):
    chance, worst = random.Random(4), 0.0
    with running(tmp_path / "d") as service:
        with writes(service) as (_, done):
            for number in range(counts("kills of processes", 6, 200)):
                time.sleep(chance.uniform(0.05, 0.6))
                which = ("web", "keeper", "courier", "all")[number % 4]
                old = service.pids()
                for role in old if which == "all" else (which,):
                    os.kill(old[role], signal.SIGKILL)
                if which == "keeper":
                    assert service.get("/health/live")[0] == 200  # pages go on without keys
                begun = time.monotonic()
                service.until(lambda: not {old[each] for each in (old if which == "all" else (which,))} & set(service.pids().values()), 20)
                service.until(service.ready, 40)
                worst = max(worst, time.monotonic() - begun)
        # a courier that was killed leaves a lease of a minute; whoever waits for it sees the job done once
        held = rows(service, "SELECT job_key FROM outbox WHERE done_at IS NULL AND lease IS NOT NULL")
        service.until(lambda: rows(service, "SELECT count(*) FROM outbox WHERE done_at IS NULL AND lease IS NULL")[0] == 0, 30)
        names = rows(service, "SELECT name FROM setting")
        counted = rows(service, "SELECT state FROM progress")
        service.stop()
        assert len(done) > 10
        assert {f"load-{key}" for key in done} <= set(names)
        assert len(set(names)) == len(names)
        assert sorted(counted) == sorted(set(counted))
        assert set(done) - set(held) <= set(counted)
        same(service)
    print(f"slowest recovery {worst:.1f} s, {len(done)} acknowledged writes")
    assert worst <= RECOVERY_SECONDS


def test_a_killed_supervisor_leaves_nothing_behind(tmp_path):
    with running(tmp_path / "d") as service:
        children = service.pids()
        assert set(children) == {"web", "keeper", "courier"}
        service.process.kill()
        service.process.wait()
        service.until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in children.values()), 5)


def test_it_stops_in_five_seconds_with_a_stream_open_and_its_log_is_served(tmp_path):
    with running(tmp_path / "d") as service:
        status, note = service.get("/log/checkpoint")
        assert (status, note.splitlines()[0]) == (200, "localhost/log")
        assert service.get(f"/log/tile/entries/000.p/{note.splitlines()[1]}")[0] == 200
        assert service.get("/log/tile/0/001")[0] == 404
        status, text = service.get("/api/status")
        assert status == 200 and {each["health"] for each in json.loads(text)["parts"]} == {"good"}
        stream = http.client.HTTPConnection("127.0.0.1", service.port, timeout=20)
        stream.request("GET", "/status/updates", headers={"Host": f"localhost:{service.port}"})
        assert stream.getresponse().status == 200
        idle = sum(
            int(line.split()[1])
            for pid in [service.process.pid, *service.pids().values()]
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            if line.startswith("Pss:")
        )
        seconds = service.stop()
        stream.close()
    print(f"idle PSS {idle >> 10} MB, stop with a stream {seconds:.1f} s")
    assert seconds <= 5


def test_a_backup_made_while_it_writes_is_restored_elsewhere_and_checks_equal(tmp_path):
    secret = b"key:" + bytes(range(32))
    with running(tmp_path / "d") as service:
        with writes(service) as (_, done):
            service.until(lambda: len(done) > 10, 20)
            before = set(done)
            made = asyncio.run(backup(service.settings, tmp_path / "backups", secret, 1_700_000_000))
        service.stop()
    assert os.stat(made.path).st_mode & 0o077 == 0
    there = Service(tmp_path / "e")
    with pytest.raises(Exception, match="backup_refused"):
        asyncio.run(restore(there.settings, made.path, b"key:" + bytes(32)))
    altered = tmp_path / "altered"
    data = bytearray(made.path.read_bytes())
    data[len(data) // 2] ^= 1
    altered.write_bytes(data)
    with pytest.raises(Exception, match="backup_refused"):
        asyncio.run(restore(there.settings, altered, secret))
    assert not places_of(there.settings).database_file.exists()
    got = asyncio.run(restore(there.settings, made.path, secret))
    report = same(there)
    assert (report.size, report.root) == (made.size, made.root) == (got.size, got.root)
    assert {f"load-{key}" for key in before} <= set(rows(there, "SELECT name FROM setting"))
    there.start()
    there.until(there.ready, 30)  # the keeper opens its rows in the restored database and signs on
    there.stop()


def test_a_sealed_service_says_so_and_opens_with_shares(tmp_path):
    folder = tmp_path / "d"
    folder.mkdir(mode=0o700)
    service = Service(folder)
    ceremony = service.set_up(("甲", "乙", "丙"), 2)
    service.start()
    try:
        status, text = service.get("/health/ready")
        assert status == 503 and "keeper down sealed" in text
        assert service.get("/status")[0] == 200

        async def give():
            async with Keeper(places_of(service.settings).socket) as keeper:
                for name in ("甲", "丙"):
                    state = await keeper.unseal_share(name, ceremony.shares[name])
                return state.sealed

        assert not asyncio.run(give())
        service.until(service.ready, 10)
    finally:
        service.stop()
