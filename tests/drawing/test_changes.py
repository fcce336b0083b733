"""Changes to files: every single byte of a small proof, and thousands of changes to a larger one, half of them re-encoded and re-hashed."""

from __future__ import annotations

import json
import random
from dataclasses import replace

import pytest

from drawing.canonical import dumps
from drawing.errors import Refused
from drawing.verify import Files, verify
from tests.conftest import counts
from tests.scenario import World

SMALL = World(people=16, witnesses=0, monitored=False)
SMALL.open(), SMALL.commit(), SMALL.contribute(), SMALL.result()


@pytest.fixture(scope="module")
def larger() -> Files:
    return World(seed=9, people=counts("people of the changed draw", 400, 5_000), witnesses=3).whole(left=(0, 2)).files(openings=False)


def accepted(files: Files) -> bool:
    return not verify(files).failed


def test_every_single_byte_of_a_small_proof_counts():  # spec: draw-7.1
    files = SMALL.files(roll=False, openings=False)
    assert accepted(files)
    step = counts("small proof: one byte in", 17, 1)
    data = files.proof
    wrong = [n for n in range(0, len(data), step) if accepted(replace(files, proof=data[:n] + bytes([data[n] ^ 1]) + data[n + 1 :]))]
    assert wrong == []


def test_every_byte_of_the_roll_counts():
    files = SMALL.files(openings=False)
    data = files.roll
    assert data is not None
    step = counts("small roll: one byte in", 7, 1)
    for n in range(0, len(data), step):
        assert not accepted(replace(files, roll=data[:n] + bytes([data[n] ^ 4]) + data[n + 1 :])), n


def leaves_of(value: object, path: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
    """The paths of all scalars of a JSON value."""
    if isinstance(value, dict):
        return [p for key, each in value.items() for p in leaves_of(each, (*path, key))]
    if isinstance(value, list):
        return [p for n, each in enumerate(value) for p in leaves_of(each, (*path, n))]
    return [path]


def changed(value: object, chance: random.Random) -> object:
    """Another value of the same kind, so that the parser does not notice."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return max(0, value + chance.choice((-1, 1, 60, 1000)))
    assert isinstance(value, str)
    if value and all(c in "0123456789abcdef" for c in value) and len(value) % 2 == 0:
        at = chance.randrange(len(value))
        return value[:at] + chance.choice([c for c in "0123456789abcdef" if c != value[at]]) + value[at + 1 :]
    if not value:
        return "x"
    at = chance.randrange(len(value))
    return value[:at] + chr((ord(value[at]) - 32 + 1) % 90 + 33) + value[at + 1 :]


def test_no_change_of_a_larger_proof_is_accepted(larger):
    assert accepted(larger)
    chance = random.Random(11)
    parsed = json.loads(larger.proof)
    paths = leaves_of(parsed)
    for number in range(counts("changes of a larger proof", 600, 10_000)):
        if number % 2:
            at = chance.randrange(len(larger.proof))
            kind = chance.randrange(3)
            byte = bytes([larger.proof[at] ^ (1 << chance.randrange(8))])
            data = larger.proof[:at] + (
                byte + larger.proof[at + 1 :] if kind == 0 else byte + larger.proof[at:] if kind == 1 else larger.proof[at + 1 :]
            )
        else:
            value = json.loads(larger.proof)
            path = paths[chance.randrange(len(paths))]
            inner = value
            for key in path[:-1]:
                inner = inner[key]
            inner[path[-1]] = changed(inner[path[-1]], chance)
            try:
                data = dumps(value, text=True)
            except Refused:
                continue
        if data != larger.proof:
            assert not accepted(replace(larger, proof=data)), (number, data[:80])


def test_parts_cannot_be_left_out_or_put_in_another_order(larger):
    chance = random.Random(12)
    for _ in range(counts("parts left out or moved", 60, 600)):
        value = json.loads(larger.proof)
        lists = (
            [(value, k) for k in ("events", "consistency")]
            + [(e, "path") for e in value["events"]]
            + [(e["event"], "sigs") for e in value["events"]]
        )
        owner, key = lists[chance.randrange(len(lists))]
        items = owner[key]
        if not items:
            continue
        at = chance.randrange(len(items))
        kind = chance.randrange(3)
        owner[key] = items[:at] + items[at + 1 :] if kind == 0 else [*items, items[at]] if kind == 1 else items[:at] + items[at:][::-1]
        data = dumps(value, text=True)
        if data != larger.proof:
            assert not accepted(replace(larger, proof=data)), (key, at, kind)
