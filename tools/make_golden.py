"""Write golden proofs of this release into tests/vectors/golden: every later verifier must accept them. Run once per release."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

from drawing.receipt import receipt_bytes
from drawing.verify import verify
from server.receipts import make_receipt
from tests.drawing.test_histories import dry, small_pool_world
from tests.scenario import PLAN, World

FOLDER = Path(__file__).resolve().parent.parent / "tests" / "vectors" / "golden"


def worlds() -> dict[str, World]:
    """One history of each kind."""
    extended = dry(small_pool_world())
    extended.extend(replace(extended.plan, seats=(extended.plan.seats[0], replace(extended.plan.seats[1], professions=("A06",)))))
    extended.finish()
    again = World(seed=12)
    again.open()
    again.abandon("incomplete")
    bare = tuple(replace(seat, reserves=0) for seat in PLAN.seats)
    return {
        "plain": World(seed=10).whole(),
        "reserve": World(seed=11).whole(left=(0,)),
        "round": World(seed=13, plan=replace(PLAN, seats=bare)).whole(left=(0, 2)),
        "extended": extended,
        "second-attempt": again.whole(),
        "beacon-local": World(seed=15, beacon="local", plan=replace(PLAN, seats=bare)).whole(left=(0, 2)),
        "beacon-drand": World(seed=16, beacon="drand").whole(left=(0,)),
        "second-quorum": World(seed=17, beacon="local", second_quorum=True).whole(left=(0,)),
        "no-witnesses": World(seed=14, witnesses=0, monitored=False).whole(),
    }


def main(release: str) -> None:
    """Write all of them."""
    for name, world in worlds().items():
        folder = FOLDER / f"{release}-{name}"
        folder.mkdir(parents=True)
        files = world.files()
        (folder / "proof.json").write_bytes(files.proof)
        (folder / "keys.json").write_bytes(files.keys)
        (folder / "roll.bin").write_bytes(files.roll or b"")
        (folder / "openings.bin").write_bytes(files.openings or b"")
        if name == "plain":
            number = json.loads(next(entry.record for entry in world.ordered if entry.record))["id_number"]
            receipt = make_receipt(world.proof(), world.openings(), files.roll or b"", number)
            (folder / "receipt.json").write_bytes(receipt_bytes(receipt))
        (folder / "facts.json").write_text(json.dumps(verify(files).facts, indent=1, sort_keys=True) + "\n", "utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
