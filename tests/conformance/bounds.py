"""Both sides of every bound of a shape: the last value that a reader takes and the first that it must refuse. Nothing is signed again.

What is refused fails I6 alone, by construction. What is taken is no honest event any more; what else then fails the verifiers must agree on.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from drawing.canonical import dumps
from drawing.events import UNIFORM
from drawing.verify import Files
from tests.conformance.cases import Case, Planned
from tests.conformance.changes import Path, at
from tests.conformance.histories import Setting, built

# Where each type of event is found.
WHERE: dict[str, tuple[str, Setting]] = {
    **dict.fromkeys(("opened", "attested", "committed", "contributed", "result", "notified", "answers", "stepped_in", "checked", "unsealed", "closed"),
                    ("two_reserves_and_lots", Setting(3))),
    **dict.fromkeys(("round_contributed", "replaced"), ("one_round", Setting(4))), "extended": ("extension_and_round", Setting(116)),
    "screened": ("screened_after", Setting(5)), "appointed": ("direct_choice", Setting(111)), "abandoned": ("a_second_attempt", Setting(9)),
    "stopped": ("stopped_and_resumed", Setting(6, UNIFORM, "drand")), "erased": ("erased_later", Setting(112)),
}  # fmt: skip
BEACON = ("one_round", Setting(4, UNIFORM, "local"))
Bound = tuple[str, Path, Any, bool]  # type of event, field, value, whether a reader takes it

SEAT = {"count": 1, "main_only": False, "professions": ["A08"], "reserves": 0, "site": ""}
SITE = {"areas": ["11"], "id": "s", "required": False}


def integers(kind: str, path: Path, least: int, most: int) -> Iterator[Bound]:
    yield kind, path, least, True
    yield kind, path, most, True
    yield kind, path, least - 1, False
    yield kind, path, most + 1, False


def lengths(kind: str, path: Path, item: Any, least: int, most: int) -> Iterator[Bound]:
    """A list of as many items as there may be, and one more, one less."""

    def items(number: int) -> list[Any]:
        return [item(n) if callable(item) else item for n in range(number)]

    yield kind, path, items(most), True
    yield kind, path, items(most + 1), False
    yield kind, path, items(least), True
    if least:
        yield kind, path, items(least - 1), False


def texts(kind: str, path: Path, lawful: tuple[str, ...], unlawful: tuple[str, ...]) -> Iterator[Bound]:
    yield from ((kind, path, each, True) for each in lawful)
    yield from ((kind, path, each, False) for each in unlawful)


WORDS = (("a", "A0._:/-z", "x" * 64), ("", "x" * 65, "-a", ".a", "a b", "é", "a+", "a\n"))
NAMES = (("!", "~", "a*b,c", "x" * 128), ("", "x" * 129, "a b", "a+b", "名"))
NATURALS = (("0", "1", "9" * 4000), ("", "00", "01", "-1", "+1", "1.0", " 1", "1e3", "9" * 4001, "٣"))


def bounds() -> Iterator[Bound]:
    for kind in ("opened", "closed"):
        yield from integers(kind, ("at",), 0, 1 << 42)
        yield from integers(kind, ("attempt",), 1, 10_000)
        yield from integers(kind, ("seq",), 0, 1_000_000)
    yield from lengths("opened", ("sigs",), lambda n: {"key": f"k{n:03}", "sig": "00" * 64}, 0, 60)
    yield from texts("opened", ("sigs", 0, "key"), *NAMES)
    yield from texts("opened", ("origin",), *NAMES)
    yield from texts("opened", ("section",), *WORDS)
    yield from texts("opened", ("notice",), ("00" * 32,), ("00" * 31, "00" * 33, "AA" * 32, "0" * 63, "", "gg" * 32))
    yield from texts("opened", ("v",), (), ("draw/v2", "draw/v1 ", ""))
    yield from texts("opened", ("type",), (), ("Opened", "open", "", "mapped"))
    yield from texts("attested", ("scope",), (), ("names", "", "Roll"))
    committed: Path = ()
    yield from lengths("committed", ("contributors",), lambda n: f"c{n:02}", 1, 40)
    yield from lengths("committed", ("round_contributors",), lambda n: f"c{n:02}", 0, 40)
    yield from integers("committed", ("deadlines", "contributions"), 0, 1 << 42)
    yield from integers("committed", ("evaluation_at",), 0, 1 << 42)
    yield from integers("committed", ("keys", "version"), 1, 1_000_000)
    yield from texts("committed", ("regime",), ("ZFCG",), ("ztb", ""))
    yield from integers("committed", ("reply_window",), 60, 86_400)
    yield from integers("committed", ("unsealing", "threshold"), 1, 40)
    yield from integers("committed", ("unsealing", "not_before"), 0, 1 << 42)
    yield from lengths("committed", ("beacon", "escrow", "holders"), lambda n: f"h{n:02}", 1, 40)
    yield from lengths("committed", ("beacon", "escrow", "points"), "01" * 32, 1, 40)
    terms: Path = (*committed, "terms")
    yield from texts("committed", (*terms, "total"), *NATURALS)
    yield from texts("committed", (*terms, "chances", "largest"), *NATURALS)
    yield from texts("committed", (*terms, "chances", "smallest"), *NATURALS)
    yield from lengths("committed", (*terms, "counts"), lambda n: {"count": 10, "rule": f"R{n}"}, 0, 100)
    yield "committed", (*terms, "counts"), [{"count": 10, "rule": "A3"}], True
    yield "committed", (*terms, "counts"), [{"count": 9, "rule": "A3"}], False
    yield "committed", (*terms, "counts"), [{"count": 1 << 20, "rule": "A3"}], True
    yield "committed", (*terms, "counts"), [{"count": (1 << 20) + 1, "rule": "A3"}], False
    yield from texts("committed", (*terms, "method"), (), ("leximin/1", "uniform/2", ""))
    yield from texts(
        "committed",
        (*terms, "sampler"),
        ("cells-dp/1", "picks-reject/1", "cells-dp/2", "picks-reject/2"),
        ("cells-reject/3", "cells-reject/0", "cells-reject", ""),
    )
    yield from texts("committed", (*terms, "snapshot", "id"), *WORDS)
    yield from integers("committed", (*terms, "snapshot", "size"), 1, 1 << 20)
    yield from lengths("committed", (*terms, "snapshot", "previous"), {"changes": "00" * 32, "root": "00" * 32}, 0, 1)
    plan: Path = (*terms, "plan")
    yield from integers("committed", (*plan, "recent_days"), 0, 3650)
    yield from integers("committed", (*plan, "recent_max"), 0, 40)
    yield from integers("committed", (*plan, "representatives"), 0, 40)
    yield from lengths("committed", (*plan, "regions"), "110000", 0, 40)
    yield from texts("committed", (*plan, "regions"), (), ())
    for region, lawful in (("110000", True), ("11000", False), ("1100000", False), ("11000a", False), ("", False), ("１１００００", False)):
        yield "committed", (*plan, "regions"), [region], lawful
    yield from lengths("committed", (*plan, "seats"), SEAT, 1, 40)
    yield from integers("committed", (*plan, "seats", 0, "count"), 1, 40)
    yield from integers("committed", (*plan, "seats", 0, "reserves"), 0, 40)
    yield from lengths("committed", (*plan, "seats", 0, "professions"), "A08", 1, 40)
    for code, lawful in (
        ("A", True),
        ("C080104", True),
        ("A0", False),
        ("A08010402", False),
        ("D08", False),
        ("a08", False),
        ("", False),
        ("A08\n", False),
    ):
        yield "committed", (*plan, "seats", 0, "professions"), [code], lawful
    yield from texts("committed", (*plan, "seats", 0, "site"), ("", "x" * 64), ("x" * 65, "-", " "))
    yield from lengths("committed", (*plan, "sites"), SITE, 0, 8)
    yield from lengths("committed", (*plan, "sites", 0, "areas"), "11", 1, 40)
    for area, lawful in (("11", True), ("110108", True), ("1", False), ("1101081", False), ("1x", False)):
        yield "committed", (*plan, "sites", 0, "areas"), [area], lawful
    yield from texts("committed", (*plan, "sites", 0, "id"), *WORDS)
    yield from integers("contributed", ("nth",), 1, 10_000)
    yield from texts("contributed", ("key",), *NAMES)
    yield from texts("contributed", ("pi",), ("00" * 80,), ("00" * 79, "00" * 81, "00" * 48))
    yield from texts("contributed", ("sig",), ("00" * 64,), ("00" * 63, "00" * 65))
    yield from integers("round_contributed", ("round",), 1, 10_000)
    for kind in ("result", "replaced"):
        yield from lengths(kind, ("placed",), lambda n: {"slot": min(n, 399), "tag": f"{n:032x}"}, 1, 400)
        yield from integers(kind, ("placed", 0, "slot"), 0, 399)
        yield from texts(kind, ("placed", 0, "tag"), ("00" * 16,), ("00" * 15, "00" * 17))
        yield from texts(kind, ("value",), ("00" * 80, "00" * 48), ("00" * 47, "00" * 49, "00" * 79, "00" * 81, "", "00" * 96))
    yield from lengths("notified", ("notices",), lambda n: {"receipt": "00" * 32, "slot": min(n, 399)}, 1, 400)
    yield from integers("notified", ("round",), 1, 10_000)
    answer = {"evidence": "link", "receipt": "00" * 32, "state": "left"}
    yield from lengths("answers", ("answers",), lambda n: {**answer, "slot": min(n, 399)}, 1, 400)
    yield from texts("answers", ("answers", 0, "evidence"), ("gateway", "link"), ("letter", ""))
    yield from texts("answers", ("answers", 0, "state"), ("left",), ("pending", "used", ""))
    yield from integers("answers", ("lots",), 1, 1 << 36)
    yield from lengths("stepped_in", ("moves",), lambda n: {"reserve": min(n, 399), "slot": 0}, 1, 400)
    yield from integers("stepped_in", ("moves", 0, "reserve"), 0, 399)
    yield from lengths("screened", ("slots",), lambda n: min(n, 399), 0, 400)
    yield from integers("screened", ("lots",), 1, 1 << 36)
    yield from lengths("extended", ("open",), lambda n: min(n, 399), 1, 400)
    yield from integers("extended", ("lots",), 1, 1 << 36)
    yield from integers("appointed", ("place",), 0, 399)
    yield from integers("appointed", ("lots",), 1, 1 << 36)
    yield from texts("appointed", ("ground",), *WORDS)
    yield from texts("appointed", ("kind",), (), ("none", ""))
    yield from lengths("unsealed", ("slots",), lambda n: min(n, 399), 1, 400)
    yield from texts("abandoned", ("reason",), ("order",), ("late", ""))
    yield from integers("erased", ("count",), 1, 1 << 20)
    for kind, fields in (("checked", 0), ("closed", 0), ("stopped", 1)):
        yield kind, ("lots",), 5, False
        assert fields in (0, 1)
    yield "result", ("lots",), 5, False
    yield "unsealed", ("lots",), 5, False
    yield "answers", ("lots",), True, False
    yield "answers", ("lots",), "5", False
    yield "answers", ("lots",), [], False


def beacon_bounds() -> Iterator[Bound]:
    yield from integers("committed", ("beacon", "round"), 1, 1 << 36)
    yield from texts("committed", ("beacon", "kind"), ("drand",), ("none", "quicknet", ""))
    yield from texts("committed", ("beacon", "network"), ("00" * 32,), ("00" * 31, ""))
    yield "committed", ("beacon", "draw_key"), "00" * 32, False


def outer_bounds() -> Iterator[tuple[Path, Any, bool]]:
    """What lies around the events in a proof."""
    digest = "00" * 32
    statement = {"at": 1, "origin": "x", "root": digest, "sigs": [{"key": "k", "sig": "00" * 64}], "size": 1}
    yield ("consistency",), [[]] * 999, True
    yield ("consistency",), [[]] * 1000, False
    yield ("consistency", 0), [digest] * 64, True
    yield ("consistency", 0), [digest] * 65, False
    yield ("checkpoints",), [], False
    yield ("checkpoints",), ["x"] * 1000, True
    yield ("checkpoints",), ["x"] * 1001, False
    yield ("checkpoints", 0), "x" * 65_535, True
    yield ("checkpoints", 0), "x" * 65_536, False
    yield ("checkpoints", 0), "𠀀" * 65_535, True
    yield ("checkpoints", 0), "", True
    yield ("events",), [], False
    yield ("events", 0, "index"), (1 << 53) - 1, True
    yield ("events", 0, "index"), -1, False
    yield ("events", 0, "path"), [digest] * 64, True
    yield ("events", 0, "path"), [digest] * 65, False
    yield ("map", "siblings"), [digest] * 256, True
    yield ("map", "siblings"), [digest] * 257, False
    yield ("map", "path"), [digest] * 64, True
    yield ("map", "path"), [digest] * 65, False
    yield ("map", "index"), (1 << 53) - 1, True
    yield ("map", "leaf", "sigs"), [], True
    yield ("map", "leaf", "sigs"), statement["sigs"] * 10, True  # type: ignore[operator]
    yield ("map", "leaf", "sigs"), statement["sigs"] * 11, False  # type: ignore[operator]
    yield ("map", "leaf", "type"), "opened", False
    yield ("map", "leaf", "v"), "draw/v2", False
    yield ("map", "leaf", "size"), (1 << 53) - 1, True
    yield ("map", "leaf", "at"), 1 << 42, True
    yield ("map", "leaf", "at"), (1 << 42) + 1, False
    yield ("monitors",), [statement] * 20, True
    yield ("monitors",), [statement] * 21, False
    yield ("monitors",), [{**statement, "sigs": []}], False
    yield ("monitors",), [{**statement, "sigs": statement["sigs"] * 2}], False  # type: ignore[operator]
    for name in NAMES[0]:
        yield ("origin",), name, True
    for name in NAMES[1]:
        yield ("origin",), name, False
    yield ("v",), "lotroom-proof/2", False


def placed(value: Any, kind: str, path: Path, new: Any) -> Any:
    event = next(each["event"] for each in value["events"] if each["event"]["type"] == kind)
    at(event, path[:-1])[path[-1]] = new
    return value


def written(value: Any) -> bytes:
    """Canonical bytes, also of what the writer would refuse."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def long_event(size: int) -> Files:
    """An event whose leaf has so many bytes: answers and signatures, whatever they say."""
    files = replace(built(*WHERE["answers"]).files, openings=None)
    value = json.loads(files.proof)
    event = next(each["event"] for each in value["events"] if each["event"]["type"] == "answers")
    event["sigs"] = [{"key": "k", "sig": "00" * 64} for _ in range(60)]
    event["answers"] = [{"evidence": "two_persons", "receipt": "00" * 32, "slot": 100, "state": "accepted"}] * 380
    for sig in event["sigs"]:
        sig["key"] += "k" * min(size - len(dumps(event)), 127)
    assert len(dumps(event)) == size, len(dumps(event))
    return replace(files, proof=dumps(value, text=True))


