"""An expert's own record: read, its employers to avoid and its leave changed, taken away as a file; how draws went, once their result notices are out.

Which record that is two people decide together (`library.connect`); the keeper keeps it, and the row here only says where to ask. Until the notice of a
draw is recorded its page is the same for everybody: the drawn, the excluded, and those who were never asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from drawing.errors import Refused
from server.auth import approvals
from server.auth.approvals import ProposalId
from server.auth.model import CentreId, PersonId, Role, Thing
from server.keeper.approved import own_digest, own_object
from server.keeper.draw_verbs import DrawOwn, OwnDraw
from server.keeper.verbs import ConnectExpert
from server.library.cells import cells_of
from server.library.difference import LEFT
from server.library.upload import Fault
from server.services import library
from server.services.desk import Caller, Desk, pass_of
from server.storage import proposals as stored
from server.storage.tx import Row, Tx

CONNECT = "library.connect"
LISTED = 200  # draws of a page
OWN_LISTS = {"avoid": ("name", "code"), "leave": ("from", "to")}  # what one may change oneself


@dataclass(frozen=True, slots=True)
class Published:
    """A draw whose result notice is out."""

    id: str
    number: str
    section: str
    notice: str
    published_at: int


@dataclass(frozen=True, slots=True)
class OwnRecord:
    """The record as the keeper opened it, its row's version, and the draws that can be looked at."""

    version: int
    record: Mapping[str, Any]
    draws: tuple[Published, ...]


# Reading ----------------------------------------------------------------------------------------------------------------------------------------


async def show(desk: Desk, caller: Caller) -> OwnRecord | None:
    """None where no record is connected with the account. Raises Refused: step_up."""
    desk.require("own.read", caller)
    async with desk.store.reading() as tx:
        row = await _row(tx, caller)
        draws = await _published(tx, CentreId(row["centre"])) if row else ()
    if row is None:
        return None
    try:
        return OwnRecord(row["version"], await library.opened(desk, row["id"], "own", caller), draws)
    except Refused as refused:
        if refused.code != "not_entitled":
            raise
        return None  # the row says so, and the keeper does not


async def in_draw(desk: Desk, draw: str, caller: Caller) -> tuple[Published, str, OwnDraw]:
    """How it went, and the draw's regime. Raises Refused: not_found for every draw whose notice is not out, of another centre, or without a record."""
    desk.require("own.read", caller)
    async with desk.store.reading() as tx:
        row = await _row(tx, caller)
        of = await tx.one("draw", id=draw)
        if row is None or of is None or of["centre"] != row["centre"] or not of["published_at"]:
            raise Refused("not_found", "draw")
        found = await _listed(tx, of)
    token, login = pass_of(caller.shown)
    return found, of["regime"], await desk.keeper.ask(DrawOwn(draw, login, token))


async def everything(desk: Desk, caller: Caller) -> dict[str, Any]:
    """All that is kept of whoever asks (个人信息保护法 第四十五条): account, roles, logins; of an expert the record and how draws went."""
    desk.require("account.export_own_data", caller)
    account = await desk.house.accounts.get(caller.account)
    assert account is not None
    grants = await desk.house.accounts.grants(account.person)
    logins = await desk.house.logins.of(account.id)
    value: dict[str, Any] = {
        "account": {"kind": account.kind.value, "name": account.name, "password_at": account.password_at},
        "logins": [{"began": each.began, "device": each.label, "seen": each.seen} for each in logins],
        "roles": [{"centre": each.centre, "role": each.role.value} for each in sorted(grants, key=str)],
    }
    async with desk.store.reading() as tx:
        row = await _row(tx, caller)
        published = await _published(tx, CentreId(row["centre"])) if row else ()
    if row is None:
        return value
    token, login = pass_of(caller.shown)
    draws = []
    for each in published:
        try:
            found = await desk.keeper.ask(DrawOwn(each.id, login, token))
        except Refused as gone:
            if gone.code != "files_destroyed":
                raise
            continue
        kept = [{"evidence": rule.evidence, "rule": rule.code} for rule in found.kept]
        outcome = {"chance": f"{found.part}/{found.whole}", "excluded": kept, "in_library": found.there, "state": found.state}
        draws.append({"notice": each.notice, "number": each.number, "published_at": each.published_at, "section": each.section, **outcome})
    return {**value, "draws": draws, "record": await library.opened(desk, row["id"], "own", caller)}


async def _row(tx: Tx, caller: Caller) -> Row | None:
    return await tx.one("expert", {"status !=": LEFT}, person=caller.person)


async def _published(tx: Tx, centre: CentreId) -> tuple[Published, ...]:
    rows = await tx.all("draw", {"published_at !=": None, "centre": centre}, order=["-published_at", "id"], limit=LISTED)
    return tuple([await _listed(tx, each) for each in rows])


