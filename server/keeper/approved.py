"""What people approve about a draw: its object, and the digest of an event. No keeper is needed to tell them: the web process asks for the same."""

from __future__ import annotations

from drawing.canonical import TH, dumps
from drawing.events import Committed, Event, Extended, draft_digest
from drawing.model import shape_of


def draw_object(project: bytes, attempt: int) -> str:
    """The object of approvals about one attempt of a draw."""
    return "attempt:" + TH("lotroom/v1/attempt", project, attempt.to_bytes(8, "big"))[:16].hex()


def hold_object(draw: str, complaint: str) -> str:
    """The object of an approval that lifts a complaint's hold of a draw's files."""
    return f"hold:{draw}:{complaint}"


def files_object(draw: str) -> str:
    """The object of an approval to destroy a draw's sealed files."""
    return f"files:{draw}"


def destroy_digest(draw: str) -> bytes:
    """What it covers: all of them."""
    return TH("lotroom/v1/destroy", draw.encode())


def own_object(expert: str, person: str) -> str:
    """The object of an approval that makes a record of the library a person's own."""
    return f"own:{expert}:{person}"


def own_digest(centre: str, expert: str, person: str) -> bytes:
    """What it covers."""
    return TH("lotroom/v1/own-record", centre.encode(), expert.encode(), person.encode())


def body_digest(event: Event) -> bytes:
    """What approvals of an event cover: of a commit or an extension the draft that supervisors attest, of anything else the body."""
    if isinstance(event.body, Committed | Extended):
        return draft_digest(event.body)
    return TH("lotroom/v1/body", event.type.encode(), dumps(shape_of(type(event.body)).write(event.body)))
