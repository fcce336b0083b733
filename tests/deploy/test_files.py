"""Containers, alarms, relay and settings: each file is read by the program that will read it, and names only what exists."""

import os
import re
import shutil
import socket
import subprocess
import time
import urllib.request

import compose_spec
import pytest
import yaml

from server.config import PREFIX, Settings, load
from tests.conftest import ROOT
from tests.deploy import units
from tests.npm import npm_file
from tests.server.service.machine import Service, free_port

DEPLOY = ROOT / "deploy"
COMPOSE = DEPLOY / "containers" / "compose.yaml"
DOCKERFILE = DEPLOY / "containers" / "Dockerfile"
ALARMS = DEPLOY / "prometheus" / "alarms.yaml"
OURS = {"LOTROOM_CONFIG"}


def merged():
    """With `<<` put in its place: what remains is the specification's own."""
    return yaml.safe_load(COMPOSE.read_text("utf-8"))


def test_the_compose_file_is_one_by_the_specification():
    whole = merged()
    compose_spec.PyCompose.from_yaml(yaml.safe_dump(whole))
    whole["services"]["lotroom"]["portz"] = ["1:1"]
    with pytest.raises(Exception, match="portz"):
        compose_spec.PyCompose.from_yaml(yaml.safe_dump(whole))


def test_every_container_is_confined_and_no_secret_stands_in_the_file():
    whole = merged()
    made = {path.name for path in made_secrets()}
    for name, service in whole["services"].items():
        assert service["read_only"] and service["cap_drop"] == ["ALL"] and service["security_opt"] == ["no-new-privileges:true"], name
        assert "privileged" not in service and service["ulimits"] == {"core": 0}
        for each in service.get("secrets", ()):
            assert (each["source"] if isinstance(each, dict) else each) in whole["secrets"]
    assert {value["file"].removeprefix("./secrets/") for value in whole["secrets"].values()} <= made
    assert whole["services"]["lotroom"]["mem_limit"] == whole["services"]["lotroom"]["memswap_limit"]
    published = {name for name, service in whole["services"].items() if "ports" in service}
    assert published == {"lotroom"} and whole["services"]["nginx"]["network_mode"] == "service:lotroom"
    assert whole["networks"]["data"]["internal"] and whole["services"]["db"]["networks"] == ["data"]


def made_secrets():
    folder = ROOT / "dist" / "compose-secrets"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "containers").mkdir(parents=True)
    shutil.copytree(DEPLOY / "coturn", folder / "coturn")
    shutil.copy(DEPLOY / "containers" / "secrets.sh", folder / "containers" / "secrets.sh")
    for _ in range(2):  # a second time changes nothing
        subprocess.run(["sh", str(folder / "containers" / "secrets.sh")], check=True)
        found = sorted((folder / "containers" / "secrets").iterdir())
        values = [path.read_bytes() for path in found]
    assert [path.read_bytes() for path in found] == values
    assert len(set(values)) == len(values) and all(len(value) >= 64 for value in values)
    return found


def test_the_secrets_are_settings_as_the_service_reads_them(tmp_path, monkeypatch):
    found = {path.name: path for path in made_secrets()}
    shutil.copy(found["web_database"], tmp_path / "lotroom_database")
    shutil.copy(found["keeper_database"], tmp_path / "lotroom_keeper_database")
    shutil.copy(found["backup_key"], tmp_path / "backup_key")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    for name, value in merged()["services"]["lotroom"]["environment"].items():
        if name.startswith(PREFIX):
            monkeypatch.setenv(name, value)
    got = load(os.environ, tmp_path)
    assert got.database.startswith("postgresql+asyncpg://lotroom_web:") and got.keeper_database.endswith("@db/lotroom")
    assert got.encrypted and not got.insecure_demo


def test_the_image_is_pinned_hashed_and_not_roots():
    lint = npm_file("dockerfile-utils/bin/dockerfile-utils")
    done = subprocess.run(["node", str(lint), "lint", str(DOCKERFILE)], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and not done.stdout.strip() + done.stderr.strip(), done.stdout + done.stderr
    text = DOCKERFILE.read_text("utf-8")
    assert text.rindex("\nUSER 10001:10001\n") > text.rindex("\nFROM ")
    assert all(re.search(r"FROM \S+:\d[\w.-]+", line) for line in text.splitlines() if line.startswith("FROM "))
    assert all("--require-hashes" in line or "--no-index" in line for line in re.findall(r"pip install[^\\&]*", text))
    kept = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE)
    assert {f"!{word}" for line in copied for word in line.split()} <= set(kept)


def test_what_is_installed_to_run_is_what_was_tested():
    def pins(name):
        return dict(re.findall(r"^(\S+==\S+)(.*(?:\n .*)*)", (ROOT / name).read_text("utf-8"), re.MULTILINE))

    tested, run = pins("requirements.lock"), pins("requirements-run.lock")
    assert {name: tested.get(name) for name in run} == run
    assert not [name for name in run if name.split("==")[0] in ("pytest", "playwright", "mypy", "hypothesis", "rich")]
    names = {each.split("==")[0].lower().replace("_", "-") for each in run}
    wanted = re.search(r"^dependencies = \[(.*?)^\]", (ROOT / "pyproject.toml").read_text("utf-8"), re.DOTALL | re.MULTILINE)[1]
    assert {re.match(r"[\w-]+", each)[0].lower().replace("_", "-") for each in re.findall(r'"([^"]+)"', wanted)} <= names


