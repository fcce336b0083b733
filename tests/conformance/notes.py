"""Checkpoints, cosignatures, policies and paths that are almost right."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from dataclasses import replace

from drawing.keys import keys_bytes
from drawing.note import cosigned_message, signature_line
from drawing.proof import Proof
from drawing.receipt import parse_receipt, receipt_bytes
from drawing.verify import Files
from tests.conformance.cases import Case, Planned
from tests.conformance.histories import Setting, built
from tests.conformance.pairs import renoted, shown
from tests.lies import with_proof
from tests.scenario import Holder, World

Lines = list[str]
Make = Callable[[], Case]

# Signature lines --------------------------------------------------------------------------------------------------------------------------


def note_of(world: World, size: int, change: Callable[[str], str]) -> None:
    world.notes[size] = change(world.notes[size].decode()).encode()


def with_note(change: Callable[[World, str], str], *, last: bool) -> Files:
    """The last checkpoint's (or the first one's) note is another text."""
    world = World(quorum=2).whole()
    sizes = sorted(int(text.split("\n")[1]) for text in world.proof().checkpoints)
    size = sizes[-1] if last else sizes[0]
    note_of(world, size, lambda text: change(world, text))
    return world.files(openings=False)


def on_lines(change: Callable[[Lines], Lines]) -> Callable[[World, str], str]:
    def edit(world: World, note: str) -> str:
        text, _, lines = note.rpartition("\n\n")
        return text + "\n\n" + "".join(change(lines.splitlines(keepends=True)))

    return edit


def on_base64(change: Callable[[str], str], line: int = 1) -> Callable[[World, str], str]:
    def edit(lines: Lines) -> Lines:
        head, _, tail = lines[line].rstrip("\n").rpartition(" ")
        return [*lines[:line], f"{head} {change(tail)}\n", *lines[line + 1 :]]

    return on_lines(edit)


def other_last_letter(text: str) -> str:
    """Another spelling of the same bytes: unused bits are set."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    bare = text.rstrip("=")
    return bare[:-1] + letters[letters.index(bare[-1]) | (1 if text.endswith("=") else 0)] + "=" * (len(text) - len(bare))


def again_signed(change: Callable[[str], str]) -> Callable[[World, str], str]:
    """The text of the note is another, and log and witnesses sign it as it is."""

    def edit(world: World, note: str) -> str:
        text = change(note.rpartition("\n\n")[0] + "\n")
        lines = [signature_line(world.log_key.vkey, world.log_key.sign(text.encode()))]
        stamp = world.clock.to_bytes(8, "big")
        lines += [signature_line(key.vkey, stamp + key.sign(cosigned_message(text, world.clock))) for key in world.witness_keys]
        return text + "\n" + "".join(lines)

    return edit


def cosigned_at(*times: int) -> Callable[[World, str], str]:
    def edit(world: World, note: str) -> str:
        text, _, lines = note.rpartition("\n\n")
        text += "\n"
        made = [lines.splitlines(keepends=True)[0]]
        for key, time in zip(world.witness_keys, times):
            made.append(signature_line(key.vkey, time.to_bytes(8, "big") + key.sign(cosigned_message(text, time))))
        return text + "\n" + "".join(made)

    return edit


def stranger(world: World, note: str) -> str:
    key = Holder("w9.example/w", "witness", "w9", world.root)
    text = note.rpartition("\n\n")[0] + "\n"
    return note + signature_line(key.vkey, world.clock.to_bytes(8, "big") + key.sign(cosigned_message(text, world.clock)))


def line_at(number: int, new: Callable[[str], str]) -> Callable[[str], str]:
    def edit(text: str) -> str:
        lines = text.split("\n")
        lines[number] = new(lines[number])
        return "\n".join(lines)

    return edit


