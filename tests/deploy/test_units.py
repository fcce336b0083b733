"""The systemd units: what systemd says of them, and the service under the rules that they set."""

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import sysconfig
import time
from contextlib import suppress
from functools import cache
from pathlib import Path

import pytest

from server.config import Settings
from server.errors import NotReady
from server.keeper.client import Keeper
from server.setting_up import set_up
from tests.conftest import ROOT
from tests.deploy import units
from tests.server.service.machine import Service, free_port
from tools.check_docs import fault_of

SERVICES = sorted(path.name for path in units.FOLDER.glob("*.service"))
EXPOSURE = 1.5  # of 10, by systemd's own sum
needs_systemd = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The units as they would be installed, with the program where it is here."""
    folder = tmp_path_factory.mktemp("units")
    for path in units.FOLDER.glob("lotroom*"):
        (folder / path.name).write_text(path.read_text("utf-8").replace("/opt/lotroom/bin/lotroom", "/bin/true"), "utf-8")
    return folder


def analyze(folder, *words):
    return subprocess.run(["systemd-analyze", *words], cwd=folder, capture_output=True, text=True, check=False, timeout=60)


@needs_systemd
def test_systemd_finds_no_fault_in_any_unit(installed):
    done = analyze(installed, "verify", *sorted(path.name for path in installed.iterdir()))
    ours = [line for line in done.stderr.splitlines() if "lotroom" in line]
    assert not ours and done.returncode == 0, done.stderr
    broken = installed / "lotroom-broken.service"
    broken.write_text((installed / "lotroom.service").read_text().replace("NoNewPrivileges=yes", "NoNewPrivilege=yes"))
    assert "NoNewPrivilege" in analyze(installed, "verify", broken.name).stderr
    broken.unlink()


@needs_systemd
@pytest.mark.parametrize("name", SERVICES)
def test_no_unit_is_more_exposed_than_it_must_be(installed, name):
    done = analyze(installed, "security", "--offline=true", f"--threshold={int(EXPOSURE * 10)}", f"./{name}")
    assert done.returncode == 0, done.stdout[-400:]
    service = units.read(units.FOLDER / name)["Service"]
    assert (service["LimitCORE"], service["MemorySwapMax"], service["MemoryDenyWriteExecute"]) == (["0"], ["0"], ["yes"])


def test_the_programs_of_the_units_are_commands_of_ours():
    lines = [line.split() for name in SERVICES for line in units.read(units.FOLDER / name)["Service"]["ExecStart"]]
    ours = [words[1:] for words in lines if words[0] == "/opt/lotroom/bin/lotroom"]
    assert len(ours) == len(SERVICES)
    assert [fault_of(words) for words in ours] == [""] * len(ours)
    assert fault_of(["serve", "--rôle", "--roll"]) and fault_of(["witness", "watch"])


@needs_systemd
def test_the_service_runs_under_the_rules_of_its_unit(tmp_path, monkeypatch):
    """A system call that the unit forbids, or memory that is written and run, would end a process or one of its verbs."""
    folder = tmp_path / "d"
    folder.mkdir(mode=0o700)
    service = Service(folder)
    service.set_up()
    heard = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    heard.bind(str(tmp_path / "notify"))
    heard.settimeout(5)
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    real = subprocess.Popen
    confined = [sys.executable, "-m", "tests.deploy.units", "lotroom.service", sys.executable, "-m", "server.supervisor"]
    monkeypatch.setattr(subprocess, "Popen", lambda command, **more: real(confined, **more))
    service.start()
    monkeypatch.undo()
    try:
        assert service.ready()
        assert "good" in service.get("/status")[1] or service.get("/status")[0] == 200

        async def use():  # the keeper's own child starts with the first task of this kind
            async with Keeper(folder / "run" / "keeper.sock") as keeper:
                return (await keeper.status()).shielded

        assert asyncio.run(use())
        status = Path(f"/proc/{service.pids()['keeper']}/status").read_text()
        assert "Seccomp:\t2" in status and "NoNewPrivs:\t1" in status
        assert '"ended"' not in service.log()
        assert heard.recv(100) == b"READY=1"  # once, from the supervisor: what its children say to systemd would not be heard
    finally:
        assert service.stop() <= 5
    said = b""
    while said != b"STOPPING=1":
        said = heard.recv(100)
        assert said in (b"WATCHDOG=1", b"STOPPING=1")
    heard.close()


def test_a_rule_that_forbids_what_the_service_needs_is_noticed():
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not installed")
    unit = units.read(units.FOLDER / "lotroom.service")
    assert {"connect", "fdatasync", "execve", "prlimit64"} <= units.allowed(unit)
    assert not {"ptrace", "mount", "bpf", "kexec_load", "setuid", "init_module"} & units.allowed(unit)


# The roles apart ------------------------------------------------------------------------------------------------------------------------

WEB, KEEPER, COURIER, STRANGER, GROUP = 61_001, 61_002, 61_003, 61_009, 61_000


HAND_OVER = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
os.execv(sys.argv[2], sys.argv[2:])
"""


def as_user(uid, role, folder, settings, *, handed=None):
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": for_others()[1], "LANG": "C.UTF-8", **settings}
    words = [for_others()[0], "-m", "server.processes", role]
    fds = ()
    if handed is not None:  # as systemd does: the socket is number 3, and the number of the process is said
        words = [for_others()[0], "-c", HAND_OVER, str(handed.fileno()), *words]
        fds = (handed.fileno(),)
    with (folder / f"{role}.log").open("ab") as out:
        return subprocess.Popen(
            words, env=env, cwd=folder / role, user=uid, group=GROUP, extra_groups=[], umask=0o077, pass_fds=fds, stdout=out, stderr=out
        )


