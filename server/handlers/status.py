"""Is the service well? For people a page with what to do, for supervisors of processes two plain answers, for programs JSON."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from aiohttp import web as aioweb

from server.handlers.ask import Ask, CheckpointView, Health, PartState, Probe
from server.handlers.forms import Shape
from server.handlers.i18n import N_, machine_time
from server.handlers.problems import Stop
from server.handlers.render import page
from server.handlers.views import Badge, PartRow, StatusPage, Tone

PROBE_SECONDS = 1
NAMES: Mapping[str, str] = {
    "web": N_("Web pages"),
    "database": N_("Database"),
    "keeper": N_("Key keeper"),
    "courier": N_("Courier (messages, beacon, witnesses)"),
    "log": N_("Signed log"),
    "witness": N_("Witnesses of the log"),
    "clock": N_("Clock"),
    "disk": N_("Disk"),
}
CODES: Mapping[str, tuple[str, str]] = {
    "": ("", ""),
    "silent": (N_("no answer"), N_("The operator has to look after this part; everything else goes on.")),
    "sealed": (N_("sealed"), N_("Key custodians have to come together and unseal it.")),
    "starting": (N_("starting"), N_("Wait a minute.")),
    "late": (N_("late"), N_("Draws go on; the log's newest entries are not witnessed yet.")),
    "silent_database": (N_("no answer"), N_("The operator has to start the database; what was acknowledged is kept.")),
    "unsigned": (N_("late"), N_("New entries of the log are not signed: see whether the key keeper runs and is unsealed.")),
    "full": (N_("full"), N_("The operator has to make room; until then nothing can be written, and reading goes on.")),
    "nearly_full": (N_("nearly full"), N_("The operator has to make room before it is full.")),
    "unwitnessed": (
        N_("not witnessed"),
        N_("Too few witnesses have cosigned the newest entries. Everything goes on; they are asked again and again."),
    ),
    "one_missing": (N_("one does not answer"), N_("The quorum is there. Whoever runs the witness has to look after it.")),
    "read_only": (
        N_("read-only"),
        N_(
            "A witness has seen more than this database holds. Put the newer log back; if it is lost, a system administrator asks for a new epoch."
        ),
    ),
    "skewed": (N_("skewed"), N_("The operator has to set the clock of the machine.")),
}
WORDS: Mapping[Health, tuple[str, Tone]] = {
    Health.GOOD: (N_("running"), Tone.GOOD),
    Health.DEGRADED: (N_("limited"), Tone.WARN),
    Health.DOWN: (N_("not available"), Tone.BAD),
}


class PartJson(Shape):
    """One part."""

    name: str
    health: str
    code: str


class StatusJson(Shape):
    """The state of the service."""

    ready: bool
    time: str
    version: str
    parts: tuple[PartJson, ...]


class CheckpointJson(Shape):
    """The newest checkpoint of the log; `note` is the signed text."""

    origin: str
    size: int
    root: str
    signed_at: str
    witnesses: tuple[str, ...]
    note: str


class WebProbe:
    """This very process."""

    name = "web"
    needed = True

    async def look(self, now: int) -> PartState:
        """It answers, so it is well."""
        return PartState("web", Health.GOOD)


async def look(probe: Probe, now: int) -> PartState:
    """A part's state; one that does not answer in time, or fails, is down."""
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            return await probe.look(now)
    except Exception:  # whatever it is, the part is away
        return PartState(probe.name, Health.DOWN, "silent")


async def look_at_all(ask: Ask) -> tuple[bool, tuple[PartState, ...]]:
    """Whether the service is ready, and every part."""
    probes = ask.site.probes
    states = tuple(await asyncio.gather(*(look(probe, ask.now) for probe in probes)))
    return not any(state.health is Health.DOWN and probe.needed for probe, state in zip(probes, states, strict=True)), states


async def live(ask: Ask) -> aioweb.StreamResponse:
    """The process runs."""
    return aioweb.Response(text="live\n")


async def ready(ask: Ask) -> aioweb.StreamResponse:
    """All that is needed runs."""
    good, states = await look_at_all(ask)
    lines = "".join(f"{state.name} {state.health.value}{' ' + state.code if state.code else ''}\n" for state in states)
    return aioweb.Response(text=("ready\n" if good else "not ready\n") + lines, status=200 if good else 503)


async def status(ask: Ask) -> aioweb.StreamResponse:
    """The page."""
    good, states = await look_at_all(ask)
    say = ask.language.say
    worst = Health.DOWN if not good else Health.DEGRADED if any(state.health is not Health.GOOD for state in states) else Health.GOOD
    whole = {
        Health.GOOD: Badge(say(N_("Everything is running")), Tone.GOOD),
        Health.DEGRADED: Badge(say(N_("Running with limits")), Tone.WARN),
        Health.DOWN: Badge(say(N_("Not ready")), Tone.BAD),
    }[worst]
    rows = tuple(PartRow(say(NAMES[each.name]), badge(ask, each), say(CODES[each.code][1]), each) for each in states)
    return page(ask, "status.html", StatusPage(whole, rows, ask.site.version, ask.site.started_at, await ask.site.checkpoints.latest()))


async def updates(ask: Ask) -> aioweb.StreamResponse:
    """Live updates of the status page."""
    return await ask.site.streams.serve(ask, ask.site.streams.status)


async def status_json(ask: Ask) -> aioweb.StreamResponse:
    """The same for programs."""
    good, states = await look_at_all(ask)
    parts = tuple(PartJson(name=each.name, health=each.health.value, code=each.code) for each in states)
    return as_json(StatusJson(ready=good, time=machine_time(ask.now), version=ask.site.version, parts=parts))


async def checkpoint_json(ask: Ask) -> aioweb.StreamResponse:
    """The newest checkpoint."""
    found = await ask.site.checkpoints.latest()
    if found is None:
        raise Stop("not_found")
    return as_json(checkpoint_shape(found))


def checkpoint_shape(found: CheckpointView) -> CheckpointJson:
    """As programs read it."""
    return CheckpointJson(
        origin=found.origin,
        size=found.size,
        root=found.root,
        signed_at=machine_time(found.signed_at),
        witnesses=found.witnesses,
        note=found.note,
    )


def badge(ask: Ask, state: PartState) -> Badge:
    """A part's state in words."""
    word, tone = WORDS[state.health]
    code = CODES[state.code][0]
    say = ask.language.say
    return Badge(f"{say(word)} · {say(code)}" if code else say(word), tone)


def as_json(value: Shape, status: int = 200) -> aioweb.Response:
    """An answer of the API."""
    return aioweb.Response(body=value.model_dump_json().encode(), status=status, headers={"Content-Type": "application/json"})
