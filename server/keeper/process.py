"""The keeper's process: a Unix socket that only its own user reaches, frames in, frames out, a clean stop.

    python -m server.keeper.process --socket FOLDER/keeper.sock --database URL --sealed FILE --rp-id NAME --origin URL --log-origin NAME

The socket's folder is 0700 and the socket 0600; every connection is asked for its user by the kernel (SO_PEERCRED) and closed where that user
has no part here. A frame that is none ends its connection, and nothing else. SIGTERM and SIGINT: no new connection, open calls get five
seconds, the keys are forgotten. A kill at any point loses nothing that was answered.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import pwd
import secrets
import signal
import socket
import stat
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from drawing.errors import Refused
from server.keeper import sealed
from server.keeper.child import Child, Drawer
from server.keeper.core import Clock, Core, Settings
from server.keeper.database import DatabaseStore
from server.keeper.frames import Request, answer_frames, read_frame, refusal_frame, request_of
from server.keeper.keeper import Keeper, log, safe_trace
from server.keeper.passkeys import Site
from server.keeper.publishing import publish
from server.keeper.sealed import Shares
from server.keeper.shield import shield
from server.keeper.store import FileStore
from server.keeper.verbs import CALLERS

MOST_CONNECTIONS = 200
MOST_CALLS = 64  # open calls of one connection: a caller that sends more waits in its own buffer
STOP_SECONDS = 5
DRAWING_SECONDS = 900  # the longest fit of a large request takes a minute or two
LAST_WORDS_SECONDS = 1
_TRIES = 6  # of 10 seconds each, which is how long the store looks for its database
_FIRST_HANDED = 3  # SD_LISTEN_FDS_START
_PEER = struct.Struct("3i")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a keeper listens and what it keeps its rows in: the service's database by its address, or a file of its own."""

    socket: Path
    store: Path | str


class Door:
    """Connections and their calls."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._connections: set[asyncio.Task[None]] = set()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            await self._serve(reader, writer)
        except (ConnectionError, asyncio.CancelledError):
            pass  # the caller went away, or we do
        except Exception as wrong:
            log.error("connection failed: %s", safe_trace(wrong))
        finally:
            self._connections.discard(task)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        roles = self._keeper.core.settings.peers.get(peer_of(writer), frozenset())
        if not roles or len(self._connections) > MOST_CONNECTIONS:
            writer.write(refusal_frame(0, Refused("keeper_busy", "socket") if roles else Refused("peer_refused", "socket")))
            await _until_read(reader, writer)
            return
        calls: set[asyncio.Task[None]] = set()
        last_words: Refused | None = None
        lock, room = asyncio.Lock(), asyncio.Semaphore(MOST_CALLS)
        try:
            while True:
                try:
                    value = await read_frame(reader)
                    if value is None:
                        break
                    request = request_of(value)
                except Refused as refused:
                    last_words = refused  # where the next frame begins is not known any more
                    break
                await room.acquire()
                call = asyncio.create_task(self._call(request, roles, writer, lock))
                for among in (calls, self._keeper.running):
                    among.add(call)
                    call.add_done_callback(among.discard)
                call.add_done_callback(lambda _: room.release())
        finally:
            if calls:  # what was begun is finished: its caller may ask again and must find it whole
                await asyncio.wait(calls)
        if last_words is not None:
            writer.write(refusal_frame(0, last_words))
            await _until_read(reader, writer)

    async def _call(self, request: Request, roles: frozenset[str], writer: asyncio.StreamWriter, lock: asyncio.Lock) -> None:
        try:
            frames = list(answer_frames(request.id, await self._keeper.answer(request, roles)))
        except Refused as refused:
            frames = [refusal_frame(request.id, refused)]
        except Exception as wrong:
            log.error("answer of %s failed: %s", request.verb[:40], safe_trace(wrong))
            frames = [refusal_frame(request.id, Refused("keeper_failed", "answer"))]
        with contextlib.suppress(ConnectionError):
            async with lock:  # the pieces of an answer stay together
                for frame in frames:
                    writer.write(frame)
                    await writer.drain()

    async def close(self) -> None:
        """Open calls get a few seconds, then their connections end."""
        running = set(self._keeper.running)
        if running:
            await asyncio.wait(running, timeout=STOP_SECONDS)
        for each in set(self._connections):
            each.cancel()
        if self._connections:
            await asyncio.wait(set(self._connections), timeout=1)


async def _until_read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A moment for the other side to read why: a socket closed while it writes would lose our last words."""
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(LAST_WORDS_SECONDS):
            writer.write_eof()
            while await reader.read(65_536):
                pass


def peer_of(writer: asyncio.StreamWriter) -> int:
    """The user id of the process at the other end, as the kernel knows it; -1 where it does not say."""
    end = writer.get_extra_info("socket")
    try:
        data = end.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size)
    except OSError:
        return -1
    return int(_PEER.unpack(data)[1])


