"""The permission table against plain rules: every row, role, ownership, login and approval; and no check of `require` can go unnoticed."""

from __future__ import annotations

import ast
import inspect
import itertools
import time
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from drawing.errors import Refused
from server.auth import permissions
from server.auth.model import EVERYWHERE, Actor, CentreId, Grant, Level, PersonId, Role, Thing, check_grants
from server.auth.permissions import TABLE, Granted, Permission, Whose, assemble, check_routes, require
from tests.conftest import counts
from tools.make_docs import permissions_page

NOW = 1_000_000
ME, OTHER, THIRD, FOURTH = (PersonId(each * 32) for each in "abcd")
HERE, THERE = CentreId("1" * 32), CentreId("2" * 32)
DIGEST = bytes(range(32))

HOLDINGS: dict[str, frozenset[Grant]] = {
    "nothing": frozenset(),
    **{role.value: frozenset({Grant(role, HERE)}) for role in Role if role is not Role.VISITOR},
    "everywhere": frozenset({Grant(Role.SUPERVISOR, EVERYWHERE)}),
    "admin everywhere": frozenset({Grant(Role.SECURITY_ADMIN, EVERYWHERE)}),
    "ended": frozenset({Grant(Role.SUPERVISOR, HERE, 0, NOW), Grant(Role.DRAW_CLERK, HERE, 0, NOW)}),
    "to come": frozenset({Grant(Role.SUPERVISOR, HERE, NOW + 1), Grant(Role.DRAW_CLERK, HERE, NOW + 1)}),
    "delegated": frozenset({Grant(Role.DRAW_CLERK, HERE, NOW, NOW + 1)}),
    "elsewhere": frozenset({Grant(Role.DRAW_CLERK, THERE), Grant(Role.EXPERT, HERE)}),
    "clerk and supervisor": frozenset({Grant(Role.DRAW_CLERK, HERE), Grant(Role.SUPERVISOR, HERE)}),
    "two administrators": frozenset({Grant(Role.SYSTEM_ADMIN, EVERYWHERE), Grant(Role.SECURITY_ADMIN, EVERYWHERE)}),
    "administrator and clerk": frozenset({Grant(Role.SYSTEM_ADMIN, EVERYWHERE), Grant(Role.DRAW_CLERK, HERE)}),
    "administrator and former supervisor": frozenset({Grant(Role.SYSTEM_ADMIN, EVERYWHERE), Grant(Role.SUPERVISOR, HERE, 0, 5)}),
}
THINGS: dict[str, Thing] = {
    "own": Thing(HERE, ME, DIGEST),
    "same centre, other person": Thing(HERE, OTHER, DIGEST),
    "other centre": Thing(THERE, OTHER, DIGEST),
    "own, other centre": Thing(THERE, ME, DIGEST),
    "installation": Thing(EVERYWHERE, None, DIGEST),
    "no centre": Thing(None, OTHER, DIGEST),
    "nobody's": Thing(HERE, None, DIGEST),
    "no digest": Thing(HERE, ME, b""),
}


@dataclass(frozen=True)
class Shows:
    """A login, as `require` sees it."""

    level: Level
    passkey: bool = False
    active: bool = True
    duty: str = ""
    scopes: frozenset[str] | None = None
    person: PersonId | None = ME


LOGINS: dict[str, Shows] = {
    "none": Shows(Level.NONE, person=None),
    "expired or revoked": Shows(Level.NONE),
    "password": Shows(Level.PASSWORD),
    "full": Shows(Level.FULL),
    "full by passkey": Shows(Level.FULL, passkey=True),
    "stepped up": Shows(Level.STEPPED_UP),
    "stepped up by passkey": Shows(Level.STEPPED_UP, passkey=True),
    "nobody, stepped up": Shows(Level.STEPPED_UP, passkey=True, person=None),
    "suspended": Shows(Level.STEPPED_UP, passkey=True, active=False),
    "password too old": Shows(Level.STEPPED_UP, passkey=True, duty="change_password"),
    "must enrol": Shows(Level.STEPPED_UP, duty="enrol_passkey"),
    "token with every scope": Shows(Level.FULL, scopes=frozenset(TABLE), person=None),
    "token with one scope": Shows(Level.FULL, scopes=frozenset({"status.read"}), person=None),
    "token without scope": Shows(Level.FULL, scopes=frozenset(), person=None),
}


def approvals_for(row: Permission, thing: Thing) -> dict[str, Granted | None]:
    if not row.approvals:
        return {"none": None}
    good = Granted(row.name, DIGEST, thing.centre or EVERYWHERE, ME, (OTHER, THIRD, FOURTH)[: len(row.approvals)], NOW + 1)
    return {
        "none": None,
        "good": good,
        "of another action": replace(good, action="public.read"),
        "of another version": replace(good, subject=bytes(32)),
        "of no version": replace(good, subject=b""),
        "of another centre": replace(good, centre=CentreId("3" * 32)),
        "too old": replace(good, until=NOW),
        "by one too few": replace(good, approved_by=good.approved_by[1:]),
        "by one twice": replace(good, approved_by=(*good.approved_by[1:], good.approved_by[-1])),
        "by who asked": replace(good, approved_by=(*good.approved_by[1:], ME)),
    }