async def _listed(tx: Tx, row: Row) -> Published:
    number = str((await tx.get("project", row["project"]))["title"])
    return Published(row["id"], number, str(row["section"]), str(row["result_notice"]), int(row["published_at"]))


# Changing ---------------------------------------------------------------------------------------------------------------------------------------


async def add(desk: Desk, kind: str, entry: Mapping[str, str], caller: Caller) -> Sequence[Fault]:
    """One entry more of `kind` (OWN_LISTS); the next draws see it. Raises Refused: leave_ends_first, leave_begun, entry_known, not_found."""
    desk.require("own.change", caller)
    if kind == "leave":
        if entry["to"] and entry["to"] < entry["from"]:
            raise Refused("leave_ends_first", "until")
        if entry["from"] < library.today(caller.request.now):
            raise Refused("leave_begun", "since")
    made = {name: entry[name] for name in OWN_LISTS[kind]}

    def more(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if made in entries:
            raise Refused("entry_known", "entry")
        return [*entries, made]

    return await _changed(desk, kind, more, caller)


async def remove(desk: Desk, kind: str, number: int, entry: str, caller: Caller) -> Sequence[Fault]:
    """The `number`-th entry less, where it is still the one that the page showed. Raises Refused: entry_changed, not_found."""
    desk.require("own.change", caller)

    def less(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if number >= len(entries) or shown(kind, entries[number]) != entry:
            raise Refused("entry_changed", kind)
        return [each for n, each in enumerate(entries) if n != number]

    return await _changed(desk, kind, less, caller)


def shown(kind: str, entry: Mapping[str, Any]) -> str:
    """An entry as one line: what a form sends back to say which it means."""
    return "|".join(str(entry[name]) for name in OWN_LISTS[kind])


async def _changed(desk: Desk, kind: str, change: Any, caller: Caller) -> Sequence[Fault]:
    async with desk.store.reading() as tx:
        row = await _row(tx, caller)
    if row is None:
        raise Refused("not_found", "expert")
    record = await library.opened(desk, row["id"], "own", caller)
    cells = cells_of({**record, kind: change(record[kind])})
    return await library.save(desk, row, cells, caller, "own")


# Connecting -------------------------------------------------------------------------------------------------------------------------------------


async def ask_to_connect(desk: Desk, expert: str, account: str, caller: Caller) -> str:
    """Propose that this record is the own one of whoever has this account.

    Raises Refused: not_found, not_an_expert for an account that is no expert's of this centre, already_connected, draft_asked.
    """
    now = caller.request.now

    async def work(tx: Tx) -> str:
        row = await tx.one("expert", {"status !=": LEFT}, id=expert)
        if row is None:
            raise Refused("not_found", "expert")
        centre = CentreId(row["centre"])
        desk.require_to_ask(CONNECT, caller, Thing(centre))
        person = await _person(tx, account, centre, now)
        if row["person"] == person:
            raise Refused("already_connected", "account")
        digest = own_digest(centre, expert, person)
        if await tx.count("approval", {"expires_at >": now}, action=CONNECT, digest=digest, state="open"):
            raise Refused("draft_asked", "account")
        made = approvals.propose(ProposalId(tx.new_id()), CONNECT, caller.actor, Thing(centre, None, digest), now)
        await stored.add(tx, made, f"own/{own_object(expert, person)}", "", {"account": account, "expert": expert, "person": person})
        return made.id

    return await desk.store.write(work, now)


async def _person(tx: Tx, account: str, centre: CentreId, now: int) -> PersonId:
    row = await tx.one("account", name=account)
    grants = await tx.all("role_grant", person=row["person"], centre=centre, role=Role.EXPERT.value) if row else []
    if row is None or not any(each["since"] <= now and (not each["until"] or now < each["until"]) for each in grants):
        raise Refused("not_an_expert", "account")
    return PersonId(row["person"])


# As the inbox carries it out (services.matters): the thing is the keeper's object, own:EXPERT:PERSON


async def connect_subject(tx: Tx, thing: str) -> bytes | None:
    """The digest of a connection that can still be made."""
    _, expert, person = thing.split(":")
    row = await tx.one("expert", {"status !=": LEFT}, id=expert)
    return own_digest(row["centre"], expert, person) if row is not None and row["person"] != person else None


async def connect(desk: Desk, thing: str, centre: str, subject: bytes) -> None:
    """The keeper does it, once its own count of approvals is enough."""
    _, expert, person = thing.split(":")
    await desk.keeper.ask(ConnectExpert(subject, centre, expert, person))


async def connected(tx: Tx, thing: str, by: PersonId) -> None:
    """The rows say so: whom this record belonged to, and what this person had, no longer."""
    _, expert, person = thing.split(":")
    for row in await tx.all("expert", person=person):
        await tx.change("expert", row["id"], {"person": None}, by, row["version"], "connect")
    row = await tx.get("expert", expert)
    await tx.change("expert", expert, {"person": person}, by, row["version"], "connect")
