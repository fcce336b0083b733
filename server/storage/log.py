"""The transparency log over the database: entries, tiles, roots and proofs, each from O(log n) rows.

Leaf hashes stand beside the leaves, and log_node has the hashes of whole subtrees of 256, 65,536, ... leaves; everything else is hashed
from at most 256 of them. What is served is what a checkpoint speaks of: later leaves are not published yet (docs/spec/log.md 3).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select

from drawing import merkle
from drawing.errors import Refused
from drawing.merkle import node_hash
from server.storage import tables
from server.storage.store import Store
from server.storage.tx import Row, Tx
from server.tilelog import WIDTH, Tile

HEIGHT = 8
MAX_ENTRIES = 65_536


@dataclass(frozen=True, slots=True)
class Log:
    """The log as one transaction sees it. Sizes and indexes outside it raise Refused."""

    tx: Tx

    async def size(self) -> int:
        """How many leaves there are."""
        return (await self.tx.head()).size

    async def entries(self, start: int, end: int) -> list[bytes]:
        """The leaves from `start` up to before `end`; fewer where the log is shorter, and at most MAX_ENTRIES."""
        column = tables.log_leaf.c.leaf_index
        rows = await self.tx.rows(
            select(tables.log_leaf.c.leaf).where(column >= start, column < min(end, start + MAX_ENTRIES)).order_by(column)
        )
        return [row["leaf"] for row in rows]

    async def root(self, size: int) -> bytes:
        """The root of the first `size` leaves."""
        await self._inside(size)
        return await self._range(0, size)

    async def inclusion(self, index: int, size: int) -> list[bytes]:
        """The inclusion path of a leaf in the tree of the first `size` (RFC 6962 2.1.1)."""
        await self._inside(size)
        if not 0 <= index < size:
            raise Refused("index_outside_tree", "log", index=index)
        start, end = 0, size
        path: list[bytes] = []
        while end - start > 1:
            split = start + (1 << (end - start - 1).bit_length() - 1)
            if index < split:
                path.append(await self._range(split, end))
                end = split
            else:
                path.append(await self._range(start, split))
                start = split
        return path[::-1]

    async def consistency(self, old: int, new: int) -> list[bytes]:
        """The consistency path between two sizes (RFC 6962 2.1.2); empty from size 0 and between equal sizes."""
        await self._inside(new)
        if not 0 <= old <= new:
            raise Refused("index_outside_tree", "log", index=old)
        if old in (0, new):
            return []
        start, end, whole = 0, new, True
        path: list[bytes] = []
        while end != old:
            split = start + (1 << (end - start - 1).bit_length() - 1)
            if old <= split:
                path.append(await self._range(split, end))
                end = split
            else:
                path.append(await self._range(start, split))
                start, whole = split, False
        if not whole:
            path.append(await self._range(start, end))
        return path[::-1]

    async def checkpoint(self) -> tuple[int, bytes] | None:
        """The size and the signed note of the latest checkpoint under the log's present name."""
        found = await self.newest()
        return (found["size"], found["note"]) if found else None

    async def newest(self) -> Row | None:
        """The row of the latest checkpoint under the log's present name."""
        origin = (await self.tx.head()).origin
        found = await self.tx.all("checkpoint", origin=origin, order=["-size"], limit=1)
        return found[0] if found else None

    async def cosigned(self, size: int, witnesses: Sequence[str] | None) -> bytes:
        """The checkpoint of a size with the lines of these witnesses behind it, in this order, as far as they have cosigned. None: of all."""
        origin = (await self.tx.head()).origin
        found = await self.tx.one("checkpoint", origin=origin, size=size)
        if found is None:
            raise Refused("no_such_checkpoint", "log", size=size)
        lines = {row["witness"]: row["line"] for row in await self.tx.all("witness_note", origin=origin, size=size)}
        fresh = await self.tx.all("witness_state", {"line !=": None}, origin=origin, size=size)
        lines |= {row["witness"]: row["line"] for row in fresh}  # of the same checkpoint, cosigned again since
        return b"".join(
            [found["note"], *(lines[name] for name in (sorted(lines, key=_rank) if witnesses is None else witnesses) if name in lines)]
        )

    async def file(self, path: str) -> bytes:
        """A file of C2SP tlog-tiles by its path: `checkpoint`, `tile/L/N[.p/W]`, `tile/entries/N[.p/W]`. Raises Refused for any other."""
        published = await self.checkpoint()
        if path == "checkpoint" and published is not None:
            return await self.cosigned(published[0], None)
        if published is None:
            raise Refused("no_such_tile", "log")
        tile = Tile.parse(path, published[0])
        if tile.entries:
            entries = await self.entries(tile.number * WIDTH, tile.number * WIDTH + tile.width)
            return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)
        return b"".join(await self._hashes(tile.level, tile.number * WIDTH, tile.width))

    async def _inside(self, size: int) -> None:
        if not 0 <= size <= await self.size():
            raise Refused("index_outside_tree", "log", index=size)

    async def _hashes(self, level: int, start: int, count: int) -> list[bytes]:
        """Hashes of whole subtrees of 256^level leaves, in order."""
        if level == 0:
            position, hashed = tables.log_leaf.c.leaf_index, tables.log_leaf.c.leaf_hash
            query = select(hashed.label("node_hash"))
        else:
            position = tables.log_node.c.position
            query = select(tables.log_node.c.node_hash).where(tables.log_node.c.level == level)
        rows = await self.tx.rows(query.where(position >= start, position < start + count).order_by(position))
        if len(rows) != count:
            raise Refused("log_incomplete", "log", index=start << HEIGHT * level)
        return [row["node_hash"] for row in rows]

    async def _range(self, start: int, end: int) -> bytes:
        """The hash of the leaves from `start` to before `end`, where they are a subtree of some tree: `start` is a multiple of its width."""
        parts: list[bytes] = []
        while start < end:
            height = (end - start).bit_length() - 1
            if start:
                height = min(height, (start & -start).bit_length() - 1)
            level, rest = divmod(height, HEIGHT)
            parts.append(merkle.root(await self._hashes(level, start >> HEIGHT * level, 1 << rest)))
            start += 1 << height
        if not parts:
            return merkle.EMPTY
        *lefts, hashed = parts
        for left in reversed(lefts):
            hashed = node_hash(left, hashed)
        return hashed


def _rank(witness: str) -> tuple[bool, str]:
    """Second keys behind all first ones: so a reader with both policies reads them (docs/spec/keylist.md)."""
    return witness.endswith("-mldsa"), witness


@dataclass(frozen=True, slots=True)
class PublishedLog:
    """The log of a store as everybody may read it, by the paths of C2SP tlog-tiles."""

    store: Store

    async def file(self, path: str) -> bytes:
        """Raises Refused `no_such_tile` for a path that the newest checkpoint does not speak of."""
        async with self.store.reading() as tx:
            return await Log(tx).file(path)
