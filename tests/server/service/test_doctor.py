"""Every finding of `lotroom doctor`: brought about, found, told in both languages, and the exit code that scripts go by."""

import asyncio
import json
import re
import sqlite3
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from server import doctor
from server.adapters.clock import SystemClock
from server.commands.service import doctor_command
from server.keeper.client import Keeper
from server.keeper.verbs import Status
from server.places import places_of
from server.storage.store import Store
from server.texts import tell
from tests.server.service.machine import Service, free_port, running
from tests.server.service.test_pressed import small_disk


def examined(service, **more):
    """Exit code and the findings by their code; told in both languages, without a gap."""
    env = dict.fromkeys(("LOTROOM_DATABASE", "LOTROOM_KEEPER_DATABASE")) | {
        key: value for key, value in service.environment(**more).items() if key.startswith("LOTROOM_")
    }
    done = CliRunner().invoke(doctor_command, ["--json"], env=env)
    found = {each["code"]: each for each in json.loads(done.stdout)}
    for lang in ("zh", "en"):
        told = CliRunner().invoke(doctor_command, ["--lang", lang], env=env)
        assert told.exit_code == done.exit_code
        lines = told.stdout.splitlines()
        assert len(lines) == len(found) and all(line[0] in "✓!✗" for line in lines) and "{" not in told.stdout
        assert lang == "en" or all(re.search("[一-鿿]", line) for line in lines), told.stdout
    assert done.exit_code == (1 if any(each["state"] == "bad" for each in found.values()) else 0)
    return done.exit_code, {code: each["state"] for code, each in found.items()}, found


@contextmanager
def changed(path, mode):
    before = path.stat().st_mode & 0o777
    path.chmod(mode)
    yield
    path.chmod(before)


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """A service that was set up on SQLite and does not run."""
    service = Service(tmp_path_factory.mktemp("doctor") / "d")
    service.set_up()
    return service


def write(service, work):
    async def written():
        store = await Store.open(service.owner)
        await store.write(work, SystemClock().now())
        await store.close()

    asyncio.run(written())


def test_a_running_service_is_found_well(tmp_path, base):
    with running(tmp_path / "d", base) as service:
        for _ in range(20):  # at first each second adds to the log
            code, states, found = examined(service)
            if states["doctor_log"] == "good":
                break
            time.sleep(0.5)
        for name in ("settings_good", "files_good", "database_good", "log", "jobs", "keeper_good"):
            assert states[f"doctor_{name}"] == "good", name
        assert states["doctor_witnesses"] == states["doctor_demo"] == "mind" and found["doctor_witnesses"]["count"] == 0
        assert found["doctor_database_good"]["engine"] == ("sqlite" if base is None else "postgresql")
        assert ("doctor_sqlite" in states) == (base is None)
        assert code == (1 if "bad" in states.values() else 0)


def test_settings_that_are_wrong_are_the_one_finding(house):
    assert examined(house, LOTROOM_ORIGIN="http://draw.example.cn")[:2] == (1, {"doctor_settings": "bad"})
    assert examined(house, LOTROOM_ORIGINS="x")[:2] == (1, {"doctor_settings": "bad"})


def test_folders_and_files_that_are_not_ours_alone(house, tmp_path):
    code, states, _ = examined(house)
    assert (code, states["doctor_files_good"], states["doctor_keeper_missing"]) == (1, "good", "mind")
    assert {each for each, state in states.items() if state == "bad"} == {"doctor_demo_root"}  # it opens itself: a demonstration
    with changed(house.folder / "run", 0o755):
        assert examined(house)[:2][0] == 1 and examined(house)[1]["doctor_folder_open"] == "bad"
    extra = places_of(house.settings).public / "extra.json"
    extra.write_text("{}")
    with changed(extra, 0o644):
        code, states, found = examined(house)
        assert (code, states["doctor_file_open"], found["doctor_file_open"]["count"]) == (1, "bad", 1)
    extra.unlink()
    code, states, _ = examined(Service(tmp_path / "nothing"))
    assert (code, states["doctor_not_initialised"]) == (1, "bad")
    sealed = places_of(house.settings).sealed
    sealed.rename(sealed.with_name("away"))
    assert examined(house)[1]["doctor_not_initialised"] == "bad"
    sealed.with_name("away").rename(sealed)
    deep = Service(tmp_path / ("x" * 100))
    places_of(deep.settings).folder.mkdir(mode=0o700)
    for each in places_of(deep.settings).folders[1:]:
        each.mkdir(mode=0o700)
    assert examined(deep)[1]["doctor_path_too_long"] == "bad"


def test_a_disk_with_little_room(tmp_path):
    with small_disk(tmp_path / "d", 8) as folder:
        service = Service(folder)
        service.set_up()
        code, states, found = examined(service)
        assert (code, states["doctor_disk"]) == (1, "bad") and found["doctor_disk"]["free"] < 8


