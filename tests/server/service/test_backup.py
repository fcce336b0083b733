"""Backups made while the service writes, restored on an empty machine; what is refused, and that a backup tells nobody a name."""

import asyncio
import random
import shutil

import asyncpg
import pytest

from drawing.merkle import check_inclusion, leaf_hash
from server.backup import _HEADER
from server.keeper.verbs import Field
from server.places import places_of
from server.storage.log import Log
from tests.conftest import counts
from tests.server.service.canaries import CANARIES, hits_in
from tests.server.service.machine import Service, running, writes


@pytest.fixture(scope="module")
def proof(tmp_path_factory):
    """A draw's proof and its keys, as the public page offers them."""
    folder = tmp_path_factory.mktemp("draw")
    code, _, err = Service(folder / "none").command("demo", "--no-serve", "--out", str(folder / "demo"))
    assert code == 0, err
    return folder / "demo" / "draw"


def key_file(folder, name="key", seed=1):
    path = folder / name
    path.write_bytes(random.Random(seed).randbytes(48))
    return path


def fill(service, proof):
    """Names with the keeper, a proof on the public page."""
    fields = [Field("name", "name", f"p{n}", "person", text.encode()) for n, text in enumerate(CANARIES)]
    service.keeper(lambda keeper: keeper.seal_fields("person:c1:canaries", fields))
    public = places_of(service.settings).public
    for name in ("proof", "keys"):
        shutil.copy(proof / f"{name}.json", public / f"{name}.json")


def back_up(service, folder, key):
    """`lotroom backup` by the database's owner; the file and what is said of its log."""
    code, out, err = service.command("backup", str(folder), "--key-file", str(key), "--lang", "en", database=service.owner)
    assert code == 0, err
    (path,) = [each for each in folder.iterdir() if each.suffix == ".backup" and str(each) in out]
    return path, int(out.split(": ")[1].split()[0]), out.split()[-1]


def restore(service, path, *key):
    return service.command("restore", str(path), *map(str, key), "--lang", "en", database=service.owner)


def state(service):
    """All that `lotroom check --json` says."""
    return {name: value for name, value in service.checked().items() if name != "skipped"}


def test_a_backup_made_while_it_writes_comes_back_elsewhere_whole(tmp_path, base, another_base, proof):
    key = key_file(tmp_path)
    with running(tmp_path / "d", base) as service:
        fill(service, proof)
        with writes(service, 4) as load:
            service.until(lambda: len(load.done) > 20, 20)
            acknowledged = set(load.done)
            path, size, root = back_up(service, tmp_path / "backups", key)
            before = len(load.done)
            service.until(lambda: len(load.done) > before, 20)  # nobody was kept waiting for good
        service.stop()
        after = service.checked()
        assert after["size"] > size and service.look(lambda tx: Log(tx).root(size)) == bytes.fromhex(root)
    assert path.stat().st_mode & 0o077 == 0
    assert [each.name for each in path.parent.iterdir()] == [path.name]  # nothing half made lies beside it
    assert not hits_in(path.parent)
    there = Service(tmp_path / "e", another_base)
    there.log_key = service.log_key
    code, out, err = restore(there, path, "--key-file", key)
    assert code == 0 and out.split()[-9:] and root in out, err
    report = there.checked()
    assert (report["size"], report["root"]) == (size, root)

    async def sites(tx):
        return {row["name"] for row in await tx.all("site", limit=100_000)}

    assert acknowledged <= there.look(sites)
    there.start()
    try:
        there.until(there.ready, 30)  # the keeper opens its rows in the restored database and signs on
        assert there.log_key == service.log_key
        assert there.get("/write/after-the-restore")[0] == 200
        # every proof there is: of each leaf in the tree that the backup named, and of the draw on the public page
        public = places_of(there.settings).public
        said = [
            there.command("verify", str(folder / "proof.json"), "--keys", str(folder / "keys.json"), "--roll", str(proof / "roll.bin"))
            for folder in (public, proof)
        ]
        assert said[0] == said[1] and said[0][0] == 3 and "所做检查均通过" in said[0][1]  # 3: what needs openings is not checked
        assert there.get("/proofs/proof.json")[0] == 200
        leaves = there.look(lambda tx: all_proofs(tx, size, bytes.fromhex(root)))
        assert leaves == size
    finally:
        there.end()
    there.checked()
    print(f"backup of {size} leaves while {len(load.done)} actions were written; {leaves} inclusion proofs and a draw's proof verify")