NOTES: dict[str, Callable[[World, str], str]] = {
    "line_twice": on_lines(lambda lines: [*lines, lines[-1]]), "log_line_twice": on_lines(lambda lines: [lines[0], *lines]),
    "witnesses_turned": on_lines(lambda lines: [lines[0], *lines[:0:-1]]), "log_line_last": on_lines(lambda lines: [*lines[1:], lines[0]]),
    "no_log_line": on_lines(lambda lines: lines[1:]), "no_lines": on_lines(lambda lines: []), "only_one_witness": on_lines(lambda lines: lines[:2]),
    "line_of_a_stranger": stranger, "hyphen_for_dash": on_lines(lambda lines: [lines[0].replace("—", "-"), *lines[1:]]),
    "en_dash": on_lines(lambda lines: [lines[0].replace("—", "–"), *lines[1:]]), "two_spaces": on_lines(lambda lines: [lines[0].replace("— ", "—  "), *lines[1:]]),
    "space_at_the_end": on_lines(lambda lines: [lines[0].replace("\n", " \n"), *lines[1:]]), "no_line_feed_at_the_end": on_lines(
        lambda lines: [*lines[:-1], lines[-1].rstrip("\n")]),
    "blank_line_at_the_end": on_lines(lambda lines: [*lines, "\n"]), "blank_line_between": on_lines(lambda lines: [lines[0], "\n", *lines[1:]]),
    "other_name": on_lines(lambda lines: [*lines[:-1], lines[-1].replace("w2.", "w3.")]), "no_padding": on_base64(lambda text: text.rstrip("=")),
    "padding_twice": on_base64(lambda text: text + "="), "url_letters": on_base64(lambda text: text.replace("+", "-").replace("/", "_"), 0),
    "unused_bits": on_base64(other_last_letter), "unused_bits_of_the_log": on_base64(other_last_letter, 0), "base64_with_space": on_base64(
        lambda text: text[:8] + " " + text[8:]),
    "other_key_hash": on_base64(lambda text: "AAAA" + text[4:]), "one_byte_less": on_base64(
        lambda text: base64.b64encode(base64.b64decode(text)[:-1]).decode()),
    "one_byte_more": on_base64(lambda text: base64.b64encode(base64.b64decode(text) + b"\0").decode()),
    "only_the_key_hash": on_base64(lambda text: text[:4] + text[4:6] + "=="), "extension_line": again_signed(lambda text: text + "more\n"),
    "size_with_zero": again_signed(line_at(1, lambda size: "0" + size)), "size_with_plus": again_signed(line_at(1, lambda size: "+" + size)),
    "size_in_other_digits": again_signed(line_at(1, lambda size: size.translate({48 + n: 0x660 + n for n in range(10)}))),
    "size_hexadecimal": again_signed(line_at(1, lambda size: hex(int(size)))), "size_with_space": again_signed(line_at(1, lambda size: size + " ")),
    "size_17_digits": again_signed(line_at(1, lambda size: "1" * 17)), "size_negative": again_signed(line_at(1, lambda size: "-" + size)),
    "root_without_padding": again_signed(line_at(2, lambda root: root.rstrip("="))), "root_with_unused_bits": again_signed(line_at(2, other_last_letter)),
    "root_too_short": again_signed(line_at(2, lambda root: base64.b64encode(base64.b64decode(root)[:-1]).decode())),
    "other_origin": again_signed(line_at(0, lambda origin: origin + "x")), "empty_origin": again_signed(line_at(0, lambda origin: "")),
    "origin_with_space": again_signed(line_at(0, lambda origin: origin + " ")), "origin_of_129_letters": again_signed(
        line_at(0, lambda origin: "x" * 129)), "origin_of_other_letters": again_signed(line_at(0, lambda origin: "中心/日志")), "size_2_53": again_signed(
        line_at(1, lambda size: str(1 << 53))), "blank_line_in_the_text": again_signed(line_at(2, lambda root: root + "\n")),
    "empty": lambda world, note: "", "text_alone": lambda world, note: note.partition("\n\n")[0],
    "not_cosigned_by_any": on_lines(lambda lines: lines[:1]), "cosigned_by_the_log_s_type": on_lines(lambda lines: [lines[0], lines[0].replace("centre/log", "w0.example/w")]),
}  # fmt: skip
TIMES = {
    "zero": (0, 0, 0), "one_zero": (1_790_000_000, 1_790_000_000, 0), "one_2_63": (1_790_000_000, 2**63, 1_790_000_000), "2_63_less_1": (2**63 - 1,) * 3, "one": (1, 1, 1), "2_53": (2**53, 2**53 + 1, 2**53 - 1), "2_63": (2**63, 2**63 - 1, 2**63 + 1), "2_64": (2**64 - 1,) * 3,
}  # fmt: skip
NO_TIMES = ("zero", "one_zero", "one_2_63", "2_63", "2_64")


