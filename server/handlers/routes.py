"""The site as one table. A row without an entry in the permission table stops the start, so does a name that stands twice."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from aiohttp import web as aioweb

from drawing.errors import Refused
from server.handlers import gallery, openapi, public, published, static, status
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
    Route(GET, "/log/checkpoint", "log_checkpoint", published.checkpoint, PUBLIC, PLAIN),
    Route(GET, "/log/tile/{rest:[0-9a-z./]{1,80}}", "log_tile", published.tile, PUBLIC, PLAIN),
    Route(GET, "/proofs/{name:[a-z0-9][a-z0-9-]{0,60}}.json", "proof", published.proof, PUBLIC, PLAIN),
    Route(GET, "/status", "status", status.status, PUBLIC, PAGE),
    Route(GET, "/status/updates", "status_updates", status.updates, PUBLIC, PAGE, stream=True),
    Route(POST, "/preferences", "preferences", public.preferences, PUBLIC, PAGE),
    Route(GET, "/health/live", "live", status.live, PUBLIC, PLAIN),
    Route(GET, "/health/ready", "ready", status.ready, PUBLIC, PLAIN),
    Route(GET, "/static/{digest:[0-9a-f]{16}}/{name:[a-zA-Z0-9_./-]{1,120}}", "static", static.file, PUBLIC, PLAIN),
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