async def all_proofs(tx, size, root):
    log = Log(tx)
    entries = []
    while len(entries) < size:
        entries += await log.entries(len(entries), min(size, len(entries) + 256))
    step = max(1, size // 500)  # each of a small log
    for index in range(0, size, step):
        check_inclusion(leaf_hash(entries[index]), index, size, await log.inclusion(index, size), root)
    return size


def test_the_drill_a_quiet_service_is_the_same_before_and_after(tmp_path, base, another_base, proof):
    """The restore drill: the same tables, row by row, and the same names for those entitled."""
    passphrase = tmp_path / "words"
    passphrase.write_text("lucky carp over nine bridges\n")
    with running(tmp_path / "d", base) as service:
        fill(service, proof)
        for n in range(5):
            assert service.get(f"/write/quiet-{n}")[0] == 200
        service.stop()
    before = state(service)
    code, _, err = service.command(
        "backup", str(tmp_path / "b"), "--passphrase-file", str(passphrase), "--lang", "en", database=service.owner
    )
    assert code == 0, err
    (path,) = (tmp_path / "b").iterdir()
    there = Service(tmp_path / "e", another_base)
    there.log_key = service.log_key
    assert restore(there, path, "--passphrase-file", passphrase)[0] == 0
    assert state(there) == before
    rows = [service.look(everything), there.look(everything)]
    assert rows[0] == rows[1] and rows[0]["annex"]
    if base is not None:
        assert asyncio.run(triggers(base)) == asyncio.run(triggers(another_base))
    print(
        f"restored equal: {before['size']} leaves, {before['rows']} rows compared by check, {sum(map(len, rows[0].values()))} rows one by one"
    )
    code, _, err = restore(there, path, "--passphrase-file", passphrase)
    assert code in (1, 2) and "already" in err  # never over what is there


async def everything(tx):
    from server.storage import tables

    return {
        table.name: sorted(repr(sorted(row.items())) for row in await tx.all(table.name, limit=1_000_000))
        for table in tables.metadata.sorted_tables
    }


async def triggers(database):
    connection = await asyncpg.connect(database.plain)
    rows = await connection.fetch("SELECT tgrelid::regclass::text, tgname, tgenabled FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1, 2")
    await connection.close()
    return [tuple(row) for row in rows]


def spoilt(data, chance):
    """The file as an accident, a thief or a bad disk leaves it."""
    line = data.index(b"\n")
    yield "empty", b""
    yield "only the line", data[: line + 1]
    yield "no frame", data[: line + 1 + _HEADER]
    yield "the last frame missing", data[:-22]
    yield "more behind it", data + b"\0"
    yield "a line of another file", data[:line].replace(b'"size": ', b'"size": 1') + data[line:]
    yield "not ours", b'{"v": "other/1"}\n' + data[line + 1 :]
    for _ in range(counts("cut backups, each database", 3, 60)):
        yield "cut", data[: chance.randrange(len(data))]
    for _ in range(counts("backups with a flipped bit, each database", 5, 200)):
        at = chance.choice([chance.randrange(line), chance.randrange(line, min(len(data), line + 200)), chance.randrange(len(data))])
        yield "flipped", data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :]