def listening_socket(path: Path) -> socket.socket:
    """A socket at the path, 0600 in a folder of ours that is 0700. Raises Refused where another keeper listens or the folder is others'."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder = path.parent.stat()
    if folder.st_uid != os.geteuid() or stat.S_IMODE(folder.st_mode) & 0o077:
        raise Refused("socket_folder_open", path.parent.name)
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if path.exists():
            with contextlib.suppress(ConnectionRefusedError), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
                probe.connect(str(path))
                raise Refused("keeper_runs", path.name)
            path.unlink()
        before = os.umask(0o177)
        try:
            made.bind(str(path))
        finally:
            os.umask(before)
        made.listen(64)
    except OSError as wrong:
        made.close()
        raise Refused("cannot_write", path.name, why=wrong.strerror or "") from None
    except Refused:
        made.close()
        raise
    made.setblocking(False)
    return made


def activated_socket() -> socket.socket | None:
    """The socket that systemd listens on for us (sd_listen_fds(3)): its folder, owner and mode are its unit's. None where there is none.

    Raises Refused where it is not one Unix stream socket.
    """
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return None
    if os.environ.get("LISTEN_FDS") != "1":
        raise Refused("cannot_read", "LISTEN_FDS", why="not one socket")
    made = socket.socket(fileno=_FIRST_HANDED)
    if (made.family, made.type) != (socket.AF_UNIX, socket.SOCK_STREAM):
        raise Refused("cannot_read", "LISTEN_FDS", why="not a Unix stream socket")
    made.set_inheritable(False)
    made.setblocking(False)
    return made


async def serve(settings: Settings, place: Place, clock: Clock, stop: asyncio.Event, ready: Callable[[], None] = lambda: None) -> None:
    """Until `stop` is set. Raises Refused where the keeper cannot begin: bad sealed file, store, socket."""
    shielded = shield()
    file = sealed.read_sealed(settings.sealed_root)
    if file.demo and not settings.insecure_demo:
        raise Refused("demo_root", settings.sealed_root.name)
    handed = activated_socket()
    made = handed or listening_socket(place.socket)  # first: two keepers over one store would each believe to be the only one
    store = await _open_store(place.store, clock)
    core = Core(settings, store, clock, secrets.token_bytes, Child(), Drawer(DRAWING_SECONDS), file, Shares(file), shielded)
    keeper = Keeper(core, time.monotonic)
    door = Door(keeper)
    try:
        if file.demo:
            await keeper.unseal(sealed.open_demo(file))
        server = await asyncio.start_unix_server(door, sock=made)
        publishing = asyncio.create_task(publish(core, store)) if isinstance(store, DatabaseStore) else None
        ready()
        await stop.wait()
        if publishing is not None:
            publishing.cancel()
            await asyncio.wait([publishing])
        server.close()
        await door.close()
    finally:
        await keeper.close()
        await store.close()
        if handed is None:
            with contextlib.suppress(FileNotFoundError):
                place.socket.unlink()


async def _open_store(where: Path | str, clock: Clock) -> FileStore | DatabaseStore:
    """A database that is away is waited for, up to a minute: it may start at the same time as we do."""
    if isinstance(where, Path):
        return await FileStore.open(where)
    for attempt in range(_TRIES):
        try:
            return await DatabaseStore.open(where, clock)
        except Refused as wrong:
            if wrong.code != "store_unavailable" or attempt == _TRIES - 1:
                raise
    raise AssertionError


def peer_text(text: str) -> tuple[int, frozenset[str]]:
    """`1000=web,courier` or `lotroom-web=web`. Raises ValueError and, for a user whom this machine does not know, Refused."""
    user, _, roles = text.partition("=")
    names = frozenset(roles.split(","))
    if not names <= set(CALLERS):
        raise ValueError(text)
    try:
        return int(user) if user.isdecimal() else pwd.getpwnam(user).pw_uid, names
    except KeyError:
        raise Refused("unknown_system_user", user) from None


def main(arguments: list[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="lotroom-keeper", description="Holds the keys of a lotroom service")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--store", type=Path, help="a SQLite file of the keeper's own, without the service's log")
    where.add_argument("--database", help="the service's database, under the keeper's role")
    for each in ("socket", "sealed"):
        parser.add_argument(f"--{each}", type=Path, required=True)
    for each in ("rp-id", "log-origin"):
        parser.add_argument(f"--{each}", required=True)
    parser.add_argument("--origin", action="append", required=True, help="origin of the site's pages; may be given again")
    parser.add_argument(
        "--peer", action="append", type=peer_text, default=[], help="UID=web,courier,console; without it this user is all of them"
    )
    parser.add_argument("--insecure-demo", action="store_true", help="unseal by itself, where the sealed file is a demonstration's")
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(name)s %(levelname)s %(message)s")
    peers = dict(given.peer) or {os.geteuid(): frozenset(CALLERS)}
    settings = Settings(given.sealed, Site(given.rp_id, tuple(given.origin)), given.log_origin, peers, given.insecure_demo)
    return run(settings, Place(given.socket, given.database or given.store), lambda: int(time.time()))


def run(settings: Settings, place: Place, clock: Clock) -> int:
    """Serve until a signal says to stop: 0, or 1 where it cannot begin."""

    async def until_told() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for each in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(each, stop.set)
        await serve(settings, place, clock, stop, lambda: print("ready", flush=True))

    try:
        asyncio.run(until_told())
    except Refused as refused:
        log.error("cannot begin: %s", refused)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
