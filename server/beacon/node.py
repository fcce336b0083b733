"""A node of a local network: it answers questions over HTTP and asks its peers; nobody can put anything into it (GET alone).

Until there is a key it reads the peers' boards and says what is due; after, it gives its partial signature of every round that is due by its own clock,
never before, and joins t partial signatures to the value. Partial signatures are checked against public shares, the value against the key.
"""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import aiohttp
from aiohttp import web as aioweb

from drawing.beacon import SCHEME, Local, chain_hash, verify_round
from drawing.errors import Refused
from server import listening as serving
from server.beacon.group import PHASES, Group
from server.beacon.setup import (
    MAX_MESSAGE,
    Board,
    Message,
    Outcome,
    Party,
    agreement,
    evaluate_board,
    followed,
    in_time,
    read_message,
)
from server.beacon.shares import combine, partial_fits, scalar, sign_partial
from server.beacon.store import Share, Store
from server.fetch import ask, open_session, read_answer, read_signature
from server.listening import CONNECTION_SECONDS, MAX_CONNECTIONS

PEER_SECONDS = 3.0
MAX_VALUES = 1024  # rounds that a node remembers: the same question again costs nothing
MAX_JOINING = 16  # rounds that it joins at the same time
MAX_BACKOFF = 30.0


@dataclass
class Peer:
    """Another node, and how long it is left alone after it did not answer."""

    number: int
    address: str
    failures: int = 0
    not_before: float = 0.0

    def failed(self, at: float) -> None:
        self.failures += 1
        self.not_before = at + min(MAX_BACKOFF, 0.25 * 2.0 ** min(self.failures, 10))

    def answered(self) -> None:
        self.failures, self.not_before = 0, 0.0


