"""Supervisors with machines of their own: what they check and sign over HTTP, and what they refuse."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest

from drawing.draw import Phase
from drawing.errors import Refused
from drawing.events import Attested, Event, Signature, parse_event
from drawing.keys import keys_bytes
from drawing.openings import parse_openings, write_openings
from drawing.sealed import unseal
from server.keyfiles import make_key
from server.supervise import checking
from server.supervise.checking import Shown
from tests.server.draws.served import Served


@pytest.fixture
async def hall(tmp_path, store, database):
    async with Served(tmp_path, store, database.keeper) as made:
        yield made


async def shown_of(hall):
    from aiohttp import ClientSession

    async with ClientSession() as session:
        from server.supervise.service import Service

        service = Service(hall.address, hall.token, "en")
        return await service.shown(session, hall.draw), await service.sealed(session, hall.draw, "openings")


def events(said):
    return [(each["event"], each.get("what", "")) for each in said]


async def test_two_machines_attest_sign_and_check_a_draw(hall):
    await hall.begin()
    (first, _), (second, _) = await hall.attested()
    assert events(first) == [("attest", "openings")]
    assert events(second) == [("attest", "roll"), ("to_sign", "committed")]
    assert (await hall.advance()).draft == "committed"
    said, _ = await hall.supervise(hall.machines[0])
    assert events(said) == [("to_sign", "committed")]
    said, _ = await hall.supervise(hall.machines[0], "--sign", "committed", "--yes")
    assert events(said) == [("draft", ""), ("sign_waits", "committed")]
    assert said[0]["threshold"] == "2"
    # People have approved: whoever signed hands the same signature in again, and the staff's key signs.
    await hall.sign_draft("committed", "commit", hall.supervisors[0], approvers=("boss", "sup1"))
    assert (await hall.project()).draw.phase is Phase.COMMITTED
    assert (await hall.contribute()).waiting == "answers"
    for slot in range(6):
        await hall.answer(slot)
    assert (await hall.advance()).waiting == "check"
    said, _ = await hall.supervise(hall.machines[0])
    assert events(said) == [("nothing", "")]  # the other one attested with the roll
    said, _ = await hall.supervise(hall.machines[1])
    assert events(said)[0] == ("check", "roll")
    draw = (await hall.project()).draw
    assert draw.checked
    hall.house.move_clock(max(0, draw.commit.unsealing.not_before - hall.now()))
    assert (await hall.advance()).draft == "unsealed"
    for machine in hall.machines:
        said, _ = await hall.supervise(machine, "--sign", "unsealed", "--yes")
        assert events(said)[1][0] == "sign", said
    assert (await hall.project()).draw.unsealed
    assert len(list((hall.data / "out").glob(f"{hall.draw}-roll-*.sealed"))) == 1  # the stale one is gone


async def test_a_client_that_watches_says_when_the_service_is_away_and_attests_as_soon_as_it_can(hall):
    right, hall.address = hall.address, "http://localhost:9"
    said, _ = await hall.supervise(hall.machines[0], code=1)
    assert events(said) == [("away", "")]
    hall.address = "http://draw.example.cn"
    _, err = await hall.supervise(hall.machines[0], code=1)
    assert "[plain_address]" in err
    hall.address = right
    watching = await hall.client(hall.machines[0], "--watch", "--seconds", "2", lang="zh")
    try:
        await hall.begin()
        await hall.advance()
        line = await asyncio.wait_for(watching.stdout.readline(), 90)
        assert line.decode().strip() == f"DEMO-2026-{hall.numbers:04d} 第 1 次：以开启材料核对无误，已签署见证"
        assert [each.type for each in await hall.events()] == ["opened", "attested"]
    finally:
        watching.terminate()
        await watching.communicate()


async def test_a_clock_that_is_ahead_is_told_and_nothing_is_filed(hall):
    await hall.begin()
    await hall.advance()
    before = len(await hall.events())
    hall.ahead = 600
    said, _ = await hall.supervise(hall.machines[0], code=1)
    assert (said[-1]["event"], said[-1]["code"]) == ("refused", "time_ahead")
    assert "clock" in said[-1]["why"]
    hall.ahead = -600
    said, _ = await hall.supervise(hall.machines[0], code=1)
    assert said[-1]["code"] == "log_time_ahead"
    assert len(await hall.events()) == before


async def test_a_key_or_token_that_is_not_right_signs_nothing(hall):
    await hall.begin()
    await hall.advance()
    stranger = hall.machine("stranger", make_key("supervisor", "stranger/s", "nobody"))
    _, err = await hall.supervise(stranger, code=1)
    assert "[key_not_in_list]" in err
    other = hall.machine("other", make_key("supervisor", "bureau/one", "bureau"))  # the right name, another key
    _, err = await hall.supervise(other, code=1)
    assert "[key_not_in_list]" in err
    weak = hall.machine("weak", hall.supervisors[0], token=await hall.service_token("draw.list", "draw.read"))
    said, _ = await hall.supervise(weak, code=1)
    assert said[-1]["code"] == "forbidden"
    nobody = hall.machine("nobody", hall.supervisors[0], token="lotroom_" + "A" * 43)
    _, err = await hall.supervise(nobody, code=1)
    assert "[service_refused]" in err
    assert "(sign_in)" in err
    (nobody / "token").chmod(0o644)
    _, err = await hall.supervise(nobody, code=1)
    assert "[key_readable_by_others]" in err
    assert len(await hall.events()) == 1


async def test_a_list_that_knows_another_operator_believes_no_event(hall):
    await hall.begin()
    await hall.advance()
    entries = tuple(make_key("staff", key_name(each), each.body).entry() if each.role == "staff" else each for each in hall.keys.entries)
    other = hall.machine("deceived", hall.supervisors[0], keys=keys_bytes([replace(hall.keys, entries=entries)]))
    said, _ = await hall.supervise(other, code=1)
    assert said[-1]["event"] == "refused"
    assert said[-1]["code"] in ("bad_signature", "signature_missing")


def key_name(entry):
    return entry.vkey.partition("+")[0]


async def test_what_is_forged_is_not_attested(hall):
    await hall.begin()
    await hall.advance()
    shown, sealed = await shown_of(hall)
    from drawing.keys import parse_keys

    chain, key = parse_keys(hall.keys_file), hall.supervisors[0]
    found = checking.believe(shown, chain, hall.now())
    (task,) = checking.tasks(found, shown.waiting, key.name)
    assert (task.kind, task.what) == ("attest", "openings")
    opened = unseal(sealed, key.box_secret)
    good = checking.attestation(found, "openings", opened)
    assert isinstance(good, Attested)
    with pytest.raises(Refused, match="not_a_reader"):
        unseal(sealed, hall.supervisors[1].box_secret)
    with pytest.raises(Refused, match="sealed_file_altered"):
        unseal(sealed[:-1] + bytes([sealed[-1] ^ 1]), key.box_secret)
    openings = parse_openings(opened)
    forged = {
        "another draw": replace(openings, project=bytes(32)),
        "another attempt": replace(openings, attempt=2),
        "somebody left out": replace(openings, entries=[*openings.entries[1:], openings.entries[0]]),
        "other declarations": replace(openings, declarations=openings.declarations.replace("演示".encode(), "演习".encode())),
    }
    for why, each in forged.items():
        with pytest.raises(Refused, match="attestation_refused"):
            checking.attestation(found, "openings", b"".join(write_openings(each)))
            raise AssertionError(why)
    body = json.loads(shown.asked)
    body["body"]["terms"]["total"] = "1"
    other = checking.believe(replace(shown, asked=json.dumps(body, sort_keys=True, separators=(",", ":")).encode()), chain, hall.now())
    assert checking.attestation(other, "openings", opened).draft != good.draft  # the total is for the roll's supervisor


async def test_events_of_another_draw_and_drafts_that_were_not_attested_are_refused(hall):
    from drawing.keys import parse_keys

    chain, key = parse_keys(hall.keys_file), hall.supervisors[0]
    await hall.begin()
    await hall.attested()
    await hall.advance()
    shown, _ = await shown_of(hall)
    await hall.begin()
    await hall.advance()
    another, _ = await shown_of(hall)
    with pytest.raises(Refused, match="other_project"):
        checking.believe(replace(shown, leaves=another.leaves), chain, hall.now())
    with pytest.raises(Refused):
        checking.believe(replace(shown, leaves=shown.leaves[1:]), chain, hall.now())
    found = checking.believe(shown, chain, hall.now())
    (task,) = checking.tasks(found, shown.waiting, key.name)
    assert (task.kind, task.what) == ("sign", "committed")
    assert checking.draft_signature(found, task.event, key, hall.now())
    changed = replace(task.event, body=replace(task.event.body, reply_window=60))
    elsewhere = replace(task.event, head=replace(task.event.head, prev=bytes(32)))
    for bad, code in ((changed, "other_draft_attested"), (elsewhere, "draft_does_not_follow")):
        with pytest.raises(Refused, match=code):
            checking.draft_signature(found, bad, key, hall.now())
    foreign = parse_event(shown.leaves[1])
    swapped = Event(foreign.head, foreign.body, (Signature(hall.supervisors[1].name, foreign.sigs[0].sig),))
    with pytest.raises(Refused, match="bad_signature"):
        checking.believe(replace(shown, leaves=(shown.leaves[0], swapped.leaf)), chain, hall.now())
    assert isinstance(shown, Shown)
