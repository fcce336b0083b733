"""Rotation of the root under use, and killed at every step there is."""

import asyncio
import secrets
import sqlite3
import subprocess
import time

import pytest

from drawing.errors import Refused
from server.keeper import keys, rotation, sealed
from server.keeper.child import Child, Drawer
from server.keeper.core import Core, Settings
from server.keeper.keeper import Keeper
from server.keeper.passkeys import Site
from server.keeper.rules import EVERYWHERE, Grant, Grants
from server.keeper.store import FileStore
from server.keeper.verbs import At
from tests.conftest import counts
from tests.server.keeper.house import LOGIN, NAMES, House, field, run

PEOPLE = 40


async def fill(house, keeper):
    await house.administrators(keeper)
    await house.member(keeper, "clerk", "draw_clerk")
    for n in range(PEOPLE):
        fields = [field(f"e{n}", "name", f"张{n}", index="name"), field(f"e{n}", "id", f"id-{n}", index="equal")]
        await keeper.seal_fields(f"person:c1:e{n}", fields)
    return await keeper.enrol_totp("t")


async def ask_for_it(house, keeper):
    subject = house.subject("rotate", "root", bytes(32), EVERYWHERE)
    await house.approve(keeper, subject, "security")
    with pytest.raises(Refused, match="not_approved"):
        await keeper.rotate(subject.id)
    await house.approve(keeper, subject, "system")
    await keeper.rotate(subject.id)
    return subject


async def everything_reads(house, keeper, more=()):
    token = await house.login(keeper, "clerk")
    rows = [f"e{n}" for n in range(PEOPLE)] + list(more)
    got = await keeper.open_fields(token, LOGIN, "查", [At("name", row, "person") for row in rows])
    assert got == [f"张{row[1:]}".encode() for row in rows]
    for n in range(0, PEOPLE, 7):
        assert await keeper.blind_index("person", "id", f"id-{n}".encode()) == [f"e{n}"]
    assert await keeper.search_names(token, LOGIN, "c1", "z7") == ["e7"]
    assert [each.role for each in (await keeper.person_status("clerk")).grants.grants] == ["draw_clerk"]


async def finished(keeper):
    for _ in range(600):
        status = await keeper.key_status()
        if not status.stage and len(status.generations) == 1:
            return status
        await asyncio.sleep(0.05)
    raise AssertionError


def generations(house):
    """Of every row that a purpose key sealed, as the database has them."""
    with sqlite3.connect(house.folder / "keeper.db") as db:
        found = set()
        for table in ("keeper_state", "keeper_credential", "wrapped_key"):
            found |= {keys.generation_of(keys.key_id_of(value)) for (value,) in db.execute(f"SELECT value FROM {table}")}
        found |= {int.from_bytes(value[:4], "big") for (value,) in db.execute("SELECT value FROM blind_index")}
    db.close()
    return found


def test_a_rotation_carries_everything_while_the_service_is_used(tmp_path):
    house = House(tmp_path, page=7)

    async def walk():
        async with house.client() as keeper:
            await house.unseal(keeper)
            secret = await fill(house, keeper)
            before = await keeper.key_status()
            await keeper.check_totp("t", house.code(secret, -1), LOGIN)
            subject = await ask_for_it(house, keeper)
            written = 0
            while (await keeper.key_status()).stage:  # reads and writes go on
                await everything_reads(house, keeper, [f"x{n}" for n in range(written)])
                await keeper.seal_fields(f"person:c1:x{written}", [field(f"x{written}", "name", f"张{written}", index="equal")])
                written += 1
            after = await finished(keeper)
            assert after.generations == (2,) and (after.log, after.operator) == (before.log, before.operator)
            await everything_reads(house, keeper, [f"x{n}" for n in range(written)])
            with pytest.raises(Refused, match="totp_used"):
                await keeper.check_totp("t", house.code(secret, -1), LOGIN)
            with pytest.raises(Refused, match="approval_used"):
                await keeper.rotate(subject.id)
            print(f"rotated {after.rotated} rows, {written} rounds of reading and writing meanwhile")
            return written

    with house.running():
        run(walk())
    assert generations(house) == {2}
    file = sealed.read_sealed(house.folder / "sealed")
    shares = sealed.Shares(file)
    assert set([shares.add(name, house.ceremony.shares[name]) for name in NAMES[:3]][-1].roots) == {
        2
    }  # the same shares, the new root alone


def died(house):
    """Whether the keeper met its end, which a client sees a little before the parent does."""
    try:
        house.process.wait(0.5)
    except subprocess.TimeoutExpired:
        return False
    return True


