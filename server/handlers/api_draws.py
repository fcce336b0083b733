"""The API of draws, for electronic trading systems: hand in a request, read where a draw stands, take its proof. No name, no tag of a slot."""

from __future__ import annotations

from typing import Annotated

from aiohttp import web as aioweb
from pydantic import Field

from drawing.errors import Refused
from server.auth.model import CentreId
from server.handlers import forms
from server.handlers.ask import Ask
from server.handlers.forms import Shape
from server.handlers.problems import FieldFault, Stop
from server.handlers.status import as_json
from server.handlers.words import refusal
from server.services import draws
from server.services.draws import DrawPage

Toml = Annotated[str, Field(min_length=1, max_length=30_000)]


class RequestJson(Shape):
    """A request's file (TOML, docs/request.md) for a centre. `dry_run`: nobody is told, nothing of it counts."""

    centre: forms.Id
    request: Toml
    dry_run: bool = False


class MadeJson(Shape):
    """The draw that was begun."""

    id: str


class RowJson(Shape):
    """A draw in the list."""

    id: str
    number: str
    section: str
    phase: str
    dry_run: bool
    created_at: int
    evaluation_at: int


class DrawsJson(Shape):
    """The newest first."""

    draws: tuple[RowJson, ...]


class EventJson(Shape):
    """An event in the log: its type, its place and its digest."""

    seq: int
    index: int
    type: str
    at: int
    digest: str


class DrawJson(Shape):
    """Where a draw stands. `waiting` for what, `who` acts next, `until` at the latest (0: no such moment); seats and answers are counted only."""

    id: str
    number: str
    section: str
    phase: str
    dry_run: bool
    waiting: str
    who: str
    until: int
    evaluation_at: int
    seats: int
    accepted: int
    notified: int
    answered: int
    prepared: int
    to_prepare: int
    fault: str
    events: tuple[EventJson, ...]


class ProofJson(Shape):
    """A project's proof so far, as the text of its file: exactly what a verifier reads."""

    number: str
    proof: str


async def listed(ask: Ask) -> aioweb.StreamResponse:
    """Draws that the caller reaches."""
    rows = tuple(
        RowJson(
            id=each.row["id"],
            number=each.number,
            section=each.row["section"],
            phase=each.phase.value,
            dry_run=bool(each.row["dry_run"]),
            created_at=each.row["created_at"],
            evaluation_at=each.row["evaluation_at"],
        )
        for each in await draws.listed(ask.desk, ask.caller)
    )
    return as_json(DrawsJson(draws=rows))


async def request(ask: Ask) -> aioweb.StreamResponse:
    """Begin a draw; every rule that the request breaks comes back at once."""
    given = forms.json_body(ask, RequestJson)
    text = given.request.encode()
    _, failures = await draws.check_request(ask.desk, text, ask.caller)
    if failures:
        chinese = ask.language.name == "zh_CN"
        said = ((each.rule.code, f"{each.rule.zh if chinese else each.rule.en} ({each.rule.article})") for each in failures)
        raise Stop("unprocessable", faults=tuple(FieldFault("request", code, words) for code, words in said))
    try:
        made = await draws.begin(ask.desk, CentreId(given.centre), text, ask.caller, dry_run=given.dry_run)
    except Refused as refused:
        if refused.code != "draw_runs":
            raise
        raise Stop("unprocessable", faults=(FieldFault("request", refused.code, refusal(ask, refused.code, **refused.params)),)) from None
    return as_json(MadeJson(id=made))


async def one(ask: Ask) -> aioweb.StreamResponse:
    """Where it stands."""
    return as_json(_draw(await draws.show(ask.desk, ask.path["id"], ask.caller)))


async def proof(ask: Ask) -> aioweb.StreamResponse:
    """The proof of its project so far."""
    number, data = await draws.proof(ask.desk, ask.path["id"], ask.caller)
    return as_json(ProofJson(number=number, proof=data.decode()))


def _draw(found: DrawPage) -> DrawJson:
    state, coming, replies = found.draw, found.due, found.replies
    panel = [state.slots[n] for n in state.panel]
    return DrawJson(
        id=found.id,
        number=found.number,
        section=found.row["section"],
        phase=state.phase.value,
        dry_run=bool(found.row["dry_run"]),
        waiting=coming.code,
        who=coming.who,
        until=coming.until,
        evaluation_at=found.row["evaluation_at"],
        seats=len(panel),
        accepted=sum(slot.state in ("accepted", "appointed") for slot in panel),
        notified=replies.notified if replies else 0,
        answered=replies.answered if replies else 0,
        prepared=found.keeper.done,
        to_prepare=found.keeper.total,
        fault=found.keeper.fault if coming.code == "failed" else "",
        events=tuple(
            EventJson(seq=each.head.seq, index=index, type=each.type, at=each.head.at, digest=each.leaf_hash.hex())
            for index, each in found.events
        ),
    )
