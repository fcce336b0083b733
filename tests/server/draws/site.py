"""The running service of `tests/server/desk/site.py` with the library, keys and outsiders of `hall`: pages over draws that really go on.

Clerks, approvers and supervisors sign in with passkeys at the pages; what supervisors and contributors do with keys of their own, `hall` does.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from nacl.public import PrivateKey

from drawing.events import project_tag
from server.auth.model import Role
from server.keeper.draw_verbs import AskDrawState
from server.services import drawing
from tests.server.desk.site import Desk, id_of
from tests.server.draws.hall import REQUEST, Hall, outsider
from tests.server.draws.served import Machines

PEOPLE = {
    "he.xiaowen": Role.DRAW_CLERK,
    "zheng.guodong": Role.APPROVER,
    "ouyang.jing": Role.SUPERVISOR,
    "luo.yiming": Role.SUPERVISOR,
    "zhou.mengqi": Role.ARCHIVIST,
}
CLERK, APPROVER, SUPERVISOR, OTHER, ARCHIVIST = PEOPLE


class SiteHall(Machines, Hall):
    """The hall over a service that runs already."""

    key_approvers = (id_of("an.quan"), id_of(SUPERVISOR))

    def __init__(self, site: Site, people: int) -> None:
        self.store, self.people, self.courier, self.networks = site.store, people, site.courier, ()
        self.house, self.keeper, self.folder = site.house, site.keeper, site.house.folder
        self.house.people.update({id_of(name): key for name, key in site.keys.items()})
        self.supervisors = [outsider("supervisor", "bureau/one", "bureau"), outsider("supervisor", "discipline/two", "discipline")]
        self.contributors = [outsider("contributor", "notary/c", "notary"), outsider("contributor", "other/c", "other centre")]
        self.out = Path(site.settings.data_folder) / "out"
        self.address, self.numbers, self.approved = site.origin, 0, {}

    async def follow(self, draw: str) -> None:
        """The draw that the next steps are about."""
        self.draw = draw
        async with self.store.reading() as tx:
            self.tag = await drawing.tag_of(tx, draw)

    async def ready(self) -> None:
        """Until it is prepared."""
        for _ in range(600):
            state = await self.keeper.ask(AskDrawState(self.draw))
            if state.stage in ("ready", "failed"):
                break
            await asyncio.sleep(0.05)
        assert state.stage == "ready", state


class Site(Desk):
    """A running service in which draws can be run. `keeper_url`: the database as the keeper sees it."""

    def __init__(self, folder, url, keeper_url, *, people=300, settled=True, settings=None):
        self.courier = PrivateKey.generate()
        data = folder / "data"
        given = {"database": keeper_url, "courier_box": bytes(self.courier.public_key).hex(), "out": str(data / "out")}
        super().__init__(folder, url, settings={"data_folder": str(data), "courier_box": given["courier_box"], **(settings or {})}, **given)
        for name, role in PEOPLE.items():
            self.settle(name, role, passkey=True)
        self.hall = SiteHall(self, people)
        if settled:
            self.run(self.hall.publish_keys())
            self.run(self.hall.fill_library())

    def request(self, **changed) -> str:
        """A lawful request with a number of its own."""
        number = f"DEMO-{os.urandom(3).hex()}"
        text = REQUEST.format(number=number, method=changed.pop("method", "uniform/1"))
        for old, new in changed.pop("instead", {}).items():
            assert old in text
            text = text.replace(old, new)
        return text

    def voter(self, name):
        """Signed in and confirmed; a minute later, for one address may guess so many times a minute."""
        self.house.move_clock(61)
        return self.visitor().as_(name)

    def tag(self, text: str) -> bytes:
        return project_tag(text.partition('number = "')[2].partition('"')[0])
