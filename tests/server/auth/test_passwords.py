"""Passwords: libsodium's own reader agrees with ours, nobody is as expensive as somebody, and the queue has an end."""

from __future__ import annotations

import asyncio
import hashlib
import statistics
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl import pwhash
from nacl.exceptions import InvalidkeyError

from drawing.errors import Refused
from server.auth import passwords
from server.auth.passwords import COST, Cost, Hasher, check_password, hash_password, needs_rehash, normalise, verify_password
from tests.conftest import counts

CHEAP = Cost(8 << 10, 1)
nobody = passwords._nobody
SALT = bytes(range(16))


def refused(code: str, work, *args, **kwargs) -> Refused:
    with pytest.raises(Refused) as caught:
        work(*args, **kwargs)
    assert caught.value.code == code
    return caught.value


@given(st.text(min_size=1, max_size=40))
def test_what_was_hashed_verifies_here_and_in_libsodium(password):
    if normalise(password) is None:
        refused("password_length", hash_password, password, SALT, CHEAP)
        assert not verify_password(password, nobody(Cost(8 << 10, 1)))
        return
    stored = hash_password(password, SALT, CHEAP)
    assert verify_password(password, stored, CHEAP)
    assert not verify_password(password + "x", stored, CHEAP)
    assert pwhash.argon2id.verify(stored.encode(), normalise(password))
    with pytest.raises(InvalidkeyError):
        pwhash.argon2id.verify(stored.encode(), b"not " + normalise(password))


def test_what_libsodium_wrote_verifies_here():
    stored = pwhash.argon2id.str("密码 correct horse".encode(), opslimit=2, memlimit=16 << 10).decode()
    assert verify_password("密码 correct horse", stored)


def test_the_present_cost_is_64_mib_and_three_passes():
    stored = hash_password("a", SALT)
    assert stored.startswith("$argon2id$v=19$m=65536,t=3,p=1$")
    assert not needs_rehash(stored)
    assert needs_rehash(hash_password("a", SALT, CHEAP))
    assert needs_rehash(stored, Cost(128 << 20, 3))


@pytest.mark.parametrize("other", ["ｐassword long", "password\u3000long", "ｐａｓｓｗｏｒｄ long"])
def test_full_width_letters_are_the_same_password(other):
    assert verify_password(other, hash_password("password long", SALT, CHEAP), CHEAP)


@pytest.mark.parametrize("stored", [None, "", "x", "$argon2i$v=19$m=8,t=1,p=1$", nobody(Cost(8 << 10, 1))])
@pytest.mark.parametrize("password", ["right password", "", "x" * 5000, "\ud800"])
def test_nobody_costs_one_whole_hash(monkeypatch, stored, password):
    costs = []
    real = passwords._argon2id
    monkeypatch.setattr(passwords, "_argon2id", lambda plain, salt, cost: costs.append(cost) or real(plain, salt, cost))
    assert verify_password(password, stored, CHEAP) is False
    assert costs == [CHEAP]


def test_a_stored_hash_cannot_order_gigabytes():
    assert not verify_password("x", nobody(Cost(9_999_999 << 10, 3)))
    assert not verify_password("x", nobody(Cost(8 << 10, 999)))


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("Short-1a", "password_length"),
        ("", "password_length"),
        ("x" * 129, "password_length"),
        ("ﷺ" * 20, "password_length"),  # 18 letters each after NFKC
        ("Good-horse7\u0000stapler", "password_characters"),
        ("aaaaaaaaaaaaA1", "password_simple"),
        ("Abc1Abc1Abc1Abc1", "password_simple"),
        ("Qwertyuiop123456", "password_simple"),
        ("1qaz2wsx3edc4rfv", "password_simple"),
        ("correcthorsebat", "password_classes"),
        ("5820194736218", "password_classes"),
        ("58201947362185820194736219", "password_common"),
        ("Password!2026*7", "password_common"),
        ("P@ssw0rd-92846!", "password_common"),
        ("Woaini1314-9827", "password_common"),
        ("Zhangwei-x82!kq", "password_has_name"),
        ("zh4ngw3i-X82!kq", "password_has_name"),
        ("张伟-x82!kqLm7pQ", "password_has_name"),
        ("Ｂeijing-Ｃentre-7!", "password_has_name"),
    ],
)
def test_a_bad_password_is_refused_with_its_reason(password, code):
    refused(code, check_password, password, ["张伟", "Zhangwei", "Beijing Centre"])


