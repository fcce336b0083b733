"""The one kind of body that holds a file: multipart/form-data (RFC 7578) as browsers write it, whole in memory, read strictly, nothing decoded twice.

A part has a name, once each; a file's name is looked at for its ending only and never used.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from server.handlers.ask import Ask
from server.handlers.problems import Stop

FORM = "multipart/form-data"
BOUNDARY = re.compile(r"multipart/form-data; ?boundary=(?P<mark>[A-Za-z0-9'()+_,./:=?-]{1,70})", re.ASCII)
MOST_PARTS = 20
_HEAD = re.compile(rb'(?i:form-data); name="(?P<name>[a-z_]{1,40})"(?:; filename="(?P<file>[^"\r\n]{0,400})")?')


@dataclass(frozen=True, slots=True)
class Part:
    """One field. `file`: the name that the browser gave, "" for a plain field."""

    data: bytes
    file: str


def parts(ask: Ask) -> Mapping[str, Part]:
    """The fields of the body. Raises Stop."""
    found = BOUNDARY.fullmatch(",".join(ask.request.headers.getall("Content-Type", [])))
    if found is None:
        raise Stop("media_type", expected=FORM)
    return read(ask.body, found["mark"].encode())


def read(body: bytes, mark: bytes) -> Mapping[str, Part]:
    """Raises Stop `bad_request` where this is not what a browser sends."""
    if not body:
        return {}
    line = b"--" + mark
    pieces = (b"\r\n" + body).split(b"\r\n" + line)
    if pieces[0] or len(pieces) < 3 or len(pieces) > MOST_PARTS + 2 or pieces[-1] not in (b"--", b"--\r\n"):
        raise Stop("bad_request")
    out: dict[str, Part] = {}
    for piece in pieces[1:-1]:
        head, separator, data = piece.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        dispositions = [each.partition(b":")[2].strip() for each in head.split(b"\r\n") if each.lower().startswith(b"content-disposition:")]
        named = _HEAD.fullmatch(dispositions[0]) if separator and len(dispositions) == 1 else None
        if named is None or named["name"].decode() in out:
            raise Stop("bad_request")
        out[named["name"].decode()] = Part(data, (named["file"] or b"").decode("utf-8", "replace"))
    return out


def text_of(found: Mapping[str, Part], name: str) -> str:
    """A plain field, "" where it is not there. Raises Stop `not_utf8`."""
    part = found.get(name)
    if part is None or part.file:
        return ""
    try:
        return part.data.decode("utf-8")
    except UnicodeDecodeError:
        raise Stop("not_utf8") from None
