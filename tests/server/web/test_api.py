"""The API: its description is made of the table, and schemathesis finds nothing that is not as described."""

from __future__ import annotations

import json
import re
import subprocess
import sys

from server.handlers.ask import Health, Kind, PartState
from server.handlers.problems import PROBLEMS
from server.handlers.routes import TABLE
from tests.conftest import counts
from tests.server.web.live import EXTRA


def test_the_description_has_every_route_and_no_other(live):
    whole = json.loads(live.ask("GET", "/api/openapi.json").body)
    assert whole["openapi"] == "3.1.0"
    described = {(method.upper(), path) for path, methods in whole["paths"].items() for method in methods}
    assert described == {
        (route.method, re.sub(r"\{(\w+):.*\}", r"{\1}", route.path)) for route in (*TABLE, *EXTRA) if route.kind is Kind.API
    }
    add = whole["paths"]["/api/t/add"]["post"]
    assert add["security"] == [{"token": []}]
    assert add["requestBody"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Sum"}
    assert {"200", "400", "401", "403", "413", "415", "422", "500"} <= set(add["responses"])
    assert whole["components"]["schemas"]["Sum"]["additionalProperties"] is False
    for methods in whole["paths"].values():
        for operation in methods.values():
            assert any(status.startswith("4") for status in operation["responses"])


def unbounded(schema: object) -> bool:
    """Whether an integer in a schema has no bounds: the reader of JSON refuses integers of more than 17 digits, the description has to say so."""
    if isinstance(schema, dict):
        return (schema.get("type") == "integer" and not {"minimum", "maximum"} <= set(schema)) or any(map(unbounded, schema.values()))
    return isinstance(schema, list) and any(map(unbounded, schema))


def test_every_integer_that_is_sent_has_bounds():
    assert unbounded({"properties": {"a": {"items": {"type": "integer", "minimum": 0}}}})
    for route in (*TABLE, *EXTRA):
        if route.takes:
            assert not unbounded(route.takes.model_json_schema()), route.name


def test_schemathesis_finds_nothing(live, tmp_path):
    """Every check it has, against the live service; the route that fails on purpose is left out."""
    number = counts("schemathesis examples per operation", 25, 400)
    done = subprocess.run(
        [sys.executable, "-m", "schemathesis.cli", "run", f"http://{live.host}/api/openapi.json", "--checks", "all", "--max-examples", str(number), "--seed", "7",
         "--header", "Authorization: Bearer service", "--exclude-path-regex", "/fail/", "--suppress-health-check", "all", "--no-color"],
        capture_output=True, text=True, timeout=500, check=False, cwd=tmp_path,
    )  # fmt: skip
    print(done.stdout[-1_500:])
    assert done.returncode == 0, done.stdout[-6_000:] + done.stderr[-2_000:]


def test_health_is_plain(live):
    answer = live.ask("GET", "/health/live")
    assert (answer.status, answer.body, answer.headers["Content-Type"]) == (200, b"live\n", "text/plain; charset=utf-8")
    assert live.ask("GET", "/health/ready").status == 200
    assert live.ask("HEAD", "/health/ready").body == b""


def test_readiness_depends_on_what_is_needed_and_tells_no_details(live):
    database, keeper, witness = live.probes
    try:
        witness.state = PartState("witness", Health.DOWN, "silent")
        assert live.ask("GET", "/health/ready").status == 200
        keeper.state = PartState("keeper", Health.DOWN, "sealed")
        answer = live.ask("GET", "/health/ready")
        assert (answer.status, answer.text) == (503, "not ready\ndatabase good\nkeeper down sealed\nwitness down silent\n")
        assert live.ask("GET", "/health/live").status == 200
        page = live.ask("GET", "/status").text
        assert "密封" in page
        assert "须由密钥保管人共同解封" in page
        keeper.state, database.raises = PartState("keeper", Health.GOOD), True
        answer = live.ask("GET", "/health/ready")
        assert "database down silent" in answer.text
        assert "secret" not in answer.text + live.ask("GET", "/status").text
        database.raises, database.sleeps = False, 30.0
        assert json.loads(live.ask("GET", "/api/status").body)["ready"] is False
    finally:
        database.raises, database.sleeps = False, 0.0
        keeper.state, witness.state = PartState("keeper", Health.GOOD), PartState("witness", Health.GOOD)


def test_the_newest_checkpoint_is_there_for_programs_and_people(live, tls):
    found = json.loads(live.ask("GET", "/api/checkpoint").body)
    assert (found["size"], found["root"]) == (12, "ab" * 32)
    page = live.ask("GET", "/").text
    assert "<span>abababab</span>" * 8 in page
    assert live.ask("GET", "/verify/lotroom-verify.html").headers["Content-Disposition"] == 'attachment; filename="lotroom-verify.html"'


def test_every_problem_has_a_status_a_title_and_what_to_do_in_both_languages(live):
    for code, row in PROBLEMS.items():
        assert 400 <= row.status <= 599
        for language in live.site.languages.values():
            assert language.say(row.title), code
            assert language.say(row.advice), code
