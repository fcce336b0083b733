"""A witness's process: one question over HTTP that changes anything, `POST /add-checkpoint` (C2SP tlog-witness), and one that shows what it knows.

Compare, remember and sign is one step under one lock, and the memory is durable before the signature is made. So of any number of requests at
once the answers are one history, and a process that dies before it answered has cosigned nothing that it does not know of.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web as aioweb

from drawing.errors import Refused
from drawing.note import MAX_MOMENT, cosign
from server.witness.rules import MAX_REQUEST, SIZE_TYPE, Answered, check_signer, judge, parse_request
from server.witness.store import WitnessStore

BODY_SECONDS = 5.0


@dataclass
class Witness:
    """One running witness. `now` is Unix seconds, `say(code, **params)` tells whoever looks after it."""

    store: WitnessStore
    now: Callable[[], float]
    say: Callable[..., None]
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.signers = self.store.signers()
        self.logs = self.store.logs()
        for origin, keys in self.logs.items():
            self.store.seen(origin, keys)  # what it remembers is right, or it does not start

    def add_checkpoint(self, body: bytes) -> bytes:
        """The cosignature lines. Raises Answered where there are none. Called from threads: it waits for the lock and the disk."""
        submission = parse_request(body)
        note = check_signer(submission, self.logs)
        origin = submission.checkpoint.origin
        with self._lock:
            seen = self.store.seen(origin, self.logs[origin])
            try:
                new = judge(submission, seen)
            except Answered as wrong:
                if wrong.status == 422 or wrong.code == "other_root":  # signed by the log itself: somebody should know
                    self.say("witness_saw_misbehaviour", origin=origin, seen=seen.size, size=submission.checkpoint.size, why=wrong.code)
                raise
            if new != seen or new.size == 0:
                self.store.keep(origin, note)
            # If we crash here, the log asks again, is told this size, and gets its cosignature then.
            time = int(self.now())
            if not 0 < time <= MAX_MOMENT:
                raise Answered(503, "no_clock")
            lines = note
            for key, sign in self.signers:
                lines = cosign(lines, key, time, sign)
        return lines[len(note) :]

    # HTTP ---------------------------------------------------------------------------------------------------------------------------------

    def application(self) -> aioweb.Application:
        """The routes."""
        app = aioweb.Application(client_max_size=MAX_REQUEST)
        app.router.add_post("/add-checkpoint", self._add_checkpoint)
        app.router.add_get("/", self._show)
        return app

    async def _add_checkpoint(self, request: aioweb.Request) -> aioweb.Response:
        try:
            async with asyncio.timeout(BODY_SECONDS):
                body = await request.read()
        except TimeoutError:
            return _refusal(Answered(408, "body_too_slow"))
        try:
            lines = await asyncio.to_thread(self.add_checkpoint, body)
        except Answered as wrong:
            return _refusal(wrong)
        except (Refused, OSError) as wrong:  # its disk is full, or its memory altered: it says nothing about the log
            code = wrong.code if isinstance(wrong, Refused) else "cannot_write"
            self.say("witness_cannot_answer", why=code)
            return _refusal(Answered(503, code))
        return aioweb.Response(body=lines, content_type="text/plain", charset="utf-8")

    async def _show(self, _request: aioweb.Request) -> aioweb.Response:
        try:
            value = await asyncio.to_thread(self.state)
        except Refused as wrong:
            return _refusal(Answered(503, wrong.code))
        return aioweb.Response(body=json.dumps(value, sort_keys=True).encode(), content_type="application/json")

    def state(self) -> dict[str, Any]:
        """Keys and what was seen of each log."""
        return show(self.store)


def show(store: WitnessStore) -> dict[str, Any]:
    """What a witness's folder holds, for people and programs: nothing secret."""
    logs = []
    for origin, keys in sorted(store.logs().items()):
        seen = store.seen(origin, keys)
        logs.append({"origin": origin, "keys": [str(key) for key in keys], "size": seen.size, "root": seen.root.hex()})
    return {"body": store.key.body, "keys": [str(key) for key, _ in store.signers()], "logs": logs}


def _refusal(wrong: Answered) -> aioweb.Response:
    if wrong.size is not None:
        return aioweb.Response(body=f"{wrong.size}\n".encode(), status=wrong.status, headers={"Content-Type": SIZE_TYPE})
    return aioweb.Response(text=wrong.code + "\n", status=wrong.status)
