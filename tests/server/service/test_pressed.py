"""A full disk, a keeper that is gone or hangs, a clock that goes back: a clear page, nothing lost, and all well again by itself."""

import ctypes
import os
import signal
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from server.auth.model import Role
from server.places import places_of
from tests.server.desk.site import PASSWORD, problem
from tests.server.service.machine import Cluster, Service, each_once, running, writes
from tests.server.service.people import People
from tests.service import Database

FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1")


@contextmanager
def small_disk(path, megabytes, owner=None):
    """A file system of its own."""
    path.mkdir(mode=0o700, exist_ok=True)
    if os.geteuid() or ctypes.CDLL(None).mount(b"tmpfs", bytes(path), b"tmpfs", 0, f"size={megabytes}m".encode()):
        pytest.skip("needs the right to mount a small disk")
    path.chmod(0o700)
    try:
        yield path
    finally:
        ctypes.CDLL(None).umount2(bytes(path), 2)


def fill(folder):
    """Until not a byte more goes in."""
    path = folder / "ballast"
    with path.open("wb", buffering=0) as out:
        for size in (1 << 16, 1 << 12, 1):
            try:
                while True:
                    out.write(bytes(size))
            except OSError:
                continue
    return path


def test_a_full_disk_is_said_on_the_page_and_over_when_there_is_room(tmp_path):
    with small_disk(tmp_path / "d", 12) as folder, running(folder) as service:
        with writes(service, 4) as load:
            service.until(lambda: len(load.done) > 30, 20)
            ballast = fill(folder)
            service.until(lambda: load.said.get((507, "disk_full"), 0) > 10, 30)
            full = len(load.done)
            for path in ("/", "/status", "/verify", "/checkpoint", "/sign-in"):
                assert service.get(path)[0] == 200, path
            for language, words in (("zh-CN", ("磁盘", "已满")), ("en", ("Disk", "full"))):
                _, text = service.get("/status", **{"Accept-Language": language})
                assert all(word in text for word in words)
                status, text = service.get("/write/never", **{"Accept-Language": language})
                assert status == 507 and ("腾出空间" if language == "zh-CN" else "make room") in text
            visitor = People.__new__(People).about(service).visitor()
            visitor.open("/sign-in")
            answer = visitor.post("/sign-in", (("account", "nobody"), ("password", PASSWORD)))  # a form of a real page
            assert (answer.status, problem(answer)) == (507, "disk_full")
            assert set(service.pids()) == {"web", "keeper", "courier"}
            ballast.unlink()
            up = time.monotonic()
            service.until(lambda: len(load.done) > full, 20)
            service.until(service.ready, 20)
            back = time.monotonic() - up
        each_once(service, load)
        assert '"ended"' not in service.log()
        service.until(lambda: "log good" in service.get("/health/ready")[1], 20)
        service.stop()
        report = service.checked()
    assert set(load.said) == {(507, "disk_full")}
    print(
        f"disk full: {load.said}, nothing of {report['size']} leaves lost; slowest answer {load.slowest:.1f} s, writing again {back:.1f} s after there was room"
    )


def test_a_full_disk_of_postgresql_loses_nothing(tmp_path):
    if os.getuid() != 0:
        pytest.skip("needs PostgreSQL's programs, and root to become its user")
    with tempfile.TemporaryDirectory() as folder, small_disk(Path(folder) / "pg", 90) as disk:
        Path(folder).chmod(0o711)  # PostgreSQL's user passes through it
        cluster = Cluster(disk, small=True)
        try:
            base = Database("postgresql", cluster.url("postgres"), cluster.url("lotroom_web"), cluster.url("lotroom_keeper"), "")
            with running(tmp_path / "d", base) as service:
                with writes(service, 4) as load:
                    service.until(lambda: len(load.done) > 30, 20)
                    ballast = fill(disk)
                    service.until(lambda: sum(load.said.values()) > 3, 60)
                    for path in ("/", "/status", "/verify"):
                        assert service.get(path)[0] == 200, path
                    full = len(load.done)
                    ballast.unlink()
                    died = not cluster.runs()
                    if died:  # without room for its own log PostgreSQL stops rather than forget
                        cluster.start()
                    up = time.monotonic()
                    service.until(lambda: len(load.done) > full, 30)
                    service.until(service.ready, 20)
                    back = time.monotonic() - up
                made = each_once(service, load)
                service.stop()
                service.checked()
            assert set(load.said) <= {(507, "disk_full"), (503, "not_ready")}
            print(f"PostgreSQL's disk full (it {'stopped' if died else 'went on'}): {load.said}, 0 of {made} lost; back after {back:.1f} s")
        finally:
            cluster.end()


