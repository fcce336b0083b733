"""Large sealed files of one draw: pieces of a mebibyte, each an envelope that opens at its own place in its own file and nowhere else.

    file = (u32be length || envelope)*        place = draw-file / <draw>/<name> / <number of the piece>, the last one with a mark

Written whole or not at all (`files.write_whole`), 0600, in a folder of the draw below the keeper's. A file of another draw, of another name, cut
short or put together from two does not open.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from drawing.errors import Refused
from server.files import read_bounded, write_whole
from server.keeper import keys
from server.keeper.keys import Place, Secret, Suite

PIECE = 1 << 20
MAX_BLOB = 1 << 30
_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,60}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Blobs:
    """The sealed files of one draw."""

    folder: Path
    draw: str
    suite: Suite
    key: Secret
    key_id: bytes

    def there(self, name: str) -> bool:
        """Whether there is such a file: a file is whole where it is there at all."""
        return self._path(name).exists()

    def read(self, name: str) -> bytes | None:
        """The content; None where there is no such file. Raises Refused("sealed_value_altered")."""
        if not self.there(name):
            return None
        data = read_bounded(self._path(name), MAX_BLOB)
        pieces, at, number = [], 0, 0
        while at < len(data):
            end = at + 4 + int.from_bytes(data[at : at + 4], "big")
            pieces.append(keys.open_envelope(self.key, self._place(name, number, last=end >= len(data)), data[at + 4 : end]))
            at, number = end, number + 1
        if not number:
            raise Refused("sealed_value_altered", name)
        return b"".join(pieces)

    def write(self, name: str, data: bytes) -> None:
        """Durable when it returns. Raises Refused."""
        path = self._path(name)
        for folder in (path.parent.parent, path.parent):  # `parents` would leave the upper one open to others
            folder.mkdir(mode=0o700, exist_ok=True)
        write_whole(path, self._pieces(name, data), mode=0o600)

    def _pieces(self, name: str, data: bytes) -> Iterator[bytes]:
        count = max(1, -(-len(data) // PIECE))
        for number in range(count):
            place = self._place(name, number, last=number == count - 1)
            plain = data[number * PIECE : (number + 1) * PIECE]
            sealed = keys.seal(self.suite, self.key, self.key_id, place, plain, secrets.token_bytes)
            yield len(sealed).to_bytes(4, "big") + sealed

    def _place(self, name: str, number: int, *, last: bool) -> Place:
        return Place("draw-file", f"{self.draw}/{name}", f"{number}{'!' if last else ''}")

    def _path(self, name: str) -> Path:
        assert _NAME.fullmatch(name), name
        return self.folder / self.draw / name
