"""What a supervisor's key has to do in a draw, and the checks before it signs. No network and no files: the caller brings bytes and takes bytes.

The service is not believed. Every event that it shows is replayed and its signatures are checked by the key list that the supervisor was given
elsewhere; the body to be attested must name that list; openings and roll must be of this project and attempt and give the very terms; a draft must
follow and, where it commits, be the one that was attested. What is signed is put together here out of what was checked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from drawing.canonical import loads
from drawing.draw import Draw, Phase, Project, step
from drawing.errors import Refused
from drawing.events import (
    BODIES,
    Attested,
    Body,
    Checked,
    Committed,
    Event,
    Extended,
    Head,
    Opened,
    Signature,
    draft_digest,
    parse_event,
    project_tag,
)
from drawing.keys import KeyChain, KeyList
from drawing.lots import first_need, rest_need
from drawing.model import shape_of
from drawing.openings import parse_openings
from drawing.report import Tally
from drawing.roll import Removed, Roll, parse_roll_file
from drawing.signers import roll_attester, signers_of
from drawing.verify import signature_faults
from drawing.verify_roll import check_roll
from server.keyfiles import KeyFile
from server.material import attest_openings, attest_roll
from server.readers import readers_of

MOST_AHEAD = 60  # seconds that the log's time may be before ours


@dataclass(frozen=True, slots=True)
class Shown:
    """A draw as the service shows it, nothing of it believed yet. `asked`: JSON of the body to be attested."""

    draw: str
    number: str
    leaves: tuple[bytes, ...]
    waiting: str
    asked: bytes
    drafts: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Task:
    """One thing for this key: `attest` with the openings or the roll (`what`), `check` with the roll, `sign` a draft of this type."""

    kind: str
    what: str
    event: Event | None = None  # the draft


@dataclass(frozen=True, slots=True)
class Believed:
    """What is left of it after the replay. `asked`: the body to be attested."""

    number: str
    project: Project
    key_list: KeyList
    asked: Committed | Extended | None
    drafts: tuple[Event, ...]

    @property
    def draw(self) -> Draw:
        return self.project.draw


def own_key(key: KeyFile, chain: KeyChain) -> None:
    """Raises Refused where the key is no supervisor's in the list that was given elsewhere, or its secret is not here."""
    if key.role != "supervisor" or not key.here or not key.box_secret:
        raise Refused("not_a_supervisors_key", key.name)
    entry = chain.newest.by_name.get(key.name)
    if entry is None or chain.newest.publics.get(key.name) != key.public or entry.box != key.box_public or entry.role != "supervisor":
        raise Refused("key_not_in_list", "keys", key=key.name)


def believe(shown: Shown, chain: KeyChain, now: int) -> Believed:
    """Raises Refused: a broken chain, a signature of somebody else, another project, a list that we do not have, a time that lies ahead of ours."""
    project = Project()
    for number, leaf in enumerate(shown.leaves):
        event = parse_event(leaf, f"event {number}")
        key_list = _ruling(project, event, chain)
        project = _followed(project, event, key_list)
    if shown.leaves and project.tag != project_tag(shown.number):
        raise Refused("other_project", "event")
    if project.draw.last_at > now + MOST_AHEAD:
        raise Refused("log_time_ahead", "event", at=project.draw.last_at)
    asked = _asked(shown.asked, chain) if shown.asked else None
    drafts = tuple(parse_event(each, "draft") for each in shown.drafts)
    commit = project.draw.commit
    ruling = chain.newest if commit is None else _named(commit, chain)
    return Believed(shown.number, project, ruling, asked, drafts)


def _followed(project: Project, event: Event, key_list: KeyList) -> Project:
    after, faults = step(project, event)
    for fault in faults:
        raise Refused(fault.code, f"event {event.head.seq}", check=fault.check, **dict(fault.params))

    def tell(check: str, code: str, **params: object) -> None:
        raise Refused(code, f"event {event.head.seq}", check=check, **params)

    before = project.draw if project.draw.attempt == after.draw.attempt else after.attempts[-1]
    signature_faults(Draw() if isinstance(event.body, Opened) else before, event, key_list, tell)
    return after


def _ruling(project: Project, event: Event, chain: KeyChain) -> KeyList:
    """The version that the attempt's commit names, else the newest (keylist.md 6)."""
    commit = project.draw.commit if project.draw.attempt == event.head.attempt else None
    return chain.newest if commit is None else _named(commit, chain)


def _named(commit: Committed, chain: KeyChain) -> KeyList:
    found = chain.find(commit.keys.version, commit.keys.digest)
    if found is None:
        raise Refused("other_key_list", "keys", version=commit.keys.version)
    return found