@dataclass
class Node:
    """One running node. `now` is Unix seconds, `chance(n)` n random bytes, `say(code, **params)` tells people."""

    store: Store
    now: Callable[[], float]
    chance: Callable[[int], bytes]
    say: Callable[..., None]
    share: Share | None = None
    network: Local | None = None
    status: str = "setup"
    _values: OrderedDict[int, bytes] = field(default_factory=OrderedDict)
    _joining: dict[int, asyncio.Task[bytes]] = field(default_factory=dict)
    _told: set[str] = field(default_factory=set)
    _found: tuple[frozenset[bytes], Outcome] | None = None  # the last evaluation: a second for nineteen nodes, and asked for at every turn

    def __post_init__(self) -> None:
        self.group: Group = self.store.group
        self.key = self.store.key
        self.number = self.group.number_of(self.key.public)
        if self.number == 0 or self.group.member(self.number).box != self.key.box_public:
            raise Refused("not_in_group", "group.json", key=self.key.name)
        self.party = Party(self.group, self.number, self.key.sign, self.key.box_secret)
        self.peers = [Peer(n, each.address) for n, each in enumerate(self.group.members, 1) if n != self.number]
        self.share = self.store.share()
        if self.share is not None:
            self.network = self.store.network(self.group)
            self.board = Board(self.group)
            self.status = "ready" if self.share.secret else "relay"
        else:
            self.board = self.store.board(self.group)

    # Making the key -------------------------------------------------------------------------------------------------------------------

    async def make_key(self) -> None:
        """Take part in the set-up until there is a key. Returns at once where there is one."""
        async with open_session(PEER_SECONDS) as session:
            while self.share is None:
                if self.group.phase_at(self.now()) >= 0:
                    self._speak()
                    boards = await self._read_boards(session)
                    if self.group.phase_at(self.now()) >= len(PHASES) - 1:
                        await asyncio.to_thread(self._conclude, boards)
                if self.share is None:
                    await asyncio.sleep(min(1.0, self.group.phase / 8))

    def _speak(self) -> None:
        """Say what is due in this phase, once."""
        phase = self.group.phase_at(self.now())
        if phase == 0 and not self.board.of(self.number, "deal"):
            polynomial = self.store.polynomial()
            if polynomial is None:
                polynomial = tuple(scalar(self.chance(48)) for _ in range(self.group.threshold))
                self.store.keep_polynomial(polynomial)
            self._publish(self.party.deal(polynomial))
        elif phase == 1 and not self.board.of(self.number, "complain"):
            complaint = self.party.complain(self.board)
            for dealer in getattr(complaint.content, "against", ()):
                self._tell_once("beacon_complaint", node=dealer, body=self.group.member(dealer).body)
            self._publish(complaint)
        elif phase == 2 and not self.board.of(self.number, "justify"):
            polynomial = self.store.polynomial()
            answer = self.party.justify(self.board, polynomial) if polynomial is not None else None
            if answer is not None:
                self._publish(answer)

    def _publish(self, message: Message) -> None:
        self.store.append(message)  # if we crash here, the next run reads the same message and does not make another
        self.board.add(message)
        self._tell_once(f"beacon_said_{message.content.kind}")

    async def _read_boards(self, session: aiohttp.ClientSession) -> dict[int, Board]:
        """What the peers' boards hold, each on its own; what is new and in time goes onto ours."""
        at = asyncio.get_running_loop().time()
        asked = [peer for peer in self.peers if peer.not_before <= at]
        found = await asyncio.gather(*(self._read_board(session, peer) for peer in asked))
        return {peer.number: board for peer, board in zip(asked, found, strict=True) if board is not None}

    async def _read_board(self, session: aiohttp.ClientSession, peer: Peer) -> Board | None:
        url = f"{peer.address}/node/board"
        try:
            status, body = await ask(session, url, MAX_MESSAGE * 8 * len(self.group.members))
            listed = read_answer(url, body).get("messages") if status == 200 else None
            if not isinstance(listed, list) or len(listed) > 8 * len(self.group.members):
                raise Refused("no_answer", url, why=f"status {status}")
        except Refused:
            peer.failed(asyncio.get_running_loop().time())
            return None
        peer.answered()
        board = Board(self.group)
        for value in listed:
            try:
                message = read_message(value, self.group)
            except Refused as wrong:
                self._tell_once("beacon_bad_message", node=peer.number, why=wrong.code)
                continue
            board.add(message)
            if in_time(message, self.group.phase_at(self.now())) and self.board.add(message):
                self.store.append(message)
        return board

    def _conclude(self, boards: dict[int, Board]) -> None:
        """Evaluate, confirm, and keep the share once everybody who was there confirmed the same."""
        phase = self.group.phase_at(self.now())
        outcome: Outcome | None = None
        try:
            view = self.board.view
            outcome = self._found[1] if self._found is not None and self._found[0] == view else evaluate_board(self.group, self.board)
            self._found = (view, outcome)
            if self.number in outcome.present and not self.board.of(self.number, "confirm"):
                same = sum(board.view == self.board.view for board in boards.values())
                if 1 + same >= self.group.threshold:  # who saw something else than most does not sign: it follows them
                    self._publish(self.party.confirm(outcome))
                elif phase > len(PHASES):
                    self._tell_once("boards_differ", same=same)
            if self.number in outcome.present and agreement(self.group, self.board, outcome, phase):
                self._finish(outcome, self.board)
                return
        except Refused as wrong:
            self.status = wrong.code
            self._tell_once(wrong.code, **wrong.params)
        for board in boards.values():  # away at the time, or something was missed: what t others signed alike is taken from one of them
            seen = followed(self.group, board)
            if seen is not None:
                self._finish(seen, board)
                return

    def _finish(self, outcome: Outcome, board: Board) -> None:
        try:
            secret = self.party.share(board, outcome)
        except Refused as wrong:
            self._tell_once(wrong.code, **wrong.params)
            secret = 0
        self.network = self.group.network(outcome.public_key)
        for node, why in outcome.out.items():
            self._tell_once("beacon_node_out", node=node, body=self.group.member(node).body, why=why)
        self.share = self.store.keep_share(self.group, self.number, outcome, secret)
        self.status = "ready" if secret else "relay"
        self.say("beacon_key_made", chain=chain_hash(self.network).hex(), transcript=outcome.transcript.hex())

    def _tell_once(self, code: str, **params: Any) -> None:
        key = f"{code} {sorted(params.items())}"
        if key not in self._told:
            self._told.add(key)
            self.say(code, **params)

    # Rounds ---------------------------------------------------------------------------------------------------------------------------

    def partial(self, number: int) -> bytes:
        """This node's partial signature. Raises Refused before the round's time, and where there is no share."""
        if self.network is None or self.share is None or not self.share.secret:
            raise Refused("no_share_yet", "node", status=self.status)
        due = self.network.time_of(number)
        if self.now() < due:
            raise Refused("round_not_due", "node", due=due)
        return sign_partial(self.share.secret, number)

    async def value(self, number: int) -> bytes:
        """The network's value for a round. Raises Refused before its time, and where fewer than t nodes answer."""
        if self.network is None or self.share is None:
            raise Refused("no_share_yet", "node", status=self.status)
        due = self.network.time_of(number)
        if self.now() < due:
            raise Refused("round_not_due", "node", due=due)
        if number in self._values:
            self._values.move_to_end(number)
            return self._values[number]
        task = self._joining.get(number)
        if task is None:
            if len(self._joining) >= MAX_JOINING:
                raise Refused("node_busy", "node")
            task = asyncio.create_task(self._join(number, self.network, self.share))
            self._joining[number] = task
            task.add_done_callback(lambda _: self._joining.pop(number, None))
        return await asyncio.shield(task)

    async def _join(self, number: int, network: Local, share: Share) -> bytes:
        parts = {share.number: sign_partial(share.secret, number)} if share.secret else {}
        async with open_session(PEER_SECONDS) as session:
            asked = [asyncio.create_task(self._ask_partial(session, peer, number, share)) for peer in self.peers]
            try:
                for each in asyncio.as_completed(asked):
                    got = await each
                    if got is not None:
                        parts[got[0]] = got[1]
                    if len(parts) >= network.threshold:
                        break
            finally:
                for each in asked:
                    each.cancel()
                await asyncio.gather(*asked, return_exceptions=True)
        if len(parts) < network.threshold:
            raise Refused("too_few_partials", "node", got=len(parts), need=network.threshold)
        value = combine(dict(sorted(parts.items())[: network.threshold]))
        if not verify_round(network.public_key, number, value):
            raise Refused("bad_beacon_value", "node")
        self._values[number] = value
        while len(self._values) > MAX_VALUES:
            self._values.popitem(last=False)
        return value

    async def _ask_partial(self, session: aiohttp.ClientSession, peer: Peer, number: int, share: Share) -> tuple[int, bytes] | None:
        url = f"{peer.address}/node/partial/{number}"
        try:
            status, body = await ask(session, url, 4096)
            if status != 200:
                return None
            signature = read_signature(url, read_answer(url, body), number)
        except Refused:
            return None
        if not partial_fits(share.public_shares[peer.number - 1], number, signature):
            self._tell_once("beacon_bad_partial", node=peer.number, round=number)
            return None
        return peer.number, signature

    # HTTP -----------------------------------------------------------------------------------------------------------------------------

    def application(self) -> aioweb.Application:
        """The routes, in drand's form, each with and without the chain hash before it."""
        app = aioweb.Application(client_max_size=1024)
        for prefix in ("", "/{chain:[0-9a-f]{64}}"):
            app.router.add_get(prefix + "/info", self._info)
            app.router.add_get(prefix + "/public/latest", self._latest)
            app.router.add_get(prefix + "/public/{round:[1-9][0-9]{0,10}}", self._public)
            app.router.add_get(prefix + "/health", self._health)
        app.router.add_get("/node/board", self._board)
        app.router.add_get("/node/partial/{round:[1-9][0-9]{0,10}}", self._partial)
        app.cleanup_ctx.append(self._setup_task)
        return app

    async def _setup_task(self, _app: aioweb.Application) -> AsyncIterator[None]:
        task = asyncio.create_task(self._make_key_or_say())
        yield
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    async def _make_key_or_say(self) -> None:
        try:
            await self.make_key()
        except (Refused, OSError) as wrong:  # a full disk: the node goes on answering what it can, and says why it has no key
            self.status = wrong.code if isinstance(wrong, Refused) else "cannot_write"
            self.say(self.status, **(wrong.params if isinstance(wrong, Refused) else {"why": wrong.strerror or ""}))

    def _other_chain(self, request: aioweb.Request) -> bool:
        wanted = request.match_info.get("chain")
        return wanted is not None and (self.network is None or wanted != chain_hash(self.network).hex())

    async def _info(self, request: aioweb.Request) -> aioweb.Response:
        if self.network is None:
            return _refusal(Refused("no_share_yet", "node", status=self.status))
        if self._other_chain(request):
            return _answer({"error": "unknown_chain"}, 404)
        network = self.network
        return _answer(
            {
                "genesis_time": network.genesis_time,
                "groupHash": network.genesis_seed.hex(),
                "hash": chain_hash(network).hex(),
                "metadata": {"beaconID": network.name},
                "period": network.period,
                "public_key": network.public_key.hex(),
                "schemeID": SCHEME,
            }
        )

    async def _public(self, request: aioweb.Request) -> aioweb.Response:
        if self._other_chain(request):
            return _answer({"error": "unknown_chain"}, 404)
        return await self._round(int(request.match_info["round"]))

    async def _latest(self, request: aioweb.Request) -> aioweb.Response:
        if self._other_chain(request) or self.network is None:
            return _answer({"error": "unknown_chain"}, 404)
        return await self._round(self.current)

    async def _round(self, number: int) -> aioweb.Response:
        try:
            value = await self.value(number)
        except Refused as wrong:
            return _refusal(wrong)
        return _answer({"randomness": sha256(value).hexdigest(), "round": number, "signature": value.hex()})

    @property
    def current(self) -> int:
        """The last round that is due."""
        return max(1, self.network.first_from(int(self.now()) + 1) - 1) if self.network is not None else 0

    async def _health(self, _request: aioweb.Request) -> aioweb.Response:
        value = {
            "current": self.current,
            "group": self.group.digest.hex(),
            "node": self.number,
            "phase": self.group.phase_at(self.now()),
            "status": self.status,
        }
        return _answer(value, 200 if self.status == "ready" else 503)

    async def _board(self, _request: aioweb.Request) -> aioweb.Response:
        body = b'{"messages":[' + b",".join(message.data for message in self._shown_board().all()) + b"]}"
        return aioweb.Response(body=body, content_type="application/json")

    def _shown_board(self) -> Board:
        """After the set-up the board is read from disk: who was away may still read it."""
        if self.share is not None and not self.board.messages:
            with suppress(Refused):  # addresses changed since: the old board names the old file, and nobody needs it any more
                self.board = self.store.board(self.group)
        return self.board

    async def _partial(self, request: aioweb.Request) -> aioweb.Response:
        number = int(request.match_info["round"])
        try:
            signature = self.partial(number)
        except Refused as wrong:
            return _refusal(wrong)
        return _answer({"node": self.number, "round": number, "signature": signature.hex()})


def _answer(value: dict[str, Any], status: int = 200) -> aioweb.Response:
    body = json.dumps(value, separators=(",", ":"), sort_keys=True).encode()  # keys as drand names them: not the canonical form
    return aioweb.Response(body=body, status=status, content_type="application/json")


_STATUS = {"round_not_due": 404, "no_share_yet": 503, "too_few_partials": 503, "node_busy": 503, "bad_beacon_value": 500}


def _refusal(wrong: Refused) -> aioweb.Response:
    return _answer({"error": wrong.code, **wrong.params}, _STATUS.get(wrong.code, 500))


@asynccontextmanager
async def listening(
    node: Node, host: str, port: int, *, most: int = MAX_CONNECTIONS, seconds: float = CONNECTION_SECONDS
) -> AsyncIterator[None]:
    """The node at an address, until the block ends: at most so many connections, each for at most so many seconds."""
    async with serving.listening(node.application(), host, port, most=most, seconds=seconds):
        yield