def lines() -> Iterator[tuple[str, Make]]:
    for name, change in NOTES.items():
        for last in (True, False):
            yield (
                f"line-{name}-{'last' if last else 'first'}",
                lambda change=change, last=last: Case(with_note(change, last=last), ("A2",) if last else ("A1",)),  # type: ignore[misc]
            )
    for name, times in TIMES.items():
        for last in (True, False):
            yield (
                f"line-time_{name}-{'last' if last else 'first'}",
                lambda name=name, times=times, last=last: Case(
                    with_note(cosigned_at(*times), last=last), (("A2",) if last else ("A1",)) if name in NO_TIMES else None
                ),
            )  # type: ignore[misc]
    largest = again_signed(line_at(1, lambda size: str((1 << 53) - 1)))  # a note like others; of another tree
    yield "line-size_below_2_53-last", lambda: Case(with_note(largest, last=True), ("I1", "I2"))
    yield "line-size_below_2_53-first", lambda: Case(with_note(largest, last=False), ("A1", "I5"))
    yield "line-two_of_three-last", lambda: Case(with_note(on_lines(lambda lines: lines[:3]), last=True), ())
    yield "line-the_other_two-last", lambda: Case(with_note(on_lines(lambda lines: [lines[0], *lines[2:]]), last=True), ())


# Policies ---------------------------------------------------------------------------------------------------------------------------------

