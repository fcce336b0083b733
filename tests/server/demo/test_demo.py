"""The demonstration as its reader meets it: it starts, names people who can sign in, offers software passkeys, checks, and ends; elsewhere none of it exists."""

import base64
import json
import os
import re
import signal
import stat
import subprocess
import sys
import tempfile
import time
import tomllib
import urllib.request
from pathlib import Path

import pytest

from drawing.errors import Refused
from server.adapters.clock import SystemClock
from server.app import Parts, build
from server.auth.model import NEVER_GRANTED, Role
from server.config import Settings
from server.demo.book import Book, DemoPeople, Person, read_book, write_book
from server.demo.passkeys import make_passkey
from server.handlers.ask import SITE
from server.handlers.routes import DEMO
from server.keeper.people import code_at
from server.texts import ROLE_NAMES
from tests.conftest import LONG, counts
from tests.server.demo.site import Demo, environment, free_port, lotroom
from tests.server.desk.site import problem

END_SECONDS = 5 if LONG else 15
READY_SECONDS = 60 if LONG else 200  # on a machine that is shared: the long run holds the promise
ADMINS = {"sun.qiming", "an.ruolan", "shen.jiahe"}


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    made = Demo(tmp_path_factory.mktemp("demo") / "d")
    yield made
    made.stop()