def asked_as(uid, path):
    script = (
        "import asyncio, sys\nfrom pathlib import Path\nfrom server.keeper.client import Keeper\n"
        "async def ask():\n    async with Keeper(Path(sys.argv[1])) as keeper:\n        print((await keeper.status()).sealed)\n"
        "asyncio.run(ask())"
    )
    words = [for_others()[0], "-c", script, str(path)]
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": for_others()[1], "LANG": "C.UTF-8"}
    return subprocess.run(words, env=env, user=uid, group=GROUP, extra_groups=[], cwd="/", capture_output=True, text=True, check=False)


@cache
def for_others():
    """An interpreter of our version that every user may run, and its path of modules; None where there is none."""
    here = os.pathsep.join([str(ROOT), sysconfig.get_path("purelib")])
    for python in (sys.executable, f"/usr/bin/python3.{sys.version_info.minor}"):
        with suppress(OSError):
            done = subprocess.run(
                [python, "-c", "import server.app, nacl.bindings"], user=STRANGER, group=GROUP, extra_groups=[], cwd="/",
                env={"PYTHONPATH": here, "PATH": os.environ["PATH"]}, capture_output=True, check=False,
            )  # fmt: skip
            if done.returncode == 0:
                return python, here
    return None


def seen_by(uid, path):
    done = subprocess.run(["/bin/ls", "-l", f"{path}"], user=uid, group=GROUP, extra_groups=[], capture_output=True, check=False)
    return done.returncode == 0


async def test_three_users_run_the_three_roles_and_a_fourth_is_refused(database, tmp_path):
    if database.engine == "sqlite":
        pytest.skip("the roles apart need PostgreSQL: a file has one owner")
    if os.geteuid() != 0 or not for_others():
        pytest.skip("only root can start processes of three users, of an interpreter that all may read")
    base = Path("/tmp") / f"lotroom-apart-{os.getpid()}"  # where other users may come
    base.mkdir(mode=0o755)
    run = base / "run"
    for folder, uid, mode in ((run, 0, 0o750), (base / "web", WEB, 0o700), (base / "keeper", 0, 0o700), (base / "courier", COURIER, 0o700)):
        folder.mkdir()
        os.chown(folder, uid, GROUP)
        folder.chmod(mode)
    (run / "courier.alive").touch(0o640)
    os.chown(run / "courier.alive", COURIER, GROUP)
    (run / "courier.alive").chmod(0o640)
    port = free_port()
    common = {
        "LOTROOM_INSECURE_DEMO": "true",
        "LOTROOM_LISTEN_PORT": str(port),
        "LOTROOM_ORIGIN": f"http://localhost:{port}",
        "LOTROOM_RUN_FOLDER": str(run),
    }
    apart = {
        "web": {**common, "LOTROOM_DATA_FOLDER": str(base / "web"), "LOTROOM_DATABASE": database.web},
        "keeper": {
            **common, "LOTROOM_DATA_FOLDER": str(base / "keeper"), "LOTROOM_DATABASE": database.keeper,
            "LOTROOM_KEEPER_PEERS": f'["{WEB}=web","{COURIER}=courier"]',
        },
        "courier": {**common, "LOTROOM_DATA_FOLDER": str(base / "courier"), "LOTROOM_DATABASE": database.web},
    }  # fmt: skip
    given = Settings(
        insecure_demo=True, listen_port=port, origin=f"http://localhost:{port}", data_folder=str(base / "keeper"), database=database.owner,
        run_folder=str(run),
    )  # fmt: skip
    await set_up(given, (), 2, 1, int(time.monotonic()) + 1_700_000_000, demo=True)
    for path in (base / "keeper", *(base / "keeper").rglob("*")):
        os.chown(path, KEEPER, GROUP)
    door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    door.bind(str(run / "keeper.sock"))
    os.chown(run / "keeper.sock", KEEPER, GROUP)
    (run / "keeper.sock").chmod(0o660)
    door.listen(64)
    heard = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    heard.bind(str(base / "notify"))
    (base / "notify").chmod(0o666)
    heard.settimeout(5)
    apart["web"]["NOTIFY_SOCKET"] = str(base / "notify")
    service = Service(base)
    service.port, service.settings = port, given
    service.log = lambda: "".join(path.read_text() for path in base.glob("*.log"))
    started = [
        as_user(KEEPER, "keeper", base, apart["keeper"], handed=door),
        as_user(COURIER, "courier", base, apart["courier"]),
        as_user(WEB, "web", base, apart["web"]),
    ]
    try:
        await asyncio.to_thread(service.until, service.ready, 40)
        text = await asyncio.to_thread(service.get, "/health/ready")
        assert "keeper good" in text[1] and "courier good" in text[1]
        assert heard.recv(100) == b"READY=1" and heard.recv(100) == b"WATCHDOG=1"
        assert asked_as(WEB, run / "keeper.sock").stdout == "False\n"
        assert asked_as(KEEPER, run / "keeper.sock").stdout == "False\n"  # whoever unseals at the machine
        refused = asked_as(STRANGER, run / "keeper.sock")
        assert refused.returncode and "peer_refused" in refused.stderr
        for path in ("keeper/keeper/root.sealed", "keeper"):
            assert seen_by(KEEPER, base / path) and not seen_by(WEB, base / path)  # the web's user does not even see the sealed file
    except (AssertionError, NotReady):
        print(service.log()[-4000:])
        raise
    finally:
        for each in started:
            each.terminate()
        for each in started:
            each.wait(20)
        door.close()
        heard.close()
        shutil.rmtree(base)
