"""The service's log and its witnesses: cosignatures are kept, a restored or rebuilt database is refused, a new epoch is the way out."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from drawing import merkle
from drawing.canonical import dumps
from drawing.errors import Refused
from drawing.note import Checkpoint, Policy, sign_note
from server.keeper.store import Change
from server.storage.annex import KeptRows
from server.storage.check import check
from server.storage.frozen import Frozen, first_name, next_epoch
from server.storage.log import Log
from server.witness.client import Witnesses, addresses_of, check_not_behind, is_reached
from server.witness.courier import Cosigner
from tests.server.storage.test_log import VKEY, leaves, sign
from tests.server.witness.world import ORIGIN, GrowingLog, Process, witness

NOW = 1_790_000_000


@pytest.fixture(scope="module")
def three(tmp_path_factory) -> Iterator[list[Process]]:
    """Three witnesses that watch a log for each test."""
    folder = tmp_path_factory.mktemp("witnesses")
    names = [
        (f"{engine}-{n}.example/log{epoch}", VKEY) for engine in ("sqlite", "postgresql") for n in range(4) for epoch in ("", "/epoch-2")
    ]
    own = [(f"{ORIGIN}{n}", GrowingLog(origin=f"{ORIGIN}{n}").vkey) for n in range(8)]
    with ExitStack() as stack:
        yield [stack.enter_context(witness(folder / f"w{n}", *names, *((name, key) for name, key in own), second=n == 0)) for n in range(3)]


def policy_of(three: list[Process], log, need: int = 3) -> Policy:  # type: ignore[no-untyped-def]
    named = {f"w{n}": each.store.key.vkey for n, each in enumerate(three)}
    return Policy(log, named, {"most": (need, tuple(named))}, "most")


async def known(store, three: list[Process]) -> None:
    """The witnesses as the database has them: its check asks for their keys."""
    for n, each in enumerate(three):
        row = {"name": f"w{n}", "vkey": str(each.store.key.vkey), "address": each.url, "added_at": NOW}
        await store.write(lambda tx, row=row: tx.insert("witness", row, "system"), NOW)


async def publish(store, keeper_store, origin: str, grow: int = 0, salt: str = "s") -> int:
    """The database's log, longer by so many entries, with a checkpoint."""
    if grow:
        async with store.reading() as tx:
            length = await tx.length(salt)
        more = [leaf.replace(b'"s"', f'"{salt}"'.encode()) for leaf in leaves(length + grow)[length:]]
        await store.write(lambda tx: tx.append(salt, length, more), NOW)
    async with store.reading() as tx:
        head = await tx.head()
    note = sign_note(Checkpoint(origin, head.size, head.root).text(), VKEY, sign)
    await keeper_store.write(lambda tx: tx.checkpoint(origin, head.size, head.root, note), NOW)
    return head.size


async def test_cosignatures_of_a_quorum_are_kept_and_told_by_check(store, keeper_store, database, three):
    origin = f"{database.engine}-0.example/log"
    await store.write(lambda tx: tx.begin_log(origin, "system"), NOW)
    await known(store, three)
    cosigner = Cosigner(store, Witnesses(policy_of(three, VKEY), [each.url for each in three]))
    assert await cosigner.cosign_newest(NOW) is None
    for grow in (3, 0, 300):
        size = await publish(store, keeper_store, origin, grow)
        found = await cosigner.cosign_newest(NOW)
        assert found is not None
        assert found.reached
        assert found.refused == ()
        async with store.reading() as tx:
            assert await Log(tx).cosigned(size, ["w0", "w1", "w2"]) == await Log(tx).file("checkpoint")
            assert is_reached(await Log(tx).cosigned(size, ["w0", "w1", "w2"]), cosigner.witnesses.policy, None)
    assert (await check(database.owner, VKEY)).differences == ()


