"""Who may open what of a draw now (docs/spec/draw.md 7.3). No keys and no files: the keeper seals by it, and a supervisor's client knows by it what is its part."""

from __future__ import annotations

from drawing.draw import Draw, Phase
from drawing.keys import KeyList
from drawing.signers import openings_attesters


def readers_of(draw: Draw, key_list: KeyList, what: str) -> tuple[str, ...]:
    """Names of the supervisors' keys to which the openings or the roll are sealed.

    The openings go to the one who attests with them, the roll to one of another body; after the end both to every supervisor. Supervisors of
    bodies that the operator is not of come first.
    """
    entries = key_list.by_name
    own = {entry.body for entry in entries.values() if entry.role == "operator"}
    supervisors = [name for name, entry in entries.items() if entry.role == "supervisor"]
    ordered = sorted(supervisors, key=lambda name: (entries[name].body in own, entries[name].vkey))
    if draw.phase is Phase.CLOSED:
        return tuple(ordered)
    if what == "openings":
        return tuple([name for name in ordered if name in openings_attesters(draw)] or ordered[:1])
    with_openings = openings_attesters(draw) or frozenset(ordered[:1])
    bodies = {entries[name].body for name in with_openings if name in entries}
    others = [name for name in ordered if name not in with_openings]
    return tuple(([name for name in others if entries[name].body not in bodies] or others)[:1])
