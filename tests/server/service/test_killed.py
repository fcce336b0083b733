"""Processes and the database killed under load: what was acknowledged is there once, the log is whole, and the service is soon back by itself."""

import random
import time

from tests.conftest import counts
from tests.server.service.machine import RECOVERY_SECONDS, each_once, running, writes
from tests.service import Database


def jobs_done_once(service, load):
    """Every acknowledged action's job was done once, or is held under the lease of a courier that was killed."""

    async def look(tx):
        held = await tx.all("outbox", {"done_at": None, "lease !=": None}, limit=100_000)
        counted = await tx.all("progress", kind="count", limit=1_000_000)
        return {row["job_key"] for row in held}, [row["state"] for row in counted]

    async def waiting(tx):
        return await tx.count("outbox", done_at=None, lease=None)

    service.until(lambda: service.look(waiting) == 0, 60)
    held, counted = service.look(look)
    assert len(counted) == len(set(counted))
    assert set(load.done) - held == set(counted) - held


def test_killed_at_any_point_nothing_acknowledged_is_lost_or_doubled(tmp_path, base):
    chance, worst = random.Random(4), 0.0
    with running(tmp_path / "d", base) as service:
        with writes(service) as load:
            for number in range(counts("kills of processes, each database", 6, 100)):
                time.sleep(chance.uniform(0.05, 0.6))
                which = ("web", "keeper", "courier", "all")[number % 4]
                worst = max(worst, service.kill(*(("web", "keeper", "courier") if which == "all" else (which,))))
        jobs_done_once(service, load)
        made = each_once(service, load)
        service.stop()
        report = service.checked()
    assert made > 10 and set(load.said) <= {(503, "not_ready")}
    print(f"{report['size']} leaves, {made} acknowledged actions, 0 lost, 0 doubled; slowest recovery {worst:.1f} s; refused {load.said}")
    assert worst <= RECOVERY_SECONDS


def test_pages_go_on_while_the_keeper_is_killed(tmp_path, base):
    with running(tmp_path / "d", base) as service, writes(service, 1):
        service.kill("keeper")
        for path in ("/", "/status", "/checkpoint", "/health/live", "/sign-in"):
            assert service.get(path)[0] == 200


def of(cluster):
    return Database("postgresql", cluster.url("postgres"), cluster.url("lotroom_web"), cluster.url("lotroom_keeper"), "")


def test_postgresql_killed_under_8_writers_loses_nothing_and_doubles_nothing(tmp_path, cluster):
    chance, back = random.Random(6), []
    with running(tmp_path / "d", of(cluster)) as service:
        with writes(service, 8) as load:
            for _ in range(counts("PostgreSQL killed under the service", 2, 20)):
                time.sleep(chance.uniform(0.5, 1.5))
                cluster.kill()
                cluster.start()
                up = time.monotonic()
                service.until(lambda up=up: load.moments[-1] > up, 30)
                ready = service.until(service.ready, 30)
                back.append((load.moments[-1] - up, time.monotonic() - up, ready))
        jobs_done_once(service, load)
        made = each_once(service, load)
        service.stop()
        report = service.checked()
    worst = max(each[1] for each in back)
    print(
        f"{report['size']} leaves, {made} acknowledged actions, 0 lost, 0 doubled; acknowledged again and ready {worst:.1f} s after the"
        f" database was back; refused {load.said}, slowest answer {load.slowest:.1f} s"
    )
    assert set(load.said) <= {(503, "not_ready")}
    assert worst <= RECOVERY_SECONDS


def test_a_database_that_stops_is_a_clear_page_and_comes_back_by_itself(tmp_path, cluster):
    with running(tmp_path / "d", of(cluster)) as service:
        with writes(service, 8) as load:
            service.until(lambda: len(load.done) > 20, 20)
            cluster.stop()
            slow = {}
            for path, wanted in (
                ("/health/live", 200),
                ("/", 200),
                ("/status", 200),
                ("/verify", 200),
                ("/api/status", 200),
                ("/health/ready", 503),
            ):
                begun = time.monotonic()
                status, text = service.get(path, 30)
                slow[path] = round(time.monotonic() - begun, 1)
                assert status == wanted, (path, status)
            begun = time.monotonic()
            status, text = service.get("/checkpoint", 40)
            slow["/checkpoint"] = round(time.monotonic() - begun, 1)
            assert status == 503 and "not_ready" in text
            service.until(lambda: (503, "not_ready") in load.said, 30)
            heard = len(load.done)
            assert dict(service.pids()).keys() == {"web", "keeper", "courier"}
            cluster.start()
            up = time.monotonic()
            service.until(lambda: len(load.done) > heard, 30)
            service.until(service.ready, 30)
            back = time.monotonic() - up
        jobs_done_once(service, load)
        each_once(service, load)
        assert '"ended"' not in service.log()  # nobody had to start anything again
        service.stop()
        service.checked()
    print(
        f"without the database: seconds per page {slow}, slowest write refused after {load.slowest:.1f} s; back {back:.1f} s after it was"
    )
    assert max(slow[path] for path in slow if path != "/checkpoint") <= 3 and load.slowest <= 16
    assert back <= RECOVERY_SECONDS
