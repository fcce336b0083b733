"""Fetching a value: from relays that lie, hang, answer 500 or say nothing, and never another round."""

from __future__ import annotations

import pytest

from drawing.errors import Refused
from server import beacon_client
from server.beacon_client import Relays
from server.waiting import Waiting
from tests.scenario import ToyNetwork
from tests.server.beacon.relay import Clock, relay

TOY = ToyNetwork("local")
NETWORK = TOY.network
ROUND = 100
DUE = NETWORK.time_of(ROUND)
WRONG = ("lies", "other round", "garbage", "curve")
SILENT = ("answers 500", "redirects", "huge")


def client(addresses: list[str], clock: Clock, said: list[tuple[str, dict[str, object]]], **more: object) -> Relays:
    return Relays(addresses, clock.now, clock.sleep, lambda code, **params: said.append((code, params)), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("mode", WRONG)
def test_a_wrong_answer_is_named_and_its_sender_is_asked_no_more(mode):
    said: list[tuple[str, dict[str, object]]] = []
    with relay(TOY, mode) as (bad, asked):
        fetch = client([bad], Clock(DUE), said, patience=5.0)
        with pytest.raises(Waiting) as waiting:
            fetch(NETWORK, ROUND)
        assert waiting.value.code == "beacon_silent"
        assert len(asked) == 1
        assert [params["relay"] for code, params in said if code == "beacon_wrong_answer"] == [bad]
        with relay(TOY) as (good, _):
            assert client([bad, good], Clock(DUE), [])(NETWORK, ROUND) == TOY.sign(ROUND)


@pytest.mark.parametrize("mode", SILENT)
def test_who_gives_no_value_is_asked_again_with_growing_pauses(mode):
    clock = Clock(DUE)
    with relay(TOY, mode) as (bad, asked):
        with pytest.raises(Waiting) as waiting:
            client([bad], clock, [], patience=10.0)(NETWORK, ROUND)
        assert len(asked) == 6
        assert clock.waited == [0.5, 1.0, 2.0, 4.0, 8.0]
        assert bad in str(waiting.value.params["heard"])
        assert all(path.endswith(f"/public/{ROUND}") for path in asked)


def test_one_honest_relay_among_bad_ones_is_enough(monkeypatch):
    monkeypatch.setattr(beacon_client, "ANSWER_SECONDS", 1.0)
    with relay(TOY, "hangs") as (one, _), relay(TOY, "lies") as (two, _), relay(TOY, "answers 500") as (three, _), relay(TOY) as (four, _):
        assert client([one, two, three, "http://127.0.0.1:9", four], Clock(DUE), [])(NETWORK, ROUND) == TOY.sign(ROUND)


def test_a_relay_that_hangs_is_given_up(monkeypatch):
    monkeypatch.setattr(beacon_client, "ANSWER_SECONDS", 0.3)
    with relay(TOY, "hangs") as (bad, _):
        with pytest.raises(Waiting) as waiting:
            client([bad], Clock(DUE), [], wait=False)(NETWORK, ROUND)
        assert "timeout" in str(waiting.value.params["heard"])


def test_before_its_time_a_round_is_waited_for_or_a_time_is_said():
    said: list[tuple[str, dict[str, object]]] = []
    with relay(TOY) as (good, asked):
        with pytest.raises(Waiting) as waiting:
            client([good], Clock(DUE - 7), [], wait=False)(NETWORK, ROUND)
        assert (waiting.value.code, waiting.value.params["until"]) == ("beacon", DUE)
        assert asked == []
        clock = Clock(DUE - 7)
        assert client([good], clock, said)(NETWORK, ROUND) == TOY.sign(ROUND)
        assert [params["seconds"] for code, params in said if code == "countdown"] == [7, 6, 5, 4, 3, 2, 1]
        assert clock.now() == DUE


def test_without_anybody_to_ask_it_says_so():
    with pytest.raises(Refused) as refused:
        client([], Clock(DUE), [])(NETWORK, ROUND)
    assert refused.value.code == "no_relays"
