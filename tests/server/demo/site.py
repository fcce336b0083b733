"""A demonstration and a service on its first day, as real processes that somebody started in a terminal."""

import contextlib
import os
import re
import select
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from tests.server.desk.site import problem
from tests.server.web.live import Browser, Live

ROOT = Path(__file__).parents[3]


def free_port():
    with socket.socket() as end:
        end.bind(("127.0.0.1", 0))
        return end.getsockname()[1]


def environment(**more):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LOTROOM_")}
    return {**kept, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **more}


def lotroom(*words, env=None, cwd=None, **more):
    """A command to its end."""
    command = [sys.executable, "-m", "server", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=env or environment(), cwd=cwd, timeout=120, **more)


class Site(Live):
    """What `Browser` asks: a site at an address, whoever runs it."""

    def __init__(self, port):
        self.port, self.host, self.origin = port, f"localhost:{port}", f"http://localhost:{port}"


class Visitor(Browser):
    """A browser with somebody before it."""

    def open(self, path):
        answer = self.get(path)
        assert answer.status == 200, (path, answer.status, problem(answer))
        return answer

    def password(self, account, password):
        self.open("/sign-in")
        return self.post("/sign-in", (("account", account), ("password", password)))

    def code(self, account, password, code):
        assert self.password(account, password).headers["Location"] == "/sign-in/second"
        self.open("/sign-in/second")
        return self.post("/sign-in/second", (("code", code),))


class Demo(Site):
    """`lotroom demo` in a folder."""

    def __init__(self, folder, lang="en"):
        super().__init__(free_port())
        self.folder = folder
        words = ["demo", "--out", str(folder), "--port", str(self.port), "--lang", lang]
        begun = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "server", *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment()
        )
        self.said = ""
        self.until("Ctrl-C", 240)
        self.seconds = time.monotonic() - begun
        # role (with spaces), name, account, secret, code, passkey
        rows = re.findall(r"^(.+?)  +(\S+) +([a-z.]+) +([A-Z2-7]{32}) +(\d{6}) +(yes|no|有|无)$", self.said, re.MULTILINE)
        self.people = {account: (role, name, secret, code, key in ("yes", "有")) for role, name, account, secret, code, key in rows}
        self.password = re.search(r"(?:every demo account: |密码：)(\S+)", self.said)[1]
        self.invitation = re.search(r"/invitation/[\w-]{43}", self.said)[0]

    def until(self, text, seconds):
        end = time.monotonic() + seconds
        while text not in self.said:
            ready, _, _ = select.select([self.process.stdout], [], [], max(0, end - time.monotonic()))
            data = os.read(self.process.stdout.fileno(), 65_536) if ready else b""
            if not data:
                log = self.folder / "serve.log"
                raise AssertionError(self.said[-3000:] + (log.read_text()[-3000:] if log.exists() else ""))
            self.said += data.decode()

    def stop(self, how=signal.SIGTERM):
        """Exit code and seconds."""
        begun = time.monotonic()
        if self.process.poll() is None:
            self.process.send_signal(how)
        code = self.process.wait(30)
        self.process.stdout.close()
        return code, time.monotonic() - begun

    def visitor(self):
        return Visitor(self)


class Serving(Site):
    """`lotroom serve` over a folder that `lotroom init` made."""

    def __init__(self, folder, *words):
        super().__init__(free_port())
        self.folder = folder
        settings = f'insecure_demo = true\ndata_folder = "{folder / "data"}"\nlisten_port = {self.port}\norigin = "{self.origin}"\n'
        (folder / "lotroom.toml").write_text(settings)
        self.process = None
        made = self.lotroom("init", *words, "--lang", "en")
        assert made.returncode == 0, made.stderr
        self.told = made.stdout
        self.secret = self.secret_of(made)

    def secret_of(self, done):
        return re.search(r"nothing else\): ([0-9a-f]{32})$", done.stdout, re.MULTILINE)[1]

    def lotroom(self, *words):
        return lotroom(*words, env=environment(LOTROOM_CONFIG=str(self.folder / "lotroom.toml")))

    def start(self):
        env = environment(LOTROOM_CONFIG=str(self.folder / "lotroom.toml"))
        with (self.folder / "serve.log").open("ab") as log:
            self.process = subprocess.Popen([sys.executable, "-m", "server", "serve"], stdout=log, stderr=log, env=env)
        end = time.monotonic() + 60
        while time.monotonic() < end:
            with contextlib.suppress(OSError):
                if self.ask("GET", "/health/ready").status == 200:
                    return self
            time.sleep(0.1)
        raise AssertionError((self.folder / "serve.log").read_text()[-3000:])

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(20)

    def visitor(self):
        return Visitor(self)
