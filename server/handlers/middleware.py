"""Between the socket and a handler, in this order: request id, host, who asks, may they, origin, size and deadline of the body, token; then the handler.

Everything that can be refused without reading the body is refused first, and then the connection closes: nothing is read on. Any exception
becomes a problem, in the form that the route's readers expect, with the request id and without details; the log gets the code and the places.
"""

from __future__ import annotations

import asyncio
import hmac
import re
from base64 import urlsafe_b64decode
from binascii import Error as NotBase64
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from hashlib import sha256

from aiohttp import web as aioweb

from server.auth.sign_in import Request
from server.auth.throttle import ip_key
from server.handlers import forms, multipart
from server.handlers.ask import NOBODY, SITE, Access, Ask, Kind, Route, Site, cookie_name, csrf_token
from server.handlers.headers import secure
from server.handlers.i18n import choose
from server.handlers.problems import Problem, Stop, problem_json, problem_of
from server.handlers.proxies import client_of
from server.handlers.viewers import browser_of
from server.logs import LOG, places
from server.services.desk import Caller
from server.services.sign_in import device_hash

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
ASK: aioweb.RequestKey[Ask] = aioweb.RequestKey("ask", Ask)
ROUTES: aioweb.AppKey[dict[aioweb.AbstractRoute, Route]] = aioweb.AppKey("routes", dict[aioweb.AbstractRoute, Route])
BASE64 = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
COOKIES = {
    "language": 31_536_000,
    "theme": 31_536_000,
    "visit": None,
    "flash": None,
    "pass": None,
    "device": 15_811_200,
    "first_day": 1_800,
    "sso": 600,
}  # seconds; None: until the browser closes
LOGIN_COOKIE = "login"
SSO_COOKIE = "sso"  # comes along when another site sends the browser here
TOKEN_HEADER = "X-CSRF-Token"  # noqa: S105  the name of a header
TYPE = re.compile(r"([a-z]+/[a-z0-9.+-]+)(?:; ?charset=\"?utf-8\"?)?", re.IGNORECASE)


async def _nothing(_: Ask) -> aioweb.StreamResponse:
    raise Stop("not_found")


UNKNOWN = Route("GET", "", "unknown", _nothing, "", Kind.PAGE)


@aioweb.middleware
async def answer(request: aioweb.Request, handler: Callable[[aioweb.Request], Awaitable[aioweb.StreamResponse]]) -> aioweb.StreamResponse:
    """The whole way of one request."""
    site = request.config_dict[SITE]
    began = site.clock.steady_ms()
    ask = begin(site, request, request.config_dict[ROUTES].get(request.match_info.route, UNKNOWN))
    request[ASK] = ask
    code = ""
    unclear = frame_fault(request)
    try:
        if unclear:
            raise Stop(unclear)
        if len(request.headers.getall("Host", [])) != 1 or request.host not in site.settings.hosts:
            raise Stop("bad_host")
        if ask.route.kind is not Kind.PUBLIC and not ask.route.signed:  # files, health and gateways ask nobody's name
            await identify(ask)
        if ask.route is not UNKNOWN:
            await admit(ask)
        response = await handler(request)
    except asyncio.CancelledError:
        raise
    except Exception as raised:  # the one place: nothing may reach the socket unanswered
        if ask.streaming:
            raise
        problem = problem_of(raised, ask.language, ask.id)
        code = problem.code
        if problem.status == 500:
            LOG.error("failed", request=ask.id, route=ask.route.name, error=type(raised).__name__, places=places(raised))
        response = as_problem(ask, problem)
    if unclear or "Upgrade" in request.headers or not request.content.is_eof():  # what was not read is not read on
        response.force_close()
    LOG.info(
        "request",
        request=ask.id,
        method=request.method if request.method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS") else "other",
        route=ask.route.name,
        status=response.status,
        code=code,
        person=ask.viewer.person,
        address=ask.address,
        ms=site.clock.steady_ms() - began,
    )
    return response


