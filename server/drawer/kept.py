"""A draw as the keeper conducts it: what is private lies in sealed files, what people do comes from them.

Nothing here attests, contributes or answers: that is the part of people and their own clients, and what they did is in the events. So `next_event`
gives what the operator may write now, or says whom it waits for.

    request       the request's own text
    records       (expert id 16 bytes || u32be length || record)*: the library as it was when the draw was opened
    people        (tag 16 bytes || expert id 16 bytes)*, sorted: who is who
    terms-N       what the commit (0) or the N-th extension commits to
    roll-N        its roll
    table-N.json  its fitted table; lots-*.json the beacon's round that was chosen
    bidders-N     the N-th sealed bidder list that came, canonical JSON
    barred-N      the tags of everybody whom it bars, sorted
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from drawing.canonical import dumps, loads
from drawing.conflict import Case
from drawing.draw import Draw
from drawing.errors import Refused
from drawing.events import Body, Committed, Contributed, Event, Extended, Plan, RoundContributed, Screened, Terms
from drawing.fair import count
from drawing.lots import first_need
from drawing.model import shape_of
from drawing.openings import Bidders, write_openings
from drawing.pool import label_of, tag_of
from drawing.roll import Removed, Roll, parse_roll_file, roll_file
from drawing.sealed import seal
from drawing.verify_private import removed_tags
from server.conduct import NEVER, SIGNED_LOTS_SECONDS, Conduct, Reply
from server.contribute import RoundAsked
from server.drawer.blobs import Blobs
from server.keyfiles import KeyFile
from server.material import make_entries
from server.waiting import Waiting

ID, TAG = 16, 16


class Records(Collection[bytes]):
    """The library's records, read when first looked at."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        self._all: list[tuple[bytes, bytes]] | None = None

    @property
    def all(self) -> list[tuple[bytes, bytes]]:
        """(expert id, record) of everybody."""
        if self._all is None:
            data = self._blobs.read("records")
            if data is None:
                raise Refused("draw_not_begun", "records")
            self._all = list(_records(data))
        return self._all

    def __len__(self) -> int:
        return len(self.all)

    def __iter__(self) -> Iterator[bytes]:
        return (record for _, record in self.all)

    def __contains__(self, record: object) -> bool:
        return any(each == record for each in self)


