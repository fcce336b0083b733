"""The keeper's own keys, and the checkpoints that it signs: those that extend the last one.

The keeper keeps the size, the root and the frontier of the last tree it signed (the roots of the full subtrees, largest first). It reads the
new leaves itself and computes the new root from the frontier on: what it signs extends what it signed, whatever anybody claims. Once in the
life of a process it computes the old root from the leaves too, so that a log that was cut or edited behind its back is refused by name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Protocol

from nacl.signing import SigningKey

from drawing import merkle
from drawing.errors import Refused
from drawing.model import digest, many, whole
from drawing.note import ED25519, Checkpoint, VKey, sign_note
from server.keeper.core import Core, log_name
from server.keeper.keys import Secret
from server.keeper.store import Change
from server.keeper.vault import Vault
from server.keeper.verbs import SignCheckpoint, Signed
from server.storage.frontier import Frontier

_PAGE = 500
LOG, OPERATOR, STAFF = "log", "operator", "staff"


class Signer(Protocol):
    """A key that signs without showing itself: a seed here, a module of its own (PKCS#11, SM2) elsewhere."""

    @property
    def vkey(self) -> VKey:
        """The public part, with its name."""

    def sign(self, message: bytes) -> bytes:
        """A signature of the key's algorithm."""


class SeedSigner:
    """Ed25519 from a seed that the vault keeps as the data key of `sign:<role>`."""

    __slots__ = ("_seed", "vkey")

    def __init__(self, name: str, seed: Secret) -> None:
        self._seed = seed
        self.vkey = VKey(name, ED25519, bytes(SigningKey(seed.raw).verify_key))

    def __repr__(self) -> str:
        return f"SeedSigner({self.vkey.name})"

    def sign(self, message: bytes) -> bytes:
        return bytes(SigningKey(self._seed.raw).sign(message).signature)


async def signer(core: Core, role: str) -> Signer:
    """The log's key is named by the log's origin, the operator's and the staff's below it."""
    name = core.settings.log_origin + ("" if role == LOG else f"/{role}")
    return SeedSigner(name, (await core.vault.make_data_key(f"sign:{role}")).key)


# Checkpoints ----------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Tree:
    """The last tree that was signed."""

    frontier: Annotated[tuple[bytes, ...], many(digest, 0, 53)]
    root: Annotated[bytes, digest]
    size: Annotated[int, whole(0, (1 << 53) - 1)]

    @property
    def grown(self) -> Frontier:
        return Frontier(self.size, self.frontier)


NO_TREE = Tree((), merkle.EMPTY, 0)


async def last_tree(vault: Vault) -> tuple[Tree, int]:
    kept = await vault.state(Tree, "log", NO_TREE)
    if kept.value.grown.root != kept.value.root:
        raise Refused("sealed_value_altered", "keeper_state/log")
    return kept.value, kept.version


async def sign_checkpoint(core: Core, ask: SignCheckpoint) -> Signed:
    """Raises Refused: checkpoint_shrinks, log_too_short, checkpoint_does_not_extend, log_rolled_back, log_altered.

    Where a witness has seen more than this log, the store refuses the checkpoint (storage.frozen), and nobody gets to see it.
    """
    async with core.signing:
        vault = core.vault
        tree, version = await last_tree(vault)
        if tree.size < core.last_signed:
            raise Refused("log_rolled_back", "keeper_state/log", size=tree.size, signed=core.last_signed)
        if ask.size < tree.size:
            raise Refused("checkpoint_shrinks", "size", size=ask.size, signed=tree.size)
        if not core.last_signed and tree.size:
            again = await _grow_from_store(vault, Frontier(), tree.size)
            if again.root != tree.root:
                raise Refused("log_altered", "log", index=tree.size)
        frontier = await _grow_from_store(vault, tree.grown, ask.size)
        if frontier.root != ask.root:
            raise Refused("checkpoint_does_not_extend", "root", size=ask.size, signed=tree.size)
        key = await signer(core, LOG)
        origin = (await log_name(core)).value.origin
        note = sign_note(Checkpoint(origin, ask.size, ask.root).text(), key.vkey, key.sign)
        changes = [vault.put_state("log", Tree(frontier.hashes, ask.root, ask.size), version)]
        changes.append(Change("checkpoint", (f"{ask.size:016d}",), note))
        # If we crash before this returns, the note was never seen; after it, nothing shorter or other is signed again.
        await vault.write(changes)
        core.last_signed = ask.size
        return Signed(note.decode())


async def _grow_from_store(vault: Vault, frontier: Frontier, end: int) -> Frontier:
    while frontier.size < end:
        leaves = await vault.store.leaves(frontier.size, min(end, frontier.size + _PAGE))  # the loop breathes with every page
        if not leaves:
            raise Refused("log_too_short", "log", size=frontier.size, wanted=end)
        frontier, _ = frontier.append([merkle.leaf_hash(each) for each in leaves])
    return frontier
