"""The keeper as web and courier see it: one connection, many calls at once, typed questions and answers.

`Keeper.ask` takes a verb's parameters and gives its result, or raises the keeper's own Refused. A connection that broke is made anew with
the next call; a call that was under way when it broke is refused as `keeper_missing`, for nobody knows whether it happened: whoever asks
again does so knowingly. While the service is sealed calls raise Refused("service_sealed").
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from drawing.errors import Refused
from drawing.model import shape_of
from server.keeper import frames
from server.keeper import verbs as v
from server.keeper.rules import Grants, Subject

R = TypeVar("R")
SECONDS = 90  # longer than the keeper's longest task
_CONNECT_SECONDS = 5
_NOBODY = bytes(32)
Answer = asyncio.Future[dict[str, Any]]


class _Line:
    """One connection and the calls that are open on it. When it ends, so do they."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._open: dict[int, Answer] = {}
        self._why = Refused("keeper_missing", "socket")
        self.task = asyncio.create_task(self._read())

    @property
    def ended(self) -> bool:
        return self.task.done() or self._writer.is_closing()

    async def call(self, number: int, frame: bytes) -> dict[str, Any]:
        if self.task.done():
            raise self._why
        answer: Answer = asyncio.get_running_loop().create_future()
        self._open[number] = answer
        try:
            with contextlib.suppress(OSError):  # then the reading side ends, too, and knows why
                self._writer.write(frame)
                await self._writer.drain()
            return await answer
        finally:
            self._open.pop(number, None)

    async def _read(self) -> None:
        joining: dict[int, frames.Joiner] = {}
        try:
            while (value := await frames.read_frame(self._reader)) is not None:
                number = value.get("id")
                if number == 0 and "refused" in value:  # about the connection itself: another user's, or too many
                    self._why = refused_of(value)
                    break
                if not isinstance(number, int):
                    break
                if "piece" in value:
                    whole = joining.setdefault(number, frames.Joiner(bytearray())).add(value)
                    if whole is None:
                        continue
                    del joining[number]
                    value = whole
                answer = self._open.get(number)
                if answer is not None and not answer.done():
                    answer.set_result(value)
        except (OSError, Refused):
            pass  # a keeper that writes what is no frame is as good as none
        finally:
            self._writer.close()
            for each in self._open.values():
                if not each.done():
                    each.set_exception(self._why)


def refused_of(value: dict[str, Any]) -> Refused:
    """The refusal of a frame."""
    told = value["refused"]
    return Refused(told["code"], told["place"], **told["params"])


