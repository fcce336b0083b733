"""A witness process answers as C2SP tlog-witness says, remembers before it answers, and says one history whatever comes at once."""

from __future__ import annotations

import base64
import os
import signal
import socket
import urllib.error
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from nacl.signing import SigningKey

from drawing import merkle
from drawing.errors import Refused
from drawing.note import MLDSA_COSIGNATURE, Checkpoint, Note, check_cosignature, sign_note
from server.witness.client import good_lines
from server.witness.rules import MAX_REQUEST, SIZE_TYPE, Answered, parse_request, request_bytes
from server.witness.store import WitnessStore
from tests.server.witness.world import GrowingLog, Process, begin, witness

LOGS = [GrowingLog(origin=f"test{n}.example/log") for n in range(20)]
unused = iter(LOGS)


@pytest.fixture
def log() -> GrowingLog:
    """A log that nobody has shown to the witness yet."""
    return next(unused).grow(20)


@pytest.fixture(scope="module")
def running(tmp_path_factory) -> Iterator[Process]:
    with witness(tmp_path_factory.mktemp("witness") / "w0", *((each.origin, each.vkey) for each in LOGS)) as process:
        yield process


def size_of(running: Process, log: GrowingLog) -> int:
    """How much of a log a witness has seen."""
    return next(each["size"] for each in running.show()["logs"] if each["origin"] == log.origin)


def other_history(log: GrowingLog, same: int) -> GrowingLog:
    """Another log of the same key and name, equal up to a size."""
    return GrowingLog(leaves=log.leaves[:same], origin=log.origin).grow(40, "other")


def cosigned(running: Process, log: GrowingLog, size: int, body: bytes) -> list[int]:
    """The times of the valid lines of an answer."""
    keys = [key for key, _ in running.store.signers()]
    note = log.note(size)
    found = dict(good_lines(note, body, keys))
    assert b"".join(found.values()) == body
    return [check_cosignature(key, Note.parse(note, "").text, base64.b64decode(line.split()[-1])[4:], "") for key, line in found.items()]


def test_what_a_witness_answers_in_the_order_of_a_log_s_life(running, log):
    post = running.post
    status, body, kind = post(log.request(0, 5))
    assert status == 200 and cosigned(running, log, 5, body)
    assert kind == "text/plain; charset=utf-8"
    assert post(log.request(5, 5))[0] == 200  # the same again: a fresh time
    assert post(log.request(5, 9))[0] == 200
    assert post(log.request(5, 12)) == (409, b"9\n", SIZE_TYPE)  # another old size: the known one
    assert post(log.request(0, 12)) == (409, b"9\n", SIZE_TYPE)
    assert post(log.request(5, 5)) == (409, b"9\n", SIZE_TYPE)  # no way back
    other = other_history(log, 3)
    assert post(other.request(9, 9)) == (409, b"9\n", SIZE_TYPE)  # the same size, another root
    assert post(other.request(9, 12))[0] == 422
    assert post(request_bytes(9, [], log.note(12)))[0] == 422
    assert post(request_bytes(9, [*log.proof(9, 12), bytes(32)], log.note(12)))[0] == 422
    assert post(request_bytes(9, [bytes(32)], log.note(9)))[0] == 422
    assert post(log.request(9, 12))[0] == 200
    assert size_of(running, log) == 12


def test_who_is_not_trusted_is_told_so(running, log):
    stranger = GrowingLog(SigningKey(bytes([8]) * 32), origin=log.origin).grow(5)
    assert running.post(stranger.request(0, 5))[0] == 403
    assert running.post(GrowingLog(origin="other.example/log").grow(5).request(0, 5))[0] == 404
    line = stranger.note(5).rpartition(b"\n\n")[2]
    assert running.post(log.request(0, 5) + line)[0] == 200  # signatures of unknown keys are passed over
    forged = log.note(6).replace(b"\n6\n", b"\n7\n")
    assert running.post(request_bytes(5, log.proof(5, 7), forged))[0] == 403
    assert size_of(running, log) == 5


