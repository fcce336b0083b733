"""The supervisor with roles that misbehave: who falls silent, fails, will not end or babbles is dealt with, and the others are left alone."""

import asyncio
import os
import signal
import time

import pytest

from server import supervisor
from server.supervisor import Supervisor

ROLES = """
import signal, sys, time
from server.nursery import end_with, nurse, say, speak_apart

def run(role):
    print("x" * 200_000, end="", flush=True)
    print(f"{role} ready", flush=True)  # who prints says nothing
    if role == "fails":
        return 3
    time.sleep(0.2)
    if role == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    say(f"{role} ready")
    while True:
        if role != "falls-silent":
            say(f"{role} alive")
        time.sleep(0.1)

*words, _, parent = sys.argv[1:]
end_with(int(parent))
speak_apart()
sys.exit(nurse(words[1:], run) if words[0] == "nursery" else run(words[0]))
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    (tmp_path / "misbehaving.py").write_text(ROLES)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.getcwd()}")
    monkeypatch.setattr(supervisor, "SILENT_SECONDS", 1.0)
    monkeypatch.setattr(supervisor, "WEB_STOP_SECONDS", 1.0)
    return "misbehaving"


async def until(wanted):
    async with asyncio.timeout(30):
        while not wanted():  # noqa: ASYNC110 - what is looked at are counts
            await asyncio.sleep(0.02)


async def test_each_role_is_dealt_with_by_itself(module):
    errors = os.open(os.devnull, os.O_WRONLY)
    made = Supervisor(("keeper", "web", "falls-silent", "stubborn"), module, errors)
    running = asyncio.create_task(made.run())
    of = made.children
    await until(made.all_ready.is_set)
    await until(lambda: of["falls-silent"].starts == 3)
    assert [of[role].starts for role in ("keeper", "web", "stubborn")] == [1, 1, 1]
    for role in ("keeper", "web"):
        of[role].signal(signal.SIGKILL)
        await until(lambda role=role: of[role].starts == 2 and of[role].ready.is_set())
    pids, begun = [child.pid for child in of.values() if child.pid], time.monotonic()
    made.stop()
    await running
    os.close(errors)
    assert time.monotonic() - begun < 5
    for pid in pids:  # the stubborn one was killed
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


async def test_one_that_fails_at_its_start_is_tried_again_ever_more_slowly(module):
    made = Supervisor(("fails",), module)
    running = asyncio.create_task(made.run())
    child = made.children["fails"]
    await until(lambda: child.fails == 1)
    await asyncio.sleep(1.0)
    assert 2 <= child.fails <= 4  # again after 0.2, 0.4 and 0.8 seconds
    made.stop()
    await running
    assert not child.ready.is_set()


async def test_a_role_is_run_once_before_the_others_and_its_exit_code_is_told(module):
    assert await Supervisor(("web",), module).once("fails") == 3
