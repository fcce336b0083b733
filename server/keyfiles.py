"""Key files: one holder's secrets in one file (0600), and the public part that goes into a key list.

A folder of key files plays all roles of a ceremony on one machine. A role whose secret is there is marked `held: operator` in the key
list; a `.pub` file alone means that its holder keeps the secret elsewhere and sends what is asked of it.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from nacl import bindings as sodium
from nacl.public import PrivateKey
from nacl.signing import SigningKey

from drawing import vrf
from drawing.beacon import Network
from drawing.canonical import dumps, loads, unhex
from drawing.errors import Refused
from drawing.keys import ROLES, Entry, KeyList
from drawing.model import read_object
from drawing.note import COSIGNATURE, ED25519, Policy, VKey
from server.files import read_bounded, write_new, write_whole

SECRET, PUBLIC = "lotroom-key/1", "lotroom-public-key/1"
MOST_BYTES = 65_535
ALL_ROLES = (*ROLES, "log", "node", "witness")
_FIELDS = {"body", "box", "name", "role", "sign", "v", "vrf"}


@dataclass(frozen=True)
class KeyFile:
    """One holder's key. `sign`, `vrf`, `box` are secret (32 bytes each) or b"" where the holder has none or keeps it elsewhere."""

    name: str
    role: str
    body: str
    public: bytes
    vrf_public: bytes
    box_public: bytes
    sign_secret: bytes = b""
    vrf_secret: bytes = b""
    box_secret: bytes = b""

    @property
    def vkey(self) -> VKey:
        return VKey(self.name, COSIGNATURE if self.role == "witness" else ED25519, self.public)

    @property
    def here(self) -> bool:
        """Whether the secret is in this file."""
        return bool(self.sign_secret)

    def sign(self, message: bytes) -> bytes:
        """Ed25519 signature, 64 bytes. Raises Refused where the secret is elsewhere."""
        if not self.here:
            raise Refused("secret_elsewhere", self.name)
        return bytes(SigningKey(self.sign_secret).sign(message).signature)

    def entry(self) -> Entry:
        """The key list's line."""
        return Entry(self.body, self.box_public, "operator" if self.here else "body", self.role, str(self.vkey), self.vrf_public)

    def secret_bytes(self) -> bytes:
        value = {"body": self.body, "box": self.box_secret.hex(), "name": self.name, "role": self.role, "sign": self.sign_secret.hex()}
        return dumps({**value, "v": SECRET, "vrf": self.vrf_secret.hex()}, text=True) + b"\n"

    def public_bytes(self) -> bytes:
        value = {"body": self.body, "box": self.box_public.hex(), "name": self.name, "role": self.role, "sign": self.public.hex()}
        return dumps({**value, "v": PUBLIC, "vrf": self.vrf_public.hex()}, text=True) + b"\n"


def from_secrets(name: str, role: str, body: str, sign: bytes, vrf_secret: bytes, box: bytes) -> KeyFile:
    """A key from its secrets."""
    return KeyFile(
        name=name,
        role=role,
        body=body,
        public=bytes(SigningKey(sign).verify_key),
        vrf_public=vrf.public_key(vrf_secret) if vrf_secret else b"",
        box_public=bytes(PrivateKey(box).public_key) if box else b"",
        sign_secret=sign,
        vrf_secret=vrf_secret,
        box_secret=box,
    )


def make_key(role: str, name: str = "", body: str = "") -> KeyFile:
    """A fresh key. Contributors get an ECVRF key, supervisors and beacon nodes a box key; the default name carries a few digits of the key."""
    if role not in ALL_ROLES:
        raise Refused("unknown_role", role, roles=", ".join(ALL_ROLES))
    sign = secrets.token_bytes(32)
    short = sha256(bytes(SigningKey(sign).verify_key)).hexdigest()[:8]
    vrf_secret = secrets.token_bytes(32) if role == "contributor" else b""
    box = secrets.token_bytes(sodium.crypto_box_SECRETKEYBYTES) if role in ("supervisor", "node") else b""
    if name and not re.fullmatch(r"[!-*,-~]{1,128}", name, re.ASCII):
        raise Refused("bad_key_name", name[:40])
    return from_secrets(name or f"lotroom.local/{role}-{short}", role, body or f"{role}-{short}", sign, vrf_secret, box)


def read_key(path: Path) -> KeyFile:
    """A key file, secret or public. Raises Refused with its name."""
    return parse_key(read_bounded(path, MOST_BYTES), path.name)


