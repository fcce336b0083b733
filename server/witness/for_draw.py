"""Witnesses of a ceremony over files: the head of its log is cosigned before the next event, and never behind what a witness has seen."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from drawing.errors import Refused
from drawing.keys import KeyList
from server.tilelog import TileLog
from server.waiting import Waiting
from server.witness.client import Gathered, Witnesses, addresses_of, check_not_behind, is_reached

Say = Callable[..., None]


@dataclass
class HeadWitness:
    """Called with a time: the log's head is cosigned by the quorum at or after it. Raises Waiting where it is not, Refused where a witness knows
    more than this log.
    """

    log: TileLog
    witnesses: Witnesses
    say: Say

    def __call__(self, since: int) -> None:
        size = self.log.size
        if self._has(since):
            return
        gathered = self._gather()
        if not is_reached(gathered.note, self.witnesses.policy, self.witnesses.second, since):
            missing = ", ".join(f"{each.address} {each.code}" for each in gathered.refused)
            raise Waiting("witnesses", size=size, missing=missing or "witness_clock")  # nobody refused: their clocks are behind `since`
        self.log.keep_cosigned(size, gathered.note)

    def check(self) -> None:
        """Before anything is written: no witness has seen a longer log than this one, or another. Raises Refused `log_behind_witness`,
        `log_differs_from_witness`. A witness that does not answer is told of; the quorum is asked for with the first event.
        """
        gathered = self._gather()
        if gathered.reached and not self._has(0):  # an older cosignature of this head stays: its time is what counts
            self.log.keep_cosigned(self.log.size, gathered.note)

    def _has(self, since: int) -> bool:
        size = self.log.size
        return self.log.is_cosigned(size) and is_reached(self.log.cosigned(size), self.witnesses.policy, self.witnesses.second, since)

    def _gather(self) -> Gathered:
        async def consistency(old: int, new: int) -> Sequence[bytes]:
            return self.log.consistency(old, new)

        gathered = asyncio.run(self.witnesses.gather(self.log.checkpoint(), consistency))
        check_not_behind(gathered)
        for each in gathered.refused:
            self.say("witness_refused", address=each.address, refusal=each.code, detail=each.why)
        return gathered


def witness_of(log: TileLog, keys: KeyList, addresses: Sequence[str], say: Say) -> HeadWitness | None:
    """The witnesses of a key list at the addresses given, else at those in its policy. None where it names none. Raises Refused where nobody can
    be asked, and where addresses are given and the list has no witnesses.
    """
    policy = keys.log_policy
    if not policy.has_quorum:
        if addresses:
            raise Refused("witnesses_not_in_list", "keys.json")
        return None
    where = tuple(addresses) or tuple(addresses_of(keys.policy))
    if not where:
        raise Refused("no_witness_addresses", "keys.json", count=len(policy.witnesses))
    return HeadWitness(log, Witnesses(policy, where, keys.second), say)
