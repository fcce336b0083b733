"""One value of one round from several relays or nodes. Every answer is judged; a wrong one is named and its sender asked no more.

It never takes another round than the one asked for: the round stands in the log. Before the round is due it waits with a countdown or says when
to come back; where nobody answers rightly it says who was asked and what they said.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import aiohttp

from drawing.beacon import QUICKNET, Network, chain_hash, verify_round
from drawing.errors import Refused
from server.fetch import ask, open_session, read_answer, read_signature
from server.waiting import Waiting

MAX_ANSWER = 16 << 10
ANSWER_SECONDS = 5.0
MAX_PAUSE = 8.0

# Relays of quicknet's own operators (drand-client `lib/defaults.ts`); a centre may name others.
QUICKNET_RELAYS = ("https://api.drand.sh", "https://api2.drand.sh", "https://api3.drand.sh", "https://drand.cloudflare.com")


@dataclass
class Relays:
    """Where values come from. `now` is Unix seconds; `patience` is how many seconds after a round's time it is asked for again and again."""

    addresses: Sequence[str]
    now: Callable[[], int]
    sleep: Callable[[float], None]
    say: Callable[..., None]
    wait: bool = True
    patience: float = 60.0
    liars: dict[str, str] = field(default_factory=dict)  # address -> why it is asked no more

    def of(self, network: Network) -> tuple[str, ...]:
        """The addresses for a network. Raises Refused where there is none."""
        known = tuple(address.rstrip("/") for address in self.addresses)
        if not known and chain_hash(network) == chain_hash(QUICKNET):
            known = QUICKNET_RELAYS
        if not known:
            raise Refused("no_relays", network.name)
        return known

    def __call__(self, network: Network, number: int) -> bytes:
        """The value. Raises Waiting `beacon` before its time (where nobody waits), `beacon_silent` where no right answer comes."""
        addresses = self.of(network)
        due = network.time_of(number)
        if self.now() < due:
            if not self.wait:
                raise Waiting("beacon", until=due, round=number, network=network.name)
            while (left := due - self.now()) > 0:
                self.say("countdown", seconds=left, round=number)
                self.sleep(min(1.0, left))
        pause, waited = 0.5, 0.0
        while True:
            value, said = asyncio.run(self._ask_all(network, number, addresses))
            if value is not None:
                return value
            if waited >= self.patience or not self.wait:
                heard = "; ".join(f"{address}: {said.get(address) or self.liars.get(address, '')}" for address in addresses)
                raise Waiting("beacon_silent", round=number, network=network.name, heard=heard)
            self.say("beacon_again", round=number, seconds=round(pause))
            self.sleep(pause)
            waited += pause
            pause = min(MAX_PAUSE, 2 * pause)

    async def _ask_all(self, network: Network, number: int, addresses: Sequence[str]) -> tuple[bytes | None, dict[str, str]]:
        """The first right answer, and what the others said until then."""
        said: dict[str, str] = {}
        value: bytes | None = None
        async with open_session(ANSWER_SECONDS, proxies=any(each.startswith("https:") for each in addresses)) as session:
            asked = {
                asyncio.create_task(self._ask_one(session, network, number, address)): address
                for address in addresses
                if address not in self.liars
            }
            waiting = set(asked)
            while waiting and value is None:
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                for each in done:
                    try:
                        value = each.result()
                    except Refused as wrong:
                        said[asked[each]] = str(wrong.params.get("why", wrong.code))
            for each in waiting:
                each.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
        return value, said

    async def _ask_one(self, session: aiohttp.ClientSession, network: Network, number: int, address: str) -> bytes:
        url = f"{address}/{chain_hash(network).hex()}/public/{number}"
        status, body = await ask(session, url, MAX_ANSWER)  # silence and errors are no lies: asked again later
        if status != 200:
            raise Refused("no_value", url, why=_why(status, body))
        try:
            value = read_signature(url, read_answer(url, body), number)
            if not verify_round(network.public_key, number, value):
                raise Refused("no_answer", url, why="bad signature")
        except Refused as wrong:
            if wrong.code == "no_answer":
                self.liars[address] = str(wrong.params["why"])
                self.say("beacon_wrong_answer", relay=address, why=wrong.params["why"], round=number)
            raise
        return value


def _why(status: int, body: bytes) -> str:
    """What a relay that gave no value says about it, in one word."""
    match = re.search(rb'"error":\s*"([a-z_]{1,40})"', body)
    return f"{status} {match[1].decode()}" if match else f"status {status}"