def test_without_a_keeper_pages_go_on_and_what_needs_it_says_so(tmp_path, base):
    with running(tmp_path / "d", base) as service, People(service, service.console) as people:
        clerk = people.clerk()
        people.settle("liu.ming", Role.SUPERVISOR)
        visitor = people.visitor()
        visitor.enter("liu.ming")
        sealed = places_of(service.settings).sealed
        away = sealed.with_name("away")
        sealed.rename(away)  # the keeper that is started again finds no keys, and ends
        os.kill(service.pids()["keeper"], signal.SIGKILL)
        service.until(lambda: service.get("/health/ready")[0] == 503, 10)
        begun = time.monotonic()
        for path in ("/", "/status", "/verify", "/checkpoint", "/sign-in", "/health/live"):
            assert service.get(path)[0] == 200, path
        assert clerk.get("/account").status == 200  # who is signed in stays so
        visitor.open("/sign-in/second")
        answer = visitor.post("/sign-in/second", (("code", people.code("liu.ming")),))
        assert (answer.status, problem(answer)) == (503, "keeper_missing")
        for language, words in (("zh-CN", "密钥"), ("en", "The key keeper does not answer")):
            assert words in visitor.post("/sign-in/second", (("code", "123456"),), **{"Accept-Language": language}).text
        quick = time.monotonic() - begun
        assert service.get("/write/without-a-keeper")[0] == 200
        away.rename(sealed)
        back = service.until(service.ready, 30)
        visitor.open("/sign-in/second")
        assert visitor.post("/sign-in/second", (("code", people.code("liu.ming")),)).status == 303
        service.stop()
        service.checked()
    print(f"without a keeper ten pages in {quick:.1f} s; back {back:.1f} s after its keys were there")
    assert quick < 10


def test_a_keeper_that_hangs_is_noticed_and_its_callers_are_told(tmp_path):
    with running(tmp_path / "d") as service:
        keeper = service.pids()["keeper"]
        os.kill(keeper, signal.SIGSTOP)
        service.until(lambda: "keeper down" in service.get("/health/ready")[1], 10)
        for path in ("/", "/status", "/verify", "/sign-in"):
            begun = time.monotonic()
            assert service.get(path)[0] == 200, path
            assert time.monotonic() - begun < 3
        os.kill(keeper, signal.SIGCONT)
        service.until(service.ready, 10)
        assert service.pids()["keeper"] == keeper


@pytest.mark.skipif(not FAKETIME.exists(), reason="needs libfaketime")
def test_a_clock_that_goes_back_is_said_and_nothing_is_signed_in_or_lost_by_it(tmp_path):
    """Two hours back and on again, as a wrong time server does it."""
    folder, moved = tmp_path / "d", tmp_path / "moved"
    moved.write_text("+0\n")
    service = Service(folder)
    console = service.set_up().console
    service.start(
        LD_PRELOAD=str(FAKETIME), FAKETIME_TIMESTAMP_FILE=str(moved), FAKETIME_NO_CACHE="1", FAKETIME_DONT_FAKE_MONOTONIC="1", TZ="UTC"
    )
    try:
        with People(service, console) as people, writes(service, 1) as load:
            people.settle("he.xiaowen", Role.DRAW_CLERK)
            clerk = people.visitor()
            clerk.enter("he.xiaowen")
            clerk.open("/sign-in/second")
            used = people.code("he.xiaowen")
            assert clerk.post("/sign-in/second", (("code", used),)).status == 303
            service.until(lambda: len(load.done) > 5, 20)
            assert clerk.get("/account").status == 200
            moved.write_text("-7200\n")
            service.until(lambda: "clock degraded skewed" in service.get("/health/ready")[1], 10)
            heard = len(load.done)
            service.until(lambda: len(load.done) > heard + 5, 20)  # it works on
            assert clerk.get("/account").status in (200, 401)
            thief = people.visitor()
            thief.enter("he.xiaowen")
            thief.open("/sign-in/second")
            assert thief.post("/sign-in/second", (("code", used),)).status == 422  # no old code is good again
            people.house.offset = -7200
            people._steps.clear()
            answer = thief.post("/sign-in/second", (("code", people.code("he.xiaowen")),))
            assert answer.status in (422, 429)  # nor one of a time that has been
            moved.write_text("+0\n")
            people.house.offset = 0
            service.until(lambda: "clock good" in service.get("/health/ready")[1], 10)
            service.until(lambda: "log good" in service.get("/health/ready")[1], 20)
        each_once(service, load)
        service.stop()
        service.checked()
    finally:
        service.end()