LAWFUL: dict[str, Callable[[str], str]] = {
    "comment": lambda text: "# a comment\n" + text, "comment_of_any_letters": lambda text: "#注 — \n" + text, "indented_comment": lambda text: "  # a comment\n" + text, "hash_alone": lambda text: "#\n" + text, "blank_lines": lambda text: "\n" + text.replace("\n", "\n\n"),
    "indented": lambda text: text.replace("witness", "  witness"), "many_spaces": lambda text: text.replace(" ", "   "), "no_line_feed_at_the_end": str.rstrip,
    "address_of_a_witness": lambda text: text.replace("\nwitness w1", " https://w0.example/\nwitness w1"),
    "address_of_the_log": lambda text: text.replace("\nwitness w0", " https://log.example/\nwitness w0"), "all": lambda text: text.replace("most 2", "most all"),
    "any": lambda text: text.replace("most 2", "most any"), "one_witness": lambda text: text.replace("quorum most", "quorum w1"),
    "group_in_a_group": lambda text: text.replace("quorum most", "group two any most\nquorum two"), "unused_group": lambda text: text.replace(
        "quorum most", "group two any most\nquorum most"),
    "quorum_first_of_its_use": lambda text: text.replace("quorum most\n", "quorum most\n# end"), "names_of_any_letters": lambda text: text.replace("most", "多数"),
}  # fmt: skip
UNLAWFUL: dict[str, Callable[[str], str]] = {
    "empty": lambda text: "#", "no_log": lambda text: text[text.index("witness") :], "two_logs": lambda text: text.split("\n")[0] + "\n" + text,
    "member_of_two_groups": lambda text: text.replace("quorum most", "group two any w0\nquorum most"), "no_quorum": lambda text: text.replace("quorum most\n", ""), "two_quorums": lambda text: text + "quorum most\n", "unknown_quorum": lambda text: text.replace(
        "quorum most", "quorum least"),
    "unknown_member": lambda text: text.replace("w1 w2\n", "w1 w3\n"), "member_twice": lambda text: text.replace("w1 w2\n", "w1 w1\n"),
    "group_of_itself": lambda text: text.replace("w1 w2\n", "w1 most\n"), "group_of_a_later_one": lambda text: text.replace(
        "group most", "group two any three\ngroup three any w0\ngroup most"),
    "group_of_nobody": lambda text: text.replace("quorum most", "group none2 any\nquorum most"), "zero_of_three": lambda text: text.replace("most 2", "most 0"),
    "four_of_three": lambda text: text.replace("most 2", "most 4"), "count_with_zero": lambda text: text.replace("most 2", "most 02"),
    "count_with_plus": lambda text: text.replace("most 2", "most +2"), "count_in_capitals": lambda text: text.replace("most 2", "most ALL"),
    "group_named_none": lambda text: text.replace("most", "none"), "group_named_as_a_witness": lambda text: text.replace("most", "w0"),
    "witness_named_none": lambda text: text.replace("witness w0 ", "witness none ").replace("2 w0", "2 none"), "witness_twice": lambda text: text.replace(
        "witness w1", "witness w0"),
    "key_twice": lambda text: text.replace(text.split("\n")[2].split(" ")[2], text.split("\n")[1].split(" ")[2]), "word_too_many": lambda text: text.replace(
        "quorum most", "quorum most most"),
    "word_too_many_at_the_log": lambda text: text.replace("\nwitness w0", " a b\nwitness w0"), "unknown_word": lambda text: text + "trust w0\n",
    "word_in_capitals": lambda text: text.replace("quorum", "Quorum"), "log_after_its_type": lambda text: text.replace("log ", "witness w9 ", 1),
    "comment_at_the_end_of_a_line": lambda text: text.replace("quorum most", "quorum most # so"), "no_break_space": lambda text: text.replace("log ", "log\u00a0", 1),
    "ideographic_space": lambda text: text.replace("quorum ", "quorum\u3000"), "byte_order_mark_as_space": lambda text: text.replace("quorum ", "quorum\ufeff"),
    "line_separator": lambda text: text.replace("\nquorum", "\u2028quorum"), "no_break_space_at_the_end": lambda text: text.replace("quorum most", "quorum most\u00a0"),
    "hash_of_a_key": lambda text: text.replace(text.split("\n")[0].split("+")[1], "00000000"), "hash_in_capitals": lambda text: text.replace(
        text.split("\n")[0].split("+")[1], text.split("\n")[0].split("+")[1].upper()),
    "other_digits": lambda text: text.replace("most 2", "most ٢"),
}  # fmt: skip


def policies() -> Iterator[tuple[str, Make]]:
    def under(change: Callable[[str], str]) -> Files:
        world = World(quorum=2)
        world.key_list = replace(world.key_list, policy=change(world.key_list.policy))
        return world.whole().files(openings=False)

    for name, change in LAWFUL.items():
        yield f"policy-{name}", lambda change=change: Case(under(change), ())  # type: ignore[misc]
    for name, change in UNLAWFUL.items():
        yield f"policy-{name}-not", lambda change=change: Case(under(change), ("A4",))  # type: ignore[misc]


# Paths ------------------------------------------------------------------------------------------------------------------------------------


def flipped(path: tuple[bytes, ...], where: int = 0) -> tuple[bytes, ...]:
    return (*path[:where], bytes([path[where][0] ^ 1]) + path[where][1:], *path[where + 1 :])


PATHS: dict[str, Callable[[tuple[bytes, ...]], tuple[bytes, ...]]] = {
    "shorter": lambda path: path[:-1], "without_the_first": lambda path: path[1:], "longer": lambda path: (*path, bytes(32)),
    "last_twice": lambda path: (*path, path[-1]), "first_twice": lambda path: (path[0], *path), "empty": lambda path: (), "turned": lambda path: path[::-1],
    "first_flipped": flipped, "last_flipped": lambda path: flipped(path, len(path) - 1), "64_long": lambda path: (*path, *([path[-1]] * (64 - len(path)))),
}  # fmt: skip


