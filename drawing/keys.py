"""The key list: who may sign what, which log and witnesses count, and how one version follows another (docs/spec/keylist.md).

A verifier gets one version from elsewhere and follows only successors signed by a majority of the predecessor's supervisors. The version
named in a commit rules the whole attempt. A key with `held: operator` was on the machine that ran the draw: it protects against nobody
who ran it, and every report says so first. A second policy, of ML-DSA-44 witnesses, is there or not; lists without it keep their bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Annotated

from drawing.beacon import Local, Network, chain_hash, check_network, network_shape
from drawing.canonical import dumps, loads, pae
from drawing.errors import Refused
from drawing.events import Signature
from drawing.model import Shape, choice, digest, hexes, many, nested, optional, read_object, shape_of, unicode_text, whole
from drawing.note import MAX_SECOND, MLDSA_COSIGNATURE, Policy, VKey, verify_ed25519

FILE_VERSION = "lotroom-keys/1"
LIST_TYPE = "application/vnd.lotroom.keylist.v1+json"
MAX_FILE = 4 << 20
ROLES = ("operator", "staff", "supervisor", "contributor", "gateway", "monitor", "authority")


def _optional(length: int) -> Shape[bytes]:
    """Exactly `length` bytes as hex, or "" for none."""
    inner = hexes(length)
    return Shape(lambda value, place: b"" if value == "" else inner.read(value, place), bytes.hex)


@dataclass(frozen=True, slots=True)
class Entry:
    """One key holder. `vkey` signs; `vrf` contributes (another key, since nonces are derived alike); `box` opens sealed files."""

    body: Annotated[str, unicode_text(200)]
    box: Annotated[bytes, _optional(32)]
    held: Annotated[str, choice("operator", "body")]
    role: Annotated[str, choice(*ROLES)]
    vkey: Annotated[str, unicode_text(300)]
    vrf: Annotated[bytes, _optional(32)]


@dataclass(frozen=True)
class KeyList:
    """One version. Built by `parse_keys`, which has checked every key in it."""

    version: Annotated[int, whole(1, 1_000_000)]
    entries: Annotated[tuple[Entry, ...], many(nested(Entry), 1, 1000)]
    networks: Annotated[tuple[Network, ...], many(network_shape, 0, 10)]
    policy: Annotated[str, unicode_text(100_000)]
    previous: Annotated[bytes, digest]
    sigs: Annotated[tuple[Signature, ...], many(nested(Signature), 0, 1000)]
    second_policy: Annotated[str | None, optional(unicode_text(100_000))] = None

    @cached_property
    def digest(self) -> bytes:
        return sha256(dumps(shape_of(KeyList).write(self), text=True)).digest()

    @cached_property
    def payload(self) -> bytes:
        """What a signature of the predecessor's supervisors covers."""
        value = shape_of(KeyList).write(self)
        del value["sigs"]
        return pae(LIST_TYPE, dumps(value, text=True))

    @cached_property
    def by_name(self) -> Mapping[str, Entry]:
        return {VKey.parse(entry.vkey).name: entry for entry in self.entries}

    @cached_property
    def publics(self) -> Mapping[str, bytes]:
        return {key.name: key.public for key in (VKey.parse(entry.vkey) for entry in self.entries)}

    @cached_property
    def log_policy(self) -> Policy:
        return Policy.parse(self.policy)

    @cached_property
    def second(self) -> Policy | None:
        """The policy of the second quorum, where the list has one."""
        return None if self.second_policy is None else Policy.parse(self.second_policy, "second_policy", MLDSA_COSIGNATURE)

    @property
    def below_bound(self) -> bool:
        """Whether a quorum of the list, the first or the second, is small enough for two histories (keys-8)."""
        return self.log_policy.below_bound or (self.second is not None and self.second.below_bound)

    @cached_property
    def by_chain(self) -> Mapping[bytes, Network]:
        """The pinned beacon networks by chain hash."""
        return {chain_hash(network): network for network in self.networks}

    def named(self, role: str) -> tuple[str, ...]:
        """The names of all keys of a role, sorted."""
        return tuple(sorted(name for name, entry in self.by_name.items() if entry.role == role))

    def all_held_by_operator(self) -> bool:
        return all(entry.held == "operator" for entry in self.entries)

    def signer_fault(self, payload: bytes, signature: Signature) -> str:
        """Why a signature does not count ("" where it does)."""
        public = self.publics.get(signature.key)
        if public is None:
            return "unknown_key"
        try:
            verify_ed25519(public, payload, signature.sig)
        except Refused:
            return "bad_signature"
        return ""


