"""Every route, for every role, in every state of a login: what the permission table says, asked over HTTP. The table is read by an oracle of our own."""

from __future__ import annotations

import http.client
import json
import multiprocessing
import os
import re
import shutil
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from uuid import uuid4

import pytest

from drawing.errors import Refused
from server.auth import logins, service_tokens
from server.auth.approvals import Proposal, ProposalId
from server.auth.logins import Event, LoginId, State
from server.auth.model import EVERYWHERE, PASSKEY_ROLES, Level, Role
from server.auth.people import AccountState
from server.auth.permissions import TABLE, Whose
from server.handlers.ask import Kind
from server.handlers.routes import DESK, PROGRAMS
from server.handlers.routes import TABLE as OPEN
from server.handlers.viewers import PUBLIC
from server.services import tokens as service
from server.storage import proposals as stored
from server.storage import service_tokens as rows
from tests.conftest import LONG, counts
from tests.server.desk.site import Desk, id_of, problem
from tests.server.web.live import Answer, FakeCheckpoints

ROLES = (*(role for role in Role if role not in (Role.VISITOR, Role.BIDDER_GUEST)), None)
STATES = ("nobody", "password", "code", "passkey", "code again", "passkey again", "expired", "revoked", "locked")
OVER = ("nobody", "expired", "revoked", "locked")
GONE = ("first_day", "sso", "sso_back", "keys_file")  # the three administrators are there; no identity provider and no key list is
WANTING = {"sign_in", "second_factor", "step_up", "passkey_first", "enrol_passkey", "change_password", "forbidden", "not_found"}


class Published:
    """A log whose first checkpoint is out, so that asking for it finds something."""

    async def file(self, path):
        if path != "checkpoint":
            raise Refused("no_such_tile", "log")
        return b"a note"


@contextmanager
def served(template, folder):
    shutil.copy(template, folder / "lotroom.db")
    made = Desk(folder, f"sqlite+aiosqlite:///{folder / 'lotroom.db'}")
    made.site.tiles = Published()
    made.site.checkpoints = FakeCheckpoints()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def template(templates):
    if "sqlite" not in templates:
        pytest.skip("asked once")
    return templates["sqlite"]


@pytest.fixture(scope="module")
def site(template, tmp_path_factory):
    with served(template, tmp_path_factory.mktemp("matrix")) as made:
        yield made


def expected(route, role, state):
    """ "" where the route lets this viewer in, else the code that it answers."""
    if route.permission == PUBLIC:
        return ""
    if route.signed:
        return "bad_signature"
    row = TABLE[route.permission]
    if row.whose is Whose.PUBLIC:
        return ""
    level = {**dict.fromkeys(OVER, Level.NONE), "password": Level.PASSWORD, "code": Level.FULL, "passkey": Level.FULL}.get(
        state, Level.STEPPED_UP
    )
    with_key = state.startswith("passkey")
    if level is Level.NONE:
        return "sign_in"
    if row.whose is Whose.CENTRE and role is None:
        return "not_found"
    if role not in row.roles and Role.VISITOR not in row.roles:
        return "forbidden"
    if level < row.level:
        return "step_up" if level is Level.FULL else "second_factor"
    counts = role in PASSKEY_ROLES and role in row.roles
    if counts and not with_key and not row.before_duties:
        return "passkey_first"
    if row.passkey and not with_key:
        return "step_up"
    return ""


def address(route):
    path = re.sub(r"\{id:[^/]*\}\}?", "0" * 32, route.path)
    path = re.sub(r"\{type:[^/]*\}\}?", "committed", path)
    return re.sub(r"\{code:[^/]*\}\}?", "A" * 43, path)


def code_of(answer, route):
    """What is wanting, as a page or a program is told it."""
    if answer.status < 400:
        return ""
    return json.loads(answer.body)["code"] if route.kind is Kind.API else problem(answer)


def enter(site, name, state):
    """A login in this state, as if it had come there."""
    if state == "nobody":
        return None
    secret, hashed = logins.token(site.site.chance.token(32))
    login = logins.Login(
        LoginId(id_of(name + state)),
        id_of("a" + name),
        logins.Kind.STAFF,
        hashed,
        0,
        site.clock.now(),
        site.clock.now(),
        State.PASSWORD_OK,
        (Event.PASSWORD_RIGHT,),
        sha256(b"ip:127.0.0.1\nx").digest(),  # one that has moved has lost its step-up
    )
    factor = Event.PASSKEY_RIGHT if state.startswith("passkey") else Event.TOTP_RIGHT
    if state != "password":
        login = replace(login, state=State.FULL, shown=(*login.shown, factor))
    if state == "expired":
        login = replace(login, began=login.began - 13 * 3600)
    if state == "revoked":
        login = replace(login, generation=7)
    if state.endswith("again"):
        login = replace(login, state=State.STEPPED_UP, stepped_up_at=site.clock.now(), stepped_up_by=factor)
    site.run(site.desk.house.logins.add(login))
    return secret


def routes_for(role):
    """Those that ask for a permission; the open ones for a role and for none, as they look at neither."""
    opened = [route for route in OPEN if not route.stream and "static" not in route.name and "verifier" not in route.name]
    return (*DESK, *PROGRAMS, *(opened if role in (None, Role.EXPERT) else ()))


def states_for(role):
    """All; `make test` asks those that are nobody's any more (they answer one thing) of two roles only."""
    return STATES if LONG or role in (None, Role.EXPERT) else tuple(state for state in STATES if state not in OVER)


