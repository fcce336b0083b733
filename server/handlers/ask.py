"""What a handler is given: the request as an `Ask`, the site it belongs to, and the few things pages need from elsewhere, as protocols.

A handler is `async def name(ask) -> response`. By the time it runs, middleware has checked the host, the viewer's permission, the origin, the size
and the body's encoding; what is left is to parse a form (`forms`), call one service and render (`render`).
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from hashlib import sha256
from typing import TYPE_CHECKING, Protocol

from aiohttp import web as aioweb
from pydantic import BaseModel

from server.auth.model import VISITOR, Actor
from server.config import Settings
from server.handlers.proxies import Network
from server.ports import Chance, Clock
from server.services.desk import Caller, Desk

if TYPE_CHECKING:
    from server.handlers.i18n import Language
    from server.handlers.render import Renderer
    from server.handlers.sse import Streams
    from server.handlers.static import Statics

SMALL_BODY = 64 * 1024  # a form or a JSON object; what carries files says so in its route


class Kind(Enum):
    """Who reads the answer: a person, a program, or a program without a login (health, static files)."""

    PAGE = "page"
    API = "api"
    PUBLIC = "public"


class Access(Enum):
    """What the permission table says of one viewer and one permission."""

    YES = "yes"
    SIGN_IN = "sign_in"
    SECOND_FACTOR = "second_factor"
    STEP_UP = "step_up"
    PASSKEY = "passkey_first"
    ENROL_PASSKEY = "enrol_passkey"
    CHANGE_PASSWORD = "change_password"  # noqa: S105  what to do, not a password
    HIDDEN = "not_found"
    NO = "forbidden"


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who asks. Ids are 32 hex characters; `login` names the login (never its token) and binds the CSRF token to it."""

    person: str = ""
    name: str = ""
    centre: str = ""
    login: str = ""
    roles: tuple[str, ...] = ()
    permissions: frozenset[str] = frozenset()
    by_token: bool = False  # a service token: no cookies were looked at, so nothing can be forged across sites
    actor: Actor = VISITOR
    caller: Caller | None = None  # for use cases
    fresh: str = ""  # a new token for the login's cookie

    @property
    def signed_in(self) -> bool:
        """Whether somebody is known."""
        return bool(self.person)


NOBODY = Viewer()


class Viewers(Protocol):
    """Finds out who asks; implemented over `auth.logins`."""

    async def by_cookie(self, token: str, now: int, caller: Caller) -> Viewer:
        """The viewer of a login cookie; NOBODY where it is unknown or over. `caller`: what the request says of itself."""
        ...

    async def by_bearer(self, token: str, now: int, caller: Caller) -> Viewer:
        """The viewer of a service token; NOBODY where it is unknown, waiting or over."""
        ...


class Permissions(Protocol):
    """The permission table; implemented by `auth.permissions`."""

    def known(self) -> Collection[str]:
        """All names; a route that names another stops the start."""
        ...

    def access(self, viewer: Viewer, permission: str, now: int) -> Access:
        """Whether this viewer may."""
        ...


class Health(Enum):
    """The state of a part, as an operator acts on it."""

    GOOD = "good"
    DEGRADED = "degraded"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class PartState:
    """One part of the service now; `code` is a row of `status.CODES`."""

    name: str
    health: Health
    code: str = ""


class Probe(Protocol):
    """Looks at one part. `needed` parts decide whether the service is ready."""

    @property
    def name(self) -> str:
        """A row of `status.NAMES`."""
        ...

    @property
    def needed(self) -> bool:
        """Whether the service is not ready without it."""
        ...

    async def look(self, now: int) -> PartState:
        """The state now; bounded to a second by whoever calls."""
        ...


@dataclass(frozen=True, slots=True)
class CheckpointView:
    """The newest signed state of the log."""

    origin: str
    size: int
    root: str  # hex
    signed_at: int
    witnesses: tuple[str, ...]
    note: str  # the signed text itself


class Guard(Protocol):
    """Whether the log takes entries; implemented over the head of the log."""

    @property
    def read_only(self) -> bool:
        """A witness has seen more than this database."""
        ...


class Checkpoints(Protocol):
    """Where the newest checkpoint comes from; implemented over `storage.log`."""

    async def latest(self) -> CheckpointView | None:
        """The newest, None in an empty log."""
        ...


class Tiles(Protocol):
    """The published log by its paths (C2SP tlog-tiles); implemented over `storage.log`."""

    async def file(self, path: str) -> bytes:
        """`checkpoint`, `tile/L/N[.p/W]`, `tile/entries/N[.p/W]`. Raises Refused `no_such_tile` for any other."""
        ...


@dataclass(frozen=True, slots=True)
class ProofView:
    """A proof that the public page offers."""

    name: str
    kb: int