async def test_an_older_backup_beside_a_witness_is_refused_and_a_new_epoch_goes_on(store, keeper_store, database, three):
    origin = f"{database.engine}-1.example/log"
    policy, urls = policy_of(three, VKEY), [each.url for each in three]
    await store.write(lambda tx: tx.begin_log(origin, "system"), NOW)
    await known(store, three)
    size = await publish(store, keeper_store, origin, 5)
    ahead = GrowingLog(origin=origin, key=None)  # type: ignore[arg-type]  # what was lost: the same log, seven entries longer
    async with store.reading() as tx:
        ahead.leaves = [merkle.leaf_hash(leaf) for leaf in await Log(tx).entries(0, size)]
    ahead.grow(size + 7)
    lost = sign_note(Checkpoint(origin, size + 7, merkle.root(ahead.leaves)).text(), VKEY, sign)

    async def proof(old: int, new: int) -> list[bytes]:
        return ahead.proof(old, new)

    seen = await Witnesses(policy, urls).gather(lost, proof)
    assert seen.reached

    cosigner = Cosigner(store, Witnesses(policy, urls))
    for _ in range(2):
        with pytest.raises(Refused) as wrong:
            await cosigner.cosign_newest(NOW)
        assert (wrong.value.code, wrong.value.params["seen"], wrong.value.params["size"]) == ("log_behind_witness", size + 7, size)

    row = {"scope": "service", "name": "x", "value": "1", "changed_at": NOW}
    for each in (store, keeper_store):  # every process is stopped by the same column
        with pytest.raises(Refused, match="log_behind_witness"):
            await each.write(lambda tx: tx.insert("setting", row, "web"), NOW)
    async with store.reading() as tx:
        root = (await tx.head()).root
    note = sign_note(Checkpoint(origin, size, root).text(), VKEY, sign)
    with pytest.raises(Refused, match="log_behind_witness"):
        await keeper_store.write(lambda tx: tx.checkpoint(origin, size, root, note), NOW)
    await store.write(lambda tx: tx.put("throttle", {"name": "n", "value": "1", "updated_at": NOW}), NOW)  # counters are not in the log
    begun = next_epoch(origin)
    notice = Change("epoch", (begun,), dumps({"at": NOW, "event": "epoch_begun", "seen": [{"size": size + 7}], "size": size}))
    await KeptRows(keeper_store).write([notice], NOW)
    async with store.reading() as tx:
        notice, name = (json.loads(leaf) for leaf in await Log(tx).entries(size, size + 2))
        assert (await tx.head()).frozen is None
    assert (notice["event"], notice["size"], notice["seen"][0]["size"]) == ("epoch_begun", size, size + 7)
    assert (name["event"], name["before"], name["origin"], name["why"]) == ("log_begun", origin, begun, "log_behind_witness")
    await publish(store, keeper_store, begun)
    found = await cosigner.cosign_newest(NOW)
    assert found is not None
    assert found.reached
    assert (await check(database.owner, VKEY)).differences == ()


async def test_a_rebuilt_database_is_refused(store, keeper_store, database, three):
    """The same size or longer, signed by the right key, and another history."""
    origin = f"{database.engine}-2.example/log"
    cosigner = Cosigner(store, Witnesses(policy_of(three, VKEY), [each.url for each in three]))
    other = GrowingLog(origin=origin, key=None).grow(6)  # type: ignore[arg-type]  # what was there before

    async def proof(old: int, new: int) -> list[bytes]:
        return other.proof(old, new)

    before = sign_note(Checkpoint(origin, 6, merkle.root(other.leaves)).text(), VKEY, sign)
    assert (await cosigner.witnesses.gather(before, proof)).reached
    await store.write(lambda tx: tx.begin_log(origin, "system"), NOW)
    for grow in (5, 7):
        assert await publish(store, keeper_store, origin, grow) >= 6
        with pytest.raises(Refused, match="log_differs_from_witness"):
            await cosigner.cosign_newest(NOW)
        with pytest.raises(Refused, match="log_differs_from_witness"):
            await publish(store, keeper_store, origin, 1)
        await store.write(lambda tx: tx.freeze(None), NOW)  # somebody with the database's password goes on: the witness still refuses


async def test_a_witness_is_left_alone_while_it_does_not_answer_and_asked_again_later(store, keeper_store, database, three):
    origin = f"{database.engine}-3.example/log"
    await store.write(lambda tx: tx.begin_log(origin, "system"), NOW)
    urls = ["http://127.0.0.1:1", *(each.url for each in three)]
    cosigner = Cosigner(store, Witnesses(policy_of(three, VKEY), urls), {urls[0]: "away", urls[1]: "w0"})
    size = await publish(store, keeper_store, origin, 2)

    async def asked(now: int) -> set[str]:
        found = await cosigner.cosign_newest(now)
        assert found is not None
        assert await cosigner.reached(found)
        return {each.address for each in found.replies}

    assert await asked(NOW) == set(urls)
    assert urls[0] not in await asked(NOW + 1)
    assert cosigner.wait_seconds(NOW + 1) == 1
    assert urls[0] in await asked(NOW + 2)
    assert urls[0] not in await asked(NOW + 5)
    assert urls[0] in await asked(NOW + 6)
    async with store.reading() as tx:
        states = {row["witness"]: (row["code"], row["size"], row["good_at"]) for row in await tx.all("witness_state")}
        fresh = await Log(tx).file("checkpoint")
        first = (await tx.one("witness_note", witness="w0", size=size, origin=origin))["line"]
    assert states == {"away": ("witness_silent", 0, 0), "w0": ("", size, NOW + 6)}
    assert is_reached(fresh, policy_of(three, VKEY), None)
    assert (first in fresh) == (first == fresh.splitlines(keepends=True)[-3])


