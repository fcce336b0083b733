"""The running service and its witness, as real processes on both engines: cosigned within seconds, put off and taken up again, an older backup and a
rebuilt database refused, and the way out that two administrators approve.
"""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from uuid import uuid4

import pytest

from drawing.errors import Refused
from drawing.note import Checkpoint, Note, Policy, VKey
from server.adapters.clock import SystemClock
from server.auth.logins import Kind
from server.auth.model import EVERYWHERE, AccountId, Grant, PersonId
from server.auth.people import Account, AccountState
from server.backup import backup, restore
from server.config import LogWitness, Settings
from server.keeper.client import Keeper
from server.keeper.rules import Subject
from server.places import database_of, places_of
from server.setting_up import set_up
from server.storage import accounts
from server.storage.frozen import epoch_digest
from server.storage.log import Log
from server.storage.store import Store
from server.storage.versions import migrate
from server.witness.store import WitnessStore
from tests.server.desk.site import ADMINS, Visitor, id_of, problem
from tests.server.keeper.authenticator import Authenticator
from tests.server.web.live import Live
from tests.server.witness.test_served import free_port, reader  # noqa: F401 - a fixture
from tests.server.witness.world import begin
from tests.service import ENGINES, _admin, _as

SECRET = b"key:" + bytes(range(32))


class Watched:
    """One `lotroom serve` over a folder, and over a database of PostgreSQL where `engine` says so; a witness beside it at a port of its own."""

    ask = Live.ask

    def __init__(self, folder, engine, port, witness):
        self.folder, self.engine, self.port, self.witness = folder, engine, port, witness
        self.host = f"localhost:{port}"
        self.origin = f"http://{self.host}"
        self.name = f"lotroom_{uuid4().hex[:12]}"
        self.keys = {}
        self.process = None
        self.metrics = free_port()
        address = f"http://127.0.0.1:{witness.port}"
        self.env = {
            "LOTROOM_DATA_FOLDER": str(folder),
            "LOTROOM_LISTEN_PORT": str(port),
            "LOTROOM_ORIGIN": self.origin,
            "LOTROOM_INSECURE_DEMO": "true",
            "LOTROOM_LOG_WITNESSES": json.dumps([{"address": address, "vkey": witness.vkey}]),
            "LOTROOM_LOG_WITNESS_SECONDS": "5",
            "LOTROOM_METRICS_PORT": str(self.metrics),
            "LOTROOM_LANG": "en",
        }
        if engine == "postgresql":
            self.env |= {"LOTROOM_DATABASE": _as("lotroom_web", self.name), "LOTROOM_KEEPER_DATABASE": _as("lotroom_keeper", self.name)}
        self.settings = Settings(
            insecure_demo=True,
            data_folder=str(folder),
            listen_port=port,
            origin=self.origin,
            database=self.env.get("LOTROOM_DATABASE", ""),
            log_witnesses=(LogWitness(address=address, vkey=witness.vkey),),
        )
        self.owner = _as("postgres", self.name) if engine == "postgresql" else database_of(self.settings)

    def make_database(self):
        if self.engine == "postgresql":
            asyncio.run(_admin(f"CREATE DATABASE {self.name}"))
            asyncio.run(migrate(self.owner))

    def set_up(self):
        self.folder.mkdir(mode=0o700)
        self.make_database()
        self.ceremony = asyncio.run(set_up(self.settings, (), 2, 1, SystemClock().now(), demo=True))

    def start(self):
        env = {key: value for key, value in os.environ.items() if not key.startswith("LOTROOM_")} | self.env
        with (self.folder / "serve.log").open("ab") as out:
            self.process = subprocess.Popen([sys.executable, "-m", "server", "serve", "--lang", "en"], env=env, stdout=out, stderr=out)
        self.until(lambda: self.ask("GET", "/health/ready").status == 200, 40)

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(20)

    def end(self):
        self.stop()
        if self.engine == "postgresql":
            asyncio.run(_admin(f"DROP DATABASE IF EXISTS {self.name} WITH (FORCE)"))

    def until(self, wanted, seconds=20.0):
        begun = time.monotonic()
        while time.monotonic() < begun + seconds:
            with suppress(OSError, Refused):  # for a moment a new epoch has no checkpoint
                if wanted():
                    return time.monotonic() - begun
            time.sleep(0.1)
        raise AssertionError((self.folder / "serve.log").read_text()[-3000:])

    # What it says ---------------------------------------------------------------------------------------------------------------------------

    def part(self, name="witness"):
        found = {each["name"]: each for each in json.loads(self.ask("GET", "/api/status").body)["parts"]}[name]
        return found["health"], found["code"]

    def checkpoint(self):
        note = Note.parse(self.ask("GET", "/checkpoint").body, "note")
        return Checkpoint.parse(note.text, "note"), len(note.lines) - 1

    def cosigned(self):
        """Everything is signed and witnessed."""
        checkpoint, lines = self.checkpoint()
        return lines == 1 and checkpoint.size == self.size() and self.part() == ("good", "")

    # What tests do in its database ------------------------------------------------------------------------------------------------------------

    def within(self, work):
        async def run():
            store = await Store.open(database_of(self.settings))
            try:
                return await work(store)
            finally:
                await store.close()

        return asyncio.run(run())

    def size(self):
        async def work(store):
            async with store.reading() as tx:
                return (await tx.head()).size

        return self.within(work)

    def write(self, count=3):
        """Some rows, each a leaf."""

        async def work(store):
            rows = [{"scope": "service", "name": uuid4().hex, "value": "1", "changed_at": 1} for _ in range(count)]
            await store.write(lambda tx: tx.insert_all("setting", rows, "test"), SystemClock().now())

        self.within(work)

    def log_key(self):
        async def work():
            async with Keeper(places_of(self.settings).socket) as keeper:
                return VKey.parse((await keeper.key_status()).log)

        return asyncio.run(work())

    def administrators(self):
        """The three, each with a passkey."""

        async def work(store):
            now = SystemClock().now()
            async with Keeper(places_of(self.settings).socket) as keeper:
                grant = (await keeper.bootstrap(self.ceremony.console)).grant
                for name, role in ADMINS.items():
                    ids = AccountId(id_of("a" + name)), PersonId(id_of(name))
                    made = Account(*ids, EVERYWHERE, name, Kind.STAFF, AccountState.ACTIVE, "", now, False, 1)

                    async def add(tx, made=made, role=role):
                        await accounts.add_person(tx, made, "staff", "test")
                        await accounts.give_role(tx, made.person, Grant(role, EVERYWHERE), None, "test")

                    await store.write(add, now)
                    key = self.keys[name] = Authenticator(rp="localhost", origin=self.origin)
                    asked = await keeper.enrol_passkey_options(id_of(name), name, bootstrap=grant, role=role.value)
                    await keeper.enrol_passkey(asked.challenge, key.create(asked.options))

        self.within(work)

    def as_(self, name):
        return Visitor(self).as_(name)

    def approve(self, name):
        """Their approval of the one thing that waits; its place is the answer's."""
        visitor = self.as_(name)
        ident = visitor.open("/approvals").text.split('action="/approvals/')[1].split("/")[0]
        asked = visitor.options(f"/approvals/{ident}/options")
        return visitor.post(f"/approvals/{ident}/approve", (("assertion", self.keys[name].get(json.dumps(asked))),))

    def invite(self, visitor):
        return visitor.post("/people", (("name", "新人"), ("new_account", f"n{uuid4().hex[:8]}"), ("centre", EVERYWHERE)))


