"""The log in the database is the log in files: the same tiles byte for byte, the same roots and proofs, without reading all of it."""

from __future__ import annotations

import json
import random

import pytest
from nacl.signing import SigningKey
from sqlalchemy import Column, MetaData, Table, Text
from sqlalchemy.event import listen

from drawing import map as sparse
from drawing import merkle
from drawing.canonical import loads
from drawing.errors import Refused
from drawing.note import ED25519, Checkpoint, Policy, VKey, sign_note
from drawing.proof import map_value, parse_proof
from server.storage.frontier import Frontier
from server.storage.log import Log
from server.storage.tx import row_digest
from server.tilelog import TileLog
from tests.conftest import ROOT, counts

NOW = 1_790_000_000
KEY = SigningKey(bytes(32))
VKEY = VKey("test.example/log", ED25519, bytes(KEY.verify_key))


def sign(message: bytes) -> bytes:
    return bytes(KEY.sign(message).signature)


def leaves(size: int) -> list[bytes]:
    return [json.dumps({"n": n, "stream": "s", "x": "y" * (n % 50)}, separators=(",", ":")).encode() for n in range(size)]


def test_a_frontier_has_the_root_of_the_tree_at_every_size_and_names_each_whole_subtree_once():
    hashes = [merkle.leaf_hash(str(n).encode()) for n in range(70_000)]
    whole, done = Frontier(), {}
    chance = random.Random(4)
    while whole.size < len(hashes):
        step = chance.choice((1, 1, 2, 255, 256, 257, 5_000))
        whole, nodes = whole.append(hashes[whole.size : whole.size + step])
        for node in nodes:
            assert (node.level, node.position) not in done
            done[node.level, node.position] = node.node_hash
        assert Frontier.of(whole.size, whole.data) == whole
        assert len(whole.hashes) == whole.size.bit_count()
        if whole.size < 2_000 or whole.size == len(hashes):
            assert whole.root == merkle.root(hashes[: whole.size])
    assert set(done) == {(1, n) for n in range(70_000 >> 8)} | {(2, 0)}
    assert all(done[1, n] == merkle.root(hashes[n << 8 : (n + 1) << 8]) for n in range(70_000 >> 8))
    assert done[2, 0] == merkle.root(hashes[: 1 << 16])
    for size, data in ((1, b""), (3, bytes(32)), (-1, b"")):
        with pytest.raises(ValueError):
            Frontier.of(size, data)


async def filled(store, keeper_store, size: int) -> list[bytes]:
    entries = leaves(size)
    await store.write(lambda tx: tx.begin_log("test.example/log", "system"), NOW)
    async with store.reading() as tx:
        first = await Log(tx).entries(0, 1)
    for start in range(0, size - 1, 400):
        batch = entries[start : min(start + 400, size - 1)]
        await store.write(lambda tx, s=start, b=batch: tx.append("s", s, b), NOW)
    async with store.reading() as tx:
        head = await tx.head()
    note = sign_note(Checkpoint("test.example/log", head.size, head.root).text(), VKEY, sign)
    await keeper_store.write(lambda tx: tx.checkpoint("test.example/log", head.size, head.root, note), NOW)
    return [*first, *entries[: size - 1]]


@pytest.mark.parametrize("size", [1, 256, 257, 1_100])
async def test_tiles_are_those_of_the_log_in_files_byte_for_byte(store, keeper_store, tmp_path, size):
    entries = await filled(store, keeper_store, size)
    with TileLog.create(tmp_path / "log", "test.example/log", VKEY, sign) as files:
        files.append(entries)
    paths = [path for path in (tmp_path / "log").rglob("*") if path.is_file() and path.name != "lock"]
    assert len(paths) >= 3
    async with store.reading() as tx:
        log = Log(tx)
        for path in paths:
            assert await log.file(str(path.relative_to(tmp_path / "log"))) == path.read_bytes(), path
        assert Policy(VKEY, {}).check(await log.file("checkpoint"), "checkpoint").checkpoint.size == size
        last = (size - 1) // 256
        for wrong in (
            "",
            "lock",
            "tile",
            "tile/0/000.p/0",
            "tile/0/000.p/256",
            "tile/0/000.p/01",
            "tile/0/x000/000",
            "tile/0/0",
            "tile/00/000",
            "tile/64/000",
            "tile/0/００0",
            "tile/0/000/",
            "tile/0/000\n",
            f"tile/0/{last + 1:03d}",
            f"tile/entries/{last:03d}.p/{size % 256 + 1}" if size % 256 else f"tile/entries/{last + 1:03d}.p/1",
            "tile/3/000.p/1",
            "../checkpoint",
        ):
            with pytest.raises(Refused, match="no_such_tile"):
                await log.file(wrong)


async def test_leaves_behind_the_last_checkpoint_are_not_served(store, keeper_store):
    await filled(store, keeper_store, 10)
    await store.write(lambda tx: tx.append("s", 9, leaves(12)[9:]), NOW)
    async with store.reading() as tx:
        assert await Log(tx).size() == 13
        assert len(await Log(tx).file("tile/0/000.p/10")) == 320
        with pytest.raises(Refused, match="no_such_tile"):
            await Log(tx).file("tile/0/000.p/11")


