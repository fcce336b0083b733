"""The log as files: what was acknowledged is there, what was altered is refused, and Go's own reader accepts it."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest
from nacl.signing import SigningKey

from drawing import merkle
from drawing.errors import Refused
from drawing.note import ED25519, Policy, VKey
from server.tilelog import TileLog, tile_name
from tests.conftest import counts

KEY = SigningKey(bytes(32))
VKEY = VKey("test.example/log", ED25519, bytes(KEY.verify_key))
POLICY = Policy(VKEY, {})


def sign(message: bytes) -> bytes:
    return bytes(KEY.sign(message).signature)


def filled(path: Path, size: int, batch: int = 50) -> list[bytes]:
    entries = [f"entry {n} ".encode() + sha256(bytes([n % 256])).hexdigest().encode()[: n % 40] for n in range(size)]
    with TileLog.create(path, "test.example/log", VKEY, sign) as log:
        for n in range(0, size, batch):
            assert log.append(entries[n : n + batch]) == n
    return entries


def test_names_of_tiles_are_those_of_the_c2sp_example():
    assert tile_name(1234067) == "x001/x234/067"
    assert tile_name(0) == "000"
    assert tile_name(1000) == "x001/000"


def test_a_log_of_70000_has_the_tiles_of_the_c2sp_example(tmp_path):
    from server.tilelog import _tiles

    widths = [width for _, width in _tiles(70_000, "tile/0")]
    assert (len(widths) - 1, widths[-1]) == (273, 112)
    assert [width for _, width in _tiles(273, "tile/1")] == [256, 17]
    assert [width for _, width in _tiles(1, "tile/2")] == [1]


@pytest.mark.parametrize("size", [1, 2, 255, 256, 257, 600])
def test_what_was_appended_is_read_back_and_proved(tmp_path, size):
    entries = filled(tmp_path / "log", size)
    with TileLog.open(tmp_path / "log", POLICY, sign) as log:
        assert log.entries() == entries
        log.check()
        for index in {0, size // 2, size - 1}:
            merkle.check_inclusion(log.leaf_hash(index), index, size, log.inclusion(index, size), log.root)
        for old in {1, size // 2 or 1, size}:
            earlier = POLICY.check(log.checkpoint(old), "").checkpoint
            merkle.check_consistency(old, size, log.consistency(old, size), earlier.root, log.root)
    with TileLog.open(tmp_path / "log", POLICY) as log, pytest.raises(Refused):
        log.append([b"x"])


def test_go_s_own_reader_accepts_the_log(tmp_path):
    go = shutil.which("go")
    assert go, "golang-go and golang-golang-x-mod-dev are system packages of the tests: run make test"
    source = Path(__file__).parents[1] / "go" / "readlog.go"
    binary = tmp_path / "readlog"
    env = {**os.environ, "GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOCACHE": str(tmp_path / "cache"), "GOFLAGS": ""}
    subprocess.run([go, "build", "-o", str(binary), str(source)], check=True, env=env, cwd=tmp_path)
    for size in (1, 13, 256, 700):
        folder = tmp_path / f"log{size}"
        entries = filled(folder, size, 7)
        done = subprocess.run([str(binary), str(folder), str(VKEY)], input=b"\n".join(entries), capture_output=True, check=False)
        assert done.stdout.decode().strip() == f"accepted {size}"
    shutil.copytree(tmp_path / "log700", tmp_path / "bad")
    tile = tmp_path / "bad" / "tile/0/000"
    tile.write_bytes(bytes(32) + tile.read_bytes()[32:])
    done = subprocess.run([str(binary), str(tmp_path / "bad"), str(VKEY)], input=b"\n".join(entries), capture_output=True, check=False)
    assert done.returncode == 1


def published(folder: Path, size: int) -> list[Path]:
    """The files that the checkpoint speaks of."""
    from server.tilelog import _tiles

    names = [name for name, _ in _tiles(size, "tile/entries")]
    level, width = 0, size
    while width:
        names += [name for name, _ in _tiles(width, f"tile/{level}")]
        width //= 256
        level += 1
    return [folder / "checkpoint", *(folder / name for name in names)]


def test_every_altered_byte_is_refused(tmp_path):  # spec: log-8
    folder = tmp_path / "log"
    filled(folder, 5, 5)
    step = counts("log: one byte in", 5, 1)
    for path in published(folder, 5):
        good = path.read_bytes()
        for n in range(0, len(good), step):
            path.write_bytes(good[:n] + bytes([good[n] ^ 1]) + good[n + 1 :])
            with pytest.raises(Refused):
                TileLog.open(folder, POLICY)
        for bad in (good[:-1], good + b"x", b""):
            path.write_bytes(bad)
            with pytest.raises(Refused):
                TileLog.open(folder, POLICY)
        path.unlink()
        with pytest.raises(Refused):
            TileLog.open(folder, POLICY)
        path.symlink_to(tmp_path)
        with pytest.raises(Refused):
            TileLog.open(folder, POLICY)
        path.unlink()
        path.write_bytes(good)
    TileLog.open(folder, POLICY)


def test_one_writer_at_a_time_and_the_second_is_told_who(tmp_path):  # spec: log-7
    filled(tmp_path / "log", 3)
    with TileLog.open(tmp_path / "log", POLICY, sign), pytest.raises(Refused) as refused:
        TileLog.open(tmp_path / "log", POLICY, sign)
    assert refused.value.params["pid"] == str(os.getpid())
    with TileLog.open(tmp_path / "log", POLICY, sign) as log:
        log.append([b"again"])


def test_entries_of_wrong_size_and_another_key_are_refused(tmp_path):
    filled(tmp_path / "log", 3)
    with TileLog.open(tmp_path / "log", POLICY, sign) as log:
        for bad in ([], [b""], [b"x" * 65_536]):
            with pytest.raises(Refused):
                log.append(bad)
        assert log.size == 3
    other = Policy(VKey("test.example/log", ED25519, bytes(SigningKey(b"1" * 32).verify_key)), {})
    with pytest.raises(Refused):
        TileLog.open(tmp_path / "log", other)
    with pytest.raises(Refused):
        TileLog.create(tmp_path / "log", "x", VKEY, sign)


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_disk_that_refuses_leaves_the_old_log(tmp_path, monkeypatch, call):
    filled(tmp_path / "log", 300)
    with TileLog.open(tmp_path / "log", POLICY, sign) as log:
        for k in range(1, 12):
            seen = [0]
            real = getattr(os, call)

            def broken(*args, real=real, seen=seen, k=k):  # type: ignore[no-untyped-def]
                seen[0] += 1
                if seen[0] == k:
                    raise OSError(28, "No space left on device")
                return real(*args)

            monkeypatch.setattr(os, call, broken)
            size = log.size
            try:
                log.append([f"try {k}".encode()] * 3)
            except Refused as refused:
                assert refused.code == "cannot_write"
                monkeypatch.setattr(os, call, real)
                with TileLog.open(tmp_path / "log", POLICY) as reread:
                    assert reread.size in (size, size + 3)
            monkeypatch.setattr(os, call, real)
            if TileLog.open(tmp_path / "log", POLICY).size != log.size:
                break  # the rename was done and only the folder's fsync failed: the process must begin again
        TileLog.open(tmp_path / "log", POLICY)


WRITER = """
import os, sys
from pathlib import Path
from tests.server.test_tilelog import POLICY, sign
from server.tilelog import TileLog
with TileLog.open(Path(sys.argv[1]), POLICY, sign) as log:
    n = log.size
    while True:
        log.append([f"batch {n} part {k}".encode() for k in range(3)])
        n += 3
        os.write(1, f"{n}\\n".encode())
"""


def test_a_killed_writer_lost_nothing_that_it_acknowledged(tmp_path):  # spec: log-9
    chance = random.Random(8)
    folder = tmp_path / "log"
    filled(folder, 1)
    for _ in range(counts("log writer killed", 6, 100)):
        child = subprocess.Popen([sys.executable, "-c", WRITER, str(folder)], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2])
        assert child.stdout
        for _ in range(chance.randrange(1, 60)):
            child.stdout.readline()
        child.kill()
        rest = child.stdout.read().split(b"\n")
        child.wait()
        child.stdout.close()
        acknowledged = max([int(line) for line in rest if line.isdigit()], default=0)
        with TileLog.open(folder, POLICY) as log:
            assert log.size >= acknowledged
            assert (log.size - 1) % 3 == 0
