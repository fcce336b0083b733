"""Who asks and what they may, for middleware: logins and the permission table as the protocols of `ask` want them."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import replace

from drawing.errors import Refused
from server.auth.model import EVERYWHERE, Level, Thing
from server.auth.permissions import TABLE, wanting
from server.handlers.ask import NOBODY, Access, Viewer
from server.handlers.problems import OF_REFUSALS
from server.services import sign_in, tokens
from server.services.desk import Caller, Desk

PUBLIC = "public"  # of routes for everybody; `auth.permissions` says public.read
ACCESS = {each.value: each for each in Access}  # their values are the codes of problems
_BROWSERS = (("Edg", "Edge"), ("OPR", "Opera"), ("Firefox", "Firefox"), ("Chrome", "Chrome"), ("Version", "Safari"))
_SYSTEMS = (("Windows", "Windows"), ("Android", "Android"), ("iPhone", "iOS"), ("Mac OS", "macOS"), ("Linux", "Linux"))


class TablePermissions:
    """`Permissions` over the table. A route is asked about a thing that the viewer's roles reach; use cases ask again about the thing itself."""

    def known(self) -> Collection[str]:
        """All names of the table."""
        return (PUBLIC, *TABLE)

    def access(self, viewer: Viewer, permission: str, now: int) -> Access:
        """Whether this viewer may; otherwise what is wanting."""
        if permission == PUBLIC:
            return Access.YES
        try:
            refused = wanting(permission, viewer.actor, Thing(EVERYWHERE, viewer.actor.person), now)
        except Refused as exclusive:  # roles that exclude each other
            refused = exclusive
        return Access.YES if refused is None else ACCESS.get(OF_REFUSALS.get(refused.code, ""), Access.NO)


class LoginViewers:
    """`Viewers` over logins."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def by_cookie(self, token: str, now: int, caller: Caller) -> Viewer:
        """Who is signed in; somebody who has shown a password only is nobody's name yet, but has a login."""
        try:
            found, account, fresh = await sign_in.who(self._desk, token, caller)
        except Refused as refused:
            if refused.code != "sign_in":
                raise
            return NOBODY
        actor, login = found.actor, found.held
        if actor.level < Level.FULL or actor.account is None:
            return Viewer(login=login.id, actor=actor, caller=found, fresh=fresh)
        roles = tuple(sorted({each.role.value for each in actor.grants if each.holds(now)}))
        return Viewer(actor.person or "", account.name, "", login.id, roles, actor=actor, caller=found, fresh=fresh)

    async def by_bearer(self, token: str, now: int, caller: Caller) -> Viewer:
        """A program, under the role and the scopes of its token."""
        try:
            found, actor = await tokens.who(self._desk, token, now)
        except Refused as refused:
            if refused.code != "token_not_valid":
                raise
            return NOBODY
        return Viewer(f"token:{found.id}", found.name, by_token=True, actor=actor, caller=replace(caller, actor=actor, shown=""))


def browser_of(agent: str) -> str:
    """What the owner of a login knows it by: browser and system, nothing that tells people apart."""
    found = next((f"{name} {match[1]}" for mark, name in _BROWSERS if (match := re.search(mark + r"/([0-9]{1,4})", agent))), "")
    system = next((name for mark, name in _SYSTEMS if mark in agent), "")
    return " · ".join(each for each in (found, system) if each)
