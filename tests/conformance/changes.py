"""Changes to JSON values: somewhere in a value, one thing becomes another. No rule of a draw is known here."""

from __future__ import annotations

import json
import random
from typing import Any

WORDS = {
    "state": ("accepted", "left"), "evidence": ("gateway", "link", "two_persons"), "scope": ("openings", "roll"), "regime": ("ZTB", "ZFCG"),
    "method": ("uniform/1", "fair/1"), "sampler": tuple(f"{name}/{version}" for name in ("cells-reject", "picks-reject", "cells-dp") for version in (1, 2)),
    "reason": ("incomplete", "cancelled", "order"),
    "kind": ("direct_choice", "representative", "none", "local", "drand"), "held": ("body", "operator"),
    "role": ("operator", "staff", "supervisor", "contributor", "gateway", "monitor", "authority"),
}  # fmt: skip
ANYTHING: tuple[Any, ...] = (0, -1, 1, 2**53 - 1, True, False, "", "0", "x", "00" * 32, [], {}, [[]], [0], {"a": 1}, "9" * 40)
Path = tuple[Any, ...]


def copy(value: Any) -> Any:
    return json.loads(json.dumps(value))


def places(value: Any, path: Path = ()) -> list[Path]:
    """The paths of everything inside a value."""
    found = [path] if path else []
    if isinstance(value, dict):
        found += [p for key in sorted(value) for p in places(value[key], (*path, key))]
    elif isinstance(value, list):
        found += [p for n, each in enumerate(value) for p in places(each, (*path, n))]
    return found


def at(value: Any, path: Path) -> Any:
    for key in path:
        value = value[key]
    return value


def put(value: Any, path: Path, new: Any) -> Any:
    """The value with something else at a path."""
    value = copy(value)
    at(value, path[:-1])[path[-1]] = new
    return value


def scalars(value: Any) -> list[Path]:
    return [path for path in places(value) if not isinstance(at(value, path), dict | list)]


def nudged(old: Any, name: Any, chance: random.Random) -> Any:
    """Another value of the same kind."""
    if isinstance(old, bool):
        return not old
    if isinstance(old, int):
        return max(0, old + chance.choice((-1, 1, 1, 2, 60, -60, 1000)))
    if isinstance(old, str):
        if name in WORDS:
            return chance.choice([word for word in WORDS[name] if word != old])
        if old.isdecimal():
            return str(int(old) + chance.choice((1, 10)))
        if old and len(old) % 2 == 0 and set(old) <= set("0123456789abcdef"):
            where = chance.randrange(len(old))
            return old[:where] + chance.choice([c for c in "0123456789abcdef" if c != old[where]]) + old[where + 1 :]
        if not old:
            return "x"
        where = chance.randrange(len(old))
        return old[:where] + chance.choice("aA0b") + old[where + 1 :]
    return old


def list_changed(items: list[Any], chance: random.Random) -> list[Any]:
    """One item left out, doubled, moved, or all turned round."""
    where = chance.randrange(len(items)) if items else 0
    kind = chance.randrange(5)
    if kind == 0 or not items:
        return items[:where] + items[where + 1 :]
    if kind == 1:
        return [*items[: where + 1], *items[where:]]
    if kind == 2:
        return items[::-1]
    if kind == 3:
        return [*items[where:], *items[:where]]
    return [*items, items[where]]


def changed(value: Any, chance: random.Random, *, lists: float = 0.25) -> Any:
    """One change that keeps kinds: a scalar becomes another, or a list another list of the same items."""
    for _ in range(200):
        if chance.random() < lists:
            found = [path for path in places(value) if isinstance(at(value, path), list) and at(value, path)]
            if not found:
                continue
            path = chance.choice(found)
            new = list_changed(at(value, path), chance)
        else:
            path = chance.choice(scalars(value))
            new = nudged(at(value, path), path[-1], chance)
        if new != at(value, path):
            return put(value, path, new)
    raise AssertionError("nothing to change")


def retyped(value: Any, chance: random.Random) -> Any:
    """One value of another kind of JSON."""
    path = chance.choice(places(value))
    old = at(value, path)
    others = [each for each in ANYTHING if type(each) is not type(old)]
    return put(value, path, chance.choice(others))


def restructured(value: Any, chance: random.Random) -> Any:
    """A field left out, added or renamed in some object."""
    inside = [path for path in places(value) if isinstance(at(value, path), dict)]
    path = chance.choice([(), *inside])
    value = copy(value)
    owner = at(value, path)
    kind = chance.randrange(3)
    name = chance.choice(sorted(owner)) if owner else ""
    if kind == 0 and owner:
        del owner[name]
    elif kind == 1 or not owner:
        owner[chance.choice(("x", "_", "0", "lots2", "zzz"))] = chance.choice(ANYTHING)
    else:
        owner[name + "_"] = owner.pop(name)
    return value
