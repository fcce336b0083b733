"""A body whose supervisors attested with the openings and with the roll could name the drawn before the end: both verifiers say so first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace

from drawing.draw import Phase
from drawing.events import Attested, Event, Signature
from drawing.verify import verify
from server.ceremony import Ceremony
from server.folder import Keys
from server.keyfiles import make_key
from tests.conformance.histories import Setting, dried, widened
from tests.js.test_js import agree, javascript
from tests.scenario import World

__all__ = ["javascript"]  # a fixture
SAYS = "attested_by_one_body"

STATE = SimpleNamespace(secret=bytes(32), request=b"")
BOOK = SimpleNamespace(tag=b"", log=SimpleNamespace(origin=""))


def of_one_body(world: World) -> World:
    entries = tuple(replace(each, body="bureau") if each.role == "supervisor" else each for each in world.key_list.entries)
    world.key_list = replace(world.key_list, entries=entries)
    return world


def test_two_supervisors_of_one_body_are_said_and_fail_nothing(javascript):  # spec: draw-7.5
    files = of_one_body(World()).whole().files()
    report = verify(files)
    assert report.failed == ()
    assert SAYS in report.headlines
    agree(javascript, files, "one body")


def test_two_bodies_are_not_said(javascript):
    files = World().whole().files()
    assert SAYS not in verify(files).headlines
    agree(javascript, files, "two bodies")


def test_it_is_said_before_anything_is_committed(javascript):
    world = of_one_body(World())
    world.open()
    world.attest(world.commit_body())
    files = world.files(roll=False, openings=False)
    assert SAYS in verify(files).headlines
    agree(javascript, files, "attested only")


def test_who_had_the_openings_of_the_commit_and_the_roll_of_the_extension_had_both(javascript):
    """Each pair is of two people; over the whole draw both hold everything."""

    def turned(world: World) -> None:
        seen: Iterator[int] = iter(range(100))

        def retell(event: Event) -> Event:
            if not isinstance(event.body, Attested) or next(seen) < 2:
                return event
            name = "bureau/two" if event.body.scope == "openings" else "bureau/one"
            unsigned = replace(event, sigs=())
            return replace(unsigned, sigs=(Signature(name, world.holders[name].sign(unsigned.payload)),))

        world.retell = retell

    world = widened(dried(Setting(116, bribe=turned)))
    world.answer()
    files = world.files()
    assert "V1" not in verify(files).failed
    assert SAYS in verify(files).headlines
    agree(javascript, files, "turned")


def test_the_ceremony_gives_the_roll_to_another_body_where_there_is_one():
    first, same, other = (make_key("supervisor", f"x/{n}", body) for n, body in enumerate(("bureau", "bureau", "court")))

    def holder(*keys: object) -> str:
        made = Ceremony.of(None, STATE, None, None, Keys(None, None, keys), SimpleNamespace(newest=None), BOOK, *[None] * 3)  # type: ignore[arg-type]
        return made.roll_supervisor(World().project.draw).name

    assert World().project.draw.phase is Phase.NEW
    assert holder(first, same, other) == other.name
    assert holder(first, same) == same.name