class Bureau:
    """A witness that can be stopped and started at one address."""

    def __init__(self, folder):
        self.store = WitnessStore.create(folder, "notary.example/witness", "公证处", second=False)
        self.folder, self.port, self.process = folder, free_port(), None
        self.vkey = str(self.store.signers()[0][0])

    def trust(self, origin, key):
        self.store.trust(origin, key)
        if self.process is not None:
            self.stop()
            self.start()

    def start(self):
        self.process = begin(self.folder, "serve", str(self.folder), port=self.port)

    def stop(self):
        if self.process is not None:
            self.process.stop()
            self.process = None

    def seen(self, origin):
        return next(each["size"] for each in self.process.show()["logs"] if each["origin"] == origin)


@pytest.fixture
def bureau(tmp_path):
    made = Bureau(tmp_path / "w")
    yield made
    made.stop()


@contextmanager
def ending(*services):
    try:
        yield
    finally:
        for each in services:
            each.end()


def begun(service, bureau):
    """A service that runs and is witnessed."""
    service.set_up()
    service.start()
    service.until(lambda: service.checkpoint()[0].size == service.size())
    assert service.part() == ("degraded", "unwitnessed") or service.part() == ("degraded", "one_missing")
    bureau.trust("localhost/log", service.log_key())
    bureau.start()
    return service.until(service.cosigned)


async def frozen_of(store):
    async with store.reading() as tx:
        return (await tx.head()).frozen


async def nobody_else_begins_it(service, frozen):
    """The keeper's own rules, whatever the web process says: these people, this name, this finding."""
    name = "localhost/log"
    digest, expires = epoch_digest(name, frozen), SystemClock().now() + 600
    right = Subject("new_epoch", "all", digest, expires, f"{name}/epoch-2")
    async with Keeper(places_of(service.settings).socket) as keeper:
        for person, subject, code in (
            ("sun.xitong", right, "approver_role"),
            ("an.quan", replace(right, object=f"{name}/epoch-3"), "subject_differs"),
            ("an.quan", replace(right, centre="c1"), "subject_differs"),
            ("an.quan", replace(right, digest=epoch_digest(name, replace(frozen, seen=frozen.seen - 1))), "subject_differs"),
        ):
            with pytest.raises(Refused) as wrong:
                await keeper.approval_challenge(id_of(person), subject, None)
            assert wrong.value.code == code
        with pytest.raises(Refused, match="log_behind_witness"):
            async with store_of(service) as store, store.reading() as tx:
                head = await tx.head()
                await keeper.sign_checkpoint(head.size, head.root)


