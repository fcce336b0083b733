"""The folder of a ceremony: what it remembers, its keys and its key list. Written before the first event, never changed after."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path

from drawing.canonical import dumps, loads, unhex
from drawing.errors import Refused
from drawing.keys import KeyChain, keys_bytes, parse_keys
from drawing.model import flag, read_object, whole
from server.files import read_bounded, write_new, write_whole
from server.keyfiles import KeyFile, key_paths, make_key, make_key_list, read_folder, read_key, write_key
from server.networks import read_network

STATE_VERSION = "lotroom-ceremony/1"


@dataclass(frozen=True)
class State:
    """What the folder remembers of its ceremony: written before the first event, never changed."""

    started_at: int
    secret: bytes
    library: bytes
    request: bytes
    dry_run: bool

    def to_bytes(self) -> bytes:
        value = {"dry_run": self.dry_run, "library": self.library.hex(), "request": self.request.hex(), "secret": self.secret.hex()}
        return dumps({**value, "started_at": self.started_at, "v": STATE_VERSION})

    @classmethod
    def parse(cls, data: bytes) -> State:
        names = {"dry_run", "library", "request", "secret", "started_at", "v"}
        value = read_object(loads(data, place="ceremony.json"), "ceremony.json", names)
        if value["v"] != STATE_VERSION:
            raise Refused("unknown_version", "ceremony.json", known=STATE_VERSION)
        parts = [unhex(str(value[name]), 32, f"ceremony.json {name}") for name in ("secret", "library", "request")]
        started = whole(0, 1 << 42).read(value["started_at"], "ceremony.json started_at")
        return cls(started, parts[0], parts[1], parts[2], flag.read(value["dry_run"], "ceremony.json dry_run"))


def open_state(folder: Path, library: bytes, request: bytes, dry_run: bool, now: int) -> State:
    """The folder's ceremony: begun now, or the interrupted one. Raises Refused where library, request or mode are not those it began with."""
    path = folder / "ceremony.json"
    if not path.exists():
        if folder.exists() and any(each.name not in ("keys", "ceremony.json.new") for each in folder.iterdir()):
            raise Refused("folder_not_empty", str(folder))
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(path, State(now, secrets.token_bytes(32), library, request, dry_run).to_bytes(), mode=0o600)
    state = State.parse(read_bounded(path, 65_535))
    if state.library != library:
        raise Refused("other_library", str(folder))
    if state.request != request:
        raise Refused("other_request", str(folder))
    if state.dry_run != dry_run:
        raise Refused("other_mode", str(folder))
    return state


# Keys -----------------------------------------------------------------------------------------------------------------------------------


BODIES = {
    "operator": ("公共资源交易中心",),
    "staff": ("公共资源交易中心",),
    "supervisor": ("行政监督部门", "纪检监察机构"),
    "contributor": ("公证处", "另一公共资源交易中心"),
}


@dataclass(frozen=True)
class Keys:
    """All keys of a ceremony: the log's, and the key list's with what secrets are here."""

    folder: Path
    log: KeyFile
    files: tuple[KeyFile, ...]
    witnesses: tuple[KeyFile, ...] = ()  # public parts

    def of(self, role: str) -> list[KeyFile]:
        return [key for key in self.files if key.role == role]

    def one(self, role: str) -> KeyFile:
        return self.of(role)[0]

    def named(self, name: str) -> KeyFile | None:
        return next((key for key in self.files if key.name == name), None)

    def path_of(self, key: KeyFile) -> Path:
        return next(path for path in key_paths(self.folder) if read_key(path).name == key.name)


def open_keys(folder: Path, log_folder: Path) -> Keys:
    """The keys in the folder, and fresh ones (0600, held by the operator) for every role that is missing there.

    A log is signed by one key for ever: `<log>.keys` remembers beside a shared log in which folder its keys lie.
    """
    pointer = log_folder.with_name(log_folder.name + ".keys")
    if pointer.exists() and not key_paths(folder):
        folder = Path(read_bounded(pointer, 4096).decode().strip())
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    have = read_folder(folder)
    for role, bodies in {"log": ("",), **BODIES}.items():
        missing = len(bodies) - sum(key.role == role for key in have)
        for body in bodies[len(bodies) - missing :] if missing > 0 else ():
            number = sum(key.role == role for key in have) + 1
            key = make_key(role, body=body and f"{body}（由操作方代持）")
            write_key(key, folder / f"{role}-{number}.key")
            have.append(key)
    if not pointer.exists():
        pointer.parent.mkdir(parents=True, exist_ok=True)
        write_new(pointer, str(folder.resolve()).encode() + b"\n", mode=0o600)
    log = next(key for key in have if key.role == "log")
    if not log.here:
        raise Refused("log_key_missing", str(folder))
    witnesses = tuple(key for key in have if key.role == "witness")
    for key in witnesses:
        if key.here:  # a witness whose key the operator has witnesses nothing
            raise Refused("witness_secret_here", key.name)
    return Keys(folder, log, _outsiders_first([key for key in have if key.role not in ("log", "node", "witness")]), witnesses)


def _outsiders_first(keys: list[KeyFile]) -> tuple[KeyFile, ...]:
    """Keys of other bodies than the operator's before the others. Raises Refused, before anything is begun, where check A5 could only fail."""
    own = {key.body for key in keys if key.role == "operator"}
    for role, code in (("supervisor", "supervisor_of_operators_body"), ("contributor", "contributors_of_operators_body")):
        if all(key.body in own for key in keys if key.role == role):
            raise Refused(code, "keys")
    return tuple(sorted(keys, key=lambda key: key.body in own))


def open_key_list(path: Path, keys: Keys) -> KeyChain:
    """The key list of the folder, written once. Raises Refused where keys of the folder are not in it."""
    if not path.exists():
        networks = [read_network(each) for each in sorted(keys.folder.glob("*.network"))]
        write_whole(path, keys_bytes([make_key_list(keys.files, keys.log.vkey, networks, keys.witnesses)]))
    chain = parse_keys(read_bounded(path, 4 << 20))
    publics = chain.newest.publics
    for key in keys.files:
        if publics.get(key.name) != key.public:
            raise Refused("key_not_in_list", path.name, key=key.name)
    return chain
