"""What a witness keeps in its folder: its key, the logs that it watches, and of each log the last checkpoint that it cosigned.

    witness.key     Ed25519, 0600;  witness-mldsa.key  a seed of 32 bytes, where there is a second key
    logs            lines "origin vkey"; an origin may have several keys
    seen/<digest>   the note, as the log signed it: written whole, fsynced and renamed before a cosignature leaves
    lock            held by the one process that answers

A witness is worth its memory. Whoever puts an older copy of `seen` back makes it forget, and it cosigns a second history: do not restore it
from a backup; make a new key instead.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from drawing.errors import Refused
from drawing.note import ED25519, MAX_NOTE, MLDSA_COSIGNATURE, Checkpoint, Note, Sign, VKey
from server.files import read_bounded, sync_folder, write_new, write_whole
from server.keyfiles import KeyFile, check_private, make_key, read_own_key, write_key
from server.witness.rules import NOTHING, Answered, Seen, Submission, check_signer

MAX_LOGS_FILE = 1 << 20


@dataclass(frozen=True)
class SecondKey:
    """An ML-DSA-44 key from its seed of 32 bytes (FIPS 204)."""

    name: str
    seed: bytes

    @property
    def vkey(self) -> VKey:
        return VKey(self.name, MLDSA_COSIGNATURE, _mldsa(self.seed).public_key().public_bytes_raw())

    def sign(self, message: bytes) -> bytes:
        """2,420 bytes; another signature each time."""
        signature: bytes = _mldsa(self.seed).sign(message)
        return signature


def _mldsa(seed: bytes) -> Any:
    """The private key. The library may be missing: it is imported where a key is used and nowhere else."""
    try:
        from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey
    except ImportError:
        raise Refused("no_mldsa_library", "") from None
    return MLDSA44PrivateKey.from_seed_bytes(seed)


@dataclass(frozen=True)
class WitnessStore:
    """One witness's folder."""

    folder: Path

    @classmethod
    def create(cls, folder: Path, name: str, body: str, *, second: bool) -> WitnessStore:
        """A new witness with fresh keys. Raises Refused where there is one already."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if second:
            _mldsa(bytes(32))  # refused before anything is written, where the library is missing
        write_key(make_key("witness", name, body), folder / "witness.key")
        if second:
            write_new(folder / "witness-mldsa.key", secrets.token_bytes(32).hex().encode() + b"\n", mode=0o600)
        (folder / "seen").mkdir(mode=0o700)
        sync_folder(folder)
        return cls(folder)

    @property
    def key(self) -> KeyFile:
        """Raises Refused where the key file is missing, no witness's, or readable by others."""
        return read_own_key(self.folder / "witness.key", "witness", "not_a_witness_key")

    @property
    def second(self) -> SecondKey | None:
        path = self.folder / "witness-mldsa.key"
        if not path.exists():
            return None
        check_private(path)
        try:
            seed = bytes.fromhex(read_bounded(path, 100).decode("ascii").strip())
        except ValueError:
            raise Refused("not_a_witness_key", path.name) from None
        if len(seed) != 32:
            raise Refused("not_a_witness_key", path.name)
        return SecondKey(self.key.name, seed)

    def signers(self) -> tuple[tuple[VKey, Sign], ...]:
        """The keys that cosign, Ed25519 first."""
        first, second = self.key, self.second
        both: list[tuple[VKey, Sign]] = [(first.vkey, first.sign)]
        if second is not None:
            both.append((second.vkey, second.sign))
        return tuple(both)

    # Logs -----------------------------------------------------------------------------------------------------------------------------------

    def logs(self) -> dict[str, tuple[VKey, ...]]:
        """Origin -> keys. Raises Refused for a line that is none."""
        path = self.folder / "logs"
        found: dict[str, tuple[VKey, ...]] = {}
        if not path.exists():
            return found
        try:
            lines = read_bounded(path, MAX_LOGS_FILE).decode("ascii").split("\n")
        except UnicodeDecodeError:
            raise Refused("bad_logs_file", path.name, line=0) from None
        for number, line in enumerate(lines, 1):
            if not line or line.startswith("#"):
                continue
            origin, space, text = line.partition(" ")
            if not space or not origin:
                raise Refused("bad_logs_file", path.name, line=number)
            key = VKey.parse(text, f"logs line {number}")
            if key.algorithm != ED25519:
                raise Refused("not_ed25519", f"logs line {number}")
            found[origin] = (*found.get(origin, ()), key)
        return found

    def trust(self, origin: str, key: VKey) -> None:
        """Watch a log from now on. Raises Refused for a name that no checkpoint can have."""
        Checkpoint.parse(Checkpoint(origin, 0, bytes(32)).text(), "origin")
        if key.algorithm != ED25519:
            raise Refused("not_ed25519", "vkey")
        known = self.logs()
        if key in known.get(origin, ()):
            return
        lines = [f"{name} {each}" for name, keys in known.items() for each in keys] + [f"{origin} {key}"]
        write_whole(self.folder / "logs", ("\n".join(lines) + "\n").encode())

    # Memory -----------------------------------------------------------------------------------------------------------------------------------

    def _path(self, origin: str) -> Path:
        return self.folder / "seen" / sha256(origin.encode()).hexdigest()

    def seen(self, origin: str, keys: tuple[VKey, ...]) -> Seen:
        """The last checkpoint of a log. Raises Refused where the file is not what a log signed: the witness must not answer then."""
        path = self._path(origin)
        if not path.exists():
            return NOTHING
        note = Note.parse(read_bounded(path, MAX_NOTE), "seen")
        checkpoint = Checkpoint.parse(note.text, "seen")
        try:
            check_signer(Submission(0, (), note, checkpoint), {origin: keys})
        except Answered:
            raise Refused("witness_memory_altered", path.name, origin=origin) from None
        return Seen(checkpoint.size, checkpoint.root)

    def keep(self, origin: str, note: bytes) -> None:
        """Remember a checkpoint. Durable when this returns: if we crash before, nothing was cosigned; after, the log asks again and gets it."""
        write_whole(self._path(origin), note, mode=0o600)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One process answers for a witness. The kernel gives the lock back however the process ends."""
        handle = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise Refused("witness_runs", str(self.folder)) from None
            yield
        finally:
            os.close(handle)
