"""Edits of files by whoever holds them: nothing is signed again.

What a reader must refuse is known by construction: an unreadable proof fails I6 alone, a key list A4, a roll D1, a receipt E1, openings S1.
What is still readable the verifiers must judge alike.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from drawing.canonical import dumps
from drawing.errors import Refused
from drawing.events import FAIR, UNIFORM
from drawing.keys import parse_keys
from drawing.proof import parse_proof
from drawing.receipt import parse_receipt
from drawing.verify import Files
from tests.conformance.cases import Case, Planned
from tests.conformance.changes import changed, restructured, retyped
from tests.conformance.histories import Setting, built

FULL = (
    ("two_reserves_and_lots", Setting(3)), ("all_accept", Setting(11)), ("one_round", Setting(5, UNIFORM, "local")),
    ("a_second_attempt", Setting(9, UNIFORM, "drand")), ("all_accept", Setting(11, FAIR)), ("screened_after", Setting(5)),
    ("a_draw_under_a_successor", Setting(17)),
)  # fmt: skip
UNREADABLE = {"proof": "I6", "keys": "A4", "roll": "D1", "receipt": "E1", "openings": "S1"}
Edit = Callable[[bytes, random.Random], bytes]


def base(number: int, kind: str = "proof") -> Files:
    """One of some full sets of files, without openings."""
    found = [built(*each).files for each in FULL]
    found = [each for each in found if getattr(each, kind) is not None]
    files = found[number % len(found)]
    return files if kind == "openings" else replace(files, openings=None)


# Spellings: every one of these makes a file that no writer would have written ------------------------------------------------------------------


def spelled(pattern: bytes, new: bytes) -> Edit:
    def edit(data: bytes, chance: random.Random) -> bytes:
        found = list(re.finditer(pattern, data))
        match = found[chance.randrange(len(found))]
        return data[: match.start()] + match.expand(new) + data[match.end() :]

    return edit


def appended(value: bytes) -> Edit:
    return lambda data, chance: data + value


def prefixed(value: bytes) -> Edit:
    return lambda data, chance: value + data


def escaped_letter(data: bytes, chance: random.Random) -> bytes:
    found = list(re.finditer(rb'(?<=")[a-z]', data))
    match = chance.choice(found)
    return data[: match.start()] + b"\\u%04x" % data[match.start()] + data[match.end() :]


def keys_swapped(data: bytes, chance: random.Random) -> bytes:
    """Two neighbours of an object change places, spelled as they were."""
    value = json.loads(data)

    def turned(inner: Any) -> Any:
        if isinstance(inner, dict):
            return {key: turned(inner[key]) for key in sorted(inner, reverse=True)}
        return [turned(each) for each in inner] if isinstance(inner, list) else inner

    return json.dumps(turned(value), ensure_ascii=False, separators=(",", ":")).encode()


def key_doubled(data: bytes, chance: random.Random) -> bytes:
    match = chance.choice(list(re.finditer(rb'("[a-z_]+":(?:"[^"\\]*"|[0-9]+|true|false)),', data)))
    return data[: match.end()] + match.group(1) + b"," + data[match.end() :]


SPELLINGS: dict[str, Edit] = {
    "space_after_colon": spelled(rb'":', rb'": '), "space_before_comma": spelled(rb",", rb" ,"), "line_feed": spelled(rb",", b",\n"),
    "tab": spelled(rb"\{", b"{\t"), "line_feed_at_the_end": appended(b"\n"), "space_first": prefixed(b" "), "byte_order_mark": prefixed(b"\xef\xbb\xbf"),
    "null_byte_at_the_end": appended(b"\0"), "second_value": appended(b"{}"), "comma_at_the_end": spelled(rb"\}$", b",}"),
    "comma_in_a_list": spelled(rb"\]", b",]"), "keys_in_another_order": keys_swapped, "key_twice": key_doubled,
    "integer_as_float": spelled(rb":([0-9]+)(?=[,}])", rb":\1.0"), "integer_with_exponent": spelled(rb":([0-9]+)(?=[,}])", rb":\1e0"),
    "integer_with_leading_zero": spelled(rb":([0-9]+)(?=[,}])", rb":0\1"), "minus_zero": spelled(rb":[0-9]+(?=[,}])", b":-0"),
    "plus": spelled(rb":([0-9]+)(?=[,}])", rb":+\1"), "integer_2_53": spelled(rb":[0-9]+(?=[,}])", b":9007199254740992"),
    "integer_20_digits": spelled(rb":[0-9]+(?=[,}])", b":18446744073709551616"), "integer_5000_digits": spelled(rb":[0-9]+(?=[,}])", b":" + b"9" * 5000),
    "hexadecimal_number": spelled(rb":[0-9]+(?=[,}])", b":0x10"), "not_a_number": spelled(rb":[0-9]+(?=[,}])", b":NaN"),
    "infinity": spelled(rb":[0-9]+(?=[,}])", b":Infinity"), "null": spelled(rb':("[^"\\]*"|[0-9]+|true|false)(?=[,}])', b":null"),
    "truth_in_capitals": spelled(rb":([0-9]+|true|false)(?=[,}])", b":True"), "single_quotes": spelled(rb'"([a-z_]+)":', rb"'\1':"),
    "bare_key": spelled(rb'"([a-z_]+)":', rb"\1:"), "escaped_letter": escaped_letter, "escaped_slash": spelled(rb"/", rb"\\/"),
    "key_in_capitals": spelled(rb'"([a-z]+)":', rb'"\1A":'), "empty_key": spelled(rb'"([a-z]+)":', rb'"":'),
    "key_with_dash": spelled(rb'"([a-z]+)":', rb'"\1-":'), "key_of_proto": spelled(rb'"([a-z]+)":', rb'"__proto__":'),
    "control_character": spelled(rb'":"', b'":"\x01'), "delete_character": spelled(rb'":"', b'":"\x7f'), "c1_character": spelled(rb'":"', '":"\x85'.encode()),
    "tab_in_text": spelled(rb'":"', b'":"\t'), "escaped_null": spelled(rb'":"', rb'":"\\u0000'), "lone_surrogate": spelled(rb'":"', rb'":"\\ud800'),
    "surrogate_in_utf8": spelled(rb'":"', b'":"\xed\xa0\x80'), "overlong_utf8": spelled(rb'":"', b'":"\xc0\xaf'), "latin_1": spelled(rb'":"', b'":"\xe9'),
    "cut_utf8": spelled(rb'":"', b'":"\xe4\xb8'), "escaped_quote_wrongly": spelled(rb'":"', rb'":"\\x'), "hex_in_capitals": spelled(
        rb'":"([0-9a-f]*)a([0-9a-f]{8,})"', rb'":"\1A\2"'),
    "odd_hex": spelled(rb'":"([0-9a-f]{16,})"', rb'":"\g<1>0"'), "hex_one_byte_more": spelled(rb'":"([0-9a-f]{64})"', rb'":"\g<1>00"'),
    "hex_one_byte_less": spelled(rb'":"([0-9a-f]{62})[0-9a-f]{2}"', rb'":"\1"'), "hex_with_space": spelled(rb'":"([0-9a-f]{63})[0-9a-f]"', rb'":"\1 "'),
    "hex_with_prefix": spelled(rb'":"[0-9a-f]{2}([0-9a-f]{62})"', rb'":"0x\1"'), "hex_in_full_width": spelled(
        rb'":"([0-9a-f]{63})[0-9a-f]"', '":"\\1０"'.encode()),
    "comment": spelled(rb",", b",/**/"), "empty": lambda data, chance: b"", "only_null": lambda data, chance: b"null",
    "only_a_list": lambda data, chance: b"[]", "only_an_object": lambda data, chance: b"{}", "only_text": lambda data, chance: b'"x"',
    "in_a_list": lambda data, chance: b"[" + data + b"]", "depth_17": spelled(rb':(?:"[^"\\]*"|[0-9]+)(?=[,}])', b":" + b"[" * 15 + b"]" * 15),
    "depth_100000": lambda data, chance: b"[" * 100_000, "depth_balanced": lambda data, chance: b"[" * 50_000 + b"]" * 50_000,
    "depth_of_objects": lambda data, chance: b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    "commas_400001": lambda data, chance: data[:-1] + b',"z":[' + b"0," * 400_001 + b"0]}", "utf_16": lambda data, chance: data.decode().encode("utf-16-le"),
    "doubled": lambda data, chance: data + data, "version_2": spelled(rb'"v":"lotroom-([a-z]+)/1"', rb'"v":"lotroom-\1/2"'),
}  # fmt: skip


def spellings() -> Iterator[Planned]:
    for name, edit in SPELLINGS.items():
        for kind in ("proof", "keys", "receipt"):
            for number in range(2 if kind == "proof" else 1):

                def make(chance: random.Random, name=name, edit=edit, kind=kind, number=number) -> Case:  # type: ignore[no-untyped-def]
                    files = base(number + len(name), kind)
                    return Case(
                        replace(files, **{kind: edit(getattr(files, kind), chance)}), None if kind == "keys" else (UNREADABLE[kind],)
                    )

                yield Planned(f"spelling/{kind}-{name}-{number}", "spelling", make)


# Shapes ---------------------------------------------------------------------------------------------------------------------------------------

PARSERS: dict[str, Callable[[bytes], object]] = {"proof": parse_proof, "keys": parse_keys, "receipt": parse_receipt}


def other_json(kind: str, number: int, change: Callable[[Any, random.Random], Any]) -> Callable[[random.Random], Case]:
    """One change of the JSON, written canonically."""

    def make(chance: random.Random) -> Case:
        files = base(number, kind)
        data = getattr(files, kind)
        for _ in range(50):
            try:
                new = dumps(change(json.loads(data), chance), text=True)
            except (Refused, TypeError, IndexError, KeyError):
                continue
            if new != data:
                return Case(replace(files, **{kind: new}))
        raise AssertionError("nothing changed")

    return make


def shapes() -> Iterator[Planned]:
    for kind, counts in (("proof", (90, 60, 180)), ("keys", (30, 20, 40)), ("receipt", (25, 20, 60))):
        for what, change, count in zip(("retyped", "restructured", "changed"), (retyped, restructured, changed), counts, strict=True):
            for number in range(count):
                yield Planned(f"shape/{kind}-{what}-{number:03}", f"shape-{what}", other_json(kind, number, change))


# Bytes ----------------------------------------------------------------------------------------------------------------------------------------


def bytes_changed(data: bytes, chance: random.Random) -> bytes:
    where = chance.randrange(len(data))
    kind = chance.randrange(6)
    if kind <= 1:
        return data[:where] + bytes([data[where] ^ (1 << chance.randrange(8))]) + data[where + 1 :]
    if kind == 2:
        return data[:where] + data[where + 1 :]
    if kind == 3:
        return data[:where] + bytes([chance.randrange(256)]) + data[where:]
    if kind == 4:
        return data[:where]
    size = chance.randrange(1, 80)
    return data[:where] + data[where + size :]


def byte_edits() -> Iterator[Planned]:
    for kind, count in (("proof", 150), ("keys", 40), ("roll", 80), ("receipt", 50), ("openings", 30)):
        for number in range(count):

            def make(chance: random.Random, kind=kind, number=number) -> Case:  # type: ignore[no-untyped-def]
                files = base(number, kind)
                while (new := bytes_changed(getattr(files, kind), chance)) == getattr(files, kind):
                    pass
                return Case(replace(files, **{kind: new}))

            yield Planned(f"bytes/{kind}-{number:03}", f"bytes-{kind}", make)


# Rolls ----------------------------------------------------------------------------------------------------------------------------------------


def counted(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


def parts_of(data: bytes) -> list[list[bytes]]:
    """[kind, head, body, table?] of every section."""
    at, found = len(b"lotroom-roll/1\n"), []
    while at < len(data):
        section = [data[at : at + 1]]
        at += 1
        for _ in range(3 if section[0] == b"\3" else 2):
            size = int.from_bytes(data[at : at + 4], "big")
            section.append(data[at + 4 : at + 4 + size])
            at += 4 + size
        found.append(section)
    return found


def joined(sections: list[list[bytes]], magic: bytes = b"lotroom-roll/1\n") -> bytes:
    return magic + b"".join(section[0] + b"".join(counted(part) for part in section[1:]) for section in sections)


def head_edit(change: Callable[[Any], Any], raw: bool = False) -> Callable[[bytes], bytes]:
    """The first section with another head."""

    def edit(data: bytes) -> bytes:
        sections = parts_of(data)
        value = json.loads(sections[0][1])
        value = change(value) or value
        sections[0][1] = json.dumps(value, separators=(",", ":"), sort_keys=True).encode()
        return joined(sections)

    return edit


def section_edit(change: Callable[[list[list[bytes]]], list[list[bytes]] | None]) -> Callable[[bytes], bytes]:
    def edit(data: bytes) -> bytes:
        sections = parts_of(data)
        return joined(change(sections) or sections)

    return edit


def swapped_rows(sections: list[list[bytes]]) -> None:
    rows = sections[0][2]
    sections[0][2] = rows[58:116] + rows[:58] + rows[116:]


def doubled_row(sections: list[list[bytes]]) -> None:
    sections[0][2] = sections[0][2][:58] + sections[0][2]
    value = json.loads(sections[0][1])
    value["rows"] += 1
    sections[0][1] = dumps(value)


def set_in(part: int, at: int, new: bytes) -> Callable[[list[list[bytes]]], None]:
    def change(sections: list[list[bytes]]) -> None:
        old = sections[0][part]
        sections[0][part] = old[:at] + new + old[at + len(new) :]

    return change


def with_type(**changes: Any) -> Callable[[Any], Any]:
    def change(value: Any) -> None:
        value["types"][0].update(changes)

    return change


ROLL_EDITS: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"", "only_magic": lambda data: data[:15], "other_magic": lambda data: b"lotroom-roll/2\n" + data[15:],
    "magic_in_capitals": lambda data: b"LOTROOM" + data[7:], "magic_with_crlf": lambda data: b"lotroom-roll/1\r\n" + data[15:],
    "kind_0": lambda data: data[:15] + b"\0" + data[16:], "kind_2_first": lambda data: data[:15] + b"\2" + data[16:],
    "kind_4": lambda data: data[:15] + b"\4" + data[16:], "kind_3_without_table": lambda data: data[:15] + b"\3" + data[16:],
    "one_byte_more": lambda data: data + b"\0", "one_byte_less": lambda data: data[:-1], "four_bytes_more": lambda data: data + b"\1\0\0\0",
    "length_too_large": lambda data: data[:16] + b"\xff\xff\xff\xff" + data[20:], "length_zero": lambda data: data[:16] + bytes(4) + data[20:],
    "little_endian": lambda data: data[:16] + data[16:20][::-1] + data[20:], "rows_swapped": section_edit(swapped_rows),
    "row_twice": section_edit(doubled_row), "row_missing": section_edit(lambda s: s[0].__setitem__(2, s[0][2][:-58])),
    "row_cut": section_edit(lambda s: s[0].__setitem__(2, s[0][2][:-1])), "type_out_of_range": section_edit(set_in(2, 16, b"\xff\xff")),
    "other_employer": section_edit(set_in(2, 18, b"\1\2\3\4\5\6\7\x08")), "other_row_hash": section_edit(set_in(2, 26, b"\0")),
    "section_twice": section_edit(lambda s: [*s, s[0]]), "no_sections_but_removed": section_edit(lambda s: [[b"\2", b"{}", b""]]),
    "head_with_space": section_edit(lambda s: s[0].__setitem__(1, s[0][1].replace(b":", b": ", 1))),
    "head_rows_more": head_edit(lambda v: v.update(rows=v["rows"] + 1)), "head_rows_negative": head_edit(lambda v: v.update(rows=-1)),
    "head_rows_true": head_edit(lambda v: v.update(rows=True)), "head_rows_text": head_edit(lambda v: v.update(rows=str(v["rows"]))),
    "head_other_salt": head_edit(lambda v: v.update(salt="00" * 32)), "head_short_salt": head_edit(lambda v: v.update(salt="00")),
    "head_salt_in_capitals": head_edit(lambda v: v.update(salt="AB" * 32)), "head_no_salt": head_edit(lambda v: v.update(salt="")),
    "head_more": head_edit(lambda v: v.update(x=1)), "head_version_2": head_edit(lambda v: v.update(v="lotroom-roll/2")),
    "head_version_9": head_edit(lambda v: v.update(v="lotroom-roll/9")), "types_turned": head_edit(lambda v: v.update(types=v["types"][::-1])),
    "type_twice": head_edit(lambda v: v.update(types=[v["types"][0], *v["types"]])), "no_types": head_edit(lambda v: v.update(types=[])),
    "types_an_object": head_edit(lambda v: v.update(types={})), "type_of_no_seat": head_edit(with_type(seats=[])),
    "type_of_a_seat_twice": head_edit(with_type(seats=[0, 0])), "type_of_seat_40": head_edit(with_type(seats=[40])),
    "type_of_seat_39": head_edit(with_type(seats=[0, 39])), "type_of_seats_turned": head_edit(with_type(seats=[1, 0])),
    "type_of_site_8": head_edit(with_type(site=8)), "type_of_site_minus_2": head_edit(with_type(site=-2)),
    "type_of_weight_0": head_edit(with_type(weight=0)), "type_of_weight_2_32": head_edit(with_type(weight=1 << 32)),
    "type_of_weight_more": head_edit(with_type(weight=(1 << 32) + 1)), "type_recent_1": head_edit(with_type(recent=1)),
    "type_with_more": head_edit(with_type(x=0)),
}  # fmt: skip


def table_edit(change: Callable[[Any], Any], *, honest_head: bool = True) -> Callable[[bytes], bytes]:
    """Another table; the head names its digest, so that only the committed head tells."""
    from drawing.certificate import table_digest

    def edit(data: bytes) -> bytes:
        sections = parts_of(data)
        table = json.loads(sections[0][3])
        made = change(table)
        table = table if made is None else made
        raw = table if isinstance(table, bytes) else json.dumps(table, separators=(",", ":"), sort_keys=True).encode()
        sections[0][3] = raw
        if honest_head:
            head = json.loads(sections[0][1])
            head["table"] = table_digest(raw).hex()
            sections[0][1] = dumps(head)
        return joined(sections)

    return edit


def in_level(**changes: Any) -> Callable[[Any], None]:
    return lambda table: table["levels"][0].update(changes)


def set_weight(new: Any) -> Callable[[Any], None]:
    def change(table: Any) -> None:
        table["weights"][0][0][0] = new

    return change


TABLE_EDITS: dict[str, Callable[[bytes], bytes]] = {
    "head_of_another": table_edit(set_weight(1), honest_head=False), "weight_0": table_edit(set_weight(0)), "weight_true": table_edit(set_weight(True)),
    "weight_2_40": table_edit(set_weight(1 << 40)), "weight_more": table_edit(set_weight((1 << 40) + 1)), "weight_text": table_edit(set_weight("1")),
    "one_class_less": table_edit(lambda t: t.update(weights=t["weights"][1:])), "one_class_more": table_edit(lambda t: t.update(weights=[*t["weights"], [[1]]])),
    "no_levels": table_edit(lambda t: t.update(levels=[])), "levels_5001": table_edit(lambda t: t.update(levels=t["levels"][:1] * 5001)),
    "levels_twice": table_edit(lambda t: t.update(levels=t["levels"] * 2)), "recent_negative": table_edit(in_level(recent=-1)),
    "recent_2_50": table_edit(in_level(recent=1 << 50)), "recent_more": table_edit(in_level(recent=(1 << 50) + 1)), "seats_none": table_edit(in_level(seats=[])),
    "seats_minus_2_50": table_edit(in_level(seats=[-(1 << 50), 0])), "seats_less": table_edit(in_level(seats=[-(1 << 50) - 1, 0])),
    "employer_price_0": table_edit(in_level(employers=[{"number": 0, "price": 0}])), "employer_of_no_class": table_edit(in_level(employers=[{"number": 9999, "price": 1}])),
    "employers_turned": table_edit(in_level(employers=[{"number": 1, "price": 1}, {"number": 0, "price": 1}])),
    "employer_twice": table_edit(in_level(employers=[{"number": 0, "price": 1}, {"number": 0, "price": 1}])), "with_space": table_edit(
        lambda t: json.dumps(t, sort_keys=True).encode()),
    "more": table_edit(lambda t: t.update(x=1)), "version_2": table_edit(lambda t: t.update(v="lotroom-fair/2")), "empty": table_edit(lambda t: b"", honest_head=False),
}  # fmt: skip


def rolls() -> Iterator[Planned]:
    for name, edit in ROLL_EDITS.items():
        for number in range(2):

            def make(chance: random.Random, edit=edit, number=number) -> Case:  # type: ignore[no-untyped-def]
                files = base(number, "roll")
                return Case(replace(files, roll=edit(files.roll or b"")), ("I5",) if edit is ROLL_EDITS["section_twice"] else ("D1",))

            yield Planned(f"roll/{name}-{number}", "roll", make)
    for name, edit in TABLE_EDITS.items():

        def tabled(chance: random.Random, edit=edit) -> Case:  # type: ignore[no-untyped-def]
            files = replace(built("all_accept", Setting(11, FAIR)).files, openings=None)
            return Case(replace(files, roll=edit(files.roll or b"")), ("D1",))

        yield Planned(f"roll/table-{name}", "roll", tabled)


# Files of two draws --------------------------------------------------------------------------------------------------------------------------


def mixed() -> Iterator[Planned]:
    others = (
        ("all_accept", Setting(12)),
        ("all_accept", Setting(11)),
        ("one_round", Setting(11)),
        ("all_accept", Setting(11, UNIFORM, "drand")),
    )
    for kind in ("proof", "keys", "roll", "receipt"):
        for number, other in enumerate(others):
            for mine in range(2):

                def make(chance: random.Random, kind=kind, other=other, mine=mine) -> Case:  # type: ignore[no-untyped-def]
                    files = replace(built("all_accept", Setting(13 + 2 * mine)).files, openings=None)
                    return Case(replace(files, **{kind: getattr(built(*other).files, kind)}))

                yield Planned(f"mixed/{kind}-{number}-{mine}", "mixed", make)


def cases() -> Iterator[Planned]:
    yield from spellings()
    yield from shapes()
    yield from byte_edits()
    yield from rolls()
    yield from mixed()
