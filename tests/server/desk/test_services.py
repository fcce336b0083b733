"""Every use case asks the permission table itself, whatever middleware has asked before: nobody gets further than its own permission."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from types import ModuleType

import pytest

from drawing.errors import Refused
from server.auth.logins import Event
from server.auth.model import Role
from server.auth.people import Change
from server.auth.permissions import TABLE, Whose
from server.auth.sign_in import Request
from server.services import account, approvals, audit, people, sign_in, tokens
from server.services.desk import Caller
from tests.conftest import counts
from tests.server.desk.site import id_of

MODULES = (account, approvals, audit, people, sign_in, tokens)
# Use cases whose permission stands in what they call, and those that ask about a thing which they have to read first.
ELSEWHERE = {
    "account.invited": "", "account.begin_invited": "", "account.end_invited": "",
    "approvals.approve": "approvals.vote", "approvals.vote_options": "approvals.vote", "people.end": "people.suspend",
    "sign_in.sign_out": "", "sign_in.who": "",
}  # fmt: skip
VALUES = {Role: Role.ARCHIVIST, Change: Change.SUSPENDED, Event: Event.TOTP_RIGHT, int: 1, str: "0" * 32}


def use_cases() -> Iterator[tuple[str, ModuleType, str]]:
    """(name, module, permission) of every public function that is given a caller, but for those that are a part of a transaction."""
    for module in MODULES:
        for node in ast.parse(inspect.getsource(module)).body:
            if (
                isinstance(node, ast.AsyncFunctionDef)
                and not node.name.startswith("_")
                and "caller" in (given := {each.arg for each in node.args.args})
                and "tx" not in given
            ):
                name = f"{module.__name__.rpartition('.')[2]}.{node.name}"
                asked = [
                    call.args[0].value
                    for call in ast.walk(node)
                    if isinstance(call, ast.Call)
                    and ast.unparse(call.func) in ("desk.require", "desk.require_to_ask")
                    and isinstance(call.args[0], ast.Constant)
                ]
                yield name, module, ELSEWHERE.get(name, asked[0] if asked else "?")


@pytest.fixture(scope="module")
def proposals(site):
    """One of each kind that use cases act on, by ids that are there."""
    site.settle("pro.posed")
    system = site.visitor().as_("sun.xitong")
    page = f"/people/{id_of('pro.posed')}"
    system.open(page)
    assert system.post(page + "/roles", (("role", "archivist"), ("reason", "r"))).status == 303

    async def found():
        async with site.store.reading() as tx:
            return (await tx.all("approval", action="people.grant_role", order=["-asked_at"]))[0]["id"]

    return site.run(found())


def arguments(function, site, caller, proposal, name):
    for each in inspect.signature(function, eval_str=True).parameters.values():
        if each.name == "desk":
            yield site.desk
        elif each.name == "caller":
            yield caller
        elif each.name == "id" and name.startswith("approvals."):
            yield proposal
        elif each.name == "person":
            yield id_of("pro.posed")
        elif each.name == "role" and each.annotation is Role:
            yield Role.EXPERT
        elif each.name == "wanted":
            yield ("log.verify",)
        elif each.kind is inspect.Parameter.KEYWORD_ONLY:
            return
        else:
            yield VALUES[each.annotation]


def test_nobody_gets_past_the_permission_of_any_use_case(site, proposals):
    asked = 0
    for name, module, permission in use_cases():
        assert permission != "?", name
        if not permission or TABLE[permission].whose is Whose.PUBLIC:
            continue
        nobody = Caller(request=Request(site.clock.now(), "127.0.0.1"))
        function = getattr(module, name.partition(".")[2])
        with pytest.raises(Refused) as refused:
            site.run(function(*arguments(function, site, nobody, proposals, name)))
        assert refused.value.code == "sign_in", (name, refused.value)
        assert refused.value.place == permission, (name, refused.value)
        asked += 1
    counts("use cases that refuse nobody by their own permission", asked, asked)
    assert asked > 25
