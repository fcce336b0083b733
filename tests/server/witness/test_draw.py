"""`draw run` with three witnesses in processes of their own: checks A1, A2, T2, T5 pass; a restored log and a rebuilt one are refused."""

from __future__ import annotations

import json
import shutil
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from drawing.keys import parse_keys
from drawing.verify import Files, verify
from server.__main__ import cli
from server.commands import draw, shared
from server.folder import open_keys
from server.keyfiles import make_key, write_key
from server.library.demo import make_library
from server.networks import network_bytes
from tests.conftest import ROOT
from tests.scenario import ToyNetwork
from tests.server.beacon.relay import Clock, relay
from tests.server.witness.world import Process, begin, witness

WORKS = ROOT / "docs/examples/works.toml"


def lotroom(*words: object):  # type: ignore[no-untyped-def]
    return CliRunner().invoke(cli, [*(str(word) for word in words), "--lang", "en"], catch_exceptions=False)


@pytest.fixture(scope="module")
def library(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("library") / "library.csv"
    make_library(400, 5, path)
    return path


class SharedClock(Clock):
    """The clock of the test and of the witnesses, which read from a file how far ahead it is."""

    def __init__(self, path: Path) -> None:
        self.start = int(datetime.now(UTC).timestamp())
        super().__init__(self.start)
        self.path = path
        self.path.write_text("0")

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        self.path.write_text(str(self.now() - int(datetime.now(UTC).timestamp())))


class House:
    """A centre with a beacon network, three witnesses of other bodies, and a monitor's key."""

    def __init__(self, tmp_path: Path, clock: SharedClock) -> None:
        self.tmp, self.clock = tmp_path, clock
        self.toy = ToyNetwork("local", genesis=clock.now() - 30_000)
        self.out = tmp_path / "draw"
        keys = self.out / "keys"
        keys.mkdir(parents=True)
        (keys / "toy.network").write_bytes(network_bytes(self.toy.network))
        self.monitor = make_key("monitor", "bureau/monitor", "Bureau")
        write_key(self.monitor, tmp_path / "monitor.key")
        shutil.copy(tmp_path / "monitor.key.pub", keys)
        log = make_key("log")
        write_key(log, keys / "log-1.key")
        self.log_key = log.vkey
        self.origin = draw.log_origin(log)

    def witnesses(self, stack: ExitStack, count: int = 3) -> list[Process]:
        env = {"TEST_CLOCK": str(self.clock.path)}
        found = [stack.enter_context(witness(self.tmp / f"w{n}", (self.origin, self.log_key), env=env)) for n in range(count)]
        for n, each in enumerate(found):
            shutil.copy(each.folder / "witness.key.pub", self.out / "keys" / f"w{n}.key.pub")
        return found

    def run(self, library: Path, relayed: str, witnesses: list[str], *more: str):  # type: ignore[no-untyped-def]
        given = [word for url in witnesses for word in ("--witness", url)]
        answers = self.tmp / "answers.csv"
        answers.write_text("0,left,away\n", "utf-8")
        words = ("--out", self.out, "--answers", answers, "--relay", relayed, "--wait", *given, *more)
        return lotroom("draw", "run", library, WORKS, *words)

    def report(self):  # type: ignore[no-untyped-def]
        return verify(Files(*((self.out / name).read_bytes() for name in ("proof.json", "keys.json", "roll.bin"))))


@pytest.fixture
def house(tmp_path, monkeypatch) -> House:
    clock = SharedClock(tmp_path / "clock")
    monkeypatch.setattr(shared, "clock", clock.now)
    monkeypatch.setattr(shared, "sleep", clock.sleep)
    return House(tmp_path, clock)


def test_a_draw_that_three_witnesses_watch_passes_every_check_of_theirs(house, library):
    with ExitStack() as stack:
        relayed, _ = stack.enter_context(relay(house.toy))
        three = house.witnesses(stack)
        urls = [each.url for each in three]
        done = house.run(library, relayed, urls)
        assert done.exit_code == 0, done.output
        report = house.report()
        assert report.failed == ()
        for check in ("A1", "A2", "T2", "T4", "T5"):
            assert report.outcome(check).status == "passed", check
        policy = parse_keys((house.out / "keys.json").read_bytes()).newest.log_policy
        assert policy.groups == {"most": (3, ("w1", "w2", "w3"))}
        sizes = {each.show()["logs"][0]["size"] for each in three}
        assert len(sizes) == 1

        # A monitor reads the log over HTTP and signs; the proof then says that this is the only draw.
        tiles = begin(house.out / "log", "tiles", str(house.out / "log"))
        stack.callback(tiles.stop)
        (house.out / "monitors").mkdir()
        said = lotroom(
            "witness", "monitor", tiles.url, "--origin", house.origin, "--keys", house.out / "keys.json",
            "--key", house.tmp / "monitor.key", "--out", house.out / "monitors" / "bureau.json", "--state", house.tmp / "seen.json",
        )  # fmt: skip
        assert said.exit_code == 0, said.output
        house.clock.sleep(5)
        assert house.run(library, relayed, urls).exit_code == 0
        report = house.report()
        assert report.failed == ()
        assert report.outcome("C3").status == "passed"

        # An older copy of the log is put back: it may be read, not written.
        log = house.out / "log"
        kept = json.loads((house.tmp / "seen.json").read_bytes())
        assert kept["size"] in sizes
        rolled_back(house, log)
        refused = house.run(library, relayed, urls)
        assert refused.exit_code == 1
        assert "[log_behind_witness]" in refused.output


def rolled_back(house: House, log: Path) -> None:
    """The log as it was two events ago, rightly signed."""
    from drawing.note import Policy
    from server.tilelog import TileLog

    key = open_keys(house.out / "keys", log).log
    policy = Policy(key.vkey, {})
    with TileLog.open(log, policy) as whole:
        entries, origin = whole.entries(), whole.origin
    shutil.rmtree(log)
    with TileLog.create(log, origin, key.vkey, key.sign) as older:
        older.append(entries[:-4])


def test_without_a_quorum_a_draw_waits_and_goes_on_when_the_witness_is_back(house, library):
    with ExitStack() as stack:
        relayed, _ = stack.enter_context(relay(house.toy))
        three = house.witnesses(stack)
        urls = [each.url for each in three]
        three[2].stop()
        waits = house.run(library, relayed, urls)
        assert waits.exit_code == 3, waits.output
        assert "Too few witnesses" in waits.output and "witness_silent" in waits.output
        assert not (house.out / "proof.json").exists()
        env = {"TEST_CLOCK": str(house.clock.path)}
        back = stack.enter_context(witness(house.tmp / "w2", env=env))
        done = house.run(library, relayed, [*urls[:2], back.url])
        assert done.exit_code == 0, done.output
        assert house.report().failed == ()


def test_an_attempt_is_abandoned_without_its_witness_and_proved_when_it_is_back(house, library):
    with ExitStack() as stack:
        relayed, _ = stack.enter_context(relay(house.toy))
        one = house.witnesses(stack, 1)[0]
        later, answers = house.tmp / "later.toml", house.tmp / "answers.csv"
        later.write_text(WORKS.read_text("utf-8").replace('"+40m"', '"+9000m"'), "utf-8")
        answers.write_text("", "utf-8")
        more = ("--answers", answers, "--relay", relayed, "--wait")
        begun = lotroom("draw", "run", library, later, "--out", house.out, "--witness", one.url, *more)
        assert begun.exit_code == 3, begun.output
        assert house.report().failed == ()
        one.stop()
        reason = ("--reason", "cancelled", "--paper", "2026-1")
        ended = lotroom("draw", "abandon", library, later, "--out", house.out, "--witness", one.url, *reason)
        assert ended.exit_code == 3, ended.output
        assert "Too few witnesses" in ended.output
        back = stack.enter_context(witness(one.folder, env={"TEST_CLOCK": str(house.clock.path)}))
        lotroom("draw", "run", library, later, "--out", house.out, "--witness", back.url, *more)
        report = house.report()
        assert report.failed == ()
        assert report.outcome("A2").status == "passed"
        assert b'"type":"abandoned"' in (house.out / "proof.json").read_bytes()


def test_who_names_no_addresses_or_the_wrong_ones_is_told_so(house, library):
    with ExitStack() as stack:
        relayed, _ = stack.enter_context(relay(house.toy))
        one = house.witnesses(stack, 1)[0]
        refused = house.run(library, relayed, [])
        assert "[no_witness_addresses]" in refused.output
        assert "[bad_address]" in house.run(library, relayed, ["file:///etc"]).output
        assert "[bad_address]" in house.run(library, relayed, [one.url, one.url]).output
        write_key(make_key("witness", "own/w"), house.out / "keys" / "own.key")
        assert "[witness_secret_here]" in house.run(library, relayed, [one.url]).output
