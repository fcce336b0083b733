"""The API of sealed bidder lists, for electronic trading systems. docs/bidders.md describes it. What stands in a list is never given back."""

from __future__ import annotations

from typing import Annotated

from aiohttp import web as aioweb
from pydantic import Field

from server import bidders
from server.handlers import forms
from server.handlers.ask import Ask
from server.handlers.bidders import SealedText, unbase64
from server.handlers.forms import Shape
from server.handlers.status import as_json
from server.services import bidders as services


class ListJson(Shape):
    """A list that came: the salted digest is the one of the event `screened`. `compared`: the log says so."""

    number: int
    sender: str
    received_at: int
    digest: str
    compared: bool


class BoxJson(Shape):
    """Where to seal to. `key`: the draw's X25519 public key in hex; `suite` and `info`: of HPKE (RFC 9180); `next`: the number of the next list;
    `late`: none is taken any more; `most_bytes`: of a list before it is sealed.
    """

    draw: str
    key: str
    suite: str
    info: str
    next: int
    late: bool
    most_bytes: int
    lists: tuple[ListJson, ...]


class SealedJson(Shape):
    """The `number`-th list of the draw, sealed: enc and ciphertext in one piece, in base64. Sent again with the same content it is the same list."""

    number: Annotated[int, Field(ge=1, le=bidders.MOST_LISTS)]
    sealed: SealedText


class ReceivedJson(Shape):
    """It came. `new`: the first time."""

    number: int
    digest: str
    new: bool


async def box(ask: Ask) -> aioweb.StreamResponse:
    """The box of a draw and the lists that came."""
    found = await services.box(ask.desk, ask.path["id"], ask.caller)
    rows = tuple(
        ListJson(number=each.number, sender=each.sender, received_at=each.at, digest=each.digest.hex(), compared=each.compared)
        for each in found.receipts
    )
    return as_json(
        BoxJson(
            draw=found.draw.id,
            key=found.box.key.hex(),
            suite=bidders.SUITE,
            info=bidders.info_of(found.draw.id).decode(),
            next=found.box.lists + 1,
            late=found.box.late,
            most_bytes=bidders.MOST_PLAIN,
            lists=rows,
        )
    )


async def send(ask: Ask) -> aioweb.StreamResponse:
    """A sealed list."""
    given = forms.json_body(ask, SealedJson)
    got = await services.receive(ask.desk, ask.path["id"], given.number, unbase64(given.sealed), ask.viewer.name, ask.caller)
    return as_json(ReceivedJson(number=given.number, digest=got.digest.hex(), new=got.new))
