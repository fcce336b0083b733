"""What a node keeps and what it answers: files, crashes, peers that lie, and the dealer of demonstrations."""

from __future__ import annotations

import asyncio
import os
import socket
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web as aioweb
from click.testing import CliRunner

from drawing.beacon import Local, verify_round
from drawing.errors import Refused
from server.__main__ import cli
from server.beacon.dealer import deal
from server.beacon.group import Group, read_group
from server.beacon.node import MAX_JOINING, Node, Peer, listening
from server.beacon.setup import Board
from server.beacon.shares import sign_partial
from server.beacon.store import Store
from server.fetch import ask, open_session
from server.files import write_whole
from server.keyfiles import make_key, write_key
from server.networks import read_network
from tests.server.beacon.test_setup import Room

NOW = 1_800_000_000


def dealt(folder: Path, count: int = 3) -> Group:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    addresses = [f"http://127.0.0.1:{each.getsockname()[1]}" for each in sockets]
    for each in sockets:
        each.close()
    return deal(folder, name="d", addresses=addresses, period=3, now=NOW, chance=os.urandom)


def node(folder: Path, number: int, said: list[str] | None = None, now: int = NOW + 300) -> Node:
    heard = said if said is not None else []
    return Node(Store(folder / f"node-{number}"), lambda: now, os.urandom, lambda code, **_: heard.append(code))


@asynccontextmanager
async def serving(*nodes: Node):  # type: ignore[no-untyped-def]
    runners = []
    try:
        for each in nodes:
            runner = aioweb.AppRunner(each.application(), access_log=None)
            await runner.setup()
            host, _, port = each.group.member(each.number).address.removeprefix("http://").partition(":")
            await aioweb.TCPSite(runner, host, int(port)).start()
            runners.append(runner)
        yield
    finally:
        for runner in runners:
            await runner.cleanup()


def test_two_of_three_join_a_value_and_a_peer_that_lies_is_named(tmp_path):
    dealt(tmp_path)
    said: list[str] = []
    one, liar, three = node(tmp_path, 1, said), node(tmp_path, 2), node(tmp_path, 3)
    liar.partial = lambda number: sign_partial(12345, number)  # type: ignore[method-assign]
    network = read_network(tmp_path / "network.json")
    assert isinstance(network, Local)
    assert network.operator_can_sign

    async def play() -> bytes:
        async with serving(liar, three):
            return await one.value(7)

    assert verify_round(network.public_key, 7, asyncio.run(play()))
    assert set(said) <= {"beacon_bad_partial"}  # the liar may have been slower than the honest one

    async def alone() -> None:
        async with serving(liar):
            await one.value(8)

    with pytest.raises(Refused) as refused:
        asyncio.run(alone())
    assert refused.value.code == "too_few_partials"
    assert "beacon_bad_partial" in said


def test_a_node_signs_nothing_before_its_time_by_its_own_clock(tmp_path):
    group = dealt(tmp_path)
    early = node(tmp_path, 1, now=NOW + 17)
    assert early.partial(6)
    for number in (7, 10**9):
        with pytest.raises(Refused) as refused:
            early.partial(number)
        assert refused.value.code == "round_not_due"
        with pytest.raises(Refused):
            asyncio.run(early.value(number))
    assert early.current == 6
    assert group.threshold == 2


def test_questions_are_bounded_and_asked_again_cost_nothing(tmp_path):
    dealt(tmp_path)
    one, two = node(tmp_path, 1), node(tmp_path, 2)

    async def play() -> None:
        async with serving(two):
            first = await asyncio.gather(*(one.value(5) for _ in range(40)))
            assert len(set(first)) == 1
        assert await one.value(5) == first[0]  # nobody is there any more: it is remembered
        tasks = [asyncio.create_task(one.value(20 + n)) for n in range(MAX_JOINING)]
        await asyncio.sleep(0)
        with pytest.raises(Refused) as refused:
            await one.value(90)
        assert refused.value.code == "node_busy"
        assert all(isinstance(each, Refused) for each in await asyncio.gather(*tasks, return_exceptions=True))

    asyncio.run(play())


def test_the_routes_answer_in_drand_s_form(tmp_path):
    dealt(tmp_path)
    one, two = node(tmp_path, 1), node(tmp_path, 2)
    base = one.group.member(1).address

    async def play() -> dict[str, int]:
        found = {}
        async with serving(one, two), open_session(5.0) as session:
            for path in ("/info", "/health", "/public/latest", "/public/3", "/public/99999999", "/public/x", "/node/partial/3", "/other"):
                found[path] = (await ask(session, base + path, 65_536))[0]
            found["/wrong/info"] = (await ask(session, f"{base}/{'0' * 64}/info", 65_536))[0]
        return found

    assert asyncio.run(play()) == {
        "/info": 200, "/health": 200, "/public/latest": 200, "/public/3": 200, "/public/99999999": 404, "/public/x": 404,
        "/node/partial/3": 200, "/other": 404, "/wrong/info": 404,
    }  # fmt: skip


