"""`draw run` killed at any durable step and run again: the same draw goes on, one attempt, the log verifies."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from drawing.proof import parse_proof
from drawing.verify import Files, verify
from server.library.demo import make_library
from tests.conftest import counts

ROOT = Path(__file__).parents[2]
# Kills itself at the k-th call that makes something durable, before or after it, as a power cut would.
KILLER = """
import os, signal, sys
left, after = int(sys.argv[1]), sys.argv[2] == "after"
def deadly(real):
    def call(*args, **kwargs):
        global left
        left -= 1
        if left == 0 and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        out = real(*args, **kwargs)
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return out
    return call
os.fsync, os.replace, os.open = deadly(os.fsync), deadly(os.replace), deadly(os.open)
from server.__main__ import cli
try:
    cli(sys.argv[3:], standalone_mode=False)
finally:
    print("calls", int(sys.argv[1]) - left)
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    path = tmp_path_factory.mktemp("library") / "library.csv"
    make_library(400, 3, path)
    answers = path.with_name("answers.csv")
    answers.write_text("slot,answer,reason\n0,left,a\n1,left,b\n3,left,c\n", "utf-8")
    return path, answers


def run(library, out: Path, k: int, when: str) -> subprocess.CompletedProcess[str]:
    words = ["draw", "run", str(library[0]), str(ROOT / "docs/examples/works.toml"), "--out", str(out), "--answers", str(library[1])]
    return subprocess.run([sys.executable, "-c", KILLER, str(k), when, *words], capture_output=True, text=True, cwd=ROOT, check=False)


def events_of(out: Path) -> list[str]:
    """The project's events as the files of the log hold them, by their bytes."""
    from drawing.note import Policy
    from server.keyfiles import read_folder
    from server.tilelog import TileLog

    if not (out / "log" / "checkpoint").exists():
        return []
    key = next(key for key in read_folder(out / "keys") if key.role == "log")
    with TileLog.open(out / "log", Policy(key.vkey, {})) as log:
        return [entry.decode() for entry in log.entries()]


@pytest.fixture(scope="module")
def calls(library, tmp_path_factory):
    done = run(library, tmp_path_factory.mktemp("whole") / "draw", 10**9, "after")
    assert done.returncode == 0, done.stderr
    return int(done.stdout.rpartition("calls ")[2])


def test_killed_anywhere_it_goes_on_with_the_same_draw(library, calls, tmp_path):
    chance = random.Random(2026)
    for number in range(counts("draw run killed", 6, 200)):
        out = tmp_path / f"draw-{number}"
        k, when = chance.randrange(1, calls + 1), chance.choice(("before", "after"))
        first = run(library, out, k, when)
        assert first.returncode == -signal.SIGKILL, (k, when, first.stderr)
        before = events_of(out)
        if chance.random() < 0.3:  # and once more, somewhere in the second run
            run(library, out, chance.randrange(1, calls + 1), when)
            assert events_of(out)[: len(before)] == before
        again = run(library, out, 10**9, "after")
        assert again.returncode == 0, (k, when, again.stderr)
        after = events_of(out)
        assert after[: len(before)] == before, (k, when)
        kinds = [json.loads(entry)["type"] for entry in after]
        assert kinds.count("opened") == kinds.count("committed") == kinds.count("result") == kinds.count("closed") == 1
        report = verify(Files((out / "proof.json").read_bytes(), (out / "keys.json").read_bytes(), (out / "roll.bin").read_bytes()))
        assert report.failed == (), (k, when)
        assert report.facts["attempts"] == 1
        assert len(parse_proof((out / "proof.json").read_bytes()).events) == kinds.__len__() - kinds.count("mapped")


def test_a_finished_folder_stays_as_it_is(library, tmp_path):
    out = tmp_path / "draw"
    assert run(library, out, 10**9, "after").returncode == 0
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file() and path.name not in ("openings.sealed", "lock")}
    assert run(library, out, 10**9, "after").returncode == 0
    after = {path: path.read_bytes() for path in out.rglob("*") if path.is_file() and path.name not in ("openings.sealed", "lock")}
    assert before == after