@asynccontextmanager
async def store_of(service):
    store = await Store.open(database_of(service.settings))
    try:
        yield store
    finally:
        await store.close()


def measured(service):
    lines = urllib.request.urlopen(f"http://127.0.0.1:{service.metrics}/metrics", timeout=10).read().decode().splitlines()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if not line.startswith("#"))}


def command(service, *words):
    env = {key: value for key, value in os.environ.items() if not key.startswith("LOTROOM_")} | service.env
    found = subprocess.run([sys.executable, "-m", "server", *words], env=env, capture_output=True, text=True, check=False)
    return found.returncode, json.loads(found.stdout or "null")


@pytest.mark.parametrize("engine", ENGINES)
def test_the_newest_checkpoint_is_cosigned_in_seconds_and_a_witness_that_was_away_is_taken_up_again(tmp_path, bureau, engine):
    service = Watched(tmp_path / "d", engine, free_port(), bureau)
    with ending(service):
        first = begun(service, bureau)
        service.write()
        again = service.until(service.cosigned)
        page = service.ask("GET", "/", headers={"Accept-Language": "en"}).text
        assert "notary.example/witness" in page
        assert "Read-only" not in page
        bureau.stop()
        service.write()
        service.until(lambda: service.part() == ("degraded", "one_missing"))
        assert service.ask("GET", "/health/ready").status == 200
        service.until(lambda: service.checkpoint()[0].size == service.size())
        assert service.checkpoint()[1] == 0
        found = measured(service)
        assert found["lotroom_leaves_unwitnessed"] == 3
        assert (found["lotroom_witnesses_missing"], found["lotroom_read_only"], found["lotroom_cosigned_age_seconds"] < 60) == (1, 0, True)
        service.stop()
        service.start()  # nobody waits for a witness that is away
        service.write()
        bureau.start()
        back = service.until(service.cosigned, 70)
        old = Note.parse(service.ask("GET", "/checkpoint").body, "note").lines[1]
        service.until(lambda: Note.parse(service.ask("GET", "/checkpoint").body, "note").lines[1] != old, 20)  # a log that stands still
        assert command(service, "check", "--json", "--database", service.owner)[0] == 0
        assert measured(service)["lotroom_leaves_unwitnessed"] == 0
    print(f"{engine}: cosigned {first:.1f} s after the witness came, {again:.1f} s after a write, {back:.1f} s after it came back")