def _records(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at < len(data):
        end = at + ID + 4 + int.from_bytes(data[at + ID : at + ID + 4], "big")
        yield data[at : at + ID], data[at + ID + 4 : end]
        at = end


def pack_record(expert: bytes, record: bytes) -> bytes:
    """One entry of the file `records`."""
    return expert + len(record).to_bytes(4, "big") + record


@dataclass
class KeptConduct(Conduct):
    """See the head of this file. `replies`: what came in the window that has ended, by (slot, occupant); None while it is open. `leaves`: of those who
    had accepted and cannot come after all.
    """

    blobs: Blobs = field(kw_only=True)
    replies: Mapping[tuple[int, int], Reply] | None = None
    leaves: Mapping[tuple[int, int], Reply] = field(default_factory=dict[tuple[int, int], Reply])

    # Those who act elsewhere --------------------------------------------------------------------------------------------------------------

    def attest(self, draw: Draw, body: Committed | Extended) -> tuple[Body, Sequence[KeyFile]]:
        raise Waiting("attestation", body=body)

    def contribution(self, draw: Draw, name: str, asked: RoundAsked | None) -> Contributed | RoundContributed:
        raise Waiting("contribution", key=name)

    def reply(self, slot: int, occupant: int) -> Reply:
        if self.replies is None:
            raise Waiting("answers")
        return self.replies.get((slot, occupant), Reply("left", "no_answer", "gateway"))

    def leave(self, slot: int, occupant: int) -> Reply | None:
        return self.leaves.get((slot, occupant))

    def recheck(self, draw: Draw) -> None:
        raise Waiting("check")

    # What is kept -------------------------------------------------------------------------------------------------------------------------

    def prepare(self) -> Terms:
        """Screen everybody, make the roll, fit the chances: once, and kept. Raises Refused where nobody can lawfully be drawn."""
        terms = self.first_terms()
        if self.blobs.read("people") is None:
            secret = self.secret.of("draw-secret")
            tags = [
                tag_of(secret, label_of(entry.key, self.snapshot_id))
                for entry in make_entries(self.records, self.secret)[: len(self.records)]
            ]
            pairs = sorted(tag + expert for tag, (expert, _) in zip(tags, self._records.all, strict=True))
            self.blobs.write("people", b"".join(pairs))
        return terms

    @property
    def _records(self) -> Records:
        assert isinstance(self.records, Records)
        return self.records

    def first_terms(self) -> Terms:
        kept = self.blobs.read("terms-0")
        if kept is None:
            terms = super().first_terms()
            self._keep_roll(0, self.material.roll)
            self.blobs.write("terms-0", dumps(shape_of(Terms).write(terms)))
            return terms
        return shape_of(Terms).read(loads(kept, place="terms-0"), "terms")

    def _keep_roll(self, number: int, roll: Roll) -> None:
        self.blobs.write(f"roll-{number}", roll_file([roll]))

    def kept_roll(self, number: int) -> Roll:
        """The roll of the commit or of an extension."""
        data = self.blobs.read(f"roll-{number}")
        if data is None:
            raise Refused("draw_not_begun", f"roll-{number}")
        (found,) = parse_roll_file(data)
        assert isinstance(found, Roll)
        return found

    def roll_of(self, draw: Draw) -> tuple[Roll, Plan]:
        terms = draw.terms
        assert terms is not None
        return self.kept_roll(len(draw.commits) - 1), terms.plan

    def extension(self, draw: Draw) -> Extended:
        made = super().extension(draw)
        self._keep_roll(len(draw.commits), self._wider[len(draw.commits)].roll)
        return made

    # Bidder lists ---------------------------------------------------------------------------------------------------------------------------

    def take_bidders(self, number: int, content: bytes, *, late: bool) -> tuple[Bidders, bool]:
        """Keep a list (canonical JSON) as the N-th of the draw, and whether it is new. Raises Refused: other_bidder_list, bidder_list_missing, and
        bidders_too_late for a new one where the caller says so.
        """
        there = self._bidders(number)
        if there is not None:
            if there.content != content:
                raise Refused("other_bidder_list_there", "number", number=number)
            return there, False
        if late:
            raise Refused("bidders_too_late", "draw")
        if number > 1 and self._bidders(number - 1) is None:
            raise Refused("bidder_list_missing", "number", number=number - 1)
        self.blobs.write(f"bidders-{number}", content)
        return Bidders(self._list_salt("bidders", number), content), True

    def lists(self) -> int:
        """How many have come."""
        number = 0
        while self._bidders(number + 1) is not None:
            number += 1
        return number

    def screening(self, draw: Draw) -> Screened | None:
        number = len(draw.screened) + 1
        found = self._bidders(number)
        if found is None:
            return None
        removed = self._removed(draw, number)
        hit = tuple(n for n, slot in enumerate(draw.slots) if slot.tag in removed.tags)
        opened = any(not draw.slots[n].reserve for n in hit)
        if not draw.slots:
            roll, plan = self.roll_of(draw)
            if not count(roll.field, first_need(roll, plan, self.removed(draw) | set(removed.tags))):
                raise Refused("no_lawful_panel", "draw")  # before a contribution, so that the attempt can still be given up
        lots = self._lots(draw, SIGNED_LOTS_SECONDS) if opened else None
        return Screened(bidders=found.digest, lots=lots, rows=removed.digest, slots=hit)

    def removed(self, draw: Draw, before: int = NEVER) -> frozenset[bytes]:
        numbers = [n for n, event in enumerate(draw.screened, 1) if event.head.seq < before]
        return frozenset(tag for n in numbers for tag in self._removed(draw, n, draw.screened[n - 1]).tags)

    def _bidders(self, number: int) -> Bidders | None:
        content = self.blobs.read(f"bidders-{number}")
        return None if content is None else Bidders(self._list_salt("bidders", number), content)

    def _list_salt(self, what: str, number: int) -> bytes:
        return self.secret.of(f"{what}-salt", number.to_bytes(2, "big"))

    def _removed(self, draw: Draw, number: int, event: Event | None = None) -> Removed:
        """Whom the N-th list removes from the roll in force, or from the one that was in force at its event."""
        barred = self._barred(draw, number)
        terms = len(draw.commits) if event is None else sum(each.head.seq < event.head.seq for each in draw.commits)
        on_the_roll = set(self.kept_roll(terms - 1).tags)
        return Removed(self._list_salt("removed", number), tuple(tag for tag in barred if tag in on_the_roll))

    def _barred(self, draw: Draw, number: int) -> list[bytes]:
        """Tags of everybody in the snapshot whom the N-th list bars: found once, and kept."""
        kept = self.blobs.read(f"barred-{number}")
        if kept is None:
            found = self._bidders(number)
            assert found is not None
            opened = self.material.openings(self.tag, draw.attempt, with_draw_secret=True)
            case = Case.parse(opened.rule_set, opened.declarations)
            kept = b"".join(sorted(removed_tags(opened, draw, case, found.content, 0)))
            self.blobs.write(f"barred-{number}", kept)
        return [kept[at : at + TAG] for at in range(0, len(kept), TAG)]

    def _all_bidders(self, draw: Draw) -> tuple[Bidders, ...]:
        """The lists that were compared, in the order of their events."""
        found = [self._bidders(n) for n in range(1, len(draw.screened) + 1)]
        return tuple(each for each in found if each is not None)

    # What leaves, sealed to whoever may have it ---------------------------------------------------------------------------------------------

    def openings_for(self, draw: Draw, readers: Mapping[str, bytes], *, closed: bool) -> bytes:
        """The openings, sealed to these (name -> box key); with the draw's own secret only after the end (draw.md 7.3)."""
        opened = self.material.openings(self.tag, draw.attempt, with_draw_secret=closed, private=tuple(self.private_answers(draw)))
        opened = replace(opened, bidders=self._all_bidders(draw))
        state = (len(draw.answered).to_bytes(4, "big"), len(draw.screened).to_bytes(4, "big"))
        key = self.secret.of("openings-key", draw.phase.value.encode(), *state, *sorted(readers.values()))
        return b"".join(seal(write_openings(opened), readers, key))

    def sections(self, draw: Draw) -> list[Roll | Removed]:
        """The parts of the roll file in the order of their events (draw.md 7.2)."""
        parts: list[tuple[int, Roll | Removed]] = [(event.head.seq, self.kept_roll(n)) for n, event in enumerate(draw.commits)]
        parts += [(event.head.seq, self._removed(draw, n, event)) for n, event in enumerate(draw.screened, 1)]
        return [part for _, part in sorted(parts, key=lambda each: each[0])]

    def roll_for(self, draw: Draw, readers: Mapping[str, bytes]) -> bytes:
        """The roll file so far, sealed to these; with the roll of an extension that is only being attested."""
        rolls = self.sections(draw) if draw.commits else [self.kept_roll(0)]
        if draw.commits and self.blobs.read(f"roll-{len(draw.commits)}") is not None:
            rolls.append(self.kept_roll(len(draw.commits)))
        key = self.secret.of("roll-key", len(rolls).to_bytes(2, "big"), *sorted(readers.values()))
        return b"".join(seal([roll_file(rolls)], readers, key))

    # Who is who -----------------------------------------------------------------------------------------------------------------------------

    def experts(self, tags: Sequence[bytes]) -> list[bytes]:
        """The expert id behind each tag. Raises Refused for a tag of nobody."""
        data = self.blobs.read("people") or b""
        size = TAG + ID
        index = [data[at : at + TAG] for at in range(0, len(data), size)]
        found = []
        for tag in tags:
            at = bisect_left(index, tag)
            if at == len(index) or index[at] != tag:
                raise Refused("unknown_tag", "draw")
            found.append(data[at * size + TAG : (at + 1) * size])
        return found

    def everybody(self) -> dict[bytes, bytes]:
        """Tag -> expert id."""
        data, size = self.blobs.read("people") or b"", TAG + ID
        return {data[at : at + TAG]: data[at + TAG : at + size] for at in range(0, len(data), size)}

    def person(self, expert: bytes) -> tuple[bytes, bytes | None]:
        """Tag and record of somebody, as they were when the draw was opened; no record where the library had none."""
        data, size = self.blobs.read("people") or b"", TAG + ID
        tags = (data[at : at + TAG] for at in range(0, len(data), size) if data[at + TAG : at + size] == expert)
        return next(tags, b""), dict(self._records.all).get(expert)

    def records_of(self, tags: Sequence[bytes]) -> list[bytes]:
        """The record behind each tag, as it was when the draw was opened."""
        by_id = dict(self._records.all)
        return [by_id[expert] for expert in self.experts(tags)]
