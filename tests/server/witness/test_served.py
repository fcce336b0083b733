"""The log over HTTP: files and database serve the same bytes, Go's sumdb packages verify them, nothing unpublished leaves."""

from __future__ import annotations

import asyncio
import http.client
import os
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from server.app import Parts, build, running
from server.config import Settings
from server.handlers.headers import FIXED
from server.listening import listening
from server.storage.log import PublishedLog
from server.tilelog import TileLog
from server.witness.tiles import application, read_log
from tests.conftest import ROOT
from tests.server.storage.test_log import VKEY, filled, sign

ORIGIN = "test.example/log"


@pytest.fixture(scope="session")
def reader(tmp_path_factory) -> Path:
    """Go's reader."""
    go = shutil.which("go")
    assert go, "golang-go and golang-golang-x-mod-dev are system packages of the tests: run make test"
    folder = tmp_path_factory.mktemp("go")
    env = {**os.environ, "GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOCACHE": str(folder / "cache"), "GOFLAGS": ""}
    subprocess.run([go, "build", "-o", str(folder / "readlog"), str(ROOT / "tests/go/readlog.go")], check=True, env=env, cwd=folder)
    return folder / "readlog"


async def go_reads(reader: Path, url: str, entries: list[bytes]) -> str:
    process = await asyncio.create_subprocess_exec(
        str(reader), url, str(VKEY), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate(b"\n".join(entries))
    return out.decode().strip()


async def get(port: int, path: str, host: str = "") -> tuple[int, http.client.HTTPMessage, bytes]:
    def work() -> tuple[int, http.client.HTTPMessage, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            connection.putrequest("GET", path, skip_host=True)
            connection.putheader("Host", host or f"127.0.0.1:{port}")
            connection.endheaders()
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    return await asyncio.to_thread(work)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


@asynccontextmanager
async def service(store) -> AsyncIterator[int]:
    port = free_port()
    settings = Settings(origin=f"http://127.0.0.1:{port}", listen_port=port, insecure_demo=True)
    async with running(build(settings, Parts(tiles=PublishedLog(store)))) as found:
        yield found


async def test_the_service_serves_its_log_and_go_verifies_it(store, keeper_store, tmp_path, reader):
    entries = await filled(store, keeper_store, 300)
    with TileLog.create(tmp_path / "log", ORIGIN, VKEY, sign) as files:
        files.append(entries)
    async with service(store) as port, listening(application(tmp_path / "log"), "127.0.0.1", 0) as beside:
        for url in (f"http://127.0.0.1:{port}", f"http://127.0.0.1:{beside}"):
            assert await go_reads(reader, url, entries) == "accepted 300"
            checkpoint, found = await read_log(url, ORIGIN, VKEY)
            assert (checkpoint.size, found) == (300, entries)
        for path in ("checkpoint", "tile/0/000", "tile/0/001.p/44", "tile/1/000.p/1", "tile/entries/000", "tile/entries/001.p/44"):
            answers = [await get(each, f"/{path}") for each in (port, beside)]
            assert {status for status, _, _ in answers} == {200}
            assert answers[0][2] == answers[1][2], path
            for _, headers, _ in answers:
                assert headers["Cache-Control"] == ("no-cache" if path == "checkpoint" else "public, max-age=31536000, immutable")
                assert headers["Content-Type"] == ("text/plain; charset=utf-8" if path == "checkpoint" else "application/octet-stream")
            assert answers[0][1]["Content-Security-Policy"] == FIXED["Content-Security-Policy"]
        for path in (
            "tile/0/001",
            "tile/0/001.p/45",
            "tile/2/000",
            "tile/entries/002",
            "tile/0/1",
            "tile/../lock",
            "tile/%2e%2e/lock",
            "lock",
        ):
            for each in (port, beside):
                status, headers, _ = await get(each, f"/{path}")
                assert status in (400, 404), path
                assert "max-age" not in headers.get("Cache-Control", "")


async def test_without_a_log_there_is_nothing_to_serve(store):
    async with service(store) as port:
        assert (await get(port, "/checkpoint"))[0] == 404
        assert (await get(port, "/tile/0/000"))[0] == 404


async def test_what_lies_beyond_the_checkpoint_was_never_published(tmp_path):
    folder = tmp_path / "log"
    with TileLog.create(folder, ORIGIN, VKEY, sign) as log:
        log.append([b"one", b"two"])
        kept = (folder / "checkpoint").read_bytes()
        log.append([b"three"])
    (folder / "checkpoint").write_bytes(kept)  # a crash before the rename
    async with listening(application(folder), "127.0.0.1", 0) as port:
        assert (await get(port, "/tile/entries/000.p/3"))[0] == 404
        assert (await get(port, "/tile/entries/000.p/2"))[0] == 200
