"""Pages: one Jinja2 environment per language, everything compiled at start, every value escaped, an unknown name is an error.

A template sees `frame` (the site around the page), `view` (the page's own frozen dataclass) and the functions below; it holds no rules.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError

from aiohttp import web as aioweb
from jinja2 import Environment, FileSystemBytecodeCache, FileSystemLoader, StrictUndefined
from jinja2.bccache import Bucket

from server.config import Settings
from server.handlers.ask import Access, Ask, Route
from server.handlers.i18n import N_, Language, china_time, machine_time
from server.handlers.problems import PROBLEMS, Problem
from server.handlers.static import Statics

HTML = "text/html; charset=utf-8"
NAVIGATION: tuple[tuple[str, str], ...] = (
    ("home", N_("Start")),
    ("verify", N_("Verify")),
    ("status", N_("System status")),
    ("draws", N_("Draws")),
    ("bidders", N_("Bidder lists")),
    ("supervision", N_("Supervision")),
    ("approvals", N_("Approvals")),
    ("key_list", N_("Key list")),
    ("next_list", N_("Keys that wait")),
    ("my_key", N_("My key")),
    ("library", N_("Expert library")),
    ("people", N_("People and roles")),
    ("audit", N_("Audit log")),
    ("tokens", N_("Service tokens")),
    ("webhooks", N_("Webhooks")),
    ("stand_in", N_("Expert without a factor")),
    ("own", N_("My record")),
    ("account", N_("My account")),
    ("sign_in", N_("Sign in")),
    ("demo", N_("Demo logins")),
    ("gallery", N_("Components")),
)
FLASHES: Mapping[str, str] = {  # said once, on the page after a form
    "saved": N_("Saved."),
    "requested": N_("Asked for. The library is read now."),
    "went_on": N_("Done. The page says what comes next."),
    "proposed": N_("Proposed. Others approve it now."),
    "complained": N_("The complaint is filed. Nothing of this draw is destroyed from now on."),
    "published": N_("Recorded. Experts see now how this draw went for them."),
    "approved": N_("Approved and signed."),
    "refused": N_("Refused."),
    "removed": N_("Removed."),
    "key_waits": N_("Handed in. It counts once it stands in the key list."),
    "received": N_("Received and sealed."),
    "signed": N_("Signed."),
    "signed_waits": N_("Signed. It goes into the log once others have signed or approved it."),
    "contributed": N_("Contributed. Your part is in the log."),
    "signed_out": N_("You are signed out."),
    "confirmed": N_("Confirmed. Go on within five minutes."),
    "passkey_waits": N_("The passkey is made. It counts once a security administrator has let it in."),
    "mended": N_("The row is right now."),
    "left_out": N_("Left out."),
    "put_in": N_("The import goes into the library now."),
    "dropped": N_("The import was dropped. Nothing of it is kept."),
    "enrolled": N_("Enrolled. The next one, please."),
    "first_day_over": N_("All three administrators are enrolled; this page is closed for good. Sign in with a passkey."),
    "ready": N_("Your account is ready. Sign in now."),
}
PLACEHOLDER = "00000000000000000000000000000000"


@dataclass(frozen=True, slots=True)
class NavItem:
    """An entry of the navigation; `count` is what waits there."""

    label: str
    href: str
    current: bool = False
    count: int = 0


@dataclass(frozen=True, slots=True)
class Frame:
    """What stands around every page."""

    centre: str
    demo: bool
    navigation: tuple[NavItem, ...]
    person: str
    now: int
    theme: str
    csrf: str
    here: str  # path and query, to come back to
    request: str
    flash: str = ""  # what the form before this page did
    read_only: bool = False  # a witness of the log has seen more


class Renderer:
    """Templates in both languages."""

    def __init__(
        self, folder: Path, languages: Mapping[str, Language], settings: Settings, statics: Statics, compiled: Path | None = None
    ) -> None:
        self._settings = settings
        kept = Compiled(str(compiled)) if compiled else None
        self._languages = languages
        self._environments = {name: environment(folder, language, statics, kept) for name, language in languages.items()}
        for env in self._environments.values():
            for name in env.list_templates():
                env.get_template(name)
        self._default = languages[settings.language]
        self._addresses: dict[str, str] = {}
        self._navigable: Mapping[str, Sequence[tuple[str, str, str, str]]] = {}
        self._early: dict[str, bytes] = {}

    def open(self, routes: Sequence[Route]) -> None:
        """Learn the addresses of pages and write the pages for requests that cannot be read."""
        self._addresses = {route.name: route.path for route in routes}
        for env in self._environments.values():
            env.globals["url"] = self.url
            env.globals["known"] = self._addresses.__contains__
        permissions = {route.name: route.permission for route in routes}
        self._navigable = {
            language.name: [
                (name, language.say(label), self.url(name), permissions[name]) for name, label in NAVIGATION if name in permissions
            ]
            for language in self._languages.values()
        }
        frame = Frame(self._centre(self._default), self._settings.insecure_demo, (), "", 0, "", "", "", PLACEHOLDER)
        for code in ("bad_request", "header_too_large", "internal"):
            row = PROBLEMS[code]
            problem = Problem(code, row.status, self._default.say(row.title), self._default.say(row.advice), PLACEHOLDER)
            self._early[code] = self._text(self._default, "problem.html", frame, problem).encode()

    def url(self, name: str, /, **parts: str) -> str:
        """The address of a page by its route's name."""
        address = self._addresses[name]
        if "{" in address:
            address = re.sub(r"\{(\w+)(?::[^{}]*(?:\{[^{}]*\}[^{}]*)*)?\}", lambda match: parts.pop(match[1]), address)
        assert not parts, parts
        return address

    def page(
        self,
        ask: Ask,
        template: str,
        view: object,
        status: int = 200,
        navigation: tuple[NavItem, ...] | None = None,
        person: str | None = None,
    ) -> aioweb.Response:
        """A whole page. `navigation` and `person` are those of the viewer unless a sample page invents them."""
        text = self._text(ask.language, template, self.frame(ask, navigation, person), view)
        return aioweb.Response(body=text.encode(), status=status, headers={"Content-Type": HTML})

    def problem(self, ask: Ask, problem: Problem) -> aioweb.Response:
        """The page of a problem."""
        made = self.page(ask, "problem.html", problem, problem.status)
        made.headers.update(problem.headers)
        return made

    def early(self, code: str, request: str) -> aioweb.Response:
        """The page for a request that could not be read: in the default language, made before."""
        body = self._early[code].replace(PLACEHOLDER.encode(), request.encode())
        return aioweb.Response(body=body, status=PROBLEMS[code].status, headers={"Content-Type": HTML})

    def frame(self, ask: Ask, navigation: tuple[NavItem, ...] | None = None, person: str | None = None) -> Frame:
        """The site around a page, for this viewer."""
        if ask.flash:
            ask.cookies["flash"] = ""
        return Frame(
            self._centre(ask.language),
            self._settings.insecure_demo,
            self._navigation(ask) if navigation is None else navigation,
            ask.viewer.name if person is None else person,
            ask.now,
            ask.theme,
            ask.csrf(),
            ask.request.rel_url.raw_path_qs if ask.request.method == "GET" else ask.request.rel_url.raw_path,
            ask.id,
            ask.language.say(FLASHES.get(ask.flash, "")),
            ask.site.guard is not None and ask.site.guard.read_only,
        )

    def _navigation(self, ask: Ask) -> tuple[NavItem, ...]:
        return tuple(
            NavItem(label, href, name == ask.route.name)
            for name, label, href, permission in self._navigable[ask.language.name]
            if not (name == "sign_in" and ask.viewer.signed_in)
            and ask.site.permissions.access(ask.viewer, permission, ask.now) is Access.YES
        )

    def _centre(self, language: Language) -> str:
        return self._settings.centre_zh if language.name == "zh_CN" else self._settings.centre_en

    def _text(self, language: Language, template: str, frame: Frame, view: object) -> str:
        return self._environments[language.name].get_template(template).render(frame=frame, view=view)


