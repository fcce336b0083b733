"""C2SP signed notes, checkpoints, cosignatures, log proofs and policies, as far as a draw needs them (docs/spec/log.md).

Formats: c2sp.org/signed-note, tlog-checkpoint, tlog-cosignature (Ed25519, type 0x04; ML-DSA-44, type 0x06), tlog-proof, tlog-policy. Reading is
strict: one base64 spelling, signature lines only of keys that the policy names, the log's first and the witnesses' in the policy's order, each
once. A second policy, of ML-DSA-44 witnesses alone, judges the lines behind those of the first; no line counts for both.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from nacl import bindings as sodium
from nacl.exceptions import BadSignatureError

from drawing.errors import Refused
from drawing.mldsa import PUBLIC_BYTES, SIGNATURE_BYTES, verify_mldsa
from drawing.vrf import ORDER, PRIME

ED25519, COSIGNATURE, MLDSA_COSIGNATURE = 0x01, 0x04, 0x06
MAX_NOTE = 65_535
MAX_SECOND = 16  # witnesses of a second policy: their lines of at most 3,378 bytes and 46 of the first fit a note
MAX_MOMENT = (1 << 63) - 1
_NAME = re.compile(r"[^\s+\x00-\x20\x7f]+")
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,15}", re.ASCII)
_SIGNATURE = "— "  # em dash and space
_PROOF_HEAD = "c2sp.org/tlog-proof@v1"
Sign = Callable[[bytes], bytes]  # message -> signature: 64 bytes of Ed25519, or 2,420 of ML-DSA-44
Line = tuple[str, bytes, bytes]  # key name, key hash, signature bytes


def unbase64(text: str, place: str) -> bytes:
    """Bytes of standard base64 in its one canonical spelling. Raises Refused."""
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError, ValueError):
        raise Refused("bad_base64", place) from None
    if base64.b64encode(data).decode() != text:
        raise Refused("bad_base64", place)
    return data


def verify_ed25519(public: bytes, message: bytes, signature: bytes) -> None:
    """Raises Refused unless the signature is valid: s below q, canonical encodings, no key of small order, cofactorless."""
    if len(public) != 32 or len(signature) != 64 or int.from_bytes(signature[32:], "little") >= ORDER:
        raise Refused("bad_signature", "")
    if any(int.from_bytes(point, "little") & ((1 << 255) - 1) >= PRIME for point in (public, signature[:32])):
        raise Refused("bad_signature", "")
    try:
        sodium.crypto_sign_open(signature + message, public)
    except (BadSignatureError, ValueError):
        raise Refused("bad_signature", "") from None


_PUBLIC_BYTES = {ED25519: 32, COSIGNATURE: 32, MLDSA_COSIGNATURE: PUBLIC_BYTES}


def _is_name(text: str) -> bool:
    return bool(_NAME.fullmatch(text)) and text.isascii() and len(text) <= 128


@dataclass(frozen=True, slots=True)
class VKey:
    """A verifier key `name+hash+base64(algorithm || public)`."""

    name: str
    algorithm: int
    public: bytes

    @property
    def key_hash(self) -> bytes:
        return sha256(self.name.encode() + b"\n" + bytes([self.algorithm]) + self.public).digest()[:4]

    def __str__(self) -> str:
        return f"{self.name}+{self.key_hash.hex()}+{base64.b64encode(bytes([self.algorithm]) + self.public).decode()}"

    @classmethod
    def parse(cls, text: str, place: str = "vkey") -> VKey:
        """Raises Refused where name, hash or key is not right."""
        name, _, rest = text.partition("+")
        hashed, _, encoded = rest.partition("+")
        if not _is_name(name):
            raise Refused("bad_vkey", place)
        data = unbase64(encoded, place)
        if not data or data[0] not in _PUBLIC_BYTES or len(data) != 1 + _PUBLIC_BYTES[data[0]]:
            raise Refused("bad_vkey", place)
        key = cls(name, data[0], data[1:])
        if hashed != key.key_hash.hex():
            raise Refused("bad_vkey", place)
        return key


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log commits to: `size` leaves under `root` (32 bytes)."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"

    @classmethod
    def parse(cls, text: str, place: str) -> Checkpoint:
        """From a note's text; extension lines are refused, for nothing here would check them."""
        lines = text.split("\n")
        if len(lines) != 4 or lines[3] or not _is_name(lines[0]) or not _DECIMAL.fullmatch(lines[1]) or int(lines[1]) >= 1 << 53:
            raise Refused("bad_checkpoint", place)
        root = unbase64(lines[2], place)
        if len(root) != 32:
            raise Refused("bad_checkpoint", place)
        return cls(lines[0], int(lines[1]), root)


