"""A draw on a beacon goes on by itself: the courier prepares it, waits for the rounds that the log names, and fetches their values."""

from __future__ import annotations

from drawing.draw import Phase
from server.services import drawing
from server.waiting import Waiting
from tests.scenario import ToyNetwork
from tests.server.draws.hall import Hall
from tests.server.draws.post import Post


class Relay:
    """Values of a network, once it may give them."""

    def __init__(self, toy):
        self.toy, self.silent, self.asked = toy, False, []

    def __call__(self, network, number):
        self.asked.append(number)
        if self.silent:
            raise Waiting("beacon_silent", round=number)
        return self.toy.sign(number)


async def test_lots_of_the_panel_and_of_a_replacement_fall_when_the_beacon_s_round_is_there(tmp_path, store, database):
    toy = ToyNetwork("local", genesis=1_700_000_000)
    async with Hall(tmp_path, store, database.keeper, networks=(toy.network,)) as hall, Post(hall) as post:
        relay = Relay(toy)
        object.__setattr__(post.errands, "fetch", relay)
        await hall.begin()
        await hall.store.write(lambda tx: tx.outbox(drawing.ADVANCE, "begun", tx.now, hall.draw.encode()), hall.now())
        await post.work()
        assert (await post.stand())["waiting"] == "attestation"
        await hall.attest()
        await post.later(2)
        assert (await post.stand())["draft"] == "committed"
        await hall.sign_draft("committed", "commit", hall.supervisors[0], approvers=("boss", "sup1"))
        stand = await hall.contribute()
        assert stand.waiting == "beacon"
        await post.later(2)
        assert (await hall.project()).draw.phase is Phase.READY
        assert relay.asked == []
        relay.silent = True
        await post.later((await post.stand())["until"] - hall.now() + 1)
        assert relay.asked
        assert (await hall.project()).draw.phase is Phase.READY
        relay.silent = False
        await post.later(11)
        draw = (await hall.project()).draw
        assert draw.phase is Phase.SEATED
        assert len(post.messages()) == 6
        gone = next(row for row in await post.rows() if not draw.slots[row["slot"]].reserve)
        for each in post.messages():
            leaves = (await hash_of(each.token)) == bytes(gone["token_hash"])
            await post.press(each.token, state="left" if leaves else "accepted", **({"reason": "busy"} if leaves else {}))
        await post.work()
        for _ in range(6):
            stand = await post.stand()
            if stand["waiting"] != "beacon":
                break
            await post.later(max(1, stand["until"] - hall.now() + 1))
        assert stand["waiting"] in ("answers", "check")  # others were drawn and told, or a reserve stepped in


async def hash_of(token):
    from hashlib import sha256

    return sha256(token.encode()).digest()