def begin(site: Site, request: aioweb.Request, route: Route) -> Ask:
    """What is known without a decision."""
    settings = site.settings
    jar = cookies(request, site)
    name = choose(",".join(request.headers.getall("Accept-Language", [])), jar.get("language", ""), settings.language)
    ask = Ask(request, site, route, site.chance.token(16).hex(), site.clock.now(), site.languages[name], jar)
    ask.address = client_of(request.remote or "127.0.0.1", request.headers.getall("X-Forwarded-For", []), site.proxies)
    ask.theme = jar.get("theme", "") if jar.get("theme") in ("light", "dark") else ""
    ask.flash = jar.get("flash", "")
    if BASE64.fullmatch(jar.get("visit", "")):
        try:
            ask.visit = urlsafe_b64decode(jar["visit"] + "=")
        except NotBase64:
            ask.visit = b""
    return ask


def cookies(request: aioweb.Request, site: Site) -> dict[str, str]:
    """Our cookies by their short names. One that comes twice is none: somebody else wrote one of them."""
    found: dict[str, list[str]] = {}
    for line in request.headers.getall("Cookie", []):
        for piece in line.split(";"):
            name, _, value = piece.strip().partition("=")
            found.setdefault(name, []).append(value)
    shorts = (*COOKIES, LOGIN_COOKIE)
    named = {short: found.get(cookie_name(site.settings, short), []) for short in shorts}
    return {short: values[0] for short, values in named.items() if len(values) == 1}


def frame_fault(request: aioweb.Request) -> str:
    """A code where two programs on the way might read different ends of the body; the connection ends with the answer.

    A body has a length: browsers always send one, a proxy that buffers does too, and without `chunked` there is no second way to say how long
    it is (RFC 9112 6.3). What asks for an upgrade carries no body.
    """
    if "Transfer-Encoding" in request.headers:
        return "length_required"
    if len(request.headers.getall("Content-Length", [])) > 1 or ("Upgrade" in request.headers and request.content_length):
        return "bad_request"
    return ""


async def admit(ask: Ask) -> None:
    """Everything before the handler. Raises Stop."""
    site, request, route = ask.site, ask.request, ask.route
    match site.permissions.access(ask.viewer, route.permission, ask.now):
        case Access.YES:
            pass
        case wanting:
            raise Stop(wanting.value)
    unsafe = request.method not in SAFE
    if unsafe and not route.signed and not ask.viewer.by_token and not from_our_page(ask):
        raise Stop("csrf")
    await read_body(ask)
    if (
        unsafe
        and not route.signed
        and not ask.viewer.by_token
        and not hmac.compare_digest(given_token(ask).encode(), csrf_token(ask.visit, ask.viewer.login).encode())
    ):
        raise Stop("csrf")


async def identify(ask: Ask) -> None:
    """Who asks: a service token, alone, for the API; else the login cookie."""
    credentials = ask.request.headers.getall("Authorization", [])
    if credentials and ask.route is not UNKNOWN:
        scheme, _, token = credentials[0].partition(" ")
        if ask.route.kind is not Kind.API or len(credentials) != 1 or scheme.lower() != "bearer":
            raise Stop("bad_request")
        ask.caller = of_request(ask, {})
        ask.viewer = await ask.site.viewers.by_bearer(token, ask.now, ask.caller)
        if not ask.viewer.by_token:
            raise Stop("sign_in", headers={"WWW-Authenticate": "Bearer"})
        ask.caller = ask.viewer.caller or ask.caller
        return
    ask.caller = of_request(ask, ask.jar)
    token = ask.jar.get(LOGIN_COOKIE, "")
    ask.viewer = await ask.site.viewers.by_cookie(token, ask.now, ask.caller) if token else NOBODY
    ask.caller = ask.viewer.caller or ask.caller
    if ask.viewer.fresh:
        ask.cookies[LOGIN_COOKIE] = ask.viewer.fresh


def of_request(ask: Ask, jar: Mapping[str, str]) -> Caller:
    """What a request says of itself: network, browser, whether the browser was here before, the pass that it keeps."""
    address, agent = ask.address, ",".join(ask.request.headers.getall("User-Agent", []))[:400]
    place = sha256(f"{ip_key(address)}\n{agent}".encode("utf-8", "replace")).digest()
    device = jar.get("device", "")
    known = device_hash(device) if BASE64.fullmatch(device) else b""
    return Caller(request=Request(ask.now, address, place, browser_of(agent), known), shown=jar.get("pass", ""))


def from_our_page(ask: Ask) -> bool:
    """Origin, to the byte, and what the browser says of the site; and a secret that this browser has."""
    origins = ask.request.headers.getall("Origin", [])
    sites = ask.request.headers.getall("Sec-Fetch-Site", [])
    return len(origins) == 1 and origins[0] in ask.settings.origins and sites in ([], ["same-origin"]) and bool(ask.visit)


