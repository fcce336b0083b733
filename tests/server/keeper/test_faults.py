"""A failure put into every function that a day's work passes: no key, no name and no code in what is logged, answered or shown of it."""

import asyncio
import base64
import inspect
import logging
import secrets
import sys
import time
import traceback

import pytest

from drawing.errors import Refused
from server.keeper import approvals, fields, keys, people, rotation, sealed, signing
from server.keeper import keeper as keepers
from server.keeper import store as stores
from server.keeper import vault as vaults
from server.keeper import verbs as v
from server.keeper.child import Child, Drawer
from server.keeper.core import Core, Settings
from server.keeper.frames import Request
from server.keeper.passkeys import Site
from server.keeper.rules import Subject
from tests.conftest import counts
from tests.server.keeper.authenticator import ORIGIN, RP, Authenticator
from tests.server.keeper.house import LOGIN, field, forms

MODULES = (keys, sealed, vaults, fields, people, approvals, signing, rotation, stores)
CLASSES = (keys.Keyring, vaults.Vault, sealed.Shares, signing.SeedSigner, stores.FileStore)
ROTATES = {each.__name__ for each in (sealed, approvals, rotation)}
NAME = "诸葛亮明"


class Day:
    """A keeper in this process, and what people do with it."""

    def __init__(self, folder, *, rotates=True):
        self.folder = folder
        self.rotates = rotates
        self.ceremony = sealed.make_root((), 1, 1, int(time.time()), secrets.token_bytes, demo=True)
        self.answers = []

    async def ask(self, keeper, params):
        verb = v.VERB_OF[type(params)]
        try:
            got = await keeper.answer(Request(1, verb, v.params_of(params)), frozenset(v.CALLERS))
        except Refused as refused:
            self.answers.append(str(refused))
            return None
        return v.shape_of(v.VERBS[verb].result).read(got, verb)

    async def live(self):
        try:
            await self.begin()
        except (RuntimeError, Refused) as wrong:
            keepers.log.error("%s", keepers.safe_trace(wrong))

    async def begin(self):
        self.folder.mkdir()
        self.ahead = 0
        sealed.write_sealed(self.ceremony.file, self.folder / "sealed", new=True)
        store = await stores.FileStore.open(self.folder / "db")
        rates = {each: v.Rate(1e9, 1 << 30) for each in v.VERBS}
        settings = Settings(self.folder / "sealed", Site(RP, (ORIGIN,)), "lotroom.test/log", {}, True, rates)
        file = sealed.read_sealed(self.folder / "sealed")
        core = Core(
            settings,
            store,
            lambda: int(time.time()) + self.ahead,
            secrets.token_bytes,
            Child(),
            Drawer(),
            file,
            sealed.Shares(file),
            True,
        )
        keeper = keepers.Keeper(core, time.monotonic)
        try:
            await keeper.unseal(sealed.open_demo(file))
            await self.work(keeper)
        except (RuntimeError, Refused) as wrong:
            keepers.log.error("%s", keepers.safe_trace(wrong))
        finally:
            await keeper.close()
            await store.close()

    async def work(self, keeper):
        grant = await self.ask(keeper, v.Bootstrap(self.ceremony.console))
        people = {}
        for role in ("security_admin", "system_admin"):
            people[role] = made = Authenticator()
            asked = await self.ask(keeper, v.EnrolPasskeyOptions(grant and grant.grant, "某人", role, role))
            if asked:
                await self.ask(keeper, v.EnrolPasskey(made.create(asked.options), asked.challenge))
        await self.ask(keeper, v.SealFields((field("e1", "name", NAME, index="equal"),), 0, 0, "person:c1:security_admin"))
        self.ahead = 2  # a pass of the second in which somebody's keys changed is void
        asked = await self.ask(keeper, v.LoginChallenge("security_admin"))
        known = (
            asked
            and people["security_admin"].user
            and await self.ask(keeper, v.CheckPasskey(people["security_admin"].get(asked.options), asked.challenge, LOGIN))
        )
        if known:
            totp = await self.ask(keeper, v.EnrolTotp(LOGIN, "security_admin", known.token))
            if totp:
                await self.ask(keeper, v.CheckTotp(people_code(totp.secret), LOGIN, "security_admin"))
            await self.ask(keeper, v.OpenFields(None, (v.At("name", "e1", "person"),), LOGIN, "看", known.token))
        await self.ask(keeper, v.BlindIndex("name", "person", NAME.encode()))
        await self.ask(keeper, v.SignCheckpoint(bytes(32), 1))
        await self.ask(keeper, v.AskKeyStatus())
        if not self.rotates:
            return
        subject = Subject("rotate", "all", bytes(32), int(time.time()) + 600, "root")
        for role, made in people.items():
            asked = await self.ask(keeper, v.ApprovalChallenge(None, role, subject))
            if asked:
                await self.ask(keeper, v.Approve(made.get(asked.options), asked.challenge))
        if await self.ask(keeper, v.Rotate(subject.id)):
            keeper._rotation.cancel()
            await asyncio.wait([keeper._rotation])
            try:
                await rotation.run(keeper.core, list)
            except RuntimeError as wrong:
                keepers.log.error("%s", keepers.safe_trace(wrong))