MALFORMED = {
    "nothing": lambda log: b"",
    "no_old": lambda log: log.request(0, 5).removeprefix(b"old "),
    "zeroes": lambda log: log.request(0, 5).replace(b"old 0", b"old 00"),
    "plus": lambda log: log.request(0, 5).replace(b"old 0", b"old +0"),
    "two_spaces": lambda log: log.request(0, 5).replace(b"old 0", b"old  0"),
    "carriage_return": lambda log: log.request(0, 5).replace(b"old 0\n", b"old 0\r\n"),
    "old_larger": lambda log: request_bytes(9, [], log.note(5)),
    "no_blank_line": lambda log: log.request(0, 5).replace(b"old 0\n\n", b"old 0\n"),
    "short_hash": lambda log: request_bytes(2, [bytes(31)], log.note(5)),
    "bad_base64": lambda log: b"old 2\n" + base64.b64encode(bytes(32))[:-2] + b"==\n\n" + log.note(5),
    "64_hashes": lambda log: request_bytes(2, [bytes(32)] * 64, log.note(5)),
    "no_signature": lambda log: b"old 0\n\n" + log.note(5).partition(b"\n\n")[0] + b"\n",
    "extension": lambda log: b"old 0\n\n" + sign_note(Checkpoint(log.origin, 5, bytes(32)).text() + "more\n", log.vkey, log.sign),
    "not_utf8": lambda log: b"old 0\n\n\xff" + log.note(5),
    "negative": lambda log: log.request(0, 5).replace(b"\n5\n", b"\n-5\n"),
}


def test_what_is_malformed_is_400_and_changes_nothing(running, log):
    for name, make in MALFORMED.items():
        status, _, _ = running.post(make(log))
        assert status == 400, name
    assert running.post(b"x" * (MAX_REQUEST + 1))[0] == 413
    assert running.post(log.request(0, 5), "/other")[0] == 404
    assert size_of(running, log) == 0
    assert running.process.poll() is None


def test_a_request_s_parser_and_writer_are_a_pair(log):
    parsed = parse_request(log.request(5, 12))
    assert (parsed.old, list(parsed.proof), parsed.checkpoint.size) == (5, log.proof(5, 12), 12)
    for body in (b"old 1", b"\xff\n\nx", b"old 1\n\n"):
        with pytest.raises(Answered):
            parse_request(body)


def test_a_hundred_at_once_make_one_history(running, log):
    """The roll-back race: whatever order requests are judged in, the cosigned sizes only grow, each from the one before."""
    log.grow(140)
    assert running.post(log.request(0, 20))[0] == 200
    with ThreadPoolExecutor(100) as pool:
        answers = list(pool.map(lambda new: (new, running.post(log.request(20, new))), range(41, 141)))
    won = [new for new, answer in answers if answer[0] == 200]
    assert len(won) == 1
    assert {answer for _, answer in answers if answer[0] != 200} == {(409, f"{won[0]}\n".encode(), SIZE_TYPE)}
    assert size_of(running, log) == won[0]

    def climb(new: int) -> list[tuple[int, int]]:
        """A courier of its own, which follows every 409 until it is past."""
        old, steps = 20, []
        while old < new:
            status, body, _ = running.post(log.request(old, new))
            if status == 200:
                steps.append((old, new))
                return steps
            assert status == 409
            old = int(body)
        return steps

    with ThreadPoolExecutor(100) as pool:
        steps = sorted(step for each in pool.map(climb, range(41, 141)) for step in each)
    assert [old for old, _ in steps] == [won[0], *(new for _, new in steps[:-1])]
    assert size_of(running, log) == 140


def test_two_histories_at_once_are_never_both_cosigned(running, log):
    log.grow(40)
    other = other_history(log, 20)
    assert running.post(log.request(0, 20))[0] == 200
    with ThreadPoolExecutor(40) as pool:
        asked = [(each, new) for new in range(21, 41) for each in (log, other)]
        answers = list(pool.map(lambda one: running.post(one[0].request(20, one[1]))[0], asked))
    assert answers.count(200) == 1