def test_what_is_not_the_whole_backup_under_its_key_is_refused_and_nothing_is_written(tmp_path, base, another_base):
    from drawing.errors import Refused
    from server import backup

    key, other = key_file(tmp_path), key_file(tmp_path, "other", 2)
    with running(tmp_path / "d", base) as service:
        assert service.get("/write/one")[0] == 200
        path, _, _ = back_up(service, tmp_path / "b", key)
    there = Service(tmp_path / "e", another_base)
    short, words = tmp_path / "short", tmp_path / "words"
    short.write_bytes(bytes(31))
    words.write_text("another passphrase\n")
    for given, told in (
        (("--key-file", other), ("口令或密钥不对", "passphrase or key is wrong")),
        (("--passphrase-file", words), ("口令或密钥不对", "passphrase or key is wrong")),
        (("--key-file", short), ("口令或密钥文件", "a passphrase or a key file")),
        ((), ("口令或密钥文件", "a passphrase or a key file")),
        (("--key-file", tmp_path / "none"), ("none", "none")),
    ):
        for lang, text in zip(("zh", "en"), told, strict=True):
            code, _, err = there.command("restore", str(path), *map(str, given), "--lang", lang, database=there.owner)
            assert code in (1, 2) and text in err and "Traceback" not in err, (given, err)
    secret, chance, tried = b"key:" + key.read_bytes(), random.Random(11), 0
    victim = tmp_path / "victim"
    for name, data in spoilt(path.read_bytes(), chance):
        victim.write_bytes(data)
        with pytest.raises(Refused) as refused:
            asyncio.run(backup.restore(there.owners, victim, secret))
        assert refused.value.code in ("backup_refused", "backup_of_another_kind", "tables_of_another_version"), (name, refused.value.code)
        tried += 1
    assert not there.folder.exists()
    assert there.database is None or there.look(lambda tx: tx.head()).size == 0 == there.look(lambda tx: tx.count("annex"))
    for wrong in (tmp_path / "nothing", tmp_path):
        code, _, err = restore(there, wrong, "--key-file", key)
        assert code in (1, 2) and "Traceback" not in err
    print(f"{tried} spoilt backups refused, nothing written")
    assert restore(there, path, "--key-file", key)[0] == 0


def test_a_backup_needs_the_owner_of_the_tables_and_says_so(tmp_path, base, another_base):
    if base is None:
        pytest.skip("SQLite has no roles")
    key = key_file(tmp_path)
    with running(tmp_path / "d", base) as service:
        for lang, told in (("zh", "属主"), ("en", "owner")):
            code, _, err = service.command("backup", str(tmp_path / "b"), "--key-file", str(key), "--lang", lang)
            assert code in (1, 2) and told in err and "Traceback" not in err, err
        assert not list((tmp_path / "b").iterdir())
        path, _, _ = back_up(service, tmp_path / "b", key)
    there = Service(tmp_path / "e", another_base)
    code, _, err = there.command("restore", str(path), "--key-file", str(key), "--lang", "en")  # as the web
    assert code in (1, 2) and "owner" in err and "Traceback" not in err, err
    assert not there.folder.exists()
    sqlite = Service(tmp_path / "f")
    code, _, err = sqlite.command("restore", str(path), "--key-file", str(key), "--lang", "en")
    assert code in (1, 2) and "postgresql" in err
    code, _, err = restore(service, path, "--key-file", str(key))
    assert code in (1, 2) and "already" in err
    over = Service(tmp_path / "g", base)  # an empty folder over a database that is not
    code, _, err = restore(over, path, "--key-file", str(key))
    assert code in (1, 2) and "not empty" in err and not over.folder.exists()


def test_a_disk_that_fills_during_a_restore_leaves_nothing_half_done(tmp_path, base, another_base):
    import resource
    import subprocess
    import sys

    key = key_file(tmp_path)
    with running(tmp_path / "d", base) as service:
        for n in range(40):
            assert service.get(f"/write/many-{n}")[0] == 200
        (places_of(service.settings).public / "large.json").write_bytes(bytes(3_000_000))
        path, size, _ = back_up(service, tmp_path / "b", key)
    there = Service(tmp_path / "e", another_base)
    env = there.environment() | {"LOTROOM_DATABASE": there.owner, "LOTROOM_LANG": "en"}
    done = subprocess.run(
        [sys.executable, "-m", "server", "restore", str(path), "--key-file", str(key)],
        env=env, capture_output=True, text=True, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000)),
    )  # fmt: skip
    assert done.returncode in (1, 2) and "Traceback" not in done.stderr and "large" in done.stderr, done.stderr
    assert restore(there, path, "--key-file", key)[0] == 0  # the same again, with room, needs no cleaning
    there.log_key = service.log_key
    assert there.checked()["size"] == size
