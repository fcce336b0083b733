"""Write golden proofs of this release into tests/vectors/golden: every later verifier must accept them. Run once per release:
`python tools/make_golden.py RELEASE NAME…`, the names being those of `worlds`; without a name all of them are written.

A world with a second quorum (ML-DSA-44 signatures are made with chance) or a table of `fair/1` (a solver's last digit) differs from run to run: what
was written once is kept.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from drawing.events import FAIR, UNIFORM
from drawing.receipt import receipt_bytes
from drawing.verify import verify
from server.receipts import make_receipt
from tests.drawing.test_histories import dry, small_pool_world
from tests.scenario import PLAN, World

FOLDER = Path(__file__).resolve().parent.parent / "tests" / "vectors" / "golden"


def fair_extended() -> World:
    """Drawn with certified chances until nobody could fill a seat; the wider terms count everybody alike."""
    world = small_pool_world()
    world.method = FAIR
    dry(world)
    world.method = UNIFORM
    world.extend(replace(world.plan, seats=(world.plan.seats[0], replace(world.plan.seats[1], professions=("A06",)))))
    world.finish()
    return world


def worlds() -> dict[str, Callable[[], World]]:
    """One history of each kind."""

    def extended() -> World:
        world = dry(small_pool_world())
        world.extend(replace(world.plan, seats=(world.plan.seats[0], replace(world.plan.seats[1], professions=("A06",)))))
        world.finish()
        return world

    def again() -> World:
        world = World(seed=12)
        world.open()
        world.abandon("incomplete")
        return world.whole()

    bare = tuple(replace(seat, reserves=0) for seat in PLAN.seats)
    return {
        "plain": lambda: World(seed=10).whole(),
        "reserve": lambda: World(seed=11).whole(left=(0,)),
        "round": lambda: World(seed=13, plan=replace(PLAN, seats=bare)).whole(left=(0, 2)),
        "extended": extended,
        "fair-extended": fair_extended,
        "fair-local": lambda: World(seed=18, method=FAIR, beacon="local", plan=replace(PLAN, seats=bare)).whole(left=(0, 2)),
        "second-attempt": again,
        "beacon-local": lambda: World(seed=15, beacon="local", plan=replace(PLAN, seats=bare)).whole(left=(0, 2)),
        "beacon-drand": lambda: World(seed=16, beacon="drand").whole(left=(0,)),
        "second-quorum": lambda: World(seed=17, beacon="local", second_quorum=True).whole(left=(0,)),
        "no-witnesses": lambda: World(seed=14, witnesses=0, monitored=False).whole(),
    }


def main(release: str, *names: str) -> None:
    """Write those named, or all of them."""
    for name, play in worlds().items():
        if names and name not in names:
            continue
        world = play()
        folder = FOLDER / f"{release}-{name}"
        folder.mkdir(parents=True)
        files = world.files()
        (folder / "proof.json").write_bytes(files.proof)
        (folder / "keys.json").write_bytes(files.keys)
        (folder / "roll.bin").write_bytes(files.roll or b"")
        (folder / "openings.bin").write_bytes(files.openings or b"")
        if name in ("plain", "fair-local"):
            number = json.loads(next(entry.record for entry in world.ordered if entry.record))["id_number"]
            receipt = make_receipt(world.proof(), world.openings(), files.roll or b"", number)
            (folder / "receipt.json").write_bytes(receipt_bytes(receipt))
        (folder / "facts.json").write_text(json.dumps(verify(files).facts, indent=1, sort_keys=True) + "\n", "utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
