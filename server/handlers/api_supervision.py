"""The API for supervisors' own machines (`lotroom supervise`): what waits, a draw with all that is checked, its sealed files, and what was signed."""

from __future__ import annotations

from typing import Annotated

from aiohttp import web as aioweb
from pydantic import Field, StringConstraints

from server.handlers import forms
from server.handlers.ask import Ask
from server.handlers.forms import Shape
from server.handlers.problems import Stop
from server.handlers.status import as_json
from server.places import places_of
from server.services import draws, supervision
from server.services.drawing import Stand

MOST_EVENT = 256 * 1024
Hash = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class WaitsJson(Shape):
    """A draw that waits for supervisors: for an attestation, a check, or signatures of drafts of these types."""

    draw: str
    project: str
    section: str
    attempt: int
    phase: str
    dry_run: bool
    waiting: str
    drafts: tuple[str, ...]


class WaitingJson(Shape):
    """All of them."""

    draws: tuple[WaitsJson, ...]


class CaseJson(Shape):
    """One draw. `events`: the leaves of its project in the log, in hex; `asked`: the body that is to be attested, as JSON text; `drafts`: leaves with
    the signatures that came so far, in hex.
    """

    draw: str
    project: str
    events: tuple[str, ...]
    waiting: str
    asked: str
    drafts: tuple[str, ...]


class SignedEventJson(Shape):
    """A whole signed event, in hex: an attestation, a check, a stop or its end."""

    leaf: Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{2})+$", max_length=2 * 65_535)]


class SignatureJson(Shape):
    """A signature of the draft of this type whose leaf without signatures has this hash."""

    type: Annotated[str, StringConstraints(pattern=r"^[a-z_]{3,20}$")]
    leaf: Hash
    key: Annotated[str, StringConstraints(pattern=r"^[!-*,-~]{1,128}$")]
    signature: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{128}$")]


class StandJson(Shape):
    """Where the draw stands now: what it waits for, until when at the latest (0: for a person), and which draft is to be signed."""

    waiting: str
    until: Annotated[int, Field(ge=0)]
    draft: str


async def waiting(ask: Ask) -> aioweb.StreamResponse:
    """What waits for supervisors."""
    found = await supervision.waiting(ask.desk, ask.caller)
    rows = tuple(
        WaitsJson(
            draw=each.draw,
            project=each.number,
            section=each.section,
            attempt=each.state.attempt,
            phase=each.state.phase.value,
            dry_run=each.state.dry_run,
            waiting=each.waiting if each.waiting in supervision.FOR_SUPERVISORS else "",
            drafts=each.drafts,
        )
        for each in found
    )
    return as_json(WaitingJson(draws=rows))


async def case(ask: Ask) -> aioweb.StreamResponse:
    """One draw with all that is checked."""
    found = await supervision.case(ask.desk, ask.path["id"], ask.caller)
    return as_json(
        CaseJson(
            draw=found.draw,
            project=found.number,
            events=tuple(each.hex() for each in found.leaves),
            waiting=found.waiting,
            asked=found.asked.decode(),
            drafts=tuple(each.hex() for each in found.drafts),
        )
    )


async def openings(ask: Ask) -> aioweb.StreamResponse:
    """The openings as they are now, sealed."""
    return await _file(ask, "openings")


async def roll(ask: Ask) -> aioweb.StreamResponse:
    """The roll as it is now, sealed."""
    return await _file(ask, "roll")


async def _file(ask: Ask, what: str) -> aioweb.StreamResponse:
    """The keeper has just put it into the folder of what leaves."""
    made = await draws.sealed_file(ask.desk, ask.path["id"], what, ask.caller)
    path = places_of(ask.settings).out / made.name
    if not path.is_file():
        raise Stop("not_ready")  # another request has made a newer one meanwhile
    headers = {"Content-Type": "application/octet-stream", "Content-Disposition": f'attachment; filename="{what}.sealed"'}
    return aioweb.FileResponse(path, headers=headers)


async def file_event(ask: Ask) -> aioweb.StreamResponse:
    """A signed event goes into the log."""
    given = forms.json_body(ask, SignedEventJson)
    return _stand(await draws.file_signed(ask.desk, ask.path["id"], bytes.fromhex(given.leaf), ask.caller))


async def sign(ask: Ask) -> aioweb.StreamResponse:
    """A signature of a draft."""
    given = forms.json_body(ask, SignatureJson)
    leaf, signature = bytes.fromhex(given.leaf), bytes.fromhex(given.signature)
    return _stand(await supervision.sign(ask.desk, ask.path["id"], given.type, leaf, given.key, signature, ask.caller))


def _stand(stand: Stand) -> aioweb.StreamResponse:
    return as_json(StandJson(waiting=stand.waiting, until=stand.until, draft=stand.draft))
