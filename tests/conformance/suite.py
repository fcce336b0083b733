"""All cases of the suite, in one order."""

from __future__ import annotations

from tests.conformance import bounds, curves, edits, histories, notes, pairs, semantic
from tests.conformance.cases import Planned


def planned() -> list[Planned]:
    """Every case that there is; making one costs some hundredths of a second."""
    found = [
        *histories.valid(),
        *semantic.cases(),
        *semantic.by_chance(),
        *edits.cases(),
        *pairs.cases(),
        *curves.cases(),
        *notes.cases(),
        *bounds.cases(),
    ]
    assert len({each.id for each in found}) == len(found)
    return found