@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_between_memory_and_answer_it_has_said_nothing_that_it_does_not_know_of(tmp_path, log, when):
    folder = tmp_path / "w0"
    with witness(folder, (log.origin, log.vkey), env={"TEST_DIE": when}) as running:
        assert running.post(log.request(0, 5))[0] == 200
        with pytest.raises((urllib.error.URLError, ConnectionError, OSError)):
            running.post(log.request(5, 7))
        assert running.process.wait(10) == -signal.SIGKILL
    with witness(folder) as running:
        known = 5 if when == "before" else 7
        assert size_of(running, log) == known
        other = other_history(log, 5)
        assert running.post(log.request(known, 7))[0] == 200
        assert running.post(other.request(5, 7))[0] == 409
        assert running.post(other.request(7, 9))[0] == 422


def test_one_process_answers_for_a_witness(running, capfd):
    with pytest.raises(AssertionError):
        begin(running.folder, "serve", str(running.folder))
    assert "[witness_runs]" in capfd.readouterr().err


def test_an_altered_memory_stops_it(tmp_path, log):
    folder = tmp_path / "w0"
    with witness(folder, (log.origin, log.vkey)) as running:
        assert running.post(log.request(0, 5))[0] == 200
        path = next((folder / "seen").iterdir())
        path.write_bytes(path.read_bytes().replace(b"\n5\n", b"\n4\n"))
        assert running.post(log.request(5, 7))[0] == 503
    with pytest.raises(Refused, match="witness_memory_altered"):
        WitnessStore(folder).seen(log.origin, (log.vkey,))


def test_a_full_disk_is_no_cosignature(tmp_path, log):
    folder = tmp_path / "w0"
    with witness(folder, (log.origin, log.vkey)) as running:
        (folder / "seen").rename(folder / "away")
        assert running.post(log.request(0, 5))[0] == 503
        (folder / "away").rename(folder / "seen")
        assert running.post(log.request(0, 5))[0] == 200


def test_slow_bodies_are_closed(running, log):
    body = log.request(0, 5)
    with socket.create_connection(("127.0.0.1", int(running.url.rpartition(":")[2])), timeout=15) as slow:
        slow.sendall(b"POST /add-checkpoint HTTP/1.1\r\nHost: w\r\nContent-Length: %d\r\n\r\n" % len(body) + body[:10])
        assert running.post(body)[0] == 200  # nobody waits for the slow one
        assert b" 408 " in slow.recv(1000)


def test_a_second_key_signs_the_subtree_form(tmp_path, log):
    with witness(tmp_path / "w0", (log.origin, log.vkey), second=True) as running:
        status, body, _ = running.post(log.request(0, 5))
        assert status == 200
        assert len(cosigned(running, log, 5, body)) == 2
        assert [key.algorithm for key, _ in running.store.signers()][1] == MLDSA_COSIGNATURE


def test_an_empty_log_is_cosigned_too_and_only_with_its_root(running, log):
    assert running.post(request_bytes(0, [], sign_note(Checkpoint(log.origin, 0, bytes(32)).text(), log.vkey, log.sign)))[0] == 409
    assert running.post(request_bytes(0, [], log.note(0)))[0] == 200
    assert merkle.root([]) == merkle.EMPTY
    assert running.post(log.request(0, 5))[0] == 200


def test_keys_are_readable_by_their_holder_alone(tmp_path):
    folder = tmp_path / "w"
    store = WitnessStore.create(folder, "", "Notary", second=True)
    for name in ("witness.key", "witness-mldsa.key"):
        assert (folder / name).stat().st_mode & 0o077 == 0
        os.chmod(folder / name, 0o644)
        with pytest.raises(Refused, match="key_readable_by_others"):
            store.signers()
        os.chmod(folder / name, 0o600)
    with pytest.raises(Refused, match="file_exists"):
        WitnessStore.create(folder, "", "Notary", second=False)
    Path(folder / "logs").write_text("nonsense\n")
    with pytest.raises(Refused, match="bad_logs_file"):
        store.logs()