@pytest.mark.parametrize(
    "password", ["Rosin-tulip-43-kelp", "correct horse battery staple", "白日依山尽，黄河入海流。欲穷千里目更上一层楼啊", "m7#Kt0vQx_2Lf"]
)
def test_a_good_password_is_taken(password):
    check_password(password, ["张伟", "Zhangwei", "Beijing Centre", ""])


async def test_at_most_one_less_than_the_cores_work_at_once_and_the_queue_has_an_end(monkeypatch):
    gate, running, most = threading.Event(), [0], [0]
    lock = threading.Lock()

    def slow(plain: bytes, salt: bytes, cost: Cost) -> bytes:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        gate.wait(10)
        with lock:
            running[0] -= 1
        return hashlib.sha256(plain + salt).digest()

    monkeypatch.setattr(passwords, "_argon2id", slow)
    hasher = Hasher(cores=4, queue=5, cost=CHEAP)
    try:
        tasks = [asyncio.ensure_future(hasher.verify("x", None)) for _ in range(8)]
        await asyncio.sleep(0.05)
        with pytest.raises(Refused) as caught:
            await hasher.verify("x", None)
        assert caught.value.code == "busy"
        assert caught.value.params["retry_after"] >= 1
        for task in tasks[:3]:
            task.cancel()  # those requests went away; their threads have not
        await asyncio.sleep(0.05)
        with pytest.raises(Refused):
            await hasher.verify("x", None)
        gate.set()
        assert await asyncio.gather(*tasks[3:]) == [False] * 5
        assert await hasher.verify("x", None) is False
        assert most[0] == 3
    finally:
        gate.set()
        hasher.close()


async def test_a_full_queue_gives_its_places_back():
    hasher = Hasher(cores=2, queue=3, cost=CHEAP)
    try:
        stored = await hasher.hash("correct horse", SALT)
        for _ in range(5):
            got = await asyncio.gather(*(hasher.verify("correct horse", stored) for _ in range(40)), return_exceptions=True)
            assert [each for each in got if each is True]
            assert all(each is True or isinstance(each, Refused) for each in got)
        assert hasher._held == 0
    finally:
        hasher.close()


async def test_the_loop_goes_on_while_passwords_are_compared():
    hasher, longest = Hasher(cores=2, cost=COST), 0.0
    loop = asyncio.get_running_loop()
    try:
        task = asyncio.ensure_future(hasher.verify("x", None))
        while not task.done():
            before = loop.time()
            await asyncio.sleep(0)
            longest = max(longest, loop.time() - before)
        assert task.result() is False
        assert longest < 0.1  # a hash takes 120 ms; on the loop it would all be in one piece
    finally:
        hasher.close()


def test_somebody_and_nobody_take_the_same_time():
    pairs = counts("pairs of known and unknown accounts timed", 5_000, 20_000)
    stored, cost = hash_password("correct horse", SALT, Cost(64 << 10, 1)), Cost(64 << 10, 1)
    spent: dict[str | None, list[int]] = {stored: [], None: []}
    for pair in range(pairs):
        for each in (stored, None) if pair % 2 else (None, stored):
            began = time.thread_time_ns()
            verify_password("wrong horse", each, cost)
            spent[each].append(time.thread_time_ns() - began)
    # Trimmed at both ends: other work on the machine is not ours to explain. Welch's t as in security.md 2.1.
    known, unknown = (sorted(each)[pairs // 10 : -pairs // 10] for each in spent.values())
    spread = statistics.variance(known) / len(known) + statistics.variance(unknown) / len(unknown)
    assert abs(statistics.fmean(known) - statistics.fmean(unknown)) < max(4.5 * spread**0.5, 0.01 * statistics.fmean(known))
