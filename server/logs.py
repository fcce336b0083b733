"""Structured logs: one JSON object a line, with ids and codes only.

Redaction is by permission, not by prohibition: a key that is not listed is dropped, a value that does not look like an id, a code or a number is
replaced. So a name, a token or a path with either cannot get in by an oversight.
"""

from __future__ import annotations

import logging
import re
import sys
import traceback
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def _without(name: str) -> Iterator[None]:
    """As if that package were not installed."""
    missing = name not in sys.modules
    if missing:
        sys.modules[name] = None  # type: ignore[assignment]  # what the import system itself writes for "not there"
    try:
        yield
    finally:
        if missing:
            del sys.modules[name]


with _without("rich"):  # structlog takes it up where a developer has it, for colours that nobody sees here: 5 MB in every process
    import structlog

ALLOWED = frozenset({
    "event", "level", "timestamp", "request", "method", "route", "status", "code", "person", "ms", "error", "places", "process", "count", "host", "port",
    "version", "signal", "part", "table", "row", "draw", "session", "size", "seconds", "job", "attempt", "verb",
})  # fmt: skip
HARMLESS = re.compile(r"[A-Za-z0-9_.:<>\[\]T+-]{0,160}", re.ASCII)
PLACE = re.compile(r"[A-Za-z0-9_./<>-]{1,120}:[0-9]{1,6}", re.ASCII)
LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
LOG: structlog.stdlib.BoundLogger = structlog.get_logger()
HERE = Path(__file__).resolve().parent.parent


def redact(_: Any, __: str, entry: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """Drop keys that are not listed, replace values that are more than ids, codes and numbers."""
    return {key: _harmless(key, value) for key, value in entry.items() if key in ALLOWED}


def _harmless(key: str, value: Any) -> Any:
    match value:
        case bool() | int() | None:
            return value
        case str() if HARMLESS.fullmatch(value):
            return value
        case list() | tuple() if key == "places":
            return [each if isinstance(each, str) and PLACE.fullmatch(each) else "[redacted]" for each in value]
        case _:
            return "[redacted]"


def places(raised: BaseException) -> list[str]:
    """Where an exception came from, without its words: those may hold what it was working on."""
    found = []
    for frame in traceback.extract_tb(raised.__traceback__)[-12:]:
        path = Path(frame.filename)
        found.append(f"{path.relative_to(HERE).as_posix() if path.is_relative_to(HERE) else path.name}:{frame.lineno}")
    return found


class StandardError:
    """One line at a time; a log that cannot be written (a full disk, a reader that is gone) never ends what was logged."""

    def msg(self, line: str) -> None:
        """Write it."""
        try:
            sys.stderr.write(line + "\n")
            sys.stderr.flush()
        except (OSError, ValueError):
            pass

    debug = info = warning = error = msg


def configure(level: str) -> None:
    """Write to standard error, where the supervisor of the processes collects it."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            redact,
            structlog.processors.JSONRenderer(sort_keys=True),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=StandardError,
        cache_logger_on_first_use=False,
    )
