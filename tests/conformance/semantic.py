"""Lies rightly signed and logged: those of tests/lies.py, at the level of the roll and with the openings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from drawing.verify import Files
from tests.conformance.cases import Case, Planned
from tests.lies import LIES

# What only the equation of the beacon's value shows.
CURVE = {"a_beacon_value_of_another_round", "a_beacon_value_of_another_round_in_a_replacement"}


def cases() -> Iterator[Planned]:
    for name, make in LIES.items():
        check = name.partition("_")[0]
        needs = ("curve",) if make.__name__ in CURVE else ()

        def told(make=make, check=check, needs=needs, *, openings: bool) -> Case:  # type: ignore[no-untyped-def]
            files: Files = make()
            return Case(files if openings else replace(files, openings=None), (check,), needs)

        if not check.startswith("S"):
            yield Planned(f"lie/{check}-{make.__name__}", "lie", lambda chance, told=told: told(openings=False))  # type: ignore[misc]
        yield Planned(f"lie/{check}-{make.__name__}+openings", "lie-openings", lambda chance, told=told: told(openings=True))  # type: ignore[misc]
