"""A keeper for tests: the real process with a clock that a file moves, high rates unless asked otherwise, and places to die at.

python -m tests.server.keeper.run FOLDER     (settings in FOLDER/keeper.json)
"""

import json
import logging
import os
import resource
import signal
import sys
import time
from pathlib import Path

from server.keeper import rotation
from server.keeper.core import Settings
from server.keeper.passkeys import Site
from server.keeper.process import Place, run
from server.keeper.verbs import CALLERS, VERBS, Rate
from tests.server.keeper.authenticator import ORIGIN, RP

folder = Path(sys.argv[1])
given = json.loads((folder / "keeper.json").read_text())
moved = folder / "clock"


def clock():
    return int(time.time()) + (int(moved.read_text()) if moved.exists() else 0)


def die_at(left):
    def step(_):
        left[0] -= 1
        if not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)

    return step


if given.get("die_at"):
    rotation.step = die_at([given["die_at"]])
if given.get("still"):

    async def nothing(*_):
        """As if the rotation were slow: both generations are there."""

    rotation.run = nothing
if given.get("most_file"):  # a disk that is full: no file of ours grows beyond this
    resource.setrlimit(resource.RLIMIT_FSIZE, (given["most_file"], resource.RLIM_INFINITY))
rotation.PAGE = given.get("page", rotation.PAGE)
rates = {each: verb.rate for each, verb in VERBS.items()} if given.get("rates") else {each: Rate(1e9, 1 << 30) for each in VERBS}
peers = {int(uid): frozenset(roles) for uid, roles in given.get("peers", {str(os.getuid()): list(CALLERS)}).items()}
settings = Settings(
    folder / "sealed",
    Site(given.get("rp", RP), tuple(given.get("origins", (ORIGIN,)))),
    "lotroom.test/log",
    peers,
    given.get("demo", False),
    courier_box=bytes.fromhex(given.get("courier_box", "")),
    out=Path(given["out"]) if "out" in given else None,
    rates=rates,
)
logging.basicConfig(level=logging.INFO, format="%(name)s %(levelname)s %(message)s")
sys.exit(run(settings, Place(folder / "s" / "keeper.sock", given.get("database") or folder / "keeper.db"), clock))
