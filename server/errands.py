"""What the courier does for draws: goes on with one, finds out whom to tell, sends one message, enters an answer that two people approved.

Each errand may be begun twice, by a courier that is killed in between: going on asks the keeper, who gives the same event out again; a message is
`sending` in the database before it leaves. A job holds ids; whom it is for is asked of the keeper when it is sent, opened here and forgotten.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from drawing.beacon import Network
from drawing.canonical import loads
from drawing.draw import Draw
from drawing.errors import Refused
from drawing.sealed import unseal
from server.courier import Handler, Later, Work
from server.keeper.client import Keeper
from server.keeper.draw_verbs import AskDrawState, BeaconValue, DrawNotices, DrawPrepare, DrawReply
from server.notice_texts import texts_of
from server.ports import Clock, Gateway, Message, Outcome, Sent
from server.services import drawing, notices
from server.services.drawing import Stand
from server.storage.outbox import Job
from server.storage.store import Store
from server.storage.tx import Row, Tx
from server.waiting import Waiting

Fetch = Callable[[Network, int], bytes]  # as server.beacon_client.Relays; it blocks
PREPARE_SECONDS, BEACON_SECONDS, WITNESS_SECONDS = 3, 10, 15
# What keeps a draw from going on until a person does something; its page says so. Everything else may be over in a while.
STANDS_STILL = frozenset({
    "dead_end", "too_late_for_round", "nothing_follows", "no_lawful_panel", "log_too_short", "no_such_draw", "unknown_network", "no_network_pinned",
    "new_list_below_bound", "fit_not_reached", "no_relays", "not_next", "bad_signature",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Errands:
    """Made once, in `server.processes`. `secret`: the courier's own key, which opens what the keeper seals for it."""

    store: Store
    keeper: Keeper
    clock: Clock
    secret: bytes
    gateways: Mapping[str, Gateway]
    fetch: Fetch
    centres: Mapping[str, str]  # language -> the name that messages begin with
    origin: str  # of links
    more: Mapping[str, Handler] = field(default_factory=dict[str, Handler])  # of other kinds

    @property
    def handlers(self) -> dict[str, Handler]:
        """By kind."""
        own: dict[str, Handler] = {
            drawing.ADVANCE: self.advance,
            drawing.NOTICES: self.tell,
            notices.SEND: self.send,
            notices.ANSWER: self.answer,
        }
        return {**own, **self.more}

    # Going on -------------------------------------------------------------------------------------------------------------------------------

    async def advance(self, job: Job) -> Work | None:
        """As far as nobody is needed. Raises Later where something is to be waited for that tells nobody."""
        draw = job.payload.decode()
        if not await self._ready(draw):
            return None
        now = self.clock.now()
        try:
            stand = await drawing.advance(self.store, self.keeper, draw, now)
            if stand.waiting == "beacon" and stand.until <= now:
                await self._note(draw, stand)
                stand = await drawing.advance(self.store, self.keeper, draw, now, await self._values(draw))
        except Refused as refused:
            if refused.code not in STANDS_STILL:
                raise
            code = refused.code
            return lambda tx: drawing.note_stand(tx, draw, Stand("", 0), code)
        if stand.waiting == "witnesses":
            await self._note(draw, stand)
            raise Later("witnesses", WITNESS_SECONDS)
        return lambda tx: drawing.note_stand(tx, draw, stand)

    async def _ready(self, draw: str) -> bool:
        """Whether the draw is prepared; one whose preparing ended with the keeper begins again. Raises Later."""
        state = await self.keeper.ask(AskDrawState(draw))
        if state.stage == "failed":
            await self._note(draw, Stand("", 0), state.fault)
            return False
        if state.stage == "begun":
            await self.keeper.ask(DrawPrepare(draw))
        if state.stage != "ready":
            raise Later(state.stage, PREPARE_SECONDS)
        return True

    async def _note(self, draw: str, stand: Stand, fault: str = "") -> None:
        await self.store.write(lambda tx: drawing.note_stand(tx, draw, stand, fault), self.clock.now())

    async def _values(self, draw: str) -> tuple[BeaconValue, ...]:
        """The value of the round that the log names. Raises Later where no relay has it yet."""
        async with self.store.reading() as tx:
            chain = await drawing.key_chain(tx)
            state = (await drawing.project_of(tx, await drawing.tag_of(tx, draw))).draw
        number = round_of(state)
        network = chain.newest.by_chain.get(state.beacon.network) if state.beacon else None
        if network is None:
            raise Refused("unknown_network", "keys")
        try:
            value = await asyncio.to_thread(self.fetch, network, number)
        except Waiting as wait:
            raise Later(wait.code, BEACON_SECONDS) from None
        return (BeaconValue(number, value),)

    # Messages -------------------------------------------------------------------------------------------------------------------------------

    async def tell(self, job: Job) -> Work:
        """A row and a job for everybody who is to be told now."""
        draw = job.payload.decode()
        due = (await self.keeper.ask(DrawNotices(draw, None))).items
        return lambda tx: notices.register(tx, draw, due, tuple(self.gateways))

    async def send(self, job: Job) -> Work | None:
        """One message. Raises Later where it was not sent, or where a gateway that knows its id is asked once more."""
        async with self.store.reading() as tx:
            row = await notices.of_job(tx, job.payload)
        if row is None or row["state"] not in ("due", "sending") or notices.message_id(row) != job.key:
            return None
        gateway = self.gateways.get(row["channel"])
        if gateway is None:
            return _moves(row, "uncertain" if row["state"] == "sending" else "dropped", "no_gateway")
        if row["state"] == "sending" and not gateway.repeatable:  # whoever had this job was killed while it sent
            return _moves(row, "uncertain", "interrupted")
        message = await self._message(row)
        if message is None or not message.to:  # answered, or too late: nobody is called now; or somebody without an address for mail
            return _moves(row, "uncertain" if row["state"] == "sending" else "dropped", "not_due")
        row = await self._sending(row)
        if row is None:
            return None
        # If we crash from here until the job ends, the row says `sending`.
        return await self._sent(row, message, gateway, await gateway.send(message))

    async def _sending(self, row: Row) -> Row | None:
        if row["state"] == "sending":
            return row

        async def work(tx: Tx) -> bool:
            return await notices.move(tx, row, "sending")

        return {**row, "state": "sending"} if await self.store.write(work, self.clock.now()) else None

    async def _sent(self, row: Row, message: Message, gateway: Gateway, sent: Sent) -> Work | None:
        match sent.outcome:
            case Outcome.SENT:
                return _moves(row, "sent")
            case Outcome.REFUSED:
                return _moves(row, "failed", sent.fault)
            case Outcome.UNKNOWN if not gateway.repeatable:
                return _moves(row, "uncertain", sent.fault)
            case Outcome.LATER | Outcome.UNKNOWN:
                if sent.outcome is Outcome.LATER:  # it is certain that nobody has it
                    await self.store.write(lambda tx: notices.move(tx, row, "due", sent.fault), self.clock.now())
                raise Later(sent.fault, sent.seconds)

    async def _message(self, row: Row) -> Message | None:
        """What it says and to whom, from the keeper, now; None where it is not due any more."""
        found = (await self.keeper.ask(DrawNotices(row["draw"], row["slot"]))).items
        item = next((each for each in found if each.kind == row["kind"] and each.token_hash == bytes(row["token_hash"])), None)
        if item is None:
            return None
        content = loads(unseal(item.sealed, self.secret), place="notice", text=True)
        link = f"{self.origin}/r/{content['token']}"
        words = texts_of(row["kind"], row["channel"], content, self.centres, link, notices.code_of(item.token_hash))
        to = content["email"] if row["channel"] == "mail" else content["phone"]
        until = content["until"] if row["kind"] == "call" else 0
        return Message(notices.message_id(row), row["channel"], row["kind"], to, words, content["token"], until)

    # Answers by hand --------------------------------------------------------------------------------------------------------------------------

    async def answer(self, job: Job) -> Work | None:
        """An answer that two people approved; the keeper looks at their approvals itself."""
        value = loads(job.payload, place="answer", text=True)
        draw = value["draw"]
        ask = DrawReply(
            bytes.fromhex(value["approved"]), draw, value["occupant"], value["reason"], value["slot"], value["state"], "link", ""
        )
        try:
            await self.keeper.ask(ask)
        except Refused as refused:
            if refused.code not in ("reply_too_late", "nobody_to_answer"):
                raise
            return None  # the page shows that the window is over
        now = self.clock.now()
        return lambda tx: _advance(tx, draw, job.id, now)


def _moves(row: Row, state: str, fault: str = "") -> Work:
    async def work(tx: Tx) -> None:
        await notices.move(tx, row, state, fault)

    return work


async def _advance(tx: Tx, draw: str, job: str, now: int) -> None:
    await tx.outbox(drawing.ADVANCE, f"{draw} answer {job}", now, draw.encode())


def round_of(draw: Draw) -> int:
    """The beacon's round that is waited for."""
    lots = draw.named.lots if draw.named is not None else draw.stages[-1].lots
    if lots is None:
        raise Refused("round_not_named", "draw")
    return lots


def channels_of(gateways: Sequence[Gateway]) -> dict[str, Gateway]:
    """By channel."""
    return {each.channel: each for each in gateways}