@dataclass(frozen=True, slots=True)
class Note:
    """A text with signature lines (key name, key hash, signature bytes)."""

    text: str
    lines: tuple[Line, ...]

    @classmethod
    def parse(cls, data: bytes, place: str) -> Note:
        """Raises Refused for anything but one text, a blank line and at least one signature line."""
        if len(data) > MAX_NOTE:
            raise Refused("too_long", place, most=MAX_NOTE)
        try:
            whole = data.decode()
        except UnicodeDecodeError:
            raise Refused("not_utf8", place, position=0) from None
        if any(ord(c) < 32 and c != "\n" for c in whole):
            raise Refused("bad_note", place)
        text, split, signatures = whole.rpartition("\n\n")
        if not split or not signatures.endswith("\n"):
            raise Refused("bad_note", place)
        lines = []
        for line in signatures[:-1].split("\n"):
            name, _, encoded = line.removeprefix(_SIGNATURE).partition(" ")
            if not line.startswith(_SIGNATURE) or not _NAME.fullmatch(name):
                raise Refused("bad_note", place)
            raw = unbase64(encoded, place)
            if len(raw) < 5:
                raise Refused("bad_note", place)
            lines.append((name, raw[:4], raw[4:]))
        if len(lines) > 100:
            raise Refused("bad_note", place)
        return cls(text + "\n", tuple(lines))


def signature_line(key: VKey, signature: bytes) -> str:
    """One signature line with its newline."""
    return f"{_SIGNATURE}{key.name} {base64.b64encode(key.key_hash + signature).decode()}\n"


def sign_note(text: str, key: VKey, sign: Sign) -> bytes:
    """A note with the signature of one Ed25519 key."""
    return (text + "\n" + signature_line(key, sign(text.encode()))).encode()


def cosigned_message(text: str, time: int) -> bytes:
    """What a witness signs (tlog-cosignature)."""
    return f"cosignature/v1\ntime {time}\n{text}".encode()


def subtree_message(cosigner: str, time: int, checkpoint: Checkpoint) -> bytes:
    """What an ML-DSA-44 witness signs (tlog-cosignature, `subtree/v1`) for a whole tree: name, time, origin, 0, size, root.

    Raises Refused where a name or the origin has no room in its one byte of length.
    """
    name, origin = cosigner.encode(), checkpoint.origin.encode()
    if not 0 < len(name) < 256 or not 0 < len(origin) < 256:
        raise Refused("bad_checkpoint", "")
    head = b"subtree/v1\n\0" + bytes([len(name)]) + name + time.to_bytes(8, "big") + bytes([len(origin)]) + origin
    return head + bytes(8) + checkpoint.size.to_bytes(8, "big") + checkpoint.root


def cosign(note: bytes, key: VKey, time: int, sign: Sign) -> bytes:
    """The note with a witness's cosignature of a time (Unix seconds) added at the end."""
    text = Note.parse(note, "note").text
    if key.algorithm == MLDSA_COSIGNATURE:
        message = subtree_message(key.name, time, Checkpoint.parse(text, "note"))
    else:
        message = cosigned_message(text, time)
    return note + signature_line(key, time.to_bytes(8, "big") + sign(message)).encode()


# Policies -------------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Checked:
    """A checkpoint whose signatures are all valid: who cosigned when, under which policy. `rest` are lines left to a second policy."""

    checkpoint: Checkpoint
    cosigned: Mapping[str, int]
    policy: Policy
    rest: tuple[Line, ...] = ()

    @property
    def quorum(self) -> bool:
        """Whether enough witnesses cosigned. With `quorum none` there is nothing to reach: never true."""
        return self.quorum_since(0)

    def quorum_since(self, time: int) -> bool:
        """Whether enough witnesses cosigned at or after a time."""
        return self.policy.reached({name for name, at in self.cosigned.items() if at >= time})

    def quorum_until(self, time: int) -> bool:
        """Whether enough witnesses cosigned at or before a time."""
        return self.policy.reached({name for name, at in self.cosigned.items() if at <= time})


