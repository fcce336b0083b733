"""What is an expert's own: their record in the library, once an approver and a supervisor have connected it with the account, and how draws that have
ended went for them.

A row of the database connects nobody: the keeper keeps who is who itself, under the approval that it counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from drawing.draw import ENDED
from drawing.errors import Refused
from drawing.model import text, word
from server.keeper.approvals import approved, use
from server.keeper.approved import own_digest, own_object
from server.keeper.asking import Done
from server.keeper.core import Core, leaf
from server.keeper.draw_verbs import DrawOwn, Kept, OwnDraw
from server.keeper.draws import draw_kept, standing, task_of
from server.keeper.keys import object_key_id
from server.keeper.library_work import expert_object
from server.keeper.people import person_of_pass, vouched_for
from server.keeper.store import Change
from server.keeper.vault import Vault
from server.keeper.verbs import ConnectExpert


@dataclass(frozen=True, slots=True)
class Own:
    """The state `own/PERSON`: whose record in the library it is; "-" where there is none."""

    centre: Annotated[str, word]
    expert: Annotated[str, word]


@dataclass(frozen=True, slots=True)
class Owner:
    """The state `owner/EXPERT`: which person reads it as their own; "-" for nobody."""

    person: Annotated[str, text(64)]


NONE, NOBODY = Own("-", "-"), Owner("-")


async def owned(vault: Vault, person: str) -> Own:
    """Of somebody whom others vouch for; `NONE` for everybody else."""
    found = (await vault.state(Own, f"own/{person}", NONE)).value
    return found if found != NONE and await vouched_for(vault, person) else NONE


async def connect(core: Core, ask: ConnectExpert) -> Done:
    """From now on this person's own record is this one, nobody else's, and they have no other. The same again changes nothing.

    Raises Refused: not_found where the centre's library has no such record, not_approved, subject_differs, approval_used.
    """
    vault = core.vault
    mine = await vault.state(Own, f"own/{ask.person}", NONE)
    theirs = await vault.state(Owner, f"owner/{ask.expert}", NOBODY)
    if mine.value == Own(ask.centre, ask.expert) and theirs.value == Owner(ask.person):
        return Done()
    if await vault.row("key", (object_key_id(expert_object(ask.centre, ask.expert)).hex(),)) is None:
        raise Refused("not_found", "expert")
    about = own_object(ask.expert, ask.person)
    if (await approved(core, ask.approved, "connect", about, ask.centre)).digest != own_digest(ask.centre, ask.expert, ask.person):
        raise Refused("subject_differs", "subject")
    changes: list[Change] = [await use(core, ask.approved, "connect", about, ask.centre)]
    if theirs.value != NOBODY and theirs.value.person != ask.person:
        before = await vault.state(Own, f"own/{theirs.value.person}", NONE)
        changes.append(vault.put_state(f"own/{theirs.value.person}", NONE, before.version))
    if mine.value != NONE and mine.value.expert != ask.expert:
        other = await vault.state(Owner, f"owner/{mine.value.expert}", NOBODY)
        changes.append(vault.put_state(f"owner/{mine.value.expert}", NOBODY, other.version))
    changes.append(vault.put_state(f"own/{ask.person}", Own(ask.centre, ask.expert), mine.version))
    changes.append(vault.put_state(f"owner/{ask.expert}", Owner(ask.person), theirs.version))
    changes.append(leaf("expert_connected", core.clock(), expert=ask.expert, person=ask.person, subject=ask.approved.hex()))
    await vault.write(changes)
    return Done()


async def in_draw(core: Core, ask: DrawOwn) -> OwnDraw:
    """Raises Refused: not_entitled for who has no record or one of another centre, not_yet before the draw has ended, files_destroyed."""
    person = await person_of_pass(core, ask.token, ask.login)
    own = await owned(core.vault, person)
    if own == NONE or (await draw_kept(core, ask.draw)).value.centre != own.centre:
        raise Refused("not_entitled", "person")
    stands = await standing(core, ask.draw)
    if stands.own.phase not in ENDED:
        raise Refused("not_yet", "draw", until=0)
    got: dict[str, Any] = await core.drawer.run("own", **await task_of(core, stands), expert=own.expert)
    kept = tuple(Kept(each["code"], each["evidence"]) for each in got["kept"])
    return OwnDraw(there=got["there"], kept=kept, part=got["part"], state=got["state"], whole=got["whole"])