@dataclass(frozen=True, slots=True)
class KeyChain:
    """The trusted version and its successors, oldest first."""

    lists: tuple[KeyList, ...]

    @property
    def newest(self) -> KeyList:
        return self.lists[-1]

    def find(self, version: int, list_digest: bytes) -> KeyList | None:
        return next((each for each in self.lists if each.version == version and each.digest == list_digest), None)


def keys_bytes(lists: Iterable[KeyList]) -> bytes:
    """The bytes of a key-list file."""
    return dumps({"lists": [shape_of(KeyList).write(each) for each in lists], "v": FILE_VERSION}, text=True)


def parse_keys(data: bytes) -> KeyChain:
    """A key-list file. Raises Refused for anything that is not canonical, complete and rightly signed (keylist.md)."""
    value = read_object(loads(data, place="keys", max_bytes=MAX_FILE, text=True), "keys", {"lists", "v"})
    if value["v"] != FILE_VERSION:
        raise Refused("unknown_version", "keys.v", known=FILE_VERSION)
    lists = many(nested(KeyList), 1, 1000).read(value["lists"], "keys.lists")
    for number, each in enumerate(lists):
        place = f"keys.lists[{number}]"
        _check_entries(each, place)
        if number:
            _check_successor(lists[number - 1], each, place)
        elif each.sigs or each.previous != bytes(32):
            raise Refused("first_list_has_predecessor", place)
    return KeyChain(lists)


def _check_entries(each: KeyList, place: str) -> None:
    seen: set[bytes] = set()
    names: set[str] = set()
    for number, entry in enumerate(each.entries):
        where = f"{place}.entries[{number}]"
        key = VKey.parse(entry.vkey)
        if key.algorithm != 1:
            raise Refused("not_ed25519", where)
        if key.name in names or key.public in seen or (entry.vrf and entry.vrf in seen | {key.public}):
            raise Refused("key_twice", where, key=key.name)  # one key, one role: also vrf apart from signing key, its holder's own too
        names.add(key.name)
        seen.update({key.public, entry.vrf} - {b""})
        if (entry.role == "contributor") != bool(entry.vrf):
            raise Refused("vrf_for_contributors", where, key=key.name)
    if list(each.by_name) != sorted(each.by_name):
        raise Refused("not_sorted", f"{place}.entries")
    _check_networks(each, place, seen)
    policy = each.log_policy  # parsed now, so that a bad policy is refused here
    if policy.publics & seen:
        raise Refused("key_twice", f"{place}.policy", key="")
    if each.second is not None:
        _check_second(each.second, policy, f"{place}.second_policy")


def _check_second(second: Policy, policy: Policy, place: str) -> None:
    """The same log, a quorum, one key for each witness, and no more lines than fit a note."""
    names = {key.name for key in second.witnesses.values()}
    if second.log != policy.log or not second.has_quorum or len(names) != len(second.witnesses) or len(names) > MAX_SECOND:
        raise Refused("bad_second_policy", place, most=MAX_SECOND)


def _check_networks(each: KeyList, place: str, seen: set[bytes]) -> None:
    """Networks are whole in themselves, sorted by name, each name once; a node's key has one place as every key has."""
    names = [network.name for network in each.networks]
    if names != sorted(set(names)):
        raise Refused("not_sorted", f"{place}.networks")
    for number, network in enumerate(each.networks):
        where = f"{place}.networks[{number}]"
        check_network(network, where)
        keys = {node.key for node in network.nodes} if isinstance(network, Local) else set()
        if keys & seen:
            raise Refused("key_twice", where, key="")
        seen |= keys


def _check_successor(before: KeyList, after: KeyList, place: str) -> None:
    if after.version != before.version + 1 or after.previous != before.digest:
        raise Refused("not_the_successor", place)
    supervisors = set(before.named("supervisor"))
    signers = [each.key for each in after.sigs]
    if signers != sorted(set(signers)) or not set(signers) <= supervisors:
        raise Refused("wrong_signers", f"{place}.sigs")
    for number, each in enumerate(after.sigs):
        if before.signer_fault(after.payload, each):
            raise Refused("bad_signature", f"{place}.sigs[{number}]", key=each.key)
    if 2 * len(signers) <= len(supervisors):
        raise Refused("no_majority", f"{place}.sigs", got=len(signers), of=len(supervisors))
