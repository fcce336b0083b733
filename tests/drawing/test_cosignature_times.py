"""A cosignature's time is from 1 to 2^63 - 1 (tlog-cosignature; log.md 2), whatever the witness signed."""

from __future__ import annotations

import pytest

from drawing import merkle
from drawing.errors import Refused
from drawing.note import Checkpoint, cosign, sign_note
from tests.scenario import World

TIMES = [(0, False), (1, True), ((1 << 63) - 1, True), (1 << 63, False), ((1 << 64) - 1, False)]


@pytest.mark.parametrize(("time", "lawful"), TIMES)
def test_a_time_that_is_none_is_refused_although_it_is_signed(time, lawful):  # spec: log-6
    world = World()
    note = sign_note(Checkpoint(world.log_name, 1, merkle.root([bytes(32)])).text(), world.log_key.vkey, world.log_key.sign)
    for key in world.witness_keys:
        note = cosign(note, key.vkey, time, key.sign)
    policy = world.key_list.log_policy
    if lawful:
        assert set(policy.check(note, "").cosigned.values()) == {time}
        return
    with pytest.raises(Refused) as refused:
        policy.check(note, "")
    assert refused.value.code == "bad_cosignature"


@pytest.mark.parametrize(("time", "lawful"), TIMES)
def test_the_last_checkpoint_of_a_proof_fails_a2_with_it(time, lawful):
    world = World().whole()
    size = max(world.notes)
    world.notes[size] = sign_note(world.notes[size].decode().partition("\n\n")[0] + "\n", world.log_key.vkey, world.log_key.sign)
    for key in world.witness_keys:
        world.notes[size] = cosign(world.notes[size], key.vkey, time, key.sign)
    assert ("A2" in world.verify(roll=False, openings=False).failed) != lawful
