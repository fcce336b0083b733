"""Long work, in a process of its own: sealing and opening in bulk, reading names, searching, re-wrapping. Values in, values out.

The keeper starts it, talks to it over its standard input and output (`u32be length || JSON`, bytes as hex), and hands it the keys a task
needs with the task. It ends when its input ends: a keeper that was killed leaves nobody behind with a key. Tasks are in `TASKS`.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import sys
import unicodedata
from collections.abc import Callable, Mapping
from itertools import islice, product
from typing import Any, BinaryIO

from drawing.errors import Refused
from server.keeper import keys
from server.keeper.keys import Keyring, Place, Secret, suite_of
from server.keeper.shield import shield

MAX_TASK = 64 << 20
_PAD = 128  # bytes: lengths of names say nothing
_MOST_READINGS = 64
Json = dict[str, Any]


def ring_to_json(ring: Keyring) -> Json:
    return {"roots": {str(number): key for number, key in ring.roots().items()}, "suite": ring.suite.id}


def _ring(value: Json) -> Keyring:
    return Keyring({int(number): Secret(bytes.fromhex(key)) for number, key in value["roots"].items()}, suite_of(value["suite"]))


def seal_many(task: Json) -> Json:
    """Values of places under one data key -> envelopes."""
    suite, key, key_id = suite_of(task["suite"]), Secret(bytes.fromhex(task["key"])), bytes.fromhex(task["key_id"])
    return {
        "envelopes": [
            keys.seal(suite, key, key_id, Place(*place), bytes.fromhex(value), secrets.token_bytes).hex()
            for place, value in zip(task["places"], task["values"], strict=True)
        ]
    }


def open_many(task: Json) -> Json:
    """Envelopes of places, with their data keys by id -> values."""
    held = {key_id: Secret(bytes.fromhex(key)) for key_id, key in task["keys"].items()}
    values = []
    for place, text in zip(task["places"], task["envelopes"], strict=True):
        envelope = bytes.fromhex(text)
        values.append(keys.open_envelope(held[keys.key_id_of(envelope).hex()], Place(*place), envelope).hex())
    return {"values": values}


# Names ----------------------------------------------------------------------------------------------------------------------------------


def plain_name(text: str) -> str:
    """A name as it is compared: NFKC, no case, no spaces and dots."""
    return "".join(c for c in unicodedata.normalize("NFKC", text).casefold() if not c.isspace() and c not in "·.•・'-")


def readings_of(name: str) -> list[str]:
    """All readings of a name as syllables with spaces between: several where a character has several (单: dan, chan, shan)."""
    from pypinyin import Style, pinyin  # its tables are 25 MB: in this process only

    runs = pinyin(plain_name(name), style=Style.NORMAL, heteronym=True)
    syllables = [[each.replace("ü", "v") for each in run] for run in runs]
    return [" ".join(each) for each in islice(product(*syllables), _MOST_READINGS)]


def index_entries(task: Json) -> Json:
    """Names -> index entries, padded: the name and its readings, a line each."""
    entries = []
    for value in task["values"]:
        name = bytes.fromhex(value).decode("utf-8", "replace")
        text = "\n".join([plain_name(name), *readings_of(name)]).encode()[: 8 * _PAD - 1]
        entries.append((text + b"\n" + b" " * (-(len(text) + 1) % _PAD)).hex())
    return {"values": entries}


def matches(entry: str, query: str) -> bool:
    """Whether a query is a part of the name, the beginning of its pinyin at a syllable, or of its initials."""
    name, *readings = entry.split("\n")
    if query in name:
        return True
    for reading in readings:
        syllables = reading.split(" ")
        initials = "".join(each[:1] for each in syllables)
        if query in initials or any("".join(syllables[n:]).startswith(query) for n in range(len(syllables))):
            return True
    return False


def search(task: Json) -> Json:
    """Index rows under one data key and a query -> row ids."""
    key, query = Secret(bytes.fromhex(task["key"])), plain_name(task["query"])
    if not query:
        return {"rows": []}
    found = []
    for place, envelope in zip(task["places"], task["envelopes"], strict=True):
        entry = keys.open_envelope(key, Place(*place), bytes.fromhex(envelope)).decode("utf-8", "replace")
        if matches(entry, query):
            found.append(place[1])
            if len(found) >= task["limit"]:
                break
    return {"rows": found}


# Rotation -------------------------------------------------------------------------------------------------------------------------------


def rewrap(task: Json) -> Json:
    """Rows under purpose keys of any generation in use -> under the newest, "" where they are already."""
    ring = _ring(task["ring"])
    out = []
    for place, text in zip(task["places"], task["envelopes"], strict=True):
        envelope, where = bytes.fromhex(text), Place(*place)
        if keys.key_id_of(envelope) == keys.purpose_key_id(task["purpose"], ring.newest):
            out.append("")
        else:
            out.append(ring.seal(task["purpose"], where, ring.open(task["purpose"], where, envelope), secrets.token_bytes).hex())
    return {"envelopes": out}


def reblind(task: Json) -> Json:
    """Sealed values with their data keys -> their blind indexes under the newest index key."""
    ring = _ring(task["ring"])
    values = open_many(task)["values"]
    key = ring.purpose("index")
    return {
        "values": [
            keys.blind(key, ring.newest, place[0], place[2], bytes.fromhex(value)).hex()
            for place, value in zip(task["places"], values, strict=True)
        ]
    }


TASKS: Mapping[str, Callable[[Json], Json]] = {
    "index_entries": index_entries,
    "open_many": open_many,
    "reblind": reblind,
    "rewrap": rewrap,
    "seal_many": seal_many,
    "search": search,
}


def run(data: bytes) -> bytes:
    """One task. A refusal goes back by its code; of any other failure only the kind: its text might hold a value."""
    try:
        task = json.loads(data)
        answer: Json = {"ok": TASKS[task["work"]](task)}
    except Refused as refused:
        answer = {"refused": [refused.code, refused.place]}
    except Exception as wrong:
        answer = {"failed": type(wrong).__name__}
    return json.dumps(answer).encode()


def serve(source: BinaryIO, sink: BinaryIO) -> None:
    """Until the input ends."""
    while len(head := source.read(4)) == 4:
        data = source.read(int.from_bytes(head, "big"))
        answer = run(data)
        sink.write(len(answer).to_bytes(4, "big") + answer)
        sink.flush()


def main() -> None:
    """The process."""
    shield()
    os.nice(5)  # the keeper's own answers come first
    with contextlib.suppress(BrokenPipeError, KeyboardInterrupt):
        serve(sys.stdin.buffer, sys.stdout.buffer)


if __name__ == "__main__":
    main()
