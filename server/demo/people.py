"""Fills a fresh demonstration through the use cases that its pages use: the first day, invitations, passkeys, roles asked for and approved.

Nothing is written past the rules: each role has its proposal with two signatures that the keeper verified, each account its invitation taken up.
Only who acts is made here rather than signed in, so that nobody's code of the next minute is used up before the reader has seen it.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

from drawing.errors import Refused
from server.auth.model import EVERYWHERE, AccountId, Actor, CentreId, Grant, Level, PersonId, Role
from server.auth.sign_in import Request
from server.demo import draws
from server.demo.book import Book, Person, write_book
from server.demo.passkeys import SoftwarePasskey, make_passkey
from server.keeper.people import STEP, code_at
from server.places import Places
from server.ports import Clock
from server.services import account, approvals, first_day, people
from server.services.desk import Caller, Desk
from server.services.first_day import Wanted
from server.storage.tx import Tx

PASSWORD = "Juniper-ferry-27-moss"  # noqa: S105 - everybody's in a demonstration, and printed
CENTRES = (("sl", "示例市公共资源交易中心"), ("lx", "邻县公共资源交易中心"))
HERE, THERE = 0, 1


@dataclass(frozen=True, slots=True)
class Part:
    """Whom somebody plays: account name, name (invented), role, centre."""

    account: str
    name: str
    role: Role | None
    centre: int = HERE
    passkey: bool = False


ADMINISTRATORS = (
    Part("sun.qiming", "孙启明", Role.SYSTEM_ADMIN),
    Part("an.ruolan", "安若兰", Role.SECURITY_ADMIN),
    Part("shen.jiahe", "沈嘉禾", Role.AUDIT_ADMIN),
)
STAFF = (
    Part("he.xiaowen", "何晓雯", Role.DRAW_CLERK, passkey=True),
    Part("zheng.guodong", "郑国栋", Role.APPROVER, passkey=True),
    Part("ouyang.jing", "欧阳静", Role.SUPERVISOR, passkey=True),
    Part("qiao.yiran", "乔怡然", Role.AGENCY),
    Part("lu.wenbo", "陆文博", Role.CONTRIBUTOR),
    Part("chen.liqun", "陈立群", Role.EXPERT),
    Part("wang.zhe", "王喆", Role.SITE_HOST, passkey=True),
    Part("lin.kun", "林堃", Role.TECHNICIAN),
    Part("zhou.mengqi", "周梦琪", Role.ARCHIVIST, passkey=True),
    Part("gu.changfeng", "顾长风", Role.KEY_CUSTODIAN, passkey=True),
    Part("tang.yue", "唐悦", Role.WITNESS_ON_SITE),
    Part("jiang.han", "江涵", Role.DRAW_CLERK, THERE, passkey=True),
    Part("luo.yiming", "罗一鸣", Role.SUPERVISOR, THERE, passkey=True),
    Part("xu.anran", "许安然", None),
)
INVITED = Part("dong.yuchen", "董雨辰", None)
WAITING = (("xu.anran", Role.ARCHIVIST, "接替档案岗位"), ("lin.kun", Role.ARCHIVIST, "兼管影像档案"))  # the second has one signature


@dataclass(slots=True)
class _Cast:
    """Who is there so far: how each acts, and what goes into the book."""

    desk: Desk
    clock: Clock
    origin: str
    callers: dict[str, Caller] = field(default_factory=dict[str, Caller])
    book: dict[str, Person] = field(default_factory=dict[str, Person])

    def caller(self, name: str) -> Caller:
        return replace(self.callers[name], request=Request(self.clock.now(), "127.0.0.1", label="demo"))

    def plays(self, name: str, person: PersonId, id: AccountId, grant: Grant | None, *, passkey: bool) -> None:  # noqa: A002
        grants = frozenset({grant} if grant else ())
        self.callers[name] = Caller(Actor(person, id, grants, Level.STEPPED_UP, passkey))

    def holds(self, name: str, grant: Grant) -> None:
        """What was asked for and approved."""
        before = self.callers[name].actor
        self.callers[name] = Caller(replace(before, grants=before.grants | {grant}, passkey=bool(self.book[name].keys)))

    def key(self, name: str) -> SoftwarePasskey:
        return self.book[name].keys[0]

    def answer(self, name: str, options: str) -> str:
        return self.key(name).answer(options, self.origin)

    def make_key(self, name: str, options: str) -> str:
        key, told = make_passkey(options, self.origin, secrets.token_bytes(64))
        self.book[name] = replace(self.book[name], keys=(*self.book[name].keys, key))
        return told


async def populate(desk: Desk, console: str, places: Places, origin: str, clock: Clock) -> Book:
    """Everybody, in the order in which they come; the book is written last. `console` is the secret that the ceremony showed."""
    cast = _Cast(desk, clock, origin)
    await _administrators(cast, console)
    centres = await _centres(cast)
    for part in STAFF:
        await _staff(cast, part, centres)
    for name, role, why in WAITING:
        person = cast.callers[name].person
        await people.ask_for_role(desk, person, role, why, cast.caller("sun.qiming"))
    await _vote(cast, "shen.jiahe", "lin.kun")
    _, code = await people.invite(desk, INVITED.name, INVITED.account, centres[HERE], cast.caller("sun.qiming"))
    await draws.play(desk, centres[HERE], places, cast)
    made = Book(PASSWORD, f"/invitation/{code}", tuple(cast.book.values()))
    write_book(made, places.demo_people)
    return made


async def _administrators(cast: _Cast, console: str) -> None:
    nobody = Caller(request=Request(cast.clock.now(), "127.0.0.1"))
    grant = await first_day.begin(cast.desk, console, nobody)
    for part in ADMINISTRATORS:
        assert part.role is not None
        cast.book[part.account] = Person(part.account, part.name, part.role.value, "", "")
        wanted = Wanted(part.role, part.name, part.account, PASSWORD)
        told = cast.make_key(part.account, await first_day.options(cast.desk, grant, wanted, nobody))
        await first_day.enrol(cast.desk, grant, wanted, told, nobody)
        async with cast.desk.store.reading() as tx:
            row = await tx.one("account", name=part.account)
        assert row is not None
        person, id = PersonId(row["person"]), AccountId(row["id"])  # noqa: A001
        cast.plays(part.account, person, id, Grant(part.role, EVERYWHERE), passkey=True)
        await _code_app(cast, part.account)


async def _code_app(cast: _Cast, name: str) -> None:
    """An administrator's code app is set up with a pass that the passkey gave."""
    caller = cast.caller(name)
    asked = await cast.desk.keeper.login_challenge(caller.person)
    bound = secrets.token_bytes(32)
    given = await cast.desk.keeper.check_passkey(asked.challenge, cast.key(name).answer(asked.options, cast.origin), bound)
    secret = await cast.desk.keeper.enrol_totp(caller.person, given, bound)
    cast.book[name] = replace(cast.book[name], secret=secret)
    await _with_old_code(secret, cast, lambda code: account.confirm_totp(cast.desk, code, caller))


