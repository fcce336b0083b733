"""Exactly five of 200 guesses pass, on both engines; aliases count together; nobody is locked for ever."""

from __future__ import annotations

import asyncio
import os
import unicodedata
from collections.abc import Sequence
from contextlib import asynccontextmanager

import aiosqlite
import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drawing.errors import Refused
from server.auth.throttle import LIMITS, Counter, Key, Verdict, account_key, account_name, decide, device_key, ip_key, keys_of_guess

POSTGRES = os.environ.get("LOTROOM_TEST_POSTGRES", "postgresql://127.0.0.1:5432/postgres")
ACCOUNT = account_key("zhang.wei")


class Memory:
    """The port in memory, for other tests: one loop, no waiting inside, hence atomic."""

    def __init__(self) -> None:
        self.rows: dict[Key, Counter] = {}

    async def take(self, keys: Sequence[Key], now: int) -> Verdict:
        verdict = decide({key: self.rows.get(key, Counter()) for key in keys}, now)
        self.rows.update(verdict.counters)
        return verdict

    async def clear(self, keys: Sequence[Key]) -> None:
        for key in keys:
            self.rows.pop(key, None)


class Sqlite:
    """One connection per guess, as processes have; BEGIN IMMEDIATE makes writers queue."""

    def __init__(self, path) -> None:
        self.path = path

    async def __aenter__(self) -> Sqlite:
        async with aiosqlite.connect(self.path) as db:
            await db.execute("PRAGMA journal_mode=WAL")
            await db.execute("CREATE TABLE throttle (key TEXT PRIMARY KEY, counter TEXT NOT NULL)")
            await db.commit()
        return self

    async def __aexit__(self, *_) -> None: ...

    async def take(self, keys: Sequence[Key], now: int) -> Verdict:
        async with aiosqlite.connect(self.path, isolation_level=None) as db:
            await db.execute("PRAGMA busy_timeout=60000")
            await db.execute("BEGIN IMMEDIATE")
            found = {}
            for key in sorted(keys):
                row = await (await db.execute("SELECT counter FROM throttle WHERE key = ?", (str(key),))).fetchone()
                found[key] = Counter.load(row[0]) if row else Counter()
            verdict = decide(found, now)
            for key, counter in verdict.counters.items():
                await db.execute("INSERT OR REPLACE INTO throttle VALUES (?, ?)", (str(key), counter.dump()))
            await db.execute("COMMIT")
            return verdict

    async def clear(self, keys: Sequence[Key]) -> None:
        async with aiosqlite.connect(self.path) as db:
            for key in keys:
                await db.execute("DELETE FROM throttle WHERE key = ?", (str(key),))
            await db.commit()


class Postgres:
    """A row that is not there cannot be locked: put it there first, then lock all in one order."""

    async def __aenter__(self) -> Postgres:
        self.name = f"throttle_{os.getpid()}"
        try:
            self.pool = await asyncpg.create_pool(POSTGRES, min_size=1, max_size=16, timeout=3)
        except OSError as why:
            pytest.skip(f"no PostgreSQL: {why}")
        await self.pool.execute(f"DROP TABLE IF EXISTS {self.name}")
        await self.pool.execute(f"CREATE TABLE {self.name} (key TEXT PRIMARY KEY, counter TEXT NOT NULL)")
        return self

    async def __aexit__(self, *_) -> None:
        await self.pool.execute(f"DROP TABLE {self.name}")
        await self.pool.close()

    async def take(self, keys: Sequence[Key], now: int) -> Verdict:
        async with self.pool.acquire() as db, db.transaction():
            found = {}
            for key in sorted(keys):
                await db.execute(f"INSERT INTO {self.name} VALUES ($1, $2) ON CONFLICT DO NOTHING", str(key), Counter().dump())
                found[key] = Counter.load(await db.fetchval(f"SELECT counter FROM {self.name} WHERE key = $1 FOR UPDATE", str(key)))
            verdict = decide(found, now)
            for key, counter in verdict.counters.items():
                await db.execute(f"UPDATE {self.name} SET counter = $2 WHERE key = $1", str(key), counter.dump())
            return verdict

    async def clear(self, keys: Sequence[Key]) -> None:
        for key in keys:
            await self.pool.execute(f"DELETE FROM {self.name} WHERE key = $1", str(key))


@asynccontextmanager
async def engine(name: str, tmp_path):
    async with Sqlite(tmp_path / "t.db") if name == "sqlite" else Postgres() as port:
        yield port


ALIASES = (
    "zhang.wei",
    "ZHANG.WEI",
    " zhang.wei\t",
    "ｚｈａｎｇ．ｗｅｉ",
    "Zhang .Wei",
    "zhang\u200b.wei",
    "zhang\u3000.wei",
    "ZHANG．WEI\u00a0",
)


@pytest.mark.parametrize("name", ["sqlite", "postgresql"])
async def test_exactly_five_of_200_parallel_guesses_pass(name, tmp_path):
    async with engine(name, tmp_path) as port:
        for round_ in range(3):
            now = 1_000 + 100_000 * round_
            guesses = [port.take(keys_of_guess(ALIASES[n % len(ALIASES)], f"10.0.{n % 97}.{n}"), now + n % 40) for n in range(200)]
            verdicts = await asyncio.gather(*guesses)
            assert sum(each.passes for each in verdicts) == 5
            assert {each.refused_by for each in verdicts if not each.passes} == {"account"}
            assert all(now + 860 <= each.wait_until <= now + 980 for each in verdicts if not each.passes)


