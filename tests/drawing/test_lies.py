"""One lie, one failure: for each check at least one history or file that fails exactly there, everything else rightly signed and logged."""

from __future__ import annotations

import pytest

from drawing.draw import step
from drawing.report import CHECKS
from drawing.verify import verify
from tests.lies import LIES, receipt
from tests.scenario import World


def test_every_check_has_a_lie_that_fails_there():  # spec: draw-8.1
    assert {name.partition("_")[0] for name in LIES} == {check for check, _ in CHECKS}


@pytest.mark.parametrize("name", sorted(LIES))
def test_a_lie_fails_exactly_where_it_lies(name):  # spec: fair-4
    report = verify(LIES[name]())
    faults = {outcome.check: [fault.code for fault in outcome.faults] for outcome in report.outcomes if outcome.faults}
    assert report.failed == (name.partition("_")[0],), faults
    assert report.exit_code == 1


def test_the_honest_draw_and_its_receipt_fail_nowhere():
    assert verify(receipt(lambda r: r)).exit_code == 0


def test_the_service_refuses_what_the_verifier_would_find():
    world = World()
    world.open()
    before = world.project
    event = World(tamper=lambda body: body).whole().events[5]
    assert step(before, event)[1]