def _asked(text: bytes, chain: KeyChain) -> Committed | Extended:
    value = loads(text, place="asked")
    if not isinstance(value, dict) or value.get("type") not in ("committed", "extended"):
        raise Refused("attestation_refused", "asked", why="other_draft")
    body = shape_of(BODIES[value["type"]]).read(value.get("body"), "asked")
    assert isinstance(body, Committed | Extended)
    if isinstance(body, Committed):
        _named(body, chain)
    return body


# What there is to do ------------------------------------------------------------------------------------------------------------------------


def tasks(found: Believed, waiting: str, name: str) -> tuple[Task, ...]:
    """What this key has to do now."""
    draw, made = found.draw, []
    if waiting == "attestation" and found.asked is not None:
        draft = draft_digest(found.asked)
        bodies = [each.body for each in draw.attested]
        done = {each.scope for each in bodies if isinstance(each, Attested) and each.draft == draft}
        made += [
            Task("attest", what) for what in ("openings", "roll") if what not in done and name in readers_of(draw, found.key_list, what)
        ]
    if waiting == "check" and name in roll_attester(draw):
        made.append(Task("check", "roll"))
    for event in found.drafts:
        if _wanted(found, event, name):
            made.append(Task("sign", event.type, event))
    return tuple(made)


def _wanted(found: Believed, event: Event, name: str) -> bool:
    """Whether a supervisor's signature is still missing, and this key has not given its own."""
    entries = found.key_list.by_name
    roles = [entries[each.key].role for each in event.sigs if each.key in entries]
    missing = [need for need in signers_of(found.draw, event.body) if need.least > sum(role in need.roles for role in roles)]
    return any("supervisor" in need.roles for need in missing) and all(each.key != name for each in event.sigs)


def attestation(found: Believed, what: str, opened: bytes) -> Attested:
    """What is attested after everything came out the same. `opened`: the openings or the roll in clear. Raises Refused("attestation_refused")."""
    body, draw = found.asked, found.draw
    if body is None:
        raise Refused("nothing_to_sign", "draw")
    commit = body if isinstance(body, Committed) else draw.commit
    assert commit is not None
    if what == "openings":
        openings = parse_openings(opened)
        if (openings.project, openings.attempt) != (found.project.tag, draw.attempt):
            raise Refused("attestation_refused", "S0", why="other_draw")
        return Attested(draft_digest(body), attest_openings(openings, body.terms, commit.evaluation_at), what)
    sections = parse_roll_file(opened)
    roll = _last_roll(sections)
    removed = {tag for each in sections if isinstance(each, Removed) for tag in each.tags}
    need = first_need(roll, body.terms.plan) if not draw.commits else rest_need(roll, body.terms.plan, draw.slots, draw.gone | removed)
    return Attested(draft_digest(body), attest_roll(roll, body.terms, need), what)


def _last_roll(sections: Sequence[object]) -> Roll:
    if not sections or not isinstance(sections[-1], Roll):
        raise Refused("attestation_refused", "D1", why="other_roll")
    return sections[-1]


def selection(found: Believed, opened: bytes) -> Checked:
    """The check of the selection: everything is drawn again with the roll. Raises Refused where it does not come out the same."""
    if found.draw.commit is None or not found.draw.slots:
        raise Refused("nothing_to_sign", "draw")
    tally = Tally()
    check_roll(opened, found.draw, tally)
    for check, faults in tally.faults.items():
        raise Refused("selection_differs", check, why=faults[0].code)
    return Checked()


def event_of(found: Believed, body: Body, key: KeyFile, now: int) -> Event:
    """The event with this body that follows what was replayed, signed."""
    draw = found.draw
    head = Head(max(now, draw.last_at), draw.attempt, draw.dry_run, found.project.head, found.project.tag, found.project.events)
    bare = Event(head, body, ())
    return Event(head, body, (Signature(key.name, key.sign(bare.payload)),))


def draft_signature(found: Believed, event: Event, key: KeyFile, now: int) -> bytes:
    """The signature of a draft that follows, and commits to nothing but what was attested. Raises Refused."""
    project, draw = found.project, found.draw
    if (event.head.project, event.head.prev, event.head.seq) != (project.tag, project.head, project.events):
        raise Refused("draft_does_not_follow", "draft", type=event.type)
    if event.head.at > now + MOST_AHEAD:
        raise Refused("log_time_ahead", "draft", at=event.head.at)
    bare = Event(event.head, event.body, ())
    for fault in step(project, bare)[1]:
        raise Refused(fault.code, "draft", check=fault.check, **dict(fault.params))
    if isinstance(event.body, Committed | Extended):
        attested = [each.body for each in draw.attested if isinstance(each.body, Attested)]
        if {each.scope for each in attested if each.draft == draft_digest(event.body)} != {"openings", "roll"}:
            raise Refused("other_draft_attested", "draft")
    if draw.phase is Phase.STOPPED:
        raise Refused("draw_stopped", "draft")
    return key.sign(bare.payload)
