"""The key list in the service: handed in, made, signed by the supervisors before, approved, trusted by the keeper and published; and what is refused."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import replace
from hashlib import sha256

import pytest

from drawing.errors import Refused
from drawing.keys import keys_bytes, parse_keys
from drawing.note import COSIGNATURE, VKey
from server.auth.approvals import Outcome
from server.auth.model import EVERYWHERE, AccountId, Actor, Grant, Level, PersonId
from server.auth.sign_in import Request
from server.config import LogWitness, Settings
from server.keeper.draw_verbs import TrustKeys
from server.keyfiles import make_key
from server.services import approvals, draws, key_list
from server.services.desk import Caller
from tests.server.desk.site import ADMINS, CENTRE, id_of
from tests.server.draws.site import CLERK, OTHER, PEOPLE, SUPERVISOR, Site
from tests.service import ENGINES, _admin, _as

ADMIN, SECURITY = "sun.xitong", "an.quan"


@pytest.fixture(scope="module", params=ENGINES)
def site(request, templates, tmp_path_factory):
    folder = tmp_path_factory.mktemp("lists")
    if request.param == "sqlite":
        shutil.copy(templates["sqlite"], folder / "lotroom.db")
        url = keeper = f"sqlite+aiosqlite:///{folder / 'lotroom.db'}"
    else:
        name = f"{templates['postgresql']}_key_lists"
        asyncio.run(_admin(f"CREATE DATABASE {name} TEMPLATE {templates['postgresql']}"))
        url, keeper = _as("lotroom_web", name), _as("lotroom_keeper", name)
    made = Site(folder, url, keeper, settled=False)
    yield made
    made.stop()
    if request.param == "postgresql":
        asyncio.run(_admin(f"DROP DATABASE {name} WITH (FORCE)"))


def caller(site, name):
    """Somebody who confirmed just now."""
    grants = frozenset({Grant(ADMINS[name], EVERYWHERE) if name in ADMINS else Grant(PEOPLE[name], CENTRE)})
    return Caller(
        Actor(PersonId(id_of(name)), AccountId(id_of("a" + name)), grants, Level.STEPPED_UP, passkey=True),
        None,
        Request(site.clock.now(), "127.0.0.1"),
    )


def public(key):
    return replace(key, sign_secret=b"", vrf_secret=b"", box_secret=b"").public_bytes()


def refused(site, code, work):
    with pytest.raises(Refused) as wrong:
        site.run(work)
    assert wrong.value.code == code


def overview(site):
    return site.run(key_list.overview(site.desk, caller(site, ADMIN)))


def vote(site, name):
    """In the inbox, with a passkey."""
    (card,) = [each for each in site.run(approvals.inbox(site.desk, caller(site, name)))[0] if each.proposal.action == key_list.ACTION]
    options = site.run(approvals.vote_options(site.desk, card.proposal.id, caller(site, name)))
    return site.run(approvals.approve(site.desk, card.proposal.id, site.keys[name].get(options), caller(site, name)))


def build(site, *keys):
    return site.run(key_list.build(site.desk, [each.name for each in keys], site.settings, caller(site, ADMIN)))


def ask(site):
    return site.run(key_list.ask(site.desk, "按计划", CENTRE, caller(site, ADMIN)))


@pytest.fixture(scope="module")
def keys(site):
    """Two supervisors and three contributors, handed in as files."""
    made = [*site.hall.supervisors, *site.hall.contributors, make_key("contributor", "third/c", "third")]
    for each in made:
        site.run(key_list.add(site.desk, public(each), caller(site, SECURITY)))
    return made


def test_a_secret_file_is_not_kept(site):
    key = make_key("contributor", "leaked/c", "leaked")
    refused(site, "secret_handed_in", key_list.add(site.desk, key.secret_bytes(), caller(site, SECURITY)))
    assert all(each.key.name != "leaked/c" for each in overview(site).handed)


def test_a_supervisor_hands_in_a_supervisors_key_and_nobody_elses(site):
    own, others = make_key("supervisor", "own/s", "own"), make_key("contributor", "not/c", "not")
    site.run(key_list.offer(site.desk, public(own), caller(site, SUPERVISOR)))
    refused(site, "key_of_another_role", key_list.offer(site.desk, public(others), caller(site, SUPERVISOR)))
    refused(site, "not_your_role", key_list.offer(site.desk, public(others), caller(site, CLERK)))
    refused(site, "key_twice", key_list.offer(site.desk, public(own), caller(site, SUPERVISOR)))
    (row,) = [each for each in overview(site).handed if each.key.name == "own/s"]
    assert (row.by, row.state) == (SUPERVISOR, "waits")
    site.run(key_list.drop(site.desk, row.id, caller(site, SECURITY)))
    assert [each.state for each in overview(site).handed if each.key.name == "own/s"] == ["dropped"]


def test_a_list_needs_two_of_each_and_keys_that_wait(site, keys):
    one, two, *contributors = keys
    refused(
        site,
        "too_few_supervisors",
        key_list.build(site.desk, [one.name, *(c.name for c in contributors)], site.settings, caller(site, ADMIN)),
    )
    refused(site, "too_few_contributor_keys", key_list.build(site.desk, [one.name, two.name], site.settings, caller(site, ADMIN)))
    refused(site, "not_a_waiting_key", key_list.build(site.desk, ["own/s"], site.settings, caller(site, ADMIN)))
    refused(site, "no_such_list", key_list.ask(site.desk, "x", CENTRE, caller(site, ADMIN)))
    assert overview(site).next is None


def test_the_first_list_is_approved_by_two_and_trusted_by_the_keeper(site, keys):
    build(site, *keys[:4])
    ask(site)
    assert vote(site, SECURITY) is Outcome.OPEN
    assert site.run(key_list.published(site.desk)) is None
    assert vote(site, SUPERVISOR) is Outcome.USED
    chain = site.run(key_list.published(site.desk))
    assert chain.newest.named("contributor") == tuple(sorted(each.name for each in keys[2:4]))
    assert {entry.held for entry in chain.newest.entries} == {"body"}
    assert overview(site).next is None
    assert {each.key.name: each.state for each in overview(site).handed}["third/c"] == "waits"
    refused(site, "list_unchanged", key_list.build(site.desk, [each.name for each in keys[:4]], site.settings, caller(site, ADMIN)))


def test_a_successor_waits_for_a_majority_of_the_supervisors_before(site, keys):
    one, two, first, _, third = keys
    build(site, one, two, first, third)
    found = overview(site)
    assert found.next.missing == 2
    refused(site, "no_majority", key_list.ask(site.desk, "x", CENTRE, caller(site, ADMIN)))
    seen, message = key_list.contents(found.next.list), found.next.list.payload

    def sign(key, signature=None, digest=seen):
        return key_list.sign(site.desk, digest, key.name, signature or key.sign(message), caller(site, OTHER))

    refused(site, "bad_signature", sign(one, bytes(64)))
    refused(site, "not_a_supervisors_key", sign(first))
    refused(site, "no_such_list", sign(one, digest=sha256(b"another").digest()))
    assert site.run(sign(one)).missing == 1
    assert site.run(sign(one)).missing == 1  # twice is once
    assert site.run(sign(two)).complete

    ask(site)
    vote(site, SECURITY)
    refused(site, "list_is_voted_on", sign(two))
    build(site, one, two, first, third)  # made again: signatures and votes of before come to nothing
    assert overview(site).next.missing == 2
    assert not [each for each in site.run(approvals.inbox(site.desk, caller(site, SECURITY)))[0] if each.proposal.action == key_list.ACTION]
    site.run(sign(one)), site.run(sign(two))
    ask(site)
    vote(site, SECURITY)
    assert vote(site, SUPERVISOR) is Outcome.USED
    chain = site.run(key_list.published(site.desk))
    assert [each.version for each in chain.lists] == [1, 2]
    assert {each.key.name: each.state for each in overview(site).handed}["other/c"] == "revoked"


def test_a_key_that_was_left_out_is_not_listed_again(site, keys):
    refused(site, "not_a_waiting_key", key_list.build(site.desk, [each.name for each in keys], site.settings, caller(site, ADMIN)))


def test_a_crash_between_the_keeper_and_the_page_is_made_good_by_voting_again(site, keys, monkeypatch):
    one, two, first, *_ = keys
    site.run(key_list.add(site.desk, public(make_key("contributor", "fourth/c", "fourth")), caller(site, SECURITY)))
    made = site.run(key_list.build(site.desk, [one.name, two.name, first.name, "fourth/c"], site.settings, caller(site, ADMIN)))
    for each in (one, two):
        site.run(key_list.sign(site.desk, key_list.contents(made), each.name, each.sign(made.payload), caller(site, OTHER)))
    ask(site)
    vote(site, SECURITY)
    found = overview(site)
    proposal = found.next.proposal
    options = site.run(approvals.vote_options(site.desk, proposal, caller(site, SUPERVISOR)))

    ways = {**approvals.MATTERS, key_list.ACTION: replace(approvals.MATTERS[key_list.ACTION], do=_fails)}
    monkeypatch.setattr(approvals, "MATTERS", ways)
    answer = site.keys[SUPERVISOR].get(options)
    refused(site, "as_if_it_died", approvals.approve(site.desk, proposal, answer, caller(site, SUPERVISOR)))
    monkeypatch.undo()
    assert len(site.run(key_list.published(site.desk)).lists) == 2
    assert vote(site, SUPERVISOR) is Outcome.USED
    assert len(site.run(key_list.published(site.desk)).lists) == 3


async def _fails(tx, matter, by):
    raise Refused("as_if_it_died", "test")


def test_the_keeper_trusts_nothing_that_was_not_approved(site, keys):
    lists = site.run(key_list.published(site.desk)).lists
    refused(site, "not_approved", site.keeper.ask(TrustKeys(bytes(32), keys_bytes(lists))))


def test_witnesses_of_the_settings_are_in_the_policy(site, keys):
    witness = make_key("witness", "w.example/w")
    vkey = VKey(witness.name, COSIGNATURE, witness.public)
    settings = Settings(origin=site.origin, insecure_demo=True, log_witnesses=[LogWitness(address="https://w.example", vkey=str(vkey))])
    names = [*(each.name for each in keys[:3]), "fourth/c"]
    made = site.run(key_list.build(site.desk, names, settings, caller(site, ADMIN)))
    assert made.log_policy.has_quorum
    assert [str(each) for each in made.log_policy.witnesses.values()] == [str(vkey)]
    assert parse_keys(site.run(draws.key_file(site.desk))).newest.log_policy.log == made.log_policy.log