@pytest.mark.parametrize("name", ["sqlite", "postgresql"])
async def test_twenty_per_address_and_fifty_in_all(name, tmp_path):
    async with engine(name, tmp_path) as port:
        one = await asyncio.gather(*(port.take(keys_of_guess(f"account{n}", "192.0.2.7"), 1_000 + n // 40) for n in range(100)))
        assert sum(each.passes for each in one) == 20
        many = await asyncio.gather(*(port.take(keys_of_guess(f"other{n}", f"10.{n}.0.1"), 5_000) for n in range(120)))
        assert sum(each.passes for each in many) == 50


async def test_a_success_clears_and_a_refused_guess_counts_nowhere():
    port = Memory()
    for n in range(5):
        assert (await port.take(keys_of_guess("a", f"10.0.0.{n}"), 10)).passes
    before = dict(port.rows)
    assert not (await port.take(keys_of_guess("a", "10.9.9.9"), 11)).passes
    assert port.rows == before
    await port.clear([account_key("a")])
    assert (await port.take(keys_of_guess("a", "10.9.9.9"), 12)).passes


async def test_strangers_do_not_lock_a_device_that_signed_in_before():
    port = Memory()
    for n in range(300):
        await port.take(keys_of_guess("expert7", f"10.{n // 200}.{n % 200}.1"), 10 + n)
    assert not (await port.take(keys_of_guess("expert7", "192.0.2.1"), 320)).passes
    assert (await port.take(keys_of_guess("expert7", "192.0.2.1", b"cookie of the own device"), 320)).passes
    assert device_key("expert7", b"a") != device_key("expert8", b"a") != account_key("expert8")


@given(st.lists(st.integers(0, 4_000), max_size=60))
def test_never_more_than_five_in_any_quarter_of_an_hour_and_never_locked_for_longer_than_an_hour(gaps):
    counter, now, passed = {ACCOUNT: Counter()}, 0, []
    for gap in gaps:
        now += gap
        verdict = decide(counter, now)
        if verdict.passes:
            passed.append(now)
            counter = dict(verdict.counters)
        else:
            assert now < verdict.wait_until <= now + 3600
            assert decide(counter, verdict.wait_until).passes  # what is promised holds
            assert not decide(counter, verdict.wait_until - 1).passes
    assert all(late - early >= 900 for early, late in zip(passed, passed[5:]))


@given(st.lists(st.integers(0, 30), max_size=120))
def test_never_more_than_twenty_per_address_in_any_minute(gaps):
    key = ip_key("192.0.2.1")
    counter, now, passed = {key: Counter()}, 0, []
    for gap in gaps:
        now += gap
        verdict = decide(counter, now)
        if verdict.passes:
            passed.append(now)
            counter = dict(verdict.counters)
    assert all(late - early >= 60 for early, late in zip(passed, passed[20:]))


def test_the_wait_grows_and_a_quiet_day_forgets():
    counter, now, waits = {ACCOUNT: Counter()}, 0, []
    for _ in range(9):
        verdict = decide(counter, now)
        if not verdict.passes:
            waits.append(verdict.wait_until - now)
            now = verdict.wait_until
            verdict = decide(counter, now)
        counter = dict(verdict.counters)
    assert waits == [900, 1800, 3600, 3600]
    counter = dict(decide(counter, now + 86_400).counters)
    assert counter[ACCOUNT].tries == 1


def test_a_clock_set_back_locks_nobody():
    counter = {ACCOUNT: Counter((10**9,) * 5, 5)}
    assert decide(counter, 1_000).wait_until == 1_900


def test_a_guess_without_keys_does_not_pass():
    with pytest.raises(Refused, match="nothing_counted"):
        decide({}, 1)


@pytest.mark.parametrize("alias", ALIASES)
def test_aliases_share_a_counter(alias):
    assert account_key(alias) == ACCOUNT


@given(st.text(min_size=1, max_size=30))
def test_the_spelling_of_a_name_is_settled_in_one_go(name):
    try:
        once = account_name(name)
    except Refused:
        return
    assert account_name(once) == once
    for alias in (name.upper(), name.lower(), unicodedata.normalize("NFKC", name), unicodedata.normalize("NFD", name), f"  {name}\n"):
        if alias.strip().casefold() == name.casefold():
            assert account_name(alias) == once
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        assert account_name(unicodedata.normalize(form, name)) == once


def test_every_full_width_form_counts_with_its_own():
    for point in range(0xFF01, 0xFF5F):
        assert account_key("a" + chr(point)) == account_key("A" + chr(point - 0xFEE0))


@pytest.mark.parametrize("name", ["", "   ", "\u200b", "x" * 201, "ﷺ" * 100, "\ud800"])
def test_no_name_is_refused(name):
    with pytest.raises(Refused, match="account_name"):
        account_name(name)


def test_addresses_count_as_one_subscriber_has_them():
    assert ip_key("::ffff:192.0.2.1") == ip_key("192.0.2.1")
    assert ip_key("2001:db8:1:2::1") == ip_key("2001:db8:1:2:ffff::9") != ip_key("2001:db8:1:3::1")
    assert ip_key("fe80::1%eth0") == ip_key("fe80::2")
    for bad in ("", "unix", "1.2.3", "192.0.2.1, 10.0.0.1"):
        with pytest.raises(Refused, match="network_address"):
            ip_key(bad)


@given(st.builds(Counter, st.lists(st.integers(0, 2**40), max_size=50).map(tuple), st.integers(0, 10**6)))
def test_a_counter_is_one_column(counter):
    assert Counter.load(counter.dump()) == counter


def test_the_limits_are_those_of_the_threat_model():
    assert (LIMITS["account"].most, LIMITS["account"].seconds) == (5, 900)
    assert (LIMITS["ip"].most, LIMITS["ip"].seconds) == (20, 60)
    assert (LIMITS["all"].most, LIMITS["all"].seconds) == (50, 1)
