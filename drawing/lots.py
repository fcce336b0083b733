"""Who comes into which slot: the panel, its reserves, successors, and who steps in (docs/spec/draw.md 6).

Everything follows from the roll, the plan, the states of the slots and a seed. The keeper decides with these functions and whoever holds the
roll decides again: two answers would be two draws.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from drawing.canonical import TH
from drawing.draw import Slot, seat_slots
from drawing.events import Move, Placed, Plan
from drawing.fair import SAMPLER_VERSION, Need, count
from drawing.roll import Roll
from drawing.select import draw

PANEL, RESERVE = 0, 1  # the stage byte of each integer's label
NO_RESERVES = bytes(32)


@dataclass(frozen=True, slots=True)
class Lots:
    """What a seed gives: people for slots in slot order, and the digest of how the sampler went."""

    placed: tuple[Placed, ...]
    trace: bytes


def dice_key(roll: Roll, seed: bytes, version: int) -> bytes:
    """What the integers are keyed with. The seed is public, and cells say types: since version 2 whoever has no roll reads nothing from it."""
    return seed if version == 1 else TH("draw/v1/select", seed, roll.head, roll.rows)


def first_need(roll: Roll, plan: Plan, removed: Iterable[bytes] = ()) -> Need:
    """What the panel needs: all seats, every required site, nobody whose row was removed before."""
    return Need(
        counts=tuple(seat.count for seat in plan.seats),
        recent_left=plan.recent_max,
        sites=required_sites(plan),
        barred_rows=frozenset(roll.place_of[tag] for tag in removed if tag in roll.place_of),
        barred_employers=frozenset(),
    )


def required_sites(plan: Plan) -> frozenset[int]:
    return frozenset(n for n, site in enumerate(plan.sites) if site.required)


def first(roll: Roll, plan: Plan, removed: Iterable[bytes], seed: bytes, version: int = SAMPLER_VERSION) -> Lots:
    """The panel and its reserves. Raises Refused `no_lawful_panel` where nobody can lawfully sit.

    Reserves are drawn after the panel by the same sampler, apart from the panel's employers and within what the panel left of the cap
    on recent people; where not all reserves can be lawfully drawn, the last seat's number goes down by one until they can.
    """
    need = first_need(roll, plan, removed)
    key = dice_key(roll, seed, version)
    panel = draw(roll.field, need, key, PANEL, version)
    placed = list(_place(roll, seat_slots(plan), panel.seats, reserve=False))
    seated = [n for seat in panel.seats for n in seat]
    wanted = [seat.reserves for seat in plan.seats]
    rest = replace(
        need,
        recent_left=_recent_left(roll, plan, seated),
        sites=frozenset(),
        barred_rows=need.barred_rows | frozenset(seated),
        barred_employers=frozenset(roll.employers[n] for n in seated),
    )
    trace = NO_RESERVES
    while any(wanted):
        rest = replace(rest, counts=tuple(wanted))
        if count(roll.field, rest) > 0:
            reserve = draw(roll.field, rest, key, RESERVE, version)
            placed += _place(roll, seat_slots(plan), reserve.seats, reserve=True)
            trace = reserve.trace
            break
        last = max(n for n, number in enumerate(wanted) if number)
        wanted[last] -= 1
    return Lots(tuple(placed), TH("draw/v1/traces", panel.trace, trace))


def _place(roll: Roll, slots: Sequence[Slot], seats: Sequence[Sequence[int]], *, reserve: bool) -> Iterator[Placed]:
    """A seat's people in tag order into the seat's slots in order."""
    for seat, rows in enumerate(seats):
        places = [n for n, slot in enumerate(slots) if slot.seat == seat and slot.reserve == reserve]
        yield from (Placed(place, roll.tags[row]) for place, row in zip(places, sorted(rows), strict=False))


def _recent_left(roll: Roll, plan: Plan, rows: Iterable[int]) -> int:
    """How many more recent people may come in beside those who sit."""
    return max(0, plan.recent_max - sum(roll.types[roll.type_numbers[n]].recent for n in rows))


def _seated(roll: Roll, slots: Sequence[Slot]) -> list[int]:
    """The rows of all who sit on the panel now."""
    return [roll.place_of[slot.tag] for slot in slots if not slot.reserve and slot.tag in roll.place_of]


def rest_need(roll: Roll, plan: Plan, slots: Sequence[Slot], gone: Iterable[bytes]) -> Need:
    """What the open slots need beside those who sit: nobody of their employers, nobody who ever held a slot, left or was removed."""
    seated = _seated(roll, slots)
    ever = {tag for slot in slots for tag in slot.tags} | set(gone)
    open_seats = [slot.seat for slot in slots if slot.open]
    return Need(
        counts=tuple(open_seats.count(n) for n in range(len(plan.seats))),
        recent_left=_recent_left(roll, plan, seated),
        sites=required_sites(plan) - {roll.types[roll.type_numbers[n]].site for n in seated},
        barred_rows=frozenset(roll.place_of[tag] for tag in ever if tag in roll.place_of),
        barred_employers=frozenset(roll.employers[n] for n in seated),
    )


def completions(roll: Roll, plan: Plan, slots: Sequence[Slot], gone: Iterable[bytes]) -> int:
    """How many lawful ways there are to fill the open slots; 0 is a dead end."""
    return count(roll.field, rest_need(roll, plan, slots, gone))


def successors(roll: Roll, plan: Plan, slots: Sequence[Slot], gone: Iterable[bytes], seed: bytes, version: int = SAMPLER_VERSION) -> Lots:
    """The successors of all open slots together. Raises Refused `no_lawful_panel` at a dead end."""
    drawn = draw(roll.field, rest_need(roll, plan, slots, gone), dice_key(roll, seed, version), PANEL, version)
    queues = [sorted(rows) for rows in drawn.seats]
    placed = tuple(Placed(n, roll.tags[queues[slot.seat].pop(0)]) for n, slot in enumerate(slots) if slot.open)
    return Lots(placed, TH("draw/v1/traces", drawn.trace, NO_RESERVES))


def candidates(slots: Sequence[Slot], place: int) -> list[int]:
    """The reserve slots whose people could step into an open slot, in slot order."""
    return [n for n, slot in enumerate(slots) if slot.reserve and slot.tag and slot.seat == slots[place].seat]


def stepped(slots: Sequence[Slot], place: int, reserve: int) -> tuple[Slot, ...]:
    """The slots after a reserve stepped in."""
    after = list(slots)
    source = slots[reserve]
    after[place] = replace(slots[place], tags=(*slots[place].tags, source.tag), state=source.state)
    after[reserve] = replace(source, state="used")
    return tuple(after)


def may_step_in(roll: Roll, plan: Plan, slots: Sequence[Slot], gone: Iterable[bytes], place: int, reserve: int) -> bool:
    """Whether the panel keeps within its caps and can still be completed lawfully when this reserve takes this slot."""
    after = stepped(slots, place, reserve)
    return not cap_faults(roll, plan, after) and completions(roll, plan, after, gone) > 0


def step_in(roll: Roll, plan: Plan, slots: Sequence[Slot], gone: Iterable[bytes]) -> tuple[Move, ...]:
    """Who steps in: for each open slot in order the first reserve of its seat that lawfully can."""
    moves = []
    for place in [n for n, slot in enumerate(slots) if slot.open]:
        for reserve in candidates(slots, place):
            if may_step_in(roll, plan, slots, gone, place, reserve):
                moves.append(Move(reserve, place))
                slots = stepped(slots, place, reserve)
                break
    return tuple(moves)


def cap_faults(roll: Roll, plan: Plan, slots: Sequence[Slot]) -> tuple[str, ...]:
    """Which rules those who sit now break: seat, one per employer, recent people, and (with no slot open) required sites."""
    faults = []
    rows = [(slot, roll.place_of.get(slot.tag)) for slot in slots if not slot.reserve and slot.tag]
    if any(row is None for _, row in rows):
        faults.append("not_on_the_roll")
    known = [(slot, row) for slot, row in rows if row is not None]
    kinds = [roll.types[roll.type_numbers[row]] for _, row in known]
    employers = [roll.employers[row] for _, row in known]
    if any(slot.seat not in kind.seats for (slot, _), kind in zip(known, kinds, strict=True)):
        faults.append("cannot_fill_seat")
    if len(set(employers)) != len(employers):
        faults.append("employer_twice")
    if sum(kind.recent for kind in kinds) > plan.recent_max:
        faults.append("too_many_recent")
    appointed = any(slot.state == "appointed" for slot in slots)  # whoever a direct choice put there may hold the site
    if not appointed and not any(slot.open for slot in slots) and not required_sites(plan) <= {kind.site for kind in kinds}:
        faults.append("site_without_anybody")
    return tuple(faults)
