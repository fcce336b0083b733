"""What commands share: their options, their clock, a library read with its good rows."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from drawing.errors import Refused

if TYPE_CHECKING:
    from server.library.read_sheet import Library

FILE = click.Path(path_type=Path, dir_okay=False)
FOLDER = click.Path(path_type=Path, file_okay=False)
language = click.option("--lang", type=click.Choice(["zh", "en"]), default="zh", envvar="LOTROOM_LANG", help="界面语言 / language")
as_json = click.option("--json", "as_json", is_flag=True, help="机器可读 / machine-readable")


def seconds() -> float:
    """Unix seconds: the only place of the commands that reads the machine's clock."""
    return time.time()


def clock() -> int:
    """Whole Unix seconds."""
    return int(seconds())


def sleep(seconds: float) -> None:
    """Wait so long."""
    time.sleep(seconds)


def language_of(words: list[str]) -> str:
    """The language of a command line that may have failed before its options were known."""
    after = dict(zip(words, words[1:], strict=False)).get("--lang", "")
    return "en" if after == "en" or "--lang=en" in words or (not after and os.environ.get("LOTROOM_LANG") == "en") else "zh"


def absent(path: Path) -> None:
    """Nothing is written over. Raises Refused."""
    if path.exists():
        raise Refused("file_exists", str(path))


def silent(code: str, **params: Any) -> None:
    """No progress."""


def read_good(path: Path, progress: Callable[..., None]) -> Library:
    """A library with at least one good row, and progress about it. Raises Refused."""
    from server.library.read_sheet import read_library

    progress("reading_library", name=path.name)
    found = read_library(path)
    progress("library_read", rows=found.rows_read, good=len(found.records), bad=len(found.rejects))
    if not found.records:
        raise Refused("empty_file", path.name)
    return found
