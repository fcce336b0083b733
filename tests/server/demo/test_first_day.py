"""The first day: what the console says, the page that makes three administrators and is gone, and the command in a terminal."""

import json
import os
import pty
import re
import select
import sqlite3
import stat
import sys
import tempfile
import time
from pathlib import Path

import pytest

from tests.server.demo.site import Serving, environment, lotroom
from tests.server.desk.site import problem
from tests.server.keeper.authenticator import Authenticator

PASSWORD = "Rosin-tulip-43-kelp"
THREE = (("system_admin", "孙系", "sun.xitong"), ("security_admin", "安全", "an.quan.yi"), ("audit_admin", "沈计", "shen.ji.yi"))


@pytest.fixture
def service(tmp_path):
    made = Serving(tmp_path)
    made.start()
    yield made
    made.stop()


def begun(service):
    visitor = service.visitor()
    visitor.open("/first-day")
    answer = visitor.post("/first-day", (("secret", service.secret),))
    assert answer.status == 303, problem(answer)
    visitor.open("/first-day")
    return visitor


def fields(role, name, account, password=PASSWORD):
    return ("role", role), ("name", name), ("account", account), ("password", password)


def asked(visitor, *given):
    return visitor.post("/first-day/options", given)


def enrol(visitor, key, *given):
    options = asked(visitor, *given)
    assert options.status == 200, problem(options)
    return visitor.post("/first-day/administrator", (*given, ("attestation", key.create(options.text))))


def test_three_people_become_the_administrators_and_the_page_is_gone(service):
    assert service.ask("GET", "/demo").status == service.ask("POST", "/demo/passkey", b"").status == 404  # nobody populated it
    visitor = begun(service)
    other = service.visitor()  # without the grant there is only the question for the secret
    assert 'name="secret"' in other.open("/first-day").text
    assert asked(other, *fields(*THREE[0])).status == 422
    used = other.post("/first-day", (("secret", service.secret),))
    assert (used.status, "--new-secret" in problem(used)) == (422, True)

    keys = {account: Authenticator(rp="localhost", origin=service.origin) for *_, account in THREE}
    for bad in (fields("supervisor", "甲", "a.b"), fields("system_admin", "", "a.b"), fields("system_admin", "甲", "a.b", "short"), ()):
        assert asked(visitor, *bad).status == 422, bad
    assert visitor.post("/first-day/administrator", (*fields(*THREE[0]), ("attestation", "{}"))).status == 422
    for number, (role, name, account) in enumerate(THREE):
        page = visitor.open("/first-day").text
        assert f'name="role" value="{role}"' in page
        assert service.lotroom("doctor", "--json").returncode == 1  # a root that opens by itself
        if number:  # a name that is somebody's, and a key that is somebody's
            taken = enrol(visitor, keys[account], *fields(role, name, THREE[0][2]))
            assert taken.status == 422
        answer = enrol(visitor, keys[account], *fields(role, name, account))
        assert answer.status == 303, problem(answer)
    assert answer.headers["Location"] == "/sign-in"
    for method, path in (
        ("GET", "/first-day"),
        ("POST", "/first-day"),
        ("POST", "/first-day/options"),
        ("POST", "/first-day/administrator"),
    ):
        given = (
            visitor.get(path)
            if method == "GET"
            else visitor.post(path, (("secret", "0" * 32),) if path == "/first-day" else fields(*THREE[0]))
        )
        assert (given.status, problem(given)) == (404, "not_found"), path
    assert service.lotroom("init", "--new-secret").returncode == 1
    for *_, account in THREE:
        one = service.visitor()
        one.open("/sign-in")
        options = one.post("/sign-in/passkey/options", (("account", account),)).text
        shown = one.post("/sign-in/passkey", (("account", account), ("assertion", keys[account].get(options))))
        assert shown.status == 303, problem(shown)
        assert one.open("/people").text.count('<tr role="row">') == 4
    assert service.visitor().password("sun.xitong", PASSWORD).headers["Location"] == "/sign-in/second"
    done = service.lotroom("check", "--lang", "en")
    assert done.returncode == 0, done.stdout + done.stderr
    assert {each["code"] for each in json.loads(service.lotroom("doctor", "--json").stdout)} >= {"doctor_administrators", "doctor_log_key"}


def test_a_new_secret_replaces_the_one_before_until_somebody_is_enrolled(service):
    done = service.lotroom("init", "--new-secret", "--lang", "en")
    assert done.returncode == 0, done.stderr
    old, service.secret = service.secret, service.secret_of(done)
    visitor = service.visitor()
    visitor.open("/first-day")
    assert visitor.post("/first-day", (("secret", old),)).status == 422
    lost = begun(service)  # a grant whose browser is lost: another secret is made, and the grant is worth nothing
    service.secret = service.secret_of(service.lotroom("init", "--new-secret", "--lang", "en"))
    assert asked(lost, *fields(*THREE[0])).status == 422
    service.stop()
    service.start()  # the new secret is in the sealed file
    now = begun(service)
    key = Authenticator(rp="localhost", origin=service.origin)
    assert enrol(now, key, *fields(*THREE[0])).status == 303
    refused = service.lotroom("init", "--new-secret", "--lang", "en")
    assert (refused.returncode, "an administrator is enrolled" in refused.stderr) == (1, True)
    assert 'value="security_admin"' in now.open("/first-day").text