def in_proof(change: Callable[[Proof], Proof]) -> Files:
    return with_proof(replace(built("all_accept", Setting(11)).files, openings=None), change)


def event_path(number: int, change: Callable[[tuple[bytes, ...]], tuple[bytes, ...]]) -> Callable[[Proof], Proof]:
    def edit(proof: Proof) -> Proof:
        number_of = number % len(proof.events)
        events = list(proof.events)
        events[number_of] = replace(events[number_of], path=change(events[number_of].path))
        return replace(proof, events=tuple(events))

    return edit


def set_paths() -> Iterator[tuple[str, Make]]:
    for name, change in PATHS.items():
        for number in (0, 3, -1):
            yield f"path-event_{number}-{name}", lambda c=change, n=number: Case(in_proof(event_path(n, c)), ("I1",))  # type: ignore[misc]
        yield f"path-map-{name}", lambda c=change: Case(in_proof(lambda p: replace(p, map=replace(p.map, path=c(p.map.path)))), ("I1",))  # type: ignore[misc]
        for number in (1, 2):

            def consistency(c=change, n=number) -> Case:  # type: ignore[no-untyped-def]
                def edit(proof: Proof) -> Proof:
                    found = list(proof.consistency)
                    found[n] = c(found[n])
                    return replace(proof, consistency=tuple(found))

                return Case(in_proof(edit), ("I2",))

            yield f"path-consistency_{number}-{name}", consistency
        for field, check in (("snapshot_path", "E1"), ("decision_path", "E2")):

            def own(c=change, field=field, check=check) -> Case:  # type: ignore[no-untyped-def]
                files = replace(built("all_accept", Setting(11)).files, openings=None)
                receipt = parse_receipt(files.receipt or b"")
                return Case(replace(files, receipt=receipt_bytes(replace(receipt, **{field: c(getattr(receipt, field))}))), (check,))

            yield f"path-{field}-{name}", own
        for field in ("path", "chance_path"):

            def row(c=change, field=field) -> Case:  # type: ignore[no-untyped-def]
                files = replace(built("all_accept", Setting(11)).files, openings=None)
                receipt = parse_receipt(files.receipt or b"")
                other = replace(receipt.row[0], **{field: c(getattr(receipt.row[0], field))})
                return Case(replace(files, receipt=receipt_bytes(replace(receipt, row=(other,)))), ("E3",))

            yield f"path-row_{field}-{name}", row
    for name, siblings in {
        "one_more": lambda s: (*s, bytes(32)), "one_that_counts": lambda s: (*s, b"\1" * 32), "256": lambda s: (*s, *([bytes(32)] * (256 - len(s)))),
    }.items():  # fmt: skip
        yield (
            f"map-siblings-{name}",
            lambda c=siblings: Case(in_proof(lambda p: replace(p, map=replace(p.map, siblings=c(p.map.siblings)))), ("C3",)),
        )  # type: ignore[misc]
    indexes: dict[str, Callable[[int], int]] = {"next": lambda n: n + 1, "far": lambda n: n + (1 << 20), "most": lambda n: (1 << 53) - 1}
    for name, index in indexes.items():

        def moved(index=index) -> Case:  # type: ignore[no-untyped-def]
            def edit(proof: Proof) -> Proof:
                last = proof.events[-1]
                return replace(proof, events=(*proof.events[:-1], replace(last, index=index(last.index))))

            return Case(in_proof(edit))

        yield f"index-event-{name}", moved
        yield f"index-map-{name}", lambda index=index: Case(in_proof(lambda p: replace(p, map=replace(p.map, index=index(p.map.index)))))  # type: ignore[misc]
        for field in ("receipt", "row"):

            def elsewhere(index=index, field=field) -> Case:  # type: ignore[no-untyped-def]
                files = replace(built("all_accept", Setting(11)).files, openings=None)
                receipt = parse_receipt(files.receipt or b"")
                most = 1 << 20
                if field == "receipt":
                    receipt = replace(receipt, index=min(most, index(receipt.index)))
                else:
                    receipt = replace(receipt, row=(replace(receipt.row[0], index=min(most, index(receipt.row[0].index))),))
                return Case(replace(files, receipt=receipt_bytes(receipt)), ("E1", "E2") if field == "receipt" else ("E3",))

            yield f"index-{field}-{name}", elsewhere
    yield "checkpoint-of_size_0", lambda: Case(from_nothing(), ("I2",))
    yield "checkpoint-twice", lambda: Case(doubled_checkpoint())
    yield "checkpoint-one_alone", lambda: Case(only_the_last())
    yield "checkpoint-of_every_size", lambda: Case(every_checkpoint(), ())
    yield "consistency-one_path_more", lambda: Case(in_proof(lambda p: replace(p, consistency=(*p.consistency, ()))), ("I5",))
    yield "consistency-none", lambda: Case(in_proof(lambda p: replace(p, consistency=())), ("I2", "I5"))
    yield "monitors-two", lambda: Case(two_monitors(), ())
    yield "monitors-two_turned", lambda: Case(two_monitors(turned=True), ("C3",))
    yield "monitors-one_twice", lambda: Case(in_proof(lambda p: replace(p, monitors=(*p.monitors, *p.monitors))), ("C3",))