async def _centres(cast: _Cast) -> list[CentreId]:
    by = cast.callers["sun.qiming"].person
    made: list[CentreId] = []

    async def work(tx: Tx) -> None:
        made.clear()
        for code, name in CENTRES:
            made.append(CentreId(tx.new_id()))
            await tx.insert("centre", {"id": made[-1], "code": code, "name": name, "created_at": tx.now}, by)

    await cast.desk.store.write(work, cast.clock.now())
    return made


async def _staff(cast: _Cast, part: Part, centres: list[CentreId]) -> None:
    desk = cast.desk
    nobody = Caller(request=Request(cast.clock.now(), "127.0.0.1"))
    person, code = await people.invite(desk, part.name, part.account, centres[part.centre], cast.caller("sun.qiming"))
    begun = await account.begin_invited(desk, code, PASSWORD, nobody)
    await _with_old_code(begun.secret, cast, lambda shown: account.end_invited(desk, code, shown, nobody))
    role = part.role.value if part.role else ""
    cast.book[part.account] = Person(part.account, part.name, role, CENTRES[part.centre][1], begun.secret)
    cast.plays(part.account, person, begun.account.id, None, passkey=False)
    if part.passkey:
        told = cast.make_key(part.account, await account.passkey_options(desk, cast.caller(part.account)))
        await account.enrol_passkey(desk, told, "demo", cast.caller(part.account))
        await _vote(cast, "an.ruolan", part.account)
    if part.role:
        await people.ask_for_role(desk, person, part.role, "演示", cast.caller("sun.qiming"))
        await _vote(cast, "an.ruolan", part.account)
        await _vote(cast, "shen.jiahe", part.account)
        cast.holds(part.account, Grant(part.role, centres[part.centre]))


async def _vote(cast: _Cast, by: str, about: str) -> None:
    """One signature under what waits about this account."""
    waiting, _ = await approvals.inbox(cast.desk, cast.caller(by))
    (card,) = (each for each in waiting if each.about.get("account") == about)
    options = await approvals.vote_options(cast.desk, card.proposal.id, cast.caller(by))
    await approvals.approve(cast.desk, card.proposal.id, cast.key(by).answer(options, cast.origin), cast.caller(by))


async def _with_old_code(secret: str, cast: _Cast, use: Callable[[str], Awaitable[object]]) -> None:
    """The code of the half minute before: right still, and the one that the reader sees is left to be used. Again where a half minute began on the way."""
    for last in (False, True):
        try:
            await use(code_at(base64.b32decode(secret), cast.clock.now() // STEP - 1))
            return
        except Refused as late:
            if last or late.code != "totp_wrong":
                raise