def parse_key(data: bytes, place: str) -> KeyFile:
    """What a key file holds. Raises Refused with the place."""
    value = read_object(loads(data.removesuffix(b"\n"), place=place, max_bytes=MOST_BYTES, text=True), place, _FIELDS)
    texts = {key: value[key] for key in _FIELDS}
    if not all(isinstance(each, str) for each in texts.values()) or texts["v"] not in (SECRET, PUBLIC) or texts["role"] not in ALL_ROLES:
        raise Refused("not_a_key_file", place)
    sign, vrf_part, box = (unhex(texts[key], 32, place) if texts[key] else b"" for key in ("sign", "vrf", "box"))
    if not sign or (texts["role"] == "contributor") != bool(vrf_part):
        raise Refused("not_a_key_file", place)
    if texts["v"] == SECRET:
        return from_secrets(texts["name"], texts["role"], texts["body"], sign, vrf_part, box)
    return KeyFile(texts["name"], texts["role"], texts["body"], sign, vrf_part, box)


def read_own_key(path: Path, role: str, otherwise: str) -> KeyFile:
    """The secret key of a process of this role. Raises Refused where it is missing, readable by others, or, with this code, none of that role."""
    key = read_key(path)
    if key.role != role or not key.here:
        raise Refused(otherwise, path.name)
    check_private(path)
    return key


def check_private(path: Path) -> None:
    """Raises Refused where others can read a secret file."""
    if path.stat().st_mode & 0o077:
        raise Refused("key_readable_by_others", path.name)


def write_key(key: KeyFile, path: Path) -> None:
    """The secret file (0600) and beside it the public one. Raises Refused where a file is there already."""
    write_new(path, key.secret_bytes(), mode=0o600)
    write_new(path.with_name(path.name + ".pub"), key.public_bytes(), mode=0o644)


def key_paths(folder: Path) -> list[Path]:
    """The key files of a folder, whatever they are called: secret ones, and `.pub` files whose secret is not there."""
    files = (
        {path.name: path for path in sorted(folder.iterdir()) if path.is_file() and not path.name.startswith(".")}
        if folder.is_dir()
        else {}
    )
    keys = {name: path for name, path in files.items() if not name.endswith((".count", ".network", ".new"))}
    return [path for name, path in keys.items() if not (name.endswith(".pub") and name.removesuffix(".pub") in keys)]


def read_folder(folder: Path) -> list[KeyFile]:
    """All keys of a folder. Raises Refused for a file that is no key, and for a name that is there twice."""
    found = {path.name: read_key(path) for path in key_paths(folder)}
    names = [key.name for key in found.values()]
    if len(set(names)) != len(names):
        raise Refused("key_twice", str(folder.name), key=max(names, key=names.count))
    return list(found.values())


def make_key_list(keys: Iterable[KeyFile], log: VKey, networks: Iterable[Network] = (), witnesses: Iterable[KeyFile] = ()) -> KeyList:
    """The first version of a key list over these keys, beacon networks and witnesses, of W of whom 1 + floor(2W/3) make the quorum."""
    entries = tuple(key.entry() for key in sorted(keys, key=lambda key: key.name) if key.role in ROLES)
    named = {f"w{n}": key.vkey for n, key in enumerate(sorted(witnesses, key=lambda key: key.name), 1)}
    groups = {"most": (1 + 2 * len(named) // 3, tuple(named))} if named else {}
    policy = Policy(log, named, groups, "most" if named else "none")
    return KeyList(
        version=1,
        entries=entries,
        networks=tuple(sorted(networks, key=lambda each: each.name)),
        policy=policy.text(),
        previous=bytes(32),
        sigs=(),
    )


def count_contribution(path: Path, project: bytes, leaf: bytes) -> int:
    """Which commit of this project it is that the contributor answers now; the same commit keeps its number.

    The count lies beside the key (`.count`), written before the contribution leaves: if we crash after writing, the number is taken
    again for the same commit; a commit that was counted and never shown is what the number is for.
    """
    side = path.with_name(path.name + ".count")
    lines = side.read_text("ascii").splitlines() if side.exists() else []
    mine = [line.split()[1] for line in lines if line.split()[:1] == [project.hex()] and len(line.split()) == 2]
    if leaf.hex() in mine:
        return mine.index(leaf.hex()) + 1
    write_whole(side, "".join(f"{line}\n" for line in (*lines, f"{project.hex()} {leaf.hex()}")).encode(), mode=0o600)
    return len(mine) + 1