def asked_as(template, folder, roles):
    """The cells of these roles, asked of a service of their own: how many, and the wrong ones."""
    asked, wrong = 0, []
    with served(template, folder) as site:
        connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=15)
        for role in roles:
            name, locked = f"m.{role or 'nobody'}", f"l.{role or 'nobody'}"
            for account, state in ((name, AccountState.ACTIVE), (locked, AccountState.SUSPENDED)):
                site.run(site._settle(account, *([role] if role else []), totp=False, passkeys=1, state=state))
            for state in states_for(role):
                token = enter(site, locked if state == "locked" else name, state)
                header = {"Cookie": f"lotroom-demo-login={token}", "User-Agent": "x"} if token else {"User-Agent": "x"}
                for route in routes_for(role):
                    asked += 1
                    connection.request(route.method, address(route), b"" if route.method == "POST" else None, {"Host": site.host, **header})
                    given = connection.getresponse()
                    said = told(code_of(Answer(given.status, given.headers, given.read()), route), route, expected(route, role, state))
                    if said != expected(route, role, state):
                        wrong.append((route.name, str(role), state, said, expected(route, role, state)))
        connection.close()
    return asked, wrong


def told(code, route, expects):
    """The code, "" where it means that the viewer was let in. Without our token a form goes no further than the permission: "csrf" means that."""
    if code == expects:
        return code
    if route.method == "POST":
        return "" if code == "csrf" else code
    let_in = code not in WANTING or (code == "not_found" and ("{" in route.path or route.name in GONE))
    return "" if let_in else code


def test_every_route_answers_every_role_in_every_state_as_the_table_says(template, tmp_path):
    began, parts = time.perf_counter(), min(os.cpu_count() or 1, 4)
    folders = [tmp_path / str(part) for part in range(parts)]
    for folder in folders:
        folder.mkdir()
    with ProcessPoolExecutor(parts, multiprocessing.get_context("spawn")) as processes:  # a service answers from one processor
        given = list(processes.map(asked_as, [template] * parts, folders, [ROLES[part::parts] for part in range(parts)]))
    asked, wrong = sum(number for number, _ in given), [cell for _, cells in given for cell in cells]
    assert wrong == []
    assert not LONG or time.perf_counter() - began < 60  # on a machine that is shared: the long run holds the promise
    counts("cells of the matrix of routes, roles and states of a login, over HTTP", asked, asked)
    assert asked == sum(len(routes_for(role)) * len(states_for(role)) for role in ROLES)


def test_every_route_answers_tokens_of_every_role_as_the_table_says(site):
    """With all scopes, with none of the route's, waiting, and over; pages take none."""
    asked, wrong = 0, []
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=15)
    for role in (role for role in ROLES if role):
        held = [name for name, roles in service.scopes().items() if role in roles]
        for state in ("good", "other scope", "waiting", "expired", "ended"):
            secret = token_in(site, role, held if state != "other scope" else ["log.verify"], state) if held else "lotroom_" + "A" * 43
            for route in (*DESK, *PROGRAMS):
                asked += 1
                connection.request(route.method, address(route), b"" if route.method == "POST" else None,
                                   {"Host": site.host, "Authorization": f"Bearer {secret}"})  # fmt: skip
                given = connection.getresponse()
                code = code_of(Answer(given.status, given.headers, given.read()), route)
                row = TABLE[route.permission]
                opens = row.by_token and role in row.roles and state == "good"
                if route.signed:
                    expects = "bad_signature"
                elif route.kind is Kind.PUBLIC:  # nobody looks who asks
                    expects = ""
                elif route.kind is not Kind.API:
                    expects = "bad_request"
                elif state in ("waiting", "expired", "ended") or not held:
                    expects = "sign_in"
                else:
                    expects = "" if opens else "forbidden"
                let_in = (code == "not_found" and ("{" in route.path or route.name in GONE)) or (
                    code == "not_json" and route.takes is not None
                )
                said = "" if expects == "" and let_in else code
                if said != expects:
                    wrong.append((route.name, str(role), state, said, expects))
    connection.close()
    assert wrong == []
    counts("cells of the matrix of routes and service tokens, over HTTP", asked, asked)


def token_in(site, role, scopes, state):
    """A token in this state."""
    now = site.clock.now()
    by = id_of("sun.xitong")
    secret, made = service_tokens.make(
        service_tokens.TokenId(uuid4().hex),
        "t",
        role,
        EVERYWHERE,
        scopes,
        by,
        site.site.chance.token(32),
        now - 100,
        50 if state == "expired" else 1_000,
    )

    async def work(tx):
        await rows.add(tx, made)
        if state != "waiting":
            proposal = Proposal(ProposalId(uuid4().hex), "tokens.make", made.digest, EVERYWHERE, by, frozenset(), (), now, now + 100)
            await stored.add(tx, proposal, f"service_token/{made.id}", "", {})
            await rows.let_in(tx, made.id, proposal.id, by)
        if state == "ended":
            await rows.revoke(tx, made.id, by)

    site.run(site.store.write(work, now))
    return secret


def test_a_route_without_a_permission_of_the_table_stops_the_start(site):
    from server.app import build, parts_of

    for permission in ("", "people.everything"):
        with pytest.raises(Refused) as refused:
            build(site.settings, parts_of(site.desk), (*OPEN, replace(DESK[0], permission=permission)))
        assert refused.value.code == "route_without_permission"