HIDDEN = "hidden"


def oracle(row: Permission, actor: Actor, thing: Thing, granted: Granted | None) -> bool | str:
    """The rules of the house, one sentence each; HIDDEN where the thing must not even be said to exist. Shares no line with `require`."""
    if row.whose is Whose.PUBLIC:
        return True  # the public may
    if actor.level == 0 or not actor.active:
        return False  # who is not signed in may nothing else, nor who is suspended
    roles_of_the_person = {each.role.value for each in actor.grants}
    if len(roles_of_the_person) > 1 and roles_of_the_person & {"system_admin", "security_admin", "audit_admin"}:
        return False  # an administrator is nothing else
    machine = actor.scopes is not None
    if machine and (not row.by_token or row.name not in (actor.scopes or ())):
        return False  # a machine may what its token says, of what machines may
    current = [each for each in actor.grants if each.since <= NOW and (each.until > NOW or each.until == 0)]
    match row.whose:
        case Whose.OWN:
            if actor.person is None or thing.owner != actor.person:
                return HIDDEN  # own things only
        case Whose.CENTRE:
            current = [each for each in current if thing.centre == "*" or each.centre in (thing.centre, "*")]
            if thing.centre is None or not current:
                return HIDDEN  # nor anything of a centre at which one is nothing
    mine = {each.role.value for each in current} & {each.value for each in row.roles}
    if not mine and "visitor" not in row.roles:
        return False  # the role is needed, unless any account will do
    strong = {"system_admin", "security_admin", "audit_admin", "supervisor", "approver", "key_custodian"}
    if actor.level < 2 and row.level >= 2:
        return False  # two factors
    if actor.duty and not row.before_duties:
        return False  # duties first
    if mine and not mine - strong and not machine and not actor.passkey and not row.before_duties:
        return False  # those who watch and decide come with a passkey
    if row.level == 3 and actor.level != 3:
        return False  # critical actions ask again
    if row.passkey and not actor.passkey:
        return False
    if row.approvals:
        if granted is None or granted.action != row.name or granted.until <= NOW:
            return False
        if granted.subject != thing.digest or len(thing.digest) == 0:
            return False
        if granted.centre != (thing.centre if thing.centre is not None else "*"):
            return False
        others = {each for each in granted.approved_by if each != granted.asked_by}
        if len(others) < len(row.approvals):
            return False
    return True


def cells() -> Iterator[tuple[str, Actor, Thing, Granted | None, bool | str]]:
    actors = [
        Actor(shows.person, None, grants, shows.level, shows.passkey, shows.active, shows.duty, shows.scopes)
        for grants, shows in itertools.product(HOLDINGS.values(), LOGINS.values())
    ]
    for row, thing in itertools.product(TABLE.values(), THINGS.values()):
        approvals = list(approvals_for(row, thing).values())
        for actor, granted in itertools.product(actors, approvals):
            yield row.name, actor, thing, granted, oracle(row, actor, thing, granted)
    for actor in actors:
        yield "no.such", actor, THINGS["own"], None, False


@pytest.fixture(scope="module")
def matrix() -> list[tuple[str, Actor, Thing, Granted | None, bool | str]]:
    return list(cells())


def differs(judge: Callable[..., None], matrix) -> object:
    """The first cell in which `judge` and the oracle say different things."""
    for name, actor, thing, granted, allowed in matrix:
        try:
            judge(name, actor, thing, NOW, granted)
            did: bool | str = True
        except Refused as why:
            did = HIDDEN if why.code == "not_found" else False
        except Exception as wrong:
            return name, actor, thing, granted, wrong
        if did != allowed:
            return name, actor, thing, granted, allowed
    return None


def test_every_cell_of_the_matrix_is_as_the_plain_rules_say(matrix):
    began = time.perf_counter()
    assert differs(require, matrix) is None
    allowed = sum(each[-1] is True for each in matrix)
    counts("cells of the authorisation matrix", len(matrix), len(matrix))
    counts("of them allowed", allowed, allowed)
    assert time.perf_counter() - began < 60
    for name in TABLE:
        of = [each for each in matrix if each[0] == name]
        assert any(each[-1] is True for each in of), f"nobody may {name}"
        assert TABLE[name].whose is Whose.PUBLIC or not all(each[-1] is True for each in of)


JUDGES = ("require", "require_to_ask", "wanting", "reaches", "_check_granted")


