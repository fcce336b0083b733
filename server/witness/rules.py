"""What a witness answers (C2SP tlog-witness), without HTTP, files or a clock: the last checkpoint that it cosigned decides.

    request   line `old SIZE`, up to 63 lines of a consistency proof in base64, an empty line, the checkpoint
    answer    200 cosignature lines; 400 malformed; 403 no trusted signature; 404 unknown origin;
              409 another old size, or another root at the same size: the known size in the body; 422 the proof does not hold

Extension lines of a checkpoint are refused: nothing here would check them, and a cosignature covers them.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from drawing import merkle
from drawing.errors import Refused
from drawing.note import ED25519, MAX_NOTE, Checkpoint, Note, VKey, unbase64, verify_ed25519

MAX_PROOF = 63
MAX_REQUEST = len("old \n") + 16 + 45 * MAX_PROOF + 1 + MAX_NOTE
SIZE_TYPE = "text/x.tlog.size"
_OLD = re.compile(r"old (0|[1-9][0-9]{0,15})", re.ASCII)


class Answered(Exception):
    """A request that is not cosigned: the HTTP status, a code for people, and the known size where the status is 409."""

    def __init__(self, status: int, code: str, size: int | None = None) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.size = size


@dataclass(frozen=True, slots=True)
class Submission:
    """A parsed request: the size that the log thinks we know, the proof from there, and the note with its checkpoint."""

    old: int
    proof: tuple[bytes, ...]
    note: Note
    checkpoint: Checkpoint


@dataclass(frozen=True, slots=True)
class Seen:
    """The latest checkpoint of a log that was cosigned: its note's text and the log's own line. `NOTHING` before the first."""

    size: int
    root: bytes


NOTHING = Seen(0, merkle.EMPTY)
Trusted = Mapping[str, Collection[VKey]]  # origin -> keys, any one of which signs for it


def request_bytes(old: int, proof: Sequence[bytes], note: bytes) -> bytes:
    """A request's body. Its inverse is `parse_request`."""
    lines = "".join(base64.b64encode(each).decode() + "\n" for each in proof)
    return f"old {old}\n{lines}\n".encode() + note


def parse_request(body: bytes) -> Submission:
    """Raises Answered 400 for anything but the one form."""
    head, split, note_bytes = body.partition(b"\n\n")
    try:
        lines = head.decode("ascii").split("\n")
    except UnicodeDecodeError:
        raise Answered(400, "malformed") from None
    old = _OLD.fullmatch(lines[0])
    if not split or old is None or len(lines) - 1 > MAX_PROOF:
        raise Answered(400, "malformed")
    try:
        proof = tuple(unbase64(line, "proof") for line in lines[1:])
        note = Note.parse(note_bytes, "checkpoint")
        checkpoint = Checkpoint.parse(note.text, "checkpoint")
    except Refused as wrong:
        raise Answered(400, wrong.code) from None
    if any(len(each) != 32 for each in proof):
        raise Answered(400, "malformed")
    return Submission(int(old[1]), proof, note, checkpoint)


def check_signer(submission: Submission, trusted: Trusted) -> bytes:
    """The checkpoint with the one line of the log that we go by; lines of other keys are passed over. Raises Answered 404 or 403."""
    keys = trusted.get(submission.checkpoint.origin)
    if not keys:
        raise Answered(404, "unknown_log")
    good = [line for line in submission.note.lines if any(_signed(submission.note.text, line, key) for key in keys)]
    if not good:
        raise Answered(403, "untrusted_signer")
    name, key_hash, signature = good[0]
    line = f"— {name} {base64.b64encode(key_hash + signature).decode()}\n"
    return f"{submission.note.text}\n{line}".encode()


def _signed(text: str, line: tuple[str, bytes, bytes], key: VKey) -> bool:
    name, key_hash, signature = line
    if key.algorithm != ED25519 or (name, key_hash) != (key.name, key.key_hash):
        return False
    try:
        verify_ed25519(key.public, text.encode(), signature)
    except Refused:
        return False
    return True


def judge(submission: Submission, seen: Seen) -> Seen:
    """What is seen from now on, where the checkpoint extends what was seen. Raises Answered 400, 409 or 422. The signer was checked before."""
    new = submission.checkpoint
    if submission.old > new.size:
        raise Answered(400, "old_size_larger")
    if submission.old != seen.size:
        raise Answered(409, "other_size", seen.size)
    if new.size == seen.size and new.root != seen.root:
        raise Answered(409, "other_root", seen.size)
    if seen.size == 0:
        if submission.proof or (new.size == 0) != (new.root == merkle.EMPTY):
            raise Answered(422, "bad_proof")
        return Seen(new.size, new.root)
    try:
        merkle.check_consistency(seen.size, new.size, submission.proof, seen.root, new.root)
    except Refused as wrong:
        raise Answered(422, wrong.code) from None
    return Seen(new.size, new.root)
