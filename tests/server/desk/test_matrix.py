"""Every route, for every role, in every state of a login: what the permission table says, asked over HTTP. The table is read by an oracle of our own."""

from __future__ import annotations

import http.client
import re
import shutil
from dataclasses import replace
from hashlib import sha256

import pytest

from drawing.errors import Refused
from server.auth import logins
from server.auth.logins import Event, LoginId, State
from server.auth.model import PASSKEY_ROLES, Level, Role
from server.auth.permissions import TABLE, Whose
from server.handlers.routes import DESK
from server.handlers.routes import TABLE as OPEN
from server.handlers.viewers import PUBLIC
from tests.server.desk.site import Desk, id_of, problem
from tests.server.web.live import Answer

ROLES = (*(role for role in Role if role not in (Role.VISITOR, Role.BIDDER_GUEST)), None)
STATES = ("nobody", "password", "code", "passkey", "code again", "passkey again")
WANTING = {"sign_in", "second_factor", "step_up", "passkey_first", "enrol_passkey", "change_password", "forbidden", "not_found"}


class Published:
    """A log whose first checkpoint is out, so that asking for it finds something."""

    async def file(self, path):
        if path != "checkpoint":
            raise Refused("no_such_tile", "log")
        return b"a note"


@pytest.fixture(scope="module")
def site(templates, tmp_path_factory):
    if "sqlite" not in templates:
        pytest.skip("asked once")
    folder = tmp_path_factory.mktemp("matrix")
    shutil.copy(templates["sqlite"], folder / "lotroom.db")
    made = Desk(folder, f"sqlite+aiosqlite:///{folder / 'lotroom.db'}")
    made.site.tiles = Published()
    yield made
    made.stop()


def expected(route, role, state):
    """ "" where the route lets this viewer in, else the code that it answers."""
    if route.permission == PUBLIC:
        return ""
    row = TABLE[route.permission]
    if row.whose is Whose.PUBLIC:
        return ""
    level = {"nobody": Level.NONE, "password": Level.PASSWORD, "code": Level.FULL, "passkey": Level.FULL}.get(state, Level.STEPPED_UP)
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
    return re.sub(r"\{code:[^/]*\}\}?", "A" * 43, path)


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
    if state.endswith("again"):
        login = replace(login, state=State.STEPPED_UP, stepped_up_at=site.clock.now(), stepped_up_by=factor)
    site.run(site.desk.house.logins.add(login))
    return secret


def test_every_route_answers_every_role_in_every_state_as_the_table_says(site):
    opened = [route for route in OPEN if not route.stream and "static" not in route.name and "verifier" not in route.name]
    asked, wrong = 0, []
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=15)
    for role in ROLES:
        name = f"m.{role or 'nobody'}"
        site.run(site._settle(name, *([role] if role else []), totp=False, passkeys=1))
        for state in STATES:
            token = enter(site, name, state)
            header = {"Cookie": f"lotroom-demo-login={token}", "User-Agent": "x"} if token else {"User-Agent": "x"}
            for route in (*DESK, *(opened if role in (None, Role.EXPERT) else ())):
                asked += 1
                connection.request(route.method, address(route), b"" if route.method == "POST" else None, {"Host": site.host, **header})
                given = connection.getresponse()
                answer = Answer(given.status, given.headers, given.read())
                code = problem(answer) if answer.status >= 400 else ""
                # Without our token a form goes no further than the permission: "csrf" means it would have been let in.
                let_in = code == "csrf" if route.method == "POST" else code not in WANTING or (code == "not_found" and "{" in route.path)
                said = "" if let_in else code
                if said != expected(route, role, state):
                    wrong.append((route.name, str(role), state, said, expected(route, role, state)))
    assert wrong == []
    connection.close()
    assert asked == (len(DESK) * len(ROLES) + len(opened) * 2) * len(STATES)


def test_a_route_without_a_permission_of_the_table_stops_the_start(site):
    from server.app import build, parts_of

    for permission in ("", "people.everything"):
        with pytest.raises(Refused) as refused:
            build(site.settings, parts_of(site.desk), (*OPEN, replace(DESK[0], permission=permission)))
        assert refused.value.code == "route_without_permission"
