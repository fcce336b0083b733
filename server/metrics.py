"""Measurements for Prometheus on a port of this machine alone, gathered when they are asked for. Ids and numbers, nothing personal."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Sequence
from pathlib import Path

from aiohttp import web as aioweb
from prometheus_client import CollectorRegistry, Gauge, PlatformCollector, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from server.handlers.ask import Checkpoints, Health, Probe
from server.handlers.status import look
from server.live import CheckpointProbe, KeeperProbe, WitnessProbe, unsigned_leaves, witnessed
from server.ports import Clock

VALUE = {Health.GOOD: 1.0, Health.DEGRADED: 0.5, Health.DOWN: 0.0}


def build(probes: Sequence[Probe], checkpoints: Checkpoints, clock: Clock, folder: Path) -> aioweb.Application:
    """An application with one page, /metrics. `folder`: whose disk is measured."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    part = Gauge("lotroom_part", "A part of the service: 1 good, 0.5 limited, 0 away", ["part"], registry=registry)
    sealed = Gauge("lotroom_keeper_sealed", "1 while the root key is sealed", registry=registry)
    waiting = Gauge("lotroom_keeper_waiting", "Tasks that wait for the keeper's child process", registry=registry)
    size = Gauge("lotroom_checkpoint_size", "Leaves under the newest checkpoint", registry=registry)
    age = Gauge("lotroom_checkpoint_age_seconds", "Age of the newest checkpoint", registry=registry)
    unsigned = Gauge("lotroom_leaves_unsigned", "Leaves that no checkpoint covers", registry=registry)
    witnesses = Gauge("lotroom_checkpoint_witnesses", "Witnesses that cosigned the newest checkpoint", registry=registry)
    unwitnessed = Gauge(
        "lotroom_leaves_unwitnessed", "Leaves behind the newest checkpoint that the quorum of witnesses cosigned", registry=registry
    )
    cosigned = Gauge("lotroom_cosigned_age_seconds", "Since the quorum last cosigned; a billion: never", registry=registry)
    missing = Gauge("lotroom_witnesses_missing", "Witnesses that refused or did not answer when last asked", registry=registry)
    frozen = Gauge("lotroom_read_only", "1 while a witness has seen more than this log", registry=registry)
    due = Gauge("lotroom_outbox_overdue", "Jobs of the courier that are due and not done", registry=registry)
    skew = Gauge("lotroom_clock_seconds", "The service's clock; compare it with the collector's own", registry=registry)

    free = Gauge("lotroom_disk_free_bytes", "What is free on the disk of the data folder", registry=registry)
    whole = Gauge("lotroom_disk_bytes", "Size of the disk of the data folder", registry=registry)

    async def page(_: aioweb.Request) -> aioweb.Response:
        now = clock.now()
        skew.set(now)
        usage = await asyncio.to_thread(shutil.disk_usage, folder)
        free.set(usage.free)
        whole.set(usage.total)
        for state in await asyncio.gather(*(look(probe, now) for probe in probes)):
            part.labels(state.name).set(VALUE[state.health])
            if state.name == "keeper":
                sealed.set(state.code == "sealed")
        newest = await checkpoints.latest()
        size.set(newest.size if newest else 0)
        witnesses.set(len(newest.witnesses) if newest else 0)
        for probe in probes:
            try:
                async with asyncio.timeout(1):
                    if isinstance(probe, CheckpointProbe):
                        count, seconds = await unsigned_leaves(probe.store, now)
                        unsigned.set(count)
                        age.set(seconds)
                        async with probe.store.reading() as tx:
                            due.set(await tx.count("outbox", {"done_at": None, "due_at <=": now}))
                            frozen.set((await tx.head()).frozen is not None)
                    elif isinstance(probe, WitnessProbe) and probe.settings.log_witnesses:
                        found = await witnessed(probe.store, probe.settings, now)
                        unwitnessed.set(found.leaves)
                        cosigned.set(found.age)
                        missing.set(found.missing)
                    elif isinstance(probe, KeeperProbe):
                        waiting.set((await probe.keeper.status()).waiting)
            except Exception:  # noqa: S112 - `part` says already that it is away
                continue
        return aioweb.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = aioweb.Application()
    app.router.add_get("/metrics", page)
    return app
