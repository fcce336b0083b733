"""A whole network made by one dealer, who knows the key and can foretell every value: for demonstrations and tests alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from drawing.errors import Refused
from server.beacon.group import Group, make_group
from server.beacon.setup import Outcome
from server.beacon.shares import commitments, evaluate, public_share, scalar
from server.beacon.store import Store
from server.files import write_new
from server.keyfiles import make_key, write_key
from server.networks import network_bytes


def deal(out: Path, *, name: str, addresses: list[str], period: int, now: int, chance: Callable[[int], bytes]) -> Group:
    """One folder per node under `out`, ready to serve, and `out/network.json`, where every node is held by the operator. Raises Refused."""
    if out.exists() and any(out.iterdir()):
        raise Refused("folder_not_empty", str(out))
    keys = [make_key("node", body=f"demo {number}") for number in range(1, len(addresses) + 1)]
    members = list(zip(keys, addresses, strict=True))
    group = make_group(members, name=name, period=period, setup_at=now - 4, phase=1, genesis_time=now)
    coefficients = tuple(scalar(chance(48)) for _ in range(group.threshold))
    points = commitments(coefficients)
    shares = tuple(public_share([points], x) for x in range(1, len(keys) + 1))
    outcome = Outcome((1,), {}, frozenset(), points[0], shares, bytes(32))
    for key in keys:
        number = group.number_of(key.public)
        folder = out / f"node-{number}"
        folder.mkdir(parents=True, mode=0o700)
        write_key(key, folder / "node.key")
        write_new(folder / "group.json", group.data + b"\n")
        Store(folder).keep_share(group, number, outcome, evaluate(coefficients, number))
    held = group.network(points[0], "operator")
    write_new(out / "network.json", network_bytes(held))
    return group