@dataclass(frozen=True)
class Policy:
    """A tlog-policy: the log's key, the witnesses in order, groups, and the quorum ("none" or a name)."""

    log: VKey
    witnesses: Mapping[str, VKey]
    groups: Mapping[str, tuple[int, tuple[str, ...]]] = field(default_factory=dict)
    quorum: str = "none"

    @property
    def has_quorum(self) -> bool:
        return self.quorum != "none"

    @property
    def publics(self) -> frozenset[bytes]:
        return frozenset({self.log.public, *(key.public for key in self.witnesses.values())})

    def reached(self, names: set[str]) -> bool:
        """Whether these witnesses (policy names) make the quorum."""
        if not self.has_quorum:
            return False

        def holds(member: str) -> bool:
            if member in self.witnesses:
                return member in names
            least, members = self.groups[member]
            return sum(holds(each) for each in members) >= least

        return holds(self.quorum)

    @property
    def below_bound(self) -> bool:
        """Whether fewer than 1 + floor(2W/3) of the W witnesses that count can make the quorum (docs/spec/keylist.md 3)."""
        if not self.has_quorum:
            return False
        least, witnesses = self._size(self.quorum)
        return least < 1 + 2 * witnesses // 3

    def _size(self, name: str) -> tuple[int, int]:
        """(fewest witnesses that make this name hold, all witnesses below it). No name is in two groups, so nobody is counted twice."""
        if name in self.witnesses:
            return 1, 1
        least, members = self.groups[name]
        sizes = [self._size(each) for each in members]
        return sum(sorted(few for few, _ in sizes)[:least]), sum(all_ for _, all_ in sizes)

    def check(self, data: bytes, place: str, *, second: bool = False) -> Checked:
        """The checkpoint of a note whose every line is a valid signature of the log or of a witness. Raises Refused.

        With `second` the lines from the first one that is of none of these keys are not judged here: they are the result's `rest`.
        """
        note = Note.parse(data, place)
        checkpoint = Checkpoint.parse(note.text, place)
        wanted: list[tuple[str, VKey]] = [("", self.log), *self.witnesses.items()]
        cosigned: dict[str, int] = {}
        rest: tuple[Line, ...] = ()
        position = 0
        for number, (name, key_hash, signature) in enumerate(note.lines):
            where = next((n for n, (_, key) in enumerate(wanted) if (key.name, key.key_hash) == (name, key_hash)), None)
            if where is None and second and number:
                rest = note.lines[number:]
                break
            if where is None:
                raise Refused("line_of_unknown_key", place, key=name)
            if where < position or (number == 0) != (where == 0):
                raise Refused("lines_disordered", place, key=name)
            position = where + 1
            alias, key = wanted[where]
            if where == 0:
                _verify(key, note.text.encode(), signature, place)
            else:
                cosigned[alias] = check_cosignature(key, note.text, signature, place)
        return Checked(checkpoint, cosigned, self, rest)

    def check_rest(self, first: Checked, place: str) -> Checked:
        """The same checkpoint under this second policy: every line that the first one left is a valid cosignature. Raises Refused.

        Names, order and times are judged before any signature, so that they are also where the library is missing (`no_mldsa_library`).
        """
        order = list(self.witnesses.items())
        position = 0
        found: list[tuple[str, VKey, int, bytes]] = []
        for name, key_hash, signature in first.rest:
            where = next((n for n, (_, key) in enumerate(order) if (key.name, key.key_hash) == (name, key_hash)), None)
            if where is None:
                raise Refused("line_of_unknown_key", place, key=name)
            if where < position:
                raise Refused("lines_disordered", place, key=name)
            position = where + 1
            time = int.from_bytes(signature[:8], "big")
            if len(signature) != 8 + SIGNATURE_BYTES or not 0 < time <= MAX_MOMENT:
                raise Refused("bad_cosignature", place, key=name)
            found.append((*order[where], time, signature[8:]))
        for _, key, time, signature in found:
            try:
                verify_mldsa(key.public, subtree_message(key.name, time, first.checkpoint), signature)
            except Refused as wrong:
                raise Refused(wrong.code, place, key=key.name) from None
        return Checked(first.checkpoint, {alias: time for alias, _, time, _ in found}, self)

    def text(self) -> str:
        """The policy file, in the one form that this program writes."""
        lines = [f"log {self.log}"]
        lines += [f"witness {name} {key}" for name, key in self.witnesses.items()]
        lines += [f"group {name} {least} {' '.join(members)}" for name, (least, members) in self.groups.items()]
        return "\n".join([*lines, f"quorum {self.quorum}"]) + "\n"

    @classmethod
    def parse(cls, text: str, place: str = "policy", witness: int = COSIGNATURE) -> Policy:
        """Raises Refused for a line that is not of tlog-policy, a name twice or unknown, no or two logs or quorums, a witness's key of another
        type than `witness`.
        """
        log: VKey | None = None
        quorum = ""
        witnesses: dict[str, VKey] = {}
        groups: dict[str, tuple[int, tuple[str, ...]]] = {}
        members_of_any: set[str] = set()
        for number, line in enumerate(text.split("\n"), 1):
            where = f"{place} line {number}"
            match [word for word in line.split(" ") if word]:
                case []:
                    continue
                case [word, *_] if word.startswith("#"):
                    continue
                case ["log", key, *rest] if log is None and len(rest) <= 1:
                    log = VKey.parse(key, where)
                case ["witness", name, key, *rest] if _free(name, witnesses, groups) and len(rest) <= 1:
                    witnesses[name] = VKey.parse(key, where)
                case ["group", name, least, *members] if _free(name, witnesses, groups) and members:
                    groups[name] = (_threshold(least, members, where), tuple(members))
                    if any((each not in witnesses and each not in groups) or each == name for each in members):
                        raise Refused("bad_policy", where)
                    if len(set(members)) != len(members) or not members_of_any.isdisjoint(members):
                        raise Refused("bad_policy", where)  # one place for each name: nobody counts twice
                    members_of_any.update(members)
                case ["quorum", name] if not quorum and (name == "none" or name in witnesses or name in groups):
                    quorum = name
                case _:
                    raise Refused("bad_policy", where)
        if log is None or not quorum or log.algorithm != ED25519 or any(key.algorithm != witness for key in witnesses.values()):
            raise Refused("bad_policy", place)
        publics = [log.public, *(key.public for key in witnesses.values())]
        if len(set(publics)) != len(publics):
            raise Refused("bad_policy", place)
        return cls(log, witnesses, groups, quorum)


