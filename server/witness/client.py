"""Asking witnesses for cosignatures (C2SP tlog-witness): all at once, each with a time-out, and every refusal with its reason.

A witness that knows another size is asked again with the proof from there. One that has seen a longer log than we have, or another history, is
the alarm of this system: our log was put back or copied, or somebody else writes it (`check_not_behind`).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import aiohttp

from drawing.errors import Refused
from drawing.note import (
    MAX_NOTE,
    Checked,
    Checkpoint,
    Note,
    Policy,
    VKey,
    check_cosignature,
    signature_line,
)
from server.fetch import open_session
from server.witness.rules import SIZE_TYPE, request_bytes

SECONDS = 5.0
MAX_TRIES = 32  # others may ask for the same log at once, and each step of theirs changes the size
_ADDRESS = re.compile(r"https?://[!-~]{1,300}")
_SIZE = re.compile(rb"(0|[1-9][0-9]{0,15})\n")
Consistency = Callable[[int, int], Awaitable[Sequence[bytes]]]  # (old size, new size) -> path
_STATUS = {400: "witness_malformed", 403: "witness_distrusts_key", 404: "witness_knows_no_such_log", 422: "witness_saw_other_history"}
AHEAD, OTHER = "witness_ahead", "witness_saw_other_history"


@dataclass(frozen=True, slots=True)
class Reply:
    """What one witness said: lines by key, or a code (a refusal of server.refusals) and, where it named one, the size that it has seen."""

    address: str
    lines: Mapping[VKey, bytes] = field(default_factory=dict)
    code: str = ""
    size: int | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Gathered:
    """A note with all cosignatures that came, and who did not give one."""

    note: bytes
    replies: tuple[Reply, ...]
    lines: Mapping[VKey, bytes]
    reached: bool  # the quorum of the policy, and of the second one where there is one

    @property
    def refused(self) -> tuple[Reply, ...]:
        return tuple(each for each in self.replies if each.code)


@dataclass
class Witnesses:
    """The witnesses of a policy at their addresses. Remembers between questions which size each has seen."""

    policy: Policy
    addresses: Sequence[str]
    second: Policy | None = None
    seconds: float = SECONDS
    _sizes: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for each in self.addresses:
            if not _ADDRESS.fullmatch(each):
                raise Refused("bad_address", each[:100])
        if len(set(self.addresses)) != len(self.addresses):
            raise Refused("bad_address", max(self.addresses, key=list(self.addresses).count))

    @property
    def keys(self) -> tuple[VKey, ...]:
        """All keys whose lines count, in the order in which a note has them."""
        second = tuple(self.second.witnesses.values()) if self.second is not None else ()
        return (*self.policy.witnesses.values(), *second)

    async def gather(self, note: bytes, consistency: Consistency) -> Gathered:
        """Ask everybody about a note that the log signed. Never raises for what a witness does or does not do."""
        async with open_session(self.seconds) as session:
            replies = await asyncio.gather(*(self._ask(session, each, note, consistency) for each in self.addresses))
        lines = {key: line for reply in replies for key, line in reply.lines.items()}
        whole = note + b"".join(lines[key] for key in self.keys if key in lines)
        return Gathered(whole, tuple(replies), lines, is_reached(whole, self.policy, self.second))

    async def _ask(self, session: aiohttp.ClientSession, address: str, note: bytes, consistency: Consistency) -> Reply:
        checkpoint = Checkpoint.parse(Note.parse(note, "note").text, "note")
        try:
            async with asyncio.timeout(self.seconds):
                return await self._talk(session, address, note, checkpoint, consistency)
        except TimeoutError:
            return Reply(address, code="witness_silent", why="timeout")
        except (aiohttp.ClientError, OSError, ValueError) as wrong:
            return Reply(address, code="witness_silent", why=(str(wrong) or type(wrong).__name__)[:100])

    async def _talk(
        self, session: aiohttp.ClientSession, address: str, note: bytes, checkpoint: Checkpoint, consistency: Consistency
    ) -> Reply:
        old = min(self._sizes.get(address, checkpoint.size), checkpoint.size)
        for tries in range(MAX_TRIES):
            proof = await consistency(old, checkpoint.size) if 0 < old < checkpoint.size else ()
            status, kind, body = await _post(session, f"{address.rstrip('/')}/add-checkpoint", request_bytes(old, proof, note))
            if status == 200:
                self._sizes[address] = checkpoint.size
                lines = dict(good_lines(note, body, self.keys))
                return Reply(address, lines) if lines else Reply(address, code="witness_of_other_key")
            named = _SIZE.fullmatch(body)
            if status != 409 or named is None or kind != SIZE_TYPE:
                return Reply(address, code=_STATUS.get(status, "witness_silent"), why=f"status {status}")
            size = int(named[1])
            self._sizes[address] = size
            if size > checkpoint.size:
                return Reply(address, code=AHEAD, size=size)
            if size == old == checkpoint.size:  # our own size, and yet a refusal: the root is another
                return Reply(address, code=OTHER, size=size)
            if tries and size <= old:  # what a witness has seen only grows
                return Reply(address, code="witness_silent", why="409")
            old = size
        return Reply(address, code="witness_silent", why="409")


async def _post(session: aiohttp.ClientSession, url: str, body: bytes) -> tuple[int, str, bytes]:
    async with session.post(
        url, data=body, allow_redirects=False, headers={"Accept-Encoding": "identity", "Content-Type": "text/plain; charset=utf-8"}
    ) as response:
        found = b""
        async for part in response.content.iter_chunked(65_536):
            found += part
            if len(found) > MAX_NOTE:
                raise ValueError("answer too long")
        return response.status, response.content_type, found


def good_lines(note: bytes, body: bytes, keys: Sequence[VKey]) -> Iterator[tuple[VKey, bytes]]:
    """The lines of an answer that are valid cosignatures by these keys, in their one spelling; others are passed over."""
    try:
        whole = Note.parse(note + body, "answer")
    except Refused:
        return
    own = len(Note.parse(note, "note").lines)
    seen: set[VKey] = set()
    for name, key_hash, signature in whole.lines[own:]:
        key = next((each for each in keys if (each.name, each.key_hash) == (name, key_hash)), None)
        if key is None or key in seen:
            continue
        try:
            check_cosignature(key, whole.text, signature, "answer")
        except Refused:
            continue
        seen.add(key)
        yield key, signature_line(key, signature).encode()


def checked(note: bytes, policy: Policy, second: Policy | None) -> tuple[Checked, Checked | None]:
    """A note under both policies. Raises Refused."""
    first = policy.check(note, "note", second=second is not None)
    return first, second.check_rest(first, "note") if second is not None else None


def is_reached(note: bytes, policy: Policy, second: Policy | None, since: int = 0) -> bool:
    """Whether enough witnesses cosigned this note at or after a time."""
    first, rest = checked(note, policy, second)
    return first.quorum_since(since) and (rest is None or rest.quorum_since(since))


def check_not_behind(gathered: Gathered) -> None:
    """Raises Refused where a witness has seen a longer log than the note's, or another history of the same length: ours must not be written.

    The way out is in the text: put back the newer copy, or begin a new epoch, which everybody sees (docs/witness.md).
    """
    size = Checkpoint.parse(Note.parse(gathered.note, "note").text, "note").size
    for reply in gathered.replies:
        if reply.code == AHEAD:
            raise Refused("log_behind_witness", reply.address, size=size, seen=reply.size)
        if reply.code == OTHER:
            raise Refused("log_differs_from_witness", reply.address, size=size)


def addresses_of(policy_text: str) -> list[str]:
    """The addresses that stand behind the witnesses' keys in a policy file, in order."""
    words = [[word for word in line.split(" ") if word] for line in policy_text.split("\n")]
    return [each[3] for each in words if each[:1] == ["witness"] and len(each) == 4]