def mutants() -> Iterator[tuple[str, ast.Module]]:
    """`require` without one check, or without one part of a condition."""
    source = inspect.getsource(permissions)

    def parse() -> tuple[ast.Module, list[ast.AST]]:
        tree = ast.parse(source)
        functions = [each for each in tree.body if isinstance(each, ast.FunctionDef) and each.name in JUDGES]
        assert len(functions) == len(JUDGES)
        return tree, [node for function in functions for node in ast.walk(function)]

    _, nodes = parse()
    for at, node in enumerate(nodes):
        for kind in ("drop", "never", "always"):
            if kind == "drop" and isinstance(node, ast.BoolOp):
                for part in range(len(node.values)):
                    tree, copies = parse()
                    copy = copies[at]
                    assert isinstance(copy, ast.BoolOp)
                    rest = copy.values[:part] + copy.values[part + 1 :]
                    copy.values = rest if len(rest) > 1 else rest * 2
                    yield f"line {node.lineno} without {ast.unparse(node.values[part])}", tree
            elif kind == "never" and isinstance(node, ast.If):
                tree, copies = parse()
                copy = copies[at]
                assert isinstance(copy, ast.If)
                copy.test = ast.Constant(False)
                yield f"line {node.lineno} never {ast.unparse(node.test)}", tree
            elif kind == "never" and isinstance(node, ast.comprehension) and node.ifs:
                tree, copies = parse()
                copy = copies[at]
                assert isinstance(copy, ast.comprehension)
                copy.ifs = []
                yield f"line {node.ifs[0].lineno} all, not {ast.unparse(node.ifs[0])}", tree
            elif kind == "always" and isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
                tree, copies = parse()
                copy = copies[at]
                assert isinstance(copy, ast.Expr)
                copy.value = ast.Constant(None)
                yield f"line {node.lineno} no call of {ast.unparse(node.value)}", tree


def test_no_check_can_be_removed_unnoticed(matrix):
    made, alive = 0, []
    # The cells that the plain rules allow or nearly allow come first: most mutants end there.
    ordered = sorted(matrix, key=lambda cell: (cell[-1] is not True, cell[1].level != Level.STEPPED_UP))
    for what, tree in mutants():
        module = types.ModuleType("mutant")
        module.__dict__["__name__"] = "server.auth.permissions"
        exec(compile(ast.fix_missing_locations(tree), "mutant", "exec"), module.__dict__)
        made += 1
        if differs(module.require, ordered) is None:
            alive.append(what)
    counts("mutants of require, all noticed", made, made)
    assert not alive, "\n".join(alive)


def test_a_permission_that_nobody_listed_is_refused():
    with pytest.raises(Refused, match="no_such_permission"):
        require("public.reed", Actor(ME, level=Level.STEPPED_UP, passkey=True), Thing(HERE), NOW)


def test_a_route_without_an_entry_stops_the_start_up():
    check_routes({"home": "public.read", "people": "people.list"})
    with pytest.raises(ValueError, match=r"without an entry.*draws \(none\), peple \(people.lst\)"):
        check_routes({"home": "public.read", "peple": "people.lst", "draws": ""})


GOOD = TABLE["draw.start"]


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (replace(GOOD, roles=frozenset()), "for nobody"),
        (replace(GOOD, approvals=(frozenset(),)), "for nobody"),
        (replace(GOOD, level=Level.NONE), "half public"),
        (replace(GOOD, whose=Whose.PUBLIC), "half public"),
        (replace(TABLE["public.read"], roles=frozenset({Role.EXPERT})), "half public"),
        (replace(GOOD, roles=GOOD.roles | {Role.VISITOR}), "everybody at everything"),
        (replace(GOOD, roles=GOOD.roles | {Role.BIDDER_GUEST}), "guest link"),
        (replace(GOOD, level=Level.FULL), "without a step-up"),
        (replace(GOOD, approvals=(GOOD.roles,)), "by one role"),
        (replace(GOOD, by_token=True), "for a machine"),
        (replace(TABLE["account.read"], by_token=True), "for a machine"),
    ],
)
def test_a_row_that_cannot_be_meant_stops_the_start_up(row, why):
    with pytest.raises(ValueError, match=why):
        assemble([row])


def test_a_name_stands_in_the_table_once():
    with pytest.raises(ValueError, match="there twice"):
        assemble([GOOD], [GOOD])


@pytest.mark.parametrize("one", ["system_admin", "security_admin", "audit_admin"])
def test_an_administrator_holds_no_second_role(one):
    check_grants([Role(one)])
    for other in Role:
        if other is not Role(one):
            with pytest.raises(Refused):
                check_grants([Role(one), other])


def test_some_people_hold_several_roles_and_nobody_is_granted_a_guest_s():
    check_grants([Role.SUPERVISOR, Role.KEY_CUSTODIAN, Role.WITNESS_ON_SITE])
    check_grants([])
    for role in (Role.VISITOR, Role.BIDDER_GUEST):
        with pytest.raises(Refused, match="role_not_granted"):
            check_grants([role])


def test_administrators_have_no_part_in_draws():
    for row in (each for each in permissions.DRAWS if each.whose is not Whose.PUBLIC):  # by a link, which is the right itself
        assert not row.roles & {Role.SYSTEM_ADMIN, Role.SECURITY_ADMIN, Role.AUDIT_ADMIN}
        assert not any(one & {Role.SYSTEM_ADMIN, Role.SECURITY_ADMIN, Role.AUDIT_ADMIN} for one in row.approvals)


def test_the_page_of_the_docs_is_the_table():
    page = Path(__file__).parents[3] / "docs" / "permissions.md"
    assert page.read_text("utf-8") == permissions_page(), "run make docs"
