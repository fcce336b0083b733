"""`draw run` on a local beacon killed at any durable step and run again: the same round, the same draw, nobody draws twice."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
from pathlib import Path

from drawing.verify import Files, verify
from server.networks import network_bytes
from tests.conftest import counts
from tests.faults.test_killed import KILLER, ROOT, events_of, library  # noqa: F401
from tests.scenario import ToyNetwork
from tests.server.beacon.relay import relay

# Each run begins at the same moment and its clock goes on only when it waits: a day in which nobody else does anything.
STILL = """
from server.commands import shared
clock = [{start}]
def sleep(seconds):
    clock[0] += seconds
shared.clock, shared.sleep = (lambda: int(clock[0])), sleep
from server.__main__ import cli
"""


def run(library, out: Path, k: int, when: str, start: int, address: str) -> subprocess.CompletedProcess[str]:  # noqa: F811
    request = ROOT / "docs/examples/works.toml"
    words = ["draw", "run", str(library[0]), str(request), "--out", str(out), "--answers", str(library[1]), "--relay", address, "--wait"]
    code = KILLER.replace("from server.__main__ import cli\n", STILL.replace("{start}", str(start)))
    return subprocess.run([sys.executable, "-c", code, str(k), when, *words], capture_output=True, text=True, cwd=ROOT, check=False)


def test_killed_anywhere_on_a_beacon_it_goes_on_with_the_same_rounds(library, tmp_path):  # noqa: F811
    start = 1_795_500_000
    toy = ToyNetwork("local", genesis=start - 30_000)
    chance = random.Random(11)

    def begin(name: str) -> Path:
        out = tmp_path / name
        (out / "keys").mkdir(parents=True)
        (out / "keys" / "toy.network").write_bytes(network_bytes(toy.network))
        return out

    with relay(toy) as (address, _):
        whole = run(library, begin("whole"), 10**9, "after", start, address)
        assert whole.returncode == 0, whole.stderr
        calls = int(whole.stdout.rpartition("calls ")[2])
        for number in range(counts("draw run on a beacon killed", 3, 100)):
            out = begin(f"draw-{number}")
            k, when = chance.randrange(1, calls + 1), chance.choice(("before", "after"))
            first = run(library, out, k, when, start, address)
            assert first.returncode == -signal.SIGKILL, (k, when, first.stderr)
            before = events_of(out)
            again = run(library, out, 10**9, "after", start, address)
            assert again.returncode == 0, (k, when, again.stderr)
            after = events_of(out)
            assert after[: len(before)] == before, (k, when)
            kinds = [json.loads(entry)["type"] for entry in after]
            assert kinds.count("opened") == kinds.count("committed") == kinds.count("result") == kinds.count("closed") == 1
            assert "round_contributed" not in kinds
            report = verify(Files((out / "proof.json").read_bytes(), (out / "keys.json").read_bytes(), (out / "roll.bin").read_bytes()))
            assert report.failed == (), (k, when)
            assert report.outcome("R2").status == "passed"
