"""The whole service as real processes: what it leaves behind when it is killed, how soon it stops, and that one which is sealed says so."""

import http.client
import json
import os
import signal
from pathlib import Path

from tests.server.service.machine import Service, children, running


def test_a_killed_supervisor_leaves_nothing_behind(tmp_path, base):
    with running(tmp_path / "d", base) as service:
        pids = service.pids()
        assert set(pids) == {"web", "keeper", "courier"}
        service.process.kill()
        service.process.wait()
        service.until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids.values()), 5)


def test_a_killed_nursery_takes_its_own_with_it_and_they_come_back(tmp_path, base):
    with running(tmp_path / "d", base) as service:
        before = service.pids()
        (nursery,) = [each for each in children(service.process.pid) if each != before["keeper"]]
        assert set(children(nursery)) == {before["web"], before["courier"]}  # never the keeper: it would share their layout of memory
        os.kill(nursery, signal.SIGKILL)
        gone = {before["web"], before["courier"]}
        service.until(lambda: len(now := service.pids()) == 3 and not gone & set(now.values()), 20)
        service.until(service.ready, 20)
        assert service.pids()["keeper"] == before["keeper"]
        service.stop()
        assert service.process.returncode == 0


def pss(pid):
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) >> 10


def test_it_stops_in_five_seconds_with_streams_open_and_its_log_is_served(tmp_path, base):
    with running(tmp_path / "d", base, real=True) as service:
        status, note = service.get("/checkpoint")
        assert (status, note.splitlines()[0]) == (200, "localhost/log")
        assert service.get(f"/tile/entries/000.p/{note.splitlines()[1]}")[0] == 200
        assert service.get("/tile/0/001")[0] == 404
        status, text = service.get("/api/status")
        assert status == 200 and {each["health"] for each in json.loads(text)["parts"]} == {"good"}
        roles = {pid: role for role, pid in service.pids().items()}
        processes = {service.process.pid: "supervisor", **dict.fromkeys(children(service.process.pid), "nursery"), **roles}
        idle = {role: pss(pid) for pid, role in processes.items()}
        streams = []
        for _ in range(20):
            stream = http.client.HTTPConnection("127.0.0.1", service.port, timeout=20)
            stream.request("GET", "/status/updates", headers={"Host": f"localhost:{service.port}"})
            assert stream.getresponse().status == 200
            streams.append(stream)
        seconds = service.stop()
        for each in streams:
            each.close()
    assert service.process.returncode == 0 and '"killed"' not in service.log()
    print(f"idle PSS {sum(idle.values())} MB {idle}, stop with 20 streams {seconds:.1f} s")
    assert seconds <= 5


def test_a_sealed_service_says_so_and_opens_with_shares(tmp_path, base):
    service = Service(tmp_path / "d", base)
    ceremony = service.set_up(("甲", "乙", "丙"), 2)
    service.start()
    try:
        status, text = service.get("/health/ready")
        assert status == 503 and "keeper down sealed" in text
        for path in ("/", "/status", "/verify", "/sign-in"):
            assert service.get(path)[0] == 200
        assert service.get("/write/while-sealed")[0] == 200  # what needs no key goes on
        for name in ("甲", "丙"):
            code, said, _ = service.command("unseal", name, shares=ceremony.shares[name])
        assert code == 0, said
        service.until(service.ready, 10)
    finally:
        service.end()