def from_nothing() -> Files:
    """The first checkpoint is that of an empty log: nothing follows from it."""
    world = World(quorum=2).whole()
    renoted(world, 0, world.clock)

    def change(proof: Proof) -> Proof:
        return replace(proof, checkpoints=(world.notes[0].decode(), *proof.checkpoints), consistency=((), *proof.consistency))

    return with_proof(world.files(openings=False), change)


def doubled_checkpoint() -> Files:
    return in_proof(lambda p: replace(p, checkpoints=(p.checkpoints[0], *p.checkpoints), consistency=((), *p.consistency)))


def only_the_last() -> Files:
    return in_proof(lambda p: replace(p, checkpoints=p.checkpoints[-1:], consistency=()))


def every_checkpoint() -> Files:
    world = World(quorum=2).whole()
    return shown(world, lambda sizes: sizes | set(range(1, len(world.leaves), 3)))


def two_monitors(*, turned: bool = False) -> Files:
    from drawing.events import Signature

    world = World(quorum=2)
    other = Holder("aaa/monitor", "monitor", "court", world.root)
    world.holders[other.name] = other
    entries = tuple(sorted((*world.key_list.entries, other.entry), key=lambda entry: entry.vkey.partition("+")[0]))
    world.key_list = replace(world.key_list, entries=entries)
    world.whole()

    def change(proof: Proof) -> Proof:
        seen = proof.monitors[0]
        second = replace(seen, sigs=(Signature(other.name, other.sign(seen.payload)),))
        return replace(proof, monitors=(seen, second) if turned else (second, seen))

    return with_proof(world.files(openings=False), change)


# Key lists --------------------------------------------------------------------------------------------------------------------------------


def listing(change: Callable[[World], None]) -> Files:
    world = World(quorum=2)
    change(world)
    return world.whole().files(openings=False)


def entry_changed(number: int, **changes: object) -> Callable[[World], None]:
    def change(world: World) -> None:
        entries = list(world.key_list.entries)
        entries[number] = replace(entries[number], **changes)  # type: ignore[arg-type]
        world.key_list = replace(world.key_list, entries=tuple(entries))

    return change