def given_token(ask: Ask) -> str:
    """From the header or, of a form, from its field; once."""
    headers = ask.request.headers.getall(TOKEN_HEADER, [])
    if ask.route.upload and not headers:
        return multipart.text_of(multipart.parts(ask), forms.TOKEN_FIELD)
    if ask.route.kind is Kind.API or headers:
        return headers[0] if len(headers) == 1 else ""
    found = [value for name, value in forms.pairs(ask.body, plus=True) if name == forms.TOKEN_FIELD]
    return found[0] if len(found) == 1 else ""


async def read_body(ask: Ask) -> None:
    """Read the body within the route's size and a deadline that only progress moves: 3 s, and a second more for each 16 KiB."""
    request, route, settings = ask.request, ask.route, ask.settings
    expectations = request.headers.getall("Expect", [])
    if expectations and [each.lower() for each in expectations] != ["100-continue"]:
        raise Stop("expectation")
    if "Content-Encoding" in request.headers:
        raise Stop("media_type", expected=expected_type(route))
    if not request.can_read_body:
        return
    if request.method in SAFE:
        raise Stop("bad_request")
    written = ",".join(request.headers.getall("Content-Type", []))
    if route.upload:
        written = multipart.FORM if multipart.BOUNDARY.fullmatch(written) else ""
    kind = TYPE.fullmatch(written)
    if not kind or kind[1].lower() != expected_type(route):
        raise Stop("media_type", expected=expected_type(route))
    if request.content_length is not None and request.content_length > route.most_bytes:
        raise Stop("too_large", most=route.most_bytes)
    if expectations:
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0
    body = bytearray()
    loop = asyncio.get_running_loop()
    began = loop.time()
    try:
        async with asyncio.timeout_at(began + settings.body_seconds) as limit:
            while chunk := await request.content.readany():
                body += chunk
                if len(body) > route.most_bytes:
                    raise Stop("too_large", most=route.most_bytes)
                limit.reschedule(began + settings.body_seconds + len(body) / settings.body_bytes_per_second)
    except TimeoutError:
        raise Stop("slow_body") from None
    except (aioweb.RequestPayloadError, ConnectionError):
        raise Stop("bad_request") from None
    ask.body = bytes(body)


def expected_type(route: Route) -> str:
    """What a route's body is."""
    if route.upload:
        return multipart.FORM
    return forms.JSON if route.kind is Kind.API else forms.FORM


def as_problem(ask: Ask, problem: Problem) -> aioweb.StreamResponse:
    """For a program as JSON, for a person as a page."""
    if ask.route.kind is Kind.API or (ask.route is UNKNOWN and ask.request.path.startswith("/api/")):
        return problem_json(problem)
    return ask.site.renderer.problem(ask, replace(problem, back=back_to(ask)))


def back_to(ask: Ask) -> str:
    """Where to go on once what is wanting is there: the page itself, or the page whose form this was."""
    if ask.request.method in SAFE:
        return ask.request.rel_url.raw_path_qs
    origin, _, rest = ",".join(ask.request.headers.getall("Referer", [])).removeprefix(ask.settings.origin).partition("/")
    return "/" + rest if not origin and forms.BACK.fullmatch("/" + rest) else "/"


async def dress(request: aioweb.Request, response: aioweb.StreamResponse) -> None:
    """Headers and cookies, last of all."""
    site = request.config_dict[SITE]
    secure(response.headers, site.settings)
    ask = request.get(ASK)
    if ask is None:
        return
    response.headers["X-Request-Id"] = ask.id
    if ask.route.kind is not Kind.PUBLIC:
        response.headers["Vary"] = "Cookie, Accept-Language"
    for short, value in ask.cookies.items():
        parts = [
            f"{cookie_name(site.settings, short)}={value}",
            "Path=/",
            "HttpOnly",
            f"SameSite={'Lax' if short == SSO_COOKIE else 'Strict'}",
        ]
        parts += ["Secure"] if site.settings.encrypted else []
        age = COOKIES.get(short) if value else 0
        parts += [f"Max-Age={age}"] if age is not None else []
        response.headers.add("Set-Cookie", "; ".join(parts))