class Proofs(Protocol):
    """Proofs of finished draws, for everybody."""

    async def shown(self) -> tuple[ProofView, ...]:
        """The newest ones, by name."""
        ...

    async def file(self, name: str) -> bytes:
        """One file. Raises errors.NotFound."""
        ...


@dataclass(frozen=True, slots=True)
class DemoLogin:
    """Somebody of the demonstration and what they sign in with; `code` is the one of now."""

    account: str
    name: str
    role: str
    centre: str
    secret: str
    code: str
    passkey: bool


class DemoPeople(Protocol):
    """The people of a demonstration, there only in one; implemented by `demo.book`."""

    @property
    def password(self) -> str:
        """Everybody's."""
        ...

    @property
    def invitation(self) -> str:
        """The path of an invitation that nobody has taken up."""
        ...

    def logins(self, now: int) -> tuple[DemoLogin, ...]:
        """Everybody."""
        ...

    def answer(self, account: str, options: str, origin: str) -> str:
        """What the software passkey of an account answers to the browser's options (JSON, both). Raises Refused."""
        ...


Handler = Callable[["Ask"], Awaitable[aioweb.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Route:
    """One row of the site. `takes` is the JSON body of an api route, `query` its query string, `gives` its answer, `fails` its further codes."""

    method: str
    path: str
    name: str
    handler: Handler
    permission: str
    kind: Kind
    says: str = ""  # one English line for the API's description
    takes: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    gives: type[BaseModel] | None = None
    fails: tuple[str, ...] = ()
    most_bytes: int = SMALL_BODY
    stream: bool = False  # stays open: no HEAD
    binary: bool = False  # an api route that gives a file
    signed: bool = False  # a program signs the request itself: its handler looks, and no cookie counts
    upload: bool = False  # the body is multipart/form-data and may hold a file
    demo_only: bool = False


@dataclass(slots=True)
class Site:
    """Everything that outlives a request; made once, in `server.app`."""

    settings: Settings
    clock: Clock
    chance: Chance
    viewers: Viewers
    permissions: Permissions
    checkpoints: Checkpoints
    tiles: Tiles
    proofs: Proofs
    probes: Sequence[Probe]
    renderer: Renderer
    statics: Statics
    languages: Mapping[str, Language]
    streams: Streams
    verifier: str  # the verification page, one file
    version: str
    routes: Sequence[Route] = ()
    started_at: int = 0
    demo: DemoPeople | None = None  # in a demonstration that was populated
    proxies: Sequence[Network] = ()
    guard: Guard | None = None
    desk: Desk | None = None  # what use cases stand on; None where only public pages are served


SITE: aioweb.AppKey[Site] = aioweb.AppKey("site", Site)


@dataclass(slots=True)
class Ask:
    """One request, read and judged by middleware."""

    request: aioweb.Request
    site: Site
    route: Route
    id: str
    now: int
    language: Language
    jar: Mapping[str, str] = field(default_factory=dict[str, str])  # this site's cookies that came, by short name
    theme: str = ""
    flash: str = ""
    viewer: Viewer = NOBODY
    caller: Caller = field(default_factory=Caller)
    address: str = "127.0.0.1"  # who asks, as far as trusted proxies saw it
    visit: bytes = b""  # this browser's secret, from its cookie
    body: bytes = b""
    streaming: bool = False  # headers are out: no other answer is possible any more
    cookies: dict[str, str] = field(default_factory=dict[str, str])  # to be set with the answer, by short name

    @property
    def settings(self) -> Settings:
        """The site's."""
        return self.site.settings

    @property
    def desk(self) -> Desk:
        """Of routes that are there only where it is."""
        assert self.site.desk is not None
        return self.site.desk

    @property
    def path(self) -> Mapping[str, str]:
        """The variable parts of the address."""
        return self.request.match_info

    def csrf(self) -> str:
        """The token that a form of this browser and this login carries; gives the browser its secret if it has none yet."""
        if not self.visit:
            self.visit = self.site.chance.token(32)
            self.cookies["visit"] = urlsafe_b64encode(self.visit).decode().rstrip("=")
        return csrf_token(self.visit, self.viewer.login)


def csrf_token(visit: bytes, login: str) -> str:
    """Bound to the browser's secret and to the login, so that it changes with either."""
    return urlsafe_b64encode(hmac.digest(visit, b"lotroom/csrf/" + login.encode(), sha256)).decode().rstrip("=")


def cookie_name(settings: Settings, short: str) -> str:
    """`__Host-` names need https; a demonstration on this machine has names of its own, so that the two are never mixed up."""
    return f"__Host-lotroom-{short}" if settings.encrypted else f"lotroom-demo-{short}"