def keys_listed() -> Iterator[tuple[str, Make]]:
    bodies = {
        "200_letters": ("单" * 200, True),
        "201_letters": ("单" * 201, False),
        "200_wide": ("𠀀" * 200, True),
        "201_wide": ("𠀀" * 201, False),
        "empty": ("", False),
    }
    for name, (body, lawful) in bodies.items():
        yield f"keys-body_of_{name}", lambda body=body, lawful=lawful: Case(listing(entry_changed(0, body=body)), () if lawful else ("A4",))  # type: ignore[misc]
    vrf = bytes.fromhex("e32fd675e413864b3f4f1b37123347105a1ea3dcff8e87371a899f0ae8f2cd88")
    yield "keys-vrf_of_staff", lambda: Case(listing(entry_changed(0, vrf=vrf[::-1])), ("A4",))
    yield "keys-contributor_without_vrf", lambda: Case(listing(entry_changed(8, vrf=b"")), ("A4",))
    yield "keys-box_of_anybody", lambda: Case(listing(entry_changed(0, box=bytes(32))), ())

    def same_key(world: World) -> None:
        entries = list(world.key_list.entries)
        entries[8] = replace(entries[8], vrf=world.holders["centre/staff"].public)
        world.key_list = replace(world.key_list, entries=tuple(entries))

    yield "keys-vrf_key_that_signs_elsewhere", lambda: Case(listing(same_key), ("A4",))

    def own_key(world: World) -> None:
        entries = list(world.key_list.entries)
        entries[8] = replace(entries[8], vrf=world.holders["other/c"].public)
        world.key_list = replace(world.key_list, entries=tuple(entries))

    yield "keys-vrf_key_that_is_its_signing_key", lambda: Case(listing(own_key), ("A4",))

    def turned(world: World) -> None:
        world.key_list = replace(world.key_list, entries=world.key_list.entries[::-1])

    yield "keys-entries_turned", lambda: Case(listing(turned), ("A4",))

    def from_elsewhere(world: World) -> None:
        world.key_list = replace(world.key_list, previous=b"\1" * 32)

    yield "keys-first_with_predecessor", lambda: Case(listing(from_elsewhere), ("A4",))

    def version(number: int) -> Callable[[World], None]:
        def change(world: World) -> None:
            world.key_list = replace(world.key_list, version=number)

        return change

    for number, lawful in ((1_000_000, True), (7, True)):
        yield f"keys-version_{number}", lambda n=number: Case(listing(version(n)), ())  # type: ignore[misc]


def successors() -> Iterator[tuple[str, Make]]:
    from tests.conformance.histories import successor

    def followed(change: Callable[[World], list[object]]) -> Files:
        world = World(quorum=2).whole()
        return replace(world.files(openings=False), keys=keys_bytes(change(world)))  # type: ignore[arg-type]

    def signed_by(world: World, *names: str, **changes: object) -> object:
        from drawing.events import Signature

        after = replace(successor(world, **changes), sigs=())
        return replace(after, sigs=tuple(Signature(name, world.holders[name].sign(after.payload)) for name in names))

    both = ("bureau/one", "bureau/two")
    makes: dict[str, tuple[Callable[[World], list[object]], bool]] = {
        "two": (lambda w: [w.key_list, successor(w)], True), "turned": (lambda w: [successor(w), w.key_list], False),
        "second_alone": (lambda w: [successor(w)], False), "twice": (lambda w: [w.key_list, w.key_list], False),
        "signed_by_one": (lambda w: [w.key_list, signed_by(w, both[0])], False), "signed_by_nobody": (lambda w: [w.key_list, signed_by(w)], False),
        "signed_by_staff_too": (lambda w: [w.key_list, signed_by(w, *both, "centre/staff")], False),
        "signatures_turned": (lambda w: [w.key_list, signed_by(w, *both[::-1])], False), "signed_twice_by_one": (
            lambda w: [w.key_list, signed_by(w, both[0], both[0])], False),
        "version_skipped": (lambda w: [w.key_list, signed_by(w, *both, version=3)], False), "of_another": (
            lambda w: [w.key_list, signed_by(w, *both, previous=bytes(32))], False),
    }  # fmt: skip
    for name, (make, lawful) in makes.items():
        yield f"successor-{name}", lambda make=make, lawful=lawful: Case(followed(make), () if lawful else ("A4",))  # type: ignore[misc]


def cases() -> Iterator[Planned]:
    for kind, family in (("note", lines), ("policy", policies), ("path", set_paths), ("key-list", keys_listed), ("key-list", successors)):
        for name, make in family():
            yield Planned(name, kind, lambda chance, make=make: make())  # type: ignore[misc]
