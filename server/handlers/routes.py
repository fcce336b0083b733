"""The site as one table. A row without an entry in the permission table stops the start, so does a name that stands twice."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from aiohttp import web as aioweb

from drawing.errors import Refused
from server.handlers import account, approvals, audit, gallery, log, openapi, people, public, sign_in, static, status
from server.handlers.ask import Kind, Permissions, Route
from server.handlers.middleware import ASK, ROUTES

PUBLIC = "public"  # the permission that everybody has
GET, POST = "GET", "POST"
PAGE, API, PLAIN = Kind.PAGE, Kind.API, Kind.PUBLIC

TABLE: tuple[Route, ...] = (
    Route(GET, "/", "home", public.home, PUBLIC, PAGE),
    Route(GET, "/verify", "verify", public.verify, PUBLIC, PAGE),
    Route(GET, "/verify/page", "verifier", public.verifier, PUBLIC, PLAIN),
    Route(GET, "/verify/lotroom-verify.html", "verifier_file", public.verifier_file, PUBLIC, PLAIN),
    Route(GET, "/status", "status", status.status, PUBLIC, PAGE),
    Route(GET, "/status/updates", "status_updates", status.updates, PUBLIC, PAGE, stream=True),
    Route(POST, "/preferences", "preferences", public.preferences, PUBLIC, PAGE),
    Route(GET, "/health/live", "live", status.live, PUBLIC, PLAIN),
    Route(GET, "/health/ready", "ready", status.ready, PUBLIC, PLAIN),
    Route(GET, "/static/{digest:[0-9a-f]{16}}/{name:[a-zA-Z0-9_./-]{1,120}}", "static", static.file, PUBLIC, PLAIN),
    Route(GET, "/checkpoint", "log_checkpoint", log.checkpoint, PUBLIC, PLAIN),
    Route(GET, "/tile/{rest:[a-z0-9/.]{1,90}}", "log_tile", log.tile, PUBLIC, PLAIN),
    Route(GET, "/api/openapi.json", "openapi", openapi.document, PUBLIC, API, "This description"),
    Route(GET, "/api/status", "api_status", status.status_json, PUBLIC, API, "State of the service", gives=status.StatusJson),
    Route(
        GET,
        "/api/checkpoint",
        "api_checkpoint",
        status.checkpoint_json,
        PUBLIC,
        API,
        "Newest checkpoint of the log",
        gives=status.CheckpointJson,
        fails=("not_found",),
    ),
    Route(GET, "/gallery", "gallery", gallery.gallery, PUBLIC, PAGE, demo_only=True),
    Route(GET, "/gallery/{name:[a-z0-9-]{1,40}}", "gallery_page", gallery.sample, PUBLIC, PAGE, demo_only=True),
    Route(POST, "/gallery/form", "gallery_form", gallery.form, PUBLIC, PAGE, demo_only=True),
)


ID = "{id:[0-9a-f]{32}}"
INVITATION = "/invitation/{code:[A-Za-z0-9_-]{43}}"
# Pages of people who sign in; there where the service has a store and a keeper. Permissions are names of `auth.permissions`.
DESK: tuple[Route, ...] = (
    Route(GET, "/sign-in", "sign_in", sign_in.first_page, "login.begin", PAGE),
    Route(POST, "/sign-in", "sign_in_password", sign_in.first, "login.begin", PAGE),
    Route(POST, "/sign-in/passkey/options", "sign_in_passkey_options", sign_in.passkey_options, "login.begin", PAGE),
    Route(POST, "/sign-in/passkey", "sign_in_passkey", sign_in.passkey, "login.begin", PAGE),
    Route(GET, "/sign-in/second", "second_factor", sign_in.second_page, "login.second_factor", PAGE),
    Route(POST, "/sign-in/second", "second_factor_shown", sign_in.second, "login.second_factor", PAGE),
    Route(POST, "/sign-in/second/options", "second_factor_options", sign_in.second_options, "login.second_factor", PAGE),
    Route(GET, "/step-up", "step_up", sign_in.step_up_page, "account.step_up", PAGE),
    Route(POST, "/step-up", "step_up_shown", sign_in.step_up, "account.step_up", PAGE),
    Route(POST, "/sign-out", "sign_out", sign_in.sign_out, "login.end", PAGE),
    Route(GET, INVITATION, "invitation", account.invited_page, "ticket.redeem", PAGE),
    Route(POST, INVITATION, "invitation_password", account.invited, "ticket.redeem", PAGE),
    Route(POST, INVITATION + "/confirm", "invitation_confirm", account.invited_confirm, "ticket.redeem", PAGE),
    Route(GET, "/account", "account", account.show, "account.read", PAGE),
    Route(POST, "/account/password", "account_password", account.password, "account.change_password", PAGE),
    Route(POST, "/account/totp", "account_totp", account.totp, "account.enrol_factor", PAGE),
    Route(POST, "/account/totp/confirm", "account_totp_confirm", account.totp_confirm, "account.enrol_factor", PAGE),
    Route(POST, "/account/passkeys/options", "account_passkey_options", account.passkey_options, "account.enrol_factor", PAGE),
    Route(POST, "/account/passkeys", "account_passkey", account.passkey, "account.enrol_passkey", PAGE),
    Route(POST, "/account/recovery", "account_recovery", account.recovery, "account.recovery_codes", PAGE),
    Route(POST, f"/account/logins/{ID}/end", "account_login_end", account.end_login, "account.revoke_login", PAGE),
    Route(POST, "/account/sign-out-everywhere", "sign_out_everywhere", account.sign_out_everywhere, "account.revoke_login", PAGE),
    Route(GET, "/people", "people", people.show, "people.list", PAGE),
    Route(POST, "/people", "people_invite", people.invite, "people.invite", PAGE),
    Route(GET, f"/people/{ID}", "person", people.person, "people.read", PAGE),
    Route(POST, f"/people/{ID}/roles", "person_role", people.ask_for_role, "people.grant_role", PAGE),
    Route(GET, "/approvals", "approvals", approvals.inbox, "approvals.inbox", PAGE),
    Route(POST, f"/approvals/{ID}/options", "approval_options", approvals.options, "approvals.vote", PAGE),
    Route(POST, f"/approvals/{ID}/approve", "approval_approve", approvals.approve, "approvals.vote", PAGE),
    Route(POST, f"/approvals/{ID}/refuse", "approval_refuse", approvals.refuse, "approvals.vote", PAGE),
    Route(GET, "/audit", "audit", audit.show, "audit.read", PAGE),
    Route(POST, "/audit/verify", "audit_verify", audit.verify, "audit.read", PAGE),
)


def check(table: Sequence[Route], permissions: Permissions) -> None:
    """Raises Refused `route_without_permission` or `route_twice`."""
    names: set[str] = set()
    for route in table:
        if route.permission not in permissions.known():
            raise Refused("route_without_permission", route.name, permission=route.permission or "-")
        if route.name in names:
            raise Refused("route_twice", route.name)
        names.add(route.name)


def install(app: aioweb.Application, table: Sequence[Route]) -> None:
    """Put the table into the application's router."""
    known: dict[aioweb.AbstractRoute, Route] = {}
    for route in table:
        for method in (route.method, "HEAD") if route.method == GET and not route.stream else (route.method,):
            known[app.router.add_route(method, route.path, _entry(route), expect_handler=_later)] = route
    app[ROUTES] = known


def _entry(route: Route) -> Callable[[aioweb.Request], Awaitable[aioweb.StreamResponse]]:
    async def entry(request: aioweb.Request) -> aioweb.StreamResponse:
        return await route.handler(request[ASK])

    return entry


async def _later(_: aioweb.Request) -> None:
    """`Expect: 100-continue` is answered when the body is wanted, not before."""