def page(ask: Ask, template: str, view: object, status: int = 200) -> aioweb.Response:
    """Answer with a page."""
    return ask.site.renderer.page(ask, template, view, status)


def see_other(ask: Ask, name: str, flash: str = "", **parts: str) -> aioweb.Response:
    """After a form: go to a page, so that a reload sends nothing twice; `flash` is a row of FLASHES that the page says once.

    Returned, never raised: raising would undo a transaction.
    """
    if flash:
        assert flash in FLASHES, flash
        ask.cookies["flash"] = flash
    return aioweb.Response(status=303, headers={"Location": ask.site.renderer.url(name, **parts)})


def for_script(text: str) -> aioweb.Response:
    """JSON that a script of the page asked for, such as a passkey's options."""
    return aioweb.Response(body=text.encode(), headers={"Content-Type": "application/json"})


class Compiled(FileSystemBytecodeCache):
    """Templates as code, in a folder of the service's own: a process that starts again does not compile them anew, which took it longer than all else.

    No file there is needed: one that cannot be read or written is as none.
    """

    def load_bytecode(self, bucket: Bucket) -> None:
        try:
            super().load_bytecode(bucket)
        except (OSError, EOFError, ValueError, UnpicklingError):
            bucket.reset()

    def dump_bytecode(self, bucket: Bucket) -> None:
        with suppress(OSError):  # a full disk
            super().dump_bytecode(bucket)


def environment(folder: Path, language: Language, statics: Statics, compiled: Compiled | None = None) -> Environment:
    """Jinja2 for one language. What is compiled is the same for all of them: no constant is computed with a language's words."""
    env = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        cache_size=-1,
        extensions=["jinja2.ext.i18n"],
        bytecode_cache=compiled,
    )
    env.install_gettext_translations(language.texts, newstyle=True)  # type: ignore[attr-defined]
    env.globals.update(lang=language, static=statics.address, zh=language.name == "zh_CN")
    env.filters.update(china_time=china_time, machine_time=machine_time, groups=groups, number=number)
    return env


def groups(digest: str) -> tuple[str, ...]:
    """Hex in groups of 8, as it is read aloud and compared."""
    return tuple(digest[at : at + 8] for at in range(0, len(digest), 8))


def number(value: int) -> str:
    """With thin separators at thousands."""
    return f"{value:,}"
