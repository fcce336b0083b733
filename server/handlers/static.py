"""Files that browsers keep: read into memory at start, served under the digest of all of them, so that an address never changes its content.

The table of names is the only way to a file: nothing of a request's path reaches the disk.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from aiohttp import web as aioweb

from server.errors import NotFound
from server.handlers.ask import Ask

TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
FOR_EVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Statics:
    """The files and the digest of their names and contents."""

    digest: str
    files: Mapping[str, tuple[str, bytes]]

    def address(self, name: str) -> str:
        """Where a file is; a name that is not there is a mistake of ours."""
        return f"/static/{self.digest}/{name if name in self.files else self._missing(name)}"

    def _missing(self, name: str) -> str:
        raise KeyError(name)


DEMO_ONLY = "js/demo/"


def read_statics(folder: Path, *, demo: bool = False) -> Statics:
    """All files whose type we name, below `folder`; what is for a demonstration only where it is one."""
    files = {}
    whole = sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix in TYPES:
            name, data = path.relative_to(folder).as_posix(), path.read_bytes()
            if name.startswith(DEMO_ONLY) and not demo:
                continue
            files[name] = (TYPES[path.suffix], data)
            whole.update(f"{name}\n{len(data)}\n".encode() + data)
    return Statics(whole.hexdigest()[:16], files)


async def file(ask: Ask) -> aioweb.StreamResponse:
    """One file."""
    statics = ask.site.statics
    found = statics.files.get(ask.path["name"])
    if ask.path["digest"] != statics.digest or found is None:
        raise NotFound
    tag = f'"{statics.digest}"'
    headers = {"Cache-Control": FOR_EVER, "ETag": tag}
    if ask.request.headers.get("If-None-Match") == tag:
        return aioweb.Response(status=304, headers=headers)
    return aioweb.Response(body=found[1], headers={**headers, "Content-Type": found[0]})