def test_the_settings_that_files_name_exist():
    known = {PREFIX + name.upper() for name in Settings.model_fields} | OURS
    for path in [*DEPLOY.rglob("*.service"), COMPOSE, DOCKERFILE]:
        for name in re.findall(r"\bLOTROOM_[A-Z_]+", path.read_text("utf-8")):
            assert name in known, (path.name, name)
    for path in DEPLOY.rglob("*.service"):
        for line in units.read(path)["Service"].get("LoadCredential", ()):
            assert line.partition(":")[0] in {each.lower() for each in known} | {"backup_key"}
    got = load({"LOTROOM_CONFIG": str(DEPLOY / "lotroom.toml")}, DEPLOY)
    assert got.metrics_port == int(re.search(r"127\.0\.0\.1:(\d+)", (DEPLOY / "prometheus" / "prometheus.yaml").read_text())[1])


def test_the_measurements_that_alarms_ask_for_are_in_a_real_scrape(tmp_path, monkeypatch):
    folder, port = tmp_path / "d", free_port()
    folder.mkdir(mode=0o700)
    service = Service(folder)
    service.set_up()
    real = subprocess.Popen
    monkeypatch.setattr(
        subprocess, "Popen", lambda command, env, **more: real(command, env={**env, "LOTROOM_METRICS_PORT": str(port)}, **more)
    )
    service.start()
    monkeypatch.undo()
    try:
        service.until(service.ready, 20)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            text = answer.read().decode()
    finally:
        service.stop()
    given = dict(re.findall(r"^([a-z_]+)(?:\{[^}]*\})? (\S+)$", text, re.MULTILINE))
    parts = set(re.findall(r'^lotroom_part\{part="([a-z]+)"\}', text, re.MULTILINE))
    rules = yaml.safe_load(ALARMS.read_text("utf-8"))["groups"][0]["rules"]
    for rule in rules:
        assert set(re.findall(r"lotroom_[a-z_]+", rule["expr"])) <= set(given), rule["alert"]
        assert set(re.findall(r'part="([a-z]+)"', rule["expr"])) <= parts
    assert float(given["lotroom_disk_bytes"]) >= float(given["lotroom_disk_free_bytes"]) > 0
    assert abs(float(given["lotroom_clock_seconds"]) - time.clock_gettime(time.CLOCK_REALTIME)) < 5


def test_every_alarm_leads_to_a_runbook_and_says_how_urgent_it_is():
    page = (ROOT / "docs" / "operations.md").read_text("utf-8")
    anchors = {re.sub(r"[^a-z0-9 -]", "", head.lower()).replace(" ", "-") for head in re.findall(r"^#+ (.+)$", page, re.MULTILINE)}
    for rule in yaml.safe_load(ALARMS.read_text("utf-8"))["groups"][0]["rules"]:
        name, _, anchor = rule["annotations"]["runbook"].partition("#")
        assert name == "operations.md" and anchor in anchors, rule["alert"]
        assert rule["labels"]["severity"] in ("page", "work") and rule["annotations"]["summary"]


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool (Debian package prometheus) is not installed")
def test_the_alarms_ring_when_they_should_and_only_then(tmp_path):
    shutil.copy(ALARMS, tmp_path / "alarms.yaml")
    shutil.copy(ALARMS, tmp_path / "alarms-under-test.yaml")
    shutil.copy(DEPLOY / "prometheus" / "prometheus.yaml", tmp_path)
    shutil.copy(ROOT / "tests" / "deploy" / "alarms.yaml", tmp_path / "cases.yaml")
    for words in (["check", "config", "prometheus.yaml"], ["test", "rules", "cases.yaml"]):
        done = subprocess.run(["promtool", *words], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(not shutil.which("turnserver"), reason="turnserver (Debian package coturn) is not installed")
def test_the_relay_starts_with_its_file_and_answers(tmp_path):
    text = (DEPLOY / "coturn" / "turnserver.conf").read_text("utf-8")
    assert "use-auth-secret" in text and "REPLACE" in text  # a secret that somebody else chose is none
    port = free_port()
    for old, new in (
        (r"listening-port=3478", f"listening-port={port}\nlistening-ip=127.0.0.1\nrelay-ip=127.0.0.1"),
        (r"tls-listening-port=\d+\n", ""),
        (r"(cert|pkey)=.*\n", ""),
        (r"syslog", f"log-file={tmp_path}/turn.log\nsimple-log\nno-tls\nno-dtls\nuserdb={tmp_path}/db\npidfile={tmp_path}/pid"),
    ):
        text, count = re.subn(rf"(?m)^{old}", new, text)
        assert count, old
    (tmp_path / "turn.conf").write_text(text)
    process = subprocess.Popen(
        ["turnserver", "-c", str(tmp_path / "turn.conf")], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        asked = bytes.fromhex("000100002112a442") + b"0123456789ab"  # RFC 8489: a binding request
        answer = b""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
            end.settimeout(0.3)
            for _ in range(40):
                end.sendto(asked, ("127.0.0.1", port))
                try:
                    answer = end.recv(2048)
                    break
                except OSError:
                    time.sleep(0.05)
    finally:
        process.terminate()
        said = process.communicate(timeout=10)[0].decode()
    said += "".join(path.read_text() for path in tmp_path.glob("turn*.log"))
    assert answer[:2] == b"\x01\x01" and answer[8:20] == asked[8:20], said
    assert not re.search(r"(?i)bad config|unknown (argument|parameter|option)|unrecognized|invalid option", said), said
