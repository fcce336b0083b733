"""Where an installation keeps what: one folder, for the service's own user alone.

lotroom.db            the database, where it is SQLite (with -wal and -shm beside it)
keeper/root.sealed    the root keys, sealed
run/keeper.sock       the keeper's socket
run/courier.alive     touched by the courier while it runs
run/backup.made       touched with each backup
run/pages/            templates of pages as code, made anew where one is missing; only where no `run_folder` is shared with other users
demo.json             in a demonstration only: what its people sign in with
out/*.sealed          files that leave for supervisors, sealed to them; in `run_folder` where there is one
courier.key           what opens messages that the keeper seals for the courier; courier.pub: its public part
public/*.json         proofs and key lists that the public page offers
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from drawing.errors import Refused
from server.config import Settings

MOST_SOCKET_PATH = 100  # the kernel's bound is 108 bytes


@dataclass(frozen=True, slots=True)
class Places:
    """The folder's layout."""

    folder: Path
    shared: Path | None = None  # the folder of `run_folder`: the system makes it, and it belongs to none of the processes

    @property
    def database_file(self) -> Path:
        return self.folder / "lotroom.db"

    @property
    def sealed(self) -> Path:
        return self.folder / "keeper" / "root.sealed"

    @property
    def run(self) -> Path:
        return self.shared or self.folder / "run"

    @property
    def socket(self) -> Path:
        return self.run / "keeper.sock"

    @property
    def out(self) -> Path:
        return (self.shared or self.folder) / "out"

    @property
    def courier(self) -> Path:
        return self.run / "courier.alive"

    @property
    def backup_made(self) -> Path:
        return self.run / "backup.made"

    @property
    def compiled(self) -> Path | None:
        """For compiled templates: a folder that only this user writes, or none."""
        return None if self.shared else self.run / "pages"

    @property
    def demo_people(self) -> Path:
        return self.folder / "demo.json"

    @property
    def courier_key(self) -> Path:
        return self.folder / "courier.key"

    @property
    def courier_box(self) -> Path:
        return self.folder / "courier.pub"

    @property
    def public(self) -> Path:
        return self.folder / "public"

    @property
    def folders(self) -> tuple[Path, ...]:
        """Those that are the service's own."""
        own = (self.folder, self.sealed.parent, self.public)
        return own if self.shared else (*own, self.run, self.out)

    def make(self) -> None:
        """All folders, 0700. Raises Refused where one is open to others or the socket's path is too long."""
        for each in self.folders:
            try:
                each.mkdir(mode=0o700, parents=True, exist_ok=True)
            except OSError as wrong:
                raise Refused("cannot_write", str(each), why=wrong.strerror or "") from None
        self.check()

    def check(self) -> None:
        """Raises Refused for a folder that is missing, another's, or open to others."""
        for each in self.folders:
            if not each.is_dir():
                raise Refused("not_initialised", str(self.folder))
            found = each.stat()
            if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o077:
                raise Refused("folder_open", str(each))
        if len(os.fsencode(self.socket)) > MOST_SOCKET_PATH:
            raise Refused("path_too_long", str(self.socket), most=MOST_SOCKET_PATH)


def places_of(settings: Settings) -> Places:
    """The layout in the folder of the settings."""
    return Places(Path(settings.data_folder).absolute(), Path(settings.run_folder).absolute() if settings.run_folder else None)


def database_of(settings: Settings) -> str:
    """The database as the web process has it."""
    return settings.database or f"sqlite+aiosqlite:///{places_of(settings).database_file}"


def keeper_database_of(settings: Settings) -> str:
    """The database as the keeper has it."""
    return settings.keeper_database or database_of(settings)
