"""Imports on both databases with a keeper over the same one: whole, cut off anywhere, as a difference; and the library as a draw reads it."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import subprocess
import sys

import pytest

from drawing.errors import Refused
from server.keeper import library, verbs
from server.keeper.library import read_library
from server.keeper.store import Change
from server.library.check_row import check_row
from server.library.columns import COLUMNS
from server.library.demo import people
from server.services import imports
from server.storage.check import check
from tests.conftest import counts
from tests.server.desk.test_library import sheet
from tests.server.services.house import CENTRE, Service, centre, now


@pytest.fixture
def service(database, tmp_path):
    made = Service(database, tmp_path)
    made.start()
    yield made
    if made.process.poll() is None:
        made.stop()


def records(rows):
    return sorted(check_row(row, range(len(COLUMNS)), 1).record for row in rows)


async def whole(service):
    """What a draw would read, and that the log tells of every row."""
    service.stop()
    async with service.inside() as core:
        found = await read_library(core, CENTRE)
    assert (await check(service.database.owner)).differences == ()
    return found


async def test_a_library_goes_in_and_a_draw_reads_the_same_records(service):
    rows = [list(each) for each in people(450, 7)]
    async with service.desk() as desk:
        await centre(desk)
        assert await imports.fill(desk, CENTRE, "csv", sheet(rows)) == 450
        with pytest.raises(Refused, match="library_busy"):
            await imports.fill(desk, CENTRE, "csv", sheet(rows))
        async with desk.store.reading() as tx:
            assert await tx.count("expert", centre=CENTRE, status="active") + await tx.count("expert", status="inactive") == 450
            assert await tx.count("import_batch") == 0
            experts = {row["id"] for row in await tx.all("expert")}
            leaves = (await tx.head()).size
    assert leaves >= 3 * 450
    found = await whole(service)
    if service.database.engine == "sqlite":  # whoever has the file has no name, number or phone
        held = b"".join(each.read_bytes() for each in service.folder.glob("lotroom.db*"))
        at = [n for n, each in enumerate(COLUMNS) if each.alias in ("name", "id_number", "phone", "employer_name")]
        for row in rows:
            for secret in (row[n] for n in at if len(row[n]) > 2):
                assert secret.encode() not in held
                assert secret.encode("utf-16-le") not in held
                assert secret.encode("gb18030") not in held
    assert sorted(record for _, record in found.records) == records(rows)
    assert {expert for expert, _ in found.records} == experts


async def test_an_import_that_is_killed_anywhere_goes_on_and_nothing_is_there_twice(service):
    rows = [list(each) for each in people(700, 11)]
    file = service.folder / "library.csv"
    file.write_bytes(sheet(rows))
    chance = random.Random(4)
    async with service.desk() as desk:
        await centre(desk)
        killed = done = 0
        for _ in range(counts("imports killed", 4, 30)):
            words = [sys.executable, "-m", "tests.server.services.house", service.database.web, str(service.socket), str(file)]
            worker = begun(words)
            await asyncio.sleep(chance.uniform(0.2, 4))
            if chance.random() < 0.4:
                service.stop(signal.SIGKILL)
                service.start()
            worker.kill()
            worker.wait(10)
            worker.stdout.close()
            async with desk.store.reading() as tx:
                (row, *_) = await tx.all("library_import", order=["-created_at"])
            if row["state"] == "applying":
                killed += 1
                await imports.apply(desk, row["id"])
            if row["state"] in ("applying", "done"):
                done += 1
                break
            async with desk.store.reading() as tx:
                assert await tx.count("expert") == 0  # no half library
            await desk.store.write(lambda tx, staging=row["id"]: _drop(tx, staging), now())
        if not done:
            assert await imports.fill(desk, CENTRE, "csv", sheet(rows)) == 700
    found = await whole(service)
    assert sorted(record for _, record in found.records) == records(rows)
    print(f"{service.database.engine}: killed while applying: {killed}")


def begun(words):
    worker = subprocess.Popen(words, stdout=subprocess.PIPE)
    assert worker.stdout.readline() == b"begun\n"
    return worker


async def _drop(tx, staging):
    row = await tx.get("library_import", staging)
    await tx.change("library_import", staging, {"state": "dropped"}, "test", row["version"])


async def test_an_import_stopped_after_each_batch_goes_on_to_the_same_library(service, monkeypatch):
    """Every step of putting in fails once, before and after it took place."""
    rows = [list(each) for each in people(500, 2)]
    async with service.desk() as desk:
        await centre(desk)
        staging = await desk.store.write(lambda tx: imports._new(tx, CENTRE, "part", None), now())
        await imports.stage(desk, staging, CENTRE, "csv", sheet(rows), None)
        await desk.store.write(lambda tx: imports.experts.go_on(tx, staging, "applying", "console"), now())
        real_keep, real_write = desk.keeper.keep_experts, desk.store.write
        steps = {"n": 0, "die": 0}

        class Died(Exception):
            pass

        def dying(real):
            async def call(*given, **more):
                steps["n"] += 1
                if steps["n"] == steps["die"]:
                    raise Died
                out = await real(*given, **more)
                if steps["n"] == -steps["die"]:
                    raise Died
                return out

            return call

        monkeypatch.setattr(desk.keeper, "keep_experts", dying(real_keep))
        monkeypatch.setattr(desk.store, "write", dying(real_write))
        for die in (1, -1, 2, -2, 3, -3, 4, -4, 5, -5, 0):
            steps.update(n=0, die=die)
            try:
                await imports.apply(desk, staging)
                break
            except Died:
                await asyncio.sleep(0.05)
        steps.update(die=0)
        async with desk.store.reading() as tx:
            row = await tx.get("library_import", staging)
        if row["state"] != "done":
            await imports.apply(desk, staging)
    found = await whole(service)
    assert sorted(record for _, record in found.records) == records(rows)


async def test_a_record_put_back_by_hand_is_noticed_when_a_draw_reads_the_library(service):
    rows = [list(each) for each in people(30, 3)]
    async with service.desk() as desk:
        await centre(desk)
        await imports.fill(desk, CENTRE, "csv", sheet(rows))
        async with desk.store.reading() as tx:
            (expert,) = await tx.all("expert", limit=1)
    service.stop()
    async with service.inside() as core:
        before = await read_library(core, CENTRE)
        place = ("expert", expert["id"], "record")
        (old,) = await core.store.read("annex", [place])
        await library.retire_experts(core, verbs.RetireExperts(CENTRE, (expert["id"],), ""))
        after = await read_library(core, CENTRE)
        assert after.sum != before.sum
        assert json.loads(dict(after.records)[expert["id"]])["status"] == "inactive"
        await core.store.write([Change("annex", place, old.value)])  # whoever has the database
        with pytest.raises(Refused, match="library_altered"):
            await read_library(core, CENTRE)
        await core.store.write([Change("annex", place, None), Change("annex", (library.list_object(CENTRE), expert["id"], "card"), None)])
        with pytest.raises(Refused, match="library_altered"):
            await read_library(core, CENTRE)


async def test_no_verb_of_the_keeper_waits_while_a_library_goes_in(service):
    rows = [list(each) for each in people(counts("experts put in while status is asked", 800, 5_000), 5)]
    waits = []
    async with service.desk() as desk:
        await centre(desk)
        task = asyncio.create_task(imports.fill(desk, CENTRE, "csv", sheet(rows)))
        loop = asyncio.get_running_loop()
        while not task.done():
            begun = loop.time()
            await desk.keeper.status()
            waits.append(loop.time() - begun)
            await asyncio.sleep(0.01)
        await task
    waits.sort()
    print(
        f"{service.database.engine}: status p50 {waits[len(waits) // 2] * 1000:.0f} ms, p99 {waits[len(waits) * 99 // 100] * 1000:.0f} ms"
    )
    assert waits[len(waits) // 2] < 0.05


async def test_no_draw_reads_a_library_that_an_import_is_half_in(service):
    rows = [list(each) for each in people(40, 3)]
    async with service.desk() as desk:
        await centre(desk)
        await imports.fill(desk, CENTRE, "csv", sheet(rows))
    service.stop()
    async with service.inside() as core:
        experts = [each for each, _ in (await read_library(core, CENTRE)).records]
        staging = "e" * 32
        await library.retire_experts(core, verbs.RetireExperts(CENTRE, tuple(experts[:3]), staging))
        with pytest.raises(Refused, match="library_busy"):
            await read_library(core, CENTRE)
        await library.forget_staging(core, verbs.ForgetStaging(CENTRE, "f" * 32))
        with pytest.raises(Refused, match="library_busy"):
            await read_library(core, CENTRE)
        await library.forget_staging(core, verbs.ForgetStaging(CENTRE, staging))
        assert len((await read_library(core, CENTRE)).records) == 40