def test_connections_are_few_and_short(tmp_path):
    dealt(tmp_path)
    one = node(tmp_path, 1)
    port = int(one.group.member(1).address.rpartition(":")[2])

    async def play() -> list[bytes]:
        found = []
        async with listening(one, "127.0.0.1", port, most=3, seconds=0.6):
            slow = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
            await asyncio.sleep(0.1)
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            found.append(await asyncio.wait_for(reader.read(), 0.4))  # one too many: closed at once
            writer.close()
            for each, held in slow:
                held.write(b"GET /info HTT")
                found.append(await asyncio.wait_for(each.read(), 2))  # never sent its question: closed after a while
                held.close()
            async with open_session(2.0) as session:
                found.append(str((await ask(session, f"http://127.0.0.1:{port}/info", 65_536))[0]).encode())
        return found

    assert asyncio.run(play()) == [b"", b"", b"", b"", b"200"]


def test_a_node_without_a_share_says_so(tmp_path):
    room = Room(3)
    folder = tmp_path / "node-1"
    folder.mkdir()
    write_key(make_key("node", body="body 0"), folder / "node.key")
    write_whole(folder / "group.json", room.group.data + b"\n")
    with pytest.raises(Refused) as refused:
        node(tmp_path, 1)
    assert refused.value.code == "not_in_group"


def test_files_that_others_can_read_or_that_are_of_another_group_are_refused(tmp_path):
    dealt(tmp_path)
    dealt(tmp_path / "other")
    key = tmp_path / "node-1" / "node.key"
    key.chmod(0o640)
    with pytest.raises(Refused) as refused:
        node(tmp_path, 1)
    assert refused.value.code == "key_readable_by_others"
    key.chmod(0o600)
    network = tmp_path / "node-1" / "network.json"
    kept = network.read_bytes()
    network.write_bytes((tmp_path / "other" / "node-1" / "network.json").read_bytes())
    with pytest.raises(Refused) as refused:
        node(tmp_path, 1)
    assert refused.value.code == "other_group"
    network.write_bytes(kept)
    moved = read_group(tmp_path / "node-1" / "group.json")
    data = moved.data.replace(b"127.0.0.1", b"127.0.0.2")
    write_whole(tmp_path / "node-1" / "group.json", data + b"\n")  # a node that moved house is the same node
    assert node(tmp_path, 1).status == "ready"


def test_a_torn_last_line_of_the_board_was_never_said(tmp_path):
    room = Room(3)
    store = Store(tmp_path)
    deal_message = room.parties[0].deal(room.polynomials[0])
    store.append(deal_message)
    with (tmp_path / "board.jsonl").open("ab") as stream:
        stream.write(deal_message.data[:50])
    board = store.board(room.group)
    assert list(board.all()) == [deal_message]
    assert (tmp_path / "board.jsonl").read_bytes() == deal_message.data + b"\n"
    assert store.polynomial() is None
    store.keep_polynomial(room.polynomials[0])
    assert store.polynomial() == room.polynomials[0]
    assert (tmp_path / "polynomial.json").stat().st_mode & 0o777 == 0o600
    with pytest.raises(Refused):
        store.keep_polynomial(room.polynomials[1])  # a second polynomial would be a second deal
    assert isinstance(store.board(room.group), Board)


def test_a_peer_that_does_not_answer_is_left_alone_longer_and_longer():
    peer = Peer(1, "http://x")
    waits = []
    for _ in range(9):
        peer.failed(100.0)
        waits.append(peer.not_before - 100.0)
    assert waits == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]
    peer.answered()
    assert (peer.failures, peer.not_before) == (0, 0.0)


def test_commands_make_keys_and_a_group_that_all_can_compare(tmp_path):
    for number in range(3):
        made = CliRunner().invoke(cli, ["beacon", "init", "--body", f"单位{number}", "--out", str(tmp_path / f"n{number}")])
        assert made.exit_code == 0, made.output
    nodes = [word for n in range(3) for word in ("--node", f"{tmp_path}/n{n}/node.key.pub=http://127.0.0.1:{9000 + n}")]
    out = tmp_path / "group.json"
    made = CliRunner().invoke(cli, ["beacon", "group", "--name", "local-1", *nodes, "--out", str(out), "--lang", "en"])
    assert made.exit_code == 0, made.output
    shown = CliRunner().invoke(cli, ["beacon", "show", str(out), "--lang", "en"])
    assert shown.output == made.output
    group = read_group(out)
    assert group.digest.hex()[:8] in made.output
    assert {each.body for each in group.members} == {"单位0", "单位1", "单位2"}
    assert CliRunner().invoke(cli, ["beacon", "group", "--name", "x", *nodes[:4], "--out", str(tmp_path / "two.json")]).exit_code == 1


def test_the_dealer_is_for_demonstrations_and_says_so(tmp_path):
    assert CliRunner().invoke(cli, ["beacon", "deal", "--out", str(tmp_path / "x")]).exit_code == 2
    done = CliRunner().invoke(cli, ["beacon", "deal", "--insecure-demo", "--nodes", "5", "--out", str(tmp_path / "x"), "--lang", "en"])
    assert done.exit_code == 0, done.output
    assert "never for a real draw" in done.output
    network = read_network(tmp_path / "x" / "network.json")
    assert isinstance(network, Local)
    assert {each.held for each in network.nodes} == {"operator"}
    assert CliRunner().invoke(cli, ["beacon", "deal", "--insecure-demo", "--out", str(tmp_path / "x")]).exit_code == 1
    assert CliRunner().invoke(cli, ["beacon", "deal", "--insecure-demo", "--nodes", "4", "--out", str(tmp_path / "y")]).exit_code == 1