def fresh_code(demo, account):
    """The code of the next half minute, which is accepted already: the printed one may have been used by another test."""
    return code_at(base64.b32decode(demo.people[account][2]), SystemClock().now() // 30 + 1)


def with_demo_passkey(visitor, account):
    visitor.open("/sign-in")
    asked = visitor.post("/sign-in/passkey/options", (("account", account),))
    told = visitor.post("/demo/passkey", (("options", asked.text), ("account", account)))
    assert told.status == 200, problem(told)
    answer = visitor.post("/sign-in/passkey", (("account", account), ("assertion", told.text)))
    assert answer.status == 303, problem(answer)
    return visitor


def test_it_names_somebody_for_each_role_and_is_there_soon(demo):
    roles = {role.partition(" (")[0] for role, *_ in demo.people.values()}
    assert roles >= {ROLE_NAMES[role.value][1] for role in Role if role not in NEVER_GRANTED}
    assert {account for account, (*_, key) in demo.people.items() if key} > ADMINS
    print(f"the demonstration took {demo.seconds:.1f} s")
    assert demo.seconds < READY_SECONDS


def test_a_printed_password_and_code_sign_in_once(demo):
    visitor = demo.visitor()
    role, name, _, code, _ = demo.people["chen.liqun"]
    if visitor.code("chen.liqun", demo.password, code).status != 303:  # half a minute may have gone by
        assert visitor.post("/sign-in/second", (("code", fresh_code(demo, "chen.liqun")),)).status == 303
    text = visitor.open("/account").text
    assert "chen.liqun" in text and ("评标专家" in text or "Expert" in text)
    assert role.startswith("expert") and name == "陈立群"
    again = demo.visitor()
    assert again.code("chen.liqun", demo.password, code).status == 422


def test_everybody_who_has_a_software_passkey_signs_in_with_it(demo):
    for account in ("an.ruolan", "ouyang.jing", "luo.yiming"):
        assert account in with_demo_passkey(demo.visitor(), account).open("/account").text
    visitor = demo.visitor()
    visitor.open("/sign-in")
    asked = visitor.post("/sign-in/passkey/options", (("account", "tang.yue"),))
    refused = visitor.post("/demo/passkey", (("options", asked.text), ("account", "tang.yue")))
    assert refused.status == 422
    for options in (
        "{}",
        "[]",
        "[" * 9000,
        '{"rp":1,"challenge":"x"}',
        '{"rpId":"localhost"}',
        '{"allowCredentials":[1],"rpId":"x","challenge":"x"}',
        '{"rpId":"\\ud800","challenge":"x"}',
    ):
        answer = visitor.post("/demo/passkey", (("options", options), ("account", "an.ruolan")))
        assert answer.status == 422, options


def test_no_page_is_empty(demo):
    admin = with_demo_passkey(demo.visitor(), "shen.jiahe")
    assert admin.open("/people").text.count('<tr role="row">') >= 18
    assert admin.open("/approvals").text.count('<article class="card') == 2
    assert admin.open("/audit").text.count('<tr role="row">') > 20
    home = demo.visitor().open("/").text
    assert "/proofs/demo-proof.json" in home and "/proofs/demo-keys.json" in home
    assert demo.ask("GET", "/proofs/demo-proof.json").body == (demo.folder / "draw" / "proof.json").read_bytes()
    logins = demo.visitor().open("/demo").text
    assert all(account in logins for account in demo.people)
    assert demo.visitor().open(demo.invitation).status == 200
    assert demo.ask("GET", "/first-day").status == 404  # the three are enrolled


def test_a_draw_waits_for_answers_and_one_is_prepared(demo):
    clerk = with_demo_passkey(demo.visitor(), "he.xiaowen")
    text = clerk.open("/draws").text
    running, prepared = (re.search(rf'/draws/([0-9a-f]{{32}})">{number}', text)[1] for number in ("DEMO-2026-0101", "DEMO-2026-0102"))
    found = json.loads(clerk.get(f"/api/draws/{running}").body)
    assert (found["waiting"], found["seats"], found["accepted"], found["notified"]) == ("answers", 5, 0, 6)
    found = json.loads(clerk.get(f"/api/draws/{prepared}").body)
    assert found["waiting"] in ("to_open", "attest")  # the courier goes on by itself
    assert '<progress class="progress"' not in clerk.open(f"/draws/{running}").text
    held = sorted(each.name for each in (demo.folder / "data" / "demo-keys").iterdir())
    assert len([each for each in held if each.endswith(".demo.key")]) == 4


def test_its_telephones_are_on_a_page_of_their_own_and_nowhere_else(demo, tmp_path):
    config = tomllib.loads((demo.folder / "lotroom.toml").read_text("utf-8"))
    with urllib.request.urlopen(f"http://127.0.0.1:{config['gateway_port']}/?language=en") as answer:
        page = answer.read().decode()
    assert config["sms_secret"] not in page
    env = environment(LOTROOM_DATA_FOLDER=str(tmp_path / "x"), LOTROOM_ORIGIN="https://draw.example.cn", LOTROOM_LANG="en")
    done = subprocess.run(
        [sys.executable, "-m", "server.processes", "gateway"],
        check=False,
        env=env,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, "in a demonstration only" in done.stderr) == (1, True), done.stderr


def test_there_are_two_centres_with_people_of_their_own(demo):
    centres = {each.account: each.centre for each in read_book(demo.folder / "data" / "demo.json").people}
    assert centres["jiang.han"] == centres["luo.yiming"] != centres["he.xiaowen"] == centres["ouyang.jing"]
    admin = with_demo_passkey(demo.visitor(), "sun.qiming").open("/people").text
    assert all(centre in admin for centre in {*centres.values()})  # where somebody may be invited to


def test_its_database_is_what_its_log_says_and_its_files_are_its_own(demo):
    env = environment(LOTROOM_CONFIG=str(demo.folder / "lotroom.toml"))
    done = lotroom("check", "--lang", "en", env=env)
    assert done.returncode == 0, done.stdout + done.stderr  # with the log's key, which the service recorded
    told = lotroom("doctor", "--json", env=env).stdout
    codes = {each["code"] for each in json.loads(told)}
    assert {"doctor_demo_root", "doctor_http", "doctor_administrators", "doctor_log_key", "doctor_no_backup"} <= codes
    for path in (demo.folder / "data").rglob("*"):
        assert (
            stat.S_IMODE(path.stat().st_mode) & 0o077 == 0
            or stat.S_ISSOCK(path.stat().st_mode)
            or path.suffix in (".db", ".db-wal", ".db-shm")
        ), path
    assert stat.S_IMODE((demo.folder / "data" / "demo.json").stat().st_mode) == 0o600


def test_a_second_one_in_the_same_folder_or_at_the_same_port_is_refused(demo, tmp_path):
    assert lotroom("demo", "--out", str(demo.folder), "--no-serve").returncode == 2
    taken = lotroom("demo", "--out", str(tmp_path / "e"), "--port", str(demo.port), "--lang", "en")
    assert (taken.returncode, "is taken" in taken.stderr) == (1, True)
    assert not (tmp_path / "e").exists()


def test_it_ends_when_it_is_told(tmp_path):
    for how, lang in ((signal.SIGINT, "zh"), (signal.SIGTERM, "en"))[: counts("demonstrations ended", 1, 2)]:
        made = Demo(tmp_path / lang, lang)
        assert made.password
        assert len(made.people) == 17
        code, seconds = made.stop(how)
        assert code == 0
        assert seconds <= END_SECONDS


@pytest.mark.parametrize("seconds", [1.5, 4])
def test_told_to_end_before_it_is_ready_it_leaves_nothing_behind(seconds):
    short = tempfile.TemporaryDirectory(prefix="lr-")  # the keeper's socket below it has a path of 100 bytes at most
    folder = Path(short.name) / 't t"ä'  # a path that needs to be written with care
    folder.mkdir()
    words = [sys.executable, "-m", "server", "demo", "--port", str(free_port())]
    process = subprocess.Popen(words, env=environment(TMPDIR=str(folder)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    time.sleep(seconds)
    begun = time.monotonic()
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=30)
    assert process.returncode in (0, -signal.SIGTERM), said.decode()  # the second: before anything was made
    assert time.monotonic() - begun <= END_SECONDS
    assert b"Traceback" not in said
    assert list(folder.iterdir()) == []
    short.cleanup()


def test_without_a_site_it_ends_by_itself(tmp_path):
    done = lotroom("demo", "--no-serve", "--out", str(tmp_path / "d"), "--lang", "en", env=environment(LOTROOM_ORIGIN="nonsense"))
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    assert "17 people are enrolled" in done.stdout
    assert len(read_book(tmp_path / "d" / "data" / "demo.json").people) == 17


# Elsewhere ------------------------------------------------------------------------------------------------------------------------------


def book(path):
    options = json.dumps({"challenge": "AAAA", "rp": {"id": "draw.example.cn"}, "user": {"id": "BBBB"}})
    key, _ = make_passkey(options, "https://draw.example.cn", os.urandom(64))
    write_book(Book("x", "/", (Person("a", "a", "", "", "A" * 32, (key,)),)), path)
    return DemoPeople(path)


def test_outside_a_demonstration_there_is_no_route_no_script_and_no_button(tmp_path):
    people = book(tmp_path / "demo.json")
    real = build(Settings(origin="https://draw.example.cn"), Parts(demo=people))
    plain = build(Settings(insecure_demo=True), Parts())  # a demonstration that nobody populated
    shown = build(Settings(insecure_demo=True), Parts(demo=people))
    script = "js/demo/passkey.js"
    for app, there in ((real, False), (plain, False), (shown, True)):
        site = app[SITE]
        assert ({each.name for each in DEMO} <= {each.name for each in site.routes}) is there
        assert ("/demo/passkey" in {each.resource.canonical for each in app.router.routes()}) is there
        assert any(name.startswith("js/demo/") for name in site.statics.files) is there
        assert (site.demo is not None) is there
        if there:
            assert site.statics.address(script)
        else:
            with pytest.raises(KeyError):
                site.statics.address(script)


def test_the_book_is_read_back_and_a_foreign_file_is_refused(tmp_path):
    path = tmp_path / "demo.json"
    people = book(path)
    assert read_book(path).people[0].keys[0].user == "BBBB"
    made = people.answer("new", json.dumps({"challenge": "AAAA", "rp": {"id": "x"}, "user": {"id": "CCCC"}}), "https://x")
    assert json.loads(made)["type"] == "public-key"
    assert {each.account for each in read_book(path).people} == {"a", "new"}
    assert [each.account for each in people.logins(0)] == ["a"]  # whoever made a key on a page has a code app of their own
    for bad in (b"", b"[]", b"{}", b'{"password":"x","invitation":"/","people":[{}]}'):
        path.write_bytes(bad)
        with pytest.raises(Refused):
            read_book(path)