def cases() -> Iterator[Planned]:
    for source, found in ((None, list(bounds())), (BEACON, list(beacon_bounds()))):
        for number, (kind, path, new, lawful) in enumerate(found):

            def make(chance: random.Random, s=source, kind=kind, path=path, new=new, lawful=lawful) -> Case:  # type: ignore[no-untyped-def]
                files = replace(built(*(s or WHERE[kind])).files, openings=None, receipt=None)
                return Case(replace(files, proof=written(placed(json.loads(files.proof), kind, path, new))), None if lawful else ("I6",))

            where = ".".join(str(each) for each in path)
            word = "taken" if lawful else "refused"
            yield Planned(f"bound/{kind}-{where}-{'beacon-' if source else ''}{number:03}-{word}", f"bound-{word}", make)
    for number, (path, new, lawful) in enumerate(outer_bounds()):

        def around(chance: random.Random, path=path, new=new, lawful=lawful) -> Case:  # type: ignore[no-untyped-def]
            files = replace(built(*WHERE["opened"]).files, openings=None, receipt=None)
            value = json.loads(files.proof)
            at(value, path[:-1])[path[-1]] = new
            return Case(replace(files, proof=written(value)), None if lawful else ("I6",))

        word = "taken" if lawful else "refused"
        yield Planned(f"bound/proof-{'.'.join(str(each) for each in path)}-{number:03}-{word}", f"bound-{word}", around)
    yield Planned("bound/event-65535-bytes-taken", "bound-taken", lambda chance: Case(long_event(65_535)))
    yield Planned("bound/event-65536-bytes-refused", "bound-refused", lambda chance: Case(long_event(65_536), ("I6",)))
