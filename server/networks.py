"""Network files: one beacon network as it stands in a key list. A ceremony pins every `*.network` that lies beside its keys."""

from __future__ import annotations

from pathlib import Path

from drawing.beacon import Network, check_network, network_json, network_shape
from drawing.canonical import dumps, loads
from server.files import read_bounded


def network_bytes(network: Network) -> bytes:
    """A network file: what goes into a key list."""
    return dumps(network_json(network), text=True) + b"\n"


def read_network(path: Path) -> Network:
    """A network file. Raises Refused."""
    data = read_bounded(path, 65_535).removesuffix(b"\n")
    network = network_shape.read(loads(data, place=path.name, text=True), path.name)
    check_network(network, path.name)
    return network