class Keeper:
    """A client. Use as an async context manager, or close it."""

    def __init__(self, path: Path, seconds: float = SECONDS) -> None:
        self._path = path
        self._seconds = seconds
        self._numbers = count(1)
        self._line: _Line | None = None
        self._lock = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()

    async def close(self) -> None:
        """End the connection; open calls are refused."""
        line, self._line = self._line, None
        if line is not None:
            line.task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await line.task

    async def ask(self, ask: v.Ask[R]) -> R:
        """Raises Refused: what the keeper refused, `keeper_missing`, or `service_sealed`."""
        verb = v.VERB_OF[type(ask)]
        answer = await self.call(verb, v.params_of(ask))
        result: R = shape_of(v.VERBS[verb].result).read(answer, verb)
        return result

    async def call(self, verb: str, params: dict[str, Any]) -> dict[str, Any]:
        """A verb by its name, as the wire has it."""
        number = next(self._numbers)
        frame = frames.encode({"id": number, "params": params, "verb": verb})
        try:
            async with asyncio.timeout(self._seconds):
                value = await (await self._connected()).call(number, frame)
        except (OSError, TimeoutError):
            raise Refused("keeper_missing", verb) from None
        if "refused" in value:
            raise refused_of(value)
        got: dict[str, Any] = value["ok"]
        return got

    async def _connected(self) -> _Line:
        async with self._lock:
            if self._line is None or self._line.ended:
                async with asyncio.timeout(_CONNECT_SECONDS):
                    self._line = _Line(*await asyncio.open_unix_connection(str(self._path)))
            return self._line

    # The verbs ------------------------------------------------------------------------------------------------------------------------

    async def status(self) -> v.Status:
        return await self.ask(v.AskStatus())

    async def unseal_share(self, custodian: str, words: str) -> v.Status:
        return await self.ask(v.UnsealShare(custodian, words))

    async def seal(self) -> v.Status:
        return await self.ask(v.Seal())

    async def bootstrap(self, secret: str) -> v.BootstrapGrant:
        return await self.ask(v.Bootstrap(secret))

    async def renew_bootstrap(self) -> v.ConsoleSecret:
        return await self.ask(v.RenewBootstrap())

    async def seal_fields(self, about: str, fields: list[v.Field], not_before: int = 0, least: int = 0) -> None:
        """At most 200 fields together, and at most a frame."""
        await self.ask(v.SealFields(tuple(fields), least, not_before, about))

    async def open_fields(
        self, token: str, login: bytes, reason: str, fields: list[v.At], approved: bytes | None = None
    ) -> list[bytes | None]:
        """None for a field that is not there."""
        got = await self.ask(v.OpenFields(approved, tuple(fields), login, reason, token))
        return [each.value if each.found else None for each in got.values]

    async def search_names(
        self, token: str, login: bytes, centre: str, query: str, *, table: str = "person", column: str = "name", limit: int = 50
    ) -> list[str]:
        return list((await self.ask(v.SearchNames(centre, column, limit, login, query, table, token))).rows)

    async def blind_index(self, table: str, column: str, value: bytes) -> list[str]:
        return list((await self.ask(v.BlindIndex(column, table, value))).rows)

    async def stage_experts(self, centre: str, staging: str, batch: int, data: str) -> tuple[v.ExpertIndex, ...]:
        return (await self.ask(v.StageExperts(batch, centre, data, staging))).rows

    async def keep_experts(self, centre: str, staging: str, batch: int, rows: Sequence[str], *, more: bool = False) -> None:
        await self.ask(v.KeepExperts(batch, centre, more, tuple(rows), staging))

    async def retire_experts(self, centre: str, rows: Sequence[str], staging: str = "") -> None:
        await self.ask(v.RetireExperts(centre, tuple(rows), staging))

    async def forget_staging(self, centre: str, staging: str) -> None:
        await self.ask(v.ForgetStaging(centre, staging))

    async def read_cards(self, token: str, login: bytes, centre: str, today: str, rows: Sequence[str]) -> tuple[v.Card, ...]:
        return (await self.ask(v.ReadCards(centre, login, tuple(rows), today, token))).cards

    async def find_experts(
        self,
        token: str,
        login: bytes,
        centre: str,
        today: str,
        *,
        query: str = "",
        profession: str = "",
        area: str = "",
        state: str = "",
        limit: int = 1000,
    ) -> v.FoundExperts:
        return await self.ask(v.FindExperts(area, centre, limit, login, profession, query, state, today, token))

    async def enrol_totp(self, person: str, token: str = "", login: bytes = _NOBODY) -> str:
        """The secret in base32, to be shown once."""
        return (await self.ask(v.EnrolTotp(login, person, token))).secret

    async def check_totp(self, person: str, code: str, login: bytes) -> str:
        """The pass, "" where the person's roles ask for a passkey."""
        return (await self.ask(v.CheckTotp(code, login, person))).token

    async def end_passes(self, person: str) -> None:
        await self.ask(v.EndPasses(person))

    async def enrol_passkey_options(self, person: str, label: str, bootstrap: bytes | None = None, role: str | None = None) -> v.Challenge:
        return await self.ask(v.EnrolPasskeyOptions(bootstrap, label, person, role))

    async def enrol_passkey(self, challenge: bytes, answer: str) -> v.Enrolled:
        return await self.ask(v.EnrolPasskey(answer, challenge))

    async def login_challenge(self, person: str) -> v.Challenge:
        return await self.ask(v.LoginChallenge(person))

    async def check_passkey(self, challenge: bytes, answer: str, login: bytes) -> str:
        return (await self.ask(v.CheckPasskey(answer, challenge, login))).token

    async def revoke_passkey(self, credential: str, token: str, login: bytes) -> None:
        await self.ask(v.RevokePasskey(credential, login, token))

    async def person_status(self, person: str) -> v.PersonKeys:
        return await self.ask(v.PersonStatus(person))

    async def approval_challenge(self, person: str, subject: Subject, grants: Grants | None = None) -> v.Challenge:
        return await self.ask(v.ApprovalChallenge(grants, person, subject))

    async def approve(self, challenge: bytes, answer: str) -> v.Approvals:
        return await self.ask(v.Approve(answer, challenge))

    async def approvals_of(self, subject: bytes) -> v.Approvals:
        return await self.ask(v.ApprovalsOf(subject))

    async def sign_checkpoint(self, size: int, root: bytes) -> bytes:
        return (await self.ask(v.SignCheckpoint(root, size))).note.encode()

    async def rotate(self, approved: bytes) -> v.KeyStatus:
        return await self.ask(v.Rotate(approved))

    async def key_status(self) -> v.KeyStatus:
        return await self.ask(v.AskKeyStatus())