async def test_roots_and_proofs_are_those_of_the_whole_tree(store, keeper_store):
    size = 700
    hashes = [merkle.leaf_hash(entry) for entry in await filled(store, keeper_store, size)]
    chance = random.Random(7)
    async with store.reading() as tx:
        log = Log(tx)
        for _ in range(counts("proofs from the database", 60, 2_000)):
            old, new = sorted(chance.choices(range(1, size + 1), k=2))
            index = chance.randrange(new)
            root = await log.root(new)
            assert root == merkle.root(hashes[:new])
            path = await log.inclusion(index, new)
            assert path == merkle.inclusion_proof(hashes[:new], index)
            merkle.check_inclusion(hashes[index], index, new, path, root)
            path = await log.consistency(old, new)
            assert path == merkle.consistency_proof(hashes[:new], old)
            merkle.check_consistency(old, new, path, merkle.root(hashes[:old]), root)
        assert await log.root(0) == merkle.EMPTY
        assert await log.consistency(0, 5) == await log.consistency(5, 5) == []
        for wrong in (
            log.root(size + 1),
            log.root(-1),
            log.inclusion(5, 5),
            log.inclusion(-1, 5),
            log.consistency(6, 5),
            log.consistency(1, 701),
        ):
            with pytest.raises(Refused, match="index_outside_tree"):
                await wrong


async def test_appending_to_a_large_log_costs_a_few_rows(store):
    """The frontier alone: no leaf that is there is read again."""
    await store.write(lambda tx: tx.append("s", 0, leaves(1_000)), NOW)

    said: list[str] = []
    listen(store._engines.writer.sync_engine, "before_cursor_execute", lambda *told: said.append(told[2]))
    await store.write(lambda tx: tx.append("t", 0, [b'{"stream":"t"}']), NOW)
    assert len([each for each in said if each.startswith("INSERT INTO log_leaf")]) == 1
    assert len(said) <= 9
    assert not [each for each in said if "FROM log_leaf" in each]


async def test_draws_move_in_unchanged_and_the_map_has_the_root_that_the_log_says(store):
    """The golden proofs' events and map roots, as they stand in a log of files."""
    seen = set()
    for folder in sorted((ROOT / "tests" / "vectors" / "golden").iterdir()):
        proof = parse_proof((folder / "proof.json").read_bytes())
        events = [logged.event for logged in proof.events]
        stream = "draw:" + events[0].head.project.hex()
        if stream in seen:
            continue
        seen.add(stream)
        for number, event in enumerate(events):
            await store.write(lambda tx, n=number, e=event, s=stream: tx.append(s, n, [e.leaf]), NOW)
        async with store.reading() as tx:
            assert await tx.events(stream) == [event.leaf for event in events]
            heads = {row["project"]: map_value(row["attempts"], row["head"]) for row in await tx.all("map_head")}
            assert heads[events[-1].head.project] == map_value(events[-1].head.attempt, events[-1].leaf_hash)
            assert await tx.map_root() == sparse.root(heads)
        await store.write(lambda tx, p=proof: tx.leaf(p.map.leaf.leaf), NOW)
        async with store.reading() as tx:
            [last] = await Log(tx).entries(await Log(tx).size() - 1, await Log(tx).size())
            assert loads(last)["type"] == "mapped"


async def test_cosignatures_stand_behind_the_checkpoint_in_the_order_of_the_policy(store, keeper_store):
    await filled(store, keeper_store, 3)
    for name in ("w1", "w0", "other"):
        await store.write(lambda tx, n=name: tx.witnessed("test.example/log", 3, n, n.encode() + b"\n"), NOW)
    await store.write(lambda tx: tx.witnessed("test.example/log", 3, "w0", b"again\n"), NOW)
    async with store.reading() as tx:
        note = await Log(tx).cosigned(3, ())
        assert await Log(tx).file("checkpoint") == note + b"other\nw0\nw1\n"  # what is served has every line
        assert await Log(tx).cosigned(3, ("w0", "w1", "w2")) == note + b"w0\nw1\n"
        with pytest.raises(Refused, match="no_such_checkpoint"):
            await Log(tx).cosigned(2, ("w0",))


async def test_a_log_with_a_new_name_says_so_and_has_no_checkpoint_yet(store, keeper_store):
    await filled(store, keeper_store, 3)
    await store.write(lambda tx: tx.begin_log("test.example/log-2", "console", "restored"), NOW + 5)
    async with store.reading() as tx:
        [last] = await Log(tx).entries(3, 4)
        assert json.loads(last) == {
            "at": NOW + 5,
            "before": "test.example/log",
            "by": "console",
            "event": "log_begun",
            "origin": "test.example/log-2",
            "size": 3,
            "why": "restored",
        }
        assert await Log(tx).checkpoint() is None
        with pytest.raises(Refused, match="no_such_tile"):
            await Log(tx).file("tile/0/000.p/3")


def test_a_row_has_the_digest_of_the_specification():
    table = Table("example", MetaData(), *(Column(name, Text) for name in ("code", "gone", "id", "salt", "version")))
    row = {"code": "bj", "gone": None, "id": "00112233445566778899aabbccddeeff", "salt": bytes(32), "version": 1}
    assert f"\n{row_digest(table, row).hex()}\n" in (ROOT / "docs" / "spec" / "log.md").read_text("utf-8")
