"""What each module's faults are put before: the tests of that module, called in this process, quick ones first."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from inspect import signature
from types import ModuleType

from drawing.fair import count
from drawing.report import LEVEL_OF
from drawing.verify import Files, verify
from tests.conformance.histories import public
from tests.conformance.pairs import PAIRS
from tests.drawing import test_draws, test_integers, test_primitives, test_report, test_selection, test_trees
from tests.lies import LIES

Judges = Iterable[Callable[[], object]]


def tests_of(module: ModuleType) -> Judges:
    """Every test of a module that asks for no fixture."""
    return [each for name, each in vars(module).items() if name.startswith("test_") and not signature(each).parameters]


def seed() -> Judges:
    return tests_of(test_integers)


def merkle() -> Judges:
    return [*tests_of(test_trees), test_primitives.test_roots_of_rfc_6962, test_primitives.test_all_196_proof_vectors]


def select() -> Judges:
    """Known draws and exact probabilities, each instance by itself; those with too many outcomes are left to the test."""
    yield from tests_of(test_draws)
    instances = [(test_selection.gives_each_seating_equally, each) for each in test_selection.unweighted(60)]
    instances += [(test_selection.gives_each_seating_its_weight, each) for each in test_selection.weighted(40)]
    for judge, (field, need) in instances:
        if len(field.employers) ** sum(need.counts) * count(field, need) < 200:
            yield partial(judge, field, need)


def verifier() -> Judges:
    """What reports say, all lies and all pairs, each with the one check that fails by it."""

    def judged(files: Files, failed: tuple[str, ...]) -> None:
        assert verify(files).failed == failed

    def light(files: Files, check: str) -> Files:
        return public(files) if LEVEL_OF[check] == "public" and check != "I5" else files

    for each in test_report.CASES.values():
        yield partial(test_report.judge, each, each.make())
    yield from tests_of(test_report)
    for name in LIES:
        yield partial(judged, light(LIES[name](), name[:2]), (name[:2],))
    for name in PAIRS:
        for wrong in (0, 1) if LEVEL_OF[name[:2]] == "public" else ():
            yield partial(judged, light(PAIRS[name](wrong), name[:2]), (name[:2],) * wrong)


JUDGES: dict[str, Callable[[], Judges]] = {"seed": seed, "merkle": merkle, "select": select, "verify": verifier}
