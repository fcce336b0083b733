"""Witness processes for tests, logs to show them, and a clock that tests can set (real processes, real files, real sockets)."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from nacl.signing import SigningKey

from drawing import merkle
from drawing.note import ED25519, Checkpoint, VKey, sign_note
from server.witness.rules import request_bytes
from server.witness.store import WitnessStore

ORIGIN = "test.example/log"

# The command line with a clock that is as far ahead as a file says, and with a place to die at.
RUN = """
import os, sys, time
from pathlib import Path
from server.__main__ import cli
from server.commands import shared
from server.witness import node, store

def clock():
    path = os.environ.get("TEST_CLOCK", "")
    return time.time() + (float(Path(path).read_text() or 0) if path and Path(path).exists() else 0)

die = os.environ.get("TEST_DIE", "")
if die:
    keep, cosign = store.WitnessStore.keep, node.cosign
    def dying_keep(self, origin, note):
        if die == "before" and b"\\n7\\n" in note: os.kill(os.getpid(), 9)
        keep(self, origin, note)
        if die == "after" and b"\\n7\\n" in note: os.kill(os.getpid(), 9)
    store.WitnessStore.keep = dying_keep

shared.clock = clock
cli(prog_name="lotroom")
"""


@dataclass
class GrowingLog:
    """A log in memory that can also show another history."""

    key: SigningKey = field(default_factory=lambda: SigningKey(bytes([7]) * 32))
    leaves: list[bytes] = field(default_factory=list)
    origin: str = ORIGIN

    @property
    def vkey(self) -> VKey:
        return VKey(self.origin, ED25519, bytes(self.key.verify_key))

    def sign(self, message: bytes) -> bytes:
        return bytes(self.key.sign(message).signature)

    def grow(self, size: int, salt: str = "") -> GrowingLog:
        self.leaves += [merkle.leaf_hash(f"{salt}{n}".encode()) for n in range(len(self.leaves), size)]
        return self

    def note(self, size: int | None = None) -> bytes:
        size = len(self.leaves) if size is None else size
        return sign_note(Checkpoint(self.origin, size, merkle.root(self.leaves[:size])).text(), self.vkey, self.sign)

    def proof(self, old: int, new: int) -> list[bytes]:
        return merkle.consistency_proof(self.leaves[:new], old)

    def request(self, old: int, new: int) -> bytes:
        return request_bytes(old, self.proof(old, new) if old <= new else [], self.note(new))


@dataclass
class Process:
    """One running `lotroom witness`."""

    folder: Path
    url: str
    process: subprocess.Popen[str]

    def post(self, body: bytes, path: str = "/add-checkpoint") -> tuple[int, bytes, str]:
        request = urllib.request.Request(self.url + path, data=body, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.read(), answer.headers["Content-Type"]
        except urllib.error.HTTPError as wrong:
            with wrong:
                return wrong.code, wrong.read(), wrong.headers["Content-Type"]

    def show(self) -> dict[str, object]:
        with urllib.request.urlopen(self.url + "/", timeout=10) as answer:
            value: dict[str, object] = json.loads(answer.read())
            return value

    @property
    def store(self) -> WitnessStore:
        return WitnessStore(self.folder)

    def stop(self, how: int = signal.SIGTERM) -> None:
        if self.process.poll() is None:
            self.process.send_signal(how)
        self.process.wait(10)
        if self.process.stdout is not None:
            self.process.stdout.close()


def begin(folder: Path, *words: str, env: dict[str, str] | None = None, port: int = 0) -> Process:
    """`lotroom witness WORDS --listen 127.0.0.1:PORT`, once it listens."""
    command = [sys.executable, "-c", RUN, "witness", *words, "--listen", f"127.0.0.1:{port}", "--lang", "en"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **(env or {})})
    assert process.stdout is not None
    line = process.stdout.readline()
    if "http://" not in line:
        process.stdout.close()
        raise AssertionError((line, process.wait(10)))
    url = "http://" + line.partition("http://")[2].split()[0]
    return Process(folder, url.rstrip("/"), process)


@contextmanager
def witness(folder: Path, *logs: tuple[str, VKey], second: bool = False, env: dict[str, str] | None = None) -> Iterator[Process]:
    """A witness of these logs; its folder is made where there is none."""
    if not (folder / "witness.key").exists():
        store = WitnessStore.create(folder, f"{folder.name}.example/w", folder.name, second=second)
        for origin, key in logs:
            store.trust(origin, key)
    running = begin(folder, "serve", str(folder), env=env)
    try:
        yield running
    finally:
        running.stop()
