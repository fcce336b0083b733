"""The component gallery and every page with invented data, in demonstrations only: what people look at, and what accessibility tests run on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Annotated, Any, Literal

from aiohttp import web as aioweb
from pydantic import Field, StringConstraints

from server.errors import NotFound
from server.handlers import forms
from server.handlers.ask import Ask, CheckpointView, Health, PartState
from server.handlers.forms import Form
from server.handlers.i18n import N_
from server.handlers.problems import PROBLEMS, FieldFault, Stop, problem_of
from server.handlers.render import NAVIGATION, NavItem, page
from server.handlers.status import CODES, NAMES, badge
from server.handlers.views import (
    AccountPage,
    ApprovalCard,
    ApprovalsPage,
    AuditPage,
    AuditRow,
    Badge,
    DecidedRow,
    HomePage,
    LoginRow,
    PartRow,
    PasskeyRow,
    PeoplePage,
    PersonRow,
    RoleChoice,
    SecondFactorPage,
    Signature,
    SignInPage,
    StatusPage,
    Step,
    Tone,
)

Made = tuple[str, object]
HOUR, DAY = 3_600, 86_400
PEOPLE = ("何晓雯", "郑国栋", "欧阳静怡", "陈立群", "王喆", "阿依努尔·买买提", "林堃", "赵敏")


class SampleForm(forms.Fields):
    """A form with every kind of field."""

    name: Annotated[forms.Line, StringConstraints(min_length=1, max_length=20)]
    places: int = Field(ge=3, le=11)
    site: Literal["east", "west"]
    reason: forms.Lines = ""


def digest(text: str) -> str:
    """A digest to show."""
    return sha256(text.encode()).hexdigest()


def id_of(number: int) -> str:
    """An id to show."""
    return digest(f"id {number}")[:32]


def checkpoint(ask: Ask) -> CheckpointView:
    """A checkpoint to show."""
    return CheckpointView("lotroom.example/log", 48_213, digest("root"), ask.now - 95, ("supervision-bureau.example", "notary.example"), "")


def fault(ask: Ask, field: str, code: str, **params: object) -> FieldFault:
    """A fault to show."""
    return FieldFault(field, code, ask.language.say(forms.FAULTS[code]) % params)


def sign_in(ask: Ask) -> Made:
    """Empty."""
    return "sign_in.html", SignInPage(forms.empty(), ask.language.say(N_("the city's staff account")))


def sign_in_wrong(ask: Ask) -> Made:
    """After a wrong password."""
    text = ask.language.say(N_("Account or password is wrong."))
    return "sign_in.html", SignInPage(forms.empty(account="he.xiaowen").with_fault("account", "wrong", text))


def sign_in_wait(ask: Ask) -> Made:
    """After several."""
    return "sign_in.html", SignInPage(forms.empty(account="he.xiaowen"), wait_seconds=45)


def second_factor(ask: Ask) -> Made:
    """Both factors offered."""
    return "second_factor.html", SecondFactorPage(forms.empty(), passkey=True)


def second_factor_wrong(ask: Ask) -> Made:
    """A wrong code."""
    text = ask.language.say(N_("This code is wrong or was used already. Wait for the next one."))
    return "second_factor.html", SecondFactorPage(forms.empty(code="123456").with_fault("code", "wrong", text), passkey=False, tries_left=3)


def roles(ask: Ask) -> tuple[RoleChoice, ...]:
    """Some roles."""
    say = ask.language.say
    alone = say(N_("Cannot be held with any other role."))
    return (
        RoleChoice("clerk", say(N_("Draw clerk")), say(N_("Opens and runs draws; never approves them."))),
        RoleChoice("approver", say(N_("Approver")), say(N_("Approves what clerks propose."))),
        RoleChoice("supervisor", say(N_("Supervisor")), say(N_("Reads everything of the project, contributes to chance, may stop."))),
        RoleChoice("archivist", say(N_("Archivist")), say(N_("Keeps and hands out files."))),
        RoleChoice("security_admin", say(N_("Security administrator")), say(N_("People and roles.")), alone),
    )


def account(ask: Ask) -> Made:
    """In order."""
    now, say = ask.now, ask.language.say
    keys = (PasskeyRow(id_of(1), "YubiKey 5", now - 200 * DAY, now - 2 * HOUR), PasskeyRow(id_of(2), "Windows Hello", now - 20 * DAY, None))
    logins = (
        LoginRow(id_of(3), "10.20.4.17", "Chrome 142 · Windows 11", now - 3 * HOUR, now - 5, this=True),
        LoginRow(id_of(4), "10.20.4.90", "Firefox 145 · UOS 20", now - 26 * HOUR, now - 9 * HOUR, this=False),
    )
    return "account.html", AccountPage(
        PEOPLE[0], "he.xiaowen", (say(N_("Draw clerk")),), say(N_("Public Resource Trading Centre")), keys, True, 6, logins, forms.empty()
    )


def account_new(ask: Ask) -> Made:
    """Before a passkey, and with a weak new password."""
    now, say = ask.now, ask.language.say
    logins = (LoginRow(id_of(3), "10.20.4.17", "Chrome 142 · Windows 11", now - 60, now, this=True),)
    form: Form[Any] = Form({}, None, (fault(ask, "new", "too_short", min_length=12),))
    return "account.html", AccountPage(
        PEOPLE[2],
        "ouyang.jingyi",
        (say(N_("Supervisor")),),
        say(N_("Public Resource Trading Centre")),
        (),
        False,
        0,
        logins,
        form,
        needs_passkey=True,
    )


def people(ask: Ask) -> Made:
    """A list."""
    now, say = ask.now, ask.language.say
    key, code, none = (
        Badge(say(text), tone) for text, tone in ((N_("passkey"), Tone.GOOD), (N_("code app"), Tone.PART), (N_("none"), Tone.WARN))
    )
    active, waiting, blocked = (
        Badge(say(text), tone)
        for text, tone in ((N_("active"), Tone.GOOD), (N_("waits for approval"), Tone.WARN), (N_("blocked"), Tone.BAD))
    )
    named = {role.value: role.label for role in roles(ask)}
    rows = [
        (PEOPLE[0], "he.xiaowen", ("clerk",), code, active, now - 300),
        (PEOPLE[1], "zheng.guodong", ("approver", "archivist"), key, active, now - DAY),
        (PEOPLE[2], "ouyang.jingyi", ("supervisor",), key, active, now - 2 * HOUR),
        (PEOPLE[3], "chen.liqun", ("security_admin",), key, active, now - 900),
        (PEOPLE[4], "wang.zhe", (), none, waiting, None),
        (PEOPLE[5], "ayinuer", ("supervisor",), key, active, now - 40 * DAY),
        (PEOPLE[6], "lin.kun", ("clerk",), code, blocked, now - 90 * DAY),
    ]
    made = tuple(
        PersonRow(id_of(n), name, acc, tuple(named[r] for r in held), factor, state, seen)
        for n, (name, acc, held, factor, state, seen) in enumerate(rows)
    )
    return "people.html", PeoplePage("", "", made, 23, roles(ask), forms.empty(), next="?page=2")


def people_wrong(ask: Ask) -> Made:
    """An invitation with faults: the dialog is open again."""
    _, view = people(ask)
    assert isinstance(view, PeoplePage)
    form: Form[Any] = Form(
        {"name": "", "new_account": "He Xiaowen"},
        None,
        (fault(ask, "name", "missing"), fault(ask, "new_account", "pattern")),
    )
    return "people.html", PeoplePage("", "", view.people[:3], 3, view.roles, form)


def people_none(ask: Ask) -> Made:
    """A search without a hit."""
    return "people.html", PeoplePage("zhx", "", (), 0, roles(ask), forms.empty())


def steps(ask: Ask, at: int) -> tuple[Step, ...]:
    """A step bar."""
    words = (N_("Request"), N_("Screening"), N_("Commitment"), N_("Joint chance"), N_("Result under seal"), N_("Opening"))
    return tuple(Step(ask.language.say(word), "done" if n < at else "now" if n == at else "later") for n, word in enumerate(words))


def approvals(ask: Ask) -> Made:
    """One to approve, one to wait for, some decided."""
    now, say = ask.now, ask.language.say
    clerk, approver, supervisor = (say(N_("Draw clerk")), say(N_("Approver")), say(N_("Supervisor")))
    commit = ApprovalCard(
        id_of(20),
        say(N_("Commit the draw for %(project)s"), project="JXF-2026-0113"),
        say(N_("Conditions checked with the tenderer; evaluation on the 27th.")),
        f"{PEOPLE[0]} · {clerk}",
        now - 40 * 60,
        now + 23 * HOUR,
        digest("commit"),
        (
            (say(N_("Experts")), say(N_("5, with 3 in reserve"))),
            (say(N_("Eligible")), say(N_("214 of 1,208 screened"))),
            (say(N_("Evaluation")), "2026-11-27 09:00"),
        ),
        (Signature(PEOPLE[2], supervisor, now - 12 * 60),),
        2,
        steps(ask, 2),
        mine=True,
    )
    unseal = ApprovalCard(
        id_of(21),
        say(N_("Open the names of %(project)s"), project="JXF-2026-0098"),
        say(N_("All experts have checked in.")),
        f"{PEOPLE[7]} · {clerk}",
        now - 5 * 60,
        now + 2 * HOUR,
        digest("unseal"),
        ((say(N_("Slots")), "1–7"), (say(N_("Not before")), "2026-11-25 08:30")),
        (),
        3,
        steps(ask, 5),
        mine=False,
        why_not=say(N_("You asked for it yourself: others approve.")),
    )
    decided = (
        DecidedRow(
            id_of(22),
            say(N_("Grant the role %(role)s to %(name)s"), role=supervisor, name=PEOPLE[5]),
            Badge(say(N_("approved")), Tone.GOOD),
            now - 3 * DAY,
            (Signature(PEOPLE[3], "", now), Signature(PEOPLE[1], approver, now)),
        ),
        DecidedRow(
            id_of(23),
            say(N_("Export the evidence of %(project)s"), project="JXF-2026-0071"),
            Badge(say(N_("refused")), Tone.BAD),
            now - 5 * DAY,
            (),
        ),
        DecidedRow(
            id_of(24),
            say(N_("Commit the draw for %(project)s"), project="JXF-2026-0109"),
            Badge(say(N_("void: changed")), Tone.QUIET),
            now - 6 * DAY,
            (),
        ),
    )
    return "approvals.html", ApprovalsPage((commit, unseal), decided)


def approvals_none(ask: Ask) -> Made:
    """An empty inbox."""
    return "approvals.html", ApprovalsPage((), ())


def audit(ask: Ask) -> Made:
    """Entries."""
    now, say = ask.now, ask.language.say
    done = (
        (N_("Draw committed"), "JXF-2026-0113", PEOPLE[0]),
        (N_("Approval given"), "JXF-2026-0113", PEOPLE[2]),
        (N_("Signed in"), PEOPLE[0], PEOPLE[0]),
        (N_("Role granted"), PEOPLE[5], PEOPLE[3]),
        (N_("Names opened"), "JXF-2026-0098", PEOPLE[2]),
        (N_("Result published under seal"), "JXF-2026-0098", say(N_("Key keeper"))),
        (N_("Library imported"), say(N_("Expert library, autumn")), PEOPLE[1]),
    )
    rows = tuple(
        AuditRow(48_212 - n, now - 120 - n * 1_733, say(action), thing, id_of(n), by, digest(f"leaf {n}"), n > 0)
        for n, (action, thing, by) in enumerate(done)
    )
    actions = (("", say(N_("all"))), ("draw", say(N_("Draws"))), ("login", say(N_("Logins"))), ("role", say(N_("Roles"))))
    verified = Badge(say(N_("48,213 entries verified against the newest checkpoint; all lists match.")), Tone.GOOD)
    return "audit.html", AuditPage(forms.empty(), actions, rows, 48_213, checkpoint(ask), verified, earlier="?before=48206")


def audit_none(ask: Ask) -> Made:
    """A filter without a hit."""
    _, view = audit(ask)
    assert isinstance(view, AuditPage)
    form: Form[Any] = Form({"object": "JXF-1999-1 ", "since": "2026-11-01"}, None, (fault(ask, "object", "pattern"),))
    return "audit.html", AuditPage(form, view.actions, (), 0, None)


def home(ask: Ask) -> Made:
    """The public page of a centre at work."""
    return "home.html", HomePage(checkpoint(ask), ask.settings.complaints)


def status(ask: Ask) -> Made:
    """Every state of a part."""
    states = (
        PartState("web", Health.GOOD),
        PartState("database", Health.GOOD),
        PartState("keeper", Health.DOWN, "sealed"),
        PartState("courier", Health.DOWN, "silent"),
        PartState("witness", Health.DEGRADED, "late"),
        PartState("clock", Health.DEGRADED, "skewed"),
    )
    say = ask.language.say
    rows = tuple(PartRow(say(NAMES[each.name]), badge(ask, each), say(CODES[each.code][1]), each) for each in states)
    return "status.html", StatusPage(Badge(say(N_("Not ready")), Tone.BAD), rows, ask.site.version, ask.site.started_at, checkpoint(ask))


SAMPLES: Mapping[str, Callable[[Ask], Made]] = {
    "home": home,
    "status": status,
    "sign-in": sign_in,
    "sign-in-wrong": sign_in_wrong,
    "sign-in-wait": sign_in_wait,
    "second-factor": second_factor,
    "second-factor-wrong": second_factor_wrong,
    "account": account,
    "account-new": account_new,
    "people": people,
    "people-wrong": people_wrong,
    "people-none": people_none,
    "approvals": approvals,
    "approvals-none": approvals_none,
    "audit": audit,
    "audit-none": audit_none,
}
SIGNED_OUT = frozenset({"home", "status", "sign-in", "sign-in-wrong", "sign-in-wait", "second-factor", "second-factor-wrong"})
PROBLEM = "problem-"


class GalleryPage(forms.Fields):
    """What the gallery shows; samples of values come from here, everything else stands in the template."""

    model_config = {"arbitrary_types_allowed": True, "frozen": True}

    samples: tuple[str, ...]
    problems: tuple[str, ...]
    digest: str
    steps: tuple[Step, ...]
    checkpoint: CheckpointView
    empty: Form[SampleForm]
    filled: Form[SampleForm]


def view(ask: Ask, filled: Form[SampleForm]) -> GalleryPage:
    """The gallery."""
    return GalleryPage(
        samples=tuple(SAMPLES),
        problems=tuple(code.replace("_", "-") for code in PROBLEMS),
        digest=digest("gallery"),
        steps=steps(ask, 3),
        checkpoint=checkpoint(ask),
        empty=forms.empty(),
        filled=filled,
    )


async def gallery(ask: Ask) -> aioweb.StreamResponse:
    """All components in all states."""
    wrong = forms.checked((("name", ""), ("places", "12"), ("site", "north"), ("reason", "a\u202eb")), SampleForm, ask.language)
    return page(ask, "gallery.html", view(ask, wrong))


async def form(ask: Ask) -> aioweb.StreamResponse:
    """The sample form, sent."""
    found = forms.form(ask, SampleForm)
    if found.value is None:
        return page(ask, "gallery.html", view(ask, found), 422)
    return aioweb.Response(status=303, headers={"Location": "/gallery"})


async def sample(ask: Ask) -> aioweb.StreamResponse:
    """A page with invented data, or a problem."""
    name = ask.path["name"]
    if name.startswith(PROBLEM) and (code := name.removeprefix(PROBLEM).replace("-", "_")) in PROBLEMS:
        stop = Stop(code, most=65_536, expected=forms.FORM, seconds=30)
        return ask.site.renderer.problem(ask, problem_of(stop, ask.language, ask.id))
    make = SAMPLES.get(name)
    if make is None:
        raise NotFound
    template, made = make(ask)
    return ask.site.renderer.page(ask, template, made, navigation=navigation(ask, name), person="" if name in SIGNED_OUT else PEOPLE[0])


def navigation(ask: Ask, name: str) -> tuple[NavItem, ...]:
    """The menu of somebody with several roles; of nobody for pages before signing in."""
    shown = ("home", "verify", "status") if name in SIGNED_OUT else ("approvals", "people", "audit", "account", "verify", "status")
    labels = dict(NAVIGATION)
    here = name.partition("-")[0]
    return tuple(
        NavItem(ask.language.say(labels[each]), f"/gallery/{each}", each == here, 2 if each == "approvals" else 0) for each in shown
    )
