"""Five real node processes over HTTP: they make a key together, one is killed meanwhile, two and three are killed after, and one comes back."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from drawing.beacon import Local, chain_hash, verify_round
from server.beacon.group import make_group
from server.beacon_client import Relays
from server.commands import shared
from server.keyfiles import make_key, write_key
from server.networks import network_bytes, read_network
from server.waiting import Waiting
from tests.server.beacon.relay import Clock
from tests.server.beacon.test_ceremony import WORKS, answers, library, lotroom, report_of  # noqa: F401

ROOT = Path(__file__).parents[3]
NODES = 5


def now() -> float:
    return time.clock_gettime(time.CLOCK_REALTIME)


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


@dataclass
class Nodes:
    """Processes by node, started and killed by their own ids."""

    folder: Path
    ports: list[int]
    running: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def addresses(self) -> list[str]:
        return [f"http://127.0.0.1:{port}" for port in self.ports]

    def start(self, number: int) -> None:
        out = (self.folder / f"{number}.out").open("ab")
        words = [sys.executable, "-m", "server", "beacon", "serve", str(self.folder / f"node-{number}"), "--lang", "en"]
        self.running[number] = subprocess.Popen(words, stdout=out, stderr=out, cwd=ROOT)
        out.close()

    def kill(self, number: int) -> None:
        process = self.running.pop(number)
        os.kill(process.pid, signal.SIGKILL)
        process.wait(10)

    def ask(self, number: int, path: str) -> tuple[int, dict[str, object]]:
        try:
            with urllib.request.urlopen(self.addresses[number] + path, timeout=10) as response:
                return response.status, json.loads(response.read())
        except urllib.error.HTTPError as wrong:
            with wrong:
                return wrong.code, json.loads(wrong.read() or b"{}")
        except OSError:
            return 0, {}

    def until_ready(self, numbers: list[int], seconds: float) -> None:
        end = now() + seconds
        while now() < end:
            if all(self.ask(each, "/health")[0] == 200 for each in numbers):
                return
            time.sleep(0.2)
        raise AssertionError([(each, self.ask(each, "/health"), (self.folder / f"{each}.out").read_text()) for each in numbers])

    def client(self, **more: object) -> Relays:
        return Relays(self.addresses, lambda: int(now()), time.sleep, lambda *_, **__: None, **more)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def nodes(tmp_path_factory) -> Iterator[Nodes]:
    folder = tmp_path_factory.mktemp("nodes")
    found = Nodes(folder, free_ports(NODES))
    keys = [make_key("node", body=f"body {number}") for number in range(NODES)]
    for number, key in enumerate(keys):
        (folder / f"node-{number}").mkdir()
        write_key(key, folder / f"node-{number}" / "node.key")
    group = make_group(list(zip(keys, found.addresses, strict=True)), name="test", period=1, setup_at=int(now()) + 8, phase=2)
    for number in range(NODES):
        (folder / f"node-{number}" / "group.json").write_bytes(group.data + b"\n")
    try:
        for number in range(NODES):
            found.start(number)
        while not (folder / "node-4" / "board.jsonl").exists():
            assert now() < group.setup_at + 2, (folder / "4.out").read_text()
            time.sleep(0.05)
        found.kill(4)  # in the middle of dealing: its polynomial and its deal are on disk
        found.start(4)
        found.until_ready(list(range(NODES)), 30)
        yield found
    finally:
        for number in list(found.running):
            found.kill(number)


def network_of(nodes: Nodes) -> Local:
    network = read_network(nodes.folder / "node-0" / "network.json")
    assert isinstance(network, Local)
    return network


def test_all_nodes_made_one_network_and_keep_their_secrets_to_themselves(nodes):
    files = {(nodes.folder / f"node-{n}" / "network.json").read_bytes() for n in range(NODES)}
    assert len(files) == 1
    network = network_of(nodes)
    assert (network.threshold, len(network.nodes)) == (3, 5)
    for number in range(NODES):
        folder = nodes.folder / f"node-{number}"
        for name in ("node.key", "share.json", "board.jsonl"):
            assert (folder / name).stat().st_mode & 0o777 == 0o600
        assert not (folder / "polynomial.json").exists()
    status, info = nodes.ask(0, "/info")
    assert status == 200
    assert (info["hash"], info["public_key"], info["period"]) == (chain_hash(network).hex(), network.public_key.hex(), 1)
    status, board = nodes.ask(1, "/node/board")
    deals = {each["sender"] for each in board["messages"] if each["content"]["kind"] == "deal"}  # type: ignore[union-attr, attr-defined]
    assert len(deals) >= NODES - 1  # the killed one may have come back too late to be heard


def test_nodes_answer_in_drand_s_form_and_never_before_the_time(nodes):
    network = network_of(nodes)
    time.sleep(max(0.0, network.genesis_time + 1 - now()))
    status, latest = nodes.ask(2, "/public/latest")
    assert status == 200
    number = int(str(latest["round"]))
    assert verify_round(network.public_key, number, bytes.fromhex(str(latest["signature"])))
    same = [nodes.ask(n, f"/{chain_hash(network).hex()}/public/{number}")[1]["signature"] for n in range(NODES)]
    assert set(same) == {latest["signature"]}
    ahead = number + 1000
    for path in (f"/public/{ahead}", f"/node/partial/{ahead}"):
        status, said = nodes.ask(0, path)
        assert (status, said["error"], said["due"]) == (404, "round_not_due", network.time_of(ahead))
    assert nodes.ask(0, f"/{'00' * 32}/public/{number}")[0] == 404
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(nodes.addresses[0] + "/node/board", data=b"x", timeout=5)
    assert refused.value.code == 405
    refused.value.close()


def test_a_round_that_is_not_due_is_waited_for(nodes):
    network = network_of(nodes)
    number = network.first_from(int(now()) + 2)
    with pytest.raises(Waiting) as waiting:
        nodes.client(wait=False)(network, number)
    assert (waiting.value.code, waiting.value.params["until"]) == ("beacon", network.time_of(number))
    value = nodes.client(patience=5.0)(network, number)
    assert now() >= network.time_of(number)
    assert verify_round(network.public_key, number, value)


def test_with_two_of_five_killed_a_draw_is_completed_and_with_three_it_waits_and_says_so(nodes, library, tmp_path, monkeypatch):  # noqa: F811
    network = network_of(nodes)
    time.sleep(max(0.0, network.genesis_time + 4 - now()))
    virtual = Clock(int(now()) - 603)  # the draw's clock lies behind, so that its ten minutes pass at once and the nodes' round is due
    monkeypatch.setattr(shared, "clock", virtual.now)
    monkeypatch.setattr(shared, "sleep", virtual.sleep)
    relays = [word for address in nodes.addresses for word in ("--relay", address)]

    def draw(name: str):  # type: ignore[no-untyped-def]
        out = tmp_path / name
        if not out.exists():
            (out / "keys").mkdir(parents=True)
            (out / "keys" / "test.network").write_bytes(network_bytes(network))
        words = ("--out", out, "--answers", answers(tmp_path), "--wait", "--lang", "en")
        return out, lotroom("draw", "run", library, WORKS, *words, *relays)

    nodes.kill(0), nodes.kill(3)
    out, done = draw("two-killed")
    assert done.exit_code == 0, done.output
    report = report_of(out)
    assert report.failed == ()
    assert (report.outcome("R2").status, report.facts["beacon"]["name"]) == ("passed", "test")

    nodes.kill(1)
    time.sleep(3)  # then the next draw's round is one that nobody asked for yet: values that were joined are remembered
    virtual.at = int(now()) - 602
    out, waiting = draw("three-killed")
    assert waiting.exit_code == 3
    assert "nobody gave its value" in waiting.output
    assert "too_few_partials" in waiting.output
    named = json.loads((out / "lots-1-0.json").read_bytes())["round"]

    nodes.start(1)  # the same share from the same file: the draw goes on with the same round
    nodes.until_ready([1, 2, 4], 15)
    out, done = draw("three-killed")
    assert done.exit_code == 0, done.output
    report = report_of(out)
    assert (report.failed, report.facts["beacon"]["rounds"][0]["round"]) == ((), named)