def people_code(secret):
    return people.code_at(base64.b32decode(secret), int(time.time()) // 30)


def named():
    """Every function and method that might have a key or a name in its hands."""
    for module in MODULES:
        for name, each in vars(module).items():
            if inspect.isfunction(each) and each.__module__ == module.__name__:
                yield (
                    each,
                    [
                        (other, name)
                        for other in list(sys.modules.values())
                        if (other.__name__ or "").startswith("server.keeper") and vars(other).get(name) is each
                    ],
                )
    for cls in CLASSES:
        for name, each in vars(cls).items():
            if inspect.isfunction(each) and name not in ("__init__", "__repr__", "close", "_run"):
                yield each, [(cls, name)]


def breaking(each, after):
    """The function as it is, but it fails after its `after`th call, with its result in nobody's hands."""
    left = [after]

    def fail():
        left[0] -= 1
        if left[0] < 0:
            raise RuntimeError("put in")

    if inspect.iscoroutinefunction(each):

        async def broken(*given, **more):
            result = await each(*given, **more)
            fail()
            return result
    else:

        def broken(*given, **more):
            result = each(*given, **more)
            fail()
            return result

    return broken


def test_no_failure_shows_a_key_a_name_or_a_code(tmp_path, monkeypatch):
    text, logged, seen = [], [], []
    handler = logging.Handler()
    handler.emit = lambda record: logged.append(record.getMessage())
    keepers.log.addHandler(handler)
    as_it_is = keepers.safe_trace

    def watched(wrong):
        """What is logged, and what a logger that shows the variables of our own frames would have shown."""
        logged.append("".join(traceback.format_exception(wrong)))
        for frame, line in traceback.walk_tb(wrong.__traceback__):
            if "server/keeper" in frame.f_code.co_filename and "tests" not in frame.f_code.co_filename:
                text.append(repr(dict(frame.f_locals)))
                seen.append(line)
        return as_it_is(wrong)

    monkeypatch.setattr(keepers, "safe_trace", watched)
    made_keys = []
    make = keys.Secret.__init__

    def noted(self, raw):
        made_keys.append(raw)
        make(self, raw)

    monkeypatch.setattr(keys.Secret, "__init__", noted)
    broken, tried = [], 0
    for each, places in list(named()):
        for after in (0, 7, 20)[: counts("moments of a failure in each function", 1, 3)]:
            day = Day(tmp_path / f"{tried}", rotates=after or each.__module__ in ROTATES)
            with monkeypatch.context() as patch:
                fails_before = len(seen)
                for holder, name in places:
                    patch.setattr(holder, name, breaking(each, after))
                tried += 1
                asyncio.run(day.live())
                logged += day.answers
                text += logged
                if len(seen) > fails_before:
                    broken.append(each.__qualname__)
            whole = "".join(text)
            shown = {form for raw in set(made_keys) if 16 <= len(raw) <= 64 for form in forms(raw) if form in whole}
            assert not shown, (each.__qualname__, [whole[max(0, whole.find(form) - 300) : whole.find(form) + 100] for form in shown])
            assert day.ceremony.console not in "".join(logged), each.__qualname__
            for name in (NAME, repr(NAME.encode())[2:-1], NAME.encode().hex()):
                assert name not in "".join(logged), each
            text.clear()
            logged.clear()
            made_keys.clear()
    keepers.log.removeHandler(handler)
    print(f"failures put into {len(set(broken))} functions at {len(broken)} moments, {len(seen)} frames of ours looked at: 0 keys")
    assert len(set(broken)) >= 50


def test_a_day_without_failures_has_none(tmp_path):
    day = Day(tmp_path / "day")
    asyncio.run(day.live())
    assert all("checkpoint_does_not_extend" in each for each in day.answers), day.answers
    with pytest.raises(Refused):
        raise Refused("x")
