"""The description of the API (OpenAPI 3.1), made of the table of routes and the models: what is not in the table is not described, and the other way round."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from aiohttp import web as aioweb
from pydantic import TypeAdapter
from pydantic.json_schema import models_json_schema

from server.auth.permissions import TABLE
from server.handlers.ask import NOBODY, Access, Ask, Kind, Permissions, Route, cookie_name
from server.handlers.forms import Shape
from server.handlers.problems import PROBLEM_TYPE, PROBLEMS
from server.handlers.repeats import HEADER, KEY

ALWAYS = ("bad_request", "internal", "not_ready")
WITH_BODY = ("not_json", "csrf", "length_required", "too_large", "slow_body", "media_type", "unprocessable", "header_too_large")
WITH_QUERY = ("unknown_field", "unprocessable")
WITH_CHANGE = ("csrf", "stale", "repeat", "length_required", "media_type")
WITH_LOGIN = ("sign_in", "forbidden", "step_up", "too_many", "not_found")
REPEAT = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "description": "Sent again with the same key within a day, the same request is done once and gets the same answer",
    "schema": {"type": "string", "pattern": f"^{KEY.pattern}$"},
}
PART = re.compile(r"\{(\w+)(?::((?:[^{}]|\{[^{}]*\})*))?\}")


class FaultJson(Shape):
    """One field of a problem."""

    field: str
    code: str
    text: str


class ProblemJson(Shape):
    """RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request: str
    faults: tuple[FaultJson, ...] = ()


def describe(routes: Sequence[Route], permissions: Permissions, version: str, cookie: str = "__Host-lotroom-login") -> dict[str, Any]:
    """The whole document."""
    api = [route for route in routes if route.kind is Kind.API]
    models = {model for route in api for model in (route.takes, route.gives, route.query) if model} | {ProblemJson}
    ordered = sorted(models, key=lambda model: model.__name__)
    references, definitions = models_json_schema([(model, "validation") for model in ordered], ref_template="#/components/schemas/{model}")
    schemas = {model: references[model, "validation"] for model in ordered}
    paths: dict[str, dict[str, Any]] = {}
    for route in api:
        public = permissions.access(NOBODY, route.permission, 0) is Access.YES
        paths.setdefault(PART.sub(r"{\1}", route.path), {})[route.method.lower()] = _operation(route, public, schemas, definitions["$defs"])
    return {
        "openapi": "3.1.0",
        "info": {"title": "Lotroom", "version": version, "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"}},
        "paths": paths,
        "components": {
            "schemas": definitions["$defs"],
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "A service token with the scope of the operation"},
                "login": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": cookie,
                    "description": "A login of a person; what changes something also has Origin and X-CSRF-Token (/api/account gives it)",
                },
            },
        },
    }


def _operation(route: Route, public: bool, schemas: Mapping[Any, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    codes = dict.fromkeys((*ALWAYS, *route.fails))
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "pattern": f"^{pattern or '[^/]+'}$"}}
        for name, pattern in PART.findall(route.path)
    ]
    made: dict[str, Any] = {"operationId": route.name, "summary": route.says}
    if not public:
        codes |= dict.fromkeys(WITH_LOGIN)
        row = TABLE.get(route.permission)
        made["security"] = [*([{"token": []}] if row is None or row.by_token else []), *([{"login": []}] if row else [])]
        if row and route.method == "POST":
            codes |= dict.fromkeys((*WITH_CHANGE, "unprocessable"))
            parameters.append(REPEAT)
    if route.query:
        codes |= dict.fromkeys(WITH_QUERY)
        shape = definitions[route.query.__name__]
        needed = shape.get("required", [])
        parameters += [
            {"name": name, "in": "query", "required": name in needed, "schema": each} for name, each in shape["properties"].items()
        ]
    if route.takes:
        codes |= dict.fromkeys(WITH_BODY)
        made["requestBody"] = {"required": True, "content": {"application/json": {"schema": schemas[route.takes]}}}
    if parameters:
        made["parameters"] = parameters
    by_status: dict[int, list[str]] = {}
    for code in codes:
        by_status.setdefault(PROBLEMS[code].status, []).append(PROBLEMS[code].title)
    given = {"application/json": {"schema": schemas[route.gives] if route.gives else True}}
    made["responses"] = {
        "200": {"description": "Done", "content": {"application/octet-stream": {}} if route.binary else given},
        **{
            str(status): {"description": "; ".join(titles), "content": {PROBLEM_TYPE: {"schema": schemas[ProblemJson]}}}
            for status, titles in sorted(by_status.items())
        },
    }
    return made


async def document(ask: Ask) -> aioweb.StreamResponse:
    """/api/openapi.json."""
    whole = describe(ask.site.routes, ask.site.permissions, ask.site.version, cookie_name(ask.settings, "login"))
    return aioweb.Response(body=TypeAdapter(dict[str, Any]).dump_json(whole), headers={"Content-Type": "application/json"})