def _free(name: str, *taken: Mapping[str, object]) -> bool:
    return name != "none" and not any(name in each for each in taken)


def _threshold(text: str, members: Sequence[str], place: str) -> int:
    if text in ("any", "all"):
        return 1 if text == "any" else len(members)
    if not _DECIMAL.fullmatch(text) or not 1 <= int(text) <= len(members):
        raise Refused("bad_policy", place)
    return int(text)


def check_cosignature(key: VKey, text: str, signature: bytes, place: str) -> int:
    """The time of a witness's valid cosignature of a note's text, Ed25519 or ML-DSA-44 by its key. Raises Refused."""
    time = int.from_bytes(signature[:8], "big")
    if not 0 < time <= MAX_MOMENT:
        raise Refused("bad_cosignature", place, key=key.name)
    if key.algorithm == MLDSA_COSIGNATURE:
        verify_mldsa(key.public, subtree_message(key.name, time, Checkpoint.parse(text, place)), signature[8:])
    else:
        _verify(key, cosigned_message(text, time), signature[8:], place)
    return time


def _verify(key: VKey, message: bytes, signature: bytes, place: str) -> None:
    try:
        verify_ed25519(key.public, message, signature)
    except Refused:
        raise Refused("bad_signature", place, key=key.name) from None


# Proofs of inclusion as text ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LogProof:
    """A tlog-proof: a leaf's index and path, and the checkpoint they lead to."""

    index: int
    path: tuple[bytes, ...]
    checkpoint: bytes

    def text(self) -> str:
        hashes = "".join(base64.b64encode(each).decode() + "\n" for each in self.path)
        return f"{_PROOF_HEAD}\nindex {self.index}\n{hashes}\n{self.checkpoint.decode()}"

    @classmethod
    def parse(cls, text: str, place: str = "tlog-proof") -> LogProof:
        """Raises Refused for anything but head, index, at most 63 hashes, a blank line and a note."""
        head, split, note = text.partition("\n\n")
        lines = head.split("\n")
        number = lines[1].removeprefix("index ") if len(lines) > 1 else ""
        if not split or lines[0] != _PROOF_HEAD or lines[1:2] != [f"index {number}"] or not _DECIMAL.fullmatch(number) or len(lines) > 65:
            raise Refused("bad_log_proof", place)
        path = tuple(unbase64(line, place) for line in lines[2:])
        if any(len(each) != 32 for each in path):
            raise Refused("bad_log_proof", place)
        return cls(int(number), path, note.encode())
