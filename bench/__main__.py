"""Import, snapshot, draw and verification at several sizes, and the parts, each beside its floor in the same run.

`python -m bench [--part all|own|peer|memory|pages|draws] [--sizes 1000,20000,100000,500000] [--json FILE]`; the part beside the peer is in bench/peer.py. A floor is the least that the same bytes could cost: reading the file once,
hashing them once with hashlib, or selecting by RFC 3797.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from nacl.signing import SigningKey

from bench import draws, memory, pages, peer
from drawing import merkle, vrf
from drawing.note import ED25519, Checkpoint, Policy, VKey, sign_note
from server.library.demo import make_library
from server.library.read_sheet import read_library

ROOT = Path(__file__).resolve().parent.parent
REQUEST = ROOT / "docs" / "examples" / "works.toml"
Row = dict[str, object]


def timed(work: Callable[[], object], times: int = 3) -> float:
    """Median seconds."""
    spent = []
    for _ in range(times):
        begin = time.perf_counter()
        work()
        spent.append(time.perf_counter() - begin)
    return statistics.median(spent)


def command(*words: str) -> tuple[float, float]:
    """Wall seconds and peak mebibytes of a whole lotroom process (and its largest child)."""
    script = (
        "import resource, subprocess, sys\n"
        "done = subprocess.run([sys.executable, '-m', 'server', *sys.argv[1:]], stdout=subprocess.DEVNULL)\n"
        "print(done.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    begin = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", script, *words], capture_output=True, text=True, check=True, cwd=ROOT)
    code, peak = done.stdout.split()
    assert code in ("0", "3"), (words, done.stderr)
    return time.perf_counter() - begin, int(peak) / 1024


def rfc3797(pool: int, picks: int, key: bytes = b"9319./2.5.8.10.12./9.18.26.34.41.45./") -> list[int]:
    """The selection of RFC 3797, which knows neither quotas nor employers nor conflicts."""
    people = list(range(1, pool + 1))
    chosen = []
    for n in range(picks):
        digest = hashlib.md5(n.to_bytes(2, "big") + key + n.to_bytes(2, "big"), usedforsecurity=False).digest()
        chosen.append(people.pop(int.from_bytes(digest, "big") % len(people)))
    return chosen


def whole_draws(size: int, folder: Path) -> list[Row]:
    """A library of `size` people: import, draw, verification, each as a whole process."""
    library = folder / f"library-{size}.csv"
    make_library(size, 1, library)
    answers = folder / "answers.csv"
    answers.write_text("0,left,\n3,left,\n", "utf-8")
    data = library.read_bytes()
    read_floor = timed(library.read_bytes)
    out = folder / f"draw-{size}"
    rows: list[Row] = []

    def row(what: str, seconds: float, floor: float, floor_is: str, peak: float = 0) -> None:
        rows.append({"what": what, "size": size, "seconds": seconds, "floor": floor, "floor_is": floor_is, "peak_mib": round(peak)})

    row("import csv", timed(lambda: read_library(library), 1), read_floor, "one read of the file")
    if size <= 20_000:
        sheet = folder / f"library-{size}.xlsx"
        make_library(size, 1, sheet)
        row("import xlsx", timed(lambda: read_library(sheet), 1), timed(sheet.read_bytes), "one read of the file")
    seconds, peak = command("draw", "run", str(library), str(REQUEST), "--out", str(out), "--answers", str(answers))
    row("draw run", seconds, timed(lambda: hashlib.sha256(data).digest()), "hashlib over the library", peak)
    proof = ["verify", str(out / "proof.json"), "--keys", str(out / "keys.json")]
    seconds, peak = command(*proof)
    row("verify public", seconds, timed((out / "proof.json").read_bytes), "one read of the proof", peak)
    seconds, peak = command(*proof, "--roll", str(out / "roll.bin"))
    roll = (out / "roll.bin").read_bytes()
    row("verify roll", seconds, timed(lambda: hashlib.sha256(roll).digest()), "hashlib over the roll", peak)
    key = str(next((out / "keys").glob("supervisor-*.key")))
    seconds, peak = command(*proof, "--roll", str(out / "roll.bin"), "--openings", str(out / "openings.sealed"), "--key", key)
    sealed = (out / "openings.sealed").read_bytes()
    row("verify supervisor", seconds, timed(lambda: hashlib.sha256(sealed).digest()), "hashlib over the openings", peak)
    return rows


def selection(size: int, folder: Path) -> list[Row]:
    """Drawing lots from the roll alone, beside RFC 3797 over as many names."""
    from drawing.fair import Field, Need, count, numerators
    from drawing.roll import Roll, parse_roll_file
    from drawing.select import draw

    roll = next(each for each in parse_roll_file((folder / f"draw-{size}" / "roll.bin").read_bytes()) if isinstance(each, Roll))
    need = Need((3, 2), 2, frozenset({0, 1}))

    def fresh() -> Field:
        return Field(roll.types, roll.type_numbers, roll.employers)

    floor = timed(lambda: rfc3797(roll.size, 5))
    parts = {
        "count": lambda: count(fresh(), need),
        "all chances": lambda: numerators(fresh(), need),
        "draw from roll": lambda: draw(fresh(), need, bytes(32), 0),
    }
    return [
        {"what": what, "size": size, "seconds": timed(work), "floor": floor, "floor_is": f"RFC 3797 over {roll.size} rows", "peak_mib": 0}
        for what, work in parts.items()
    ]


def parts() -> list[Row]:
    """Trees, proofs of randomness and notes."""
    rows: list[Row] = []
    for size in (100_000, 500_000):
        leaves = [merkle.leaf_hash(n.to_bytes(4, "big")) for n in range(size)]
        blob = b"".join(leaves) * 2
        rows.append({"what": "merkle root", "size": size, "seconds": timed(lambda leaves=leaves: merkle.root(leaves)),
                     "floor": timed(lambda blob=blob: hashlib.sha256(blob).digest()), "floor_is": "hashlib over the same bytes", "peak_mib": 0})  # fmt: skip
    secret = bytes(32)
    public, pi = vrf.public_key(secret), vrf.prove(secret, b"x")
    floor = timed(lambda: hashlib.sha512(b"x" * 200).digest(), 50)
    for what, work in (("ecvrf prove", lambda: vrf.prove(secret, b"x")), ("ecvrf verify", lambda: vrf.verify(public, b"x", pi))):
        rows.append({"what": what, "size": 1, "seconds": timed(work, 50), "floor": floor, "floor_is": "one SHA-512", "peak_mib": 0})
    key = SigningKey(secret)
    vkey = VKey("bench.example/log", ED25519, bytes(key.verify_key))
    text = Checkpoint("bench.example/log", 5, bytes(32)).text()
    note = sign_note(text, vkey, lambda message: bytes(key.sign(message).signature))
    policy = Policy(vkey, {})
    bare = bytes(key.sign(text.encode()).signature)
    rows.append({"what": "note check", "size": 1, "seconds": timed(lambda: policy.check(note, ""), 50),
                 "floor": timed(lambda: key.verify_key.verify(text.encode(), bare), 50), "floor_is": "one Ed25519 verification", "peak_mib": 0})  # fmt: skip
    return rows


def main() -> None:
    """Run, print the table, write JSON where asked."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--sizes", default="1000,20000,100000,500000")
    arguments.add_argument("--json", type=Path)
    arguments.add_argument("--part", choices=("all", "own", "peer", "memory", "pages", "draws"), default="all")
    arguments.add_argument("--install-peer", action="store_true", help="make the peer's environment and stop")
    arguments.add_argument("--pools", type=Path, help="folder of the public pools (or LOTROOM_POOLS)")
    arguments.add_argument("--limit", type=float, default=120.0, help="seconds the peer gets")
    arguments.add_argument("--peer-sizes", default="200,1000,5000,20000,100000,500000")
    arguments.add_argument("--write", type=Path, help="write the page of the part beside the peer here")
    given = arguments.parse_args()
    if given.install_peer:
        peer.install()
        return
    machine = {
        "cpu": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "system": platform.platform(),
    }
    print(f"machine: {machine['cores']} cores, {machine['cpu']}, Python {machine['python']}, {machine['system']}")
    found: dict[str, object] = {}
    if given.part in ("all", "pages"):
        found["pages"] = pages.report()
    if given.part in ("all", "memory"):
        with tempfile.TemporaryDirectory(prefix="lotroom-bench-") as name:
            measured = memory.measure(Path(name))
        memory.show(measured)
        found["memory"] = measured
    if given.part in ("all", "draws"):
        found["draws"] = draws.measure()
        draws.show(found["draws"])
    if given.part in ("memory", "pages", "draws"):
        if given.json:
            given.json.write_text(json.dumps({"machine": machine, **found}, indent=1) + "\n", "utf-8")
        return
    if given.part != "own":
        with tempfile.TemporaryDirectory(prefix="lotroom-bench-") as name:
            found |= peer.run(given, machine, Path(name), rfc3797)
    rows = parts() if given.part != "peer" else []
    with tempfile.TemporaryDirectory(prefix="lotroom-bench-") as name:
        for size in (int(each) for each in given.sizes.split(",") if given.part != "peer"):
            rows += whole_draws(size, Path(name))
            rows += selection(size, Path(name))
    print(f"{'what':20} {'size':>8} {'seconds':>10} {'MiB':>6} {'floor s':>10} {'ratio':>8}  floor")
    for row in rows:
        seconds, floor = float(str(row["seconds"])), float(str(row["floor"]))
        ratio = seconds / floor if floor else float("inf")
        print(
            f"{row['what']:20} {row['size']:>8} {seconds:>10.4f} {row['peak_mib'] or '':>6} {floor:>10.5f} {ratio:>8.1f}  {row['floor_is']}"
        )
    if given.json:
        given.json.write_text(json.dumps({"machine": machine, "rows": rows, **found}, indent=1) + "\n", "utf-8")
    print(f"peak of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MiB")


if __name__ == "__main__":
    main()
