"""The API of approvals and of the audit log. A vote is a passkey's answer: options are asked for first, then answered."""

from __future__ import annotations

import json
from typing import Annotated, Any

from aiohttp import web as aioweb
from pydantic import Field

from server.auth.model import Role
from server.handlers import forms
from server.handlers.api_people import DoneJson, WhyJson
from server.handlers.ask import Ask
from server.handlers.audit import Day, start_of
from server.handlers.forms import Shape
from server.handlers.status import as_json
from server.services import approvals, audit
from server.services.approvals import Card


class VoteJson(Shape):
    """One vote."""

    account: str
    roles: tuple[Role, ...]
    agrees: bool
    at: int


class ApprovalJson(Shape):
    """Something that others approve. `digest` is of exactly what is approved; `needed`: per approval, the roles that may give it."""

    id: str
    action: str
    object: str
    centre: str
    asked_by: str
    asked_at: int
    expires: int
    digest: str
    reason: str
    outcome: str
    needed: tuple[tuple[Role, ...], ...]
    votes: tuple[VoteJson, ...]
    may_vote: bool
    why_not: str


class InboxJson(Shape):
    """What waits, and what was decided."""

    waiting: tuple[ApprovalJson, ...]
    decided: tuple[ApprovalJson, ...]


class OptionsJson(Shape):
    """For navigator.credentials.get (WebAuthn)."""

    options: dict[str, Any]


class AssertionJson(Shape):
    """The authenticator's answer, as the browser writes it in JSON."""

    assertion: forms.Answer


class OutcomeJson(Shape):
    """What it has come to."""

    outcome: str


class AuditQuery(forms.Fields):
    """What to show; an object is an id, days are of Shanghai."""

    object: Annotated[forms.Line, Field(max_length=96)] = ""
    table: Annotated[forms.Line, Field(max_length=32)] = ""
    since: Day = ""
    until: Day = ""
    before: int | None = Field(default=None, ge=0, le=2**53 - 1)


class EntryJson(Shape):
    """One leaf of the log."""

    index: int
    at: int
    what: str
    table: str
    object: str
    by: str
    digest: str


class AuditJson(Shape):
    """Entries, the newest first; `earlier` goes into `before` for the next page, 0: there is none."""

    entries: tuple[EntryJson, ...]
    size: int
    earlier: int


async def inbox(ask: Ask) -> aioweb.StreamResponse:
    """What waits and what was decided."""
    waiting, decided = await approvals.inbox(ask.desk, ask.caller)
    return as_json(InboxJson(waiting=tuple(map(_card, waiting)), decided=tuple(map(_card, decided))))


async def one(ask: Ask) -> aioweb.StreamResponse:
    """One of them."""
    return as_json(_card(await approvals.card(ask.desk, ask.path["id"], ask.caller)))


async def options(ask: Ask) -> aioweb.StreamResponse:
    """What the passkey is asked."""
    return as_json(OptionsJson(options=json.loads(await approvals.vote_options(ask.desk, ask.path["id"], ask.caller))))


async def approve(ask: Ask) -> aioweb.StreamResponse:
    """One vote for it."""
    given = forms.json_body(ask, AssertionJson)
    return as_json(OutcomeJson(outcome=(await approvals.approve(ask.desk, ask.path["id"], given.assertion, ask.caller)).value))


async def refuse(ask: Ask) -> aioweb.StreamResponse:
    """One vote against it."""
    given = forms.json_body(ask, WhyJson)
    await approvals.refuse(ask.desk, ask.path["id"], given.reason, ask.caller)
    return as_json(DoneJson())


async def withdraw(ask: Ask) -> aioweb.StreamResponse:
    """Taken back."""
    await approvals.withdraw(ask.desk, ask.path["id"], ask.caller)
    return as_json(DoneJson())


async def log(ask: Ask) -> aioweb.StreamResponse:
    """A page of the audit log."""
    wanted = forms.api_query(ask, AuditQuery)
    found, _ = await audit.read(
        ask.desk,
        ask.caller,
        thing=wanted.object,
        table=wanted.table,
        since=start_of(wanted.since) if wanted.since else 0,
        until=start_of(wanted.until) + 86_400 if wanted.until else 0,
        before=wanted.before,
    )
    entries = tuple(
        EntryJson(index=each.index, at=each.at, what=each.what, table=each.table, object=each.thing, by=each.by, digest=each.digest)
        for each in found.entries
    )
    return as_json(AuditJson(entries=entries, size=found.size, earlier=found.earlier))


def _card(card: Card) -> ApprovalJson:
    of = card.proposal
    return ApprovalJson(
        id=of.id,
        action=of.action,
        object=str(card.about["object"]),
        centre=of.centre,
        asked_by=card.names.get(of.asked_by, ""),
        asked_at=of.asked_at,
        expires=of.expires,
        digest=of.subject.hex(),
        reason=str(card.about["why"]),
        outcome=card.outcome.value,
        needed=tuple(tuple(sorted(each)) for each in of.needed),
        votes=tuple(
            VoteJson(account=card.names.get(each.person, ""), roles=tuple(sorted(each.roles)), agrees=each.agrees, at=each.at)
            for each in of.votes
        ),
        may_vote=not card.why_not,
        why_not=card.why_not,
    )