def test_who_was_let_in_before_a_crash_gets_the_role_afterwards(service):
    """The keeper has the passkey, and the service was killed before it wrote the role: the next look at the page settles it."""
    visitor = begun(service)
    given = fields(*THREE[0])
    key = Authenticator(rp="localhost", origin=service.origin)
    options = asked(visitor, *given)
    # The account's row cannot be finished: the role is there already, as if it were somebody else's, so what follows the keeper's word fails.
    with sqlite3.connect(service.folder / "data" / "lotroom.db") as db:
        db.execute("CREATE TRIGGER broken BEFORE INSERT ON passkey BEGIN SELECT RAISE(ABORT, 'no'); END")
    answer = visitor.post("/first-day/administrator", (*given, ("attestation", key.create(options.text))))
    assert answer.status in (422, 500, 503)
    with sqlite3.connect(service.folder / "data" / "lotroom.db") as db:
        db.execute("DROP TRIGGER broken")
    assert 'value="security_admin"' in visitor.open("/first-day").text


def test_without_a_terminal_everything_is_told_by_options(tmp_path):
    env = environment(LOTROOM_ORIGIN="https://draw.example.cn", LOTROOM_DATA_FOLDER=str(tmp_path / "data"))
    words = [word for name in ("甲", "乙", "丙") for word in ("--custodian", name)]
    done = lotroom("init", *words, "--needed", "2", "--lang", "en", env=env)
    assert done.returncode == 0, done.stderr
    assert len(re.findall(r"^    [a-z ]{150,}$", done.stdout, re.MULTILINE)) == 3
    unsafe = done.stdout.partition("Still unsafe")[2]
    for word in ("witnesses", "backup", "enough to unseal", "three administrators"):
        assert word in unsafe, word
    assert "https://draw.example.cn/first-day" in done.stdout
    assert lotroom("init", *words, env=env).returncode == 1
    assert lotroom("init", "--new-secret", env=env).returncode == 1  # nothing runs
    assert lotroom("check", env=env).returncode == 0  # before the first checkpoint there is nothing to be checked with a key


LINES = ("http://draw.example.cn", "https://draw.example.cn", "示例中心", "Centre", "", "3", "甲", "甲", "乙", "丙", "2", "y")
PROMPTS = {
    "zh": ("网址，如", "网址，如", "（中文）", "（英文）", "数据文件夹", "人数", "第 1", "第 2", "第 2", "第 3", "解封所需", "现在生成"),
    "en": (
        "Address",
        "Address",
        "Chinese",
        "English",
        "folder",
        "How many",
        "dian 1",
        "dian 2",
        "dian 2",
        "dian 3",
        "unseal [",
        "Make the",
    ),
}
PAUSES = {"zh": ("按任意键", "随即清空") * 3, "en": ("presses a key", "is cleared") * 3}


@pytest.mark.parametrize("lang", PROMPTS)
def test_in_a_terminal_each_step_is_explained_and_asked(lang):
    with tempfile.TemporaryDirectory() as folder:  # short enough for a socket in the folder that `lotroom init` proposes
        asked_in_a_terminal(Path(folder), lang)


def asked_in_a_terminal(folder, lang):
    talk = [*zip(PROMPTS[lang], [line + "\n" for line in LINES], strict=True), *((each, "x") for each in PAUSES[lang])]
    said, code = in_terminal(folder, lang, talk)
    assert code == 0, said
    steps = re.findall(r"([1-6])/6 ", said)
    assert steps == list("123456")
    shown = re.findall(r"^    ([a-z]+ [a-z ]{150,})\r$", said, re.MULTILINE)
    assert len(set(shown)) == 3
    assert said.count("\x1b[2J") == 3  # each share is cleared away
    assert re.search(r"[0-9a-f]{32}\r$", said, re.MULTILINE)
    assert ("还不安全" if lang == "zh" else "Still unsafe") in said
    assert (folder / "lotroom.toml").read_text().startswith('origin = "https://draw.example.cn"\n')
    assert stat.S_IMODE((folder / "lotroom-data").stat().st_mode) == 0o700
    again, code = in_terminal(folder, lang, [])
    assert (code, "Traceback" in again) == (1, False)


def in_terminal(folder, lang, talk):
    """What `lotroom init` says to somebody who answers each of its questions, and its exit code."""
    pid, end = pty.fork()
    if pid == 0:
        os.chdir(folder)
        os.execve(sys.executable, [sys.executable, "-m", "server", "init", "--lang", lang], environment())
    said, fresh, left, deadline = b"", b"", list(talk), time.monotonic() + 90
    while time.monotonic() < deadline:
        try:
            data = os.read(end, 65_536) if select.select([end], [], [], 1)[0] else b""
        except OSError:  # the other end is closed
            break
        said, fresh = said + data, fresh + data
        if (
            left
            and left[0][0].encode() in fresh
            and fresh.rstrip(b" ").endswith((b":", "：".encode(), b"\xe9\x94\xae", b"key", b"cleared", "清空".encode()))
        ):
            time.sleep(0.1)  # a terminal's owner is no faster
            os.write(end, left.pop(0)[1].encode())
            fresh = b""
    os.close(end)
    return said.decode(), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
