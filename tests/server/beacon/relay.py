"""A relay over HTTP for tests: honest with the toy network's values, or wrong in one way."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.scenario import ToyNetwork


def _handler(toy: ToyNetwork, mode: str, asked: list[str], ended: threading.Event) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            number = int(self.path.rpartition("/")[2])
            signature = toy.sign(number + 1 if mode == "lies" else number)
            value = {"round": number + (mode == "other round"), "signature": signature.hex(), "randomness": sha256(signature).hexdigest()}
            body = json.dumps(value).encode()
            if mode == "hangs":
                ended.wait(60)
                return
            if mode == "garbage":
                body = b"[" * 10_000
            if mode == "huge":
                body = b" " * (1 << 20)
            if mode == "curve":
                body = json.dumps({**value, "signature": "ff" * 48}).encode()
            status = {"answers 500": 500, "redirects": 302}.get(mode, 200)
            self.send_response(status)
            if mode == "redirects":
                self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    return Handler


@contextmanager
def relay(toy: ToyNetwork, mode: str = "honest") -> Iterator[tuple[str, list[str]]]:
    """(address, the paths that were asked for)."""
    asked: list[str] = []
    ended = threading.Event()

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """A client that went away is no fault of the test."""

    server = Server(("127.0.0.1", 0), _handler(toy, mode, asked, ended))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        ended.set()
        server.shutdown()
        server.server_close()
        thread.join()


class Clock:
    """A clock that goes on only when somebody waits."""

    def __init__(self, at: int) -> None:
        self.at = float(at)
        self.waited: list[float] = []

    def now(self) -> int:
        return int(self.at)

    def sleep(self, seconds: float) -> None:
        self.waited.append(seconds)
        self.at += seconds
