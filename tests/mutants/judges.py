"""What each module's faults are put before: the tests of that module, called in this process, quick ones first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from inspect import signature
from types import ModuleType

from drawing.verify import verify
from tests.drawing import test_integers, test_primitives, test_selection, test_trees
from tests.lies import LIES
from tests.scenario import World

Judges = Sequence[Callable[[], object]]


def tests_of(module: ModuleType) -> Judges:
    """Every test of a module that asks for no fixture."""
    return [each for name, each in vars(module).items() if name.startswith("test_") and not signature(each).parameters]


def seed() -> Judges:
    return tests_of(test_integers)


def merkle() -> Judges:
    return [*tests_of(test_trees), test_primitives.test_roots_of_rfc_6962, test_primitives.test_all_196_proof_vectors]


def select() -> Judges:
    return [
        test_selection.test_a_dead_end_has_no_panel_and_says_so,
        test_selection.test_weighted_samplers_give_each_lawful_seating_exactly_its_weight,
        test_selection.test_both_samplers_give_each_lawful_seating_exactly_equally,
    ]


def verifier() -> Judges:
    """All lies, each with the one check that fails by it, and honest histories that fail nowhere."""

    def judged(files, failed, code):  # type: ignore[no-untyped-def]
        report = verify(files)
        assert report.failed == failed
        assert report.exit_code == code

    cases = [(World(seed=2).whole(left=(0,)).files(), (), 0)]
    cases += [(LIES[name](), (name.partition("_")[0],), 1) for name in sorted(LIES)]
    return [partial(judged, *case) for case in cases]


JUDGES: dict[str, Callable[[], Judges]] = {"seed": seed, "merkle": merkle, "select": select, "verify": verifier}
