"""What a node keeps in its folder: key, group, board, polynomial while the key is being made, and its share after.

Own statements are on disk before anybody can read them, and the polynomial before the deal that commits to it: a node that crashes and comes back
says the same again and never two things. The board is a list of lines; a torn last line was never shown to anybody and is dropped.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from drawing.beacon import Local
from drawing.canonical import dumps, loads, unhex
from drawing.errors import Refused
from drawing.model import read_object
from server.beacon.group import Group, read_group
from server.beacon.setup import MAX_MESSAGE, Board, Message, Outcome, parse_message
from server.beacon.shares import ORDER
from server.files import read_bounded, write_new, write_whole
from server.keyfiles import KeyFile, read_own_key
from server.networks import network_bytes, read_network

SHARE_VERSION = "lotroom-beacon-share/1"
MAX_BOARD = 8 << 20


@dataclass(frozen=True)
class Share:
    """What a node needs to sign: its share (0: none, it only relays) and everybody's public share."""

    number: int
    public_shares: tuple[bytes, ...]
    secret: int
    transcript: bytes


@dataclass(frozen=True)
class Store:
    """One node's folder."""

    folder: Path

    @property
    def key(self) -> KeyFile:
        """Raises Refused where the key file is missing, no node's, or readable by others."""
        return read_own_key(self.folder / "node.key", "node", "not_a_node_key")

    @property
    def group(self) -> Group:
        return read_group(self.folder / "group.json")

    # While the key is being made ------------------------------------------------------------------------------------------------------

    def polynomial(self) -> tuple[int, ...] | None:
        path = self.folder / "polynomial.json"
        if not path.exists():
            return None
        value = read_object(loads(read_bounded(path, MAX_MESSAGE), place=path.name), path.name, {"coefficients"})
        return tuple(int.from_bytes(unhex(str(each), 32, path.name), "big") for each in value["coefficients"])

    def keep_polynomial(self, coefficients: tuple[int, ...]) -> None:
        value = {"coefficients": [each.to_bytes(32, "big").hex() for each in coefficients]}
        write_new(self.folder / "polynomial.json", dumps(value), mode=0o600)

    def board(self, group: Group) -> Board:
        """What was seen in time before a restart."""
        board = Board(group)
        path = self.folder / "board.jsonl"
        lines = read_bounded(path, MAX_BOARD).split(b"\n") if path.exists() else []
        for line in lines[:-1]:  # the last one is empty, or torn by a crash
            board.add(parse_message(line, group))
        if lines and lines[-1]:
            write_whole(path, b"".join(line + b"\n" for line in lines[:-1]), mode=0o600)
        return board

    def append(self, message: Message) -> None:
        handle = os.open(self.folder / "board.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
        try:
            os.write(handle, message.data + b"\n")
            os.fsync(handle)
        finally:
            os.close(handle)

    # After ----------------------------------------------------------------------------------------------------------------------------

    def keep_share(self, group: Group, number: int, outcome: Outcome, secret: int) -> Share:
        """The share, then the network for key lists; the polynomial goes last: if we crash before, the same is written again."""
        write_whole(self.folder / "network.json", network_bytes(group.network(outcome.public_key)))
        value = {
            "number": number,
            "public_shares": [each.hex() for each in outcome.public_shares],
            "secret": secret.to_bytes(32, "big").hex(),
            "transcript": outcome.transcript.hex(),
            "v": SHARE_VERSION,
        }
        write_whole(self.folder / "share.json", dumps(value), mode=0o600)
        (self.folder / "polynomial.json").unlink(missing_ok=True)
        return Share(number, outcome.public_shares, secret, outcome.transcript)

    def share(self) -> Share | None:
        path = self.folder / "share.json"
        if not path.exists():
            return None
        names = {"number", "public_shares", "secret", "transcript", "v"}
        value = read_object(loads(read_bounded(path, MAX_MESSAGE), place=path.name), path.name, names)
        if value["v"] != SHARE_VERSION or not isinstance(value["public_shares"], list) or type(value["number"]) is not int:
            raise Refused("unknown_version", path.name, known=SHARE_VERSION)
        secret = int.from_bytes(unhex(str(value["secret"]), 32, path.name), "big")
        if secret >= ORDER:
            raise Refused("bad_share", path.name)
        shares = tuple(unhex(str(each), 96, path.name) for each in value["public_shares"])
        return Share(value["number"], shares, secret, unhex(str(value["transcript"]), 32, path.name))

    def network(self, group: Group) -> Local:
        """The finished network. Raises Refused where it is another group's: addresses may change after the set-up, nothing else."""
        network = read_network(self.folder / "network.json")
        if not isinstance(network, Local) or network.genesis_seed != group.seed:
            raise Refused("other_group", "network.json")
        return network