@pytest.mark.parametrize("engine", ENGINES)
def test_an_older_backup_is_read_only_until_two_administrators_let_a_new_epoch_begin(tmp_path, bureau, engine, reader):  # noqa: F811
    service = Watched(tmp_path / "d", engine, free_port(), bureau)
    copy = Watched(tmp_path / "e", engine, service.port, bureau)
    with ending(service, copy):
        begun(service, bureau)
        service.administrators()
        service.until(service.cosigned)
        key = service.log_key()
        made = asyncio.run(
            backup(service.settings.model_copy(update={"database": service.owner}), tmp_path / "backups", SECRET, SystemClock().now())
        )
        service.write(30)
        service.until(service.cosigned)
        lost = service.size()
        service.stop()

        copy.make_database()
        asyncio.run(restore(copy.settings.model_copy(update={"database": copy.owner}), made.path, SECRET))
        copy.keys = service.keys
        copy.start()
        old = copy.size()
        assert old < lost
        assert f"has seen {lost} entries and this log has" in (copy.folder / "serve.log").read_text()
        assert copy.part() == ("degraded", "read_only")
        assert measured(copy)["lotroom_read_only"] == 1
        assert "doctor_log_behind_witness" in [each["code"] for each in command(copy, "doctor", "--json")[1]]
        assert copy.ask("GET", "/health/ready").status == 200
        copy.until(lambda: "Read-only: a witness" in copy.ask("GET", "/", headers={"Accept-Language": "en"}).text)
        assert "只读" in copy.ask("GET", "/status").text
        with pytest.raises(Refused, match="log_behind_witness"):
            copy.write()
        asker = copy.as_("sun.xitong")  # logins go on
        answer = copy.invite(asker)
        assert (answer.status, problem(answer)) == (503, "read_only")
        assert copy.size() == old == copy.checkpoint()[0].size
        for path in ("/people", "/approvals", "/tile/entries/000.p/1", "/checkpoint"):
            assert asker.get(path).status == 200

        other = copy.as_("an.quan")
        assert str(lost) in other.open("/approvals").text
        assert other.post("/approvals/epoch", (("reason", "x"),)).status == 403
        asker.open("/approvals")
        assert asker.post("/approvals/epoch", (("reason", ""),)).status == 422
        assert asker.post("/approvals/epoch", (("reason", "主机与备份均已损毁"),)).status == 303
        assert problem(asker.post("/approvals/epoch", (("reason", "again"),))) == "unprocessable"
        copy.stop()
        copy.start()  # read-only is remembered, and so is what was asked
        with pytest.raises(Refused, match="log_behind_witness"):
            copy.write()
        frozen = copy.within(frozen_of)
        asyncio.run(nobody_else_begins_it(copy, frozen))
        assert copy.approve("an.quan").status == 303
        with pytest.raises(Refused, match="log_behind_witness"):
            copy.write()
        assert copy.checkpoint()[0].origin == "localhost/log"
        bureau.trust("localhost/log/epoch-2", key)
        assert copy.approve("shen.ji").status == 303
        copy.write()
        copy.until(copy.cosigned, 70)
        assert bureau.seen("localhost/log") == lost
        assert bureau.seen("localhost/log/epoch-2") == copy.size()
        assert copy.checkpoint()[0].origin == "localhost/log/epoch-2"
        note = copy.ask("GET", "/checkpoint").body
        assert Policy(key, {"w": VKey.parse(bureau.vkey)}, {}, "w").check(note, "note").quorum_since(0)
        assert copy.invite(copy.as_("sun.xitong")).status == 200
        copy.until(lambda: "Read-only: a witness" not in copy.ask("GET", "/", headers={"Accept-Language": "en"}).text)
        copy.until(copy.cosigned)

        # Whoever reads the log sees that and why.
        url = f"http://localhost:{copy.port}"
        code, told = command(copy, "witness", "monitor", url, "--origin", "localhost/log/epoch-2", "--log-key", str(key), "--json")
        assert (code, told["differences"]) == (0, [])
        assert [(each["origin"], each["size"], each["seen"]) for each in told["notices"]] == [("localhost/log", old, lost)]

        async def entries(store):
            async with store.reading() as tx:
                return await Log(tx).entries(0, 1 << 16)

        found = copy.within(entries)
        read = subprocess.run([str(reader), url, str(key)], input=b"\n".join(found), capture_output=True, check=False)
        assert read.stdout.decode().strip() == f"accepted {len(found)}"
        notice = next(json.loads(each) for each in found if b'"epoch_begun"' in each)
        assert notice["approved"] == sorted(id_of(name) for name in ("an.quan", "shen.ji"))
        code, report = command(copy, "check", "--json", "--database", copy.owner)
        rows = [
            each for each in report["differences"] if each["table"] != "schema"
        ]  # that a restore wakes all triggers is the backup's test
        assert (rows, report["skipped"], report["size"]) == ([], [], len(found))
        assert code == (1 if report["differences"] else 0)
        copy.stop()
        copy.start()  # under the same settings
        copy.write()
        copy.until(copy.cosigned)


def test_what_goes_on_beside_a_witness_that_is_away_is_found_when_it_comes_back(tmp_path, bureau):
    service = Watched(tmp_path / "d", "sqlite", free_port(), bureau)
    copy = Watched(tmp_path / "e", "sqlite", service.port, bureau)
    with ending(service, copy):
        begun(service, bureau)
        made = asyncio.run(backup(service.settings, tmp_path / "backups", SECRET, SystemClock().now()))
        service.write(5)
        service.until(service.cosigned)
        lost = service.size()
        service.stop()
        bureau.stop()
        asyncio.run(restore(copy.settings, made.path, SECRET))
        copy.start()
        copy.write(20)  # longer than what the witness saw, and another history
        copy.until(lambda: copy.checkpoint()[0].size == copy.size() > lost)
        bureau.start()
        copy.until(lambda: copy.part() == ("degraded", "read_only"), 70)
        with pytest.raises(Refused, match="log_differs_from_witness"):
            copy.write()
        assert bureau.seen("localhost/log") == lost


def test_a_rebuilt_database_of_the_same_name_is_read_only(tmp_path, bureau):
    service = Watched(tmp_path / "d", "sqlite", free_port(), bureau)
    other = Watched(tmp_path / "e", "sqlite", service.port, bureau)
    with ending(service, other):
        begun(service, bureau)
        seen = bureau.seen("localhost/log")
        service.stop()
        shutil.rmtree(service.folder)
        other.set_up()
        other.start()
        other.until(lambda: other.part() == ("degraded", "read_only"))
        with pytest.raises(Refused, match="log_differs_from_witness"):
            other.write()
        assert bureau.seen("localhost/log") == seen
