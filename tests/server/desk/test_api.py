"""The API of people, approvals, log and tokens: as described, for every role; what changes something is done once per key."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from uuid import uuid4

import pytest

from server.auth import service_tokens
from server.auth.model import EVERYWHERE, PersonId, Role
from server.auth.service_tokens import TokenId
from server.handlers.ask import Kind
from server.handlers.routes import DESK, PROGRAMS, TABLE
from server.services import tokens
from server.storage import service_tokens as rows
from tests.conftest import LONG, counts
from tests.server.desk.site import CENTRE, id_of
from tests.server.web.test_api import unbounded
from tests.service import ENGINES

pytestmark = pytest.mark.usefixtures("later")
ROLES = tuple(dict.fromkeys(role for held in tokens.scopes().values() for role in held))


def token_of(site, role, *scopes):
    """The secret of a token that was let in; all scopes of the role where none is named."""
    wanted = scopes or [name for name, held in tokens.scopes().items() if role in held]
    by = PersonId(id_of("sun.xitong"))
    made_id = TokenId(uuid4().hex)
    secret, made = service_tokens.make(
        made_id, f"t {role}", role, EVERYWHERE, wanted, by, site.site.chance.token(32), site.clock.now(), 86_400
    )

    async def work(tx):
        await rows.add(tx, made)
        approval = await tx.all("approval", limit=1)
        await rows.let_in(tx, made.id, approval[0]["id"], by)

    site.run(site.store.write(work, site.clock.now()))
    return secret


@pytest.fixture(scope="module")
def approval(site):
    """Something that waits, so that there is an approval to name."""
    site.settle("lou.lan")
    system = site.visitor().as_("sun.xitong")
    system.open(f"/people/{id_of('lou.lan')}")
    assert system.post(f"/people/{id_of('lou.lan')}/roles", (("role", "archivist"), ("reason", "r"))).status == 303
    return re.search(r'<h2 id="a-([0-9a-f]{32})">[^<]*lou\.lan', system.open("/approvals").text)[1]


def call(site, method, path, token="", body=None, **headers):
    sent = {"Content-Type": "application/json"} if body is not None else {}
    answer = site.ask(
        method,
        path,
        None if body is None else json.dumps(body).encode(),
        {**sent, **({"Authorization": f"Bearer {token}"} if token else {}), **headers},
    )
    return answer.status, json.loads(answer.body)


def as_person(site, visitor, method, path, body=None, **more):
    headers = {k: v for k, v in visitor.headers().items() if k != "Content-Type"} | {"X-CSRF-Token": visitor.token}
    return call(site, method, path, "", body if body is not None or method == "GET" else None, **headers, **more)


def test_every_integer_that_is_sent_has_bounds_and_every_route_says_what_it_does():
    for route in (*PROGRAMS,):
        assert route.kind is Kind.API
        assert route.says, route.name
        assert route.gives is not None or route.binary, route.name
        assert not (route.takes and unbounded(route.takes.model_json_schema())), route.name


def test_a_program_reads_what_its_token_names(site, approval):
    secret = token_of(site, Role.AUDIT_ADMIN)
    status, people = call(site, "GET", "/api/people?q=lou", secret)
    assert (status, people["total"], people["people"][0]["account"]) == (200, 1, "lou.lan")
    assert call(site, "GET", f"/api/people/{id_of('lou.lan')}", secret)[1]["state"] == "active"
    assert call(site, "GET", f"/api/people/{'0' * 32}", secret)[0] == 404
    assert call(site, "GET", f"/api/approvals/{approval}", secret)[1]["action"] == "people.grant_role"
    assert call(site, "GET", "/api/approvals", secret)[1]["waiting"]
    entries = call(site, "GET", f"/api/audit?object={id_of('lou.lan')}", secret)[1]["entries"]
    assert {each["table"] for each in entries} >= {"person"}
    for path in ("/api/account", "/api/account/logins", "/api/tokens"):
        assert call(site, "GET", path, secret)[0] == 403
    assert call(site, "POST", "/api/people", secret, {"name": "x", "account": "y2", "centre": "*"})[0] == 403
    assert call(site, "GET", "/api/people?page=0", secret)[0] == 422
    assert call(site, "GET", "/api/people?pages=1", secret)[0] == 400


def test_a_person_does_by_the_api_what_pages_do(site, approval):
    system, security, auditor = (site.visitor().as_(each) for each in ("sun.xitong", "an.quan", "shen.ji"))
    status, own = as_person(site, system, "GET", "/api/account")
    assert (status, own["account"], own["csrf"]) == (200, "sun.xitong", system.token)
    assert sum(each["this"] for each in as_person(site, system, "GET", "/api/account/logins")[1]["logins"]) == 1
    assert as_person(site, auditor, "POST", "/api/people", {"name": "甲", "account": "api.one"})[0] == 403
    status, invited = as_person(site, system, "POST", "/api/people", {"name": "甲", "account": "api.one", "centre": CENTRE})
    assert status == 200
    assert site.visitor().get(invited["link"].removeprefix(site.origin)).status == 200
    status, refused = as_person(site, system, "POST", "/api/people", {"name": "甲", "account": "api.one", "centre": CENTRE})
    assert (status, refused["faults"][0]["code"]) == (422, "row_conflicts")
    for visitor, name in ((security, "an.quan"), (auditor, "shen.ji")):
        asked = as_person(site, visitor, "POST", f"/api/approvals/{approval}/options")[1]["options"]
        answer = site.keys[name].get(json.dumps(asked))
        status, told = as_person(site, visitor, "POST", f"/api/approvals/{approval}/approve", {"assertion": answer})
        assert status == 200
    assert told == {"outcome": "used"}
    person = f"/api/people/{id_of('lou.lan')}"
    assert [each["role"] for each in as_person(site, system, "GET", person)[1]["grants"]] == ["archivist"]
    status, ended = as_person(site, system, "POST", person + "/roles/end", {"role": "archivist", "reason": "r"})
    assert as_person(site, security, "POST", f"/api/approvals/{ended['approval']}/refuse", {"reason": "不同意"})[0] == 200
    assert as_person(site, system, "GET", f"/api/approvals/{ended['approval']}")[1]["outcome"] == "refused"
    assert as_person(site, security, "POST", person + "/suspend")[0] == 200
    status, asked = as_person(site, system, "POST", person + "/resume", {"reason": "r"})
    assert as_person(site, system, "POST", f"/api/approvals/{asked['approval']}/withdraw")[0] == 200
    bare = {"Cookie": system.cookie_header()["Cookie"]}
    assert call(site, "POST", person + "/close", **bare)[1]["code"] == "csrf"


def test_the_same_request_with_the_same_key_is_done_once(site):
    system = site.visitor().as_("sun.xitong")
    key = {"Idempotency-Key": str(uuid4())}
    wish = {"name": "乙", "account": "api.twice", "centre": CENTRE}
    first = as_person(site, system, "POST", "/api/people", wish, **key)
    assert first[0] == 200
    assert as_person(site, system, "POST", "/api/people", wish, **key) == first
    status, told = as_person(site, system, "POST", "/api/people", {**wish, "account": "api.other"}, **key)
    assert (status, told["faults"][0]["code"]) == (422, "key_of_another_request")
    security = site.visitor().as_("an.quan")
    assert as_person(site, security, "POST", "/api/people", wish, **key)[0] == 403  # a key is its person's
    # A refusal frees the key; what failed half-way keeps it.
    key = {"Idempotency-Key": str(uuid4())}
    assert as_person(site, system, "POST", "/api/people", wish, **key)[0] == 422
    assert as_person(site, system, "POST", "/api/people", {**wish, "account": "api.free"}, **key)[0] == 200
    for bad in ("short", "ä" * 30, "x" * 65):
        assert as_person(site, system, "POST", "/api/people", wish, **{"Idempotency-Key": bad.encode("latin-1")})[0] == 400

    async def kept():
        async with site.store.reading() as tx:
            return await tx.all("idempotency")

    stored = repr(site.run(kept()))
    assert first[1]["link"].rpartition("/")[2] not in stored
    assert key["Idempotency-Key"] not in stored


# These come last: with an administrator's login people are closed and proposals taken back.


BOTH_ENGINES = pytest.mark.parametrize("site", ENGINES if LONG else ENGINES[:1], indirect=True)  # minutes each; the API is the same on both


def schemathesis(site, folder, number, *more):
    """All checks, with so many examples per operation; what it found is shown whole, not as pytest would shorten it."""
    done = subprocess.run(
        [sys.executable, "-m", "schemathesis.cli", "run", f"http://{site.host}/api/openapi.json", "--checks", "all",
         "--max-examples", str(number), "--seed", "7", "--suppress-health-check", "all", "--no-color", *more],
        capture_output=True, text=True, timeout=900, check=False, cwd=folder,
    )  # fmt: skip
    if done.returncode:
        print(done.stdout, done.stderr, sep="\n")
        pytest.fail(f"schemathesis ended with {done.returncode}: what it says stands above")


@BOTH_ENGINES
def test_schemathesis_finds_nothing_with_a_token_of_any_role(site, approval, tmp_path):
    number = counts("schemathesis examples per operation and role", 2, 20)
    asked = ROLES[: counts("roles of tokens before schemathesis", 1, len(ROLES))]
    for role in asked:
        schemathesis(site, tmp_path, number, "--header", f"Authorization: Bearer {token_of(site, role)}")
    described = [route for route in (*TABLE, *DESK, *PROGRAMS) if route.kind is Kind.API]
    counts("operations of the API before schemathesis, for each role", len(described), len(described))


@BOTH_ENGINES
def test_schemathesis_finds_nothing_with_the_login_of_an_administrator(site, approval, tmp_path):
    """A person who may invite, ask and end things, stepped up: what the token runs cannot reach. Its cookie is sent whatever the check would
    send in its place, so that the checks about a wrong cookie say nothing here; the login must not be ended under way."""
    system = site.visitor().as_("sun.xitong")
    number = counts("schemathesis examples per operation with a login", 2, 20)
    headers = {**system.cookie_header(), "Origin": site.origin, "Sec-Fetch-Site": "same-origin", "X-CSRF-Token": system.token}
    words = [each for name, value in headers.items() for each in ("--header", f"{name}: {value}")]
    phases = () if LONG else ("--phases", "examples,fuzzing")  # the edges of every operation: with the token above
    left = ("--exclude-checks", "ignored_auth,negative_data_rejection", "--exclude-path-regex", "logins")
    schemathesis(site, tmp_path, number, *phases, *words, *left)