def test_a_rotation_killed_at_every_step_goes_on_and_every_row_reads(tmp_path):
    """A copy of the same house for each step: SIGKILL there, look at rows of both generations, go on, look again."""
    every = counts("rotation: every n-th step is died at", 6, 1)
    (tmp_path / "first").mkdir()
    first = House(tmp_path / "first", page=5, demo=True)

    async def begin():
        async with first.client() as keeper:
            await fill(first, keeper)
            subject = first.subject("rotate", "root", bytes(32), EVERYWHERE)
            await first.approve(keeper, subject, "security", "system")
            return subject.id

    with first.running():
        approved = run(begin())

    async def rotate(house):
        async with house.client() as keeper:
            try:
                await keeper.rotate(approved)
                await finished(keeper)
            except Refused as lost:
                assert lost.code == "keeper_missing"

    async def look(house, *, ended):
        async with house.client() as keeper:
            status = await finished(keeper) if ended else await keeper.key_status()
            await everything_reads(house, keeper)
            return status

    deaths, mixed = 0, 0
    for step in range(1, 1000, every):
        house = first.copy(tmp_path / f"at-{step}")
        house.start(die_at=step)
        run(rotate(house))
        if not died(house):
            house.stop()
            break
        house.kill()
        deaths += 1
        mixed += len(generations(house)) > 1
        with house.running(still=True):
            run(look(house, ended=False))
        with house.running():
            ended = run(look(house, ended=True)).generations
        assert generations(house) == {2} == set(ended)
    else:
        raise AssertionError
    print(
        f"killed at {deaths} steps of about {step - 1}, {mixed} of them with rows of both roots; every row read after each and at the end"
    )
    assert deaths >= 5 and mixed


# In this process, where a verb can be stopped at its most awkward moment -------------------------------------------------------------------


async def with_core(folder, work):
    """An unsealed keeper without its socket, about to rotate."""
    ceremony = sealed.make_root((), 1, 1, int(time.time()), secrets.token_bytes, demo=True)
    sealed.write_sealed(ceremony.file, folder / "sealed", new=True)
    store = await FileStore.open(folder / "db")
    settings = Settings(folder / "sealed", Site("x", ("https://x",)), "lotroom.test/log", {})
    core = Core(
        settings,
        store,
        lambda: int(time.time()),
        secrets.token_bytes,
        Child(),
        Drawer(),
        ceremony.file,
        sealed.Shares(ceremony.file),
        True,
    )
    keeper = Keeper(core, time.monotonic)
    try:
        await keeper.unseal(sealed.open_demo(ceremony.file))
        for n in range(30):
            await core.vault.write([core.vault.put_state(f"grants/p{n}", grants(f"c{n}"), 0)])
        await core.vault.write([core.vault.put_state("rotation", rotation.Rotation(0, "asked", 2), 0)])
        await work(core)
    finally:
        await keeper.close()
        await store.close()


def grants(centre):
    return Grants((Grant(centre, "agency"),))


def test_a_verb_that_began_before_the_new_root_is_waited_for(tmp_path):
    async def work(core):
        late = core.vault.put_state("grants/late", grants("late"), 0)  # sealed with the old root, not written yet

        async def verb():
            await asyncio.sleep(1.5)  # a rotation of 30 rows is long over by then
            await core.vault.write([late])

        task = asyncio.create_task(verb())
        await rotation.run(core, lambda: [task])
        assert task.done() and core.vault.ring.generations == (2,)
        assert (await core.vault.state(Grants, "grants/late", Grants(()))).value == grants("late")
        rows = await core.store.scan("state", (), (), 1000)
        assert {keys.generation_of(keys.key_id_of(row.value)) for row in rows} == {2}

    run(with_core(tmp_path, work))


def test_a_row_that_changes_under_the_rotation_s_hands_keeps_its_change(tmp_path):
    async def work(core):
        as_it_is, changed = core.child.run, []

        async def meanwhile(task, **given):
            if task == "rewrap" and given["purpose"] == "state" and not changed:
                changed.append(True)
                await core.vault.write([core.vault.put_state("grants/p7", grants("new"), None)])
            return await as_it_is(task, **given)

        core.child.run = meanwhile
        await rotation.run(core, list)
        assert changed and (await core.vault.state(Grants, "grants/p7", Grants(()))).value == grants("new")
        assert (await core.vault.state(Grants, "grants/p8", Grants(()))).value == grants("c8")

    run(with_core(tmp_path, work))