def test_a_database_that_is_away_refuses_or_is_not_what_it_was(house, tmp_path, monkeypatch):
    monkeypatch.setattr("server.storage.store.RECONNECT_SECONDS", 0.2)
    code, states, _ = examined(house, LOTROOM_DATABASE=f"postgresql+asyncpg://lotroom_web@127.0.0.1:{free_port()}/x")
    assert (code, states["doctor_database_away"]) == (1, "bad")
    with sqlite3.connect(house.folder / "lotroom.db") as db:
        (version,) = db.execute("SELECT version_num FROM alembic_version").fetchone()
        db.execute("UPDATE alembic_version SET version_num = '9999'")
    code, states, found = examined(house)
    assert (code, states["doctor_database_refused"]) == (1, "bad") and found["doctor_database_refused"][
        "why"
    ] == "tables_of_another_version"
    with sqlite3.connect(house.folder / "lotroom.db") as db:
        db.execute("UPDATE alembic_version SET version_num = ?", (version,))
    db.close()
    assert examined(house)[1]["doctor_database_good"] == "good"
    monkeypatch.setattr("server.doctor.MOST_WAL", -1)
    assert examined(house)[1]["doctor_sqlite"] == "mind"
    monkeypatch.undo()
    broken = tmp_path / "lotroom.db"
    with sqlite3.connect(house.folder / "lotroom.db") as whole, sqlite3.connect(broken) as copy:
        whole.backup(copy)
        (page,) = copy.execute("SELECT rootpage FROM sqlite_master WHERE name = 'ix_login_seen'").fetchone()
        (size,) = copy.execute("PRAGMA page_size").fetchone()
    data = bytearray(broken.read_bytes())
    data[(page - 1) * size : (page - 1) * size + 8] = b"\xff" * 8
    broken.write_bytes(data)
    (finding,) = doctor._sqlite(broken)
    assert (finding.state, finding.params["check"]) == ("bad", "-")


def test_a_log_that_waits_jobs_that_are_late_and_a_clock_that_went_back(house):
    now = SystemClock().now()

    async def more(tx):
        await tx.outbox("x", "late", now - 2_000, b"")
        await tx.put("checkpoint_time", {"origin": "localhost/log", "size": 0, "at": now + 500})
        await tx.insert("setting", {"scope": "service", "name": "x", "value": "1", "changed_at": 1}, "web")
        await tx.insert("witness", {"name": "w", "vkey": "x", "added_at": 1}, "web")

    write(house, more)
    code, states, found = examined(house)
    assert code == 1
    assert (states["doctor_log"], states["doctor_jobs"], states["doctor_clock"], states["doctor_witnesses"]) == (
        "mind",
        "mind",
        "bad",
        "good",
    )
    assert found["doctor_log"]["unsigned"] >= 2 and found["doctor_jobs"]["count"] == 1 and 400 < found["doctor_clock"]["seconds"] <= 500


def test_a_keeper_that_is_away_sealed_or_not_shielded(tmp_path, monkeypatch):
    service = Service(tmp_path / "d")
    ceremony = service.set_up(("甲", "乙", "丙"), 2)
    assert examined(service)[1]["doctor_keeper_missing"] == "mind"
    service.start()
    try:
        service.keeper(lambda keeper: keeper.unseal_share("甲", ceremony.shares["甲"]))
        _, states, found = examined(service)
        assert states["doctor_keeper_sealed"] == "mind"
        assert (found["doctor_keeper_sealed"]["given"], found["doctor_keeper_sealed"]["needed"]) == (1, 2)
    finally:
        service.end()

    async def status(_):
        return Status((), False, (), 1, False, False, 0)

    monkeypatch.setattr(Keeper, "status", status)
    assert examined(service)[1]["doctor_keeper_not_shielded"] == "mind"


def test_swap_and_a_clock_that_nobody_sets(tmp_path):
    (tmp_path / "proc").mkdir()
    (tmp_path / "run" / "systemd" / "timesync").mkdir(parents=True)
    (tmp_path / "proc" / "swaps").write_text("Filename Type Size Used Priority\n")
    assert [each.code for each in doctor._machine(tmp_path)] == ["doctor_clock_unsynced"]
    (tmp_path / "proc" / "swaps").write_text("Filename Type Size Used Priority\n/dev/sda2 partition 1 0 -2\n")
    (tmp_path / "run" / "systemd" / "timesync" / "synchronized").touch()
    assert [(each.code, each.state) for each in doctor._machine(tmp_path)] == [("doctor_swap", "mind")]


def test_every_finding_that_the_program_names_has_texts_and_a_test():
    source = Path(doctor.__file__).read_text()
    codes = set(re.findall(r'"(doctor_[a-z_]+)"', source)) - {"doctor_"}
    codes |= {f"doctor_{each}" for each in ("not_initialised", "folder_open", "path_too_long", "settings")}
    here = Path(__file__).read_text()
    for code in codes:
        assert tell(code, "zh", **PARAMS) != tell(code, "en", **PARAMS)
        assert code in here or f'"{code.removeprefix("doctor_")}"' in here, code


PARAMS = dict.fromkeys(
    ("why", "origin", "path", "count", "free", "engine", "size", "check", "mode", "wal", "unsigned", "seconds", "given", "needed"), "1"
)
