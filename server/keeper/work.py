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
from collections.abc import Callable, Mapping
from typing import BinaryIO

from drawing.errors import Refused
from server.keeper import keys, library_work
from server.keeper.keys import Place, Secret, suite_of
from server.keeper.library_work import Json, ring_of
from server.keeper.names import matches, plain_name, readings_of
from server.keeper.shield import shield

MAX_TASK = 64 << 20
_PAD = 128  # bytes: lengths of names say nothing


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


def index_entries(task: Json) -> Json:
    """Names -> index entries, padded: the name and its readings, a line each."""
    entries = []
    for value in task["values"]:
        name = bytes.fromhex(value).decode("utf-8", "replace")
        text = "\n".join([plain_name(name), *readings_of(name)]).encode()[: 8 * _PAD - 1]
        entries.append((text + b"\n" + b" " * (-(len(text) + 1) % _PAD)).hex())
    return {"values": entries}


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
    ring = ring_of(task["ring"])
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
    ring = ring_of(task["ring"])
    values = open_many(task)["values"]
    key = ring.purpose("index")
    return {
        "values": [
            keys.blind(key, ring.newest, place[0], place[2], bytes.fromhex(value)).hex()
            for place, value in zip(task["places"], values, strict=True)
        ]
    }


TASKS: Mapping[str, Callable[[Json], Json]] = {
    "experts_find": library_work.find,
    "experts_index": library_work.index,
    "experts_open": library_work.open_records,
    "experts_read": library_work.read,
    "experts_retire": library_work.retire,
    "experts_seal": library_work.seal_staged,
    "index_entries": index_entries,
    "open_many": open_many,
    "reblind": reblind,
    "rewrap": rewrap,
    "seal_many": seal_many,
    "search": search,
}


def run(data: bytes, tasks: Mapping[str, Callable[[Json], Json]] = TASKS) -> bytes:
    """One task. A refusal goes back by its code; of any other failure only the kind: its text might hold a value."""
    try:
        task = json.loads(data)
        answer: Json = {"ok": tasks[task["work"]](task)}
    except Refused as refused:
        answer = {"refused": [refused.code, refused.place]}
    except Exception as wrong:
        answer = {"failed": type(wrong).__name__}
    return json.dumps(answer).encode()


def serve(source: BinaryIO, sink: BinaryIO, tasks: Mapping[str, Callable[[Json], Json]] = TASKS) -> None:
    """Until the input ends."""
    while len(head := source.read(4)) == 4:
        data = source.read(int.from_bytes(head, "big"))
        answer = run(data, tasks)
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
