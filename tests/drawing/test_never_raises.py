"""Verification never raises: whatever a stranger puts where, the report says so."""

from __future__ import annotations

import json
import random
from dataclasses import replace

from drawing.canonical import dumps
from drawing.draw import Phase
from drawing.errors import Refused
from drawing.explain import explain, report_json, report_text
from drawing.receipt import receipt_bytes
from drawing.verify import Files, verify
from server.receipts import make_receipt
from tests.conftest import counts
from tests.scenario import World

ANYTHING: list[object] = [
    0,
    -1,
    2**53 - 1,
    65_536,
    True,
    "",
    "x",
    "00" * 32,
    "ff" * 16,
    [],
    {},
    [[]],
    ["00" * 32],
    {"a": 1},
    "9" * 4000,
    "A080104",
    "—",
]


def walk(value: object, path: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
    found = [path] if path else []
    if isinstance(value, dict):
        found += [p for key, each in value.items() for p in walk(each, (*path, key))]
    if isinstance(value, list):
        found += [p for n, each in enumerate(value) for p in walk(each, (*path, n))]
    return found


def mutated(data: bytes, chance: random.Random, text: bool) -> bytes:
    value = json.loads(data)
    for _ in range(chance.choice((1, 1, 2, 5))):
        path = chance.choice(walk(value))
        inner = value
        for key in path[:-1]:
            inner = inner[key]
        kind = chance.randrange(4)
        if kind == 0:
            inner[path[-1]] = chance.choice(ANYTHING)
        elif kind == 1 and isinstance(inner, list):
            inner.insert(0, inner[path[-1]])
        elif kind == 2:
            del inner[path[-1]]
        else:
            other = chance.choice(walk(value))
            source = value
            for key in other:
                source = source[key]
            inner[path[-1]] = json.loads(json.dumps(source))
        if not walk(value):
            break
    return dumps(value, text=text)


def test_verify_and_explain_report_whatever_is_put_into_the_files():
    world = World(seed=4, previous=True).whole(left=(0,))
    files = world.files()
    number = json.loads(next(entry.record for entry in world.ordered if entry.record))["id_number"]
    assert files.roll is not None
    files = replace(files, receipt=receipt_bytes(make_receipt(world.proof(), world.openings(), files.roll, number)))
    assert verify(files).exit_code == 0
    chance = random.Random(6)
    for number in range(counts("files with anything in them", 250, 20_000)):
        which = chance.choice(("proof", "proof", "proof", "keys", "receipt"))
        data = getattr(files, which)
        assert data is not None
        try:
            bad = mutated(data, chance, text=which != "receipt")
        except Refused:
            continue
        changed: Files = replace(files, **{which: bad})
        if number % 5:
            changed = replace(changed, openings=None)
        report = verify(changed)
        harmless = which == "receipt" or (which == "proof" and "C3" in report.skipped)  # without its monitor a proof says less, and says so
        assert report.failed or bad == data or (harmless and report.exit_code in (0, 3)), (which, number)
        assert report_text(report, "en")
        assert json.dumps(report_json(report, "zh"), ensure_ascii=False)
        if which == "proof":
            try:
                assert explain(bad, "zh")
            except Refused as refused:
                assert refused.code


def test_bytes_changed_in_roll_and_openings_are_reported():
    world = World(seed=4).whole(left=(0,))
    files = world.files()
    assert world.project.draw.phase is Phase.CLOSED
    chance = random.Random(7)
    for _ in range(counts("bytes of roll and openings", 60, 2_000)):
        for which in ("roll", "openings"):
            data = getattr(files, which)
            at = chance.randrange(len(data))
            size = chance.choice((0, 1, 1, 4))
            bad = data[:at] + chance.randbytes(chance.choice((0, 1, 4))) + data[at + size :]
            if bad != data:
                assert verify(replace(files, **{which: bad})).failed, (which, at)
