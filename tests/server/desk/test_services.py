"""Every use case asks the permission table itself, whatever middleware has asked before: nobody gets further than its own permission."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from types import ModuleType

import pytest

from drawing.errors import Refused
from server import services
from server.auth.logins import Event
from server.auth.model import Actor, Level, PersonId, Role
from server.auth.people import Change
from server.auth.permissions import TABLE, Whose
from server.auth.sign_in import Request
from server.services.desk import Caller
from server.services.draw_approvals import WAITING
from tests.conftest import counts
from tests.server.desk.site import CENTRE, id_of

MODULES = [importlib.import_module(f"server.services.{each.name}") for each in pkgutil.iter_modules(services.__path__)]
# Use cases whose permission stands in what they call, and those that ask about a thing which they have to read first.
ELSEWHERE = {
    "approvals.approve": "approvals.vote", "approvals.vote_options": "approvals.vote", "people.end": "people.suspend",
    "bidders.box": "bidders.send", "bidders.receive": "bidders.send", "bidders.seal_here": "bidders.send",
    "contributing.sign": "draw.sign", "draw_approvals.propose": "draw.start", "exchange.give": "draw.read", "notice_page.show": "draw.read",
    "supervision.waiting": "draw.list", "imports.one": "library.read", "imports.progress": "library.read",
    **{f"imports.{name}": "library.import" for name in ("wrong_rows", "mend", "leave_out", "finish", "go_on", "drop")},
    "library.one": "library.read", "library.unmask": "library.unmask", "library.change": "library.edit", "library.shut": "library.edit",
}  # fmt: skip
# Where there is none: the right is a link, a secret or a login of one's own, or another use case asks before it.
NONE = {
    "account.invited", "account.begin_invited", "account.end_invited", "sign_in.sign_out", "sign_in.who",
    "first_day.begin", "first_day.progress", "first_day.options", "first_day.enrol",
    "key_list.own",  # what one handed in oneself
    "draws.begin_once",  # draws.begin asks
    "epoch.propose",  # approvals.propose asks, about the log that is behind
    "library.centre_of", "library.opened", "library.save",  # for use cases that asked; the keeper asks for the pass itself
}  # fmt: skip
ID = "e" * 32
VALUES = {Role: Role.ARCHIVIST, Change: Change.SUSPENDED, Event: Event.TOTP_RIGHT, int: 1, str: ID, bytes: b"x"}


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
                    call.args[0].value if isinstance(call.args[0], ast.Constant) else getattr(module, ast.unparse(call.args[0]), "?")
                    for call in ast.walk(node)
                    if isinstance(call, ast.Call) and re.fullmatch(r"(desk|parts)\.require(_to_ask)?", ast.unparse(call.func))
                ]
                if name not in NONE:
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


@pytest.fixture(scope="module")
def things(site):
    """One of everything that a use case reads before it knows which centre it asks for."""

    async def work(tx):
        named = {"id": ID, "centre": CENTRE}
        await tx.insert("project", {**named, "tag": bytes(32), "created_at": tx.now}, "test")
        draw = {
            "project": ID,
            "section": "s",
            "regime": "r",
            "dry_run": 0,
            "request_digest": bytes(32),
            "evaluation_at": 1,
            "created_at": 1,
        }
        await tx.insert("draw", {**named, **draw}, "test")
        await tx.insert("project_section", {"id": ID, "project": ID, "section": "s", "request": "r", "received_at": 1}, "test")
        expert = {"number_index": bytes(32), "record_digest": bytes(32), "status": "active", "added_at": 1}
        await tx.insert("expert", {**named, **expert}, "test")
        none = dict.fromkeys(("rows", "bad", "joins", "changes", "moves", "leaves"), 0)
        await tx.insert("library_import", {**named, "state": "ready", "mode": "part", **none, "created_at": 1}, "test")

    site.run(site.store.write(work, site.clock.now()))


def arguments(function, site, caller, proposal, name):
    for each in inspect.signature(function, eval_str=True).parameters.values():
        if each.name in ("desk", "parts"):
            yield site.desk
        elif each.name == "caller":
            yield caller
        elif each.name == "id" and name.startswith("approvals."):
            yield proposal
        elif each.name == "person":
            yield id_of("pro.posed")
        elif each.name == "kind":
            yield next(iter(WAITING))
        elif each.name == "role" and each.annotation is Role:
            yield Role.EXPERT
        elif each.name == "wanted":
            yield ("log.verify",)
        elif each.kind is inspect.Parameter.KEYWORD_ONLY:
            return
        else:
            yield VALUES.get(each.annotation)


def refused(site, function, name, caller, proposal):
    with pytest.raises(Refused) as found:
        site.run(function(*arguments(function, site, caller, proposal, name)))
    return found.value.code, found.value.place


def test_nobody_gets_past_the_permission_of_any_use_case(site, proposals, things):
    """Somebody without a login, and somebody with one who holds no role, at a thing that is there."""
    asked = 0
    request = Request(site.clock.now(), "127.0.0.1")
    stranger = Actor(PersonId(id_of("stran.ger")), None, frozenset(), Level.STEPPED_UP, True)
    for name, module, permission in use_cases():
        row = TABLE.get(permission)
        assert row is not None, name
        if row.whose is Whose.PUBLIC:
            continue
        function = getattr(module, name.partition(".")[2])
        code, place = refused(site, function, name, Caller(request=request), proposals)
        assert (code, place) in (("sign_in", permission), ("sign_in", "login")), (name, code, place)  # login: `Caller.person`
        if Role.VISITOR not in row.roles:
            code, place = refused(site, function, name, Caller(actor=stranger, request=request), proposals)
            assert code in ("not_found", "not_your_role"), (name, code, place)
            assert place == permission, (name, code, place)
        asked += 1
    counts("use cases that refuse nobody by their own permission", asked, asked)
    assert asked > 100
