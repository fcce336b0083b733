"""nginx, with the file that is shipped, before the real service: what reaches people through it."""

import http.client
import re
import shutil
import socket
import ssl
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.server.service.machine import Service, free_port

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
NAME = "draw.example.cn"
SECRET = "A" * 43  # an invitation's code
pytestmark = pytest.mark.skipif(not NGINX, reason="nginx is not installed")


def certificate(folder: Path) -> None:
    import datetime

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, NAME)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    (folder / "fullchain.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    (folder / "privkey.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))


class Proxy:
    """The shipped file with this machine's ports and paths in it; nothing else is changed."""

    def __init__(self, folder: Path, service: int):
        folder.mkdir()
        certificate(folder)
        self.folder, self.port, self.plain = folder, free_port(), free_port()
        text = (ROOT / "deploy" / "nginx" / "lotroom.conf").read_text("utf-8")
        for old, new in (
            (r"/etc/lotroom/tls", str(folder)),
            (r"/var/log/nginx", str(folder)),
            (r"listen \[::\]:[^\n]+\n", "\n"),
            (r"listen 443", f"listen 127.0.0.1:{self.port}"),
            (r"listen 80;", f"listen 127.0.0.1:{self.plain};"),
            (r"server 127\.0\.0\.1:8080", f"server 127.0.0.1:{service}"),
        ):
            text, count = re.subn(old, new, text)
            assert count, old
        (folder / "lotroom.conf").write_text(text, "utf-8")
        paths = "".join(f"    {each}_temp_path {folder}/{each};\n" for each in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        (folder / "nginx.conf").write_text(
            f"daemon off;\nworker_processes 1;\npid {folder}/pid;\nerror_log {folder}/error.log warn;\nevents {{ }}\n"
            f"http {{\n{paths}    include {folder}/lotroom.conf;\n}}\n"
        )
        self.words = [NGINX, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")]
        self.trust = ssl.create_default_context(cafile=str(folder / "fullchain.pem"))

    def connect(self, name=NAME):
        return self.trust.wrap_socket(socket.create_connection(("127.0.0.1", self.port), 20), server_hostname=name)

    def get(self, path, **headers):
        connection = http.client.HTTPSConnection(NAME, self.port, timeout=10)
        connection.sock = self.connect()
        try:
            connection.request("GET", path, headers={"Host": NAME, **headers})
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read().decode()
        finally:
            connection.close()


@contextmanager
def before(folder, port):
    proxy = Proxy(folder, port)
    process = subprocess.Popen(proxy.words)
    try:
        for _ in range(200):
            with suppress(OSError), socket.create_connection(("127.0.0.1", proxy.port), 1):
                break
            time.sleep(0.02)
        yield proxy
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Service and proxy, both real. The service is one for https: nothing of a demonstration is on."""
    folder = tmp_path_factory.mktemp("behind")
    (folder / "d").mkdir(mode=0o700)
    service = Service(folder / "d", demo=False)
    service.settings = service.settings.model_copy(update={"origin": f"https://{NAME}"})
    service.set_up(("甲", "乙", "丙"), 2)
    service.start()
    try:
        with before(folder / "nginx", service.port) as proxy:
            yield service, proxy
    finally:
        service.stop()


def test_nginx_finds_no_fault_in_the_file(tmp_path):
    proxy = Proxy(tmp_path / "nginx", 8080)
    done = subprocess.run([*proxy.words, "-t"], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "warn" not in done.stderr, done.stderr
    broken = (tmp_path / "nginx" / "lotroom.conf").read_text().replace("proxy_buffering off", "proxy_buffering maybe")
    (tmp_path / "nginx" / "lotroom.conf").write_text(broken)
    assert subprocess.run([*proxy.words, "-t"], capture_output=True, check=False).returncode


def test_a_page_comes_by_tls_with_each_header_once(site):
    _, proxy = site
    status, headers, text = proxy.get("/")
    assert status == 200 and "<html" in text
    names = [name.lower() for name, _ in headers if name.lower() != "set-cookie"]
    assert sorted(names) == sorted(set(names))
    said = {name.lower(): value for name, value in headers}
    assert said["strict-transport-security"].startswith("max-age=63072000") and said["server"] == "Lotroom"
    assert {"content-security-policy", "x-content-type-options", "x-request-id", "cross-origin-opener-policy"} <= set(names)
    with proxy.connect() as end:
        assert end.version() == "TLSv1.3"


def test_http_leads_to_https_and_another_name_is_shown_nothing(site):
    _, proxy = site
    connection = http.client.HTTPConnection("127.0.0.1", proxy.plain, timeout=5)
    connection.request("GET", "/verify?x=1", headers={"Host": NAME})
    answer = connection.getresponse()
    assert (answer.status, answer.getheader("Location")) == (308, f"https://{NAME}/verify?x=1")
    connection.close()
    with pytest.raises(ssl.SSLError), proxy.connect("elsewhere.example.cn"):
        pass
    assert proxy.get("/", Host="elsewhere.example.cn")[0] == 421


def test_what_a_browser_claims_about_itself_does_not_pass(site):
    _, proxy = site
    status, _, text = proxy.get("/", **{"X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example"})
    assert status == 200 and "evil.example" not in text


def test_live_updates_pass_at_once(site):
    _, proxy = site
    with proxy.connect() as end:
        end.sendall(f"GET /status/updates HTTP/1.1\r\nHost: {NAME}\r\nAccept: text/event-stream\r\n\r\n".encode())
        begun, got = time.monotonic(), b""
        while b"retry:" not in got:
            piece = end.recv(4096)
            assert piece, got
            got += piece
        seconds = time.monotonic() - begun
    assert b"text/event-stream" in got and seconds < 3, got  # a buffer would hold it until it is full


def test_who_sends_slowly_is_cut_off_and_the_service_never_sees_them(site):
    _, proxy = site
    slow_head, slow_body = proxy.connect(), proxy.connect()
    begun = time.monotonic()
    slow_head.sendall(b"GET / HTTP/1.1\r\nHost: ")
    slow_body.sendall(f"POST /preferences HTTP/1.1\r\nHost: {NAME}\r\nContent-Length: 100\r\n\r\na=".encode())
    with slow_body, slow_head:
        with suppress(OSError):
            while slow_body.recv(4096):
                pass
        body = time.monotonic() - begun
        with suppress(OSError):
            while slow_head.recv(4096):
                pass
        head = time.monotonic() - begun
    assert body < 8 and head < 14, (body, head)


def test_a_body_without_a_length_reaches_the_service_with_one(site):
    _, proxy = site
    with proxy.connect() as end:
        end.sendall(
            f"POST /preferences HTTP/1.1\r\nHost: {NAME}\r\nOrigin: https://{NAME}\r\nTransfer-Encoding: chunked\r\n"
            "Content-Type: application/x-www-form-urlencoded\r\nConnection: close\r\n\r\n3\r\na=b\r\n0\r\n\r\n".encode()
        )
        status = int(end.recv(4096).split()[1])
    assert status not in (411, 502)  # 411 is what the service says to a chunked body


def test_a_body_beyond_all_bounds_is_refused_before_it_is_read(site):
    _, proxy = site
    with proxy.connect() as end:
        end.sendall(f"POST /preferences HTTP/1.1\r\nHost: {NAME}\r\nContent-Length: {1 << 30}\r\n\r\n".encode())
        assert end.recv(4096).split()[1] == b"413"


def test_an_invitation_is_not_written_to_a_log(site):
    _, proxy = site
    proxy.get(f"/invitation/{SECRET}?next={SECRET}", Referer=f"https://{NAME}/invitation/{SECRET}")
    time.sleep(0.2)
    logs = "".join(path.read_text() for path in proxy.folder.glob("*.log"))
    assert "/invitation/..." in logs and SECRET not in logs


def test_where_the_service_is_away_a_page_says_so_in_both_languages(tmp_path):
    with before(tmp_path / "nginx", free_port()) as proxy:
        status, headers, text = proxy.get(f"/invitation/{SECRET}")
        assert status == 503 and "暂不可用" in text and "not available" in text
        assert dict(headers)["Cache-Control"] == "no-store" and "Strict-Transport-Security" in dict(headers)
    assert SECRET not in "".join(path.read_text() for path in proxy.folder.glob("*.log"))


def test_the_times_towards_the_service_are_shorter_than_its_own():
    from server.config import Settings

    text = (ROOT / "deploy" / "nginx" / "lotroom.conf").read_text("utf-8")
    own = Settings.model_fields
    upstream = re.search(r"upstream lotroom \{(.*?)\}", text, re.DOTALL)[1]
    assert int(re.search(r"keepalive_timeout (\d+)s", upstream)[1]) < own["idle_seconds"].default
    updates = re.search(r"location ~ /updates\$ \{(.*?)\}", text, re.DOTALL)[1]
    assert int(re.search(r"proxy_read_timeout (\d+)s", updates)[1]) > own["stream_heartbeat_seconds"].default
    from server.handlers.routes import DESK, TABLE

    streams = [route.path for route in (*TABLE, *DESK) if route.stream]
    assert streams and all(path.endswith("/updates") for path in streams)
    assert sys.version_info >= (3, 11)
