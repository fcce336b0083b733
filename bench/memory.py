"""Idle memory of the embedded service: `lotroom serve` on SQLite as real processes, their proportional set size as the kernel counts it.

PSS divides what processes share among them, so the sum is what the service costs. The floor is an interpreter that does nothing, once for each
process. Measured twice: at rest after the first pages, and after each page that needs no login was asked for fifty times.
"""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from tests.server.service.machine import children

Row = dict[str, object]
PAGES = ("/", "/verify", "/status", "/checkpoint", "/api/status", "/api/openapi.json", "/sign-in")
AIM_MIB = 250
READY_SECONDS = 60
SETTLE_SECONDS = 3


def pss(pid: int) -> float:
    """Mebibytes."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text("ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def measure(folder: Path) -> list[Row]:
    """One row for each process and their sum, at rest and after use."""
    with socket.socket() as end:
        end.bind(("127.0.0.1", 0))
        port = end.getsockname()[1]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LOTROOM_")}
    env = kept | {
        "LOTROOM_INSECURE_DEMO": "true",
        "LOTROOM_DATA_FOLDER": str(folder / "service"),
        "LOTROOM_LISTEN_PORT": str(port),
        "LOTROOM_ORIGIN": f"http://localhost:{port}",
    }
    root = Path(__file__).resolve().parent.parent
    words = [sys.executable, "-m", "server"]
    env["PYTHONPATH"] = os.pathsep.join(filter(None, [str(root), kept.get("PYTHONPATH", "")]))
    subprocess.run([*words, "init"], env=env, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    floor = _bare()
    with (folder / "serve.log").open("wb") as out:
        service = subprocess.Popen([*words, "serve"], env=env, cwd=folder, stdout=out, stderr=out)
    try:
        begun = time.monotonic()
        while _get(port, "/health/ready") != 200:
            if time.monotonic() > begun + READY_SECONDS:
                raise RuntimeError((folder / "serve.log").read_text("utf-8"))
            time.sleep(0.1)
        rows = _rows("idle", service.pid, floor)
        for _ in range(50):
            for page in PAGES:
                _get(port, page)
        return rows + _rows("after use", service.pid, floor)
    finally:
        service.send_signal(signal.SIGTERM)
        service.wait(20)


def _rows(when: str, supervisor: int, floor: float) -> list[Row]:
    time.sleep(SETTLE_SECONDS)
    pids = {"supervisor": supervisor}
    for each in children(supervisor):
        for pid in (each, *children(each)):
            pids[Path(f"/proc/{pid}/comm").read_text("ascii").strip().removeprefix("lotroom-")] = pid
    found = {name: pss(pid) for name, pid in pids.items()}
    rows: list[Row] = [
        {"what": f"{when}: {name}", "pss_mib": round(value, 1), "floor_mib": round(floor, 1)} for name, value in found.items()
    ]
    total: Row = {
        "what": f"{when}: all",
        "pss_mib": round(sum(found.values()), 1),
        "floor_mib": round(floor * len(found), 1),
        "aim_mib": AIM_MIB,
    }
    return [*rows, total]


def _bare() -> float:
    """An interpreter with an event loop and nothing else."""
    script = "import asyncio, sys; print('x', flush=True); sys.stdin.read()"
    process = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    found = pss(process.pid)
    process.communicate()
    return found


def _get(port: int, path: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path, headers={"Host": f"localhost:{port}"})
        answer = connection.getresponse()
        answer.read()
        return answer.status
    except OSError:
        return 0
    finally:
        connection.close()


def show(rows: list[Row]) -> None:
    """The table."""
    print(f"{'what':24} {'PSS MiB':>8} {'floor':>8}  aim")
    for row in rows:
        print(f"{row['what']:24} {row['pss_mib']:>8} {row['floor_mib']:>8}  {row.get('aim_mib', '')}")