async def test_a_witness_that_is_no_longer_asked_or_cosigns_after_all_lets_the_log_go_on(store, keeper_store, database, three):
    origin = f"{database.engine}-0.example/log/epoch-2"
    await store.write(lambda tx: tx.begin_log(origin, "system"), NOW)
    await publish(store, keeper_store, origin, 2)
    cosigner = Cosigner(store, Witnesses(policy_of(three, VKEY), [each.url for each in three]))
    for place in (three[0].url, "http://127.0.0.1:1"):
        frozen = Frozen("log_behind_witness", place, 2, 9, NOW)
        await store.write(lambda tx, frozen=frozen: tx.freeze(frozen), NOW)
        assert await cosigner.cosign_newest(NOW) is not None
        async with store.reading() as tx:
            assert (await tx.head()).frozen is None
    away = Cosigner(store, Witnesses(policy_of(three, VKEY), ["http://127.0.0.1:1"]))
    await store.write(lambda tx: tx.freeze(frozen), NOW)
    with pytest.raises(Refused, match="log_behind_witness"):  # silence thaws nothing
        await away.cosign_newest(NOW)


def test_epochs_count():
    assert next_epoch("a/log") == "a/log/epoch-2"
    assert next_epoch("a/log/epoch-2") == "a/log/epoch-3"
    assert first_name("a/log/epoch-12") == first_name("a/log") == "a/log"
    assert next_epoch("a/log/epoch-x") == "a/log/epoch-x/epoch-2"


# The client -----------------------------------------------------------------------------------------------------------------------------------


@contextmanager
def liar(mode: str) -> Iterator[str]:
    """A witness that is none."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            if mode == "hangs":
                ended.wait(20)
                return
            kind = "text/x.tlog.size" if mode.startswith("409") else "text/plain"
            status, body = {
                "409 for ever": (409, b"1\n"),
                "409 garbage": (409, b"\xff\n"),
                "409 without type": (409, b"3\n"),
                "huge": (200, b"x" * (1 << 20)),
                "redirects": (302, b""),
                "garbage": (200, b"\x00\xff"),
                "nothing": (200, b""),
                "500": (500, b""),
                "400": (400, b""),
                "403": (403, b""),
                "404": (404, b""),
            }[mode]
            self.send_response(status)
            self.send_header("Content-Type", "text/plain" if mode == "409 without type" else kind)
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """A client that went away is no fault of the test."""

    ended = threading.Event()
    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        ended.set()
        server.shutdown()
        server.server_close()
        thread.join()


CODES = {
    "409 for ever": "witness_silent",
    "409 garbage": "witness_silent",
    "409 without type": "witness_silent",
    "huge": "witness_silent",
    "redirects": "witness_silent",
    "garbage": "witness_of_other_key",
    "nothing": "witness_of_other_key",
    "500": "witness_silent",
    "400": "witness_malformed",
    "403": "witness_distrusts_key",
    "404": "witness_knows_no_such_log",
    "hangs": "witness_silent",
}


async def test_who_lies_or_hangs_is_named_and_the_others_cosign(three):
    log = GrowingLog(origin=f"{ORIGIN}0").grow(9)

    async def proof(old: int, new: int) -> list[bytes]:
        return log.proof(old, new)

    with ExitStack() as stack:
        liars = {mode: stack.enter_context(liar(mode)) for mode in CODES}
        asked = Witnesses(policy_of(three, log.vkey), [*liars.values(), "http://127.0.0.1:1", *(each.url for each in three)], seconds=2.0)
        found = await asked.gather(log.note(), proof)
        assert found.reached
        codes = {reply.address: reply.code for reply in found.refused}
        assert codes == {**{liars[mode]: code for mode, code in CODES.items()}, "http://127.0.0.1:1": "witness_silent"}
        check_not_behind(found)
        log.grow(30)
        assert (await asked.gather(log.note(), proof)).reached


async def test_couriers_at_once_all_end_with_a_quorum_or_are_past(three):
    log = GrowingLog(origin=f"{ORIGIN}1").grow(60)

    async def proof(old: int, new: int) -> list[bytes]:
        return log.proof(old, new)

    policy = policy_of(three, log.vkey)
    found = await asyncio.gather(*(Witnesses(policy, [each.url for each in three]).gather(log.note(size), proof) for size in range(41, 61)))
    assert found[-1].reached
    for each in found:
        assert {reply.code for reply in each.refused} <= {"witness_ahead", "witness_silent"}


async def test_a_second_policy_has_its_own_lines(three):
    log = GrowingLog(origin=f"{ORIGIN}2").grow(4)

    async def proof(old: int, new: int) -> list[bytes]:
        return log.proof(old, new)

    key = three[0].store.signers()[1][0]
    second = Policy(log.vkey, {"w0": key}, {}, "w0")
    found = await Witnesses(policy_of(three, log.vkey), [each.url for each in three], second).gather(log.note(), proof)
    assert found.reached
    assert is_reached(found.note, policy_of(three, log.vkey), second)
    missing = await Witnesses(policy_of(three, log.vkey), [each.url for each in three[1:]], second).gather(log.note(), proof)
    assert not missing.reached


def test_addresses_stand_in_a_policy():
    text = "log {k}\nwitness a {k} https://a.example/\nwitness b {k}\n# witness c {k} https://c.example\nquorum none\n"
    assert addresses_of(text) == ["https://a.example/"]
