"""A log's files over HTTP (C2SP tlog-tiles) from its folder, and reading such a log whole, from a folder or an address.

Nothing is served that the checkpoint does not speak of: what lies beyond it was written and never published.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from aiohttp import web as aioweb

from drawing import merkle
from drawing.errors import Refused
from drawing.note import MAX_NOTE, Checkpoint, Note, VKey
from server.fetch import ask, open_session
from server.files import read_bounded
from server.tilelog import MAX_ENTRY, MAX_SIZE, WIDTH, Tile, headers_of, split_bundle, tile_name
from server.witness.rules import Answered, Submission, check_signer

SECONDS = 20.0
MAX_TILE = WIDTH * (MAX_ENTRY + 2)


def published_file(folder: Path, path: str) -> bytes:
    """A file of a log's folder by its path; the checkpoint with its cosignatures, where it has them. Raises Refused."""
    note = read_bounded(folder / "checkpoint", MAX_NOTE)
    size = Checkpoint.parse(Note.parse(note, "log/checkpoint").text, "log/checkpoint").size
    if path == "checkpoint":
        beside = folder / "cosigned" / str(size)
        more = read_bounded(beside, MAX_NOTE) if beside.exists() else b""
        return more if more.startswith(note) else note
    Tile.parse(path, size)
    return read_bounded(folder / path, MAX_TILE)


def application(folder: Path) -> aioweb.Application:
    """The routes over a log's folder."""

    async def give(request: aioweb.Request) -> aioweb.Response:
        path = request.path.removeprefix("/")
        try:
            body = await asyncio.to_thread(published_file, folder, path)
        except Refused as wrong:
            return aioweb.Response(text=wrong.code + "\n", status=404)
        return aioweb.Response(body=body, headers=headers_of(path))

    app = aioweb.Application(client_max_size=1024)
    app.router.add_get("/checkpoint", give)
    app.router.add_get("/tile/{rest:[a-z0-9/.]{1,90}}", give)
    return app


# Reading --------------------------------------------------------------------------------------------------------------------------------------

Read = Callable[[str], Awaitable[bytes]]


async def read_log(source: str, origin: str, key: VKey) -> tuple[Checkpoint, list[bytes]]:
    """The checkpoint that the log signed and all its entries, hashed and compared with the root and with the hash tiles of level 0.

    Raises Refused where something is missing, altered, or signed by another.
    """
    if not source.startswith(("http://", "https://")):
        return await _read(_from_folder(Path(source)), origin, key)
    async with open_session(SECONDS, proxies=True) as session:

        async def get(path: str) -> bytes:
            url = f"{source.rstrip('/')}/{path}"
            status, body = await ask(session, url, MAX_TILE)
            if status != 200:
                raise Refused("no_answer", url, why=f"status {status}")
            return body

        return await _read(get, origin, key)


def _from_folder(folder: Path) -> Read:
    async def get(path: str) -> bytes:
        return published_file(folder, path)

    return get


async def _read(get: Read, origin: str, key: VKey) -> tuple[Checkpoint, list[bytes]]:
    note = Note.parse(await get("checkpoint"), "log/checkpoint")
    checkpoint = Checkpoint.parse(note.text, "log/checkpoint")
    if checkpoint.origin != origin:
        raise Refused("other_origin", "log/checkpoint")
    try:
        check_signer(Submission(0, (), note, checkpoint), {origin: (key,)})
    except Answered:
        raise Refused("bad_signature", "log/checkpoint", key=key.name) from None
    if checkpoint.size > MAX_SIZE:
        raise Refused("log_too_large", "log/checkpoint", most=MAX_SIZE)
    entries: list[bytes] = []
    leaves: list[bytes] = []
    for number in range(-(-checkpoint.size // WIDTH)):
        width = min(WIDTH, checkpoint.size - number * WIDTH)
        name = tile_name(number) + (f".p/{width}" if width < WIDTH else "")
        bundle = split_bundle(await get(f"tile/entries/{name}"), width, f"tile/entries/{name}")
        hashes = [merkle.leaf_hash(each) for each in bundle]
        if await get(f"tile/0/{name}") != b"".join(hashes):
            raise Refused("log_altered", f"log/tile/0/{name}", index=number * WIDTH)
        entries += bundle
        leaves += hashes
    if merkle.root(leaves) != checkpoint.root:
        raise Refused("log_altered", "log/checkpoint", index=checkpoint.size)
    return checkpoint, entries
