"""The keeper itself: which function answers which verb, sealing and unsealing, the bucket of each verb, and what a failure may say.

A verb's failure that is no refusal of ours is answered `keeper_failed` and logged by its kind and the functions it passed, never by its text
or values: either might hold a name or a key.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import traceback
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from drawing.errors import Refused
from drawing.model import shape_of
from server.keeper import (
    approvals,
    drawn,
    drawn_bidders,
    drawn_people,
    drawn_record,
    draws,
    fields,
    figures,
    holds,
    library,
    own,
    people,
    rotation,
    sealed,
    signing,
)
from server.keeper.core import Core
from server.keeper.frames import Request
from server.keeper.keys import Keyring, suite_of
from server.keeper.limits import Bucket
from server.keeper.sealed import Opened, Shares
from server.keeper.vault import Vault
from server.keeper.verbs import VERBS, AskKeyStatus, AskStatus, KeyStatus, Rotate, Seal, Status, UnsealShare

log = logging.getLogger("lotroom.keeper")
Run = Callable[[Core, Any], Awaitable[Any]]
_CHECK = "root-check"  # a state that only the right root opens


class Keeper:
    """Answers requests one by one or together; the store decides between two that would change the same."""

    def __init__(self, core: Core, monotonic: Callable[[], float]) -> None:
        self.core = core
        self._buckets = {verb: Bucket(core.settings.rates[verb], monotonic) for verb in VERBS}
        self._rotation: asyncio.Task[None] | None = None
        self.running: set[asyncio.Task[None]] = set()
        self._run: Mapping[str, Run] = {
            "status": self._status,
            "unseal_share": self._unseal_share,
            "seal": self._seal,
            "bootstrap": people.bootstrap,
            "renew_bootstrap": people.renew_bootstrap,
            "seal_fields": fields.seal_fields,
            "open_fields": fields.open_fields,
            "search_names": fields.search_names,
            "blind_index": fields.blind_index,
            "stage_experts": library.stage_experts,
            "keep_experts": library.keep_experts,
            "connect_expert": own.connect,
            "retire_experts": library.retire_experts,
            "forget_staging": library.forget_staging,
            "read_cards": library.read_cards,
            "find_experts": library.find_experts,
            "enrol_totp": people.enrol_totp,
            "check_totp": people.check_totp,
            "end_passes": people.end_passes,
            "enrol_passkey_options": people.enrol_passkey_options,
            "enrol_passkey": people.enrol_passkey,
            "login_challenge": people.login_challenge,
            "check_passkey": people.check_passkey,
            "revoke_passkey": people.revoke_passkey,
            "person_status": people.person_status,
            "approval_challenge": approvals.challenge_for,
            "approve": approvals.approve,
            "approvals_of": approvals.approvals_of,
            "sign_checkpoint": signing.sign_checkpoint,
            "trust_keys": draws.trust_keys,
            "draw_begin": draws.begin,
            "draw_prepare": draws.prepare,
            "draw_state": draws.state,
            "draw_feasible": draws.feasible,
            "draw_next": drawn.next_event,
            "draw_contributed": drawn.contributed,
            "draw_sign": drawn.sign,
            "map_sign": drawn.sign_map,
            "draw_file": drawn.file,
            "draw_reply": drawn_people.reply,
            "draw_link": drawn_people.link,
            "draw_replies": drawn_people.replies,
            "draw_notices": drawn_people.notices,
            "draw_record": drawn_record.record,
            "draw_box": drawn_bidders.box,
            "draw_bidders": drawn_bidders.receive,
            "draw_names": drawn_people.names,
            "draw_own": own.in_draw,
            "draw_said": figures.said,
            "draw_tally": figures.tally,
            "draw_hold": holds.hold,
            "draw_lift": holds.lift,
            "draw_destroy": holds.destroy,
            "rotate": self._rotate,
            "key_status": self._key_status,
        }
        assert self._run.keys() == VERBS.keys()

    async def answer(self, request: Request, roles: frozenset[str]) -> dict[str, Any]:
        """The result as the wire has it. Raises Refused, and nothing else."""
        verb = VERBS.get(request.verb)
        if verb is None:
            raise Refused("unknown_verb", "verb")
        if not roles & verb.who:
            raise Refused("verb_not_for_you", "verb", verb=request.verb)
        wait = self._buckets[request.verb].take()
        if wait:
            raise Refused("too_often", request.verb, seconds=wait)
        ask = shape_of(verb.params).read(request.params, request.verb)
        if not verb.sealed:
            _ = self.core.vault  # refused here, before anything is looked at
        try:
            result = await self._run[request.verb](self.core, ask)
        except Refused:
            raise
        except Exception as wrong:
            log.error("verb %s failed: %s", request.verb, safe_trace(wrong))
            raise Refused("keeper_failed", request.verb) from None
        value: dict[str, Any] = shape_of(verb.result).write(result)
        return value

    # Sealed and unsealed --------------------------------------------------------------------------------------------------------------

    async def unseal(self, opened: Opened) -> None:
        """Takes the roots into memory. Raises Refused where the store is sealed with others, or its rows are not the keeper's last ones."""
        vault = Vault(Keyring(opened.roots, suite_of(opened.file.suite)), self.core.store, self.core.chance)
        await vault.load()
        check = await vault.state(Status, _CHECK, _NO_STATUS)
        if not check.version:
            await vault.write([vault.put_state(_CHECK, _NO_STATUS, 0)])
        self.core.opened, self.core.kept_vault = opened, vault
        self.core.shares = Shares(self.core.file)  # a share that came meanwhile is not kept
        for role in (signing.LOG, signing.OPERATOR, signing.STAFF):
            await signing.signer(self.core, role)
        if await rotation.unfinished(self.core):
            self._start_rotation()

    async def close(self) -> None:
        """Forget the keys and end what runs by itself."""
        if self._rotation is not None:
            self._rotation.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._rotation
            self._rotation = None
        for task in [*self.core.preparing.values(), *(each.task for each in self.core.tallies.values())]:
            task.cancel()
        self.core.tallies.clear()
        await self.core.drawer.close()
        await self.core.child.close()  # they had keys in their hands
        self.core.opened = self.core.kept_vault = None
        self.core.shares = Shares(self.core.file)

    async def _status(self, core: Core, _: AskStatus) -> Status:
        file = core.file
        return Status(
            custodians=tuple(each.name for each in file.custodians),
            demo=bool(file.demo),
            given=tuple(core.shares.given),
            needed=file.needed,
            sealed=core.kept_vault is None,
            shielded=core.shielded,
            waiting=core.child.waiting,
        )

    async def _unseal_share(self, core: Core, ask: UnsealShare) -> Status:
        if core.kept_vault is not None:
            sealed.judge_share(core.file, ask.custodian, ask.words)  # a custodian may try their share at any time
            return await self._status(core, AskStatus())
        opened = core.shares.add(ask.custodian, ask.words)
        if opened is not None:
            await self.unseal(opened)
        return await self._status(core, AskStatus())

    async def _seal(self, core: Core, _: Seal) -> Status:
        await self.close()
        return await self._status(core, AskStatus())

    # Rotation -------------------------------------------------------------------------------------------------------------------------

    async def _rotate(self, core: Core, ask: Rotate) -> KeyStatus:
        await rotation.begin(core, ask)
        self._start_rotation()
        return await rotation.key_status(core)

    async def _key_status(self, core: Core, _: AskKeyStatus) -> KeyStatus:
        return await rotation.key_status(core)

    def _start_rotation(self) -> None:
        if self._rotation is None or self._rotation.done():
            self._rotation = asyncio.create_task(self._rotating())

    async def _rotating(self) -> None:
        while True:
            try:
                await rotation.run(self.core, lambda: list(self.running))
                return
            except Exception as wrong:
                log.error("rotation stopped and goes on in 5 seconds: %s", safe_trace(wrong))
                await asyncio.sleep(5)


_NO_STATUS = Status((), False, (), 1, False, False, 0)


def safe_trace(wrong: BaseException) -> str:
    """The kind of an exception and where it came through: no text, no values. Of a refusal also the code."""
    steps = [f"{each.name}:{each.lineno}" for each in traceback.extract_tb(wrong.__traceback__)]
    code = f" {wrong.code}" if isinstance(wrong, Refused) else ""
    return f"{type(wrong).__name__}{code} through {' '.join(steps)}"
